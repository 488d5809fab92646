/* swarm/peers/choker.c - ranks, turns and one throw of dice, all in the caller's table. */
#include "swarm/peers/choker.h"

#include <assert.h>
#include "swarm/peers/reputation.h"

/* A timer comes late now and then, the next one less so: this much early still counts as on time. */
#define EARLY SHOAL_S(1)
#define NEWCOMER_WEIGHT 3u /* BEP 3 */
#define UNEARNED 4u	   /* slots in use, below which others than those who give get one too */
#define TRADE_MAX 128u
#define TRADE_HALF SHOAL_S(600)
#define EARNED_PART 4u /* of an equal share: who gives less does not earn a slot by it */

enum verdict { CHOKED, REGULAR, TRIAL };

/* One decision. The candidates are views[views[i].order], i < count: a sorted list inside the table itself. */
struct round {
	struct shoal_choker_view *views;
	size_t count;
	uint64_t turn_bytes, unit;
	bool by_record, by_onward;
	uint32_t salt; /* of this round's ties between turns */
	shoal_us now;
};
typedef bool before_fn(const struct round *r, const struct shoal_choker_view *a, const struct shoal_choker_view *b);

static struct shoal_choker_view *nth(const struct round *r, size_t i)
{
	return &r->views[r->views[i].order];
}

static shoal_us since(shoal_us at, shoal_us now)
{
	return now > at ? now - at : 0;
}

/* ---- orders: total, since serials differ ------------------------------------------ */

static uint64_t rank_of(const struct shoal_choker_view *v)
{
	if (v->snubbed)
		return 0;
	/* Rates waver; without a little favour for the incumbent two equals would swap each round. */
	bool incumbent = v->unchoked && !v->optimistic;
	return v->got / 2 + (incumbent ? v->got / 16 : 0);
}

static bool gives_more(const struct round *r, const struct shoal_choker_view *a, const struct shoal_choker_view *b)
{
	(void)r;
	uint64_t rank_a = rank_of(a), rank_b = rank_of(b);
	return rank_a != rank_b ? rank_a > rank_b : a->peer < b->peer;
}

enum turn { IN_TURN, WAITING, TURN_OVER };

/* A tenth of it for one who passes nothing on: less, and never nothing. */
static uint64_t by_onward(const struct round *r, const struct shoal_choker_view *v, uint64_t x)
{
	uint32_t onward = v->onward > SHOAL_CHOKER_ONWARD / 10 ? v->onward : SHOAL_CHOKER_ONWARD / 10;
	return r->by_onward && onward < SHOAL_CHOKER_ONWARD ? x / SHOAL_CHOKER_ONWARD * onward : x;
}

static enum turn turn_of(const struct round *r, const struct shoal_choker_view *v)
{
	if (!v->unchoked)
		return WAITING;
	shoal_us served = since(v->unchoked_at, r->now) + EARLY;
	if (served < SHOAL_CHOKER_ROUND)
		return IN_TURN;
	bool over = v->optimistic || v->gave_turn >= by_onward(r, v, r->turn_bytes) ||
		    served >= by_onward(r, v, SHOAL_CHOKER_TURN);
	return over ? TURN_OVER : IN_TURN;
}

/* Peers choked together wait equally long, again and again: by serial, the same ones would always come a lap sooner.
 * Odd times is one to one, so that no two are equal. */
static uint32_t lot(const struct round *r, const struct shoal_choker_view *v)
{
	return (v->peer ^ r->salt) * 2654435761u;
}

/* In rounds, so that "equally long" has a meaning and speed decides among equals. */
static uint64_t waited(const struct round *r, const struct shoal_choker_view *v)
{
	shoal_us from = v->joined_at;
	if (from < v->unchoked_at)
		from = v->unchoked_at;
	if (from < v->choked_at)
		from = v->choked_at;
	return by_onward(r, v, since(from, r->now)) / SHOAL_CHOKER_ROUND;
}

static bool turn_first(const struct round *r, const struct shoal_choker_view *a, const struct shoal_choker_view *b)
{
	enum turn turn_a = turn_of(r, a), turn_b = turn_of(r, b);
	if (turn_a != turn_b)
		return turn_a < turn_b;
	if (turn_a == WAITING) {
		uint64_t waited_a = waited(r, a), waited_b = waited(r, b);
		if (waited_a != waited_b)
			return waited_a > waited_b;
		if (a->gave != b->gave)
			return a->gave > b->gave;
	} else if (a->unchoked_at != b->unchoked_at) {
		return a->unchoked_at > b->unchoked_at; /* the longest served leaves first */
	}
	return lot(r, a) < lot(r, b);
}

/* A heap sort: no heap memory, and no order of the table that makes it slow. */
static void sink(struct round *r, size_t i, size_t end, before_fn *before)
{
	for (size_t child; (child = 2 * i + 1) < end; i = child) {
		if (child + 1 < end && before(r, nth(r, child), nth(r, child + 1)))
			child++;
		if (!before(r, nth(r, i), nth(r, child)))
			return;
		uint32_t swap = r->views[i].order;
		r->views[i].order = r->views[child].order;
		r->views[child].order = swap;
	}
}

static void sort(struct round *r, before_fn *before)
{
	for (size_t i = r->count / 2; i-- > 0;)
		sink(r, i, r->count, before);
	for (size_t end = r->count; end-- > 1;) {
		uint32_t swap = r->views[0].order;
		r->views[0].order = r->views[end].order;
		r->views[end].order = swap;
		sink(r, 0, end, before);
	}
}

/* ---- who gets a slot: each returns the slots that are left ------------------------ */

static void serve(struct shoal_choker_view *v, enum verdict verdict, enum shoal_choke_why why)
{
	v->verdict = (uint8_t)verdict;
	v->why = (uint8_t)why;
}

/* While `unchoked` still says what was. */
static enum shoal_choke_why why_not(const struct shoal_choker_view *v, bool seeding)
{
	if (v->seed)
		return SHOAL_CHOKE_SEED;
	if (!v->interested)
		return SHOAL_CHOKE_UNWANTED;
	if (seeding)
		return v->unchoked ? SHOAL_CHOKE_OVER : SHOAL_CHOKE_WAITS;
	return v->snubbed ? SHOAL_CHOKE_SNUBBED : SHOAL_CHOKE_OUTBID;
}

static size_t give_by_merit(struct round *r, size_t slots)
{
	uint64_t share = 0; /* an equal one of what the best give */
	sort(r, gives_more);
	for (size_t i = 0; i < r->count && i < slots; i++)
		share += rank_of(nth(r, i)) / slots;
	for (size_t i = 0; i < r->count && slots && rank_of(nth(r, i)) > share / EARNED_PART; i++, slots--)
		serve(nth(r, i), REGULAR, SHOAL_CHOKE_EARNED);
	return slots;
}

/* Was seen to keep to itself most of what it alone was given. */
static bool hoards(const struct round *r, const struct shoal_choker_view *v)
{
	return r->by_onward && v->onward < SHOAL_CHOKER_ONWARD / 2;
}

/* Seeding: one of those at a time, while others want something. */
static void leave_out_hoarders(struct round *r)
{
	size_t kept = 0, out = 0;
	sort(r, turn_first);
	for (size_t i = 0; i < r->count; i++)
		kept += !hoards(r, nth(r, i));
	if (kept == 0 || kept == r->count)
		return;
	kept = 0;
	for (size_t i = 0; i < r->count; i++)
		if (!hoards(r, nth(r, i)) || out++ == 0)
			r->views[kept++].order = r->views[i].order;
	r->count = kept;
}

static size_t give_by_turns(struct round *r, size_t slots, bool seeding)
{
	if (slots == 0)
		return 0;
	sort(r, turn_first);
	for (size_t i = 0; i < r->count && slots; i++) {
		struct shoal_choker_view *v = nth(r, i);
		if (v->verdict == CHOKED && (seeding || !v->snubbed)) {
			serve(v, REGULAR, SHOAL_CHOKE_TURN);
			slots--;
		}
	}
	return slots;
}

static uint32_t weight_of(const struct shoal_choker_view *v, const struct shoal_choker_view *except)
{
	if (v->verdict != CHOKED || v == except)
		return 0;
	return v->unchoked_at == 0 ? NEWCOMER_WEIGHT : 1;
}

/* What is remembered of trade is bounded, and fades while one is not served: who has changed can show it, and
 * nobody is left out for good. */
static double trade(const struct round *r, const struct shoal_choker_view *v, uint64_t bytes)
{
	uint64_t halves = v->choked_at != 0 ? since(v->choked_at, r->now) / TRADE_HALF : 0;
	bytes = halves < 64 ? bytes >> halves : 0;
	return bytes / r->unit < TRADE_MAX ? 1 + (double)bytes / (double)r->unit : 1.0 + TRADE_MAX;
}

static struct shoal_choker_view *draw_by_record(struct round *r, const struct shoal_choker_view *except,
						struct shoal_rng *rng)
{
	struct shoal_choker_view *best = NULL;
	double most = -1;
	for (size_t i = 0; i < r->count; i++) {
		struct shoal_choker_view *v = nth(r, i);
		if (v->verdict != CHOKED || v == except)
			continue;
		double x = shoal_rep_draw(trade(r, v, v->got_ever), trade(r, v, v->gave_ever), rng);
		if (x > most) {
			most = x;
			best = v;
		}
	}
	return best;
}

static struct shoal_choker_view *draw(struct round *r, const struct shoal_choker_view *except, struct shoal_rng *rng)
{
	if (r->by_record)
		return draw_by_record(r, except, rng);
	uint32_t sum = 0;
	for (size_t i = 0; i < r->count; i++)
		sum += weight_of(nth(r, i), except);
	uint32_t dice = shoal_rng_below(rng, sum);
	for (size_t i = 0; i < r->count; i++) {
		uint32_t weight = weight_of(nth(r, i), except);
		if (dice < weight)
			return nth(r, i);
		dice -= weight;
	}
	return NULL;
}

static struct shoal_choker_view *trial_now(const struct round *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (nth(r, i)->unchoked && nth(r, i)->optimistic)
			return nth(r, i);
	return NULL;
}

/* The one before it has shown what our line carries. */
static void begin_trial(struct shoal_choker *c, const struct shoal_choker_view *next, shoal_us now)
{
	shoal_us lasted = since(c->optimistic_at, now);
	/* In less than a round much of it went into sockets' buffers. */
	if (c->optimistic_at != 0 && lasted + EARLY >= SHOAL_CHOKER_ROUND)
		*(c->trial_free ? &c->free_rate : &c->held_rate) = c->line_bytes / (lasted / SHOAL_S(1) + 1);
	c->trial_free = c->trials++ % SHOAL_CHOKER_FREE == 0;
	c->trial_before = next && next->unchoked ? next->gave_turn : 0;
	c->regular_bytes = c->line_bytes = 0;
	c->optimistic_at = now;
}

static void leech(struct round *r, struct shoal_choker *c, size_t slots, struct shoal_rng *rng)
{
	size_t all = slots;
	slots = give_by_merit(r, slots);
	/* A line that is full with those who give is not to be shared with who does not. */
	if (r->by_record) {
		size_t earned = all - slots, free = earned < UNEARNED ? UNEARNED - earned : 0;
		slots = slots < free ? slots : free;
	}
	struct shoal_choker_view *trial = trial_now(r);
	/* By then it has had a round of its own in which to answer. */
	shoal_us most = r->by_record && trial && trial->denies ? SHOAL_CHOKER_ANSWER : SHOAL_CHOKER_OPTIMISTIC;
	bool stays = trial && trial->verdict == CHOKED && since(c->optimistic_at, r->now) + EARLY < most;
	if (stays)
		serve(trial, TRIAL, SHOAL_CHOKE_TRIAL);
	slots = give_by_turns(r, slots, false);
	if (stays && slots && !trial->snubbed) {
		/* a slot that nobody else may have: the trial takes it, and makes room for another */
		serve(trial, REGULAR, SHOAL_CHOKE_TURN);
		stays = false;
	}
	if (stays)
		return;
	struct shoal_choker_view *next = draw(r, trial, rng);
	if (next == NULL && trial && trial->verdict == CHOKED)
		next = trial;
	if (next)
		serve(next, TRIAL, SHOAL_CHOKE_TRIAL);
	begin_trial(c, next, r->now);
}

void shoal_choker_round(struct shoal_choker *c, struct shoal_choker_view views[], size_t n,
			const struct shoal_choke_terms *terms, struct shoal_rng *rng, shoal_us now)
{
	struct round r = { .views = views,
			   .turn_bytes = terms->turn_bytes,
			   .unit = terms->unit,
			   .by_record = terms->by_record,
			   .by_onward = terms->by_onward && terms->seeding,
			   .salt = shoal_rng_next(rng),
			   .now = now };
	unsigned slots = terms->slots;
	bool seeding = terms->seeding;
	assert(n < UINT32_MAX / NEWCOMER_WEIGHT && terms->turn_bytes > 0 && terms->unit > 0);
	for (size_t i = 0; i < n; i++) {
		serve(&views[i], CHOKED, SHOAL_CHOKE_UNTOLD);
		if (views[i].interested && !views[i].seed)
			views[r.count++].order = (uint32_t)i;
	}
	size_t room = (size_t)slots + 1;
	if (r.by_onward)
		leave_out_hoarders(&r);
	if (r.count <= room || seeding) {
		c->optimistic_at = 0;
		if (r.count <= room)
			for (size_t i = 0; i < r.count; i++)
				serve(nth(&r, i), REGULAR, SHOAL_CHOKE_ALL);
		else
			give_by_turns(&r, room, true);
	} else {
		leech(&r, c, slots, rng);
	}
	c->regulars = 0;
	for (size_t i = 0; i < n; i++) {
		c->regulars += views[i].verdict == REGULAR;
		if (views[i].verdict == CHOKED)
			views[i].why = (uint8_t)why_not(&views[i], seeding);
		views[i].unchoked = views[i].verdict != CHOKED;
		views[i].optimistic = views[i].verdict == TRIAL;
	}
}

bool shoal_choker_sated(const struct shoal_choker *c, uint64_t gave_turn, uint64_t ahead)
{
	bool room = c->free_rate > c->held_rate + c->held_rate / 4;
	if (c->trial_free || room || c->regulars == 0 || gave_turn < c->trial_before)
		return false;
	return gave_turn - c->trial_before >= c->regular_bytes / c->regulars + ahead;
}
