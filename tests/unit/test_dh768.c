/* test_dh768.c - keys against Python's integers, both ways, and keys that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/base/rng.h"
#include "proto/dh768.h"
#include "tests/unit/own_hex.h"

/* Of the secrets 01 02 .. 14 and 81 82 .. 94: pow(2, secret, p), and pow(2, a * b, p). */
static const char public_a[] =
	"96e112dab29e8c5272accb9b17b26887ce54a144a4e3b697c7d159b7a817e556b0918db2b4c658e02a87f7e5fb14b18a"
	"553e084cbf3dad2d30f16596ccb982d406258c61b30c5c1dae2ddc60bdbd48d79896312aad63238c39e1a633821eb693";
static const char public_b[] =
	"2bef20fa249d56dce27ca02dcf38f01dcfe7052485252c8c015f347c45988ee32a227bbe899de1ef5a023533820e3aec"
	"86419aa3ca327b67656a81d1f7f7cf577fb8540c10065c5ab667eb6c70eef2595601400686c9966554cc7e95e7fb8d6b";
static const char shared[] =
	"01c19392087c184a550e782ee6456cce9f743c143a62cf60723e7aa38c550650d78fbd0a53578625813a40356d0198d5"
	"cfe98e9982f346804be9b7d1837b7e083885a57df839270344ea510714d627f4fb2ed21785ea3bf023c3f40e624d34aa";
/* A secret whose result with a's key begins with a zero byte, which must stay. */
static const char secret_short[] = "1111111111111111111111111111111100000035";
static const char shared_short[] =
	"00fb93b17e9f6708f2357d0848df771fcc64b6a0615c1a5b8f48ec59ef16480bb61444fa7926125c50b36bc53d70df90"
	"72ffc3984533d48d9417c898d99be541317b735322825506b154b1e78552ec34c7233210eef3bdfbbb8c90efb3d0d8f2";
static const char prime[] =
	"ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd"
	"ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a63a36210000000000090563";

static void fill(uint8_t secret[SHOAL_DH768_SECRET], uint8_t first)
{
	for (unsigned i = 0; i < SHOAL_DH768_SECRET; i++)
		secret[i] = (uint8_t)(first + i);
}

static void keys_are_what_they_should_be(void **state)
{
	(void)state;
	uint8_t a[20], b[20], ours[96], want[96], theirs[96];
	fill(a, 1);
	fill(b, 0x81);
	own_unhex(want, public_a);
	shoal_dh768_public(a, ours);
	assert_memory_equal(ours, want, 96);
	own_unhex(theirs, public_b);
	shoal_dh768_public(b, ours);
	assert_memory_equal(ours, theirs, 96);

	assert_int_equal(shoal_dh768_shared(b, want, ours), 0);
	own_unhex(want, shared);
	assert_memory_equal(ours, want, 96);
	assert_int_equal(shoal_dh768_shared(a, theirs, ours), 0);
	assert_memory_equal(ours, want, 96);
}

static void leading_zeros_stay(void **state)
{
	(void)state;
	uint8_t secret[20], theirs[96], want[96], got[96];
	own_unhex(secret, secret_short);
	own_unhex(theirs, public_a);
	own_unhex(want, shared_short);
	assert_int_equal(want[0], 0);
	assert_int_equal(shoal_dh768_shared(secret, theirs, got), 0);
	assert_memory_equal(got, want, 96);
}

/* The least secrets: 0 gives 1 and 1 gives 2. */
static void small_powers(void **state)
{
	(void)state;
	uint8_t secret[20] = { 0 }, got[96], want[96] = { 0 };
	want[95] = 1;
	shoal_dh768_public(secret, got);
	assert_memory_equal(got, want, 96);
	secret[19] = 1;
	want[95] = 2;
	shoal_dh768_public(secret, got);
	assert_memory_equal(got, want, 96);
	secret[19] = 40;
	memset(want, 0, 96);
	want[90] = 1;
	shoal_dh768_public(secret, got);
	assert_memory_equal(got, want, 96);
}

static void a_key_that_is_none_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		int from_prime; /* added to p; 99: the number itself */
		uint8_t number;
		int want;
	} cases[] = {
		{ "0", 99, 0, SHOAL_ERR_MALFORMED },
		{ "1", 99, 1, SHOAL_ERR_MALFORMED },
		{ "2", 99, 2, 0 },
		{ "p - 2", -2, 0, 0 },
		{ "p - 1", -1, 0, SHOAL_ERR_MALFORMED },
		{ "p", 0, 0, SHOAL_ERR_MALFORMED },
		{ "p + 1", 1, 0, SHOAL_ERR_MALFORMED },
	};
	uint8_t secret[20], theirs[96], got[96];
	fill(secret, 9);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		print_message("%s\n", cases[i].why);
		memset(theirs, 0, 96);
		theirs[95] = cases[i].number;
		if (cases[i].from_prime != 99) {
			own_unhex(theirs, prime);
			theirs[95] = (uint8_t)(theirs[95] + cases[i].from_prime);
		}
		assert_int_equal(shoal_dh768_shared(secret, theirs, got), cases[i].want);
	}
	memset(theirs, 0xff, 96);
	assert_int_equal(shoal_dh768_shared(secret, theirs, got), SHOAL_ERR_MALFORMED);
}

/* Each with each: whatever the secrets, both come to the same. */
static void both_come_to_the_same(void **state)
{
	(void)state;
	struct shoal_rng rng = shoal_rng_split(1, 1);
	for (int round = 0; round < 200; round++) {
		uint8_t a[20], b[20], key_a[96], key_b[96], at_a[96], at_b[96];
		for (unsigned i = 0; i < 20; i++) {
			a[i] = round % 3 == 0 ? 0xff : (uint8_t)shoal_rng_next(&rng);
			b[i] = (uint8_t)shoal_rng_next(&rng);
		}
		shoal_dh768_public(a, key_a);
		shoal_dh768_public(b, key_b);
		assert_int_equal(shoal_dh768_shared(a, key_b, at_a), 0);
		assert_int_equal(shoal_dh768_shared(b, key_a, at_b), 0);
		assert_memory_equal(at_a, at_b, 96);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_what_they_should_be),
		cmocka_unit_test(leading_zeros_stay),
		cmocka_unit_test(small_powers),
		cmocka_unit_test(a_key_that_is_none_is_refused),
		cmocka_unit_test(both_come_to_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
