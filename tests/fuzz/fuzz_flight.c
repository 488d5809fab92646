/* fuzz_flight.c - a flight record out of a file: what decodes encodes to the same bytes; the book and every sentence stay within bounds. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/bytes.h"
#include "tools/explain_book.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static const char *name_of(void *to, uint32_t peer, char out[SHOAL_EXPLAIN_NAME_MAX])
{
	const struct shoal_explain_peer *p = shoal_explain_book_peer(to, 1, peer);
	snprintf(out, SHOAL_EXPLAIN_NAME_MAX, "%s", p != NULL ? p->name : "?");
	return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct shoal_explain_book book;
	struct shoal_flight f;
	char words[SHOAL_EXPLAIN_WORDS_MAX];
	uint8_t again[SHOAL_FLIGHT_RECORD_MAX];
	size_t pos = 0, start = 0;
	uint64_t count = 0;
	if (shoal_explain_book_read(&book, shoal_bytes(at, len)) < 0) {
		shoal_explain_book_fini(&book);
		return 0;
	}
	struct shoal_explain_names names = { name_of, &book };
	while (start < book.records.len) {
		struct shoal_bytes rest = { book.records.at + start, book.records.len - start };
		ptrdiff_t n = shoal_flight_decode(rest, &f);
		if (n <= 0)
			break;
		start += (size_t)n;
		if (f.kind == SHOAL_FLIGHT_UNKNOWN)
			continue;
		assert(shoal_flight_encode(&f, (struct shoal_space){ again, sizeof again }) == n);
		assert(memcmp(again, rest.at, (size_t)n) == 0);
	}
	while (shoal_explain_book_next(&book, &pos, &f) > 0) {
		count++;
		shoal_explain_words(&f, &names, words);
		assert(strlen(words) < sizeof words);
		for (const char *c = words; *c != '\0'; c++)
			assert((unsigned char)*c >= ' ' && *c != 0x7f);
	}
	assert(count == book.count && book.peers <= SHOAL_EXPLAIN_PEERS_MAX);
	shoal_explain_book_fini(&book);
	return 0;
}
