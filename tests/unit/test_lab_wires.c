/* test_lab_wires.c - what lines do to packets: rates, queues, jitter, loss, reordering, cuts; and where they go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/bytes.h"
#include "tools/lab/real/wires.h"

#define MS 1000000u /* nanoseconds */

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
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
