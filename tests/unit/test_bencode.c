/* test_bencode.c - golden bytes from BEP 3, tables of hostile integers, lengths and nesting (B01-B06), every cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/bencode.h"

/* Reads one value to its end; its length, or the error. From an exact-size heap block, for ASan. */
static ptrdiff_t read_all(const void *at, size_t len, uint32_t depth)
{
	uint8_t *copy = malloc(len ? len : 1);
	assert_non_null(copy);
	memcpy(copy, at, len);
	struct shoal_ben b = shoal_ben(shoal_bytes(copy, len), depth);
	struct shoal_ben_value v;
	int rc;
	while ((rc = shoal_ben_next(&b, &v)) > 0)
		;
	ptrdiff_t end = rc < 0 ? rc : (ptrdiff_t)b.pos;
	if (rc < 0)
		assert_int_equal(shoal_ben_next(&b, &v), rc); /* it sticks */
	free(copy);
	return end;
}

static ptrdiff_t read_text(const char *text)
{
	return read_all(text, strlen(text), 32);
}

static void integers_are_strict(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t want;
	} good[] = {
		{ "i0e", 0 },
		{ "i1e", 1 },
		{ "i-1e", -1 },
		{ "i10e", 10 },
		{ "i-10e", -10 },
		{ "i2147483647e", 2147483647 },
		{ "i2147483648e", 2147483648 },
		{ "i-2147483649e", -2147483649 },
		{ "i4294967296e", 4294967296 },
		{ "i1000000000000000000e", 1000000000000000000 },
		{ "i9223372036854775806e", INT64_MAX - 1 },
		{ "i9223372036854775807e", INT64_MAX },
		{ "i-9223372036854775807e", -INT64_MAX },
		{ "i-9223372036854775808e", INT64_MIN },
	};
	static const char *const bad[] = {
		"i-0e",
		"i03e",
		"i00e",
		"i-03e",
		"i-00e",
		"i--1e",
		"i+1e",
		"i+0e",
		"ie",
		"i-e",
		"i",
		"i-",
		"i1",
		"i12",
		"i-1",
		"i1 e",
		"i 1e",
		"i1.0e",
		"i0x1e",
		"ixe",
		"i1-e",
		"i9223372036854775808e",
		"i-9223372036854775809e",
		"i9223372036854775810e",
		"i18446744073709551615e",
		"i18446744073709551616e",
		"i-18446744073709551616e",
		"i99999999999999999999999999e",
		"i1\n",
		"i\n1e",
		"i1E",
		"I1e",
		"-1",
		"-",
		"1",
		"+",
		"e",
		"x",
		" i1e",
		"",
		"i,1e",
		"i1,0e",
		"i0",
		"i-",
		"i-9223372036854775808",
		"i0000000000000000000000000000000000000000000000000000000001e",
	};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct shoal_bytes in = shoal_bytes(good[i].text, strlen(good[i].text));
		struct shoal_ben b = shoal_ben(in, 0);
		struct shoal_ben_value v;
		print_message("%s\n", good[i].text);
		assert_int_equal(shoal_ben_next(&b, &v), 1);
		assert_int_equal(v.kind, SHOAL_BEN_INT);
		assert_true(v.num == good[i].want);
		assert_int_equal(v.raw.len, in.len);
		assert_int_equal(shoal_ben_next(&b, &v), 0);
		uint8_t again[32];
		struct shoal_ben_wr w;
		shoal_ben_wr_init(&w, (struct shoal_space){ again, sizeof again });
		shoal_ben_wr_int(&w, good[i].want);
		assert_int_equal(shoal_ben_wr_done(&w), in.len);
		assert_memory_equal(again, in.at, in.len);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		print_message("%s\n", bad[i]);
		assert_int_equal(read_text(bad[i]), SHOAL_ERR_MALFORMED);
	}
}

static void lengths_are_checked_before_use(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"1:",
		"5:abc",
		"2:a",
		"18446744073709551615:",
		"18446744073709551616:x",
		"18446744073709551617:x",
		"9223372036854775807:x",
		"9223372036854775808:x",
		"4294967295:x",
		"4294967296:x",
		"4294967297:x",
		"2147483647:x",
		"2147483648:x",
		"184467440737095516150:x",
		"99999999999999999999999999999999:x",
		"00:",
		"01:a",
		"000001:a",
		"-1:a",
		"+1:a",
		"1 :a",
		"1",
		"12",
		"1;a",
		":",
		":a",
		"1a:a",
		"0x1:a",
		"0",
		"10:123456789",
		"l5:abce",
		"d3:a",
		"d1:a5:bbbbe",
		"d01:ai1ee",
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		print_message("%s\n", bad[i]);
		assert_int_equal(read_text(bad[i]), SHOAL_ERR_MALFORMED);
	}
	assert_int_equal(read_text("0:"), 2);
	assert_int_equal(read_text("4:spam"), 6);
	assert_int_equal(read_text("4:spamX"), 6); /* what follows is the caller's */
}

static void containers_follow_the_grammar(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		ptrdiff_t want;
	} cases[] = {
		{ "le", 2 },
		{ "de", 2 },
		{ "l4:spam4:eggse", 14 },
		{ "d3:cow3:moo4:spam4:eggse", 24 },
		{ "d4:spaml1:a1:bee", 16 },
		{ "lleledee", 8 },
		{ "d1:ade1:bdee", 12 },
		{ "d0:i1ee", 7 },
		{ "d1:b0:1:a0:e", 12 },
		{ "d", SHOAL_ERR_MALFORMED },
		{ "l", SHOAL_ERR_MALFORMED },
		{ "d1:ae", SHOAL_ERR_MALFORMED },
		{ "di1e1:ae", SHOAL_ERR_MALFORMED },
		{ "dlei1ee", SHOAL_ERR_MALFORMED },
		{ "ddei1ee", SHOAL_ERR_MALFORMED },
		{ "d1:a1:b1:ce", SHOAL_ERR_MALFORMED },
		{ "d1:ai1e", SHOAL_ERR_MALFORMED },
		{ "lxe", SHOAL_ERR_MALFORMED },
		{ "e", SHOAL_ERR_MALFORMED },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		print_message("%s\n", cases[i].text);
		assert_int_equal(read_text(cases[i].text), cases[i].want);
	}
}

static void nesting_stops_at_its_limit(void **state)
{
	(void)state;
	char text[600];
	for (uint32_t depth = 1; depth <= SHOAL_BEN_DEPTH_MAX; depth++) {
		memset(text, 'l', depth);
		memset(text + depth, 'e', depth);
		assert_int_equal(read_all(text, 2u * depth, depth), 2 * depth);
		assert_int_equal(read_all(text, 2u * depth, depth - 1), SHOAL_ERR_TOO_LONG);
		size_t at = 0;
		assert_int_equal(
			shoal_ben_check(shoal_bytes(text, 2u * depth), depth - 1, (struct shoal_bytes){ 0 }, &at),
			SHOAL_ERR_TOO_LONG);
		assert_int_equal(at, depth - 1);
		/* the same inside a span that may go deeper */
		assert_int_equal(shoal_ben_check(shoal_bytes(text, 2u * depth), 0, shoal_bytes(text, 2u * depth), NULL),
				 0);
	}
	size_t len = 10u << 20;
	char *much = malloc(len);
	assert_non_null(much);
	for (size_t i = 0; i < len; i++)
		much[i] = "d1:a"[i % 4];
	clock_t from = clock();
	assert_int_equal(read_all(much, len, 32), SHOAL_ERR_TOO_LONG);
	memset(much, 'l', len);
	assert_int_equal(read_all(much, len, 32), SHOAL_ERR_TOO_LONG);
	assert_true((double)(clock() - from) / CLOCKS_PER_SEC < 2.0); /* two copies of 10 MB and no more */
	free(much);
}

static const char golden[] = "d1:ai-7e1:bl0:3:xyzd1:kd1:mi0eeee1:c4:dddd1:dle1:ede2:zzi9223372036854775807ee";

static void every_cut_is_an_error(void **state)
{
	(void)state;
	size_t len = sizeof golden - 1;
	for (size_t cut = 0; cut < len; cut++) {
		assert_int_equal(read_all(golden, cut, 32), SHOAL_ERR_MALFORMED);
		assert_int_equal(shoal_ben_check(shoal_bytes(golden, cut), 32, (struct shoal_bytes){ 0 }, NULL),
				 SHOAL_ERR_MALFORMED);
	}
	assert_int_equal(read_all(golden, len, 32), len);
	assert_int_equal(shoal_ben_check(shoal_bytes(golden, len), 32, (struct shoal_bytes){ 0 }, NULL), 0);
}

static void tokens_tell_where_they_stand(void **state)
{
	(void)state;
	struct shoal_bytes in = SHOAL_LIT("d4:infod1:ai1eee");
	struct shoal_ben b = shoal_ben(in, 8);
	struct shoal_ben_value key, v;
	assert_int_equal(shoal_ben_open(&b, SHOAL_BEN_DICT), 0);
	assert_int_equal(shoal_ben_entry(&b, &key, &v), 1);
	assert_true(key.is_key && shoal_bytes_equal(key.str, SHOAL_LIT("info")));
	assert_int_equal(v.kind, SHOAL_BEN_DICT);
	assert_int_equal(v.at, 7);
	assert_true(shoal_bytes_equal(v.raw, SHOAL_LIT("d1:ai1ee")));
	assert_int_equal(shoal_ben_entry(&b, &key, &v), 0);
	assert_int_equal(shoal_ben_next(&b, &v), 0);
	assert_int_equal(b.pos, in.len);
	b = shoal_ben(in, 8);
	assert_int_equal(shoal_ben_open(&b, SHOAL_BEN_LIST), SHOAL_ERR_MALFORMED);
}

static void pick_finds_fields_in_any_order(void **state)
{
	(void)state;
	struct shoal_ben_field f[] = { { .key = "a" }, { .key = "bb" }, { .key = "none" } };
	struct shoal_bytes in = SHOAL_LIT("d2:bbl1:xe1:ai5e1:zi1eeREST");
	assert_int_equal(shoal_ben_pick(in, 8, f, 3), 23);
	assert_int_equal(f[0].v.kind, SHOAL_BEN_INT);
	assert_int_equal(f[0].v.num, 5);
	assert_true(shoal_bytes_equal(f[1].v.raw, SHOAL_LIT("l1:xe")));
	assert_int_equal(f[2].v.kind, SHOAL_BEN_NONE);
	static const char *const bad[] = {
		"d1:ai1e1:ai2ee", "d1:ai1e1:b0:1:ai2ee", "d1:z0:1:z0:e", "le", "i1e", "", "d1:a", "d1:ae",
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(shoal_ben_pick(shoal_bytes(bad[i], strlen(bad[i])), 8, f, 3), SHOAL_ERR_MALFORMED);
		assert_int_equal(f[0].v.kind, SHOAL_BEN_NONE);
	}
}

static int check_text(const char *text, size_t *at)
{
	return shoal_ben_check(shoal_bytes(text, strlen(text)), 32, (struct shoal_bytes){ 0 }, at);
}

static void duplicates_are_found_anywhere(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int want;
		size_t at;
	} cases[] = {
		{ "d1:ai1e1:bi1ee", 0, 0 },
		{ "d1:bi1e1:ai1ee", 0, 0 }, /* unsorted is accepted */
		{ "d1:ai1e1:ai1ee", SHOAL_ERR_EXISTS, 7 },
		{ "d1:bi1e1:ai1e1:bi2ee", SHOAL_ERR_EXISTS, 13 },
		{ "d4:infode4:infodee", SHOAL_ERR_EXISTS, 9 },
		{ "ld1:xd1:ci1e1:bi1e1:ai1e1:ci1eeee", SHOAL_ERR_EXISTS, 24 },
		{ "d1:ad1:xi1ee1:bd1:xi1eee", 0, 0 }, /* the same key in two dictionaries */
		{ "d1:bd1:ai1ee1:ai1ee", 0, 0 },      /* ...one in the other, unsorted */
		{ "d0:i1e0:i1ee", SHOAL_ERR_EXISTS, 6 },
		{ "i1ei2e", SHOAL_ERR_MALFORMED, 3 },
		{ "de\n", SHOAL_ERR_MALFORMED, 2 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t at = 0;
		print_message("%s\n", cases[i].text);
		assert_int_equal(check_text(cases[i].text, &at), cases[i].want);
		if (cases[i].want < 0)
			assert_int_equal(at, cases[i].at);
	}
}

static void a_large_unsorted_dictionary_is_linear(void **state)
{
	(void)state;
	enum { KEYS = 200000 };
	char *text = malloc(KEYS * 16 + 32);
	assert_non_null(text);
	for (int twin = 0; twin < 2; twin++) {
		size_t len = 0;
		text[len++] = 'd';
		for (int i = KEYS; i > 0; i--)
			len += (size_t)snprintf(text + len, 16, "8:%08xi1e", (unsigned)i);
		if (twin)
			len += (size_t)snprintf(text + len, 16, "8:%08xi1e", 77u);
		text[len++] = 'e';
		clock_t from = clock();
		assert_int_equal(shoal_ben_check(shoal_bytes(text, len), 32, (struct shoal_bytes){ 0 }, NULL),
				 twin ? SHOAL_ERR_EXISTS : 0);
		assert_true((double)(clock() - from) / CLOCKS_PER_SEC < 3.0);
	}
	free(text);
}

static void the_writer_writes_what_the_parser_reads(void **state)
{
	(void)state;
	for (size_t room = 0; room <= sizeof golden; room++) { /* every size of the span */
		uint8_t *out = malloc(room + 1);
		struct shoal_ben_wr w;
		assert_non_null(out);
		shoal_ben_wr_init(&w, (struct shoal_space){ out, room });
		shoal_ben_wr_dict(&w);
		shoal_ben_wr_pair_int(&w, "a", -7);
		shoal_ben_wr_key(&w, SHOAL_LIT("b"));
		shoal_ben_wr_list(&w);
		shoal_ben_wr_str(&w, SHOAL_LIT(""));
		shoal_ben_wr_str(&w, SHOAL_LIT("xyz"));
		shoal_ben_wr_raw(&w, SHOAL_LIT("d1:kd1:mi0eee"));
		shoal_ben_wr_end(&w);
		shoal_ben_wr_pair_str(&w, "c", SHOAL_LIT("dddd"));
		shoal_ben_wr_key(&w, SHOAL_LIT("d"));
		shoal_ben_wr_list(&w);
		shoal_ben_wr_end(&w);
		shoal_ben_wr_key(&w, SHOAL_LIT("e"));
		shoal_ben_wr_dict(&w);
		shoal_ben_wr_end(&w);
		shoal_ben_wr_pair_int(&w, "zz", INT64_MAX);
		shoal_ben_wr_end(&w);
		if (room < sizeof golden - 1) {
			assert_int_equal(shoal_ben_wr_done(&w), SHOAL_ERR_TOO_LONG);
		} else {
			assert_int_equal(shoal_ben_wr_done(&w), sizeof golden - 1);
			assert_memory_equal(out, golden, sizeof golden - 1);
		}
		free(out);
	}
}

static void the_heap_writer_grows_to_its_bound(void **state)
{
	(void)state;
	uint8_t block[1000] = { 0 };
	struct shoal_ben_wr w;
	shoal_ben_wr_init_heap(&w, 100000);
	shoal_ben_wr_list(&w);
	for (int i = 0; i < 90; i++)
		shoal_ben_wr_str(&w, shoal_bytes(block, sizeof block));
	shoal_ben_wr_end(&w);
	ptrdiff_t len = shoal_ben_wr_done(&w);
	assert_int_equal(len, 2 + 90 * 1005);
	assert_int_equal(read_all(w.at, (size_t)len, 8), len);
	shoal_ben_wr_fini(&w);
	shoal_ben_wr_init_heap(&w, 10000);
	shoal_ben_wr_list(&w);
	for (int i = 0; i < 90; i++)
		shoal_ben_wr_str(&w, shoal_bytes(block, sizeof block));
	shoal_ben_wr_end(&w);
	assert_int_equal(shoal_ben_wr_done(&w), SHOAL_ERR_TOO_LONG);
	shoal_ben_wr_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_are_strict),
		cmocka_unit_test(lengths_are_checked_before_use),
		cmocka_unit_test(containers_follow_the_grammar),
		cmocka_unit_test(nesting_stops_at_its_limit),
		cmocka_unit_test(every_cut_is_an_error),
		cmocka_unit_test(tokens_tell_where_they_stand),
		cmocka_unit_test(pick_finds_fields_in_any_order),
		cmocka_unit_test(duplicates_are_found_anywhere),
		cmocka_unit_test(a_large_unsorted_dictionary_is_linear),
		cmocka_unit_test(the_writer_writes_what_the_parser_reads),
		cmocka_unit_test(the_heap_writer_grows_to_its_bound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
