/* proto/url.c - URLs of strangers, split in one pass; whatever two parsers could read in two ways is refused. */
#include "proto/url.h"

#include <stdio.h>
#include "proto/base/bytes.h"
#include "proto/compact.h"
#include "proto/text.h"

#define LABEL_MAX 63u /* bytes between the dots of a name, RFC 1035 */

static const struct {
	const char *name;
	uint16_t port; /* 0: must be given */
} schemes[] = {
	[SHOAL_URL_HTTP] = { "http", 80 },
	[SHOAL_URL_HTTPS] = { "https", 443 },
	[SHOAL_URL_UDP] = { "udp", 0 },
};
#define SCHEMES (sizeof schemes / sizeof *schemes)

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(uint8_t c)
{
	c = lower(c);
	return c >= 'a' && c <= 'z';
}

static bool same_word(struct shoal_bytes text, const char *word)
{
	size_t i = 0;
	for (; i < text.len && word[i] != '\0'; i++)
		if (lower(text.at[i]) != (uint8_t)word[i])
			return false;
	return i == text.len && word[i] == '\0';
}

/* Cuts the bytes up to the first of `ends` off the front of `rest`. */
static struct shoal_bytes cut(struct shoal_bytes *rest, const char *ends)
{
	size_t n = 0;
	while (n < rest->len && strchr(ends, rest->at[n]) == NULL)
		n++;
	struct shoal_bytes front = shoal_bytes(rest->at, n);
	*rest = shoal_bytes(rest->at + n, rest->len - n);
	return front;
}

static int take_scheme(struct shoal_bytes *rest, struct shoal_url *url)
{
	struct shoal_bytes name = cut(rest, ":/?#@[");
	if (name.len == 0 || !is_letter(name.at[0]) || rest->len == 0 || rest->at[0] != ':')
		return SHOAL_ERR_MALFORMED;
	for (size_t i = 0; i < SCHEMES; i++) {
		if (!same_word(name, schemes[i].name))
			continue;
		if (rest->len < 3 || memcmp(rest->at, "://", 3) != 0)
			return SHOAL_ERR_MALFORMED;
		*rest = shoal_bytes(rest->at + 3, rest->len - 3);
		url->scheme = (enum shoal_url_scheme)i;
		url->port = schemes[i].port;
		return 0;
	}
	return SHOAL_ERR_UNSUPPORTED;
}

/* What inet_aton() and with it many a client takes for a number: the last label begins with a digit and is one, in
 * whatever base. Such a host is an address written strictly, or nothing. */
static bool ends_in_number(struct shoal_bytes host)
{
	size_t from = host.len;
	while (from > 0 && host.at[from - 1] != '.')
		from--;
	struct shoal_bytes last = shoal_bytes(host.at + from, host.len - from);
	bool hex = last.len >= 2 && last.at[0] == '0' && lower(last.at[1]) == 'x';
	for (size_t i = hex ? 2 : 0; i < last.len; i++)
		if (hex ? shoal_hex_digit(last.at[i]) < 0 : !is_digit(last.at[i]))
			return false;
	return last.len > 0;
}

/* Letters, digits, inner hyphens; "_" is no host name's, and out there. */
static bool is_name(struct shoal_bytes host)
{
	size_t label = 0;
	for (size_t i = 0; i < host.len; i++) {
		uint8_t c = host.at[i];
		bool edge = label == 0 || i + 1 == host.len || host.at[i + 1] == '.';
		if (c == '.') {
			if (label == 0)
				return false;
			label = 0;
			continue;
		}
		if (!is_letter(c) && !is_digit(c) && c != '_' && (c != '-' || edge))
			return false;
		if (++label > LABEL_MAX)
			return false;
	}
	return label > 0;
}

static int take_port(struct shoal_bytes digits, struct shoal_url *url)
{
	uint32_t port = 0;
	if (digits.len == 0 || digits.len > 5 || digits.at[0] == '0')
		return SHOAL_ERR_MALFORMED;
	for (size_t i = 0; i < digits.len; i++) {
		if (!is_digit(digits.at[i]))
			return SHOAL_ERR_MALFORMED;
		port = port * 10 + (digits.at[i] - '0');
	}
	if (port > UINT16_MAX)
		return SHOAL_ERR_MALFORMED;
	url->port = (uint16_t)port;
	return 0;
}

static int take_host(struct shoal_bytes host, bool bracketed, struct shoal_url *url)
{
	struct shoal_bytes bare = host;
	url->host = host;
	if (host.len == 0 || host.len > SHOAL_URL_HOST_MAX)
		return SHOAL_ERR_MALFORMED;
	if (bracketed) { /* a colon, or "[1.2.3.4]" would pass; no scope ids, they do not parse */
		url->is_addr = true;
		return memchr(host.at, ':', host.len) != NULL ? shoal_addr_parse_ip(host, &url->addr)
							      : SHOAL_ERR_MALFORMED;
	}
	if (bare.at[bare.len - 1] == '.') /* the root, spelled out */
		bare.len--;
	if (!is_name(bare))
		return SHOAL_ERR_MALFORMED;
	if (!ends_in_number(bare))
		return 0;
	url->is_addr = true;
	return shoal_addr_parse_ip(host, &url->addr);
}

static int take_authority(struct shoal_bytes authority, struct shoal_url *url)
{
	struct shoal_bytes host, rest = authority;
	bool bracketed = authority.len > 0 && authority.at[0] == '[';
	if (bracketed) {
		rest = shoal_bytes(rest.at + 1, rest.len - 1);
		host = cut(&rest, "]");
		if (rest.len == 0)
			return SHOAL_ERR_MALFORMED;
		rest = shoal_bytes(rest.at + 1, rest.len - 1);
		if (rest.len > 0 && rest.at[0] != ':')
			return SHOAL_ERR_MALFORMED;
	} else {
		host = cut(&rest, ":");
	}
	int rc = take_host(host, bracketed, url);
	if (rc == 0 && rest.len > 0)
		rc = take_port(shoal_bytes(rest.at + 1, rest.len - 1), url);
	if (rc == 0 && url->port == 0)
		rc = SHOAL_ERR_MALFORMED;
	url->addr.port = url->port;
	return rc;
}

int shoal_url_parse(struct shoal_bytes text, struct shoal_url *out)
{
	struct shoal_url url = { 0 };
	struct shoal_bytes rest = text;
	if (text.len > SHOAL_URL_MAX)
		return SHOAL_ERR_TOO_LONG;
	/* CR, LF and blanks would end a line of HTTP where the stranger wants it to (and strchr() has no NULs to meet). */
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] <= ' ' || text.at[i] == 0x7f)
			return SHOAL_ERR_MALFORMED;
	int rc = take_scheme(&rest, &url);
	if (rc == 0)
		rc = take_authority(cut(&rest, "/?#"), &url); /* an "@" or a "\" in it is in no name */
	if (rc < 0)
		return rc;
	url.path = cut(&rest, "?#");
	if (rest.len > 0 && rest.at[0] == '?') {
		rest = shoal_bytes(rest.at + 1, rest.len - 1);
		url.query = cut(&rest, "#");
	}
	*out = url;
	return 0;
}

ptrdiff_t shoal_url_escape(struct shoal_bytes in, struct shoal_space out)
{
	return shoal_percent_encode(in, "", out);
}

size_t shoal_url_origin(const struct shoal_url *url, char out[SHOAL_URL_ORIGIN_MAX])
{
	bool brackets = memchr(url->host.at, ':', url->host.len) != NULL;
	return (size_t)snprintf(out, SHOAL_URL_ORIGIN_MAX, "%s://%s%.*s%s:%u", schemes[url->scheme].name,
				brackets ? "[" : "", (int)url->host.len, (const char *)url->host.at,
				brackets ? "]" : "", (unsigned)url->port);
}
