/* proto/utp_out.c - a connection's sending half: packets, windows, acks, time-outs. */
#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "proto/utp_room.h"

#define PAGE (64u * 1024 - sizeof(struct utp_page)) /* 44 packets of Ethernet: what one system call takes */
#define PAGE_SMALL (4u * 1024 - sizeof(struct utp_page))
#define RING_START 16u
#define RING_MAX 2048u
#define DUP_ACKS 3u /* of one that knows no selective acks */
#define RTO_START SHOAL_S(1)
#define TAIL_MIN SHOAL_MS(20)
#define PACED_RTT SHOAL_MS(4) /* shorter paths are not worth a timer */
#define PACED_BURST SHOAL_MS(4)
#define PROBE_STEP 16u
#define PROBE_BEHIND 4u /* packets that follow a probe, so that its loss shows at once */
#define STARVED SHOAL_MS(20)
#define QUEUE_LEAST (128u * 1024)

static uint32_t payload_max(const struct utp_conn *c)
{
	return c->mtu - SHOAL_UTP_HEAD;
}

int utp_out_init(struct utp_conn *c, uint16_t seq, shoal_us now)
{
	if (!utp_take(c->u, RING_START * sizeof *c->packet))
		return SHOAL_ERR_NOMEM;
	c->packet = malloc(RING_START * sizeof *c->packet);
	if (c->packet == NULL) {
		utp_give(c->u, RING_START * sizeof *c->packet);
		return SHOAL_ERR_NOMEM;
	}
	c->packet_room = RING_START;
	c->una = c->nxt = c->end = seq;
	utp_loss_init(c, seq, now);
	c->their_window = SHOAL_UTP_WINDOW;
	c->mtu = SHOAL_UTP_MTU_SAFE;
	c->mtu_top = c->addr.is_v4 ? SHOAL_UTP_MTU_V4 : SHOAL_UTP_MTU_V6;
	c->rto = RTO_START;
	c->progress = c->sent_at = now;
	shoal_ledbat_init(&c->ledbat, c->mtu, now);
	return 0;
}

/* ---- pages ------------------------------------------------------------------------- */

static void page_free(struct shoal_utp *u, struct utp_page *page)
{
	if (page->room == PAGE && u->spare == NULL) {
		u->spare = page;
		return;
	}
	utp_give(u, sizeof *page + page->room);
	free(page);
}

static struct utp_page *page_new(struct shoal_utp *u, size_t room)
{
	struct utp_page *page = u->spare;
	if (room == PAGE && page != NULL) {
		u->spare = NULL;
	} else {
		if (!utp_take(u, sizeof *page + room))
			return NULL;
		page = malloc(sizeof *page + room);
		if (page == NULL) {
			utp_give(u, sizeof *page + room);
			return NULL;
		}
		page->room = (uint32_t)room;
	}
	page->used = page->live = 0;
	return page;
}

static void packet_drop(struct utp_conn *c, struct utp_packet *p)
{
	struct utp_page *page = p->page;
	p->page = NULL;
	if (--page->live > 0)
		return;
	if (page == c->page)
		c->page = NULL;
	page_free(c->u, page);
}

void utp_out_fini(struct utp_conn *c)
{
	for (uint16_t seq = c->una; c->packet != NULL && seq != c->end; seq++)
		packet_drop(c, utp_packet_at(c, seq));
	utp_give(c->u, c->packet_room * sizeof *c->packet);
	free(c->packet);
	c->packet = NULL;
	c->packet_room = 0;
}

static bool ring_grow(struct utp_conn *c)
{
	uint32_t room = c->packet_room * 2;
	if (room > RING_MAX || !utp_take(c->u, c->packet_room * sizeof *c->packet))
		return false;
	struct utp_packet *ring = malloc(room * sizeof *ring);
	if (ring == NULL) {
		utp_give(c->u, c->packet_room * sizeof *c->packet);
		return false;
	}
	for (uint16_t seq = c->una; seq != c->end; seq++)
		ring[seq & (room - 1)] = *utp_packet_at(c, seq);
	free(c->packet);
	c->packet = ring;
	c->packet_room = room;
	return true;
}

/* A packet with room for `most` bytes, of which `hint` are likely to come. NULL: no memory, or too many. */
static struct utp_packet *packet_new(struct utp_conn *c, enum shoal_utp_type type, uint32_t most, size_t hint)
{
	uint32_t count = (uint16_t)(c->end - c->una);
	if (count + 1 >= c->packet_room && !ring_grow(c))
		return NULL;
	if (c->page == NULL || c->page->room - c->page->used < SHOAL_UTP_HEAD + most) {
		struct utp_page *page = hint > PAGE_SMALL / 2 ? page_new(c->u, PAGE) : NULL;
		if (page == NULL && (page = page_new(c->u, PAGE_SMALL)) == NULL)
			return NULL;
		c->page = page;
	}
	struct utp_packet *p = utp_packet_at(c, c->end++);
	*p = (struct utp_packet){ .page = c->page, .at = c->page->used, .type = (uint8_t)type };
	c->page->used += SHOAL_UTP_HEAD;
	c->page->live++;
	return p;
}

/* ---- what the user gives ------------------------------------------------------------- */

static size_t queue_limit(const struct utp_conn *c)
{
	return (size_t)shoal_min_u64(shoal_max_u64(2 * c->ledbat.window, QUEUE_LEAST), SHOAL_UTP_QUEUE_MAX);
}

size_t utp_out_room(const struct utp_conn *c)
{
	size_t limit = queue_limit(c);
	if (c->state != UTP_OPEN || c->fin_queued || c->starved_until != 0 ||
	    (uint16_t)(c->end - c->una) + 64u > RING_MAX || c->queued >= limit)
		return 0;
	return limit - c->queued;
}

/* The size of a packet that tries how wide the path is, if one is due and enough follows it; else 0. */
static uint32_t probe_size(struct utp_conn *c, size_t left, shoal_us now)
{
	if (c->mtu_at != 0 && c->mtu_at + SHOAL_UTP_MTU_AGAIN <= now) {
		c->mtu_at = 0;
		c->mtu_tried = 0;
		c->mtu_top = c->addr.is_v4 ? SHOAL_UTP_MTU_V4 : SHOAL_UTP_MTU_V6;
	}
	if (c->probing || c->mtu_at != 0 || c->srtt == 0 || left < (PROBE_BEHIND + 1) * SHOAL_UTP_MTU_V4)
		return 0;
	if (c->mtu_top - c->mtu < PROBE_STEP) {
		c->mtu_at = now;
		return 0;
	}
	return c->mtu_tried == 0 ? c->mtu_top : (c->mtu + c->mtu_top + 1) / 2;
}

void utp_out_probed(struct utp_conn *c, uint32_t size, bool good)
{
	c->probing = c->probing && c->mtu_tried != size;
	if (good) {
		c->mtu = c->ledbat.mss = size > c->mtu ? size : c->mtu;
		c->mtu_top = c->mtu_top > c->mtu ? c->mtu_top : c->mtu; /* it had been taken for lost */
	} else {
		c->mtu_tried = size;
		c->mtu_top = size - 1 > c->mtu ? size - 1 : c->mtu;
	}
}

static struct utp_packet *next_packet(struct utp_conn *c, size_t left)
{
	uint32_t wide = probe_size(c, left, c->u->now);
	struct utp_packet *p = NULL;
	if (wide > 0 && (p = packet_new(c, SHOAL_UTP_DATA, wide - SHOAL_UTP_HEAD, left)) != NULL) {
		p->probe = c->probing = true;
		c->mtu_tried = wide;
		return p;
	}
	return packet_new(c, SHOAL_UTP_DATA, payload_max(c), left);
}

ptrdiff_t utp_out_send(struct utp_conn *c, const struct shoal_bytes v[], size_t n)
{
	size_t room = utp_out_room(c), left = 0, done = 0;
	for (size_t i = 0; i < n; i++)
		left += v[i].len;
	left = left < room ? left : room;
	struct utp_packet *p = c->end != c->nxt ? utp_packet_at(c, (uint16_t)(c->end - 1)) : NULL;
	if (p != NULL && (p->page != c->page || p->probe))
		p = NULL;
	for (size_t i = 0; i < n && done < left; i++) {
		for (size_t at = 0; at < v[i].len && done < left;) {
			uint32_t most = p == NULL ? 0 : p->probe ? c->mtu_tried - SHOAL_UTP_HEAD : payload_max(c);
			if (p == NULL || p->len >= most || p->page->room == p->page->used) {
				p = next_packet(c, left - done);
				if (p == NULL) {
					c->starved_until = c->u->now + STARVED;
					goto out;
				}
				continue;
			}
			size_t k = v[i].len - at < left - done ? v[i].len - at : left - done;
			k = k < most - p->len ? k : most - p->len;
			k = k < p->page->room - p->page->used ? k : p->page->room - p->page->used;
			memcpy(p->page->bytes + p->page->used, v[i].at + at, k);
			p->page->used += (uint32_t)k;
			p->len = (uint16_t)(p->len + k);
			at += k;
			done += k;
		}
	}
out:
	c->queued += (uint32_t)done;
	if (done > 0 || c->starved_until != 0)
		utp_want_out(c);
	return (ptrdiff_t)done;
}

void utp_out_fin(struct utp_conn *c)
{
	if (!c->fin_queued && packet_new(c, SHOAL_UTP_FIN, 0, 0) != NULL)
		c->fin_queued = true;
	else if (!c->fin_queued)
		c->starved_until = c->u->now + STARVED;
	utp_want_out(c);
}

bool utp_out_done(const struct utp_conn *c)
{
	return c->fin_queued && c->una == c->end;
}

/* ---- acks ------------------------------------------------------------------------------ */

struct news { /* of one ack */
	uint64_t bytes;
	shoal_us sent; /* when the one sent last among them went out */
	bool first_try, any;
};

static void packet_acked(struct utp_conn *c, uint16_t seq, struct news *news, shoal_us now)
{
	struct utp_packet *p = utp_packet_at(c, seq);
	if (p->acked)
		return;
	utp_loss_acked(c, seq, now);
	p->acked = true;
	news->any = true;
	news->bytes += p->len;
	c->queued -= p->len;
	c->outstanding -= p->len;
	if (p->lost)
		c->lost_count--;
	else
		c->pipe -= p->len;
	p->lost = false;
	if (p->sent >= news->sent) {
		news->sent = p->sent;
		news->first_try = p->tries == 1;
	}
	if (p->tries == 1) {
		if (p->probe)
			utp_out_probed(c, (uint32_t)utp_packet_bytes(p), true);
	} else if (p->probe && c->probing && c->mtu_tried == utp_packet_bytes(p)) {
		utp_out_probed(c, c->mtu_tried, false);
	}
}

static void set_rto(struct utp_conn *c)
{
	shoal_us rto = c->srtt > 0 ? c->srtt + 4 * c->rttvar : RTO_START;
	c->rto = shoal_min_u64(shoal_max_u64(rto, SHOAL_UTP_RTO_MIN), SHOAL_UTP_RTO_MAX);
}

static void measured(struct utp_conn *c, shoal_us rtt, uint32_t delay, shoal_us now)
{
	utp_loss_measured(c, rtt, delay, now);
	if (c->srtt == 0) {
		c->srtt = rtt > 0 ? rtt : 1;
		c->rttvar = rtt / 2;
	} else {
		shoal_us off = rtt > c->srtt ? rtt - c->srtt : c->srtt - rtt;
		c->rttvar = c->rttvar - c->rttvar / 4 + off / 4;
		c->srtt = c->srtt - c->srtt / 8 + rtt / 8;
		c->srtt += c->srtt == 0;
	}
}

static void selective(struct utp_conn *c, const struct shoal_utp_head *h, struct news *news, shoal_us now)
{
	uint16_t seq = (uint16_t)(h->ack + 2);
	for (size_t i = 0; i < h->sack.len; i++, seq = (uint16_t)(seq + 8)) {
		for (unsigned bit = 0; bit < 8; bit++) {
			uint16_t one = (uint16_t)(seq + bit);
			/* Bits past what we have sent mean nothing. */
			if (h->sack.at[i] >> bit & 1 && (uint16_t)(one - c->una) < (uint16_t)(c->nxt - c->una))
				packet_acked(c, one, news, now);
		}
	}
}

/* They have no room for the packet that is next to be acknowledged. */
static bool window_shut(const struct utp_conn *c)
{
	return c->una != c->end && utp_packet_at(c, c->una)->len > c->their_window;
}

static bool waits_for_room(const struct utp_conn *c)
{
	return c->una == c->nxt && window_shut(c);
}

bool utp_out_acked(struct utp_conn *c, const struct shoal_utp_head *h, shoal_us now)
{
	struct news news = { 0 };
	uint64_t in_flight = c->pipe;
	uint16_t fresh = (uint16_t)(h->ack - (uint16_t)(c->una - 1));
	if (fresh >= 0x8000) /* overtaken by a later one */
		return true;
	if (fresh > (uint16_t)(c->nxt - c->una))
		return false;
	c->their_window = h->window;
	utp_loss_heard(c, h->delay, now);
	for (uint16_t i = 0; i < fresh; i++) {
		packet_acked(c, c->una, &news, now);
		packet_drop(c, utp_packet_at(c, c->una));
		c->una++;
	}
	if (c->una != c->nxt)
		selective(c, h, &news, now);
	/* Of the one sent last. Others may have been there for long: what lies beyond the bits of a selective ack is told
	 * of when they have moved on, together with what was sent again and made them move. */
	if (news.first_try && now > news.sent)
		measured(c, now - news.sent, h->delay, now);
	if (h->delay != 0)
		shoal_ledbat_sample(&c->ledbat, h->delay, now);
	if (news.any) {
		c->progress = c->acked_at = now;
		c->stalled = 0;
		c->timeouts = 0;
		c->tail_probed = false;
		set_rto(c); /* the line is alive: no need to back off any more */
		shoal_ledbat_acked(&c->ledbat, news.bytes, in_flight, c->srtt > 0 ? c->srtt * 2 : SHOAL_UTP_RTO_MAX,
				   now);
	}
	if (window_shut(c)) /* who answers is alive, and may be without room for as long as it likes */
		c->stalled = 0;
	utp_loss_look(c, now);
	if (h->sack.len > 0 || fresh > 0 || h->type != SHOAL_UTP_STATE || c->una == c->nxt) {
		c->dup_acks = 0;
	} else if (++c->dup_acks == DUP_ACKS && !utp_packet_at(c, c->una)->acked && !utp_packet_at(c, c->una)->lost) {
		utp_loss_one(c, c->una);
	}
	utp_want_out(c);
	return true;
}

/* ---- time ------------------------------------------------------------------------------- */

static shoal_us tail_at(const struct utp_conn *c)
{
	if (c->tail_probed || c->srtt == 0 || c->una == c->nxt || c->lost_count > 0)
		return SHOAL_NEVER;
	shoal_us wait = shoal_max_u64(2 * c->srtt + 4 * c->rttvar, TAIL_MIN);
	return shoal_max_u64(c->progress, utp_packet_at(c, (uint16_t)(c->nxt - 1))->sent) + wait;
}

shoal_us utp_out_deadline(const struct utp_conn *c)
{
	shoal_us at = SHOAL_NEVER;
	if (c->una != c->nxt || waits_for_room(c))
		at = shoal_min_u64(c->progress + c->rto, tail_at(c));
	if (c->loss.look_at != 0)
		at = shoal_min_u64(at, c->loss.look_at);
	if (c->starved_until != 0)
		at = shoal_min_u64(at, c->starved_until);
	if (c->pace_until != 0)
		at = shoal_min_u64(at, c->pace_until);
	return at;
}

static void time_out(struct utp_conn *c, shoal_us now)
{
	c->stalled = c->stalled == 0 ? now : c->stalled;
	c->timeouts++;
	c->u->stats.timeouts++;
	c->progress = now;
	c->rto = shoal_min_u64(c->rto * 2, SHOAL_UTP_RTO_MAX);
	c->force = true;
	if (c->stalled + SHOAL_UTP_DEAD <= now)
		return utp_die(c, SHOAL_ERR_TIMEOUT);
	/* Their window is shut: one packet asks whether it still is. That they did not take it says nothing of the line. */
	struct utp_packet *asks = utp_packet_at(c, c->una);
	if (window_shut(c) && (uint16_t)(c->nxt - c->una) <= 1) {
		if (c->una != c->nxt && !asks->lost)
			utp_send_again(c, asks);
	} else {
		utp_loss_all(c);
	}
	utp_want_out(c);
}

void utp_out_timer(struct utp_conn *c, shoal_us now)
{
	if (c->starved_until != 0 && c->starved_until <= now) {
		c->starved_until = 0;
		if (c->user_gone)
			utp_out_fin(c);
		utp_look_ready(c);
	}
	if (c->pace_until != 0 && c->pace_until <= now) {
		c->pace_until = 0;
		utp_want_out(c);
	}
	if ((c->una != c->nxt || waits_for_room(c)) && c->progress + c->rto <= now)
		return time_out(c, now);
	if (c->loss.look_at != 0 && c->loss.look_at <= now) {
		utp_loss_look(c, now);
		utp_want_out(c);
	}
	if (tail_at(c) <= now) { /* the last ones may be lost, and nothing follows that would show it: ask */
		c->tail_probed = true;
		for (uint16_t seq = c->nxt; seq != c->una;) {
			struct utp_packet *p = utp_packet_at(c, --seq);
			if (p->acked)
				continue;
			utp_send_again(c, p);
			c->force = true;
			break;
		}
		utp_want_out(c);
	}
}

/* ---- going out ----------------------------------------------------------------------------- */

/* Bytes that may go now, so that a window is spread over its round trip; SHOAL_NEVER: not paced. */
static uint64_t pacing(struct utp_conn *c, shoal_us now)
{
	if (c->srtt < PACED_RTT)
		return SHOAL_NEVER;
	uint64_t rate = c->ledbat.window * (c->ledbat.slow_start ? 8 : 5) / 4; /* bytes an rtt */
	uint64_t most = shoal_max_u64(rate * PACED_BURST / c->srtt, 10 * (uint64_t)c->mtu);
	if (now > c->paced_at)
		c->tokens = shoal_min_u64(c->tokens + rate * shoal_min_u64(now - c->paced_at, c->srtt) / c->srtt, most);
	c->paced_at = now;
	return c->tokens;
}

static void emit(struct utp_conn *c, uint16_t seq, shoal_us now)
{
	struct utp_packet *p = utp_packet_at(c, seq);
	struct shoal_utp_head h = utp_head(c, (enum shoal_utp_type)p->type, seq);
	if (p->lost) {
		p->lost = false;
		c->lost_count--;
		c->u->stats.resent += p->tries > 0;
	}
	if (c->una == c->nxt)
		c->progress = now;
	if (seq == c->nxt) {
		c->nxt++;
		c->outstanding += p->len;
		c->u->stats.bytes_out += p->len;
	}
	c->spoke = true;
	p->waited = (uint32_t)shoal_min_u64(now - p->sent, UINT32_MAX);
	p->sent = now;
	p->tries += p->tries < UINT8_MAX;
	c->pipe += p->len;
	shoal_utp_encode(&h, p->page->bytes + p->at);
}

/* Whether a packet of `len` fits the windows on top of `more` bytes that go before it. */
static bool fits(const struct utp_conn *c, uint32_t len, uint64_t more, bool fresh)
{
	if (c->pipe + more > 0 && c->pipe + more + len > c->ledbat.window)
		return false;
	if (!fresh)
		return true;
	return c->outstanding + more + len <= c->their_window && (uint16_t)(c->nxt - c->una) < SHOAL_UTP_FLIGHT_MAX;
}

static uint16_t first_lost(const struct utp_conn *c)
{
	uint16_t seq = c->una;
	while (!utp_packet_at(c, seq)->lost)
		seq++;
	return seq;
}

/* How many packets go as one train from `seq` on: one behind the other, of one size but for the last; all new, or all
 * lost. */
static uint16_t row(const struct utp_conn *c, uint16_t seq, uint64_t tokens)
{
	const struct utp_packet *first = utp_packet_at(c, seq), *last = first;
	bool fresh = !first->lost;
	uint64_t bytes = first->len;
	uint16_t count = 1;
	uint16_t most = (uint16_t)((fresh ? c->end : c->nxt) - seq);
	most = most < SHOAL_UTP_TRAIN_MAX ? most : SHOAL_UTP_TRAIN_MAX;
	while (!first->probe && count < most && last->len == first->len) {
		const struct utp_packet *p = utp_packet_at(c, (uint16_t)(seq + count));
		if (p->page != first->page || p->at != last->at + utp_packet_bytes(last) || p->len > first->len ||
		    p->probe || p->lost == fresh || bytes + p->len > tokens || !fits(c, p->len, bytes, fresh) ||
		    (uint16_t)(seq - c->una) + count >= SHOAL_UTP_FLIGHT_MAX)
			break;
		bytes += p->len;
		count++;
		last = p;
	}
	return count;
}

bool utp_out_train(struct utp_conn *c, struct shoal_utp_train *train, shoal_us now)
{
	if (c->state != UTP_OPEN || (c->lost_count == 0 && c->nxt == c->end)) {
		c->force = false;
		return false;
	}
	bool fresh = c->lost_count == 0;
	uint16_t seq = fresh ? c->nxt : first_lost(c);
	struct utp_packet *p = utp_packet_at(c, seq);
	if (!c->force && !fits(c, p->len, 0, fresh))
		return false;
	uint64_t tokens = pacing(c, now);
	if (!c->force && tokens < p->len) {
		uint64_t rate = c->ledbat.window * (c->ledbat.slow_start ? 8 : 5) / 4;
		c->pace_until = now + shoal_max_u64((4 * (uint64_t)c->mtu - tokens) * c->srtt / rate, SHOAL_MS(1));
		return false;
	}
	uint16_t count = c->force ? 1 : row(c, seq, tokens);
	*train = (struct shoal_utp_train){ .to = c->addr,
					   .each = utp_packet_bytes(p),
					   .whole = p->probe && p->tries == 0,
					   .data = { p->page->bytes + p->at, 0 } };
	for (uint16_t i = 0; i < count; i++) {
		train->data.len += utp_packet_bytes(utp_packet_at(c, (uint16_t)(seq + i)));
		emit(c, (uint16_t)(seq + i), now);
	}
	if (tokens != SHOAL_NEVER)
		c->tokens -= shoal_min_u64(c->tokens, train->data.len);
	c->force = false;
	c->sent_at = now;
	if (c->early_count == 0) /* what is missing is told by an ack of its own */
		utp_in_told(c, now);
	c->u->train_seq = seq;
	c->u->train_count = count;
	return true;
}

void utp_out_sent(struct utp_conn *c, uint16_t seq, uint16_t count, int rc)
{
	if (rc != SHOAL_ERR_BUSY && rc != SHOAL_ERR_TOO_LONG)
		return;
	for (uint16_t i = 0; i < count; i++) {
		struct utp_packet *p = utp_packet_at(c, (uint16_t)(seq + i));
		if (rc == SHOAL_ERR_TOO_LONG && p->probe && c->probing)
			utp_out_probed(c, (uint32_t)utp_packet_bytes(p), false);
		p->tries -= rc == SHOAL_ERR_BUSY && p->tries < UINT8_MAX;
		utp_send_again(c, p);
	}
	utp_want_out(c);
}
