/* adversary_guise.c - see adversary_guise.h. */
#include "tools/lab/world/adversary_guise.h"

#include <stdlib.h>
#include <string.h>
#include "tools/lab/world/must.h"
#include "tools/lab/world/room.h"

#define MESSAGE_MAX (2u << 20)
#define ENOUGH (256u * 1024) /* of a bin: no more is taken before some of it went */
#define READ (64u * 1024)
#define TURN 50 /* from a change to its being noticed */

/* ---- messages --------------------------------------------------------------------------------- */

static void flush(struct sim_guise *g)
{
	while (sim_bin_len(&g->out) > 0) {
		struct shoal_bytes v = { g->out.at + g->out.begin, sim_bin_len(&g->out) };
		ptrdiff_t n = g->inner->ops->send(g->inner, &v, 1, false);
		if (n <= 0)
			break; /* an error shows when the node reads */
		sim_bin_skip(&g->out, (size_t)n);
	}
}

static void want(struct sim_guise *g)
{
	bool writes = sim_bin_len(&g->out) > 0 || (g->wants & SHOAL_WANT_WRITE);
	g->inner->ops->want(g->inner, (g->wants & SHOAL_WANT_READ) | (writes ? SHOAL_WANT_WRITE : 0u));
	if ((g->wants & SHOAL_WANT_READ) && sim_bin_len(&g->in) > 0 && !sim_alarm_is_set(&g->look))
		sim_alarm_set(g->clock, &g->look, g->clock->now + TURN);
}

/* The first message of `bin`, if it is whole: its length. What is no message (others' adversaries) passes as it is. */
static size_t next(const struct sim_bin *bin, struct shoal_wire_msg *msg)
{
	ptrdiff_t n = shoal_wire_decode(shoal_bytes(bin->at + bin->begin, sim_bin_len(bin)), MESSAGE_MAX, msg);
	if (n >= 0)
		return (size_t)n;
	*msg = (struct shoal_wire_msg){ .id = SHOAL_WIRE_KEEPALIVE };
	return sim_bin_len(bin);
}

/* The first bytes of a side are its handshake. */
static bool hello(struct sim_bin *from, struct sim_bin *to, struct shoal_wire_handshake *hs)
{
	if (sim_bin_len(from) < SHOAL_WIRE_HANDSHAKE_LEN)
		return false;
	if (shoal_wire_handshake_decode(shoal_bytes(from->at + from->begin, SHOAL_WIRE_HANDSHAKE_LEN), hs) < 0)
		abort();
	sim_bin_put(to, from->at + from->begin, SHOAL_WIRE_HANDSHAKE_LEN);
	sim_bin_skip(from, SHOAL_WIRE_HANDSHAKE_LEN);
	return true;
}

/* What came from either side, as far as it is whole, goes its way. */
static void pass_on(struct sim_guise *g)
{
	struct shoal_wire_msg msg;
	size_t n;
	bool begun = g->said_hello && g->heard_hello;
	g->said_hello = g->said_hello || hello(&g->said, &g->out, &g->own);
	g->heard_hello = g->heard_hello || hello(&g->heard, &g->in, &g->other);
	if (!g->said_hello || !g->heard_hello)
		return;
	if (!begun && g->ops->begins != NULL)
		g->ops->begins(g);
	while ((n = next(&g->said, &msg)) > 0) {
		struct shoal_space raw = { g->said.at + g->said.begin, n };
		if (g->ops->says == NULL || g->ops->says(g, &msg, raw))
			sim_bin_put(&g->out, raw.at, n);
		sim_bin_skip(&g->said, n);
	}
	while ((n = next(&g->heard, &msg)) > 0) {
		if (g->ops->hears == NULL || g->ops->hears(g, &msg))
			sim_bin_put(&g->in, g->heard.at + g->heard.begin, n);
		sim_bin_skip(&g->heard, n);
	}
}

static void put_msg(struct sim_bin *b, const struct shoal_wire_msg *msg)
{
	size_t most = 64 + sizeof msg->range + msg->body.len;
	ptrdiff_t n = shoal_wire_encode(msg, (struct shoal_space){ sim_bin_room(b, most), most });
	if (n < 0)
		abort();
	b->end += (size_t)n;
}

void sim_guise_say(struct sim_guise *g, const struct shoal_wire_msg *msg)
{
	put_msg(&g->out, msg);
}

void sim_guise_tell(struct sim_guise *g, const struct shoal_wire_msg *msg)
{
	put_msg(&g->in, msg);
}

bool sim_guise_fast(const struct sim_guise *g)
{
	return (g->own.can & g->other.can & SHOAL_CAN_FAST) != 0;
}

/* ---- the transport ------------------------------------------------------------------------------ */

static struct sim_guise *guise_of(struct shoal_transport *t)
{
	return (struct sim_guise *)(void *)t;
}

static void listen_in(struct sim_guise *g)
{
	while (g->ended == 0 && sim_bin_len(&g->in) < ENOUGH) {
		struct shoal_space v = { sim_bin_room(&g->heard, READ), READ };
		ptrdiff_t n = g->inner->ops->recv(g->inner, &v, 1);
		if (n == 0)
			break;
		if (n < 0)
			g->ended = (int)n;
		else
			g->heard.end += (size_t)n;
		pass_on(g);
	}
}

/* Copies the next of a stream, `most` bytes at most and of one sort, and of a block no more than is kept; how many. */
static size_t copy_some(const struct sim_guise *g, struct sim_frame *f, uint8_t *to, const uint8_t *from, size_t most)
{
	uint32_t block = sim_frame_block(f);
	if (block == 0) {
		size_t k = sim_frame_talk(f, from, most);
		memcpy(to, from, k);
		return k;
	}
	size_t k = block < most ? block : most;
	size_t kept = g->head == 0 ? k : f->done < g->head ? g->head - f->done : 0;
	memcpy(to, from, kept < k ? kept : k);
	sim_frame_skip(f, (uint32_t)k);
	return k;
}

/* Where a block is to lie: behind its header. */
static bool is_place(const struct shoal_space v[], size_t i)
{
	return i > 0 && v[i].len > SHOAL_WIRE_PIECE_HEAD && v[i - 1].len <= SHOAL_WIRE_PIECE_HEAD;
}

static ptrdiff_t guise_recv(struct shoal_transport *t, const struct shoal_space v[], size_t n)
{
	struct sim_guise *g = guise_of(t);
	size_t done = 0;
	listen_in(g);
	for (size_t i = 0, at = 0; i < n && sim_bin_len(&g->in) > 0;) {
		if (g->places && is_place(v, i) && sim_frame_block(&g->in_frame) == 0)
			break;
		size_t most = v[i].len - at < sim_bin_len(&g->in) ? v[i].len - at : sim_bin_len(&g->in);
		size_t k = copy_some(g, &g->in_frame, v[i].at + at, g->in.at + g->in.begin, most);
		sim_bin_skip(&g->in, k);
		done += k;
		at += k;
		if (at == v[i].len) {
			i++;
			at = 0;
		}
	}
	flush(g);
	want(g);
	return done == 0 && g->ended < 0 ? g->ended : (ptrdiff_t)done;
}

static ptrdiff_t guise_send(struct shoal_transport *t, const struct shoal_bytes v[], size_t n, bool more)
{
	struct sim_guise *g = guise_of(t);
	size_t done = 0;
	(void)more;
	flush(g);
	if (sim_bin_len(&g->out) >= ENOUGH)
		return 0;
	for (size_t i = 0; i < n; i++) {
		uint8_t *to = sim_bin_room(&g->said, v[i].len);
		for (size_t at = 0; at < v[i].len;)
			at += copy_some(g, &g->said_frame, to + at, v[i].at + at, v[i].len - at);
		g->said.end += v[i].len;
		done += v[i].len;
	}
	pass_on(g);
	flush(g);
	want(g);
	return (ptrdiff_t)done;
}

static void guise_want(struct shoal_transport *t, unsigned what)
{
	struct sim_guise *g = guise_of(t);
	g->wants = what;
	want(g);
}

static void guise_close(struct shoal_transport *t)
{
	struct sim_guise *g = guise_of(t);
	if (g->ops->ends != NULL)
		g->ops->ends(g);
	sim_alarm_drop(g->clock, &g->look);
	sim_alarm_drop(g->clock, &g->due);
	g->inner->node_peer = NULL;
	g->inner->ops->close(g->inner);
	free(g->said.at);
	free(g->out.at);
	free(g->heard.at);
	free(g->in.at);
	free(g);
}

static const struct shoal_transport_ops guise_transport = {
	.name = "guise",
	.recv = guise_recv,
	.send = guise_send,
	.want = guise_want,
	.close = guise_close,
};

/* ---- time ------------------------------------------------------------------------------------------ */

/* May end it: the last line that touches it. */
static void tell_node(struct sim_guise *g, unsigned what)
{
	struct sim_node *n = g->node;
	shoal_node_ready(n->node, &g->t, what, g->clock->now);
	sim_touch(n);
}

static void on_look(struct sim_alarm *alarm)
{
	struct sim_guise *g = SIM_OF(alarm, struct sim_guise, look);
	if (sim_bin_len(&g->in) > 0 && (g->wants & SHOAL_WANT_READ))
		tell_node(g, SHOAL_WANT_READ);
}

static void on_due(struct sim_alarm *alarm)
{
	struct sim_guise *g = SIM_OF(alarm, struct sim_guise, due);
	g->ops->due(g);
	flush(g);
	want(g);
}

void sim_guise_wake(struct sim_guise *g, shoal_us at)
{
	if (at == SHOAL_NEVER)
		sim_alarm_drop(g->clock, &g->due);
	else
		sim_alarm_set(g->clock, &g->due, at);
}

void sim_guise_ready(struct sim_guise *g, unsigned what)
{
	if (what & SHOAL_WANT_WRITE)
		flush(g);
	want(g);
	if (sim_bin_len(&g->out) >= ENOUGH)
		what &= ~(unsigned)SHOAL_WANT_WRITE;
	if (what & g->wants)
		tell_node(g, what & g->wants);
}

struct sim_guise *sim_guise_of(struct shoal_transport *inner)
{
	return inner->node_peer;
}

struct sim_guise *sim_guise_new(struct sim_node *node, struct sim_clock *clock, struct shoal_transport *inner,
				const struct sim_guise_ops *ops, void *mind)
{
	struct sim_guise *g = sim_must(calloc(1, sizeof *g));
	g->t.ops = &guise_transport;
	g->inner = inner;
	g->ops = ops;
	g->node = node;
	g->clock = clock;
	g->mind = mind;
	g->head = node->sim->o.payload == SIM_PAYLOAD_HEADS ? SIM_HEAD : 0;
	g->places = node->sim->o.payload != SIM_PAYLOAD_WHOLE;
	sim_frame_init(&g->said_frame);
	sim_frame_init(&g->in_frame);
	g->look.ring = on_look;
	g->due.ring = on_due;
	inner->node_peer = g;
	return g;
}
