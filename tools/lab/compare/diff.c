/* diff.c - see diff.h. */
#include "tools/lab/compare/diff.h"

#include "proto/base/bytes.h"

struct list {
	struct lab_cmp_diff *at;
	size_t count, max;
};

static const char *const kind_name[LAB_CMP_KINDS] = {
	[LAB_CMP_TAKEN] = "taken",     [LAB_CMP_ENDED] = "ended", [LAB_CMP_HASH] = "hash",
	[LAB_CMP_NAME] = "name",       [LAB_CMP_SIZE] = "size",	  [LAB_CMP_PIECES] = "pieces",
	[LAB_CMP_FILES] = "files",     [LAB_CMP_PATH] = "path",	  [LAB_CMP_FILE_SIZE] = "file_size",
	[LAB_CMP_STATES] = "states",   [LAB_CMP_GOT] = "got",	  [LAB_CMP_WIRE] = "wire",
	[LAB_CMP_LIES] = "file_there", [LAB_CMP_EXTRA] = "extra",
};

const char *lab_cmp_kind_name(enum lab_cmp_kind kind)
{
	return kind < LAB_CMP_KINDS ? kind_name[kind] : "?";
}

static void say(struct list *l, struct lab_cmp_diff d)
{
	if (l->count < l->max)
		l->at[l->count] = d;
	l->count++;
}

static void say_bytes(struct list *l, enum lab_cmp_kind kind, uint32_t index, struct shoal_bytes ours,
		      struct shoal_bytes theirs)
{
	if (!shoal_bytes_equal(ours, theirs))
		say(l, (struct lab_cmp_diff){ .kind = kind, .index = index, .ours = ours, .theirs = theirs });
}

static void say_numbers(struct list *l, enum lab_cmp_kind kind, uint32_t index, uint64_t ours, uint64_t theirs)
{
	if (ours != theirs)
		say(l,
		    (struct lab_cmp_diff){ .kind = kind, .index = index, .our_number = ours, .their_number = theirs });
}

static struct shoal_bytes text_of(const char *text)
{
	return shoal_bytes(text, strlen(text));
}

static bool is_end(enum lab_cmp_end end)
{
	return end == LAB_CMP_FAILED || end == LAB_CMP_SLOW || end == LAB_CMP_DIED || end == LAB_CMP_UNABLE;
}

/* One that broke is told of by itself, whatever the other did. */
static void diff_ends(struct list *l, enum lab_cmp_end ours, const char *our_text, enum lab_cmp_end theirs,
		      const char *their_text, enum lab_cmp_kind other)
{
	struct lab_cmp_diff d = { .index = LAB_CMP_NO_INDEX,
				  .our_number = (uint64_t)ours,
				  .their_number = (uint64_t)theirs,
				  .ours = text_of(our_text),
				  .theirs = text_of(their_text) };
	d.kind = is_end(ours) || is_end(theirs) ? LAB_CMP_ENDED : other;
	if (d.kind == LAB_CMP_ENDED || ours != theirs)
		say(l, d);
}

static struct shoal_bytes v1_of(const struct lab_cmp_look *l)
{
	return shoal_bytes(l->v1.b, l->has_v1 ? sizeof l->v1.b : 0);
}

static struct shoal_bytes v2_of(const struct lab_cmp_look *l)
{
	return shoal_bytes(l->v2.b, l->has_v2 ? sizeof l->v2.b : 0);
}

static void diff_states(struct list *l, const struct lab_cmp_look *a, const struct lab_cmp_look *b)
{
	struct lab_cmp_diff d = { .kind = LAB_CMP_STATES, .index = LAB_CMP_NO_INDEX };
	for (uint32_t i = 0; i < a->pieces; i++) {
		bool ours = lab_cmp_has(a, i), theirs = lab_cmp_has(b, i);
		d.our_number += ours;
		d.their_number += theirs;
		if (ours != theirs && d.index == LAB_CMP_NO_INDEX)
			d.index = i;
	}
	if (d.index != LAB_CMP_NO_INDEX)
		say(l, d);
}

static void diff_looks(struct list *l, const struct lab_cmp_look *a, const struct lab_cmp_look *b)
{
	say_bytes(l, LAB_CMP_HASH, 1, v1_of(a), v1_of(b));
	say_bytes(l, LAB_CMP_HASH, 2, v2_of(a), v2_of(b));
	say_bytes(l, LAB_CMP_NAME, LAB_CMP_NO_INDEX, lab_cmp_name(a), lab_cmp_name(b));
	say_numbers(l, LAB_CMP_SIZE, LAB_CMP_NO_INDEX, a->size, b->size);
	say_numbers(l, LAB_CMP_PIECES, LAB_CMP_NO_INDEX, a->pieces, b->pieces);
	say_numbers(l, LAB_CMP_FILES, LAB_CMP_NO_INDEX, a->file_count, b->file_count);
	for (uint32_t i = 0; a->file_count == b->file_count && i < a->file_count; i++) {
		say_bytes(l, LAB_CMP_PATH, i, lab_cmp_path(a, i), lab_cmp_path(b, i));
		say_numbers(l, LAB_CMP_FILE_SIZE, i, a->file[i].size, b->file[i].size);
	}
	if (a->have != NULL && b->have != NULL && a->pieces == b->pieces)
		diff_states(l, a, b);
}

/* ---- what was fetched ---------------------------------------------------------------------------- */

/* Things that are no files of the torrent. */
static void diff_extras(struct list *l, const struct lab_cmp_side *s, bool ours)
{
	for (size_t i = 0; i < s->disk.count; i++) {
		const struct lab_cmp_thing *t = &s->disk.thing[i];
		struct shoal_bytes path = lab_cmp_thing_path(&s->disk, t);
		if (!t->wanted)
			say(l, (struct lab_cmp_diff){ .kind = LAB_CMP_EXTRA,
						      .index = LAB_CMP_NO_INDEX,
						      .ours = ours ? path : (struct shoal_bytes){ 0 },
						      .theirs = ours ? (struct shoal_bytes){ 0 } : path });
	}
}

static const char *lies(const struct lab_cmp_thing *t, uint64_t size)
{
	if (t == NULL)
		return "missing";
	if (t->kind != 'f')
		return t->kind == 'l' ? "a symlink" : "no file";
	return t->size < size ? "short" : t->size > size ? "long" : "there";
}

static void diff_disk(struct list *l, const struct lab_cmp_pair *p)
{
	const struct lab_cmp_look *a = &p->ours.look, *b = &p->theirs.look;
	for (uint32_t i = 0; a->file_count == b->file_count && i < a->file_count; i++) {
		const struct lab_cmp_thing *ours = lab_cmp_find(&p->ours.disk, lab_cmp_path(a, i));
		const struct lab_cmp_thing *theirs = lab_cmp_find(&p->theirs.disk, lab_cmp_path(b, i));
		struct lab_cmp_diff d = { .kind = LAB_CMP_LIES,
					  .index = i,
					  .ours = text_of(lies(ours, a->file[i].size)),
					  .theirs = text_of(lies(theirs, b->file[i].size)) };
		bool same = shoal_bytes_equal(d.ours, d.theirs);
		if (same && ours != NULL && ours->kind == 'f' &&
		    (ours->size != theirs->size || memcmp(ours->digest, theirs->digest, sizeof ours->digest) != 0)) {
			same = false;
			d.theirs = SHOAL_LIT("of other bytes");
		}
		if (!same)
			say(l, d);
	}
	diff_extras(l, &p->ours, true);
	diff_extras(l, &p->theirs, false);
}

static bool far_apart(uint64_t a, uint64_t b)
{
	uint64_t more = shoal_max_u64(a, b), less = shoal_min_u64(a, b);
	return more - less > LAB_CMP_WIRE_SLACK && more - less > less / 10;
}

size_t lab_cmp_diff(const struct lab_cmp_pair *p, struct lab_cmp_diff *out, size_t max)
{
	struct list l = { out, 0, max };
	const struct lab_cmp_side *a = &p->ours, *b = &p->theirs;
	diff_ends(&l, a->look.end, a->look.text, b->look.end, b->look.text, LAB_CMP_TAKEN);
	if (a->look.end != LAB_CMP_GOOD || b->look.end != LAB_CMP_GOOD)
		return l.count;
	diff_looks(&l, &a->look, &b->look);
	diff_ends(&l, a->get.end, a->get.text, b->get.end, b->get.text, LAB_CMP_GOT);
	if (a->get.end != LAB_CMP_GOOD || b->get.end != LAB_CMP_GOOD)
		return l.count;
	if (far_apart(a->get.wire, b->get.wire))
		say_numbers(&l, LAB_CMP_WIRE, LAB_CMP_NO_INDEX, a->get.wire, b->get.wire);
	diff_disk(&l, p);
	return l.count;
}
