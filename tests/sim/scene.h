/*
 * tests/sim/scene.h - what the sim tests have in common: a torrent of awkward files, a crowd around a seed.
 */
#ifndef SIM_SCENE_H
#define SIM_SCENE_H

#include "tools/lab/world/world.h"

#define KIB 1024u
#define MIB (1024u * 1024)

/* About `size` bytes in files of 0, 1, some and most bytes, on no boundary. */
void scene_content(struct sim_content *c, enum shoal_format format, uint32_t piece_size, uint64_t size, uint64_t seed);
const char *scene_format_name(enum shoal_format format);

/* Node 0: all of the content on its disk. */
struct sim_node *scene_seed(struct sim *sim, struct sim_node_options options);
/* `count` more, each told of the one before it, of the seed (node 0) for every `seed_every`-th, and of `links` others by
 * dice. */
void scene_leeches(struct sim *sim, struct sim_node_options options, unsigned count, unsigned seed_every,
		   unsigned links);
void scene_start_all(struct sim *sim);

/* Says how much it wants the files `from` on (SHOAL_OP_FILES); what the node answers. */
SHOAL_MUST int scene_choose(struct sim_node *n, const uint8_t *files, size_t count, uint32_t from);

/* 1 in plain builds; fewer rounds where SHOAL_SHORT is set, more where SHOAL_LONG is. */
unsigned scene_rounds(unsigned plain, unsigned shorter, unsigned longer);

/* Asserts: no rule was broken; every honest node has every byte, durably, under its final names. */
void scene_check(struct sim *sim);
/* Runs until all are complete, asserts it, and that it took no longer than `patience`. */
void scene_complete(struct sim *sim, shoal_us patience);
/* One line for each node that is not where it should be: for a test that fails. */
void scene_tell(struct sim *sim);

#endif
