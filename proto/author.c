/*
 * proto/author.c - a description to canonical bytes, in one pass over sorted files.
 */
#include "proto/author.h"
#include "proto/base/bytes.h"
#include "proto/metainfo.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct job {
	const struct shoal_author *a;
	struct shoal_ben_wr *w;
	char *what;
	bool v1, v2;
	uint64_t stream;
};

__attribute__((format(printf, 2, 3))) static int fail(struct job *j, const char *format, ...)
{
	if (j->what != NULL) {
		va_list args;
		va_start(args, format);
		vsnprintf(j->what, 160, format, args);
		va_end(args);
	}
	return SHOAL_ERR_USAGE;
}

/* ---- paths ------------------------------------------------------------------------ */

/* The component at *pos; moves behind its '/'. */
static struct shoal_bytes component(struct shoal_bytes path, size_t *pos)
{
	const uint8_t *from = path.at + *pos;
	const uint8_t *slash = memchr(from, '/', path.len - *pos);
	size_t len = slash ? (size_t)(slash - from) : path.len - *pos;
	*pos += len + (slash != NULL);
	return shoal_bytes(from, len);
}

int shoal_author_order(struct shoal_bytes a, struct shoal_bytes b)
{
	size_t n = a.len < b.len ? a.len : b.len, i = 0;
	while (i < n && a.at[i] == b.at[i])
		i++;
	/* the end of a component comes before any byte, the end of the path before both */
	int end_a = i == a.len ? 0 : a.at[i] == '/' ? 1 : 2 + a.at[i];
	int end_b = i == b.len ? 0 : b.at[i] == '/' ? 1 : 2 + b.at[i];
	return end_a - end_b;
}

const struct shoal_author_file *shoal_author_file_at(const struct shoal_author *a, size_t i,
						     char room[SHOAL_AUTHOR_PATH_ROOM], struct shoal_author_file *out)
{
	if (a->file != NULL)
		return &a->file[i];
	*out = (struct shoal_author_file){ .length = 0 };
	a->file_at(a->self, i, room, out);
	return out;
}

/* Two files in turn: the one at hand and the one before it. */
struct turns {
	char room[2][SHOAL_AUTHOR_PATH_ROOM];
	struct shoal_author_file some[2];
};

static const struct shoal_author_file *turn(const struct shoal_author *a, size_t i, struct turns *t)
{
	return shoal_author_file_at(a, i, t->room[i % 2], &t->some[i % 2]);
}

static bool name_is_good(struct shoal_bytes name)
{
	if (name.len == 0 || name.len > SHOAL_NAME_BYTES_MAX || memchr(name.at, 0, name.len) ||
	    memchr(name.at, '/', name.len))
		return false;
	return !(name.at[0] == '.' && (name.len == 1 || (name.len == 2 && name.at[1] == '.')));
}

/* How many components; 0 when one of them cannot be. */
static unsigned path_is_good(struct shoal_bytes path)
{
	unsigned n = 0;
	if (path.len == 0 || path.at[path.len - 1] == '/')
		return 0;
	for (size_t pos = 0; pos < path.len; n++)
		if (n > SHOAL_PATH_DEPTH_MAX || !name_is_good(component(path, &pos)))
			return 0;
	return n;
}

/* ---- where files lie -------------------------------------------------------------- */

static uint64_t round_up(uint64_t n, uint64_t unit)
{
	return (n + unit - 1) / unit * unit;
}

uint64_t shoal_author_place(enum shoal_format format, uint32_t piece_size, uint64_t *stream, uint64_t length)
{
	if (format != SHOAL_FORMAT_V1 && length > 0)
		*stream = round_up(*stream, piece_size);
	uint64_t at = *stream;
	*stream += length;
	return at;
}

uint64_t shoal_author_stream(enum shoal_format format, uint32_t piece_size, bool single, uint64_t stream)
{
	return format == SHOAL_FORMAT_HYBRID && !single ? round_up(stream, piece_size) : stream;
}

/* ---- what must hold --------------------------------------------------------------- */

/* `before`: the path of the file before it. */
static int check_file(struct job *j, size_t i, const struct shoal_author_file *f, struct shoal_bytes before)
{
	const struct shoal_author *a = j->a;
	if ((f->flags & SHOAL_FILE_SYMLINK) && (f->length > 0 || !path_is_good(f->target)))
		return fail(j, "file %zu is a symlink with bytes or without a good target", i);
	if (!a->single && !path_is_good(f->path))
		return fail(j, "file %zu has a path that cannot be", i);
	if (!a->single && f->path.len + 1 + a->name.len > SHOAL_PATH_BYTES_MAX)
		return fail(j, "file %zu has a path of more than %d bytes", i, SHOAL_PATH_BYTES_MAX);
	if (i > 0) {
		if (shoal_author_order(before, f->path) >= 0)
			return fail(j, "file %zu is out of order", i);
		if (before.len < f->path.len && f->path.at[before.len] == '/' &&
		    memcmp(before.at, f->path.at, before.len) == 0)
			return fail(j, "file %zu is a folder too", i - 1);
	}
	if (j->v2 && f->length > 0 && f->root == NULL)
		return fail(j, "file %zu has no root", i);
	if (f->length > SHOAL_TOTAL_SIZE_MAX)
		return SHOAL_ERR_RANGE;
	shoal_author_place(a->format, a->piece_size, &j->stream, f->length);
	return j->stream > SHOAL_TOTAL_SIZE_MAX ? SHOAL_ERR_RANGE : 0;
}

static int check(struct job *j)
{
	const struct shoal_author *a = j->a;
	uint32_t ps = a->piece_size, least = j->v2 ? SHOAL_PIECE_SIZE_MIN : SHOAL_PIECE_SIZE_MIN_V1;
	if (ps < least || ps > SHOAL_PIECE_SIZE_MAX || (j->v2 && (ps & (ps - 1))))
		return fail(j, "a piece size of %u cannot be", ps);
	if (!name_is_good(a->name))
		return fail(j, "the name cannot be");
	if (a->file_count == 0 || (a->single && a->file_count > 1))
		return fail(j, "%zu files", a->file_count);
	if (a->file_count > SHOAL_FILES_MAX)
		return SHOAL_ERR_RANGE;
	struct turns t;
	struct shoal_bytes before = { NULL, 0 };
	for (size_t i = 0; i < a->file_count; i++) {
		const struct shoal_author_file *f = turn(a, i, &t);
		int rc = check_file(j, i, f, before);
		if (rc < 0)
			return rc;
		before = f->path;
	}
	uint64_t pieces = round_up(j->stream, ps) / ps;
	if (pieces > SHOAL_PIECES_MAX)
		return SHOAL_ERR_RANGE;
	if (j->v1 && a->sha1.len != pieces * 20)
		return fail(j, "%zu bytes of SHA-1 for %llu pieces", a->sha1.len, (unsigned long long)pieces);
	return 0;
}

/* ---- the info dictionary ---------------------------------------------------------- */

static void write_path(struct shoal_ben_wr *w, struct shoal_bytes path)
{
	shoal_ben_wr_list(w);
	for (size_t pos = 0; pos < path.len;)
		shoal_ben_wr_str(w, component(path, &pos));
	shoal_ben_wr_end(w);
}

static void write_attr(struct shoal_ben_wr *w, unsigned flags)
{
	char letters[4];
	size_t n = 0;
	if (flags & SHOAL_FILE_HIDDEN)
		letters[n++] = 'h';
	if (flags & SHOAL_FILE_SYMLINK)
		letters[n++] = 'l';
	if (flags & SHOAL_FILE_EXEC)
		letters[n++] = 'x';
	if (n > 0)
		shoal_ben_wr_pair_str(w, "attr", shoal_bytes(letters, n));
}

static void write_target(struct shoal_ben_wr *w, const struct shoal_author_file *f)
{
	if (!(f->flags & SHOAL_FILE_SYMLINK))
		return;
	shoal_ben_wr_key(w, SHOAL_LIT("symlink path"));
	write_path(w, f->target);
}

/* The dictionary under the empty key, and the node around it. */
static void write_leaf(struct shoal_ben_wr *w, const struct shoal_author_file *f)
{
	shoal_ben_wr_dict(w);
	shoal_ben_wr_key(w, SHOAL_LIT(""));
	shoal_ben_wr_dict(w);
	write_attr(w, f->flags);
	shoal_ben_wr_pair_int(w, "length", (int64_t)f->length);
	if (f->length > 0)
		shoal_ben_wr_pair_str(w, "pieces root", shoal_bytes(f->root, 32));
	write_target(w, f);
	shoal_ben_wr_end(w);
	shoal_ben_wr_end(w);
}

static void write_tree(struct job *j)
{
	const struct shoal_author *a = j->a;
	struct shoal_bytes before = { NULL, 0 }; /* the last file's path; the folders of it that are open are `depth` */
	unsigned depth = 0;
	struct turns t;
	shoal_ben_wr_dict(j->w);
	for (size_t i = 0; i < a->file_count; i++) {
		const struct shoal_author_file *f = turn(a, i, &t);
		struct shoal_bytes path = a->single ? a->name : f->path;
		size_t pos = 0, old = 0;
		unsigned shared = 0;
		for (; shared < depth; shared++) { /* folders that both paths go through */
			size_t next = pos;
			if (!shoal_bytes_equal(component(path, &next), component(before, &old)) || next >= path.len)
				break;
			pos = next;
		}
		for (; depth > shared; depth--)
			shoal_ben_wr_end(j->w);
		while (pos < path.len) {
			shoal_ben_wr_key(j->w, component(path, &pos));
			if (pos < path.len) {
				shoal_ben_wr_dict(j->w);
				depth++;
			}
		}
		write_leaf(j->w, f);
		before = path;
	}
	for (; depth > 0; depth--)
		shoal_ben_wr_end(j->w);
	shoal_ben_wr_end(j->w);
}

static void write_pad(struct shoal_ben_wr *w, uint64_t size)
{
	char digits[24];
	int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)size);
	shoal_ben_wr_dict(w);
	shoal_ben_wr_pair_str(w, "attr", SHOAL_LIT("p"));
	shoal_ben_wr_pair_int(w, "length", (int64_t)size);
	shoal_ben_wr_key(w, SHOAL_LIT("path"));
	shoal_ben_wr_list(w);
	shoal_ben_wr_str(w, SHOAL_LIT(".pad"));
	shoal_ben_wr_str(w, shoal_bytes(digits, (size_t)n));
	shoal_ben_wr_end(w);
	shoal_ben_wr_end(w);
}

static void write_list(struct job *j)
{
	const struct shoal_author *a = j->a;
	struct turns t;
	shoal_ben_wr_list(j->w);
	for (size_t i = 0; i < a->file_count; i++) {
		const struct shoal_author_file *f = turn(a, i, &t);
		shoal_ben_wr_dict(j->w);
		write_attr(j->w, f->flags);
		shoal_ben_wr_pair_int(j->w, "length", (int64_t)f->length);
		shoal_ben_wr_key(j->w, SHOAL_LIT("path"));
		write_path(j->w, f->path);
		write_target(j->w, f);
		shoal_ben_wr_end(j->w);
		uint64_t pad = round_up(f->length, a->piece_size) - f->length;
		if (j->v2 && pad > 0)
			write_pad(j->w, pad);
	}
	shoal_ben_wr_end(j->w);
}

static void write_info(struct job *j)
{
	const struct shoal_author *a = j->a;
	struct shoal_ben_wr *w = j->w;
	struct shoal_author_file some;
	char room[SHOAL_AUTHOR_PATH_ROOM];
	struct shoal_author_file first = *shoal_author_file_at(a, 0, room, &some);
	shoal_ben_wr_dict(w);
	if (j->v1 && a->single)
		write_attr(w, first.flags & ~(unsigned)SHOAL_FILE_SYMLINK);
	if (j->v2) {
		shoal_ben_wr_key(w, SHOAL_LIT("file tree"));
		write_tree(j);
	}
	if (j->v1 && a->single) {
		shoal_ben_wr_pair_int(w, "length", (int64_t)first.length);
	} else if (j->v1) {
		shoal_ben_wr_key(w, SHOAL_LIT("files"));
		write_list(j);
	}
	if (j->v2)
		shoal_ben_wr_pair_int(w, "meta version", 2);
	shoal_ben_wr_pair_str(w, "name", a->name);
	shoal_ben_wr_pair_int(w, "piece length", a->piece_size);
	if (j->v1)
		shoal_ben_wr_pair_str(w, "pieces", a->sha1);
	if (a->is_private)
		shoal_ben_wr_pair_int(w, "private", 1);
	if (a->source.len > 0)
		shoal_ben_wr_pair_str(w, "source", a->source);
	shoal_ben_wr_end(w);
}

/* ---- beside it -------------------------------------------------------------------- */

struct layered { /* a file longer than a piece: only those need sorting */
	const uint8_t *root, *layer;
	size_t pieces;
};

static int by_root(const void *left, const void *right)
{
	const struct layered *a = left, *b = right;
	return memcmp(a->root, b->root, 32);
}

static bool has_layer(const struct shoal_author *a, const struct shoal_author_file *f)
{
	return f->length > a->piece_size && f->layer != NULL;
}

static int write_layers(struct job *j)
{
	const struct shoal_author *a = j->a;
	struct turns t;
	size_t n = 0, count = 0;
	for (size_t i = 0; i < a->file_count; i++)
		count += has_layer(a, turn(a, i, &t));
	struct layered *order = malloc((count + 1) * sizeof *order);
	if (order == NULL)
		return SHOAL_ERR_NOMEM;
	for (size_t i = 0; i < a->file_count && n < count; i++) {
		const struct shoal_author_file *f = turn(a, i, &t);
		if (has_layer(a, f))
			order[n++] = (struct layered){ f->root, f->layer,
						       (size_t)((f->length + a->piece_size - 1) / a->piece_size) };
	}
	qsort(order, n, sizeof *order, by_root);
	shoal_ben_wr_key(j->w, SHOAL_LIT("piece layers"));
	shoal_ben_wr_dict(j->w);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && by_root(&order[i - 1], &order[i]) == 0)
			continue; /* equal files share their layer */
		shoal_ben_wr_key(j->w, shoal_bytes(order[i].root, 32));
		shoal_ben_wr_str(j->w, shoal_bytes(order[i].layer, order[i].pieces * 32));
	}
	shoal_ben_wr_end(j->w);
	free(order);
	return 0;
}

static void write_trackers(struct job *j)
{
	const struct shoal_author *a = j->a;
	if (a->tracker_count == 0)
		return;
	shoal_ben_wr_pair_str(j->w, "announce", a->tracker[0].url);
	if (a->tracker_count == 1)
		return;
	shoal_ben_wr_key(j->w, SHOAL_LIT("announce-list"));
	shoal_ben_wr_list(j->w);
	for (size_t i = 0; i < a->tracker_count; i++) {
		if (i == 0 || a->tracker[i].tier != a->tracker[i - 1].tier)
			shoal_ben_wr_list(j->w);
		shoal_ben_wr_str(j->w, a->tracker[i].url);
		if (i + 1 == a->tracker_count || a->tracker[i].tier != a->tracker[i + 1].tier)
			shoal_ben_wr_end(j->w);
	}
	shoal_ben_wr_end(j->w);
}

/* "host:port" as the [host, port] of BEP 5; what has no port is left out by check_nodes(). */
static bool split_node(struct shoal_bytes text, struct shoal_bytes *host, uint32_t *port)
{
	size_t colon = text.len;
	while (colon > 0 && text.at[colon - 1] != ':')
		colon--;
	if (colon < 2 || colon == text.len || text.len - colon > 5)
		return false;
	*host = shoal_bytes(text.at, colon - 1);
	if (host->len > 2 && host->at[0] == '[' && host->at[host->len - 1] == ']')
		*host = shoal_bytes(host->at + 1, host->len - 2);
	*port = 0;
	for (size_t i = colon; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		*port = *port * 10 + (uint32_t)(text.at[i] - '0');
	}
	return *port > 0 && *port <= 65535;
}

static int write_nodes(struct job *j)
{
	const struct shoal_author *a = j->a;
	if (a->node_count == 0)
		return 0;
	shoal_ben_wr_key(j->w, SHOAL_LIT("nodes"));
	shoal_ben_wr_list(j->w);
	for (size_t i = 0; i < a->node_count; i++) {
		struct shoal_bytes host = { NULL, 0 };
		uint32_t port = 0;
		if (!split_node(a->node[i], &host, &port))
			return fail(j, "node %zu is not host:port", i);
		shoal_ben_wr_list(j->w);
		shoal_ben_wr_str(j->w, host);
		shoal_ben_wr_int(j->w, port);
		shoal_ben_wr_end(j->w);
	}
	shoal_ben_wr_end(j->w);
	return 0;
}

static void write_strings(struct job *j, const char *key, const struct shoal_bytes *list, size_t count)
{
	if (count == 0)
		return;
	shoal_ben_wr_key(j->w, shoal_bytes(key, strlen(key)));
	shoal_ben_wr_list(j->w);
	for (size_t i = 0; i < count; i++)
		shoal_ben_wr_str(j->w, list[i]);
	shoal_ben_wr_end(j->w);
}

ptrdiff_t shoal_author_write(const struct shoal_author *a, struct shoal_ben_wr *w, struct shoal_bytes *info,
			     char what[160])
{
	struct job j = {
		.a = a, .w = w, .what = what, .v1 = a->format != SHOAL_FORMAT_V2, .v2 = a->format != SHOAL_FORMAT_V1
	};
	if (what != NULL)
		what[0] = 0;
	int rc = check(&j);
	if (rc < 0)
		return rc;
	j.stream = shoal_author_stream(a->format, a->piece_size, a->single, j.stream);
	shoal_ben_wr_dict(w);
	write_trackers(&j);
	write_strings(&j, "collections", a->collection, a->collection_count);
	if (a->comment.len > 0)
		shoal_ben_wr_pair_str(w, "comment", a->comment);
	if (a->created_by.len > 0)
		shoal_ben_wr_pair_str(w, "created by", a->created_by);
	if (a->created_at != 0)
		shoal_ben_wr_pair_int(w, "creation date", a->created_at);
	shoal_ben_wr_key(w, SHOAL_LIT("info"));
	size_t from = w->len;
	write_info(&j);
	size_t to = w->len;
	if ((rc = write_nodes(&j)) < 0)
		return rc;
	if (j.v2 && (rc = write_layers(&j)) < 0)
		return rc;
	write_strings(&j, "similar", a->similar, a->similar_count);
	write_strings(&j, "url-list", a->webseed, a->webseed_count);
	write_strings(&j, "x.pe", a->peer, a->peer_count);
	shoal_ben_wr_end(w);
	ptrdiff_t len = shoal_ben_wr_done(w);
	if (len >= 0)
		*info = shoal_bytes(w->at + from, to - from);
	return len;
}
