/* proto/dh768.c - powers modulo one prime: Montgomery's multiplication over twelve words. */
#include "proto/dh768.h"

#include <string.h>
#include "proto/base/bytes.h"

#define WORDS 12

typedef unsigned __int128 u128;

/* The lowest word first. */
struct number {
	uint64_t w[WORDS];
};

static const struct number prime = { { 0x0000000000090563, 0xf44c42e9a63a3621, 0xe485b576625e7ec6, 0x4fe1356d6d51c245,
				       0x302b0a6df25f1437, 0xef9519b3cd3a431b, 0x514a08798e3404dd, 0x020bbea63b139b22,
				       0x29024e088a67cc74, 0xc4c6628b80dc1cd1, 0xc90fdaa22168c234,
				       0xffffffffffffffff } };
static const uint64_t prime_inverse = 0x6d5d6e6995075bb5; /* -1 / prime modulo 2^64 */
/* 2^768 and 2^1536 modulo the prime: 1, and what turns a number, in Montgomery's form. */
static const struct number one = { { 0xfffffffffff6fa9d, 0x0bb3bd1659c5c9de, 0x1b7a4a899da18139, 0xb01eca9292ae3dba,
				     0xcfd4f5920da0ebc8, 0x106ae64c32c5bce4, 0xaeb5f78671cbfb22, 0xfdf44159c4ec64dd,
				     0xd6fdb1f77598338b, 0x3b399d747f23e32e, 0x36f0255dde973dcb, 0x0000000000000000 } };
static const struct number turn = { { 0x95f0194046281a8e, 0xff0ca2a3d838c985, 0x6d9f175993af6d83, 0xd4c85168a99a751f,
				      0x3423ecee2ddc6158, 0xd515b23cd4ace6dd, 0x112ce56282e51749, 0x3361bff33a35e04b,
				      0xafbc083554e85ee3, 0xa95d0ecbc5679266, 0x8d001cb98c6f28c7,
				      0xa6130c9d54da3d53 } };

/* out = a - b; the borrow, 1 when a < b. */
static uint64_t subtract(struct number *out, const struct number *a, const struct number *b)
{
	uint64_t borrow = 0;
	for (unsigned i = 0; i < WORDS; i++) {
		u128 d = (u128)a->w[i] - b->w[i] - borrow;
		out->w[i] = (uint64_t)d;
		borrow = (uint64_t)(d >> 64) & 1;
	}
	return borrow;
}

/* out = `pick` is 1 ? a : b, by a mask. */
static void choose(struct number *out, uint64_t pick, const struct number *a, const struct number *b)
{
	uint64_t mask = 0 - pick;
	for (unsigned i = 0; i < WORDS; i++)
		out->w[i] = (a->w[i] & mask) | (b->w[i] & ~mask);
}

/* out = a * b / 2^768 modulo the prime, for numbers below it. `out` may be either. */
static void multiply(struct number *out, const struct number *a, const struct number *b)
{
	uint64_t t[WORDS + 2] = { 0 };
	for (unsigned i = 0; i < WORDS; i++) {
		u128 sum = 0;
		for (unsigned k = 0; k < WORDS; k++) {
			sum += (u128)a->w[k] * b->w[i] + t[k];
			t[k] = (uint64_t)sum;
			sum >>= 64;
		}
		sum += t[WORDS];
		t[WORDS] = (uint64_t)sum;
		t[WORDS + 1] = (uint64_t)(sum >> 64);
		uint64_t m = t[0] * prime_inverse;
		sum = ((u128)m * prime.w[0] + t[0]) >> 64;
		for (unsigned k = 1; k < WORDS; k++) {
			sum += (u128)m * prime.w[k] + t[k];
			t[k - 1] = (uint64_t)sum;
			sum >>= 64;
		}
		sum += t[WORDS];
		t[WORDS - 1] = (uint64_t)sum;
		t[WORDS] = t[WORDS + 1] + (uint64_t)(sum >> 64);
	}
	struct number low, less;
	memcpy(low.w, t, sizeof low.w);
	uint64_t borrow = subtract(&less, &low, &prime);
	choose(out, t[WORDS] | (borrow ^ 1), &less, &low);
}

/* out = base ^ secret, all in Montgomery's form. */
static void power(struct number *out, const struct number *base, const uint8_t secret[SHOAL_DH768_SECRET])
{
	struct number sum = one, more;
	for (unsigned bit = 0; bit < 8 * SHOAL_DH768_SECRET; bit++) {
		multiply(&sum, &sum, &sum);
		multiply(&more, &sum, base);
		choose(&sum, secret[bit / 8] >> (7 - bit % 8) & 1, &more, &sum);
	}
	*out = sum;
}

static void load(struct number *out, const uint8_t in[SHOAL_DH768_BYTES])
{
	for (unsigned i = 0; i < WORDS; i++)
		out->w[i] = shoal_get_u64(in + 8 * (WORDS - 1 - i));
}

/* Out of Montgomery's form. */
static void store(const struct number *in, uint8_t out[SHOAL_DH768_BYTES])
{
	static const struct number unit = { { 1 } };
	struct number plain;
	multiply(&plain, in, &unit);
	for (unsigned i = 0; i < WORDS; i++)
		shoal_put_u64(out + 8 * (WORDS - 1 - i), plain.w[i]);
}

void shoal_dh768_public(const uint8_t secret[SHOAL_DH768_SECRET], uint8_t out[SHOAL_DH768_BYTES])
{
	static const struct number two = { { 2 } };
	struct number base, key;
	multiply(&base, &two, &turn);
	power(&key, &base, secret);
	store(&key, out);
}

/* 2 to p - 2: the group of a safe prime has no small subgroup but that of 1 and p - 1. */
static bool sound(const struct number *theirs)
{
	static const struct number two = { { 2 } };
	struct number rest, last = prime;
	last.w[0]--;
	return !subtract(&rest, theirs, &two) && subtract(&rest, theirs, &last);
}

int shoal_dh768_shared(const uint8_t secret[SHOAL_DH768_SECRET], const uint8_t theirs[SHOAL_DH768_BYTES],
		       uint8_t out[SHOAL_DH768_BYTES])
{
	struct number base, key;
	load(&base, theirs);
	if (!sound(&base))
		return SHOAL_ERR_MALFORMED;
	multiply(&base, &base, &turn);
	power(&key, &base, secret);
	store(&key, out);
	return 0;
}
