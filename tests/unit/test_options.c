/* test_options.c - tables of values good and bad; whole command lines against a table of every kind of option. */
#include "tools/options.h"
#include "tools/say.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void sizes_are_powers_of_1024(void **state)
{
	static const struct {
		const char *text;
		int want;
		uint64_t value;
	} cases[] = {
		{ "0", 0, 0 },
		{ "123", 0, 123 },
		{ "64K", 0, 65536 },
		{ "64k", 0, 65536 },
		{ "4M", 0, 4u << 20 },
		{ "4MiB", 0, 4u << 20 },
		{ "1G", 0, 1u << 30 },
		{ "2T", 0, UINT64_C(2) << 40 },
		{ "16777215T", 0, UINT64_C(16777215) << 40 },
		{ "16777216T", SHOAL_ERR_RANGE, 0 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", SHOAL_ERR_RANGE, 0 },
		{ "99999999999999999999999", SHOAL_ERR_RANGE, 0 },
		{ "", SHOAL_ERR_MALFORMED, 0 },
		{ "-1", SHOAL_ERR_MALFORMED, 0 },
		{ "+1", SHOAL_ERR_MALFORMED, 0 },
		{ " 1", SHOAL_ERR_MALFORMED, 0 },
		{ "1.5M", SHOAL_ERR_MALFORMED, 0 },
		{ "1MB", SHOAL_ERR_MALFORMED, 0 },
		{ "1X", SHOAL_ERR_MALFORMED, 0 },
		{ "M", SHOAL_ERR_MALFORMED, 0 },
		{ "0x10", SHOAL_ERR_MALFORMED, 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint64_t value = 0;
		print_message("%s\n", cases[i].text);
		assert_int_equal(shoal_options_size(cases[i].text, &value), cases[i].want);
		if (cases[i].want == 0)
			assert_true(value == cases[i].value);
	}
}

static void classes_by_name_and_number(void **state)
{
	static const struct {
		const char *text;
		int want;
		uint32_t code;
	} cases[] = {
		{ "LE", 0, 1 },
		{ "le", 0, 1 },
		{ "CS0", 0, 0 },
		{ "cs1", 0, 8 },
		{ "AF11", 0, 10 },
		{ "AF43", 0, 38 },
		{ "EF", 0, 46 },
		{ "0", 0, 0 },
		{ "63", 0, 63 },
		{ "64", SHOAL_ERR_RANGE, 0 },
		{ "AF44", SHOAL_ERR_MALFORMED, 0 },
		{ "CS", SHOAL_ERR_MALFORMED, 0 },
		{ "-1", SHOAL_ERR_MALFORMED, 0 },
		{ "0x20", SHOAL_ERR_MALFORMED, 0 },
		{ "", SHOAL_ERR_MALFORMED, 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint32_t code = 99;
		print_message("%s\n", cases[i].text);
		assert_int_equal(shoal_options_dscp(cases[i].text, &code), cases[i].want);
		assert_int_equal(code, cases[i].want == 0 ? cases[i].code : 99);
	}
}

static void counts_and_seconds(void **state)
{
	uint32_t n = 7;
	shoal_us us = 0;
	(void)state;
	assert_int_equal(shoal_options_count("4294967295", &n), 0);
	assert_int_equal(n, UINT32_MAX);
	assert_int_equal(shoal_options_count("4294967296", &n), SHOAL_ERR_RANGE);
	assert_int_equal(shoal_options_count("", &n), SHOAL_ERR_MALFORMED);
	assert_int_equal(shoal_options_count("3k", &n), SHOAL_ERR_MALFORMED);
	assert_int_equal(shoal_options_seconds("1.5", &us), 0);
	assert_int_equal(us, 1500000);
	assert_int_equal(shoal_options_seconds("0", &us), 0);
	assert_int_equal(us, 0);
	assert_int_equal(shoal_options_seconds("1e3", &us), SHOAL_ERR_MALFORMED);
	assert_int_equal(shoal_options_seconds("nan", &us), SHOAL_ERR_MALFORMED);
	assert_int_equal(shoal_options_seconds("-1", &us), SHOAL_ERR_MALFORMED);
	assert_int_equal(shoal_options_seconds("1.2.3", &us), SHOAL_ERR_MALFORMED);
	assert_int_equal(shoal_options_seconds("99999999999", &us), SHOAL_ERR_RANGE);
}

static void addresses_to_listen_on(void **state)
{
	static const struct {
		const char *text;
		int want;
		size_t count;
		bool v4;
		uint16_t port;
	} cases[] = {
		{ "127.0.0.1:6881", 0, 1, true, 6881 },
		{ "0.0.0.0:0", 0, 1, true, 0 },
		{ "[::1]:80", 0, 1, false, 80 },
		{ ":6881", 0, 2, true, 6881 },
		{ "*:6881", 0, 2, true, 6881 },
		{ "::1:80", SHOAL_ERR_MALFORMED, 0, false, 0 },
		{ "127.0.0.1", SHOAL_ERR_MALFORMED, 0, false, 0 },
		{ "127.0.0.1:", SHOAL_ERR_MALFORMED, 0, false, 0 },
		{ "127.0.0.1:65536", SHOAL_ERR_RANGE, 0, false, 0 },
		{ "127.0.0.1:1x", SHOAL_ERR_MALFORMED, 0, false, 0 },
		{ "host.example:1", SHOAL_ERR_MALFORMED, 0, false, 0 },
		{ "", SHOAL_ERR_MALFORMED, 0, false, 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct shoal_opt_listen got = { .count = 0 };
		print_message("%s\n", cases[i].text);
		assert_int_equal(shoal_options_listen(cases[i].text, &got), cases[i].want);
		assert_int_equal(got.count, cases[i].count);
		if (got.count) {
			assert_int_equal(got.addr[0].is_v4, cases[i].v4);
			assert_int_equal(got.addr[0].port, cases[i].port);
		}
	}
	struct shoal_opt_listen full = { .count = SHOAL_LISTEN_MAX };
	assert_int_equal(shoal_options_listen("127.0.0.1:1", &full), SHOAL_ERR_RANGE);
}

/* ---- whole command lines ------------------------------------------------------------- */
static struct {
	bool flag, on;
	const char *text;
	struct shoal_opt_list list, peers, args;
	uint64_t size;
	uint32_t count;
	shoal_us wait;
	int choice;
	struct shoal_opt_listen listen;
} got;

static const struct shoal_opt first[] = {
	{ SHOAL_OPT_FLAG, "flag", 'f', &got.flag, NULL, NULL, "" },
	{ SHOAL_OPT_NO, "no-thing", 0, &got.on, NULL, NULL, "" },
	{ SHOAL_OPT_TEXT, "text", 't', &got.text, "TEXT", NULL, "" },
	{ SHOAL_OPT_LIST, "list", 'l', &got.list, "X", NULL, "" },
	{ .kind = SHOAL_OPT_END },
};
static const struct shoal_opt second[] = {
	{ SHOAL_OPT_HEADING, .help = "more" },
	{ SHOAL_OPT_SIZE, "size", 0, &got.size, "SIZE", NULL, "" },
	{ SHOAL_OPT_COUNT, "count", 'n', &got.count, "N", NULL, "" },
	{ SHOAL_OPT_SECONDS, "wait", 0, &got.wait, "S", NULL, "" },
	{ SHOAL_OPT_CHOICE, "choice", 0, &got.choice, "one|two|three", "three", "" },
	{ SHOAL_OPT_PEER, "peer", 0, &got.peers, "P", NULL, "" },
	{ SHOAL_OPT_LISTEN, "listen", 0, &got.listen, "L", NULL, "" },
	{ SHOAL_OPT_OFF, "no-dht", 0, NULL, NULL, NULL, NULL },
	{ SHOAL_OPT_UNBUILT, "warp", 0, NULL, NULL, NULL, NULL },
	{ SHOAL_OPT_UNBUILT, "proxy", 0, NULL, "URL", NULL, NULL },
	{ .kind = SHOAL_OPT_END },
};

#define ARGS_MAX 8
static int parse(const char *const words[ARGS_MAX])
{
	static const struct shoal_opt_page page = { "usage", "about", NULL };
	const struct shoal_opt *const tables[] = { first, second, NULL };
	struct shoal_tool tool = { .command = "test" };
	char copy[ARGS_MAX + 1][64], *argv[ARGS_MAX + 2];
	int argc = 1;
	snprintf(copy[0], sizeof copy[0], "test");
	argv[0] = copy[0];
	for (size_t i = 0; i < ARGS_MAX && words[i]; i++) {
		snprintf(copy[argc], sizeof copy[argc], "%s", words[i]);
		argv[argc] = copy[argc];
		argc++;
	}
	argv[argc] = NULL;
	shoal_opt_list_fini(&got.list);
	shoal_opt_list_fini(&got.peers);
	shoal_opt_list_fini(&got.args);
	memset(&got, 0, sizeof got);
	got.on = true;
	int rc = shoal_options_parse(&tool, &page, tables, argc, argv, &got.args);
	/* argv dies here: only counts and numbers are looked at, and texts copied. */
	static char text[64];
	if (got.text) {
		snprintf(text, sizeof text, "%s", got.text);
		got.text = text;
	}
	return rc;
}
#define PARSE(...) parse((const char *const[ARGS_MAX]){ __VA_ARGS__ })

static void good_lines(void **state)
{
	(void)state;
	assert_int_equal(PARSE(NULL), 0);
	assert_int_equal(got.args.count, 0);
	assert_true(got.on);
	assert_int_equal(PARSE("a", "--flag", "b", "--text", "x", "c"), 0);
	assert_int_equal(got.args.count, 3); /* options after arguments count too */
	assert_true(got.flag);
	assert_string_equal(got.text, "x");
	assert_int_equal(PARSE("--no-thing", "--size=4M", "-n7", "-f", "-l", "1", "--list", "2"), 0);
	assert_false(got.on);
	assert_int_equal(got.size, 4 << 20);
	assert_int_equal(got.count, 7);
	assert_int_equal(got.list.count, 2);
	assert_int_equal(PARSE("--choice", "two", "--wait", "2", "--no-dht", "--", "--flag"), 0);
	assert_int_equal(got.choice, 1);
	assert_int_equal(got.wait, 2000000);
	assert_int_equal(got.args.count, 1);
	assert_false(got.flag); /* after "--" it is an argument */
	assert_int_equal(PARSE("--peer", "host.example:80", "--peer", "[::1]:6881", "--listen", ":0"), 0);
	assert_int_equal(got.peers.count, 2);
	assert_int_equal(got.listen.count, 2);
}

static void bad_lines_are_usage(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--nonsense"), SHOAL_ERR_USAGE);
	assert_int_equal(PARSE("-x"), SHOAL_ERR_USAGE);
	assert_int_equal(PARSE("--text"), SHOAL_ERR_USAGE);
	assert_int_equal(PARSE("-t"), SHOAL_ERR_USAGE);
	assert_int_equal(PARSE("--flag=1"), SHOAL_ERR_USAGE);
	assert_int_equal(PARSE("--size", "much"), SHOAL_ERR_USAGE);
	assert_int_equal(PARSE("--count", "-1"), SHOAL_ERR_USAGE);
	assert_int_equal(PARSE("--choice", "four"), SHOAL_ERR_USAGE);
	assert_int_equal(PARSE("--choice", "on"), SHOAL_ERR_USAGE);
	assert_int_equal(PARSE("--peer", "host"), SHOAL_ERR_USAGE);
	assert_int_equal(PARSE("--peer", "host:0"), SHOAL_ERR_USAGE);
	assert_int_equal(PARSE("--listen", "nowhere"), SHOAL_ERR_USAGE);
	/* Not built yet: known, and refused. */
	assert_int_equal(PARSE("--warp"), SHOAL_ERR_USAGE);
	assert_int_equal(PARSE("--proxy", "socks5://x"), SHOAL_ERR_USAGE);
	assert_int_equal(PARSE("--choice", "three"), SHOAL_ERR_USAGE);
}

static void help_stops(void **state)
{
	(void)state;
	assert_int_equal(PARSE("a", "--help", "--nonsense"), 1);
	assert_int_equal(PARSE("-h"), 1);
}

static int clean(void **state)
{
	(void)state;
	shoal_opt_list_fini(&got.list);
	shoal_opt_list_fini(&got.peers);
	shoal_opt_list_fini(&got.args);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_powers_of_1024),   cmocka_unit_test(counts_and_seconds),
		cmocka_unit_test(addresses_to_listen_on),     cmocka_unit_test(good_lines),
		cmocka_unit_test(bad_lines_are_usage),	      cmocka_unit_test(help_stops),
		cmocka_unit_test(classes_by_name_and_number),
	};
	return cmocka_run_group_tests(tests, NULL, clean);
}
