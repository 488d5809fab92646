/* test_tree.c - a folder of every kind of thing, walked; the order; files that change; calls that fail. */
#include "swarm/io/tree.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static char top[64];

static const char *in_top(const char *name)
{
	static char path[2][8192];
	static int turn;
	turn ^= 1;
	snprintf(path[turn], sizeof path[turn], "%s/%s", top, name);
	return path[turn];
}

static void put(const char *name, const char *content)
{
	FILE *f = fopen(in_top(name), "w");
	assert_non_null(f);
	fputs(content, f);
	assert_int_equal(fclose(f), 0);
}

static int make_top(void **state)
{
	(void)state;
	snprintf(top, sizeof top, "/tmp/shoal-tree-XXXXXX");
	return mkdtemp(top) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int drop_top(void **state)
{
	(void)state;
	return nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

struct drops {
	size_t count;
	char text[1024];
};
static void note(void *to, enum shoal_tree_drop why, const char *path)
{
	struct drops *d = to;
	size_t n = strlen(d->text);
	snprintf(d->text + n, sizeof d->text - n, "%d %s\n", (int)why, path);
	d->count++;
}

static const char *path_of(const struct shoal_tree *t, uint32_t i)
{
	static char path[4096];
	int n = shoal_tree_path(t, i, (struct shoal_space){ (uint8_t *)path, sizeof path });
	assert_int_equal(n, strlen(path));
	return path;
}

static void order_is_bytewise_by_component(void **state)
{
	static const char *const want[] = { "A", "a/b", "a/c/d", "a-b", "a.b", "b", "\xc3\xa4", "\xff" };
	struct shoal_tree t;
	(void)state;
	assert_int_equal(mkdir(in_top("a"), 0700), 0);
	assert_int_equal(mkdir(in_top("a/c"), 0700), 0);
	for (size_t i = sizeof want / sizeof *want; i-- > 0;) /* made in another order than wanted */
		put(want[i], "12345");
	assert_int_equal(shoal_tree_walk(&t, &shoal_os_real, top, NULL, NULL), 0);
	assert_int_equal(t.file_count, sizeof want / sizeof *want);
	for (uint32_t i = 0; i < t.file_count; i++) {
		assert_string_equal(path_of(&t, i), want[i]);
		assert_int_equal(t.file[i].size, 5);
	}
	assert_int_equal(t.size, 5 * t.file_count);
	assert_false(t.single);
	assert_string_equal(shoal_tree_name(&t), strrchr(top, '/') + 1);
	uint8_t small[3];
	assert_int_equal(shoal_tree_path(&t, 2, (struct shoal_space){ small, sizeof small }), SHOAL_ERR_TOO_LONG);
	shoal_tree_fini(&t);
}

static void what_a_torrent_cannot_carry_is_told(void **state)
{
	struct shoal_tree t;
	struct drops d = { 0 };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	(void)state;
	put("file", "x");
	assert_int_equal(chmod(in_top("file"), 0755), 0);
	assert_int_equal(symlink("file", in_top("link")), 0);
	assert_int_equal(symlink("/etc", in_top("outside")), 0);
	assert_int_equal(mkfifo(in_top("pipe"), 0600), 0);
	assert_int_equal(mkdir(in_top("empty"), 0700), 0);
	assert_int_equal(mkdir(in_top("hollow"), 0700), 0);
	assert_int_equal(mkdir(in_top("hollow/below"), 0700), 0);
	snprintf(un.sun_path, sizeof un.sun_path, "%s/socket", top);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
	close(fd);
	assert_int_equal(shoal_tree_walk(&t, &shoal_os_real, top, note, &d), 0);
	assert_int_equal(t.file_count, 1);
	assert_int_equal(t.executable, 1);
	assert_int_equal(t.dropped[SHOAL_TREE_SYMLINK], 2);
	assert_int_equal(t.dropped[SHOAL_TREE_SPECIAL], 2);
	assert_int_equal(t.dropped[SHOAL_TREE_EMPTY], 3);
	assert_int_equal(d.count, 7);
	assert_non_null(strstr(d.text, "2 hollow/below\n"));
	assert_non_null(strstr(d.text, "2 hollow\n"));
	assert_non_null(strstr(d.text, "0 outside\n"));
	shoal_tree_fini(&t);
}

static void a_file_stands_alone(void **state)
{
	struct shoal_tree t;
	int os;
	char text[4] = "";
	(void)state;
	put("one", "abc");
	assert_int_equal(symlink("one", in_top("alias")), 0);
	assert_int_equal(shoal_tree_walk(&t, &shoal_os_real, in_top("alias"), NULL, NULL), 0);
	assert_true(t.single);
	assert_string_equal(shoal_tree_name(&t), "one"); /* the real name, not the link's */
	int fd = shoal_tree_open(&t, 0, &os);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, text, 3), 3);
	assert_string_equal(text, "abc");
	assert_int_equal(shoal_tree_close(&t, 0, fd), 0);
	shoal_tree_fini(&t);
}

static void changes_do_not_pass(void **state)
{
	struct shoal_tree t;
	int os, fd;
	(void)state;
	put("grows", "abc");
	put("vanishes", "abc");
	put("swapped", "abc");
	assert_int_equal(shoal_tree_walk(&t, &shoal_os_real, top, NULL, NULL), 0);
	/* 0 grows, 1 swapped, 2 vanishes */
	fd = shoal_tree_open(&t, 0, &os);
	assert_true(fd >= 0);
	put("grows", "abcd");
	assert_int_equal(shoal_tree_close(&t, 0, fd), SHOAL_ERR_GONE);
	assert_int_equal(shoal_tree_open(&t, 0, &os), SHOAL_ERR_GONE);
	unlink(in_top("vanishes"));
	assert_int_equal(shoal_tree_open(&t, 2, &os), SHOAL_ERR_GONE);
	assert_int_equal(os, ENOENT);
	unlink(in_top("swapped"));
	assert_int_equal(symlink("/etc/passwd", in_top("swapped")), 0);
	assert_true(shoal_tree_open(&t, 1, &os) < 0); /* never through a link */
	shoal_tree_fini(&t);
}

static void paths_that_are_none(void **state)
{
	struct shoal_tree t;
	(void)state;
	assert_int_equal(shoal_tree_walk(&t, &shoal_os_real, in_top("nothing"), NULL, NULL), SHOAL_ERR_GONE);
	assert_int_equal(t.os, ENOENT);
	shoal_tree_fini(&t);
	assert_int_equal(shoal_tree_walk(&t, &shoal_os_real, "/dev/null", NULL, NULL), SHOAL_ERR_UNSUPPORTED);
	shoal_tree_fini(&t);
	assert_int_equal(shoal_tree_walk(&t, &shoal_os_real, "", NULL, NULL), SHOAL_ERR_GONE);
	shoal_tree_fini(&t);
	/* An empty folder is no error here: there is just nothing in it. */
	assert_int_equal(shoal_tree_walk(&t, &shoal_os_real, top, NULL, NULL), 0);
	assert_int_equal(t.file_count, 0);
	shoal_tree_fini(&t);
}

static void too_deep_is_told_where(void **state)
{
	struct shoal_tree t;
	char path[4096] = "";
	(void)state;
	for (int i = 0; i < 102; i++) {
		snprintf(path + strlen(path), sizeof path - strlen(path), "%sd", i ? "/" : "");
		assert_int_equal(mkdir(in_top(path), 0700), 0);
	}
	assert_int_equal(shoal_tree_walk(&t, &shoal_os_real, top, NULL, NULL), SHOAL_ERR_TOO_LONG);
	assert_int_equal(strncmp(t.where, "d/d/d", 5), 0);
	shoal_tree_fini(&t);
}

/* ---- calls that fail ------------------------------------------------------------------- */
static int countdown, fail_with;

static bool fails(void)
{
	if (countdown < 0 || countdown-- > 0)
		return false;
	errno = fail_with;
	return true;
}
static int bad_fstatat(int dir, const char *path, struct stat *st, int flags)
{
	return fails() ? -1 : shoal_os_real.fstatat(dir, path, st, flags);
}
static int bad_openat2(int dir, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	return fails() ? -1 : shoal_os_real.openat2(dir, path, flags, mode, resolve);
}
static int bad_openat(int dir, const char *path, int flags, mode_t mode)
{
	return fails() ? -1 : shoal_os_real.openat(dir, path, flags, mode);
}

static void every_call_fails_once(void **state)
{
	struct shoal_os_ops os = shoal_os_real;
	struct shoal_tree t;
	int failed = 0;
	(void)state;
	os.fstatat = bad_fstatat;
	os.openat2 = bad_openat2;
	os.openat = bad_openat;
	put("a", "1");
	assert_int_equal(mkdir(in_top("b"), 0700), 0);
	put("b/c", "1");
	for (int n = 0;; n++) {
		countdown = n;
		fail_with = EIO;
		int rc = shoal_tree_walk(&t, &os, top, NULL, NULL);
		bool hit = countdown < 0;
		if (rc < 0) {
			assert_int_equal(rc, SHOAL_ERR_IO);
			assert_int_equal(t.os, EIO);
			failed++;
		} else {
			assert_int_equal(t.file_count, 2); /* a failing probe for openat2 falls back */
		}
		shoal_tree_fini(&t);
		if (!hit)
			break;
		assert_true(n < 50);
	}
	countdown = -1;
	assert_true(failed >= 5);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_top, drop_top)
	const struct CMUnitTest tests[] = {
		TEST(order_is_bytewise_by_component),
		TEST(what_a_torrent_cannot_carry_is_told),
		TEST(a_file_stands_alone),
		TEST(changes_do_not_pass),
		TEST(paths_that_are_none),
		TEST(too_deep_is_told_where),
		TEST(every_call_fails_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
