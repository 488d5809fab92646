/* node.c - a machine and its lives: made, started, crashed, stopped; see world.h. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tools/lab/world/room.h"

#define PHASE 619u /* from one machine's loop to the next one's, modulo a turn: all of them, spread over it */

static void on_wake(struct sim_alarm *alarm)
{
	sim_touch(SIM_OF(alarm, struct sim_node, wake));
}

static void on_round(struct sim_alarm *alarm)
{
	sim_touch(SIM_OF(alarm, struct sim_node, round));
}

static void on_disk_or_store(void *to)
{
	struct sim_node *n = to;
	shoal_us now = n->sim->clock.now, at = sim_line_round(&n->line, now, n->sim->streams.round);
	if (at == now)
		sim_touch(n);
	else
		sim_alarm_set(&n->sim->clock, &n->round, at);
}

static void on_block(struct sim_witness *w, uint32_t piece, uint32_t begin, uint32_t len, bool good)
{
	struct sim_node *n = w->to;
	n->sim->o.on_block(n->sim->o.to, n, w->dest, piece, begin, len, good);
}

struct sim_node *sim_node_new(struct sim *sim, const struct sim_node_options *options)
{
	struct sim_node *n = sim_must(calloc(1, sizeof *n));
	unsigned i = sim->nodes++;
	assert(sim->o.payload != SIM_PAYLOAD_HEADS || !options->hides); /* what is encrypted has no head */
	if (i == sim->node_room) {
		sim->node_room = i ? 2 * i : 64;
		sim->node = sim_must(realloc(sim->node, sim->node_room * sizeof(struct sim_node *)));
	}
	sim->node[i] = n;
	n->sim = sim;
	n->index = i;
	n->o = *options;
	sim->hides = sim->hides || n->o.hides;
	n->o.liar = n->o.liar || n->o.adversary.kind != SIM_HONEST;
	if (n->o.memory == 0)
		n->o.memory = 16u << 20;
	if (n->o.delay == 0)
		n->o.delay = SHOAL_MS(5);
	if (n->o.latency[1] == 0) {
		n->o.latency[0] = 100;
		n->o.latency[1] = 500;
	}
	n->addr = (struct shoal_addr){ .ip = { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)(1 + (i & 255)) },
				       .port = SIM_PORT,
				       .is_v4 = 1 };
	if (n->o.addr.port != 0)
		n->addr = n->o.addr;
	sim_key_init(&n->key, n);
	if (n->o.keyed) {
		n->o.identity = &n->key.identity;
		n->o.show_key = SHOAL_SHOW_KEY_ON;
	}
	sim_book_set(&sim->book, &n->addr, n);
	n->line = (struct sim_line){ .up = n->o.up,
				     .down = n->o.down,
				     .delay = n->o.delay,
				     .jitter = n->o.jitter,
				     .loss_ppm = n->o.loss_ppm,
				     .queue = n->o.queue };
	if (sim->o.brief)
		n->line.phase = (shoal_us)i * PHASE % sim->o.turn;
	n->rng = shoal_rng_split(sim->o.seed, 4 * (uint64_t)i);
	n->wake.ring = on_wake;
	n->round.ring = on_round;
	n->disk = sim_disk_new(&(struct sim_disk_options){ .clock = &sim->clock,
							   .rng = shoal_rng_split(sim->o.seed, 4 * (uint64_t)i + 1),
							   .content = sim->o.content,
							   .heads = sim->o.payload == SIM_PAYLOAD_HEADS,
							   .spans = sim->o.spans,
							   .latency = { n->o.latency[0], n->o.latency[1] },
							   .rate = n->o.disk_rate,
							   .wake = on_disk_or_store,
							   .to = n });
	n->store = sim_store_new(&(struct sim_store_options){ .clock = &sim->clock,
							      .rng = shoal_rng_split(sim->o.seed, 4 * (uint64_t)i + 2),
							      .latency = { n->o.latency[0], 4 * n->o.latency[1] },
							      .wake = on_disk_or_store,
							      .to = n });
	sim_witness_init(&n->witness, sim->o.content, n->disk, SIM_FOLDER, !n->o.liar && n->o.guest == NULL);
	n->witness.on_block = sim->o.on_block != NULL ? on_block : NULL;
	n->witness.to = n;
	n->witness.brief = sim->o.brief;
	if (n->o.adversary.kind != SIM_HONEST)
		n->adversary = sim_adversary_new(n);
	return n;
}

static void introduce(struct sim_node *n, struct sim_node *other)
{
	struct shoal_op op = { .kind = SHOAL_OP_PEER, .torrent = n->torrent, .addr = other->addr };
	op.flags = other->o.stranger ? SHOAL_PEER_FROM_LINK : 0;
	if (sim_node_do(n, &op) < 0 && !other->o.stranger) /* of one host it takes so many, unless its user says so */
		sim_breach(n->sim, n, "would not be told of node %u", other->index);
}

void sim_node_start(struct sim_node *n)
{
	struct sim *sim = n->sim;
	const struct sim_content *c = sim->o.content;
	assert(!sim_node_runs(n));
	n->life++;
	n->leaving = false;
	sim_witness_reborn(&n->witness);
	sim_account_reborn(n);
	n->line.dead = false;
	n->torrent = 0;
	n->added = n->checked = n->complete = n->stopped = n->failed = false;
	n->err = 0;
	n->paused = n->resumed = n->warnings = n->metadata = n->joined = n->left = 0;
	if (n->o.guest != NULL) {
		n->guest_up = true;
		if (n->o.guest->start != NULL)
			n->o.guest->start(n->o.g, n);
		return sim_touch(n);
	}
	n->budget = (struct shoal_budget){ .limit = n->o.memory };
	struct shoal_node_options o = {
		.world = { &sim_world_ops, n },
		.disk = sim_disk_view(n->disk),
		.budget = &n->budget,
		.rng = shoal_rng_split(shoal_rng_u64(&n->rng), n->life),
		.port = n->addr.port,
		.up = n->o.limit_up,
		.down = n->o.limit_down,
		.max_peers = n->o.max_peers,
		.upload_slots = n->o.upload_slots,
		.quiet = n->o.quiet,
		.carriers = n->o.carriers,
		.rules = n->o.rules,
		.encryption = n->o.hides ? n->o.encryption : SHOAL_ENCRYPTION_OFF,
		.show_key = n->o.show_key,
		.identity = n->o.identity,
		.without = n->o.without,
		.record = n->o.record,
		.agent = "sim",
		.bounce = sim->bounce,
	};
	if (!n->o.no_store)
		o.store = sim_store_view(n->store);
	/* A guise copies whole messages, whatever they carry. */
	bool heads = sim->o.payload == SIM_PAYLOAD_HEADS && n->adversary == NULL;
	if ((heads ? shoal_slots_new_heads(&n->slots, &n->budget, SIM_HEAD) : shoal_slots_new(&n->slots, &n->budget)) <
	    0)
		abort();
	o.slots = n->slots;
	if (shoal_node_new(&n->node, &o, sim->clock.now) < 0)
		abort();
	struct shoal_op add = { .kind = SHOAL_OP_ADD,
				.flags = n->o.flags,
				.folder = { (const uint8_t *)SIM_FOLDER, sizeof SIM_FOLDER - 1 } };
	char link[512];
	add.files = n->o.files;
	if (n->o.adopt_from != NULL)
		add.adopt_from = shoal_bytes(n->o.adopt_from, strlen(n->o.adopt_from));
	if (n->o.magnet)
		add.text = (struct shoal_bytes){ (const uint8_t *)link,
						 (size_t)snprintf(link, sizeof link, "%s%s%s", c->magnet,
								  n->o.so ? "&so=" : "", n->o.so ? n->o.so : "") };
	else
		add.data = (struct shoal_bytes){ c->torrent, c->torrent_len };
	if (sim_node_do(n, &add) < 0)
		abort();
	sim_node_drain(n);
	for (unsigned i = 0; n->added && i < n->friends; i++)
		introduce(n, n->friend[i]);
	if (n->added && n->adversary != NULL)
		sim_adversary_started(n->adversary);
}

void sim_node_move(struct sim_node *n, const struct shoal_addr *addr)
{
	assert(!sim_node_runs(n));
	sim_book_set(&n->sim->book, &n->addr, NULL);
	n->addr = *addr;
	sim_book_set(&n->sim->book, addr, n);
}

void sim_node_meet(struct sim_node *n, struct sim_node *other)
{
	if (n->friends == n->friend_room) {
		n->friend_room = n->friends ? 2 * n->friends : 8;
		n->friend = sim_must(realloc(n->friend, n->friend_room * sizeof(struct sim_node *)));
	}
	n->friend[n->friends++] = other;
	if (n->node != NULL && n->added)
		introduce(n, other);
}

int sim_node_do(struct sim_node *n, const struct shoal_op *op)
{
	sim_touch(n);
	return shoal_node_do(n->node, op, n->sim->clock.now);
}

void sim_node_end(struct sim_node *n)
{
	assert(shoal_node_idle(n->node));
	shoal_node_free(n->node);
	n->node = NULL;
	if (shoal_slots_out(n->slots) != 0)
		sim_breach(n->sim, n, "left with %zu slots out", shoal_slots_out(n->slots));
	else
		shoal_slots_free(n->slots);
	n->slots = NULL;
	if (n->budget.used != 0)
		sim_breach(n->sim, n, "left with %zu bytes charged", n->budget.used);
	sim_alarm_drop(&n->sim->clock, &n->wake);
	sim_alarm_drop(&n->sim->clock, &n->round);
}

void sim_node_crash(struct sim_node *n, enum sim_crash kind)
{
	n->line.dead = true; /* from here on nobody hears it */
	if (n->guest_up) {
		n->o.guest->stop(n->o.g, n);
		n->guest_up = false;
		sim_alarm_drop(&n->sim->clock, &n->wake);
		return;
	}
	sim_disk_crash(n->disk, kind);
	sim_store_crash(n->store);
	/* It must hear of its jobs' end before its memory can go; nothing it does now has any effect. */
	while (!shoal_node_idle(n->node))
		shoal_node_reap(n->node, n->sim->clock.now);
	sim_node_end(n);
	sim_disk_revive(n->disk);
	sim_store_revive(n->store);
}

static bool has_stopped(struct sim *sim, void *arg)
{
	const struct sim_node *n = arg;
	(void)sim;
	return n->stopped;
}

void sim_node_leave(struct sim_node *n)
{
	struct shoal_op op = { .kind = SHOAL_OP_STOP };
	if (n->node == NULL || sim_node_do(n, &op) < 0)
		return sim_node_crash(n, SIM_CRASH_KILL);
	n->leaving = true;
}

bool sim_node_stop(struct sim_node *n, shoal_us patience)
{
	struct shoal_op op = { .kind = SHOAL_OP_STOP };
	if (sim_node_do(n, &op) < 0 || !sim_run(n->sim, has_stopped, n, patience))
		return false;
	sim_node_end(n);
	return true;
}

void sim_node_free(struct sim_node *n)
{
	sim_adversary_free(n->adversary);
	sim_alarm_drop(&n->sim->clock, &n->line.room);
	sim_alarm_drop(&n->sim->clock, &n->round);
	sim_disk_free(n->disk);
	sim_store_free(n->store);
	sim_account_fini(&n->account);
	sim_witness_fini(&n->witness);
	shoal_bits_fini(&n->have);
	free(n->friend);
	free(n);
}
