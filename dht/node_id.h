/*
 * dht/node_id.h - distances between ids (BEP 5), and ids that an address earns (BEP 42).
 */
#ifndef SHOAL_DHT_NODE_ID_H
#define SHOAL_DHT_NODE_ID_H

#include <shoal/types.h>

/* < 0: `a` lies closer to `target` than `b`; 0: they are the same; > 0. */
int shoal_node_id_order(const struct shoal_id20 *target, const struct shoal_id20 *a, const struct shoal_id20 *b);
/* How many first bits both share: 0 to 160. */
unsigned shoal_node_id_shared(const struct shoal_id20 *a, const struct shoal_id20 *b);
bool shoal_node_id_equal(const struct shoal_id20 *a, const struct shoal_id20 *b);

/* An id for whoever has this address: `random` with the bits set that BEP 42 asks for. */
struct shoal_id20 shoal_node_id_make(const struct shoal_addr *addr, const struct shoal_id20 *random);
/* Whether BEP 42 lets this address have the id; whoever is not on the open network may have any. */
bool shoal_node_id_fits(const struct shoal_id20 *id, const struct shoal_addr *addr);

#endif
