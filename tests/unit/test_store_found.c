/* test_store_found.c - a file as it is found: of another schema, or damaged. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/base/rng.h"
#include "swarm/io/store_schema.h"
#include "swarm/io/store_sqlite.h"
#include "tests/unit/own_place.h"
#include "tests/unit/own_store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
		struct shoal_store_options options = { .os = &own_faults, .state = own_store_dir, .vfs = NULL };
		struct shoal_store_sqlite *s = own_store_opened();
		char what[160], command[100];
		long before_len, after_len;
		own_store_put(s, 1, "a", "one");
		assert_int_equal(own_store_commit(s, 1), 0);
		shoal_store_sqlite_close(s);
		snprintf(command, sizeof command, "PRAGMA %s=%d", foreign ? "application_id" : "user_version",
			 SHOAL_STORE_SCHEMA + 1);
		sql(own_store_path, command);
		uint8_t *before = whole(own_store_path, &before_len);
		assert_int_equal(shoal_store_sqlite_open(&s, &options, what), SHOAL_ERR_UNSUPPORTED);
		assert_non_null(strstr(what, foreign ? "another program" : "newer shoal"));
		uint8_t *after = whole(own_store_path, &after_len);
		assert_int_equal(after_len, before_len);
		assert_memory_equal(after, before, (size_t)after_len);
		free(before);
		free(after);
		assert_int_equal(own_faults_open(), 0);
		own_folder_end(own_store_dir);
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
	snprintf(path, sizeof path, "%s/x.db", own_place);
	snprintf(copy, sizeof copy, "%s/copy.db", own_place);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(shoal_store_version(db, &one, what), 0);
	assert_int_equal(shoal_store_schema(db, &one, copy, false, what), 1);
	assert_false(own_exists(own_place, "copy.db"));
	assert_int_equal(shoal_store_schema(db, &one, copy, false, what), 0);
	assert_int_equal(sqlite3_exec(db, "INSERT INTO t VALUES(41)", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(shoal_store_schema(db, &three, copy, false, what), SHOAL_ERR_BUSY); /* others are at work */

	assert_int_equal(shoal_store_schema(db, &bad, copy, true, what), SHOAL_ERR_IO); /* all or nothing */
	assert_true(own_exists(own_place, "copy.db"));
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
		own_store_put(s, 1, key, value);
	}
	assert_int_equal(own_store_commit(s, 1), 0);
}

static void a_damaged_file_is_moved_aside(void **state)
{
	(void)state;
	struct shoal_store_sqlite *s = own_store_opened();
	fill(s, 200);
	shoal_store_sqlite_close(s);
	sql(own_store_path, "DELETE FROM record WHERE kind=0"); /* as if it had not been stopped */
	int fd = open(own_store_path, O_RDWR);
	uint8_t junk[3000];
	memset(junk, 0x5a, sizeof junk);
	assert_int_equal(pwrite(fd, junk, sizeof junk, 4096 + 10), sizeof junk);
	close(fd);
	s = own_store_opened_with(NULL, "shoal.db.damaged-1");
	assert_null(own_store_get(s, 1, "key 0001"));
	own_store_put(s, 1, "new", "life");
	assert_int_equal(own_store_commit(s, 2), 0);
	shoal_store_sqlite_close(s);
	assert_true(own_exists(own_store_dir, "shoal.db.damaged-1"));

	own_write(own_store_dir, "shoal.db", "this is no database at all, whatever it may be called", 53);
	s = own_store_opened_with(NULL, "shoal.db.damaged-2");
	shoal_store_sqlite_close(s);
	uint8_t text[64];
	assert_int_equal(own_read(own_store_dir, "shoal.db.damaged-2", text, sizeof text), 53);
	assert_int_equal(own_faults_open(), 0);
}

/* Bits flip anywhere: no crash, and never a value that was not put. */
static void flipped_bits_give_nothing_false(void **state)
{
	(void)state;
	struct shoal_rng rng = shoal_rng_split(3, 3);
	struct shoal_store_sqlite *s = own_store_opened();
	fill(s, 200);
	shoal_store_sqlite_close(s);
	long len;
	uint8_t *good = whole(own_store_path, &len);
	int lost = 0, aside = 0;
	for (int round = 0; round < 150; round++) {
		uint8_t *bad = malloc((size_t)len);
		assert_non_null(bad);
		memcpy(bad, good, (size_t)len);
		for (uint32_t i = 0, n = 1 + shoal_rng_below(&rng, 64); i < n; i++)
			bad[shoal_rng_below(&rng, (uint32_t)len)] ^= (uint8_t)(1u << shoal_rng_below(&rng, 8));
		own_folder_end(own_store_dir);
		assert_int_equal(mkdir(own_store_dir, 0700), 0);
		own_write(own_store_dir, "shoal.db", bad, (size_t)len);
		free(bad);
		struct shoal_store_options options = { .os = &own_faults, .state = own_store_dir, .vfs = NULL };
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
			struct own_store_got g;
			snprintf(key, sizeof key, "key %04d", i);
			rc = st.ops->get(st.s, 1, shoal_bytes(key, strlen(key)), own_store_on_value, &g);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		own_store_test(a_newer_schema_is_left_untouched),
		own_store_test(older_schemas_are_brought_up_with_a_copy_kept),
		own_store_test(a_damaged_file_is_moved_aside),
		own_store_test(flipped_bits_give_nothing_false),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
