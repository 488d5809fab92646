/* disk_hash.c - lanes of SHA-1 and SHA-256, and what they have come to. */
#include "swarm/io/disk_hash.h"

#include <string.h>
#include "proto/merkle.h"

static uint32_t blocks_of(uint32_t bytes)
{
	return bytes / SHOAL_BLOCK + (bytes % SHOAL_BLOCK != 0);
}

bool shoal_disk_hash_sound(const struct shoal_piece_hash *hash, bool leaves)
{
	if (hash->bytes == 0 || hash->bytes > SHOAL_PIECE_SIZE_MAX || hash->pad > SHOAL_PIECE_SIZE_MAX ||
	    !(hash->has_v1 || hash->has_v2))
		return false;
	if ((hash->has_v2 || leaves) && hash->leaf == NULL)
		return false;
	if (hash->has_v2 && (hash->width < blocks_of(hash->bytes) || hash->width > SHOAL_DISK_LEAVES_MAX ||
			     (hash->width & (hash->width - 1)) != 0))
		return false;
	return true;
}

/* One step of those lanes that have a whole block at `i`; a short one goes alone, so that the others stay in step. */
static void sha1_block(struct shoal_disk_lane *const lane[], size_t n, uint32_t i)
{
	struct shoal_sha1 *ctx[SHOAL_LANES_MAX];
	const uint8_t *at[SHOAL_LANES_MAX];
	size_t whole = 0;
	for (size_t l = 0; l < n; l++) {
		if (!lane[l]->hash->has_v1 || i >= lane[l]->count)
			continue;
		ctx[whole] = &lane[l]->hash->sha1;
		at[whole] = lane[l]->at[i];
		if (i + 1 == lane[l]->count && lane[l]->last_len < SHOAL_BLOCK)
			shoal_sha1_advance(&ctx[whole], &at[whole], 1, lane[l]->last_len);
		else
			whole++;
	}
	if (whole)
		shoal_sha1_advance(ctx, at, whole, SHOAL_BLOCK);
}

/* Whole blocks of all lanes that want leaves, gathered so that few lanes fill a wide kernel too. */
struct leaves {
	const uint8_t *at[SHOAL_LANES_MAX];
	uint8_t *to[SHOAL_LANES_MAX];
	size_t n;
};

static void leaves_flush(struct leaves *g)
{
	uint8_t out[SHOAL_LANES_MAX][32];
	if (g->n)
		shoal_sha256_many(g->at, g->n, SHOAL_BLOCK, out);
	for (size_t i = 0; i < g->n; i++)
		memcpy(g->to[i], out[i], sizeof out[i]);
	g->n = 0;
}

static void sha256_leaves(struct leaves *g, const struct shoal_disk_lane *lane)
{
	for (uint32_t i = 0; i < lane->count; i++) {
		uint8_t(*leaf)[32] = lane->hash->leaf + lane->block + i;
		if (i + 1 == lane->count && lane->last_len < SHOAL_BLOCK) {
			shoal_sha256_many(&lane->at[i], 1, lane->last_len, leaf);
			continue;
		}
		g->at[g->n] = lane->at[i];
		g->to[g->n++] = *leaf;
		if (g->n == SHOAL_LANES_MAX)
			leaves_flush(g);
	}
}

void shoal_disk_hash_stage(struct shoal_disk_lane *const lane[], size_t n)
{
	struct leaves g = { .n = 0 };
	uint32_t most = 0;
	for (size_t l = 0; l < n; l++)
		if (lane[l]->count > most)
			most = lane[l]->count;
	for (uint32_t i = 0; i < most; i++)
		sha1_block(lane, n, i);
	for (size_t l = 0; l < n; l++)
		if (lane[l]->count && (lane[l]->hash->has_v2 || lane[l]->leaves))
			sha256_leaves(&g, lane[l]);
	leaves_flush(&g);
}

/* The zeros that SHA-1 covers after a piece of a hybrid: for small files they are most of the work, so in lanes too. */
static void sha1_pads(struct shoal_disk_lane *const lane[], size_t n)
{
	static const uint8_t zeros[SHOAL_BLOCK];
	struct shoal_sha1 *ctx[SHOAL_LANES_MAX];
	const uint8_t *at[SHOAL_LANES_MAX];
	uint32_t left[SHOAL_LANES_MAX];
	for (size_t l = 0; l < n; l++)
		left[l] = lane[l]->hash->has_v1 ? lane[l]->hash->pad : 0;
	for (size_t running = 1; running;) {
		running = 0;
		for (size_t l = 0; l < n; l++) {
			if (left[l] == 0)
				continue;
			ctx[running] = &lane[l]->hash->sha1;
			at[running] = zeros;
			if (left[l] < SHOAL_BLOCK) {
				shoal_sha1_advance(&ctx[running], &at[running], 1, left[l]);
				left[l] = 0;
			} else {
				left[l] -= SHOAL_BLOCK;
				running++;
			}
		}
		if (running)
			shoal_sha1_advance(ctx, at, running, SHOAL_BLOCK);
	}
}

void shoal_disk_hash_verdict(struct shoal_disk_lane *const lane[], size_t n, uint8_t (*scratch)[32])
{
	sha1_pads(lane, n);
	for (size_t l = 0; l < n; l++) {
		struct shoal_piece_hash *hash = lane[l]->hash;
		uint8_t got[32];
		unsigned wrong = 0;
		if (hash->has_v1) {
			shoal_sha1_final(&hash->sha1, got);
			if (memcmp(got, hash->want_sha1, sizeof hash->want_sha1) != 0)
				wrong++;
		}
		if (hash->has_v2) {
			uint32_t count = blocks_of(hash->bytes);
			memcpy(scratch, hash->leaf, count * sizeof *scratch); /* the leaves are kept, for blame */
			shoal_merkle_root(scratch, count, hash->width, 0, got);
			if (memcmp(got, hash->want_root, sizeof got) != 0)
				wrong++;
		}
		hash->good = wrong == 0 && (hash->has_v1 || hash->has_v2);
		hash->torn = wrong == 1 && hash->has_v1 && hash->has_v2;
	}
}
