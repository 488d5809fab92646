/* fuzz_rep_record.c - a peer's record out of the state's database: what decodes, encodes to the same bytes, and can be judged. */
#include <assert.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "swarm/peers/rep_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct shoal_rep_record rec;
	struct shoal_rep_name who;
	uint8_t raw[SHOAL_REP_RECORD_MAX];
	(void)!shoal_rep_key_name(shoal_bytes(at, len), &who);
	if (shoal_rep_record_decode(shoal_bytes(at, len), &rec) < 0)
		return 0;
	assert(shoal_rep_record_encode(&rec, raw) == len);
	assert(memcmp(raw, at, len) == 0);
	uint32_t now_s = rec.seen_s / 2 + 1000;
	shoal_rep_record_wake(&rec, now_s);
	double integrity = shoal_rep_integrity(&rec.rep);
	assert(integrity >= 0 && integrity <= 1);
	assert(shoal_rep_window(&rec.rep) >= 1);
	assert(shoal_rep_worth(&rec.rep) >= -SHOAL_REP_STRENGTH);
	(void)shoal_rep_false(&rec.rep, SHOAL_REP_WHY_FALSE_LEAF, 1, 1, now_s);
	(void)shoal_rep_verified(&rec.rep, shoal_rep_memory(0), 1, now_s);
	assert(rec.rep.right + rec.rep.wrong <= (float)SHOAL_REP_CAP * 1.01f);
	return 0;
}
