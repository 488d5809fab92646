/* disk_hash.c - the hashes that jobs make: of all bytes, or of heads that stand for them. */
#include <string.h>
#include "proto/merkle.h"
#include "tools/lab/world/disk_room.h"

static void sha1_feed(struct shoal_sha1 *sha, const uint8_t *at, size_t len)
{
	struct shoal_sha1 *ctx[1] = { sha };
	const uint8_t *in[1] = { at };
	shoal_sha1_advance(ctx, in, 1, len);
}

/* By heads alone there is nothing to digest: sha1.len counts the bytes, and tail_len the blocks that are not right. */
static void hash_head(const struct sim_disk *d, struct shoal_disk_job *job, uint32_t block, const uint8_t *at,
		      size_t len)
{
	const struct sim_content *c = d->o.content;
	struct shoal_piece_hash *h = job->hash;
	uint64_t pos = (uint64_t)job->piece * shoal_metainfo_piece_size(c->mi) + (uint64_t)block * SHOAL_BLOCK;
	bool good = sim_content_is(c->seed, pos, at, len < SIM_HEAD ? len : SIM_HEAD);
	h->sha1.len += len;
	h->sha1.tail_len += !good;
	/* Of a piece that is written as it comes nothing but the leaves tells later what it was. */
	bool as_it_comes = job->op == SHOAL_DISK_WRITE && h->has_v2 && !(job->flags & SHOAL_DISK_IF_GOOD);
	if (as_it_comes || (job->flags & SHOAL_DISK_LEAVES)) {
		if (good)
			sim_content_digest(c, job->piece, block, h->leaf[block]);
		else
			shoal_sha256((struct shoal_bytes){ at, len < SIM_HEAD ? len : SIM_HEAD }, h->leaf[block]);
	}
}

static bool leaves_right(const struct sim_content *c, uint32_t piece, const struct shoal_piece_hash *h)
{
	uint8_t want[32];
	for (uint32_t b = 0; b < (h->bytes + SHOAL_BLOCK - 1) / SHOAL_BLOCK; b++) {
		sim_content_digest(c, piece, b, want);
		if (memcmp(h->leaf[b], want, 32) != 0)
			return false;
	}
	return true;
}

static void head_end(const struct sim_disk *d, struct shoal_disk_job *job)
{
	const struct shoal_metainfo *mi = d->o.content->mi;
	struct shoal_piece_hash *h = job->hash;
	uint32_t width;
	bool right = h->sha1.tail_len == 0 && h->sha1.len == h->bytes;
	if (h->sha1.len < h->bytes && !h->has_v1) /* false blocks have been replaced; the leaves tell of the others */
		right = leaves_right(d->o.content, job->piece, h);
	h->good = right && (!h->has_v1 || memcmp(h->want_sha1, shoal_metainfo_piece_sha1(mi, job->piece), 20) == 0) &&
		  (!h->has_v2 || memcmp(h->want_root, shoal_metainfo_piece_root(mi, job->piece, &width), 32) == 0);
}

void sim_disk_hash_block(const struct sim_disk *d, struct shoal_disk_job *job, uint32_t block, const uint8_t *at,
			 size_t len)
{
	struct shoal_piece_hash *h = job->hash;
	bool leaves = job->flags & SHOAL_DISK_LEAVES;
	if (d->o.heads)
		return hash_head(d, job, block, at, len);
	if (h->has_v1)
		sha1_feed(&h->sha1, at, len);
	if (h->has_v2 || leaves)
		shoal_sha256((struct shoal_bytes){ at, len }, h->leaf[block]);
}

void sim_disk_hash_end(const struct sim_disk *d, struct shoal_disk_job *job)
{
	struct shoal_piece_hash *h = job->hash;
	static const uint8_t zeros[4096];
	uint32_t blocks = (h->bytes + SHOAL_BLOCK - 1) / SHOAL_BLOCK;
	uint8_t got[32];
	if (d->o.heads)
		return head_end(d, job);
	unsigned wrong = 0;
	if (h->has_v1) {
		for (uint32_t pad = h->pad; pad > 0;) {
			uint32_t n = pad < sizeof zeros ? pad : (uint32_t)sizeof zeros;
			sha1_feed(&h->sha1, zeros, n);
			pad -= n;
		}
		shoal_sha1_final(&h->sha1, got);
		wrong += memcmp(got, h->want_sha1, 20) != 0;
	}
	if (h->has_v2) {
		shoal_merkle_root_of((const shoal_hash32 *)h->leaf, blocks, h->width, 0, got);
		wrong += memcmp(got, h->want_root, 32) != 0;
	}
	h->good = wrong == 0;
	h->torn = wrong == 1 && h->has_v1 && h->has_v2;
}
