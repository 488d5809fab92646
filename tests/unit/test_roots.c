/* test_roots.c - files by root: each is found, of equal ones the first; others are not, nor are files without a root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "swarm/pieces/roots.h"
#include "tests/unit/torrents.h"

#define FILES 3000u

/* File i: every seventh is empty, and so has no root; every fifth has that of file 1. */
static bool has_root(uint32_t i)
{
	return i % 7 != 0;
}

static uint32_t first_of(uint32_t i)
{
	return i % 5 == 1 ? 1 : i;
}

static void root_of(uint32_t i, char out[33])
{
	snprintf(out, 33, "%032u", (unsigned)i);
}

static struct shoal_metainfo *many(void)
{
	struct shoal_metainfo_fault why;
	struct shoal_metainfo *mi = NULL;
	struct grow g = { 0 };
	char root[33];
	grow_print(&g, "d4:infod9:file treed");
	for (uint32_t i = 0; i < FILES; i++) {
		root_of(first_of(i), root);
		if (has_root(i))
			grow_print(&g, "4:%04ud0:d6:lengthi9e11:pieces root32:%see", (unsigned)i, root);
		else
			grow_print(&g, "4:%04ud0:d6:lengthi0eee", (unsigned)i);
	}
	grow_print(&g, "e12:meta versioni2e4:name1:n12:piece lengthi16384eee");
	if (parse_text(&mi, g.at, g.len, &why) < 0)
		fail_msg("%s", why.what);
	grow_fini(&g);
	return mi;
}

static void each_is_found_and_no_other(void **state)
{
	(void)state;
	struct shoal_metainfo *mi = many();
	struct shoal_roots roots;
	char root[33];
	assert_int_equal(shoal_metainfo_file_count(mi), FILES);
	assert_int_equal(shoal_roots_make(&roots, mi, (struct shoal_sipkey){ 1, 2 }), 0);
	assert_true((roots.mask + 1) * sizeof *roots.place == shoal_roots_bytes(mi));
	for (uint32_t i = 0; i < 2 * FILES; i++) {
		root_of(i, root);
		bool there = i < FILES && has_root(i) && first_of(i) == i;
		assert_int_equal(shoal_roots_find(&roots, mi, (const uint8_t *)root), there ? i : UINT32_MAX);
	}
	shoal_roots_fini(&roots);
	assert_null(roots.place);
	shoal_metainfo_free(mi);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_found_and_no_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
