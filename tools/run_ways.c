/* tools/run_ways.c - where a run looks for others: peers, trackers and web seeds that are named, doors to the DHT. */
#include "tools/run.h"

#include "proto/base/bytes.h"
#include "swarm/io/addr.h"

#include <string.h>

#define TICKET ((uint64_t)1 << 60) /* and the number of the peer */

/* `ticket`: in the answer, where its name has to be looked up. */
static void add_peer(struct shoal_run *r, const struct shoal_run_torrent *t, struct shoal_bytes text, bool by_link,
		     uint64_t ticket)
{
	struct shoal_op op = { .kind = SHOAL_OP_PEER,
			       .flags = by_link ? SHOAL_PEER_FROM_LINK : 0,
			       .torrent = t->handle,
			       .ticket = ticket };
	char host[SHOAL_HOST_MAX], shown[SHOAL_SAY_TEXT_MAX];
	uint16_t port;
	int rc = shoal_addr_split(text, host, &port);
	if (rc == 0 && shoal_addr_host(host, port, &op.addr) < 0)
		op.text = text; /* a name: the engine looks it up */
	if (rc == 0)
		rc = r->ops->do_op(r->engine, &op);
	if (rc < 0)
		shoal_say_warn(r->tool, t->id, "peer %s: %s", shoal_say_text(text, shown), shoal_err_name(rc));
}

size_t shoal_run_peers_named(const struct shoal_run_torrent *t)
{
	return t->source.is_magnet ? t->source.magnet->peer_count : shoal_metainfo_peer_count(t->source.mi);
}

/* Those of --peer come first, then those that the torrent or the link names (x.pe). */
static struct shoal_bytes peer_named(const struct shoal_run *r, const struct shoal_run_torrent *t, size_t i)
{
	const char *text;
	if (i < r->net->peer.count)
		text = r->net->peer.at[i];
	else if (t->source.is_magnet)
		text = t->source.magnet->peer[i - r->net->peer.count];
	else
		return shoal_metainfo_peer(t->source.mi, i - r->net->peer.count);
	return shoal_bytes(text, strlen(text));
}

void shoal_run_ways_event(struct shoal_run *r, const struct shoal_run_torrent *t, const struct shoal_event *ev)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	if (ev->err >= 0 || ev->ticket < TICKET || ev->ticket - TICKET >= r->net->peer.count + shoal_run_peers_named(t))
		return;
	shoal_say_warn(r->tool, t->id, "peer %s: %s", shoal_say_text(peer_named(r, t, ev->ticket - TICKET), shown),
		       ev->err == SHOAL_ERR_GONE  ? "there is no such host"
		       : ev->err == SHOAL_ERR_NET ? "its name cannot be looked up; is this host connected?"
						  : shoal_err_name(ev->err));
}

/* Those of --tracker: they may lie anywhere. Returns how many were taken. */
static size_t add_trackers(struct shoal_run *r, const struct shoal_run_torrent *t)
{
	size_t taken = 0;
	for (size_t i = 0; r->tracker && i < r->tracker->count; i++) {
		for (const char *at = r->tracker->at[i]; at;) {
			char shown[SHOAL_SAY_TEXT_MAX];
			const char *comma = strchr(at, ',');
			struct shoal_bytes url = shoal_bytes(at, comma ? (size_t)(comma - at) : strlen(at));
			struct shoal_op op = { .kind = SHOAL_OP_TRACKER, .torrent = t->handle, .text = url };
			int rc = r->ops->do_op(r->engine, &op);
			if (rc == 0 || rc == SHOAL_ERR_EXISTS)
				taken++;
			else
				shoal_say_warn(r->tool, t->id, "--tracker %s: %s", shoal_say_text(url, shown),
					       rc == SHOAL_ERR_REFUSED
						       ? "the torrent is private, and it is not one of its own"
						       : shoal_err_name(rc));
			at = comma ? comma + 1 : NULL;
		}
	}
	return taken;
}

static size_t trackers_named(const struct shoal_run *r, const struct shoal_run_torrent *t)
{
	if (r->net->no_trackers)
		return 0;
	return t->source.is_magnet ? t->source.magnet->tracker_count : shoal_metainfo_tracker_count(t->source.mi);
}

static bool is_public(const struct shoal_run_torrent *t)
{
	return t->source.is_magnet || !shoal_metainfo_private(t->source.mi);
}

void shoal_run_enter_dht(struct shoal_run *r)
{
	bool wanted = false;
	for (size_t i = 0; i < r->count; i++)
		wanted |= is_public(&r->torrent[i]);
	if (!wanted || !shoal_net_dht(r->net))
		return;
	r->alone.dht = true;
	r->dht_nodes = shoal_net_enter_dht(r->tool, r->net, r->engine);
	for (size_t i = 0; i < r->count; i++) {
		const struct shoal_metainfo *mi = r->torrent[i].source.mi;
		for (size_t k = 0; mi && is_public(&r->torrent[i]) && k < shoal_metainfo_node_count(mi); k++) {
			struct shoal_op op = { .kind = SHOAL_OP_DHT_BOOT,
					       .flags = SHOAL_PEER_FROM_LINK,
					       .text = shoal_metainfo_node(mi, k) };
			r->dht_nodes += r->ops->do_op(r->engine, &op) == 0;
		}
	}
}

void shoal_run_ways_warn(struct shoal_run *r, struct shoal_run_torrent *t)
{
	bool nowhere = t->nowhere;
	t->nowhere = false;
	if (!nowhere)
		return;
	if (is_public(t) && shoal_net_dht(r->net))
		shoal_say_warn(r->tool, t->id,
			       "no peer, tracker or DHT node is known: name one with --peer HOST:PORT, --tracker URL "
			       "or --dht-node HOST:PORT");
	else
		shoal_say_warn(r->tool, t->id,
			       "no peer or tracker is known: name one with --peer HOST:PORT or --tracker URL%s",
			       !is_public(t)	? " (the torrent is private: the DHT is not for it)"
			       : r->net->no_dht ? ""
						: " (an HTTP proxy carries no datagrams: the DHT is not asked)");
}

static void add_peers(struct shoal_run *r, struct shoal_run_torrent *t)
{
	size_t named = r->net->peer.count + shoal_run_peers_named(t);
	for (size_t i = 0; i < named; i++)
		add_peer(r, t, peer_named(r, t, i), i >= r->net->peer.count, TICKET + i);
	named += add_trackers(r, t) + trackers_named(r, t);
	/* Web seeds have the data, and not what a link alone does not tell. */
	if (!t->source.is_magnet)
		named += r->webseed.count + shoal_metainfo_webseed_count(t->source.mi);
	/* To list what a file names nobody is needed; nor, it may turn out, to get it. */
	t->nowhere = !r->seeding && (t->source.is_magnet || !t->only.list) &&
		     named + (is_public(t) ? r->dht_nodes : 0) == 0;
	if (t->source.is_magnet)
		shoal_run_ways_warn(r, t);
}

static void add_webseeds(struct shoal_run *r, const struct shoal_run_torrent *t)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	for (size_t i = 0; i < r->webseed.count; i++) {
		struct shoal_op op = { .kind = SHOAL_OP_WEBSEED,
				       .torrent = t->handle,
				       .text = shoal_bytes(r->webseed.at[i], strlen(r->webseed.at[i])) };
		int rc = r->ops->do_op(r->engine, &op);
		if (rc < 0)
			shoal_say_warn(r->tool, t->id, "web seed %s: %s", shoal_say_text(op.text, shown),
				       rc == SHOAL_ERR_MALFORMED     ? "not a URL that can be asked"
				       : rc == SHOAL_ERR_UNSUPPORTED ? "only http and https are built"
								     : shoal_err_name(rc));
	}
}

void shoal_run_add_ways(struct shoal_run *r, struct shoal_run_torrent *t)
{
	add_peers(r, t);
	add_webseeds(r, t);
}
