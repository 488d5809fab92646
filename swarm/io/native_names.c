/* native_names.c - where named peers are: those the user names, and those a magnet does. */
#include <stdlib.h>
#include <string.h>
#include "proto/magnet.h"
#include "swarm/io/addr.h"
#include "swarm/io/native_room.h"

#define ADDS_MAX 64 /* magnets whose ADDED has not been fetched yet, and whose peers we remember */

/* A magnet's own peers (x.pe), until its torrent has a number. */
struct shoal_native_add {
	struct shoal_native_add *next;
	uint64_t ticket;
	struct shoal_magnet magnet;
};

static void say_done(struct shoal_native *e, uint32_t torrent, uint64_t ticket, int err)
{
	struct shoal_event ev = {
		.kind = SHOAL_EV_DONE, .t = shoal_loop_now(e->loop), .torrent = torrent, .ticket = ticket, .err = err
	};
	shoal_events_push(&e->events, &ev);
}

static int peer_at(struct shoal_native *e, const struct shoal_resolve_for *asker, const struct shoal_addr *addr)
{
	bool link = asker->flags & SHOAL_ASKED_FROM_LINK || !(asker->flags & SHOAL_ASKED_BY_USER);
	struct shoal_op op = { .kind = asker->flags & SHOAL_ASKED_FOR_BOOT   ? SHOAL_OP_DHT_BOOT
				       : asker->flags & SHOAL_ASKED_FOR_PING ? SHOAL_OP_DHT_PING
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
	return asker->flags & SHOAL_ASKED_BY_USER && !(asker->flags & (SHOAL_ASKED_FOR_BOOT | SHOAL_ASKED_FOR_PING));
}

int shoal_native_peer_named(struct shoal_native *e, struct shoal_bytes text, const struct shoal_resolve_for *asker)
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

void shoal_native_on_resolved(void *to, unsigned what)
{
	struct shoal_native *e = to;
	struct shoal_resolve_done done;
	(void)what;
	while (shoal_resolve_reap(e->resolve, &done) > 0) {
		if (done.asker.flags & SHOAL_ASKED_BY_VIA) {
			shoal_via_found(e->via, done.addr, done.err == 0 ? done.count : 0);
			continue;
		}
		if (done.asker.flags & SHOAL_ASKED_BY_NODE) {
			shoal_node_resolved(e->node, done.asker.ticket, done.addr, done.count, done.err,
					    shoal_loop_now(e->loop));
			continue;
		}
		int rc = done.err;
		if (done.asker.flags & SHOAL_ASKED_FOR_PING && done.count > 1)
			done.count = 1; /* one question, one answer */
		for (size_t i = 0; rc == 0 && i < done.count; i++)
			rc = peer_at(e, &done.asker, &done.addr[i]);
		if (is_owed(&done.asker) ||
		    (rc < 0 && done.asker.flags & (SHOAL_ASKED_FOR_BOOT | SHOAL_ASKED_FOR_PING)))
			say_done(e, done.asker.torrent, done.asker.ticket, rc);
	}
}

static void add_free(struct shoal_native *e, struct shoal_native_add *add)
{
	shoal_magnet_fini(&add->magnet);
	free(add);
	e->add_count--;
}

void shoal_native_add_remember(struct shoal_native *e, const struct shoal_op *op)
{
	if (e->add_count == ADDS_MAX)
		return;
	struct shoal_native_add *add = calloc(1, sizeof *add);
	if (add == NULL)
		return;
	e->add_count++;
	if (shoal_magnet_parse(&add->magnet, op->text, NULL) < 0) {
		memset(&add->magnet, 0, sizeof add->magnet);
		add_free(e, add);
		return;
	}
	add->ticket = op->ticket;
	struct shoal_native_add **last = &e->adds;
	while (*last != NULL)
		last = &(*last)->next;
	*last = add;
}

void shoal_native_add_answered(struct shoal_native *e, const struct shoal_event *ev)
{
	struct shoal_native_add **where = &e->adds;
	while (*where != NULL && (*where)->ticket != ev->ticket)
		where = &(*where)->next;
	if (*where == NULL)
		return;
	struct shoal_native_add *add = *where;
	*where = add->next;
	for (size_t i = 0; ev->err == 0 && i < add->magnet.peer_count; i++) {
		struct shoal_bytes text = { (const uint8_t *)add->magnet.peer[i], strlen(add->magnet.peer[i]) };
		int rc = shoal_native_peer_named(e, text, &(struct shoal_resolve_for){ .torrent = ev->torrent });
		(void)rc; /* a stranger's link may name anything */
	}
	add_free(e, add);
}

void shoal_native_adds_free(struct shoal_native *e)
{
	while (e->adds != NULL) {
		struct shoal_native_add *add = e->adds;
		e->adds = add->next;
		add_free(e, add);
	}
}
