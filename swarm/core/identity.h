/*
 * swarm/core/identity.h - peers known by a key: what a node needs to show its own, and what it learns of theirs.
 *
 * Internal to swarm/core, but for the hook that a node is opened with. The proof
 * and what it is worth: proto/key_proof.h. A key that was proven has a record
 * of its own (swarm/peers/repute.h), which follows it from address to address:
 *
 * - what is good is noted under the key and under the address;
 * - what is bad, under the key only where the stream is bound to the proof (encrypted): else one in the middle could
 *   spoil the name of others;
 * - decisions go by the key's record only there as well, and else by the address's: nobody borrows a name. Of two records
 *   the worse decides once either is on parole or banned, and otherwise the one with more evidence.
 *
 * A key is a name that others recognise us by, wherever we are: it is shown as the user wants it.
 */
#ifndef SHOAL_IDENTITY_H
#define SHOAL_IDENTITY_H

#include <shoal/engine.h>
#include "proto/key_proof.h"

struct shoal_peer;
struct shoal_rep;

/* What a node's key can do; libsodium in swarm/io, a stand-in in tests. */
struct shoal_identity {
	void *to;
	/* Our public key; made when there is none yet. false: there is none to be had. */
	bool (*key)(void *to, uint8_t out[SHOAL_KEY_BYTES]);
	bool (*sign)(void *to, struct shoal_bytes text, uint8_t sig[SHOAL_KEY_SIG]);
	bool (*verify)(void *to, const uint8_t key[SHOAL_KEY_BYTES], struct shoal_bytes text,
		       const uint8_t sig[SHOAL_KEY_SIG]);
	/* What binds a stream with `peer` that MSE does not: a secret of it that both ends share and nobody else has, hashed.
	 * NULL, or false: nothing does. */
	bool (*bind)(void *to, const struct shoal_addr *peer, struct shoal_id32 *out);
};

/* Of one connection: heap, from the first word to the last. */
struct shoal_acquaintance {
	struct shoal_key_side ours, theirs;
	bool said, heard; /* HELLO: ours went out, theirs came */
	bool judged;	  /* their PROOF has come */
};

/* Whether it is shown our key: the handshake then names the extension. */
bool shoal_identity_shows(const struct shoal_peer *p);
/* Its handshake names the extension. */
void shoal_identity_greet(struct shoal_peer *p, shoal_us now);
/* A message of the extension; < 0 ends the peer. */
SHOAL_MUST int shoal_identity_heard(struct shoal_peer *p, struct shoal_bytes body, shoal_us now);
/* The connection ends. */
void shoal_identity_end(struct shoal_peer *p);

/* The record that decides; NULL: none could be had. */
const struct shoal_rep *shoal_peer_standing(const struct shoal_peer *p);

#endif
