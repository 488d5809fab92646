/*
 * swarm/core/node_room.h - what the files of swarm/core see of the node they live in. Internal.
 */
#ifndef SHOAL_NODE_ROOM_H
#define SHOAL_NODE_ROOM_H

#include "proto/base/rng.h"
#include "swarm/core/events.h"
#include "swarm/core/limiter.h"
#include "swarm/core/node.h"
#include "swarm/core/peer.h"
#include "swarm/core/swarm.h"

#define SHOAL_NODE_DIALS 100 /* half-open connections */
#define SHOAL_NODE_PEERS 500 /* connections, when nothing else is said */
#define SHOAL_NODE_BANS 4096
#define SHOAL_NODE_BAN_TIME SHOAL_S(3600)
#define SHOAL_NODE_READ_BUDGET (1u << 20) /* bytes read of one peer at a turn */
#define SHOAL_EXT_METADATA 2		  /* our own number for ut_metadata */
#define SHOAL_EXT_DONTHAVE 7		  /* and for lt_donthave (BEP 54) */
#define SHOAL_EXT_USER_MAX 16
#define SHOAL_NODE_JOB_DATA 0x100 /* a disk job's flag: it answers SHOAL_OP_READ */

/* The top byte of a cookie: which room asked the world. */
enum shoal_cookie_kind {
	SHOAL_COOKIE_DIAL = 0,
	SHOAL_COOKIE_TRACKER = 1,
	SHOAL_COOKIE_WEBSEED = 2,
};
#define SHOAL_COOKIE_SHIFT 56

struct shoal_node_ban {
	uint8_t ip[16];
	bool is_v4;
	bool shared; /* others came from this address too: only the port's owner is meant */
	uint16_t port;
	shoal_us until;
};

struct shoal_node {
	struct shoal_world world;
	struct shoal_disk disk;
	struct shoal_store store;
	struct shoal_budget *budget;
	struct shoal_slots *slots;
	struct shoal_rng rng;
	struct shoal_events events;
	struct shoal_limiter up, down; /* for all torrents together */
	uint32_t dealt[2];	       /* the torrent that was last dealt something, by enum shoal_way */
	uint16_t port;
	uint32_t max_peers, upload_slots;
	char agent[64];

	struct shoal_swarm *swarms;
	uint32_t next_handle, next_serial, next_contact;
	struct shoal_peer *peers, *peers_last;
	uint32_t peer_count;
	uint64_t next_cookie;
	uint32_t dials;
	struct shoal_node_ban *ban;
	uint32_t ban_count;

	struct shoal_ext_name ext[SHOAL_EXT_USER_MAX]; /* registered by the user */
	size_t ext_count;

	uint8_t *bounce;
	size_t long_bytes; /* charged for messages that are not whole yet */
	shoal_us now;
	unsigned jobs_out, commits_out;
	bool stopping, stopped_said;
	uint64_t stop_ticket;
	shoal_us tick_at, wake_at;
};

void shoal_node_job_done(struct shoal_node *n, struct shoal_disk_job *job, shoal_us now);
void shoal_node_data_done(struct shoal_node *n, struct shoal_disk_job *job, shoal_us now);
/* Charges the budget, if need be with memory that the pool of slots holds and nobody uses. false: there is none. */
SHOAL_MUST bool shoal_node_charge(struct shoal_node *n, size_t bytes);
/* Submits, and counts; the owner is told through shoal_node_reap. */
int shoal_node_submit(struct shoal_node *n, struct shoal_disk_job *job);
/* Ends the store's batch for `s`: shoal_swarm_committed() will be told. 0 also when there is no store. */
int shoal_node_commit(struct shoal_node *n, struct shoal_swarm *s);
struct shoal_peer *shoal_node_peer(struct shoal_node *n, uint32_t serial);
bool shoal_node_banned(struct shoal_node *n, const struct shoal_addr *addr, shoal_us now);
/* Somebody useless is closed so that another can come in (crowd.c). false: all are of use. */
bool shoal_node_make_room(struct shoal_node *n, shoal_us now);
void shoal_node_ban(struct shoal_node *n, const struct shoal_addr *addr, shoal_us now);
/* The swarm an info hash names, v1 or truncated v2 (`*by_v2`); NULL. */
struct shoal_swarm *shoal_node_swarm(struct shoal_node *n, const struct shoal_id20 *hash, bool *by_v2);
struct shoal_swarm *shoal_node_handle(struct shoal_node *n, uint32_t handle);
/* A cookie for a question to the world; its kind routes the answer (node_outside.c). */
uint64_t shoal_node_cookie(struct shoal_node *n, enum shoal_cookie_kind kind);

#endif
