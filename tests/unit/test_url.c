/* test_url.c - URLs that are taken apart, and all those that are refused; what may be shown of one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/compact.h"
#include "proto/url.h"

static struct shoal_bytes str(const char *s)
{
	return shoal_bytes(s, strlen(s));
}

static void good_ones_are_taken_apart(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum shoal_url_scheme scheme;
		const char *host;
		uint16_t port;
		const char *path, *query;
		bool is_addr;
	} good[] = {
		{ "http://a/", SHOAL_URL_HTTP, "a", 80, "/", "", false },
		{ "http://tracker.example.org/announce", SHOAL_URL_HTTP, "tracker.example.org", 80, "/announce", "",
		  false },
		{ "HTTPS://Tracker.Example.org:8443/x/announce.php?passkey=1&b=?/", SHOAL_URL_HTTPS,
		  "Tracker.Example.org", 8443, "/x/announce.php", "passkey=1&b=?/", false },
		{ "https://h", SHOAL_URL_HTTPS, "h", 443, "", "", false },
		{ "http://h?a=b", SHOAL_URL_HTTP, "h", 80, "", "a=b", false },
		{ "http://h/p#frag?no", SHOAL_URL_HTTP, "h", 80, "/p", "", false },
		{ "http://h/p?q#frag", SHOAL_URL_HTTP, "h", 80, "/p", "q", false },
		{ "http://h#frag", SHOAL_URL_HTTP, "h", 80, "", "", false },
		{ "udp://tracker.example:1337/announce", SHOAL_URL_UDP, "tracker.example", 1337, "/announce", "",
		  false },
		{ "udp://h:65535", SHOAL_URL_UDP, "h", 65535, "", "", false },
		{ "http://192.0.2.7:6969/announce", SHOAL_URL_HTTP, "192.0.2.7", 6969, "/announce", "", true },
		{ "http://[2001:db8::1]:6969/announce", SHOAL_URL_HTTP, "2001:db8::1", 6969, "/announce", "", true },
		{ "udp://[::ffff:127.0.0.1]:80", SHOAL_URL_UDP, "::ffff:127.0.0.1", 80, "", "", true },
		{ "http://localhost./", SHOAL_URL_HTTP, "localhost.", 80, "/", "", false },
		{ "http://xn--bcher-kva.example/", SHOAL_URL_HTTP, "xn--bcher-kva.example", 80, "/", "", false },
		{ "http://my_tracker.example/a b" /* cut below */, SHOAL_URL_HTTP, "my_tracker.example", 80, "/a", "",
		  false },
		{ "http://1.example/", SHOAL_URL_HTTP, "1.example", 80, "/", "", false },
		{ "http://0xbad.cafe/", SHOAL_URL_HTTP, "0xbad.cafe", 80, "/", "", false },
		{ "http://h/\xc3\xa4/@:[]", SHOAL_URL_HTTP, "h", 80, "/\xc3\xa4/@:[]", "", false },
	};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct shoal_url url;
		struct shoal_bytes text = str(good[i].text);
		const char *blank = strchr(good[i].text, ' ');
		print_message("%s\n", good[i].text);
		if (blank != NULL) {
			assert_int_equal(shoal_url_parse(text, &url), SHOAL_ERR_MALFORMED);
			text.len = (size_t)(blank - good[i].text);
		}
		assert_int_equal(shoal_url_parse(text, &url), 0);
		assert_int_equal(url.scheme, good[i].scheme);
		assert_true(shoal_bytes_equal(url.host, str(good[i].host)));
		assert_int_equal(url.port, good[i].port);
		assert_true(shoal_bytes_equal(url.path, str(good[i].path)));
		assert_true(shoal_bytes_equal(url.query, str(good[i].query)));
		assert_int_equal(url.is_addr, good[i].is_addr);
		if (url.is_addr) {
			struct shoal_addr want;
			assert_int_equal(shoal_addr_parse_ip(url.host, &want), 0);
			want.port = url.port;
			assert_true(shoal_addr_equal(&url.addr, &want));
		}
	}
}

static void bad_ones_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int want;
	} bad[] = {
		{ "", SHOAL_ERR_MALFORMED },
		{ "http", SHOAL_ERR_MALFORMED },
		{ "http:", SHOAL_ERR_MALFORMED },
		{ "http:/", SHOAL_ERR_MALFORMED },
		{ "http://", SHOAL_ERR_MALFORMED },
		{ "http:///announce", SHOAL_ERR_MALFORMED },
		{ "http:\\\\h\\", SHOAL_ERR_MALFORMED },
		{ "//h/announce", SHOAL_ERR_MALFORMED },
		{ "h/announce", SHOAL_ERR_MALFORMED },
		{ "://h/", SHOAL_ERR_MALFORMED },
		{ "1http://h/", SHOAL_ERR_MALFORMED },
		{ "ftp://h/", SHOAL_ERR_UNSUPPORTED },
		{ "file:///etc/passwd", SHOAL_ERR_UNSUPPORTED },
		{ "gopher://h/", SHOAL_ERR_UNSUPPORTED },
		{ "wss://h/", SHOAL_ERR_UNSUPPORTED },
		{ "httpx://h/", SHOAL_ERR_UNSUPPORTED },
		{ "http://user@h/", SHOAL_ERR_MALFORMED },
		{ "http://user:pass@h/", SHOAL_ERR_MALFORMED },
		{ "http://h@127.0.0.1/", SHOAL_ERR_MALFORMED },
		{ "http://h\\@127.0.0.1/", SHOAL_ERR_MALFORMED },
		{ "http://h:80@evil/", SHOAL_ERR_MALFORMED },
		{ "http://a b/", SHOAL_ERR_MALFORMED },
		{ " http://h/", SHOAL_ERR_MALFORMED },
		{ "http://h/\n", SHOAL_ERR_MALFORMED },
		{ "http://h/\r\nHost: x", SHOAL_ERR_MALFORMED },
		{ "http://h/\x7f", SHOAL_ERR_MALFORMED },
		{ "http://h/\x1b[2J", SHOAL_ERR_MALFORMED },
		{ "http://h:0/", SHOAL_ERR_MALFORMED },
		{ "http://h:/", SHOAL_ERR_MALFORMED },
		{ "http://h:080/", SHOAL_ERR_MALFORMED },
		{ "http://h:65536/", SHOAL_ERR_MALFORMED },
		{ "http://h:100000/", SHOAL_ERR_MALFORMED },
		{ "http://h:+80/", SHOAL_ERR_MALFORMED },
		{ "http://h:8a/", SHOAL_ERR_MALFORMED },
		{ "http://h:80:80/", SHOAL_ERR_MALFORMED },
		{ "udp://h/announce", SHOAL_ERR_MALFORMED }, /* no port, and none is usual */
		{ "http://.h/", SHOAL_ERR_MALFORMED },
		{ "http://a..b/", SHOAL_ERR_MALFORMED },
		{ "http://./", SHOAL_ERR_MALFORMED },
		{ "http://-a/", SHOAL_ERR_MALFORMED },
		{ "http://a-/", SHOAL_ERR_MALFORMED },
		{ "http://a-.b/", SHOAL_ERR_MALFORMED },
		{ "http://b\xc3\xbc"
		  "cher.example/",
		  SHOAL_ERR_MALFORMED },
		{ "http://%31%32%37.0.0.1/", SHOAL_ERR_MALFORMED },
		{ "http://a%2fb/", SHOAL_ERR_MALFORMED },
		/* one address in many a dress (T01) */
		{ "http://2130706433/", SHOAL_ERR_MALFORMED },
		{ "http://0x7f000001/", SHOAL_ERR_MALFORMED },
		{ "http://0X7F.1/", SHOAL_ERR_MALFORMED },
		{ "http://0x7f.0.0.0x1/", SHOAL_ERR_MALFORMED },
		{ "http://127.1/", SHOAL_ERR_MALFORMED },
		{ "http://127.0.1/", SHOAL_ERR_MALFORMED },
		{ "http://0177.0.0.1/", SHOAL_ERR_MALFORMED },
		{ "http://127.0.0.01/", SHOAL_ERR_MALFORMED },
		{ "http://127.0.0.1./", SHOAL_ERR_MALFORMED },
		{ "http://0/", SHOAL_ERR_MALFORMED },
		{ "http://0x/", SHOAL_ERR_MALFORMED },
		{ "http://256.0.0.1/", SHOAL_ERR_MALFORMED },
		{ "http://1.2.3.4.5/", SHOAL_ERR_MALFORMED },
		{ "http://[::1/", SHOAL_ERR_MALFORMED },
		{ "http://[::1]x/", SHOAL_ERR_MALFORMED },
		{ "http://[::1]80/", SHOAL_ERR_MALFORMED },
		{ "http://[]/", SHOAL_ERR_MALFORMED },
		{ "http://[127.0.0.1]/", SHOAL_ERR_MALFORMED },
		{ "http://[fe80::1%25eth0]/", SHOAL_ERR_MALFORMED },
		{ "http://[::1]]/", SHOAL_ERR_MALFORMED },
		{ "http://[[::1]]/", SHOAL_ERR_MALFORMED },
		{ "http://::1/", SHOAL_ERR_MALFORMED },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct shoal_url url;
		print_message("%s\n", bad[i].text);
		assert_int_equal(shoal_url_parse(str(bad[i].text), &url), bad[i].want);
	}
}

static void lengths_are_bounded(void **state)
{
	(void)state;
	char text[SHOAL_URL_MAX + 2];
	struct shoal_url url;
	memset(text, 'a', sizeof text);
	memcpy(text, "http://h/", 9);
	assert_int_equal(shoal_url_parse(shoal_bytes(text, SHOAL_URL_MAX), &url), 0);
	assert_int_equal(shoal_url_parse(shoal_bytes(text, SHOAL_URL_MAX + 1), &url), SHOAL_ERR_TOO_LONG);
	text[20] = '\0'; /* a NUL ends nothing here */
	assert_int_equal(shoal_url_parse(shoal_bytes(text, 100), &url), SHOAL_ERR_MALFORMED);
	for (size_t label = 62; label <= 65; label++) { /* a host of labels that long */
		for (size_t host = 250; host <= 256; host++) {
			memset(text, 'b', sizeof text);
			memcpy(text, "http://", 7);
			for (size_t i = label; i < host; i += label + 1)
				text[7 + i] = '.'; /* one at the end is the root */
			bool fits = label <= 63 && host <= SHOAL_URL_HOST_MAX;
			assert_int_equal(shoal_url_parse(shoal_bytes(text, 7 + host), &url),
					 fits ? 0 : SHOAL_ERR_MALFORMED);
		}
	}
}

static void a_hash_is_escaped(void **state)
{
	(void)state;
	static const uint8_t in[] = { 0x12, 'A', 'z', '0', '-', '.', '_', '~', '/', '+', ' ', '%', 0xff, 0 };
	static const char want[] = "%12Az0-._~%2F%2B%20%25%FF%00";
	char out[64];
	struct shoal_space room = { (uint8_t *)out, sizeof out };
	assert_int_equal(shoal_url_escape(shoal_bytes(in, sizeof in), room), sizeof want - 1);
	assert_string_equal(out, want);
	for (room.len = 0; room.len < sizeof want; room.len++)
		assert_int_equal(shoal_url_escape(shoal_bytes(in, sizeof in), room), SHOAL_ERR_TOO_LONG);
	assert_int_equal(shoal_url_escape(shoal_bytes(in, sizeof in), room), sizeof want - 1);
}

static void the_origin_shows_no_secret(void **state)
{
	(void)state;
	static const struct {
		const char *text, *want;
	} row[] = {
		{ "http://h/0123456789abcdef/announce", "http://h:80" },
		{ "https://t.example:8443?passkey=secret", "https://t.example:8443" },
		{ "udp://[2001:db8::1]:6969/secret", "udp://[2001:db8::1]:6969" },
	};
	char text[SHOAL_URL_ORIGIN_MAX], longest[400];
	struct shoal_url url;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		assert_int_equal(shoal_url_parse(str(row[i].text), &url), 0);
		assert_int_equal(shoal_url_origin(&url, text), strlen(row[i].want));
		assert_string_equal(text, row[i].want);
	}
	memset(longest, 'c', sizeof longest);
	memcpy(longest, "https://", 8);
	for (size_t i = 63; i < SHOAL_URL_HOST_MAX; i += 64)
		longest[8 + i] = '.';
	memcpy(longest + 8 + SHOAL_URL_HOST_MAX, ":65535/", 8);
	assert_int_equal(shoal_url_parse(str(longest), &url), 0);
	assert_int_equal(shoal_url_origin(&url, text), strlen(longest) - 1);
	assert_memory_equal(text, longest, strlen(longest) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_ones_are_taken_apart),  cmocka_unit_test(bad_ones_are_refused),
		cmocka_unit_test(lengths_are_bounded),	      cmocka_unit_test(a_hash_is_escaped),
		cmocka_unit_test(the_origin_shows_no_secret),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
