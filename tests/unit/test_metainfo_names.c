/*
 * test_metainfo_names.c - names that must not or cannot go on disk (reliability rows P01, P02, P06, P08, B11, B12),
 * and ten thousand random ones: always unique, safe, and the same again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/base/rng.h"
#include "tests/unit/torrents.h"

/* A v1 torrent of empty files; paths are components joined by '|', lines by '\n'. */
static struct shoal_metainfo *torrent_of(const char *name, size_t name_len, const char *paths, size_t len)
{
	struct grow g = { 0 };
	struct shoal_metainfo *mi = NULL;
	struct shoal_metainfo_fault why;
	grow_print(&g, "d4:infod5:filesl");
	for (const char *p = paths, *end = paths + len; p <= end;) {
		const char *line = memchr(p, '\n', (size_t)(end - p));
		line = line ? line : end;
		grow_print(&g, "d6:lengthi0e4:pathl");
		for (;;) {
			const char *part = memchr(p, '|', (size_t)(line - p));
			part = part ? part : line;
			grow_print(&g, "%zu:", (size_t)(part - p));
			grow_put(&g, p, (size_t)(part - p));
			p = part + 1;
			if (part == line)
				break;
		}
		grow_print(&g, "ee");
	}
	grow_print(&g, "e4:name%zu:", name_len);
	grow_put(&g, name, name_len);
	grow_print(&g, "12:piece lengthi16384e6:pieces0:ee");
	int rc = parse_text(&mi, g.at, g.len, &why);
	if (rc < 0)
		print_message("%s\n", why.what);
	grow_fini(&g);
	return mi;
}

static char *paths_of(const struct shoal_metainfo *mi)
{
	struct grow g = { 0 };
	for (uint32_t i = 0; i < shoal_metainfo_file_count(mi); i++) {
		char path[SHOAL_PATH_BYTES_MAX + 1];
		int len = shoal_metainfo_path(mi, i, (struct shoal_space){ (uint8_t *)path, sizeof path });
		assert_true(len > 0);
		assert_int_equal(path[len], 0);
		grow_print(&g, "%s", i ? "\n" : "");
		grow_put(&g, path, (size_t)len);
		grow_print(&g, "%s", shoal_metainfo_file_flags(mi, i) & SHOAL_FILE_RENAMED ? " *" : "");
	}
	return g.at;
}

#define LIT(s) s, sizeof(s) - 1

static void names_are_safe_and_stay_as_they_are_where_they_can(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		size_t name_len;
		const char *paths;
		size_t len;
		const char *want; /* " *": RENAMED */
	} cases[] = {
		{ LIT("N"), LIT("a\nb|c"), "N/a\nN/b/c" },
		/* P01 */
		{ LIT("N"), LIT("..|..|.ssh|authorized_keys"), "N/__/__/.ssh/authorized_keys *" },
		{ LIT(".."), LIT("a"), "__/a *" },
		{ LIT("."), LIT("a"), "_/a *" },
		{ LIT("../x"), LIT("a"), ".._x/a *" },
		{ LIT("/etc/cron.d/x"), LIT("a"), "_etc_cron.d_x/a *" },
		{ LIT(""), LIT("a"), "_/a *" },
		{ LIT("N"), LIT("/etc/passwd"), "N/_etc_passwd *" },
		{ LIT("N"), LIT("|etc"), "N/_/etc *" },
		{ LIT("N"), LIT("."), "N/_ *" },
		{ LIT("N"), LIT(""), "N/_ *" },
		{ LIT("N"), LIT(".."), "N/__ *" },
		{ LIT("N"), LIT("a|"), "N/a/_ *" },
		{ LIT("N"), LIT("a||b"), "N/a/_/b *" },
		{ LIT("N"), LIT(".|a\n..|a\n|a"), "N/_/a *\nN/__/a *\nN/_~d3/a *" },
		/* P02 */
		{ LIT("N"), LIT("a/../../b"), "N/a_.._.._b *" },
		{ LIT("N"), LIT("a\\b"), "N/a\\b" }, /* a byte like others on the systems we run on */
		/* P06: odd, but names */
		{ LIT("N"), LIT("CON\naux.txt\nx.\nx \n-rf\n~\n$(x)\n...\n. "),
		  "N/CON\nN/aux.txt\nN/x.\nN/x \nN/-rf\nN/~\nN/$(x)\nN/...\nN/. " },
		/* B11 */
		{ LIT("N"), LIT("a\0.exe"), "N/a_.exe *" },
		{ LIT("a\0b"), LIT("\0"), "a_b/_ *" },
		/* B12: bytes are bytes on disk */
		{ LIT("N"),
		  LIT("\xff\xfe\n\xe2\x80\xae"
		      "gpj.exe"),
		  "N/\xff\xfe\nN/\xe2\x80\xae"
		  "gpj.exe" },
		/* twins, and a file that is a folder; who comes first keeps the name */
		{ LIT("N"), LIT("a.txt\na.txt\na.txt"), "N/a.txt\nN/a~1.txt *\nN/a~2.txt *" },
		{ LIT("N"), LIT("a\na|b"), "N/a~0 *\nN/a/b" },
		{ LIT("N"), LIT("a|b\na\na|b"), "N/a/b\nN/a~1 *\nN/a/b~2 *" },
		{ LIT("N"), LIT("A\na"), "N/A\nN/a" },
		/* a made-up name never takes an honest one's place */
		{ LIT("N"), LIT("..\n__\na/b\na_b"), "N/__~0 *\nN/__\nN/a_b~2 *\nN/a_b" },
		{ LIT("N"), LIT("a\na\na~1\na~1~1"), "N/a\nN/a~1~2 *\nN/a~1\nN/a~1~1" },
		{ LIT("N"), LIT("x\n..|x\n__|x"), "N/x\nN/__~d1/x *\nN/__/x" },
		{ LIT("N"),
		  LIT("x.tar.gz\nx.tar.gz\n.rc\n.rc\nx.\nx.\nlong.extension_of_many_letters\n"
		      "long.extension_of_many_letters"),
		  "N/x.tar.gz\nN/x.tar~1.gz *\nN/.rc\nN/.rc~3 *\nN/x.\nN/x.~5 *\nN/long.extension_of_many_letters\n"
		  "N/long.extension_of_many_letters~7 *" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct shoal_metainfo *mi = torrent_of(cases[i].name, cases[i].name_len, cases[i].paths, cases[i].len);
		assert_non_null(mi);
		char *got = paths_of(mi);
		if (strcmp(got, cases[i].want) != 0)
			print_message("case %zu\n", i);
		assert_string_equal(got, cases[i].want);
		free(got);
		shoal_metainfo_free(mi);
	}
}

static void raw_names_are_kept_for_display(void **state)
{
	(void)state;
	struct shoal_metainfo *mi = torrent_of(LIT("../N"), LIT("..|a\0b\nc"));
	uint8_t path[100];
	assert_non_null(mi);
	assert_true(shoal_bytes_equal(shoal_metainfo_name_raw(mi), SHOAL_LIT("../N")));
	assert_true(shoal_bytes_equal(shoal_metainfo_name(mi), SHOAL_LIT(".._N")));
	assert_int_equal(shoal_metainfo_path_raw(mi, 0, (struct shoal_space){ path, sizeof path }), 11);
	assert_memory_equal(path, "../N/../a\0b", 12);
	assert_int_equal(shoal_metainfo_path(mi, 0, (struct shoal_space){ path, 12 }), 11);
	assert_string_equal(path, ".._N/__/a_b");
	assert_int_equal(shoal_metainfo_path(mi, 0, (struct shoal_space){ path, 11 }), SHOAL_ERR_TOO_LONG);
	shoal_metainfo_free(mi);
}

static void v2_names_are_made_safe_too(void **state)
{
	(void)state;
#define EMPTY "d0:d6:lengthi0eee"
	static const struct {
		const char *tree, *want;
	} cases[] = {
		{ "1:." EMPTY "2:.." EMPTY "1:_" EMPTY, "N/_~0 *\nN/__ *\nN/_" },
		{ "2:..d2:..d1:a" EMPTY "ee", "N/__/__/a *" },
		{ "3:a/b" EMPTY "3:a_b" EMPTY, "N/a_b~0 *\nN/a_b" },
		{ "2:.." EMPTY, "__ *" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct grow g = { 0 };
		struct shoal_metainfo *mi;
		grow_print(&g, "d4:infod9:file treed%se12:meta versioni2e4:name1:N12:piece lengthi16384eee",
			   cases[i].tree);
		assert_int_equal(parse_text(&mi, g.at, g.len, NULL), 0);
		char *got = paths_of(mi);
		assert_string_equal(got, cases[i].want);
		assert_int_equal(shoal_metainfo_single(mi), i == 3);
		if (i == 3)
			assert_true(shoal_bytes_equal(shoal_metainfo_name(mi), SHOAL_LIT("__")));
		free(got);
		shoal_metainfo_free(mi);
		grow_fini(&g);
	}
}

static void long_names_are_cut_between_characters(void **state)
{
	(void)state;
	for (size_t lead = 0; lead < 4; lead++) { /* the cut falls at each place in a character */
		char paths[3000];
		size_t len = 0;
		for (int file = 0; file < 3; file++) { /* two that are alike for 300 bytes, and a twin */
			if (file)
				paths[len++] = '\n';
			memset(paths + len, 'x', lead);
			len += lead;
			for (int i = 0; i < 75; i++, len += 4)
				memcpy(paths + len, "\xf0\x9f\x90\x9f", 4);
			paths[len++] = file == 1 ? 'b' : 'a';
			memcpy(paths + len, ".jpeg", 5);
			len += 5;
		}
		struct shoal_metainfo *mi = torrent_of(LIT("N"), paths, len);
		assert_non_null(mi);
		char path[3][400];
		for (uint32_t i = 0; i < 3; i++) {
			int n = shoal_metainfo_path(mi, i, (struct shoal_space){ (uint8_t *)path[i], 400 });
			assert_in_range(n, 240, 2 + SHOAL_NAME_BYTES_MAX);
			assert_string_equal(path[i] + n - 5, ".jpeg");
			char *mark = strchr(path[i], '~');
			assert_non_null(mark);
			assert_int_equal((size_t)(mark - path[i] - 2 - (ptrdiff_t)lead) % 4, 0);
			assert_int_equal(mark[-1], '\x9f'); /* a whole fish */
			assert_true(shoal_metainfo_file_flags(mi, i) & SHOAL_FILE_RENAMED);
		}
		assert_string_not_equal(path[0], path[1]);
		assert_string_not_equal(path[0], path[2]);
		shoal_metainfo_free(mi);
	}
	/* 255 bytes are a name, 256 are not */
	char text[256];
	memset(text, 'y', sizeof text);
	for (size_t len = 255; len <= 256; len++) {
		struct shoal_metainfo *mi = torrent_of(LIT("N"), text, len);
		assert_non_null(mi);
		assert_int_equal(!!(shoal_metainfo_file_flags(mi, 0) & SHOAL_FILE_RENAMED), len == 256);
		shoal_metainfo_free(mi);
	}
}

static void depth_and_length_of_paths_are_bounded(void **state)
{
	(void)state;
	for (unsigned depth = 99; depth <= 101; depth++) { /* P08 */
		struct grow v1 = { 0 }, v2 = { 0 };
		struct shoal_metainfo *mi = NULL;
		struct shoal_metainfo_fault why;
		for (unsigned i = 0; i < depth; i++) {
			grow_print(&v1, "d|");
			grow_print(&v2, "1:dd");
		}
		grow_print(&v1, "f");
		grow_print(&v2, "1:f" EMPTY);
		for (unsigned i = 0; i < depth; i++)
			grow_print(&v2, "e");
		mi = torrent_of(LIT("N"), v1.at, v1.len);
		assert_int_equal(mi != NULL, depth <= SHOAL_PATH_DEPTH_MAX);
		if (mi != NULL) {
			char path[SHOAL_PATH_BYTES_MAX + 1];
			assert_int_equal(
				shoal_metainfo_path(mi, 0, (struct shoal_space){ (uint8_t *)path, sizeof path }),
				2 + 2 * depth + 1);
		}
		shoal_metainfo_free(mi);
		mi = NULL;
		struct grow g = { 0 };
		grow_print(&g, "d4:infod9:file treed%se12:meta versioni2e4:name1:N12:piece lengthi16384eee", v2.at);
		int rc = parse_text(&mi, g.at, g.len, &why);
		assert_int_equal(rc, depth <= SHOAL_PATH_DEPTH_MAX ? 0 : SHOAL_ERR_TOO_LONG);
		if (rc < 0)
			assert_non_null(strstr(why.what, "more than 100 folders"));
		shoal_metainfo_free(mi);
		grow_fini(&g);
		grow_fini(&v1);
		grow_fini(&v2);
	}
	for (unsigned last = 238; last <= 242; last++) { /* "N" and fifteen times "/" with 255 bytes are 3841 */
		struct grow g = { 0 };
		char part[300];
		memset(part, 'z', sizeof part);
		for (int i = 0; i < 15; i++)
			grow_print(&g, "%.255s|", part);
		grow_put(&g, part, last + 13);
		struct shoal_metainfo *mi = torrent_of(LIT("N"), g.at, g.len);
		unsigned len = 1 + 15 * 256 + 1 + last + 13;
		assert_int_equal(mi != NULL, len <= SHOAL_PATH_BYTES_MAX);
		if (mi != NULL) {
			char path[SHOAL_PATH_BYTES_MAX + 1];
			assert_int_equal(
				shoal_metainfo_path(mi, 0, (struct shoal_space){ (uint8_t *)path, sizeof path }), len);
		}
		shoal_metainfo_free(mi);
		grow_fini(&g);
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names drawn from few letters, so that they meet in every way. */
static void random_names_come_out_unique_and_safe(void **state)
{
	(void)state;
	struct shoal_rng rng = shoal_rng_split(11, 3);
	static const char letters[] = "a.~_/1d\0b";
	for (int round = 0; round < 100; round++) {
		struct grow g = { 0 };
		uint32_t n = 1 + shoal_rng_below(&rng, 200);
		for (uint32_t i = 0; i < n; i++) {
			grow_print(&g, "%s", i ? "\n" : "");
			for (uint32_t parts = 1 + shoal_rng_below(&rng, 3); parts-- > 0;) {
				uint32_t len = shoal_rng_below(&rng, shoal_rng_below(&rng, 20) ? 4 : 300);
				while (len-- > 0)
					grow_put(&g, &letters[shoal_rng_below(&rng, sizeof letters - 1)], 1);
				grow_print(&g, "%s", parts ? "|" : "");
			}
		}
		struct shoal_metainfo *mi = torrent_of(LIT("N"), g.at, g.len),
				      *twin = torrent_of(LIT("N"), g.at, g.len);
		assert_non_null(mi);
		char *one = paths_of(mi), *two = paths_of(twin);
		assert_string_equal(one, two); /* the same again */
		char **path = calloc(n, sizeof *path);
		assert_non_null(path);
		for (uint32_t i = 0; i < n; i++) {
			path[i] = malloc(SHOAL_PATH_BYTES_MAX + 1);
			assert_non_null(path[i]);
			int len = shoal_metainfo_path(
				mi, i, (struct shoal_space){ (uint8_t *)path[i], SHOAL_PATH_BYTES_MAX + 1 });
			assert_int_equal(len, strlen(path[i]));
			assert_memory_equal(path[i], "N/", 2);
			for (char *part = path[i], *next; part != NULL; part = next) {
				next = strchr(part, '/');
				size_t part_len = next ? (size_t)(next - part) : strlen(part);
				next = next ? next + 1 : NULL;
				assert_in_range(part_len, 1, SHOAL_NAME_BYTES_MAX);
				assert_false(part_len == 1 && part[0] == '.');
				assert_false(part_len == 2 && memcmp(part, "..", 2) == 0);
			}
			/* not renamed: what is on disk is what the torrent says */
			uint8_t raw[SHOAL_PATH_BYTES_MAX + 1];
			int raw_len = shoal_metainfo_path_raw(mi, i, (struct shoal_space){ raw, sizeof raw });
			bool same = raw_len == len && memcmp(raw, path[i], (size_t)len) == 0;
			bool renamed = shoal_metainfo_file_flags(mi, i) & SHOAL_FILE_RENAMED;
			assert_true(renamed || same);
		}
		qsort(path, n, sizeof *path, by_text);
		for (uint32_t i = 1; i < n; i++) {
			size_t len = strlen(path[i - 1]);
			assert_true(strcmp(path[i - 1], path[i]) != 0);
			/* nor is one a folder of the next */
			for (uint32_t k = i; k < n && strncmp(path[k], path[i - 1], len) == 0; k++)
				assert_true(path[k][len] != '/');
		}
		for (uint32_t i = 0; i < n; i++)
			free(path[i]);
		free(path);
		free(one);
		free(two);
		shoal_metainfo_free(mi);
		shoal_metainfo_free(twin);
		grow_fini(&g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_safe_and_stay_as_they_are_where_they_can),
		cmocka_unit_test(raw_names_are_kept_for_display),
		cmocka_unit_test(v2_names_are_made_safe_too),
		cmocka_unit_test(long_names_are_cut_between_characters),
		cmocka_unit_test(depth_and_length_of_paths_are_bounded),
		cmocka_unit_test(random_names_come_out_unique_and_safe),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
