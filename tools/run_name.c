/* tools/run_name.c - what a run does about a name that moves (BEP 46): the next version comes in, the one before goes when it may. */
#include "tools/run.h"
#include "tools/signals.h"

#include <stdio.h>
#include <stdlib.h>

int shoal_run_link(struct shoal_run_torrent *t, const struct shoal_id20 *hash)
{
	struct shoal_magnet *m = t->source.magnet;
	m->has_v1 = true;
	m->v1 = *hash;
	m->has_key = false;
	t->link = malloc(SHOAL_MAGNET_BYTES_MAX);
	if (t->link == NULL ||
	    shoal_magnet_format(m, (struct shoal_space){ (uint8_t *)t->link, SHOAL_MAGNET_BYTES_MAX }) < 0)
		return SHOAL_ERR_NOMEM;
	t->source.arg = t->link;
	return 0;
}

/* Given to nobody any more; its data stays. */
static void retire(struct shoal_run *r, struct shoal_run_torrent *t)
{
	struct shoal_op op = { .kind = SHOAL_OP_REMOVE, .torrent = t->handle };
	if (t->added && !t->over && r->ops->do_op(r->engine, &op) < 0)
		shoal_say_log(r->tool, SHOAL_LOG_INFO, "%s: cannot be removed", t->name);
	t->over = t->listed = true; /* its figures have gone with it */
	shoal_progress_drop(&r->progress, (size_t)(t - r->torrent));
}

/* Where the next version goes: the first has none yet, a version nobody waits for any more makes room, and of two that are not
 * complete the newer does. */
static size_t slot_for(const struct shoal_run *r)
{
	size_t other = 1 - r->newest;
	if (r->count < 2)
		return r->count;
	return r->torrent[other].over ? other : r->newest;
}

static void move_on(struct shoal_run *r)
{
	struct shoal_follow *f = r->follow;
	size_t at = slot_for(r);
	struct shoal_run_torrent *t = &r->torrent[at];
	struct shoal_run_torrent *last = &r->torrent[r->newest];
	/* What was said of the first goes for each; the last may be in `t`'s place. */
	unsigned flags = last->flags;
	enum shoal_adopt_how adopt = last->adopt;
	char *from = last->adopt_from;
	size_t from_len = last->adopt_from_len;
	last->adopt_from = NULL;
	last->adopt_from_len = 0;
	if (at < r->count) {
		retire(r, t);
		shoal_progress_clear(&r->progress);
		shoal_run_torrent_fini(t);
	} else {
		r->count++;
	}
	r->newest = at;
	t->name = "";
	t->began = shoal_signals_now();
	t->flags = flags;
	t->adopt = adopt;
	t->adopt_from = from;
	t->adopt_from_len = from_len;
	int code = shoal_source_open(r->tool, &t->source, f->link, true);
	if (code == 0 && r->only != NULL)
		code = shoal_only_init(&t->only, r->tool, r->only, false);
	if (code == 0 && asprintf(&t->folder, "%s/version-%lld", f->folder, (long long)f->seq) < 0)
		t->folder = NULL;
	if (code == 0 && (t->folder == NULL || shoal_run_link(t, &f->hash) < 0))
		code = shoal_say_fail(r->tool, SHOAL_ERR_NOMEM, "no memory");
	if (code)
		return shoal_run_ended(r, t, code);
	shoal_run_tell_moved(r, t);
	(void)shoal_run_add(r, at); /* what cannot be added has ended, and said so */
}

void shoal_run_name_event(struct shoal_run *r, const struct shoal_event *ev, shoal_us now)
{
	if (r->follow != NULL && shoal_follow_event(r->follow, r->engine, ev, now) > 0)
		move_on(r);
}

void shoal_run_name_complete(struct shoal_run *r, const struct shoal_run_torrent *t)
{
	if (r->follow != NULL && r->count == 2 && t == &r->torrent[r->newest])
		retire(r, &r->torrent[1 - r->newest]);
}

void shoal_run_name_tick(struct shoal_run *r, shoal_us now)
{
	int rc = r->follow != NULL ? shoal_follow_tick(r->follow, r->engine, now) : 0;
	if (rc < 0) {
		shoal_say_warn(r->tool, NULL, "the name is not followed any further: %s", shoal_err_name(rc));
		r->follow = NULL;
	}
}
