/* test_files.c - real files in a folder of the test's own: layouts, names, a storm of threads, and each OS call failing. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "swarm/io/files.h"
#include "tests/unit/own_files.h"
#include "tests/unit/own_place.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define KIB 1024u
#define COUNT(a) (sizeof(a) / sizeof *(a))

static const struct layout {
	enum own_format format;
	uint32_t piece_size;
	const struct own_file *file;
	size_t count;
} layouts[] = {
	{ OWN_V1, 16 * KIB, own_v1_files, COUNT(own_v1_files) },
	{ OWN_V1, 64 * KIB, own_v1_files, COUNT(own_v1_files) },
	{ OWN_V1, 1024 * KIB, own_v1_files, COUNT(own_v1_files) },
	{ OWN_V2, 16 * KIB, own_v2_files, COUNT(own_v2_files) },
	{ OWN_V2, 64 * KIB, own_v2_files, COUNT(own_v2_files) },
	{ OWN_HYBRID, 32 * KIB, own_v2_files, COUNT(own_v2_files) },
};

static void round_trip(const struct layout *l, const char *name)
{
	struct shoal_files *files;
	struct shoal_files_fault fault;
	struct own_torrent t;
	uint32_t storage;
	char below[300];
	own_torrent_make(&t, l->format, l->piece_size, name, l->file, l->count, false);
	snprintf(below, sizeof below, "%s/new/er", own_place);
	assert_int_equal(shoal_files_new(&files, &own_faults, 32), 0);
	assert_int_equal(shoal_files_open(files, t.mi, below, false, &storage), 0);
	assert_true(shoal_files_room(files, storage) > 0);
	assert_int_equal(own_read_piece(files, storage, &t, 0, 0, &fault), SHOAL_ERR_GONE);
	assert_false(own_exists(own_place, "new")); /* looking creates nothing */
	assert_int_equal(own_write_piece(files, storage, &t, 0, &fault), 0);
	char part[SHOAL_FILES_PATH_MAX];
	assert_int_equal(shoal_files_part_path(files, storage, 0, part), 0);
	assert_true(own_exists(below, part));
	assert_int_equal(own_fill(files, storage, &t, &fault), 0);
	assert_false(own_exists(below, part));
	for (uint32_t p = 0; p < t.pieces; p++)
		assert_int_equal(own_read_piece(files, storage, &t, p, 0, &fault), 0);
	shoal_files_close(files, storage);
	assert_int_equal(shoal_files_open_count(files), 0);

	/* Again, as a seed: nothing may be written. */
	assert_int_equal(shoal_files_open(files, t.mi, below, true, &storage), 0);
	for (uint32_t p = 0; p < t.pieces; p++) {
		assert_int_equal(own_read_piece(files, storage, &t, p, 0, &fault), 0);
		assert_int_equal(shoal_files_drop(files, storage, p, &fault), 0);
		assert_int_equal(own_read_piece(files, storage, &t, p, 0, &fault), 0);
	}
	assert_int_equal(own_write_piece(files, storage, &t, 0, &fault), SHOAL_ERR_DENIED);
	assert_int_equal(fault.os, EROFS);
	shoal_files_free(files);
	assert_int_equal(own_faults_open(), 0);
	snprintf(below, sizeof below, "new/er/%s", name);
	own_check_whole(l->file, l->count, below);
	own_torrent_free(&t);
}

static void every_layout_comes_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(layouts); i++) {
		char name[32];
		snprintf(name, sizeof name, "t%zu", i);
		round_trip(&layouts[i], name);
		own_place_clear("new");
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
		assert_int_equal(shoal_files_open(files, t.mi, own_place, false, &storage), 0);
		assert_int_equal(own_write_piece(files, storage, &t, 1, &fault), 0);
		assert_true(own_exists(own_place, "movie.part"));
		assert_int_equal(own_read(own_place, "movie.part", NULL, 0), 128 * KIB); /* sparse, never grown */
		assert_int_equal(own_fill(files, storage, &t, &fault), 0);
		assert_int_equal(own_read(own_place, "movie", NULL, 0), 300000);
		shoal_files_free(files);
		own_torrent_free(&t);
		char path[300];
		snprintf(path, sizeof path, "%s/movie", own_place);
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
	assert_int_equal(shoal_files_open(files, t.mi, own_place, false, &storage), 0);
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
	assert_int_equal(own_fill(files, storage, &t, &fault), 0);
	for (uint32_t p = 0; p < t.pieces; p++)
		assert_int_equal(own_read_piece(files, storage, &t, p, 0, &fault), 0);
	shoal_files_free(files);
	own_check_whole(files_in, COUNT(files_in), "n");
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
			if (own_write_piece(w->files, w->storage, w->t, p, &fault) < 0)
				atomic_fetch_add(w->failures, 1);
		uint32_t list[4] = { w->number, w->number + 4, w->number + 8, 0 };
		pthread_mutex_lock(w->barrier);
		if (shoal_files_sync(w->files, w->storage, list, 4, 0, seen, &fault) < 0)
			atomic_fetch_add(w->failures, 1);
		for (int i = 0; i < 4; i++)
			shoal_files_stamp(w->files, w->storage, list[i], &seen[i].stamp);
		pthread_mutex_unlock(w->barrier);
		for (uint32_t p = w->number; p < w->t->pieces; p += STORM_THREADS)
			if (own_read_piece(w->files, w->storage, w->t, p, SHOAL_FILES_STAMPED, &fault) < 0)
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
	assert_int_equal(shoal_files_open(files, t.mi, own_place, false, &storage), 0);
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
	struct shoal_seen seen[COUNT(own_v1_files)];
	struct shoal_disk_span span;
	uint32_t storage;
	char below[300];
	int rc, first = 0;
	snprintf(below, sizeof below, "%s/x/y", own_place);
	if ((rc = shoal_files_new(&files, &own_faults, 32)) < 0)
		return rc;
	if ((rc = shoal_files_open(files, t->mi, below, false, &storage)) < 0) {
		shoal_files_free(files);
		return rc;
	}
	(void)shoal_files_room(files, storage);
	if ((rc = shoal_files_scan(files, storage, 0, COUNT(own_v1_files), seen, &fault)) < 0)
		first = rc;
	for (size_t i = 0; rc == 0 && i < COUNT(own_v1_files); i++)
		if (seen[i].os)
			first = SHOAL_ERR_IO;
	rc = own_fill(files, storage, t, &fault);
	if (rc < 0 && first == 0)
		first = rc;
	if (rc == 0)
		for (uint32_t f = 0; f < COUNT(own_v1_files); f++) /* what it says it did, it did */
			if (own_v1_files[f].size && !own_v1_files[f].pad) {
				char path[64];
				snprintf(path, sizeof path, "x/y/n/%s", own_v1_files[f].path);
				if (own_read(own_place, path, NULL, 0) != (long)own_v1_files[f].size)
					*wrong = true;
			}
	for (uint32_t p = 0; p < t->pieces; p++) {
		if (first == 0) /* else there may be holes: zeros, which hashing would find */
			rc = own_read_piece(files, storage, t, p, SHOAL_FILES_STAMPED, &fault);
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
	bool wrong = false;
	own_torrent_make(&t, OWN_V1, 64 * KIB, "n", own_v1_files, COUNT(own_v1_files), false);
	own_faults_arm(0, 0, 0);
	assert_int_equal(life(&t, &wrong), 0);
	unsigned calls = own_faults_calls();
	print_message("%u calls in a life\n", calls);
	own_place_clear("x");
	for (size_t e = 0; e < COUNT(errors); e++) {
		for (unsigned more = 0; more < 1000; more += 999) {
			for (unsigned n = 1; n <= calls; n++) {
				own_faults_arm(n, errors[e], more);
				int rc = life(&t, &wrong);
				own_faults_arm(0, 0, 0);
				if (own_faults_open() != 0 || wrong)
					fail_msg("call %u errno %d more %u: %d open, rc %d, wrong %d", n, errors[e],
						 more, own_faults_open(), rc, wrong);
				if (own_exists(own_place, "x"))
					own_place_clear("x");
			}
		}
	}
	/* A failure of these is never passed over. */
	for (size_t i = 0; i < COUNT(never_quiet); i++) {
		own_faults_only(never_quiet[i]);
		own_faults_arm(0, 0, 0);
		assert_int_equal(life(&t, &wrong), 0);
		calls = own_faults_calls();
		own_place_clear("x");
		assert_true(calls > 0);
		for (unsigned n = 1; n <= calls; n++) {
			own_faults_arm(n, EIO, 0);
			if (life(&t, &wrong) != SHOAL_ERR_IO)
				fail_msg("%s %u failed and nobody said so", never_quiet[i], n);
			own_place_clear("x");
		}
	}
	own_torrent_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		own_place_test(every_layout_comes_back),
		own_place_test(an_old_kernel_will_do),
		own_place_test(torn_transfers_finish),
		own_place_test(a_single_file_lies_in_the_folder),
		own_place_test(unfinished_names_meet_no_other),
		own_place_test(a_storm_of_threads),
		own_place_test(every_call_may_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
