/* swarm/core/webseed.c - the web seeds of a torrent: where they are, how they fare, when they have had their chances. */
#include "swarm/core/webseed.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "swarm/core/node_room.h"

static const char client[] = "web seed";

/* ---- coming and going ------------------------------------------------------------------ */

static struct shoal_bytes host_of(const char *url)
{
	const char *at = strstr(url, "://");
	at = at != NULL ? at + 3 : url;
	return shoal_bytes(at, strcspn(at, "/?#"));
}

int shoal_webseed_add(struct shoal_swarm *s, struct shoal_bytes url, bool trusted)
{
	struct shoal_url parts;
	struct shoal_webseed **last = &s->webseeds;
	uint32_t count = 0;
	const uint8_t *fragment = url.len > 0 ? memchr(url.at, '#', url.len) : NULL;
	if (fragment != NULL)
		url.len = (size_t)(fragment - url.at);
	int rc = shoal_url_parse(url, &parts);
	if (rc < 0)
		return rc;
	if (parts.scheme != SHOAL_URL_HTTP && parts.scheme != SHOAL_URL_HTTPS)
		return SHOAL_ERR_UNSUPPORTED;
	for (; *last != NULL; last = &(*last)->next, count++) {
		if (!shoal_bytes_equal(url, shoal_bytes((*last)->url, strlen((*last)->url))))
			continue;
		(*last)->trusted |= trusted;
		return SHOAL_ERR_EXISTS;
	}
	if (count >= SHOAL_WEBSEEDS_MAX)
		return SHOAL_ERR_RANGE;
	size_t need = sizeof(struct shoal_webseed) + url.len + 1;
	if (!shoal_node_charge(s->node, need))
		return SHOAL_ERR_NOMEM;
	struct shoal_webseed *ws = calloc(1, need);
	if (ws == NULL) {
		shoal_budget_give(s->node->budget, need);
		return SHOAL_ERR_NOMEM;
	}
	ws->url = (char *)(ws + 1);
	memcpy(ws->url, url.at, url.len);
	ws->host = host_of(ws->url);
	ws->swarm = s;
	ws->serial = ++s->node->next_serial;
	ws->charged = need;
	ws->trusted = trusted;
	ws->dirty = true;
	ws->range = SHOAL_WEBSEED_RANGE_START;
	ws->next_piece = SHOAL_PIECE_NONE;
	ws->last_false = SHOAL_PIECE_NONE;
	*last = ws;
	shoal_note_webseed(s, ws->serial, ws->host, s->node->now);
	return 0;
}

void shoal_webseeds_begin(struct shoal_swarm *s)
{
	for (size_t i = 0; i < shoal_metainfo_webseed_count(s->mi); i++) {
		int rc = shoal_webseed_add(s, shoal_metainfo_webseed(s->mi, i), false);
		(void)rc; /* a stranger wrote them: what is no use to us is passed over */
	}
}

void shoal_webseeds_stop(struct shoal_swarm *s)
{
	for (struct shoal_webseed *ws = s->webseeds; ws != NULL; ws = ws->next)
		for (size_t i = 0; i < SHOAL_WEBSEED_RUNS; i++)
			shoal_webrun_end(&ws->run[i]);
}

void shoal_webseeds_free(struct shoal_swarm *s)
{
	shoal_webseeds_stop(s);
	while (s->webseeds != NULL) {
		struct shoal_webseed *ws = s->webseeds;
		s->webseeds = ws->next;
		if (ws->have.word != NULL)
			shoal_budget_give(s->node->budget, shoal_bits_bytes(ws->have.count));
		shoal_bits_fini(&ws->have);
		shoal_budget_give(s->node->budget, ws->charged);
		free(ws);
	}
}

/* ---- saying ------------------------------------------------------------------------------ */

static void say(struct shoal_webseed *ws, struct shoal_event *ev, shoal_us now)
{
	ev->peer = ws->serial;
	ev->name = ws->host;
	shoal_swarm_say(ws->swarm, ev, now);
}

/* `what` is ours, the host a stranger's: the tools escape it. */
static void warn(struct shoal_webseed *ws, const char *what, shoal_us now)
{
	char text[400];
	snprintf(text, sizeof text, "web seed %.*s: %s", (int)(ws->host.len < 200 ? ws->host.len : 200),
		 (const char *)ws->host.at, what);
	shoal_swarm_warn(ws->swarm, text, now);
}

void shoal_webseeds_stats(const struct shoal_swarm *s, struct shoal_stats *out)
{
	for (const struct shoal_webseed *ws = s->webseeds; ws != NULL; ws = ws->next) {
		out->peers += ws->runs > 0 && ws->heard;
		out->seeds += ws->runs > 0 && ws->heard;
	}
}

void shoal_webseeds_say(struct shoal_swarm *s, uint64_t ticket, shoal_us now)
{
	for (struct shoal_webseed *ws = s->webseeds; ws != NULL; ws = ws->next) {
		struct shoal_event ev = { .kind = SHOAL_EV_PEER,
					  .ticket = ticket,
					  .text = shoal_bytes(client, sizeof client - 1) };
		ev.info = (struct shoal_peer_info){ .got = ws->got,
						    .wasted = ws->wasted,
						    .spoiled = ws->spoiled,
						    .down_rate = shoal_rate_now(&ws->down, now),
						    .connected = ws->runs > 0,
						    .seed = ws->have.word == NULL,
						    .banned = ws->banned,
						    .choked = true,
						    .interesting = !ws->retired };
		if (s->mi != NULL)
			ev.info.pieces = ws->have.word != NULL ? ws->have.ones : shoal_metainfo_piece_count(s->mi);
		for (size_t i = 0; i < SHOAL_WEBSEED_RUNS; i++)
			ev.info.asked += ws->run[i].mine;
		if (ws->heard || ws->got || ws->wasted || ws->banned)
			say(ws, &ev, now);
	}
}

/* ---- faults -------------------------------------------------------------------------------- */

void shoal_webseed_retire(struct shoal_webseed *ws, const char *why, shoal_us now)
{
	if (ws->retired)
		return;
	ws->retired = true;
	for (size_t i = 0; i < SHOAL_WEBSEED_RUNS; i++)
		shoal_webrun_end(&ws->run[i]);
	ws->swarm->dirty_fill = true;
	if (why != NULL) {
		char text[192];
		snprintf(text, sizeof text, "%s; it is not asked again", why);
		warn(ws, text, now);
	}
}

void shoal_webseed_rest(struct shoal_webseed *ws, shoal_us told, const char *why, shoal_us now)
{
	char text[192];
	ws->backoff = ws->backoff == 0 ? SHOAL_WEBSEED_RETRY : shoal_min_u64(2 * ws->backoff, SHOAL_WEBSEED_RETRY_MAX);
	shoal_us wait = ws->backoff + shoal_rng_below(&ws->swarm->rng, (uint32_t)(ws->backoff / 4) + 1);
	wait = shoal_max_u64(wait, shoal_min_u64(told, SHOAL_WEBSEED_RETRY_TOLD));
	ws->ready_at = shoal_max_u64(ws->ready_at, now + wait);
	if (ws->warned) /* once: a server that comes and goes is nothing to talk of */
		return;
	ws->warned = true;
	snprintf(text, sizeof text, "%s; it is tried again in %u s", why, (unsigned)(wait / 1000000));
	warn(ws, text, now);
}

void shoal_webseed_lacks(struct shoal_webseed *ws, uint32_t file, const char *why, shoal_us now)
{
	struct shoal_swarm *s = ws->swarm;
	uint32_t pieces = shoal_metainfo_piece_count(s->mi);
	uint64_t from = shoal_metainfo_file_offset(s->mi, file);
	uint64_t size = shoal_metainfo_file_size(s->mi, file);
	if (ws->have.word == NULL) {
		if (!shoal_node_charge(s->node, shoal_bits_bytes(pieces)))
			return shoal_webseed_retire(ws, "no memory to remember which files it lacks", now);
		if (shoal_bits_init(&ws->have, pieces) < 0) {
			shoal_budget_give(s->node->budget, shoal_bits_bytes(pieces));
			return shoal_webseed_retire(ws, "no memory to remember which files it lacks", now);
		}
		shoal_bits_fill(&ws->have);
	}
	uint64_t piece_size = shoal_metainfo_piece_size(s->mi);
	bool news = false; /* and not the second of several runs that found the same */
	for (uint64_t p = from / piece_size; size > 0 && p <= (from + size - 1) / piece_size; p++)
		news = shoal_bits_clear(&ws->have, (uint32_t)p) || news;
	ws->strikes += news;
	if (ws->strikes >= SHOAL_WEBSEED_STRIKES || ws->have.ones == 0)
		return shoal_webseed_retire(ws, why, now);
	if (why == NULL || ws->warned)
		return;
	char text[192];
	ws->warned = true;
	snprintf(text, sizeof text, "%s; it is not asked for that file again", why);
	warn(ws, text, now);
}

/* ---- beside the peers ------------------------------------------------------------------------ */

static struct shoal_webseed *find(const struct shoal_swarm *s, uint32_t serial)
{
	struct shoal_webseed *ws = s->webseeds;
	while (ws != NULL && ws->serial != serial)
		ws = ws->next;
	return ws;
}

bool shoal_webseeds_ban(struct shoal_swarm *s, uint32_t serial, uint32_t piece, const char *evidence, shoal_us now)
{
	struct shoal_webseed *ws = find(s, serial);
	if (ws == NULL)
		return false;
	ws->spoiled += SHOAL_BLOCK;
	if (ws->banned || ws->last_false == piece) /* once for each block of it */
		return true;
	ws->last_false = piece;
	ws->false_pieces++;
	uint32_t first, last;
	shoal_metainfo_piece_files(s->mi, piece, &first, &last);
	for (uint32_t f = first; f <= last && !ws->retired; f++)
		shoal_webseed_lacks(ws, f, NULL, now);
	if (ws->false_pieces < 2 && !ws->retired) {
		warn(ws, "it has a file that is not the torrent's; that file is not asked of it again", now);
		return true;
	}
	ws->banned = true;
	shoal_webseed_retire(ws, NULL, now);
	struct shoal_event ev = { .kind = SHOAL_EV_PEER_BANNED,
				  .index = piece,
				  .text = shoal_bytes(evidence, strlen(evidence)) };
	say(ws, &ev, now);
	return true;
}

bool shoal_webseeds_credit(struct shoal_swarm *s, uint32_t serial, uint64_t bytes)
{
	struct shoal_webseed *ws = find(s, serial);
	if (ws != NULL)
		ws->got += bytes;
	return ws != NULL;
}

void shoal_webseeds_suspect(struct shoal_swarm *s, const struct shoal_open *open)
{
	for (struct shoal_webseed *ws = s->webseeds; ws != NULL; ws = ws->next) {
		uint32_t i = 0;
		while (i < open->blocks && open->source[i] != ws->serial)
			i++;
		ws->doubt += i < open->blocks;
	}
}

void shoal_webseeds_cleared(struct shoal_swarm *s)
{
	for (struct shoal_webseed *ws = s->webseeds; ws != NULL; ws = ws->next)
		ws->doubt = 0;
}

bool shoal_webseeds_less(const struct shoal_swarm *s, uint32_t piece, uint32_t doubt)
{
	for (const struct shoal_webseed *ws = s->webseeds; ws != NULL; ws = ws->next)
		if (!ws->retired && ws->heard && ws->backoff == 0 && ws->doubt < doubt &&
		    (ws->have.word == NULL || shoal_bits_get(&ws->have, piece)))
			return true;
	return false;
}

bool shoal_webseeds_owner(struct shoal_swarm *s, uint32_t serial, uint64_t *rate, shoal_us now)
{
	struct shoal_webseed *ws = find(s, serial);
	if (ws == NULL)
		return false;
	*rate = ws->runs > 0 ? shoal_rate_now(&ws->down, now) : 0;
	return true;
}

static struct shoal_webask *ask_of(struct shoal_webrun *r, uint32_t piece, uint32_t block)
{
	for (uint32_t i = r->at; r->mine > 0 && i < r->count; i++)
		if (r->ask[i].mine && r->ask[i].piece == piece && r->ask[i].block == block)
			return &r->ask[i];
	return NULL;
}

/* Its bytes are let go by when they come; a run of which nothing else is left ends. */
static void drop(struct shoal_webrun *r, struct shoal_webask *ask)
{
	struct shoal_swarm *s = r->seed->swarm;
	struct shoal_open *open = shoal_landing_find(&s->landing, ask->piece);
	struct shoal_slot *slot = ask == &r->ask[r->at] ? r->slot : NULL;
	if (slot != NULL)
		r->slot = NULL;
	ask->mine = false;
	r->mine--;
	shoal_open_unask(&s->landing, open, ask->block, r->weak, slot);
	if (open->owner == r->seed->serial)
		open->owner = 0;
	if (r->mine == 0)
		shoal_webrun_end(r);
}

void shoal_webseeds_unask(struct shoal_swarm *s, uint32_t piece, uint32_t block)
{
	for (struct shoal_webseed *ws = s->webseeds; ws != NULL; ws = ws->next) {
		for (size_t i = 0; ws->runs > 0 && i < SHOAL_WEBSEED_RUNS; i++) {
			struct shoal_webrun *r = &ws->run[i];
			struct shoal_webask *ask = r->seed != NULL ? ask_of(r, piece, block) : NULL;
			if (ask != NULL)
				drop(r, ask);
		}
	}
}

bool shoal_webseeds_spare(struct shoal_swarm *s, const struct shoal_peer *p, struct shoal_open **open, uint32_t *block,
			  shoal_us now)
{
	shoal_us patience = 2 * p->flow.delay_mean + SHOAL_MS(50);
	for (struct shoal_webseed *ws = s->webseeds; ws != NULL; ws = ws->next) {
		uint64_t rate = shoal_rate_now(&ws->down, now) / (ws->runs ? ws->runs : 1);
		for (size_t i = 0; ws->runs > 0 && i < SHOAL_WEBSEED_RUNS; i++) {
			struct shoal_webrun *r = &ws->run[i];
			if (r->seed == NULL || r->weak)
				continue;
			/* From its end, which comes last: there the two meet. */
			for (uint32_t k = r->count; k-- > r->at;) {
				const struct shoal_webask *a = &r->ask[k];
				uint64_t wait = (uint64_t)(k - r->at + 1) * SHOAL_BLOCK * 1000000 / (rate ? rate : 1);
				if (wait < patience)
					break;
				struct shoal_open *o = a->mine ? shoal_landing_find(&s->landing, a->piece) : NULL;
				if (o == NULL || o->attempts > 0 || o->asked[a->block] != 1 ||
				    !shoal_bits_get(&p->have, a->piece))
					continue;
				*open = o;
				*block = a->block;
				return true;
			}
		}
	}
	return false;
}

/* ---- time --------------------------------------------------------------------------------------- */

static bool needed(const struct shoal_swarm *s)
{
	return s->state == SHOAL_SWARM_RUN && !s->stopping && !s->read_only && shoal_picker_left(s->picker) > 0;
}

void shoal_webseeds_tick(struct shoal_swarm *s, shoal_us now)
{
	if (s->webseeds == NULL || s->picker == NULL || s->node->world.ops->fetch == NULL)
		return;
	if (s->stopping || s->state == SHOAL_SWARM_ENDED)
		return shoal_webseeds_stop(s);
	for (struct shoal_webseed *ws = s->webseeds; ws != NULL; ws = ws->next) {
		for (size_t i = 0; i < SHOAL_WEBSEED_RUNS; i++) {
			struct shoal_webrun *r = &ws->run[i];
			if (r->seed != NULL && !r->weak && r->heard + SHOAL_WEBSEED_STALL <= now)
				shoal_webrun_weaken(r);
		}
		if (!needed(s) || ws->retired || ws->ready_at > now)
			continue;
		bool waited = ws->ready_at != 0;
		ws->ready_at = 0;
		if (ws->dirty || waited || s->dirty_fill)
			shoal_webseed_fill(ws, now);
	}
}

shoal_us shoal_webseeds_deadline(const struct shoal_swarm *s)
{
	shoal_us at = SHOAL_NEVER;
	if (s->node->world.ops->fetch == NULL)
		return at;
	for (const struct shoal_webseed *ws = s->webseeds; ws != NULL; ws = ws->next) {
		for (size_t i = 0; ws->runs > 0 && i < SHOAL_WEBSEED_RUNS; i++)
			if (ws->run[i].seed != NULL && !ws->run[i].weak)
				at = shoal_min_u64(at, ws->run[i].heard + SHOAL_WEBSEED_STALL);
		if (needed(s) && !ws->retired) /* at the latest when the swarm looks around again */
			at = shoal_min_u64(at, ws->ready_at != 0 || ws->dirty ? ws->ready_at : s->tick_at + SHOAL_S(1));
	}
	return at;
}

/* ---- the world's answers ----------------------------------------------------------------------------- */

static struct shoal_webrun *run_of(struct shoal_node *n, uint64_t cookie)
{
	struct shoal_webrun *r = n->webruns;
	while (r != NULL && r->cookie != cookie)
		r = r->next;
	return r;
}

void shoal_webseed_data(struct shoal_node *n, uint64_t cookie, struct shoal_bytes data, shoal_us now)
{
	struct shoal_webrun *r = run_of(n, cookie);
	if (r == NULL || data.len == 0)
		return;
	struct shoal_webseed *ws = r->seed;
	struct shoal_swarm *s = ws->swarm;
	if (!ws->heard) {
		struct shoal_event ev = { .kind = SHOAL_EV_PEER_JOINED,
					  .text = shoal_bytes(client, sizeof client - 1) };
		ws->heard = true;
		say(ws, &ev, now);
	}
	if (r->heard == r->asked) { /* the first bytes of this range */
		shoal_us took = shoal_max_u64(now - r->asked, 1);
		ws->delay = ws->delay == 0 || took < ws->delay ? took : (ws->delay * 15 + took) / 16;
	}
	r->heard = shoal_max_u64(now, r->asked + 1);
	s->downloaded += data.len;
	shoal_rate_add(&s->down, data.len, now);
	shoal_rate_add(&ws->down, data.len, now);
	if (data.len > r->left) /* the world keeps to the range; should it not, the rest has no place */
		data.len = (size_t)r->left;
	r->left -= data.len;
	shoal_webrun_bytes(r, data, now);
}

/* What a status other than a success means: 0 when it may pass. */
static bool lasting(int status)
{
	return status != 408 && status != 425 && status != 429 && status < 500;
}

void shoal_webseed_end(struct shoal_node *n, uint64_t cookie, const struct shoal_fetched *how, shoal_us now)
{
	struct shoal_webrun *r = run_of(n, cookie);
	char why[128];
	if (r == NULL)
		return;
	struct shoal_webseed *ws = r->seed;
	uint32_t file = r->file;
	bool landed = r->landed;
	r->cookie = 0;
	if (how->err == 0 && (how->status == 200 || how->status == 206) && r->left == 0) {
		ws->strikes = 0;
		ws->backoff = 0;
		return shoal_webrun_go(r, now);
	}
	shoal_webrun_end(r);
	ws->dirty = true;
	ws->swarm->dirty_fill = true; /* its blocks are for anybody */
	if (how->what[0] != '\0')
		snprintf(why, sizeof why, "%s", how->what);
	else if (how->err == 0 && how->status / 100 != 2)
		snprintf(why, sizeof why, "it answers HTTP %d", how->status);
	else
		snprintf(why, sizeof why, "%s", how->err < 0 ? shoal_err_name(how->err) : "the answer ended early");
	if (how->err == SHOAL_ERR_REFUSED)
		return shoal_webseed_retire(ws, why, now);
	if (how->err == SHOAL_ERR_MALFORMED || how->err == SHOAL_ERR_TOO_LONG ||
	    (how->err == 0 && how->status / 100 != 2 && lasting(how->status)))
		return shoal_webseed_lacks(ws, file, why, now);
	if (landed && how->err != 0) /* it works, more or less: where it broke off is soon gone on from */
		ws->backoff = SHOAL_WEBSEED_RETRY / 16;
	shoal_webseed_rest(ws, SHOAL_S((shoal_us)how->retry_after), why, now);
}
