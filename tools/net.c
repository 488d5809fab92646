/* tools/net.c - where we listen, what we remember, how others may reach us. */
#include "tools/net.h"

#include "proto/base/bytes.h"
#include "proto/magnet.h"
#include "proto/proxy.h"
#include "swarm/io/addr.h"
#include "swarm/io/engine_native.h"
#include "swarm/io/reachable.h"
#include "swarm/libtorrent/engine_libtorrent.h"
#include "tools/say.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PORT_USUAL 6881u
#define PORTS_TRIED 9u /* 6881 to 6889, as everybody has it; then whatever is free */

void shoal_net_rows(struct shoal_net *net, struct shoal_opt *rows)
{
	/* clang-format off */
	const struct shoal_opt all[SHOAL_NET_OPTIONS_MAX] = {
		{ SHOAL_OPT_HEADING, .help = "network:" },
		{ SHOAL_OPT_LISTEN, "listen", 0, &net->listen, "ADDR:PORT", NULL, "default: everywhere, port 6881 or a free one" },
		{ SHOAL_OPT_PEER, "peer", 'p', &net->peer, "HOST:PORT", NULL, "somebody to connect to; more than once" },
		{ SHOAL_OPT_RATE, "up", 0, &net->up, "RATE", NULL, "send no faster, e.g. 2M (bytes a second)" },
		{ SHOAL_OPT_RATE, "down", 0, &net->down, "RATE", NULL, "receive no faster" },
		{ SHOAL_OPT_COUNT, "max-peers", 0, &net->max_peers, "N", NULL, "connections in all; default: 500" },
		{ SHOAL_OPT_DSCP, "dscp", 0, &net->dscp, "CLASS|N", NULL, "mark what is sent to peers; default: LE, after all else" },
		{ SHOAL_OPT_SIZE, "memory", 0, &net->memory, "SIZE", NULL, "for all that grows with data and peers; default: 128M" },
		{ SHOAL_OPT_TEXT, "state", 0, &net->state, "DIR", NULL, "what is remembered; default: ~/.local/state/shoal" },
		{ SHOAL_OPT_CHOICE, "encryption", 0, &net->encryption, "off|allow|require", NULL, "of peers' streams (MSE); default: allow" },
		{ SHOAL_OPT_CHOICE, "show-key", 0, &net->show_key, "auto|off|on", NULL, "the key peers can know us by; auto: those named, and near" },
		{ SHOAL_OPT_TEXT, "proxy", 0, &net->proxy, "URL", NULL, "all goes through it: socks5://[USER:PASS@]HOST:PORT or http://" },
		{ SHOAL_OPT_FLAG, "no-dht", 0, &net->no_dht, NULL, NULL, "take no part in the DHT; through a proxy it is only asked" },
		{ SHOAL_OPT_PEER, "dht-node", 0, &net->dht_node, "HOST:PORT", NULL, "begin there, not at public routers; more than once" },
		{ SHOAL_OPT_CHOICE, "engine", 0, &net->engine, "native|libtorrent", NULL, "default: native" },
		{ SHOAL_OPT_FLAG, "accept-old-libtorrent", 0, &net->accept_old, NULL, NULL, "let strangers at a libtorrent with known holes" },
		{ SHOAL_OPT_FLAG, "no-lsd", 0, &net->no_lsd, NULL, NULL, "neither ask nor tell the local network" },
		{ SHOAL_OPT_FLAG, "no-pex", 0, &net->no_pex, NULL, NULL, "neither ask nor tell peers of others" },
		{ SHOAL_OPT_FLAG, "no-trackers", 0, &net->no_trackers, NULL, NULL, "ask no tracker that the torrent or link names" },
		{ SHOAL_OPT_FLAG, "no-portmap", 0, &net->no_portmap, NULL, NULL, "do not ask the router to let others in" },
		{ SHOAL_OPT_FLAG, "no-utp", 0, &net->no_utp, NULL, NULL, "peers by TCP alone" },
		{ SHOAL_OPT_FLAG, "no-tcp", 0, &net->no_tcp, NULL, NULL, "peers by uTP alone" },
		{ .kind = SHOAL_OPT_END },
	};
	/* clang-format on */
	/* Lower Effort (RFC 8622): a transfer that may take what others leave, as most of the field marks it. */
	net->dscp = 1;
	net->encryption = 1;
	memcpy(rows, all, sizeof all);
}

void shoal_net_fini(struct shoal_net *net)
{
	shoal_opt_list_fini(&net->peer);
	shoal_opt_list_fini(&net->dht_node);
}

/* ---- state --------------------------------------------------------------------------- */
char *shoal_net_state_default(void)
{
	const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	char *out = NULL;
	int n = -1;
	/* The XDG rules: a relative path is to be ignored. */
	if (xdg && xdg[0] == '/')
		n = asprintf(&out, "%s/shoal", xdg);
	else if (home && home[0] == '/')
		n = asprintf(&out, "%s/.local/state/shoal", home);
	return n < 0 ? NULL : out;
}

/* mkdir -p, for us alone: keys and what we fetch are nobody else's business. -1 and errno. */
static int make_folders(const char *path)
{
	char *copy = strdup(path);
	int rc = copy ? 0 : -1;
	for (char *slash = copy ? strchr(copy + 1, '/') : NULL; rc == 0 && slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0700) < 0 && errno != EEXIST)
			rc = -1;
		*slash = '/';
	}
	if (rc == 0 && mkdir(copy, 0700) < 0 && errno != EEXIST)
		rc = -1;
	int os = errno;
	free(copy);
	errno = os;
	return rc;
}

/* ---- opening ------------------------------------------------------------------------- */
static int open_failed(struct shoal_tool *tool, int rc, const char *what)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	if (what[0] == '\0')
		what = shoal_err_name(rc);
	shoal_say_cstr(what, shown);
	if (rc == SHOAL_ERR_NET)
		return shoal_say_fail(tool, rc, "%s; choose another --listen", shown);
	return shoal_say_fail_as(tool, SHOAL_EXIT_STORAGE, rc, "%s", shown);
}

/* Both families on one port: the usual ones, then a free one, then without IPv6. */
static int open_anywhere(const struct shoal_engine_ops *ops, struct shoal_config *config, struct shoal_engine **out,
			 char what[160])
{
	int rc = SHOAL_ERR_NET;
	for (int families = 2; rc == SHOAL_ERR_NET && families > 0; families--) {
		for (uint32_t i = 0; rc == SHOAL_ERR_NET && i <= PORTS_TRIED; i++) {
			uint16_t port = (uint16_t)(i < PORTS_TRIED ? PORT_USUAL + i : 0);
			config->listen[0] = (struct shoal_addr){ .port = port, .is_v4 = 1 };
			config->listen[1] = (struct shoal_addr){ .port = port };
			config->listen_count = (size_t)families;
			rc = ops->open(out, config, what);
		}
	}
	return rc;
}

const struct shoal_engine_ops *shoal_net_engine(const struct shoal_net *net)
{
	return net->engine == 1 ? &shoal_engine_libtorrent : &shoal_engine_native;
}

int shoal_net_open(struct shoal_tool *tool, const struct shoal_net *net, const struct shoal_engine_ops *ops,
		   struct shoal_engine **out)
{
	static const enum shoal_encryption encryption[] = { SHOAL_ENCRYPTION_OFF, SHOAL_ENCRYPTION_ALLOW,
							    SHOAL_ENCRYPTION_REQUIRE };
	struct shoal_config config = { .size = sizeof config,
				       .memory = net->memory,
				       .up = net->up,
				       .down = net->down,
				       .max_peers = net->max_peers,
				       .no_pex = net->no_pex,
				       .no_lsd = net->no_lsd,
				       .no_utp = net->no_utp,
				       .no_tcp = net->no_tcp,
				       .no_dht = net->no_dht,
				       .dht_read_only = net->dht_read_only,
				       .accept_old = net->accept_old,
				       .dscp = net->dscp,
				       .encryption = encryption[net->encryption],
				       .show_key = (enum shoal_show_key)net->show_key,
				       .proxy = net->proxy,
				       .portmap = !net->no_portmap,
				       .threads = net->threads,
				       .record = net->record != NULL };
	char what[160] = "", shown[SHOAL_SAY_TEXT_MAX];
	char *named = net->state ? NULL : shoal_net_state_default();
	const char *state = net->state ? net->state : named;
	int rc;
	if ((net->no_utp || net->proxy) && net->no_tcp) { /* no proxy carries uTP */
		free(named);
		return shoal_say_fail(tool, SHOAL_ERR_USAGE, "--no-utp and --no-tcp leave nothing to reach a peer by");
	}
	if (ops == &shoal_engine_native && net->memory > 0 && net->memory < SHOAL_ENGINE_MEMORY_MIN) {
		free(named);
		return shoal_say_fail(tool, SHOAL_ERR_USAGE, "--memory: less than %uM will not do",
				      SHOAL_ENGINE_MEMORY_MIN >> 20);
	}
	if (net->record && ops == &shoal_engine_libtorrent) {
		free(named);
		return shoal_say_fail(tool, SHOAL_ERR_USAGE, "--record: libtorrent does not say what it decides");
	}
	struct shoal_proxy proxy;
	if (net->proxy && shoal_proxy_parse(net->proxy, &proxy) < 0) {
		free(named);
		return shoal_say_fail(tool, SHOAL_ERR_USAGE,
				      "--proxy wants socks5:// or http://, [USER:PASS@]HOST:PORT");
	}
	if (state && make_folders(state) < 0) {
		int os = errno;
		shoal_say_cstr(state, shown);
		if (net->state)
			return shoal_say_fail_as(tool, SHOAL_EXIT_STORAGE, SHOAL_ERR_IO, "--state %s: %s", shown,
						 strerror(os));
		shoal_say_warn(tool, NULL, "%s: %s; nothing will be remembered (--state DIR names another place)",
			       shown, strerror(os));
		state = NULL;
	} else if (state == NULL) {
		shoal_say_warn(tool, NULL, "no home folder: nothing will be remembered (--state DIR names a place)");
	}
	config.state_dir = state;
	if (net->listen.count) {
		memcpy(config.listen, net->listen.addr, net->listen.count * sizeof *config.listen);
		config.listen_count = net->listen.count;
		rc = ops->open(out, &config, what);
	} else if (net->proxy) { /* nobody is to see us here unless that is asked for */
		rc = ops->open(out, &config, what);
	} else {
		rc = open_anywhere(ops, &config, out, what);
	}
	free(named);
	return rc < 0 ? open_failed(tool, rc, what) : 0;
}

/* ---- the DHT --------------------------------------------------------------------------- */
/* Run by others for everybody; asked when nobody else is known. */
static const char *const routers[] = { "dht.libtorrent.org:25401", "router.bittorrent.com:6881",
				       "dht.transmissionbt.com:6881" };

static size_t enter_at(struct shoal_tool *tool, struct shoal_engine *engine, const char *node, unsigned flags)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	struct shoal_op op = { .kind = SHOAL_OP_DHT_BOOT, .flags = flags, .text = shoal_bytes(node, strlen(node)) };
	int rc = engine->ops->do_op(engine, &op);
	if (rc < 0)
		shoal_say_warn(tool, NULL, "DHT node %s: %s", shoal_say_cstr(node, shown), shoal_err_name(rc));
	return rc == 0;
}

bool shoal_net_dht(const struct shoal_net *net)
{
	struct shoal_proxy proxy;
	return !net->no_dht &&
	       (net->proxy == NULL || (shoal_proxy_parse(net->proxy, &proxy) == 0 && proxy.kind == SHOAL_PROXY_SOCKS5));
}

size_t shoal_net_enter_dht(struct shoal_tool *tool, const struct shoal_net *net, struct shoal_engine *engine)
{
	size_t named = 0;
	if (!shoal_net_dht(net))
		return 0;
	for (size_t i = 0; i < net->dht_node.count; i++)
		named += enter_at(tool, engine, net->dht_node.at[i], 0);
	for (size_t i = 0; net->dht_node.count == 0 && i < sizeof routers / sizeof *routers &&
			   (net->proxy != NULL || shoal_reachable_out());
	     i++)
		named += enter_at(tool, engine, routers[i], SHOAL_PEER_FROM_LINK);
	return named;
}

/* ---- being reached -------------------------------------------------------------------- */
static int reach_add(struct shoal_opt_list *list, const struct shoal_addr *addr)
{
	char text[SHOAL_ADDR_TEXT_MAX];
	if (list->count >= SHOAL_MAGNET_LIST_MAX)
		return 0;
	char *copy = strdup(shoal_addr_text(addr, text));
	if (copy == NULL)
		return SHOAL_ERR_NOMEM;
	int rc = shoal_opt_list_add(list, copy);
	if (rc < 0)
		free(copy);
	return rc;
}

static bool link_local(const struct shoal_addr *a)
{
	return a->is_v4 ? a->ip[0] == 169 && a->ip[1] == 254 : a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80;
}

/* Every address of this host in the family of `any`; `loopback` ones or the others. */
static int reach_host(const struct ifaddrs *all, const struct shoal_addr *any, bool loopback,
		      struct shoal_opt_list *list)
{
	int rc = 0;
	for (const struct ifaddrs *i = all; rc == 0 && i; i = i->ifa_next) {
		struct shoal_addr a;
		if (i->ifa_addr == NULL || !(i->ifa_flags & IFF_UP))
			continue;
		socklen_t len = i->ifa_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in)
								  : sizeof(struct sockaddr_in6);
		if (!shoal_addr_from_sys(i->ifa_addr, len, &a) || a.is_v4 != any->is_v4 || link_local(&a))
			continue;
		if (shoal_addr_is_loopback(&a) != loopback)
			continue;
		a.port = any->port;
		rc = reach_add(list, &a);
	}
	return rc;
}

int shoal_net_reach(const struct shoal_addr bound[], size_t count, struct shoal_opt_list *list)
{
	struct ifaddrs *all = NULL;
	int rc = 0;
	if (getifaddrs(&all) < 0)
		all = NULL; /* then wildcards reach nothing we could name */
	for (size_t i = 0; rc == 0 && i < count; i++) {
		if (shoal_addr_is_any(&bound[i]))
			rc = reach_host(all, &bound[i], false, list);
		else
			rc = reach_add(list, &bound[i]);
	}
	for (size_t i = 0; rc == 0 && list->count == 0 && i < count; i++)
		rc = reach_host(all, &bound[i], true, list);
	freeifaddrs(all);
	return rc;
}

void shoal_net_reach_fini(struct shoal_opt_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free((void *)(uintptr_t)list->at[i]);
	shoal_opt_list_fini(list);
}
