/* test_files_others.c - folders that others have had their hands in: links, names that are taken, files replaced, stamps. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "swarm/io/files.h"
#include "tests/unit/own_files.h"
#include "tests/unit/own_place.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KIB 1024u
#define COUNT(a) (sizeof(a) / sizeof *(a))

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
			own_torrent_make(&t, OWN_V2, 64 * KIB, "n", own_v2_files, COUNT(own_v2_files), false);
			snprintf(path, sizeof path, "%s/n", own_place);
			if (kind == 0) { /* the torrent's folder leads out */
				assert_int_equal(symlink(outside, path), 0);
			} else {
				assert_int_equal(mkdir(path, 0777), 0);
				snprintf(path, sizeof path, "%s/n/b", own_place);
				if (kind == 1) { /* a folder within does */
					assert_int_equal(symlink(outside, path), 0);
				} else {
					char target[600];
					assert_int_equal(mkdir(path, 0777), 0);
					snprintf(path, sizeof path, "%s/n/b/c", own_place);
					assert_int_equal(mkdir(path, 0777), 0);
					snprintf(target, sizeof target, "%s/d", outside);
					snprintf(path, sizeof path, "%s/n/b/c/%s", own_place,
						 kind == 3 ? "d.part" : "d");
					if (kind == 4) /* not a link, but nothing to write to */
						assert_int_equal(mkfifo(path, 0666), 0);
					else
						assert_int_equal(symlink(target, path), 0);
				}
			}
			assert_int_equal(shoal_files_new(&files, &own_faults, 32), 0);
			assert_int_equal(shoal_files_open(files, t.mi, own_place, false, &storage), 0);
			uint32_t piece = 1; /* of b/c/d */
			int rc = own_write_piece(files, storage, &t, piece, &fault);
			print_message("kind %d old %d: %d\n", kind, old, rc);
			assert_true(rc == SHOAL_ERR_DENIED || rc == SHOAL_ERR_EXISTS);
			assert_int_equal(fault.file, 1);
			assert_true(own_read_piece(files, storage, &t, piece, 0, &fault) < 0);
			struct shoal_seen seen[COUNT(own_v2_files)];
			assert_int_equal(shoal_files_scan(files, storage, 0, COUNT(own_v2_files), seen, &fault), 0);
			assert_int_equal(seen[1].state, SHOAL_SEEN_OTHER);
			shoal_files_free(files);
			own_torrent_free(&t);
			snprintf(path, sizeof path, "%s/n", own_place);
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
	own_write(own_place, "n/long", buf, 30000);
	own_write(own_place, "n/short", buf, 100);
	own_torrent_make(&t, OWN_V2, 32 * KIB, "n", two, 2, false);
	assert_int_equal(shoal_files_new(&files, &own_faults, 32), 0);
	assert_int_equal(shoal_files_open(files, t.mi, own_place, false, &storage), 0);
	assert_int_equal(shoal_files_scan(files, storage, 0, 2, seen, &fault), 0);
	assert_int_equal(seen[0].state, SHOAL_SEEN_WHOLE);
	assert_int_equal(seen[0].stamp.size, 30000);
	assert_int_equal(seen[1].state, SHOAL_SEEN_WHOLE);
	assert_int_equal(seen[1].stamp.size, 100);
	struct iovec v = { got, 20000 };
	assert_int_equal(shoal_files_read(files, storage, 1, 0, &v, 1, 20000, 0, &fault), SHOAL_ERR_GONE); /* short */
	assert_int_equal(fault.file, 1);
	assert_int_equal(own_fill(files, storage, &t, &fault), 0);
	assert_int_equal(shoal_files_finish(files, storage, list, 2, NULL, seen, &fault), 0);
	assert_int_equal(seen[0].stamp.size, 30000); /* its tail is somebody's bytes */
	assert_int_equal(own_read(own_place, "n/long", got, sizeof got), 30000);
	assert_memory_equal(got + 20000, buf, 10000);
	assert_int_equal(own_read(own_place, "n/short", got, sizeof got), 20000);
	assert_false(own_exists(own_place, "n/long.part"));
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
	assert_int_equal(shoal_files_open(files, t.mi, own_place, false, &storage), 0);
	assert_int_equal(own_write_piece(files, storage, &t, 0, &fault), 0);
	assert_int_equal(own_write_piece(files, storage, &t, 1, &fault), 0);
	own_write(own_place, "n/one", junk, 20000); /* of the right size even */
	assert_int_equal(shoal_files_finish(files, storage, list, 2, NULL, seen, &fault), SHOAL_ERR_EXISTS);
	assert_int_equal(fault.file, 0);
	assert_int_equal(seen[0].state, SHOAL_SEEN_PART);
	assert_int_equal(seen[1].state, SHOAL_SEEN_WHOLE); /* the others are finished all the same */
	assert_int_equal(own_read(own_place, "n/one", got, sizeof got), 20000);
	assert_memory_equal(got, junk, 20000);
	assert_int_equal(own_read_piece(files, storage, &t, 0, 0, &fault), 0); /* ours is still ours */
	shoal_files_free(files);
	own_torrent_free(&t);
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
		assert_int_equal(shoal_files_open(files, t.mi, own_place, false, &storage), 0);
		assert_int_equal(own_write_piece(files, storage, &t, 0, &fault), 0);
		snprintf(from, sizeof from, "%s/n/one.part", own_place);
		snprintf(to, sizeof to, "%s/n/elsewhere", own_place);
		assert_int_equal(rename(from, to), 0);
		if (!gone)
			own_write(own_place, "n/one.part", "somebody's", 10);
		/* What was written is not where its name is: a claim on that name would be false. */
		assert_int_equal(shoal_files_sync(files, storage, list, 1, 0, &seen, &fault), SHOAL_ERR_GONE);
		assert_int_equal(fault.file, 0);
		assert_int_equal(seen.state, SHOAL_SEEN_OTHER);
		/* Told once; then the file is taken as it is now. */
		assert_int_equal(own_write_piece(files, storage, &t, 1, &fault), 0);
		assert_int_equal(shoal_files_sync(files, storage, list, 1, 0, &seen, &fault), 0);
		assert_int_equal(seen.state, SHOAL_SEEN_PART);
		assert_int_equal(own_read(own_place, "n/one.part", NULL, 0), 32 * KIB);
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
		assert_int_equal(shoal_files_open(files, t.mi, own_place, false, &storage), 0);
		assert_int_equal(own_fill(files, storage, &t, &fault), 0);
		assert_int_equal(shoal_files_span(files, storage, 0, 0, 16384, &span), 0); /* no stamp is known */
		assert_int_equal(shoal_files_scan(files, storage, 0, 1, &seen, &fault), 0);
		shoal_files_stamp(files, storage, 0, &seen.stamp);
		assert_int_equal(own_read_piece(files, storage, &t, 1, SHOAL_FILES_STAMPED, &fault), 0);
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
		assert_int_equal(own_write_piece(files, storage, &t, 2, &fault), 0);
		shoal_files_stamp(files, storage, 0, &seen.stamp);
		assert_int_equal(shoal_files_span(files, storage, 1, 0, 16384, &span), 0);
		assert_int_equal(own_read_piece(files, storage, &t, 1, SHOAL_FILES_STAMPED, &fault), 0);
		assert_int_equal(shoal_files_sync(files, storage, list, 1, 0, &seen, &fault), 0);
		shoal_files_stamp(files, storage, 0, &seen.stamp);
		assert_int_equal(shoal_files_span(files, storage, 1, 0, 16384, &span), 1);
		shoal_files_unspan(files, span.file);

		/* Somebody else's is seen once the last look is too old. */
		char path[300];
		snprintf(path, sizeof path, "%s/n/one", own_place);
		usleep(20000);
		assert_int_equal(chmod(path, 0600), 0);
		usleep(20000);
		assert_int_equal(shoal_files_span(files, storage, 1, 0, 16384, &span), SHOAL_ERR_GONE);
		assert_int_equal(own_read_piece(files, storage, &t, 1, SHOAL_FILES_STAMPED, &fault), SHOAL_ERR_GONE);
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
	assert_int_equal(shoal_files_open(files, t.mi, own_place, false, &storage), 0);
	assert_int_equal(own_fill(files, storage, &t, &fault), 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		own_place_test(links_are_not_followed),		own_place_test(what_lies_there_is_used_and_never_cut),
		own_place_test(a_name_taken_meanwhile_is_kept), own_place_test(a_file_replaced_under_us_is_told),
		own_place_test(stamps_guard_reads_and_spans),	own_place_test(spans_ask_the_system_seldom),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
