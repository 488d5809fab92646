/* tools/save.c - beside its place first, then renamed there. */
#include "tools/save.h"

#include "swarm/io/os.h"
#include "tools/say.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Errors keep the errno of what failed first. */
static int failed(int fd, const char *temporary)
{
	int os = errno;
	if (fd >= 0)
		close(fd);
	if (temporary)
		unlink(temporary);
	errno = os;
	return shoal_os_err(os);
}

static int write_all(int fd, struct shoal_bytes bytes)
{
	for (size_t done = 0; done < bytes.len;) {
		ssize_t n = write(fd, bytes.at + done, bytes.len - done);
		if (n < 0 && errno != EINTR)
			return -1;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* The folder `path` is an entry of; heap. NULL: no memory. */
static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	if (slash == NULL)
		return strdup(".");
	return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

/* Makes the new name last: its folder's entry must reach the disk too. */
static int sync_folder(const char *path)
{
	char *folder = folder_of(path);
	if (folder == NULL)
		return SHOAL_ERR_NOMEM;
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(folder);
	/* A folder we may write to and not read cannot be synced; the file itself is. */
	if (fd < 0)
		return errno == EACCES ? 0 : failed(-1, NULL);
	if (fsync(fd) < 0 && errno != EINVAL)
		return failed(fd, NULL);
	close(fd);
	return 0;
}

static int move_in(const char *temporary, const char *path, bool force)
{
	if (force)
		return rename(temporary, path) < 0 ? -1 : 0;
	if (renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	/* A file system without it: link() refuses to replace as well. */
	if (link(temporary, path) < 0)
		return -1;
	unlink(temporary);
	return 0;
}

int shoal_save_may(const char *path, bool force)
{
	struct stat st;
	bool there = lstat(path, &st) == 0; /* a link itself is what gets replaced */
	if (there && S_ISDIR(st.st_mode)) {
		errno = EISDIR; /* by no force */
		return shoal_os_err(errno);
	}
	if (there && !force)
		return SHOAL_ERR_EXISTS;
	char *folder = folder_of(path);
	int rc = 0;
	if (folder == NULL)
		return SHOAL_ERR_NOMEM;
	if (access(folder, W_OK | X_OK) < 0)
		rc = failed(-1, NULL);
	free(folder);
	return rc;
}

int shoal_save(const char *path, struct shoal_bytes bytes, bool force)
{
	char *temporary;
	/* Beside its place, so that the rename stays within one file system. */
	if (asprintf(&temporary, "%s.%ld.tmp", path, (long)getpid()) < 0)
		return SHOAL_ERR_NOMEM;
	int rc = 0, fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
	if (fd < 0)
		rc = failed(-1, NULL);
	else if (write_all(fd, bytes) < 0 || fsync(fd) < 0)
		rc = failed(fd, temporary);
	else if (close(fd) < 0 || move_in(temporary, path, force) < 0)
		rc = failed(-1, temporary);
	else
		rc = sync_folder(path);
	free(temporary);
	return rc;
}

int shoal_save_failed(struct shoal_tool *tool, const char *path, int rc)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	int os = errno;
	shoal_say_cstr(path, shown);
	if (rc == SHOAL_ERR_EXISTS)
		return shoal_say_fail(tool, rc, "%s is there already; --force replaces it", shown);
	return shoal_say_fail_as(tool, SHOAL_EXIT_STORAGE, rc, "%s: cannot be written: %s", shown,
				 rc == SHOAL_ERR_NOMEM ? "no memory" : strerror(os));
}
