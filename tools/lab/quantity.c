/* quantity.c - see quantity.h. */
#include "tools/lab/quantity.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_MAX 1125899906842624.0 /* 2^50 */
#define NUMBER_MAX 48		     /* characters */

struct suffix {
	const char *text;
	double times;
};
static const struct suffix counts[] = { { "", 1 }, { NULL, 0 } };
static const struct suffix sizes[] = {
	{ "", 1 },	    { "B", 1 },		  { "K", 1024.0 }, { "KiB", 1024.0 },
	{ "M", 1048576.0 }, { "MiB", 1048576.0 }, { "G", 0x1p30 }, { "GiB", 0x1p30 },
	{ "T", 0x1p40 },    { "TiB", 0x1p40 },	  { NULL, 0 },
};
static const struct suffix bits[] = {
	{ "bit", 0.125 }, { "kbit", 125 }, { "Mbit", 125e3 }, { "Gbit", 125e6 }, { NULL, 0 },
};
static const struct suffix times[] = {
	{ "", 1 },     { "us", 1e-6 }, { "ms", 1e-3 }, { "s", 1 },  { "sec", 1 },
	{ "min", 60 }, { "h", 3600 },  { "d", 86400 }, { NULL, 0 },
};
static const struct suffix shares[] = { { "", 1 }, { "%", 0.01 }, { "ppm", 1e-6 }, { NULL, 0 } };

const char *lab_quantity_looks(enum lab_unit unit)
{
	switch (unit) {
	case LAB_COUNT: return "a whole number (0, 1, 100)";
	case LAB_SIZE: return "a size (64K, 4M, 1G)";
	case LAB_RATE: return "a rate (4M is 4 MiB a second, 20Mbit, none)";
	case LAB_TIME: return "a time (20ms, 90s, 5min, never)";
	case LAB_SHARE: return "a share (0.5%, 20ppm, 0.25)";
	}
	return "a number";
}

static int by_suffix(const struct suffix *table, const char *suffix, double number, double *out)
{
	for (const struct suffix *s = table; s->text != NULL; s++) {
		if (strcmp(s->text, suffix) != 0)
			continue;
		*out = number * s->times;
		return *out > VALUE_MAX ? SHOAL_ERR_RANGE : 0;
	}
	return SHOAL_ERR_MALFORMED;
}

int lab_quantity(const char *text, enum lab_unit unit, double *out)
{
	char digits[NUMBER_MAX], suffix[NUMBER_MAX];
	size_t n = strspn(text, "0123456789."), len = strlen(text);
	if (unit == LAB_RATE && strcmp(text, "none") == 0)
		return *out = 0, 0;
	if (unit == LAB_TIME && strcmp(text, "never") == 0)
		return *out = INFINITY, 0;
	if (n == 0 || n >= sizeof digits || len - n >= sizeof suffix || text[0] == '.' || text[n - 1] == '.')
		return SHOAL_ERR_MALFORMED;
	memcpy(digits, text, n);
	digits[n] = 0;
	if (strchr(digits, '.') != strrchr(digits, '.') || (unit == LAB_COUNT && strchr(digits, '.') != NULL))
		return SHOAL_ERR_MALFORMED;
	double number = strtod(digits, NULL);
	while (text[n] == ' ')
		n++;
	snprintf(suffix, sizeof suffix, "%s", text + n);
	size_t tail = strlen(suffix);
	if (unit == LAB_RATE && tail >= 2 && strcmp(suffix + tail - 2, "/s") == 0)
		suffix[tail - 2] = 0;
	switch (unit) {
	case LAB_COUNT: return by_suffix(counts, suffix, number, out);
	case LAB_SIZE: return by_suffix(sizes, suffix, number, out);
	case LAB_RATE: {
		int rc = by_suffix(bits, suffix, number, out);
		return rc == SHOAL_ERR_MALFORMED ? by_suffix(sizes, suffix, number, out) : rc;
	}
	case LAB_TIME: return by_suffix(times, suffix, number, out);
	case LAB_SHARE: return by_suffix(shares, suffix, number, out);
	}
	return SHOAL_ERR_MALFORMED;
}

/* ---- spreads -------------------------------------------------------------------------- */

static const struct shape {
	const char *name;
	unsigned least, most; /* values */
	bool plain_second;    /* the second value is a bare number, whatever the unit */
} shapes[] = {
	[LAB_SPREAD_EACH] = { "each", 1, LAB_SPREAD_VALUES_MAX, false },
	[LAB_SPREAD_UNIFORM] = { "uniform", 2, 2, false },
	[LAB_SPREAD_LOGUNIFORM] = { "loguniform", 2, 2, false },
	[LAB_SPREAD_LOGNORMAL] = { "lognormal", 2, 2, true },
	[LAB_SPREAD_EXPONENTIAL] = { "exponential", 1, 1, false },
	[LAB_SPREAD_EVERY] = { "every", 1, 1, false },
	[LAB_SPREAD_POISSON] = { "poisson", 1, 1, false },
};

static int values_of(struct lab_spread *s, const char *text, size_t len, enum lab_unit unit, bool plain_second)
{
	char one[NUMBER_MAX];
	size_t at = 0;
	while (at <= len) {
		size_t end = at;
		while (end < len && text[end] != ',')
			end++;
		size_t from = at, to = end;
		while (from < to && text[from] == ' ')
			from++;
		while (to > from && text[to - 1] == ' ')
			to--;
		if (to - from >= sizeof one || s->count == LAB_SPREAD_VALUES_MAX)
			return SHOAL_ERR_MALFORMED;
		memcpy(one, text + from, to - from);
		one[to - from] = 0;
		enum lab_unit u = plain_second && s->count == 1 ? LAB_SHARE : unit;
		if (lab_quantity(one, u, &s->value[s->count]) < 0)
			return SHOAL_ERR_MALFORMED;
		s->count++;
		at = end + 1;
	}
	return 0;
}

int lab_spread_parse(struct lab_spread *s, const char *text, enum lab_unit unit, char why[160])
{
	*s = (struct lab_spread){ .kind = LAB_SPREAD_FIXED };
	snprintf(why, 160, "expected %s, or a spread such as uniform(A, B)", lab_quantity_looks(unit));
	const char *open = strchr(text, '(');
	if (open == NULL) {
		s->count = 1;
		return lab_quantity(text, unit, &s->value[0]);
	}
	size_t len = strlen(text), name = (size_t)(open - text);
	for (size_t k = LAB_SPREAD_EACH; k < sizeof shapes / sizeof *shapes; k++) {
		const struct shape *shape = &shapes[k];
		if (strlen(shape->name) != name || memcmp(shape->name, text, name) != 0)
			continue;
		s->kind = (enum lab_spread_kind)k;
		if (text[len - 1] != ')' || values_of(s, open + 1, len - name - 2, unit, shape->plain_second) < 0) {
			snprintf(why, 160, "expected %s(...) of values each of which is %s", shape->name,
				 lab_quantity_looks(unit));
			return SHOAL_ERR_MALFORMED;
		}
		if (s->count < shape->least || s->count > shape->most) {
			snprintf(why, 160, "%s() takes %u value%s", shape->name, shape->least,
				 shape->least == 1 ? "" : "s");
			return SHOAL_ERR_MALFORMED;
		}
		if (s->kind == LAB_SPREAD_UNIFORM || s->kind == LAB_SPREAD_LOGUNIFORM) {
			bool logarithmic = s->kind == LAB_SPREAD_LOGUNIFORM;
			if (!(s->value[0] <= s->value[1]) || !isfinite(s->value[1]) ||
			    (logarithmic && s->value[0] <= 0)) {
				snprintf(why, 160, "%s(A, B) needs A <= B%s", shape->name,
					 logarithmic ? ", and A > 0" : "");
				return SHOAL_ERR_MALFORMED;
			}
		}
		if (s->kind == LAB_SPREAD_LOGNORMAL && !(s->value[0] > 0)) {
			snprintf(why, 160, "the median of lognormal() must be above 0");
			return SHOAL_ERR_MALFORMED;
		}
		return 0;
	}
	snprintf(why, 160,
		 "there is no such spread: expected each, uniform, loguniform, lognormal, exponential, every or "
		 "poisson");
	return SHOAL_ERR_MALFORMED;
}

/* In (0, 1): never 0, whose logarithm there is none of. */
static double even(struct shoal_rng *rng)
{
	return ((double)shoal_rng_next(rng) + 0.5) / 4294967296.0;
}

/* Box and Muller's; the second of the pair is not kept, so that a draw costs the same dice every time. */
static double normal(struct shoal_rng *rng)
{
	double a = even(rng), b = even(rng);
	return sqrt(-2 * log(a)) * cos(6.283185307179586 * b);
}

static double six_digits(double v)
{
	char text[32];
	if (!isfinite(v))
		return v;
	snprintf(text, sizeof text, "%.5e", v);
	return strtod(text, NULL);
}

void lab_spread_draw(const struct lab_spread *s, struct shoal_rng *rng, double *out, unsigned count)
{
	double sum = 0;
	for (unsigned i = 0; i < count; i++) {
		const double *v = s->value;
		switch (s->kind) {
		case LAB_SPREAD_FIXED: out[i] = v[0]; continue;
		case LAB_SPREAD_EACH: out[i] = v[i % s->count]; continue;
		case LAB_SPREAD_EVERY: out[i] = i * v[0]; continue;
		case LAB_SPREAD_UNIFORM: out[i] = v[0] + (v[1] - v[0]) * even(rng); break;
		case LAB_SPREAD_LOGUNIFORM: out[i] = v[0] * exp(log(v[1] / v[0]) * even(rng)); break;
		case LAB_SPREAD_LOGNORMAL: out[i] = v[0] * exp(v[1] * normal(rng)); break;
		case LAB_SPREAD_EXPONENTIAL: out[i] = -v[0] * log(even(rng)); break;
		case LAB_SPREAD_POISSON:
			out[i] = sum;
			sum += -v[0] * log(even(rng));
			break;
		}
		out[i] = six_digits(out[i]);
	}
}
