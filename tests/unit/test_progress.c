/* test_progress.c - rows that are drawn, and that go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/progress.h"

static const char *drawn(struct shoal_progress *p, bool tty)
{
	static char out[4096];
	int fd[2];
	assert_int_equal(pipe(fd), 0);
	p->fd = fd[1];
	p->tty = tty;
	shoal_progress_draw(p, 1);
	close(fd[1]);
	ssize_t n = read(fd[0], out, sizeof out - 1);
	close(fd[0]);
	out[n > 0 ? n : 0] = '\0';
	return out;
}

static void a_row_that_is_dropped_is_drawn_no_more(void **state)
{
	struct shoal_progress p = { .fd = -1 };
	(void)state;
	shoal_progress_row(&p, 0, "one", "1 %", NULL);
	shoal_progress_row(&p, 1, "two", "2 %", NULL);
	assert_string_equal(drawn(&p, false), "one  1 %\ntwo  2 %\n");
	assert_string_equal(drawn(&p, true), "one  1 %\ntwo  2 %");
	assert_int_equal(p.drawn, 2);
	p.drawn = 0;
	shoal_progress_drop(&p, 0);
	shoal_progress_drop(&p, 7); /* there is none */
	assert_string_equal(drawn(&p, false), "two  2 %\n");
	assert_string_equal(drawn(&p, true), "two  2 %");
	assert_int_equal(p.drawn, 1);
	p.drawn = 0;
	shoal_progress_row(&p, 0, "one again", "3 %", NULL);
	assert_string_equal(drawn(&p, true), "one again  3 %\ntwo  2 %");
}

static void a_narrow_terminal_gets_the_brief_form(void **state)
{
	struct shoal_progress p = { .fd = -1, .tty = true }; /* no terminal answers: 80 columns, 79 of them used */
	char wide[80];
	(void)state;
	memset(wide, '9', sizeof wide);
	wide[69] = '\0'; /* and 8 of the name, and 2 between */
	shoal_progress_row(&p, 0, "a name", wide, "brief");
	assert_non_null(strstr(drawn(&p, true), wide));
	wide[69] = '9';
	wide[70] = '\0';
	shoal_progress_row(&p, 0, "a name", wide, "brief");
	p.drawn = 0;
	assert_string_equal(drawn(&p, true), "a name  brief");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_row_that_is_dropped_is_drawn_no_more),
					    cmocka_unit_test(a_narrow_terminal_gets_the_brief_form) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
