/* swarm/core/webseed_run.c - which blocks to ask of a web seed, and their way into the slots. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "swarm/core/node_room.h"
#include "swarm/core/webseed.h"

#define SLOW_OWNER SHOAL_S(5)	/* whoever needs longer for the rest of his piece gets help */
#define ALONE_FOR SHOAL_S(30)	/* a piece that failed is left to the less suspected so long */
#define HELP_AFTER SHOAL_S(1)	/* end game: a piece open so long may be fetched twice */
#define FAR_DELAY SHOAL_MS(10)	/* from here on the wait between two ranges is worth a connection more */
#define LIMIT_PART 8		/* of a second: bytes of a run under a limit */
#define LIMIT_LOOK SHOAL_MS(50) /* a limit that peers may use up is looked at again */
#define RANGE_TIME SHOAL_S(60)	/* for a range, besides what its bytes take at */
#define RANGE_RATE (16u * 1024) /* bytes a second */

static struct shoal_open *open_of(const struct shoal_webseed *ws, uint32_t piece)
{
	return shoal_landing_find(&ws->swarm->landing, piece);
}

static bool has(const struct shoal_webseed *ws, uint32_t piece)
{
	return ws->have.word == NULL || shoal_bits_get(&ws->have, piece);
}

/* Where a block begins in the torrent's stream. */
static uint64_t stream_at(const struct shoal_swarm *s, uint32_t piece, uint32_t block)
{
	return (uint64_t)piece * shoal_metainfo_piece_size(s->mi) + (uint64_t)block * SHOAL_BLOCK;
}

static uint32_t block_len(const struct shoal_webseed *ws, const struct shoal_webask *a)
{
	uint32_t bytes = shoal_metainfo_piece_bytes(ws->swarm->mi, a->piece), begin = a->block * SHOAL_BLOCK;
	return bytes - begin < SHOAL_BLOCK ? bytes - begin : SHOAL_BLOCK;
}

/* ---- an address ------------------------------------------------------------------------- */

static bool put(struct shoal_space *to, struct shoal_bytes bytes)
{
	if (bytes.len >= to->len)
		return false;
	if (bytes.len > 0)
		memcpy(to->at, bytes.at, bytes.len);
	*to = (struct shoal_space){ to->at + bytes.len, to->len - bytes.len };
	return true;
}

/* A folder's or a file's name; "." and ".." would lead elsewhere on the server. */
static bool put_name(struct shoal_space *to, struct shoal_bytes name)
{
	if (name.len == 0 || shoal_bytes_equal(name, SHOAL_LIT(".")) || shoal_bytes_equal(name, SHOAL_LIT("..")))
		return false;
	ptrdiff_t n = shoal_url_escape(name, (struct shoal_space){ to->at, to->len - 1 });
	if (n < 0)
		return false;
	*to = (struct shoal_space){ to->at + n, to->len - (size_t)n };
	return true;
}

bool shoal_webseed_url(const struct shoal_webseed *ws, uint32_t file, char out[SHOAL_URL_MAX + 1])
{
	const struct shoal_metainfo *mi = ws->swarm->mi;
	struct shoal_bytes base = shoal_bytes(ws->url, strlen(ws->url));
	struct shoal_space to = { (uint8_t *)out, SHOAL_URL_MAX + 1 };
	bool slash = base.len > 0 && base.at[base.len - 1] == '/';
	uint8_t path[SHOAL_PATH_BYTES_MAX + 1];
	if (!put(&to, base))
		return false;
	if (shoal_metainfo_single(mi)) { /* the URL is the file's own, unless it says it is a folder's */
		if (slash && !put_name(&to, shoal_metainfo_name_raw(mi)))
			return false;
		*to.at = '\0';
		return true;
	}
	int n = shoal_metainfo_path_raw(mi, file, (struct shoal_space){ path, sizeof path });
	if (n < 0 || (!slash && !put(&to, SHOAL_LIT("/"))))
		return false;
	for (size_t from = 0, end = 0; end <= (size_t)n; end++) {
		if (end < (size_t)n && path[end] != '/')
			continue;
		if ((from > 0 && !put(&to, SHOAL_LIT("/"))) || !put_name(&to, shoal_bytes(path + from, end - from)))
			return false;
		from = end + 1;
	}
	*to.at = '\0';
	return true;
}

/* ---- the end of a run ---------------------------------------------------------------------- */

static void unask(struct shoal_webrun *r, struct shoal_webask *a, struct shoal_slot *slot)
{
	struct shoal_open *open = open_of(r->seed, a->piece);
	assert(open != NULL); /* a piece closes only when nobody is asked for any of it */
	a->mine = false;
	r->mine--;
	shoal_open_unask(&r->seed->swarm->landing, open, a->block, r->weak, slot);
	if (open->owner == r->seed->serial)
		open->owner = 0;
}

void shoal_webrun_end(struct shoal_webrun *r)
{
	struct shoal_webseed *ws = r->seed;
	if (ws == NULL)
		return;
	struct shoal_node *n = ws->swarm->node;
	if (r->cookie != 0)
		n->world.ops->fetch_stop(n->world.w, r->cookie);
	for (uint32_t i = r->at; i < r->count; i++) {
		if (!r->ask[i].mine)
			continue;
		shoal_pace_spared(ws->swarm, block_len(ws, &r->ask[i]));
		unask(r, &r->ask[i], i == r->at ? r->slot : NULL);
	}
	struct shoal_webrun **at = &n->webruns;
	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	free(r->ask);
	shoal_budget_give(n->budget, r->charged);
	*r = (struct shoal_webrun){ 0 };
	if (ws->swarm->webruns-- == SHOAL_WEBSEEDS_RUNS_MAX) /* others may have waited for that */
		for (struct shoal_webseed *o = ws->swarm->webseeds; o != NULL; o = o->next)
			o->dirty = true;
	ws->runs--;
	ws->dirty = true;
}

void shoal_webrun_weaken(struct shoal_webrun *r)
{
	struct shoal_webseed *ws = r->seed;
	r->weak = true;
	for (uint32_t i = r->at; i < r->count; i++) {
		struct shoal_open *open = r->ask[i].mine ? open_of(ws, r->ask[i].piece) : NULL;
		if (open == NULL)
			continue;
		shoal_open_weaken(open, r->ask[i].block);
		if (open->owner == ws->serial)
			open->owner = 0;
	}
	ws->swarm->dirty_fill = true;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static void waste(struct shoal_webseed *ws, uint64_t bytes)
{
	ws->wasted += bytes;
	ws->swarm->wasted += bytes;
}

static void landed(struct shoal_webrun *r, struct shoal_webask *a, shoal_us now)
{
	struct shoal_webseed *ws = r->seed;
	struct shoal_swarm *s = ws->swarm;
	struct shoal_open *open = open_of(ws, a->piece);
	struct shoal_slot *slot = r->slot;
	a->mine = false;
	r->mine--;
	r->slot = NULL;
	r->landed = true;
	if (r->weak)
		open->weak--;
	bool shared = open->asked[a->block] > !r->weak || open->weak > 0;
	shoal_open_landed(&s->landing, open, a->block, slot, ws->serial, now);
	s->pieces_dirty = true;
	if (!shared)
		return;
	for (struct shoal_peer *p = s->peers, *next; p != NULL; p = next) {
		next = p->in_swarm;
		shoal_peer_unask(p, a->piece, a->block, true, now);
	}
	shoal_webseeds_unask(s, a->piece, a->block);
}

/* A place for the block whose bytes begin to come. Without one (memory is gone, and it is not the first asker) it passes by. */
static void place(struct shoal_webrun *r, struct shoal_webask *a)
{
	struct shoal_open *open = open_of(r->seed, a->piece);
	r->slot = shoal_open_slot(&r->seed->swarm->landing, open);
	if (r->slot == NULL)
		unask(r, a, NULL);
}

/* The next `n` bytes of the block under way: `from`, or zeros. They do not pass its end. */
static void lay(struct shoal_webrun *r, const uint8_t *from, uint32_t n, shoal_us now)
{
	struct shoal_webask *a = &r->ask[r->at];
	uint32_t len = block_len(r->seed, a);
	if (r->filled == 0 && a->mine)
		place(r, a);
	if (r->slot == NULL && from != NULL)
		waste(r->seed, n);
	size_t real = shoal_slots_real(r->seed->swarm->node->slots, r->filled, n);
	if (r->slot != NULL && real > 0 && from != NULL)
		memcpy(r->slot->at + r->filled, from, real);
	else if (r->slot != NULL && real > 0)
		memset(r->slot->at + r->filled, 0, real);
	r->filled += n;
	if (r->filled < len)
		return;
	r->filled = 0;
	r->at++;
	if (a->mine)
		landed(r, a, now);
}

void shoal_webrun_bytes(struct shoal_webrun *r, struct shoal_bytes data, shoal_us now)
{
	while (data.len > 0 && r->seed != NULL && r->at < r->count) {
		uint32_t room = block_len(r->seed, &r->ask[r->at]) - r->filled;
		uint32_t n = data.len < room ? (uint32_t)data.len : room;
		lay(r, data.at, n, now);
		data = shoal_bytes(data.at + n, data.len - n);
	}
	if (r->seed != NULL && r->mine == 0 && r->left > 0)
		shoal_webrun_end(r); /* nothing of what is still to come is of use */
}

/* ---- one range after the other ------------------------------------------------------------------ */

/* From `pos`, how far the run's blocks follow each other in the stream. */
static uint64_t run_until(const struct shoal_webrun *r)
{
	const struct shoal_webask *a = &r->ask[r->at];
	const struct shoal_webseed *ws = r->seed;
	uint64_t end = stream_at(ws->swarm, a->piece, a->block) + block_len(ws, a);
	for (uint32_t i = r->at + 1; i < r->count && stream_at(ws->swarm, r->ask[i].piece, r->ask[i].block) == end; i++)
		end += block_len(ws, &r->ask[i]);
	return end;
}

/* Asks for [pos, end) of a file. */
static int ask(struct shoal_webrun *r, uint32_t file, uint64_t pos, uint64_t end, shoal_us now)
{
	struct shoal_webseed *ws = r->seed;
	struct shoal_node *n = ws->swarm->node;
	const struct shoal_metainfo *mi = ws->swarm->mi;
	uint64_t begin = shoal_metainfo_file_offset(mi, file), size = shoal_metainfo_file_size(mi, file);
	char url[SHOAL_URL_MAX + 1];
	if (!shoal_webseed_url(ws, file, url))
		return SHOAL_ERR_MALFORMED;
	struct shoal_fetch f = { .url = shoal_bytes(url, strlen(url)),
				 .from = pos - begin,
				 .to = end - begin,
				 .size = size,
				 .most = end - pos,
				 .timeout = RANGE_TIME + SHOAL_S((end - pos) / RANGE_RATE),
				 .flags = ws->trusted ? SHOAL_FETCH_TRUSTED : 0 };
	if (f.from == 0 && f.to == size) /* all of it: a server without ranges will do */
		f.to = 0;
	uint64_t cookie = shoal_node_cookie(n, SHOAL_COOKIE_WEBSEED);
	int rc = n->world.ops->fetch(n->world.w, &f, cookie);
	if (rc < 0)
		return rc;
	r->cookie = cookie;
	r->file = file;
	r->left = end - pos;
	ws->question = ws->question == 0 ? r->left : (ws->question * 15 + r->left) / 16;
	r->asked = r->heard = now;
	return 0;
}

void shoal_webrun_go(struct shoal_webrun *r, shoal_us now)
{
	struct shoal_webseed *ws = r->seed;
	struct shoal_swarm *s = ws->swarm;
	const struct shoal_metainfo *mi = s->mi;
	while (r->seed != NULL && r->at < r->count && r->mine > 0) {
		const struct shoal_webask *a = &r->ask[r->at];
		uint64_t pos = stream_at(s, a->piece, a->block) + r->filled;
		uint32_t file = shoal_metainfo_file_at(mi, pos);
		uint64_t file_end = shoal_metainfo_file_offset(mi, file) + shoal_metainfo_file_size(mi, file);
		if (shoal_metainfo_file_flags(mi, file) & SHOAL_FILE_PAD) {
			uint32_t room = block_len(ws, a) - r->filled;
			lay(r, NULL, file_end - pos < room ? (uint32_t)(file_end - pos) : room, now);
			continue;
		}
		int rc = ask(r, file, pos, shoal_min_u64(run_until(r), file_end), now);
		if (rc == 0)
			return;
		shoal_webrun_end(r);
		if (rc == SHOAL_ERR_MALFORMED)
			shoal_webseed_lacks(ws, file, "its files have names that no URL can have", now);
		else /* the world is busy */
			ws->ready_at = now + SHOAL_S(1);
		return;
	}
	if (r->seed == NULL)
		return;
	/* All of it came. The next one is twice as long while that is soon done, and shorter when it takes too long. */
	uint64_t asked = (uint64_t)r->count * SHOAL_BLOCK;
	shoal_us took = now - r->began;
	if (took < SHOAL_MS(500) && asked >= ws->range / 2)
		ws->range = 2 * ws->range < SHOAL_WEBSEED_RANGE_MAX ? 2 * ws->range : SHOAL_WEBSEED_RANGE_MAX;
	else if (took > SHOAL_S(4) && ws->range / 2 >= SHOAL_WEBSEED_RANGE_MIN)
		ws->range /= 2;
	shoal_webrun_end(r);
}

/* ---- which blocks ------------------------------------------------------------------------------------ */

static struct shoal_peer *peer_of(const struct shoal_swarm *s, uint32_t serial)
{
	struct shoal_peer *p = s->peers;
	while (p != NULL && p->serial != serial)
		p = p->in_swarm;
	return p;
}

/* As long as the owner of a piece needs for `blocks` more of it; 0: he does not come to it at all. */
static shoal_us owner_takes(struct shoal_swarm *s, uint32_t owner, uint32_t blocks, shoal_us now)
{
	struct shoal_peer *p = peer_of(s, owner);
	uint64_t rate = 0;
	if (p != NULL)
		rate = p->choking_us || p->snubbed ? 0 : shoal_rate_now(&p->flow.down, now);
	else if (!shoal_webseeds_owner(s, owner, &rate, now))
		return 0;
	return rate > 0 ? (shoal_us)blocks * SHOAL_BLOCK * 1000000 / rate + 1 : 0;
}

/* A piece that failed is for those least suspected of it, as long as they may come to serve us. */
static bool trusted_with(const struct shoal_webseed *ws, const struct shoal_open *open, shoal_us now)
{
	if (ws->doubt == 0 || open->attempts == 0 || open->opened + ALONE_FOR <= now)
		return true;
	for (const struct shoal_peer *p = ws->swarm->peers; p != NULL; p = p->in_swarm)
		if (p->doubt < ws->doubt && !p->snubbed && !p->choking_us && shoal_bits_get(&p->have, open->piece))
			return false;
	return !shoal_webseeds_less(ws->swarm, open->piece, ws->doubt);
}

static bool may_join(struct shoal_webseed *ws, const struct shoal_open *open, shoal_us now)
{
	if (open->state != SHOAL_OPEN_FETCHING || open->unasked == 0 || !has(ws, open->piece) ||
	    !trusted_with(ws, open, now))
		return false;
	if (open->owner == 0 || open->owner == ws->serial)
		return true;
	shoal_us takes = owner_takes(ws->swarm, open->owner, open->unasked, now);
	return takes == 0 || takes > (open->attempts > 0 ? ALONE_FOR : SLOW_OWNER);
}

static void add(struct shoal_webrun *r, struct shoal_open *open, uint32_t block)
{
	r->ask[r->count++] = (struct shoal_webask){ .piece = open->piece, .block = block, .mine = true };
	r->mine++;
	shoal_open_ask(open, block);
	shoal_pace_took(r->seed->swarm, SHOAL_DOWN, shoal_open_block_len(open, block));
}

/* Blocks of an open piece that nobody was asked for, from the first such one on. true: up to the piece's end. */
static bool take_unasked(struct shoal_webrun *r, struct shoal_open *open, uint32_t most)
{
	uint32_t block = shoal_open_unasked(open), last = block, before = r->count;
	while (block != UINT32_MAX && r->count < most && (block == last || block == last + 1)) {
		add(r, open, block);
		last = block;
		block = shoal_open_unasked(open);
	}
	if (r->count > before && open->owner == 0) /* of some there is nothing to ask: all of it is read from here */
		open->owner = r->seed->serial;
	return last == open->blocks - 1;
}

/* A file that one run could have whole begins here, and this run would have a part of it: two questions for one. */
static bool better_whole(const struct shoal_webrun *r, uint32_t piece, uint32_t most)
{
	const struct shoal_metainfo *mi = r->seed->swarm->mi;
	uint64_t at = (uint64_t)piece * shoal_metainfo_piece_size(mi);
	uint32_t file = shoal_metainfo_file_at(mi, at);
	uint64_t size = shoal_metainfo_file_size(mi, file);
	return shoal_metainfo_file_offset(mi, file) == at && size <= r->seed->range &&
	       size > (uint64_t)(most - r->count) * SHOAL_BLOCK;
}

/* The open piece `piece` when all of it may be asked, or an untouched one, opened; NULL: the run cannot go on there. */
static struct shoal_open *next_open(struct shoal_webrun *r, uint32_t piece, shoal_us now)
{
	struct shoal_webseed *ws = r->seed;
	struct shoal_swarm *s = ws->swarm;
	struct shoal_open *open = shoal_landing_find(&s->landing, piece);
	if (open != NULL)
		return may_join(ws, open, now) && shoal_open_unasked(open) == 0 ? open : NULL;
	if (!has(ws, piece) || shoal_picker_next(s->picker, NULL, piece) != piece)
		return NULL;
	return shoal_swarm_open_piece(s, piece, ws->serial, now);
}

/* Pieces from `piece` on, as long as they follow each other. */
static void take_pieces(struct shoal_webrun *r, uint32_t piece, uint32_t most, shoal_us now)
{
	struct shoal_webseed *ws = r->seed;
	struct shoal_swarm *s = ws->swarm;
	uint32_t pieces = shoal_metainfo_piece_count(s->mi);
	for (; r->count < most && piece < pieces; piece++) {
		/* A small rest of a run is not worth a piece that others could have. */
		if (r->count > 0 && (most - r->count) * SHOAL_BLOCK < shoal_metainfo_piece_bytes(s->mi, piece) / 2)
			break;
		if (r->count > 0 && better_whole(r, piece, most))
			break;
		struct shoal_open *open = next_open(r, piece, now);
		if (open == NULL)
			break;
		bool whole = take_unasked(r, open, most);
		ws->next_piece = piece + 1;
		if (!whole)
			break;
	}
}

/* Where the next run begins: where the last one ended, else at the largest gap (BEP 19); in order when that was asked. */
static uint32_t next_piece(struct shoal_webseed *ws)
{
	struct shoal_swarm *s = ws->swarm;
	const struct shoal_bits *have = ws->have.word != NULL ? &ws->have : NULL;
	if (s->flags & SHOAL_ADD_SEQUENTIAL)
		return shoal_picker_next(s->picker, have, 0);
	if (ws->next_piece != SHOAL_PIECE_NONE && shoal_picker_next(s->picker, have, ws->next_piece) == ws->next_piece)
		return ws->next_piece;
	uint32_t len, start = shoal_picker_gap(s->picker, have, &len);
	if (start == SHOAL_PIECE_NONE)
		return start;
	/* With nothing done yet, anywhere: what each of many begins with is of use to the others. Where another
	 * web seed is at work, behind it. */
	if (shoal_picker_have(s->picker)->ones == 0 && s->landing.count == 0)
		return start + shoal_rng_below(&s->rng, len);
	for (const struct shoal_webseed *o = s->webseeds; o != NULL; o = o->next)
		if (o != ws && o->runs > 0 && o->next_piece == start)
			return start + len / 2;
	return start;
}

/* The first piece from there on whose hash is known (the layers of a v2 magnet come with time). */
static uint32_t known_from(const struct shoal_webseed *ws, uint32_t piece)
{
	const struct shoal_swarm *s = ws->swarm;
	const struct shoal_bits *have = ws->have.word != NULL ? &ws->have : NULL;
	if (!s->layers_missing)
		return piece;
	while (piece != SHOAL_PIECE_NONE && !shoal_swarm_piece_known(s, piece))
		piece = shoal_picker_next(s->picker, have, piece + 1);
	return piece;
}

/* End game: the rest of a piece that others were asked for long ago and will not have soon. */
static bool take_late(struct shoal_webrun *r, uint32_t most, shoal_us now)
{
	struct shoal_webseed *ws = r->seed;
	struct shoal_swarm *s = ws->swarm;
	uint64_t rate = shoal_max_u64(shoal_rate_now(&ws->down, now), RANGE_RATE);
	for (struct shoal_open *o = s->landing.head; o != NULL; o = o->next) {
		if (o->state != SHOAL_OPEN_FETCHING || o->attempts > 0 || !has(ws, o->piece) ||
		    o->opened + HELP_AFTER > now || o->owner == ws->serial || ws->runs > 1)
			continue;
		uint32_t end = o->blocks, first = o->handed, left = 0;
		if (!o->whole && o->blocks - o->handed > o->window)
			end = o->handed + o->window;
		while (first < end && o->asked[first] != 1)
			first++;
		for (uint32_t b = first; b < end; b++)
			left += o->asked[b] != SHOAL_BLOCK_LANDED;
		shoal_us takes = owner_takes(s, o->owner, left, now);
		shoal_us ours = ws->delay + (shoal_us)left * SHOAL_BLOCK * 1000000 / rate;
		if (first == end || (takes != 0 && takes < 2 * ours + SHOAL_MS(200)))
			continue;
		for (uint32_t b = first; b < end && r->count < most && o->asked[b] == 1; b++)
			add(r, o, b);
		return true;
	}
	return false;
}

/* Some peer could serve us now. */
static bool served(const struct shoal_swarm *s)
{
	for (const struct shoal_peer *p = s->peers; p != NULL; p = p->in_swarm)
		if (p->interesting && !p->choking_us && !p->snubbed)
			return true;
	return false;
}

/*
 * How many blocks a run may have: what the server has been seen to deliver soon, what the memory holds beside
 * others, what the limit leaves, and no more than it brings before the peers have brought all else. 0: none.
 */
static uint32_t run_blocks(struct shoal_webseed *ws, shoal_us now)
{
	struct shoal_swarm *s = ws->swarm;
	uint64_t bytes = ws->range, rate = shoal_rate_now(&ws->down, now), all = shoal_rate_now(&s->down, now);
	uint64_t spare = (uint64_t)shoal_slots_spare(s->node->slots) * SHOAL_BLOCK;
	bytes = shoal_min_u64(bytes, shoal_max_u64(spare / 8, SHOAL_LANDING_WINDOW_MIN * SHOAL_BLOCK));
	if (s->node->down.rate != 0)
		bytes = shoal_min_u64(bytes, shoal_max_u64(s->node->down.rate / LIMIT_PART, SHOAL_BLOCK));
	if (s->down_limit.rate != 0)
		bytes = shoal_min_u64(bytes, shoal_max_u64(s->down_limit.rate / LIMIT_PART, SHOAL_BLOCK));
	if (rate > 0 && all > rate && served(s) && shoal_picker_missing(s->picker) == 0) {
		uint64_t left = (uint64_t)shoal_picker_left(s->picker) * shoal_metainfo_piece_size(s->mi);
		bytes = shoal_min_u64(bytes, (uint64_t)((double)left / (double)all * (double)rate));
	}
	return (uint32_t)((bytes + SHOAL_BLOCK / 2) / SHOAL_BLOCK);
}

/* Two, so that one question is always on its way; more over a long way: twice rate times delay is to be asked for. */
static uint32_t runs_wanted(struct shoal_webseed *ws, shoal_us now)
{
	uint64_t rate = shoal_rate_now(&ws->down, now);
	if (!ws->heard || ws->backoff != 0)
		return 1;
	uint64_t flight = 2 * rate * shoal_min_u64(ws->delay, SHOAL_S(2)) / 1000000;
	/* A run's questions follow each other: of small files no more than one is under way. */
	uint64_t runs = (ws->delay > FAR_DELAY ? 3 : 2) +
			flight / shoal_max_u64(shoal_min_u64(ws->question, ws->range), 1);
	return runs < SHOAL_WEBSEED_RUNS ? (uint32_t)runs : SHOAL_WEBSEED_RUNS;
}

static struct shoal_webrun *run_new(struct shoal_webseed *ws, uint32_t blocks, shoal_us now)
{
	struct shoal_node *n = ws->swarm->node;
	struct shoal_webrun *r = ws->run;
	size_t need = blocks * sizeof *r->ask;
	while (r->seed != NULL)
		r++;
	if (!shoal_node_charge(n, need))
		return NULL;
	r->ask = malloc(need);
	if (r->ask == NULL) {
		shoal_budget_give(n->budget, need);
		return NULL;
	}
	r->charged = need;
	r->seed = ws;
	r->began = now;
	r->heard = now;
	r->next = n->webruns;
	n->webruns = r;
	ws->runs++;
	ws->swarm->webruns++;
	return r;
}

static bool brim_full(struct shoal_limiter *l, shoal_us now)
{
	return l->rate == 0 || shoal_limiter_allows(l, shoal_limiter_depth(l), now) >= shoal_limiter_depth(l);
}

/* When a limit lets a web seed ask. While peers serve us, what they leave of it alone. */
static shoal_us limit_ready(struct shoal_swarm *s, shoal_us now)
{
	struct shoal_limiter *one = &s->node->down, *other = &s->down_limit;
	if (!shoal_pace_limited(s, SHOAL_DOWN))
		return 0;
	if (served(s) && (!brim_full(one, now) || !brim_full(other, now)))
		return now + LIMIT_LOOK;
	return shoal_max_u64(shoal_limiter_ready(one, SHOAL_BLOCK, now), shoal_limiter_ready(other, SHOAL_BLOCK, now));
}

static void choose(struct shoal_webrun *r, uint32_t most, shoal_us now)
{
	struct shoal_webseed *ws = r->seed;
	struct shoal_swarm *s = ws->swarm;
	for (struct shoal_open *o = s->landing.head; o != NULL && r->count == 0; o = o->next) {
		if (!may_join(ws, o, now) || !take_unasked(r, o, most))
			continue;
		take_pieces(r, o->piece + 1, most, now);
	}
	if (r->count > 0)
		return;
	uint32_t piece = known_from(ws, next_piece(ws));
	if (piece != SHOAL_PIECE_NONE)
		take_pieces(r, piece, most, now);
	if (r->count == 0 && (shoal_picker_untouched(s->picker) == 0 || s->landing.busy))
		(void)take_late(r, most, now);
}

void shoal_webseed_fill(struct shoal_webseed *ws, shoal_us now)
{
	struct shoal_swarm *s = ws->swarm;
	ws->dirty = false;
	while (!ws->retired && ws->ready_at <= now && ws->runs < runs_wanted(ws, now) &&
	       s->webruns < SHOAL_WEBSEEDS_RUNS_MAX) {
		for (size_t i = 0; i < SHOAL_WEBSEED_RUNS; i++)
			if (ws->run[i].seed != NULL && ws->run[i].weak)
				return; /* it stalls: what it owes is enough */
		if ((ws->ready_at = limit_ready(s, now)) > now)
			return;
		ws->ready_at = 0;
		uint32_t most = run_blocks(ws, now);
		struct shoal_webrun *r = most > 0 ? run_new(ws, most, now) : NULL;
		if (r == NULL)
			return;
		choose(r, most, now);
		if (r->count == 0) {
			shoal_webrun_end(r);
			ws->dirty = false; /* until something has changed */
			return;
		}
		shoal_webrun_go(r, now);
	}
}
