/* swarm/core/evidence_failed.c - a piece that failed: whose fault it may be, and how it comes right again. */
#include "swarm/core/evidence_room.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/merkle.h"
#include "swarm/core/node_room.h"
#include "swarm/core/offered.h"

#define SUSPECT_MASS 0.5 /* of the blame: so much of it is fetched again at a time */
#define OWN_FAULTS 2	 /* times a piece is hashed again without being fetched */

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

/* Nobody can send a block that is right by a root and wrong by a piece's SHA-1, or the other way round, but for a torrent
 * that was made so: whoever sends what it names would look like a liar, and be banned. */
static void contradiction(struct shoal_swarm *s, const struct shoal_open *open, shoal_us now)
{
	char text[160];
	snprintf(text, sizeof text,
		 "the torrent contradicts itself: its v1 and v2 hashes of piece %u are of different bytes",
		 open->piece);
	shoal_swarm_fail(s, SHOAL_ERR_MALFORMED, text, now);
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
		expect[i] = shoal_evidence_expect(s, all[i].source);
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
		struct shoal_peer *p = shoal_evidence_peer(s, all[i].source);
		if (p == NULL)
			continue;
		p->doubt++;
		p->suspicion += (float)all[i].share;
		struct shoal_note_blame note = { .source = all[i].source,
						 .piece = open->piece,
						 .blocks = all[i].blocks,
						 .of = open->blocks,
						 .share = all[i].share,
						 .expect = shoal_evidence_expect(s, all[i].source) };
		if (p->repute != NULL)
			shoal_rep_suspect(&p->repute->rep, all[i].share, open->piece, now_s);
		shoal_note_suspect(s, &note, p->repute != NULL ? &p->repute->rep : NULL, now);
	}
	shoal_webseeds_suspect(s, open);
}

static void begin_anew(struct shoal_swarm *s, struct shoal_open *open, shoal_us now)
{
	s->wasted += open->bytes;
	if (shoal_landing_again(&s->landing, open, now) < 0)
		return shoal_swarm_put_back(s, open);
	if (shoal_swarm_piece_expect(s, open->piece, &open->hash) < 0)
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
	if (open->source[block] != SHOAL_SOURCE_HERE)
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

/* Blocks of it that are not what `digest` says: [block], on the heap, and how many. 0: or nothing can be said of them. */
static bool *differing(const struct shoal_swarm *s, const struct shoal_open *open, const uint8_t (*digest)[32],
		       uint32_t *count)
{
	uint8_t(*ours)[32] = digest != NULL ? malloc((size_t)open->blocks * 32) : NULL;
	bool *wrong = calloc(open->blocks, sizeof *wrong);
	*count = 0;
	if (ours != NULL && wrong != NULL && shoal_evidence_digests(s, open, ours))
		for (uint32_t b = 0; b < open->blocks; b++)
			*count += wrong[b] = memcmp(ours[b], digest[b], 32) != 0;
	free(ours);
	return wrong;
}

static void mend_those(struct shoal_swarm *s, struct shoal_open *open, const bool *wrong, shoal_us now)
{
	mend(s, open, now);
	for (uint32_t b = 0; b < open->blocks; b++)
		if (wrong[b])
			drop_block(s, open, b);
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

/* In v2 the piece's leaf hashes say which blocks are false; in v1, of `senders`, somebody's word may. false: neither can be
 * had. */
static bool dispute(struct shoal_swarm *s, struct shoal_open *open, size_t senders, shoal_us now)
{
	bool repairs = shoal_node_uses(s->node, SHOAL_WITHOUT_REPAIR) && (open->whole || open->hash.has_v2);
	if (!s->node->policy->names_liars)
		return false;
	bool known = s->has_v2 && open->truth != NULL;
	if (s->has_v2 && ((!known && !shoal_swarm_leaves_wanted(s, open->piece, NULL, now)) || !repairs))
		return false; /* they come for the blame alone */
	if (!s->has_v2 &&
	    (!repairs || open->attempts > SHOAL_EVIDENCE_REPAIRS || !shoal_node_uses(s->node, SHOAL_WITHOUT_HINTS) ||
	     !shoal_hints_ask(s, open, senders == 1 ? open->source[0] : 0, now)))
		return false;
	open->state = SHOAL_OPEN_DISPUTED;
	open->disputed_until = now + SHOAL_EVIDENCE_DISPUTE;
	s->disputes++;
	if (known)
		shoal_evidence_leaves(s, open->piece, (const uint8_t(*)[32])open->truth, open->blocks, now);
	return true;
}

/* Who sent all of it answers for one false block now; whatever more there were, the good piece will tell. */
static void blame_sole(struct shoal_swarm *s, uint32_t source, uint32_t piece, shoal_us now)
{
	if (s->node->policy->names_liars)
		shoal_blame_counted(&s->blame, piece);
	shoal_evidence_false(s, source, piece, 0, SHOAL_REP_WHY_SOLE, now);
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
	if (n == 1)
		blame_sole(s, source, piece, now);
}

/* ---- blocks that lay here ------------------------------------------------------------------------------ */

static bool some_lay_here(const struct shoal_open *open)
{
	return shoal_open_has_source(open, SHOAL_SOURCE_HERE);
}

static void drop_what_lay_here(struct shoal_swarm *s, struct shoal_open *open, shoal_us now)
{
	mend(s, open, now);
	for (uint32_t b = 0; b < open->blocks; b++)
		if (open->source[b] == SHOAL_SOURCE_HERE)
			drop_block(s, open, b);
}

static bool some_was_sent(const struct shoal_open *open)
{
	uint32_t b = 0;
	while (b < open->blocks && open->source[b] == SHOAL_SOURCE_HERE)
		b++;
	return b < open->blocks;
}

/* It is false, and some of it lay here: that says nothing of anybody, but what was sent is remembered, for when it comes
 * good. Meanwhile it waits for a hint, asked for now or as soon as that can be. */
static void failed_with_ours(struct shoal_swarm *s, struct shoal_open *open, shoal_us now)
{
	bool hints = s->node->policy->names_liars && shoal_node_uses(s->node, SHOAL_WITHOUT_HINTS) && !open->hinted;
	shoal_offered_take_all(s, open->piece);
	if (s->node->policy->names_liars && some_was_sent(open))
		shoal_evidence_remember(s, open, now);
	open->hinted = false;
	open->hint_of = 0;
	s->dirty_fill = true;
	if (!hints || (!shoal_hints_ask(s, open, 0, now) && !shoal_hints_hoped(s, open->piece, now)))
		return drop_what_lay_here(s, open, now);
	open->state = SHOAL_OPEN_DISPUTED;
	open->disputed_until = now + SHOAL_EVIDENCE_DISPUTE;
	s->disputes++;
}

/* What is said of it (NULL: nothing). */
static void hint_of_ours(struct shoal_swarm *s, struct shoal_open *open, const uint8_t (*digest)[32], shoal_us now)
{
	uint32_t others;
	bool *wrong = differing(s, open, digest, &others);
	s->dirty_fill = true;
	if (others == 0 && open->disputed_until > now && shoal_hints_hoped(s, open->piece, now)) {
		open->hint_of = 0; /* somebody else may, or the same when it is less busy */
		free(wrong);
		return;
	}
	s->disputes--;
	if (others == 0) {
		drop_what_lay_here(s, open, now);
	} else {
		mend_those(s, open, wrong, now);
		open->hinted = true;
	}
	free(wrong);
}

void shoal_evidence_ask_again(struct shoal_swarm *s, shoal_us now)
{
	for (struct shoal_open *o = s->landing.head; o != NULL && s->disputes > 0; o = o->next)
		if (o->state == SHOAL_OPEN_DISPUTED && o->hint_of == 0 && some_lay_here(o) &&
		    !shoal_hints_ask(s, o, 0, now))
			break;
}

/* ---- failed, and come good again ----------------------------------------------------------------------------- */

void shoal_evidence_failed(struct shoal_swarm *s, struct shoal_open *open, shoal_us now)
{
	const struct shoal_policy *policy = s->node->policy;
	struct shoal_event ev = { .kind = SHOAL_EV_HASH_FAILED, .index = open->piece };
	struct sender all[SHOAL_EVIDENCE_SENDERS];
	if (some_lay_here(open))
		return failed_with_ours(s, open, now);
	if (policy->scores && own_fault(s, open, now))
		return;
	if (open->hash.torn)
		return contradiction(s, open, now);
	open->hinted = false; /* what was said of it before has not helped */
	s->hash_failures++;
	shoal_swarm_say(s, &ev, now);
	size_t n = suspects_of(s, open, all);
	shoal_note_bad(s, open, n, now);
	if (policy->scores)
		suspect(s, open, all, n, now);
	if (policy->failed != NULL && n != 1)
		policy->failed(s, open, now);
	if (policy->names_liars && (open->whole || open->hash.has_v2))
		shoal_evidence_remember(s, open, now);
	else if (policy->names_liars && n != 1 && s->state == SHOAL_SWARM_RUN) /* on disk alone: digested there */
		shoal_evidence_remember_later(s, open);
	open->attempts++;
	if (!dispute(s, open, n, now))
		mend_or_begin_anew(s, open, all, n, now);
	s->dirty_fill = true;
}

void shoal_evidence_leaves(struct shoal_swarm *s, uint32_t piece, const uint8_t (*leaf)[32], uint32_t n, shoal_us now)
{
	shoal_evidence_settle(s, piece, leaf, n, SHOAL_REP_WHY_FALSE_LEAF, now);
	struct shoal_open *open = shoal_landing_find(&s->landing, piece);
	if (open == NULL || open->state != SHOAL_OPEN_DISPUTED || n < open->blocks)
		return;
	uint32_t others;
	bool *wrong = differing(s, open, leaf, &others);
	s->disputes--;
	if (others == 0 || (!open->whole && patch(s, open, wrong, now) < 0))
		begin_anew(s, open, now);
	else if (open->whole)
		mend_those(s, open, wrong, now);
	free(wrong);
	s->dirty_fill = true;
}

void shoal_evidence_hint(struct shoal_swarm *s, struct shoal_open *open, const uint8_t (*digest)[32], shoal_us now)
{
	if (some_lay_here(open))
		return hint_of_ours(s, open, digest, now);
	uint32_t others, source = open->source[0], piece = open->piece;
	bool *wrong = differing(s, open, digest, &others);
	struct sender all[SHOAL_EVIDENCE_SENDERS];
	size_t n = suspects_of(s, open, all);
	s->disputes--;
	s->dirty_fill = true;
	if (others > 0 && others < open->blocks) {
		mend_those(s, open, wrong, now);
		open->hinted = true;
		if (n == 1)
			blame_sole(s, source, piece, now);
	} else { /* what it says does not help */
		mend_or_begin_anew(s, open, all, n, now);
	}
	free(wrong);
}

void shoal_evidence_tick(struct shoal_swarm *s, shoal_us now)
{
	struct sender all[SHOAL_EVIDENCE_SENDERS];
	shoal_evidence_ask_again(s, now);
	for (struct shoal_open *o = s->landing.head, *next; o != NULL && s->disputes > 0; o = next) {
		next = o->next;
		if (o->state != SHOAL_OPEN_DISPUTED || o->disputed_until > now)
			continue;
		s->disputes--;
		if (some_lay_here(o)) {
			drop_what_lay_here(s, o, now);
			s->dirty_fill = true;
			continue;
		}
		size_t n = suspects_of(s, o, all);
		mend_or_begin_anew(s, o, all, n, now);
		s->dirty_fill = true;
	}
}
