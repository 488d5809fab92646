/* swarm/core/announce.c - whom a torrent announces to and when: tiers, intervals, failures, goodbyes. */
#include "swarm/core/announce.h"

#include <stdio.h>
#include <stdlib.h>
#include "swarm/core/announce_room.h"

#define AGAIN SHOAL_S(1)       /* what could not be started for want of something */
#define STOP_LOOK SHOAL_MS(50) /* how often goodbyes that found no room are tried again */
#define STOP_HOST_ASKS 64u
#define STOP_ASKS 512u

/* ---- lines ---------------------------------------------------------------------------- */

static void arm(struct shoal_line *line, shoal_us at)
{
	struct shoal_announcer *a = line->of->swarm->node->announcer;
	if (shoal_heap_set(&a->due, &line->timer, at) < 0)
		a->lost = true;
}

/* Out of whatever heap it is in. */
static void disarm(struct shoal_announcer *a, struct shoal_line *line)
{
	shoal_heap_drop(line->waiting ? &line->tracker->host->waiting : &a->due, &line->timer);
	line->waiting = false;
}

void shoal_announcer_ready(struct shoal_announcer *a, struct shoal_tracker_host *h)
{
	if (h->waiting.count == 0 || h->ready.pos != 0 || h->running >= SHOAL_ANNOUNCE_HOST_ASKS)
		return;
	if (shoal_heap_set(&a->ready, &h->ready, ++a->turn) < 0)
		a->lost = true;
}

void shoal_announce_begin(struct shoal_swarm *s, shoal_us now)
{
	struct shoal_announce *an = s->announce;
	if (an == NULL || an->stopping || s->flags & SHOAL_ADD_CHECK_ONLY)
		return;
	an->begun = true;
	bool closed = s->mi != NULL && shoal_metainfo_private(s->mi);
	for (unsigned i = 0; i < an->tier_count; i++) {
		struct shoal_tier *tier = an->tier[i];
		for (uint16_t k = 0; closed && k < tier->count; k++)
			tier->tracker[k]->dead |= !tier->tracker[k]->own; /* BEP 27: its own alone */
		for (unsigned who = 0; who < SHOAL_ANNOUNCE_WHO; who++) {
			struct shoal_line *line = &tier->line[who];
			if (line->on || !(who == 0 ? s->has_v1 : s->has_v2))
				continue;
			line->on = true;
			arm(line, now);
		}
	}
}

static uint64_t left_of(const struct shoal_swarm *s)
{
	return s->mi == NULL || s->verified_bytes < s->size ? 1 : 0;
}

static enum shoal_tracker_event event_for(const struct shoal_announce *an, const struct shoal_tracker *t, unsigned who)
{
	const struct shoal_swarm *s = an->swarm;
	if (!t->of[who].told)
		return SHOAL_TRACKER_STARTED;
	if (an->complete && !t->of[who].told_complete && left_of(s) == 0)
		return SHOAL_TRACKER_COMPLETED;
	/* BEP 21: nothing more is wanted, and it is not everything. */
	return shoal_swarm_seeding(s) && left_of(s) > 0 ? SHOAL_TRACKER_PAUSED : SHOAL_TRACKER_NONE;
}

static shoal_us free_at(const struct shoal_tracker *t, unsigned who)
{
	return t->dead ? SHOAL_NEVER : shoal_max_u64(t->of[who].not_before, t->host->down_until);
}

static void warn(struct shoal_announce *an, const struct shoal_tracker *t, const char *lead, int err,
		 struct shoal_bytes words, shoal_us now)
{
	char origin[SHOAL_URL_ORIGIN_MAX], text[SHOAL_URL_ORIGIN_MAX + SHOAL_TRACKER_TEXT_MAX + 128];
	shoal_url_origin(&t->url, origin);
	snprintf(text, sizeof text, "%s%s: %s%s%.*s", lead, origin, shoal_err_name(err), words.len ? ": " : "",
		 (int)words.len, (const char *)words.at);
	shoal_swarm_warn(an->swarm, text, now);
}

/* Every line has gone through its trackers in vain: said once, until one answers again. */
static void maybe_all_failed(struct shoal_announce *an, const struct shoal_tracker *t, int err,
			     struct shoal_bytes words, shoal_us now)
{
	for (unsigned i = 0; i < an->tier_count; i++)
		for (unsigned who = 0; who < SHOAL_ANNOUNCE_WHO; who++)
			if (an->tier[i]->line[who].on && !an->tier[i]->line[who].failed)
				return;
	if (an->all_failed)
		return;
	an->all_failed = true;
	warn(an, t, an->tracker_count > 1 ? "no tracker answers; the last was " : "the tracker does not answer: ", err,
	     words, now);
}

/* The round is over, and nobody answered. */
static void rest(struct shoal_line *line, shoal_us now)
{
	struct shoal_tier *tier = line->tier;
	shoal_us at = SHOAL_NEVER;
	line->at = 0;
	line->failed = true;
	for (uint16_t i = 0; i < tier->count; i++)
		at = shoal_min_u64(at, free_at(tier->tracker[i], line->who));
	if (at != SHOAL_NEVER)
		arm(line, shoal_max_u64(at, now + AGAIN));
}

/* The next of its tier that may be asked; it waits for its turn there. */
static void line_due(struct shoal_announcer *a, struct shoal_line *line, shoal_us now)
{
	struct shoal_tier *tier = line->tier;
	struct shoal_swarm *s = line->of->swarm;
	struct shoal_tracker *t = NULL;
	if (line->of->stopping || line->asking)
		return;
	if (line->early && s->peer_count > 0 && line->full_at > now) { /* somebody has come by now */
		line->early = false;
		return arm(line, line->full_at);
	}
	for (; line->at < tier->count; line->at++) {
		t = tier->tracker[line->at];
		if (free_at(t, line->who) <= now)
			break;
		t = NULL;
	}
	if (t == NULL)
		return rest(line, now);
	line->tracker = t;
	/* Whoever has everything can wait for those who need something. */
	if (shoal_heap_set(&t->host->waiting, &line->timer, shoal_swarm_seeding(s) ? 2 : 1) < 0) {
		a->lost = true;
		return;
	}
	line->waiting = true;
	shoal_announcer_ready(a, t->host);
}

static void start(struct shoal_announcer *a, struct shoal_line *line, shoal_us now)
{
	struct shoal_tracker *t = line->tracker;
	line->waiting = false;
	if (free_at(t, line->who) > now) { /* it went down while we waited */
		line_due(a, line, now);
		if (line->failed)
			maybe_all_failed(line->of, t, t->host->down_err, (struct shoal_bytes){ NULL, 0 }, now);
		return;
	}
	int rc = shoal_asking_new(line->of, line, t, line->who, event_for(line->of, t, line->who), now);
	if (rc < 0)
		arm(line, now + AGAIN);
}

/* Hosts in turns, each as far as it has room. */
static void start_waiting(struct shoal_announcer *a, shoal_us now)
{
	struct shoal_timer *host, *line;
	while (a->ask_count < SHOAL_ANNOUNCE_ASKS && (host = shoal_heap_due(&a->ready, SHOAL_NEVER - 1)) != NULL) {
		struct shoal_tracker_host *h =
			(struct shoal_tracker_host *)((char *)host - offsetof(struct shoal_tracker_host, ready));
		if (h->running < SHOAL_ANNOUNCE_HOST_ASKS &&
		    (line = shoal_heap_due(&h->waiting, SHOAL_NEVER - 1)) != NULL)
			start(a, (struct shoal_line *)line, now);
		shoal_announcer_ready(a, h);
	}
}

/* ---- answers ------------------------------------------------------------------------------ */

/* Who answered is asked first from now on. */
static void promote(struct shoal_tier *tier, struct shoal_tracker *t)
{
	uint16_t i = 0;
	while (i < tier->count && tier->tracker[i] != t)
		i++;
	for (; i > 0 && i < tier->count; i--) {
		tier->tracker[i] = tier->tracker[i - 1];
		tier->tracker[i - 1] = t;
	}
}

static shoal_us interval_of(const struct shoal_asking *ask, struct shoal_line *line, shoal_us now)
{
	struct shoal_swarm *s = ask->of->swarm;
	shoal_us wait = ask->interval != 0 ? SHOAL_S((shoal_us)ask->interval) : SHOAL_ANNOUNCE_INTERVAL;
	shoal_us least = SHOAL_S((shoal_us)ask->min_interval);
	wait = shoal_min_u64(shoal_max_u64(wait, SHOAL_ANNOUNCE_INTERVAL_MIN), SHOAL_ANNOUNCE_INTERVAL_MAX);
	uint32_t jitter = (uint32_t)(shoal_min_u64(wait / 10, SHOAL_S(60)) / 1000);
	wait += SHOAL_MS(shoal_rng_below(&s->rng, jitter)); /* or those started together would stay so */
	line->full_at = now + wait;
	shoal_us soon = shoal_max_u64(least, SHOAL_ANNOUNCE_STARVED);
	line->early = !shoal_swarm_seeding(s) && s->peer_count == 0 && soon < wait;
	return line->early ? soon : wait;
}

static void say(struct shoal_asking *ask, const struct shoal_line *line, int err, shoal_us now)
{
	char origin[SHOAL_URL_ORIGIN_MAX];
	size_t len = shoal_url_origin(&ask->tracker->url, origin);
	struct shoal_event ev = { .kind = SHOAL_EV_TRACKER,
				  .err = err,
				  .index = line->tier->index,
				  .text = shoal_bytes(origin, len),
				  .name = shoal_bytes(ask->text, ask->text_len),
				  .done = ask->peers,
				  .addr = ask->external };
	if (line->timer.pos != 0 && !line->waiting && line->timer.at > now)
		ev.total = (line->timer.at - now) / SHOAL_S(1);
	if (ask->counts.seeds != SHOAL_TRACKER_UNKNOWN)
		ev.stats.seeds = ask->counts.seeds;
	if (ask->counts.leeches != SHOAL_TRACKER_UNKNOWN)
		ev.stats.peers = ask->counts.leeches;
	shoal_swarm_say(ask->of->swarm, &ev, now);
}

static void went_well(struct shoal_asking *ask, struct shoal_line *line, shoal_us now)
{
	struct shoal_announce *an = ask->of;
	struct shoal_tracker *t = ask->tracker;
	t->of[ask->who].fails = 0;
	t->of[ask->who].not_before = 0;
	shoal_tracker_host_fine(t->host);
	promote(line->tier, t);
	line->at = 0;
	line->failed = false;
	an->all_failed = false;
	bool more = event_for(an, t, ask->who) == SHOAL_TRACKER_COMPLETED;
	arm(line, now + (more ? 0 : interval_of(ask, line, now)));
	say(ask, line, 0, now);
}

static void went_wrong(struct shoal_asking *ask, struct shoal_line *line, shoal_us now)
{
	struct shoal_announce *an = ask->of;
	struct shoal_tracker *t = ask->tracker;
	struct shoal_bytes words = shoal_bytes(ask->text, ask->text_len);
	int err = ask->err < 0 ? ask->err : SHOAL_ERR_NET;
	shoal_us said = shoal_min_u64(SHOAL_S((shoal_us)ask->retry_s), SHOAL_ANNOUNCE_INTERVAL_MAX);
	if (ask->host_down)
		shoal_tracker_host_failed(t->host, err, ask->retry_s, &an->swarm->rng, now);
	else
		shoal_tracker_host_fine(t->host);
	shoal_us wait = shoal_announce_backoff(++t->of[ask->who].fails, &an->swarm->rng);
	t->of[ask->who].not_before = now + shoal_max_u64(wait, said);
	/* What cannot be asked at all; a name may lead elsewhere some day, so a refusal is not for ever. */
	t->dead = t->dead || ask->never || err == SHOAL_ERR_MALFORMED || err == SHOAL_ERR_UNSUPPORTED;
	if (err == SHOAL_ERR_DENIED) {
		t->of[ask->who].not_before = now + SHOAL_ANNOUNCE_RETRY_MAX;
		if (!t->warned)
			warn(an, t,
			     "not asked, it leads to this host or into a private network (--tracker would): ", err,
			     (struct shoal_bytes){ NULL, 0 }, now);
		t->warned = true;
	}
	line->at++;
	line->asking = false; /* it may go on at once */
	line_due(an->swarm->node->announcer, line, now);
	say(ask, line, err, now);
	if (line->failed)
		maybe_all_failed(an, t, err, words, now);
}

void shoal_announce_asked(struct shoal_node *n, struct shoal_asking *ask, shoal_us now)
{
	struct shoal_tracker *t = ask->tracker;
	struct shoal_line *line = ask->line;
	if (ask->of == NULL) {
		shoal_announce_scraped(n, ask, now);
		return;
	}
	if (ask->good && ask->event == SHOAL_TRACKER_STARTED) {
		t->of[ask->who].told = true;
		t->of[ask->who].told_complete = ask->left == 0;
	}
	if (ask->event == SHOAL_TRACKER_COMPLETED && (ask->good || line == NULL))
		t->of[ask->who].told_complete = true;
	if (line == NULL || ask->of->stopping)
		return;
	if (ask->good)
		went_well(ask, line, now);
	else
		went_wrong(ask, line, now);
}

void shoal_announce_complete(struct shoal_swarm *s, shoal_us now)
{
	struct shoal_announce *an = s->announce;
	if (an == NULL || an->complete || !an->begun)
		return;
	an->complete = true;
	for (unsigned i = 0; i < an->tier_count; i++) {
		struct shoal_tier *tier = an->tier[i];
		for (unsigned who = 0; who < SHOAL_ANNOUNCE_WHO; who++) {
			struct shoal_line *line = &tier->line[who];
			bool news = tier->count > 0 && tier->tracker[0]->of[who].told; /* it is the one that answers */
			if (line->on && news && !line->asking && !line->waiting && !line->failed)
				arm(line, now);
			if (news)
				line->early = false;
		}
	}
}

/* ---- goodbyes ----------------------------------------------------------------------------- */

void shoal_announce_stop(struct shoal_swarm *s, shoal_us now)
{
	struct shoal_announce *an = s->announce;
	if (an == NULL || an->stopping)
		return;
	struct shoal_announcer *a = s->node->announcer;
	an->stopping = true;
	a->leaving++;
	an->stop_by = now + SHOAL_ANNOUNCE_STOP;
	for (unsigned i = 0; i < an->tier_count; i++)
		for (unsigned who = 0; who < SHOAL_ANNOUNCE_WHO; who++)
			disarm(a, &an->tier[i]->line[who]);
	/* Questions nobody waits for any more; but whether we completed counts. */
	for (struct shoal_asking *ask = a->asks, *next; ask != NULL; ask = next) {
		next = ask->next;
		if (ask->of == an && ask->event != SHOAL_TRACKER_COMPLETED)
			shoal_asking_free(s->node, ask);
	}
}

static void cut_off(struct shoal_node *n, const struct shoal_announce *an)
{
	for (struct shoal_asking *ask = n->announcer->asks, *next; ask != NULL; ask = next) {
		next = ask->next;
		if (ask->of == an)
			shoal_asking_free(n, ask);
	}
}

/* One goodbye, perhaps after the good news. false: not now. */
static bool leave(struct shoal_announce *an, struct shoal_tracker *t, unsigned who, shoal_us now)
{
	struct shoal_announcer *a = an->swarm->node->announcer;
	enum shoal_tracker_event event = event_for(an, t, who);
	if (t->dead || t->host->down_until > now) { /* it would not hear it */
		t->of[who].told = false;
		return true;
	}
	if (t->of[who].busy || t->host->running >= STOP_HOST_ASKS || a->ask_count >= STOP_ASKS)
		return false;
	if (event != SHOAL_TRACKER_COMPLETED)
		event = SHOAL_TRACKER_STOPPED;
	if (shoal_asking_new(an, NULL, t, who, event, now) < 0)
		return false;
	if (event == SHOAL_TRACKER_STOPPED)
		t->of[who].told = false;
	return true;
}

static bool all_left(const struct shoal_announce *an)
{
	for (unsigned i = 0; i < an->tier_count; i++)
		for (uint16_t k = 0; k < an->tier[i]->count; k++)
			for (unsigned who = 0; who < SHOAL_ANNOUNCE_WHO; who++)
				if (an->tier[i]->tracker[k]->of[who].told)
					return false;
	return true;
}

static void stop_tick(struct shoal_announce *an, shoal_us now)
{
	if (an->over)
		return;
	if (now >= an->stop_by) {
		an->over = true;
		cut_off(an->swarm->node, an);
		return;
	}
	for (unsigned i = 0; i < an->tier_count; i++)
		for (uint16_t k = 0; k < an->tier[i]->count; k++)
			for (unsigned who = 0; who < SHOAL_ANNOUNCE_WHO; who++)
				if (an->tier[i]->tracker[k]->of[who].told)
					(void)leave(an, an->tier[i]->tracker[k], who, now);
}

bool shoal_announce_stopped(const struct shoal_swarm *s)
{
	const struct shoal_announce *an = s->announce;
	return an == NULL || an->over || (an->asks == 0 && all_left(an));
}

void shoal_announce_free(struct shoal_swarm *s)
{
	struct shoal_announce *an = s->announce;
	struct shoal_node *n = s->node;
	if (an == NULL)
		return;
	cut_off(n, an);
	n->announcer->leaving -= an->stopping;
	for (unsigned i = 0; i < an->tier_count; i++) {
		struct shoal_tier *tier = an->tier[i];
		for (unsigned who = 0; who < SHOAL_ANNOUNCE_WHO; who++)
			disarm(n->announcer, &tier->line[who]);
		for (uint16_t k = 0; k < tier->count; k++)
			shoal_tracker_free(n, tier->tracker[k]);
		free(tier->tracker);
		free(tier);
		shoal_budget_give(n->budget, sizeof *tier);
	}
	free(an);
	shoal_budget_give(n->budget, sizeof *an);
	s->announce = NULL;
}

/* ---- a node's ------------------------------------------------------------------------- */

void shoal_announcer_free(struct shoal_node *n)
{
	struct shoal_announcer *a = n->announcer;
	if (a == NULL)
		return;
	while (a->asks != NULL) /* scrapes */
		shoal_asking_free(n, a->asks);
	shoal_heap_fini(&a->due); /* every swarm, and with it every host, is gone */
	shoal_heap_fini(&a->ready);
	free(a);
	shoal_budget_give(n->budget, sizeof *a);
	n->announcer = NULL;
}

/* Lines that found no room in a heap. */
static void find_lost(struct shoal_node *n, shoal_us now)
{
	struct shoal_announcer *a = n->announcer;
	a->lost = false;
	for (struct shoal_swarm *s = n->swarms; s != NULL; s = s->next) {
		struct shoal_announce *an = s->announce;
		for (unsigned i = 0; an != NULL && !an->stopping && i < an->tier_count; i++) {
			for (unsigned who = 0; who < SHOAL_ANNOUNCE_WHO; who++) {
				struct shoal_line *line = &an->tier[i]->line[who];
				if (line->on && !line->asking && line->timer.pos == 0)
					arm(line, now + AGAIN);
				if (line->waiting)
					shoal_announcer_ready(a, line->tracker->host);
			}
		}
	}
}

void shoal_announcer_tick(struct shoal_node *n, shoal_us now)
{
	struct shoal_announcer *a = n->announcer;
	struct shoal_timer *timer;
	if (a == NULL)
		return;
	if (a->lost)
		find_lost(n, now);
	while ((timer = shoal_heap_due(&a->due, now)) != NULL)
		line_due(a, (struct shoal_line *)timer, now);
	for (struct shoal_swarm *s = a->leaving > 0 ? n->swarms : NULL; s != NULL; s = s->next)
		if (s->announce != NULL && s->announce->stopping)
			stop_tick(s->announce, now);
	start_waiting(a, now);
	shoal_asking_tick(n, now);
}

shoal_us shoal_announcer_deadline(const struct shoal_node *n)
{
	const struct shoal_announcer *a = n->announcer;
	if (a == NULL)
		return SHOAL_NEVER;
	if (a->lost)
		return n->now + AGAIN;
	shoal_us at = shoal_min_u64(shoal_heap_next(&a->due), shoal_asking_deadline(n));
	if (a->ready.count > 0 && a->ask_count < SHOAL_ANNOUNCE_ASKS)
		at = 0;
	for (const struct shoal_swarm *s = a->leaving > 0 ? n->swarms : NULL; s != NULL; s = s->next)
		if (s->announce != NULL && s->announce->stopping && !shoal_announce_stopped(s))
			at = shoal_min_u64(at, shoal_min_u64(s->announce->stop_by, n->now + STOP_LOOK));
	return at;
}
