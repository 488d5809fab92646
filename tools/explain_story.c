/* tools/explain_story.c - of one peer, of one piece, of a stretch of time. */
#include "tools/explain.h"

#include "tools/human.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PEERS_SHOWN 5u
#define EVIDENCE_SHOWN 5u

static bool in_time(const struct shoal_explain *e, const struct shoal_flight *f)
{
	shoal_us since = shoal_explain_since(e, f->at);
	return !e->timed || (since >= e->from && since <= e->to);
}

/* Whether the record is about the peer that is asked for. */
static bool about_peer(const struct shoal_explain *e, const struct shoal_flight *f)
{
	if (e->peer == NULL)
		return true;
	const struct shoal_explain_peer *p = shoal_explain_book_peer(e->book, f->torrent, f->peer);
	if (p != NULL && shoal_explain_is_peer(e, p))
		return true;
	/* One that owes the block that is asked of another. */
	if (f->kind != SHOAL_FLIGHT_TWICE && f->kind != SHOAL_FLIGHT_WAIT)
		return false;
	const char *other = f->kind == SHOAL_FLIGHT_TWICE ? "other" : "holder";
	p = shoal_explain_book_peer(e->book, f->torrent, (uint32_t)shoal_flight_term(f, other));
	return p != NULL && shoal_explain_is_peer(e, p);
}

/* ---- a story ------------------------------------------------------------------------------------- */

struct story {
	const struct shoal_explain *e;
	size_t told, left;
};

static void tell(struct story *s, const struct shoal_flight *f)
{
	s->told++;
	if (s->e->tool->json || s->told <= SHOAL_EXPLAIN_LINES_MAX)
		shoal_explain_record(s->e, f);
	else
		s->left++;
}

static size_t story_over(const struct story *s)
{
	if (s->left > 0)
		shoal_say(s->e->tool, "and %zu more; --time A..B narrows it, --json has them all", s->left);
	return s->told;
}

size_t shoal_explain_time(const struct shoal_explain *e)
{
	struct story s = { .e = e };
	struct shoal_flight f;
	for (size_t at = 0; shoal_explain_book_next(e->book, &at, &f) > 0;)
		if (in_time(e, &f) && about_peer(e, &f))
			tell(&s, &f);
	return story_over(&s);
}

/* ---- a piece ---------------------------------------------------------------------------------------- */

/* What became of it, by its last records. */
static void piece_in_short(const struct shoal_explain *e)
{
	struct shoal_flight f, good = { 0 }, waits = { 0 }, state = { 0 };
	uint32_t failed = 0;
	char count[SHOAL_HUMAN_MAX * 2], words[SHOAL_EXPLAIN_WORDS_MAX];
	for (size_t at = 0; shoal_explain_book_next(e->book, &at, &f) > 0;) {
		if (f.kind == SHOAL_FLIGHT_STATE)
			state = f;
		if (f.piece != e->piece)
			continue;
		failed += f.kind == SHOAL_FLIGHT_BAD;
		if (f.kind == SHOAL_FLIGHT_GOOD)
			good = f;
		if (f.kind == SHOAL_FLIGHT_WAIT)
			waits = f;
	}
	shoal_human_count(failed, "failure", "failures", count);
	if (good.kind != SHOAL_FLIGHT_UNKNOWN)
		shoal_say(e->tool, "piece %" PRIu32 " came good at %.3f s%s%s", e->piece,
			  (double)shoal_explain_since(e, good.at) / 1e6, failed ? ", after " : "", failed ? count : "");
	else
		shoal_say(e->tool, "piece %" PRIu32 " did not come good while this was recorded%s%s", e->piece,
			  failed ? "; " : "", failed ? count : "");
	if (good.kind != SHOAL_FLIGHT_UNKNOWN || e->tool->json)
		return;
	if (waits.kind != SHOAL_FLIGHT_UNKNOWN) {
		shoal_say(e->tool, "what it waited for, at the last look:");
		shoal_explain_record(e, &waits);
	} else if (state.kind != SHOAL_FLIGHT_UNKNOWN) {
		shoal_say(e->tool, "the torrent waited %s", shoal_explain_waits(&state, words));
	}
}

/* Why this peer, or why not: what was noted of the two together when somebody was asked. */
static void choice_in_short(const struct shoal_explain *e)
{
	struct shoal_flight f, asked = { 0 }, not_asked = { 0 }, stance = { 0 }, other = { 0 };
	for (size_t at = 0; shoal_explain_book_next(e->book, &at, &f) > 0;) {
		bool here = f.piece == e->piece, its = about_peer(e, &f);
		if (here && its && f.kind == SHOAL_FLIGHT_ASK && asked.kind == SHOAL_FLIGHT_UNKNOWN)
			asked = f;
		if (here && its && f.kind == SHOAL_FLIGHT_NOT)
			not_asked = f;
		if (here && !its && f.kind == SHOAL_FLIGHT_ASK && other.kind == SHOAL_FLIGHT_UNKNOWN)
			other = f;
		if (its && f.kind == SHOAL_FLIGHT_STANCE && other.kind == SHOAL_FLIGHT_UNKNOWN)
			stance = f;
	}
	if (e->tool->json)
		return;
	if (asked.kind != SHOAL_FLIGHT_UNKNOWN) {
		shoal_say(e->tool, "why it was asked:");
		shoal_explain_record(e, &asked);
	}
	if (not_asked.kind != SHOAL_FLIGHT_UNKNOWN) {
		shoal_say(e->tool, "why it was not, when another was:");
		shoal_explain_record(e, &not_asked);
	}
	if (asked.kind != SHOAL_FLIGHT_UNKNOWN || not_asked.kind != SHOAL_FLIGHT_UNKNOWN)
		return;
	if (other.kind == SHOAL_FLIGHT_UNKNOWN) {
		shoal_say(e->tool, "nobody was asked for it");
	} else if (stance.kind == SHOAL_FLIGHT_UNKNOWN) {
		shoal_say(e->tool, "it was not here when another was asked:");
		shoal_explain_record(e, &other);
	} else {
		shoal_say(e->tool, "it was not among those noted when another was asked; until then:");
		shoal_explain_record(e, &stance);
	}
}

size_t shoal_explain_piece(const struct shoal_explain *e)
{
	struct story s = { .e = e };
	struct shoal_flight f;
	size_t at = 0, all = 0;
	while (shoal_explain_book_next(e->book, &at, &f) > 0)
		all += f.piece == e->piece && in_time(e, &f) && (f.peer == 0 || about_peer(e, &f));
	if (all == 0)
		return 0;
	if (!e->tool->json)
		piece_in_short(e);
	if (e->peer != NULL)
		choice_in_short(e);
	shoal_say(e->tool, "all of it:");
	for (at = 0; shoal_explain_book_next(e->book, &at, &f) > 0;)
		if (f.piece == e->piece && in_time(e, &f) && (f.peer == 0 || about_peer(e, &f)))
			tell(&s, &f);
	return story_over(&s);
}

/* ---- a peer ---------------------------------------------------------------------------------------- */

/* The last of a kind, under a heading; nothing when there is none. */
static void latest(const struct shoal_explain *e, const struct shoal_explain_peer *p, const char *heading,
		   enum shoal_flight_kind kind)
{
	if (p->last[kind].kind == SHOAL_FLIGHT_UNKNOWN)
		return;
	if (!e->tool->json)
		shoal_say(e->tool, " %s", heading);
	shoal_explain_record(e, &p->last[kind]);
}

static void evidence(const struct shoal_explain *e, const struct shoal_explain_peer *p)
{
	struct shoal_flight f;
	uint32_t told = 0, all = p->falses + p->suspected;
	if (all == 0)
		return;
	if (!e->tool->json)
		shoal_say(e->tool, " what was held against it: %" PRIu32 " false, a part in %" PRIu32 " that failed",
			  p->falses, p->suspected);
	for (size_t at = 0; shoal_explain_book_next(e->book, &at, &f) > 0;) {
		bool counts = f.kind == SHOAL_FLIGHT_FALSE || (p->falses == 0 && f.kind == SHOAL_FLIGHT_SUSPECT);
		if (!counts || f.torrent != p->torrent || f.peer != p->id)
			continue;
		if (told++ < EVIDENCE_SHOWN || e->tool->json)
			shoal_explain_record(e, &f);
	}
	if (told > EVIDENCE_SHOWN)
		shoal_say(e->tool, "            and %" PRIu32 " more", told - EVIDENCE_SHOWN);
}

static void tell_peer(const struct shoal_explain *e, const struct shoal_explain_peer *p)
{
	char pieces[SHOAL_HUMAN_MAX * 2], blocks[SHOAL_HUMAN_MAX * 2], heading[192];
	shoal_say(e->tool, "%s%s%s: %s%s", p->name, p->client[0] ? ", " : "", p->client,
		  shoal_explain_standing(p->standing), p->gone ? ", gone" : "");
	latest(e, p, "why it is banned", SHOAL_FLIGHT_BAN);
	evidence(e, p);
	snprintf(heading, sizeof heading, "what it was asked for: %s, and %s came that were right; the last time",
		 shoal_human_count(p->asks, "piece", "pieces", pieces),
		 shoal_human_count(p->blocks, "block", "blocks", blocks));
	latest(e, p, heading, SHOAL_FLIGHT_ASK);
	latest(e, p, "whether it serves us", SHOAL_FLIGHT_STANCE);
	latest(e, p, "whether we serve it", SHOAL_FLIGHT_SERVE);
	latest(e, p, "when it stalled, the last time", SHOAL_FLIGHT_STALL);
	latest(e, p, "what it refused, the last time", SHOAL_FLIGHT_REFUSED);
	latest(e, p, "when there was nothing to ask it for, the last time", SHOAL_FLIGHT_IDLE);
	latest(e, p, "which key it has proven", SHOAL_FLIGHT_KEY);
	latest(e, p, "how it was met", SHOAL_FLIGHT_PEER);
	latest(e, p, "how it left", SHOAL_FLIGHT_LEFT);
}

/* Of a key: what came of all addresses it was proven at, together. */
static void key_in_short(const struct shoal_explain *e)
{
	char places[SHOAL_HUMAN_MAX * 2], pieces[SHOAL_HUMAN_MAX * 2], blocks[SHOAL_HUMAN_MAX * 2];
	uint64_t peers = 0, banned = 0, asks = 0, right = 0, falses = 0;
	for (size_t i = 0; i < e->book->peers; i++) {
		const struct shoal_explain_peer *p = e->book->peer[i];
		if (!p->meant)
			continue;
		peers++;
		banned += p->banned;
		asks += p->asks;
		right += p->blocks;
		falses += p->falses;
	}
	if (peers == 0)
		return;
	shoal_say(e->tool,
		  "that key is behind %s here: asked for %s, %s came that were right, %" PRIu64
		  " false; banned: %" PRIu64,
		  shoal_human_count(peers, "peer", "peers", places), shoal_human_count(asks, "piece", "pieces", pieces),
		  shoal_human_count(right, "block", "blocks", blocks), falses, banned);
}

size_t shoal_explain_peers(const struct shoal_explain *e)
{
	size_t told = 0;
	if (e->by_key && !e->tool->json)
		key_in_short(e);
	for (size_t i = 0; i < e->book->peers; i++) {
		if (!shoal_explain_is_peer(e, e->book->peer[i]))
			continue;
		if (told++ < PEERS_SHOWN || e->tool->json)
			tell_peer(e, e->book->peer[i]);
	}
	if (told > PEERS_SHOWN)
		shoal_say(e->tool, "and %zu others there", told - PEERS_SHOWN);
	return told;
}
