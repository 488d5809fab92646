/* test_digest.c - published vectors, then every kernel against OpenSSL EVP: lengths, cuts, lanes, offsets. */
#include "proto/base/bytes.h"
#include "proto/base/digest.h"
#include "proto/base/rng.h"

#include <openssl/evp.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { LANES = 35, ROOM = 40000 }; /* lanes: more than two turns of the widest kernel */

static const char *const kernels[] = { "avx512", "sha-ni", "avx512-bare", "avx2", "openssl" };

/* Runs `test` with each kernel this processor has; the last is there always. */
static void with_each_kernel(void (*test)(void))
{
	size_t ran = 0;
	for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
		if (shoal_digest_use(kernels[i]) < 0) {
			print_message("%s: not on this processor\n", kernels[i]);
			continue;
		}
		assert_string_equal(shoal_digest_kernel(), kernels[i]);
		print_message("%s\n", kernels[i]);
		test();
		ran++;
	}
	assert_true(ran > 0);
	assert_int_equal(shoal_digest_use("openssl"), 0);
	assert_int_equal(shoal_digest_use(NULL), 0);
}

static void evp(const EVP_MD *md, const uint8_t *at, size_t len, uint8_t *out)
{
	assert_int_equal(EVP_Digest(at, len, out, NULL, md, NULL), 1);
}

static uint8_t *noise(size_t len, uint64_t seed)
{
	struct shoal_rng rng = shoal_rng_split(seed, 1);
	uint8_t *at = malloc(len ? len : 1);
	assert_non_null(at);
	for (size_t i = 0; i < len; i++)
		at[i] = (uint8_t)shoal_rng_next(&rng);
	return at;
}

/* FIPS 180-4 examples, and the empty message. */
static const struct {
	const char *message, *sha1, *sha256;
} vectors[] = {
	{ "", "da39a3ee5e6b4b0d3255bfef95601890afd80709",
	  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ "abc", "a9993e364706816aba3e25717850c26c9cd0d89d",
	  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
	  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
};

static void assert_hex(const uint8_t *at, const char *hex)
{
	char text[65];
	for (size_t i = 0; i < strlen(hex) / 2; i++)
		snprintf(text + 2 * i, 3, "%02x", at[i]);
	assert_string_equal(text, hex);
}

static void vectors_hold(void)
{
	uint8_t out[32];
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		struct shoal_bytes in = shoal_bytes(vectors[i].message, strlen(vectors[i].message));
		shoal_sha1(in, out);
		assert_hex(out, vectors[i].sha1);
		shoal_sha256(in, out);
		assert_hex(out, vectors[i].sha256);
	}
	shoal_sha1((struct shoal_bytes){ NULL, 0 }, out);
	assert_hex(out, vectors[0].sha1);
	shoal_sha256((struct shoal_bytes){ NULL, 0 }, out);
	assert_hex(out, vectors[0].sha256);
}

/* A million 'a', FIPS 180-4's long example, in steps that never end on a block. */
static void million_a(void)
{
	uint8_t a[1009], out[32];
	struct shoal_sha1 one;
	struct shoal_sha256 two;
	memset(a, 'a', sizeof a);
	shoal_sha1_init(&one);
	shoal_sha256_init(&two);
	for (size_t left = 1000000, step; left; left -= step) {
		step = left < sizeof a ? left : sizeof a;
		shoal_sha1_advance((struct shoal_sha1 *const[]){ &one }, (const uint8_t *const[]){ a }, 1, step);
		shoal_sha256_advance((struct shoal_sha256 *const[]){ &two }, (const uint8_t *const[]){ a }, 1, step);
	}
	shoal_sha1_final(&one, out);
	assert_hex(out, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
	shoal_sha256_final(&two, out);
	assert_hex(out, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* Every length around the borders of one, two and three blocks, whole and by one cut. */
static void every_short_length(void)
{
	uint8_t *at = noise(200, 7), want[32], got[32];
	for (size_t len = 0; len <= 200; len++) {
		evp(EVP_sha1(), at, len, want);
		for (size_t cut = 0; cut <= len; cut++) {
			struct shoal_sha1 ctx, *to[] = { &ctx };
			shoal_sha1_init(&ctx);
			shoal_sha1_advance(to, (const uint8_t *const[]){ at }, 1, cut);
			shoal_sha1_advance(to, (const uint8_t *const[]){ at + cut }, 1, len - cut);
			shoal_sha1_final(&ctx, got);
			assert_memory_equal(got, want, 20);
		}
		evp(EVP_sha256(), at, len, want);
		shoal_sha256(shoal_bytes(at, len), got);
		assert_memory_equal(got, want, 32);
		for (size_t cut = 0; cut <= len; cut++) {
			struct shoal_sha256 ctx, *to[] = { &ctx };
			shoal_sha256_init(&ctx);
			shoal_sha256_advance(to, (const uint8_t *const[]){ at }, 1, cut);
			shoal_sha256_advance(to, (const uint8_t *const[]){ at + cut }, 1, len - cut);
			shoal_sha256_final(&ctx, got);
			assert_memory_equal(got, want, 32);
		}
	}
	free(at);
}

/* One length of many kinds: nothing, a few bytes, about a block, whole blocks, long. */
static size_t some_len(struct shoal_rng *rng, size_t most)
{
	static const uint32_t upto[] = { 1, 16, 70, 300, 5000, 20000 };
	size_t len = shoal_rng_below(rng, upto[shoal_rng_below(rng, 6)]);
	if (shoal_rng_below(rng, 3) == 0)
		len = len / 64 * 64;
	return len < most ? len : most;
}

/*
 * n lanes from unaligned places, each with a head of its own length first, so that tails differ
 * (or, every other round, do not); then common steps of random lengths.
 */
static void lanes_and_offsets_once(struct shoal_rng *rng, size_t n, bool same)
{
	struct shoal_sha1 one[LANES], *to1[LANES];
	struct shoal_sha256 two[LANES], *to2[LANES];
	uint8_t *at[LANES], got[32], want[32];
	const uint8_t *next[LANES];
	size_t head = some_len(rng, 200), pos[LANES], left = ROOM - 300;
	for (size_t i = 0; i < n; i++) {
		at[i] = noise(ROOM, shoal_rng_u64(rng)) + i % 5; /* off the allocator's alignment */
		shoal_sha1_init(to1[i] = &one[i]);
		shoal_sha256_init(to2[i] = &two[i]);
		pos[i] = same ? head : some_len(rng, 200);
		next[i] = at[i];
		shoal_sha1_advance(&to1[i], &next[i], 1, pos[i]);
		shoal_sha256_advance(&to2[i], &next[i], 1, pos[i]);
	}
	for (int step = 0; step < 6; step++) {
		size_t len = some_len(rng, left);
		for (size_t i = 0; i < n; i++)
			next[i] = at[i] + pos[i];
		shoal_sha1_advance(to1, next, n, len);
		shoal_sha256_advance(to2, next, n, len);
		for (size_t i = 0; i < n; i++)
			pos[i] += len;
		left -= len;
	}
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(one[i].len, pos[i]);
		assert_int_equal(one[i].tail_len, pos[i] % 64);
		shoal_sha1_final(to1[i], got);
		evp(EVP_sha1(), at[i], pos[i], want);
		assert_memory_equal(got, want, 20);
		shoal_sha256_final(to2[i], got);
		evp(EVP_sha256(), at[i], pos[i], want);
		assert_memory_equal(got, want, 32);
		free(at[i] - i % 5);
	}
}

static void lanes_and_offsets(void)
{
	struct shoal_rng rng = shoal_rng_split(2024, 3);
	for (int round = 0; round < 20; round++)
		for (size_t n = 1; n <= LANES; n++)
			lanes_and_offsets_once(&rng, n, round % 2);
}

/* A turn and one more of lanes with tails 0, 9, 18 ... fed every length to 200: heads and whole blocks differ. */
static void staggered_tails(void)
{
	uint8_t *at = noise(400, 11), got[32], want[32];
	for (size_t len = 0; len <= 200; len++) {
		struct shoal_sha256 ctx[17], *to[17];
		const uint8_t *next[17];
		for (size_t i = 0; i < 17; i++) {
			shoal_sha256_init(to[i] = &ctx[i]);
			shoal_sha256_advance(&to[i], (const uint8_t *const[]){ at }, 1, 9 * i);
			next[i] = at + 9 * i;
		}
		shoal_sha256_advance(to, next, 17, len);
		for (size_t i = 0; i < 17; i++) {
			shoal_sha256_final(to[i], got);
			evp(EVP_sha256(), at, 9 * i + len, want);
			assert_memory_equal(got, want, 32);
		}
	}
	free(at);
}

/* Nothing at all may be fed: no lanes, no bytes, NULL places. */
static void nothing_is_fine(void)
{
	struct shoal_sha1 ctx, *to[] = { &ctx };
	uint8_t out[32];
	shoal_sha1_init(&ctx);
	shoal_sha1_advance(to, (const uint8_t *const[]){ NULL }, 1, 0);
	shoal_sha1_advance(NULL, NULL, 0, 100);
	shoal_sha1_final(&ctx, out);
	assert_hex(out, vectors[0].sha1);
	shoal_sha256_advance(NULL, NULL, 0, 100);
	shoal_sha256_many(NULL, 0, 100, NULL);
	shoal_sha256_pairs(NULL, 0, NULL);
}

static void many_is_each(void)
{
	static const size_t lens[] = { 0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 1000, 16384 };
	uint8_t *at = noise(LANES + 16384, 5), out[LANES + 1][32], want[32];
	for (size_t l = 0; l < sizeof lens / sizeof *lens; l++) {
		for (size_t n = 1; n <= LANES; n++) {
			const uint8_t *from[LANES];
			for (size_t i = 0; i < n; i++)
				from[i] = at + i; /* overlapping, unaligned: only read */
			memset(out, 0xee, sizeof out);
			shoal_sha256_many(from, n, lens[l], out);
			for (size_t i = 0; i < n; i++) {
				evp(EVP_sha256(), at + i, lens[l], want);
				assert_memory_equal(out[i], want, 32);
			}
			memset(want, 0xee, sizeof want); /* and not one more */
			assert_memory_equal(out[n], want, 32);
		}
	}
	free(at);
}

static void pairs_apart_and_in_place(void)
{
	for (size_t n = 1; n <= 40; n++) {
		uint8_t(*in)[32] = (void *)noise(2 * n * 32, n), (*out)[32] = malloc(n * 32), want[32];
		assert_non_null(out);
		shoal_sha256_pairs((void *)in, n, out);
		for (size_t i = 0; i < n; i++) {
			evp(EVP_sha256(), in[2 * i], 64, want);
			assert_memory_equal(out[i], want, 32);
		}
		shoal_sha256_pairs((void *)in, n, in);
		assert_memory_equal(in, out, n * 32);
		free(in);
		free(out);
	}
}

/* A context is plain memory: a copy in mid-block goes its own way. */
static void a_copy_is_its_own(void)
{
	struct shoal_sha1 ctx, copy, *to[2] = { &ctx, &copy };
	uint8_t *at = noise(500, 9), *other = noise(500, 10), got[20], want[20], both[500];
	shoal_sha1_init(&ctx);
	shoal_sha1_advance(to, (const uint8_t *const[]){ at }, 1, 77);
	copy = ctx;
	shoal_sha1_advance(to, (const uint8_t *const[]){ at + 77, other + 77 }, 2, 423);
	shoal_sha1_final(&ctx, got);
	evp(EVP_sha1(), at, 500, want);
	assert_memory_equal(got, want, 20);
	memcpy(both, at, 77);
	memcpy(both + 77, other + 77, 423);
	shoal_sha1_final(&copy, got);
	evp(EVP_sha1(), both, 500, want);
	assert_memory_equal(got, want, 20);
	free(at);
	free(other);
}

/* How many lanes there are to fill is the kernel's own number, and no array of a caller's is too short. */
static void lanes_are_the_kernels(void)
{
	static const size_t want[] = { 16, 4, 16, 8, 1 };
	for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
		if (strcmp(kernels[i], shoal_digest_kernel()) == 0)
			assert_int_equal(shoal_digest_lanes(), want[i]);
	assert_in_range(shoal_digest_lanes(), 1, SHOAL_LANES_MAX);
}

#define EACH_KERNEL(name)                     \
	static void test_##name(void **state) \
	{                                     \
		(void)state;                  \
		with_each_kernel(name);       \
	}
EACH_KERNEL(vectors_hold)
EACH_KERNEL(million_a)
EACH_KERNEL(every_short_length)
EACH_KERNEL(lanes_and_offsets)
EACH_KERNEL(staggered_tails)
EACH_KERNEL(nothing_is_fine)
EACH_KERNEL(many_is_each)
EACH_KERNEL(pairs_apart_and_in_place)
EACH_KERNEL(a_copy_is_its_own)
EACH_KERNEL(lanes_are_the_kernels)

static void an_unknown_kernel_is_refused(void **state)
{
	(void)state;
	assert_int_equal(shoal_digest_use(NULL), 0);
	const char *best = shoal_digest_kernel();
	assert_int_equal(shoal_digest_use("abacus"), SHOAL_ERR_UNSUPPORTED);
	assert_int_equal(shoal_digest_use(""), SHOAL_ERR_UNSUPPORTED);
	assert_string_equal(shoal_digest_kernel(), best);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors_hold),
		cmocka_unit_test(test_million_a),
		cmocka_unit_test(test_every_short_length),
		cmocka_unit_test(test_lanes_and_offsets),
		cmocka_unit_test(test_staggered_tails),
		cmocka_unit_test(test_nothing_is_fine),
		cmocka_unit_test(test_many_is_each),
		cmocka_unit_test(test_pairs_apart_and_in_place),
		cmocka_unit_test(test_a_copy_is_its_own),
		cmocka_unit_test(test_lanes_are_the_kernels),
		cmocka_unit_test(an_unknown_kernel_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
