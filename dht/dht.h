/*
 * dht/dht.h - a node of the Mainline DHT in one address family (BEP 5, 32, 33, 42, 43, 44, 45, 51), without I/O.
 *
 * Fed with datagrams and time; polled for datagrams to send, for what its
 * searches found, and for its next deadline. Many live in one process. A host
 * with both families has two nodes that are linked: each names the other's
 * neighbours to those who want them. Not thread-safe.
 *
 * What it costs: an idle node 32 KiB at most; what others store here is
 * bounded (peer_store.h, items.h) and charged to the budget. Who has not
 * proved his address gets at most SHOAL_DHT_AMPLIFY bytes for each of his.
 */
#ifndef SHOAL_DHT_H
#define SHOAL_DHT_H

#include <shoal/types.h>
#include "dht/items.h"
#include "dht/krpc.h"
#include "proto/base/rng.h"
#include "proto/base/slots.h"

#define SHOAL_DHT_AMPLIFY 3u	   /* bytes sent for one, to who has not proved his address */
#define SHOAL_DHT_SHORT SHOAL_S(1) /* waited for an answer before the next is asked */
#define SHOAL_DHT_LONG SHOAL_S(6)  /* until an answer is none */
#define SHOAL_DHT_SEARCHES 64u	   /* under way */
#define SHOAL_DHT_BOOTS 64u	   /* places to begin at that are remembered */
#define SHOAL_DHT_PEERS 1024u	   /* that one search tells of */
#define SHOAL_DHT_OUT (64u * 1024) /* bytes that wait to be sent; what is more is lost */
#define SHOAL_DHT_PORT_MIN 1024u   /* services live below: no node is looked for there */

struct shoal_dht;

struct shoal_dht_options {
	bool is_v4;
	bool read_only;	      /* answers nobody (BEP 43) */
	bool proves;	      /* but pings, so that those whom it asks for much know where their bytes go */
	bool samples;	      /* tells which info hashes it keeps (BEP 51) */
	bool no_proof;	      /* ids are not held against addresses (BEP 42 off): for comparison alone */
	struct shoal_id20 id; /* zeros: any. Changed when the network tells our address (BEP 42) */
	uint8_t version[4];   /* told as `v`; zeros: none */
	uint8_t secret[32];   /* bytes nobody can guess */
	struct shoal_rng rng;
	struct shoal_budget *budget; /* the caller's; outlives the node */
	const struct shoal_dht_crypto
		*crypto; /* NULL: mutable items are neither kept nor believed; outlives the node */
};

/* NOMEM. */
SHOAL_MUST int shoal_dht_new(struct shoal_dht **out, const struct shoal_dht_options *options, shoal_us now);
void shoal_dht_free(struct shoal_dht *d);
/* Two nodes of one host, of different families; NULL parts them. */
void shoal_dht_link(struct shoal_dht *a, struct shoal_dht *b);

/* A datagram that begins with 'd'. True: it was a KRPC message. */
bool shoal_dht_datagram(struct shoal_dht *d, const struct shoal_addr *from, struct shoal_bytes data, shoal_us now);
/* The next datagram to send: 1 and its bytes, valid until the next call; 0. */
SHOAL_MUST int shoal_dht_output(struct shoal_dht *d, struct shoal_addr *to, struct shoal_bytes *data);
void shoal_dht_tick(struct shoal_dht *d, shoal_us now);
shoal_us shoal_dht_deadline(const struct shoal_dht *d);

/* Somebody to begin with: a bootstrap node, one of the last session, a peer's node. `named`: the user said so, and
 * it may have any port. Asked when the table is nearly empty, or (`ping`) at once. */
void shoal_dht_add(struct shoal_dht *d, const struct shoal_addr *addr, bool named, bool ping, shoal_us now);
/* Nodes that answer, for the next session and for a torrent's `nodes`. How many. */
size_t shoal_dht_nodes(const struct shoal_dht *d, struct shoal_krpc_node *out, size_t max);

/* ---- searches ------------------------------------------------------------------------ */
enum shoal_dht_what {
	SHOAL_DHT_FIND,	    /* the nodes closest to an id */
	SHOAL_DHT_PEERS_OF, /* who has a torrent; then, if asked to, says that we have it */
	SHOAL_DHT_COUNT,    /* how many have it (BEP 33) */
	SHOAL_DHT_GET,	    /* an item */
	SHOAL_DHT_PUT,	    /* the same, and then it is put there */
};
struct shoal_dht_ask {
	enum shoal_dht_what what;
	struct shoal_id20 target;
	/* PEERS_OF */
	bool announce, implied_port, seed;
	uint16_t port;
	/* GET, PUT. For a mutable item the key and salt; for PUT what is put, signed */
	struct shoal_bytes salt, v, k, sig;
	bool has_cas, renew; /* renew: others have it already, so that nobody waits for those who are late */
	int64_t seq, cas;
};
/* The search's number (> 0); BUSY: too many at once; MALFORMED: an item that BEP 44 forbids; NOMEM. */
SHOAL_MUST int64_t shoal_dht_search(struct shoal_dht *d, const struct shoal_dht_ask *ask, shoal_us now);
/* Nothing more is said of it. */
void shoal_dht_stop(struct shoal_dht *d, int64_t search);
/* One ping, which a PONG answers. As for search. */
SHOAL_MUST int64_t shoal_dht_ping(struct shoal_dht *d, const struct shoal_addr *addr, shoal_us now);

enum shoal_dht_event_kind {
	SHOAL_DHT_PEERS_FOUND = 1, /* `addr`: new ones, in no order; strangers name them */
	SHOAL_DHT_ITEM,		   /* `v`, and for a mutable one `k`, `sig`, `seq`: verified, newer than any before */
	SHOAL_DHT_PONG,		   /* `node`, `version`, `took`; or err TIMEOUT */
	SHOAL_DHT_DONE,		   /* the search is over */
};
struct shoal_dht_event {
	enum shoal_dht_event_kind kind;
	int64_t search;
	int err; /* DONE: TIMEOUT: nobody answered at all; of PUT: what most said, REFUSED with `code` */
	const struct shoal_addr *addr;
	size_t count;
	struct shoal_bytes v, k, sig;
	int64_t seq;
	struct shoal_krpc_node node;
	uint8_t version[4];
	shoal_us took;
	/* DONE */
	struct shoal_krpc_node closest[8];
	unsigned closest_count;
	unsigned queries, answers;	   /* of the search and of its writes */
	unsigned hops;			   /* to the first that had what was looked for; else to the closest */
	unsigned written, copies;	   /* nodes that took the announce or the item; that had the newest item */
	int64_t code;			   /* of a refusal (enum shoal_krpc_code) */
	uint64_t seeds_milli, peers_milli; /* COUNT: thousandths */
};
/* 1 and *ev, its spans valid until the next call; 0. */
SHOAL_MUST int shoal_dht_poll(struct shoal_dht *d, struct shoal_dht_event *ev);

struct shoal_dht_facts {
	struct shoal_id20 id;
	bool has_external;
	struct shoal_addr external;		     /* without a port */
	uint32_t nodes, begins, searches, questions; /* known; places to begin at; under way; that wait for answers */
	uint32_t swarms, peers, items;		     /* kept for others */
	uint64_t in, out, bytes_in, bytes_out, refused;
	size_t heap; /* bytes, without what others store here */
};
void shoal_dht_facts(const struct shoal_dht *d, struct shoal_dht_facts *out);

#endif
