/* engine_native.c - a node put into the real world: opened, run and closed. */
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
#include "swarm/core/carrier.h"
#include "swarm/io/addr.h"
#include "swarm/io/keys.h"
#include "swarm/io/native_room.h"

#define FDS_KEPT 24	       /* descriptors for all that is neither a file of a torrent nor a connection */
#define TICK_AGAIN SHOAL_MS(1) /* a deadline that a tick left in the past is not asked for again sooner */

/* ---- opening ------------------------------------------------------------------------------ */

/* sendfile(2) into a connection that is gone raises SIGPIPE, in this thread; nothing can ask it not to. */
static void block_pipe(struct shoal_native *e)
{
	sigset_t pipe, before;
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, &before);
	e->pipe_blocked = !sigismember(&before, SIGPIPE);
}

static void unblock_pipe(const struct shoal_native *e)
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
static void open_datagrams(struct shoal_native *e, const struct shoal_addr *at)
{
	char text[SHOAL_ADDR_TEXT_MAX], what[160];
	int os_err;
	if (e->via != NULL || shoal_udp_bind(e->udp, at, &os_err) == 0)
		return;
	snprintf(what, sizeof what, "cannot take UDP %s: %s", shoal_addr_text(at, text), strerror(os_err));
	shoal_native_warn(e, what);
}

static int open_listeners(struct shoal_native *e, const struct shoal_config *config, uint16_t *port, char what[160])
{
	for (size_t i = 0; i < config->listen_count; i++) {
		struct shoal_event ev = { .kind = SHOAL_EV_LISTENING, .t = shoal_loop_now(e->loop) };
		char text[SHOAL_ADDR_TEXT_MAX];
		int os_err, rc = config->no_tcp ? shoal_udp_bind(e->udp, &config->listen[i], &os_err)
						: shoal_tcp_listen(e->tcp, &config->listen[i], &ev.addr, &os_err);
		if (rc < 0) {
			snprintf(what, 160, "cannot listen on %s: %s", shoal_addr_text(&config->listen[i], text),
				 os_err != 0 ? strerror(os_err) : shoal_err_name(rc));
			return rc == SHOAL_ERR_DENIED ? SHOAL_ERR_NET : rc; /* a port that is root's: another will do */
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

static void on_reap(void *to, unsigned what)
{
	struct shoal_native *e = to;
	(void)what;
	e->reap = true;
}

static int watch(struct shoal_native *e, struct shoal_watch *w, int fd, unsigned how,
		 void (*ready)(void *to, unsigned what))
{
	shoal_watch_init(w, e->loop, fd, ready, e);
	return shoal_watch_set(w, SHOAL_LOOP_READ | how);
}

static int open_storage(struct shoal_native *e, const struct shoal_config *config, char what[160])
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
		shoal_native_warn(e, what);
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

static int open_node(struct shoal_native *e, const struct shoal_config *config, uint16_t port)
{
	uint64_t seed;
	shoal_native_world.secret(e, (struct shoal_space){ (uint8_t *)&seed, sizeof seed });
	struct shoal_node_options options = {
		.world = { &shoal_native_world, e },
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
static int open_via(struct shoal_native *e, const char *url, char *web, size_t room)
{
	struct shoal_proxy proxy;
	struct shoal_via_user user = shoal_native_via_user(e);
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

static void native_free(struct shoal_native *e);

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
	struct shoal_native *e = calloc(1, sizeof *e);
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
	struct shoal_http_user http = shoal_native_http_user(e);
	struct shoal_http_options web = { .agent = config->agent != NULL ? config->agent : "shoal/" SHOAL_VERSION };
	struct shoal_tcp_user user = shoal_native_tcp_user(e);
	struct shoal_udp_user udp_user = shoal_native_udp_user(e);
	step = "cannot make an event loop";
	if ((rc = shoal_events_reserve(&e->events)) < 0 || (rc = shoal_loop_new(&e->loop, os)) < 0 ||
	    (rc = shoal_tcp_new(&e->tcp, e->loop, os, &user)) < 0 ||
	    (rc = shoal_local_new(&e->local, e->loop, os, shoal_native_on_heard, e)) < 0)
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
	    (rc = watch(e, &e->resolve_watch, shoal_resolve_fd(e->resolve), SHOAL_LOOP_EDGE,
			shoal_native_on_resolved)) < 0)
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
	if (shoal_netwatch_new(&e->netwatch, e->loop, os, shoal_native_on_moved, e) < 0)
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
	struct shoal_native *e = (struct shoal_native *)engine;
	shoal_loop_refresh(e->loop);
	e->dirty = true;
	bool boot = op->kind == SHOAL_OP_DHT_BOOT, ping = op->kind == SHOAL_OP_DHT_PING;
	if ((op->kind == SHOAL_OP_PEER || boot || ping) && op->text.len > 0) {
		unsigned what = boot ? SHOAL_ASKED_FOR_BOOT : ping ? SHOAL_ASKED_FOR_PING : 0;
		unsigned link = op->flags & SHOAL_PEER_FROM_LINK ? SHOAL_ASKED_FROM_LINK : 0;
		struct shoal_resolve_for asker = { op->ticket, what != 0 ? 0 : op->torrent,
						   SHOAL_ASKED_BY_USER | what | link };
		return shoal_native_peer_named(e, op->text, &asker);
	}
	int rc = shoal_node_do(e->node, op, shoal_loop_now(e->loop));
	if (rc == 0 && op->kind == SHOAL_OP_ADD)
		shoal_native_add_remember(e, op);
	return rc;
}

static void on_mapped(void *to, unsigned what)
{
	struct shoal_native *e = to;
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
static void map_port(struct shoal_native *e)
{
	if (e->map_port == 0 || e->portmap != NULL || !shoal_node_public(e->node))
		return;
	int rc = shoal_portmap_new(&e->portmap, e->os, e->map_port);
	if (rc == 0)
		rc = watch(e, &e->portmap_watch, shoal_portmap_fd(e->portmap), SHOAL_LOOP_EDGE, on_mapped);
	e->map_port = rc < 0 ? 0 : e->map_port; /* without memory for it: without it */
}

/* The node cannot know who owns what it may not have. */
static void word_owned(struct shoal_native *e, struct shoal_event *ev)
{
	long pid = e->owned != NULL ? shoal_owned_disk_pid(e->owned) : 0;
	int n = pid > 0 ? snprintf(e->text, sizeof e->text,
				   "another process (pid %ld) has this torrent open here: stop it first", pid)
			: snprintf(e->text, sizeof e->text,
				   "another process has this torrent open here: stop it first");
	ev->text = (struct shoal_bytes){ (const uint8_t *)e->text, (size_t)n };
}

static int next_event(struct shoal_native *e, struct shoal_event *ev)
{
	if (shoal_events_poll(&e->events, ev) > 0)
		return 1;
	if (shoal_node_poll(e->node, ev) == 0)
		return 0;
	if (ev->err == SHOAL_ERR_OWNED && (ev->kind == SHOAL_EV_ADDED || ev->kind == SHOAL_EV_ERROR))
		word_owned(e, ev);
	if (ev->kind == SHOAL_EV_ADDED)
		shoal_native_add_answered(e, ev);
	if (ev->kind == SHOAL_EV_ADDED || ev->kind == SHOAL_EV_METADATA)
		map_port(e);
	if (ev->kind == SHOAL_EV_STOPPED)
		e->stopped = true;
	return 1;
}

static void tick(struct shoal_native *e, shoal_us now)
{
	struct shoal_native_stand stand[SHOAL_NATIVE_STANDS];
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
static int turn(struct shoal_native *e, shoal_us until)
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
	struct shoal_native *e = (struct shoal_native *)engine;
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
	struct shoal_native *e = (struct shoal_native *)engine;
	shoal_loop_wake(e->loop);
}

/* ---- closing -------------------------------------------------------------------------------- */

/* Everything lent to the disk and the store must be back before anything is freed. true: it is. */
static bool drain(struct shoal_native *e)
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
static void native_free(struct shoal_native *e)
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
	shoal_native_adds_free(e);
	unblock_pipe(e);
	free(e);
}

static void native_close(struct shoal_engine *engine)
{
	struct shoal_native *e = (struct shoal_native *)engine;
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
