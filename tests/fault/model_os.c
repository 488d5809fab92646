/* model_os.c - the table of OS calls over a model disk; what is no file of its stays the system's. */
#include "tests/fault/model_room.h"

#include <errno.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXT4_MAGIC 0xef53

/* Takes the lock, and the inode behind a descriptor (AT_FDCWD: the root). */
static struct model *enter(int fd, uint32_t *ino)
{
	struct model *m = model_now;
	if (m == NULL)
		abort();
	pthread_mutex_lock(&m->lock);
	*ino = MODEL_ROOT;
	if (fd != AT_FDCWD) {
		if (fd < MODEL_FD || fd >= MODEL_FD + MODEL_FDS || !m->fd[fd - MODEL_FD].used)
			abort(); /* a descriptor that is not open: a bug that must not hide */
		*ino = m->fd[fd - MODEL_FD].ino;
	}
	return m;
}

static int leave(struct model *m, int result)
{
	int os = errno;
	pthread_mutex_unlock(&m->lock);
	errno = os;
	return result;
}

static int fail(int os)
{
	errno = os;
	return -1;
}

static int fd_new(struct model *m, uint32_t ino, bool writes)
{
	for (int i = 0; i < MODEL_FDS; i++) {
		if (m->fd[i].used)
			continue;
		m->fd[i].used = true;
		m->fd[i].ino = ino;
		m->fd[i].writes = writes;
		model_opened(m, ino);
		return MODEL_FD + i;
	}
	return fail(EMFILE);
}

static enum model_barrier made_as(const struct model *m, uint32_t folder, const char *name, bool dir)
{
	if (m->inode[folder].made_as == MODEL_NONE) /* "/", "/home" */
		return strcmp(name, "state") == 0 ? MODEL_STATE_FOLDER : MODEL_SAVE_FOLDER;
	if (m->inode[folder].made_as == MODEL_STATE_FOLDER || m->inode[folder].made_as == MODEL_STATE_NAME)
		return MODEL_STATE_NAME;
	return dir ? MODEL_NEW_FOLDER : MODEL_NEW_FILE;
}

static int open_in(struct model *m, uint32_t dir, const char *path, int flags)
{
	const char *name;
	uint32_t ino = model_resolve(m, dir, path);
	if (ino == 0) {
		if (errno != ENOENT || !(flags & O_CREAT))
			return -1;
		uint32_t folder = model_walk_to(m, dir, path, &name);
		if (folder == 0)
			return -1;
		ino = model_make(m, folder, name, false, made_as(m, folder, name, false));
	} else if ((flags & O_CREAT) && (flags & O_EXCL)) {
		return fail(EEXIST);
	}
	bool writes = (flags & O_ACCMODE) != O_RDONLY;
	if (m->inode[ino].dir ? writes : (flags & O_DIRECTORY) != 0)
		return fail(m->inode[ino].dir ? EISDIR : ENOTDIR);
	if ((flags & O_TRUNC) && m->inode[ino].size)
		model_cut(m, ino, 0);
	return fd_new(m, ino, writes);
}

static int m_openat(int dir, const char *path, int flags, mode_t mode)
{
	uint32_t ino;
	(void)mode;
	struct model *m = enter(dir, &ino);
	return leave(m, open_in(m, ino, path, flags));
}

static int m_openat2(int dir, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	if ((resolve & RESOLVE_BENEATH) && path[0] == '/')
		return fail(EXDEV);
	return m_openat(dir, path, flags, mode);
}

static int m_close(int fd)
{
	uint32_t ino;
	if (fd < MODEL_FD)
		return shoal_os_real.close(fd);
	struct model *m = enter(fd, &ino);
	m->fd[fd - MODEL_FD].used = false;
	model_closed(m, ino);
	return leave(m, 0);
}

static int m_mkdirat(int dir, const char *path, mode_t mode)
{
	const char *name;
	uint32_t ino;
	int rc = -1;
	(void)mode;
	struct model *m = enter(dir, &ino);
	uint32_t folder = model_walk_to(m, ino, path, &name);
	if (folder != 0 && model_find(m, folder, name, strlen(name)) != 0)
		rc = fail(EEXIST);
	else if (folder != 0)
		rc = model_make(m, folder, name, true, made_as(m, folder, name, true)) ? 0 : -1;
	return leave(m, rc);
}

static int m_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	const char *from_name, *to_name;
	uint32_t a, b;
	struct model *m = enter(to_dir, &b);
	leave(m, 0);
	m = enter(from_dir, &a);
	a = model_walk_to(m, a, from, &from_name);
	b = a ? model_walk_to(m, b, to, &to_name) : 0;
	if (b == 0)
		return leave(m, -1);
	if (model_find(m, a, from_name, strlen(from_name)) == 0)
		return leave(m, fail(ENOENT));
	if ((flags & RENAME_NOREPLACE) && model_find(m, b, to_name, strlen(to_name)) != 0)
		return leave(m, fail(EEXIST));
	model_rename(m, a, from_name, b, to_name);
	return leave(m, 0);
}

static int m_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	(void)from_dir, (void)from, (void)to_dir, (void)to, (void)flags;
	return fail(EPERM);
}

static int m_unlinkat(int dir, const char *path, int flags)
{
	const char *name;
	uint32_t ino;
	(void)flags;
	struct model *m = enter(dir, &ino);
	uint32_t folder = model_walk_to(m, ino, path, &name);
	if (folder == 0 || model_find(m, folder, name, strlen(name)) == 0)
		return leave(m, fail(ENOENT));
	model_unlink(m, folder, name);
	return leave(m, 0);
}

static struct timespec time_of(int64_t ns)
{
	return (struct timespec){ .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };
}

static void stat_of(const struct model *m, uint32_t ino, struct stat *st)
{
	const struct model_inode *i = &m->inode[ino];
	*st = (struct stat){ .st_dev = 7,
			     .st_ino = ino,
			     .st_nlink = 1,
			     .st_mode = i->dir ? S_IFDIR | 0755 : S_IFREG | 0644,
			     .st_size = (off_t)i->size,
			     .st_mtim = time_of(i->mtime_ns),
			     .st_ctim = time_of(i->ctime_ns) };
}

static int m_fstat(int fd, struct stat *st)
{
	uint32_t ino;
	if (fd < MODEL_FD)
		return shoal_os_real.fstat(fd, st);
	struct model *m = enter(fd, &ino);
	stat_of(m, ino, st);
	return leave(m, 0);
}

static int m_fstatat(int dir, const char *path, struct stat *st, int flags)
{
	uint32_t ino;
	(void)flags;
	struct model *m = enter(dir, &ino);
	ino = model_resolve(m, ino, path);
	if (ino != 0)
		stat_of(m, ino, st);
	return leave(m, ino != 0 ? 0 : -1);
}

static int m_fstatvfs(int fd, struct statvfs *vfs)
{
	uint32_t ino;
	struct model *m = enter(fd, &ino);
	uint64_t room = m->room < UINT64_C(1) << 40 ? m->room : UINT64_C(1) << 40;
	*vfs = (struct statvfs){ .f_bsize = 1, .f_frsize = 1, .f_bavail = room, .f_bfree = room };
	return leave(m, 0);
}

static int m_fs_magic(int fd, uint32_t *magic)
{
	(void)fd;
	*magic = EXT4_MAGIC;
	return 0;
}

static ssize_t m_preadv(int fd, const struct iovec *v, int n, off_t offset)
{
	uint32_t ino;
	struct model *m = enter(fd, &ino);
	const struct model_inode *f = &m->inode[ino];
	uint64_t at = (uint64_t)offset;
	ssize_t got = 0;
	for (int i = 0; i < n && at < f->size; i++) {
		size_t len = f->size - at < v[i].iov_len ? (size_t)(f->size - at) : v[i].iov_len;
		memcpy(v[i].iov_base, f->at + at, len);
		at += len;
		got += (ssize_t)len;
	}
	leave(m, 0);
	return got;
}

static ssize_t m_pwritev(int fd, const struct iovec *v, int n, off_t offset)
{
	uint32_t ino;
	struct model *m = enter(fd, &ino);
	ssize_t put = 0;
	if (!m->fd[fd - MODEL_FD].writes)
		return leave(m, fail(EBADF));
	for (int i = 0; i < n; i++) {
		int os = model_write(m, ino, (uint64_t)offset + (uint64_t)put, v[i].iov_base, v[i].iov_len);
		if (os && put == 0)
			return leave(m, fail(os));
		if (os)
			break;
		put += (ssize_t)v[i].iov_len;
	}
	leave(m, 0);
	return put;
}

static int m_ftruncate(int fd, off_t size)
{
	uint32_t ino;
	struct model *m = enter(fd, &ino);
	model_cut(m, ino, (uint64_t)size);
	return leave(m, 0);
}

/* The lock is given up in between: a device takes its time, and others go on. */
static int sync_of(int fd, enum model_sync what)
{
	uint32_t ino;
	struct model *m = enter(fd, &ino);
	if (m->inode[ino].dir && what != SYNC_ALL)
		what = SYNC_NAMES;
	struct model_op sync = model_sync_begin(m, what, what == SYNC_ALL ? MODEL_VOLUME : MODEL_DATA, ino);
	leave(m, 0);
	if (m->linger)
		usleep(m->linger);
	pthread_mutex_lock(&m->lock);
	int os = model_sync_end(m, sync);
	pthread_mutex_unlock(&m->lock);
	return os ? fail(os) : 0;
}

static int m_fdatasync(int fd)
{
	return sync_of(fd, SYNC_DATA);
}
static int m_fsync(int fd)
{
	return sync_of(fd, SYNC_FILE);
}
static int m_syncfs(int fd)
{
	return sync_of(fd, SYNC_ALL);
}

static int m_fadvise(int fd, off_t offset, off_t len, int advice)
{
	uint32_t ino;
	(void)offset, (void)len;
	struct model *m = enter(fd, &ino);
	if (advice == POSIX_FADV_DONTNEED)
		model_drop(m, ino);
	return leave(m, 0);
}

static int m_cachestat(int fd, uint64_t offset, uint64_t len, uint64_t *pages)
{
	(void)fd, (void)offset, (void)len, (void)pages;
	return fail(ENOSYS);
}

/* A copy within the disk is its reads and writes, so that each can be torn; a clone is one change. */
static ssize_t m_copy_file_range(int from, off_t *from_at, int to, off_t *to_at, size_t len, unsigned flags)
{
	(void)from, (void)from_at, (void)to, (void)to_at, (void)len, (void)flags;
	return fail(EXDEV);
}

static int m_ficlone(int to, int from)
{
	struct stat st;
	if (m_fstat(from, &st) < 0)
		return -1;
	struct iovec v = { model_must(malloc((size_t)st.st_size + 1)), (size_t)st.st_size };
	ssize_t n = m_preadv(from, &v, 1, 0);
	if (n >= 0)
		n = m_pwritev(to, &v, 1, 0);
	free(v.iov_base);
	return n < 0 ? -1 : 0;
}

static int m_fcntl_lock(int fd, int cmd, struct flock *lock)
{
	(void)fd, (void)cmd, (void)lock;
	return 0;
}

const struct shoal_os_ops *model_os(void)
{
	static struct shoal_os_ops ops;
	if (ops.openat == NULL) {
		ops = shoal_os_real;
		ops.openat2 = m_openat2;
		ops.openat = m_openat;
		ops.close = m_close;
		ops.mkdirat = m_mkdirat;
		ops.renameat2 = m_renameat2;
		ops.linkat = m_linkat;
		ops.unlinkat = m_unlinkat;
		ops.fstat = m_fstat;
		ops.fstatat = m_fstatat;
		ops.fstatvfs = m_fstatvfs;
		ops.fs_magic = m_fs_magic;
		ops.preadv = m_preadv;
		ops.preadv_nowait = m_preadv;
		ops.pwritev = m_pwritev;
		ops.ftruncate = m_ftruncate;
		ops.fdatasync = m_fdatasync;
		ops.fsync = m_fsync;
		ops.syncfs = m_syncfs;
		ops.fadvise = m_fadvise;
		ops.cachestat = m_cachestat;
		ops.copy_file_range = m_copy_file_range;
		ops.ficlone = m_ficlone;
		ops.fcntl_lock = m_fcntl_lock;
	}
	return &ops;
}
