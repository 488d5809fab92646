/* test_hasher.c - random file lists against a naive hasher of the whole stream; reads that are short, fail or lie. */
#include "swarm/io/hasher.h"

#include "proto/base/bytes.h"
#include "proto/base/digest.h"
#include "proto/base/rng.h"
#include "proto/merkle.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BLOCK 16384u
#define FILES_MAX 64
#define PIECES_MAX 512

/* A stream of files in memory; descriptor = FD_BASE + file. */
#define FD_BASE 1000
static struct {
	struct shoal_hasher_file file[FILES_MAX];
	uint32_t count;
	uint64_t stream;
	uint8_t *bytes;		 /* the whole stream, zeros between files */
	uint64_t cut[FILES_MAX]; /* the file's real end */
	int open_err[FILES_MAX], close_err[FILES_MAX], read_errno[FILES_MAX];
	int nowait;  /* 0: as read; EAGAIN; EOPNOTSUPP */
	size_t most; /* bytes a read gives at most; 0: all */
	_Atomic int opened, reads;
} w;
static struct {
	uint8_t sha1[PIECES_MAX][20], root[PIECES_MAX][32];
	int err[PIECES_MAX], os[PIECES_MAX];
	uint32_t id[PIECES_MAX];
	_Atomic int times[PIECES_MAX];
	_Atomic int pieces;
	int fail_at; /* piece() fails there; -1: never */
} got;

static ssize_t fake_preadv(int fd, const struct iovec *v, int n, off_t offset)
{
	uint32_t i = (uint32_t)(fd - FD_BASE);
	uint64_t at = (uint64_t)offset;
	assert_int_equal(n, 1);
	assert_true(i < w.count);
	int nth = atomic_fetch_add(&w.reads, 1);
	if (w.read_errno[i]) {
		errno = w.read_errno[i];
		return -1;
	}
	if (w.most && nth % 7 == 3) {
		errno = EINTR;
		return -1;
	}
	if (at >= w.cut[i])
		return 0;
	size_t len = shoal_min_u64(v->iov_len, w.cut[i] - at);
	if (w.most && len > w.most)
		len = w.most;
	memcpy(v->iov_base, w.bytes + w.file[i].offset + at, len);
	return (ssize_t)len;
}
static ssize_t fake_nowait(int fd, const struct iovec *v, int n, off_t offset)
{
	if (w.nowait) {
		errno = w.nowait;
		return -1;
	}
	return fake_preadv(fd, v, n, offset);
}
static int fake_fadvise(int fd, off_t offset, off_t len, int advice)
{
	(void)fd;
	(void)offset;
	(void)len;
	(void)advice;
	return 0;
}
static int open_file(void *self, uint32_t id, int *os)
{
	(void)self;
	*os = w.open_err[id] ? ENOENT : 0;
	if (w.open_err[id])
		return w.open_err[id];
	atomic_fetch_add(&w.opened, 1);
	return FD_BASE + (int)id;
}
static int close_file(void *self, uint32_t id, int fd)
{
	(void)self;
	assert_int_equal(fd, FD_BASE + (int)id);
	atomic_fetch_sub(&w.opened, 1);
	return w.close_err[id];
}
static int take_piece(void *self, const struct shoal_hasher_piece *p)
{
	(void)self;
	atomic_fetch_add(&got.times[p->index], 1);
	atomic_fetch_add(&got.pieces, 1);
	got.err[p->index] = p->err;
	got.os[p->index] = p->os;
	got.id[p->index] = p->id;
	if (p->sha1)
		memcpy(got.sha1[p->index], p->sha1, 20);
	if (p->root)
		memcpy(got.root[p->index], p->root, 32);
	return (int)p->index == got.fail_at ? SHOAL_ERR_NO_SPACE : 0;
}

static void world_free(void)
{
	free(w.bytes);
	memset(&w, 0, sizeof w);
	memset(&got, 0, sizeof got);
	got.fail_at = -1;
}

/* Random files of odd sizes; in v2 each begins on a piece. */
static void world_make(uint64_t seed, uint32_t piece, bool aligned, bool tail_pad)
{
	static const uint32_t odd[] = { 1, 63, 16383, 16384, 16385, 32768, 65536, 65537, 131072, 200001 };
	struct shoal_rng rng = shoal_rng_split(seed, 1);
	world_free();
	w.count = 1 + shoal_rng_below(&rng, 12);
	for (uint32_t i = 0; i < w.count; i++) {
		uint64_t size = odd[shoal_rng_below(&rng, sizeof odd / sizeof *odd)];
		if (aligned)
			w.stream = (w.stream + piece - 1) / piece * piece;
		else if (shoal_rng_below(&rng, 4) == 0)
			w.stream += shoal_rng_below(&rng, 3 * piece); /* a pad file of v1 */
		w.file[i] = (struct shoal_hasher_file){ w.stream, size, i };
		w.cut[i] = size;
		w.stream += size;
	}
	if (tail_pad)
		w.stream = (w.stream + piece - 1) / piece * piece;
	w.bytes = calloc(1, w.stream);
	assert_non_null(w.bytes);
	for (uint32_t i = 0; i < w.count; i++) {
		for (uint64_t k = 0; k < w.file[i].size; k++)
			w.bytes[w.file[i].offset + k] = (uint8_t)shoal_rng_next(&rng);
	}
}

static struct shoal_os_ops os;

static int run(uint32_t piece, bool v1, bool v2, uint32_t threads, uint32_t *id)
{
	struct shoal_hasher_plan plan = { .os = &os,
					  .file = w.file,
					  .file_count = w.count,
					  .stream_size = w.stream,
					  .piece_size = piece,
					  .threads = threads,
					  .v1 = v1,
					  .v2 = v2,
					  .open = open_file,
					  .close = close_file,
					  .piece = take_piece };
	struct shoal_hasher *h;
	uint64_t total = 0;
	assert_true(w.stream / piece < PIECES_MAX);
	assert_int_equal(shoal_hasher_new(&h, &plan), 0);
	assert_int_equal(shoal_hasher_wait(h, -1), 1);
	for (uint32_t i = 0; i < w.count; i++)
		total += w.file[i].size;
	int rc = shoal_hasher_result(h, id);
	if (rc == 0 && got.err[0] == 0)
		assert_true(shoal_hasher_bytes(h) <= total);
	shoal_hasher_free(h);
	assert_int_equal(w.opened, 0); /* whatever happened, each open had its close */
	return rc;
}

/* BEP 52 by its words: leaves, zero hashes up to the width, pairs. */
static void naive_root(const uint8_t *at, uint64_t len, uint32_t width, uint8_t out[32])
{
	uint8_t(*level)[32] = calloc(width, 32);
	assert_non_null(level);
	for (uint32_t i = 0; (uint64_t)i * BLOCK < len; i++)
		shoal_sha256(shoal_bytes(at + (size_t)i * BLOCK, shoal_min_u64(BLOCK, len - (uint64_t)i * BLOCK)),
			     level[i]);
	for (; width > 1; width /= 2) {
		for (uint32_t i = 0; i < width / 2; i++)
			shoal_sha256(shoal_bytes(level[2 * i], 64), level[i]);
	}
	memcpy(out, level[0], 32);
	free(level);
}

static void check_piece(uint32_t p, uint32_t piece, bool v1, bool v2)
{
	uint64_t begin = (uint64_t)p * piece, end = shoal_min_u64(begin + piece, w.stream);
	uint8_t want[32];
	assert_int_equal(got.times[p], 1);
	assert_int_equal(got.err[p], 0);
	if (v1) {
		shoal_sha1(shoal_bytes(w.bytes + begin, end - begin), want);
		assert_memory_equal(got.sha1[p], want, 20);
	}
	for (uint32_t i = 0; v2 && i < w.count; i++) {
		const struct shoal_hasher_file *f = &w.file[i];
		if (begin < f->offset || begin >= f->offset + f->size)
			continue;
		uint64_t len = shoal_min_u64(piece, f->offset + f->size - begin);
		uint32_t leaves = (uint32_t)((len + BLOCK - 1) / BLOCK);
		naive_root(w.bytes + begin, len, f->size > piece ? piece / BLOCK : shoal_merkle_width(leaves), want);
		assert_memory_equal(got.root[p], want, 32);
	}
}

static void hashes_are_those_of_the_stream(void **state)
{
	static const uint32_t pieces[] = { 16384, 32768, 65536, 262144 };
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		bool v2 = seed % 3 != 0, v1 = seed % 3 != 1;
		uint32_t piece = pieces[seed % 4], threads = 1 + (uint32_t)(seed % 5);
		world_make(seed, piece, v2, v2 && seed % 2);
		w.nowait = seed % 4 == 0 ? EAGAIN : seed % 4 == 1 ? EOPNOTSUPP : 0;
		w.most = seed % 5 == 0 ? 1000 : 0;
		assert_int_equal(run(piece, v1, v2, threads, NULL), 0);
		uint32_t count = (uint32_t)((w.stream + piece - 1) / piece);
		assert_int_equal(got.pieces, count);
		for (uint32_t p = 0; p < count; p++)
			check_piece(p, piece, v1, v2);
	}
	/* A v1 piece need not be a power of two. */
	world_make(7, 50000, false, false);
	assert_int_equal(run(50000, true, false, 3, NULL), 0);
	for (uint32_t p = 0; p < (w.stream + 49999) / 50000; p++)
		check_piece(p, 50000, true, false);
	world_free();
}

/* Whether piece p touches file i. */
static bool touches(uint32_t p, uint32_t piece, uint32_t i)
{
	return (uint64_t)p * piece < w.file[i].offset + w.file[i].size && (p + UINT64_C(1)) * piece > w.file[i].offset;
}

static void a_bad_file_spoils_its_pieces_alone(void **state)
{
	const uint32_t piece = 32768;
	(void)state;
	for (int kind = 0; kind < 3; kind++) {
		for (uint64_t seed = 1; seed <= 20; seed++) {
			world_make(seed, piece, kind == 1, false);
			uint32_t bad = (uint32_t)(seed % w.count);
			if (kind == 0)
				w.open_err[bad] = SHOAL_ERR_GONE;
			else if (kind == 1)
				w.read_errno[bad] = EIO;
			else
				w.cut[bad] = w.file[bad].size - 1; /* one byte short */
			assert_int_equal(run(piece, true, kind == 1, 1 + (uint32_t)(seed % 3), NULL), 0);
			for (uint32_t p = 0; p < (w.stream + piece - 1) / piece; p++) {
				bool hit = touches(p, piece, bad);
				if (kind == 2) /* only the piece with the last byte */
					hit = p == (w.file[bad].offset + w.file[bad].size - 1) / piece;
				assert_int_equal(got.times[p], 1);
				if (!hit) {
					check_piece(p, piece, true, kind == 1);
					continue;
				}
				assert_int_equal(got.err[p], kind == 1 ? SHOAL_ERR_IO : SHOAL_ERR_GONE);
				assert_int_equal(got.os[p], kind == 1 ? EIO : kind == 0 ? ENOENT : 0);
				assert_int_equal(got.id[p], bad);
			}
		}
	}
	world_free();
}

static void a_changed_file_ends_the_run(void **state)
{
	uint32_t id = 99;
	(void)state;
	for (uint32_t bad = 0; bad < 2; bad++) {
		world_make(3, 16384, true, false);
		assert_true(w.count >= 2);
		w.close_err[bad] = SHOAL_ERR_GONE;
		assert_int_equal(run(16384, true, true, 2, &id), SHOAL_ERR_GONE);
		assert_int_equal(id, bad);
	}
	world_free();
}

static void the_caller_can_end_it(void **state)
{
	(void)state;
	world_make(5, 16384, true, false);
	got.fail_at = 0;
	assert_int_equal(run(16384, true, true, 2, NULL), SHOAL_ERR_NO_SPACE);
	world_free();
}

static int take_slowly(void *self, const struct shoal_hasher_piece *p)
{
	struct shoal_hasher **h = self;
	(void)p;
	while (__atomic_load_n(h, __ATOMIC_ACQUIRE) == NULL)
		;
	shoal_hasher_stop(*h);
	return 0;
}

static void stop_ends_it_soon(void **state)
{
	struct shoal_hasher *h, *shared = NULL;
	(void)state;
	world_make(1, 16384, false, false);
	w.count = 1;
	w.file[0] = (struct shoal_hasher_file){ 0, w.stream, 0 };
	w.cut[0] = w.stream;
	struct shoal_hasher_plan plan = { .os = &os,
					  .file = w.file,
					  .file_count = 1,
					  .stream_size = w.stream,
					  .piece_size = 1024,
					  .threads = 1,
					  .v1 = true,
					  .self = &shared,
					  .open = open_file,
					  .close = close_file,
					  .piece = take_slowly };
	assert_true(w.stream > 64 * 1024);
	assert_int_equal(shoal_hasher_new(&h, &plan), 0);
	assert_int_equal(shoal_hasher_wait(h, 0), 0); /* it waits for us */
	__atomic_store_n(&shared, h, __ATOMIC_RELEASE);
	assert_int_equal(shoal_hasher_wait(h, 10000), 1);
	assert_int_equal(shoal_hasher_result(h, NULL), SHOAL_ERR_CLOSED);
	assert_true(shoal_hasher_bytes(h) < w.stream);
	shoal_hasher_free(h);
	world_free();
}

static void plans_that_cannot_be(void **state)
{
	static const struct shoal_hasher_file two[] = { { 0, 100, 0 }, { 50, 100, 1 } }, odd[] = { { 100, 100, 0 } },
					      none[] = { { 0, 0, 0 } }, huge[] = { { UINT64_MAX - 5, 10, 0 } };
	static const struct {
		const char *why;
		const struct shoal_hasher_file *file;
		uint32_t count;
		uint64_t stream;
		uint32_t piece;
		bool v1, v2;
	} cases[] = {
		{ "files on each other", two, 2, 1000, 16384, true, false },
		{ "v2 off a piece's beginning", odd, 1, 200, 16384, false, true },
		{ "an empty file", none, 1, 0, 16384, true, false },
		{ "past the end of numbers", huge, 1, UINT64_MAX, 16384, true, false },
		{ "past the stream's end", odd, 1, 199, 16384, true, false },
		{ "no piece size", odd, 1, 200, 0, true, false },
		{ "v2 pieces of no whole leaves", none, 0, 0, 1000, false, true },
		{ "nothing to compute", odd, 1, 200, 16384, false, false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct shoal_hasher *h = NULL;
		struct shoal_hasher_plan plan = { .os = &shoal_os_real,
						  .file = cases[i].file,
						  .file_count = cases[i].count,
						  .stream_size = cases[i].stream,
						  .piece_size = cases[i].piece,
						  .v1 = cases[i].v1,
						  .v2 = cases[i].v2,
						  .open = open_file,
						  .close = close_file,
						  .piece = take_piece };
		print_message("%s\n", cases[i].why);
		assert_int_equal(shoal_hasher_new(&h, &plan), SHOAL_ERR_RANGE);
		assert_null(h);
	}
}

static int no_thread(pthread_t *thread, void *(*start)(void *arg), void *arg)
{
	(void)thread;
	(void)start;
	(void)arg;
	errno = EAGAIN;
	return -1;
}

static void no_thread_no_hasher(void **state)
{
	struct shoal_os_ops mean = shoal_os_real;
	struct shoal_hasher *h = NULL;
	(void)state;
	mean.thread_start = no_thread;
	world_make(1, 16384, false, false);
	struct shoal_hasher_plan plan = { .os = &mean,
					  .file = w.file,
					  .file_count = w.count,
					  .stream_size = w.stream,
					  .piece_size = 16384,
					  .v1 = true,
					  .open = open_file,
					  .close = close_file,
					  .piece = take_piece };
	assert_int_equal(shoal_hasher_new(&h, &plan), SHOAL_ERR_NOMEM);
	world_free();
}

static int prepare(void **state)
{
	(void)state;
	world_free();
	os = shoal_os_real;
	os.preadv = fake_preadv;
	os.preadv_nowait = fake_nowait;
	os.fadvise = fake_fadvise;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(hashes_are_those_of_the_stream, prepare),
		cmocka_unit_test_setup(a_bad_file_spoils_its_pieces_alone, prepare),
		cmocka_unit_test_setup(a_changed_file_ends_the_run, prepare),
		cmocka_unit_test_setup(the_caller_can_end_it, prepare),
		cmocka_unit_test_setup(stop_ends_it_soon, prepare),
		cmocka_unit_test_setup(plans_that_cannot_be, prepare),
		cmocka_unit_test_setup(no_thread_no_hasher, prepare),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
