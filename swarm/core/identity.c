/* swarm/core/identity.c - proofs of keys, and whose record counts. */
#include "swarm/core/identity.h"

#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "proto/reach.h"
#include "swarm/core/evidence.h"
#include "swarm/core/node_room.h"
#include "swarm/core/turnover.h"

bool shoal_identity_shows(const struct shoal_peer *p)
{
	const struct shoal_node *n = p->node;
	if (n->identity == NULL || n->show_key == SHOAL_SHOW_KEY_OFF || !n->policy->scores)
		return false;
	return n->show_key == SHOAL_SHOW_KEY_ON || (p->contact != NULL && p->contact->trusted) ||
	       shoal_reach_of(&p->addr) != SHOAL_REACH_GLOBAL;
}

static struct shoal_acquaintance *acquainted(struct shoal_peer *p)
{
	if (p->acquaintance == NULL && shoal_peer_grow(p, sizeof *p->acquaintance))
		p->acquaintance = calloc(1, sizeof *p->acquaintance);
	return p->acquaintance;
}

static void text_of(const struct shoal_peer *p, bool by_us, uint8_t text[SHOAL_KEY_TEXT])
{
	const struct shoal_acquaintance *a = p->acquaintance;
	const struct shoal_id20 *hash = p->v2 ? &p->swarm->v2_short : &p->swarm->v1;
	shoal_key_proof_text(by_us ? &a->ours : &a->theirs, by_us ? &a->theirs : &a->ours, hash,
			     p->bound ? &p->binding : NULL, text);
}

static void say(struct shoal_peer *p, const struct shoal_key_msg *msg, shoal_us now)
{
	uint8_t raw[SHOAL_KEY_MSG];
	shoal_key_msg_encode(msg, raw);
	shoal_peer_say_ext(p, p->ext_key, shoal_bytes(raw, sizeof raw), now);
}

void shoal_identity_greet(struct shoal_peer *p, shoal_us now)
{
	struct shoal_node *n = p->node;
	if (p->ext_key == 0 || !shoal_identity_shows(p) || (p->acquaintance != NULL && p->acquaintance->said))
		return;
	struct shoal_acquaintance *a = acquainted(p);
	if (a == NULL || !n->identity->key(n->identity->to, a->ours.key))
		return; /* one does without */
	if (!p->bound && n->identity->bind != NULL)
		p->bound = n->identity->bind(n->identity->to, &p->addr, &p->binding);
	a->ours.peer_id = p->swarm->peer_id;
	n->world.ops->secret(n->world.w, (struct shoal_space){ a->ours.nonce, sizeof a->ours.nonce });
	a->said = true;
	struct shoal_key_msg hello = { .kind = SHOAL_KEY_HELLO, .key = a->ours.key, .nonce = a->ours.nonce };
	say(p, &hello, now);
}

static int on_hello(struct shoal_peer *p, const struct shoal_key_msg *msg, shoal_us now)
{
	const struct shoal_identity *id = p->node->identity;
	struct shoal_acquaintance *a = p->acquaintance;
	uint8_t text[SHOAL_KEY_TEXT], sig[SHOAL_KEY_SIG];
	if (a->heard)
		return SHOAL_ERR_MALFORMED; /* one key a connection */
	a->heard = true;
	a->theirs.peer_id = p->id;
	memcpy(a->theirs.key, msg->key, SHOAL_KEY_BYTES);
	memcpy(a->theirs.nonce, msg->nonce, SHOAL_KEY_NONCE);
	if (memcmp(a->theirs.key, a->ours.key, SHOAL_KEY_BYTES) == 0)
		return 0; /* our own, sent back or shared: nothing is signed that could be sent back */
	text_of(p, true, text);
	if (!id->sign(id->to, shoal_bytes(text, sizeof text), sig))
		return 0;
	struct shoal_key_msg proof = { .kind = SHOAL_KEY_PROOF, .sig = sig };
	say(p, &proof, now);
	return 0;
}

static int on_proof(struct shoal_peer *p, const struct shoal_key_msg *msg, shoal_us now)
{
	struct shoal_node *n = p->node;
	struct shoal_acquaintance *a = p->acquaintance;
	uint8_t text[SHOAL_KEY_TEXT];
	if (!a->heard || a->judged)
		return SHOAL_ERR_MALFORMED; /* one signature a connection is looked at: it costs something */
	a->judged = true;
	text_of(p, false, text);
	if (memcmp(a->theirs.key, a->ours.key, SHOAL_KEY_BYTES) == 0 ||
	    !n->identity->verify(n->identity->to, a->theirs.key, shoal_bytes(text, sizeof text), msg->sig))
		return 0; /* somebody in the middle, perhaps: it stays without a name, and nobody is blamed */
	struct shoal_repute_entry *e = shoal_repute_take_key(&n->repute, a->theirs.key, &p->addr,
							     shoal_node_seconds(n, now));
	if (e == NULL)
		return 0;
	p->known_by = e;
	shoal_note_key(p, now);
	struct shoal_account *account = p->bound && p->contact != NULL ? p->contact->account : NULL;
	if (account != NULL && account->source == p->serial) { /* its first connection, and so all that it was */
		account->keyed = true;
		memcpy(account->key, a->theirs.key, SHOAL_KEY_BYTES);
	}
	if (p->bound && e->rep.state == SHOAL_REP_BANNED)
		return SHOAL_ERR_REFUSED;
	return 0;
}

int shoal_identity_heard(struct shoal_peer *p, struct shoal_bytes body, shoal_us now)
{
	struct shoal_key_msg msg;
	int rc = shoal_key_msg_decode(body, &msg);
	if (rc == SHOAL_ERR_UNSUPPORTED || p->acquaintance == NULL || !p->acquaintance->said)
		return shoal_peer_idle_talk(p, now); /* of a later version, or to one who does not answer */
	if (rc < 0)
		return rc;
	return msg.kind == SHOAL_KEY_HELLO ? on_hello(p, &msg, now) : on_proof(p, &msg, now);
}

void shoal_identity_end(struct shoal_peer *p)
{
	shoal_repute_give(&p->node->repute, p->known_by);
	p->known_by = NULL;
	free(p->acquaintance);
	p->acquaintance = NULL;
}

const struct shoal_rep *shoal_peer_standing(const struct shoal_peer *p)
{
	const struct shoal_rep *at = p->repute != NULL ? &p->repute->rep : NULL;
	const struct shoal_rep *key = p->known_by != NULL && p->bound ? &p->known_by->rep : NULL;
	if (at == NULL || key == NULL)
		return key != NULL ? key : at;
	if (at->state >= SHOAL_REP_PAROLE || key->state >= SHOAL_REP_PAROLE)
		return key->state > at->state ? key : at;
	return key->right + key->wrong >= at->right + at->wrong ? key : at;
}
