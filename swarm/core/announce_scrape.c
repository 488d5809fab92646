/* swarm/core/announce_scrape.c - how many have a torrent, as one tracker counts them (BEP 48): for who only wants to know. */
#include <string.h>
#include "swarm/core/announce_room.h"

/* A host that is down is asked all the same: somebody wants to know, and asks once. */
int shoal_announcer_scrape(struct shoal_node *n, const struct shoal_op *op, shoal_us now)
{
	struct shoal_tracker *t;
	struct shoal_id20 hash;
	if (n->stopping)
		return SHOAL_ERR_REFUSED;
	if (op->data.len != sizeof hash.b)
		return SHOAL_ERR_USAGE;
	memcpy(hash.b, op->data.at, sizeof hash.b);
	int rc = shoal_announcer_make(n);
	if (rc == 0 && n->announcer->ask_count >= SHOAL_ANNOUNCE_ASKS)
		rc = SHOAL_ERR_BUSY;
	if (rc == 0)
		rc = shoal_tracker_new(n, op->text, &t);
	if (rc < 0)
		return rc;
	if (t->host->running >= SHOAL_ANNOUNCE_HOST_ASKS) {
		shoal_tracker_free(n, t);
		return SHOAL_ERR_BUSY;
	}
	t->trusted = op->flags & SHOAL_SCRAPE_TRUSTED;
	return shoal_asking_scrape(n, t, &hash, op->ticket, now);
}

void shoal_announce_scraped(struct shoal_node *n, struct shoal_asking *ask, shoal_us now)
{
	char origin[SHOAL_URL_ORIGIN_MAX];
	size_t len = shoal_url_origin(&ask->tracker->url, origin);
	/* "I do not know it" is an answer, whatever became of the other family. */
	int err = ask->good ? 0 : ask->absent ? SHOAL_ERR_GONE : ask->err < 0 ? ask->err : SHOAL_ERR_NET;
	struct shoal_event ev = { .kind = SHOAL_EV_SCRAPED,
				  .t = now,
				  .ticket = ask->ticket,
				  .err = err,
				  .index = ask->counts.completed,
				  .text = shoal_bytes(origin, len),
				  .name = shoal_bytes(ask->text, ask->text_len),
				  .stats = { .seeds = ask->counts.seeds, .peers = ask->counts.leeches } };
	shoal_events_push(&n->events, &ev);
}
