/* swarm/core/adopt_hints.c - BEP 38: torrents that say, of themselves or of each other, that they share files. */
#include <stdlib.h>
#include <string.h>
#include "proto/base/digest.h"
#include "swarm/core/adopt_room.h"
#include "swarm/core/node_room.h"

/*
 * A TORRENT record: version, v1 hash, truncated v2 hash (zeros: none), the folder its files lie in, and its hints, each
 * with its length before it. Only torrents with v1 pieces have one: the others are found by the roots of their files.
 */
#define RECORD_VERSION 1
#define RECORD_MAX (1 + 40 + 2 + 2 * SHOAL_PATH_BYTES_MAX + 2 + 2 * (2 + SHOAL_SIMILAR_MAX * 256))
#define ROWS_MAX 100000u

static void put_short(struct shoal_wr *w, struct shoal_bytes text)
{
	shoal_wr_u8(w, (uint8_t)text.len);
	shoal_wr_put(w, text);
}

/* Where its files lie: the torrent's own folder. 0 for a single file: what lies beside it is not the torrent's. */
static size_t top_of(const struct shoal_swarm *s, char out[2 * SHOAL_PATH_BYTES_MAX + 2])
{
	struct shoal_bytes name = shoal_metainfo_name(s->mi);
	size_t len = strlen(s->folder);
	if (shoal_metainfo_single(s->mi) || len > SHOAL_PATH_BYTES_MAX || name.len > SHOAL_PATH_BYTES_MAX)
		return 0;
	memcpy(out, s->folder, len);
	out[len++] = '/';
	memcpy(out + len, name.at, name.len);
	return len + name.len;
}

int shoal_adopt_torrent(struct shoal_swarm *s)
{
	const struct shoal_store *store = &s->node->store;
	char top[2 * SHOAL_PATH_BYTES_MAX + 2];
	uint8_t key[32], place[32], none[20] = { 0 };
	size_t len;
	if (s->torrent_recorded || !s->has_v1 || store->ops == NULL || (len = top_of(s, top)) == 0)
		return 0;
	uint8_t *value = malloc(RECORD_MAX);
	if (value == NULL)
		return SHOAL_ERR_NOMEM;
	struct shoal_wr w = shoal_wr((struct shoal_space){ value, RECORD_MAX });
	shoal_wr_u8(&w, RECORD_VERSION);
	shoal_wr_put(&w, shoal_bytes(s->v1.b, 20));
	shoal_wr_put(&w, shoal_bytes(s->has_v2 ? s->v2_short.b : none, 20));
	shoal_wr_u16(&w, (uint16_t)len);
	shoal_wr_put(&w, shoal_bytes(top, len));
	shoal_wr_u16(&w, (uint16_t)shoal_metainfo_similar_count(s->mi));
	for (size_t i = 0; i < shoal_metainfo_similar_count(s->mi); i++)
		put_short(&w, shoal_metainfo_similar(s->mi, i));
	shoal_wr_u16(&w, (uint16_t)shoal_metainfo_collection_count(s->mi));
	for (size_t i = 0; i < shoal_metainfo_collection_count(s->mi); i++)
		put_short(&w, shoal_metainfo_collection(s->mi, i));
	shoal_sha256(shoal_bytes(top, len), place);
	memcpy(key, s->v1.b, 20);
	memcpy(key + 20, place, 12); /* it may lie in several places */
	int rc = w.bad ? SHOAL_ERR_TOO_LONG
		       : store->ops->put(store->s, SHOAL_STORE_TORRENT, shoal_bytes(key, sizeof key),
					 shoal_bytes(value, w.pos));
	free(value);
	s->torrent_recorded = rc == 0;
	return rc;
}

/* ---- reading them ------------------------------------------------------------------------ */

static bool is_mine(const struct shoal_swarm *s, struct shoal_bytes id)
{
	return id.len >= 20 && ((s->has_v1 && memcmp(id.at, s->v1.b, 20) == 0) ||
				(s->has_v2 && memcmp(id.at, s->v2.b, id.len < 32 ? 20 : 32) == 0));
}

static bool named_by_me(const struct shoal_swarm *s, struct shoal_bytes id)
{
	static const uint8_t none[20];
	for (size_t i = 0; i < shoal_metainfo_similar_count(s->mi); i++)
		if (memcmp(shoal_metainfo_similar(s->mi, i).at, id.at, 20) == 0 && memcmp(id.at, none, 20) != 0)
			return true;
	return false;
}

static bool shared(const struct shoal_swarm *s, struct shoal_bytes collection)
{
	for (size_t i = 0; i < shoal_metainfo_collection_count(s->mi); i++)
		if (shoal_bytes_equal(shoal_metainfo_collection(s->mi, i), collection))
			return true;
	return false;
}

struct reading {
	struct shoal_swarm *s;
	uint32_t rows;
};

/* Hints count in both directions. */
static int on_torrent(void *to, struct shoal_bytes key, struct shoal_bytes value)
{
	struct reading *reading = to;
	struct shoal_swarm *s = reading->s;
	struct shoal_adopt *a = s->adopt;
	struct shoal_rd r = shoal_rd(value);
	(void)key;
	if (++reading->rows > ROWS_MAX || a->place_count >= SHOAL_ADOPT_FOLDERS_MAX - 1)
		return 1;
	bool version = shoal_rd_u8(&r) == RECORD_VERSION;
	struct shoal_bytes v1 = shoal_rd_take(&r, 20), v2 = shoal_rd_take(&r, 20);
	struct shoal_bytes top = shoal_rd_take(&r, shoal_rd_u16(&r));
	if (r.bad || !version || top.len == 0 || memchr(top.at, 0, top.len) != NULL)
		return 0;
	bool alike = named_by_me(s, v1) || named_by_me(s, v2);
	for (uint16_t n = shoal_rd_u16(&r); n > 0 && !r.bad; n--)
		alike = is_mine(s, shoal_rd_take(&r, shoal_rd_u8(&r))) || alike;
	for (uint16_t n = shoal_rd_u16(&r); n > 0 && !r.bad; n--)
		alike = shared(s, shoal_rd_take(&r, shoal_rd_u8(&r))) || alike;
	if (r.bad || !alike)
		return 0;
	struct shoal_adopt_place *p = &a->place[a->place_count];
	p->folder = strndup((const char *)top.at, top.len);
	p->named = p->hinted = true;
	a->place_count += p->folder != NULL;
	return 0;
}

void shoal_adopt_hints(struct shoal_swarm *s)
{
	const struct shoal_store *store = &s->node->store;
	struct reading reading = { .s = s };
	if (store->ops == NULL || s->has_v2)
		return;
	int rc = store->ops->scan(store->s, SHOAL_STORE_TORRENT, shoal_bytes(NULL, 0), on_torrent, &reading);
	(void)rc; /* without hints it is fetched */
}
