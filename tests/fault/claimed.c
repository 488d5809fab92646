/* claimed.c - see claimed.h. */
#include "tests/fault/claimed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "swarm/pieces/claims.h"
#include "swarm/io/files.h"
#include "swarm/io/store_sqlite.h"

struct reading {
	const struct shoal_metainfo *mi;
	const struct shoal_seen *seen;
	uint32_t first, from, count, skew;
	const struct claimed_counts *counts;
};

static void on_record(void *to, struct shoal_bytes value)
{
	struct reading *r = to;
	struct shoal_claim c;
	if (shoal_claim_decode(value, &c) < 0 || c.piece_size != shoal_metainfo_piece_size(r->mi) ||
	    c.skew != r->skew || c.first != r->from || c.count != r->count)
		return;
	bool trusted = shoal_claim_trusted(&c, r->seen);
	for (uint32_t i = 0; i < c.count; i++) {
		bool set = (c.flags & SHOAL_CLAIM_ALL) || (c.bitmap.at[i / 8] >> i % 8 & 1);
		r->counts->named[r->first + r->from + i] += set;
		r->counts->believed[r->first + r->from + i] += set && trusted;
	}
}

int claimed_count(struct claimed_counts *out, const struct shoal_store *store, const struct shoal_metainfo *mi,
		  const char *folder, const struct shoal_seen *seen)
{
	size_t pieces = shoal_metainfo_piece_count(mi) + (size_t)1;
	int rc = 0;
	*out = (struct claimed_counts){ calloc(pieces, 1), calloc(pieces, 1), calloc(pieces, 1) };
	if (out->named == NULL || out->believed == NULL || out->holders == NULL)
		return SHOAL_ERR_NOMEM;
	for (uint32_t f = 0; f < shoal_metainfo_file_count(mi); f++) {
		struct reading r = { .mi = mi, .seen = &seen[f], .counts = out };
		uint32_t n = shoal_claim_pieces(mi, f, &r.first, &r.skew);
		uint8_t key[SHOAL_CLAIM_KEY_LEN];
		for (uint32_t i = 0; i < n; i++)
			out->holders[r.first + i]++;
		for (r.from = 0; r.from < n; r.from += SHOAL_CLAIM_CHUNK) {
			r.count = n - r.from < SHOAL_CLAIM_CHUNK ? n - r.from : SHOAL_CLAIM_CHUNK;
			shoal_claim_key(mi, f, shoal_bytes(folder, strlen(folder)), r.from / SHOAL_CLAIM_CHUNK, key);
			int got = store->ops->get(store->s, SHOAL_STORE_FILE, shoal_bytes(key, sizeof key), on_record,
						  &r);
			if (rc == 0 && got < 0)
				rc = got;
		}
	}
	return rc;
}

void claimed_counts_fini(struct claimed_counts *c)
{
	free(c->named);
	free(c->believed);
	free(c->holders);
}

static int look(const struct shoal_metainfo *mi, const char *folder, struct shoal_seen *seen)
{
	struct shoal_files *files = NULL;
	struct shoal_files_fault fault;
	uint32_t storage;
	int rc = shoal_files_new(&files, &shoal_os_real, 0);
	if (rc == 0)
		rc = shoal_files_open(files, mi, folder, true, &storage);
	if (rc == 0)
		rc = shoal_files_scan(files, storage, 0, shoal_metainfo_file_count(mi), seen, &fault);
	shoal_files_free(files);
	return rc;
}

int claimed_read(struct claimed *out, const struct shoal_metainfo *mi, const char *folder, const char *state,
		 char what[160])
{
	struct shoal_store_options o = { .os = &shoal_os_real, .state = state };
	struct shoal_store_sqlite *sqlite = NULL;
	uint32_t pieces = shoal_metainfo_piece_count(mi), files = shoal_metainfo_file_count(mi);
	struct claimed_counts counts = { 0 };
	*out = (struct claimed){ .seen = calloc(files + 1, sizeof *out->seen) };
	what[0] = '\0';
	int rc = out->seen ? shoal_bits_init(&out->piece, pieces) : SHOAL_ERR_NOMEM;
	if (rc == 0)
		rc = look(mi, folder, out->seen);
	if (rc == 0)
		rc = shoal_store_sqlite_open(&sqlite, &o, what);
	if (rc == 0 && what[0])
		rc = SHOAL_ERR_HASH; /* it was damaged */
	if (rc == 0) {
		struct shoal_store store = shoal_store_sqlite_store(sqlite);
		rc = claimed_count(&counts, &store, mi, folder, out->seen);
	}
	for (uint32_t p = 0; rc == 0 && p < pieces; p++) {
		out->named += counts.named[p] == counts.holders[p];
		if (counts.believed[p] == counts.holders[p]) {
			shoal_bits_set(&out->piece, p);
			out->bytes += shoal_metainfo_piece_bytes(mi, p);
		}
	}
	if (rc < 0 && what[0] == '\0')
		snprintf(what, 160, "%s", shoal_err_name(rc));
	shoal_store_sqlite_close(sqlite);
	claimed_counts_fini(&counts);
	return rc;
}

void claimed_fini(struct claimed *c)
{
	shoal_bits_fini(&c->piece);
	free(c->seen);
}
