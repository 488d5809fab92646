/* job.c - see job.h. */
#include "tools/lab/compare/job.h"

#include "proto/base/bytes.h"
#include "proto/metainfo.h"
#include "tools/signals.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define WAIT_MS 200
#define STOP_US SHOAL_S(3)
#define TICKET 1u

/* A job under way: how it ends goes where `end`, `err` and `text` point. */
struct job {
	const struct lab_cmp_task *t;
	struct shoal_engine *engine;
	uint32_t torrent;
	shoal_us added;
	enum lab_cmp_end *end;
	int *err;
	char *text;
};

/* Of a long text the end is kept: engines put a path in front of what is wrong with it. */
static void end_text(struct job *j, enum lab_cmp_end end, int err, struct shoal_bytes text)
{
	size_t cut = text.len < LAB_CMP_TEXT_MAX ? 0 : text.len - LAB_CMP_TEXT_MAX + 1;
	*j->end = end;
	*j->err = err;
	memset(j->text, 0, LAB_CMP_TEXT_MAX);
	if (text.len > 0)
		memcpy(j->text, text.at + cut, text.len - cut);
	else
		snprintf(j->text, LAB_CMP_TEXT_MAX, "%s", shoal_err_name(err));
}

static void end_because(struct job *j, enum lab_cmp_end end, int err, const char *text)
{
	end_text(j, end, err, shoal_bytes(text, strlen(text)));
}

/* false: the job has ended. */
static bool ask(struct job *j, struct shoal_op op)
{
	op.torrent = j->torrent;
	op.ticket = TICKET;
	int rc = j->engine->ops->do_op(j->engine, &op);
	if (rc < 0)
		end_because(j, LAB_CMP_FAILED, rc, "");
	return rc >= 0;
}

static bool begin(struct job *j, unsigned flags)
{
	const struct lab_cmp_task *t = j->t;
	struct shoal_config config = { .size = sizeof config,
				       .listen = { t->listen },
				       .listen_count = t->listen.port != 0,
				       .no_pex = true,
				       .no_lsd = true,
				       .no_dht = true,
				       .encryption = SHOAL_ENCRYPTION_OFF,
				       .no_utp = true };
	char what[160] = "";
	int rc = t->engine->open(&j->engine, &config, what);
	if (rc < 0) {
		j->engine = NULL;
		end_because(j, LAB_CMP_UNABLE, rc, what);
		return false;
	}
	struct shoal_op op = { .kind = SHOAL_OP_ADD,
			       .ticket = TICKET,
			       .flags = flags | SHOAL_ADD_NO_TRACKERS | SHOAL_ADD_DATA_STAYS,
			       .adopt = SHOAL_ADOPT_HOW_OFF,
			       .folder = shoal_bytes(t->folder, strlen(t->folder)),
			       .data = t->torrent };
	j->added = shoal_signals_now();
	rc = j->engine->ops->do_op(j->engine, &op);
	if (rc < 0)
		end_because(j, LAB_CMP_REFUSED, rc, "");
	return rc >= 0;
}

/* The next event of the torrent (or of the engine); false: there is none now, or the job has ended. */
static bool next(struct job *j, struct shoal_event *ev, int wait_ms)
{
	int rc = j->engine->ops->poll(j->engine, ev, wait_ms);
	if (rc < 0)
		end_because(j, LAB_CMP_FAILED, rc, "");
	if (rc <= 0)
		return false;
	if (ev->kind == SHOAL_EV_ADDED && ev->err < 0)
		end_text(j, LAB_CMP_REFUSED, ev->err, ev->text);
	else if (ev->kind == SHOAL_EV_ADDED)
		j->torrent = ev->torrent;
	else if (ev->kind == SHOAL_EV_ERROR)
		end_text(j, LAB_CMP_FAILED, ev->err, ev->text);
	else if (ev->kind == SHOAL_EV_DONE && ev->err < 0 && ev->ticket == TICKET)
		end_text(j, LAB_CMP_FAILED, ev->err, ev->text);
	return true;
}

static bool over(const struct job *j)
{
	return *j->end != LAB_CMP_NOT_RUN;
}

/* Waits for the answer of that kind; false: the job has ended instead. Who called has a deadline for us. */
static bool await(struct job *j, enum shoal_event_kind kind, struct shoal_event *ev)
{
	while (!over(j))
		if (next(j, ev, WAIT_MS) && ev->kind == kind && !over(j))
			return true;
	return false;
}

static void finish(struct job *j)
{
	struct shoal_op op = { .kind = SHOAL_OP_STOP };
	struct shoal_event ev = { 0 };
	if (j->engine == NULL)
		return;
	shoal_us until = shoal_signals_now() + STOP_US;
	if (j->engine->ops->do_op(j->engine, &op) == 0)
		while (ev.kind != SHOAL_EV_STOPPED && shoal_signals_now() < until)
			if (j->engine->ops->poll(j->engine, &ev, WAIT_MS) <= 0)
				ev.kind = 0;
	j->engine->ops->close(j->engine);
}

/* ---- looking ------------------------------------------------------------------------------------- */

static int take_what(struct lab_cmp_look *l, const struct shoal_event *ev)
{
	size_t at;
	l->has_v1 = ev->has_v1;
	l->has_v2 = ev->has_v2;
	if (ev->has_v1)
		l->v1 = ev->hash_v1;
	if (ev->has_v2)
		l->v2 = ev->hash_v2;
	l->name_len = ev->name.len;
	return lab_cmp_keep(&l->names, ev->name, &at);
}

static int take_pieces(struct lab_cmp_look *l, const struct shoal_event *ev, bool content)
{
	if (l->pieces > LAB_CMP_PIECES_MAX || ev->data.len < ((size_t)l->pieces + 7) / 8)
		return l->pieces > LAB_CMP_PIECES_MAX ? SHOAL_ERR_TOO_LONG : SHOAL_ERR_MALFORMED;
	if (!content)
		return 0;
	l->have = malloc(ev->data.len + 1);
	if (l->have == NULL)
		return SHOAL_ERR_NOMEM;
	if (ev->data.len > 0)
		memcpy(l->have, ev->data.at, ev->data.len);
	return 0;
}

/* The torrent's own words for a file: number `index` of its list, as engines count. */
static int take_raw(struct lab_cmp_look *l, struct lab_cmp_file *f, const struct shoal_metainfo *mi, uint32_t index)
{
	char path[SHOAL_PATH_BYTES_MAX + 1];
	int n = mi != NULL && index < shoal_metainfo_file_count(mi)
			? shoal_metainfo_path_raw(mi, index, (struct shoal_space){ (uint8_t *)path, sizeof path })
			: 0;
	f->raw_len = n > 0 ? (size_t)n : 0;
	return lab_cmp_keep(&l->names, shoal_bytes(path, f->raw_len), &f->raw_at);
}

static int take_page(struct lab_cmp_look *l, size_t *room, const struct shoal_event *ev,
		     const struct shoal_metainfo *mi)
{
	for (size_t i = 0; i < ev->files_count; i++) {
		const struct shoal_file_info *info = &ev->files[i];
		if (info->pad)
			continue;
		if (info->path_at > ev->data.len || info->path_count > ev->data.len - info->path_at ||
		    info->path_count == 0)
			return SHOAL_ERR_MALFORMED;
		if (l->file_count == LAB_CMP_FILES_MAX)
			return SHOAL_ERR_TOO_LONG;
		if (l->file_count == *room) {
			size_t more_room = *room ? *room * 2 : 64;
			struct lab_cmp_file *more = realloc(l->file, more_room * sizeof *more);
			if (more == NULL)
				return SHOAL_ERR_NOMEM;
			l->file = more;
			*room = more_room;
		}
		struct lab_cmp_file *f = &l->file[l->file_count];
		*f = (struct lab_cmp_file){ .size = info->size, .path_len = info->path_count };
		int rc = lab_cmp_keep(&l->names, shoal_bytes(ev->data.at + info->path_at, info->path_count),
				      &f->path_at);
		if (rc == 0)
			rc = take_raw(l, f, mi, ev->index + (uint32_t)i);
		if (rc < 0)
			return rc;
		l->size += info->size;
		l->file_count++;
	}
	return 0;
}

static void take_files(struct job *j, struct lab_cmp_look *l, const struct shoal_metainfo *mi)
{
	struct shoal_event ev;
	size_t room = 0;
	for (uint64_t at = 0, all = 1; at < all;) {
		if (!ask(j, (struct shoal_op){ .kind = SHOAL_OP_FILES, .offset = at }) ||
		    !await(j, SHOAL_EV_FILES, &ev))
			return;
		int rc = take_page(l, &room, &ev, mi);
		if (rc < 0)
			return end_because(j, LAB_CMP_FAILED, rc, "its files cannot be listed");
		all = ev.files_count > 0 ? ev.total : 0;
		at += ev.files_count;
	}
}

static void look(struct job *j, bool content, bool raw, struct lab_cmp_look *l)
{
	struct shoal_event ev;
	struct shoal_metainfo *mi = NULL;
	if (!begin(j, SHOAL_ADD_CHECK_ONLY) || !await(j, SHOAL_EV_ADDED, &ev))
		return;
	int rc = take_what(l, &ev);
	if (rc < 0)
		return end_because(j, LAB_CMP_FAILED, rc, "");
	if (!await(j, SHOAL_EV_CHECKED, &ev))
		return;
	l->cost.took = shoal_signals_now() - j->added;
	if (!ask(j, (struct shoal_op){ .kind = SHOAL_OP_STATS }) || !await(j, SHOAL_EV_STATS, &ev))
		return;
	l->pieces = ev.stats.pieces;
	if (!ask(j, (struct shoal_op){ .kind = SHOAL_OP_PIECES }) || !await(j, SHOAL_EV_PIECES, &ev))
		return;
	if ((rc = take_pieces(l, &ev, content)) < 0)
		return end_because(j, LAB_CMP_FAILED, rc, "its pieces cannot be counted");
	if (raw && shoal_metainfo_parse_lent(&mi, j->t->torrent, NULL) < 0)
		mi = NULL;
	take_files(j, l, mi);
	shoal_metainfo_free(mi);
	if (!over(j))
		*j->end = LAB_CMP_GOOD;
}

void lab_cmp_do_look(const struct lab_cmp_task *t, bool content, bool raw, struct lab_cmp_look *out)
{
	struct job j = { .t = t, .end = &out->end, .err = &out->err, .text = out->text };
	*out = (struct lab_cmp_look){ 0 };
	look(&j, content, raw, out);
	finish(&j);
}

/* ---- fetching and serving --------------------------------------------------------------------------- */

static void get(struct job *j, struct lab_cmp_get *g)
{
	struct shoal_event ev;
	if (!begin(j, 0) || !await(j, SHOAL_EV_ADDED, &ev) ||
	    !ask(j, (struct shoal_op){ .kind = SHOAL_OP_PEER, .addr = j->t->peer }) ||
	    !await(j, SHOAL_EV_COMPLETE, &ev))
		return;
	g->cost.took = shoal_signals_now() - j->added;
	if (!ask(j, (struct shoal_op){ .kind = SHOAL_OP_STATS }) || !await(j, SHOAL_EV_STATS, &ev))
		return;
	g->payload = ev.stats.downloaded;
	g->wasted = ev.stats.wasted;
	g->hash_failures = ev.stats.hash_failures;
	*j->end = LAB_CMP_GOOD;
}

void lab_cmp_do_get(const struct lab_cmp_task *t, struct lab_cmp_get *out)
{
	struct job j = { .t = t, .end = &out->end, .err = &out->err, .text = out->text };
	*out = (struct lab_cmp_get){ 0 };
	get(&j, out);
	finish(&j);
}

void lab_cmp_do_seed(const struct lab_cmp_task *t, int ready, int stop)
{
	struct lab_cmp_get g = { 0 };
	struct job j = { .t = t, .end = &g.end, .err = &g.err, .text = g.text };
	struct shoal_event ev;
	struct pollfd told = { stop, POLLIN, 0 };
	if (begin(&j, SHOAL_ADD_SEED_ONLY) && await(&j, SHOAL_EV_CHECKED, &ev) && ev.done == ev.total &&
	    write(ready, "r", 1) == 1)
		while (!over(&j) && poll(&told, 1, 0) == 0)
			(void)next(&j, &ev, 20);
	finish(&j);
}
