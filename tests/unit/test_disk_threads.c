/* test_disk_threads.c - verdicts of every kind of torrent, order within a piece, failures in turn, and a storm. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proto/base/rng.h"
#include "swarm/io/disk_threads.h"
#include "tests/unit/own_disk.h"
#include "tests/unit/own_place.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KIB 1024u
#define COUNT(a) (sizeof(a) / sizeof *(a))

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

/* What a CHECK says of a piece. */
static int verdict(struct shoal_disk_threads *dt, const struct own_torrent *t, uint32_t storage, uint32_t piece)
{
	struct own_task *k = own_task_new(t, SHOAL_DISK_CHECK, 0, storage, piece, 0, 0);
	assert_int_equal(own_disk_run(dt, &k->job), 0);
	int good = k->hash.good;
	own_task_free(k);
	return good;
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
	struct own_task *task[256];
	struct shoal_disk_job *out[256];
	own_torrent_make(&t, kind->format, kind->piece_size, "n", kind->file, kind->count, false);
	struct shoal_disk_threads *dt = own_disk_threads(&own_faults, workers);
	struct shoal_disk disk = shoal_disk_threads_disk(dt);
	uint32_t storage = own_disk_opened(dt, &t, false);
	size_t n = 0;
	/* Runs of all pieces, interleaved; those of one piece share its hash. */
	struct own_task *first[256] = { NULL };
	for (uint32_t block = 0; block * 16384 < kind->piece_size; block += blocks_a_run) {
		for (uint32_t p = 0; p < t.pieces; p++) {
			uint32_t bytes = shoal_metainfo_piece_bytes(t.mi, p), begin = block * 16384;
			if (begin >= bytes)
				continue;
			uint32_t len = bytes - begin < blocks_a_run * 16384 ? bytes - begin : blocks_a_run * 16384;
			unsigned flags = begin + len == bytes ? SHOAL_DISK_LAST : 0;
			if (p % 2)
				flags |= SHOAL_DISK_LEAVES;
			struct own_task *k = task[n++] = own_task_new(&t, SHOAL_DISK_WRITE, flags, storage, p, begin,
								      len);
			if (first[p])
				k->job.hash = &first[p]->hash;
			else
				first[p] = k;
			assert_int_equal(disk.ops->submit(disk.d, &k->job), 0);
		}
	}
	own_disk_reap(dt, out, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(out[i]->err, 0);
	for (uint32_t p = 0; p < t.pieces; p++) {
		assert_int_equal(first[p]->hash.good, 1);
		if (t.pieces > 1 && p % 2)
			check_leaves(&t, p, first[p]->leaf);
	}
	for (size_t i = 0; i < n; i++)
		own_task_free(task[i]);

	uint32_t list[32], count = shoal_metainfo_file_count(t.mi);
	struct shoal_seen seen[32], again[32];
	for (uint32_t f = 0; f < count; f++)
		list[f] = f;
	struct shoal_disk_job sync = {
		.op = SHOAL_DISK_SYNC, .storage = storage, .list = list, .count = count, .seen = seen
	};
	assert_int_equal(own_disk_run(dt, &sync), 0);
	struct shoal_disk_job finish = sync;
	finish.op = SHOAL_DISK_FINISH;
	assert_int_equal(own_disk_run(dt, &finish), 0);
	disk.ops->close(disk.d, storage);

	/* As another process would find it. */
	storage = own_disk_opened(dt, &t, true);
	struct shoal_disk_job scan = { .op = SHOAL_DISK_SCAN, .storage = storage, .count = count, .seen = again };
	assert_int_equal(own_disk_run(dt, &scan), 0);
	for (uint32_t f = 0; f < count; f++) {
		bool pad = shoal_metainfo_file_flags(t.mi, f) & SHOAL_FILE_PAD;
		assert_int_equal(again[f].state, pad ? SHOAL_SEEN_NONE : SHOAL_SEEN_WHOLE);
		assert_memory_equal(&again[f].stamp, &seen[f].stamp, sizeof seen[f].stamp);
		disk.ops->stamp(disk.d, storage, f, &again[f].stamp);
	}
	for (uint32_t p = 0; p < t.pieces; p++) {
		unsigned flags = (p % 2 ? SHOAL_DISK_LEAVES : 0u) | (p % 3 ? SHOAL_DISK_DROP : 0u);
		task[p] = own_task_new(&t, SHOAL_DISK_CHECK, flags, storage, p, 0, 0);
		assert_int_equal(disk.ops->submit(disk.d, &task[p]->job), 0);
	}
	own_disk_reap(dt, out, t.pieces);
	for (uint32_t p = 0; p < t.pieces; p++) {
		assert_int_equal(task[p]->job.err, 0);
		assert_int_equal(task[p]->hash.good, 1);
		if (p % 2)
			check_leaves(&t, p, task[p]->leaf);
		own_task_free(task[p]);
	}
	for (uint32_t p = 0; p < t.pieces; p++) {
		uint32_t bytes = shoal_metainfo_piece_bytes(t.mi, p);
		uint8_t *want = malloc(bytes);
		assert_non_null(want);
		task[p] = own_task_new(&t, SHOAL_DISK_READ, 0, storage, p, 0, bytes);
		assert_int_equal(own_disk_run(dt, &task[p]->job), 0);
		own_piece(&t, p, 0, want, bytes);
		assert_memory_equal(task[p]->room, want, bytes);
		free(want);
		own_task_free(task[p]);
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
			write_all_check_all(&kinds[i], 1 + (unsigned)(i + blocks) % 3, blocks);
			own_place_clear("n");
		}
	}
}

static void every_kernel_will_do(void **state)
{
	(void)state;
	static const char *const kernels[] = { "openssl", "avx2", "sha-ni", "avx512" };
	for (size_t i = 0; i < COUNT(kernels); i++) {
		if (shoal_digest_use(kernels[i]) < 0)
			continue;
		write_all_check_all(&kinds[0], 1, 64);
		own_place_clear("n");
		write_all_check_all(&kinds[5], 2, 1);
		own_place_clear("n");
	}
	assert_int_equal(shoal_digest_use(NULL), 0);
}

static void torn_transfers_change_nothing(void **state)
{
	(void)state;
	own_faults_tear(5000);
	write_all_check_all(&kinds[2], 2, 4);
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
		struct shoal_disk_threads *dt = own_disk_threads(&own_faults, 1);
		storage = own_disk_opened(dt, &t, false);
		uint32_t bytes = shoal_metainfo_piece_bytes(t.mi, piece);
		struct own_task *all = own_task_new(&t, SHOAL_DISK_WRITE, SHOAL_DISK_LAST, storage, piece, 0, bytes);
		all->room[(size_t)block * 16384 + 7] ^= 1;
		assert_int_equal(own_disk_run(dt, &all->job), 0);
		assert_int_equal(all->hash.good, 0);
		struct own_task *one = own_task_new(&t, SHOAL_DISK_WRITE, SHOAL_DISK_LAST, storage, piece,
						    block * 16384, 16384);
		memcpy(one->leaf, all->leaf, sizeof one->leaf);
		if (one->hash.has_v1) {
			assert_int_equal(own_disk_run(dt, &one->job), SHOAL_ERR_USAGE);
			one->hash.has_v1 = false;
		}
		assert_int_equal(own_disk_run(dt, &one->job), 0);
		assert_int_equal(one->hash.good, 1);
		assert_int_equal(verdict(dt, &t, storage, piece), 1);
		own_task_free(all);
		own_task_free(one);
		shoal_disk_threads_free(dt);
		own_torrent_free(&t);
		own_place_clear("n");
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
		struct shoal_disk_threads *dt = own_disk_threads(&own_faults, 2);
		uint32_t storage = own_disk_opened(dt, &t, false);
		for (uint32_t p = 0; p < t.pieces; p++) {
			uint32_t bytes = shoal_metainfo_piece_bytes(t.mi, p);
			uint32_t bit = shoal_rng_below(&rng, bytes * 8);
			struct own_task *k = own_task_new(&t, SHOAL_DISK_WRITE, SHOAL_DISK_LAST, storage, p, 0, bytes);
			uint8_t was;
			own_piece(&t, p, bit / 8, &was, 1);
			k->room[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_int_equal(own_disk_run(dt, &k->job), 0);
			/* A bit of padding is no bit of ours: it is written as zero, and the piece is right. */
			uint64_t pos = (uint64_t)p * t.piece_size + bit / 8;
			uint32_t f = shoal_metainfo_file_at(t.mi, pos);
			bool pad = shoal_metainfo_file_flags(t.mi, f) & SHOAL_FILE_PAD;
			assert_int_equal(k->hash.good, pad);
			assert_int_equal(verdict(dt, &t, storage, p), pad);
			own_task_free(k);
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
		own_torrent_make(&t, kinds[i].format, kinds[i].piece_size, "n", kinds[i].file, kinds[i].count, false);
		struct shoal_disk_threads *dt = own_disk_threads(&own_faults, 2);
		uint32_t storage = own_disk_opened(dt, &t, false), p = 1;
		uint32_t bytes = shoal_metainfo_piece_bytes(t.mi, p);
		unsigned flags = SHOAL_DISK_LAST | SHOAL_DISK_IF_GOOD;
		struct own_task *bad = own_task_new(&t, SHOAL_DISK_WRITE, flags, storage, p, 0, bytes);
		bad->room[bytes / 2] ^= 1;
		own_faults_arm(0, 0, 0);
		assert_int_equal(own_disk_run(dt, &bad->job), 0);
		assert_int_equal(bad->hash.good, 0);
		assert_int_equal(own_faults_calls_of("pwritev"), 0);
		assert_int_equal(own_faults_calls_of("mkdirat"), 0);
		assert_false(own_exists(own_place, "n"));
		struct own_task *good = own_task_new(&t, SHOAL_DISK_WRITE, flags, storage, p, 0, bytes);
		assert_int_equal(own_disk_run(dt, &good->job), 0);
		assert_int_equal(good->hash.good, 1);
		assert_int_equal(verdict(dt, &t, storage, p), 1);
		own_task_free(bad);
		own_task_free(good);
		shoal_disk_threads_free(dt);
		own_torrent_free(&t);
		own_place_clear("n");
	}
}

/* Hashed with the rest, and left as it lies. */
static void what_lies_there_is_not_written(void **state)
{
	static const struct own_file one = { "a", 200000, false };
	static const uint32_t origin[] = { SHOAL_DISK_THERE, 7, SHOAL_DISK_THERE, SHOAL_DISK_THERE };
	static const uint8_t zeros[SHOAL_BLOCK];
	static uint8_t got[4 * SHOAL_BLOCK], want[4 * SHOAL_BLOCK];
	struct own_torrent t;
	(void)state;
	own_torrent_make(&t, OWN_V1, sizeof want, "n", &one, 1, false);
	struct shoal_disk_threads *dt = own_disk_threads(&own_faults, 2);
	uint32_t storage = own_disk_opened(dt, &t, false);
	struct own_task *k = own_task_new(&t, SHOAL_DISK_WRITE, SHOAL_DISK_LAST | SHOAL_DISK_IF_GOOD, storage, 0, 0,
					  sizeof want);
	own_piece(&t, 0, 0, want, sizeof want);
	k->job.origin = origin;
	assert_int_equal(own_disk_run(dt, &k->job), 0);
	assert_int_equal(k->hash.good, 1);
	assert_int_equal(own_read(own_place, "n/a.part", got, sizeof got), 2 * SHOAL_BLOCK);
	assert_memory_equal(got, zeros, SHOAL_BLOCK);
	assert_memory_equal(got + SHOAL_BLOCK, want + SHOAL_BLOCK, SHOAL_BLOCK);
	own_task_free(k);
	shoal_disk_threads_free(dt);
	own_torrent_free(&t);
	own_place_clear("n");
}

static void missing_and_short_files_are_gone(void **state)
{
	(void)state;
	struct own_torrent t;
	struct shoal_disk_threads *dt = own_disk_threads(&own_faults, 2);
	own_torrent_make(&t, OWN_V1, 64 * KIB, "n", v1_files, COUNT(v1_files), false);
	uint32_t storage = own_disk_opened(dt, &t, false);
	struct own_task *c = own_task_new(&t, SHOAL_DISK_CHECK, 0, storage, 1, 0, 0);
	assert_int_equal(own_disk_run(dt, &c->job), SHOAL_ERR_GONE);
	assert_int_equal(c->job.os, ENOENT);
	assert_int_equal(c->job.bad_file, 2);
	assert_int_equal(c->hash.good, 0);
	own_write(own_place, "n/b/c/d", "short", 5);
	assert_int_equal(own_disk_run(dt, &c->job), SHOAL_ERR_GONE);
	assert_int_equal(c->job.os, 0);
	assert_int_equal(c->job.bad_file, 2);
	struct own_task *r = own_task_new(&t, SHOAL_DISK_READ, 0, storage, 1, 16384, 16384);
	assert_int_equal(own_disk_run(dt, &r->job), SHOAL_ERR_GONE);
	assert_int_equal(r->job.bad_file, 2);
	own_task_free(c);
	own_task_free(r);
	shoal_disk_threads_free(dt);
	own_torrent_free(&t);
}

static void broken_jobs_are_refused(void **state)
{
	(void)state;
	struct own_torrent t;
	struct shoal_disk_threads *dt = own_disk_threads(&own_faults, 1);
	own_torrent_make(&t, OWN_HYBRID, 64 * KIB, "n", v2_files, COUNT(v2_files), false);
	uint32_t storage = own_disk_opened(dt, &t, false), bytes = 64 * KIB;
	for (int how = 0; how < 10; how++) {
		struct own_task *k = own_task_new(&t, SHOAL_DISK_WRITE, SHOAL_DISK_LAST, storage, 1, 0, bytes);
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
		int rc = own_disk_run(dt, &k->job);
		assert_true(rc == SHOAL_ERR_RANGE || rc == SHOAL_ERR_USAGE);
		own_task_free(k);
	}
	struct shoal_seen seen[1];
	uint32_t list[] = { 99 };
	struct shoal_disk_job sync = {
		.op = SHOAL_DISK_SYNC, .storage = storage, .list = list, .count = 1, .seen = seen
	};
	assert_int_equal(own_disk_run(dt, &sync), SHOAL_ERR_RANGE);
	struct shoal_disk_job scan = {
		.op = SHOAL_DISK_SCAN, .storage = storage, .file = 3, .count = 99, .seen = seen
	};
	assert_int_equal(own_disk_run(dt, &scan), SHOAL_ERR_RANGE);
	assert_false(own_exists(own_place, "n"));
	shoal_disk_threads_free(dt);
	own_torrent_free(&t);
}

static void the_queue_is_bounded(void **state)
{
	(void)state;
	struct own_torrent t;
	struct shoal_disk_threads *dt = own_disk_threads(&own_faults, 1);
	struct shoal_disk disk = shoal_disk_threads_disk(dt);
	own_torrent_make(&t, OWN_V1, 16 * KIB, "n", v1_files, COUNT(v1_files), false);
	uint32_t storage = own_disk_opened(dt, &t, true);
	struct shoal_disk_job *job = calloc(SHOAL_DISK_JOBS_MAX + 1, sizeof *job), *out[64];
	assert_non_null(job);
	for (uint32_t i = 0; i <= SHOAL_DISK_JOBS_MAX; i++)
		job[i] = (struct shoal_disk_job){ .op = SHOAL_DISK_SCAN, .storage = storage };
	for (uint32_t i = 0; i < SHOAL_DISK_JOBS_MAX; i++)
		assert_int_equal(disk.ops->submit(disk.d, &job[i]), 0);
	assert_int_equal(disk.ops->submit(disk.d, &job[SHOAL_DISK_JOBS_MAX]), SHOAL_ERR_BUSY);
	for (uint32_t i = 0; i < SHOAL_DISK_JOBS_MAX / 64; i++)
		own_disk_reap(dt, out, 64);
	assert_int_equal(disk.ops->submit(disk.d, &job[SHOAL_DISK_JOBS_MAX]), 0);
	own_disk_reap(dt, out, 1);
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
	struct shoal_disk_threads *dt = own_disk_threads(&own_faults, 4);
	struct shoal_disk disk = shoal_disk_threads_disk(dt);
	uint32_t storage = own_disk_opened(dt, &t, false);
	struct own_task *task[ROUNDS][PIECES][3];
	struct shoal_disk_job *out[ROUNDS * PIECES * 3];
	for (int r = 0; r < ROUNDS; r++) {
		for (uint32_t p = 0; p < PIECES; p++) {
			struct own_task **k = task[r][p];
			k[0] = own_task_new(&t, SHOAL_DISK_WRITE, SHOAL_DISK_LAST, storage, p, 0, 65536);
			k[0]->room[r] ^= (uint8_t)(r + 1); /* a content of each round's own */
			k[1] = own_task_new(&t, SHOAL_DISK_READ, 0, storage, p, 0, 32768);
			k[2] = own_task_new(&t, r % 2 ? SHOAL_DISK_READ : SHOAL_DISK_CHECK, 0, storage, p, 0, 16384);
		}
	}
	for (int r = 0; r < ROUNDS; r++)
		for (int i = 0; i < 3; i++)
			for (uint32_t p = 0; p < PIECES; p++)
				assert_int_equal(disk.ops->submit(disk.d, &task[r][p][i]->job), 0);
	own_disk_reap(dt, out, COUNT(out));
	for (int r = 0; r < ROUNDS; r++) {
		for (uint32_t p = 0; p < PIECES; p++) {
			struct own_task **k = task[r][p];
			for (int i = 0; i < 3; i++)
				assert_int_equal(k[i]->job.err, 0);
			assert_int_equal(k[0]->hash.good, 0);
			assert_memory_equal(k[1]->room, k[0]->room, 32768);
			if (r % 2)
				assert_memory_equal(k[2]->room, k[0]->room, 16384);
			else
				assert_int_equal(k[2]->hash.good, 0);
			for (int i = 0; i < 3; i++)
				own_task_free(k[i]);
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
		struct shoal_disk_threads *dt = own_disk_threads(&own_faults, 1);
		uint32_t storage = own_disk_opened(dt, &t, false);
		struct own_task *k = own_task_new(&t, SHOAL_DISK_WRITE, SHOAL_DISK_LAST, storage, 1, 0, 64 * KIB);
		own_faults_only(cases[i].call);
		own_faults_arm(1, cases[i].os, 0);
		assert_int_equal(own_disk_run(dt, &k->job), cases[i].want);
		assert_int_equal(k->job.os, cases[i].os);
		assert_int_equal(k->job.bad_file, 1);
		assert_int_equal(k->hash.good, 0);
		own_faults_only(NULL);
		own_faults_arm(0, 0, 0);
		own_task_free(k);
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
	own_write(own_place, "n/one", buf, sizeof buf);
	struct shoal_disk_threads *dt = own_disk_threads(&own_faults, 1);
	struct shoal_disk disk = shoal_disk_threads_disk(dt);
	uint32_t storage = own_disk_opened(dt, &t, true);
	struct shoal_seen seen;
	struct shoal_disk_span span;
	struct shoal_disk_job scan = { .op = SHOAL_DISK_SCAN, .storage = storage, .count = 1, .seen = &seen };
	assert_int_equal(own_disk_run(dt, &scan), 0);
	struct own_task *r = own_task_new(&t, SHOAL_DISK_READ, 0, storage, 0, 0, 16384);
	assert_int_equal(own_disk_run(dt, &r->job), 0); /* none is known: taken as it is */
	disk.ops->stamp(disk.d, storage, 0, &seen.stamp);
	assert_int_equal(own_disk_run(dt, &r->job), 0);
	assert_int_equal(disk.ops->span(disk.d, storage, 0, 0, 16384, &span), 1);
	assert_true(shoal_disk_threads_file_fd(dt, span.file) >= 0);
	disk.ops->unspan(disk.d, span.file);
	assert_int_equal(shoal_disk_threads_file_fd(dt, span.file), -1);
	own_write(own_place, "n/one", buf, 99999);
	usleep(20000);
	assert_int_equal(own_disk_run(dt, &r->job), SHOAL_ERR_GONE);
	assert_int_equal(r->job.bad_file, 0);
	assert_int_equal(disk.ops->span(disk.d, storage, 0, 0, 16384, &span), SHOAL_ERR_GONE);
	seen.stamp = (struct shoal_stamp){ 0 };
	disk.ops->stamp(disk.d, storage, 0, &seen.stamp);
	assert_int_equal(own_disk_run(dt, &r->job), 0);
	own_task_free(r);
	shoal_disk_threads_free(dt);
	own_torrent_free(&t);
}

/* A whole life; every job has to come back, whatever fails. */
static int life(const struct own_torrent *t, bool *wrong)
{
	struct shoal_disk_threads *dt;
	struct own_task *task[64];
	struct shoal_disk_job *out[64];
	uint32_t storage, list[] = { 0, 1, 2, 3, 4, 5 };
	struct shoal_seen seen[6];
	int rc = shoal_disk_threads_new(&dt, &own_faults, 2), first = 0;
	if (rc < 0)
		return rc;
	struct shoal_disk disk = shoal_disk_threads_disk(dt);
	if ((rc = disk.ops->open(disk.d, t->mi, own_place, false, &storage)) < 0) {
		shoal_disk_threads_free(dt);
		return rc;
	}
	for (int round = 0; round < 2; round++) {
		for (uint32_t p = 0; p < t->pieces; p++) {
			task[p] = own_task_new(t, round ? SHOAL_DISK_CHECK : SHOAL_DISK_WRITE, SHOAL_DISK_LAST, storage,
					       p, 0, round ? 0 : shoal_metainfo_piece_bytes(t->mi, p));
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
			own_task_free(task[p]);
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
	bool wrong = false;
	own_torrent_make(&t, OWN_HYBRID, 128 * KIB, "n", v2_files, COUNT(v2_files), false);
	own_faults_arm(0, 0, 0);
	assert_int_equal(life(&t, &wrong), 0);
	unsigned calls = own_faults_calls();
	print_message("%u calls in a life\n", calls);
	own_place_clear("n");
	for (unsigned more = 0; more < 1000; more += 999) {
		for (unsigned n = 1; n <= calls; n++) {
			own_faults_arm(n, EIO, more);
			int rc = life(&t, &wrong);
			own_faults_arm(0, 0, 0);
			if (own_faults_open() != 0 || wrong)
				fail_msg("call %u more %u: %d open, rc %d, wrong %d", n, more, own_faults_open(), rc,
					 wrong);
			if (own_exists(own_place, "n"))
				own_place_clear("n");
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
		own_place_test(every_kind_is_written_and_found_right),
		own_place_test(every_kernel_will_do),
		own_place_test(torn_transfers_change_nothing),
		own_place_test(a_false_block_is_replaced_where_it_lies),
		own_place_test(a_flipped_bit_is_found),
		own_place_test(if_good_writes_nothing_wrong),
		own_place_test(what_lies_there_is_not_written),
		own_place_test(missing_and_short_files_are_gone),
		own_place_test(broken_jobs_are_refused),
		own_place_test(the_queue_is_bounded),
		own_place_test(jobs_of_a_piece_keep_their_order),
		own_place_test(errors_have_their_names),
		own_place_test(a_stale_stamp_stops_reads),
		own_place_test(every_call_may_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
