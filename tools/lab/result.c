/* result.c - see result.h. */
#include "tools/lab/result.h"

#include <stdlib.h>

#define POINTS_MAX 1200 /* when there are more, every second one goes */
#define POINTS_MIN 64	/* room for the first ones: a power of 2 */

void lab_result_free(struct lab_result *r)
{
	free(r->node);
	free(r->pair);
	free(r->point);
	free(r->sent);
	free(r->sent_by_node);
	free(r->reason);
	*r = (struct lab_result){ 0 };
}

const char *lab_result_group(const struct lab_result *r, unsigned group)
{
	return r->s->nodes[group].name;
}

int lab_result_point(struct lab_result *r, const struct lab_point *p)
{
	int thinned = r->points == POINTS_MAX;
	if (thinned) {
		for (size_t i = 0; 2 * i < r->points; i++)
			r->point[i] = r->point[2 * i];
		r->points = (r->points + 1) / 2;
	}
	/* There is room up to the next power of 2. */
	if (r->points == 0 || (r->points >= POINTS_MIN && (r->points & (r->points - 1)) == 0)) {
		size_t room = r->points > 0 ? 2 * r->points : POINTS_MIN;
		struct lab_point *more = realloc(r->point, room * sizeof *more);
		if (more == NULL)
			return SHOAL_ERR_NOMEM;
		r->point = more;
	}
	r->point[r->points++] = *p;
	return thinned;
}
