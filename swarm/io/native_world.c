/* native_world.c - what the node asks of the world, and what the world tells the node. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "swarm/io/native_room.h"
#include "swarm/io/reachable.h"

/* ---- what the node asks of the world --------------------------------------------------- */

static void world_secret(void *w, struct shoal_space out)
{
	struct shoal_native *e = w;
	while (out.len > 0) {
		ssize_t n = e->os->getrandom(out.at, out.len);
		if (n < 0 && errno == EINTR)
			continue;
		/* Linux has no other failure, and nothing that is secret may be made without it. */
		if (n <= 0)
			abort();
		out.at += n;
		out.len -= (size_t)n;
	}
}

static int world_dial(void *w, const struct shoal_addr *to, uint64_t cookie)
{
	struct shoal_native *e = w;
	return e->via != NULL ? shoal_via_dial(e->via, to, cookie) : shoal_tcp_dial(e->tcp, to, cookie);
}

static void world_wake_at(void *w, shoal_us at)
{
	struct shoal_native *e = w;
	e->wake_at = at;
	e->wake_fresh = true;
}

static int64_t world_unix_s(void *w)
{
	struct shoal_native *e = w;
	return e->os->unix_s();
}

static int world_shout(void *w, bool v4, struct shoal_bytes data)
{
	struct shoal_native *e = w;
	return shoal_local_shout(e->local, v4, data);
}

static int world_fetch(void *w, const struct shoal_fetch *f, uint64_t cookie)
{
	struct shoal_native *e = w;
	return shoal_http_fetch(e->http, f, cookie);
}

static void world_fetch_stop(void *w, uint64_t cookie)
{
	struct shoal_native *e = w;
	shoal_http_stop(e->http, cookie);
}

static int world_resolve(void *w, const char *host, uint64_t cookie)
{
	struct shoal_native *e = w;
	if (e->via == NULL)
		return shoal_resolve_ask(e->resolve, host, 0,
					 &(struct shoal_resolve_for){ cookie, 0, SHOAL_ASKED_BY_NODE });
	if (e->stands == SHOAL_NATIVE_STANDS)
		return SHOAL_ERR_BUSY;
	int rc = shoal_via_name(e->via, host, &e->stand[e->stands].addr);
	if (rc < 0)
		return rc;
	e->stand[e->stands++].cookie = cookie;
	e->dirty = true;
	return 0;
}

static int world_datagram(void *w, const struct shoal_addr *to, struct shoal_bytes data)
{
	struct shoal_native *e = w;
	return e->via != NULL ? shoal_via_send(e->via, to, data) : shoal_udp_send(e->udp, to, data);
}

static int world_datagrams(void *w, const struct shoal_addr *to, struct shoal_bytes data, size_t each, bool whole)
{
	struct shoal_native *e = w;
	if (e->via != NULL) /* a proxy takes datagrams one at a time: trackers and the DHT, no uTP */
		return SHOAL_ERR_UNSUPPORTED;
	return shoal_udp_send_row(e->udp, to, data, each, whole);
}

static bool world_neighbour(void *w, const struct shoal_addr *to)
{
	struct shoal_native *e = w;
	/* Behind a proxy it is not our network that private addresses would lie in. */
	return e->via != NULL ? shoal_via_stands_in(to) : shoal_reachable_neighbour(to);
}

const struct shoal_world_ops shoal_native_world = {
	.secret = world_secret,
	.dial = world_dial,
	.wake_at = world_wake_at,
	.unix_s = world_unix_s,
	.shout = world_shout,
	.fetch = world_fetch,
	.fetch_stop = world_fetch_stop,
	.resolve = world_resolve,
	.datagram = world_datagram,
	.datagrams = world_datagrams,
	.neighbour = world_neighbour,
};

/* ---- what the world tells the node ------------------------------------------------------ */

static void on_accepted(void *to, struct shoal_transport *t, const struct shoal_addr *from)
{
	struct shoal_native *e = to;
	shoal_node_accept(e->node, t, from, shoal_loop_now(e->loop));
}

static void on_dialed(void *to, uint64_t cookie, struct shoal_transport *t, int err)
{
	struct shoal_native *e = to;
	if (e->via == NULL || !shoal_via_dialed(e->via, cookie, t, err))
		shoal_node_dialed(e->node, cookie, t, err, shoal_loop_now(e->loop));
}

void shoal_native_on_heard(void *to, const struct shoal_addr *from, struct shoal_bytes data)
{
	struct shoal_native *e = to;
	shoal_node_datagram(e->node, from, data, true, shoal_loop_now(e->loop));
}

static void on_ready(void *to, struct shoal_transport *t, unsigned what)
{
	struct shoal_native *e = to;
	if (e->via == NULL || !shoal_via_ready(e->via, t, what))
		shoal_node_ready(e->node, t, what, shoal_loop_now(e->loop));
}

static void on_fetch_data(void *to, uint64_t cookie, uint64_t at, struct shoal_bytes data)
{
	struct shoal_native *e = to;
	shoal_node_fetch_data(e->node, cookie, at, data, shoal_loop_now(e->loop));
}

static void on_fetch_end(void *to, uint64_t cookie, const struct shoal_fetched *how)
{
	struct shoal_native *e = to;
	shoal_node_fetch_end(e->node, cookie, how, shoal_loop_now(e->loop));
}

static const struct shoal_addr *on_fetch_source(void *to, const struct shoal_addr *addr)
{
	struct shoal_native *e = to;
	return shoal_tcp_source(e->tcp, addr);
}

static void on_datagram(void *to, const struct shoal_addr *from, struct shoal_bytes data)
{
	struct shoal_native *e = to;
	shoal_node_datagram(e->node, from, data, false, shoal_loop_now(e->loop));
}

static void on_via_dialed(void *to, uint64_t cookie, struct shoal_transport *t, int err)
{
	struct shoal_native *e = to;
	e->dirty = true;
	shoal_node_dialed(e->node, cookie, t, err, shoal_loop_now(e->loop));
}

/* The one name of ours that is looked up: the proxy's own. */
static void on_via_lookup(void *to, const char *host)
{
	struct shoal_native *e = to;
	struct shoal_resolve_for asker = { .flags = SHOAL_ASKED_BY_VIA };
	if (shoal_resolve_ask(e->resolve, host, 0, &asker) < 0)
		shoal_via_found(e->via, NULL, 0);
}

void shoal_native_warn(struct shoal_native *e, const char *what)
{
	struct shoal_event ev = { .kind = SHOAL_EV_WARNING,
				  .t = shoal_loop_now(e->loop),
				  .text = { (const uint8_t *)what, strlen(what) } };
	shoal_events_push(&e->events, &ev);
}

static void on_via_warn(void *to, const char *what)
{
	shoal_native_warn(to, what);
}

void shoal_native_on_moved(void *to)
{
	struct shoal_native *e = to;
	shoal_tcp_moved(e->tcp);
	shoal_node_moved(e->node, shoal_loop_now(e->loop));
	if (e->portmap != NULL)
		shoal_portmap_again(e->portmap);
	e->dirty = true;
}

static int on_file_fd(void *to, uint32_t file)
{
	struct shoal_native *e = to;
	return shoal_disk_threads_file_fd(e->disk, file);
}

struct shoal_tcp_user shoal_native_tcp_user(struct shoal_native *e)
{
	return (struct shoal_tcp_user){ e, on_accepted, on_dialed, on_ready, on_file_fd };
}

struct shoal_udp_user shoal_native_udp_user(struct shoal_native *e)
{
	return (struct shoal_udp_user){ e, on_datagram };
}

struct shoal_http_user shoal_native_http_user(struct shoal_native *e)
{
	return (struct shoal_http_user){ e, on_fetch_data, on_fetch_end, on_fetch_source };
}

struct shoal_via_user shoal_native_via_user(struct shoal_native *e)
{
	return (struct shoal_via_user){ e, on_via_dialed, on_datagram, on_via_lookup, on_via_warn };
}
