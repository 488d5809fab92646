/* swarm/core/carrier.c - TCP and uTP: who is dialled by which, and uTP's datagrams in and out. */
#include "swarm/core/carrier.h"

#include <string.h>
#include "proto/base/bytes.h"
#include "proto/reach.h"
#include "swarm/core/node_room.h"
#include "swarm/core/turnover.h"

#define SPARE 64 /* connections beyond the peers' and the dials': those that linger */

static bool on_take(void *to, size_t bytes)
{
	return shoal_node_peers_take(to, bytes);
}

static void on_give(void *to, size_t bytes)
{
	shoal_node_peers_give(to, bytes);
}

int shoal_carriers_init(struct shoal_node *n, unsigned allowed, shoal_us now)
{
	n->carriers.allowed = allowed != 0 ? allowed : SHOAL_BY_TCP;
	n->carriers.dials_at = SHOAL_NEVER;
	if (!(n->carriers.allowed & SHOAL_BY_UTP) || n->world.ops->datagram == NULL)
		return 0;
	struct shoal_utp_options o = { .rng = shoal_rng_split(shoal_rng_u64(&n->rng), 'u'),
				       .connections_max = n->max_peers + SHOAL_DIALS + SPARE,
				       .to = n,
				       .take = on_take,
				       .give = on_give };
	n->world.ops->secret(n->world.w, (struct shoal_space){ (uint8_t *)&o.key, sizeof o.key });
	return shoal_utp_new(&n->carriers.utp, &o, now);
}

void shoal_carriers_fini(struct shoal_node *n)
{
	if (n->carriers.utp == NULL)
		return;
	shoal_carriers_output(n, n->now); /* the ends of what was closed just now */
	shoal_utp_leave(n->carriers.utp);
	shoal_carriers_output(n, n->now);
	shoal_utp_free(n->carriers.utp);
	n->carriers.utp = NULL;
}

/* ---- what has worked where ------------------------------------------------------------- */

static bool near(const struct shoal_addr *addr)
{
	return shoal_reach_of(addr) != SHOAL_REACH_GLOBAL;
}

/* Its network's place: two networks may fall into one, and the later has it. */
static struct shoal_carrier_net *net_of(struct shoal_node *n, const struct shoal_addr *addr, uint32_t *tag)
{
	uint64_t hash = shoal_siphash(n->key, 'n', shoal_bytes(addr->ip, addr->is_v4 ? 3 : 6));
	*tag = (uint32_t)(hash >> 32) | 1;
	return &n->carrier_net[hash % SHOAL_CARRIER_NETS];
}

static unsigned known(struct shoal_node *n, const struct shoal_addr *addr, shoal_us now)
{
	uint32_t tag;
	const struct shoal_carrier_net *net = net_of(n, addr, &tag);
	return net->tag == tag && net->until > now ? net->worked : 0;
}

static void remember(struct shoal_node *n, const struct shoal_addr *addr, enum shoal_carrier by, shoal_us now)
{
	uint32_t tag;
	struct shoal_carrier_net *net = net_of(n, addr, &tag);
	*net = (struct shoal_carrier_net){ tag, (uint8_t)by, now + SHOAL_CARRIER_MEMORY };
}

/* ---- dialling ------------------------------------------------------------------------------ */

static int begin(struct shoal_node *n, struct shoal_dial *d, enum shoal_carrier by, shoal_us now)
{
	int rc = by == SHOAL_BY_TCP ? n->world.ops->dial(n->world.w, &d->contact->addr, d->cookie)
				    : shoal_utp_dial(n->carriers.utp, &d->contact->addr, d->cookie, now);
	if (rc >= 0)
		d->under_way |= (uint8_t)by;
	return rc;
}

static void look_again(struct shoal_node *n, shoal_us at)
{
	n->carriers.dials_at = shoal_min_u64(n->carriers.dials_at, at);
}

int shoal_carrier_dial(struct shoal_node *n, struct shoal_dial *d, shoal_us now)
{
	unsigned can = n->carriers.allowed & (n->carriers.utp != NULL ? ~0u : (unsigned)SHOAL_BY_TCP);
	if (d->contact->punch)
		can &= SHOAL_BY_UTP;
	unsigned first = can & (near(&d->contact->addr) ? SHOAL_BY_TCP : known(n, &d->contact->addr, now));
	if (can & ~(unsigned)d->contact->shy)
		first = can & d->contact->shy ? can & ~(unsigned)d->contact->shy : first;
	shoal_us start = first != 0 ? SHOAL_CARRIER_SECOND : SHOAL_CARRIER_START;
	if (first == 0)
		first = can & SHOAL_BY_UTP ? SHOAL_BY_UTP : can;
	d->later = (uint8_t)(can & ~first);
	int rc = first != 0 ? begin(n, d, (enum shoal_carrier)first, now) : SHOAL_ERR_NET;
	if (rc < 0 && d->later != 0) {
		rc = begin(n, d, (enum shoal_carrier)d->later, now);
		d->later = 0;
	}
	if (d->later != 0) {
		d->look_at = now + start;
		look_again(n, d->look_at);
	}
	return rc < 0 ? rc : 0;
}

enum shoal_carrier shoal_carrier_of(const struct shoal_transport *t)
{
	return t->ops->name != NULL && strcmp(t->ops->name, "utp") == 0 ? SHOAL_BY_UTP : SHOAL_BY_TCP;
}

static struct shoal_dial *dial_of(struct shoal_node *n, uint64_t cookie)
{
	for (size_t i = 0; i < SHOAL_DIALS && cookie != 0; i++)
		if (n->dialling[i].cookie == cookie)
			return &n->dialling[i];
	return NULL;
}

bool shoal_carrier_stop(struct shoal_node *n, struct shoal_dial *d)
{
	/* A dial by TCP has no end before its time: what it brings is closed. */
	bool answers = d->under_way & SHOAL_BY_TCP;
	if (n->carriers.utp != NULL && d->under_way & SHOAL_BY_UTP)
		shoal_utp_dial_stop(n->carriers.utp, d->cookie);
	d->under_way = d->later = 0;
	return answers;
}

bool shoal_carrier_answers(struct shoal_node *n, uint64_t cookie, enum shoal_carrier by, bool good, shoal_us now)
{
	struct shoal_dial *d = dial_of(n, cookie);
	if (d == NULL || d->swarm == NULL)
		return d != NULL;
	d->under_way &= (uint8_t)~by;
	if (good) { /* whether it speaks is another question: see `shy` */
		if (!near(&d->contact->addr))
			remember(n, &d->contact->addr, by, now);
		(void)shoal_carrier_stop(n, d);
		return true;
	}
	if (d->later != 0) {
		int rc = begin(n, d, (enum shoal_carrier)d->later, now);
		(void)rc; /* then it is not under way */
		d->later = 0;
		d->look_at = 0;
	}
	if (d->under_way == 0)
		return true;
	if (d->under_way == SHOAL_BY_UTP) { /* who is there at all would have answered by now */
		d->look_at = now + (near(&d->contact->addr) ? SHOAL_CARRIER_LAST_NEAR : SHOAL_CARRIER_LAST);
		look_again(n, d->look_at);
	}
	return false;
}

/* Dials whose time has come: for the other carrier, or to be given up. */
static void look_at_dials(struct shoal_node *n, shoal_us now)
{
	if (n->carriers.dials_at > now)
		return;
	n->carriers.dials_at = SHOAL_NEVER;
	for (size_t i = 0; i < SHOAL_DIALS; i++) {
		struct shoal_dial *d = &n->dialling[i];
		if (d->cookie == 0 || d->look_at == 0)
			continue;
		if (d->look_at > now) {
			look_again(n, d->look_at);
			continue;
		}
		d->look_at = 0;
		if (d->swarm != NULL && d->later != 0) {
			int rc = begin(n, d, (enum shoal_carrier)d->later, now);
			(void)rc; /* the first is still under way */
			d->later = 0;
		} else {
			uint64_t cookie = d->cookie;
			(void)shoal_carrier_stop(n, d);
			shoal_node_dial_over(n, cookie, NULL, SHOAL_ERR_TIMEOUT, now);
		}
	}
}

/* ---- datagrams --------------------------------------------------------------------------------- */

bool shoal_carriers_datagram(struct shoal_node *n, const struct shoal_addr *from, struct shoal_bytes data, shoal_us now)
{
	return n->carriers.utp != NULL && shoal_utp_datagram(n->carriers.utp, from, data, now);
}

void shoal_carriers_events(struct shoal_node *n, shoal_us now)
{
	struct shoal_utp_event ev;
	look_at_dials(n, now);
	if (n->carriers.utp == NULL)
		return;
	shoal_utp_tick(n->carriers.utp, now);
	while (shoal_utp_poll(n->carriers.utp, &ev) > 0) {
		switch (ev.kind) {
		case SHOAL_UTP_ACCEPTED: shoal_node_accept(n, ev.t, &ev.addr, now); break;
		case SHOAL_UTP_DIALED:
			if (shoal_carrier_answers(n, ev.cookie, SHOAL_BY_UTP, ev.t != NULL, now))
				shoal_node_dial_over(n, ev.cookie, ev.t, ev.err, now);
			else if (ev.t != NULL)
				ev.t->ops->close(ev.t);
			break;
		case SHOAL_UTP_READY: shoal_node_ready(n, ev.t, ev.what, now); break;
		}
	}
}

static int send_train(struct shoal_node *n, const struct shoal_utp_train *train)
{
	int rc = 0;
	if (n->world.ops->datagrams != NULL)
		return n->world.ops->datagrams(n->world.w, &train->to, train->data, train->each, train->whole);
	for (size_t at = 0; at < train->data.len; at += train->each) {
		size_t len = train->data.len - at < train->each ? train->data.len - at : train->each;
		rc = n->world.ops->datagram(n->world.w, &train->to, shoal_bytes(train->data.at + at, len));
	}
	return rc;
}

void shoal_carriers_output(struct shoal_node *n, shoal_us now)
{
	struct shoal_utp_train train;
	while (n->carriers.utp != NULL && shoal_utp_output(n->carriers.utp, &train, now) > 0)
		shoal_utp_sent(n->carriers.utp, send_train(n, &train));
}

shoal_us shoal_carriers_deadline(const struct shoal_node *n)
{
	shoal_us at = n->carriers.utp != NULL ? shoal_utp_deadline(n->carriers.utp) : SHOAL_NEVER;
	return shoal_min_u64(at, n->carriers.dials_at);
}
