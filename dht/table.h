/*
 * dht/table.h - the routing table: nodes that have answered us, many of them near our id, few far away (BEP 5, 42).
 *
 * One bucket to each length of common prefix: up to eight nodes, and four
 * spares that take the place of whoever stops answering. Who answers is
 * never driven out by a newcomer, except that an id its address has earned
 * (BEP 42) is preferred to one it has not. An address has one id, the last
 * it answered under. On the open network a host has one place in a bucket,
 * as has its /24 (IPv6: /64), and two in the table.
 *
 * About 0.8 KiB a bucket in use; a network of n nodes fills log2(n / 8) of them.
 */
#ifndef SHOAL_DHT_TABLE_H
#define SHOAL_DHT_TABLE_H

#include <shoal/types.h>
#include "dht/krpc.h"

#define SHOAL_TABLE_K 8u
#define SHOAL_TABLE_SPARES 4u
#define SHOAL_TABLE_NET 2u		 /* places of one /24 in all of it */
#define SHOAL_TABLE_STALE SHOAL_S(300)	 /* not heard for so long: it is asked. BEP 5 has 15 min; nodes leave sooner */
#define SHOAL_TABLE_REFRESH SHOAL_S(900) /* a bucket in which nothing happened for so long is looked into */
#define SHOAL_TABLE_THIN SHOAL_S(120)	 /* the same, of one that is not half full and should be */
#define SHOAL_TABLE_FAILS 2u		 /* questions in a row without an answer: a spare takes the place */
#define SHOAL_TABLE_FAILS_MAX 5u	 /* and without a spare: gone */

struct shoal_table_entry {
	struct shoal_krpc_node node;
	uint8_t fails;
	bool fits;	/* its id is one its address has earned */
	shoal_us heard; /* its last word */
	shoal_us asked; /* a stale one: when it was asked again */
};
struct shoal_table_bucket;
struct shoal_table {
	struct shoal_id20 own;
	struct shoal_table_bucket *bucket[160]; /* by shared prefix with `own`; NULL: empty */
	uint32_t count;				/* nodes, without spares */
};

void shoal_table_init(struct shoal_table *t, const struct shoal_id20 *own);
void shoal_table_fini(struct shoal_table *t);
/* Our id has changed: the nodes are sorted anew. */
void shoal_table_rehome(struct shoal_table *t, const struct shoal_id20 *own, shoal_us now);
/* It answered a question of ours. True when it has a place now. */
bool shoal_table_answered(struct shoal_table *t, const struct shoal_krpc_node *node, shoal_us now);
/* It asked us something. True when it is not known and would get a place if it answered: worth a ping. */
bool shoal_table_asked(struct shoal_table *t, const struct shoal_krpc_node *node, shoal_us now);
/* It did not answer. */
void shoal_table_failed(struct shoal_table *t, const struct shoal_krpc_node *node);
/* The nodes closest to `target`, closest first, of those that are alive as far as we know. How many. */
size_t shoal_table_closest(const struct shoal_table *t, const struct shoal_id20 *target, struct shoal_krpc_node *out,
			   size_t max);
/* Somebody who has been silent too long and is to be pinged now; NULL. */
const struct shoal_table_entry *shoal_table_stale(struct shoal_table *t, shoal_us now);
/* A random id in a bucket where nothing happened for long; false: there is none. It counts as looked into. */
bool shoal_table_refresh(struct shoal_table *t, const struct shoal_id20 *random, shoal_us now, struct shoal_id20 *out);
/* All nodes, in the order of the buckets, from *at = 0; false at the end. */
bool shoal_table_next(const struct shoal_table *t, uint32_t *at, struct shoal_table_entry *out);
size_t shoal_table_bytes(const struct shoal_table *t); /* on the heap */

#endif
