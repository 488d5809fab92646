/*
 * test_author.c - random descriptions come back from the parser as they went in; what cannot be is refused;
 * the choice of piece size and format is a table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "proto/author.h"
#include "proto/base/bytes.h"
#include "proto/base/digest.h"
#include "proto/base/rng.h"
#include "proto/merkle.h"
#include "tests/unit/torrents.h"

#define FILES_MAX 60
#define PIECE 32768u

/* A description with memory of its own. */
struct desc {
	struct shoal_author a;
	struct shoal_author_file file[FILES_MAX];
	char path[FILES_MAX][64];
	uint8_t root[FILES_MAX][32];
	uint8_t layer[FILES_MAX][10 * 32];
	uint8_t *sha1;
};

static int by_path(const void *a, const void *b)
{
	const struct shoal_author_file *x = a, *y = b;
	return shoal_author_order(x->path, y->path);
}

static void desc_random(struct desc *d, struct shoal_rng *rng, enum shoal_format format)
{
	memset(d, 0, sizeof *d);
	size_t n = 0;
	for (uint32_t i = 0, want = 1 + shoal_rng_below(rng, FILES_MAX); i < want; i++) {
		int len = 0;
		for (uint32_t depth = shoal_rng_below(rng, 3); depth > 0; depth--)
			len += snprintf(d->path[i] + len, sizeof d->path[i] - (size_t)len, "d%c%u/",
					"-./0"[shoal_rng_below(rng, 2)], shoal_rng_below(rng, 3));
		snprintf(d->path[i] + len, sizeof d->path[i] - (size_t)len, "%c%u%s", "f-!~"[shoal_rng_below(rng, 4)],
			 shoal_rng_below(rng, 30), shoal_rng_below(rng, 2) ? ".x" : "");
		d->file[n++] = (struct shoal_author_file){ .path = shoal_bytes(d->path[i], strlen(d->path[i])) };
	}
	qsort(d->file, n, sizeof *d->file, by_path);
	size_t kept = 1;
	for (size_t i = 1; i < n; i++)
		if (by_path(&d->file[kept - 1], &d->file[i]) != 0)
			d->file[kept++] = d->file[i];
	n = kept;
	uint64_t stream = 0;
	bool single = n == 1 && shoal_rng_below(rng, 2);
	for (size_t i = 0; i < n; i++) {
		struct shoal_author_file *f = &d->file[i];
		uint32_t dice = shoal_rng_below(rng, 10);
		f->length = dice < 2   ? 0
			    : dice < 6 ? 1 + shoal_rng_below(rng, PIECE)
			    : dice < 7 ? PIECE * 2
				       : 1 + shoal_rng_below(rng, PIECE * 10);
		f->flags = shoal_rng_below(rng, 4) ? 0 : SHOAL_FILE_EXEC;
		if (f->length == 0 && shoal_rng_below(rng, 2) && !single) {
			f->flags |= SHOAL_FILE_SYMLINK;
			f->target = SHOAL_LIT("some/where");
		}
		shoal_author_place(format, PIECE, &stream, f->length);
		uint32_t pieces = (uint32_t)((f->length + PIECE - 1) / PIECE);
		for (size_t b = 0; b < sizeof d->layer[i]; b++)
			d->layer[i][b] = (uint8_t)shoal_rng_next(rng);
		shoal_merkle_root_of((const void *)d->layer[i], pieces, shoal_merkle_width(pieces), 1, d->root[i]);
		f->root = f->length ? d->root[i] : NULL;
		f->layer = pieces > 1 ? d->layer[i] : NULL;
	}
	size_t pieces = (size_t)((stream + PIECE - 1) / PIECE);
	d->sha1 = malloc(pieces * 20 + 1);
	assert_non_null(d->sha1);
	for (size_t i = 0; i < pieces * 20; i++)
		d->sha1[i] = (uint8_t)shoal_rng_next(rng);
	d->a = (struct shoal_author){ .format = format,
				      .name = SHOAL_LIT("the name"),
				      .single = single,
				      .file = d->file,
				      .file_count = n,
				      .piece_size = PIECE,
				      .sha1 = shoal_bytes(d->sha1, pieces * 20),
				      .is_private = shoal_rng_below(rng, 2) };
}

static void what_is_written_is_read_back(void **state)
{
	(void)state;
	static struct desc d;
	struct shoal_rng rng = shoal_rng_split(21, 0);
	static const struct shoal_author_url trackers[] = { { SHOAL_LIT("http://a/an"), 0 },
							    { SHOAL_LIT("udp://b:1"), 0 },
							    { SHOAL_LIT("https://c/an"), 2 } };
	static const struct shoal_bytes seeds[] = { SHOAL_LIT("http://w/"), SHOAL_LIT("https://x/y") };
	static const struct shoal_bytes nodes[] = { SHOAL_LIT("1.2.3.4:5"), SHOAL_LIT("[::1]:6"),
						    SHOAL_LIT("a.example:7") };
	static const struct shoal_bytes peers[] = { SHOAL_LIT("1.2.3.4:5"), SHOAL_LIT("[::1]:6") };
	static const struct shoal_bytes similar[] = { SHOAL_LIT("aaaaaaaaaaaaaaaaaaaa"),
						      SHOAL_LIT("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb") };
	static const struct shoal_bytes collections[] = { SHOAL_LIT("a.collection"), SHOAL_LIT("\xff") };
	for (int round = 0; round < 600; round++) {
		enum shoal_format format = (enum shoal_format)(round % 3);
		desc_random(&d, &rng, format);
		if (round % 5 == 0) {
			d.a.similar = similar;
			d.a.similar_count = 2;
			d.a.collection = collections;
			d.a.collection_count = 2;
			d.a.tracker = trackers;
			d.a.tracker_count = 1 + (size_t)round % 3;
			d.a.webseed = seeds;
			d.a.webseed_count = 2;
			d.a.node = nodes;
			d.a.node_count = 3;
			d.a.peer = peers;
			d.a.peer_count = 2;
			d.a.comment = SHOAL_LIT("a comment");
			d.a.created_by = SHOAL_LIT("somebody");
			d.a.source = SHOAL_LIT("SRC");
			d.a.created_at = 1700000000;
		}
		struct shoal_ben_wr w, twin;
		struct shoal_bytes info, info2;
		char what[160];
		shoal_ben_wr_init_heap(&w, SIZE_MAX);
		shoal_ben_wr_init_heap(&twin, SIZE_MAX);
		ptrdiff_t len = shoal_author_write(&d.a, &w, &info, what);
		if (len < 0)
			print_message("%s\n", what);
		assert_true(len > 0);
		assert_int_equal(shoal_author_write(&d.a, &twin, &info2, NULL), len);
		assert_memory_equal(w.at, twin.at, (size_t)len); /* the same description, the same bytes */

		struct shoal_metainfo *mi = NULL;
		struct shoal_metainfo_fault why;
		int rc = parse_text(&mi, w.at, (size_t)len, &why);
		if (rc < 0)
			print_message("%s\n", why.what);
		assert_int_equal(rc, 0);
		assert_true(shoal_bytes_equal(shoal_metainfo_info(mi), info));
		assert_int_equal(shoal_metainfo_v1(mi), format != SHOAL_FORMAT_V2);
		assert_int_equal(shoal_metainfo_v2(mi), format != SHOAL_FORMAT_V1);
		assert_int_equal(shoal_metainfo_single(mi), d.a.single);
		assert_int_equal(shoal_metainfo_private(mi), d.a.is_private);
		assert_true(shoal_metainfo_layers_complete(mi));
		uint32_t at = 0;
		uint64_t stream = 0;
		for (size_t i = 0; i < d.a.file_count; i++, at++) {
			const struct shoal_author_file *f = &d.file[i];
			char want[128], got[SHOAL_PATH_BYTES_MAX + 1];
			while (shoal_metainfo_file_flags(mi, at) & SHOAL_FILE_PAD)
				at++;
			snprintf(want, sizeof want, "the name%s%.*s", d.a.single ? "" : "/",
				 d.a.single ? 0 : (int)f->path.len, (const char *)f->path.at);
			assert_true(shoal_metainfo_path(mi, at, (struct shoal_space){ (uint8_t *)got, sizeof got }) >
				    0);
			assert_string_equal(got, want);
			assert_int_equal(shoal_metainfo_file_size(mi, at), f->length);
			assert_int_equal(shoal_metainfo_file_flags(mi, at), f->flags);
			uint64_t place = shoal_author_place(format, PIECE, &stream, f->length);
			if (f->length > 0)
				assert_int_equal(shoal_metainfo_file_offset(mi, at), place);
			if (format != SHOAL_FORMAT_V1 && f->length > 0)
				assert_memory_equal(shoal_metainfo_file_root(mi, at), f->root, 32);
			if (format != SHOAL_FORMAT_V1 && f->layer)
				assert_true(
					shoal_bytes_equal(shoal_metainfo_layer(mi, at),
							  shoal_bytes(f->layer, (f->length + PIECE - 1) / PIECE * 32)));
		}
		assert_int_equal(shoal_metainfo_stream_size(mi),
				 shoal_author_stream(format, PIECE, d.a.single, stream));
		struct shoal_author_sums sums;
		shoal_author_measure(&d.a, &sums);
		assert_int_equal(sums.total, shoal_metainfo_size(mi));
		if (format != SHOAL_FORMAT_V1)
			assert_int_equal(sums.pieces, shoal_metainfo_piece_count(mi));
		else
			assert_int_equal(sums.pieces_v1, shoal_metainfo_piece_count(mi));
		assert_int_equal(sums.info_of[format], info.len); /* to the byte */
		assert_true(sums.torrent_of[format] >= (uint64_t)len);
		assert_true(sums.torrent_of[format] <= (uint64_t)len + 64 + d.a.file_count * 600);
		if (format == SHOAL_FORMAT_HYBRID) {
			assert_int_equal(sums.info, info.len);
			assert_int_equal(sums.padding, shoal_metainfo_stream_size(mi) - shoal_metainfo_size(mi));
		}
		if (round % 5 == 0) {
			assert_int_equal(shoal_metainfo_tracker_count(mi), d.a.tracker_count);
			for (size_t i = 0; i < d.a.tracker_count; i++) {
				unsigned tier;
				assert_true(shoal_bytes_equal(shoal_metainfo_tracker(mi, i, &tier), trackers[i].url));
				assert_int_equal(tier, i == 2);
			}
			assert_int_equal(shoal_metainfo_webseed_count(mi), 2);
			assert_true(shoal_bytes_equal(shoal_metainfo_webseed(mi, 1), seeds[1]));
			assert_int_equal(shoal_metainfo_node_count(mi), 3);
			for (size_t i = 0; i < 3; i++)
				assert_true(shoal_bytes_equal(shoal_metainfo_node(mi, i), nodes[i]));
			assert_int_equal(shoal_metainfo_peer_count(mi), 2);
			assert_true(shoal_bytes_equal(shoal_metainfo_peer(mi, 1), peers[1]));
			assert_int_equal(shoal_metainfo_similar_count(mi), 2);
			assert_int_equal(shoal_metainfo_collection_count(mi), 2);
			for (size_t i = 0; i < 2; i++) {
				assert_true(shoal_bytes_equal(shoal_metainfo_similar(mi, i), similar[i]));
				assert_true(shoal_bytes_equal(shoal_metainfo_collection(mi, i), collections[i]));
			}
			assert_true(shoal_bytes_equal(shoal_metainfo_comment(mi), d.a.comment));
			assert_true(shoal_bytes_equal(shoal_metainfo_created_by(mi), d.a.created_by));
			assert_true(shoal_bytes_equal(shoal_metainfo_source(mi), d.a.source));
			assert_int_equal(shoal_metainfo_created_at(mi), 1700000000);
		}
		shoal_metainfo_free(mi);
		shoal_ben_wr_fini(&w);
		shoal_ben_wr_fini(&twin);
		free(d.sha1);
	}
}

static void what_cannot_be_is_refused(void **state)
{
	(void)state;
	static const uint8_t root[32] = { 1 }, sha1[200];
	struct row {
		const char *why, *name;
		const char *path[3];
		uint32_t piece_size;
		size_t sha1_len;
	};
	static const struct row rows[] = {
		{ "good", "n", { "a", "b" }, 16384, 40 },
		{ "out of order", "n", { "b", "a" }, 16384, 40 },
		{ "twice", "n", { "a", "a" }, 16384, 40 },
		{ "file and folder", "n", { "a", "a/b" }, 16384, 40 },
		{ "no name", "", { "a", "b" }, 16384, 40 },
		{ "name ..", "..", { "a", "b" }, 16384, 40 },
		{ "name with a slash", "a/b", { "a", "b" }, 16384, 40 },
		{ "an empty path", "n", { "", "b" }, 16384, 40 },
		{ "a slash before", "n", { "/a", "b" }, 16384, 40 },
		{ "a slash behind", "n", { "a/", "b" }, 16384, 40 },
		{ "two slashes", "n", { "a//b", "b" }, 16384, 40 },
		{ "up", "n", { "a/../b", "b" }, 16384, 40 },
		{ "here", "n", { "./b", "b" }, 16384, 40 },
		{ "piece size 0", "n", { "a", "b" }, 0, 40 },
		{ "piece size 16385", "n", { "a", "b" }, 16385, 40 },
		{ "piece size 128 MiB", "n", { "a", "b" }, 128u << 20, 40 },
		{ "a hash too few", "n", { "a", "b" }, 16384, 20 },
		{ "a hash too many", "n", { "a", "b" }, 16384, 60 },
		{ "no files", "n", { NULL }, 16384, 0 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct shoal_author_file file[3] = { { .length = 0 } };
		struct shoal_author a = { .format = SHOAL_FORMAT_HYBRID,
					  .name = shoal_bytes(rows[i].name, strlen(rows[i].name)),
					  .file = file,
					  .piece_size = rows[i].piece_size,
					  .sha1 = shoal_bytes(sha1, rows[i].sha1_len) };
		for (; rows[i].path[a.file_count]; a.file_count++)
			file[a.file_count] = (struct shoal_author_file){
				.path = shoal_bytes(rows[i].path[a.file_count], strlen(rows[i].path[a.file_count])),
				.length = 5,
				.root = root
			};
		struct shoal_ben_wr w;
		struct shoal_bytes info;
		char what[160];
		shoal_ben_wr_init_heap(&w, SIZE_MAX);
		ptrdiff_t rc = shoal_author_write(&a, &w, &info, what);
		if ((i == 0) != (rc > 0))
			print_message("%s: %td %s\n", rows[i].why, rc, what);
		assert_int_equal(rc > 0 ? 0 : rc, i == 0 ? 0 : SHOAL_ERR_USAGE);
		assert_int_equal(what[0] != 0, i != 0);
		shoal_ben_wr_fini(&w);
	}
}

/* What a file, and what stands beside the files, must not be. */
static void what_a_file_cannot_be_is_refused(void **state)
{
	(void)state;
	static const uint8_t root[32] = { 1 }, sha1[20];
	static char long_path[SHOAL_PATH_BYTES_MAX];
	for (size_t i = 0; i < sizeof long_path; i++)
		long_path[i] = i % 200 == 199 ? '/' : 'x';
	const struct {
		const char *why;
		struct shoal_author_file file;
		const char *node;
		int want;
		const char *what;
	} rows[] = {
		{ "good", { .path = SHOAL_LIT("a"), .length = 5, .root = root }, "h:1", 0, "" },
		{ "a good link",
		  { .path = SHOAL_LIT("a"), .flags = SHOAL_FILE_SYMLINK, .target = SHOAL_LIT("b") },
		  "[::1]:65535",
		  0,
		  "" },
		{ "a link with bytes",
		  { .path = SHOAL_LIT("a"),
		    .length = 5,
		    .root = root,
		    .flags = SHOAL_FILE_SYMLINK,
		    .target = SHOAL_LIT("b") },
		  NULL,
		  SHOAL_ERR_USAGE,
		  "symlink" },
		{ "a link that leads out",
		  { .path = SHOAL_LIT("a"), .flags = SHOAL_FILE_SYMLINK, .target = SHOAL_LIT("../b") },
		  NULL,
		  SHOAL_ERR_USAGE,
		  "symlink" },
		{ "a link to nowhere",
		  { .path = SHOAL_LIT("a"), .flags = SHOAL_FILE_SYMLINK },
		  NULL,
		  SHOAL_ERR_USAGE,
		  "symlink" },
		{ "no root", { .path = SHOAL_LIT("a"), .length = 5 }, NULL, SHOAL_ERR_USAGE, "no root" },
		{ "a path too long",
		  { .path = { (const uint8_t *)long_path, sizeof long_path }, .length = 5, .root = root },
		  NULL,
		  SHOAL_ERR_USAGE,
		  "a path of more than" },
		{ "a file too large",
		  { .path = SHOAL_LIT("a"), .length = UINT64_MAX, .root = root },
		  NULL,
		  SHOAL_ERR_RANGE,
		  "" },
		{ "too many pieces",
		  { .path = SHOAL_LIT("a"), .length = SHOAL_TOTAL_SIZE_MAX, .root = root },
		  NULL,
		  SHOAL_ERR_RANGE,
		  "" },
		{ "a node without a port",
		  { .path = SHOAL_LIT("a"), .length = 5, .root = root },
		  "h",
		  SHOAL_ERR_USAGE,
		  "node 0" },
		{ "a node without a host",
		  { .path = SHOAL_LIT("a"), .length = 5, .root = root },
		  ":1",
		  SHOAL_ERR_USAGE,
		  "node 0" },
		{ "a node with no port after all",
		  { .path = SHOAL_LIT("a"), .length = 5, .root = root },
		  "h:",
		  SHOAL_ERR_USAGE,
		  "node 0" },
		{ "a node with letters for a port",
		  { .path = SHOAL_LIT("a"), .length = 5, .root = root },
		  "h:8o",
		  SHOAL_ERR_USAGE,
		  "node 0" },
		{ "a node at port 0",
		  { .path = SHOAL_LIT("a"), .length = 5, .root = root },
		  "h:0",
		  SHOAL_ERR_USAGE,
		  "node 0" },
		{ "a node at port 65536",
		  { .path = SHOAL_LIT("a"), .length = 5, .root = root },
		  "h:65536",
		  SHOAL_ERR_USAGE,
		  "node 0" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct shoal_bytes node = { NULL, 0 };
		if (rows[i].node != NULL)
			node = shoal_bytes(rows[i].node, strlen(rows[i].node));
		struct shoal_author a = { .format = SHOAL_FORMAT_V2,
					  .name = SHOAL_LIT("n"),
					  .file = &rows[i].file,
					  .file_count = 1,
					  .piece_size = 16384,
					  .sha1 = shoal_bytes(sha1, 0),
					  .node = &node,
					  .node_count = node.len > 0 };
		struct shoal_ben_wr w;
		struct shoal_bytes info;
		char what[160];
		shoal_ben_wr_init_heap(&w, SIZE_MAX);
		ptrdiff_t rc = shoal_author_write(&a, &w, &info, what);
		if ((rc > 0 ? 0 : rc) != rows[i].want || strstr(what, rows[i].what) == NULL)
			print_message("%s: %td %s\n", rows[i].why, rc, what);
		assert_int_equal(rc > 0 ? 0 : rc, rows[i].want);
		assert_non_null(strstr(what, rows[i].what));
		shoal_ben_wr_fini(&w);
	}
}

static void order_is_the_order_of_the_tree(void **state)
{
	(void)state;
	static const char *const order[] = { "a",   "a/b", "a/b/c", "a/c",    "a\x01", "a!b",
					     "a.b", "aa",  "b",	    "b/\xff", "\xff" };
	for (size_t i = 0; i < sizeof order / sizeof *order; i++)
		for (size_t k = 0; k < sizeof order / sizeof *order; k++) {
			int c = shoal_author_order(shoal_bytes(order[i], strlen(order[i])),
						   shoal_bytes(order[k], strlen(order[k])));
			assert_int_equal((c > 0) - (c < 0), (i > k) - (i < k));
		}
}

static void piece_sizes_follow_the_table(void **state)
{
	(void)state;
	static const uint64_t K = 1024, M = 1024 * K, G = 1024 * M, T = 1024 * G;
	const struct {
		uint64_t total, want;
	} rows[] = {
		{ 0, 16 * K },	    { 1, 16 * K },	  { 32 * M, 16 * K }, { 32 * M + 1, 32 * K },
		{ 64 * M, 32 * K }, { 128 * M, 64 * K },  { 1 * G, 512 * K }, { 2 * G, 1 * M },
		{ 8 * G, 4 * M },   { 8 * G + 1, 4 * M }, { 390 * G, 4 * M }, { 391 * G, 8 * M },
		{ 781 * G, 8 * M }, { 782 * G, 16 * M },  { 32 * T, 16 * M }, { 32 * T + 1, 32 * M },
		{ 64 * T, 32 * M }, { 128 * T, 64 * M },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(shoal_author_piece_size(rows[i].total), rows[i].want);
}

static void a_hybrid_is_made_unless_it_costs_too_much(void **state)
{
	(void)state;
	static const struct {
		struct shoal_author_sums sums;
		enum shoal_format want;
	} rows[] = {
		{ { .total = 1000, .padding = 100, .pieces = 100000, .info = 10u << 20 }, SHOAL_FORMAT_HYBRID },
		{ { .total = 1000, .padding = 101, .pieces = 1, .info = 1 }, SHOAL_FORMAT_V2 },
		{ { .total = 1000, .padding = 0, .pieces = 100001, .info = 1 }, SHOAL_FORMAT_V2 },
		{ { .total = 1000, .padding = 0, .pieces = 1, .info = (10u << 20) + 1 }, SHOAL_FORMAT_V2 },
		{ { .total = 0, .padding = 0, .pieces = 0, .info = 1 }, SHOAL_FORMAT_HYBRID },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *why = "unset";
		assert_int_equal(shoal_author_format(&rows[i].sums, &why), rows[i].want);
		assert_int_equal(why != NULL, rows[i].want == SHOAL_FORMAT_V2);
	}
}

static void many_files_are_written_in_linear_time(void **state)
{
	(void)state;
	size_t count = getenv("SHOAL_LONG") ? 1000000 : 100000;
	struct shoal_author_file *file = calloc(count, sizeof *file);
	char(*path)[24] = calloc(count, sizeof *path);
	uint8_t(*root)[32] = calloc(count, sizeof *root);
	assert_true(file && path && root);
	for (size_t i = 0; i < count; i++) {
		int n = snprintf(path[i], sizeof path[i], "%08zx/%08zx", i / 1000, i);
		shoal_put_u32(root[i], (uint32_t)i + 1);
		file[i] = (struct shoal_author_file){ .path = shoal_bytes(path[i], (size_t)n),
						      .length = 1000,
						      .root = root[i] };
	}
	struct shoal_author a = { .format = SHOAL_FORMAT_V2,
				  .name = SHOAL_LIT("n"),
				  .file = file,
				  .file_count = count,
				  .piece_size = 16384 };
	struct shoal_ben_wr w;
	struct shoal_bytes info;
	struct shoal_metainfo *mi;
	shoal_ben_wr_init_heap(&w, SHOAL_METAINFO_BYTES_MAX);
	clock_t from = clock();
	ptrdiff_t len = shoal_author_write(&a, &w, &info, NULL);
	double seconds = (double)(clock() - from) / CLOCKS_PER_SEC;
	print_message("%zu files, %.1f MB, %.0f ms\n", count, (double)len / 1e6, seconds * 1000);
	assert_true(len > 0);
	assert_true(seconds < 5.0 * (double)count / 100000);
	assert_int_equal(shoal_metainfo_parse(&mi, shoal_bytes(w.at, (size_t)len), NULL), 0);
	assert_int_equal(shoal_metainfo_file_count(mi), count);
	shoal_metainfo_free(mi);
	shoal_ben_wr_fini(&w);
	free(file);
	free(path);
	free(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(what_a_file_cannot_be_is_refused),
		cmocka_unit_test(order_is_the_order_of_the_tree),
		cmocka_unit_test(piece_sizes_follow_the_table),
		cmocka_unit_test(a_hybrid_is_made_unless_it_costs_too_much),
		cmocka_unit_test(many_files_are_written_in_linear_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
