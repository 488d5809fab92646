/* test_zeros.c - holes are known without reading and stay holes; their hashes are those of zeros that were read. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/base/digest.h"
#include "proto/base/slots.h"
#include "swarm/io/zeros.h"
#include "tests/unit/own_place.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (1u << 20)

/* Data in the first page and at 4 MiB, holes between and after, 8 MiB in all. */
static int sparse_file(void)
{
	char path[300];
	snprintf(path, sizeof path, "%s/sparse", own_place);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "head", 4, 0), 4);
	assert_int_equal(pwrite(fd, "middle", 6, 4 * MIB), 6);
	assert_int_equal(ftruncate(fd, 8 * MIB), 0);
	return fd;
}

static off_t blocks_of(int fd)
{
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	return st.st_blocks;
}

static void the_hashes_are_those_of_zeros(void **state)
{
	(void)state;
	struct shoal_zeros z = { 0 };
	for (uint32_t bytes = SHOAL_BLOCK; bytes <= MIB; bytes *= 4) {
		uint8_t *zero = calloc(1, bytes), sha1[20], root[32];
		uint32_t leaves = bytes / SHOAL_BLOCK;
		shoal_hash32 *leaf = calloc(leaves, sizeof *leaf);
		assert_true(zero && leaf);
		shoal_sha1(shoal_bytes(zero, bytes), sha1);
		for (uint32_t i = 0; i < leaves; i++)
			shoal_sha256(shoal_bytes(zero, SHOAL_BLOCK), leaf[i]);
		shoal_merkle_root(leaf, leaves, leaves, 0, root);
		assert_int_equal(shoal_zeros_know(&z, bytes), 0);
		assert_int_equal(shoal_zeros_know(&z, bytes), 0);
		assert_memory_equal(z.sha1, sha1, 20);
		assert_memory_equal(z.root, root, 32);
		free(zero);
		free(leaf);
	}
}

static void a_hole_is_what_holds_no_data_before_the_end(void **state)
{
	(void)state;
	const struct shoal_os_ops *os = &shoal_os_real;
	int fd = sparse_file();
	if (!shoal_zeros_hole(os, fd, MIB,
			      MIB)) /* a file system that cannot tell: all is data, and that is right too */
		print_message("no holes here\n");
	else {
		assert_true(shoal_zeros_hole(os, fd, 7 * MIB, MIB));
		assert_true(shoal_zeros_hole(os, fd, 3 * MIB, MIB));
	}
	assert_false(shoal_zeros_hole(os, fd, 0, MIB));
	assert_false(shoal_zeros_hole(os, fd, 4 * MIB - 1, 2));
	assert_false(shoal_zeros_hole(os, fd, 7 * MIB, MIB + 1)); /* past the end there is no hole */
	assert_false(shoal_zeros_hole(os, fd, 9 * MIB, 1));
	struct shoal_os_ops blind = shoal_os_real;
	blind.lseek = NULL;
	assert_false(shoal_zeros_hole(&blind, fd, MIB, MIB));
	close(fd);
}

static void zeros_leave_holes_and_replace_data(void **state)
{
	(void)state;
	const struct shoal_os_ops *os = &shoal_os_real;
	int fd = sparse_file();
	uint8_t *zero = calloc(2, MIB), *got = malloc(MIB);
	struct stat st;
	assert_true(zero && got);
	struct iovec v[2] = { { zero, MIB / 2 }, { zero + MIB, MIB / 2 } };
	off_t before = blocks_of(fd);
	if (shoal_zeros_hole(os, fd, MIB, MIB)) {
		assert_int_equal(shoal_zeros_write(os, fd, v, 2, MIB), MIB);
		assert_int_equal(blocks_of(fd), before);
		/* Past the end: as long as it would be, and hardly any wider. */
		assert_int_equal(shoal_zeros_write(os, fd, v, 2, 20 * MIB), MIB);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_size, 21 * MIB);
		assert_true(blocks_of(fd) - before <= 64 * 1024 / 512);
		assert_int_equal(pread(fd, got, MIB, 20 * MIB), MIB);
		assert_memory_equal(got, zero, MIB);
	}
	/* Where there is data, zeros are news; and what is not all zeros is written. */
	assert_int_equal(shoal_zeros_write(os, fd, v, 2, 0), 0);
	assert_int_equal(shoal_zeros_write(os, fd, v, 2, 4 * MIB - MIB / 2), 0);
	zero[2 * MIB - MIB / 2 - 1] = 1;
	assert_int_equal(shoal_zeros_write(os, fd, v, 2, MIB), 0);
	free(zero);
	free(got);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		own_place_test(the_hashes_are_those_of_zeros),
		own_place_test(a_hole_is_what_holds_no_data_before_the_end),
		own_place_test(zeros_leave_holes_and_replace_data),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
