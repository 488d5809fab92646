/*
 * swarm/peers/guard.h - what a node knows of addresses as such, over all its torrents.
 *
 * Strangers name addresses, and some name victims: one host with a thousand
 * ports, in a hundred torrents. So attempts are counted by host (an IPv4
 * address, an IPv6 /64) and failures by network (/24, /48), whoever named
 * them; and connections are counted the same way, so that one network cannot
 * take all places. Loopback and private networks are spared the caps (DESIGN
 * 5): there many peers of a lab share one address.
 *
 * Behind one address may be an office. So an address has a share of places, and
 * beyond that what nobody else needs: a part of all, while there are any. Who
 * is there beyond the share goes first when somebody else comes (swarm/core/turnover.h).
 * And those who have proven themselves take no stranger's place: who gave, in
 * this connection, so many blocks that are right, and none that is not. What it
 * costs to take a place is paid in what we want, once for each; and there is an
 * end to those places too. Who turns is a stranger again, in a place too many:
 * nobody else comes in for that.
 *
 * A hash table of small entries with a key of its own, at most GUARD_MOST,
 * charged to the budget. Full of what may not be forgotten, it says no.
 */
#ifndef SHOAL_GUARD_H
#define SHOAL_GUARD_H

#include <shoal/types.h>
#include "proto/base/slots.h"
#include "proto/siphash.h"

#define SHOAL_GUARD_TRIES 3	      /* attempts at a host ... */
#define SHOAL_GUARD_SPAN SHOAL_S(600) /* ... in so long */
#define SHOAL_GUARD_LOCAL_FAILURES 32 /* in a row at a host of our own networks: then it rests as long */
#define SHOAL_GUARD_NET_FAILURES 4    /* in a row in one network: from then on it rests, longer each time */
#define SHOAL_GUARD_NET_WAIT SHOAL_S(15)
#define SHOAL_GUARD_HOST_CONNS 3 /* strangers of one torrent: the share */
#define SHOAL_GUARD_NET_CONNS 16
#define SHOAL_GUARD_SPARE 4u	   /* beyond it: of all places one in so many, while not all are taken */
#define SHOAL_GUARD_HOST_PROVEN 32 /* of one torrent: those who have proven themselves, beside them */
#define SHOAL_GUARD_NET_PROVEN 64
#define SHOAL_GUARD_PROOF 16u /* right blocks in one connection: 256 KiB */
#define SHOAL_GUARD_NAMES 200 /* new contacts one host may name by PEX ... */
#define SHOAL_GUARD_NAMES_LOCAL 2000
#define SHOAL_GUARD_NAMES_SPAN SHOAL_S(3600) /* ... in so long */
#define SHOAL_GUARD_AGREES 5		     /* key exchanges of MSE with one host, a second */
#define SHOAL_GUARD_MOST 65536u		     /* entries */

struct shoal_guard_entry;
struct shoal_guard {
	struct shoal_guard_entry *entry;
	uint32_t room, count; /* room: a power of two, or 0 */
	struct shoal_budget *budget;
	struct shoal_sipkey key;
};

void shoal_guard_init(struct shoal_guard *g, struct shoal_budget *budget, struct shoal_sipkey key);
void shoal_guard_fini(struct shoal_guard *g);

/* When `addr` may be dialled: `now`, or later. SHOAL_NEVER: not by what is known now, ask again. */
shoal_us shoal_guard_ready(struct shoal_guard *g, const struct shoal_addr *addr, shoal_us now);
/* It is being dialled; what came of it. false: there is no room to remember it: do not. */
SHOAL_MUST bool shoal_guard_dialling(struct shoal_guard *g, const struct shoal_addr *addr, shoal_us now);
void shoal_guard_failed(struct shoal_guard *g, const struct shoal_addr *addr, shoal_us now);
void shoal_guard_worked(struct shoal_guard *g, const struct shoal_addr *addr, shoal_us now);

/* The network is another: failures in the last one say nothing of it. */
void shoal_guard_moved(struct shoal_guard *g);

/* The user named it: no cap holds for its host. */
void shoal_guard_trust(struct shoal_guard *g, const struct shoal_addr *addr, shoal_us now);
/* How a connection is counted. */
enum shoal_guard_place {
	SHOAL_GUARD_FREE, /* not at all: nothing is to be given back */
	SHOAL_GUARD_STRANGER,
	SHOAL_GUARD_PROVEN,
};
/* A connection with it begins, a stranger's: false when its host or network has its share already (`torrents` times the
 * cap, and `spare` in any case). `place`: how it is counted. */
SHOAL_MUST bool shoal_guard_join(struct shoal_guard *g, const struct shoal_addr *addr, uint32_t torrents,
				 uint32_t spare, enum shoal_guard_place *place, shoal_us now);
/* Whether strangers of its host or network have more than their share. */
bool shoal_guard_crowds(struct shoal_guard *g, const struct shoal_addr *addr, uint32_t torrents, shoal_us now);
/* Who holds `place` has proven itself (`good`), or is not to be believed any more: the place it has now. Who has proven
 * itself stays a stranger while its host or network has its share of such places. */
SHOAL_MUST enum shoal_guard_place shoal_guard_regard(struct shoal_guard *g, const struct shoal_addr *addr,
						     uint32_t torrents, enum shoal_guard_place place, bool good,
						     shoal_us now);
/* It ends. */
void shoal_guard_leave(struct shoal_guard *g, const struct shoal_addr *addr, enum shoal_guard_place place,
		       shoal_us now);
/* Whether caps and guards hold for it at all. */
bool shoal_guard_spares(struct shoal_guard *g, const struct shoal_addr *addr, shoal_us now);

/* Whether a host that came to us may make us exchange keys now (proto/mse.h): false when it did so often enough. */
SHOAL_MUST bool shoal_guard_agrees(struct shoal_guard *g, const struct shoal_addr *from, shoal_us now);

/* `from` names one more contact that we did not know: false when it has named enough for now. */
SHOAL_MUST bool shoal_guard_names(struct shoal_guard *g, const struct shoal_addr *from, shoal_us now);

/* The same host (IPv4 address, IPv6 /64), the same network (/24, /48). */
bool shoal_guard_same_host(const struct shoal_addr *a, const struct shoal_addr *b);
bool shoal_guard_same_net(const struct shoal_addr *a, const struct shoal_addr *b);

#endif
