/*
 * tools/say.h - what every subcommand knows about its surroundings, and how it speaks.
 *
 * Results go to stdout, everything else to stderr. With --json, stdout has JSON lines
 * and nothing else. Whatever a stranger named passes shoal_say_text()
 * on its way to a terminal.
 */
#ifndef SHOAL_TOOLS_SAY_H
#define SHOAL_TOOLS_SAY_H

#include "tools/exit.h"
#include "tools/json.h"

#include <shoal/types.h>

enum shoal_log { SHOAL_LOG_ERROR, SHOAL_LOG_WARN, SHOAL_LOG_INFO, SHOAL_LOG_DEBUG };

struct shoal_opt;
struct shoal_opt_list;
struct shoal_opt_page;
struct shoal_progress;

struct shoal_tool {
	const char *command; /* "get" */
	bool json, quiet;
	int log;			 /* enum shoal_log */
	int color;			 /* auto, never, always */
	bool tty;			 /* stderr is a terminal that understands us */
	bool paint;			 /* and may be coloured */
	struct shoal_progress *progress; /* lines on that terminal to keep out of the way of; NULL: none */
	struct shoal_json out;		 /* the line being built */
	bool finishes; /* when stdout takes no more, whoever runs sees `broken`, and ends in good order; else we leave at once */
	int broken; /* 0, or why it takes no more: it has been said, and no event is written then */
};

/* shoal_options_parse() of a command's own tables (NULL ends the list) and of the options that every command has; then
 * looks at the terminal. */
#define SHOAL_SAY_TABLES_MAX 3 /* of its own */
SHOAL_MUST int shoal_say_parse(struct shoal_tool *tool, const struct shoal_opt_page *page,
			       const struct shoal_opt *const own[], int argc, char **argv, struct shoal_opt_list *args);
void shoal_say_fini(struct shoal_tool *tool);

/* "shoal get: what" to stderr and, with --json, an error event. Returns shoal_exit_of(err). */
int shoal_say_fail(struct shoal_tool *tool, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The same with an exit code of the caller's choosing. */
int shoal_say_fail_as(struct shoal_tool *tool, int code, int err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* "shoal get: warning: what", and a warning event; not when quiet. `torrent`: hex of its hash, or NULL. */
void shoal_say_warn(struct shoal_tool *tool, const char *torrent, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* To stderr at that --log level. */
void shoal_say_log(struct shoal_tool *tool, int level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* A line of the result, to stdout; not with --json or --quiet. */
void shoal_say(struct shoal_tool *tool, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* One without which there is no result: with --quiet, too. */
void shoal_say_result(struct shoal_tool *tool, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* What was printed by other means goes out now. */
void shoal_say_flush(struct shoal_tool *tool);

/* A stranger's bytes made safe to show, cut to fit; returns `out`. */
#define SHOAL_SAY_TEXT_MAX 1024
const char *shoal_say_text(struct shoal_bytes raw, char out[SHOAL_SAY_TEXT_MAX]);
const char *shoal_say_cstr(const char *raw, char out[SHOAL_SAY_TEXT_MAX]);
/* "aa..ff", NUL-ended; `out` takes 2 * len + 1. Returns it. */
const char *shoal_say_hex(const uint8_t *at, size_t len, char *out);

/* An event with t (now, or `t` when not 0) begun in tool->out: add to it, then end it. */
struct shoal_json *shoal_say_event(struct shoal_tool *tool, const char *event, shoal_us t);
void shoal_say_event_end(struct shoal_tool *tool);

#endif
