/* test_disk_threads.c - verdicts of every kind of torrent, order within a piece, failures in turn, and a storm. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proto/base/rng.h"
#include "swarm/io/disk_threads.h"
#include "tests/unit/own_faults.h"
#include "tests/unit/own_torrent.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KIB 1024u
#define COUNT(a) (sizeof(a) / sizeof *(a))
#define BLOCKS 64 /* a piece has at most */

static char folder[256];

static const struct own_file v1_files[] = {
	{ "a", 10000, false }, { "b/empty", 0, false }, { "b/c/d", 300001, false }, { ".pad/1", 3000, true },
	{ "b/e", 1, false },   { "f", 170000, false },	{ "g/h", 16384, false },    { "tail", 5, false },
};
static const struct own_file v2_files[] = {
	{ "a", 10000, false }, { "b/c/d", 300001, false }, { "b/empty", 0, false },
	{ "f", 32768, false }, { "g/h", 65536, false },	   { "tail", 1, false },
};
struct kind {
	enum own_format format;
	uint32_t piece_size;
	const struct own_file *file;
	size_t count;
};
static const struct kind kinds[] = {
	{ OWN_V1, 16 * KIB, v1_files, COUNT(v1_files) },      { OWN_V1, 64 * KIB, v1_files, COUNT(v1_files) },
	{ OWN_V1, 256 * KIB, v1_files, COUNT(v1_files) },     { OWN_V2, 16 * KIB, v2_files, COUNT(v2_files) },
	{ OWN_V2, 128 * KIB, v2_files, COUNT(v2_files) },     { OWN_HYBRID, 32 * KIB, v2_files, COUNT(v2_files) },
	{ OWN_HYBRID, 256 * KIB, v2_files, COUNT(v2_files) },
};

static int setup(void **state)
{
	(void)state;
	own_faults_arm(0, 0, 0);
	own_faults_only(NULL);
	own_faults_tear(0);
	own_faults_old_kernel(false);
	own_folder(folder, sizeof folder);
	return 0;
}
static int teardown(void **state)
{
	(void)state;
	own_folder_end(folder);
	return 0;
}

/* A job with slots and a hash of its own. */
struct task {
	struct shoal_disk_job job;
	struct shoal_piece_hash hash;
	uint8_t leaf[BLOCKS][32];
	struct shoal_slot slot[BLOCKS], *slots[BLOCKS];
	uint8_t *room;
};

static struct task *task_new(const struct own_torrent *t, enum shoal_disk_op op, unsigned flags, uint32_t storage,
			     uint32_t piece, uint32_t begin, uint32_t len)
{
	struct task *k = calloc(1, sizeof *k);
	assert_non_null(k);
	uint32_t count = op == SHOAL_DISK_CHECK ? 0 : (len + 16383) / 16384;
	assert_true(count <= BLOCKS);
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
static void task_free(struct task *k)
{
	free(k->room);
	free(k);
}

/* Waits for `want` jobs; the order they came back in is in out[]. A disk that hangs fails the test. */
static void reap(struct shoal_disk_threads *dt, struct shoal_disk_job *out[], size_t want)
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
static int run(struct shoal_disk_threads *dt, struct shoal_disk_job *job)
{
	struct shoal_disk disk = shoal_disk_threads_disk(dt);
	struct shoal_disk_job *out[1];
	assert_int_equal(disk.ops->submit(disk.d, job), 0);
	reap(dt, out, 1);
	assert_ptr_equal(out[0], job);
	return job->err;
}

static struct shoal_disk_threads *threads(unsigned workers)
{
	struct shoal_disk_threads *dt;
	assert_int_equal(shoal_disk_threads_new(&dt, &own_faults, workers), 0);
	assert_int_equal(shoal_disk_threads_workers(dt), workers);
	return dt;
}
static uint32_t opened(struct shoal_disk_threads *dt, const struct own_torrent *t, bool read_only)
{
	uint32_t storage;
	struct shoal_disk disk = shoal_disk_threads_disk(dt);
	assert_int_equal(disk.ops->open(disk.d, t->mi, folder, read_only, &storage), 0);
	return storage;
}

/* SHA-256 of each block, as LEAVES promises for v1 too. */
static void check_leaves(const struct own_torrent *t, uint32_t piece, uint8_t (*leaf)[32])
{
	uint8_t block[16384], want[32];
	uint32_t bytes = shoal_metainfo_piece_bytes(t->mi, piece);
	for (uint32_t at = 0; at < bytes; at += 16384) {
		uint32_t len = bytes - at < 16384 ? bytes - at : 16384;
		own_piece(t, piece, at, block, len);
		shoal_sha256((struct shoal_bytes){ block, len }, want);
		assert_memory_equal(leaf[at / 16384], want, 32);
	}
}

static void write_all_check_all(const struct kind *kind, unsigned workers, uint32_t blocks_a_run)
{
	struct own_torrent t;
	struct task *task[256];
	struct shoal_disk_job *out[256];
	own_torrent_make(&t, kind->format, kind->piece_size, "n", kind->file, kind->count, false);
	struct shoal_disk_threads *dt = threads(workers);
	struct shoal_disk disk = shoal_disk_threads_disk(dt);
	uint32_t storage = opened(dt, &t, false);
	size_t n = 0;
	/* Runs of all pieces, interleaved; those of one piece share its hash. */
	struct task *first[256] = { NULL };
	for (uint32_t block = 0; block * 16384 < kind->piece_size; block += blocks_a_run) {
		for (uint32_t p = 0; p < t.pieces; p++) {
			uint32_t bytes = shoal_metainfo_piece_bytes(t.mi, p), begin = block * 16384;
			if (begin >= bytes)
				continue;
			uint32_t len = bytes - begin < blocks_a_run * 16384 ? bytes - begin : blocks_a_run * 16384;
			unsigned flags = begin + len == bytes ? SHOAL_DISK_LAST : 0;
			if (p % 2)
				flags |= SHOAL_DISK_LEAVES;
			struct task *k = task[n++] = task_new(&t, SHOAL_DISK_WRITE, flags, storage, p, begin, len);
			if (first[p])
				k->job.hash = &first[p]->hash;
			else
				first[p] = k;
			assert_int_equal(disk.ops->submit(disk.d, &k->job), 0);
		}
	}
	reap(dt, out, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(out[i]->err, 0);
	for (uint32_t p = 0; p < t.pieces; p++) {
		assert_int_equal(first[p]->hash.good, 1);
		if (t.pieces > 1 && p % 2)
			check_leaves(&t, p, first[p]->leaf);
	}
	for (size_t i = 0; i < n; i++)
		task_free(task[i]);

	uint32_t list[32], count = shoal_metainfo_file_count(t.mi);
	struct shoal_seen seen[32], again[32];
	for (uint32_t f = 0; f < count; f++)
		list[f] = f;
	struct shoal_disk_job sync = {
		.op = SHOAL_DISK_SYNC, .storage = storage, .list = list, .count = count, .seen = seen
	};
	assert_int_equal(run(dt, &sync), 0);
	struct shoal_disk_job finish = sync;
	finish.op = SHOAL_DISK_FINISH;
	assert_int_equal(run(dt, &finish), 0);
	disk.ops->close(disk.d, storage);

	/* As another process would find it. */
	storage = opened(dt, &t, true);
	struct shoal_disk_job scan = { .op = SHOAL_DISK_SCAN, .storage = storage, .count = count, .seen = again };
	assert_int_equal(run(dt, &scan), 0);
	for (uint32_t f = 0; f < count; f++) {
		bool pad = shoal_metainfo_file_flags(t.mi, f) & SHOAL_FILE_PAD;
		assert_int_equal(again[f].state, pad ? SHOAL_SEEN_NONE : SHOAL_SEEN_WHOLE);
		assert_memory_equal(&again[f].stamp, &seen[f].stamp, sizeof seen[f].stamp);
		disk.ops->stamp(disk.d, storage, f, &again[f].stamp);
	}
	for (uint32_t p = 0; p < t.pieces; p++) {
		unsigned flags = (p % 2 ? SHOAL_DISK_LEAVES : 0u) | (p % 3 ? SHOAL_DISK_DROP : 0u);
		task[p] = task_new(&t, SHOAL_DISK_CHECK, flags, storage, p, 0, 0);
		assert_int_equal(disk.ops->submit(disk.d, &task[p]->job), 0);
	}
	reap(dt, out, t.pieces);
	for (uint32_t p = 0; p < t.pieces; p++) {
		assert_int_equal(task[p]->job.err, 0);
		assert_int_equal(task[p]->hash.good, 1);
		if (p % 2)
			check_leaves(&t, p, task[p]->leaf);
		task_free(task[p]);
	}
	for (uint32_t p = 0; p < t.pieces; p++) {
		uint32_t bytes = shoal_metainfo_piece_bytes(t.mi, p);
		uint8_t *want = malloc(bytes);
		assert_non_null(want);
		task[p] = task_new(&t, SHOAL_DISK_READ, 0, storage, p, 0, bytes);
		assert_int_equal(run(dt, &task[p]->job), 0);
		own_piece(&t, p, 0, want, bytes);
		assert_memory_equal(task[p]->room, want, bytes);
		free(want);
		task_free(task[p]);
	}
	disk.ops->close(disk.d, storage);
	shoal_disk_threads_free(dt);
	assert_int_equal(own_faults_open(), 0);
	own_torrent_free(&t);
}

static void every_kind_is_written_and_found_right(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		for (uint32_t blocks = 1; blocks <= 64; blocks *= 4) {
			char n[300];
			write_all_check_all(&kinds[i], 1 + (unsigned)(i + blocks) % 3, blocks);
			snprintf(n, sizeof n, "%s/n", folder);
			own_folder_end(n);
		}
	}
}

static void every_kernel_will_do(void **state)
{
	(void)state;
	static const char *const kernels[] = { "openssl", "avx2", "sha-ni", "avx512" };
	for (size_t i = 0; i < COUNT(kernels); i++) {
		char n[300];
		if (shoal_digest_use(kernels[i]) < 0)
			continue;
		write_all_check_all(&kinds[0], 1, 64);
		snprintf(n, sizeof n, "%s/n", folder);
		own_folder_end(n);
		write_all_check_all(&kinds[5], 2, 1);
		own_folder_end(n);
	}
	assert_int_equal(shoal_digest_use(NULL), 0);
}

static void torn_transfers_change_nothing(void **state)
{
	(void)state;
	own_faults_tear(5000);
	write_all_check_all(&kinds[2], 2, 4);
}

/* It stands for what has been written, and does not wait for what is to be. (The worker may be through before it comes.) */
static void a_barrier_does_not_wait_for_what_is_to_be_written(void **state)
{
	(void)state;
	static const struct own_file one[] = { { "large", 4 << 20, false } };
	struct own_torrent t;
	uint32_t list[] = { 0 };
	struct shoal_seen seen[1];
	bool before = false;
	own_torrent_make(&t, OWN_V2, 16 * KIB, "n", one, 1, false);
	struct shoal_disk_threads *dt = threads(1);
	struct shoal_disk disk = shoal_disk_threads_disk(dt);
	uint32_t storage = opened(dt, &t, false);
	for (int tries = 0; tries < 20 && !before; tries++) {
		struct task *task[256];
		struct shoal_disk_job *out[258];
		for (uint32_t p = 0; p < 256; p++)
			task[p] = task_new(&t, SHOAL_DISK_WRITE, SHOAL_DISK_LAST, storage, p, 0, 16 * KIB);
		for (uint32_t p = 0; p < 256; p++)
			assert_int_equal(disk.ops->submit(disk.d, &task[p]->job), 0);
		struct shoal_disk_job sync = { .op = SHOAL_DISK_SYNC,
					       .storage = storage,
					       .list = list,
					       .count = 1,
					       .seen = seen },
				      second = sync;
		assert_int_equal(disk.ops->submit(disk.d, &sync), 0);
		assert_int_equal(disk.ops->submit(disk.d, &second), 0);
		reap(dt, out, 258);
		assert_ptr_equal(out[257], &second); /* one at a time, or nothing would be written any more */
		for (size_t i = 0; i < 128; i++)
			before = before || out[i] == &sync;
		for (uint32_t p = 0; p < 256; p++) {
			assert_int_equal(task[p]->hash.good, 1);
			task_free(task[p]);
		}
	}
	assert_true(before);
	disk.ops->close(disk.d, storage);
	shoal_disk_threads_free(dt);
	own_torrent_free(&t);
}

/* Idle workers have a part in a long FINISH. */
static void many_workers_give_many_names(void **state)
{
	(void)state;
	enum { FILES = 400 };
	static char name[FILES][16];
	static struct own_file file[FILES];
	static struct shoal_seen seen[FILES];
	static uint32_t list[FILES];
	struct own_torrent t;
	for (uint32_t i = 0; i < FILES; i++) {
		snprintf(name[i], sizeof name[i], "%02u/%03u", i / 20, i);
		file[i] = (struct own_file){ name[i], 1 + i, false };
		list[i] = i;
	}
	own_torrent_make(&t, OWN_V2, 16 * KIB, "n", file, FILES, false);
	for (unsigned workers = 1; workers <= 5; workers += 2) {
		struct shoal_disk_threads *dt = threads(workers);
		struct shoal_disk disk = shoal_disk_threads_disk(dt);
		uint32_t storage = opened(dt, &t, false);
		for (uint32_t p = 0; p < t.pieces; p++) {
			struct task *k = task_new(&t, SHOAL_DISK_WRITE, SHOAL_DISK_LAST, storage, p, 0,
						  shoal_metainfo_piece_bytes(t.mi, p));
			assert_int_equal(run(dt, &k->job), 0);
			task_free(k);
		}
		struct shoal_disk_job finish = {
			.op = SHOAL_DISK_FINISH, .storage = storage, .list = list, .count = FILES, .seen = seen
		};
		assert_int_equal(run(dt, &finish), 0);
		for (uint32_t f = 0; f < FILES; f++) {
			assert_int_equal(seen[f].state, SHOAL_SEEN_WHOLE);
			assert_int_equal(seen[f].stamp.size, file[f].size);
		}
		assert_int_equal(run(dt, &finish), 0); /* once more does no harm */
		disk.ops->close(disk.d, storage);
		shoal_disk_threads_free(dt);
		assert_int_equal(own_faults_open(), 0);
		char n[300];
		snprintf(n, sizeof n, "%s/n", folder);
		own_folder_end(n);
	}
	own_torrent_free(&t);
}

/* v2, streamed and wrong: the block that was false is written once more, alone, and the leaves say that the piece is right.
 * Not with v1, whose hash goes over all of it in order. */
static void a_false_block_is_replaced_where_it_lies(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct kind *kind = i ? &kinds[6] : &kinds[4];
		struct own_torrent t;
		uint32_t piece = 1, block = 3, storage;
		own_torrent_make(&t, kind->format, kind->piece_size, "n", kind->file, kind->count, false);
		struct shoal_disk_threads *dt = threads(1);
		storage = opened(dt, &t, false);
		uint32_t bytes = shoal_metainfo_piece_bytes(t.mi, piece);
		struct task *all = task_new(&t, SHOAL_DISK_WRITE, SHOAL_DISK_LAST, storage, piece, 0, bytes);
		all->room[(size_t)block * 16384 + 7] ^= 1;
		assert_int_equal(run(dt, &all->job), 0);
		assert_int_equal(all->hash.good, 0);
		struct task *one = task_new(&t, SHOAL_DISK_WRITE, SHOAL_DISK_LAST, storage, piece, block * 16384,
					    16384);
		memcpy(one->leaf, all->leaf, sizeof one->leaf);
		if (one->hash.has_v1) {
			assert_int_equal(run(dt, &one->job), SHOAL_ERR_USAGE);
			one->hash.has_v1 = false;
		}
		assert_int_equal(run(dt, &one->job), 0);
		assert_int_equal(one->hash.good, 1);
		struct task *check = task_new(&t, SHOAL_DISK_CHECK, 0, storage, piece, 0, 0);
		assert_int_equal(run(dt, &check->job), 0);
		assert_int_equal(check->hash.good, 1);
		task_free(all);
		task_free(one);
		task_free(check);
		shoal_disk_threads_free(dt);
		own_torrent_free(&t);
		char n[300];
		snprintf(n, sizeof n, "%s/n", folder);
		own_folder_end(n);
	}
}

/* One flipped bit anywhere is a wrong piece. */
static void a_flipped_bit_is_found(void **state)
{
	(void)state;
	struct shoal_rng rng = shoal_rng_split(7, 1);
	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct own_torrent t;
		own_torrent_make(&t, kinds[i].format, kinds[i].piece_size, "n", kinds[i].file, kinds[i].count, false);
		struct shoal_disk_threads *dt = threads(2);
		uint32_t storage = opened(dt, &t, false);
		for (uint32_t p = 0; p < t.pieces; p++) {
			uint32_t bytes = shoal_metainfo_piece_bytes(t.mi, p);
			uint32_t bit = shoal_rng_below(&rng, bytes * 8);
			struct task *k = task_new(&t, SHOAL_DISK_WRITE, SHOAL_DISK_LAST, storage, p, 0, bytes);
			uint8_t was;
			own_piece(&t, p, bit / 8, &was, 1);
			k->room[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_int_equal(run(dt, &k->job), 0);
			/* A bit of padding is no bit of ours: it is written as zero, and the piece is right. */
			uint64_t pos = (uint64_t)p * t.piece_size + bit / 8;
			uint32_t f = shoal_metainfo_file_at(t.mi, pos);
			bool pad = shoal_metainfo_file_flags(t.mi, f) & SHOAL_FILE_PAD;
			assert_int_equal(k->hash.good, pad);
			struct task *c = task_new(&t, SHOAL_DISK_CHECK, 0, storage, p, 0, 0);
			assert_int_equal(run(dt, &c->job), 0);
			assert_int_equal(c->hash.good, pad);
			task_free(k);
			task_free(c);
		}
		shoal_disk_threads_free(dt);
		own_torrent_free(&t);
	}
}

static void if_good_writes_nothing_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct own_torrent t;
		char path[300];
		own_torrent_make(&t, kinds[i].format, kinds[i].piece_size, "n", kinds[i].file, kinds[i].count, false);
		struct shoal_disk_threads *dt = threads(2);
		uint32_t storage = opened(dt, &t, false), p = 1;
		uint32_t bytes = shoal_metainfo_piece_bytes(t.mi, p);
		unsigned flags = SHOAL_DISK_LAST | SHOAL_DISK_IF_GOOD;
		struct task *bad = task_new(&t, SHOAL_DISK_WRITE, flags, storage, p, 0, bytes);
		bad->room[bytes / 2] ^= 1;
		own_faults_arm(0, 0, 0);
		assert_int_equal(run(dt, &bad->job), 0);
		assert_int_equal(bad->hash.good, 0);
		assert_int_equal(own_faults_calls_of("pwritev"), 0);
		assert_int_equal(own_faults_calls_of("mkdirat"), 0);
		assert_false(own_exists(folder, "n"));
		struct task *good = task_new(&t, SHOAL_DISK_WRITE, flags, storage, p, 0, bytes);
		assert_int_equal(run(dt, &good->job), 0);
		assert_int_equal(good->hash.good, 1);
		struct task *check = task_new(&t, SHOAL_DISK_CHECK, 0, storage, p, 0, 0);
		assert_int_equal(run(dt, &check->job), 0);
		assert_int_equal(check->hash.good, 1);
		task_free(bad);
		task_free(good);
		task_free(check);
		shoal_disk_threads_free(dt);
		own_torrent_free(&t);
		snprintf(path, sizeof path, "%s/n", folder);
		own_folder_end(path);
	}
}

static void missing_and_short_files_are_gone(void **state)
{
	(void)state;
	struct own_torrent t;
	struct shoal_disk_threads *dt = threads(2);
	own_torrent_make(&t, OWN_V1, 64 * KIB, "n", v1_files, COUNT(v1_files), false);
	uint32_t storage = opened(dt, &t, false);
	struct task *c = task_new(&t, SHOAL_DISK_CHECK, 0, storage, 1, 0, 0);
	assert_int_equal(run(dt, &c->job), SHOAL_ERR_GONE);
	assert_int_equal(c->job.os, ENOENT);
	assert_int_equal(c->job.bad_file, 2);
	assert_int_equal(c->hash.good, 0);
	own_write(folder, "n/b/c/d", "short", 5);
	assert_int_equal(run(dt, &c->job), SHOAL_ERR_GONE);
	assert_int_equal(c->job.os, 0);
	assert_int_equal(c->job.bad_file, 2);
	struct task *r = task_new(&t, SHOAL_DISK_READ, 0, storage, 1, 16384, 16384);
	assert_int_equal(run(dt, &r->job), SHOAL_ERR_GONE);
	assert_int_equal(r->job.bad_file, 2);
	task_free(c);
	task_free(r);
	shoal_disk_threads_free(dt);
	own_torrent_free(&t);
}

static void broken_jobs_are_refused(void **state)
{
	(void)state;
	struct own_torrent t;
	struct shoal_disk_threads *dt = threads(1);
	own_torrent_make(&t, OWN_HYBRID, 64 * KIB, "n", v2_files, COUNT(v2_files), false);
	uint32_t storage = opened(dt, &t, false), bytes = 64 * KIB;
	for (int how = 0; how < 10; how++) {
		struct task *k = task_new(&t, SHOAL_DISK_WRITE, SHOAL_DISK_LAST, storage, 1, 0, bytes);
		switch (how) {
		case 0: k->job.storage = 7; break;
		case 1: k->job.piece = 10000; break;
		case 2: k->job.begin = 16384; break;
		case 3: k->job.slot_count--; break;
		case 4: k->job.hash = NULL; break;
		case 5: k->hash.leaf = NULL; break;
		case 6: k->hash.width = 3; break;
		case 7: k->hash.width = 1; break;
		case 8: k->hash.bytes = 1; break;
		case 9: k->hash.has_v1 = k->hash.has_v2 = false; break;
		}
		int rc = run(dt, &k->job);
		assert_true(rc == SHOAL_ERR_RANGE || rc == SHOAL_ERR_USAGE);
		task_free(k);
	}
	struct shoal_seen seen[1];
	uint32_t list[] = { 99 };
	struct shoal_disk_job sync = {
		.op = SHOAL_DISK_SYNC, .storage = storage, .list = list, .count = 1, .seen = seen
	};
	assert_int_equal(run(dt, &sync), SHOAL_ERR_RANGE);
	struct shoal_disk_job scan = {
		.op = SHOAL_DISK_SCAN, .storage = storage, .file = 3, .count = 99, .seen = seen
	};
	assert_int_equal(run(dt, &scan), SHOAL_ERR_RANGE);
	assert_false(own_exists(folder, "n"));
	shoal_disk_threads_free(dt);
	own_torrent_free(&t);
}

static void the_queue_is_bounded(void **state)
{
	(void)state;
	struct own_torrent t;
	struct shoal_disk_threads *dt = threads(1);
	struct shoal_disk disk = shoal_disk_threads_disk(dt);
	own_torrent_make(&t, OWN_V1, 16 * KIB, "n", v1_files, COUNT(v1_files), false);
	uint32_t storage = opened(dt, &t, true);
	struct shoal_disk_job *job = calloc(SHOAL_DISK_JOBS_MAX + 1, sizeof *job), *out[64];
	assert_non_null(job);
	for (uint32_t i = 0; i <= SHOAL_DISK_JOBS_MAX; i++)
		job[i] = (struct shoal_disk_job){ .op = SHOAL_DISK_SCAN, .storage = storage };
	for (uint32_t i = 0; i < SHOAL_DISK_JOBS_MAX; i++)
		assert_int_equal(disk.ops->submit(disk.d, &job[i]), 0);
	assert_int_equal(disk.ops->submit(disk.d, &job[SHOAL_DISK_JOBS_MAX]), SHOAL_ERR_BUSY);
	for (uint32_t i = 0; i < SHOAL_DISK_JOBS_MAX / 64; i++)
		reap(dt, out, 64);
	assert_int_equal(disk.ops->submit(disk.d, &job[SHOAL_DISK_JOBS_MAX]), 0);
	reap(dt, out, 1);
	struct pollfd p = { .fd = shoal_disk_threads_fd(dt), .events = POLLIN };
	assert_int_equal(poll(&p, 1, 0), 0); /* nothing left, so nothing to read */
	shoal_disk_threads_free(dt);
	free(job);
	own_torrent_free(&t);
}

/* Writes, reads and checks of a few pieces, mixed and in great number: each READ sees the WRITE before it. */
static void jobs_of_a_piece_keep_their_order(void **state)
{
	(void)state;
	static const struct own_file one[] = { { "one", 8 * 65536, false } };
	enum { ROUNDS = 40, PIECES = 8 };
	struct own_torrent t;
	own_torrent_make(&t, OWN_V1, 64 * KIB, "n", one, 1, false);
	struct shoal_disk_threads *dt = threads(4);
	struct shoal_disk disk = shoal_disk_threads_disk(dt);
	uint32_t storage = opened(dt, &t, false);
	struct task *task[ROUNDS][PIECES][3];
	struct shoal_disk_job *out[ROUNDS * PIECES * 3];
	for (int r = 0; r < ROUNDS; r++) {
		for (uint32_t p = 0; p < PIECES; p++) {
			struct task **k = task[r][p];
			k[0] = task_new(&t, SHOAL_DISK_WRITE, SHOAL_DISK_LAST, storage, p, 0, 65536);
			k[0]->room[r] ^= (uint8_t)(r + 1); /* a content of each round's own */
			k[1] = task_new(&t, SHOAL_DISK_READ, 0, storage, p, 0, 32768);
			k[2] = task_new(&t, r % 2 ? SHOAL_DISK_READ : SHOAL_DISK_CHECK, 0, storage, p, 0, 16384);
		}
	}
	for (int r = 0; r < ROUNDS; r++)
		for (int i = 0; i < 3; i++)
			for (uint32_t p = 0; p < PIECES; p++)
				assert_int_equal(disk.ops->submit(disk.d, &task[r][p][i]->job), 0);
	reap(dt, out, COUNT(out));
	for (int r = 0; r < ROUNDS; r++) {
		for (uint32_t p = 0; p < PIECES; p++) {
			struct task **k = task[r][p];
			for (int i = 0; i < 3; i++)
				assert_int_equal(k[i]->job.err, 0);
			assert_int_equal(k[0]->hash.good, 0);
			assert_memory_equal(k[1]->room, k[0]->room, 32768);
			if (r % 2)
				assert_memory_equal(k[2]->room, k[0]->room, 16384);
			else
				assert_int_equal(k[2]->hash.good, 0);
			for (int i = 0; i < 3; i++)
				task_free(k[i]);
		}
	}
	shoal_disk_threads_free(dt);
	own_torrent_free(&t);
}

static void errors_have_their_names(void **state)
{
	(void)state;
	static const struct {
		const char *call;
		int os, want;
	} cases[] = {
		{ "pwritev", ENOSPC, SHOAL_ERR_NO_SPACE }, { "pwritev", EDQUOT, SHOAL_ERR_NO_SPACE },
		{ "pwritev", EIO, SHOAL_ERR_IO },	   { "openat2", EACCES, SHOAL_ERR_DENIED },
		{ "openat2", EROFS, SHOAL_ERR_DENIED },	   { "openat2", ELOOP, SHOAL_ERR_DENIED },
		{ "pwritev", EPERM, SHOAL_ERR_DENIED },	   { "openat2", EIO, SHOAL_ERR_IO },
	};
	struct own_torrent t;
	own_torrent_make(&t, OWN_V2, 64 * KIB, "n", v2_files, COUNT(v2_files), false);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct shoal_disk_threads *dt = threads(1);
		uint32_t storage = opened(dt, &t, false);
		struct task *k = task_new(&t, SHOAL_DISK_WRITE, SHOAL_DISK_LAST, storage, 1, 0, 64 * KIB);
		own_faults_only(cases[i].call);
		own_faults_arm(1, cases[i].os, 0);
		assert_int_equal(run(dt, &k->job), cases[i].want);
		assert_int_equal(k->job.os, cases[i].os);
		assert_int_equal(k->job.bad_file, 1);
		assert_int_equal(k->hash.good, 0);
		own_faults_only(NULL);
		own_faults_arm(0, 0, 0);
		task_free(k);
		shoal_disk_threads_free(dt);
	}
	own_torrent_free(&t);
}

static void a_stale_stamp_stops_reads(void **state)
{
	(void)state;
	static const struct own_file one[] = { { "one", 100000, false } };
	struct own_torrent t;
	uint8_t buf[100000];
	own_torrent_make(&t, OWN_V1, 64 * KIB, "n", one, 1, false);
	own_bytes(0, 0, buf, sizeof buf);
	own_write(folder, "n/one", buf, sizeof buf);
	struct shoal_disk_threads *dt = threads(1);
	struct shoal_disk disk = shoal_disk_threads_disk(dt);
	uint32_t storage = opened(dt, &t, true);
	struct shoal_seen seen;
	struct shoal_disk_span span;
	struct shoal_disk_job scan = { .op = SHOAL_DISK_SCAN, .storage = storage, .count = 1, .seen = &seen };
	assert_int_equal(run(dt, &scan), 0);
	struct task *r = task_new(&t, SHOAL_DISK_READ, 0, storage, 0, 0, 16384);
	assert_int_equal(run(dt, &r->job), 0); /* none is known: taken as it is */
	disk.ops->stamp(disk.d, storage, 0, &seen.stamp);
	assert_int_equal(run(dt, &r->job), 0);
	assert_int_equal(disk.ops->span(disk.d, storage, 0, 0, 16384, &span), 1);
	assert_true(shoal_disk_threads_file_fd(dt, span.file) >= 0);
	disk.ops->unspan(disk.d, span.file);
	assert_int_equal(shoal_disk_threads_file_fd(dt, span.file), -1);
	own_write(folder, "n/one", buf, 99999);
	usleep(20000);
	assert_int_equal(run(dt, &r->job), SHOAL_ERR_GONE);
	assert_int_equal(r->job.bad_file, 0);
	assert_int_equal(disk.ops->span(disk.d, storage, 0, 0, 16384, &span), SHOAL_ERR_GONE);
	seen.stamp = (struct shoal_stamp){ 0 };
	disk.ops->stamp(disk.d, storage, 0, &seen.stamp);
	assert_int_equal(run(dt, &r->job), 0);
	task_free(r);
	shoal_disk_threads_free(dt);
	own_torrent_free(&t);
}

/* A whole life; every job has to come back, whatever fails. */
static int life(const struct own_torrent *t, bool *wrong)
{
	struct shoal_disk_threads *dt;
	struct task *task[64];
	struct shoal_disk_job *out[64];
	uint32_t storage, list[] = { 0, 1, 2, 3, 4, 5 };
	struct shoal_seen seen[6];
	int rc = shoal_disk_threads_new(&dt, &own_faults, 2), first = 0;
	if (rc < 0)
		return rc;
	struct shoal_disk disk = shoal_disk_threads_disk(dt);
	if ((rc = disk.ops->open(disk.d, t->mi, folder, false, &storage)) < 0) {
		shoal_disk_threads_free(dt);
		return rc;
	}
	for (int round = 0; round < 2; round++) {
		for (uint32_t p = 0; p < t->pieces; p++) {
			task[p] = task_new(t, round ? SHOAL_DISK_CHECK : SHOAL_DISK_WRITE, SHOAL_DISK_LAST, storage, p,
					   0, round ? 0 : shoal_metainfo_piece_bytes(t->mi, p));
			assert_int_equal(disk.ops->submit(disk.d, &task[p]->job), 0);
		}
		/* Not by the descriptor: the write that makes it readable may be what fails. */
		size_t n = 0;
		for (int ms = 0; n < t->pieces && ms < 20000; ms++) {
			n += disk.ops->reap(disk.d, out + n, t->pieces - n);
			if (n < t->pieces)
				usleep(1000);
		}
		assert_int_equal(n, t->pieces);
		for (uint32_t p = 0; p < t->pieces; p++) {
			if (task[p]->job.err < 0 && first == 0)
				first = task[p]->job.err;
			if (first == 0 && task[p]->hash.good != 1)
				*wrong = true;
			task_free(task[p]);
		}
	}
	struct shoal_disk_job job = {
		.op = SHOAL_DISK_FINISH, .storage = storage, .list = list, .count = 6, .seen = seen
	};
	assert_int_equal(disk.ops->submit(disk.d, &job), 0);
	for (int ms = 0; disk.ops->reap(disk.d, out, 1) == 0; ms++) {
		assert_true(ms < 20000);
		usleep(500);
	}
	if (first == 0)
		first = job.err;
	disk.ops->close(disk.d, storage);
	shoal_disk_threads_free(dt);
	return first;
}

static void every_call_may_fail(void **state)
{
	(void)state;
	struct own_torrent t;
	char rm[300];
	bool wrong = false;
	own_torrent_make(&t, OWN_HYBRID, 128 * KIB, "n", v2_files, COUNT(v2_files), false);
	snprintf(rm, sizeof rm, "%s/n", folder);
	own_faults_arm(0, 0, 0);
	assert_int_equal(life(&t, &wrong), 0);
	unsigned calls = own_faults_calls();
	print_message("%u calls in a life\n", calls);
	own_folder_end(rm);
	for (unsigned more = 0; more < 1000; more += 999) {
		for (unsigned n = 1; n <= calls; n++) {
			own_faults_arm(n, EIO, more);
			int rc = life(&t, &wrong);
			own_faults_arm(0, 0, 0);
			if (own_faults_open() != 0 || wrong)
				fail_msg("call %u more %u: %d open, rc %d, wrong %d", n, more, own_faults_open(), rc,
					 wrong);
			if (own_exists(folder, "n"))
				own_folder_end(rm);
		}
	}
	/* One thread of two will do. */
	own_faults_only("thread_start");
	own_faults_arm(2, EAGAIN, 9);
	assert_int_equal(life(&t, &wrong), 0);
	own_faults_arm(1, EAGAIN, 9);
	assert_int_equal(life(&t, &wrong), SHOAL_ERR_IO);
	own_faults_only(NULL);
	own_torrent_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_kind_is_written_and_found_right, setup, teardown),
		cmocka_unit_test_setup_teardown(every_kernel_will_do, setup, teardown),
		cmocka_unit_test_setup_teardown(torn_transfers_change_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(a_barrier_does_not_wait_for_what_is_to_be_written, setup, teardown),
		cmocka_unit_test_setup_teardown(many_workers_give_many_names, setup, teardown),
		cmocka_unit_test_setup_teardown(a_false_block_is_replaced_where_it_lies, setup, teardown),
		cmocka_unit_test_setup_teardown(a_flipped_bit_is_found, setup, teardown),
		cmocka_unit_test_setup_teardown(if_good_writes_nothing_wrong, setup, teardown),
		cmocka_unit_test_setup_teardown(missing_and_short_files_are_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(broken_jobs_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(the_queue_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(jobs_of_a_piece_keep_their_order, setup, teardown),
		cmocka_unit_test_setup_teardown(errors_have_their_names, setup, teardown),
		cmocka_unit_test_setup_teardown(a_stale_stamp_stops_reads, setup, teardown),
		cmocka_unit_test_setup_teardown(every_call_may_fail, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
