/* test_landing.c - blocks asked, landed, given back and written in random order: no slot is lost, none is used twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "proto/base/rng.h"
#include "swarm/pieces/landing.h"

struct field {
	struct shoal_budget budget;
	struct shoal_slots *slots;
	struct shoal_landing landing;
};

static void begin(struct field *f, size_t memory)
{
	f->budget = (struct shoal_budget){ .limit = memory };
	assert_int_equal(shoal_slots_new(&f->slots, &f->budget), 0);
	assert_int_equal(shoal_landing_init(&f->landing, f->slots, &f->budget), 0);
}

/* Everything is back: no slot out, and all that could be reserved at first can be again. */
static void end(struct field *f, size_t spare)
{
	shoal_landing_fini(&f->landing);
	assert_int_equal(shoal_slots_out(f->slots), 0);
	assert_int_equal(shoal_slots_spare(f->slots), spare);
	shoal_slots_free(f->slots);
}

static void fill(struct field *f, struct shoal_open *open)
{
	uint32_t block;
	while ((block = shoal_open_unasked(open)) != UINT32_MAX) {
		shoal_open_ask(open, block);
		struct shoal_slot *slot = shoal_open_slot(&f->landing, open);
		assert_non_null(slot);
		assert_true(shoal_open_landed(&f->landing, open, block, slot, 1, 1));
	}
}

static void a_whole_piece_goes_in_one_run(void **state)
{
	(void)state;
	struct field f;
	struct shoal_open *open;
	begin(&f, 8 << 20);
	size_t spare = shoal_slots_spare(f.slots);
	assert_int_equal(shoal_landing_open(&f.landing, 7, 5 * SHOAL_BLOCK + 1, true, &open, 1), 0);
	assert_ptr_equal(shoal_landing_find(&f.landing, 7), open);
	assert_null(shoal_landing_find(&f.landing, 8));
	assert_int_equal(shoal_open_run(open), 0);
	fill(&f, open);
	assert_int_equal(open->state, SHOAL_OPEN_READY);
	assert_int_equal(shoal_open_run(open), 1);
	assert_int_equal(open->job.slot_count, 6);
	assert_int_equal(open->job.len, 5 * SHOAL_BLOCK + 1);
	assert_int_equal(open->job.flags, SHOAL_DISK_LAST | SHOAL_DISK_IF_GOOD);
	open->hash.good = 1;
	shoal_open_run_done(&f.landing, open);
	assert_int_equal(shoal_slots_out(f.slots), 0);
	shoal_landing_close(&f.landing, open);
	end(&f, spare);
}

static void a_bad_piece_keeps_its_blocks_until_they_are_blamed(void **state)
{
	(void)state;
	struct field f;
	struct shoal_open *open;
	begin(&f, 8 << 20);
	size_t spare = shoal_slots_spare(f.slots);
	assert_int_equal(shoal_landing_open(&f.landing, 0, 3 * SHOAL_BLOCK, false, &open, 1), 0);
	fill(&f, open);
	assert_int_equal(shoal_open_run(open), 1);
	open->hash.good = 0;
	shoal_open_run_done(&f.landing, open);
	assert_non_null(open->slot[2]);
	assert_int_equal(shoal_landing_again(&f.landing, open, 2), 0);
	assert_int_equal(open->unasked, 3);
	assert_null(open->slot[2]);
	fill(&f, open);
	assert_int_equal(open->state, SHOAL_OPEN_READY);
	shoal_landing_close(&f.landing, open);
	end(&f, spare);
}

static void a_second_copy_of_a_block_is_refused(void **state)
{
	(void)state;
	struct field f;
	struct shoal_open *open;
	begin(&f, 8 << 20);
	size_t spare = shoal_slots_spare(f.slots);
	assert_int_equal(shoal_landing_open(&f.landing, 0, 2 * SHOAL_BLOCK, false, &open, 1), 0);
	shoal_open_ask(open, 0);
	shoal_open_ask(open, 0); /* end game */
	struct shoal_slot *first = shoal_open_slot(&f.landing, open);
	struct shoal_slot *second = shoal_open_slot(&f.landing, open);
	assert_true(shoal_open_landed(&f.landing, open, 0, first, 1, 1));
	assert_false(shoal_open_landed(&f.landing, open, 0, second, 2, 1));
	shoal_open_unask(&f.landing, open, 0, false, second);
	assert_int_equal(open->source[0], 1);
	fill(&f, open); /* the other block still has its promise */
	shoal_landing_close(&f.landing, open);
	end(&f, spare);
}

/* One can be passed over, for others to be asked for; no further than the window goes. */
static void the_next_unasked_block_after_one(void **state)
{
	(void)state;
	struct field f;
	struct shoal_open *open;
	begin(&f, 8 << 20);
	size_t spare = shoal_slots_spare(f.slots);
	assert_int_equal(shoal_landing_open(&f.landing, 0, 3 * SHOAL_BLOCK, true, &open, 1), 0);
	shoal_open_ask(open, 1);
	assert_int_equal(shoal_open_unasked(open), 0);
	assert_int_equal(shoal_open_unasked_after(open, 0), 2);
	assert_int_equal(shoal_open_unasked_after(open, 2), UINT32_MAX);
	open->window = 2;
	assert_int_equal(shoal_open_unasked_after(open, 0), UINT32_MAX);
	shoal_landing_close(&f.landing, open);
	end(&f, spare);
}

static void a_large_piece_passes_through_a_window(void **state)
{
	(void)state;
	struct field f;
	struct shoal_open *open;
	uint32_t blocks = 500;
	begin(&f, 4 << 20); /* 255 slots or so */
	size_t spare = shoal_slots_spare(f.slots);
	assert_int_equal(shoal_landing_open(&f.landing, 0, blocks * SHOAL_BLOCK, false, &open, 1), 0);
	assert_false(open->whole);
	uint32_t written = 0;
	while (written < blocks) {
		fill(&f, open);
		assert_in_range(shoal_slots_out(f.slots), 1, SHOAL_LANDING_WINDOW);
		assert_int_equal(shoal_open_run(open), 1);
		assert_int_equal(open->job.begin, written * SHOAL_BLOCK);
		written += open->job.slot_count;
		assert_int_equal(!!(open->job.flags & SHOAL_DISK_LAST), written == blocks);
		open->hash.good = 1;
		shoal_open_run_done(&f.landing, open);
	}
	shoal_landing_close(&f.landing, open);
	end(&f, spare);
}

/* Streamed and false: the disk keeps what is right, and gets the rest in runs that step over it. */
static void of_a_streamed_piece_what_is_right_stays(void **state)
{
	(void)state;
	struct field f;
	struct shoal_open *open;
	enum { BLOCKS = 500 };
	static const struct {
		uint32_t wrong[4], count;
		uint32_t runs;
	} cases[] = {
		{ { 0 }, 1, 1 },	  { { BLOCKS - 1 }, 1, 1 },	    { { 7, 8, 9, 300 }, 4, 2 },
		{ { 0, 2, 4, 6 }, 4, 4 }, { { 100, 101, 498, 499 }, 4, 2 },
	};
	for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
		bool wrong[BLOCKS] = { false };
		uint32_t runs = 0, brought = 0;
		begin(&f, 4 << 20);
		size_t spare = shoal_slots_spare(f.slots);
		assert_int_equal(shoal_landing_open(&f.landing, 0, BLOCKS * SHOAL_BLOCK - 5, true, &open, 1), 0);
		while (open->handed < BLOCKS) {
			fill(&f, open);
			assert_int_equal(shoal_open_run(open), 1);
			shoal_open_run_done(&f.landing, open);
		}
		for (uint32_t i = 0; i < cases[c].count; i++)
			wrong[cases[c].wrong[i]] = true;
		assert_int_equal(shoal_open_patch(&f.landing, open, wrong, 2), 0);
		assert_int_equal(open->state, SHOAL_OPEN_FETCHING);
		assert_int_equal(open->unasked, cases[c].count);
		while (open->handed < BLOCKS) {
			fill(&f, open);
			assert_int_equal(shoal_open_run(open), 1);
			for (uint32_t b = 0; b < open->job.slot_count; b++)
				assert_true(wrong[open->job.begin / SHOAL_BLOCK + b]);
			brought += open->job.slot_count;
			runs++;
			assert_int_equal(!!(open->job.flags & SHOAL_DISK_LAST), brought == cases[c].count);
			shoal_open_run_done(&f.landing, open);
		}
		assert_int_equal(runs, cases[c].runs);
		assert_int_equal(open->here, BLOCKS);
		assert_int_equal(shoal_landing_again(&f.landing, open, 3), 0); /* false all the same */
		assert_int_equal(open->unasked, BLOCKS);
		shoal_landing_close(&f.landing, open);
		end(&f, spare);
	}
}

/* Some blocks of a streamed piece are found false. false: none, or there is no memory for them. */
static bool patched(struct field *f, struct shoal_open *open, struct shoal_rng *rng)
{
	bool wrong[150] = { false };
	uint32_t count = shoal_rng_below(rng, 3);
	if (open->whole || count == 0)
		return false;
	for (uint32_t i = 0; i < count; i++)
		wrong[shoal_rng_below(rng, open->blocks)] = true;
	return shoal_open_patch(&f->landing, open, wrong, 1) == 0;
}

/* Random life: opens until memory is out, asks, lands, gives back, duplicates; then the sums must be what they were. */
static void no_slot_is_lost_whatever_happens(void **state)
{
	(void)state;
	struct shoal_rng rng = shoal_rng_split(1, 1);
	for (uint32_t round = 0; round < 200; round++) {
		struct {
			struct shoal_open *open;
			uint32_t block;
			struct shoal_slot *slot;
		} ask[512];
		uint32_t asks = 0, next = 0;
		struct field f;
		begin(&f, (1 + shoal_rng_below(&rng, 8)) << 20);
		size_t spare = shoal_slots_spare(f.slots);
		for (int step = 0; step < 2000; step++) {
			struct shoal_open *open = f.landing.head;
			for (uint32_t skip = f.landing.count ? shoal_rng_below(&rng, f.landing.count) : 0; skip > 0;
			     skip--)
				open = open->next;
			uint32_t dice = shoal_rng_below(&rng, 10);
			if (dice == 0 || open == NULL) {
				uint32_t bytes = 1 + shoal_rng_below(&rng, 150 * SHOAL_BLOCK);
				int rc = shoal_landing_open(&f.landing, next, bytes, dice & 1, &open, 1);
				assert_true(rc == 0 || rc == SHOAL_ERR_BUSY);
				next += rc == 0;
			} else if (dice < 6 && asks < 512) {
				uint32_t block = shoal_open_unasked(open);
				if (block == UINT32_MAX)
					continue;
				shoal_open_ask(open, block);
				ask[asks].open = open;
				ask[asks].block = block;
				ask[asks++].slot = dice & 1 ? shoal_open_slot(&f.landing, open) : NULL;
			} else if (asks > 0) {
				uint32_t i = shoal_rng_below(&rng, asks);
				open = ask[i].open;
				if (dice < 9 && ask[i].slot == NULL)
					ask[i].slot = shoal_open_slot(&f.landing, open);
				if (dice < 9 && ask[i].slot != NULL)
					assert_true(
						shoal_open_landed(&f.landing, open, ask[i].block, ask[i].slot, 1, 1));
				else
					shoal_open_unask(&f.landing, open, ask[i].block, false, ask[i].slot);
				ask[i] = ask[--asks];
				if (shoal_open_run(open) == 1) {
					open->hash.good = 1;
					bool last = open->job.flags & SHOAL_DISK_LAST;
					shoal_open_run_done(&f.landing, open);
					if (last && !patched(&f, open, &rng))
						shoal_landing_close(&f.landing, open);
				}
			}
			assert_true(f.budget.used <= f.budget.limit);
		}
		while (asks-- > 0)
			shoal_open_unask(&f.landing, ask[asks].open, ask[asks].block, false, ask[asks].slot);
		end(&f, spare);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_piece_goes_in_one_run),
		cmocka_unit_test(a_bad_piece_keeps_its_blocks_until_they_are_blamed),
		cmocka_unit_test(a_second_copy_of_a_block_is_refused),
		cmocka_unit_test(the_next_unasked_block_after_one),
		cmocka_unit_test(a_large_piece_passes_through_a_window),
		cmocka_unit_test(of_a_streamed_piece_what_is_right_stays),
		cmocka_unit_test(no_slot_is_lost_whatever_happens),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
