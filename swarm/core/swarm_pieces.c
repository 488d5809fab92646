/* swarm/core/swarm_pieces.c - a piece's way through the disk: hashed, written, verified or blamed; checks of what lies there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "swarm/core/node_room.h"
#include "swarm/core/offered.h"
#include "swarm/core/turnover.h"

#define LEFT_ALONE SHOAL_S(15) /* a piece of which some is here, before that is given up */

/* ---- what a piece must come to ------------------------------------------------------- */

bool shoal_swarm_piece_known(const struct shoal_swarm *s, uint32_t piece)
{
	/* A hybrid can be held to its SHA-1 alone while nobody has told us the v2 layer. */
	uint32_t width;
	return shoal_metainfo_piece_sha1(s->mi, piece) != NULL ||
	       shoal_metainfo_piece_root(s->mi, piece, &width) != NULL;
}

int shoal_swarm_piece_expect(struct shoal_swarm *s, uint32_t piece, struct shoal_piece_hash *hash)
{
	uint8_t(*leaf)[32] = hash->leaf;
	const uint8_t *sha1 = shoal_metainfo_piece_sha1(s->mi, piece);
	uint32_t width = 0;
	const uint8_t *root = shoal_metainfo_piece_root(s->mi, piece, &width);
	if (sha1 == NULL && root == NULL)
		return SHOAL_ERR_GONE;
	*hash = (struct shoal_piece_hash){ .leaf = leaf, .bytes = shoal_metainfo_piece_bytes(s->mi, piece) };
	if (sha1 != NULL) {
		hash->has_v1 = true;
		hash->pad = shoal_metainfo_piece_pad(s->mi, piece);
		memcpy(hash->want_sha1, sha1, 20);
		shoal_sha1_init(&hash->sha1);
	}
	if (root != NULL) {
		hash->has_v2 = true;
		hash->width = width;
		memcpy(hash->want_root, root, 32);
	}
	return 0;
}

/* ---- verified and not ------------------------------------------------------------------ */

static void each_file(struct shoal_swarm *s, uint32_t piece, int32_t left)
{
	uint32_t first, last;
	shoal_metainfo_piece_files(s->mi, piece, &first, &last);
	for (uint32_t f = first; f <= last; f++) {
		uint32_t at, skew;
		if (shoal_claim_pieces(s->mi, f, &at, &skew) == 0)
			continue;
		s->file[f].left = (uint32_t)((int32_t)s->file[f].left + left);
		shoal_offered_take(s, f, piece);
		if (left > 0)
			s->file[f].whole = false;
		shoal_swarm_file_dirty(s, shoal_parts_in(s, f, piece) ? shoal_metainfo_file_count(s->mi) : f);
	}
}

void shoal_swarm_verified(struct shoal_swarm *s, uint32_t piece, shoal_us now)
{
	shoal_picker_done(s->picker, piece);
	shoal_bits_set(&s->fresh, piece);
	s->fresh_bytes += shoal_metainfo_piece_bytes(s->mi, piece);
	s->verified_bytes += shoal_select_piece_bytes(s, piece);
	if (s->fresh_since == 0)
		s->fresh_since = now;
	each_file(s, piece, -1);
}

/* A verified piece is not (any more): its sync failed, or it was withdrawn. */
void shoal_swarm_unverified(struct shoal_swarm *s, uint32_t piece, shoal_us now)
{
	(void)now;
	if (!shoal_picker_is_done(s->picker, piece))
		return;
	shoal_picker_undone(s->picker, piece);
	shoal_bits_clear(&s->fresh, piece);
	s->verified_bytes -= shoal_select_piece_bytes(s, piece);
	each_file(s, piece, 1);
	s->complete_said = false;
}

/* Pieces are to be fetched that were not before: peers that had nothing for us may have now, and so may those who left. */
void shoal_swarm_needs_more(struct shoal_swarm *s, shoal_us now)
{
	for (struct shoal_peer *p = s->peers, *next; p != NULL; p = next) {
		next = p->in_swarm;
		shoal_peer_interest(p, now);
		shoal_peer_say_upload_only(p, now);
	}
	s->dial_now = s->dirty_fill = true;
}

void shoal_swarm_withdraw(struct shoal_swarm *s, uint32_t piece, shoal_us now)
{
	char text[160];
	if (!shoal_bits_clear(&s->claimed, piece))
		return;
	s->claimed_bytes -= shoal_select_piece_bytes(s, piece);
	s->verified_bytes -= shoal_select_piece_bytes(s, piece);
	s->complete_said = false;
	if (!s->withdraw_said) { /* a file that went away takes many with it: one line is enough */
		s->withdraw_said = true;
		snprintf(text, sizeof text,
			 "data on disk is no longer what was verified (piece %u, perhaps more); it is not served any "
			 "more",
			 piece);
		shoal_swarm_warn(s, text, now);
	}
	/* The record goes first; only when it is durable may the bytes be fetched again and overwritten. */
	shoal_bits_set(&s->withdrawn, piece);
	each_file(s, piece, 1); /* and so its files are recorded as open: they are about to be written to */
	for (struct shoal_peer *p = s->peers, *next; p != NULL; p = next) {
		next = p->in_swarm;
		shoal_peer_disown(p, piece, now);
	}
}

/* ---- no longer wanted ------------------------------------------------------------------ */

/* Nobody is asked for any block of it any more: before its blocks' accounts are wiped. */
static void unask_piece(struct shoal_swarm *s, const struct shoal_open *open, shoal_us now)
{
	for (struct shoal_peer *p = s->peers, *next; p != NULL; p = next) {
		next = p->in_swarm;
		for (uint32_t b = 0; b < open->blocks && !p->closing; b++)
			if (open->asked[b] != SHOAL_BLOCK_LANDED)
				shoal_peer_unask(p, open->piece, b, true, now);
	}
	for (uint32_t b = 0; b < open->blocks; b++)
		if (open->asked[b] != SHOAL_BLOCK_LANDED)
			shoal_webseeds_unask(s, open->piece, b);
}

void shoal_swarm_put_back(struct shoal_swarm *s, struct shoal_open *open)
{
	uint32_t piece = open->piece;
	shoal_landing_close(&s->landing, open);
	shoal_picker_close(s->picker, piece);
}

void shoal_swarm_drop_unwanted(struct shoal_swarm *s, shoal_us now)
{
	for (struct shoal_open *o = s->landing.head, *next; o != NULL; o = next) {
		next = o->next;
		if (shoal_picker_wants(s->picker, o->piece) || o->job_out || o->state != SHOAL_OPEN_FETCHING)
			continue; /* what is all here may as well be kept */
		unask_piece(s, o, now);
		shoal_swarm_put_back(s, o);
	}
}

/* Whoever was to give it has gone or chokes us. */
static bool orphaned(const struct shoal_swarm *s, uint32_t piece)
{
	for (const struct shoal_peer *p = s->peers; p != NULL; p = p->in_swarm)
		if (!p->closing && !p->choking_us && shoal_bits_get(&p->have, piece))
			return false;
	return true;
}

bool shoal_swarm_make_room(struct shoal_swarm *s, shoal_us now)
{
	struct shoal_open *least = NULL;
	for (struct shoal_open *o = s->landing.head; o != NULL; o = o->next) {
		bool idle = o->state == SHOAL_OPEN_FETCHING && !o->job_out && o->handed == 0 && o->offer == 0 &&
			    o->weak == 0 && o->unasked + o->here == o->blocks;
		bool empty = o->here == 0;
		if (idle && (empty || o->opened + LEFT_ALONE <= now) && (least == NULL || o->here < least->here) &&
		    orphaned(s, o->piece))
			least = o;
	}
	if (least == NULL)
		return false;
	for (uint32_t b = 0; b < least->blocks; b++)
		if (least->asked[b] == SHOAL_BLOCK_LANDED && least->source[b] != SHOAL_SOURCE_HERE)
			s->wasted += shoal_open_block_len(least, b);
	shoal_swarm_put_back(s, least);
	return true;
}

/* From now on its files exist. */
static void note_begun(struct shoal_swarm *s, uint32_t piece)
{
	uint32_t first, last;
	shoal_metainfo_piece_files(s->mi, piece, &first, &last);
	for (uint32_t f = first; f <= last; f++)
		s->file[f].begun = s->file[f].begun || !shoal_parts_in(s, f, piece);
}

/* ---- jobs done ------------------------------------------------------------------------------ */

void shoal_swarm_write_done(struct shoal_swarm *s, struct shoal_open *open, shoal_us now)
{
	open->job_out = false;
	if (open->job.err == SHOAL_ERR_REFUSED)
		return shoal_swarm_existing_refuse(s, open->job.bad_file, now);
	if (open->job.err < 0) {
		char text[160];
		snprintf(text, sizeof text, "cannot write piece %u", open->piece);
		if (!open->whole || open->job.err == SHOAL_ERR_HASH) {
			unask_piece(s, open, now);
			if (shoal_landing_again(&s->landing, open, now) < 0) {
				shoal_swarm_put_back(s, open);
				open = NULL;
			}
		} else {
			open->state = SHOAL_OPEN_READY; /* its bytes are kept, and written when that works again */
			s->landing.ready++;
		}
		if (open != NULL)
			(void)shoal_swarm_piece_expect(s, open->piece, &open->hash);
		shoal_swarm_pause(s, open != NULL ? open->job.err : SHOAL_ERR_IO, text, now);
		return;
	}
	bool last = open->job.flags & SHOAL_DISK_LAST;
	if (last && open->hash.good)
		shoal_evidence_good(s, open, now); /* while its blocks are here */
	shoal_open_run_done(&s->landing, open);
	if (!last) {
		s->pieces_dirty = s->dirty_fill = true;
		return;
	}
	if (!open->hash.good)
		return shoal_evidence_failed(s, open, now);
	uint32_t piece = open->piece;
	bool suspect = open->suspect;
	shoal_landing_close(&s->landing, open);
	if (suspect) { /* right when it was written; whether it still is, the medium says */
		shoal_bits_set(&s->to_check, piece);
		s->dirty_fill = true;
		return;
	}
	shoal_swarm_verified(s, piece, now);
	if (!s->first_piece_said) {
		s->first_piece_said = true;
		struct shoal_event ev = { .kind = SHOAL_EV_FIRST_PIECE, .index = piece };
		shoal_swarm_say(s, &ev, now);
	}
	for (struct shoal_peer *p = s->peers; p != NULL; p = p->in_swarm)
		if (p->needs == piece)
			shoal_peer_interest(p, now);
	s->dirty_fill = true; /* memory came free */
}

/* A piece whose bytes are all here may wait a little for others, so that their hashes run side by side. */
static bool lanes_ready(const struct shoal_swarm *s, const struct shoal_open *open, shoal_us now)
{
	uint64_t rate = s->down.smooth;
	if (!open->hash.has_v1 || !open->whole || s->landing.ready >= SHOAL_SWARM_LANES ||
	    s->landing.count <= s->landing.ready)
		return true;
	if (rate == 0 || (uint64_t)open->bytes * 1000000 / rate * 2 > SHOAL_SWARM_LANE_WAIT)
		return true;
	return open->ready + SHOAL_SWARM_LANE_WAIT <= now;
}

void shoal_swarm_pieces_tick(struct shoal_swarm *s, shoal_us now)
{
	if (!s->pieces_dirty || s->state != SHOAL_SWARM_RUN)
		return;
	bool waiting = false;
	bool go = false;
	for (struct shoal_open *o = s->landing.head; o != NULL && !go; o = o->next)
		go = o->state == SHOAL_OPEN_READY && lanes_ready(s, o, now);
	s->lane_wait = 0;
	for (struct shoal_open *o = s->landing.head; o != NULL; o = o->next) {
		if (o->job_out || o->state == SHOAL_OPEN_HASHING || o->state == SHOAL_OPEN_DISPUTED ||
		    (o->whole && o->state != SHOAL_OPEN_READY))
			continue;
		if (o->whole && !go) {
			s->lane_wait = s->lane_wait == 0
					       ? o->ready + SHOAL_SWARM_LANE_WAIT
					       : shoal_min_u64(s->lane_wait, o->ready + SHOAL_SWARM_LANE_WAIT);
			waiting = true;
			continue;
		}
		if (shoal_open_run(o) == 0)
			continue;
		o->job.storage = s->storage;
		if (s->sync_failures > 0) /* what can be read may not be on the medium, for all we know */
			o->job.origin = NULL;
		if (shoal_swarm_submit(s, &o->job) < 0) {
			waiting = true; /* the disk is at its bound: with the next job that comes back */
			continue;
		}
		o->job_out = true;
		note_begun(s, o->piece);
		if (o->job.flags & SHOAL_DISK_LAST) {
			o->state = SHOAL_OPEN_HASHING;
			s->landing.ready--;
		}
	}
	s->pieces_dirty = waiting;
}

/* ---- checks ------------------------------------------------------------------------------------ */

static void check_free(struct shoal_check *check)
{
	shoal_node_peers_give(check->swarm->node, check->charged);
	free(check);
}

int32_t shoal_swarm_piece_mib(const struct shoal_swarm *s, uint32_t piece)
{
	return (int32_t)((shoal_metainfo_piece_bytes(s->mi, piece) + (1u << 20) - 1) >> 20);
}

int shoal_swarm_check_piece(struct shoal_swarm *s, uint32_t piece, enum shoal_check_why why, unsigned flags,
			    struct shoal_check **out)
{
	uint32_t blocks = (shoal_metainfo_piece_bytes(s->mi, piece) + SHOAL_BLOCK - 1) / SHOAL_BLOCK;
	bool leaves = s->has_v2 || (flags & SHOAL_DISK_LEAVES);
	size_t size = sizeof(struct shoal_check) + (leaves ? (size_t)blocks * 32 : 0);
	/* One must always be possible: what lies there unlooked at stops everything else. */
	bool charged = shoal_node_peers_take(s->node, size);
	if (!charged && s->checks_out > 0)
		return SHOAL_ERR_NOMEM;
	struct shoal_check *check = calloc(1, size);
	if (check == NULL) {
		if (charged)
			shoal_node_peers_give(s->node, size);
		return SHOAL_ERR_NOMEM;
	}
	check->charged = charged ? size : 0;
	check->swarm = s;
	check->piece = piece;
	check->why = why;
	check->sync_failures = s->sync_failures;
	check->hash.leaf = leaves ? (uint8_t(*)[32])(void *)(check + 1) : NULL;
	int rc = why == SHOAL_CHECK_LAYER ? 0 : shoal_swarm_piece_expect(s, piece, &check->hash);
	if (why == SHOAL_CHECK_LAYER) { /* held to nothing: its leaves are what is asked for */
		check->hash.has_v2 = true;
		check->hash.width = shoal_metainfo_piece_size(s->mi) / SHOAL_BLOCK;
		check->hash.bytes = shoal_metainfo_piece_bytes(s->mi, piece);
	}
	check->job = (struct shoal_disk_job){ .op = SHOAL_DISK_CHECK,
					      .flags = flags,
					      .storage = s->storage,
					      .piece = piece,
					      .len = check->hash.bytes,
					      .hash = &check->hash,
					      .owner = check };
	if (rc == 0 && why == SHOAL_CHECK_LEAVES &&
	    !shoal_patience_charge_many(&s->node->read_for_others, shoal_swarm_piece_mib(s, piece),
					SHOAL_PATIENCE_READ_ALL, SHOAL_PATIENCE_READ_ALL_MINUTE, s->node->now))
		rc = SHOAL_ERR_BUSY;
	if (rc == 0)
		rc = shoal_swarm_submit(s, &check->job);
	if (rc < 0) {
		check_free(check);
		return rc;
	}
	if (why == SHOAL_CHECK_SCAN || why == SHOAL_CHECK_RESYNC || why == SHOAL_CHECK_LAYER)
		s->checks_out++;
	*out = check;
	return 0;
}

static void say_check(struct shoal_swarm *s, shoal_us now)
{
	struct shoal_event ev = { .kind = SHOAL_EV_CHECK, .done = s->check_done, .total = s->check_total };
	s->check_said = now;
	shoal_swarm_say(s, &ev, now);
}

void shoal_swarm_check_done(struct shoal_swarm *s, struct shoal_check *check, shoal_us now)
{
	int good = check->job.err == 0 && check->hash.good;
	switch (check->why) {
	case SHOAL_CHECK_SCAN:
	case SHOAL_CHECK_RESYNC:
		s->checks_out--;
		s->check_done += check->hash.bytes;
		if (good && check->sync_failures != s->sync_failures && !(check->job.flags & SHOAL_DISK_DROP)) {
			shoal_bits_set(&s->to_check, check->piece); /* it was read from a cache that has lied since */
			break;
		}
		if (good && !shoal_picker_is_done(s->picker, check->piece))
			shoal_swarm_verified(s, check->piece, now);
		else if (!good && shoal_bits_get(&s->claimed, check->piece)) /* a check of what we had claimed */
			shoal_swarm_withdraw(s, check->piece, now);
		else if (!good && !shoal_picker_is_done(s->picker, check->piece) &&
			 shoal_landing_find(&s->landing, check->piece) == NULL) {
			shoal_picker_close(s->picker,
					   check->piece); /* it was kept from being fetched until we had looked */
			shoal_swarm_needs_more(s, now);
		}
		if (!good && check->job.err == 0 && !check->hash.blank)
			shoal_swarm_existing_differs(s, check->piece);
		if (check->job.err == SHOAL_ERR_IO && !s->read_only && !shoal_picker_is_done(s->picker, check->piece))
			shoal_reread_later(s, check->piece, now);
		if (check->job.err == SHOAL_ERR_IO || check->job.err == SHOAL_ERR_DENIED)
			s->check_error = check->job.err;
		if (s->check_said + SHOAL_MS(100) <= now)
			say_check(s, now);
		break;
	case SHOAL_CHECK_LEAVES: shoal_swarm_leaves_ready(s, check, now); break;
	case SHOAL_CHECK_BLAME: shoal_evidence_digested(s, check, now); break;
	case SHOAL_CHECK_LAYER:
		s->checks_out--;
		s->check_done += check->hash.bytes;
		shoal_swarm_own_layers_back(s, check);
		if (s->check_said + SHOAL_MS(100) <= now)
			say_check(s, now);
		break;
	}
	free(check->source);
	check_free(check);
}

/*
 * Unfinished by a process that is gone, and not claimed: had its sync failed, the page cache would still hold what never
 * reached the medium, and call it clean. So it is read from there.
 */
static bool left_behind(const struct shoal_swarm *s, uint32_t piece)
{
	uint32_t first, last;
	if (s->read_only || shoal_bits_get(&s->claimed, piece))
		return false;
	shoal_metainfo_piece_files(s->mi, piece, &first, &last);
	for (uint32_t f = first; f <= last; f++)
		if (shoal_parts_in(s, f, piece) || s->file[f].seen == SHOAL_SEEN_PART || s->file[f].record_open)
			return true;
	return false;
}

unsigned shoal_swarm_check_flags(const struct shoal_swarm *s, uint32_t piece)
{
	return s->check_flags | (left_behind(s, piece) ? SHOAL_DISK_DROP : 0u);
}

/* Keeps the disk busy with the pieces that exist and are not claimed. */
void shoal_swarm_check_tick(struct shoal_swarm *s, shoal_us now)
{
	struct shoal_check *check;
	(void)now;
	while (s->checks_out < SHOAL_SWARM_CHECKS && s->to_check.ones > 0) {
		s->check_at = shoal_bits_next(&s->to_check, s->check_at);
		if (s->check_at == s->to_check.count)
			s->check_at = shoal_bits_next(&s->to_check, 0);
		enum shoal_check_why why = shoal_swarm_running(s) ? SHOAL_CHECK_RESYNC : SHOAL_CHECK_SCAN;
		if (shoal_swarm_check_piece(s, s->check_at, why, shoal_swarm_check_flags(s, s->check_at), &check) < 0)
			return;
		shoal_bits_clear(&s->to_check, s->check_at);
	}
}
