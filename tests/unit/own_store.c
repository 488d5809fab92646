/* own_store.c - see own_store.h. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/own_store.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "tests/unit/own_place.h"
#include "tests/unit/own_torn_vfs.h"

char own_store_dir[300], own_store_path[320];

int own_store_setup(void **state)
{
	own_torn_begin();
	int rc = own_place_setup(state);
	snprintf(own_store_dir, sizeof own_store_dir, "%s/state", own_place);
	snprintf(own_store_path, sizeof own_store_path, "%s/shoal.db", own_store_dir);
	return rc;
}

struct shoal_store_sqlite *own_store_opened_with(const char *vfs, const char *want_what)
{
	struct shoal_store_sqlite *s = NULL;
	struct shoal_store_options options = { .os = &own_faults, .state = own_store_dir, .vfs = vfs };
	char what[160];
	int rc = shoal_store_sqlite_open(&s, &options, what);
	if (rc < 0)
		fail_msg("store: %d %s", rc, what);
	if (want_what)
		assert_non_null(strstr(what, want_what));
	else
		assert_string_equal(what, "");
	return s;
}
struct shoal_store_sqlite *own_store_opened(void)
{
	return own_store_opened_with(NULL, NULL);
}

int own_store_reap(struct shoal_store_sqlite *s, uint64_t *cookie)
{
	struct shoal_store st = shoal_store_sqlite_store(s);
	struct shoal_store_done done;
	struct pollfd p = { .fd = shoal_store_sqlite_fd(s), .events = POLLIN };
	if (poll(&p, 1, 20000) != 1)
		fail_msg("the store hangs");
	assert_int_equal(st.ops->reap(st.s, &done, 1), 1);
	*cookie = done.cookie;
	return done.err;
}
int own_store_commit(struct shoal_store_sqlite *s, uint64_t cookie)
{
	struct shoal_store st = shoal_store_sqlite_store(s);
	uint64_t got;
	assert_int_equal(st.ops->commit(st.s, cookie), 0);
	int err = own_store_reap(s, &got);
	assert_int_equal(got, cookie);
	return err;
}
void own_store_put(struct shoal_store_sqlite *s, unsigned kind, const char *key, const char *value)
{
	struct shoal_store st = shoal_store_sqlite_store(s);
	assert_int_equal(st.ops->put(st.s, kind, shoal_bytes(key, strlen(key)), shoal_bytes(value, strlen(value))), 0);
}
void own_store_drop(struct shoal_store_sqlite *s, unsigned kind, const char *key)
{
	struct shoal_store st = shoal_store_sqlite_store(s);
	assert_int_equal(st.ops->drop(st.s, kind, shoal_bytes(key, strlen(key))), 0);
}

void own_store_on_value(void *to, struct shoal_bytes value)
{
	struct own_store_got *g = to;
	assert_true(value.len < sizeof g->text);
	if (value.len)
		memcpy(g->text, value.at, value.len);
	g->text[value.len] = '\0';
}
int own_store_on_row(void *to, struct shoal_bytes key, struct shoal_bytes value)
{
	struct own_store_got *g = to;
	size_t at = strlen(g->text);
	snprintf(g->text + at, sizeof g->text - at, "%.*s=%.*s ", (int)key.len, (const char *)key.at, (int)value.len,
		 (const char *)value.at);
	return ++g->rows == g->stop_after;
}
const char *own_store_get(struct shoal_store_sqlite *s, unsigned kind, const char *key)
{
	static struct own_store_got g;
	struct shoal_store st = shoal_store_sqlite_store(s);
	int rc = st.ops->get(st.s, kind, shoal_bytes(key, strlen(key)), own_store_on_value, &g);
	assert_true(rc >= 0);
	return rc ? g.text : NULL;
}
const char *own_store_scan(struct shoal_store_sqlite *s, unsigned kind, const char *prefix, int stop_after)
{
	static struct own_store_got g;
	struct shoal_store st = shoal_store_sqlite_store(s);
	g = (struct own_store_got){ .stop_after = stop_after };
	assert_int_equal(st.ops->scan(st.s, kind, shoal_bytes(prefix, strlen(prefix)), own_store_on_row, &g), 0);
	return g.text;
}
