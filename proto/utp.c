/* proto/utp.c - all connections: who a datagram is for, cookies, what there is to tell, and when. */
#include "proto/utp.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "proto/compact.h"
#include "proto/utp_room.h"

#define BUCKETS_START 16u
#define HOLD SHOAL_MS(1)
#define SYN_WAIT SHOAL_S(1)
#define SYN_WAIT_MAX SHOAL_S(4)

bool utp_take(struct shoal_utp *u, size_t bytes)
{
	return u->o.take == NULL || u->o.take(u->o.to, bytes);
}

void utp_give(struct shoal_utp *u, size_t bytes)
{
	if (u->o.give != NULL)
		u->o.give(u->o.to, bytes);
}

/* ---- lists --------------------------------------------------------------------------- */

static struct utp_link *link_of(struct utp_conn *c, const struct utp_list *list)
{
	return list == &c->u->out ? &c->out : &c->told;
}

static void list_add(struct utp_list *list, struct utp_conn *c)
{
	struct utp_link *link = link_of(c, list);
	if (link->in)
		return;
	*link = (struct utp_link){ .prev = list->last, .in = true };
	if (list->last != NULL)
		link_of(list->last, list)->next = c;
	else
		list->first = c;
	list->last = c;
}

static void list_drop(struct utp_list *list, struct utp_conn *c)
{
	struct utp_link *link = link_of(c, list);
	if (!link->in)
		return;
	if (link->prev != NULL)
		link_of(link->prev, list)->next = link->next;
	else
		list->first = link->next;
	if (link->next != NULL)
		link_of(link->next, list)->prev = link->prev;
	else
		list->last = link->prev;
	*link = (struct utp_link){ .in = false };
}

void utp_want_out(struct utp_conn *c)
{
	list_add(&c->u->out, c);
}

static unsigned readiness(const struct utp_conn *c)
{
	unsigned what = 0;
	if (c->user_gone || c->tell != UTP_TELL_NOTHING || c->state == UTP_SYN_SENT)
		return 0;
	if (c->in_bytes > 0 || c->eof || c->state == UTP_DEAD)
		what |= SHOAL_WANT_READ;
	if (c->state == UTP_DEAD || (c->wants & SHOAL_WANT_WRITE && utp_out_room(c) >= 32u * 1024))
		what |= SHOAL_WANT_WRITE;
	return what & c->wants;
}

void utp_look_ready(struct utp_conn *c)
{
	/* In `again` already: it is looked at in the next round anyway. */
	if (!c->told_now && (c->tell != UTP_TELL_NOTHING || readiness(c) != 0))
		list_add(&c->u->told, c);
}

/* ---- coming and going ------------------------------------------------------------------ */

static uint32_t bucket_of(const struct shoal_utp *u, const struct shoal_addr *addr, uint16_t id)
{
	uint8_t raw[SHOAL_COMPACT6];
	size_t len = shoal_compact_encode(addr, raw);
	return (uint32_t)shoal_siphash(u->o.key, id, shoal_bytes(raw, len)) & (u->buckets - 1);
}

struct utp_conn *utp_find(struct shoal_utp *u, const struct shoal_addr *addr, uint16_t id)
{
	struct utp_conn *c = u->last;
	if (c != NULL && c->recv_id == id && shoal_addr_equal(&c->addr, addr))
		return c;
	for (c = u->bucket[bucket_of(u, addr, id)]; c != NULL; c = c->next_in_bucket)
		if (c->recv_id == id && shoal_addr_equal(&c->addr, addr))
			return u->last = c;
	return NULL;
}

static void buckets_grow(struct shoal_utp *u)
{
	uint32_t room = u->buckets * 2, old = u->buckets;
	struct utp_conn **bucket = calloc(room, sizeof *bucket), **was = u->bucket;
	if (bucket == NULL)
		return; /* longer chains, and no harm */
	u->bucket = bucket;
	u->buckets = room;
	for (uint32_t i = 0; i < old; i++) {
		for (struct utp_conn *c = was[i], *next; c != NULL; c = next) {
			next = c->next_in_bucket;
			struct utp_conn **home = &bucket[bucket_of(u, &c->addr, c->recv_id)];
			c->next_in_bucket = *home;
			*home = c;
		}
	}
	free(was);
}

static void conn_free(struct utp_conn *c)
{
	struct shoal_utp *u = c->u;
	struct utp_conn **at = &u->bucket[bucket_of(u, &c->addr, c->recv_id)];
	while (*at != c)
		at = &(*at)->next_in_bucket;
	*at = c->next_in_bucket;
	u->count--;
	u->last = u->last == c ? NULL : u->last;
	u->train = u->train == c ? NULL : u->train;
	list_drop(&u->out, c);
	list_drop(c->told_now ? &u->again : &u->told, c);
	shoal_heap_drop(&u->timers, &c->timer);
	utp_in_fini(c);
	utp_out_fini(c);
	utp_give(u, sizeof *c);
	free(c);
}

static const struct shoal_transport_ops conn_ops;

struct utp_conn *utp_conn_new(struct shoal_utp *u, const struct shoal_addr *addr, uint16_t recv_id, uint16_t send_id,
			      uint16_t seq, shoal_us now)
{
	if (!utp_take(u, sizeof(struct utp_conn)))
		return NULL;
	struct utp_conn *c = calloc(1, sizeof *c);
	if (c == NULL) {
		utp_give(u, sizeof *c);
		return NULL;
	}
	c->t.ops = &conn_ops;
	c->u = u;
	c->addr = *addr;
	c->recv_id = recv_id;
	c->send_id = send_id;
	/* Set at once, so that the heap has room for it ever after. */
	if (shoal_heap_set(&u->timers, &c->timer, now) < 0 || utp_in_init(c) < 0 || utp_out_init(c, seq, now) < 0) {
		shoal_heap_drop(&u->timers, &c->timer);
		utp_in_fini(c);
		utp_give(u, sizeof *c);
		free(c);
		return NULL;
	}
	if (u->count >= u->buckets)
		buckets_grow(u);
	struct utp_conn **home = &u->bucket[bucket_of(u, addr, recv_id)];
	c->next_in_bucket = *home;
	*home = c;
	u->count++;
	return c;
}

static void say_reset(struct utp_conn *c)
{
	struct shoal_utp_head h = utp_head(c, SHOAL_UTP_RESET, c->nxt);
	utp_note(c->u, &c->addr, &h);
}

void utp_die(struct utp_conn *c, int err)
{
	if (c->state == UTP_DEAD)
		return;
	if (c->state == UTP_SYN_SENT) {
		c->tell = UTP_TELL_DIALED;
	} else if (err != SHOAL_ERR_CLOSED) { /* it was not they who ended it: they should know */
		say_reset(c);
	}
	c->state = UTP_DEAD;
	c->err = err;
	utp_set_timer(c); /* one that lingers goes with it */
	utp_look_ready(c);
}

/* When one that its user has closed goes: it has said all, and heard the end; or it will not. */
static shoal_us linger_until(const struct utp_conn *c)
{
	/* Their end, too, is to be acknowledged. */
	if (c->state == UTP_DEAD || (utp_out_done(c) && c->eof && !c->ack_due))
		return 0;
	shoal_us since = shoal_max_u64(c->closed_at, c->acked_at);
	return since + (utp_out_done(c) ? SHOAL_UTP_LINGER_DONE : SHOAL_UTP_LINGER);
}

void utp_set_timer(struct utp_conn *c)
{
	shoal_us at = SHOAL_NEVER;
	if (c->state == UTP_SYN_SENT)
		at = c->progress + c->rto;
	else if (c->state == UTP_OPEN)
		at = shoal_min_u64(utp_out_deadline(c), c->sent_at + SHOAL_UTP_ALIVE);
	if (c->state == UTP_OPEN && !c->ack_now) /* else this round's output() has it */
		at = shoal_min_u64(at, utp_in_ack_at(c));
	if (c->user_gone)
		at = shoal_min_u64(at, linger_until(c));
	if (c->timer.pos == 0 || c->timer.at != at)
		(void)!shoal_heap_set(&c->u->timers, &c->timer,
				      at); /* room for one each was made at birth, or it stays */
}

int shoal_utp_new(struct shoal_utp **out, const struct shoal_utp_options *options, shoal_us now)
{
	struct shoal_utp *u = calloc(1, sizeof *u);
	if (u == NULL)
		return SHOAL_ERR_NOMEM;
	u->o = *options;
	u->now = now;
	u->buckets = BUCKETS_START;
	u->bucket = calloc(u->buckets, sizeof(struct utp_conn *));
	if (u->bucket == NULL) {
		free(u);
		return SHOAL_ERR_NOMEM;
	}
	*out = u;
	return 0;
}

void shoal_utp_leave(struct shoal_utp *u)
{
	for (uint32_t i = 0; i < u->buckets; i++)
		for (struct utp_conn *c = u->bucket[i]; c != NULL; c = c->next_in_bucket)
			if (c->state == UTP_OPEN && c->user_gone && !(c->fin_queued && c->nxt == c->end))
				say_reset(c);
}

void shoal_utp_free(struct shoal_utp *u)
{
	if (u == NULL)
		return;
	for (uint32_t i = 0; i < u->buckets; i++) {
		while (u->bucket[i] != NULL) {
			/* A transport that its user still holds would outlive us. */
			assert(u->bucket[i]->user_gone || u->bucket[i]->state == UTP_SYN_SENT ||
			       u->bucket[i]->tell != UTP_TELL_NOTHING);
			conn_free(u->bucket[i]);
		}
	}
	if (u->spare != NULL) {
		utp_give(u, sizeof *u->spare + u->spare->room);
		free(u->spare);
	}
	shoal_heap_fini(&u->timers);
	free(u->bucket);
	free(u);
}

/* ---- datagrams ------------------------------------------------------------------------------- */

struct shoal_utp_head utp_head(const struct utp_conn *c, enum shoal_utp_type type, uint16_t seq)
{
	return (struct shoal_utp_head){ .type = type,
					.id = type == SHOAL_UTP_SYN ? c->recv_id : c->send_id,
					.seq = seq,
					.ack = c->ack,
					.stamp = (uint32_t)c->u->now,
					.delay = c->reply_delay,
					.window = utp_in_tell(c) };
}

static void for_conn(struct utp_conn *c, const struct shoal_utp_head *h, shoal_us now)
{
	if (c->state == UTP_DEAD)
		return;
	if (c->state == UTP_SYN_SENT) {
		/* The answer's seq is that of their first packet to come; of data, it is that packet's. */
		if (h->ack != (uint16_t)(c->una - 1) || (h->type != SHOAL_UTP_STATE && h->type != SHOAL_UTP_DATA))
			return;
		c->state = UTP_OPEN;
		c->ack = (uint16_t)(h->seq - 1);
		c->tell = UTP_TELL_DIALED;
		c->rto = SYN_WAIT;
		c->progress = now;
		c->timeouts = 0;
	}
	if (!utp_out_acked(c, h, now))
		return;
	if (h->stamp != 0) {
		c->reply_delay = (uint32_t)now - h->stamp;
		shoal_ledbat_theirs(&c->ledbat, c->reply_delay);
	}
	if (h->type != SHOAL_UTP_STATE)
		utp_in_packet(c, h);
	utp_look_ready(c);
	utp_set_timer(c);
}

bool shoal_utp_datagram(struct shoal_utp *u, const struct shoal_addr *from, struct shoal_bytes data, shoal_us now)
{
	struct shoal_utp_head h;
	u->now = now;
	if (!shoal_utp_is(data))
		return false;
	if (shoal_utp_decode(data, &h) < 0)
		return true;
	if (h.type == SHOAL_UTP_SYN) {
		utp_greet(u, from, &h);
		return true;
	}
	if (h.type == SHOAL_UTP_RESET) {
		utp_reset(u, from, &h);
		return true;
	}
	struct utp_conn *c = utp_find(u, from, h.id);
	if (c == NULL)
		c = utp_admit(u, from, &h);
	if (c != NULL)
		for_conn(c, &h, now);
	else
		utp_refuse(u, from, &h);
	return true;
}

/* ---- dialling ---------------------------------------------------------------------------------- */

int shoal_utp_dial(struct shoal_utp *u, const struct shoal_addr *to, uint64_t cookie, shoal_us now)
{
	u->now = now;
	if (u->count >= u->o.connections_max)
		return SHOAL_ERR_BUSY;
	uint16_t id;
	do /* far fewer connections than ids */
		id = (uint16_t)shoal_rng_next(&u->o.rng);
	while (utp_find(u, to, id) != NULL);
	struct utp_conn *c = utp_conn_new(u, to, id, (uint16_t)(id + 1), (uint16_t)shoal_rng_next(&u->o.rng), now);
	if (c == NULL)
		return SHOAL_ERR_NOMEM;
	c->state = UTP_SYN_SENT;
	c->cookie = cookie;
	c->rto = 0; /* the first goes at once */
	utp_want_out(c);
	return 0;
}

void shoal_utp_dial_stop(struct shoal_utp *u, uint64_t cookie)
{
	for (uint32_t i = 0; i < u->buckets; i++) {
		for (struct utp_conn *c = u->bucket[i]; c != NULL; c = c->next_in_bucket) {
			if (c->cookie != cookie || cookie == 0 || c->user_gone)
				continue;
			if (c->state == UTP_OPEN) {
				c->tell = UTP_TELL_NOTHING;
				conn_ops.close(&c->t);
			} else {
				conn_free(c);
			}
			return;
		}
	}
}

/* ---- the transport ------------------------------------------------------------------------------- */

static ptrdiff_t conn_recv(struct shoal_transport *t, const struct shoal_space v[], size_t n)
{
	return utp_in_recv((struct utp_conn *)(void *)t, v, n);
}

static ptrdiff_t conn_send(struct shoal_transport *t, const struct shoal_bytes v[], size_t n, bool more)
{
	struct utp_conn *c = (struct utp_conn *)(void *)t;
	(void)more; /* what follows in this round joins the last packet, which leaves at its end */
	if (c->state == UTP_DEAD)
		return c->err;
	return utp_out_send(c, v, n);
}

static void conn_want(struct shoal_transport *t, unsigned what)
{
	struct utp_conn *c = (struct utp_conn *)(void *)t;
	c->wants = what;
	utp_look_ready(c);
}

static void conn_close(struct shoal_transport *t)
{
	struct utp_conn *c = (struct utp_conn *)(void *)t;
	c->user_gone = true;
	c->cookie = 0;
	if (c->state == UTP_DEAD)
		return conn_free(c);
	if (!c->spoke && c->una == c->end) { /* refused: it is not to hold a place for as long as ends take */
		utp_die(c, SHOAL_ERR_REFUSED);
		return conn_free(c);
	}
	utp_in_drop(c);
	utp_out_fin(c);
	list_drop(c->told_now ? &c->u->again : &c->u->told, c);
	c->told_now = false;
	c->closed_at = c->u->now;
	utp_set_timer(c);
}

static const struct shoal_transport_ops conn_ops = {
	.name = "utp",
	.recv = conn_recv,
	.send = conn_send,
	.want = conn_want,
	.close = conn_close,
};

/* ---- events ---------------------------------------------------------------------------------------- */

int shoal_utp_poll(struct shoal_utp *u, struct shoal_utp_event *ev)
{
	struct utp_conn *c;
	while ((c = u->told.first) != NULL) {
		list_drop(&u->told, c);
		*ev = (struct shoal_utp_event){ .t = &c->t, .addr = c->addr, .cookie = c->cookie };
		enum utp_tell tell = c->tell;
		c->tell = UTP_TELL_NOTHING;
		c->cookie = 0;
		if (tell == UTP_TELL_NOTHING) {
			ev->what = readiness(c);
			if (ev->what == 0)
				continue;
			ev->kind = SHOAL_UTP_READY;
			c->told_now = true; /* if it is still ready in the next round, it is told again */
			list_add(&u->again, c);
			return 1;
		}
		ev->kind = tell == UTP_TELL_ACCEPTED ? SHOAL_UTP_ACCEPTED : SHOAL_UTP_DIALED;
		if (tell == UTP_TELL_DIALED && c->state == UTP_DEAD) {
			ev->t = NULL;
			ev->err = c->err;
			c->user_gone = true;
			conn_free(c);
		}
		return 1;
	}
	return 0;
}

static void dial_timer(struct utp_conn *c, shoal_us now)
{
	if (c->progress + c->rto > now)
		return;
	if (c->timeouts >= SHOAL_UTP_SYNS)
		return utp_die(c, SHOAL_ERR_TIMEOUT);
	utp_want_out(c);
}

void shoal_utp_tick(struct shoal_utp *u, shoal_us now)
{
	struct shoal_timer *timer;
	struct utp_conn *c;
	u->now = now;
	while ((timer = shoal_heap_due(&u->timers, now)) != NULL) {
		c = UTP_OF(timer);
		if (c->user_gone && linger_until(c) <= now) {
			/* What they say from now on nobody hears. */
			if (c->state == UTP_OPEN && !(utp_out_done(c) && c->eof))
				say_reset(c);
			conn_free(c);
			continue;
		}
		if (c->state == UTP_SYN_SENT)
			dial_timer(c, now);
		else if (c->state == UTP_OPEN)
			utp_out_timer(c, now);
		if (c->state == UTP_OPEN && c->sent_at + SHOAL_UTP_ALIVE <= now) {
			c->ack_due = c->ack_now = true;
			utp_want_out(c);
		}
		if (utp_in_ack_at(c) <= now)
			utp_want_out(c);
		if (!c->out.in) /* else output() sets it */
			utp_set_timer(c);
	}
	while ((c = u->again.first) != NULL) {
		list_drop(&u->again, c);
		c->told_now = false;
		utp_look_ready(c);
	}
}

shoal_us shoal_utp_deadline(const struct shoal_utp *u)
{
	shoal_us at = shoal_heap_next(&u->timers);
	if (u->out.first != NULL || u->note_count > 0)
		at = shoal_min_u64(at, u->hold_until);
	for (const struct utp_conn *c = u->again.first; c != NULL; c = c->told.next)
		if (readiness(c) != 0)
			return 0;
	return u->told.first != NULL ? 0 : at;
}

/* ---- going out ----------------------------------------------------------------------------------------- */

static bool syn_train(struct utp_conn *c, struct shoal_utp_train *train, shoal_us now)
{
	static const shoal_us wait[SHOAL_UTP_SYNS] = { SYN_WAIT, 2 * SYN_WAIT, SYN_WAIT_MAX, SYN_WAIT_MAX };
	if (c->state != UTP_SYN_SENT || c->progress + c->rto > now || c->timeouts >= SHOAL_UTP_SYNS)
		return false;
	struct shoal_utp_head h = utp_head(c, SHOAL_UTP_SYN, (uint16_t)(c->una - 1));
	size_t len = shoal_utp_encode(&h, c->u->head);
	*train = (struct shoal_utp_train){ c->addr, { c->u->head, len }, len, false };
	c->progress = now;
	c->rto = wait[c->timeouts++];
	return true;
}

static bool ack_train(struct utp_conn *c, struct shoal_utp_train *train, shoal_us now)
{
	uint8_t sack[SHOAL_UTP_SACK_MAX];
	if (c->state != UTP_OPEN || utp_in_ack_at(c) > now)
		return false;
	struct shoal_utp_head h = utp_head(c, SHOAL_UTP_STATE, c->nxt);
	h.sack = shoal_bytes(sack, utp_in_sack(c, sack));
	size_t len = shoal_utp_encode(&h, c->u->head);
	*train = (struct shoal_utp_train){ c->addr, { c->u->head, len }, len, false };
	utp_in_told(c, now);
	c->sent_at = now;
	return true;
}

int shoal_utp_output(struct shoal_utp *u, struct shoal_utp_train *train, shoal_us now)
{
	struct utp_conn *c;
	u->now = now;
	u->train = NULL;
	u->train_count = 0;
	u->train_note = false;
	if (u->hold_until > now)
		return 0;
	if (u->note_count > 0) {
		struct utp_note *n = &u->note[u->note_head];
		*train = (struct shoal_utp_train){ n->to, { n->bytes, sizeof n->bytes }, sizeof n->bytes, false };
		u->train_note = true;
		return 1;
	}
	while ((c = u->out.first) != NULL) {
		u->train = c;
		if (syn_train(c, train, now) || utp_out_train(c, train, now) || ack_train(c, train, now))
			return 1;
		list_drop(&u->out, c);
		utp_look_ready(c);
		utp_set_timer(c);
	}
	u->train = NULL;
	return 0;
}

void shoal_utp_sent(struct shoal_utp *u, int rc)
{
	struct utp_conn *c = u->train;
	if (rc == SHOAL_ERR_BUSY)
		u->hold_until = u->now + HOLD;
	if (u->train_note && rc != SHOAL_ERR_BUSY) {
		u->note_head = (u->note_head + 1) % SHOAL_UTP_NOTES_MAX;
		u->note_count--;
	}
	if (c == NULL)
		return;
	if (u->train_count > 0)
		utp_out_sent(c, u->train_seq, u->train_count, rc);
	else if (rc == SHOAL_ERR_BUSY && c->state == UTP_OPEN)
		c->ack_due = c->ack_now = true;
}

struct shoal_utp_stats shoal_utp_stats(const struct shoal_utp *u)
{
	struct shoal_utp_stats stats = u->stats;
	stats.connections = u->count;
	return stats;
}

struct shoal_utp_look shoal_utp_look(const struct shoal_transport *t)
{
	const struct utp_conn *c = (const struct utp_conn *)(const void *)t;
	return (struct shoal_utp_look){ .window = c->ledbat.window,
					.mtu = c->mtu,
					.rtt = c->srtt,
					.queue = shoal_ledbat_queue(&c->ledbat, SHOAL_NEVER) };
}
