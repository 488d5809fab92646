/*
 * tools/lab/real/wires.h - lines between nodes, for packets of real programs: rate, queue, delay, jitter, loss, reordering.
 *
 * A star: node i sends over its own line up and down another's. What the lines do to a packet is what the virtual world
 * does to its bytes (tools/lab/world/line.h). Packets and a clock in, packets out: no file, no socket, no clock in here.
 *
 * Node i has the address 10.77.(i / 250).(i % 250 + 1); a packet for anything else is dropped, IPv6 with it.
 * Times are nanoseconds of one monotonic clock.
 */
#ifndef LAB_WIRES_H
#define LAB_WIRES_H

#include "proto/base/heap.h"

#define LAB_WIRES_NODES_MAX 1024
#define LAB_WIRES_UNDER_WAY_MAX (256u << 20) /* bytes of room for packets under way; beyond it they are dropped */
#define LAB_WIRES_QUEUE_NS 1000000000u	     /* of a line that states none, as in the virtual world */
#define LAB_WIRES_LATE_NS 10000000u	     /* at most, of a packet that others overtake */
#define LAB_PACKET_HEAD 10		     /* a struct virtio_net_hdr */
#define LAB_WIRES_NET 0x0a4d0000u	     /* 10.77.0.0/16 */

static inline uint32_t lab_wires_address(unsigned node)
{
	return LAB_WIRES_NET | node / 250 << 8 | (node % 250 + 1);
}
/* "10.77.0.1"; returns `out`. */
const char *lab_wires_dotted(unsigned node, char out[16]);
/* UINT_MAX: nobody's. */
unsigned lab_wires_node(uint32_t address);

struct lab_wire {
	uint64_t up, down;  /* bytes a second of IP packets; 0: no limit */
	uint64_t delay_ns;  /* one way, its half of it */
	uint64_t jitter_ns; /* each packet is up to that much later; none overtakes another to the same node by it */
	uint64_t queue_ns;  /* longest wait for either rate; 0: LAB_WIRES_QUEUE_NS */
	uint32_t loss_ppm, reorder_ppm; /* of packets, each way: lost; held back, up to LAB_WIRES_LATE_NS */
	uint32_t cut;			/* nothing passes */
	uint32_t side;			/* nodes of different sides are apart */
	uint32_t everywhere, reserved2; /* it is on every side: the tracker */
};

struct lab_packet {
	struct lab_packet *next;  /* in the list of spare ones */
	struct shoal_timer timer; /* of its next step */
	unsigned from, to;
	bool arrives; /* its next step is to leave the line down; else to enter it */
	size_t len;
	uint8_t head[LAB_PACKET_HEAD]; /* what the carrier keeps of it: no business of the wires' */
	uint8_t bytes[];
};

struct lab_wires;
/* NULL: no memory, too many nodes or an MTU out of range. `seed`: of the dice for jitter and loss. */
struct lab_wires *lab_wires_new(unsigned nodes, size_t mtu, uint64_t seed);
void lab_wires_free(struct lab_wires *w);
size_t lab_wires_mtu(const struct lab_wires *w);
/* To be read and written at any time. */
struct lab_wire *lab_wires_line(struct lab_wires *w, unsigned node);

/* Room for one packet of up to `mtu` bytes; NULL: too much is under way (or no memory). */
struct lab_packet *lab_wires_room(struct lab_wires *w);
/* `p` from room(), filled, comes out of a node. Takes it; false: it was dropped. */
bool lab_wires_send(struct lab_wires *w, unsigned from, struct lab_packet *p, uint64_t now);
/* When something is next to do; UINT64_MAX: nothing. */
uint64_t lab_wires_due(const struct lab_wires *w);
/* The next packet that has arrived (its `to`); to be given back by done(). NULL: none yet. */
struct lab_packet *lab_wires_take(struct lab_wires *w, uint64_t now);
void lab_wires_done(struct lab_wires *w, struct lab_packet *p);
/* Packets from this node, or to it, that were dropped. */
uint64_t lab_wires_dropped(const struct lab_wires *w, unsigned node);

/* The bytes of an IPv4 packet behind its TCP or UDP header; 0 for what is neither, or cut short. */
size_t lab_packet_payload(struct shoal_bytes packet);

#endif
