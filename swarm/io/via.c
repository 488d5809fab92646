/* swarm/io/via.c - see via.h. */
#include "swarm/io/via.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "proto/compact.h"
#include "swarm/io/addr.h"
#include "swarm/io/udp.h"

#define COOKIE ((uint64_t)0xff << 56) /* no kind of the node's */

/* A way being made; that of datagrams stays, since the proxy forwards them as long as it does. */
struct way {
	struct way *next;
	struct shoal_transport *t; /* NULL: the proxy is being dialled */
	uint64_t own, cookie;	   /* for the tcp; the user's */
	bool datagrams, open;
	shoal_us until;
	struct shoal_proxy_talk talk;
};
struct waiting {
	struct shoal_addr to;
	size_t len;
	uint8_t bytes[SHOAL_VIA_WAIT_BYTES];
};

struct shoal_via {
	struct shoal_loop *loop;
	struct shoal_tcp *tcp;
	struct shoal_udp *udp;
	struct shoal_proxy proxy;
	struct shoal_via_user user;
	struct shoal_addr at; /* the proxy */
	bool known, asked;
	shoal_us lookup_at; /* not before */
	struct way *ways;   /* the oldest last */
	unsigned way_count;
	uint64_t next_own;
	struct way *flow;	 /* of datagrams: among the ways; NULL */
	shoal_us flow_at;	 /* not before */
	shoal_us flow_wait;	 /* after the next failure */
	struct shoal_addr relay; /* once it is open */
	struct waiting wait[SHOAL_VIA_WAIT_MAX];
	unsigned waits;
	char (*name)[SHOAL_PROXY_NAME_MAX + 1];	 /* NAMES_MAX of them */
	uint16_t name_port[SHOAL_VIA_NAMES_MAX]; /* a datagram was sent there last */
	unsigned names, name_next;
	bool warned_dial, warned_flow;
};

/* ---- stand-ins --------------------------------------------------------------------------------- */

static const uint8_t stand_in[3] = { 100, 127, 255 };

bool shoal_via_stands_in(const struct shoal_addr *addr)
{
	return addr->is_v4 && memcmp(addr->ip, stand_in, sizeof stand_in) == 0;
}

int shoal_via_name(struct shoal_via *v, const char *host, struct shoal_addr *out)
{
	unsigned i = 0;
	size_t len = strlen(host);
	if (len == 0 || len > SHOAL_PROXY_NAME_MAX)
		return SHOAL_ERR_MALFORMED;
	while (i < v->names && strcmp(v->name[i], host) != 0)
		i++;
	if (i == v->names) {
		i = v->name_next++ % SHOAL_VIA_NAMES_MAX;
		v->names += v->names < SHOAL_VIA_NAMES_MAX;
		memcpy(v->name[i], host, len + 1);
		v->name_port[i] = 0;
	}
	*out = (struct shoal_addr){ .is_v4 = 1 };
	memcpy(out->ip, stand_in, sizeof stand_in);
	out->ip[3] = (uint8_t)i;
	return 0;
}

/* What the proxy is told; < 0: a stand-in for nothing. */
static int to_of(const struct shoal_via *v, const struct shoal_addr *addr, struct shoal_proxy_to *out)
{
	*out = (struct shoal_proxy_to){ .addr = *addr };
	if (!shoal_via_stands_in(addr))
		return 0;
	if (addr->ip[3] >= v->names)
		return SHOAL_ERR_GONE;
	out->name = v->name[addr->ip[3]];
	return 0;
}

/* ---- ways ----------------------------------------------------------------------------------------- */

static void way_unlink(struct shoal_via *v, struct way *w)
{
	struct way **at = &v->ways;
	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	v->way_count--;
	if (v->flow == w)
		v->flow = NULL;
}

static void warn(struct shoal_via *v, bool *said, const char *what, int err)
{
	char text[160];
	if (*said)
		return;
	*said = true;
	snprintf(text, sizeof text, "%s: %s", what, shoal_err_name(err));
	v->user.warn(v->user.to, text);
}

/* Ended before it was open, or (datagrams) after. */
static void way_over(struct shoal_via *v, struct way *w, int err)
{
	shoal_us now = shoal_loop_now(v->loop);
	way_unlink(v, w);
	if (w->t != NULL)
		w->t->ops->close(w->t);
	if (w->datagrams) {
		v->flow_wait = w->open || v->flow_wait == 0 ? SHOAL_VIA_AGAIN
							    : shoal_min_u64(2 * v->flow_wait, SHOAL_VIA_FLOW_MAX);
		v->flow_at = now + v->flow_wait;
		if (!w->open)
			warn(v, &v->warned_flow,
			     "the proxy carries no datagrams: UDP trackers and the DHT cannot be asked", err);
	} else {
		v->user.dialed(v->user.to, w->cookie, NULL, err);
	}
	free(w);
}

static void send_waiting(struct shoal_via *v)
{
	unsigned n = v->waits;
	v->waits = 0;
	for (unsigned i = 0; i < n; i++) {
		int rc = shoal_via_send(v, &v->wait[i].to, shoal_bytes(v->wait[i].bytes, v->wait[i].len));
		(void)rc; /* datagrams are lost now and then */
	}
}

static void way_open(struct shoal_via *v, struct way *w)
{
	struct shoal_transport *t = w->t;
	if (!w->datagrams) {
		uint64_t cookie = w->cookie;
		way_unlink(v, w);
		free(w);
		v->user.dialed(v->user.to, cookie, t, 0);
		return;
	}
	w->open = true;
	w->until = SHOAL_NEVER;
	v->relay = w->talk.bound;
	if (shoal_addr_is_any(&v->relay)) {
		v->relay = v->at;
		v->relay.port = w->talk.bound.port;
	}
	if (v->relay.port == 0)
		return way_over(v, w, SHOAL_ERR_NET);
	send_waiting(v);
}

/* The talk goes on as far as it can. */
static void way_go(struct shoal_via *v, struct way *w)
{
	int rc = 0;
	while (rc == 0) {
		struct shoal_bytes out = shoal_proxy_output(&w->talk);
		if (out.len > 0) {
			ptrdiff_t sent = w->t->ops->send(w->t, &out, 1, false);
			if (sent < 0)
				return way_over(v, w, (int)sent);
			shoal_proxy_sent(&w->talk, (size_t)sent);
			w->t->ops->want(w->t, SHOAL_WANT_READ | ((size_t)sent < out.len ? SHOAL_WANT_WRITE : 0u));
		}
		struct shoal_space room = shoal_proxy_space(&w->talk);
		ptrdiff_t got = w->t->ops->recv(w->t, &room, 1);
		if (got == 0)
			return;
		rc = got < 0 ? (int)got : shoal_proxy_filled(&w->talk, (size_t)got);
	}
	if (rc < 0)
		way_over(v, w, rc);
	else
		way_open(v, w);
}

static int way_new(struct shoal_via *v, enum shoal_proxy_ask ask, const struct shoal_proxy_to *to, struct way **out)
{
	shoal_us now = shoal_loop_now(v->loop);
	if (!v->known) {
		if (!v->asked && v->lookup_at <= now) {
			v->asked = true;
			v->user.lookup(v->user.to, v->proxy.host);
		}
		return SHOAL_ERR_BUSY;
	}
	if (v->way_count == SHOAL_VIA_WAYS_MAX)
		return SHOAL_ERR_BUSY;
	struct way *w = calloc(1, sizeof *w);
	if (w == NULL)
		return SHOAL_ERR_NOMEM;
	w->own = COOKIE | ++v->next_own;
	w->until = now + SHOAL_VIA_TIMEOUT;
	w->datagrams = ask == SHOAL_PROXY_DATAGRAMS;
	int rc = shoal_proxy_begin(&w->talk, &v->proxy, ask, to);
	if (rc == 0)
		rc = shoal_tcp_dial(v->tcp, &v->at, w->own);
	if (rc < 0) {
		if (rc != SHOAL_ERR_BUSY && rc != SHOAL_ERR_NOMEM)
			warn(v, &v->warned_dial, "the proxy cannot be reached", rc);
		free(w);
		return rc;
	}
	w->next = v->ways;
	v->ways = w;
	v->way_count++;
	*out = w;
	return 0;
}

int shoal_via_dial(struct shoal_via *v, const struct shoal_addr *to, uint64_t cookie)
{
	struct shoal_proxy_to where;
	struct way *w;
	if (to->port == 0 || shoal_addr_is_any(to))
		return SHOAL_ERR_RANGE;
	int rc = to_of(v, to, &where);
	if (rc < 0 || (rc = way_new(v, SHOAL_PROXY_CONNECT, &where, &w)) < 0)
		return rc;
	w->cookie = cookie;
	return 0;
}

bool shoal_via_dialed(struct shoal_via *v, uint64_t cookie, struct shoal_transport *t, int err)
{
	if ((cookie & COOKIE) != COOKIE)
		return false;
	struct way *w = v->ways;
	while (w != NULL && w->own != cookie)
		w = w->next;
	if (w == NULL) {
		if (t != NULL)
			t->ops->close(t);
		return true;
	}
	if (t == NULL) {
		warn(v, &v->warned_dial, "the proxy cannot be reached", err);
		way_over(v, w, err);
		return true;
	}
	v->warned_dial = false;
	w->t = t;
	t->ops->want(t, SHOAL_WANT_READ);
	way_go(v, w);
	return true;
}

bool shoal_via_ready(struct shoal_via *v, struct shoal_transport *t, unsigned what)
{
	struct way *w = v->ways;
	(void)what;
	while (w != NULL && w->t != t)
		w = w->next;
	if (w == NULL)
		return false;
	if (!w->open) {
		way_go(v, w);
		return true;
	}
	/* The proxy has nothing more to say: it ends this. */
	uint8_t byte;
	ptrdiff_t got = t->ops->recv(t, &(struct shoal_space){ &byte, 1 }, 1);
	if (got != 0)
		way_over(v, w, got < 0 ? (int)got : SHOAL_ERR_MALFORMED);
	return true;
}

/* ---- datagrams --------------------------------------------------------------------------------------- */

static int wait_for_flow(struct shoal_via *v, const struct shoal_addr *to, struct shoal_bytes data)
{
	struct shoal_proxy_to nobody = { .addr.is_v4 = v->at.is_v4 };
	int rc = 0;
	if (v->flow == NULL && v->flow_at <= shoal_loop_now(v->loop))
		rc = way_new(v, SHOAL_PROXY_DATAGRAMS, &nobody, &v->flow);
	if (rc < 0 && rc != SHOAL_ERR_BUSY)
		return rc;
	if (v->waits == SHOAL_VIA_WAIT_MAX || data.len > SHOAL_VIA_WAIT_BYTES || (v->flow == NULL && v->known))
		return 0;
	struct waiting *w = &v->wait[v->waits++];
	w->to = *to;
	w->len = data.len;
	memcpy(w->bytes, data.at, data.len);
	return 0;
}

bool shoal_via_datagrams(const struct shoal_via *v)
{
	return v->proxy.kind == SHOAL_PROXY_SOCKS5;
}

int shoal_via_send(struct shoal_via *v, const struct shoal_addr *to, struct shoal_bytes data)
{
	struct shoal_proxy_to where;
	uint8_t raw[SHOAL_PROXY_HEAD_MAX + SHOAL_UDP_BYTES_MAX];
	if (!shoal_via_datagrams(v))
		return SHOAL_ERR_UNSUPPORTED;
	int rc = to_of(v, to, &where);
	if (rc < 0)
		return rc;
	if (v->flow == NULL || !v->flow->open)
		return wait_for_flow(v, to, data);
	ptrdiff_t head = shoal_proxy_head(&where, (struct shoal_space){ raw, sizeof raw });
	if (head < 0 || data.len > sizeof raw - (size_t)head)
		return SHOAL_ERR_TOO_LONG;
	memcpy(raw + head, data.at, data.len);
	if (where.name != NULL)
		v->name_port[to->ip[3]] = to->port;
	return shoal_udp_send(v->udp, &v->relay, shoal_bytes(raw, (size_t)head + data.len));
}

static void on_datagram(void *to, const struct shoal_addr *from, struct shoal_bytes data)
{
	struct shoal_via *v = to;
	struct shoal_addr who;
	struct shoal_bytes inside;
	if (v->flow == NULL || !v->flow->open || !shoal_addr_equal(from, &v->relay) ||
	    shoal_proxy_datagram(data, &who, &inside) < 0)
		return;
	v->user.datagram(v->user.to, &who, inside);
	for (unsigned i = 0; i < v->names; i++) {
		if (v->name_port[i] == 0 || v->name_port[i] != who.port)
			continue;
		struct shoal_addr named = { .port = who.port, .is_v4 = 1 };
		memcpy(named.ip, stand_in, sizeof stand_in);
		named.ip[3] = (uint8_t)i;
		v->user.datagram(v->user.to, &named, inside);
	}
}

/* ---- the whole ------------------------------------------------------------------------------------------ */

void shoal_via_found(struct shoal_via *v, const struct shoal_addr addr[], size_t count)
{
	v->asked = false;
	if (count == 0) {
		v->lookup_at = shoal_loop_now(v->loop) + SHOAL_VIA_AGAIN;
		warn(v, &v->warned_dial, "the proxy's name cannot be looked up", SHOAL_ERR_GONE);
		return;
	}
	v->at = addr[0];
	v->at.port = v->proxy.port;
	v->known = true;
	send_waiting(v);
}

int shoal_via_new(struct shoal_via **out, struct shoal_loop *loop, const struct shoal_os_ops *os, struct shoal_tcp *tcp,
		  const struct shoal_proxy *proxy, const struct shoal_via_user *user)
{
	struct shoal_via *v = calloc(1, sizeof *v);
	if (v == NULL)
		return SHOAL_ERR_NOMEM;
	v->loop = loop;
	v->tcp = tcp;
	v->proxy = *proxy;
	v->user = *user;
	v->name = calloc(SHOAL_VIA_NAMES_MAX, sizeof *v->name);
	struct shoal_udp_user udp = { v, on_datagram };
	int rc = v->name != NULL ? shoal_udp_new(&v->udp, loop, os, &udp) : SHOAL_ERR_NOMEM;
	if (rc < 0) {
		shoal_via_free(v);
		return rc;
	}
	v->known = shoal_addr_host(proxy->host, proxy->port, &v->at) == 0;
	*out = v;
	return 0;
}

void shoal_via_free(struct shoal_via *v)
{
	if (v == NULL)
		return;
	while (v->ways != NULL) {
		struct way *w = v->ways;
		v->ways = w->next;
		if (w->t != NULL)
			w->t->ops->close(w->t);
		free(w);
	}
	shoal_udp_free(v->udp);
	free(v->name);
	explicit_bzero(&v->proxy, sizeof v->proxy);
	free(v);
}

shoal_us shoal_via_deadline(const struct shoal_via *v)
{
	shoal_us at = SHOAL_NEVER;
	for (const struct way *w = v->ways; w != NULL; w = w->next)
		at = shoal_min_u64(at, w->until);
	return at;
}

void shoal_via_tick(struct shoal_via *v, shoal_us now)
{
	for (struct way *w = v->ways, *after; w != NULL; w = after) {
		after = w->next;
		if (w->until <= now)
			way_over(v, w, SHOAL_ERR_TIMEOUT);
	}
}
