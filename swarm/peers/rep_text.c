/* swarm/peers/rep_text.c - lines of text <-> records. */
#include "swarm/peers/rep_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "proto/base/bytes.h"

#define MILLI 1000.0
#define STRANGER 0.01 /* false blocks to be expected of one that others speak of */

/* ---- reading ---------------------------------------------------------------------------------- */

int shoal_rep_text_begin(struct shoal_rep_text *t, struct shoal_bytes text)
{
	static const char name[] = "shoal reputation ";
	const struct shoal_bytes head = SHOAL_LIT(SHOAL_REP_TEXT_HEAD);
	*t = (struct shoal_rep_text){ .line = 1 };
	if (text.len > SHOAL_REP_TEXT_MAX)
		return SHOAL_ERR_TOO_LONG;
	if (text.len < head.len || memcmp(text.at, head.at, head.len) != 0) {
		bool ours = text.len >= sizeof name - 1 && memcmp(text.at, name, sizeof name - 1) == 0;
		return ours ? SHOAL_ERR_UNSUPPORTED : SHOAL_ERR_MALFORMED;
	}
	t->left = shoal_bytes(text.at + head.len, text.len - head.len);
	return 0;
}

/* What stands before the next `end`, which is taken too; false: there is none. */
static bool until(struct shoal_bytes *in, uint8_t end, struct shoal_bytes *out)
{
	const uint8_t *at = in->len > 0 ? memchr(in->at, end, in->len) : NULL;
	if (at == NULL)
		return false;
	*out = shoal_bytes(in->at, (size_t)(at - in->at));
	*in = shoal_bytes(at + 1, in->len - out->len - 1);
	return true;
}

static bool number(struct shoal_bytes text, uint32_t *out)
{
	uint64_t n = 0;
	if (text.len == 0 || text.len > 10 || (text.len > 1 && text.at[0] == '0'))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		n = 10 * n + (text.at[i] - '0');
	}
	*out = (uint32_t)n;
	return n <= UINT32_MAX;
}

static int peer_of(struct shoal_bytes line, struct shoal_rep_line *out)
{
	struct shoal_rep_line l;
	const struct {
		const char *name;
		uint32_t *to, most;
	} field[] = {
		{ "seen", &l.seen_s, UINT32_MAX },
		{ "verified", &l.verified, UINT32_MAX },
		{ "false", &l.false_blocks, UINT32_MAX },
		{ "good", &l.good, (uint32_t)(SHOAL_REP_CAP * MILLI) },
		{ "bad", &l.bad, (uint32_t)(SHOAL_REP_CAP * MILLI) },
		{ "banned", &l.banned_until_s, UINT32_MAX },
	};
	const size_t fields = sizeof field / sizeof *field;
	struct shoal_bytes word;
	if (!until(&line, ' ', &word) || !shoal_bytes_equal(word, SHOAL_LIT("peer")) || !until(&line, ' ', &word) ||
	    shoal_rep_name_parse(word, &l.who) < 0)
		return SHOAL_ERR_MALFORMED;
	for (size_t i = 0; i < fields; i++) {
		bool named = until(&line, ' ', &word) &&
			     shoal_bytes_equal(word, shoal_bytes(field[i].name, strlen(field[i].name)));
		bool valued = named && (i + 1 < fields ? until(&line, ' ', &word) : (word = line, true));
		if (!valued || !number(word, field[i].to) || *field[i].to > field[i].most)
			return SHOAL_ERR_MALFORMED;
	}
	*out = l;
	return 1;
}

int shoal_rep_text_next(struct shoal_rep_text *t, struct shoal_rep_line *out)
{
	while (t->left.len > 0) {
		struct shoal_bytes line;
		t->line++;
		if (!until(&t->left, '\n', &line)) /* it was cut */
			return t->left.len >= SHOAL_REP_TEXT_LINE ? SHOAL_ERR_TOO_LONG : SHOAL_ERR_MALFORMED;
		if (line.len >= SHOAL_REP_TEXT_LINE)
			return SHOAL_ERR_TOO_LONG;
		if (line.len == 0 || line.at[0] == '#')
			continue;
		if (t->peers == SHOAL_REP_TEXT_PEERS)
			return SHOAL_ERR_TOO_LONG;
		t->peers++;
		return peer_of(line, out);
	}
	return 0;
}

/* ---- writing ---------------------------------------------------------------------------------- */

static uint32_t above(float value, double prior)
{
	double milli = ((double)value - prior) * MILLI + 0.5;
	return milli >= SHOAL_REP_CAP * MILLI ? (uint32_t)(SHOAL_REP_CAP * MILLI) : milli > 0 ? (uint32_t)milli : 0;
}

struct shoal_rep_line shoal_rep_text_of(const struct shoal_rep_name *who, const struct shoal_rep_record *rec)
{
	const struct shoal_rep *r = &rec->rep;
	double q = (double)r->expect_wrong;
	return (struct shoal_rep_line){ .who = *who,
					.seen_s = rec->seen_s,
					.verified = r->blocks,
					.false_blocks = r->false_blocks,
					.good = above(r->right, SHOAL_REP_STRENGTH * (1 - q)),
					.bad = above(r->wrong, SHOAL_REP_STRENGTH * q),
					.banned_until_s = r->state == SHOAL_REP_BANNED ? r->banned_until_s : 0 };
}

size_t shoal_rep_text_line(const struct shoal_rep_line *line, char out[SHOAL_REP_TEXT_LINE])
{
	char who[SHOAL_REP_NAME_TEXT];
	shoal_rep_name_format(&line->who, who);
	int n = snprintf(out, SHOAL_REP_TEXT_LINE,
			 "peer %s seen %" PRIu32 " verified %" PRIu32 " false %" PRIu32 " good %" PRIu32 " bad %" PRIu32
			 " banned %" PRIu32 "\n",
			 who, line->seen_s, line->verified, line->false_blocks, line->good, line->bad,
			 line->banned_until_s);
	return n > 0 && (size_t)n < SHOAL_REP_TEXT_LINE ? (size_t)n : 0; /* it fits: 72 of name, 6 numbers of 10 */
}

/* ---- what is made of it ----------------------------------------------------------------------- */

void shoal_rep_text_record(const struct shoal_rep_line *line, bool bans, uint32_t now_s, struct shoal_rep_record *out)
{
	*out = (struct shoal_rep_record){ .seen_s = line->seen_s < now_s ? line->seen_s : now_s };
	shoal_rep_init(&out->rep, STRANGER, out->seen_s);
	shoal_rep_hearsay(&out->rep, line->good / MILLI, line->bad / MILLI, bans ? line->banned_until_s : 0, now_s);
}
