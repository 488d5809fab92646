/* tools/make.c - makes a torrent; the thinking is in proto/author.h, the sweat in swarm/io/hasher.h. */
#include "tools/make.h"

#include "proto/base/bytes.h"
#include "proto/base/slots.h"
#include "proto/merkle.h"
#include "tools/hashing.h"
#include "tools/human.h"
#include "tools/say.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define DROPS_SHOWN 5 /* of each kind by name; the rest is counted */
#define URLS_MAX SHOAL_TRACKERS_MAX

/* Everything that is only needed while a torrent is made. */
struct maker {
	struct shoal_tool *tool;
	const struct shoal_make_options *o;
	struct shoal_make *m;
	const char *path;
	struct shoal_author a;
	struct shoal_author_file *file; /* the tree's files, in its order */
	uint64_t *offset;		/* where each begins in the stream */
	char *paths;			/* their paths, end to end */
	struct shoal_hasher_file *hash; /* those with bytes */
	uint32_t hash_count, pieces;
	uint64_t stream;
	uint8_t (*sha1)[20];
	shoal_hash32 *root; /* by piece */
	shoal_hash32 *top;  /* of files longer than a piece */
	struct shoal_author_url tracker[URLS_MAX];
	struct shoal_bytes list[3][URLS_MAX]; /* web seeds, nodes, peers */
	struct shoal_ben_wr wr;
	/* The hasher's threads write here: each its own pieces; a failed one only ever sets these. */
	int bad_os;
};

/* ---- the walk ----------------------------------------------------------------------- */
static const char *const drop_words[SHOAL_TREE_DROPS][3] = {
	[SHOAL_TREE_SYMLINK] = { "symlink", "symlink", "symlinks" },
	[SHOAL_TREE_SPECIAL] = { "device, socket or pipe", "device, socket or pipe", "devices, sockets and pipes" },
	[SHOAL_TREE_EMPTY] = { "empty folder", "empty folder", "empty folders" },
};

static void told_drop(void *to, enum shoal_tree_drop why, const char *path)
{
	struct maker *k = to;
	char shown[SHOAL_SAY_TEXT_MAX];
	if (k->m->tree.dropped[why] <= DROPS_SHOWN)
		shoal_say_warn(k->tool, NULL, "left out: %s (%s)", shoal_say_cstr(path, shown), drop_words[why][0]);
}

static int walk(struct maker *k)
{
	struct shoal_tree *t = &k->m->tree;
	char shown[SHOAL_SAY_TEXT_MAX], n[SHOAL_HUMAN_MAX * 2];
	int rc = shoal_tree_walk(t, &shoal_os_real, k->path, told_drop, k);
	shoal_say_cstr(t->where, shown);
	if (rc == SHOAL_ERR_GONE && t->name == 0 && t->file_count == 0)
		return shoal_say_fail_as(k->tool, SHOAL_EXIT_INPUT, rc, "%s: %s", shown, strerror(t->os));
	if (rc == SHOAL_ERR_UNSUPPORTED)
		return shoal_say_fail_as(k->tool, SHOAL_EXIT_INPUT, rc, "%s: neither a file nor a folder", shown);
	if (rc == SHOAL_ERR_TOO_LONG)
		return shoal_say_fail_as(
			k->tool, SHOAL_EXIT_INPUT, rc,
			"%s: more than a torrent can hold (%u files, %u folders deep, paths of %u bytes)", shown,
			SHOAL_FILES_MAX, SHOAL_PATH_DEPTH_MAX, SHOAL_PATH_BYTES_MAX);
	if (rc < 0)
		return shoal_say_fail_as(k->tool, SHOAL_EXIT_STORAGE, rc, "%s: cannot be read: %s", shown,
					 rc == SHOAL_ERR_NOMEM ? "no memory" : strerror(t->os));
	for (int why = 0; why < SHOAL_TREE_DROPS; why++) {
		if (t->dropped[why] > DROPS_SHOWN)
			shoal_say_warn(k->tool, NULL, "left out: %s in all",
				       shoal_human_count(t->dropped[why], drop_words[why][1], drop_words[why][2], n));
	}
	if (t->executable)
		shoal_say_log(k->tool, SHOAL_LOG_INFO, "%s executable: a torrent does not carry that",
			      shoal_human_count(t->executable, "file is", "files are", n));
	if (t->file_count == 0 || t->size == 0)
		return shoal_say_fail_as(k->tool, SHOAL_EXIT_INPUT, SHOAL_ERR_GONE, "%s: holds not one byte to share",
					 shoal_say_cstr(k->path, shown));
	return 0;
}

/* ---- what kind of torrent ------------------------------------------------------------ */
static int no_memory(struct maker *k)
{
	return shoal_say_fail(k->tool, SHOAL_ERR_NOMEM, "no memory for %u files", k->m->tree.file_count);
}

static int describe_files(struct maker *k)
{
	const struct shoal_tree *t = &k->m->tree;
	char path[SHOAL_PATH_BYTES_MAX + 1];
	struct shoal_space room = { (uint8_t *)path, sizeof path };
	size_t len = 0;
	for (uint32_t i = 0; i < t->file_count; i++) {
		int n = shoal_tree_path(t, i, room);
		len += n > 0 ? (size_t)n + 1 : 1;
	}
	k->file = calloc(t->file_count, sizeof *k->file);
	k->offset = calloc(t->file_count, sizeof *k->offset);
	k->paths = malloc(len);
	if (k->file == NULL || k->offset == NULL || k->paths == NULL)
		return no_memory(k);
	char *at = k->paths;
	for (uint32_t i = 0; i < t->file_count; i++) {
		int n = shoal_tree_path(t, i, room);
		if (n < 0)
			return shoal_say_fail(k->tool, n, "a path is longer than %u bytes", SHOAL_PATH_BYTES_MAX);
		memcpy(at, path, (size_t)n + 1);
		k->file[i].path = shoal_bytes(at, (size_t)n);
		k->file[i].length = t->file[i].size;
		at += n + 1;
	}
	return 0;
}

static int check_url(struct maker *k, const char *what, struct shoal_bytes url)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	if (memmem(url.at, url.len, "://", 3) != NULL && url.len > 3)
		return 0;
	return shoal_say_fail(k->tool, SHOAL_ERR_USAGE, "--%s %s: not a URL", what, shoal_say_text(url, shown));
}

/* Trackers: each option a tier, commas between those of one tier (BEP 12). */
static int describe_trackers(struct maker *k)
{
	for (size_t i = 0; i < k->o->tracker.count; i++) {
		for (const char *at = k->o->tracker.at[i]; at;) {
			const char *comma = strchr(at, ',');
			struct shoal_bytes url = shoal_bytes(at, comma ? (size_t)(comma - at) : strlen(at));
			int code = check_url(k, "tracker", url);
			if (code)
				return code;
			if (k->a.tracker_count == URLS_MAX)
				return shoal_say_fail(k->tool, SHOAL_ERR_USAGE, "more than %d trackers", URLS_MAX);
			k->tracker[k->a.tracker_count++] = (struct shoal_author_url){ url, (unsigned)i };
			at = comma ? comma + 1 : NULL;
		}
	}
	k->a.tracker = k->tracker;
	return 0;
}

static int describe_list(struct maker *k, const struct shoal_opt_list *from, size_t slot, const char *name, bool urls,
			 const struct shoal_bytes **at, size_t *count)
{
	if (from->count > URLS_MAX)
		return shoal_say_fail(k->tool, SHOAL_ERR_USAGE, "more than %d of --%s", URLS_MAX, name);
	for (size_t i = 0; i < from->count; i++) {
		k->list[slot][i] = shoal_bytes(from->at[i], strlen(from->at[i]));
		int code = urls ? check_url(k, name, k->list[slot][i]) : 0;
		if (code)
			return code;
	}
	*at = k->list[slot];
	*count = from->count;
	return 0;
}

static struct shoal_bytes text_of(const char *text)
{
	return shoal_bytes(text, text ? strlen(text) : 0);
}

static int describe(struct maker *k)
{
	const struct shoal_make_options *o = k->o;
	struct shoal_author *a = &k->a;
	int code;
	a->name = text_of(shoal_tree_name(&k->m->tree));
	a->single = k->m->tree.single;
	a->is_private = o->is_private;
	a->source = text_of(o->source);
	a->comment = text_of(o->comment);
	a->created_by = text_of("shoal " SHOAL_VERSION);
	a->created_at = o->no_date ? 0 : (int64_t)time(NULL);
	if ((code = describe_files(k)) || (code = describe_trackers(k)) ||
	    (code = describe_list(k, &o->webseed, 0, "webseed", true, &a->webseed, &a->webseed_count)) ||
	    (code = describe_list(k, &o->node, 1, "node", false, &a->node, &a->node_count)) ||
	    (code = describe_list(k, &o->peer, 2, "peer", false, &a->peer, &a->peer_count)))
		return code;
	a->file = k->file;
	a->file_count = k->m->tree.file_count;
	return 0;
}

static int choose(struct maker *k)
{
	struct shoal_author_sums sums;
	const char *why = NULL;
	char size[SHOAL_HUMAN_MAX];
	uint64_t wanted = k->o->piece_size;
	if (wanted && (wanted < SHOAL_PIECE_SIZE_MIN || wanted > SHOAL_PIECE_SIZE_MAX || (wanted & (wanted - 1))))
		return shoal_say_fail(k->tool, SHOAL_ERR_USAGE,
				      "--piece-size: a power of two from 16K to 64M is needed, not %" PRIu64, wanted);
	k->a.piece_size = wanted ? (uint32_t)wanted : shoal_author_piece_size(k->m->tree.size);
	k->a.format = SHOAL_FORMAT_HYBRID;
	shoal_author_measure(&k->a, &sums);
	k->m->format = k->o->format == SHOAL_MAKE_AUTO ? shoal_author_format(&sums, &why)
						       : (enum shoal_format)k->o->format;
	k->a.format = k->m->format;
	if (why && !k->tool->quiet)
		fprintf(stderr, "shoal %s: %s\n", k->tool->command, why);
	uint64_t pieces = k->a.format == SHOAL_FORMAT_V1 ? sums.pieces_v1 : sums.pieces;
	if (pieces > SHOAL_PIECES_MAX)
		return shoal_say_fail(
			k->tool, SHOAL_ERR_USAGE,
			"%" PRIu64 " pieces of %s: more than a torrent may have (%u); take a larger --piece-size%s",
			pieces, shoal_human_size(k->a.piece_size, size), SHOAL_PIECES_MAX,
			k->a.format == SHOAL_FORMAT_V1 ? "" : ", or --format v1: in v2 each file takes a piece");
	k->pieces = (uint32_t)pieces;
	return 0;
}

/* ---- hashing -------------------------------------------------------------------------- */
static int open_file(void *self, uint32_t id, int *os)
{
	const struct maker *k = self;
	return shoal_tree_open(&k->m->tree, id, os);
}

static int close_file(void *self, uint32_t id, int fd)
{
	const struct maker *k = self;
	return shoal_tree_close(&k->m->tree, id, fd);
}

static int take_piece(void *self, const struct shoal_hasher_piece *p)
{
	struct maker *k = self;
	if (p->err < 0) {
		__atomic_store_n(&k->bad_os, p->os, __ATOMIC_RELAXED);
		return p->err;
	}
	if (p->sha1)
		memcpy(k->sha1[p->index], p->sha1, 20);
	if (p->root)
		memcpy(k->root[p->index], p->root, 32);
	return 0;
}

static int place_files(struct maker *k)
{
	const struct shoal_tree *t = &k->m->tree;
	k->hash = calloc(t->file_count, sizeof *k->hash);
	k->sha1 = k->a.format == SHOAL_FORMAT_V2 ? NULL : calloc(k->pieces, sizeof *k->sha1);
	k->root = k->a.format == SHOAL_FORMAT_V1 ? NULL : calloc(k->pieces, sizeof *k->root);
	if (k->hash == NULL || (k->sha1 == NULL && k->root == NULL))
		return no_memory(k);
	uint64_t stream = 0;
	for (uint32_t i = 0; i < t->file_count; i++) {
		k->offset[i] = shoal_author_place(k->a.format, k->a.piece_size, &stream, t->file[i].size);
		if (t->file[i].size)
			k->hash[k->hash_count++] = (struct shoal_hasher_file){ k->offset[i], t->file[i].size, i };
	}
	k->stream = shoal_author_stream(k->a.format, k->a.piece_size, k->a.single, stream);
	return 0;
}

static int hash_failed(struct maker *k, int rc, uint32_t id)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	shoal_say_text(k->a.single ? k->a.name : k->file[id].path, shown);
	if (rc == SHOAL_ERR_NOMEM)
		return no_memory(k);
	if (rc == SHOAL_ERR_GONE)
		return shoal_say_fail(k->tool, rc, "%s: changed while it was read; try again when nobody writes to it",
				      shown);
	return shoal_say_fail(k->tool, rc, "%s: cannot be read: %s", shown,
			      k->bad_os ? strerror(k->bad_os) : shoal_err_name(rc));
}

static int hash(struct maker *k)
{
	struct shoal_hasher_plan plan = {
		.os = &shoal_os_real,
		.file = k->hash,
		.file_count = k->hash_count,
		.stream_size = k->stream,
		.piece_size = k->a.piece_size,
		.threads = k->o->threads,
		.v1 = k->sha1 != NULL,
		.v2 = k->root != NULL,
		.self = k,
		.open = open_file,
		.close = close_file,
		.piece = take_piece,
	};
	struct shoal_hashing h = { .verb = "hashing", .name = k->a.name, .total = k->m->tree.size };
	int rc = shoal_hashing_run(k->tool, &plan, &h);
	k->m->hash_us = h.took;
	return rc < 0 ? hash_failed(k, rc, h.bad_id) : 0;
}

/* From the roots of pieces to the roots of files (BEP 52). */
static int root_files(struct maker *k)
{
	const struct shoal_tree *t = &k->m->tree;
	uint32_t ps = k->a.piece_size, longer = 0, widest = 0, next = 0;
	if (k->root == NULL)
		return 0;
	for (uint32_t i = 0; i < t->file_count; i++) {
		uint64_t n = t->file[i].size / ps + (t->file[i].size % ps != 0);
		longer += n > 1;
		widest = n > widest ? (uint32_t)n : widest;
	}
	k->top = calloc(longer ? longer : 1, sizeof *k->top);
	shoal_hash32 *scratch = calloc(widest, sizeof *scratch);
	if (k->top == NULL || scratch == NULL) {
		free(scratch);
		return no_memory(k);
	}
	for (uint32_t i = 0; i < t->file_count; i++) {
		uint32_t n = (uint32_t)(t->file[i].size / ps + (t->file[i].size % ps != 0));
		const shoal_hash32 *layer = &k->root[k->offset[i] / ps];
		if (n == 0)
			continue;
		if (n == 1) {
			k->file[i].root = *layer;
			continue;
		}
		memcpy(scratch, layer, n * sizeof *scratch);
		shoal_merkle_root(scratch, n, shoal_merkle_width(n), shoal_merkle_height(ps / SHOAL_BLOCK),
				  k->top[next]);
		k->file[i].layer = *layer;
		k->file[i].root = k->top[next++];
	}
	free(scratch);
	return 0;
}

static int write_torrent(struct maker *k)
{
	struct shoal_metainfo_fault why = { 0 };
	struct shoal_bytes info;
	char what[160] = "";
	k->a.sha1 = shoal_bytes(k->sha1, k->sha1 ? (size_t)k->pieces * 20 : 0);
	shoal_ben_wr_init_heap(&k->wr, SHOAL_METAINFO_BYTES_MAX);
	ptrdiff_t len = shoal_author_write(&k->a, &k->wr, &info, what);
	if (len == SHOAL_ERR_TOO_LONG)
		return shoal_say_fail_as(k->tool, SHOAL_EXIT_INPUT, (int)len,
					 "the torrent itself would be larger than %u MiB; take a larger --piece-size",
					 SHOAL_METAINFO_BYTES_MAX >> 20);
	if (len < 0)
		return shoal_say_fail_as(k->tool, SHOAL_EXIT_INPUT, (int)len, "%s",
					 what[0] ? what : shoal_err_name((int)len));
	/* It is given away under our name: prove that it can be read before anybody else has to. */
	k->m->torrent = shoal_bytes(k->wr.at, (size_t)len);
	k->wr.heap = false;
	int rc = shoal_metainfo_parse(&k->m->mi, k->m->torrent, &why);
	if (rc < 0)
		return shoal_say_fail(k->tool, rc, "the torrent cannot be read back: %s", why.what);
	return 0;
}

int shoal_make(struct shoal_tool *tool, struct shoal_make *m, const struct shoal_make_options *o, const char *path)
{
	*m = (struct shoal_make){ .tree = { .top = { &shoal_os_real, -1, false } } };
	struct maker *k = calloc(1, sizeof *k);
	if (k == NULL)
		return shoal_say_fail(tool, SHOAL_ERR_NOMEM, "no memory");
	*k = (struct maker){ .tool = tool, .o = o, .m = m, .path = path };
	int code;
	if (!(code = walk(k)) && !(code = describe(k)) && !(code = choose(k)) && !(code = place_files(k)) &&
	    !(code = hash(k)) && !(code = root_files(k)))
		code = write_torrent(k);
	shoal_ben_wr_fini(&k->wr);
	free(k->file);
	free(k->offset);
	free(k->paths);
	free(k->hash);
	free(k->sha1);
	free(k->root);
	free(k->top);
	free(k);
	return code;
}

void shoal_make_fini(struct shoal_make *m)
{
	shoal_tree_fini(&m->tree);
	shoal_metainfo_free(m->mi);
	free((void *)(uintptr_t)m->torrent.at);
	m->mi = NULL;
	m->torrent = (struct shoal_bytes){ NULL, 0 };
}

void shoal_make_rows(struct shoal_make_options *o, struct shoal_opt *rows)
{
	/* clang-format off */
	const struct shoal_opt all[SHOAL_MAKE_OPTIONS_MAX] = {
		{ SHOAL_OPT_HEADING, .help = "the torrent that is made:" },
		{ SHOAL_OPT_CHOICE, "format", 0, &o->format, "hybrid|v2|v1", NULL, "default: hybrid, v2 where that would be unwise" },
		{ SHOAL_OPT_SIZE, "piece-size", 0, &o->piece_size, "SIZE", NULL, "a power of two, 16K to 64M; default: by size" },
		{ SHOAL_OPT_LIST, "tracker", 't', &o->tracker, "URL", NULL, "more than once; commas within one tier" },
		{ SHOAL_OPT_LIST, "webseed", 'w', &o->webseed, "URL", NULL, "where the data can be had by HTTP" },
		{ SHOAL_OPT_PEER, "node", 0, &o->node, "HOST:PORT", NULL, "a DHT node to begin with" },
		{ SHOAL_OPT_FLAG, "private", 0, &o->is_private, NULL, NULL, "peers from its trackers alone (BEP 27)" },
		{ SHOAL_OPT_TEXT, "comment", 'c', &o->comment, "TEXT", NULL, "a remark for people" },
		{ SHOAL_OPT_TEXT, "source", 0, &o->source, "TEXT", NULL, "a mark that makes another info hash" },
		{ SHOAL_OPT_FLAG, "no-date", 0, &o->no_date, NULL, NULL, "do not say when it was made" },
		{ SHOAL_OPT_COUNT, "threads", 0, &o->threads, "N", NULL, "that hash; default: one a core" },
		{ .kind = SHOAL_OPT_END },
	};
	/* clang-format on */
	memcpy(rows, all, sizeof all);
}

void shoal_make_options_fini(struct shoal_make_options *o)
{
	shoal_opt_list_fini(&o->tracker);
	shoal_opt_list_fini(&o->webseed);
	shoal_opt_list_fini(&o->node);
	shoal_opt_list_fini(&o->peer);
}
