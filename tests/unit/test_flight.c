/* test_flight.c - golden bytes, every cut and every shape of a record; a ring that wraps, and says what it lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/bytes.h"
#include "swarm/core/flight.h"

static size_t terms_of(const struct shoal_flight_shape *shape)
{
	size_t n = 0;
	while (shape->term[n] != NULL)
		n++;
	return n;
}

static void assert_same(const struct shoal_flight *a, const struct shoal_flight *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_true(a->at == b->at && a->torrent == b->torrent && a->peer == b->peer && a->piece == b->piece);
	assert_memory_equal(a->term, b->term, sizeof a->term);
	assert_true(shoal_bytes_equal(a->text, b->text));
}

static void golden(void **state)
{
	(void)state;
	/* at 300, torrent 1, peer 5, piece 7, and its two terms */
	static const uint8_t want[] = { SHOAL_FLIGHT_PART, 7, 0xac, 0x02, 1, 5, 8, 3, 64 };
	struct shoal_flight f = { .kind = SHOAL_FLIGHT_PART, .at = 300, .torrent = 1, .peer = 5, .piece = 7 };
	uint8_t raw[SHOAL_FLIGHT_RECORD_MAX];
	f.term[0] = 3;
	f.term[1] = 64;
	assert_int_equal(shoal_flight_encode(&f, (struct shoal_space){ raw, sizeof raw }), sizeof want);
	assert_memory_equal(raw, want, sizeof want);
	assert_int_equal(shoal_flight_term(&f, "of"), 64);
	assert_int_equal(shoal_flight_term(&f, "nothing"), 0);
	assert_int_equal(shoal_flight_encode(&f, (struct shoal_space){ raw, sizeof want - 1 }), SHOAL_ERR_RANGE);
}

/* The largest numbers and the longest text fit in one record, and come back; no cut of it decodes as a whole one. */
static void every_kind_there_and_back(void **state)
{
	static const uint64_t values[] = { 0, 1, 127, 128, UINT32_MAX, UINT64_MAX };
	char text[SHOAL_FLIGHT_TEXT_MAX + 30];
	size_t kinds = 0;
	(void)state;
	memset(text, 'x', sizeof text);
	for (unsigned kind = 0; kind < SHOAL_FLIGHT_KINDS; kind++) {
		const struct shoal_flight_shape *shape = shoal_flight_shape((enum shoal_flight_kind)kind);
		if (shape == NULL) {
			assert_int_equal(kind, SHOAL_FLIGHT_UNKNOWN);
			continue;
		}
		kinds++;
		for (unsigned other = 1; other < kind; other++)
			assert_string_not_equal(shape->name, shoal_flight_shape((enum shoal_flight_kind)other)->name);
		for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
			uint8_t raw[SHOAL_FLIGHT_RECORD_MAX];
			struct shoal_flight f = { .kind = (enum shoal_flight_kind)kind, .at = values[v] }, back;
			f.torrent = f.peer = (uint32_t)values[v];
			f.piece = values[v] == 0 ? SHOAL_FLIGHT_NONE : (uint32_t)values[v] - 1;
			for (size_t i = 0; i < terms_of(shape); i++)
				f.term[i] = values[v];
			f.text = shape->text ? shoal_bytes(text, sizeof text) : (struct shoal_bytes){ NULL, 0 };
			ptrdiff_t n = shoal_flight_encode(&f, (struct shoal_space){ raw, sizeof raw });
			assert_true(n > 0);
			for (size_t cut = 0; cut < (size_t)n; cut++)
				assert_int_equal(shoal_flight_decode(shoal_bytes(raw, cut), &back), 0);
			assert_int_equal(shoal_flight_decode(shoal_bytes(raw, (size_t)n), &back), n);
			f.text.len = shape->text ? SHOAL_FLIGHT_TEXT_MAX : 0;
			assert_same(&f, &back);
		}
	}
	assert_int_equal(kinds, SHOAL_FLIGHT_KINDS - 1);
	assert_null(shoal_flight_shape(SHOAL_FLIGHT_KINDS));
}

static void hostile_records(void **state)
{
	static const struct {
		const char *why;
		uint8_t raw[16];
		size_t len;
		ptrdiff_t want;
	} cases[] = {
		{ "a kind of a later version is passed over", { 200, 2, 1, 1 }, 4, 4 },
		{ "kind 0 too", { 0, 0 }, 2, 2 },
		{ "a body too short for its terms", { SHOAL_FLIGHT_PART, 4, 1, 1, 1, 1 }, 6, SHOAL_ERR_MALFORMED },
		{ "more than its terms", { SHOAL_FLIGHT_BACK, 5, 1, 1, 1, 1, 9 }, 7, SHOAL_ERR_MALFORMED },
		{ "a number not in its shortest form",
		  { SHOAL_FLIGHT_BACK, 5, 0x81, 0, 1, 1, 1 },
		  7,
		  SHOAL_ERR_MALFORMED },
		{ "a peer above 32 bits",
		  { SHOAL_FLIGHT_BACK, 8, 1, 1, 0xff, 0xff, 0xff, 0xff, 0x1f, 1 },
		  10,
		  SHOAL_ERR_MALFORMED },
		{ "a number above 64 bits",
		  { SHOAL_FLIGHT_BACK, 13, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 1, 1, 1 },
		  15,
		  SHOAL_ERR_MALFORMED },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct shoal_flight f;
		print_message("%s\n", cases[i].why);
		assert_int_equal(shoal_flight_decode(shoal_bytes(cases[i].raw, cases[i].len), &f), cases[i].want);
		assert_int_equal(f.kind, SHOAL_FLIGHT_UNKNOWN);
	}
}

static void the_head(void **state)
{
	struct shoal_flight_head h = { .unix_s = 1700000000, .began = 123456789, .hash_len = 20 }, back;
	uint8_t raw[SHOAL_FLIGHT_HEAD];
	(void)state;
	memset(h.hash, 0xab, 20);
	shoal_flight_head_encode(&h, raw);
	assert_int_equal(shoal_flight_head_decode(shoal_bytes(raw, sizeof raw), &back), 0);
	assert_memory_equal(&h, &back, sizeof h);
	for (size_t cut = 0; cut < sizeof raw; cut++)
		assert_int_equal(shoal_flight_head_decode(shoal_bytes(raw, cut), &back), SHOAL_ERR_MALFORMED);
	raw[9]++; /* a later version says so, however long its head is */
	assert_int_equal(shoal_flight_head_decode(shoal_bytes(raw, 16), &back), SHOAL_ERR_UNSUPPORTED);
	raw[9] -= 1;
	raw[26] = 21;
	assert_int_equal(shoal_flight_head_decode(shoal_bytes(raw, sizeof raw), &back), SHOAL_ERR_MALFORMED);
}

/* Numbered records through a ring that is too small: the newest are kept, in order, and the rest is counted. */
static void a_ring_keeps_the_newest(void **state)
{
	struct shoal_flight_ring r;
	uint8_t out[4096];
	(void)state;
	assert_int_equal(shoal_flight_ring_init(&r, 2 * SHOAL_FLIGHT_RECORD_MAX), 0);
	for (uint64_t round = 0, said = 0; round < 200; round++) {
		uint64_t batch = round % 90 + 1;
		for (uint64_t i = 0; i < batch; i++, said++) {
			struct shoal_flight f = { .kind = SHOAL_FLIGHT_PART, .at = said * 1000, .piece = 3 };
			f.term[0] = said;
			f.term[1] = said << said % 30;
			shoal_flight_ring_put(&r, &f);
		}
		uint64_t lost = 0, seen = 0, next = said - batch;
		for (size_t len; (len = shoal_flight_ring_take(&r, (struct shoal_space){ out, 300 })) > 0;) {
			struct shoal_flight f;
			ptrdiff_t n;
			for (size_t at = 0; at < len; at += (size_t)n) {
				n = shoal_flight_decode(shoal_bytes(out + at, len - at), &f);
				assert_true(n > 0);
				if (f.kind == SHOAL_FLIGHT_LOST) {
					assert_int_equal(seen, 0); /* it stands where the gap is */
					lost = f.term[0];
					continue;
				}
				if (seen++ == 0)
					next += lost;
				assert_int_equal(f.term[0], next);
				assert_int_equal(f.at, next * 1000);
				next++;
			}
		}
		assert_int_equal(lost + seen, batch);
		assert_int_equal(next, said);
		assert_true(batch < 20 || lost > 0 || seen == batch);
		assert_int_equal(r.used, 0);
	}
	shoal_flight_ring_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden),
		cmocka_unit_test(every_kind_there_and_back),
		cmocka_unit_test(hostile_records),
		cmocka_unit_test(the_head),
		cmocka_unit_test(a_ring_keeps_the_newest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
