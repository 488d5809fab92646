/* own_tcp.c - a TCP stream that does not end; see own_tcp.h. */
#include "tests/unit/own_tcp.h"

#include <math.h>

#define CUBIC_C 0.4
#define CUBIC_BETA 0.7
#define RISE_LEAST SHOAL_MS(4) /* HyStart: slow start ends when a round trip takes so much longer than the shortest */
#define RISE_MOST SHOAL_MS(16)

void own_tcp_open(struct own_tcp *t, bool cubic)
{
	*t = (struct own_tcp){ .cubic = cubic,
			       .on = true,
			       .blind = !cubic,
			       .window = 10,
			       .threshold = 1e9,
			       .rtt_least = SHOAL_NEVER,
			       .round_least = SHOAL_NEVER };
}

/* What HyStart looks at (RFC 9406). */
static void measured(struct own_tcp *t, shoal_us rtt)
{
	if (t->first >= t->round) {
		t->round = t->next;
		t->round_least = SHOAL_NEVER;
	}
	t->rtt_least = rtt < t->rtt_least ? rtt : t->rtt_least;
	t->round_least = rtt < t->round_least ? rtt : t->round_least;
}

static void slow_start(struct own_tcp *t)
{
	shoal_us rise = t->rtt_least / 8;
	rise = rise < RISE_LEAST ? RISE_LEAST : rise > RISE_MOST ? RISE_MOST : rise;
	t->window += 1;
	if (!t->blind && t->window >= 16 && t->round_least >= t->rtt_least + rise && t->first + 8 < t->next)
		t->threshold = t->window;
}

/* RFC 9438. */
static void cubic(struct own_tcp *t, shoal_us now)
{
	if (t->epoch == 0) {
		t->epoch = now;
		t->most = t->most > t->window ? t->most : t->window;
		t->back = cbrt((t->most - t->window) / CUBIC_C);
	}
	double since = (double)(now - t->epoch + t->rtt_least) / 1e6 - t->back;
	double aim = CUBIC_C * since * since * since + t->most;
	aim = aim < 1.5 * t->window ? aim : 1.5 * t->window;
	if (aim > t->window)
		t->window += (aim - t->window) / t->window;
}

static void lost(struct own_tcp *t)
{
	t->lost++;
	if (t->first < t->recover)
		return;
	t->recover = t->next;
	t->cuts++;
	t->epoch = 0;
	if (t->cubic) /* fast convergence */
		t->most = t->window < t->most ? t->window * (1 + CUBIC_BETA) / 2 : t->window;
	t->window *= t->cubic ? CUBIC_BETA : 0.5;
	t->window = t->threshold = t->window > 2 ? t->window : 2;
}

static void hear(struct own_tcp *t, shoal_us now)
{
	for (; t->first < t->next && t->way[t->first % TCP_RING].due <= now; t->first++) {
		if (t->way[t->first % TCP_RING].lost) {
			lost(t);
			continue;
		}
		t->delivered += TCP_PACKET;
		measured(t, now - t->way[t->first % TCP_RING].sent);
		if (t->window < t->threshold)
			slow_start(t);
		else if (t->cubic)
			cubic(t, now);
		else
			t->window += 1 / t->window;
	}
}

void own_tcp_turn(struct own_tcp *t, struct line *l)
{
	shoal_us rtt = 2 * l->o.delay;
	if (!t->on)
		return;
	hear(t, l->now);
	while (t->next - t->first < (uint64_t)t->window && t->next - t->first < TCP_RING) {
		shoal_us free_at = l->free_at[0] > l->now ? l->free_at[0] : l->now;
		bool drop = free_at - l->now > l->o.queue;
		l->free_at[0] = drop ? free_at : free_at + TCP_PACKET * 1000000ull / l->o.rate;
		t->way[t->next % TCP_RING].sent = l->now;
		t->way[t->next % TCP_RING].due = l->free_at[0] + rtt;
		t->way[t->next++ % TCP_RING].lost = drop;
	}
	if (t->first < t->next)
		l->wake = t->way[t->first % TCP_RING].due < l->wake ? t->way[t->first % TCP_RING].due : l->wake;
}
