/* test_os.c - the real table does what its entries are named after, and fails with -1 and errno like them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "swarm/io/beneath.h"
#include "swarm/io/os.h"
#include "tests/unit/own_place.h"

#include <errno.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static const struct shoal_os_ops *const os = &shoal_os_real;

static void no_entry_is_missing(void **state)
{
	(void)state;
	void (*const *entry)(void) = (void (*const *)(void))(const void *)os;
	for (size_t i = 0; i < sizeof *os / sizeof *entry; i++)
		assert_true(entry[i] != NULL);
}

static void files_do_what_they_are_told(void **state)
{
	(void)state;
	struct stat st;
	struct statvfs vfs;
	char a[4] = "abc", b[4] = "def", got[6];
	struct iovec out[2] = { { a, 3 }, { b, 3 } }, in = { got, 6 };
	uint32_t magic = 0;
	int dir = os->openat(AT_FDCWD, own_place, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	assert_true(dir >= 0);
	assert_int_equal(os->mkdirat(dir, "d", 0777), 0);
	int fd = os->openat(dir, "d/f", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	assert_true(fd >= 0);
	assert_int_equal(os->pwritev(fd, out, 2, 2), 6);
	assert_int_equal(os->preadv(fd, &in, 1, 2), 6);
	assert_memory_equal(got, "abcdef", 6);
	assert_int_equal(os->ftruncate(fd, 5), 0);
	assert_int_equal(os->fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 5);
	assert_int_equal(os->fdatasync(fd), 0);
	assert_int_equal(os->fsync(dir), 0);
	assert_int_equal(os->syncfs(dir), 0);
	assert_int_equal(os->fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	assert_int_equal(os->fstatvfs(fd, &vfs), 0);
	assert_int_equal(os->fs_magic(fd, &magic), 0);
	assert_true(magic != 0);
	assert_int_equal(os->linkat(dir, "d/f", dir, "d/g", 0), 0);
	assert_int_equal(os->renameat2(dir, "d/f", dir, "d/g", RENAME_NOREPLACE), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(os->renameat2(dir, "d/f", dir, "d/h", RENAME_NOREPLACE), 0);
	assert_int_equal(os->fstatat(dir, "d/h", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_nlink, 2);
	assert_int_equal(os->unlinkat(dir, "d/g", 0), 0);
	assert_int_equal(os->fstatat(dir, "d/g", &st, 0), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(os->close(fd), 0);
	assert_int_equal(os->close(dir), 0);
	assert_int_equal(os->close(dir), -1);
	assert_int_equal(errno, EBADF);
}

static void error_numbers_become_errno(void **state)
{
	(void)state;
	uint64_t pages;
	errno = 0;
	assert_int_equal(os->fadvise(-1, 0, 0, POSIX_FADV_DONTNEED), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(os->cachestat(-1, 0, 4096, &pages), -1);
	assert_true(errno == EBADF || errno == ENOSYS || errno == EPERM);
	assert_int_equal(os->openat2(AT_FDCWD, "/", O_RDONLY, 0, UINT64_C(1) << 63), -1);
	assert_true(errno == EINVAL || errno == ENOSYS || errno == EPERM);
}

static void what_was_just_written_is_in_memory(void **state)
{
	(void)state;
	static char page[65536];
	char path[300];
	uint64_t pages = 0;
	struct iovec v = { page, sizeof page };
	snprintf(path, sizeof path, "%s/f", own_place);
	int fd = os->openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(os->pwritev(fd, &v, 1, 0), sizeof page);
	if (os->cachestat(fd, 0, sizeof page, &pages) == 0)
		assert_int_equal(pages, sizeof page / (size_t)sysconf(_SC_PAGESIZE));
	else
		print_message("no cachestat here: errno %d\n", errno);
	ssize_t n = os->preadv_nowait(fd, &v, 1, 0);
	assert_true(n == sizeof page || (n < 0 && errno == EOPNOTSUPP));
	assert_int_equal(os->close(fd), 0);
}

static void *signals_of(void *out)
{
	pthread_sigmask(SIG_SETMASK, NULL, out);
	return NULL;
}

static void threads_take_no_signals(void **state)
{
	(void)state;
	sigset_t in_thread, here;
	pthread_t thread;
	sigemptyset(&in_thread);
	assert_int_equal(os->thread_start(&thread, signals_of, &in_thread), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(sigismember(&in_thread, SIGTERM) && sigismember(&in_thread, SIGINT) &&
		    sigismember(&in_thread, SIGPIPE));
	pthread_sigmask(SIG_SETMASK, NULL, &here);
	assert_false(sigismember(&here, SIGTERM));
}

static void clocks_and_dice_go_on(void **state)
{
	(void)state;
	uint8_t a[32] = { 0 }, b[32] = { 0 };
	uint64_t count = 0, one = 3;
	shoal_us from = os->now();
	usleep(2000);
	shoal_us took = os->now() - from;
	assert_true(took >= 2000 && took < SHOAL_S(20));
	assert_true(os->unix_s() > 1700000000);
	assert_int_equal(os->getrandom(a, sizeof a), sizeof a);
	assert_int_equal(os->getrandom(b, sizeof b), sizeof b);
	assert_memory_not_equal(a, b, sizeof a);
	int fd = os->eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(os->read(fd, &count, sizeof count), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(os->write(fd, &one, sizeof one), sizeof one);
	assert_int_equal(os->read(fd, &count, sizeof count), sizeof count);
	assert_int_equal(count, 3);
	assert_int_equal(os->close(fd), 0);
}

/* Both ways of opening beneath say the same of the same paths. */
static void beneath_is_beneath(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		int good;
	} cases[] = {
		{ "in/file", 1 },      { "", 1 },	    { "in", 1 },      { "in/../../x", 0 }, { "../x", 0 },
		{ "/etc/passwd", 0 },  { "out/passwd", 0 }, { "in/link", 0 }, { "in/self", 0 },	   { "none/file", 0 },
		{ "in/file/file", 0 }, { "..", 0 },
	};
	char path[600];
	own_write(own_place, "in/file", "x", 1);
	snprintf(path, sizeof path, "%s/out", own_place);
	assert_int_equal(symlink("/etc", path), 0);
	snprintf(path, sizeof path, "%s/in/link", own_place);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	snprintf(path, sizeof path, "%s/in/self", own_place);
	assert_int_equal(symlink("file", path), 0); /* even one that stays inside */
	int root = os->openat(AT_FDCWD, own_place, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	assert_true(root >= 0);
	for (int by_hand = 0; by_hand < 2; by_hand++) {
		struct shoal_beneath b = { os, root, by_hand };
		if (!by_hand && shoal_beneath_by_hand(os)) {
			print_message("no openat2 here\n");
			continue;
		}
		for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
			int fd = shoal_beneath_open(&b, cases[i].path, O_RDONLY | O_NONBLOCK, 0);
			print_message("%s by hand %d: %d\n", cases[i].path, by_hand, fd);
			assert_int_equal(fd >= 0, cases[i].good);
			if (fd >= 0)
				assert_int_equal(os->close(fd), 0);
		}
	}
	assert_int_equal(os->close(root), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_entry_is_missing),	      own_place_test(files_do_what_they_are_told),
		cmocka_unit_test(error_numbers_become_errno), own_place_test(what_was_just_written_is_in_memory),
		cmocka_unit_test(threads_take_no_signals),    cmocka_unit_test(clocks_and_dice_go_on),
		own_place_test(beneath_is_beneath),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
