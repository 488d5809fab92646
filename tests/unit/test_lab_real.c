/* test_lab_real.c - real processes, as far as they are decided without any: wires, tracker, what is heard, plans. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/bytes.h"
#include "tools/lab/real/calendar.h"
#include "tools/lab/real/command.h"
#include "tools/lab/real/hear.h"
#include "tools/lab/real/tracker.h"

#define MS 1000000u /* nanoseconds */

/* ---- wires ------------------------------------------------------------------------------------- */

/* A TCP packet of `len` bytes in all for node `to`. */
static struct lab_packet *packet(struct lab_wires *w, unsigned to, size_t len)
{
	struct lab_packet *p = lab_wires_room(w);
	assert_non_null(p);
	memset(p->bytes, 0, len);
	p->bytes[0] = 0x45;
	shoal_put_u16(p->bytes + 2, (uint16_t)len);
	p->bytes[9] = 6;
	shoal_put_u32(p->bytes + 16, lab_wires_address(to));
	p->bytes[32] = 5 << 4;
	p->len = len;
	return p;
}

/* When the next packet arrives; its node in `*to`. */
static uint64_t arrival(struct lab_wires *w, unsigned *to)
{
	for (uint64_t due; (due = lab_wires_due(w)) != UINT64_MAX;) {
		struct lab_packet *p = lab_wires_take(w, due);
		if (p == NULL)
			continue; /* from one line to the other */
		*to = p->to;
		lab_wires_done(w, p);
		return due;
	}
	return UINT64_MAX;
}

static void addresses_and_nodes_are_one_to_one(void **state)
{
	char text[16];
	(void)state;
	for (unsigned i = 0; i < LAB_WIRES_NODES_MAX; i++)
		assert_int_equal(lab_wires_node(lab_wires_address(i)), i);
	assert_string_equal(lab_wires_dotted(0, text), "10.77.0.1");
	assert_string_equal(lab_wires_dotted(1023, text), "10.77.4.24");
	assert_int_equal(lab_wires_node(LAB_WIRES_NET), UINT_MAX);
	assert_int_equal(lab_wires_node(LAB_WIRES_NET | 251), UINT_MAX);
	assert_int_equal(lab_wires_node(0x7f000001), UINT_MAX);
}

static void a_packet_takes_both_lines_and_the_way(void **state)
{
	unsigned to;
	struct lab_wires *w = lab_wires_new(3, 1500, 1);
	(void)state;
	*lab_wires_line(w, 0) = (struct lab_wire){ .up = 1000000, .delay_ns = 5 * MS };
	*lab_wires_line(w, 1) = (struct lab_wire){ .down = 500000, .delay_ns = 10 * MS };
	assert_true(lab_wires_send(w, 0, packet(w, 1, 1000), 100 * MS));
	assert_true(lab_wires_send(w, 0, packet(w, 1, 1000), 100 * MS));
	/* 1 ms up, 15 ms of way, 2 ms down; the second waits a millisecond for the line down. */
	assert_int_equal(arrival(w, &to), 118 * MS);
	assert_int_equal(to, 1);
	assert_int_equal(arrival(w, &to), 120 * MS);
	/* Nothing limits the third. */
	assert_true(lab_wires_send(w, 2, packet(w, 0, 1000), 0));
	assert_int_equal(arrival(w, &to), 5 * MS);
	lab_wires_free(w);
}

static void a_full_queue_drops_at_its_tail(void **state)
{
	struct lab_wires *w = lab_wires_new(2, 1500, 1);
	unsigned kept = 0, to;
	(void)state;
	*lab_wires_line(w, 0) = (struct lab_wire){ .up = 100000, .queue_ns = 100 * MS };
	for (unsigned i = 0; i < 50; i++)
		kept += lab_wires_send(w, 0, packet(w, 1, 1000), 0); /* 10 ms each */
	assert_int_equal(kept, 11);				     /* one on the line, and 100 ms of queue */
	assert_int_equal(lab_wires_dropped(w, 0), 39);
	uint64_t last = 0;
	for (uint64_t t; (t = arrival(w, &to)) != UINT64_MAX; last = t)
		;
	assert_int_equal(last, 110 * MS);
	lab_wires_free(w);
}

static void jitter_delays_and_never_reorders(void **state)
{
	struct lab_wires *w = lab_wires_new(2, 1500, 7);
	uint64_t before = 0, least = UINT64_MAX, most = 0;
	unsigned to;
	(void)state;
	*lab_wires_line(w, 0) = (struct lab_wire){ .delay_ns = 10 * MS, .jitter_ns = 4 * MS };
	for (unsigned i = 0; i < 200; i++) {
		uint64_t sent = (uint64_t)i * 20 * MS;
		assert_true(lab_wires_send(w, 0, packet(w, 1, 100), sent));
		uint64_t took = arrival(w, &to) - sent;
		least = took < least ? took : least;
		most = took > most ? took : most;
	}
	assert_true(least >= 10 * MS && least < 11 * MS && most <= 14 * MS && most > 13 * MS);
	for (unsigned i = 0; i < 200; i++) {
		struct lab_packet *p = packet(w, 1, 100);
		shoal_put_u32(p->bytes + 4, i);
		assert_true(lab_wires_send(w, 0, p, 5000 * (uint64_t)MS + i));
	}
	for (unsigned i = 0; i < 200; i++) {
		uint64_t due = lab_wires_due(w);
		struct lab_packet *p = lab_wires_take(w, due);
		assert_non_null(p);
		assert_true(due >= before);
		assert_int_equal(shoal_get_u32(p->bytes + 4), i);
		before = due;
		lab_wires_done(w, p);
	}
	lab_wires_free(w);
}

/* Numbered packets, one each 100 us: how many are held back (they come behind a later one), and the longest. */
static unsigned overtaken(struct lab_wires *w, unsigned count, uint64_t *most)
{
	unsigned n = 0, last = 0;
	*most = 0;
	for (unsigned i = 0; i < count; i++) {
		struct lab_packet *p = packet(w, 1, 100);
		shoal_put_u32(p->bytes + 4, i);
		assert_true(lab_wires_send(w, 0, p, i * (uint64_t)MS / 10));
	}
	for (unsigned i = 0; i < count; i++) {
		uint64_t due = lab_wires_due(w);
		struct lab_packet *p = lab_wires_take(w, due);
		assert_non_null(p);
		unsigned number = shoal_get_u32(p->bytes + 4);
		uint64_t late = due - number * (uint64_t)MS / 10 - 5 * MS;
		n += number < last;
		last = number > last ? number : last;
		*most = late > *most ? late : *most;
		lab_wires_done(w, p);
	}
	assert_int_equal(lab_wires_due(w), UINT64_MAX);
	return n;
}

static void reordered_packets_are_late_and_overtaken(void **state)
{
	struct lab_wires *w = lab_wires_new(2, 1500, 5);
	uint64_t most;
	(void)state;
	lab_wires_line(w, 0)->delay_ns = 5 * MS;
	assert_int_equal(overtaken(w, 5000, &most), 0);
	assert_int_equal(most, 0);
	lab_wires_free(w);
	w = lab_wires_new(2, 1500, 5);
	lab_wires_line(w, 0)->delay_ns = 5 * MS;
	lab_wires_line(w, 0)->reorder_ppm = 100000;
	assert_in_range(overtaken(w, 5000, &most), 420, 570); /* a tenth, and those that are 100 us late at least */
	assert_in_range(most, LAB_WIRES_LATE_NS * 9 / 10, LAB_WIRES_LATE_NS);
	lab_wires_free(w);
}

static void loss_is_of_both_lines(void **state)
{
	struct lab_wires *w = lab_wires_new(2, 1500, 3);
	unsigned there = 0, to;
	(void)state;
	lab_wires_line(w, 0)->loss_ppm = 100000;
	lab_wires_line(w, 1)->loss_ppm = 200000;
	for (unsigned i = 0; i < 10000; i++)
		(void)lab_wires_send(w, 0, packet(w, 1, 100), i);
	while (arrival(w, &to) != UINT64_MAX)
		there++;
	assert_in_range(there, 7050, 7350); /* 0.9 * 0.8, and five sigma */
	lab_wires_free(w);
}

static void nothing_passes_what_is_cut_or_split(void **state)
{
	struct lab_wires *w = lab_wires_new(4, 1500, 1);
	unsigned to;
	(void)state;
	lab_wires_line(w, 3)->everywhere = 1;
	lab_wires_line(w, 0)->delay_ns = 10 * MS;
	assert_true(lab_wires_send(w, 0, packet(w, 1, 100), 0));
	lab_wires_line(w, 1)->cut = 1;
	assert_int_equal(arrival(w, &to), UINT64_MAX); /* it was under way */
	assert_false(lab_wires_send(w, 0, packet(w, 1, 100), 0));
	assert_false(lab_wires_send(w, 1, packet(w, 3, 100), 0));
	lab_wires_line(w, 1)->cut = 0;
	lab_wires_line(w, 1)->side = 2;
	assert_false(lab_wires_send(w, 0, packet(w, 1, 100), 0));
	assert_true(lab_wires_send(w, 1, packet(w, 3, 100), 0)); /* the tracker is on every side */
	assert_int_not_equal(arrival(w, &to), UINT64_MAX);
	lab_wires_line(w, 2)->side = 2;
	assert_true(lab_wires_send(w, 2, packet(w, 1, 100), 0));
	lab_wires_free(w);
}

static void strange_packets_go_nowhere(void **state)
{
	struct lab_wires *w = lab_wires_new(2, 1500, 1);
	(void)state;
	struct lab_packet *p = packet(w, 1, 100);
	p->bytes[0] = 0x60;
	assert_false(lab_wires_send(w, 0, p, 0));
	p = packet(w, 1, 100);
	p->len = 19;
	assert_false(lab_wires_send(w, 0, p, 0));
	assert_false(lab_wires_send(w, 0, packet(w, 0, 100), 0));
	assert_false(lab_wires_send(w, 0, packet(w, 2, 100), 0)); /* nobody's */
	assert_int_equal(lab_wires_due(w), UINT64_MAX);
	lab_wires_free(w);
	assert_null(lab_wires_new(LAB_WIRES_NODES_MAX + 1, 1500, 1));
	assert_null(lab_wires_new(2, 65536, 1));
}

static void under_way_has_a_bound(void **state)
{
	struct lab_wires *w = lab_wires_new(2, 65000, 1);
	size_t n = 0;
	(void)state;
	lab_wires_line(w, 0)->delay_ns = 1000 * (uint64_t)MS;
	for (struct lab_packet *p; (p = lab_wires_room(w)) != NULL; n++) {
		assert_true(n * 65000 < LAB_WIRES_UNDER_WAY_MAX);
		p->len = 20;
		p->bytes[0] = 0x45;
		shoal_put_u32(p->bytes + 16, lab_wires_address(1));
		assert_true(lab_wires_send(w, 0, p, n));
	}
	assert_true(n > LAB_WIRES_UNDER_WAY_MAX / 70000);
	lab_wires_free(w);
}

static void payload_is_what_is_behind_the_headers(void **state)
{
	uint8_t b[100] = { 0x45, 0, 0, 100, [9] = 6, [32] = 8 << 4 };
	(void)state;
	assert_int_equal(lab_packet_payload(shoal_bytes(b, 100)), 100 - 20 - 32);
	b[9] = 17;
	assert_int_equal(lab_packet_payload(shoal_bytes(b, 100)), 100 - 20 - 8);
	b[9] = 1;
	assert_int_equal(lab_packet_payload(shoal_bytes(b, 100)), 0);
	b[9] = 6;
	b[32] = 15 << 4;
	b[3] = 60; /* its TCP header would be longer than the packet */
	assert_int_equal(lab_packet_payload(shoal_bytes(b, 100)), 0);
	b[3] = 101;
	assert_int_equal(lab_packet_payload(shoal_bytes(b, 100)), 0);
	b[0] = 0x44;
	assert_int_equal(lab_packet_payload(shoal_bytes(b, 100)), 0);
	assert_int_equal(lab_packet_payload(shoal_bytes(b, 3)), 0);
}

/* ---- the tracker ---------------------------------------------------------------------------------- */

static struct shoal_bytes peers_of(const uint8_t *out, size_t len)
{
	const uint8_t *at = memmem(out, len, "5:peers", 7);
	char *end;
	assert_non_null(at);
	size_t n = strtoul((const char *)at + 7, &end, 10);
	assert_true((const uint8_t *)end + 1 + n + 1 == out + len);
	return shoal_bytes((const uint8_t *)end + 1, n);
}

static struct shoal_bytes ask(struct lab_tracker *t, unsigned from, const char *query, uint8_t *out,
			      enum lab_tracker_news *news)
{
	char request[300];
	snprintf(request, sizeof request, "GET /announce?%s HTTP/1.1\r\nHost: x\r\n\r\n", query);
	size_t len = lab_tracker_answer(t, from, shoal_bytes(request, strlen(request)), out, news);
	assert_true(len > 0 && memcmp(out, "HTTP/1.1 200 OK\r\n", 17) == 0);
	return peers_of(out, len);
}

static void the_tracker_tells_of_those_that_are_there(void **state)
{
	struct lab_tracker t;
	uint8_t out[LAB_TRACKER_ANSWER_MAX];
	enum lab_tracker_news news;
	(void)state;
	assert_int_equal(lab_tracker_init(&t, 20, 5, 1), 0);
	assert_int_equal(ask(&t, 0, "info_hash=%12x&port=6881&left=0&event=started", out, &news).len, 0);
	assert_int_equal(news, LAB_TRACKER_SEEDS);
	struct shoal_bytes p = ask(&t, 1, "port=7000&left=5&compact=1", out, &news);
	assert_int_equal(news, LAB_TRACKER_HERE);
	assert_int_equal(p.len, 6);
	assert_int_equal(shoal_get_u32(p.at), lab_wires_address(0));
	assert_int_equal(shoal_get_u16(p.at + 4), 6881);
	for (unsigned i = 2; i < 20; i++)
		(void)ask(&t, i, "port=6881&left=9", out, &news);
	/* Never itself, never one twice, and everybody some time. */
	unsigned seen[20] = { 0 };
	for (unsigned k = 0; k < 200; k++) {
		p = ask(&t, 3, "port=6881&left=9&numwant=50", out, &news);
		assert_int_equal(p.len, 5 * 6);
		uint32_t met = 0;
		for (size_t i = 0; i < p.len; i += 6) {
			unsigned node = lab_wires_node(shoal_get_u32(p.at + i));
			assert_true(node < 20 && node != 3 && !(met >> node & 1));
			met |= 1u << node;
			seen[node]++;
		}
	}
	for (unsigned i = 0; i < 20; i++)
		assert_true(i == 3 || (seen[i] > 20 && seen[i] < 100)); /* 52 each, on average */
	assert_int_equal(ask(&t, 3, "port=6881&left=9&numwant=2", out, &news).len, 12);
	assert_int_equal(ask(&t, 3, "port=6881&left=0&event=stopped", out, &news).len, 0);
	assert_int_equal(news, LAB_TRACKER_LEFT);
	(void)ask(&t, 4, "port=6881&left=0&event=completed", out, &news);
	assert_int_equal(news, LAB_TRACKER_SEEDS);
	lab_tracker_forget(&t, 0);
	assert_int_equal(t.node[0].port, 0);
	lab_tracker_fini(&t);
}

static void no_request_harms_the_tracker(void **state)
{
	static const char *const bad[] = {
		"GET / HTTP/1.1\r\n\r\n",
		"POST /announce?port=1 HTTP/1.1\r\n\r\n",
		"GET /announce?port=0 HTTP/1.1\r\n\r\n",
		"GET /announce?port=65536 HTTP/1.1\r\n\r\n",
		"GET /announce?port=99999999999999999999999 HTTP/1.1\r\n\r\n",
		"GET /announce?xport=5 HTTP/1.1\r\n\r\n",
		"GET /announce?port=5\r\n\r\n",
		"\r\n\r\n",
		"GET /announce?&&&port HTTP/1.1\r\n\r\n",
	};
	struct lab_tracker t;
	uint8_t out[LAB_TRACKER_ANSWER_MAX], flood[LAB_TRACKER_REQUEST_MAX];
	enum lab_tracker_news news;
	(void)state;
	assert_int_equal(lab_tracker_init(&t, 2, 50, 1), 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		print_message("%s\n", bad[i]);
		size_t len = lab_tracker_answer(&t, 0, shoal_bytes(bad[i], strlen(bad[i])), out, &news);
		assert_true(len > 12 && memcmp(out, "HTTP/1.1 400", 12) == 0);
		/* Cut anywhere, it is waited for. */
		for (size_t cut = 0; cut < strlen(bad[i]); cut++)
			assert_int_equal(lab_tracker_answer(&t, 0, shoal_bytes(bad[i], cut), out, &news), 0);
	}
	memset(flood, 'a', sizeof flood);
	assert_int_equal(lab_tracker_answer(&t, 0, shoal_bytes(flood, sizeof flood - 1), out, &news), 0);
	assert_true(lab_tracker_answer(&t, 0, shoal_bytes(flood, sizeof flood), out, &news) > 0);
	assert_int_equal(t.node[0].port, 0);
	/* Who asks from nowhere is nobody. */
	const char *good = "GET /announce?port=5&left=1 HTTP/1.1\r\n\r\n";
	assert_true(lab_tracker_answer(&t, UINT_MAX, shoal_bytes(good, strlen(good)), out, &news) > 0);
	assert_int_equal(news, LAB_TRACKER_NONE);
	lab_tracker_fini(&t);
}

/* ---- what is heard -------------------------------------------------------------------------------- */

static struct lab_heard heard(const char *line)
{
	struct lab_heard h;
	lab_hear(shoal_bytes(line, strlen(line)), &h);
	return h;
}

static void lines_are_heard(void **state)
{
	(void)state;
	struct lab_heard h = heard("{\"t\": 1.5, \"event\": \"progress\", \"done\": 5, \"total\": 9, \"eta\": null}");
	assert_int_equal(h.kind, LAB_HEARD_PROGRESS);
	assert_int_equal(h.done, 5);
	assert_int_equal(h.total, 9);
	h = heard("{\"event\": \"peer_banned\", \"addr\": \"10.77.0.3:6881\"}");
	assert_int_equal(h.kind, LAB_HEARD_BANNED);
	assert_int_equal(h.address, lab_wires_address(2));
	h = heard("{\"event\": \"peer_banned\", \"addr\": \"example.org\"}");
	assert_int_equal(h.address, 0);
	h = heard("{\"event\": \"peer_banned\", \"addr\": 7}");
	assert_int_equal(h.address, 0);
	assert_int_equal(heard("{\"event\": \"complete\", \"wasted\": 16384}").wasted, 16384);
	assert_int_equal(heard("{\"event\": \"complete\", \"wasted\": -4}").wasted, 0);
	assert_string_equal(heard("{\"event\": \"error\", \"what\": \"no room\"}").what, "no room");
	static const char *const nothing[] = { "",
					       "{",
					       "[]",
					       "null",
					       "{\"event\": 5}",
					       "{\"event\": \"dance\"}",
					       "11/30 [NOTICE] Download complete",
					       "{\"done\": 5}",
					       "{{{{{{" };
	for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
		assert_int_equal(heard(nothing[i]).kind, LAB_HEARD_NOTHING);
}

/* ---- plans ------------------------------------------------------------------------------------------ */

#define HEAD "name: x\nsummary: y\ncontent: { size: 1M, piece: 64K, format: v1 }\n"

static struct lab_scenario *parsed(const char *text)
{
	struct lab_scenario *s = NULL;
	struct lab_fault fault;
	if (lab_scenario_parse(&s, shoal_bytes(text, strlen(text)), NULL, 0, &fault) < 0)
		fail_msg("%u:%u: %s\n%s", fault.line, fault.column, fault.what, text);
	return s;
}

static const struct {
	const char *text;
	const char *where; /* what cannot be had begins there, where it is first in the text; NULL: all can be had */
} asked[] = {
	{ HEAD "nodes: [{ name: a, has: all }]\n", NULL },
	{ HEAD "nodes: [{ name: a, rtt: 50ms, jitter: 5ms, loss: 1%, queue: 50ms, up: 1M, down: 2M }]\n", NULL },
	{ HEAD "nodes: [{ name: a, kind: aria2, max_peers: 20 }, { name: b, kind: libtorrent, limit_up: 1M }]\n",
	  NULL },
	{ HEAD "nodes: [{ name: a, has: 30% }]\n", NULL },
	{ HEAD "nodes: [{ name: a, adversary: { kind: free-rider }, memory: 8M }]\n", NULL },
	{ HEAD "nodes: [{ name: a, adversary: { kind: free-rider }, limit_up: 8M }]\n", "8M" },
	{ HEAD "nodes: [{ name: a, nat: cone }]\n", "cone" },
	{ HEAD "nodes: [{ name: a, slots: 4 }]\n", "4 }" },
	{ HEAD "nodes: [{ name: a, policy: off }]\n", "off" },
	{ HEAD "nodes: [{ name: a, disk: { rate: 1M } }]\n", "1M }" },
	{ HEAD "nodes: [{ name: a, kind: aria2, memory: 8M }]\n", "8M" },
	{ HEAD "nodes: [{ name: a, kind: transmission, limit_up: 8M }]\n", "8M" },
	{ HEAD "nodes: [{ name: a, adversary: { kind: polluter } }]\n", "{ name: a" }, /* it has nothing */
	{ HEAD "nodes: [{ name: a, has: all, adversary: { kind: polluter } }]\n", NULL },
	{ HEAD "nodes: [{ name: a, has: all, adversary: { kind: polluter, view: 3 } }]\n", "3 }" },
	{ HEAD "nodes: [{ name: a, adversary: { kind: fake-haver, answer: reject } }]\n", NULL },
	{ HEAD "nodes: [{ name: a, has: all, adversary: { kind: sybil } }]\n", "sybil" },
	{ HEAD "nodes: [{ name: a, has: all, kind: aria2, adversary: { kind: traitor } }]\n", "aria2" },
	{ HEAD "nodes: [{ name: a, has: all, adversary: { kind: hostile:W06f } }]\n", NULL },
	{ HEAD "nodes: [{ name: a, adversary: { kind: hostile:W06f } }]\n", "{ name: a" }, /* it has nothing */
	{ HEAD "nodes: [{ name: a, reorder: 1% }, { name: b, kind: aria2 }]\nmeet: dht\n", NULL },
	{ HEAD "nodes: [{ name: a }, { name: b, kind: libtorrent }]\nmeet: dht\n", "libtorrent" },
	{ HEAD "nodes: [{ name: a }, { name: b, has: all, adversary: { kind: polluter } }]\nmeet: dht\n", "polluter" },
	{ HEAD "nodes: [{ name: a }, { name: b, adversary: { kind: free-rider } }]\nmeet: dht\n", NULL },
	{ HEAD "policy: lt\nnodes: [{ name: a }]\n", "lt\n" },
	{ HEAD "tcp: ideal\nnodes: [{ name: a }]\n", "ideal" },
	{ HEAD "nodes: [{ name: a }]\nlinks: [{ from: a, to: a, rate: 1M }]\n", "{ from" },
	{ HEAD "nodes: [{ name: a }]\nevents: [{ at: 1s, kind: rot, who: a }]\n", "rot," },
	{ HEAD "nodes: [{ name: a }]\nevents: [{ at: 1s, kind: crash, how: power, who: a }]\n", "power" },
	{ HEAD "nodes: [{ name: a }]\nevents: [{ at: 1s, kind: pause, for: 1s, who: a }]\n", NULL },
	{ HEAD "nodes: [{ name: a, count: 1001 }]\n", "[{ name" },
	{ "name: x\nsummary: y\ncontent: { size: 1M }\nnodes: [{ name: a, kind: rtorrent }]\n", "rtorrent" },
	{ "name: x\nsummary: y\ncontent: { size: 1M }\nnodes: [{ name: a, kind: libtorrent }]\n", NULL },
	{ "name: x\nsummary: y\ncontent: { size: 1M, files: 3 }\nnodes:\n - { name: a, has: all,\n"
	  "     adversary: { kind: polluter } }\n",
	  "polluter" },
};

static void what_cannot_be_had_is_told_with_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
		struct lab_scenario *s = parsed(asked[i].text);
		struct lab_fault fault;
		unsigned line = 0, column = 0;
		const char *where = asked[i].where != NULL ? strstr(asked[i].text, asked[i].where) : NULL;
		for (const char *at = asked[i].text; where != NULL && at <= where; at++) {
			line += at == asked[i].text || at[-1] == '\n';
			column = at == asked[i].text || at[-1] == '\n' ? 1 : column + 1;
		}
		int rc = lab_plan_check(s, shoal_bytes(asked[i].text, strlen(asked[i].text)), &fault);
		if (rc != (where != NULL ? SHOAL_ERR_UNSUPPORTED : 0) || fault.line != line || fault.column != column)
			fail_msg("%d, %u:%u: %s\n%s", rc, fault.line, fault.column, fault.what, asked[i].text);
		lab_scenario_free(s);
	}
}

static void a_plan_has_what_the_virtual_world_draws(void **state)
{
	static const char text[] = HEAD
		"nodes:\n"
		" - { name: seed, has: all, up: 1M, rtt: 40ms, loss: 1% }\n"
		" - { name: l, count: 3, up: \"uniform(1M, 2M)\", rtt: \"uniform(20ms, 100ms)\","
		" join: every(2s), queue: 50ms }\n";
	struct lab_scenario *s = parsed(text);
	struct lab_plan plan, again;
	struct lab_drawn drawn[3];
	struct shoal_rng dice = lab_draw_dice(9, 1);
	(void)state;
	assert_int_equal(lab_plan_make(&plan, s, 16, 9), 0);
	assert_int_equal(plan.nodes, 4);
	assert_string_equal(plan.node[0].name, "seed");
	assert_string_equal(plan.node[3].name, "l.3");
	assert_true(plan.node[0].seed && !plan.node[1].seed);
	assert_int_equal(plan.node[0].line.delay_ns, 10 * MS);
	assert_int_equal(plan.node[0].line.loss_ppm, 10000);
	assert_int_equal(plan.node[1].line.queue_ns, 50 * MS);
	assert_false(plan.wide);
	lab_draw_group(&s->nodes[1], &dice, drawn);
	for (unsigned k = 0; k < 3; k++) {
		assert_int_equal(plan.node[1 + k].line.up, (uint64_t)drawn[k].up);
		assert_in_range(plan.node[1 + k].line.delay_ns, 5 * MS, 25 * MS);
		assert_true(plan.node[1 + k].drawn.join == drawn[k].join);
	}
	assert_int_equal(lab_plan_make(&again, s, 16, 10), 0);
	assert_int_not_equal(again.node[1].line.up, plan.node[1].line.up);
	lab_plan_fini(&again);
	lab_plan_fini(&plan);
	lab_scenario_free(s);
}

/* A scenario, and a plan of it. */
struct planned {
	struct lab_scenario *s;
	struct lab_plan plan;
};

static struct planned planned(const char *text)
{
	struct planned p = { .s = parsed(text) };
	assert_int_equal(lab_plan_make(&p.plan, p.s, 16, 1), 0);
	return p;
}

static void planned_fini(struct planned *p)
{
	lab_plan_fini(&p->plan);
	lab_scenario_free(p->s);
}

static struct lab_command command_of(const struct planned *p, unsigned node)
{
	static const struct lab_command_place place = { "/bin/shoal", "/bin/hostile",
							"http://10.77.0.8:6969/announce" };
	struct lab_command c;
	assert_int_equal(lab_command_make(&c, p->s, &p->plan, node, &place), 0);
	return c;
}

static bool has_word(const struct lab_command *c, const char *word)
{
	for (unsigned i = 0; i < c->words; i++)
		if (strcmp(c->word[i], word) == 0)
			return true;
	return false;
}

static void each_kind_has_its_command(void **state)
{
	static const char text[] = HEAD
		"nodes:\n - { name: seed, has: all, memory: 8M }\n - { name: lt, kind: libtorrent }\n"
		" - { name: tr, kind: transmission }\n - { name: ar, kind: aria2 }\n - { name: rt, kind: rtorrent }\n"
		" - { name: foe, has: all, adversary: { kind: polluter, rate: 50%, burst: 3 } }\n"
		" - { name: case, has: all, adversary: { kind: hostile:W06f } }\n";
	static const struct {
		const char *program, *words[3];
	} want[] = { { "/bin/shoal", { "seed", "8388608", "10.77.0.1:6881" } },
		     { "/bin/shoal", { "get", "libtorrent", "10.77.0.2:6881" } },
		     { "transmission-daemon", { "-f", "config" } },
		     { "aria2c", { "--interface=10.77.0.4", "--enable-dht=false", "--bt-enable-lpd=false" } },
		     { "rtorrent", { "import=rc" } },
		     { "/bin/hostile", { "polluter", "rate=500000", "burst=3" } },
		     { "/bin/hostile", { "play", "W06f", "10.77.0.7:6881" } } };
	struct planned p = planned(text);
	(void)state;
	for (unsigned i = 0; i < p.plan.nodes; i++) {
		struct lab_command c = command_of(&p, i);
		assert_string_equal(c.word[0], want[i].program);
		assert_null(c.word[c.words]);
		for (size_t k = 0; k < 3 && want[i].words[k] != NULL; k++)
			if (!has_word(&c, want[i].words[k]))
				fail_msg("node %u has no '%s'", i, want[i].words[k]);
		if (p.plan.node[i].kind <= LAB_KIND_LIBTORRENT && !p.plan.node[i].hostile)
			assert_true(has_word(&c, "--no-dht") && has_word(&c, "--no-lsd") &&
				    has_word(&c, "--no-portmap"));
		lab_command_free(&c);
	}
	planned_fini(&p);
}

/* Somewhere in its words or in the text of its files. */
static bool speaks_of(const struct lab_command *c, const char *what)
{
	for (unsigned i = 0; i < c->words; i++)
		if (strstr(c->word[i], what) != NULL)
			return true;
	for (unsigned i = 0; i < c->files; i++)
		if (c->file[i].text != NULL && strstr(c->file[i].text, what) != NULL)
			return true;
	return false;
}

static void in_a_dht_each_kind_enters_at_the_first(void **state)
{
	static const char text[] = HEAD
		"meet: dht\nnodes:\n - { name: own, kind: command, command: x }\n - { name: seed, has: all }\n"
		" - { name: lt, kind: libtorrent }\n - { name: tr, kind: transmission }\n"
		" - { name: ar, kind: aria2 }\n - { name: rt, kind: rtorrent }\n";
	struct planned p = planned(text);
	(void)state;
	for (unsigned i = 0; i < p.plan.nodes; i++) {
		struct lab_command c = command_of(&p, i);
		assert_int_equal(lab_plan_dht_entry(&p.plan, i), i == 1 ? 2 : 1);
		assert_int_equal(has_word(&c, "--no-dht"), false);
		if (i > 0 && !speaks_of(&c, i == 1 ? "10.77.0.3:6881" : i == 3 ? "10.77.0.2 6881" : "10.77.0.2:6881"))
			fail_msg("node %u knows no way into the DHT", i);
		lab_command_free(&c);
	}
	planned_fini(&p);
}

static void the_calendar_keeps_its_order(void **state)
{
	static const double at[] = { 3, 1, 2, 1, 0, 2 };
	static const unsigned order[] = { 4, 1, 3, 2, 5, 0 };
	struct lab_calendar c = { 0 };
	(void)state;
	assert_true(isinf(lab_calendar_next(&c)));
	for (unsigned i = 0; i < 6; i++)
		assert_non_null(lab_calendar_add(&c, at[i], LAB_TASK_JOIN, i));
	for (unsigned i = 0; i < 6; i++) {
		assert_null(lab_calendar_take(&c, at[order[i]] - 0.5));
		struct lab_task *task = lab_calendar_take(&c, 10);
		assert_int_equal(task->node, order[i]);
		lab_task_free(task);
	}
	assert_non_null(lab_calendar_add(&c, 1, LAB_TASK_JOIN, 0));
	lab_calendar_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_and_nodes_are_one_to_one),
		cmocka_unit_test(a_packet_takes_both_lines_and_the_way),
		cmocka_unit_test(a_full_queue_drops_at_its_tail),
		cmocka_unit_test(jitter_delays_and_never_reorders),
		cmocka_unit_test(reordered_packets_are_late_and_overtaken),
		cmocka_unit_test(loss_is_of_both_lines),
		cmocka_unit_test(nothing_passes_what_is_cut_or_split),
		cmocka_unit_test(strange_packets_go_nowhere),
		cmocka_unit_test(under_way_has_a_bound),
		cmocka_unit_test(payload_is_what_is_behind_the_headers),
		cmocka_unit_test(the_tracker_tells_of_those_that_are_there),
		cmocka_unit_test(no_request_harms_the_tracker),
		cmocka_unit_test(lines_are_heard),
		cmocka_unit_test(what_cannot_be_had_is_told_with_its_place),
		cmocka_unit_test(a_plan_has_what_the_virtual_world_draws),
		cmocka_unit_test(each_kind_has_its_command),
		cmocka_unit_test(in_a_dht_each_kind_enters_at_the_first),
		cmocka_unit_test(the_calendar_keeps_its_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
