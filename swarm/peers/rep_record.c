/* swarm/peers/rep_record.c - records of reputation, as bytes. */
#include "swarm/peers/rep_record.h"

#include <string.h>
#include "proto/base/bytes.h"
#include "proto/compact.h"
#include "proto/text.h"

#define VERSION 1
#define FLAG_JUDGED 1u

static const char key_prefix[] = "ed25519:";

bool shoal_rep_name_equal(const struct shoal_rep_name *a, const struct shoal_rep_name *b)
{
	if (a->keyed != b->keyed)
		return false;
	return a->keyed ? memcmp(a->key, b->key, SHOAL_KEY_BYTES) == 0 : shoal_addr_equal(&a->addr, &b->addr);
}

size_t shoal_rep_key(const struct shoal_rep_name *who, uint8_t out[SHOAL_REP_KEY_MAX])
{
	out[0] = who->keyed ? 'k' : 'a';
	if (!who->keyed)
		return 1 + shoal_compact_encode(&who->addr, out + 1);
	memcpy(out + 1, who->key, SHOAL_KEY_BYTES);
	return 1 + SHOAL_KEY_BYTES;
}

int shoal_rep_key_name(struct shoal_bytes key, struct shoal_rep_name *out)
{
	struct shoal_rep_name who = { 0 };
	if (key.len == 1 + SHOAL_KEY_BYTES && key.at[0] == 'k') {
		who.keyed = true;
		memcpy(who.key, key.at + 1, SHOAL_KEY_BYTES);
	} else {
		if ((key.len != 1 + SHOAL_COMPACT4 && key.len != 1 + SHOAL_COMPACT6) || key.at[0] != 'a')
			return SHOAL_ERR_MALFORMED;
		struct shoal_bytes compact = shoal_bytes(key.at + 1, key.len - 1);
		if (shoal_compact_decode(compact, compact.len == SHOAL_COMPACT4, &who.addr, 1) != 1 ||
		    who.addr.port == 0)
			return SHOAL_ERR_MALFORMED;
	}
	*out = who;
	return 0;
}

int shoal_rep_name_parse(struct shoal_bytes text, struct shoal_rep_name *out)
{
	const size_t prefix = sizeof key_prefix - 1;
	struct shoal_rep_name who = { 0 };
	int rc;
	who.keyed = text.len > prefix && memcmp(text.at, key_prefix, prefix) == 0;
	if (who.keyed)
		rc = shoal_hex_decode(shoal_bytes(text.at + prefix, text.len - prefix),
				      (struct shoal_space){ who.key, sizeof who.key });
	else
		rc = shoal_addr_parse(text, &who.addr);
	if (rc == 0)
		*out = who;
	return rc;
}

const char *shoal_rep_name_format(const struct shoal_rep_name *who, char out[SHOAL_REP_NAME_TEXT])
{
	if (!who->keyed) {
		shoal_addr_format(&who->addr, out);
	} else {
		memcpy(out, key_prefix, sizeof key_prefix);
		shoal_hex_encode(shoal_bytes(who->key, sizeof who->key), out + sizeof key_prefix - 1);
	}
	return out;
}

/* ---- bytes ------------------------------------------------------------------------------------ */

static void put(struct shoal_wr *w, float blocks)
{
	double units = (double)blocks * SHOAL_REP_UNIT + 0.5;
	shoal_wr_u32(w, units >= 4294967295.0 ? UINT32_MAX : units > 0 ? (uint32_t)units : 0);
}

/* Up to `most` blocks; all that are within it are floats without a rest. */
static float take(struct shoal_rd *r, double most)
{
	double blocks = shoal_rd_u32(r) / SHOAL_REP_UNIT;
	if (blocks > most)
		r->bad = true;
	return (float)blocks;
}

size_t shoal_rep_record_encode(const struct shoal_rep_record *in, uint8_t out[SHOAL_REP_RECORD_MAX])
{
	const struct shoal_rep *r = &in->rep;
	unsigned reasons = r->reasons < SHOAL_REP_REASONS ? r->reasons : SHOAL_REP_REASONS;
	struct shoal_wr w = shoal_wr((struct shoal_space){ out, SHOAL_REP_RECORD_MAX });
	shoal_wr_u8(&w, VERSION);
	shoal_wr_u8(&w, r->judged ? FLAG_JUDGED : 0);
	shoal_wr_u8(&w, r->state);
	shoal_wr_u8(&w, r->bans);
	shoal_wr_u64(&w, in->writer);
	shoal_wr_u32(&w, in->seen_s);
	shoal_wr_u32(&w, r->faded_s);
	shoal_wr_u32(&w, r->banned_at_s);
	shoal_wr_u32(&w, r->banned_until_s);
	put(&w, r->right);
	put(&w, r->wrong);
	put(&w, r->kept);
	put(&w, r->missed);
	put(&w, r->true_claim);
	put(&w, r->no_claim);
	put(&w, r->cusum < SHOAL_REP_CUSUM_MAX ? r->cusum : (float)SHOAL_REP_CUSUM_MAX);
	put(&w, r->expect_wrong);
	shoal_wr_u32(&w, r->blocks);
	shoal_wr_u32(&w, r->false_blocks);
	shoal_wr_u8(&w, (uint8_t)reasons);
	for (unsigned i = 0; i < reasons; i++) { /* the oldest first */
		const struct shoal_rep_reason *why = &r->reason[(r->reasons - reasons + i) % SHOAL_REP_REASONS];
		shoal_wr_u32(&w, why->at_s);
		shoal_wr_u32(&w, why->piece);
		put(&w, why->value < (float)SHOAL_REP_CAP ? why->value : (float)SHOAL_REP_CAP);
		shoal_wr_u16(&w, why->block);
		shoal_wr_u8(&w, why->why);
		shoal_wr_u8(&w, why->state);
	}
	return w.pos;
}

int shoal_rep_record_decode(struct shoal_bytes in, struct shoal_rep_record *out)
{
	struct shoal_rd r = shoal_rd(in);
	struct shoal_rep_record rec = { 0 };
	struct shoal_rep *rep = &rec.rep;
	unsigned version = shoal_rd_u8(&r), flags = shoal_rd_u8(&r);
	if (!r.bad && version > VERSION)
		return SHOAL_ERR_UNSUPPORTED;
	rep->judged = flags & FLAG_JUDGED;
	rep->state = shoal_rd_u8(&r);
	rep->bans = shoal_rd_u8(&r);
	rec.writer = shoal_rd_u64(&r);
	rec.seen_s = shoal_rd_u32(&r);
	rep->faded_s = shoal_rd_u32(&r);
	rep->banned_at_s = shoal_rd_u32(&r);
	rep->banned_until_s = shoal_rd_u32(&r);
	rep->right = take(&r, SHOAL_REP_CAP);
	rep->wrong = take(&r, SHOAL_REP_CAP);
	rep->kept = take(&r, SHOAL_REP_CAP);
	rep->missed = take(&r, SHOAL_REP_CAP);
	rep->true_claim = take(&r, SHOAL_REP_CAP);
	rep->no_claim = take(&r, SHOAL_REP_CAP);
	rep->cusum = take(&r, SHOAL_REP_CUSUM_MAX);
	rep->expect_wrong = take(&r, 1);
	rep->blocks = shoal_rd_u32(&r);
	rep->false_blocks = shoal_rd_u32(&r);
	unsigned reasons = shoal_rd_u8(&r);
	/* Some evidence is always there: the prior. What has none would be divided by. */
	if (r.bad || version == 0 || flags & ~FLAG_JUDGED || rep->state > SHOAL_REP_BANNED ||
	    reasons > SHOAL_REP_REASONS || rep->right + rep->wrong < 1 || rep->kept + rep->missed < 1 ||
	    rep->true_claim + rep->no_claim < 1)
		return SHOAL_ERR_MALFORMED;
	rep->reasons = (uint8_t)reasons;
	for (unsigned i = 0; i < reasons; i++) {
		struct shoal_rep_reason *why = &rep->reason[i];
		why->at_s = shoal_rd_u32(&r);
		why->piece = shoal_rd_u32(&r);
		why->value = take(&r, SHOAL_REP_CAP);
		why->block = shoal_rd_u16(&r);
		why->why = shoal_rd_u8(&r);
		why->state = shoal_rd_u8(&r);
		if (why->why > SHOAL_REP_WHY_TOLD || why->state > SHOAL_REP_BANNED)
			return SHOAL_ERR_MALFORMED;
	}
	if (r.bad || shoal_rd_left(&r) != 0)
		return SHOAL_ERR_MALFORMED;
	*out = rec;
	return 0;
}

/* ---- after a while --------------------------------------------------------------------------- */

void shoal_rep_record_wake(struct shoal_rep_record *r, uint32_t now_s)
{
	struct shoal_rep *rep = &r->rep;
	uint32_t latest = now_s < UINT32_MAX - SHOAL_REP_BAN_MAX_S ? now_s + SHOAL_REP_BAN_MAX_S : UINT32_MAX;
	if (r->seen_s > now_s)
		r->seen_s = now_s;
	if (rep->faded_s > now_s)
		rep->faded_s = now_s;
	if (rep->banned_at_s > now_s)
		rep->banned_at_s = now_s;
	if (rep->banned_until_s > latest)
		rep->banned_until_s = latest;
	shoal_rep_fade(rep, now_s);
}

double shoal_rep_worth(const struct shoal_rep *r)
{
	return (double)r->right + (double)r->wrong - SHOAL_REP_STRENGTH + 64.0 * r->bans;
}
