/* swarm/core/accounts.c - sums by contact, and what becomes of the sums of those that have none; see accounts.h. */
#include "swarm/core/accounts.h"

#include <stdlib.h>
#include <string.h>
#include "swarm/core/node_room.h"

static const char left_name[] = "others that have left";

struct shoal_sums *shoal_sums_of(struct shoal_peer *p)
{
	return p->contact != NULL ? &p->contact->account->sums : &p->sums;
}

struct shoal_account *shoal_account_open(struct shoal_swarm *s, struct shoal_contact *c)
{
	if (c->account != NULL)
		return c->account;
	if (!shoal_node_charge(s->node, sizeof *c->account))
		return NULL;
	c->account = calloc(1, sizeof *c->account);
	if (c->account == NULL)
		shoal_budget_give(s->node->budget, sizeof *c->account);
	return c->account;
}

static void move(struct shoal_sums *to, struct shoal_sums *from)
{
	to->got += from->got;
	to->gave += from->gave;
	to->wasted += from->wasted;
	to->spoiled += from->spoiled;
	*from = (struct shoal_sums){ 0 };
}

void shoal_account_join(struct shoal_swarm *s, struct shoal_account *account, struct shoal_peer *p)
{
	move(&account->sums, &p->sums);
	if (account->source == 0)
		account->source = p->source;
	if (p->source == account->source)
		return;
	account->keyed = false; /* from now on what is remembered by it may be another's */
	/* Once in its life: it cannot leave behind what it sent before it said who it is. */
	if (p->flow.down.total > 0) {
		shoal_landing_rename(&s->landing, p->source, account->source);
		shoal_blame_rename(&s->blame, p->source, account->source);
	}
	p->source = account->source;
}

void shoal_account_left(struct shoal_swarm *s, struct shoal_peer *p)
{
	move(&s->left, &p->sums);
}

/* ---- telling --------------------------------------------------------------------------------- */

static bool any(const struct shoal_sums *sums)
{
	return sums->got > 0 || sums->gave > 0 || sums->wasted > 0 || sums->spoiled > 0;
}

static struct shoal_event row(uint64_t ticket, const struct shoal_addr *addr, const struct shoal_sums *sums)
{
	struct shoal_event ev = { .kind = SHOAL_EV_PEER, .ticket = ticket, .addr = *addr };
	ev.info = (struct shoal_peer_info){
		.addr = *addr, .got = sums->got, .gave = sums->gave, .wasted = sums->wasted, .spoiled = sums->spoiled
	};
	return ev;
}

/* What its record says; a record may be there before a connection, and after it. */
static void judge(struct shoal_event *ev, const struct shoal_swarm *s, const struct shoal_peer *p)
{
	static const uint8_t standing[] = {
		[SHOAL_REP_NEW] = SHOAL_STANDING_NEW,	    [SHOAL_REP_GOOD] = SHOAL_STANDING_GOOD,
		[SHOAL_REP_TRUST] = SHOAL_STANDING_TRUSTED, [SHOAL_REP_PAROLE] = SHOAL_STANDING_PAROLE,
		[SHOAL_REP_BANNED] = SHOAL_STANDING_BANNED,
	};
	const struct shoal_repute_entry *e = p != NULL ? p->repute : shoal_repute_find(&s->node->repute, &ev->addr);
	if (e == NULL || !s->node->policy->scores)
		return;
	ev->info.standing = standing[e->rep.state];
	ev->info.false_blocks = e->rep.false_blocks;
}

/* What only a connection has. */
static void describe(struct shoal_event *ev, struct shoal_peer *p, shoal_us now)
{
	struct shoal_peer_info *i = &ev->info;
	ev->peer = p->serial;
	ev->text = shoal_bytes(p->client, strlen(p->client));
	i->connected = true;
	i->seed = shoal_peer_is_seed(p);
	i->incoming = p->incoming;
	i->v2 = p->v2;
	i->encrypted = p->bound;
	i->utp = p->by == SHOAL_BY_UTP;
	i->choking_us = p->choking_us;
	i->choked = p->choked;
	i->interested = p->interested;
	i->interesting = p->interesting;
	i->asked = p->ask_count;
	i->pieces = p->have.ones;
	i->down_rate = shoal_rate_now(&p->flow.down, now);
	i->up_rate = shoal_rate_now(&p->up, now);
}

void shoal_accounts_say(struct shoal_swarm *s, uint64_t ticket, shoal_us now)
{
	static const struct shoal_addr nowhere;
	for (struct shoal_contact *c = shoal_contacts_next(s, NULL); c != NULL; c = shoal_contacts_next(s, c)) {
		if (c->account == NULL) /* heard of, and never met */
			continue;
		struct shoal_event ev = row(ticket, &c->addr, &c->account->sums);
		ev.info.banned = c->account->banned;
		ev.text = shoal_bytes(c->account->client, strlen(c->account->client));
		judge(&ev, s, c->peer);
		if (c->peer != NULL)
			describe(&ev, c->peer, now);
		if (c->peer != NULL || any(&c->account->sums))
			shoal_swarm_say(s, &ev, now);
	}
	for (struct shoal_peer *p = s->peers; p != NULL; p = p->in_swarm) {
		if (p->contact != NULL)
			continue;
		struct shoal_event ev = row(ticket, &p->addr, &p->sums);
		judge(&ev, s, p);
		describe(&ev, p, now);
		shoal_swarm_say(s, &ev, now);
	}
	if (any(&s->left)) {
		struct shoal_event ev = row(ticket, &nowhere, &s->left);
		ev.name = shoal_bytes(left_name, sizeof left_name - 1);
		shoal_swarm_say(s, &ev, now);
	}
	shoal_webseeds_say(s, ticket, now);
	struct shoal_event done = { .kind = SHOAL_EV_DONE, .ticket = ticket };
	shoal_swarm_say(s, &done, now);
}
