/* frame.c - one list of fields a struct, walked by writer and reader alike; see frame.h. */
#include "swarm/libtorrent/frame.h"

#include <stdlib.h>
#include <string.h>

struct walk {
	bool writing;
	int err;
	/* writing: heap; reading: the frame */
	uint8_t *at;
	size_t len, room;
	struct shoal_bytes in;
	struct shoal_lt_read *kept;
};

static void fail(struct walk *w, int err)
{
	if (w->err == 0)
		w->err = err;
}

/* `n` bytes to write to, or to read from; NULL after an error. */
static uint8_t *take(struct walk *w, size_t n)
{
	if (w->err != 0)
		return NULL;
	if (!w->writing) {
		if (n > w->in.len) {
			fail(w, SHOAL_ERR_MALFORMED);
			return NULL;
		}
		uint8_t *from = (uint8_t *)(uintptr_t)w->in.at;
		w->in.at += n;
		w->in.len -= n;
		return from;
	}
	if (n > SHOAL_LT_FRAME_MAX || w->len + n > (size_t)SHOAL_LT_FRAME_MAX * 2) {
		fail(w, SHOAL_ERR_TOO_LONG);
		return NULL;
	}
	if (w->len + n > w->room) {
		size_t room = w->room * 2 > w->len + n ? w->room * 2 : w->len + n + 512;
		uint8_t *more = realloc(w->at, room);
		if (more == NULL) {
			fail(w, SHOAL_ERR_NOMEM);
			return NULL;
		}
		w->at = more;
		w->room = room;
	}
	uint8_t *to = w->at + w->len;
	w->len += n;
	return to;
}

static void raw(struct walk *w, void *v, size_t n)
{
	uint8_t *at = take(w, n);
	if (at == NULL)
		return;
	if (w->writing)
		memcpy(at, v, n);
	else
		memcpy(v, at, n);
}

static uint64_t number(struct walk *w, uint64_t v, size_t bytes)
{
	uint8_t b[8];
	for (size_t i = 0; i < bytes; i++)
		b[i] = (uint8_t)(v >> (8 * i));
	raw(w, b, bytes);
	v = 0;
	for (size_t i = 0; i < bytes && w->err == 0; i++)
		v |= (uint64_t)b[i] << (8 * i);
	return v;
}

/* One way to say each thing: a flag is 0 or 1. */
static bool flag(struct walk *w, bool v)
{
	uint64_t got = number(w, v, 1);
	if (got > 1)
		fail(w, SHOAL_ERR_MALFORMED);
	return got == 1;
}

#define U8(v) ((v) = (uint8_t)number(w, (uint64_t)(v), 1))
#define U32(v) ((v) = (uint32_t)number(w, (uint64_t)(v), 4))
#define U64(v) ((v) = number(w, (uint64_t)(v), 8))
#define I32(v) ((v) = (int32_t)(uint32_t)number(w, (uint32_t)(v), 4))
#define FLAG(v) ((v) = flag(w, (v)))
#define CHOICE(v, type) ((v) = (type)number(w, (uint64_t)(v), 4))

static void span(struct walk *w, struct shoal_bytes *v)
{
	uint64_t len = number(w, v->len, 8);
	if (len > SHOAL_LT_FRAME_MAX)
		fail(w, SHOAL_ERR_TOO_LONG);
	uint8_t *at = take(w, (size_t)len);
	if (at == NULL)
		return;
	if (!w->writing)
		*v = (struct shoal_bytes){ at, (size_t)len };
	else if (len > 0)
		memcpy(at, v->at, (size_t)len);
}

/* A C string, or none; read as a copy that ends with a NUL. */
static void string(struct walk *w, const char **v, unsigned which)
{
	struct shoal_bytes s = { (const uint8_t *)*v, *v != NULL ? strlen(*v) : 0 };
	bool there = *v != NULL;
	FLAG(there);
	span(w, &s);
	if (w->err != 0 || w->writing)
		return;
	*v = NULL;
	if (!there && s.len > 0)
		return fail(w, SHOAL_ERR_MALFORMED);
	if (!there)
		return;
	char *copy = malloc(s.len + 1);
	if (copy == NULL)
		return fail(w, SHOAL_ERR_NOMEM);
	memcpy(copy, s.at, s.len);
	copy[s.len] = '\0';
	w->kept->strings[which] = copy;
	*v = copy;
}

static void addr(struct walk *w, struct shoal_addr *a)
{
	uint32_t port = a->port;
	raw(w, a->ip, sizeof a->ip);
	a->port = (uint16_t)number(w, port, 2);
	FLAG(a->is_v4);
}

/* ---- the lists ----------------------------------------------------------------------------- */

static void config(struct walk *w, struct shoal_config *c)
{
	U32(c->listen_count);
	if (c->listen_count > SHOAL_LISTEN_MAX)
		return fail(w, SHOAL_ERR_MALFORMED);
	for (size_t i = 0; i < c->listen_count; i++)
		addr(w, &c->listen[i]);
	U64(c->memory);
	U64(c->up);
	U64(c->down);
	U32(c->max_peers);
	U32(c->upload_slots);
	U32(c->threads);
	U32(c->dscp);
	string(w, &c->state_dir, 0);
	string(w, &c->agent, 1);
	FLAG(c->no_pex);
	FLAG(c->no_lsd);
	FLAG(c->no_utp);
	FLAG(c->no_tcp);
	FLAG(c->no_dht);
	FLAG(c->dht_read_only);
	FLAG(c->portmap);
	FLAG(c->accept_old);
	CHOICE(c->encryption, enum shoal_encryption);
	c->size = sizeof *c;
}

static void op(struct walk *w, struct shoal_op *o)
{
	CHOICE(o->kind, enum shoal_op_kind);
	U64(o->ticket);
	U32(o->torrent);
	U32(o->peer);
	U32(o->flags);
	span(w, &o->text);
	span(w, &o->data);
	span(w, &o->folder);
	span(w, &o->files);
	addr(w, &o->addr);
	U64(o->offset);
	U64(o->length);
	U64(o->within);
	U64(o->up);
	U64(o->down);
	U8(o->ext);
	CHOICE(o->adopt, enum shoal_adopt_how);
	span(w, &o->adopt_from);
}

static void stats(struct walk *w, struct shoal_stats *s)
{
	U64(s->size);
	U64(s->done);
	U64(s->verified);
	U64(s->downloaded);
	U64(s->uploaded);
	U64(s->adopted);
	U64(s->wasted);
	U64(s->hash_failures);
	U64(s->down_rate);
	U64(s->up_rate);
	U32(s->peers);
	U32(s->seeds);
	U32(s->pieces);
	U32(s->pieces_done);
	U64(s->memory_used);
	U64(s->memory_peak);
	FLAG(s->complete);
	FLAG(s->checking);
	FLAG(s->paused);
	FLAG(s->metadata);
}

static void info(struct walk *w, struct shoal_peer_info *p)
{
	addr(w, &p->addr);
	U64(p->got);
	U64(p->gave);
	U64(p->wasted);
	U64(p->spoiled);
	U64(p->down_rate);
	U64(p->up_rate);
	U32(p->asked);
	U32(p->pieces);
	FLAG(p->connected);
	FLAG(p->seed);
	FLAG(p->banned);
	FLAG(p->incoming);
	FLAG(p->v2);
	FLAG(p->choking_us);
	FLAG(p->choked);
	FLAG(p->interested);
	FLAG(p->interesting);
}

/* As many as it says, each of at least `least` bytes: no more than the frame could hold. */
static size_t table_count(struct walk *w, size_t count, size_t least)
{
	uint64_t n = number(w, count, 8);
	if (!w->writing && n > w->in.len / least)
		fail(w, SHOAL_ERR_MALFORMED);
	return w->err != 0 ? 0 : (size_t)n;
}

static void copies(struct walk *w, struct shoal_event *e)
{
	size_t n = table_count(w, e->copies_count, 4);
	uint32_t *to = NULL;
	if (!w->writing) {
		e->copies = NULL;
		e->copies_count = n;
		if (n == 0)
			return;
		to = w->kept->copies = malloc(n * sizeof *to);
		if (to == NULL)
			return fail(w, SHOAL_ERR_NOMEM);
		e->copies = to;
	}
	for (size_t i = 0; i < n && w->err == 0; i++) {
		uint32_t v = (uint32_t)number(w, w->writing ? e->copies[i] : 0, 4);
		if (to != NULL)
			to[i] = v;
	}
}

static void files(struct walk *w, struct shoal_event *e)
{
	size_t n = table_count(w, e->files_count, 26);
	struct shoal_file_info *to = NULL;
	if (!w->writing) {
		e->files = NULL;
		e->files_count = n;
		if (n == 0)
			return;
		to = w->kept->files = calloc(n, sizeof *to);
		if (to == NULL)
			return fail(w, SHOAL_ERR_NOMEM);
		e->files = to;
	}
	for (size_t i = 0; i < n && w->err == 0; i++) {
		struct shoal_file_info f = w->writing ? e->files[i] : (struct shoal_file_info){ 0 };
		U64(f.size);
		U64(f.done);
		U32(f.path_at);
		U32(f.path_count);
		U8(f.priority);
		FLAG(f.pad);
		if (to != NULL)
			to[i] = f;
		/* A path is a stretch of the data that came before. */
		if (f.path_at > e->data.len || f.path_count > e->data.len - f.path_at)
			fail(w, SHOAL_ERR_MALFORMED);
	}
}

static void event(struct walk *w, struct shoal_event *e)
{
	CHOICE(e->kind, enum shoal_event_kind);
	U64(e->t);
	U64(e->ticket);
	U32(e->torrent);
	U32(e->peer);
	I32(e->err);
	U32(e->index);
	U64(e->done);
	U64(e->total);
	FLAG(e->has_v1);
	FLAG(e->has_v2);
	raw(w, e->hash_v1.b, sizeof e->hash_v1.b);
	raw(w, e->hash_v2.b, sizeof e->hash_v2.b);
	addr(w, &e->addr);
	span(w, &e->text);
	span(w, &e->name);
	span(w, &e->data);
	copies(w, e);
	files(w, e);
	stats(w, &e->stats);
	info(w, &e->info);
}

static void hello(struct walk *w, struct shoal_lt_hello *h)
{
	I32(h->err);
	span(w, &h->what);
	span(w, &h->version);
}

static void body_of(struct walk *w, unsigned kind, union shoal_lt_body *b)
{
	switch (kind) {
	case SHOAL_LT_OPEN: config(w, &b->start.config); break;
	case SHOAL_LT_OPENED: hello(w, &b->hello); break;
	case SHOAL_LT_OP: op(w, &b->op); break;
	case SHOAL_LT_EVENT: event(w, &b->event); break;
	default: fail(w, SHOAL_ERR_MALFORMED);
	}
}

/* ---- frames ---------------------------------------------------------------------------------- */

static uint32_t length_at(const uint8_t *at)
{
	return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

ptrdiff_t shoal_lt_frame_length(struct shoal_bytes in, size_t most)
{
	if (in.len < SHOAL_LT_FRAME_HEAD)
		return 0;
	size_t len = length_at(in.at);
	if (len < 1 || in.at[4] < SHOAL_LT_OPEN || in.at[4] > SHOAL_LT_EVENT)
		return SHOAL_ERR_MALFORMED;
	if (len > most - 4)
		return SHOAL_ERR_TOO_LONG;
	return (ptrdiff_t)(len + 4);
}

int shoal_lt_frame_write(uint8_t **at, size_t *len, size_t *room, enum shoal_lt_kind kind,
			 const union shoal_lt_body *body)
{
	union shoal_lt_body copy = *body; /* the walk assigns what it wrote to what it wrote */
	struct walk w = { .writing = true, .at = *at, .len = *len, .room = *room };
	uint8_t *head = take(&w, SHOAL_LT_FRAME_HEAD);
	if (head != NULL)
		head[4] = (uint8_t)kind;
	body_of(&w, kind, &copy);
	size_t whole = w.len - *len - 4;
	if (w.err == 0 && whole > SHOAL_LT_FRAME_MAX - 4)
		w.err = SHOAL_ERR_TOO_LONG;
	*at = w.at;
	*room = w.room;
	if (w.err != 0)
		return w.err;
	head = w.at + *len; /* it may have moved */
	for (unsigned i = 0; i < 4; i++)
		head[i] = (uint8_t)(whole >> (8 * i));
	*len = w.len;
	return 0;
}

int shoal_lt_frame_read(struct shoal_bytes frame, union shoal_lt_body *body, struct shoal_lt_read *kept)
{
	*kept = (struct shoal_lt_read){ 0 };
	memset(body, 0, sizeof *body);
	ptrdiff_t whole = shoal_lt_frame_length(frame, SHOAL_LT_FRAME_MAX);
	if (whole <= 0 || (size_t)whole != frame.len)
		return SHOAL_ERR_MALFORMED;
	struct walk w = { .in = { frame.at + SHOAL_LT_FRAME_HEAD, frame.len - SHOAL_LT_FRAME_HEAD }, .kept = kept };
	body_of(&w, frame.at[4], body);
	if (w.err == 0 && w.in.len != 0)
		w.err = SHOAL_ERR_MALFORMED;
	return w.err != 0 ? w.err : frame.at[4];
}

void shoal_lt_read_fini(struct shoal_lt_read *kept)
{
	free(kept->strings[0]);
	free(kept->strings[1]);
	free(kept->copies);
	free(kept->files);
	*kept = (struct shoal_lt_read){ 0 };
}
