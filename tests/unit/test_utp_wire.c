/* test_utp_wire.c - golden bytes of BEP 29, hostile chains, every cut, and numbers that wrap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/utp_wire.h"
#include "tests/unit/own_hex.h"

#define HEAD       \
	"1234"     \
	"01020304" \
	"05060708" \
	"00100000" \
	"fffe"     \
	"0001"

static const struct {
	const char *why, *hex;
	int want;
	enum shoal_utp_type type;
	size_t sack, payload;
} cases[] = {
	{ "SYN", "4100" HEAD, 0, SHOAL_UTP_SYN, 0, 0 },
	{ "DATA", "0100" HEAD "616263", 0, SHOAL_UTP_DATA, 0, 3 },
	{ "FIN", "1100" HEAD, 0, SHOAL_UTP_FIN, 0, 0 },
	{ "RESET", "3100" HEAD, 0, SHOAL_UTP_RESET, 0, 0 },
	{ "STATE with a selective ack",
	  "2101" HEAD "0004"
	  "01000080",
	  0, SHOAL_UTP_STATE, 4, 0 },
	{ "an unknown extension first",
	  "2102" HEAD "0108"
	  "0000000000000000"
	  "0004"
	  "ffffffff",
	  0, SHOAL_UTP_STATE, 4, 0 },
	{ "an empty unknown extension",
	  "0107" HEAD "0000"
	  "61",
	  0, SHOAL_UTP_DATA, 0, 1 },
	{ "libtorrent's close reason",
	  "1103" HEAD "0004"
	  "00000000",
	  0, SHOAL_UTP_FIN, 0, 0 },
	{ "type 5", "5100" HEAD, SHOAL_ERR_MALFORMED, 0, 0, 0 },
	{ "version 0", "2000" HEAD, SHOAL_ERR_MALFORMED, 0, 0, 0 },
	{ "version 2", "2200" HEAD, SHOAL_ERR_MALFORMED, 0, 0, 0 },
	{ "a byte short",
	  "2100"
	  "1234"
	  "01020304"
	  "05060708"
	  "00100000"
	  "fffe"
	  "00",
	  SHOAL_ERR_MALFORMED, 0, 0, 0 },
	{ "an extension without its length", "2101" HEAD "00", SHOAL_ERR_MALFORMED, 0, 0, 0 },
	{ "an extension past the end",
	  "2101" HEAD "0008"
	  "01000080",
	  SHOAL_ERR_MALFORMED, 0, 0, 0 },
	{ "a selective ack of 0", "2101" HEAD "0000", 0, SHOAL_UTP_STATE, 0, 0 },
	{ "one of 3, as libtorrent sends it",
	  "2101" HEAD "0003"
	  "010000",
	  0, SHOAL_UTP_STATE, 3, 0 },
	{ "a chain of four",
	  "2107" HEAD "0700"
	  "0700"
	  "0700"
	  "0000",
	  0, SHOAL_UTP_STATE, 0, 0 },
	{ "a chain of five",
	  "2107" HEAD "0700"
	  "0700"
	  "0700"
	  "0700"
	  "0000",
	  SHOAL_ERR_MALFORMED, 0, 0, 0 },
};

static void decode_gives_what_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t raw[128];
		struct shoal_utp_head h;
		struct shoal_bytes in = { raw, own_unhex(raw, cases[i].hex) };
		print_message("%s\n", cases[i].why);
		assert_int_equal(shoal_utp_decode(in, &h), cases[i].want);
		if (cases[i].want < 0)
			continue;
		assert_int_equal(h.type, cases[i].type);
		assert_int_equal(h.id, 0x1234);
		assert_int_equal(h.stamp, 0x01020304);
		assert_int_equal(h.delay, 0x05060708);
		assert_int_equal(h.window, 0x100000);
		assert_int_equal(h.seq, 0xfffe);
		assert_int_equal(h.ack, 1);
		assert_int_equal(h.sack.len, cases[i].sack);
		assert_int_equal(h.payload.len, cases[i].payload);
	}
}

static void a_selective_ack_too_long_is_malformed(void **state)
{
	uint8_t raw[SHOAL_UTP_HEAD + 2 + 252] = { 0x21, 1 };
	struct shoal_utp_head h;
	(void)state;
	for (unsigned len = 0; len <= 252; len++) {
		raw[21] = (uint8_t)len;
		int rc = shoal_utp_decode(shoal_bytes(raw, SHOAL_UTP_HEAD + 2 + len), &h);
		assert_int_equal(rc, len <= SHOAL_UTP_SACK_MAX ? 0 : SHOAL_ERR_MALFORMED);
	}
}

static void encode_and_decode_agree(void **state)
{
	uint8_t sack[SHOAL_UTP_SACK_MAX], raw[SHOAL_UTP_HEAD + 2 + sizeof sack], again[sizeof raw];
	(void)state;
	for (size_t i = 0; i < sizeof sack; i++)
		sack[i] = (uint8_t)(i * 7 + 1);
	for (size_t len = 0; len <= sizeof sack; len++) {
		struct shoal_utp_head h = {
			SHOAL_UTP_STATE, 0xabcd, 0xffff, 0x8000, 1, 2, 3, { sack, len }, { NULL, 0 }
		};
		struct shoal_utp_head back;
		size_t n = shoal_utp_encode(&h, raw);
		assert_int_equal(n, SHOAL_UTP_HEAD + (len ? 2 + len : 0));
		assert_int_equal(shoal_utp_decode(shoal_bytes(raw, n), &back), 0);
		assert_true(shoal_bytes_equal(back.sack, h.sack));
		assert_int_equal(shoal_utp_encode(&back, again), n);
		assert_memory_equal(raw, again, n);
	}
}

static void no_cut_is_read_past_its_end(void **state)
{
	uint8_t raw[128];
	size_t len = own_unhex(raw, "2102" HEAD "0108"
				    "0000000000000000"
				    "0004"
				    "ffffffff");
	(void)state;
	for (size_t cut = 0; cut < len; cut++) {
		struct shoal_utp_head h;
		assert_int_equal(shoal_utp_decode(shoal_bytes(raw, cut), &h), SHOAL_ERR_MALFORMED);
	}
}

static void what_others_send_there_is_not_ours(void **state)
{
	static const char dht[] = "d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e";
	static const uint8_t tracker[32] = { 0, 0, 0, 1 };
	(void)state;
	assert_false(shoal_utp_is(shoal_bytes(dht, sizeof dht - 1)));
	assert_false(shoal_utp_is(shoal_bytes(tracker, sizeof tracker)));
	assert_false(shoal_utp_is(shoal_bytes(NULL, 0)));
}

static void numbers_wrap(void **state)
{
	(void)state;
	for (uint32_t a = 0; a < 0x10000; a += 0x7f) {
		assert_false(shoal_utp_before((uint16_t)a, (uint16_t)a));
		assert_true(shoal_utp_before((uint16_t)a, (uint16_t)(a + 1)));
		assert_true(shoal_utp_before((uint16_t)a, (uint16_t)(a + 0x7fff)));
		assert_false(shoal_utp_before((uint16_t)a, (uint16_t)(a - 1)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decode_gives_what_the_table_says),
		cmocka_unit_test(a_selective_ack_too_long_is_malformed),
		cmocka_unit_test(encode_and_decode_agree),
		cmocka_unit_test(no_cut_is_read_past_its_end),
		cmocka_unit_test(what_others_send_there_is_not_ours),
		cmocka_unit_test(numbers_wrap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
