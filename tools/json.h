/*
 * tools/json.h - one JSON object a line, built in memory and written at once.
 *
 * Strings may hold any bytes: UTF-8 goes as it is, except for what could
 * steer a terminal (controls, line separators, bidi marks), which is escaped.
 * A byte that is no UTF-8 becomes the lone surrogate \udcXX, as Python's
 * "surrogateescape" has it: nothing is lost, and os.fsencode() gives the name back.
 * Errors stick, and show at shoal_json_write().
 */
#ifndef SHOAL_TOOLS_JSON_H
#define SHOAL_TOOLS_JSON_H

#include <shoal/types.h>

#define SHOAL_JSON_DEPTH_MAX 16

struct shoal_json {
	char *at; /* heap; kept for the next line */
	size_t len, room;
	char close[SHOAL_JSON_DEPTH_MAX]; /* what ends each open level */
	size_t depth;
	bool more; /* a comma is due before the next value */
	int err;
};

void shoal_json_fini(struct shoal_json *j);
/* Opens the line's object; forgets what was there. */
void shoal_json_begin(struct shoal_json *j);
/* `key` is NULL within an array. Keys are ours: plain ASCII. */
void shoal_json_str(struct shoal_json *j, const char *key, struct shoal_bytes value);
void shoal_json_text(struct shoal_json *j, const char *key, const char *value); /* NULL: null */
void shoal_json_hex(struct shoal_json *j, const char *key, const uint8_t *at, size_t len);
void shoal_json_int(struct shoal_json *j, const char *key, int64_t value);
void shoal_json_u64(struct shoal_json *j, const char *key, uint64_t value);
void shoal_json_us(struct shoal_json *j, const char *key, shoal_us value); /* seconds, six decimals */
void shoal_json_real(struct shoal_json *j, const char *key, double value); /* twelve digits; null when not finite */
void shoal_json_bool(struct shoal_json *j, const char *key, bool value);
void shoal_json_null(struct shoal_json *j, const char *key);
void shoal_json_object(struct shoal_json *j, const char *key);
void shoal_json_array(struct shoal_json *j, const char *key);
void shoal_json_end(struct shoal_json *j); /* of the innermost object or array */
/* Ends every level and the line; the text is at/len, not NUL-ended. 0 or NOMEM. */
int shoal_json_done(struct shoal_json *j);
/* done(), then writes the line in one go. 0, NOMEM, or IO with errno. */
int shoal_json_write(struct shoal_json *j, int fd);

#endif
