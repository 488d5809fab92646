/* test_human.c - golden texts at the borders of each unit; fitting text into every width. */
#include "tools/human.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void sizes(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *want;
	} cases[] = {
		{ 0, "0 B" },
		{ 999, "999 B" },
		{ 1000, "0.9 KiB" },
		{ 1024, "1.0 KiB" },
		{ 10239, "9.9 KiB" },
		{ 10240, "10 KiB" },
		{ 999 * 1024, "999 KiB" },
		{ 1000 * 1024, "0.9 MiB" },
		{ 1 << 30, "1.0 GiB" },
		{ UINT64_C(5) << 40, "5.0 TiB" },
		{ UINT64_MAX, "15 EiB" },
	};
	char out[SHOAL_HUMAN_MAX];
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(shoal_human_size(cases[i].bytes, out), cases[i].want);
	assert_string_equal(shoal_human_rate(2048, out), "2.0 KiB/s");
}

static void spans(void **state)
{
	static const struct {
		shoal_us us;
		const char *want;
	} cases[] = {
		{ 0, "0 ms" },
		{ 99999, "99 ms" },
		{ 100000, "0.10 s" },
		{ 9999999, "9.99 s" },
		{ SHOAL_S(10), "10 s" },
		{ SHOAL_S(60), "1 min 00 s" },
		{ SHOAL_S(3599), "59 min 59 s" },
		{ SHOAL_S(3600), "1 h 00 min" },
		{ SHOAL_S(47 * 3600 + 59 * 60), "47 h 59 min" },
		{ SHOAL_S(48 * 3600), "2 days" },
	};
	char out[SHOAL_HUMAN_MAX];
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(shoal_human_span(cases[i].us, out), cases[i].want);
}

static void parts_of_a_whole(void **state)
{
	char out[SHOAL_HUMAN_MAX * 2];
	(void)state;
	assert_int_equal(shoal_human_permille(0, 100), 0);
	assert_int_equal(shoal_human_permille(999999, 1000000), 999); /* not all before it is all */
	assert_int_equal(shoal_human_permille(1, 1), 1000);
	assert_int_equal(shoal_human_permille(0, 0), 1000);
	assert_int_equal(shoal_human_permille(UINT64_MAX - 1, UINT64_MAX), 999);
	assert_string_equal(shoal_human_count(1, "file", "files", out), "1 file");
	assert_string_equal(shoal_human_count(0, "file", "files", out), "0 files");
}

static void clients_of_the_dht(void **state)
{
	char out[SHOAL_HUMAN_MAX];
	uint8_t ours[] = { 'S', 'H', 0, 1 }, strange[] = { 'L', 0x1b, 1, 2 }, longer[40] = { 0xab };
	(void)state;
	assert_string_equal(shoal_human_client((struct shoal_bytes){ ours, 4 }, out), "SH 0.1");
	assert_string_equal(shoal_human_client((struct shoal_bytes){ ours, 3 }, out), "534800");
	assert_string_equal(shoal_human_client((struct shoal_bytes){ strange, 4 }, out), "4c1b0102");
	assert_string_equal(shoal_human_client((struct shoal_bytes){ longer, 40 }, out),
			    "ab0000000000000000000000000000");
	assert_string_equal(shoal_human_client((struct shoal_bytes){ NULL, 0 }, out), "-");
	assert_string_equal(shoal_human_client((struct shoal_bytes){ (const uint8_t[4]){ 0 }, 4 }, out), "-");
}

static void columns(void **state)
{
	(void)state;
	assert_int_equal(shoal_human_columns("abc"), 3);
	assert_int_equal(shoal_human_columns("gr\xc3\xbc\xc3\x9f"), 4);
	assert_int_equal(shoal_human_columns("\xe9\xad\x9a\xe7\xbe\xa4"), 4); /* two wide characters */
	assert_int_equal(shoal_human_columns("\xf0\x9f\x90\x9f"), 2);
	assert_int_equal(shoal_human_columns("\xff\xff"), 2);
}

static void texts_fit(void **state)
{
	static const char *const texts[] = { "", "a", "abcdefghijklmnopqrstuvwxyz",
					     "\xe9\xad\x9a\xe7\xbe\xa4\xe9\xad\x9a\xe7\xbe\xa4",
					     "gr\xc3\xbc\xc3\x9f.tar" };
	char out[64];
	(void)state;
	assert_string_equal(shoal_human_fit("abcdefghij", 10, out, sizeof out), "abcdefghij");
	assert_string_equal(shoal_human_fit("abcdefghijk", 9, out, sizeof out), "abc...ijk");
	assert_string_equal(shoal_human_fit("abcdefghijk", 2, out, sizeof out), "..");
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		for (size_t width = 0; width < 40; width++) {
			for (size_t size = 1; size <= sizeof out; size++) {
				memset(out, 'X', sizeof out);
				shoal_human_fit(texts[i], width, out, size);
				assert_true(strlen(out) < size);
				assert_true(shoal_human_columns(out) <= width);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),   cmocka_unit_test(spans),	cmocka_unit_test(parts_of_a_whole),
		cmocka_unit_test(columns), cmocka_unit_test(texts_fit), cmocka_unit_test(clients_of_the_dht),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
