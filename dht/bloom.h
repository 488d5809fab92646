/*
 * dht/bloom.h - how many addresses a swarm has, counted by Bloom filters that can be joined (BEP 33).
 */
#ifndef SHOAL_DHT_BLOOM_H
#define SHOAL_DHT_BLOOM_H

#include <shoal/types.h>

#define SHOAL_BLOOM_BYTES 256u

struct shoal_bloom {
	uint8_t b[SHOAL_BLOOM_BYTES];
};

void shoal_bloom_add(struct shoal_bloom *bloom, const struct shoal_addr *addr); /* its IP alone */
bool shoal_bloom_has(const struct shoal_bloom *bloom, const struct shoal_addr *addr);
void shoal_bloom_join(struct shoal_bloom *bloom, const struct shoal_bloom *other);
/* About how many are in it, in thousandths; breaks down above some 6000 (BEP 33). */
uint64_t shoal_bloom_count_milli(const struct shoal_bloom *bloom);

#endif
