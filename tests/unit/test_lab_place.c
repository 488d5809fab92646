/* test_lab_place.c - the scratch folder of a comparison: what is copied under which names, what lies there, that nothing stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/base/bytes.h"
#include "tests/unit/own_torrent.h"
#include "tools/lab/compare/place.h"

static void add_file(struct lab_cmp_look *l, const char *path, uint64_t size)
{
	struct lab_cmp_file *more = realloc(l->file, (l->file_count + 1) * sizeof *more);
	assert_non_null(more);
	l->file = more;
	struct lab_cmp_file *f = &l->file[l->file_count++];
	*f = (struct lab_cmp_file){ .size = size, .path_len = strlen(path) };
	assert_int_equal(lab_cmp_keep(&l->names, shoal_bytes(path, strlen(path)), &f->path_at), 0);
}

static void files_go_from_one_engines_names_to_the_others(void **state)
{
	struct lab_cmp_place place;
	struct lab_cmp_look ours = { 0 }, theirs = { 0 };
	char parent[64], from[4096], to[4096];
	uint8_t data[70000], back[70001];
	(void)state;
	own_folder(parent, sizeof parent);
	own_bytes(1, 0, data, sizeof data);
	assert_int_equal(lab_cmp_place_init(&place, parent), 0);
	assert_int_equal(lab_cmp_place_fresh(&place, "from", from), 0);
	assert_int_equal(lab_cmp_place_fresh(&place, "to", to), 0);
	add_file(&ours, "t/a\\b", sizeof data);
	add_file(&theirs, "t/ab", sizeof data);
	add_file(&ours, "t/lacks", 5);
	add_file(&theirs, "t/lacks", 5);
	add_file(&ours, "t/twin~1", 7);
	add_file(&theirs, "t/ab", 7); /* two of one name: the first has it */
	add_file(&ours, "t/out", 3);
	add_file(&theirs, "../out", 3); /* an engine that would step outside does not do it here */
	assert_false(lab_cmp_place_any(from, &ours));
	own_write(from, "t/a\\b", data, sizeof data);
	own_write(from, "t/twin~1", data, 7);
	own_write(from, "t/out", data, 3);
	assert_true(lab_cmp_place_any(from, &ours));
	assert_int_equal(lab_cmp_place_lay(from, &ours, to, &theirs), 0);
	assert_int_equal(own_read(to, "t/ab", back, sizeof back), sizeof data);
	assert_memory_equal(back, data, sizeof data);
	assert_false(own_exists(to, "t/lacks"));
	assert_false(own_exists(place.path, "out"));
	lab_cmp_look_fini(&ours);
	lab_cmp_look_fini(&theirs);
	lab_cmp_place_fini(&place);
	own_folder_end(parent);
}

static void what_lies_there_is_told_and_no_link_followed(void **state)
{
	struct lab_cmp_place place;
	struct lab_cmp_disk disk;
	char parent[64], folder[4096], again[4096], path[5000];
	(void)state;
	own_folder(parent, sizeof parent);
	own_write(parent, "secret", "mine", 4);
	assert_int_equal(lab_cmp_place_init(&place, parent), 0);
	assert_int_equal(lab_cmp_place_fresh(&place, "copy", folder), 0);
	own_write(folder, "t/z", "zz", 2);
	own_write(folder, "t/a", "", 0);
	own_write(folder, "t/d/f", "zz", 2);
	snprintf(path, sizeof path, "%s/t/link", folder);
	assert_int_equal(symlink("../../..", path), 0);
	snprintf(path, sizeof path, "%s/t/pipe", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(lab_cmp_place_list(folder, &disk), 0);
	assert_int_equal(disk.count, 5);
	static const struct {
		const char *path;
		char kind;
		uint64_t size;
	} want[] = {
		{ "t/a", 'f', 0 }, { "t/d/f", 'f', 2 }, { "t/link", 'l', 8 }, { "t/pipe", '?', 0 }, { "t/z", 'f', 2 }
	};
	for (size_t i = 0; i < 5; i++) {
		const struct lab_cmp_thing *t = lab_cmp_find(&disk, shoal_bytes(want[i].path, strlen(want[i].path)));
		assert_ptr_equal(t, &disk.thing[i]);
		assert_int_equal(t->kind, want[i].kind);
		assert_int_equal(t->size, want[i].size);
	}
	assert_memory_equal(disk.thing[1].digest, disk.thing[4].digest, 32);
	assert_memory_not_equal(disk.thing[0].digest, disk.thing[4].digest, 32);
	assert_null(lab_cmp_find(&disk, SHOAL_LIT("t")));
	struct lab_cmp_side s = { .disk = disk };
	lab_cmp_side_fini(&s);
	/* A fresh one is empty, and the end of all of it leaves what it was beside. */
	assert_int_equal(lab_cmp_place_fresh(&place, "copy", again), 0);
	assert_string_equal(again, folder);
	assert_int_equal(lab_cmp_place_list(folder, &disk), 0);
	assert_int_equal(disk.count, 0);
	snprintf(path, sizeof path, "%s", place.path);
	lab_cmp_place_fini(&place);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_true(own_exists(parent, "secret"));
	own_folder_end(parent);
}

/* Deeper than a path can be told to the kernel at once. */
static void depth_is_no_trouble(void **state)
{
	struct lab_cmp_place place;
	struct lab_cmp_disk disk;
	char parent[64], folder[4096], name[201], top[5000];
	(void)state;
	own_folder(parent, sizeof parent);
	assert_int_equal(lab_cmp_place_init(&place, parent), 0);
	assert_int_equal(lab_cmp_place_fresh(&place, "copy", folder), 0);
	memset(name, 'd', 200);
	name[200] = '\0';
	char *here = getcwd(NULL, 0);
	assert_non_null(here);
	assert_int_equal(chdir(folder), 0);
	for (int i = 0; i < 40; i++) {
		assert_int_equal(mkdir(name, 0700), 0);
		assert_int_equal(chdir(name), 0);
	}
	own_write(".", "f", "x", 1);
	assert_int_equal(chdir(here), 0);
	free(here);
	assert_int_equal(lab_cmp_place_list(folder, &disk), 0);
	assert_int_equal(disk.count, 1);
	assert_int_equal(disk.thing[0].path_len, 40 * 201 + 1);
	struct lab_cmp_side s = { .disk = disk };
	lab_cmp_side_fini(&s);
	snprintf(top, sizeof top, "%s", place.path);
	lab_cmp_place_fini(&place);
	assert_int_not_equal(access(top, F_OK), 0);
	own_folder_end(parent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_go_from_one_engines_names_to_the_others),
		cmocka_unit_test(what_lies_there_is_told_and_no_link_followed),
		cmocka_unit_test(depth_is_no_trouble),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
