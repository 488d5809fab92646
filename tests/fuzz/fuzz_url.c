/* fuzz_url.c - what is taken is a URL we could write ourselves: put together again, it parses to the same. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/bytes.h"
#include "proto/compact.h"
#include "proto/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static bool inside(struct shoal_bytes part, struct shoal_bytes whole)
{
	return part.len == 0 || (part.at >= whole.at && part.at + part.len <= whole.at + whole.len);
}

static void check(const struct shoal_url *url, struct shoal_bytes text)
{
	char origin[SHOAL_URL_ORIGIN_MAX], again[SHOAL_URL_ORIGIN_MAX + SHOAL_URL_MAX + 4];
	struct shoal_url same;
	assert(url->port != 0 && url->host.len > 0 && url->host.len <= SHOAL_URL_HOST_MAX);
	assert(inside(url->host, text) && inside(url->path, text) && inside(url->query, text));
	assert(url->path.len == 0 || url->path.at[0] == '/');
	for (size_t i = 0; i < text.len; i++)
		assert(text.at[i] > ' ' && text.at[i] != 0x7f);
	for (size_t i = 0; i < url->host.len; i++)
		assert(url->host.at[i] < 0x80 && strchr("@/\\?#[]%", url->host.at[i]) == NULL);
	assert(shoal_url_origin(url, origin) == strlen(origin) && strlen(origin) < sizeof origin);
	int n = snprintf(again, sizeof again, "%s%.*s%s%.*s", origin, (int)url->path.len, (const char *)url->path.at,
			 url->query.len ? "?" : "", (int)url->query.len, (const char *)url->query.at);
	/* The port may be spelled out now, and the URL then be too long. */
	if ((size_t)n > SHOAL_URL_MAX)
		return;
	int rc = shoal_url_parse(shoal_bytes(again, (size_t)n), &same);
	assert(rc == 0 && same.scheme == url->scheme && same.port == url->port && same.is_addr == url->is_addr);
	assert(shoal_bytes_equal(same.host, url->host) && shoal_bytes_equal(same.path, url->path));
	assert(shoal_bytes_equal(same.query, url->query));
	assert(!url->is_addr || (shoal_addr_equal(&same.addr, &url->addr) && url->addr.port == url->port));
}

int LLVMFuzzerTestOneInput(const uint8_t *raw, size_t len)
{
	struct shoal_url url;
	uint8_t *copy = malloc(len ? len : 1); /* exact, so that a read past the end shows */
	if (copy == NULL)
		return 0;
	if (len)
		memcpy(copy, raw, len);
	struct shoal_bytes text = shoal_bytes(copy, len);
	int rc = shoal_url_parse(text, &url);
	assert(rc == 0 || rc == SHOAL_ERR_MALFORMED || rc == SHOAL_ERR_TOO_LONG || rc == SHOAL_ERR_UNSUPPORTED);
	if (rc == 0)
		check(&url, text);
	free(copy);
	return 0;
}
