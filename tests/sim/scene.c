/* scene.c - see scene.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/sim/scene.h"

void scene_content(struct sim_content *c, enum shoal_format format, uint32_t piece_size, uint64_t size, uint64_t seed)
{
	const struct sim_file_spec file[] = {
		{ "a/empty", 0 },
		{ "a/one byte", 1 },
		{ "b/big", size - size / 4 - size / 8 + 12345 },
		{ "b/tiny", 77 },
		{ "c/deep/er/still", size / 8 + 1 },
		{ "d/also empty", 0 },
		{ "d/half", size / 4 },
		{ "e", 3 * piece_size },
		{ "f", 16384 },
	};
	sim_content_init(c, &(struct sim_content_spec){ .seed = seed,
							.format = format,
							.piece_size = piece_size,
							.file = file,
							.file_count = sizeof file / sizeof *file });
}

const char *scene_format_name(enum shoal_format format)
{
	return format == SHOAL_FORMAT_V1 ? "v1" : format == SHOAL_FORMAT_V2 ? "v2" : "hybrid";
}

struct sim_node *scene_seed(struct sim *sim, struct sim_node_options options)
{
	struct sim_node *n = sim_node_new(sim, &options);
	sim_disk_fill(n->disk, SIM_FOLDER, n->witness.content->mi);
	return n;
}

void scene_leeches(struct sim *sim, struct sim_node_options options, unsigned count, unsigned seed_every,
		   unsigned links)
{
	unsigned first = sim_nodes(sim);
	for (unsigned i = 0; i < count; i++) {
		struct sim_node *n = sim_node_new(sim, &options);
		if (i > 0)
			sim_node_meet(n, sim_node(sim, first + i - 1));
		if (seed_every > 0 && i % seed_every == 0)
			sim_node_meet(n, sim_node(sim, 0));
		for (unsigned k = 0; k < links && i > 1; k++)
			sim_node_meet(n, sim_node(sim, first + shoal_rng_below(sim_dice(sim), i)));
	}
}

void scene_start_all(struct sim *sim)
{
	for (unsigned i = 0; i < sim_nodes(sim); i++)
		if (sim_node(sim, i)->node == NULL)
			sim_node_start(sim_node(sim, i));
}

int scene_choose(struct sim_node *n, const uint8_t *files, size_t count, uint32_t from)
{
	struct shoal_op op = {
		.kind = SHOAL_OP_FILES, .torrent = n->torrent, .offset = from, .files = { files, count }
	};
	return sim_node_do(n, &op);
}

unsigned scene_rounds(unsigned plain, unsigned shorter, unsigned longer)
{
	if (getenv("SHOAL_LONG") != NULL)
		return longer;
	return getenv("SHOAL_SHORT") != NULL ? shorter : plain;
}

void scene_tell(struct sim *sim)
{
	if (sim_wrong(sim)[0] != 0)
		print_error("%s\n", sim_wrong(sim));
	print_error("at %.3f s\n", (double)(sim_now(sim) - SIM_START) / 1e6);
	for (unsigned i = 0; i < sim_nodes(sim); i++) {
		struct sim_node *n = sim_node(sim, i);
		if (n->node == NULL || !n->added) {
			print_error("node %u: %s %s\n", i, n->node == NULL ? "down" : "not added", n->text);
			continue;
		}
		if (n->complete)
			continue;
		sim_node_ask_stats(n);
		print_error("node %u: %u/%u pieces, %llu verified, down %llu up %llu wasted %llu, %u peers (%u "
			    "seeds)%s%s%s%s %s\n",
			    i, n->stats.pieces_done, n->stats.pieces, (unsigned long long)n->stats.verified,
			    (unsigned long long)n->stats.downloaded, (unsigned long long)n->stats.uploaded,
			    (unsigned long long)n->stats.wasted, n->stats.peers, n->stats.seeds,
			    n->complete ? ", complete" : "", n->stats.paused ? ", paused" : "",
			    n->stats.checking ? ", checking" : "", n->failed ? ", failed:" : "", n->text);
	}
}

void scene_check(struct sim *sim)
{
	if (sim_wrong(sim)[0] != 0)
		fail_msg("%s", sim_wrong(sim));
	for (unsigned i = 0; i < sim_nodes(sim); i++) {
		struct sim_node *n = sim_node(sim, i);
		if (n->node != NULL && !n->o.liar && !sim_disk_complete(n->disk, SIM_FOLDER, n->witness.content->mi))
			fail_msg("node %u says it is complete, and its files are not", i);
	}
}

void scene_complete(struct sim *sim, shoal_us patience)
{
	if (!sim_run(sim, sim_all_complete, NULL, patience)) {
		scene_tell(sim);
		fail_msg("not all complete in %.0f s%s%s", (double)patience / 1e6, sim_wrong(sim)[0] ? ": " : "",
			 sim_wrong(sim));
	}
	scene_check(sim);
}
