/* os.c - the real table: thin coats over the C library, and calls it does not have. */
#include "swarm/io/os.h"

#include <errno.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_cachestat
#define SYS_cachestat 451 /* the same number on every architecture */
#endif

static int real_openat2(int dir, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	struct open_how how = { .flags = (uint64_t)(unsigned)flags, .mode = mode, .resolve = resolve };
	return (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
}

/* open(2) takes its mode as `...`, so it needs a coat to have a type. */
static int real_openat(int dir, const char *path, int flags, mode_t mode)
{
	return openat(dir, path, flags, mode);
}

static int real_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

static int real_fs_magic(int fd, uint32_t *magic)
{
	struct statfs fs;
	if (fstatfs(fd, &fs) < 0)
		return -1;
	*magic = (uint32_t)fs.f_type;
	return 0;
}

static ssize_t real_preadv_nowait(int fd, const struct iovec *v, int n, off_t offset)
{
	return preadv2(fd, v, n, offset, RWF_NOWAIT);
}

static int real_fadvise(int fd, off_t offset, off_t len, int advice)
{
	int os = posix_fadvise(fd, offset, len, advice);
	if (os == 0)
		return 0;
	errno = os;
	return -1;
}

static int real_cachestat(int fd, uint64_t offset, uint64_t len, uint64_t *pages)
{
	/* include/uapi/linux/mman.h of Linux 6.5: struct cachestat_range, struct cachestat */
	uint64_t range[2] = { offset, len };
	uint64_t stat[5] = { 0 }; /* cache, dirty, writeback, evicted, recently evicted */
	if (syscall(SYS_cachestat, fd, range, stat, 0) < 0)
		return -1;
	*pages = stat[0];
	return 0;
}

static int real_ficlone(int to, int from)
{
	return ioctl(to, FICLONE, from);
}

static int real_fcntl_lock(int fd, int cmd, struct flock *lock)
{
	return fcntl(fd, cmd, lock);
}

static int real_eventfd(unsigned start, int flags)
{
	return eventfd(start, flags);
}

static int real_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	return accept4(fd, addr, len, flags);
}

static int real_recvmmsg(int fd, struct mmsghdr *msg, unsigned n, int flags)
{
	return recvmmsg(fd, msg, n, flags, NULL);
}

/* Signals belong to the thread that runs the loop. */
static int real_thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int os = pthread_create(thread, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (os == 0)
		return 0;
	errno = os;
	return -1;
}

static ssize_t real_getrandom(void *to, size_t len)
{
	return getrandom(to, len, 0);
}

static shoal_us real_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (shoal_us)t.tv_sec * 1000000 + (shoal_us)t.tv_nsec / 1000;
}

static void real_nap(shoal_us us)
{
	struct timespec t = { .tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000 };
	nanosleep(&t, NULL);
}

static int64_t real_unix_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec;
}

const struct shoal_os_ops shoal_os_real = {
	.openat2 = real_openat2,
	.openat = real_openat,
	.close = close,
	.mkdirat = mkdirat,
	.renameat2 = real_renameat2,
	.linkat = linkat,
	.unlinkat = unlinkat,
	.fstat = fstat,
	.fstatat = fstatat,
	.fstatvfs = fstatvfs,
	.fs_magic = real_fs_magic,
	.preadv = preadv,
	.preadv_nowait = real_preadv_nowait,
	.pwritev = pwritev,
	.ftruncate = ftruncate,
	.lseek = lseek,
	.fdatasync = fdatasync,
	.fsync = fsync,
	.syncfs = syncfs,
	.fadvise = real_fadvise,
	.cachestat = real_cachestat,
	.fcntl_lock = real_fcntl_lock,
	.copy_file_range = copy_file_range,
	.ficlone = real_ficlone,
	.sendfile = sendfile,
	.read = read,
	.write = write,
	.eventfd = real_eventfd,
	.socket = socket,
	.bind = bind,
	.listen = listen,
	.accept4 = real_accept4,
	.connect = connect,
	.shutdown = shutdown,
	.getsockname = getsockname,
	.getpeername = getpeername,
	.getsockopt = getsockopt,
	.setsockopt = setsockopt,
	.readv = readv,
	.writev = writev,
	.sendmsg = sendmsg,
	.recvmsg = recvmsg,
	.sendmmsg = sendmmsg,
	.recvmmsg = real_recvmmsg,
	.thread_start = real_thread_start,
	.getrandom = real_getrandom,
	.now = real_now,
	.nap = real_nap,
	.unix_s = real_unix_s,
};

int shoal_os_err(int os)
{
	switch (os) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG: return SHOAL_ERR_NO_SPACE; /* larger than the volume can hold */
	case EACCES:
	case EPERM:
	case EROFS: return SHOAL_ERR_DENIED;
	case ENOENT:
	case ENOTDIR: return SHOAL_ERR_GONE;
	case EEXIST: return SHOAL_ERR_EXISTS;
	case ENOMEM: return SHOAL_ERR_NOMEM;
	default: return SHOAL_ERR_IO;
	}
}
