/* test_choose.c - globs and lists of numbers: what they fit, what they refuse, and that none of them takes long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/choose.h"

static const struct {
	const char *glob, *path;
	bool fits;
} cases[] = {
	{ "*.mkv", "a.mkv", true },
	{ "*.mkv", "season 1/a.mkv", true }, /* no slash: any depth */
	{ "*.mkv", "a.mkv.txt", false },
	{ "*.MKV", "a.mkv", false },
	{ "/*.mkv", "a.mkv", true },
	{ "/*.mkv", "season 1/a.mkv", false },
	{ "season 1/*.mkv", "season 1/a.mkv", true },
	{ "season 1/*.mkv", "x/season 1/a.mkv", false },
	{ "season 1/*.mkv", "season 1/extra/a.mkv", false },
	{ "season*/**/*.mkv", "season 1/extra/deep/a.mkv", true },
	{ "season*/**/*.mkv", "season 1/a.mkv", true },
	{ "season*/**/*.mkv", "other/season 1/a.mkv", false },
	{ "**/notes/*", "a/b/notes/x", true },
	{ "**/notes/*", "notes/x", true },
	{ "**/notes/*", "xnotes/x", false },
	{ "a/**", "a/b/c", true },
	{ "a/**", "b/a/c", false },
	{ "**", "anything/at/all", true },
	{ "a**b", "axxb", true }, /* not alone: an ordinary star */
	{ "/a**b", "ax/xb", false },
	{ "notes", "notes/deep/x.txt", true }, /* a folder: all that is in it */
	{ "notes", "a/notes", true },
	{ "notes/", "a/notes", false },
	{ "notes/", "a/notes/x", true },
	{ "notes", "notesx", false },
	{ "a/b", "a/b/c", true },
	{ "a/b", "a/bc", false },
	{ "?.txt", "x.txt", true },
	{ "?.txt", "xy.txt", false },
	{ "?.txt", "\xc3\xa9.txt", true }, /* one character, two bytes */
	{ "??.txt", "\xc3\xa9.txt", false },
	{ "[a-c]x", "bx", true },
	{ "[a-c]x", "dx", false },
	{ "[!a-c]x", "dx", true },
	{ "[!a-c]x", "\xc3\xa9x", true },
	{ "[^a-c]x", "bx", false },
	{ "[]]x", "]x", true },
	{ "[a-]x", "-x", true },
	{ "[\\]]x", "]x", true },
	{ "a[/]b", "a/b", false },
	{ "\\*", "*", true },
	{ "\\*", "x", false },
	{ "a\\[1\\]", "a[1]", true },
	{ "a*b*c", "a-b-b-c", true },
	{ "/a*b*c", "a-b/b-c", false },
	{ "x", "x/", true },
};

static void globs_fit_what_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct shoal_glob g;
		assert_int_equal(shoal_glob_init(&g, shoal_bytes(cases[i].glob, strlen(cases[i].glob))), 0);
		bool fits = shoal_glob_match(&g, shoal_bytes(cases[i].path, strlen(cases[i].path)));
		if (fits != cases[i].fits)
			fail_msg("'%s' and '%s': %d", cases[i].glob, cases[i].path, fits);
		/* Twice the same: nothing of a match stays. */
		assert_int_equal(shoal_glob_match(&g, shoal_bytes(cases[i].path, strlen(cases[i].path))), fits);
		shoal_glob_fini(&g);
	}
}

static void what_is_no_glob_is_refused(void **state)
{
	static const char *const bad[] = { "", "/", "//", "[", "[a", "[]", "[!]", "a\\", "[z-a]", "[\xc3\xa9]", "[a-" };
	struct shoal_glob g;
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		int rc = shoal_glob_init(&g, shoal_bytes(bad[i], strlen(bad[i])));
		if (strcmp(bad[i], "//") == 0) { /* an empty name at the top, which nothing has */
			assert_true(rc == SHOAL_ERR_MALFORMED || !shoal_glob_match(&g, SHOAL_LIT("a")));
		} else if (rc != SHOAL_ERR_MALFORMED) {
			fail_msg("'%s': %d", bad[i], rc);
		}
		assert_false(rc < 0 && shoal_glob_match(&g, SHOAL_LIT("a")));
		shoal_glob_fini(&g);
	}
	char *text = malloc(SHOAL_GLOB_BYTES_MAX + 1);
	assert_non_null(text);
	memset(text, 'a', SHOAL_GLOB_BYTES_MAX + 1);
	assert_int_equal(shoal_glob_init(&g, shoal_bytes(text, SHOAL_GLOB_BYTES_MAX + 1)), SHOAL_ERR_TOO_LONG);
	free(text);
}

/* Backtracking would need the age of the universe for this one. */
static void stars_upon_stars_end(void **state)
{
	char glob[400], path[4000];
	struct shoal_glob g;
	(void)state;
	for (size_t i = 0; i + 1 < sizeof glob; i += 2)
		memcpy(glob + i, "*a", 2);
	memset(path, 'a', sizeof path);
	path[sizeof path - 1] = 'b';
	assert_int_equal(shoal_glob_init(&g, shoal_bytes(glob, sizeof glob)), 0);
	assert_false(shoal_glob_match(&g, shoal_bytes(path, sizeof path)));
	assert_true(shoal_glob_match(&g, shoal_bytes(path, sizeof path - 1)));
	shoal_glob_fini(&g);
}

static const struct {
	const char *list, *want; /* a digit for each of ten files */
	int64_t rc;
} lists[] = {
	{ "0,2,4,6-8", "1010101110", 6 },
	{ "9", "0000000001", 1 },
	{ "5-100", "0000011111", 5 },
	{ "100", "0000000000", 0 },
	{ "0-3,2-5,2", "1111110000", 6 },
	{ "0-4294967294", "1111111111", 10 },
	{ "", "0000000000", 0 },
	{ "0-4294967295", NULL, SHOAL_ERR_RANGE },
	{ "99999999999999999999", NULL, SHOAL_ERR_RANGE },
	{ "3-1", NULL, SHOAL_ERR_MALFORMED },
	{ "1,", "0100000000", SHOAL_ERR_MALFORMED },
	{ ",1", NULL, SHOAL_ERR_MALFORMED },
	{ "1,,2", NULL, SHOAL_ERR_MALFORMED },
	{ "1-", NULL, SHOAL_ERR_MALFORMED },
	{ "-1", NULL, SHOAL_ERR_MALFORMED },
	{ "1 ", NULL, SHOAL_ERR_MALFORMED },
	{ "1-2-3", NULL, SHOAL_ERR_MALFORMED },
	{ "x", NULL, SHOAL_ERR_MALFORMED },
};

static void lists_name_what_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		bool chosen[10] = { false };
		char got[11] = { 0 };
		print_message("'%s'\n", lists[i].list);
		int64_t rc = shoal_ranges_choose(shoal_bytes(lists[i].list, strlen(lists[i].list)), chosen, 10);
		assert_int_equal(rc, lists[i].rc);
		for (size_t k = 0; k < 10; k++)
			got[k] = chosen[k] ? '1' : '0';
		if (rc >= 0)
			assert_string_equal(got, lists[i].want);
		else
			assert_string_equal(got, "0000000000"); /* a bad list chooses nothing */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(globs_fit_what_the_table_says),
		cmocka_unit_test(what_is_no_glob_is_refused),
		cmocka_unit_test(stars_upon_stars_end),
		cmocka_unit_test(lists_name_what_the_table_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
