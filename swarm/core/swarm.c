/* swarm/core/swarm.c - one torrent's life: it begins, runs, pauses, ends; swarm_scan.c is what lies between. */
#include "swarm/core/swarm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "swarm/core/node_room.h"
#include "swarm/core/offered.h"
#include "swarm/core/turnover.h"
#include "swarm/core/urgent.h"

/* ---- making ----------------------------------------------------------------------------- */

static void peer_id_of(struct shoal_swarm *s)
{
	memcpy(s->peer_id.b, "-SH0100-", 8);
	s->node->world.ops->secret(s->node->world.w, (struct shoal_space){ s->peer_id.b + 8, 12 });
}

int shoal_swarm_new(struct shoal_swarm **out, struct shoal_node *node, struct shoal_bytes folder, unsigned flags,
		    shoal_us now)
{
	struct shoal_swarm *s = calloc(1, sizeof *s);
	char *path = malloc(folder.len + 1);
	if (s == NULL || path == NULL) {
		free(s);
		free(path);
		return SHOAL_ERR_NOMEM;
	}
	if (folder.len)
		memcpy(path, folder.at, folder.len);
	path[folder.len] = 0;
	s->node = node;
	s->folder = path;
	s->flags = flags;
	s->read_only = flags & (SHOAL_ADD_SEED_ONLY | SHOAL_ADD_CHECK_ONLY);
	s->rng = shoal_rng_split(shoal_rng_u64(&node->rng), ++node->next_handle);
	s->handle = node->next_handle;
	s->choke_at = s->rechoked_at = s->dial_at = s->tick_at = now;
	s->dial_now = true;
	shoal_metadata_init(&s->metadata, node->budget);
	s->blame.budget = node->budget;
	s->hedges = SHOAL_SWARM_HEDGE_BURST;
	peer_id_of(s);
	*out = s;
	return 0;
}

void shoal_swarm_index(struct shoal_swarm *s)
{
	if (s->has_v1)
		shoal_skeys_add(&s->node->skeys, &s->skey[0], s, &s->v1, false);
	if (s->has_v2)
		shoal_skeys_add(&s->node->skeys, &s->skey[1], s, &s->v2_short, true);
}

void shoal_swarm_free(struct shoal_swarm *s)
{
	if (s == NULL)
		return;
	shoal_node_part(s->node, s);
	shoal_skeys_drop(&s->node->skeys, &s->skey[0]);
	shoal_skeys_drop(&s->node->skeys, &s->skey[1]);
	shoal_webseeds_free(s);
	shoal_announce_free(s);
	shoal_finder_forget(s);
	shoal_contacts_fini(s);
	shoal_adopt_free(s);
	shoal_offered_fini(s);
	shoal_landing_fini(&s->landing);
	shoal_blame_fini(&s->blame);
	shoal_metadata_fini(&s->metadata);
	shoal_super_fini(s);
	shoal_parted_free(s);
	shoal_picker_free(s->picker);
	shoal_bits_fini(&s->claimed);
	shoal_bits_fini(&s->to_check);
	shoal_reread_fini(s);
	shoal_bits_fini(&s->fresh);
	shoal_bits_fini(&s->covered);
	shoal_bits_fini(&s->withdrawn);
	shoal_bits_fini(&s->withdrawing);
	if (s->storage_open)
		s->node->disk.ops->close(s->node->disk.d, s->storage);
	shoal_budget_give(s->node->budget, s->charged + s->mi_charged);
	shoal_swarm_layers_end(s);
	shoal_metainfo_free(s->mi);
	shoal_swarm_own_layers_end(s);
	shoal_select_fini(s);
	free(s->file);
	free(s->scan_seen);
	free(s->scan_stamp);
	free(s->barrier_file);
	free(s->barrier_seen);
	free(s->dirty_file);
	free(s->folder);
	free(s->name);
	free(s);
}

static int content_init(struct shoal_swarm *s)
{
	struct shoal_node *n = s->node;
	uint32_t pieces = shoal_metainfo_piece_count(s->mi);
	uint32_t files = shoal_metainfo_file_count(s->mi);
	size_t need = 6 * shoal_bits_bytes(pieces) + shoal_picker_bytes(pieces) +
		      ((size_t)files + 1) * (sizeof *s->file + sizeof *s->dirty_file);
	if (!shoal_node_charge(n, need))
		return SHOAL_ERR_NOMEM;
	s->charged += need;
	s->file = calloc((size_t)files + 1, sizeof *s->file);
	/* All there can be: a mark must not get lost. */
	s->dirty_file = calloc((size_t)files + 1, sizeof *s->dirty_file);
	if (s->file == NULL || s->dirty_file == NULL || shoal_bits_init(&s->claimed, pieces) < 0 ||
	    shoal_bits_init(&s->to_check, pieces) < 0 || shoal_bits_init(&s->fresh, pieces) < 0 ||
	    shoal_bits_init(&s->covered, pieces) < 0 || shoal_bits_init(&s->withdrawn, pieces) < 0 ||
	    shoal_bits_init(&s->withdrawing, pieces) < 0 || shoal_landing_init(&s->landing, n->slots, n->budget) < 0 ||
	    shoal_picker_new(&s->picker, pieces, shoal_rng_split(shoal_rng_u64(&s->rng), 1)) < 0)
		return SHOAL_ERR_NOMEM;
	shoal_bits_fill(&s->claimed);
	shoal_bits_fill(&s->to_check);
	return 0;
}

int shoal_swarm_begin(struct shoal_swarm *s, struct shoal_metainfo *mi, struct shoal_bytes files, shoal_us now)
{
	struct shoal_node *n = s->node;
	size_t bytes = shoal_metainfo_bytes(mi);
	s->mi = mi;
	if (!shoal_node_charge(n, bytes))
		return SHOAL_ERR_NOMEM;
	s->mi_charged = bytes;
	if (shoal_metainfo_hash_v1(mi) != NULL) {
		s->has_v1 = true;
		s->v1 = *shoal_metainfo_hash_v1(mi);
	}
	if (shoal_metainfo_hash_v2(mi) != NULL) {
		s->has_v2 = true;
		s->v2 = *shoal_metainfo_hash_v2(mi);
		memcpy(s->v2_short.b, s->v2.b, 20);
	}
	shoal_swarm_index(s);
	int rc = content_init(s);
	if (rc < 0)
		return rc;
	int choose = shoal_select_begin(s, files);
	if (choose < 0)
		return choose;
	rc = n->disk.ops->open(n->disk.d, mi, s->folder, s->read_only, &s->storage);
	if (rc < 0)
		return rc;
	s->storage_open = true;
	if (s->has_v2 && !shoal_metainfo_layers_complete(mi)) {
		shoal_swarm_layers_begin(s);
		if (s->layers_wanted == NULL)
			return SHOAL_ERR_NOMEM;
	}
	shoal_note_torrent(s, now);
	shoal_webseeds_begin(s);
	for (struct shoal_peer *p = s->peers, *next; p != NULL; p = next) {
		next = p->in_swarm;
		if ((rc = shoal_peer_metadata(p, now)) < 0)
			shoal_peer_close(p, rc, now);
	}
	if (shoal_metainfo_private(mi))
		shoal_contacts_private(s, now);
	s->state = choose ? SHOAL_SWARM_CHOOSE : SHOAL_SWARM_SCAN;
	return shoal_swarm_scan_begin(s);
}

/* ---- saying -------------------------------------------------------------------------------- */

void shoal_swarm_say(struct shoal_swarm *s, struct shoal_event *ev, shoal_us now)
{
	ev->t = now;
	ev->torrent = s->handle;
	ev->has_v1 = s->has_v1;
	ev->has_v2 = s->has_v2;
	ev->hash_v1 = s->v1;
	ev->hash_v2 = s->v2;
	if (ev->kind == SHOAL_EV_ADDED || ev->kind == SHOAL_EV_METADATA || ev->kind == SHOAL_EV_CHECKED ||
	    ev->kind == SHOAL_EV_COMPLETE) {
		if (s->mi != NULL)
			ev->name = shoal_metainfo_name(s->mi);
		else if (s->name != NULL)
			ev->name = shoal_bytes(s->name, strlen(s->name));
		shoal_swarm_stats(s, &ev->stats, now);
		if (ev->total == 0)
			ev->total = s->size;
	}
	shoal_events_push(&s->node->events, ev);
}

void shoal_swarm_warn(struct shoal_swarm *s, const char *text, shoal_us now)
{
	struct shoal_event ev = { .kind = SHOAL_EV_WARNING, .text = shoal_bytes(text, strlen(text)) };
	shoal_swarm_say(s, &ev, now);
}

void shoal_swarm_fail(struct shoal_swarm *s, int err, const char *what, shoal_us now)
{
	if (s->state == SHOAL_SWARM_ENDED)
		return;
	s->state = SHOAL_SWARM_ENDED;
	while (s->peers != NULL)
		shoal_peer_close(s->peers, SHOAL_ERR_GONE, now);
	shoal_webseeds_stop(s);
	shoal_announce_stop(s, now);
	struct shoal_event ev = { .kind = SHOAL_EV_ERROR, .err = err, .text = shoal_bytes(what, strlen(what)) };
	shoal_swarm_say(s, &ev, now);
}

void shoal_swarm_pause(struct shoal_swarm *s, int err, const char *what, shoal_us now)
{
	char text[320];
	snprintf(text, sizeof text, "%s%s%s", what, err == SHOAL_ERR_NO_SPACE ? "" : ": ",
		 err == SHOAL_ERR_NO_SPACE ? ": no space left; goes on by itself once there is room"
					   : shoal_err_name(err));
	/* A full disk gets emptied again; anything else needs a person, unless the disk has shown since that it works. A
	 * while of that: one bad place among good ones is no disk to go on with. Whatever was claimed stays claimed. */
	if (s->barrier_good_at > s->fault_at && s->fault_at + SHOAL_SWARM_FAULT_FORGET <= now)
		s->storage_faults = 0;
	if (err != SHOAL_ERR_NO_SPACE && err != SHOAL_ERR_BUSY) {
		s->fault_at = now;
		if (++s->storage_faults > SHOAL_SWARM_FAULTS_MAX)
			return shoal_swarm_fail(s, err, text, now);
	}
	s->retry_at = now + SHOAL_SWARM_RETRY_STORAGE;
	if (s->state == SHOAL_SWARM_PAUSED)
		return;
	s->paused_from = s->state;
	s->state = SHOAL_SWARM_PAUSED;
	if (s->pause_said) /* it was tried again, and is no better */
		return;
	s->pause_said = true;
	struct shoal_event ev = { .kind = SHOAL_EV_PAUSED, .err = err, .text = shoal_bytes(text, strlen(text)) };
	shoal_swarm_say(s, &ev, now);
}

void shoal_swarm_well(struct shoal_swarm *s, shoal_us now)
{
	if (!s->pause_said || s->state == SHOAL_SWARM_PAUSED)
		return;
	s->pause_said = false;
	struct shoal_event ev = { .kind = SHOAL_EV_RESUMED };
	shoal_swarm_say(s, &ev, now);
}

bool shoal_swarm_running(const struct shoal_swarm *s)
{
	return s->state == SHOAL_SWARM_RUN || s->state == SHOAL_SWARM_PAUSED;
}

bool shoal_swarm_seeding(const struct shoal_swarm *s)
{
	if (!shoal_swarm_running(s) || s->mi == NULL)
		return false;
	/* One that may not write fetches nothing, whatever it has lost. */
	return s->read_only || (shoal_picker_left(s->picker) == 0 && !s->layers_missing);
}

void shoal_swarm_stats(struct shoal_swarm *s, struct shoal_stats *out, shoal_us now)
{
	*out = (struct shoal_stats){
		.size = s->size,
		.done = s->state == SHOAL_SWARM_RUN || s->state == SHOAL_SWARM_PAUSED ? s->claimed_bytes : 0,
		.verified = s->verified_bytes,
		.downloaded = s->downloaded,
		.uploaded = s->uploaded,
		.adopted = s->adopted,
		.wasted = s->wasted,
		.hash_failures = s->hash_failures,
		.down_rate = shoal_rate_now(&s->down, now),
		.up_rate = shoal_rate_now(&s->up, now),
		.peers = s->peer_count,
		.pieces = s->mi != NULL ? shoal_metainfo_piece_count(s->mi) : 0,
		.pieces_done = shoal_swarm_running(s) ? s->claimed.ones : 0,
		.memory_used = s->node->budget->used,
		.memory_peak = s->node->budget->peak,
		.complete = s->complete_said,
		.checking = s->state == SHOAL_SWARM_SCAN || s->state == SHOAL_SWARM_CHECK ||
			    s->state == SHOAL_SWARM_BASELINE,
		.paused = s->state == SHOAL_SWARM_PAUSED,
		.metadata = s->mi != NULL,
	};
	for (struct shoal_peer *p = s->peers; p != NULL; p = p->in_swarm)
		out->seeds += shoal_peer_is_seed(p);
	shoal_webseeds_stats(s, out);
}

/* ---- running --------------------------------------------------------------------------------- */

static void choke_round(struct shoal_swarm *s, bool round, shoal_us now)
{
	struct shoal_choker_view *view = calloc(s->peer_count ? s->peer_count : 1, sizeof *view);
	size_t n = 0;
	s->rechoke = view == NULL; /* no memory: soon again */
	s->rechoked_at = now;
	round = round || !s->node->policy->keeps_rounds;
	if (round)
		s->choke_at = now;
	if (view == NULL)
		return;
	bool verified = shoal_node_uses(s->node, SHOAL_WITHOUT_VERIFIED);
	for (struct shoal_peer *p = s->peers; p != NULL; p = p->in_swarm) {
		view[n++] = (struct shoal_choker_view){
			.peer = p->serial,
			.interested = p->interested && !shoal_peer_deaf(p, now),
			.snubbed = p->snubbed,
			.denies = p->interesting && p->choking_us,
			.seed = shoal_peer_is_seed(p),
			.unchoked = !p->choked,
			.optimistic = p->optimistic,
			.got = verified ? shoal_credit_rate(&p->verified, now) : shoal_rate_now(&p->flow.down, now),
			.gave = shoal_rate_now(&p->up, now),
			.gave_turn = p->gave_turn,
			.onward = shoal_super_onward(p),
			.got_ever = shoal_sums_of(p)->got,
			.gave_ever = shoal_sums_of(p)->gave,
			.got_round = p->flow.down.total - p->got_before,
			.gave_round = p->up.total - p->gave_before,
			.unchoked_at = p->unchoked_at,
			.choked_at = p->choked_at,
			.joined_at = p->born,
			.tried_at = p->tried_at,
		};
		if (round) {
			p->got_before = p->flow.down.total;
			p->gave_before = p->up.total;
		}
	}
	uint64_t turn = (uint64_t)SHOAL_CHOKER_QUOTA_PIECES * shoal_metainfo_piece_size(s->mi);
	struct shoal_choke_terms terms = { .slots = s->node->upload_slots,
					   .seeding = shoal_picker_left(s->picker) == 0,
					   .round = round,
					   .by_onward = shoal_node_uses(s->node, SHOAL_WITHOUT_ONWARD),
					   .by_record = shoal_node_uses(s->node, SHOAL_WITHOUT_TRIALS),
					   .turn_bytes = turn ? turn : 1,
					   .unit = shoal_max_u64(SHOAL_BLOCK, shoal_rate_now(&s->up, now) / 10) };
	s->node->policy->choke(&s->choker, view, n, &terms, &s->rng, now);
	shoal_note_serve(s, view, n, &terms, now);
	size_t i = 0;
	for (struct shoal_peer *p = s->peers, *next; p != NULL && i < n; p = next, i++) {
		next = p->in_swarm;
		p->optimistic = view[i].optimistic;
		p->tried_at = view[i].tried_at;
		if (p->wanted_count > 0) /* it may have been held back as one on trial */
			shoal_peer_stir_out(p);
		shoal_peer_choke(p, !view[i].unchoked, now);
		if (!p->closing)
			shoal_fast_offer(p, now);
	}
	free(view);
}

static void maybe_complete(struct shoal_swarm *s, shoal_us now)
{
	if (s->complete_said || shoal_picker_left(s->picker) > 0 || s->fresh.ones > 0 || s->dirty_count > 0 ||
	    s->barrier != SHOAL_BARRIER_IDLE || s->withdrawn.ones > 0 || s->select.to_move.ones > 0 ||
	    (s->layers_missing && !shoal_select_all_claimed(s))) /* pieces of unknown hash do not count as left */
		return;
	s->complete_said = true;
	s->withdraw_said = false;
	struct shoal_event ev = { .kind = SHOAL_EV_COMPLETE, .done = s->size, .total = s->size };
	shoal_swarm_say(s, &ev, now);
	shoal_note_state(s, now);
	shoal_announce_complete(s, now);
	for (struct shoal_peer *p = s->peers, *next; p != NULL; p = next) {
		next = p->in_swarm;
		shoal_peer_interest(p, now);
		shoal_peer_say_upload_only(p, now);
	}
	s->rechoke = true;
}

/* Tries again; whether that is of use is known, and said, with the next barrier. */
static void resume(struct shoal_swarm *s, shoal_us now)
{
	uint64_t room = s->node->disk.ops->room(s->node->disk.d, s->storage);
	if (room < shoal_metainfo_piece_size(s->mi)) {
		s->retry_at = now + SHOAL_SWARM_RETRY_STORAGE;
		return;
	}
	s->state = s->paused_from;
	s->pieces_dirty = s->dirty_fill = true;
}

/* Every claimed piece has been hashed again (SHOAL_OP_VERIFY). */
static void recheck_ended(struct shoal_swarm *s, shoal_us now)
{
	struct shoal_event ev = { .kind = SHOAL_EV_CHECKED, .done = s->claimed_bytes, .total = s->size };
	s->recheck = false;
	shoal_swarm_say(s, &ev, now);
}

static void peers_tick(struct shoal_swarm *s, shoal_us now)
{
	s->tick_at = now;
	/* A peer with nothing to do is called up by nothing: blocks may have become old enough to be asked of it too. */
	if (s->picker != NULL && shoal_picker_left(s->picker) > 0)
		s->dirty_fill = true;
	for (struct shoal_peer *p = s->peers, *next; p != NULL; p = next) {
		next = p->in_swarm;
		shoal_peer_tick(p, now);
	}
	shoal_swarm_turnover(s, now);
	shoal_evidence_tick(s, now);
	shoal_note_state(s, now);
}

/* What has a deadline is looked at between blocks too: one that does not come makes no noise. */
static shoal_us late_due(const struct shoal_swarm *s)
{
	bool any = s->state == SHOAL_SWARM_RUN && s->select.deadlines > 0 && s->landing.count > 0 && s->peer_count > 0;
	return any ? s->late_at + SHOAL_URGENT_LOOK : SHOAL_NEVER;
}

void shoal_swarm_tick(struct shoal_swarm *s, shoal_us now)
{
	if (s->state == SHOAL_SWARM_ENDED)
		return;
	if (s->tick_at + SHOAL_S(1) <= now)
		peers_tick(s, now);
	if (s->state == SHOAL_SWARM_METADATA)
		shoal_swarm_metadata_tick(s, now);
	else if (!shoal_swarm_running(s))
		shoal_swarm_look_tick(s, now);
	if (s->state == SHOAL_SWARM_PAUSED && s->retry_at <= now && !s->stopping)
		resume(s, now);
	if (s->state == SHOAL_SWARM_RUN) {
		shoal_reread_tick(s, now);
		if (s->to_check.ones > 0 && !s->stopping)
			shoal_swarm_check_tick(s, now);
		if (s->recheck && s->to_check.ones == 0 && s->checks_out == 0)
			recheck_ended(s, now);
		shoal_swarm_layers_tick(s, now);
		shoal_parts_tick(s, now);
		shoal_offered_tick(s);
		shoal_swarm_pieces_tick(s, now);
	}
	/* A finished check or a stop is recorded whatever state we are in; while paused nothing is. */
	if (s->storage_open && s->state != SHOAL_SWARM_PAUSED && s->state != SHOAL_SWARM_CHOOSE &&
	    s->state != SHOAL_SWARM_SCAN && s->state != SHOAL_SWARM_BASELINE)
		shoal_swarm_barrier_tick(s, now);
	if (s->state == SHOAL_SWARM_RUN) {
		maybe_complete(s, now);
		bool round = s->choke_at + s->node->policy->choke_round <= now || (s->rechoke && !s->choked_once);
		if (round || (s->rechoke && s->rechoked_at + SHOAL_MS(100) <= now)) {
			s->choked_once = true;
			choke_round(s, round, now);
		}
	}
	shoal_webseeds_tick(s, now);
	if (late_due(s) <= now) {
		s->late_at = now;
		s->dirty_fill = true;
	}
	if (s->state == SHOAL_SWARM_RUN)
		shoal_super_tick(s, now);
	if (s->dirty_fill && s->state == SHOAL_SWARM_RUN) {
		s->dirty_fill = false;
		for (struct shoal_peer *p = s->peers; p != NULL; p = p->in_swarm)
			shoal_peer_stir_in(p);
	}
}

shoal_us shoal_swarm_deadline(const struct shoal_swarm *s)
{
	if (s->state == SHOAL_SWARM_ENDED)
		return SHOAL_NEVER;
	shoal_us at = s->peer_count > 0 || s->disputes > 0 ? s->tick_at + SHOAL_S(1) : SHOAL_NEVER;
	if (!s->stopping && (s->state == SHOAL_SWARM_METADATA || shoal_swarm_running(s)))
		at = s->dial_now ? 0 : shoal_min_u64(at, s->dial_at);
	at = shoal_min_u64(at, shoal_webseeds_deadline(s));
	if (s->state == SHOAL_SWARM_PAUSED)
		return s->stopping ? at : shoal_min_u64(at, s->retry_at);
	if (s->state == SHOAL_SWARM_RUN) {
		at = shoal_min_u64(at, shoal_swarm_barrier_due(s));
		at = shoal_min_u64(at, shoal_super_deadline(s));
		at = shoal_min_u64(at, shoal_reread_deadline(s));
		at = shoal_min_u64(at, late_due(s));
		if (s->peer_count > 0)
			at = shoal_min_u64(at, s->rechoke ? s->rechoked_at + SHOAL_MS(100)
							  : s->choke_at + s->node->policy->choke_round);
		if (s->lane_wait != 0)
			at = shoal_min_u64(at, s->lane_wait);
		if (s->select.retry_at > s->node->now)
			at = shoal_min_u64(at, s->select.retry_at);
		if (s->dirty_fill) /* since its peers were last looked at */
			at = 0;
	} else if (s->state == SHOAL_SWARM_BASELINE) {
		if (s->record_at != 0)
			at = shoal_min_u64(at, s->record_at);
	} else if (s->state == SHOAL_SWARM_CHECK) {
		at = shoal_adopt_eager(s) ? 0 : shoal_min_u64(at, shoal_swarm_barrier_due(s));
	}
	return at;
}

int shoal_swarm_submit(struct shoal_swarm *s, struct shoal_disk_job *job)
{
	job->cookie = (uint64_t)(uintptr_t)s;
	int rc = shoal_node_submit(s->node, job);
	if (rc == 0)
		s->disk_jobs++;
	return rc;
}

void shoal_swarm_job_done(struct shoal_swarm *s, struct shoal_disk_job *job, shoal_us now)
{
	s->disk_jobs--;
	shoal_node_wake(s);
	switch (job->op) {
	case SHOAL_DISK_SCAN:
		if (s->state == SHOAL_SWARM_SCAN)
			shoal_swarm_scan_done(s, now);
		break;
	case SHOAL_DISK_WRITE:
		s->pieces_dirty = true;
		shoal_swarm_write_done(s, job->owner, now);
		break;
	case SHOAL_DISK_CHECK: shoal_swarm_check_done(s, job->owner, now); break;
	case SHOAL_DISK_SYNC:
	case SHOAL_DISK_FINISH: shoal_swarm_barrier_job(s, job, now); break;
	case SHOAL_DISK_READ:
		if (job->flags & SHOAL_NODE_JOB_OFFER)
			shoal_offered_job(s, job, now);
		else
			shoal_peer_read_done(job->owner, now);
		break;
	case SHOAL_DISK_ADOPT:
	case SHOAL_DISK_FIND: shoal_adopt_job(s, job, now); break;
	case SHOAL_DISK_REVEAL:
	case SHOAL_DISK_UNPART: shoal_parts_job_done(s, now); break;
	}
}

/* Nothing new begins; what was verified is recorded, and the files' records are closed. */
void shoal_swarm_stop(struct shoal_swarm *s, shoal_us now)
{
	s->stopping = true;
	while (s->peers != NULL)
		shoal_peer_close(s->peers, SHOAL_ERR_CLOSED, now);
	shoal_webseeds_stop(s);
	shoal_bits_wipe(&s->to_check);
	shoal_adopt_stop(s);
	shoal_announce_stop(s, now);
	shoal_finder_forget(s);
	if (s->mi == NULL || s->state == SHOAL_SWARM_ENDED || s->state == SHOAL_SWARM_SCAN ||
	    s->state == SHOAL_SWARM_METADATA || s->state == SHOAL_SWARM_CHOOSE)
		return;
	for (uint32_t f = 0; f <= shoal_metainfo_file_count(s->mi); f++)
		if (s->file[f].record_open)
			shoal_swarm_file_dirty(s, f);
}

bool shoal_swarm_stopped(const struct shoal_swarm *s)
{
	if (s->disk_jobs > 0 || s->barrier != SHOAL_BARRIER_IDLE ||
	    (s->state == SHOAL_SWARM_BASELINE && !s->baseline_done) || !shoal_announce_stopped(s))
		return false;
	if (s->state == SHOAL_SWARM_PAUSED || s->state == SHOAL_SWARM_ENDED || !s->storage_open ||
	    s->state == SHOAL_SWARM_SCAN || s->state == SHOAL_SWARM_BASELINE || s->state == SHOAL_SWARM_CHOOSE)
		return true;
	return s->fresh.ones == 0 && (s->dirty_count == 0 || s->read_only);
}
