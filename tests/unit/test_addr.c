/* test_addr.c - endpoints as people write them and as the system has them: there, back, and what is none. */
#include "swarm/io/addr.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

static const struct {
	const char *text;
	int want;
	const char *host;
	uint16_t port;
} texts[] = {
	{ "1.2.3.4:6881", 0, "1.2.3.4", 6881 },
	{ "[2001:db8::1]:65535", 0, "2001:db8::1", 65535 },
	{ "host.example:1", 0, "host.example", 1 },
	{ "", SHOAL_ERR_MALFORMED, NULL, 0 },
	{ ":", SHOAL_ERR_MALFORMED, NULL, 0 },
	{ ":80", SHOAL_ERR_MALFORMED, NULL, 0 },
	{ "host", SHOAL_ERR_MALFORMED, NULL, 0 },
	{ "host:", SHOAL_ERR_MALFORMED, NULL, 0 },
	{ "host:0", SHOAL_ERR_MALFORMED, NULL, 0 },
	{ "host:65536", SHOAL_ERR_MALFORMED, NULL, 0 },
	{ "host:99999999999999999999", SHOAL_ERR_MALFORMED, NULL, 0 },
	{ "host:8x", SHOAL_ERR_MALFORMED, NULL, 0 },
	{ "host:-1", SHOAL_ERR_MALFORMED, NULL, 0 },
	{ "::1:6881", SHOAL_ERR_MALFORMED, NULL, 0 },
	{ "[]:1", SHOAL_ERR_MALFORMED, NULL, 0 },
	{ "[::1:1", SHOAL_ERR_MALFORMED, NULL, 0 },
};

static void addresses_read_as_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		char host[SHOAL_HOST_MAX] = "";
		uint16_t port = 0;
		print_message("\"%s\"\n", texts[i].text);
		struct shoal_bytes text = { (const uint8_t *)texts[i].text, strlen(texts[i].text) };
		assert_int_equal(shoal_addr_split(text, host, &port), texts[i].want);
		if (texts[i].want == 0) {
			assert_string_equal(host, texts[i].host);
			assert_int_equal(port, texts[i].port);
		}
	}
	char host[SHOAL_HOST_MAX], longest[300];
	uint16_t port;
	memset(longest, 'a', sizeof longest);
	memcpy(longest + 256, ":80", 3);
	assert_int_equal(shoal_addr_split((struct shoal_bytes){ (uint8_t *)longest, 259 }, host, &port),
			 SHOAL_ERR_TOO_LONG);
	memcpy(longest + 255, ":80", 3);
	assert_int_equal(shoal_addr_split((struct shoal_bytes){ (uint8_t *)longest, 258 }, host, &port), 0);
	assert_int_equal(strlen(host), 255);
	assert_int_equal(shoal_addr_split((struct shoal_bytes){ (const uint8_t *)"a\0b:80", 6 }, host, &port),
			 SHOAL_ERR_MALFORMED);
	struct shoal_addr at;
	char out[SHOAL_ADDR_TEXT_MAX];
	assert_int_equal(shoal_addr_host("name", 1, &at), SHOAL_ERR_MALFORMED);
	assert_int_equal(shoal_addr_host("[1.2.3.4]", 1, &at), SHOAL_ERR_MALFORMED);
	assert_int_equal(shoal_addr_host("[2001:db8::1]", 65535, &at), 0);
	assert_string_equal(shoal_addr_text(&at, out), "[2001:db8::1]:65535");
	assert_int_equal(shoal_addr_host("255.255.255.255", 65535, &at), 0);
	assert_string_equal(shoal_addr_text(&at, out), "255.255.255.255:65535");
}

static struct shoal_addr addr(const char *host, uint16_t port)
{
	struct shoal_addr at;
	assert_int_equal(shoal_addr_host(host, port, &at), 0);
	return at;
}

static void addresses_survive_the_system_form(void **state)
{
	static const char *const hosts[] = { "1.2.3.4", "::1", "2001:db8:1:2:3:4:5:6" };
	struct sockaddr_storage sys;
	struct shoal_addr at, again;
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		at = addr(hosts[i], 4711);
		socklen_t len = shoal_addr_to_sys(&at, &sys);
		assert_true(shoal_addr_from_sys((struct sockaddr *)&sys, len, &again));
		assert_memory_equal(&at, &again, sizeof at);
		assert_false(shoal_addr_from_sys((struct sockaddr *)&sys, len - 1, &again));
	}
	at = addr("::ffff:1.2.3.4", 80);
	socklen_t len = shoal_addr_to_sys(&at, &sys);
	assert_true(shoal_addr_from_sys((struct sockaddr *)&sys, len, &again));
	at = addr("1.2.3.4", 80);
	assert_memory_equal(&at, &again, sizeof at);
	sys.ss_family = AF_UNIX;
	assert_false(shoal_addr_from_sys((struct sockaddr *)&sys, sizeof sys, &again));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_read_as_the_table_says),
		cmocka_unit_test(addresses_survive_the_system_form),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
