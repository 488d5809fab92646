/* test_krpc.c - the messages of BEP 5, 33, 42, 44 and 51 as they stand there, hostile ones, every cut, there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dht/krpc.h"
#include "proto/base/bytes.h"

#define ID_A "abcdefghij0123456789"
#define ID_B "mnopqrstuvwxyz123456"

static struct shoal_krpc got;

/* A copy of its exact size, so that a byte too far is seen. */
static int decode(struct shoal_bytes in)
{
	static uint8_t *copy;
	free(copy);
	copy = malloc(in.len + 1);
	assert_non_null(copy);
	memcpy(copy, in.at, in.len);
	return shoal_krpc_decode(shoal_bytes(copy, in.len), &got);
}

static void same_again(struct shoal_bytes in)
{
	uint8_t raw[SHOAL_KRPC_IN_MAX];
	ptrdiff_t n = shoal_krpc_encode(&got, (struct shoal_space){ raw, sizeof raw });
	assert_int_equal(n, in.len);
	assert_memory_equal(raw, in.at, in.len);
	for (size_t room = 0; room < in.len; room++)
		assert_int_equal(shoal_krpc_encode(&got, (struct shoal_space){ raw, room }), SHOAL_ERR_TOO_LONG);
}

static const struct {
	struct shoal_bytes in;
	enum shoal_krpc_kind kind;
	enum shoal_krpc_method method;
} golden[] = {
	{ SHOAL_LIT("d1:ad2:id20:" ID_A "e1:q4:ping1:t2:aa1:y1:qe"), SHOAL_KRPC_QUERY, SHOAL_KRPC_PING },
	{ SHOAL_LIT("d1:rd2:id20:" ID_B "e1:t2:aa1:y1:re"), SHOAL_KRPC_REPLY, 0 },
	{ SHOAL_LIT("d1:ad2:id20:" ID_A "6:target20:" ID_B "e1:q9:find_node1:t2:aa1:y1:qe"), SHOAL_KRPC_QUERY,
	  SHOAL_KRPC_FIND_NODE },
	{ SHOAL_LIT("d1:ad2:id20:" ID_A "9:info_hash20:" ID_B "e1:q9:get_peers1:t2:aa1:y1:qe"), SHOAL_KRPC_QUERY,
	  SHOAL_KRPC_GET_PEERS },
	{ SHOAL_LIT("d1:rd2:id20:" ID_A "5:token8:aoeusnth6:valuesl6:axje.u6:idhtnmee1:t2:aa1:y1:re"), SHOAL_KRPC_REPLY,
	  0 },
	{ SHOAL_LIT("d1:ad2:id20:" ID_A "12:implied_porti1e9:info_hash20:" ID_B
		    "4:porti6881e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe"),
	  SHOAL_KRPC_QUERY, SHOAL_KRPC_ANNOUNCE },
	{ SHOAL_LIT("d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee"), SHOAL_KRPC_ERROR, 0 },
	/* BEP 32, 33, 43 */
	{ SHOAL_LIT("d1:ad2:id20:" ID_A "9:info_hash20:" ID_B
		    "6:noseedi1e6:scrapei1e4:wantl2:n42:n6ee1:q9:get_peers2:roi1e1:t2:aa1:v4:SH011:y1:qe"),
	  SHOAL_KRPC_QUERY, SHOAL_KRPC_GET_PEERS },
	/* BEP 42 */
	{ SHOAL_LIT("d2:ip6:\x01\x02\x03\x04\x1a\xe1"
		    "1:rd2:id20:" ID_B "e1:t1:x1:y1:re"),
	  SHOAL_KRPC_REPLY, 0 },
	/* BEP 44 */
	{ SHOAL_LIT("d1:ad2:id20:" ID_A "5:token2:tk1:v12:Hello World!e1:q3:put1:t2:aa1:y1:qe"), SHOAL_KRPC_QUERY,
	  SHOAL_KRPC_PUT },
	{ SHOAL_LIT("d1:ad3:casi3e2:id20:" ID_A "1:k32:kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk4:salt3:abc3:seqi4e3:sig64:"
		    "ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss5:token2:tk1:vd2:ih2:xxee1:q3:"
		    "put1:t2:aa1:"
		    "y1:qe"),
	  SHOAL_KRPC_QUERY, SHOAL_KRPC_PUT },
	/* BEP 51 */
	{ SHOAL_LIT("d1:rd2:id20:" ID_A "8:intervali21600e3:numi1e7:samples20:" ID_B "e1:t2:aa1:y1:re"),
	  SHOAL_KRPC_REPLY, 0 },
};

static void the_beps_messages(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
		print_message("message %zu\n", i);
		assert_int_equal(decode(golden[i].in), 0);
		assert_int_equal(got.kind, golden[i].kind);
		if (got.kind == SHOAL_KRPC_QUERY)
			assert_int_equal(got.method, golden[i].method);
		same_again(golden[i].in);
	}
}

static void no_cut_is_a_message(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof golden / sizeof *golden; i++)
		for (size_t cut = 0; cut < golden[i].in.len; cut++)
			assert_int_equal(decode(shoal_bytes(golden[i].in.at, cut)), SHOAL_ERR_MALFORMED);
}

static void what_is_in_them(void **state)
{
	struct shoal_addr addr[4];
	struct shoal_krpc_node node;
	(void)state;
	assert_int_equal(decode(golden[4].in), 0);
	assert_true(shoal_bytes_equal(got.token, SHOAL_LIT("aoeusnth")));
	assert_int_equal(shoal_krpc_values(got.values, addr, 4), 2);
	assert_memory_equal(addr[1].ip, "idht", 4);
	assert_int_equal(shoal_krpc_values(got.values, addr, 1), 1);
	assert_int_equal(decode(golden[5].in), 0);
	assert_int_equal(got.port, 6881);
	assert_true(got.implied_port && !got.seed);
	assert_int_equal(decode(golden[6].in), 0);
	assert_int_equal(got.code, SHOAL_KRPC_GENERIC);
	assert_int_equal(decode(golden[7].in), 0);
	assert_int_equal(got.want, SHOAL_KRPC_WANT4 | SHOAL_KRPC_WANT6);
	assert_true(got.scrape && got.no_seed && got.read_only);
	assert_int_equal(decode(golden[8].in), 0);
	assert_true(got.has_ip && got.ip.is_v4 && got.ip.port == 6881);
	assert_int_equal(decode(golden[10].in), 0);
	assert_true(got.has_cas && got.cas == 3 && got.has_seq && got.seq == 4);
	assert_true(shoal_bytes_equal(got.v, SHOAL_LIT("d2:ih2:xxe"))); /* as it is signed: raw */
	assert_true(shoal_bytes_equal(got.salt, SHOAL_LIT("abc")));
	assert_int_equal(decode(SHOAL_LIT("d1:rd2:id20:" ID_A "5:nodes26:" ID_B "\x01\x02\x03\x04\x00\x50"
					  "e1:t2:aa1:y1:re")),
			 0);
	assert_true(shoal_krpc_node_at(got.nodes, true, 0, &node));
	assert_int_equal(node.addr.port, 80);
	assert_memory_equal(node.id.b, ID_B, 20);
	assert_false(shoal_krpc_node_at(got.nodes, true, 1, &node));
	uint8_t raw[SHOAL_KRPC_NODE6];
	assert_int_equal(shoal_krpc_node_put(&node, raw), SHOAL_KRPC_NODE4);
	assert_memory_equal(raw, got.nodes.at, SHOAL_KRPC_NODE4);
}

static void hostile_ones(void **state)
{
	static const struct {
		const char *why;
		struct shoal_bytes in;
		int want;
	} cases[] = {
		{ "nothing", SHOAL_LIT(""), SHOAL_ERR_MALFORMED },
		{ "a list", SHOAL_LIT("l1:t2:aae"), SHOAL_ERR_MALFORMED },
		{ "no transaction", SHOAL_LIT("d1:rd2:id20:" ID_B "e1:y1:re"), SHOAL_ERR_MALFORMED },
		{ "an empty one", SHOAL_LIT("d1:rd2:id20:" ID_B "e1:t0:1:y1:re"), SHOAL_ERR_MALFORMED },
		{ "one of 33 bytes", SHOAL_LIT("d1:rd2:id20:" ID_B "e1:t33:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1:y1:re"),
		  SHOAL_ERR_MALFORMED },
		{ "one that is a number", SHOAL_LIT("d1:rd2:id20:" ID_B "e1:ti7e1:y1:re"), SHOAL_ERR_MALFORMED },
		{ "no kind", SHOAL_LIT("d1:rd2:id20:" ID_B "e1:t2:aae"), SHOAL_ERR_MALFORMED },
		{ "another kind", SHOAL_LIT("d1:rd2:id20:" ID_B "e1:t2:aa1:y1:ze"), SHOAL_ERR_MALFORMED },
		{ "a query without arguments", SHOAL_LIT("d1:q4:ping1:t2:aa1:y1:qe"), SHOAL_ERR_MALFORMED },
		{ "a query without a name", SHOAL_LIT("d1:ad2:id20:" ID_A "e1:t2:aa1:y1:qe"), SHOAL_ERR_MALFORMED },
		{ "an id of 19 bytes", SHOAL_LIT("d1:ad2:id19:abcdefghij012345678e1:q4:ping1:t2:aa1:y1:qe"),
		  SHOAL_ERR_MALFORMED },
		{ "no id", SHOAL_LIT("d1:ade1:q4:ping1:t2:aa1:y1:qe"), SHOAL_ERR_MALFORMED },
		{ "arguments that are a list", SHOAL_LIT("d1:ale1:q4:ping1:t2:aa1:y1:qe"), SHOAL_ERR_MALFORMED },
		{ "a port of -1", SHOAL_LIT("d1:ad2:id20:" ID_A "4:porti-1ee1:q13:announce_peer1:t2:aa1:y1:qe"),
		  SHOAL_ERR_MALFORMED },
		{ "a port of 70000", SHOAL_LIT("d1:ad2:id20:" ID_A "4:porti70000ee1:q13:announce_peer1:t2:aa1:y1:qe"),
		  SHOAL_ERR_MALFORMED },
		{ "nodes of 25 bytes",
		  SHOAL_LIT("d1:rd2:id20:" ID_A "5:nodes25:aaaaaaaaaaaaaaaaaaaaaaaaae1:t2:aa1:y1:re"),
		  SHOAL_ERR_MALFORMED },
		{ "values that are a string", SHOAL_LIT("d1:rd2:id20:" ID_A "6:values6:aaaaaae1:t2:aa1:y1:re"),
		  SHOAL_ERR_MALFORMED },
		{ "a key of 31 bytes",
		  SHOAL_LIT("d1:ad2:id20:" ID_A "1:k31:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaae1:q3:put1:t2:aa1:y1:qe"),
		  SHOAL_ERR_MALFORMED },
		{ "a filter of 3 bytes", SHOAL_LIT("d1:rd4:BFpe3:abc2:id20:" ID_A "e1:t2:aa1:y1:re"),
		  SHOAL_ERR_MALFORMED },
		{ "an error without a code", SHOAL_LIT("d1:ele1:t2:aa1:y1:ee"), SHOAL_ERR_MALFORMED },
		{ "an error with three things", SHOAL_LIT("d1:eli201e1:a1:be1:t2:aa1:y1:ee"), SHOAL_ERR_MALFORMED },
		{ "nested without end", SHOAL_LIT("d1:ad2:id20:" ID_A "1:vlllllllllleeeeeeeeeee1:q3:put1:t2:aa1:y1:qe"),
		  SHOAL_ERR_MALFORMED },
		{ "bytes behind it", SHOAL_LIT("d1:rd2:id20:" ID_B "e1:t2:aa1:y1:rex"), SHOAL_ERR_MALFORMED },
		{ "an argument twice", SHOAL_LIT("d1:ad2:id20:" ID_A "2:id20:" ID_A "e1:q4:ping1:t2:aa1:y1:qe"),
		  SHOAL_ERR_MALFORMED },
		/* and what is only odd */
		{ "a method nobody knows", SHOAL_LIT("d1:ad2:id20:" ID_A "e1:q4:vote1:t2:aa1:y1:qe"), 0 },
		{ "keys in another order", SHOAL_LIT("d1:y1:q1:t2:aa1:q4:ping1:ad2:id20:" ID_A "ee"), 0 },
		{ "want with what is to come",
		  SHOAL_LIT("d1:ad2:id20:" ID_A "6:target20:" ID_B "4:wantl2:n8i7e2:n4ee1:q9:find_node1:t2:aa1:y1:qe"),
		  0 },
		{ "values of odd lengths", SHOAL_LIT("d1:rd2:id20:" ID_A "6:valuesl3:abci5e6:axje.uee1:t2:aa1:y1:re"),
		  0 },
		{ "an ip of 5 bytes", SHOAL_LIT("d2:ip5:abcde1:rd2:id20:" ID_B "e1:t1:x1:y1:re"), 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		print_message("%s\n", cases[i].why);
		int rc = decode(cases[i].in);
		if (cases[i].want == 0)
			assert_int_equal(rc, 0);
		else
			assert_true(rc < 0);
	}
	static uint8_t big[SHOAL_KRPC_IN_MAX + 1];
	assert_int_equal(shoal_krpc_decode(shoal_bytes(big, sizeof big), &got), SHOAL_ERR_TOO_LONG);
}

static void values_come_back(void **state)
{
	struct shoal_addr in[3] = { { .ip = { 1, 2, 3, 4 }, .port = 5, .is_v4 = 1 }, { .ip = { 0x20, 1 }, .port = 6 } };
	struct shoal_addr out[3];
	uint8_t raw[64];
	(void)state;
	ptrdiff_t n = shoal_krpc_values_put(in, 2, (struct shoal_space){ raw, sizeof raw });
	assert_int_equal(n, 2 + 8 + 21);
	assert_int_equal(shoal_krpc_values(shoal_bytes(raw, (size_t)n), out, 3), 2);
	assert_memory_equal(out, in, 2 * sizeof *in);
	assert_int_equal(shoal_krpc_values_put(in, 2, (struct shoal_space){ raw, 30 }), SHOAL_ERR_TOO_LONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_beps_messages), cmocka_unit_test(no_cut_is_a_message),
		cmocka_unit_test(what_is_in_them),   cmocka_unit_test(hostile_ones),
		cmocka_unit_test(values_come_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
