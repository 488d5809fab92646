/* fuzz_tracker_http.c - a tracker's reply and its scrape: spans stay inside, counts stay within their limits. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/bytes.h"
#include "proto/tracker_http.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static bool inside(struct shoal_bytes part, struct shoal_bytes whole)
{
	return part.len == 0 || (part.at >= whole.at && part.at + part.len <= whole.at + whole.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *raw, size_t len)
{
	static struct shoal_tracker_answer a;
	struct shoal_tracker_counts counts;
	struct shoal_id20 hash = { "xxxxxxxxxxxxxxxxxxxx" };
	uint8_t *copy = malloc(len ? len : 1); /* exact, so that a read past the end shows */
	if (copy == NULL)
		return 0;
	if (len)
		memcpy(copy, raw, len);
	struct shoal_bytes body = shoal_bytes(copy, len);
	if (shoal_tracker_http_answer(body, &a) == 0) {
		assert(inside(a.failure, body) && inside(a.warning, body) && inside(a.tracker_id, body));
		assert(a.failure.len <= SHOAL_TRACKER_TEXT_MAX && a.warning.len <= SHOAL_TRACKER_TEXT_MAX);
		assert(a.peer_count <= SHOAL_TRACKER_PEERS_MAX && (!a.failed || a.peer_count == 0));
		for (size_t i = 0; i < a.peer_count; i++)
			assert(a.peer[i].port != 0 && a.peer[i].is_v4 <= 1);
		assert(!(a.retry_never && a.retry_minutes > 0));
	}
	int rc = shoal_tracker_http_scraped(body, &hash, &counts);
	assert(rc <= 0);
	free(copy);
	return 0;
}
