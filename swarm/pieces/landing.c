/* swarm/pieces/landing.c - pieces under way and the slots promised to them. */
#include "swarm/pieces/landing.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/fetch.h"

#define TABLE_START 64u

static uint32_t home_of(const struct shoal_landing *l, uint32_t piece)
{
	return (piece * UINT32_C(2654435761)) & (l->table_size - 1);
}

int shoal_landing_init(struct shoal_landing *l, struct shoal_slots *slots, struct shoal_budget *budget)
{
	*l = (struct shoal_landing){ .slots = slots, .budget = budget };
	return 0; /* the table is made with the first piece: most torrents only give */
}

static void slots_back(struct shoal_landing *l, struct shoal_open *open)
{
	for (uint32_t i = 0; i < open->blocks; i++) {
		shoal_slot_unref(l->slots, open->slot[i]);
		open->slot[i] = NULL;
	}
}

static void open_free(struct shoal_landing *l, struct shoal_open *open)
{
	assert(!open->job_out);
	slots_back(l, open);
	shoal_slots_unreserve(l->slots, open->promised);
	shoal_budget_give(l->budget, open->charged);
	free(open->truth);
	free(open);
}

void shoal_landing_fini(struct shoal_landing *l)
{
	while (l->head != NULL) {
		struct shoal_open *open = l->head;
		l->head = open->next;
		open_free(l, open);
	}
	free(l->of_piece);
	*l = (struct shoal_landing){ 0 };
}

struct shoal_open *shoal_landing_find(const struct shoal_landing *l, uint32_t piece)
{
	for (uint32_t i = home_of(l, piece); l->table_size > 0 && l->of_piece[i] != NULL;
	     i = (i + 1) & (l->table_size - 1))
		if (l->of_piece[i]->piece == piece)
			return l->of_piece[i];
	return NULL;
}

void shoal_landing_foresee(const struct shoal_landing *l, uint32_t piece)
{
	if (l->table_size > 0)
		shoal_fetch(&l->of_piece[home_of(l, piece)], sizeof(struct shoal_open *));
	if (l->head != NULL)
		shoal_fetch(l->head, offsetof(struct shoal_open, hash));
}

static void table_put(struct shoal_landing *l, struct shoal_open *open)
{
	uint32_t i = home_of(l, open->piece);
	while (l->of_piece[i] != NULL)
		i = (i + 1) & (l->table_size - 1);
	l->of_piece[i] = open;
}

static int table_grow(struct shoal_landing *l)
{
	uint32_t size = l->table_size > 0 ? l->table_size * 2 : TABLE_START;
	struct shoal_open **wider = calloc(size, sizeof(struct shoal_open *));
	if (wider == NULL)
		return SHOAL_ERR_NOMEM;
	free(l->of_piece);
	l->of_piece = wider;
	l->table_size = size;
	for (struct shoal_open *o = l->head; o != NULL; o = o->next)
		table_put(l, o);
	return 0;
}

static void table_drop(struct shoal_landing *l, uint32_t piece)
{
	uint32_t mask = l->table_size - 1;
	uint32_t i = home_of(l, piece);
	while (l->of_piece[i]->piece != piece)
		i = (i + 1) & mask;
	for (uint32_t j = (i + 1) & mask; l->of_piece[j] != NULL; j = (j + 1) & mask) {
		uint32_t home = home_of(l, l->of_piece[j]->piece);
		if (((j - home) & mask) >= ((j - i) & mask)) { /* it may move up into the gap */
			l->of_piece[i] = l->of_piece[j];
			i = j;
		}
	}
	l->of_piece[i] = NULL;
}

/*
 * How many blocks of a piece may be under way: all of them, and the piece stays whole, while eight such fit what
 * memory is left, or when it is no longer than the window; else a window. 0: not now.
 */
static uint32_t window_for(const struct shoal_landing *l, uint32_t blocks)
{
	size_t spare = shoal_slots_spare(l->slots);
	if (blocks <= spare / 8)
		return blocks;
	spare = spare > SHOAL_LANDING_LEFT ? spare - SHOAL_LANDING_LEFT : 0;
	if (blocks <= SHOAL_LANDING_WINDOW && blocks <= spare)
		return blocks;
	uint32_t wanted = blocks < SHOAL_LANDING_WINDOW ? blocks : SHOAL_LANDING_WINDOW;
	if (wanted <= spare)
		return wanted;
	/* With nothing under way there is nothing to wait for: less will have to do. */
	return l->count == 0 && spare >= SHOAL_LANDING_WINDOW_MIN ? (uint32_t)spare : 0;
}

int shoal_landing_open(struct shoal_landing *l, uint32_t piece, uint32_t bytes, bool v2_leaves, struct shoal_open **out,
		       shoal_us now)
{
	uint32_t blocks = (bytes + SHOAL_BLOCK - 1) / SHOAL_BLOCK;
	uint32_t window = window_for(l, blocks);
	size_t size = sizeof(struct shoal_open) +
		      (size_t)blocks * (sizeof(struct shoal_slot *) + 4 + 1 + (v2_leaves ? 32 : 0));

	l->busy = window == 0;
	if (window == 0)
		return SHOAL_ERR_BUSY;
	if (l->count * 2 >= l->table_size && table_grow(l) < 0)
		return SHOAL_ERR_NOMEM;
	/* With all memory in chunks that nobody uses, nothing would ever be opened again. */
	if (!shoal_budget_take(l->budget, size) &&
	    (shoal_slots_trim(l->slots) == 0 || !shoal_budget_take(l->budget, size)))
		return SHOAL_ERR_BUSY;
	if (shoal_slots_reserve(l->slots, window) < 0) {
		shoal_budget_give(l->budget, size);
		return SHOAL_ERR_BUSY;
	}
	struct shoal_open *open = calloc(1, size);
	if (open == NULL) {
		shoal_slots_unreserve(l->slots, window);
		shoal_budget_give(l->budget, size);
		return SHOAL_ERR_NOMEM;
	}
	uint8_t *at = (uint8_t *)(open + 1);
	open->slot = (struct shoal_slot **)(void *)at;
	at += (size_t)blocks * sizeof(struct shoal_slot *);
	open->source = (uint32_t *)(void *)at;
	at += (size_t)blocks * 4;
	if (v2_leaves) {
		open->hash.leaf = (uint8_t(*)[32])(void *)at;
		at += (size_t)blocks * 32;
	}
	open->asked = at;
	open->piece = piece;
	open->bytes = bytes;
	open->blocks = blocks;
	open->whole = window == blocks;
	open->window = window;
	open->unasked = blocks;
	open->promised = window;
	open->charged = size;
	open->opened = now;
	open->due = SHOAL_NEVER;
	open->prev = l->tail;
	if (l->tail != NULL)
		l->tail->next = open;
	else
		l->head = open;
	l->tail = open;
	l->count++;
	table_put(l, open);
	*out = open;
	return 0;
}

void shoal_landing_close(struct shoal_landing *l, struct shoal_open *open)
{
	if (open->state == SHOAL_OPEN_READY)
		l->ready--;
	if (open->state != SHOAL_OPEN_FETCHING)
		l->full_bytes -= open->bytes;
	table_drop(l, open->piece);
	*(open->prev != NULL ? &open->prev->next : &l->head) = open->next;
	*(open->next != NULL ? &open->next->prev : &l->tail) = open->prev;
	l->count--;
	open_free(l, open);
}

bool shoal_open_know(struct shoal_landing *l, struct shoal_open *open, const uint8_t (*leaf)[32])
{
	size_t size = (size_t)open->blocks * 32;
	if (!shoal_budget_take(l->budget, size))
		return false;
	open->truth = malloc(size);
	if (open->truth == NULL) {
		shoal_budget_give(l->budget, size);
		return false;
	}
	memcpy(open->truth, leaf, size);
	open->charged += size;
	return true;
}

int shoal_landing_again(struct shoal_landing *l, struct shoal_open *open, shoal_us now)
{
	slots_back(l, open);
	shoal_slots_unreserve(l->slots, open->promised);
	open->promised = open->lent = 0;
	if (shoal_slots_reserve(l->slots, open->window) < 0)
		return SHOAL_ERR_BUSY;
	open->promised = open->window;
	if (open->state == SHOAL_OPEN_READY)
		l->ready--;
	if (open->state != SHOAL_OPEN_FETCHING)
		l->full_bytes -= open->bytes;
	open->state = SHOAL_OPEN_FETCHING;
	open->unasked = open->blocks;
	open->here = open->handed = open->from = 0;
	open->suspect = open->repaired = open->hinted = false; /* all of it is written anew */
	open->owner = open->offer = 0;
	assert(open->weak == 0);
	open->opened = now;
	memset(open->asked, 0, open->blocks);
	memset(open->source, 0, open->blocks * sizeof *open->source);
	return 0;
}

/* Blocks past this one must wait until the front has moved. */
static uint32_t window_end(const struct shoal_open *open)
{
	if (open->blocks - open->handed < open->window)
		return open->blocks;
	return open->handed + open->window;
}

uint32_t shoal_open_unasked(struct shoal_open *open)
{
	uint32_t end = window_end(open);
	if (open->unasked == 0)
		return UINT32_MAX;
	while (open->from < end && open->asked[open->from] != 0)
		open->from++;
	return open->from < end ? open->from : UINT32_MAX;
}

uint32_t shoal_open_unasked_after(const struct shoal_open *open, uint32_t block)
{
	uint32_t end = window_end(open);
	do
		block++;
	while (block < end && open->asked[block] != 0);
	return block < end ? block : UINT32_MAX;
}

void shoal_open_rewind(struct shoal_landing *l, struct shoal_open *open, enum shoal_open_state state, shoal_us now)
{
	assert(open->whole && open->here == open->blocks && !open->job_out);
	open->handed = open->from = 0;
	if (state == SHOAL_OPEN_READY && open->state != SHOAL_OPEN_READY)
		l->ready++;
	if (state == SHOAL_OPEN_FETCHING) {
		l->ready -= open->state == SHOAL_OPEN_READY;
		l->full_bytes -= open->bytes;
		open->opened = now;
	}
	open->state = state;
	open->ready = now;
}

void shoal_open_drop(struct shoal_landing *l, struct shoal_open *open, uint32_t block)
{
	assert(open->whole && open->asked[block] == SHOAL_BLOCK_LANDED && open->slot[block] != NULL);
	if (open->state == SHOAL_OPEN_READY)
		shoal_open_rewind(l, open, SHOAL_OPEN_FETCHING, open->opened);
	shoal_slot_unref(l->slots, open->slot[block]);
	open->slot[block] = NULL;
	open->source[block] = 0;
	open->asked[block] = 0;
	open->here--;
	open->unasked++;
	if (block < open->from)
		open->from = block;
	if (shoal_slots_reserve(l->slots, 1) == 0)
		open->promised++;
}

/* The disk has it, and it is right: when only the false blocks of a streamed piece are fetched again. */
static bool kept(const struct shoal_open *open, uint32_t block)
{
	return open->asked[block] == SHOAL_BLOCK_LANDED && open->slot[block] == NULL;
}

static void pass_kept(struct shoal_open *open)
{
	while (open->handed < open->blocks && kept(open, open->handed))
		open->handed++;
}

int shoal_open_patch(struct shoal_landing *l, struct shoal_open *open, const bool *wrong, shoal_us now)
{
	uint32_t first = 0;
	assert(!open->whole && open->handed == open->blocks && !open->job_out);
	while (first < open->blocks && !wrong[first])
		first++;
	uint32_t window = open->blocks - first < SHOAL_LANDING_WINDOW ? open->blocks - first : SHOAL_LANDING_WINDOW;
	uint32_t need = 0;
	for (;; window /= 2) {
		need = 0;
		for (uint32_t b = first; b < first + window; b++)
			need += wrong[b];
		if (need == 0)
			return SHOAL_ERR_BUSY;
		if (shoal_slots_reserve(l->slots, need) == 0)
			break;
	}
	for (uint32_t b = 0; b < open->blocks; b++) {
		if (!wrong[b])
			continue;
		open->source[b] = 0;
		open->asked[b] = 0;
		open->here--;
		open->unasked++;
	}
	shoal_slots_unreserve(l->slots, open->promised);
	open->promised = need;
	open->window = window;
	open->handed = open->from = first;
	l->full_bytes -= open->bytes;
	open->state = SHOAL_OPEN_FETCHING;
	open->opened = now;
	return 0;
}

bool shoal_open_has_source(const struct shoal_open *open, uint32_t source)
{
	for (uint32_t i = 0; i < open->blocks; i++)
		if (open->asked[i] == SHOAL_BLOCK_LANDED && open->source[i] == source)
			return true;
	return false;
}

void shoal_landing_rename(struct shoal_landing *l, uint32_t from, uint32_t to)
{
	for (struct shoal_open *open = l->head; open != NULL; open = open->next)
		for (uint32_t i = 0; i < open->blocks; i++)
			if (open->source[i] == from)
				open->source[i] = to;
}

void shoal_open_ask(struct shoal_open *open, uint32_t block)
{
	if (open->asked[block]++ == 0)
		open->unasked--;
}

struct shoal_slot *shoal_open_slot(struct shoal_landing *l, struct shoal_open *open)
{
	if (open->promised > 0)
		open->promised--;
	else if (shoal_slots_reserve(l->slots, 1) < 0)
		return NULL;
	open->lent++;
	return shoal_slot_get(l->slots);
}

/* Blocks within the window that have not landed: no more promises than these are of use. */
static uint32_t to_come(const struct shoal_open *open)
{
	uint32_t end = window_end(open);
	uint32_t n = 0;
	if (open->whole)
		return open->blocks - open->here;
	for (uint32_t i = open->handed; i < end; i++)
		n += open->asked[i] != SHOAL_BLOCK_LANDED;
	return n;
}

void shoal_open_slot_back(struct shoal_landing *l, struct shoal_open *open, struct shoal_slot *slot)
{
	if (slot == NULL)
		return;
	shoal_slot_unref(l->slots, slot);
	open->lent--;
	if (open->promised + open->lent < to_come(open) && shoal_slots_reserve(l->slots, 1) == 0)
		open->promised++;
}

void shoal_open_ask_weak(struct shoal_open *open)
{
	open->weak++;
}

static void unasked_again(struct shoal_open *open, uint32_t block)
{
	if (open->asked[block] == SHOAL_BLOCK_LANDED || --open->asked[block] > 0)
		return;
	open->unasked++;
	if (block < open->from)
		open->from = block;
}

void shoal_open_weaken(struct shoal_open *open, uint32_t block)
{
	unasked_again(open, block);
	open->weak++;
}

void shoal_open_unask(struct shoal_landing *l, struct shoal_open *open, uint32_t block, bool weak,
		      struct shoal_slot *slot)
{
	if (weak)
		open->weak--;
	else
		unasked_again(open, block);
	shoal_open_slot_back(l, open, slot);
}

bool shoal_open_landed(struct shoal_landing *l, struct shoal_open *open, uint32_t block, struct shoal_slot *slot,
		       uint32_t source, shoal_us now)
{
	if (open->asked[block] == SHOAL_BLOCK_LANDED)
		return false;
	open->lent--;
	if (open->asked[block] == 0)
		open->unasked--;
	open->asked[block] = SHOAL_BLOCK_LANDED;
	open->slot[block] = slot;
	open->source[block] = source;
	slot->len = shoal_open_block_len(open, block);
	if (++open->here == open->blocks) {
		open->state = SHOAL_OPEN_READY;
		open->ready = now;
		l->ready++;
		l->full_bytes += open->bytes;
	}
	return true;
}

int shoal_open_run(struct shoal_open *open)
{
	uint32_t end = open->handed, next; /* what comes after the run, and is not on the disk yet */
	if (open->job_out || open->handed == open->blocks)
		return 0;
	if (open->whole) {
		if (open->here != open->blocks)
			return 0;
		next = end = open->blocks;
	} else {
		/* Half the window at most, so that the other half can come in while the disk writes. */
		uint32_t run = open->window / 2 < SHOAL_LANDING_RUN ? open->window / 2 : SHOAL_LANDING_RUN;
		while (end < open->blocks && end - open->handed < open->window && open->slot[end] != NULL)
			end++;
		next = end;
		while (next < open->blocks && kept(open, next))
			next++;
		if (end - open->handed < run && next == end && end != open->blocks)
			return 0;
	}
	uint32_t begin = open->handed * SHOAL_BLOCK;
	uint32_t stop = end == open->blocks ? open->bytes : end * SHOAL_BLOCK;
	if (end == open->handed)
		return 0;
	void *owner = open->job.owner;
	open->job = (struct shoal_disk_job){
		.op = SHOAL_DISK_WRITE,
		.flags = (next == open->blocks ? SHOAL_DISK_LAST : 0u) | (open->whole ? SHOAL_DISK_IF_GOOD : 0u),
		.piece = open->piece,
		.begin = begin,
		.len = stop - begin,
		.slot = open->slot + open->handed,
		.slot_count = end - open->handed,
		.origin = open->source + open->handed,
		.hash = &open->hash,
		.owner = owner,
	};
	return 1;
}

void shoal_open_run_done(struct shoal_landing *l, struct shoal_open *open)
{
	uint32_t end = open->handed + open->job.slot_count;
	if (!(open->whole && !open->hash.good)) {
		for (uint32_t i = open->handed; i < end; i++) {
			shoal_slot_unref(l->slots, open->slot[i]);
			open->slot[i] = NULL;
		}
	}
	open->handed = end;
	if (!open->whole)
		pass_kept(open);
	/* The window has moved: promises for the blocks it now holds, from the slots just given back. */
	while (!open->whole && open->promised + open->lent < to_come(open) && shoal_slots_reserve(l->slots, 1) == 0)
		open->promised++;
}
