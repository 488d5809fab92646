/* test_sim_clock.c - the calendar against the plainest one there is: the same alarms ring, at the same time, in the same order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/rng.h"
#include "tools/lab/world/clock.h"

#define ALARMS 200u

struct bell {
	struct sim_alarm alarm; /* first */
	struct belfry *of;
};
struct belfry {
	struct sim_clock clock;
	struct shoal_rng dice;
	struct bell bell[ALARMS];
	/* The plain calendar: when each is due (SHOAL_NEVER: it is not set), and when that was said. */
	shoal_us at[ALARMS];
	uint64_t said[ALARMS], order;
	uint64_t rung;
	uint32_t again; /* of 16 that ring, so many are set again at once */
};

/* From the very moment to years: every list there is, and their ends. */
static shoal_us some_time(struct belfry *b)
{
	static const shoal_us unit[] = { 1, 64, 4096, 1 << 18, 1 << 26, SHOAL_S(3600) };
	shoal_us u = unit[shoal_rng_below(&b->dice, sizeof unit / sizeof *unit)];
	shoal_us at = b->clock.now + u * shoal_rng_below(&b->dice, 5) + shoal_rng_below(&b->dice, 3);
	if (shoal_rng_below(&b->dice, 4) == 0)
		at = at / u * u; /* on a border, and perhaps over */
	return at > 0 ? at - shoal_rng_below(&b->dice, 2) : 0;
}

static void set(struct belfry *b, uint32_t i, shoal_us at)
{
	sim_alarm_set(&b->clock, &b->bell[i].alarm, at);
	b->at[i] = at > b->clock.now ? at : b->clock.now;
	b->said[i] = b->order++;
}

static void drop(struct belfry *b, uint32_t i)
{
	sim_alarm_drop(&b->clock, &b->bell[i].alarm);
	b->at[i] = SHOAL_NEVER;
}

static uint32_t first(const struct belfry *b)
{
	uint32_t least = 0;
	for (uint32_t i = 1; i < ALARMS; i++)
		if (b->at[i] < b->at[least] || (b->at[i] == b->at[least] && b->said[i] < b->said[least]))
			least = i;
	return least;
}

static void rings(struct sim_alarm *alarm)
{
	struct bell *bell = SIM_OF(alarm, struct bell, alarm);
	struct belfry *b = bell->of;
	uint32_t i = (uint32_t)(bell - b->bell);
	assert_int_equal(i, first(b));
	assert_int_equal(b->at[i], b->clock.now);
	assert_false(sim_alarm_is_set(alarm));
	b->at[i] = SHOAL_NEVER;
	b->rung++;
	if (shoal_rng_below(&b->dice, 16) < b->again)
		set(b, i, some_time(b));
	if (shoal_rng_below(&b->dice, 8) == 0) /* one that is due as well, perhaps */
		drop(b, shoal_rng_below(&b->dice, ALARMS));
}

static void begin(struct belfry *b, uint64_t seed)
{
	memset(b, 0, sizeof *b);
	sim_clock_init(&b->clock);
	b->dice = shoal_rng_split(seed, 0);
	for (uint32_t i = 0; i < ALARMS; i++) {
		b->bell[i] = (struct bell){ .alarm = { .ring = rings }, .of = b };
		b->at[i] = SHOAL_NEVER;
	}
}

static void end(struct belfry *b)
{
	for (uint32_t i = 0; i < ALARMS; i++)
		drop(b, i);
	sim_clock_fini(&b->clock);
}

static void all_ring_in_order(void **state)
{
	static struct belfry b;
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		begin(&b, seed);
		b.again = (uint32_t)(seed % 17);
		for (unsigned round = 0; round < 2000; round++) {
			uint32_t i = shoal_rng_below(&b.dice, ALARMS);
			if (shoal_rng_below(&b.dice, 4) > 0)
				set(&b, i, some_time(&b));
			else
				drop(&b, i);
			assert_int_equal(sim_alarm_is_set(&b.bell[i].alarm), b.at[i] != SHOAL_NEVER);
			shoal_us until = some_time(&b), due = b.at[first(&b)], was = b.clock.now;
			if (shoal_rng_below(&b.dice, 2) == 0)
				continue;
			bool any = sim_clock_step(&b.clock, until);
			assert_int_equal(any, due <= until);
			assert_int_equal(b.clock.now, any ? due : until > was ? until : was);
			assert_true(b.at[first(&b)] > b.clock.now || !any); /* nothing is left of that moment */
		}
		assert_int_equal(b.rung, b.clock.rung);
		assert_true(b.rung > 100);
		end(&b);
	}
}

/* Moved a million times, it takes no more memory than one that is set. */
static void moving_leaves_nothing_behind(void **state)
{
	static struct belfry b;
	(void)state;
	begin(&b, 1);
	set(&b, 0, SIM_START + SHOAL_S(3600));
	for (uint32_t i = 0; i < 1000000; i++) {
		set(&b, 1, b.clock.now + SHOAL_S(60) + i % 7);
		if (i % 1000 == 0)
			assert_false(sim_clock_step(&b.clock, b.clock.now + 50));
	}
	assert_true(b.clock.notes < 20000);
	assert_int_equal(b.clock.set, 2);
	end(&b);
}

static void what_never_comes_does_not_ring(void **state)
{
	static struct belfry b;
	(void)state;
	begin(&b, 1);
	set(&b, 0, SHOAL_NEVER);
	assert_true(sim_alarm_is_set(&b.bell[0].alarm));
	assert_false(sim_clock_step(&b.clock, SIM_START + SHOAL_S(100000000)));
	assert_int_equal(b.clock.now, SIM_START + SHOAL_S(100000000));
	end(&b);
}

/* In a large world: nobody is told who is not set, and all hear of each step once, one after another. */
#define CROWD 8000u
struct guest {
	struct sim_alarm alarm; /* first */
	unsigned told;
};
static unsigned guests_rung, guests_ready;

static void guest_rings(struct sim_alarm *alarm)
{
	const struct guest *g = SIM_OF(alarm, struct guest, alarm);
	guests_rung++;
	guests_ready += g->told == SIM_NEXT + 1;
}

static void guest_hears(struct sim_alarm *alarm, enum sim_soon how)
{
	struct guest *g = SIM_OF(alarm, struct guest, alarm);
	assert_true(sim_alarm_is_set(alarm));
	assert_int_equal(how, g->told);
	g->told++;
}

static void who_rings_soon_hears_of_it(void **state)
{
	static struct guest guest[2 * CROWD];
	struct sim_clock clock;
	struct shoal_rng dice = shoal_rng_split(1, 0);
	(void)state;
	sim_clock_init(&clock);
	for (uint32_t i = 0; i < 2 * CROWD; i++) {
		guest[i] = (struct guest){ .alarm = { .ring = guest_rings, .soon = guest_hears } };
		sim_alarm_set(&clock, &guest[i].alarm,
			      SIM_START + 1000 + shoal_rng_below(&dice, 20000) + (i < CROWD ? 0 : SHOAL_S(9)));
	}
	for (uint32_t i = 0; i < CROWD; i += 7)
		sim_alarm_drop(&clock, &guest[i].alarm);
	while (sim_clock_step(&clock, SIM_START + SHOAL_S(1)))
		;
	assert_int_equal(guests_rung, CROWD - (CROWD + 6) / 7);
	assert_int_equal(guests_ready, guests_rung);
	for (uint32_t i = 0; i < 2 * CROWD; i++)
		sim_alarm_drop(&clock, &guest[i].alarm);
	sim_clock_fini(&clock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_ring_in_order),
		cmocka_unit_test(moving_leaves_nothing_behind),
		cmocka_unit_test(what_never_comes_does_not_ring),
		cmocka_unit_test(who_rings_soon_hears_of_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
