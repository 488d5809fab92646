/* store_schema.c - versions of the store's database. */
#include "swarm/io/store_schema.h"

#include <stdio.h>
#include <string.h>

int shoal_store_err(int sqlite_rc)
{
	switch (sqlite_rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE: return 0;
	case SQLITE_NOMEM: return SHOAL_ERR_NOMEM;
	case SQLITE_FULL: return SHOAL_ERR_NO_SPACE;
	case SQLITE_BUSY:
	case SQLITE_LOCKED: return SHOAL_ERR_BUSY;
	case SQLITE_PERM:
	case SQLITE_READONLY:
	case SQLITE_AUTH: return SHOAL_ERR_DENIED;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB: return SHOAL_ERR_HASH; /* not the bytes that were written */
	case SQLITE_TOOBIG: return SHOAL_ERR_TOO_LONG;
	default: return SHOAL_ERR_IO;
	}
}

int shoal_store_pragma(sqlite3 *db, const char *sql, int *out)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
	if (rc == SQLITE_OK) {
		rc = sqlite3_step(stmt);
		if (rc == SQLITE_ROW)
			*out = sqlite3_column_int(stmt, 0);
	}
	int end = sqlite3_finalize(stmt);
	return shoal_store_err(end != SQLITE_OK ? end : rc);
}

struct found {
	int version, application_id, tables;
};

static int look(sqlite3 *db, struct found *f)
{
	*f = (struct found){ 0, 0, 0 };
	int rc = shoal_store_pragma(db, "PRAGMA user_version", &f->version);
	if (rc == 0)
		rc = shoal_store_pragma(db, "PRAGMA application_id", &f->application_id);
	if (rc == 0)
		rc = shoal_store_pragma(db, "SELECT count(*) FROM sqlite_schema", &f->tables);
	return rc;
}

/* Whether it is ours to change. */
static int judge(const struct found *f, const struct shoal_store_steps *steps, char what[160])
{
	bool nothing = f->version == 0 && f->application_id == 0 && f->tables == 0;
	if (!nothing && f->application_id != steps->application_id) {
		snprintf(what, 160, "the store is another program's database");
		return SHOAL_ERR_UNSUPPORTED;
	}
	if (f->version > steps->count || f->version < 0) {
		snprintf(what, 160, "the store has schema %d, made by a newer shoal (this one knows %d)", f->version,
			 steps->count);
		return SHOAL_ERR_UNSUPPORTED;
	}
	return 0;
}

int shoal_store_version(sqlite3 *db, const struct shoal_store_steps *steps, char what[160])
{
	struct found f;
	int rc = look(db, &f);
	if (rc == 0)
		rc = judge(&f, steps, what);
	return rc < 0 ? rc : f.version;
}

/* The copy is the database as it is, without its log: complete under its name, or not there. */
static int copy_to(sqlite3 *db, const char *copy)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, "VACUUM INTO ?1", -1, &stmt, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(stmt, 1, copy, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	int end = sqlite3_finalize(stmt);
	return shoal_store_err(end != SQLITE_OK ? end : rc);
}

int shoal_store_schema(sqlite3 *db, const struct shoal_store_steps *steps, const char *copy, bool alone, char what[160])
{
	struct found f;
	char sql[80];
	int rc = look(db, &f);
	if (rc == 0)
		rc = judge(&f, steps, what);
	if (rc < 0 || f.version == steps->count)
		return rc;
	if (f.version > 0) {
		if (!alone) {
			snprintf(what, 160, "the store has schema %d and is in use by an older shoal", f.version);
			return SHOAL_ERR_BUSY;
		}
		if ((rc = copy_to(db, copy)) < 0) {
			snprintf(what, 160, "cannot copy the store before bringing it up to date");
			return rc;
		}
	}
	rc = shoal_store_err(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL));
	if (rc < 0)
		return rc;
	int from = f.version;
	rc = look(db, &f); /* another process may have been faster */
	if (rc == 0)
		rc = judge(&f, steps, what);
	for (int v = f.version; rc == 0 && v < steps->count; v++)
		rc = shoal_store_err(sqlite3_exec(db, steps->step[v], NULL, NULL, NULL));
	snprintf(sql, sizeof sql, "PRAGMA application_id=%d; PRAGMA user_version=%d", steps->application_id,
		 steps->count);
	if (rc == 0 && f.version < steps->count)
		rc = shoal_store_err(sqlite3_exec(db, sql, NULL, NULL, NULL));
	if (rc == 0)
		rc = shoal_store_err(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL));
	if (rc < 0) {
		if (what[0] == '\0')
			snprintf(what, 160, "cannot bring the store to schema %d: %s", steps->count,
				 sqlite3_errmsg(db));
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
		return rc;
	}
	return f.version == steps->count ? 0 : from == 0 ? 1 : 2;
}
