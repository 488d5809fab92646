/* swarm/core/swarm_scan.c - from the first look at the files to running: scan, baseline, check; see swarm.h. */
#include "swarm/core/swarm.h"

#include <stdio.h>
#include <stdlib.h>
#include "swarm/core/node_room.h"

#define SCAN_FILES 4096u /* files looked at by one job */

int shoal_swarm_scan_begin(struct shoal_swarm *s)
{
	uint32_t files = shoal_metainfo_file_count(s->mi);
	s->scan_seen = calloc(files < SCAN_FILES ? files + 1 : SCAN_FILES,
			      sizeof *s->scan_seen); /* or the part file alone */
	return s->scan_seen != NULL ? 0 : SHOAL_ERR_NOMEM;
}

static void scan_next(struct shoal_swarm *s, shoal_us now)
{
	uint32_t files = shoal_metainfo_file_count(s->mi);
	uint32_t n = files - s->scan_at < SCAN_FILES ? files - s->scan_at : SCAN_FILES;
	bool part = !s->part_scanned && s->node->disk.ops->part != NULL; /* first: it may vouch for others' bytes */
	s->scan_job = (struct shoal_disk_job){ .op = SHOAL_DISK_SCAN,
					       .storage = s->storage,
					       .file = part ? files : s->scan_at,
					       .count = part ? 1 : n,
					       .seen = s->scan_seen,
					       .owner = s };
	int rc = shoal_swarm_submit(s, &s->scan_job);
	if (rc == 0)
		s->scan_out = true;
	else if (rc != SHOAL_ERR_BUSY)
		shoal_swarm_fail(s, rc, "cannot look at the files", now);
}

/* What lies there is recorded as it is before anything is written; the store may be at its bound, then a little later. */
static void baseline(struct shoal_swarm *s, shoal_us now)
{
	int rc = shoal_swarm_baseline(s, now);
	s->record_at = rc == SHOAL_ERR_BUSY ? now + SHOAL_SWARM_RECORD_AGAIN : 0;
	if (rc == SHOAL_ERR_BUSY)
		return;
	free(s->scan_stamp);
	s->scan_stamp = NULL;
	s->scan_stamps = s->scan_stamp_room = 0;
	if (rc < 0)
		shoal_swarm_fail(s, rc, "cannot write to the state database", now);
	else if (rc == 0)
		s->baseline_done = true;
}

/* All files have been looked at: what is claimed, what must be hashed, what is missing. */
static void scan_ended(struct shoal_swarm *s, shoal_us now)
{
	uint32_t files = shoal_metainfo_file_count(s->mi);
	bool unfinished = false;
	for (uint32_t p = 0; p < s->claimed.count; p++) {
		if (shoal_bits_get(&s->claimed, p)) {
			shoal_bits_clear(&s->to_check, p);
			shoal_picker_done(s->picker, p);
			s->claimed_bytes += shoal_select_piece_bytes(s, p);
		} else if (shoal_bits_get(&s->to_check, p) && !shoal_swarm_piece_known(s, p)) {
			shoal_bits_clear(&s->to_check, p); /* it cannot be hashed against anything yet */
			s->check_later = true;
		}
		if (shoal_bits_get(&s->to_check, p))
			s->check_total += shoal_metainfo_piece_bytes(s->mi, p);
	}
	s->verified_bytes = s->claimed_bytes;
	for (uint32_t f = 0; f < files; f++) {
		uint32_t first, skew;
		uint32_t pieces = shoal_claim_pieces(s->mi, f, &first, &skew);
		struct shoal_swarm_file *file = &s->file[f];
		for (uint32_t i = 0; i < pieces; i++)
			file->left += !shoal_bits_get(&s->claimed, first + i);
		if (pieces == 0)
			continue;
		if (file->left == 0 && shoal_parts_any(s, f)) {
			continue; /* what it has lies in the part file */
		} else if (file->left == 0 && file->seen == SHOAL_SEEN_WHOLE) {
			file->whole = true;
			if (file->record_open)
				shoal_swarm_file_dirty(s, f); /* close its record */
		} else if (file->left == 0) {
			shoal_swarm_file_dirty(s, f); /* all there, and never given its name */
		}
		if (file->too_long)
			s->long_files++;
		unfinished = unfinished || file->left > 0 || file->record_open;
	}
	shoal_parts_loaded(s);
	/* Empty files have no records. Those that an unfinished life before this one has made may not be durable. */
	for (uint32_t f = 0; f < files && !s->read_only && (unfinished || s->size == 0); f++)
		if (s->file[f].whole && s->file[f].seen == SHOAL_SEEN_WHOLE && shoal_metainfo_file_size(s->mi, f) == 0)
			shoal_swarm_file_dirty(s, f);
	free(s->scan_seen);
	s->scan_seen = NULL;
	s->state = SHOAL_SWARM_BASELINE;
	baseline(s, now);
}

void shoal_swarm_scan_done(struct shoal_swarm *s, shoal_us now)
{
	char text[SHOAL_PATH_BYTES_MAX + 128];
	s->scan_out = false;
	if (s->scan_job.err < 0) {
		snprintf(text, sizeof text, "cannot look at the files in %s: %s", s->folder,
			 shoal_err_name(s->scan_job.err));
		return shoal_swarm_fail(s, s->scan_job.err, text, now);
	}
	if (s->scan_job.file == shoal_metainfo_file_count(s->mi) && s->scan_job.count == 1) {
		s->part_scanned = true;
		int rc = shoal_parts_load(s, &s->scan_seen[0]);
		if (rc < 0)
			shoal_swarm_fail(s, rc, "cannot read the state database", now);
		return;
	}
	int rc = shoal_swarm_claims_load(s);
	if (rc < 0)
		return shoal_swarm_fail(s, rc, "cannot read the state database", now);
	for (uint32_t i = 0; i < s->scan_job.count; i++) {
		const struct shoal_seen *seen = &s->scan_seen[i];
		uint32_t f = s->scan_at + i;
		if (seen->state == SHOAL_SEEN_OTHER &&
		    !(shoal_metainfo_file_flags(s->mi, f) & (SHOAL_FILE_PAD | SHOAL_FILE_SYMLINK))) {
			char path[SHOAL_PATH_BYTES_MAX + 1];
			int n = shoal_metainfo_path(s->mi, f, (struct shoal_space){ (uint8_t *)path, sizeof path });
			snprintf(text, sizeof text,
				 "%s is in the way: not a regular file, or reached through a link; move it away",
				 n >= 0 ? path : "a file");
			return shoal_swarm_fail(s, SHOAL_ERR_DENIED, text, now);
		}
	}
	s->scan_at += s->scan_job.count;
	if (s->scan_at >= shoal_metainfo_file_count(s->mi))
		scan_ended(s, now);
}

static void run(struct shoal_swarm *s, shoal_us now)
{
	s->state = SHOAL_SWARM_RUN;
	struct shoal_event ev = { .kind = SHOAL_EV_CHECKED, .done = s->claimed_bytes, .total = s->size };
	if (!s->checked_said) {
		s->checked_said = true;
		shoal_swarm_say(s, &ev, now);
	}
	if (!s->stopping && shoal_swarm_existing_judge(s, now))
		return;
	if (s->long_files > 0) {
		char text[96];
		snprintf(text, sizeof text, "%u file%s longer than the torrent says; the extra bytes are left alone",
			 s->long_files, s->long_files == 1 ? " is" : "s are");
		shoal_swarm_warn(s, text, now);
	}
	if (s->read_only && (shoal_picker_left(s->picker) > 0 || s->dirty_count > 0) &&
	    !(s->flags & SHOAL_ADD_CHECK_ONLY)) {
		char text[200];
		snprintf(text, sizeof text,
			 "%u of %u pieces are missing or damaged: run 'shoal verify' to see which, 'shoal get' to mend",
			 shoal_picker_left(s->picker), shoal_metainfo_piece_count(s->mi));
		return shoal_swarm_fail(s, s->check_error < 0 ? s->check_error : SHOAL_ERR_HASH, text, now);
	}
	/* Those who came while we were looking hear what there is. */
	for (struct shoal_peer *p = s->peers; p != NULL; p = p->in_swarm) {
		for (uint32_t i = shoal_bits_next(&s->claimed, 0); i < s->claimed.count;
		     i = shoal_bits_next(&s->claimed, i + 1)) {
			struct shoal_wire_msg have = { .id = SHOAL_WIRE_HAVE, .index = i };
			shoal_peer_say(p, &have, now);
			if (p->closing)
				break;
		}
		if (p->closing)
			break; /* the list has changed; the next connection says it better */
	}
	for (struct shoal_peer *p = s->peers, *next; p != NULL; p = next) {
		next = p->in_swarm;
		shoal_peer_interest(p, now);
	}
	s->dirty_fill = s->rechoke = true;
	shoal_announce_begin(s, now);
}

void shoal_swarm_look_tick(struct shoal_swarm *s, shoal_us now)
{
	if (s->state == SHOAL_SWARM_SCAN && !s->scan_out)
		scan_next(s, now);
	if (s->state == SHOAL_SWARM_BASELINE && !s->baseline_done && s->record_at != 0 && s->record_at <= now)
		baseline(s, now);
	if (s->state == SHOAL_SWARM_BASELINE && s->baseline_done)
		s->state = SHOAL_SWARM_CHECK;
	if (s->state != SHOAL_SWARM_CHECK)
		return;
	if (!s->stopping)
		shoal_swarm_check_tick(s, now);
	bool adopting = shoal_swarm_own_layers_tick(s, now) || shoal_adopt_tick(s, now);
	bool settled = s->fresh.ones == 0 && s->barrier == SHOAL_BARRIER_IDLE && (s->dirty_count == 0 || s->read_only);
	if (s->to_check.ones == 0 && s->checks_out == 0 && settled && !adopting)
		run(s, now);
}
