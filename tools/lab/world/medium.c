/* medium.c - pages in three versions; see medium.h. */
#include "tools/lab/world/medium.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "tools/lab/world/content.h"
#include "tools/lab/world/must.h"

enum kind {
	HOLE,  /* nothing was written: zeros */
	RIGHT, /* what the content has there */
	OWN,   /* anything else, kept */
};
struct version {
	enum kind kind;
	uint8_t *own;
};
struct sim_page {
	struct version live, flush, durable;
	bool dirty;    /* live is not durable, and no sync has it */
	bool flushing; /* `flush` is with a sync */
	bool lost;     /* a sync of it failed: it counts as clean, and is not durable */
};

/* Neighbouring pages. Two groups take no memory: NULL, of which nothing was ever written, and `all_right`. */
#define GROUP 64u
struct sim_group {
	struct sim_page page[GROUP];
};
static const struct sim_page hole_page;
static const struct sim_page right_page = { .live = { RIGHT, NULL }, .durable = { RIGHT, NULL } };
static struct sim_group all_right; /* never read or written: its address is the word */

static bool coin(struct sim_medium *m)
{
	return shoal_rng_below(&m->rng, 2) == 0;
}

/* ---- versions --------------------------------------------------------------------------- */

static void clear(struct version *v)
{
	free(v->own);
	*v = (struct version){ HOLE, NULL };
}

static void copy(const struct sim_file *f, struct version *to, const struct version *from)
{
	size_t bytes = f->head ? f->head : SIM_PAGE;
	if (to == from)
		return;
	clear(to);
	to->kind = from->kind;
	if (from->kind == OWN) {
		to->own = sim_must(malloc(bytes));
		memcpy(to->own, from->own, bytes);
	}
}

/* Of a page's bytes [skip, skip+len), how many are kept. */
static size_t kept(const struct sim_file *f, size_t skip, size_t len)
{
	if (f->head == 0)
		return len;
	size_t n = skip < f->head ? f->head - skip : 0;
	return n < len ? n : len;
}

/* Bytes of page i that the file can have. */
static size_t extent(const struct sim_file *f, uint32_t i)
{
	uint64_t left = f->size_max - (uint64_t)i * SIM_PAGE;
	return left < SIM_PAGE ? (size_t)left : SIM_PAGE;
}

static void bytes_of(const struct sim_file *f, uint32_t i, const struct version *v, size_t skip, uint8_t *to,
		     size_t len)
{
	len = kept(f, skip, len);
	if (len == 0)
		return;
	if (v->kind == HOLE)
		memset(to, 0, len);
	else if (v->kind == OWN)
		memcpy(to, v->own + skip, len);
	else
		sim_content_bytes(f->seed, f->begin + (uint64_t)i * SIM_PAGE + skip, to, len);
}

/* Makes the version's bytes its own, to be changed. */
static uint8_t *own(const struct sim_file *f, uint32_t i, struct version *v)
{
	if (v->kind != OWN) {
		uint8_t *at = sim_must(calloc(1, f->head ? f->head : SIM_PAGE));
		bytes_of(f, i, v, 0, at, extent(f, i));
		*v = (struct version){ OWN, at };
	}
	return v->own;
}

/* Notes a version that is right as such. */
static void settle(const struct sim_file *f, uint32_t i, struct version *v)
{
	if (v->kind == OWN &&
	    sim_content_is(f->seed, f->begin + (uint64_t)i * SIM_PAGE, v->own, kept(f, 0, extent(f, i)))) {
		clear(v);
		v->kind = RIGHT;
	}
}

static bool right(const struct sim_file *f, uint32_t i, const struct version *v, size_t skip, size_t len)
{
	if (v->kind == RIGHT)
		return true;
	if (f->head > 0) { /* it is wrong somewhere, and that is noted in the head */
		skip = 0;
		len = kept(f, 0, extent(f, i));
	}
	return v->kind == OWN && sim_content_is(f->seed, f->begin + (uint64_t)i * SIM_PAGE + skip, v->own + skip, len);
}

/* ---- groups ----------------------------------------------------------------------------- */

static uint32_t groups(const struct sim_file *f)
{
	return (f->pages + GROUP - 1) / GROUP;
}

static bool is_plain(const struct sim_group *g)
{
	return g == NULL || g == &all_right;
}

static const struct sim_page *page_of(const struct sim_file *f, uint32_t i)
{
	const struct sim_group *g = f->group[i / GROUP];
	return g == NULL ? &hole_page : g == &all_right ? &right_page : &g->page[i % GROUP];
}

/* A page to be changed. */
static struct sim_page *page_open(struct sim_file *f, uint32_t i)
{
	struct sim_group **g = &f->group[i / GROUP];
	if (is_plain(*g)) {
		struct sim_page all = *g == NULL ? hole_page : right_page;
		*g = sim_must(malloc(sizeof **g));
		for (uint32_t k = 0; k < GROUP; k++)
			(*g)->page[k] = all;
	}
	return &(*g)->page[i % GROUP];
}

/* One past the last page of a group. */
static uint32_t group_end(const struct sim_file *f, uint32_t g)
{
	return (g + 1) * GROUP < f->pages ? (g + 1) * GROUP : f->pages;
}

/* Whose pages are all alike again takes no more memory. */
static void group_settle(struct sim_file *f, uint32_t g)
{
	struct sim_group *group = f->group[g];
	if (is_plain(group))
		return;
	enum kind kind = group->page[0].live.kind;
	for (uint32_t i = g * GROUP; i < group_end(f, g); i++) {
		const struct sim_page *p = &group->page[i % GROUP];
		if (kind == OWN || p->live.kind != kind || p->durable.kind != kind || p->dirty || p->flushing ||
		    p->lost)
			return;
	}
	free(group);
	f->group[g] = kind == RIGHT ? &all_right : NULL;
}

/* ---- files ------------------------------------------------------------------------------ */

void sim_medium_init(struct sim_medium *m, struct shoal_rng rng, uint32_t head)
{
	*m = (struct sim_medium){ .rng = rng, .next_ino = 100, .head = head };
}

static void pages_clear(struct sim_medium *m, struct sim_file *f)
{
	for (uint32_t g = 0; g < groups(f); g++) {
		for (uint32_t i = g * GROUP; i < group_end(f, g) && f->group[g] != NULL; i++)
			m->used -= page_of(f, i)->live.kind != HOLE ? SIM_PAGE : 0;
		for (uint32_t k = 0; k < GROUP && !is_plain(f->group[g]); k++) {
			clear(&f->group[g]->page[k].live);
			clear(&f->group[g]->page[k].flush);
			clear(&f->group[g]->page[k].durable);
		}
		if (!is_plain(f->group[g]))
			free(f->group[g]);
		f->group[g] = NULL;
	}
}

void sim_medium_fini(struct sim_medium *m)
{
	for (struct sim_file *f; (f = m->file) != NULL;) {
		m->file = f->next;
		pages_clear(m, f);
		free(f->group);
		free(f->path);
		free(f);
	}
}

struct sim_file *sim_medium_file(struct sim_medium *m, const char *path, uint64_t seed, uint64_t begin,
				 uint64_t size_max)
{
	struct sim_file **at = &m->file;
	while (*at != NULL && strcmp((*at)->path, path) < 0)
		at = &(*at)->next;
	if (*at != NULL && strcmp((*at)->path, path) == 0)
		return *at;
	struct sim_file *f = sim_must(calloc(1, sizeof *f));
	f->path = sim_must(strdup(path));
	f->seed = seed;
	f->begin = begin;
	f->size_max = size_max;
	f->pages = (uint32_t)((size_max + SIM_PAGE - 1) / SIM_PAGE);
	f->head = m->head;
	f->group = sim_must(calloc(groups(f) + 1u, sizeof(struct sim_group *)));
	f->next = *at;
	*at = f;
	return f;
}

static void appear(struct sim_medium *m, struct sim_file *f, uint8_t state, int64_t now_ns)
{
	if (f->live.state == SHOAL_SEEN_NONE)
		f->live = (struct sim_entry){
			.state = state, .ino = ++m->next_ino, .mtime_ns = now_ns, .ctime_ns = now_ns
		};
}

void sim_file_fill_range(struct sim_medium *m, struct sim_file *f, uint64_t offset, uint64_t len, int64_t now_ns)
{
	appear(m, f, SHOAL_SEEN_PART, now_ns);
	for (uint64_t at = offset; at < offset + len;) {
		uint32_t i = (uint32_t)(at / SIM_PAGE);
		size_t skip = (size_t)(at % SIM_PAGE);
		size_t n = extent(f, i) - skip < offset + len - at ? extent(f, i) - skip : (size_t)(offset + len - at);
		struct sim_page *p = page_open(f, i);
		m->used += p->live.kind == HOLE ? SIM_PAGE : 0;
		if (n == extent(f, i)) {
			clear(&p->live);
			p->live.kind = RIGHT;
		} else {
			assert(f->head == 0);
			sim_content_bytes(f->seed, f->begin + at, own(f, i, &p->live) + skip, n);
			settle(f, i, &p->live);
		}
		copy(f, &p->durable, &p->live);
		p->dirty = p->lost = false;
		at += n;
		if (i % GROUP == GROUP - 1 || at == offset + len)
			group_settle(f, i / GROUP);
	}
	if (f->live.size < offset + len)
		f->live.size = offset + len;
	f->durable = f->live;
}

void sim_file_fill(struct sim_medium *m, struct sim_file *f, int64_t now_ns)
{
	appear(m, f, SHOAL_SEEN_WHOLE, now_ns);
	sim_file_fill_range(m, f, 0, f->size_max, now_ns);
}

uint64_t sim_file_growth(const struct sim_file *f, uint64_t offset, size_t len)
{
	uint64_t grown = 0;
	for (uint64_t i = offset / SIM_PAGE; len > 0 && i <= (offset + len - 1) / SIM_PAGE; i++)
		grown += page_of(f, (uint32_t)i)->live.kind == HOLE ? SIM_PAGE : 0;
	return grown;
}

void sim_file_write(struct sim_medium *m, struct sim_file *f, uint64_t offset, const uint8_t *at, size_t len,
		    int64_t now_ns)
{
	assert(offset <= f->size_max && len <= f->size_max - offset);
	appear(m, f, SHOAL_SEEN_PART, now_ns);
	while (len > 0) {
		uint32_t i = (uint32_t)(offset / SIM_PAGE);
		size_t skip = (size_t)(offset % SIM_PAGE);
		size_t n = SIM_PAGE - skip < len ? SIM_PAGE - skip : len;
		struct sim_page *p = page_open(f, i);
		m->used += p->live.kind == HOLE ? SIM_PAGE : 0;
		if (n == extent(f, i) &&
		    sim_content_is(f->seed, f->begin + (uint64_t)i * SIM_PAGE, at, kept(f, 0, n))) {
			clear(&p->live);
			p->live.kind = RIGHT;
		} else {
			assert(f->head == 0 || skip == 0);
			memcpy(own(f, i, &p->live) + skip, at, kept(f, skip, n));
			settle(f, i, &p->live);
		}
		p->dirty = true;
		p->lost = false;
		at += n;
		offset += n;
		len -= n;
	}
	if (f->live.size < offset)
		f->live.size = offset;
	f->live.mtime_ns = f->live.ctime_ns = now_ns;
	f->dirty = true;
}

bool sim_file_read(const struct sim_file *f, uint64_t offset, uint8_t *to, size_t len)
{
	if (f->live.state == SHOAL_SEEN_NONE || offset > f->live.size || len > f->live.size - offset)
		return false;
	while (len > 0) {
		uint32_t i = (uint32_t)(offset / SIM_PAGE);
		size_t skip = (size_t)(offset % SIM_PAGE);
		size_t n = SIM_PAGE - skip < len ? SIM_PAGE - skip : len;
		bytes_of(f, i, &page_of(f, i)->live, skip, to, n);
		to += n;
		offset += n;
		len -= n;
	}
	return true;
}

bool sim_file_right(const struct sim_file *f, uint64_t offset, uint64_t len, bool durable)
{
	const struct sim_entry *e = durable ? &f->durable : &f->live;
	if (e->state == SHOAL_SEEN_NONE || offset > e->size || len > e->size - offset)
		return false;
	for (uint64_t at = offset; at < offset + len;) {
		uint32_t i = (uint32_t)(at / SIM_PAGE);
		size_t skip = (size_t)(at % SIM_PAGE);
		size_t n = SIM_PAGE - skip < offset + len - at ? SIM_PAGE - skip : (size_t)(offset + len - at);
		const struct sim_page *p = page_of(f, i);
		if (!right(f, i, durable ? &p->durable : &p->live, skip, n))
			return false;
		/* A rewrite of durable bytes may tear them: no harm when it writes the same. */
		if (durable && ((p->dirty && !right(f, i, &p->live, skip, n)) ||
				(p->flushing && !right(f, i, &p->flush, skip, n))))
			return false;
		at += n;
	}
	return true;
}

/* ---- making durable ------------------------------------------------------------------------ */

void sim_file_sync_begin(struct sim_file *f)
{
	if (!f->dirty)
		return;
	assert(!f->flushing);
	f->dirty = false;
	f->flushing = true;
	f->flush = f->live;
	for (uint32_t g = 0; g < groups(f); g++) {
		for (uint32_t i = g * GROUP; i < group_end(f, g) && !is_plain(f->group[g]); i++) {
			struct sim_page *p = page_open(f, i);
			if (!p->dirty)
				continue;
			copy(f, &p->flush, &p->live);
			p->dirty = false;
			p->flushing = true;
		}
	}
}

void sim_file_sync_end(struct sim_medium *m, struct sim_file *f, bool good)
{
	if (!f->flushing)
		return;
	f->flushing = false;
	for (uint32_t g = 0; g < groups(f); g++) {
		for (uint32_t i = g * GROUP; i < group_end(f, g) && !is_plain(f->group[g]); i++) {
			struct sim_page *p = page_open(f, i);
			if (!p->flushing)
				continue;
			if (good || coin(m))
				copy(f, &p->durable, &p->flush);
			else
				p->lost = !p->dirty;
			clear(&p->flush);
			p->flushing = false;
		}
		group_settle(f, g);
	}
	if (good || coin(m))
		f->durable = f->flush;
	else
		f->dirty = true; /* the folder's entry is tried again with the next */
}

void sim_file_rename(struct sim_medium *m, struct sim_file *f, bool durable, int64_t now_ns)
{
	appear(m, f, SHOAL_SEEN_WHOLE, now_ns);
	if (f->live.state != SHOAL_SEEN_WHOLE) {
		f->live.state = SHOAL_SEEN_WHOLE;
		f->live.ctime_ns = now_ns;
	}
	if (f->flushing)
		f->flush.state = SHOAL_SEEN_WHOLE;
	f->dirty = true;
	if (durable) {
		f->durable.state = SHOAL_SEEN_WHOLE;
		f->durable.ino = f->live.ino;
		f->durable.ctime_ns = f->live.ctime_ns;
		if (f->durable.mtime_ns == 0)
			f->durable.mtime_ns = f->live.mtime_ns;
	}
}

void sim_file_drop(struct sim_file *f, uint64_t offset, uint64_t len)
{
	for (uint64_t i = offset / SIM_PAGE; len > 0 && i <= (offset + len - 1) / SIM_PAGE; i++) {
		if (page_of(f, (uint32_t)i)->lost) {
			struct sim_page *p = page_open(f, (uint32_t)i);
			copy(f, &p->live, &p->durable);
			p->lost = false;
		}
	}
}

/* ---- vandals --------------------------------------------------------------------------------- */

void sim_file_remove(struct sim_medium *m, struct sim_file *f)
{
	pages_clear(m, f);
	f->live = f->flush = f->durable = (struct sim_entry){ .state = SHOAL_SEEN_NONE };
	f->dirty = f->flushing = false;
}

void sim_file_truncate(struct sim_medium *m, struct sim_file *f, uint64_t size, int64_t now_ns)
{
	for (uint32_t i = 0; i < f->pages; i++) {
		uint64_t at = (uint64_t)i * SIM_PAGE;
		if (at + extent(f, i) <= size)
			continue;
		struct sim_page *p = page_open(f, i);
		if (at >= size) {
			m->used -= p->live.kind != HOLE ? SIM_PAGE : 0;
			clear(&p->live);
		} else {
			m->used += p->live.kind == HOLE ? SIM_PAGE : 0;
			size_t from = (size_t)(size - at), n = extent(f, i) - from;
			uint8_t *bytes = own(f, i, &p->live);
			memset(bytes + from, 0, kept(f, from, n));
			if (kept(f, from, n) < n)
				bytes[0] ^= 0x80; /* wrong, though not in what is kept of it */
		}
		copy(f, &p->durable, &p->live);
		p->dirty = p->lost = false;
	}
	f->live.size = size;
	f->live.mtime_ns = f->live.ctime_ns = now_ns;
	f->durable = f->live;
}

void sim_file_flip(struct sim_medium *m, struct sim_file *f, uint64_t offset)
{
	uint32_t i = (uint32_t)(offset / SIM_PAGE);
	struct sim_page *p = page_open(f, i);
	assert(offset < f->size_max);
	m->used += p->live.kind == HOLE ? SIM_PAGE : 0;
	own(f, i, &p->live)[offset % (f->head ? f->head : SIM_PAGE)] ^= 0x40;
	copy(f, &p->durable, &p->live);
	p->dirty = p->lost = false;
}

/* ---- crashes ----------------------------------------------------------------------------------- */

/* Sectors of the new version over the old one. */
static void tear(struct sim_medium *m, struct sim_file *f, uint32_t i, struct version *old, const struct version *new)
{
	uint32_t sectors = SIM_PAGE / SIM_SECTOR, in_file = 0, came = 0;
	uint8_t torn[SIM_PAGE];
	bytes_of(f, i, new, 0, torn, SIM_PAGE);
	bool same = f->head > 0 && new->kind == old->kind &&new->kind != OWN;
	uint8_t *at = own(f, i, old);
	for (uint32_t s = 0; s < sectors; s++) {
		bool inside = s * SIM_SECTOR < extent(f, i), comes = coin(m);
		in_file += inside;
		came += inside && comes;
		if (comes && f->head == 0)
			memcpy(at + s * SIM_SECTOR, torn + s * SIM_SECTOR, SIM_SECTOR);
	}
	if (f->head > 0 && !same && came == in_file)
		memcpy(at, torn, kept(f, 0, SIM_PAGE));
	else if (f->head > 0 && !same && came > 0)
		at[0] ^= 0x80; /* neither: wrong in any case */
	settle(f, i, old);
}

/* What the platter has of a page that was on its way: the old, the new, or sectors of both. */
static void page_power_cut(struct sim_medium *m, struct sim_file *f, uint32_t i)
{
	struct sim_page *p = page_open(f, i);
	const struct version *new = p->flushing &&coin(m) ? &p->flush : &p->live;
	bool open = p->dirty || p->flushing;
	if (open && !p->lost) {
		uint32_t dice = shoal_rng_below(&m->rng, 4);
		if (dice == 0)
			copy(f, &p->durable, new);
		else if (dice == 1)
			tear(m, f, i, &p->durable, new);
	}
}

static void file_power_cut(struct sim_medium *m, struct sim_file *f)
{
	for (uint32_t g = 0; g < groups(f); g++)
		for (uint32_t i = g * GROUP; i < group_end(f, g) && !is_plain(f->group[g]); i++)
			page_power_cut(m, f, i);
	/* Times, size and name are each as old or as new as it happened. */
	if (f->durable.state == SHOAL_SEEN_NONE) {
		if (f->live.state != SHOAL_SEEN_NONE && coin(m))
			f->durable = f->live;
	} else if (f->dirty || f->flushing) {
		if (coin(m))
			f->durable.size = f->live.size;
		if (coin(m))
			f->durable.mtime_ns = f->live.mtime_ns;
		if (coin(m))
			f->durable.ctime_ns = f->live.ctime_ns;
		if (coin(m))
			f->durable.state = f->live.state;
	}
	f->live = f->durable;
	f->dirty = f->flushing = false;
	for (uint32_t g = 0; g < groups(f); g++) {
		bool stays = f->live.state != SHOAL_SEEN_NONE && (uint64_t)group_end(f, g) * SIM_PAGE <= f->live.size;
		if (f->group[g] == NULL || (f->group[g] == &all_right && stays))
			continue;
		for (uint32_t i = g * GROUP; i < group_end(f, g); i++) {
			struct sim_page *p = page_open(f, i);
			if (f->live.state == SHOAL_SEEN_NONE || (uint64_t)i * SIM_PAGE >= f->live.size)
				clear(&p->durable);
			m->used += p->durable.kind != HOLE ? SIM_PAGE : 0;
			m->used -= p->live.kind != HOLE ? SIM_PAGE : 0;
			copy(f, &p->live, &p->durable);
			clear(&p->flush);
			p->dirty = p->flushing = p->lost = false;
		}
		group_settle(f, g);
	}
}

void sim_medium_crash(struct sim_medium *m, enum sim_crash kind)
{
	for (struct sim_file *f = m->file; f != NULL; f = f->next) {
		if (kind == SIM_CRASH_POWER) {
			file_power_cut(m, f);
			continue;
		}
		/* The kernel goes on with what it has. */
		for (uint32_t i = 0; i < f->pages; i++) {
			if (is_plain(f->group[i / GROUP]))
				continue;
			struct sim_page *p = page_open(f, i);
			p->dirty = p->dirty || p->flushing;
			p->flushing = false;
			clear(&p->flush);
		}
		f->dirty = f->dirty || f->flushing;
		f->flushing = false;
	}
}
