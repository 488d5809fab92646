/* tools/json.c - builds lines of JSON; see the header for what happens to odd bytes. */
#include "tools/json.h"

#include "proto/base/bytes.h"
#include "proto/text.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void put(struct shoal_json *j, const char *at, size_t n)
{
	if (j->err < 0)
		return;
	if (n > j->room - j->len) {
		size_t wider = (j->len + n) * 2 + 256;
		char *more = realloc(j->at, wider);
		if (more == NULL) {
			j->err = SHOAL_ERR_NOMEM;
			return;
		}
		j->at = more;
		j->room = wider;
	}
	memcpy(j->at + j->len, at, n);
	j->len += n;
}

static void put_text(struct shoal_json *j, const char *text)
{
	put(j, text, strlen(text));
}

static void put_key(struct shoal_json *j, const char *key)
{
	if (j->more)
		put(j, ",", 1);
	j->more = true;
	if (key) {
		put(j, "\"", 1);
		put_text(j, key);
		put(j, "\":", 2);
	}
}

/* Characters a terminal obeys instead of showing, or that hide what stands next to them. */
static bool steers(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
	       (c >= 0xfff0 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe0fff);
}

static void put_escape(struct shoal_json *j, uint32_t code)
{
	char hex[16];
	if (code > 0xffff) {
		code -= 0x10000;
		snprintf(hex, sizeof hex, "\\u%04x\\u%04x", 0xd800u + (code >> 10), 0xdc00u + (code & 0x3ff));
	} else {
		snprintf(hex, sizeof hex, "\\u%04x", code);
	}
	put_text(j, hex);
}

static void put_string(struct shoal_json *j, struct shoal_bytes s)
{
	size_t from = 0, i = 0;
	put(j, "\"", 1);
	while (i < s.len) {
		uint32_t code = 0;
		size_t n = shoal_utf8_next(shoal_bytes(s.at + i, s.len - i), &code);
		if (n > 0 && code != '"' && code != '\\' && !steers(code)) {
			i += n;
			continue;
		}
		put(j, (const char *)s.at + from, i - from);
		if (n == 0)
			put_escape(j, 0xdc00u + s.at[i]);
		else if (code == '"' || code == '\\')
			put(j, code == '"' ? "\\\"" : "\\\\", 2);
		else
			put_escape(j, code);
		i += n ? n : 1;
		from = i;
	}
	if (i > from)
		put(j, (const char *)s.at + from, i - from);
	put(j, "\"", 1);
}

void shoal_json_fini(struct shoal_json *j)
{
	free(j->at);
	*j = (struct shoal_json){ 0 };
}

static void open_level(struct shoal_json *j, char opens, char closes)
{
	assert(j->depth < SHOAL_JSON_DEPTH_MAX);
	put(j, &opens, 1);
	j->close[j->depth++] = closes;
	j->more = false;
}

void shoal_json_begin(struct shoal_json *j)
{
	j->len = j->depth = 0;
	j->err = 0;
	open_level(j, '{', '}');
}

void shoal_json_str(struct shoal_json *j, const char *key, struct shoal_bytes value)
{
	put_key(j, key);
	put_string(j, value);
}

void shoal_json_text(struct shoal_json *j, const char *key, const char *value)
{
	if (value)
		shoal_json_str(j, key, shoal_bytes(value, strlen(value)));
	else
		shoal_json_null(j, key);
}

void shoal_json_hex(struct shoal_json *j, const char *key, const uint8_t *at, size_t len)
{
	put_key(j, key);
	put(j, "\"", 1);
	for (size_t i = 0; i < len; i++) {
		char two[3];
		shoal_hex_encode(shoal_bytes(at + i, 1), two);
		put(j, two, 2);
	}
	put(j, "\"", 1);
}

void shoal_json_int(struct shoal_json *j, const char *key, int64_t value)
{
	char text[24];
	snprintf(text, sizeof text, "%" PRId64, value);
	put_key(j, key);
	put_text(j, text);
}

void shoal_json_u64(struct shoal_json *j, const char *key, uint64_t value)
{
	char text[24];
	snprintf(text, sizeof text, "%" PRIu64, value);
	put_key(j, key);
	put_text(j, text);
}

void shoal_json_us(struct shoal_json *j, const char *key, shoal_us value)
{
	char text[40];
	snprintf(text, sizeof text, "%" PRIu64 ".%06u", value / 1000000, (unsigned)(value % 1000000));
	put_key(j, key);
	put_text(j, text);
}

void shoal_json_real(struct shoal_json *j, const char *key, double value)
{
	char text[40];
	if (!isfinite(value)) { /* JSON has no word for these */
		shoal_json_null(j, key);
		return;
	}
	snprintf(text, sizeof text, "%.12g", value + 0.0); /* never -0 */
	put_key(j, key);
	put_text(j, text);
}

void shoal_json_bool(struct shoal_json *j, const char *key, bool value)
{
	put_key(j, key);
	put_text(j, value ? "true" : "false");
}

void shoal_json_null(struct shoal_json *j, const char *key)
{
	put_key(j, key);
	put_text(j, "null");
}

void shoal_json_object(struct shoal_json *j, const char *key)
{
	put_key(j, key);
	open_level(j, '{', '}');
}

void shoal_json_array(struct shoal_json *j, const char *key)
{
	put_key(j, key);
	open_level(j, '[', ']');
}

void shoal_json_end(struct shoal_json *j)
{
	assert(j->depth > 0);
	put(j, &j->close[--j->depth], 1);
	j->more = true;
}

int shoal_json_done(struct shoal_json *j)
{
	while (j->depth > 0)
		shoal_json_end(j);
	put(j, "\n", 1);
	return j->err;
}

int shoal_json_write(struct shoal_json *j, int fd)
{
	int rc = shoal_json_done(j);
	for (size_t done = 0; rc == 0 && done < j->len;) {
		ssize_t n = write(fd, j->at + done, j->len - done);
		if (n < 0 && errno != EINTR)
			return SHOAL_ERR_IO;
		done += n > 0 ? (size_t)n : 0;
	}
	return rc;
}
