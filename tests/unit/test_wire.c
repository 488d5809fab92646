/* test_wire.c - golden bytes from BEP 3, 6, 10 and 52, every id by every length (W01), every cut, both directions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/wire.h"
#include "tests/unit/own_hex.h"

static const struct {
	const char *why, *hex;
	ptrdiff_t want;
} cases[] = {
	{ "nothing", "", 0 },
	{ "half a length", "0000", 0 },
	{ "keep-alive", "00000000", 4 },
	{ "keep-alive, and more", "00000000 00", 4 },
	{ "choke", "00000001 00", 5 },
	{ "choke and a byte", "00000002 00 00", SHOAL_ERR_MALFORMED },
	{ "have 7", "00000005 04 00000007", 9 },
	{ "have, three bytes here", "00000005 04 000000", 0 },
	{ "have without its index", "00000001 04", SHOAL_ERR_MALFORMED },
	{ "have with five", "00000006 04", SHOAL_ERR_MALFORMED },
	{ "an empty bitfield", "00000001 05", SHOAL_ERR_MALFORMED },
	{ "a bitfield of one byte", "00000002 05 80", 6 },
	{ "a bitfield of 256 KiB", "00040001 05", 0 },
	{ "a bitfield above it", "00040002 05", SHOAL_ERR_TOO_LONG },
	{ "request", "0000000d 06 00000001 00004000 00004000", 17 },
	{ "request, short", "0000000c 06", SHOAL_ERR_MALFORMED },
	{ "piece of one byte", "0000000a 07 00000001 00000000 aa", 14 },
	{ "piece without a block", "00000009 07", SHOAL_ERR_MALFORMED },
	{ "piece without its begin", "00000005 07", SHOAL_ERR_MALFORMED },
	{ "piece of 16 KiB", "00004009 07", 0 },
	{ "piece of 16 KiB and a byte", "0000400a 07", SHOAL_ERR_TOO_LONG },
	{ "port", "00000003 09 1ae1", 7 },
	{ "have all with an index", "00000005 0e", SHOAL_ERR_MALFORMED },
	{ "an extended message without its id", "00000001 14", SHOAL_ERR_MALFORMED },
	{ "an empty extended message", "00000002 14 00", 6 },
	{ "extended of 1 MiB", "00100002 14", 0 },
	{ "extended above it", "00100003 14", SHOAL_ERR_TOO_LONG },
	{ "hashes without one", "00000031 16", SHOAL_ERR_MALFORMED },
	{ "hashes and half of one", "00000061 16", SHOAL_ERR_MALFORMED },
	{ "hash request, short", "00000030 15", SHOAL_ERR_MALFORMED },
	{ "an id nobody knows", "00000004 63 010203", 8 },
	{ "an id nobody knows, alone", "00000001 63", 5 },
	{ "2 GiB, no id yet", "80000000", SHOAL_ERR_TOO_LONG },
	{ "1 GiB", "40000000 14", SHOAL_ERR_TOO_LONG },
	{ "4 GiB", "ffffffff 07", SHOAL_ERR_TOO_LONG },
};

/* On an exact-size heap block, so that ASan sees one byte more. */
static ptrdiff_t decode(const uint8_t *at, size_t len, size_t len_max, struct shoal_wire_msg *msg, uint8_t **held)
{
	uint8_t *copy = malloc(len ? len : 1);
	assert_non_null(copy);
	if (len)
		memcpy(copy, at, len);
	ptrdiff_t n = shoal_wire_decode(shoal_bytes(copy, len), len_max, msg);
	*held = copy;
	return n;
}

static void decode_gives_what_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t raw[64], *held;
		struct shoal_wire_msg msg;
		size_t len = own_unhex(raw, cases[i].hex);
		print_message("%s\n", cases[i].why);
		assert_int_equal(decode(raw, len, SIZE_MAX, &msg, &held), cases[i].want);
		free(held);
	}
}

static void fields_are_where_the_beps_say(void **state)
{
	(void)state;
	struct shoal_wire_msg msg;
	uint8_t raw[256];

	assert_int_equal(
		shoal_wire_decode(shoal_bytes(raw, own_unhex(raw, "0000000d 06 01020304 05060708 090a0b0c")), 13, &msg),
		17);
	assert_int_equal(msg.id, SHOAL_WIRE_REQUEST);
	assert_int_equal(msg.index, 0x01020304);
	assert_int_equal(msg.begin, 0x05060708);
	assert_int_equal(msg.len, 0x090a0b0c);
	assert_int_equal(msg.body.len, 0);

	size_t n = own_unhex(raw, "0000000b 07 00000009 00004000 abcd");
	assert_int_equal(shoal_wire_decode(shoal_bytes(raw, n), 100, &msg), 15);
	assert_int_equal(msg.index, 9);
	assert_int_equal(msg.begin, 0x4000);
	assert_ptr_equal(msg.body.at, raw + 13);
	assert_int_equal(msg.body.len, 2);

	n = own_unhex(raw, "00000003 09 1ae1");
	assert_int_equal(shoal_wire_decode(shoal_bytes(raw, n), 100, &msg), 7);
	assert_int_equal(msg.port, 6881);

	n = own_unhex(raw, "00000004 14 02 6465");
	assert_int_equal(shoal_wire_decode(shoal_bytes(raw, n), 100, &msg), 8);
	assert_int_equal(msg.ext, 2);
	assert_memory_equal(msg.body.at, "de", 2);

	n = own_unhex(raw, "00000051 16"
			   " 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
			   " 00000001 00000002 00000004 00000005"
			   " ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff");
	assert_int_equal(shoal_wire_decode(shoal_bytes(raw, n), 100, &msg), 85);
	assert_int_equal(msg.range.root[31], 31);
	assert_int_equal(msg.range.base, 1);
	assert_int_equal(msg.range.index, 2);
	assert_int_equal(msg.range.length, 4);
	assert_int_equal(msg.range.proof, 5);
	assert_int_equal(msg.body.len, 32);
}

/* The law of lengths once more, written apart from the table under test. */
static ptrdiff_t lawful(unsigned id, uint32_t len)
{
	uint32_t min, max, rest;

	switch (id) {
	case 0:
	case 1:
	case 2:
	case 3:
	case 14:
	case 15: return len == 1 ? 0 : SHOAL_ERR_MALFORMED;
	case 4:
	case 13:
	case 17: return len == 5 ? 0 : SHOAL_ERR_MALFORMED;
	case 6:
	case 8:
	case 16: return len == 13 ? 0 : SHOAL_ERR_MALFORMED;
	case 9: return len == 3 ? 0 : SHOAL_ERR_MALFORMED;
	case 21:
	case 23: return len == 49 ? 0 : SHOAL_ERR_MALFORMED;
	case 5: min = 2, max = 1 + 262144; break;
	case 7: min = 10, max = 9 + 16384; break;
	case 20: min = 2, max = 2 + 1048576; break;
	case 22: min = 49 + 32, max = 49 + 8192 * 32 + 64 * 32; break;
	default: min = 1, max = 1 + 1048576; break;
	}
	rest = len > 49 ? (len - 49) % 32 : 0;
	if (len > max)
		return SHOAL_ERR_TOO_LONG;
	return len < min || (id == 22 && rest != 0) ? SHOAL_ERR_MALFORMED : 0;
}

static void every_id_by_every_length(void **state)
{
	(void)state;
	static const uint32_t far[] = { 16392,	 16393,	  16394,      16397,	  65536,      262144,	 262145,
					262146,	 264240,  264241,     264242,	  264273,     1048576,	 1048577,
					1048578, 1048579, 1073741824, 2147483647, 2147483648, 4294967295 };
	size_t checked = 0;

	for (unsigned id = 0; id < 256; id++) {
		for (uint32_t i = 0; i < 300 + sizeof far / sizeof *far; i++) {
			uint32_t len = i < 300 ? i + 1 : far[i - 300];
			struct shoal_wire_msg msg = { .id = 999 };
			uint8_t raw[4 + 300], *held;
			ptrdiff_t want = len > 1048578 ? SHOAL_ERR_TOO_LONG : lawful(id, len);

			memset(raw, 0x5a, sizeof raw);
			shoal_put_u32(raw, len);
			raw[4] = (uint8_t)id;
			/* The header alone must decide, before there is a body. */
			assert_int_equal(decode(raw, 5, SIZE_MAX, &msg, &held), want < 0 ? want : len == 1 ? 5 : 0);
			free(held);
			if (len > 300 || want < 0)
				assert_int_equal(msg.id, want < 0 || len > 1 ? 999 : id);
			if (len <= 300 && want == 0) {
				assert_int_equal(decode(raw, 4 + len, SIZE_MAX, &msg, &held), 4 + len);
				assert_int_equal(msg.id, id);
				uint8_t again[4 + 300];
				assert_int_equal(shoal_wire_encode(&msg, (struct shoal_space){ again, 4 + len }),
						 4 + len);
				assert_memory_equal(again, raw, 4 + len);
				assert_int_equal(shoal_wire_encode(&msg, (struct shoal_space){ again, 3 + len }),
						 SHOAL_ERR_TOO_LONG);
				free(held);
			}
			checked++;
		}
	}
	assert_int_equal(checked, 256 * 320);
}

static void len_max_is_kept(void **state)
{
	(void)state;
	struct shoal_wire_msg msg;
	const uint8_t have[] = { 0, 0, 0, 5, 4, 0, 0, 0, 7 };
	assert_int_equal(shoal_wire_decode(shoal_bytes(have, sizeof have), 5, &msg), 9);
	assert_int_equal(shoal_wire_decode(shoal_bytes(have, sizeof have), 4, &msg), SHOAL_ERR_TOO_LONG);
	assert_int_equal(shoal_wire_decode(shoal_bytes(have, 4), 4, &msg), SHOAL_ERR_TOO_LONG);
}

static void any_cut_asks_for_more(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t raw[64], *held;
		struct shoal_wire_msg msg;
		size_t len = own_unhex(raw, cases[i].hex);
		if (cases[i].want <= 0)
			continue;
		for (size_t cut = 0; cut < (size_t)cases[i].want && cut < len; cut++) {
			assert_int_equal(decode(raw, cut, SIZE_MAX, &msg, &held), 0);
			free(held);
		}
	}
}

static void shapes_that_cannot_be_are_not_written(void **state)
{
	(void)state;
	static uint8_t body[SHOAL_WIRE_EXT_MAX + 1];
	static uint8_t room[SHOAL_WIRE_EXT_MAX + 64];
	struct shoal_space out = { room, sizeof room };
	const struct shoal_wire_msg bad[] = {
		{ .id = 257 },
		{ .id = 999 },
		{ .id = SHOAL_WIRE_BITFIELD },
		{ .id = SHOAL_WIRE_PIECE, .index = 1 },
		{ .id = SHOAL_WIRE_PIECE, .body = { body, 16385 } },
		{ .id = SHOAL_WIRE_HAVE, .body = { body, 1 } },
		{ .id = SHOAL_WIRE_CHOKE, .body = { body, 1 } },
		{ .id = SHOAL_WIRE_HASHES, .body = { body, 31 } },
		{ .id = SHOAL_WIRE_HASHES },
		{ .id = SHOAL_WIRE_EXTENDED, .body = { body, sizeof body } },
		{ .id = 99, .body = { body, sizeof body } },
		{ .id = 99, .body = { body, SIZE_MAX } },
		{ .id = SHOAL_WIRE_BITFIELD, .body = { body, SHOAL_WIRE_BITFIELD_MAX + 1 } },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(shoal_wire_encode(&bad[i], out), SHOAL_ERR_USAGE);
	const struct shoal_wire_msg full = { .id = SHOAL_WIRE_EXTENDED, .body = { body, SHOAL_WIRE_EXT_MAX } };
	assert_int_equal(shoal_wire_encode(&full, out), SHOAL_WIRE_EXT_MAX + 6);
	const struct shoal_wire_msg alive = { .id = SHOAL_WIRE_KEEPALIVE };
	assert_int_equal(shoal_wire_encode(&alive, out), 4);
	assert_int_equal(shoal_wire_encode(&alive, (struct shoal_space){ room, 3 }), SHOAL_ERR_TOO_LONG);
}

static void a_piece_head_is_a_piece_without_its_block(void **state)
{
	(void)state;
	uint8_t whole[64], head[SHOAL_WIRE_PIECE_HEAD];
	const struct shoal_wire_msg msg = {
		.id = SHOAL_WIRE_PIECE, .index = 0xfffefdfc, .begin = 0x4000, .body = SHOAL_LIT("abc")
	};
	assert_int_equal(shoal_wire_encode(&msg, (struct shoal_space){ whole, sizeof whole }), 16);
	shoal_wire_piece_head(head, 0xfffefdfc, 0x4000, 3);
	assert_memory_equal(head, whole, sizeof head);
}

static void names_are_there_for_every_id(void **state)
{
	(void)state;
	assert_string_equal(shoal_wire_name(SHOAL_WIRE_HAVE), "have");
	assert_string_equal(shoal_wire_name(SHOAL_WIRE_HASH_REJECT), "hash reject");
	assert_string_equal(shoal_wire_name(SHOAL_WIRE_KEEPALIVE), "keep-alive");
	assert_string_equal(shoal_wire_name(10), "unknown");
	assert_string_equal(shoal_wire_name(255), "unknown");
	assert_string_equal(shoal_wire_name(65535), "unknown");
}

static void handshake_golden(void **state)
{
	(void)state;
	uint8_t want[68], got[68];
	struct shoal_wire_handshake hs = { .can = SHOAL_CAN_EXTENDED | SHOAL_CAN_FAST | SHOAL_CAN_DHT | SHOAL_CAN_V2 },
				    back;

	assert_int_equal(own_unhex(want, "13 426974546f7272656e742070726f746f636f6c 0000000000100015"
					 " a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3"
					 " 2d5348303130302d303132333435363738396162"),
			 68);
	memcpy(hs.info_hash.b, want + 28, 20);
	memcpy(hs.peer_id.b, want + 48, 20);
	shoal_wire_handshake_encode(&hs, got);
	assert_memory_equal(got, want, 68);

	assert_int_equal(shoal_wire_handshake_decode(shoal_bytes(want, 68), &back), 0);
	assert_int_equal(back.can, hs.can);
	assert_memory_equal(&back.info_hash, &hs.info_hash, 20);
	assert_memory_equal(&back.peer_id, &hs.peer_id, 20);
	for (size_t len = 0; len < 68; len++) {
		uint8_t *copy = malloc(len ? len : 1);
		static const struct shoal_id20 none;
		assert_non_null(copy);
		memcpy(copy, want, len);
		int rc = shoal_wire_handshake_decode(shoal_bytes(copy, len), &back);
		assert_int_equal(rc, len < 48 ? SHOAL_ERR_MALFORMED : 0);
		if (rc == 0)
			assert_memory_equal(&back.peer_id, &none, 20);
		free(copy);
	}
}

static void handshake_bits_one_by_one(void **state)
{
	(void)state;
	static const struct {
		unsigned can;
		uint8_t byte, bit;
	} bits[] = { { SHOAL_CAN_EXTENDED, 25, 0x10 },
		     { SHOAL_CAN_DHT, 27, 0x01 },
		     { SHOAL_CAN_FAST, 27, 0x04 },
		     { SHOAL_CAN_V2, 27, 0x10 } };
	for (size_t i = 0; i < 4; i++) {
		struct shoal_wire_handshake hs = { .can = bits[i].can }, back;
		uint8_t raw[68];
		shoal_wire_handshake_encode(&hs, raw);
		for (size_t at = 20; at < 28; at++)
			assert_int_equal(raw[at], at == bits[i].byte ? bits[i].bit : 0);
		memset(raw + 20, 0xff, 8); /* Azureus, BitComet and the rest set others */
		raw[bits[i].byte] = (uint8_t)~bits[i].bit;
		assert_int_equal(shoal_wire_handshake_decode(shoal_bytes(raw, 68), &back), 0);
		assert_int_equal(back.can, 15u & ~bits[i].can);
	}
}

static void another_protocol_is_refused(void **state)
{
	(void)state;
	uint8_t raw[68];
	struct shoal_wire_handshake hs = { .can = 0 }, back;
	for (size_t at = 0; at < 20; at++) {
		shoal_wire_handshake_encode(&hs, raw);
		raw[at] ^= 0x20;
		assert_int_equal(shoal_wire_handshake_decode(shoal_bytes(raw, 68), &back), SHOAL_ERR_MALFORMED);
	}
	static const uint8_t pstrlens[] = { 0, 18, 20, 255 }; /* W16 */
	for (size_t i = 0; i < sizeof pstrlens; i++) {
		shoal_wire_handshake_encode(&hs, raw);
		raw[0] = pstrlens[i];
		assert_int_equal(shoal_wire_handshake_decode(shoal_bytes(raw, 68), &back), SHOAL_ERR_MALFORMED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decode_gives_what_the_table_says),
		cmocka_unit_test(fields_are_where_the_beps_say),
		cmocka_unit_test(every_id_by_every_length),
		cmocka_unit_test(len_max_is_kept),
		cmocka_unit_test(any_cut_asks_for_more),
		cmocka_unit_test(shapes_that_cannot_be_are_not_written),
		cmocka_unit_test(a_piece_head_is_a_piece_without_its_block),
		cmocka_unit_test(names_are_there_for_every_id),
		cmocka_unit_test(handshake_golden),
		cmocka_unit_test(handshake_bits_one_by_one),
		cmocka_unit_test(another_protocol_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
