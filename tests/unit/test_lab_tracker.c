/* test_lab_tracker.c - the tracker of a real run: who is told of whom, and what no request does to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/bytes.h"
#include "tools/lab/real/tracker.h"
#include "tools/lab/real/wires.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_tracker_tells_of_those_that_are_there),
		cmocka_unit_test(no_request_harms_the_tracker),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
