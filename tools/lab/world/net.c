/* net.c - how machines reach each other: dials, datagrams, NAT, names, services. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "proto/base/fetch.h"
#include "tools/lab/world/adversary_guise.h"
#include "tools/lab/world/digest.h"
#include "tools/lab/world/room.h"

#define WINDOW (256u * 1024)
#define NOWHERE_DELAY SHOAL_MS(5) /* half of the way to who is not there, and to services */
#define NAME_TAKES SHOAL_MS(20)
#define DIAL_TIMEOUT SHOAL_S(3)
#define MAPPING_LIFE SHOAL_S(120)
#define DATAGRAM_HEAD 28u /* IPv4 and UDP: charged to the line */
#define DATAGRAM_MAX 65507u
#define PORTS_MAPPED 20000u /* where NATs begin to count */
#define PORTS_DIALLED 40000u

struct sim_dial {
	struct sim_alarm alarm;
	struct sim_dial *next, **at;
	struct sim *sim;
	struct sim_node *from;
	unsigned life; /* of `from`, when it dialled */
	struct shoal_addr to;
	uint64_t cookie;
	bool answered; /* on its way back */
	int err;
	struct shoal_transport *end;
};
/* A datagram on its way. */
struct sim_flying {
	struct sim_alarm alarm;
	struct sim_flying *next, **at;
	struct sim *sim;
	struct shoal_addr from, to;
	unsigned side;
	bool queued; /* it has come to the receiver's line, and waits for it */
	size_t len;
	uint8_t bytes[];
};
struct sim_host {
	struct sim_host *next;
	char *name; /* or NULL: a service */
	bool known;
	struct shoal_addr addr;
	void (*hear)(void *to, const struct shoal_addr *from, struct shoal_bytes data);
	void *to;
};
struct sim_question {
	struct sim_alarm alarm;
	struct sim_question *next, **at;
	struct sim_node *from;
	unsigned life;
	uint64_t cookie;
	bool known;
	struct shoal_addr addr;
};
/* One port of a NAT. */
struct sim_mapping {
	struct sim_mapping *next;
	struct sim_node *node;
	struct shoal_addr outside;
	struct shoal_addr first; /* towards whom it was made: all there is of a symmetric one */
	shoal_us until;
	struct sim_book towards; /* by address alone (port 0) */
};

#define LINKED(list, it)                              \
	do {                                          \
		(it)->next = *(list);                 \
		(it)->at = (list);                    \
		if ((it)->next != NULL)               \
			(it)->next->at = &(it)->next; \
		*(list) = (it);                       \
	} while (0)
#define UNLINKED(it)                               \
	do {                                       \
		*(it)->at = (it)->next;            \
		if ((it)->next != NULL)            \
			(it)->next->at = (it)->at; \
	} while (0)

static bool alive(const struct sim_node *n, unsigned life)
{
	return sim_node_runs(n) && n->life == life;
}

/* ---- connections -------------------------------------------------------------------------- */

static void on_transport_ready(void *owner, struct shoal_transport *t, unsigned what)
{
	struct sim_node *n = owner;
	if (!sim_node_runs(n))
		return;
	if (n->guest_up)
		n->o.guest->ready(n->o.g, n, t, what);
	else if (n->hand != NULL)
		return sim_guise_ready(sim_guise_of(t), what);
	else
		shoal_node_ready(n->node, t, what, n->sim->clock.now);
	sim_touch(n);
}

/* What a node holds of a connection. */
static struct shoal_transport *held_by(struct sim_node *n, struct shoal_transport *end)
{
	return n->hand != NULL && end != NULL ? &sim_guise_new(n, &n->sim->clock, end, n->hand, n->mind)->t : end;
}

static void on_tap(void *to_tap, struct sim_end *end, void *from, void *to, const struct sim_heard *heard)
{
	struct sim *sim = to_tap;
	struct sim_node *n = from;
	const struct sim_node *other = to;
	void **word = sim_end_word(end);
	if (*word == NULL) {
		*word = sim_watch_new(n, to, *sim_end_word(sim_end_other(end)));
		n->streams++;
		n->plain_streams += heard->talk.len > 4 && memcmp(heard->talk.at, "\023BitT", 5) == 0;
	}
	bool good = false;
	if (!n->o.hides && !other->o.hides) { /* else it may be noise */
		n->witness.dest = to;
		good = sim_watch_heard(*word, &n->witness, heard);
	}
	sim->trace = sim_digest_u64(sim->trace, sim->clock.now);
	sim->trace = sim_digest_u64(sim->trace, (uint64_t)n->index << 32 | other->index);
	sim->trace = sim_digest(sim->trace, heard->talk.at, heard->talk.len);
	if (heard->len > 0) { /* of payload: which, and of a whole block whether it is right */
		sim->trace = sim_digest_u64(sim->trace, (uint64_t)heard->piece << 32 | (heard->begin + heard->off));
		bool whole = heard->off + heard->len == heard->block;
		sim->trace = sim_digest_u64(sim->trace, (uint64_t)heard->len << 1 | (whole && good));
	}
	sim->wire_bytes += heard->talk.len + heard->len;
	if (n->witness.wrong[0] != 0)
		sim_breach(sim, n, "%s", n->witness.wrong);
}

static void on_took(void *to_tap, struct sim_end *from, size_t n)
{
	const struct sim *sim = to_tap;
	struct sim_watch *watch = *sim_end_word(from);
	if (watch != NULL && !sim->hides)
		sim_watch_took(watch, n);
}

static void on_soon(void *owner, struct sim_end *end, enum sim_soon how)
{
	const struct sim_node *n = owner;
	if (how == SIM_SOONER) {
		shoal_fetch(n, offsetof(struct sim_node, o));
		shoal_fetch(&n->line, sizeof n->line);
		shoal_fetch(&n->budget,
			    offsetof(struct sim_node, wake) + sizeof n->wake - offsetof(struct sim_node, budget));
		shoal_fetch(&n->touched, 1);
	}
	if (n->node != NULL && n->hand == NULL) /* else the end is the guise's, and the node's word for it another */
		shoal_node_foresee(sim_end_transport(end), (unsigned)(how - SIM_SOONER));
	if (how == SIM_NEXT)
		return;
	sim_watch_foresee(*sim_end_word(end), how == SIM_VERY_SOON);
	sim_watch_foresee(*sim_end_word(sim_end_other(end)), how == SIM_VERY_SOON);
	if (how == SIM_VERY_SOON)
		sim_disk_foresee(n->disk);
}

static int on_file(void *owner, uint32_t file, uint64_t offset, struct shoal_space to)
{
	struct sim_node *n = owner;
	return sim_disk_span_read(n->disk, file, offset, to);
}

static void untap(void *word)
{
	sim_watch_free(word);
}

void sim_net_init(struct sim *sim)
{
	sim->streams = (struct sim_pipe_options){
		.clock = &sim->clock,
		.window = sim->o.window ? sim->o.window : WINDOW,
		.cut_ppm = sim->o.cut_ppm,
		.turn = sim->o.turn,
		.round = sim->o.rounds ? sim->o.turn : 1,
		.tcp = sim->o.tcp,
		.head = sim->o.payload == SIM_PAYLOAD_HEADS ? SIM_HEAD : 0,
		.places = sim->o.payload != SIM_PAYLOAD_WHOLE,
		.carrier = sim->o.carrier,
		.ready = on_transport_ready,
		.soon = on_soon,
		.tap = on_tap,
		.took = on_took,
		.to_tap = sim,
		.untap = untap,
		.file = sim->o.spans ? on_file : NULL,
	};
}

/* Who takes connections there. */
static struct sim_node *listening(const struct sim *sim, const struct shoal_addr *to)
{
	struct sim_node *n = sim_book_find(&sim->book, to);
	return n != NULL && sim_node_runs(n) ? n : NULL;
}

static void dial_free(struct sim_dial *d)
{
	UNLINKED(d);
	sim_alarm_drop(&d->sim->clock, &d->alarm);
	free(d);
}

static void accepts(struct sim_node *n, struct shoal_transport *t, const struct shoal_addr *from)
{
	if (n->guest_up)
		n->o.guest->accept(n->o.g, n, t, from);
	else
		shoal_node_accept(n->node, held_by(n, t), from, n->sim->clock.now);
	sim_touch(n);
}

static void dial_arrives(struct sim_dial *d)
{
	struct sim *sim = d->sim;
	struct sim_node *from = d->from;
	struct sim_node *to = listening(sim, &d->to);
	shoal_us way = from->line.delay + (to != NULL ? to->line.delay : NOWHERE_DELAY);
	d->answered = true;
	d->err = SHOAL_ERR_NET;
	from->dials++;
	from->dials_dead += to == NULL;
	sim_alarm_set(&sim->clock, &d->alarm, sim->clock.now + way);
	if (to == NULL || to == from)
		return;
	if (sim_line_apart(&from->line, &to->line) || to->o.nat != SIM_NAT_NONE) { /* nothing ever comes back */
		sim_alarm_set(&sim->clock, &d->alarm, sim->clock.now + DIAL_TIMEOUT);
		return;
	}
	struct shoal_transport *end[2];
	struct shoal_addr addr = from->addr;
	struct shoal_rng rng = shoal_rng_split(sim->o.seed ^ UINT64_C(0x9199), ++sim->pipes);
	addr.port = (uint16_t)(PORTS_DIALLED + sim->pipes % SIM_PORTS);
	sim->dialled[sim->pipes % SIM_PORTS] = from;
	sim_pipe_new(&sim->streams, rng, (struct sim_line *const[2]){ &from->line, &to->line },
		     (void *const[2]){ from, to }, end);
	d->end = end[0];
	accepts(to, end[1], &addr);
}

/* The last one that used the port, if that is its host. */
struct sim_node *sim_net_dialled_from(const struct sim *sim, const struct shoal_addr *addr)
{
	unsigned at = addr->port - PORTS_DIALLED;
	struct sim_node *n = addr->port >= PORTS_DIALLED && at < SIM_PORTS ? sim->dialled[at] : NULL;
	return n != NULL && memcmp(n->addr.ip, addr->ip, sizeof addr->ip) == 0 ? n : NULL;
}

static void on_dial(struct sim_alarm *alarm)
{
	struct sim_dial *d = SIM_OF(alarm, struct sim_dial, alarm);
	struct sim_node *from = d->from;
	if (!alive(from, d->life)) {
		if (d->end != NULL)
			d->end->ops->close(d->end);
		return dial_free(d);
	}
	if (!d->answered)
		return dial_arrives(d);
	int err = d->end != NULL ? 0 : d->err;
	if (from->guest_up)
		from->o.guest->dialed(from->o.g, from, d->cookie, d->end, err);
	else
		shoal_node_dialed(from->node, d->cookie, held_by(from, d->end), err, d->sim->clock.now);
	sim_touch(from);
	dial_free(d);
}

int sim_net_dial(struct sim_node *n, const struct shoal_addr *to, uint64_t cookie)
{
	struct sim *sim = n->sim;
	if (n->line.dead)
		return SHOAL_ERR_NET;
	struct sim_dial *d = sim_must(calloc(1, sizeof *d));
	d->alarm.ring = on_dial;
	d->sim = sim;
	d->from = n;
	d->life = n->life;
	d->to = *to;
	d->cookie = cookie;
	LINKED(&sim->dials, d);
	const struct sim_node *target = listening(sim, to);
	sim_alarm_set(&sim->clock, &d->alarm,
		      sim->clock.now + n->line.delay + (target != NULL ? target->line.delay : NOWHERE_DELAY));
	return 0;
}

int sim_guest_dial(struct sim_node *n, const struct shoal_addr *to, uint64_t cookie)
{
	assert(n->guest_up);
	return sim_net_dial(n, to, cookie);
}

void sim_node_reset(struct sim_node *n, const struct sim_node *other)
{
	sim_line_reset(&n->line, other != NULL ? &other->line : NULL);
}

void sim_node_side(struct sim_node *n, unsigned side)
{
	n->line.side = side;
}

void sim_node_cut(struct sim_node *n, bool cut)
{
	n->line.cut = cut;
}

/* ---- NAT ------------------------------------------------------------------------------------- */

static struct shoal_addr host_of(const struct shoal_addr *addr)
{
	struct shoal_addr host = *addr;
	host.port = 0;
	return host;
}

static bool same_addr(const struct shoal_addr *a, const struct shoal_addr *b)
{
	return a->port == b->port && a->is_v4 == b->is_v4 && memcmp(a->ip, b->ip, a->is_v4 ? 4 : 16) == 0;
}

/* The address a datagram of `n` towards `to` seems to come from. */
static struct shoal_addr goes_out(struct sim_node *n, const struct shoal_addr *to)
{
	struct sim *sim = n->sim;
	shoal_us now = sim->clock.now;
	struct shoal_addr host = host_of(to);
	struct sim_mapping *m = n->mapping;
	if (n->o.nat == SIM_NAT_NONE)
		return n->addr;
	while (m != NULL && (m->until <= now || (n->o.nat == SIM_NAT_SYMMETRIC && !same_addr(&m->first, to))))
		m = m->next;
	if (m == NULL) {
		m = sim_must(calloc(1, sizeof *m));
		m->node = n;
		m->first = *to;
		m->outside = n->addr;
		do
			m->outside.port = (uint16_t)(PORTS_MAPPED + shoal_rng_below(&sim->ether, 40000));
		while (sim_book_find(&sim->outside, &m->outside) != NULL);
		sim_book_set(&sim->outside, &m->outside, m);
		m->next = n->mapping;
		n->mapping = m;
	}
	m->until = now + MAPPING_LIFE;
	sim_book_set(&m->towards, &host, n);
	return m->outside;
}

/* Who gets a datagram from there; NULL: it ends at a NAT, or nowhere. */
static struct sim_node *comes_in(struct sim *sim, const struct shoal_addr *from, const struct shoal_addr *to)
{
	struct shoal_addr host = host_of(from);
	const struct sim_mapping *m = sim_book_find(&sim->outside, to);
	struct sim_node *n = sim_book_find(&sim->book, to);
	if (m == NULL)
		return n != NULL && n->o.nat == SIM_NAT_NONE && sim_node_runs(n) ? n : NULL;
	n = m->node;
	if (m->until <= sim->clock.now || !sim_node_runs(n) ||
	    (n->o.nat == SIM_NAT_ADDRESS && sim_book_find(&m->towards, &host) == NULL) ||
	    (n->o.nat == SIM_NAT_SYMMETRIC && !same_addr(&m->first, from)))
		return NULL;
	return n;
}

void sim_net_forget(struct sim_node *n)
{
	for (struct sim_mapping *m; (m = n->mapping) != NULL;) {
		n->mapping = m->next;
		sim_book_set(&n->sim->outside, &m->outside, NULL);
		sim_book_fini(&m->towards);
		free(m);
	}
}

/* ---- datagrams --------------------------------------------------------------------------------- */

/* Takes its place in a line: false when it would wait too long, and is dropped. */
static bool passes(const struct sim_line *line, shoal_us *free_at, uint64_t rate, size_t len, shoal_us now,
		   shoal_us *at)
{
	if (rate > 0 && sim_line_wait(*free_at, now) > sim_line_queue(line))
		return false;
	*at = sim_line_pass(free_at, rate, len + DATAGRAM_HEAD, now);
	return true;
}

static void flying_free(struct sim_flying *f)
{
	UNLINKED(f);
	sim_alarm_drop(&f->sim->clock, &f->alarm);
	free(f);
}

static void hears(struct sim_node *n, const struct sim_flying *f)
{
	struct shoal_bytes data = shoal_bytes(f->bytes, f->len);
	if (!n->guest_up)
		shoal_node_datagram(n->node, &f->from, data, false, n->sim->clock.now);
	else if (n->o.guest->datagram != NULL)
		n->o.guest->datagram(n->o.g, n, &f->from, data);
	sim_touch(n);
}

static void on_flying(struct sim_alarm *alarm)
{
	struct sim_flying *f = SIM_OF(alarm, struct sim_flying, alarm);
	struct sim *sim = f->sim;
	struct sim_host *service = sim_book_find(&sim->services, &f->to);
	struct sim_node *n = service == NULL ? comes_in(sim, &f->from, &f->to) : NULL;
	shoal_us at = 0;
	if (service != NULL)
		service->hear(service->to, &f->from, shoal_bytes(f->bytes, f->len));
	if (n == NULL || n->line.cut || n->line.side != f->side)
		return flying_free(f);
	if (!f->queued) {
		f->queued = true;
		if (sim_line_loses(&n->line, &sim->ether) ||
		    !passes(&n->line, &n->line.down_free, n->line.down, f->len, sim->clock.now, &at))
			return flying_free(f);
		return sim_alarm_set(&sim->clock, &f->alarm, at + sim_line_way(&n->line, &sim->ether));
	}
	hears(n, f);
	flying_free(f);
}

static void fly(struct sim *sim, const struct shoal_addr *from, const struct shoal_addr *to, unsigned side,
		struct shoal_bytes data, shoal_us at)
{
	struct sim_flying *f = sim_must(calloc(1, sizeof *f + data.len));
	f->alarm.ring = on_flying;
	f->sim = sim;
	f->from = *from;
	f->to = *to;
	f->side = side;
	f->len = data.len;
	memcpy(f->bytes, data.at, data.len);
	LINKED(&sim->flying, f);
	sim_alarm_set(&sim->clock, &f->alarm, at);
}

int sim_net_datagram(struct sim_node *n, const struct shoal_addr *to, struct shoal_bytes data)
{
	struct sim *sim = n->sim;
	shoal_us at;
	if (n->line.dead || data.len > DATAGRAM_MAX)
		return SHOAL_ERR_NET;
	sim->trace = sim_digest_u64(sim->trace, sim->clock.now ^ (uint64_t)n->index << 40);
	sim->trace = sim_digest(sim->trace, data.at, data.len);
	sim->wire_bytes += data.len;
	struct shoal_addr from = goes_out(n, to);
	if (n->line.cut || sim_line_loses(&n->line, &sim->ether) ||
	    !passes(&n->line, &n->line.up_free, n->line.up, data.len, sim->clock.now, &at))
		return 0; /* lost ones are nobody's fault */
	fly(sim, &from, to, n->line.side, data, at + sim_line_way(&n->line, &sim->ether));
	return 0;
}

void sim_guest_say(struct sim_node *n, const struct shoal_addr *to, struct shoal_bytes data)
{
	assert(n->guest_up);
	(void)sim_net_datagram(n, to, data);
}

/* ---- services and names -------------------------------------------------------------------------- */

void sim_service(struct sim *sim, const struct shoal_addr *addr,
		 void (*hear)(void *to, const struct shoal_addr *from, struct shoal_bytes data), void *to)
{
	struct sim_host *h = sim_must(calloc(1, sizeof *h));
	*h = (struct sim_host){ .next = sim->hosts, .addr = *addr, .hear = hear, .to = to };
	sim->hosts = h;
	sim_book_set(&sim->services, addr, h);
}

void sim_service_say(struct sim *sim, const struct shoal_addr *from, const struct shoal_addr *to,
		     struct shoal_bytes data)
{
	const struct sim_node *n = comes_in(sim, from, to);
	fly(sim, from, to, n != NULL ? n->line.side : 0, data, sim->clock.now + NOWHERE_DELAY);
}

void sim_name(struct sim *sim, const char *host, const struct shoal_addr *addr)
{
	struct sim_host *h = sim_must(calloc(1, sizeof *h));
	*h = (struct sim_host){ .next = sim->hosts, .name = sim_must(strdup(host)), .known = addr != NULL };
	if (addr != NULL)
		h->addr = *addr;
	sim->hosts = h; /* the last word about a name is found first */
}

static void on_question(struct sim_alarm *alarm)
{
	struct sim_question *q = SIM_OF(alarm, struct sim_question, alarm);
	struct sim_node *n = q->from;
	if (alive(n, q->life) && n->node != NULL) {
		shoal_node_resolved(n->node, q->cookie, &q->addr, q->known, q->known ? 0 : SHOAL_ERR_NET,
				    n->sim->clock.now);
		sim_touch(n);
	}
	UNLINKED(q);
	free(q);
}

int sim_net_resolve(struct sim_node *n, const char *host, uint64_t cookie)
{
	struct sim *sim = n->sim;
	if (n->line.dead)
		return SHOAL_ERR_NET;
	struct sim_question *q = sim_must(calloc(1, sizeof *q));
	const struct sim_host *h = sim->hosts;
	while (h != NULL && (h->name == NULL || strcmp(h->name, host) != 0))
		h = h->next;
	*q = (struct sim_question){ .alarm = { .ring = on_question },
				    .from = n,
				    .life = n->life,
				    .cookie = cookie,
				    .known = h != NULL && h->known && !n->line.cut };
	if (q->known)
		q->addr = host_of(&h->addr);
	LINKED(&sim->questions, q);
	sim_alarm_set(&sim->clock, &q->alarm, sim->clock.now + NAME_TAKES);
	return 0;
}

void sim_net_fini(struct sim *sim)
{
	while (sim->dials != NULL) {
		if (sim->dials->end != NULL)
			sim->dials->end->ops->close(sim->dials->end);
		dial_free(sim->dials);
	}
	while (sim->flying != NULL)
		flying_free(sim->flying);
	for (struct sim_question *q; (q = sim->questions) != NULL;) {
		sim_alarm_drop(&sim->clock, &q->alarm);
		UNLINKED(q);
		free(q);
	}
	for (struct sim_host *h; (h = sim->hosts) != NULL;) {
		sim->hosts = h->next;
		free(h->name);
		free(h);
	}
	sim_book_fini(&sim->book);
	sim_book_fini(&sim->outside);
	sim_book_fini(&sim->services);
}
