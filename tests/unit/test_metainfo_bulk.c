/*
 * test_metainfo_bulk.c - large and spiteful torrents: time stays linear and memory near the input
 * (reliability rows B01, B02, B13, B16, B19, P08). The limit is 200 ms of processor time a MB.
 */
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
#include "tests/unit/torrents.h"

#define MS_A_MB 200.0

/* Sanitizers slow everything down by some factor; the shape of the curve is what is tested. */
static double slack(void)
{
	return getenv("SHOAL_SHORT") ? 5 : 1;
}

/* Parses, and fails when that took too long. */
static struct shoal_metainfo *timed(const char *what, const struct grow *g, int want)
{
	struct shoal_metainfo *mi = NULL;
	struct shoal_metainfo_fault why;
	clock_t from = clock();
	int rc = shoal_metainfo_parse(&mi, shoal_bytes(g->at, g->len), &why);
	double ms = (double)(clock() - from) * 1000 / CLOCKS_PER_SEC, mb = (double)g->len / 1e6;
	print_message("%-40s %8.2f MB %8.1f ms %7.1f ms/MB%s%s", what, mb, ms, ms / mb, rc < 0 ? "  " : "",
		      rc < 0 ? why.what : "");
	if (mi != NULL)
		print_message("  %.1f MB held", (double)shoal_metainfo_bytes(mi) / 1e6);
	print_message("\n");
	assert_int_equal(rc, want);
	assert_true(ms < MS_A_MB * slack() * (mb < 0.5 ? 0.5 : mb));
	if (mi != NULL) /* what it holds is a small multiple of what came in */
		assert_true(shoal_metainfo_bytes(mi) <= 4 * g->len + 64 * 1024);
	return mi;
}

static void begin_v1(struct grow *g)
{
	grow_print(g, "d4:infod5:filesl");
}
static void end_v1(struct grow *g)
{
	grow_print(g, "e4:name1:N12:piece lengthi16384e6:pieces0:ee");
}

static void many_files_of_one_name(void **state)
{
	(void)state;
	static const unsigned counts[] = { 20000, 40000, 131072, 200000 };
	for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
		struct grow g = { 0 };
		begin_v1(&g);
		for (unsigned i = 0; i < counts[c]; i++)
			grow_print(&g, "d6:lengthi0e4:pathl1:aee");
		end_v1(&g);
		struct shoal_metainfo *mi = timed("files of one name", &g, 0);
		uint8_t path[64];
		assert_int_equal(shoal_metainfo_path(mi, counts[c] - 1, (struct shoal_space){ path, sizeof path }),
				 snprintf(NULL, 0, "N/a~%x", counts[c] - 1));
		shoal_metainfo_free(mi);
		grow_fini(&g);
	}
}

static void twins_and_the_names_they_would_get(void **state)
{
	(void)state;
	struct grow g = { 0 };
	begin_v1(&g);
	for (unsigned i = 0; i < 50000; i++) /* each twin finds its first two made-up names taken */
		grow_print(&g, "d6:lengthi0e4:pathl1:aeed6:lengthi0e4:pathl%u:a~%xeed6:lengthi0e4:pathl%u:a~%x~1ee",
			   (unsigned)snprintf(NULL, 0, "a~%x", 3 * i), 3 * i,
			   (unsigned)snprintf(NULL, 0, "a~%x~1", 3 * i), 3 * i);
	end_v1(&g);
	shoal_metainfo_free(timed("twins whose made-up names are taken", &g, 0));
	grow_fini(&g);
}

static void nesting_and_tokens_without_end(void **state)
{
	(void)state;
	struct grow g = { 0 };
	for (int i = 0; i < 10000000; i++)
		grow_put(&g, "l", 1);
	timed("10 MB of l", &g, SHOAL_ERR_TOO_LONG);
	g.len = 0;
	for (int i = 0; i < 1000000; i++)
		grow_put(&g, "d1:a", 4);
	timed("1,000,000 dictionaries deep", &g, SHOAL_ERR_TOO_LONG);
	g.len = 0;
	grow_print(&g, "d4:infod9:file treed");
	for (int i = 0; i < 1000000; i++)
		grow_put(&g, "1:ad", 4);
	timed("a file tree 1,000,000 deep", &g, SHOAL_ERR_TOO_LONG);
	g.len = 0;
	grow_print(&g, "d4:infod6:lengthi0e4:name1:N12:piece lengthi16384e6:pieces0:e1:xl");
	for (int i = 0; i < 5000000; i++)
		grow_put(&g, "0:", 2);
	grow_print(&g, "ee");
	struct shoal_metainfo *mi = timed("5,000,000 empty strings", &g, 0);
	assert_true(shoal_metainfo_bytes(mi) < 4096);
	shoal_metainfo_free(mi);
	g.len = 0;
	grow_print(&g, "d4:infod6:lengthi0e4:name1:N12:piece lengthi16384e6:pieces0:e1:x");
	for (int i = 0; i < 28; i++) /* unsorted at every level, and wide */
		grow_print(&g, "d1:bi0e1:a");
	grow_print(&g, "d");
	for (unsigned i = 300000; i > 0; i--)
		grow_print(&g, "6:%06xi0e", i);
	for (int i = 0; i < 29; i++)
		grow_print(&g, "e");
	grow_print(&g, "e");
	shoal_metainfo_free(timed("300,000 unsorted keys", &g, 0));
	grow_fini(&g);
}

static void trackers_and_seeds_without_end(void **state)
{
	(void)state;
	struct grow g = { 0 };
	grow_print(&g, "d13:announce-listl");
	for (unsigned i = 0; i < 100000; i++)
		grow_print(&g, "l15:http://%08xe", i);
	grow_print(&g, "e4:infod6:lengthi0e4:name1:N12:piece lengthi16384e6:pieces0:e8:url-listl");
	for (unsigned i = 0; i < 255; i++)
		grow_print(&g, "15:http://%08x", i);
	for (unsigned i = 0; i < 100000; i++) /* the last of them, over and over */
		grow_print(&g, "15:http://%08x", 254u);
	grow_print(&g, "ee");
	struct shoal_metainfo *mi = timed("100,000 trackers and web seeds", &g, 0);
	assert_int_equal(shoal_metainfo_tracker_count(mi), SHOAL_TRACKERS_MAX);
	assert_int_equal(shoal_metainfo_webseed_count(mi), 255);
	shoal_metainfo_free(mi);
	grow_fini(&g);
}

static void pads_without_end(void **state)
{
	(void)state;
	struct grow g = { 0 };
	uint8_t hash[20] = { 0 };
	begin_v1(&g);
	grow_print(&g, "d6:lengthi1e4:pathl1:aee");
	for (unsigned i = 0; i < 200000; i++)
		grow_print(&g, "d4:attr1:p6:lengthi1ee");
	grow_print(&g, "e4:name1:N12:piece lengthi1048576e6:pieces20:");
	grow_put(&g, hash, 20);
	grow_print(&g, "ee");
	struct shoal_metainfo *mi = timed("200,000 pads in one piece", &g, 0);
	clock_t from = clock();
	for (int i = 0; i < 100000; i++)
		assert_int_equal(shoal_metainfo_piece_bytes(mi, 0), 1);
	assert_true((double)(clock() - from) / CLOCKS_PER_SEC < 1.0 * slack());
	shoal_metainfo_free(mi);
	grow_fini(&g);
}

static void declared_sizes_buy_no_memory(void **state)
{
	(void)state;
	struct grow g = { 0 };
	/* 2^21 pieces of 64 MiB in 150 bytes */
	grow_print(&g, "d4:infod9:file treed1:ad0:d6:lengthi140737488355328e11:pieces root32:" H32
		       "eee12:meta versioni2e4:name1:N12:piece lengthi67108864eee");
	struct shoal_metainfo *mi = timed("2^47 bytes in one file", &g, 0);
	assert_true(shoal_metainfo_bytes(mi) < 4096);
	assert_int_equal(shoal_metainfo_piece_count(mi), SHOAL_PIECES_MAX);
	shoal_metainfo_free(mi);
	grow_fini(&g);
}

/* As wide and as deep as real ones get. */
static void a_large_v2_torrent_is_cheap(void **state)
{
	(void)state;
	unsigned count = getenv("SHOAL_LONG") ? 1000000 : 100000;
	struct grow g = { 0 };
	grow_print(&g, "d4:infod9:file treed");
	for (unsigned i = 0; i < count; i++) {
		if (i % 1000 == 0)
			grow_print(&g, "%s8:%08xd", i ? "e" : "", i);
		grow_print(&g, "12:file%08xd0:d6:lengthi%ue11:pieces root32:" H32 "ee", i, 1000 + i % 9000);
	}
	grow_print(&g, "ee12:meta versioni2e4:name1:N12:piece lengthi16384eee");
	struct shoal_metainfo *mi = timed("a v2 torrent of many files", &g, 0);
	assert_int_equal(shoal_metainfo_file_count(mi), count);
	assert_true(shoal_metainfo_bytes(mi) <= g.len + 33 * (size_t)count + 4096);
	clock_t from = clock();
	for (uint32_t p = 0; p < shoal_metainfo_piece_count(mi); p++) {
		uint32_t leaves;
		assert_int_equal(shoal_metainfo_piece_bytes(mi, p), 1000 + p % 9000);
		assert_non_null(shoal_metainfo_piece_root(mi, p, &leaves));
		assert_int_equal(leaves, 1);
	}
	assert_true((double)(clock() - from) / CLOCKS_PER_SEC < 2.0 * slack());
	shoal_metainfo_free(mi);
	grow_fini(&g);
}

static void a_large_v1_torrent_is_cheap(void **state)
{
	(void)state;
	struct grow g = { 0 };
	begin_v1(&g);
	for (unsigned i = 0; i < 100000; i++)
		grow_print(&g, "d6:lengthi0e4:pathl4:%04x4:%04x8:%08xee", i % 7, i % 1000, i);
	end_v1(&g);
	struct shoal_metainfo *mi = timed("a v1 torrent of many files", &g, 0);
	for (uint32_t i = 0; i < 100000; i++)
		assert_int_equal(shoal_metainfo_file_flags(mi, i), 0);
	shoal_metainfo_free(mi);
	grow_fini(&g);
}

static void many_layers_of_one_root(void **state)
{
	(void)state;
	struct grow g = { 0 };
	grow_print(&g, "d4:infod9:file treed");
	for (unsigned i = 0; i < 50000; i++)
		grow_print(&g, "8:%08xd0:d6:lengthi20000e11:pieces root32:" H32 "ee", i);
	grow_print(&g, "e12:meta versioni2e4:name1:N12:piece lengthi16384ee12:piece layersd");
	for (unsigned i = 0; i < 50000; i++) /* and layers for nobody */
		grow_print(&g, "32:%032x64:" H32 H32, i);
	grow_print(&g, "ee");
	struct shoal_metainfo *mi = timed("50,000 files of one root", &g, 0);
	assert_int_equal(shoal_metainfo_layer_count(mi), 50000);
	assert_false(shoal_metainfo_layers_complete(mi));
	shoal_metainfo_free(mi);
	grow_fini(&g);
}

static void more_than_a_torrent_may_have_is_refused_unread(void **state)
{
	(void)state;
	struct shoal_metainfo *mi;
	struct shoal_metainfo_fault why;
	size_t len = (size_t)SHOAL_METAINFO_BYTES_MAX + 1;
	uint8_t *at = calloc(len, 1); /* untouched pages */
	assert_non_null(at);
	assert_int_equal(shoal_metainfo_parse(&mi, shoal_bytes(at, len), &why), SHOAL_ERR_TOO_LONG);
	assert_string_equal(why.what, "134217729 bytes (at most 134217728)");
	free(at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_files_of_one_name),
		cmocka_unit_test(twins_and_the_names_they_would_get),
		cmocka_unit_test(nesting_and_tokens_without_end),
		cmocka_unit_test(trackers_and_seeds_without_end),
		cmocka_unit_test(pads_without_end),
		cmocka_unit_test(declared_sizes_buy_no_memory),
		cmocka_unit_test(a_large_v2_torrent_is_cheap),
		cmocka_unit_test(a_large_v1_torrent_is_cheap),
		cmocka_unit_test(many_layers_of_one_root),
		cmocka_unit_test(more_than_a_torrent_may_have_is_refused_unread),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
