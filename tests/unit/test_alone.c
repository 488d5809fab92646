/* test_alone.c - what is said to whoever waits for peers in vain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tools/alone.h"

static void each_case_has_its_words(void **state)
{
	static const struct {
		struct shoal_alone a;
		const char *words;
	} cases[] = {
		{ { .dht = true, .trackers = 1 }, "this host has no way to other networks; is it connected?" },
		{ { .peers = 1 }, "no peer that was named answers, and this host has no way to other networks" },
		{ { .peers = 2, .mute = 1 },
		  "who was named is there, and ends the connection without a word: it may not have this torrent" },
		{ { .route = true, .dht = true, .dht_nodes = 9, .peers = 2, .mute = 1 },
		  "who was named is there, and ends the connection without a word: it may not have this torrent" },
		{ { .route = true, .dht = true }, "no node of the DHT answers; does a firewall let nothing out?" },
		{ { .proxy = true, .dht = true }, "no node of the DHT answers; does the proxy let us out?" },
		{ { .route = true, .trackers = 2 }, "no tracker answers; does a firewall let nothing out?" },
		{ { .route = true, .dht = true, .trackers = 1, .peers = 1 },
		  "no node of the DHT and no tracker answers, nor does any peer that was named; does a firewall let "
		  "nothing out?" },
		{ { .route = true, .dht = true, .dht_nodes = 9 },
		  "the DHT answers, and nobody was found who can be reached" },
		{ { .route = true, .dht = true, .dht_nodes = 9, .trackers = 3, .answering = 1 },
		  "the DHT and a tracker answer, and nobody was found who can be reached" },
		{ { .route = true, .trackers = 3, .answering = 1 },
		  "a tracker answers, and nobody was found who can be reached" },
		{ { .route = true, .trackers = 3, .answering = 2 },
		  "trackers answer, and nobody was found who can be reached" },
		{ { .trackers = 1, .answering = 1, .peers = 4 },
		  "others are known, and none of them can be reached: they may be gone, or behind routers that let "
		  "nobody in" },
		{ { .route = true, .peers = 2 }, "no peer that was named answers" },
		{ { .route = true }, "nobody is known who could be asked" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char out[SHOAL_ALONE_TEXT_MAX];
		assert_string_equal(shoal_alone_text(&cases[i].a, out), cases[i].words);
	}
}

static void a_seed_is_told_why_nobody_comes(void **state)
{
	static const struct {
		struct shoal_alone a;
		const char *words; /* NULL: there is nothing to say */
	} cases[] = {
		{ { .dht = true }, "this host has no way to other networks; is it connected?" },
		{ { .route = true, .dht = true, .trackers = 1, .unmapped = true },
		  "no node of the DHT and no tracker answers; does a firewall let nothing out?" },
		{ { .route = true, .dht = true, .dht_nodes = 9, .unmapped = true, .port = 6881 },
		  "no router maps our port (NAT-PMP, UPnP); where there is one, forward port 6881, TCP and UDP, to "
		  "this host" },
		{ { .route = true, .trackers = 2, .answering = 1, .unmapped = true, .port = 7000 },
		  "no router maps our port (NAT-PMP, UPnP); where there is one, forward port 7000, TCP and UDP, to "
		  "this host" },
		{ { .route = true, .dht = true, .dht_nodes = 9 }, NULL },
		{ { .route = true }, NULL }, /* it asked nobody: it is for those who were told */
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char out[SHOAL_ALONE_TEXT_MAX];
		const char *said = shoal_alone_seed_text(&cases[i].a, out);
		assert_int_equal(said != NULL, cases[i].words != NULL);
		if (said != NULL)
			assert_string_equal(said, cases[i].words);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_case_has_its_words),
					    cmocka_unit_test(a_seed_is_told_why_nobody_comes) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
