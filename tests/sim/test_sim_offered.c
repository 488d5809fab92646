/*
 * test_sim_offered.c - many small files share a piece of v1, and some of them lie in another folder: only blocks that hold a
 * byte of the others are fetched; what is false of what lies there costs its blocks, or its piece, and nobody's name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "swarm/core/adopt.h"
#include "swarm/core/evidence.h"
#include "swarm/core/node_room.h"
#include "tests/sim/scene.h"

#define OLD "/old"
#define FILES 160u
#define PIECE (256 * KIB)

/* What a run does to the files of the folder that is adopted from. */
enum harm { GONE = 1, ROTTEN = 2 };

struct stage {
	struct sim_content c;
	struct sim *sim;
	struct sim_node *leech;
	uint8_t harm[FILES];
	uint64_t at[FILES]; /* the rotten byte */
};

/* Files of 1 byte to 60 KiB, on no boundary. */
static void many_files(struct sim_content *c, uint64_t seed)
{
	struct sim_file_spec file[FILES];
	char name[FILES][16];
	struct shoal_rng rng = shoal_rng_split(seed, 9);
	for (uint32_t i = 0; i < FILES; i++) {
		snprintf(name[i], sizeof name[i], "%u/%03u", i / 40, i);
		uint32_t most = i % 3 == 0 ? 400 : 60 * KIB;
		file[i] = (struct sim_file_spec){ name[i], 1 + shoal_rng_below(&rng, most) };
	}
	sim_content_init(c, &(struct sim_content_spec){ .seed = seed,
							.format = SHOAL_FORMAT_V1,
							.piece_size = PIECE,
							.file = file,
							.file_count = FILES });
}

/* So many seeds (of one no block comes twice), and a leech that has all of it in another folder but for one file in `every`, which is `harm`ed. */
static void set_up(struct stage *t, uint64_t seed, unsigned seeds, unsigned every, unsigned harm,
		   struct sim_node_options o)
{
	struct shoal_rng rng = shoal_rng_split(seed, 10);
	*t = (struct stage){ 0 };
	many_files(&t->c, seed);
	const struct shoal_metainfo *mi = t->c.mi;
	t->sim = sim_new(&(struct sim_options){ .seed = seed, .content = &t->c });
	for (unsigned i = 0; i < seeds; i++)
		scene_seed(t->sim, (struct sim_node_options){ .up = MIB });
	o.adopt_from = OLD;
	t->leech = sim_node_new(t->sim, &o);
	for (unsigned i = 0; i < seeds; i++)
		sim_node_meet(t->leech, sim_node(t->sim, i));
	sim_disk_fill(t->leech->disk, OLD, mi);
	for (uint32_t f = 0; f < FILES; f++) {
		if (shoal_rng_below(&rng, every) != 0)
			continue;
		t->harm[f] = (uint8_t)(harm == (GONE | ROTTEN) ? 1 + shoal_rng_below(&rng, 2) : harm);
		t->at[f] = shoal_rng_below(&rng, (uint32_t)shoal_metainfo_file_size(mi, f));
		if (t->harm[f] == GONE)
			sim_disk_remove(t->leech->disk, OLD, mi, f);
		else
			sim_disk_rot_file(t->leech->disk, OLD, mi, f, t->at[f]);
	}
}

static void tear_down(struct stage *t)
{
	assert_string_equal(sim_wrong(t->sim), ""); /* and so nobody honest was banned */
	assert_true(t->leech->complete);
	assert_true(sim_disk_complete(t->leech->disk, SIM_FOLDER, t->c.mi));
	sim_free(t->sim);
	sim_content_fini(&t->c);
}

/* Bytes of all units of `unit` bytes, within a piece, that hold a byte that does not lie there as it should. */
static uint64_t harmed(const struct stage *t, uint32_t unit)
{
	const struct shoal_metainfo *mi = t->c.mi;
	uint64_t size = shoal_metainfo_size(mi), sum = 0;
	uint8_t *bad = calloc(size / unit + 1, 1);
	assert_non_null(bad);
	for (uint32_t f = 0; f < FILES; f++) {
		uint64_t from = shoal_metainfo_file_offset(mi, f), to = from + shoal_metainfo_file_size(mi, f);
		if (t->harm[f] == ROTTEN) {
			from += t->at[f];
			to = from + 1;
		}
		for (uint64_t u = from / unit; t->harm[f] != 0 && u <= (to - 1) / unit; u++)
			bad[u] = 1;
	}
	for (uint64_t u = 0; u * unit < size; u++)
		if (bad[u])
			sum += size - u * unit < unit ? size - u * unit : unit;
	free(bad);
	return sum;
}

static void run(struct stage *t)
{
	scene_start_all(t->sim);
	sim_run_for(t->sim, SHOAL_S(60));
}

static void only_blocks_of_what_is_missing_are_fetched(void **state)
{
	uint64_t moved = 0;
	(void)state;
	for (uint64_t seed = 1; seed <= scene_rounds(5, 2, 60); seed++) {
		struct stage t;
		set_up(&t, seed, 1, 20, GONE, (struct sim_node_options){ 0 });
		run(&t);
		uint64_t size = shoal_metainfo_size(t.c.mi), least = harmed(&t, SHOAL_BLOCK);
		print_message("seed %llu: %.2f %% fetched; whole pieces would have been %.2f %%\n",
			      (unsigned long long)seed, 100.0 * (double)t.leech->stats.downloaded / (double)size,
			      100.0 * (double)harmed(&t, PIECE) / (double)size);
		moved += least;
		assert_int_equal(t.leech->stats.downloaded, least);
		assert_int_equal(t.leech->stats.adopted, size - least);
		assert_int_equal(t.leech->stats.wasted + t.leech->stats.hash_failures, 0);
		tear_down(&t);
	}
	assert_true(moved > 0);
}

/* Of the same name and length, and not what it was: one who has it says which blocks those are. */
static void a_changed_file_costs_its_blocks(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= scene_rounds(5, 2, 60); seed++) {
		struct stage t;
		set_up(&t, seed, 1, 10, GONE | ROTTEN, (struct sim_node_options){ 0 });
		run(&t);
		assert_int_equal(t.leech->stats.downloaded, harmed(&t, SHOAL_BLOCK));
		assert_int_equal(t.leech->stats.wasted + t.leech->stats.hash_failures, 0);
		assert_int_equal(t.leech->paroles, 0);
		tear_down(&t);
	}
}

/* Nobody says it: what lay there goes, and what was sent stays. */
static void without_hints_it_costs_its_pieces(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= scene_rounds(5, 2, 60); seed++) {
		struct stage t;
		set_up(&t, seed, 1, 60, ROTTEN, (struct sim_node_options){ .without = SHOAL_WITHOUT_HINTS });
		run(&t);
		assert_int_equal(t.leech->stats.downloaded, harmed(&t, PIECE));
		assert_int_equal(t.leech->stats.wasted + t.leech->stats.hash_failures, 0);
		assert_int_equal(t.leech->paroles, 0);
		tear_down(&t);
		/* Where something is missing as well the rest is asked for first, and does not come twice. */
		set_up(&t, seed, 1, 12, GONE | ROTTEN, (struct sim_node_options){ .without = SHOAL_WITHOUT_HINTS });
		run(&t);
		assert_in_range(t.leech->stats.downloaded, harmed(&t, SHOAL_BLOCK), harmed(&t, PIECE));
		assert_int_equal(t.leech->stats.wasted + t.leech->stats.hash_failures, 0);
		tear_down(&t);
	}
}

/* Who spoils blocks is found out as ever, and nobody is taken for one because of what lay here. */
static unsigned named_of(uint32_t rate, unsigned rounds)
{
	unsigned named = 0;
	for (uint64_t seed = 1; seed <= rounds; seed++) {
		struct sim_adversary_spec spec = sim_adversary_spec(SIM_POLLUTER);
		struct stage t;
		spec.rate = rate;
		set_up(&t, seed, 2, 4, GONE | ROTTEN, (struct sim_node_options){ 0 });
		for (unsigned i = 0; i < 2; i++)
			sim_node_meet(t.leech,
				      scene_seed(t.sim, (struct sim_node_options){ .up = MIB, .adversary = spec }));
		run(&t);
		named += t.leech->bans + t.leech->paroles;
		tear_down(&t);
	}
	return named;
}

static void liars_are_named_and_no_others(void **state)
{
	(void)state;
	assert_true(named_of(300000, scene_rounds(6, 3, 60)) > 0);
	/* Of these a piece has one false block at most, and a hint mends it at once: what was sent is remembered all the same. */
	unsigned rounds = scene_rounds(6, 4, 60), few = named_of(40000, rounds);
	print_message("named of those who spoil one block in 25: %u of %u\n", few, 2 * rounds);
	assert_true(few >= rounds);
}

/* It is killed, and the power goes, again and again: nothing is claimed that is not there (watch.h), and in the end all is. */
static void no_end_in_the_midst_harms(void **state)
{
	unsigned deaths = 0;
	(void)state;
	for (uint64_t seed = 1; seed <= scene_rounds(10, 3, 200); seed++) {
		struct stage t;
		set_up(&t, seed, 2, 6, GONE | ROTTEN, (struct sim_node_options){ .down = MIB });
		scene_start_all(t.sim);
		for (unsigned i = 0; i < 6 && !t.leech->complete; i++) {
			sim_run_for(t.sim, SHOAL_MS(1) + shoal_rng_below(sim_dice(t.sim), SHOAL_MS(400)));
			sim_node_crash(t.leech, i % 2 ? SIM_CRASH_POWER : SIM_CRASH_KILL);
			deaths++;
			sim_node_start(t.leech);
		}
		sim_run_for(t.sim, SHOAL_S(60));
		tear_down(&t);
	}
	assert_true(deaths > 10);
}

/* What cannot be read here comes from others. */
static void a_disk_that_fails_to_read_costs_blocks(void **state)
{
	struct stage t;
	(void)state;
	set_up(&t, 3, 1, 20, GONE, (struct sim_node_options){ 0 });
	sim_disk_fail(t.leech->disk, SHOAL_DISK_READ, SHOAL_ERR_IO, 1, 2);
	run(&t);
	assert_int_equal(sim_disk_failed(t.leech->disk), 2);
	assert_in_range(t.leech->stats.downloaded, harmed(&t, SHOAL_BLOCK) + 1, harmed(&t, PIECE));
	assert_int_equal(t.leech->stats.wasted, 0);
	tear_down(&t);
}

/* What lay here and was verified goes with a sync that fails, and is read back as something else, while the rest is brought:
 * what came in is no less for that, and no more. Tried at every moment of it. */
static void what_is_lost_meanwhile_is_no_gain(void **state)
{
	(void)state;
	for (shoal_us after = 0; after <= SHOAL_MS(4); after += SHOAL_MS(1) / 4) {
		struct stage t;
		set_up(&t, 3, 1, FILES, 0, (struct sim_node_options){ 0 });
		sim_disk_fill(t.leech->disk, SIM_FOLDER, t.c.mi);
		for (uint32_t f = FILES - 8; f < FILES; f++)
			sim_disk_remove(t.leech->disk, SIM_FOLDER, t.c.mi, f);
		sim_disk_fail(t.leech->disk, SHOAL_DISK_SYNC, SHOAL_ERR_IO, 0, 1);
		scene_start_all(t.sim);
		sim_run_for(t.sim, after);
		for (uint32_t f = 0; f < FILES - 8; f++)
			sim_disk_rot_file(t.leech->disk, SIM_FOLDER, t.c.mi, f, 0);
		sim_run_for(t.sim, SHOAL_S(20));
		sim_node_ask_stats(t.leech);
		assert_int_equal(sim_disk_failed(t.leech->disk), 1);
		assert_in_range(t.leech->stats.adopted, 0, shoal_metainfo_size(t.c.mi));
		sim_free(t.sim);
		sim_content_fini(&t.c);
	}
}

/* ---- what is said of it ----------------------------------------------------------------------- */

static void count_files(void *to, struct sim_node *node, const struct shoal_event *ev)
{
	(void)node;
	if (ev->kind == SHOAL_EV_ADOPTED)
		*(uint32_t *)to += ev->index;
}

/* How many files are said to be adopted of a torrent that lies in so many folders, with a byte of its first file rotten in
 * each; so many bytes are fetched. */
static uint32_t adopted_files(const struct sim_file_spec *file, uint32_t count, const uint64_t rot[], unsigned folders,
			      uint64_t fetched)
{
	static const char *const folder[] = { OLD "/1", OLD "/2" };
	struct stage t = { 0 };
	uint32_t files = 0;
	sim_content_init(
		&t.c,
		&(struct sim_content_spec){
			.seed = 4, .format = SHOAL_FORMAT_V1, .piece_size = PIECE, .file = file, .file_count = count });
	t.sim = sim_new(&(struct sim_options){ .seed = 4, .content = &t.c, .on_event = count_files, .to = &files });
	scene_seed(t.sim, (struct sim_node_options){ .up = MIB });
	t.leech = sim_node_new(t.sim, &(struct sim_node_options){ .adopt_from = OLD });
	sim_node_meet(t.leech, sim_node(t.sim, 0));
	for (unsigned i = 0; i < folders; i++) {
		sim_disk_fill(t.leech->disk, folder[i], t.c.mi);
		sim_disk_rot_file(t.leech->disk, folder[i], t.c.mi, 0, rot[i]);
	}
	run(&t);
	assert_int_equal(t.leech->stats.downloaded, fetched);
	assert_int_equal(t.leech->stats.adopted, shoal_metainfo_size(t.c.mi) - fetched);
	tear_down(&t);
	return files;
}

/* Each of the two has a rotten byte, elsewhere: the file comes from both, and is one. */
static void a_file_from_two_candidates_is_one(void **state)
{
	static const struct sim_file_spec file[] = { { "a", 5 * PIECE }, { "b", 1000 } };
	static const uint64_t rot[] = { PIECE, 3 * PIECE };
	(void)state;
	assert_int_equal(adopted_files(file, 2, rot, 2, 0), 2);
}

/* Nothing of the first is right: it is none. Of another that shares its piece all but a block is, once all are there. */
static void what_is_of_no_use_is_no_file(void **state)
{
	static const struct sim_file_spec alone[] = { { "a", PIECE }, { "b", 1000 } };
	static const struct sim_file_spec shared[] = { { "a", PIECE / 2 }, { "b", PIECE / 4 }, { "c", PIECE / 4 } };
	static const uint64_t rot[] = { 0 };
	(void)state;
	assert_int_equal(adopted_files(alone, 2, rot, 1, PIECE), 1);
	assert_int_equal(adopted_files(shared, 3, rot, 1, SHOAL_BLOCK), 3);
}

/* The candidate is gone after the first of its runs: what that has brought is said, and nothing else is fetched twice. */
static void a_candidate_that_goes_midway_has_brought_something(void **state)
{
	static const struct sim_file_spec file[] = { { "a", SHOAL_ADOPT_RUN + 4 * PIECE } };
	struct stage t = { 0 };
	uint32_t files = 0;
	(void)state;
	sim_content_init(
		&t.c,
		&(struct sim_content_spec){
			.seed = 5, .format = SHOAL_FORMAT_V2, .piece_size = PIECE, .file = file, .file_count = 1 });
	t.sim = sim_new(&(struct sim_options){ .seed = 5, .content = &t.c, .on_event = count_files, .to = &files });
	scene_seed(t.sim, (struct sim_node_options){ .up = MIB });
	t.leech = sim_node_new(t.sim, &(struct sim_node_options){ .adopt_from = OLD });
	sim_node_meet(t.leech, sim_node(t.sim, 0));
	sim_disk_fill(t.leech->disk, OLD, t.c.mi);
	scene_start_all(t.sim);
	for (unsigned i = 0; i < 100000 && t.leech->node->swarms->verified_bytes == 0; i++)
		sim_run_for(t.sim, SHOAL_MS(1) / 20);
	sim_disk_remove(t.leech->disk, OLD, t.c.mi, 0);
	sim_run_for(t.sim, SHOAL_S(60));
	assert_int_equal(t.leech->stats.downloaded, 4 * PIECE);
	assert_int_equal(t.leech->stats.adopted, SHOAL_ADOPT_RUN);
	assert_int_equal(files, 1);
	tear_down(&t);
}

static unsigned disputed(const struct sim_node *n)
{
	unsigned count = 0;
	for (const struct shoal_open *o = n->node->swarms->landing.head; o != NULL; o = o->next)
		count += o->state == SHOAL_OPEN_DISPUTED;
	return count;
}

/* Who is asked which blocks are false may never answer: what lay here goes then, soon. */
static void a_word_that_never_comes_is_waited_for_so_long(void **state)
{
	struct stage t;
	(void)state;
	set_up(&t, 3, 1, 20, ROTTEN, (struct sim_node_options){ 0 });
	sim_node_start(sim_node(t.sim, 0));
	sim_run_for(t.sim, SHOAL_S(1));
	sim_disk_hold(sim_node(t.sim, 0)->disk, true); /* it reads nothing any more */
	sim_node_start(t.leech);
	unsigned most = 0;
	for (unsigned i = 0; i < 100 && most == 0; i++) {
		sim_run_for(t.sim, SHOAL_MS(10));
		most = disputed(t.leech);
	}
	print_message("%u pieces wait for a word\n", most);
	assert_true(most > 0);
	sim_run_for(t.sim, 2 * SHOAL_EVIDENCE_DISPUTE + SHOAL_S(1));
	assert_int_equal(disputed(t.leech), 0);
	sim_disk_hold(sim_node(t.sim, 0)->disk, false);
	sim_run_for(t.sim, SHOAL_S(60));
	tear_down(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_blocks_of_what_is_missing_are_fetched),
		cmocka_unit_test(a_changed_file_costs_its_blocks),
		cmocka_unit_test(without_hints_it_costs_its_pieces),
		cmocka_unit_test(liars_are_named_and_no_others),
		cmocka_unit_test(no_end_in_the_midst_harms),
		cmocka_unit_test(what_is_lost_meanwhile_is_no_gain),
		cmocka_unit_test(a_disk_that_fails_to_read_costs_blocks),
		cmocka_unit_test(a_file_from_two_candidates_is_one),
		cmocka_unit_test(what_is_of_no_use_is_no_file),
		cmocka_unit_test(a_candidate_that_goes_midway_has_brought_something),
		cmocka_unit_test(a_word_that_never_comes_is_waited_for_so_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
