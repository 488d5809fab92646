/*
 * tools/lab/world/digest.h - 64 bits that change when anything in a run does. Not for adversaries.
 */
#ifndef SIM_DIGEST_H
#define SIM_DIGEST_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SIM_DIGEST_START UINT64_C(0x5a0a1)

static inline uint64_t sim_digest_u64(uint64_t sum, uint64_t v)
{
	sum = (sum ^ v) * UINT64_C(0x9e3779b97f4a7c15);
	return sum ^ sum >> 29;
}
static inline uint64_t sim_digest(uint64_t sum, const void *at, size_t len)
{
	const uint8_t *p = at;
	uint64_t v;
	sum = sim_digest_u64(sum, len);
	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&v, p, 8);
		sum = sim_digest_u64(sum, v);
	}
	v = 0;
	if (len)
		memcpy(&v, p, len);
	return len ? sim_digest_u64(sum, v) : sum;
}

#endif
