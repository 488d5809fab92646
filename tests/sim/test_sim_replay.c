/* test_sim_replay.c - a seed is a run: the same bytes at the same times, twice, and over a real socketpair; extensions. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/sim/ext_echo.h"
#include "tests/sim/scene.h"

struct outcome {
	uint64_t trace, state, bytes, rung;
	shoal_us end;
};

static const struct outcome nothing;

/* A world with a little of everything: cuts, a crash, a liar, a magnet. */
static struct outcome run(uint64_t seed, struct sim_carrier carrier, unsigned leeches)
{
	struct sim_content c;
	struct outcome out = nothing;
	scene_content(&c, seed % 2 ? SHOAL_FORMAT_HYBRID : SHOAL_FORMAT_V2, 64 * KIB, 2 * MIB, seed);
	struct sim *sim = sim_new(&(struct sim_options){
		.seed = seed, .content = &c, .cut_ppm = 100000, .carrier = carrier, .window = 64 * KIB });
	scene_seed(sim, (struct sim_node_options){ .up = MIB });
	if (leeches > 1) {
		struct sim_node *liar = scene_seed(sim, (struct sim_node_options){ .up = MIB, .liar = true });
		sim_disk_poison(liar->disk, 100000);
	}
	scene_leeches(sim, (struct sim_node_options){ .up = MIB, .magnet = true }, 1, 1, 0);
	if (leeches > 1)
		scene_leeches(sim, (struct sim_node_options){ .up = MIB, .memory = 2 * MIB }, leeches - 1, 2, 2);
	for (unsigned i = 2; i < sim_nodes(sim); i++)
		sim_node_meet(sim_node(sim, i), sim_node(sim, 1));
	scene_start_all(sim);
	sim_run_for(sim, SHOAL_MS(1500));
	if (leeches > 1) {
		struct sim_node *n = sim_node(sim, 3);
		sim_node_crash(n, SIM_CRASH_POWER);
		sim_run_for(sim, SHOAL_MS(200));
		sim_node_start(n);
	}
	scene_complete(sim, SHOAL_S(120));
	out = (struct outcome){ .trace = sim_trace(sim),
				.state = sim_state(sim),
				.bytes = sim_wire_bytes(sim),
				.rung = sim_clock(sim)->rung,
				.end = sim_now(sim) };
	sim_free(sim);
	sim_content_fini(&c);
	return out;
}

static void assert_same(const struct outcome *a, const struct outcome *b)
{
	print_message("%016llx %016llx, %llu bytes, %llu alarms, %.6f s\n", (unsigned long long)a->trace,
		      (unsigned long long)a->state, (unsigned long long)a->bytes, (unsigned long long)a->rung,
		      (double)(a->end - SIM_START) / 1e6);
	assert_int_equal(a->trace, b->trace);
	assert_int_equal(a->state, b->state);
	assert_int_equal(a->bytes, b->bytes);
	assert_int_equal(a->rung, b->rung);
	assert_int_equal(a->end, b->end);
}

static void the_same_seed_is_the_same_run(void **state)
{
	struct sim_carrier memory = { NULL, NULL };
	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct outcome a = run(seed, memory, 6);
		/* Memory laid out otherwise, so that an order that hangs on addresses would show. */
		void *hole[64];
		for (size_t i = 0; i < 64; i++)
			hole[i] = malloc(100 + 777 * i);
		for (size_t i = 0; i < 64; i += 2)
			free(hole[i]);
		struct outcome b = run(seed, memory, 6);
		for (size_t i = 1; i < 64; i += 2)
			free(hole[i]);
		assert_same(&a, &b);
		struct outcome other = run(seed + 100, memory, 6);
		assert_int_not_equal(a.trace, other.trace);
	}
}

/* ---- a carrier over real sockets -------------------------------------------------------------- */

struct wire {
	int fd[2];
};

static void *wire_open(void *c)
{
	struct wire *w = malloc(sizeof *w);
	int room = 1 << 20; /* more than the window, so that a put never waits */
	assert_non_null(w);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, w->fd), 0);
	assert_int_equal(setsockopt(w->fd[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
	assert_int_equal(setsockopt(w->fd[1], SOL_SOCKET, SO_RCVBUF, &room, sizeof room), 0);
	++*(unsigned *)c;
	return w;
}

static void wire_put(void *stream, struct shoal_bytes bytes)
{
	const struct wire *w = stream;
	while (bytes.len > 0) {
		ssize_t n = send(w->fd[0], bytes.at, bytes.len, MSG_NOSIGNAL);
		if (n <= 0)
			fail_msg("send: %s", strerror(errno));
		bytes = (struct shoal_bytes){ bytes.at + n, bytes.len - (size_t)n };
	}
}

static void wire_take(void *stream, struct shoal_space to)
{
	const struct wire *w = stream;
	while (to.len > 0) {
		ssize_t n = recv(w->fd[1], to.at, to.len, 0);
		if (n <= 0)
			fail_msg("recv: %s", n < 0 ? strerror(errno) : "end of stream");
		to = (struct shoal_space){ to.at + n, to.len - (size_t)n };
	}
}

static void wire_close(void *stream)
{
	struct wire *w = stream;
	close(w->fd[0]);
	close(w->fd[1]);
	free(w);
}

static const struct sim_carrier_ops wire_ops = {
	.open = wire_open,
	.put = wire_put,
	.take = wire_take,
	.close = wire_close,
};

/* What the kernel hands on is what memory hands on: the same trace, byte for byte and moment for moment. */
static void a_real_pipe_gives_the_same_trace(void **state)
{
	struct sim_carrier memory = { NULL, NULL };
	(void)state;
	for (uint64_t seed = 11; seed <= 14; seed++) {
		unsigned wires = 0;
		unsigned leeches = seed <= 12 ? 1 : 4;
		struct outcome a = run(seed, memory, leeches);
		struct outcome b = run(seed, (struct sim_carrier){ &wire_ops, &wires }, leeches);
		assert_same(&a, &b);
		assert_true(wires >= 2 * leeches);
	}
}

/* ---- extensions ---------------------------------------------------------------------------------- */

#define ECHOES 5
struct room {
	struct ext_echo echo[ECHOES];
};

static int node_do_op(void *engine, const struct shoal_op *op)
{
	return sim_node_do(engine, op);
}

static void room_event(void *to, struct sim_node *n, const struct shoal_event *ev)
{
	struct room *room = to;
	if (room->echo[n->index].do_op != NULL)
		ext_echo_event(&room->echo[n->index], ev);
}

static void extension_messages_reach_their_module(void **state)
{
	struct sim_content c;
	struct room *room = calloc(1, sizeof *room);
	(void)state;
	assert_non_null(room);
	scene_content(&c, SHOAL_FORMAT_V2, 64 * KIB, MIB, 20);
	struct sim *sim = sim_new(&(struct sim_options){
		.seed = 20, .content = &c, .cut_ppm = 100000, .on_event = room_event, .to = room });
	scene_seed(sim, (struct sim_node_options){ .up = MIB });
	scene_leeches(sim, (struct sim_node_options){ .up = MIB }, ECHOES - 1, 1, 0);
	scene_start_all(sim);
	/* Each under a number of its own (BEP 10: the numbers are the receiver's); the last one registers nothing. */
	for (unsigned i = 0; i + 1 < ECHOES; i++) {
		char text[EXT_ECHO_TEXT_MAX];
		int n = snprintf(text, sizeof text, "node %u calls", i);
		size_t len = i == 2 ? sizeof text : (size_t)n; /* one long text */
		if (i == 2)
			memset(text, 'x', sizeof text);
		assert_int_equal(ext_echo_init(&room->echo[i], (uint8_t)(40 + i), node_do_op, sim_node(sim, i),
					       (struct shoal_bytes){ (const uint8_t *)text, len }),
				 0);
	}
	struct shoal_op again = { .kind = SHOAL_OP_EXT_REGISTER,
				  .text = { (const uint8_t *)"sh_other", 8 },
				  .ext = 40 };
	assert_int_equal(sim_node_do(sim_node(sim, 0), &again), SHOAL_ERR_EXISTS);
	for (int i = 0; i < 100; i++) {
		sim_run_for(sim, SHOAL_MS(50));
		for (unsigned k = 0; k + 1 < ECHOES; k++)
			ext_echo_tick(&room->echo[k]);
	}
	for (unsigned i = 0; i + 1 < ECHOES; i++) {
		const struct ext_echo *e = &room->echo[i];
		print_message("node %u: %u peers, heard %u calls and %u answers\n", i, e->peers, e->calls_heard,
			      e->answers_heard);
		assert_int_equal(e->wrong, 0);
		for (unsigned k = 0; k < e->peers; k++)
			assert_int_equal(e->peer[k].called, e->peer[k].answered);
	}
	/* Connected: 0 to 1, 2, 3 and 4; each leech to the one before it. Node 4 has no such extension. */
	assert_int_equal(room->echo[0].answers_heard, 3);
	assert_int_equal(room->echo[1].answers_heard, 2);
	assert_int_equal(room->echo[2].answers_heard, 3);
	assert_int_equal(room->echo[3].answers_heard, 2);
	scene_complete(sim, SHOAL_S(60));
	sim_free(sim);
	sim_content_fini(&c);
	free(room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_seed_is_the_same_run),
		cmocka_unit_test(a_real_pipe_gives_the_same_trace),
		cmocka_unit_test(extension_messages_reach_their_module),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
