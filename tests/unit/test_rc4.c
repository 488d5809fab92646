/* test_rc4.c - RC4 by RFC 6229, in every length and split, and backwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/rc4.h"

/* RFC 6229: 16 bytes of the stream at an offset. */
static const struct {
	const char *key;
	size_t key_len, at;
	uint8_t stream[17];
} cases[] = {
	{ "\1\2\3\4\5", 5, 0, "\xb2\x39\x63\x05\xf0\x3d\xc0\x27\xcc\xc3\x52\x4a\x0a\x11\x18\xa8" },
	{ "\1\2\3\4\5", 5, 1024, "\x30\xab\xbc\xc7\xc2\x0b\x01\x60\x9f\x23\xee\x2d\x5f\x6b\xb7\xdf" },
	{ "\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\20", 16, 0,
	  "\x9a\xc7\xcc\x9a\x60\x9d\x1e\xf7\xb2\x93\x28\x99\xcd\xe4\x1b\x97" },
	{ "\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\20", 16, 1536,
	  "\xff\xa0\xb5\x14\x64\x7e\xc0\x4f\x63\x06\xb8\x92\xae\x66\x11\x81" },
};

static void it_is_the_cipher_of_the_rfc(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct shoal_rc4 rc4;
		uint8_t got[16] = { 0 };
		shoal_rc4_init(&rc4, shoal_bytes(cases[i].key, cases[i].key_len));
		shoal_rc4_skip(&rc4, cases[i].at);
		shoal_rc4_xor(&rc4, got, got, sizeof got);
		assert_memory_equal(got, cases[i].stream, sizeof got);
	}
}

/* The textbook loop, byte by byte: the fast one must not differ where its look-ahead is overtaken. */
static uint8_t slow_byte(struct shoal_rc4 *r)
{
	r->i = (uint8_t)(r->i + 1);
	r->j = (uint8_t)(r->j + r->s[r->i]);
	uint8_t a = r->s[r->i], b = r->s[r->j];
	r->s[r->i] = b;
	r->s[r->j] = a;
	return r->s[(uint8_t)(a + b)];
}

static void any_length_in_any_parts_is_the_same_stream(void **state)
{
	(void)state;
	struct shoal_rc4 fast, slow;
	uint8_t in[300], out[300];
	shoal_rc4_init(&fast, SHOAL_LIT("some key"));
	slow = fast;
	for (size_t i = 0; i < sizeof in; i++)
		in[i] = (uint8_t)(i * 31);
	for (size_t round = 0; round < 2000; round++) {
		size_t n = round % sizeof in;
		shoal_rc4_xor(&fast, out, in, n);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(out[i], in[i] ^ slow_byte(&slow));
		assert_memory_equal(&fast, &slow, sizeof fast);
	}
}

static void it_runs_backwards(void **state)
{
	(void)state;
	struct shoal_rc4 rc4, before;
	uint8_t once[700] = { 0 }, again[700] = { 0 };
	shoal_rc4_init(&rc4, SHOAL_LIT("k"));
	before = rc4;
	shoal_rc4_xor(&rc4, once, once, sizeof once);
	struct shoal_rc4 after = rc4;
	shoal_rc4_back(&rc4, 0);
	assert_memory_equal(&rc4, &after, sizeof rc4);
	shoal_rc4_back(&rc4, sizeof once);
	assert_memory_equal(&rc4, &before, sizeof rc4);
	shoal_rc4_xor(&rc4, again, again, 700);
	shoal_rc4_back(&rc4, 300);
	memset(again + 400, 0, 300);
	shoal_rc4_xor(&rc4, again + 400, again + 400, 300);
	assert_memory_equal(once, again, sizeof once);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_the_cipher_of_the_rfc),
		cmocka_unit_test(any_length_in_any_parts_is_the_same_stream),
		cmocka_unit_test(it_runs_backwards),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
