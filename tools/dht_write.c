/* tools/dht_write.c - shoal dht put, publish: what is kept in the DHT, under which number, and for how long. */
#include "tools/dht_hand.h"

#include "dht/items.h"
#include "proto/base/bytes.h"
#include "proto/bencode.h"
#include "swarm/io/keys.h"
#include "tools/published.h"
#include "tools/say.h"
#include "tools/signals.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TURNS 3	  /* a number is chosen, when a newer value turns up each time */
#define ENOUGH 8u /* nodes that answered: what all of them do not have is not there */
#define FEW 4u	  /* nodes: half as many as a value is put to */
#define RETRY_US SHOAL_S(60)

/* A signed value on its way. */
struct putting {
	struct shoal_dht_hand *d;
	const struct shoal_key *key;
	struct shoal_bytes v;
	int64_t seq;
	struct shoal_published ours;
	struct shoal_dht_value theirs; /* the newest that was seen */
	bool state_failed;
};

static void on_put(void *to, const struct shoal_event *ev)
{
	struct shoal_dht_hand *d = to;
	if (ev->kind != SHOAL_EV_DHT_DONE)
		return;
	d->count = ev->dht.written;
	d->refused = ev->dht.code;
	if (d->tool->json)
		shoal_dht_tell_done(d, ev);
}

static void on_put_signed(void *to, const struct shoal_event *ev)
{
	struct putting *p = to;
	if (ev->kind == SHOAL_EV_DHT_ITEM) /* how many answered to look() stays as it is */
		shoal_dht_value_take(&p->theirs, ev);
	on_put(p->d, ev);
}

/* ---- numbers ---------------------------------------------------------------------------------- */

static bool is_value(const struct putting *p, const uint8_t *v, size_t len)
{
	return shoal_bytes_equal(p->v, shoal_bytes(v, len));
}

/* What is known of the name, here and there. */
static int look(struct putting *p)
{
	struct shoal_dht_hand *d = p->d;
	int rc = shoal_published_recall(d->state, p->key->public, d->salt_bytes, &p->ours);
	p->state_failed = rc < 0;
	if (rc == 0)
		rc = shoal_dht_session_get(&d->s, p->key->public, d->salt_bytes, &p->theirs);
	return rc;
}

/* Chooses p->seq, and remembers it. GONE: nobody knows of a value, and too few were asked. */
static int number(struct putting *p)
{
	struct shoal_dht_hand *d = p->d;
	int64_t next = shoal_published_next(&p->ours, &p->theirs, p->v);
	if (next == SHOAL_ERR_GONE && (p->ours.key_made || d->first || p->theirs.answers >= ENOUGH))
		next = 1;
	if (next < 0)
		return (int)next;
	p->seq = next;
	if (p->ours.known && p->ours.seq == next && is_value(p, p->ours.v, p->ours.len))
		return 0;
	int rc = shoal_published_remember(d->state, p->key->public, d->salt_bytes, next, p->v);
	p->state_failed = rc < 0;
	p->ours.known = true;
	p->ours.seq = next;
	p->ours.len = p->v.len;
	memcpy(p->ours.v, p->v.at, p->v.len);
	return rc;
}

static int put_numbered(struct putting *p)
{
	struct shoal_dht_hand *d = p->d;
	uint8_t text[SHOAL_ITEM_SIGNED_MAX], both[96];
	ptrdiff_t len = shoal_item_signed(d->salt_bytes, p->seq, p->v, text);
	if (len < 0)
		return (int)len;
	memcpy(both, p->key->public, 32);
	shoal_key_sign(p->key, shoal_bytes(text, (size_t)len), both + 32);
	struct shoal_op op = { .kind = SHOAL_OP_DHT_PUT,
			       .data = p->v,
			       .text = d->salt_bytes,
			       .key = shoal_bytes(both, sizeof both),
			       .seq = p->seq,
			       .flags = d->has_cas ? SHOAL_DHT_CAS : 0,
			       .cas = d->cas_number };
	return shoal_dht_session_ask(&d->s, &op, on_put_signed, p);
}

/* The first look missed it, the nodes that are written to have it: a newer value, or another one with our number. */
static bool overtaken(const struct putting *p)
{
	const struct shoal_dht_value *t = &p->theirs;
	return t->found && (t->seq > p->seq || (t->seq == p->seq && !is_value(p, t->v, t->len)));
}

/* After look(). */
static int put_signed(struct putting *p)
{
	int rc = SHOAL_ERR_REFUSED;
	for (int turn = 0; turn < TURNS; turn++) {
		rc = number(p);
		if (rc < 0)
			return rc;
		rc = put_numbered(p);
		if (p->d->has_cas || !overtaken(p) || rc == SHOAL_ERR_CLOSED)
			break;
	}
	return rc;
}

/* ---- how it ends -------------------------------------------------------------------------------- */

static void say_why(const struct putting *p, int rc, char out[240])
{
	unsigned n = p->theirs.answers;
	char silent[SHOAL_DHT_SILENT_MAX];
	if (p->state_failed)
		snprintf(out, 240, "cannot remember its number in the state: %s", shoal_err_name(rc));
	else if (rc == SHOAL_ERR_GONE)
		snprintf(out, 240,
			 "only %u node%s of the DHT answered and none has a value under this key; where others have "
			 "one, its number counts. Say --first if none was ever published",
			 n, n == 1 ? "" : "s");
	else if (rc == SHOAL_ERR_RANGE)
		snprintf(out, 240, "the last value has the highest number there is");
	else if (rc == SHOAL_ERR_TIMEOUT)
		snprintf(out, 240, "%s", shoal_dht_session_silent(&p->d->s, silent));
	else if (rc == SHOAL_ERR_REFUSED)
		snprintf(out, 240, "refused with code %lld%s", (long long)p->d->refused,
			 p->d->refused == 301	? ": another value is there (--cas)"
			 : p->d->refused == 302 ? ": a newer value is there"
						: "");
	else
		snprintf(out, 240, "%s", shoal_err_name(rc));
}

static int put_failed(const struct putting *p, int rc)
{
	char why[240];
	if (rc == SHOAL_ERR_CLOSED)
		return SHOAL_EXIT_INTERRUPTED;
	say_why(p, rc, why);
	return shoal_say_fail_as(p->d->tool,
				 p->state_failed ? SHOAL_EXIT_STORAGE
				 : rc == SHOAL_ERR_GONE || rc == SHOAL_ERR_REFUSED || rc == SHOAL_ERR_RANGE
					 ? SHOAL_EXIT_REFUSED
					 : SHOAL_EXIT_NET,
				 rc, "%s", why);
}

/* Reads the key, or makes one and remembers that. */
static int key_open(struct shoal_dht_hand *d, struct shoal_key *key)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	int rc = shoal_key_file(key, d->key_file, false);
	if (rc == SHOAL_ERR_GONE) {
		rc = shoal_key_file(key, d->key_file, true);
		int kept = rc == 0 ? shoal_published_key_made(d->state, key->public) : 0;
		if (kept < 0)
			return shoal_say_fail_as(d->tool, SHOAL_EXIT_STORAGE, kept, "cannot write the state: %s",
						 shoal_err_name(kept));
		d->first |= rc == 0;
	}
	if (rc == SHOAL_ERR_MALFORMED)
		return shoal_say_fail(d->tool, SHOAL_ERR_USAGE, "%s holds no key (64 hex digits)",
				      shoal_say_cstr(d->key_file, shown));
	if (rc < 0)
		return shoal_say_fail_as(d->tool, SHOAL_EXIT_STORAGE, rc, "%s: %s", shoal_say_cstr(d->key_file, shown),
					 errno != 0 ? strerror(errno) : shoal_err_name(rc));
	return 0;
}

/* ---- put ---------------------------------------------------------------------------------------- */

static int put_plain(struct shoal_dht_hand *d, struct shoal_bytes v)
{
	char hex[41];
	struct shoal_op op = { .kind = SHOAL_OP_DHT_PUT, .data = v };
	shoal_item_target(v, &d->target);
	int rc = shoal_dht_session_ask(&d->s, &op, on_put, d);
	if (rc < 0)
		return shoal_dht_failed(d, rc);
	shoal_say_hex(d->target.b, 20, hex);
	if (d->tool->json) {
		struct shoal_json *j = shoal_say_event(d->tool, "put", 0);
		shoal_json_text(j, "target", hex);
		shoal_json_u64(j, "nodes", d->count);
		shoal_say_event_end(d->tool);
	}
	shoal_say(d->tool, "%s  on %u node%s", hex, d->count, d->count == 1 ? "" : "s");
	return 0;
}

static int put_under_key(struct shoal_dht_hand *d, struct shoal_bytes v)
{
	struct shoal_key key;
	char hex[65];
	int code = key_open(d, &key);
	if (code)
		return code;
	struct putting p = { .d = d, .key = &key, .v = v };
	int rc = look(&p);
	if (rc == 0)
		rc = put_signed(&p);
	shoal_say_hex(key.public, 32, hex);
	shoal_key_wipe(&key);
	if (rc < 0)
		return put_failed(&p, rc);
	if (d->tool->json) {
		struct shoal_json *j = shoal_say_event(d->tool, "put", 0);
		shoal_json_text(j, "key", hex);
		shoal_json_u64(j, "nodes", d->count);
		shoal_json_int(j, "seq", p.seq);
		shoal_say_event_end(d->tool);
	}
	shoal_say(d->tool, "%s  seq %lld, on %u node%s", hex, (long long)p.seq, d->count, d->count == 1 ? "" : "s");
	return 0;
}

int shoal_dht_put(struct shoal_dht_hand *d)
{
	uint8_t room[SHOAL_KRPC_VALUE_MAX];
	struct shoal_ben_wr w;
	struct shoal_bytes text = shoal_bytes(d->arg, strlen(d->arg));
	shoal_ben_wr_init(&w, (struct shoal_space){ room, sizeof room });
	if (d->raw && shoal_ben_check(text, SHOAL_BEN_DEPTH_SMALL - 2, shoal_bytes(NULL, 0), NULL) < 0)
		return shoal_say_fail(d->tool, SHOAL_ERR_USAGE, "the value is not bencoded");
	if (d->raw)
		shoal_ben_wr_raw(&w, text);
	else
		shoal_ben_wr_str(&w, text);
	ptrdiff_t len = shoal_ben_wr_done(&w);
	if (len < 0)
		return shoal_say_fail(d->tool, SHOAL_ERR_USAGE, "a value has at most %u bytes", SHOAL_KRPC_VALUE_MAX);
	struct shoal_bytes v = shoal_bytes(room, (size_t)len);
	return d->key_file != NULL ? put_under_key(d, v) : put_plain(d, v);
}

/* ---- publish: BEP 46 ------------------------------------------------------------------------------ */

static void tell_name(const struct putting *p, const struct shoal_id20 *hash)
{
	struct shoal_dht_hand *d = p->d;
	struct shoal_magnet m = { .has_key = true, .salt_len = d->salt_bytes.len };
	char link[512], hex[41];
	memcpy(m.key, p->key->public, 32);
	if (m.salt_len > 0)
		memcpy(m.salt, d->salt_bytes.at, m.salt_len);
	if (shoal_magnet_format(&m, (struct shoal_space){ (uint8_t *)link, sizeof link }) < 0)
		return;
	shoal_say_hex(hash->b, 20, hex);
	if (d->tool->json) {
		struct shoal_json *j = shoal_say_event(d->tool, "published", 0);
		shoal_json_text(j, "magnet", link);
		shoal_json_text(j, "infohash", hex);
		shoal_json_int(j, "seq", p->seq);
		shoal_json_u64(j, "nodes", d->count);
		shoal_say_event_end(d->tool);
	}
	shoal_say(d->tool, "%s\nstands for %s (number %lld, on %u node%s)", link, hex, (long long)p->seq, d->count,
		  d->count == 1 ? "" : "s");
	if (!d->stay)
		shoal_say(d->tool, "kept for two hours, and as long as anybody follows it; --stay keeps it on");
	if (d->count < FEW)
		shoal_say_warn(d->tool, NULL,
			       "only %u node%s took it: whoever asks others finds nothing, or what was there before",
			       d->count, d->count == 1 ? "" : "s");
}

/* Somebody with the same key gave the name to another value since. */
static void tell_moved(const struct putting *p)
{
	struct shoal_id20 hash;
	char hex[41];
	if (!shoal_dht_value_torrent(&p->theirs, &hash)) {
		shoal_say_warn(p->d->tool, NULL, "the name stands for no torrent any more (number %lld)",
			       (long long)p->theirs.seq);
		return;
	}
	shoal_say_hex(hash.b, 20, hex);
	if (p->d->tool->json) {
		struct shoal_json *j = shoal_say_event(p->d->tool, "named", 0);
		shoal_json_text(j, "infohash", hex);
		shoal_json_int(j, "seq", p->theirs.seq);
		shoal_say_event_end(p->d->tool);
	}
	shoal_say(p->d->tool, "the name was moved to %s (number %lld), and is kept alive as that from now on", hex,
		  (long long)p->theirs.seq);
}

/* Renews it, and never takes a name back that was moved on, by whomever: the newest is what is kept. */
static int renew(struct putting *p, int64_t *told)
{
	int rc = look(p);
	if (rc < 0)
		return rc;
	bool moved = p->theirs.found && p->theirs.seq > p->seq && !is_value(p, p->theirs.v, p->theirs.len);
	bool moving = p->ours.known && p->ours.seq > p->seq && !is_value(p, p->ours.v, p->ours.len);
	if (!moved)
		return moving ? 0 : put_signed(p); /* who moves it is at it just now */
	if (*told != p->theirs.seq)
		tell_moved(p);
	*told = p->theirs.seq;
	return shoal_dht_session_keep(&p->d->s, p->d->salt_bytes, &p->theirs);
}

static int publish_once(struct putting *p, const struct shoal_id20 *hash)
{
	int rc = look(p);
	if (rc == 0)
		rc = put_signed(p);
	if (rc == 0)
		tell_name(p, hash);
	return rc;
}

/* The first time, and with --stay from time to time. */
static int publish(struct putting *p, const struct shoal_id20 *hash)
{
	struct shoal_dht_hand *d = p->d;
	int64_t told = 0;
	int rc = publish_once(p, hash);
	bool done = rc == 0;
	while (d->stay && rc != SHOAL_ERR_CLOSED) {
		char why[240];
		shoal_us wait = done || d->every < RETRY_US ? d->every : RETRY_US;
		if (rc < 0) {
			say_why(p, rc, why);
			shoal_say_warn(d->tool, NULL, "%s; again in %lld s", why, (long long)(wait / SHOAL_S(1)));
		}
		if (!shoal_dht_session_wait(&d->s, shoal_signals_now() + wait))
			break;
		rc = done ? renew(p, &told) : publish_once(p, hash);
		done |= rc == 0;
	}
	return done ? 0 : d->stay ? SHOAL_EXIT_INTERRUPTED : put_failed(p, rc);
}

int shoal_dht_publish(struct shoal_dht_hand *d)
{
	struct shoal_id20 hash;
	struct shoal_key key;
	uint8_t v[29] = "d2:ih20:";
	if (d->key_file == NULL)
		return shoal_say_fail(d->tool, SHOAL_ERR_USAGE,
				      "--key-file FILE says whose name it is (made if it is not there)");
	int code = shoal_dht_hash_of(d, &hash);
	if (code == 0)
		code = key_open(d, &key);
	if (code)
		return code;
	memcpy(v + 8, hash.b, 20);
	v[28] = 'e';
	struct putting p = { .d = d, .key = &key, .v = shoal_bytes(v, sizeof v) };
	code = publish(&p, &hash);
	shoal_key_wipe(&key);
	return code;
}
