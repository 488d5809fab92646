/* swarm/core/announce_ask.c - one question to a tracker: looked up, sent by HTTP or UDP in both families, answered. */
#include <stdlib.h>
#include <string.h>
#include "proto/compact.h"
#include "proto/reach.h"
#include "swarm/core/announce_room.h"

#define FETCH_TIME SHOAL_S(30)
#define UDP_SENDS 2u /* 15 + 30 s; the next tracker of the tier has waited long enough then */
#define NAME_LIFE SHOAL_S(600)
#define NAME_LIFE_BAD SHOAL_S(60)
#define BODY_FIRST 4096u

static uint32_t dice(struct shoal_node *n)
{
	uint32_t value;
	n->world.ops->secret(n->world.w, (struct shoal_space){ (uint8_t *)&value, sizeof value });
	return value;
}

static bool ended(const struct shoal_asking *ask)
{
	return !ask->resolving && ask->way[0].state != SHOAL_WAY_RUNS && ask->way[1].state != SHOAL_WAY_RUNS;
}

static void way_end(struct shoal_node *n, struct shoal_asking *ask, struct shoal_tracker_way *way, int err)
{
	way->state = SHOAL_WAY_ENDED;
	shoal_budget_give(n->budget, way->room);
	free(way->body);
	way->body = NULL;
	way->room = way->len = 0;
	/* The v4 way's reason is the better known one: it stays. But "no such family" says less than anything. */
	if (err < 0 && (ask->err == 0 || ask->err == SHOAL_ERR_GONE || way == &ask->way[0]))
		ask->err = err;
}

/* Says nothing more to the world about it. */
static void way_stop(struct shoal_node *n, struct shoal_asking *ask, struct shoal_tracker_way *way)
{
	if (way->state == SHOAL_WAY_RUNS && way->cookie != 0 && n->world.ops->fetch_stop != NULL)
		n->world.ops->fetch_stop(n->world.w, way->cookie);
	way_end(n, ask, way, 0);
}

void shoal_asking_free(struct shoal_node *n, struct shoal_asking *ask)
{
	struct shoal_announcer *a = n->announcer;
	struct shoal_asking **where = &a->asks;
	struct shoal_tracker_host *h = ask->tracker->host;
	while (*where != ask)
		where = &(*where)->next;
	*where = ask->next;
	a->ask_count--;
	if (ask->of != NULL)
		ask->of->asks--;
	h->running--;
	for (unsigned i = 0; i < SHOAL_ANNOUNCE_WHO; i++)
		way_stop(n, ask, &ask->way[i]);
	if (ask->line != NULL)
		ask->line->asking = false;
	ask->tracker->of[ask->who].busy = false;
	shoal_announcer_ready(a, h);
	if (ask->of == NULL)
		shoal_tracker_free(n, ask->tracker);
	free(ask);
}

/* ---- what is asked ------------------------------------------------------------------------ */

static struct shoal_tracker_ask words_of(const struct shoal_asking *ask)
{
	const struct shoal_swarm *s = ask->of->swarm;
	const struct shoal_tracker *t = ask->tracker;
	bool seeding = shoal_swarm_seeding(s);
	return (struct shoal_tracker_ask){
		.hash = ask->who == 0 ? s->v1 : s->v2_short,
		.peer_id = s->peer_id,
		.uploaded = s->uploaded,
		.downloaded = s->downloaded,
		.left = ask->left,
		.event = ask->event,
		.key = ask->of->key,
		/* A seed is looked for by others; it asks for a few to call, should it be hard to reach. */
		.num_want = ask->event == SHOAL_TRACKER_STOPPED ? 0
			    : seeding				? 50
								: SHOAL_TRACKER_PEERS_MAX,
		.port = s->node->port != 0 ? s->node->port : 1, /* 0 is an error to many a tracker */
		.tracker_id = shoal_bytes(t->of[ask->who].id, t->of[ask->who].id_len),
	};
}

/* ---- HTTP --------------------------------------------------------------------------------- */

static int http_start(struct shoal_node *n, struct shoal_asking *ask)
{
	const struct shoal_url *url = &ask->tracker->url;
	uint8_t text[SHOAL_URL_MAX + 1];
	struct shoal_space room = { text, sizeof text };
	ptrdiff_t len;
	if (n->world.ops->fetch == NULL)
		return SHOAL_ERR_UNSUPPORTED;
	if (ask->of != NULL) {
		struct shoal_tracker_ask words = words_of(ask);
		len = shoal_tracker_http_announce(url, &words, room);
	} else {
		len = shoal_tracker_http_scrape(url, &ask->hash, 1, room);
	}
	if (len < 0)
		return len == SHOAL_ERR_UNSUPPORTED ? SHOAL_ERR_UNSUPPORTED : SHOAL_ERR_MALFORMED;
	int rc = 0, started = 0;
	for (unsigned family = 0; family < SHOAL_ANNOUNCE_WHO; family++) {
		struct shoal_tracker_way *way = &ask->way[family];
		struct shoal_fetch f = {
			.url = shoal_bytes(text, (size_t)len),
			.most = SHOAL_TRACKER_HTTP_BODY_MAX,
			.timeout = ask->line != NULL || ask->of == NULL ? FETCH_TIME : SHOAL_ANNOUNCE_STOP,
			.flags = (ask->tracker->trusted ? SHOAL_FETCH_TRUSTED : 0),
		};
		if (url->is_addr && (family == 0) != (url->addr.is_v4 != 0))
			continue;
		if (!url->is_addr)
			f.flags |= family == 0 ? SHOAL_FETCH_V4 : SHOAL_FETCH_V6;
		way->cookie = shoal_node_cookie(n, SHOAL_COOKIE_TRACKER);
		int one = n->world.ops->fetch(n->world.w, &f, way->cookie);
		if (one < 0) {
			rc = one;
			way->cookie = 0;
			continue;
		}
		way->state = SHOAL_WAY_RUNS;
		started++;
	}
	return started > 0 ? 0 : rc < 0 ? rc : SHOAL_ERR_NET;
}

static struct shoal_asking *fetch_of(struct shoal_node *n, uint64_t cookie, struct shoal_tracker_way **way)
{
	for (struct shoal_asking *ask = n->announcer != NULL ? n->announcer->asks : NULL; ask != NULL;
	     ask = ask->next) {
		for (unsigned i = 0; i < SHOAL_ANNOUNCE_WHO; i++) {
			*way = &ask->way[i];
			if ((*way)->state == SHOAL_WAY_RUNS && (*way)->cookie == cookie)
				return ask;
		}
	}
	return NULL;
}

void shoal_announcer_fetch_data(struct shoal_node *n, uint64_t cookie, struct shoal_bytes data)
{
	struct shoal_tracker_way *way;
	struct shoal_asking *ask = fetch_of(n, cookie, &way);
	size_t need, room;
	if (ask == NULL)
		return;
	if (!shoal_add_size(way->len, data.len, &need) || need > SHOAL_TRACKER_HTTP_BODY_MAX) {
		way_stop(n, ask, way);
		ask->err = SHOAL_ERR_TOO_LONG;
		return;
	}
	for (room = way->room ? way->room : BODY_FIRST; room < need;)
		room *= 2;
	if (room > way->room) {
		uint8_t *more = shoal_node_charge(n, room - way->room) ? realloc(way->body, room) : NULL;
		if (more == NULL) {
			way_stop(n, ask, way);
			ask->err = SHOAL_ERR_NOMEM;
			return;
		}
		way->body = more;
		way->room = room;
	}
	if (data.len > 0)
		memcpy(way->body + way->len, data.at, data.len);
	way->len = need;
}

/* ---- UDP ---------------------------------------------------------------------------------- */

static bool may_go(struct shoal_node *n, const struct shoal_tracker *t, const struct shoal_addr *to)
{
	enum shoal_reach reach = shoal_reach_of(to);
	return t->trusted || reach == SHOAL_REACH_GLOBAL ||
	       (reach == SHOAL_REACH_PRIVATE && n->world.ops->neighbour != NULL &&
		n->world.ops->neighbour(n->world.w, to));
}

/* The host is known where it is. */
static int udp_start(struct shoal_node *n, struct shoal_asking *ask)
{
	struct shoal_tracker_host *h = ask->tracker->host;
	int rc = SHOAL_ERR_GONE;
	for (unsigned family = 0; family < SHOAL_ANNOUNCE_WHO; family++) {
		if (h->addr_count[family] == 0)
			continue;
		struct shoal_tracker_way *way = &ask->way[family];
		way->addr = h->addr[family][h->turn % h->addr_count[family]];
		way->addr.port = h->port;
		if (!may_go(n, ask->tracker, &way->addr)) {
			rc = SHOAL_ERR_DENIED;
			continue;
		}
		way->state = SHOAL_WAY_RUNS;
		way->q = (struct shoal_tracker_udp){ .sent = false };
		if (!shoal_addr_equal(&h->id_of[family], &way->addr)) {
			h->id_of[family] = way->addr;
			h->id[family].got = 0;
		}
	}
	return ended(ask) ? rc : 0;
}

static int udp_resolve(struct shoal_node *n, struct shoal_asking *ask, shoal_us now)
{
	struct shoal_tracker_host *h = ask->tracker->host;
	bool known = h->resolved_at == SHOAL_NEVER ||
		     (h->resolved_at != 0 && now - h->resolved_at < (h->resolve_err ? NAME_LIFE_BAD : NAME_LIFE));
	if (known)
		return h->resolve_err < 0 ? h->resolve_err : udp_start(n, ask);
	if (!h->resolving) {
		if (n->world.ops->resolve == NULL)
			return SHOAL_ERR_UNSUPPORTED;
		h->cookie = shoal_node_cookie(n, SHOAL_COOKIE_TRACKER);
		int rc = n->world.ops->resolve(n->world.w, h->name, h->cookie);
		if (rc < 0)
			return rc;
		h->resolving = true;
	}
	ask->resolving = true;
	return 0;
}

void shoal_announcer_resolved(struct shoal_node *n, uint64_t cookie, const struct shoal_addr *addr, size_t count,
			      int err, shoal_us now)
{
	struct shoal_announcer *a = n->announcer;
	struct shoal_tracker_host *h = NULL;
	for (size_t i = 0; a != NULL && h == NULL && i < sizeof a->host / sizeof *a->host; i++)
		for (h = a->host[i]; h != NULL && !(h->resolving && h->cookie == cookie);)
			h = h->next;
	if (h == NULL)
		return; /* nobody asks any more */
	h->resolving = false;
	h->resolved_at = now;
	h->resolve_err = err < 0 ? err : count == 0 ? SHOAL_ERR_GONE : 0;
	h->addr_count[0] = h->addr_count[1] = 0;
	for (size_t i = 0; i < count; i++) {
		struct shoal_addr one = addr[i];
		shoal_addr_unmap(&one);
		unsigned family = one.is_v4 ? 0 : 1;
		if (h->addr_count[family] < sizeof h->addr[0] / sizeof *h->addr[0])
			h->addr[family][h->addr_count[family]++] = one;
	}
	for (struct shoal_asking *ask = a->asks; ask != NULL; ask = ask->next) {
		if (!ask->resolving || ask->tracker->host != h)
			continue;
		ask->resolving = false;
		ask->err = h->resolve_err < 0 ? h->resolve_err : udp_start(n, ask);
		ask->host_down = h->resolve_err < 0;
	}
}

/* Sends what is due. A goodbye is not waited for: when it has left, it is done. */
static void udp_step(struct shoal_node *n, struct shoal_asking *ask, unsigned family, shoal_us now)
{
	struct shoal_tracker_way *way = &ask->way[family];
	struct shoal_tracker_host *h = ask->tracker->host;
	uint8_t packet[SHOAL_TRACKER_UDP_ANNOUNCE_MAX];
	struct shoal_space room = { packet, sizeof packet };
	ptrdiff_t len = SHOAL_TRACKER_UDP_CONNECT_BYTES;
	enum shoal_tracker_udp_step step = shoal_tracker_udp_step(&way->q, &h->id[family], dice(n), UDP_SENDS, now);
	if (step == SHOAL_TRACKER_UDP_DO_WAIT)
		return;
	if (step == SHOAL_TRACKER_UDP_DO_GIVE_UP) {
		way_end(n, ask, way, SHOAL_ERR_TIMEOUT);
		ask->host_down = true;
		return;
	}
	if (step == SHOAL_TRACKER_UDP_DO_CONNECT) {
		shoal_tracker_udp_connect(way->q.transaction, packet);
	} else if (ask->of == NULL) {
		len = shoal_tracker_udp_scrape(h->id[family].connection, way->q.transaction, &ask->hash, 1, room);
	} else {
		struct shoal_tracker_ask words = words_of(ask);
		len = shoal_tracker_udp_announce(h->id[family].connection, way->q.transaction, &words,
						 &ask->tracker->url, room);
	}
	int rc = len < 0 ? (int)len : SHOAL_ERR_UNSUPPORTED;
	if (len >= 0 && n->world.ops->datagram != NULL)
		rc = n->world.ops->datagram(n->world.w, &way->addr, shoal_bytes(packet, (size_t)len));
	if (rc < 0) {
		way_end(n, ask, way, rc);
		ask->host_down = true;
	} else if (ask->line == NULL && ask->event == SHOAL_TRACKER_STOPPED && step == SHOAL_TRACKER_UDP_DO_ASK) {
		way_end(n, ask, way, 0);
		ask->good = true;
	}
}

/* ---- answers ------------------------------------------------------------------------------ */

/* Peers whom a tracker may name (T09, T10); where private ones may come from, contacts.c decides by NEAR. */
static bool may_be_named(const struct shoal_addr *a, bool near)
{
	switch (shoal_reach_of(a)) {
	case SHOAL_REACH_GLOBAL: return a->port >= SHOAL_ANNOUNCE_PORT_MIN;
	case SHOAL_REACH_LOOPBACK:
	case SHOAL_REACH_PRIVATE: return near;
	case SHOAL_REACH_LINK:
	case SHOAL_REACH_NOWHERE: break;
	}
	return false;
}

static bool is_near(const struct shoal_addr *a)
{
	enum shoal_reach reach = shoal_reach_of(a);
	return a->port != 0 && (reach == SHOAL_REACH_PRIVATE || reach == SHOAL_REACH_LOOPBACK);
}

static void keep_words(struct shoal_asking *ask, struct shoal_bytes text)
{
	if (text.len == 0 || text.len > sizeof ask->text)
		return;
	memcpy(ask->text, text.at, text.len);
	ask->text_len = (uint16_t)text.len;
}

static void keep_id(struct shoal_node *n, struct shoal_tracker *t, unsigned who, struct shoal_bytes id)
{
	uint8_t **at = &t->of[who].id;
	if (*at == NULL) {
		if (!shoal_node_charge(n, SHOAL_TRACKER_TEXT_MAX))
			return;
		if ((*at = malloc(SHOAL_TRACKER_TEXT_MAX)) == NULL) {
			shoal_budget_give(n->budget, SHOAL_TRACKER_TEXT_MAX);
			return;
		}
		t->charged += SHOAL_TRACKER_TEXT_MAX;
	}
	memcpy(*at, id.at, id.len); /* the parser has cut it */
	t->of[who].id_len = id.len;
}

static void take_answer(struct shoal_asking *ask, const struct shoal_tracker_answer *a, const struct shoal_addr *server,
			shoal_us now)
{
	struct shoal_tracker *t = ask->tracker;
	bool near = t->trusted || is_near(server);
	if (a->failed) {
		if (ask->err == 0 || ask->err == SHOAL_ERR_GONE)
			ask->err = SHOAL_ERR_REFUSED;
		keep_words(ask, a->failure);
		ask->never = a->retry_never;
		ask->retry_s = a->retry_minutes < UINT32_MAX / 60 ? a->retry_minutes * 60 : UINT32_MAX;
		return;
	}
	struct shoal_swarm *s = ask->of->swarm; /* a scrape's good answer goes another way */
	ask->good = true;
	keep_words(ask, a->warning);
	ask->interval = a->interval > ask->interval ? a->interval : ask->interval;
	ask->min_interval = a->min_interval > ask->min_interval ? a->min_interval : ask->min_interval;
	ask->counts = a->counts;
	if (a->has_external) {
		ask->has_external = true;
		ask->external = a->external;
	}
	if (a->tracker_id.len > 0)
		keep_id(s->node, t, ask->who, a->tracker_id);
	if (ask->event == SHOAL_TRACKER_STOPPED)
		return;
	for (size_t i = 0; i < a->peer_count; i++) {
		struct shoal_addr peer = a->peer[i];
		shoal_addr_unmap(&peer);
		if (may_be_named(&peer, near) &&
		    shoal_swarm_contact(s, &peer, SHOAL_FROM_TRACKER | (near ? SHOAL_FROM_NEAR : 0u), now) != NULL)
			ask->peers++;
	}
}

static uint32_t more_of(uint32_t a, uint32_t b)
{
	return a == SHOAL_TRACKER_UNKNOWN || (b != SHOAL_TRACKER_UNKNOWN && b > a) ? b : a;
}

/* Of a scrape; GONE: it is not known there. A tracker may count each family by itself: the larger number stands. */
static int take_counts(struct shoal_asking *ask, const struct shoal_tracker_counts *c, int rc)
{
	if (rc == SHOAL_ERR_GONE)
		ask->absent = true;
	if (rc < 0)
		return rc;
	ask->good = true;
	ask->counts.seeds = more_of(ask->counts.seeds, c->seeds);
	ask->counts.leeches = more_of(ask->counts.leeches, c->leeches);
	ask->counts.completed = more_of(ask->counts.completed, c->completed);
	return 0;
}

static int take_body(struct shoal_asking *ask, struct shoal_bytes body, const struct shoal_addr *server, shoal_us now)
{
	struct shoal_tracker_answer answer;
	struct shoal_tracker_counts counts;
	int rc = 0;
	if (ask->of == NULL && (rc = shoal_tracker_http_scraped(body, &ask->hash, &counts)) != SHOAL_ERR_REFUSED)
		return take_counts(ask, &counts, rc);
	if ((rc = shoal_tracker_http_answer(body, &answer)) == 0) /* its no to a scrape reads as that to an announce */
		take_answer(ask, &answer, server, now);
	return rc;
}

static int take_datagram(struct shoal_asking *ask, const struct shoal_tracker_udp_head *head,
			 const struct shoal_addr *from, struct shoal_bytes data, shoal_us now)
{
	struct shoal_tracker_answer answer;
	struct shoal_tracker_counts counts;
	if (head->action == SHOAL_TRACKER_UDP_SCRAPE) {
		ptrdiff_t n = shoal_tracker_udp_scraped(data, &counts, 1);
		return take_counts(ask, &counts, n < 0 ? (int)n : n == 0 ? SHOAL_ERR_GONE : 0);
	}
	int rc = shoal_tracker_udp_answer(data, from->is_v4, &answer);
	if (rc == 0)
		take_answer(ask, &answer, from, now);
	return rc;
}

void shoal_announcer_fetch_end(struct shoal_node *n, uint64_t cookie, const struct shoal_fetched *how, shoal_us now)
{
	struct shoal_tracker_way *way;
	struct shoal_asking *ask = fetch_of(n, cookie, &way);
	int err = how->err;
	if (ask == NULL)
		return;
	way->cookie = 0;
	/* Read whatever the status: some say no with a 400. */
	if (err == 0)
		err = take_body(ask, shoal_bytes(way->body, way->len), &how->server, now);
	if (err < 0 && how->err == 0 && how->status != 200) {
		int none = ask->of != NULL ? SHOAL_ERR_GONE : SHOAL_ERR_UNSUPPORTED;
		err = how->status == 404 || how->status == 410 ? none : SHOAL_ERR_REFUSED;
		ask->retry_s = how->retry_after;
		ask->host_down = how->status >= 500;
	} else if (how->err < 0) {
		err = err == SHOAL_ERR_REFUSED ? SHOAL_ERR_DENIED : err; /* a policy of ours, not the tracker's no */
		ask->host_down = err == SHOAL_ERR_NET || err == SHOAL_ERR_TIMEOUT || err == SHOAL_ERR_CLOSED;
		if (how->what[0] != '\0' && (ask->text_len == 0 || way == &ask->way[0]))
			keep_words(ask, shoal_bytes(how->what, strnlen(how->what, sizeof how->what)));
	}
	way_end(n, ask, way, err);
}

bool shoal_announcer_datagram(struct shoal_node *n, const struct shoal_addr *from, struct shoal_bytes data,
			      shoal_us now)
{
	struct shoal_tracker_udp_head head;
	unsigned family = from->is_v4 ? 0 : 1;
	if (n->announcer == NULL || n->announcer->asks == NULL || shoal_tracker_udp_head(data, &head) < 0)
		return false;
	for (struct shoal_asking *ask = n->announcer->asks; ask != NULL; ask = ask->next) {
		struct shoal_tracker_way *way = &ask->way[family];
		if (!ask->tracker->host->udp || way->state != SHOAL_WAY_RUNS || !shoal_addr_equal(&way->addr, from))
			continue;
		switch (shoal_tracker_udp_heard(&way->q, &ask->tracker->host->id[family], &head,
						ask->of == NULL ? SHOAL_TRACKER_UDP_SCRAPE : SHOAL_TRACKER_UDP_ANNOUNCE,
						now)) {
		case SHOAL_TRACKER_UDP_NOT_OURS: continue;
		case SHOAL_TRACKER_UDP_CONNECTED: udp_step(n, ask, family, now); return true;
		case SHOAL_TRACKER_UDP_ANSWERED: break;
		}
		way_end(n, ask, way, take_datagram(ask, &head, from, data, now));
		return true;
	}
	return false;
}

/* ---- time --------------------------------------------------------------------------------- */

static struct shoal_asking *asking_make(struct shoal_node *n, struct shoal_tracker *t, unsigned who)
{
	struct shoal_announcer *a = n->announcer;
	struct shoal_asking *ask = calloc(1, sizeof *ask);
	if (ask == NULL)
		return NULL;
	ask->tracker = t;
	ask->who = (uint8_t)who;
	ask->counts = (struct shoal_tracker_counts){ SHOAL_TRACKER_UNKNOWN, SHOAL_TRACKER_UNKNOWN,
						     SHOAL_TRACKER_UNKNOWN, SHOAL_TRACKER_UNKNOWN };
	ask->next = a->asks;
	a->asks = ask;
	a->ask_count++;
	t->host->running++;
	t->of[who].busy = true;
	return ask;
}

static int asking_start(struct shoal_node *n, struct shoal_asking *ask, shoal_us now)
{
	int rc = ask->tracker->host->udp ? udp_resolve(n, ask, now) : http_start(n, ask);
	if (rc == SHOAL_ERR_BUSY || rc == SHOAL_ERR_NOMEM) {
		shoal_asking_free(n, ask);
		return rc;
	}
	ask->err = rc;
	return 0;
}

int shoal_asking_new(struct shoal_announce *an, struct shoal_line *line, struct shoal_tracker *t, unsigned who,
		     enum shoal_tracker_event event, shoal_us now)
{
	struct shoal_swarm *s = an->swarm;
	struct shoal_asking *ask = asking_make(s->node, t, who);
	if (ask == NULL)
		return SHOAL_ERR_NOMEM;
	ask->of = an;
	ask->line = line;
	ask->event = event;
	/* Without metadata nobody knows; it must not look like a seed's 0. */
	ask->left = s->mi == NULL ? SHOAL_BLOCK : s->size - (s->verified_bytes < s->size ? s->verified_bytes : s->size);
	an->asks++;
	if (line != NULL)
		line->asking = true;
	return asking_start(s->node, ask, now);
}

int shoal_asking_scrape(struct shoal_node *n, struct shoal_tracker *t, const struct shoal_id20 *hash, uint64_t ticket,
			shoal_us now)
{
	struct shoal_asking *ask = asking_make(n, t, 0);
	if (ask == NULL) {
		shoal_tracker_free(n, t);
		return SHOAL_ERR_NOMEM;
	}
	ask->hash = *hash;
	ask->ticket = ticket;
	return asking_start(n, ask, now);
}

void shoal_asking_tick(struct shoal_node *n, shoal_us now)
{
	struct shoal_announcer *a = n->announcer;
	for (struct shoal_asking *ask = a->asks, *next; ask != NULL; ask = next) {
		for (unsigned i = 0; i < SHOAL_ANNOUNCE_WHO && ask->tracker->host->udp; i++)
			if (ask->way[i].state == SHOAL_WAY_RUNS)
				udp_step(n, ask, i, now);
		next = ask->next;
		if (!ended(ask))
			continue;
		shoal_announce_asked(n, ask, now);
		shoal_asking_free(n, ask);
	}
}

shoal_us shoal_asking_deadline(const struct shoal_node *n)
{
	shoal_us at = SHOAL_NEVER;
	for (const struct shoal_asking *ask = n->announcer->asks; ask != NULL; ask = ask->next) {
		if (ended(ask))
			return 0;
		for (unsigned i = 0; i < SHOAL_ANNOUNCE_WHO && ask->tracker->host->udp; i++)
			if (ask->way[i].state == SHOAL_WAY_RUNS)
				at = shoal_min_u64(at, ask->way[i].q.sent ? ask->way[i].q.due : 0);
	}
	return at;
}
