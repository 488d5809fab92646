/* hear.c - see hear.h. */
#include "tools/lab/real/hear.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	enum lab_heard_kind kind;
} events[] = {
	{ "progress", LAB_HEARD_PROGRESS }, { "complete", LAB_HEARD_COMPLETE }, { "peer_banned", LAB_HEARD_BANNED },
	{ "summary", LAB_HEARD_FIGURES },   { "error", LAB_HEARD_ERROR },
};

static uint64_t number_of(const json_t *o, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(o, key));
	return v > 0 ? (uint64_t)v : 0;
}

/* "10.77.0.3:6881" */
static uint32_t address_of(const char *text)
{
	char host[16];
	struct in_addr in;
	size_t len = text != NULL ? strcspn(text, ":") : sizeof host;
	if (len >= sizeof host)
		return 0;
	memcpy(host, text, len);
	host[len] = 0;
	return inet_pton(AF_INET, host, &in) == 1 ? ntohl(in.s_addr) : 0;
}

void lab_hear(struct shoal_bytes line, struct lab_heard *out)
{
	*out = (struct lab_heard){ .kind = LAB_HEARD_NOTHING };
	if (line.len == 0)
		return;
	json_t *o = line.at[0] == '{' && line.len <= LAB_HEAR_LINE_MAX
			    ? json_loadb((const char *)line.at, line.len, JSON_ALLOW_NUL, NULL)
			    : NULL;
	if (o == NULL) {
		out->kind = LAB_HEARD_NOISE;
		return;
	}
	const char *event = json_string_value(json_object_get(o, "event"));
	for (size_t i = 0; event != NULL && i < sizeof events / sizeof *events; i++)
		if (strcmp(event, events[i].name) == 0)
			out->kind = events[i].kind;
	if (out->kind != LAB_HEARD_NOTHING) {
		const char *what = json_string_value(json_object_get(o, "what"));
		out->done = number_of(o, "done");
		out->total = number_of(o, "total");
		out->wasted = number_of(o, "wasted");
		out->address = address_of(json_string_value(json_object_get(o, "addr")));
		snprintf(out->what, sizeof out->what, "%s", what != NULL ? what : "");
	}
	json_decref(o);
}
