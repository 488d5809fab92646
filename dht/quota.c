/*
 * dht/quota.c - buckets kept as the time when they are full again.
 */
#include "dht/quota.h"

#include <stdlib.h>
#include "proto/base/bytes.h"
#include "proto/reach.h"

#define TICKS 64u /* a second */

static uint32_t ticks(shoal_us now)
{
	return (uint32_t)(now / (SHOAL_S(1) / TICKS)) + 1;
}

/* A difference of two times that may have wrapped (after two years). */
static int32_t since(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

void shoal_quota_init(struct shoal_quota *q, struct shoal_sipkey secret, shoal_us now)
{
	*q = (struct shoal_quota){ .secret = secret, .answers = SHOAL_QUOTA_ANSWERS_BURST, .filled = now };
}

void shoal_quota_fini(struct shoal_quota *q)
{
	free(q->host);
	free(q->net);
	q->host = NULL;
	q->net = NULL;
}

static bool is_open(const struct shoal_addr *addr)
{
	return shoal_reach_of(addr) == SHOAL_REACH_GLOBAL;
}

static uint64_t mark(const struct shoal_quota *q, const struct shoal_addr *addr, bool net)
{
	size_t len = addr->is_v4 ? (net ? 3 : 4) : (net ? 6 : 8);
	return shoal_siphash(q->secret, (net ? 2u : 0u) | addr->is_v4, shoal_bytes(addr->ip, len));
}

static struct shoal_quota_host *host_of(struct shoal_quota *q, const struct shoal_addr *addr, bool make)
{
	uint64_t hash = mark(q, addr, false);
	uint32_t tag = (uint32_t)(hash >> 32) | 1;
	if (q->host == NULL && make)
		q->host = calloc(SHOAL_QUOTA_HOSTS, sizeof *q->host);
	if (q->host == NULL)
		return NULL;
	struct shoal_quota_host *h = &q->host[hash % SHOAL_QUOTA_HOSTS];
	if (h->tag == tag)
		return h;
	if (!make)
		return NULL;
	*h = (struct shoal_quota_host){ .tag = tag };
	return h;
}

/* One drop out of a bucket that fills with `rate` a second. */
static bool drip(uint32_t *due, uint32_t now, uint32_t rate, uint32_t burst)
{
	if (*due == 0 || since(*due, now) < 0)
		*due = now;
	if (since(*due, now) > (int32_t)((burst - 1) * TICKS / rate))
		return false;
	*due += TICKS / rate;
	return true;
}

bool shoal_quota_serve(struct shoal_quota *q, const struct shoal_addr *from, shoal_us now)
{
	if (!is_open(from))
		return true;
	uint64_t hash = mark(q, from, true);
	uint32_t tag = (uint32_t)(hash >> 32) | 1;
	struct shoal_quota_host *h = host_of(q, from, true);
	if (q->net == NULL)
		q->net = calloc(SHOAL_QUOTA_NETS, sizeof *q->net);
	if (h == NULL || q->net == NULL)
		return false;
	struct shoal_quota_net *net = &q->net[hash % SHOAL_QUOTA_NETS];
	if (net->tag != tag)
		*net = (struct shoal_quota_net){ .tag = tag };
	return drip(&h->due, ticks(now), SHOAL_QUOTA_HOST_RATE, SHOAL_QUOTA_HOST_BURST) &&
	       drip(&net->due, ticks(now), SHOAL_QUOTA_NET_RATE, SHOAL_QUOTA_NET_BURST);
}

bool shoal_quota_answer(struct shoal_quota *q, size_t bytes, shoal_us now)
{
	if (now > q->filled) {
		uint64_t gone = shoal_min_u64(now - q->filled, SHOAL_S(60));
		q->answers = shoal_min_u64(q->answers + gone * SHOAL_QUOTA_ANSWERS / SHOAL_S(1),
					   SHOAL_QUOTA_ANSWERS_BURST);
		q->filled = now;
	}
	if (bytes > q->answers)
		return false;
	q->answers -= bytes;
	return true;
}

void shoal_quota_prove(struct shoal_quota *q, const struct shoal_addr *from, shoal_us now)
{
	struct shoal_quota_host *h = host_of(q, from, true);
	if (h == NULL)
		return;
	h->proved = ticks(now + SHOAL_QUOTA_PROOF);
	h->asks = 0;
}

bool shoal_quota_proved(struct shoal_quota *q, const struct shoal_addr *from, shoal_us now)
{
	const struct shoal_quota_host *h = host_of(q, from, false);
	return h != NULL && h->proved != 0 && since(h->proved, ticks(now)) > 0;
}

bool shoal_quota_ask(struct shoal_quota *q, const struct shoal_addr *to, shoal_us now)
{
	if (!is_open(to) || shoal_quota_proved(q, to, now))
		return true;
	struct shoal_quota_host *h = host_of(q, to, true);
	if (h == NULL)
		return false;
	if (h->asks == 0 || since(ticks(now), h->asked) > (int32_t)(SHOAL_QUOTA_PROOF / SHOAL_S(1) * TICKS)) {
		h->asks = 0;
		h->asked = ticks(now);
	}
	if (h->asks >= SHOAL_QUOTA_UNPROVED)
		return false;
	h->asks++;
	return true;
}
