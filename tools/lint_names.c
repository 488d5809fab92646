/* tools/lint_names.c - names that other systems cannot store, confuse, or leave behind. */
#include "proto/base/bytes.h"
#include "proto/text.h"
#include "tools/lint.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdlib.h>

#define DEPTH_LIBTORRENT 50u
#define NAME_ECRYPTFS 143u /* bytes that are left of 255 once a name is encrypted */
#define PATH_WINDOWS 260u

/* After imdl's list and those of the systems' makers. */
const char *const shoal_lint_junk[] = {
	".DS_Store", "._*",	    ".Spotlight-V100", ".Trashes",	".fseventsd",	 ".TemporaryItems",
	"Thumbs.db", "ehthumbs.db", "Desktop.ini",     "desktop.ini",	"$RECYCLE.BIN",	 ".directory",
	"*~",	     "*.swp",	    "Icon\r",	       ".nfs????????*", ".fuse_hidden*", NULL
};

bool shoal_lint_is_junk(struct shoal_bytes name)
{
	char text[SHOAL_NAME_BYTES_MAX + 1];
	if (name.len == 0 || name.len >= sizeof text || memchr(name.at, 0, name.len))
		return false;
	memcpy(text, name.at, name.len);
	text[name.len] = '\0';
	for (size_t i = 0; shoal_lint_junk[i]; i++)
		if (fnmatch(shoal_lint_junk[i], text, 0) == 0)
			return true;
	return false;
}

static bool is_utf8(struct shoal_bytes text)
{
	uint32_t code;
	while (text.len) {
		size_t n = shoal_utf8_next(text, &code);
		if (n == 0)
			return false;
		text = shoal_bytes(text.at + n, text.len - n);
	}
	return true;
}

/* CON, nul.txt, Com1: devices, whatever follows the first dot. */
static bool is_device(struct shoal_bytes name)
{
	static const char *const devices[] = { "con", "prn", "aux", "nul" };
	size_t len = 0;
	char low[5] = "";
	while (len < name.len && name.at[len] != '.') {
		if (len == 4)
			return false;
		low[len] = (char)tolower(name.at[len]);
		len++;
	}
	for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
		if (strcmp(low, devices[i]) == 0)
			return true;
	return len == 4 && low[3] >= '1' && low[3] <= '9' && (memcmp(low, "com", 3) == 0 || memcmp(low, "lpt", 3) == 0);
}

/* Reserved characters, a dot or blank at the end, a device. */
static bool windows_cannot(struct shoal_bytes name)
{
	if (name.len == 0)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (name.at[i] < 0x20 || strchr("<>:\"\\|?*", name.at[i]))
			return true;
	uint8_t last = name.at[name.len - 1];
	return last == '.' || last == ' ' || is_device(name);
}

/* ---- one name to systems that see no case and no form -------------------------------- */

/* Letters of Latin-1 with a mark, from U+00C0 on, as letter and mark (NFD). 0: it has none. */
static const struct {
	char letter;
	uint16_t mark;
} latin[64] = {
#define G 0x300
#define A 0x301
#define C 0x302
#define T 0x303
#define D 0x308
#define R 0x30a
#define K 0x327
	{ 'a', G }, { 'a', A }, { 'a', C }, { 'a', T }, { 'a', D }, { 'a', R }, { 0, 0 },   { 'c', K },
	{ 'e', G }, { 'e', A }, { 'e', C }, { 'e', D }, { 'i', G }, { 'i', A }, { 'i', C }, { 'i', D },
	{ 0, 0 },   { 'n', T }, { 'o', G }, { 'o', A }, { 'o', C }, { 'o', T }, { 'o', D }, { 0, 0 },
	{ 0, 0 },   { 'u', G }, { 'u', A }, { 'u', C }, { 'u', D }, { 'y', A }, { 0, 0 },   { 0, 0 },
	{ 'a', G }, { 'a', A }, { 'a', C }, { 'a', T }, { 'a', D }, { 'a', R }, { 0, 0 },   { 'c', K },
	{ 'e', G }, { 'e', A }, { 'e', C }, { 'e', D }, { 'i', G }, { 'i', A }, { 'i', C }, { 'i', D },
	{ 0, 0 },   { 'n', T }, { 'o', G }, { 'o', A }, { 'o', C }, { 'o', T }, { 'o', D }, { 0, 0 },
	{ 0, 0 },   { 'u', G }, { 'u', A }, { 'u', C }, { 'u', D }, { 'y', A }, { 0, 0 },   { 'y', D },
#undef G
#undef A
#undef C
#undef T
#undef D
#undef R
#undef K
};

/* A hash of the path without case and with composed Latin letters taken apart. Other scripts keep their form:
 * of them only exact case pairs of ASCII are seen, which is what a hint can do without tables of Unicode. */
static uint64_t fold_of(struct shoal_bytes path)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	while (path.len) {
		uint32_t code[2] = { path.at[0], 0 };
		size_t n = shoal_utf8_next(path, &code[0]);
		if (n == 0) {
			code[0] = 0x110000u + path.at[0]; /* no character: itself alone */
			n = 1;
		}
		if (code[0] < 0x80)
			code[0] = (uint32_t)tolower((int)code[0]);
		else if (code[0] >= 0xc0 && code[0] <= 0xff && latin[code[0] - 0xc0].letter) {
			code[1] = latin[code[0] - 0xc0].mark;
			code[0] = (uint32_t)latin[code[0] - 0xc0].letter;
		} else if (code[0] >= 0xc0 && code[0] < 0xde && code[0] != 0xd7)
			code[0] += 0x20; /* the capitals without a mark */
		for (int i = 0; i < 2 && (i == 0 || code[i]); i++)
			h = (h ^ code[i]) * UINT64_C(0x100000001b3);
		path = shoal_bytes(path.at + n, path.len - n);
	}
	return h;
}

static void fold_keep(struct shoal_lint_facts *f, struct shoal_bytes path)
{
	if (f->fold_count == f->fold_room) {
		size_t room = f->fold_room ? f->fold_room * 2 : 256; /* at most SHOAL_FILES_MAX names: no overflow */
		uint64_t *more = realloc(f->fold, room * sizeof *more);
		if (more == NULL)
			return; /* a hint less */
		f->fold = more;
		f->fold_room = room;
	}
	f->fold[f->fold_count++] = fold_of(path);
}

static int by_value(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
	return (a > b) - (a < b);
}

/* ---- all names ----------------------------------------------------------------------- */

void shoal_lint_path(struct shoal_lint_facts *f, struct shoal_bytes path, unsigned flags, uint64_t size)
{
	unsigned depth = 0;
	bool windows = false, is_long = path.len > PATH_WINDOWS, junk = false;
	f->files++;
	f->rooted += size > 0;
	if (flags & SHOAL_FILE_SYMLINK) {
		f->links++;
		return;
	}
	for (size_t from = 0; from <= path.len; depth++) {
		const uint8_t *slash = from < path.len ? memchr(path.at + from, '/', path.len - from) : NULL;
		size_t end = slash ? (size_t)(slash - path.at) : path.len;
		struct shoal_bytes name = shoal_bytes(path.at + from, end - from);
		windows = windows || windows_cannot(name);
		is_long = is_long || name.len > NAME_ECRYPTFS;
		junk = junk || shoal_lint_is_junk(name);
		from = end + 1;
	}
	f->components += depth;
	f->renamed += (flags & SHOAL_FILE_RENAMED) != 0;
	f->odd += !is_utf8(path);
	f->windows += windows;
	f->long_name += is_long;
	f->deep += depth > DEPTH_LIBTORRENT + 1;
	f->junk += junk;
	fold_keep(f, path);
}

void shoal_lint_paths_end(struct shoal_lint_facts *f)
{
	if (f->fold_count)
		qsort(f->fold, f->fold_count, sizeof *f->fold, by_value);
	for (size_t i = 1; i < f->fold_count; i++)
		f->colliding += f->fold[i] == f->fold[i - 1];
	free(f->fold);
	f->fold = NULL;
	f->fold_count = f->fold_room = 0;
}
