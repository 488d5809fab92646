/* swarm/core/announce_host.c - the places trackers live at: one entry to a host and port, however many name it. */
#include <stdlib.h>
#include <string.h>
#include "swarm/core/announce_room.h"

static struct shoal_tracker_host **bucket_of(struct shoal_announcer *a, const char *name, size_t len, uint16_t port,
					     bool udp)
{
	uint64_t hash = shoal_siphash(a->key, (uint64_t)port << 1 | udp, shoal_bytes(name, len));
	return &a->host[hash % (sizeof a->host / sizeof *a->host)];
}

int shoal_tracker_host_ref(struct shoal_node *n, const struct shoal_url *url, struct shoal_tracker_host **out)
{
	struct shoal_announcer *a = n->announcer;
	bool udp = url->scheme == SHOAL_URL_UDP;
	char name[SHOAL_URL_HOST_MAX + 1];
	for (size_t i = 0; i < url->host.len; i++) {
		uint8_t c = url->host.at[i];
		name[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
	}
	name[url->host.len] = '\0';
	struct shoal_tracker_host **where = bucket_of(a, name, url->host.len, url->port, udp), *h = *where;
	while (h != NULL && (h->port != url->port || h->udp != udp || strcmp(h->name, name) != 0))
		h = h->next;
	if (h == NULL) {
		if (!shoal_node_charge(n, sizeof *h))
			return SHOAL_ERR_NOMEM;
		if ((h = calloc(1, sizeof *h)) == NULL) {
			shoal_budget_give(n->budget, sizeof *h);
			return SHOAL_ERR_NOMEM;
		}
		h->charged = sizeof *h;
		h->port = url->port;
		h->udp = udp;
		memcpy(h->name, name, url->host.len + 1);
		if (url->is_addr) { /* nothing to look up, ever */
			unsigned family = url->addr.is_v4 ? 0 : 1;
			h->addr[family][0] = url->addr;
			h->addr_count[family] = 1;
			h->resolved_at = SHOAL_NEVER;
		}
		h->next = *where;
		*where = h;
	}
	h->refs++;
	*out = h;
	return 0;
}

void shoal_tracker_host_unref(struct shoal_node *n, struct shoal_tracker_host *h)
{
	struct shoal_announcer *a = n->announcer;
	if (h == NULL || --h->refs > 0)
		return;
	struct shoal_tracker_host **where = bucket_of(a, h->name, strlen(h->name), h->port, h->udp);
	while (*where != h)
		where = &(*where)->next;
	*where = h->next;
	shoal_heap_drop(&a->ready, &h->ready);
	shoal_heap_fini(&h->waiting);
	shoal_budget_give(n->budget, h->charged);
	free(h);
}

shoal_us shoal_announce_backoff(uint32_t fails, struct shoal_rng *rng)
{
	shoal_us wait = SHOAL_ANNOUNCE_RETRY;
	for (uint32_t i = 1; i < fails && wait < SHOAL_ANNOUNCE_RETRY_MAX; i++)
		wait *= 2;
	wait = shoal_min_u64(wait, SHOAL_ANNOUNCE_RETRY_MAX);
	return wait + SHOAL_MS(shoal_rng_below(rng, (uint32_t)(wait / 4000))); /* up to a quarter more */
}

void shoal_tracker_host_failed(struct shoal_tracker_host *h, int err, uint32_t retry_s, struct shoal_rng *rng,
			       shoal_us now)
{
	h->fails++;
	h->turn++;
	h->down_err = err;
	shoal_us wait = shoal_announce_backoff(h->fails, rng);
	shoal_us said = shoal_min_u64(SHOAL_S((shoal_us)retry_s), SHOAL_ANNOUNCE_INTERVAL_MAX);
	h->down_until = now + shoal_max_u64(wait, said);
}

void shoal_tracker_host_fine(struct shoal_tracker_host *h)
{
	h->fails = 0;
	h->down_until = 0;
}
