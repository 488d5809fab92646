/* node_world.c - what a node is given of the world (swarm/core/world.h); see room.h. */
#include "tools/lab/world/room.h"

static int world_dial(void *w, const struct shoal_addr *to, uint64_t cookie)
{
	return sim_net_dial(w, to, cookie);
}

static int world_datagram(void *w, const struct shoal_addr *to, struct shoal_bytes data)
{
	return sim_net_datagram(w, to, data);
}

static int world_resolve(void *w, const char *host, uint64_t cookie)
{
	return sim_net_resolve(w, host, cookie);
}

static void world_secret(void *w, struct shoal_space out)
{
	struct sim_node *n = w;
	for (size_t i = 0; i < out.len; i++)
		out.at[i] = (uint8_t)shoal_rng_next(&n->rng);
}

static void world_wake_at(void *w, shoal_us at)
{
	struct sim_node *n = w;
	if (at == SHOAL_NEVER || n->line.dead)
		sim_alarm_drop(&n->sim->clock, &n->wake);
	else
		sim_alarm_set(&n->sim->clock, &n->wake, sim_line_round(&n->line, at, n->sim->streams.round));
}

static int64_t world_unix_s(void *w)
{
	const struct sim_node *n = w;
	return 1700000000 + (int64_t)(n->sim->clock.now / 1000000);
}

static int world_fetch(void *w, const struct shoal_fetch *f, uint64_t cookie)
{
	struct sim_node *n = w;
	if (n->sim->o.fetch == NULL || n->line.dead)
		return SHOAL_ERR_NET;
	return n->sim->o.fetch(n->sim->o.web, n, f, cookie);
}

static void world_fetch_stop(void *w, uint64_t cookie)
{
	struct sim_node *n = w;
	n->sim->o.fetch_stop(n->sim->o.web, n, cookie);
}

const struct shoal_world_ops sim_world_ops = {
	.secret = world_secret,
	.dial = world_dial,
	.wake_at = world_wake_at,
	.unix_s = world_unix_s,
	.fetch = world_fetch,
	.fetch_stop = world_fetch_stop,
	.resolve = world_resolve,
	.datagram = world_datagram,
};

void sim_guest_wake(struct sim_node *n, shoal_us at)
{
	world_wake_at(n, at);
}
