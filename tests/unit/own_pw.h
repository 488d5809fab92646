/*
 * tests/unit/own_pw.h - a stream that comes in (peer_wire.h), fed by hand.
 */
#ifndef SHOAL_OWN_PW_H
#define SHOAL_OWN_PW_H

#include "proto/peer_wire.h"

struct own_pw {
	struct shoal_pw *pw;
	uint8_t *bounce;
	struct shoal_space v[SHOAL_PW_SPANS];
	size_t n;
};

/* `greeted`: the other's handshake has come, and all is allowed. */
void own_pw_init(struct own_pw *r, bool greeted);
void own_pw_fini(struct own_pw *r);
/* One read, all of it, which must fit what is offered; polling is the caller's. */
void own_pw_feed(struct own_pw *r, const void *at, size_t len, shoal_us now);
/* The event's kind, OWN_PW_IDLE, or < 0. */
int own_pw_kind(struct own_pw *r, struct shoal_pw_event *ev);
#define OWN_PW_IDLE 100
bool own_pw_bounce_untouched(const struct own_pw *r);

/* Places for blocks; expect() foresees the first n of piece 3 in them. */
extern uint8_t own_pw_slot[SHOAL_PW_FORECAST + 4][SHOAL_WIRE_BLOCK_MAX];
size_t own_pw_expect(struct shoal_pw_expect *want, size_t n);
/* A whole message, every byte of the block `fill`: its length. */
size_t own_pw_block(uint8_t *to, uint32_t piece, uint32_t begin, uint32_t len, uint8_t fill);

#endif
