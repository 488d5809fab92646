/* own_files.c - see own_files.h. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/own_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/unit/own_place.h"

const struct own_file own_v1_files[] = {
	{ "a", 10000, false }, { "b/empty", 0, false }, { "b/c/d", 100001, false }, { ".pad/1", 3000, true },
	{ "b/e", 1, false },   { "f", 70000, false },	{ "g/h", 16384, false },    { "tail", 5, false },
};
const struct own_file own_v2_files[] = {
	{ "a", 10000, false }, { "b/c/d", 200001, false }, { "b/empty", 0, false },
	{ "f", 32768, false }, { "g/h", 65536, false },	   { "tail", 1, false },
};

int own_write_piece(struct shoal_files *files, uint32_t storage, const struct own_torrent *t, uint32_t piece,
		    struct shoal_files_fault *fault)
{
	uint32_t bytes = shoal_metainfo_piece_bytes(t->mi, piece);
	uint8_t *buf = malloc(bytes);
	assert_non_null(buf);
	own_piece(t, piece, 0, buf, bytes);
	struct iovec v[2] = { { buf, bytes / 3 }, { buf + bytes / 3, bytes - bytes / 3 } };
	int rc = shoal_files_write(files, storage, piece, 0, v, 2, bytes, fault);
	free(buf);
	return rc;
}
int own_read_piece(struct shoal_files *files, uint32_t storage, const struct own_torrent *t, uint32_t piece,
		   unsigned how, struct shoal_files_fault *fault)
{
	uint32_t bytes = shoal_metainfo_piece_bytes(t->mi, piece);
	uint8_t *buf = malloc(bytes), *want = malloc(bytes);
	assert_true(buf && want);
	memset(buf, 0xee, bytes);
	own_piece(t, piece, 0, want, bytes);
	struct iovec v = { buf, bytes };
	int rc = shoal_files_read(files, storage, piece, 0, &v, 1, bytes, how, fault);
	if (rc == 0)
		assert_memory_equal(buf, want, bytes);
	free(buf);
	free(want);
	return rc;
}

int own_fill(struct shoal_files *files, uint32_t storage, const struct own_torrent *t, struct shoal_files_fault *fault)
{
	uint32_t count = shoal_metainfo_file_count(t->mi), list[OWN_FILES_MAX * 2];
	struct shoal_seen seen[OWN_FILES_MAX * 2];
	for (uint32_t p = t->pieces; p-- > 0;) {
		int rc = own_write_piece(files, storage, t, p, fault);
		if (rc < 0)
			return rc;
	}
	for (uint32_t f = 0; f < count; f++)
		list[f] = f;
	int rc = shoal_files_sync(files, storage, list, count, 0, seen, fault);
	if (rc < 0)
		return rc;
	return shoal_files_finish(files, storage, list, count, NULL, seen, fault);
}

void own_check_whole(const struct own_file *file, size_t count, const char *name)
{
	uint8_t *got = malloc(1 << 20), *want = malloc(1 << 20);
	uint32_t real = 0;
	for (size_t i = 0; i < count; i++) {
		char path[512];
		snprintf(path, sizeof path, "%s/%s", name, file[i].path);
		if (file[i].pad) {
			assert_false(own_exists(own_place, path));
			continue;
		}
		assert_int_equal(own_read(own_place, path, got, 1 << 20), file[i].size);
		own_bytes(real++, 0, want, file[i].size);
		assert_memory_equal(got, want, file[i].size);
	}
	free(got);
	free(want);
}
