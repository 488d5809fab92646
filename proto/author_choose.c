/*
 * proto/author_choose.c - which piece size, which format: pure rules, so that the same folder
 * becomes the same torrent everywhere.
 */
#include "proto/author.h"
#include "proto/metainfo.h"

uint32_t shoal_author_piece_size(uint64_t total)
{
	uint64_t size = SHOAL_PIECE_SIZE_MIN;
	while (size < (4u << 20) && total > size * 2048)
		size *= 2;
	while (size < (16u << 20) && total > size * SHOAL_AUTHOR_PIECES_WANTED)
		size *= 2;
	while (size < SHOAL_PIECE_SIZE_MAX && total > size * SHOAL_PIECES_MAX)
		size *= 2;
	return (uint32_t)size;
}

static uint64_t digits_of(uint64_t n)
{
	uint64_t count = 1;
	while (n >= 10) {
		n /= 10;
		count++;
	}
	return count;
}

/* A string of n bytes, bencoded. */
static uint64_t string_bytes(uint64_t n)
{
	return digits_of(n) + 1 + n;
}

/* The components of path[from, len) as strings. */
static uint64_t names_bytes(struct shoal_bytes path, size_t from)
{
	uint64_t sum = 0;
	for (size_t i = from; i <= path.len; i++)
		if (i == path.len || path.at[i] == '/') {
			sum += string_bytes(i - from);
			from = i + 1;
		}
	return sum;
}

/* How much of a path is folders that the path before it went through too; whole components, with their '/'. */
static size_t shared_folders(struct shoal_bytes before, struct shoal_bytes path)
{
	size_t shared = 0;
	for (size_t i = 0; i < path.len && i < before.len && path.at[i] == before.at[i]; i++)
		if (path.at[i] == '/')
			shared = i + 1;
	return shared;
}

static uint64_t slashes(struct shoal_bytes path, size_t from)
{
	uint64_t n = 0;
	for (size_t i = from; i < path.len; i++)
		n += path.at[i] == '/';
	return n;
}

static uint64_t int_bytes(uint64_t n)
{
	return 2 + digits_of(n);
}

/* attr and symlink path, where there are any */
static uint64_t extra_bytes(const struct shoal_author_file *f)
{
	bool link = f->flags & SHOAL_FILE_SYMLINK;
	uint64_t letters = link + !!(f->flags & SHOAL_FILE_EXEC) + !!(f->flags & SHOAL_FILE_HIDDEN);
	return (letters ? sizeof "4:attr1:" - 1 + letters : 0) +
	       (link ? sizeof "12:symlink pathle" - 1 + names_bytes(f->target, 0) : 0);
}

/* A name of the dictionary and a string under it, when there is one. */
static uint64_t pair_bytes(size_t key, uint64_t len)
{
	return len ? string_bytes(key) + string_bytes(len) : 0;
}

/* "host:port" as a list of both. */
static uint64_t node_bytes(struct shoal_bytes node)
{
	uint64_t host = node.len;
	while (host > 0 && node.at[host - 1] != ':')
		host--;
	return sizeof "liee" - 1 + (host ? string_bytes(host - 1) : 0) + node.len - host;
}

/* What stands beside the info dictionary; to the byte, but for the brackets of an IPv6 node, which go. */
static uint64_t outer_bytes(const struct shoal_author *a)
{
	uint64_t sum = sizeof "d4:infoe" - 1;
	sum += pair_bytes(sizeof "comment" - 1, a->comment.len) +
	       pair_bytes(sizeof "created by" - 1, a->created_by.len);
	sum += a->created_at ? sizeof "13:creation date" - 1 + int_bytes((uint64_t)a->created_at) : 0;
	if (a->tracker_count > 0)
		sum += pair_bytes(sizeof "announce" - 1, a->tracker[0].url.len);
	for (size_t i = 0; a->tracker_count > 1 && i < a->tracker_count; i++) {
		sum += i == 0 ? sizeof "13:announce-listle" - 1 : 0;
		sum += string_bytes(a->tracker[i].url.len) +
		       (i == 0 || a->tracker[i].tier != a->tracker[i - 1].tier) * 2;
	}
	for (size_t i = 0; i < a->webseed_count; i++)
		sum += (i == 0 ? sizeof "8:url-listle" - 1 : 0) + string_bytes(a->webseed[i].len);
	for (size_t i = 0; i < a->collection_count; i++)
		sum += (i == 0 ? sizeof "11:collectionsle" - 1 : 0) + string_bytes(a->collection[i].len);
	for (size_t i = 0; i < a->similar_count; i++)
		sum += (i == 0 ? sizeof "7:similarle" - 1 : 0) + string_bytes(a->similar[i].len);
	for (size_t i = 0; i < a->node_count; i++)
		sum += (i == 0 ? sizeof "5:nodesle" - 1 : 0) + node_bytes(a->node[i]);
	for (size_t i = 0; i < a->peer_count; i++)
		sum += (i == 0 ? sizeof "4:x.pele" - 1 : 0) + string_bytes(a->peer[i].len);
	return sum;
}

/* The bytes of each part. The count mirrors author.c, and the tests hold the two together. */
struct parts {
	uint64_t tree, list, pads, extra, layers;
};

static void add_file(const struct shoal_author *a, const struct shoal_author_file *f, struct shoal_bytes path,
		     size_t shared, struct shoal_author_sums *s, struct parts *at)
{
	uint64_t ps = a->piece_size, pieces = (f->length + ps - 1) / ps;
	uint64_t pad = a->single ? 0 : pieces * ps - f->length;
	at->extra = extra_bytes(f);
	at->tree += names_bytes(path, shared) + 2 * slashes(path, shared) + sizeof "d0:d6:lengthee" - 1 +
		    int_bytes(f->length) + at->extra + (f->length ? sizeof "11:pieces root32:" - 1 + 32 : 0);
	at->list += sizeof "d6:length4:pathlee" - 1 + int_bytes(f->length) + names_bytes(path, 0) + at->extra;
	if (pad > 0)
		at->pads += sizeof "d4:attr1:p6:length4:pathl4:.padee" - 1 + int_bytes(pad) +
			    string_bytes(digits_of(pad));
	if (pieces > 1)
		at->layers += sizeof "32:" - 1 + 32 + string_bytes(pieces * 32);
	s->total += f->length;
	s->pieces += pieces;
	s->padding += pad;
}

/* An info dictionary of parts: the tree, the list, or both. */
static uint64_t info_bytes(const struct shoal_author *a, const struct shoal_author_sums *s, const struct parts *at,
			   enum shoal_format format)
{
	bool v1 = format != SHOAL_FORMAT_V2, v2 = format != SHOAL_FORMAT_V1;
	uint64_t sum = sizeof "d4:name12:piece lengthe" - 1 + string_bytes(a->name.len) + int_bytes(a->piece_size);
	if (v2)
		sum += sizeof "9:file tree12:meta versioni2e" - 1 + at->tree;
	if (v1)
		sum += sizeof "6:pieces" - 1 + string_bytes((v2 ? s->pieces : s->pieces_v1) * 20);
	if (v1 && a->single)
		sum += sizeof "6:length" - 1 + int_bytes(s->total) + at->extra;
	else if (v1)
		sum += sizeof "5:files" - 1 + at->list + (v2 ? at->pads : 0);
	sum += a->is_private ? sizeof "7:privatei1e" - 1 : 0;
	return sum + pair_bytes(sizeof "source" - 1, a->source.len);
}

void shoal_author_measure(const struct shoal_author *a, struct shoal_author_sums *out)
{
	struct shoal_author_sums s = { 0 };
	struct parts at = { .tree = 2, .list = 2 };
	char room[2][SHOAL_AUTHOR_PATH_ROOM];
	struct shoal_bytes before = { NULL, 0 };
	for (size_t i = 0; i < a->file_count; i++) {
		struct shoal_author_file some;
		const struct shoal_author_file *f = shoal_author_file_at(a, i, room[i % 2], &some);
		struct shoal_bytes path = a->single ? a->name : f->path;
		add_file(a, f, path, shared_folders(before, path), &s, &at);
		before = path;
	}
	s.pieces_v1 = (s.total + a->piece_size - 1) / a->piece_size;
	for (int format = SHOAL_FORMAT_HYBRID; format <= SHOAL_FORMAT_V1; format++) {
		s.info_of[format] = info_bytes(a, &s, &at, (enum shoal_format)format);
		s.torrent_of[format] = s.info_of[format] + outer_bytes(a);
		if (format != SHOAL_FORMAT_V1)
			s.torrent_of[format] += sizeof "12:piece layersde" - 1 + at.layers;
	}
	s.info = s.info_of[SHOAL_FORMAT_HYBRID];
	*out = s;
}

enum shoal_format shoal_author_format(const struct shoal_author_sums *sums, const char **why)
{
	const char *reason = NULL;
	if (sums->pieces > SHOAL_AUTHOR_PIECES_WANTED)
		reason = "v2 alone: a hybrid would have more than 100,000 pieces";
	else if (sums->info > SHOAL_AUTHOR_INFO_WANTED)
		reason = "v2 alone: a hybrid's info dictionary would be larger than 10 MiB";
	else if (sums->padding > sums->total / 100 * SHOAL_AUTHOR_PAD_PERCENT + sums->total % 100 / 10)
		reason = "v2 alone: a hybrid would add more than 10 % of padding";
	if (why != NULL)
		*why = reason;
	return reason ? SHOAL_FORMAT_V2 : SHOAL_FORMAT_HYBRID;
}
