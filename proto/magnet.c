/*
 * proto/magnet.c - magnet links, from text and to it.
 *
 * One pass over the parameters, each decoded once. Links are pasted by
 * people, so blanks around them and "&amp;" are forgiven; a hash that is
 * not one is not, and neither are two hashes of one kind that differ.
 */
#include "proto/base/bytes.h"
#include "proto/magnet.h"
#include "proto/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ITEM_BYTES_MAX 2048u /* of a tracker, web seed or peer */

__attribute__((format(printf, 3, 4))) static int fail(char *what, int err, const char *format, ...)
{
	if (what != NULL) {
		va_list args;
		va_start(args, format);
		vsnprintf(what, 160, format, args);
		va_end(args);
	}
	return err;
}

/* Whether `s` begins with `word` (given in lower case), in whatever case. */
static bool begins(struct shoal_bytes s, const char *word)
{
	size_t n = strlen(word);
	if (s.len < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		uint8_t c = s.at[i];
		if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != (uint8_t)word[i])
			return false;
	}
	return true;
}

static struct shoal_bytes after(struct shoal_bytes s, size_t n)
{
	return shoal_bytes(s.at + n, s.len - n);
}

/* "tr", and "tr.1" as some makers number them; "x.pe" is not "x". */
static bool is_key(struct shoal_bytes key, const char *name)
{
	if (!begins(key, name))
		return false;
	key = after(key, strlen(name));
	if (key.len == 0)
		return true;
	if (key.at[0] != '.' || key.len == 1)
		return false;
	for (size_t i = 1; i < key.len; i++)
		if (key.at[i] < '0' || key.at[i] > '9')
			return false;
	return true;
}

static int take_v1(struct shoal_magnet *m, struct shoal_bytes hash, char *what)
{
	struct shoal_id20 id;
	struct shoal_space out = { id.b, sizeof id.b };
	if (shoal_hex_decode(hash, out) < 0 && shoal_base32_decode(hash, out) < 0)
		return fail(what, SHOAL_ERR_MALFORMED,
			    "a v1 info hash has 40 hex or 32 base32 digits; this has %zu bytes", hash.len);
	if (m->has_v1 && memcmp(id.b, m->v1.b, sizeof id.b) != 0)
		return fail(what, SHOAL_ERR_MALFORMED, "two v1 info hashes that differ");
	m->v1 = id;
	m->has_v1 = true;
	return 0;
}

static int take_v2(struct shoal_magnet *m, struct shoal_bytes hash, char *what)
{
	struct shoal_id32 id;
	if (shoal_hex_decode(hash, (struct shoal_space){ id.b, sizeof id.b }) < 0)
		return fail(what, SHOAL_ERR_MALFORMED, "a v2 info hash has 64 hex digits; this has %zu bytes",
			    hash.len);
	if (m->has_v2 && memcmp(id.b, m->v2.b, sizeof id.b) != 0)
		return fail(what, SHOAL_ERR_MALFORMED, "two v2 info hashes that differ");
	m->v2 = id;
	m->has_v2 = true;
	return 0;
}

/* xt: 0 also when it names something we do not know, of which a link may hold any number. */
static int take_topic(struct shoal_magnet *m, struct shoal_bytes v, char *what)
{
	if (begins(v, "urn:btih:"))
		return take_v1(m, after(v, 9), what);
	if (begins(v, "urn:btmh:1220")) /* multihash: SHA-256, 32 bytes */
		return take_v2(m, after(v, 13), what);
	return 0;
}

/* xs: others than a key are of no use to us. */
static int take_source(struct shoal_magnet *m, struct shoal_bytes v, char *what)
{
	if (!begins(v, "urn:btpk:"))
		return 0;
	if (shoal_hex_decode(after(v, 9), (struct shoal_space){ m->key, sizeof m->key }) < 0)
		return fail(what, SHOAL_ERR_MALFORMED, "a public key has 64 hex digits; this has %zu bytes", v.len - 9);
	m->has_key = true;
	return 0;
}

static int take_salt(struct shoal_magnet *m, struct shoal_bytes v, char *what)
{
	m->salt_len = v.len / 2;
	if (m->salt_len > sizeof m->salt || shoal_hex_decode(v, (struct shoal_space){ m->salt, m->salt_len }) < 0)
		return fail(what, SHOAL_ERR_MALFORMED, "a salt is at most %zu bytes in hex digits", sizeof m->salt);
	return 0;
}

static char *copy_text(struct shoal_bytes v)
{
	char *text = malloc(v.len + 1);
	if (text == NULL)
		return NULL;
	for (size_t i = 0; i < v.len; i++) /* a name cannot hold its own end */
		text[i] = v.at[i] ? (char)v.at[i] : '_';
	text[v.len] = 0;
	return text;
}

static int take_item(char **list, size_t *count, struct shoal_bytes v)
{
	if (v.len == 0 || v.len > ITEM_BYTES_MAX || *count == SHOAL_MAGNET_LIST_MAX)
		return 0;
	for (size_t i = 0; i < v.len; i++)
		if (v.at[i] <= ' ' || v.at[i] == 0x7f)
			return 0;
	for (size_t i = 0; i < *count; i++)
		if (strlen(list[i]) == v.len && memcmp(list[i], v.at, v.len) == 0)
			return 0;
	list[*count] = copy_text(v);
	return list[*count] ? (++*count, 0) : SHOAL_ERR_NOMEM;
}

static int take_once(char **text, struct shoal_bytes v)
{
	if (*text != NULL || v.len == 0)
		return 0;
	*text = copy_text(v);
	return *text ? 0 : SHOAL_ERR_NOMEM;
}

static int take_param(struct shoal_magnet *m, struct shoal_bytes key, struct shoal_bytes raw, uint8_t *room, char *what)
{
	bool is_name = is_key(key, "dn");
	ptrdiff_t len = shoal_percent_decode(raw, is_name, (struct shoal_space){ room, raw.len });
	struct shoal_bytes v = shoal_bytes(room, len < 0 ? 0 : (size_t)len);
	if (is_name)
		return take_once(&m->name, v);
	if (is_key(key, "xt"))
		return take_topic(m, v, what);
	if (is_key(key, "tr"))
		return take_item(m->tracker, &m->tracker_count, v);
	if (is_key(key, "ws"))
		return take_item(m->webseed, &m->webseed_count, v);
	if (is_key(key, "x.pe"))
		return take_item(m->peer, &m->peer_count, v);
	if (is_key(key, "xs"))
		return take_source(m, v, what);
	if (is_key(key, "s"))
		return take_salt(m, v, what);
	if (is_key(key, "so"))
		return take_once(&m->select, v);
	return 0;
}

static int take_link(struct shoal_magnet *m, struct shoal_bytes text, char *what)
{
	uint8_t *room = malloc(text.len + 1); /* one value, decoded, at a time */
	int rc = room ? 0 : SHOAL_ERR_NOMEM;
	for (size_t pos = 0; rc >= 0 && pos < text.len;) {
		size_t end = pos, equals = SIZE_MAX;
		for (; end < text.len && text.at[end] != '&'; end++)
			if (text.at[end] == '=' && equals == SIZE_MAX)
				equals = end;
		if (equals != SIZE_MAX) {
			struct shoal_bytes key = shoal_bytes(text.at + pos, equals - pos);
			if (begins(key, "amp;")) /* copied out of HTML */
				key = after(key, 4);
			rc = take_param(m, key, shoal_bytes(text.at + equals + 1, end - equals - 1), room, what);
		}
		pos = end + 1;
	}
	free(room);
	if (rc >= 0 && !m->has_v1 && !m->has_v2 && !m->has_key)
		return fail(what, SHOAL_ERR_UNSUPPORTED,
			    "the link names no torrent (xt=urn:btih: or urn:btmh:1220, or xs=urn:btpk:)");
	return rc;
}

static int take_bare(struct shoal_magnet *m, struct shoal_bytes text, char *what)
{
	if (text.len == 40 || text.len == 32)
		return take_v1(m, text, what);
	if (text.len == 64)
		return take_v2(m, text, what);
	if (text.len == 68 && begins(text, "1220"))
		return take_v2(m, after(text, 4), what);
	return fail(what, SHOAL_ERR_MALFORMED, "neither a magnet link nor an info hash");
}

int shoal_magnet_parse(struct shoal_magnet *out, struct shoal_bytes text, char what[160])
{
	struct shoal_magnet m = { 0 };
	if (what != NULL)
		what[0] = 0;
	while (text.len > 0 && text.at[0] <= ' ')
		text = after(text, 1);
	while (text.len > 0 && text.at[text.len - 1] <= ' ')
		text.len--;
	if (text.len > SHOAL_MAGNET_BYTES_MAX)
		return fail(what, SHOAL_ERR_TOO_LONG, "a link of %zu bytes (at most %u)", text.len,
			    SHOAL_MAGNET_BYTES_MAX);
	int rc = begins(text, "magnet:?") ? take_link(&m, after(text, 8), what) : take_bare(&m, text, what);
	if (rc < 0) {
		if (rc == SHOAL_ERR_NOMEM)
			fail(what, rc, "out of memory");
		shoal_magnet_fini(&m);
		return rc;
	}
	*out = m;
	return 0;
}

void shoal_magnet_fini(struct shoal_magnet *m)
{
	for (size_t i = 0; i < m->tracker_count; i++)
		free(m->tracker[i]);
	for (size_t i = 0; i < m->webseed_count; i++)
		free(m->webseed[i]);
	for (size_t i = 0; i < m->peer_count; i++)
		free(m->peer[i]);
	free(m->name);
	free(m->select);
	*m = (struct shoal_magnet){ 0 };
}

/* ---- to text ---------------------------------------------------------------------- */

static void put_text(struct shoal_wr *w, const char *text)
{
	shoal_wr_put(w, shoal_bytes(text, strlen(text)));
}

/* "&key=value", the value escaped but for `keep`. */
static void put_param(struct shoal_wr *w, const char *key, const char *value, const char *keep)
{
	put_text(w, "&");
	put_text(w, key);
	put_text(w, "=");
	if (w->bad)
		return;
	struct shoal_space rest = { w->out.at + w->pos, w->out.len - w->pos };
	ptrdiff_t len = shoal_percent_encode(shoal_bytes(value, strlen(value)), keep, rest);
	if (len < 0)
		w->bad = true;
	else
		w->pos += (size_t)len;
}

ptrdiff_t shoal_magnet_format(const struct shoal_magnet *m, struct shoal_space out)
{
	struct shoal_wr w = shoal_wr(out);
	char hex[65];
	put_text(&w, "magnet:?");
	if (m->has_v1) { /* first and unescaped: some engines look nowhere else */
		shoal_hex_encode(shoal_bytes(m->v1.b, sizeof m->v1.b), hex);
		put_text(&w, "xt=urn:btih:");
		put_text(&w, hex);
	}
	if (m->has_v2) {
		shoal_hex_encode(shoal_bytes(m->v2.b, sizeof m->v2.b), hex);
		put_text(&w, m->has_v1 ? "&xt=urn:btmh:1220" : "xt=urn:btmh:1220");
		put_text(&w, hex);
	}
	if (m->has_key) {
		char salt[2 * SHOAL_MAGNET_SALT_MAX + 1];
		shoal_hex_encode(shoal_bytes(m->key, sizeof m->key), hex);
		put_text(&w, m->has_v1 || m->has_v2 ? "&xs=urn:btpk:" : "xs=urn:btpk:");
		put_text(&w, hex);
		shoal_hex_encode(shoal_bytes(m->salt, m->salt_len), salt);
		if (m->salt_len > 0)
			put_param(&w, "s", salt, "");
	}
	if (m->name != NULL)
		put_param(&w, "dn", m->name, "");
	for (size_t i = 0; i < m->tracker_count; i++)
		put_param(&w, "tr", m->tracker[i], "");
	for (size_t i = 0; i < m->webseed_count; i++)
		put_param(&w, "ws", m->webseed[i], "");
	for (size_t i = 0; i < m->peer_count; i++)
		put_param(&w, "x.pe", m->peer[i], ":[]");
	if (m->select != NULL)
		put_param(&w, "so", m->select, ",");
	size_t len = w.pos;
	shoal_wr_u8(&w, 0);
	return w.bad ? SHOAL_ERR_TOO_LONG : (ptrdiff_t)len;
}
