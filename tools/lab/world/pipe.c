/* pipe.c - two lanes of parcels; see pipe.h. */
#include "tools/lab/world/pipe.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW (256u * 1024)
#define PARCEL_MAX (64u * 1024)
#define CUT_LOOK SHOAL_MS(100)

struct parcel {
	struct parcel *next;
	shoal_us at; /* when it reaches the receiver's line; then, when it is through */
	size_t len, read;
	bool fin; /* the end of the stream, and no bytes */
	uint8_t bytes[];
};
struct ack {
	struct ack *next;
	shoal_us at;
	size_t len;
};
/* One direction. Parcels: read ... arrived | passing the receiver's line | on their way. */
struct lane {
	struct pipe *pipe;
	int side; /* of the end it comes from */
	struct sim_alarm arrive, through, acked;
	struct parcel *head, **tail;
	struct parcel *way;  /* the first still on its way */
	struct parcel *pass; /* the first in the receiver's line */
	struct ack *ack, **ack_tail;
	size_t in_flight; /* sent, not acknowledged */
	size_t readable;
	bool fin_sent, fin_here;
	bool deaf; /* the receiver has closed */
	void *stream;
};
struct sim_end {
	struct shoal_transport t; /* first */
	struct pipe *pipe;
	int side;
	void *owner;
	struct sim_line *line;
	struct sim_end *next, **at; /* of the line's */
	struct sim_alarm ready;
	unsigned wants;
	bool closed, broken;
	void *word;
};
struct pipe {
	struct sim_pipe_options o;
	struct shoal_rng rng;
	struct sim_end end[2];
	struct lane lane[2]; /* lane[i]: from end i to the other */
};

static void *must(void *at)
{
	if (at == NULL)
		abort();
	return at;
}

void **sim_end_word(struct sim_end *end)
{
	return &end->word;
}

/* ---- readiness ---------------------------------------------------------------------------- */

static unsigned is_ready(const struct sim_end *e)
{
	const struct lane *in = &e->pipe->lane[!e->side];
	const struct lane *out = &e->pipe->lane[e->side];
	unsigned what = 0;
	if (in->readable > 0 || in->fin_here || e->broken)
		what |= SHOAL_WANT_READ;
	if (e->broken || out->in_flight + e->pipe->o.window / 4 <= e->pipe->o.window)
		what |= SHOAL_WANT_WRITE;
	return e->closed ? 0 : what & e->wants;
}

static void look(struct sim_end *e)
{
	struct sim_clock *clock = e->pipe->o.clock;
	if (is_ready(e) != 0 && !sim_alarm_is_set(&e->ready))
		sim_alarm_set(clock, &e->ready, clock->now + e->pipe->o.turn);
}

static void on_ready(struct sim_alarm *alarm)
{
	struct sim_end *e = SIM_OF(alarm, struct sim_end, ready);
	unsigned what = is_ready(e);
	if (what == 0)
		return;
	sim_alarm_set(e->pipe->o.clock, &e->ready, e->pipe->o.clock->now + e->pipe->o.turn); /* level triggered */
	e->pipe->o.ready(e->owner, &e->t, what); /* may close it: the last line that touches it */
}

/* ---- parcels on their way -------------------------------------------------------------------- */

static void lane_clear(struct pipe *p, struct lane *l)
{
	sim_alarm_drop(p->o.clock, &l->arrive);
	sim_alarm_drop(p->o.clock, &l->through);
	sim_alarm_drop(p->o.clock, &l->acked);
	for (struct parcel *q; (q = l->head) != NULL;) {
		l->head = q->next;
		if (p->o.carrier.ops != NULL && q->len > q->read) { /* what was put must be taken */
			uint8_t *bytes = must(malloc(q->len - q->read));
			p->o.carrier.ops->take(l->stream, (struct shoal_space){ bytes, q->len - q->read });
			free(bytes);
		}
		free(q);
	}
	for (struct ack *a; (a = l->ack) != NULL;) {
		l->ack = a->next;
		free(a);
	}
	l->tail = &l->head;
	l->ack_tail = &l->ack;
	l->way = l->pass = NULL;
	l->in_flight = l->readable = 0;
}

static void broken(struct sim_end *e)
{
	e->broken = true;
	look(e);
}

/* A parcel is through the receiver's line. */
static void land(struct lane *l, const struct parcel *q)
{
	struct sim_end *from = &l->pipe->end[l->side];
	if (q->fin)
		l->fin_here = true;
	else
		l->readable += q->len;
	if (l->deaf && !from->closed)
		broken(from); /* nobody listens any more: a reset comes back */
	look(&l->pipe->end[!l->side]);
}

static void on_through(struct sim_alarm *alarm)
{
	struct lane *l = SIM_OF(alarm, struct lane, through);
	struct parcel *q = l->pass;
	l->pass = q->next == l->way ? NULL : q->next;
	if (l->pass != NULL)
		sim_alarm_set(l->pipe->o.clock, &l->through, l->pass->at);
	land(l, q);
}

static void on_arrive(struct sim_alarm *alarm)
{
	struct lane *l = SIM_OF(alarm, struct lane, arrive);
	struct pipe *p = l->pipe;
	struct sim_line *line = p->end[!l->side].line;
	struct parcel *q = l->way;
	shoal_us now = p->o.clock->now;
	if (sim_line_apart(line, p->end[l->side].line)) {
		sim_alarm_set(p->o.clock, &l->arrive, now + CUT_LOOK);
		return;
	}
	l->way = q->next;
	if (l->way != NULL)
		sim_alarm_set(p->o.clock, &l->arrive, l->way->at);
	q->at = now;
	if (line->down > 0) {
		line->down_free = (line->down_free > now ? line->down_free : now) + q->len * 1000000 / line->down;
		q->at = line->down_free;
	}
	if (q->at == now && l->pass == NULL)
		return land(l, q);
	if (l->pass == NULL) {
		l->pass = q;
		sim_alarm_set(p->o.clock, &l->through, q->at);
	}
}

static void on_acked(struct sim_alarm *alarm)
{
	struct lane *l = SIM_OF(alarm, struct lane, acked);
	struct pipe *p = l->pipe;
	while (l->ack != NULL && l->ack->at <= p->o.clock->now) {
		struct ack *a = l->ack;
		l->ack = a->next;
		l->in_flight -= a->len;
		free(a);
	}
	if (l->ack != NULL)
		sim_alarm_set(p->o.clock, &l->acked, l->ack->at);
	else
		l->ack_tail = &l->ack;
	look(&p->end[l->side]);
}

static void parcel_send(struct pipe *p, int side, size_t len, bool fin, struct parcel *q)
{
	struct lane *l = &p->lane[side];
	struct sim_line *from = p->end[side].line;
	const struct sim_line *to = p->end[!side].line;
	shoal_us now = p->o.clock->now;
	q->len = len;
	q->fin = fin;
	q->at = now;
	if (from->up > 0) {
		from->up_free = (from->up_free > now ? from->up_free : now) + len * 1000000 / from->up;
		q->at = from->up_free;
	}
	q->at += from->delay + to->delay;
	*l->tail = q;
	l->tail = &q->next;
	if (l->way == NULL) {
		l->way = q;
		sim_alarm_set(p->o.clock, &l->arrive, q->at);
	}
}

/* ---- the transport --------------------------------------------------------------------------------- */

static struct sim_end *end_of(struct shoal_transport *t)
{
	return (struct sim_end *)(void *)t;
}

static bool dice(struct pipe *p)
{
	return p->o.cut_ppm > 0 && shoal_rng_below(&p->rng, 1000000) < p->o.cut_ppm;
}

static ptrdiff_t end_recv(struct shoal_transport *t, const struct shoal_space v[], size_t n)
{
	struct sim_end *e = end_of(t);
	struct pipe *p = e->pipe;
	struct lane *l = &p->lane[!e->side];
	size_t room = 0;
	size_t done = 0;
	if (e->broken)
		return SHOAL_ERR_CLOSED;
	if (l->readable == 0)
		return l->fin_here ? SHOAL_ERR_CLOSED : 0;
	for (size_t i = 0; i < n; i++)
		room += v[i].len;
	size_t want = room < l->readable ? room : l->readable;
	if (want > 1 && dice(p))
		want = 1 + shoal_rng_below(&p->rng, (uint32_t)want - 1);
	for (size_t i = 0; i < n && done < want; i++) {
		for (size_t at = 0; at < v[i].len && done < want;) {
			struct parcel *q = l->head;
			size_t k = q->len - q->read;
			k = k < v[i].len - at ? k : v[i].len - at;
			k = k < want - done ? k : want - done;
			if (p->o.carrier.ops != NULL)
				p->o.carrier.ops->take(l->stream, (struct shoal_space){ v[i].at + at, k });
			else
				memcpy(v[i].at + at, q->bytes + q->read, k);
			q->read += k;
			at += k;
			done += k;
			if (q->read == q->len) {
				l->head = q->next;
				if (l->head == NULL)
					l->tail = &l->head;
				free(q);
			}
		}
	}
	l->readable -= done;
	struct ack *a = must(calloc(1, sizeof *a));
	a->at = p->o.clock->now + e->line->delay + p->end[!e->side].line->delay;
	a->len = done;
	*l->ack_tail = a;
	l->ack_tail = &a->next;
	if (!sim_alarm_is_set(&l->acked))
		sim_alarm_set(p->o.clock, &l->acked, a->at);
	return (ptrdiff_t)done;
}

static ptrdiff_t end_send(struct shoal_transport *t, const struct shoal_bytes v[], size_t n, bool more)
{
	struct sim_end *e = end_of(t);
	struct pipe *p = e->pipe;
	struct lane *l = &p->lane[e->side];
	size_t want = 0;
	size_t done = 0;
	(void)more;
	if (e->broken)
		return SHOAL_ERR_CLOSED;
	for (size_t i = 0; i < n; i++)
		want += v[i].len;
	size_t room = p->o.window > l->in_flight ? p->o.window - l->in_flight : 0;
	want = want < room ? want : room;
	if (want > 1 && dice(p))
		want = 1 + shoal_rng_below(&p->rng, (uint32_t)want - 1);
	size_t i = 0;
	size_t at = 0;
	while (done < want) {
		size_t len = want - done < PARCEL_MAX ? want - done : PARCEL_MAX;
		struct parcel *q = must(calloc(1, sizeof *q + len));
		for (size_t have = 0; have < len;) {
			size_t k = v[i].len - at < len - have ? v[i].len - at : len - have;
			if (k > 0)
				memcpy(q->bytes + have, v[i].at + at, k);
			have += k;
			at += k;
			if (at == v[i].len) {
				i++;
				at = 0;
			}
		}
		if (p->o.tap != NULL && !e->line->dead)
			p->o.tap(p->o.to_tap, e, e->owner, p->end[!e->side].owner,
				 (struct shoal_bytes){ q->bytes, len });
		if (p->o.carrier.ops != NULL)
			p->o.carrier.ops->put(l->stream, (struct shoal_bytes){ q->bytes, len });
		done += len;
		l->in_flight += len;
		parcel_send(p, e->side, len, false, q);
	}
	return (ptrdiff_t)done;
}

static void end_want(struct shoal_transport *t, unsigned what)
{
	struct sim_end *e = end_of(t);
	e->wants = what;
	look(e);
}

static void pipe_free(struct pipe *p)
{
	for (int i = 0; i < 2; i++) {
		lane_clear(p, &p->lane[i]);
		sim_alarm_drop(p->o.clock, &p->end[i].ready);
		*p->end[i].at = p->end[i].next;
		if (p->end[i].next != NULL)
			p->end[i].next->at = p->end[i].at;
		if (p->o.carrier.ops != NULL)
			p->o.carrier.ops->close(p->lane[i].stream);
		if (p->end[i].word != NULL)
			p->o.untap(p->end[i].word);
	}
	free(p);
}

static void end_close(struct shoal_transport *t)
{
	struct sim_end *e = end_of(t);
	struct pipe *p = e->pipe;
	assert(!e->closed);
	e->closed = true;
	sim_alarm_drop(p->o.clock, &e->ready);
	p->lane[!e->side].deaf = true;
	if (p->end[!e->side].closed)
		return pipe_free(p);
	if (e->line->dead || e->broken) {
		lane_clear(p, &p->lane[0]);
		lane_clear(p, &p->lane[1]);
		broken(&p->end[!e->side]);
		return;
	}
	if (p->lane[!e->side].readable > 0) /* closed on unread bytes: a reset, as TCP has it */
		broken(&p->end[!e->side]);
	parcel_send(p, e->side, 0, true, must(calloc(1, sizeof(struct parcel))));
}

static const struct shoal_transport_ops end_ops = {
	.name = "sim",
	.recv = end_recv,
	.send = end_send,
	.want = end_want,
	.close = end_close,
};

void sim_pipe_new(const struct sim_pipe_options *options, struct sim_line *const line[2], void *const owner[2],
		  struct shoal_transport *end[2])
{
	struct pipe *p = must(calloc(1, sizeof *p));
	p->o = *options;
	p->o.window = options->window ? options->window : WINDOW;
	p->rng = options->rng;
	for (int i = 0; i < 2; i++) {
		struct sim_end *e = &p->end[i];
		struct lane *l = &p->lane[i];
		e->t.ops = &end_ops;
		e->pipe = p;
		e->side = i;
		e->owner = owner[i];
		e->line = line[i];
		e->next = line[i]->ends;
		e->at = &line[i]->ends;
		if (e->next != NULL)
			e->next->at = &e->next;
		line[i]->ends = e;
		e->ready.ring = on_ready;
		l->pipe = p;
		l->side = i;
		l->arrive.ring = on_arrive;
		l->through.ring = on_through;
		l->acked.ring = on_acked;
		l->tail = &l->head;
		l->ack_tail = &l->ack;
		if (p->o.carrier.ops != NULL)
			l->stream = p->o.carrier.ops->open(p->o.carrier.c);
		end[i] = &e->t;
	}
}

void sim_pipe_reset(struct shoal_transport *t)
{
	struct pipe *p = end_of(t)->pipe;
	lane_clear(p, &p->lane[0]);
	lane_clear(p, &p->lane[1]);
	for (int i = 0; i < 2; i++)
		if (!p->end[i].closed)
			broken(&p->end[i]);
}

void sim_line_reset(struct sim_line *line, const struct sim_line *to)
{
	for (struct sim_end *e = line->ends; e != NULL; e = e->next)
		if (to == NULL || e->pipe->end[!e->side].line == to)
			sim_pipe_reset(&e->t);
}
