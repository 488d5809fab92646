/* tools/follow.c - see follow.h. */
#include "tools/follow.h"

#include "dht/items.h"
#include "proto/base/bytes.h"

#include <string.h>

static struct shoal_bytes salt_of(const struct shoal_follow *f)
{
	return shoal_bytes(f->salt, f->salt_len);
}

void shoal_follow_begin(struct shoal_follow *f, const struct shoal_magnet *m, shoal_us now)
{
	memcpy(f->key, m->key, sizeof f->key);
	f->salt_len = m->salt_len < sizeof f->salt ? m->salt_len : sizeof f->salt;
	memcpy(f->salt, m->salt, f->salt_len);
	if (f->every == 0)
		f->every = SHOAL_FOLLOW_EVERY;
	f->look_at = now + f->every;
	f->keep_at = now + SHOAL_FOLLOW_KEEP; /* who looked it up has just put it again */
}

int shoal_follow_tick(struct shoal_follow *f, struct shoal_engine *engine, shoal_us now)
{
	struct shoal_id20 target;
	if (f->asked || f->look_at > now)
		return 0;
	f->look_at = now + f->every;
	shoal_item_target_of(f->key, salt_of(f), &target);
	f->value.found = false;
	struct shoal_op op = { .kind = SHOAL_OP_DHT_GET,
			       .ticket = SHOAL_FOLLOW_TICKET,
			       .data = shoal_bytes(target.b, sizeof target.b),
			       .text = salt_of(f) };
	int rc = engine->ops->do_op(engine, &op);
	f->asked = rc == 0;
	return rc == SHOAL_ERR_BUSY ? 0 : rc;
}

/* The same once more, so that it stays (anybody may). */
static void keep(struct shoal_follow *f, struct shoal_engine *engine, shoal_us now)
{
	struct shoal_op op = { .kind = SHOAL_OP_DHT_PUT,
			       .ticket = SHOAL_FOLLOW_TICKET + 1,
			       .data = shoal_bytes(f->value.v, f->value.len),
			       .text = salt_of(f),
			       .key = shoal_bytes(f->value.key, sizeof f->value.key),
			       .seq = f->value.seq,
			       .flags = SHOAL_DHT_RENEW };
	if (engine->ops->do_op(engine, &op) == 0)
		f->keep_at = now + SHOAL_FOLLOW_KEEP;
}

int shoal_follow_event(struct shoal_follow *f, struct shoal_engine *engine, const struct shoal_event *ev, shoal_us now)
{
	struct shoal_id20 hash;
	if (ev->ticket != SHOAL_FOLLOW_TICKET || !f->asked)
		return 0;
	shoal_dht_value_take(&f->value, ev);
	if (ev->kind != SHOAL_EV_DHT_DONE)
		return 0;
	f->asked = false;
	if (!f->value.found || f->value.seq < f->seq)
		return 0;
	bool newer = f->value.seq > f->seq;
	f->seq = f->value.seq;
	if (newer || f->keep_at <= now)
		keep(f, engine, now);
	if (!newer || !shoal_dht_value_torrent(&f->value, &hash) || memcmp(hash.b, f->hash.b, sizeof hash.b) == 0)
		return 0;
	f->hash = hash;
	return 1;
}
