/* test_files.c - real files in a folder of the test's own: layouts, hostile folders, stamps, and each OS call failing. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "swarm/io/files.h"
#include "tests/unit/own_faults.h"
#include "tests/unit/own_torrent.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KIB 1024u
#define COUNT(a) (sizeof(a) / sizeof *(a))

static char folder[256];

/* Odd sizes, a pad in the middle, empty files, folders. */
static const struct own_file v1_files[] = {
	{ "a", 10000, false }, { "b/empty", 0, false }, { "b/c/d", 100001, false }, { ".pad/1", 3000, true },
	{ "b/e", 1, false },   { "f", 70000, false },	{ "g/h", 16384, false },    { "tail", 5, false },
};
static const struct own_file v2_files[] = {
	{ "a", 10000, false }, { "b/c/d", 200001, false }, { "b/empty", 0, false },
	{ "f", 32768, false }, { "g/h", 65536, false },	   { "tail", 1, false },
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

static int write_piece(struct shoal_files *files, uint32_t storage, const struct own_torrent *t, uint32_t piece,
		       struct shoal_files_fault *fault)
{
	uint32_t bytes = shoal_metainfo_piece_bytes(t->mi, piece);
	uint8_t *buf = malloc(bytes);
	assert_non_null(buf);
	own_piece(t, piece, 0, buf, bytes);
	struct iovec v[2] = { { buf, bytes / 3 }, { buf + bytes / 3, bytes - bytes / 3 } };
	int rc = shoal_files_write(files, storage, piece, 0, v, 2, bytes, fault);
	free(buf);
	return rc;
}
static int read_piece(struct shoal_files *files, uint32_t storage, const struct own_torrent *t, uint32_t piece,
		      unsigned how, struct shoal_files_fault *fault)
{
	uint32_t bytes = shoal_metainfo_piece_bytes(t->mi, piece);
	uint8_t *buf = malloc(bytes), *want = malloc(bytes);
	assert_true(buf && want);
	memset(buf, 0xee, bytes);
	own_piece(t, piece, 0, want, bytes);
	struct iovec v = { buf, bytes };
	int rc = shoal_files_read(files, storage, piece, 0, &v, 1, bytes, how, fault);
	if (rc == 0)
		assert_memory_equal(buf, want, bytes);
	free(buf);
	free(want);
	return rc;
}

/* All pieces, the last first; then sync and finish. First error. */
static int fill(struct shoal_files *files, uint32_t storage, const struct own_torrent *t,
		struct shoal_files_fault *fault)
{
	uint32_t count = shoal_metainfo_file_count(t->mi), list[OWN_FILES_MAX * 2];
	struct shoal_seen seen[OWN_FILES_MAX * 2];
	for (uint32_t p = t->pieces; p-- > 0;) {
		int rc = write_piece(files, storage, t, p, fault);
		if (rc < 0)
			return rc;
	}
	for (uint32_t f = 0; f < count; f++)
		list[f] = f;
	int rc = shoal_files_sync(files, storage, list, count, 0, seen, fault);
	if (rc < 0)
		return rc;
	return shoal_files_finish(files, storage, list, count, NULL, seen, fault);
}

static void check_whole(const struct own_torrent *t, const struct own_file *file, size_t count, const char *name)
{
	uint8_t *got = malloc(1 << 20), *want = malloc(1 << 20);
	uint32_t real = 0;
	(void)t;
	for (size_t i = 0; i < count; i++) {
		char path[512];
		snprintf(path, sizeof path, "%s/%s", name, file[i].path);
		if (file[i].pad) {
			assert_false(own_exists(folder, path));
			continue;
		}
		assert_int_equal(own_read(folder, path, got, 1 << 20), file[i].size);
		own_bytes(real++, 0, want, file[i].size);
		assert_memory_equal(got, want, file[i].size);
	}
	free(got);
	free(want);
}

static const struct layout {
	enum own_format format;
	uint32_t piece_size;
	const struct own_file *file;
	size_t count;
} layouts[] = {
	{ OWN_V1, 16 * KIB, v1_files, COUNT(v1_files) },   { OWN_V1, 64 * KIB, v1_files, COUNT(v1_files) },
	{ OWN_V1, 1024 * KIB, v1_files, COUNT(v1_files) }, { OWN_V2, 16 * KIB, v2_files, COUNT(v2_files) },
	{ OWN_V2, 64 * KIB, v2_files, COUNT(v2_files) },   { OWN_HYBRID, 32 * KIB, v2_files, COUNT(v2_files) },
};

static void round_trip(const struct layout *l, const char *name)
{
	struct shoal_files *files;
	struct shoal_files_fault fault;
	struct own_torrent t;
	uint32_t storage;
	char below[300];
	own_torrent_make(&t, l->format, l->piece_size, name, l->file, l->count, false);
	snprintf(below, sizeof below, "%s/new/er", folder);
	assert_int_equal(shoal_files_new(&files, &own_faults, 32), 0);
	assert_int_equal(shoal_files_open(files, t.mi, below, false, &storage), 0);
	assert_true(shoal_files_room(files, storage) > 0);
	assert_int_equal(read_piece(files, storage, &t, 0, 0, &fault), SHOAL_ERR_GONE);
	assert_false(own_exists(folder, "new")); /* looking creates nothing */
	assert_int_equal(write_piece(files, storage, &t, 0, &fault), 0);
	char part[SHOAL_FILES_PATH_MAX];
	assert_int_equal(shoal_files_part_path(files, storage, 0, part), 0);
	assert_true(own_exists(below, part));
	assert_int_equal(fill(files, storage, &t, &fault), 0);
	assert_false(own_exists(below, part));
	for (uint32_t p = 0; p < t.pieces; p++)
		assert_int_equal(read_piece(files, storage, &t, p, 0, &fault), 0);
	shoal_files_close(files, storage);
	assert_int_equal(shoal_files_open_count(files), 0);

	/* Again, as a seed: nothing may be written. */
	assert_int_equal(shoal_files_open(files, t.mi, below, true, &storage), 0);
	for (uint32_t p = 0; p < t.pieces; p++) {
		assert_int_equal(read_piece(files, storage, &t, p, 0, &fault), 0);
		assert_int_equal(shoal_files_drop(files, storage, p, &fault), 0);
		assert_int_equal(read_piece(files, storage, &t, p, 0, &fault), 0);
	}
	assert_int_equal(write_piece(files, storage, &t, 0, &fault), SHOAL_ERR_DENIED);
	assert_int_equal(fault.os, EROFS);
	shoal_files_free(files);
	assert_int_equal(own_faults_open(), 0);
	snprintf(below, sizeof below, "new/er/%s", name);
	check_whole(&t, l->file, l->count, below);
	own_torrent_free(&t);
}

static void every_layout_comes_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(layouts); i++) {
		char name[32];
		snprintf(name, sizeof name, "t%zu", i);
		round_trip(&layouts[i], name);
		char rm[300];
		snprintf(rm, sizeof rm, "%s/new", folder);
		own_folder_end(rm);
	}
}

static void an_old_kernel_will_do(void **state)
{
	own_faults_old_kernel(true);
	every_layout_comes_back(state);
}

static void torn_transfers_finish(void **state)
{
	(void)state;
	own_faults_tear(4097);
	round_trip(&layouts[1], "torn");
}

static void a_single_file_lies_in_the_folder(void **state)
{
	(void)state;
	static const struct own_file one[] = { { "movie", 300000, false } };
	struct shoal_files *files;
	struct shoal_files_fault fault;
	struct own_torrent t;
	uint32_t storage;
	for (int f = OWN_V1; f <= OWN_HYBRID; f++) {
		own_torrent_make(&t, (enum own_format)f, 64 * KIB, "movie", one, 1, true);
		assert_int_equal(shoal_files_new(&files, &own_faults, 32), 0);
		assert_int_equal(shoal_files_open(files, t.mi, folder, false, &storage), 0);
		assert_int_equal(write_piece(files, storage, &t, 1, &fault), 0);
		assert_true(own_exists(folder, "movie.part"));
		assert_int_equal(own_read(folder, "movie.part", NULL, 0), 128 * KIB); /* sparse, never grown */
		assert_int_equal(fill(files, storage, &t, &fault), 0);
		assert_int_equal(own_read(folder, "movie", NULL, 0), 300000);
		shoal_files_free(files);
		own_torrent_free(&t);
		char path[300];
		snprintf(path, sizeof path, "%s/movie", folder);
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(own_faults_open(), 0);
}

/* ---- names -------------------------------------------------------------------------------- */

static void unfinished_names_meet_no_other(void **state)
{
	(void)state;
	char name251[252], name255[256], name255b[256];
	memset(name251, 'x', 251);
	name251[251] = '\0';
	for (int i = 0; i < 255; i += 3)
		memcpy(name255 + i, "\xe2\x82\xac", 3); /* 85 euro signs */
	name255[255] = '\0';
	memcpy(name255b, name255, 256);
	name255b[254] = '\xad'; /* differs in its last byte alone */
	const struct own_file files_in[] = {
		{ "a", 20000, false },	    { "a.part", 20000, false }, { "a.part~", 20000, false },
		{ "b.part", 20000, false }, { name251, 20000, false },	{ name255, 20000, false },
		{ name255b, 20000, false },
	};
	struct own_torrent t;
	struct shoal_files *files;
	struct shoal_files_fault fault;
	uint32_t storage;
	char part[COUNT(files_in)][SHOAL_FILES_PATH_MAX];
	own_torrent_make(&t, OWN_V1, 32 * KIB, "n", files_in, COUNT(files_in), false);
	assert_int_equal(shoal_files_new(&files, &own_faults, 32), 0);
	assert_int_equal(shoal_files_open(files, t.mi, folder, false, &storage), 0);
	for (uint32_t f = 0; f < COUNT(files_in); f++) {
		assert_int_equal(shoal_files_part_path(files, storage, f, part[f]), 0);
		assert_true(strlen(strrchr(part[f], '/') + 1) <= 255);
		for (uint32_t g = 0; g < f; g++)
			assert_string_not_equal(part[f], part[g]);
	}
	assert_string_equal(part[0], "n/a.part~~");
	assert_string_equal(part[1], "n/a.part.part");
	assert_string_equal(part[3], "n/b.part.part");
	assert_string_equal(strrchr(part[4], '.'), ".part");
	assert_int_equal((uint8_t)part[5][2 + 216 - 1], 0xac); /* cut after a whole character: 72 of them */
	assert_int_equal(part[5][2 + 216], '~');
	assert_int_equal(fill(files, storage, &t, &fault), 0);
	for (uint32_t p = 0; p < t.pieces; p++)
		assert_int_equal(read_piece(files, storage, &t, p, 0, &fault), 0);
	shoal_files_free(files);
	check_whole(&t, files_in, COUNT(files_in), "n");
	own_torrent_free(&t);
}

/* ---- folders that others have had their hands in -------------------------------------------- */

static void links_are_not_followed(void **state)
{
	(void)state;
	char outside[256], path[600];
	own_folder(outside, sizeof outside);
	own_write(outside, "d", "keep me", 7);
	for (int old = 0; old < 2; old++) {
		for (int kind = 0; kind < 5; kind++) {
			struct shoal_files *files;
			struct shoal_files_fault fault;
			struct own_torrent t;
			uint32_t storage;
			own_faults_old_kernel(old);
			own_torrent_make(&t, OWN_V2, 64 * KIB, "n", v2_files, COUNT(v2_files), false);
			snprintf(path, sizeof path, "%s/n", folder);
			if (kind == 0) { /* the torrent's folder leads out */
				assert_int_equal(symlink(outside, path), 0);
			} else {
				assert_int_equal(mkdir(path, 0777), 0);
				snprintf(path, sizeof path, "%s/n/b", folder);
				if (kind == 1) { /* a folder within does */
					assert_int_equal(symlink(outside, path), 0);
				} else {
					char target[600];
					assert_int_equal(mkdir(path, 0777), 0);
					snprintf(path, sizeof path, "%s/n/b/c", folder);
					assert_int_equal(mkdir(path, 0777), 0);
					snprintf(target, sizeof target, "%s/d", outside);
					snprintf(path, sizeof path, "%s/n/b/c/%s", folder, kind == 3 ? "d.part" : "d");
					if (kind == 4) /* not a link, but nothing to write to */
						assert_int_equal(mkfifo(path, 0666), 0);
					else
						assert_int_equal(symlink(target, path), 0);
				}
			}
			assert_int_equal(shoal_files_new(&files, &own_faults, 32), 0);
			assert_int_equal(shoal_files_open(files, t.mi, folder, false, &storage), 0);
			uint32_t piece = 1; /* of b/c/d */
			int rc = write_piece(files, storage, &t, piece, &fault);
			print_message("kind %d old %d: %d\n", kind, old, rc);
			assert_true(rc == SHOAL_ERR_DENIED || rc == SHOAL_ERR_EXISTS);
			assert_int_equal(fault.file, 1);
			assert_true(read_piece(files, storage, &t, piece, 0, &fault) < 0);
			struct shoal_seen seen[COUNT(v2_files)];
			assert_int_equal(shoal_files_scan(files, storage, 0, COUNT(v2_files), seen, &fault), 0);
			assert_int_equal(seen[1].state, SHOAL_SEEN_OTHER);
			shoal_files_free(files);
			own_torrent_free(&t);
			snprintf(path, sizeof path, "%s/n", folder);
			if (kind == 0)
				assert_int_equal(unlink(path), 0);
			else
				own_folder_end(path);
			uint8_t got[16];
			assert_int_equal(own_read(outside, "d", got, sizeof got), 7);
			assert_memory_equal(got, "keep me", 7);
			assert_false(own_exists(outside, "c"));
		}
	}
	own_folder_end(outside);
	assert_int_equal(own_faults_open(), 0);
}

static void what_lies_there_is_used_and_never_cut(void **state)
{
	(void)state;
	static const struct own_file two[] = { { "long", 20000, false }, { "short", 20000, false } };
	struct shoal_files *files;
	struct shoal_files_fault fault;
	struct own_torrent t;
	struct shoal_seen seen[2];
	uint32_t storage, list[] = { 0, 1 };
	uint8_t buf[40000], got[40000];
	memset(buf, 'x', sizeof buf);
	own_write(folder, "n/long", buf, 30000);
	own_write(folder, "n/short", buf, 100);
	own_torrent_make(&t, OWN_V2, 32 * KIB, "n", two, 2, false);
	assert_int_equal(shoal_files_new(&files, &own_faults, 32), 0);
	assert_int_equal(shoal_files_open(files, t.mi, folder, false, &storage), 0);
	assert_int_equal(shoal_files_scan(files, storage, 0, 2, seen, &fault), 0);
	assert_int_equal(seen[0].state, SHOAL_SEEN_WHOLE);
	assert_int_equal(seen[0].stamp.size, 30000);
	assert_int_equal(seen[1].state, SHOAL_SEEN_WHOLE);
	assert_int_equal(seen[1].stamp.size, 100);
	struct iovec v = { got, 20000 };
	assert_int_equal(shoal_files_read(files, storage, 1, 0, &v, 1, 20000, 0, &fault), SHOAL_ERR_GONE); /* short */
	assert_int_equal(fault.file, 1);
	assert_int_equal(fill(files, storage, &t, &fault), 0);
	assert_int_equal(shoal_files_finish(files, storage, list, 2, NULL, seen, &fault), 0);
	assert_int_equal(seen[0].stamp.size, 30000); /* its tail is somebody's bytes */
	assert_int_equal(own_read(folder, "n/long", got, sizeof got), 30000);
	assert_memory_equal(got + 20000, buf, 10000);
	assert_int_equal(own_read(folder, "n/short", got, sizeof got), 20000);
	assert_false(own_exists(folder, "n/long.part"));
	shoal_files_free(files);
	own_torrent_free(&t);
}

static void a_name_taken_meanwhile_is_kept(void **state)
{
	(void)state;
	static const struct own_file two[] = { { "one", 20000, false }, { "two", 20000, false } };
	struct shoal_files *files;
	struct shoal_files_fault fault;
	struct own_torrent t;
	struct shoal_seen seen[2];
	uint32_t storage, list[] = { 0, 1 };
	uint8_t got[20000], junk[20000];
	memset(junk, 'j', sizeof junk);
	own_torrent_make(&t, OWN_V2, 32 * KIB, "n", two, 2, false);
	assert_int_equal(shoal_files_new(&files, &own_faults, 32), 0);
	assert_int_equal(shoal_files_open(files, t.mi, folder, false, &storage), 0);
	assert_int_equal(write_piece(files, storage, &t, 0, &fault), 0);
	assert_int_equal(write_piece(files, storage, &t, 1, &fault), 0);
	own_write(folder, "n/one", junk, 20000); /* of the right size even */
	assert_int_equal(shoal_files_finish(files, storage, list, 2, NULL, seen, &fault), SHOAL_ERR_EXISTS);
	assert_int_equal(fault.file, 0);
	assert_int_equal(seen[0].state, SHOAL_SEEN_PART);
	assert_int_equal(seen[1].state, SHOAL_SEEN_WHOLE); /* the others are finished all the same */
	assert_int_equal(own_read(folder, "n/one", got, sizeof got), 20000);
	assert_memory_equal(got, junk, 20000);
	assert_int_equal(read_piece(files, storage, &t, 0, 0, &fault), 0); /* ours is still ours */
	shoal_files_free(files);
	own_torrent_free(&t);
}

/* Three more threads, that are there at once. */
static struct crowd {
	void (*part)(void *run);
	void *run;
	unsigned calls;
} crowd;
static void *crowd_member(void *arg)
{
	(void)arg;
	crowd.part(crowd.run);
	return NULL;
}
static void crowd_call(void *to, void (*part)(void *run), void *run)
{
	pthread_t thread[3];
	(void)to;
	crowd = (struct crowd){ part, run, crowd.calls + 1 };
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, crowd_member, NULL), 0);
	part(run);
	for (size_t i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
}

/* Each file gets its name, or keeps its own where that is taken; the first of those is told, whoever came to it. */
static void many_names_are_given_by_several(void **state)
{
	(void)state;
	enum { FILES = 400 };
	static const struct shoal_files_crew crew = { crowd_call, NULL };
	static const uint32_t taken[] = { 57, 130, 131, 399 };
	static char name[FILES][16];
	static struct own_file file[FILES];
	static struct shoal_seen seen[FILES];
	static uint32_t list[FILES];
	for (unsigned lost = 0; lost < 2; lost++) {
		struct shoal_files *files;
		struct shoal_files_fault fault;
		struct own_torrent t;
		uint32_t storage;
		for (uint32_t i = 0; i < FILES; i++) {
			snprintf(name[i], sizeof name[i], "%02u/%03u", i / 20, i);
			file[i] = (struct own_file){ name[i], 1 + i * 7, false };
			list[i] = i;
		}
		crowd.calls = 0;
		own_torrent_make(&t, OWN_V2, 16 * KIB, "n", file, FILES, false);
		assert_int_equal(shoal_files_new(&files, &own_faults, 32), 0);
		assert_int_equal(shoal_files_open(files, t.mi, folder, false, &storage), 0);
		for (uint32_t p = 0; p < t.pieces; p++)
			assert_int_equal(write_piece(files, storage, &t, p, &fault), 0);
		for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
			char path[64];
			snprintf(path, sizeof path, "n/%s", name[taken[i]]);
			own_write(folder, path, "junk", 4);
		}
		if (lost) {
			char path[400];
			snprintf(path, sizeof path, "%s/n/%s.part", folder, name[200]);
			assert_int_equal(unlink(path), 0);
		}
		int rc = shoal_files_finish(files, storage, list, FILES, &crew, seen, &fault);
		assert_int_equal(crowd.calls, 1);
		assert_true(rc == SHOAL_ERR_EXISTS || (lost && rc == SHOAL_ERR_GONE));
		if (!lost)
			assert_int_equal(fault.file, taken[0]);
		unsigned whole = 0;
		for (uint32_t i = 0, at = 0; i < FILES; i++) {
			bool kept = at < sizeof taken / sizeof *taken && taken[at] == i;
			at += kept;
			if (kept)
				assert_int_equal(seen[i].state, SHOAL_SEEN_PART);
			else if (!lost)
				assert_int_equal(seen[i].state, SHOAL_SEEN_WHOLE);
			else /* where one found the trouble the others stopped, and all have been looked at */
				assert_true(seen[i].state == SHOAL_SEEN_WHOLE || seen[i].state == SHOAL_SEEN_PART ||
					    i == 200);
			whole += seen[i].state == SHOAL_SEEN_WHOLE;
			if (seen[i].state == SHOAL_SEEN_WHOLE)
				assert_int_equal(seen[i].stamp.size, file[i].size);
		}
		assert_true(whole > 0);
		shoal_files_free(files);
		assert_int_equal(own_faults_open(), 0);
		own_torrent_free(&t);
		char n[300];
		snprintf(n, sizeof n, "%s/n", folder);
		own_folder_end(n);
	}
}

static void a_file_replaced_under_us_is_told(void **state)
{
	(void)state;
	static const struct own_file one[] = { { "one", 40000, false } };
	struct shoal_files *files;
	struct shoal_files_fault fault;
	struct own_torrent t;
	struct shoal_seen seen;
	uint32_t storage, list[] = { 0 };
	char from[300], to[300];
	own_torrent_make(&t, OWN_V1, 16 * KIB, "n", one, 1, false);
	for (int gone = 0; gone < 2; gone++) {
		assert_int_equal(shoal_files_new(&files, &own_faults, 32), 0);
		assert_int_equal(shoal_files_open(files, t.mi, folder, false, &storage), 0);
		assert_int_equal(write_piece(files, storage, &t, 0, &fault), 0);
		snprintf(from, sizeof from, "%s/n/one.part", folder);
		snprintf(to, sizeof to, "%s/n/elsewhere", folder);
		assert_int_equal(rename(from, to), 0);
		if (!gone)
			own_write(folder, "n/one.part", "somebody's", 10);
		/* What was written is not where its name is: a claim on that name would be false. */
		assert_int_equal(shoal_files_sync(files, storage, list, 1, 0, &seen, &fault), SHOAL_ERR_GONE);
		assert_int_equal(fault.file, 0);
		assert_int_equal(seen.state, SHOAL_SEEN_OTHER);
		/* Told once; then the file is taken as it is now. */
		assert_int_equal(write_piece(files, storage, &t, 1, &fault), 0);
		assert_int_equal(shoal_files_sync(files, storage, list, 1, 0, &seen, &fault), 0);
		assert_int_equal(seen.state, SHOAL_SEEN_PART);
		assert_int_equal(own_read(folder, "n/one.part", NULL, 0), 32 * KIB);
		shoal_files_free(files);
		assert_int_equal(unlink(from), 0);
	}
	own_torrent_free(&t);
}

/* ---- stamps and spans ------------------------------------------------------------------------ */

static void stamps_guard_reads_and_spans(void **state)
{
	(void)state;
	static const struct own_file one[] = { { "one", 100000, false } };
	struct shoal_files *files;
	struct shoal_files_fault fault;
	struct own_torrent t;
	struct shoal_seen seen;
	struct shoal_disk_span span;
	uint32_t storage, list[] = { 0 };
	uint8_t got[16384], want[16384];
	own_torrent_make(&t, OWN_V1, 32 * KIB, "n", one, 1, false);
	for (int old = 0; old < 2; old++) {
		own_faults_old_kernel(old);
		assert_int_equal(shoal_files_new(&files, &own_faults, 32), 0);
		assert_int_equal(shoal_files_open(files, t.mi, folder, false, &storage), 0);
		assert_int_equal(fill(files, storage, &t, &fault), 0);
		assert_int_equal(shoal_files_span(files, storage, 0, 0, 16384, &span), 0); /* no stamp is known */
		assert_int_equal(shoal_files_scan(files, storage, 0, 1, &seen, &fault), 0);
		shoal_files_stamp(files, storage, 0, &seen.stamp);
		assert_int_equal(read_piece(files, storage, &t, 1, SHOAL_FILES_STAMPED, &fault), 0);
		assert_int_equal(shoal_files_span(files, storage, 1, 16384, 16384, &span), 1);
		assert_int_equal(span.offset, 48 * KIB);
		int fd = shoal_files_fd(files, span.file);
		assert_true(fd >= 0);
		assert_int_equal(pread(fd, got, sizeof got, (off_t)span.offset), sizeof got);
		own_piece(&t, 1, 16384, want, sizeof want);
		assert_memory_equal(got, want, sizeof got);
		/* Out of the piece: never. */
		assert_int_equal(shoal_files_span(files, storage, 3, 0, 16384, &span), 0);
		assert_int_equal(shoal_files_span(files, storage, 9, 0, 16384, &span), 0);

		/* A write of ours makes the stamp unknown, an old one set late changes nothing. */
		assert_int_equal(write_piece(files, storage, &t, 2, &fault), 0);
		shoal_files_stamp(files, storage, 0, &seen.stamp);
		assert_int_equal(shoal_files_span(files, storage, 1, 0, 16384, &span), 0);
		assert_int_equal(read_piece(files, storage, &t, 1, SHOAL_FILES_STAMPED, &fault), 0);
		assert_int_equal(shoal_files_sync(files, storage, list, 1, 0, &seen, &fault), 0);
		shoal_files_stamp(files, storage, 0, &seen.stamp);
		assert_int_equal(shoal_files_span(files, storage, 1, 0, 16384, &span), 1);
		shoal_files_unspan(files, span.file);

		/* Somebody else's is seen once the last look is too old. */
		char path[300];
		snprintf(path, sizeof path, "%s/n/one", folder);
		usleep(20000);
		assert_int_equal(chmod(path, 0600), 0);
		usleep(20000);
		assert_int_equal(shoal_files_span(files, storage, 1, 0, 16384, &span), SHOAL_ERR_GONE);
		assert_int_equal(read_piece(files, storage, &t, 1, SHOAL_FILES_STAMPED, &fault), SHOAL_ERR_GONE);
		assert_int_equal(fault.os, ESTALE);
		shoal_files_close(files, storage); /* with a span still out */
		assert_int_equal(pread(fd, got, 1, 0), 1);
		shoal_files_unspan(files, span.file);
		assert_int_equal(shoal_files_open_count(files), 0);
		shoal_files_free(files);
		assert_int_equal(own_faults_open(), 0);
	}
	own_torrent_free(&t);
}

static void spans_ask_the_system_seldom(void **state)
{
	(void)state;
	static const struct own_file one[] = { { "one", 1000000, false } };
	struct shoal_files *files;
	struct shoal_files_fault fault;
	struct own_torrent t;
	struct shoal_seen seen;
	struct shoal_disk_span span;
	uint32_t storage;
	own_torrent_make(&t, OWN_V1, 64 * KIB, "n", one, 1, false);
	assert_int_equal(shoal_files_new(&files, &own_faults, 32), 0);
	assert_int_equal(shoal_files_open(files, t.mi, folder, false, &storage), 0);
	assert_int_equal(fill(files, storage, &t, &fault), 0);
	assert_int_equal(shoal_files_scan(files, storage, 0, 1, &seen, &fault), 0);
	shoal_files_stamp(files, storage, 0, &seen.stamp);
	own_faults_arm(0, 0, 0);
	shoal_us from = shoal_os_real.now(), n = 0;
	for (; n < 1000; n++) {
		assert_int_equal(shoal_files_span(files, storage, (uint32_t)n % 15, 16384, 16384, &span), 1);
		shoal_files_unspan(files, span.file);
	}
	shoal_us ms = (shoal_os_real.now() - from) / 1000 + 1;
	print_message("%u calls for 1000 spans in about %u ms\n", own_faults_calls(), (unsigned)ms);
	assert_true(own_faults_calls() < 10 + ms);
	shoal_files_free(files);
	own_torrent_free(&t);
}

/* ---- descriptors, syncs ------------------------------------------------------------------------ */

static void many_files_share_few_descriptors(void **state)
{
	(void)state;
	static char name[48][32];
	struct own_file many[48];
	for (int i = 0; i < 48; i++) {
		snprintf(name[i], sizeof name[i], "%02d/f", i);
		many[i] = (struct own_file){ name[i], 20000, false };
	}
	struct shoal_files *files;
	struct shoal_files_fault fault;
	struct own_torrent t;
	uint32_t storage[4];
	char below[300];
	own_torrent_make(&t, OWN_V1, 16 * KIB, "n", many, 48, false);
	assert_int_equal(shoal_files_new(&files, &own_faults, 32), 0);
	for (int s = 0; s < 4; s++) { /* four times 16 dirty files are more than 32 */
		snprintf(below, sizeof below, "%s/%d", folder, s);
		assert_int_equal(shoal_files_open(files, t.mi, below, false, &storage[s]), 0);
		for (uint32_t p = 0; p < 18; p++)
			assert_int_equal(write_piece(files, storage[s], &t, p, &fault), 0);
		assert_true(shoal_files_open_count(files) <= 32);
	}
	for (int s = 0; s < 4; s++) {
		own_faults_arm(0, 0, 0);
		assert_int_equal(shoal_files_sync(files, storage[s], NULL, 0, 0, NULL, &fault), 0);
		if (s < 3) /* more folders than are synced one by one, or descriptors that had to go */
			assert_int_equal(own_faults_calls_of("syncfs"), 1);
		assert_int_equal(own_faults_calls_of("syncfs") == 0, own_faults_calls_of("fdatasync") > 0);
		assert_int_equal(fill(files, storage[s], &t, &fault), 0);
		for (uint32_t p = 0; p < t.pieces; p++)
			assert_int_equal(read_piece(files, storage[s], &t, p, 0, &fault), 0);
		shoal_files_close(files, storage[s]);
	}
	assert_int_equal(shoal_files_open_count(files), 0);
	shoal_files_free(files);
	assert_int_equal(own_faults_open(), 0);
	own_torrent_free(&t);
}

static void a_sync_covers_what_was_written_and_no_more(void **state)
{
	(void)state;
	struct shoal_files *files;
	struct shoal_files_fault fault;
	struct own_torrent t;
	struct shoal_seen seen[COUNT(v2_files)];
	uint32_t storage, list[] = { 1, 3 };
	own_torrent_make(&t, OWN_V2, 64 * KIB, "n", v2_files, COUNT(v2_files), false);
	assert_int_equal(shoal_files_new(&files, &own_faults, 32), 0);
	assert_int_equal(shoal_files_open(files, t.mi, folder, false, &storage), 0);
	assert_int_equal(write_piece(files, storage, &t, 1, &fault), 0); /* n/b/c/d */
	own_faults_arm(0, 0, 0);
	assert_int_equal(shoal_files_sync(files, storage, list, 2, 0, seen, &fault), 0);
	assert_int_equal(own_faults_calls_of("fdatasync"), 1);
	/* what the folder lies in, once; the folder (n), n (b), b (c), c (d.part) */
	assert_int_equal(own_faults_calls_of("fsync"), 5);
	assert_int_equal(seen[0].state, SHOAL_SEEN_PART);
	assert_int_equal(seen[1].state, SHOAL_SEEN_NONE);
	own_faults_arm(0, 0, 0);
	assert_int_equal(shoal_files_sync(files, storage, NULL, 0, 0, NULL, &fault), 0);
	assert_int_equal(own_faults_calls_of("fdatasync") + own_faults_calls_of("fsync"), 0);
	assert_int_equal(write_piece(files, storage, &t, 2, &fault), 0);
	own_faults_arm(0, 0, 0);
	assert_int_equal(shoal_files_sync(files, storage, NULL, 0, 0, NULL, &fault), 0);
	assert_int_equal(own_faults_calls_of("fdatasync"), 1);
	assert_int_equal(own_faults_calls_of("fsync"), 0);
	shoal_files_free(files);
	own_torrent_free(&t);
}

static void a_finish_syncs_what_no_sync_has(void **state)
{
	(void)state;
	struct shoal_files *files;
	struct shoal_files_fault fault;
	struct own_torrent t;
	uint32_t storage, list[] = { 0, 5 };
	struct shoal_seen seen[2];
	own_torrent_make(&t, OWN_V2, 64 * KIB, "n", v2_files, COUNT(v2_files), false);
	for (int rewritten = 0; rewritten < 2; rewritten++) {
		uint32_t last = t.pieces - 1;
		assert_int_equal(shoal_files_new(&files, &own_faults, 32), 0);
		assert_int_equal(shoal_files_open(files, t.mi, folder, false, &storage), 0);
		assert_int_equal(write_piece(files, storage, &t, 0, &fault), 0);
		assert_int_equal(write_piece(files, storage, &t, last, &fault), 0);
		assert_int_equal(shoal_files_sync(files, storage, list, 2, 1, seen, &fault), 0);
		assert_int_equal(seen[0].state, SHOAL_SEEN_NONE); /* not looked at: finish() will */
		assert_int_equal(seen[1].state, SHOAL_SEEN_PART);
		if (rewritten)
			assert_int_equal(write_piece(files, storage, &t, last, &fault), 0);
		own_faults_arm(0, 0, 0);
		assert_int_equal(shoal_files_finish(files, storage, list, 2, NULL, seen, &fault), 0);
		assert_int_equal(own_faults_calls_of("fdatasync"), rewritten);
		assert_int_equal(seen[0].state, SHOAL_SEEN_WHOLE);
		assert_int_equal(seen[1].state, SHOAL_SEEN_WHOLE);
		shoal_files_free(files);
		own_folder_end(folder);
		own_folder(folder, sizeof folder);
	}
	own_torrent_free(&t);
}

static void a_failed_sync_is_told_once_and_its_descriptor_goes(void **state)
{
	(void)state;
	struct shoal_files *files;
	struct shoal_files_fault fault;
	struct own_torrent t;
	uint32_t storage, list[] = { 0 };
	struct shoal_seen seen;
	own_torrent_make(&t, OWN_V2, 64 * KIB, "n", v2_files, COUNT(v2_files), false);
	for (int finish = 0; finish < 2; finish++) {
		assert_int_equal(shoal_files_new(&files, &own_faults, 32), 0);
		assert_int_equal(shoal_files_open(files, t.mi, folder, false, &storage), 0);
		assert_int_equal(write_piece(files, storage, &t, 0, &fault), 0);
		own_faults_only("fdatasync");
		own_faults_arm(1, EIO, 0);
		if (finish) { /* it answers for what sync would have answered for: so sync says it too */
			assert_int_equal(shoal_files_finish(files, storage, list, 1, NULL, &seen, &fault),
					 SHOAL_ERR_IO);
			assert_false(own_exists(folder, "n/a")); /* no whole name without whole bytes */
		}
		assert_int_equal(shoal_files_sync(files, storage, NULL, 0, 0, NULL, &fault), SHOAL_ERR_IO);
		assert_int_equal(fault.os, EIO);
		assert_int_equal(fault.file, 0);
		assert_int_equal(own_faults_calls_of("fdatasync"), 1);
		assert_int_equal(shoal_files_open_count(files), 0);
		assert_int_equal(shoal_files_sync(files, storage, NULL, 0, 0, NULL, &fault), 0);
		own_faults_only(NULL);
		shoal_files_free(files);
	}
	assert_int_equal(own_faults_open(), 0);
	own_torrent_free(&t);
}

/* Writers and readers of more files than there are descriptors, syncs among them, spans from the loop's side. */
struct storm {
	struct shoal_files *files;
	const struct own_torrent *t;
	uint32_t storage, number;
	atomic_uint *failures;
	pthread_mutex_t *barrier; /* a sync and the stamps it gave: one at a time, as a swarm does it */
};
enum { STORM_THREADS = 4, STORM_ROUNDS = 6 };

static void *storm_work(void *arg)
{
	struct storm *w = arg;
	struct shoal_files_fault fault;
	struct shoal_seen seen[4];
	for (int round = 0; round < STORM_ROUNDS; round++) {
		/* Each piece has one thread that writes it; neighbours share files. */
		for (uint32_t p = w->number; p < w->t->pieces; p += STORM_THREADS)
			if (write_piece(w->files, w->storage, w->t, p, &fault) < 0)
				atomic_fetch_add(w->failures, 1);
		uint32_t list[4] = { w->number, w->number + 4, w->number + 8, 0 };
		pthread_mutex_lock(w->barrier);
		if (shoal_files_sync(w->files, w->storage, list, 4, 0, seen, &fault) < 0)
			atomic_fetch_add(w->failures, 1);
		for (int i = 0; i < 4; i++)
			shoal_files_stamp(w->files, w->storage, list[i], &seen[i].stamp);
		pthread_mutex_unlock(w->barrier);
		for (uint32_t p = w->number; p < w->t->pieces; p += STORM_THREADS)
			if (read_piece(w->files, w->storage, w->t, p, SHOAL_FILES_STAMPED, &fault) < 0)
				atomic_fetch_add(w->failures, 1);
	}
	return NULL;
}

static void a_storm_of_threads(void **state)
{
	(void)state;
	static char name[48][32];
	struct own_file many[48];
	struct storm w[STORM_THREADS];
	pthread_t thread[STORM_THREADS];
	atomic_uint failures = 0;
	pthread_mutex_t barrier = PTHREAD_MUTEX_INITIALIZER;
	struct shoal_files *files;
	struct own_torrent t;
	struct shoal_disk_span span;
	uint32_t storage, spans = 0;
	for (int i = 0; i < 48; i++) {
		snprintf(name[i], sizeof name[i], "%d/%02d", i / 12, i);
		many[i] = (struct own_file){ name[i], 20000, false };
	}
	own_torrent_make(&t, OWN_V1, 16 * KIB, "n", many, 48, false);
	assert_int_equal(shoal_files_new(&files, &own_faults, 32), 0);
	assert_int_equal(shoal_files_open(files, t.mi, folder, false, &storage), 0);
	for (uint32_t i = 0; i < STORM_THREADS; i++) {
		w[i] = (struct storm){ files, &t, storage, i, &failures, &barrier };
		assert_int_equal(pthread_create(&thread[i], NULL, storm_work, &w[i]), 0);
	}
	for (uint32_t i = 0; i < 20000; i++) {
		int rc = shoal_files_span(files, storage, i % t.pieces, 0, 1000, &span);
		if (rc > 0) {
			assert_true(shoal_files_fd(files, span.file) >= 0);
			shoal_files_unspan(files, span.file);
			spans++;
		}
	}
	for (int i = 0; i < STORM_THREADS; i++)
		pthread_join(thread[i], NULL);
	print_message("%u spans, %u failures\n", spans, atomic_load(&failures));
	/* Our own writes are never taken for somebody else's. */
	assert_int_equal(failures, 0);
	assert_true(shoal_files_open_count(files) <= 32);
	shoal_files_close(files, storage);
	assert_int_equal(shoal_files_open_count(files), 0);
	shoal_files_free(files);
	assert_int_equal(own_faults_open(), 0);
	own_torrent_free(&t);
}

/* Every call in turn fails, once and then for good, in a whole life of a storage. */
static int life(const struct own_torrent *t, bool *wrong)
{
	struct shoal_files *files;
	struct shoal_files_fault fault;
	struct shoal_seen seen[COUNT(v1_files)];
	struct shoal_disk_span span;
	uint32_t storage;
	char below[300];
	int rc, first = 0;
	snprintf(below, sizeof below, "%s/x/y", folder);
	if ((rc = shoal_files_new(&files, &own_faults, 32)) < 0)
		return rc;
	if ((rc = shoal_files_open(files, t->mi, below, false, &storage)) < 0) {
		shoal_files_free(files);
		return rc;
	}
	(void)shoal_files_room(files, storage);
	if ((rc = shoal_files_scan(files, storage, 0, COUNT(v1_files), seen, &fault)) < 0)
		first = rc;
	for (size_t i = 0; rc == 0 && i < COUNT(v1_files); i++)
		if (seen[i].os)
			first = SHOAL_ERR_IO;
	rc = fill(files, storage, t, &fault);
	if (rc < 0 && first == 0)
		first = rc;
	if (rc == 0)
		for (uint32_t f = 0; f < COUNT(v1_files); f++) /* what it says it did, it did */
			if (v1_files[f].size && !v1_files[f].pad) {
				char path[64];
				snprintf(path, sizeof path, "x/y/n/%s", v1_files[f].path);
				if (own_read(folder, path, NULL, 0) != (long)v1_files[f].size)
					*wrong = true;
			}
	for (uint32_t p = 0; p < t->pieces; p++) {
		if (first == 0) /* else there may be holes: zeros, which hashing would find */
			rc = read_piece(files, storage, t, p, SHOAL_FILES_STAMPED, &fault);
		if (rc == 0)
			rc = shoal_files_drop(files, storage, p, &fault);
		if (rc < 0 && first == 0)
			first = rc;
	}
	shoal_files_stamp(files, storage, 0, &seen[0].stamp);
	rc = shoal_files_span(files, storage, 0, 0, 100, &span);
	if (rc > 0)
		shoal_files_unspan(files, span.file);
	if (rc < 0 && first == 0)
		first = rc;
	shoal_files_free(files);
	return first;
}

static void every_call_may_fail(void **state)
{
	(void)state;
	static const int errors[] = { EIO, ENOSPC, EMFILE, EINVAL };
	static const char *const never_quiet[] = { "pwritev", "fdatasync", "fsync", "renameat2", "preadv" };
	struct own_torrent t;
	char rm[300];
	bool wrong = false;
	snprintf(rm, sizeof rm, "%s/x", folder);
	own_torrent_make(&t, OWN_V1, 64 * KIB, "n", v1_files, COUNT(v1_files), false);
	own_faults_arm(0, 0, 0);
	assert_int_equal(life(&t, &wrong), 0);
	unsigned calls = own_faults_calls();
	print_message("%u calls in a life\n", calls);
	own_folder_end(rm);
	for (size_t e = 0; e < COUNT(errors); e++) {
		for (unsigned more = 0; more < 1000; more += 999) {
			for (unsigned n = 1; n <= calls; n++) {
				own_faults_arm(n, errors[e], more);
				int rc = life(&t, &wrong);
				own_faults_arm(0, 0, 0);
				if (own_faults_open() != 0 || wrong)
					fail_msg("call %u errno %d more %u: %d open, rc %d, wrong %d", n, errors[e],
						 more, own_faults_open(), rc, wrong);
				if (own_exists(folder, "x"))
					own_folder_end(rm);
			}
		}
	}
	/* A failure of these is never passed over. */
	for (size_t i = 0; i < COUNT(never_quiet); i++) {
		own_faults_only(never_quiet[i]);
		own_faults_arm(0, 0, 0);
		assert_int_equal(life(&t, &wrong), 0);
		calls = own_faults_calls();
		own_folder_end(rm);
		assert_true(calls > 0);
		for (unsigned n = 1; n <= calls; n++) {
			own_faults_arm(n, EIO, 0);
			if (life(&t, &wrong) != SHOAL_ERR_IO)
				fail_msg("%s %u failed and nobody said so", never_quiet[i], n);
			own_folder_end(rm);
		}
	}
	own_torrent_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_layout_comes_back, setup, teardown),
		cmocka_unit_test_setup_teardown(an_old_kernel_will_do, setup, teardown),
		cmocka_unit_test_setup_teardown(torn_transfers_finish, setup, teardown),
		cmocka_unit_test_setup_teardown(a_single_file_lies_in_the_folder, setup, teardown),
		cmocka_unit_test_setup_teardown(unfinished_names_meet_no_other, setup, teardown),
		cmocka_unit_test_setup_teardown(links_are_not_followed, setup, teardown),
		cmocka_unit_test_setup_teardown(what_lies_there_is_used_and_never_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(a_name_taken_meanwhile_is_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(many_names_are_given_by_several, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_replaced_under_us_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(stamps_guard_reads_and_spans, setup, teardown),
		cmocka_unit_test_setup_teardown(spans_ask_the_system_seldom, setup, teardown),
		cmocka_unit_test_setup_teardown(many_files_share_few_descriptors, setup, teardown),
		cmocka_unit_test_setup_teardown(a_sync_covers_what_was_written_and_no_more, setup, teardown),
		cmocka_unit_test_setup_teardown(a_finish_syncs_what_no_sync_has, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failed_sync_is_told_once_and_its_descriptor_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(a_storm_of_threads, setup, teardown),
		cmocka_unit_test_setup_teardown(every_call_may_fail, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
