/*
 * swarm/core/node_room.h - what the files of swarm/core see of the node they live in. Internal.
 */
#ifndef SHOAL_NODE_ROOM_H
#define SHOAL_NODE_ROOM_H

#include "proto/base/heap.h"
#include "proto/base/rng.h"
#include "swarm/core/announce.h"
#include "swarm/core/carrier.h"
#include "swarm/core/contacts.h"
#include "swarm/core/events.h"
#include "swarm/core/finder.h"
#include "swarm/core/flight_note.h"
#include "swarm/peers/guard.h"
#include "swarm/core/hints.h"
#include "swarm/core/identity.h"
#include "swarm/peers/limiter.h"
#include "swarm/core/node.h"
#include "swarm/core/peer.h"
#include "swarm/core/policy.h"
#include "swarm/core/recall.h"
#include "swarm/core/skeys.h"
#include "swarm/peers/repute.h"
#include "swarm/core/swarm.h"

#define SHOAL_NODE_PEERS 500 /* connections, when nothing else is said */
#define SHOAL_NODE_BANS 4096u
#define SHOAL_NODE_BANS_FIRST 16u /* room for so many at first */
#define SHOAL_NODE_AGREES 100	  /* key exchanges a second with who comes to us (MSE): 1 % of a core */
#define SHOAL_NODE_BAN_TIME SHOAL_S(3600)
#define SHOAL_NODE_READ_BUDGET (1u << 20) /* bytes read of one peer at a turn */
#define SHOAL_EXT_PEX 1			  /* our own number for ut_pex */
#define SHOAL_EXT_METADATA 2		  /* for ut_metadata */
#define SHOAL_EXT_PUNCH 4		  /* for ut_holepunch (BEP 55) */
#define SHOAL_EXT_KEY 8			  /* for sh_key (key_proof.h) */
#define SHOAL_EXT_LEAVES 9		  /* for sh_leaves (leaf_hints.h) */
#define SHOAL_EXT_DONTHAVE 7		  /* and for lt_donthave (BEP 54) */
#define SHOAL_EXT_USER_MAX 16
#define SHOAL_NODE_JOB_DATA 0x100  /* a disk job's flag: it answers SHOAL_OP_READ */
#define SHOAL_NODE_JOB_OFFER 0x200 /* and that: it reads blocks for a piece that is open (offered.h) */

/* The top byte of a cookie: which room asked the world. */
enum shoal_cookie_kind {
	SHOAL_COOKIE_DIAL = 0,
	SHOAL_COOKIE_TRACKER = 1,
	SHOAL_COOKIE_WEBSEED = 2,
};
#define SHOAL_COOKIE_SHIFT 56

#define SHOAL_NODE_SEEN_AS 4
/* An address of ours, as peers say they see it. */
struct shoal_seen_as {
	struct shoal_addr addr;
	uint16_t votes;
};

struct shoal_node_ban {
	uint8_t ip[16];
	bool is_v4;
	bool shared; /* others came from this address too: only the port's owner is meant */
	uint16_t port;
	shoal_us until;
};

/* What every turn touches lies together at the front, `events` last of it: see struct shoal_peer. */
struct shoal_node {
	shoal_us now;
	struct shoal_swarm *swarms;		/* all of them, in the order of their handles */
	struct shoal_swarm *awake, **awake_end; /* those that have something to do, in that order: node_swarms.c */
	struct shoal_heap asleep;		/* the others */
	struct shoal_peer *peers, *peers_last;
	uint32_t peer_count, closings;		  /* closings: of these, not freed yet */
	struct shoal_peer *stirred, **stirred_to; /* that may have something to do; where the next one joins */
	const struct shoal_policy *policy;
	unsigned without; /* enum shoal_without; all of it where the policy keeps no score */
	unsigned jobs_out, commits_out;
	bool stopping, stopped_said;
	bool bounce_lent;
	uint8_t *bounce;   /* of the options; else its own, once there has been a peer */
	size_t long_bytes; /* charged for messages that are not whole yet */
	struct shoal_slots *slots;
	struct shoal_budget *budget;
	size_t purse, peers_used; /* set aside for connections; what they cost (turnover.h) */
	shoal_us tick_at, wake_at;
	shoal_us turnover_at;
	shoal_us shout_due; /* the next one about a swarm that was shouted about before */
	struct shoal_disk disk;
	struct shoal_store store;
	struct shoal_world world;
	struct shoal_flights *flights;	   /* NULL: decisions are not recorded */
	struct shoal_finder *finder;	   /* NULL: no DHT */
	struct shoal_announcer *announcer; /* NULL until there is a tracker */
	uint32_t dials;			   /* of dialling[] */
	uint32_t dial_turn, dial_handle;   /* its place in dial_times; the swarm that dialled last */
	uint32_t max_peers, upload_slots;
	uint32_t dealt[2];	       /* the torrent that was last dealt something, by enum shoal_way */
	struct shoal_limiter up, down; /* for all torrents together */
	struct shoal_carriers carriers;
	struct shoal_repute repute;
	struct shoal_recall recall;
	struct shoal_rng rng;
	struct shoal_events events;

	struct shoal_swarm **by_handle;
	uint32_t swarm_count, swarm_room;
	uint16_t port;
	char agent[64];
	uint32_t next_handle, next_serial;
	uint64_t next_cookie;
	struct shoal_webrun *webruns; /* that have a question open, or soon will */
	struct shoal_sipkey key;      /* of tables that strangers fill */
	struct shoal_guard guard;
	struct shoal_skeys skeys;	       /* all swarms, by their hashes */
	struct shoal_patience agreed;	       /* exchanges of keys, with who came to us */
	struct shoal_patience read_for_others; /* MiB, for leaves and hints, whoever asked (swarm/peers/patience.h) */
	enum shoal_encryption encryption;
	enum shoal_show_key show_key;
	const struct shoal_identity *identity;
	uint32_t epoch_s;				     /* shoal_node_seconds() at time 0 */
	uint32_t contact_count;				     /* in all swarms */
	struct shoal_seen_as seen_as[2][SHOAL_NODE_SEEN_AS]; /* [is_v4] */

	struct shoal_dial dialling[SHOAL_DIALS];
	shoal_us dial_times[SHOAL_DIALS_SECOND]; /* when the last ones began: a ring */
	struct shoal_carrier_net carrier_net[SHOAL_CARRIER_NETS];

	unsigned quiet; /* enum shoal_quiet */
	shoal_us turned_since, full_until, refused_said;
	uint32_t turned;     /* sent away since then, to make room */
	uint64_t refused;    /* connections, for want of memory */
	uint64_t lsd_cookie; /* so that we know our own voice */
	shoal_us shouted, heard_since;
	uint32_t heard;	       /* datagrams, since then */
	uint32_t shout_handle; /* the swarm that was shouted about last */
	struct shoal_node_ban *ban;
	uint32_t ban_count, ban_room;

	struct shoal_ext_name ext[SHOAL_EXT_USER_MAX]; /* registered by the user */
	size_t ext_count;
	uint64_t stop_ticket;
};

void shoal_node_job_done(struct shoal_node *n, struct shoal_disk_job *job, shoal_us now);
void shoal_node_data_done(struct shoal_node *n, struct shoal_disk_job *job, shoal_us now);
/* Charges the budget, if need be with memory that the pool of slots holds and nobody uses. false: there is none. */
SHOAL_MUST bool shoal_node_charge(struct shoal_node *n, size_t bytes);
/* Submits, and counts; the owner is told through shoal_node_reap. */
int shoal_node_submit(struct shoal_node *n, struct shoal_disk_job *job);
/* Ends the store's batch for `s`: shoal_swarm_committed() will be told. 0 also when there is no store. */
int shoal_node_commit(struct shoal_node *n, struct shoal_swarm *s);
/* Whether the store takes one more commit. To be asked before a batch is put together: what was put and not committed goes
 * out with somebody else's. */
static inline bool shoal_node_commits(const struct shoal_node *n)
{
	return n->commits_out < SHOAL_STORE_COMMITS_MAX;
}
struct shoal_peer *shoal_node_peer(struct shoal_node *n, uint32_t serial);
/* A dial has ended: in a transport, or in none and why. */
void shoal_node_dial_over(struct shoal_node *n, uint64_t cookie, struct shoal_transport *t, int err, shoal_us now);
/* Whether a part of our policy is in use. */
static inline bool shoal_node_uses(const struct shoal_node *n, enum shoal_without part)
{
	return !(n->without & part);
}
/* By what it did to us since we began, or by its record of earlier days. */
bool shoal_node_banned(struct shoal_node *n, const struct shoal_addr *addr, shoal_us now);
void shoal_node_ban(struct shoal_node *n, const struct shoal_addr *addr, shoal_us until);
/* Of all places so many may one host's strangers have beyond their share (swarm/peers/guard.h): none once all are taken. */
uint32_t shoal_node_spare(const struct shoal_node *n);
/* The swarm an info hash names, v1 or truncated v2 (`*by_v2`); NULL. */
struct shoal_swarm *shoal_node_swarm(struct shoal_node *n, const struct shoal_id20 *hash, bool *by_v2);
struct shoal_swarm *shoal_node_handle(struct shoal_node *n, uint32_t handle);
/* ---- node_swarms.c ---- */
/* One more, and awake. NOMEM. */
SHOAL_MUST int shoal_node_join(struct shoal_node *n, struct shoal_swarm *s);
/* It ends, whether it had joined or not. */
void shoal_node_part(struct shoal_node *n, struct shoal_swarm *s);
/* Something has changed for it: it is looked at on the next call. */
void shoal_node_wake(struct shoal_swarm *s);
/* Those whose time has come wake. */
void shoal_node_rouse(struct shoal_node *n, shoal_us now);
/* Those with nothing to do go to sleep. Returns when the next of all has to be looked at. */
shoal_us shoal_node_doze(struct shoal_node *n, shoal_us now);
/* A cookie for a question to the world; its kind routes the answer (node_outside.c). */
uint64_t shoal_node_cookie(struct shoal_node *n, enum shoal_cookie_kind kind);

#endif
