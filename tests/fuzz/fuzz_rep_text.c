/* fuzz_rep_text.c - a file of records to import: what is read can be written and read again, and no line of it bans or builds trust. */
#include <assert.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "swarm/peers/rep_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static bool same(const struct shoal_rep_line *a, const struct shoal_rep_line *b)
{
	return a->seen_s == b->seen_s && a->banned_until_s == b->banned_until_s && a->verified == b->verified &&
	       a->false_blocks == b->false_blocks && a->good == b->good && a->bad == b->bad;
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct shoal_rep_text t, again;
	struct shoal_rep_line line, back;
	const uint32_t now_s = 1800000000;
	if (shoal_rep_text_begin(&t, shoal_bytes(at, len)) < 0)
		return 0;
	while (shoal_rep_text_next(&t, &line) > 0) {
		char text[sizeof SHOAL_REP_TEXT_HEAD + SHOAL_REP_TEXT_LINE] = SHOAL_REP_TEXT_HEAD;
		size_t head = strlen(text), n = shoal_rep_text_line(&line, text + head);
		assert(n > 0);
		assert(shoal_rep_text_begin(&again, shoal_bytes(text, head + n)) == 0);
		assert(shoal_rep_text_next(&again, &back) == 1);
		assert(same(&line, &back));
		assert(shoal_rep_text_next(&again, &back) == 0);

		struct shoal_rep_record rec;
		uint8_t raw[SHOAL_REP_RECORD_MAX];
		shoal_rep_text_record(&line, false, now_s, &rec);
		assert(rec.rep.state == SHOAL_REP_NEW || rec.rep.state == SHOAL_REP_GOOD);
		assert(rec.seen_s <= now_s);
		shoal_rep_text_record(&line, true, now_s, &rec);
		assert(rec.rep.state != SHOAL_REP_BANNED || rec.rep.banned_until_s <= now_s + SHOAL_REP_BAN_S);
		assert(shoal_rep_record_decode(shoal_bytes(raw, shoal_rep_record_encode(&rec, raw)), &rec) == 0);
	}
	assert(t.peers <= SHOAL_REP_TEXT_PEERS);
	return 0;
}
