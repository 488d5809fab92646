/* test_alloc.c - each allocation fails, one at a time: in the parsers, the store, the files, and two whole engines. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "proto/base/bytes.h"
#include "proto/magnet.h"
#include "swarm/io/files.h"
#include "swarm/io/store_sqlite.h"
#include "tests/fault/heap.h"
#include "tests/fault/pair.h"
#include "tests/unit/own_net.h"

#define PATIENCE_MS 20000
#define CHILDREN 8
#define MAGNET                                                                                                    \
	"magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=a%20name&tr=http%3A%2F%2Ft.example%2Fa&" \
	"tr=udp%3A%2F%2Fu.example%3A80&ws=http%3A%2F%2Fw.example%2F&x.pe=127.0.0.1:80&x.pe=[::1]:81&so=0,2-4"

static struct pair_content content[3]; /* one of each format */

/* Runs work() with each of its allocations failing in turn, and two in a row. work() gives NOMEM (or less exact, < 0) or 0.
 * Returns how many there are. */
static unsigned long each(const char *what, int (*work)(void *arg), void *arg, bool exact)
{
	unsigned long n = 1, total;
	heap_arm(0, 0);
	assert_int_equal(work(arg), 0); /* first of all it has to work; and what is kept for ever is taken here */
	total = heap_calls();
	for (unsigned long more = 0; more < 2; more++) {
		for (n = 1; n <= total; n++) {
			long before = heap_live();
			heap_arm(n, more);
			int rc = work(arg);
			bool fired = heap_fired();
			heap_arm(0, 0);
			if (heap_live() != before)
				fail_msg("%s: %ld blocks are lost when allocation %lu fails", what,
					 heap_live() - before, n);
			if (fired && exact && rc != SHOAL_ERR_NOMEM && rc != 0)
				fail_msg("%s: %d (%s) when allocation %lu fails", what, rc, shoal_err_name(rc), n);
		}
	}
	heap_arm(0, 0);
	assert_int_equal(work(arg), 0); /* nothing stayed broken */
	print_message("%s: %lu allocations\n", what, total);
	return total;
}

/* ---- parsers ------------------------------------------------------------------------------ */

static int parse_torrent(void *arg)
{
	const struct pair_content *c = arg;
	struct shoal_metainfo *mi = NULL;
	struct shoal_metainfo_fault why;
	int rc = shoal_metainfo_parse(&mi, shoal_bytes(c->content.torrent, c->content.torrent_len), &why);
	if (rc == 0)
		shoal_metainfo_free(mi);
	return rc;
}

static int parse_info(void *arg)
{
	const struct pair_content *c = arg;
	struct shoal_metainfo *mi = NULL;
	struct shoal_metainfo_fault why;
	int rc = shoal_metainfo_parse_info(&mi, shoal_metainfo_info(c->content.mi), &why);
	for (uint32_t i = 0; rc == 0 && i < shoal_metainfo_layer_count(mi); i++) {
		uint32_t file = shoal_metainfo_layer_file(mi, i);
		rc = shoal_metainfo_layer_set(mi, file, shoal_metainfo_layer(c->content.mi, file));
	}
	shoal_metainfo_free(mi);
	return rc;
}

static int parse_magnet(void *arg)
{
	struct shoal_magnet m;
	char why[160];
	(void)arg;
	int rc = shoal_magnet_parse(&m, SHOAL_LIT(MAGNET), why);
	if (rc == 0)
		shoal_magnet_fini(&m);
	return rc;
}

static void parsers(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		assert_true(each("a torrent", parse_torrent, &content[i], true) > 2);
		assert_true(each("an info dictionary", parse_info, &content[i], true) > 2);
	}
	assert_true(each("a magnet", parse_magnet, NULL, true) > 3);
}

/* ---- the store ------------------------------------------------------------------------------ */

static void row(void *to, struct shoal_bytes value)
{
	*(size_t *)to = value.len;
}
static int key_row(void *to, struct shoal_bytes key, struct shoal_bytes value)
{
	(void)value;
	*(size_t *)to += key.len;
	return 0;
}

static int use_store(void *arg)
{
	const struct pair_content *c = arg;
	struct shoal_store_options o = { .os = &shoal_os_real, .state = c->state[0] };
	struct shoal_store_sqlite *sqlite = NULL;
	struct shoal_store_done done = { .err = SHOAL_ERR_TIMEOUT };
	char what[160];
	size_t got = 0;
	int rc = shoal_store_sqlite_open(&sqlite, &o, what);
	if (rc < 0)
		return rc;
	struct shoal_store s = shoal_store_sqlite_store(sqlite);
	for (int i = 0; i < 3 && rc == 0; i++) {
		uint8_t key = (uint8_t)i;
		rc = s.ops->put(s.s, SHOAL_STORE_FILE, shoal_bytes(&key, 1), SHOAL_LIT("some bytes"));
	}
	if (rc == 0)
		rc = s.ops->drop(s.s, SHOAL_STORE_FILE, SHOAL_LIT("\2"));
	if (rc == 0 && (rc = s.ops->commit(s.s, 1)) == 0) {
		for (int i = 0; i < 2000 && s.ops->reap(s.s, &done, 1) == 0; i++)
			usleep(1000);
		rc = done.err;
	}
	if (rc == 0)
		rc = s.ops->get(s.s, SHOAL_STORE_FILE, SHOAL_LIT("\1"), row, &got);
	if (rc >= 0)
		rc = s.ops->scan(s.s, SHOAL_STORE_FILE, (struct shoal_bytes){ NULL, 0 }, key_row, &got);
	shoal_store_sqlite_close(sqlite);
	return rc < 0 ? rc : 0;
}

static void store(void **state)
{
	(void)state;
	/* SQLite's own are among them: an error of another name may come of one. */
	heap_sqlite_counts(true);
	assert_true(each("the store", use_store, &content[0], false) > 50);
	heap_sqlite_counts(false);
	pair_content_wipe(&content[0]);
}

/* ---- the files -------------------------------------------------------------------------------- */

static int use_files(void *arg)
{
	struct pair_content *c = arg;
	const struct shoal_metainfo *mi = c->content.mi;
	struct shoal_files_fault fault;
	struct shoal_files *files = NULL;
	static struct shoal_seen seen[16];
	static uint8_t back[32768];
	uint32_t storage, list[16], count = shoal_metainfo_file_count(mi);
	int rc = shoal_files_new(&files, &shoal_os_real, 0);
	if (rc < 0)
		return rc;
	rc = shoal_files_open(files, mi, c->copy, false, &storage);
	if (rc == 0)
		rc = shoal_files_scan(files, storage, 0, count, seen, &fault);
	for (uint32_t p = 0; rc == 0 && p < shoal_metainfo_piece_count(mi); p++) {
		size_t len = shoal_metainfo_piece_bytes(mi, p);
		struct iovec v = { c->stream + (size_t)p * shoal_metainfo_piece_size(mi), len };
		rc = shoal_files_write(files, storage, p, 0, &v, 1, len, &fault);
		v.iov_base = back;
		if (rc == 0)
			rc = shoal_files_read(files, storage, p, 0, &v, 1, len, 0, &fault);
	}
	for (uint32_t f = 0; f < count; f++)
		list[f] = f;
	if (rc == 0)
		rc = shoal_files_sync(files, storage, list, count, 0, seen, &fault);
	if (rc == 0)
		rc = shoal_files_finish(files, storage, list, count, NULL, seen, &fault);
	for (uint32_t f = 0; f < count; f++)
		shoal_files_stamp(files, storage, f, &seen[f].stamp);
	if (rc == 0) {
		struct shoal_disk_span span;
		rc = shoal_files_span(files, storage, 0, 0, 100, &span);
		if (rc > 0)
			shoal_files_unspan(files, span.file);
	}
	shoal_files_free(files);
	return rc < 0 ? rc : 0;
}

static void files(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		assert_true(each("files", use_files, &content[i], true) > 5);
		assert_true(pair_copy_right(&content[i]));
		pair_content_wipe(&content[i]);
		assert_int_equal(use_files(&content[i]), 0);
		pair_content_wipe(&content[i]);
	}
}

/* ---- two engines -------------------------------------------------------------------------------- */

static const char *const end_name[] = { "complete", "refused", "ended", "paused", "nothing" };
struct sums {
	unsigned runs, ends[5], failures;
};

static void run(struct pair_content *c, bool magnet, unsigned long nth, struct sums *sums)
{
	const struct shoal_os_ops *const os[2] = { &shoal_os_real, &shoal_os_real };
	struct pair_result r, again;
	char why[200] = "";
	long before = heap_live();
	heap_arm(nth, nth % 3);
	pair_run(c, os, magnet, PATIENCE_MS, &r);
	bool fired = heap_fired();
	heap_arm(0, 0);
	long lost = heap_live() - before;
	bool right = r.end != PAIR_COMPLETE || pair_copy_right(c);
	bool good = r.end == PAIR_COMPLETE ? right : r.end == PAIR_PAUSED || (r.end != PAIR_NOTHING && r.what[0]);
	bool claims = pair_claims_true(c, why);
	pair_run(c, os, magnet, PATIENCE_MS, &again);
	good = good && claims && lost == 0 && again.end == PAIR_COMPLETE && pair_copy_right(c) &&
	       (fired || r.end == PAIR_COMPLETE);
	sums->runs++;
	sums->ends[r.end]++;
	if (!good) {
		sums->failures++;
		fprintf(stderr,
			"allocation %lu of two engines fails: %s '%s'%s, %ld blocks lost %s; afterwards %s '%s'\n", nth,
			end_name[r.end], r.what, right ? "" : " (a false copy)", lost, why, end_name[again.end],
			again.what);
	}
	pair_content_wipe(c);
}

static void engines_of(enum shoal_format format, bool magnet)
{
	struct pair_content c;
	struct pair_result r;
	struct sums sums = { 0 };
	const struct shoal_os_ops *const os[2] = { &shoal_os_real, &shoal_os_real };
	pid_t child[CHILDREN];
	int pipe_fd[2];
	pair_content_make(&c, format);
	heap_arm(0, 0);
	pair_run(&c, os, magnet, PATIENCE_MS, &r);
	unsigned long total = heap_calls();
	assert_int_equal(r.end, PAIR_COMPLETE);
	pair_content_wipe(&c);
	pair_content_free(&c);
	unsigned long step = getenv("SHOAL_LONG") ? 1 : total / (getenv("SHOAL_SHORT") ? 24 : 120) + 1;
	assert_int_equal(pipe(pipe_fd), 0);
	fflush(NULL);
	for (unsigned i = 0; i < CHILDREN; i++) {
		child[i] = fork();
		assert_true(child[i] >= 0);
		if (child[i] > 0)
			continue;
		struct sums mine = { 0 };
		struct pair_content own;
		pair_content_make(&own, format);
		/* One in each stretch of the run, not always at the same place in it. */
		for (unsigned long n = i * step; n < total; n += CHILDREN * step)
			run(&own, magnet, 1 + n + n * 7919 % step, &mine);
		pair_content_free(&own);
		_exit(write(pipe_fd[1], &mine, sizeof mine) == sizeof mine ? 0 : 1);
	}
	for (unsigned i = 0; i < CHILDREN; i++) {
		struct sums his = { 0 };
		int status = 1;
		assert_true(waitpid(child[i], &status, 0) == child[i]);
		if (status == 0)
			assert_int_equal(read(pipe_fd[0], &his, sizeof his), sizeof his);
		else
			fprintf(stderr, "a process ended with status 0x%x\n", (unsigned)status);
		sums.failures += his.failures + (status != 0);
		sums.runs += his.runs;
		for (unsigned k = 0; k < 5; k++)
			sums.ends[k] += his.ends[k];
	}
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	print_message("%lu allocations, %u runs:", total, sums.runs);
	for (unsigned i = 0; i < 5; i++)
		print_message(" %u %s%s", sums.ends[i], end_name[i], i < 4 ? "," : "; each complete when run again\n");
	assert_int_equal(sums.failures, 0);
}

static void engines_by_torrent(void **state)
{
	(void)state;
	engines_of(SHOAL_FORMAT_HYBRID, false);
}
static void engines_by_magnet(void **state)
{
	(void)state;
	engines_of(SHOAL_FORMAT_V2, true);
}

static int setup(void **state)
{
	static const enum shoal_format formats[] = { SHOAL_FORMAT_V1, SHOAL_FORMAT_V2, SHOAL_FORMAT_HYBRID };
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		pair_content_make(&content[i], formats[i]);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		pair_content_free(&content[i]);
	return 0;
}

int main(void)
{
	own_net();
	heap_sqlite();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parsers),
		cmocka_unit_test(store),
		cmocka_unit_test(files),
		cmocka_unit_test(engines_by_torrent),
		cmocka_unit_test(engines_by_magnet),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
