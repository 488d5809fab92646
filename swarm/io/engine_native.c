#include "swarm/io/engine_native.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include "proto/base/bytes.h"
#include "proto/magnet.h"
#include "swarm/core/events.h"
#include "swarm/core/carrier.h"
#include "swarm/core/node.h"
#include "swarm/io/addr.h"
#include "swarm/io/disk_threads.h"
#include "swarm/io/keys.h"
#include "swarm/io/local.h"
#include "swarm/io/http_curl.h"
#include "swarm/io/loop.h"
#include "swarm/io/netwatch.h"
#include "swarm/io/own_key.h"
#include "swarm/io/owned_disk.h"
#include "swarm/io/portmap.h"
#include "swarm/io/reachable.h"
#include "swarm/io/resolve.h"
#include "swarm/io/store_sqlite.h"
#include "swarm/io/tcp.h"
#include "swarm/io/udp.h"
#include "swarm/io/via.h"

#define FDS_KEPT 24	       /* descriptors for all that is neither a file of a torrent nor a connection */
#define ADDS_MAX 64	       /* magnets whose ADDED has not been fetched yet, and whose peers we remember */
#define STANDS_MAX 64	       /* names asked of a proxied engine, and not answered yet */
#define TICK_AGAIN SHOAL_MS(1) /* a deadline that a tick left in the past is not asked for again sooner */

/* A magnet's own peers (x.pe), until its torrent has a number. */
struct add {
	struct add *next;
	uint64_t ticket;
	struct shoal_magnet magnet;
};

/* A stand-in for a name that the proxy will look up: told in the next turn. */
struct stand {
	uint64_t cookie;
	struct shoal_addr addr;
};

/* Of a name: the user is owed a DONE; the node's ticket is its cookie. */
enum asker_flag {
	ASKED_BY_USER = 1,
	ASKED_BY_NODE = 2,
	ASKED_BY_VIA = 4,
	ASKED_FOR_BOOT = 8,
	ASKED_FOR_PING = 16,
	ASKED_FROM_LINK = 32,
};

struct native {
	struct shoal_engine base; /* first: the user's pointer is ours */
	const struct shoal_os_ops *os;
	struct shoal_loop *loop;
	struct shoal_tcp *tcp;
	struct shoal_local *local;
	struct shoal_udp *udp;
	struct shoal_via *via; /* NULL: no proxy; else nothing goes but through it */
	struct stand stand[STANDS_MAX];
	unsigned stands;
	struct shoal_netwatch *netwatch; /* NULL where the kernel does not tell */
	struct shoal_portmap *portmap;	 /* NULL: not yet, or never */
	uint16_t map_port;		 /* what it is to map, if anything */
	struct shoal_resolve *resolve;
	struct shoal_http *http;
	struct shoal_disk_threads *disk;
	struct shoal_owned_disk *owned; /* NULL without a state folder: nobody to share it with */
	struct shoal_store_sqlite *store;
	struct shoal_own_key own_key; /* without a state folder: none */
	struct shoal_budget budget;
	struct shoal_slots *slots;
	struct shoal_node *node;
	struct shoal_watch disk_watch, store_watch, resolve_watch, portmap_watch;
	struct shoal_events events; /* our own: LISTENING, and what became of names */
	struct add *adds;
	size_t add_count;
	shoal_us wake_at;  /* the node's deadline */
	bool wake_fresh;   /* it was set in the tick under way */
	bool reap;	   /* the disk or the store has something */
	bool dirty;	   /* operations were done: a tick is owed */
	bool stopped;	   /* the node has said so; it says it once */
	char text[96];	   /* of the last event, where we worded it */
	bool pipe_blocked; /* we blocked SIGPIPE, and unblock it */
};

/* ---- what the node asks of the world --------------------------------------------------- */

static void world_secret(void *w, struct shoal_space out)
{
	struct native *e = w;
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
	struct native *e = w;
	return e->via != NULL ? shoal_via_dial(e->via, to, cookie) : shoal_tcp_dial(e->tcp, to, cookie);
}

static void world_wake_at(void *w, shoal_us at)
{
	struct native *e = w;
	e->wake_at = at;
	e->wake_fresh = true;
}

static int64_t world_unix_s(void *w)
{
	struct native *e = w;
	return e->os->unix_s();
}

static int world_shout(void *w, bool v4, struct shoal_bytes data)
{
	struct native *e = w;
	return shoal_local_shout(e->local, v4, data);
}

static int world_fetch(void *w, const struct shoal_fetch *f, uint64_t cookie)
{
	struct native *e = w;
	return shoal_http_fetch(e->http, f, cookie);
}

static void world_fetch_stop(void *w, uint64_t cookie)
{
	struct native *e = w;
	shoal_http_stop(e->http, cookie);
}

static int world_resolve(void *w, const char *host, uint64_t cookie)
{
	struct native *e = w;
	if (e->via == NULL)
		return shoal_resolve_ask(e->resolve, host, 0, &(struct shoal_resolve_for){ cookie, 0, ASKED_BY_NODE });
	if (e->stands == STANDS_MAX)
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
	struct native *e = w;
	return e->via != NULL ? shoal_via_send(e->via, to, data) : shoal_udp_send(e->udp, to, data);
}

static int world_datagrams(void *w, const struct shoal_addr *to, struct shoal_bytes data, size_t each, bool whole)
{
	struct native *e = w;
	if (e->via != NULL) /* a proxy takes datagrams one at a time: trackers and the DHT, no uTP */
		return SHOAL_ERR_UNSUPPORTED;
	return shoal_udp_send_row(e->udp, to, data, each, whole);
}

static bool world_neighbour(void *w, const struct shoal_addr *to)
{
	struct native *e = w;
	/* Behind a proxy it is not our network that private addresses would lie in. */
	return e->via != NULL ? shoal_via_stands_in(to) : shoal_reachable_neighbour(to);
}

static const struct shoal_world_ops world_ops = {
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
	struct native *e = to;
	shoal_node_accept(e->node, t, from, shoal_loop_now(e->loop));
}

static void on_dialed(void *to, uint64_t cookie, struct shoal_transport *t, int err)
{
	struct native *e = to;
	if (e->via == NULL || !shoal_via_dialed(e->via, cookie, t, err))
		shoal_node_dialed(e->node, cookie, t, err, shoal_loop_now(e->loop));
}

static void on_heard(void *to, const struct shoal_addr *from, struct shoal_bytes data)
{
	struct native *e = to;
	shoal_node_datagram(e->node, from, data, true, shoal_loop_now(e->loop));
}

static void on_ready(void *to, struct shoal_transport *t, unsigned what)
{
	struct native *e = to;
	if (e->via == NULL || !shoal_via_ready(e->via, t, what))
		shoal_node_ready(e->node, t, what, shoal_loop_now(e->loop));
}

static void on_fetch_data(void *to, uint64_t cookie, uint64_t at, struct shoal_bytes data)
{
	struct native *e = to;
	shoal_node_fetch_data(e->node, cookie, at, data, shoal_loop_now(e->loop));
}

static void on_fetch_end(void *to, uint64_t cookie, const struct shoal_fetched *how)
{
	struct native *e = to;
	shoal_node_fetch_end(e->node, cookie, how, shoal_loop_now(e->loop));
}

static const struct shoal_addr *on_fetch_source(void *to, const struct shoal_addr *addr)
{
	struct native *e = to;
	return shoal_tcp_source(e->tcp, addr);
}

static void on_datagram(void *to, const struct shoal_addr *from, struct shoal_bytes data)
{
	struct native *e = to;
	shoal_node_datagram(e->node, from, data, false, shoal_loop_now(e->loop));
}

static void on_via_dialed(void *to, uint64_t cookie, struct shoal_transport *t, int err)
{
	struct native *e = to;
	e->dirty = true;
	shoal_node_dialed(e->node, cookie, t, err, shoal_loop_now(e->loop));
}

/* The one name of ours that is looked up: the proxy's own. */
static void on_via_lookup(void *to, const char *host)
{
	struct native *e = to;
	struct shoal_resolve_for asker = { .flags = ASKED_BY_VIA };
	if (shoal_resolve_ask(e->resolve, host, 0, &asker) < 0)
		shoal_via_found(e->via, NULL, 0);
}

static void say_warning(struct native *e, const char *what)
{
	struct shoal_event ev = { .kind = SHOAL_EV_WARNING,
				  .t = shoal_loop_now(e->loop),
				  .text = { (const uint8_t *)what, strlen(what) } };
	shoal_events_push(&e->events, &ev);
}

static void on_via_warn(void *to, const char *what)
{
	say_warning(to, what);
}

static void on_moved(void *to)
{
	struct native *e = to;
	shoal_tcp_moved(e->tcp);
	shoal_node_moved(e->node, shoal_loop_now(e->loop));
	if (e->portmap != NULL)
		shoal_portmap_again(e->portmap);
	e->dirty = true;
}

static int on_file_fd(void *to, uint32_t file)
{
	struct native *e = to;
	return shoal_disk_threads_file_fd(e->disk, file);
}

static void on_reap(void *to, unsigned what)
{
	struct native *e = to;
	(void)what;
	e->reap = true;
}

/* ---- peers that are named ---------------------------------------------------------------- */

static void say_done(struct native *e, uint32_t torrent, uint64_t ticket, int err)
{
	struct shoal_event ev = {
		.kind = SHOAL_EV_DONE, .t = shoal_loop_now(e->loop), .torrent = torrent, .ticket = ticket, .err = err
	};
	shoal_events_push(&e->events, &ev);
}

static int peer_at(struct native *e, const struct shoal_resolve_for *asker, const struct shoal_addr *addr)
{
	bool link = asker->flags & ASKED_FROM_LINK || !(asker->flags & ASKED_BY_USER);
	struct shoal_op op = { .kind = asker->flags & ASKED_FOR_BOOT   ? SHOAL_OP_DHT_BOOT
				       : asker->flags & ASKED_FOR_PING ? SHOAL_OP_DHT_PING
								       : SHOAL_OP_PEER,
			       .ticket = asker->ticket,
			       .torrent = asker->torrent,
			       .flags = link ? SHOAL_PEER_FROM_LINK : 0,
			       .addr = *addr };
	e->dirty = true;
	return shoal_node_do(e->node, &op, shoal_loop_now(e->loop));
}

/* The user is owed a DONE of ours: questions to the DHT are answered by the node. */
static bool is_owed(const struct shoal_resolve_for *asker)
{
	return asker->flags & ASKED_BY_USER && !(asker->flags & (ASKED_FOR_BOOT | ASKED_FOR_PING));
}

/* "host:port". Numbers go to the node at once; a name by the slow thread. */
static int peer_named(struct native *e, struct shoal_bytes text, const struct shoal_resolve_for *asker)
{
	char host[SHOAL_HOST_MAX];
	uint16_t port;
	struct shoal_addr addr;
	if (shoal_addr_split(text, host, &port) < 0)
		return SHOAL_ERR_USAGE;
	if (shoal_addr_host(host, port, &addr) < 0) {
		if (e->via == NULL)
			return shoal_resolve_ask(e->resolve, host, port, asker);
		if (shoal_via_name(e->via, host, &addr) < 0)
			return SHOAL_ERR_USAGE;
		addr.port = port;
	}
	int rc = peer_at(e, asker, &addr);
	if (rc == 0 && is_owed(asker))
		say_done(e, asker->torrent, asker->ticket, 0);
	return rc;
}

static void on_resolved(void *to, unsigned what)
{
	struct native *e = to;
	struct shoal_resolve_done done;
	(void)what;
	while (shoal_resolve_reap(e->resolve, &done) > 0) {
		if (done.asker.flags & ASKED_BY_VIA) {
			shoal_via_found(e->via, done.addr, done.err == 0 ? done.count : 0);
			continue;
		}
		if (done.asker.flags & ASKED_BY_NODE) {
			shoal_node_resolved(e->node, done.asker.ticket, done.addr, done.count, done.err,
					    shoal_loop_now(e->loop));
			continue;
		}
		int rc = done.err;
		if (done.asker.flags & ASKED_FOR_PING && done.count > 1)
			done.count = 1; /* one question, one answer */
		for (size_t i = 0; rc == 0 && i < done.count; i++)
			rc = peer_at(e, &done.asker, &done.addr[i]);
		if (is_owed(&done.asker) || (rc < 0 && done.asker.flags & (ASKED_FOR_BOOT | ASKED_FOR_PING)))
			say_done(e, done.asker.torrent, done.asker.ticket, rc);
	}
}

static void add_free(struct native *e, struct add *add)
{
	shoal_magnet_fini(&add->magnet);
	free(add);
	e->add_count--;
}

/* Keeps the peers a magnet names. Without them it still works, so nothing here is an error. */
static void add_remember(struct native *e, const struct shoal_op *op)
{
	if (e->add_count == ADDS_MAX)
		return;
	struct add *add = calloc(1, sizeof *add);
	if (add == NULL)
		return;
	e->add_count++;
	if (shoal_magnet_parse(&add->magnet, op->text, NULL) < 0) {
		memset(&add->magnet, 0, sizeof add->magnet);
		add_free(e, add);
		return;
	}
	add->ticket = op->ticket;
	struct add **last = &e->adds;
	while (*last != NULL)
		last = &(*last)->next;
	*last = add;
}

static void add_answered(struct native *e, const struct shoal_event *ev)
{
	struct add **where = &e->adds;
	while (*where != NULL && (*where)->ticket != ev->ticket)
		where = &(*where)->next;
	if (*where == NULL)
		return;
	struct add *add = *where;
	*where = add->next;
	for (size_t i = 0; ev->err == 0 && i < add->magnet.peer_count; i++) {
		struct shoal_bytes text = { (const uint8_t *)add->magnet.peer[i], strlen(add->magnet.peer[i]) };
		int rc = peer_named(e, text, &(struct shoal_resolve_for){ .torrent = ev->torrent });
		(void)rc; /* a stranger's link may name anything */
	}
	add_free(e, add);
}

/* ---- opening ------------------------------------------------------------------------------ */

/* sendfile(2) into a connection that is gone raises SIGPIPE, in this thread; nothing can ask it not to. */
static void block_pipe(struct native *e)
{
	sigset_t pipe, before;
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, &before);
	e->pipe_blocked = !sigismember(&before, SIGPIPE);
}

static void unblock_pipe(const struct native *e)
{
	sigset_t pipe;
	struct timespec none = { 0, 0 };
	if (!e->pipe_blocked)
		return;
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	while (sigtimedwait(&pipe, NULL, &none) > 0)
		; /* ours, or it would end the process now */
	pthread_sigmask(SIG_UNBLOCK, &pipe, NULL);
}

/* The same port for datagrams. Somebody else may have it: then trackers see us ask from another, and nobody reaches us by
 * uTP. */
static void open_datagrams(struct native *e, const struct shoal_addr *at)
{
	char text[SHOAL_ADDR_TEXT_MAX], what[160];
	int os_err;
	if (e->via != NULL || shoal_udp_bind(e->udp, at, &os_err) == 0)
		return;
	snprintf(what, sizeof what, "cannot take UDP %s: %s", shoal_addr_text(at, text), strerror(os_err));
	say_warning(e, what);
}

static int open_listeners(struct native *e, const struct shoal_config *config, uint16_t *port, char what[160])
{
	for (size_t i = 0; i < config->listen_count; i++) {
		struct shoal_event ev = { .kind = SHOAL_EV_LISTENING, .t = shoal_loop_now(e->loop) };
		char text[SHOAL_ADDR_TEXT_MAX];
		int os_err, rc = config->no_tcp ? shoal_udp_bind(e->udp, &config->listen[i], &os_err)
						: shoal_tcp_listen(e->tcp, &config->listen[i], &ev.addr, &os_err);
		if (rc < 0) {
			snprintf(what, 160, "cannot listen on %s: %s", shoal_addr_text(&config->listen[i], text),
				 os_err != 0 ? strerror(os_err) : shoal_err_name(rc));
			return rc;
		}
		if (config->no_tcp)
			ev.addr = *shoal_udp_at(e->udp, (unsigned)i);
		if (*port == 0)
			*port = ev.addr.port;
		if (config->portmap && e->via == NULL && ev.addr.is_v4 && !shoal_addr_is_loopback(&ev.addr) &&
		    ev.addr.port == *port)
			e->map_port = *port;
		if (ev.addr.port == *port && e->via == NULL) /* the one port that is told to the neighbours */
			(void)shoal_local_listens(e->local, &ev.addr);
		shoal_events_push(&e->events, &ev);
		if (!config->no_tcp)
			open_datagrams(e, &ev.addr);
	}
	return 0;
}

static int watch(struct native *e, struct shoal_watch *w, int fd, unsigned how, void (*ready)(void *to, unsigned what))
{
	shoal_watch_init(w, e->loop, fd, ready, e);
	return shoal_watch_set(w, SHOAL_LOOP_READ | how);
}

static int open_storage(struct native *e, const struct shoal_config *config, char what[160])
{
	int rc = shoal_disk_threads_new(&e->disk, e->os, config->threads);
	if (rc < 0 || (rc = watch(e, &e->disk_watch, shoal_disk_threads_fd(e->disk), 0, on_reap)) < 0)
		return rc;
	if (config->state_dir == NULL)
		return 0;
	char parts[PATH_MAX];
	int len = snprintf(parts, sizeof parts, "%s/parts", config->state_dir);
	if (len < 0 || len >= (int)sizeof parts)
		return SHOAL_ERR_TOO_LONG;
	if ((rc = shoal_disk_threads_parts(e->disk, parts)) < 0)
		return rc;
	struct shoal_store_options options = { .os = e->os, .state = config->state_dir };
	if ((rc = shoal_store_sqlite_open(&e->store, &options, what)) < 0)
		return rc;
	if (what[0] != '\0') { /* it opened, and has something to say */
		say_warning(e, what);
		what[0] = '\0';
	}
	if ((rc = watch(e, &e->store_watch, shoal_store_sqlite_fd(e->store), 0, on_reap)) < 0)
		return rc;
	if ((rc = shoal_own_key_init(&e->own_key, config->state_dir)) < 0)
		return rc;
	return shoal_owned_disk_new(&e->owned, e->os, config->state_dir, shoal_disk_threads_disk(e->disk));
}

/* Connections that have descriptors for sure: files take half of them, and some are kept for all else. Beyond that,
 * those who do nothing make room (swarm/core/crowd.c) instead of the honest waiting in the backlog behind them. */
static uint32_t peers_bound(uint32_t wanted)
{
	struct rlimit rl;
	uint64_t bound = wanted != 0 ? wanted : SHOAL_ENGINE_PEERS;
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur != RLIM_INFINITY)
		bound = shoal_min_u64(bound, rl.rlim_cur / 2 > 2 * FDS_KEPT ? rl.rlim_cur / 2 - FDS_KEPT : FDS_KEPT);
	return (uint32_t)bound;
}

static int open_node(struct native *e, const struct shoal_config *config, uint16_t port)
{
	uint64_t seed;
	world_secret(e, (struct shoal_space){ (uint8_t *)&seed, sizeof seed });
	struct shoal_node_options options = {
		.world = { &world_ops, e },
		.disk = e->owned != NULL ? shoal_owned_disk_disk(e->owned) : shoal_disk_threads_disk(e->disk),
		.budget = &e->budget,
		.slots = e->slots,
		.rng = shoal_rng_split(seed, 1),
		.port = port,
		.up = config->up,
		.down = config->down,
		.max_peers = peers_bound(config->max_peers),
		.upload_slots = config->upload_slots,
		.quiet = (config->no_pex ? SHOAL_QUIET_PEX : 0u) |
			 (config->no_lsd || e->via != NULL ? SHOAL_QUIET_LSD : 0u),
		.dht = !config->no_dht && (e->via == NULL || shoal_via_datagrams(e->via)),
		.dht_read_only = config->dht_read_only,
		.dht_guest = e->via != NULL,
		.crypto = &shoal_keys_dht,
		.rules = config->rules,
		.encryption = config->encryption,
		.show_key = config->show_key,
		.identity = e->own_key.path != NULL && e->via == NULL ? &e->own_key.identity : NULL,
		.carriers = (config->no_tcp ? 0u : SHOAL_BY_TCP) |
			    (config->no_utp || e->via != NULL ? 0u : SHOAL_BY_UTP),
		.without = config->without,
		.record = config->record,
		.agent = config->agent != NULL ? config->agent : "shoal " SHOAL_VERSION,
	};
	if (e->store != NULL)
		options.store = shoal_store_sqlite_store(e->store);
	return shoal_node_new(&e->node, &options, shoal_loop_now(e->loop));
}

/* "socks5h": names are the proxy's to look up, for libcurl too. */
static int open_via(struct native *e, const char *url, char *web, size_t room)
{
	struct shoal_proxy proxy;
	struct shoal_via_user user = { e, on_via_dialed, on_datagram, on_via_lookup, on_via_warn };
	int rc = shoal_proxy_parse(url, &proxy);
	if (rc < 0)
		return rc;
	const char *rest = strstr(url, "://");
	int n = snprintf(web, room, "%s%s", proxy.kind == SHOAL_PROXY_HTTP ? "http" : "socks5h", rest);
	if (n < 0 || (size_t)n >= room)
		return SHOAL_ERR_TOO_LONG;
	rc = shoal_via_new(&e->via, e->loop, e->os, e->tcp, &proxy, &user);
	explicit_bzero(&proxy, sizeof proxy);
	return rc;
}

static void native_free(struct native *e);

int shoal_engine_native_open(struct shoal_engine **out, const struct shoal_config *config,
			     const struct shoal_os_ops *os, char what[160])
{
	const char *step = "no memory";
	char proxy[2 * SHOAL_PROXY_WORD_MAX * 3 + SHOAL_PROXY_NAME_MAX + 32];
	uint64_t memory = config->memory != 0 ? config->memory : SHOAL_ENGINE_MEMORY;
	uint16_t port = 0;
	what[0] = '\0';
	if ((config->no_utp || config->proxy != NULL) && config->no_tcp) {
		snprintf(what, 160, "without TCP and without uTP nobody can be reached");
		return SHOAL_ERR_USAGE;
	}
	if (config->size != sizeof *config || config->listen_count > SHOAL_LISTEN_MAX) {
		snprintf(what, 160, "the configuration is of another version");
		return SHOAL_ERR_UNSUPPORTED;
	}
	if (memory < SHOAL_ENGINE_MEMORY_MIN) {
		snprintf(what, 160, "needs at least %u MiB of memory", SHOAL_ENGINE_MEMORY_MIN >> 20);
		return SHOAL_ERR_NOMEM;
	}
	struct native *e = calloc(1, sizeof *e);
	int rc = SHOAL_ERR_NOMEM;
	if (e == NULL)
		goto out;
	e->base.ops = &shoal_engine_native;
	e->os = os;
	e->wake_at = SHOAL_NEVER;
	e->dirty = true;
	e->budget.limit = memory < SIZE_MAX ? (size_t)memory : SIZE_MAX;
	shoal_events_init(&e->events);
	block_pipe(e);
	struct shoal_http_user http = { e, on_fetch_data, on_fetch_end, on_fetch_source };
	struct shoal_http_options web = { .agent = config->agent != NULL ? config->agent : "shoal/" SHOAL_VERSION };
	struct shoal_tcp_user user = { e, on_accepted, on_dialed, on_ready, on_file_fd };
	struct shoal_udp_user udp_user = { e, on_datagram };
	step = "cannot make an event loop";
	if ((rc = shoal_events_reserve(&e->events)) < 0 || (rc = shoal_loop_new(&e->loop, os)) < 0 ||
	    (rc = shoal_tcp_new(&e->tcp, e->loop, os, &user)) < 0 ||
	    (rc = shoal_local_new(&e->local, e->loop, os, on_heard, e)) < 0)
		goto out;
	step = "the proxy cannot be used";
	if (config->proxy != NULL) {
		if ((rc = open_via(e, config->proxy, proxy, sizeof proxy)) < 0)
			goto out;
		web.proxy = proxy;
	}
	step = "cannot make an event loop";
	if ((rc = shoal_http_new(&e->http, e->loop, os, &http, &web)) < 0 ||
	    (rc = shoal_udp_new(&e->udp, e->loop, os, &udp_user)) < 0 ||
	    (rc = shoal_resolve_new(&e->resolve, os, NULL)) < 0 ||
	    (rc = watch(e, &e->resolve_watch, shoal_resolve_fd(e->resolve), SHOAL_LOOP_EDGE, on_resolved)) < 0)
		goto out;
	shoal_tcp_class(e->tcp, config->dscp);
	shoal_udp_class(e->udp, config->dscp);
	step = "cannot listen";
	if ((rc = open_listeners(e, config, &port, what)) < 0)
		goto out;
	step = "cannot open the storage";
	if ((rc = open_storage(e, config, what)) < 0)
		goto out;
	step = "no memory";
	if ((rc = shoal_slots_new(&e->slots, &e->budget)) < 0 || (rc = open_node(e, config, port)) < 0)
		goto out;
	if (shoal_netwatch_new(&e->netwatch, e->loop, os, on_moved, e) < 0)
		e->netwatch = NULL; /* then what failed is tried when its time comes */
	*out = &e->base;
	e = NULL;
out:
	if (rc < 0 && what[0] == '\0')
		snprintf(what, 160, "%s: %s", step, shoal_err_name(rc));
	if (e != NULL)
		native_free(e);
	return rc;
}

static int native_open(struct shoal_engine **out, const struct shoal_config *config, char what[160])
{
	return shoal_engine_native_open(out, config, &shoal_os_real, what);
}

/* ---- running ------------------------------------------------------------------------------- */

static int native_do(struct shoal_engine *engine, const struct shoal_op *op)
{
	struct native *e = (struct native *)engine;
	shoal_loop_refresh(e->loop);
	e->dirty = true;
	if (op->kind == SHOAL_OP_PEER && op->text.len > 0) {
		struct shoal_resolve_for asker = { op->ticket, op->torrent, ASKED_BY_USER };
		return peer_named(e, op->text, &asker);
	}
	if ((op->kind == SHOAL_OP_DHT_BOOT || op->kind == SHOAL_OP_DHT_PING) && op->text.len > 0) {
		unsigned what = op->kind == SHOAL_OP_DHT_BOOT ? ASKED_FOR_BOOT : ASKED_FOR_PING;
		unsigned link = op->flags & SHOAL_PEER_FROM_LINK ? ASKED_FROM_LINK : 0;
		struct shoal_resolve_for asker = { op->ticket, 0, ASKED_BY_USER | what | link };
		return peer_named(e, op->text, &asker);
	}
	int rc = shoal_node_do(e->node, op, shoal_loop_now(e->loop));
	if (rc == 0 && op->kind == SHOAL_OP_ADD)
		add_remember(e, op);
	return rc;
}

static void on_mapped(void *to, unsigned what)
{
	struct native *e = to;
	struct shoal_portmap_said said;
	(void)what;
	if (shoal_portmap_reap(e->portmap, &said) == 0)
		return;
	struct shoal_event ev = { .kind = SHOAL_EV_PORTMAP,
				  .t = shoal_loop_now(e->loop),
				  .err = said.err,
				  .addr = said.outside,
				  .text = { (const uint8_t *)said.by, strlen(said.by) } };
	shoal_events_push(&e->events, &ev);
	if (said.err == 0)
		shoal_node_mapped(e->node, &said.outside);
}

/* Once, when a torrent is here that the world may know of. */
static void map_port(struct native *e)
{
	if (e->map_port == 0 || e->portmap != NULL || !shoal_node_public(e->node))
		return;
	int rc = shoal_portmap_new(&e->portmap, e->os, e->map_port);
	if (rc == 0)
		rc = watch(e, &e->portmap_watch, shoal_portmap_fd(e->portmap), SHOAL_LOOP_EDGE, on_mapped);
	e->map_port = rc < 0 ? 0 : e->map_port; /* without memory for it: without it */
}

/* The node cannot know who owns what it may not have. */
static void word_owned(struct native *e, struct shoal_event *ev)
{
	long pid = e->owned != NULL ? shoal_owned_disk_pid(e->owned) : 0;
	int n = pid > 0 ? snprintf(e->text, sizeof e->text, "another process (pid %ld) has this torrent open here", pid)
			: snprintf(e->text, sizeof e->text, "another process has this torrent open here");
	ev->text = (struct shoal_bytes){ (const uint8_t *)e->text, (size_t)n };
}

static int next_event(struct native *e, struct shoal_event *ev)
{
	if (shoal_events_poll(&e->events, ev) > 0)
		return 1;
	if (shoal_node_poll(e->node, ev) == 0)
		return 0;
	if (ev->err == SHOAL_ERR_OWNED && (ev->kind == SHOAL_EV_ADDED || ev->kind == SHOAL_EV_ERROR))
		word_owned(e, ev);
	if (ev->kind == SHOAL_EV_ADDED)
		add_answered(e, ev);
	if (ev->kind == SHOAL_EV_ADDED || ev->kind == SHOAL_EV_METADATA)
		map_port(e);
	if (ev->kind == SHOAL_EV_STOPPED)
		e->stopped = true;
	return 1;
}

static void tick(struct native *e, shoal_us now)
{
	struct stand stand[STANDS_MAX];
	unsigned stands = e->stands;
	memcpy(stand, e->stand, stands * sizeof *stand);
	e->dirty = false;
	e->wake_fresh = false;
	e->stands = 0; /* what is asked from inside is answered in the next */
	for (unsigned i = 0; i < stands; i++) {
		shoal_node_resolved(e->node, stand[i].cookie, &stand[i].addr, 1, 0, now);
	}
	shoal_node_tick(e->node, now);
	/* A deadline that has passed and was not set anew must not keep the loop from waiting. */
	if (!e->wake_fresh && e->wake_at <= now)
		e->wake_at = now + TICK_AGAIN;
}

/* One round of the loop, up to `until`, and all that follows from it. */
static int turn(struct native *e, shoal_us until)
{
	shoal_us tcp_at = shoal_tcp_deadline(e->tcp), http_at = shoal_http_deadline(e->http);
	until = e->wake_at < until ? e->wake_at : until;
	until = http_at < until ? http_at : until;
	if (e->netwatch != NULL && shoal_netwatch_deadline(e->netwatch) < until)
		until = shoal_netwatch_deadline(e->netwatch);
	if (e->stands > 0)
		until = 0;
	if (e->via != NULL && shoal_via_deadline(e->via) < until)
		until = shoal_via_deadline(e->via);
	int rc = shoal_loop_run(e->loop, tcp_at < until ? tcp_at : until);
	shoal_us now = shoal_loop_now(e->loop);
	shoal_tcp_tick(e->tcp, now);
	shoal_http_tick(e->http, now);
	if (e->via != NULL)
		shoal_via_tick(e->via, now);
	if (e->netwatch != NULL)
		shoal_netwatch_tick(e->netwatch, now);
	if (e->reap) {
		e->reap = false;
		shoal_node_reap(e->node, now);
	}
	tick(e, now);
	return rc;
}

static int native_poll(struct shoal_engine *engine, struct shoal_event *ev, int wait_ms)
{
	struct native *e = (struct native *)engine;
	if (next_event(e, ev) > 0)
		return 1;
	shoal_loop_refresh(e->loop);
	shoal_us until = wait_ms > 0 ? shoal_loop_now(e->loop) + SHOAL_MS((shoal_us)wait_ms) : 0;
	if (e->dirty) {
		tick(e, shoal_loop_now(e->loop));
		if (next_event(e, ev) > 0)
			return 1;
	}
	do {
		int rc = turn(e, until);
		if (next_event(e, ev) > 0)
			return 1;
		/* epoll itself fails for broken arguments alone: our fault, and nothing would ever come again. */
		assert(rc == 0);
	} while (!shoal_loop_woken(e->loop) && shoal_loop_now(e->loop) < until);
	return 0;
}

static void native_wake(struct shoal_engine *engine)
{
	struct native *e = (struct native *)engine;
	shoal_loop_wake(e->loop);
}

/* ---- closing -------------------------------------------------------------------------------- */

/* Everything lent to the disk and the store must be back before anything is freed. true: it is. */
static bool drain(struct native *e)
{
	struct shoal_op stop = { .kind = SHOAL_OP_STOP };
	struct shoal_event ev;
	shoal_us give_up = e->os->now() + SHOAL_ENGINE_CLOSE_MAX;
	shoal_loop_refresh(e->loop);
	if (!e->stopped && shoal_node_do(e->node, &stop, shoal_loop_now(e->loop)) < 0)
		e->stopped = true; /* it cannot be told: what is under way is all there is to wait for */
	tick(e, shoal_loop_now(e->loop));
	for (;;) {
		while (next_event(e, &ev) > 0)
			;
		if (e->stopped && shoal_node_idle(e->node))
			return true;
		if (e->os->now() >= give_up)
			return shoal_node_idle(e->node);
		if (turn(e, give_up) < 0)
			return false;
	}
}

/* Takes half-built ones too. */
static void native_free(struct native *e)
{
	shoal_node_free(e->node);
	shoal_http_free(e->http);
	shoal_via_free(e->via);
	shoal_tcp_free(e->tcp);
	shoal_local_free(e->local);
	shoal_udp_free(e->udp);
	shoal_netwatch_free(e->netwatch);
	shoal_watch_fini(&e->portmap_watch);
	shoal_portmap_free(e->portmap);
	shoal_watch_fini(&e->resolve_watch);
	shoal_watch_fini(&e->disk_watch);
	shoal_watch_fini(&e->store_watch);
	shoal_resolve_free(e->resolve);
	shoal_owned_disk_free(e->owned);
	shoal_disk_threads_free(e->disk);
	shoal_store_sqlite_close(e->store);
	shoal_own_key_fini(&e->own_key);
	shoal_slots_free(e->slots);
	shoal_loop_free(e->loop);
	shoal_events_fini(&e->events);
	while (e->adds != NULL) {
		struct add *add = e->adds;
		e->adds = add->next;
		add_free(e, add);
	}
	unblock_pipe(e);
	free(e);
}

static void native_close(struct shoal_engine *engine)
{
	struct native *e = (struct native *)engine;
	if (e == NULL)
		return;
	/* A disk that never answers still holds our memory: better lost than written to after it was freed. */
	if (!drain(e))
		return;
	native_free(e);
}

const struct shoal_engine_ops shoal_engine_native = {
	.name = "native",
	.open = native_open,
	.do_op = native_do,
	.poll = native_poll,
	.wake = native_wake,
	.close = native_close,
};
