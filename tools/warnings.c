/* tools/warnings.c - the cliffs of other engines, from their own sources and documentation. */
#include "tools/warnings.h"

#include "proto/base/bytes.h"
#include "proto/text.h"
#include "tools/human.h"

#include <stdarg.h>
#include <stdio.h>

/* Where others stop. Bitfields of more pieces do not fit their message buffers. */
#define PIECE_SIZE_COMMON (16u << 20) /* "some clients do not do well above" */
#define PIECES_COMMON 100000u
#define PIECES_RQBIT 262000u	 /* a ring buffer of 32 KiB */
#define PIECES_ANACROLIX 524000u /* a message of 64 KiB */
#define INFO_COMMON (10u << 20)
#define INFO_ANACROLIX (16u << 20) /* metadata by magnet */
#define INFO_LIBTORRENT 31457280u
#define PAD_PERCENT 10u
#define DEPTH_COMMON 50u

struct teller {
	void (*tell)(void *to, const char *what);
	void *to;
	size_t count;
};

__attribute__((format(printf, 2, 3))) static void tell(struct teller *t, const char *fmt, ...)
{
	char what[256];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	t->tell(t->to, what);
	t->count++;
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

/* Names that one of the large systems cannot store: reserved characters, a dot or blank at the end of a component. */
static bool windows_cannot(const char *path, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)path[i];
		bool ends = i + 1 == len || path[i + 1] == '/';
		if (c < 0x20 || strchr("<>:\"\\|?*", c) || (ends && (c == '.' || c == ' ')))
			return true;
	}
	return false;
}

static void tell_names(struct teller *t, const struct shoal_metainfo *mi)
{
	char path[SHOAL_PATH_BYTES_MAX + 1], n[SHOAL_HUMAN_MAX * 2];
	uint64_t odd = 0, windows = 0, deep = 0, renamed = 0, links = 0;
	for (uint32_t i = 0; i < shoal_metainfo_file_count(mi); i++) {
		unsigned flags = shoal_metainfo_file_flags(mi, i), depth = 0;
		links += (flags & SHOAL_FILE_SYMLINK) != 0;
		if (flags & (SHOAL_FILE_PAD | SHOAL_FILE_SYMLINK))
			continue;
		renamed += (flags & SHOAL_FILE_RENAMED) != 0;
		int len = shoal_metainfo_path_raw(mi, i, (struct shoal_space){ (uint8_t *)path, sizeof path });
		if (len < 0)
			continue;
		for (int k = 0; k < len; k++)
			depth += path[k] == '/';
		odd += !is_utf8(shoal_bytes(path, (size_t)len));
		windows += windows_cannot(path, (size_t)len);
		deep += depth > DEPTH_COMMON;
	}
	if (renamed)
		tell(t, "%s unsafe or impossible on disk and will be stored under another name",
		     shoal_human_count(renamed, "file name is", "file names are", n));
	if (odd)
		tell(t, "%s not UTF-8: other engines may store them under other names",
		     shoal_human_count(odd, "file name is", "file names are", n));
	if (windows)
		tell(t, "%s characters that Windows cannot store",
		     shoal_human_count(windows, "file name has", "file names have", n));
	if (deep)
		tell(t, "%s more than %u folders deep: libtorrent may refuse the torrent",
		     shoal_human_count(deep, "file lies", "files lie", n), DEPTH_COMMON);
	if (links)
		tell(t, "%s not made: nothing of a stranger's points out of its folder",
		     shoal_human_count(links, "symlink is", "symlinks are", n));
}

static void tell_sizes(struct teller *t, const struct shoal_metainfo *mi)
{
	uint32_t pieces = shoal_metainfo_piece_count(mi);
	size_t info = shoal_metainfo_info(mi).len;
	char size[SHOAL_HUMAN_MAX];
	if (shoal_metainfo_piece_size(mi) > PIECE_SIZE_COMMON)
		tell(t, "pieces of %s: some engines do badly above 16 MiB",
		     shoal_human_size(shoal_metainfo_piece_size(mi), size));
	if (pieces > PIECES_ANACROLIX)
		tell(t, "%u pieces: peers on rqbit (262,000) and anacrolix/torrent (524,000) cannot take the bitfield",
		     pieces);
	else if (pieces > PIECES_RQBIT)
		tell(t, "%u pieces: peers on rqbit (262,000) cannot take the bitfield", pieces);
	else if (pieces > PIECES_COMMON)
		tell(t, "%u pieces: above 100,000 some engines grow slow or refuse", pieces);
	shoal_human_size(info, size);
	if (info > INFO_LIBTORRENT)
		tell(t, "info dictionary of %s: libtorrent (30 MiB) and others will not take it by magnet link", size);
	else if (info > INFO_ANACROLIX)
		tell(t, "info dictionary of %s: anacrolix/torrent (16 MiB) will not take it by magnet link", size);
	else if (info > INFO_COMMON)
		tell(t, "info dictionary of %s: above 10 MiB some engines refuse it", size);
}

size_t shoal_warnings(const struct shoal_metainfo *mi, void (*tell_one)(void *to, const char *what), void *to)
{
	struct teller t = { tell_one, to, 0 };
	bool v1 = shoal_metainfo_v1(mi), v2 = shoal_metainfo_v2(mi);
	uint64_t size = shoal_metainfo_size(mi), padding = shoal_metainfo_stream_size(mi) - size;
	char text[SHOAL_HUMAN_MAX];

	tell_sizes(&t, mi);
	if (v1 && v2 && padding > size / 100 * PAD_PERCENT + size % 100 * PAD_PERCENT / 100)
		tell(&t, "%s of padding (%u %% of the data), which engines without BEP 47 download and store",
		     shoal_human_size(padding, text),
		     size ? (unsigned)shoal_min_u64(padding / (size / 100 + 1), 99999) : 0);
	if (v2 && !v1)
		tell(&t, "v2 only: Transmission, aria2, rTorrent, rqbit and WebTorrent know v1 alone");
	if (v2 && !shoal_metainfo_layers_complete(mi))
		tell(&t, "piece layers are missing: they must come from peers before a piece can be checked");
	tell_names(&t, mi);
	return t.count;
}
