/* store_open.c - the store's file: made, checked, brought up to date, moved aside when it is damaged. */
#include "swarm/io/store_inner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "swarm/io/owner.h"

#define READ_BUSY_MS 1000 /* the loop's own thread waits no longer than this for another process's recovery */
#define LOCK_WAIT_US 10000
#define ASIDE_MAX 1000 /* files that were moved aside, and copies */

static const char *const steps_ours[SHOAL_STORE_SCHEMA] = {
	"CREATE TABLE record(kind INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, sum INTEGER NOT NULL, "
	"PRIMARY KEY(kind, key)) WITHOUT ROWID",
};
static const struct shoal_store_steps steps = { steps_ours, SHOAL_STORE_SCHEMA, SHOAL_STORE_APPLICATION };

int shoal_store_connect(struct shoal_store_sqlite *s, sqlite3 **out)
{
	sqlite3 *db = NULL;
	/* A connection belongs to one thread at a time, so SQLite need not lock it. */
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	int rc = sqlite3_open_v2(s->path, &db, flags, s->vfs);
	if (rc != SQLITE_OK) {
		int os = db && (rc & 0xff) == SQLITE_CANTOPEN ? sqlite3_system_errno(db) : 0;
		sqlite3_close(db);
		return os ? shoal_os_err(os) : shoal_store_err(rc);
	}
	sqlite3_busy_timeout(db, s->writer ? READ_BUSY_MS : SHOAL_STORE_BUSY_MS);
	/* What is in the file was perhaps not written by us: no code in it runs, and no trick of ours harms it. */
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, (int)SHOAL_STORE_VALUE_MAX + 4096);
	rc = sqlite3_exec(
		db,
		"PRAGMA cell_size_check=ON; PRAGMA synchronous=FULL; PRAGMA cache_size=-512; "
		"PRAGMA temp_store=MEMORY; PRAGMA journal_size_limit=16777216; PRAGMA wal_autocheckpoint=4000",
		NULL, NULL, NULL);
	if (rc != SQLITE_OK) {
		sqlite3_close(db);
		return shoal_store_err(rc);
	}
	*out = db;
	return 0;
}

/* ---- alone? ------------------------------------------------------------------------------------ */

/* Everyone at work holds a shared lock. Who gets it exclusively is alone, may check, mend and move the file, and
 * settles for a shared one afterwards; others wait that long. */
static int lock_take(struct shoal_store_sqlite *s, bool *alone)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char *path = NULL;
	if (asprintf(&path, "%s/locks", s->state) < 0)
		return SHOAL_ERR_NOMEM;
	int rc = shoal_owner_state(s->os, path);
	free(path);
	if (rc < 0)
		return rc;
	if (asprintf(&path, "%s/locks/store", s->state) < 0)
		return SHOAL_ERR_NOMEM;
	s->lock_fd = s->os->openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	free(path);
	if (s->lock_fd < 0)
		return shoal_os_err(errno);
	for (int64_t left = SHOAL_STORE_BUSY_MS * INT64_C(1000); left > 0; left -= LOCK_WAIT_US) {
		*alone = whole.l_type == F_WRLCK;
		if (s->os->fcntl_lock(s->lock_fd, F_OFD_SETLK, &whole) == 0)
			return 0;
		if (errno != EAGAIN && errno != EACCES)
			return shoal_os_err(errno);
		if (whole.l_type == F_RDLCK)
			usleep(LOCK_WAIT_US);
		whole.l_type = whole.l_type == F_WRLCK ? F_RDLCK : F_WRLCK; /* he may have gone meanwhile */
	}
	return SHOAL_ERR_BUSY;
}

static int lock_share(struct shoal_store_sqlite *s)
{
	struct flock whole = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	return s->os->fcntl_lock(s->lock_fd, F_OFD_SETLK, &whole) < 0 ? shoal_os_err(errno) : 0;
}

/* ---- the file ------------------------------------------------------------------------------------- */

/* SQLite would make it with the umask's mode; its log gets the mode of the file. */
static int file_make(struct shoal_store_sqlite *s)
{
	int fd = s->os->openat(AT_FDCWD, s->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == EEXIST ? 0 : shoal_os_err(errno);
	s->os->close(fd); /* it is new, so nobody's POSIX locks go with this close */
	return 0;
}

/* A path for a copy: an empty file, ours alone. */
static int copy_make(struct shoal_store_sqlite *s, int version, char *out, size_t room)
{
	for (int n = 1; n <= ASIDE_MAX; n++) {
		int len = snprintf(out, room, "%s.v%d-%d", s->path, version, n);
		if (len < 0 || (size_t)len >= room)
			return SHOAL_ERR_TOO_LONG;
		int fd = s->os->openat(AT_FDCWD, out, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd >= 0) {
			s->os->close(fd);
			return 0;
		}
		if (errno != EEXIST)
			return shoal_os_err(errno);
	}
	return SHOAL_ERR_EXISTS;
}

/* The damaged file gets another name, its logs with it so that all can be looked into, and because a new file
 * must not meet an old one's log, or the journal of its birth: SQLite would play it back into the new one. */
static int file_aside(struct shoal_store_sqlite *s, char what[160])
{
	static const char *const logs[] = { "-wal", "-journal" };
	char to[4200], from_log[4300], to_log[4300];
	for (int n = 1; n <= ASIDE_MAX; n++) {
		int len = snprintf(to, sizeof to, "%s.damaged-%d", s->path, n);
		if (len < 0 || (size_t)len >= sizeof to)
			return SHOAL_ERR_TOO_LONG;
		if (s->os->renameat2(AT_FDCWD, s->path, AT_FDCWD, to, RENAME_NOREPLACE) < 0) {
			if (errno == EEXIST)
				continue;
			return shoal_os_err(errno);
		}
		for (size_t i = 0; i < sizeof logs / sizeof *logs; i++) {
			snprintf(from_log, sizeof from_log, "%s%s", s->path, logs[i]);
			snprintf(to_log, sizeof to_log, "%s%s", to, logs[i]);
			if (s->os->renameat2(AT_FDCWD, from_log, AT_FDCWD, to_log, RENAME_NOREPLACE) < 0 &&
			    errno != ENOENT)
				return shoal_os_err(errno);
		}
		snprintf(from_log, sizeof from_log, "%s-shm", s->path);
		if (s->os->unlinkat(AT_FDCWD, from_log, 0) < 0 && errno != ENOENT)
			return shoal_os_err(errno);
		snprintf(what, 160, "the store was damaged; it was moved to shoal.db.damaged-%d and a new one begun",
			 n);
		return 0;
	}
	return SHOAL_ERR_EXISTS;
}

/* ---- opening ------------------------------------------------------------------------------------------ */

static int quick_check(sqlite3 *db)
{
	sqlite3_stmt *stmt = NULL;
	bool good = false;
	int rc = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &stmt, NULL);
	if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const unsigned char *text = sqlite3_column_text(stmt, 0);
		good = text && strcmp((const char *)text, "ok") == 0;
	}
	sqlite3_finalize(stmt);
	rc = shoal_store_err(rc);
	return rc < 0 ? rc : good ? 0 : SHOAL_ERR_HASH;
}

/* 1 when the last one to stop did so cleanly. */
static int clean_mark(sqlite3 *db)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, "SELECT 1 FROM record WHERE kind=?1 AND key=?2", -1, &stmt, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_bind_int(stmt, 1, SHOAL_STORE_META);
		sqlite3_bind_blob(stmt, 2, shoal_store_clean_key.at, (int)shoal_store_clean_key.len, SQLITE_STATIC);
		rc = sqlite3_step(stmt);
	}
	sqlite3_finalize(stmt);
	int err = shoal_store_err(rc);
	return err < 0 ? err : rc == SQLITE_ROW;
}

static int exec(sqlite3 *db, const char *sql)
{
	return shoal_store_err(sqlite3_exec(db, sql, NULL, NULL, NULL));
}

/* Until the file has turned out to be ours nothing is written, not even when it is closed. */
static int file_open(struct shoal_store_sqlite *s, bool alone, char what[160])
{
	char copy[4200] = "";
	int rc = file_make(s);
	if (rc < 0 || (rc = shoal_store_connect(s, &s->writer)) < 0)
		return rc;
	sqlite3 *db = s->writer;
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	int version = shoal_store_version(db, &steps, what);
	if (version < 0)
		return version;
	if (sqlite3_db_readonly(db, "main") == 1)
		return SHOAL_ERR_DENIED;
	/* Making it is no promise, so it waits for no disk; the first commit syncs it (batches_write()). */
	if (version == 0 && (rc = exec(db, "PRAGMA synchronous=OFF")) < 0)
		return rc;
	if ((rc = exec(db, "PRAGMA journal_mode=WAL")) < 0)
		return rc;
	if (version > 0 && version < steps.count && (rc = copy_make(s, version, copy, sizeof copy)) < 0)
		return rc;
	if ((rc = shoal_store_schema(db, &steps, copy, alone, what)) < 0)
		return rc;
	if ((rc = exec(db, "PRAGMA synchronous=FULL")) < 0)
		return rc;
	int clean = clean_mark(db);
	if (clean < 0)
		return clean;
	s->unsynced = !clean;
	if (!clean && version > 0 && alone && (rc = quick_check(db)) < 0)
		return rc;
	rc = shoal_store_err(sqlite3_prepare_v3(db, "INSERT OR REPLACE INTO record VALUES(?1, ?2, ?3, ?4)", -1,
						SQLITE_PREPARE_PERSISTENT, &s->put, NULL));
	if (rc == 0)
		rc = shoal_store_err(sqlite3_prepare_v3(db, "DELETE FROM record WHERE kind=?1 AND key=?2", -1,
							SQLITE_PREPARE_PERSISTENT, &s->drop, NULL));
	if (rc == 0)
		sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	return rc;
}

static void file_close(struct shoal_store_sqlite *s)
{
	sqlite3_finalize(s->put);
	sqlite3_finalize(s->drop);
	sqlite3_close(s->writer);
	s->put = s->drop = NULL;
	s->writer = NULL;
}

static int store_open(struct shoal_store_sqlite *s, char what[160])
{
	bool alone = false;
	int rc = shoal_owner_state(s->os, s->state);
	if (rc < 0 || (rc = lock_take(s, &alone)) < 0)
		return rc;
	s->alone = alone;
	if (s->exclusive && !alone) {
		snprintf(what, 160, "another shoal is at work in this state folder");
		return SHOAL_ERR_BUSY;
	}
	rc = file_open(s, alone, what);
	if (rc == SHOAL_ERR_HASH && alone) {
		file_close(s);
		if ((rc = file_aside(s, what)) == 0)
			rc = file_open(s, alone, what);
	}
	if (rc < 0)
		return rc;
	if (alone && !s->exclusive && (rc = lock_share(s)) < 0)
		return rc;
	s->fd = s->os->eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (s->fd < 0)
		return shoal_os_err(errno);
	return shoal_store_start(s);
}

int shoal_store_sqlite_open(struct shoal_store_sqlite **out, const struct shoal_store_options *options, char what[160])
{
	char own_what[160];
	if (what == NULL)
		what = own_what;
	what[0] = '\0';
	int rc = SHOAL_ERR_NOMEM;
	struct shoal_store_sqlite *s = calloc(1, sizeof *s);
	if (s == NULL)
		return rc;
	s->os = options->os;
	s->exclusive = options->exclusive;
	s->fd = s->lock_fd = -1;
	s->queue_end = &s->queue;
	pthread_mutex_init(&s->lock, NULL); /* these cannot fail on Linux */
	pthread_cond_init(&s->todo, NULL);
	s->state = strdup(options->state);
	s->vfs = options->vfs ? strdup(options->vfs) : NULL;
	/* SQLite may take "file:" for the beginning of a URI. */
	if (asprintf(&s->path, "%s%s/shoal.db", strncmp(options->state, "file:", 5) ? "" : "./", options->state) < 0)
		s->path = NULL;
	if (s->state && s->path && (s->vfs || !options->vfs))
		rc = store_open(s, what);
	if (rc < 0) {
		if (what[0] == '\0')
			snprintf(what, 160, "cannot open the store in %.100s: %s", options->state, shoal_err_name(rc));
		shoal_store_sqlite_close(s);
		return rc;
	}
	*out = s;
	return 0;
}
