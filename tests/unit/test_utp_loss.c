/* test_utp_loss.c - lost or late: acks of the test's own making, one packet at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/utp_wire.h"
#include "tests/unit/own_utp.h"

#define PAYLOAD (SHOAL_UTP_MTU_SAFE - SHOAL_UTP_HEAD)
#define RTT SHOAL_MS(3) /* too short to be paced */

/* We are a stranger, to whom the node sends. */
struct peer {
	struct line line; /* first */
	struct shoal_addr at;
	struct shoal_utp_head said; /* by the node, last */
	uint16_t nxt;		    /* behind the last data it sent */
};

static bool tap_data(struct line *l, int from, struct shoal_bytes data)
{
	struct peer *p = (struct peer *)(void *)l;
	if (from != 1)
		return true;
	assert_int_equal(shoal_utp_decode(data, &p->said), 0);
	if (p->said.type == SHOAL_UTP_DATA && !shoal_utp_before(p->said.seq, p->nxt))
		p->nxt = (uint16_t)(p->said.seq + 1);
	return false;
}

static void say(struct peer *p, struct shoal_utp_head h, struct shoal_bytes payload)
{
	uint8_t raw[100];
	h.window = 1u << 20;
	size_t n = shoal_utp_encode(&h, raw);
	memcpy(raw + n, payload.at, payload.len);
	line_forge(&p->line, 1, &p->at, shoal_bytes(raw, n + payload.len));
}

/* All up to `ack` came, and of those behind the missing one `early`, bit by bit. */
static void say_ack(struct peer *p, uint16_t ack, uint8_t early)
{
	uint8_t sack[4] = { early };
	struct shoal_utp_head h = { .type = SHOAL_UTP_STATE, .id = 8, .seq = 3, .ack = ack };
	if (early != 0)
		h.sack = shoal_bytes(sack, sizeof sack);
	say(p, h, SHOAL_LIT(""));
}

static void turn(struct peer *p)
{
	line_run(&p->line, p->line.now, NULL);
}

static void peer_open(struct peer *p)
{
	line_open(&p->line, &(struct line_options){ .seed = 1 });
	p->at = (struct shoal_addr){ { 198, 51, 100, 1 }, 7000, 1 };
	p->line.tap = tap_data;
	say(p, (struct shoal_utp_head){ .type = SHOAL_UTP_SYN, .id = 7, .seq = 1 }, SHOAL_LIT(""));
	turn(p);
	p->nxt = p->said.seq;
	say(p, (struct shoal_utp_head){ .type = SHOAL_UTP_DATA, .id = 8, .seq = 2, .ack = (uint16_t)(p->said.seq - 1) },
	    SHOAL_LIT("x"));
	turn(p);
	assert_int_equal(p->line.kept_count, 1);
}

/* It sends so many packets, full ones; the number of the first. */
static uint16_t send(struct peer *p, unsigned count)
{
	static uint8_t body[PAYLOAD];
	struct shoal_transport *t = p->line.kept[0];
	struct shoal_bytes v = { body, sizeof body };
	uint16_t first = p->nxt;
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(t->ops->send(t, &v, 1, false), PAYLOAD);
	turn(p);
	assert_int_equal((uint16_t)(p->nxt - first), count);
	return first;
}

/* Rounds in which all comes in order. */
static void rounds(struct peer *p, unsigned count, unsigned packets)
{
	while (count-- > 0) {
		send(p, packets);
		p->line.now += RTT;
		say_ack(p, (uint16_t)(p->nxt - 1), 0);
		turn(p);
	}
}

static uint64_t window(const struct peer *p)
{
	return shoal_utp_look(p->line.kept[0]).window;
}

static struct shoal_utp_stats stats(const struct peer *p)
{
	return shoal_utp_stats(p->line.utp[1]);
}

/* One was late and one of the same window is lost: the first costs nothing, the other what a loss costs. */
static void a_loss_behind_one_that_was_late_has_its_price(void **state)
{
	static struct peer p;
	(void)state;
	peer_open(&p);
	for (unsigned packets = 4; packets <= 16; packets *= 2)
		rounds(&p, 1, packets);
	uint64_t whole = window(&p);
	uint16_t first = send(&p, 16);
	p.line.now += RTT;
	say_ack(&p, (uint16_t)(first - 1), 0x0f);
	assert_true(window(&p) < whole);
	say_ack(&p, (uint16_t)(first + 4), 0);
	assert_int_equal(stats(&p).undone, 1);
	assert_true(window(&p) >= whole);

	whole = window(&p);
	say_ack(&p, (uint16_t)(first + 7), 0x7f); /* the ninth lacks, all others are there */
	p.line.now += 2 * RTT;
	turn(&p);
	assert_int_equal(stats(&p).resent, 1);
	assert_true(window(&p) < whole * 3 / 4);
	line_close(&p.line);
}

/* Whether the first of some packets is sent again as soon as four have passed it; it has come, then. */
static bool lost_at_once(struct peer *p)
{
	uint64_t before = stats(p).resent;
	uint16_t first = send(p, 5);
	p->line.now += RTT;
	say_ack(p, (uint16_t)(first - 1), 0x0f);
	turn(p);
	bool lost = stats(p).resent > before;
	p->line.now += lost ? RTT : SHOAL_MS(1) / 2;
	say_ack(p, (uint16_t)(p->nxt - 1), 0);
	turn(p);
	return lost;
}

/* Who once was late is waited for, and not for ever. */
static void lateness_is_forgotten(void **state)
{
	static struct peer p;
	(void)state;
	peer_open(&p);
	for (unsigned packets = 4; packets <= 16; packets *= 2)
		rounds(&p, 1, packets);
	assert_true(lost_at_once(&p));
	uint16_t first = send(&p, 4);
	p.line.now += RTT;
	say_ack(&p, (uint16_t)(first - 1), 0x03);
	p.line.now += SHOAL_MS(1) / 2;
	say_ack(&p, (uint16_t)(p.nxt - 1), 0);
	assert_false(lost_at_once(&p));
	rounds(&p, 100, 4);
	assert_true(lost_at_once(&p));
	line_close(&p.line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loss_behind_one_that_was_late_has_its_price),
		cmocka_unit_test(lateness_is_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
