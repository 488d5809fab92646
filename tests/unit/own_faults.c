/* own_faults.c - see own_faults.h. Counters are atomic: disk workers call from several threads. */
#include "tests/unit/own_faults.h"

#include <errno.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <string.h>

enum call {
	C_openat2,
	C_openat,
	C_mkdirat,
	C_renameat2,
	C_linkat,
	C_unlinkat,
	C_fstat,
	C_fstatat,
	C_fstatvfs,
	C_fs_magic,
	C_preadv,
	C_preadv_nowait,
	C_pwritev,
	C_fdatasync,
	C_fsync,
	C_syncfs,
	C_fadvise,
	C_cachestat,
	C_fcntl_lock,
	C_eventfd,
	C_read,
	C_write,
	C_thread_start,
	C_ftruncate,
	C_copy_file_range,
	C_ficlone,
	C_COUNT
};
static const char *const names[C_COUNT] = {
	"openat2", "openat",	   "mkdirat",	"renameat2",	   "linkat",	    "unlinkat", "fstat",
	"fstatat", "fstatvfs",	   "fs_magic",	"preadv",	   "preadv_nowait", "pwritev",	"fdatasync",
	"fsync",   "syncfs",	   "fadvise",	"cachestat",	   "fcntl_lock",    "eventfd",	"read",
	"write",   "thread_start", "ftruncate", "copy_file_range", "ficlone"
};

static atomic_uint calls, calls_of[C_COUNT], nth, after, moves;
static atomic_int fails_with, fds, only = -1;
static atomic_size_t tear;
static atomic_bool old_kernel;
static atomic_ullong written;

void own_faults_arm(unsigned n, int os, unsigned more)
{
	nth = n;
	fails_with = os;
	after = more;
	calls = 0;
	written = 0;
	for (int i = 0; i < C_COUNT; i++)
		calls_of[i] = 0;
}
void own_faults_only(const char *name)
{
	only = -1;
	for (int i = 0; name && i < C_COUNT; i++)
		if (strcmp(names[i], name) == 0)
			only = i;
}
void own_faults_tear(size_t bytes)
{
	tear = bytes;
}
void own_faults_old_kernel(bool old)
{
	old_kernel = old;
}
unsigned own_faults_calls(void)
{
	return calls;
}
unsigned own_faults_calls_of(const char *name)
{
	for (int i = 0; i < C_COUNT; i++)
		if (strcmp(names[i], name) == 0)
			return calls_of[i];
	return 0;
}
int own_faults_open(void)
{
	return fds;
}
uint64_t own_faults_written(void)
{
	return written;
}

static bool fails(enum call c)
{
	atomic_fetch_add(&calls_of[c], 1);
	if (only >= 0 && (int)c != only)
		return false;
	unsigned k = atomic_fetch_add(&calls, 1) + 1;
	if (nth == 0 || k < nth || k > nth + after)
		return false;
	errno = fails_with;
	return true;
}

static int opened(int fd)
{
	if (fd >= 0)
		atomic_fetch_add(&fds, 1);
	return fd;
}
static int f_openat2(int dir, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	if (old_kernel) {
		errno = ENOSYS;
		return -1;
	}
	return fails(C_openat2) ? -1 : opened(shoal_os_real.openat2(dir, path, flags, mode, resolve));
}
static int f_openat(int dir, const char *path, int flags, mode_t mode)
{
	return fails(C_openat) ? -1 : opened(shoal_os_real.openat(dir, path, flags, mode));
}
static int f_close(int fd)
{
	atomic_fetch_sub(&fds, 1);
	return shoal_os_real.close(fd);
}
static int f_eventfd(unsigned start, int flags)
{
	return fails(C_eventfd) ? -1 : opened(shoal_os_real.eventfd(start, flags));
}

/* Those that are passed on as they are. */
#define PASS(type, name, args, call)                                   \
	static type f_##name args                                      \
	{                                                              \
		return fails(C_##name) ? -1 : shoal_os_real.name call; \
	}
PASS(int, mkdirat, (int dir, const char *path, mode_t mode), (dir, path, mode))
PASS(int, renameat2, (int a, const char *from, int b, const char *to, unsigned flags), (a, from, b, to, flags))
PASS(int, linkat, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags))
PASS(int, unlinkat, (int dir, const char *path, int flags), (dir, path, flags))
PASS(int, fstat, (int fd, struct stat *st), (fd, st))
PASS(int, fstatat, (int dir, const char *path, struct stat *st, int flags), (dir, path, st, flags))
PASS(int, fstatvfs, (int fd, struct statvfs *vfs), (fd, vfs))
PASS(int, fs_magic, (int fd, uint32_t *magic), (fd, magic))
PASS(ssize_t, preadv_nowait, (int fd, const struct iovec *v, int n, off_t at), (fd, v, n, at))
PASS(int, ftruncate, (int fd, off_t size), (fd, size))
PASS(ssize_t, copy_file_range, (int from, off_t *a, int to, off_t *b, size_t len, unsigned flags),
     (from, a, to, b, len, flags))
PASS(int, ficlone, (int to, int from), (to, from))
PASS(int, fdatasync, (int fd), (fd))
PASS(int, fsync, (int fd), (fd))
PASS(int, syncfs, (int fd), (fd))
PASS(int, fadvise, (int fd, off_t at, off_t len, int advice), (fd, at, len, advice))
PASS(int, fcntl_lock, (int fd, int cmd, struct flock *lock), (fd, cmd, lock))
PASS(ssize_t, read, (int fd, void *to, size_t len), (fd, to, len))
PASS(ssize_t, write, (int fd, const void *from, size_t len), (fd, from, len))
PASS(int, thread_start, (pthread_t * t, void *(*run)(void *), void *arg), (t, run, arg))

static int f_cachestat(int fd, uint64_t at, uint64_t len, uint64_t *pages)
{
	if (old_kernel) {
		errno = ENOSYS;
		return -1;
	}
	return fails(C_cachestat) ? -1 : shoal_os_real.cachestat(fd, at, len, pages);
}

/* At most `tear` bytes of the first span. */
static ssize_t moved(int fd, const struct iovec *v, int n, off_t at, bool write)
{
	struct iovec one;
	size_t most = tear;
	if (most) {
		if (atomic_fetch_add(&moves, 1) % 3 == 2) {
			errno = EINTR;
			return -1;
		}
		one = v[0];
		if (one.iov_len > most)
			one.iov_len = most;
		v = &one;
		n = 1;
	}
	return write ? shoal_os_real.pwritev(fd, v, n, at) : shoal_os_real.preadv(fd, v, n, at);
}
static ssize_t f_preadv(int fd, const struct iovec *v, int n, off_t at)
{
	return fails(C_preadv) ? -1 : moved(fd, v, n, at, false);
}
static ssize_t f_pwritev(int fd, const struct iovec *v, int n, off_t at)
{
	if (fails(C_pwritev))
		return -1;
	ssize_t got = moved(fd, v, n, at, true);
	if (got > 0)
		atomic_fetch_add(&written, (unsigned long long)got);
	return got;
}

static shoal_us f_now(void)
{
	return shoal_os_real.now();
}
static int64_t f_unix_s(void)
{
	return shoal_os_real.unix_s();
}

const struct shoal_os_ops own_faults = {
	.openat2 = f_openat2,
	.openat = f_openat,
	.close = f_close,
	.mkdirat = f_mkdirat,
	.renameat2 = f_renameat2,
	.linkat = f_linkat,
	.unlinkat = f_unlinkat,
	.fstat = f_fstat,
	.fstatat = f_fstatat,
	.fstatvfs = f_fstatvfs,
	.fs_magic = f_fs_magic,
	.preadv = f_preadv,
	.preadv_nowait = f_preadv_nowait,
	.pwritev = f_pwritev,
	.ftruncate = f_ftruncate,
	.copy_file_range = f_copy_file_range,
	.ficlone = f_ficlone,
	.fdatasync = f_fdatasync,
	.fsync = f_fsync,
	.syncfs = f_syncfs,
	.fadvise = f_fadvise,
	.cachestat = f_cachestat,
	.fcntl_lock = f_fcntl_lock,
	.read = f_read,
	.write = f_write,
	.eventfd = f_eventfd,
	.thread_start = f_thread_start,
	.now = f_now,
	.unix_s = f_unix_s,
};
