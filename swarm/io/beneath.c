/* beneath.c - openat2 where the kernel has it, else one O_NOFOLLOW step at a time. */
#include "swarm/io/beneath.h"

#include <errno.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>

#define RESOLVE (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)

bool shoal_beneath_by_hand(const struct shoal_os_ops *os)
{
	int fd = os->openat2(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0, RESOLVE_NO_MAGICLINKS);
	if (fd < 0)
		return true; /* ENOSYS; EPERM from a seccomp filter that does not know the call */
	os->close(fd);
	return false;
}

/* Closing must not hide why we close. */
static void close_quietly(const struct shoal_os_ops *os, int fd)
{
	int os_was = errno;
	if (fd >= 0)
		os->close(fd);
	errno = os_was;
}

/* Opens the folder of the first `len` bytes of `path` for walking on; the root's own descriptor when len is 0. */
static int walk(const struct shoal_beneath *b, const char *path, size_t len)
{
	int dir = b->root;
	for (size_t pos = 0; pos < len;) {
		char name[NAME_MAX + 1];
		const char *slash = memchr(path + pos, '/', len - pos);
		size_t n = slash ? (size_t)(slash - (path + pos)) : len - pos;
		int next = -1;
		if (n == 0 || n > NAME_MAX) {
			errno = n ? ENAMETOOLONG : EXDEV; /* "" is an absolute path or a double '/' */
		} else if (path[pos] == '.' && (n == 1 || (n == 2 && path[pos + 1] == '.'))) {
			errno = EXDEV;
		} else {
			memcpy(name, path + pos, n);
			name[n] = '\0';
			next = b->os->openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
		}
		if (dir != b->root)
			close_quietly(b->os, dir);
		if (next < 0)
			return -1;
		dir = next;
		pos += n + 1;
	}
	return dir;
}

size_t shoal_beneath_dir_len(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? (size_t)(slash - path) : 0;
}

int shoal_beneath_open(const struct shoal_beneath *b, const char *path, int flags, mode_t mode)
{
	flags |= O_CLOEXEC;
	if (path[0] == '\0')
		return b->os->openat(b->root, ".", flags, mode);
	/* A suffix can push a path just past what one call takes. */
	if (!b->by_hand && strlen(path) < PATH_MAX)
		return b->os->openat2(b->root, path, flags, mode, RESOLVE);

	size_t dir_len = shoal_beneath_dir_len(path);
	const char *name = dir_len ? path + dir_len + 1 : path;
	if (name[0] == '\0' || name[0] == '/' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
		errno = EXDEV;
		return -1;
	}
	int dir = walk(b, path, dir_len);
	if (dir < 0)
		return -1;
	int fd = b->os->openat(dir, name, flags | O_NOFOLLOW, mode);
	if (dir != b->root)
		close_quietly(b->os, dir);
	return fd;
}

int shoal_beneath_file(const struct shoal_beneath *b, const char *path, int flags, mode_t mode, struct stat *st)
{
	/* O_NONBLOCK means nothing to a regular file, and keeps a FIFO from holding us. */
	int fd = shoal_beneath_open(b, path, flags | O_NONBLOCK | O_NOCTTY, mode);
	if (fd < 0)
		return -1;
	if (b->os->fstat(fd, st) == 0) {
		if (S_ISREG(st->st_mode))
			return fd;
		errno = S_ISDIR(st->st_mode) ? EISDIR : ENXIO;
	}
	close_quietly(b->os, fd);
	return -1;
}

int shoal_beneath_make(const struct shoal_beneath *b, const char *path,
		       void (*told)(void *to, const char *dir, size_t len), void *to)
{
	size_t dir_len = shoal_beneath_dir_len(path);
	int dir = b->root;
	for (size_t pos = 0; pos < dir_len;) {
		char name[NAME_MAX + 1];
		const char *slash = strchr(path + pos, '/'); /* there is one: dir_len ends at it */
		size_t n = (size_t)(slash - (path + pos));
		int next = -1;
		if (n == 0 || n > NAME_MAX) {
			errno = n ? ENAMETOOLONG : EXDEV;
			goto stop;
		}
		memcpy(name, path + pos, n);
		name[n] = '\0';
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
			errno = EXDEV;
			goto stop;
		}
		next = b->os->openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
		if (next < 0 && errno == ENOENT) {
			if (b->os->mkdirat(dir, name, 0777) == 0)
				told(to, path, pos ? pos - 1 : 0);
			else if (errno != EEXIST) /* else: another thread was faster */
				goto stop;
			next = b->os->openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
		}
		if (next < 0 && errno == ENOTDIR)
			errno = EEXIST;
	stop:
		if (dir != b->root)
			close_quietly(b->os, dir);
		if (next < 0)
			return -1;
		dir = next;
		pos += n + 1;
	}
	if (dir != b->root)
		b->os->close(dir);
	return 0;
}

int shoal_beneath_at(const struct shoal_beneath *b, struct shoal_beneath_at *at, const char *path, const char **name)
{
	size_t len = shoal_beneath_dir_len(path);
	*name = len ? path + len + 1 : path;
	if (len == 0)
		return b->root;
	if (at->dir == NULL || at->len != len || memcmp(at->dir, path, len) != 0) {
		shoal_beneath_at_fini(b, at);
		at->dir = strndup(path, len);
		if (at->dir == NULL) {
			errno = ENOMEM;
			return -1;
		}
		at->len = len;
		at->fd = shoal_beneath_open(b, at->dir, O_PATH | O_DIRECTORY, 0);
		at->os = at->fd < 0 ? errno : 0;
	}
	errno = at->os;
	return at->fd;
}

void shoal_beneath_at_fini(const struct shoal_beneath *b, struct shoal_beneath_at *at)
{
	close_quietly(b->os, at->fd);
	free(at->dir);
	*at = (struct shoal_beneath_at)SHOAL_BENEATH_AT_INIT;
}
