/*
 * swarm/io/os.h - every call into the operating system that can fail, in one table.
 *
 * What swarm/io asks of the kernel goes through a `const struct shoal_os_ops *`
 * that is handed in at birth; there is no global. The real table is
 * shoal_os_real; a test copies it and replaces an entry to fail, tear, delay
 * or log the n-th call. Each entry keeps the contract of the call it is named
 * after: -1 and errno on failure (posix_fadvise and thread_start too, which
 * bare return an error number). Any thread may call any entry.
 */
#ifndef SHOAL_OS_H
#define SHOAL_OS_H

#include <fcntl.h>
#include <pthread.h>
#include <shoal/types.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/uio.h>

struct shoal_os_ops {
	/* ---- files: names ---- */
	/* openat2(2) with `resolve` (RESOLVE_*); ENOSYS where the kernel or a filter lacks it. */
	int (*openat2)(int dir, const char *path, int flags, mode_t mode, uint64_t resolve);
	int (*openat)(int dir, const char *path, int flags, mode_t mode);
	int (*close)(int fd);
	int (*mkdirat)(int dir, const char *path, mode_t mode);
	int (*renameat2)(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);
	int (*linkat)(int from_dir, const char *from, int to_dir, const char *to, int flags);
	int (*unlinkat)(int dir, const char *path, int flags);
	int (*fstat)(int fd, struct stat *st);
	int (*fstatat)(int dir, const char *path, struct stat *st, int flags);
	int (*fstatvfs)(int fd, struct statvfs *vfs);
	int (*fs_magic)(int fd, uint32_t *magic); /* fstatfs(2)'s f_type */
	/* ---- files: bytes ---- */
	ssize_t (*preadv)(int fd, const struct iovec *v, int n, off_t offset);
	ssize_t (*preadv_nowait)(int fd, const struct iovec *v, int n, off_t offset); /* preadv2 with RWF_NOWAIT */
	ssize_t (*pwritev)(int fd, const struct iovec *v, int n, off_t offset);
	int (*ftruncate)(int fd, off_t size);
	off_t (*lseek)(int fd, off_t offset, int whence); /* SEEK_DATA alone; NULL: holes are not looked for */
	int (*fdatasync)(int fd);
	int (*fsync)(int fd);
	int (*syncfs)(int fd);
	int (*fadvise)(int fd, off_t offset, off_t len, int advice);
	/* How many pages of the range are in the page cache: cachestat(2), Linux 6.5; else ENOSYS. */
	int (*cachestat)(int fd, uint64_t offset, uint64_t len, uint64_t *pages);
	int (*fcntl_lock)(int fd, int cmd, struct flock *lock); /* F_OFD_SETLK, F_OFD_GETLK */
	ssize_t (*copy_file_range)(int from, off_t *from_at, int to, off_t *to_at, size_t len, unsigned flags);
	int (*ficlone)(int to, int from); /* ioctl FICLONE: `to` shares all of `from`'s bytes until one is written to */
	ssize_t (*sendfile)(int to, int from, off_t *offset, size_t len);
	/* ---- small descriptors ---- */
	ssize_t (*read)(int fd, void *to, size_t len);
	ssize_t (*write)(int fd, const void *from, size_t len);
	int (*eventfd)(unsigned start, int flags);
	/* ---- sockets ---- */
	int (*socket)(int domain, int type, int protocol);
	int (*bind)(int fd, const struct sockaddr *addr, socklen_t len);
	int (*listen)(int fd, int backlog);
	int (*accept4)(int fd, struct sockaddr *addr, socklen_t *len, int flags);
	int (*connect)(int fd, const struct sockaddr *addr, socklen_t len);
	int (*shutdown)(int fd, int how);
	int (*getsockname)(int fd, struct sockaddr *addr, socklen_t *len);
	int (*getpeername)(int fd, struct sockaddr *addr, socklen_t *len);
	int (*getsockopt)(int fd, int level, int name, void *value, socklen_t *len);
	int (*setsockopt)(int fd, int level, int name, const void *value, socklen_t len);
	ssize_t (*readv)(int fd, const struct iovec *v, int n);
	ssize_t (*writev)(int fd, const struct iovec *v, int n);
	ssize_t (*sendmsg)(int fd, const struct msghdr *msg, int flags);
	ssize_t (*recvmsg)(int fd, struct msghdr *msg, int flags);
	int (*sendmmsg)(int fd, struct mmsghdr *msg, unsigned n, int flags);
	int (*recvmmsg)(int fd, struct mmsghdr *msg, unsigned n, int flags);
	/* ---- the rest ---- */
	int (*thread_start)(pthread_t *thread, void *(*run)(void *arg), void *arg); /* all signals blocked in it */
	ssize_t (*getrandom)(void *to, size_t len);
	shoal_us (*now)(void);	 /* CLOCK_MONOTONIC; cannot fail */
	void (*nap)(shoal_us);	 /* sleeps so long, a little longer, or less when a signal comes */
	int64_t (*unix_s)(void); /* CLOCK_REALTIME, seconds; cannot fail */
};

extern const struct shoal_os_ops shoal_os_real;

/* What errno `os` means to the rest of shoal: NO_SPACE, DENIED, GONE, EXISTS, NOMEM, or IO for all else. */
int shoal_os_err(int os);

#endif
