/* test_proxy.c - SOCKS5 and HTTP CONNECT: golden talks in every cut, answers of all kinds, URLs, datagrams. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/proxy.h"

static const struct shoal_proxy_to by_name = { "tracker.example", { .port = 6969, .is_v4 = 1 } };
static const struct shoal_proxy_to by_addr = { NULL, { .ip = { 192, 0, 2, 7 }, .port = 6881, .is_v4 = 1 } };
static const struct shoal_proxy_to by_addr6 = { NULL, { .ip = { 0x20, 1, 0xd, 0xb8, [15] = 9 }, .port = 80 } };

/* ---- URLs ------------------------------------------------------------------------------------- */

static void urls_are_taken_apart(void **state)
{
	static const struct {
		const char *url;
		int want;
		enum shoal_proxy_kind kind;
		const char *host;
		unsigned port;
		const char *user, *pass;
	} cases[] = {
		{ "socks5://127.0.0.1:9050", 0, SHOAL_PROXY_SOCKS5, "127.0.0.1", 9050, "", "" },
		{ "SOCKS5H://proxy.lan", 0, SHOAL_PROXY_SOCKS5, "proxy.lan", 1080, "", "" },
		{ "http://u%40x:p%3aq@h:3128/", 0, SHOAL_PROXY_HTTP, "h", 3128, "u@x", "p:q" },
		{ "http://u:a@b@h", 0, SHOAL_PROXY_HTTP, "h", 8080, "u", "a@b" },
		{ "socks5://me@[::1]:1", 0, SHOAL_PROXY_SOCKS5, "::1", 1, "me", "" },
		{ "socks5://[fe80::1]", 0, SHOAL_PROXY_SOCKS5, "fe80::1", 1080, "", "" },
		{ "ftp://h", SHOAL_ERR_UNSUPPORTED, 0, "", 0, "", "" },
		{ "socks4://h", SHOAL_ERR_UNSUPPORTED, 0, "", 0, "", "" },
		{ "h:1080", SHOAL_ERR_MALFORMED, 0, "", 0, "", "" },
		{ "socks5://", SHOAL_ERR_MALFORMED, 0, "", 0, "", "" },
		{ "socks5://:1080", SHOAL_ERR_MALFORMED, 0, "", 0, "", "" },
		{ "socks5://h:0", SHOAL_ERR_MALFORMED, 0, "", 0, "", "" },
		{ "socks5://h:65536", SHOAL_ERR_MALFORMED, 0, "", 0, "", "" },
		{ "socks5://h:", SHOAL_ERR_MALFORMED, 0, "", 0, "", "" },
		{ "socks5://h/path", SHOAL_ERR_MALFORMED, 0, "", 0, "", "" },
		{ "socks5://[::1", SHOAL_ERR_MALFORMED, 0, "", 0, "", "" },
		{ "socks5://:pw@h", SHOAL_ERR_MALFORMED, 0, "", 0, "", "" },
		{ "socks5://u%00:p@h", SHOAL_ERR_MALFORMED, 0, "", 0, "", "" },
		{ "socks5://a b", SHOAL_ERR_MALFORMED, 0, "", 0, "", "" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct shoal_proxy p;
		print_message("%s\n", cases[i].url);
		assert_int_equal(shoal_proxy_parse(cases[i].url, &p), cases[i].want);
		if (cases[i].want < 0)
			continue;
		assert_int_equal(p.kind, cases[i].kind);
		assert_string_equal(p.host, cases[i].host);
		assert_int_equal(p.port, cases[i].port);
		assert_string_equal(p.user, cases[i].user);
		assert_string_equal(p.pass, cases[i].pass);
	}
}

static void long_words_are_refused(void **state)
{
	char url[600] = "socks5://";
	struct shoal_proxy p;
	(void)state;
	memset(url + 9, 'a', 255);
	memcpy(url + 9 + 255, "@h", 3);
	assert_int_equal(shoal_proxy_parse(url, &p), 0);
	memset(url + 9, 'a', 256);
	memcpy(url + 9 + 256, "@h", 3);
	assert_int_equal(shoal_proxy_parse(url, &p), SHOAL_ERR_TOO_LONG);
	memset(url + 9, 'h', 254);
	url[9 + 254] = '\0';
	assert_int_equal(shoal_proxy_parse(url, &p), SHOAL_ERR_TOO_LONG);
}

/* ---- talks ---------------------------------------------------------------------------------------- */

struct talk {
	const char *why, *url;
	enum shoal_proxy_ask ask;
	const struct shoal_proxy_to *to;
	struct shoal_bytes says, answers; /* all we say; all it answers (and perhaps more) */
	int want;
	size_t rest; /* of the answers, not read */
};

#define S(text)                                           \
	{                                                 \
		(const uint8_t *)(text), sizeof(text) - 1 \
	}
static const struct talk talks[] = {
	{ "by address", "socks5://p", SHOAL_PROXY_CONNECT, &by_addr, S("\5\1\0\5\1\0\1\xc0\0\2\7\x1a\xe1"),
	  S("\5\0\5\0\0\1\1\2\3\4\5\6then"), 1, 4 },
	{ "by name", "socks5://p", SHOAL_PROXY_CONNECT, &by_name, S("\5\1\0\5\1\0\3\17tracker.example\x1b\x39"),
	  S("\5\0\5\0\0\3\3abc\0\1"), 1, 0 },
	{ "over IPv6", "socks5://p", SHOAL_PROXY_CONNECT, &by_addr6,
	  S("\5\1\0\5\1\0\4\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x09\0\x50"),
	  S("\5\0\5\0\0\4"
	    "0123456789abcdef"
	    "\1\2"),
	  1, 0 },
	{ "with words", "socks5://me:pw@p", SHOAL_PROXY_CONNECT, &by_addr,
	  S("\5\2\0\2\1\2me\2pw\5\1\0\1\xc0\0\2\7\x1a\xe1"), S("\5\2\1\0\5\0\0\1\0\0\0\0\0\0"), 1, 0 },
	{ "words not needed", "socks5://me:pw@p", SHOAL_PROXY_CONNECT, &by_addr,
	  S("\5\2\0\2\5\1\0\1\xc0\0\2\7\x1a\xe1"), S("\5\0\5\0\0\1\0\0\0\0\0\0"), 1, 0 },
	{ "datagrams", "socks5://p", SHOAL_PROXY_DATAGRAMS, &(struct shoal_proxy_to){ .addr.is_v4 = 1 },
	  S("\5\1\0\5\3\0\1\0\0\0\0\0\0"), S("\5\0\5\0\0\1\x0a\0\0\1\x1f\x90"), 1, 0 },
	{ "wrong words", "socks5://me:no@p", SHOAL_PROXY_CONNECT, &by_addr, S("\5\2\0\2\1\2me\2no"), S("\5\2\1\1"),
	  SHOAL_ERR_DENIED, 0 },
	{ "words wanted, none here", "socks5://p", SHOAL_PROXY_CONNECT, &by_addr, S("\5\1\0"), S("\5\2"),
	  SHOAL_ERR_DENIED, 0 },
	{ "no method will do", "socks5://p", SHOAL_PROXY_CONNECT, &by_addr, S("\5\1\0"), S("\5\xff"), SHOAL_ERR_DENIED,
	  0 },
	{ "SOCKS4", "socks5://p", SHOAL_PROXY_CONNECT, &by_addr, S("\5\1\0"), S("\4\0"), SHOAL_ERR_MALFORMED, 0 },
	{ "another version later", "socks5://p", SHOAL_PROXY_CONNECT, &by_addr, S("\5\1\0\5\1\0\1\xc0\0\2\7\x1a\xe1"),
	  S("\5\0\4\0\0\1\1"), SHOAL_ERR_MALFORMED, 0 },
	{ "refused there", "socks5://p", SHOAL_PROXY_CONNECT, &by_addr, S("\5\1\0\5\1\0\1\xc0\0\2\7\x1a\xe1"),
	  S("\5\0\5\5\0\1\0"), SHOAL_ERR_REFUSED, 0 },
	{ "not allowed", "socks5://p", SHOAL_PROXY_CONNECT, &by_addr, S("\5\1\0\5\1\0\1\xc0\0\2\7\x1a\xe1"),
	  S("\5\0\5\2\0\1\0"), SHOAL_ERR_DENIED, 0 },
	{ "an address of no kind", "socks5://p", SHOAL_PROXY_CONNECT, &by_addr, S("\5\1\0\5\1\0\1\xc0\0\2\7\x1a\xe1"),
	  S("\5\0\5\0\0\2\0"), SHOAL_ERR_MALFORMED, 0 },
	{ "HTTP", "http://p", SHOAL_PROXY_CONNECT, &by_addr,
	  S("CONNECT 192.0.2.7:6881 HTTP/1.1\r\nHost: 192.0.2.7:6881\r\n\r\n"),
	  S("HTTP/1.1 200 Connection established\r\nVia: \r\r\n\r\n\23Bit"), 1, 4 },
	{ "HTTP by name, with words", "http://u:pwd@p", SHOAL_PROXY_CONNECT, &by_name,
	  S("CONNECT tracker.example:6969 HTTP/1.1\r\nHost: tracker.example:6969\r\nProxy-Authorization: Basic "
	    "dTpwd2Q=\r\n\r\n"),
	  S("HTTP/1.0 200 OK\r\n\r\n"), 1, 0 },
	{ "HTTP over IPv6", "http://p", SHOAL_PROXY_CONNECT, &by_addr6,
	  S("CONNECT [2001:db8:0:0:0:0:0:9]:80 HTTP/1.1\r\nHost: [2001:db8:0:0:0:0:0:9]:80\r\n\r\n"),
	  S("HTTP/1.1 204 x\r\n\r\n"), 1, 0 },
	{ "HTTP wants words", "http://p", SHOAL_PROXY_CONNECT, &by_addr,
	  S("CONNECT 192.0.2.7:6881 HTTP/1.1\r\nHost: 192.0.2.7:6881\r\n\r\n"),
	  S("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"), SHOAL_ERR_DENIED, 0 },
	{ "HTTP has no way", "http://p", SHOAL_PROXY_CONNECT, &by_addr,
	  S("CONNECT 192.0.2.7:6881 HTTP/1.1\r\nHost: 192.0.2.7:6881\r\n\r\n"), S("HTTP/1.1 502 Bad\r\n\r\n"),
	  SHOAL_ERR_NET, 0 },
	{ "not HTTP", "http://p", SHOAL_PROXY_CONNECT, &by_addr,
	  S("CONNECT 192.0.2.7:6881 HTTP/1.1\r\nHost: 192.0.2.7:6881\r\n\r\n"), S("SS"), SHOAL_ERR_MALFORMED, 1 },
};

static void run(const struct talk *want, size_t cut)
{
	struct shoal_proxy proxy;
	struct shoal_proxy_talk t;
	uint8_t said[600];
	size_t n = 0, at = 0;
	int rc = 0;
	assert_int_equal(shoal_proxy_parse(want->url, &proxy), 0);
	assert_int_equal(shoal_proxy_begin(&t, &proxy, want->ask, want->to), 0);
	while (rc == 0) {
		struct shoal_bytes out = shoal_proxy_output(&t);
		while (out.len > 0) {
			size_t k = out.len < cut ? out.len : cut;
			assert_true(n + k <= sizeof said);
			memcpy(said + n, out.at, k);
			n += k;
			shoal_proxy_sent(&t, k);
			out = shoal_proxy_output(&t);
		}
		struct shoal_space room = shoal_proxy_space(&t);
		assert_true(room.len > 0);
		size_t k = room.len < cut ? room.len : cut;
		k = k < want->answers.len - at ? k : want->answers.len - at;
		assert_true(k > 0);
		memcpy(room.at, want->answers.at + at, k);
		at += k;
		rc = shoal_proxy_filled(&t, k);
	}
	assert_int_equal(rc, want->want);
	assert_int_equal(want->answers.len - at, want->rest);
	assert_int_equal(n, want->says.len);
	assert_memory_equal(said, want->says.at, n);
	assert_int_equal(shoal_proxy_output(&t).len, 0);
	if (want->ask == SHOAL_PROXY_DATAGRAMS) {
		assert_int_equal(t.bound.port, 8080);
		assert_int_equal(t.bound.ip[0], 10);
	}
}

static void talks_go_as_they_should_in_any_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof talks / sizeof *talks; i++) {
		print_message("%s\n", talks[i].why);
		for (size_t cut = 1; cut < 30; cut++)
			run(&talks[i], cut);
	}
}

static void an_answer_without_end_ends(void **state)
{
	struct shoal_proxy proxy;
	struct shoal_proxy_talk t;
	int rc = 0;
	(void)state;
	assert_int_equal(shoal_proxy_parse("http://p", &proxy), 0);
	assert_int_equal(shoal_proxy_begin(&t, &proxy, SHOAL_PROXY_CONNECT, &by_addr), 0);
	for (size_t i = 0; rc == 0; i++) {
		static const char head[] = "HTTP/1.1 200 ";
		assert_true(i <= SHOAL_PROXY_ANSWER_MAX);
		shoal_proxy_space(&t).at[0] = i < sizeof head - 1 ? (uint8_t)head[i] : 'x';
		rc = shoal_proxy_filled(&t, 1);
	}
	assert_int_equal(rc, SHOAL_ERR_TOO_LONG);
	assert_int_equal(shoal_proxy_begin(&t, &proxy, SHOAL_PROXY_DATAGRAMS, &by_addr), SHOAL_ERR_UNSUPPORTED);
}

/* ---- datagrams ---------------------------------------------------------------------------------------- */

static void datagrams_carry_their_address(void **state)
{
	static const struct {
		const char *why;
		struct shoal_bytes in;
		int want;
		size_t data;
	} cases[] = {
		{ "IPv4", S("\0\0\0\1\1\2\3\4\0\x50hello"), 0, 5 },
		{ "IPv6",
		  S("\0\0\0\4"
		    "0123456789abcdef"
		    "\0\x50"
		    "x"),
		  0, 1 },
		{ "empty", S("\0\0\0\1\1\2\3\4\0\x50"), 0, 0 },
		{ "a fragment", S("\0\0\1\1\1\2\3\4\0\x50hello"), SHOAL_ERR_MALFORMED, 0 },
		{ "a name", S("\0\0\0\3\1a\0\x50hello"), SHOAL_ERR_MALFORMED, 0 },
		{ "reserved bits", S("\0\1\0\1\1\2\3\4\0\x50hello"), SHOAL_ERR_MALFORMED, 0 },
		{ "cut short", S("\0\0\0\1\1\2\3\4\0"), SHOAL_ERR_MALFORMED, 0 },
		{ "nothing", S(""), SHOAL_ERR_MALFORMED, 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct shoal_addr from;
		struct shoal_bytes data;
		print_message("%s\n", cases[i].why);
		assert_int_equal(shoal_proxy_datagram(cases[i].in, &from, &data), cases[i].want);
		if (cases[i].want == 0) {
			assert_int_equal(data.len, cases[i].data);
			assert_int_equal(from.port, 80);
		}
	}
	uint8_t head[SHOAL_PROXY_HEAD_MAX];
	struct shoal_space room = { head, sizeof head };
	assert_int_equal(shoal_proxy_head(&by_addr, room), 10);
	assert_memory_equal(head, "\0\0\0\1\xc0\0\2\7\x1a\xe1", 10);
	assert_int_equal(shoal_proxy_head(&by_name, room), 3 + 2 + 15 + 2);
	assert_memory_equal(head, "\0\0\0\3\17tracker.example\x1b\x39", 22);
	assert_int_equal(shoal_proxy_head(&by_addr6, (struct shoal_space){ head, 21 }), SHOAL_ERR_TOO_LONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls_are_taken_apart),
		cmocka_unit_test(long_words_are_refused),
		cmocka_unit_test(talks_go_as_they_should_in_any_cut),
		cmocka_unit_test(an_answer_without_end_ends),
		cmocka_unit_test(datagrams_carry_their_address),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
