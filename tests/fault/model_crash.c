/* model_crash.c - from a log to what a power cut leaves: which changes were kept, and how the others tore. */
#include "tests/fault/model_room.h"

#include <stdlib.h>
#include <string.h>

/* The dice of one crash. */
struct cut {
	struct shoal_rng *rng;
	uint32_t keep;	    /* of 256: that an unsynced sector is there */
	uint32_t keep_name; /* and an unsynced name, when they may come in any order */
	bool in_order;	    /* names up to `names` are there and none after: a journal */
	size_t names;
	uint32_t sector;
	bool garbage; /* a file that grew without its bytes shows what lay there before */
};
enum kept { KEPT_NOT, KEPT_BYTES, KEPT_ALL };

enum model_barrier model_kept_by(const struct model *m, const struct model_op *op, const struct model_op *sync)
{
	enum model_barrier of = op->ino < m->inodes ? m->inode[op->ino].made_as : MODEL_NONE;
	bool state = of == MODEL_STATE_NAME;
	bool names = op->kind == OP_MAKE || op->kind == OP_RENAME || op->kind == OP_UNLINK;
	if (op->kind == OP_SYNC || op->kind == OP_LOSE)
		return MODEL_NONE;
	switch ((enum model_sync)sync->sync) {
	case SYNC_ALL: return state || of == MODEL_STATE_FOLDER ? MODEL_NONE : MODEL_VOLUME;
	case SYNC_DATA:
	case SYNC_FILE: return !names && op->ino == sync->ino ? (enum model_barrier)sync->barrier : MODEL_NONE;
	case SYNC_NAMES:
		if (!names || (op->folder != sync->folder && !(op->kind == OP_RENAME && op->to_dir == sync->folder)))
			return MODEL_NONE;
		if (op->kind == OP_MAKE)
			return (enum model_barrier)op->barrier;
		return state ? MODEL_STATE_NAME : MODEL_FINAL_NAME;
	}
	return MODEL_NONE;
}

/* Which entries were kept by a sync that had returned. */
static uint8_t *kept_ops(const struct model *m, size_t at, unsigned lost)
{
	uint8_t *kept = model_must(calloc(at + 1, 1));
	size_t *open = model_must(malloc((at + 1) * sizeof *open)), opens = 0;
	for (size_t i = 0; i < at; i++) {
		const struct model_op *sync = &m->op[i];
		if (sync->kind != OP_SYNC) {
			open[opens++] = i;
			continue;
		}
		size_t left = 0;
		for (size_t k = 0; k < opens; k++) {
			enum model_barrier by = MODEL_NONE;
			if (open[k] < sync->offset)
				by = model_kept_by(m, &m->op[open[k]], sync);
			if (by != MODEL_NONE && !(lost >> by & 1))
				kept[open[k]] = sync->sync == SYNC_DATA ? KEPT_BYTES : KEPT_ALL;
			else
				open[left++] = open[k];
		}
		opens = left;
	}
	free(open);
	return kept;
}

static bool heads(struct cut *c, uint32_t of_256)
{
	return shoal_rng_below(c->rng, 256) < of_256;
}

static void write_torn(struct cut *c, struct model_inode *f, const struct model_op *op)
{
	uint64_t end = op->offset + op->len, was = f->size;
	if (end > f->size && heads(c, c->keep)) {
		model_grow(f, end);
		for (uint64_t i = was; c->garbage && i < end; i++)
			f->at[i] = (uint8_t)(shoal_rng_next(c->rng) >> 8);
	}
	for (uint64_t from = op->offset, to; from < end; from = to) {
		to = (from / c->sector + 1) * c->sector;
		to = to < end ? to : end;
		uint64_t fit = to < f->size ? to : f->size;
		if (heads(c, c->keep) && from < fit)
			memcpy(f->at + from, op->at + (from - op->offset), fit - from);
	}
}

static void apply_bytes(struct cut *c, struct model_inode *f, const struct model_op *op, enum kept kept)
{
	if (op->kind == OP_CUT) {
		if (kept != KEPT_NOT || heads(c, c->keep)) {
			model_grow(f, op->len);
			f->size = op->len;
		}
	} else if (kept == KEPT_NOT) {
		write_torn(c, f, op);
	} else {
		model_grow(f, op->offset + op->len);
		memcpy(f->at + op->offset, op->at, op->len);
	}
	if (kept == KEPT_ALL || heads(c, 128))
		f->mtime_ns = f->ctime_ns = op->time_ns;
}

static void apply_name(struct model_inode *inode, const struct model_op *op)
{
	struct model_inode *folder = &inode[op->folder];
	switch (op->kind) {
	case OP_MAKE: model_name_add(folder, op->name, strlen(op->name), op->ino); break;
	case OP_RENAME:
		model_name_drop(&inode[op->to_dir], op->to);
		model_name_add(&inode[op->to_dir], op->to, strlen(op->to), op->ino);
		model_name_drop(folder, op->name);
		inode[op->ino].ctime_ns = op->time_ns;
		break;
	case OP_UNLINK:
		for (const struct model_name *n = folder->names; n != NULL; n = n->next)
			if (n->ino == op->ino && strcmp(n->name, op->name) == 0) {
				model_name_drop(folder, op->name);
				break;
			}
		break;
	}
}

static struct cut cut_of(struct shoal_rng *rng, size_t at)
{
	static const uint32_t odds[] = { 0, 16, 64, 128, 192, 240, 256, 256 };
	return (struct cut){ .rng = rng,
			     .keep = odds[shoal_rng_below(rng, 8)],
			     .keep_name = odds[shoal_rng_below(rng, 8)],
			     .in_order = shoal_rng_below(rng, 2),
			     .names = shoal_rng_below(rng, (uint32_t)at + 1),
			     .sector = shoal_rng_below(rng, 2) ? 512 : 4096,
			     .garbage = shoal_rng_below(rng, 4) == 0 };
}

void model_replay(const struct model *m, struct model_inode **out, uint32_t *n, size_t at, unsigned lost,
		  struct shoal_rng *rng)
{
	struct cut c = { .in_order = true, .names = at };
	uint8_t *kept;
	if (rng != NULL) {
		c = cut_of(rng, at);
		kept = kept_ops(m, at, lost);
	} else {
		kept = memset(model_must(malloc(at + 1)), KEPT_ALL, at + 1);
	}
	struct model_inode *inode = model_must(calloc(m->inodes, sizeof *inode));
	struct model_inode *base = model_copy(m->base, m->bases);
	size_t *gone = model_must(calloc(m->inodes, sizeof *gone)); /* where a failed sync took the inode's past away */

	memcpy(inode, base, m->bases * sizeof *inode);
	free(base);
	for (size_t i = 0; i < at; i++)
		if (m->op[i].kind == OP_LOSE)
			gone[m->op[i].ino] = i;
	for (size_t i = 0; i < at; i++) {
		const struct model_op *op = &m->op[i];
		struct model_inode *f = &inode[op->ino];
		if (op->kind == OP_MAKE)
			*f = (struct model_inode){ .used = true,
						   .dir = op->dir,
						   .made_as = (enum model_barrier)op->barrier,
						   .mtime_ns = op->time_ns,
						   .ctime_ns = op->time_ns };
		if (op->kind == OP_WRITE || op->kind == OP_CUT) {
			if (i >= gone[op->ino])
				apply_bytes(&c, f, op, (enum kept)kept[i]);
		} else if (op->kind == OP_LOSE) {
			f->size = 0;
			model_grow(f, op->len);
			if (op->len)
				memcpy(f->at, op->at, op->len);
		} else if (op->kind != OP_SYNC) {
			if (kept[i] || (c.in_order ? i < c.names : heads(&c, c.keep_name)))
				apply_name(inode, op);
		}
	}
	free(gone);
	free(kept);
	*out = inode;
	*n = m->inodes;
}

static struct model *left(const struct model *m, size_t at, unsigned lost, struct shoal_rng *rng)
{
	struct model *out = model_must(calloc(1, sizeof *out));
	pthread_mutex_init(&out->lock, NULL);
	out->room = UINT64_MAX;
	out->fail_barrier = MODEL_NONE;
	out->time_ns = m->time_ns + 1000000000;
	model_replay(m, &out->inode, &out->inodes, at, lost, rng);
	out->inode_room = out->inodes;
	return out;
}

struct model *model_crash(struct model *m, size_t at, unsigned lost, uint64_t seed)
{
	struct shoal_rng rng = shoal_rng_split(seed, 1);
	pthread_mutex_lock(&m->lock);
	struct model *out = left(m, at, lost, &rng);
	pthread_mutex_unlock(&m->lock);
	out->bases = out->inodes;
	out->base = model_copy(out->inode, out->inodes);
	return out;
}

struct model *model_kill(struct model *m, size_t at)
{
	pthread_mutex_lock(&m->lock);
	struct model *out = left(m, at, 0, NULL);
	out->bases = m->bases;
	out->base = model_copy(m->base, m->bases);
	out->ops = out->op_room = at;
	out->op = model_must(calloc(at + 1, sizeof *out->op));
	for (size_t i = 0; i < at; i++) {
		struct model_op *op = &out->op[i];
		*op = m->op[i];
		op->name = op->name ? model_must(strdup(op->name)) : NULL;
		op->to = op->to ? model_must(strdup(op->to)) : NULL;
		if (op->at != NULL)
			op->at = memcpy(model_must(malloc(op->len + 1)), op->at, op->len);
	}
	pthread_mutex_unlock(&m->lock);
	return out;
}

void model_barriers(struct model *m, size_t at, uint64_t count[MODEL_BARRIERS])
{
	pthread_mutex_lock(&m->lock);
	size_t *open = model_must(malloc((at + 1) * sizeof *open)), opens = 0;
	for (size_t i = 0; i < at && i < m->ops; i++) {
		const struct model_op *sync = &m->op[i];
		if (sync->kind != OP_SYNC) {
			open[opens++] = i;
			continue;
		}
		size_t left = 0;
		unsigned seen = 0;
		for (size_t k = 0; k < opens; k++) {
			enum model_barrier by = open[k] < sync->offset ? model_kept_by(m, &m->op[open[k]], sync)
								       : MODEL_NONE;
			if (by == MODEL_NONE)
				open[left++] = open[k];
			else
				seen |= 1u << by;
		}
		opens = left;
		for (unsigned b = 0; b < MODEL_BARRIERS; b++)
			count[b] += seen >> b & 1;
	}
	free(open);
	pthread_mutex_unlock(&m->lock);
}
