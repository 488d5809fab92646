/*
 * swarm/core/peer_mse.c - a peer's stream may be hidden (proto/mse.h): who does that, and when.
 *
 * Who comes to us may begin either way. Whom we dial is greeted plainly first:
 * that costs nothing, and blocks go by sendfile. Who ends a connection without
 * a word is dialled again at once the other way (contacts.c), and what worked
 * is remembered. Where plain is allowed it is also what we choose for the
 * payload behind the handshake.
 */
#include "proto/base/bytes.h"
#include "proto/mse.h"
#include "proto/transport_rc4.h"
#include "swarm/core/node_room.h"
#include "swarm/core/turnover.h"

/* Our greeting goes along with the first flight. */
static size_t greeting(struct shoal_peer *p, uint8_t to[SHOAL_MSE_PAYLOAD_MAX])
{
	struct shoal_pw_piece_out part;
	void *done;
	if (shoal_pw_output(p->pw, &part, 1) == 0 || part.at == NULL || part.len > SHOAL_MSE_PAYLOAD_MAX)
		return 0;
	memcpy(to, part.at, part.len);
	shoal_pw_sent(p->pw, part.len, &done, 1, p->born);
	return part.len;
}

int shoal_peer_mse_begin(struct shoal_peer *p)
{
	struct shoal_node *n = p->node;
	bool require = n->encryption == SHOAL_ENCRYPTION_REQUIRE;
	uint8_t seed[8], payload[SHOAL_MSE_PAYLOAD_MAX];
	struct shoal_mse_options o = { .methods = require ? SHOAL_MSE_RC4 : SHOAL_MSE_RC4 | SHOAL_MSE_PLAIN,
				       .initiator = !p->incoming,
				       .or_plain = !require };
	if (n->encryption == SHOAL_ENCRYPTION_OFF || (o.initiator && !require && !p->contact->mse))
		return 0;
	n->world.ops->secret(n->world.w, (struct shoal_space){ o.secret, sizeof o.secret });
	n->world.ops->secret(n->world.w, (struct shoal_space){ seed, sizeof seed });
	o.rng = shoal_rng_split(shoal_get_u64(seed), 1);
	if (o.initiator) {
		o.skey = p->swarm->has_v1 ? p->swarm->v1 : p->swarm->v2_short;
		o.payload = shoal_bytes(payload, greeting(p, payload));
	}
	int rc = shoal_mse_new(&p->mse, &o);
	return rc < 0 ? rc : shoal_peer_settle(p);
}

void shoal_peer_mse_end(struct shoal_peer *p)
{
	shoal_mse_free(p->mse);
	p->mse = NULL;
}

/* Work for a stranger: so much a second in all, and of one host. */
static bool may_agree(struct shoal_peer *p, shoal_us now)
{
	struct shoal_node *n = p->node;
	return shoal_patience_charge(&n->agreed, SHOAL_NODE_AGREES, 60 * SHOAL_NODE_AGREES, now) &&
	       shoal_guard_agrees(&n->guard, &p->addr, now);
}

/* The handshake is over: the stream goes on through ciphers, or as it is. */
static int pass(struct shoal_peer *p, const struct shoal_mse_event *ev)
{
	struct shoal_rc4 in, out;
	p->mse_over = true;
	if (ev->kind == SHOAL_MSE_NONE || ev->method != SHOAL_MSE_RC4)
		return 0;
	shoal_mse_ciphers(p->mse, &in, &out);
	p->bound = shoal_mse_binding(p->mse, &p->binding);
	return shoal_transport_rc4_new(&p->t, p->below, &in, &out);
}

static int on_event(struct shoal_peer *p, const struct shoal_mse_event *ev, shoal_us now)
{
	const struct shoal_skey *e;
	int rc = 0;
	switch (ev->kind) {
	case SHOAL_MSE_AGREE: return may_agree(p, now) ? shoal_mse_agree(p->mse) : SHOAL_ERR_BUSY;
	case SHOAL_MSE_SKEY:
		e = shoal_skeys_find(&p->node->skeys, &ev->skey_hash);
		shoal_mse_skey(p->mse, e != NULL ? &e->hash : NULL);
		return 0;
	case SHOAL_MSE_DONE:
	case SHOAL_MSE_NONE: rc = pass(p, ev); break;
	case SHOAL_MSE_PAYLOAD: break;
	}
	if (rc == 0)
		shoal_peer_feed(p, ev->bytes, now);
	return rc;
}

bool shoal_peer_mse_readable(struct shoal_peer *p, shoal_us now)
{
	while (!p->mse_over) {
		struct shoal_mse_event ev;
		struct shoal_space to = shoal_mse_space(p->mse);
		ptrdiff_t got = p->below->ops->recv(p->below, &to, 1);
		int rc = 0;
		if (got == 0)
			return false;
		if (got > 0)
			shoal_mse_filled(p->mse, (size_t)got);
		else
			rc = (int)got;
		while (rc == 0 && (rc = shoal_mse_poll(p->mse, &ev)) > 0) {
			rc = on_event(p, &ev, now);
			if (p->closing)
				return false;
		}
		if (rc == 0)
			rc = shoal_peer_settle(p);
		if (rc < 0) {
			shoal_peer_close(p, rc, now);
			return false;
		}
		shoal_peer_stir_out(p);
	}
	return true;
}

bool shoal_peer_mse_flush(struct shoal_peer *p, bool *blocked, shoal_us now)
{
	struct shoal_bytes out;
	while ((out = shoal_mse_output(p->mse)).len > 0) {
		ptrdiff_t sent = p->below->ops->send(p->below, &out, 1, false);
		if (sent < 0)
			shoal_peer_close(p, (int)sent, now);
		*blocked = sent == 0;
		if (sent <= 0)
			return false;
		shoal_mse_sent(p->mse, (size_t)sent);
	}
	if (!p->mse_over)
		return false;
	shoal_peer_mse_end(p);
	return true;
}
