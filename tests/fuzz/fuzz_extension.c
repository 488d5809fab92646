/*
 * fuzz_extension.c - BEP 10 handshakes and ut_metadata: what decodes keeps its bounds, and encodes to
 * something that decodes to the same.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/bytes.h"
#include "proto/extension.h"

static bool names_unique(const struct shoal_ext_handshake *hs)
{
	for (size_t i = 0; i < hs->m_count; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(hs->m[i].name, hs->m[j].name) == 0)
				return false;
	return true;
}

static void check_handshake(struct shoal_bytes in)
{
	static struct shoal_ext_handshake hs, back;
	static uint8_t raw[16 * 1024];

	if (shoal_ext_handshake_decode(in, &hs) < 0)
		return;
	assert(hs.m_count <= SHOAL_EXT_NAMES_MAX && hs.v.len <= 128 && hs.reqq <= 5000);
	assert(hs.metadata_size <= INT64_MAX && hs.yourip.port == 0);
	for (size_t i = 0; i < hs.m_count; i++) {
		size_t len = strnlen(hs.m[i].name, SHOAL_EXT_NAME_BYTES);
		assert(len > 0 && len < SHOAL_EXT_NAME_BYTES);
	}
	if (hs.v.len > 0)
		assert(hs.v.at >= in.at && hs.v.at + hs.v.len <= in.at + in.len);
	ptrdiff_t n = shoal_ext_handshake_encode(&hs, (struct shoal_space){ raw, sizeof raw });
	if (n < 0) {
		assert(n == SHOAL_ERR_USAGE && !names_unique(&hs));
		return;
	}
	assert(shoal_ext_handshake_decode(shoal_bytes(raw, (size_t)n), &back) == 0);
	assert(back.m_count == hs.m_count && back.reqq == hs.reqq && back.port == hs.port);
	assert(back.metadata_size == hs.metadata_size && back.upload_only == hs.upload_only);
	assert(back.has_yourip == hs.has_yourip && memcmp(&back.yourip, &hs.yourip, sizeof hs.yourip) == 0);
	assert(shoal_bytes_equal(back.v, hs.v));
	for (size_t i = 1; i < back.m_count; i++)
		assert(strcmp(back.m[i - 1].name, back.m[i].name) < 0);
}

static void check_metadata(struct shoal_bytes in)
{
	static uint8_t raw[SHOAL_METADATA_BLOCK + 256];
	struct shoal_metadata_msg msg, back;

	if (shoal_metadata_decode(in, &msg) < 0)
		return;
	if (msg.kind > SHOAL_METADATA_REJECT) {
		assert(msg.piece == 0 && msg.data.len == 0);
		return;
	}
	assert((msg.kind == SHOAL_METADATA_DATA) == (msg.data.len > 0) && msg.data.len <= SHOAL_METADATA_BLOCK);
	ptrdiff_t n = shoal_metadata_encode(&msg, (struct shoal_space){ raw, sizeof raw });
	assert(n > 0);
	assert(shoal_metadata_decode(shoal_bytes(raw, (size_t)n), &back) == 0);
	assert(back.kind == msg.kind && back.piece == msg.piece && back.total_size == msg.total_size);
	assert(shoal_bytes_equal(back.data, msg.data));
}

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	if (copy == NULL)
		abort();
	if (len)
		memcpy(copy, in, len);
	check_handshake(shoal_bytes(copy, len));
	check_metadata(shoal_bytes(copy, len));
	free(copy);
	return 0;
}
