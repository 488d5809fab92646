/*
 * proto/utp_wire.h - one uTP datagram <-> struct (BEP 29).
 *
 * Integers on the wire are big-endian. Spans in a decoded head borrow the
 * input. Sequence numbers are 16 bits and wrap; they count packets.
 */
#ifndef SHOAL_UTP_WIRE_H
#define SHOAL_UTP_WIRE_H

#include <shoal/types.h>

#define SHOAL_UTP_HEAD 20u	/* bytes before extensions and payload */
#define SHOAL_UTP_SACK_MAX 128u /* bytes of a selective ack: 1024 packets */
#define SHOAL_UTP_CHAIN_MAX 4	/* extensions of one datagram */

enum shoal_utp_type {
	SHOAL_UTP_DATA = 0,
	SHOAL_UTP_FIN = 1,
	SHOAL_UTP_STATE = 2, /* an ack alone; its seq is that of the packet to come */
	SHOAL_UTP_RESET = 3,
	SHOAL_UTP_SYN = 4, /* its id is the one answers carry; all else carries that plus one */
};

struct shoal_utp_head {
	enum shoal_utp_type type;
	uint16_t id;
	uint16_t seq, ack;
	uint32_t stamp;		 /* the sender's clock, microseconds */
	uint32_t delay;		 /* between its clock and ours when it last heard us; 0: it has not */
	uint32_t window;	 /* bytes it has room for */
	struct shoal_bytes sack; /* bit i of it, lowest bits first: packet ack + 2 + i is there; may be empty */
	struct shoal_bytes payload;
};

/* Whether a datagram is uTP's at all: by its first byte, which starts no bencoding and no UDP tracker's answer. */
static inline bool shoal_utp_is(struct shoal_bytes in)
{
	return in.len >= SHOAL_UTP_HEAD && (in.at[0] & 0x0f) == 1 && in.at[0] >> 4 <= SHOAL_UTP_SYN;
}

/* MALFORMED: too short, another version or type, an extension past the end, a chain longer than CHAIN_MAX, or a selective
 * ack longer than SACK_MAX (that it is no multiple of 4, as BEP 29 asks, is let pass: libtorrent's are of any length).
 * Unknown extensions are skipped. */
SHOAL_MUST int shoal_utp_decode(struct shoal_bytes in, struct shoal_utp_head *out);

/* Writes the head, and `h->sack` if it has any, to `to`: the bytes written. There must be room for HEAD + 2 + sack.len.
 * The payload is the caller's to lay behind it. */
size_t shoal_utp_encode(const struct shoal_utp_head *h, uint8_t *to);

/* Whether `a` comes before `b`; half the circle apart is neither. */
static inline bool shoal_utp_before(uint16_t a, uint16_t b)
{
	return (int16_t)(uint16_t)(a - b) < 0;
}

#endif
