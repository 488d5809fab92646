/* tools/published.c - see published.h. */
#include "tools/published.h"

#include "proto/base/bytes.h"
#include "tools/dht.h"
#include "tools/state.h"

#include <string.h>

#define KEY 32u
#define NAME_MAX_BYTES (KEY + 1u + SHOAL_KRPC_SALT_MAX)
_Static_assert(NAME_MAX_BYTES <= SHOAL_STORE_KEY_MAX, "a name is a key of the store");

/* ---- which comes next ------------------------------------------------------------------------ */

int64_t shoal_published_next(const struct shoal_published *ours, const struct shoal_dht_value *theirs,
			     struct shoal_bytes v)
{
	if (!ours->known && !theirs->found)
		return SHOAL_ERR_GONE;
	int64_t newest = ours->known && (!theirs->found || ours->seq > theirs->seq) ? ours->seq : theirs->seq;
	bool same = true;
	/* Both may have that number, for different values, signed on two machines: then neither is renewed. */
	if (ours->known && ours->seq == newest)
		same = shoal_bytes_equal(v, shoal_bytes(ours->v, ours->len));
	if (theirs->found && theirs->seq == newest)
		same = same && shoal_bytes_equal(v, shoal_bytes(theirs->v, theirs->len));
	if (same)
		return newest;
	return newest == INT64_MAX ? SHOAL_ERR_RANGE : newest + 1;
}

/* ---- what is remembered ------------------------------------------------------------------------
 *
 * SHOAL_STORE_SIGNED: the public key, the length of the salt (a byte), the salt: the number (8 bytes), the value. And
 * the public key alone, without a value: it was made here.
 */

static struct shoal_bytes name_of(const uint8_t key[KEY], struct shoal_bytes salt, uint8_t out[NAME_MAX_BYTES])
{
	memcpy(out, key, KEY);
	out[KEY] = (uint8_t)salt.len;
	if (salt.len > 0)
		memcpy(out + KEY + 1, salt.at, salt.len);
	return shoal_bytes(out, KEY + 1 + salt.len);
}

static int open_at(const char *state, struct shoal_store_sqlite **out)
{
	struct shoal_store_options options = { .os = &shoal_os_real, .state = state };
	return shoal_store_sqlite_open(out, &options, NULL);
}

static void on_signed(void *to, struct shoal_bytes value)
{
	struct shoal_published *p = to;
	if (value.len < 8 || value.len - 8 > sizeof p->v)
		return;
	p->known = true;
	p->seq = (int64_t)(shoal_get_u64(value.at) & INT64_MAX);
	p->len = value.len - 8;
	memcpy(p->v, value.at + 8, p->len);
}

static void on_made(void *to, struct shoal_bytes value)
{
	(void)value;
	((struct shoal_published *)to)->key_made = true;
}

int shoal_published_recall(const char *state, const uint8_t key[32], struct shoal_bytes salt,
			   struct shoal_published *out)
{
	uint8_t name[NAME_MAX_BYTES];
	struct shoal_store_sqlite *s = NULL;
	*out = (struct shoal_published){ .known = false };
	int rc = state != NULL ? open_at(state, &s) : 0;
	if (state == NULL || rc < 0)
		return rc;
	struct shoal_store store = shoal_store_sqlite_store(s);
	rc = store.ops->get(store.s, SHOAL_STORE_SIGNED, name_of(key, salt, name), on_signed, out);
	if (rc >= 0)
		rc = store.ops->get(store.s, SHOAL_STORE_SIGNED, shoal_bytes(key, KEY), on_made, out);
	shoal_store_sqlite_close(s);
	return rc < 0 ? rc : 0;
}

static int put(const char *state, struct shoal_bytes name, struct shoal_bytes value)
{
	struct shoal_store_sqlite *s = NULL;
	int rc = state != NULL ? open_at(state, &s) : 0;
	if (state == NULL || rc < 0)
		return rc;
	struct shoal_store store = shoal_store_sqlite_store(s);
	rc = store.ops->put(store.s, SHOAL_STORE_SIGNED, name, value);
	if (rc == 0)
		rc = shoal_state_write(s);
	shoal_store_sqlite_close(s);
	return rc;
}

int shoal_published_remember(const char *state, const uint8_t key[32], struct shoal_bytes salt, int64_t seq,
			     struct shoal_bytes v)
{
	uint8_t name[NAME_MAX_BYTES], value[8 + SHOAL_KRPC_VALUE_MAX];
	shoal_put_u64(value, (uint64_t)seq);
	memcpy(value + 8, v.at, v.len);
	return put(state, name_of(key, salt, name), shoal_bytes(value, 8 + v.len));
}

int shoal_published_key_made(const char *state, const uint8_t key[32])
{
	return put(state, shoal_bytes(key, KEY), SHOAL_LIT(""));
}
