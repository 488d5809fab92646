/* faulty.c - see faulty.h. One list of entries; wrappers, names and both tables come from it. */
#include "tests/fault/faulty.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

/* kind: f about files, m moves bytes of one, n about sockets, s moves bytes of one */
#define ENTRIES(X)                                                                                              \
	X(f, int, openat2, (int dir, const char *path, int flags, mode_t mode, uint64_t resolve),               \
	  (dir, path, flags, mode, resolve))                                                                    \
	X(f, int, openat, (int dir, const char *path, int flags, mode_t mode), (dir, path, flags, mode))        \
	X(f, int, mkdirat, (int dir, const char *path, mode_t mode), (dir, path, mode))                         \
	X(f, int, renameat2, (int a, const char *from, int b, const char *to, unsigned flags),                  \
	  (a, from, b, to, flags))                                                                              \
	X(f, int, linkat, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags)) \
	X(f, int, unlinkat, (int dir, const char *path, int flags), (dir, path, flags))                         \
	X(f, int, fstat, (int fd, struct stat *st), (fd, st))                                                   \
	X(f, int, fstatat, (int dir, const char *path, struct stat *st, int flags), (dir, path, st, flags))     \
	X(f, int, fstatvfs, (int fd, struct statvfs *vfs), (fd, vfs))                                           \
	X(f, int, fs_magic, (int fd, uint32_t *magic), (fd, magic))                                             \
	X(m, ssize_t, preadv, (int fd, const struct iovec *v, int n, off_t at), (fd, v, n, at))                 \
	X(f, ssize_t, preadv_nowait, (int fd, const struct iovec *v, int n, off_t at), (fd, v, n, at))          \
	X(m, ssize_t, pwritev, (int fd, const struct iovec *v, int n, off_t at), (fd, v, n, at))                \
	X(f, int, ftruncate, (int fd, off_t size), (fd, size))                                                  \
	X(f, int, fdatasync, (int fd), (fd))                                                                    \
	X(f, int, fsync, (int fd), (fd))                                                                        \
	X(f, int, syncfs, (int fd), (fd))                                                                       \
	X(f, int, fadvise, (int fd, off_t at, off_t len, int advice), (fd, at, len, advice))                    \
	X(f, int, cachestat, (int fd, uint64_t at, uint64_t len, uint64_t *pages), (fd, at, len, pages))        \
	X(f, int, fcntl_lock, (int fd, int cmd, struct flock *lock), (fd, cmd, lock))                           \
	X(m, ssize_t, copy_file_range, (int from, off_t *a, int to, off_t *b, size_t len, unsigned flags),      \
	  (from, a, to, b, len, flags))                                                                         \
	X(f, int, ficlone, (int to, int from), (to, from))                                                      \
	X(s, ssize_t, sendfile, (int to, int from, off_t *at, size_t len), (to, from, at, len))                 \
	X(m, ssize_t, read, (int fd, void *to, size_t len), (fd, to, len))                                      \
	X(m, ssize_t, write, (int fd, const void *from, size_t len), (fd, from, len))                           \
	X(f, int, eventfd, (unsigned start, int flags), (start, flags))                                         \
	X(n, int, socket, (int domain, int type, int protocol), (domain, type, protocol))                       \
	X(n, int, bind, (int fd, const struct sockaddr *addr, socklen_t len), (fd, addr, len))                  \
	X(n, int, listen, (int fd, int backlog), (fd, backlog))                                                 \
	X(n, int, accept4, (int fd, struct sockaddr *addr, socklen_t *len, int flags), (fd, addr, len, flags))  \
	X(n, int, connect, (int fd, const struct sockaddr *addr, socklen_t len), (fd, addr, len))               \
	X(n, int, shutdown, (int fd, int how), (fd, how))                                                       \
	X(n, int, getsockname, (int fd, struct sockaddr *addr, socklen_t *len), (fd, addr, len))                \
	X(n, int, getpeername, (int fd, struct sockaddr *addr, socklen_t *len), (fd, addr, len))                \
	X(n, int, getsockopt, (int fd, int level, int name, void *value, socklen_t *len),                       \
	  (fd, level, name, value, len))                                                                        \
	X(n, int, setsockopt, (int fd, int level, int name, const void *value, socklen_t len),                  \
	  (fd, level, name, value, len))                                                                        \
	X(s, ssize_t, readv, (int fd, const struct iovec *v, int n), (fd, v, n))                                \
	X(s, ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n))                               \
	X(s, ssize_t, sendmsg, (int fd, const struct msghdr *msg, int flags), (fd, msg, flags))                 \
	X(s, ssize_t, recvmsg, (int fd, struct msghdr *msg, int flags), (fd, msg, flags))                       \
	X(s, int, sendmmsg, (int fd, struct mmsghdr *msg, unsigned n, int flags), (fd, msg, n, flags))          \
	X(s, int, recvmmsg, (int fd, struct mmsghdr *msg, unsigned n, int flags), (fd, msg, n, flags))          \
	X(f, int, thread_start, (pthread_t * thread, void *(*run)(void *arg), void *arg), (thread, run, arg))

enum entry {
#define X(kind, type, name, args, call) E_##name,
	ENTRIES(X)
#undef X
		E_COUNT
};
static const struct {
	const char *name;
	char kind;
} entries[E_COUNT] = {
#define X(kind, type, name, args, call) { #name, #kind[0] },
	ENTRIES(X)
#undef X
};

static struct party {
	atomic_uint calls[E_COUNT], entry, nth;
	atomic_int os;
	atomic_bool happened;
} parties[2];

const char *faulty_name(unsigned entry)
{
	return entry < E_COUNT ? entries[entry].name : NULL;
}
bool faulty_moves(unsigned entry)
{
	return entries[entry].kind == 'm' || entries[entry].kind == 's';
}
bool faulty_is_net(unsigned entry)
{
	return entries[entry].kind == 'n' || entries[entry].kind == 's';
}

static bool fails(struct party *p, enum entry entry)
{
	unsigned k = atomic_fetch_add(&p->calls[entry], 1) + 1;
	if (p->entry != entry || p->nth != k)
		return false;
	p->happened = true;
	errno = p->os;
	return true;
}

#define X(kind, type, name, args, call)                                             \
	static type f0_##name args                                                  \
	{                                                                           \
		return fails(&parties[0], E_##name) ? -1 : shoal_os_real.name call; \
	}                                                                           \
	static type f1_##name args                                                  \
	{                                                                           \
		return fails(&parties[1], E_##name) ? -1 : shoal_os_real.name call; \
	}
ENTRIES(X)
#undef X

const struct shoal_os_ops *faulty_table(unsigned party)
{
	static struct shoal_os_ops ops[2];
	if (ops[0].openat == NULL) {
		ops[0] = ops[1] = shoal_os_real;
#define X(kind, type, name, args, call) \
	ops[0].name = f0_##name;        \
	ops[1].name = f1_##name;
		ENTRIES(X)
#undef X
	}
	return &ops[party];
}

void faulty_arm(unsigned party, unsigned entry, unsigned nth, int os)
{
	struct party *p = &parties[party];
	p->nth = 0;
	for (unsigned i = 0; i < E_COUNT; i++)
		p->calls[i] = 0;
	p->entry = entry;
	p->os = os;
	p->happened = false;
	p->nth = nth;
}
unsigned faulty_calls(unsigned party, unsigned entry)
{
	return parties[party].calls[entry];
}
bool faulty_happened(unsigned party)
{
	return parties[party].happened;
}
