/* swarm/pieces/picker.c - rarity levels as bitsets, each with a map of its words that are not empty. */
#include "swarm/pieces/picker.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/metainfo.h"

#define LEVELS 16u
#define TODO LEVELS /* the union of all levels: wanted and untouched */
#define SETS (LEVELS + 1)

/*
 * Bits of pieces. Bit w of `map` is set while word w is not zero, so that a
 * scan of a level of few pieces touches few words, and a random start can
 * be drawn among words that matter: drawn among all words, it would send
 * everybody to the first piece after the longest gap.
 */
struct set {
	uint64_t *word, *map;
	uint32_t busy; /* words that are not zero */
};

struct shoal_picker {
	uint32_t pieces, words, map_words;
	uint32_t seeds;	    /* peers that have all, counted in no level */
	uint32_t untouched; /* bits in TODO */
	uint32_t left;	    /* wanted and not done */
	uint32_t alone;	    /* of those, without a copy among peers that are no seeds */
	struct shoal_rng rng;
	struct set set[SETS];
	struct shoal_bits done;
	uint64_t *open, *unwanted;
	uint64_t *off_rank[2];	/* LOW, HIGH */
	uint32_t todo_off_rank; /* bits of those in TODO: while there are none, ranks cost nothing */
	uint16_t *count;	/* copies among peers that are no seeds; sticks at the top */
	uint64_t memory[];
};

/* Exact where it matters: one copy and two are worlds apart, 40 and 50 are not. */
static unsigned level_of(uint32_t copies)
{
	static const uint8_t levels[64] = {
		0,  1,	2,  3,	4,  5,	6,  7,	8,  8,	9,  9,	9,  10, 10, 10, 10, 11, 11, 11, 11, 11,
		11, 11, 12, 12, 12, 12, 12, 12, 12, 12, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13,
		13, 13, 13, 13, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14,
	};
	return copies < 64 ? levels[copies] : LEVELS - 1;
}

static bool bit_of(const uint64_t *word, uint32_t i)
{
	return word[i >> 6] >> (i & 63) & 1;
}

static void flip_bit(uint64_t *word, uint32_t i)
{
	word[i >> 6] ^= UINT64_C(1) << (i & 63);
}

static void set_add(struct set *s, uint32_t i)
{
	uint32_t w = i >> 6;
	if (s->word[w] == 0) {
		s->map[w >> 6] |= UINT64_C(1) << (w & 63);
		s->busy++;
	}
	s->word[w] |= UINT64_C(1) << (i & 63);
}

static void set_drop(struct set *s, uint32_t i)
{
	uint32_t w = i >> 6;
	s->word[w] &= ~(UINT64_C(1) << (i & 63));
	if (s->word[w] == 0) {
		s->map[w >> 6] &= ~(UINT64_C(1) << (w & 63));
		s->busy--;
	}
}

/* The n-th set bit of `m`, which has more than n. */
static unsigned nth_bit(uint64_t m, unsigned n)
{
	while (n--)
		m &= m - 1;
	return (unsigned)__builtin_ctzll(m);
}

/* A random word of the set that is not zero. */
static uint32_t set_start(const struct set *s, struct shoal_rng *rng)
{
	uint32_t n = shoal_rng_below(rng, s->busy);
	for (uint32_t v = 0;; v++) {
		uint32_t here = (uint32_t)__builtin_popcountll(s->map[v]);
		if (n < here)
			return v * 64 + nth_bit(s->map[v], n);
		n -= here;
	}
}

#define ANY_RANK (-1)
#define INLINE \
	static inline __attribute__((always_inline)) /* `rank` is a constant: the plain case has no test for it */

INLINE uint64_t rank_word(const struct shoal_picker *p, int rank, uint32_t w)
{
	if (rank == SHOAL_RANK_NORMAL)
		return ~(p->off_rank[0][w] | p->off_rank[1][w]);
	return p->off_rank[rank == SHOAL_RANK_HIGH][w];
}

/* A piece of the set and of `have` in words [from, to): in the first word with one, the lowest, or any with dice. */
INLINE uint32_t set_scan(const struct shoal_picker *p, const struct set *s, const uint64_t *have, uint32_t from,
			 uint32_t to, struct shoal_rng *rng, int rank)
{
	for (uint32_t v = from >> 6; v << 6 < to; v++) {
		uint64_t map = s->map[v];
		if (v == from >> 6)
			map &= UINT64_MAX << (from & 63);
		if (v == to >> 6)
			map &= (UINT64_C(1) << (to & 63)) - 1;
		for (; map; map &= map - 1) {
			uint32_t w = v * 64 + (uint32_t)__builtin_ctzll(map);
			uint64_t both = s->word[w] & have[w];
			if (rank != ANY_RANK)
				both &= rank_word(p, rank, w);
			if (both == 0)
				continue;
			unsigned n = rng ? shoal_rng_below(rng, (uint32_t)__builtin_popcountll(both)) : 0;
			return w * 64 + nth_bit(both, n);
		}
	}
	return SHOAL_PIECE_NONE;
}

INLINE uint32_t set_any(const struct shoal_picker *p, const struct set *s, const uint64_t *have, struct shoal_rng *rng,
			int rank)
{
	if (s->busy == 0)
		return SHOAL_PIECE_NONE;
	uint32_t start = set_start(s, rng);
	uint32_t piece = set_scan(p, s, have, start, p->words, rng, rank);
	return piece != SHOAL_PIECE_NONE ? piece : set_scan(p, s, have, 0, start, rng, rank);
}

/* The one shape of the memory: new() cuts what bytes() counts. */
static size_t words_in_all(uint32_t pieces)
{
	size_t words = ((size_t)pieces + 63) / 64;
	size_t map_words = (words + 63) / 64;
	size_t count_words = ((size_t)pieces + 3) / 4;
	return SETS * (words + map_words) + 5 * words + count_words;
}

size_t shoal_picker_bytes(uint32_t pieces)
{
	return sizeof(struct shoal_picker) + words_in_all(pieces) * sizeof(uint64_t);
}

int shoal_picker_new(struct shoal_picker **out, uint32_t pieces, struct shoal_rng rng)
{
	*out = NULL;
	if (pieces > SHOAL_PIECES_MAX)
		return SHOAL_ERR_RANGE;
	struct shoal_picker *p = calloc(1, shoal_picker_bytes(pieces));
	if (p == NULL)
		return SHOAL_ERR_NOMEM;
	p->pieces = p->untouched = p->left = p->alone = pieces;
	p->words = (pieces + 63) / 64;
	p->map_words = (p->words + 63) / 64;
	p->rng = rng;
	uint64_t *at = p->memory;
	for (size_t i = 0; i < SETS; i++) {
		p->set[i].word = at;
		p->set[i].map = at + p->words;
		at += p->words + p->map_words;
	}
	p->done = (struct shoal_bits){ .word = at, .count = pieces };
	p->open = at + p->words;
	p->unwanted = p->open + p->words;
	p->off_rank[0] = p->unwanted + p->words;
	p->off_rank[1] = p->off_rank[0] + p->words;
	p->count = (uint16_t *)(p->off_rank[1] + p->words);
	for (uint32_t i = 0; i < pieces; i++) {
		set_add(&p->set[0], i);
		set_add(&p->set[TODO], i);
	}
	*out = p;
	return 0;
}

void shoal_picker_free(struct shoal_picker *p)
{
	free(p);
}

/* ---- what peers have ------------------------------------------------------------ */

static bool is_left(const struct shoal_picker *p, uint32_t piece)
{
	return !bit_of(p->unwanted, piece) && !bit_of(p->done.word, piece);
}

static void recount(struct shoal_picker *p, uint32_t piece, uint32_t old, uint32_t now)
{
	p->count[piece] = (uint16_t)now;
	if ((old == 0) != (now == 0) && is_left(p, piece))
		p->alone += now == 0 ? 1u : -1u;
	unsigned from = level_of(old), to = level_of(now);
	if (from != to && bit_of(p->set[TODO].word, piece)) {
		set_drop(&p->set[from], piece);
		set_add(&p->set[to], piece);
	}
}

void shoal_picker_peer_has(struct shoal_picker *p, uint32_t piece)
{
	assert(piece < p->pieces);
	uint32_t old = p->count[piece];
	if (old < UINT16_MAX)
		recount(p, piece, old, old + 1);
}

void shoal_picker_peer_lost(struct shoal_picker *p, uint32_t piece)
{
	assert(piece < p->pieces);
	uint32_t old = p->count[piece];
	assert(old > 0);
	if (old < UINT16_MAX)
		recount(p, piece, old, old - 1);
}

static void for_each(struct shoal_picker *p, const struct shoal_bits *bits,
		     void (*tell)(struct shoal_picker *p, uint32_t piece))
{
	for (uint32_t w = 0; w < p->words; w++)
		for (uint64_t m = bits->word[w]; m; m &= m - 1)
			tell(p, w * 64 + (uint32_t)__builtin_ctzll(m));
}

void shoal_picker_peer_joined(struct shoal_picker *p, const struct shoal_bits *have)
{
	assert(have->count == p->pieces);
	if (shoal_bits_full(have))
		p->seeds++;
	else
		for_each(p, have, shoal_picker_peer_has);
}

void shoal_picker_peer_gone(struct shoal_picker *p, const struct shoal_bits *had)
{
	assert(had->count == p->pieces);
	if (shoal_bits_full(had)) {
		assert(p->seeds > 0);
		p->seeds--;
	} else {
		for_each(p, had, shoal_picker_peer_lost);
	}
}

void shoal_picker_peer_full(struct shoal_picker *p, const struct shoal_bits *had)
{
	assert(had->count == p->pieces && shoal_bits_full(had));
	for_each(p, had, shoal_picker_peer_lost);
	p->seeds++;
}

void shoal_picker_peer_uncount(struct shoal_picker *p, const struct shoal_bits *had)
{
	assert(had->count == p->pieces);
	for_each(p, had, shoal_picker_peer_lost);
}

uint32_t shoal_picker_copies(const struct shoal_picker *p, uint32_t piece)
{
	return piece < p->pieces ? p->seeds + p->count[piece] : 0;
}

uint32_t shoal_picker_missing(const struct shoal_picker *p)
{
	return p->seeds ? 0 : p->alone;
}

/* ---- our own side --------------------------------------------------------------- */

/* Takes a piece out of the counts of what is left, or puts it back, before its state changes. */
static void count_left(struct shoal_picker *p, uint32_t piece, uint32_t by)
{
	p->left += by;
	if (p->count[piece] == 0)
		p->alone += by;
}

static bool is_off_rank(const struct shoal_picker *p, uint32_t piece)
{
	return bit_of(p->off_rank[0], piece) || bit_of(p->off_rank[1], piece);
}

static void todo_add(struct shoal_picker *p, uint32_t piece)
{
	set_add(&p->set[TODO], piece);
	set_add(&p->set[level_of(p->count[piece])], piece);
	p->untouched++;
	p->todo_off_rank += is_off_rank(p, piece);
}

static void todo_drop(struct shoal_picker *p, uint32_t piece)
{
	set_drop(&p->set[TODO], piece);
	set_drop(&p->set[level_of(p->count[piece])], piece);
	p->untouched--;
	p->todo_off_rank -= is_off_rank(p, piece);
}

void shoal_picker_want(struct shoal_picker *p, uint32_t piece, bool wanted)
{
	assert(piece < p->pieces);
	if (wanted != bit_of(p->unwanted, piece))
		return;
	flip_bit(p->unwanted, piece);
	if (bit_of(p->done.word, piece))
		return;
	count_left(p, piece, wanted ? 1u : -1u);
	if (bit_of(p->open, piece))
		return;
	if (wanted)
		todo_add(p, piece);
	else
		todo_drop(p, piece);
}

void shoal_picker_rank(struct shoal_picker *p, uint32_t piece, enum shoal_pick_rank rank)
{
	assert(piece < p->pieces);
	bool todo = bit_of(p->set[TODO].word, piece);
	p->todo_off_rank -= todo && is_off_rank(p, piece);
	for (unsigned i = 0; i < 2; i++)
		if (bit_of(p->off_rank[i], piece) != (rank == (i ? SHOAL_RANK_HIGH : SHOAL_RANK_LOW)))
			flip_bit(p->off_rank[i], piece);
	p->todo_off_rank += todo && is_off_rank(p, piece);
}

bool shoal_picker_wants(const struct shoal_picker *p, uint32_t piece)
{
	return piece < p->pieces && !bit_of(p->unwanted, piece);
}

bool shoal_picker_is_taken(const struct shoal_picker *p, uint32_t piece)
{
	return piece >= p->pieces || bit_of(p->open, piece) || bit_of(p->done.word, piece);
}

void shoal_picker_open(struct shoal_picker *p, uint32_t piece)
{
	assert(piece < p->pieces);
	assert(!bit_of(p->open, piece) && !bit_of(p->done.word, piece));
	flip_bit(p->open, piece);
	if (!bit_of(p->unwanted, piece))
		todo_drop(p, piece);
}

void shoal_picker_close(struct shoal_picker *p, uint32_t piece)
{
	assert(piece < p->pieces);
	if (!bit_of(p->open, piece))
		return;
	flip_bit(p->open, piece);
	if (!bit_of(p->unwanted, piece))
		todo_add(p, piece);
}

void shoal_picker_done(struct shoal_picker *p, uint32_t piece)
{
	assert(piece < p->pieces);
	if (!shoal_bits_set(&p->done, piece))
		return;
	bool open = bit_of(p->open, piece);
	if (open)
		flip_bit(p->open, piece);
	if (bit_of(p->unwanted, piece))
		return;
	count_left(p, piece, -1u);
	if (!open)
		todo_drop(p, piece);
}

void shoal_picker_undone(struct shoal_picker *p, uint32_t piece)
{
	assert(piece < p->pieces);
	if (!shoal_bits_clear(&p->done, piece) || bit_of(p->unwanted, piece))
		return;
	count_left(p, piece, 1);
	todo_add(p, piece);
}

uint32_t shoal_picker_left(const struct shoal_picker *p)
{
	return p->left;
}

uint32_t shoal_picker_untouched(const struct shoal_picker *p)
{
	return p->untouched;
}

bool shoal_picker_is_done(const struct shoal_picker *p, uint32_t piece)
{
	return shoal_bits_get(&p->done, piece);
}

bool shoal_picker_is_untouched(const struct shoal_picker *p, uint32_t piece)
{
	return piece < p->pieces && bit_of(p->set[TODO].word, piece);
}

const struct shoal_bits *shoal_picker_have(const struct shoal_picker *p)
{
	return &p->done;
}

/* ---- picks ---------------------------------------------------------------------- */

/* The i-th level to look at. What nobody but seeds has is the rarest, but only a seed has it; for others level 0 comes
 * last, for the sake of a peer whose pieces were never counted (a web seed). */
static unsigned level_at(unsigned i, bool full, enum shoal_pick_order order)
{
	if (order == SHOAL_PICK_COMMON)
		return LEVELS - 1 - i;
	return full ? i : (i + 1) % LEVELS;
}

INLINE uint32_t pick(struct shoal_picker *p, const struct shoal_bits *have, enum shoal_pick_order order, int rank)
{
	const struct set *todo = &p->set[TODO];
	if (order == SHOAL_PICK_IN_ORDER)
		return set_scan(p, todo, have->word, 0, p->words, NULL, rank);
	if (p->done.ones < SHOAL_PICKER_RANDOM_FIRST)
		return set_any(p, todo, have->word, &p->rng, rank);
	bool full = shoal_bits_full(have), sure = full;
	for (unsigned i = 0; i < LEVELS; i++) {
		const struct set *level = &p->set[level_at(i, full, order)];
		if (level->busy == 0)
			continue;
		uint32_t piece = set_any(p, level, have->word, &p->rng, rank);
		if (piece != SHOAL_PIECE_NONE)
			return piece;
		/* One scan of the union, so that a peer with nothing for us is not sought for in every level. */
		if (!sure && set_scan(p, todo, have->word, 0, p->words, NULL, rank) == SHOAL_PIECE_NONE)
			return SHOAL_PIECE_NONE;
		sure = true;
	}
	return SHOAL_PIECE_NONE;
}

uint32_t shoal_picker_pick(struct shoal_picker *p, const struct shoal_bits *have, enum shoal_pick_order order)
{
	assert(have->count == p->pieces);
	if (have->ones == 0 || p->untouched == 0)
		return SHOAL_PIECE_NONE;
	if (p->todo_off_rank == 0)
		return pick(p, have, order, ANY_RANK);
	uint32_t piece = pick(p, have, order, SHOAL_RANK_HIGH);
	if (piece == SHOAL_PIECE_NONE)
		piece = pick(p, have, order, SHOAL_RANK_NORMAL);
	return piece != SHOAL_PIECE_NONE ? piece : pick(p, have, order, SHOAL_RANK_LOW);
}

uint32_t shoal_picker_needs(const struct shoal_picker *p, const struct shoal_bits *have, uint32_t from)
{
	assert(have->count == p->pieces);
	if (p->left == 0 || have->ones == 0)
		return SHOAL_PIECE_NONE;
	if (from >= p->pieces)
		from = 0;
	/* The first word is looked at twice: from its bit `from` on, and whole once the circle closes. */
	for (uint32_t i = 0, w = from >> 6; i <= p->words; i++) {
		uint64_t m = have->word[w] & ~(p->done.word[w] | p->unwanted[w]);
		if (i == 0)
			m &= UINT64_MAX << (from & 63);
		if (m)
			return w * 64 + (uint32_t)__builtin_ctzll(m);
		if (++w == p->words)
			w = 0;
	}
	return SHOAL_PIECE_NONE;
}

/* ---- runs ------------------------------------------------------------------------ */

static uint64_t untouched_word(const struct shoal_picker *p, const struct shoal_bits *have, int rank, uint32_t w)
{
	uint64_t m = p->set[TODO].word[w] & (have != NULL ? have->word[w] : UINT64_MAX);
	return rank == ANY_RANK ? m : m & rank_word(p, rank, w);
}

/* The rank of which pieces are taken: the highest of which there are any. */
static int top_rank(const struct shoal_picker *p, const struct shoal_bits *have)
{
	if (p->todo_off_rank == 0)
		return ANY_RANK;
	for (int rank = SHOAL_RANK_HIGH; rank > SHOAL_RANK_LOW; rank--)
		for (uint32_t w = 0; w < p->words; w++)
			if (untouched_word(p, have, rank, w))
				return rank;
	return SHOAL_RANK_LOW;
}

uint32_t shoal_picker_next(const struct shoal_picker *p, const struct shoal_bits *have, uint32_t from)
{
	int rank = top_rank(p, have);
	for (uint32_t w = from >> 6; from < p->pieces && w < p->words; w++) {
		uint64_t m = untouched_word(p, have, rank, w);
		if (w == from >> 6)
			m &= UINT64_MAX << (from & 63);
		if (m)
			return w * 64 + (uint32_t)__builtin_ctzll(m);
	}
	return SHOAL_PIECE_NONE;
}

uint32_t shoal_picker_gap(const struct shoal_picker *p, const struct shoal_bits *have, uint32_t *len)
{
	uint32_t best = SHOAL_PIECE_NONE, start = 0, run = 0;
	int rank = top_rank(p, have);
	*len = 0;
	for (uint32_t w = 0; w <= p->words; w++) {
		uint64_t m = w < p->words ? untouched_word(p, have, rank, w)
					  : 0; /* the last word closes what is open */
		for (unsigned bit = 0; bit < 64;) {
			uint64_t rest = m >> bit;
			unsigned n;
			if (rest & 1) {
				n = ~rest ? (unsigned)__builtin_ctzll(~rest) : 64;
				start = run == 0 ? w * 64 + bit : start;
				run += n;
			} else {
				n = rest ? (unsigned)__builtin_ctzll(rest) : 64 - bit;
				if (run > *len) {
					best = start;
					*len = run;
				}
				run = 0;
			}
			bit += n;
		}
	}
	return best;
}
