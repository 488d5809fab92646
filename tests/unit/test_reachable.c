/* test_reachable.c - where strangers' URLs may lead from a host with loopback alone, and from one in 10/8 too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "swarm/io/addr.h"
#include "swarm/io/reachable.h"
#include "tests/unit/own_net.h"

static const struct {
	const char *ip;
	bool lonely, in_ten; /* may be gone to by a host that has 127.0.0.1 and ::1; and 10.9.0.2 too */
} rows[] = {
	{ "1.1.1.1", true, true },
	{ "2606:4700::1111", true, true },
	{ "127.0.0.1", false, false },
	{ "127.8.9.10", false, false },
	{ "::1", false, false },
	{ "0.0.0.0", false, false },
	{ "::", false, false },
	{ "::ffff:127.0.0.1", false, false },
	{ "64:ff9b::7f00:1", false, false },
	{ "2002:7f00:1::", false, false },
	{ "169.254.169.254", false, false },
	{ "fe80::1", false, false },
	{ "224.0.0.1", false, false },
	{ "ff02::1", false, false },
	{ "255.255.255.255", false, false },
	{ "192.168.1.1", false, false },
	{ "172.16.0.1", false, false },
	{ "100.64.0.1", false, false },
	{ "fd00::1", false, false },
	{ "fec0::1", false, false },
	{ "10.9.0.2", false, true },
	{ "10.255.0.1", false, true },
	{ "::ffff:10.9.0.3", false, true },
	{ "64:ff9b::a09:3", false, false },
};

static void check(bool in_ten)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct shoal_addr addr;
		bool want = in_ten ? rows[i].in_ten : rows[i].lonely;
		print_message("%s\n", rows[i].ip);
		assert_int_equal(shoal_addr_host(rows[i].ip, 80, &addr), 0);
		assert_int_equal(shoal_reachable_by_strangers(&addr), want);
		assert_int_equal(shoal_reachable_neighbour(&addr), want && !rows[i].lonely);
	}
}

static void a_host_alone_has_no_neighbours(void **state)
{
	(void)state;
	check(false);
}

static void a_host_in_ten_has_those_in_ten(void **state)
{
	(void)state;
	own_net_address("10.9.0.2");
	check(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_alone_has_no_neighbours),
		cmocka_unit_test(a_host_in_ten_has_those_in_ten),
	};
	own_net();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
