/* swarm/core/hints.c - see hints.h. */
#include "swarm/core/hints.h"

#include <stdlib.h>
#include "proto/leaf_hints.h"
#include "swarm/core/evidence.h"
#include "swarm/core/node_room.h"

/* ---- asking ------------------------------------------------------------------------------------ */

static void say(struct shoal_peer *p, const struct shoal_hint_msg *msg, shoal_us now)
{
	uint8_t raw[SHOAL_HINT_HEAD];
	ptrdiff_t n = shoal_hint_encode(msg, (struct shoal_space){ raw, sizeof raw });
	if (n > 0)
		shoal_peer_say_ext(p, p->ext_leaves, shoal_bytes(raw, (size_t)n), now);
}

static bool may_know(const struct shoal_peer *p, uint32_t piece)
{
	return p->ext_leaves != 0 && !p->closing && shoal_bits_get(&p->have, piece) &&
	       shoal_rep_regard(shoal_peer_standing(p)) != SHOAL_REGARD_BAD;
}

static bool may_be_asked(const struct shoal_peer *p)
{
	return p->hints_owed < SHOAL_HINTS_ASKED && p->hints_in_vain < SHOAL_HINTS_IN_VAIN;
}

/* What it was asked for last may yet turn out to be of use. */
static bool is_awaited(const struct shoal_peer *p, shoal_us now)
{
	return p->hint_at != 0 && p->hint_at + SHOAL_EVIDENCE_DISPUTE > now;
}

bool shoal_hints_hoped(const struct shoal_swarm *s, uint32_t piece, shoal_us now)
{
	const struct shoal_peer *p = s->peers;
	while (p != NULL && !(may_know(p, piece) && (may_be_asked(p) || is_awaited(p, now))))
		p = p->in_swarm;
	return p != NULL;
}

/* Less is better. Whoever sent some of the piece may have a reason to say that it was others. */
static unsigned rank_of(const struct shoal_peer *p, const struct shoal_open *open)
{
	return (unsigned)p->hints_in_vain << 16 | (unsigned)shoal_rep_regard(shoal_peer_standing(p)) << 12 |
	       (unsigned)shoal_open_has_source(open, p->source) << 8 | p->hints_owed;
}

bool shoal_hints_ask(struct shoal_swarm *s, struct shoal_open *open, uint32_t not_of, shoal_us now)
{
	struct shoal_peer *best = NULL;
	for (struct shoal_peer *p = s->peers; p != NULL; p = p->in_swarm)
		if (may_know(p, open->piece) && may_be_asked(p) && p->source != not_of &&
		    (best == NULL || rank_of(p, open) < rank_of(best, open)))
			best = p;
	if (best == NULL)
		return false;
	best->hints_owed++;
	best->hints_in_vain++; /* until it has helped */
	best->hint_at = now;
	open->hint_of = best->serial;
	say(best, &(struct shoal_hint_msg){ .kind = SHOAL_HINT_ASK, .piece = open->piece }, now);
	return !best->closing;
}

void shoal_hints_helped(struct shoal_swarm *s, const struct shoal_open *open)
{
	struct shoal_peer *p = open->hinted ? shoal_node_peer(s->node, open->hint_of) : NULL;
	if (p != NULL)
		p->hints_in_vain = 0;
}

static int on_answer(struct shoal_peer *p, const struct shoal_hint_msg *msg, shoal_us now)
{
	struct shoal_swarm *s = p->swarm;
	if (p->hints_owed == 0)
		return shoal_peer_idle_talk(p, now); /* nobody asked */
	p->hints_owed--;
	struct shoal_open *open = s->mi != NULL ? shoal_landing_find(&s->landing, msg->piece) : NULL;
	if (open == NULL || open->state != SHOAL_OPEN_DISPUTED || open->hint_of != p->serial)
		return 0; /* it was waited for no longer */
	bool tells = msg->kind == SHOAL_HINT_TELL && msg->blocks == open->blocks;
	shoal_evidence_hint(s, open, tells ? msg->digest : NULL, now);
	if (tells)
		shoal_evidence_ask_again(s, now);
	return 0;
}

/* ---- answering --------------------------------------------------------------------------------- */

static int on_ask(struct shoal_peer *p, uint32_t piece, shoal_us now)
{
	struct shoal_swarm *s = p->swarm;
	struct shoal_check *check;
	if (shoal_peer_idle_talk(p, now) < 0)
		return SHOAL_ERR_REFUSED;
	if (p->ext_leaves == 0) /* it would not understand */
		return 0;
	bool ours = s->mi != NULL && !s->has_v2 && shoal_swarm_running(s) && piece < s->claimed.count &&
		    shoal_bits_get(&s->claimed, piece) && !shoal_super_masked(p);
	/* Small as it is, it goes along with whatever else that one is sent. */
	if (ours && shoal_pw_queued(p->pw) < SHOAL_PEER_OUT_HIGH &&
	    shoal_patience_charge_many(&p->leaves, shoal_swarm_piece_mib(s, piece), SHOAL_PATIENCE_HINTS,
				       SHOAL_PATIENCE_HINTS_MINUTE, now) &&
	    shoal_swarm_check_piece(s, piece, SHOAL_CHECK_LEAVES, SHOAL_DISK_LEAVES, &check) == 0) {
		check->peer_serial = p->serial;
		return 0;
	}
	say(p, &(struct shoal_hint_msg){ .kind = SHOAL_HINT_NONE, .piece = piece }, now);
	return 0;
}

void shoal_hints_ready(struct shoal_swarm *s, struct shoal_check *check, shoal_us now)
{
	struct shoal_peer *p = shoal_node_peer(s->node, check->peer_serial);
	uint32_t blocks = (check->hash.bytes + SHOAL_BLOCK - 1) / SHOAL_BLOCK;
	size_t room = SHOAL_HINT_HEAD + (size_t)blocks * 32;
	struct shoal_hint_msg msg = { .kind = SHOAL_HINT_TELL,
				      .piece = check->piece,
				      .blocks = blocks,
				      .digest = (const uint8_t(*)[32])check->hash.leaf };
	if (check->job.err == SHOAL_ERR_GONE || (check->job.err == 0 && !check->hash.good))
		shoal_swarm_withdraw(s, check->piece, now);
	if (p == NULL || p->swarm != s || p->closing)
		return;
	bool tells = check->job.err == 0 && check->hash.good && shoal_peer_has_room(p, room);
	uint8_t *raw = tells ? malloc(room) : NULL;
	ptrdiff_t n = raw != NULL ? shoal_hint_encode(&msg, (struct shoal_space){ raw, room }) : SHOAL_ERR_NOMEM;
	if (n > 0)
		shoal_peer_say_ext(p, p->ext_leaves, shoal_bytes(raw, (size_t)n), now);
	else
		say(p, &(struct shoal_hint_msg){ .kind = SHOAL_HINT_NONE, .piece = check->piece }, now);
	free(raw);
}

int shoal_hints_heard(struct shoal_peer *p, struct shoal_bytes body, shoal_us now)
{
	struct shoal_hint_msg msg;
	int rc = shoal_hint_decode(body, &msg);
	if (rc == SHOAL_ERR_UNSUPPORTED)
		return shoal_peer_idle_talk(p, now); /* of a later version */
	if (rc < 0)
		return rc;
	return msg.kind == SHOAL_HINT_ASK ? on_ask(p, msg.piece, now) : on_answer(p, &msg, now);
}
