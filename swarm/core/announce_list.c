/* swarm/core/announce_list.c - the trackers of a torrent, in tiers (BEP 12): its own, a link's, those the user names. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "proto/magnet.h"
#include "swarm/core/announce_room.h"

int shoal_announcer_make(struct shoal_node *n)
{
	uint8_t secret[16];
	struct shoal_announcer *a;
	if (n->announcer != NULL)
		return 0;
	if (!shoal_node_charge(n, sizeof *a))
		return SHOAL_ERR_NOMEM;
	if ((a = calloc(1, sizeof *a)) == NULL) {
		shoal_budget_give(n->budget, sizeof *a);
		return SHOAL_ERR_NOMEM;
	}
	n->world.ops->secret(n->world.w, (struct shoal_space){ secret, sizeof secret });
	a->key = shoal_sipkey(secret);
	n->announcer = a;
	return 0;
}

static int announce_make(struct shoal_swarm *s)
{
	struct shoal_node *n = s->node;
	int rc = shoal_announcer_make(n);
	if (rc < 0 || s->announce != NULL)
		return rc;
	if (!shoal_node_charge(n, sizeof *s->announce))
		return SHOAL_ERR_NOMEM;
	if ((s->announce = calloc(1, sizeof *s->announce)) == NULL) {
		shoal_budget_give(n->budget, sizeof *s->announce);
		return SHOAL_ERR_NOMEM;
	}
	s->announce->swarm = s;
	n->world.ops->secret(n->world.w, (struct shoal_space){ (uint8_t *)&s->announce->key, sizeof s->announce->key });
	return 0;
}

void shoal_tracker_free(struct shoal_node *n, struct shoal_tracker *t)
{
	shoal_tracker_host_unref(n, t->host);
	for (unsigned who = 0; who < SHOAL_ANNOUNCE_WHO; who++)
		free(t->of[who].id);
	shoal_budget_give(n->budget, t->charged);
	free(t);
}

int shoal_tracker_new(struct shoal_node *n, struct shoal_bytes text, struct shoal_tracker **out)
{
	size_t bytes = sizeof(struct shoal_tracker) + text.len + sizeof(struct shoal_tracker *);
	if (!shoal_node_charge(n, bytes))
		return SHOAL_ERR_NOMEM;
	struct shoal_tracker *t = calloc(1, bytes);
	if (t == NULL) {
		shoal_budget_give(n->budget, bytes);
		return SHOAL_ERR_NOMEM;
	}
	t->charged = bytes;
	memcpy(t->text, text.at, text.len);
	int rc = shoal_url_parse(shoal_bytes(t->text, text.len), &t->url);
	if (rc == 0)
		rc = shoal_tracker_host_ref(n, &t->url, &t->host);
	if (rc < 0)
		shoal_tracker_free(n, t);
	else
		*out = t;
	return rc;
}

static struct shoal_tier *tier_new(struct shoal_announce *an)
{
	struct shoal_node *n = an->swarm->node;
	struct shoal_tier *tier = shoal_node_charge(n, sizeof *tier) ? calloc(1, sizeof *tier) : NULL;
	if (tier == NULL)
		return NULL;
	tier->index = (uint8_t)an->tier_count;
	for (unsigned who = 0; who < SHOAL_ANNOUNCE_WHO; who++) {
		tier->line[who].of = an;
		tier->line[who].tier = tier;
		tier->line[who].who = (uint8_t)who;
	}
	an->tier[an->tier_count++] = tier;
	return tier;
}

static struct shoal_tracker *find(const struct shoal_announce *an, struct shoal_bytes url)
{
	for (unsigned i = 0; i < an->tier_count; i++) {
		for (uint16_t k = 0; k < an->tier[i]->count; k++) {
			struct shoal_tracker *t = an->tier[i]->tracker[k];
			if (strlen(t->text) == url.len && memcmp(t->text, url.at, url.len) == 0)
				return t;
		}
	}
	return NULL;
}

/* Into the last tier, or one more; among others in an order of chance (BEP 12). */
static int add(struct shoal_swarm *s, struct shoal_bytes url, bool new_tier, struct shoal_tracker **out)
{
	struct shoal_tracker *t;
	struct shoal_url parsed;
	int rc = shoal_url_parse(url, &parsed);
	if (rc < 0 || (rc = announce_make(s)) < 0)
		return rc;
	struct shoal_announce *an = s->announce;
	if ((*out = find(an, url)) != NULL)
		return SHOAL_ERR_EXISTS;
	if (an->tracker_count >= SHOAL_ANNOUNCE_TRACKERS)
		return SHOAL_ERR_RANGE;
	if ((rc = shoal_tracker_new(s->node, url, &t)) < 0)
		return rc;
	struct shoal_tier *tier = an->tier_count > 0 ? an->tier[an->tier_count - 1] : NULL;
	if (tier == NULL || (new_tier && an->tier_count < SHOAL_ANNOUNCE_TIERS))
		tier = tier_new(an);
	struct shoal_tracker **more = tier != NULL ? realloc(tier->tracker, (tier->count + 1u) * sizeof *tier->tracker)
						   : NULL;
	if (more == NULL) {
		shoal_tracker_free(s->node, t);
		return SHOAL_ERR_NOMEM;
	}
	tier->tracker = more;
	uint32_t place = shoal_rng_below(&s->rng, tier->count + 1u);
	more[tier->count++] = more[place];
	more[place] = t;
	an->tracker_count++;
	*out = t;
	return 0;
}

void shoal_announce_torrent(struct shoal_swarm *s)
{
	unsigned last = UINT_MAX, tier;
	struct shoal_tracker *t;
	for (size_t i = 0; i < shoal_metainfo_tracker_count(s->mi); i++) {
		struct shoal_bytes url = shoal_metainfo_tracker(s->mi, i, &tier);
		if (add(s, url, tier != last, &t) == 0)
			last = tier;
		else
			continue; /* what is no URL we speak, or there already, is nobody's loss */
		t->own = true;
	}
}

void shoal_announce_magnet(struct shoal_swarm *s, const struct shoal_magnet *m)
{
	struct shoal_tracker *t;
	for (size_t i = 0; i < m->tracker_count; i++)
		if (add(s, shoal_bytes(m->tracker[i], strlen(m->tracker[i])), true, &t) == 0)
			t->own = true;
}

int shoal_announce_user(struct shoal_swarm *s, struct shoal_bytes url, shoal_us now)
{
	struct shoal_tracker *t = s->announce != NULL ? find(s->announce, url) : NULL;
	bool closed = s->mi != NULL && shoal_metainfo_private(s->mi);
	if (t == NULL && closed)
		return SHOAL_ERR_REFUSED;
	int rc = t != NULL ? SHOAL_ERR_EXISTS : add(s, url, true, &t);
	if (rc == 0 || rc == SHOAL_ERR_EXISTS) {
		t->trusted = true;
		t->of[0].not_before = t->of[1].not_before = 0;
	}
	if (rc == 0 && (s->state == SHOAL_SWARM_METADATA || shoal_swarm_running(s)))
		shoal_announce_begin(s, now);
	return rc;
}
