/* test_extension.c - golden dictionaries of BEP 9, 10 and 21, hostile ones (M01, M06, M07), every cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/extension.h"

/* On an exact-size heap block, so that ASan sees one byte more. `v` in *hs dies with it: test it by length. */
static int decode_n(const char *text, size_t len, struct shoal_ext_handshake *hs)
{
	uint8_t *copy = malloc(len ? len : 1);
	assert_non_null(copy);
	memcpy(copy, text, len);
	int rc = shoal_ext_handshake_decode(shoal_bytes(copy, len), hs);
	free(copy);
	return rc;
}

static int decode(const char *text, struct shoal_ext_handshake *hs)
{
	return decode_n(text, strlen(text), hs);
}

static void handshake_golden(void **state)
{
	(void)state;
	static const char golden[] =
		"d1:md6:ut_pexi1e11:ut_metadatai3e11:upload_onlyi0ee13:metadata_sizei31235e"
		"1:pi6881e4:reqqi250e11:upload_onlyi1e1:v13:\xc2\xb5Torrent 1.26:yourip4:\x7f\x00\x00\x01"
		"e";
	/* `m` stands out of order here, as some clients send it. */
	struct shoal_ext_handshake hs;
	struct shoal_bytes in = { (const uint8_t *)golden, sizeof golden - 1 };

	assert_int_equal(shoal_ext_handshake_decode(in, &hs), 0);
	assert_int_equal(hs.m_count, 3);
	assert_string_equal(hs.m[0].name, "ut_pex");
	assert_int_equal(hs.m[0].id, 1);
	assert_string_equal(hs.m[1].name, "ut_metadata");
	assert_int_equal(hs.m[1].id, 3);
	assert_string_equal(hs.m[2].name, "upload_only");
	assert_int_equal(hs.m[2].id, 0);
	assert_int_equal(hs.metadata_size, 31235);
	assert_int_equal(hs.port, 6881);
	assert_int_equal(hs.reqq, 250);
	assert_true(hs.upload_only);
	assert_true(shoal_bytes_equal(hs.v, SHOAL_LIT("\xc2\xb5Torrent 1.2")));
	assert_true(hs.has_yourip);
	assert_true(hs.yourip.is_v4);
	assert_int_equal(hs.yourip.port, 0);
	assert_memory_equal(hs.yourip.ip, "\x7f\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 16);

	uint8_t out[512];
	ptrdiff_t n = shoal_ext_handshake_encode(&hs, (struct shoal_space){ out, sizeof out });
	static const char sorted[] =
		"d1:md11:upload_onlyi0e11:ut_metadatai3e6:ut_pexi1ee13:metadata_sizei31235e"
		"1:pi6881e4:reqqi250e11:upload_onlyi1e1:v13:\xc2\xb5Torrent 1.26:yourip4:\x7f\x00\x00\x01"
		"e";
	assert_int_equal(n, sizeof sorted - 1);
	assert_memory_equal(out, sorted, (size_t)n);
	for (size_t room = 0; room < (size_t)n; room++) {
		uint8_t *small = malloc(room ? room : 1);
		assert_non_null(small);
		assert_int_equal(shoal_ext_handshake_encode(&hs, (struct shoal_space){ small, room }),
				 SHOAL_ERR_TOO_LONG);
		free(small);
	}
	for (size_t cut = 0; cut < in.len; cut++)
		assert_int_equal(decode_n(golden, cut, &hs), SHOAL_ERR_MALFORMED);
}

static void absent_is_absent(void **state)
{
	(void)state;
	struct shoal_ext_handshake hs;
	uint8_t out[8];
	static const struct shoal_ext_handshake none;

	assert_int_equal(decode("de", &hs), 0);
	assert_int_equal(hs.m_count + hs.v.len + hs.reqq + hs.port + hs.metadata_size, 0);
	assert_false(hs.upload_only || hs.has_yourip);
	assert_int_equal(shoal_ext_handshake_encode(&none, (struct shoal_space){ out, sizeof out }), 2);
	assert_memory_equal(out, "de", 2);
	/* Unknown keys, nested ones and bytes behind the dictionary are passed over. */
	assert_int_equal(decode("d12:complete_agoi-1e1:ei0e4:ipv44:abcd1:xld1:yleee4:reqqi9ee???", &hs), 0);
	assert_int_equal(hs.reqq, 9);
}

static void what_is_no_dictionary_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = { "",
					   "i1e",
					   "le",
					   "3:abc",
					   "d",
					   "d1:m",
					   "d1:mde",
					   "x",
					   "di1ei2ee",
					   "d1:pi1e1:pi2ee",
					   "d4:reqqi-0ee",
					   "d1:v99:abce" };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct shoal_ext_handshake hs;
		print_message("%s\n", bad[i]);
		assert_int_equal(decode(bad[i], &hs), SHOAL_ERR_MALFORMED);
	}
	char deep[4096];
	struct shoal_ext_handshake hs;
	memset(deep, 'l', sizeof deep);
	memcpy(deep, "d1:x", 4);
	assert_true(decode_n(deep, sizeof deep, &hs) < 0);
}

/* M01, M07: twenty sizes and friends; each is taken, clamped or not said, and never fails the handshake. */
static void hostile_numbers_are_absent_or_clamped(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t size;
		uint16_t port;
		uint32_t reqq;
	} cases[] = {
		{ "d13:metadata_sizei0ee", 0, 0, 0 },
		{ "d13:metadata_sizei1ee", 1, 0, 0 },
		{ "d13:metadata_sizei-1ee", 0, 0, 0 },
		{ "d13:metadata_sizei2147483647ee", 2147483647, 0, 0 },
		{ "d13:metadata_sizei4611686018427387904ee", 4611686018427387904u, 0, 0 },
		{ "d13:metadata_sizei9223372036854775807ee", INT64_MAX, 0, 0 },
		{ "d13:metadata_sizei-9223372036854775808ee", 0, 0, 0 },
		{ "d13:metadata_size4:1234e", 0, 0, 0 },
		{ "d13:metadata_sizelee", 0, 0, 0 },
		{ "d1:pi0ee", 0, 0, 0 },
		{ "d1:pi65535ee", 0, 65535, 0 },
		{ "d1:pi65536ee", 0, 0, 0 },
		{ "d1:pi70000ee", 0, 0, 0 },
		{ "d1:pi-1ee", 0, 0, 0 },
		{ "d1:pi72617ee", 0, 0, 0 }, /* 7081 once the high bits are cut off */
		{ "d4:reqqi0ee", 0, 0, 1 },
		{ "d4:reqqi-5ee", 0, 0, 1 },
		{ "d4:reqqi5000ee", 0, 0, 5000 },
		{ "d4:reqqi5001ee", 0, 0, 5000 },
		{ "d4:reqqi9223372036854775807ee", 0, 0, 5000 },
		{ "d4:reqq3:250e", 0, 0, 0 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct shoal_ext_handshake hs;
		print_message("%s\n", cases[i].text);
		assert_int_equal(decode(cases[i].text, &hs), 0);
		assert_true(hs.metadata_size == cases[i].size);
		assert_int_equal(hs.port, cases[i].port);
		assert_int_equal(hs.reqq, cases[i].reqq);
	}
	struct shoal_ext_handshake hs;
	assert_int_equal(decode("d11:upload_onlyi-1ee", &hs), 0);
	assert_true(hs.upload_only);
	assert_int_equal(decode("d11:upload_only1:1e", &hs), 0);
	assert_false(hs.upload_only);
}

static void names_that_cannot_be_ours_are_left_out(void **state)
{
	(void)state;
	static const struct {
		const char *m;
		size_t count;
	} cases[] = {
		{ "de", 0 },
		{ "le", 0 },
		{ "i1e", 0 },
		{ "d1:ai0ee", 1 },
		{ "d1:ai255ee", 1 },
		{ "d1:ai256ee", 0 },
		{ "d1:ai-1ee", 0 },
		{ "d1:ai4294967297ee", 0 },
		{ "d1:a1:1e", 0 },
		{ "d1:alee", 0 },
		{ "d0:i1ee", 0 },
		{ "d31:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaai1ee", 1 },
		{ "d32:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaai1ee", 0 },
		{ "d1:ai7e1:bi7ee", 2 }, /* an id clash is the owner's to judge */
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct shoal_ext_handshake hs;
		char text[128];
		snprintf(text, sizeof text, "d1:m%se", cases[i].m);
		print_message("%s\n", text);
		assert_int_equal(decode(text, &hs), 0);
		assert_int_equal(hs.m_count, cases[i].count);
	}
	struct shoal_ext_handshake hs;
	static const char nul[] = "d1:md3:a\0bi1eee";
	assert_int_equal(decode_n(nul, sizeof nul - 1, &hs), 0);
	assert_int_equal(hs.m_count, 0);

	char many[16 * 1024];
	size_t n = (size_t)snprintf(many, sizeof many, "d1:md");
	for (int i = 0; i < 1000; i++)
		n += (size_t)snprintf(many + n, sizeof many - n, "4:n%03di%de", i, i % 256);
	n += (size_t)snprintf(many + n, sizeof many - n, "ee");
	assert_int_equal(decode_n(many, n, &hs), 0);
	assert_int_equal(hs.m_count, SHOAL_EXT_NAMES_MAX);
	assert_string_equal(hs.m[63].name, "n063");
}

static void long_versions_are_cut_and_odd_addresses_dropped(void **state)
{
	(void)state;
	static char text[1 << 20];
	struct shoal_ext_handshake hs;
	size_t v = sizeof text - 32;
	size_t n = (size_t)snprintf(text, sizeof text, "d1:v%zu:", v);
	memset(text + n, 'v', v);
	text[n + v] = 'e';
	assert_int_equal(decode_n(text, n + v + 1, &hs), 0);
	assert_int_equal(hs.v.len, 128);

	for (size_t len = 0; len < 40; len++) {
		n = (size_t)snprintf(text, sizeof text, "d6:yourip%zu:", len);
		memset(text + n, 0x2a, len);
		text[n + len] = 'e';
		assert_int_equal(decode_n(text, n + len + 1, &hs), 0);
		assert_int_equal(hs.has_yourip, len == 4 || len == 16);
		assert_int_equal(hs.yourip.is_v4, len == 4);
		assert_int_equal(hs.yourip.ip[15], len == 16 ? 0x2a : 0);
	}
}

static void names_that_cannot_be_are_not_written(void **state)
{
	(void)state;
	uint8_t out[256];
	struct shoal_space to = { out, sizeof out };
	struct shoal_ext_handshake hs = { .m_count = 1 };

	assert_int_equal(shoal_ext_handshake_encode(&hs, to), SHOAL_ERR_USAGE); /* no name */
	memset(hs.m[0].name, 'a', SHOAL_EXT_NAME_BYTES);
	assert_int_equal(shoal_ext_handshake_encode(&hs, to), SHOAL_ERR_USAGE); /* no end */
	hs = (struct shoal_ext_handshake){ .m = { { "a", 1 }, { "b", 2 }, { "a", 3 } }, .m_count = 3 };
	assert_int_equal(shoal_ext_handshake_encode(&hs, to), SHOAL_ERR_USAGE); /* twice */
	hs = (struct shoal_ext_handshake){ .m_count = SHOAL_EXT_NAMES_MAX + 1 };
	assert_int_equal(shoal_ext_handshake_encode(&hs, to), SHOAL_ERR_USAGE);
}

/* ---- ut_metadata ---- */

static int metadata(const char *text, size_t len, struct shoal_metadata_msg *msg)
{
	uint8_t *copy = malloc(len ? len : 1);
	assert_non_null(copy);
	memcpy(copy, text, len);
	int rc = shoal_metadata_decode(shoal_bytes(copy, len), msg);
	free(copy);
	return rc;
}

static void metadata_golden(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		struct shoal_metadata_msg msg;
	} cases[] = {
		{ "d8:msg_typei0e5:piecei0ee", { .kind = SHOAL_METADATA_REQUEST } },
		{ "d8:msg_typei1e5:piecei0e10:total_sizei34256eexxxxxxxx",
		  { .kind = SHOAL_METADATA_DATA, .total_size = 34256, .data = { (const uint8_t *)"xxxxxxxx", 8 } } },
		{ "d8:msg_typei2e5:piecei7ee", { .kind = SHOAL_METADATA_REJECT, .piece = 7 } },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct shoal_metadata_msg msg;
		uint8_t out[128];
		struct shoal_bytes in = shoal_bytes(cases[i].text, strlen(cases[i].text));
		assert_int_equal(shoal_metadata_decode(in, &msg), 0);
		assert_int_equal(msg.kind, cases[i].msg.kind);
		assert_int_equal(msg.piece, cases[i].msg.piece);
		assert_int_equal(msg.total_size, cases[i].msg.total_size);
		assert_true(shoal_bytes_equal(msg.data, cases[i].msg.data));
		assert_int_equal(shoal_metadata_encode(&cases[i].msg, (struct shoal_space){ out, sizeof out }), in.len);
		assert_memory_equal(out, in.at, in.len);
		for (size_t room = 0; room < in.len; room++)
			assert_int_equal(shoal_metadata_encode(&cases[i].msg, (struct shoal_space){ out, room }),
					 SHOAL_ERR_TOO_LONG);
		size_t dict = in.len - msg.data.len;
		for (size_t cut = 0; cut <= dict; cut++) {
			int rc = metadata(cases[i].text, cut, &msg);
			assert_int_equal(
				rc, cut == dict && cases[i].msg.kind != SHOAL_METADATA_DATA ? 0 : SHOAL_ERR_MALFORMED);
		}
	}
}

static void metadata_hostile(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int want;
	} cases[] = {
		{ "", SHOAL_ERR_MALFORMED },
		{ "i0e", SHOAL_ERR_MALFORMED },
		{ "de", SHOAL_ERR_MALFORMED },
		{ "d5:piecei0ee", SHOAL_ERR_MALFORMED },
		{ "d8:msg_typei0ee", SHOAL_ERR_MALFORMED },
		{ "d8:msg_typei-1e5:piecei0ee", SHOAL_ERR_MALFORMED },
		{ "d8:msg_typei0e5:piecei-1ee", SHOAL_ERR_MALFORMED },
		{ "d8:msg_typei0e5:piecei4294967296ee", SHOAL_ERR_MALFORMED },
		{ "d8:msg_typei4294967296e5:piecei0ee", SHOAL_ERR_MALFORMED },
		{ "d8:msg_type1:05:piecei0ee", SHOAL_ERR_MALFORMED },
		{ "d8:msg_typei0e5:piece1:0e", SHOAL_ERR_MALFORMED },
		{ "d8:msg_typei1e5:piecei0ee", SHOAL_ERR_MALFORMED }, /* data without any */
		{ "d8:msg_typei0e8:msg_typei1e5:piecei0ee", SHOAL_ERR_MALFORMED },
		{ "d8:msg_typei0e5:piecei4294967295ee", 0 },
		{ "d8:msg_typei3ee", 0 }, /* BEP 9: unknown kinds are to be ignored */
		{ "d8:msg_typei0e5:piecei0eetrailing", 0 },
		{ "d5:piecei0e8:msg_typei0ee", 0 },
		{ "d8:msg_typei1e5:piecei0e10:total_sizei-1eex", 0 },
		{ "d8:msg_typei1e5:piecei0e10:total_size1:xex", 0 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct shoal_metadata_msg msg;
		print_message("%s\n", cases[i].text);
		assert_int_equal(metadata(cases[i].text, strlen(cases[i].text), &msg), cases[i].want);
		if (cases[i].want == 0) {
			assert_int_equal(msg.total_size, 0);
			assert_int_equal(msg.data.len, msg.kind == SHOAL_METADATA_DATA);
		}
	}
}

static void metadata_blocks_have_a_limit(void **state)
{
	(void)state;
	static const char dict[] = "d8:msg_typei1e5:piecei0e10:total_sizei99999ee";
	static char text[sizeof dict + SHOAL_METADATA_BLOCK];
	struct shoal_metadata_msg msg;
	memcpy(text, dict, sizeof dict - 1);
	assert_int_equal(metadata(text, sizeof dict - 1 + SHOAL_METADATA_BLOCK, &msg), 0);
	assert_int_equal(msg.data.len, SHOAL_METADATA_BLOCK);
	assert_int_equal(metadata(text, sizeof dict + SHOAL_METADATA_BLOCK, &msg), SHOAL_ERR_MALFORMED);

	uint8_t out[64];
	struct shoal_space to = { out, sizeof out };
	static const uint8_t block[SHOAL_METADATA_BLOCK + 1];
	const struct shoal_metadata_msg bad[] = {
		{ .kind = SHOAL_METADATA_REQUEST, .data = { block, 1 } },
		{ .kind = SHOAL_METADATA_DATA },
		{ .kind = SHOAL_METADATA_DATA, .data = { block, sizeof block } },
		{ .kind = SHOAL_METADATA_DATA, .data = { block, 1 }, .total_size = UINT64_MAX },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(shoal_metadata_encode(&bad[i], to), SHOAL_ERR_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshake_golden),
		cmocka_unit_test(absent_is_absent),
		cmocka_unit_test(what_is_no_dictionary_is_refused),
		cmocka_unit_test(hostile_numbers_are_absent_or_clamped),
		cmocka_unit_test(names_that_cannot_be_ours_are_left_out),
		cmocka_unit_test(long_versions_are_cut_and_odd_addresses_dropped),
		cmocka_unit_test(names_that_cannot_be_are_not_written),
		cmocka_unit_test(metadata_golden),
		cmocka_unit_test(metadata_hostile),
		cmocka_unit_test(metadata_blocks_have_a_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
