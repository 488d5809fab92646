/* proto/ledbat.c - the window, from delay and loss. */
#include "proto/ledbat.h"

#include "proto/base/bytes.h"

#define MINUTE SHOAL_S(60)
#define WINDOW_START 4u /* packets; and 2 are the least (RFC 6817) */
#define WINDOW_LEAST 2u
#define RECENT_PART 8u	 /* of a window */
#define ROUND_SAMPLES 4u /* at least, for a round to be one */

static bool less(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

void shoal_ledbat_init(struct shoal_ledbat *l, uint32_t mss, shoal_us now)
{
	*l = (struct shoal_ledbat){ .window = (uint64_t)WINDOW_START * mss,
				    .threshold = SHOAL_LEDBAT_MAX,
				    .mss = mss,
				    .minute = now,
				    .slow_start = true };
}

/* ---- delays ------------------------------------------------------------------------ */

/* `delay` begins a minute, or is the least of this one. */
static void base_is(struct shoal_ledbat *l, uint32_t delay)
{
	l->base[l->base_at] = delay;
	l->base_least = l->base[0];
	for (unsigned i = 1; i < l->base_count; i++)
		l->base_least = less(l->base[i], l->base_least) ? l->base[i] : l->base_least;
}

void shoal_ledbat_sample(struct shoal_ledbat *l, uint32_t delay, shoal_us now)
{
	if (l->recent_count >= SHOAL_LEDBAT_RECENT && l->recent_bytes >= l->window / RECENT_PART) {
		l->recent[1] = l->recent[0];
		l->recent_count = 0;
		l->recent_bytes = 0;
	}
	l->recent[0] = l->recent_count == 0 || less(delay, l->recent[0]) ? delay : l->recent[0];
	l->recent_count++;
	if (l->base_count == 0) /* there are none before */
		l->recent[1] = delay;
	struct shoal_ledbat_round *r = &l->round[0];
	r->least = r->samples == 0 || less(delay, r->least) ? delay : r->least;
	r->most = r->samples == 0 || less(r->most, delay) ? delay : r->most;
	r->samples++;
	if (l->base_count == 0 || l->minute + MINUTE <= now) {
		l->minute = now;
		l->base_at = l->base_count == 0 ? 0 : (l->base_at + 1) % SHOAL_LEDBAT_BASE_MINUTES;
		l->base_count += l->base_count < SHOAL_LEDBAT_BASE_MINUTES;
		base_is(l, delay);
	} else if (less(delay, l->base[l->base_at])) {
		base_is(l, delay);
	}
}

/* Their clock gains on ours when their packets seem ever faster; then ours seem ever slower by as much, and that is no
 * queue. */
void shoal_ledbat_theirs(struct shoal_ledbat *l, uint32_t delay)
{
	if (l->has_theirs && less(delay, l->their_base)) {
		uint32_t drift = l->their_base - delay;
		drift = drift <= SHOAL_LEDBAT_DRIFT_MAX ? drift : 0;
		l->base_least += drift;
		for (unsigned i = 0; i < l->base_count; i++)
			l->base[i] += drift;
	}
	if (!l->has_theirs || less(delay, l->their_base))
		l->their_base = delay;
	l->has_theirs = true;
}

shoal_us shoal_ledbat_queue(const struct shoal_ledbat *l, shoal_us rtt)
{
	if (l->base_count == 0)
		return 0;
	uint32_t recent = less(l->recent[1], l->recent[0]) ? l->recent[1] : l->recent[0];
	return less(recent, l->base_least) ? 0 : shoal_min_u64(recent - l->base_least, rtt);
}

/* ---- the window ---------------------------------------------------------------------- */

static void set_window(struct shoal_ledbat *l, uint64_t window)
{
	l->window = shoal_min_u64(shoal_max_u64(window, (uint64_t)WINDOW_LEAST * l->mss), SHOAL_LEDBAT_MAX);
}

/* The queue is shorter by FELL than two rounds ago, although we have taken nothing out of it: somebody else was cut,
 * a TCP as a rule. What stands there at its lowest is what we take for nothing. */
static bool others_were_cut(struct shoal_ledbat *l, uint64_t in_flight, shoal_us rtt, shoal_us now)
{
	struct shoal_ledbat_round *r = l->round;
	r->flight = shoal_max_u64(r->flight, in_flight);
	if (now < l->round_end || r->samples < ROUND_SAMPLES)
		return false;
	bool fell = false;
	if (r[2].samples > 0 && less(r->most, r[2].least)) {
		uint64_t ours = r[2].flight > in_flight ? (r[2].flight - in_flight) * rtt / r[2].flight : 0;
		fell = r[2].least - r->most >= SHOAL_LEDBAT_FELL + ours;
	}
	r[2] = fell ? (struct shoal_ledbat_round){ 0 } : r[1];
	r[1] = fell ? (struct shoal_ledbat_round){ 0 } : r[0];
	r[0] = (struct shoal_ledbat_round){ 0 };
	l->round_end = now + shoal_max_u64(shoal_min_u64(rtt / 2, SHOAL_S(1)), SHOAL_LEDBAT_ROUND);
	return fell;
}

/* The line is full: back to what was under way when the packet was sent that saw it. In slow start that is
 * half. */
static void start_ends(struct shoal_ledbat *l, uint64_t in_flight)
{
	l->creeps = l->slow_start;
	set_window(l, l->slow_start ? l->window / 2 : l->window * 4 / 5);
	l->slow_start = false;
	l->creep_at = in_flight;
}

void shoal_ledbat_acked(struct shoal_ledbat *l, uint64_t bytes, uint64_t in_flight, shoal_us rtt, shoal_us now)
{
	const uint64_t target = SHOAL_LEDBAT_TARGET;
	uint64_t queue = shoal_ledbat_queue(l, rtt);
	bytes = shoal_min_u64(bytes, l->window);
	l->recent_bytes += bytes;
	l->creep_at -= shoal_min_u64(bytes, l->creep_at);
	if (others_were_cut(l, in_flight, rtt, now)) {
		set_window(l, l->window / 2);
		l->threshold = l->window;
		l->slow_start = l->creeps = false;
		return;
	}
	if (l->slow_start && l->window >= l->threshold)
		l->slow_start = false;
	if ((l->slow_start || (l->creeps && l->creep_at == 0)) && queue > SHOAL_LEDBAT_START_END)
		start_ends(l, in_flight);
	if (queue > target) {
		/* W * (queue / target - 1) in a round trip, half of it at the most; this ack's share is bytes / W. */
		uint64_t over = shoal_min_u64(queue - target, target / 2);
		set_window(l, l->window - bytes * over / target);
		l->threshold = l->window;
		return;
	}
	if (in_flight * 4 < l->window * 3) /* the window was not what held us back */
		return;
	if (l->slow_start) {
		set_window(l, l->window + bytes);
		return;
	}
	if (l->creeps && l->creep_at == 0) {
		set_window(l, l->window + bytes / 4);
		return;
	}
	uint64_t most = queue > SHOAL_LEDBAT_FULL ? SHOAL_LEDBAT_GAIN_FULL : SHOAL_LEDBAT_GAIN;
	uint64_t gain = (bytes * most << 16) / l->window * (target - queue) / target + l->fraction;
	l->fraction = gain & 0xffff;
	set_window(l, l->window + (gain >> 16));
}

void shoal_ledbat_lost(struct shoal_ledbat *l, shoal_us rtt)
{
	bool noise = !l->slow_start && shoal_ledbat_queue(l, rtt) * 4 < SHOAL_LEDBAT_TARGET;
	l->slow_start = l->creeps = false;
	set_window(l, noise ? l->window * 7 / 10 : l->window / 2);
	l->threshold = l->window;
}

void shoal_ledbat_timeout(struct shoal_ledbat *l)
{
	if (l->window > l->mss) /* the first in a row: later ones know nothing new of the path (RFC 5681) */
		l->threshold = shoal_max_u64(l->window / 2, (uint64_t)WINDOW_LEAST * l->mss);
	l->window = l->mss;
	l->slow_start = true;
	l->creeps = false;
}

struct shoal_ledbat_mark shoal_ledbat_mark(const struct shoal_ledbat *l)
{
	return (struct shoal_ledbat_mark){ l->window, l->threshold, l->slow_start, l->creeps };
}

void shoal_ledbat_undo(struct shoal_ledbat *l, const struct shoal_ledbat_mark *mark)
{
	set_window(l, shoal_max_u64(l->window, mark->window));
	l->threshold = mark->threshold;
	l->slow_start = mark->slow_start;
	l->creeps = mark->creeps;
}
