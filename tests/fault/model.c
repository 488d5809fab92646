/* model.c - inodes, folders, and the log of what was done to them. */
#include "tests/fault/model_room.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const model_barrier_name[MODEL_BARRIERS] = {
	[MODEL_DATA] = "fdatasync of a file",
	[MODEL_NEW_FILE] = "fsync of a folder: new file",
	[MODEL_NEW_FOLDER] = "fsync of a folder: new folder",
	[MODEL_SAVE_FOLDER] = "fsync above the save folder",
	[MODEL_FINAL_NAME] = "fsync of a folder: final name",
	[MODEL_VOLUME] = "syncfs",
	[MODEL_WAL] = "commit: sync of the WAL",
	[MODEL_DB] = "checkpoint: sync of the db",
	[MODEL_JOURNAL] = "sync of the db's journal",
	[MODEL_STATE_NAME] = "fsync of the state folder",
	[MODEL_STATE_FOLDER] = "fsync above the state folder",
};

struct model *model_now;

void *model_must(void *at)
{
	if (at == NULL)
		abort();
	return at;
}

/* ---- plain trees --------------------------------------------------------------------- */

void model_name_add(struct model_inode *folder, const char *name, size_t len, uint32_t ino)
{
	struct model_name *n = model_must(malloc(sizeof *n + len + 1));
	n->ino = ino;
	memcpy(n->name, name, len);
	n->name[len] = '\0';
	n->next = folder->names;
	folder->names = n;
}

void model_name_drop(struct model_inode *folder, const char *name)
{
	for (struct model_name **at = &folder->names; *at != NULL; at = &(*at)->next) {
		struct model_name *n = *at;
		if (strcmp(n->name, name) == 0) {
			*at = n->next;
			free(n);
			return;
		}
	}
}

void model_grow(struct model_inode *file, uint64_t size)
{
	if (size <= file->size)
		return;
	if (size > file->room) {
		uint64_t room = file->room ? file->room : 4096;
		while (room < size)
			room *= 2;
		file->at = model_must(realloc(file->at, room));
		file->room = room;
	}
	memset(file->at + file->size, 0, size - file->size);
	file->size = size;
}

struct model_inode *model_copy(const struct model_inode *from, uint32_t n)
{
	struct model_inode *out = model_must(calloc(n, sizeof *out));
	for (uint32_t i = 0; i < n; i++) {
		const struct model_inode *f = &from[i];
		out[i] = (struct model_inode){ .used = f->used,
					       .dir = f->dir,
					       .made_as = f->made_as,
					       .mtime_ns = f->mtime_ns,
					       .ctime_ns = f->ctime_ns };
		for (const struct model_name *name = f->names; name != NULL; name = name->next)
			model_name_add(&out[i], name->name, strlen(name->name), name->ino);
		model_grow(&out[i], f->size);
		if (f->size)
			memcpy(out[i].at, f->at, f->size);
	}
	return out;
}

void model_inodes_free(struct model_inode *inode, uint32_t n)
{
	for (uint32_t i = 0; inode != NULL && i < n; i++) {
		while (inode[i].names != NULL) {
			struct model_name *name = inode[i].names;
			inode[i].names = name->next;
			free(name);
		}
		free(inode[i].at);
		free(inode[i].lost);
	}
	free(inode);
}

/* ---- a disk ------------------------------------------------------------------------------ */

struct model *model_new(void)
{
	struct model *m = model_must(calloc(1, sizeof *m));
	pthread_mutex_init(&m->lock, NULL);
	m->room = UINT64_MAX;
	m->fail_barrier = MODEL_NONE;
	m->time_ns = INT64_C(1000000000) * 1000000;
	m->inodes = m->bases = 4;
	m->inode_room = 16;
	m->inode = model_must(calloc(m->inode_room, sizeof *m->inode));
	for (uint32_t i = MODEL_ROOT; i < m->inodes; i++)
		m->inode[i] = (struct model_inode){ .used = true, .dir = true, .made_as = MODEL_NONE };
	model_name_add(&m->inode[MODEL_ROOT], "home", 4, 2);
	model_name_add(&m->inode[MODEL_ROOT], "var", 3, 3);
	m->base = model_copy(m->inode, m->bases);
	return m;
}

void model_free(struct model *m)
{
	if (m == NULL)
		return;
	if (model_now == m)
		model_now = NULL;
	for (size_t i = 0; i < m->ops; i++) {
		free(m->op[i].name);
		free(m->op[i].to);
		free(m->op[i].at);
	}
	free(m->op);
	model_inodes_free(m->inode, m->inodes);
	model_inodes_free(m->base, m->bases);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

void model_use(struct model *m)
{
	if (model_now != NULL && model_now->opens > 0)
		abort();
	model_now = m;
}

static struct model_op *log_add(struct model *m, struct model_op op)
{
	if (m->ops == m->op_room) {
		m->op_room = 2 * m->op_room + 256;
		m->op = model_must(realloc(m->op, m->op_room * sizeof *m->op));
	}
	op.time_ns = m->time_ns += 1000;
	m->op[m->ops] = op;
	return &m->op[m->ops++];
}

/* ---- names ------------------------------------------------------------------------------- */

uint32_t model_find(const struct model *m, uint32_t folder, const char *name, size_t len)
{
	for (const struct model_name *n = m->inode[folder].names; n != NULL; n = n->next)
		if (strlen(n->name) == len && memcmp(n->name, name, len) == 0)
			return n->ino;
	return 0;
}

uint32_t model_walk_to(const struct model *m, uint32_t dir, const char *path, const char **name)
{
	if (path[0] == '/') {
		dir = MODEL_ROOT;
		while (*path == '/')
			path++;
	}
	for (;;) {
		const char *slash = strchr(path, '/');
		if (!m->inode[dir].dir) {
			errno = ENOTDIR;
			return 0;
		}
		if (slash == NULL || slash[1] == '\0') {
			*name = path;
			if (strlen(path) > MODEL_NAME_MAX + 1) {
				errno = ENAMETOOLONG;
				return 0;
			}
			return dir;
		}
		size_t len = (size_t)(slash - path);
		uint32_t next = len == 1 && path[0] == '.' ? dir : model_find(m, dir, path, len);
		if (next == 0) {
			errno = ENOENT;
			return 0;
		}
		dir = next;
		path = slash + 1;
	}
}

uint32_t model_resolve(const struct model *m, uint32_t dir, const char *path)
{
	const char *name;
	uint32_t folder = model_walk_to(m, dir, path, &name);
	if (folder == 0)
		return 0;
	size_t len = strlen(name);
	while (len && name[len - 1] == '/')
		len--;
	if (len == 0 || (len == 1 && name[0] == '.'))
		return folder;
	uint32_t ino = model_find(m, folder, name, len);
	if (ino == 0)
		errno = ENOENT;
	return ino;
}

uint32_t model_make(struct model *m, uint32_t folder, const char *name, bool dir, enum model_barrier made_as)
{
	if (m->inodes == m->inode_room) {
		m->inode_room *= 2;
		m->inode = model_must(realloc(m->inode, m->inode_room * sizeof *m->inode));
	}
	uint32_t ino = m->inodes++;
	struct model_op *op = log_add(m, (struct model_op){ .kind = OP_MAKE,
							    .dir = dir,
							    .ino = ino,
							    .folder = folder,
							    .barrier = (uint8_t)made_as,
							    .name = model_must(strdup(name)) });
	m->inode[ino] = (struct model_inode){
		.used = true, .dir = dir, .made_as = made_as, .mtime_ns = op->time_ns, .ctime_ns = op->time_ns
	};
	model_name_add(&m->inode[folder], name, strlen(name), ino);
	return ino;
}

void model_rename(struct model *m, uint32_t from_dir, const char *from, uint32_t to_dir, const char *to)
{
	uint32_t ino = model_find(m, from_dir, from, strlen(from));
	struct model_op *op = log_add(m, (struct model_op){ .kind = OP_RENAME,
							    .ino = ino,
							    .folder = from_dir,
							    .to_dir = to_dir,
							    .name = model_must(strdup(from)),
							    .to = model_must(strdup(to)) });
	m->inode[ino].ctime_ns = op->time_ns;
	model_name_drop(&m->inode[to_dir], to);
	model_name_add(&m->inode[to_dir], to, strlen(to), ino);
	model_name_drop(&m->inode[from_dir], from);
}

void model_unlink(struct model *m, uint32_t folder, const char *name)
{
	uint32_t ino = model_find(m, folder, name, strlen(name));
	log_add(m,
		(struct model_op){ .kind = OP_UNLINK, .ino = ino, .folder = folder, .name = model_must(strdup(name)) });
	model_name_drop(&m->inode[folder], name);
}

/* ---- bytes ------------------------------------------------------------------------------- */

int model_write(struct model *m, uint32_t ino, uint64_t offset, const void *at, size_t len)
{
	struct model_inode *f = &m->inode[ino];
	if (len == 0)
		return 0;
	if (f->made_as == MODEL_NEW_FILE) {
		if (len > m->room)
			return ENOSPC;
		if (m->room != UINT64_MAX)
			m->room -= len;
	}
	struct model_op op = {
		.kind = OP_WRITE, .ino = ino, .offset = offset, .len = len, .at = model_must(malloc(len))
	};
	memcpy(op.at, at, len);
	int64_t now = log_add(m, op)->time_ns;
	model_grow(f, offset + len);
	memcpy(f->at + offset, at, len);
	if (f->lost != NULL) { /* what is written after a failed sync lies over what that lost */
		if (offset + len > f->lost_size) {
			f->lost = model_must(realloc(f->lost, offset + len));
			memset(f->lost + f->lost_size, 0, offset + len - f->lost_size);
			f->lost_size = offset + len;
		}
		memcpy(f->lost + offset, at, len);
	}
	f->mtime_ns = f->ctime_ns = now;
	return 0;
}

void model_cut(struct model *m, uint32_t ino, uint64_t size)
{
	struct model_inode *f = &m->inode[ino];
	int64_t now = log_add(m, (struct model_op){ .kind = OP_CUT, .ino = ino, .len = size })->time_ns;
	model_grow(f, size);
	f->size = size;
	f->mtime_ns = f->ctime_ns = now;
}

void model_drop(struct model *m, uint32_t ino)
{
	struct model_inode *f = &m->inode[ino];
	if (f->lost == NULL)
		return;
	memset(f->at, 0, f->size);
	memcpy(f->at, f->lost, f->lost_size < f->size ? f->lost_size : f->size);
	free(f->lost);
	f->lost = NULL;
}

/* ---- syncs ------------------------------------------------------------------------------- */

struct model_op model_sync_begin(const struct model *m, enum model_sync what, enum model_barrier barrier, uint32_t ino)
{
	return (struct model_op){ .kind = OP_SYNC,
				  .sync = (uint8_t)what,
				  .barrier = (uint8_t)barrier,
				  .ino = ino,
				  .folder = what == SYNC_NAMES ? ino : 0,
				  .offset = m->ops };
}

/* Whether it stands for `barrier` now: there is something it would keep. */
static bool stands_for(const struct model *m, const struct model_op *sync, enum model_barrier barrier)
{
	for (size_t i = 0; i < sync->offset; i++)
		if (model_kept_by(m, &m->op[i], sync) == barrier)
			return true;
	return false;
}

/* The device fails, and says so once: some sectors made it, the rest are clean in the cache and nowhere else. */
static void lose(struct model *m, const struct model_op *sync)
{
	struct shoal_rng rng = shoal_rng_split(m->ops, 77);
	struct model_inode *left;
	uint32_t n;
	model_replay(m, &left, &n, m->ops, 0, &rng);
	for (uint32_t i = 0; i < n; i++) {
		struct model_inode *f = &m->inode[i];
		bool hit = f->used && !f->dir &&
			   (sync->sync == SYNC_ALL ? f->made_as == MODEL_NEW_FILE : sync->ino == i);
		if (!hit || (left[i].size == f->size && (f->size == 0 || memcmp(left[i].at, f->at, f->size) == 0)))
			continue;
		log_add(m, (struct model_op){ .kind = OP_LOSE, .ino = i, .len = left[i].size, .at = left[i].at });
		free(f->lost);
		f->lost = model_must(malloc(left[i].size + 1));
		if (left[i].size)
			memcpy(f->lost, left[i].at, left[i].size);
		f->lost_size = left[i].size;
		left[i].at = NULL; /* the log's now */
	}
	model_inodes_free(left, n);
}

int model_sync_end(struct model *m, struct model_op sync)
{
	if (m->fail_barrier != MODEL_NONE && stands_for(m, &sync, m->fail_barrier) && --m->fail_in == 0) {
		m->fail_barrier = MODEL_NONE;
		m->failed = true;
		lose(m, &sync);
		return m->fail_os;
	}
	log_add(m, sync);
	return 0;
}

void model_fail_sync(struct model *m, enum model_barrier barrier, unsigned nth, int os)
{
	m->fail_barrier = nth ? barrier : MODEL_NONE;
	m->fail_in = nth;
	m->fail_os = os;
	m->failed = false;
}

bool model_failed(struct model *m)
{
	pthread_mutex_lock(&m->lock);
	bool failed = m->failed;
	pthread_mutex_unlock(&m->lock);
	return failed;
}

void model_linger(struct model *m, unsigned us)
{
	m->linger = us;
}

void model_room(struct model *m, uint64_t bytes)
{
	pthread_mutex_lock(&m->lock);
	m->room = bytes;
	pthread_mutex_unlock(&m->lock);
}

/* ---- looking ------------------------------------------------------------------------------- */

size_t model_log_length(struct model *m)
{
	pthread_mutex_lock(&m->lock);
	size_t n = m->ops;
	pthread_mutex_unlock(&m->lock);
	return n;
}

void model_opened(struct model *m, uint32_t ino)
{
	m->inode[ino].opens++;
	m->opens++;
}

void model_closed(struct model *m, uint32_t ino)
{
	if (m->inode[ino].opens == 0)
		abort();
	m->inode[ino].opens--;
	m->opens--;
}

unsigned model_open_count(struct model *m)
{
	pthread_mutex_lock(&m->lock);
	unsigned n = m->opens;
	pthread_mutex_unlock(&m->lock);
	return n;
}

bool model_look(struct model *m, const char *path, struct model_look *out)
{
	uint32_t ino = model_resolve(m, MODEL_ROOT, path);
	if (ino == 0 || m->inode[ino].dir)
		return false;
	*out = (struct model_look){ .ino = ino, .size = m->inode[ino].size, .at = m->inode[ino].at };
	return true;
}

static void walk(struct model *m, uint32_t dir, char *path, size_t len, void (*see)(void *, const char *, uint64_t),
		 void *to)
{
	for (const struct model_name *n = m->inode[dir].names; n != NULL; n = n->next) {
		int more = snprintf(path + len, 4096 - len, "/%s", n->name);
		const struct model_inode *i = &m->inode[n->ino];
		if (i->dir)
			walk(m, n->ino, path, len + (size_t)more, see, to);
		else
			see(to, path, i->size);
	}
	path[len] = '\0';
}

void model_walk(struct model *m, void (*see)(void *to, const char *path, uint64_t size), void *to)
{
	char path[4096] = "";
	walk(m, MODEL_ROOT, path, 0, see, to);
}

void model_print(struct model *m, size_t from, size_t to)
{
	static const char *const kind[] = { "write", "cut", "make", "rename", "unlink", "sync", "lose" };
	static const char *const sync[] = { "data", "file", "names", "all" };
	for (size_t i = from; i < to && i < m->ops; i++) {
		const struct model_op *op = &m->op[i];
		if (op->kind == OP_SYNC)
			fprintf(stderr, "%5zu sync %s of %u, begun at %zu\n", i, sync[op->sync], op->ino,
				(size_t)op->offset);
		else
			fprintf(stderr, "%5zu %s %u in %u '%s' -> %u '%s' at %llu len %llu\n", i, kind[op->kind],
				op->ino, op->folder, op->name ? op->name : "", op->to_dir, op->to ? op->to : "",
				(unsigned long long)op->offset, (unsigned long long)op->len);
	}
}
