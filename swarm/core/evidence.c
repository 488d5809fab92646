/* swarm/core/evidence.c - from a hash that is wrong to who did it, and back to a piece that is right. */
#include "swarm/core/evidence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/merkle.h"
#include "swarm/core/node_room.h"

#define GONE_EXPECT 0.01 /* false blocks of one of whom no record is left, or of a web seed */
#define SUSPECT_MASS 0.5 /* of the blame: so much of it is fetched again at a time */
#define OWN_FAULTS 2	 /* times a piece is hashed again without being fetched */

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
static struct shoal_peer *source_peer(const struct shoal_swarm *s, uint32_t source)
{
	for (struct shoal_peer *p = s->peers; p != NULL; p = p->in_swarm)
		if (p->source == source && !p->closing)
			return p;
	return NULL;
}

/* A connection ends, and there are others: who lied on the first answers for it on the last. */
static bool who_is(struct shoal_swarm *s, uint32_t source, struct who *out)
{
	*out = (struct who){ .peer = source_peer(s, source) };
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

static double expect_of(struct shoal_swarm *s, uint32_t source)
{
	struct who who;
	if (!who_is(s, source, &who) || who.entry == NULL)
		return GONE_EXPECT;
	return 1 - shoal_rep_mean(who.entry->rep.right, who.entry->rep.wrong);
}

/* ---- bans ----------------------------------------------------------------------------------- */

/* What it sent and nobody has verified is worth nothing, unless leaf hashes will tell block by block what of it is right. */
static void purge(struct shoal_swarm *s, uint32_t source)
{
	for (struct shoal_open *o = s->landing.head; o != NULL; o = o->next) {
		if (!o->whole || o->hash.has_v2 || o->job_out ||
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

/* Exact blame. */
static void is_false(struct shoal_swarm *s, uint32_t source, uint32_t piece, uint32_t block, enum shoal_rep_why why,
		     shoal_us now)
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
	shoal_repute_judge(&s->node->repute, who.entry, now_s);
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
	is_false(g->s, source, g->piece, block, g->why, g->now);
}

static void settle(struct shoal_swarm *s, uint32_t piece, const uint8_t (*truth)[32], uint32_t n,
		   enum shoal_rep_why why, shoal_us now)
{
	struct guilt g = { s, piece, now, why };
	if (shoal_blame_settle(&s->blame, piece, truth, n, guilty, &g) == 0)
		return;
	uint32_t now_s = shoal_node_seconds(s->node, now);
	for (struct shoal_peer *p = s->peers; p != NULL; p = p->in_swarm) { /* who lied has been named */
		p->doubt = 0;
		struct shoal_note_blame note = { .source = p->source, .piece = piece, .share = (double)p->suspicion };
		if (p->suspicion > 0)
			shoal_note_cleared(s, &note, now);
		if (p->suspicion > 0 && p->repute != NULL)
			shoal_rep_cleared(&p->repute->rep, (double)p->suspicion, piece, now_s);
		p->suspicion = 0;
	}
	shoal_webseeds_cleared(s);
}

/* ---- digests of what failed -------------------------------------------------------------------- */

/* Who contradicts himself is named, the rest is remembered. */
static void remember(struct shoal_swarm *s, uint32_t piece, const uint8_t (*digest)[32], const uint32_t *source,
		     uint32_t n, shoal_us now)
{
	struct guilt g = { s, piece, now, SHOAL_REP_WHY_TWO_FACED };
	shoal_blame_contradicted(&s->blame, piece, digest, source, n, guilty, &g);
	int rc = shoal_blame_failed(&s->blame, piece, digest, source, n);
	if (rc == SHOAL_ERR_NOMEM && shoal_slots_trim(s->node->slots) > 0)
		rc = shoal_blame_failed(&s->blame, piece, digest, source, n);
	if (rc < 0)
		s->blame_lost++;
}

/* The digest of each block, as it was hashed or as it lies in memory still: SHA-256, so that in v2 it is the leaf. */
static bool digests_of(const struct shoal_swarm *s, const struct shoal_open *open, uint8_t (*out)[32])
{
	const struct shoal_disk *disk = &s->node->disk;
	if (!open->whole && open->hash.has_v2) { /* the disk has kept them */
		memcpy(out, open->hash.leaf, (size_t)open->blocks * 32);
		return true;
	}
	for (uint32_t i = 0; i < open->blocks; i++) {
		if (open->slot[i] == NULL)
			return false;
		if (disk->ops->digest != NULL)
			disk->ops->digest(disk->d, s->storage, open->piece, i, open->slot[i], out[i]);
		else
			shoal_sha256(shoal_bytes(open->slot[i]->at, open->slot[i]->len), out[i]);
	}
	return true;
}

static void remember_blocks(struct shoal_swarm *s, struct shoal_open *open, shoal_us now)
{
	uint8_t(*digest)[32] = malloc((size_t)open->blocks * 32);
	if (digest == NULL)
		return;
	if (digests_of(s, open, digest))
		remember(s, open->piece, (const uint8_t(*)[32])digest, open->source, open->blocks, now);
	free(digest);
}

/* The sources of a streamed piece that failed, until its blocks have been digested from the disk. */
static void remember_from_disk(struct shoal_swarm *s, const struct shoal_open *open)
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
		settle(s, check->piece, leaf, blocks, SHOAL_REP_WHY_FALSE_DIFF, now);
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
		struct shoal_peer *p = source_peer(s, open->source[i]);
		if (p == NULL) {
			struct who gone;
			if (!shoal_webseeds_credit(s, open->source[i], bytes)) { /* which keeps its own account */
				(void)who_is(s, open->source[i], &gone);
				sums_of(s, &gone)->got += bytes;
			}
			continue;
		}
		shoal_rate_add(&p->verified, bytes, now);
		shoal_sums_of(p)->got += bytes;
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
		shoal_peer_believe(p);
	}
}

void shoal_evidence_good(struct shoal_swarm *s, struct shoal_open *open, shoal_us now)
{
	if (shoal_blame_has(&s->blame, open->piece) && (open->whole || open->hash.has_v2)) {
		uint8_t(*truth)[32] = malloc((size_t)open->blocks * 32);
		if (truth != NULL && digests_of(s, open, truth))
			settle(s, open->piece, (const uint8_t(*)[32])truth, open->blocks, SHOAL_REP_WHY_FALSE_DIFF,
			       now);
		free(truth);
	} else if (shoal_blame_has(&s->blame, open->piece)) {
		struct shoal_check *check;
		(void)shoal_swarm_check_piece(s, open->piece, SHOAL_CHECK_BLAME, SHOAL_DISK_LEAVES, &check);
	}
	credit(s, open, now);
	shoal_note_good(s, open, now);
	if (open->strangers > 0 && s->strangers_most < SHOAL_EVIDENCE_STRANGERS_MAX)
		s->strangers_most++;
	if (s->node->policy->passed != NULL)
		s->node->policy->passed(s, open, now);
}

/* ---- our own fault --------------------------------------------------------------------------------- */

/* The piece's blocks in memory, hashed once more, here and now. */
static bool right_after_all(const struct shoal_open *open)
{
	uint8_t sha1[20], root[32];
	static const uint8_t zeros[4096];
	const struct shoal_piece_hash *h = &open->hash;
	if (h->has_v1) {
		struct shoal_sha1 ctx, *one = &ctx;
		shoal_sha1_init(&ctx);
		for (uint32_t i = 0; i < open->blocks; i++)
			shoal_sha1_advance(&one, &(const uint8_t *){ open->slot[i]->at }, 1, open->slot[i]->len);
		for (uint32_t left = h->pad; left > 0;) {
			uint32_t n = left < sizeof zeros ? left : sizeof zeros;
			shoal_sha1_advance(&one, &(const uint8_t *){ zeros }, 1, n);
			left -= n;
		}
		shoal_sha1_final(&ctx, sha1);
		if (memcmp(sha1, h->want_sha1, 20) != 0)
			return false;
	}
	if (h->has_v2) {
		shoal_hash32 *leaf = malloc((size_t)open->blocks * 32);
		if (leaf == NULL)
			return false;
		for (uint32_t i = 0; i < open->blocks; i++)
			shoal_sha256(shoal_bytes(open->slot[i]->at, open->slot[i]->len), leaf[i]);
		shoal_merkle_root(leaf, open->blocks, h->width, 0, root);
		free(leaf);
		return memcmp(root, h->want_root, 32) == 0;
	}
	return h->has_v1;
}

static bool own_fault(struct shoal_swarm *s, struct shoal_open *open, shoal_us now)
{
	char text[160];
	if (!open->whole || open->own_faults >= OWN_FAULTS || shoal_slots_head(s->node->slots) < SHOAL_BLOCK)
		return false;
	for (uint32_t i = 0; i < open->blocks; i++)
		if (open->slot[i] == NULL)
			return false;
	if (!right_after_all(open))
		return false;
	snprintf(text, sizeof text,
		 "piece %u was false and, hashed again, is right: this machine's memory errs; nobody is blamed",
		 open->piece);
	shoal_swarm_warn(s, text, now);
	shoal_note_own(s, open->piece, now);
	open->own_faults++;
	shoal_open_rewind(&s->landing, open, SHOAL_OPEN_READY, now);
	(void)shoal_swarm_piece_expect(s, open->piece, &open->hash);
	s->pieces_dirty = true;
	return true;
}

/* ---- failed ------------------------------------------------------------------------------------------ */

struct sender {
	uint32_t source, blocks;
	double share;
};

static size_t senders_of(const struct shoal_open *open, struct sender out[SHOAL_EVIDENCE_SENDERS])
{
	size_t n = 0;
	for (uint32_t b = 0; b < open->blocks; b++) {
		size_t i = 0;
		while (i < n && out[i].source != open->source[b])
			i++;
		if (i == SHOAL_EVIDENCE_SENDERS)
			return 0;
		if (i == n)
			out[n++] = (struct sender){ .source = open->source[b] };
		out[i].blocks++;
	}
	return n;
}

static int likeliest_first(const void *x, const void *y)
{
	const struct sender *a = x, *b = y;
	if (a->share < b->share || a->share > b->share)
		return a->share > b->share ? -1 : 1;
	return a->source < b->source ? -1 : a->source > b->source;
}

/* By as much as each may have been it, the likeliest first. 0: too many to tell apart. */
static size_t suspects_of(struct shoal_swarm *s, const struct shoal_open *open, struct sender all[])
{
	double expect[SHOAL_EVIDENCE_SENDERS], share[SHOAL_EVIDENCE_SENDERS];
	uint32_t blocks[SHOAL_EVIDENCE_SENDERS];
	size_t n = senders_of(open, all);
	if (n == 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		expect[i] = expect_of(s, all[i].source);
		blocks[i] = all[i].blocks;
	}
	shoal_rep_share(expect, blocks, share, n);
	for (size_t i = 0; i < n; i++)
		all[i].share = share[i];
	qsort(all, n, sizeof *all, likeliest_first);
	return n;
}

static void suspect(struct shoal_swarm *s, const struct shoal_open *open, const struct sender all[], size_t n,
		    shoal_us now)
{
	uint32_t now_s = shoal_node_seconds(s->node, now);
	for (size_t i = 0; i < n; i++) {
		struct shoal_peer *p = source_peer(s, all[i].source);
		if (p == NULL)
			continue;
		p->doubt++;
		p->suspicion += (float)all[i].share;
		struct shoal_note_blame note = { .source = all[i].source,
						 .piece = open->piece,
						 .blocks = all[i].blocks,
						 .of = open->blocks,
						 .share = all[i].share,
						 .expect = expect_of(s, all[i].source) };
		if (p->repute != NULL)
			shoal_rep_suspect(&p->repute->rep, all[i].share, open->piece, now_s);
		shoal_note_suspect(s, &note, p->repute != NULL ? &p->repute->rep : NULL, now);
	}
	shoal_webseeds_suspect(s, open);
}

static void begin_anew(struct shoal_swarm *s, struct shoal_open *open, shoal_us now)
{
	uint32_t piece = open->piece;
	s->wasted += open->bytes;
	open->repaired = false;
	if (shoal_landing_again(&s->landing, open, now) < 0) {
		shoal_landing_close(&s->landing, open);
		shoal_picker_close(s->picker, piece);
		return;
	}
	if (shoal_swarm_piece_expect(s, piece, &open->hash) < 0)
		open->hash.good = 0;
}

/*
 * Of a streamed piece the right blocks lie on the disk, and stay there: each has been held to its own leaf. So will those
 * be that come in place of the others; what SHA-1 says of a hybrid's piece is asked of the medium then. BUSY: no memory.
 */
static int patch(struct shoal_swarm *s, struct shoal_open *open, const bool *wrong, shoal_us now)
{
	int rc = shoal_open_patch(&s->landing, open, wrong, now);
	if (rc < 0)
		return rc;
	open->repaired = true;
	open->owner = 0;
	if (shoal_swarm_piece_expect(s, open->piece, &open->hash) < 0)
		open->hash.good = 0;
	open->suspect = open->suspect || open->hash.has_v1;
	open->hash.has_v1 = false;
	for (uint32_t b = 0; b < open->blocks; b++)
		if (wrong[b])
			s->wasted += shoal_open_block_len(open, b);
	return 0;
}

static void drop_block(struct shoal_swarm *s, struct shoal_open *open, uint32_t block)
{
	s->wasted += shoal_open_block_len(open, block);
	shoal_open_drop(&s->landing, open, block);
}

static void mend(struct shoal_swarm *s, struct shoal_open *open, shoal_us now)
{
	shoal_open_rewind(&s->landing, open, SHOAL_OPEN_FETCHING, now);
	open->repaired = true;
	open->owner = 0;
	if (shoal_swarm_piece_expect(s, open->piece, &open->hash) < 0)
		open->hash.good = 0;
}

/* The blocks of the fewest senders that bear half of the blame are fetched again. false: that would be all of it. */
static bool drop_suspects(struct shoal_swarm *s, struct shoal_open *open, const struct sender all[], size_t n,
			  shoal_us now)
{
	double sum = 0, mass = 0;
	uint32_t dropped = 0;
	size_t fewest = 0;
	for (size_t i = 0; i < n; i++)
		sum += all[i].share;
	while (fewest < n && mass < SUSPECT_MASS * sum) {
		mass += all[fewest].share;
		dropped += all[fewest++].blocks;
	}
	if (dropped == 0 || dropped == open->blocks)
		return false;
	mend(s, open, now);
	for (uint32_t b = 0; b < open->blocks; b++)
		for (size_t i = 0; i < fewest; i++)
			if (open->asked[b] == SHOAL_BLOCK_LANDED && open->source[b] == all[i].source)
				drop_block(s, open, b);
	return true;
}

/* In v2 the piece's leaf hashes say which blocks are false. false: they cannot be had. */
static bool dispute(struct shoal_swarm *s, struct shoal_open *open, shoal_us now)
{
	if (!s->has_v2 || !s->node->policy->names_liars || !shoal_swarm_leaves_wanted(s, open->piece, now))
		return false;
	if (!shoal_node_uses(s->node, SHOAL_WITHOUT_REPAIR) || (!open->whole && !open->hash.has_v2))
		return false; /* they come for the blame alone */
	open->state = SHOAL_OPEN_DISPUTED;
	open->disputed_until = now + SHOAL_EVIDENCE_DISPUTE;
	s->disputes++;
	return true;
}

/* Nobody can say which blocks they are. */
static void mend_or_begin_anew(struct shoal_swarm *s, struct shoal_open *open, const struct sender all[], size_t n,
			       shoal_us now)
{
	uint32_t source = open->source[0], piece = open->piece;
	bool mended = shoal_node_uses(s->node, SHOAL_WITHOUT_REPAIR) && open->whole &&
		      open->attempts <= SHOAL_EVIDENCE_REPAIRS && drop_suspects(s, open, all, n, now);
	if (!mended)
		begin_anew(s, open, now);
	if (n != 1)
		return;
	/* Who sent all of it answers for one false block now; whatever more there were, the good piece will tell. */
	if (s->node->policy->names_liars)
		shoal_blame_counted(&s->blame, piece);
	is_false(s, source, piece, 0, SHOAL_REP_WHY_SOLE, now);
}

void shoal_evidence_failed(struct shoal_swarm *s, struct shoal_open *open, shoal_us now)
{
	const struct shoal_policy *policy = s->node->policy;
	struct shoal_event ev = { .kind = SHOAL_EV_HASH_FAILED, .index = open->piece };
	struct sender all[SHOAL_EVIDENCE_SENDERS];
	if (policy->scores && own_fault(s, open, now))
		return;
	s->hash_failures++;
	shoal_swarm_say(s, &ev, now);
	size_t n = suspects_of(s, open, all);
	shoal_note_bad(s, open, n, now);
	if (policy->scores)
		suspect(s, open, all, n, now);
	if (open->strangers > 1 && s->strangers_most > 1)
		s->strangers_most /= 2;
	if (policy->failed != NULL && n != 1)
		policy->failed(s, open, now);
	if (policy->names_liars && (open->whole || open->hash.has_v2))
		remember_blocks(s, open, now);
	else if (policy->names_liars && n != 1 && s->state == SHOAL_SWARM_RUN) /* on disk alone: digested there */
		remember_from_disk(s, open);
	open->attempts++;
	if (!dispute(s, open, now))
		mend_or_begin_anew(s, open, all, n, now);
	s->dirty_fill = true;
}

void shoal_evidence_leaves(struct shoal_swarm *s, uint32_t piece, const uint8_t (*leaf)[32], uint32_t n, shoal_us now)
{
	settle(s, piece, leaf, n, SHOAL_REP_WHY_FALSE_LEAF, now);
	struct shoal_open *open = shoal_landing_find(&s->landing, piece);
	if (open == NULL || open->state != SHOAL_OPEN_DISPUTED || n < open->blocks)
		return;
	uint8_t(*digest)[32] = malloc((size_t)open->blocks * 32);
	bool *wrong = calloc(open->blocks, sizeof *wrong);
	uint32_t dropped = 0;
	s->disputes--;
	if (digest != NULL && wrong != NULL && digests_of(s, open, digest))
		for (uint32_t b = 0; b < open->blocks; b++)
			dropped += wrong[b] = memcmp(digest[b], leaf[b], 32) != 0;
	if (dropped == 0 || (!open->whole && patch(s, open, wrong, now) < 0)) {
		begin_anew(s, open, now);
	} else if (open->whole) {
		mend(s, open, now);
		for (uint32_t b = 0; b < open->blocks; b++)
			if (wrong[b])
				drop_block(s, open, b);
	}
	free(wrong);
	free(digest);
	s->dirty_fill = true;
}

void shoal_evidence_tick(struct shoal_swarm *s, shoal_us now)
{
	struct sender all[SHOAL_EVIDENCE_SENDERS];
	for (struct shoal_open *o = s->landing.head, *next; o != NULL && s->disputes > 0; o = next) {
		next = o->next;
		if (o->state != SHOAL_OPEN_DISPUTED || o->disputed_until > now)
			continue;
		s->disputes--;
		size_t n = suspects_of(s, o, all);
		mend_or_begin_anew(s, o, all, n, now);
		s->dirty_fill = true;
	}
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
	shoal_peer_believe(p);
	shoal_note_refused(p, piece, now);
}
