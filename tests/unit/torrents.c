/* torrents.c - see torrents.h. */
#include "tests/unit/torrents.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void grow_put(struct grow *g, const void *at, size_t len)
{
	if (g->room - g->len < len + 1) {
		size_t room = (g->room + len + 1) * 2;
		char *more = realloc(g->at, room);
		if (more == NULL)
			abort();
		g->at = more;
		g->room = room;
	}
	memcpy(g->at + g->len, at, len);
	g->len += len;
	g->at[g->len] = 0;
}

void grow_print(struct grow *g, const char *format, ...)
{
	char text[2048];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof text)
		abort();
	grow_put(g, text, (size_t)n);
}

void grow_fini(struct grow *g)
{
	free(g->at);
	*g = (struct grow){ 0 };
}

char *describe(const struct shoal_metainfo *mi)
{
	struct grow g = { 0 };
	char path[SHOAL_PATH_BYTES_MAX + 1];
	grow_print(&g, "%s%s%s%u*%u %llu of %llu |", shoal_metainfo_v1(mi) ? "v1 " : "",
		   shoal_metainfo_v2(mi) ? "v2 " : "", shoal_metainfo_single(mi) ? "single " : "",
		   shoal_metainfo_piece_size(mi), shoal_metainfo_piece_count(mi),
		   (unsigned long long)shoal_metainfo_size(mi), (unsigned long long)shoal_metainfo_stream_size(mi));
	for (uint32_t i = 0; i < shoal_metainfo_file_count(mi); i++) {
		unsigned flags = shoal_metainfo_file_flags(mi, i);
		int len = shoal_metainfo_path(mi, i, (struct shoal_space){ (uint8_t *)path, sizeof path });
		if (len < 0)
			abort();
		grow_put(&g, " ", 1);
		grow_put(&g, path, (size_t)len);
		grow_print(&g, ":%llu@%llu", (unsigned long long)shoal_metainfo_file_size(mi, i),
			   (unsigned long long)shoal_metainfo_file_offset(mi, i));
		if (flags)
			grow_put(&g, "+", 1);
		for (unsigned bit = 0; bit < 5; bit++)
			if (flags >> bit & 1)
				grow_put(&g, &"pehlr"[bit], 1);
		if (shoal_metainfo_file_root(mi, i))
			grow_put(&g, "R", 1);
	}
	return g.at;
}

int parse_text(struct shoal_metainfo **out, const void *at, size_t len, struct shoal_metainfo_fault *why)
{
	uint8_t *copy = malloc(len ? len : 1);
	if (copy == NULL)
		abort();
	memcpy(copy, at, len);
	int rc = shoal_metainfo_parse(out, (struct shoal_bytes){ copy, len }, why);
	free(copy);
	return rc;
}
