/* proto/base/digest.c - contexts, tails, padding and turns, over whichever kernel there is. */
#include "proto/base/digest.h"

#include "proto/base/bytes.h"
#include "proto/base/digest_kernel.h"

#include <assert.h>
#include <stdatomic.h>

#define BLOCK SHOAL_DIGEST_BLOCK
#define LANES_MAX SHOAL_LANES_MAX

static const uint32_t sha1_start[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };
const uint32_t shoal_sha256_start[8] = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

const uint32_t shoal_sha256_k[64] __attribute__((aligned(64))) = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};
const uint32_t shoal_sha256_pad64[64] __attribute__((aligned(64))) = {
	0xc28a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf374,
	0x649b69c1, 0xf0fe4786, 0x0fe1edc6, 0x240cf254, 0x4fe9346f, 0x6cc984be, 0x61b9411e, 0x16f988fa,
	0xf2c65152, 0xa88e5a6d, 0xb019fc65, 0xb9d99ec7, 0x9a1231c3, 0xe70eeaa0, 0xfdb1232b, 0xc7353eb0,
	0x3069bad5, 0xcb976d5f, 0x5a0f118f, 0xdc1eeefd, 0x0a35b689, 0xde0b7a04, 0x58f4ca9d, 0xe15d5b16,
	0x007f3e86, 0x37088980, 0xa507ea32, 0x6fab9537, 0x17406110, 0x0d8cd6f1, 0xcdaa3b6d, 0xc0bbbe37,
	0x83613bda, 0xdb48a363, 0x0b02e931, 0x6fd15ca7, 0x521afaca, 0x31338431, 0x6ed41a95, 0x6d437890,
	0xc39c91f2, 0x9eccabbd, 0xb5c9a0e6, 0x532fb63c, 0xd2c741c6, 0x07237ea3, 0xa4954b68, 0x4c191d76,
};

/* Best first. */
static const struct shoal_digest_kernel *const kernels[] = {
#if defined(__x86_64__)
	&shoal_digest_avx512,  &shoal_digest_shani, &shoal_digest_avx512_bare, &shoal_digest_avx2,
#endif
	&shoal_digest_openssl,
};

/*
 * The one global of this room: a fact about the processor, not state. Threads
 * that race to look it up find, and store, the same answer.
 */
static const struct shoal_digest_kernel *_Atomic chosen;

int shoal_digest_use(const char *name)
{
	for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
		if ((name == NULL || strcmp(name, kernels[i]->name) == 0) && kernels[i]->present()) {
			atomic_store_explicit(&chosen, kernels[i], memory_order_relaxed);
			return 0;
		}
	}
	return SHOAL_ERR_UNSUPPORTED;
}

static const struct shoal_digest_kernel *kernel(void)
{
	const struct shoal_digest_kernel *k = atomic_load_explicit(&chosen, memory_order_relaxed);
	if (k == NULL) {
		(void)shoal_digest_use(NULL); /* the last kernel is always there */
		k = atomic_load_explicit(&chosen, memory_order_relaxed);
	}
	return k;
}

const char *shoal_digest_kernel(void)
{
	return kernel()->name;
}

size_t shoal_digest_lanes(void)
{
	return kernel()->lanes;
}

/* How many of `left` > 0 lanes go next. One lane alone is slow, so the last two turns share evenly:
 * five lanes on four are three and two. */
static size_t turn_of(size_t left, const struct shoal_digest_kernel *k)
{
	if (left <= k->lanes)
		return left;
	if (k->row || left >= 2 * k->lanes)
		return k->lanes;
	return (left + 1) / 2;
}

/* What both contexts have in common, as advance() sees it. */
struct lane {
	uint32_t *h, *tail_len;
	uint8_t *tail;
	const uint8_t *at;
	size_t left; /* bytes at `at` */
};

/* Unfinished blocks first: fills tails, and runs those that are full. */
static void feed_tails(shoal_digest_run *run, struct lane *lane, size_t n)
{
	uint32_t *h[LANES_MAX];
	const uint8_t *at[LANES_MAX];
	size_t full = 0;
	for (struct lane *l = lane; l < lane + n; l++) {
		size_t old = *l->tail_len;
		assert(old < BLOCK);
		if (old == 0)
			continue;
		size_t take = l->left < BLOCK - old ? l->left : BLOCK - old;
		memcpy(l->tail + old, l->at, take);
		l->at += take;
		l->left -= take;
		*l->tail_len = (uint32_t)((old + take) % BLOCK);
		if (*l->tail_len == 0) {
			h[full] = l->h;
			at[full++] = l->tail;
		}
	}
	if (full)
		run(h, at, full, 1);
}

/* Then whole blocks in place. Lanes that stood at different tails differ by two blocks at the
 * most, so the first round moves nearly everything and there are never more than three. */
static void feed_blocks(shoal_digest_run *run, struct lane *lane, size_t n)
{
	for (;;) {
		uint32_t *h[LANES_MAX];
		const uint8_t *at[LANES_MAX];
		size_t busy = 0, blocks = SIZE_MAX;
		for (struct lane *l = lane; l < lane + n; l++) {
			if (l->left < BLOCK)
				continue;
			h[busy] = l->h;
			at[busy++] = l->at;
			if (l->left / BLOCK < blocks)
				blocks = l->left / BLOCK;
		}
		if (busy == 0)
			return;
		run(h, at, busy, blocks);
		for (struct lane *l = lane; l < lane + n; l++) {
			if (l->left < BLOCK)
				continue;
			l->at += blocks * BLOCK;
			l->left -= blocks * BLOCK;
		}
	}
}

static void feed(shoal_digest_run *run, struct lane *lane, size_t n)
{
	feed_tails(run, lane, n);
	feed_blocks(run, lane, n);
	for (struct lane *l = lane; l < lane + n; l++) {
		if (l->left == 0)
			continue;
		memcpy(l->tail, l->at, l->left); /* the tail is empty: feed_tails() saw to it */
		*l->tail_len = (uint32_t)l->left;
	}
}

/* The end of a message of `len` bytes whose last len % 64 lie at `rest`, padded. Blocks: 1 or 2. */
static size_t pad(uint8_t out[2 * BLOCK], const uint8_t *rest, uint64_t len)
{
	size_t n = len % BLOCK;
	size_t blocks = n < BLOCK - 8 ? 1 : 2;
	if (n)
		memcpy(out, rest, n);
	out[n] = 0x80;
	memset(out + n + 1, 0, blocks * BLOCK - n - 1);
	shoal_put_u64(out + blocks * BLOCK - 8, len * 8); /* the length in bits, modulo 2^64 */
	return blocks;
}

static void put_state(uint8_t *out, const uint32_t *h, size_t words)
{
	for (size_t i = 0; i < words; i++)
		shoal_put_u32(out + 4 * i, h[i]);
}

void shoal_sha1_init(struct shoal_sha1 *ctx)
{
	memcpy(ctx->h, sha1_start, sizeof ctx->h);
	ctx->tail_len = 0;
	ctx->len = 0;
}

void shoal_sha1_advance(struct shoal_sha1 *const ctx[], const uint8_t *const at[], size_t n, size_t len)
{
	const struct shoal_digest_kernel *k = kernel();
	if (len == 0)
		return;
	for (size_t turn; n; ctx += turn, at += turn, n -= turn) {
		struct lane lane[LANES_MAX];
		turn = turn_of(n, k);
		for (size_t i = 0; i < turn; i++) {
			lane[i] = (struct lane){ ctx[i]->h, &ctx[i]->tail_len, ctx[i]->tail, at[i], len };
			ctx[i]->len += len;
		}
		feed(k->sha1, lane, turn);
	}
}

void shoal_sha1_final(struct shoal_sha1 *ctx, uint8_t out[20])
{
	uint8_t end[2 * BLOCK];
	size_t blocks = pad(end, ctx->tail, ctx->len);
	kernel()->sha1((uint32_t *const[]){ ctx->h }, (const uint8_t *const[]){ end }, 1, blocks);
	put_state(out, ctx->h, 5);
}

void shoal_sha1(struct shoal_bytes in, uint8_t out[20])
{
	struct shoal_sha1 ctx;
	shoal_sha1_init(&ctx);
	shoal_sha1_advance((struct shoal_sha1 *const[]){ &ctx }, (const uint8_t *const[]){ in.at }, 1, in.len);
	shoal_sha1_final(&ctx, out);
}

void shoal_sha256_init(struct shoal_sha256 *ctx)
{
	memcpy(ctx->h, shoal_sha256_start, sizeof ctx->h);
	ctx->tail_len = 0;
	ctx->len = 0;
}

void shoal_sha256_advance(struct shoal_sha256 *const ctx[], const uint8_t *const at[], size_t n, size_t len)
{
	const struct shoal_digest_kernel *k = kernel();
	if (len == 0)
		return;
	for (size_t turn; n; ctx += turn, at += turn, n -= turn) {
		struct lane lane[LANES_MAX];
		turn = turn_of(n, k);
		for (size_t i = 0; i < turn; i++) {
			lane[i] = (struct lane){ ctx[i]->h, &ctx[i]->tail_len, ctx[i]->tail, at[i], len };
			ctx[i]->len += len;
		}
		feed(k->sha256, lane, turn);
	}
}

void shoal_sha256_final(struct shoal_sha256 *ctx, uint8_t out[32])
{
	uint8_t end[2 * BLOCK];
	size_t blocks = pad(end, ctx->tail, ctx->len);
	kernel()->sha256((uint32_t *const[]){ ctx->h }, (const uint8_t *const[]){ end }, 1, blocks);
	put_state(out, ctx->h, 8);
}

/* One turn of whole messages. Every read of `at` comes before the first write to `out`. */
static void sha256_turn(shoal_digest_run *run, const uint8_t *const at[], size_t n, size_t len, uint8_t (*out)[32])
{
	uint32_t state[LANES_MAX][8], *h[LANES_MAX] = { NULL };
	uint8_t end[LANES_MAX][2 * BLOCK];
	const uint8_t *end_at[LANES_MAX] = { NULL };
	size_t blocks = 0;
	for (size_t i = 0; i < n; i++) {
		memcpy(state[i], shoal_sha256_start, sizeof state[i]);
		h[i] = state[i];
		end_at[i] = end[i];
		blocks = pad(end[i], len % BLOCK ? at[i] + len / BLOCK * BLOCK : NULL, len);
	}
	if (len / BLOCK)
		run(h, at, n, len / BLOCK);
	run(h, end_at, n, blocks);
	for (size_t i = 0; i < n; i++)
		put_state(out[i], state[i], 8);
}

void shoal_sha256(struct shoal_bytes in, uint8_t out[32])
{
	uint8_t digest[1][32];
	sha256_turn(kernel()->sha256, (const uint8_t *const[]){ in.at }, 1, in.len, digest);
	memcpy(out, digest[0], 32);
}

void shoal_sha256_many(const uint8_t *const at[], size_t n, size_t len, uint8_t (*out)[32])
{
	const struct shoal_digest_kernel *k = kernel();
	for (size_t turn; n; at += turn, out += turn, n -= turn) {
		turn = turn_of(n, k);
		sha256_turn(k->sha256, at, turn, len, out);
	}
}

/* In place is safe: turn by turn, out[i] overwrites only what in[2i] and before it has given. */
void shoal_sha256_pairs(const uint8_t (*in)[32], size_t n, uint8_t (*out)[32])
{
	const struct shoal_digest_kernel *k = kernel();
	for (size_t turn; n; in += 2 * turn, out += turn, n -= turn) {
		turn = turn_of(n, k);
		k->sha256_pairs(in, turn, out);
	}
}
