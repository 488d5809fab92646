/* adversary.c - the table of kinds, and what one of them does beside its connections; see adversary.h. */
#include "tools/lab/world/adversary.h"

#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "tools/lab/world/adversary_mind.h"
#include "tools/lab/world/world.h"

#define ALL 1000000u /* a share of one */
#define MANY 1000000u
#define VIEW_EVERY SHOAL_S(5) /* it looks for nodes it has not met */

#define COUNT(field, standard, least, text)                                                                           \
	{                                                                                                             \
#field, SIM_UNIT_COUNT, offsetof(struct sim_adversary_spec, field), standard, least, MANY, NULL, text \
	}
#define SHARE(field, standard, text)                                                                             \
	{                                                                                                        \
#field, SIM_UNIT_SHARE, offsetof(struct sim_adversary_spec, field), standard, 0, ALL, NULL, text \
	}
#define TIME(field, standard, text)                                                                               \
	{                                                                                                         \
#field, SIM_UNIT_TIME, offsetof(struct sim_adversary_spec, field), standard, 0, SHOAL_S(1000000), \
			NULL, text                                                                                \
	}
#define FLAG(field, text)                                                                              \
	{                                                                                              \
#field, SIM_UNIT_FLAG, offsetof(struct sim_adversary_spec, field), 0, 0, 1, NULL, text \
	}
#define WORD(field, words, most, text)                                                                     \
	{                                                                                                  \
#field, SIM_UNIT_WORD, offsetof(struct sim_adversary_spec, field), 0, 0, most, words, text \
	}
#define VIEW COUNT(view, 0, 0, "nodes it dials by itself, whoever was told of whom")
#define END                  \
	{                    \
		.name = NULL \
	}

static const char *const answers[] = { "ignore", "reject", "garbage", NULL };

static const struct sim_adversary_param of_honest[] = { END };
static const struct sim_adversary_param of_polluter[] = {
	SHARE(rate, ALL, "share of the blocks it serves that are false"),
	COUNT(burst, 1, 1, "false blocks in a row"),
	FLAG(last, "only the last block of a piece is ever false"),
	VIEW,
	END,
};
static const struct sim_adversary_param of_loris[] = {
	COUNT(quick, 15, 0, "blocks it serves well to each connection"),
	TIME(slow_from, SHOAL_S(8), "after these, one block each so long ..."),
	TIME(slow_until, SHOAL_S(15), "... to so long"),
	VIEW,
	END,
};
static const struct sim_adversary_param of_fake_haver[] = {
	WORD(answer, answers, 2, "what a request gets"),
	SHARE(claims, ALL, "share of the content that it says it has: the last of it"),
	VIEW,
	END,
};
static const struct sim_adversary_param of_free_rider[] = { VIEW, END };
static const struct sim_adversary_param of_traitor[] = {
	COUNT(good, 500, 0, "blocks it serves well ..."),
	COUNT(bad, 100, 1, "... before so many"),
	SHARE(rate, ALL / 2, "of which this share is false"),
	VIEW,
	END,
};
static const struct sim_adversary_param of_slanderer[] = {
	COUNT(hosts, 50, 1, "dead hosts in each message (PEX)"),
	TIME(every, SHOAL_S(60), "between two messages on a connection"),
	VIEW,
	END,
};
static const struct sim_adversary_param of_whitewasher[] = {
	SHARE(rate, ALL, "share of the blocks it serves that are false"),
	TIME(after, SHOAL_S(30), "from its first ban to its new identity"),
	TIME(life, 0, "from its start to a new identity, banned or not; 0: only when banned"),
	FLAG(same_net, "its new address is in the same /24"),
	COUNT(view, MANY, 0, "nodes it dials by itself, whoever was told of whom"),
	END,
};
static const struct sim_adversary_param of_relay[] = {
	COUNT(target, 0, 0, "the node it stands in front of, by number"),
	SHARE(rate, ALL / 2, "share of that node's blocks that it makes false"),
	END,
};
static const struct sim_adversary_param of_sybil[] = {
	COUNT(identities, 10, 1, "such nodes on one machine: each has that part of its line"),
	FLAG(same_net, "all of a machine are in one /24"),
	COUNT(view, MANY, 0, "nodes it dials by itself, whoever was told of whom"),
	END,
};

const struct sim_adversary_row sim_adversary_table[SIM_ADVERSARY_KINDS] = {
	[SIM_HONEST] = { "honest", "keeps to the protocol and gives what it has", of_honest },
	[SIM_POLLUTER] = { "polluter", "serves false blocks", of_polluter },
	[SIM_LORIS] = { "slow-loris", "serves well for a while, then hardly at all", of_loris },
	[SIM_FAKE_HAVER] = { "fake-haver", "says it has what it has not, and gives none of it", of_fake_haver },
	[SIM_FREE_RIDER] = { "free-rider", "takes, and gives nothing", of_free_rider },
	[SIM_TRAITOR] = { "traitor", "serves well, then a burst of false blocks, and again", of_traitor },
	[SIM_SLANDERER] = { "slanderer", "tells others of hosts that are not there", of_slanderer },
	[SIM_WHITEWASHER] = { "whitewasher", "a polluter that comes back as somebody else", of_whitewasher },
	[SIM_RELAY] = { "relay", "passes another's connections on as its own, and spoils what comes back", of_relay },
	[SIM_SYBIL] = { "sybil", "one of many free riders on one machine", of_sybil },
};

/* ---- the table ------------------------------------------------------------------------------- */

enum sim_adversary_kind sim_adversary_named(const char *name)
{
	unsigned kind = 0;
	while (kind < SIM_ADVERSARY_KINDS && strcmp(sim_adversary_table[kind].name, name) != 0)
		kind++;
	return kind;
}

const struct sim_adversary_param *sim_adversary_param(enum sim_adversary_kind kind, const char *name)
{
	const struct sim_adversary_param *p = sim_adversary_table[kind].param;
	while (p->name != NULL && strcmp(p->name, name) != 0)
		p++;
	return p->name != NULL ? p : NULL;
}

uint64_t *sim_adversary_value(struct sim_adversary_spec *spec, const struct sim_adversary_param *param)
{
	return (uint64_t *)(void *)((char *)spec + param->offset);
}

struct sim_adversary_spec sim_adversary_spec(enum sim_adversary_kind kind)
{
	struct sim_adversary_spec spec = { .kind = kind };
	for (const struct sim_adversary_param *p = sim_adversary_table[kind].param; p->name != NULL; p++)
		*sim_adversary_value(&spec, p) = p->standard;
	return spec;
}

/* ---- one of them ------------------------------------------------------------------------------- */

static struct sim_clock *clock_of(const struct sim_adversary *a)
{
	return sim_clock(a->node->sim);
}

/* It makes itself known to as many as it wants to see. */
static void look_around(struct sim_adversary *a)
{
	struct sim_node *n = a->node;
	while (a->met < sim_nodes(n->sim) && a->view < a->spec.view) {
		struct sim_node *other = sim_node(n->sim, a->met++);
		struct shoal_op op = { .kind = SHOAL_OP_PEER, .torrent = n->torrent, .addr = other->addr };
		if (other != n && sim_node_do(n, &op) == 0)
			a->view++;
	}
}

static void on_look(struct sim_alarm *alarm)
{
	struct sim_adversary *a = SIM_OF(alarm, struct sim_adversary, look);
	if (a->node->node == NULL)
		return;
	look_around(a);
	sim_alarm_set(clock_of(a), &a->look, clock_of(a)->now + VIEW_EVERY);
}

/* ---- identities ---------------------------------------------------------------------------------- */

/* The address of identity number `life`. Public, so that guards against crowds from one network apply. */
static struct shoal_addr address(const struct sim_adversary *a, unsigned life)
{
	static const uint32_t begin = 11u << 16, nets = 19u << 16; /* of /24s: 11/8 to 29/8 */
	struct shoal_addr addr = { .port = SIM_PORT, .is_v4 = 1 };
	uint32_t index = a->node->index;
	uint32_t net = index * 251u + life;
	uint32_t host = 0;
	if (a->spec.kind == SIM_SYBIL && a->spec.same_net) {
		net = index / (uint32_t)a->spec.identities * 251u;
		host = index % (uint32_t)a->spec.identities % 254;
	} else if (a->spec.same_net) {
		net = index * 251u;
		host = life % 254;
	}
	shoal_put_u32(addr.ip, (begin + net % nets) << 8 | (1 + host));
	return addr;
}

static void on_rebirth(struct sim_alarm *alarm)
{
	struct sim_adversary *a = SIM_OF(alarm, struct sim_adversary, rebirth);
	struct sim_node *n = a->node;
	if (n->node == NULL)
		return;
	sim_node_crash(n, SIM_CRASH_KILL);
	struct shoal_addr addr = address(a, (unsigned)++a->deeds.reborn);
	sim_node_move(n, &addr);
	sim_node_start(n);
}

void sim_adversary_banned(struct sim_adversary *a)
{
	shoal_us at = clock_of(a)->now + a->spec.after;
	if (a->spec.kind != SIM_WHITEWASHER || (sim_alarm_is_set(&a->rebirth) && a->rebirth.at <= at))
		return;
	sim_alarm_set(clock_of(a), &a->rebirth, at);
}

/* ---- its life -------------------------------------------------------------------------------------- */

struct sim_adversary *sim_adversary_new(struct sim_node *n)
{
	struct sim_adversary *a = calloc(1, sizeof *a);
	struct shoal_rng dice = n->rng; /* a copy: what its node draws stays as it is */
	if (a == NULL || n->o.adversary.kind >= SIM_ADVERSARY_KINDS)
		abort();
	a->node = n;
	a->spec = n->o.adversary;
	a->rng = shoal_rng_split(shoal_rng_u64(&dice), 4 * (uint64_t)n->index + 3);
	a->look.ring = on_look;
	a->rebirth.ring = on_rebirth;
	n->hand = sim_mind_ops[a->spec.kind];
	n->mind = a;
	if ((a->spec.kind == SIM_WHITEWASHER || a->spec.kind == SIM_SYBIL) && n->o.addr.port == 0) {
		struct shoal_addr addr = address(a, 0);
		sim_node_move(n, &addr);
	}
	if (a->spec.kind == SIM_SYBIL) {
		n->line.up /= a->spec.identities;
		n->line.down /= a->spec.identities;
	}
	if (a->spec.kind == SIM_RELAY) {
		n->o.guest = &sim_relay_guest;
		n->o.g = a;
	}
	return a;
}

void sim_adversary_free(struct sim_adversary *a)
{
	if (a == NULL)
		return;
	sim_alarm_drop(clock_of(a), &a->look);
	sim_alarm_drop(clock_of(a), &a->rebirth);
	free(a);
}

void sim_adversary_started(struct sim_adversary *a)
{
	shoal_us now = clock_of(a)->now;
	a->met = a->view = 0;
	if (a->spec.view > 0)
		sim_alarm_set(clock_of(a), &a->look, now);
	sim_alarm_drop(clock_of(a), &a->rebirth);
	if (a->spec.life > 0)
		sim_alarm_set(clock_of(a), &a->rebirth, now + a->spec.life);
}

const struct sim_adversary_deeds *sim_adversary_deeds(const struct sim_adversary *a)
{
	return &a->deeds;
}
