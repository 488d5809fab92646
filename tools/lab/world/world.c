/* world.c - a world: made, asked and gone, and the first of its rules that was broken; see world.h. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/peer_wire.h"
#include "tools/lab/world/digest.h"
#include "tools/lab/world/room.h"

void sim_breach(struct sim *sim, const struct sim_node *n, const char *format, ...)
{
	char what[220];
	va_list args;
	if (sim->wrong[0] != 0)
		return;
	va_start(args, format);
	vsnprintf(what, sizeof what, format, args);
	va_end(args);
	snprintf(sim->wrong, sizeof sim->wrong, "seed %llu, %.6f s, node %d: %s", (unsigned long long)sim->o.seed,
		 (double)(sim->clock.now - SIM_START) / 1e6, n != NULL ? (int)n->index : -1, what);
}

struct sim *sim_new(const struct sim_options *options)
{
	struct sim *sim = sim_must(calloc(1, sizeof *sim));
	sim->o = *options;
	if (sim->o.turn == 0)
		sim->o.turn = 50;
	sim_clock_init(&sim->clock);
	sim->dice = shoal_rng_split(options->seed, UINT64_C(1) << 40);
	sim->ether = shoal_rng_split(options->seed, UINT64_C(1) << 41);
	sim->touched_tail = &sim->touched;
	sim->bounce = sim_must(malloc(SHOAL_PW_BOUNCE));
	sim_net_init(sim);
	sim->trace = SIM_DIGEST_START;
	return sim;
}

void sim_free(struct sim *sim)
{
	if (sim == NULL)
		return;
	bool was_wrong = sim->wrong[0] != 0;
	for (unsigned i = 0; i < sim->nodes; i++)
		if (sim_node_runs(sim->node[i]))
			sim_node_crash(sim->node[i], SIM_CRASH_KILL);
	if (!was_wrong && sim->wrong[0] != 0) { /* found too late for the test to ask */
		fprintf(stderr, "%s\n", sim->wrong);
		abort();
	}
	sim_calendar_clear(sim);
	for (unsigned i = 0; i < sim->nodes; i++)
		sim_net_forget(sim->node[i]);
	sim_net_fini(sim);
	for (unsigned i = 0; i < sim->nodes; i++)
		sim_node_free(sim->node[i]);
	free(sim->node);
	free(sim->bounce);
	sim_clock_fini(&sim->clock);
	free(sim);
}

struct sim_clock *sim_clock(struct sim *sim)
{
	return &sim->clock;
}

shoal_us sim_now(const struct sim *sim)
{
	return sim->clock.now;
}

struct shoal_rng *sim_dice(struct sim *sim)
{
	return &sim->dice;
}

unsigned sim_nodes(const struct sim *sim)
{
	return sim->nodes;
}

struct sim_node *sim_node(struct sim *sim, unsigned index)
{
	assert(index < sim->nodes);
	return sim->node[index];
}

struct sim_node *sim_node_at(const struct sim *sim, const struct shoal_addr *addr)
{
	struct sim_node *n = sim_book_find(&sim->book, addr);
	if (n == NULL)
		n = sim_net_dialled_from(sim, addr);
	for (unsigned i = 0; n == NULL && i < sim->nodes; i++)
		if (memcmp(sim->node[i]->addr.ip, addr->ip, sizeof addr->ip) == 0)
			n = sim->node[i];
	return n;
}

const char *sim_wrong(const struct sim *sim)
{
	return sim->wrong;
}

uint64_t sim_trace(const struct sim *sim)
{
	return sim->trace;
}

uint64_t sim_wire_bytes(const struct sim *sim)
{
	return sim->wire_bytes;
}

shoal_us sim_idle(const struct sim *sim)
{
	return sim->idle_most;
}

uint64_t sim_connections(const struct sim *sim)
{
	return sim->pipes;
}

uint64_t sim_state(const struct sim *sim)
{
	uint64_t sum = SIM_DIGEST_START;
	for (unsigned i = 0; i < sim->nodes; i++) {
		sum = sim_digest_u64(sum, sim_disk_digest(sim->node[i]->disk));
		sum = sim_digest_u64(sum, sim_store_digest(sim->node[i]->store));
	}
	return sum;
}
