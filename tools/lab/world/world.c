/* world.c - the loop that drives every node, and what each is given of the world; see world.h. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/peer_wire.h"
#include "tools/lab/world/digest.h"
#include "tools/lab/world/room.h"

#define PHASE 619u /* from one machine's loop to the next one's, modulo a turn: all of them, spread over it */

/* Something of the world's calendar. */
struct sim_event {
	struct sim_alarm alarm;
	struct sim_event *next, **at;
	struct sim *sim;
	void (*what)(struct sim *sim, void *arg);
	void *arg;
};

void *sim_must(void *at)
{
	if (at == NULL)
		abort();
	return at;
}

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

void sim_touch(struct sim_node *n)
{
	if (n->touched)
		return;
	n->touched = true;
	n->next_touched = NULL;
	*n->sim->touched_tail = n;
	n->sim->touched_tail = &n->next_touched;
}

/* ---- the rest of what a node asks -------------------------------------------------------------- */

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

static const struct shoal_world_ops world_ops = {
	.secret = world_secret,
	.dial = world_dial,
	.wake_at = world_wake_at,
	.unix_s = world_unix_s,
	.fetch = world_fetch,
	.fetch_stop = world_fetch_stop,
	.resolve = world_resolve,
	.datagram = world_datagram,
};

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

/* ---- events ------------------------------------------------------------------------------------ */

static void note_ban(struct sim_node *n, const struct shoal_event *ev)
{
	const struct sim_node *other = sim_node_at(n->sim, &ev->addr);
	if (other == NULL)
		return;
	if (!other->o.liar && !n->sim->o.figures)
		sim_breach(n->sim, n, "banned node %u, which is honest: %.*s", other->index, (int)ev->text.len,
			   (const char *)ev->text.at);
	if (n->bans < sizeof n->banned / sizeof *n->banned)
		n->banned[n->bans] = other->index;
	n->bans++;
	if (other->adversary != NULL)
		sim_adversary_banned(other->adversary);
}

static void note_text(struct sim_node *n, const struct shoal_event *ev)
{
	snprintf(n->text, sizeof n->text, "%.*s", (int)ev->text.len, ev->text.len ? (const char *)ev->text.at : "");
	n->err = ev->err;
}

static void on_event(struct sim_node *n, const struct shoal_event *ev)
{
	switch (ev->kind) {
	case SHOAL_EV_ADDED:
		n->added = ev->err == 0;
		n->torrent = ev->torrent;
		note_text(n, ev);
		break;
	case SHOAL_EV_CHECKED:
		n->checked = true;
		n->checked_bytes = ev->done;
		break;
	case SHOAL_EV_COMPLETE:
		n->complete = true;
		n->completed_at = n->sim->clock.now;
		n->stats = ev->stats;
		break;
	case SHOAL_EV_STATS: n->stats = ev->stats; break;
	case SHOAL_EV_PIECES:
		if (n->have.count != ev->copies_count) {
			shoal_bits_fini(&n->have);
			if (shoal_bits_init(&n->have, (uint32_t)ev->copies_count) < 0)
				abort();
		}
		if (shoal_bits_load(&n->have, ev->data, false) < 0)
			sim_breach(n->sim, n, "PIECES with %zu bytes", ev->data.len);
		break;
	case SHOAL_EV_ERROR:
		n->failed = true;
		note_text(n, ev);
		break;
	case SHOAL_EV_PEER_BANNED: note_ban(n, ev); break;
	case SHOAL_EV_PEER_PAROLE: n->paroles++; break;
	case SHOAL_EV_PAUSED:
		n->paused++;
		note_text(n, ev);
		break;
	case SHOAL_EV_RESUMED: n->resumed++; break;
	case SHOAL_EV_WARNING: n->warnings++; break;
	case SHOAL_EV_METADATA: n->metadata++; break;
	case SHOAL_EV_PEER_JOINED: n->joined++; break;
	case SHOAL_EV_PEER_LEFT: n->left++; break;
	case SHOAL_EV_HASH_FAILED: n->hash_failures++; break;
	case SHOAL_EV_STOPPED: n->stopped = true; break;
	default: break;
	}
	if (n->sim->o.on_event != NULL)
		n->sim->o.on_event(n->sim->o.to, n, ev);
}

static void drain(struct sim_node *n)
{
	struct shoal_event ev;
	while (n->node != NULL && shoal_node_poll(n->node, &ev) > 0)
		on_event(n, &ev);
}

void sim_node_record(struct sim_node *n)
{
	if (n->node == NULL)
		return;
	shoal_node_record(n->node, n->sim->clock.now);
	drain(n);
}

/* ---- nodes ---------------------------------------------------------------------------------------- */

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
		.world = { &world_ops, n },
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
	drain(n);
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

void sim_node_ask_stats(struct sim_node *n)
{
	struct shoal_op op = { .kind = SHOAL_OP_STATS, .torrent = n->torrent };
	if (sim_node_do(n, &op) < 0)
		sim_breach(n->sim, n, "has no stats");
	drain(n);
	sim_check_stats(n);
}

void sim_node_ask_pieces(struct sim_node *n)
{
	struct shoal_op op = { .kind = SHOAL_OP_PIECES, .torrent = n->torrent };
	if (sim_node_do(n, &op) < 0)
		sim_breach(n->sim, n, "has no pieces");
	drain(n);
}

/* The node's memory goes; what it was charged must have come back. */
static void node_end(struct sim_node *n)
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
	node_end(n);
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
	node_end(n);
	return true;
}

/* ---- the loop ----------------------------------------------------------------------------------------- */

static void on_calendar(struct sim_alarm *alarm)
{
	struct sim_event *e = SIM_OF(alarm, struct sim_event, alarm);
	struct sim *sim = e->sim;
	void (*what)(struct sim * sim, void *arg) = e->what;
	void *arg = e->arg;
	*e->at = e->next;
	if (e->next != NULL)
		e->next->at = e->at;
	free(e);
	what(sim, arg);
}

void sim_at(struct sim *sim, shoal_us at, void (*what)(struct sim *sim, void *arg), void *arg)
{
	struct sim_event *e = sim_must(calloc(1, sizeof *e));
	*e = (struct sim_event){ .alarm = { .ring = on_calendar },
				 .sim = sim,
				 .what = what,
				 .arg = arg,
				 .next = sim->events,
				 .at = &sim->events };
	if (e->next != NULL)
		e->next->at = &e->next;
	sim->events = e;
	sim_alarm_set(&sim->clock, &e->alarm, at);
}

void sim_guest_wake(struct sim_node *n, shoal_us at)
{
	world_wake_at(n, at);
}

bool sim_step(struct sim *sim, shoal_us until)
{
	/* Whom an operation touched between steps acts before time goes on. */
	bool any = sim->touched != NULL || sim_clock_step(&sim->clock, until);
	while (sim->touched != NULL) {
		struct sim_node *n = sim->touched;
		sim->touched = n->next_touched;
		if (sim->touched == NULL)
			sim->touched_tail = &sim->touched;
		n->touched = false;
		if (n->guest_up)
			n->o.guest->tick(n->o.g, n);
		if (n->node == NULL)
			continue;
		shoal_node_reap(n->node, sim->clock.now);
		shoal_node_tick(n->node, sim->clock.now);
		drain(n);
		if (n->node != NULL)
			sim_check_node(n);
		if (n->node != NULL && n->leaving && n->stopped)
			node_end(n);
	}
	if (sim->idle_at <= sim->clock.now) {
		sim->idle_at = sim->clock.now + SIM_CHECK_EVERY;
		sim_check_idle(sim);
	}
	return any;
}

bool sim_run(struct sim *sim, bool (*pred)(struct sim *sim, void *arg), void *arg, shoal_us patience)
{
	shoal_us end = sim->clock.now + patience;
	while (!pred(sim, arg)) {
		if (sim->wrong[0] != 0 || sim->clock.now >= end)
			return false;
		sim_step(sim, end);
	}
	return sim->wrong[0] == 0;
}

static bool never(struct sim *sim, void *arg)
{
	(void)sim;
	(void)arg;
	return false;
}

void sim_run_for(struct sim *sim, shoal_us time)
{
	(void)sim_run(sim, never, NULL, time);
}

bool sim_all_complete(struct sim *sim, void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < sim->nodes; i++) {
		const struct sim_node *n = sim->node[i];
		if (n->node != NULL && !n->complete && !n->o.liar)
			return false;
	}
	return true;
}

/* ---- a world -------------------------------------------------------------------------------------------- */

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
	for (struct sim_event *e; (e = sim->events) != NULL;) {
		sim->events = e->next;
		sim_alarm_drop(&sim->clock, &e->alarm);
		free(e);
	}
	for (unsigned i = 0; i < sim->nodes; i++)
		sim_net_forget(sim->node[i]);
	sim_net_fini(sim);
	for (unsigned i = 0; i < sim->nodes; i++) {
		struct sim_node *n = sim->node[i];
		sim_adversary_free(n->adversary);
		sim_alarm_drop(&sim->clock, &n->line.room);
		sim_alarm_drop(&sim->clock, &n->round);
		sim_disk_free(n->disk);
		sim_store_free(n->store);
		sim_account_fini(&sim->node[i]->account);
		sim_witness_fini(&n->witness);
		shoal_bits_fini(&n->have);
		free(n->friend);
		free(n);
	}
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
