/* swarm/core/swarm_metadata.c - a magnet's info dictionary: asked for, served, proved against the hash (BEP 9). */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/digest.h"
#include "swarm/core/node_room.h"

/* Twice the whole of it a minute: who needs it again has lost it. */
static bool may_have_block(struct shoal_swarm *s, struct shoal_peer *p, shoal_us now)
{
	size_t blocks = shoal_metainfo_info(s->mi).len / SHOAL_METADATA_BLOCK + 1;
	int32_t most = (int32_t)(2 * blocks + SHOAL_PATIENCE_METADATA);
	return shoal_patience_charge(&p->metadata_given, most, (uint32_t)most, now);
}

int shoal_swarm_metadata_asked(struct shoal_swarm *s, struct shoal_peer *p, uint32_t index, shoal_us now)
{
	uint8_t *body = malloc(SHOAL_METADATA_BLOCK + 128);
	struct shoal_metadata_msg msg = { .kind = SHOAL_METADATA_REJECT, .piece = index };
	if (body == NULL)
		return SHOAL_ERR_NOMEM;
	if (s->mi == NULL || !may_have_block(s, p, now)) {
		if (shoal_peer_idle_talk(p, now) < 0) {
			free(body);
			return SHOAL_ERR_REFUSED;
		}
	} else if (shoal_pw_queued(p->pw) < SHOAL_PEER_OUT_LOW / 2) {
		struct shoal_bytes info = shoal_metainfo_info(s->mi);
		uint64_t begin = (uint64_t)index * SHOAL_METADATA_BLOCK;
		if (begin < info.len) {
			size_t left = info.len - (size_t)begin;
			msg.kind = SHOAL_METADATA_DATA;
			msg.total_size = info.len;
			msg.data = shoal_bytes(info.at + begin,
					       left < SHOAL_METADATA_BLOCK ? left : SHOAL_METADATA_BLOCK);
		}
	}
	ptrdiff_t n = shoal_metadata_encode(&msg, (struct shoal_space){ body, SHOAL_METADATA_BLOCK + 128 });
	if (n > 0 && p->ext_metadata != 0)
		shoal_peer_say_ext(p, p->ext_metadata, shoal_bytes(body, (size_t)n), now);
	free(body);
	return n < 0 ? (int)n : 0;
}

/* The info hash decides, and nothing a peer said about protocol versions. */
static bool hash_fits(const struct shoal_swarm *s, const uint8_t *info, size_t len)
{
	uint8_t sha1[20];
	uint8_t sha256[32];
	shoal_sha1(shoal_bytes(info, len), sha1);
	shoal_sha256(shoal_bytes(info, len), sha256);
	if (s->has_v1 && memcmp(sha1, s->v1.b, 20) != 0)
		return false;
	if (s->has_v2 && memcmp(sha256, s->v2.b, 32) != 0)
		return false;
	return s->has_v1 || s->has_v2;
}

static void whole(struct shoal_swarm *s, uint64_t size, shoal_us now)
{
	uint8_t *info = shoal_metadata_whole(&s->metadata, size);
	struct shoal_metainfo_fault why;
	struct shoal_metainfo *mi = NULL;
	if (info == NULL)
		return shoal_swarm_fail(s, SHOAL_ERR_NOMEM, "no memory for the torrent's metadata", now);
	if (!hash_fits(s, info, (size_t)size)) {
		uint32_t source[64];
		uint32_t n = shoal_metadata_wrong(&s->metadata, size, source, 64);
		free(info);
		if (n == 1)
			shoal_swarm_ban(s, source[0], 0, "sent metadata that is not the torrent's", now);
		return;
	}
	int rc = shoal_metainfo_parse_info(&mi, shoal_bytes(info, (size_t)size), &why);
	free(info);
	if (rc < 0) {
		char text[220];
		snprintf(text, sizeof text, "the torrent's metadata cannot be used: %s", why.what);
		return shoal_swarm_fail(s, rc, text, now);
	}
	shoal_metadata_fini(&s->metadata);
	rc = shoal_swarm_begin(s, mi, (struct shoal_bytes){ NULL, 0 }, now);
	if (rc < 0) {
		if (s->mi == NULL)
			shoal_metainfo_free(mi);
		if (rc == SHOAL_ERR_GONE)
			return shoal_swarm_fail(s, SHOAL_ERR_USAGE, "the link's so= names no file of this torrent",
						now);
		return shoal_swarm_fail(s, rc,
					rc == SHOAL_ERR_NOMEM ? "the torrent needs more memory than --memory allows"
							      : "cannot use the folder",
					now);
	}
	struct shoal_event ev = { .kind = SHOAL_EV_METADATA };
	shoal_swarm_say(s, &ev, now);
}

int shoal_swarm_metadata_came(struct shoal_swarm *s, struct shoal_peer *p, const struct shoal_metadata_msg *msg,
			      shoal_us now)
{
	int rc = shoal_metadata_block(&s->metadata, p->early_metadata_size, msg->piece, msg->data, p->serial, now);
	if (rc == SHOAL_ERR_GONE) /* it was not asked, or no longer; what it was asked is still to come */
		return shoal_peer_idle_talk(p, now);
	if (p->metadata_asked > 0)
		p->metadata_asked--;
	if (rc >= 0)
		p->metadata_lapses = 0;
	if (rc == 1) {
		whole(s, p->early_metadata_size, now);
		return 0;
	}
	if (rc == SHOAL_ERR_NOMEM) {
		/* Nothing is proved yet: a liar's endless dictionary is no reason to give the torrent up. */
		struct shoal_event ev = { .kind = SHOAL_EV_WARNING,
					  .addr = p->addr,
					  .err = rc,
					  .text = SHOAL_LIT(
						  "metadata as long as a peer says it is needs more memory than "
						  "--memory allows") };
		shoal_metadata_drop(&s->metadata, p->early_metadata_size);
		shoal_swarm_say(s, &ev, now);
		return rc;
	}
	shoal_swarm_metadata_tick(s, now);
	return rc;
}

static bool can_be_asked(const struct shoal_peer *p, shoal_us now)
{
	return p->ext_metadata != 0 && p->early_metadata_size != 0 && p->metadata_ask_after <= now &&
	       p->metadata_asked < SHOAL_METADATA_PER_PEER && !p->closing;
}

void shoal_swarm_metadata_tick(struct shoal_swarm *s, shoal_us now)
{
	unsigned least = UINT_MAX;
	for (struct shoal_peer *p = s->peers; p != NULL && s->mi == NULL; p = p->in_swarm) {
		if (p->metadata_asked > 0 && p->metadata_asked_at + SHOAL_METADATA_ASK_TIME <= now) {
			p->metadata_asked = 0; /* never answered */
			p->metadata_lapses++;
		}
		if (can_be_asked(p, now) && p->metadata_lapses < least)
			least = p->metadata_lapses;
	}
	for (struct shoal_peer *p = s->peers, *next; p != NULL && s->mi == NULL; p = next) {
		next = p->in_swarm;
		/* Those who let asks pass come last, so that no number of them can hide one who answers. */
		if (!can_be_asked(p, now) || p->metadata_lapses > least)
			continue;
		while (p->metadata_asked < SHOAL_METADATA_PER_PEER && !p->closing) {
			uint8_t body[64];
			uint32_t block = shoal_metadata_want(&s->metadata, p->early_metadata_size, p->serial, now);
			struct shoal_metadata_msg msg = { .kind = SHOAL_METADATA_REQUEST, .piece = block };
			if (block == UINT32_MAX)
				break;
			ptrdiff_t n = shoal_metadata_encode(&msg, (struct shoal_space){ body, sizeof body });
			p->metadata_asked++;
			p->metadata_asked_at = now;
			if (n > 0)
				shoal_peer_say_ext(p, p->ext_metadata, shoal_bytes(body, (size_t)n), now);
		}
	}
}
