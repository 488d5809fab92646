/* tools/explain_book.c - tallies of a flight record. */
#include "tools/explain_book.h"

#include "proto/base/bytes.h"
#include "proto/text.h"
#include "swarm/peers/reputation.h"
#include "swarm/io/addr.h"
#include "tools/say.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INDEX_ROOM (4u * SHOAL_EXPLAIN_PEERS_MAX) /* a power of two, never more than a quarter full */

/* A torrent's number has the life it belongs to above its handle. */
#define LIFE_SHIFT 24

static size_t place_of(const struct shoal_explain_book *b, uint32_t torrent, uint32_t id)
{
	uint64_t mixed = ((uint64_t)torrent << 32 | id) * UINT64_C(0x9e3779b97f4a7c15);
	size_t i = (size_t)(mixed >> 32) & (b->index_room - 1);
	for (; b->index[i] != 0; i = (i + 1) & (b->index_room - 1)) {
		const struct shoal_explain_peer *p = b->peer[b->index[i] - 1];
		if (p->torrent == torrent && p->id == id)
			break;
	}
	return i;
}

struct shoal_explain_peer *shoal_explain_book_peer(const struct shoal_explain_book *b, uint32_t torrent, uint32_t id)
{
	uint32_t number = b->index != NULL ? b->index[place_of(b, torrent, id)] : 0;
	return number != 0 ? b->peer[number - 1] : NULL;
}

struct shoal_explain_torrent *shoal_explain_book_torrent(const struct shoal_explain_book *b, uint32_t handle)
{
	if (handle - 1 < b->torrents && b->torrent[handle - 1].handle == handle)
		return &b->torrent[handle - 1]; /* as an engine numbers them */
	for (size_t i = 0; i < b->torrents; i++)
		if (b->torrent[i].handle == handle)
			return &b->torrent[i];
	return NULL;
}

/* It is made when there is none. NULL: no memory, or too many of them (then `*full`). */
static struct shoal_explain_peer *peer_of(struct shoal_explain_book *b, const struct shoal_flight *f, bool *full)
{
	size_t at = place_of(b, f->torrent, f->peer);
	*full = false;
	if (b->index[at] != 0)
		return b->peer[b->index[at] - 1];
	if (b->peers == SHOAL_EXPLAIN_PEERS_MAX) {
		*full = true;
		return NULL;
	}
	if (b->peers == b->peer_room) {
		size_t room = b->peer_room ? 2 * b->peer_room : 16;
		struct shoal_explain_peer **more = realloc(b->peer, room * sizeof *more);
		if (more == NULL)
			return NULL;
		b->peer = more;
		b->peer_room = room;
	}
	struct shoal_explain_peer *p = calloc(1, sizeof *p);
	if (p == NULL)
		return NULL;
	p->torrent = f->torrent;
	p->id = f->peer;
	snprintf(p->name, sizeof p->name, "peer %" PRIu32, f->peer); /* until its own record comes, if ever */
	b->peer[b->peers++] = p;
	b->index[at] = (uint32_t)b->peers;
	return p;
}

static struct shoal_explain_torrent *torrent_of(struct shoal_explain_book *b, uint32_t handle, bool *full)
{
	struct shoal_explain_torrent *t = shoal_explain_book_torrent(b, handle);
	*full = t == NULL && b->torrents == SHOAL_EXPLAIN_TORRENTS_MAX;
	if (t != NULL || *full)
		return t;
	if ((b->torrents & (b->torrents + 1)) == 0) { /* doubles at each power of two */
		t = realloc(b->torrent, (b->torrents * 2 + 2) * sizeof *t);
		if (t == NULL)
			return NULL;
		b->torrent = t;
	}
	t = &b->torrent[b->torrents++];
	*t = (struct shoal_explain_torrent){ .handle = handle };
	return t;
}

/* NOMEM. What is no key, or one too many, is passed over. */
static int key_of(struct shoal_explain_book *b, const struct shoal_explain_peer *p, const struct shoal_flight *f)
{
	struct shoal_explain_key fresh = { .peer = b->index[place_of(b, f->torrent, f->peer)] - 1u };
	if (b->keys == SHOAL_EXPLAIN_KEYS_MAX || shoal_bytes_equal(p->last[SHOAL_FLIGHT_KEY].text, f->text) ||
	    shoal_hex_decode(f->text, (struct shoal_space){ fresh.key, sizeof fresh.key }) < 0)
		return 0;
	if ((b->keys & (b->keys + 1)) == 0) {
		struct shoal_explain_key *more = realloc(b->key, (b->keys * 2 + 2) * sizeof *more);
		if (more == NULL)
			return SHOAL_ERR_NOMEM;
		b->key = more;
	}
	b->key[b->keys++] = fresh;
	return 0;
}

size_t shoal_explain_book_mean(struct shoal_explain_book *b, const uint8_t key[SHOAL_KEY_BYTES])
{
	size_t meant = 0;
	for (size_t i = 0; i < b->keys; i++) {
		if (memcmp(b->key[i].key, key, SHOAL_KEY_BYTES) != 0)
			continue;
		meant += !b->peer[b->key[i].peer]->meant;
		b->peer[b->key[i].peer]->meant = true;
	}
	return meant;
}

static void name_it(struct shoal_explain_peer *p, const struct shoal_flight *f)
{
	char text[SHOAL_SAY_TEXT_MAX], addr[SHOAL_ADDR_TEXT_MAX];
	if (f->kind == SHOAL_FLIGHT_PEER) {
		p->addr = shoal_explain_addr(f);
		p->gone = false;
		snprintf(p->name, sizeof p->name, "%s", shoal_addr_text(&p->addr, addr));
	} else if (f->kind == SHOAL_FLIGHT_WEBSEED) {
		p->web = true;
		snprintf(p->name, sizeof p->name, "%.90s", shoal_say_text(f->text, text));
	} else if (f->kind == SHOAL_FLIGHT_CLIENT) {
		snprintf(p->client, sizeof p->client, "%.60s", shoal_say_text(f->text, text));
	}
}

static void tally_peer(struct shoal_explain_peer *p, const struct shoal_flight *f)
{
	name_it(p, f);
	p->last[f->kind] = *f;
	p->asks += f->kind == SHOAL_FLIGHT_ASK;
	p->falses += f->kind == SHOAL_FLIGHT_FALSE;
	p->suspected += f->kind == SHOAL_FLIGHT_SUSPECT;
	p->stalls += f->kind == SHOAL_FLIGHT_STALL;
	p->refusals += f->kind == SHOAL_FLIGHT_REFUSED;
	p->gone = p->gone || f->kind == SHOAL_FLIGHT_LEFT;
	p->banned = p->banned || f->kind == SHOAL_FLIGHT_BAN;
	if (f->kind == SHOAL_FLIGHT_PART)
		p->blocks += shoal_flight_term(f, "blocks");
	if (f->kind == SHOAL_FLIGHT_PEER || f->kind == SHOAL_FLIGHT_ASK || f->kind == SHOAL_FLIGHT_FALSE)
		p->standing = shoal_flight_term(f, "standing");
	if (f->kind == SHOAL_FLIGHT_BAN)
		p->standing = SHOAL_REP_BANNED;
}

static int tally(struct shoal_explain_book *b, const struct shoal_flight *f)
{
	bool full;
	b->count++;
	b->ended = f->at > b->ended ? f->at : b->ended;
	if (f->kind == SHOAL_FLIGHT_LOST)
		b->lost += shoal_flight_term(f, "records");
	if (f->kind == SHOAL_FLIGHT_END) {
		b->closed = true;
		b->full = shoal_flight_term(f, "why") == SHOAL_FLIGHT_END_FULL;
	}
	if (f->torrent != 0) {
		struct shoal_explain_torrent *t = torrent_of(b, f->torrent, &full);
		if (t == NULL && !full)
			return SHOAL_ERR_NOMEM;
		if (t != NULL && f->kind == SHOAL_FLIGHT_TORRENT)
			t->is = *f;
		if (t != NULL && f->kind == SHOAL_FLIGHT_STATE)
			t->state = *f;
		if (t != NULL) {
			t->good += f->kind == SHOAL_FLIGHT_GOOD;
			t->bad += f->kind == SHOAL_FLIGHT_BAD;
			t->bans += f->kind == SHOAL_FLIGHT_BAN;
		}
	}
	if (f->peer != 0) {
		struct shoal_explain_peer *p = peer_of(b, f, &full);
		if (p == NULL && !full)
			return SHOAL_ERR_NOMEM;
		if (p != NULL && f->kind == SHOAL_FLIGHT_KEY && key_of(b, p, f) < 0)
			return SHOAL_ERR_NOMEM;
		if (p != NULL)
			tally_peer(p, f);
		else
			b->unnamed += f->kind == SHOAL_FLIGHT_PEER;
	}
	return 0;
}

int shoal_explain_book_next(const struct shoal_explain_book *b, size_t *at, struct shoal_flight *out)
{
	while (*at < b->records.len) {
		ptrdiff_t n = shoal_flight_decode(shoal_bytes(b->records.at + *at, b->records.len - *at), out);
		if (n <= 0)
			return 0;
		size_t life = 0;
		while (life < b->lives && b->life[life] <= *at)
			life++;
		*at += (size_t)n;
		if (out->torrent != 0)
			out->torrent ^= (uint32_t)life << LIFE_SHIFT;
		if (out->kind != SHOAL_FLIGHT_UNKNOWN)
			return 1;
	}
	return 0;
}

int shoal_explain_book_read(struct shoal_explain_book *b, struct shoal_bytes file)
{
	struct shoal_flight f;
	size_t at = 0;
	*b = (struct shoal_explain_book){ 0 };
	int rc = shoal_flight_head_decode(file, &b->head);
	if (rc < 0)
		return rc;
	b->records = shoal_bytes(file.at + SHOAL_FLIGHT_HEAD, file.len - SHOAL_FLIGHT_HEAD);
	b->ended = b->head.began;
	/* Whoever is named takes six bytes at the least, so a short record needs no more. */
	for (b->index_room = 64; b->index_room < INDEX_ROOM && b->index_room < b->records.len;)
		b->index_room *= 2;
	b->index = calloc(b->index_room, sizeof *b->index);
	if (b->index == NULL)
		return SHOAL_ERR_NOMEM;
	for (size_t from = 0; shoal_explain_book_next(b, &at, &f) > 0; from = at) {
		const struct shoal_explain_torrent *t = shoal_explain_book_torrent(b, f.torrent);
		if (f.kind == SHOAL_FLIGHT_TORRENT && t != NULL && t->is.kind != SHOAL_FLIGHT_UNKNOWN &&
		    b->lives < SHOAL_EXPLAIN_LIVES_MAX) {
			if (b->life == NULL)
				b->life = calloc(SHOAL_EXPLAIN_LIVES_MAX, sizeof *b->life);
			if (b->life == NULL)
				return SHOAL_ERR_NOMEM;
			b->life[b->lives++] = from;
			at = from;
			continue;
		}
		if ((rc = tally(b, &f)) < 0)
			return rc;
	}
	if (at < b->records.len) {
		ptrdiff_t n = shoal_flight_decode(shoal_bytes(b->records.at + at, b->records.len - at), &f);
		b->cut = n == 0;
		b->bad_at = n < 0 ? SHOAL_FLIGHT_HEAD + at : 0;
	}
	return 0;
}

void shoal_explain_book_fini(struct shoal_explain_book *b)
{
	for (size_t i = 0; i < b->peers; i++)
		free(b->peer[i]);
	free(b->peer);
	free(b->index);
	free(b->torrent);
	free(b->life);
	free(b->key);
	*b = (struct shoal_explain_book){ 0 };
}
