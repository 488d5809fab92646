/* store.c - a sorted table of records, and a queue of batches on their way into it. */
#include "tools/lab/world/store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "tools/lab/world/digest.h"

struct record {
	unsigned kind;
	size_t key_len, value_len;
	uint8_t *at; /* key, then value */
	bool drop;   /* in a batch: the record goes */
};
struct batch {
	struct batch *next;
	struct record *record;
	size_t count, room;
	uint64_t cookie;
	int err;
};
struct sim_store {
	struct sim_store_options o;
	struct sim_alarm done_alarm; /* of the oldest batch under way */
	struct record *record;	     /* durable, sorted by kind and key */
	size_t count, room;
	struct batch *open;		 /* put, not committed */
	struct batch *out, **out_tail;	 /* committed, not durable */
	struct batch *reap, **reap_tail; /* durable, or failed */
	unsigned fail_count;
	int fail_err;
	bool dead, lie;
};

static void record_free(struct record *r)
{
	free(r->at);
}

static void batch_free(struct batch *b)
{
	if (b == NULL)
		return;
	for (size_t i = 0; i < b->count; i++)
		record_free(&b->record[i]);
	free(b->record);
	free(b);
}

static int order(const struct record *r, unsigned kind, struct shoal_bytes key)
{
	if (r->kind != kind)
		return r->kind < kind ? -1 : 1;
	return shoal_bytes_order(shoal_bytes(r->at, r->key_len), key);
}

/* The first record not before (kind, key). */
static size_t lower(const struct sim_store *s, unsigned kind, struct shoal_bytes key)
{
	size_t from = 0, to = s->count;
	while (from < to) {
		size_t mid = from + (to - from) / 2;
		if (order(&s->record[mid], kind, key) < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

static void *grown(void *at, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return at;
	*room = *room ? 2 * *room : 16;
	at = realloc(at, *room * size);
	if (at == NULL)
		abort();
	return at;
}

static void apply(struct sim_store *s, struct batch *b)
{
	for (size_t i = 0; i < b->count; i++) {
		struct record r = b->record[i];
		struct shoal_bytes key = { r.at, r.key_len };
		size_t at = lower(s, r.kind, key);
		bool there = at < s->count && order(&s->record[at], r.kind, key) == 0;
		if (r.drop) {
			record_free(&r);
			if (there) {
				record_free(&s->record[at]);
				memmove(s->record + at, s->record + at + 1, (--s->count - at) * sizeof r);
			}
			continue;
		}
		if (there) {
			record_free(&s->record[at]);
		} else {
			s->record = grown(s->record, s->count, &s->room, sizeof r);
			memmove(s->record + at + 1, s->record + at, (s->count++ - at) * sizeof r);
		}
		s->record[at] = r;
	}
	b->count = 0; /* its memory has moved */
}

static void to_reap(struct sim_store *s, struct batch *b)
{
	b->next = NULL;
	*s->reap_tail = b;
	s->reap_tail = &b->next;
	s->o.wake(s->o.to);
}

static struct batch *out_pop(struct sim_store *s)
{
	struct batch *b = s->out;
	s->out = b->next;
	if (s->out == NULL)
		s->out_tail = &s->out;
	return b;
}

static void arm(struct sim_store *s)
{
	uint32_t span = (uint32_t)(s->o.latency[1] - s->o.latency[0]);
	if (s->out != NULL && !sim_alarm_is_set(&s->done_alarm))
		sim_alarm_set(s->o.clock, &s->done_alarm,
			      s->o.clock->now + s->o.latency[0] + shoal_rng_below(&s->o.rng, span + 1));
}

static void on_done(struct sim_alarm *alarm)
{
	struct sim_store *s = SIM_OF(alarm, struct sim_store, done_alarm);
	struct batch *b = out_pop(s);
	if (s->fail_count > 0) {
		s->fail_count--;
		b->err = s->fail_err;
	} else {
		apply(s, b);
	}
	if (s->lie) /* it was told already */
		batch_free(b);
	else
		to_reap(s, b);
	arm(s);
}

/* ---- what a node sees ------------------------------------------------------------------- */

static int store_get(void *to_s, unsigned kind, struct shoal_bytes key, void (*row)(void *to, struct shoal_bytes value),
		     void *to)
{
	const struct sim_store *s = to_s;
	size_t at = lower(s, kind, key);
	if (s->dead)
		return SHOAL_ERR_IO;
	if (at == s->count || order(&s->record[at], kind, key) != 0)
		return 0;
	row(to, shoal_bytes(s->record[at].at + key.len, s->record[at].value_len));
	return 1;
}

static int store_scan(void *to_s, unsigned kind, struct shoal_bytes prefix,
		      int (*row)(void *to, struct shoal_bytes key, struct shoal_bytes value), void *to)
{
	const struct sim_store *s = to_s;
	for (size_t i = lower(s, kind, prefix); i < s->count && s->record[i].kind == kind; i++) {
		const struct record *r = &s->record[i];
		if (r->key_len < prefix.len || (prefix.len > 0 && memcmp(r->at, prefix.at, prefix.len) != 0))
			break;
		int rc = row(to, shoal_bytes(r->at, r->key_len), shoal_bytes(r->at + r->key_len, r->value_len));
		if (rc != 0)
			return rc;
	}
	return s->dead ? SHOAL_ERR_IO : 0;
}

static int batch_add(struct sim_store *s, unsigned kind, struct shoal_bytes key, struct shoal_bytes value, bool drop)
{
	if (s->dead)
		return SHOAL_ERR_IO;
	if (key.len > SHOAL_STORE_KEY_MAX || value.len > SHOAL_STORE_VALUE_MAX)
		return SHOAL_ERR_TOO_LONG;
	struct batch *b = s->open != NULL ? s->open : calloc(1, sizeof *b);
	uint8_t *at = malloc(key.len + value.len + 1);
	if (b == NULL || at == NULL)
		abort();
	s->open = b;
	if (key.len)
		memcpy(at, key.at, key.len);
	if (value.len)
		memcpy(at + key.len, value.at, value.len);
	b->record = grown(b->record, b->count, &b->room, sizeof *b->record);
	b->record[b->count++] = (struct record){
		.kind = kind, .key_len = key.len, .value_len = value.len, .at = at, .drop = drop
	};
	return 0;
}

static int store_put(void *to_s, unsigned kind, struct shoal_bytes key, struct shoal_bytes value)
{
	return batch_add(to_s, kind, key, value, false);
}

static int store_drop(void *to_s, unsigned kind, struct shoal_bytes key)
{
	return batch_add(to_s, kind, key, (struct shoal_bytes){ 0 }, true);
}

static int store_commit(void *to_s, uint64_t cookie)
{
	struct sim_store *s = to_s;
	if (s->dead)
		return SHOAL_ERR_IO;
	struct batch *b = s->open != NULL ? s->open : calloc(1, sizeof *b);
	if (b == NULL)
		abort();
	s->open = NULL;
	b->cookie = cookie;
	b->next = NULL;
	*s->out_tail = b;
	s->out_tail = &b->next;
	arm(s);
	if (s->lie) {
		struct batch *told = calloc(1, sizeof *told);
		if (told == NULL)
			abort();
		told->cookie = cookie;
		to_reap(s, told);
	}
	return 0;
}

static size_t store_reap(void *to_s, struct shoal_store_done out[], size_t max)
{
	struct sim_store *s = to_s;
	size_t n = 0;
	while (n < max && s->reap != NULL) {
		struct batch *b = s->reap;
		s->reap = b->next;
		if (s->reap == NULL)
			s->reap_tail = &s->reap;
		out[n++] = (struct shoal_store_done){ b->cookie, b->err };
		batch_free(b);
	}
	return n;
}

static const struct shoal_store_ops store_ops = {
	.get = store_get,
	.scan = store_scan,
	.put = store_put,
	.drop = store_drop,
	.commit = store_commit,
	.reap = store_reap,
};

struct shoal_store sim_store_view(struct sim_store *s)
{
	return (struct shoal_store){ &store_ops, s };
}

/* ---- its own life ----------------------------------------------------------------------- */

struct sim_store *sim_store_new(const struct sim_store_options *options)
{
	struct sim_store *s = calloc(1, sizeof *s);
	if (s == NULL)
		abort();
	s->o = *options;
	s->done_alarm.ring = on_done;
	s->out_tail = &s->out;
	s->reap_tail = &s->reap;
	return s;
}

void sim_store_free(struct sim_store *s)
{
	if (s == NULL)
		return;
	sim_alarm_drop(s->o.clock, &s->done_alarm);
	for (struct batch *b; (b = s->out) != NULL;) {
		s->out = b->next;
		batch_free(b);
	}
	for (struct batch *b; (b = s->reap) != NULL;) {
		s->reap = b->next;
		batch_free(b);
	}
	batch_free(s->open);
	for (size_t i = 0; i < s->count; i++)
		record_free(&s->record[i]);
	free(s->record);
	free(s);
}

void sim_store_crash(struct sim_store *s)
{
	bool lost = false;
	sim_alarm_drop(s->o.clock, &s->done_alarm);
	while (s->out != NULL) { /* in order: once one is lost, so are those after it */
		struct batch *b = out_pop(s);
		lost = lost || s->fail_count > 0 || shoal_rng_below(&s->o.rng, 2) == 0;
		if (!lost)
			apply(s, b);
		b->err = SHOAL_ERR_IO;
		if (s->lie)
			batch_free(b);
		else
			to_reap(s, b);
	}
	batch_free(s->open);
	s->open = NULL;
	s->dead = true;
}

void sim_store_revive(struct sim_store *s)
{
	assert(s->dead && s->reap == NULL); /* the dead process took its answers along */
	s->dead = false;
}

void sim_store_fail(struct sim_store *s, int err, unsigned count)
{
	s->fail_err = err;
	s->fail_count = count;
}

void sim_store_lie(struct sim_store *s, bool lie)
{
	assert(s->out == NULL);
	s->lie = lie;
}

size_t sim_store_count(const struct sim_store *s)
{
	return s->count;
}

uint64_t sim_store_digest(const struct sim_store *s)
{
	uint64_t sum = SIM_DIGEST_START;
	for (size_t i = 0; i < s->count; i++) {
		const struct record *r = &s->record[i];
		sum = sim_digest_u64(sum, (uint64_t)r->kind << 32 | r->key_len);
		sum = sim_digest(sum, r->at, r->key_len + r->value_len);
	}
	return sum;
}
