/* frame.c - see frame.h. */
#include "tools/lab/world/frame.h"

#include <assert.h>
#include "proto/base/bytes.h"
#include "proto/wire.h"

#define MESSAGE_MAX (2u << 20)

void sim_frame_init(struct sim_frame *f)
{
	*f = (struct sim_frame){ .state = SIM_FRAME_HELLO, .left = SHOAL_WIRE_HANDSHAKE_LEN };
}

static void next_message(struct sim_frame *f)
{
	f->state = SIM_FRAME_HEAD;
	f->have = 0;
}

static void block_begins(struct sim_frame *f, const uint8_t *head, uint32_t len)
{
	f->state = SIM_FRAME_BLOCK;
	f->piece = shoal_get_u32(head + 5);
	f->begin = shoal_get_u32(head + 9);
	f->len = len - 9;
	f->done = 0;
}

/* One byte of a head: a length, an id, and of a PIECE its numbers. */
static void head_byte(struct sim_frame *f, uint8_t byte)
{
	f->head[f->have++] = byte;
	if (f->have < 4)
		return;
	uint32_t len = shoal_get_u32(f->head);
	if (len == 0)
		return next_message(f);
	if (len > MESSAGE_MAX) {
		f->state = SIM_FRAME_NOISE;
		return;
	}
	if (f->have == 4)
		return;
	if (f->head[4] != SHOAL_WIRE_PIECE || len <= 9) {
		f->state = SIM_FRAME_TALK;
		f->left = len - 1;
		if (f->left == 0)
			next_message(f);
	} else if (f->have == SHOAL_WIRE_PIECE_HEAD) {
		block_begins(f, f->head, len);
	}
}

/* The whole head of a block is here, as it nearly always is. */
static bool is_block(const uint8_t *at, size_t len)
{
	if (len < SHOAL_WIRE_PIECE_HEAD || at[4] != SHOAL_WIRE_PIECE)
		return false;
	uint32_t all = shoal_get_u32(at);
	return all > 9 && all <= MESSAGE_MAX;
}

/* Talk that is all here, as nearly every message is: how long it is; else 0. */
static uint32_t whole(const uint8_t *at, size_t len)
{
	uint32_t left = len > 4 ? shoal_get_u32(at) : 0;
	return left > 0 && left <= len - 4 && at[4] != SHOAL_WIRE_PIECE ? 4 + left : 0;
}

size_t sim_frame_talk(struct sim_frame *f, const uint8_t *at, size_t len)
{
	size_t n = 0;
	while (n < len && f->state != SIM_FRAME_BLOCK) {
		bool first = f->state == SIM_FRAME_HELLO && f->left == SHOAL_WIRE_HANDSHAKE_LEN;
		if (first && at[n] != 19) /* a hidden stream (MSE) */
			f->state = SIM_FRAME_NOISE;
		if (f->state == SIM_FRAME_NOISE)
			return len;
		bool head = f->state == SIM_FRAME_HEAD && f->have == 0;
		uint32_t all = head ? whole(at + n, len - n) : 0;
		if (all > 0) {
			n += all;
			continue;
		}
		if (head && is_block(at + n, len - n)) {
			block_begins(f, at + n, shoal_get_u32(at + n));
			return n + SHOAL_WIRE_PIECE_HEAD;
		}
		if (f->state == SIM_FRAME_HEAD) {
			head_byte(f, at[n++]);
			continue;
		}
		if (f->state == SIM_FRAME_HELLO && f->left == SHOAL_WIRE_HANDSHAKE_LEN &&
		    at[n] != SHOAL_WIRE_PROTOCOL[0]) { /* encrypted, or something else */
			f->state = SIM_FRAME_NOISE;
			return len;
		}
		uint32_t k = len - n < f->left ? (uint32_t)(len - n) : f->left;
		f->left -= k;
		n += k;
		if (f->left == 0)
			next_message(f);
	}
	return n;
}

void sim_frame_skip(struct sim_frame *f, uint32_t len)
{
	assert(f->state == SIM_FRAME_BLOCK && len <= f->len - f->done);
	f->done += len;
	if (f->done == f->len)
		next_message(f);
}
