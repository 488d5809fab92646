/* result.c - see result.h. */
#include "tools/lab/compare/result.h"

#include "proto/base/bytes.h"

#include <stdlib.h>

#define FILE_BYTES 40u /* of one file's record */

bool lab_cmp_whole(const struct lab_cmp_look *l)
{
	if (l->end != LAB_CMP_GOOD || l->have == NULL)
		return false;
	for (uint32_t i = 0; i < l->pieces; i++)
		if (!lab_cmp_has(l, i))
			return false;
	return true;
}

int lab_cmp_keep(struct lab_cmp_names *n, struct shoal_bytes text, size_t *at)
{
	if (text.len > LAB_CMP_NAMES_MAX - n->len)
		return SHOAL_ERR_TOO_LONG;
	if (text.len > n->room - n->len) {
		size_t room = n->room + n->room / 2 + text.len + 256;
		uint8_t *more = realloc(n->at, room);
		if (more == NULL)
			return SHOAL_ERR_NOMEM;
		n->at = more;
		n->room = room;
	}
	*at = n->len;
	if (text.len > 0)
		memcpy(n->at + n->len, text.at, text.len);
	n->len += text.len;
	return 0;
}

void lab_cmp_look_fini(struct lab_cmp_look *l)
{
	free(l->file);
	free(l->names.at);
	free(l->have);
	*l = (struct lab_cmp_look){ 0 };
}

void lab_cmp_side_fini(struct lab_cmp_side *s)
{
	lab_cmp_look_fini(&s->look);
	free(s->disk.thing);
	free(s->disk.names.at);
	*s = (struct lab_cmp_side){ 0 };
}

void lab_cmp_mark(struct lab_cmp_side *s)
{
	for (uint32_t i = 0; i < s->look.file_count; i++) {
		struct lab_cmp_thing *t = lab_cmp_find(&s->disk, lab_cmp_path(&s->look, i));
		if (t != NULL)
			t->wanted = true;
	}
}

struct lab_cmp_thing *lab_cmp_find(const struct lab_cmp_disk *d, struct shoal_bytes path)
{
	size_t low = 0, high = d->count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		struct lab_cmp_thing *t = &d->thing[mid];
		int order = shoal_bytes_order(lab_cmp_thing_path(d, t), path);
		if (order == 0)
			return t;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* ---- writing ------------------------------------------------------------------------------------ */

static void put_u64(FILE *to, uint64_t v)
{
	uint8_t b[8];
	shoal_put_u64(b, v);
	fwrite(b, 1, sizeof b, to);
}

static void put_u32(FILE *to, uint32_t v)
{
	uint8_t b[4];
	shoal_put_u32(b, v);
	fwrite(b, 1, sizeof b, to);
}

static void put_bytes(FILE *to, const void *at, size_t len)
{
	if (len > 0)
		fwrite(at, 1, len, to);
}

static void put_end(FILE *to, enum lab_cmp_end end, int err, const char text[LAB_CMP_TEXT_MAX])
{
	put_u32(to, (uint32_t)end);
	put_u32(to, (uint32_t)-err);
	put_bytes(to, text, LAB_CMP_TEXT_MAX);
}

void lab_cmp_look_write(const struct lab_cmp_look *l, FILE *to)
{
	put_end(to, l->end, l->err, l->text);
	put_u64(to, l->cost.took);
	put_u32(to, (uint32_t)l->has_v1 | (uint32_t)l->has_v2 << 1 | (uint32_t)(l->have != NULL) << 2);
	put_bytes(to, l->v1.b, sizeof l->v1.b);
	put_bytes(to, l->v2.b, sizeof l->v2.b);
	put_u64(to, l->size);
	put_u32(to, l->pieces);
	put_u32(to, l->file_count);
	put_u64(to, l->names.len);
	put_u64(to, l->name_len);
	for (uint32_t i = 0; i < l->file_count; i++) {
		const struct lab_cmp_file *f = &l->file[i];
		put_u64(to, f->size);
		put_u64(to, f->path_at);
		put_u64(to, f->path_len);
		put_u64(to, f->raw_at);
		put_u64(to, f->raw_len);
	}
	put_bytes(to, l->names.at, l->names.len);
	put_bytes(to, l->have, l->have ? ((size_t)l->pieces + 7) / 8 : 0);
}

void lab_cmp_get_write(const struct lab_cmp_get *g, FILE *to)
{
	put_end(to, g->end, g->err, g->text);
	put_u64(to, g->cost.took);
	put_u64(to, g->payload);
	put_u64(to, g->wasted);
	put_u64(to, g->hash_failures);
}

/* ---- reading ------------------------------------------------------------------------------------ */

static void take_end(struct shoal_rd *r, enum lab_cmp_end *end, int *err, char text[LAB_CMP_TEXT_MAX])
{
	uint32_t which = shoal_rd_u32(r), number = shoal_rd_u32(r);
	struct shoal_bytes said = shoal_rd_take(r, LAB_CMP_TEXT_MAX);
	if (which == LAB_CMP_NOT_RUN || which >= LAB_CMP_ENDS || number > 4096)
		r->bad = true;
	if (r->bad)
		return;
	*end = (enum lab_cmp_end)which;
	*err = -(int)number;
	memcpy(text, said.at, LAB_CMP_TEXT_MAX);
	text[LAB_CMP_TEXT_MAX - 1] = '\0';
}

static void take_id(struct shoal_rd *r, uint8_t *to, size_t len)
{
	struct shoal_bytes b = shoal_rd_take(r, len);
	if (b.at != NULL)
		memcpy(to, b.at, len);
}

static bool within(uint64_t at, uint64_t len, uint64_t all)
{
	return at <= all && len <= all - at;
}

static int take_files(struct shoal_rd *r, struct lab_cmp_look *l)
{
	if (l->file_count > LAB_CMP_FILES_MAX || l->file_count > shoal_rd_left(r) / FILE_BYTES)
		return SHOAL_ERR_MALFORMED;
	l->file = calloc(l->file_count ? l->file_count : 1, sizeof *l->file);
	if (l->file == NULL)
		return SHOAL_ERR_NOMEM;
	for (uint32_t i = 0; i < l->file_count; i++) {
		struct lab_cmp_file *f = &l->file[i];
		f->size = shoal_rd_u64(r);
		f->path_at = shoal_rd_u64(r);
		f->path_len = shoal_rd_u64(r);
		f->raw_at = shoal_rd_u64(r);
		f->raw_len = shoal_rd_u64(r);
		if (!within(f->path_at, f->path_len, l->names.len) || !within(f->raw_at, f->raw_len, l->names.len))
			return SHOAL_ERR_MALFORMED;
	}
	return 0;
}

static int take_copy(struct shoal_rd *r, size_t len, uint8_t **out)
{
	struct shoal_bytes b = shoal_rd_take(r, len);
	if (r->bad)
		return SHOAL_ERR_MALFORMED;
	*out = malloc(len ? len : 1);
	if (*out == NULL)
		return SHOAL_ERR_NOMEM;
	if (len > 0)
		memcpy(*out, b.at, len);
	return 0;
}

static int read_look(struct shoal_rd *r, struct lab_cmp_look *l)
{
	take_end(r, &l->end, &l->err, l->text);
	l->cost.took = shoal_rd_u64(r);
	uint32_t flags = shoal_rd_u32(r);
	take_id(r, l->v1.b, sizeof l->v1.b);
	take_id(r, l->v2.b, sizeof l->v2.b);
	l->size = shoal_rd_u64(r);
	l->pieces = shoal_rd_u32(r);
	l->file_count = shoal_rd_u32(r);
	l->names.len = l->names.room = shoal_rd_u64(r);
	l->name_len = shoal_rd_u64(r);
	if (r->bad || flags > 7 || l->pieces > LAB_CMP_PIECES_MAX || l->names.len > LAB_CMP_NAMES_MAX ||
	    l->name_len > l->names.len)
		return SHOAL_ERR_MALFORMED;
	l->has_v1 = flags & 1;
	l->has_v2 = flags & 2;
	int rc = take_files(r, l);
	if (rc == 0)
		rc = take_copy(r, l->names.len, &l->names.at);
	if (rc == 0 && (flags & 4))
		rc = take_copy(r, ((size_t)l->pieces + 7) / 8, &l->have);
	return rc == 0 && (r->bad || shoal_rd_left(r) > 0) ? SHOAL_ERR_MALFORMED : rc;
}

int lab_cmp_look_read(struct lab_cmp_look *l, struct shoal_bytes in)
{
	struct shoal_rd r = shoal_rd(in);
	*l = (struct lab_cmp_look){ 0 };
	int rc = read_look(&r, l);
	if (rc < 0)
		lab_cmp_look_fini(l);
	return rc;
}

int lab_cmp_get_read(struct lab_cmp_get *g, struct shoal_bytes in)
{
	struct shoal_rd r = shoal_rd(in);
	*g = (struct lab_cmp_get){ 0 };
	take_end(&r, &g->end, &g->err, g->text);
	g->cost.took = shoal_rd_u64(&r);
	g->payload = shoal_rd_u64(&r);
	g->wasted = shoal_rd_u64(&r);
	g->hash_failures = shoal_rd_u64(&r);
	if (!r.bad && shoal_rd_left(&r) == 0)
		return 0;
	*g = (struct lab_cmp_get){ 0 };
	return SHOAL_ERR_MALFORMED;
}
