/* tools/options.c - getopt_long driven by a table, and the values it reads. */
#include "tools/options.h"

#include "proto/base/bytes.h"
#include "swarm/io/addr.h"
#include "tools/say.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define TABLES_MAX 4
#define ROWS_MAX 96
#define HELP_COLUMN 30
#define LONG_BASE 256 /* getopt's value of row i is LONG_BASE + i */

/* ---- values ------------------------------------------------------------------------- */
int shoal_options_size(const char *text, uint64_t *out)
{
	static const char units[] = "kmgt";
	uint64_t n = 0, unit = 1;
	const char *p = text;
	if (!isdigit((unsigned char)*p))
		return SHOAL_ERR_MALFORMED;
	for (; isdigit((unsigned char)*p); p++) {
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, (uint64_t)(*p - '0'), &n))
			return SHOAL_ERR_RANGE;
	}
	const char *u = *p ? strchr(units, tolower((unsigned char)*p)) : NULL;
	if (u) {
		unit <<= 10 * (u - units + 1);
		p++;
		/* "4M", "4MiB": the same thing. "4MB" could mean either, so it means nothing. */
		if (p[0] == 'i' && p[1] == 'B')
			p += 2;
	}
	if (*p)
		return SHOAL_ERR_MALFORMED;
	return __builtin_mul_overflow(n, unit, out) ? SHOAL_ERR_RANGE : 0;
}

int shoal_options_count(const char *text, uint32_t *out)
{
	uint64_t n = 0;
	if (!isdigit((unsigned char)*text))
		return SHOAL_ERR_MALFORMED;
	for (; isdigit((unsigned char)*text); text++) {
		n = n * 10 + (uint64_t)(*text - '0');
		if (n > UINT32_MAX)
			return SHOAL_ERR_RANGE;
	}
	if (*text)
		return SHOAL_ERR_MALFORMED;
	*out = (uint32_t)n;
	return 0;
}

int shoal_options_seconds(const char *text, shoal_us *out)
{
	char *end;
	if (!isdigit((unsigned char)*text) && *text != '.')
		return SHOAL_ERR_MALFORMED;
	for (const char *p = text; *p; p++) {
		if (!isdigit((unsigned char)*p) && *p != '.')
			return SHOAL_ERR_MALFORMED; /* no hex, no exponents */
	}
	double s = strtod(text, &end);
	if (*end || end == text)
		return SHOAL_ERR_MALFORMED;
	if (s > 1e9)
		return SHOAL_ERR_RANGE;
	*out = (shoal_us)(s * 1e6);
	return 0;
}

int shoal_options_dscp(const char *text, uint32_t *out)
{
	/* RFC 2474 (CS), 2597 (AF), 3246 (EF), 5865 (VA), 8622 (LE) */
	static const struct {
		char name[5];
		uint8_t code;
	} class[] = {
		{ "CS0", 0 },	{ "CS1", 8 },	{ "CS2", 16 },	{ "CS3", 24 },	{ "CS4", 32 },	{ "CS5", 40 },
		{ "CS6", 48 },	{ "CS7", 56 },	{ "AF11", 10 }, { "AF12", 12 }, { "AF13", 14 }, { "AF21", 18 },
		{ "AF22", 20 }, { "AF23", 22 }, { "AF31", 26 }, { "AF32", 28 }, { "AF33", 30 }, { "AF41", 34 },
		{ "AF42", 36 }, { "AF43", 38 }, { "EF", 46 },	{ "VA", 44 },	{ "LE", 1 },
	};
	for (size_t i = 0; i < sizeof class / sizeof *class; i++) {
		if (strcasecmp(text, class[i].name) == 0) {
			*out = class[i].code;
			return 0;
		}
	}
	uint32_t n;
	int rc = shoal_options_count(text, &n);
	if (rc < 0)
		return rc;
	if (n > 63)
		return SHOAL_ERR_RANGE;
	*out = n;
	return 0;
}

static int port_of(const char *text, uint16_t *port)
{
	uint32_t n;
	int rc = shoal_options_count(text, &n);
	if (rc < 0)
		return rc;
	if (n > UINT16_MAX)
		return SHOAL_ERR_RANGE;
	*port = (uint16_t)n;
	return 0;
}

static int listen_add(struct shoal_opt_listen *out, const char *host, uint16_t port)
{
	if (out->count == SHOAL_LISTEN_MAX)
		return SHOAL_ERR_RANGE;
	int rc = shoal_addr_host(host, port, &out->addr[out->count]);
	out->count += rc == 0;
	return rc;
}

int shoal_options_listen(const char *text, struct shoal_opt_listen *out)
{
	char host[SHOAL_HOST_MAX];
	uint16_t port;
	const char *colon = strrchr(text, ':');
	if (colon == NULL || (size_t)(colon - text) >= sizeof host)
		return SHOAL_ERR_MALFORMED;
	int rc = port_of(colon + 1, &port);
	if (rc < 0)
		return rc;
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	if (host[0] == '\0' || strcmp(host, "*") == 0) {
		rc = listen_add(out, "0.0.0.0", port);
		return rc < 0 ? rc : listen_add(out, "::", port);
	}
	if (strchr(host, ':') && host[0] != '[')
		return SHOAL_ERR_MALFORMED; /* ::1:6881 could be read two ways */
	return listen_add(out, host, port);
}

int shoal_opt_list_add(struct shoal_opt_list *list, const char *text)
{
	/* Doubles at each power of two. */
	if ((list->count & (list->count + 1)) == 0 || list->at == NULL) {
		const char **more = realloc(list->at, (list->count * 2 + 2) * sizeof *more);
		if (more == NULL)
			return SHOAL_ERR_NOMEM;
		list->at = more;
	}
	list->at[list->count++] = text;
	return 0;
}

void shoal_opt_list_fini(struct shoal_opt_list *list)
{
	free(list->at);
	*list = (struct shoal_opt_list){ 0 };
}

/* Whether `word` is one of "one|two|three": its index, or -1. */
static int among(const char *choices, const char *word)
{
	size_t len = strlen(word);
	for (int i = 0; choices; i++) {
		const char *bar = strchr(choices, '|');
		size_t n = bar ? (size_t)(bar - choices) : strlen(choices);
		if (n == len && memcmp(choices, word, n) == 0)
			return i;
		choices = bar ? bar + 1 : NULL;
	}
	return -1;
}

/* ---- --help ------------------------------------------------------------------------- */
static void print_row(const struct shoal_opt *o)
{
	char left[80];
	if (o->kind == SHOAL_OPT_HEADING) {
		printf("\n%s\n", o->help);
		return;
	}
	char letter[8] = "    ";
	if (o->letter)
		snprintf(letter, sizeof letter, "-%c, ", o->letter);
	int n = snprintf(left, sizeof left, "  %s--%s%s%s", letter, o->name, o->arg ? " " : "", o->arg ? o->arg : "");
	/* What does not fit its column has a line of its own. */
	if (n + 2 > HELP_COLUMN)
		printf("%s\n%*s%s\n", left, HELP_COLUMN, "", o->help);
	else
		printf("%-*s%s\n", HELP_COLUMN, left, o->help);
}

static void print_help(const struct shoal_tool *tool, const struct shoal_opt_page *page,
		       const struct shoal_opt *const tables[])
{
	bool headed = false;
	printf("usage: shoal %s %s\n\n%s\n", tool->command, page->usage, page->about);
	for (size_t t = 0; t < TABLES_MAX && tables[t]; t++) {
		for (const struct shoal_opt *o = tables[t]; o->kind != SHOAL_OPT_END; o++) {
			if (!o->help) /* rows without words are spoken, and not advertised */
				continue;
			if (!headed && o->kind != SHOAL_OPT_HEADING) /* a command may have none of its own */
				printf("\noptions:\n");
			headed = true;
			print_row(o);
		}
	}
	if (page->examples)
		printf("\nexamples:\n%s\n", page->examples);
}

/* ---- parsing ------------------------------------------------------------------------ */
static bool takes_value(const struct shoal_opt *o)
{
	switch (o->kind) {
	case SHOAL_OPT_FLAG:
	case SHOAL_OPT_NO:
	case SHOAL_OPT_OFF: return false;
	case SHOAL_OPT_UNBUILT: return o->arg != NULL;
	default: return true;
	}
}

static int complain(struct shoal_tool *tool, int err, const struct shoal_opt *o, const char *value)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	static const char *const wants[] = {
		[SHOAL_OPT_SIZE] = "a size such as 64K, 4M or 1G",
		[SHOAL_OPT_RATE] = "a rate such as 500K or 2M (bytes a second)",
		[SHOAL_OPT_COUNT] = "a whole number",
		[SHOAL_OPT_SECONDS] = "a number of seconds",
		[SHOAL_OPT_DSCP] = "a number up to 63 or a class: LE, CS0 to CS7, AF11 to AF43, EF, VA",
		[SHOAL_OPT_LISTEN] = "ADDR:PORT or [ADDR]:PORT, at most 16 of them",
		[SHOAL_OPT_PEER] = "HOST:PORT",
	};
	if (err == SHOAL_ERR_NOMEM)
		return err;
	shoal_say_cstr(value, shown);
	if (o->kind == SHOAL_OPT_CHOICE)
		shoal_say_fail(tool, SHOAL_ERR_USAGE, "--%s %s: it takes one of %s", o->name, shown, o->arg);
	else
		shoal_say_fail(tool, SHOAL_ERR_USAGE, "--%s %s: %s; it takes %s", o->name, shown,
			       err == SHOAL_ERR_RANGE ? "too much" : "not understood", wants[o->kind]);
	return SHOAL_ERR_USAGE;
}

static int check_peer(const char *text)
{
	char host[SHOAL_HOST_MAX];
	uint16_t port;
	return shoal_addr_split(shoal_bytes(text, strlen(text)), host, &port);
}

static int unbuilt(struct shoal_tool *tool, const char *name, const char *value)
{
	shoal_say_fail(tool, SHOAL_ERR_USAGE, "--%s%s%s is not built yet", name, value ? " " : "", value ? value : "");
	return SHOAL_ERR_USAGE;
}

static int set_value(struct shoal_tool *tool, const struct shoal_opt *o, const char *value)
{
	int rc = 0;
	switch (o->kind) {
	case SHOAL_OPT_FLAG: *(bool *)o->to = true; break;
	case SHOAL_OPT_NO: *(bool *)o->to = false; break;
	case SHOAL_OPT_TEXT: *(const char **)o->to = value; break;
	case SHOAL_OPT_LIST: rc = shoal_opt_list_add(o->to, value); break;
	case SHOAL_OPT_SIZE:
	case SHOAL_OPT_RATE: rc = shoal_options_size(value, o->to); break;
	case SHOAL_OPT_COUNT: rc = shoal_options_count(value, o->to); break;
	case SHOAL_OPT_SECONDS: rc = shoal_options_seconds(value, o->to); break;
	case SHOAL_OPT_DSCP: rc = shoal_options_dscp(value, o->to); break;
	case SHOAL_OPT_LISTEN: rc = shoal_options_listen(value, o->to); break;
	case SHOAL_OPT_PEER:
		rc = check_peer(value);
		if (rc == 0)
			rc = shoal_opt_list_add(o->to, value);
		break;
	case SHOAL_OPT_CHOICE:
		if (o->unbuilt && among(o->unbuilt, value) >= 0)
			return unbuilt(tool, o->name, value);
		rc = among(o->arg, value);
		if (rc >= 0 && o->to)
			*(int *)o->to = rc;
		rc = rc < 0 ? SHOAL_ERR_MALFORMED : 0;
		break;
	case SHOAL_OPT_UNBUILT: return unbuilt(tool, o->name, NULL);
	default: break;
	}
	return rc < 0 ? complain(tool, rc, o, value) : 0;
}

/* What getopt_long could not make sense of. */
static int misused(struct shoal_tool *tool, int got, char **argv, const struct shoal_opt *const row[])
{
	char shown[SHOAL_SAY_TEXT_MAX];
	if (optopt >= LONG_BASE) {
		shoal_say_fail(tool, SHOAL_ERR_USAGE, got == ':' ? "--%s needs a value" : "--%s takes no value",
			       row[optopt - LONG_BASE]->name);
	} else if (got == ':') {
		shoal_say_fail(tool, SHOAL_ERR_USAGE, "-%c needs a value", optopt);
	} else if (optopt) {
		char letter[3] = { '-', (char)optopt, '\0' };
		shoal_say_fail(tool, SHOAL_ERR_USAGE, "unknown option %s; see shoal %s --help",
			       shoal_say_cstr(letter, shown), tool->command);
	} else {
		shoal_say_fail(tool, SHOAL_ERR_USAGE, "unknown option %s; see shoal %s --help",
			       shoal_say_cstr(argv[optind - 1], shown), tool->command);
	}
	return SHOAL_ERR_USAGE;
}

static const struct shoal_opt help_row = { .kind = SHOAL_OPT_OFF, .name = "help", .letter = 'h' };

/* The rows of all tables, side by side, and the shapes getopt_long wants. */
struct shape {
	const struct shoal_opt *row[ROWS_MAX];
	struct option lng[ROWS_MAX + 1];
	char shrt[ROWS_MAX * 2 + 3];
	size_t rows;
};

static void shape_add(struct shape *s, const struct shoal_opt *o)
{
	if (o->kind == SHOAL_OPT_HEADING || s->rows == ROWS_MAX)
		return;
	s->lng[s->rows] = (struct option){ o->name, takes_value(o) ? required_argument : no_argument, NULL,
					   LONG_BASE + (int)s->rows };
	if (o->letter) {
		size_t n = strlen(s->shrt);
		s->shrt[n] = o->letter;
		s->shrt[n + 1] = takes_value(o) ? ':' : '\0';
	}
	s->row[s->rows++] = o;
}

static void shape_of(struct shape *s, const struct shoal_opt *const tables[])
{
	*s = (struct shape){ .shrt = "-:" }; /* arguments in their place as option 1; ':' for missing values */
	shape_add(s, &help_row);
	for (size_t t = 0; t < TABLES_MAX && tables[t]; t++) {
		for (const struct shoal_opt *o = tables[t]; o->kind != SHOAL_OPT_END; o++)
			shape_add(s, o);
	}
}

static const struct shoal_opt *row_of(const struct shape *s, int got)
{
	if (got >= LONG_BASE)
		return s->row[got - LONG_BASE];
	for (size_t i = 0; i < s->rows; i++) {
		if (s->row[i]->letter == got)
			return s->row[i];
	}
	return NULL;
}

int shoal_options_parse(struct shoal_tool *tool, const struct shoal_opt_page *page,
			const struct shoal_opt *const tables[], int argc, char **argv, struct shoal_opt_list *args)
{
	struct shape shape;
	int got, rc = 0;
	shape_of(&shape, tables);
	opterr = 0;
	optind = 0; /* start over, and look at "-" anew */
	while ((got = getopt_long(argc, argv, shape.shrt, shape.lng, NULL)) != -1) {
		if (got == 1) {
			rc = shoal_opt_list_add(args, optarg);
		} else if (got == '?' || got == ':') {
			return misused(tool, got, argv, shape.row);
		} else {
			const struct shoal_opt *o = row_of(&shape, got);
			if (o == &help_row) {
				print_help(tool, page, tables);
				return 1;
			}
			rc = o ? set_value(tool, o, optarg) : SHOAL_ERR_USAGE;
		}
		if (rc < 0)
			return rc;
	}
	for (int i = optind; rc == 0 && i < argc; i++)
		rc = shoal_opt_list_add(args, argv[i]);
	return rc;
}
