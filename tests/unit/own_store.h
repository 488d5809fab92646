/*
 * tests/unit/own_store.h - a store in a test's own folder, and records in words.
 */
#ifndef SHOAL_OWN_STORE_H
#define SHOAL_OWN_STORE_H

#include "swarm/io/store_sqlite.h"

/* Its folder, in own_place, and its database. */
extern char own_store_dir[300], own_store_path[320];
int own_store_setup(void **state);
/* A test with it, for cmocka's table; see own_place.h. */
#define own_store_test(f) cmocka_unit_test_setup_teardown(f, own_store_setup, own_place_teardown)

/* Over own_faults. Fails the test when it cannot be opened, or does not say `want_what` (NULL: says anything). */
struct shoal_store_sqlite *own_store_opened_with(const char *vfs, const char *want_what);
struct shoal_store_sqlite *own_store_opened(void);
/* Waits for one commit: its error. */
int own_store_reap(struct shoal_store_sqlite *s, uint64_t *cookie);
int own_store_commit(struct shoal_store_sqlite *s, uint64_t cookie);
void own_store_put(struct shoal_store_sqlite *s, unsigned kind, const char *key, const char *value);
void own_store_drop(struct shoal_store_sqlite *s, unsigned kind, const char *key);
/* What get() and scan() give, as words. Both take it as `to`. */
struct own_store_got {
	char text[4000];
	int rows, stop_after;
};
void own_store_on_value(void *to, struct shoal_bytes value);
int own_store_on_row(void *to, struct shoal_bytes key, struct shoal_bytes value);
/* NULL when there is none; until the next call. */
const char *own_store_get(struct shoal_store_sqlite *s, unsigned kind, const char *key);
/* "key=value " for each, at most `stop_after` (0: all); until the next call. */
const char *own_store_scan(struct shoal_store_sqlite *s, unsigned kind, const char *prefix, int stop_after);

#endif
