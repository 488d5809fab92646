/* proto/content_range.c - see content_range.h. */
#include "proto/content_range.h"

#include "proto/base/bytes.h"

static bool blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct shoal_bytes trimmed(struct shoal_bytes in)
{
	while (in.len > 0 && blank(in.at[0]))
		in = shoal_bytes(in.at + 1, in.len - 1);
	while (in.len > 0 && blank(in.at[in.len - 1]))
		in.len--;
	return in;
}

/* Decimal digits, at least one, up to whatever is none. */
static uint64_t number(struct shoal_rd *r)
{
	uint64_t n = 0;
	size_t digits = 0;
	while (shoal_rd_left(r) > 0 && r->in.at[r->pos] >= '0' && r->in.at[r->pos] <= '9') {
		unsigned digit = (unsigned)(r->in.at[r->pos++] - '0');
		if (n > ((uint64_t)INT64_MAX - digit) / 10) {
			r->bad = true;
			return 0;
		}
		n = n * 10 + digit;
		digits++;
	}
	r->bad = r->bad || digits == 0;
	return n;
}

static void expect(struct shoal_rd *r, uint8_t c)
{
	r->bad = shoal_rd_u8(r) != c || r->bad;
}

int shoal_content_range_parse(struct shoal_bytes value, struct shoal_content_range *out)
{
	static const char unit[] = "bytes";
	struct shoal_rd r = shoal_rd(trimmed(value));
	for (size_t i = 0; i < sizeof unit - 1; i++) {
		uint8_t c = shoal_rd_u8(&r);
		c = c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
		r.bad = r.bad || c != (uint8_t)unit[i];
	}
	expect(&r, ' ');
	struct shoal_content_range range = { .from = number(&r) };
	expect(&r, '-');
	uint64_t last = number(&r);
	expect(&r, '/');
	if (shoal_rd_left(&r) == 1 && r.in.at[r.pos] == '*')
		r.pos++;
	else
		range.total = number(&r);
	bool told = !r.bad && r.in.at[r.pos - 1] != '*';
	if (r.bad || shoal_rd_left(&r) > 0 || last < range.from || last == INT64_MAX || (told && last >= range.total))
		return SHOAL_ERR_MALFORMED;
	range.to = last + 1;
	*out = range;
	return 0;
}
