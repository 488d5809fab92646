/*
 * test_claimed.c - two in one: with no arguments a test of the reader of claims; with three, that reader for scripts.
 *
 *	fault-claimed TORRENT FOLDER STATE
 *
 * prints one JSON object: pieces, bytes and named (counts), and `ranges`: for each piece that is claimed and each file
 * that holds some of it [piece, path, path on disk now (perhaps its unfinished name), offset, length].
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "proto/base/bytes.h"
#include "swarm/pieces/claims.h"
#include "swarm/io/store_sqlite.h"
#include "tests/fault/claimed.h"
#include "tests/unit/own_torrent.h"

/* ---- the program ---------------------------------------------------------------------------- */

static struct shoal_metainfo *read_torrent(const char *path)
{
	struct shoal_metainfo_fault why = { 0 };
	struct shoal_metainfo *mi = NULL;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *raw = NULL;
	if (fd >= 0 && fstat(fd, &st) == 0 && (raw = malloc((size_t)st.st_size + 1)) != NULL &&
	    read(fd, raw, (size_t)st.st_size) == st.st_size &&
	    shoal_metainfo_parse(&mi, shoal_bytes(raw, (size_t)st.st_size), &why) < 0)
		fprintf(stderr, "%s: %s\n", path, why.what);
	free(raw);
	if (fd >= 0)
		close(fd);
	return mi;
}

static void put_text(const char *text)
{
	putchar('"');
	for (; *text; text++)
		printf(*text == '"' || *text == '\\' || (unsigned char)*text < ' ' ? "\\u%04x" : "%c",
		       (unsigned char)*text);
	putchar('"');
}

static void put_piece(const struct shoal_metainfo *mi, const struct claimed *c, uint32_t piece, bool *any)
{
	uint64_t from = (uint64_t)piece * shoal_metainfo_piece_size(mi),
		 end = from + shoal_metainfo_piece_bytes(mi, piece);
	uint32_t first, last;
	shoal_metainfo_piece_files(mi, piece, &first, &last);
	for (uint32_t f = first; f <= last; f++) {
		char path[SHOAL_PATH_BYTES_MAX + 16];
		uint64_t start = shoal_metainfo_file_offset(mi, f), stop = start + shoal_metainfo_file_size(mi, f);
		uint64_t a = from > start ? from : start, b = end < stop ? end : stop;
		if (a >= b || (shoal_metainfo_file_flags(mi, f) & SHOAL_FILE_PAD))
			continue;
		int n = shoal_metainfo_path(mi, f, (struct shoal_space){ (uint8_t *)path, SHOAL_PATH_BYTES_MAX + 1 });
		if (n < 0)
			continue;
		printf("%s[%u,", *any ? "," : "", piece);
		put_text(path);
		if (c->seen[f].state == SHOAL_SEEN_PART)
			memcpy(path + n, ".part", sizeof ".part");
		putchar(',');
		put_text(path);
		printf(",%llu,%llu]", (unsigned long long)(a - start), (unsigned long long)(b - a));
		*any = true;
	}
}

static int program(char **arg)
{
	struct claimed c;
	char what[160];
	bool any = false;
	struct shoal_metainfo *mi = read_torrent(arg[1]);
	if (mi == NULL)
		return 3;
	int rc = claimed_read(&c, mi, arg[2], arg[3], what);
	if (rc < 0) {
		fprintf(stderr, "fault-claimed: %s\n", what);
	} else {
		printf("{\"pieces\":%u,\"bytes\":%llu,\"named\":%u,\"ranges\":[", c.piece.ones,
		       (unsigned long long)c.bytes, c.named);
		for (uint32_t p = shoal_bits_next(&c.piece, 0); p < c.piece.count; p = shoal_bits_next(&c.piece, p + 1))
			put_piece(mi, &c, p, &any);
		printf("]}\n");
	}
	claimed_fini(&c);
	shoal_metainfo_free(mi);
	return rc < 0 ? 4 : 0;
}

/* ---- the test -------------------------------------------------------------------------------- */

/* A record as the engine writes it, for file `f` as it is now. */
static void record(const char *state, const struct own_torrent *t, const char *folder, uint32_t f, const uint8_t *bits,
		   const struct shoal_stamp *stamp)
{
	struct shoal_store_options o = { .os = &shoal_os_real, .state = state };
	struct shoal_store_sqlite *sqlite;
	struct shoal_store_done done;
	uint8_t key[SHOAL_CLAIM_KEY_LEN], value[SHOAL_CLAIM_VALUE_MAX];
	uint32_t first, skew, n = shoal_claim_pieces(t->mi, f, &first, &skew);
	struct shoal_claim c = {
		.stamp = *stamp, .piece_size = t->piece_size, .skew = skew, .count = n, .bitmap = { bits, (n + 7) / 8 }
	};
	assert_int_equal(shoal_store_sqlite_open(&sqlite, &o, NULL), 0);
	struct shoal_store s = shoal_store_sqlite_store(sqlite);
	shoal_claim_key(t->mi, f, shoal_bytes(folder, strlen(folder)), 0, key);
	ptrdiff_t len = shoal_claim_encode(&c, (struct shoal_space){ value, sizeof value });
	assert_true(len > 0);
	assert_int_equal(
		s.ops->put(s.s, SHOAL_STORE_FILE, shoal_bytes(key, sizeof key), shoal_bytes(value, (size_t)len)), 0);
	assert_int_equal(s.ops->commit(s.s, 1), 0);
	for (int i = 0; i < 500 && s.ops->reap(s.s, &done, 1) == 0; i++)
		usleep(10000);
	shoal_store_sqlite_close(sqlite);
}

static void only_what_is_recorded_and_unchanged_is_claimed(void **unused)
{
	static const struct own_file file[] = { { "a", 40000, false }, { "b", 30000, false } };
	struct own_torrent t;
	struct claimed c;
	char folder[128], state[160], what[160], path[300];
	uint8_t all = 0x07, two = 0x06; /* of a: pieces 0-2; of b: it begins in piece 2 */
	(void)unused;
	own_folder(folder, sizeof folder);
	snprintf(state, sizeof state, "%s/state", folder);
	own_torrent_make(&t, OWN_V1, 16384, "set", file, 2, false);

	assert_int_equal(claimed_read(&c, t.mi, folder, state, what), 0);
	assert_int_equal(c.piece.ones, 0);
	claimed_fini(&c);

	uint8_t bytes[40000] = { 0 };
	own_write(folder, "set/a", bytes, 40000);
	own_write(folder, "set/b.part", bytes, 30000);
	assert_int_equal(claimed_read(&c, t.mi, folder, state, what), 0);
	assert_int_equal(c.piece.ones, 0);
	struct shoal_stamp a = c.seen[0].stamp, b = c.seen[1].stamp;
	claimed_fini(&c);

	record(state, &t, folder, 0, &all, &a);
	record(state, &t, folder, 1, &two, &b); /* pieces 3 and 4, not the shared one */
	assert_int_equal(claimed_read(&c, t.mi, folder, state, what), 0);
	assert_int_equal(c.piece.ones, 4);
	assert_false(shoal_bits_get(&c.piece, 2));
	assert_int_equal(c.bytes, 2 * 16384 + 70000 - 3 * 16384);
	claimed_fini(&c);

	snprintf(path, sizeof path, "%s/set/b.part", folder);
	assert_int_equal(truncate(path, 29999), 0); /* now the record about b is worth nothing */
	assert_int_equal(claimed_read(&c, t.mi, folder, state, what), 0);
	assert_int_equal(c.piece.ones, 2);
	assert_int_equal(c.named, 4);
	claimed_fini(&c);
	own_torrent_free(&t);
	own_folder_end(folder);
}

int main(int argc, char **argv)
{
	if (argc == 4)
		return program(argv);
	const struct CMUnitTest tests[] = { cmocka_unit_test(only_what_is_recorded_and_unchanged_is_claimed) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
