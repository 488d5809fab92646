/*
 * fuzz_proxy.c - what a proxy answers, whole and byte by byte: the same end, and nothing read beyond it.
 *
 *	byte 0		1: HTTP; 2: with words; 4: a name; 8: datagrams; 16: the rest is a URL; 32: a datagram
 *	the rest	answers
 */
#include <assert.h>
#include <string.h>

#include "proto/base/bytes.h"
#include "proto/proxy.h"

static int talk(uint8_t flags, struct shoal_bytes in, size_t cut, size_t *used)
{
	static const struct shoal_proxy_to name = { "a.name", { .port = 1 } };
	static const struct shoal_proxy_to addr = { NULL, { .ip = { 1, 2, 3, 4 }, .port = 5, .is_v4 = 1 } };
	struct shoal_proxy proxy = { .kind = flags & 1 ? SHOAL_PROXY_HTTP : SHOAL_PROXY_SOCKS5 };
	struct shoal_proxy_talk t;
	if (flags & 2)
		memcpy(proxy.user, "me", 3);
	int rc = shoal_proxy_begin(&t, &proxy, flags & 8 ? SHOAL_PROXY_DATAGRAMS : SHOAL_PROXY_CONNECT,
				   flags & 4 ? &name : &addr);
	for (*used = 0; rc == 0 && *used < in.len;) {
		struct shoal_space room = shoal_proxy_space(&t);
		assert(room.len > 0);
		shoal_proxy_sent(&t, shoal_proxy_output(&t).len);
		size_t n = room.len < cut ? room.len : cut;
		n = n < in.len - *used ? n : in.len - *used;
		memcpy(room.at, in.at + *used, n);
		*used += n;
		rc = shoal_proxy_filled(&t, n);
	}
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	if (len == 0)
		return 0;
	struct shoal_bytes in = { at + 1, len - 1 };
	if (at[0] & 16) {
		struct shoal_proxy p;
		char url[700];
		size_t n = in.len < sizeof url - 1 ? in.len : sizeof url - 1;
		memcpy(url, in.at, n);
		url[n] = '\0';
		if (shoal_proxy_parse(url, &p) == 0)
			assert(p.port != 0 && p.host[0] != '\0' && strlen(p.user) < sizeof p.user);
		return 0;
	}
	if (at[0] & 32) {
		struct shoal_addr from;
		struct shoal_bytes data;
		if (shoal_proxy_datagram(in, &from, &data) == 0)
			assert(data.len + (from.is_v4 ? 10 : 22) == in.len);
		return 0;
	}
	size_t whole, bytes;
	int rc = talk(at[0], in, SIZE_MAX, &whole);
	assert(talk(at[0], in, 1, &bytes) == rc && whole == bytes);
	return 0;
}
