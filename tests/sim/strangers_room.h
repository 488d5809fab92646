/*
 * tests/sim/strangers_room.h - what the files of the strangers share. Internal.
 */
#ifndef SIM_STRANGERS_ROOM_H
#define SIM_STRANGERS_ROOM_H

#include "tests/sim/strangers.h"

#define STRANGERS_OUT_MAX (1u << 20) /* bytes that one was told and has not read */

static inline uint32_t strangers_piece_size(const struct strangers *w)
{
	return w->o.large_pieces ? 64u << 20 : w->o.small_pieces ? 1024 : 32768;
}
static inline uint32_t strangers_pieces(const struct strangers *w)
{
	return w->o.large_pieces ? w->o.large_pieces : w->o.small_pieces ? w->o.small_pieces : 4;
}
static inline uint64_t strangers_content(const struct strangers *w)
{
	return (uint64_t)strangers_pieces(w) * strangers_piece_size(w);
}

/* strangers_world.c: what the node is given of the world. Of a struct stranger, and of struct strangers. */
extern const struct shoal_transport_ops strangers_transport, strangers_transport_gone;
void strangers_disk_work(void *strangers, struct shoal_disk_job *job);
extern const struct shoal_world_ops strangers_world, strangers_world_with_datagrams, strangers_world_with_neighbours;

#endif
