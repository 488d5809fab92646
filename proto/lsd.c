/* proto/lsd.c - see lsd.h. */
#include "proto/lsd.h"

#include <stdio.h>
#include "proto/base/bytes.h"
#include "proto/text.h"

#define FIRST_LINE "BT-SEARCH * HTTP/1.1"

/* The line at the front of `in`, without its CR LF, which is passed over too. false: it does not end. */
static bool line_of(struct shoal_bytes *in, struct shoal_bytes *line)
{
	for (size_t i = 0; i + 1 < in->len; i++) {
		if (in->at[i] != '\r' || in->at[i + 1] != '\n')
			continue;
		*line = shoal_bytes(in->at, i);
		*in = shoal_bytes(in->at + i + 2, in->len - i - 2);
		return true;
	}
	return false;
}

static struct shoal_bytes trim(struct shoal_bytes s)
{
	while (s.len > 0 && (s.at[0] == ' ' || s.at[0] == '\t'))
		s = shoal_bytes(s.at + 1, s.len - 1);
	while (s.len > 0 && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* `name`: lower case. */
static bool named(struct shoal_bytes s, struct shoal_bytes name)
{
	if (s.len != name.len)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.at[i] >= 'A' && s.at[i] <= 'Z' ? (uint8_t)(s.at[i] + 32) : s.at[i];
		if (c != name.at[i])
			return false;
	}
	return true;
}

/* 1..65535, or 0. */
static uint16_t port_of(struct shoal_bytes s)
{
	uint32_t n = 0;
	if (s.len == 0 || s.len > 5)
		return 0;
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] < '0' || s.at[i] > '9')
			return 0;
		n = n * 10 + (uint32_t)(s.at[i] - '0');
	}
	return n <= UINT16_MAX ? (uint16_t)n : 0;
}

static int take_header(struct shoal_bytes line, struct shoal_lsd *out)
{
	size_t colon = 0;
	while (colon < line.len && line.at[colon] != ':')
		colon++;
	if (colon == 0 || colon == line.len)
		return SHOAL_ERR_MALFORMED;
	struct shoal_bytes name = shoal_bytes(line.at, colon);
	struct shoal_bytes value = trim(shoal_bytes(line.at + colon + 1, line.len - colon - 1));
	if (named(name, SHOAL_LIT("port"))) {
		uint16_t port = port_of(value);
		if (port == 0 || (out->port != 0 && out->port != port))
			return SHOAL_ERR_MALFORMED;
		out->port = port;
	} else if (named(name, SHOAL_LIT("infohash"))) {
		if (out->count == SHOAL_LSD_HASHES)
			return SHOAL_ERR_TOO_LONG;
		if (shoal_hex_decode(value, (struct shoal_space){ out->hash[out->count].b, 20 }) < 0)
			return SHOAL_ERR_MALFORMED;
		out->count++;
	} else if (named(name, SHOAL_LIT("cookie"))) {
		out->cookie = value;
	}
	return 0;
}

int shoal_lsd_decode(struct shoal_bytes in, struct shoal_lsd *out)
{
	struct shoal_bytes line;
	*out = (struct shoal_lsd){ 0 };
	if (in.len > SHOAL_LSD_BYTES)
		return SHOAL_ERR_TOO_LONG;
	if (!line_of(&in, &line) || !shoal_bytes_equal(line, SHOAL_LIT(FIRST_LINE)))
		return SHOAL_ERR_MALFORMED;
	while (line_of(&in, &line) && line.len > 0) {
		int rc = take_header(line, out);
		if (rc < 0)
			return rc;
	}
	/* No blank line at the end, but what there is of it is whole: some send one CR LF too few. */
	return out->port != 0 && out->count > 0 && (in.len == 0 || line.len == 0) ? 0 : SHOAL_ERR_MALFORMED;
}

ptrdiff_t shoal_lsd_encode(const struct shoal_lsd *lsd, bool is_v4, struct shoal_space out)
{
	struct shoal_wr w = shoal_wr(out);
	char text[96];
	if (lsd->port == 0 || lsd->count == 0 || lsd->count > SHOAL_LSD_HASHES)
		return SHOAL_ERR_USAGE;
	int n = snprintf(text, sizeof text, FIRST_LINE "\r\nHost: %s:%d\r\nPort: %u\r\n",
			 is_v4 ? "239.192.152.143" : "[ff15::efc0:988f]", SHOAL_LSD_PORT, lsd->port);
	shoal_wr_put(&w, shoal_bytes(text, (size_t)n));
	for (size_t i = 0; i < lsd->count; i++) {
		shoal_wr_put(&w, SHOAL_LIT("Infohash: "));
		shoal_hex_encode(shoal_bytes(lsd->hash[i].b, 20), text);
		shoal_wr_put(&w, shoal_bytes(text, 40));
		shoal_wr_put(&w, SHOAL_LIT("\r\n"));
	}
	if (lsd->cookie.len > 0) {
		shoal_wr_put(&w, SHOAL_LIT("cookie: "));
		shoal_wr_put(&w, lsd->cookie);
		shoal_wr_put(&w, SHOAL_LIT("\r\n"));
	}
	shoal_wr_put(&w, SHOAL_LIT("\r\n\r\n"));
	return w.bad || w.pos > SHOAL_LSD_BYTES ? SHOAL_ERR_TOO_LONG : (ptrdiff_t)w.pos;
}
