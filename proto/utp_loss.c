/*
 * proto/utp_loss.c - what is lost, what only late, and what the window owes for it.
 *
 * Time decides, as in RACK (RFC 8985): what is missing although something that was sent after it came long ago. How
 * long is learnt from how late packets were; while all come in order, three that have passed it say so at once. A loss that
 * turns out to be none gives the window back.
 */
#include "proto/base/bytes.h"
#include "proto/utp_room.h"

#define OVERTAKERS 3u		    /* packets */
#define SLACK SHOAL_MS(1)	    /* of clocks and loops */
#define PATIENCE_LEAST SHOAL_MS(20) /* that there may be, where the round trip is shorter */
#define FORGET 16u		    /* round trips until lateness that is no more counts for a third */
#define LEAST_MINUTE SHOAL_S(60)

void utp_loss_init(struct utp_conn *c, uint16_t seq, shoal_us now)
{
	c->loss = (struct utp_losses){
		.top = seq, .recover = seq, .round = seq, .least = { SHOAL_NEVER, SHOAL_NEVER }, .minute = now
	};
}

/* The shortest round trip of the last minute or two; 0: none was measured. */
static shoal_us rtt_least(const struct utp_losses *l)
{
	shoal_us least = shoal_min_u64(l->least[0], l->least[1]);
	return least == SHOAL_NEVER ? 0 : least;
}

void utp_loss_measured(struct utp_conn *c, shoal_us rtt, uint32_t delay, shoal_us now)
{
	struct utp_losses *l = &c->loss;
	if (l->minute + LEAST_MINUTE <= now) {
		l->minute = now;
		l->least[1] = l->least[0];
		l->least[0] = SHOAL_NEVER;
	}
	l->least[0] = shoal_min_u64(l->least[0], rtt);
	if (delay != 0) {
		l->back = (uint32_t)rtt - delay;
		l->has_back = true;
	}
}

void utp_loss_heard(struct utp_conn *c, uint32_t delay, shoal_us now)
{
	uint32_t age = delay + c->loss.back;
	c->loss.answered = delay != 0 && c->loss.has_back && age < now ? now - age : 0;
}

/* ---- cuts of the window ------------------------------------------------------------- */

static void begin_cut(struct utp_conn *c)
{
	struct utp_losses *l = &c->loss;
	l->recover = c->nxt;
	l->before = shoal_ledbat_mark(&c->ledbat);
	l->charged = 0;
	l->cut = (uint8_t)(l->cut % UINT8_MAX + 1);
	l->may_undo = true;
}

void utp_loss_one(struct utp_conn *c, uint16_t seq)
{
	struct utp_packet *p = utp_packet_at(c, seq);
	utp_send_again(c, p);
	if (p->probe && p->tries == 1 && c->probing) { /* too wide: no sign of crowding */
		utp_out_probed(c, (uint32_t)utp_packet_bytes(p), false);
		return;
	}
	if (!shoal_utp_before(seq, c->loss.recover)) {
		begin_cut(c);
		shoal_ledbat_lost(&c->ledbat, c->srtt);
	}
	p->cut = c->loss.cut;
	c->loss.charged++;
}

void utp_loss_all(struct utp_conn *c)
{
	if (c->timeouts <= 1)
		begin_cut(c);
	c->loss.recover = c->nxt;
	for (uint16_t seq = c->una; seq != c->nxt; seq++)
		if (!utp_packet_at(c, seq)->acked && !utp_packet_at(c, seq)->lost)
			utp_loss_one(c, seq);
	shoal_ledbat_timeout(&c->ledbat);
}

static void settle(struct utp_conn *c, const struct utp_packet *p, bool was_lost)
{
	struct utp_losses *l = &c->loss;
	if (!l->may_undo || p->cut != l->cut)
		return;
	l->may_undo = !was_lost;
	if (was_lost || --l->charged > 0)
		return;
	l->may_undo = false;
	l->recover = c->una; /* what of that window was lost all the same has a cut of its own */
	shoal_ledbat_undo(&c->ledbat, &l->before);
	c->u->stats.undone++;
}

/* ---- what came ------------------------------------------------------------------------- */

/* `sent` then, it comes now, and what was sent later has come before it. */
static void came_late(struct utp_losses *l, shoal_us sent, shoal_us now)
{
	shoal_us due = sent + l->newest_rtt;
	l->late = shoal_max_u64(l->late, now > due ? now - due : 1);
}

void utp_loss_acked(struct utp_conn *c, uint16_t seq, shoal_us now)
{
	struct utp_losses *l = &c->loss;
	const struct utp_packet *p = utp_packet_at(c, seq);
	/* An ack that is back sooner than any ever was is that of the sending before, unless a queue is gone that was
	 * there all the time: it tells how long its packet took (Eifel, RFC 3522). */
	bool too_soon = !p->lost && p->tries > 1 && p->sent + rtt_least(l) > now &&
			(l->answered == 0 || l->answered + p->waited / 2 < p->sent);
	shoal_us sent = too_soon ? p->sent - p->waited : p->sent;
	if (shoal_utp_before(seq, l->top) && sent <= l->newest && (p->tries == 1 || (too_soon && p->tries == 2)))
		came_late(l, sent, now);
	settle(c, p, !p->lost && !too_soon);
	if (too_soon && p->probe)
		utp_out_probed(c, (uint32_t)utp_packet_bytes(p), true);
	if ((p->tries == 1 || (!p->lost && !too_soon)) && p->sent >= l->newest) {
		l->newest = p->sent;
		l->newest_rtt = now - p->sent;
	}
	if (!shoal_utp_before(seq, l->top))
		l->top = (uint16_t)(seq + 1);
}

void utp_loss_look(struct utp_conn *c, shoal_us now)
{
	struct utp_losses *l = &c->loss;
	unsigned passed = 0;
	if (shoal_utp_before(l->recover, c->una))
		l->recover = c->una;
	if (!shoal_utp_before(c->una, l->round)) {
		l->round = c->nxt;
		l->late -= (l->late + FORGET - 1) / FORGET; /* to nothing, in the end */
	}
	l->look_at = 0;
	shoal_us patience = shoal_max_u64(l->late + l->late / 4, rtt_least(l) / 4);
	patience = shoal_min_u64(patience, shoal_max_u64(c->srtt, PATIENCE_LEAST)) + SLACK;
	/* What lies beyond the last one that was acknowledged may be there, and not be told of yet. */
	for (uint16_t seq = l->top; seq != c->una;) {
		struct utp_packet *p = utp_packet_at(c, --seq);
		if (p->acked) {
			passed++;
			continue;
		}
		if (p->lost || p->sent > l->newest)
			continue;
		shoal_us due = p->sent + l->newest_rtt + patience;
		if (due <= now || (l->late == 0 && passed >= OVERTAKERS && p->tries == 1))
			utp_loss_one(c, seq);
		else if (l->look_at == 0 || due < l->look_at)
			l->look_at = due;
	}
}
