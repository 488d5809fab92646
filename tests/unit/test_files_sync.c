/* test_files_sync.c - few descriptors for many files, what a sync covers, and final names. */
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
#include <stdio.h>
#include <unistd.h>

#define KIB 1024u
#define COUNT(a) (sizeof(a) / sizeof *(a))

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
		snprintf(below, sizeof below, "%s/%d", own_place, s);
		assert_int_equal(shoal_files_open(files, t.mi, below, false, &storage[s]), 0);
		for (uint32_t p = 0; p < 18; p++)
			assert_int_equal(own_write_piece(files, storage[s], &t, p, &fault), 0);
		assert_true(shoal_files_open_count(files) <= 32);
	}
	for (int s = 0; s < 4; s++) {
		own_faults_arm(0, 0, 0);
		assert_int_equal(shoal_files_sync(files, storage[s], NULL, 0, 0, NULL, &fault), 0);
		if (s < 3) /* more folders than are synced one by one, or descriptors that had to go */
			assert_int_equal(own_faults_calls_of("syncfs"), 1);
		assert_int_equal(own_faults_calls_of("syncfs") == 0, own_faults_calls_of("fdatasync") > 0);
		assert_int_equal(own_fill(files, storage[s], &t, &fault), 0);
		for (uint32_t p = 0; p < t.pieces; p++)
			assert_int_equal(own_read_piece(files, storage[s], &t, p, 0, &fault), 0);
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
	struct shoal_seen seen[COUNT(own_v2_files)];
	uint32_t storage, list[] = { 1, 3 };
	own_torrent_make(&t, OWN_V2, 64 * KIB, "n", own_v2_files, COUNT(own_v2_files), false);
	assert_int_equal(shoal_files_new(&files, &own_faults, 32), 0);
	assert_int_equal(shoal_files_open(files, t.mi, own_place, false, &storage), 0);
	assert_int_equal(own_write_piece(files, storage, &t, 1, &fault), 0); /* n/b/c/d */
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
	assert_int_equal(own_write_piece(files, storage, &t, 2, &fault), 0);
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
	own_torrent_make(&t, OWN_V2, 64 * KIB, "n", own_v2_files, COUNT(own_v2_files), false);
	for (int rewritten = 0; rewritten < 2; rewritten++) {
		uint32_t last = t.pieces - 1;
		assert_int_equal(shoal_files_new(&files, &own_faults, 32), 0);
		assert_int_equal(shoal_files_open(files, t.mi, own_place, false, &storage), 0);
		assert_int_equal(own_write_piece(files, storage, &t, 0, &fault), 0);
		assert_int_equal(own_write_piece(files, storage, &t, last, &fault), 0);
		assert_int_equal(shoal_files_sync(files, storage, list, 2, 1, seen, &fault), 0);
		assert_int_equal(seen[0].state, SHOAL_SEEN_NONE); /* not looked at: finish() will */
		assert_int_equal(seen[1].state, SHOAL_SEEN_PART);
		if (rewritten)
			assert_int_equal(own_write_piece(files, storage, &t, last, &fault), 0);
		own_faults_arm(0, 0, 0);
		assert_int_equal(shoal_files_finish(files, storage, list, 2, NULL, seen, &fault), 0);
		assert_int_equal(own_faults_calls_of("fdatasync"), rewritten);
		assert_int_equal(seen[0].state, SHOAL_SEEN_WHOLE);
		assert_int_equal(seen[1].state, SHOAL_SEEN_WHOLE);
		shoal_files_free(files);
		own_folder_end(own_place);
		own_folder(own_place, sizeof own_place);
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
	own_torrent_make(&t, OWN_V2, 64 * KIB, "n", own_v2_files, COUNT(own_v2_files), false);
	for (int finish = 0; finish < 2; finish++) {
		assert_int_equal(shoal_files_new(&files, &own_faults, 32), 0);
		assert_int_equal(shoal_files_open(files, t.mi, own_place, false, &storage), 0);
		assert_int_equal(own_write_piece(files, storage, &t, 0, &fault), 0);
		own_faults_only("fdatasync");
		own_faults_arm(1, EIO, 0);
		if (finish) { /* it answers for what sync would have answered for: so sync says it too */
			assert_int_equal(shoal_files_finish(files, storage, list, 1, NULL, &seen, &fault),
					 SHOAL_ERR_IO);
			assert_false(own_exists(own_place, "n/a")); /* no whole name without whole bytes */
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
		assert_int_equal(shoal_files_open(files, t.mi, own_place, false, &storage), 0);
		for (uint32_t p = 0; p < t.pieces; p++)
			assert_int_equal(own_write_piece(files, storage, &t, p, &fault), 0);
		for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
			char path[64];
			snprintf(path, sizeof path, "n/%s", name[taken[i]]);
			own_write(own_place, path, "junk", 4);
		}
		if (lost) {
			char path[400];
			snprintf(path, sizeof path, "%s/n/%s.part", own_place, name[200]);
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
		own_place_clear("n");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		own_place_test(many_names_are_given_by_several),
		own_place_test(many_files_share_few_descriptors),
		own_place_test(a_sync_covers_what_was_written_and_no_more),
		own_place_test(a_finish_syncs_what_no_sync_has),
		own_place_test(a_failed_sync_is_told_once_and_its_descriptor_goes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
