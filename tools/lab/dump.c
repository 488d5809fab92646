/* dump.c - see dump.h. */
#include "tools/lab/dump.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void lab_dump(FILE *to, const struct lab_result *r, struct sim *sim, const struct lab_diary *diary)
{
	fprintf(to,
		"step %llu, %.6f s; wire %016llx\n\nnode  group           state      have    peers  up         down\n",
		(unsigned long long)r->steps, (double)(sim_now(sim) - SIM_START) / 1e6,
		(unsigned long long)sim_trace(sim));
	for (unsigned i = 0; i < r->nodes; i++) {
		struct sim_node *n = sim_node(sim, i);
		const char *state = isfinite(r->node[i].left)	    ? "gone"
				    : !isfinite(r->node[i].joined)  ? "to come"
				    : !sim_node_runs(n)		    ? "down"
				    : isfinite(r->node[i].complete) ? "complete"
								    : "running";
		struct shoal_stats stats = { 0 };
		if (n->node != NULL && n->added) {
			sim_node_ask_stats(n);
			stats = n->stats;
		}
		fprintf(to, "%-5u %-15s %-9s %6.1f%%  %6u  %-10llu %llu%s%s\n", i,
			lab_result_group(r, r->node[i].group), state,
			stats.pieces > 0 ? 100.0 * stats.pieces_done / stats.pieces : 0, stats.peers,
			(unsigned long long)r->node[i].up, (unsigned long long)r->node[i].down, n->failed ? "  " : "",
			n->failed ? n->text : "");
	}
	fprintf(to, "\nbefore:\n");
	lab_diary_print(diary, to, -1, 40);
}

/* Whom a broken rule is about: "seed 7, 12.3 s, node 5: ...". */
static int culprit(const char *wrong)
{
	const char *at = strstr(wrong, "node ");
	return at != NULL ? (int)strtol(at + 5, NULL, 10) : -1;
}

void lab_dump_reason(struct lab_result *r, const struct lab_diary *diary)
{
	size_t size;
	int who = r->wrong[0] != 0 ? culprit(r->wrong) : -1;
	for (unsigned i = 0; r->wrong[0] == 0 && i < r->nodes; i++) {
		const struct lab_result_node *n = &r->node[i];
		if (n->honest && n->wants && !isfinite(n->left) && isfinite(n->joined) &&
		    (who < 0 || n->complete > r->node[who].complete))
			who = (int)i;
	}
	FILE *to = open_memstream(&r->reason, &size);
	if (to == NULL)
		abort();
	lab_diary_print(diary, to, who, 12);
	fclose(to);
}
