/* tools/human.c - sizes, rates, spans of time; how wide a text is. */
#include "tools/human.h"

#include "proto/base/bytes.h"
#include "proto/text.h"

#include <inttypes.h>
#include <stdio.h>

const char *shoal_human_size(uint64_t bytes, char out[SHOAL_HUMAN_MAX])
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	size_t u = 0;
	uint64_t whole = bytes, rest = 0;
	/* 1000 KiB is written as 0.98 MiB would be: go up as soon as four digits would show. */
	while (whole >= 1000 && u + 1 < sizeof unit / sizeof *unit) {
		rest = whole % 1024;
		whole /= 1024;
		u++;
	}
	if (u == 0)
		snprintf(out, SHOAL_HUMAN_MAX, "%" PRIu64 " B", whole);
	else if (whole < 10)
		snprintf(out, SHOAL_HUMAN_MAX, "%" PRIu64 ".%" PRIu64 " %s", whole, rest * 10 / 1024, unit[u]);
	else
		snprintf(out, SHOAL_HUMAN_MAX, "%" PRIu64 " %s", whole, unit[u]);
	return out;
}

const char *shoal_human_rate(uint64_t bytes_a_second, char out[SHOAL_HUMAN_MAX])
{
	shoal_human_size(bytes_a_second, out);
	size_t len = strlen(out);
	snprintf(out + len, SHOAL_HUMAN_MAX - len, "/s");
	return out;
}

const char *shoal_human_span(shoal_us us, char out[SHOAL_HUMAN_MAX])
{
	uint64_t s = us / 1000000;
	if (us < 100000)
		snprintf(out, SHOAL_HUMAN_MAX, "%" PRIu64 " ms", us / 1000);
	else if (s < 10)
		snprintf(out, SHOAL_HUMAN_MAX, "%" PRIu64 ".%02" PRIu64 " s", s, us % 1000000 / 10000);
	else if (s < 60)
		snprintf(out, SHOAL_HUMAN_MAX, "%" PRIu64 " s", s);
	else if (s < 3600)
		snprintf(out, SHOAL_HUMAN_MAX, "%" PRIu64 " min %02" PRIu64 " s", s / 60, s % 60);
	else if (s < 48 * 3600)
		snprintf(out, SHOAL_HUMAN_MAX, "%" PRIu64 " h %02" PRIu64 " min", s / 3600, s / 60 % 60);
	else
		snprintf(out, SHOAL_HUMAN_MAX, "%" PRIu64 " days", s / 86400);
	return out;
}

const char *shoal_human_count(uint64_t n, const char *one, const char *many, char out[SHOAL_HUMAN_MAX * 2])
{
	snprintf(out, SHOAL_HUMAN_MAX * 2, "%" PRIu64 " %s", n, n == 1 ? one : many);
	return out;
}

static bool is_letter(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

const char *shoal_human_client(struct shoal_bytes v, char out[SHOAL_HUMAN_MAX])
{
	static const uint8_t nothing[4];
	size_t hex = v.len < (SHOAL_HUMAN_MAX - 1) / 2 ? v.len : (SHOAL_HUMAN_MAX - 1) / 2;
	if (v.len == 0 || (v.len == 4 && memcmp(v.at, nothing, 4) == 0))
		snprintf(out, SHOAL_HUMAN_MAX, "-");
	else if (v.len == 4 && is_letter(v.at[0]) && is_letter(v.at[1]))
		snprintf(out, SHOAL_HUMAN_MAX, "%c%c %u.%u", v.at[0], v.at[1], v.at[2], v.at[3]);
	else
		for (size_t i = 0; i < hex; i++)
			snprintf(out + 2 * i, SHOAL_HUMAN_MAX - 2 * i, "%02x", v.at[i]);
	return out;
}

unsigned shoal_human_permille(uint64_t done, uint64_t total)
{
	if (done >= total)
		return 1000;
	return (unsigned)((unsigned __int128)done * 1000 / total);
}

/* The character at the front: its bytes, and its columns on a terminal. A byte that is none counts as one. */
static size_t character(const char *at, size_t *columns)
{
	uint32_t code = 0;
	size_t len = shoal_utf8_next(shoal_bytes(at, strnlen(at, 4)), &code);
	/* East Asian wide forms and pictographs, roughly; too wide is safe, too narrow would wrap the line. */
	*columns = code >= 0x1100 && (code < 0x1160 || (code >= 0x2e80 && code < 0xd7a4) ||
				      (code >= 0xf900 && code < 0xfb00) || (code >= 0xfe30 && code < 0xfe70) ||
				      (code >= 0xff00 && code < 0xff61) || code >= 0x1f000)
			   ? 2
			   : 1;
	return len ? len : 1;
}

size_t shoal_human_columns(const char *text)
{
	size_t sum = 0, columns;
	while (*text) {
		text += character(text, &columns);
		sum += columns;
	}
	return sum;
}

const char *shoal_human_fit(const char *text, size_t columns, char *out, size_t out_size)
{
	size_t all = shoal_human_columns(text), len = 0, used = 0, width;
	bool cut = all > columns || strlen(text) >= out_size;
	size_t dots = columns < 3 ? columns : 3, room = columns - dots;
	size_t head = cut ? room - room / 2 : all, skip = cut ? all - room / 2 : 0;
	const char *at = text;

	if (out_size == 0)
		return out;
	/* Half of what fits from the front, dots, and the rest from the end: file names differ there. */
	while (*at) {
		size_t n = character(at, &width);
		if (used + width > head || len + n + 4 > out_size)
			break;
		memcpy(out + len, at, n);
		len += n;
		used += width;
		at += n;
	}
	for (size_t i = 0; cut && i < dots && len + 1 < out_size; i++)
		out[len++] = '.';
	while (cut && *at) {
		size_t n = character(at, &width);
		if (used >= skip && len + n < out_size) {
			memcpy(out + len, at, n);
			len += n;
		}
		used += width;
		at += n;
	}
	out[len] = '\0';
	return out;
}
