/*
 * tools/options.h - the command line of every subcommand, from one table each.
 *
 * A row of the table is an option: how it is written, what it takes, where its
 * value goes, what --help says of it. Parsing and --help both walk the table.
 * Options and arguments mix freely, "--" ends options. What is not
 * known, and what asks for something not built yet, ends with exit code 2 and
 * a line that names it; what switches an unbuilt thing off is good.
 */
#ifndef SHOAL_TOOLS_OPTIONS_H
#define SHOAL_TOOLS_OPTIONS_H

#include <shoal/engine.h>

struct shoal_tool;

enum shoal_opt_kind {
	SHOAL_OPT_END,
	SHOAL_OPT_FLAG,	   /* bool * */
	SHOAL_OPT_NO,	   /* bool *: cleared */
	SHOAL_OPT_TEXT,	   /* const char ** */
	SHOAL_OPT_LIST,	   /* struct shoal_opt_list *: one more each time */
	SHOAL_OPT_SIZE,	   /* uint64_t *: 64K 4M 1G, powers of 1024 */
	SHOAL_OPT_RATE,	   /* uint64_t *: the same a second */
	SHOAL_OPT_COUNT,   /* uint32_t * */
	SHOAL_OPT_SECONDS, /* shoal_us * */
	SHOAL_OPT_CHOICE,  /* int *: index in `arg`, "one|two|three" */
	SHOAL_OPT_DSCP,	   /* uint32_t *: 0 to 63, or a class by name */
	SHOAL_OPT_LISTEN,  /* struct shoal_opt_listen * */
	SHOAL_OPT_PEER,	   /* struct shoal_opt_list *, each checked to be HOST:PORT */
	SHOAL_OPT_OFF,	   /* switches off what is not there: nothing to do */
	SHOAL_OPT_UNBUILT, /* asks for what is not there; takes a value when `arg` is set */
	SHOAL_OPT_HEADING, /* --help only: `help` over the rows that follow */
};

struct shoal_opt_list {
	const char **at; /* the array is ours, the texts are argv's */
	size_t count;
};
struct shoal_opt_listen {
	struct shoal_addr addr[SHOAL_LISTEN_MAX];
	size_t count;
};

struct shoal_opt {
	enum shoal_opt_kind kind;
	const char *name; /* without the dashes */
	char letter;	  /* 0: none */
	void *to;
	const char *arg;     /* what it takes, for --help: "DIR" */
	const char *unbuilt; /* CHOICE: the values that are not built yet, "|" between */
	const char *help;
};

/* What --help says besides the options. */
struct shoal_opt_page {
	const char *usage;    /* "TORRENT [-d DIR]": after "shoal NAME " */
	const char *about;    /* a paragraph */
	const char *examples; /* lines; NULL: none */
};

/*
 * Parses argv[1..] by up to four tables (NULL ends the list of tables; each ends with END). What is no option goes
 * to `args`. 0: go on. 1: --help was asked for and printed: leave with 0. SHOAL_ERR_USAGE: said why on stderr. NOMEM.
 */
SHOAL_MUST int shoal_options_parse(struct shoal_tool *tool, const struct shoal_opt_page *page,
				   const struct shoal_opt *const tables[], int argc, char **argv,
				   struct shoal_opt_list *args);
void shoal_opt_list_fini(struct shoal_opt_list *list);
SHOAL_MUST int shoal_opt_list_add(struct shoal_opt_list *list, const char *text);

/* The values by themselves: 0, or MALFORMED (RANGE when too big). */
SHOAL_MUST int shoal_options_size(const char *text, uint64_t *out);
SHOAL_MUST int shoal_options_count(const char *text, uint32_t *out);
SHOAL_MUST int shoal_options_seconds(const char *text, shoal_us *out);
/* A code point of RFC 2474: its number, or its name in any case (CS0 to CS7, AF11 to AF43, EF, VA, LE). */
SHOAL_MUST int shoal_options_dscp(const char *text, uint32_t *out);
/* ADDR:PORT, [ADDR]:PORT, :PORT (all addresses, both families); port 0 is any. Adds to the list; RANGE when full. */
SHOAL_MUST int shoal_options_listen(const char *text, struct shoal_opt_listen *out);

#endif
