/* fuzz_tracker_udp.c - a session: the input is what comes back, packet by packet, with a length byte before each. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/bytes.h"
#include "proto/tracker_udp.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static void check_answer(struct shoal_bytes in, bool is_v4)
{
	static struct shoal_tracker_answer a;
	struct shoal_tracker_counts counts[3];
	if (shoal_tracker_udp_answer(in, is_v4, &a) == 0) {
		assert(a.peer_count <= SHOAL_TRACKER_PEERS_MAX && (!a.failed || a.peer_count == 0));
		assert(a.failure.len <= SHOAL_TRACKER_TEXT_MAX && a.failure.len <= in.len);
		for (size_t i = 0; i < a.peer_count; i++)
			assert(a.peer[i].port != 0);
	}
	ptrdiff_t n = shoal_tracker_udp_scraped(in, counts, 3);
	assert(n <= 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *raw, size_t len)
{
	struct shoal_tracker_udp q = { .sent = false };
	struct shoal_tracker_udp_id id = { .got = 0 };
	shoal_us now = SHOAL_S(1);
	unsigned quiet = 0;
	for (size_t pos = 0; pos < len;) {
		/* Transaction ids are small, so that the fuzzer hits them. */
		enum shoal_tracker_udp_step step = shoal_tracker_udp_step(&q, &id, (uint32_t)(pos & 3),
									  SHOAL_TRACKER_UDP_SENDS_MAX, now);
		if (step == SHOAL_TRACKER_UDP_DO_GIVE_UP) {
			assert(quiet >= SHOAL_TRACKER_UDP_SENDS_MAX);
			return 0;
		}
		assert(step == SHOAL_TRACKER_UDP_DO_WAIT || q.due > now);
		assert(step != SHOAL_TRACKER_UDP_DO_ASK || (id.got != 0 && now - id.got < SHOAL_TRACKER_UDP_ID_LIFE));
		quiet += step != SHOAL_TRACKER_UDP_DO_WAIT;
		size_t n = raw[pos] < len - pos - 1 ? raw[pos] : len - pos - 1;
		uint8_t *copy = malloc(n ? n : 1); /* exact, so that a read past the end shows */
		if (copy == NULL)
			return 0;
		if (n)
			memcpy(copy, raw + pos + 1, n);
		struct shoal_bytes in = shoal_bytes(copy, n);
		struct shoal_tracker_udp_head head;
		check_answer(in, pos & 1);
		if (shoal_tracker_udp_head(in, &head) == 0) {
			enum shoal_tracker_udp_heard heard = shoal_tracker_udp_heard(&q, &id, &head,
										     SHOAL_TRACKER_UDP_ANNOUNCE, now);
			assert(heard != SHOAL_TRACKER_UDP_CONNECTED || (id.got == now && q.due == now));
			if (heard == SHOAL_TRACKER_UDP_CONNECTED)
				quiet = 0;
			if (heard == SHOAL_TRACKER_UDP_ANSWERED)
				q = (struct shoal_tracker_udp){ .sent = false }, quiet = 0;
		}
		free(copy);
		pos += 1 + n;
		now += n % 3 == 0 ? SHOAL_S(31) : SHOAL_MS(3);
	}
	return 0;
}
