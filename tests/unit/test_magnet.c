/* test_magnet.c - links as people and engines write them, hostile ones (M09), and parse after format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/magnet.h"
#include "proto/text.h"
#include "tests/unit/torrents.h"

#define V1 "0123456789abcdef0123456789abcdef01234567"
#define V1_32 "AERUKZ4JVPG66AJDIVTYTK6N54ASGRLH"
#define V2 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static int parse(struct shoal_magnet *m, const char *text, size_t len, char what[160])
{
	uint8_t *copy = malloc(len ? len : 1);
	assert_non_null(copy);
	memcpy(copy, text, len);
	int rc = shoal_magnet_parse(m, shoal_bytes(copy, len), what);
	free(copy);
	return rc;
}

/* The link written again; "" for no hash at all. */
static void expect(const char *text, int want_rc, const char *want)
{
	struct shoal_magnet m;
	char what[160], again[4096];
	int rc = parse(&m, text, strlen(text), what);
	if (rc != want_rc)
		print_message("%s: %d %s\n", text, rc, what);
	assert_int_equal(rc, want_rc);
	if (rc < 0) {
		assert_true(what[0] != 0);
		return;
	}
	ptrdiff_t len = shoal_magnet_format(&m, (struct shoal_space){ (uint8_t *)again, sizeof again });
	assert_int_equal(len, strlen(want));
	assert_string_equal(again, want);
	for (size_t room = 0; room <= (size_t)len; room++)
		assert_int_equal(shoal_magnet_format(&m, (struct shoal_space){ (uint8_t *)again, room }),
				 SHOAL_ERR_TOO_LONG);
	shoal_magnet_fini(&m);
}

static void links_are_read_and_written_in_one_form(void **state)
{
	(void)state;
	static const char h1[] = "magnet:?xt=urn:btih:" V1, h2[] = "magnet:?xt=urn:btmh:1220" V2;
	expect(h1, 0, h1);
	expect(h2, 0, h2);
	expect(V1, 0, h1);
	expect(V1_32, 0, h1);
	expect(V2, 0, h2);
	expect("1220" V2, 0, h2);
	expect("  " V1 "\n", 0, h1);
	expect("0123456789ABCDEF0123456789ABCDEF01234567", 0, h1);
	expect("MAGNET:?XT=URN:BTIH:" V1, 0, h1);
	expect("magnet:?xt=urn%3Abtih%3A" V1, 0, h1);
	expect("magnet:?xt=urn:btih:aerukz4jvpg66ajdivtytk6n54asgrlh", 0, h1);
	expect("magnet:?xt=urn:btih:" V1 "&xt=urn:btih:" V1_32, 0, h1); /* twice the same */
	expect("magnet:?xt.1=urn:btmh:1220" V2 "&xt.2=urn:btih:" V1, 0,
	       "magnet:?xt=urn:btih:" V1 "&xt=urn:btmh:1220" V2); /* v1 first */
	expect("magnet:?xt=urn:sha1:WHATEVER&xt=urn:btih:" V1, 0, h1);
	expect("magnet:?dn=a+b%2Bc&xt=urn:btih:" V1
	       "&amp;tr=udp%3A%2F%2Fa%3A1&tr.1=udp://a:1&tr=http://b/x?y%26z&ws=http://w/"
	       "&x.pe=1.2.3.4:5&x.pe=[::1]:6&so=0,2,4-6&xl=5&unknown=1",
	       0,
	       "magnet:?xt=urn:btih:" V1
	       "&dn=a%20b%2Bc&tr=udp%3A%2F%2Fa%3A1&tr=http%3A%2F%2Fb%2Fx%3Fy%26z&ws=http%3A%2F%2Fw%2F"
	       "&x.pe=1.2.3.4:5&x.pe=[::1]:6&so=0,2,4-6");
	expect("magnet:?xt=urn:btih:" V1 "&dn=x%00y&tr=a%00b&tr=a%0ab&tr=a%20b&tr=&ws=&dn=second", 0,
	       "magnet:?xt=urn:btih:" V1 "&dn=x_y"); /* NULs and blanks never reach a URL */
	expect("magnet:?xt=urn:btih:" V1 "&dn=%&tr=%a&tr=%%&tr=%zz", 0,
	       "magnet:?xt=urn:btih:" V1 "&dn=%25&tr=%25a&tr=%25%25&tr=%25zz");
	expect("magnet:?&&=&=x&dn&xt=urn:btih:" V1 "&&", 0, h1);
	expect("magnet:?xt=urn:btih:" V1 "&trx=udp://no&tr.=udp://no&tr.a=udp://no&x=y", 0, h1);
}

#define KEY "8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e"

static void names_of_the_dht(void **state)
{
	(void)state;
	expect("magnet:?xs=urn:btpk:" KEY, 0, "magnet:?xs=urn:btpk:" KEY); /* BEP 46 */
	expect("magnet:?s=6e&xs=urn:btpk:" KEY "&dn=x", 0, "magnet:?xs=urn:btpk:" KEY "&s=6e&dn=x");
	expect("magnet:?xt=urn:btih:" V1 "&xs=urn:btpk:" KEY, 0, "magnet:?xt=urn:btih:" V1 "&xs=urn:btpk:" KEY);
	expect("magnet:?xt=urn:btih:" V1 "&xs=http://a/b", 0,
	       "magnet:?xt=urn:btih:" V1); /* other sources are no concern of ours */
	expect("magnet:?xs=http://a/b", SHOAL_ERR_UNSUPPORTED, NULL);
	expect("magnet:?xs=urn:btpk:" KEY "0", SHOAL_ERR_MALFORMED, NULL);
	expect("magnet:?xs=urn:btpk:12", SHOAL_ERR_MALFORMED, NULL);
	expect("magnet:?xs=urn:btpk:" KEY "&s=6", SHOAL_ERR_MALFORMED, NULL);
	expect("magnet:?xs=urn:btpk:" KEY "&s=" V2 V2 "00", SHOAL_ERR_MALFORMED, NULL);
}

static void what_is_no_link_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int err;
	} bad[] = {
		{ "", SHOAL_ERR_MALFORMED },
		{ "magnet:", SHOAL_ERR_MALFORMED },
		{ "magnet:?", SHOAL_ERR_UNSUPPORTED },
		{ "magnet:?dn=x", SHOAL_ERR_UNSUPPORTED },
		{ "magnet:?xt=urn:sha1:ABC", SHOAL_ERR_UNSUPPORTED },
		{ "magnet:?xt=urn:btmh:1114" V1, SHOAL_ERR_UNSUPPORTED }, /* another multihash */
		{ "magnet:?xt=urn:btih:", SHOAL_ERR_MALFORMED },
		{ "magnet:?xt=urn:btih:" V1 "0", SHOAL_ERR_MALFORMED },
		{ "magnet:?xt=urn:btih:" V1 "00", SHOAL_ERR_MALFORMED },
		{ "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef0123456", SHOAL_ERR_MALFORMED }, /* odd */
		{ "magnet:?xt=urn:btih:g123456789abcdef0123456789abcdef01234567", SHOAL_ERR_MALFORMED },
		{ "magnet:?xt=urn:btih:AERUKZ4JVPG66AJDIVTYTK6N54ASGRL1", SHOAL_ERR_MALFORMED },
		{ "magnet:?xt=urn:btih:AERUKZ4JVPG66AJDIVTYTK6N54ASGRL", SHOAL_ERR_MALFORMED },
		{ "magnet:?xt=urn:btmh:1220" V1, SHOAL_ERR_MALFORMED },
		{ "magnet:?xt=urn:btmh:1220" V2 "00", SHOAL_ERR_MALFORMED },
		{ "magnet:?xt=urn:btih:" V1 "&xt=urn:btih:1123456789abcdef0123456789abcdef01234567",
		  SHOAL_ERR_MALFORMED },
		{ "http://example/x.torrent", SHOAL_ERR_MALFORMED },
		{ "g123456789abcdef0123456789abcdef01234567", SHOAL_ERR_MALFORMED },
		{ "1114" V2, SHOAL_ERR_MALFORMED },
		{ "magnet", SHOAL_ERR_MALFORMED },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		expect(bad[i].text, bad[i].err, NULL);
}

static void every_cut_is_read_or_refused(void **state)
{
	(void)state;
	static const char text[] = "magnet:?xt=urn:btih:" V1 "&dn=a%20b&tr=udp%3A%2F%2Fa&x.pe=[::1]:6&so=0-2";
	for (size_t cut = 0; cut < sizeof text; cut++) {
		struct shoal_magnet m;
		char what[160];
		int rc = parse(&m, text, cut, what);
		assert_int_equal(rc == 0, cut >= 20 + 40); /* with 32 digits it is no base32: there is a 0 */
		if (rc == 0) {
			assert_true(m.has_v1);
			shoal_magnet_fini(&m);
		}
	}
}

static void lists_are_bounded_and_time_is_linear(void **state)
{
	(void)state;
	struct grow g = { 0 };
	struct shoal_magnet m;
	char what[160];
	grow_print(&g, "magnet:?xt=urn:btih:" V1);
	while (g.len < SHOAL_MAGNET_BYTES_MAX - 40)
		grow_print(&g, "&tr=u%zu&ws=w%zu&x.pe=p%zu", g.len, g.len, g.len);
	clock_t from = clock();
	assert_int_equal(parse(&m, g.at, g.len, what), 0);
	assert_int_equal(m.tracker_count, SHOAL_MAGNET_LIST_MAX);
	assert_int_equal(m.webseed_count, SHOAL_MAGNET_LIST_MAX);
	assert_int_equal(m.peer_count, SHOAL_MAGNET_LIST_MAX);
	shoal_magnet_fini(&m);
	g.len = 0;
	grow_print(&g, "magnet:?xt=urn:btih:" V1);
	while (g.len < SHOAL_MAGNET_BYTES_MAX)
		grow_put(&g, "%", 1);
	assert_int_equal(parse(&m, g.at, SHOAL_MAGNET_BYTES_MAX, what), SHOAL_ERR_MALFORMED);
	grow_put(&g, "%", 1);
	assert_int_equal(parse(&m, g.at, g.len, what), SHOAL_ERR_TOO_LONG);
	assert_true((double)(clock() - from) / CLOCKS_PER_SEC < 1.0);
	grow_fini(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(links_are_read_and_written_in_one_form),
		cmocka_unit_test(names_of_the_dht),
		cmocka_unit_test(what_is_no_link_is_refused),
		cmocka_unit_test(every_cut_is_read_or_refused),
		cmocka_unit_test(lists_are_bounded_and_time_is_linear),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
