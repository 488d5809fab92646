/* own_disk.c - see own_disk.h. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <poll.h>
#include <stdlib.h>
#include "tests/unit/own_disk.h"
#include "tests/unit/own_place.h"

struct own_task *own_task_new(const struct own_torrent *t, enum shoal_disk_op op, unsigned flags, uint32_t storage,
			      uint32_t piece, uint32_t begin, uint32_t len)
{
	struct own_task *k = calloc(1, sizeof *k);
	assert_non_null(k);
	uint32_t count = op == SHOAL_DISK_CHECK ? 0 : (len + 16383) / 16384;
	assert_true(count <= OWN_TASK_BLOCKS);
	k->room = calloc(count + 1, 16384);
	assert_non_null(k->room);
	for (uint32_t i = 0; i < count; i++) {
		k->slot[i].at = k->room + (size_t)i * 16384;
		k->slots[i] = &k->slot[i];
	}
	if (op == SHOAL_DISK_WRITE)
		own_piece(t, piece, begin, k->room, len);
	own_hash(t, piece, &k->hash, k->leaf);
	k->job = (struct shoal_disk_job){ .op = op,
					  .flags = flags,
					  .storage = storage,
					  .piece = piece,
					  .begin = begin,
					  .len = len,
					  .slot = k->slots,
					  .slot_count = count,
					  .hash = op == SHOAL_DISK_READ ? NULL : &k->hash,
					  .owner = k };
	return k;
}
void own_task_free(struct own_task *k)
{
	free(k->room);
	free(k);
}

void own_disk_reap(struct shoal_disk_threads *dt, struct shoal_disk_job *out[], size_t want)
{
	struct shoal_disk disk = shoal_disk_threads_disk(dt);
	size_t n = 0;
	while (n < want) {
		struct pollfd p = { .fd = shoal_disk_threads_fd(dt), .events = POLLIN };
		if (poll(&p, 1, 20000) != 1)
			fail_msg("the disk hangs: %zu of %zu jobs came back", n, want);
		n += disk.ops->reap(disk.d, out + n, want - n);
	}
}
int own_disk_run(struct shoal_disk_threads *dt, struct shoal_disk_job *job)
{
	struct shoal_disk disk = shoal_disk_threads_disk(dt);
	struct shoal_disk_job *out[1];
	assert_int_equal(disk.ops->submit(disk.d, job), 0);
	own_disk_reap(dt, out, 1);
	assert_ptr_equal(out[0], job);
	return job->err;
}

struct shoal_disk_threads *own_disk_threads(const struct shoal_os_ops *os, unsigned workers)
{
	struct shoal_disk_threads *dt;
	assert_int_equal(shoal_disk_threads_new(&dt, os, workers), 0);
	assert_int_equal(shoal_disk_threads_workers(dt), workers);
	return dt;
}
uint32_t own_disk_opened(struct shoal_disk_threads *dt, const struct own_torrent *t, bool read_only)
{
	uint32_t storage;
	struct shoal_disk disk = shoal_disk_threads_disk(dt);
	assert_int_equal(disk.ops->open(disk.d, t->mi, own_place, read_only, &storage), 0);
	return storage;
}
