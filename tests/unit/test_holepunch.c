/* test_holepunch.c - golden bytes of BEP 55, hostile lengths, every cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/holepunch.h"

static const uint8_t v4[] = { 0, 0, 192, 0, 2, 7, 0x1a, 0xe1, 0, 0, 0, 0 };
static const uint8_t v6[] = { 2, 1, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0x1a, 0xe1, 0, 0, 0, 3 };

static void golden_bytes(void **state)
{
	struct shoal_holepunch h;
	uint8_t raw[SHOAL_HOLEPUNCH_BYTES];
	(void)state;
	assert_int_equal(shoal_holepunch_decode(shoal_bytes(v4, sizeof v4), &h), 0);
	assert_int_equal(h.kind, SHOAL_HOLEPUNCH_RENDEZVOUS);
	assert_true(h.addr.is_v4 && h.addr.ip[3] == 7);
	assert_int_equal(h.addr.port, 6881);
	assert_int_equal(shoal_holepunch_encode(&h, raw), sizeof v4);
	assert_memory_equal(raw, v4, sizeof v4);
	assert_int_equal(shoal_holepunch_decode(shoal_bytes(v6, sizeof v6), &h), 0);
	assert_int_equal(h.kind, SHOAL_HOLEPUNCH_ERROR);
	assert_int_equal(h.err, SHOAL_HOLEPUNCH_NO_SUPPORT);
	assert_int_equal(shoal_holepunch_encode(&h, raw), sizeof v6);
	assert_memory_equal(raw, v6, sizeof v6);
}

static void only_the_last_word_may_be_missing(void **state)
{
	struct shoal_holepunch h;
	uint8_t raw[sizeof v6 + 1] = { 0 };
	(void)state;
	for (size_t n = 0; n <= sizeof v4 + 1; n++) {
		memcpy(raw, v4, n < sizeof v4 ? n : sizeof v4);
		int rc = shoal_holepunch_decode(shoal_bytes(raw, n), &h);
		assert_int_equal(rc, n == 8 || n == sizeof v4 ? 0 : SHOAL_ERR_MALFORMED);
	}
	for (size_t n = 0; n <= sizeof v6 + 1; n++) { /* of an error it says which */
		memcpy(raw, v6, n < sizeof v6 ? n : sizeof v6);
		int rc = shoal_holepunch_decode(shoal_bytes(raw, n), &h);
		assert_int_equal(rc, n == sizeof v6 ? 0 : SHOAL_ERR_MALFORMED);
	}
}

static void unknown_kinds_and_families_are_malformed(void **state)
{
	struct shoal_holepunch h;
	uint8_t raw[sizeof v6];
	(void)state;
	for (unsigned kind = 0; kind < 256; kind++) {
		for (unsigned family = 0; family < 256; family += family < 3 ? 1 : 23) {
			memcpy(raw, v6, sizeof raw);
			raw[0] = (uint8_t)kind;
			raw[1] = (uint8_t)family;
			int rc = shoal_holepunch_decode(shoal_bytes(raw, family == 0 ? sizeof v4 : sizeof v6), &h);
			assert_int_equal(rc, kind <= 2 && family <= 1 ? 0 : SHOAL_ERR_MALFORMED);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_bytes),
		cmocka_unit_test(only_the_last_word_may_be_missing),
		cmocka_unit_test(unknown_kinds_and_families_are_malformed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
