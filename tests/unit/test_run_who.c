/* test_run_who.c - one word for each kind of peer; who lied stands first; ten rows and the number of the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/run.h"

static void a_word_for_each(void **state)
{
	static const struct {
		struct shoal_peer_info info;
		const char *word;
	} cases[] = {
		{ { .got = 0 }, "idle" },
		{ { .got = 100, .gave = 24 }, "gave" },
		{ { .got = 100, .gave = 25 }, "traded" },
		{ { .got = 24, .gave = 100 }, "took" },
		{ { .wasted = 5 }, "wasted" },
		{ { .got = 1000, .false_blocks = 1, .standing = SHOAL_STANDING_PAROLE }, "lied" },
		{ { .got = 1000, .spoiled = 16384 }, "lied" },
		{ { .got = 1000, .false_blocks = 2, .standing = SHOAL_STANDING_BANNED }, "banned" },
		{ { .got = 1000, .banned = true }, "banned" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(shoal_run_verdict(&cases[i].info), cases[i].word);
}

/* What the table prints. */
static char *printed(const struct shoal_run_torrent *t)
{
	static char out[8192];
	struct shoal_tool tool = { .command = "get" };
	FILE *file = tmpfile();
	assert_non_null(file);
	fflush(stdout);
	int keep = dup(STDOUT_FILENO);
	assert_true(keep >= 0 && dup2(fileno(file), STDOUT_FILENO) >= 0);
	shoal_run_who_say(&tool, t);
	fflush(stdout);
	assert_true(dup2(keep, STDOUT_FILENO) >= 0);
	close(keep);
	rewind(file);
	out[fread(out, 1, sizeof out - 1, file)] = '\0';
	fclose(file);
	return out;
}

static void ten_rows_and_the_others(void **state)
{
	struct shoal_run_peer peer[14] = { 0 };
	struct shoal_run_torrent t = { .peer = peer, .peer_count = 14 };
	(void)state;
	for (unsigned i = 0; i < 14; i++) {
		peer[i].info.addr = (struct shoal_addr){ .ip = { 10, 0, 0, (uint8_t)i }, .port = 6881, .is_v4 = 1 };
		peer[i].info.got = i * 1000; /* the first one did nothing: no row */
		peer[i].info.standing = SHOAL_STANDING_GOOD;
	}
	peer[3].info.banned = true;
	peer[3].info.standing = SHOAL_STANDING_BANNED;
	peer[3].info.false_blocks = 2;
	shoal_run_who_sort(&t);
	const char *out = printed(&t), *at = out;
	size_t lines = 0;
	for (; *at != '\0'; at++)
		lines += *at == '\n';
	assert_int_equal(lines, 12);
	const char *liar = strstr(out, "10.0.0.3:6881"), *best = strstr(out, "10.0.0.13:6881");
	assert_true(liar != NULL && best != NULL && liar < best);
	assert_non_null(strstr(liar, "    2  banned     banned"));
	assert_non_null(strstr(out, "and 3 others\n"));
	assert_null(strstr(out, "10.0.0.4:6881"));
	assert_null(strstr(out, "10.0.0.0:6881"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_word_for_each),
		cmocka_unit_test(ten_rows_and_the_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
