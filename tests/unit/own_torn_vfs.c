/* own_torn_vfs.c - see own_torn_vfs.h. One lock around the log: the store writes from a thread of its own. */
#include "tests/unit/own_torn_vfs.h"

#include <assert.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES = 16, SECTOR = 512 };
enum kind { WRITE, TRUNCATE, SYNC, DELETE, NOTE };
struct op {
	enum kind kind;
	int file; /* index in names */
	sqlite3_int64 at;
	int len;
	uint8_t *data;
	unsigned word;
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct op *ops;
static unsigned count, room, fail_at, calls;
static bool fail_full;
static char *names[FILES]; /* the last component */
static int name_count;

struct file {
	sqlite3_file base;
	int name;
	sqlite3_file *inner; /* behind this struct */
};

static void add(struct op op, const void *data)
{
	pthread_mutex_lock(&lock);
	if (count == room) {
		room = room ? 2 * room : 1024;
		ops = realloc(ops, room * sizeof *ops);
		assert(ops);
	}
	if (op.len) {
		op.data = malloc((size_t)op.len);
		assert(op.data);
		memcpy(op.data, data, (size_t)op.len);
	}
	ops[count++] = op;
	pthread_mutex_unlock(&lock);
}

static int name_of(const char *path)
{
	const char *last = strrchr(path, '/');
	last = last ? last + 1 : path;
	pthread_mutex_lock(&lock);
	int i = 0;
	while (i < name_count && strcmp(names[i], last) != 0)
		i++;
	if (i == name_count) {
		assert(name_count < FILES);
		names[name_count++] = strdup(last);
	}
	pthread_mutex_unlock(&lock);
	return i;
}

static int fails(void)
{
	pthread_mutex_lock(&lock);
	bool now = ++calls == fail_at;
	pthread_mutex_unlock(&lock);
	return now ? fail_full ? SQLITE_FULL : SQLITE_IOERR : SQLITE_OK;
}

#define INNER(f) (((struct file *)(f))->inner)
static int x_close(sqlite3_file *f)
{
	return INNER(f)->pMethods->xClose(INNER(f));
}
static int x_read(sqlite3_file *f, void *to, int len, sqlite3_int64 at)
{
	return INNER(f)->pMethods->xRead(INNER(f), to, len, at);
}
static int x_write(sqlite3_file *f, const void *from, int len, sqlite3_int64 at)
{
	int rc = fails();
	if (rc != SQLITE_OK)
		return rc == SQLITE_IOERR ? SQLITE_IOERR_WRITE : rc;
	add((struct op){ WRITE, ((struct file *)f)->name, at, len, NULL, 0 }, from);
	return INNER(f)->pMethods->xWrite(INNER(f), from, len, at);
}
static int x_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	add((struct op){ TRUNCATE, ((struct file *)f)->name, size, 0, NULL, 0 }, NULL);
	return INNER(f)->pMethods->xTruncate(INNER(f), size);
}
static int x_sync(sqlite3_file *f, int flags)
{
	int rc = fails();
	if (rc != SQLITE_OK)
		return SQLITE_IOERR_FSYNC;
	add((struct op){ SYNC, ((struct file *)f)->name, 0, 0, NULL, 0 }, NULL);
	return INNER(f)->pMethods->xSync(INNER(f), flags);
}
static int x_size(sqlite3_file *f, sqlite3_int64 *size)
{
	return INNER(f)->pMethods->xFileSize(INNER(f), size);
}
static int x_lock(sqlite3_file *f, int level)
{
	return INNER(f)->pMethods->xLock(INNER(f), level);
}
static int x_unlock(sqlite3_file *f, int level)
{
	return INNER(f)->pMethods->xUnlock(INNER(f), level);
}
static int x_reserved(sqlite3_file *f, int *out)
{
	return INNER(f)->pMethods->xCheckReservedLock(INNER(f), out);
}
static int x_control(sqlite3_file *f, int op, void *arg)
{
	return INNER(f)->pMethods->xFileControl(INNER(f), op, arg);
}
static int x_sector(sqlite3_file *f)
{
	return INNER(f)->pMethods->xSectorSize(INNER(f));
}
static int x_device(sqlite3_file *f)
{
	/* No promises about torn or reordered writes. */
	return INNER(f)->pMethods->xDeviceCharacteristics(INNER(f)) &
	       ~(SQLITE_IOCAP_POWERSAFE_OVERWRITE | SQLITE_IOCAP_SEQUENTIAL | SQLITE_IOCAP_SAFE_APPEND);
}
static int x_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
	return INNER(f)->pMethods->xShmMap(INNER(f), page, size, extend, out);
}
static int x_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
	return INNER(f)->pMethods->xShmLock(INNER(f), at, n, flags);
}
static void x_shm_barrier(sqlite3_file *f)
{
	INNER(f)->pMethods->xShmBarrier(INNER(f));
}
static int x_shm_unmap(sqlite3_file *f, int remove)
{
	return INNER(f)->pMethods->xShmUnmap(INNER(f), remove);
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

static sqlite3_vfs *real(sqlite3_vfs *vfs)
{
	return vfs->pAppData;
}
static int x_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out)
{
	struct file *f = (struct file *)file;
	f->inner = (sqlite3_file *)(f + 1);
	f->base.pMethods = NULL;
	int rc = real(vfs)->xOpen(real(vfs), path, f->inner, flags, out);
	if (rc == SQLITE_OK || f->inner->pMethods) {
		f->name = name_of(path ? path : "temporary");
		f->base.pMethods = &methods;
	}
	return rc;
}
static int x_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
	add((struct op){ DELETE, name_of(path), 0, 0, NULL, 0 }, NULL);
	return real(vfs)->xDelete(real(vfs), path, sync);
}

void own_torn_begin(void)
{
	static sqlite3_vfs vfs;
	if (vfs.zName == NULL) {
		sqlite3_vfs *below = sqlite3_vfs_find(NULL);
		vfs = *below;
		vfs.pNext = NULL;
		vfs.zName = OWN_TORN_VFS;
		vfs.pAppData = below;
		vfs.szOsFile = (int)sizeof(struct file) + below->szOsFile;
		vfs.xOpen = x_open;
		vfs.xDelete = x_delete; /* the others do not look at pAppData of their own */
		int rc = sqlite3_vfs_register(&vfs, 0);
		assert(rc == SQLITE_OK);
	}
	for (unsigned i = 0; i < count; i++)
		free(ops[i].data);
	for (int i = 0; i < name_count; i++)
		free(names[i]);
	free(ops);
	ops = NULL;
	count = room = 0;
	name_count = 0;
	fail_at = calls = 0;
}

void own_torn_note(unsigned word)
{
	add((struct op){ NOTE, 0, 0, 0, NULL, word }, NULL);
}

unsigned own_torn_count(void)
{
	return count;
}

void own_torn_fail(unsigned nth, bool full)
{
	pthread_mutex_lock(&lock);
	calls = 0;
	fail_at = nth;
	fail_full = full;
	pthread_mutex_unlock(&lock);
}

unsigned own_torn_calls(void)
{
	return calls;
}

struct image {
	uint8_t *at;
	size_t len, room;
	bool there;
};

static void grow(struct image *m, size_t len)
{
	if (len > m->room) {
		m->at = realloc(m->at, len * 2);
		assert(m->at);
		memset(m->at + m->room, 0, len * 2 - m->room);
		m->room = len * 2;
	}
	if (len > m->len)
		m->len = len;
}

static void apply(struct image *m, const struct op *op, int len)
{
	m->there = true;
	if (op->kind == WRITE) {
		grow(m, (size_t)op->at + (size_t)len);
		memcpy(m->at + op->at, op->data, (size_t)len);
	} else if (op->kind == TRUNCATE) {
		grow(m, (size_t)op->at);
		memset(m->at + op->at, 0, m->room - (size_t)op->at);
		m->len = (size_t)op->at;
	}
}

unsigned own_torn_cut(unsigned at, struct shoal_rng *rng, const char *to)
{
	unsigned word = 0;
	for (int f = 0; f < name_count; f++) {
		struct image m = { NULL, 0, 0, false };
		unsigned synced = 0; /* entries before this one are on the medium */
		for (unsigned i = 0; i < at; i++)
			if (ops[i].file == f && (ops[i].kind == SYNC || ops[i].kind == DELETE))
				synced = i;
		for (unsigned i = 0; i < at; i++) {
			const struct op *op = &ops[i];
			if (op->kind == NOTE && op->word > word)
				word = op->word;
			if (op->file != f || op->kind == NOTE || op->kind == SYNC)
				continue;
			if (op->kind == DELETE) {
				m.there = false;
				m.len = 0;
				if (m.at)
					memset(m.at, 0, m.room);
			} else if (i < synced) {
				apply(&m, op, op->len);
			} else if (shoal_rng_below(rng, 2)) { /* reached the medium by chance, perhaps not whole */
				int len = op->len;
				if (len > SECTOR && shoal_rng_below(rng, 4) == 0)
					len = (int)(1 + shoal_rng_below(rng, (uint32_t)(len / SECTOR))) * SECTOR;
				apply(&m, op, len);
			}
		}
		if (m.there && strstr(names[f], "-shm") == NULL) {
			char path[4300];
			snprintf(path, sizeof path, "%s/%s", to, names[f]);
			FILE *out = fopen(path, "w");
			assert(out);
			if (m.len)
				assert(fwrite(m.at, 1, m.len, out) == m.len);
			fclose(out);
		}
		free(m.at);
	}
	return word;
}
