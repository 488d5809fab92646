/* swarm/peers/patience.c - a bucket of things, emptied by time. */
#include "swarm/peers/patience.h"

#include "proto/base/bytes.h"

#define MINUTE SHOAL_S(60)
#define FORGIVEN_MAX 4096 /* more than anybody is asked for at a time */

bool shoal_patience_charge_many(struct shoal_patience *p, int32_t count, int32_t at_once, uint32_t a_minute,
				shoal_us now)
{
	shoal_us gone = now > p->since ? now - p->since : 0;
	uint64_t fewer = shoal_min_u64(gone / MINUTE, INT32_MAX) * a_minute + gone % MINUTE * a_minute / MINUTE;
	if (p->used <= 0 || fewer >= (uint64_t)p->used) {
		if (p->used > 0)
			p->used = 0;
		p->since = now;
	} else if (fewer > 0) {
		p->used -= (int32_t)fewer;
		p->since = now - (gone - fewer * MINUTE / a_minute); /* the crumbs are kept */
	}
	if (p->used >= at_once)
		return false;
	p->used += count;
	return true;
}

bool shoal_patience_charge(struct shoal_patience *p, int32_t at_once, uint32_t a_minute, shoal_us now)
{
	return shoal_patience_charge_many(p, 1, at_once, a_minute, now);
}

void shoal_patience_forgive(struct shoal_patience *p, uint32_t count)
{
	int32_t least = -FORGIVEN_MAX;
	p->used = count < FORGIVEN_MAX && p->used - (int32_t)count > least ? p->used - (int32_t)count : least;
}
