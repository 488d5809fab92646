/* swarm/peers/limiter.c - a bucket of bytes; the sums in 128 bits, so that no rate and no pause can overflow. */
#include "swarm/peers/limiter.h"

#include "proto/base/bytes.h"

/* Deeper debt than this is forgotten: it keeps the bucket's arithmetic inside int64_t. */
#define DEBT_MAX (INT64_C(1) << 61)
#define RATE_MAX (UINT64_C(1) << 61)

typedef unsigned __int128 u128;

uint64_t shoal_limiter_depth(const struct shoal_limiter *l)
{
	return shoal_max_u64(l->rate / SHOAL_LIMITER_PART, SHOAL_LIMITER_LEAST);
}

static void fill(struct shoal_limiter *l, shoal_us now)
{
	if (now <= l->filled)
		return;
	u128 drops = (u128)l->rate * (now - l->filled) + l->crumbs; /* millionths of a byte */
	int64_t depth = (int64_t)shoal_limiter_depth(l);
	l->filled = now;
	if (drops / 1000000 >= (uint64_t)(depth - l->bucket)) {
		l->bucket = depth;
		l->crumbs = 0;
		return;
	}
	l->bucket += (int64_t)(drops / 1000000);
	l->crumbs = (uint64_t)(drops % 1000000);
}

void shoal_limiter_init(struct shoal_limiter *l, uint64_t rate, shoal_us now)
{
	*l = (struct shoal_limiter){ .rate = shoal_min_u64(rate, RATE_MAX), .filled = now };
}

void shoal_limiter_rate(struct shoal_limiter *l, uint64_t rate, shoal_us now)
{
	if (l->rate == 0 || rate == 0) {
		/* Without a limit there is no bucket: nothing of before counts. */
		shoal_limiter_init(l, rate, now);
		return;
	}
	fill(l, now);
	l->rate = shoal_min_u64(rate, RATE_MAX);
	int64_t depth = (int64_t)shoal_limiter_depth(l);
	if (l->bucket > depth)
		l->bucket = depth;
}

uint64_t shoal_limiter_allows(struct shoal_limiter *l, uint64_t want, shoal_us now)
{
	if (l->rate == 0)
		return want;
	fill(l, now);
	return l->bucket > 0 ? shoal_min_u64(want, (uint64_t)l->bucket) : 0;
}

void shoal_limiter_took(struct shoal_limiter *l, uint64_t bytes)
{
	if (l->rate == 0)
		return;
	l->bucket -= (int64_t)shoal_min_u64(bytes, (uint64_t)DEBT_MAX);
	if (l->bucket < -DEBT_MAX)
		l->bucket = -DEBT_MAX;
}

void shoal_limiter_back(struct shoal_limiter *l, uint64_t bytes)
{
	int64_t depth = (int64_t)shoal_limiter_depth(l);
	if (l->rate == 0)
		return;
	if (bytes >= (uint64_t)(depth - l->bucket))
		l->bucket = depth;
	else
		l->bucket += (int64_t)bytes;
}

shoal_us shoal_limiter_ready(const struct shoal_limiter *l, uint64_t bytes, shoal_us now)
{
	struct shoal_limiter then = *l;
	if (l->rate == 0 || bytes == 0)
		return now;
	fill(&then, now);
	int64_t need = (int64_t)shoal_min_u64(bytes, shoal_limiter_depth(l));
	if (then.bucket >= need)
		return now;
	u128 drops = (u128)(uint64_t)(need - then.bucket) * 1000000 - then.crumbs;
	u128 wait = (drops + l->rate - 1) / l->rate;
	return wait < SHOAL_NEVER - then.filled ? then.filled + (shoal_us)wait : SHOAL_NEVER;
}
