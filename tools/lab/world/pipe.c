/* pipe.c - the transport's side of a stream: what is taken, carried and handed out; see pipe.h. */
#include "tools/lab/world/pipe.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/fetch.h"
#include "proto/wire.h"
#include "tools/lab/world/must.h"
#include "tools/lab/world/pipe_room.h"

#define PARCEL_MAX (64u * 1024)
#define PASSES 8 /* a node reads on in one turn, as long as something comes */

const struct sim_tcp sim_tcp_common = { .mss = 1448, .head = 52, .first = 10 };

void **sim_end_word(struct sim_end *end)
{
	return &end->word;
}

const struct shoal_transport *sim_end_transport(const struct sim_end *end)
{
	return &end->t;
}

struct sim_end *sim_end_other(struct sim_end *end)
{
	return &end->pipe->end[!end->side];
}

static struct sim_end *end_of(struct shoal_transport *t)
{
	return (struct sim_end *)(void *)t;
}

static struct sim_lane *lane_in(const struct sim_end *e)
{
	return &e->pipe->lane[!e->side];
}

static struct sim_lane *lane_out(const struct sim_end *e)
{
	return &e->pipe->lane[e->side];
}

/* ---- readiness ---------------------------------------------------------------------------- */

static unsigned is_ready(const struct sim_end *e)
{
	const struct sim_lane *in = lane_in(e);
	unsigned what = 0;
	if (in->readable > 0 || in->fin_here || e->broken)
		what |= SHOAL_WANT_READ;
	if ((e->wants & SHOAL_WANT_WRITE) &&
	    (e->broken || sim_lane_writable(lane_out(e)))) /* else it is not looked at */
		what |= SHOAL_WANT_WRITE;
	return e->closed ? 0 : what & e->wants;
}

/* When its owner's loop comes round next after `at`; where all that happens to it does so in rounds, in this one already,
 * unless it was told in it. */
static void look_at(struct sim_end *e, shoal_us at)
{
	const struct sim_pipe_options *o = e->pipe->o;
	at -= o->round > 1 && e->rung != o->clock->now;
	at = at - (at - e->line->phase) % o->turn + o->turn;
	if (!sim_alarm_is_set(&e->ready) || e->ready.at > at)
		sim_alarm_set(o->clock, &e->ready, at);
}

void sim_end_look(struct sim_end *e)
{
	struct sim_lane *in = lane_in(e);
	if (e->closed)
		return;
	sim_lane_pull(in);
	if (is_ready(e) != 0)
		look_at(e, e->pipe->o->clock->now);
	else if (in->pass != NULL && (e->wants & SHOAL_WANT_READ))
		look_at(e, in->pass->at);
	if ((e->wants & SHOAL_WANT_WRITE) && !sim_lane_writable(lane_out(e)))
		sim_lane_await(lane_out(e));
}

static void pipe_free(struct pipe *p)
{
	for (int i = 0; i < 2; i++) {
		sim_lane_clear(&p->lane[i]);
		sim_alarm_drop(p->o->clock, &p->end[i].ready);
		*p->end[i].at = p->end[i].next;
		if (p->end[i].next != NULL)
			p->end[i].next->at = p->end[i].at;
		if (p->o->carrier.ops != NULL)
			p->o->carrier.ops->close(p->lane[i].stream);
		if (p->end[i].word != NULL)
			p->o->untap(p->end[i].word);
	}
	free(p);
}

static void on_ready(struct sim_alarm *alarm)
{
	struct sim_end *e = SIM_OF(alarm, struct sim_end, ready);
	struct pipe *p = e->pipe;
	e->busy = true;
	e->rung = p->o->clock->now;
	for (int i = 0; i < PASSES; i++) {
		sim_lane_pull(lane_in(e));
		size_t before = lane_in(e)->readable;
		unsigned what = is_ready(e);
		if (what == 0)
			break;
		p->o->ready(e->owner, &e->t, what);
		if (lane_in(e)->readable == before)
			break;
	}
	e->busy = false;
	if (e->closed && p->end[!e->side].closed)
		return pipe_free(p);
	sim_end_look(e); /* level triggered */
}

static void soon_ready(struct sim_alarm *alarm, enum sim_soon how)
{
	struct sim_end *e = SIM_OF(alarm, struct sim_end, ready);
	const struct pipe *p = e->pipe;
	const struct parcel *first = p->lane[!e->side].head;
	if (how == SIM_SOON)
		return shoal_fetch(p, sizeof *p);
	if (how == SIM_SOONER) {
		sim_lane_soon(&p->lane[0]);
		sim_lane_soon(&p->lane[1]);
	}
	if (how == SIM_SOONER && first != NULL)
		shoal_fetch(first, sizeof *first + 64);
	if (p->o->soon != NULL)
		p->o->soon(e->owner, e, how);
}

static void broken(struct sim_end *e)
{
	e->broken = true;
	sim_end_look(e);
}

/* ---- in ------------------------------------------------------------------------------------------ */

static bool dice(struct pipe *p)
{
	return p->o->cut_ppm > 0 && shoal_rng_below(&p->rng, 1000000) < p->o->cut_ppm;
}

/* Whether span i is where a block is to lie: it follows that block's header. */
static bool is_place(const struct shoal_space v[], size_t i)
{
	return i > 0 && v[i].len > SHOAL_WIRE_PIECE_HEAD && v[i - 1].len <= SHOAL_WIRE_PIECE_HEAD;
}

/* The next bytes of `q`, as many as it has of one sort, `most` at most, to `to`. */
static size_t parcel_take(const struct pipe *p, struct sim_lane *l, struct parcel *q, uint8_t *to, size_t most)
{
	bool talk = q->read < q->talk;
	size_t k = talk ? q->talk - q->read : q->len - q->read;
	k = k < most ? k : most;
	if (p->o->carrier.ops != NULL) {
		p->o->carrier.ops->take(l->stream, (struct shoal_space){ to, k });
	} else {
		size_t have = q->talk + q->kept; /* real bytes, of both sorts */
		size_t n = q->read < have ? have - q->read : 0;
		n = n < k ? n : k;
		if (n > 0)
			memcpy(to, q->bytes + q->read, n);
	}
	q->read += k;
	return k;
}

static ptrdiff_t end_recv(struct shoal_transport *t, const struct shoal_space v[], size_t n)
{
	struct sim_end *e = end_of(t);
	struct pipe *p = e->pipe;
	struct sim_lane *l = lane_in(e);
	size_t room = 0;
	size_t done = 0;
	if (e->broken)
		return SHOAL_ERR_CLOSED;
	sim_lane_pull(l);
	if (l->readable == 0)
		return l->fin_here ? SHOAL_ERR_CLOSED : 0;
	for (size_t i = 0; i < n; i++)
		room += v[i].len;
	size_t want = room < l->readable ? room : l->readable;
	if (want > 1 && dice(p))
		want = 1 + shoal_rng_below(&p->rng, (uint32_t)want - 1);
	for (size_t i = 0, at = 0; i < n && done < want;) {
		struct parcel *q = l->head;
		if (q->read < q->talk && p->o->places && is_place(v, i))
			break;
		size_t most = v[i].len - at < want - done ? v[i].len - at : want - done;
		size_t k = parcel_take(p, l, q, v[i].at + at, most);
		at += k;
		done += k;
		if (at == v[i].len) {
			i++;
			at = 0;
		}
		if (q->read == q->len)
			sim_lane_was_read(l);
	}
	l->readable -= done;
	if (p->o->took != NULL && done > 0)
		p->o->took(p->o->to_tap, sim_end_other(e), done);
	return (ptrdiff_t)done;
}

/* ---- out ----------------------------------------------------------------------------------------- */

/* Bytes on their way in: from spans of memory, one after another. */
struct source {
	const struct shoal_bytes *v;
	size_t n, i, at;
};

static struct shoal_bytes source_run(struct source *s)
{
	while (s->i < s->n && s->at == s->v[s->i].len) {
		s->i++;
		s->at = 0;
	}
	if (s->i == s->n)
		return (struct shoal_bytes){ NULL, 0 };
	return (struct shoal_bytes){ s->v[s->i].at + s->at, s->v[s->i].len - s->at };
}

/* How many of the bytes [off, off+len) of a block are carried. */
static uint32_t carried(const struct pipe *p, uint32_t off, uint32_t len)
{
	if (p->o->head == 0)
		return len;
	uint32_t n = off < p->o->head ? p->o->head - off : 0;
	return n < len ? n : len;
}

static void told(struct sim_end *e, const struct sim_lane *l, const struct parcel *q, uint32_t off)
{
	struct pipe *p = e->pipe;
	struct sim_heard heard = {
		.talk = { q->bytes, q->talk },
		.len = (uint32_t)(q->len - q->talk),
		.kept = { q->bytes + q->talk, q->kept },
	};
	if (heard.len > 0) {
		heard.piece = l->frame.piece;
		heard.begin = l->frame.begin;
		heard.block = l->frame.len;
		heard.off = off;
	}
	if (p->o->tap != NULL && !e->line->dead)
		p->o->tap(p->o->to_tap, e, e->owner, p->end[!e->side].owner, &heard);
	if (p->o->carrier.ops != NULL)
		p->o->carrier.ops->put(l->stream, (struct shoal_bytes){ q->bytes, q->len });
}

/* What a parcel has room for while it is being filled: talk, with what was corked in front of it, and a block's bytes. */
static struct parcel *parcel_new(struct sim_lane *l, size_t talk, size_t kept)
{
	struct parcel *q = sim_must(malloc(sizeof *q + l->corked + talk + kept));
	*q = (struct parcel){ .talk = l->corked };
	if (l->corked > 0)
		memcpy(q->bytes, l->cork, l->corked);
	l->unsent_bytes -= l->corked; /* counted when it was taken */
	l->corked = 0;
	return q;
}

static void parcel_goes(struct sim_end *e, struct parcel *q, uint32_t off)
{
	struct sim_lane *l = lane_out(e);
	uint32_t block = (uint32_t)(q->len - q->talk);
	told(e, l, q, off);
	if (block > 0)
		sim_frame_skip(&l->frame, block);
	sim_lane_put(l, q);
}

/* Talk that was held back goes without what was to follow it. */
static void uncork(struct sim_end *e)
{
	struct sim_lane *l = lane_out(e);
	if (l->corked == 0)
		return;
	struct parcel *q = parcel_new(l, 0, 0);
	q->len = q->talk;
	parcel_goes(e, q, 0);
}

static void source_copy(struct source *s, uint8_t *to, size_t kept, size_t len)
{
	for (size_t have = 0; have < len;) {
		struct shoal_bytes run = source_run(s);
		size_t k = run.len < len - have ? run.len : len - have;
		size_t n = have < kept ? kept - have : 0;
		n = n < k ? n : k;
		if (n > 0)
			memcpy(to + have, run.at, n);
		s->at += k;
		have += k;
	}
}

/* One parcel of the next `want` bytes: talk up to a block, and the block's bytes behind it. Returns how many it has. */
static size_t send_some(struct sim_end *e, struct source *s, size_t want)
{
	struct sim_lane *l = lane_out(e);
	struct source ahead = *s;
	size_t most = want < PARCEL_MAX ? want : PARCEL_MAX;
	size_t talk = 0;
	while (talk < most && sim_frame_block(&l->frame) == 0) {
		struct shoal_bytes run = source_run(&ahead);
		size_t k = sim_frame_talk(&l->frame, run.at, run.len < most - talk ? run.len : most - talk);
		ahead.at += k;
		talk += k;
	}
	uint32_t off = l->frame.done;
	uint32_t block = sim_frame_block(&l->frame);
	block = block < most - talk ? block : (uint32_t)(most - talk);
	uint32_t kept = carried(e->pipe, off, block);
	struct parcel *q = parcel_new(l, talk, kept);
	source_copy(s, q->bytes + q->talk, talk, talk);
	q->talk += talk;
	source_copy(s, q->bytes + q->talk, kept, block);
	q->kept = kept;
	q->len = q->talk + block;
	parcel_goes(e, q, off);
	return talk + block;
}

static ptrdiff_t end_send(struct shoal_transport *t, const struct shoal_bytes v[], size_t n, bool more)
{
	struct sim_end *e = end_of(t);
	struct pipe *p = e->pipe;
	struct sim_lane *l = lane_out(e);
	struct source s = { v, n, 0, 0 };
	size_t total = 0;
	size_t done = 0;
	if (e->broken)
		return SHOAL_ERR_CLOSED;
	for (size_t i = 0; i < n; i++)
		total += v[i].len;
	size_t room = sim_lane_room(l);
	size_t want = total < room ? total : room;
	if (want > 1 && dice(p))
		want = 1 + shoal_rng_below(&p->rng, (uint32_t)want - 1);
	/* The head of a block goes with the block. */
	if (more && want > 0 && want == total && want <= sizeof l->cork && l->corked == 0 &&
	    sim_frame_block(&l->frame) == 0) {
		source_copy(&s, l->cork, want, want);
		(void)sim_frame_talk(&l->frame, l->cork, want);
		l->corked = want;
		l->unsent_bytes += want;
		return (ptrdiff_t)want;
	}
	while (done < want)
		done += send_some(e, &s, want - done);
	uncork(e);
	sim_lane_kick(l);
	return (ptrdiff_t)done;
}

static ptrdiff_t end_send_file(struct shoal_transport *t, uint32_t file, uint64_t offset, size_t len, bool more)
{
	struct sim_end *e = end_of(t);
	struct pipe *p = e->pipe;
	struct sim_lane *l = lane_out(e);
	(void)more;
	if (e->broken)
		return SHOAL_ERR_CLOSED;
	size_t room = sim_lane_room(l);
	len = len < room ? len : room;
	if (len > 1 && dice(p))
		len = 1 + shoal_rng_below(&p->rng, (uint32_t)len - 1);
	uint32_t off = l->frame.done;
	assert(len <= sim_frame_block(&l->frame)); /* it sends blocks from files, and nothing else */
	if (len == 0) {
		uncork(e);
		sim_lane_kick(l);
		return 0;
	}
	uint32_t kept = carried(p, off, (uint32_t)len);
	struct parcel *q = parcel_new(l, 0, kept);
	q->kept = kept;
	q->len = q->talk + len;
	int rc = kept > 0 ? p->o->file(e->owner, file, offset, (struct shoal_space){ q->bytes + q->talk, kept }) : 0;
	if (rc < 0) {
		free(q);
		return rc;
	}
	parcel_goes(e, q, off);
	sim_lane_kick(l);
	return (ptrdiff_t)len;
}

static void end_want(struct shoal_transport *t, unsigned what)
{
	struct sim_end *e = end_of(t);
	e->wants = what;
	if (!e->busy) /* who is told of readiness right now is looked at afterwards */
		sim_end_look(e);
}

static void end_close(struct shoal_transport *t)
{
	struct sim_end *e = end_of(t);
	struct pipe *p = e->pipe;
	struct sim_end *other = &p->end[!e->side];
	assert(!e->closed);
	if (!e->broken)
		uncork(e);
	e->closed = true;
	sim_alarm_drop(p->o->clock, &e->ready);
	lane_in(e)->deaf = true;
	if (other->closed) {
		if (!e->busy && !other->busy)
			pipe_free(p);
		return;
	}
	if (e->line->dead || e->broken) {
		sim_lane_clear(&p->lane[0]);
		sim_lane_clear(&p->lane[1]);
		return broken(other);
	}
	sim_lane_pull(lane_in(e));
	if (lane_in(e)->readable > 0) /* closed on unread bytes: a reset, as TCP has it */
		broken(other);
	struct parcel *fin = sim_must(malloc(sizeof *fin));
	*fin = (struct parcel){ .fin = true };
	sim_lane_put(lane_out(e), fin);
	sim_lane_kick(lane_out(e));
}

static const struct shoal_transport_ops memory_ops = {
	.name = "sim",
	.recv = end_recv,
	.send = end_send,
	.want = end_want,
	.close = end_close,
};
static const struct shoal_transport_ops file_ops = {
	.name = "sim",
	.recv = end_recv,
	.send = end_send,
	.send_file = end_send_file,
	.want = end_want,
	.close = end_close,
};

void sim_lane_deaf(struct sim_lane *l)
{
	struct sim_end *from = &l->pipe->end[l->side];
	if (!from->closed)
		broken(from); /* nobody listens any more: a reset comes back */
}

void sim_pipe_new(const struct sim_pipe_options *options, struct shoal_rng rng, struct sim_line *const line[2],
		  void *const owner[2], struct shoal_transport *end[2])
{
	struct pipe *p = sim_must(calloc(1, sizeof *p));
	assert(options->window > 0 && (options->carrier.ops == NULL || options->head == 0));
	p->o = options;
	p->rng = rng;
	for (int i = 0; i < 2; i++) {
		struct sim_end *e = &p->end[i];
		e->t.ops = options->file != NULL ? &file_ops : &memory_ops;
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
		e->ready.soon = soon_ready;
		sim_lane_init(&p->lane[i], p, i);
		if (p->o->carrier.ops != NULL)
			p->lane[i].stream = p->o->carrier.ops->open(p->o->carrier.c);
		end[i] = &e->t;
	}
}

void sim_pipe_reset(struct shoal_transport *t)
{
	struct pipe *p = end_of(t)->pipe;
	sim_lane_clear(&p->lane[0]);
	sim_lane_clear(&p->lane[1]);
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
