/* files_adopt.c - bytes that lie in another file already: shared (reflink), named twice (hard link), or copied. */
#include "swarm/io/files_inner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "swarm/io/zeros.h"

#define COPY_AT_ONCE (1u << 20) /* asked of the kernel in one call */
#define COPY_BUFFER (256u << 10)

/* ---- the candidate -------------------------------------------------------------------------- */

struct candidate {
	const struct shoal_os_ops *os;
	struct shoal_beneath beneath;
	int fd;
	struct stat st;
};

static int candidate_open(struct candidate *c, const struct shoal_files *files, const struct shoal_disk_adopt *a)
{
	const struct shoal_os_ops *os = files->os;
	*c = (struct candidate){ .os = os, .beneath = { .os = os, .by_hand = files->by_hand }, .fd = -1 };
	c->beneath.root = os->openat(AT_FDCWD, a->folder, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (c->beneath.root < 0)
		return -1;
	c->fd = shoal_beneath_file(&c->beneath, a->path, O_RDONLY, 0, &c->st);
	return c->fd < 0 ? -1 : 0;
}

static void candidate_close(struct candidate *c)
{
	if (c->fd >= 0)
		c->os->close(c->fd);
	if (c->beneath.root >= 0)
		c->os->close(c->beneath.root);
}

/* ---- a copy ------------------------------------------------------------------------------------ */

/* Read and written by hand. -1 and *os_err when that fails at our end; what cannot be read is not to be had here. */
static int copy_by_hand(const struct shoal_os_ops *os, int from, int to, uint64_t at, uint64_t len,
			struct shoal_disk_adopt *a, int *os_err)
{
	uint8_t *buffer = malloc(COPY_BUFFER);
	int rc = buffer != NULL ? 0 : -1;
	if (rc < 0)
		*os_err = ENOMEM;
	while (rc == 0 && len > 0) {
		struct iovec v = { buffer, len < COPY_BUFFER ? (size_t)len : COPY_BUFFER };
		ssize_t n = os->preadv(from, &v, 1, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			a->why = n < 0 ? errno : ENODATA;
			break;
		}
		for (size_t done = 0; rc == 0 && done < (size_t)n;) {
			struct iovec w = { buffer + done, (size_t)n - done };
			ssize_t put = shoal_zeros_write(os, to, &w, 1, at + done);
			if (put == 0)
				put = os->pwritev(to, &w, 1, (off_t)(at + done));
			if (put < 0 && errno == EINTR)
				continue;
			if (put <= 0) {
				*os_err = put < 0 ? errno : EIO;
				rc = -1;
				break;
			}
			done += (size_t)put;
			a->done += (size_t)put;
		}
		at += (size_t)n;
		len -= (size_t)n;
	}
	free(buffer);
	return rc;
}

/* The kernel copies, where it can: a file system may share the blocks, and a server copy them on its own side. */
static int copy_range(const struct shoal_os_ops *os, int from, int to, uint64_t at, uint64_t len,
		      struct shoal_disk_adopt *a, int *os_err)
{
	while (len > 0) {
		off_t from_at = (off_t)at, to_at = (off_t)at;
		size_t chunk = len < COPY_AT_ONCE ? (size_t)len : COPY_AT_ONCE;
		if (shoal_zeros_hole(os, from, at, chunk)) { /* it stays one */
			if (copy_by_hand(os, from, to, at, chunk, a, os_err) < 0)
				return -1;
			if (a->why != 0)
				return 0;
			at += chunk;
			len -= chunk;
			continue;
		}
		ssize_t n = os->copy_file_range(from, &from_at, to, &to_at, chunk, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)) {
			*os_err = errno;
			return -1;
		}
		if (n <= 0) /* it cannot here; or whose fault it is, the reading by hand will tell */
			return copy_by_hand(os, from, to, at, len, a, os_err);
		a->done += (size_t)n;
		at += (size_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* ---- into a file of ours -------------------------------------------------------------------------- */

/* FICLONE and the copy write through the table of open files, so that what they bring is synced like any write. */
static int bring(struct shoal_files *files, struct storage *st, uint32_t file, const struct candidate *c,
		 struct shoal_disk_adopt *a, struct shoal_files_fault *fault)
{
	const struct shoal_os_ops *os = files->os;
	uint64_t size = shoal_metainfo_file_size(st->mi, file);
	uint64_t there = (uint64_t)c->st.st_size, end = shoal_min_u64(shoal_min_u64(there, size), a->offset + a->len);
	struct entry *e;
	struct stat mine;
	int rc = 0, os_err = 0;
	bool clone = (a->ways & SHOAL_ADOPT_REFLINK) && there == size;
	if (!clone && (!(a->ways & SHOAL_ADOPT_COPY) || end <= a->offset)) {
		a->why = ENODATA;
		return 0;
	}
	if ((rc = shoal_files_acquire(files, st, file, FD_WRITE, &e, fault)) < 0)
		return rc;
	if (os->fstat(e->fd, &mine) < 0) {
		rc = shoal_files_fail(fault, errno, file);
	} else if (mine.st_dev == c->st.st_dev && mine.st_ino == c->st.st_ino) {
		a->why = ELOOP; /* it is the very file */
	} else if (clone && mine.st_size == 0 && os->ficlone(e->fd, c->fd) == 0) {
		a->way = SHOAL_ADOPT_REFLINK;
		a->offset = 0;
		a->done = size;
	} else if ((a->ways & SHOAL_ADOPT_COPY) && end > a->offset) {
		a->way = SHOAL_ADOPT_COPY;
		rc = copy_range(os, c->fd, e->fd, a->offset, end - a->offset, a, &os_err);
		if (rc < 0)
			rc = shoal_files_fail(fault, os_err, file);
	} else {
		a->why = clone ? errno : ENODATA;
	}
	shoal_files_release(files, e, FD_WRITE, a->done > 0);
	return rc;
}

/* ---- a second name --------------------------------------------------------------------------------- */

/* Descriptors of two folders, and the last components. */
struct names {
	struct shoal_beneath_at from, to;
	int from_dir, to_dir;
	const char *from_name, *to_name;
};

static bool cannot_link(int os)
{
	return os == EXDEV || os == EPERM || os == EMLINK || os == EOPNOTSUPP || os == ENOSYS || os == EACCES;
}

static int link_up(struct shoal_files *files, struct storage *st, uint32_t file, struct candidate *c,
		   struct shoal_disk_adopt *a, struct shoal_files_fault *fault)
{
	char path[SHOAL_FILES_PATH_MAX], part[SHOAL_FILES_PATH_MAX];
	const struct shoal_os_ops *os = files->os;
	struct shoal_beneath b;
	struct shoal_files_mark to = { files, st };
	struct names n = { .from = SHOAL_BENEATH_AT_INIT, .to = SHOAL_BENEATH_AT_INIT };
	struct stat now;
	if ((uint64_t)c->st.st_size != shoal_metainfo_file_size(st->mi, file)) {
		a->why = ENODATA;
		return 0;
	}
	int rc = shoal_files_folder(files, st, true, &b, fault);
	if (rc < 0 || (rc = shoal_files_paths(st, file, path, part)) < 0) {
		fault->file = file;
		return rc;
	}
	if (shoal_beneath_make(&b, part, shoal_files_dir_told, &to) < 0)
		return shoal_files_fail(fault, errno, file);
	n.from_dir = shoal_beneath_at(&c->beneath, &n.from, a->path, &n.from_name);
	if (n.from_dir < 0)
		a->why = errno;
	n.to_dir = shoal_beneath_at(&b, &n.to, part, &n.to_name);
	if (n.to_dir < 0)
		rc = shoal_files_fail(fault, errno, file);
	if (rc == 0 && a->why == 0 && os->linkat(n.from_dir, n.from_name, n.to_dir, n.to_name, 0) < 0) {
		a->why = errno;
		if (!cannot_link(errno) && errno != ENOENT && errno != EEXIST)
			rc = shoal_files_fail(fault, errno, file);
	} else if (rc == 0 && a->why == 0) {
		shoal_files_dir_mark(files, st, part, shoal_beneath_dir_len(part));
		bool same = os->fstatat(n.to_dir, n.to_name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
			    now.st_ino == c->st.st_ino && now.st_dev == c->st.st_dev;
		if (same) {
			a->way = SHOAL_ADOPT_LINK;
			a->offset = 0;
			a->done = (uint64_t)c->st.st_size;
		} else { /* it was swapped under us: not what we have looked at */
			a->why = ESTALE;
			(void)!os->unlinkat(n.to_dir, n.to_name, 0);
		}
	}
	shoal_beneath_at_fini(&c->beneath, &n.from);
	shoal_beneath_at_fini(&b, &n.to);
	return rc;
}

/* ---- a file with two names ---------------------------------------------------------------------------- */

#define OWN_SUFFIX "~own" /* and a digit: one may be left from a life that ended in here */
#define OWN_NAMES 8

/* All of it, from one descriptor to another. -1 and errno. */
static int copy_whole(const struct shoal_os_ops *os, int from, int to, uint64_t size)
{
	struct shoal_disk_adopt a = { .len = size };
	int os_err = 0;
	if (os->ficlone(to, from) == 0)
		return 0;
	int rc = copy_range(os, from, to, 0, size, &a, &os_err);
	if (rc == 0 && a.done == size)
		return 0;
	errno = rc < 0 ? os_err : a.why;
	return -1;
}

int shoal_files_unshare(struct shoal_files *files, struct storage *st, const struct shoal_beneath *b, const char *path,
			int *fd, struct stat *stat)
{
	const struct shoal_os_ops *os = files->os;
	char own[SHOAL_FILES_PATH_MAX + sizeof OWN_SUFFIX + 1];
	struct shoal_beneath_at at = SHOAL_BENEATH_AT_INIT;
	const char *name;
	size_t len = strlen(path);
	struct stat made;
	int dir = shoal_beneath_at(b, &at, path, &name), why, to = -1;
	const char *own_name = own + (name - path);
	errno = dir < 0 ? errno : EEXIST;
	memcpy(own, path, len);
	for (unsigned i = 0; dir >= 0 && to < 0 && errno == EEXIST && i < OWN_NAMES; i++) {
		snprintf(own + len, sizeof own - len, OWN_SUFFIX "%u", i);
		to = shoal_beneath_file(b, own, O_RDWR | O_CREAT | O_EXCL, 0666, &made);
	}
	if (to < 0)
		goto failed;
	/* What is claimed of it must be on the medium before the name stands for it. */
	if (copy_whole(os, *fd, to, (uint64_t)stat->st_size) < 0 || os->fdatasync(to) < 0 || os->fstat(to, &made) < 0 ||
	    os->renameat2(dir, own_name, dir, name, 0) < 0) {
		why = errno;
		(void)!os->unlinkat(dir, own_name, 0);
		os->close(to);
		errno = why;
		goto failed;
	}
	shoal_files_dir_mark(files, st, path, shoal_beneath_dir_len(path));
	shoal_beneath_at_fini(b, &at);
	os->close(*fd);
	*fd = to;
	*stat = made;
	return 0;
failed:
	why = errno;
	shoal_beneath_at_fini(b, &at);
	errno = why;
	return -1;
}

int shoal_files_adopt(struct shoal_files *files, uint32_t storage, uint32_t file, struct shoal_disk_adopt *a,
		      struct shoal_files_fault *fault)
{
	struct storage *st = shoal_files_storage(files, storage);
	struct candidate c;
	uint64_t end;
	int rc = 0;
	*fault = (struct shoal_files_fault){ 0, SHOAL_FILES_NO_FILE };
	a->way = 0;
	a->done = 0;
	a->why = 0;
	if (st == NULL || file >= shoal_metainfo_file_count(st->mi) || !shoal_add_u64(a->offset, a->len, &end))
		return SHOAL_ERR_RANGE;
	if (st->read_only)
		return shoal_files_fail(fault, EROFS, file);
	if (candidate_open(&c, files, a) < 0) {
		a->why = errno;
		goto out;
	}
	if (a->same_size && (uint64_t)c.st.st_size != shoal_metainfo_file_size(st->mi, file)) {
		a->why = ENODATA;
		goto out;
	}
	if (a->ways & SHOAL_ADOPT_LINK) {
		rc = link_up(files, st, file, &c, a, fault);
		if (rc < 0 || a->way)
			goto out;
	}
	if (a->ways & (SHOAL_ADOPT_REFLINK | SHOAL_ADOPT_COPY)) {
		a->why = 0;
		rc = bring(files, st, file, &c, a, fault);
	}
out:
	candidate_close(&c);
	return rc;
}
