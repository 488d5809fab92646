/* swarm/core/adopt.c - what lies elsewhere is brought here, file by file, and hashed. */
#include "swarm/core/adopt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "swarm/core/adopt_room.h"
#include "swarm/core/node_room.h"
#include "swarm/core/offered.h"

#define PATH_USUAL 128 /* bytes, of a candidate's path, for the budget */

/* ---- asking ---------------------------------------------------------------------------- */

static unsigned ways_of(enum shoal_adopt_how how)
{
	switch (how) {
	case SHOAL_ADOPT_HOW_AUTO: return SHOAL_ADOPT_REFLINK | SHOAL_ADOPT_COPY;
	case SHOAL_ADOPT_HOW_REFLINK: return SHOAL_ADOPT_REFLINK;
	case SHOAL_ADOPT_HOW_LINK: return SHOAL_ADOPT_LINK;
	case SHOAL_ADOPT_HOW_COPY: return SHOAL_ADOPT_COPY;
	case SHOAL_ADOPT_HOW_OFF: break;
	}
	return 0;
}

int shoal_adopt_ask(struct shoal_swarm *s, const struct shoal_op *op)
{
	unsigned ways = ways_of(op->adopt);
	if (op->adopt > SHOAL_ADOPT_HOW_OFF)
		return SHOAL_ERR_USAGE;
	if (ways == 0 || s->read_only)
		return 0;
	struct shoal_adopt *a = calloc(1, sizeof *a);
	if (a == NULL)
		return SHOAL_ERR_NOMEM;
	s->adopt = a;
	a->ways = ways;
	for (size_t at = 0; at < op->adopt_from.len;) {
		const char *from = (const char *)op->adopt_from.at + at;
		size_t len = strnlen(from, op->adopt_from.len - at);
		if (len == 0 || len > SHOAL_PATH_BYTES_MAX || a->place_count == SHOAL_ADOPT_FOLDERS_MAX - 1)
			return SHOAL_ERR_USAGE;
		struct shoal_adopt_place *p = &a->place[a->place_count];
		p->folder = strndup(from, len);
		if (p->folder == NULL)
			return SHOAL_ERR_NOMEM;
		p->named = true;
		a->place_count++;
		at += len + 1;
	}
	return 0;
}

static void work_end(struct shoal_adopt *a, struct shoal_adopt_work *w)
{
	for (uint32_t i = w->try_at; i < w->try_count; i++)
		free(w->try[i].path);
	*w = (struct shoal_adopt_work){ .owner = a };
	a->works--;
}

void shoal_adopt_free(struct shoal_swarm *s)
{
	struct shoal_adopt *a = s->adopt;
	if (a == NULL)
		return;
	for (uint32_t i = 0; i < SHOAL_ADOPT_BATCH && a->work != NULL; i++)
		for (uint32_t k = 0; k < a->work[i].try_count; k++)
			free(a->work[i].try[k].path);
	for (uint32_t i = 0; i < a->place_count; i++) {
		for (uint32_t k = 0; k < a->place[i].found_count; k++)
			free(a->place[i].found[k].path);
		free(a->place[i].found);
		free(a->place[i].folder);
	}
	for (uint32_t i = 0; i < a->kin_count; i++) {
		free(a->kin[i].ours);
		free(a->kin[i].theirs);
	}
	shoal_budget_give(s->node->budget, a->charged);
	free(a->want);
	free(a->work);
	free(a);
	s->adopt = NULL;
}

/* ---- bytes of a file -------------------------------------------------------------------- */

/* The part of piece number `i` of the file that lies in the file: [*from, *to). */
static void piece_span(const struct shoal_swarm *s, const struct shoal_adopt_work *w, uint32_t i, uint64_t *from,
		       uint64_t *to)
{
	uint64_t size = shoal_metainfo_file_size(s->mi, w->file), piece = shoal_metainfo_piece_size(s->mi);
	uint64_t at = (uint64_t)i * piece;
	*from = at > w->skew ? at - w->skew : 0;
	*to = shoal_min_u64(at + piece - w->skew, size);
}

/* Bytes of pieces [first, end) of the file that are verified. */
static uint64_t verified(const struct shoal_swarm *s, const struct shoal_adopt_work *w, uint32_t first, uint32_t end)
{
	uint64_t sum = 0, from, to;
	for (uint32_t i = first; i < end; i++) {
		if (!shoal_picker_is_done(s->picker, w->first + i))
			continue;
		piece_span(s, w, i, &from, &to);
		sum += to - from;
	}
	return sum;
}

/* The next run of pieces that lack, from w->run_end on. false: none. */
static bool next_run(const struct shoal_swarm *s, struct shoal_adopt_work *w)
{
	uint64_t from, to, len = 0;
	uint32_t i = w->run_end;
	while (i < w->pieces && shoal_picker_is_done(s->picker, w->first + i))
		i++;
	w->run_first = i;
	for (; i < w->pieces && !shoal_picker_is_done(s->picker, w->first + i); i++) {
		piece_span(s, w, i, &from, &to);
		if (len > 0 && len + (to - from) > SHOAL_ADOPT_RUN)
			break;
		len += to - from;
	}
	w->run_end = i;
	return w->run_first < w->run_end;
}

/* ---- one file ------------------------------------------------------------------------------ */

/* What the candidate has come to. A file is counted once in each folder, however many candidates of it lie there. */
static void account(struct shoal_swarm *s, struct shoal_adopt_work *w)
{
	struct shoal_adopt_try *t = &w->try[w->try_at];
	struct shoal_adopt_place *p = &s->adopt->place[t->place];
	bool counted = false;
	if (w->gained == 0 && !w->offers)
		return;
	for (uint32_t i = 0; i < w->try_at; i++)
		counted = counted || (w->try[i].of_use && w->try[i].place == t->place);
	t->of_use = true;
	p->bytes += w->gained;
	p->files += !counted;
	p->ways |= w->way;
	s->adopted += w->gained;
}

static void next_candidate(struct shoal_swarm *s, struct shoal_adopt_work *w)
{
	account(s, w); /* also of one that is gone, or cannot be read any more, after some of its runs */
	free(w->try[w->try_at].path);
	w->try[w->try_at].path = NULL;
	w->try_at++;
	w->run_end = 0;
	w->gained = 0;
	w->way = 0;
	w->offers = false;
	w->state = SHOAL_ADOPT_NEXT;
}

static int submit(struct shoal_swarm *s, struct shoal_adopt_work *w, unsigned ways)
{
	struct shoal_adopt *a = s->adopt;
	uint64_t from, to, end;
	piece_span(s, w, w->run_first, &from, &to);
	piece_span(s, w, w->run_end - 1, &end, &to);
	w->ask = (struct shoal_disk_adopt){ .folder = a->place[w->try[w->try_at].place].folder,
					    .path = w->try[w->try_at].path,
					    .ways = ways,
					    .same_size = w->try[w->try_at].by == SHOAL_ADOPT_BY_KIN,
					    .offset = from,
					    .len = to - from };
	w->job = (struct shoal_disk_job){
		.op = SHOAL_DISK_ADOPT, .storage = s->storage, .file = w->file, .adopt = &w->ask, .owner = w
	};
	int rc = shoal_swarm_submit(s, &w->job);
	if (rc == 0) {
		a->jobs++;
		w->state = SHOAL_ADOPT_OUT;
	}
	return rc;
}

/* What was brought is to be hashed. A piece that lies in several files waits for none of them: it is hashed again with each. */
static void to_be_hashed(struct shoal_swarm *s, struct shoal_adopt_work *w)
{
	w->state = SHOAL_ADOPT_HASHED;
	if (w->blind) { /* no hashes yet: looked at as soon as peers have told them (hashes.c) */
		s->file[w->file].seen = SHOAL_SEEN_PART;
		s->check_later = true;
		return;
	}
	for (uint32_t i = w->run_first; i < w->run_end; i++) {
		uint32_t piece = w->first + i;
		if (shoal_picker_is_done(s->picker, piece) || !shoal_swarm_piece_known(s, piece))
			continue;
		if (shoal_bits_set(&s->to_check, piece))
			s->check_total += shoal_metainfo_piece_bytes(s->mi, piece);
	}
}

static void give_up(struct shoal_swarm *s, const struct shoal_adopt_work *w, shoal_us now)
{
	struct shoal_adopt *a = s->adopt;
	char text[SHOAL_PATH_BYTES_MAX + 160], path[SHOAL_PATH_BYTES_MAX + 1];
	int n = shoal_metainfo_path(s->mi, w->file, (struct shoal_space){ (uint8_t *)path, sizeof path });
	if (a->over)
		return;
	a->over = true;
	snprintf(text, sizeof text, "cannot adopt what %s holds elsewhere: %s; it is fetched instead",
		 n >= 0 ? path : "a file", shoal_err_name(w->job.err));
	shoal_swarm_warn(s, text, now);
}

static void find_back(struct shoal_swarm *s, shoal_us now)
{
	struct shoal_adopt *a = s->adopt;
	struct shoal_adopt_place *p = &a->place[a->find_at++];
	a->finding = false;
	p->found = a->find.found;
	p->found_count = a->find.count;
	shoal_adopt_sort(p);
	size_t give = (size_t)(a->find.most - shoal_min_u64(a->find.bytes, a->find.most));
	shoal_budget_give(s->node->budget, give);
	a->charged -= give;
	if ((a->find.os != 0 && !p->hinted) || a->find.more) {
		char text[SHOAL_PATH_BYTES_MAX + 128];
		snprintf(text, sizeof text,
			 a->find.more
				 ? "%s holds more files of the sizes looked for than fit in memory; not all are tried"
				 : "%s cannot be read: nothing is adopted from it",
			 p->folder);
		shoal_swarm_warn(s, text, now);
	}
}

void shoal_adopt_job(struct shoal_swarm *s, struct shoal_disk_job *job, shoal_us now)
{
	struct shoal_adopt *a = s->adopt;
	a->jobs--;
	if (job->op == SHOAL_DISK_FIND) {
		find_back(s, now);
		return;
	}
	struct shoal_adopt_work *w = job->owner;
	if (job->err < 0) {
		give_up(s, w, now);
		next_candidate(s, w);
	} else if (w->ask.way == 0) {
		next_candidate(s, w);
	} else {
		w->way = w->ask.way;
		w->there = s->file[w->file].begun = true;
		if (w->way != SHOAL_ADOPT_COPY) /* all of it came at once */
			w->run_end = w->pieces;
		w->was = verified(s, w, w->run_first, w->run_end);
		to_be_hashed(s, w);
	}
}

static void forget_others(struct shoal_adopt_work *w)
{
	while (w->try_count > w->try_at + 1)
		free(w->try[--w->try_count].path);
}

/* Whether piece number `i` of the file lies in no other. */
static bool is_own(const struct shoal_swarm *s, const struct shoal_adopt_work *w, uint32_t i)
{
	uint32_t first, last;
	shoal_metainfo_piece_files(s->mi, w->first + i, &first, &last);
	return first == last;
}

/* All of piece number `i` that lies in the file was brought, and is not right as things are. */
static bool is_left(const struct shoal_swarm *s, const struct shoal_adopt_work *w, uint32_t i)
{
	uint64_t from, to;
	piece_span(s, w, i, &from, &to);
	return from >= w->ask.offset && to <= w->ask.offset + w->ask.done && i >= w->run_first && i < w->run_end &&
	       !shoal_picker_is_done(s->picker, w->first + i);
}

/*
 * What was brought of pieces that the file shares may be right all the same: it is offered. Unless the piece beside it
 * is the file's own, and false: then the file has changed, and near there. true: another candidate could only spoil that.
 */
static bool offer_ends(struct shoal_swarm *s, const struct shoal_adopt_work *w)
{
	uint32_t last = w->pieces - 1, own_false = 0;
	bool any = false;
	for (uint32_t k = 0; k < 2; k++) {
		uint32_t i = k == 0 ? 0 : last, beside = k == 0 ? 1 : last - 1;
		if ((k == 1 && last == 0) || !is_left(s, w, i) || is_own(s, w, i))
			continue;
		bool changed = last > 0 && is_own(s, w, beside) && !shoal_picker_is_done(s->picker, w->first + beside);
		own_false += changed;
		if (changed)
			continue;
		shoal_offered_put(s, w->file, w->first + i);
		any = true;
	}
	return any && own_false == 0;
}

/* The hashes of a run are known. */
static void judge(struct shoal_swarm *s, struct shoal_adopt_work *w)
{
	uint64_t gained = w->blind ? w->ask.done : verified(s, w, w->run_first, w->run_end) - w->was;
	w->gained += gained;
	/* Of the size alone that it should have, and nothing of it right: not even worth a try. */
	bool likely = w->gained > 0 || w->try[w->try_at].by != SHOAL_ADOPT_BY_SIZE;
	uint8_t before = s->file[w->file].offered;
	bool offers = !s->has_v2 && likely && offer_ends(s, w);
	w->offers = w->offers || s->file[w->file].offered != before;
	if (w->way == SHOAL_ADOPT_COPY && gained > 0 && next_run(s, w)) {
		w->state = SHOAL_ADOPT_AGAIN;
		return;
	}
	if (w->blind || offers) /* whether another one would be better, nobody can tell yet */
		forget_others(w);
	next_candidate(s, w);
}

/* One step of a file. `quiet`: nothing is being hashed. false: nothing can be done now. */
static bool work_step(struct shoal_swarm *s, struct shoal_adopt_work *w, bool quiet)
{
	struct shoal_adopt *a = s->adopt;
	switch (w->state) {
	case SHOAL_ADOPT_NEXT:
		if (w->try_at == w->try_count || s->file[w->file].left == 0 || a->over) {
			work_end(a, w);
			return true;
		}
		if (a->jobs == SHOAL_ADOPT_JOBS || !next_run(s, w))
			return false;
		return submit(s, w, w->there ? a->ways & SHOAL_ADOPT_COPY : a->ways) == 0;
	case SHOAL_ADOPT_AGAIN: return a->jobs < SHOAL_ADOPT_JOBS && submit(s, w, SHOAL_ADOPT_COPY) == 0;
	case SHOAL_ADOPT_HASHED:
		if (quiet)
			judge(s, w);
		return quiet;
	case SHOAL_ADOPT_FREE:
	case SHOAL_ADOPT_OUT: break;
	}
	return false;
}

/* ---- all files ------------------------------------------------------------------------------- */

static bool looked_for(const struct shoal_swarm *s, uint32_t file)
{
	const struct shoal_swarm_file *f = &s->file[file];
	bool real = !(shoal_metainfo_file_flags(s->mi, file) & (SHOAL_FILE_PAD | SHOAL_FILE_SYMLINK));
	/* One that lies there under its final name is somebody's: it is mended from peers, or refused. */
	return real && f->left > 0 && shoal_select_priority(&s->select, file) > 0 &&
	       (f->seen == SHOAL_SEEN_NONE || f->seen == SHOAL_SEEN_PART) && !(s->adopt->second && f->begun);
}

/* Takes the next files for which there are candidates. */
static void take(struct shoal_swarm *s)
{
	struct shoal_adopt *a = s->adopt;
	uint32_t looked = 0, free_at = 0;
	while (a->file_at < a->files && a->works < SHOAL_ADOPT_BATCH && looked < SHOAL_ADOPT_LOOKUPS && !a->over) {
		uint32_t file = a->file_at++;
		if (!looked_for(s, file))
			continue;
		looked++;
		while (a->work[free_at].state != SHOAL_ADOPT_FREE)
			free_at++;
		struct shoal_adopt_work *w = &a->work[free_at];
		*w = (struct shoal_adopt_work){ .owner = a, .file = file };
		w->pieces = shoal_claim_pieces(s->mi, file, &w->first, &w->skew);
		shoal_adopt_candidates(s, w);
		if (w->try_count == 0) {
			a->without++;
			continue;
		}
		w->there = s->file[file].seen == SHOAL_SEEN_PART;
		w->blind = !shoal_swarm_piece_known(s, w->first);
		w->state = SHOAL_ADOPT_NEXT;
		a->works++;
	}
}

/* Bytes of files that were brought, in pieces that wait for others. */
static uint64_t waiting(const struct shoal_swarm *s)
{
	uint64_t sum = 0, from, to;
	for (uint32_t f = 0; f < s->adopt->files; f++) {
		struct shoal_adopt_work w = { .file = f };
		if (s->file[f].offered == 0)
			continue;
		w.pieces = shoal_claim_pieces(s->mi, f, &w.first, &w.skew);
		for (uint32_t k = 0; k < 2 && k < w.pieces; k++) {
			uint32_t i = k == 0 ? 0 : w.pieces - 1;
			if (!shoal_offered_has(s, f, w.first + i))
				continue;
			piece_span(s, &w, i, &from, &to);
			sum += to - from;
		}
	}
	return sum;
}

/* A piece that files share comes right with the last of them, when others have been judged: what is missing from the sums
 * is put down to the folder that most came from. */
static void settle(struct shoal_swarm *s)
{
	struct shoal_adopt *a = s->adopt;
	struct shoal_adopt_place *most = NULL;
	uint64_t before = shoal_min_u64(a->verified, s->verified_bytes); /* less, when a sync has failed since */
	uint64_t all = s->verified_bytes - before;
	for (uint32_t i = 0; i < a->place_count; i++)
		if (a->place[i].ways != 0 && (most == NULL || a->place[i].files > most->files))
			most = &a->place[i];
	if (most == NULL || s->has_v2)
		return;
	if (all > s->adopted) {
		most->bytes += all - s->adopted;
		s->adopted = all;
	}
	most->waiting = waiting(s);
}

static void tell(struct shoal_swarm *s, shoal_us now)
{
	static const struct {
		unsigned way;
		const char *name;
	} names[] = { { SHOAL_ADOPT_REFLINK, "reflink" }, { SHOAL_ADOPT_LINK, "link" }, { SHOAL_ADOPT_COPY, "copy" } };
	for (uint32_t i = 0; i < s->adopt->place_count; i++) {
		const struct shoal_adopt_place *p = &s->adopt->place[i];
		char ways[32] = "";
		size_t len = 0;
		for (size_t k = 0; k < sizeof names / sizeof *names; k++)
			if (p->ways & names[k].way)
				len += (size_t)snprintf(ways + len, sizeof ways - len, "%s%s", len ? "," : "",
							names[k].name);
		struct shoal_event ev = { .kind = SHOAL_EV_ADOPTED,
					  .done = p->bytes,
					  .total = s->size,
					  .index = p->files,
					  .text = shoal_bytes(p->folder, strlen(p->folder)),
					  .data = shoal_bytes(ways, len),
					  .stats = { .size = p->waiting } };
		if (p->bytes > 0 || p->waiting > 0)
			shoal_swarm_say(s, &ev, now);
	}
}

/* false: there is nothing to adopt, or no memory to do it in. */
static bool begin(struct shoal_swarm *s)
{
	struct shoal_adopt *a = s->adopt;
	uint32_t files = shoal_metainfo_file_count(s->mi), lacking = 0;
	for (uint32_t f = 0; f < files; f++)
		lacking += looked_for(s, f);
	a->begun = true;
	a->files = files;
	a->verified = s->verified_bytes;
	a->records = shoal_adopt_any_record(s);
	if (lacking > 0)
		shoal_adopt_hints(s);
	bool named = a->place_count > 0;
	if (lacking == 0 || (!named && !a->records))
		return false;
	size_t bytes = SHOAL_ADOPT_BATCH * (sizeof *a->work + SHOAL_ADOPT_TRIES * PATH_USUAL) +
		       (named ? lacking * sizeof *a->want : 0);
	if (!shoal_node_charge(s->node, bytes))
		return false;
	a->charged += bytes;
	a->work = calloc(SHOAL_ADOPT_BATCH, sizeof *a->work);
	a->want = named ? calloc(lacking, sizeof *a->want) : NULL;
	if (a->work == NULL || (named && a->want == NULL))
		return false;
	for (uint32_t f = 0; f < files && named; f++)
		if (looked_for(s, f))
			shoal_adopt_want(s, f);
	if (named)
		shoal_adopt_want_sort(a);
	return true;
}

/* The folders that were named are walked one after the other. true: one is, now. */
static bool find(struct shoal_swarm *s, shoal_us now)
{
	struct shoal_adopt *a = s->adopt;
	while (!a->finding && a->find_at < a->place_count && a->place[a->find_at].named) {
		size_t most = (size_t)shoal_min_u64(SHOAL_ADOPT_FIND_MAX, s->node->budget->limit / 8);
		if (!shoal_node_charge(s->node, most)) {
			shoal_swarm_warn(s, "no memory to look through a folder for files to adopt: they are fetched",
					 now);
			a->find_at++;
			continue;
		}
		a->charged += most;
		for (uint32_t i = 0; i < a->want_count; i++)
			a->want[i].strangers = 0;
		a->find.folder = a->place[a->find_at].folder;
		a->find.want = a->want;
		a->find.want_count = a->want_count;
		a->find.most = most;
		a->find.found = NULL;
		a->find.count = 0;
		a->find.bytes = 0;
		a->find.more = false;
		a->find_job = (struct shoal_disk_job){
			.op = SHOAL_DISK_FIND, .storage = s->storage, .find = &a->find, .owner = a
		};
		if (shoal_swarm_submit(s, &a->find_job) < 0) { /* the disk is at its bound: later */
			shoal_budget_give(s->node->budget, most);
			a->charged -= most;
			return true;
		}
		a->jobs++;
		a->finding = true;
	}
	return a->finding;
}

/* Files came before the first of those that show where they lie: they have another turn. */
static bool look_again(struct shoal_swarm *s)
{
	struct shoal_adopt *a = s->adopt;
	if (!a->second && a->without > 0 && a->kin_count == 0 && a->records)
		shoal_adopt_kin(s);
	bool again = !a->second && a->without > 0 && a->kin_count > 0;
	a->second = true;
	if (again)
		a->file_at = 0;
	return again;
}

static bool end(struct shoal_swarm *s, shoal_us now)
{
	if (s->adopt->begun)
		settle(s);
	tell(s, now);
	shoal_adopt_free(s);
	return false;
}

bool shoal_adopt_tick(struct shoal_swarm *s, shoal_us now)
{
	struct shoal_adopt *a = s->adopt;
	bool quiet = s->to_check.ones == 0 && s->checks_out == 0;
	if (a == NULL || (!a->begun && s->stopping))
		return false;
	if (!a->begun && !quiet)
		return true;
	if (!a->begun && !begin(s))
		return end(s, now);
	if (s->stopping || a->over)
		a->file_at = a->files;
	else if (find(s, now))
		return true;
	take(s);
	for (uint32_t i = 0; i < SHOAL_ADOPT_BATCH && a->works > 0 && !s->stopping; i++)
		while (a->work[i].state != SHOAL_ADOPT_FREE && work_step(s, &a->work[i], quiet))
			;
	if (s->stopping)
		return a->jobs > 0; /* the rest goes with the swarm */
	if (a->jobs > 0 || a->works > 0 || a->file_at < a->files || s->to_check.ones > 0 || s->checks_out > 0)
		return true;
	return (!a->over && look_again(s)) || end(s, now);
}

bool shoal_adopt_eager(const struct shoal_swarm *s)
{
	const struct shoal_adopt *a = s->adopt;
	return a != NULL && a->begun && !a->finding && a->file_at < a->files && a->works < SHOAL_ADOPT_BATCH &&
	       !s->stopping;
}

void shoal_adopt_stop(struct shoal_swarm *s)
{
	if (s->adopt != NULL)
		atomic_store(&s->adopt->find.stop, true);
}
