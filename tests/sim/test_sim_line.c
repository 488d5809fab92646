/* test_sim_line.c - the network model, measured by guests that only send or only read: shares, headers, windows, loss. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/scene.h"

/* One machine: sends as much as is taken to whom it dialled, and counts what comes. */
struct pump {
	struct shoal_transport *t[8];
	unsigned open;
	uint64_t got, sent;
	bool sends;
};

static const uint8_t noise[16 * 1024]; /* no BitTorrent: the first byte says so */

static void push(struct pump *p, struct shoal_transport *t)
{
	struct shoal_bytes v = { noise, sizeof noise };
	for (ptrdiff_t n; (n = t->ops->send(t, &v, 1, false)) > 0;)
		p->sent += (uint64_t)n;
}

static void hold(struct pump *p, struct shoal_transport *t)
{
	p->t[p->open++] = t;
	t->ops->want(t, SHOAL_WANT_READ | (p->sends ? SHOAL_WANT_WRITE : 0u));
}

static void pump_accept(void *g, struct sim_node *n, struct shoal_transport *t, const struct shoal_addr *from)
{
	(void)n;
	(void)from;
	hold(g, t);
}

static void pump_dialed(void *g, struct sim_node *n, uint64_t cookie, struct shoal_transport *t, int err)
{
	(void)n;
	(void)cookie;
	assert_int_equal(err, 0);
	hold(g, t);
	push(g, t);
}

static void pump_ready(void *g, struct sim_node *n, struct shoal_transport *t, unsigned what)
{
	static uint8_t room[256 * 1024];
	struct pump *p = g;
	struct shoal_space v = { room, sizeof room };
	(void)n;
	if (what & SHOAL_WANT_READ)
		for (ptrdiff_t k; (k = t->ops->recv(t, &v, 1)) > 0;)
			p->got += (uint64_t)k;
	if (what & SHOAL_WANT_WRITE)
		push(p, t);
}

static void pump_tick(void *g, struct sim_node *n)
{
	(void)g;
	(void)n;
}

static void pump_stop(void *g, struct sim_node *n)
{
	struct pump *p = g;
	(void)n;
	while (p->open > 0) {
		struct shoal_transport *t = p->t[--p->open];
		t->ops->close(t);
	}
}

static const struct sim_guest_ops pump_ops = {
	.accept = pump_accept, .dialed = pump_dialed, .ready = pump_ready, .tick = pump_tick, .stop = pump_stop
};

struct bench {
	struct sim_content c;
	struct sim *sim;
	struct pump pump[4];
};

static void bench_open(struct bench *b, const struct sim_tcp *tcp)
{
	memset(b, 0, sizeof *b);
	scene_content(&b->c, SHOAL_FORMAT_V1, 16 * KIB, 256 * KIB, 3);
	b->sim = sim_new(&(struct sim_options){ .seed = 3, .content = &b->c, .turn = 100, .tcp = tcp });
}

static struct sim_node *machine(struct bench *b, struct sim_node_options o, bool sends)
{
	struct pump *p = &b->pump[sim_nodes(b->sim)];
	p->sends = sends;
	o.guest = &pump_ops;
	o.g = p;
	struct sim_node *n = sim_node_new(b->sim, &o);
	sim_node_start(n);
	return n;
}

static void bench_close(struct bench *b)
{
	assert_string_equal(sim_wrong(b->sim), "");
	sim_free(b->sim);
	sim_content_fini(&b->c);
}

static void assert_near(uint64_t got, double want, double within)
{
	if ((double)got < want * (1 - within) || (double)got > want * (1 + within))
		fail_msg("%llu, not %.0f", (unsigned long long)got, want);
}

/* 20 Mbit/s up: streams of whatever distance and age have about the same of it, the near ones somewhat more, as TCP has
 * it; and headers have their share. */
static void streams_share_a_line(void **state)
{
	struct bench b;
	(void)state;
	bench_open(&b, &sim_tcp_common);
	struct sim_node *from = machine(&b, (struct sim_node_options){ .up = 2500000, .queue = SHOAL_MS(100) }, true);
	struct sim_node *near = machine(&b, (struct sim_node_options){ .delay = SHOAL_MS(5) }, false);
	struct sim_node *far = machine(&b, (struct sim_node_options){ .delay = SHOAL_MS(30) }, false);
	struct sim_node *late = machine(&b, (struct sim_node_options){ .delay = SHOAL_MS(10) }, false);
	assert_int_equal(sim_guest_dial(from, &near->addr, 1) | sim_guest_dial(from, &far->addr, 2), 0);
	sim_run_for(b.sim, SHOAL_S(10));
	print_message("near %llu, far %llu\n", (unsigned long long)b.pump[1].got, (unsigned long long)b.pump[2].got);
	assert_near(b.pump[1].got + b.pump[2].got, 25e6 * 1448 / 1500, 0.03);
	assert_near(b.pump[1].got, 12.5e6 * 1448 / 1500, 0.25);
	assert_int_equal(sim_guest_dial(from, &late->addr, 3), 0);
	sim_run_for(b.sim, SHOAL_S(2));
	uint64_t before[4];
	for (int i = 1; i < 4; i++)
		before[i] = b.pump[i].got;
	sim_run_for(b.sim, SHOAL_S(10));
	for (int i = 1; i < 4; i++)
		assert_near(b.pump[i].got - before[i], 25e6 / 3 * 1448 / 1500, 0.3);
	bench_close(&b);
}

/* Without limits a stream has a window a round trip; with sim_tcp it takes a few round trips to open it. */
static void a_window_bounds_a_stream(void **state)
{
	(void)state;
	for (int tcp = 0; tcp < 2; tcp++) {
		struct bench b;
		bench_open(&b, tcp ? &sim_tcp_common : NULL);
		struct sim_node *from = machine(&b, (struct sim_node_options){ .delay = SHOAL_MS(25) }, true);
		struct sim_node *to = machine(&b, (struct sim_node_options){ .delay = SHOAL_MS(25) }, false);
		assert_int_equal(sim_guest_dial(from, &to->addr, 1), 0);
		sim_run_for(b.sim, SHOAL_MS(320)); /* the dial, and two round trips */
		uint64_t early = b.pump[1].got;
		sim_run_for(b.sim, SHOAL_S(3));
		uint64_t before = b.pump[1].got;
		sim_run_for(b.sim, SHOAL_S(5));
		print_message("%llu early, %llu a second\n", (unsigned long long)early,
			      (unsigned long long)(b.pump[1].got - before) / 5);
		assert_near((b.pump[1].got - before) / 5, 256 * 1024 / 0.1, 0.05);
		assert_true(tcp ? early < 100 * 1024 : early >= 2 * 256 * 1024);
		bench_close(&b);
	}
}

/* A percent of packets lost costs a long stream most of its rate, and none of its bytes. */
static void loss_slows_a_stream_and_loses_nothing(void **state)
{
	uint64_t got[2];
	(void)state;
	for (int lossy = 0; lossy < 2; lossy++) {
		struct bench b;
		bench_open(&b, &sim_tcp_common);
		struct sim_node *from = machine(&b,
						(struct sim_node_options){ .up = 2500000,
									   .delay = SHOAL_MS(25),
									   .queue = SHOAL_MS(100),
									   .loss_ppm = lossy ? 10000 : 0 },
						true);
		struct sim_node *to = machine(&b, (struct sim_node_options){ .delay = SHOAL_MS(25) }, false);
		assert_int_equal(sim_guest_dial(from, &to->addr, 1), 0);
		sim_run_for(b.sim, SHOAL_S(20));
		got[lossy] = b.pump[1].got;
		b.pump[0].sends = false;
		b.pump[0].t[0]->ops->want(b.pump[0].t[0], SHOAL_WANT_READ);
		sim_run_for(b.sim, SHOAL_S(20));
		assert_int_equal(b.pump[1].got, b.pump[0].sent);
		bench_close(&b);
	}
	print_message("%llu without loss, %llu with\n", (unsigned long long)got[0], (unsigned long long)got[1]);
	assert_true(got[1] < got[0] / 2 && got[1] > got[0] / 50);
}

/* ---- rounds ---------------------------------------------------------------------------------- */

#define TURN 1000

struct beat {
	struct sim *sim;
	uint64_t in_time, odd; /* blocks handed out in the sender's round, and at other moments */
};

static void note_block(void *to, struct sim_node *from, struct sim_node *dest, uint32_t piece, uint32_t begin,
		       uint32_t len, bool good)
{
	struct beat *beat = to;
	(void)dest;
	(void)piece;
	(void)begin;
	(void)len;
	assert_true(good);
	bool in_time = (sim_now(beat->sim) - from->line.phase) % TURN == 0;
	beat->in_time += in_time;
	beat->odd += !in_time;
}

/* A seed and nine leeches, 20 Mbit/s up. Returns when the last has all, and what went over the wires. */
static shoal_us swarm_in(bool rounds, struct beat *beat, uint64_t *trace)
{
	struct sim_content c;
	scene_content(&c, SHOAL_FORMAT_V1, 128 * KIB, 8 * MIB, 3);
	*beat = (struct beat){ 0 };
	beat->sim = sim_new(&(struct sim_options){ .seed = 3,
						   .content = &c,
						   .turn = TURN,
						   .brief = true,
						   .rounds = rounds,
						   .tcp = &sim_tcp_common,
						   .on_block = note_block,
						   .to = beat });
	for (unsigned i = 0; i < 10; i++) {
		struct sim_node *n = sim_node_new(beat->sim, &(struct sim_node_options){ .up = 2500000,
											 .down = 25000000,
											 .delay = SHOAL_MS(10 + i),
											 .queue = SHOAL_MS(100) });
		if (i == 0)
			sim_disk_fill(n->disk, SIM_FOLDER, c.mi);
		for (unsigned k = 0; k < i; k++)
			sim_node_meet(n, sim_node(beat->sim, k));
		sim_node_start(n);
	}
	scene_complete(beat->sim, SHOAL_S(120));
	shoal_us took = sim_now(beat->sim) - SIM_START;
	*trace = sim_trace(beat->sim);
	sim_free(beat->sim);
	sim_content_fini(&c);
	return took;
}

/* Where machines act in rounds they do so (a connection that is made is the one thing that does not wait), the same way each
 * time, and the swarm is hardly slower for it. */
static void rounds_are_kept_and_change_little(void **state)
{
	struct beat in, out, again;
	uint64_t trace[3];
	(void)state;
	shoal_us with = swarm_in(true, &in, &trace[0]), without = swarm_in(false, &out, &trace[1]);
	print_message("%.2f s in rounds (%llu blocks, %llu at other moments), %.2f s without (%llu, %llu)\n",
		      (double)with / 1e6, (unsigned long long)in.in_time, (unsigned long long)in.odd,
		      (double)without / 1e6, (unsigned long long)out.in_time, (unsigned long long)out.odd);
	assert_true(in.odd * 100 <= in.in_time);
	assert_true(out.odd > in.odd);
	assert_near(with, (double)without, 0.10);
	assert_int_equal(swarm_in(true, &again, &trace[2]), with);
	assert_int_equal(trace[2], trace[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_share_a_line),
		cmocka_unit_test(a_window_bounds_a_stream),
		cmocka_unit_test(loss_slows_a_stream_and_loses_nothing),
		cmocka_unit_test(rounds_are_kept_and_change_little),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
