/* play.c - see play.h. */
#include "tools/lab/play.h"

#include <math.h>
#include <stdlib.h>

/* What is due soon, from `from` on. */
static void tell(struct lab_play *p, uint32_t from, shoal_us now)
{
	const struct shoal_metainfo *mi = p->node->witness.content->mi;
	for (p->told = from; p->told < p->pieces; p->told++) {
		shoal_us due = p->due + (p->told - p->next) * p->each;
		if (due > now + LAB_PLAY_AHEAD)
			return;
		struct shoal_op op = { .kind = SHOAL_OP_DEADLINE,
				       .torrent = p->node->torrent,
				       .offset = (uint64_t)p->told * shoal_metainfo_piece_size(mi),
				       .length = shoal_metainfo_piece_bytes(mi, p->told),
				       .within = due > now ? due - now : 0 };
		if (sim_node_do(p->node, &op) < 0)
			abort(); /* far fewer than it takes */
	}
}

void lab_play_begin(struct lab_play *p, struct sim_node *n, double rate, shoal_us lead)
{
	const struct shoal_metainfo *mi = n->witness.content->mi;
	shoal_us now = sim_now(n->sim);
	*p = (struct lab_play){ .node = n,
				.each = (shoal_us)llround(shoal_metainfo_piece_size(mi) * 1e6 / rate),
				.due = now + lead,
				.pieces = shoal_metainfo_piece_count(mi) };
	tell(p, 0, now);
}

shoal_us lab_play_on(struct lab_play *p)
{
	shoal_us now = sim_now(p->node->sim);
	if (p->node->node == NULL)
		return SHOAL_NEVER;
	if (now < p->due && !p->waits) {
		tell(p, p->told, now);
		return p->due;
	}
	sim_node_ask_pieces(p->node);
	while (p->next < p->pieces && p->due <= now) {
		if (!shoal_bits_get(&p->node->have, p->next)) {
			p->stalls += !p->waits;
			p->waits = true;
			return now + LAB_PLAY_LOOK;
		}
		if (p->waits) {
			p->waits = false;
			p->rebuffer += now - p->due;
			p->due = now;
			tell(p, p->next, now); /* the rest is due later */
		}
		p->next++;
		p->due += p->each;
	}
	tell(p, p->told > p->next ? p->told : p->next, now);
	return p->next < p->pieces ? p->due : SHOAL_NEVER;
}
