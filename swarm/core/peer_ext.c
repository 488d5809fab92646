/* swarm/core/peer_ext.c - extensions of one connection (BEP 10): the handshake, ut_metadata, lt_donthave, the user's own. */
#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "proto/leaf_hints.h"
#include "proto/reach.h"
#include "swarm/core/node_room.h"
#include "swarm/core/punch.h"

/* ---- ours ------------------------------------------------------------------------------ */

static void ext_name(struct shoal_ext_handshake *hs, const char *name, uint8_t id)
{
	struct shoal_ext_name *m = &hs->m[hs->m_count++];
	size_t len = strlen(name);
	memcpy(m->name, name, len < sizeof m->name ? len + 1 : sizeof m->name);
	m->id = id;
}

void shoal_peer_say_ext_handshake(struct shoal_peer *p, shoal_us now)
{
	struct shoal_swarm *s = p->swarm;
	struct shoal_ext_handshake *hs = calloc(1, sizeof *hs);
	uint8_t body[2048];
	if (hs == NULL)
		return shoal_peer_close(p, SHOAL_ERR_NOMEM, now);
	bool pex = shoal_swarm_gossips(s);
	if (pex || p->pex_said) /* a magnet may turn out to be private: 0 takes it back */
		ext_name(hs, "ut_pex", pex ? SHOAL_EXT_PEX : 0);
	p->pex_said = pex || p->pex_said;
	ext_name(hs, "ut_metadata", SHOAL_EXT_METADATA);
	ext_name(hs, "lt_donthave", SHOAL_EXT_DONTHAVE);
	if (pex && shoal_node_punches(p->node))
		ext_name(hs, "ut_holepunch", SHOAL_EXT_PUNCH);
	if (shoal_identity_shows(p))
		ext_name(hs, SHOAL_KEY_PROOF_NAME, SHOAL_EXT_KEY);
	if (!s->has_v2) /* whose leaf hashes are proven */
		ext_name(hs, SHOAL_HINT_NAME, SHOAL_EXT_LEAVES);
	for (size_t i = 0; i < p->node->ext_count; i++)
		hs->m[hs->m_count++] = p->node->ext[i];
	hs->v = shoal_bytes(p->node->agent, strlen(p->node->agent));
	hs->reqq = SHOAL_PEER_REQQ;
	hs->port = p->node->port;
	/* Who is kept in the dark (BEP 16) would leave one that only gives, and seems to have nothing. */
	p->said_uploads_only = s->mi != NULL && shoal_swarm_uploads_only(s) && !shoal_super_masked(p);
	hs->upload_only = p->said_uploads_only;
	if (s->mi != NULL)
		hs->metadata_size = shoal_metainfo_info(s->mi).len;
	hs->upload_only = shoal_select_partial(s);
	hs->says_not_only = p->said_upload_only;
	p->said_upload_only = hs->upload_only;
	hs->yourip = p->addr;
	hs->has_yourip = true;
	ptrdiff_t n = shoal_ext_handshake_encode(hs, (struct shoal_space){ body, sizeof body });
	free(hs);
	if (n > 0)
		shoal_peer_say_ext(p, 0, shoal_bytes(body, (size_t)n), now);
}

void shoal_peer_say_upload_only(struct shoal_peer *p, shoal_us now)
{
	if (p->ext_said && p->said_upload_only != shoal_select_partial(p->swarm))
		shoal_peer_say_ext_handshake(p, now);
}

/* ---- theirs ---------------------------------------------------------------------------- */

static int on_donthave(struct shoal_peer *p, struct shoal_bytes body, shoal_us now)
{
	if (body.len != 4)
		return SHOAL_ERR_MALFORMED;
	uint32_t piece = shoal_get_u32(body.at);
	if (shoal_peer_idle_talk(p, now) < 0)
		return SHOAL_ERR_REFUSED;
	if (p->swarm->mi == NULL || piece >= p->have.count)
		return 0;
	if (p->counted) {
		bool as_seed = shoal_bits_full(&p->have) && !p->one_by_one;
		if (as_seed)
			shoal_picker_peer_gone(p->swarm->picker, &p->have);
		bool had = shoal_bits_clear(&p->have, piece);
		if (as_seed)
			shoal_picker_peer_joined(p->swarm->picker, &p->have);
		else if (had)
			shoal_picker_peer_lost(p->swarm->picker, piece);
		p->one_by_one = true;
	}
	shoal_peer_interest(p, now);
	return 0;
}

static int on_ext_handshake(struct shoal_peer *p, struct shoal_bytes body, shoal_us now)
{
	struct shoal_ext_handshake *hs = malloc(sizeof *hs);
	if (hs == NULL)
		return SHOAL_ERR_NOMEM;
	int rc = ++p->ext_handshakes > SHOAL_PEER_EXT_HANDSHAKES ? SHOAL_ERR_REFUSED : 0;
	if (rc == 0)
		rc = shoal_ext_handshake_decode(body, hs);
	for (size_t i = 0; rc == 0 && i < hs->m_count; i++) {
		const struct shoal_ext_name *m = &hs->m[i];
		if (strcmp(m->name, "ut_metadata") == 0)
			p->ext_metadata = m->id;
		else if (strcmp(m->name, "ut_pex") == 0)
			p->ext_pex = m->id;
		else if (strcmp(m->name, "lt_donthave") == 0)
			p->ext_donthave = m->id;
		else if (strcmp(m->name, "ut_holepunch") == 0)
			p->ext_punch = m->id;
		else if (strcmp(m->name, SHOAL_KEY_PROOF_NAME) == 0)
			p->ext_key = m->id;
		else if (strcmp(m->name, SHOAL_HINT_NAME) == 0)
			p->ext_leaves = m->id;
		for (size_t k = 0; k < p->node->ext_count; k++) {
			if (strcmp(m->name, p->node->ext[k].name) != 0)
				continue;
			size_t at = 0;
			while (at < p->ext_user_count && strcmp(p->ext_user[at].name, m->name) != 0)
				at++;
			if (at < SHOAL_EXT_USER_MAX) {
				p->ext_user[at] = *m;
				p->ext_user_count += at == p->ext_user_count;
			}
		}
	}
	if (rc == 0) {
		if (hs->reqq != 0)
			p->reqq = hs->reqq;
		p->upload_only = hs->upload_only;
		bool renamed = false;
		size_t n = hs->v.len < sizeof p->client - 1 ? hs->v.len : sizeof p->client - 1;
		if (n > 0) {
			memcpy(p->client, hs->v.at, n);
			p->client[n] = 0;
			renamed = true;
		}
		bool heard_port = hs->port != 0 && p->listen_port == 0;
		if (heard_port) {
			p->listen_port = hs->port;
			if (p->incoming && p->contact == NULL) {
				/* now it has an address somebody could dial: its account in the book */
				struct shoal_addr addr = p->addr;
				addr.port = hs->port;
				struct shoal_contact *c = shoal_swarm_contact(p->swarm, &addr, SHOAL_FROM_INCOMING,
									      now);
				/* It has come back, and the connection it had is only not known to be dead. Two that live
				 * may well share an address and a port, behind a NAT. */
				if (c != NULL && c->peer != NULL && c->peer != p &&
				    shoal_pw_heard(c->peer->pw) + SHOAL_PEER_QUIET <= now)
					shoal_peer_close(c->peer, SHOAL_ERR_EXISTS, now);
				if (c != NULL && c->banned) /* its host has others of ours: only the port tells */
					rc = SHOAL_ERR_REFUSED;
				else if (c != NULL)
					shoal_contact_came(p->swarm, c, p, now);
				if (p->closing)
					rc = SHOAL_ERR_REFUSED;
			}
		}
		if (heard_port)
			shoal_note_peer(p, now);
		if (renamed)
			shoal_note_client(p, now);
		if (p->swarm->mi == NULL)
			p->metadata_ask_after = hs->metadata_size ? now : SHOAL_NEVER;
		p->early_metadata_size = hs->metadata_size;
		if (p->ext_pex != 0 && p->pex_at == 0)
			p->pex_at = now + SHOAL_PEX_FIRST;
		if (hs->has_yourip && !p->voted && shoal_reach_of(&p->addr) == SHOAL_REACH_GLOBAL) {
			p->voted = true;
			shoal_node_seen_as(p->node, &hs->yourip);
		}
		shoal_peer_stir_in(p);
		if (rc == 0)
			shoal_identity_greet(p, now);
	}
	free(hs);
	return rc;
}

static int on_metadata(struct shoal_peer *p, struct shoal_bytes body, shoal_us now)
{
	struct shoal_metadata_msg msg;
	struct shoal_swarm *s = p->swarm;
	int rc = shoal_metadata_decode(body, &msg);
	if (rc < 0)
		return rc;
	if (msg.kind == SHOAL_METADATA_REQUEST)
		return shoal_swarm_metadata_asked(s, p, msg.piece, now);
	if (s->mi != NULL)
		return 0;
	if (msg.kind == SHOAL_METADATA_DATA)
		return shoal_swarm_metadata_came(s, p, &msg, now);
	if (msg.kind == SHOAL_METADATA_REJECT) {
		if (p->metadata_asked > 0)
			p->metadata_asked--;
		shoal_metadata_refused(&s->metadata, p->early_metadata_size, msg.piece, p->serial);
		p->metadata_ask_after = now + SHOAL_S(30);
	}
	return 0;
}

int shoal_peer_extended(struct shoal_peer *p, const struct shoal_wire_msg *msg, shoal_us now)
{
	if (msg->ext == 0)
		return on_ext_handshake(p, msg->body, now);
	if (msg->ext == SHOAL_EXT_PEX)
		return shoal_peer_pex(p, msg->body, now);
	if (msg->ext == SHOAL_EXT_METADATA)
		return on_metadata(p, msg->body, now);
	if (msg->ext == SHOAL_EXT_DONTHAVE)
		return on_donthave(p, msg->body, now);
	if (msg->ext == SHOAL_EXT_KEY)
		return shoal_identity_heard(p, msg->body, now);
	if (msg->ext == SHOAL_EXT_LEAVES)
		return shoal_hints_heard(p, msg->body, now);
	if (msg->ext == SHOAL_EXT_PUNCH)
		return shoal_peer_holepunch(p, msg->body, now);
	for (size_t i = 0; i < p->node->ext_count; i++) {
		const struct shoal_ext_name *m = &p->node->ext[i];
		if (m->id != msg->ext)
			continue;
		struct shoal_event ev = { .kind = SHOAL_EV_EXT,
					  .peer = p->serial,
					  .addr = p->addr,
					  .text = shoal_bytes(m->name, strlen(m->name)),
					  .data = msg->body };
		shoal_swarm_say(p->swarm, &ev, now);
	}
	return shoal_peer_idle_talk(p, now); /* a number we never gave out: BEP 10 says to ignore it */
}
