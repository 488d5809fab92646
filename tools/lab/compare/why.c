/* why.c - see why.h. */
#include "tools/lab/compare/why.h"

#include "proto/base/bytes.h"
#include "proto/text.h"

#include <string.h>

#define KIND(k) (1u << LAB_CMP_##k)
#define NAMES (KIND(PATH) | KIND(NAME))

#define BLOCK 16384u
#define LONG_THERE 240u /* bytes; libtorrent cuts longer components */
#define SAME_FRONT 200u /* of a cut one that must be the torrent's */

/* ---- one name, three ways ------------------------------------------------------------------------------- */

/* As the torrent has it, as we make it, as libtorrent does; of the file, or for the torrent's name of the first file. */
struct three {
	struct shoal_bytes raw, ours, theirs;
};

static bool three_of(const struct lab_cmp_pair *p, const struct lab_cmp_diff *d, struct three *t)
{
	uint32_t i = d->index == LAB_CMP_NO_INDEX ? 0 : d->index;
	if (i >= p->ours.look.file_count || i >= p->theirs.look.file_count)
		return false;
	t->raw = lab_cmp_raw(&p->ours.look, i);
	t->ours = lab_cmp_path(&p->ours.look, i);
	t->theirs = lab_cmp_path(&p->theirs.look, i);
	return t->raw.len > 0;
}

/* Letters and digits, in order: what is left of a name when nothing special is in it. */
static bool same_letters(struct shoal_bytes a, struct shoal_bytes b)
{
	size_t i = 0, k = 0;
	for (;;) {
		while (i < a.len && !((a.at[i] | 32) >= 'a' && (a.at[i] | 32) <= 'z') &&
		       !(a.at[i] >= '0' && a.at[i] <= '9'))
			i++;
		while (k < b.len && !((b.at[k] | 32) >= 'a' && (b.at[k] | 32) <= 'z') &&
		       !(b.at[k] >= '0' && b.at[k] <= '9'))
			k++;
		if (i == a.len || k == b.len)
			return i == a.len && k == b.len;
		if (a.at[i++] != b.at[k++])
			return false;
	}
}

static size_t count(struct shoal_bytes text, uint8_t what)
{
	size_t n = 0;
	for (size_t i = 0; i < text.len; i++)
		n += text.at[i] == what;
	return n;
}

static struct shoal_bytes component(struct shoal_bytes path, size_t *at)
{
	size_t from = *at, len = 0;
	while (from + len < path.len && path.at[from + len] != '/')
		len++;
	*at = from + len + 1;
	return shoal_bytes(path.at + from, len);
}

static bool is_dots(struct shoal_bytes name)
{
	return name.len == 0 || (name.len <= 2 && name.at[0] == '.' && name.at[name.len - 1] == '.');
}

static bool any_component(struct shoal_bytes path, bool (*is)(struct shoal_bytes))
{
	for (size_t at = 0; at <= path.len;)
		if (is(component(path, &at)))
			return true;
	return false;
}

static bool is_long(struct shoal_bytes name)
{
	return name.len > LONG_THERE;
}

/* ---- what names can have in them -------------------------------------------------------------------------- */

static bool any_character(struct shoal_bytes text, bool (*is)(uint32_t c, bool valid))
{
	for (size_t at = 0; at < text.len;) {
		uint32_t c = 0;
		size_t len = shoal_utf8_next(shoal_bytes(text.at + at, text.len - at), &c);
		if (is(c, len > 0))
			return true;
		at += len > 0 ? len : 1;
	}
	return false;
}

static bool no_utf8(uint32_t c, bool valid)
{
	(void)c;
	return !valid;
}

static bool is_control(uint32_t c, bool valid)
{
	return valid && c < 0x20 && c != 0;
}

/* Left-to-right and right-to-left marks, embeddings, overrides: libtorrent takes them out, isolates it leaves in. */
static bool is_direction(uint32_t c, bool valid)
{
	return valid && (c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e));
}

static bool letters_and(const struct lab_cmp_pair *p, const struct lab_cmp_diff *d, bool (*is)(uint32_t c, bool valid))
{
	struct three t;
	return three_of(p, d, &t) && any_character(t.raw, is) && same_letters(t.raw, t.theirs);
}

static bool not_utf8(const struct lab_cmp_pair *p, const struct lab_cmp_diff *d)
{
	return letters_and(p, d, no_utf8);
}

static bool control(const struct lab_cmp_pair *p, const struct lab_cmp_diff *d)
{
	return letters_and(p, d, is_control);
}

static bool direction(const struct lab_cmp_pair *p, const struct lab_cmp_diff *d)
{
	return letters_and(p, d, is_direction);
}

static bool slash(const struct lab_cmp_pair *p, const struct lab_cmp_diff *d)
{
	struct three t;
	if (!three_of(p, d, &t) || !same_letters(t.raw, t.theirs))
		return false;
	return count(t.raw, '/') > count(t.ours, '/') || count(t.raw, '\\') > count(t.theirs, '\\') ||
	       count(t.raw, 0) > 0;
}

static bool dots(const struct lab_cmp_pair *p, const struct lab_cmp_diff *d)
{
	struct three t;
	return three_of(p, d, &t) && any_component(t.raw, is_dots) && same_letters(t.raw, t.theirs);
}

static bool cut(const struct lab_cmp_pair *p, const struct lab_cmp_diff *d)
{
	struct three t;
	if (!three_of(p, d, &t) || !any_component(t.raw, is_long))
		return false;
	for (size_t a = 0, b = 0; a <= t.raw.len && b <= t.theirs.len;) {
		struct shoal_bytes raw = component(t.raw, &a), theirs = component(t.theirs, &b);
		if (!shoal_bytes_equal(raw, theirs) &&
		    (!is_long(raw) || theirs.len < SAME_FRONT || memcmp(raw.at, theirs.at, SAME_FRONT) != 0))
			return false;
	}
	return true;
}

/* ---- names that meet --------------------------------------------------------------------------------------- */

/* ".1" before the extension, or at the end: so libtorrent tells two of one name apart. */
static bool numbered(struct shoal_bytes raw, struct shoal_bytes theirs)
{
	size_t front = 0, back = 0;
	if (theirs.len <= raw.len)
		return false;
	while (front < raw.len && raw.at[front] == theirs.at[front])
		front++;
	while (back < raw.len - front && raw.at[raw.len - 1 - back] == theirs.at[theirs.len - 1 - back])
		back++;
	if (front + back != raw.len)
		return false;
	for (size_t i = front; i < theirs.len - back; i++)
		if (theirs.at[i] != '.' && (theirs.at[i] < '0' || theirs.at[i] > '9'))
			return false;
	return true;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

/* Whether `a` is `b`, or a folder above it; `blind`: to case. */
static bool same_or_above(struct shoal_bytes a, struct shoal_bytes b, bool blind)
{
	if (a.len > b.len || (a.len < b.len && b.at[a.len] != '/'))
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (blind ? lower(a.at[i]) != lower(b.at[i]) : a.at[i] != b.at[i])
			return false;
	return true;
}

static bool meets(const struct lab_cmp_pair *p, const struct lab_cmp_diff *d, bool blind)
{
	const struct lab_cmp_look *l = &p->ours.look;
	struct three t;
	if (!three_of(p, d, &t) || !numbered(t.raw, t.theirs))
		return false;
	for (uint32_t i = 0; i < l->file_count; i++)
		if (i != d->index &&
		    (same_or_above(t.raw, lab_cmp_raw(l, i), blind) || same_or_above(lab_cmp_raw(l, i), t.raw, blind) ||
		     same_or_above(t.raw, lab_cmp_path(&p->theirs.look, i), blind)))
			return true;
	return false;
}

static bool met_twice(const struct lab_cmp_pair *p, const struct lab_cmp_diff *d)
{
	return meets(p, d, false);
}

static bool met_by_case(const struct lab_cmp_pair *p, const struct lab_cmp_diff *d)
{
	return meets(p, d, true);
}

/* ---- names that are none ------------------------------------------------------------------------------------ */

/* The torrent's own name: a folder's is the front of its files' paths, a lone file's is its path. */
static bool title_is_dots(const struct lab_cmp_pair *p, const struct lab_cmp_diff *d)
{
	size_t at = 0;
	(void)d;
	return p->ours.look.file_count > 0 && is_dots(component(lab_cmp_raw(&p->ours.look, 0), &at));
}

static bool hash_for_title(const struct lab_cmp_pair *p, const struct lab_cmp_diff *d)
{
	const struct lab_cmp_look *l = &p->theirs.look;
	char hex[2 * sizeof l->v2.b + 1];
	shoal_hex_encode(l->has_v1 ? shoal_bytes(l->v1.b, sizeof l->v1.b) : shoal_bytes(l->v2.b, sizeof l->v2.b), hex);
	return title_is_dots(p, d) && shoal_bytes_equal(lab_cmp_name(l), shoal_bytes(hex, strlen(hex)));
}

static bool dots_in_a_path(const struct lab_cmp_pair *p, const struct lab_cmp_diff *d)
{
	(void)d;
	for (uint32_t i = 0; i < p->ours.look.file_count; i++)
		if (any_component(lab_cmp_raw(&p->ours.look, i), is_dots))
			return true;
	return false;
}

static bool no_bytes(const struct lab_cmp_pair *p, const struct lab_cmp_diff *d)
{
	(void)d;
	return p->ours.look.end == LAB_CMP_GOOD && p->ours.look.size == 0;
}

/* Of each file's last block the whole is asked for, up to a block a file. */
static bool pads_fetched(const struct lab_cmp_pair *p, const struct lab_cmp_diff *d)
{
	const struct lab_cmp_look *l = &p->ours.look;
	uint64_t more = p->theirs.get.payload - shoal_min_u64(p->theirs.get.payload, p->ours.get.payload);
	uint64_t wire = d->their_number - shoal_min_u64(d->their_number, d->our_number);
	/* What headers and handshakes come to beside it: a tenth, and what is no difference. */
	return l->has_v2 && more > 0 && more <= (uint64_t)l->file_count * BLOCK &&
	       wire <= more + more / 10 + LAB_CMP_WIRE_SLACK;
}

/* All that they have and we have not is empty: links without a target. */
static bool empty_ones_more(const struct lab_cmp_pair *p, const struct lab_cmp_diff *d)
{
	const struct lab_cmp_look *a = &p->ours.look, *b = &p->theirs.look;
	uint32_t k = 0;
	(void)d;
	for (uint32_t i = 0; i < b->file_count; i++) {
		if (k < a->file_count && shoal_bytes_equal(lab_cmp_path(a, k), lab_cmp_path(b, i)))
			k++;
		else if (b->file[i].size > 0)
			return false;
	}
	return k == a->file_count;
}

/* ---- the table ------------------------------------------------------------------------------------------------- */

/* clang-format off */
const struct lab_cmp_why lab_cmp_whys[LAB_CMP_WHYS_MAX] = {
	/* refused here alone */
	{ "keys-twice", "One key stands twice in a dictionary. Which of its values counts, BEP 3 does not say: two programs would read two torrents, so it is refused here; libtorrent takes one of them.",
	  KIND(TAKEN), "a key comes twice", NULL, NULL },
	{ "loose-bencode", "Numbers with zeros in front, or bytes behind the torrent's end: no bencoding, and refused here, so that a torrent has one form and one hash; libtorrent reads over them.",
	  KIND(TAKEN), "not bencoded as it must be", NULL, NULL },
	{ "nested-deep", "Lists and dictionaries within each other more than 32 deep (outside a file tree): refused here, nothing real needs it; libtorrent's limit is 100.",
	  KIND(TAKEN), "nested deeper than", NULL, NULL },
	{ "wrong-type", "A known key has a value of another type (a number for a comment, a string for private). Refused here rather than guessed at; libtorrent goes on as if the key were not there, so that private='1' is public to it.",
	  KIND(TAKEN), ", not a ", NULL, NULL },
	{ "wrong-content", "A list that is known (trackers, web seeds, nodes) holds what it must not. Refused here; libtorrent leaves the entry out.",
	  KIND(TAKEN), "holds something it must not", NULL, NULL },
	{ "length-and-files", "The info dictionary says both `length` and `files`: one file or many? Refused here; to libtorrent it is many.",
	  KIND(TAKEN), "both length and files", NULL, NULL },
	{ "piece-length", "Pieces below 1 KiB (v1) or above 64 MiB: refused here, a piece is held in memory while it is verified; libtorrent takes from 1 byte up to 512 MiB.",
	  KIND(TAKEN), "piece length", NULL, NULL },
	{ "piece-length-late", "The same; libtorrent takes it when it reads the torrent, and gives up when it is to run it.",
	  KIND(ENDED), "piece length", "invalid piece size", NULL },
	{ "path-long", "A path of more than 100 folders or 4095 bytes: the kernel takes none that is longer in one call. Refused here; libtorrent takes it, up to the depth that bencoding may have.",
	  KIND(TAKEN), "a path of more than", NULL, NULL },
	{ "path-long-late", "The same; libtorrent takes the torrent, and gives up when it is to make the file.",
	  KIND(ENDED), "a path of more than", "File name too long", NULL },
	{ "pad-piece", "Padding that fills a whole piece (BEP 47 fills up to the next one): a piece nobody needs to have. Refused here; libtorrent takes it.",
	  KIND(TAKEN), "padding fills the whole of piece", NULL, NULL },
	/* refused there alone */
	{ "no-bytes", "A torrent of empty files alone. Taken here: complete as soon as its files are made; to libtorrent it is malformed.",
	  KIND(TAKEN), NULL, "invalid length of torrent", no_bytes },
	{ "title-none", "The torrent's name is '', '.' or '..', and it is a lone file's. It is named '_' or '__' here; libtorrent finds no name.",
	  KIND(TAKEN), NULL, "missing name in torrent file", title_is_dots },
	{ "halves-by-names", "A hybrid with '.' or '..' in a path: libtorrent cleans the names of the two halves in two ways, and holds them for two torrents. Here the halves are compared as the torrent has them.",
	  KIND(TAKEN), NULL, "v1 and v2 file metadata does not match", dots_in_a_path },
	/* taken by both, and named otherwise */
	{ "name-hash", "The torrent's name is '', '.' or '..': '_' or '__' here, its info hash with libtorrent.",
	  NAMES, NULL, NULL, hash_for_title },
	{ "name-dots", "A component '', '.' or '..' becomes '_' or '__' here, so that the folders stay as deep as they were; libtorrent leaves it out, or makes it '_'.",
	  NAMES, NULL, NULL, dots },
	{ "name-slash", "'/' or NUL within a component becomes '_' here and '\\' stays, which is a character like others on Linux; libtorrent takes all three out.",
	  NAMES, NULL, NULL, slash },
	{ "name-bytes", "A name that is no UTF-8 stays as it is, byte for byte; libtorrent writes '_' for what it cannot read.",
	  NAMES, NULL, NULL, not_utf8 },
	{ "name-control", "Control characters (newline, escape) stay in a name on disk, and are escaped wherever it is shown; libtorrent writes '_' for them.",
	  NAMES, NULL, NULL, control },
	{ "name-direction", "Marks that turn the writing direction stay in a name on disk, and are escaped where it is shown; libtorrent takes them out.",
	  NAMES, NULL, NULL, direction },
	{ "name-long", "Names stay whole up to the 255 bytes that a file system takes, and longer ones end in a piece of their hash, so that two of them stay two; libtorrent cuts at 240.",
	  NAMES, NULL, NULL, cut },
	{ "name-twice", "Two files of one path, or a file that is a folder of another: each engine tells them apart in its own way ('a~1' here, 'a.1' with libtorrent).",
	  KIND(PATH), NULL, NULL, met_twice },
	{ "name-case", "Names that differ in case alone are two on Linux, and stay as they are; libtorrent renames one ('a.1'), as for a file system that is blind to case.",
	  KIND(PATH), NULL, NULL, met_by_case },
	{ "name-none", "'.' or '..' for a file of a v2 torrent: '_' or '__' here. libtorrent gives it the name of its folder, and then cannot make the folder.",
	  KIND(ENDED), NULL, "Not a directory", dots_in_a_path },
	/* fetched by both */
	{ "pad-bytes", "The last block of a file of a v2 or hybrid torrent is asked for up to the file's end here; libtorrent has the padding behind it sent, too, up to 16 KiB a file.",
	  KIND(WIRE), NULL, NULL, pads_fetched },
	{ "link-no-target", "A symlink without a target is left out like any symlink; to libtorrent it is an empty file.",
	  KIND(FILES), NULL, NULL, empty_ones_more },
	{ 0 },
};
/* clang-format on */

static bool holds(struct shoal_bytes text, const char *part)
{
	return part == NULL || memmem(text.at, text.len, part, strlen(part)) != NULL;
}

/* What a refusal says explains it only where it is that side that refuses. */
static bool says(const struct lab_cmp_why *w, const struct lab_cmp_diff *d)
{
	if (d->kind == LAB_CMP_TAKEN && (w->ours_says != NULL) != (d->our_number == LAB_CMP_REFUSED))
		return false;
	return holds(d->ours, w->ours_says) && holds(d->theirs, w->theirs_says);
}

const struct lab_cmp_why *lab_cmp_explain(const struct lab_cmp_pair *p, const struct lab_cmp_diff *d)
{
	for (const struct lab_cmp_why *w = lab_cmp_whys; w->id != NULL; w++)
		if ((w->kinds & 1u << d->kind) && says(w, d) && (w->fits == NULL || w->fits(p, d)))
			return w;
	return NULL;
}
