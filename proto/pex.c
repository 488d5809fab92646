/* proto/pex.c - see pex.h. Strict: a list with a double in it is a list nobody honest wrote. */
#include "proto/pex.h"

#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "proto/bencode.h"
#include "proto/compact.h"

/* The entries of one list and family, behind those that are there. */
static int take(const struct shoal_ben_value *v, const struct shoal_ben_value *flags, bool is_v4,
		struct shoal_pex_peer *list, size_t *count)
{
	struct shoal_addr addr[SHOAL_PEX_MOST];
	size_t unit = is_v4 ? SHOAL_COMPACT4 : SHOAL_COMPACT6;
	if (v->kind == SHOAL_BEN_NONE)
		return 0;
	if (v->kind != SHOAL_BEN_STR || v->str.len % unit != 0)
		return SHOAL_ERR_MALFORMED;
	if (v->str.len / unit > SHOAL_PEX_MOST - *count)
		return SHOAL_ERR_TOO_LONG;
	ptrdiff_t n = shoal_compact_decode(v->str, is_v4, addr, SHOAL_PEX_MOST);
	if (n < 0)
		return (int)n;
	for (size_t i = 0; i < (size_t)n; i++) {
		bool has = flags != NULL && flags->kind == SHOAL_BEN_STR && i < flags->str.len;
		if (addr[i].port == 0)
			continue;
		list[*count] = (struct shoal_pex_peer){ .addr = addr[i] };
		list[*count].flags = has ? flags->str.at[i] & SHOAL_PEX_FLAGS : 0;
		++*count;
	}
	return 0;
}

static int order(const void *a, const void *b)
{
	const struct shoal_addr *x = *(const struct shoal_addr *const *)a, *y = *(const struct shoal_addr *const *)b;
	if (x->is_v4 != y->is_v4)
		return x->is_v4 < y->is_v4 ? -1 : 1;
	int c = memcmp(x->ip, y->ip, x->is_v4 ? 4 : 16);
	return c != 0 ? c : (x->port > y->port) - (x->port < y->port);
}

/* Whether any address stands twice, in one list or in both. */
static bool doubled(const struct shoal_pex *pex)
{
	const struct shoal_addr *all[2 * SHOAL_PEX_MOST];
	size_t n = 0;
	for (size_t i = 0; i < pex->added_count; i++)
		all[n++] = &pex->added[i].addr;
	for (size_t i = 0; i < pex->dropped_count; i++)
		all[n++] = &pex->dropped[i].addr;
	qsort(all, n, sizeof *all, order);
	for (size_t i = 1; i < n; i++)
		if (shoal_addr_equal(all[i - 1], all[i]))
			return true;
	return false;
}

int shoal_pex_decode(struct shoal_bytes in, struct shoal_pex *out)
{
	enum { ADDED, ADDED_F, ADDED6, ADDED6_F, DROPPED, DROPPED6, FIELDS };
	struct shoal_ben_field f[FIELDS] = {
		{ .key = "added" },    { .key = "added.f" }, { .key = "added6" },
		{ .key = "added6.f" }, { .key = "dropped" }, { .key = "dropped6" },
	};
	out->added_count = out->dropped_count = 0;
	ptrdiff_t n = shoal_ben_pick(in, SHOAL_BEN_DEPTH_SMALL, f, FIELDS);
	if (n < 0)
		return (int)n;
	bool none = f[ADDED].v.kind == SHOAL_BEN_NONE && f[ADDED6].v.kind == SHOAL_BEN_NONE &&
		    f[DROPPED].v.kind == SHOAL_BEN_NONE && f[DROPPED6].v.kind == SHOAL_BEN_NONE;
	if ((size_t)n != in.len || none)
		return SHOAL_ERR_MALFORMED;
	int rc = take(&f[ADDED].v, &f[ADDED_F].v, true, out->added, &out->added_count);
	if (rc == 0)
		rc = take(&f[ADDED6].v, &f[ADDED6_F].v, false, out->added, &out->added_count);
	if (rc == 0)
		rc = take(&f[DROPPED].v, NULL, true, out->dropped, &out->dropped_count);
	if (rc == 0)
		rc = take(&f[DROPPED6].v, NULL, false, out->dropped, &out->dropped_count);
	if (rc == 0 && doubled(out))
		rc = SHOAL_ERR_MALFORMED;
	if (rc < 0)
		out->added_count = out->dropped_count = 0;
	return rc;
}

static void put_list(struct shoal_ben_wr *w, const char *key, const struct shoal_pex_peer *list, size_t count,
		     bool is_v4)
{
	uint8_t raw[SHOAL_PEX_MOST * SHOAL_COMPACT6];
	size_t len = 0;
	for (size_t i = 0; i < count; i++)
		if (!list[i].addr.is_v4 == !is_v4)
			len += shoal_compact_encode(&list[i].addr, raw + len);
	if (len > 0)
		shoal_ben_wr_pair_str(w, key, shoal_bytes(raw, len));
}

static void put_flags(struct shoal_ben_wr *w, const char *key, const struct shoal_pex *pex, bool is_v4)
{
	uint8_t raw[SHOAL_PEX_MOST];
	size_t len = 0;
	for (size_t i = 0; i < pex->added_count; i++)
		if (!pex->added[i].addr.is_v4 == !is_v4)
			raw[len++] = pex->added[i].flags & SHOAL_PEX_FLAGS;
	if (len > 0)
		shoal_ben_wr_pair_str(w, key, shoal_bytes(raw, len));
}

ptrdiff_t shoal_pex_encode(const struct shoal_pex *pex, struct shoal_space out)
{
	struct shoal_ben_wr w;
	if (pex->added_count > SHOAL_PEX_MOST || pex->dropped_count > SHOAL_PEX_MOST)
		return SHOAL_ERR_TOO_LONG;
	shoal_ben_wr_init(&w, out);
	shoal_ben_wr_dict(&w);
	put_list(&w, "added", pex->added, pex->added_count, true);
	put_flags(&w, "added.f", pex, true);
	put_list(&w, "added6", pex->added, pex->added_count, false);
	put_flags(&w, "added6.f", pex, false);
	put_list(&w, "dropped", pex->dropped, pex->dropped_count, true);
	put_list(&w, "dropped6", pex->dropped, pex->dropped_count, false);
	shoal_ben_wr_end(&w);
	return shoal_ben_wr_done(&w);
}
