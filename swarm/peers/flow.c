/* swarm/peers/flow.c - rates by tenths, round trips by the blocks themselves, depth by both. */
#include "swarm/peers/flow.h"

#include "proto/base/bytes.h"
#include "proto/base/slots.h"

#define TENTH SHOAL_MS(100)
#define TENTHS_MIN 4u  /* the first block of a slow peer is no rate yet */
#define TENTHS_MAX 20u /* memory: two seconds */
#define TENTHS_GONE 1000

#define DELAY_WINDOW SHOAL_S(10)
#define RATE_WINDOW SHOAL_S(1)
#define SLACK_MIN SHOAL_MS(10)
#define SLACK_MAX SHOAL_MS(500)
/* Blocks come in lumps, as the loop wakes: a rate over less than this is the lump's. */
#define ROUND_MIN_START SHOAL_MS(2)
#define ROUND_MIN SHOAL_MS(10)
/* Asked for this long after the last landing: nothing was on its way, and the round does not count. */
#define DRY SHOAL_MS(20)
#define LATE SHOAL_MS(20)
#define LATE_FAR SHOAL_MS(50)
#define FLAT_ROUNDS 2 /* the first still shows what was asked for before */
#define PROBE_WAIT_MIN SHOAL_MS(250)
#define PROBE_WAIT_MAX SHOAL_S(8)
#define DRAIN_DEPTH 2u
#define DRAIN_TIME SHOAL_S(2)

#define RATE_TOP UINT64_C(100000000000) /* with DELAY_TOP, products stay inside 64 bits */
#define DELAY_TOP SHOAL_S(60)

/* ---- a rate ----------------------------------------------------------------------- */

static void fold(struct shoal_rate *r, uint64_t sample)
{
	uint64_t weight = shoal_max_u64(r->age, TENTHS_MIN);
	if (r->age < TENTHS_MAX)
		r->age++;
	if (sample >= r->smooth)
		r->smooth += (sample - r->smooth) / weight;
	else
		r->smooth -= (r->smooth - sample + weight - 1) / weight; /* rounded so that it reaches zero */
}

static void roll(struct shoal_rate *r, shoal_us now)
{
	if (r->since == 0)
		r->since = now;
	if (now < r->since || now - r->since < TENTH)
		return;
	uint64_t tenths = (now - r->since) / TENTH;
	r->since += tenths * TENTH;
	fold(r, r->window * (SHOAL_S(1) / TENTH));
	r->window = 0;
	if (tenths > TENTHS_GONE)
		r->smooth = 0;
	for (uint64_t i = 1; i < tenths && (r->smooth || r->age < TENTHS_MAX); i++)
		fold(r, 0);
}

void shoal_rate_add(struct shoal_rate *r, uint64_t bytes, shoal_us now)
{
	roll(r, now);
	r->total += bytes;
	r->window += bytes;
}

uint64_t shoal_rate_now(struct shoal_rate *r, shoal_us now)
{
	if (r->since)
		roll(r, now);
	return r->smooth;
}

/* ---- what the blocks tell --------------------------------------------------------- */

void shoal_flow_init(struct shoal_flow *f, shoal_us now)
{
	*f = (struct shoal_flow){
		.window_at = now,
		.rate_at = now,
		.depth = SHOAL_FLOW_DEPTH_START,
		.ceiling = 2 * SHOAL_FLOW_DEPTH_START,
		.phase = SHOAL_FLOW_START,
		.slack = SLACK_MIN,
		.probe_wait = PROBE_WAIT_MIN,
	};
}

uint64_t shoal_flow_rate(const struct shoal_flow *f)
{
	return shoal_max_u64(f->rate_max[0], f->rate_max[1]);
}

static shoal_us shortest(const struct shoal_flow *f)
{
	if (f->delay_min[0] == 0 || f->delay_min[1] == 0)
		return f->delay_min[0] | f->delay_min[1];
	return shoal_min_u64(f->delay_min[0], f->delay_min[1]);
}

shoal_us shoal_flow_delay(const struct shoal_flow *f)
{
	return shortest(f);
}

static uint32_t blocks_in(uint64_t rate, shoal_us time)
{
	uint64_t blocks = (rate * time / SHOAL_S(1) + SHOAL_BLOCK - 1) / SHOAL_BLOCK;
	return (uint32_t)shoal_min_u64(blocks, SHOAL_FLOW_DEPTH_MAX);
}

static uint32_t cruise_depth(const struct shoal_flow *f)
{
	uint32_t blocks = blocks_in(shoal_flow_rate(f), 2 * shortest(f) + f->slack);
	return blocks > SHOAL_FLOW_DEPTH_MIN ? blocks : SHOAL_FLOW_DEPTH_MIN;
}

static void window_new(struct shoal_flow *f, shoal_us last, bool drained, shoal_us now)
{
	f->delay_min[1] = last;
	f->delay_min[0] = 0;
	f->window_at = now;
	f->drained = drained;
}

/*
 * The window is over. Our own queue stands at the peer all the time, so a
 * window's shortest delay may well be the queue's, and a depth reckoned from
 * it would double it every ten seconds. When it is far from the last one, keep
 * that and look: drain the queue for a round trip. What then comes is the truth.
 */
static void window_end(struct shoal_flow *f, shoal_us now)
{
	shoal_us was = f->delay_min[1], is = f->delay_min[0];
	bool near = was == 0 || is <= was + was / 4 + SHOAL_MS(1);
	if (f->phase == SHOAL_FLOW_DRAIN)
		return; /* a slow peer: the window lasts until the truth is in */
	if (near || f->drained) {
		window_new(f, is, false, now);
	} else if (f->phase == SHOAL_FLOW_CRUISE) {
		window_new(f, was, true, now);
		f->phase = SHOAL_FLOW_DRAIN;
		f->drain_at = now;
		f->drain_delay = was;
	}
}

/* The first block asked for since the queue was drained: while each round is shorter still, go on. */
static void drain_judge(struct shoal_flow *f, shoal_us delay, shoal_us now)
{
	if (delay < f->drain_delay - f->drain_delay / 8) {
		f->drain_delay = delay;
		f->drain_at = now;
	} else {
		f->phase = SHOAL_FLOW_CRUISE;
	}
}

static void delay_add(struct shoal_flow *f, shoal_us delay, shoal_us now)
{
	if (f->delay_min[0] && now > f->window_at && now - f->window_at >= DELAY_WINDOW)
		window_end(f, now);
	if (f->delay_min[0] == 0 || delay < f->delay_min[0])
		f->delay_min[0] = delay;
	if (f->delay_mean == 0)
		f->delay_mean = delay;
	else if (delay > f->delay_mean)
		f->delay_mean += (delay - f->delay_mean) / 8;
	else
		f->delay_mean -= (f->delay_mean - delay) / 8;
}

static void rate_max_add(struct shoal_flow *f, uint64_t rate, shoal_us at)
{
	if (at - f->rate_at >= RATE_WINDOW) {
		f->rate_max[1] = f->rate_max[0];
		f->rate_max[0] = 0;
		f->rate_at = at;
	}
	f->rate_max[0] = shoal_max_u64(f->rate_max[0], shoal_min_u64(rate, RATE_TOP));
}

/* ---- phases ----------------------------------------------------------------------- */

/* Twice the depth, though never more than the most slack could ever ask for: a slow peer's queue is long enough. */
static uint32_t ceiling_of(const struct shoal_flow *f, uint64_t rate)
{
	if (f->phase == SHOAL_FLOW_START)
		return (uint32_t)shoal_min_u64(4 * (uint64_t)f->depth, SHOAL_FLOW_DEPTH_MAX);
	uint32_t most = blocks_in(shoal_min_u64(rate, RATE_TOP), 2 * shortest(f) + SLACK_MAX);
	return (uint32_t)shoal_min_u64(2 * (uint64_t)f->depth, most);
}

static void probe_begin(struct shoal_flow *f)
{
	f->phase = SHOAL_FLOW_PROBE;
	f->depth = cruise_depth(f);
	f->fast_rate = f->rate_mean;
	f->ceiling = ceiling_of(f, shoal_flow_rate(f));
	f->flat = 0;
	f->grew = false;
}

static void probe_end(struct shoal_flow *f, shoal_us now)
{
	if (f->phase == SHOAL_FLOW_PROBE && !f->grew) {
		f->slack -= (f->slack - SLACK_MIN) / 4;
		f->probe_wait = shoal_min_u64(2 * f->probe_wait, PROBE_WAIT_MAX);
	} else {
		f->probe_wait = PROBE_WAIT_MIN;
	}
	f->phase = SHOAL_FLOW_CRUISE;
	f->probe_at = now;
	f->probe_rate = shoal_flow_rate(f);
	if (f->grew || f->rate_mean == 0)
		f->rate_mean = f->fast_rate ? f->fast_rate : f->probe_rate;
}

static bool probe_due(const struct shoal_flow *f, shoal_us now)
{
	shoal_us wait = f->probe_wait;
	if (shoal_flow_rate(f) < f->probe_rate - f->probe_rate / 8)
		wait = PROBE_WAIT_MIN;
	return now - f->probe_at >= shoal_max_u64(wait, 4 * f->delay_mean);
}

static void rate_mean_add(struct shoal_flow *f, uint64_t rate)
{
	if (rate > f->rate_mean)
		f->rate_mean += (rate - f->rate_mean) / 4;
	else
		f->rate_mean -= (f->rate_mean - rate) / 4;
}

/* More depth brought more: the blocks' mean delay was needed, so that much depth is, and a little. */
static void round_grew(struct shoal_flow *f, uint64_t rate, shoal_us mean)
{
	shoal_us base = 2 * shortest(f), need = mean + mean / 2;
	if (f->fast_rate && need > base + f->slack)
		f->slack = shoal_min_u64(need - base, SLACK_MAX);
	f->grew = f->fast_rate != 0;
	f->fast_rate = rate;
	f->flat = 0;
	f->ceiling = ceiling_of(f, rate);
}

static void round_judge(struct shoal_flow *f, uint64_t rate, shoal_us mean, shoal_us now)
{
	unsigned part = f->phase == SHOAL_FLOW_START ? 4 : 8;
	switch ((enum shoal_flow_phase)f->phase) {
	case SHOAL_FLOW_START:
	case SHOAL_FLOW_PROBE:
		if (rate > f->fast_rate + f->fast_rate / part)
			round_grew(f, rate, mean);
		else if (++f->flat >= FLAT_ROUNDS)
			probe_end(f, now);
		break;
	case SHOAL_FLOW_CRUISE:
		rate_mean_add(f, rate);
		if (probe_due(f, now))
			probe_begin(f);
		break;
	case SHOAL_FLOW_DRAIN: break;
	}
}

static void round_begin(struct shoal_flow *f, shoal_us now)
{
	f->round = (struct shoal_flow_round){ .since = now };
}

static void round_end(struct shoal_flow *f)
{
	struct shoal_flow_round r = f->round;
	uint64_t rate = r.bytes * SHOAL_S(1) / (r.end - r.since);
	round_begin(f, r.end);
	rate_max_add(f, rate, r.end);
	round_judge(f, rate, r.blocks ? r.delays / r.blocks : 0, r.end);
}

static void round_add(struct shoal_flow *f, uint32_t bytes, shoal_us asked, shoal_us now)
{
	struct shoal_flow_round *r = &f->round;
	/* A round ends with the last block of its wake-up, not with the first. */
	if (r->end && now > r->end)
		round_end(f);
	if (f->last_block == 0 || asked > f->last_block + DRY) {
		round_begin(f, now);
		return;
	}
	if (now <= r->since)
		return; /* of the wake-up the round began in: counted */
	r->bytes += bytes;
	r->delays += now - asked;
	r->blocks++;
	shoal_us least = f->phase == SHOAL_FLOW_START ? ROUND_MIN_START : ROUND_MIN;
	if (asked >= r->since && now - r->since >= least)
		r->end = now;
}

/*
 * One more for each block that lands doubles the depth in a round trip. At the start, a block that came late says that
 * a queue stands at the peer already (HyStart): no more then, and when it is very late, a slow peer has had more than
 * enough. A probe is there to find out whether that queue is needed, and takes no such hint.
 */
static void grow(struct shoal_flow *f, shoal_us delay, shoal_us now)
{
	if (f->phase != SHOAL_FLOW_PROBE && f->phase != SHOAL_FLOW_START)
		return;
	if (f->phase == SHOAL_FLOW_START && delay > 2 * shortest(f) + LATE) {
		const struct shoal_flow_round *r = &f->round;
		if (delay > 4 * shortest(f) + LATE_FAR && r->blocks >= SHOAL_FLOW_DEPTH_MIN &&
		    now - r->since >= ROUND_MIN) {
			rate_max_add(f, r->bytes * SHOAL_S(1) / (now - r->since), now);
			probe_end(f, now);
		}
		return;
	}
	if (f->depth < f->ceiling)
		f->depth++;
}

void shoal_flow_block(struct shoal_flow *f, uint32_t bytes, shoal_us asked, shoal_us now)
{
	if (asked > now)
		asked = now;
	shoal_us delay = shoal_max_u64(1, shoal_min_u64(now - asked, DELAY_TOP));
	shoal_rate_add(&f->down, bytes, now);
	if (f->phase == SHOAL_FLOW_DRAIN && asked > f->drain_at)
		drain_judge(f, delay, now);
	round_add(f, bytes, asked, now);
	delay_add(f, delay, now);
	grow(f, delay, now);
	f->last_block = now;
}

uint32_t shoal_flow_depth(struct shoal_flow *f, uint32_t peer_max, shoal_us now)
{
	if (f->phase == SHOAL_FLOW_DRAIN && now > f->drain_at + DRAIN_TIME + 4 * f->delay_mean)
		f->phase = SHOAL_FLOW_CRUISE;
	if (f->phase == SHOAL_FLOW_CRUISE)
		f->depth = cruise_depth(f);
	uint64_t want = f->depth;
	if (f->phase == SHOAL_FLOW_DRAIN)
		want = shoal_max_u64(blocks_in(shoal_flow_rate(f), shortest(f) * 3 / 4), DRAIN_DEPTH);
	return (uint32_t)shoal_min_u64(want, peer_max ? peer_max : SHOAL_FLOW_PEER_MAX);
}

shoal_us shoal_flow_patience(const struct shoal_flow *f)
{
	if (f->last_block == 0)
		return SHOAL_S(30); /* it may have to spin up a disk, and we know nothing */
	return shoal_min_u64(SHOAL_S(2) + 4 * f->delay_mean, SHOAL_S(60));
}
