/* own_utp_hand.c - peers who are played by hand; see own_utp_hand.h. */
#include "tests/unit/own_utp_hand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/bytes.h"

static bool tap_catch(struct line *l, int from, struct shoal_bytes data)
{
	struct hand *h = (struct hand *)(void *)l;
	size_t len = data.len < sizeof h->raw ? data.len : sizeof h->raw;
	if (from != 1)
		return true;
	h->count++;
	h->bytes += data.len;
	memcpy(h->raw, data.at, len);
	assert_int_equal(shoal_utp_decode(shoal_bytes(h->raw, len), &h->last), 0);
	if (h->last.type == SHOAL_UTP_DATA && !shoal_utp_before(h->last.seq, h->next))
		h->next = (uint16_t)(h->last.seq + 1);
	return false;
}

void hand_open(struct hand *h)
{
	memset(h, 0, sizeof *h);
	line_open(&h->line, &(struct line_options){ .seed = 1 });
	h->line.tap = tap_catch;
}

void hand_close(struct hand *h)
{
	line_close(&h->line);
}

struct shoal_addr hand_stranger(uint32_t i)
{
	return (struct shoal_addr){ { 198, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i },
				    (uint16_t)(1024 + i % 60000),
				    1 };
}

void hand_say(struct hand *h, const struct shoal_addr *from, struct shoal_utp_head head, struct shoal_bytes payload)
{
	uint8_t raw[1500];
	size_t n = shoal_utp_encode(&head, raw);
	assert_true(n + payload.len <= sizeof raw);
	if (payload.len > 0)
		memcpy(raw + n, payload.at, payload.len);
	line_forge(&h->line, 1, from, shoal_bytes(raw, n + payload.len));
}

void hand_dial(struct hand *h)
{
	h->from = hand_stranger(1);
	hand_say(h, &h->from, (struct shoal_utp_head){ .type = SHOAL_UTP_SYN, .id = 7, .seq = 1 }, SHOAL_LIT(""));
	line_run(&h->line, h->line.now + SHOAL_MS(1), NULL);
	assert_int_equal(h->last.type, SHOAL_UTP_STATE);
	h->next = h->last.seq;
	h->ack = (uint16_t)(h->next - 1);
}

void hand_data(struct hand *h, uint16_t seq, struct shoal_bytes payload)
{
	hand_say(h, &h->from,
		 (struct shoal_utp_head){
			 .type = SHOAL_UTP_DATA, .id = 8, .seq = seq, .ack = h->ack, .window = HAND_WINDOW },
		 payload);
}
