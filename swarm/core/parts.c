/* swarm/core/parts.c - shares of unwanted files: which lie in the part file, what is claimed of them, and when they move. */
#include <stdlib.h>
#include <string.h>
#include "proto/base/digest.h"
#include "swarm/core/node_room.h"

/* ---- shares ----------------------------------------------------------------------------- */

struct share {
	uint32_t number, piece;
};

/* Whether `file` has bytes of `piece`, and others have too (padding in a piece counts, and does no harm). */
static bool straddles(const struct shoal_metainfo *mi, uint32_t file, uint32_t piece)
{
	uint64_t base = (uint64_t)piece * shoal_metainfo_piece_size(mi),
		 end = base + shoal_metainfo_piece_bytes(mi, piece);
	uint64_t from = shoal_metainfo_file_offset(mi, file), to = from + shoal_metainfo_file_size(mi, file);
	return from > base || to < end;
}

/* The shares of a file: none, one or two. */
static unsigned shares_of(const struct shoal_swarm *s, uint32_t file, struct share out[2])
{
	uint32_t first, skew, count = shoal_claim_pieces(s->mi, file, &first, &skew);
	unsigned n = 0;
	if (count > 0 && straddles(s->mi, file, first))
		out[n++] = (struct share){ 2 * file, first };
	if (count > 1 && straddles(s->mi, file, first + count - 1))
		out[n++] = (struct share){ 2 * file + 1, first + count - 1 };
	return n;
}

static uint32_t share_piece(const struct shoal_swarm *s, uint32_t number)
{
	uint32_t first = 0, skew, count = shoal_claim_pieces(s->mi, number / 2, &first, &skew);
	return number % 2 && count > 0 ? first + count - 1 : first;
}

uint32_t shoal_parts_share(const struct shoal_swarm *s, uint32_t file, uint32_t piece)
{
	struct share share[2];
	unsigned n = shares_of(s, file, share);
	for (unsigned i = 0; i < n; i++)
		if (share[i].piece == piece)
			return share[i].number;
	return UINT32_MAX;
}

bool shoal_parts_in(const struct shoal_swarm *s, uint32_t file, uint32_t piece)
{
	if (s->select.in_part.ones == 0)
		return false;
	return shoal_bits_get(&s->select.in_part, shoal_parts_share(s, file, piece));
}

bool shoal_parts_any(const struct shoal_swarm *s, uint32_t file)
{
	const struct shoal_bits *in = &s->select.in_part;
	return in->ones > 0 && (shoal_bits_get(in, 2 * file) || shoal_bits_get(in, 2 * file + 1));
}

static uint32_t part_file(const struct shoal_swarm *s)
{
	return shoal_metainfo_file_count(s->mi);
}

static int tell_disk(struct shoal_swarm *s, uint32_t number, bool in)
{
	const struct shoal_disk *disk = &s->node->disk;
	if (disk->ops->part == NULL)
		return SHOAL_ERR_UNSUPPORTED;
	return disk->ops->part(disk->d, s->storage, number / 2, number % 2, in);
}

static int room_for_shares(struct shoal_swarm *s)
{
	struct shoal_select *sel = &s->select;
	uint32_t count = 2 * shoal_metainfo_file_count(s->mi);
	/* and what the disk keeps of them */
	size_t need = 2 * shoal_bits_bytes(count) + count + SHOAL_SELECT_MOVES * sizeof *sel->move;
	if (sel->in_part.count == count)
		return 0;
	if (!shoal_node_charge(s->node, need))
		return SHOAL_ERR_NOMEM;
	sel->charged += need;
	if (sel->move == NULL)
		sel->move = calloc(SHOAL_SELECT_MOVES, sizeof *sel->move);
	if (sel->move == NULL || shoal_bits_init(&sel->to_move, count) < 0 || shoal_bits_init(&sel->in_part, count) < 0)
		return SHOAL_ERR_NOMEM;
	return 0;
}

static int put_in(struct shoal_swarm *s, uint32_t number)
{
	int rc = room_for_shares(s);
	if (rc == 0)
		rc = tell_disk(s, number, true);
	if (rc == 0)
		shoal_bits_set(&s->select.in_part, number);
	s->select.emptied = false;
	return rc;
}

static void take_out(struct shoal_swarm *s, uint32_t number)
{
	(void)!tell_disk(s, number, false); /* only the other way needs memory */
	shoal_bits_clear(&s->select.in_part, number);
	shoal_bits_clear(&s->select.to_move, number);
}

/* ---- records ------------------------------------------------------------------------------ */

/* Records of one part file: a bit for each share. The key cannot meet that of a file: its content is no file's. */
static void part_key(const struct shoal_swarm *s, uint32_t chunk, uint8_t out[SHOAL_CLAIM_KEY_LEN])
{
	uint8_t text[64] = "shoal part file of a torrent", digest[32];
	memcpy(text + 32, s->has_v2 ? s->v2.b : s->v1.b, s->has_v2 ? 32 : 20);
	shoal_sha256(shoal_bytes(text, sizeof text), out);
	shoal_sha256(shoal_bytes(s->folder, strlen(s->folder)), digest);
	memcpy(out + 32, digest, 16);
	shoal_put_u32(out + 48, chunk);
}

static uint32_t chunk_length(const struct shoal_swarm *s, uint32_t chunk)
{
	uint32_t shares = 2 * shoal_metainfo_file_count(s->mi), from = chunk * SHOAL_CLAIM_CHUNK;
	return shares - from < SHOAL_CLAIM_CHUNK ? shares - from : SHOAL_CLAIM_CHUNK;
}

static uint32_t chunks(const struct shoal_swarm *s)
{
	return (2 * shoal_metainfo_file_count(s->mi) + SHOAL_CLAIM_CHUNK - 1) / SHOAL_CLAIM_CHUNK;
}

int shoal_parts_record(struct shoal_swarm *s, const struct shoal_seen *seen, bool open)
{
	const struct shoal_store *store = &s->node->store;
	const struct shoal_bits *in = &s->select.in_part;
	if (store->ops == NULL)
		return 0;
	uint8_t *bitmap = malloc(SHOAL_CLAIM_CHUNK / 8), *value = malloc(SHOAL_CLAIM_VALUE_MAX);
	int rc = bitmap != NULL && value != NULL ? 0 : SHOAL_ERR_NOMEM;
	for (uint32_t c = 0; rc == 0 && c < chunks(s); c++) {
		uint32_t from = c * SHOAL_CLAIM_CHUNK, count = chunk_length(s, c), ones = 0;
		uint8_t key[SHOAL_CLAIM_KEY_LEN];
		memset(bitmap, 0, (count + 7) / 8);
		for (uint32_t n = shoal_bits_next(in, from); n < in->count && n < from + count;
		     n = shoal_bits_next(in, n + 1)) {
			uint32_t piece = share_piece(s, n);
			if (!shoal_bits_get(&s->claimed, piece) && !shoal_bits_get(&s->covered, piece))
				continue;
			bitmap[(n - from) / 8] |= (uint8_t)(1u << (n - from) % 8);
			ones++;
		}
		struct shoal_claim claim = { .flags = open ? SHOAL_CLAIM_OPEN : 0u,
					     .stamp = seen->stamp,
					     .piece_size = shoal_metainfo_piece_size(s->mi),
					     .first = from,
					     .count = count,
					     .bitmap = { bitmap, (count + 7) / 8 } };
		part_key(s, c, key);
		if (ones == 0) {
			rc = store->ops->drop(store->s, SHOAL_STORE_FILE, shoal_bytes(key, sizeof key));
			continue;
		}
		ptrdiff_t len = shoal_claim_encode(&claim, (struct shoal_space){ value, SHOAL_CLAIM_VALUE_MAX });
		rc = len < 0 ? (int)len
			     : store->ops->put(store->s, SHOAL_STORE_FILE, shoal_bytes(key, sizeof key),
					       shoal_bytes(value, (size_t)len));
	}
	free(bitmap);
	free(value);
	return rc;
}

/* ---- loading --------------------------------------------------------------------------------- */

struct loading {
	struct shoal_swarm *s;
	uint32_t chunk;
	bool any, doubt;
	int rc;
};

static void on_record(void *to, struct shoal_bytes value)
{
	struct loading *l = to;
	struct shoal_swarm *s = l->s;
	struct shoal_select *sel = &s->select;
	struct shoal_claim claim;
	uint32_t from = l->chunk * SHOAL_CLAIM_CHUNK;
	l->any = true;
	if (shoal_claim_decode(value, &claim) < 0 || claim.piece_size != shoal_metainfo_piece_size(s->mi) ||
	    claim.skew != 0 || claim.first != from || claim.count != chunk_length(s, l->chunk) ||
	    (claim.flags & SHOAL_CLAIM_ALL)) {
		l->doubt = true;
		return;
	}
	if (!shoal_claim_trusted(&claim, &sel->part))
		l->doubt = true;
	uint32_t shares = 2 * shoal_metainfo_file_count(s->mi);
	if (sel->hint.count == 0) {
		size_t need = shoal_bits_bytes(shares);
		l->rc = shoal_node_charge(s->node, need) ? shoal_bits_init(&sel->hint, shares) : SHOAL_ERR_NOMEM;
		if (l->rc < 0)
			return;
		sel->charged += need;
	}
	for (uint32_t i = 0; i < claim.count; i++)
		if (claim.bitmap.at[i / 8] >> i % 8 & 1)
			shoal_bits_set(&sel->hint, from + i);
}

int shoal_parts_load(struct shoal_swarm *s, const struct shoal_seen *seen)
{
	const struct shoal_store *store = &s->node->store;
	struct shoal_select *sel = &s->select;
	struct loading l = { .s = s };
	sel->part = *seen;
	s->file[part_file(s)].seen = seen->state;
	for (uint32_t c = 0; store->ops != NULL && c < chunks(s); c++) {
		uint8_t key[SHOAL_CLAIM_KEY_LEN];
		part_key(s, c, key);
		l.chunk = c;
		int rc = store->ops->get(store->s, SHOAL_STORE_FILE, shoal_bytes(key, sizeof key), on_record, &l);
		if (rc < 0 || l.rc < 0)
			return rc < 0 ? rc : l.rc;
	}
	sel->hint_stale = l.any;
	sel->hint_believed = l.any && !l.doubt && !(s->flags & (SHOAL_ADD_FORCE_CHECK | SHOAL_ADD_CHECK_ONLY));
	return 0;
}

void shoal_parts_before(struct shoal_swarm *s, uint32_t file, struct shoal_parts_look *look)
{
	struct share share[2];
	look->count = 0;
	if (s->select.hint.ones == 0 && shoal_select_priority(&s->select, file) > 0)
		return;
	look->count = shares_of(s, file, share);
	for (unsigned i = 0; i < look->count; i++) {
		look->share[i] = share[i].number;
		look->piece[i] = share[i].piece;
		look->claimed[i] = shoal_bits_get(&s->claimed, share[i].piece);
		look->to_check[i] = shoal_bits_get(&s->to_check, share[i].piece);
		/* So that what is left of them is what the file itself vouches for. */
		shoal_bits_set(&s->claimed, share[i].piece);
		shoal_bits_set(&s->to_check, share[i].piece);
	}
}

static void bit_be(struct shoal_bits *bits, uint32_t i, bool on)
{
	if (on)
		shoal_bits_set(bits, i);
	else
		shoal_bits_clear(bits, i);
}

int shoal_parts_after(struct shoal_swarm *s, uint32_t file, const struct shoal_seen *seen,
		      const struct shoal_parts_look *look)
{
	struct shoal_select *sel = &s->select;
	bool hidden = shoal_select_priority(sel, file) == 0 && seen->state == SHOAL_SEEN_NONE;
	bool part = sel->part.state == SHOAL_SEEN_PART;
	for (unsigned i = 0; i < look->count; i++) {
		uint32_t piece = look->piece[i];
		bool hint = part && shoal_bits_get(&sel->hint, look->share[i]);
		bool claimed = shoal_bits_get(&s->claimed, piece), check = shoal_bits_get(&s->to_check, piece);
		if (hidden || (hint && !claimed)) {
			int rc = put_in(s, look->share[i]);
			if (rc == SHOAL_ERR_UNSUPPORTED) /* no part files here: it goes to its file after all */
				rc = 0;
			else if (rc < 0)
				return rc;
			else
				claimed = hint && sel->hint_believed, check = part;
		}
		bit_be(&s->claimed, piece, claimed && look->claimed[i]);
		bit_be(&s->to_check, piece, check && look->to_check[i]);
	}
	return 0;
}

void shoal_parts_loaded(struct shoal_swarm *s)
{
	struct shoal_select *sel = &s->select;
	shoal_bits_fini(&sel->hint);
	for (uint32_t n = shoal_bits_next(&sel->in_part, 0); n < sel->in_part.count && !s->read_only;
	     n = shoal_bits_next(&sel->in_part, n + 1))
		if (shoal_select_priority(sel, n / 2) > 0)
			shoal_bits_set(&sel->to_move, n);
	/* One that nothing lies in any more, since its life ended before it could go. */
	if (sel->in_part.ones == 0 && sel->part.state == SHOAL_SEEN_PART && !s->read_only) {
		sel->emptied = true;
		shoal_swarm_file_dirty(s, part_file(s));
	}
}

int shoal_parts_baseline(struct shoal_swarm *s)
{
	struct shoal_select *sel = &s->select;
	if (!sel->hint_stale || s->read_only)
		return 0;
	/* What is believed is recorded as being written from now on; what is not goes. */
	struct shoal_swarm_file *file = &s->file[part_file(s)];
	struct shoal_seen seen = sel->part;
	int rc = shoal_parts_record(s, &seen, true);
	file->record_open = sel->in_part.ones > 0;
	return rc < 0 ? rc : 1;
}

/* ---- while it runs --------------------------------------------------------------------------------- */

/* Nobody reads it to verify it, and nobody writes it. */
static bool at_rest(const struct shoal_swarm *s, uint32_t piece)
{
	return shoal_landing_find(&s->landing, piece) == NULL && !shoal_bits_get(&s->to_check, piece) &&
	       !shoal_bits_get(&s->withdrawn, piece) && s->checks_out == 0;
}

int shoal_parts_plan(struct shoal_swarm *s, shoal_us now)
{
	struct shoal_select *sel = &s->select;
	(void)now;
	for (uint32_t f = 0; f < shoal_metainfo_file_count(s->mi) && !s->read_only; f++) {
		struct share share[2];
		bool skip = shoal_select_priority(sel, f) == 0;
		bool exists = s->file[f].begun || s->file[f].seen != SHOAL_SEEN_NONE;
		if ((exists || !skip) && !shoal_parts_any(s, f))
			continue; /* its bytes lie where they belong */
		for (unsigned i = shares_of(s, f, share); i-- > 0;) {
			if (!skip && shoal_bits_get(&sel->in_part, share[i].number))
				shoal_bits_set(&sel->to_move, share[i].number);
			if (!skip)
				continue;
			shoal_bits_clear(&sel->to_move, share[i].number);
			if (exists || shoal_bits_get(&sel->in_part, share[i].number))
				continue;
			int rc = put_in(s, share[i].number);
			if (rc < 0 && rc != SHOAL_ERR_UNSUPPORTED)
				return rc;
		}
	}
	return 0;
}

int shoal_parts_hide(struct shoal_swarm *s, uint32_t file)
{
	struct share share[2];
	int rc = 0;
	for (unsigned i = shares_of(s, file, share); i-- > 0 && rc == 0;) {
		if (!shoal_picker_is_done(s->picker, share[i].piece))
			rc = put_in(s, share[i].number);
	}
	return rc == SHOAL_ERR_UNSUPPORTED ? 0 : rc;
}

static void submit(struct shoal_swarm *s, enum shoal_disk_op op, uint32_t count, shoal_us now)
{
	struct shoal_select *sel = &s->select;
	sel->job = (struct shoal_disk_job){
		.op = op, .storage = s->storage, .list = sel->move, .count = count, .owner = s
	};
	sel->job_out = shoal_swarm_submit(s, &sel->job) == 0;
	if (!sel->job_out)
		sel->retry_at = now + SHOAL_MS(50);
}

/* The shares of the last job are in both places. From here on their files' is the one that counts, and the next barrier
 * says so; one under way must not, since it does not make the copies durable. */
static void settle_moved(struct shoal_swarm *s)
{
	struct shoal_select *sel = &s->select;
	sel->moved = false;
	for (uint32_t i = 0; i < sel->job.count; i++) {
		uint32_t number = sel->move[i], piece = share_piece(s, number);
		if (!shoal_picker_is_done(s->picker, piece) || !at_rest(s, piece))
			continue; /* something happened to it meanwhile: once more, later */
		take_out(s, number);
		shoal_swarm_file_dirty(s, number / 2);
		shoal_swarm_file_dirty(s, part_file(s));
	}
	sel->emptied = sel->in_part.ones == 0;
}

void shoal_parts_tick(struct shoal_swarm *s, shoal_us now)
{
	struct shoal_select *sel = &s->select;
	uint32_t count = 0;
	if (sel->moved && s->barrier == SHOAL_BARRIER_IDLE)
		settle_moved(s);
	if (sel->job_out || sel->moved || sel->to_move.ones == 0 || s->stopping || sel->retry_at > now)
		return;
	for (uint32_t n = shoal_bits_next(&sel->to_move, 0); n < sel->to_move.count && count < SHOAL_SELECT_MOVES;
	     n = shoal_bits_next(&sel->to_move, n + 1)) {
		uint32_t piece = share_piece(s, n);
		if (!at_rest(s, piece))
			continue;
		if (shoal_picker_is_done(s->picker, piece)) {
			sel->move[count++] = n;
			s->file[n / 2].begun = true;
		} else { /* there is nothing to move */
			take_out(s, n);
			sel->emptied = sel->in_part.ones == 0;
			shoal_swarm_file_dirty(s, part_file(s));
		}
	}
	if (count > 0)
		submit(s, SHOAL_DISK_REVEAL, count, now);
}

void shoal_parts_job_done(struct shoal_swarm *s, shoal_us now)
{
	struct shoal_select *sel = &s->select;
	sel->job_out = false;
	if (sel->job.op == SHOAL_DISK_UNPART) {
		s->file[part_file(s)].seen = SHOAL_SEEN_NONE; /* one that could not be removed is some bytes, no more */
		return;
	}
	if (sel->job.err == 0) {
		sel->moved = true;
		return;
	}
	sel->retry_at = now + SHOAL_SWARM_RETRY_STORAGE;
	if (sel->job.err == SHOAL_ERR_GONE && sel->job.bad_file == part_file(s)) {
		/* The part file is not what it was: what it held is fetched again. */
		for (uint32_t i = 0; i < sel->job.count; i++)
			shoal_swarm_withdraw(s, share_piece(s, sel->move[i]), now);
		return;
	}
	shoal_swarm_pause(s, sel->job.err, "cannot move a file's first or last bytes into place", now);
}

void shoal_parts_recorded(struct shoal_swarm *s)
{
	struct shoal_select *sel = &s->select;
	uint32_t file = part_file(s);
	if (!sel->emptied || sel->job_out || sel->moved || s->file[file].dirty || sel->in_part.ones > 0)
		return;
	sel->emptied = false;
	if (s->file[file].seen != SHOAL_SEEN_NONE)
		submit(s, SHOAL_DISK_UNPART, 0, s->node->now);
}
