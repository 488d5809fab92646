/* test_content_range.c - the values servers send, and those that liars do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/content_range.h"

static void good_values(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t from, to, total;
	} good[] = {
		{ "bytes 0-499/1234", 0, 500, 1234 },
		{ "bytes 734-1233/1234", 734, 1234, 1234 },
		{ "bytes 0-0/1", 0, 1, 1 },
		{ "bytes 5-9/*", 5, 10, 0 },
		{ "BYTES 5-9/10", 5, 10, 10 },
		{ " \tbytes 5-9/10\r\n", 5, 10, 10 },
		{ "bytes 00-09/0010", 0, 10, 10 },
		{ "bytes 0-9223372036854775806/9223372036854775807", 0, INT64_MAX, INT64_MAX },
	};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct shoal_content_range r;
		print_message("%s\n", good[i].text);
		assert_int_equal(shoal_content_range_parse(shoal_bytes(good[i].text, strlen(good[i].text)), &r), 0);
		assert_true(r.from == good[i].from && r.to == good[i].to && r.total == good[i].total);
	}
}

static void bad_values(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"",
		"bytes",
		"bytes ",
		"bytes */1234",
		"bytes 0-499",
		"bytes 0-499/",
		"bytes 0-499/12 34",
		"bytes 0-499/499", /* past the end it tells itself */
		"bytes 0-0/0",
		"bytes 5-4/10",
		"bytes -4/10",
		"bytes 4-/10",
		"bytes 0--4/10",
		"bytes +0-4/10",
		"bytes 0-4/-10",
		"bytes 0x0-4/10",
		"bytes=0-4/10",
		"bytes  0-4/10",
		"bytes 0 -4/10",
		"octets 0-4/10",
		"bytes 0-4/10,5-6/10",
		"bytes 0-4/**",
		"bytes 0-4/10*",
		"bytes 0-9223372036854775807/*",
		"bytes 18446744073709551616-18446744073709551620/*",
		"bytes 0-4/18446744073709551617",
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct shoal_content_range r = { 1, 2, 3 };
		print_message("%s\n", bad[i]);
		assert_int_equal(shoal_content_range_parse(shoal_bytes(bad[i], strlen(bad[i])), &r),
				 SHOAL_ERR_MALFORMED);
		assert_true(r.from == 1 && r.to == 2 && r.total == 3); /* written on success alone */
	}
	struct shoal_content_range r;
	assert_int_equal(shoal_content_range_parse(shoal_bytes("bytes 0-4/10\0", 13), &r), SHOAL_ERR_MALFORMED);
}

static void no_cut_is_taken_for_the_whole(void **state)
{
	(void)state;
	static const char text[] = "bytes 100-299/1000";
	for (size_t cut = 0; cut < sizeof text - 1; cut++) { /* of 1, 10 or 100 in all, 299 is past the end */
		struct shoal_content_range r;
		assert_int_equal(shoal_content_range_parse(shoal_bytes(text, cut), &r), SHOAL_ERR_MALFORMED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_values),
		cmocka_unit_test(bad_values),
		cmocka_unit_test(no_cut_is_taken_for_the_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
