/* swarm/core/evidence.c - from a hash that is wrong to who did it: names, bans, credit, what is owed. */
#include "swarm/core/evidence_room.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/merkle.h"
#include "swarm/core/node_room.h"
#include "swarm/core/vet.h"

#define GONE_EXPECT 0.01 /* false blocks of one of whom no record is left, or of a web seed */

uint32_t shoal_node_seconds(const struct shoal_node *n, shoal_us now)
{
	return n->epoch_s + (uint32_t)(now / SHOAL_S(1));
}

/* ---- who ------------------------------------------------------------------------------------ */

struct who {
	struct shoal_peer *peer;       /* connected */
	struct shoal_contact *contact; /* in the book */
	struct shoal_repute_entry *entry;
	struct shoal_addr addr;
};

/* Who is connected now of those whose blocks are remembered by `source`; NULL: nobody. */
struct shoal_peer *shoal_evidence_peer(const struct shoal_swarm *s, uint32_t source)
{
	for (struct shoal_peer *p = s->peers; p != NULL; p = p->in_swarm)
		if (p->source == source && !p->closing)
			return p;
	return NULL;
}

/* A connection ends, and there are others: who lied on the first answers for it on the last. */
static bool who_is(struct shoal_swarm *s, uint32_t source, struct who *out)
{
	*out = (struct who){ .peer = shoal_evidence_peer(s, source) };
	if (out->peer != NULL) {
		out->contact = out->peer->contact;
		out->entry = out->peer->repute;
		out->addr = out->peer->addr;
		return true;
	}
	for (struct shoal_contact *k = shoal_contacts_next(s, NULL); k != NULL; k = shoal_contacts_next(s, k)) {
		if (k->account == NULL || k->account->source != source)
			continue;
		out->peer = k->peer; /* its handshake is under way */
		out->contact = k;
		out->addr = k->addr;
		out->entry = shoal_repute_find(&s->node->repute, &k->addr);
		return true;
	}
	return false;
}

/* The record of the key that answers for what that one sent, exactly: only where all of it came in the stream in which
 * the key was proven, and nobody in the middle could have put a word in. NULL: none does. */
static struct shoal_repute_entry *key_of(struct shoal_swarm *s, const struct who *who)
{
	const struct shoal_peer *p = who->peer;
	if (who->contact != NULL) {
		const struct shoal_account *account = who->contact->account;
		return account != NULL && account->keyed ? shoal_repute_find_key(&s->node->repute, account->key) : NULL;
	}
	return p != NULL && p->bound && p->source == p->serial ? p->known_by : NULL;
}

static struct shoal_sums *sums_of(struct shoal_swarm *s, const struct who *who)
{
	if (who->contact != NULL)
		return &who->contact->account->sums;
	return who->peer != NULL ? &who->peer->sums : &s->left;
}

double shoal_evidence_expect(struct shoal_swarm *s, uint32_t source)
{
	struct who who;
	if (!who_is(s, source, &who) || who.entry == NULL)
		return GONE_EXPECT;
	return 1 - shoal_rep_mean(who.entry->rep.right, who.entry->rep.wrong);
}

/* ---- places ---------------------------------------------------------------------------------- */

/* So many blocks of it are right (0: one was false): whether it holds a stranger's place (swarm/peers/guard.h). */
static void prove(struct shoal_peer *p, uint32_t blocks, shoal_us now)
{
	struct shoal_node *n = p->node;
	p->proof = blocks > 0 ? (uint8_t)shoal_min_u64((uint64_t)p->proof + blocks, SHOAL_GUARD_PROOF) : 0;
	p->place = (uint8_t)shoal_guard_regard(&n->guard, &p->addr, n->swarm_count, (enum shoal_guard_place)p->place,
					       p->proof == SHOAL_GUARD_PROOF, now);
}

/* ---- bans ----------------------------------------------------------------------------------- */

/* What it sent and nobody has verified is worth nothing, unless leaf hashes will tell block by block what of it is right, or
 * a hint has done so. */
static void purge(struct shoal_swarm *s, uint32_t source)
{
	for (struct shoal_open *o = s->landing.head; o != NULL; o = o->next) {
		if (!o->whole || o->hash.has_v2 || o->hinted || o->job_out ||
		    (o->state != SHOAL_OPEN_FETCHING && o->state != SHOAL_OPEN_READY))
			continue;
		for (uint32_t b = 0; b < o->blocks; b++) {
			if (o->asked[b] != SHOAL_BLOCK_LANDED || o->source[b] != source)
				continue;
			s->wasted += shoal_open_block_len(o, b);
			shoal_open_drop(&s->landing, o, b);
			s->dirty_fill = true;
		}
	}
}

void shoal_swarm_ban(struct shoal_swarm *s, uint32_t source, uint32_t piece, const char *evidence, shoal_us now)
{
	struct who who;
	if (shoal_webseeds_ban(s, source, piece, evidence, now))
		return;
	if (!who_is(s, source, &who))
		return; /* gone, and nothing is known of it */
	bool again = who.contact != NULL && who.contact->banned;
	if (again && who.peer == NULL)
		return;
	const struct shoal_rep *r = who.entry != NULL ? &who.entry->rep : NULL;
	shoal_us until = now + SHOAL_NODE_BAN_TIME;
	if (r != NULL && r->state == SHOAL_REP_BANNED)
		until = now + SHOAL_S((shoal_us)(r->banned_until_s - shoal_node_seconds(s->node, now)));
	struct shoal_event ev = { .kind = SHOAL_EV_PEER_BANNED,
				  .peer = who.peer != NULL ? who.peer->serial : source,
				  .index = piece,
				  .done = r != NULL ? r->false_blocks : 0,
				  .total = r != NULL ? (uint64_t)r->false_blocks + r->blocks : 0,
				  .addr = who.addr,
				  .text = shoal_bytes(evidence, strlen(evidence)) };
	if (who.contact != NULL && !again)
		shoal_contact_ban(s, who.contact);
	if (!again)
		sums_of(s, &who)->spoiled += SHOAL_BLOCK;
	shoal_swarm_say(s, &ev, now);
	shoal_note_ban(s, source, piece, r, until - now, evidence, now);
	shoal_node_ban(s->node, &ev.addr, until);
	if (shoal_node_uses(s->node, SHOAL_WITHOUT_PURGE))
		purge(s, source);
	if (who.peer != NULL)
		shoal_peer_close(who.peer, SHOAL_ERR_REFUSED, now);
}

static const char *how_text(enum shoal_rep_why why)
{
	switch (why) {
	case SHOAL_REP_WHY_FALSE_LEAF: return "its leaf hash is not the one in the torrent";
	case SHOAL_REP_WHY_FALSE_DIFF: return "it differs from the good one";
	case SHOAL_REP_WHY_TWO_FACED: return "it had sent another before";
	default: return "it sent all of a piece that is false";
	}
}

/* Strangers are worse than was known when they came. */
static void meet_again(struct shoal_node *n, uint32_t now_s)
{
	for (struct shoal_peer *p = n->peers; p != NULL; p = p->next)
		if (p->repute != NULL)
			shoal_repute_again(&n->repute, p->repute, now_s);
}

/* Exact blame. */
void shoal_evidence_false(struct shoal_swarm *s, uint32_t source, uint32_t piece, uint32_t block,
			  enum shoal_rep_why why, shoal_us now)
{
	char text[192];
	struct who who;
	int n = why == SHOAL_REP_WHY_SOLE
			? snprintf(text, sizeof text, "sent the whole of piece %u, which is false", piece)
			: snprintf(text, sizeof text, "sent a false block %u of piece %u (%s)", block, piece,
				   how_text(why));
	if (!s->node->policy->scores || !shoal_node_uses(s->node, SHOAL_WITHOUT_FORGIVING) ||
	    !who_is(s, source, &who) || who.entry == NULL)
		return shoal_swarm_ban(s, source, piece, text, now); /* a web seed keeps its own count */
	if (who.peer != NULL) {
		prove(who.peer, 0, now);
		shoal_vet_lied(who.peer, now);
	}
	struct shoal_rep *r = &who.entry->rep;
	struct shoal_note_blame note = { .source = source,
					 .piece = piece,
					 .block = block,
					 .why = why,
					 .standing_before = r->state,
					 .integrity_before = shoal_rep_integrity(r) };
	bool was_banned = r->state == SHOAL_REP_BANNED;
	uint32_t now_s = shoal_node_seconds(s->node, now);
	bool changed = shoal_rep_false(r, why, piece, block, now_s);
	bool news = !r->judged;
	shoal_repute_judge(&s->node->repute, who.entry, now_s);
	if (news)
		meet_again(s->node, now_s);
	shoal_note_false(s, &note, r, now);
	struct shoal_repute_entry *key = key_of(s, &who);
	bool key_banned = false;
	if (key != NULL) {
		(void)shoal_rep_false(&key->rep, why, piece, block, now_s);
		shoal_repute_changed(&s->node->repute, key, now_s);
		key_banned = key->rep.state == SHOAL_REP_BANNED;
	}
	const struct shoal_rep *sum = key_banned && r->state != SHOAL_REP_BANNED ? &key->rep : r;
	snprintf(text + n, sizeof text - (size_t)n, "; %u false of %u%s", sum->false_blocks,
		 sum->false_blocks + sum->blocks, sum != r ? ", all under its key" : "");
	if (r->state == SHOAL_REP_BANNED || key_banned)
		return shoal_swarm_ban(s, source, piece, text, now);
	if (!changed || was_banned)
		return;
	sums_of(s, &who)->spoiled += SHOAL_BLOCK;
	struct shoal_event ev = { .kind = SHOAL_EV_PEER_PAROLE,
				  .peer = source,
				  .index = piece,
				  .addr = who.addr,
				  .text = shoal_bytes(text, strlen(text)) };
	shoal_swarm_say(s, &ev, now);
}

struct guilt {
	struct shoal_swarm *s;
	uint32_t piece;
	shoal_us now;
	enum shoal_rep_why why;
};

static void guilty(void *to, uint32_t source, uint32_t block)
{
	struct guilt *g = to;
	shoal_evidence_false(g->s, source, g->piece, block, g->why, g->now);
}

void shoal_evidence_left(struct shoal_peer *p)
{
	if (p->suspicion <= 0 || p->contact == NULL)
		return; /* without a contact it has no name that it could come back under */
	p->contact->account->suspicion += p->suspicion;
	p->swarm->suspects_left = true;
	p->suspicion = 0;
}

static void clear(struct shoal_swarm *s, struct shoal_repute_entry *e, uint32_t source, float *suspicion,
		  uint32_t piece, shoal_us now)
{
	struct shoal_note_blame note = { .source = source, .piece = piece, .share = (double)*suspicion };
	uint32_t now_s = shoal_node_seconds(s->node, now);
	if (*suspicion <= 0)
		return;
	shoal_note_cleared(s, &note, now);
	if (e != NULL) {
		(void)shoal_rep_cleared(&e->rep, (double)*suspicion, piece, now_s);
		shoal_repute_changed(&s->node->repute, e, now_s);
	}
	*suspicion = 0;
}

/* Those who are gone: their records are in the book. */
static void clear_left(struct shoal_swarm *s, uint32_t piece, shoal_us now)
{
	if (!s->suspects_left)
		return;
	s->suspects_left = false;
	for (struct shoal_contact *k = shoal_contacts_next(s, NULL); k != NULL; k = shoal_contacts_next(s, k))
		if (k->account != NULL)
			clear(s, shoal_repute_find(&s->node->repute, &k->addr), k->account->source,
			      &k->account->suspicion, piece, now);
}

void shoal_evidence_settle(struct shoal_swarm *s, uint32_t piece, const uint8_t (*truth)[32], uint32_t n,
			   enum shoal_rep_why why, shoal_us now)
{
	struct guilt g = { s, piece, now, why };
	if (shoal_blame_settle(&s->blame, piece, truth, n, guilty, &g) == 0)
		return;
	for (struct shoal_peer *p = s->peers; p != NULL; p = p->in_swarm) { /* who lied has been named */
		p->doubt = 0;
		clear(s, p->repute, p->source, &p->suspicion, piece, now);
	}
	clear_left(s, piece, now);
	shoal_webseeds_cleared(s);
}

/* ---- digests of what failed -------------------------------------------------------------------- */

/* Who contradicts himself is named, the rest is remembered. */
static void remember(struct shoal_swarm *s, uint32_t piece, const uint8_t (*digest)[32], const uint32_t *source,
		     uint32_t n, shoal_us now)
{
	struct guilt g = { s, piece, now, SHOAL_REP_WHY_TWO_FACED };
	shoal_blame_contradicted(&s->blame, piece, digest, source, n, guilty, &g);
	while (shoal_blame_failed(&s->blame, piece, digest, source, n) == SHOAL_ERR_NOMEM &&
	       shoal_slots_trim(s->node->slots) > 0)
		continue; /* with nothing left to give back it is forgotten: the next failure will tell */
}

void shoal_evidence_digest(const struct shoal_swarm *s, uint32_t piece, uint32_t block, const struct shoal_slot *slot,
			   uint8_t out[32])
{
	const struct shoal_disk *disk = &s->node->disk;
	if (disk->ops->digest != NULL)
		disk->ops->digest(disk->d, s->storage, piece, block, slot, out);
	else
		shoal_sha256(shoal_bytes(slot->at, slot->len), out);
}

/* The digest of each block, as it was hashed or as it lies in memory still: SHA-256, so that in v2 it is the leaf. */
bool shoal_evidence_digests(const struct shoal_swarm *s, const struct shoal_open *open, uint8_t (*out)[32])
{
	if (!open->whole && open->hash.has_v2) { /* the disk has kept them */
		memcpy(out, open->hash.leaf, (size_t)open->blocks * 32);
		return true;
	}
	for (uint32_t i = 0; i < open->blocks; i++) {
		if (open->slot[i] == NULL)
			return false;
		shoal_evidence_digest(s, open->piece, i, open->slot[i], out[i]);
	}
	return true;
}

void shoal_evidence_remember(struct shoal_swarm *s, struct shoal_open *open, shoal_us now)
{
	uint8_t(*digest)[32] = malloc((size_t)open->blocks * 32);
	uint32_t *source = malloc(open->blocks * sizeof *source);
	for (uint32_t b = 0; source != NULL && b < open->blocks; b++)
		source[b] = open->source[b] != SHOAL_SOURCE_HERE ? open->source[b] : SHOAL_BLAME_NOBODY;
	if (digest != NULL && source != NULL && shoal_evidence_digests(s, open, digest))
		remember(s, open->piece, (const uint8_t(*)[32])digest, source, open->blocks, now);
	free(source);
	free(digest);
}

/* The sources of a streamed piece that failed, until its blocks have been digested from the disk. */
void shoal_evidence_remember_later(struct shoal_swarm *s, const struct shoal_open *open)
{
	struct shoal_check *check;
	uint32_t *source = malloc(open->blocks * sizeof *source);
	if (source == NULL)
		return;
	if (shoal_swarm_check_piece(s, open->piece, SHOAL_CHECK_BLAME, SHOAL_DISK_LEAVES, &check) < 0) {
		free(source);
		return;
	}
	memcpy(source, open->source, open->blocks * sizeof *source);
	check->source = source;
}

void shoal_evidence_digested(struct shoal_swarm *s, struct shoal_check *check, shoal_us now)
{
	const uint8_t(*leaf)[32] = (const uint8_t(*)[32])check->hash.leaf;
	uint32_t blocks = (check->hash.bytes + SHOAL_BLOCK - 1) / SHOAL_BLOCK;
	if (check->job.err < 0)
		return;
	/* A piece that failed, and reads back right, was ours to blame. */
	if (check->source != NULL && !check->hash.good)
		remember(s, check->piece, leaf, check->source, blocks, now);
	else if (check->source == NULL &&
		 check->hash.good) /* what the disk gives back is what was verified: the truth */
		shoal_evidence_settle(s, check->piece, leaf, blocks, SHOAL_REP_WHY_FALSE_DIFF, now);
}

/* ---- good --------------------------------------------------------------------------------------- */

/* A stretch of blocks from one sender. */
static uint32_t stretch(const struct shoal_open *open, uint32_t from, uint64_t *bytes)
{
	uint32_t n = 0;
	*bytes = 0;
	for (; from + n < open->blocks && open->source[from + n] == open->source[from]; n++)
		*bytes += shoal_open_block_len(open, from + n);
	return n;
}

static void credit(struct shoal_swarm *s, const struct shoal_open *open, shoal_us now)
{
	uint32_t now_s = shoal_node_seconds(s->node, now);
	double memory = shoal_rep_memory(open->hash.has_v2 ? 0 : open->blocks);
	uint64_t bytes;
	for (uint32_t i = 0, n; i < open->blocks; i += n) {
		n = stretch(open, i, &bytes);
		if (open->source[i] == SHOAL_SOURCE_HERE) {
			s->adopted += bytes;
			continue;
		}
		struct shoal_peer *p = shoal_evidence_peer(s, open->source[i]);
		if (p == NULL) {
			struct who gone;
			if (!shoal_webseeds_credit(s, open->source[i], bytes)) { /* which keeps its own account */
				(void)who_is(s, open->source[i], &gone);
				sums_of(s, &gone)->got += bytes;
			}
			continue;
		}
		shoal_credit_add(&p->verified, bytes, now);
		shoal_sums_of(p)->got += bytes;
		prove(p, n, now);
		if (p->known_by != NULL) {
			shoal_rep_verified(&p->known_by->rep, memory, n, now_s);
			shoal_rep_answered(&p->known_by->rep, n);
			shoal_rep_claimed(&p->known_by->rep, true);
			shoal_repute_changed(&s->node->repute, p->known_by, now_s);
		}
		if (p->repute == NULL)
			continue;
		shoal_rep_verified(&p->repute->rep, memory, n, now_s);
		shoal_rep_answered(&p->repute->rep, n);
		shoal_rep_claimed(&p->repute->rep, true);
		shoal_repute_judge(&s->node->repute, p->repute, now_s);
	}
}

void shoal_evidence_good(struct shoal_swarm *s, struct shoal_open *open, shoal_us now)
{
	if (shoal_blame_has(&s->blame, open->piece) && (open->whole || open->hash.has_v2)) {
		uint8_t(*truth)[32] = malloc((size_t)open->blocks * 32);
		if (truth != NULL && shoal_evidence_digests(s, open, truth))
			shoal_evidence_settle(s, open->piece, (const uint8_t(*)[32])truth, open->blocks,
					      SHOAL_REP_WHY_FALSE_DIFF, now);
		free(truth);
	} else if (shoal_blame_has(&s->blame, open->piece)) {
		struct shoal_check *check;
		(void)shoal_swarm_check_piece(s, open->piece, SHOAL_CHECK_BLAME, SHOAL_DISK_LEAVES, &check);
	}
	credit(s, open, now);
	shoal_hints_helped(s, open);
	shoal_evidence_ask_again(s, now);
	shoal_note_good(s, open, now);
	if (s->node->policy->passed != NULL)
		s->node->policy->passed(s, open, now);
}

/* ---- what is owed --------------------------------------------------------------------------------------- */

/* Bound to its key: what it fails to do is the key's as well. */
static struct shoal_repute_entry *bound_key(const struct shoal_peer *p)
{
	return p->bound ? p->known_by : NULL;
}

void shoal_evidence_missed(struct shoal_peer *p, double blocks, shoal_us now)
{
	struct shoal_repute_entry *both[2] = { p->repute, bound_key(p) };
	for (size_t i = 0; i < 2 && blocks > 0; i++) {
		if (both[i] == NULL)
			continue;
		shoal_rep_missed(&both[i]->rep, blocks < 4 ? blocks : 4);
		shoal_repute_changed(&p->node->repute, both[i], shoal_node_seconds(p->node, now));
	}
}

void shoal_evidence_refused(struct shoal_peer *p, uint32_t piece, shoal_us now)
{
	shoal_evidence_missed(p, 0.25, now);
	if (p->repute == NULL || !shoal_bits_get(&p->have, piece))
		return;
	shoal_rep_claimed(&p->repute->rep, false);
	if (bound_key(p) != NULL)
		shoal_rep_claimed(&p->known_by->rep, false);
	shoal_note_refused(p, piece, now);
}
