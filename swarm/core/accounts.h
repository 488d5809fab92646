/*
 * swarm/core/accounts.h - what came of everybody we were connected with: bytes got, given, wasted and spoiled.
 *
 * Internal to swarm/core. Sums belong to a contact (contacts.h) and outlive
 * its connections. A connection that came in and has not said yet where it
 * listens, or whose contact has another one, keeps its own, and brings them along
 * when it becomes the contact's; blocks of it that are not verified yet go
 * with it. What ends without a contact is summed up in one account of the
 * swarm, so that the sums of all accounts are those of the swarm.
 */
#ifndef SHOAL_ACCOUNTS_H
#define SHOAL_ACCOUNTS_H

#include <shoal/engine.h>
#include "proto/key_proof.h"

struct shoal_contact;
struct shoal_peer;
struct shoal_swarm;

/* Bytes: verified ones from it; payload to it; from it and not needed; from it and false. */
struct shoal_sums {
	uint64_t got, gave, wasted, spoiled;
};
struct shoal_account {
	struct shoal_sums sums;
	bool banned;
	uint32_t source; /* the serial of its first connection: what blocks of all of them are remembered by; 0 none */
	float suspicion; /* its share of the blame, of when a connection ended before anybody was named (evidence.h) */
	char client[64]; /* as it last called itself */
	/* All that is remembered by `source` came in one encrypted stream, whose other end has proven this key (identity.h). */
	bool keyed;
	uint8_t key[SHOAL_KEY_BYTES];
};

/* Its contact's, or its own. */
struct shoal_sums *shoal_sums_of(struct shoal_peer *p);
/* The contact's account, made when it has none. NULL: no memory. */
struct shoal_account *shoal_account_open(struct shoal_swarm *s, struct shoal_contact *c);
/* What `p` has done so far without a contact is of `account` from now on; so are its blocks. */
void shoal_account_join(struct shoal_swarm *s, struct shoal_account *account, struct shoal_peer *p);
/* `p` has no contact, and ends. */
void shoal_account_left(struct shoal_swarm *s, struct shoal_peer *p);
/* Answers SHOAL_OP_PEERS: one PEER event for each account that has anything in it or is connected; DONE. */
void shoal_accounts_say(struct shoal_swarm *s, uint64_t ticket, shoal_us now);

#endif
