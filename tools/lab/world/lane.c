/* lane.c - one direction of a stream between its two lines: turns, queues, loss, windows; see README.md. */
#include <assert.h>
#include <stdlib.h>
#include "proto/base/fetch.h"
#include "tools/lab/world/pipe_room.h"

#define CUT_LOOK SHOAL_MS(100)
#define QUANTUM 16384 /* bytes of a stream's turn at the line */
#define RTO_MIN SHOAL_MS(200)

static shoal_us now_of(const struct sim_lane *l)
{
	return l->pipe->o->clock->now;
}

static struct sim_line *line_from(const struct sim_lane *l)
{
	return l->pipe->end[l->side].line;
}

static struct sim_line *line_to(const struct sim_lane *l)
{
	return l->pipe->end[!l->side].line;
}

/* There and back, as things stand. */
static shoal_us round_trip(const struct sim_lane *l)
{
	const struct sim_line *a = line_from(l), *b = line_to(l);
	return 2 * (a->delay + b->delay) + sim_line_wait(a->up_free, now_of(l)) +
	       sim_line_wait(b->down_free, now_of(l));
}

static uint64_t on_wire(const struct sim_lane *l, size_t len)
{
	const struct sim_tcp *tcp = l->pipe->o->tcp;
	if (tcp == NULL)
		return len;
	return len + (len > 0 ? (len + tcp->mss - 1) / tcp->mss : 1) * tcp->head;
}

/* ---- windows ------------------------------------------------------------------------------ */

static size_t window(const struct sim_lane *l)
{
	size_t w = l->pipe->o->window;
	return l->pipe->o->tcp != NULL && l->cwnd < w ? l->cwnd : w;
}

/* The first is sent whatever its length: a window is a count of packets, and only full ones wait. */
static bool may_send(const struct sim_lane *l)
{
	return l->unsent != NULL && (l->in_flight < window(l) || l->in_flight == 0);
}

static shoal_us timeout(const struct sim_lane *l)
{
	shoal_us rtt = round_trip(l);
	return 2 * rtt > RTO_MIN ? 2 * rtt : RTO_MIN;
}

/* A packet was lost, or would not fit a queue: CUBIC's 0.7, once a round trip. */
static void congested(struct sim_lane *l)
{
	const struct sim_tcp *tcp = l->pipe->o->tcp;
	if (tcp == NULL || now_of(l) < l->recovery)
		return;
	l->ssthresh = l->cwnd * 7 / 10 > 2 * tcp->mss ? l->cwnd * 7 / 10 : 2 * tcp->mss;
	l->cwnd = l->ssthresh;
	l->recovery = now_of(l) + round_trip(l);
}

static void acknowledged(struct sim_lane *l, size_t len, shoal_us at)
{
	const struct sim_tcp *tcp = l->pipe->o->tcp;
	bool limited = 2 * l->in_flight >= l->cwnd; /* an idle window does not grow */
	l->in_flight -= len;
	l->heard = at;
	if (tcp == NULL || !limited || l->cwnd >= l->pipe->o->window)
		return;
	if (l->cwnd < l->ssthresh)
		l->cwnd += len;
	else
		l->cwnd += tcp->mss * len / l->cwnd;
}

static const struct sim_ack *ack_at(const struct sim_lane *l, uint32_t i)
{
	return &l->ack[(l->ack_first + i) & (l->ack_room - 1)];
}

static void ack_put(struct sim_lane *l, shoal_us at, size_t len)
{
	if (l->acks == l->ack_room) {
		uint32_t room = l->ack_room ? 2 * l->ack_room : 4;
		struct sim_ack *ring = malloc(room * sizeof *ring);
		if (ring == NULL)
			abort();
		for (uint32_t i = 0; i < l->acks; i++)
			ring[i] = *ack_at(l, i);
		free(l->ack);
		l->ack = ring;
		l->ack_room = room;
		l->ack_first = 0;
	}
	l->ack[(l->ack_first + l->acks++) & (l->ack_room - 1)] = (struct sim_ack){ at, len };
}

static void settle_acks(struct sim_lane *l)
{
	while (l->acks > 0 && ack_at(l, 0)->at <= now_of(l)) {
		struct sim_ack ack = *ack_at(l, 0);
		l->ack_first++;
		l->acks--;
		acknowledged(l, ack.len, ack.at);
	}
}

/* Somebody waits for acknowledgements: for the first, or for the one that makes room enough. */
static void watch_acks(struct sim_lane *l)
{
	const struct sim_end *from = &l->pipe->end[l->side];
	bool stuck = l->unsent != NULL && l->turn_at == NULL;
	bool blocked = !from->closed && (from->wants & SHOAL_WANT_WRITE) && !sim_lane_writable(l);
	size_t window = l->pipe->o->window, used = l->in_flight + l->unsent_bytes;
	if (l->acks == 0 || sim_alarm_is_set(&l->acked) || !(stuck || blocked))
		return;
	for (uint32_t i = 0; i < l->acks; i++) {
		used -= ack_at(l, i)->len;
		if (stuck || used + window / 4 <= window)
			return sim_alarm_set(l->pipe->o->clock, &l->acked,
					     sim_line_round(line_from(l), ack_at(l, i)->at, l->pipe->o->round));
	}
}

size_t sim_lane_room(struct sim_lane *l)
{
	settle_acks(l);
	size_t used = l->in_flight + l->unsent_bytes;
	return used < l->pipe->o->window ? l->pipe->o->window - used : 0;
}

bool sim_lane_writable(const struct sim_lane *l)
{
	return l->in_flight + l->unsent_bytes + l->pipe->o->window / 4 <= l->pipe->o->window;
}

static void on_acked(struct sim_alarm *alarm)
{
	struct sim_lane *l = SIM_OF(alarm, struct sim_lane, acked);
	settle_acks(l);
	sim_lane_kick(l);
	sim_end_look(&l->pipe->end[l->side]);
}

void sim_lane_soon(const struct sim_lane *l)
{
	if (l->unsent != NULL)
		shoal_fetch(l->unsent, sizeof *l->unsent);
	if (l->acks > 0)
		shoal_fetch(ack_at(l, 0), 2 * sizeof *l->ack);
	if (l->acks > 1)
		shoal_fetch(ack_at(l, l->acks - 1), 2 * sizeof *l->ack);
}

static void soon_acked(struct sim_alarm *alarm, enum sim_soon how)
{
	const struct sim_lane *l = SIM_OF(alarm, struct sim_lane, acked);
	if (how == SIM_SOON)
		shoal_fetch(l->pipe, sizeof *l->pipe);
	else if (how == SIM_SOONER)
		sim_lane_soon(l);
}

void sim_lane_await(struct sim_lane *l)
{
	settle_acks(l);
	watch_acks(l);
}

/* ---- the sender's line ---------------------------------------------------------------------- */

static void turn_join(struct sim_lane *l)
{
	struct sim_line *line = line_from(l);
	if (line->turn == NULL)
		line->turn_tail = &line->turn;
	l->turn_next = NULL;
	l->turn_at = line->turn_tail;
	*line->turn_tail = l;
	line->turn_tail = &l->turn_next;
}

static void turn_leave(struct sim_lane *l)
{
	struct sim_line *line = line_from(l);
	if (l->turn_at == NULL)
		return;
	*l->turn_at = l->turn_next;
	if (l->turn_next != NULL)
		l->turn_next->turn_at = l->turn_at;
	else
		line->turn_tail = l->turn_at;
	l->turn_at = NULL;
}

/* When it comes to the receiver's line: by its way, or a retransmission later. */
static shoal_us arrives(struct sim_lane *l, const struct parcel *q, shoal_us leaves)
{
	const struct sim_line *from = line_from(l), *to = line_to(l);
	struct shoal_rng *rng = &l->pipe->rng;
	shoal_us at = leaves + sim_line_way(from, rng) + sim_line_way(to, rng);
	uint32_t ppm = from->loss_ppm + to->loss_ppm;
	if (ppm > 0) {
		uint32_t mss = l->pipe->o->tcp != NULL ? l->pipe->o->tcp->mss : sim_tcp_common.mss;
		uint64_t any = (q->len / mss + 1) * ppm; /* of its packets */
		if (shoal_rng_below(rng, 1000000) < any) {
			/* With few packets in flight nobody repeats an acknowledgement, and it takes a time-out. */
			at += l->in_flight >= 4 * (size_t)mss ? round_trip(l) : timeout(l);
			congested(l);
		}
	}
	if (at < l->way_end)
		at = l->way_end;
	return l->way_end = at;
}

static void arrive_at(struct sim_lane *l, shoal_us at)
{
	const struct sim_pipe_options *o = l->pipe->o;
	sim_alarm_set(o->clock, &l->arrive, sim_line_round(line_to(l), at, o->round));
}

static void send_first(struct sim_lane *l)
{
	struct sim_line *from = line_from(l);
	struct parcel *q = l->unsent;
	const struct sim_tcp *tcp = l->pipe->o->tcp;
	if (tcp != NULL && l->in_flight == 0 && l->heard != 0 && l->heard + timeout(l) < now_of(l) &&
	    l->cwnd > tcp->first * (size_t)tcp->mss)
		l->cwnd = tcp->first * (size_t)tcp->mss; /* slow start after idleness */
	l->unsent = q->next;
	l->unsent_bytes -= q->len;
	l->in_flight += q->len;
	l->credit -= (int64_t)q->len;
	q->at = arrives(l, q, sim_line_pass(&from->up_free, from->up, on_wire(l, q->len), now_of(l)));
	if (l->way == NULL) {
		l->way = q;
		arrive_at(l, q->at);
	}
}

static bool has_room(const struct sim_line *line, shoal_us now)
{
	return line->up == 0 || sim_line_wait(line->up_free, now) < sim_line_queue(line);
}

/* The queue is full: the stream that has most under way loses something, once a round trip. */
static void overflows(struct sim_line *line, shoal_us now)
{
	struct sim_lane *most = line->turn;
	if (now < line->calm)
		return;
	for (const struct sim_end *e = line->ends; e != NULL; e = e->next) {
		struct sim_lane *l = &e->pipe->lane[e->side];
		most = l->in_flight > most->in_flight ? l : most;
	}
	congested(most);
	line->calm = now + round_trip(most);
}

/* Whose turn it is sends, as long as the queue has room. */
static void serve(struct sim_line *line, struct sim_clock *clock)
{
	while (line->turn != NULL) {
		struct sim_lane *l = line->turn;
		if (!has_room(line, clock->now)) {
			overflows(line, clock->now);
			if (!sim_alarm_is_set(&line->room))
				sim_alarm_set(clock, &line->room,
					      sim_line_round(line, line->up_free - sim_line_queue(line) + 1,
							     l->pipe->o->round));
			return;
		}
		if (l->credit <= 0)
			l->credit += QUANTUM;
		while (may_send(l) && l->credit > 0 && has_room(line, clock->now))
			send_first(l);
		if (may_send(l) && l->credit > 0)
			continue; /* no room: it stays the first */
		turn_leave(l);
		if (may_send(l))
			turn_join(l);
		else
			l->credit = 0;
		watch_acks(l);
	}
}

static void on_room(struct sim_alarm *alarm)
{
	struct sim_line *line = SIM_OF(alarm, struct sim_line, room);
	if (line->turn != NULL)
		serve(line, line->turn->pipe->o->clock);
}

static void soon_room(struct sim_alarm *alarm, enum sim_soon how)
{
	const struct sim_line *line = SIM_OF(alarm, struct sim_line, room);
	const struct sim_lane *l = how > SIM_SOON ? line->turn : NULL;
	if (how == SIM_SOON)
		shoal_fetch(line, sizeof *line);
	else if (how == SIM_SOONER && l != NULL)
		shoal_fetch(l, sizeof *l);
	else if (how == SIM_VERY_SOON && l != NULL && l->unsent != NULL)
		shoal_fetch(l->unsent, sizeof *l->unsent);
	else if (how == SIM_NEXT && l != NULL && l->unsent != NULL && l->unsent->next != NULL)
		shoal_fetch(l->unsent->next, sizeof *l->unsent);
}

void sim_lane_kick(struct sim_lane *l)
{
	struct sim_line *line = line_from(l);
	settle_acks(l);
	if (l->turn_at == NULL && may_send(l)) {
		turn_join(l);
		if (line->room.ring == NULL)
			line->room = (struct sim_alarm){ .ring = on_room, .soon = soon_room };
		if (!sim_alarm_is_set(&line->room))
			serve(line, l->pipe->o->clock);
	}
	watch_acks(l);
}

void sim_lane_put(struct sim_lane *l, struct parcel *q)
{
	q->next = NULL;
	*l->tail = q;
	l->tail = &q->next;
	l->unsent_bytes += q->len;
	if (l->unsent == NULL)
		l->unsent = q;
}

/* ---- the receiver's line ---------------------------------------------------------------------- */

static void on_arrive(struct sim_alarm *alarm)
{
	struct sim_lane *l = SIM_OF(alarm, struct sim_lane, arrive);
	struct pipe *p = l->pipe;
	struct sim_line *to = line_to(l);
	shoal_us now = now_of(l);
	if (sim_line_apart(line_from(l), to))
		return arrive_at(l, now + CUT_LOOK);
	while (l->way != NULL && l->way != l->unsent && l->way->at <= now) {
		struct parcel *q = l->way;
		if (p->o->tcp != NULL && to->down > 0 && sim_line_wait(to->down_free, now) > sim_line_queue(to)) {
			congested(l); /* dropped, and sent again */
			q->at = now + round_trip(l);
			break;
		}
		/* (When it really came, where machines look only once a round.) */
		shoal_us came = q->at + p->o->round > now ? q->at : now;
		q->at = sim_line_pass(&to->down_free, to->down, on_wire(l, q->len), came);
		l->way = q->next;
		if (l->pass == NULL)
			l->pass = q;
		if (l->deaf)
			sim_lane_deaf(l);
	}
	if (l->way == l->unsent)
		l->way = NULL;
	if (l->way != NULL)
		arrive_at(l, l->way->at > now ? l->way->at : now + 1);
	sim_end_look(&p->end[!l->side]);
}

static void soon_arrives(struct sim_alarm *alarm, enum sim_soon how)
{
	const struct sim_lane *l = SIM_OF(alarm, struct sim_lane, arrive);
	if (how == SIM_SOON)
		shoal_fetch(l->pipe, sizeof *l->pipe);
	if (how == SIM_SOONER) {
		shoal_fetch(line_to(l), sizeof(struct sim_line));
		shoal_fetch(line_from(l), sizeof(struct sim_line));
	}
	if (how == SIM_SOONER && l->way != NULL)
		shoal_fetch(l->way, sizeof *l->way);
	if (how == SIM_VERY_SOON && l->way != NULL && l->way->next != NULL)
		shoal_fetch(l->way->next, sizeof *l->way);
}

void sim_lane_pull(struct sim_lane *l)
{
	while (l->pass != NULL && l->pass->at <= now_of(l)) {
		struct parcel *q = l->pass;
		if (q->fin)
			l->fin_here = true;
		else
			l->readable += q->len;
		l->pass = q->next == l->way || q->next == l->unsent ? NULL : q->next;
	}
}

void sim_lane_was_read(struct sim_lane *l)
{
	struct parcel *q = l->head;
	struct sim_line *back = line_to(l);
	const struct sim_tcp *tcp = l->pipe->o->tcp;
	shoal_us at = now_of(l) + back->delay + line_from(l)->delay;
	l->head = q->next;
	if (l->head == NULL)
		l->tail = &l->head;
	if (tcp != NULL) { /* acknowledgements stand in the reader's queue, and take their share of its rate */
		at += sim_line_wait(back->up_free, now_of(l));
		(void)sim_line_pass(&back->up_free, back->up, (q->len / (2 * tcp->mss) + 1) * tcp->head, now_of(l));
	}
	if (at < l->ack_end)
		at = l->ack_end;
	l->ack_end = at;
	ack_put(l, at, q->len);
	free(q);
	watch_acks(l);
}

/* ---- its life -------------------------------------------------------------------------------------- */

void sim_lane_init(struct sim_lane *l, struct pipe *p, int side)
{
	const struct sim_tcp *tcp = p->o->tcp;
	l->pipe = p;
	l->side = side;
	l->arrive.ring = on_arrive;
	l->arrive.soon = soon_arrives;
	l->acked.ring = on_acked;
	l->acked.soon = soon_acked;
	l->tail = &l->head;
	l->cwnd = tcp != NULL ? tcp->first * (size_t)tcp->mss : 0;
	l->ssthresh = SIZE_MAX;
	sim_frame_init(&l->frame);
}

void sim_lane_clear(struct sim_lane *l)
{
	struct pipe *p = l->pipe;
	sim_alarm_drop(p->o->clock, &l->arrive);
	sim_alarm_drop(p->o->clock, &l->acked);
	turn_leave(l);
	for (struct parcel *q; (q = l->head) != NULL;) {
		l->head = q->next;
		if (p->o->carrier.ops != NULL && q->len > q->read) { /* what was put must be taken */
			uint8_t *bytes = malloc(q->len - q->read);
			if (bytes == NULL)
				abort();
			p->o->carrier.ops->take(l->stream, (struct shoal_space){ bytes, q->len - q->read });
			free(bytes);
		}
		free(q);
	}
	free(l->ack);
	l->ack = NULL;
	l->ack_first = l->acks = l->ack_room = 0;
	l->tail = &l->head;
	l->way = l->pass = l->unsent = NULL;
	l->in_flight = l->unsent_bytes = l->readable = l->corked = 0;
}
