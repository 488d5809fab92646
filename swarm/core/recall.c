/* swarm/core/recall.c - records of peers, from the store and into it. */
#include "swarm/core/recall.h"

#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "swarm/core/evidence.h"
#include "swarm/core/node_room.h"
#include "swarm/peers/rep_record.h"

#define SCAN_MAX (8 * SHOAL_RECALL_ROWS) /* rows looked at: what lies beyond was put there by nobody of ours */

static bool keeps(const struct shoal_node *n)
{
	return n->store.ops != NULL && n->policy->scores;
}

bool shoal_recall_stale(uint32_t seen_s, uint32_t banned_until_s, uint32_t now_s)
{
	return banned_until_s <= now_s && seen_s < now_s && now_s - seen_s > SHOAL_RECALL_KEEP_S;
}

/* ---- reading ---------------------------------------------------------------------------------- */

struct row {
	float worth;
	bool drop;
	uint8_t key_len;
	uint8_t key[SHOAL_REP_KEY_MAX];
};
struct rows {
	struct row *at;
	size_t count, room;
	uint32_t now_s;
	bool failed;
};

static int on_row(void *to, struct shoal_bytes key, struct shoal_bytes value)
{
	struct rows *r = to;
	struct shoal_rep_record rec;
	struct shoal_rep_name who;
	if (key.len > SHOAL_REP_KEY_MAX)
		return 0;
	if (r->count == r->room) {
		size_t room = r->room > 0 ? 2 * r->room : 64;
		struct row *more = room <= SCAN_MAX ? realloc(r->at, room * sizeof *more) : NULL;
		r->failed = more == NULL;
		if (more == NULL)
			return 1;
		r->at = more;
		r->room = room;
	}
	struct row *row = &r->at[r->count];
	*row = (struct row){ .key_len = (uint8_t)key.len };
	memcpy(row->key, key.at, key.len);
	int rc = shoal_rep_key_name(key, &who) < 0 ? SHOAL_ERR_MALFORMED : shoal_rep_record_decode(value, &rec);
	if (rc == SHOAL_ERR_UNSUPPORTED)
		return 0; /* a newer shoal's: left alone */
	row->drop = rc < 0;
	if (rc == 0) {
		shoal_rep_record_wake(&rec, r->now_s);
		row->worth = (float)shoal_rep_worth(&rec.rep);
		row->drop = shoal_recall_stale(rec.seen_s, rec.rep.banned_until_s, r->now_s);
	}
	r->count++;
	return 0;
}

static int worthiest_first(const void *x, const void *y)
{
	const struct row *a = x, *b = y;
	if (a->drop != b->drop)
		return a->drop ? 1 : -1;
	if (a->worth < b->worth || a->worth > b->worth)
		return a->worth > b->worth ? -1 : 1;
	return memcmp(a->key, b->key, sizeof a->key); /* the same choice on every machine */
}

static void on_value(void *to, struct shoal_bytes value)
{
	struct shoal_rep_record *rec = to;
	if (shoal_rep_record_decode(value, rec) < 0)
		memset(rec, 0, sizeof *rec);
}

/* `rec` as it is stored; false: there is none that can be read. */
static bool look_up(struct shoal_node *n, struct shoal_bytes key, struct shoal_rep_record *rec)
{
	memset(rec, 0, sizeof *rec);
	return n->store.ops->get(n->store.s, SHOAL_STORE_PEER, key, on_value, rec) == 1 && rec->rep.kept > 0;
}

static void commit(struct shoal_node *n)
{
	int rc = n->store.ops->commit(n->store.s, SHOAL_RECALL_COOKIE);
	if (rc == 0) {
		n->commits_out++;
		n->recall.out = true;
	} else {
		shoal_recall_done(n, rc, n->now);
	}
}

/* All rows, the worthiest first, and those that must go are dropped. The caller frees `r->at`. */
static bool tidy(struct shoal_node *n, struct rows *r, shoal_us now)
{
	bool dropped = false;
	*r = (struct rows){ .now_s = shoal_node_seconds(n, now) };
	int rc = n->store.ops->scan(n->store.s, SHOAL_STORE_PEER, SHOAL_LIT(""), on_row, r);
	if (r->count > 0)
		qsort(r->at, r->count, sizeof *r->at, worthiest_first);
	n->recall.rows = 0;
	for (size_t i = 0; rc == 0 && i < r->count; i++) {
		struct row *row = &r->at[i];
		row->drop |= i >= SHOAL_RECALL_ROWS;
		n->recall.rows += !row->drop;
		if (row->drop)
			dropped |= n->store.ops->drop(n->store.s, SHOAL_STORE_PEER,
						      shoal_bytes(row->key, row->key_len)) == 0;
	}
	return dropped;
}

void shoal_recall_load(struct shoal_node *n, shoal_us now)
{
	struct rows r;
	if (n->recall.loaded || !keeps(n))
		return;
	n->recall.loaded = true;
	struct shoal_rng rng = shoal_rng_split(n->key.k0, 3);
	n->recall.writer = shoal_rng_u64(&rng);
	bool dropped = tidy(n, &r, now);
	for (size_t i = 0; i < r.count && !r.at[i].drop && i < n->repute.most / 2; i++) {
		struct shoal_rep_record rec;
		struct shoal_rep_name who;
		struct shoal_bytes key = shoal_bytes(r.at[i].key, r.at[i].key_len);
		if (shoal_rep_key_name(key, &who) < 0 || !look_up(n, key, &rec))
			continue;
		shoal_rep_record_wake(&rec, r.now_s);
		(void)shoal_repute_recall(&n->repute, &who, &rec.rep, rec.seen_s);
	}
	free(r.at);
	if (dropped)
		commit(n);
}

/* ---- writing ---------------------------------------------------------------------------------- */

static bool tells(const struct shoal_repute_entry *e)
{
	return (e->listens || e->who.keyed) &&
	       (e->rep.blocks > 0 || e->rep.false_blocks > 0 || e->rep.state >= SHOAL_REP_PAROLE);
}

static bool write_one(struct shoal_node *n, struct shoal_repute_entry *e, uint32_t now_s)
{
	uint8_t raw_key[SHOAL_REP_KEY_MAX], raw[SHOAL_REP_RECORD_MAX];
	struct shoal_rep_record there, rec;
	struct shoal_bytes key = shoal_bytes(raw_key, shoal_rep_key(&e->who, raw_key));
	bool known = look_up(n, key, &there);
	if (known && there.writer != n->recall.writer) {
		shoal_rep_record_wake(&there, now_s);
		shoal_rep_heed(&e->rep, &there.rep, now_s);
	}
	rec = (struct shoal_rep_record){ .rep = e->rep, .seen_s = e->seen_s, .writer = n->recall.writer };
	size_t len = shoal_rep_record_encode(&rec, raw);
	if (n->store.ops->put(n->store.s, SHOAL_STORE_PEER, key, shoal_bytes(raw, len)) < 0)
		return false;
	n->recall.rows += !known;
	e->saved = e->rep.state;
	e->changed = false;
	e->saving = true;
	return true;
}

/* Up to `most` records. True: there are more. */
static bool write_batch(struct shoal_node *n, uint32_t most, shoal_us now)
{
	struct shoal_repute_entry *e;
	uint32_t now_s = shoal_node_seconds(n, now), written = 0;
	bool more = false;
	for (uint32_t at = 0; !more && (e = shoal_repute_next(&n->repute, &at)) != NULL;) {
		if (!e->changed || !tells(e))
			continue;
		more = written == most || !write_one(n, e, now_s);
		written += !more;
	}
	if (written > 0)
		commit(n);
	return more;
}

void shoal_recall_done(struct shoal_node *n, int err, shoal_us now)
{
	struct shoal_repute_entry *e;
	n->recall.out = false;
	for (uint32_t at = 0; (e = shoal_repute_next(&n->repute, &at)) != NULL;) {
		e->changed |= e->saving && err < 0;
		e->saving = false;
	}
	if (err < 0) {
		n->repute.changed = true;
		n->recall.due = now + SHOAL_RECALL_EVERY;
	}
}

void shoal_recall_tick(struct shoal_node *n, shoal_us now)
{
	struct shoal_recall *r = &n->recall;
	if (!n->repute.changed || !keeps(n) || !r->loaded || n->stopping)
		return;
	if (r->due == 0)
		r->due = now + SHOAL_RECALL_EVERY;
	if (n->repute.grave)
		r->due = shoal_min_u64(r->due, now + SHOAL_RECALL_GRAVE);
	n->repute.grave = false;
	if (r->due > now)
		return;
	if (r->out || !shoal_node_commits(n)) {
		r->due = now + SHOAL_RECALL_GRAVE;
		return;
	}
	n->repute.changed = false;
	r->due = 0;
	if (r->rows > SHOAL_RECALL_ROWS + SHOAL_RECALL_SPARE) {
		struct rows all;
		(void)tidy(n, &all, now); /* the drops go with the batch that follows */
		free(all.at);
	}
	if (write_batch(n, SHOAL_RECALL_BATCH, now)) {
		n->repute.changed = true;
		r->due = now + SHOAL_RECALL_GRAVE;
	}
}

void shoal_recall_stop(struct shoal_node *n, shoal_us now)
{
	if (!keeps(n) || !n->recall.loaded || !shoal_node_commits(n))
		return;
	(void)write_batch(n, UINT32_MAX, now);
}

shoal_us shoal_recall_deadline(const struct shoal_node *n)
{
	return n->repute.changed && n->recall.due != 0 ? n->recall.due : SHOAL_NEVER;
}
