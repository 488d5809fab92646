/* proto/utp_in.c - a connection's receiving half: packets into order, and what to tell of them. */
#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "proto/utp_room.h"

#define CHUNK (16u * 1024 - sizeof(struct utp_chunk))
#define CHUNK_SMALL 2048u   /* of a connection on which little is said */
#define SHORT SHOAL_MS(500) /* after memory was refused, little is asked for */
#define SHORT_WINDOW 3000u
#define SPARE 4096u /* bytes beyond the window, for the packet that all others wait for */
#define EARLY_BYTES (SHOAL_UTP_EARLY_MAX * sizeof(struct utp_chunk *))

static struct utp_chunk *chunk_new(struct utp_conn *c, uint32_t room)
{
	size_t bytes = sizeof(struct utp_chunk) + room;
	if (!utp_take(c->u, bytes))
		return NULL;
	struct utp_chunk *q = malloc(bytes);
	if (q == NULL) {
		utp_give(c->u, bytes);
		return NULL;
	}
	q->next = NULL;
	q->at = q->len = 0;
	q->room = room;
	return q;
}

static void chunk_free(struct utp_conn *c, struct utp_chunk *q)
{
	if (c->in_spare == NULL && q->room == CHUNK_SMALL) {
		c->in_spare = q;
		return;
	}
	utp_give(c->u, sizeof *q + q->room);
	free(q);
}

int utp_in_init(struct utp_conn *c)
{
	c->in_spare = chunk_new(c, CHUNK_SMALL);
	return c->in_spare != NULL ? 0 : SHOAL_ERR_NOMEM;
}

/* However short memory is, the next packet in order always finds a place: what waits for it can go then. */
static struct utp_chunk *chunk_for(struct utp_conn *c, uint32_t len)
{
	struct utp_chunk *q = NULL;
	if (c->in != NULL || len > CHUNK_SMALL)
		q = chunk_new(c, len > CHUNK ? len : (uint32_t)CHUNK);
	if (q == NULL && len <= CHUNK_SMALL) {
		q = c->in_spare != NULL ? c->in_spare : chunk_new(c, CHUNK_SMALL);
		c->in_spare = q == c->in_spare ? NULL : c->in_spare;
	}
	if (q != NULL) {
		q->next = NULL;
		q->at = q->len = 0;
	}
	return q;
}

static void append(struct utp_conn *c, struct utp_chunk *q)
{
	if (c->in_last != NULL)
		c->in_last->next = q;
	else
		c->in = q;
	c->in_last = q;
}

/* In order. false: no memory; it will be sent again. */
static bool keep(struct utp_conn *c, struct shoal_bytes b)
{
	struct utp_chunk *q = c->in_last;
	if (c->user_gone)
		return true;
	if (q == NULL || q->room - q->len < b.len) {
		q = chunk_for(c, (uint32_t)b.len);
		if (q == NULL)
			return false;
		append(c, q);
	}
	memcpy(q->bytes + q->len, b.at, b.len);
	q->len += (uint32_t)b.len;
	c->in_bytes += (uint32_t)b.len;
	return true;
}

static bool keep_early(struct utp_conn *c, uint16_t seq, struct shoal_bytes b)
{
	if (c->early == NULL) {
		if (!utp_take(c->u, EARLY_BYTES))
			return false;
		c->early = calloc(SHOAL_UTP_EARLY_MAX, sizeof *c->early);
		if (c->early == NULL) {
			utp_give(c->u, EARLY_BYTES);
			return false;
		}
	}
	struct utp_chunk **place = &c->early[seq % SHOAL_UTP_EARLY_MAX];
	if (*place != NULL) /* the same again: all that are kept lie within EARLY_MAX of each other */
		return true;
	*place = chunk_new(c, (uint32_t)b.len);
	if (*place == NULL)
		return false;
	memcpy((*place)->bytes, b.at, b.len);
	(*place)->len = (uint32_t)b.len;
	c->u->stats.bytes_in += b.len;
	c->early_bytes += (uint32_t)b.len;
	c->early_count++;
	uint16_t far = (uint16_t)(seq - c->ack);
	c->early_far = far > c->early_far ? far : c->early_far;
	return true;
}

static void early_end(struct utp_conn *c)
{
	if (c->early == NULL)
		return;
	for (size_t i = 0; i < SHOAL_UTP_EARLY_MAX && c->early_count > 0; i++) {
		if (c->early[i] == NULL)
			continue;
		c->early_count--;
		chunk_free(c, c->early[i]);
	}
	utp_give(c->u, EARLY_BYTES);
	free(c->early);
	c->early = NULL;
	c->early_bytes = 0;
	c->early_far = 0;
}

/* What waited for the packet that has just come. */
static void catch_up(struct utp_conn *c)
{
	while (c->early_count > 0) {
		struct utp_chunk **place = &c->early[(uint16_t)(c->ack + 1) % SHOAL_UTP_EARLY_MAX];
		struct utp_chunk *q = *place;
		if (q == NULL)
			return;
		*place = NULL;
		c->early_count--;
		c->early_bytes -= q->len;
		c->ack++;
		c->early_far--;
		c->in_bytes += q->len;
		append(c, q);
		if (c->user_gone)
			utp_in_drop(c);
	}
	early_end(c);
}

uint32_t utp_in_window(const struct utp_conn *c)
{
	uint32_t used = c->in_bytes + c->early_bytes;
	return used < SHOAL_UTP_WINDOW ? SHOAL_UTP_WINDOW - used : 0;
}

uint32_t utp_in_tell(const struct utp_conn *c)
{
	uint32_t window = utp_in_window(c);
	return c->short_until > c->u->now && window > SHORT_WINDOW ? SHORT_WINDOW : window;
}

void utp_in_packet(struct utp_conn *c, const struct shoal_utp_head *h)
{
	uint16_t ahead = (uint16_t)(h->seq - c->ack); /* 1: the very next */
	bool had_early = c->early_count > 0;
	if (h->type == SHOAL_UTP_FIN && !c->has_fin && ahead > 0 && ahead <= SHOAL_UTP_EARLY_MAX) {
		c->has_fin = true;
		c->fin = h->seq;
	}
	uint32_t most = SHOAL_UTP_WINDOW + (ahead == 1 && c->early_count > 0 ? SPARE : 0);
	if (h->type == SHOAL_UTP_DATA && h->payload.len > 0 && ahead > 0 && ahead < SHOAL_UTP_EARLY_MAX &&
	    c->in_bytes + c->early_bytes + h->payload.len <= most &&
	    !(c->has_fin && !shoal_utp_before(h->seq, c->fin))) {
		if (ahead > 1) {
			if (!keep_early(c, h->seq, h->payload))
				c->short_until = c->u->now + SHORT; /* it will be sent again */
		} else if (!keep(c, h->payload)) {
			c->short_until = c->u->now + SHORT;
		} else {
			c->u->stats.bytes_in += h->payload.len;
			c->ack++;
			c->early_far -= c->early_far > 0;
			catch_up(c);
		}
	}
	if (c->has_fin && !c->eof && (uint16_t)(c->fin - c->ack) == 1) {
		c->ack = c->fin;
		c->eof = true;
		early_end(c);
	}
	/* A sender pays for each ack as for a packet: those of a fast stream wait for each other. What is missing, came twice (its
	 * ack was lost) or ends it is told at once. */
	c->ack_due = true;
	c->ack_now |= ahead != 1 || had_early || c->early_count > 0 || c->eof || ++c->ack_owed >= SHOAL_UTP_ACK_EVERY;
	utp_want_out(c);
}

ptrdiff_t utp_in_recv(struct utp_conn *c, const struct shoal_space v[], size_t n)
{
	size_t done = 0;
	bool narrow = utp_in_window(c) < SHOAL_UTP_WINDOW / 2;
	for (size_t i = 0; i < n; i++) {
		for (size_t at = 0; at < v[i].len && c->in != NULL;) {
			struct utp_chunk *q = c->in;
			size_t k = q->len - q->at;
			k = k < v[i].len - at ? k : v[i].len - at;
			memcpy(v[i].at + at, q->bytes + q->at, k);
			q->at += (uint32_t)k;
			at += k;
			done += k;
			if (q->at < q->len)
				continue;
			c->in = q->next;
			if (c->in == NULL)
				c->in_last = NULL;
			chunk_free(c, q);
		}
	}
	c->in_bytes -= (uint32_t)done;
	if (narrow && utp_in_window(c) >= SHOAL_UTP_WINDOW / 2) { /* they may have stopped for want of it */
		c->ack_due = c->ack_now = true;
		utp_want_out(c);
	}
	if (done > 0)
		return (ptrdiff_t)done;
	if (c->state == UTP_DEAD)
		return c->err;
	return c->eof ? SHOAL_ERR_CLOSED : 0;
}

void utp_in_told(struct utp_conn *c, shoal_us now)
{
	c->ack_due = c->ack_now = false;
	c->ack_owed = 0;
	c->acked_out_at = now;
}

shoal_us utp_in_ack_at(const struct utp_conn *c)
{
	if (!c->ack_due)
		return SHOAL_NEVER;
	return c->ack_now ? 0 : c->acked_out_at + SHOAL_UTP_ACK_WAIT;
}

void utp_in_drop(struct utp_conn *c)
{
	for (struct utp_chunk *q; (q = c->in) != NULL;) {
		c->in = q->next;
		chunk_free(c, q);
	}
	c->in_last = NULL;
	c->in_bytes = 0;
}

void utp_in_fini(struct utp_conn *c)
{
	utp_in_drop(c);
	early_end(c);
	if (c->in_spare != NULL) {
		utp_give(c->u, sizeof *c->in_spare + c->in_spare->room);
		free(c->in_spare);
		c->in_spare = NULL;
	}
}

size_t utp_in_sack(const struct utp_conn *c, uint8_t sack[SHOAL_UTP_SACK_MAX])
{
	if (c->early_count == 0)
		return 0;
	/* Bit 0 is ack + 2: ack + 1 is the one that is missing. */
	size_t bits = c->early_far - 1u;
	size_t len = (bits + 31) / 32 * 4;
	memset(sack, 0, len);
	for (size_t i = 0; i < bits; i++)
		if (c->early[(uint16_t)(c->ack + 2 + i) % SHOAL_UTP_EARLY_MAX] != NULL)
			sack[i / 8] |= (uint8_t)(1u << i % 8);
	return len;
}
