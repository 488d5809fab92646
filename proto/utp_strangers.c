/* proto/utp_strangers.c - datagrams of those we have no connection with: greeted, admitted, refused, believed or not. */
#include "proto/base/bytes.h"
#include "proto/compact.h"
#include "proto/utp_room.h"

#define COOKIE_AHEAD 4u /* of the first packets, so many may have been overtaken by the one that shows the cookie */

void utp_note(struct shoal_utp *u, const struct shoal_addr *to, const struct shoal_utp_head *h)
{
	if (u->note_count == SHOAL_UTP_NOTES_MAX)
		return;
	struct utp_note *n = &u->note[(u->note_head + u->note_count++) % SHOAL_UTP_NOTES_MAX];
	n->to = *to;
	shoal_utp_encode(h, n->bytes);
}

/* What we add to their first number for our own; whoever names it has heard us. */
static uint16_t cookie_of(const struct shoal_utp *u, const struct shoal_addr *from, uint16_t id, shoal_us epoch)
{
	uint8_t raw[SHOAL_COMPACT6 + 2];
	size_t len = shoal_compact_encode(from, raw);
	shoal_put_u16(raw + len, id);
	return (uint16_t)shoal_siphash(u->o.key, ~epoch, shoal_bytes(raw, len + 2));
}

void utp_greet(struct shoal_utp *u, const struct shoal_addr *from, const struct shoal_utp_head *h)
{
	uint16_t cookie = cookie_of(u, from, h->id, u->now / SHOAL_UTP_COOKIE_AGE);
	struct shoal_utp_head answer = { .type = SHOAL_UTP_STATE,
					 .id = h->id,
					 .seq = (uint16_t)(cookie + h->seq),
					 .ack = h->seq,
					 .stamp = (uint32_t)u->now,
					 .delay = (uint32_t)u->now - h->stamp,
					 .window = SHOAL_UTP_WINDOW };
	if (u->count < u->o.connections_max)
		utp_note(u, from, &answer);
}

struct utp_conn *utp_admit(struct shoal_utp *u, const struct shoal_addr *from, const struct shoal_utp_head *h)
{
	uint16_t id = (uint16_t)(h->id - 1);
	if (h->type != SHOAL_UTP_DATA || h->payload.len == 0 || u->count >= u->o.connections_max)
		return NULL;
	for (shoal_us back = 0; back < 2; back++) {
		shoal_us epoch = u->now / SHOAL_UTP_COOKIE_AGE - back;
		uint16_t ours = (uint16_t)(h->ack + 1);
		uint16_t theirs = (uint16_t)(ours - cookie_of(u, from, id, epoch));
		uint16_t ahead = (uint16_t)(h->seq - theirs);
		if (ahead == 0 || ahead > COOKIE_AHEAD)
			continue;
		struct utp_conn *c = utp_conn_new(u, from, h->id, id, ours, u->now);
		if (c == NULL)
			return NULL;
		c->state = UTP_OPEN;
		c->ack = theirs;
		c->tell = UTP_TELL_ACCEPTED;
		utp_look_ready(c);
		return c;
	}
	return NULL;
}

void utp_refuse(struct shoal_utp *u, const struct shoal_addr *from, const struct shoal_utp_head *h)
{
	if (u->resets_since + SHOAL_S(1) <= u->now) {
		u->resets_since = u->now;
		u->resets = 0;
	}
	if ((h->type != SHOAL_UTP_DATA && h->type != SHOAL_UTP_FIN) || u->resets >= SHOAL_UTP_RESETS_SECOND)
		return;
	u->resets++;
	struct shoal_utp_head reset = { .type = SHOAL_UTP_RESET,
					.id = h->id,
					.seq = (uint16_t)shoal_rng_next(&u->o.rng),
					.ack = h->seq,
					.stamp = (uint32_t)u->now };
	utp_note(u, from, &reset);
}

/* Others name a connection by the id they send with, or the one they hear (BEP 29 does not say). */
void utp_reset(struct shoal_utp *u, const struct shoal_addr *from, const struct shoal_utp_head *h)
{
	for (int off = -1; off <= 1; off++) {
		struct utp_conn *c = utp_find(u, from, (uint16_t)(h->id + off));
		if (c == NULL || (c->recv_id != h->id && c->send_id != h->id))
			continue;
		/* Whoever sends it has seen what we sent last: one who only guesses has not. */
		uint16_t least = (uint16_t)(c->una - 2), ahead = (uint16_t)(h->ack - least);
		if (ahead > (uint16_t)(c->nxt - least))
			continue;
		utp_die(c, c->state == UTP_SYN_SENT ? SHOAL_ERR_REFUSED : SHOAL_ERR_CLOSED);
		return;
	}
}
