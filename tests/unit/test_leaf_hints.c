/* test_leaf_hints.c - the messages, golden, cut and of the wrong length; what another version says is no fault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/leaf_hints.h"

static void asks_and_refusals(void **state)
{
	static const uint8_t ask[] = { 1, 1, 0, 0, 2, 7 }, none[] = { 3, 1, 0xff, 0xff, 0xff, 0xff };
	uint8_t raw[8];
	struct shoal_hint_msg m;
	(void)state;
	m = (struct shoal_hint_msg){ .kind = SHOAL_HINT_ASK, .piece = 519 };
	assert_int_equal(shoal_hint_encode(&m, (struct shoal_space){ raw, sizeof raw }), sizeof ask);
	assert_memory_equal(raw, ask, sizeof ask);
	assert_int_equal(shoal_hint_decode(shoal_bytes(ask, sizeof ask), &m), 0);
	assert_true(m.kind == SHOAL_HINT_ASK && m.piece == 519 && m.blocks == 0);
	assert_int_equal(shoal_hint_decode(shoal_bytes(none, sizeof none), &m), 0);
	assert_true(m.kind == SHOAL_HINT_NONE && m.piece == UINT32_MAX);
	for (size_t cut = 0; cut < sizeof ask; cut++)
		assert_int_equal(shoal_hint_decode(shoal_bytes(ask, cut), &m), SHOAL_ERR_MALFORMED);
	assert_int_equal(shoal_hint_decode(shoal_bytes("\1\1\0\0\2\7\0", 7), &m), SHOAL_ERR_MALFORMED);
	for (size_t room = 0; room < sizeof ask; room++)
		assert_int_equal(shoal_hint_encode(&m, (struct shoal_space){ raw, room }), SHOAL_ERR_RANGE);
}

static void digests(void **state)
{
	size_t most = SHOAL_HINT_HEAD + (SHOAL_HINT_BLOCKS + 1) * (size_t)32;
	uint8_t(*digest)[32] = calloc(SHOAL_HINT_BLOCKS + 1, 32), *raw = malloc(most);
	struct shoal_hint_msg m;
	(void)state;
	assert_true(digest != NULL && raw != NULL);
	for (uint32_t i = 0; i <= SHOAL_HINT_BLOCKS; i++)
		memset(digest[i], (int)i, 32);
	static const uint32_t counts[] = { 1, 2, 255, SHOAL_HINT_BLOCKS };
	for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
		m = (struct shoal_hint_msg){ SHOAL_HINT_TELL, 3, counts[c], (const uint8_t(*)[32])digest };
		size_t len = SHOAL_HINT_HEAD + (size_t)counts[c] * 32;
		assert_int_equal(shoal_hint_encode(&m, (struct shoal_space){ raw, len - 1 }), SHOAL_ERR_RANGE);
		assert_int_equal(shoal_hint_encode(&m, (struct shoal_space){ raw, most }), len);
		assert_int_equal(shoal_hint_decode(shoal_bytes(raw, len), &m), 0);
		assert_true(m.kind == SHOAL_HINT_TELL && m.piece == 3 && m.blocks == counts[c]);
		assert_memory_equal(m.digest, digest, (size_t)counts[c] * 32);
		for (size_t cut = 1; cut < 32; cut++)
			assert_int_equal(shoal_hint_decode(shoal_bytes(raw, len - cut), &m), SHOAL_ERR_MALFORMED);
	}
	assert_int_equal(shoal_hint_decode(shoal_bytes(raw, SHOAL_HINT_HEAD), &m), SHOAL_ERR_MALFORMED);
	assert_int_equal(shoal_hint_decode(shoal_bytes(raw, most), &m), SHOAL_ERR_MALFORMED); /* one too many */
	m = (struct shoal_hint_msg){ SHOAL_HINT_TELL, 3, SHOAL_HINT_BLOCKS + 1, (const uint8_t(*)[32])digest };
	assert_int_equal(shoal_hint_encode(&m, (struct shoal_space){ raw, most }), SHOAL_ERR_RANGE);
	free(digest);
	free(raw);
}

static void others_are_left_alone(void **state)
{
	struct shoal_hint_msg m;
	(void)state;
	assert_int_equal(shoal_hint_decode(shoal_bytes("\1\2\0\0\0\0", 6), &m), SHOAL_ERR_UNSUPPORTED);
	assert_int_equal(shoal_hint_decode(shoal_bytes("\0\1\0\0\0\0", 6), &m), SHOAL_ERR_UNSUPPORTED);
	assert_int_equal(shoal_hint_decode(shoal_bytes("\4\1", 2), &m), SHOAL_ERR_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_and_refusals),
		cmocka_unit_test(digests),
		cmocka_unit_test(others_are_left_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
