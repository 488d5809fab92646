/* test_sim_words.c - what some words of a scenario make of a run: play, behind; and the figures that go with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tools/lab/suite.h"

/* Every line of must_hold is held, over three seeds. */
static void holds(const char *text)
{
	struct lab_suite suite;
	struct lab_fault fault;
	const struct lab_suite_options o = { .has_seeds = true, .first = 1, .last = 3 };
	int rc = lab_suite_open(&suite, shoal_bytes((const uint8_t *)text, strlen(text)), &o, &fault);
	if (rc < 0)
		fail_msg("%u:%u: %s", fault.line, fault.column, fault.what);
	lab_suite_judge(&suite);
	unsigned wrong = 0;
	for (unsigned i = 0; i < suite.lines; i++) {
		const struct lab_line *l = &suite.line[i];
		print_message("%-6s %-50s %g, %g %s\n", lab_verdict_text(l->verdict), l->text, l->left, l->right,
			      l->lacks);
		wrong += l->verdict != LAB_HELD;
	}
	assert_int_equal(wrong, 0);
	assert_int_equal(suite.verdict, LAB_HELD);
	lab_suite_fini(&suite);
}

/* 8 MiB at 2 MiB/s, of which a twentieth is not the content's. Played at half of that it is never waited for; played at
 * twice that it takes 2 s, and comes in 4 s: all that it is late for is waited for, but for the lead. */
static void what_comes_in_time_is_played_and_what_does_not_is_waited_for(void **state)
{
	(void)state;
	holds("name: play\n"
	      "summary: one watches\n"
	      "content: { size: 8M, piece: 64K }\n"
	      "nodes:\n"
	      "  - { name: seed, has: all, up: 2M, rtt: 20ms }\n"
	      "  - { name: viewer, down: 20M, rtt: 20ms, play: 50%, lead: 1s }\n"
	      "runs:\n"
	      "  - { name: greedy, set: [\"viewer.play = 200%\"] }\n"
	      "  - { name: patient, set: [\"viewer.play = 200%\", \"viewer.lead = 5s\"] }\n"
	      "must_hold:\n"
	      "  - always completed == 100%\n"
	      "  - always stalls == 0\n"
	      "  - always rebuffer == 0s\n"
	      "  - always stalls(greedy) >= 1\n"
	      "  - always rebuffer(greedy) >= 1s\n"
	      "  - always rebuffer(greedy) <= 1.5s\n"
	      "  - always stalls(patient) == 0\n");
}

/* Whose disk turns bits sends false blocks, and is known for it; where nobody does, nobody has anything against anybody. */
static void what_is_held_against_the_honest_is_seen(void **state)
{
	(void)state;
	holds("name: held\n"
	      "summary: one seed is bitten\n"
	      "content: { size: 4M, piece: 64K }\n"
	      "nodes:\n"
	      "  - { name: bitten, has: all, up: 2M, disk: { flips: 5% } }\n"
	      "  - { name: leeches, count: 3, up: 2M, down: 20M }\n"
	      "runs:\n"
	      "  - { name: sound, set: [\"bitten.disk.flips = 0%\", \"leeches.count = 4\"] }\n"
	      "must_hold:\n"
	      "  - always victims_moved >= 3\n"
	      "  - always victims_moved[bitten] >= 3\n"
	      "  - always victims_moved[leeches] == 0\n"
	      "  - always victims_moved(sound) == 0\n");
}

/* One host: the liar among three is known by its port. */
static void who_shares_an_address_is_told_apart(void **state)
{
	(void)state;
	holds("name: shared\n"
	      "summary: one of an office lies\n"
	      "content: { size: 4M, piece: 64K }\n"
	      "nodes:\n"
	      "  - { name: seed, has: all, up: 1M }\n"
	      "  - { name: out, count: 4, up: 1M, down: 20M }\n"
	      "  - { name: inside, count: 2, up: 1M, down: 20M, behind: office }\n"
	      "  - { name: liar, has: all, up: 1M, behind: office, adversary: { kind: polluter } }\n"
	      "must_hold:\n"
	      "  - always completed == 100%\n"
	      "  - always bans[liar] == 100%\n"
	      "  - always false_bans == 0\n"
	      "  - always victims_moved == 0\n");
}

/* S13, and a third of its content: of twenty some stall, and four give hardly anything. Nothing is waited for, and that does
 * not take asking for everything twice. */
static void a_stream_is_in_time_and_asks_twice_for_little(void **state)
{
	(void)state;
	holds("name: stream\n"
	      "summary: one watches, of peers of all speeds\n"
	      "content: { size: 100M, piece: 1M }\n"
	      "nodes:\n"
	      "  - { name: viewer, down: 200Mbit, rtt: 40ms, play: 60% }\n"
	      "  - { name: holders, count: 16, has: all, up: \"lognormal(8Mbit, 0.6)\", rtt: \"loguniform(20ms, "
	      "200ms)\" }\n"
	      "  - { name: slow, count: 4, has: all, up: 8Mbit, rtt: 60ms, adversary: { kind: slow-loris } }\n"
	      "events:\n"
	      "  - { at: 3s, kind: cut, who: 1 of holders, for: 4s, every: 4s, times: 20 }\n"
	      "must_hold:\n"
	      "  - always completed == 100%\n"
	      "  - always stalls == 0\n"
	      "  - always waste <= 3%\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_comes_in_time_is_played_and_what_does_not_is_waited_for),
		cmocka_unit_test(what_is_held_against_the_honest_is_seen),
		cmocka_unit_test(a_stream_is_in_time_and_asks_twice_for_little),
		cmocka_unit_test(who_shares_an_address_is_told_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
