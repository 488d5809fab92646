/* owner.c - lock files that clean up after themselves. */
#include "swarm/io/owner.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "proto/base/digest.h"

#define TRIES 100 /* lock files that vanish between open and lock */

int shoal_owner_state(const struct shoal_os_ops *os, const char *state)
{
	int why = 0;
	char *path = strdup(state);
	if (path == NULL)
		return SHOAL_ERR_NOMEM;
	size_t len = strlen(path);
	for (size_t end = 1; end <= len; end++) {
		if (path[end] != '/' && path[end] != '\0')
			continue;
		char was = path[end];
		path[end] = '\0';
		if (os->mkdirat(AT_FDCWD, path, 0700) < 0 && errno != EEXIST)
			why = errno; /* EACCES above our own part of the path: the last one decides */
		else
			why = 0;
		path[end] = was;
	}
	struct stat st;
	int rc = 0;
	if (why)
		rc = shoal_os_err(why);
	else if (os->fstatat(AT_FDCWD, path, &st, 0) < 0)
		rc = shoal_os_err(errno);
	else if (!S_ISDIR(st.st_mode))
		rc = SHOAL_ERR_EXISTS;
	free(path);
	return rc;
}

static int folder_sync(const struct shoal_os_ops *os, const char *folder)
{
	int fd = os->openat(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return shoal_os_err(errno);
	/* EINVAL: a file system without fsync, read-only ones for the most part. */
	int rc = os->fsync(fd) < 0 && errno != EINVAL ? shoal_os_err(errno) : 0;
	os->close(fd);
	return rc;
}

int shoal_owner_state_sync(const struct shoal_os_ops *os, const char *state)
{
	char *path = strdup(state);
	if (path == NULL)
		return SHOAL_ERR_NOMEM;
	int rc = folder_sync(os, path);
	for (size_t len = strlen(path); len > 0 && rc == 0;) {
		while (len > 0 && path[len - 1] == '/')
			len--;
		while (len > 0 && path[len - 1] != '/')
			len--;
		path[len] = '\0';
		rc = folder_sync(os, len > 0 ? path : ".");
		if (rc == SHOAL_ERR_DENIED) /* ours to pass through and not to read: not made by us either */
			rc = 0;
		if (len == 1)
			break;
	}
	free(path);
	return rc;
}

/* The folder's one name, whatever links and dots led to it; what does not exist yet is taken as written. */
static char *real_path(const char *folder)
{
	char *path = strdup(folder[0] ? folder : "."), *real = NULL;
	size_t len = path ? strlen(path) : 0;
	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
	for (size_t end = len; path && real == NULL;) {
		char was = path[end];
		path[end] = '\0';
		real = realpath(end ? path : (path[0] == '/' || was == '/') ? "/" : ".", NULL);
		path[end] = was;
		if (real == NULL && end == 0)
			break;
		if (real && end < len) {
			char *whole = NULL;
			const char *rest = path + end + (was == '/');
			if (asprintf(&whole, "%s/%s", strcmp(real, "/") == 0 ? "" : real, rest) < 0)
				whole = NULL;
			free(real);
			real = whole;
			break;
		}
		while (end && path[end - 1] != '/')
			end--;
		while (end && path[end - 1] == '/')
			end--;
	}
	if (real == NULL)
		return path;
	free(path);
	return real;
}

int shoal_owner_name(const struct shoal_id32 *id, const char *folder, char out[33])
{
	struct shoal_sha256 sha, *ctx = &sha;
	uint8_t digest[32];
	const uint8_t *at = id->b;
	char *real = real_path(folder);
	if (real == NULL)
		return SHOAL_ERR_NOMEM;
	shoal_sha256_init(&sha);
	shoal_sha256_advance(&ctx, &at, 1, sizeof id->b);
	at = (const uint8_t *)real;
	shoal_sha256_advance(&ctx, &at, 1, strlen(real));
	shoal_sha256_final(&sha, digest);
	free(real);
	for (size_t i = 0; i < 16; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

static long pid_in(const struct shoal_os_ops *os, int fd)
{
	char text[24] = { 0 };
	struct iovec v = { text, sizeof text - 1 };
	if (os->preadv(fd, &v, 1, 0) <= 0)
		return 0;
	long pid = strtol(text, NULL, 10);
	return pid > 0 ? pid : 0;
}

static void pid_write(const struct shoal_os_ops *os, int fd)
{
	char text[24];
	int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
	struct iovec v = { text, (size_t)n };
	/* For people alone: the lock holds without it. */
	if (os->ftruncate(fd, 0) == 0 && os->pwritev(fd, &v, 1, 0) < 0)
		return;
}

/* 1 locked, 0 the file vanished: again, < 0. */
static int lock_once(struct shoal_owner *owner, const char *path, long *pid)
{
	const struct shoal_os_ops *os = owner->os;
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat st;
	int rc;
	int fd = os->openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return shoal_os_err(errno);
	if (os->fcntl_lock(fd, F_OFD_SETLK, &whole) < 0) {
		rc = shoal_os_err(errno);
		if (errno == EAGAIN || errno == EACCES) {
			rc = SHOAL_ERR_OWNED;
			*pid = pid_in(os, fd);
		}
	} else if (os->fstat(fd, &st) < 0) {
		rc = shoal_os_err(errno);
	} else if (st.st_nlink == 0) { /* its owner let go, and took the name away, after we opened it */
		rc = 0;
	} else {
		pid_write(os, fd);
		owner->fd = fd;
		return 1;
	}
	os->close(fd);
	return rc;
}

int shoal_owner_take(struct shoal_owner *owner, const struct shoal_os_ops *os, const char *state,
		     const struct shoal_id32 *id, const char *folder, long *pid)
{
	char name[33], *locks = NULL;
	*owner = (struct shoal_owner){ .os = os, .fd = -1 };
	*pid = 0;
	int rc = shoal_owner_name(id, folder, name);
	if (rc < 0)
		return rc;
	if (asprintf(&locks, "%s/locks", state) < 0)
		return SHOAL_ERR_NOMEM;
	if (asprintf(&owner->path, "%s/%s", locks, name) < 0) {
		owner->path = NULL;
		rc = SHOAL_ERR_NOMEM;
	} else if ((rc = shoal_owner_state(os, locks)) == 0) {
		rc = SHOAL_ERR_BUSY;
	}
	free(locks);
	for (int i = 0; i < TRIES && rc == SHOAL_ERR_BUSY; i++) {
		int once = lock_once(owner, owner->path, pid);
		if (once != 0)
			rc = once > 0 ? 0 : once;
	}
	if (rc < 0) {
		free(owner->path);
		owner->path = NULL;
	}
	return rc;
}

void shoal_owner_drop(struct shoal_owner *owner)
{
	if (owner->os == NULL || owner->fd < 0)
		return;
	/* While the lock is held: whoever opened the old file will see that it has no name. */
	owner->os->unlinkat(AT_FDCWD, owner->path, 0);
	owner->os->close(owner->fd);
	free(owner->path);
	owner->path = NULL;
	owner->fd = -1;
}
