/* test_sim_select.c - some files are wanted, others not, and that changes: what is made, what is claimed, what survives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/scene.h"

#define FILES 9 /* of scene_content() */
static const enum shoal_format formats[] = { SHOAL_FORMAT_V1, SHOAL_FORMAT_V2, SHOAL_FORMAT_HYBRID };

/* ---- what the node answers ----------------------------------------------------------------- */

struct answers {
	unsigned done, files;
	uint64_t total;
	struct shoal_file_info info[16];
	size_t info_count;
	char path[16][64];
	unsigned completes;
};

static void on_answer(void *to, struct sim_node *node, const struct shoal_event *ev)
{
	struct answers *a = to;
	if (node->index == 0)
		return;
	a->completes += ev->kind == SHOAL_EV_COMPLETE;
	a->done += ev->kind == SHOAL_EV_DONE;
	if (ev->kind != SHOAL_EV_FILES)
		return;
	a->files++;
	a->total = ev->total;
	a->info_count = ev->files_count;
	for (size_t i = 0; i < ev->files_count && i < 16; i++) {
		a->info[i] = ev->files[i];
		assert_true(ev->files[i].path_at + ev->files[i].path_count <= ev->data.len);
		snprintf(a->path[i], sizeof a->path[i], "%.*s", (int)ev->files[i].path_count,
			 (const char *)ev->data.at + ev->files[i].path_at);
	}
}

/* Number of the file at that path, in whichever order the format has them, pads between or not. */
static uint32_t file_named(const struct sim_content *c, const char *name)
{
	for (uint32_t f = 0; f < shoal_metainfo_file_count(c->mi); f++) {
		char path[SHOAL_PATH_BYTES_MAX + 1];
		int n = shoal_metainfo_path(c->mi, f, (struct shoal_space){ (uint8_t *)path, sizeof path });
		assert_true(n > 0);
		if (strcmp(strchr(path, '/') + 1, name) == 0 && !(shoal_metainfo_file_flags(c->mi, f) & SHOAL_FILE_PAD))
			return f;
	}
	fail_msg("no file %s", name);
	return 0;
}

/* Wanted files are there, under their final names, right and durable; others were never made. */
static void assert_as_chosen(struct sim_node *n, const uint8_t *files)
{
	const struct shoal_metainfo *mi = n->witness.content->mi;
	for (uint32_t f = 0; f < shoal_metainfo_file_count(mi); f++) {
		bool right = false;
		if (shoal_metainfo_file_flags(mi, f) & SHOAL_FILE_PAD)
			continue;
		enum shoal_seen_state state = sim_disk_file(n->disk, SIM_FOLDER, mi, f, &right);
		if (files[f] > 0 && (state != SHOAL_SEEN_WHOLE || !right))
			fail_msg("file %u is wanted, and is in state %d, right %d", f, (int)state, right);
		if (files[f] == 0 && state != SHOAL_SEEN_NONE)
			fail_msg("file %u is not wanted, and was made (state %d)", f, (int)state);
	}
}

/* ---- at first, and later ------------------------------------------------------------------------ */

static void only_what_is_wanted_is_made(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 12; k++) {
		struct sim_content c;
		struct answers a = { 0 };
		uint8_t files[64] = { 0 }, all[64];
		bool magnet = k >= 6;
		char so[64];
		scene_content(&c, formats[k % 3], k & 1 ? 64 * KIB : 256 * KIB, 3 * MIB, 700 + k);
		uint32_t count = shoal_metainfo_file_count(c.mi);
		assert_true(count <= sizeof files);
		uint32_t big = file_named(&c, "b/big"), half = file_named(&c, "d/half");
		files[half] = SHOAL_PRIORITY_NORMAL;
		files[file_named(&c, "a/empty")] = SHOAL_PRIORITY_NORMAL;
		snprintf(so, sizeof so, "%u,%u", half, file_named(&c, "a/empty"));
		memset(all, SHOAL_PRIORITY_NORMAL, sizeof all);
		struct sim *sim = sim_new(
			&(struct sim_options){ .seed = 700 + k, .content = &c, .on_event = on_answer, .to = &a });
		scene_seed(sim, (struct sim_node_options){ .up = 4 * MIB });
		scene_leeches(sim,
			      (struct sim_node_options){ .up = MIB,
							 .memory = k % 4 == 3 ? MIB : 0,
							 .magnet = magnet,
							 .so = magnet ? so : NULL,
							 .files = { magnet ? NULL : files, magnet ? 0 : count } },
			      1, 1, 0);
		struct sim_node *n = sim_node(sim, 1);
		scene_start_all(sim);
		assert_true(sim_run(sim, sim_all_complete, NULL, SHOAL_S(60)));
		assert_string_equal(sim_wrong(sim), "");
		assert_as_chosen(n, files);
		uint64_t size = shoal_metainfo_file_size(c.mi, half);
		assert_int_equal(n->stats.size, size);
		assert_int_equal(n->stats.done, size);
		/* No more than the pieces it lies in. */
		assert_true(n->stats.downloaded <= size + 2 * shoal_metainfo_piece_size(c.mi));
		assert_int_equal(sim_disk_part(n->disk, SIM_FOLDER, c.mi), formats[k % 3] == SHOAL_FORMAT_V1);

		/* The rest, one file and then all: nothing is fetched twice, and the part file goes. */
		files[big] = SHOAL_PRIORITY_HIGH;
		n->complete = false;
		assert_int_equal(scene_choose(n, &files[big], 1, big), 0);
		assert_true(sim_run(sim, sim_all_complete, NULL, SHOAL_S(60)));
		assert_as_chosen(n, files);
		n->complete = false;
		assert_int_equal(scene_choose(n, all, count, 0), 0);
		scene_complete(sim, SHOAL_S(60));
		sim_run_for(sim, SHOAL_S(3));
		assert_false(sim_disk_part(n->disk, SIM_FOLDER, c.mi));
		sim_node_ask_stats(n);
		assert_int_equal(n->stats.downloaded - n->stats.wasted, shoal_metainfo_size(c.mi));
		assert_int_equal(n->stats.done, shoal_metainfo_size(c.mi));
		assert_int_equal(a.completes, 3);
		sim_free(sim);
		sim_content_fini(&c);
	}
}

/* A life for each selection: what one has fetched the next one has. */
static void each_life_fetches_the_rest(void **state)
{
	static const char *const turns[] = { "b/tiny", "c/deep/er/still", "f", "b/big", "e" };
	(void)state;
	for (unsigned k = 0; k < 9; k++) {
		struct sim_content c;
		struct answers a = { 0 };
		uint8_t files[64] = { 0 };
		uint64_t fetched = 0;
		scene_content(&c, formats[k % 3], 64 * KIB, 3 * MIB, 730 + k);
		uint32_t count = shoal_metainfo_file_count(c.mi);
		struct sim *sim = sim_new(
			&(struct sim_options){ .seed = 730 + k, .content = &c, .on_event = on_answer, .to = &a });
		scene_seed(sim, (struct sim_node_options){ .up = 8 * MIB });
		scene_leeches(sim, (struct sim_node_options){ .up = MIB, .files = { files, count } }, 1, 1, 0);
		struct sim_node *n = sim_node(sim, 1);
		sim_node_start(sim_node(sim, 0));
		for (size_t t = 0; t <= sizeof turns / sizeof *turns; t++) {
			if (t < sizeof turns / sizeof *turns)
				files[file_named(&c, turns[t])] = SHOAL_PRIORITY_NORMAL;
			else
				memset(files, SHOAL_PRIORITY_NORMAL, sizeof files);
			sim_node_start(n);
			if (!sim_run(sim, sim_all_complete, NULL, SHOAL_S(60))) {
				scene_tell(sim);
				fail_msg("case %u, life %zu", k, t);
			}
			assert_string_equal(sim_wrong(sim), "");
			assert_as_chosen(n, files);
			sim_node_ask_stats(n);
			fetched += n->stats.downloaded - n->stats.wasted;
			if (k % 2 && t + 1 < sizeof turns / sizeof *turns) {
				sim_run_for(sim, SHOAL_S(1));
				sim_node_crash(n, k % 4 == 1 ? SIM_CRASH_POWER : SIM_CRASH_KILL);
			} else {
				sim_run_for(sim, SHOAL_S(1));
				assert_true(sim_node_stop(n, SHOAL_S(10)));
			}
		}
		assert_int_equal(fetched, shoal_metainfo_size(c.mi));
		assert_false(sim_disk_part(n->disk, SIM_FOLDER, c.mi));
		sim_free(sim);
		sim_content_fini(&c);
	}
}

/* Files that have been begun stay where they are when they are wanted no more; what is open of them is given up. */
static void what_is_deselected_stops(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 6; k++) {
		struct sim_content c;
		struct answers a = { 0 };
		uint8_t files[64] = { 0 };
		scene_content(&c, formats[k % 3], 64 * KIB, 4 * MIB, 750 + k);
		uint32_t count = shoal_metainfo_file_count(c.mi);
		struct sim *sim = sim_new(
			&(struct sim_options){ .seed = 750 + k, .content = &c, .on_event = on_answer, .to = &a });
		scene_seed(sim, (struct sim_node_options){ .up = MIB });
		scene_leeches(sim, (struct sim_node_options){ .up = MIB }, 1, 1, 0);
		struct sim_node *n = sim_node(sim, 1);
		scene_start_all(sim);
		sim_run_for(sim, SHOAL_MS(300 + 200 * k));
		sim_node_ask_stats(n);
		uint64_t before = n->stats.downloaded;
		files[file_named(&c, "f")] = 4;
		assert_int_equal(scene_choose(n, files, count, 0), 0);
		assert_true(sim_run(sim, sim_all_complete, NULL, SHOAL_S(60)));
		assert_string_equal(sim_wrong(sim), "");
		sim_node_ask_stats(n);
		assert_int_equal(n->stats.size, 16384);
		assert_int_equal(n->stats.done, 16384);
		/* What had been asked for when it was told, and the pieces under way. */
		assert_true(n->stats.downloaded - before < MIB);
		memset(files, 4, sizeof files);
		n->complete = false;
		assert_int_equal(scene_choose(n, files, count, 0), 0);
		scene_complete(sim, SHOAL_S(60));
		sim_free(sim);
		sim_content_fini(&c);
	}
}

/* ---- answers --------------------------------------------------------------------------------------- */

static void the_files_are_told(void **state)
{
	struct sim_content c;
	struct answers a = { 0 };
	uint8_t files[FILES] = { 4, 4, 0, 4, 7, 4, 1, 4, 4 };
	(void)state;
	scene_content(&c, SHOAL_FORMAT_V1, 64 * KIB, 2 * MIB, 760);
	assert_int_equal(shoal_metainfo_file_count(c.mi), FILES);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = 760, .content = &c, .on_event = on_answer, .to = &a });
	scene_seed(sim, (struct sim_node_options){ .up = 4 * MIB });
	scene_leeches(sim, (struct sim_node_options){ .up = MIB, .files = { files, FILES } }, 1, 1, 0);
	struct sim_node *n = sim_node(sim, 1);
	scene_start_all(sim);
	struct shoal_op ask = { .kind = SHOAL_OP_FILES, .torrent = n->torrent };
	assert_int_equal(sim_node_do(n, &ask), 0);
	sim_run_for(sim, SHOAL_MS(1));
	assert_int_equal(a.files, 1);
	assert_int_equal(a.info_count, FILES);
	for (size_t i = 0; i < FILES; i++) {
		assert_int_equal(a.info[i].done, 0);
		assert_int_equal(a.info[i].priority, files[i]);
		assert_int_equal(a.info[i].size, shoal_metainfo_file_size(c.mi, (uint32_t)i));
	}
	assert_string_equal(strchr(a.path[2], '/') + 1, "b/big");
	assert_true(sim_run(sim, sim_all_complete, NULL, SHOAL_S(60)));
	ask.offset = 2;
	ask.length = 3;
	assert_int_equal(sim_node_do(n, &ask), 0);
	sim_run_for(sim, SHOAL_MS(1));
	assert_int_equal(a.info_count, 3);
	assert_int_equal(a.total, FILES);
	assert_int_equal(a.info[0].priority, 0);
	assert_true(a.info[0].done < a.info[0].size); /* what its neighbours needed of it */
	assert_int_equal(a.info[1].done, a.info[1].size);
	assert_int_equal(a.info[2].done, a.info[2].size);
	/* Nonsense. */
	uint8_t bad[FILES + 1] = { 8 };
	assert_int_equal(scene_choose(n, bad, 1, 0), SHOAL_ERR_RANGE);
	memset(bad, 4, sizeof bad);
	assert_int_equal(scene_choose(n, bad, FILES + 1, 0), SHOAL_ERR_RANGE);
	assert_int_equal(scene_choose(n, bad, 1, FILES), SHOAL_ERR_RANGE);
	ask.offset = FILES + 1;
	assert_int_equal(sim_node_do(n, &ask), SHOAL_ERR_RANGE);
	sim_free(sim);
	sim_content_fini(&c);
}

/* SHOAL_ADD_CHOOSE: nothing is made, whatever comes, until somebody has chosen. */
static void a_node_waits_to_be_told(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		struct sim_content c;
		struct answers a = { 0 };
		uint8_t files[64] = { 0 };
		scene_content(&c, SHOAL_FORMAT_V1, 64 * KIB, 2 * MIB, 770);
		files[file_named(&c, "e")] = 4;
		struct sim *sim = sim_new(
			&(struct sim_options){ .seed = 770 + k, .content = &c, .on_event = on_answer, .to = &a });
		scene_seed(sim, (struct sim_node_options){ .up = 4 * MIB });
		scene_leeches(sim,
			      (struct sim_node_options){ .up = MIB, .magnet = k, .flags = SHOAL_ADD_CHOOSE, .so = "0" },
			      1, 1, 0);
		struct sim_node *n = sim_node(sim, 1);
		scene_start_all(sim);
		sim_run_for(sim, SHOAL_S(5));
		assert_false(n->checked || n->complete || n->failed);
		sim_node_ask_stats(n);
		assert_int_equal(n->stats.downloaded, 0);
		assert_int_equal(scene_choose(n, files, shoal_metainfo_file_count(c.mi), 0), 0);
		assert_true(sim_run(sim, sim_all_complete, NULL, SHOAL_S(60)));
		assert_as_chosen(n, files);
		sim_free(sim);
		sim_content_fini(&c);
	}
}

static void a_link_that_names_no_file_says_so(void **state)
{
	struct sim_content c;
	(void)state;
	scene_content(&c, SHOAL_FORMAT_V1, 64 * KIB, MIB, 780);
	struct sim *sim = sim_new(&(struct sim_options){ .seed = 780, .content = &c });
	scene_seed(sim, (struct sim_node_options){ .up = 4 * MIB });
	scene_leeches(sim, (struct sim_node_options){ .up = MIB, .magnet = true, .so = "100-200" }, 1, 1, 0);
	struct sim_node *bad = sim_node_new(sim, &(struct sim_node_options){ .magnet = true, .so = "1-" });
	struct sim_node *n = sim_node(sim, 1);
	scene_start_all(sim);
	assert_true(!bad->added && bad->err == SHOAL_ERR_MALFORMED);
	sim_run_for(sim, SHOAL_S(5));
	assert_true(n->failed);
	assert_int_equal(n->err, SHOAL_ERR_USAGE);
	sim_free(sim);
	sim_content_fini(&c);
}

/* ---- what comes first --------------------------------------------------------------------------------- */

struct order {
	struct sim_content *c;
	uint32_t piece[512];
	unsigned count;
};

static void on_piece(void *to, struct sim_node *node, const struct shoal_event *ev)
{
	struct order *o = to;
	if (node->index != 0 && ev->kind == SHOAL_EV_PIECE && o->count < 512)
		o->piece[o->count++] = ev->index;
}

/* How many of the first `n` pieces that came are in [from, to]. */
static unsigned among(const struct order *o, unsigned n, uint32_t from, uint32_t to)
{
	unsigned in = 0;
	for (unsigned i = 0; i < n && i < o->count; i++)
		in += o->piece[i] >= from && o->piece[i] <= to;
	return in;
}

static void what_matters_most_comes_first(void **state)
{
	static const struct sim_file_spec spec[] = { { "a", MIB }, { "b", MIB }, { "c", MIB } };
	(void)state;
	for (unsigned k = 0; k < 4; k++) {
		struct sim_content c;
		struct order o = { .c = &c };
		uint8_t files[3] = { SHOAL_PRIORITY_LOW, SHOAL_PRIORITY_HIGH, SHOAL_PRIORITY_NORMAL };
		sim_content_init(&c, &(struct sim_content_spec){ .seed = 790 + k,
								 .format = formats[k % 3],
								 .piece_size = 64 * KIB,
								 .file = spec,
								 .file_count = 3 });
		struct sim *sim = sim_new(
			&(struct sim_options){ .seed = 790 + k, .content = &c, .on_event = on_piece, .to = &o });
		scene_seed(sim, (struct sim_node_options){ .up = 512 * KIB });
		scene_leeches(sim,
			      (struct sim_node_options){
				      .up = MIB, .flags = k == 3 ? SHOAL_ADD_SEQUENTIAL : 0, .files = { files, 3 } },
			      1, 1, 0);
		scene_start_all(sim);
		scene_complete(sim, SHOAL_S(60));
		assert_int_equal(o.count, 48);
		assert_true(among(&o, 16, 16, 31) >= 15);
		assert_true(among(&o, 32, 0, 15) <= 1);
		sim_free(sim);
		sim_content_fini(&c);
	}
}

/* Two seeds, one of them slow. Pieces with deadlines come before others, in their order, and the slow one holds none up. */
static void deadlines_are_kept_in_order(void **state)
{
	static const struct sim_file_spec spec[] = { { "film", 8 * MIB } };
	(void)state;
	for (unsigned k = 0; k < 3; k++) {
		struct sim_content c;
		struct order o = { .c = &c };
		sim_content_init(&c, &(struct sim_content_spec){ .seed = 810 + k,
								 .format = formats[k],
								 .piece_size = 64 * KIB,
								 .file = spec,
								 .file_count = 1,
								 .single = true });
		struct sim *sim = sim_new(
			&(struct sim_options){ .seed = 810 + k, .content = &c, .on_event = on_piece, .to = &o });
		scene_seed(sim, (struct sim_node_options){ .up = MIB });
		struct sim_node *slow = scene_seed(sim, (struct sim_node_options){ .up = 16 * KIB });
		struct sim_node *n = sim_node_new(sim, &(struct sim_node_options){ .up = MIB });
		sim_node_meet(n, sim_node(sim, 0));
		sim_node_meet(n, slow);
		o.count = 0;
		scene_start_all(sim);
		sim_run_for(sim, SHOAL_S(1));
		unsigned before = o.count;
		for (unsigned i = 0; i < 10; i++) { /* backwards, so that no other order could pass for it */
			struct shoal_op op = { .kind = SHOAL_OP_DEADLINE,
					       .torrent = n->torrent,
					       .offset = (uint64_t)(100 - i) * 64 * KIB,
					       .length = 64 * KIB,
					       .within = SHOAL_MS(500) + SHOAL_MS(100) * i };
			assert_int_equal(sim_node_do(n, &op), 0);
		}
		shoal_us asked = sim_now(sim);
		while (sim_now(sim) < asked + SHOAL_S(3))
			sim_run_for(sim, SHOAL_MS(10));
		/* All ten are among the first that come, but for what was under way. */
		assert_true(among(&o, before + 30, 91, 100) == 10);
		unsigned inversions = 0;
		uint32_t last = 101;
		for (unsigned i = before; i < o.count; i++) {
			if (o.piece[i] < 91 || o.piece[i] > 100)
				continue;
			inversions += o.piece[i] > last;
			last = o.piece[i];
		}
		assert_true(inversions <= 3);
		struct shoal_op bad = {
			.kind = SHOAL_OP_DEADLINE, .torrent = n->torrent, .offset = 8 * MIB, .length = 1
		};
		assert_int_equal(sim_node_do(n, &bad), SHOAL_ERR_RANGE);
		scene_complete(sim, SHOAL_S(60));
		sim_free(sim);
		sim_content_fini(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_wanted_is_made),	 cmocka_unit_test(each_life_fetches_the_rest),
		cmocka_unit_test(what_is_deselected_stops),	 cmocka_unit_test(the_files_are_told),
		cmocka_unit_test(a_node_waits_to_be_told),	 cmocka_unit_test(a_link_that_names_no_file_says_so),
		cmocka_unit_test(what_matters_most_comes_first), cmocka_unit_test(deadlines_are_kept_in_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
