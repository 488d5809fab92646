/* test_text.c - golden escapes, hostile UTF-8, every size of the span; codes both ways, and RFC 4648's vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/base/rng.h"
#include "proto/text.h"

static struct shoal_bytes str(const char *s)
{
	return shoal_bytes(s, strlen(s));
}

static void foreign_names_are_safe_to_print(void **state)
{
	(void)state;
	static const struct {
		const char *in, *want;
	} cases[] = {
		{ "plain name.txt", "plain name.txt" },
		{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x9f", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x9f" },
		{ "a\x1b]0;owned\x07"
		  "b",
		  "a\\x1b]0;owned\\x07b" },
		{ "line\r\nbreak\t", "line\\x0d\\x0abreak\\x09" },
		{ "\x7f", "\\x7f" },
		{ "\xc2\x9b"
		  "31m",
		  "\\xc2\\x9b31m" }, /* C1: CSI */
		{ "\xe2\x80\xae"
		  "gpj.exe",
		  "\\xe2\\x80\\xaegpj.exe" }, /* right-to-left override */
		{ "\xe2\x81\xa6x\xe2\x81\xa9", "\\xe2\\x81\\xa6x\\xe2\\x81\\xa9" },
		{ "\xe2\x80\x8b", "\\xe2\\x80\\x8b" }, /* zero width */
		{ "\xef\xbb\xbf"
		  "a",
		  "\\xef\\xbb\\xbf"
		  "a" },
		{ "\xf3\xa0\x81\x81", "\\xf3\\xa0\\x81\\x81" }, /* tag */
		{ "a\\x1b", "a\\\\x1b" },			/* so that no text looks like an escape of another */
		{ "\xff\xfe", "\\xff\\xfe" },
		{ "\xc0\xaf", "\\xc0\\xaf" }, /* overlong '/' */
		{ "\xe0\x80\xaf", "\\xe0\\x80\\xaf" },
		{ "\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },		/* surrogate */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" }, /* past U+10FFFF */
		{ "\xf8\x88\x80\x80\x80", "\\xf8\\x88\\x80\\x80\\x80" },
		{ "\xe2\x82", "\\xe2\\x82" }, /* cut short */
		{ "\xe2\x82"
		  "a",
		  "\\xe2\\x82"
		  "a" },
		{ "\x80", "\\x80" },
		{ "\xef\xbf\xbf", "\\xef\\xbf\\xbf" },
		{ "", "" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char out[200];
		size_t len = shoal_text_escape(str(cases[i].in), (struct shoal_space){ (uint8_t *)out, sizeof out });
		assert_string_equal(out, cases[i].want);
		assert_int_equal(len, strlen(cases[i].want));
	}
	char out[32];
	assert_int_equal(shoal_text_escape(shoal_bytes("a\0b", 3), (struct shoal_space){ (uint8_t *)out, sizeof out }),
			 6);
	assert_string_equal(out, "a\\x00b");
}

static void what_does_not_fit_ends_in_dots(void **state)
{
	(void)state;
	struct shoal_bytes in = SHOAL_LIT("ab\xe2\x82\xac\x01"
					  "cd");
	static const char whole[] = "ab\xe2\x82\xac\\x01cd";
	for (size_t room = 0; room <= sizeof whole; room++) {
		uint8_t *out = malloc(room + 1);
		assert_non_null(out);
		out[room] = 0x55;
		assert_int_equal(shoal_text_escape(in, (struct shoal_space){ out, room }), sizeof whole - 1);
		assert_int_equal(out[room], 0x55);
		if (room >= sizeof whole) {
			assert_string_equal(out, whole);
		} else if (room > 0) {
			size_t len = strlen((char *)out);
			assert_true(len < room);
			if (room >= 4)
				assert_string_equal(out + len - 3, "...");
			size_t kept = room >= 4 ? len - 3 : len;
			assert_memory_equal(out, whole, kept);
			assert_true(kept != 3 && kept != 4 &&
				    (kept < 6 || kept > 8)); /* no half character, no half escape */
		}
		free(out);
	}
}

/* Whatever goes in, what comes out is valid UTF-8 of printable characters. */
static void random_bytes_come_out_printable(void **state)
{
	(void)state;
	struct shoal_rng rng = shoal_rng_split(3, 9);
	for (int round = 0; round < 50000; round++) {
		uint8_t in[24], out[80];
		uint32_t len = shoal_rng_below(&rng, sizeof in + 1);
		for (uint32_t i = 0; i < len; i++)
			in[i] = (uint8_t)(shoal_rng_below(&rng, 2) ? 0x80 + shoal_rng_below(&rng, 128)
								   : shoal_rng_next(&rng));
		size_t room = 1 + shoal_rng_below(&rng, sizeof out);
		shoal_text_escape(shoal_bytes(in, len), (struct shoal_space){ out, room });
		struct shoal_bytes rest = str((char *)out);
		while (rest.len > 0) {
			uint32_t code;
			size_t n = shoal_utf8_next(rest, &code);
			assert_true(n > 0);
			assert_true(code >= 0x20 && code != 0x7f && !(code >= 0x80 && code < 0xa0));
			assert_false(code >= 0x202a && code <= 0x202e);
			rest = shoal_bytes(rest.at + n, rest.len - n);
		}
	}
}

static void percent_codes_go_both_ways(void **state)
{
	(void)state;
	char out[64];
	struct shoal_space to = { (uint8_t *)out, sizeof out };
	assert_int_equal(shoal_percent_encode(SHOAL_LIT("a b/c\xff~-._%"), "/", to), 17);
	assert_string_equal(out, "a%20b/c%FF~-._%25");
	assert_int_equal(shoal_percent_encode(SHOAL_LIT("a b/c\0"), "", to), 12);
	assert_string_equal(out, "a%20b%2Fc%00");
	assert_int_equal(shoal_percent_encode(SHOAL_LIT("ab "), "", (struct shoal_space){ (uint8_t *)out, 6 }), 5);
	assert_int_equal(shoal_percent_encode(SHOAL_LIT("ab "), "", (struct shoal_space){ (uint8_t *)out, 5 }),
			 SHOAL_ERR_TOO_LONG);
	static const struct {
		const char *in, *plain, *plus;
	} cases[] = {
		{ "a%20b", "a b", "a b" }, { "a+b", "a+b", "a b" },	  { "%", "%", "%" },
		{ "%a", "%a", "%a" },	   { "%%", "%%", "%%" },	  { "%%41", "%A", "%A" },
		{ "%4", "%4", "%4" },	   { "%zz", "%zz", "%zz" },	  { "%2B", "+", "+" },
		{ "%fF", "\xff", "\xff" }, { "%25%32%30", "%20", "%20" }, { "", "", "" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (int plus = 0; plus < 2; plus++) {
			const char *want = plus ? cases[i].plus : cases[i].plain;
			ptrdiff_t len = shoal_percent_decode(str(cases[i].in), plus, to);
			assert_int_equal(len, strlen(want));
			assert_memory_equal(out, want, (size_t)len);
		}
	}
	assert_int_equal(shoal_percent_decode(SHOAL_LIT("%41b"), false, (struct shoal_space){ (uint8_t *)out, 1 }),
			 SHOAL_ERR_TOO_LONG);
	for (unsigned c = 0; c < 256; c++) {
		uint8_t byte = (uint8_t)c, back;
		ptrdiff_t len = shoal_percent_encode(shoal_bytes(&byte, 1), "", to);
		assert_int_equal(
			shoal_percent_decode(shoal_bytes(out, (size_t)len), true, (struct shoal_space){ &back, 1 }), 1);
		assert_int_equal(back, byte);
	}
}

static void hex_is_strict(void **state)
{
	(void)state;
	uint8_t raw[4];
	char text[9];
	struct shoal_space to = { raw, 2 };
	assert_int_equal(shoal_hex_decode(SHOAL_LIT("aBf0"), to), 0);
	shoal_hex_encode(shoal_bytes(raw, 2), text);
	assert_string_equal(text, "abf0");
	static const char *const bad[] = {
		"", "a", "abf", "abf00", "abg0", "ab 0", "0xab", "abf0f0", "-1ab", "abf\xc3"
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(shoal_hex_decode(str(bad[i]), to), SHOAL_ERR_MALFORMED);
	assert_int_equal(shoal_hex_decode(shoal_bytes(NULL, 0), (struct shoal_space){ raw, 0 }), 0);
}

static void base32_follows_rfc_4648(void **state)
{
	(void)state;
	static const char *const vectors[][2] = {
		{ "", "" },
		{ "f", "MY" },
		{ "fo", "MZXQ" },
		{ "foo", "MZXW6" },
		{ "foob", "MZXW6YQ" },
		{ "fooba", "MZXW6YTB" },
		{ "foobar", "MZXW6YTBOI" },
	};
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		uint8_t raw[8];
		size_t n = strlen(vectors[i][0]);
		assert_int_equal(shoal_base32_decode(str(vectors[i][1]), (struct shoal_space){ raw, n }), 0);
		assert_memory_equal(raw, vectors[i][0], n);
		assert_int_equal(shoal_base32_decode(str(vectors[i][1]), (struct shoal_space){ raw, n + 1 }),
				 SHOAL_ERR_MALFORMED);
	}
	uint8_t raw[8];
	assert_int_equal(shoal_base32_decode(SHOAL_LIT("mzxw6ytb"), (struct shoal_space){ raw, 5 }), 0);
	static const char *const bad[] = { "MZXW6YT",  "MZXW6YT1", "MZXW6YT8", "MZXW6YT0",
					   "MZXW6YT=", "MZXW6YT ", "MZXW6YTBA" };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(shoal_base32_decode(str(bad[i]), (struct shoal_space){ raw, 5 }), SHOAL_ERR_MALFORMED);
	assert_int_equal(shoal_base32_decode(SHOAL_LIT("MZ"), (struct shoal_space){ raw, 1 }), SHOAL_ERR_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(foreign_names_are_safe_to_print),
		cmocka_unit_test(what_does_not_fit_ends_in_dots),
		cmocka_unit_test(random_bytes_come_out_printable),
		cmocka_unit_test(percent_codes_go_both_ways),
		cmocka_unit_test(hex_is_strict),
		cmocka_unit_test(base32_follows_rfc_4648),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
