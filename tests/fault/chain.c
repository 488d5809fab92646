/* chain.c - see chain.h. */
#include "tests/fault/chain.h"

#include <stdio.h>
#include <stdlib.h>
#include "proto/base/rng.h"

struct chain {
	const struct chain_options *o;
	struct chain_sums *sums;
	struct shoal_rng rng;
	struct life_torrent torrent;
	struct life_options life;
};

static void found(struct chain *c, unsigned faults, const char *where, size_t at, const char *words)
{
	if (faults == 0)
		return;
	for (unsigned i = 0; i < sizeof c->sums->by / sizeof *c->sums->by; i++)
		c->sums->by[i] += faults >> i & 1;
	c->sums->faulty++;
	c->sums->faults |= faults;
	if (c->o->quiet)
		return;
	fprintf(stderr, "seed %llu%s%s%s, %s, cut at %zu:", (unsigned long long)c->o->seed,
		c->o->threads ? ", threads" : "", c->o->many ? ", many files" : "",
		c->o->faults ? ", a failing sync" : "", where, at);
	for (unsigned f = 1; f <= LIFE_STUCK; f <<= 1)
		if (faults & f)
			fprintf(stderr, " [%s]", life_fault_name(f));
	fprintf(stderr, " %s\n", words);
}

/* A place to cut: anywhere, or near the end of a sync, where what it promised is fresh. */
static size_t place(struct chain *c, size_t from, size_t to)
{
	uint32_t span = (uint32_t)(to - from), late = span < 12 ? span : 12;
	return shoal_rng_below(&c->rng, 4) ? from + shoal_rng_below(&c->rng, span + 1)
					   : to - shoal_rng_below(&c->rng, late + 1);
}

static void chain_begin(struct chain *c, const struct chain_options *o, struct chain_sums *sums)
{
	*c = (struct chain){ .o = o, .sums = sums, .rng = shoal_rng_split(o->seed, 11) };
	life_torrent_make(&c->torrent, o->seed, o->many);
	c->life = (struct life_options){ .workers = o->threads ? 1 + shoal_rng_below(&c->rng, 3) : 0,
					 .seed = o->seed * 1000003,
					 .memory = shoal_rng_below(&c->rng, 3) ? 16u << 20 : 3u << 20,
					 .blocks = 1 + shoal_rng_below(&c->rng, 12),
					 .bad = shoal_rng_below(&c->rng, 4) ? 0 : 5 };
}

static void plan_fault(struct chain *c, struct model *m)
{
	static const enum model_barrier which[] = { MODEL_DATA,	  MODEL_DATA, MODEL_NEW_FILE, MODEL_FINAL_NAME,
						    MODEL_VOLUME, MODEL_WAL,  MODEL_WAL,      MODEL_DB };
	if (c->o->faults)
		model_fail_sync(m, which[shoal_rng_below(&c->rng, 8)], 1 + shoal_rng_below(&c->rng, 6), 5 /* EIO */);
	if (c->o->threads)
		model_linger(m, shoal_rng_below(&c->rng, 300));
}

/* Lives `l` out. */
static void live(struct chain *c, struct life *l, struct model *m)
{
	uint32_t steps = shoal_rng_below(&c->rng, 3) ? 20 + shoal_rng_below(&c->rng, 400) : 3000;
	plan_fault(c, m);
	for (uint32_t i = 0; i < steps && life_step(l); i++)
		if (life_complete(l) && shoal_rng_below(&c->rng, 10) == 0)
			break;
	c->sums->lives++;
	c->sums->pauses += life_pauses(l);
	c->sums->failed_syncs += model_failed(m);
	model_fail_sync(m, MODEL_NONE, 0, 0);
}

/* Where to cut, and what had been told by then. */
struct note {
	size_t at;
	struct life_told told;
};

static struct note *notes_new(struct chain *c, const struct life *l, size_t length)
{
	struct note *notes = calloc(c->o->states, sizeof *notes);
	if (notes == NULL)
		abort();
	for (uint32_t k = 0; k < c->o->states; k++) {
		notes[k].at = k == 0 ? length : place(c, life_born(l), length);
		notes[k].told = life_told_new(&c->torrent);
		life_told_at(l, notes[k].at, &notes[k].told);
	}
	return notes;
}

/* One crash: a new life on what is left. NULL, and freed, unless it is the one to go on with. */
static struct life *crash(struct chain *c, struct model *m, const struct note *note, bool go_on, struct model **cut)
{
	unsigned faults;
	char words[320] = "";
	uint64_t rehashed = 0;
	c->life.killed = shoal_rng_below(&c->rng, 4) == 0;
	c->life.seed++;
	*cut = c->life.killed ? model_kill(m, note->at) : model_crash(m, note->at, c->o->lost, c->life.seed);
	struct life *l = life_begin(*cut, &c->torrent, &c->life, &note->told, &faults, &rehashed, words);
	c->sums->kills += c->life.killed;
	c->sums->states++;
	c->sums->rehashed += rehashed;
	for (uint32_t p = 0; p < shoal_metainfo_piece_count(c->torrent.content.mi); p++)
		c->sums->claims += note->told.piece[p];
	found(c, faults, c->life.killed ? "after the kill" : "after the cut", note->at, words);
	if (faults != 0 && getenv("SHOAL_TORN_PRINT") != NULL)
		model_print(m, 0, note->at);
	if (faults == 0 && go_on)
		return l;
	life_end(l, false);
	model_free(*cut);
	*cut = NULL;
	return NULL;
}

/* Ends a life, and looks at what crashes during it would have left. The next life, or NULL. */
static struct life *end(struct chain *c, struct life *l, struct model **m, bool last)
{
	size_t length = model_log_length(*m);
	struct note *notes = notes_new(c, l, length);
	struct model *cut = NULL;
	bool complete = life_complete(l), clean = shoal_rng_below(&c->rng, 3) == 0;
	unsigned faults = life_end(l, clean);
	found(c, faults, "as it ended", length, "");
	if (complete)
		found(c, faults |= life_whole(*m, &c->torrent), "told to be complete", length, "");
	if (clean) /* what it did on its way out must lose nothing either */
		notes[0].at = length + shoal_rng_below(&c->rng, (uint32_t)(model_log_length(*m) - length) + 1);
	c->sums->ops += model_log_length(*m);
	c->sums->completed += complete;
	model_barriers(*m, model_log_length(*m), c->sums->barrier);
	l = NULL;
	for (uint32_t k = 0; k < c->o->states && c->sums->faults == 0 && l == NULL; k++)
		l = crash(c, *m, &notes[k], !last && k + 1 == c->o->states, &cut);
	for (uint32_t k = 0; k < c->o->states; k++)
		life_told_free(&notes[k].told);
	free(notes);
	model_free(*m);
	*m = cut;
	return l;
}

void chain_run(const struct chain_options *options, struct chain_sums *sums)
{
	struct chain c;
	unsigned faults = 0;
	char words[320] = "";
	uint64_t rehashed = 0;
	model_vfs_seed(options->seed);
	chain_begin(&c, options, sums);
	struct model *m = model_new();
	struct life *l = life_begin(m, &c.torrent, &c.life, NULL, &faults, &rehashed, words);
	found(&c, faults, "at birth", 0, words);
	sums->chains++;
	for (uint32_t n = 1; l != NULL && sums->faults == 0; n++) {
		live(&c, l, m);
		found(&c, life_faults(l), "alive", model_log_length(m), life_words(l));
		l = end(&c, l, &m, n == options->lives);
	}
	life_end(l, false);
	model_free(m);
	life_torrent_free(&c.torrent);
}
