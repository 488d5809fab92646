/* test_sim_regard.c - whom a node dials first and who stays when it is full: by record, and nobody is shut out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/compact.h"
#include "swarm/core/contacts.h"
#include "swarm/core/evidence.h"
#include "swarm/core/node_room.h"
#include "tests/sim/scene.h"
#include "tests/sim/strangers.h"

/* Of kind `i % KINDS`, each in a network of its own. */
enum kind { KNOWN_GOOD, UNKNOWN, ON_PAROLE, NEVER_ANSWERS, KINDS };
static const char *const names[KINDS] = { "known to be good", "unknown", "on parole", "known not to answer" };
enum { EACH = 60, ALL = EACH * KINDS };

static struct shoal_addr place(uint32_t i)
{
	return strangers_v4(0x50000001u + (i << 12), 7000);
}

/* What the node remembers of it. */
static void remember(struct strangers *w, const struct shoal_addr *addr, enum kind kind)
{
	uint32_t now_s = shoal_node_seconds(w->node, w->now);
	if (kind == UNKNOWN)
		return;
	struct shoal_repute_entry *e = shoal_repute_take(&w->node->repute, addr, now_s);
	assert_non_null(e);
	e->listens = true;
	switch (kind) {
	case KNOWN_GOOD: shoal_rep_verified(&e->rep, shoal_rep_memory(0), 200, now_s); break;
	case ON_PAROLE: shoal_rep_false(&e->rep, SHOAL_REP_WHY_FALSE_LEAF, 1, 1, now_s); break;
	default: shoal_rep_missed(&e->rep, 40); break;
	}
	shoal_repute_give(&w->node->repute, e);
}

/* The place of each in the order of dialling; every one of them is dialled. */
static void order_of(struct strangers *w, uint32_t order[ALL])
{
	for (uint32_t i = 0; i < ALL; i++) {
		struct shoal_addr at = place(i);
		order[i] = UINT32_MAX;
		for (uint32_t d = 0; d < w->dials && order[i] == UINT32_MAX; d++)
			if (shoal_addr_equal(&w->dial[d].to, &at))
				order[i] = d;
		if (order[i] == UINT32_MAX)
			fail_msg("%u (%s) was never dialled", i, names[i % KINDS]);
	}
}

static void mean_place(bool scores, double mean[KINDS], uint32_t last[KINDS], uint32_t first[KINDS])
{
	uint32_t order[ALL];
	struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true });
	if (!scores)
		w->node->policy = &shoal_policy_off;
	for (uint32_t i = 0; i < ALL; i++) {
		struct shoal_addr at = place(i);
		remember(w, &at, (enum kind)(i % KINDS));
		assert_non_null(shoal_swarm_contact(w->node->swarms, &at, SHOAL_FROM_TRACKER, w->now));
	}
	strangers_run(w, SHOAL_S(30));
	order_of(w, order);
	for (unsigned kind = 0; kind < KINDS; kind++) {
		mean[kind] = last[kind] = 0;
		first[kind] = UINT32_MAX;
	}
	for (uint32_t i = 0; i < ALL; i++) {
		mean[i % KINDS] += (double)order[i] / EACH;
		last[i % KINDS] = order[i] > last[i % KINDS] ? order[i] : last[i % KINDS];
		first[i % KINDS] = order[i] < first[i % KINDS] ? order[i] : first[i % KINDS];
	}
	for (unsigned kind = 0; kind < KINDS; kind++)
		print_message("%s: %s: dialled %u to %u, %.0f in the mean\n", scores ? "full" : "off", names[kind],
			      first[kind], last[kind], mean[kind]);
	strangers_free(w);
}

static void who_is_known_to_be_good_is_dialled_first(void **state)
{
	double mean[KINDS];
	uint32_t last[KINDS], first[KINDS];
	(void)state;
	mean_place(true, mean, last, first);
	assert_true(mean[KNOWN_GOOD] < 0.7 * mean[UNKNOWN]);
	/* Some of them wait for their turn as strangers do, so that strangers are always among the next. */
	assert_in_range(first[UNKNOWN], EACH / 3, EACH - 1);
	assert_true(last[KNOWN_GOOD] > first[UNKNOWN] + EACH / 4);
	/* The bad come last, and do come (order_of). */
	assert_true(first[ON_PAROLE] > last[UNKNOWN] && first[NEVER_ANSWERS] > last[UNKNOWN]);
	assert_true(first[ON_PAROLE] > last[KNOWN_GOOD] && first[NEVER_ANSWERS] > last[KNOWN_GOOD]);
	/* Where no score is kept, all are alike. */
	mean_place(false, mean, last, first);
	for (unsigned kind = 0; kind < KINDS; kind++)
		assert_true(mean[kind] > 0.8 * ALL / 2 && mean[kind] < 1.2 * ALL / 2);
}

/* ---- all places are taken ------------------------------------------------------------------------------- */

/* Ten are here, all of whom want something, with these records; another comes. Who of the ten is gone: a number, or -1. */
static int who_goes(const enum kind kind[10], enum kind newcomer, bool wants)
{
	struct stranger *s[10];
	int gone = -1;
	struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true, .max_peers = 10 });
	/* Who comes has the lowest priority of all (BEP 40), so that this alone lets it in nowhere. */
	uint32_t least = 0;
	for (uint32_t i = 1; i <= 10; i++) {
		struct shoal_addr at = place(i), low = place(least);
		least = shoal_node_priority(w->node, &at) < shoal_node_priority(w->node, &low) ? i : least;
	}
	for (uint32_t i = 0, n = 0; i <= 10; i++) {
		struct shoal_addr at = place(i);
		if (i == least)
			continue;
		remember(w, &at, kind[n]);
		s[n] = stranger_come(w, &at, at.port);
		assert_true(s[n]->open);
		if (wants)
			stranger_wants(s[n]);
		n++;
	}
	strangers_run(w, SHOAL_S(5));
	struct shoal_addr late = place(least);
	remember(w, &late, newcomer);
	bool in = stranger_come(w, &late, late.port)->open;
	for (int i = 0; i < 10; i++)
		if (!s[i]->open) {
			assert_int_equal(gone, -1);
			gone = i;
		}
	assert_int_equal(in, gone >= 0);
	strangers_free(w);
	return gone;
}

static void who_is_known_to_be_bad_makes_room(void **state)
{
	enum kind some[10] = { UNKNOWN, UNKNOWN, KNOWN_GOOD, UNKNOWN, UNKNOWN,
			       UNKNOWN, UNKNOWN, UNKNOWN,    UNKNOWN, KNOWN_GOOD };
	(void)state;
	assert_int_equal(who_goes(some, UNKNOWN, true), -1); /* all are of use */
	some[6] = ON_PAROLE;
	assert_int_equal(who_goes(some, UNKNOWN, true), 6);
	assert_int_equal(who_goes(some, ON_PAROLE, true), -1); /* it is no better */
	some[6] = NEVER_ANSWERS;
	assert_int_equal(who_goes(some, UNKNOWN, true), 6);
	/* None wants anything: the oldest goes, but the bad before it, and the good after all. */
	assert_int_equal(who_goes(some, UNKNOWN, false), 6);
	some[6] = UNKNOWN;
	some[0] = KNOWN_GOOD;
	assert_int_equal(who_goes(some, UNKNOWN, false), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_known_to_be_good_is_dialled_first),
		cmocka_unit_test(who_is_known_to_be_bad_makes_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
