/* swarm/core/select.c - priorities of files, as the picker, the figures and the peers see them; deadlines of pieces. */
#include "swarm/core/select.h"

#include <stdlib.h>
#include <string.h>
#include "proto/choose.h"
#include "swarm/core/node_room.h"

#define LOW_MAX 3u
#define HIGH_MIN 6u

void shoal_select_fini(struct shoal_swarm *s)
{
	struct shoal_select *sel = &s->select;
	shoal_budget_give(s->node->budget, sel->charged);
	shoal_bits_fini(&sel->in_part);
	shoal_bits_fini(&sel->to_move);
	shoal_bits_fini(&sel->hint);
	free(sel->move);
	free(sel->priority);
	free(sel->so);
	free(sel->deadline);
	*sel = (struct shoal_select){ 0 };
}

/* ---- what is wanted --------------------------------------------------------------------- */

static bool real(const struct shoal_metainfo *mi, uint32_t file)
{
	return !(shoal_metainfo_file_flags(mi, file) & (SHOAL_FILE_PAD | SHOAL_FILE_SYMLINK));
}

/* Bytes that `file` has of `piece`. */
static uint32_t overlap(const struct shoal_metainfo *mi, uint32_t file, uint32_t piece)
{
	uint64_t from = shoal_metainfo_file_offset(mi, file), to = from + shoal_metainfo_file_size(mi, file);
	uint64_t base = (uint64_t)piece * shoal_metainfo_piece_size(mi), end = base + shoal_metainfo_piece_size(mi);
	from = from > base ? from : base;
	to = to < end ? to : end;
	return from < to && real(mi, file) ? (uint32_t)(to - from) : 0;
}

uint32_t shoal_select_piece_bytes(const struct shoal_swarm *s, uint32_t piece)
{
	uint32_t first, last, bytes = 0;
	/* In v1 padding may lie within a piece, before a file that it does not bring to the next: asked for, and no file's. */
	bool padded = !s->has_v2 && shoal_metainfo_stream_size(s->mi) != shoal_metainfo_size(s->mi);
	if (s->select.priority == NULL && !padded)
		return shoal_metainfo_piece_bytes(s->mi, piece);
	shoal_metainfo_piece_files(s->mi, piece, &first, &last);
	for (uint32_t f = first; f <= last; f++)
		if (shoal_select_priority(&s->select, f) > 0)
			bytes += overlap(s->mi, f, piece);
	return bytes;
}

static void recount(struct shoal_swarm *s)
{
	s->size = s->claimed_bytes = s->verified_bytes = 0;
	for (uint32_t f = 0; f < shoal_metainfo_file_count(s->mi); f++)
		if (shoal_select_priority(&s->select, f) > 0 && real(s->mi, f))
			s->size += shoal_metainfo_file_size(s->mi, f);
	if (!shoal_swarm_running(s))
		return; /* what there is has yet to be looked at */
	for (uint32_t p = 0; p < s->claimed.count; p++) {
		bool claimed = shoal_bits_get(&s->claimed, p);
		bool verified = shoal_picker_is_done(s->picker, p) && !shoal_bits_get(&s->withdrawn, p);
		if (!claimed && !verified)
			continue;
		uint32_t bytes = shoal_select_piece_bytes(s, p);
		s->claimed_bytes += claimed ? bytes : 0;
		s->verified_bytes += verified ? bytes : 0;
	}
}

static enum shoal_pick_rank rank_of(uint8_t priority)
{
	return priority >= HIGH_MIN ? SHOAL_RANK_HIGH : priority <= LOW_MAX ? SHOAL_RANK_LOW : SHOAL_RANK_NORMAL;
}

/* A piece ranks as the most wanted of its files. */
static int rank_pieces(struct shoal_swarm *s)
{
	uint8_t *most = calloc((size_t)s->claimed.count + 1, 1);
	if (most == NULL)
		return SHOAL_ERR_NOMEM;
	for (uint32_t f = 0; f < shoal_metainfo_file_count(s->mi); f++) {
		uint32_t first, skew, count = shoal_claim_pieces(s->mi, f, &first, &skew);
		uint8_t priority = shoal_select_priority(&s->select, f);
		for (uint32_t i = 0; i < count; i++)
			most[first + i] = priority > most[first + i] ? priority : most[first + i];
	}
	for (uint32_t p = 0; p < s->claimed.count; p++) {
		shoal_picker_want(s->picker, p, most[p] > 0 && shoal_swarm_piece_known(s, p));
		if (most[p] > 0)
			shoal_picker_rank(s->picker, p, rank_of(most[p]));
	}
	free(most);
	return 0;
}

static int room_for_priorities(struct shoal_swarm *s)
{
	uint32_t files = shoal_metainfo_file_count(s->mi);
	if (s->select.priority != NULL)
		return 0;
	if (!shoal_node_charge(s->node, files))
		return SHOAL_ERR_NOMEM;
	s->select.charged += files;
	s->select.priority = malloc(files ? files : 1);
	if (s->select.priority == NULL)
		return SHOAL_ERR_NOMEM;
	memset(s->select.priority, SHOAL_PRIORITY_NORMAL, files);
	return 0;
}

static int take(struct shoal_swarm *s, uint64_t first, struct shoal_bytes files)
{
	uint32_t count = shoal_metainfo_file_count(s->mi);
	if (first > count || files.len > count - first)
		return SHOAL_ERR_RANGE;
	for (size_t i = 0; i < files.len; i++)
		if (files.at[i] > SHOAL_PRIORITY_HIGH)
			return SHOAL_ERR_RANGE;
	int rc = room_for_priorities(s);
	if (rc == 0 && files.len > 0)
		memcpy(s->select.priority + first, files.at, files.len);
	return rc;
}

static int take_so(struct shoal_swarm *s)
{
	uint32_t files = shoal_metainfo_file_count(s->mi);
	struct shoal_bytes list = shoal_bytes(s->select.so, strlen(s->select.so));
	bool *chosen = calloc((size_t)files + 1, sizeof *chosen);
	int64_t named = chosen != NULL ? shoal_ranges_choose(list, chosen, files) : SHOAL_ERR_NOMEM;
	int rc = named > 0 ? room_for_priorities(s) : named < 0 ? (int)named : SHOAL_ERR_GONE;
	for (uint32_t f = 0; rc == 0 && f < files; f++)
		s->select.priority[f] = chosen[f] ? SHOAL_PRIORITY_NORMAL : SHOAL_PRIORITY_SKIP;
	free(chosen);
	return rc;
}

int shoal_select_begin(struct shoal_swarm *s, struct shoal_bytes files)
{
	int rc = 0;
	if (files.len > 0)
		rc = files.len == shoal_metainfo_file_count(s->mi) ? take(s, 0, files) : SHOAL_ERR_RANGE;
	else if (s->select.so != NULL && !(s->flags & SHOAL_ADD_CHOOSE))
		rc = take_so(s);
	if (rc == 0 && s->select.priority != NULL)
		rc = rank_pieces(s);
	recount(s);
	return rc < 0 ? rc : files.len == 0 && (s->flags & SHOAL_ADD_CHOOSE);
}

/* ---- changes ------------------------------------------------------------------------------ */

/* An empty file has no piece that could bring it about. */
static void want_empty_files(struct shoal_swarm *s)
{
	for (uint32_t f = 0; f < shoal_metainfo_file_count(s->mi); f++)
		if (shoal_metainfo_file_size(s->mi, f) == 0 && real(s->mi, f) && !s->file[f].whole && !s->read_only &&
		    shoal_select_priority(&s->select, f) > 0)
			shoal_swarm_file_dirty(s, f);
}

bool shoal_select_all_claimed(const struct shoal_swarm *s)
{
	if (shoal_bits_full(&s->claimed))
		return true;
	for (uint32_t f = 0; f < shoal_metainfo_file_count(s->mi); f++) {
		uint32_t first, skew, count = shoal_claim_pieces(s->mi, f, &first, &skew);
		if (count > 0 && shoal_select_priority(&s->select, f) > 0 &&
		    shoal_bits_next_clear(&s->claimed, first) < first + count)
			return false;
	}
	return true;
}

bool shoal_select_partial(const struct shoal_swarm *s)
{
	return shoal_swarm_seeding(s) && !shoal_bits_full(shoal_picker_have(s->picker));
}

int shoal_select_files(struct shoal_swarm *s, const struct shoal_op *op, shoal_us now)
{
	struct shoal_event done = { .kind = SHOAL_EV_DONE, .ticket = op->ticket };
	bool choosing = s->state == SHOAL_SWARM_CHOOSE;
	if (s->mi == NULL || s->state == SHOAL_SWARM_ENDED)
		return SHOAL_ERR_GONE;
	if (s->stopping || (!choosing && !shoal_swarm_running(s)))
		return SHOAL_ERR_BUSY;
	int rc = take(s, op->offset, op->files);
	if (rc == 0)
		rc = rank_pieces(s);
	if (rc < 0)
		return rc;
	recount(s);
	if (choosing) {
		s->state = SHOAL_SWARM_SCAN;
		shoal_swarm_say(s, &done, now);
		return 0;
	}
	s->complete_said = false; /* it is said of what is wanted now */
	shoal_swarm_drop_unwanted(s, now);
	if ((rc = shoal_parts_plan(s, now)) < 0)
		return rc;
	want_empty_files(s);
	shoal_swarm_layers_again(s);
	shoal_swarm_needs_more(s, now);
	s->rechoke = s->pieces_dirty = true;
	shoal_swarm_say(s, &done, now);
	return 0;
}

/* ---- answers ------------------------------------------------------------------------------ */

static uint64_t done_of(const struct shoal_swarm *s, uint32_t file)
{
	uint32_t first, skew, count = shoal_claim_pieces(s->mi, file, &first, &skew);
	uint64_t done = 0;
	for (uint32_t i = 0; i < count && shoal_swarm_running(s); i++)
		if (shoal_bits_get(&s->claimed, first + i))
			done += overlap(s->mi, file, first + i);
	return done;
}

int shoal_select_tell(struct shoal_swarm *s, const struct shoal_op *op, shoal_us now)
{
	if (s->mi == NULL)
		return SHOAL_ERR_GONE;
	uint32_t files = shoal_metainfo_file_count(s->mi);
	if (op->offset > files)
		return SHOAL_ERR_RANGE;
	uint64_t most = op->length > 0 && op->length < SHOAL_FILES_PER_ANSWER ? op->length : SHOAL_FILES_PER_ANSWER;
	uint32_t first = (uint32_t)op->offset, count = files - first < most ? files - first : (uint32_t)most, n = 0;
	struct shoal_file_info *info = calloc((size_t)count + 1, sizeof *info);
	uint8_t *paths = malloc(SHOAL_SELECT_ANSWER_BYTES);
	size_t used = 0;
	int rc = info != NULL && paths != NULL ? 0 : SHOAL_ERR_NOMEM;
	for (; rc == 0 && n < count && SHOAL_SELECT_ANSWER_BYTES - used > SHOAL_PATH_BYTES_MAX; n++) {
		uint32_t f = first + n;
		int len = shoal_metainfo_path(s->mi, f, (struct shoal_space){ paths + used, SHOAL_PATH_BYTES_MAX + 1 });
		len = len > 0 ? len : 0;
		info[n] = (struct shoal_file_info){ .size = shoal_metainfo_file_size(s->mi, f),
						    .done = done_of(s, f),
						    .path_at = (uint32_t)used,
						    .path_count = (uint32_t)len,
						    .priority = shoal_select_priority(&s->select, f),
						    .pad = !real(s->mi, f) };
		used += (size_t)len;
	}
	if (rc == 0) {
		struct shoal_event ev = { .kind = SHOAL_EV_FILES,
					  .ticket = op->ticket,
					  .index = first,
					  .total = files,
					  .files = info,
					  .files_count = n,
					  .data = shoal_bytes(paths, used) };
		shoal_swarm_say(s, &ev, now);
	}
	free(info);
	free(paths);
	return rc;
}

/* ---- deadlines ------------------------------------------------------------------------------ */

static void deadline_drop(struct shoal_select *sel, uint32_t at)
{
	memmove(&sel->deadline[at], &sel->deadline[at + 1], (sel->deadlines - at - 1) * sizeof *sel->deadline);
	sel->deadlines--;
}

shoal_us shoal_select_due(const struct shoal_swarm *s, uint32_t piece)
{
	for (uint32_t i = 0; i < s->select.deadlines; i++)
		if (s->select.deadline[i].piece == piece)
			return s->select.deadline[i].at;
	return SHOAL_NEVER;
}

static void deadline_set(struct shoal_swarm *s, uint32_t piece, shoal_us when)
{
	struct shoal_select *sel = &s->select;
	struct shoal_open *open = shoal_landing_find(&s->landing, piece);
	uint32_t at = 0;
	if (open != NULL)
		open->due = when;
	for (uint32_t i = 0; i < sel->deadlines; i++) {
		if (sel->deadline[i].piece == piece) {
			deadline_drop(sel, i);
			break;
		}
	}
	if (when == SHOAL_NEVER)
		return;
	while (at < sel->deadlines && sel->deadline[at].at <= when)
		at++;
	memmove(&sel->deadline[at + 1], &sel->deadline[at], (sel->deadlines - at) * sizeof *sel->deadline);
	sel->deadline[at] = (struct shoal_deadline){ piece, when };
	sel->deadlines++;
}

int shoal_select_deadline(struct shoal_swarm *s, const struct shoal_op *op, shoal_us now)
{
	struct shoal_select *sel = &s->select;
	uint64_t end;
	if (s->mi == NULL)
		return SHOAL_ERR_GONE;
	if (op->length == 0 || !shoal_add_u64(op->offset, op->length, &end) || end > shoal_metainfo_stream_size(s->mi))
		return SHOAL_ERR_RANGE;
	uint32_t first = (uint32_t)(op->offset / shoal_metainfo_piece_size(s->mi));
	uint32_t last = (uint32_t)((end - 1) / shoal_metainfo_piece_size(s->mi));
	bool never = op->within == SHOAL_NEVER;
	/* Those of them that have one already are counted twice: the bound is for callers, who may look less far ahead. */
	if (!never && last - first >= SHOAL_DEADLINES_MAX - sel->deadlines)
		return SHOAL_ERR_RANGE;
	if (sel->deadline == NULL) {
		size_t need = SHOAL_DEADLINES_MAX * sizeof *sel->deadline;
		if (!shoal_node_charge(s->node, need))
			return SHOAL_ERR_NOMEM;
		sel->charged += need;
		sel->deadline = malloc(need);
		if (sel->deadline == NULL)
			return SHOAL_ERR_NOMEM;
	}
	for (uint32_t p = first; p <= last; p++)
		if (never || !shoal_picker_is_done(s->picker, p))
			deadline_set(s, p,
				     never || op->within > SHOAL_NEVER - 1 - now ? SHOAL_NEVER : now + op->within);
	s->dirty_fill = true;
	struct shoal_event ev = { .kind = SHOAL_EV_DONE, .ticket = op->ticket };
	shoal_swarm_say(s, &ev, now);
	return 0;
}

uint32_t shoal_select_urgent(struct shoal_swarm *s, const struct shoal_peer *p, uint32_t *at)
{
	struct shoal_select *sel = &s->select;
	while (*at < sel->deadlines) {
		uint32_t piece = sel->deadline[*at].piece;
		if (shoal_picker_is_done(s->picker, piece)) {
			deadline_drop(sel, *at);
			continue;
		}
		++*at;
		if (shoal_bits_get(&p->have, piece) && shoal_picker_wants(s->picker, piece))
			return piece;
	}
	return SHOAL_PIECE_NONE;
}
