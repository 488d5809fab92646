/* test_files_part.c - bytes of unwanted files in the part file: out of sight, durable, moved out, gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <ftw.h>

#include "swarm/io/files.h"
#include "tools/lab/world/content.h"

#define PIECE 32768u
#define FILES 5u

/* "wanted" straddles its neighbours at both ends; "between" lies within one piece with two others. */
static const struct sim_file_spec spec[FILES] = {
	{ "a before", 40000 }, { "b wanted", 60000 }, { "c between", 100 }, { "d after", 90000 }, { "e alone", 70000 },
};

struct stage {
	char dir[64], save[96], parts[96];
	struct sim_content c;
	struct shoal_files *files;
	uint32_t storage;
};

static void reopen(struct stage *t)
{
	shoal_files_free(t->files);
	assert_int_equal(shoal_files_new(&t->files, &shoal_os_real, 0), 0);
	assert_int_equal(shoal_files_parts(t->files, t->parts), 0);
	assert_int_equal(shoal_files_open(t->files, t->c.mi, t->save, false, &t->storage), 0);
}

static void stage_init(struct stage *t)
{
	memset(t, 0, sizeof *t);
	snprintf(t->dir, sizeof t->dir, "/tmp/shoal-test-XXXXXX");
	assert_non_null(mkdtemp(t->dir));
	snprintf(t->save, sizeof t->save, "%s/save", t->dir);
	snprintf(t->parts, sizeof t->parts, "%s/state/parts", t->dir);
	sim_content_init(
		&t->c,
		&(struct sim_content_spec){
			.seed = 5, .format = SHOAL_FORMAT_V1, .piece_size = PIECE, .file = spec, .file_count = FILES });
	reopen(t);
}

static int unlink_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static void remove_all(const char *dir)
{
	assert_int_equal(nftw(dir, unlink_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void stage_fini(struct stage *t)
{
	shoal_files_free(t->files);
	sim_content_fini(&t->c);
	remove_all(t->dir);
}

static void write_piece(struct stage *t, uint32_t piece)
{
	struct shoal_files_fault fault;
	uint32_t len = shoal_metainfo_piece_bytes(t->c.mi, piece);
	uint8_t *bytes = malloc(PIECE);
	assert_non_null(bytes);
	sim_content_bytes(5, (uint64_t)piece * PIECE, bytes, len);
	struct iovec v = { bytes, len };
	assert_int_equal(shoal_files_write(t->files, t->storage, piece, 0, &v, 1, len, &fault), 0);
	free(bytes);
}

static int read_piece(struct stage *t, uint32_t piece)
{
	struct shoal_files_fault fault;
	uint32_t len = shoal_metainfo_piece_bytes(t->c.mi, piece);
	uint8_t *bytes = malloc(PIECE);
	assert_non_null(bytes);
	struct iovec v = { bytes, len };
	int rc = shoal_files_read(t->files, t->storage, piece, 0, &v, 1, len, 0, &fault);
	if (rc == 0 && !sim_content_is(5, (uint64_t)piece * PIECE, bytes, len))
		rc = 1;
	free(bytes);
	return rc;
}

static struct shoal_seen seen_of(struct stage *t, uint32_t file)
{
	struct shoal_files_fault fault;
	struct shoal_seen seen;
	assert_int_equal(shoal_files_scan(t->files, t->storage, file, 1, &seen, &fault), 0);
	return seen;
}

static void hide(struct stage *t, uint32_t file, unsigned end, bool in)
{
	assert_int_equal(shoal_files_part(t->files, t->storage, file, end, in), 0);
}

/* Of file 1 alone: pieces 1 to 3, of which the first holds the end of 0, and the last 2 and the beginning of 3. */
static void fetch_wanted(struct stage *t)
{
	hide(t, 0, 0, true);
	hide(t, 0, 1, true);
	hide(t, 2, 0, true);
	hide(t, 3, 0, true);
	hide(t, 3, 1, true);
	for (uint32_t p = 1; p <= 3; p++)
		write_piece(t, p);
}

static void unwanted_files_are_not_made(void **state)
{
	struct stage t;
	struct shoal_files_fault fault;
	(void)state;
	stage_init(&t);
	assert_int_equal(seen_of(&t, FILES).state, SHOAL_SEEN_NONE);
	fetch_wanted(&t);
	for (uint32_t f = 0; f < FILES; f++)
		assert_int_equal(seen_of(&t, f).state, f == 1 ? SHOAL_SEEN_PART : SHOAL_SEEN_NONE);
	for (uint32_t p = 1; p <= 3; p++)
		assert_int_equal(read_piece(&t, p), 0);
	struct shoal_seen seen = seen_of(&t, FILES);
	assert_int_equal(seen.state, SHOAL_SEEN_PART);
	/* A place for each piece that several files share, not for all of the stream. */
	assert_true(seen.stamp.size <= 5 * (uint64_t)PIECE);
	struct stat st;
	assert_int_equal(stat(t.parts, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);

	/* A barrier, another life: it lies there still, and is the same file. */
	const uint32_t list[] = { 1, FILES };
	struct shoal_seen after[2];
	assert_int_equal(shoal_files_sync(t.files, t.storage, list, 2, 0, after, &fault), 0);
	assert_int_equal(after[1].stamp.ino, seen.stamp.ino);
	reopen(&t);
	assert_int_equal(seen_of(&t, FILES).stamp.ino, seen.stamp.ino);
	assert_true(read_piece(&t, 1) < 0); /* until it is told where its share lies */
	hide(&t, 0, 1, true);
	assert_int_equal(read_piece(&t, 1), 0);
	stage_fini(&t);
}

static void shares_move_into_place(void **state)
{
	struct stage t;
	struct shoal_files_fault fault;
	(void)state;
	stage_init(&t);
	fetch_wanted(&t);
	const uint32_t list[] = { 2 * 0 + 1, 2 * 2, 2 * 3 };
	assert_int_equal(shoal_files_reveal(t.files, t.storage, list, 3, &fault), 0);
	for (uint32_t p = 1; p <= 3; p++) /* in both places now */
		assert_int_equal(read_piece(&t, p), 0);
	assert_int_equal(shoal_files_unpart(t.files, t.storage, &fault), 0);
	assert_int_equal(seen_of(&t, FILES).state, SHOAL_SEEN_PART); /* in use: it stays */
	hide(&t, 0, 0, false);
	hide(&t, 0, 1, false);
	hide(&t, 2, 0, false);
	hide(&t, 3, 0, false);
	hide(&t, 3, 1, false);
	assert_int_equal(shoal_files_unpart(t.files, t.storage, &fault), 0);
	assert_int_equal(seen_of(&t, FILES).state, SHOAL_SEEN_NONE);
	for (uint32_t p = 1; p <= 3; p++)
		assert_int_equal(read_piece(&t, p), 0);
	assert_int_equal(seen_of(&t, 0).state, SHOAL_SEEN_PART);
	assert_int_equal(seen_of(&t, 0).stamp.size, 40000);
	/* And it can begin again. */
	hide(&t, 3, 1, true);
	write_piece(&t, 5);
	assert_int_equal(seen_of(&t, FILES).state, SHOAL_SEEN_PART);
	assert_int_equal(read_piece(&t, 5), 0);
	stage_fini(&t);
}

static void a_part_file_that_is_gone_is_told(void **state)
{
	struct stage t;
	struct shoal_files_fault fault;
	(void)state;
	stage_init(&t);
	fetch_wanted(&t);
	reopen(&t);
	hide(&t, 0, 1, true);
	hide(&t, 2, 0, true);
	hide(&t, 3, 0, true);
	remove_all(t.parts);
	assert_int_equal(read_piece(&t, 1), SHOAL_ERR_GONE);
	const uint32_t list[] = { 2 * 0 + 1 };
	assert_int_equal(shoal_files_reveal(t.files, t.storage, list, 1, &fault), SHOAL_ERR_GONE);
	assert_int_equal(fault.file, FILES);
	const uint32_t bad[] = { 2 * FILES };
	assert_int_equal(shoal_files_reveal(t.files, t.storage, bad, 1, &fault), SHOAL_ERR_RANGE);
	assert_int_equal(shoal_files_part(t.files, t.storage, FILES, 0, true), SHOAL_ERR_RANGE);
	stage_fini(&t);
}

static void without_a_folder_there_are_none(void **state)
{
	struct stage t;
	(void)state;
	stage_init(&t);
	shoal_files_free(t.files);
	assert_int_equal(shoal_files_new(&t.files, &shoal_os_real, 0), 0);
	assert_int_equal(shoal_files_open(t.files, t.c.mi, t.save, false, &t.storage), 0);
	assert_int_equal(shoal_files_part(t.files, t.storage, 0, 0, true), SHOAL_ERR_UNSUPPORTED);
	assert_int_equal(seen_of(&t, FILES).state, SHOAL_SEEN_NONE);
	stage_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unwanted_files_are_not_made),
		cmocka_unit_test(shares_move_into_place),
		cmocka_unit_test(a_part_file_that_is_gone_is_told),
		cmocka_unit_test(without_a_folder_there_are_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
