/*
 * tools/lab/world/frame.h - one direction of a peer stream, cut into what is said and what is payload.
 *
 * Follows the lengths of BEP 3 alone: the bytes of blocks are told apart from
 * all others, so that a world may carry them as something else. A stream that
 * is no BitTorrent (or stops being it) is all talk from there on.
 */
#ifndef SIM_FRAME_H
#define SIM_FRAME_H

#include <shoal/types.h>

struct sim_frame {
	enum { SIM_FRAME_HELLO, SIM_FRAME_HEAD, SIM_FRAME_TALK, SIM_FRAME_BLOCK, SIM_FRAME_NOISE } state;
	uint32_t left; /* bytes: of the handshake, the message, or the block */
	uint8_t head[13];
	uint32_t have;			  /* bytes of the head */
	uint32_t piece, begin, len, done; /* the block */
};

void sim_frame_init(struct sim_frame *f);
/* Bytes of a block come next: how many at most; 0: talk does. */
static inline uint32_t sim_frame_block(const struct sim_frame *f)
{
	return f->state == SIM_FRAME_BLOCK ? f->len - f->done : 0;
}
/* Of `len` bytes of talk that come next, how many are of it before a block begins (>= 1, or `len` 0). Goes past them. */
size_t sim_frame_talk(struct sim_frame *f, const uint8_t *at, size_t len);
/* `len` bytes of the block (<= sim_frame_block()) went by. */
void sim_frame_skip(struct sim_frame *f, uint32_t len);

#endif
