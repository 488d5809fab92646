/*
 * fuzz_wire.c - messages: what decodes encodes to the same bytes, and no cut of it decodes.
 *
 * The input is a stream of messages; one that begins like a handshake is read as that too.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/wire.h"

static void check_handshake(const uint8_t *at, size_t len)
{
	struct shoal_wire_handshake hs, back;
	uint8_t raw[SHOAL_WIRE_HANDSHAKE_LEN];

	if (shoal_wire_handshake_decode(shoal_bytes(at, len), &hs) < 0)
		return;
	assert(len >= SHOAL_WIRE_HANDSHAKE_HEAD);
	shoal_wire_handshake_encode(&hs, raw);
	assert(memcmp(raw, at, 20) == 0 && memcmp(raw + 28, at + 28, 20) == 0);
	assert(shoal_wire_handshake_decode(shoal_bytes(raw, sizeof raw), &back) == 0);
	assert(back.can == hs.can && memcmp(&back.peer_id, &hs.peer_id, sizeof hs.peer_id) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1), *again = malloc(len ? len : 1);
	struct shoal_wire_msg msg;
	size_t at = 0;
	ptrdiff_t n = 0;

	if (copy == NULL || again == NULL)
		abort();
	if (len)
		memcpy(copy, in, len);
	check_handshake(copy, len);
	while (at < len && (n = shoal_wire_decode(shoal_bytes(copy + at, len - at), SIZE_MAX, &msg)) > 0) {
		struct shoal_wire_msg part;
		size_t whole = (size_t)n;
		assert(whole <= len - at);
		assert(shoal_wire_encode(&msg, (struct shoal_space){ again, whole }) == n);
		assert(memcmp(again, copy + at, whole) == 0);
		assert(shoal_wire_encode(&msg, (struct shoal_space){ again, whole - 1 }) == SHOAL_ERR_TOO_LONG);
		assert(shoal_wire_decode(shoal_bytes(copy + at, whole - 1), SIZE_MAX, &part) == 0);
		assert(shoal_wire_decode(shoal_bytes(copy + at, whole), whole - 4, &part) == n);
		if (whole > 4)
			assert(shoal_wire_decode(shoal_bytes(copy + at, whole), whole - 5, &part) ==
			       SHOAL_ERR_TOO_LONG);
		assert(shoal_wire_name(msg.id) != NULL);
		at += whole;
	}
	assert(n >= 0 || n == SHOAL_ERR_MALFORMED || n == SHOAL_ERR_TOO_LONG);
	free(again);
	free(copy);
	return 0;
}
