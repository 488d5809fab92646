/* test_sim_net.c - the world's network, spoken to by guests: NAT by kind, sides, resets, names, services, the calendar. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/bytes.h"
#include "tests/sim/scene.h"
#include "tools/lab/world/tracker.h"

/* ---- a guest that writes down what reaches it -------------------------------------------------- */

struct ear {
	unsigned heard, accepted, dialled, refused, closed, ticks;
	struct shoal_addr from; /* of the last datagram */
	struct shoal_transport *t[4];
	unsigned open;
	shoal_us answered;
};

static void ear_accept(void *g, struct sim_node *n, struct shoal_transport *t, const struct shoal_addr *from)
{
	struct ear *e = g;
	(void)n;
	(void)from;
	e->accepted++;
	t->ops->want(t, SHOAL_WANT_READ);
	e->t[e->open++] = t;
}

static void ear_dialed(void *g, struct sim_node *n, uint64_t cookie, struct shoal_transport *t, int err)
{
	struct ear *e = g;
	assert_int_equal(cookie, 7);
	assert_int_equal(err, t != NULL ? 0 : SHOAL_ERR_NET);
	e->answered = sim_now(n->sim);
	e->dialled += t != NULL;
	e->refused += t == NULL;
	if (t != NULL) {
		t->ops->want(t, SHOAL_WANT_READ);
		e->t[e->open++] = t;
	}
}

static void ear_ready(void *g, struct sim_node *n, struct shoal_transport *t, unsigned what)
{
	struct ear *e = g;
	uint8_t byte[64];
	struct shoal_space to = { byte, sizeof byte };
	(void)n;
	(void)what;
	if (t->ops->recv(t, &to, 1) >= 0)
		return;
	e->closed++;
	for (unsigned i = 0; i < e->open; i++)
		if (e->t[i] == t)
			e->t[i] = e->t[--e->open];
	t->ops->close(t);
}

static void ear_datagram(void *g, struct sim_node *n, const struct shoal_addr *from, struct shoal_bytes data)
{
	struct ear *e = g;
	(void)n;
	assert_int_equal(data.len, 5);
	assert_memory_equal(data.at, "hello", 5);
	e->heard++;
	e->from = *from;
}

static void ear_tick(void *g, struct sim_node *n)
{
	struct ear *e = g;
	(void)n;
	e->ticks++;
}

static void ear_stop(void *g, struct sim_node *n)
{
	struct ear *e = g;
	(void)n;
	while (e->open > 0) {
		struct shoal_transport *t = e->t[--e->open];
		t->ops->close(t);
	}
}

static const struct sim_guest_ops ear_ops = {
	.stop = ear_stop,
	.accept = ear_accept,
	.dialed = ear_dialed,
	.ready = ear_ready,
	.datagram = ear_datagram,
	.tick = ear_tick,
};

struct place {
	struct sim_content c;
	struct sim *sim;
	struct ear ear[4];
};

static void place_open(struct place *p)
{
	memset(p, 0, sizeof *p);
	scene_content(&p->c, SHOAL_FORMAT_V1, 16 * KIB, 256 * KIB, 3);
	p->sim = sim_new(&(struct sim_options){ .seed = 3, .content = &p->c });
}

static struct sim_node *guest(struct place *p, struct sim_node_options o)
{
	o.guest = &ear_ops;
	o.g = &p->ear[sim_nodes(p->sim)];
	struct sim_node *n = sim_node_new(p->sim, &o);
	sim_node_start(n);
	return n;
}

static void place_close(struct place *p)
{
	assert_string_equal(sim_wrong(p->sim), "");
	sim_free(p->sim);
	sim_content_fini(&p->c);
}

/* `to` hears of it, or does not. */
static bool reaches(struct place *p, struct sim_node *from, const struct shoal_addr *to, struct ear *ear)
{
	unsigned before = ear->heard;
	sim_guest_say(from, to, shoal_bytes("hello", 5));
	sim_run_for(p->sim, SHOAL_MS(200));
	return ear->heard > before;
}

/* ---- tests ------------------------------------------------------------------------------------- */

static void a_nat_lets_in_what_its_kind_lets_in(void **state)
{
	static const struct {
		enum sim_nat nat;
		bool spoken_to, other_port,
			stranger; /* who gets through once the one behind it has spoken to `spoken_to` */
	} kinds[] = {
		{ SIM_NAT_OPEN, true, true, true },
		{ SIM_NAT_ADDRESS, true, true, false },
		{ SIM_NAT_SYMMETRIC, true, false, false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		struct place p;
		place_open(&p);
		struct sim_node *inside = guest(&p, (struct sim_node_options){ .nat = kinds[i].nat });
		struct sim_node *friend = guest(&p, (struct sim_node_options){ .delay = SHOAL_MS(1) });
		struct sim_node *stranger = guest(&p, (struct sim_node_options){ .delay = SHOAL_MS(1) });
		struct shoal_addr door = friend->addr;
		door.port = 7000; /* the friend's host, by another port */
		struct sim_node *side_door = guest(&p, (struct sim_node_options){ .addr = door });
		assert_false(reaches(&p, friend, &inside->addr, &p.ear[0])); /* nothing was sent yet */
		assert_true(reaches(&p, inside, &friend->addr, &p.ear[1]));
		struct shoal_addr mapped = p.ear[1].from;
		assert_int_not_equal(mapped.port, inside->addr.port);
		assert_int_equal(reaches(&p, friend, &mapped, &p.ear[0]), kinds[i].spoken_to);
		assert_int_equal(reaches(&p, side_door, &mapped, &p.ear[0]), kinds[i].other_port);
		assert_int_equal(reaches(&p, stranger, &mapped, &p.ear[0]), kinds[i].stranger);
		/* Another destination: the same port outside, or (symmetric) another. */
		assert_true(reaches(&p, inside, &stranger->addr, &p.ear[2]));
		assert_int_equal(p.ear[2].from.port == mapped.port, kinds[i].nat != SIM_NAT_SYMMETRIC);
		sim_run_for(p.sim, SHOAL_S(130)); /* and it is forgotten */
		assert_false(reaches(&p, friend, &mapped, &p.ear[0]));
		/* No connection comes in, though out it goes. */
		assert_int_equal(sim_guest_dial(friend, &inside->addr, 7), 0);
		assert_int_equal(sim_guest_dial(inside, &friend->addr, 7), 0);
		sim_run_for(p.sim, SHOAL_S(5));
		assert_int_equal(p.ear[1].refused, 1);
		assert_int_equal(p.ear[0].dialled, 1);
		assert_int_equal(p.ear[1].accepted, 1);
		place_close(&p);
	}
}

static void sides_are_apart_until_they_are_healed(void **state)
{
	struct place p;
	(void)state;
	place_open(&p);
	struct sim_node *a = guest(&p, (struct sim_node_options){ 0 });
	struct sim_node *b = guest(&p, (struct sim_node_options){ 0 });
	sim_node_side(a, 1);
	assert_false(reaches(&p, a, &b->addr, &p.ear[1]));
	assert_int_equal(sim_guest_dial(a, &b->addr, 7), 0);
	shoal_us asked = sim_now(p.sim);
	sim_run_for(p.sim, SHOAL_S(5));
	assert_int_equal(p.ear[0].refused, 1);
	assert_true(p.ear[0].answered - asked >= SHOAL_S(3)); /* nobody says no: it is a time-out */
	sim_node_side(b, 1);
	assert_true(reaches(&p, a, &b->addr, &p.ear[1]));
	sim_node_cut(b, true);
	assert_false(reaches(&p, a, &b->addr, &p.ear[1]));
	sim_node_cut(b, false);
	assert_int_equal(sim_guest_dial(a, &b->addr, 7), 0);
	sim_run_for(p.sim, SHOAL_S(1));
	assert_int_equal(p.ear[0].open + p.ear[1].open, 2);
	sim_node_reset(b, a);
	sim_run_for(p.sim, SHOAL_S(1));
	assert_int_equal(p.ear[0].closed + p.ear[1].closed, 2);
	place_close(&p);
}

static void datagrams_are_lost_and_wait_as_their_line_says(void **state)
{
	struct place p;
	(void)state;
	place_open(&p);
	struct sim_node *lossy = guest(&p, (struct sim_node_options){ .loss_ppm = 250000 });
	struct sim_node *b = guest(&p, (struct sim_node_options){ 0 });
	/* 33 bytes on the wire each: 100 a second, and half a second of them may wait. */
	struct sim_node *slow = guest(&p, (struct sim_node_options){ .up = 3300, .queue = SHOAL_MS(500) });
	for (int i = 0; i < 1000; i++)
		sim_guest_say(lossy, &b->addr, shoal_bytes("hello", 5));
	sim_run_for(p.sim, SHOAL_S(2));
	assert_in_range(p.ear[1].heard, 700, 800);
	p.ear[1].heard = 0;
	for (int i = 0; i < 200; i++)
		sim_guest_say(slow, &b->addr, shoal_bytes("hello", 5));
	sim_run_for(p.sim, SHOAL_MS(205));
	assert_in_range(p.ear[1].heard, 19, 21);
	sim_run_for(p.sim, SHOAL_S(2));
	assert_in_range(p.ear[1].heard, 50, 52);
	place_close(&p);
}

/* ---- the calendar, services ---------------------------------------------------------------------- */

struct note {
	shoal_us at[4];
	unsigned count;
	struct sim *sim;
	struct shoal_addr self;
	unsigned heard;
};

static void note_down(struct sim *sim, void *arg)
{
	struct note *n = arg;
	n->at[n->count++] = sim_now(sim);
}

static void answer(void *to, const struct shoal_addr *from, struct shoal_bytes data)
{
	struct note *n = to;
	n->heard++;
	sim_service_say(n->sim, &n->self, from, data);
}

static void what_is_in_the_calendar_happens(void **state)
{
	struct place p;
	struct note note = { .self = { .ip = { 9, 9, 9, 9 }, .port = 80, .is_v4 = 1 } };
	(void)state;
	place_open(&p);
	note.sim = p.sim;
	struct sim_node *a = guest(&p, (struct sim_node_options){ .nat = SIM_NAT_SYMMETRIC });
	sim_at(p.sim, SIM_START + SHOAL_S(2), note_down, &note);
	sim_at(p.sim, SIM_START + SHOAL_S(1), note_down, &note);
	sim_at(p.sim, SIM_START + SHOAL_S(900), note_down, &note);
	sim_run_for(p.sim, SHOAL_S(3));
	assert_int_equal(note.count, 2);
	assert_int_equal(note.at[0], SIM_START + SHOAL_S(1));
	assert_int_equal(note.at[1], SIM_START + SHOAL_S(2));
	sim_service(p.sim, &note.self, answer, &note);
	assert_true(reaches(&p, a, &note.self, &p.ear[0]));
	assert_int_equal(note.heard, 1);
	place_close(&p);
}

/* ---- nodes of ours -------------------------------------------------------------------------------- */

struct sent {
	uint64_t good, bad;
};

static void count_block(void *to, struct sim_node *from, struct sim_node *dest, uint32_t piece, uint32_t begin,
			uint32_t len, bool good)
{
	struct sent *s = to;
	assert_ptr_not_equal(from, dest);
	assert_true(begin % (16 * KIB) == 0 && piece < 1000);
	*(good ? &s->good : &s->bad) += len;
}

/* A partition in the midst of a run heals; whoever leaves is gone, and the others go on. */
static void a_swarm_lives_through_sides_resets_and_leaving(void **state)
{
	struct sim_content c;
	struct sent sent = { 0, 0 };
	(void)state;
	scene_content(&c, SHOAL_FORMAT_HYBRID, 64 * KIB, 2 * MIB, 5);
	struct sim *sim = sim_new(
		&(struct sim_options){ .seed = 5, .content = &c, .on_block = count_block, .to = &sent });
	scene_seed(sim, (struct sim_node_options){ .up = MIB });
	scene_leeches(sim, (struct sim_node_options){ .up = MIB }, 6, 1, 2);
	scene_start_all(sim);
	sim_run_for(sim, SHOAL_MS(700));
	for (unsigned i = 4; i < 7; i++)
		sim_node_side(sim_node(sim, i), 1);
	sim_run_for(sim, SHOAL_S(2));
	for (unsigned i = 4; i < 7; i++)
		assert_false(sim_node(sim, i)->complete);
	for (unsigned i = 4; i < 7; i++)
		sim_node_side(sim_node(sim, i), 0);
	sim_node_reset(sim_node(sim, 0), NULL);
	sim_node_leave(sim_node(sim, 3));
	scene_complete(sim, SHOAL_S(120));
	assert_false(sim_node_runs(sim_node(sim, 3)));
	assert_true(sent.good >= 5 * 2 * MIB);
	assert_int_equal(sent.bad, 0);
	sim_free(sim);
	sim_content_fini(&c);
}

/* ---- trackers -------------------------------------------------------------------------------------- */

static void node_hears_of(struct sim_node *n, const char *url)
{
	struct shoal_op op = { .kind = SHOAL_OP_TRACKER, .torrent = n->torrent, .text = shoal_bytes(url, strlen(url)) };
	assert_int_equal(sim_node_do(n, &op), 0);
}

/* Nobody is told of anybody: half of them ask over HTTP, half over UDP, by a name. */
static void nodes_find_each_other_through_a_tracker(void **state)
{
	struct sim_content c;
	(void)state;
	scene_content(&c, SHOAL_FORMAT_HYBRID, 64 * KIB, MIB, 6);
	struct sim_options o = { .seed = 6, .content = &c };
	struct sim_tracker *t = sim_tracker_new(&o);
	struct sim *sim = sim_new(&o);
	sim_tracker_open(t, sim,
			 &(struct sim_tracker_options){ .host = "tracker.test",
							.addr = { .ip = { 10, 9, 9, 9 }, .port = 6969, .is_v4 = 1 },
							.interval = 60 });
	sim_tracker_mood(t, true, false);
	scene_seed(sim, (struct sim_node_options){ .up = MIB });
	scene_leeches(sim, (struct sim_node_options){ .up = MIB }, 5, 0, 0);
	for (unsigned i = 1; i < 6; i++)
		sim_node(sim, i)->friends = 0;
	scene_start_all(sim);
	for (unsigned i = 0; i < 6; i++)
		node_hears_of(sim_node(sim, i),
			      i % 2 ? "http://tracker.test/announce" : "udp://tracker.test:6969/announce");
	sim_run_for(sim, SHOAL_S(5)); /* it is silent: nothing happens */
	for (unsigned i = 1; i < 6; i++)
		assert_int_equal(sim_node(sim, i)->joined, 0);
	assert_int_equal(sim_tracker_seen(t).http + sim_tracker_seen(t).udp, 0);
	sim_tracker_mood(t, false, false);
	scene_complete(sim, SHOAL_S(600));
	sim_run_for(sim, SHOAL_S(5));
	struct sim_tracker_seen seen = sim_tracker_seen(t);
	print_message("%u HTTP, %u UDP, %u started, %u completed, %u peers\n", seen.http, seen.udp, seen.started,
		      seen.completed, seen.peers);
	assert_true(seen.http >= 3 && seen.udp >= 3);
	assert_int_equal(seen.peers, 6);
	assert_int_equal(seen.completed, 2 * 5); /* of both hashes of a hybrid */
	sim_node_leave(sim_node(sim, 5));
	sim_run_for(sim, SHOAL_S(5));
	assert_int_equal(sim_tracker_seen(t).peers, 5);
	sim_free(sim);
	sim_tracker_free(t);
	sim_content_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_nat_lets_in_what_its_kind_lets_in),
		cmocka_unit_test(sides_are_apart_until_they_are_healed),
		cmocka_unit_test(datagrams_are_lost_and_wait_as_their_line_says),
		cmocka_unit_test(what_is_in_the_calendar_happens),
		cmocka_unit_test(a_swarm_lives_through_sides_resets_and_leaving),
		cmocka_unit_test(nodes_find_each_other_through_a_tracker),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
