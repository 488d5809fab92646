/*
 * fuzz_dht.c - a whole DHT node against strangers that send bytes.
 *
 *	byte 0	1: read-only; 2: tells samples; 4: a search for peers is under way; 8: one that puts an item
 *	then	datagrams: two bytes of length, a byte: who (16 hosts, the high bit: of a private network), a byte of time
 *		(units of 250 ms), and the bytes. In a datagram "TTTT" stands for the number of the last question we asked.
 *
 * Whatever arrives: no crash, the budget holds, nobody unproved gets more than three bytes for one, and in the end
 * everything is given back.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dht/dht.h"
#include "proto/base/bytes.h"

#define MEMORY (1u << 20)

static bool verify(void *to, const uint8_t sig[64], struct shoal_bytes text, const uint8_t k[32])
{
	(void)to;
	(void)text;
	return sig[0] == k[0];
}
static const struct shoal_dht_crypto crypto = { NULL, verify };

struct scene {
	struct shoal_dht *dht;
	uint8_t tid[4];
	struct shoal_addr asked;
	bool proved[32];
};

static unsigned who_of(const struct shoal_addr *a)
{
	return a->ip[3] % 16u + (a->ip[0] == 10 ? 16u : 0u);
}

static struct shoal_addr host(uint8_t who)
{
	struct shoal_addr a = { .ip = { 9, (uint8_t)(who % 16), 1, (uint8_t)(who % 16) }, .port = 7000, .is_v4 = 1 };
	if (who & 0x80)
		a.ip[0] = 10;
	return a;
}

/* Everything that goes out; how many bytes to `whom`, without our own questions to others. */
static size_t drain(struct scene *s, const struct shoal_addr *whom)
{
	struct shoal_addr to;
	struct shoal_bytes data;
	struct shoal_krpc m;
	struct shoal_dht_event ev;
	size_t bytes = 0;
	while (shoal_dht_output(s->dht, &to, &data) > 0) {
		assert(data.len > 0 && data.len <= SHOAL_KRPC_OUT_MAX);
		assert(shoal_krpc_decode(data, &m) == 0);
		if (m.kind == SHOAL_KRPC_QUERY && m.tid.len == 4) {
			memcpy(s->tid, m.tid.at, 4);
			s->asked = to;
		} else if (memcmp(&to, whom, sizeof to) == 0) {
			bytes += data.len;
		}
	}
	while (shoal_dht_poll(s->dht, &ev) > 0)
		assert(ev.search > 0);
	return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct shoal_budget budget = { .limit = MEMORY };
	struct scene s = { .dht = NULL };
	uint8_t mode = len > 0 ? at[0] : 0;
	shoal_us now = SHOAL_S(1000);
	struct shoal_dht_options o = { .is_v4 = true,
				       .read_only = mode & 1,
				       .samples = mode & 2,
				       .secret = { 7 },
				       .rng = shoal_rng_split(1, 1),
				       .budget = &budget,
				       .crypto = &crypto };
	assert(shoal_dht_new(&s.dht, &o, now) == 0);
	struct shoal_addr boot = host(1);
	shoal_dht_add(s.dht, &boot, true, false, now);
	shoal_dht_tick(s.dht, now);
	struct shoal_dht_ask ask = { .what = SHOAL_DHT_PEERS_OF, .target = { { 5 } }, .announce = true, .port = 1 };
	if (mode & 8)
		ask = (struct shoal_dht_ask){ .what = SHOAL_DHT_PUT, .v = SHOAL_LIT("i1e") };
	if (mode & 12)
		assert(shoal_dht_search(s.dht, &ask, now) > 0);
	(void)drain(&s, &boot);
	for (size_t i = 1; i + 4 <= len;) {
		size_t n = (size_t)at[i] << 8 | at[i + 1];
		n = n < len - i - 4 ? n : len - i - 4;
		struct shoal_addr from = host(at[i + 2]);
		now += SHOAL_MS(250) * at[i + 3];
		uint8_t *exact = malloc(n ? n : 1); /* so that one byte too many is seen */
		assert(exact != NULL);
		memcpy(exact, at + i + 4, n);
		bool answers = false;
		for (size_t k = 0; k + 4 <= n; k++) {
			if (memcmp(exact + k, "TTTT", 4) == 0) {
				memcpy(exact + k, s.tid, 4);
				answers = true;
			}
		}
		shoal_dht_tick(s.dht, now);
		(void)drain(&s, &from);
		(void)shoal_dht_datagram(s.dht, &from, shoal_bytes(exact, n), now);
		s.proved[who_of(&from)] |= answers;
		size_t out = drain(&s, &from);
		assert(s.proved[who_of(&from)] || out <= SHOAL_DHT_AMPLIFY * n);
		free(exact);
		assert(budget.used <= budget.limit);
		assert(shoal_dht_deadline(s.dht) != SHOAL_NEVER);
		i += 4 + n;
	}
	shoal_dht_free(s.dht);
	assert(budget.used == 0);
	return 0;
}
