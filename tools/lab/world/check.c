/* check.c - see check.h. */
#include "tools/lab/world/check.h"

#include <stdlib.h>
#include <string.h>
#include "proto/base/slots.h"
#include "tools/lab/world/room.h"

#define TICKS_A_MS 5000 /* more in a millisecond: the node spins */

/* Something said whose effect begins when it is heard. */
struct sim_talk_event {
	uint64_t end; /* of it, in the stream */
	uint16_t id;
	uint32_t piece, begin, len;
};

static uint32_t seconds(const struct sim *sim)
{
	return (uint32_t)(sim->clock.now / 1000000);
}

/* ---- blocks asked for: a set ------------------------------------------------------------------ */

static uint64_t key_of(uint32_t piece, uint32_t begin)
{
	return ((uint64_t)piece << 32 | begin) + 1;
}

static uint32_t home_of(const struct sim_talk *t, uint64_t key)
{
	return (uint32_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (t->asked_room - 1);
}

static uint32_t place_of(const struct sim_talk *t, uint64_t key)
{
	uint32_t i = home_of(t, key);
	while (t->asked[i] != 0 && t->asked[i] != key)
		i = (i + 1) & (t->asked_room - 1);
	return i;
}

static void asked_grow(struct sim_talk *t)
{
	uint64_t *old = t->asked;
	uint32_t n = t->asked_room;
	t->asked_room = n ? 2 * n : 32;
	t->asked = sim_must(calloc(t->asked_room, sizeof *t->asked));
	for (uint32_t i = 0; i < n; i++)
		if (old[i] != 0)
			t->asked[place_of(t, old[i])] = old[i];
	free(old);
}

/* false: it was there. */
static bool asked_add(struct sim_talk *t, uint64_t key)
{
	if (2 * t->asked_count >= t->asked_room)
		asked_grow(t);
	uint32_t i = place_of(t, key);
	if (t->asked[i] == key)
		return false;
	t->asked[i] = key;
	t->asked_count++;
	return true;
}

/* false: it was not there. */
static bool asked_drop(struct sim_talk *t, uint64_t key)
{
	uint32_t i = t->asked_count > 0 ? place_of(t, key) : 0;
	if (t->asked_count == 0 || t->asked[i] != key)
		return false;
	/* What stands behind it in its run moves up. */
	for (uint32_t k = (i + 1) & (t->asked_room - 1); t->asked[k] != 0; k = (k + 1) & (t->asked_room - 1)) {
		uint32_t home = home_of(t, t->asked[k]);
		if (((k - home) & (t->asked_room - 1)) >= ((k - i) & (t->asked_room - 1))) {
			t->asked[i] = t->asked[k];
			i = k;
		}
	}
	t->asked[i] = 0;
	t->asked_count--;
	return true;
}

static void asked_wipe(struct sim_talk *t)
{
	if (t->asked_count > 0)
		memset(t->asked, 0, t->asked_room * sizeof *t->asked);
	t->asked_count = 0;
}

static bool asks_of(const struct sim_account *a, uint32_t piece)
{
	for (const struct sim_talk *t = a->talks; t != NULL; t = t->next)
		for (uint32_t i = 0; t->asked_count > 0 && i < t->asked_room; i++)
			if (t->asked[i] != 0 && (uint32_t)((t->asked[i] - 1) >> 32) == piece)
				return true;
	return false;
}

static bool is_sampled(const struct sim_node *n)
{
	return !n->sim->o.brief || n->index % SIM_CHECK_SAMPLE == 0;
}

/* ---- talk --------------------------------------------------------------------------------------- */

void sim_talk_begin(struct sim_talk *t, struct sim_node *who, struct sim_node *to, struct sim_talk *back)
{
	*t = (struct sim_talk){ .who = who, .to = to, .back = back, .sampled = is_sampled(who) };
	if (back != NULL)
		back->back = t;
	t->next = who->account.talks;
	t->at = &who->account.talks;
	if (t->next != NULL)
		t->next->at = &t->next;
	*t->at = t;
}

void sim_talk_end(struct sim_talk *t)
{
	if (t->who == NULL)
		return;
	*t->at = t->next;
	if (t->next != NULL)
		t->next->at = t->at;
	if (t->back != NULL)
		t->back->back = NULL;
	free(t->asked);
	free(t->event);
}

static void touch(struct sim_node *n, uint32_t piece)
{
	if (piece < n->account.pieces)
		n->account.touched[piece] = seconds(n->sim);
}

static void event_put(struct sim_talk *t, const struct shoal_wire_msg *msg, uint64_t end)
{
	if (t->events == t->event_room) {
		uint32_t room = t->event_room ? 2 * t->event_room : 16;
		struct sim_talk_event *ring = sim_must(calloc(room, sizeof *ring));
		for (uint32_t i = 0; i < t->events; i++)
			ring[i] = t->event[(t->event_head + i) % t->event_room];
		free(t->event);
		t->event = ring;
		t->event_head = 0;
		t->event_room = room;
	}
	t->event[(t->event_head + t->events++) % t->event_room] = (struct sim_talk_event){ end, msg->id, msg->index,
											   msg->begin, msg->len };
}

void sim_talk_said(struct sim_talk *t, const struct shoal_wire_msg *msg, uint64_t end)
{
	struct sim_node *n = t->who;
	bool heard = t->back == NULL || t->back->sampled;
	if (msg->id == SHOAL_WIRE_PIECE)
		n->account.gave += msg->len;
	if (!t->sampled && (msg->id == SHOAL_WIRE_REQUEST || msg->id == SHOAL_WIRE_CANCEL))
		return;
	switch (msg->id) {
	case SHOAL_WIRE_REQUEST:
		t->idle = 0;
		touch(n, msg->index);
		if (asked_add(t, key_of(msg->index, msg->begin)) || n->o.liar)
			return;
		/* A late answer to an ask that was cancelled cannot be told from one to the ask after it (BEP 6), which
		 * may not even be on its way yet: so that is taken for answered, and made again. */
		if (t->strays > 0)
			t->strays--;
		else
			sim_breach(n->sim, n, "asked node %u twice for block %u of piece %u", t->to->index,
				   msg->begin / SHOAL_BLOCK, msg->index);
		return;
	case SHOAL_WIRE_CANCEL: (void)asked_drop(t, key_of(msg->index, msg->begin)); return;
	case SHOAL_WIRE_PIECE:
	case SHOAL_WIRE_CHOKE:
	case SHOAL_WIRE_UNCHOKE:
	case SHOAL_WIRE_REJECT: break;
	default: return;
	}
	if (heard)
		event_put(t, msg, end);
}

/* `t`, the other direction, has been told. */
static void told(struct sim_talk *t, const struct sim_talk_event *ev)
{
	struct sim_node *n = t->who;
	shoal_us now = n->sim->clock.now;
	switch (ev->id) {
	case SHOAL_WIRE_PIECE:
		touch(n, ev->piece);
		n->account.got += ev->len;
		n->account.got_at = now;
		t->strays += !asked_drop(t, key_of(ev->piece, ev->begin));
		return;
	case SHOAL_WIRE_REJECT: t->strays += !asked_drop(t, key_of(ev->piece, ev->begin)); return;
	case SHOAL_WIRE_CHOKE:
		t->unchoked = false;
		if (!t->fast)
			asked_wipe(t);
		return;
	case SHOAL_WIRE_UNCHOKE: t->unchoked = true; return;
	default: return;
	}
}

void sim_talk_took(struct sim_talk *t, size_t n)
{
	t->took += n;
	if (t->took > t->said)
		sim_breach(t->who->sim, t->to, "was told %llu bytes by node %u, which said %llu",
			   (unsigned long long)t->took, t->who->index, (unsigned long long)t->said);
	while (t->events > 0 && t->event[t->event_head].end <= t->took) {
		struct sim_talk_event ev = t->event[t->event_head];
		t->event_head = (t->event_head + 1) % t->event_room;
		t->events--;
		if (t->back != NULL)
			told(t->back, &ev);
	}
}

/* ---- accounts -------------------------------------------------------------------------------------- */

void sim_account_reborn(struct sim_node *n)
{
	struct sim_account *a = &n->account;
	a->gave = a->got = 0;
	a->got_at = 0;
	if (!is_sampled(n))
		return;
	a->pieces = n->witness.promised.count;
	free(a->touched);
	a->touched = sim_must(calloc(a->pieces, sizeof *a->touched));
}

void sim_account_fini(struct sim_account *a)
{
	free(a->touched);
}

void sim_check_node(struct sim_node *n)
{
	const struct shoal_budget *b = &n->budget;
	struct sim_account *a = &n->account;
	if (b->used > b->limit || b->peak > b->limit)
		sim_breach(n->sim, n, "holds %zu bytes of %zu", b->used > b->limit ? b->used : b->peak, b->limit);
	if (shoal_slots_out(n->slots) * SHOAL_BLOCK > b->used)
		sim_breach(n->sim, n, "has %zu slots out with %zu bytes charged", shoal_slots_out(n->slots), b->used);
	shoal_us ms = n->sim->clock.now / 1000;
	a->ticks_in_ms = a->tick_ms == ms ? a->ticks_in_ms + 1 : 0;
	a->tick_ms = ms;
	if (a->ticks_in_ms > TICKS_A_MS)
		sim_breach(n->sim, n, "spins: %u ticks in a millisecond", a->ticks_in_ms);
}

void sim_check_stats(struct sim_node *n)
{
	const struct shoal_stats *s = &n->stats;
	const struct sim_account *a = &n->account;
	if (n->o.liar || n->sim->hides || !is_sampled(n))
		return;
	if (s->uploaded != a->gave)
		sim_breach(n->sim, n, "says that it gave %llu bytes, and %llu went by", (unsigned long long)s->uploaded,
			   (unsigned long long)a->gave);
	if (n->sim->o.fetch != NULL) /* what servers gave did not go by */
		return;
	if (s->downloaded > a->got)
		sim_breach(n->sim, n, "says that it got %llu bytes, and %llu went by",
			   (unsigned long long)s->downloaded, (unsigned long long)a->got);
}

/* ---- idle pieces ------------------------------------------------------------------------------------ */

/* A node that could fetch, and is expected to: nothing of its own holds it up. */
static bool could_fetch(const struct sim_node *n)
{
	return n->node != NULL && !n->o.liar && n->added && n->checked && !n->complete && !n->failed && !n->leaving &&
	       !n->stopped && n->paused == n->resumed && n->o.flags == 0 && n->o.files.len == 0 && n->o.so == NULL &&
	       !sim_disk_busy(n->disk);
}

/* Something else is scarce, and what it has of that it uses. */
static bool is_held_back(const struct sim_node *n)
{
	const struct shoal_budget *b = &n->budget;
	bool gets = n->account.got_at + SIM_CHECK_IDLE > n->sim->clock.now;
	/* A few pieces fill its memory: one that is only to be had from somebody who is slow stands in the way of all. */
	if (b->limit < 4 * (size_t)shoal_metainfo_piece_size(n->witness.content->mi))
		return true;
	return gets && (n->o.limit_down > 0 || b->used + SHOAL_BLOCK * 64 > b->limit / 4 * 3);
}

static uint32_t idle_piece(const struct sim_node *n, const struct sim_talk *t)
{
	uint32_t now = seconds(n->sim);
	const struct shoal_bits *has = t->back->announced;
	for (uint32_t i = shoal_bits_next(has, 0); i < has->count; i = shoal_bits_next(has, i + 1))
		if (!shoal_bits_get(&n->witness.promised, i) &&
		    n->account.touched[i] + SIM_CHECK_IDLE / 1000000 < now && !asks_of(&n->account, i))
			return i;
	return has->count;
}

void sim_check_idle(struct sim *sim)
{
	for (unsigned i = 0; i < sim->nodes && !sim->hides; i++) {
		struct sim_node *n = sim->node[i];
		if (!is_sampled(n))
			continue;
		bool able = could_fetch(n) && !is_held_back(n);
		for (struct sim_talk *t = n->account.talks; t != NULL; t = t->next) {
			const struct sim_node *h = t->to;
			if (!able || t->asked_count > 0 || t->back == NULL || h->node == NULL || h->o.liar ||
			    t->back->announced->word == NULL || sim_line_apart(&n->line, &h->line)) {
				t->idle = 0;
				continue;
			}
			/* (While it is choked, that it does not ask is no fault; nor is it an excuse.) */
			uint32_t piece = t->unchoked ? idle_piece(n, t) : t->back->announced->count;
			if (piece == t->back->announced->count)
				continue;
			t->idle += SIM_CHECK_EVERY;
			if (t->idle > sim->idle_most)
				sim->idle_most = t->idle;
			if (t->idle > SIM_CHECK_IDLE && !sim->o.figures)
				sim_breach(sim, n, "lets piece %u lie, and node %u, which would serve it, idle", piece,
					   h->index);
		}
	}
}
