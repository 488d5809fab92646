/* test_json.c - golden lines; every byte alone, and every two, escape without loss. */
#include "tools/json.h"

#include "proto/base/bytes.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *line_of(struct shoal_json *j)
{
	static char text[4096];
	assert_int_equal(shoal_json_done(j), 0);
	assert_true(j->len < sizeof text);
	memcpy(text, j->at, j->len);
	text[j->len] = '\0';
	return text;
}

static void shapes(void **state)
{
	struct shoal_json j = { 0 };
	static const uint8_t hash[] = { 0, 0x1f, 0xff };
	(void)state;
	shoal_json_begin(&j);
	assert_string_equal(line_of(&j), "{}\n");
	shoal_json_begin(&j);
	shoal_json_us(&j, "t", 1234567);
	shoal_json_us(&j, "u", 5);
	shoal_json_int(&j, "i", INT64_MIN);
	shoal_json_u64(&j, "n", UINT64_MAX);
	shoal_json_bool(&j, "b", true);
	shoal_json_null(&j, "z");
	shoal_json_real(&j, "r", 0.1);
	shoal_json_real(&j, "o", -0.0);
	shoal_json_real(&j, "inf", INFINITY);
	shoal_json_text(&j, "none", NULL);
	shoal_json_hex(&j, "h", hash, sizeof hash);
	assert_string_equal(
		line_of(&j),
		"{\"t\":1.234567,\"u\":0.000005,\"i\":-9223372036854775808,"
		"\"n\":18446744073709551615,\"b\":true,\"z\":null,\"r\":0.1,\"o\":0,\"inf\":null,\"none\":null,"
		"\"h\":\"001fff\"}\n");
	shoal_json_begin(&j);
	shoal_json_array(&j, "a");
	shoal_json_u64(&j, NULL, 1);
	shoal_json_array(&j, NULL);
	shoal_json_end(&j);
	shoal_json_object(&j, NULL);
	shoal_json_text(&j, "k", "v");
	shoal_json_end(&j);
	shoal_json_end(&j);
	shoal_json_text(&j, "after", "x");
	shoal_json_array(&j, "open"); /* done() ends what is open */
	assert_string_equal(line_of(&j), "{\"a\":[1,[],{\"k\":\"v\"}],\"after\":\"x\",\"open\":[]}\n");
	shoal_json_fini(&j);
}

static void strings(void **state)
{
	static const struct {
		const char *why, *raw, *want;
	} cases[] = {
		{ "plain", "a b/c", "a b/c" },
		{ "quotes", "\"\\", "\\\"\\\\" },
		{ "controls", "\x01\n\x1b[31m\x7f", "\\u0001\\u000a\\u001b[31m\\u007f" },
		{ "UTF-8 stays", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x9f",
		  "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x9f" },
		{ "C1", "\xc2\x9b", "\\u009b" },
		{ "bidi override", "a\xe2\x80\xaex", "a\\u202ex" },
		{ "tag above the BMP", "\xf3\xa0\x81\x81", "\\udb40\\udc41" },
		{ "no UTF-8", "a\xff\x80z", "a\\udcff\\udc80z" },
		{ "overlong", "\xc0\xaf", "\\udcc0\\udcaf" },
		{ "surrogate", "\xed\xa0\x80", "\\udced\\udca0\\udc80" },
		{ "cut off", "\xe2\x82", "\\udce2\\udc82" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct shoal_json j = { 0 };
		char want[256];
		print_message("%s\n", cases[i].why);
		shoal_json_begin(&j);
		shoal_json_text(&j, "s", cases[i].raw);
		snprintf(want, sizeof want, "{\"s\":\"%s\"}\n", cases[i].want);
		assert_string_equal(line_of(&j), want);
		shoal_json_fini(&j);
	}
}

/* Reads a JSON string of ours back to bytes: the inverse of what is promised in the header. */
static size_t unescape(const char *at, uint8_t *out)
{
	size_t n = 0;
	for (; *at != '"'; at++) {
		if (*at != '\\') {
			out[n++] = (uint8_t)*at;
		} else if (at[1] != 'u') {
			out[n++] = (uint8_t) * ++at;
		} else {
			unsigned long code = strtoul((char[5]){ at[2], at[3], at[4], at[5], 0 }, NULL, 16);
			at += 5;
			if (code >= 0xdc00) {
				out[n++] = (uint8_t)(code - 0xdc00);
			} else if (code < 0x80) {
				out[n++] = (uint8_t)code;
			} else {
				out[n++] = (uint8_t)(0xc0 | code >> 6);
				out[n++] = (uint8_t)(0x80 | (code & 0x3f));
			}
		}
	}
	return n;
}

static void nothing_is_lost(void **state)
{
	struct shoal_json j = { 0 };
	(void)state;
	for (unsigned a = 0; a < 256; a++) {
		for (unsigned b = 0; b < 256; b++) {
			uint8_t raw[2] = { (uint8_t)a, (uint8_t)b }, back[64];
			shoal_json_begin(&j);
			shoal_json_str(&j, "s", shoal_bytes(raw, 2));
			const char *line = line_of(&j);
			assert_int_equal(unescape(line + 6, back), 2);
			assert_memory_equal(back, raw, 2);
			for (const char *p = line; p[1]; p++) /* and nothing in it moves a cursor */
				assert_true((uint8_t)*p >= 0x20 && *p != 0x7f);
		}
	}
	shoal_json_fini(&j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shapes),
		cmocka_unit_test(strings),
		cmocka_unit_test(nothing_is_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
