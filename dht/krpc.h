/*
 * dht/krpc.h - one DHT message <-> bytes (BEP 5, 32, 33, 42, 43, 44, 51).
 *
 * Knows no sockets, tables or policy. Spans in a decoded message borrow the
 * input; what is sent borrows the caller's. Keys may come in any order, and
 * those we do not know are passed over; what we know must be well formed, or
 * the whole message is not.
 */
#ifndef SHOAL_KRPC_H
#define SHOAL_KRPC_H

#include <shoal/types.h>

#define SHOAL_KRPC_IN_MAX 2048u	 /* bytes of a message that we read */
#define SHOAL_KRPC_OUT_MAX 1400u /* that we write: fits any path without fragments */
#define SHOAL_KRPC_TID_MAX 32u	 /* of others' transaction ids, which are echoed */
#define SHOAL_KRPC_TOKEN_MAX 64u
#define SHOAL_KRPC_VALUE_MAX 1000u /* BEP 44: an item, bencoded */
#define SHOAL_KRPC_SALT_MAX 64u
#define SHOAL_KRPC_NODE4 26u /* bytes: id, address, port */
#define SHOAL_KRPC_NODE6 38u
#define SHOAL_KRPC_BLOOM 256u

enum shoal_krpc_kind { SHOAL_KRPC_QUERY = 1, SHOAL_KRPC_REPLY, SHOAL_KRPC_ERROR };
enum shoal_krpc_method {
	SHOAL_KRPC_PING,
	SHOAL_KRPC_FIND_NODE,
	SHOAL_KRPC_GET_PEERS,
	SHOAL_KRPC_ANNOUNCE,
	SHOAL_KRPC_GET,	   /* BEP 44 */
	SHOAL_KRPC_PUT,	   /* BEP 44 */
	SHOAL_KRPC_SAMPLE, /* BEP 51 */
	SHOAL_KRPC_UNKNOWN,
};
/* Of errors, BEP 5 and 44. */
enum shoal_krpc_code {
	SHOAL_KRPC_GENERIC = 201,
	SHOAL_KRPC_SERVER = 202,
	SHOAL_KRPC_PROTOCOL = 203,
	SHOAL_KRPC_NO_METHOD = 204,
	SHOAL_KRPC_TOO_BIG = 205,
	SHOAL_KRPC_BAD_SIGNATURE = 206,
	SHOAL_KRPC_SALT_TOO_BIG = 207,
	SHOAL_KRPC_CAS_MISMATCH = 301,
	SHOAL_KRPC_SEQ_TOO_LOW = 302,
};
enum { SHOAL_KRPC_WANT4 = 1, SHOAL_KRPC_WANT6 = 2 };

struct shoal_krpc {
	enum shoal_krpc_kind kind;
	enum shoal_krpc_method method; /* of a QUERY; a reply does not say */
	struct shoal_bytes tid, version;
	bool read_only; /* QUERY: its sender answers nobody (BEP 43) */
	bool has_ip;	/* not of a QUERY: our address, as the sender sees it (BEP 42) */
	struct shoal_addr ip;
	struct shoal_id20 id; /* the sender's; zeros in an ERROR */

	/* QUERY */
	bool has_target;	  /* `target` or `info_hash` */
	struct shoal_id20 target; /* of FIND_NODE, GET, SAMPLE; the info hash of GET_PEERS and ANNOUNCE */
	unsigned want;		  /* SHOAL_KRPC_WANT4 | _WANT6; 0: nothing was said */
	bool scrape, no_seed, seed, implied_port;
	uint16_t port; /* ANNOUNCE; 0: none was said */
	bool has_cas;
	int64_t cas;
	struct shoal_bytes salt;

	/* QUERY and REPLY: items (BEP 44) and what writes need. Empty: not there. */
	struct shoal_bytes token, v, k, sig; /* v: one bencoded value, as it is signed and hashed */
	bool has_seq;
	int64_t seq;

	/* REPLY */
	struct shoal_bytes nodes, nodes6;	     /* whole ones: multiples of _NODE4, _NODE6 */
	struct shoal_bytes values;		     /* a bencoded list of strings; shoal_krpc_values() reads it */
	struct shoal_bytes bloom_seeds, bloom_peers; /* _BLOOM bytes or none (BEP 33) */
	bool has_samples;
	struct shoal_bytes samples; /* 20 bytes each (BEP 51) */
	int64_t interval, num;	    /* of samples: seconds; how many there are */

	/* ERROR */
	int64_t code;
	struct shoal_bytes text; /* a stranger's: escape before showing */
};

/* 0; MALFORMED; TOO_LONG above SHOAL_KRPC_IN_MAX. `*out` is written on success alone. */
SHOAL_MUST int shoal_krpc_decode(struct shoal_bytes in, struct shoal_krpc *out);
/* The length; TOO_LONG when it does not fit. `v` must be one bencoded value. */
SHOAL_MUST ptrdiff_t shoal_krpc_encode(const struct shoal_krpc *m, struct shoal_space out);

struct shoal_krpc_node {
	struct shoal_id20 id;
	struct shoal_addr addr;
};
/* Node number `i` of `nodes` (v4) or `nodes6`; false past the end. */
bool shoal_krpc_node_at(struct shoal_bytes nodes, bool is_v4, size_t i, struct shoal_krpc_node *out);
/* Writes one: SHOAL_KRPC_NODE4 or _NODE6 bytes, and returns how many. */
size_t shoal_krpc_node_put(const struct shoal_krpc_node *node, uint8_t out[SHOAL_KRPC_NODE6]);
/* Reads up to `max` addresses of `values`, both kinds, in order; others are passed over. */
size_t shoal_krpc_values(struct shoal_bytes values, struct shoal_addr *out, size_t max);
/* Writes such a list; the length, or TOO_LONG. */
SHOAL_MUST ptrdiff_t shoal_krpc_values_put(const struct shoal_addr *addr, size_t count, struct shoal_space out);

#endif
