/*
 * proto/text.c - escapes and codes.
 */
#include "proto/base/bytes.h"
#include "proto/text.h"

static const char hex_digits[] = "0123456789abcdef";
static const char hex_upper[] = "0123456789ABCDEF";

size_t shoal_utf8_next(struct shoal_bytes in, uint32_t *code)
{
	if (in.len == 0)
		return 0;
	uint8_t first = in.at[0];
	size_t len = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
	if (len == 0 || len > in.len)
		return 0;
	uint32_t c = len == 1 ? first : first & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((in.at[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (in.at[i] & 0x3f);
	}
	/* overlong forms of three and four bytes, surrogates, past the end of Unicode */
	if ((len == 3 && c < 0x800) || (len == 4 && c < 0x10000) || (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
		return 0;
	*code = c;
	return len;
}

/* Code points that a terminal may act upon, or that hide or turn what is printed. */
static bool is_risky(uint32_t c)
{
	static const struct {
		uint32_t from, to;
	} risky[] = {
		{ 0x0000, 0x001f },   /* C0 */
		{ 0x007f, 0x009f },   /* DEL and C1 */
		{ 0x00ad, 0x00ad },   /* soft hyphen */
		{ 0x061c, 0x061c },   /* Arabic letter mark */
		{ 0x115f, 0x1160 },   /* Hangul fillers: blanks that do not look like any */
		{ 0x180e, 0x180e },   /* Mongolian vowel separator */
		{ 0x200b, 0x200f },   /* zero width, left-to-right and right-to-left marks */
		{ 0x2028, 0x202e },   /* separators, bidi embeddings and overrides */
		{ 0x2060, 0x206f },   /* word joiner, invisible operators, bidi isolates */
		{ 0x3164, 0x3164 },   /* Hangul filler */
		{ 0xfeff, 0xfeff },   /* byte order mark */
		{ 0xffa0, 0xffa0 },   /* halfwidth Hangul filler */
		{ 0xfff9, 0xfffb },   /* interlinear annotation */
		{ 0xfffe, 0xffff },   /* no characters */
		{ 0xe0000, 0xe007f }, /* tags */
	};
	for (size_t i = 0; i < sizeof risky / sizeof *risky; i++)
		if (c >= risky[i].from && c <= risky[i].to)
			return true;
	return false;
}

size_t shoal_text_escape(struct shoal_bytes in, struct shoal_space out)
{
	size_t whole = 0;   /* the length of all of it */
	size_t written = 0; /* what lies in out */
	size_t dots = 0;    /* the last place where "..." would fit behind whole characters */
	bool cut = out.len == 0;
	for (size_t pos = 0; pos < in.len;) {
		uint32_t code = 0;
		uint8_t piece[16];
		size_t n, len = shoal_utf8_next(shoal_bytes(in.at + pos, in.len - pos), &code);
		if (len > 0 && !is_risky(code)) {
			n = 0;
			if (code == '\\')
				piece[n++] = '\\';
			memcpy(piece + n, in.at + pos, len);
			n += len;
		} else {
			len = len ? len : 1;
			n = 0;
			for (size_t i = 0; i < len; i++) {
				piece[n++] = '\\';
				piece[n++] = 'x';
				piece[n++] = (uint8_t)hex_digits[in.at[pos + i] >> 4];
				piece[n++] = (uint8_t)hex_digits[in.at[pos + i] & 15];
			}
		}
		if (!cut && written + 4 <= out.len)
			dots = written;
		if (!cut && n < out.len - written) {
			memcpy(out.at + written, piece, n);
			written += n;
		} else {
			cut = true;
		}
		whole += n;
		pos += len;
	}
	if (out.len == 0)
		return whole;
	if (cut && out.len >= 4) {
		memcpy(out.at + dots, "...", 3);
		written = dots + 3;
	}
	out.at[written] = 0;
	return whole;
}

int shoal_hex_digit(uint8_t c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

static bool is_unreserved(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
	       c == '_' || c == '~';
}

ptrdiff_t shoal_percent_encode(struct shoal_bytes in, const char *keep, struct shoal_space out)
{
	struct shoal_wr w = shoal_wr(out);
	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = in.at[i];
		if (is_unreserved(c) || (c != 0 && strchr(keep, c) != NULL)) {
			shoal_wr_u8(&w, c);
			continue;
		}
		uint8_t piece[3] = { '%', (uint8_t)hex_upper[c >> 4], (uint8_t)hex_upper[c & 15] };
		shoal_wr_put(&w, shoal_bytes(piece, 3));
	}
	size_t len = w.pos;
	shoal_wr_u8(&w, 0);
	return w.bad ? SHOAL_ERR_TOO_LONG : (ptrdiff_t)len;
}

ptrdiff_t shoal_percent_decode(struct shoal_bytes in, bool plus, struct shoal_space out)
{
	size_t len = 0;
	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = in.at[i];
		if (c == '%' && in.len - i > 2 && shoal_hex_digit(in.at[i + 1]) >= 0 &&
		    shoal_hex_digit(in.at[i + 2]) >= 0) {
			c = (uint8_t)(shoal_hex_digit(in.at[i + 1]) << 4 | shoal_hex_digit(in.at[i + 2]));
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		if (len == out.len)
			return SHOAL_ERR_TOO_LONG;
		out.at[len++] = c;
	}
	return (ptrdiff_t)len;
}

void shoal_hex_encode(struct shoal_bytes in, char *out)
{
	for (size_t i = 0; i < in.len; i++) {
		*out++ = hex_digits[in.at[i] >> 4];
		*out++ = hex_digits[in.at[i] & 15];
	}
	*out = 0;
}

int shoal_hex_decode(struct shoal_bytes in, struct shoal_space out)
{
	if (in.len % 2 != 0 || in.len / 2 != out.len)
		return SHOAL_ERR_MALFORMED;
	for (size_t i = 0; i < in.len; i++)
		if (shoal_hex_digit(in.at[i]) < 0)
			return SHOAL_ERR_MALFORMED;
	for (size_t i = 0; i < out.len; i++)
		out.at[i] = (uint8_t)((unsigned)shoal_hex_digit(in.at[2 * i]) << 4 |
				      (unsigned)shoal_hex_digit(in.at[2 * i + 1]));
	return 0;
}

static int base32_digit(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a';
	return c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

int shoal_base32_decode(struct shoal_bytes in, struct shoal_space out)
{
	if (out.len > SIZE_MAX / 16 || in.len != (8 * out.len + 4) / 5)
		return SHOAL_ERR_MALFORMED;
	uint32_t bits = 0;
	unsigned count = 0;
	size_t len = 0;
	for (size_t i = 0; i < in.len; i++) {
		int digit = base32_digit(in.at[i]);
		if (digit < 0)
			return SHOAL_ERR_MALFORMED;
		bits = (bits << 5 | (uint32_t)digit) & 0xfff;
		count += 5;
		if (count >= 8) {
			count -= 8;
			out.at[len++] = (uint8_t)(bits >> count);
		}
	}
	return bits & ((1u << count) - 1) ? SHOAL_ERR_MALFORMED : 0;
}
