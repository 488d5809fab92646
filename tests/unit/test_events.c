/* test_events.c - in order, with texts of their own; the chatty ones give way first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "proto/base/bytes.h"
#include "swarm/core/events.h"

static void texts_outlive_their_giver(void **state)
{
	(void)state;
	struct shoal_events q;
	struct shoal_event ev;
	char text[] = "false block";
	uint32_t copies[3] = { 1, 2, 3 };
	shoal_events_init(&q);
	assert_int_equal(shoal_events_poll(&q, &ev), 0);
	ev = (struct shoal_event){ .kind = SHOAL_EV_WARNING,
				   .text = shoal_bytes(text, 11),
				   .name = SHOAL_LIT("n"),
				   .data = SHOAL_LIT("data"),
				   .copies = copies,
				   .copies_count = 3 };
	shoal_events_push(&q, &ev);
	memset(text, 'x', sizeof text);
	memset(copies, 0, sizeof copies);
	assert_int_equal(shoal_events_poll(&q, &ev), 1);
	assert_true(shoal_bytes_equal(ev.text, SHOAL_LIT("false block")));
	assert_true(shoal_bytes_equal(ev.name, SHOAL_LIT("n")));
	assert_true(shoal_bytes_equal(ev.data, SHOAL_LIT("data")));
	assert_int_equal(ev.copies[2], 3);
	assert_int_equal(shoal_events_poll(&q, &ev), 0);
	shoal_events_fini(&q);
}

static void what_matters_is_never_dropped_for_chatter(void **state)
{
	(void)state;
	struct shoal_events q;
	struct shoal_event ev = { .kind = SHOAL_EV_PIECE };
	shoal_events_init(&q);
	for (uint32_t i = 0; i < SHOAL_EVENTS_SOFT_MAX + 100; i++) {
		ev.index = i;
		shoal_events_push(&q, &ev);
	}
	assert_int_equal(q.count, SHOAL_EVENTS_SOFT_MAX);
	assert_int_equal(q.dropped, 100);
	ev.kind = SHOAL_EV_COMPLETE;
	shoal_events_push(&q, &ev);
	uint32_t n = 0;
	while (shoal_events_poll(&q, &ev) > 0 && ev.kind == SHOAL_EV_PIECE)
		assert_int_equal(ev.index, n++);
	assert_int_equal(n, SHOAL_EVENTS_SOFT_MAX);
	assert_int_equal(ev.kind, SHOAL_EV_COMPLETE);
	ev.kind = SHOAL_EV_ERROR;
	for (uint32_t i = 0; i < SHOAL_EVENTS_HARD_MAX + 5; i++)
		shoal_events_push(&q, &ev);
	assert_int_equal(q.count, SHOAL_EVENTS_HARD_MAX);
	shoal_events_fini(&q);
	assert_int_equal(q.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_outlive_their_giver),
		cmocka_unit_test(what_matters_is_never_dropped_for_chatter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
