/* own_utp_hand.h - one uTP node, and peers who are played by hand: each packet that they say, and what it answers. */
#ifndef OWN_UTP_HAND_H
#define OWN_UTP_HAND_H

#include "proto/utp_wire.h"
#include "tests/unit/own_utp.h"

#define HAND_WINDOW (1u << 20) /* that they say they have */

/* What the node, the line's end 1, sends back is kept here, and goes nowhere. */
struct hand {
	struct line line; /* first */
	uint64_t count, bytes;
	struct shoal_utp_head last; /* into raw */
	uint16_t next;		    /* behind the last data that it sent */
	uint8_t raw[2048];
	struct shoal_addr from; /* who dialed, and the cookie that it heard */
	uint16_t ack;
};

void hand_open(struct hand *h);
void hand_close(struct hand *h);
struct shoal_addr hand_stranger(uint32_t i);
void hand_say(struct hand *h, const struct shoal_addr *from, struct shoal_utp_head head, struct shoal_bytes payload);

/* A stranger's SYN, number 1, and its answer. */
void hand_dial(struct hand *h);
/* A packet of the one who dialed. The first, with the answer's cookie in it, lets it in. */
void hand_data(struct hand *h, uint16_t seq, struct shoal_bytes payload);

#endif
