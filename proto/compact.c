/*
 * proto/compact.c - endpoints <-> bytes and text.
 */
#include "proto/base/bytes.h"
#include "proto/compact.h"
#include "proto/text.h"

#include <stdio.h>

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

/* An IPv4 address in IPv6's clothes is the IPv4 address, so that one endpoint has one form. */
static void unmap(struct shoal_addr *addr)
{
	if (addr->is_v4 || memcmp(addr->ip, mapped, sizeof mapped) != 0)
		return;
	memmove(addr->ip, addr->ip + 12, 4);
	memset(addr->ip + 4, 0, 12);
	addr->is_v4 = 1;
}

ptrdiff_t shoal_compact_decode(struct shoal_bytes in, bool is_v4, struct shoal_addr *out, size_t max)
{
	size_t unit = is_v4 ? SHOAL_COMPACT4 : SHOAL_COMPACT6, ip = unit - 2;
	if (in.len % unit != 0)
		return SHOAL_ERR_MALFORMED;
	size_t count = in.len / unit < max ? in.len / unit : max;
	for (size_t i = 0; i < count; i++) {
		const uint8_t *at = in.at + i * unit;
		out[i] = (struct shoal_addr){ .port = shoal_get_u16(at + ip), .is_v4 = is_v4 };
		memcpy(out[i].ip, at, ip);
		unmap(&out[i]);
	}
	return (ptrdiff_t)count;
}

size_t shoal_compact_encode(const struct shoal_addr *addr, uint8_t out[SHOAL_COMPACT6])
{
	size_t ip = addr->is_v4 ? 4 : 16;
	memcpy(out, addr->ip, ip);
	shoal_put_u16(out + ip, addr->port);
	return ip + 2;
}

bool shoal_addr_equal(const struct shoal_addr *a, const struct shoal_addr *b)
{
	return !a->is_v4 == !b->is_v4 && a->port == b->port && memcmp(a->ip, b->ip, a->is_v4 ? 4 : 16) == 0;
}

/* ---- text ------------------------------------------------------------------------- */

/* A decimal number of 1 to `digits` digits without leading zeros, up to `max`; moves *pos. -1: none. */
static int32_t decimal(struct shoal_bytes s, size_t *pos, size_t digits, int32_t max)
{
	int32_t n = 0;
	size_t from = *pos;
	for (; *pos < s.len && *pos - from < digits && s.at[*pos] >= '0' && s.at[*pos] <= '9'; ++*pos)
		n = n * 10 + (s.at[*pos] - '0');
	if (*pos == from || n > max || (s.at[from] == '0' && *pos - from > 1))
		return -1;
	return n;
}

static bool parse_v4(struct shoal_bytes s, uint8_t ip[4])
{
	size_t pos = 0;
	for (int i = 0; i < 4; i++) {
		if (i > 0 && (pos >= s.len || s.at[pos++] != '.'))
			return false;
		int32_t n = decimal(s, &pos, 3, 255);
		if (n < 0)
			return false;
		ip[i] = (uint8_t)n;
	}
	return pos == s.len;
}

/* RFC 4291: groups of up to four hex digits, one "::", the last two groups perhaps as IPv4. */
static bool parse_v6(struct shoal_bytes s, uint8_t ip[16])
{
	uint8_t groups[16] = { 0 };
	size_t n = 0, pos = 0, gap = SIZE_MAX; /* bytes so far; where "::" stood */
	if (s.len >= 2 && s.at[0] == ':' && s.at[1] == ':') {
		gap = 0;
		pos = 2;
	}
	while (pos < s.len) {
		size_t from = pos;
		unsigned v = 0;
		while (pos < s.len && pos - from < 4 && shoal_hex_digit(s.at[pos]) >= 0)
			v = v << 4 | (unsigned)shoal_hex_digit(s.at[pos++]);
		if (pos < s.len && s.at[pos] == '.') { /* it was the first number of an IPv4 address */
			if (n > 12 || !parse_v4(shoal_bytes(s.at + from, s.len - from), groups + n))
				return false;
			n += 4;
			break;
		}
		if (pos == from || n == 16)
			return false;
		groups[n++] = (uint8_t)(v >> 8);
		groups[n++] = (uint8_t)v;
		if (pos == s.len)
			break;
		if (s.at[pos++] != ':' || pos == s.len)
			return false;
		if (s.at[pos] == ':') {
			if (gap != SIZE_MAX)
				return false;
			gap = n;
			pos++;
		}
	}
	if (gap == SIZE_MAX ? n != 16 : n > 14)
		return false;
	size_t tail = gap == SIZE_MAX ? 0 : n - gap;
	memset(ip, 0, 16);
	memcpy(ip, groups, n - tail);
	memcpy(ip + 16 - tail, groups + n - tail, tail);
	return true;
}

int shoal_addr_parse_ip(struct shoal_bytes text, struct shoal_addr *out)
{
	struct shoal_addr addr = { .is_v4 = 1 };
	if (text.len > 2 && text.at[0] == '[' && text.at[text.len - 1] == ']') {
		text = shoal_bytes(text.at + 1, text.len - 2);
		addr.is_v4 = 0;
	}
	if (!addr.is_v4 || !parse_v4(text, addr.ip)) {
		addr.is_v4 = 0;
		if (!parse_v6(text, addr.ip))
			return SHOAL_ERR_MALFORMED;
	}
	unmap(&addr);
	*out = addr;
	return 0;
}

int shoal_addr_parse(struct shoal_bytes text, struct shoal_addr *out)
{
	struct shoal_addr addr;
	size_t colon = text.len;
	while (colon > 0 && text.at[colon - 1] != ':')
		colon--;
	if (colon < 2)
		return SHOAL_ERR_MALFORMED;
	size_t pos = colon;
	int32_t port = decimal(text, &pos, 5, 65535);
	struct shoal_bytes host = shoal_bytes(text.at, colon - 1);
	if (port < 1 || pos != text.len)
		return SHOAL_ERR_MALFORMED;
	/* without brackets the last group of an IPv6 address could be meant for the port */
	if (memchr(host.at, ':', host.len) != NULL && host.at[0] != '[')
		return SHOAL_ERR_MALFORMED;
	int rc = shoal_addr_parse_ip(host, &addr);
	if (rc < 0)
		return rc;
	addr.port = (uint16_t)port;
	*out = addr;
	return 0;
}

/* RFC 5952: lower case, no leading zeros, "::" for the longest run of two or more zero groups, the first of equals. */
static size_t format_v6(const uint8_t ip[16], char *out)
{
	int from = -1, best = 1;
	for (int i = 0; i < 8; i++) {
		int n = 0;
		while (i + n < 8 && ip[2 * (i + n)] == 0 && ip[2 * (i + n) + 1] == 0)
			n++;
		if (n > best) {
			from = i;
			best = n;
		}
		i += n;
	}
	size_t len = 0;
	for (int i = 0; i < 8; i++) {
		if (i == from) {
			out[len++] = ':';
			out[len++] = ':';
			i += best - 1;
			continue;
		}
		if (len > 0 && out[len - 1] != ':')
			out[len++] = ':';
		len += (size_t)snprintf(out + len, 5, "%x", shoal_get_u16(ip + 2 * i));
	}
	return len;
}

size_t shoal_addr_format(const struct shoal_addr *addr, char out[SHOAL_ADDR_TEXT])
{
	size_t len = 0;
	if (addr->is_v4) {
		len = (size_t)snprintf(out, SHOAL_ADDR_TEXT, "%u.%u.%u.%u", addr->ip[0], addr->ip[1], addr->ip[2],
				       addr->ip[3]);
	} else {
		if (addr->port)
			out[len++] = '[';
		len += format_v6(addr->ip, out + len);
		if (addr->port)
			out[len++] = ']';
	}
	if (addr->port)
		len += (size_t)snprintf(out + len, 7, ":%u", addr->port);
	out[len] = 0;
	return len;
}
