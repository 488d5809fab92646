/* test_utp_loss.c - lost or late: acks of the test's own making, one packet at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "tests/unit/own_utp_hand.h"

#define PAYLOAD (SHOAL_UTP_MTU_SAFE - SHOAL_UTP_HEAD)
#define RTT SHOAL_MS(3) /* too short to be paced */

/* All up to `ack` came, and of those behind the missing one `early`, bit by bit. */
static void say_ack(struct hand *h, uint16_t ack, uint8_t early)
{
	uint8_t sack[4] = { early };
	struct shoal_utp_head head = { .type = SHOAL_UTP_STATE, .id = 8, .seq = 3, .ack = ack, .window = HAND_WINDOW };
	if (early != 0)
		head.sack = shoal_bytes(sack, sizeof sack);
	hand_say(h, &h->from, head, SHOAL_LIT(""));
}

static void turn(struct hand *h)
{
	line_run(&h->line, h->line.now, NULL);
}

/* To whom it may send. */
static void begin(struct hand *h)
{
	hand_open(h);
	hand_dial(h);
	hand_data(h, 2, SHOAL_LIT("x"));
	turn(h);
	assert_int_equal(h->line.kept_count, 1);
}

/* It sends so many packets, full ones; the number of the first. */
static uint16_t send(struct hand *h, unsigned count)
{
	static uint8_t body[PAYLOAD];
	struct shoal_transport *t = h->line.kept[0];
	struct shoal_bytes v = { body, sizeof body };
	uint16_t first = h->next;
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(t->ops->send(t, &v, 1, false), PAYLOAD);
	turn(h);
	assert_int_equal((uint16_t)(h->next - first), count);
	return first;
}

/* Rounds in which all comes in order. */
static void rounds(struct hand *h, unsigned count, unsigned packets)
{
	while (count-- > 0) {
		send(h, packets);
		h->line.now += RTT;
		say_ack(h, (uint16_t)(h->next - 1), 0);
		turn(h);
	}
}

static uint64_t window(const struct hand *h)
{
	return shoal_utp_look(h->line.kept[0]).window;
}

static struct shoal_utp_stats stats(const struct hand *h)
{
	return shoal_utp_stats(h->line.utp[1]);
}

/* One was late and one of the same window is lost: the first costs nothing, the other what a loss costs. */
static void a_loss_behind_one_that_was_late_has_its_price(void **state)
{
	static struct hand h;
	(void)state;
	begin(&h);
	for (unsigned packets = 4; packets <= 16; packets *= 2)
		rounds(&h, 1, packets);
	uint64_t whole = window(&h);
	uint16_t first = send(&h, 16);
	h.line.now += RTT;
	say_ack(&h, (uint16_t)(first - 1), 0x0f);
	assert_true(window(&h) < whole);
	say_ack(&h, (uint16_t)(first + 4), 0);
	assert_int_equal(stats(&h).undone, 1);
	assert_true(window(&h) >= whole);

	whole = window(&h);
	say_ack(&h, (uint16_t)(first + 7), 0x7f); /* the ninth lacks, all others are there */
	h.line.now += 2 * RTT;
	turn(&h);
	assert_int_equal(stats(&h).resent, 1);
	assert_true(window(&h) < whole * 3 / 4);
	hand_close(&h);
}

/* Whether the first of some packets is sent again as soon as four have passed it; it has come, then. */
static bool lost_at_once(struct hand *h)
{
	uint64_t before = stats(h).resent;
	uint16_t first = send(h, 5);
	h->line.now += RTT;
	say_ack(h, (uint16_t)(first - 1), 0x0f);
	turn(h);
	bool lost = stats(h).resent > before;
	h->line.now += lost ? RTT : SHOAL_MS(1) / 2;
	say_ack(h, (uint16_t)(h->next - 1), 0);
	turn(h);
	return lost;
}

/* Who once was late is waited for, and not for ever. */
static void lateness_is_forgotten(void **state)
{
	static struct hand h;
	(void)state;
	begin(&h);
	for (unsigned packets = 4; packets <= 16; packets *= 2)
		rounds(&h, 1, packets);
	assert_true(lost_at_once(&h));
	uint16_t first = send(&h, 4);
	h.line.now += RTT;
	say_ack(&h, (uint16_t)(first - 1), 0x03);
	h.line.now += SHOAL_MS(1) / 2;
	say_ack(&h, (uint16_t)(h.next - 1), 0);
	assert_false(lost_at_once(&h));
	rounds(&h, 100, 4);
	assert_true(lost_at_once(&h));
	hand_close(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loss_behind_one_that_was_late_has_its_price),
		cmocka_unit_test(lateness_is_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
