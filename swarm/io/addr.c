/* addr.c - see addr.h. */
#include "swarm/io/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

int shoal_addr_split(struct shoal_bytes text, char host[SHOAL_HOST_MAX], uint16_t *port)
{
	size_t colon = text.len;
	while (colon > 0 && text.at[colon - 1] != ':')
		colon--;
	if (colon < 2 || colon == text.len) /* no colon, nothing before it, or nothing after */
		return SHOAL_ERR_MALFORMED;
	uint32_t number = 0;
	for (size_t i = colon; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return SHOAL_ERR_MALFORMED;
		number = number * 10 + (text.at[i] - '0');
		if (number > UINT16_MAX)
			return SHOAL_ERR_MALFORMED;
	}
	size_t len = colon - 1;
	const uint8_t *at = text.at;
	bool bracketed = at[0] == '[';
	if (bracketed) {
		if (len < 3 || at[len - 1] != ']')
			return SHOAL_ERR_MALFORMED;
		at++;
		len -= 2;
	}
	if (len >= SHOAL_HOST_MAX)
		return SHOAL_ERR_TOO_LONG;
	/* "::1:6881" could end in a port or not: only brackets tell. */
	if (number == 0 || memchr(at, '\0', len) != NULL || (!bracketed && memchr(at, ':', len) != NULL))
		return SHOAL_ERR_MALFORMED;
	memcpy(host, at, len);
	host[len] = '\0';
	*port = (uint16_t)number;
	return 0;
}

int shoal_addr_host(const char *host, uint16_t port, struct shoal_addr *out)
{
	struct shoal_addr addr = { .port = port };
	char bare[INET6_ADDRSTRLEN];
	size_t len = strlen(host);
	if (len > 2 && host[0] == '[' && host[len - 1] == ']' && len - 2 < sizeof bare) {
		memcpy(bare, host + 1, len - 2);
		bare[len - 2] = '\0';
		if (inet_pton(AF_INET6, bare, addr.ip) != 1)
			return SHOAL_ERR_MALFORMED;
	} else if (inet_pton(AF_INET, host, addr.ip) == 1) {
		addr.is_v4 = 1;
	} else if (inet_pton(AF_INET6, host, addr.ip) != 1) {
		return SHOAL_ERR_MALFORMED;
	}
	*out = addr;
	return 0;
}

const char *shoal_addr_text(const struct shoal_addr *addr, char out[SHOAL_ADDR_TEXT_MAX])
{
	char ip[INET6_ADDRSTRLEN];
	if (inet_ntop(addr->is_v4 ? AF_INET : AF_INET6, addr->ip, ip, sizeof ip) == NULL)
		ip[0] = '\0'; /* cannot be: the room is enough */
	snprintf(out, SHOAL_ADDR_TEXT_MAX, addr->is_v4 ? "%s:%u" : "[%s]:%u", ip, (unsigned)addr->port);
	return out;
}

socklen_t shoal_addr_to_sys(const struct shoal_addr *addr, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof *out);
	if (addr->is_v4) {
		struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(addr->port) };
		memcpy(&v4.sin_addr, addr->ip, 4);
		memcpy(out, &v4, sizeof v4);
		return sizeof v4;
	}
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(addr->port) };
	memcpy(&v6.sin6_addr, addr->ip, 16);
	memcpy(out, &v6, sizeof v6);
	return sizeof v6;
}

bool shoal_addr_from_sys(const struct sockaddr *sys, socklen_t len, struct shoal_addr *out)
{
	struct shoal_addr addr = { .is_v4 = 0 };
	if (len >= sizeof(struct sockaddr_in) && sys->sa_family == AF_INET) {
		struct sockaddr_in v4;
		memcpy(&v4, sys, sizeof v4);
		memcpy(addr.ip, &v4.sin_addr, 4);
		addr.port = ntohs(v4.sin_port);
		addr.is_v4 = 1;
	} else if (len >= sizeof(struct sockaddr_in6) && sys->sa_family == AF_INET6) {
		struct sockaddr_in6 v6;
		memcpy(&v6, sys, sizeof v6);
		addr.port = ntohs(v6.sin6_port);
		if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
			memcpy(addr.ip, v6.sin6_addr.s6_addr + 12, 4);
			addr.is_v4 = 1;
		} else {
			memcpy(addr.ip, &v6.sin6_addr, 16);
		}
	} else {
		return false;
	}
	*out = addr;
	return true;
}

bool shoal_addr_is_any(const struct shoal_addr *addr)
{
	static const uint8_t zero[16];
	return memcmp(addr->ip, zero, addr->is_v4 ? 4 : 16) == 0;
}

bool shoal_addr_is_loopback(const struct shoal_addr *addr)
{
	static const uint8_t one[16] = { [15] = 1 };
	return addr->is_v4 ? addr->ip[0] == 127 : memcmp(addr->ip, one, 16) == 0;
}
