/* tools/say.c - errors, warnings, results and events, each to the place it belongs. */
#include "tools/say.h"

#include "proto/base/bytes.h"
#include "proto/text.h"
#include "tools/options.h"
#include "tools/progress.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { COLOR_AUTO, COLOR_NEVER, COLOR_ALWAYS };
#define RED "\x1b[31m"
#define YELLOW "\x1b[33m"
#define PLAIN "\x1b[0m"
#define LINE_MAX_BYTES 8192

int shoal_say_parse(struct shoal_tool *tool, const struct shoal_opt_page *page, const struct shoal_opt *const own[],
		    int argc, char **argv, struct shoal_opt_list *args)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
	bool dumb = term == NULL || strcmp(term, "dumb") == 0;
	/* clang-format off */
	const struct shoal_opt every[] = {
		{ SHOAL_OPT_HEADING, .help = "everywhere:" },
		{ SHOAL_OPT_FLAG, "json", 0, &tool->json, NULL, NULL, "one JSON object per line on stdout" },
		{ SHOAL_OPT_FLAG, "quiet", 'q', &tool->quiet, NULL, NULL, "no progress, no remarks: results and errors" },
		{ SHOAL_OPT_CHOICE, "log", 0, &tool->log, "error|warn|info|debug", NULL, "how much to tell on stderr" },
		{ SHOAL_OPT_CHOICE, "color", 0, &tool->color, "auto|never|always", NULL, "colours on stderr" },
		{ .kind = SHOAL_OPT_END },
	};
	/* clang-format on */
	const struct shoal_opt *tables[SHOAL_SAY_TABLES_MAX + 2] = { NULL };
	size_t n = 0;
	for (; own[n] != NULL; n++) {
		assert(n < SHOAL_SAY_TABLES_MAX);
		tables[n] = own[n];
	}
	tables[n] = every;
	int rc = shoal_options_parse(tool, page, tables, argc, argv, args);
	tool->tty = isatty(STDERR_FILENO) && !dumb;
	tool->paint = tool->color == COLOR_ALWAYS ||
		      (tool->color == COLOR_AUTO && tool->tty && (no_color == NULL || no_color[0] == '\0'));
	return rc;
}

void shoal_say_fini(struct shoal_tool *tool)
{
	shoal_json_fini(&tool->out);
}

const char *shoal_say_text(struct shoal_bytes raw, char out[SHOAL_SAY_TEXT_MAX])
{
	shoal_text_escape(raw, (struct shoal_space){ (uint8_t *)out, SHOAL_SAY_TEXT_MAX });
	return out;
}

const char *shoal_say_cstr(const char *raw, char out[SHOAL_SAY_TEXT_MAX])
{
	return shoal_say_text(shoal_bytes(raw, strlen(raw)), out);
}

const char *shoal_say_hex(const uint8_t *at, size_t len, char *out)
{
	shoal_hex_encode(shoal_bytes(at, len), out);
	return out;
}

static shoal_us now_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (shoal_us)ts.tv_sec * 1000000 + (shoal_us)ts.tv_nsec / 1000;
}

struct shoal_json *shoal_say_event(struct shoal_tool *tool, const char *event, shoal_us t)
{
	shoal_json_begin(&tool->out);
	shoal_json_us(&tool->out, "t", t ? t : now_us());
	shoal_json_text(&tool->out, "event", event);
	return &tool->out;
}

/* A reader that has gone away ends us by SIGPIPE, where that is not ignored; no failure to write passes for success. */
static void unheard(struct shoal_tool *tool, int err, const char *why)
{
	fprintf(stderr, "shoal%s%s: cannot write to stdout: %s\n", tool->command ? " " : "",
		tool->command ? tool->command : "", why);
	if (!tool->finishes)
		_exit(SHOAL_EXIT_STORAGE);
	tool->broken = err;
}

void shoal_say_event_end(struct shoal_tool *tool)
{
	int rc = tool->broken < 0 ? 0 : shoal_json_write(&tool->out, STDOUT_FILENO);
	if (rc < 0)
		unheard(tool, rc, rc == SHOAL_ERR_IO ? strerror(errno) : shoal_err_name(rc));
}

void shoal_say_flush(struct shoal_tool *tool)
{
	int os = fflush(stdout) != 0 ? errno : ferror(stdout) ? EIO : 0; /* or lost before, when its buffer was full */
	if (os != 0 && tool->broken == 0)
		unheard(tool, SHOAL_ERR_IO, strerror(os));
}

/* One line to stderr, around the progress rows, in one write. */
static void line(struct shoal_tool *tool, const char *color, const char *tag, const char *what)
{
	char out[LINE_MAX_BYTES];
	bool paint = tool->paint && color;
	if (tool->progress)
		shoal_progress_clear(tool->progress);
	snprintf(out, sizeof out, "shoal%s%s: %s%s%s%s\n", tool->command ? " " : "", tool->command ? tool->command : "",
		 paint ? color : "", tag, paint ? PLAIN : "", what);
	fputs(out, stderr);
}

__attribute__((format(printf, 4, 0))) static int vfail(struct shoal_tool *tool, int code, int err, const char *fmt,
						       va_list ap)
{
	char what[LINE_MAX_BYTES / 2];
	vsnprintf(what, sizeof what, fmt, ap);
	fflush(stdout);
	line(tool, RED, tool->paint ? "error: " : "", what);
	if (tool->json) {
		struct shoal_json *j = shoal_say_event(tool, "error", 0);
		shoal_json_text(j, "code", shoal_err_name(err));
		shoal_json_int(j, "exit", code);
		shoal_json_text(j, "what", what);
		shoal_say_event_end(tool);
	}
	return code;
}

int shoal_say_fail(struct shoal_tool *tool, int err, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int code = vfail(tool, shoal_exit_of(err), err, fmt, ap);
	va_end(ap);
	return code;
}

int shoal_say_fail_as(struct shoal_tool *tool, int code, int err, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vfail(tool, code, err, fmt, ap);
	va_end(ap);
	return code;
}

void shoal_say_warn(struct shoal_tool *tool, const char *torrent, const char *fmt, ...)
{
	char what[LINE_MAX_BYTES / 2];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	if (tool->json) {
		struct shoal_json *j = shoal_say_event(tool, "warning", 0);
		if (torrent)
			shoal_json_text(j, "torrent", torrent);
		shoal_json_text(j, "what", what);
		shoal_say_event_end(tool);
	}
	if (!tool->quiet && tool->log >= SHOAL_LOG_WARN)
		line(tool, YELLOW, "warning: ", what);
}

void shoal_say_log(struct shoal_tool *tool, int level, const char *fmt, ...)
{
	char what[LINE_MAX_BYTES / 2];
	va_list ap;
	if (tool->log < level)
		return;
	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	line(tool, NULL, "", what);
}

__attribute__((format(printf, 2, 0))) static void put_line(struct shoal_tool *tool, const char *fmt, va_list ap)
{
	if (tool->progress)
		shoal_progress_clear(tool->progress);
	vprintf(fmt, ap);
	putchar('\n');
	shoal_say_flush(tool); /* a pipe's reader wants it now */
}

void shoal_say(struct shoal_tool *tool, const char *fmt, ...)
{
	va_list ap;
	if (tool->json || tool->quiet)
		return;
	va_start(ap, fmt);
	put_line(tool, fmt, ap);
	va_end(ap);
}

void shoal_say_result(struct shoal_tool *tool, const char *fmt, ...)
{
	va_list ap;
	if (tool->json)
		return;
	va_start(ap, fmt);
	put_line(tool, fmt, ap);
	va_end(ap);
}
