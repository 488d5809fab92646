/* wires.c - see wires.h. */
#include "tools/lab/real/wires.h"

#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "proto/base/rng.h"

#define MTU_MIN 68u
#define MTU_MAX 65535u
#define OF_TIMER(t) ((struct lab_packet *)(void *)((char *)(t)-offsetof(struct lab_packet, timer)))

struct node {
	struct lab_wire line;
	uint64_t up_free, down_free; /* when each way has sent all it was given */
	uint64_t dropped;
};
struct lab_wires {
	struct node *node;
	unsigned nodes;
	size_t mtu;
	struct shoal_rng dice;
	struct shoal_heap under_way; /* packets by when they are due, in nanoseconds */
	size_t made, room;	     /* packets in all, under way or spare; most of them */
	struct lab_packet *spare;
	uint64_t *latest; /* by pair: when the last packet of it gets to the other line */
};

const char *lab_wires_dotted(unsigned node, char out[16])
{
	uint32_t a = lab_wires_address(node);
	snprintf(out, 16, "%u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
	return out;
}

unsigned lab_wires_node(uint32_t address)
{
	unsigned low = address & 255, high = address >> 8 & 255;
	if ((address & 0xffff0000u) != LAB_WIRES_NET || low == 0 || low > 250)
		return UINT_MAX;
	return high * 250 + low - 1;
}

struct lab_wires *lab_wires_new(unsigned nodes, size_t mtu, uint64_t seed)
{
	if (nodes == 0 || nodes > LAB_WIRES_NODES_MAX || mtu < MTU_MIN || mtu > MTU_MAX)
		return NULL;
	struct lab_wires *w = calloc(1, sizeof *w);
	if (w == NULL)
		return NULL;
	*w = (struct lab_wires){ .nodes = nodes, .mtu = mtu, .dice = shoal_rng_split(seed, 0) };
	w->room = LAB_WIRES_UNDER_WAY_MAX / (sizeof(struct lab_packet) + mtu);
	w->node = calloc(nodes, sizeof *w->node);
	w->latest = calloc((size_t)nodes * nodes, sizeof *w->latest);
	if (w->node == NULL || w->latest == NULL) {
		lab_wires_free(w);
		return NULL;
	}
	return w;
}

void lab_wires_free(struct lab_wires *w)
{
	if (w == NULL)
		return;
	for (struct shoal_timer *t; (t = shoal_heap_due(&w->under_way, SHOAL_NEVER)) != NULL;)
		free(OF_TIMER(t));
	while (w->spare != NULL) {
		struct lab_packet *p = w->spare;
		w->spare = p->next;
		free(p);
	}
	shoal_heap_fini(&w->under_way);
	free(w->latest);
	free(w->node);
	free(w);
}

size_t lab_wires_mtu(const struct lab_wires *w)
{
	return w->mtu;
}

struct lab_wire *lab_wires_line(struct lab_wires *w, unsigned node)
{
	return &w->node[node].line;
}

uint64_t lab_wires_dropped(const struct lab_wires *w, unsigned node)
{
	return w->node[node].dropped;
}

/* ---- a packet's way ---------------------------------------------------------------------------- */

struct lab_packet *lab_wires_room(struct lab_wires *w)
{
	struct lab_packet *p = w->spare;
	if (p != NULL) {
		w->spare = p->next;
		return p;
	}
	if (w->made == w->room || (p = malloc(sizeof *p + w->mtu)) == NULL)
		return NULL;
	p->timer = (struct shoal_timer){ 0 };
	w->made++;
	return p;
}

void lab_wires_done(struct lab_wires *w, struct lab_packet *p)
{
	p->next = w->spare;
	w->spare = p;
}

static bool apart(const struct lab_wire *a, const struct lab_wire *b)
{
	return a->cut || b->cut || (a->side != b->side && !a->everywhere && !b->everywhere);
}

static bool loses(struct lab_wires *w, const struct lab_wire *line)
{
	return line->loss_ppm > 0 && shoal_rng_below(&w->dice, 1000000) < line->loss_ppm;
}

/* For how long a packet is held back, that others may overtake it; 0: it keeps its place. */
static uint64_t held_back(struct lab_wires *w, const struct lab_wire *line)
{
	if (line->reorder_ppm == 0 || shoal_rng_below(&w->dice, 1000000) >= line->reorder_ppm)
		return 0;
	return 1 + shoal_rng_u64(&w->dice) % LAB_WIRES_LATE_NS;
}

static uint64_t jitter(struct lab_wires *w, const struct lab_wire *line)
{
	return line->jitter_ns > 0 ? shoal_rng_u64(&w->dice) % (line->jitter_ns + 1) : 0;
}

/* Puts what is due behind all that this way of a line has to send: it is due when it is through. false: the queue is full. */
static bool pass(uint64_t *free_at, const struct lab_wire *line, uint64_t rate, size_t len, uint64_t *due)
{
	uint64_t queue = line->queue_ns > 0 ? line->queue_ns : LAB_WIRES_QUEUE_NS;
	if (rate == 0)
		return true;
	uint64_t from = *free_at > *due ? *free_at : *due;
	if (from - *due > queue)
		return false;
	*due = *free_at = from + (uint64_t)((double)len * 1e9 / (double)rate);
	return true;
}

static bool drop(struct lab_wires *w, unsigned node, struct lab_packet *p)
{
	w->node[node].dropped++;
	lab_wires_done(w, p);
	return false;
}

/* Its next step is due then. false: there is no memory for it to wait in. */
static bool goes_on(struct lab_wires *w, unsigned node, struct lab_packet *p, uint64_t due)
{
	return shoal_heap_set(&w->under_way, &p->timer, due) == 0 || drop(w, node, p);
}

bool lab_wires_send(struct lab_wires *w, unsigned from, struct lab_packet *p, uint64_t now)
{
	struct node *a = &w->node[from];
	unsigned to = UINT_MAX;
	uint64_t due = now;
	if (p->len >= 20 && p->bytes[0] >> 4 == 4)
		to = lab_wires_node(shoal_get_u32(p->bytes + 16));
	if (to >= w->nodes || to == from) {
		lab_wires_done(w, p); /* IPv6 of the kernel's own, mostly */
		return false;
	}
	struct node *b = &w->node[to];
	if (apart(&a->line, &b->line))
		return drop(w, from, p);
	if (!pass(&a->up_free, &a->line, a->line.up, p->len, &due) || loses(w, &a->line) || loses(w, &b->line))
		return drop(w, from, p);
	uint64_t *latest = &w->latest[(size_t)from * w->nodes + to];
	due += a->line.delay_ns + b->line.delay_ns + jitter(w, &a->line) + jitter(w, &b->line);
	if (due < *latest)
		due = *latest;
	uint64_t late = held_back(w, &a->line) + held_back(w, &b->line);
	if (late == 0)
		*latest = due;
	due += late;
	p->from = from;
	p->to = to;
	p->arrives = b->line.down == 0;
	return goes_on(w, from, p, due);
}

uint64_t lab_wires_due(const struct lab_wires *w)
{
	return shoal_heap_next(&w->under_way);
}

struct lab_packet *lab_wires_take(struct lab_wires *w, uint64_t now)
{
	for (struct shoal_timer *t; (t = shoal_heap_due(&w->under_way, now)) != NULL;) {
		struct lab_packet *p = OF_TIMER(t);
		struct node *b = &w->node[p->to];
		uint64_t due = t->at;
		/* What was under way when a line was cut is lost with it. */
		if (apart(&w->node[p->from].line, &b->line)) {
			drop(w, p->to, p);
		} else if (p->arrives) {
			return p;
		} else if (pass(&b->down_free, &b->line, b->line.down, p->len, &due)) {
			p->arrives = true;
			goes_on(w, p->to, p, due);
		} else {
			drop(w, p->to, p);
		}
	}
	return NULL;
}

size_t lab_packet_payload(struct shoal_bytes packet)
{
	if (packet.len < 20 || packet.at[0] >> 4 != 4)
		return 0;
	size_t head = (packet.at[0] & 15u) * 4u, all = shoal_get_u16(packet.at + 2);
	if (head < 20 || all > packet.len || head > all)
		return 0;
	const uint8_t *inner = packet.at + head;
	size_t len = all - head, skip = 0;
	if (packet.at[9] == 17 && len >= 8)
		skip = 8;
	else if (packet.at[9] == 6 && len >= 20)
		skip = (inner[12] >> 4) * 4u;
	return skip > 0 && skip <= len ? len - skip : 0;
}
