/* test_lab_compare.c - what crosses from a job's process, cut anywhere; and every kind of difference, once made and once not. */
#include "proto/base/bytes.h"
#include "tools/lab/compare/why.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- a pair of looks that agree ---------------------------------------------------------------------- */

static void add_file(struct lab_cmp_look *l, const char *path, const char *raw, uint64_t size)
{
	struct lab_cmp_file *more = realloc(l->file, (l->file_count + 1) * sizeof *more);
	assert_non_null(more);
	l->file = more;
	struct lab_cmp_file *f = &l->file[l->file_count++];
	*f = (struct lab_cmp_file){ .size = size, .path_len = strlen(path), .raw_len = strlen(raw) };
	assert_int_equal(lab_cmp_keep(&l->names, shoal_bytes(path, strlen(path)), &f->path_at), 0);
	assert_int_equal(lab_cmp_keep(&l->names, shoal_bytes(raw, strlen(raw)), &f->raw_at), 0);
	l->size += size;
}

static struct lab_cmp_look look_of(void)
{
	struct lab_cmp_look l = { .end = LAB_CMP_GOOD, .has_v1 = true, .pieces = 10, .name_len = 1 };
	size_t at;
	l.v1.b[3] = 7;
	assert_int_equal(lab_cmp_keep(&l.names, SHOAL_LIT("t"), &at), 0);
	add_file(&l, "t/a", "t/a", 100);
	add_file(&l, "t/b_c", "t/b/c", 50);
	l.have = malloc(2);
	assert_non_null(l.have);
	l.have[0] = 0xff;
	l.have[1] = 0xc0;
	l.cost.took = 1234;
	return l;
}

static void add_thing(struct lab_cmp_disk *d, const char *path, char kind, uint64_t size)
{
	struct lab_cmp_thing *more = realloc(d->thing, (d->count + 1) * sizeof *more);
	assert_non_null(more);
	d->thing = more;
	struct lab_cmp_thing *t = &d->thing[d->count++];
	*t = (struct lab_cmp_thing){ .path_len = strlen(path), .kind = kind, .size = size };
	assert_int_equal(lab_cmp_keep(&d->names, shoal_bytes(path, t->path_len), &t->path_at), 0);
}

static struct lab_cmp_side side_of(void)
{
	struct lab_cmp_side s = { .look = look_of(), .get = { .end = LAB_CMP_GOOD, .wire = 1 << 20 } };
	add_thing(&s.disk, "t/a", 'f', 100);
	add_thing(&s.disk, "t/b_c", 'f', 50);
	lab_cmp_mark(&s);
	return s;
}

/* ---- crossing ----------------------------------------------------------------------------------------- */

static struct shoal_space written(const struct lab_cmp_look *l, const struct lab_cmp_get *g)
{
	char *at = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&at, &len);
	assert_non_null(to);
	if (l != NULL)
		lab_cmp_look_write(l, to);
	else
		lab_cmp_get_write(g, to);
	assert_int_equal(fclose(to), 0);
	return (struct shoal_space){ (uint8_t *)at, len };
}

static void a_look_comes_through(void **state)
{
	(void)state;
	struct lab_cmp_look l = look_of(), back;
	snprintf(l.text, sizeof l.text, "a text");
	l.err = SHOAL_ERR_RANGE;
	struct shoal_space w = written(&l, NULL);
	assert_int_equal(lab_cmp_look_read(&back, shoal_bytes(w.at, w.len)), 0);
	assert_int_equal(back.end, LAB_CMP_GOOD);
	assert_int_equal(back.err, SHOAL_ERR_RANGE);
	assert_string_equal(back.text, "a text");
	assert_true(back.has_v1 && !back.has_v2);
	assert_memory_equal(back.v1.b, l.v1.b, 20);
	assert_int_equal(back.size, 150);
	assert_int_equal(back.cost.took, 1234);
	assert_int_equal(back.file_count, 2);
	assert_true(shoal_bytes_equal(lab_cmp_name(&back), SHOAL_LIT("t")));
	assert_true(shoal_bytes_equal(lab_cmp_path(&back, 1), SHOAL_LIT("t/b_c")));
	assert_true(shoal_bytes_equal(lab_cmp_raw(&back, 1), SHOAL_LIT("t/b/c")));
	assert_true(lab_cmp_whole(&back));
	lab_cmp_look_fini(&back);
	/* The process may have died while it wrote, or written rubbish. */
	for (size_t cut = 0; cut < w.len; cut++) {
		uint8_t *copy = malloc(cut + 1); /* to its own end, so that a sanitizer sees a step beyond */
		assert_non_null(copy);
		memcpy(copy, w.at, cut);
		assert_int_equal(lab_cmp_look_read(&back, shoal_bytes(copy, cut)), SHOAL_ERR_MALFORMED);
		free(copy);
	}
	for (size_t i = 0; i < w.len; i++) {
		w.at[i] ^= 0xff;
		if (lab_cmp_look_read(&back, shoal_bytes(w.at, w.len)) == 0) {
			for (uint32_t k = 0; k < back.file_count; k++)
				assert_true(lab_cmp_path(&back, k).len + lab_cmp_raw(&back, k).len <= 2 * w.len);
			lab_cmp_look_fini(&back);
		}
		w.at[i] ^= 0xff;
	}
	free(w.at);
	lab_cmp_look_fini(&l);
}

static void a_get_comes_through(void **state)
{
	(void)state;
	struct lab_cmp_get g = {
		.end = LAB_CMP_FAILED, .err = SHOAL_ERR_IO, .payload = 5, .wasted = 6, .hash_failures = 7
	};
	struct lab_cmp_get back;
	struct shoal_space w = written(NULL, &g);
	assert_int_equal(lab_cmp_get_read(&back, shoal_bytes(w.at, w.len)), 0);
	assert_int_equal(back.end, LAB_CMP_FAILED);
	assert_int_equal(back.err, SHOAL_ERR_IO);
	assert_int_equal(back.payload + back.wasted * 10 + back.hash_failures * 100, 5 + 60 + 700);
	for (size_t cut = 0; cut < w.len; cut++)
		assert_int_equal(lab_cmp_get_read(&back, shoal_bytes(w.at, cut)), SHOAL_ERR_MALFORMED);
	free(w.at);
}

/* ---- differences ---------------------------------------------------------------------------------------- */

static void nothing(struct lab_cmp_side *s)
{
	(void)s;
}
static void other_hash(struct lab_cmp_side *s)
{
	s->look.v1.b[0] = 9;
}
static void a_second_hash(struct lab_cmp_side *s)
{
	s->look.has_v2 = true;
}
static void other_name(struct lab_cmp_side *s)
{
	s->look.names.at[0] = 'u';
}
static void other_path(struct lab_cmp_side *s)
{
	s->look.names.at[s->look.file[0].path_at] = 'u';
	s->disk.names.at[s->disk.thing[0].path_at] = 'u'; /* and so it lies there */
	struct lab_cmp_thing t = s->disk.thing[0];
	s->disk.thing[0] = s->disk.thing[1];
	s->disk.thing[1] = t;
}
static void other_size(struct lab_cmp_side *s)
{
	s->look.file[0].size++;
	s->look.size++;
	s->disk.thing[0].size++;
}
static void more_pieces(struct lab_cmp_side *s)
{
	s->look.pieces++;
}
static void fewer_files(struct lab_cmp_side *s)
{
	s->look.file_count--;
}
static void a_piece_less(struct lab_cmp_side *s)
{
	s->look.have[1] = 0x40;
}
static void refuses(struct lab_cmp_side *s)
{
	s->look.end = LAB_CMP_REFUSED;
}
static void dies(struct lab_cmp_side *s)
{
	s->look.end = LAB_CMP_DIED;
}
static void gives_up(struct lab_cmp_side *s)
{
	s->get.end = LAB_CMP_FAILED;
}
static void never_fetched(struct lab_cmp_side *s)
{
	s->get.end = LAB_CMP_NOT_RUN;
}
static void a_little_more(struct lab_cmp_side *s)
{
	s->get.wire += LAB_CMP_WIRE_SLACK;
}
static void much_more(struct lab_cmp_side *s)
{
	s->get.wire += 2 * LAB_CMP_WIRE_SLACK;
}
static void other_bytes(struct lab_cmp_side *s)
{
	s->disk.thing[1].digest[0] = 1;
}
static void too_short(struct lab_cmp_side *s)
{
	s->disk.thing[1].size = 49;
}
static void a_link(struct lab_cmp_side *s)
{
	s->disk.thing[1].kind = 'l';
}
static void not_there(struct lab_cmp_side *s)
{
	s->disk.count = 1;
}
static void one_too_many(struct lab_cmp_side *s)
{
	add_thing(&s->disk, "t/z", 'f', 0);
}

static const struct {
	const char *why;
	void (*change)(struct lab_cmp_side *s);
	unsigned kinds; /* 1 << kind */
} changes[] = {
	{ "alike", nothing, 0 },
	{ "v1 hash", other_hash, 1u << LAB_CMP_HASH },
	{ "v2 hash", a_second_hash, 1u << LAB_CMP_HASH },
	{ "name", other_name, 1u << LAB_CMP_NAME },
	{ "path", other_path, 1u << LAB_CMP_PATH },
	{ "size", other_size, 1u << LAB_CMP_SIZE | 1u << LAB_CMP_FILE_SIZE | 1u << LAB_CMP_LIES },
	{ "pieces", more_pieces, 1u << LAB_CMP_PIECES },
	{ "files", fewer_files, 1u << LAB_CMP_FILES },
	{ "states", a_piece_less, 1u << LAB_CMP_STATES },
	{ "refused", refuses, 1u << LAB_CMP_TAKEN },
	{ "died", dies, 1u << LAB_CMP_ENDED },
	{ "gave up", gives_up, 1u << LAB_CMP_ENDED },
	{ "not fetched", never_fetched, 1u << LAB_CMP_GOT },
	{ "within the slack", a_little_more, 0 },
	{ "wire", much_more, 1u << LAB_CMP_WIRE },
	{ "other bytes", other_bytes, 1u << LAB_CMP_LIES },
	{ "short", too_short, 1u << LAB_CMP_LIES },
	{ "a link", a_link, 1u << LAB_CMP_LIES },
	{ "missing", not_there, 1u << LAB_CMP_LIES },
	{ "extra", one_too_many, 1u << LAB_CMP_EXTRA },
};

/* Two sides that agree but for that: number `i` of twice as many, here and there in turn. */
static struct lab_cmp_pair changed(size_t i)
{
	struct lab_cmp_pair p = { .ours = side_of(), .theirs = side_of() };
	print_message("%s, %s\n", changes[i / 2].why, i % 2 ? "libtorrent" : "shoal");
	changes[i / 2].change(i % 2 ? &p.theirs : &p.ours);
	return p;
}

static void each_kind_is_seen_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * sizeof changes / sizeof *changes; i++) {
		struct lab_cmp_pair p = changed(i);
		struct lab_cmp_diff d[16];
		unsigned kinds = 0;
		size_t n = lab_cmp_diff(&p, d, 16);
		assert_true(n <= 16);
		for (size_t m = 0; m < n; m++) {
			kinds |= 1u << d[m].kind;
			assert_string_not_equal(lab_cmp_kind_name(d[m].kind), "?");
		}
		assert_int_equal(kinds, changes[i / 2].kinds);
		assert_int_equal(lab_cmp_diff(&p, d, 0), n); /* all are counted, those too that there is no room for */
		lab_cmp_side_fini(&p.ours);
		lab_cmp_side_fini(&p.theirs);
	}
}

static void both_refuse_is_no_difference(void **state)
{
	(void)state;
	struct lab_cmp_pair p = { .ours.look.end = LAB_CMP_REFUSED, .theirs.look.end = LAB_CMP_REFUSED };
	struct lab_cmp_diff d;
	assert_int_equal(lab_cmp_diff(&p, &d, 1), 0);
	/* What both die of is one all the same. */
	p.ours.look.end = p.theirs.look.end = LAB_CMP_DIED;
	assert_int_equal(lab_cmp_diff(&p, &d, 1), 1);
	assert_null(lab_cmp_explain(&p, &d));
}

/* ---- reasons ---------------------------------------------------------------------------------------------- */

static void reasons_are_well_formed(void **state)
{
	(void)state;
	for (const struct lab_cmp_why *w = lab_cmp_whys; w->id != NULL; w++) {
		assert_true(w->kinds != 0 && w->text[0] != '\0');
		/* None explains by itself whatever is of its kind. */
		assert_true(w->fits != NULL || w->ours_says != NULL || w->theirs_says != NULL);
		for (const struct lab_cmp_why *v = w + 1; v->id != NULL; v++)
			assert_string_not_equal(v->id, w->id);
	}
}

/* What one file is called by the torrent, by us, by libtorrent; "": that is no known difference. */
static void names_have_their_reasons(void **state)
{
#define N240                                                                               \
	"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn" \
	"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn" \
	"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
	static const struct {
		const char *raw, *ours, *theirs, *why;
	} cases[] = {
		{ "t/..", "t/__", "t/_", "name-dots" },
		{ "t/a/./b", "t/a/_/b", "t/a/b", "name-dots" },
		{ "t/a/./b", "t/a/_/b", "t/b", "" }, /* not only the dot went */
		{ "t/../a", "t/.._a", "t/..a", "name-dots" },
		{ "t/b/c", "t/b_c", "t/bc", "name-slash" },
		{ "t/b\\c", "t/b\\c", "t/bc", "name-slash" },
		{ "t/b\\c", "t/b\\c", "t/bd", "" },
		{ "t/bc", "t/bc", "t/b", "" },
		{ "t/b\xff", "t/b\xff", "t/b_", "name-bytes" },
		{ "t/b\xc0\xaf", "t/b\xc0\xaf", "t/b_", "name-bytes" },
		{ "t/b\xed\xa0\x80", "t/b\xed\xa0\x80", "t/b_", "name-bytes" },
		{ "t/b\xc3\xa9", "t/b\xc3\xa9", "t/b_", "" }, /* that is good UTF-8 */
		{ "t/b\n", "t/b\n", "t/b_", "name-control" },
		{ "t/b\x7f", "t/b\x7f", "t/b_", "" },
		{ "t/b\u202e", "t/b\u202e", "t/b", "name-direction" },
		{ "t/b\u2066", "t/b\u2066", "t/b", "" },
		{ "t/" N240 "n", "t/" N240 "n", "t/" N240, "name-long" },
		{ "t/" N240 "n/b", "t/" N240 "n/b", "t/" N240 "/c", "" },
		{ "t/" N240, "t/" N240, "t/" N240 "n", "" },
		{ "t/a", "t/a~1", "t/a.1", "name-twice" },
		{ "t/a/b", "t/a/b", "t/a/b.1", "name-twice" }, /* t/a is a file */
		{ "t/A", "t/A", "t/A.1", "name-case" },
		{ "t/b", "t/b", "t/b.1", "" }, /* it meets nobody */
		{ "t/a", "t/a~1", "t/a.x", "" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct lab_cmp_pair p = { .ours.look.end = LAB_CMP_GOOD, .theirs.look.end = LAB_CMP_GOOD };
		struct lab_cmp_diff d[4];
		add_file(&p.ours.look, "t/a", "t/a", 1);
		add_file(&p.theirs.look, "t/a", "", 1);
		add_file(&p.ours.look, cases[i].ours, cases[i].raw, 1);
		add_file(&p.theirs.look, cases[i].theirs, "", 1);
		assert_int_equal(lab_cmp_diff(&p, d, 4), 1);
		const struct lab_cmp_why *why = lab_cmp_explain(&p, &d[0]);
		print_message("%zu: %s\n", i, cases[i].raw);
		assert_string_equal(why != NULL ? why->id : "", cases[i].why);
		lab_cmp_side_fini(&p.ours);
		lab_cmp_side_fini(&p.theirs);
	}
}

/* libtorrent calls it by its hash, and by no other. */
static void a_title_that_is_none_is_the_hash(void **state)
{
	static const struct {
		const char *raw, *theirs;
		bool v1, explained;
	} cases[] = {
		{ "../f", "0000000700000000000000000000000000000000", true, true },
		{ "../f", "0000000000000000000000000000000000000000000000000000000000000700", false, true },
		{ "../f", "0000000700000000000000000000000000000001", true, false },
		{ "../f", "00000007", true, false },
		{ "t/f", "0000000700000000000000000000000000000000", true, false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct lab_cmp_pair p = { .ours.look.end = LAB_CMP_GOOD, .theirs.look.end = LAB_CMP_GOOD };
		struct lab_cmp_look *a = &p.ours.look, *b = &p.theirs.look;
		struct lab_cmp_diff d[4];
		size_t at;
		a->has_v1 = b->has_v1 = cases[i].v1;
		a->has_v2 = b->has_v2 = !cases[i].v1;
		a->v1.b[3] = b->v1.b[3] = a->v2.b[30] = b->v2.b[30] = 7;
		a->name_len = 2;
		b->name_len = strlen(cases[i].theirs);
		assert_int_equal(lab_cmp_keep(&a->names, SHOAL_LIT("__"), &at), 0);
		assert_int_equal(lab_cmp_keep(&b->names, shoal_bytes(cases[i].theirs, b->name_len), &at), 0);
		add_file(a, "x", cases[i].raw, 1); /* no letter of the raw one: that would be another reason */
		add_file(b, "x", "", 1);
		assert_int_equal(lab_cmp_diff(&p, d, 4), 1);
		assert_int_equal(d[0].kind, LAB_CMP_NAME);
		const struct lab_cmp_why *why = lab_cmp_explain(&p, &d[0]);
		print_message("%s: %s\n", cases[i].raw, cases[i].theirs);
		assert_true(why != NULL ? strcmp(why->id, "name-hash") == 0 && cases[i].explained
					: !cases[i].explained);
		lab_cmp_side_fini(&p.ours);
		lab_cmp_side_fini(&p.theirs);
	}
}

static void refusals_have_their_reasons(void **state)
{
	static const struct {
		enum lab_cmp_end ours;
		const char *our_text;
		enum lab_cmp_end theirs;
		const char *their_text, *why;
		uint64_t size;
		const char *raw;
	} cases[] = {
		{ LAB_CMP_REFUSED, "a key comes twice in one dictionary", LAB_CMP_GOOD, "", "keys-twice", 1, "t" },
		{ LAB_CMP_REFUSED, "comment is a number, not a string", LAB_CMP_GOOD, "", "wrong-type", 1, "t" },
		{ LAB_CMP_REFUSED, "something else", LAB_CMP_GOOD, "", "", 1, "t" },
		{ LAB_CMP_GOOD, "", LAB_CMP_REFUSED, "a key comes twice", "", 1, "t" }, /* ours says that, not theirs */
		{ LAB_CMP_GOOD, "", LAB_CMP_REFUSED, "x: invalid length of torrent", "no-bytes", 0, "t" },
		{ LAB_CMP_GOOD, "", LAB_CMP_REFUSED, "x: invalid length of torrent", "", 1, "t" },
		{ LAB_CMP_GOOD, "", LAB_CMP_REFUSED, "missing name in torrent file", "title-none", 1, ".." },
		{ LAB_CMP_GOOD, "", LAB_CMP_REFUSED, "missing name in torrent file", "", 1, "t" },
		{ LAB_CMP_GOOD, "", LAB_CMP_REFUSED, "the v1 and v2 file metadata does not match", "halves-by-names", 1,
		  "t/.." },
		{ LAB_CMP_GOOD, "", LAB_CMP_REFUSED, "the v1 and v2 file metadata does not match", "", 1, "t/a" },
		{ LAB_CMP_REFUSED, "a path of more than 4095 bytes", LAB_CMP_FAILED, "f: File name too long",
		  "path-long-late", 1, "t" },
		{ LAB_CMP_REFUSED, "a path of more than 4095 bytes", LAB_CMP_DIED, "signal 11", "", 1, "t" },
		{ LAB_CMP_GOOD, "", LAB_CMP_DIED, "signal 11", "", 1, "t" },
		{ LAB_CMP_SLOW, "", LAB_CMP_GOOD, "", "", 1, "t" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct lab_cmp_pair p = { .ours.look.end = cases[i].ours, .theirs.look.end = cases[i].theirs };
		struct lab_cmp_diff d;
		snprintf(p.ours.look.text, LAB_CMP_TEXT_MAX, "%s", cases[i].our_text);
		snprintf(p.theirs.look.text, LAB_CMP_TEXT_MAX, "%s", cases[i].their_text);
		add_file(&p.ours.look, cases[i].raw, cases[i].raw, cases[i].size);
		assert_int_equal(lab_cmp_diff(&p, &d, 1), 1);
		const struct lab_cmp_why *why = lab_cmp_explain(&p, &d);
		print_message("%zu: %s%s\n", i, cases[i].our_text, cases[i].their_text);
		assert_string_equal(why != NULL ? why->id : "", cases[i].why);
		lab_cmp_side_fini(&p.ours);
		lab_cmp_side_fini(&p.theirs);
	}
}

/* A fault that looks like nothing we know is not explained by any of them. */
static void what_is_new_is_unexplained(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * sizeof changes / sizeof *changes; i++) {
		struct lab_cmp_pair p = changed(i);
		struct lab_cmp_diff d[16];
		size_t n = lab_cmp_diff(&p, d, 16);
		assert_true(n <= 16 && (n > 0) == (changes[i / 2].kinds != 0));
		for (size_t k = 0; k < n; k++) {
			print_message("  %s\n", lab_cmp_kind_name(d[k].kind));
			assert_null(lab_cmp_explain(&p, &d[k]));
		}
		lab_cmp_side_fini(&p.ours);
		lab_cmp_side_fini(&p.theirs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_look_comes_through),
		cmocka_unit_test(a_get_comes_through),
		cmocka_unit_test(each_kind_is_seen_alone),
		cmocka_unit_test(both_refuse_is_no_difference),
		cmocka_unit_test(reasons_are_well_formed),
		cmocka_unit_test(names_have_their_reasons),
		cmocka_unit_test(a_title_that_is_none_is_the_hash),
		cmocka_unit_test(refusals_have_their_reasons),
		cmocka_unit_test(what_is_new_is_unexplained),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
