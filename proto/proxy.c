/* proto/proxy.c - see proxy.h. */
#include "proto/proxy.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "proto/base/bytes.h"
#include "proto/text.h"

enum state {
	METHOD,	     /* version, method */
	AUTH,	     /* version, status */
	ANSWER,	     /* version, status, 0, type, first byte of the address */
	ANSWER_REST, /* the address, the port */
	HEAD,	     /* HTTP: up to the empty line, byte by byte */
	OPEN,
	DEAD,
};
enum { NO_AUTH = 0, BY_WORDS = 2, NO_METHOD = 255 };
enum { TYPE_V4 = 1, TYPE_NAME = 3, TYPE_V6 = 4 };

/* ---- URLs ---------------------------------------------------------------------------------- */

/* `in` with %XX undone; no byte may be 0. */
static int unescape(struct shoal_bytes in, char *out, size_t room)
{
	ptrdiff_t n = shoal_percent_decode(in, false, (struct shoal_space){ (uint8_t *)out, room - 1 });
	if (n < 0)
		return (int)n;
	out[n] = '\0';
	return strlen(out) == (size_t)n ? 0 : SHOAL_ERR_MALFORMED;
}

static const char *after(const char *text, const char *word)
{
	size_t n = strlen(word);
	return strncasecmp(text, word, n) == 0 ? text + n : NULL;
}

static int parse_words(struct shoal_bytes words, struct shoal_proxy *out)
{
	const uint8_t *colon = memchr(words.at, ':', words.len);
	size_t user = colon != NULL ? (size_t)(colon - words.at) : words.len;
	int rc = unescape(shoal_bytes(words.at, user), out->user, sizeof out->user);
	if (rc == 0 && colon != NULL)
		rc = unescape(shoal_bytes(colon + 1, words.len - user - 1), out->pass, sizeof out->pass);
	return rc < 0 ? rc : out->user[0] == '\0' ? SHOAL_ERR_MALFORMED : 0;
}

static int parse_port(const char *at, size_t len, uint16_t *out)
{
	unsigned n = 0;
	if (len == 0 || len > 5)
		return SHOAL_ERR_MALFORMED;
	for (size_t i = 0; i < len; i++) {
		if (at[i] < '0' || at[i] > '9')
			return SHOAL_ERR_MALFORMED;
		n = n * 10 + (unsigned)(at[i] - '0');
	}
	*out = (uint16_t)n;
	return n == 0 || n > UINT16_MAX ? SHOAL_ERR_MALFORMED : 0;
}

int shoal_proxy_parse(const char *url, struct shoal_proxy *out)
{
	const char *at;
	*out = (struct shoal_proxy){ .kind = SHOAL_PROXY_SOCKS5, .port = 1080 };
	if ((at = after(url, "socks5://")) == NULL && (at = after(url, "socks5h://")) == NULL) {
		if ((at = after(url, "http://")) == NULL)
			return strstr(url, "://") != NULL ? SHOAL_ERR_UNSUPPORTED : SHOAL_ERR_MALFORMED;
		out->kind = SHOAL_PROXY_HTTP;
		out->port = 8080;
	}
	size_t len = strcspn(at, "/");
	if (at[len] != '\0' && at[len + 1] != '\0') /* a path means nothing to a proxy */
		return SHOAL_ERR_MALFORMED;
	const char *sign = memrchr(at, '@', len);
	if (sign != NULL) {
		int rc = parse_words(shoal_bytes(at, (size_t)(sign - at)), out);
		if (rc < 0)
			return rc;
		len -= (size_t)(sign + 1 - at);
		at = sign + 1;
	}
	const char *host = at, *colon = memrchr(at, ':', len);
	size_t host_len = colon != NULL ? (size_t)(colon - at) : len;
	if (at[0] == '[') { /* an IPv6 address */
		const char *end = memchr(at, ']', len);
		if (end == NULL || (end + 1 != at + len && end[1] != ':'))
			return SHOAL_ERR_MALFORMED;
		colon = end + 1 == at + len ? NULL : end + 1;
		host = at + 1;
		host_len = (size_t)(end - host);
	}
	if (host_len > SHOAL_PROXY_NAME_MAX)
		return SHOAL_ERR_TOO_LONG;
	for (size_t i = 0; i < host_len; i++)
		if (host[i] <= ' ' || host[i] >= 127 || strchr("@%?#\\", host[i]) != NULL)
			return SHOAL_ERR_MALFORMED;
	if (host_len == 0)
		return SHOAL_ERR_MALFORMED;
	memcpy(out->host, host, host_len);
	return colon != NULL ? parse_port(colon + 1, (size_t)(at + len - colon - 1), &out->port) : 0;
}

/* ---- what is asked ------------------------------------------------------------------------------ */

/* Type, address or name, port: of requests and datagrams. */
static void put_to(struct shoal_wr *w, const struct shoal_proxy_to *to)
{
	if (to->name != NULL) {
		shoal_wr_u8(w, TYPE_NAME);
		shoal_wr_u8(w, (uint8_t)strlen(to->name));
		shoal_wr_put(w, shoal_bytes(to->name, strlen(to->name)));
	} else {
		shoal_wr_u8(w, to->addr.is_v4 ? TYPE_V4 : TYPE_V6);
		shoal_wr_put(w, shoal_bytes(to->addr.ip, to->addr.is_v4 ? 4 : 16));
	}
	shoal_wr_u16(w, to->addr.port);
}

static void put_text(struct shoal_wr *w, const char *text)
{
	shoal_wr_put(w, shoal_bytes(text, strlen(text)));
}

static void put_base64(struct shoal_wr *w, struct shoal_bytes in)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < in.len; i += 3) {
		uint32_t word = (uint32_t)in.at[i] << 16;
		word |= i + 1 < in.len ? (uint32_t)in.at[i + 1] << 8 : 0;
		word |= i + 2 < in.len ? in.at[i + 2] : 0;
		for (unsigned k = 0; k < 4; k++)
			shoal_wr_u8(w, i + k > in.len ? '=' : (uint8_t)digits[word >> (18 - 6 * k) & 63]);
	}
}

static void put_http(struct shoal_wr *w, const struct shoal_proxy *proxy, const struct shoal_proxy_to *to)
{
	char host[SHOAL_PROXY_NAME_MAX + 12], words[2 * SHOAL_PROXY_WORD_MAX + 2];
	if (to->name != NULL) {
		snprintf(host, sizeof host, "%s:%u", to->name, to->addr.port);
	} else if (to->addr.is_v4) {
		const uint8_t *ip = to->addr.ip;
		snprintf(host, sizeof host, "%u.%u.%u.%u:%u", ip[0], ip[1], ip[2], ip[3], to->addr.port);
	} else {
		size_t n = 0;
		for (unsigned i = 0; i < 16; i += 2)
			n += (size_t)snprintf(host + n, sizeof host - n, "%s%x", i ? ":" : "[",
					      shoal_get_u16(to->addr.ip + i));
		snprintf(host + n, sizeof host - n, "]:%u", to->addr.port);
	}
	put_text(w, "CONNECT ");
	put_text(w, host);
	put_text(w, " HTTP/1.1\r\nHost: ");
	put_text(w, host);
	if (proxy->user[0] != '\0') {
		int n = snprintf(words, sizeof words, "%s:%s", proxy->user, proxy->pass);
		put_text(w, "\r\nProxy-Authorization: Basic ");
		put_base64(w, shoal_bytes(words, (size_t)n));
	}
	put_text(w, "\r\n\r\n");
}

/* Hello, the words, the request: laid out one after another, each sent when the one before was answered. */
static void put_socks(struct shoal_proxy_talk *t, struct shoal_wr *w, const struct shoal_proxy *proxy,
		      enum shoal_proxy_ask ask, const struct shoal_proxy_to *to)
{
	bool words = proxy->user[0] != '\0';
	shoal_wr_u8(w, 5);
	shoal_wr_u8(w, words ? 2 : 1);
	shoal_wr_u8(w, NO_AUTH);
	if (words)
		shoal_wr_u8(w, BY_WORDS);
	t->out_tail = w->pos;
	if (words) {
		shoal_wr_u8(w, 1);
		shoal_wr_u8(w, (uint8_t)strlen(proxy->user));
		put_text(w, proxy->user);
		shoal_wr_u8(w, (uint8_t)strlen(proxy->pass));
		put_text(w, proxy->pass);
	}
	t->ask_at = w->pos;
	shoal_wr_u8(w, 5);
	shoal_wr_u8(w, ask == SHOAL_PROXY_CONNECT ? 1 : 3);
	shoal_wr_u8(w, 0);
	put_to(w, to);
}

int shoal_proxy_begin(struct shoal_proxy_talk *t, const struct shoal_proxy *proxy, enum shoal_proxy_ask ask,
		      const struct shoal_proxy_to *to)
{
	struct shoal_wr w = shoal_wr((struct shoal_space){ t->out, sizeof t->out });
	memset(t, 0, sizeof *t);
	if (to->name != NULL && (to->name[0] == '\0' || strlen(to->name) > SHOAL_PROXY_NAME_MAX))
		return SHOAL_ERR_TOO_LONG;
	t->http = proxy->kind == SHOAL_PROXY_HTTP;
	if (t->http && ask != SHOAL_PROXY_CONNECT)
		return SHOAL_ERR_UNSUPPORTED;
	t->state = t->http ? HEAD : METHOD;
	t->need = t->http ? 1 : 2;
	if (t->http) {
		put_http(&w, proxy, to);
		t->out_tail = t->ask_at = w.pos;
	} else {
		put_socks(t, &w, proxy, ask, to);
	}
	t->have = 0;
	assert(!w.bad);
	t->ask_end = w.pos;
	return 0;
}

/* ---- what is answered ----------------------------------------------------------------------------- */

struct shoal_space shoal_proxy_space(struct shoal_proxy_talk *t)
{
	if (t->state >= OPEN)
		return (struct shoal_space){ NULL, 0 };
	return (struct shoal_space){ t->in + (t->http ? 0 : t->have), t->http ? 1 : t->need - t->have };
}

static int dead(struct shoal_proxy_talk *t, int why)
{
	t->state = DEAD;
	return why;
}

static int next(struct shoal_proxy_talk *t, enum state state, size_t need)
{
	t->state = (uint8_t)state;
	t->have = 0;
	t->need = need;
	return 0;
}

static int socks_err(uint8_t code)
{
	switch (code) {
	case 2: return SHOAL_ERR_DENIED;
	case 5: return SHOAL_ERR_REFUSED;
	case 6: return SHOAL_ERR_TIMEOUT;
	case 7:
	case 8: return SHOAL_ERR_UNSUPPORTED;
	default: return SHOAL_ERR_NET;
	}
}

static int on_answer(struct shoal_proxy_talk *t)
{
	if (t->in[0] != 5)
		return dead(t, SHOAL_ERR_MALFORMED);
	if (t->in[1] != 0)
		return dead(t, socks_err(t->in[1]));
	size_t more = t->in[3] == TYPE_V4 ? 4 : t->in[3] == TYPE_V6 ? 16 : t->in[3] == TYPE_NAME ? 1u + t->in[4] : 0;
	if (more == 0)
		return dead(t, SHOAL_ERR_MALFORMED);
	t->state = ANSWER_REST;
	t->need = 4 + more + 2;
	return 0;
}

static int on_open(struct shoal_proxy_talk *t)
{
	t->bound = (struct shoal_addr){ .is_v4 = t->in[3] == TYPE_V4 };
	if (t->in[3] != TYPE_NAME) {
		memcpy(t->bound.ip, t->in + 4, t->bound.is_v4 ? 4 : 16);
		t->bound.port = shoal_get_u16(t->in + t->need - 2);
	}
	t->state = OPEN;
	return 1;
}

static int on_http_byte(struct shoal_proxy_talk *t)
{
	static const char end[4] = "\r\n\r\n", start[] = "HTTP/1.";
	uint8_t byte = t->in[0];
	if (t->have < sizeof start - 1 && byte != (uint8_t)start[t->have])
		return dead(t, SHOAL_ERR_MALFORMED);
	/* "HTTP/1.1 200": its digits are kept. */
	if (t->have >= 9 && t->have < 12)
		t->in[1 + t->have - 9] = byte;
	if (++t->have > SHOAL_PROXY_ANSWER_MAX)
		return dead(t, SHOAL_ERR_TOO_LONG);
	/* `need` counts how much of the empty line is there. */
	size_t seen = t->need - 1;
	seen = byte == (uint8_t)end[seen] ? seen + 1 : byte == '\r';
	t->need = seen + 1;
	if (seen < sizeof end)
		return 0;
	if (t->in[1] == '2') {
		t->state = OPEN;
		return 1;
	}
	bool denied = t->in[1] == '4' && t->in[2] == '0' && (t->in[3] == '7' || t->in[3] == '3' || t->in[3] == '1');
	return dead(t, denied ? SHOAL_ERR_DENIED : SHOAL_ERR_NET);
}

int shoal_proxy_filled(struct shoal_proxy_talk *t, size_t n)
{
	if (t->http && t->state == HEAD)
		return n == 0 ? 0 : on_http_byte(t);
	assert(t->state < OPEN && n <= t->need - t->have);
	t->have += n;
	if (t->have < t->need)
		return 0;
	switch ((enum state)t->state) {
	case METHOD:
		if (t->in[0] != 5)
			return dead(t, SHOAL_ERR_MALFORMED);
		if (t->in[1] == NO_AUTH) {
			t->out_head = t->ask_at;
			t->out_tail = t->ask_end;
			return next(t, ANSWER, 5);
		}
		if (t->in[1] != BY_WORDS || t->ask_at == t->out_tail)
			return dead(t, t->in[1] == NO_METHOD || t->in[1] == BY_WORDS ? SHOAL_ERR_DENIED
										     : SHOAL_ERR_MALFORMED);
		t->out_tail = t->ask_at;
		return next(t, AUTH, 2);
	case AUTH:
		if (t->in[1] != 0)
			return dead(t, SHOAL_ERR_DENIED);
		t->out_tail = t->ask_end;
		return next(t, ANSWER, 5);
	case ANSWER: return on_answer(t);
	case ANSWER_REST: return on_open(t);
	default: return SHOAL_ERR_MALFORMED;
	}
}

struct shoal_bytes shoal_proxy_output(const struct shoal_proxy_talk *t)
{
	return shoal_bytes(t->out + t->out_head, t->state == DEAD ? 0 : t->out_tail - t->out_head);
}

void shoal_proxy_sent(struct shoal_proxy_talk *t, size_t n)
{
	assert(n <= t->out_tail - t->out_head);
	t->out_head += n;
}

/* ---- datagrams ---------------------------------------------------------------------------------------- */

ptrdiff_t shoal_proxy_head(const struct shoal_proxy_to *to, struct shoal_space out)
{
	struct shoal_wr w = shoal_wr(out);
	if (to->name != NULL && strlen(to->name) > SHOAL_PROXY_NAME_MAX)
		return SHOAL_ERR_TOO_LONG;
	shoal_wr_u16(&w, 0);
	shoal_wr_u8(&w, 0);
	put_to(&w, to);
	return w.bad ? SHOAL_ERR_TOO_LONG : (ptrdiff_t)w.pos;
}

int shoal_proxy_datagram(struct shoal_bytes in, struct shoal_addr *from, struct shoal_bytes *data)
{
	struct shoal_rd r = shoal_rd(in);
	uint16_t zero = shoal_rd_u16(&r);
	uint8_t fragment = shoal_rd_u8(&r), type = shoal_rd_u8(&r);
	*from = (struct shoal_addr){ .is_v4 = type == TYPE_V4 };
	if (zero != 0 || fragment != 0 || (type != TYPE_V4 && type != TYPE_V6))
		return SHOAL_ERR_MALFORMED;
	struct shoal_bytes ip = shoal_rd_take(&r, from->is_v4 ? 4 : 16);
	if (ip.at != NULL)
		memcpy(from->ip, ip.at, ip.len);
	from->port = shoal_rd_u16(&r);
	*data = shoal_rd_take(&r, shoal_rd_left(&r));
	return r.bad ? SHOAL_ERR_MALFORMED : 0;
}
