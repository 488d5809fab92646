/* swarm/core/contacts.c - the address book of one swarm: whom to dial, when, and what came of it. */
#include <stdlib.h>
#include <string.h>
#include "swarm/core/node_room.h"

/* Seconds until the next try, by how many have failed in a row; people whom the user named are tried sooner. */
static const uint32_t wait_s[] = { 2, 10, 30, 60, 120, 300, 600 };
static const uint32_t wait_trusted_s[] = { 1, 1, 2, 3, 5, 5, 10 };

static bool same_addr(const struct shoal_addr *a, const struct shoal_addr *b)
{
	return a->is_v4 == b->is_v4 && a->port == b->port && memcmp(a->ip, b->ip, a->is_v4 ? 4 : 16) == 0;
}

struct shoal_contact *shoal_swarm_contact(struct shoal_swarm *s, const struct shoal_addr *addr, unsigned source,
					  shoal_us now)
{
	bool trusted = (source & ~(unsigned)SHOAL_FROM_NEAR) == SHOAL_FROM_USER;
	struct shoal_contact **at = &s->contacts;
	for (; *at != NULL; at = &(*at)->next) {
		if (same_addr(&(*at)->addr, addr)) {
			(*at)->trusted |= trusted;
			return *at;
		}
	}
	if (addr->port == 0 || s->contact_count >= SHOAL_SWARM_CONTACTS_MAX)
		return NULL;
	struct shoal_contact *c = calloc(1, sizeof *c);
	if (c == NULL)
		return NULL;
	c->addr = *addr;
	c->info.addr = *addr;
	c->serial = ++s->node->next_contact;
	c->trusted = trusted;
	c->next_try = now;
	*at = c;
	s->contact_count++;
	s->dial_now = true;
	return c;
}

void shoal_contact_gone(struct shoal_swarm *s, struct shoal_contact *c, int why, shoal_us now)
{
	const uint32_t *wait = c->trusted ? wait_trusted_s : wait_s;
	uint32_t last = sizeof wait_s / sizeof *wait_s - 1;
	if (c->peer != NULL) {
		c->last_peer = c->peer->serial;
		memcpy(c->client, c->peer->client, sizeof c->client);
		c->info.connected = false;
		c->peer->contact = NULL;
		if (c->peer->known) /* it worked: the count of failures starts anew */
			c->tries = 0;
	}
	if (why == SHOAL_ERR_REFUSED && c->self)
		c->tries = last;
	c->next_try = now + SHOAL_S(wait[c->tries < last ? c->tries : last]);
	c->tries++;
	c->peer = NULL;
	c->dial = 0;
	s->dial_at = shoal_min_u64(s->dial_at, c->next_try);
}

static bool worth_dialling(const struct shoal_swarm *s, const struct shoal_contact *c)
{
	/* With everything here there is nothing to fetch; others will come to us, and a peer the user named gets a call. */
	/* Pieces whose hashes are still to come are not wanted yet. */
	bool need = s->mi == NULL || !shoal_swarm_running(s) || shoal_picker_left(s->picker) > 0 || s->layers_missing;
	return c->peer == NULL && c->dial == 0 && !c->self && !c->banned && (need || (c->trusted && c->tries == 0));
}

void shoal_swarm_dial(struct shoal_swarm *s, shoal_us now)
{
	struct shoal_node *n = s->node;
	shoal_us next = SHOAL_NEVER;
	s->dial_now = false;
	for (struct shoal_contact *c = s->contacts; c != NULL; c = c->next) {
		if (!worth_dialling(s, c))
			continue;
		if (c->next_try > now) {
			next = shoal_min_u64(next, c->next_try);
			continue;
		}
		if (n->dials >= SHOAL_NODE_DIALS || n->peer_count >= n->max_peers || n->stopping ||
		    shoal_node_banned(n, &c->addr, now)) {
			next = shoal_min_u64(next, now + SHOAL_S(1));
			continue;
		}
		c->dial = ++n->next_cookie;
		n->dials++;
		int rc = n->world.ops->dial(n->world.w, &c->addr, c->dial);
		if (rc < 0) {
			n->dials--;
			c->dial = 0;
			shoal_contact_gone(s, c, rc, now);
			next = shoal_min_u64(next, c->next_try);
		}
	}
	s->dial_at = next;
}
