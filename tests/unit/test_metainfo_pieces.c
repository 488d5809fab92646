/* test_metainfo_pieces.c - pieces against a naive map of bytes; layers of v2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/base/rng.h"
#include "proto/merkle.h"
#include "tests/unit/torrents.h"

static void pieces_are_what_a_map_of_bytes_says(void **state)
{
	(void)state;
	enum { PIECE = 1024, MAP = 40 * PIECE };
	static uint8_t map[MAP]; /* the file's number + 1; 0: past the end */
	struct shoal_rng rng = shoal_rng_split(7, 1);
	for (int round = 0; round < 400; round++) {
		uint32_t size[32], pad[32], n = 1 + shoal_rng_below(&rng, 20), total = 0;
		struct grow g = { 0 }, hashes = { 0 };
		memset(map, 0, sizeof map);
		grow_print(&g, "d4:infod5:filesl");
		for (uint32_t i = 0; i < n; i++) {
			size[i] = shoal_rng_below(&rng, 4) ? shoal_rng_below(&rng, 2000) : 0;
			pad[i] = shoal_rng_below(&rng, 3) == 0;
			if (pad[i] && shoal_rng_below(&rng, 2))
				size[i] = (PIECE - total % PIECE) % PIECE;
			grow_print(&g, "d%s6:lengthi%ue4:pathl%u:%0*uee", pad[i] ? "4:attr1:p" : "", size[i], 2, 2, i);
			memset(map + total, (int)i + 1, size[i]);
			total += size[i];
		}
		uint32_t pieces = (total + PIECE - 1) / PIECE;
		for (uint32_t i = 0; i < pieces; i++)
			grow_print(&hashes, "%018u%02d", i, 7);
		grow_print(&g, "e4:name1:N12:piece lengthi%de6:pieces%u:", PIECE, pieces * 20);
		if (pieces)
			grow_put(&g, hashes.at, hashes.len);
		grow_print(&g, "ee");
		/* refused exactly when some piece has no byte of a file */
		bool hollow = false;
		for (uint32_t p = 0; p < pieces; p++) {
			bool any = false;
			for (uint32_t b = p * PIECE; b < (p + 1) * PIECE && b < total; b++)
				any |= !pad[map[b] - 1];
			hollow |= !any;
		}
		struct shoal_metainfo *mi = NULL;
		assert_int_equal(parse_text(&mi, g.at, g.len, NULL), hollow ? SHOAL_ERR_MALFORMED : 0);
		if (mi != NULL)
			assert_int_equal(shoal_metainfo_piece_count(mi), pieces);
		for (uint32_t p = 0; mi != NULL && p < pieces; p++) {
			uint32_t from = p * PIECE, to = (p + 1) * PIECE < total ? (p + 1) * PIECE : total, end = to,
				 first, last;
			while (pad[map[end - 1] - 1])
				end--;
			assert_int_equal(shoal_metainfo_piece_bytes(mi, p), end - from);
			assert_int_equal(shoal_metainfo_piece_pad(mi, p), to - end);
			shoal_metainfo_piece_files(mi, p, &first, &last);
			assert_int_equal(first, map[from] - 1);
			assert_int_equal(last, map[to - 1] - 1);
			assert_memory_equal(shoal_metainfo_piece_sha1(mi, p), hashes.at + p * 20, 20);
		}
		for (uint32_t b = 0; mi != NULL && b < total; b += 1 + shoal_rng_below(&rng, 50))
			assert_int_equal(shoal_metainfo_file_at(mi, b), map[b] - 1);
		shoal_metainfo_free(mi);
		grow_fini(&g);
		grow_fini(&hashes);
	}
}

/* Where a byte lies is looked for around where it would be if all files were of one size: here they are anything but. */
static void a_byte_is_found_among_files_of_any_size(void **state)
{
	(void)state;
	enum { FILES = 300, LARGE = 30000, PIECE = 16384 };
	for (unsigned shape = 0; shape < 6; shape++) {
		struct grow g = { 0 };
		uint32_t size[FILES], total = 0;
		grow_print(&g, "d4:infod5:filesl");
		for (uint32_t i = 0; i < FILES; i++) {
			bool large = shape == 0	  ? i == 0
				     : shape == 1 ? i == FILES - 1
				     : shape == 2 ? i == FILES / 2
				     : shape == 3 ? i % 100 == 7
						  : false;
			size[i] = large ? LARGE : shape == 4 ? i % 97 == 5 : shape == 5 ? i * i / 100 : 1;
			grow_print(&g, "d6:lengthi%ue4:pathl3:%03uee", size[i], i);
			total += size[i];
		}
		uint32_t pieces = (total + PIECE - 1) / PIECE;
		grow_print(&g, "e4:name1:N12:piece lengthi%de6:pieces%u:%0*de", PIECE, pieces * 20, (int)pieces * 20,
			   0);
		grow_print(&g, "e");
		struct shoal_metainfo *mi;
		assert_int_equal(parse_text(&mi, g.at, g.len, NULL), 0);
		for (uint32_t i = 0, at = 0; i < FILES; at += size[i++]) {
			for (uint32_t b = at; b < at + size[i]; b += b % 7 ? 1 : 6)
				assert_int_equal(shoal_metainfo_file_at(mi, b), i);
		}
		assert_int_equal(shoal_metainfo_file_at(mi, UINT64_MAX), FILES - 1);
		shoal_metainfo_free(mi);
		grow_fini(&g);
	}
}

static void v2_pieces_end_with_their_files(void **state)
{
	(void)state;
	static const char text[] = INFO("9:file treed1:a" LEAF(20000) "1:bd0:d6:lengthi0eee1:c" LEAF(16384) "1:d" LEAF(
		70000) "e12:meta versioni2e4:name1:N12:piece lengthi32768e");
	struct shoal_metainfo *mi;
	assert_int_equal(parse_text(&mi, text, sizeof text - 1, NULL), 0);
	static const struct {
		uint32_t bytes, file, leaves;
	} want[] = { { 20000, 0, 2 }, { 16384, 2, 1 }, { 32768, 3, 2 }, { 32768, 3, 2 }, { 4464, 3, 2 } };
	assert_int_equal(shoal_metainfo_piece_count(mi), 5);
	for (uint32_t p = 0; p < 5; p++) {
		uint32_t first, last, leaves = 0;
		assert_int_equal(shoal_metainfo_piece_bytes(mi, p), want[p].bytes);
		assert_int_equal(shoal_metainfo_piece_pad(mi, p), 0);
		shoal_metainfo_piece_files(mi, p, &first, &last);
		assert_int_equal(first, want[p].file);
		assert_int_equal(last, want[p].file);
		const uint8_t *root = shoal_metainfo_piece_root(mi, p, &leaves);
		assert_int_equal(leaves, want[p].leaves);
		if (want[p].file == 3)
			assert_null(root); /* its layer is not known */
		else
			assert_memory_equal(root, H32, 32);
	}
	assert_int_equal(shoal_metainfo_file_at(mi, 20001), 0); /* the gap belongs to the file before it */
	shoal_metainfo_free(mi);
}

/* ---- layers ----------------------------------------------------------------------- */

/* Three hashes and their root in a torrent of 32 KiB pieces. */
static void make_layer(uint8_t hashes[96], shoal_hash32 root)
{
	shoal_hash32 work[3];
	for (int i = 0; i < 96; i++)
		hashes[i] = (uint8_t)(i * 7 + 1);
	memcpy(work, hashes, 96);
	shoal_merkle_root(work, 3, 4, 1, root);
}

static void layers_are_proven_or_refused(void **state)
{
	(void)state;
	uint8_t hashes[96], bad[96];
	shoal_hash32 root;
	make_layer(hashes, root);
	memcpy(bad, hashes, 96);
	bad[95] ^= 1;
	enum { GOOD, BAD, SHORT, LONG, RAGGED, NONE, EXTRA, UNKNOWN_KEY, SHORT_KEY, COUNT };
	for (int kind = 0; kind < COUNT; kind++) {
		struct grow g = { 0 };
		grow_print(&g, "d4:infod9:file treed");
		for (char c = 'a'; c <= 'b'; c++) { /* two files of one root share the layer */
			grow_print(&g, "1:%cd0:d6:lengthi70000e11:pieces root32:", c);
			grow_put(&g, root, 32);
			grow_print(&g, "ee");
		}
		grow_print(&g, "e12:meta versioni2e4:name1:N12:piece lengthi32768ee");
		if (kind != NONE)
			grow_print(&g, "12:piece layersd");
		if (kind != NONE && kind != UNKNOWN_KEY && kind != SHORT_KEY) {
			size_t len = kind == SHORT ? 64 : kind == LONG ? 128 : kind == RAGGED ? 95 : 96;
			grow_print(&g, "32:");
			grow_put(&g, root, 32);
			grow_print(&g, "%zu:", len);
			grow_put(&g, kind == BAD ? bad : hashes, len < 96 ? len : 96);
			for (size_t i = 96; i < len; i++)
				grow_put(&g, "x", 1);
		}
		if (kind == EXTRA || kind == UNKNOWN_KEY) /* of no file here */
			grow_print(&g, "32:zyxwvutsrqponmlkjihgfedcbazyxwvu32:" H32);
		if (kind == SHORT_KEY)
			grow_print(&g, "31:zyxwvutsrqponmlkjihgfedcbazyxwv32:" H32);
		if (kind != NONE)
			grow_print(&g, "e");
		grow_print(&g, "e");
		struct shoal_metainfo *mi = NULL;
		struct shoal_metainfo_fault why;
		bool good = kind == GOOD || kind == NONE || kind == EXTRA || kind == UNKNOWN_KEY;
		int rc = parse_text(&mi, g.at, g.len, &why);
		if (rc != (good ? 0 : SHOAL_ERR_MALFORMED))
			print_message("%d: %s\n", kind, why.what);
		assert_int_equal(rc, good ? 0 : SHOAL_ERR_MALFORMED);
		if (mi != NULL) {
			bool known = kind == GOOD || kind == EXTRA;
			assert_int_equal(shoal_metainfo_layer_count(mi), 2);
			assert_int_equal(shoal_metainfo_layers_complete(mi), known);
			for (uint32_t f = 0; f < 2; f++) {
				uint32_t leaves;
				assert_int_equal(shoal_metainfo_layer_file(mi, f), f);
				assert_int_equal(shoal_metainfo_layer_length(mi, f), 3);
				assert_int_equal(shoal_metainfo_layer_known(mi, f), known);
				if (!known) {
					assert_int_equal(shoal_metainfo_layer_set(mi, f, shoal_bytes(bad, 96)),
							 SHOAL_ERR_HASH);
					assert_int_equal(shoal_metainfo_layer_set(mi, f, shoal_bytes(hashes, 64)),
							 SHOAL_ERR_RANGE);
					assert_int_equal(shoal_metainfo_layer(mi, f).len, 0);
					assert_null(shoal_metainfo_piece_root(mi, f * 3, &leaves));
				}
				assert_int_equal(shoal_metainfo_layer_set(mi, f, shoal_bytes(hashes, 96)), 0);
				assert_true(shoal_bytes_equal(shoal_metainfo_layer(mi, f), shoal_bytes(hashes, 96)));
				for (uint32_t p = 0; p < 3; p++) {
					assert_memory_equal(shoal_metainfo_piece_root(mi, f * 3 + p, &leaves),
							    hashes + p * 32, 32);
					assert_int_equal(leaves, 2);
				}
			}
			assert_true(shoal_metainfo_layers_complete(mi));
			assert_int_equal(shoal_metainfo_layer_set(mi, 9, shoal_bytes(hashes, 96)), SHOAL_ERR_RANGE);
			shoal_metainfo_free(mi);
		}
		grow_fini(&g);
	}
}

static void a_zero_root_and_unlike_files_of_one_root_are_refused(void **state)
{
	(void)state;
	uint8_t hashes[96];
	shoal_hash32 root;
	make_layer(hashes, root);
	for (int zero = 0; zero < 2; zero++) {
		struct grow g = { 0 };
		struct shoal_metainfo *mi = NULL;
		struct shoal_metainfo_fault why;
		uint8_t none[32] = { 0 };
		grow_print(&g, "d4:infod9:file treed1:ad0:d6:lengthi70000e11:pieces root32:");
		grow_put(&g, zero ? none : root, 32);
		grow_print(&g, "ee1:bd0:d6:lengthi40000e11:pieces root32:");
		grow_put(&g, root, 32);
		grow_print(&g, "eee12:meta versioni2e4:name1:N12:piece lengthi32768ee12:piece layersd32:");
		grow_put(&g, root, 32);
		grow_print(&g, "96:");
		grow_put(&g, hashes, 96);
		grow_print(&g, "ee");
		assert_int_equal(parse_text(&mi, g.at, g.len, &why), SHOAL_ERR_MALFORMED);
		assert_non_null(strstr(why.what, zero ? "is no hash" : "unlike lengths"));
		grow_fini(&g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_what_a_map_of_bytes_says),
		cmocka_unit_test(a_byte_is_found_among_files_of_any_size),
		cmocka_unit_test(v2_pieces_end_with_their_files),
		cmocka_unit_test(layers_are_proven_or_refused),
		cmocka_unit_test(a_zero_root_and_unlike_files_of_one_root_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
