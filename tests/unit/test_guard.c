/* test_guard.c - places of one address and one network: strangers', those of who has proven himself, and the way back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "swarm/peers/guard.h"

#define NOW SHOAL_S(1000)

static struct shoal_guard guard(struct shoal_budget *budget)
{
	struct shoal_guard g;
	*budget = (struct shoal_budget){ .limit = 1u << 20 };
	shoal_guard_init(&g, budget, (struct shoal_sipkey){ 1, 2 });
	return g;
}

static struct shoal_addr v4(uint8_t net, uint8_t host)
{
	return (struct shoal_addr){ .ip = { 80, 1, net, host }, .port = 7000, .is_v4 = 1 };
}

/* How many of `n` come in, as strangers; their places. */
static unsigned come(struct shoal_guard *g, struct shoal_addr addr, uint32_t torrents, unsigned n,
		     enum shoal_guard_place place[])
{
	unsigned in = 0;
	for (unsigned i = 0; i < n; i++) {
		enum shoal_guard_place got;
		if (!shoal_guard_join(g, &addr, torrents, 0, &got, NOW))
			continue;
		assert_int_equal(got, SHOAL_GUARD_STRANGER);
		place[in++] = got;
	}
	return in;
}

/* All of them stand the test, or none any more; how many are taken for proven then. */
static unsigned regard(struct shoal_guard *g, struct shoal_addr addr, unsigned n, enum shoal_guard_place place[],
		       bool good)
{
	unsigned proven = 0;
	for (unsigned i = 0; i < n; i++) {
		place[i] = shoal_guard_regard(g, &addr, 1, place[i], good, NOW);
		proven += place[i] == SHOAL_GUARD_PROVEN;
	}
	return proven;
}

static void leave(struct shoal_guard *g, struct shoal_addr addr, unsigned n, const enum shoal_guard_place place[])
{
	for (unsigned i = 0; i < n; i++)
		shoal_guard_leave(g, &addr, place[i], NOW);
}

/* However many come, strangers have three places; whoever proves himself leaves his to another, up to an end. */
static void who_proves_himself_takes_no_strangers_place(void **state)
{
	struct shoal_budget budget;
	struct shoal_guard g = guard(&budget);
	struct shoal_addr office = v4(1, 1);
	enum shoal_guard_place place[64];
	unsigned in = 0, rounds = 0;
	(void)state;
	assert_int_equal(come(&g, office, 1, 40, place), SHOAL_GUARD_HOST_CONNS);
	in = SHOAL_GUARD_HOST_CONNS;
	assert_int_equal(come(&g, office, 1, 40, place + in), 0);
	for (unsigned more = in; more > 0 && rounds < 20; rounds++) {
		(void)regard(&g, office, in, place, true);
		more = come(&g, office, 1, 40, place + in);
		in += more;
	}
	assert_int_equal(in, SHOAL_GUARD_HOST_CONNS + SHOAL_GUARD_HOST_PROVEN);
	assert_int_equal(regard(&g, office, in, place, true), SHOAL_GUARD_HOST_PROVEN);
	/* Others are not worse off for that. */
	assert_int_equal(come(&g, v4(2, 1), 1, 40, place + in), SHOAL_GUARD_HOST_CONNS);
	/* And once all are gone it is as before. */
	leave(&g, office, in, place);
	assert_int_equal(come(&g, office, 1, 40, place), SHOAL_GUARD_HOST_CONNS);
	assert_int_equal(regard(&g, office, SHOAL_GUARD_HOST_CONNS, place, true), SHOAL_GUARD_HOST_CONNS);
	shoal_guard_fini(&g);
	assert_int_equal(budget.used, 0);
}

/* Whoever turns is a stranger again, one too many: nobody comes in until those are fewer than three. */
static void who_turns_is_a_stranger_again(void **state)
{
	struct shoal_budget budget;
	struct shoal_guard g = guard(&budget);
	struct shoal_addr office = v4(1, 1);
	enum shoal_guard_place place[64];
	(void)state;
	unsigned in = come(&g, office, 1, 3, place);
	assert_int_equal(regard(&g, office, 3, place, true), 3);
	in += come(&g, office, 1, 40, place + 3);
	assert_int_equal(in, 6);
	assert_int_equal(regard(&g, office, 3, place, false), 0);
	assert_int_equal(come(&g, office, 1, 40, place + in), 0);
	leave(&g, office, 3, place); /* six strangers; three */
	assert_int_equal(come(&g, office, 1, 40, place), 0);
	leave(&g, office, 1, place + 3);
	assert_int_equal(come(&g, office, 1, 40, place), 1);
	shoal_guard_fini(&g);
}

/* A network has an end as well, of both sorts; so have all torrents together, and near ones are not counted. */
static void networks_torrents_and_neighbours(void **state)
{
	struct shoal_budget budget;
	struct shoal_guard g = guard(&budget);
	enum shoal_guard_place place[64], none;
	unsigned proven = 0;
	(void)state;
	for (uint8_t host = 1; host <= 100; host++) {
		unsigned in = come(&g, v4(1, host), 1, 1, place);
		proven += regard(&g, v4(1, host), in, place, true);
	}
	assert_int_equal(proven, SHOAL_GUARD_NET_PROVEN);
	assert_int_equal(come(&g, v4(1, 200), 1, 3, place), 0); /* sixteen have come since, and are strangers */
	assert_int_equal(come(&g, v4(3, 1), 2, 40, place), 2 * SHOAL_GUARD_HOST_CONNS);
	struct shoal_addr near = { .ip = { 10, 0, 0, 1 }, .port = 7000, .is_v4 = 1 };
	for (unsigned i = 0; i < 40; i++) {
		assert_true(shoal_guard_join(&g, &near, 1, 0, &none, NOW));
		assert_int_equal(none, SHOAL_GUARD_FREE);
		assert_int_equal(shoal_guard_regard(&g, &near, 1, none, true, NOW), SHOAL_GUARD_FREE);
	}
	shoal_guard_fini(&g);
}

/* Beyond its share a host has what is to spare, and crowds for so long; so does a network. */
static void beyond_the_share_is_what_is_to_spare(void **state)
{
	struct shoal_budget budget;
	struct shoal_guard g = guard(&budget);
	struct shoal_addr office = v4(1, 1);
	enum shoal_guard_place place[64];
	unsigned in = 0, nets = 0;
	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		assert_int_equal(shoal_guard_crowds(&g, &office, 1, NOW), in > SHOAL_GUARD_HOST_CONNS);
		in += shoal_guard_join(&g, &office, 1, 10, &place[in], NOW);
	}
	assert_int_equal(in, 10);
	assert_false(shoal_guard_join(&g, &office, 1, 0, &place[in], NOW)); /* all places are taken */
	assert_false(shoal_guard_crowds(&g, &office, 4, NOW));		    /* twelve are the share of four torrents */
	/* Who has proven himself crowds nobody. */
	assert_int_equal(regard(&g, office, 7, place, true), 7);
	assert_false(shoal_guard_crowds(&g, &office, 1, NOW));
	leave(&g, office, in, place);
	for (uint8_t host = 1; host <= 40; host++) {
		struct shoal_addr addr = v4(2, host);
		assert_int_equal(shoal_guard_crowds(&g, &addr, 1, NOW), nets > SHOAL_GUARD_NET_CONNS);
		nets += shoal_guard_join(&g, &addr, 1, 20, &place[nets], NOW);
	}
	assert_int_equal(nets, 20);
	shoal_guard_fini(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_proves_himself_takes_no_strangers_place),
		cmocka_unit_test(who_turns_is_a_stranger_again),
		cmocka_unit_test(networks_torrents_and_neighbours),
		cmocka_unit_test(beyond_the_share_is_what_is_to_spare),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
