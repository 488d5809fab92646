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

/* The count mirrors write_info(), and the tests hold the two together. */
void shoal_author_measure(const struct shoal_author *a, struct shoal_author_sums *out)
{
	struct shoal_author_sums s = { 0 };
	struct shoal_bytes before = { NULL, 0 };
	uint64_t ps = a->piece_size, tree = 2, list = 2, extra = 0;
	for (size_t i = 0; i < a->file_count; i++) {
		const struct shoal_author_file *f = &a->file[i];
		struct shoal_bytes path = a->single ? a->name : f->path;
		uint64_t pieces = (f->length + ps - 1) / ps, pad = a->single ? 0 : pieces * ps - f->length;
		size_t shared = shared_folders(before, path);
		extra = extra_bytes(f);
		tree += names_bytes(path, shared) + 2 * slashes(path, shared) + sizeof "d0:d6:lengthee" - 1 +
			int_bytes(f->length) + extra + (f->length ? sizeof "11:pieces root32:" - 1 + 32 : 0);
		list += sizeof "d6:length4:pathlee" - 1 + int_bytes(f->length) + names_bytes(path, 0) + extra;
		if (pad > 0)
			list += sizeof "d4:attr1:p6:length4:pathl4:.padee" - 1 + int_bytes(pad) +
				string_bytes(digits_of(pad));
		s.total += f->length;
		s.pieces += pieces;
		s.padding += pad;
		before = path;
	}
	s.pieces_v1 = (s.total + ps - 1) / ps;
	s.info = sizeof "d9:file tree12:meta versioni2e4:name12:piece length6:piecese" - 1 + tree +
		 string_bytes(a->name.len) + int_bytes(ps) + string_bytes(s.pieces * 20);
	s.info += a->single ? sizeof "6:length" - 1 + int_bytes(s.total) + extra : sizeof "5:files" - 1 + list;
	s.info += a->is_private ? sizeof "7:privatei1e" - 1 : 0;
	s.info += a->source.len ? sizeof "6:source" - 1 + string_bytes(a->source.len) : 0;
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
