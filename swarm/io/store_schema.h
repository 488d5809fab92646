/*
 * swarm/io/store_schema.h - which version a database is, and the way up from it. Knows no records.
 */
#ifndef SHOAL_STORE_SCHEMA_H
#define SHOAL_STORE_SCHEMA_H

#include <shoal/types.h>
#include <sqlite3.h>

/* step[i] brings version i to i + 1; step[0] makes a database out of nothing. */
struct shoal_store_steps {
	const char *const *step;
	int count; /* the version we write */
	int application_id;
};

/* What SQLite's result means to us. 0 for OK, ROW and DONE. */
int shoal_store_err(int sqlite_rc);

/* PRAGMA by name, an integer's worth. < 0 enum shoal_err. */
SHOAL_MUST int shoal_store_pragma(sqlite3 *db, const char *sql, int *out);

/* The version it has, 0 for nothing yet; or UNSUPPORTED, HASH, ... Only looks. */
SHOAL_MUST int shoal_store_version(sqlite3 *db, const struct shoal_store_steps *steps, char what[160]);

/*
 * Brings `db` to our version, in one transaction that is all or nothing. 0: it was; 1: it was made from nothing;
 * 2: it was brought up, and `copy` (a path) holds it as it was. UNSUPPORTED: made by a newer shoal or by another
 * program: nothing was touched. BUSY: it is older, and `alone` is false: others work with it as it is.
 * HASH: it is damaged. what[] says more on an error.
 */
SHOAL_MUST int shoal_store_schema(sqlite3 *db, const struct shoal_store_steps *steps, const char *copy, bool alone,
				  char what[160]);

#endif
