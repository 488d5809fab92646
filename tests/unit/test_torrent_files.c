/*
 * test_torrent_files.c - torrents that other programs made: read as libtorrent reads them, and written again
 * from what was read, to the same bytes.
 *
 * tests/data/torrents/index.txt says what libtorrent 2.0 sees in each: hashes, pieces, files (padding left
 * out), trackers, web seeds. lt_* were made by libtorrent, mk_* by a small independent script.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/author.h"
#include "proto/base/bytes.h"
#include "proto/text.h"
#include "tests/unit/torrents.h"

#define FILES_MAX 1000

static void read_file(const char *name, struct grow *out)
{
	const char *top = getenv("SHOAL_TREE");
	char path[1024], block[4096];
	snprintf(path, sizeof path, "%s/tests/data/torrents/%s", top ? top : ".", name);
	FILE *f = fopen(path, "rb");
	if (f == NULL)
		print_message("cannot open %s\n", path);
	assert_non_null(f);
	for (size_t n; (n = fread(block, 1, sizeof block, f)) > 0;)
		grow_put(out, block, n);
	fclose(f);
}

static void hash_text(struct grow *g, const char *name, const void *hash, size_t len)
{
	char hex[65] = "-";
	if (hash != NULL)
		shoal_hex_encode(shoal_bytes(hash, len), hex);
	grow_print(g, "%s %s\n", name, hex);
}

/* The lines of the index that tell of this torrent. */
static void lines_of(const struct shoal_metainfo *mi, struct grow *g)
{
	char path[SHOAL_PATH_BYTES_MAX + 1];
	hash_text(g, "v1", shoal_metainfo_hash_v1(mi), 20);
	hash_text(g, "v2", shoal_metainfo_hash_v2(mi), 32);
	grow_print(g, "pieces %u %u\n", shoal_metainfo_piece_size(mi), shoal_metainfo_piece_count(mi));
	for (uint32_t i = 0; i < shoal_metainfo_file_count(mi); i++) {
		unsigned flags = shoal_metainfo_file_flags(mi, i);
		if (flags & SHOAL_FILE_PAD)
			continue;
		assert_true(shoal_metainfo_path(mi, i, (struct shoal_space){ (uint8_t *)path, sizeof path }) > 0);
		grow_print(g, "file %llu %s%s%s%s %s\n", (unsigned long long)shoal_metainfo_file_size(mi, i),
			   flags & SHOAL_FILE_EXEC ? "e" : "", flags & SHOAL_FILE_HIDDEN ? "h" : "",
			   flags & SHOAL_FILE_SYMLINK ? "l" : "", flags ? "" : "-", path);
	}
	for (size_t i = 0; i < shoal_metainfo_tracker_count(mi); i++) {
		unsigned tier;
		struct shoal_bytes url = shoal_metainfo_tracker(mi, i, &tier);
		grow_print(g, "tracker %u %.*s\n", tier, (int)url.len, (const char *)url.at);
	}
	for (size_t i = 0; i < shoal_metainfo_webseed_count(mi); i++) {
		struct shoal_bytes url = shoal_metainfo_webseed(mi, i);
		grow_print(g, "webseed %.*s\n", (int)url.len, (const char *)url.at);
	}
}

/* Describes a parsed torrent to the writer; the info dictionary must come out byte for byte. 1, or 0 where it cannot be
 * described: links (their targets are not kept) and v1 lists in another order than the tree's. */
static int write_again(const struct shoal_metainfo *mi, const char *name)
{
	static struct shoal_author_file file[FILES_MAX];
	static char path[FILES_MAX][512];
	struct shoal_author a = { .format = !shoal_metainfo_v2(mi)  ? SHOAL_FORMAT_V1
					    : shoal_metainfo_v1(mi) ? SHOAL_FORMAT_HYBRID
								    : SHOAL_FORMAT_V2,
				  .name = shoal_metainfo_name_raw(mi),
				  .single = shoal_metainfo_single(mi),
				  .file = file,
				  .piece_size = shoal_metainfo_piece_size(mi),
				  .is_private = shoal_metainfo_private(mi) };
	if (a.format != SHOAL_FORMAT_V2 && shoal_metainfo_piece_count(mi) > 0)
		a.sha1 = shoal_bytes(shoal_metainfo_piece_sha1(mi, 0), 20 * (size_t)shoal_metainfo_piece_count(mi));
	for (uint32_t i = 0; i < shoal_metainfo_file_count(mi); i++) {
		unsigned flags = shoal_metainfo_file_flags(mi, i);
		if (flags & SHOAL_FILE_SYMLINK)
			return 0;
		if (flags & SHOAL_FILE_PAD)
			continue;
		char *mine = path[a.file_count];
		int len = shoal_metainfo_path_raw(mi, i, (struct shoal_space){ (uint8_t *)mine, sizeof path[0] });
		assert_true(len > 0 && a.file_count < FILES_MAX);
		size_t skip = a.single ? 0 : a.name.len + 1;
		struct shoal_bytes layer = shoal_metainfo_layer(mi, i);
		file[a.file_count] = (struct shoal_author_file){ .path = shoal_bytes(mine + skip, (size_t)len - skip),
								 .length = shoal_metainfo_file_size(mi, i),
								 .flags = flags,
								 .root = shoal_metainfo_file_root(mi, i),
								 .layer = layer.at };
		if (a.file_count > 0 && shoal_author_order(file[a.file_count - 1].path, file[a.file_count].path) >= 0)
			return 0;
		a.file_count++;
	}
	struct shoal_ben_wr w;
	struct shoal_bytes info;
	char what[160];
	shoal_ben_wr_init_heap(&w, SIZE_MAX);
	ptrdiff_t rc = shoal_author_write(&a, &w, &info, what);
	if (rc < 0)
		print_message("%s: %s\n", name, what);
	assert_true(rc > 0);
	if (!shoal_bytes_equal(info, shoal_metainfo_info(mi)))
		print_message("%s: another info dictionary\n", name);
	assert_true(shoal_bytes_equal(info, shoal_metainfo_info(mi)));
	shoal_ben_wr_fini(&w);
	return 1;
}

static void they_are_read_as_libtorrent_reads_them(void **state)
{
	(void)state;
	struct grow index = { 0 };
	unsigned read = 0, written = 0;
	read_file("index.txt", &index);
	for (char *at = index.at; at && *at;) {
		char name[128] = "";
		char *next = strstr(at + 1, "\ntorrent ");
		char *lines = strchr(at + 1, '\n') + 1;
		char *word = strstr(at, "torrent ") + strlen("torrent ");
		assert_in_range(lines - 1 - word, 1, (long)sizeof name - 1);
		memcpy(name, word, (size_t)(lines - 1 - word));
		size_t len = next ? (size_t)(next + 1 - lines) : strlen(lines);
		struct grow torrent = { 0 }, want = { 0 }, got = { 0 };
		struct shoal_metainfo *mi;
		struct shoal_metainfo_fault why;
		grow_put(&want, lines, len);
		read_file(name, &torrent);
		int rc = parse_text(&mi, torrent.at, torrent.len, &why);
		if (rc < 0)
			print_message("%s: %s\n", name, why.what);
		assert_int_equal(rc, 0);
		lines_of(mi, &got);
		if (strcmp(got.at, want.at) != 0)
			print_message("%s\n", name);
		assert_string_equal(got.at, want.at);
		assert_true(shoal_metainfo_layers_complete(mi));
		written += (unsigned)write_again(mi, name);
		read++;
		shoal_metainfo_free(mi);
		grow_fini(&torrent);
		grow_fini(&want);
		grow_fini(&got);
		at = next;
	}
	print_message("%u read, %u of them written again\n", read, written);
	assert_true(read >= 19);
	assert_true(written * 3 >= read * 2);
	grow_fini(&index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_are_read_as_libtorrent_reads_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
