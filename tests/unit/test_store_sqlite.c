/* test_store_sqlite.c - what was committed is there, whole and in order: after closes, cuts, full disks, damage, and next to others. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "swarm/io/store_schema.h"
#include "swarm/io/store_sqlite.h"
#include "tests/unit/own_faults.h"
#include "tests/unit/own_torn_vfs.h"
#include "tests/unit/own_torrent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[256], state_dir[300], db_path[320];

static int setup(void **state)
{
	(void)state;
	own_faults_arm(0, 0, 0);
	own_faults_only(NULL);
	own_torn_begin();
	own_folder(folder, sizeof folder);
	snprintf(state_dir, sizeof state_dir, "%s/state", folder);
	snprintf(db_path, sizeof db_path, "%s/shoal.db", state_dir);
	return 0;
}
static int teardown(void **state)
{
	(void)state;
	own_folder_end(folder);
	return 0;
}

static struct shoal_store_sqlite *opened_with(const char *vfs, const char *want_what)
{
	struct shoal_store_sqlite *s = NULL;
	struct shoal_store_options options = { .os = &own_faults, .state = state_dir, .vfs = vfs };
	char what[160];
	int rc = shoal_store_sqlite_open(&s, &options, what);
	if (rc < 0)
		fail_msg("store: %d %s", rc, what);
	if (want_what)
		assert_non_null(strstr(what, want_what));
	else
		assert_string_equal(what, "");
	return s;
}
static struct shoal_store_sqlite *opened(void)
{
	return opened_with(NULL, NULL);
}

static int reap_one(struct shoal_store_sqlite *s, uint64_t *cookie)
{
	struct shoal_store st = shoal_store_sqlite_store(s);
	struct shoal_store_done done;
	struct pollfd p = { .fd = shoal_store_sqlite_fd(s), .events = POLLIN };
	if (poll(&p, 1, 20000) != 1)
		fail_msg("the store hangs");
	assert_int_equal(st.ops->reap(st.s, &done, 1), 1);
	*cookie = done.cookie;
	return done.err;
}
static int commit(struct shoal_store_sqlite *s, uint64_t cookie)
{
	struct shoal_store st = shoal_store_sqlite_store(s);
	uint64_t got;
	assert_int_equal(st.ops->commit(st.s, cookie), 0);
	int err = reap_one(s, &got);
	assert_int_equal(got, cookie);
	return err;
}
static void put(struct shoal_store_sqlite *s, unsigned kind, const char *key, const char *value)
{
	struct shoal_store st = shoal_store_sqlite_store(s);
	assert_int_equal(st.ops->put(st.s, kind, shoal_bytes(key, strlen(key)), shoal_bytes(value, strlen(value))), 0);
}
static void drop(struct shoal_store_sqlite *s, unsigned kind, const char *key)
{
	struct shoal_store st = shoal_store_sqlite_store(s);
	assert_int_equal(st.ops->drop(st.s, kind, shoal_bytes(key, strlen(key))), 0);
}

struct got {
	char text[4000];
	int rows, stop_after;
};
static void on_value(void *to, struct shoal_bytes value)
{
	struct got *g = to;
	assert_true(value.len < sizeof g->text);
	if (value.len)
		memcpy(g->text, value.at, value.len);
	g->text[value.len] = '\0';
}
static int on_row(void *to, struct shoal_bytes key, struct shoal_bytes value)
{
	struct got *g = to;
	size_t at = strlen(g->text);
	snprintf(g->text + at, sizeof g->text - at, "%.*s=%.*s ", (int)key.len, (const char *)key.at, (int)value.len,
		 (const char *)value.at);
	return ++g->rows == g->stop_after;
}
static const char *get(struct shoal_store_sqlite *s, unsigned kind, const char *key)
{
	static struct got g;
	struct shoal_store st = shoal_store_sqlite_store(s);
	int rc = st.ops->get(st.s, kind, shoal_bytes(key, strlen(key)), on_value, &g);
	assert_true(rc >= 0);
	return rc ? g.text : NULL;
}
static const char *scan(struct shoal_store_sqlite *s, unsigned kind, const char *prefix, int stop_after)
{
	static struct got g;
	struct shoal_store st = shoal_store_sqlite_store(s);
	g = (struct got){ .stop_after = stop_after };
	assert_int_equal(st.ops->scan(st.s, kind, shoal_bytes(prefix, strlen(prefix)), on_row, &g), 0);
	return g.text;
}

static void records_come_back(void **state)
{
	(void)state;
	struct stat st;
	struct shoal_store_sqlite *s = opened();
	assert_null(get(s, SHOAL_STORE_FILE, "a"));
	put(s, SHOAL_STORE_FILE, "a", "one");
	put(s, SHOAL_STORE_FILE, "", "no key");
	put(s, SHOAL_STORE_TORRENT, "a", "other kind");
	put(s, SHOAL_STORE_FILE, "b", "");
	assert_null(get(s, SHOAL_STORE_FILE, "a")); /* not committed, not seen */
	assert_int_equal(commit(s, 7), 0);
	assert_string_equal(get(s, SHOAL_STORE_FILE, "a"), "one");
	assert_string_equal(get(s, SHOAL_STORE_FILE, ""), "no key");
	assert_string_equal(get(s, SHOAL_STORE_FILE, "b"), "");
	assert_string_equal(get(s, SHOAL_STORE_TORRENT, "a"), "other kind");
	put(s, SHOAL_STORE_FILE, "a", "two");
	put(s, SHOAL_STORE_FILE, "a", "three"); /* the last of a batch holds */
	drop(s, SHOAL_STORE_FILE, "b");
	drop(s, SHOAL_STORE_FILE, "never was");
	drop(s, SHOAL_STORE_FILE,
	     "back"); /* records of a batch are written in the order of keys; those of one key in theirs */
	put(s, SHOAL_STORE_FILE, "bac", "a shorter key");
	put(s, SHOAL_STORE_FILE, "gone", "for a moment");
	put(s, SHOAL_STORE_FILE, "back", "again");
	drop(s, SHOAL_STORE_FILE, "gone");
	assert_int_equal(commit(s, 8), 0);
	put(s, SHOAL_STORE_FILE, "lost", "no commit follows");
	shoal_store_sqlite_close(s);
	assert_int_equal(stat(state_dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(stat(db_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_false(own_exists(state_dir, "shoal.db-wal"));

	s = opened();
	assert_string_equal(get(s, SHOAL_STORE_FILE, "a"), "three");
	assert_null(get(s, SHOAL_STORE_FILE, "b"));
	assert_null(get(s, SHOAL_STORE_FILE, "lost"));
	assert_null(get(s, SHOAL_STORE_FILE, "gone"));
	assert_string_equal(get(s, SHOAL_STORE_FILE, "back"), "again");
	assert_string_equal(get(s, SHOAL_STORE_FILE, "bac"), "a shorter key");
	assert_int_equal(commit(s, 9), 0); /* an empty one is answered too */
	shoal_store_sqlite_close(s);
	assert_int_equal(own_faults_open(), 0);
}

static void what_is_held_is_of_one_moment(void **state)
{
	(void)state;
	struct shoal_store_sqlite *s = opened();
	struct shoal_store st = shoal_store_sqlite_store(s);
	put(s, SHOAL_STORE_FILE, "a", "before");
	assert_int_equal(commit(s, 1), 0);
	st.ops->hold(st.s, true);
	assert_string_equal(get(s, SHOAL_STORE_FILE, "a"), "before");
	put(s, SHOAL_STORE_FILE, "a", "after");
	put(s, SHOAL_STORE_FILE, "b", "new");
	assert_int_equal(commit(s, 2), 0); /* nobody is kept from writing */
	assert_string_equal(get(s, SHOAL_STORE_FILE, "a"), "before");
	assert_string_equal(scan(s, SHOAL_STORE_FILE, "", 0), "a=before ");
	st.ops->hold(st.s, true); /* once more changes nothing */
	assert_null(get(s, SHOAL_STORE_FILE, "b"));
	st.ops->hold(st.s, false);
	assert_string_equal(get(s, SHOAL_STORE_FILE, "a"), "after");
	assert_string_equal(get(s, SHOAL_STORE_FILE, "b"), "new");
	st.ops->hold(st.s, false);
	assert_string_equal(get(s, SHOAL_STORE_FILE, "a"), "after");
	shoal_store_sqlite_close(s);
	assert_int_equal(own_faults_open(), 0);
}

static void scans_are_in_order_and_by_prefix(void **state)
{
	(void)state;
	struct shoal_store_sqlite *s = opened();
	static const char *const keys[] = { "b", "a", "ab", "aa", "b\xff", "b\xff\xff", "c", "\xff", "\xff\xff" };
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		put(s, 1, keys[i], "v");
	put(s, 2, "ax", "w");
	assert_int_equal(commit(s, 1), 0);
	assert_string_equal(scan(s, 1, "a", 0), "a=v aa=v ab=v ");
	assert_string_equal(scan(s, 1, "b\xff", 0), "b\xff=v b\xff\xff=v ");
	assert_string_equal(scan(s, 1, "\xff", 0), "\xff=v \xff\xff=v ");
	assert_string_equal(scan(s, 1, "", 2), "a=v aa=v ");
	assert_string_equal(scan(s, 1, "x", 0), "");
	assert_string_equal(scan(s, 2, "", 0), "ax=w ");
	assert_string_equal(scan(s, 3, "", 0), "");
	shoal_store_sqlite_close(s);
}

static void limits_hold(void **state)
{
	(void)state;
	struct shoal_store_sqlite *s = opened();
	struct shoal_store st = shoal_store_sqlite_store(s);
	uint8_t key[SHOAL_STORE_KEY_MAX + 1] = { 0 };
	uint8_t *big = calloc(1, 1 << 20);
	uint64_t cookie;
	assert_non_null(big);
	assert_int_equal(st.ops->put(st.s, 1, shoal_bytes(key, sizeof key), shoal_bytes(NULL, 0)), SHOAL_ERR_RANGE);
	assert_int_equal(st.ops->put(st.s, 1, shoal_bytes(key, 4), shoal_bytes(big, SHOAL_STORE_VALUE_MAX + 1)),
			 SHOAL_ERR_RANGE);
	assert_int_equal(st.ops->get(st.s, 1, shoal_bytes(key, sizeof key), on_value, NULL), SHOAL_ERR_RANGE);
	assert_int_equal(st.ops->put(st.s, 1, shoal_bytes(key, sizeof key - 1), shoal_bytes(big, 1 << 20)), 0);
	unsigned n = 0, puts = 0;
	while (st.ops->put(st.s, 1, shoal_bytes(key, 1), shoal_bytes(big, 1 << 20)) == 0)
		assert_true(++puts < 300);
	assert_int_equal(st.ops->put(st.s, 1, shoal_bytes(key, 1), shoal_bytes(big, 1 << 20)), SHOAL_ERR_BUSY);
	assert_int_equal(commit(s, 0), 0);
	assert_int_equal(st.ops->put(st.s, 1, shoal_bytes(key, 1), shoal_bytes(big, 1 << 20)), 0); /* room again */
	while (n < SHOAL_STORE_COMMITS_MAX && st.ops->commit(st.s, n) == 0)
		n++;
	assert_int_equal(n, SHOAL_STORE_COMMITS_MAX);
	assert_int_equal(st.ops->commit(st.s, n), SHOAL_ERR_BUSY);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(reap_one(s, &cookie), 0);
		assert_int_equal(cookie, i);
	}
	struct pollfd p = { .fd = shoal_store_sqlite_fd(s), .events = POLLIN };
	assert_int_equal(poll(&p, 1, 0), 0);
	shoal_store_sqlite_close(s);
	free(big);
}

static void opening_is_quick(void **state)
{
	(void)state;
	shoal_us best_new = SHOAL_NEVER, best_old = SHOAL_NEVER;
	for (int i = 0; i < 10; i++) {
		char rm[600];
		shoal_us from = shoal_os_real.now();
		struct shoal_store_sqlite *s = opened();
		assert_null(get(s, 1, "x"));
		shoal_us took = shoal_os_real.now() - from;
		best_new = took < best_new ? took : best_new;
		put(s, 1, "k", "v");
		assert_int_equal(commit(s, 1), 0);
		shoal_store_sqlite_close(s);
		from = shoal_os_real.now();
		s = opened();
		assert_null(get(s, 1, "x"));
		took = shoal_os_real.now() - from;
		best_old = took < best_old ? took : best_old;
		shoal_store_sqlite_close(s);
		snprintf(rm, sizeof rm, "%s", state_dir);
		own_folder_end(rm);
	}
	print_message("new %u us, again %u us\n", (unsigned)best_new, (unsigned)best_old);
	assert_true(best_new < 100000 && best_old < 100000); /* ours is 5 ms; a sanitizer on a busy machine is slower */
}

/* ---- what others left there --------------------------------------------------------------------- */

static void sql(const char *path, const char *text)
{
	sqlite3 *db;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}
static uint8_t *whole(const char *path, long *len)
{
	struct stat st;
	int fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	uint8_t *at = malloc((size_t)st.st_size + 1);
	assert_non_null(at);
	assert_int_equal(read(fd, at, (size_t)st.st_size), st.st_size);
	close(fd);
	*len = (long)st.st_size;
	return at;
}

static void a_newer_schema_is_left_untouched(void **state)
{
	(void)state;
	for (int foreign = 0; foreign < 2; foreign++) {
		struct shoal_store_options options = { .os = &own_faults, .state = state_dir, .vfs = NULL };
		struct shoal_store_sqlite *s = opened();
		char what[160], command[100];
		long before_len, after_len;
		put(s, 1, "a", "one");
		assert_int_equal(commit(s, 1), 0);
		shoal_store_sqlite_close(s);
		snprintf(command, sizeof command, "PRAGMA %s=%d", foreign ? "application_id" : "user_version",
			 SHOAL_STORE_SCHEMA + 1);
		sql(db_path, command);
		uint8_t *before = whole(db_path, &before_len);
		assert_int_equal(shoal_store_sqlite_open(&s, &options, what), SHOAL_ERR_UNSUPPORTED);
		assert_non_null(strstr(what, foreign ? "another program" : "newer shoal"));
		uint8_t *after = whole(db_path, &after_len);
		assert_int_equal(after_len, before_len);
		assert_memory_equal(after, before, (size_t)after_len);
		free(before);
		free(after);
		assert_int_equal(own_faults_open(), 0);
		own_folder_end(state_dir);
	}
}

static const char *const three_steps[] = {
	"CREATE TABLE t(a)",
	"ALTER TABLE t ADD COLUMN b; UPDATE t SET b=a+1",
	"CREATE TABLE u AS SELECT a, b FROM t",
};

static void older_schemas_are_brought_up_with_a_copy_kept(void **state)
{
	(void)state;
	const struct shoal_store_steps one = { three_steps, 1, 5 }, three = { three_steps, 3, 5 };
	static const char *const bad_steps[] = { "CREATE TABLE t(a)", "ALTER TABLE t ADD COLUMN b", "no such word" };
	const struct shoal_store_steps bad = { bad_steps, 3, 5 };
	char path[300], copy[300], what[160] = "";
	sqlite3 *db;
	int n;
	snprintf(path, sizeof path, "%s/x.db", folder);
	snprintf(copy, sizeof copy, "%s/copy.db", folder);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(shoal_store_version(db, &one, what), 0);
	assert_int_equal(shoal_store_schema(db, &one, copy, false, what), 1);
	assert_false(own_exists(folder, "copy.db"));
	assert_int_equal(shoal_store_schema(db, &one, copy, false, what), 0);
	assert_int_equal(sqlite3_exec(db, "INSERT INTO t VALUES(41)", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(shoal_store_schema(db, &three, copy, false, what), SHOAL_ERR_BUSY); /* others are at work */

	assert_int_equal(shoal_store_schema(db, &bad, copy, true, what), SHOAL_ERR_IO); /* all or nothing */
	assert_true(own_exists(folder, "copy.db"));
	assert_int_equal(shoal_store_version(db, &one, what), 1);
	assert_true(shoal_store_pragma(db, "SELECT b FROM t", &n) < 0);
	assert_int_equal(unlink(copy), 0);

	what[0] = '\0';
	assert_int_equal(shoal_store_schema(db, &three, copy, true, what), 2);
	assert_int_equal(shoal_store_pragma(db, "SELECT b FROM u", &n), 0);
	assert_int_equal(n, 42);
	assert_int_equal(shoal_store_version(db, &three, what), 3);
	assert_int_equal(shoal_store_version(db, &one, what), SHOAL_ERR_UNSUPPORTED);
	sqlite3_close(db);
	assert_int_equal(sqlite3_open(copy, &db), SQLITE_OK);
	assert_int_equal(shoal_store_version(db, &one, what), 1);
	assert_int_equal(shoal_store_pragma(db, "SELECT a FROM t", &n), 0);
	assert_int_equal(n, 41);
	sqlite3_close(db);
}

/* ---- damage --------------------------------------------------------------------------------------- */

static void fill(struct shoal_store_sqlite *s, int records)
{
	char key[32], value[400];
	for (int i = 0; i < records; i++) {
		snprintf(key, sizeof key, "key %04d", i);
		memset(value, 'a' + i % 26, sizeof value - 1);
		value[sizeof value - 1] = '\0';
		put(s, 1, key, value);
	}
	assert_int_equal(commit(s, 1), 0);
}

static void a_damaged_file_is_moved_aside(void **state)
{
	(void)state;
	struct shoal_store_sqlite *s = opened();
	fill(s, 200);
	shoal_store_sqlite_close(s);
	sql(db_path, "DELETE FROM record WHERE kind=0"); /* as if it had not been stopped */
	int fd = open(db_path, O_RDWR);
	uint8_t junk[3000];
	memset(junk, 0x5a, sizeof junk);
	assert_int_equal(pwrite(fd, junk, sizeof junk, 4096 + 10), sizeof junk);
	close(fd);
	s = opened_with(NULL, "shoal.db.damaged-1");
	assert_null(get(s, 1, "key 0001"));
	put(s, 1, "new", "life");
	assert_int_equal(commit(s, 2), 0);
	shoal_store_sqlite_close(s);
	assert_true(own_exists(state_dir, "shoal.db.damaged-1"));

	own_write(state_dir, "shoal.db", "this is no database at all, whatever it may be called", 53);
	s = opened_with(NULL, "shoal.db.damaged-2");
	shoal_store_sqlite_close(s);
	uint8_t text[64];
	assert_int_equal(own_read(state_dir, "shoal.db.damaged-2", text, sizeof text), 53);
	assert_int_equal(own_faults_open(), 0);
}

/* Bits flip anywhere: no crash, and never a value that was not put. */
static void flipped_bits_give_nothing_false(void **state)
{
	(void)state;
	struct shoal_rng rng = shoal_rng_split(3, 3);
	struct shoal_store_sqlite *s = opened();
	fill(s, 200);
	shoal_store_sqlite_close(s);
	long len;
	uint8_t *good = whole(db_path, &len);
	int lost = 0, aside = 0;
	for (int round = 0; round < 150; round++) {
		uint8_t *bad = malloc((size_t)len);
		assert_non_null(bad);
		memcpy(bad, good, (size_t)len);
		for (uint32_t i = 0, n = 1 + shoal_rng_below(&rng, 64); i < n; i++)
			bad[shoal_rng_below(&rng, (uint32_t)len)] ^= (uint8_t)(1u << shoal_rng_below(&rng, 8));
		own_folder_end(state_dir);
		assert_int_equal(mkdir(state_dir, 0700), 0);
		own_write(state_dir, "shoal.db", bad, (size_t)len);
		free(bad);
		struct shoal_store_options options = { .os = &own_faults, .state = state_dir, .vfs = NULL };
		char what[160];
		int rc = shoal_store_sqlite_open(&s, &options, what);
		if (rc < 0) {
			assert_true(rc == SHOAL_ERR_UNSUPPORTED || rc == SHOAL_ERR_IO || rc == SHOAL_ERR_HASH);
			continue;
		}
		aside += what[0] != '\0';
		struct shoal_store st = shoal_store_sqlite_store(s);
		for (int i = 0; i < 200; i++) {
			char key[32];
			struct got g;
			snprintf(key, sizeof key, "key %04d", i);
			rc = st.ops->get(st.s, 1, shoal_bytes(key, strlen(key)), on_value, &g);
			if (rc > 0) {
				assert_int_equal(strlen(g.text), 399);
				for (int k = 0; k < 399; k++)
					assert_int_equal(g.text[k], 'a' + i % 26);
			}
			lost += rc <= 0;
		}
		shoal_store_sqlite_close(s);
	}
	print_message("%d records lost, %d files moved aside\n", lost, aside);
	assert_true(lost > 0);
	free(good);
}

/* ---- cuts and failing disks --------------------------------------------------------------------------- */

enum { CUT_KEYS = 5, CUT_BATCHES = 40 };

/* Batch n sets all keys to n; so what is found must be one number, and none below what was promised. */
static void batches(struct shoal_store_sqlite *s, unsigned from, unsigned to)
{
	char key[16], value[3000];
	for (unsigned n = from; n <= to; n++) {
		for (int k = 0; k < CUT_KEYS; k++) {
			snprintf(key, sizeof key, "k%d", k);
			memset(value, 'x', sizeof value);
			value[snprintf(value, sizeof value, "%08u", n)] = ' ';
			value[sizeof value - 1 - n % 7] = '\0';
			put(s, 1, key, value);
		}
		if (commit(s, n) == 0)
			own_torn_note(n);
	}
}
static unsigned found(struct shoal_store_sqlite *s)
{
	unsigned all = 0;
	for (int k = 0; k < CUT_KEYS; k++) {
		char key[16];
		snprintf(key, sizeof key, "k%d", k);
		const char *value = get(s, 1, key);
		unsigned n = value ? (unsigned)strtoul(value, NULL, 10) : 0;
		if (k == 0)
			all = n;
		assert_int_equal(n, all);
	}
	return all;
}

static void a_power_cut_loses_no_promise(void **state)
{
	(void)state;
	struct shoal_rng rng = shoal_rng_split(11, 11);
	char at_work[300];
	struct shoal_store_sqlite *s = opened_with(OWN_TORN_VFS, NULL);
	batches(s, 1, CUT_BATCHES / 2);
	shoal_store_sqlite_close(s); /* folds the log in: cuts in there as well */
	s = opened_with(OWN_TORN_VFS, NULL);
	batches(s, CUT_BATCHES / 2 + 1, CUT_BATCHES);
	shoal_store_sqlite_close(s);
	memcpy(at_work, state_dir, sizeof at_work);
	unsigned count = own_torn_count(), aside = 0;
	for (unsigned at = 0; at <= count; at += 1 + shoal_rng_below(&rng, 3)) {
		for (int again = 0; again < 2; again++) {
			snprintf(state_dir, sizeof state_dir, "%s/cut", folder);
			assert_int_equal(mkdir(state_dir, 0700), 0);
			unsigned promised = own_torn_cut(at, &rng, state_dir);
			struct shoal_store_options options = { .os = &own_faults, .state = state_dir, .vfs = NULL };
			char what[160];
			int rc = shoal_store_sqlite_open(&s, &options, what);
			if (rc < 0)
				fail_msg("cut %u: %d %s", at, rc, what);
			unsigned is = found(s);
			if (is < promised || is > promised + 1)
				fail_msg("cut %u of %u: %u was promised, %u is there; %s", at, count, promised, is,
					 what);
			aside += what[0] != '\0'; /* only a newborn may be in pieces, and then nothing was promised */
			shoal_store_sqlite_close(s);
			own_folder_end(state_dir);
		}
	}
	print_message("%u log entries, %u newborns in pieces\n", count, aside);
	memcpy(state_dir, at_work, sizeof state_dir);
}

static void a_failing_disk_fails_commits_and_no_more(void **state)
{
	(void)state;
	struct shoal_store_sqlite *s = opened_with(OWN_TORN_VFS, NULL);
	batches(s, 1, 3);
	own_torn_fail(0, false);
	batches(s, 4, 5);
	unsigned calls = own_torn_calls();
	assert_true(calls > 0);
	unsigned promised = 5, n = 6, failures = 0;
	for (int full = 0; full < 2; full++) {
		for (unsigned at = 1; at <= calls; at++, n++) {
			char key[16], value[3000];
			for (int k = 0; k < CUT_KEYS; k++) {
				snprintf(key, sizeof key, "k%d", k);
				memset(value, 'y', sizeof value);
				value[snprintf(value, sizeof value, "%08u", n)] = ' ';
				value[sizeof value - 1] = '\0';
				put(s, 1, key, value);
			}
			own_torn_fail(at, full);
			int err = commit(s, n);
			own_torn_fail(0, false);
			assert_true(err == 0 || err == SHOAL_ERR_IO || err == SHOAL_ERR_NO_SPACE);
			failures += err < 0;
			if (err == 0)
				promised = n;
			assert_int_equal(found(s), promised);
		}
	}
	assert_true(failures > 0);
	shoal_store_sqlite_close(s);
	s = opened();
	assert_int_equal(found(s), promised);
	shoal_store_sqlite_close(s);
}

static void every_call_may_fail(void **state)
{
	(void)state;
	for (unsigned n = 1;; n++) {
		struct shoal_store_options options = { .os = &own_faults, .state = state_dir, .vfs = NULL };
		struct shoal_store_sqlite *s = NULL;
		struct shoal_store_done done;
		own_faults_arm(n, EIO, 0);
		int rc = shoal_store_sqlite_open(&s, &options, NULL);
		if (rc == 0) {
			struct shoal_store st = shoal_store_sqlite_store(s);
			put(s, 1, "a", "b");
			assert_int_equal(st.ops->commit(st.s, 1), 0);
			for (int ms = 0; st.ops->reap(st.s, &done, 1) == 0; ms++) {
				assert_true(ms < 20000);
				usleep(1000);
			}
			if (done.err == 0)
				assert_string_equal(get(s, 1, "a"), "b");
			else
				assert_null(get(s, 1, "a"));
		}
		shoal_store_sqlite_close(s);
		unsigned calls = own_faults_calls();
		own_faults_arm(0, 0, 0);
		assert_int_equal(own_faults_open(), 0);
		if (own_exists(folder, "state"))
			own_folder_end(state_dir);
		if (n > calls)
			break;
	}
}

/* ---- several processes ----------------------------------------------------------------------------------- */

static void processes_share_the_file(void **state)
{
	(void)state;
	enum { CHILDREN = 4, COMMITS = 25 };
	pid_t child[CHILDREN];
	for (int c = 0; c < CHILDREN; c++) {
		child[c] = fork();
		assert_true(child[c] >= 0);
		if (child[c])
			continue;
		struct shoal_store_options options = { .os = &shoal_os_real, .state = state_dir, .vfs = NULL };
		struct shoal_store_sqlite *s;
		if (shoal_store_sqlite_open(&s, &options, NULL) < 0)
			_exit(2);
		for (int i = 0; i < COMMITS; i++) {
			char key[32];
			snprintf(key, sizeof key, "%d-%02d", c, i);
			put(s, 1, key, "v");
			if (commit(s, (uint64_t)i) < 0)
				_exit(3);
		}
		if (c == 0)
			kill(getpid(), SIGKILL); /* one dies, the others do not care */
		shoal_store_sqlite_close(s);
		_exit(0);
	}
	for (int c = 0; c < CHILDREN; c++) {
		int status;
		assert_int_equal(waitpid(child[c], &status, 0), child[c]);
		if (c == 0)
			assert_true(WIFSIGNALED(status));
		else
			assert_int_equal(status, 0);
	}
	struct shoal_store_sqlite *s = opened();
	struct shoal_store st = shoal_store_sqlite_store(s);
	struct got g = { .rows = 0 };
	assert_int_equal(st.ops->scan(st.s, 1, shoal_bytes(NULL, 0), on_row, &g), 0);
	assert_int_equal(g.rows, CHILDREN * COMMITS);
	/* Two at work in one process as well; neither takes the other's locks away. */
	struct shoal_store_sqlite *two = opened();
	put(s, 2, "from", "one");
	assert_int_equal(commit(s, 1), 0);
	assert_string_equal(get(two, 2, "from"), "one");
	shoal_store_sqlite_close(s);
	put(two, 2, "from", "two");
	assert_int_equal(commit(two, 1), 0);
	shoal_store_sqlite_close(two);
	s = opened();
	assert_string_equal(get(s, 2, "from"), "two");
	shoal_store_sqlite_close(s);
}

/* Who wants it alone gets it alone, and nobody else while he has it. */
static void one_alone(void **state)
{
	struct shoal_store_options options = { .os = &own_faults, .state = state_dir, .exclusive = true };
	struct shoal_store_sqlite *s = opened(), *t = NULL, *u = NULL;
	char what[160];
	(void)state;
	assert_true(shoal_store_sqlite_alone(s));
	t = opened(); /* others may share it */
	assert_false(shoal_store_sqlite_alone(t));
	shoal_store_sqlite_close(s);
	assert_int_equal(shoal_store_sqlite_open(&u, &options, what), SHOAL_ERR_BUSY);
	assert_non_null(strstr(what, "at work"));
	shoal_store_sqlite_close(t);
	assert_int_equal(shoal_store_sqlite_open(&u, &options, what), 0);
	put(u, SHOAL_STORE_META, "k", "v");
	assert_int_equal(commit(u, 3), 0);
	options.exclusive = false;
	assert_int_equal(shoal_store_sqlite_open(&t, &options, what), SHOAL_ERR_BUSY);
	shoal_store_sqlite_close(u);
	shoal_store_sqlite_close(opened());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(records_come_back, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_held_is_of_one_moment, setup, teardown),
		cmocka_unit_test_setup_teardown(scans_are_in_order_and_by_prefix, setup, teardown),
		cmocka_unit_test_setup_teardown(limits_hold, setup, teardown),
		cmocka_unit_test_setup_teardown(opening_is_quick, setup, teardown),
		cmocka_unit_test_setup_teardown(a_newer_schema_is_left_untouched, setup, teardown),
		cmocka_unit_test_setup_teardown(older_schemas_are_brought_up_with_a_copy_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(a_damaged_file_is_moved_aside, setup, teardown),
		cmocka_unit_test_setup_teardown(flipped_bits_give_nothing_false, setup, teardown),
		cmocka_unit_test_setup_teardown(a_power_cut_loses_no_promise, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failing_disk_fails_commits_and_no_more, setup, teardown),
		cmocka_unit_test_setup_teardown(every_call_may_fail, setup, teardown),
		cmocka_unit_test_setup_teardown(processes_share_the_file, setup, teardown),
		cmocka_unit_test_setup_teardown(one_alone, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
