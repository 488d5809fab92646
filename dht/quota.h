/*
 * dht/quota.h - what one address may ask of us, and we of it: so that nobody is flooded through us.
 *
 * Two small fixed tables, by host (IPv6: by /64) and by network (/24, /48).
 * What falls out of them begins anew; the budget of all answers together
 * (in bytes) holds whatever the tables forget. Hosts that are not on the open
 * network share addresses with each other, so only that budget is theirs.
 */
#ifndef SHOAL_DHT_QUOTA_H
#define SHOAL_DHT_QUOTA_H

#include <shoal/types.h>
#include "proto/siphash.h"

#define SHOAL_QUOTA_HOSTS 384u
#define SHOAL_QUOTA_NETS 256u
#define SHOAL_QUOTA_HOST_RATE 8u /* queries a second that are answered */
#define SHOAL_QUOTA_HOST_BURST 32u
#define SHOAL_QUOTA_NET_RATE 32u
#define SHOAL_QUOTA_NET_BURST 128u
#define SHOAL_QUOTA_ANSWERS 32768u /* bytes a second, of all answers together */
#define SHOAL_QUOTA_ANSWERS_BURST (4u * 32768u)
#define SHOAL_QUOTA_PROOF SHOAL_S(900) /* how long an address is known to be the sender's */
#define SHOAL_QUOTA_UNPROVED 2u	       /* packets in that time to a host that has not answered any */

struct shoal_quota_host {
	uint32_t tag;	 /* of the host, by a keyed hash; 0: free */
	uint32_t due;	 /* the bucket, as the time when it is full again, in ticks */
	uint32_t proved; /* until then its address is its own, in ticks; 0 never */
	uint32_t asked;	 /* since then we asked */
	uint16_t asks;	 /* so often, without an answer */
};
struct shoal_quota_net {
	uint32_t tag, due;
};
struct shoal_quota {
	struct shoal_sipkey secret;
	struct shoal_quota_host *host; /* NULL until needed */
	struct shoal_quota_net *net;
	uint64_t answers; /* bytes that may still go out */
	shoal_us filled;
};

void shoal_quota_init(struct shoal_quota *q, struct shoal_sipkey secret, shoal_us now);
void shoal_quota_fini(struct shoal_quota *q);
/* A query came from there: may it be answered? */
SHOAL_MUST bool shoal_quota_serve(struct shoal_quota *q, const struct shoal_addr *from, shoal_us now);
/* An answer of so many bytes: false when it would be too much for all. */
SHOAL_MUST bool shoal_quota_answer(struct shoal_quota *q, size_t bytes, shoal_us now);
/* It answered a question of ours: who sends from there, receives there. */
void shoal_quota_prove(struct shoal_quota *q, const struct shoal_addr *from, shoal_us now);
bool shoal_quota_proved(struct shoal_quota *q, const struct shoal_addr *from, shoal_us now);
/* We are about to ask somebody others named: false when it did not answer often enough, and may be a victim. */
SHOAL_MUST bool shoal_quota_ask(struct shoal_quota *q, const struct shoal_addr *to, shoal_us now);

#endif
