/*
 * tools/net.h - the NET options of seed and get, and an engine opened by them.
 */
#ifndef SHOAL_TOOLS_NET_H
#define SHOAL_TOOLS_NET_H

#include "tools/options.h"

#include <shoal/engine.h>

struct shoal_tool;

struct shoal_net {
	struct shoal_opt_listen listen; /* count 0: the usual port, or any free one */
	struct shoal_opt_list peer;
	uint64_t up, down, memory;
	uint32_t max_peers, threads;
	struct shoal_opt_list dht_node;
	int encryption; /* off, allow, require */
	int show_key;	/* enum shoal_show_key */
	bool no_pex, no_lsd, no_dht, dht_read_only, no_utp, no_tcp;
	uint32_t dscp;
	bool no_trackers;
	const char *proxy; /* NULL: none */
	bool no_portmap;
	int engine;	    /* index into the choices of --engine */
	bool accept_old;    /* libtorrent */
	const char *state;  /* NULL: the default */
	const char *record; /* a file for the flight record; NULL: none */
};

#define SHOAL_NET_OPTIONS_MAX 28
void shoal_net_rows(struct shoal_net *net, struct shoal_opt *rows);
void shoal_net_fini(struct shoal_net *net);
/* Where the state lies when --state does not say: $XDG_STATE_HOME/shoal, else ~/.local/state/shoal. Heap; NULL: there is
 * no home. */
char *shoal_net_state_default(void);

/* Whether the DHT can be asked at all: not against the user's word, nor through an HTTP proxy, which has no datagrams. */
bool shoal_net_dht(const struct shoal_net *net);
/* Tells the engine where the DHT can be entered: what the user named, else the usual routers where there is a way to
 * them. How many were named. */
size_t shoal_net_enter_dht(struct shoal_tool *tool, const struct shoal_net *net, struct shoal_engine *engine);

/* The engine that was asked for. */
const struct shoal_engine_ops *shoal_net_engine(const struct shoal_net *net);
/* 0, or the exit code after saying why. */
SHOAL_MUST int shoal_net_open(struct shoal_tool *tool, const struct shoal_net *net, const struct shoal_engine_ops *ops,
			      struct shoal_engine **out);

/*
 * "addr:port" texts by which others may reach what is bound to `bound`: itself, or for a
 * wildcard every address of this host (loopback only when there is nothing else). Adds to
 * `list`; the texts are heap, freed by shoal_net_reach_fini().
 */
SHOAL_MUST int shoal_net_reach(const struct shoal_addr bound[], size_t count, struct shoal_opt_list *list);
void shoal_net_reach_fini(struct shoal_opt_list *list);

#endif
