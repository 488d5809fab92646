/* store_sqlite.c - records: read at once, written by the store's thread in transactions. Opening is store_open.c's. */
#include "swarm/io/store_inner.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "proto/base/bytes.h"
#include "proto/base/digest.h"
#include "swarm/io/owner.h"

/* SQLite finds torn pages seldom and flipped bits never, so each record says what it should be. */
static int64_t sum_of(unsigned kind, struct shoal_bytes key, struct shoal_bytes value)
{
	struct shoal_sha256 sha, *ctx = &sha;
	uint8_t head[8], digest[32];
	const uint8_t *at = head;
	shoal_put_u32(head, kind);
	shoal_put_u32(head + 4, (uint32_t)key.len);
	shoal_sha256_init(&sha);
	shoal_sha256_advance(&ctx, &at, 1, sizeof head);
	at = key.at;
	if (key.len)
		shoal_sha256_advance(&ctx, &at, 1, key.len);
	at = value.at;
	if (value.len)
		shoal_sha256_advance(&ctx, &at, 1, value.len);
	shoal_sha256_final(&sha, digest);
	return (int64_t)shoal_get_u64(digest);
}

const struct shoal_bytes shoal_store_clean_key = { (const uint8_t *)"clean stop", sizeof "clean stop" - 1 };

/* ---- reading: the caller's thread ------------------------------------------------------------ */

static struct shoal_bytes column(sqlite3_stmt *stmt, int i)
{
	const void *at = sqlite3_column_blob(stmt, i); /* first: it may change what bytes() says */
	int len = sqlite3_column_bytes(stmt, i);
	return shoal_bytes(at, len > 0 ? (size_t)len : 0);
}

static int reader_open(struct shoal_store_sqlite *s)
{
	if (s->reader)
		return 0;
	int rc = shoal_store_connect(s, &s->reader);
	if (rc == 0)
		rc = shoal_store_err(sqlite3_prepare_v3(s->reader,
							"SELECT value, sum FROM record WHERE kind=?1 AND key=?2", -1,
							SQLITE_PREPARE_PERSISTENT, &s->get, NULL));
	if (rc == 0) /* ?3 is the first key past the prefix, NULL when there is none */
		rc = shoal_store_err(sqlite3_prepare_v3(s->reader,
							"SELECT key, value, sum FROM record WHERE kind=?1 AND key>=?2 "
							"AND (?3 IS NULL OR key<?3) ORDER BY key",
							-1, SQLITE_PREPARE_PERSISTENT, &s->scan, NULL));
	if (rc < 0) {
		sqlite3_finalize(s->get);
		sqlite3_finalize(s->scan);
		sqlite3_close(s->reader);
		s->get = s->scan = NULL;
		s->reader = NULL;
	}
	return rc;
}

static int bind_key(sqlite3_stmt *stmt, int i, struct shoal_bytes key)
{
	/* An empty blob, not NULL, which is what a NULL pointer would bind. */
	return sqlite3_bind_blob(stmt, i, key.len ? (const void *)key.at : "", (int)key.len, SQLITE_STATIC);
}

static bool key_good(unsigned kind, struct shoal_bytes key)
{
	return kind <= INT32_MAX && key.len <= SHOAL_STORE_KEY_MAX;
}

/* What reading found goes to the close as well: a file that is not sound gets no clean mark. */
static int read_err(struct shoal_store_sqlite *s, int err)
{
	if (err == SHOAL_ERR_HASH)
		atomic_store(&s->damaged, true);
	return err;
}

static int s_get(void *store, unsigned kind, struct shoal_bytes key, void (*row)(void *to, struct shoal_bytes value),
		 void *to)
{
	struct shoal_store_sqlite *s = store;
	int found = 0, rc;
	if (!key_good(kind, key))
		return SHOAL_ERR_RANGE;
	if ((rc = reader_open(s)) < 0)
		return read_err(s, rc);
	sqlite3_bind_int(s->get, 1, (int)kind);
	bind_key(s->get, 2, key);
	int step = sqlite3_step(s->get);
	if (step == SQLITE_ROW) {
		struct shoal_bytes value = column(s->get, 0);
		if (sum_of(kind, key, value) == sqlite3_column_int64(s->get, 1)) {
			row(to, value);
			found = 1;
		} else { /* rot: as if it were not there */
			atomic_store(&s->damaged, true);
		}
	}
	sqlite3_reset(s->get);
	sqlite3_clear_bindings(s->get);
	rc = read_err(s, shoal_store_err(step));
	return rc < 0 ? rc : found;
}

/* A transaction for all of them: else SQLite locks and unlocks its files for each. Where it cannot be had, that is all. */
static void s_hold(void *store, bool hold)
{
	struct shoal_store_sqlite *s = store;
	if (!s->scanning && (hold ? reader_open(s) == 0 : s->reader != NULL && !sqlite3_get_autocommit(s->reader)))
		sqlite3_exec(s->reader, hold ? "BEGIN" : "COMMIT", NULL, NULL, NULL);
}

static int s_scan(void *store, unsigned kind, struct shoal_bytes prefix,
		  int (*row)(void *to, struct shoal_bytes key, struct shoal_bytes value), void *to)
{
	struct shoal_store_sqlite *s = store;
	uint8_t past[SHOAL_STORE_KEY_MAX];
	size_t len = prefix.len;
	int rc;
	if (!key_good(kind, prefix))
		return SHOAL_ERR_RANGE;
	if ((rc = reader_open(s)) < 0)
		return read_err(s, rc);
	if (s->scanning)
		return SHOAL_ERR_BUSY; /* a scan within a scan */
	if (len)
		memcpy(past, prefix.at, len);
	while (len && past[len - 1] == 0xff)
		len--;
	if (len)
		past[len - 1]++;
	sqlite3_bind_int(s->scan, 1, (int)kind);
	bind_key(s->scan, 2, prefix);
	if (len)
		bind_key(s->scan, 3, shoal_bytes(past, len));
	s->scanning = true;
	int step;
	while ((step = sqlite3_step(s->scan)) == SQLITE_ROW) {
		struct shoal_bytes key = column(s->scan, 0), value = column(s->scan, 1);
		if (sum_of(kind, key, value) != sqlite3_column_int64(s->scan, 2))
			atomic_store(&s->damaged, true);
		else if (row(to, key, value) != 0)
			break;
	}
	s->scanning = false;
	sqlite3_reset(s->scan);
	sqlite3_clear_bindings(s->scan);
	return read_err(s, shoal_store_err(step));
}

/* ---- putting: the caller's thread ------------------------------------------------------------- */

static void batch_free(struct batch *b)
{
	if (b == NULL)
		return;
	while (b->first) {
		struct change *c = b->first;
		b->first = c->next;
		free(c);
	}
	free(b);
}

static int change_add(struct shoal_store_sqlite *s, unsigned kind, struct shoal_bytes key, struct shoal_bytes value,
		      bool drop)
{
	if (!key_good(kind, key) || value.len > SHOAL_STORE_VALUE_MAX)
		return SHOAL_ERR_RANGE;
	size_t size = sizeof(struct change) + key.len + value.len;
	pthread_mutex_lock(&s->lock);
	bool fits = size <= SHOAL_STORE_BATCH_MAX - s->bytes;
	if (fits)
		s->bytes += size;
	pthread_mutex_unlock(&s->lock);
	if (!fits)
		return SHOAL_ERR_BUSY;
	struct change *c = malloc(size);
	if (s->batch == NULL && c && (s->batch = calloc(1, sizeof *s->batch)))
		s->batch->end = &s->batch->first;
	if (c == NULL || s->batch == NULL) {
		free(c);
		pthread_mutex_lock(&s->lock);
		s->bytes -= size;
		pthread_mutex_unlock(&s->lock);
		return SHOAL_ERR_NOMEM;
	}
	*c = (struct change){
		.kind = kind, .drop = drop, .key_len = (uint32_t)key.len, .value_len = (uint32_t)value.len
	};
	if (key.len)
		memcpy(c->data, key.at, key.len);
	if (value.len)
		memcpy(c->data + key.len, value.at, value.len);
	*s->batch->end = c;
	s->batch->end = &c->next;
	s->batch->bytes += size;
	return 0;
}

static int s_put(void *store, unsigned kind, struct shoal_bytes key, struct shoal_bytes value)
{
	return change_add(store, kind, key, value, false);
}

static int s_drop(void *store, unsigned kind, struct shoal_bytes key)
{
	return change_add(store, kind, key, (struct shoal_bytes){ NULL, 0 }, true);
}

static int s_commit(void *store, uint64_t cookie)
{
	struct shoal_store_sqlite *s = store;
	int rc = SHOAL_ERR_BUSY;
	struct batch *b = s->batch ? s->batch : calloc(1, sizeof *b);
	if (b == NULL)
		return SHOAL_ERR_NOMEM;
	pthread_mutex_lock(&s->lock);
	if (s->commits < SHOAL_STORE_COMMITS_MAX) {
		s->commits++;
		b->cookie = cookie;
		b->next = NULL;
		*s->queue_end = b;
		s->queue_end = &b->next;
		rc = 0;
	}
	pthread_mutex_unlock(&s->lock);
	if (rc == 0) {
		pthread_cond_signal(&s->todo);
		s->batch = NULL;
	} else if (b != s->batch) {
		batch_free(b);
	}
	return rc;
}

static size_t s_reap(void *store, struct shoal_store_done out[], size_t max)
{
	struct shoal_store_sqlite *s = store;
	size_t n = 0;
	pthread_mutex_lock(&s->lock);
	for (; n < max && s->done_count; n++) {
		out[n] = s->done[s->done_first];
		s->done_first = (s->done_first + 1) % SHOAL_STORE_COMMITS_MAX;
		s->done_count--;
	}
	s->commits -= (uint32_t)n;
	uint64_t count;
	if (s->done_count == 0 && s->signalled && s->os->read(s->fd, &count, sizeof count) == sizeof count)
		s->signalled = false;
	pthread_mutex_unlock(&s->lock);
	return n;
}

/* ---- writing: the store's thread ----------------------------------------------------------------- */

static int record_write(struct shoal_store_sqlite *s, unsigned kind, struct shoal_bytes key, struct shoal_bytes value,
			bool drop)
{
	sqlite3_stmt *stmt = drop ? s->drop : s->put;
	sqlite3_bind_int(stmt, 1, (int)kind);
	bind_key(stmt, 2, key);
	if (!drop) {
		bind_key(stmt, 3, value);
		sqlite3_bind_int64(stmt, 4, sum_of(kind, key, value));
	}
	int step = sqlite3_step(stmt);
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	return shoal_store_err(step);
}

static int change_write(struct shoal_store_sqlite *s, const struct change *c)
{
	return record_write(s, c->kind, shoal_bytes(c->data, c->key_len),
			    shoal_bytes(c->data + c->key_len, c->value_len), c->drop);
}

/* A new database is made in a hurry, unsynced. Before anything is promised in it, it has to be there. */
static int birth_sync(struct shoal_store_sqlite *s)
{
	sqlite3_file *file = NULL;
	int rc = shoal_store_err(sqlite3_file_control(s->writer, "main", SQLITE_FCNTL_FILE_POINTER, &file));
	if (rc == 0 && file && file->pMethods)
		rc = shoal_store_err(file->pMethods->xSync(file, SQLITE_SYNC_FULL));
	if (rc == 0)
		rc = shoal_owner_state_sync(s->os, s->state);
	if (rc == 0)
		s->unsynced = false;
	return rc;
}

/* A failed sync is told once, and the next one is good without the bytes. So all that the log holds is written again,
 * into the database, and a new log begun, before anything more is promised. */
static int mend(struct shoal_store_sqlite *s)
{
	int rc = shoal_store_err(sqlite3_wal_checkpoint_v2(s->writer, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL));
	if (rc == 0)
		s->shaken = false;
	return rc;
}

/* By kind and key; of the same record, in the order they were put. */
static int by_key(const void *left, const void *right)
{
	const struct change *a = *(const struct change *const *)left, *b = *(const struct change *const *)right;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	int rc = memcmp(a->data, b->data, a->key_len < b->key_len ? a->key_len : b->key_len);
	if (rc != 0 || a->key_len != b->key_len)
		return rc ? rc : a->key_len < b->key_len ? -1 : 1;
	return a->number < b->number ? -1 : 1;
}

static bool same_record(const struct change *a, const struct change *b)
{
	return a->kind == b->kind && a->key_len == b->key_len && memcmp(a->data, b->data, a->key_len) == 0;
}

/*
 * Keys are hashes, so in the order they are put each one touches another page of the tree, and with ten thousands of
 * files a page leaves the cache dirty and comes back many times over. In the tree's own order each page is
 * touched once a transaction; and of what one record was changed to, the last counts.
 */
static int changes_write(struct shoal_store_sqlite *s, const struct batch *first)
{
	size_t count = 0, n = 0;
	int rc = 0;
	for (const struct batch *b = first; b; b = b->next)
		for (const struct change *c = b->first; c; c = c->next)
			count++;
	const struct change **order = malloc((count + 1) * sizeof *order);
	if (order == NULL)
		return SHOAL_ERR_NOMEM;
	for (const struct batch *b = first; b; b = b->next)
		for (struct change *c = b->first; c; c = c->next) {
			c->number = n;
			order[n++] = c;
		}
	qsort(order, count, sizeof *order, by_key);
	for (size_t i = 0; i < count && rc == 0; i++)
		if (i + 1 == count || !same_record(order[i], order[i + 1]))
			rc = change_write(s, order[i]);
	free(order);
	return rc;
}

/* All the batches in one transaction: each is durable whole, or none is. */
static int batches_write(struct shoal_store_sqlite *s, const struct batch *first)
{
	int rc = s->shaken ? mend(s) : 0;
	s->shaken = true; /* until this has gone well */
	if (rc == 0 && s->unsynced)
		rc = birth_sync(s);
	if (rc == 0)
		rc = shoal_store_err(sqlite3_exec(s->writer, "BEGIN IMMEDIATE", NULL, NULL, NULL));
	if (rc < 0)
		return rc;
	/* Ours, or that of another process which has stopped since: the file is no longer as a clean stop left it. */
	rc = record_write(s, SHOAL_STORE_META, shoal_store_clean_key, (struct shoal_bytes){ NULL, 0 }, true);
	if (rc == 0)
		rc = changes_write(s, first);
	if (rc == 0)
		rc = shoal_store_err(sqlite3_exec(s->writer, "COMMIT", NULL, NULL, NULL));
	if (rc < 0)
		sqlite3_exec(s->writer, "ROLLBACK", NULL, NULL, NULL);
	s->shaken = rc < 0;
	return rc;
}

/* The last thing written, when all went well. */
static void mark_clean(struct shoal_store_sqlite *s)
{
	if (!s->written || atomic_load(&s->damaged) ||
	    sqlite3_exec(s->writer, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return;
	int rc = record_write(s, SHOAL_STORE_META, shoal_store_clean_key, SHOAL_LIT("1"), false);
	sqlite3_exec(s->writer, rc == 0 ? "COMMIT" : "ROLLBACK", NULL, NULL, NULL);
}

static void *work(void *arg)
{
	struct shoal_store_sqlite *s = arg;
	pthread_setname_np(pthread_self(), "shoal-store");
	pthread_mutex_lock(&s->lock);
	for (;;) {
		while (s->queue == NULL && !s->stop)
			pthread_cond_wait(&s->todo, &s->lock);
		if (s->queue == NULL)
			break;
		/* All that has gathered meanwhile shares one sync. */
		struct batch *first = s->queue;
		s->queue = NULL;
		s->queue_end = &s->queue;
		pthread_mutex_unlock(&s->lock);

		bool any = false;
		for (struct batch *b = first; b; b = b->next)
			any |= b->first != NULL;
		int rc = any ? batches_write(s, first) : 0;
		if (rc == SHOAL_ERR_HASH)
			atomic_store(&s->damaged, true);
		s->written |= any && rc == 0;

		pthread_mutex_lock(&s->lock);
		while (first) {
			struct batch *b = first;
			first = b->next;
			size_t at = (s->done_first + s->done_count) % SHOAL_STORE_COMMITS_MAX;
			assert(s->done_count < SHOAL_STORE_COMMITS_MAX); /* commits are bounded by as many */
			s->done[at] = (struct shoal_store_done){ b->cookie, rc };
			s->done_count++;
			s->bytes -= b->bytes;
			batch_free(b);
		}
		uint64_t one = 1;
		for (int tries = 0; !s->signalled && tries < 3; tries++)
			s->signalled = s->os->write(s->fd, &one, sizeof one) == sizeof one;
	}
	pthread_mutex_unlock(&s->lock);
	mark_clean(s);
	return NULL;
}

/* ---- the table, the end ------------------------------------------------------------------------------ */

static const struct shoal_store_ops store_ops = {
	.get = s_get,
	.hold = s_hold,
	.scan = s_scan,
	.put = s_put,
	.drop = s_drop,
	.commit = s_commit,
	.reap = s_reap,
};

struct shoal_store shoal_store_sqlite_store(struct shoal_store_sqlite *s)
{
	return (struct shoal_store){ &store_ops, s };
}

int shoal_store_sqlite_fd(const struct shoal_store_sqlite *s)
{
	return s->fd;
}

bool shoal_store_sqlite_alone(const struct shoal_store_sqlite *s)
{
	return s->alone;
}

int shoal_store_start(struct shoal_store_sqlite *s)
{
	if (s->os->thread_start(&s->thread, work, s) < 0)
		return shoal_os_err(errno);
	s->running = true;
	return 0;
}

void shoal_store_sqlite_close(struct shoal_store_sqlite *s)
{
	if (s == NULL)
		return;
	if (s->running) {
		pthread_mutex_lock(&s->lock);
		s->stop = true;
		pthread_cond_signal(&s->todo);
		pthread_mutex_unlock(&s->lock);
		pthread_join(s->thread, NULL);
	}
	batch_free(s->batch);
	sqlite3_finalize(s->get);
	sqlite3_finalize(s->scan);
	sqlite3_finalize(s->put);
	sqlite3_finalize(s->drop);
	sqlite3_close(s->reader);
	sqlite3_close(s->writer); /* the last one folds the log back in */
	if (s->lock_fd >= 0)
		s->os->close(s->lock_fd);
	if (s->fd >= 0)
		s->os->close(s->fd);
	pthread_cond_destroy(&s->todo);
	pthread_mutex_destroy(&s->lock);
	free(s->path);
	free(s->state);
	free(s->vfs);
	free(s);
}
