/* test_files_adopt.c - bytes from other files: every way and its refusals, hard links that are written to, files that are guarded, searches. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "swarm/io/files.h"
#include "tests/unit/own_faults.h"
#include "tests/unit/own_torrent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE 200001u
#define SPARSE (5u << 20)
#define COUNT(a) (sizeof(a) / sizeof *(a))

static char folder[256], theirs[300];
static struct own_torrent torrent;
static struct shoal_files *files;
static int base; /* descriptors open when the test began */
static uint32_t storage;
static struct shoal_files_fault fault;
static const struct own_file content[] = { { "a", 10000, false }, { "b/c", SIZE, false }, { "b/d", SPARSE, false } };
#define FILE_NO 1u
#define PART "mine/t/b/c.part"

/* As the real one would do it, were the file system of the test one that can. */
static int clone_errno;
static int fake_ficlone(int to, int from)
{
	uint8_t *all = malloc(SIZE);
	errno = clone_errno;
	if (clone_errno == 0) {
		assert_int_equal(pread(from, all, SIZE, 0), SIZE);
		assert_int_equal(pwrite(to, all, SIZE, 0), SIZE);
	}
	free(all);
	return clone_errno ? -1 : 0;
}
static struct shoal_os_ops table;

static void open_ours(bool read_only)
{
	char mine[300];
	snprintf(mine, sizeof mine, "%s/mine", folder);
	assert_int_equal(shoal_files_new(&files, &table, 64), 0);
	assert_int_equal(shoal_files_open(files, torrent.mi, mine, read_only, &storage), 0);
}

static int setup(void **state)
{
	(void)state;
	uint8_t *right = malloc(SIZE);
	own_faults_arm(0, 0, 0);
	own_faults_only(NULL);
	own_faults_tear(0);
	own_faults_old_kernel(false);
	base = own_faults_open();
	own_folder(folder, sizeof folder);
	snprintf(theirs, sizeof theirs, "%s/theirs", folder);
	own_torrent_make(&torrent, OWN_V2, 16384, "t", content, COUNT(content), false);
	own_bytes(FILE_NO, 0, right, SIZE);
	own_write(folder, "theirs/x/y", right, SIZE);
	free(right);
	table = own_faults;
	table.ficlone = fake_ficlone;
	clone_errno = EOPNOTSUPP;
	open_ours(false);
	return 0;
}
static int teardown(void **state)
{
	(void)state;
	shoal_files_free(files);
	own_torrent_free(&torrent);
	assert_int_equal(own_faults_open(), base);
	own_folder_end(folder);
	return 0;
}

static struct shoal_disk_adopt ask(unsigned ways)
{
	return (struct shoal_disk_adopt){ .folder = theirs, .path = "x/y", .ways = ways, .len = SIZE };
}

static bool is_right(const char *path)
{
	uint8_t *got = malloc(SIZE + 1), *want = malloc(SIZE);
	own_bytes(FILE_NO, 0, want, SIZE);
	bool right = own_read(folder, path, got, SIZE + 1) == (long)SIZE && memcmp(got, want, SIZE) == 0;
	free(got);
	free(want);
	return right;
}

/* Under a name that was guessed: only if it is as long as it should be. */
static void of_another_length_it_is_left(void **state)
{
	(void)state;
	for (int more = -1; more <= 1; more++) {
		struct shoal_disk_adopt a = ask(SHOAL_ADOPT_LINK | SHOAL_ADOPT_REFLINK | SHOAL_ADOPT_COPY);
		uint8_t *bytes = calloc(1, SIZE + 1);
		own_write(folder, "theirs/x/z", bytes, (size_t)((int)SIZE + more));
		free(bytes);
		a.path = "x/z";
		a.same_size = true;
		assert_int_equal(shoal_files_adopt(files, storage, FILE_NO, &a, &fault), 0);
		assert_int_equal(a.way, more == 0 ? SHOAL_ADOPT_LINK : 0);
		assert_int_equal(a.why, more == 0 ? 0 : ENODATA);
		assert_int_equal(own_exists(folder, PART), more == 0);
		if (more == 0) {
			char full[600];
			snprintf(full, sizeof full, "%s/%s", folder, PART);
			assert_int_equal(unlink(full), 0);
		}
	}
}

static uint64_t inode_of(const char *path, unsigned *names)
{
	char full[600];
	struct stat st;
	snprintf(full, sizeof full, "%s/%s", folder, path);
	assert_int_equal(stat(full, &st), 0);
	*names = (unsigned)st.st_nlink;
	return st.st_ino;
}

/* ---- the ways ------------------------------------------------------------------------------ */

static void the_ways_that_are_allowed_are_tried_in_order(void **state)
{
	static const struct {
		unsigned ways;
		int clone, link, want_why;
		unsigned want;
	} rows[] = {
		{ SHOAL_ADOPT_REFLINK | SHOAL_ADOPT_COPY, 0, 0, 0, SHOAL_ADOPT_REFLINK },
		{ SHOAL_ADOPT_REFLINK | SHOAL_ADOPT_COPY, EOPNOTSUPP, 0, 0, SHOAL_ADOPT_COPY },
		{ SHOAL_ADOPT_REFLINK | SHOAL_ADOPT_COPY, EXDEV, 0, 0, SHOAL_ADOPT_COPY },
		{ SHOAL_ADOPT_REFLINK, 0, 0, 0, SHOAL_ADOPT_REFLINK },
		{ SHOAL_ADOPT_REFLINK, EOPNOTSUPP, 0, EOPNOTSUPP, 0 },
		{ SHOAL_ADOPT_COPY, 0, 0, 0, SHOAL_ADOPT_COPY },
		{ SHOAL_ADOPT_LINK, 0, 0, 0, SHOAL_ADOPT_LINK },
		{ SHOAL_ADOPT_LINK, 0, EXDEV, EXDEV, 0 },
		{ SHOAL_ADOPT_LINK | SHOAL_ADOPT_COPY, 0, EXDEV, 0, SHOAL_ADOPT_COPY },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct shoal_disk_adopt a = ask(rows[i].ways);
		struct shoal_seen seen;
		setup(state);
		clone_errno = rows[i].clone;
		own_faults_only("linkat");
		own_faults_arm(rows[i].link ? 1 : 0, rows[i].link, 0);
		assert_int_equal(shoal_files_adopt(files, storage, FILE_NO, &a, &fault), 0);
		own_faults_only(NULL);
		assert_int_equal(a.way, rows[i].want);
		assert_int_equal(a.why, rows[i].want_why);
		assert_int_equal(a.done, rows[i].want ? SIZE : 0);
		if (rows[i].want) {
			uint32_t list[] = { FILE_NO };
			assert_true(is_right(PART));
			/* it is there for whoever looks, syncs, and gives it its name */
			assert_int_equal(shoal_files_scan(files, storage, FILE_NO, 1, &seen, &fault), 0);
			assert_int_equal(seen.state, SHOAL_SEEN_PART);
			assert_int_equal(shoal_files_sync(files, storage, list, 1, 0, &seen, &fault), 0);
			assert_int_equal(shoal_files_finish(files, storage, list, 1, NULL, &seen, &fault), 0);
			assert_true(is_right("mine/t/b/c"));
		}
		assert_true(is_right("theirs/x/y"));
		teardown(state);
	}
}

static void a_copy_brings_its_range_alone(void **state)
{
	(void)state;
	uint8_t *got = malloc(SIZE), *want = malloc(SIZE);
	static const struct {
		uint64_t offset, len;
	} rows[] = { { 0, 1 }, { 16384, 16384 }, { 190000, 1 << 20 }, { 32768, 100000 } };
	for (int by_hand = 0; by_hand < 2; by_hand++) {
		for (size_t i = 0; i < COUNT(rows); i++) {
			uint64_t end = rows[i].offset + rows[i].len < SIZE ? rows[i].offset + rows[i].len : SIZE;
			setup(state);
			own_write(folder, PART, "", 0);
			own_faults_tear(by_hand ? 777 : 0);
			own_faults_only("copy_file_range");
			own_faults_arm(by_hand ? 1 : 0, EXDEV, 1000);
			struct shoal_disk_adopt a = ask(SHOAL_ADOPT_COPY | SHOAL_ADOPT_REFLINK);
			a.offset = rows[i].offset;
			a.len = rows[i].len;
			assert_int_equal(shoal_files_adopt(files, storage, FILE_NO, &a, &fault), 0);
			assert_int_equal(a.way, SHOAL_ADOPT_COPY);
			assert_int_equal(a.done, end - rows[i].offset);
			assert_int_equal(own_read(folder, PART, got, SIZE), end);
			own_bytes(FILE_NO, 0, want, SIZE);
			memset(want, 0, rows[i].offset);
			assert_memory_equal(got, want, end);
			teardown(state);
		}
	}
	free(got);
	free(want);
}

static void a_hole_stays_a_hole(void **state)
{
	(void)state;
	char path[600];
	struct stat was, is;
	uint8_t *got = malloc(SPARSE), *want = calloc(SPARSE, 1);
	snprintf(path, sizeof path, "%s/holes", theirs);
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_int_equal(ftruncate(fd, SPARSE), 0);
	assert_int_equal(pwrite(fd, "data", 4, 2 << 20), 4);
	assert_int_equal(fsync(fd), 0);
	assert_int_equal(fstat(fd, &was), 0);
	close(fd);
	memcpy(want + (2 << 20), "data", 4);
	struct shoal_disk_adopt a = ask(SHOAL_ADOPT_COPY);
	a.path = "holes";
	table.lseek = shoal_os_real.lseek;
	a.len = SPARSE;
	assert_int_equal(shoal_files_adopt(files, storage, 2, &a, &fault), 0);
	assert_int_equal(a.done, SPARSE);
	assert_int_equal(own_read(folder, "mine/t/b/d.part", got, SPARSE), SPARSE);
	assert_memory_equal(got, want, SPARSE);
	snprintf(path, sizeof path, "%s/mine/t/b/d.part", folder);
	assert_int_equal(stat(path, &is), 0);
	if (was.st_blocks < SPARSE / 512 / 2) /* else this file system has no holes */
		assert_true(is.st_blocks < SPARSE / 512 / 2);
	free(got);
	free(want);
}

static void a_file_that_holds_bytes_is_not_cloned_over(void **state)
{
	(void)state;
	own_write(folder, PART, "ours", 4);
	clone_errno = 0;
	struct shoal_disk_adopt a = ask(SHOAL_ADOPT_REFLINK);
	assert_int_equal(shoal_files_adopt(files, storage, FILE_NO, &a, &fault), 0);
	assert_int_equal(a.way, 0);
	a = ask(SHOAL_ADOPT_LINK);
	assert_int_equal(shoal_files_adopt(files, storage, FILE_NO, &a, &fault), 0);
	assert_int_equal(a.way, 0);
	assert_int_equal(a.why, EEXIST);
	uint8_t got[8];
	assert_int_equal(own_read(folder, PART, got, sizeof got), 4);
	assert_memory_equal(got, "ours", 4);
}

/* ---- candidates of no use, and trouble of our own ---------------------------------------------- */

static void what_is_no_regular_file_below_its_folder_is_passed_over(void **state)
{
	(void)state;
	char path[600], to[600];
	static const char *const names[] = { "gone", "gone/y", "link",	"out/y", "../theirs/x/y",
					     "fifo", "x",      "short", "/x/y",	 "" };
	snprintf(path, sizeof path, "%s/link", theirs);
	assert_int_equal(symlink("x/y", path), 0);
	snprintf(path, sizeof path, "%s/out", theirs);
	snprintf(to, sizeof to, "%s/x", theirs);
	assert_int_equal(symlink(to, path), 0);
	snprintf(path, sizeof path, "%s/fifo", theirs);
	assert_int_equal(mkfifo(path, 0600), 0);
	own_write(folder, "theirs/short", "", 0);
	clone_errno = 0;
	for (int old = 0; old < 2; old++) {
		for (size_t i = 0; i < COUNT(names); i++) {
			for (unsigned ways = 1; ways < 8; ways++) {
				struct shoal_disk_adopt a = ask(ways);
				a.path = names[i];
				assert_int_equal(shoal_files_adopt(files, storage, FILE_NO, &a, &fault), 0);
				assert_int_equal(a.way, 0);
				assert_int_not_equal(a.why, 0);
			}
		}
		own_faults_old_kernel(true);
		shoal_files_free(files);
		open_ours(false);
	}
	struct shoal_disk_adopt a = ask(SHOAL_ADOPT_COPY);
	a.folder = "/no/such/folder";
	assert_int_equal(shoal_files_adopt(files, storage, FILE_NO, &a, &fault), 0);
	assert_int_equal(a.why, ENOENT);
}

static void a_candidate_that_ends_early_gives_what_it_has(void **state)
{
	(void)state;
	uint8_t right[5000];
	own_bytes(FILE_NO, 0, right, sizeof right);
	own_write(folder, "theirs/short", right, sizeof right);
	struct shoal_disk_adopt a = ask(SHOAL_ADOPT_REFLINK | SHOAL_ADOPT_LINK | SHOAL_ADOPT_COPY);
	a.path = "short";
	assert_int_equal(shoal_files_adopt(files, storage, FILE_NO, &a, &fault), 0);
	assert_int_equal(a.way, SHOAL_ADOPT_COPY);
	assert_int_equal(a.done, sizeof right);
}

static ssize_t never_copies(int from, off_t *a, int to, off_t *b, size_t len, unsigned flags)
{
	(void)from, (void)a, (void)to, (void)b, (void)len, (void)flags;
	errno = EXDEV;
	return -1;
}

static void a_full_disk_is_our_trouble_and_a_bad_candidate_is_not(void **state)
{
	static const struct {
		const char *call;
		int os, want;
	} rows[] = {
		{ "copy_file_range", ENOSPC, SHOAL_ERR_NO_SPACE },
		{ "copy_file_range", EDQUOT, SHOAL_ERR_NO_SPACE },
		{ "copy_file_range", EIO, 0 },
		{ "copy_file_range", ENOSYS, 0 },
		{ "preadv", EIO, 0 },
		{ "pwritev", ENOSPC, SHOAL_ERR_NO_SPACE },
		{ "pwritev", EIO, SHOAL_ERR_IO },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct shoal_disk_adopt a = ask(SHOAL_ADOPT_REFLINK | SHOAL_ADOPT_COPY);
		setup(state);
		bool by_hand = rows[i].call[0] == 'p';
		if (by_hand)
			table.copy_file_range = never_copies;
		own_faults_only(rows[i].call);
		own_faults_arm(1, rows[i].os, by_hand ? 1000 : 0);
		int rc = shoal_files_adopt(files, storage, FILE_NO, &a, &fault);
		own_faults_only(NULL);
		own_faults_arm(0, 0, 0);
		assert_int_equal(rc, rows[i].want);
		if (rc < 0)
			assert_int_equal(fault.file, FILE_NO);
		else
			assert_int_equal(a.done, by_hand ? 0 : SIZE);
		assert_true(is_right("theirs/x/y"));
		teardown(state);
	}
}

static void each_call_may_fail(void **state)
{
	static const unsigned ways[] = { SHOAL_ADOPT_LINK, SHOAL_ADOPT_COPY, SHOAL_ADOPT_REFLINK | SHOAL_ADOPT_COPY };
	unsigned failed = 0;
	for (size_t w = 0; w < COUNT(ways); w++) {
		for (unsigned nth = 1;; nth++) {
			setup(state);
			struct shoal_disk_adopt a = ask(ways[w]);
			own_faults_arm(nth, EIO, 0);
			int rc = shoal_files_adopt(files, storage, FILE_NO, &a, &fault);
			bool happened = own_faults_calls() >= nth;
			own_faults_arm(0, 0, 0);
			failed += rc < 0 || a.way == 0;
			if (rc == 0 && a.way != 0 && a.done == SIZE)
				assert_true(is_right(PART));
			assert_true(is_right("theirs/x/y"));
			a = ask(SHOAL_ADOPT_COPY); /* and it works when it is tried again */
			if (!own_exists(folder, PART) || !is_right(PART))
				assert_int_equal(shoal_files_adopt(files, storage, FILE_NO, &a, &fault), 0);
			assert_true(is_right(PART));
			teardown(state);
			if (!happened)
				break;
		}
	}
	assert_true(failed > 10);
}

static void a_seed_that_only_reads_adopts_nothing(void **state)
{
	(void)state;
	shoal_files_free(files);
	open_ours(true);
	struct shoal_disk_adopt a = ask(SHOAL_ADOPT_COPY);
	assert_int_equal(shoal_files_adopt(files, storage, FILE_NO, &a, &fault), SHOAL_ERR_DENIED);
	assert_false(own_exists(folder, PART));
	a.offset = UINT64_MAX;
	assert_int_equal(shoal_files_adopt(files, storage, FILE_NO, &a, &fault), SHOAL_ERR_RANGE);
	assert_int_equal(shoal_files_adopt(files, storage, 99, &a, &fault), SHOAL_ERR_RANGE);
}

/* ---- hard links ------------------------------------------------------------------------------------- */

static int write_one(uint8_t byte)
{
	struct iovec v = { &byte, 1 };
	/* the second file's first piece, as v2 has it: right behind the first file's only one */
	return shoal_files_write(files, storage, 1, 0, &v, 1, 1, &fault);
}

static void a_file_of_two_names_becomes_our_own_before_it_is_written_to(void **state)
{
	unsigned names, failed = 0;
	uint8_t first;
	for (unsigned nth = 0;; nth++) {
		setup(state);
		struct shoal_disk_adopt a = ask(SHOAL_ADOPT_LINK);
		assert_int_equal(shoal_files_adopt(files, storage, FILE_NO, &a, &fault), 0);
		uint64_t one = inode_of(PART, &names);
		assert_int_equal(names, 2);
		own_bytes(FILE_NO, 0, &first, 1);
		own_faults_arm(nth, ENOSPC, 0);
		int rc = write_one((uint8_t)(first ^ 1));
		bool happened = nth > 0 && own_faults_calls() >= nth;
		own_faults_arm(0, 0, 0);
		assert_true(is_right("theirs/x/y"));
		if (rc < 0) {
			failed++;
			assert_true(is_right(PART)); /* as it was */
			assert_int_equal(write_one((uint8_t)(first ^ 1)), 0);
		}
		assert_false(is_right(PART));
		assert_true(inode_of(PART, &names) != one);
		assert_int_equal(names, 1);
		assert_int_equal(write_one(first), 0);
		assert_true(is_right(PART));
		assert_true(is_right("theirs/x/y"));
		teardown(state);
		if (nth > 0 && !happened)
			break;
	}
	assert_true(failed > 5);
}

/* ---- files of others ------------------------------------------------------------------------------------ */

static void a_guarded_file_loses_nothing(void **state)
{
	(void)state;
	uint8_t right[40000], was[40000], got[40000];
	struct iovec v[3] = { { right, 7 }, { right + 7, 16384 }, { right + 16391, 16384 - 7 } };
	own_bytes(FILE_NO, 0, right, sizeof right);
	for (size_t i = 0; i < sizeof right; i++)
		right[i] |= 1;			       /* no zeros of its own */
	for (size_t at = 0; at <= 32768; at += 1638) { /* one byte of it differs, anywhere */
		memcpy(was, right, sizeof was);
		memset(was + 3000, 0, 9000); /* and a stretch lacks */
		if (at < 32768)
			was[at] = (uint8_t)(right[at] ^ 0x80);
		own_write(folder, "mine/t/b/c", was, sizeof was);
		shoal_files_free(files);
		open_ours(false);
		shoal_files_guard(files, storage, FILE_NO);
		int rc = 0;
		for (uint32_t p = 0; p < 2 && rc == 0; p++) {
			struct iovec half[3] = { v[0], v[1], v[2] };
			half[0].iov_base = right + p * 16384;
			half[1].iov_base = right + p * 16384 + 7;
			half[1].iov_len = 16384 - 7;
			rc = shoal_files_write(files, storage, 1 + p, 0, half, 2, 16384, &fault);
		}
		assert_int_equal(own_read(folder, "mine/t/b/c", got, sizeof got), sizeof got);
		assert_int_equal(rc, at < 32768 ? SHOAL_ERR_REFUSED : 0);
		if (rc < 0) {
			assert_int_equal(fault.file, FILE_NO);
			assert_int_equal(got[at], was[at]);
		} else {
			assert_memory_equal(got, right, 32768);
		}
	}
}

/* ---- searches ---------------------------------------------------------------------------------------------- */

static void found_free(struct shoal_disk_find *f)
{
	for (uint32_t i = 0; i < f->count; i++)
		free(f->found[i].path);
	free(f->found);
	f->found = NULL;
	f->count = 0;
	f->bytes = 0;
}

static void a_search_finds_what_has_a_wanted_size(void **state)
{
	(void)state;
	char path[600];
	int lowest = dup(0);
	close(lowest);
	struct shoal_disk_want want[] = { { 7, shoal_disk_name("name", 4), 0 },
					  { 9, shoal_disk_name("a", 1), 0 },
					  { 9, shoal_disk_name("b", 1), 0 } };
	struct shoal_disk_find f = { .folder = theirs, .want = want, .want_count = 3, .most = 1 << 20 };
	if (want[1].name > want[2].name) {
		struct shoal_disk_want t = want[1];
		want[1] = want[2];
		want[2] = t;
	}
	own_write(folder, "theirs/p/name", "1234567", 7);
	own_write(folder, "theirs/q/r/name", "7654321", 7);
	own_write(folder, "theirs/other", "123456789", 9);
	own_write(folder, "theirs/q/a", "123456789", 9);
	own_write(folder, "theirs/q/b", "12345678", 8);
	snprintf(path, sizeof path, "%s/q/loop", theirs);
	assert_int_equal(symlink("..", path), 0);
	snprintf(path, sizeof path, "%s/q/b2", theirs);
	assert_int_equal(symlink("a", path), 0);
	for (int i = 0; i < 10; i++) { /* of strangers, a few are enough */
		snprintf(path, sizeof path, "theirs/many/%d", i);
		own_write(folder, path, "abcdefg", 7);
	}
	assert_int_equal(shoal_files_search(&table, &f), 0);
	unsigned named = 0, strangers = 0;
	for (uint32_t i = 0; i < f.count; i++) {
		snprintf(path, sizeof path, "theirs/%s", f.found[i].path);
		assert_int_equal(own_read(folder, path, NULL, 0), (long)f.found[i].size);
		named += !f.found[i].stranger;
		strangers += f.found[i].stranger;
	}
	assert_int_equal(named, 3);
	assert_int_equal(strangers, SHOAL_FIND_STRANGERS + 1);
	assert_false(f.more);
	found_free(&f);

	f.most = 2 * (sizeof *f.found + 10); /* little room */
	assert_int_equal(shoal_files_search(&table, &f), 0);
	assert_true(f.more && f.count <= 2 && f.bytes <= f.most);
	found_free(&f);
	f.most = 1 << 20;
	atomic_store(&f.stop, true);
	assert_int_equal(shoal_files_search(&table, &f), 0);
	assert_int_equal(f.count, 0);
	atomic_store(&f.stop, false);
	f.folder = "/no/such/folder";
	assert_int_equal(shoal_files_search(&table, &f), 0);
	assert_int_equal(f.os, ENOENT);
	found_free(&f);
	for (unsigned nth = 1; nth < 40; nth++) {
		f.folder = theirs;
		own_faults_arm(nth, EACCES, 0);
		assert_int_equal(shoal_files_search(&table, &f), 0);
		own_faults_arm(0, 0, 0);
		found_free(&f);
	}
	int now = dup(0);
	close(now);
	assert_int_equal(now, lowest);
	shoal_files_free(files);
	base = own_faults_open(); /* closedir() goes by uncounted */
	open_ours(false);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(of_another_length_it_is_left),
		cmocka_unit_test(the_ways_that_are_allowed_are_tried_in_order),
		cmocka_unit_test(a_copy_brings_its_range_alone),
		TEST(a_hole_stays_a_hole),
		TEST(a_file_that_holds_bytes_is_not_cloned_over),
		TEST(what_is_no_regular_file_below_its_folder_is_passed_over),
		TEST(a_candidate_that_ends_early_gives_what_it_has),
		cmocka_unit_test(a_full_disk_is_our_trouble_and_a_bad_candidate_is_not),
		cmocka_unit_test(each_call_may_fail),
		TEST(a_seed_that_only_reads_adopts_nothing),
		cmocka_unit_test(a_file_of_two_names_becomes_our_own_before_it_is_written_to),
		TEST(a_guarded_file_loses_nothing),
		TEST(a_search_finds_what_has_a_wanted_size),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
