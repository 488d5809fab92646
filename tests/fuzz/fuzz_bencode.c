/* fuzz_bencode.c - what parses and is in canonical order is written again to the same bytes; pick and check agree. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/bytes.h"
#include "proto/bencode.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

/* Token by token through the writer; false when keys are not in order (the writer asserts that they are). */
static bool write_again(struct shoal_bytes in, struct shoal_ben_wr *w)
{
	struct shoal_ben b = shoal_ben(in, SHOAL_BEN_DEPTH_MAX);
	struct shoal_ben_value v;
	struct shoal_bytes last[SHOAL_BEN_DEPTH_MAX + 1];
	int rc;
	while ((rc = shoal_ben_next(&b, &v)) > 0) {
		assert(v.at + v.raw.len == b.pos && v.raw.at == in.at + v.at);
		switch (v.kind) {
		case SHOAL_BEN_INT: shoal_ben_wr_int(w, v.num); break;
		case SHOAL_BEN_LIST: shoal_ben_wr_list(w); break;
		case SHOAL_BEN_DICT:
			last[b.depth] = (struct shoal_bytes){ NULL, 0 };
			shoal_ben_wr_dict(w);
			break;
		case SHOAL_BEN_END: shoal_ben_wr_end(w); break;
		case SHOAL_BEN_STR:
			if (!v.is_key) {
				shoal_ben_wr_str(w, v.str);
				break;
			}
			if (last[b.depth].at != NULL && shoal_bytes_order(last[b.depth], v.str) >= 0)
				return false;
			last[b.depth] = v.str;
			shoal_ben_wr_key(w, v.str);
			break;
		default: abort();
		}
	}
	assert(rc == 0);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *raw, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	if (copy == NULL)
		return 0;
	if (len)
		memcpy(copy, raw, len);
	struct shoal_bytes in = shoal_bytes(copy, len);
	size_t at = 0;
	int rc = shoal_ben_check(in, SHOAL_BEN_DEPTH_MAX, (struct shoal_bytes){ NULL, 0 }, &at);
	assert(rc <= 0 && at <= len);
	struct shoal_ben_field f[] = { { .key = "a" }, { .key = "info" }, { .key = "" } };
	ptrdiff_t n = shoal_ben_pick(in, SHOAL_BEN_DEPTH_MAX, f, 3);
	assert(n <= (ptrdiff_t)len);
	if (rc == 0) {
		assert((n > 0) == (copy[0] == 'd'));
		struct shoal_ben_wr w;
		shoal_ben_wr_init_heap(&w, len);
		if (write_again(in, &w)) {
			assert(shoal_ben_wr_done(&w) == (ptrdiff_t)len);
			assert(memcmp(w.at, copy, len) == 0);
		}
		shoal_ben_wr_fini(&w);
	}
	for (size_t i = 0; i < 3; i++)
		if (n > 0 && f[i].v.kind != SHOAL_BEN_NONE)
			assert(shoal_ben_check(f[i].v.raw, SHOAL_BEN_DEPTH_MAX, (struct shoal_bytes){ NULL, 0 },
					       NULL) != SHOAL_ERR_MALFORMED);
	free(copy);
	return 0;
}
