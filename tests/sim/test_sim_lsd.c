/* test_sim_lsd.c - neighbours that are heard and told of torrents (BEP 14). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/lsd.h"
#include "swarm/core/node_room.h"
#include "tests/sim/strangers.h"

static void hear(struct strangers *w, const struct shoal_addr *from, uint16_t port, const char *cookie)
{
	uint8_t raw[SHOAL_LSD_BYTES];
	struct shoal_lsd lsd = { .port = port, .count = 2, .cookie = shoal_bytes(cookie, strlen(cookie)) };
	memset(lsd.hash[0].b, 9, 20);
	memcpy(lsd.hash[1].b, w->hash, 20);
	ptrdiff_t n = shoal_lsd_encode(&lsd, true, (struct shoal_space){ raw, sizeof raw });
	assert_true(n > 0);
	shoal_node_datagram(w->node, from, shoal_bytes(raw, (size_t)n), true, w->now);
}

static void neighbours_are_heard(void **state)
{
	(void)state;
	for (int quiet = 0; quiet < 3; quiet++) {
		struct strangers *w = strangers_new(
			&(struct strangers_options){ .torrent = true,
						     .is_private = quiet == 1,
						     .quiet = quiet == 2 ? SHOAL_QUIET_LSD : 0,
						     .shouts = true });
		struct shoal_addr from = strangers_addr("192.168.1.7:6771");
		hear(w, &from, 7000, "somebody");
		strangers_run(w, SHOAL_S(1));
		assert_int_equal(strangers_dials_to(w, &from, 0) > 0, quiet == 0);
		assert_int_equal(w->shouted > 0, quiet == 0);
		if (quiet == 0)
			assert_int_equal(w->dial[0].to.port, 7000);
		/* Ten a second are listened to. */
		for (unsigned i = 0; i < 50; i++) {
			from = strangers_v4(0xc0a80200u + i, 6771);
			hear(w, &from, 7000, "");
		}
		strangers_run(w, SHOAL_S(2));
		size_t heard = 0;
		for (unsigned i = 0; i < 50; i++) {
			from = strangers_v4(0xc0a80200u + i, 6771);
			heard += strangers_dials_to(w, &from, 0) > 0;
		}
		assert_int_equal(heard, quiet == 0 ? SHOAL_LSD_HEARD : 0);
		strangers_free(w);
	}
}

static void a_torrent_is_shouted_about_every_five_minutes(void **state)
{
	struct shoal_lsd lsd;
	(void)state;
	struct strangers *w = strangers_new(&(struct strangers_options){ .torrent = true, .shouts = true });
	strangers_run(w, SHOAL_S(2));
	assert_int_equal(w->shouted, 1);
	for (int v4 = 0; v4 < 2; v4++) {
		assert_int_equal(shoal_lsd_decode(shoal_bytes(w->shout[v4], w->shout_len[v4]), &lsd), 0);
		assert_int_equal(lsd.port, STRANGER_PORT);
		assert_int_equal(lsd.count, 1);
		assert_memory_equal(lsd.hash[0].b, w->hash, 20);
		assert_int_equal(lsd.cookie.len, SHOAL_LSD_COOKIE);
	}
	/* Our own voice is nobody. */
	struct shoal_addr us = strangers_addr("192.168.1.5:6771");
	shoal_node_datagram(w->node, &us, shoal_bytes(w->shout[1], w->shout_len[1]), true, w->now);
	strangers_run(w, SHOAL_S(5));
	assert_int_equal(strangers_dials_to(w, &us, 0), 0);
	strangers_run(w, SHOAL_S(290));
	assert_int_equal(w->shouted, 1);
	strangers_run(w, SHOAL_S(10));
	assert_int_equal(w->shouted, 2);
	strangers_run(w, SHOAL_S(3000));
	assert_int_equal(w->shouted, 12);
	strangers_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(neighbours_are_heard),
		cmocka_unit_test(a_torrent_is_shouted_about_every_five_minutes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
