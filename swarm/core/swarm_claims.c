/* swarm/core/swarm_claims.c - from verified to claimed: barriers, records, and what old records are worth. */
#include <stdlib.h>
#include <string.h>
#include "swarm/core/node_room.h"

#define BARRIER_FILES_MAX \
	16384u /* some 4 MiB of records and looks; dirty files that one barrier carries; the others wait for the next */

/* ---- records ----------------------------------------------------------------------------- */

static uint32_t chunks_of(uint32_t pieces)
{
	return (pieces + SHOAL_CLAIM_CHUNK - 1) / SHOAL_CLAIM_CHUNK;
}

/* In the record of `file`: what lies in the part file is vouched for there. */
static bool piece_recorded(const struct shoal_swarm *s, uint32_t file, uint32_t piece)
{
	if (shoal_parts_in(s, file, piece))
		return false;
	return shoal_bits_get(&s->claimed, piece) || shoal_bits_get(&s->covered, piece);
}

/* Where a whole file lies, for whoever wants to adopt it. `path` is the room for it. */
static void place_name(const struct shoal_swarm *s, uint32_t file, struct shoal_claim *claim,
		       char path[SHOAL_PATH_BYTES_MAX + 1])
{
	int len = shoal_metainfo_path(s->mi, file, (struct shoal_space){ (uint8_t *)path, SHOAL_PATH_BYTES_MAX + 1 });
	if (len <= 0)
		return;
	claim->folder = shoal_bytes(s->folder, strlen(s->folder));
	claim->path = shoal_bytes(path, (size_t)len);
}

int shoal_swarm_record(struct shoal_swarm *s, uint32_t file, const struct shoal_seen *seen, bool open)
{
	struct shoal_store *store = &s->node->store;
	uint32_t first, skew;
	if (file == shoal_metainfo_file_count(s->mi))
		return shoal_parts_record(s, seen, open);
	uint32_t pieces = shoal_claim_pieces(s->mi, file, &first, &skew);
	if (store->ops == NULL || pieces == 0)
		return 0;
	uint8_t *bitmap = malloc(SHOAL_CLAIM_CHUNK / 8);
	uint8_t *value = malloc(SHOAL_CLAIM_VALUE_MAX);
	char path[SHOAL_PATH_BYTES_MAX + 1];
	bool whole = !open && s->file[file].left == 0;
	bool rooted = shoal_metainfo_file_root(s->mi, file) != NULL;
	int rc = bitmap != NULL && value != NULL ? 0 : SHOAL_ERR_NOMEM;
	for (uint32_t c = 0; rc == 0 && c < chunks_of(pieces); c++) {
		uint32_t from = c * SHOAL_CLAIM_CHUNK;
		uint32_t count = pieces - from < SHOAL_CLAIM_CHUNK ? pieces - from : SHOAL_CLAIM_CHUNK;
		uint32_t ones = 0;
		uint8_t key[SHOAL_CLAIM_KEY_LEN];
		memset(bitmap, 0, (count + 7) / 8);
		for (uint32_t i = 0; i < count; i++) {
			if (piece_recorded(s, file, first + from + i)) {
				bitmap[i / 8] |= (uint8_t)(1u << i % 8);
				ones++;
			}
		}
		struct shoal_claim claim = {
			.flags = (open ? SHOAL_CLAIM_OPEN : 0u) | (ones == count ? SHOAL_CLAIM_ALL : 0u) |
				 (s->file[file].foreign && s->file[file].left > 0 ? SHOAL_CLAIM_FOREIGN : 0u),
			.stamp = seen->stamp,
			.piece_size = shoal_metainfo_piece_size(s->mi),
			.skew = skew,
			.first = from,
			.count = count,
			.bitmap = { bitmap, (count + 7) / 8 },
		};
		shoal_claim_key(s->mi, file, shoal_bytes(s->folder, strlen(s->folder)), c, key);
		if (ones == 0) {
			rc = store->ops->drop(store->s, SHOAL_STORE_FILE, shoal_bytes(key, sizeof key));
			continue;
		}
		if (c == 0 && whole && rooted)
			place_name(s, file, &claim, path);
		ptrdiff_t len = shoal_claim_encode(&claim, (struct shoal_space){ value, SHOAL_CLAIM_VALUE_MAX });
		rc = len < 0 ? (int)len
			     : store->ops->put(store->s, SHOAL_STORE_FILE, shoal_bytes(key, sizeof key),
					       shoal_bytes(value, (size_t)len));
		if (rc < 0 || c > 0 || !whole || rooted || !shoal_adopt_by_name(s->mi, file))
			continue;
		/* Without a root it is found by its name, and by another record. */
		place_name(s, file, &claim, path);
		len = shoal_claim_encode(&claim, (struct shoal_space){ value, SHOAL_CLAIM_VALUE_MAX });
		rc = len < 0 ? (int)len
			     : shoal_adopt_record(s, file, shoal_bytes(key, sizeof key),
						  shoal_bytes(value, (size_t)len));
	}
	free(bitmap);
	free(value);
	return rc;
}

void shoal_swarm_file_dirty(struct shoal_swarm *s, uint32_t file)
{
	if (s->file[file].dirty)
		return;
	s->file[file].dirty = true;
	s->dirty_file[s->dirty_count++] = file;
	if (s->fresh_since == 0)
		s->fresh_since = s->node->now;
}

/* ---- loading ------------------------------------------------------------------------------- */

struct loading {
	struct shoal_swarm *s;
	const struct shoal_seen *seen;
	uint32_t first, pieces, skew, chunk;
	bool believed, any, open, foreign;
	bool whole; /* every record claims all its pieces, and is believed */
};

static int stamp_keep(struct shoal_swarm *s, uint32_t file, const struct shoal_stamp *stamp)
{
	if (s->scan_stamps == s->scan_stamp_room) {
		uint32_t room = s->scan_stamp_room ? s->scan_stamp_room * 2
						   : 64; /* at most SHOAL_FILES_MAX: no overflow */
		struct shoal_swarm_stamp *more = realloc(s->scan_stamp, room * sizeof *more);
		if (more == NULL)
			return SHOAL_ERR_NOMEM;
		s->scan_stamp = more;
		s->scan_stamp_room = room;
	}
	s->scan_stamp[s->scan_stamps++] = (struct shoal_swarm_stamp){ file, *stamp };
	return 0;
}

static void clear_range(struct shoal_bits *bits, uint32_t from, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		shoal_bits_clear(bits, from + i);
}

static void on_record(void *to, struct shoal_bytes value)
{
	struct loading *l = to;
	struct shoal_claim claim;
	struct shoal_swarm *s = l->s;
	uint32_t from = l->chunk * SHOAL_CLAIM_CHUNK;
	uint32_t count = l->pieces - from < SHOAL_CLAIM_CHUNK ? l->pieces - from : SHOAL_CLAIM_CHUNK;
	l->any = true;
	if (shoal_claim_decode(value, &claim) < 0)
		return;
	l->foreign = l->foreign || (claim.flags & SHOAL_CLAIM_FOREIGN);
	if (s->flags & (SHOAL_ADD_FORCE_CHECK | SHOAL_ADD_CHECK_ONLY))
		return;
	if (claim.piece_size != shoal_metainfo_piece_size(s->mi) || claim.skew != l->skew || claim.first != from ||
	    claim.count != count || !shoal_claim_trusted(&claim, l->seen))
		return;
	l->believed = true;
	l->open = l->open || (claim.flags & SHOAL_CLAIM_OPEN);
	l->whole = l->whole && (claim.flags & SHOAL_CLAIM_ALL);
	for (uint32_t i = 0; i < count; i++)
		if (!(claim.flags & SHOAL_CLAIM_ALL) && !(claim.bitmap.at[i / 8] >> i % 8 & 1))
			shoal_bits_clear(&s->claimed, l->first + from + i);
}

/*
 * `claimed` and `to_check` begin with every bit set; each file clears the pieces it cannot vouch for: those
 * its record does not claim, and those its bytes cannot hold.
 */
static int load_file(struct shoal_swarm *s, uint32_t file, const struct shoal_seen *seen)
{
	struct loading l = { .s = s, .seen = seen, .whole = true };
	struct shoal_swarm_file *f = &s->file[file];
	const struct shoal_store *store = &s->node->store;
	uint64_t size = shoal_metainfo_file_size(s->mi, file);
	bool there = seen->state == SHOAL_SEEN_PART || seen->state == SHOAL_SEEN_WHOLE;

	f->seen = seen->state;
	l.pieces = shoal_claim_pieces(s->mi, file, &l.first, &l.skew);
	if (l.pieces == 0) {
		bool real = !(shoal_metainfo_file_flags(s->mi, file) & (SHOAL_FILE_PAD | SHOAL_FILE_SYMLINK));
		f->whole = !real || seen->state == SHOAL_SEEN_WHOLE;
		if (!f->whole && shoal_select_priority(&s->select, file) > 0)
			shoal_swarm_file_dirty(s, file);
		return 0;
	}
	if (!there) {
		clear_range(&s->claimed, l.first, l.pieces);
		clear_range(&s->to_check, l.first, l.pieces);
		return 0;
	}
	if (seen->stamp.size < size) { /* pieces that reach past its end are not all there */
		uint64_t held = l.skew + seen->stamp.size;
		uint32_t keep = (uint32_t)(held / shoal_metainfo_piece_size(s->mi));
		clear_range(&s->claimed, l.first + keep, l.pieces - keep);
		clear_range(&s->to_check, l.first + keep, l.pieces - keep);
	}
	if (seen->stamp.size > size && seen->state == SHOAL_SEEN_WHOLE)
		f->too_long = true;
	f->brief = seen->stamp.size > 0 && seen->stamp.size < size;
	for (uint32_t c = 0; c < chunks_of(l.pieces); c++) {
		uint8_t key[SHOAL_CLAIM_KEY_LEN];
		uint32_t from = c * SHOAL_CLAIM_CHUNK;
		l.believed = false;
		l.chunk = c;
		if (store->ops != NULL) {
			shoal_claim_key(s->mi, file, shoal_bytes(s->folder, strlen(s->folder)), c, key);
			int rc = store->ops->get(store->s, SHOAL_STORE_FILE, shoal_bytes(key, sizeof key), on_record,
						 &l);
			if (rc < 0)
				return rc;
		}
		l.whole = l.whole && l.believed;
		if (!l.believed)
			clear_range(&s->claimed, l.first + from,
				    l.pieces - from < SHOAL_CLAIM_CHUNK ? l.pieces - from : SHOAL_CLAIM_CHUNK);
	}
	f->foreign = seen->state == SHOAL_SEEN_WHOLE && (!l.any || l.foreign) && !(s->flags & SHOAL_ADD_OVERWRITE);
	f->record_open = l.open;
	if (l.any && !(l.whole && !l.open && seen->state == SHOAL_SEEN_WHOLE)) {
		int rc = stamp_keep(s, file, &seen->stamp);
		if (rc < 0)
			return rc;
	}
	f->record_stale = l.any; /* rewritten, or withdrawn, before anything is written to the file */
	return 0;
}

static int load_shared(struct shoal_swarm *s, uint32_t file, const struct shoal_seen *seen)
{
	struct shoal_parts_look look;
	shoal_parts_before(s, file, &look);
	int rc = load_file(s, file, seen);
	return rc < 0 ? rc : shoal_parts_after(s, file, seen, &look);
}

int shoal_swarm_claims_load(struct shoal_swarm *s)
{
	const struct shoal_store *store = &s->node->store;
	bool hold = store->ops != NULL && store->ops->hold != NULL;
	int rc = 0;
	if (hold)
		store->ops->hold(store->s, true);
	for (uint32_t i = 0; i < s->scan_job.count && rc >= 0; i++) {
		const struct shoal_seen *seen = &s->scan_seen[i];
		/* From here on what is read from it must be this file; what we write ourselves makes the stamp void. */
		if (seen->state == SHOAL_SEEN_WHOLE)
			s->node->disk.ops->stamp(s->node->disk.d, s->storage, s->scan_at + i, &seen->stamp);
		rc = load_shared(s, s->scan_at + i, seen);
	}
	if (hold)
		store->ops->hold(store->s, false);
	return rc;
}

/*
 * Before the first byte is written: the records say what is so. A file that will be written to is recorded
 * as open (its stamp is about to change); what was not believed is withdrawn.
 */
int shoal_swarm_baseline(struct shoal_swarm *s, shoal_us now)
{
	const struct shoal_store *store = &s->node->store;
	uint32_t files = shoal_metainfo_file_count(s->mi), at = 0;
	(void)now;
	if (store->ops == NULL)
		return 0;
	if (!shoal_node_commits(s->node))
		return SHOAL_ERR_BUSY;
	int any = shoal_parts_baseline(s);
	if (any < 0)
		return any;
	for (uint32_t f = 0; f < files; f++) {
		struct shoal_swarm_file *file = &s->file[f];
		bool will_write = (file->left > 0 || shoal_parts_any(s, f)) && !s->read_only;
		if (!file->record_stale || (file->whole && !file->record_open))
			continue;
		if (!will_write && !file->record_open && file->left == 0)
			continue;
		while (at < s->scan_stamps && s->scan_stamp[at].file < f)
			at++;
		/* None was kept: its record claims all of it, rightly, and a neighbour in a piece of both has lost bytes. The
		 * neighbour's record speaks for that piece as well, and is rewritten; this one need not be. */
		if (at == s->scan_stamps || s->scan_stamp[at].file != f)
			continue;
		struct shoal_seen seen = { .stamp = s->scan_stamp[at].stamp, .state = file->seen };
		int rc = shoal_swarm_record(s, f, &seen, will_write);
		if (rc < 0)
			return rc;
		file->record_open = will_write;
		s->baseline_put = true;
	}
	if (!any && !s->baseline_put) /* the second: by a call that then found the store at its bound */
		return 0;
	int rc = shoal_node_commit(s->node, s);
	return rc < 0 ? rc : 1;
}

/* ---- barriers -------------------------------------------------------------------------------- */

/* These may be on the disk or not, and only the disk knows: to be hashed again, past the cache. */
static void doubt(struct shoal_swarm *s, const struct shoal_bits *pieces, shoal_us now)
{
	for (uint32_t p = shoal_bits_next(pieces, 0); p < pieces->count; p = shoal_bits_next(pieces, p + 1)) {
		shoal_swarm_unverified(s, p, now);
		shoal_picker_open(s->picker, p); /* not to be fetched before it has been looked at */
		shoal_bits_set(&s->to_check, p);
	}
}

static void barrier_failed(struct shoal_swarm *s, int err, const char *what, shoal_us now)
{
	doubt(s, &s->covered, now);
	shoal_bits_wipe(&s->covered);
	if (s->barrier != SHOAL_BARRIER_COMMIT) {
		/* A sync fails for all that had been written when it ran, and says so once. That is more than the barrier
		 * covered: pieces verified since it began, and those whose writes are under way. */
		doubt(s, &s->fresh, now);
		s->fresh_bytes = 0;
		s->sync_failures++;
		for (struct shoal_open *o = s->landing.head; o != NULL; o = o->next)
			o->suspect |= o->job_out || o->handed > 0 || (o->repaired && !o->whole) ||
				      shoal_open_has_source(o, SHOAL_SOURCE_HERE);
	}
	s->check_flags = SHOAL_DISK_DROP;
	s->barrier = SHOAL_BARRIER_IDLE;
	for (uint32_t i = 0; i < s->barrier_files; i++)
		shoal_swarm_file_dirty(s, s->barrier_file[i]);
	shoal_swarm_pause(s, err, what, now);
}

static int barrier_submit(struct shoal_swarm *s, enum shoal_disk_op op, uint32_t count)
{
	s->barrier_job = (struct shoal_disk_job){ .op = op,
						  .storage = s->storage,
						  .list = s->barrier_file,
						  .file = op == SHOAL_DISK_SYNC ? s->finish_count : 0,
						  .count = count,
						  .seen = s->barrier_seen,
						  .owner = s };
	return shoal_swarm_submit(s, &s->barrier_job);
}

static int by_number(const void *x, const void *y)
{
	uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
	return (a > b) - (a < b);
}

/* Puts the files that are whole as of now to the front, in their order: they will get their final names. */
static void sort_whole_first(struct shoal_swarm *s)
{
	uint32_t front = 0;
	for (uint32_t i = 0; i < s->barrier_files; i++) {
		uint32_t f = s->barrier_file[i];
		if (s->file[f].left != 0 || s->file[f].whole || s->read_only || f == shoal_metainfo_file_count(s->mi) ||
		    shoal_parts_any(s, f))
			continue;
		if (shoal_metainfo_file_size(s->mi, f) == 0 && shoal_select_priority(&s->select, f) == 0)
			continue; /* made only when it is wanted */
		s->barrier_file[i] = s->barrier_file[front];
		s->barrier_file[front++] = f;
	}
	s->finish_count = front;
}

static void barrier_start(struct shoal_swarm *s, shoal_us now)
{
	uint32_t n = s->dirty_count < BARRIER_FILES_MAX ? s->dirty_count : BARRIER_FILES_MAX;
	if (s->barrier_room < n) {
		uint32_t *list = realloc(s->barrier_file, n * sizeof *list);
		if (list == NULL)
			return;
		s->barrier_file = list;
		struct shoal_seen *seen = realloc(s->barrier_seen, n * sizeof *seen);
		if (seen == NULL)
			return;
		s->barrier_seen = seen;
		s->barrier_room = n;
	}
	memcpy(s->barrier_file, s->dirty_file + (s->dirty_count - n), n * sizeof *s->barrier_file);
	s->barrier_files = n;
	/* Those of a folder side by side: it is opened once, not for each. */
	qsort(s->barrier_file, n, sizeof *s->barrier_file, by_number);
	sort_whole_first(s);
	if (barrier_submit(s, SHOAL_DISK_SYNC, n) < 0)
		return;
	for (uint32_t i = 0; i < n; i++)
		s->file[s->barrier_file[i]].dirty = false;
	s->dirty_count -= n;
	s->barrier = SHOAL_BARRIER_SYNC;
	s->barrier_at = now;
	s->barrier_closing = s->stopping;
	uint32_t files = shoal_metainfo_file_count(s->mi);
	/* Pieces with a file that has to wait for the next barrier wait with it. */
	for (uint32_t p = shoal_bits_next(&s->fresh, 0); p < s->fresh.count; p = shoal_bits_next(&s->fresh, p + 1)) {
		uint32_t first, last;
		bool all = true;
		shoal_metainfo_piece_files(s->mi, p, &first, &last);
		for (uint32_t f = first; f <= last && s->dirty_count > 0; f++)
			all = all && !s->file[shoal_parts_in(s, f, p) ? files : f].dirty;
		if (all)
			shoal_bits_set(&s->covered, p);
	}
	for (uint32_t p = shoal_bits_next(&s->covered, 0); p < s->covered.count;
	     p = shoal_bits_next(&s->covered, p + 1))
		shoal_bits_clear(&s->fresh, p);
	s->fresh_bytes = 0;
	s->fresh_since = s->dirty_count > 0 ? now : 0;
	shoal_bits_copy(&s->withdrawing, &s->withdrawn);
}

static void commit(struct shoal_swarm *s, shoal_us now)
{
	int rc = shoal_node_commits(s->node) ? 0 : SHOAL_ERR_BUSY;
	for (uint32_t i = 0; rc == 0 && i < s->barrier_files; i++) {
		uint32_t f = s->barrier_file[i];
		bool closed = s->file[f].whole || s->read_only || s->barrier_closing;
		if (f == shoal_metainfo_file_count(s->mi))
			s->file[f].seen = s->barrier_seen[i].state;
		rc = shoal_swarm_record(s, f, &s->barrier_seen[i], !closed);
		s->file[f].record_open = !closed;
	}
	if (rc == 0 && shoal_picker_left(s->picker) == 0 && shoal_bits_full(shoal_picker_have(s->picker)))
		rc = shoal_adopt_torrent(s);
	s->barrier = SHOAL_BARRIER_COMMIT;
	if (rc == 0)
		rc = shoal_node_commit(s->node, s);
	if (rc == SHOAL_ERR_BUSY) { /* others' records are on their way: all of ours again when some are through */
		s->barrier = SHOAL_BARRIER_RECORD;
		s->record_at = now + SHOAL_SWARM_RECORD_AGAIN;
	} else if (rc < 0)
		barrier_failed(s, rc, "cannot record what was verified", now);
	else if (rc == 0 && s->node->store.ops == NULL)
		shoal_swarm_committed(s, 0, now);
}

void shoal_swarm_barrier_job(struct shoal_swarm *s, struct shoal_disk_job *job, shoal_us now)
{
	if (job->err < 0)
		return barrier_failed(s, job->err,
				      job->op == SHOAL_DISK_SYNC ? "cannot make the data durable"
								 : "cannot give a finished file its name",
				      now);
	if (job->op == SHOAL_DISK_SYNC && s->read_only) { /* what was checked in place is as whole as it gets */
		for (uint32_t i = 0; i < s->barrier_files; i++) {
			uint32_t f = s->barrier_file[i];
			if (s->file[f].left == 0 && s->barrier_seen[i].state == SHOAL_SEEN_WHOLE) {
				s->file[f].whole = true;
				s->node->disk.ops->stamp(s->node->disk.d, s->storage, f, &s->barrier_seen[i].stamp);
			}
		}
	}
	if (job->op == SHOAL_DISK_SYNC && s->finish_count > 0) {
		s->barrier = SHOAL_BARRIER_FINISH;
		int rc = barrier_submit(s, SHOAL_DISK_FINISH, s->finish_count);
		if (rc < 0)
			barrier_failed(s, rc, "cannot give a finished file its name", now);
		return;
	}
	if (job->op == SHOAL_DISK_FINISH) {
		const struct shoal_disk *disk = &s->node->disk;
		for (uint32_t i = 0; i < s->finish_count; i++) {
			uint32_t f = s->barrier_file[i];
			s->file[f].whole = true;
			s->file[f].seen = SHOAL_SEEN_WHOLE;
			disk->ops->stamp(disk->d, s->storage, f, &s->barrier_seen[i].stamp);
		}
	}
	commit(s, now);
}

static void announce(struct shoal_swarm *s, uint32_t piece, shoal_us now)
{
	struct shoal_wire_msg have = { .id = SHOAL_WIRE_HAVE, .index = piece };
	for (struct shoal_peer *p = s->peers, *next; p != NULL; p = next) {
		next = p->in_swarm;
		shoal_peer_say(p, &have, now);
	}
	struct shoal_event ev = { .kind = SHOAL_EV_PIECE, .index = piece };
	shoal_swarm_say(s, &ev, now);
}

static void barrier_done(struct shoal_swarm *s, shoal_us now)
{
	s->barrier = SHOAL_BARRIER_IDLE;
	s->barrier_took = now - s->barrier_at;
	s->barrier_good_at = now;
	shoal_swarm_well(s, now);
	for (uint32_t p = shoal_bits_next(&s->covered, 0); p < s->covered.count;
	     p = shoal_bits_next(&s->covered, p + 1)) {
		shoal_bits_set(&s->claimed, p);
		s->claimed_bytes += shoal_select_piece_bytes(s, p);
		if (s->state == SHOAL_SWARM_RUN || s->state == SHOAL_SWARM_PAUSED)
			announce(s, p, now);
	}
	shoal_bits_wipe(&s->covered);
	for (uint32_t p = shoal_bits_next(&s->withdrawing, 0); p < s->withdrawing.count;
	     p = shoal_bits_next(&s->withdrawing, p + 1)) {
		if (!shoal_bits_clear(&s->withdrawn, p))
			continue;
		/* It may be fetched again now. But a read that failed once may not fail twice, and nobody else may have it:
		 * look first. */
		shoal_picker_undone(s->picker, p);
		shoal_picker_open(s->picker, p);
		shoal_bits_set(&s->to_check, p);
	}
	shoal_bits_wipe(&s->withdrawing);
	shoal_parts_recorded(s);
}

void shoal_swarm_committed(struct shoal_swarm *s, int err, shoal_us now)
{
	shoal_node_wake(s);
	if (s->state == SHOAL_SWARM_BASELINE) {
		if (err < 0)
			return shoal_swarm_fail(s, err, "cannot write to the state database", now);
		s->baseline_done = true;
		return;
	}
	if (s->barrier != SHOAL_BARRIER_COMMIT)
		return;
	if (err < 0)
		return barrier_failed(s, err, "cannot record what was verified", now);
	barrier_done(s, now);
}

/* When the next barrier is due; SHOAL_NEVER when there is nothing for it. */
static shoal_us barrier_due(const struct shoal_swarm *s)
{
	if (s->barrier == SHOAL_BARRIER_RECORD)
		return s->record_at;
	if (s->barrier != SHOAL_BARRIER_IDLE || (s->fresh.ones == 0 && s->dirty_count == 0))
		return SHOAL_NEVER;
	bool checking = s->to_check.ones > 0 || s->checks_out > 0;
	bool all_in = shoal_picker_left(s->picker) == 0 || s->stopping || s->state == SHOAL_SWARM_CHECK;
	if (checking && !s->stopping) /* what is found along the way is recorded now and then */
		return s->barrier_at + SHOAL_SWARM_BARRIER_MAX;
	if (all_in || s->fresh_bytes >= SHOAL_SWARM_BARRIER_BYTES)
		return s->barrier_at;
	shoal_us pause = shoal_min_u64(SHOAL_SWARM_BARRIER_MAX, 4 * s->barrier_took);
	/* Of many small files the names and records are most of the work, and grow with the files: to wait does not save
	 * any, and leaves more of it to be waited for at the end. */
	if (s->dirty_count >= SHOAL_SWARM_BARRIER_FILES)
		pause = 0;
	pause = shoal_max_u64(SHOAL_SWARM_BARRIER_MIN, pause);
	return s->barrier_at == 0 ? s->fresh_since : s->barrier_at + s->barrier_took + pause;
}

void shoal_swarm_barrier_tick(struct shoal_swarm *s, shoal_us now)
{
	if (s->barrier == SHOAL_BARRIER_RECORD && (s->record_at <= now || shoal_node_commits(s->node)))
		commit(s, now);
	if (s->storage_open && barrier_due(s) <= now)
		barrier_start(s, now);
}

shoal_us shoal_swarm_barrier_due(const struct shoal_swarm *s)
{
	return s->storage_open ? barrier_due(s) : SHOAL_NEVER;
}
