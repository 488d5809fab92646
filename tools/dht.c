/* tools/dht.c - shoal dht: the DHT by hand. */
#include "tools/dht_hand.h"

#include "dht/items.h"
#include "proto/base/bytes.h"
#include "proto/bencode.h"
#include "proto/compact.h"
#include "proto/text.h"
#include "swarm/io/addr.h"
#include "tools/commands.h"
#include "tools/human.h"
#include "tools/say.h"
#include "tools/signals.h"
#include "tools/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AGAIN_US SHOAL_S(3600) /* a name is put again (BEP 44: once an hour) */
#define LOOK_US SHOAL_S(60)    /* and looked for */

static const struct shoal_opt_page page = {
	"COMMAND [ARGUMENT] [OPTIONS]",
	"Asks the Mainline DHT, and tells it things:\n"
	"  ping HOST:PORT         is a node there, and who is it?\n"
	"  get-peers TORRENT      who has this torrent? (a file, a link or an info hash)\n"
	"  scrape TORRENT         how many have it, about (BEP 33)\n"
	"  get TARGET             the value with this hash (40 hex digits), or with --key the one signed by it\n"
	"  put TEXT               keeps a value for two hours; with --key-file signed, so that it can be changed\n"
	"  publish TORRENT        a name for a torrent, which can be moved to the next one (BEP 46): once more with\n"
	"                         the same --key-file. Kept for two hours, and while anybody follows it, or --stay\n"
	"  watch NAME             tells each torrent that a name comes to stand for\n"
	"  node                   takes part, until it is stopped\n"
	"Begins at the nodes of the last time, those of --dht-node, or else public routers.",
	"  shoal dht get-peers holiday.torrent\n"
	"  shoal dht publish holiday.torrent --key-file name.key --stay\n"
	"  shoal get 'magnet:?xs=urn:btpk:...'\n"
	"  shoal dht node --listen 0.0.0.0:6881 --dht-node 192.0.2.7:6881",
};

int shoal_dht_failed(struct shoal_dht_hand *d, int rc)
{
	if (rc == SHOAL_ERR_CLOSED)
		return SHOAL_EXIT_INTERRUPTED;
	char silent[SHOAL_DHT_SILENT_MAX];
	if (rc == SHOAL_ERR_TIMEOUT)
		return shoal_say_fail_as(d->tool, SHOAL_EXIT_NET, rc, "%s", shoal_dht_session_silent(&d->s, silent));
	return shoal_say_fail_as(d->tool, rc == SHOAL_ERR_REFUSED ? SHOAL_EXIT_REFUSED : SHOAL_EXIT_NET, rc, "%s",
				 shoal_err_name(rc));
}

/* ---- what is asked for ------------------------------------------------------------------ */

int shoal_dht_hash_of(struct shoal_dht_hand *d, struct shoal_id20 *out)
{
	struct shoal_source src = { 0 };
	const struct shoal_id20 *v1 = NULL;
	const struct shoal_id32 *v2 = NULL;
	int code = shoal_source_open(d->tool, &src, d->arg, true);
	if (code == 0 && src.is_magnet) {
		v1 = src.magnet->has_v1 ? &src.magnet->v1 : NULL;
		v2 = src.magnet->has_v2 ? &src.magnet->v2 : NULL;
	} else if (code == 0) {
		if (shoal_metainfo_private(src.mi))
			code = shoal_say_fail_as(d->tool, SHOAL_EXIT_REFUSED, SHOAL_ERR_REFUSED,
						 "the torrent is private: it is no business of the DHT (BEP 27)");
		v1 = shoal_metainfo_hash_v1(src.mi);
		v2 = shoal_metainfo_hash_v2(src.mi);
	}
	if (code == 0 && v1 == NULL && v2 == NULL)
		code = shoal_say_fail(d->tool, SHOAL_ERR_USAGE, "the link names no torrent");
	if (code == 0)
		memcpy(out->b, v1 != NULL ? v1->b : v2->b, sizeof out->b);
	shoal_source_fini(&src);
	return code;
}

/* "dict of NN bytes" is no way to show a value: strings as text, all else as it is bencoded, both made safe. */
static void show_value(struct shoal_dht_hand *d, struct shoal_bytes v)
{
	struct shoal_ben b = shoal_ben(v, SHOAL_BEN_DEPTH_SMALL);
	struct shoal_ben_value value;
	char shown[SHOAL_SAY_TEXT_MAX];
	if (shoal_ben_next(&b, &value) == 1 && value.kind == SHOAL_BEN_STR)
		v = value.str;
	shoal_say(d->tool, "%s", shoal_say_text(v, shown));
}

/* A name (BEP 46) as what it stands for. */
static void show_item(struct shoal_dht_hand *d, const struct shoal_event *ev)
{
	struct shoal_dht_value value = { .found = false };
	struct shoal_id20 hash;
	char hex[41];
	shoal_dht_value_take(&value, ev);
	if (value.found && shoal_dht_value_torrent(&value, &hash))
		shoal_say(d->tool, "the torrent %s, number %lld", shoal_say_hex(hash.b, 20, hex), (long long)value.seq);
	else
		show_value(d, ev->data);
}

void shoal_dht_tell_done(struct shoal_dht_hand *d, const struct shoal_event *ev)
{
	struct shoal_json *j = shoal_say_event(d->tool, "done", ev->t);
	shoal_json_int(j, "code", ev->err);
	shoal_json_u64(j, "found", d->count);
	shoal_json_u64(j, "queries", ev->dht.queries);
	shoal_json_u64(j, "answers", ev->dht.answers);
	shoal_json_u64(j, "hops", ev->dht.hops);
	shoal_json_u64(j, "written", ev->dht.written);
	shoal_json_u64(j, "copies", ev->dht.copies);
	shoal_json_us(j, "seconds", ev->dht.took);
	shoal_say_event_end(d->tool);
}

static void on_node(struct shoal_dht_hand *d, const struct shoal_event *ev)
{
	char addr[SHOAL_ADDR_TEXT], id[41], client[SHOAL_HUMAN_MAX];
	shoal_addr_format(&ev->addr, addr);
	shoal_say_hex(ev->hash_v1.b, 20, id);
	if (d->tool->json) {
		struct shoal_json *j = shoal_say_event(d->tool, "node", ev->t);
		shoal_json_text(j, "addr", addr);
		shoal_json_text(j, "id", id);
		if (ev->data.len == 4)
			shoal_json_hex(j, "version", ev->data.at, 4);
		shoal_json_us(j, "seconds", ev->dht.took);
		shoal_say_event_end(d->tool);
		return;
	}
	shoal_say(d->tool, "%s  %s  %.1f ms  %s", addr, id, (double)ev->dht.took / 1000,
		  shoal_human_client(ev->data, client));
}

static void on_event(void *to, const struct shoal_event *ev)
{
	struct shoal_dht_hand *d = to;
	char addr[SHOAL_ADDR_TEXT];
	switch (ev->kind) {
	case SHOAL_EV_DHT_PEER:
		d->count++;
		shoal_addr_format(&ev->addr, addr);
		if (d->tool->json) {
			shoal_json_text(shoal_say_event(d->tool, "peer", ev->t), "addr", addr);
			shoal_say_event_end(d->tool);
		} else {
			shoal_say(d->tool, "%s", addr);
		}
		break;
	case SHOAL_EV_DHT_ITEM:
		d->count++;
		if (d->tool->json) {
			struct shoal_json *j = shoal_say_event(d->tool, "item", ev->t);
			shoal_json_str(j, "value", ev->data);
			if (ev->name.len > 0) {
				shoal_json_hex(j, "key", ev->name.at, 32);
				shoal_json_int(j, "seq", ev->dht.seq);
			}
			shoal_say_event_end(d->tool);
		} else {
			show_item(d, ev);
		}
		break;
	case SHOAL_EV_DHT_DONE:
		if (d->tool->json)
			shoal_dht_tell_done(d, ev);
		break;
	default: break;
	}
}

/* ---- the commands ------------------------------------------------------------------------- */

static void on_pong(void *to, const struct shoal_event *ev)
{
	if (ev->kind == SHOAL_EV_DHT_NODE)
		on_node(to, ev);
}

static int do_ping(struct shoal_dht_hand *d)
{
	struct shoal_op op = { .kind = SHOAL_OP_DHT_PING, .text = shoal_bytes(d->arg, strlen(d->arg)) };
	char shown[SHOAL_SAY_TEXT_MAX];
	int rc = shoal_dht_session_ask(&d->s, &op, on_pong, d);
	shoal_say_cstr(d->arg, shown);
	switch (rc) {
	case SHOAL_ERR_TIMEOUT: return shoal_say_fail_as(d->tool, SHOAL_EXIT_NET, rc, "%s does not answer", shown);
	case SHOAL_ERR_GONE: return shoal_say_fail_as(d->tool, SHOAL_EXIT_NET, rc, "%s: there is no such host", shown);
	case SHOAL_ERR_NET:
		return shoal_say_fail_as(d->tool, SHOAL_EXIT_NET, rc,
					 "%s: the host's name cannot be looked up; is this host connected?", shown);
	default: return rc < 0 ? shoal_dht_failed(d, rc) : 0;
	}
}

static int do_get_peers(struct shoal_dht_hand *d)
{
	struct shoal_id20 hash;
	int code = shoal_dht_hash_of(d, &hash);
	if (code)
		return code;
	struct shoal_op op = { .kind = SHOAL_OP_DHT_PEERS,
			       .data = shoal_bytes(hash.b, 20),
			       .flags = d->announce ? SHOAL_DHT_ANNOUNCE : 0 };
	int rc = shoal_dht_session_ask(&d->s, &op, on_event, d);
	if (rc < 0)
		return shoal_dht_failed(d, rc);
	return d->count > 0 || d->announce ? 0 : SHOAL_EXIT_DATA;
}

static void on_scrape(void *to, const struct shoal_event *ev)
{
	struct shoal_dht_hand *d = to;
	if (ev->kind != SHOAL_EV_DHT_DONE)
		return;
	unsigned long long seeds = (ev->dht.seeds_milli + 500) / 1000, peers = (ev->dht.peers_milli + 500) / 1000;
	d->count = seeds + peers > 0;
	if (d->tool->json) {
		struct shoal_json *j = shoal_say_event(d->tool, "scrape", ev->t);
		shoal_json_u64(j, "seeds", seeds);
		shoal_json_u64(j, "leeches", peers);
		shoal_say_event_end(d->tool);
	} else if (ev->err == 0) {
		char have[SHOAL_HUMAN_MAX * 2], want[SHOAL_HUMAN_MAX * 2];
		shoal_say(d->tool, "about %s and %s", shoal_human_count(seeds, "seed", "seeds", have),
			  shoal_human_count(peers, "leech", "leeches", want));
	}
}

static int do_scrape(struct shoal_dht_hand *d)
{
	struct shoal_id20 hash;
	int code = shoal_dht_hash_of(d, &hash);
	if (code)
		return code;
	struct shoal_op op = { .kind = SHOAL_OP_DHT_PEERS, .data = shoal_bytes(hash.b, 20), .flags = SHOAL_DHT_SCRAPE };
	int rc = shoal_dht_session_ask(&d->s, &op, on_scrape, d);
	return rc < 0 ? shoal_dht_failed(d, rc) : 0;
}

static int do_get(struct shoal_dht_hand *d)
{
	if (d->key != NULL)
		shoal_item_target_of(d->public, d->salt_bytes, &d->target);
	else if (d->arg == NULL ||
		 shoal_hex_decode(shoal_bytes(d->arg, strlen(d->arg)), (struct shoal_space){ d->target.b, 20 }) < 0)
		return shoal_say_fail(d->tool, SHOAL_ERR_USAGE,
				      "a TARGET has 40 hex digits; --key names a signed value");
	struct shoal_op op = { .kind = SHOAL_OP_DHT_GET, .data = shoal_bytes(d->target.b, 20), .text = d->salt_bytes };
	int rc = shoal_dht_session_ask(&d->s, &op, on_event, d);
	if (rc < 0)
		return shoal_dht_failed(d, rc);
	if (d->count == 0)
		return shoal_say_fail_as(d->tool, SHOAL_EXIT_DATA, SHOAL_ERR_GONE, "nobody has it");
	return 0;
}

/* A link or a bare key. */
static int name_of(struct shoal_dht_hand *d, struct shoal_magnet *m)
{
	char why[160];
	*m = (struct shoal_magnet){ .has_key = true };
	if (shoal_hex_decode(shoal_bytes(d->arg, strlen(d->arg)), (struct shoal_space){ m->key, 32 }) == 0) {
		m->salt_len = d->salt_bytes.len;
		if (m->salt_len > 0)
			memcpy(m->salt, d->salt_bytes.at, m->salt_len);
		return 0;
	}
	int rc = shoal_magnet_parse(m, shoal_bytes(d->arg, strlen(d->arg)), why);
	if (rc < 0)
		return shoal_say_fail(d->tool, rc, "%s", why);
	bool has = m->has_key;
	if (!has) {
		shoal_magnet_fini(m);
		return shoal_say_fail(d->tool, SHOAL_ERR_USAGE,
				      "a NAME is a link with xs=urn:btpk:, or a key of 64 hex digits");
	}
	return 0;
}

static int do_watch(struct shoal_dht_hand *d)
{
	struct shoal_magnet m;
	int64_t seq = -1;
	bool warned = false;
	int code = name_of(d, &m);
	if (code)
		return code;
	struct shoal_bytes salt = shoal_bytes(m.salt, m.salt_len);
	do {
		struct shoal_dht_value value;
		struct shoal_id20 hash;
		char hex[41], silent[SHOAL_DHT_SILENT_MAX];
		int rc = shoal_dht_session_get(&d->s, m.key, salt, &value);
		if (!warned && seq < 0 && rc != SHOAL_ERR_CLOSED && !value.found) {
			warned = true; /* it may come yet, and then that is told */
			shoal_say_warn(d->tool, NULL, "%s",
				       rc < 0 ? shoal_dht_session_silent(&d->s, silent)
					      : "nothing is published under this name yet");
		}
		if (rc < 0 || !value.found || value.seq <= seq)
			continue;
		seq = value.seq;
		if (!shoal_dht_value_torrent(&value, &hash))
			continue;
		shoal_say_hex(hash.b, 20, hex);
		if (d->tool->json) {
			struct shoal_json *j = shoal_say_event(d->tool, "named", 0);
			shoal_json_text(j, "infohash", hex);
			shoal_json_int(j, "seq", seq);
			shoal_say_event_end(d->tool);
		} else {
			shoal_say(d->tool, "%s  number %lld", hex, (long long)seq);
		}
		if (shoal_dht_session_keep(&d->s, salt, &value) < 0)
			shoal_say_log(d->tool, SHOAL_LOG_INFO, "the name could not be renewed");
	} while (shoal_dht_session_wait(&d->s, shoal_signals_now() + d->every));
	shoal_magnet_fini(&m);
	return 0;
}

static void on_stats(void *to, const struct shoal_event *ev)
{
	struct shoal_dht_hand *d = to;
	char id[41], addr[SHOAL_ADDR_TEXT];
	if (ev->kind != SHOAL_EV_DHT_STATS)
		return;
	shoal_say_hex(ev->hash_v1.b, 20, id);
	shoal_addr_format(&ev->addr, addr);
	if (d->tool->json) {
		struct shoal_json *j = shoal_say_event(d->tool, "dht", ev->t);
		shoal_json_int(j, "family", ev->index);
		shoal_json_text(j, "id", id);
		shoal_json_u64(j, "nodes", ev->dht.nodes);
		shoal_json_u64(j, "swarms", ev->dht.swarms);
		shoal_json_u64(j, "peers", ev->dht.peers);
		shoal_json_u64(j, "items", ev->dht.items);
		shoal_json_u64(j, "bytes_in", ev->dht.in);
		shoal_json_u64(j, "bytes_out", ev->dht.out);
		shoal_say_event_end(d->tool);
	} else if (ev->dht.nodes > 0 || ev->index == 4) {
		char n[4][SHOAL_HUMAN_MAX * 2];
		shoal_say(d->tool, "IPv%u: id %s, %s known; kept for others: %s of %s, %s", ev->index, id,
			  shoal_human_count(ev->dht.nodes, "node", "nodes", n[0]),
			  shoal_human_count(ev->dht.peers, "peer", "peers", n[1]),
			  shoal_human_count(ev->dht.swarms, "torrent", "torrents", n[2]),
			  shoal_human_count(ev->dht.items, "item", "items", n[3]));
	}
}

static int do_node(struct shoal_dht_hand *d)
{
	do {
		struct shoal_op op = { .kind = SHOAL_OP_DHT_STATS };
		int rc = shoal_dht_session_ask(&d->s, &op, on_stats, d);
		if (rc < 0 && rc != SHOAL_ERR_CLOSED)
			return shoal_dht_failed(d, rc);
	} while (shoal_dht_session_wait(&d->s, shoal_signals_now() + d->every));
	return 0;
}

static const struct verb {
	const char *name;
	int (*run)(struct shoal_dht_hand *d);
	const char *argument; /* that it needs; NULL: none */
	bool reads;	      /* it asks little and goes: others need not know us (BEP 43) */
	shoal_us every;
} verbs[] = {
	{ "ping", do_ping, "HOST:PORT", true, 0 },
	{ "get-peers", do_get_peers, "TORRENT", true, 0 },
	{ "scrape", do_scrape, "TORRENT", false, 0 }, /* what is large is told to those alone who answer a ping */
	{ "get", do_get, NULL, false, 0 },
	{ "put", shoal_dht_put, "TEXT", false, 0 },
	{ "publish", shoal_dht_publish, "TORRENT", false, AGAIN_US },
	{ "watch", do_watch, "NAME", false, LOOK_US },
	{ "node", do_node, NULL, false, LOOK_US },
};

static bool names_a_port(const char *text)
{
	char host[SHOAL_HOST_MAX];
	uint16_t port;
	return shoal_addr_split(shoal_bytes(text, strlen(text)), host, &port) == 0;
}

static int run(struct shoal_dht_hand *d, struct shoal_net *net, const struct shoal_opt_list *args)
{
	const struct verb *v = NULL;
	char shown[SHOAL_SAY_TEXT_MAX];
	for (size_t i = 0; args->count > 0 && i < sizeof verbs / sizeof *verbs; i++)
		if (strcmp(args->at[0], verbs[i].name) == 0)
			v = &verbs[i];
	if (v == NULL)
		return shoal_say_fail(d->tool, SHOAL_ERR_USAGE, "%s%s; see shoal dht --help",
				      args->count ? "unknown command " : "a command is needed",
				      args->count ? shoal_say_cstr(args->at[0], shown) : "");
	d->arg = args->count > 1 ? args->at[1] : NULL;
	if (v->argument != NULL && d->arg == NULL)
		return shoal_say_fail(d->tool, SHOAL_ERR_USAGE, "%s needs a %s; see shoal dht --help", v->name,
				      v->argument);
	if (v->run == do_ping && !names_a_port(d->arg))
		return shoal_say_fail(d->tool, SHOAL_ERR_USAGE, "ping needs a HOST:PORT, and %s is none",
				      shoal_say_cstr(d->arg, shown));
	if (args->count > 2)
		return shoal_say_fail(d->tool, SHOAL_ERR_USAGE, "%s takes one argument, not also %s", v->name,
				      shoal_say_cstr(args->at[2], shown));
	d->every = d->every != 0 ? d->every : v->every;
	d->salt_bytes = shoal_bytes(d->salt, d->salt ? strlen(d->salt) : 0);
	if (d->salt_bytes.len > SHOAL_KRPC_SALT_MAX)
		return shoal_say_fail(d->tool, SHOAL_ERR_USAGE, "a salt has at most %u bytes", SHOAL_KRPC_SALT_MAX);
	if (d->key != NULL &&
	    shoal_hex_decode(shoal_bytes(d->key, strlen(d->key)), (struct shoal_space){ d->public, 32 }) < 0)
		return shoal_say_fail(d->tool, SHOAL_ERR_USAGE, "--key takes a public key, 64 hex digits");
	if (net->proxy != NULL && (v->run == do_node || d->announce))
		return shoal_say_fail_as(d->tool, SHOAL_EXIT_REFUSED, SHOAL_ERR_REFUSED,
					 "nobody could reach us behind the proxy: through one the DHT is only asked");
	net->dht_read_only = v->reads && !d->announce;
	shoal_us give_up = d->s.give_up;
	int code = shoal_dht_session_open(&d->s, d->tool, net);
	if (code)
		return code;
	d->s.give_up = give_up;
	char *usual = net->state ? NULL : shoal_net_state_default();
	d->state = net->state ? net->state : usual;
	if (d->state != NULL && access(d->state, F_OK) < 0)
		d->state = NULL; /* that nothing is remembered was said when it could not be made */
	code = v->run(d);
	free(usual);
	shoal_dht_session_close(&d->s);
	return code;
}

/* Of the options of the network, those that mean something here are shown. The others are taken all the same, so that one set of
 * them does for every command. */
static void show_few(struct shoal_opt rows[])
{
	static const char *const shown[] = { "listen", "memory", "state", "proxy", "dht-node" };
	for (struct shoal_opt *o = rows; o->kind != SHOAL_OPT_END; o++) {
		bool show = o->kind == SHOAL_OPT_HEADING;
		for (size_t i = 0; !show && i < sizeof shown / sizeof *shown; i++)
			show = strcmp(o->name, shown[i]) == 0;
		o->help = show ? o->help : NULL;
	}
}

int shoal_dht_main(struct shoal_tool *tool, int argc, char **argv)
{
	struct shoal_net net = { 0 };
	struct shoal_dht_hand d = { .tool = tool, .cas_number = UINT32_MAX };
	struct shoal_opt_list args = { 0 };
	struct shoal_opt wire[SHOAL_NET_OPTIONS_MAX];
	/* clang-format off */
	const struct shoal_opt own[] = {
		{ SHOAL_OPT_TEXT, "key", 0, &d.key, "HEX", NULL, "get: the public key that signed it" },
		{ SHOAL_OPT_TEXT, "key-file", 0, &d.key_file, "FILE", NULL, "put, publish: the secret key; made if it is not there" },
		{ SHOAL_OPT_TEXT, "salt", 0, &d.salt, "TEXT", NULL, "one of several values under the key" },
		{ SHOAL_OPT_COUNT, "cas", 0, &d.cas_number, "N", NULL, "put: only over the value with that number" },
		{ SHOAL_OPT_FLAG, "first", 0, &d.first, NULL, NULL, "put, publish: it is the first value under the key, few as can tell" },
		{ SHOAL_OPT_FLAG, "bencoded", 0, &d.raw, NULL, NULL, "put: TEXT is bencoded already" },
		{ SHOAL_OPT_FLAG, "announce", 0, &d.announce, NULL, NULL, "get-peers: and say that we have it" },
		{ SHOAL_OPT_FLAG, "stay", 0, &d.stay, NULL, NULL, "publish: and keep it there, until stopped" },
		{ SHOAL_OPT_SECONDS, "every", 0, &d.every, "SECONDS", NULL, "publish --stay, watch, node: how often; default: 3600, 60, 60" },
		{ SHOAL_OPT_SECONDS, "timeout", 0, &d.s.give_up, "SECONDS", NULL, "give up a question then; watch and node ask on" },
		{ .kind = SHOAL_OPT_END },
	};
	/* clang-format on */
	const struct shoal_opt *const tables[] = { own, wire, NULL };
	shoal_net_rows(&net, wire);
	show_few(wire);
	int rc = shoal_say_parse(tool, &page, tables, argc, argv, &args), code;
	d.has_cas = d.cas_number != UINT32_MAX;
	if (rc != 0)
		code = rc > 0 ? SHOAL_EXIT_GOOD : shoal_exit_of(rc);
	else
		code = run(&d, &net, &args);
	shoal_net_fini(&net);
	shoal_opt_list_fini(&args);
	return code;
}
