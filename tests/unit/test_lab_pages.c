/* test_lab_pages.c - the heap of a large world is marked for huge pages as it grows, and that of others is left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/lab/pages.h"

#define BITS 640 /* of 64 KiB: 40 MiB */

/* KiB of the heap that are marked ("hg", proc(5)). */
static unsigned long marked(void)
{
	char line[512], *dash;
	unsigned long from, to, kib = 0, sum = 0;
	bool heap = false;
	FILE *f = fopen("/proc/self/smaps", "r");
	assert_non_null(f);
	while (fgets(line, sizeof line, f) != NULL) {
		from = strtoul(line, &dash, 16);
		if (dash != line && *dash == '-') {
			to = strtoul(dash + 1, NULL, 16);
			heap = strstr(line, "[heap]") != NULL;
			kib = (to - from) / 1024;
		} else if (heap && strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " hg") != NULL) {
			sum += kib;
		}
	}
	fclose(f);
	return sum;
}

static void fill(void *bit[BITS])
{
	for (int i = 0; i < BITS; i++) {
		bit[i] = malloc(64 * 1024);
		assert_non_null(bit[i]);
		memset(bit[i], i, 64 * 1024);
	}
}

static void what_the_heap_grows_by_is_marked(void **state)
{
	static void *before[BITS], *after[BITS];
	struct lab_pages pages = { 0 };
	uintptr_t end = (uintptr_t)sbrk(0);
	(void)state;
	fill(before);
	bool heap = (uintptr_t)sbrk(0) != end; /* a sanitizer's malloc has its own */
	if (!heap || access("/sys/kernel/mm/transparent_hugepage/enabled", F_OK) != 0)
		skip();
	assert_int_equal(marked(), 0);
	lab_pages_look(&pages);
	assert_int_equal(marked(), 0); /* it is about what comes */
	fill(after);
	lab_pages_look(&pages);
	unsigned long kib = marked();
	print_message("%lu KiB of the heap are marked\n", kib);
	assert_true(kib >= 40 * 1024);
	lab_pages_look(&pages);
	assert_int_equal(marked(), kib);
	for (int i = 0; i < BITS; i++) {
		free(before[i]);
		free(after[i]);
	}
	lab_pages_look(&pages); /* it has shrunk */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_heap_grows_by_is_marked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
