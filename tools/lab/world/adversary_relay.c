/* adversary_relay.c - a machine that passes connections on to another, and spoils the blocks that come back. */
#include "tools/lab/world/adversary_mind.h"

#include <stdlib.h>
#include "tools/lab/world/world.h"

#define MESSAGE_MAX (2u << 20)
#define ENOUGH (256u * 1024)
#define READ (64u * 1024)

/* One who came, and the connection to the target that was made for him. */
enum side { VICTIM, TARGET };
struct sim_relayed {
	struct sim_relayed *next, **at;
	struct sim_adversary *a;
	struct shoal_transport *t[2]; /* NULL: not yet, or no more */
	bool ended[2];
	struct sim_bin in[2], out[2]; /* from that side, and not looked at yet; to that side */
	bool greeted;		      /* by the target */
	uint64_t cookie;
};

static void relayed_free(struct sim_relayed *r)
{
	for (int side = VICTIM; side <= TARGET; side++) {
		if (r->t[side] != NULL)
			r->t[side]->ops->close(r->t[side]);
		free(r->in[side].at);
		free(r->out[side].at);
	}
	*r->at = r->next;
	if (r->next != NULL)
		r->next->at = r->at;
	free(r);
}

/* What the target says, message by message. */
static void spoil_some(struct sim_relayed *r)
{
	struct sim_bin *in = &r->in[TARGET];
	while (sim_bin_len(in) > 0) {
		struct shoal_wire_msg msg = { .id = SHOAL_WIRE_KEEPALIVE };
		ptrdiff_t n = SHOAL_WIRE_HANDSHAKE_LEN;
		if (r->greeted)
			n = shoal_wire_decode(shoal_bytes(sim_bin_front(in), sim_bin_len(in)), MESSAGE_MAX, &msg);
		if (n == 0 || (size_t)n > sim_bin_len(in))
			return;
		if (n < 0) /* no message: as it is */
			n = (ptrdiff_t)sim_bin_len(in);
		r->greeted = true;
		r->a->deeds.blocks += msg.id == SHOAL_WIRE_PIECE;
		if (msg.id == SHOAL_WIRE_PIECE && sim_mind_chance(r->a, r->a->spec.rate))
			sim_mind_spoil(r->a, &msg, (struct shoal_space){ sim_bin_front(in), (size_t)n });
		sim_bin_put(&r->out[VICTIM], sim_bin_front(in), (size_t)n);
		sim_bin_skip(in, (size_t)n);
	}
}

static void take(struct sim_relayed *r, enum side side)
{
	while (r->t[side] != NULL && !r->ended[side] && sim_bin_len(&r->out[!side]) < ENOUGH) {
		struct shoal_space v = { sim_bin_room(&r->in[side], READ), READ };
		ptrdiff_t n = r->t[side]->ops->recv(r->t[side], &v, 1);
		if (n == 0)
			return;
		r->ended[side] = n < 0;
		r->in[side].end += n > 0 ? (size_t)n : 0;
		if (side == TARGET) {
			spoil_some(r);
		} else {
			sim_bin_put(&r->out[TARGET], sim_bin_front(&r->in[VICTIM]), sim_bin_len(&r->in[VICTIM]));
			sim_bin_skip(&r->in[VICTIM], sim_bin_len(&r->in[VICTIM]));
		}
	}
}

static void give(struct sim_relayed *r, enum side side)
{
	struct sim_bin *out = &r->out[side];
	while (r->t[side] != NULL && sim_bin_len(out) > 0) {
		struct shoal_bytes v = { sim_bin_front(out), sim_bin_len(out) };
		ptrdiff_t n = r->t[side]->ops->send(r->t[side], &v, 1, false);
		if (n <= 0)
			break;
		sim_bin_skip(out, (size_t)n);
	}
}

/* Both ways, as far as it goes; where one side has ended, and all it said is told, the other does. */
static void pass_on(struct sim_relayed *r)
{
	for (int side = VICTIM; side <= TARGET; side++) {
		take(r, side);
		give(r, !side);
	}
	for (int side = VICTIM; side <= TARGET; side++) {
		bool writes = sim_bin_len(&r->out[side]) > 0;
		if (r->ended[side] && sim_bin_len(&r->out[!side]) == 0)
			return relayed_free(r);
		if (r->t[side] != NULL)
			r->t[side]->ops->want(r->t[side], SHOAL_WANT_READ | (writes ? SHOAL_WANT_WRITE : 0u));
	}
}

/* ---- the machine ------------------------------------------------------------------------------------ */

static void relay_accept(void *g, struct sim_node *n, struct shoal_transport *t, const struct shoal_addr *from)
{
	struct sim_adversary *a = g;
	struct sim_relayed *r = calloc(1, sizeof *r);
	(void)from;
	if (r == NULL)
		abort();
	r->a = a;
	r->t[VICTIM] = t;
	r->cookie = ++a->met;
	r->next = a->relayed;
	r->at = &a->relayed;
	if (r->next != NULL)
		r->next->at = &r->next;
	a->relayed = r;
	t->node_peer = r;
	if (a->spec.target >= sim_nodes(n->sim) ||
	    sim_guest_dial(n, &sim_node(n->sim, (unsigned)a->spec.target)->addr, r->cookie) < 0)
		relayed_free(r);
}

static void relay_dialed(void *g, struct sim_node *n, uint64_t cookie, struct shoal_transport *t, int err)
{
	struct sim_adversary *a = g;
	struct sim_relayed *r = a->relayed;
	(void)n;
	(void)err;
	while (r != NULL && r->cookie != cookie)
		r = r->next;
	if (r != NULL && t != NULL) {
		r->t[TARGET] = t;
		t->node_peer = r;
		return pass_on(r);
	}
	if (r != NULL)
		relayed_free(r);
	if (t != NULL)
		t->ops->close(t);
}

static void relay_ready(void *g, struct sim_node *n, struct shoal_transport *t, unsigned what)
{
	(void)g;
	(void)n;
	(void)what;
	pass_on(t->node_peer);
}

static void relay_stop(void *g, struct sim_node *n)
{
	struct sim_adversary *a = g;
	(void)n;
	while (a->relayed != NULL)
		relayed_free(a->relayed);
}

static void relay_tick(void *g, struct sim_node *n)
{
	(void)g;
	(void)n;
}

const struct sim_guest_ops sim_relay_guest = {
	.stop = relay_stop, .accept = relay_accept, .dialed = relay_dialed, .ready = relay_ready, .tick = relay_tick
};
