/*
 * model_vfs.c - SQLite over a model disk: its files, its locks, its shared memory.
 *
 * Keeps to what SQLite's own unix VFS does about durability: xSync is an fsync of the file, and the
 * first one of a new journal or WAL syncs the folder too; a delete that asks for it syncs the folder.
 * Locks and shared memory die with the "process", that is when the last connection closes.
 */
#include "tests/fault/model_room.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define SHM_REGIONS 64
#define SHM_LOCKS SQLITE_SHM_NLOCK

struct held { /* locks and shared memory of one file, for all who have it open */
	struct held *next;
	struct model *m;
	uint32_t ino;
	unsigned refs;
	unsigned shared;
	struct file *reserved, *pending, *exclusive;
	void *region[SHM_REGIONS];
	unsigned shm_shared[SHM_LOCKS];
	struct file *shm_owner[SHM_LOCKS];
};
struct file {
	sqlite3_file base;
	struct model *m;
	uint32_t ino, folder;
	enum model_barrier barrier;
	bool name_new; /* its folder is to be synced with it */
	bool delete_on_close;
	char *path;
	int lock;
	struct held *held;
	uint16_t shm_has_shared, shm_has_exclusive;
};
static struct held *held_first;

static struct file *file_of(sqlite3_file *f)
{
	return (struct file *)(void *)f;
}

static void enter(const struct file *f)
{
	pthread_mutex_lock(&f->m->lock);
}
static int leave(const struct file *f, int rc)
{
	pthread_mutex_unlock(&f->m->lock);
	return rc;
}

static struct held *held_get(struct model *m, uint32_t ino)
{
	for (struct held *h = held_first; h != NULL; h = h->next)
		if (h->m == m && h->ino == ino) {
			h->refs++;
			return h;
		}
	struct held *h = model_must(calloc(1, sizeof *h));
	*h = (struct held){ .next = held_first, .m = m, .ino = ino, .refs = 1 };
	held_first = h;
	return h;
}

static void held_put(struct held *h)
{
	if (--h->refs > 0)
		return;
	for (struct held **at = &held_first; *at != NULL; at = &(*at)->next)
		if (*at == h) {
			*at = h->next;
			break;
		}
	for (unsigned i = 0; i < SHM_REGIONS; i++)
		free(h->region[i]);
	free(h);
}

/* ---- a file ------------------------------------------------------------------------------ */

static int sync_names(struct model *m, uint32_t folder)
{
	return model_sync_end(m, model_sync_begin(m, SYNC_NAMES, MODEL_STATE_NAME, folder));
}

static int x_read(sqlite3_file *file, void *to, int len, sqlite3_int64 offset)
{
	struct file *f = file_of(file);
	enter(f);
	const struct model_inode *i = &f->m->inode[f->ino];
	uint64_t at = (uint64_t)offset;
	size_t got = at >= i->size ? 0 : i->size - at < (uint64_t)len ? (size_t)(i->size - at) : (size_t)len;
	if (got)
		memcpy(to, i->at + at, got);
	memset((uint8_t *)to + got, 0, (size_t)len - got);
	return leave(f, got == (size_t)len ? SQLITE_OK : SQLITE_IOERR_SHORT_READ);
}

static int x_write(sqlite3_file *file, const void *at, int len, sqlite3_int64 offset)
{
	struct file *f = file_of(file);
	enter(f);
	int os = model_write(f->m, f->ino, (uint64_t)offset, at, (size_t)len);
	return leave(f, os == 0 ? SQLITE_OK : os == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE);
}

static int x_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct file *f = file_of(file);
	enter(f);
	if ((uint64_t)size != f->m->inode[f->ino].size)
		model_cut(f->m, f->ino, (uint64_t)size);
	return leave(f, SQLITE_OK);
}

static int x_sync(sqlite3_file *file, int flags)
{
	struct file *f = file_of(file);
	(void)flags;
	enter(f);
	struct model_op sync = model_sync_begin(f->m, SYNC_FILE, f->barrier, f->ino);
	int os = model_sync_end(f->m, sync);
	if (os == 0 && f->name_new) {
		f->name_new = false;
		os = sync_names(f->m, f->folder);
	}
	return leave(f, os ? SQLITE_IOERR_FSYNC : SQLITE_OK);
}

static int x_size(sqlite3_file *file, sqlite3_int64 *size)
{
	struct file *f = file_of(file);
	enter(f);
	*size = (sqlite3_int64)f->m->inode[f->ino].size;
	return leave(f, SQLITE_OK);
}

/* ---- locks, as SQLite's documentation has them ------------------------------------------------- */

static int x_lock(sqlite3_file *file, int want)
{
	struct file *f = file_of(file);
	struct held *h = f->held;
	int rc = SQLITE_OK;
	enter(f);
	if (f->lock >= want)
		return leave(f, SQLITE_OK);
	if (f->lock == SQLITE_LOCK_NONE) {
		if (h->pending || h->exclusive)
			return leave(f, SQLITE_BUSY);
		h->shared++;
		f->lock = SQLITE_LOCK_SHARED;
	}
	if (want == SQLITE_LOCK_RESERVED) {
		if (h->reserved && h->reserved != f)
			rc = SQLITE_BUSY;
		else
			h->reserved = f;
	} else if (want == SQLITE_LOCK_EXCLUSIVE) {
		if ((h->pending && h->pending != f) || (h->reserved && h->reserved != f)) {
			rc = SQLITE_BUSY;
		} else {
			h->pending = f;
			f->lock = SQLITE_LOCK_PENDING;
			if (h->shared > 1)
				rc = SQLITE_BUSY;
			else
				h->exclusive = f;
		}
	}
	if (rc == SQLITE_OK)
		f->lock = want;
	return leave(f, rc);
}

static int x_unlock(sqlite3_file *file, int to)
{
	struct file *f = file_of(file);
	struct held *h = f->held;
	enter(f);
	if (f->lock <= to)
		return leave(f, SQLITE_OK);
	if (h->exclusive == f)
		h->exclusive = NULL;
	if (h->pending == f)
		h->pending = NULL;
	if (h->reserved == f)
		h->reserved = NULL;
	if (to == SQLITE_LOCK_NONE)
		h->shared--;
	f->lock = to;
	return leave(f, SQLITE_OK);
}

static int x_reserved(sqlite3_file *file, int *out)
{
	struct file *f = file_of(file);
	enter(f);
	*out = f->held->reserved != NULL;
	return leave(f, SQLITE_OK);
}

static int x_control(sqlite3_file *file, int op, void *arg)
{
	(void)file, (void)op, (void)arg;
	return SQLITE_NOTFOUND;
}
static int x_sector(sqlite3_file *file)
{
	(void)file;
	return 4096;
}
static int x_device(sqlite3_file *file)
{
	(void)file;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE; /* the unix VFS says so too */
}

/* ---- shared memory ---------------------------------------------------------------------------- */

static int x_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **out)
{
	struct file *f = file_of(file);
	struct held *h = f->held;
	enter(f);
	*out = NULL;
	if (region >= SHM_REGIONS)
		return leave(f, SQLITE_IOERR_SHMSIZE);
	if (h->region[region] == NULL && extend)
		h->region[region] = model_must(calloc(1, (size_t)size));
	*out = h->region[region];
	return leave(f, SQLITE_OK);
}

static int x_shm_lock(sqlite3_file *file, int first, int n, int flags)
{
	struct file *f = file_of(file);
	struct held *h = f->held;
	enter(f);
	if (flags & SQLITE_SHM_UNLOCK) {
		for (int i = first; i < first + n; i++) {
			if (flags & SQLITE_SHM_SHARED && f->shm_has_shared >> i & 1) {
				h->shm_shared[i]--;
				f->shm_has_shared &= (uint16_t) ~(1u << i);
			}
			if (flags & SQLITE_SHM_EXCLUSIVE && f->shm_has_exclusive >> i & 1) {
				h->shm_owner[i] = NULL;
				f->shm_has_exclusive &= (uint16_t) ~(1u << i);
			}
		}
		return leave(f, SQLITE_OK);
	}
	for (int i = first; i < first + n; i++) {
		bool mine = f->shm_has_shared >> i & 1;
		if (h->shm_owner[i] && h->shm_owner[i] != f)
			return leave(f, SQLITE_BUSY);
		if (flags & SQLITE_SHM_EXCLUSIVE && h->shm_shared[i] > (mine ? 1u : 0u))
			return leave(f, SQLITE_BUSY);
	}
	for (int i = first; i < first + n; i++) {
		if (flags & SQLITE_SHM_EXCLUSIVE) {
			h->shm_owner[i] = f;
			f->shm_has_exclusive |= (uint16_t)(1u << i);
		} else if (!(f->shm_has_shared >> i & 1)) {
			h->shm_shared[i]++;
			f->shm_has_shared |= (uint16_t)(1u << i);
		}
	}
	return leave(f, SQLITE_OK);
}

static void x_shm_barrier(sqlite3_file *file)
{
	enter(file_of(file));
	leave(file_of(file), 0);
}

static int x_shm_unmap(sqlite3_file *file, int delete)
{
	(void)file, (void)delete; /* it goes with the last who has the file open */
	return SQLITE_OK;
}

/* ---- opening ------------------------------------------------------------------------------------ */

static int x_close(sqlite3_file *file)
{
	struct file *f = file_of(file);
	struct model *m = f->m;
	x_unlock(file, SQLITE_LOCK_NONE);
	for (int i = 0; i < SHM_LOCKS; i++)
		x_shm_lock(file, i, 1, SQLITE_SHM_UNLOCK | SQLITE_SHM_SHARED | SQLITE_SHM_EXCLUSIVE);
	enter(f);
	if (f->delete_on_close) {
		const char *name;
		uint32_t folder = model_walk_to(m, MODEL_ROOT, f->path, &name);
		if (folder && model_find(m, folder, name, strlen(name)) == f->ino)
			model_unlink(m, folder, name);
	}
	held_put(f->held);
	model_closed(m, f->ino);
	leave(f, 0);
	free(f->path);
	f->base.pMethods = NULL;
	return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = x_close,
	.xRead = x_read,
	.xWrite = x_write,
	.xTruncate = x_truncate,
	.xSync = x_sync,
	.xFileSize = x_size,
	.xLock = x_lock,
	.xUnlock = x_unlock,
	.xCheckReservedLock = x_reserved,
	.xFileControl = x_control,
	.xSectorSize = x_sector,
	.xDeviceCharacteristics = x_device,
	.xShmMap = x_shm_map,
	.xShmLock = x_shm_lock,
	.xShmBarrier = x_shm_barrier,
	.xShmUnmap = x_shm_unmap,
};

static int v_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out_flags)
{
	struct file *f = file_of(file);
	struct model *m = model_now;
	const char *name;
	(void)vfs;
	memset(f, 0, sizeof *f);
	if (m == NULL || path == NULL) /* a nameless temporary file: nothing here should need one */
		return SQLITE_CANTOPEN;
	pthread_mutex_lock(&m->lock);
	uint32_t folder = model_walk_to(m, MODEL_ROOT, path, &name);
	uint32_t ino = folder ? model_find(m, folder, name, strlen(name)) : 0;
	bool journal = flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL);
	bool made = false;
	if (folder && ino == 0 && (flags & SQLITE_OPEN_CREATE)) {
		ino = model_make(m, folder, name, false, MODEL_STATE_NAME);
		made = true;
	}
	if (ino == 0 || m->inode[ino].dir) {
		pthread_mutex_unlock(&m->lock);
		return SQLITE_CANTOPEN;
	}
	*f = (struct file){ .base = { &methods },
			    .m = m,
			    .ino = ino,
			    .folder = folder,
			    .name_new = made && journal,
			    .delete_on_close = flags & SQLITE_OPEN_DELETEONCLOSE,
			    .path = model_must(strdup(path)) };
	f->barrier = flags & SQLITE_OPEN_WAL ? MODEL_WAL : journal ? MODEL_JOURNAL : MODEL_DB;
	f->held = held_get(m, ino);
	model_opened(m, ino);
	pthread_mutex_unlock(&m->lock);
	if (out_flags)
		*out_flags = flags;
	return SQLITE_OK;
}

static int v_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
	struct model *m = model_now;
	const char *name;
	int rc = SQLITE_OK;
	(void)vfs;
	pthread_mutex_lock(&m->lock);
	uint32_t folder = model_walk_to(m, MODEL_ROOT, path, &name);
	if (folder == 0 || model_find(m, folder, name, strlen(name)) == 0) {
		rc = SQLITE_IOERR_DELETE_NOENT;
	} else {
		model_unlink(m, folder, name);
		if (sync && sync_names(m, folder) != 0)
			rc = SQLITE_IOERR_DIR_FSYNC;
	}
	pthread_mutex_unlock(&m->lock);
	return rc;
}

static int v_access(sqlite3_vfs *vfs, const char *path, int flags, int *out)
{
	struct model *m = model_now;
	(void)vfs;
	pthread_mutex_lock(&m->lock);
	uint32_t ino = model_resolve(m, MODEL_ROOT, path);
	*out = ino != 0 && (flags != SQLITE_ACCESS_EXISTS || m->inode[ino].dir || m->inode[ino].size > 0);
	pthread_mutex_unlock(&m->lock);
	return SQLITE_OK;
}

static int v_full(sqlite3_vfs *vfs, const char *path, int room, char *out)
{
	(void)vfs;
	sqlite3_snprintf(room, out, "%s", path);
	return SQLITE_OK;
}

static struct shoal_rng dice;

/* What has to do with time is the real one's. */
static sqlite3_vfs *real(const sqlite3_vfs *vfs)
{
	return vfs->pAppData;
}
static int v_random(sqlite3_vfs *vfs, int n, char *out)
{
	(void)vfs;
	for (int i = 0; i < n; i++)
		out[i] = (char)(shoal_rng_next(&dice) >> 8);
	return n;
}
static int v_sleep(sqlite3_vfs *vfs, int us)
{
	return real(vfs)->xSleep(real(vfs), us < 200 ? us : 200);
}
static int v_time(sqlite3_vfs *vfs, double *out)
{
	return real(vfs)->xCurrentTime(real(vfs), out);
}
static int v_time64(sqlite3_vfs *vfs, sqlite3_int64 *out)
{
	return real(vfs)->xCurrentTimeInt64(real(vfs), out);
}
static int v_error(sqlite3_vfs *vfs, int n, char *out)
{
	(void)vfs;
	if (n > 0)
		out[0] = '\0';
	return 0;
}

void model_vfs_register(void)
{
	static sqlite3_vfs vfs;
	if (vfs.zName != NULL)
		return;
	vfs = (sqlite3_vfs){
		.iVersion = 2,
		.szOsFile = sizeof(struct file),
		.mxPathname = 1024,
		.zName = MODEL_VFS,
		.pAppData = sqlite3_vfs_find(NULL),
		.xOpen = v_open,
		.xDelete = v_delete,
		.xAccess = v_access,
		.xFullPathname = v_full,
		.xRandomness = v_random,
		.xSleep = v_sleep,
		.xCurrentTime = v_time,
		.xCurrentTimeInt64 = v_time64,
		.xGetLastError = v_error,
	};
	/* The default one is asked for randomness; whoever wants another says so by name. */
	if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK)
		abort();
}

void model_vfs_seed(uint64_t seed)
{
	dice = shoal_rng_split(seed, 9);
	sqlite3_randomness(0, NULL); /* begin anew */
}
