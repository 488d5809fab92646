/* tools/hashing.c - waits for the hasher and draws. */
#include "tools/hashing.h"

#include "tools/human.h"
#include "tools/progress.h"
#include "tools/say.h"
#include "tools/signals.h"

#include <stdio.h>
#include <string.h>

static void draw(struct shoal_progress *p, const struct shoal_hashing *h, uint64_t done, shoal_us since, shoal_us now)
{
	char name[SHOAL_SAY_TEXT_MAX], line[160], brief[sizeof line], a[SHOAL_HUMAN_MAX], b[SHOAL_HUMAN_MAX],
		c[SHOAL_HUMAN_MAX] = "?";
	unsigned permille = shoal_human_permille(done, h->total);
	double rate = (double)done * 1e6 / (double)(now > since ? now - since : 1);
	if (rate > 0 && h->total >= done)
		shoal_human_span((shoal_us)((double)(h->total - done) / rate * 1e6), c);
	snprintf(line, sizeof line, "%s %3u.%u %% of %s  %s  %s left", h->verb, permille / 10, permille % 10,
		 shoal_human_size(h->total, a), shoal_human_rate((uint64_t)rate, b), c);
	snprintf(brief, sizeof brief, "%3u %%  %s  %s left", permille / 10, b, c);
	shoal_progress_row(p, 0, shoal_say_text(h->name, name), line, brief);
	shoal_progress_draw(p, now);
}

int shoal_hashing_run(struct shoal_tool *tool, const struct shoal_hasher_plan *plan, struct shoal_hashing *h)
{
	struct shoal_hasher *hasher;
	struct shoal_progress p;
	shoal_us since = plan->os->now();
	int rc = shoal_hasher_new(&hasher, plan);
	if (rc < 0)
		return rc;
	shoal_signals_heed();
	shoal_progress_init(&p, tool);
	p.last = since;
	while (!shoal_hasher_wait(hasher, 100)) {
		shoal_us now = plan->os->now();
		if (shoal_signals_came())
			shoal_hasher_stop(hasher);
		if (shoal_progress_due(&p, now))
			draw(&p, h, shoal_hasher_bytes(hasher), since, now);
	}
	h->took = plan->os->now() - since;
	shoal_progress_clear(&p);
	tool->progress = NULL;
	rc = shoal_hasher_result(hasher, &h->bad_id);
	shoal_hasher_free(hasher);
	return rc;
}
