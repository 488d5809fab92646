/* own_pw.c - see own_pw.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/own_pw.h"

#include <stdlib.h>
#include <string.h>

void own_pw_init(struct own_pw *r, bool greeted)
{
	assert_int_equal(shoal_pw_new(&r->pw, 5), 0);
	r->bounce = malloc(SHOAL_PW_BOUNCE);
	assert_non_null(r->bounce);
	memset(r->bounce, 0xbb, SHOAL_PW_BOUNCE);
	if (!greeted)
		return;
	struct shoal_wire_handshake hs = { .can = 15 };
	uint8_t raw[SHOAL_WIRE_HANDSHAKE_LEN];
	struct shoal_pw_event ev;
	shoal_wire_handshake_encode(&hs, raw);
	assert_int_equal(shoal_pw_space(r->pw, r->v, SHOAL_PW_SPANS), 1);
	memcpy(r->v[0].at, raw, sizeof raw);
	shoal_pw_filled(r->pw, sizeof raw, r->bounce, 6);
	assert_int_equal(shoal_pw_poll(r->pw, &ev), 1);
	assert_int_equal(ev.kind, SHOAL_PW_HANDSHAKE);
	assert_int_equal(ev.handshake.can, 15);
	assert_int_equal(shoal_pw_poll(r->pw, &ev), 1);
	assert_int_equal(ev.kind, SHOAL_PW_PEER_ID);
	assert_int_equal(shoal_pw_poll(r->pw, &ev), 0);
	shoal_pw_terms(r->pw, 0, true, true, true);
}

void own_pw_fini(struct own_pw *r)
{
	shoal_pw_free(r->pw);
	free(r->bounce);
}

void own_pw_feed(struct own_pw *r, const void *at, size_t len, shoal_us now)
{
	const uint8_t *in = at;
	size_t left = len;
	r->n = shoal_pw_space(r->pw, r->v, SHOAL_PW_SPANS);
	for (size_t i = 0; i < r->n && left > 0; i++) {
		size_t part = r->v[i].len < left ? r->v[i].len : left;
		memcpy(r->v[i].at, in, part);
		in += part;
		left -= part;
	}
	assert_int_equal(left, 0);
	shoal_pw_filled(r->pw, len, r->bounce, now);
}

int own_pw_kind(struct own_pw *r, struct shoal_pw_event *ev)
{
	int rc = shoal_pw_poll(r->pw, ev);
	return rc > 0 ? (int)ev->kind : rc == 0 ? OWN_PW_IDLE : rc;
}

bool own_pw_bounce_untouched(const struct own_pw *r)
{
	for (size_t i = 0; i < SHOAL_PW_BOUNCE; i++)
		if (r->bounce[i] != 0xbb)
			return false;
	return true;
}

uint8_t own_pw_slot[SHOAL_PW_FORECAST + 4][SHOAL_WIRE_BLOCK_MAX];

size_t own_pw_expect(struct shoal_pw_expect *want, size_t n)
{
	for (size_t i = 0; i < n; i++)
		want[i] = (struct shoal_pw_expect){ 3, (uint32_t)i * 16384, 16384, own_pw_slot[i] };
	return n;
}

size_t own_pw_block(uint8_t *to, uint32_t piece, uint32_t begin, uint32_t len, uint8_t fill)
{
	shoal_wire_piece_head(to, piece, begin, len);
	memset(to + SHOAL_WIRE_PIECE_HEAD, fill, len);
	return SHOAL_WIRE_PIECE_HEAD + len;
}
