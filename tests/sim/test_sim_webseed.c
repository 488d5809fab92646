/* test_sim_webseed.c - web seeds in virtual time: alone, beside peers, false, slow, absent, and on and off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/bytes.h"
#include "swarm/core/node_room.h"
#include "swarm/core/webseed.h"
#include "tests/sim/scene.h"
#include "tools/lab/world/web.h"

static const enum shoal_format formats[] = { SHOAL_FORMAT_V1, SHOAL_FORMAT_V2, SHOAL_FORMAT_HYBRID };
#define FORMATS (sizeof formats / sizeof *formats)

struct stage {
	struct sim_content content;
	struct sim_web *web;
	struct sim *sim;
};

static void stage_up(struct stage *t, uint64_t seed, const struct sim_web_options *host, size_t hosts)
{
	struct sim_options o = { .seed = seed, .content = &t->content, .cut_ppm = 20000 };
	t->web = sim_web_new();
	for (size_t i = 0; i < hosts; i++) {
		struct sim_web_options h = host[i];
		h.content = &t->content;
		sim_web_add(t->web, &h);
	}
	sim_web_into(t->web, &o);
	t->sim = sim_new(&o);
}

static void stage_down(struct stage *t)
{
	sim_free(t->sim);
	sim_web_free(t->web);
	sim_content_fini(&t->content);
}

static void point_at(struct sim_node *n, const char *url)
{
	struct shoal_op op = { .kind = SHOAL_OP_WEBSEED, .torrent = n->torrent, .text = shoal_bytes(url, strlen(url)) };
	assert_int_equal(sim_node_do(n, &op), 0);
}

static struct sim_node *leech(struct stage *t, struct sim_node_options o, const char *url)
{
	struct sim_node *n = sim_node_new(t->sim, &o);
	sim_node_start(n);
	point_at(n, url);
	return n;
}

static uint64_t took_ms(const struct sim_node *n)
{
	return (n->completed_at - SIM_START) / 1000;
}

/* ---- alone ------------------------------------------------------------------------------ */

/* Names that a URL must escape, files of nothing, of a byte, across many pieces and many in one. */
static void odd_content(struct sim_content *c, enum shoal_format format, uint32_t piece_size)
{
	static const struct sim_file_spec file[] = {
		{ "a%2fb", 70001 },
		{ "a+b&c=d;e?f#g", 1 },
		{ "empty", 0 },
		{ "folder with spaces/~.-_", 5 },
		{ "folder with spaces/\xc3\xbc\xe6\xb0\xb4 [x]", 333333 },
		{ "t/1", 3 },
		{ "t/2", 16384 },
		{ "t/3", 65536 },
		{ "t/4", 1500000 },
	};
	sim_content_init(c, &(struct sim_content_spec){ .seed = 5,
							.format = format,
							.piece_size = piece_size,
							.file = file,
							.file_count = sizeof file / sizeof *file });
}

static void a_web_seed_alone_suffices(void **state)
{
	(void)state;
	static const char *const url[] = { "http://web/", "http://web", "http://web/some/where", "http://web/x/?y=/" };
	for (size_t f = 0; f < FORMATS; f++) {
		for (size_t u = 0; u < sizeof url / sizeof *url; u++) {
			struct stage t;
			odd_content(&t.content, formats[f], u == 1 ? 32 * KIB : 128 * KIB);
			stage_up(&t, 10 + f, &(struct sim_web_options){ .host = "web" }, 1);
			struct sim_node *n = leech(&t, (struct sim_node_options){ .up = 0 }, url[u]);
			print_message("%s %s\n", scene_format_name(formats[f]), url[u]);
			if (u == 3) { /* the path is the query's: this server does not look there */
				sim_run_for(t.sim, SHOAL_S(30));
				assert_false(n->complete);
				assert_int_equal(n->warnings, 2); /* a file is not there; then nothing is */
				stage_down(&t);
				continue;
			}
			scene_complete(t.sim, SHOAL_S(30));
			struct sim_web_seen seen = sim_web_seen(t.web, "web");
			assert_true(seen.bytes == shoal_metainfo_size(t.content.mi)); /* each byte once */
			assert_int_equal(seen.unknown, 0);
			assert_false(seen.untrusted);
			assert_int_equal(n->stats.wasted, 0);
			assert_int_equal(n->stats.downloaded, shoal_metainfo_size(t.content.mi));
			assert_int_equal(n->warnings, 0);
			sim_run_for(t.sim, SHOAL_MS(100));
			assert_int_equal(sim_web_open(t.web), 0);
			stage_down(&t);
		}
	}
}

static void one_file_lies_at_the_url_itself(void **state)
{
	(void)state;
	static const struct sim_file_spec file[] = { { "set", 3000017 } };
	for (size_t f = 0; f < FORMATS; f++) {
		for (int slash = 0; slash < 2; slash++) {
			struct stage t;
			sim_content_init(&t.content, &(struct sim_content_spec){ .seed = 6,
										 .format = formats[f],
										 .piece_size = 64 * KIB,
										 .file = file,
										 .file_count = 1,
										 .single = true });
			stage_up(&t, 20 + f, &(struct sim_web_options){ .host = "web" }, 1);
			leech(&t, (struct sim_node_options){ .up = 0 }, slash ? "http://web/a/" : "http://web/b/set");
			scene_complete(t.sim, SHOAL_S(30));
			assert_true(sim_web_seen(t.web, "web").bytes == 3000017);
			stage_down(&t);
		}
	}
}

/* As fast as the server gives, with few questions; over a long way too. */
static void its_line_is_kept_full(void **state)
{
	(void)state;
	for (unsigned delay = 2; delay <= 200; delay *= 10) {
		struct stage t;
		scene_content(&t.content, SHOAL_FORMAT_V2, 256 * KIB, 48 * MIB, 7);
		stage_up(&t, 30, &(struct sim_web_options){ .host = "web", .rate = 8 * MIB, .delay = SHOAL_MS(delay) },
			 1);
		struct sim_node *n = leech(&t, (struct sim_node_options){ .memory = 64 * MIB }, "http://web/");
		scene_complete(t.sim, SHOAL_S(60));
		struct sim_web_seen seen = sim_web_seen(t.web, "web");
		uint64_t least = shoal_metainfo_size(t.content.mi) * 1000 / (8 * MIB);
		print_message("delay %u ms: %llu ms, line alone %llu, %llu questions\n", delay,
			      (unsigned long long)took_ms(n), (unsigned long long)least,
			      (unsigned long long)seen.questions);
		assert_true(took_ms(n) <= least * 115 / 100 + 6 * delay);
		assert_true(seen.questions <= 80);
		assert_true(seen.most_at_once <= SHOAL_WEBSEED_RUNS);
		stage_down(&t);
	}
}

/* A question for each, and a long way: as many are under way as one server is asked at a time. */
static void small_files_over_a_long_way(void **state)
{
	enum { FILES = 600 };
	static char path[FILES][8];
	struct sim_file_spec file[FILES];
	struct stage t;
	(void)state;
	for (unsigned i = 0; i < FILES; i++) {
		snprintf(path[i], sizeof path[i], "%03u", i);
		file[i] = (struct sim_file_spec){ path[i], 9000 };
	}
	for (size_t f = 0; f < FORMATS; f++) {
		sim_content_init(&t.content, &(struct sim_content_spec){ .seed = 19,
									 .format = formats[f],
									 .piece_size = 32 * KIB,
									 .file = file,
									 .file_count = FILES });
		stage_up(&t, 35 + f, &(struct sim_web_options){ .host = "web", .delay = SHOAL_MS(100) }, 1);
		struct sim_node *n = leech(&t, (struct sim_node_options){ .up = 0 }, "http://web/");
		scene_complete(t.sim, SHOAL_S(60));
		struct sim_web_seen seen = sim_web_seen(t.web, "web");
		uint64_t least = seen.questions * 100 / SHOAL_WEBSEED_RUNS;
		print_message("%s: %llu ms, %llu at best, %llu questions, %llu at once\n",
			      scene_format_name(formats[f]), (unsigned long long)took_ms(n), (unsigned long long)least,
			      (unsigned long long)seen.questions, (unsigned long long)seen.most_at_once);
		assert_int_equal(seen.most_at_once, SHOAL_WEBSEED_RUNS);
		assert_true(took_ms(n) <= least * 125 / 100);
		stage_down(&t);
	}
}

/* Pieces far larger than a run, and than the memory beside them. */
static void large_pieces_go_through_little_memory(void **state)
{
	(void)state;
	for (size_t f = 0; f < FORMATS; f++) {
		struct stage t;
		scene_content(&t.content, formats[f], 4 * MIB, 24 * MIB, 8);
		stage_up(&t, 40 + f, &(struct sim_web_options){ .host = "web", .rate = 16 * MIB }, 1);
		struct sim_node *n = leech(&t, (struct sim_node_options){ .memory = 6 * MIB }, "http://web/");
		scene_complete(t.sim, SHOAL_S(60));
		assert_int_equal(n->stats.wasted, 0);
		stage_down(&t);
	}
}

static void limits_are_kept(void **state)
{
	(void)state;
	struct stage t;
	scene_content(&t.content, SHOAL_FORMAT_HYBRID, 256 * KIB, 10 * MIB, 9);
	stage_up(&t, 50, &(struct sim_web_options){ .host = "web", .rate = 64 * MIB }, 1);
	struct sim_node *n = leech(&t, (struct sim_node_options){ .limit_down = MIB }, "http://web/");
	for (unsigned s = 0; s < 9; s++)
		sim_run_for(t.sim, SHOAL_S(1));
	sim_node_ask_stats(n);
	print_message("9 s at 1 MiB a second: %llu KiB\n", (unsigned long long)(n->stats.downloaded / KIB));
	assert_in_range(n->stats.downloaded, 9 * MIB * 94 / 100, 9 * MIB * 106 / 100);
	scene_complete(t.sim, SHOAL_S(10));
	stage_down(&t);
}

static void in_order_when_asked(void **state)
{
	(void)state;
	struct stage t;
	scene_content(&t.content, SHOAL_FORMAT_V1, 64 * KIB, 8 * MIB, 11);
	stage_up(&t, 60, &(struct sim_web_options){ .host = "web", .rate = 2 * MIB }, 1);
	struct sim_node *n = leech(&t, (struct sim_node_options){ .flags = SHOAL_ADD_SEQUENTIAL }, "http://web/");
	sim_run_for(t.sim, SHOAL_S(2));
	sim_node_ask_pieces(n);
	uint32_t ahead = n->have.ones;
	assert_true(ahead > 20 && ahead < n->have.count);
	for (uint32_t i = 0; i < ahead - 16; i++)
		assert_true(shoal_bits_get(&n->have, i));
	scene_complete(t.sim, SHOAL_S(30));
	stage_down(&t);
}

/* ---- beside peers -------------------------------------------------------------------------- */

static void both_give_and_little_comes_twice(void **state)
{
	(void)state;
	for (size_t f = 0; f < FORMATS; f++) {
		struct stage t;
		scene_content(&t.content, formats[f], 64 * KIB, 12 * MIB, 12);
		uint64_t size = shoal_metainfo_size(t.content.mi);
		stage_up(&t, 70 + f, &(struct sim_web_options){ .host = "web", .rate = MIB }, 1);
		struct sim_node *seed = scene_seed(t.sim, (struct sim_node_options){ .up = MIB });
		sim_node_start(seed);
		struct sim_node *n = leech(&t, (struct sim_node_options){ .memory = 32 * MIB }, "http://web/");
		sim_node_meet(n, seed);
		scene_complete(t.sim, SHOAL_S(30));
		uint64_t web = sim_web_seen(t.web, "web").bytes;
		print_message("%s: %llu ms, the web seed gave %llu of %llu, wasted %llu\n",
			      scene_format_name(formats[f]), (unsigned long long)took_ms(n), (unsigned long long)web,
			      (unsigned long long)size, (unsigned long long)n->stats.wasted);
		assert_in_range(web, size * 35 / 100, size * 65 / 100);
		assert_true(n->stats.wasted <= size / 50);
		assert_true(took_ms(n) <= size * 1000 / (2 * MIB) * 125 / 100);
		stage_down(&t);
	}
}

/* A server of a twentieth of the peer's speed holds nothing up at the end. */
static void a_slow_one_does_not_hold_up_the_end(void **state)
{
	(void)state;
	struct stage t;
	scene_content(&t.content, SHOAL_FORMAT_V2, 256 * KIB, 16 * MIB, 13);
	uint64_t size = shoal_metainfo_size(t.content.mi);
	stage_up(&t, 80, &(struct sim_web_options){ .host = "web", .rate = 100 * KIB }, 1);
	struct sim_node *seed = scene_seed(t.sim, (struct sim_node_options){ .up = 2 * MIB });
	sim_node_start(seed);
	struct sim_node *n = leech(&t, (struct sim_node_options){ .memory = 32 * MIB }, "http://web/");
	sim_node_meet(n, seed);
	scene_complete(t.sim, SHOAL_S(60));
	print_message("%llu ms, the peer alone would need %llu; wasted %llu\n", (unsigned long long)took_ms(n),
		      (unsigned long long)(size * 1000 / (2 * MIB)), (unsigned long long)n->stats.wasted);
	assert_true(took_ms(n) <= size * 1000 / (2 * MIB) * 110 / 100 + 300);
	assert_true(n->stats.wasted <= MIB);
	stage_down(&t);
}

/* And a peer that creeps does not, where the server could give what it owes. */
static void a_slow_peer_does_not_either(void **state)
{
	(void)state;
	struct stage t;
	scene_content(&t.content, SHOAL_FORMAT_V1, 256 * KIB, 16 * MIB, 14);
	uint64_t size = shoal_metainfo_size(t.content.mi);
	stage_up(&t, 90, &(struct sim_web_options){ .host = "web", .rate = 2 * MIB }, 1);
	struct sim_node *seed = scene_seed(t.sim, (struct sim_node_options){ .up = 20 * KIB });
	sim_node_start(seed);
	struct sim_node *n = leech(&t, (struct sim_node_options){ .memory = 32 * MIB }, "http://web/");
	sim_node_meet(n, seed);
	scene_complete(t.sim, SHOAL_S(60));
	print_message("%llu ms, the web seed alone would need %llu\n", (unsigned long long)took_ms(n),
		      (unsigned long long)(size * 1000 / (2 * MIB)));
	assert_true(took_ms(n) <= size * 1000 / (2 * MIB) * 115 / 100 + 3000);
	stage_down(&t);
}

/* Eight, one server, no seed: what each begins with differs, so that they have something for each other. */
static void many_share_what_one_server_gives(void **state)
{
	(void)state;
	struct stage t;
	scene_content(&t.content, SHOAL_FORMAT_HYBRID, 64 * KIB, 8 * MIB, 15);
	uint64_t size = shoal_metainfo_size(t.content.mi);
	stage_up(&t, 100, &(struct sim_web_options){ .host = "web", .rate = 2 * MIB }, 1);
	for (unsigned i = 0; i < 8; i++) {
		struct sim_node *n = leech(&t, (struct sim_node_options){ .up = 4 * MIB }, "http://web/");
		for (unsigned k = 0; k < i; k++)
			sim_node_meet(n, sim_node(t.sim, k));
	}
	scene_complete(t.sim, SHOAL_S(120));
	uint64_t gave = sim_web_seen(t.web, "web").bytes;
	print_message("the server gave %.2f copies to eight\n", (double)gave / (double)size);
	assert_true(gave < 4 * size);
	stage_down(&t);
}

#define OLD "/old"

/* Whether the web seed was asked for any of it, or has brought some. */
static bool has_to_do_with(const struct shoal_webseed *ws, const struct shoal_open *open)
{
	for (size_t i = 0; i < SHOAL_WEBSEED_RUNS; i++)
		for (uint32_t k = ws->run[i].at; ws->run[i].seed != NULL && k < ws->run[i].count; k++)
			if (ws->run[i].ask[k].mine && ws->run[i].ask[k].piece == open->piece)
				return true;
	return shoal_open_has_source(open, ws->serial);
}

/* A piece that is all read from here, since somebody may tell what is false of it, is nobody's, though a run comes by. */
static void what_is_read_from_here_is_not_its_own(void **state)
{
	(void)state;
	enum { PIECE = 64 * KIB };
	static const struct sim_file_spec file[] = { /* pieces 0 to 8 lack the second, 9 is false by the third */
						     { "a", 20 * KIB },
						     { "b", 9 * PIECE - 20 * KIB },
						     { "c", 40 * KIB },
						     { "d", 40 * KIB },
						     { "e", 40 * KIB }
	};
	unsigned read_here = 0;
	struct stage t;
	sim_content_init(&t.content, &(struct sim_content_spec){ .seed = 18,
								 .format = SHOAL_FORMAT_V1,
								 .piece_size = PIECE,
								 .file = file,
								 .file_count = sizeof file / sizeof *file });
	const struct shoal_metainfo *mi = t.content.mi;
	stage_up(&t, 115, &(struct sim_web_options){ .host = "web" }, 1);
	struct sim_node *seed = scene_seed(t.sim, (struct sim_node_options){ .limit_up = KIB });
	struct sim_node *n = sim_node_new(
		t.sim, &(struct sim_node_options){ .flags = SHOAL_ADD_SEQUENTIAL, .adopt_from = OLD });
	sim_disk_fill(n->disk, OLD, mi);
	sim_disk_remove(n->disk, OLD, mi, 1);
	sim_disk_rot_file(n->disk, OLD, mi, 2, 0);
	sim_node_start(seed);
	sim_node_start(n);
	sim_node_meet(n, seed);
	sim_run_for(t.sim, SHOAL_S(1));
	point_at(n, "http://web/");
	for (unsigned i = 0; i < 40000 && !n->complete; i++) {
		sim_run_for(t.sim, SHOAL_MS(1) / 20);
		const struct shoal_swarm *s = n->node->swarms;
		for (const struct shoal_open *o = s->landing.head; o != NULL; o = o->next) {
			if (o->state != SHOAL_OPEN_FETCHING || o->piece != 9)
				continue;
			read_here += o->offer != 0 && o->unasked == 0 && s->webseeds->runs > 0;
			assert_true(o->owner != s->webseeds->serial || has_to_do_with(s->webseeds, o));
		}
	}
	print_message("seen being read from here: %u times\n", read_here);
	assert_true(read_here > 0);
	scene_complete(t.sim, SHOAL_S(30));
	stage_down(&t);
}

static void a_magnet_uses_it_once_it_knows_what_for(void **state)
{
	(void)state;
	for (size_t f = 0; f < FORMATS; f++) {
		struct stage t;
		scene_content(&t.content, formats[f], 64 * KIB, 8 * MIB, 16);
		stage_up(&t, 110 + f, &(struct sim_web_options){ .host = "web" }, 1);
		struct sim_node *seed = scene_seed(t.sim, (struct sim_node_options){ .up = 200 * KIB });
		struct sim_node *n = leech(&t, (struct sim_node_options){ .magnet = true }, "http://web/");
		sim_run_for(t.sim, SHOAL_S(5));
		assert_int_equal(sim_web_seen(t.web, "web").questions, 0);
		sim_node_start(seed);
		sim_node_meet(n, seed);
		scene_complete(t.sim, SHOAL_S(30)); /* the peer alone would need 40 */
		stage_down(&t);
	}
}

/* ---- servers that are not what they should be ---------------------------------------------------- */

static void false_bytes_are_asked_for_no_more(void **state)
{
	(void)state;
	for (size_t f = 0; f < FORMATS; f++) {
		struct stage t;
		scene_content(&t.content, formats[f], 64 * KIB, 4 * MIB, 17);
		const struct sim_web_options hosts[] = {
			{ .host = "bad", .mood = SIM_WEB_FALSE },
			{ .host = "good", .rate = 500 * KIB },
		};
		stage_up(&t, 120 + f, hosts, 2);
		struct sim_node *n = leech(&t, (struct sim_node_options){ .up = 0 }, "http://bad/");
		sim_run_for(t.sim, SHOAL_S(60));
		uint64_t bad = sim_web_seen(t.web, "bad").bytes;
		assert_false(n->complete);
		assert_int_equal(n->bans, 0); /* of peers */
		assert_true(n->hash_failures >= 1);
		assert_true(bad <= 3 * MIB); /* what was on its way when its falsehood was found */
		point_at(n, "http://good/");
		scene_complete(t.sim, SHOAL_S(60));
		assert_true(sim_web_seen(t.web, "bad").bytes == bad);
		stage_down(&t);
	}
}

/* One file there is of another version: the other files still come from there, that one from elsewhere. */
static void one_false_file_costs_one_file(void **state)
{
	(void)state;
	static const struct sim_file_spec file[] = { { "a", 2000000 }, { "b", 500000 }, { "c", 2000000 } };
	struct stage t;
	sim_content_init(
		&t.content,
		&(struct sim_content_spec){
			.seed = 18, .format = SHOAL_FORMAT_V2, .piece_size = 1 * MIB, .file = file, .file_count = 3 });
	uint64_t c_at = shoal_metainfo_file_offset(t.content.mi, 2);
	const struct sim_web_options hosts[] = {
		{ .host = "web", .mood = SIM_WEB_FALSE, .at = c_at + 1500000 }, /* in the second piece of c alone */
		{ .host = "late", .rate = 8 * MIB },
	};
	stage_up(&t, 130, hosts, 2);
	struct sim_node *n = leech(&t, (struct sim_node_options){ .memory = 32 * MIB }, "http://web/");
	sim_run_for(t.sim, SHOAL_S(20));
	sim_node_ask_stats(n);
	assert_true(n->stats.verified >= 2500000);
	assert_int_equal(n->hash_failures, 1);
	point_at(n, "http://late/");
	scene_complete(t.sim, SHOAL_S(20));
	assert_true(sim_web_seen(t.web, "late").bytes <= 2100000);
	stage_down(&t);
}

static void what_breaks_off_is_gone_on_from(void **state)
{
	(void)state;
	struct stage t;
	scene_content(&t.content, SHOAL_FORMAT_V1, 512 * KIB, 4 * MIB, 19);
	uint64_t size = shoal_metainfo_size(t.content.mi);
	stage_up(&t, 140, &(struct sim_web_options){ .host = "web", .mood = SIM_WEB_CUT, .at = 100000 }, 1);
	struct sim_node *n = leech(&t, (struct sim_node_options){ .up = 0 }, "http://web/");
	scene_complete(t.sim, SHOAL_S(300));
	uint64_t gave = sim_web_seen(t.web, "web").bytes;
	print_message("in bits of 100000: %llu of %llu bytes, %llu ms\n", (unsigned long long)gave,
		      (unsigned long long)size, (unsigned long long)took_ms(n));
	assert_true(gave <= size * 120 / 100); /* less than a block is lost with each, of six */
	stage_down(&t);
}

static void a_server_that_is_busy_is_left_alone(void **state)
{
	(void)state;
	struct stage t;
	scene_content(&t.content, SHOAL_FORMAT_V2, 64 * KIB, 2 * MIB, 20);
	stage_up(&t, 150,
		 &(struct sim_web_options){
			 .host = "web", .mood = SIM_WEB_STATUS, .moods = 1, .status = 503, .retry_after = 40 },
		 1);
	struct sim_node *n = leech(&t, (struct sim_node_options){ .up = 0 }, "http://web/");
	sim_run_for(t.sim, SHOAL_S(39));
	assert_int_equal(sim_web_seen(t.web, "web").questions, 1);
	assert_int_equal(n->warnings, 1);
	scene_complete(t.sim, SHOAL_S(20));
	stage_down(&t);
}

static void a_server_that_is_down_is_asked_less_and_less(void **state)
{
	(void)state;
	struct stage t;
	scene_content(&t.content, SHOAL_FORMAT_V2, 64 * KIB, 2 * MIB, 21);
	stage_up(&t, 160, &(struct sim_web_options){ .host = "web", .mood = SIM_WEB_DOWN }, 1);
	struct sim_node *n = leech(&t, (struct sim_node_options){ .up = 0 }, "http://web/");
	sim_run_for(t.sim, SHOAL_S(3600));
	uint64_t asked = sim_web_seen(t.web, "web").questions;
	print_message("%llu questions in an hour\n", (unsigned long long)asked);
	assert_in_range(asked, 8, 16);
	assert_int_equal(n->warnings, 1);
	sim_web_mood(t.web, "web", SIM_WEB_GOOD);
	scene_complete(t.sim, SHOAL_S(800));
	stage_down(&t);
}

static void who_falls_silent_gives_way(void **state)
{
	(void)state;
	struct stage t;
	scene_content(&t.content, SHOAL_FORMAT_HYBRID, 256 * KIB, 6 * MIB, 22);
	stage_up(&t, 170, &(struct sim_web_options){ .host = "web", .mood = SIM_WEB_SILENT, .at = 50000 }, 1);
	struct sim_node *seed = scene_seed(t.sim, (struct sim_node_options){ .up = MIB });
	sim_node_start(seed);
	struct sim_node *n = leech(&t, (struct sim_node_options){ .memory = 32 * MIB }, "http://web/");
	sim_node_meet(n, seed);
	scene_complete(t.sim, SHOAL_S(14)); /* 6 s of the peer's; not the 15 that the server is waited for */
	stage_down(&t);
}

static void without_ranges_small_files_come_whole(void **state)
{
	(void)state;
	static const struct sim_file_spec small[] = { { "a", 200000 }, { "b", 1 }, { "c", 70000 }, { "d", 400000 } };
	struct stage t;
	sim_content_init(&t.content, &(struct sim_content_spec){ .seed = 23,
								 .format = SHOAL_FORMAT_V2,
								 .piece_size = 64 * KIB,
								 .file = small,
								 .file_count = 4 });
	stage_up(&t, 180, &(struct sim_web_options){ .host = "web", .mood = SIM_WEB_NO_RANGES }, 1);
	leech(&t, (struct sim_node_options){ .flags = SHOAL_ADD_SEQUENTIAL }, "http://web/");
	scene_complete(t.sim, SHOAL_S(30));
	stage_down(&t);

	scene_content(&t.content, SHOAL_FORMAT_V2, 64 * KIB, 16 * MIB, 23);
	stage_up(&t, 181, &(struct sim_web_options){ .host = "web", .mood = SIM_WEB_NO_RANGES }, 1);
	struct sim_node *n = leech(&t, (struct sim_node_options){ .up = 0 }, "http://web/");
	sim_run_for(t.sim, SHOAL_S(600));
	assert_false(n->complete);
	assert_true(sim_web_seen(t.web, "web").questions <= 12);
	assert_int_equal(n->warnings, 1);
	stage_down(&t);
}

static void what_must_not_be_asked_is_asked_once(void **state)
{
	(void)state;
	struct stage t;
	scene_content(&t.content, SHOAL_FORMAT_V1, 64 * KIB, 2 * MIB, 24);
	stage_up(&t, 190, &(struct sim_web_options){ .host = "web", .mood = SIM_WEB_REFUSED }, 1);
	struct sim_node *n = leech(&t, (struct sim_node_options){ .up = 0 }, "http://web/");
	sim_run_for(t.sim, SHOAL_S(3600));
	assert_int_equal(sim_web_seen(t.web, "web").questions, 1);
	assert_int_equal(n->warnings, 1);
	stage_down(&t);
}

static void a_file_it_lacks_comes_from_a_peer(void **state)
{
	(void)state;
	for (size_t f = 0; f < FORMATS; f++) {
		struct stage t;
		scene_content(&t.content, formats[f], 64 * KIB, 8 * MIB, 25);
		stage_up(&t, 200 + f, &(struct sim_web_options){ .host = "web", .lacks = "d/half" }, 1);
		struct sim_node *n = leech(&t, (struct sim_node_options){ .up = 0 }, "http://web/");
		sim_run_for(t.sim, SHOAL_S(60));
		sim_node_ask_stats(n);
		assert_false(n->complete);
		print_message("%s: %llu verified, %llu questions, %s\n", scene_format_name(formats[f]),
			      (unsigned long long)n->stats.verified,
			      (unsigned long long)sim_web_seen(t.web, "web").questions, n->text);
		assert_true(n->stats.verified >= 5 * MIB);
		assert_in_range(sim_web_seen(t.web, "web").unknown, 1, 3); /* by as many as were under way */
		assert_int_equal(n->warnings, 1);
		struct sim_node *seed = scene_seed(t.sim, (struct sim_node_options){ .up = 0 });
		sim_node_start(seed);
		sim_node_meet(n, seed);
		scene_complete(t.sim, SHOAL_S(30));
		sim_node_ask_stats(seed);
		assert_true(seed->stats.uploaded <= 3 * MIB);
		stage_down(&t);
	}
}

/* ---- all of it at once ------------------------------------------------------------------------------ */

static void a_stop_calls_every_question_off(void **state)
{
	(void)state;
	for (unsigned ms = 0; ms < 3000; ms += 211) {
		struct stage t;
		scene_content(&t.content, SHOAL_FORMAT_HYBRID, 64 * KIB, 8 * MIB, 26);
		stage_up(&t, 210 + ms, &(struct sim_web_options){ .host = "web", .rate = 3 * MIB }, 1);
		struct sim_node *n = leech(&t, (struct sim_node_options){ .up = 0 }, "http://web/");
		sim_run_for(t.sim, SHOAL_MS(ms));
		assert_true(sim_node_stop(n, SHOAL_S(5)));
		assert_int_equal(sim_web_open(t.web), 0);
		uint64_t before = sim_web_seen(t.web, "web").bytes;
		sim_node_start(n);
		point_at(n, "http://web/");
		scene_complete(t.sim, SHOAL_S(30));
		uint64_t again = sim_web_seen(t.web, "web").bytes - before;
		assert_true(again <= shoal_metainfo_size(t.content.mi));
		assert_true(ms < 1500 || again < shoal_metainfo_size(t.content.mi) * 9 / 10); /* it resumes */
		stage_down(&t);
	}
}

/* Servers of every mood that comes and goes, peers and crashes: in the end everything is there, and nothing is left over. */
static void a_bad_day(uint64_t seed)
{
	struct stage t;
	struct shoal_rng dice = shoal_rng_split(seed, 77);
	static const enum sim_web_mood moods[] = { SIM_WEB_GOOD,   SIM_WEB_FALSE, SIM_WEB_CUT,	    SIM_WEB_STATUS,
						   SIM_WEB_SILENT, SIM_WEB_DOWN,  SIM_WEB_NO_RANGES };
	static const char *const names[] = { "one", "two", "three" };
	static const char *const urls[] = { "http://one/", "http://two/x", "http://three/y/z/" };
	struct sim_web_options hosts[3];
	scene_content(&t.content, formats[seed % FORMATS], (16u << seed % 5) * KIB, 5 * MIB, seed);
	for (unsigned i = 0; i < 3; i++)
		hosts[i] = (struct sim_web_options){ .host = names[i],
						     .mood = moods[shoal_rng_below(&dice, 7)],
						     .moods = 1 + shoal_rng_below(&dice, 12),
						     .at = shoal_rng_below(&dice, 300000),
						     .status = shoal_rng_below(&dice, 2) ? 503 : 429,
						     .rate = 50000 + shoal_rng_below(&dice, 3000000),
						     .delay = SHOAL_MS(1 + shoal_rng_below(&dice, 300)) };
	stage_up(&t, seed, hosts, 3);
	struct sim_node *peer = scene_seed(t.sim,
					   (struct sim_node_options){ .up = 40000 + shoal_rng_below(&dice, 2000000) });
	sim_node_start(peer);
	for (unsigned i = 0; i < 3; i++) {
		struct sim_node_options o = { .memory = (size_t)(6 + shoal_rng_below(&dice, 20)) * MIB, .up = 2 * MIB };
		struct sim_node *n = leech(&t, o, urls[shoal_rng_below(&dice, 3)]);
		for (unsigned k = 0; k < 3; k++)
			if (shoal_rng_below(&dice, 2))
				point_at(n, urls[k]);
		for (unsigned k = 0; k <= i; k++)
			sim_node_meet(n, sim_node(t.sim, k));
	}
	sim_run_for(t.sim, SHOAL_MS(shoal_rng_below(&dice, 4000)));
	struct sim_node *unlucky = sim_node(t.sim, 1 + shoal_rng_below(&dice, 3));
	sim_node_crash(unlucky, SIM_CRASH_KILL);
	sim_node_start(unlucky);
	point_at(unlucky, urls[0]);
	scene_complete(t.sim, SHOAL_S(900));
	stage_down(&t);
}

static void bad_days_end_well(void **state)
{
	(void)state;
	unsigned rounds = scene_rounds(40, 12, 2000);
	for (uint64_t seed = 1; seed <= rounds; seed++) {
		print_message("seed %llu\n", (unsigned long long)seed);
		a_bad_day(seed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_web_seed_alone_suffices),
		cmocka_unit_test(one_file_lies_at_the_url_itself),
		cmocka_unit_test(its_line_is_kept_full),
		cmocka_unit_test(small_files_over_a_long_way),
		cmocka_unit_test(large_pieces_go_through_little_memory),
		cmocka_unit_test(limits_are_kept),
		cmocka_unit_test(in_order_when_asked),
		cmocka_unit_test(both_give_and_little_comes_twice),
		cmocka_unit_test(a_slow_one_does_not_hold_up_the_end),
		cmocka_unit_test(a_slow_peer_does_not_either),
		cmocka_unit_test(many_share_what_one_server_gives),
		cmocka_unit_test(what_is_read_from_here_is_not_its_own),
		cmocka_unit_test(a_magnet_uses_it_once_it_knows_what_for),
		cmocka_unit_test(false_bytes_are_asked_for_no_more),
		cmocka_unit_test(one_false_file_costs_one_file),
		cmocka_unit_test(what_breaks_off_is_gone_on_from),
		cmocka_unit_test(a_server_that_is_busy_is_left_alone),
		cmocka_unit_test(a_server_that_is_down_is_asked_less_and_less),
		cmocka_unit_test(who_falls_silent_gives_way),
		cmocka_unit_test(without_ranges_small_files_come_whole),
		cmocka_unit_test(what_must_not_be_asked_is_asked_once),
		cmocka_unit_test(a_file_it_lacks_comes_from_a_peer),
		cmocka_unit_test(a_stop_calls_every_question_off),
		cmocka_unit_test(bad_days_end_well),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
