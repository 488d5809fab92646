/*
 * tests/fault/source.h - a peer in memory that has a whole torrent and sends what it is asked for.
 *
 * It is the other end of the transport that a node is given. It speaks the wire as bytes, with nothing
 * of the node's own machinery.
 */
#ifndef FAULT_SOURCE_H
#define FAULT_SOURCE_H

#include "proto/base/rng.h"
#include "proto/metainfo.h"
#include "proto/transport.h"

struct source {
	struct shoal_transport transport; /* the node's end */
	const struct shoal_metainfo *mi;
	const uint8_t *stream;
	struct shoal_rng rng;
	uint32_t bad;	 /* of 1000 blocks */
	uint64_t *asked; /* blocks sent, by piece */
	bool open;
	bool greeted;	   /* its handshake has come */
	unsigned wants;	   /* what the node waits for */
	uint8_t *in, *out; /* what the node has sent; what is on its way to it */
	size_t in_len, in_room, out_at, out_len, out_room;
};

void source_init(struct source *s, const struct shoal_metainfo *mi, const uint8_t *stream, struct shoal_rng rng,
		 uint32_t bad);
void source_fini(struct source *s);
/* A new connection: the transport to hand to shoal_node_accept(). */
struct shoal_transport *source_connect(struct source *s);
/* Reads what came and answers up to `blocks` requests. false: the node has closed it, or talks nonsense. */
bool source_turn(struct source *s, uint32_t blocks);
/* Bytes for the node to read. */
size_t source_waiting(const struct source *s);

#endif
