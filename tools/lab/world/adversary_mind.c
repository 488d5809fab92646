/* adversary_mind.c - see adversary_mind.h. */
#include "tools/lab/world/adversary_mind.h"

#include <stdlib.h>
#include <string.h>
#include "proto/base/slots.h"
#include "proto/extension.h"
#include "proto/pex.h"
#include "tools/lab/world/world.h"

#define HELD_MAX 4096 /* requests of one connection that wait on purpose; others are forgotten */

bool sim_mind_chance(struct sim_adversary *a, uint64_t ppm)
{
	return shoal_rng_below(&a->rng, 1000000) < ppm;
}

static void count_block(struct sim_guise *g, const struct shoal_wire_msg *msg)
{
	struct sim_adversary *a = g->mind;
	a->deeds.got += msg->id == SHOAL_WIRE_PIECE ? msg->body.len : 0;
}

/* It listens as an honest node would. */
static bool hears_all(struct sim_guise *g, const struct shoal_wire_msg *msg)
{
	count_block(g, msg);
	return true;
}

/* ---- polluter -------------------------------------------------------------------------------- */

static bool is_last(const struct sim_adversary *a, const struct shoal_wire_msg *msg)
{
	const struct shoal_metainfo *mi = a->node->witness.content->mi;
	return msg->begin + msg->body.len == shoal_metainfo_piece_bytes(mi, msg->index);
}

/* So that `rate` of all blocks are spoiled, `burst` at a time. */
static bool spoils(struct sim_adversary *a, const struct shoal_wire_msg *msg)
{
	uint64_t burst = a->spec.burst > 0 ? a->spec.burst : 1;
	if (a->spec.last && !is_last(a, msg))
		return false;
	if (a->spoiling == 0 && a->spec.rate < 1000000) {
		/* A good block, or a burst: of (1 - p) + p * burst blocks, p * burst are bad. */
		uint64_t p = a->spec.rate * 1000000 / (burst * 1000000 - (burst - 1) * a->spec.rate);
		if (!sim_mind_chance(a, p))
			return false;
	}
	a->spoiling = a->spoiling > 0 ? a->spoiling - 1 : burst - 1;
	return true;
}

/* One bit of its block turns. */
void sim_mind_spoil(struct sim_adversary *a, const struct shoal_wire_msg *msg, struct shoal_space raw)
{
	/* What is carried of a block by its head is false only if that is. */
	size_t at = shoal_rng_below(&a->rng, (uint32_t)msg->body.len);
	at = msg->body.len > SIM_HEAD ? at % SIM_HEAD : at;
	raw.at[raw.len - msg->body.len + at] ^= (uint8_t)(1u << shoal_rng_below(&a->rng, 8));
	a->deeds.spoiled++;
}

static bool polluter_says(struct sim_guise *g, const struct shoal_wire_msg *msg, struct shoal_space raw)
{
	struct sim_adversary *a = g->mind;
	if (msg->id != SHOAL_WIRE_PIECE)
		return true;
	a->deeds.blocks++;
	if (spoils(a, msg))
		sim_mind_spoil(a, msg, raw);
	return true;
}

/* ---- traitor ------------------------------------------------------------------------------------ */

static bool traitor_says(struct sim_guise *g, const struct shoal_wire_msg *msg, struct shoal_space raw)
{
	struct sim_adversary *a = g->mind;
	if (msg->id != SHOAL_WIRE_PIECE)
		return true;
	if (a->deeds.blocks++ % (a->spec.good + a->spec.bad) >= a->spec.good && sim_mind_chance(a, a->spec.rate))
		sim_mind_spoil(a, msg, raw);
	return true;
}

/* ---- slow-loris -------------------------------------------------------------------------------- */

/* One connection: how much it was given, and what waits. */
struct queue {
	uint64_t served;
	struct shoal_wire_msg held[HELD_MAX];
	unsigned head, count;
	shoal_us next;
};

static void loris_begins(struct sim_guise *g)
{
	g->word = calloc(1, sizeof(struct queue));
	if (g->word == NULL)
		abort();
}

static void frees_word(struct sim_guise *g)
{
	free(g->word);
}

static void loris_due(struct sim_guise *g)
{
	struct sim_adversary *a = g->mind;
	struct queue *q = g->word;
	shoal_us span = a->spec.slow_until > a->spec.slow_from ? a->spec.slow_until - a->spec.slow_from : 0;
	if (q->count > 0) {
		sim_guise_tell(g, &q->held[q->head]);
		q->head = (q->head + 1) % HELD_MAX;
		q->count--;
	}
	q->next = g->clock->now + a->spec.slow_from + (span > 0 ? shoal_rng_u64(&a->rng) % span : 0);
	sim_guise_wake(g, q->count > 0 ? q->next : SHOAL_NEVER);
}

static void forget(struct queue *q, const struct shoal_wire_msg *cancel)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < q->count; i++) {
		const struct shoal_wire_msg *m = &q->held[(q->head + i) % HELD_MAX];
		if (m->index != cancel->index || m->begin != cancel->begin || m->len != cancel->len)
			q->held[(q->head + kept++) % HELD_MAX] = *m;
	}
	q->count = kept;
}

static bool loris_hears(struct sim_guise *g, const struct shoal_wire_msg *msg)
{
	struct sim_adversary *a = g->mind;
	struct queue *q = g->word;
	count_block(g, msg);
	if (msg->id == SHOAL_WIRE_CANCEL) {
		forget(q, msg);
		return true;
	}
	if (msg->id != SHOAL_WIRE_REQUEST || (q->served++ < a->spec.quick && q->count == 0))
		return true;
	a->deeds.held++;
	if (q->count < HELD_MAX)
		q->held[(q->head + q->count++) % HELD_MAX] = *msg;
	if (q->count == 1)
		sim_guise_wake(g, q->next > g->clock->now ? q->next : g->clock->now + a->spec.slow_from);
	return false;
}

static bool loris_says(struct sim_guise *g, const struct shoal_wire_msg *msg, struct shoal_space raw)
{
	struct sim_adversary *a = g->mind;
	struct queue *q = g->word;
	(void)raw;
	a->deeds.blocks += msg->id == SHOAL_WIRE_PIECE;
	if (msg->id != SHOAL_WIRE_CHOKE)
		return true;
	/* Its node knows nothing of what is held, and does not reject it. */
	for (unsigned i = 0; i < q->count && sim_guise_fast(g); i++) {
		struct shoal_wire_msg no = q->held[(q->head + i) % HELD_MAX];
		no.id = SHOAL_WIRE_REJECT;
		sim_guise_say(g, &no);
	}
	q->count = 0;
	return true;
}

/* ---- fake-haver -------------------------------------------------------------------------------- */

static void fake_begins(struct sim_guise *g)
{
	const struct sim_adversary *a = g->mind;
	uint32_t pieces = shoal_metainfo_piece_count(a->node->witness.content->mi);
	size_t len = (pieces + 7) / 8;
	uint8_t *claims = calloc(len, 1);
	if (claims == NULL)
		abort();
	for (uint64_t i = pieces - pieces * a->spec.claims / 1000000; i < pieces; i++)
		claims[i / 8] |= (uint8_t)(0x80 >> i % 8);
	sim_guise_say(g, &(struct shoal_wire_msg){ .id = SHOAL_WIRE_BITFIELD, .body = { claims, len } });
	sim_guise_say(g, &(struct shoal_wire_msg){ .id = SHOAL_WIRE_UNCHOKE });
	free(claims);
}

/* Of what its node says, only what is not about pieces. */
static bool fake_says(struct sim_guise *g, const struct shoal_wire_msg *msg, struct shoal_space raw)
{
	(void)g;
	(void)raw;
	return msg->id == SHOAL_WIRE_EXTENDED || msg->id == SHOAL_WIRE_KEEPALIVE || msg->id == SHOAL_WIRE_HASHES ||
	       msg->id == SHOAL_WIRE_HASH_REJECT;
}

static bool fake_hears(struct sim_guise *g, const struct shoal_wire_msg *msg)
{
	struct sim_adversary *a = g->mind;
	struct shoal_wire_msg answer = *msg;
	uint8_t bytes[SHOAL_WIRE_BLOCK_MAX];
	if (msg->id == SHOAL_WIRE_INTERESTED || msg->id == SHOAL_WIRE_NOT_INTERESTED || msg->id == SHOAL_WIRE_CANCEL)
		return false;
	if (msg->id != SHOAL_WIRE_REQUEST)
		return true;
	a->deeds.refused++;
	if (a->spec.answer == SIM_ANSWER_REJECT && sim_guise_fast(g)) {
		answer.id = SHOAL_WIRE_REJECT;
		sim_guise_say(g, &answer);
	} else if (a->spec.answer == SIM_ANSWER_GARBAGE && msg->len <= sizeof bytes && msg->len > 0) {
		for (uint32_t i = 0; i < msg->len; i++)
			bytes[i] = (uint8_t)shoal_rng_next(&a->rng);
		answer.id = SHOAL_WIRE_PIECE;
		answer.body = shoal_bytes(bytes, msg->len);
		sim_guise_say(g, &answer);
		a->deeds.blocks++;
		a->deeds.spoiled++;
	}
	return false;
}

/* ---- free rider -------------------------------------------------------------------------------- */

/* Nobody is interested in it, as far as it hears: so it serves nobody. */
static bool rider_hears(struct sim_guise *g, const struct shoal_wire_msg *msg)
{
	struct sim_adversary *a = g->mind;
	count_block(g, msg);
	a->deeds.refused += msg->id == SHOAL_WIRE_REQUEST;
	return msg->id != SHOAL_WIRE_INTERESTED && msg->id != SHOAL_WIRE_REQUEST && msg->id != SHOAL_WIRE_CANCEL;
}

static bool rider_says(struct sim_guise *g, const struct shoal_wire_msg *msg, struct shoal_space raw)
{
	struct sim_adversary *a = g->mind;
	(void)raw;
	a->deeds.blocks += msg->id == SHOAL_WIRE_PIECE;
	return msg->id != SHOAL_WIRE_UNCHOKE && msg->id != SHOAL_WIRE_ALLOWED_FAST;
}

/* ---- slanderer ---------------------------------------------------------------------------------- */

#define FIRST_WORD SHOAL_S(5)

/* Its node's own PEX is kept back: what the other hears is the slander alone. `word`: the other's number for it. */
struct tongue {
	uint8_t pex;
};

static void slanderer_begins(struct sim_guise *g)
{
	g->word = calloc(1, sizeof(struct tongue));
	if (g->word == NULL)
		abort();
	sim_guise_wake(g, g->clock->now + FIRST_WORD);
}

static void slanderer_due(struct sim_guise *g)
{
	static const uint32_t begin = 30u << 24, range = 70u << 24; /* 30/8 to 99/8: no node of ours is there */
	struct sim_adversary *a = g->mind;
	const struct tongue *tongue = g->word;
	struct shoal_pex pex = { .added_count = 0 };
	uint8_t body[SHOAL_PEX_BYTES];
	sim_guise_wake(g, g->clock->now + a->spec.every);
	if (tongue->pex == 0)
		return;
	while (pex.added_count < a->spec.hosts && pex.added_count < SHOAL_PEX_MOST / 2) {
		struct shoal_pex_peer *p = &pex.added[pex.added_count++];
		*p = (struct shoal_pex_peer){ .addr = { .port = SIM_PORT, .is_v4 = 1 },
					      .flags = SHOAL_PEX_REACHABLE | SHOAL_PEX_SEED };
		shoal_put_u32(p->addr.ip, begin + shoal_rng_below(&a->rng, range));
	}
	ptrdiff_t n = shoal_pex_encode(&pex, (struct shoal_space){ body, sizeof body });
	if (n < 0)
		abort();
	sim_guise_say(g, &(struct shoal_wire_msg){
				 .id = SHOAL_WIRE_EXTENDED, .ext = tongue->pex, .body = { body, (size_t)n } });
	a->deeds.slander += pex.added_count;
}

static bool slanderer_hears(struct sim_guise *g, const struct shoal_wire_msg *msg)
{
	struct tongue *tongue = g->word;
	count_block(g, msg);
	if (msg->id != SHOAL_WIRE_EXTENDED || msg->ext != 0)
		return true;
	struct shoal_ext_handshake hs;
	if (shoal_ext_handshake_decode(msg->body, &hs) < 0)
		return true;
	for (size_t i = 0; i < hs.m_count; i++)
		if (strcmp(hs.m[i].name, "ut_pex") == 0)
			tongue->pex = hs.m[i].id;
	return true;
}

static bool slanderer_says(struct sim_guise *g, const struct shoal_wire_msg *msg, struct shoal_space raw)
{
	struct sim_adversary *a = g->mind;
	const struct tongue *tongue = g->word;
	(void)raw;
	a->deeds.blocks += msg->id == SHOAL_WIRE_PIECE;
	return msg->id != SHOAL_WIRE_EXTENDED || msg->ext == 0 || msg->ext != tongue->pex;
}

/* ---- all of them ----------------------------------------------------------------------------------- */

static const struct sim_guise_ops polluter = { .says = polluter_says, .hears = hears_all };
static const struct sim_guise_ops loris = {
	.begins = loris_begins, .says = loris_says, .hears = loris_hears, .due = loris_due, .ends = frees_word
};
static const struct sim_guise_ops fake_haver = { .begins = fake_begins, .says = fake_says, .hears = fake_hears };
static const struct sim_guise_ops traitor = { .says = traitor_says, .hears = hears_all };
static const struct sim_guise_ops slanderer = { .begins = slanderer_begins,
						.says = slanderer_says,
						.hears = slanderer_hears,
						.due = slanderer_due,
						.ends = frees_word };
static const struct sim_guise_ops free_rider = { .says = rider_says, .hears = rider_hears };

const struct sim_guise_ops *const sim_mind_ops[SIM_ADVERSARY_KINDS] = {
	[SIM_POLLUTER] = &polluter,	[SIM_LORIS] = &loris,	   [SIM_FAKE_HAVER] = &fake_haver,
	[SIM_FREE_RIDER] = &free_rider, [SIM_TRAITOR] = &traitor,  [SIM_SLANDERER] = &slanderer,
	[SIM_WHITEWASHER] = &polluter,	[SIM_SYBIL] = &free_rider,
};
