/* tools/lint_facts.c - facts for the lints, of a torrent that is there or of one to be made. */
#include "proto/base/bytes.h"
#include "proto/url.h"
#include "tools/lint.h"

#include <stdlib.h>

/* ---- URLs -------------------------------------------------------------------------- */

struct url {
	struct shoal_bytes scheme, host, rest; /* rest: from the first '/' after the host */
	bool port;
};

static struct url url_of(struct shoal_bytes text)
{
	struct url u = { 0 };
	const uint8_t *colon = memmem(text.at, text.len, "://", 3);
	if (colon == NULL)
		return u;
	u.scheme = shoal_bytes(text.at, (size_t)(colon - text.at));
	struct shoal_bytes after = shoal_bytes(colon + 3, text.len - u.scheme.len - 3);
	const uint8_t *slash = after.len ? memchr(after.at, '/', after.len) : NULL;
	size_t host = slash ? (size_t)(slash - after.at) : after.len;
	u.rest = shoal_bytes(after.at + host, after.len - host);
	size_t end = host;
	while (end > 0 && after.at[end - 1] >= '0' && after.at[end - 1] <= '9')
		end--;
	u.port = end > 1 && end < host && after.at[end - 1] == ':';
	u.host = shoal_bytes(after.at, u.port ? end - 1 : host);
	return u;
}

static bool is_scheme(const struct url *u, const char *name)
{
	size_t len = strlen(name);
	if (u->scheme.len != len)
		return false;
	for (size_t i = 0; i < len; i++) /* schemes are blind to case */
		if ((u->scheme.at[i] | 0x20) != name[i])
			return false;
	return true;
}

/* What no URL has anywhere. */
static const char *misspelt(struct shoal_bytes text, const struct url *u)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] <= ' ' || text.at[i] == 0x7f)
			return "a blank or control character in a URL";
	if (u->scheme.len == 0)
		return "not a URL";
	if (u->host.len == 0)
		return "a URL without a host";
	return NULL;
}

static const char *tracker_fault(struct shoal_bytes text)
{
	struct url u = url_of(text);
	const char *bad = misspelt(text, &u);
	if (bad)
		return bad;
	if (is_scheme(&u, "udp"))
		return u.port ? NULL : "a udp tracker without a port";
	if (is_scheme(&u, "ws") || is_scheme(&u, "wss"))
		return "a WebSocket tracker, which WebTorrent alone knows";
	if (!is_scheme(&u, "http") && !is_scheme(&u, "https"))
		return "a scheme that is none of http, https and udp";
	struct shoal_url strict;
	if (shoal_url_parse(text, &strict) < 0)
		return "a host or port that cannot be";
	return u.rest.len <= 1 ? "a host without a path (most end in /announce)" : NULL;
}

static const char *webseed_fault(struct shoal_bytes text, bool single)
{
	struct url u = url_of(text);
	const char *bad = misspelt(text, &u);
	if (bad)
		return bad;
	if (is_scheme(&u, "ftp"))
		return "ftp, which few engines still know";
	if (!is_scheme(&u, "http") && !is_scheme(&u, "https"))
		return "a scheme that is neither http nor https";
	struct shoal_url strict;
	if (shoal_url_parse(text, &strict) < 0)
		return "a host or port that cannot be";
	if (!single && text.at[text.len - 1] != '/')
		return "no '/' at the end, though it stands for a folder (BEP 19)";
	return NULL;
}

static void take_tracker(struct shoal_lint_facts *f, struct shoal_bytes url)
{
	const char *bad = tracker_fault(url);
	f->trackers++;
	f->bad_trackers += bad != NULL;
	if (f->bad_tracker == NULL)
		f->bad_tracker = bad;
}

static void take_webseed(struct shoal_lint_facts *f, struct shoal_bytes url)
{
	const char *bad = webseed_fault(url, f->single);
	f->webseeds++;
	f->bad_webseeds += bad != NULL;
	if (f->bad_webseed == NULL)
		f->bad_webseed = bad;
}

/* ---- equal files --------------------------------------------------------------------- */

struct rooted { /* 64 bits of a root tell files apart well enough for a hint */
	uint64_t root, size;
};

static int by_root(const void *left, const void *right)
{
	const struct rooted *a = left, *b = right;
	return (a->root > b->root) - (a->root < b->root);
}

void shoal_lint_facts_roots(struct shoal_lint_facts *f, uint32_t count,
			    const uint8_t *(*root_of)(void *self, uint32_t i, uint64_t *size), void *self)
{
	struct rooted *all = malloc((count ? count : 1) * sizeof *all);
	size_t n = 0;
	if (all == NULL)
		return; /* a hint less */
	for (uint32_t i = 0; i < count; i++) {
		uint64_t size = 0;
		const uint8_t *root = root_of(self, i, &size);
		if (root)
			all[n++] = (struct rooted){ shoal_get_u64(root), size };
	}
	qsort(all, n, sizeof *all, by_root);
	for (size_t i = 1; i < n; i++) {
		if (all[i].root != all[i - 1].root)
			continue;
		f->duplicates++;
		f->duplicate_bytes += all[i].size;
	}
	free(all);
}

static const uint8_t *root_in(void *self, uint32_t i, uint64_t *size)
{
	const struct shoal_metainfo *mi = self;
	*size = shoal_metainfo_file_size(mi, i);
	return shoal_metainfo_file_root(mi, i);
}

/* ---- all of it ----------------------------------------------------------------------- */

void shoal_lint_facts_of(struct shoal_lint_facts *f, const struct shoal_metainfo *mi, uint64_t torrent)
{
	char path[SHOAL_PATH_BYTES_MAX + 1];
	struct shoal_space room = { (uint8_t *)path, sizeof path };
	unsigned tier;
	*f = (struct shoal_lint_facts){
		.v1 = shoal_metainfo_v1(mi),
		.v2 = shoal_metainfo_v2(mi),
		.is_private = shoal_metainfo_private(mi),
		.single = shoal_metainfo_single(mi),
		.piece_size = shoal_metainfo_piece_size(mi),
		.pieces = shoal_metainfo_piece_count(mi),
		.info = shoal_metainfo_info(mi).len,
		.torrent = torrent,
		.size = shoal_metainfo_size(mi),
		.padding = shoal_metainfo_stream_size(mi) - shoal_metainfo_size(mi),
		.nodes = shoal_metainfo_node_count(mi),
	};
	f->layers_missing = f->v2 && !shoal_metainfo_layers_complete(mi);
	for (uint32_t i = 0; i < shoal_metainfo_file_count(mi); i++) {
		unsigned flags = shoal_metainfo_file_flags(mi, i);
		int len = flags & SHOAL_FILE_PAD ? -1 : shoal_metainfo_path_raw(mi, i, room);
		if (len >= 0)
			shoal_lint_path(f, shoal_bytes(path, (size_t)len), flags, shoal_metainfo_file_size(mi, i));
	}
	shoal_lint_paths_end(f);
	if (f->v2)
		shoal_lint_facts_roots(f, shoal_metainfo_file_count(mi), root_in, (void *)(uintptr_t)mi);
	for (size_t i = 0; i < shoal_metainfo_tracker_count(mi); i++)
		take_tracker(f, shoal_metainfo_tracker(mi, i, &tier));
	for (size_t i = 0; i < shoal_metainfo_webseed_count(mi); i++)
		take_webseed(f, shoal_metainfo_webseed(mi, i));
}

void shoal_lint_facts_plan(struct shoal_lint_facts *f, const struct shoal_author *a,
			   const struct shoal_author_sums *sums)
{
	*f = (struct shoal_lint_facts){
		.v1 = a->format != SHOAL_FORMAT_V2,
		.v2 = a->format != SHOAL_FORMAT_V1,
		.is_private = a->is_private,
		.single = a->single,
		.piece_size = a->piece_size,
		.pieces = a->format == SHOAL_FORMAT_V1 ? sums->pieces_v1 : sums->pieces,
		.info = sums->info_of[a->format],
		.torrent = sums->torrent_of[a->format],
		.size = sums->total,
		.padding = a->format == SHOAL_FORMAT_HYBRID ? sums->padding : 0,
		.nodes = a->node_count,
	};
	char whole[SHOAL_PATH_BYTES_MAX + 1], path[SHOAL_PATH_BYTES_MAX + 1];
	for (size_t i = 0; i < a->file_count; i++) {
		struct shoal_author_file some;
		const struct shoal_author_file *file = shoal_author_file_at(a, i, path, &some);
		struct shoal_wr w = shoal_wr((struct shoal_space){ (uint8_t *)whole, sizeof whole });
		shoal_wr_put(&w, a->name);
		if (!a->single) {
			shoal_wr_u8(&w, '/');
			shoal_wr_put(&w, file->path);
		}
		if (!w.bad)
			shoal_lint_path(f, shoal_bytes(whole, w.pos), file->flags, file->length);
	}
	shoal_lint_paths_end(f);
	for (size_t i = 0; i < a->tracker_count; i++)
		take_tracker(f, a->tracker[i].url);
	for (size_t i = 0; i < a->webseed_count; i++)
		take_webseed(f, a->webseed[i]);
}
