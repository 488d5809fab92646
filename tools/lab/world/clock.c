/* clock.c - see clock.h. */
#include "tools/lab/world/clock.h"

#include <assert.h>
#include <stdlib.h>
#include "tools/lab/world/must.h"

#define SLOT_BITS 8	/* 256 us */
#define PAGE_BITS 18	/* 262 ms: 1024 slots */
#define CHAPTER_BITS 26 /* 67 s: 256 pages */
#define FINE (1u << (PAGE_BITS - SLOT_BITS))
#define COARSE (1u << (CHAPTER_BITS - PAGE_BITS))

/* The heads of the lists: notes with these numbers. 0 is none. */
#define FINE_LIST 1u
#define COARSE_LIST (FINE_LIST + FINE)
#define LATER_LIST (COARSE_LIST + COARSE)
#define LISTS (LATER_LIST + 1)
#define DUE 0u /* `next` of a note that is on no list, but due */

/* From step to step so many alarms ring. */
#define AHEAD 3u
/* Alarms that are set. With fewer, all that they are about is in the caches. */
#define MANY 4096u
#define FEW 48u /* are put in order one by one */

struct sim_note {
	shoal_us at;
	uint64_t order;
	struct sim_alarm *alarm; /* NULL: it was dropped while due */
	uint32_t next, prev;
};
struct sim_due { /* the key beside the note's number */
	shoal_us at;
	uint64_t order;
	uint32_t note;
};

void sim_clock_init(struct sim_clock *clock)
{
	*clock = (struct sim_clock){
		.now = SIM_START, .page = SIM_START >> PAGE_BITS, .notes = LISTS, .ahead = FINE_LIST
	};
	clock->note = sim_must(calloc(LISTS, sizeof *clock->note));
	for (uint32_t i = FINE_LIST; i < LISTS; i++)
		clock->note[i].next = clock->note[i].prev = i;
	clock->fine = sim_must(calloc((FINE + COARSE) / 64, sizeof *clock->fine));
	clock->coarse = clock->fine + FINE / 64;
}

void sim_clock_fini(struct sim_clock *clock)
{
	assert(clock->set == 0); /* whoever set an alarm dropped it */
	free(clock->note);
	free(clock->next.due);
	free(clock->late.due);
	free(clock->fine);
}

/* ---- what is due next -------------------------------------------------------------------- */

static bool before(const struct sim_due *a, const struct sim_due *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static int by_time(const void *a, const void *b)
{
	return before(a, b) ? -1 : 1;
}

static struct sim_due *dues_add(struct sim_dues *d)
{
	if (d->count == d->room) {
		d->room = d->room ? 2 * d->room : 64;
		d->due = sim_must(realloc(d->due, d->room * sizeof *d->due));
	}
	return &d->due[d->count++];
}

static void dues_sort(struct sim_dues *d)
{
	if (d->count > FEW)
		return qsort(d->due, d->count, sizeof *d->due, by_time);
	for (uint32_t i = 1; i < d->count; i++) {
		const struct sim_due due = d->due[i];
		uint32_t k = i;
		for (; k > 0 && before(&due, &d->due[k - 1]); k--)
			d->due[k] = d->due[k - 1];
		d->due[k] = due;
	}
}

static void late_push(struct sim_dues *h, struct sim_due due)
{
	(void)dues_add(h);
	uint32_t i = h->count - 1;
	for (; i > 0 && before(&due, &h->due[(i - 1) / 2]); i = (i - 1) / 2)
		h->due[i] = h->due[(i - 1) / 2];
	h->due[i] = due;
}

static void late_pop(struct sim_dues *h)
{
	const struct sim_due last = h->due[--h->count];
	uint32_t i = 0;
	for (uint32_t child; (child = 2 * i + 1) < h->count; i = child) {
		child += child + 1 < h->count && before(&h->due[child + 1], &h->due[child]);
		if (!before(&h->due[child], &last))
			break;
		h->due[i] = h->due[child];
	}
	h->due[i] = last;
}

/* ---- notes and their lists ---------------------------------------------------------------- */

static uint32_t note_new(struct sim_clock *c)
{
	if (c->free == 0) {
		uint32_t room = 2 * c->notes;
		c->note = sim_must(realloc(c->note, room * sizeof *c->note));
		for (uint32_t i = room; i-- > c->notes;) {
			c->note[i].next = c->free;
			c->free = i;
		}
		c->notes = room;
	}
	uint32_t n = c->free;
	c->free = c->note[n].next;
	return n;
}

static void note_free(struct sim_clock *c, uint32_t n)
{
	c->note[n].next = c->free;
	c->free = n;
}

/* When the slots that are not in the heap begin. */
static shoal_us due_end(const struct sim_clock *c)
{
	return (c->page << PAGE_BITS) + ((uint64_t)c->slot << SLOT_BITS);
}

/* Where what is due at `at` belongs, or DUE. */
static uint32_t list_of(const struct sim_clock *c, shoal_us at)
{
	if (at < due_end(c))
		return DUE;
	if (at >> PAGE_BITS == c->page)
		return FINE_LIST + (at >> SLOT_BITS & (FINE - 1));
	if (at >> CHAPTER_BITS == c->page >> (CHAPTER_BITS - PAGE_BITS))
		return COARSE_LIST + (at >> PAGE_BITS & (COARSE - 1));
	return LATER_LIST;
}

static void note_put(struct sim_clock *c, uint32_t n)
{
	uint32_t list = list_of(c, c->note[n].at);
	if (list == DUE) {
		c->note[n].next = DUE;
		return late_push(&c->late, (struct sim_due){ c->note[n].at, c->note[n].order, n });
	}
	if (list != LATER_LIST) {
		uint32_t bit = list - FINE_LIST; /* the coarse ones lie behind the fine */
		c->fine[bit >> 6] |= UINT64_C(1) << (bit & 63);
	}
	uint32_t last = c->note[list].prev;
	c->note[n].prev = last;
	c->note[n].next = list;
	c->note[last].next = c->note[list].prev = n;
}

static void note_take(struct sim_clock *c, uint32_t n)
{
	c->note[c->note[n].prev].next = c->note[n].next;
	c->note[c->note[n].next].prev = c->note[n].prev;
}

/* What is on a list goes where it belongs by now. */
static void spread(struct sim_clock *c, uint32_t list)
{
	uint32_t n = c->note[list].next;
	c->note[list].next = c->note[list].prev = list;
	for (uint32_t next; n != list; n = next) {
		next = c->note[n].next;
		note_put(c, n);
	}
}

/* What is on the list of a slot is what rings next. */
static void pour(struct sim_clock *c, uint32_t list)
{
	c->next.first = c->next.count = 0;
	for (uint32_t n = c->note[list].next, next; n != list; n = next) {
		next = c->note[n].next;
		*dues_add(&c->next) = (struct sim_due){ c->note[n].at, c->note[n].order, n };
		c->note[n].next = DUE;
	}
	c->note[list].next = c->note[list].prev = list;
	dues_sort(&c->next);
	c->ahead = list + 1 < COARSE_LIST ? list + 1 : list;
}

/* The first bit from `from` on; `count` when there is none. */
static uint32_t next_bit(const uint64_t *word, uint32_t from, uint32_t count)
{
	for (uint32_t w = from >> 6; w << 6 < count; w++) {
		uint64_t m = w == from >> 6 ? word[w] & UINT64_MAX << (from & 63) : word[w];
		if (m != 0)
			return w * 64 + (uint32_t)__builtin_ctzll(m);
	}
	return count;
}

/* To the page of the first of what comes later. */
static bool turn_far(struct sim_clock *c, shoal_us until)
{
	shoal_us first = SHOAL_NEVER;
	for (uint32_t n = c->note[LATER_LIST].next; n != LATER_LIST; n = c->note[n].next)
		first = c->note[n].at < first ? c->note[n].at : first;
	if (first == SHOAL_NEVER || first > until)
		return false;
	c->page = first >> PAGE_BITS;
	c->slot = 0;
	spread(c, LATER_LIST);
	return true;
}

/* To the next page with something on it, if it begins by `until`. */
static bool turn_page(struct sim_clock *c, shoal_us until)
{
	uint32_t from = (uint32_t)(c->page & (COARSE - 1)) + 1;
	uint32_t i = from < COARSE ? next_bit(c->coarse, from, COARSE) : COARSE;
	uint64_t page = (c->page & ~(uint64_t)(COARSE - 1)) + i;
	if (i == COARSE)
		return turn_far(c, until);
	if (page << PAGE_BITS > until)
		return false;
	c->coarse[i >> 6] &= ~(UINT64_C(1) << (i & 63));
	c->page = page;
	c->slot = 0;
	spread(c, COARSE_LIST + i);
	return true;
}

/* The next slot with something in it goes to the heap. false: there is none that begins by `until`; not to be looked for
 * further, or what is set in between would all stand in the heap. */
static bool fill(struct sim_clock *c, shoal_us until)
{
	uint32_t i = c->slot < FINE ? next_bit(c->fine, c->slot, FINE) : FINE;
	if (i == FINE)
		return turn_page(c, until);
	if ((c->page << PAGE_BITS) + ((uint64_t)i << SLOT_BITS) > until)
		return false;
	c->fine[i >> 6] &= ~(UINT64_C(1) << (i & 63));
	c->slot = i + 1;
	pour(c, FINE_LIST + i);
	return true;
}

static struct sim_alarm *alarm_of(const struct sim_clock *c, uint32_t i)
{
	return i < c->next.count ? c->note[c->next.due[i].note].alarm : NULL;
}

static void tell_soon(const struct sim_clock *c, uint32_t i, enum sim_soon how)
{
	struct sim_alarm *alarm = alarm_of(c, i);
	if (alarm != NULL && alarm->soon != NULL)
		alarm->soon(alarm, how);
}

/* Number i of the slot is about to ring. Those after it hear of it, on each step one; as the slot begins, its first ones. */
static void look_ahead(struct sim_clock *c, uint32_t i)
{
	/* The notes of the next slot as well, one by one. (Whatever has become of that list: numbers of notes they are.) */
	c->ahead = c->note[c->ahead].next;
	__builtin_prefetch(&c->note[c->ahead]);
	for (uint32_t k = 0; i == 0 && k < (SIM_NEXT + 2) * AHEAD; k++)
		__builtin_prefetch(alarm_of(c, k));
	for (uint32_t how = SIM_SOON; how <= SIM_NEXT; how++) {
		uint32_t before = (SIM_NEXT + 1 - how) * AHEAD;
		for (uint32_t k = 0; i == 0 && k < before; k++)
			tell_soon(c, k, (enum sim_soon)how);
		tell_soon(c, i + before, (enum sim_soon)how);
	}
	__builtin_prefetch(alarm_of(c, i + (SIM_NEXT + 2) * AHEAD));
}

/* The first of all, if it is due by `until`, taken out; else NULL. */
static struct sim_alarm *take_first(struct sim_clock *c, shoal_us until)
{
	for (;;) {
		const struct sim_due *next = c->next.first < c->next.count ? &c->next.due[c->next.first] : NULL;
		const struct sim_due *late = c->late.count > 0 ? &c->late.due[0] : NULL;
		if (next == NULL && late == NULL) {
			if (!fill(c, until))
				return NULL;
			continue;
		}
		bool is_next = late == NULL || (next != NULL && before(next, late));
		uint32_t n = is_next ? next->note : late->note;
		struct sim_alarm *alarm = c->note[n].alarm;
		if (alarm != NULL && c->note[n].at > until)
			return NULL;
		if (is_next && c->set > MANY)
			look_ahead(c, c->next.first);
		if (is_next)
			c->next.first++;
		else
			late_pop(&c->late);
		note_free(c, n);
		if (alarm == NULL) /* dropped since */
			continue;
		c->set--;
		alarm->note = 0;
		return alarm;
	}
}

/* ---- alarms --------------------------------------------------------------------------------- */

void sim_alarm_set(struct sim_clock *clock, struct sim_alarm *alarm, shoal_us at)
{
	sim_alarm_drop(clock, alarm);
	alarm->at = at > clock->now ? at : clock->now;
	alarm->note = note_new(clock);
	clock->note[alarm->note] = (struct sim_note){ .at = alarm->at, .order = clock->order++, .alarm = alarm };
	clock->set++;
	note_put(clock, alarm->note);
}

void sim_alarm_drop(struct sim_clock *clock, struct sim_alarm *alarm)
{
	uint32_t n = alarm->note;
	if (n == 0)
		return;
	assert(clock->note[n].alarm == alarm);
	alarm->note = 0;
	clock->set--;
	if (clock->note[n].next == DUE) { /* it stays in the heap, and means nobody */
		clock->note[n].alarm = NULL;
		return;
	}
	note_take(clock, n);
	note_free(clock, n);
}

bool sim_clock_step(struct sim_clock *clock, shoal_us until)
{
	struct sim_alarm *alarm = take_first(clock, until);
	if (alarm == NULL) {
		clock->now = until > clock->now ? until : clock->now;
		return false;
	}
	clock->now = alarm->at;
	/* What is set for this very moment while we ring is rung as well: its order is later. */
	for (; alarm != NULL; alarm = take_first(clock, clock->now)) {
		clock->rung++;
		alarm->ring(alarm);
	}
	return true;
}
