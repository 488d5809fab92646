/*
 * tools/lab/world/room.h - what the files of the world see of it. Internal.
 */
#ifndef SIM_ROOM_H
#define SIM_ROOM_H

#include "tools/lab/world/book.h"
#include "tools/lab/world/must.h"
#include "tools/lab/world/world.h"

#define SIM_PORTS 20000u /* that connections come from, one after the other */

struct sim_dial;
struct sim_event;
struct sim_flying;
struct sim_host;
struct sim_mapping;
struct sim_question;

struct sim {
	struct sim_options o;
	struct sim_clock clock;
	struct shoal_rng dice;
	struct shoal_rng ether; /* of datagrams */
	struct sim_node **node;
	unsigned nodes, node_room;
	struct sim_book book;	  /* struct sim_node: who listens there */
	struct sim_book outside;  /* struct sim_mapping: NATs' ports */
	struct sim_book services; /* struct sim_host */
	struct sim_host *hosts;
	struct sim_node *touched, **touched_tail;
	struct sim_dial *dials;
	struct sim_node *dialled[SIM_PORTS]; /* by port */
	struct sim_event *events;
	struct sim_flying *flying;
	struct sim_question *questions;
	struct sim_pipe_options streams; /* of all of them */
	uint64_t pipes, trace, wire_bytes;
	uint8_t *bounce;  /* every node's (node.h) */
	shoal_us idle_at; /* the next look for idle pieces */
	shoal_us idle_most;
	bool hides; /* some node's streams may be noise: what goes by is not known */
	char wrong[320];
};

/* node.c, its events and its world */
extern const struct shoal_world_ops sim_world_ops; /* of a struct sim_node */
void sim_node_drain(struct sim_node *n);	   /* takes all that it says */
/* Its memory goes; what it was charged must have come back. It is idle. */
void sim_node_end(struct sim_node *n);
void sim_node_free(struct sim_node *n); /* the machine too; it does not run */

/* loop.c */
void sim_calendar_clear(struct sim *sim);

/* net.c: what a node's world does, and what leaves none of it behind. */
int sim_net_dial(struct sim_node *n, const struct shoal_addr *to, uint64_t cookie);
int sim_net_datagram(struct sim_node *n, const struct shoal_addr *to, struct shoal_bytes data);
int sim_net_resolve(struct sim_node *n, const char *host, uint64_t cookie);
struct sim_node *sim_net_dialled_from(const struct sim *sim, const struct shoal_addr *addr); /* NULL: nobody */
void sim_net_init(struct sim *sim);
void sim_net_fini(struct sim *sim);
void sim_net_forget(struct sim_node *n); /* its NAT's mappings */

#endif
