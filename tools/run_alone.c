/* tools/run_alone.c - while nobody is connected: the DHT's doors are tried again, and whoever waits is told why. */
#include "tools/run.h"

#include "proto/base/bytes.h"
#include "swarm/io/reachable.h"
#include "tools/alone.h"

#include <stdio.h>

#define FIRST_US SHOAL_S(1)	 /* until it is first asked ... */
#define LOOK_US SHOAL_S(5)	 /* how many nodes of the DHT are known */
#define TELL_US SHOAL_S(20)	 /* so long without anybody, and it is said ... */
#define TELL_SEED_US SHOAL_S(60) /* ... and to a seed, who waits for others to come */
#define AGAIN_US SHOAL_S(30)	 /* places to begin at are looked up anew, then twice as long each time */
#define AGAIN_MAX_US SHOAL_S(900)
#define TICKET ((uint64_t)1 << 61)

/* Somebody is or was there, or nobody is needed. */
static bool served(const struct shoal_run *r)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct shoal_run_torrent *t = &r->torrent[i];
		if (t->seen_peer || t->over || (t->complete && !r->seeding))
			return true;
	}
	return false;
}

static struct shoal_alone state_of(const struct shoal_run *r)
{
	uint64_t named = r->net->peer.count;
	for (size_t i = 0; i < r->count; i++)
		named += r->torrent[i].added ? shoal_run_peers_named(&r->torrent[i]) : 0;
	return (struct shoal_alone){ .route = shoal_reachable_out(),
				     .proxy = r->net->proxy != NULL,
				     .dht = r->alone.dht,
				     .dht_nodes = r->alone.nodes,
				     .trackers = r->alone.trackers,
				     .answering = r->alone.answering,
				     .peers = r->alone.peers + named,
				     .mute = r->alone.mute,
				     .unmapped = r->alone.unmapped && !shoal_reachable_here(),
				     .port = r->bound_count > 0 ? r->bound[0].port : 0 };
}

const char *shoal_run_why_alone(const struct shoal_run *r, char out[SHOAL_ALONE_TEXT_MAX])
{
	struct shoal_alone a = state_of(r);
	if (a.dht && !r->alone.counts) { /* libtorrent does not say, and we do not guess */
		snprintf(out, SHOAL_ALONE_TEXT_MAX, "nobody answered");
		return out;
	}
	return shoal_alone_text(&a, out);
}

void shoal_run_alone_event(struct shoal_run *r, const struct shoal_event *ev, shoal_us now)
{
	struct shoal_run_alone *a = &r->alone;
	if (ev->kind == SHOAL_EV_TRACKER) {
		/* Told by each that is asked, again and again: what counts is whether any ever answered. */
		a->trackers++;
		a->answering += ev->err == 0;
		a->peers += ev->err == 0 ? ev->done : 0;
		return;
	}
	if (ev->kind == SHOAL_EV_PEER_UNREACHED && ev->err == SHOAL_ERR_CLOSED)
		a->mute++;
	if (ev->ticket != TICKET)
		return;
	if (ev->kind == SHOAL_EV_DHT_STATS)
		a->counted += ev->dht.nodes;
	if (ev->kind != SHOAL_EV_DHT_DONE)
		return;
	a->counts = true;
	a->nodes = a->counted;
	if (a->nodes > 0) {
		a->again_at = 0;
		a->again = 0;
	} else if (a->again_at == 0) {
		a->again = AGAIN_US;
		a->again_at = now + a->again;
	} else if (a->again_at <= now) { /* names may be known now that were not when we began */
		a->again = shoal_min_u64(2 * a->again, AGAIN_MAX_US);
		a->again_at = now + a->again;
		shoal_run_enter_dht(r);
	}
}

static void tell(struct shoal_run *r)
{
	char text[SHOAL_ALONE_TEXT_MAX];
	struct shoal_alone a = state_of(r);
	const char *why = !r->seeding		      ? shoal_run_why_alone(r, text)
			  : a.dht && !r->alone.counts ? NULL
						      : shoal_alone_seed_text(&a, text);
	if (why != NULL)
		shoal_say_warn(r->tool, NULL, "nobody is connected yet: %s", why);
}

void shoal_run_alone_tick(struct shoal_run *r, shoal_us now)
{
	struct shoal_run_alone *a = &r->alone;
	if (a->look_at == 0)
		a->look_at = now + FIRST_US;
	if (a->dht && a->look_at <= now) {
		struct shoal_op op = { .kind = SHOAL_OP_DHT_STATS, .ticket = TICKET };
		a->look_at = r->ops->do_op(r->engine, &op) == 0 ? now + LOOK_US : SHOAL_NEVER;
		a->counted = 0;
	}
	if (a->told || now - r->began < (r->seeding ? TELL_SEED_US : TELL_US))
		return;
	a->told = true;
	if (!served(r))
		tell(r);
}
