/* node_events.c - what nodes say, written down in them, and what they are asked to say; see world.h. */
#include <stdio.h>
#include <stdlib.h>
#include "tools/lab/world/room.h"

static void note_ban(struct sim_node *n, const struct shoal_event *ev)
{
	const struct sim_node *other = sim_node_at(n->sim, &ev->addr);
	if (other == NULL)
		return;
	if (!other->o.liar && !n->sim->o.figures)
		sim_breach(n->sim, n, "banned node %u, which is honest: %.*s", other->index, (int)ev->text.len,
			   (const char *)ev->text.at);
	if (n->bans < sizeof n->banned / sizeof *n->banned)
		n->banned[n->bans] = other->index;
	n->bans++;
	if (other->adversary != NULL)
		sim_adversary_banned(other->adversary);
}

static void note_text(struct sim_node *n, const struct shoal_event *ev)
{
	snprintf(n->text, sizeof n->text, "%.*s", (int)ev->text.len, ev->text.len ? (const char *)ev->text.at : "");
	n->err = ev->err;
}

static void on_event(struct sim_node *n, const struct shoal_event *ev)
{
	switch (ev->kind) {
	case SHOAL_EV_ADDED:
		n->added = ev->err == 0;
		n->torrent = ev->torrent;
		note_text(n, ev);
		break;
	case SHOAL_EV_CHECKED:
		n->checked = true;
		n->checked_bytes = ev->done;
		break;
	case SHOAL_EV_COMPLETE:
		n->complete = true;
		n->completed_at = n->sim->clock.now;
		n->stats = ev->stats;
		break;
	case SHOAL_EV_STATS: n->stats = ev->stats; break;
	case SHOAL_EV_PIECES:
		if (n->have.count != ev->copies_count) {
			shoal_bits_fini(&n->have);
			if (shoal_bits_init(&n->have, (uint32_t)ev->copies_count) < 0)
				abort();
		}
		if (shoal_bits_load(&n->have, ev->data, false) < 0)
			sim_breach(n->sim, n, "PIECES with %zu bytes", ev->data.len);
		break;
	case SHOAL_EV_ERROR:
		n->failed = true;
		note_text(n, ev);
		break;
	case SHOAL_EV_PEER_BANNED: note_ban(n, ev); break;
	case SHOAL_EV_PEER_PAROLE: n->paroles++; break;
	case SHOAL_EV_PAUSED:
		n->paused++;
		note_text(n, ev);
		break;
	case SHOAL_EV_RESUMED: n->resumed++; break;
	case SHOAL_EV_WARNING: n->warnings++; break;
	case SHOAL_EV_METADATA: n->metadata++; break;
	case SHOAL_EV_PEER_JOINED: n->joined++; break;
	case SHOAL_EV_PEER_LEFT: n->left++; break;
	case SHOAL_EV_HASH_FAILED: n->hash_failures++; break;
	case SHOAL_EV_STOPPED: n->stopped = true; break;
	default: break;
	}
	if (n->sim->o.on_event != NULL)
		n->sim->o.on_event(n->sim->o.to, n, ev);
}

void sim_node_drain(struct sim_node *n)
{
	struct shoal_event ev;
	while (n->node != NULL && shoal_node_poll(n->node, &ev) > 0)
		on_event(n, &ev);
}

void sim_node_record(struct sim_node *n)
{
	if (n->node == NULL)
		return;
	shoal_node_record(n->node, n->sim->clock.now);
	sim_node_drain(n);
}

void sim_node_ask_stats(struct sim_node *n)
{
	struct shoal_op op = { .kind = SHOAL_OP_STATS, .torrent = n->torrent };
	if (sim_node_do(n, &op) < 0)
		sim_breach(n->sim, n, "has no stats");
	sim_node_drain(n);
	sim_check_stats(n);
}

void sim_node_ask_pieces(struct sim_node *n)
{
	struct shoal_op op = { .kind = SHOAL_OP_PIECES, .torrent = n->torrent };
	if (sim_node_do(n, &op) < 0)
		sim_breach(n->sim, n, "has no pieces");
	sim_node_drain(n);
}
