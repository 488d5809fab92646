/* tracker.c - see tracker.h. */
#include "tools/lab/real/tracker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "tools/lab/real/wires.h"

#define PEERS_MAX 1000u /* of one answer: 6 bytes each fit beside the rest */
#define HEAD_MAX 512u

int lab_tracker_init(struct lab_tracker *t, unsigned nodes, unsigned told_max, uint64_t seed)
{
	*t = (struct lab_tracker){ .node = calloc(nodes, sizeof *t->node),
				   .nodes = nodes,
				   .told_max = told_max < PEERS_MAX ? told_max : PEERS_MAX,
				   .dice = shoal_rng_split(seed, 1) };
	return t->node != NULL ? 0 : SHOAL_ERR_NOMEM;
}

void lab_tracker_fini(struct lab_tracker *t)
{
	free(t->node);
	*t = (struct lab_tracker){ 0 };
}

void lab_tracker_forget(struct lab_tracker *t, unsigned node)
{
	t->node[node] = (struct lab_tracker_node){ 0 };
}

/* ---- the request ------------------------------------------------------------------------------ */

/* The value of `key` in a query; false: it is not there. Percent signs are left as they are: none of ours has any. */
static bool value_of(struct shoal_bytes query, const char *key, struct shoal_bytes *out)
{
	size_t n = strlen(key), at = 0;
	while (at < query.len) {
		const uint8_t *end = memchr(query.at + at, '&', query.len - at);
		size_t len = end != NULL ? (size_t)(end - query.at) - at : query.len - at;
		if (len > n && query.at[at + n] == '=' && memcmp(query.at + at, key, n) == 0) {
			*out = shoal_bytes(query.at + at + n + 1, len - n - 1);
			return true;
		}
		at += len + 1;
	}
	return false;
}

static bool number_of(struct shoal_bytes query, const char *key, uint64_t *out)
{
	struct shoal_bytes text;
	uint64_t v = 0;
	if (!value_of(query, key, &text) || text.len == 0 || text.len > 19)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(text.at[i] - '0');
	}
	*out = v;
	return true;
}

static bool is_event(struct shoal_bytes query, const char *name)
{
	struct shoal_bytes text;
	return value_of(query, "event", &text) && text.len == strlen(name) && memcmp(text.at, name, text.len) == 0;
}

/* The query of "GET /announce?QUERY HTTP/1.1"; false: it is something else. */
static bool query_of(struct shoal_bytes request, struct shoal_bytes *query)
{
	static const char lead[] = "GET /announce?";
	size_t n = sizeof lead - 1;
	if (request.len < n || memcmp(request.at, lead, n) != 0)
		return false;
	size_t end = n;
	while (end < request.len && request.at[end] != ' ' && request.at[end] != '\r' && request.at[end] != '\n')
		end++;
	*query = shoal_bytes(request.at + n, end - n);
	return end < request.len && request.at[end] == ' ';
}

/* ---- the answer ------------------------------------------------------------------------------- */

/* Draws some of the others that are there; 6 bytes each. */
static size_t draw_peers(struct lab_tracker *t, unsigned from, unsigned wanted, uint8_t *out)
{
	unsigned there = 0, given = 0;
	for (unsigned i = 0; i < t->nodes; i++)
		there += i != from && t->node[i].port != 0;
	/* Each of those left with the same chance: exactly as many as there shall be. */
	for (unsigned i = 0, left = there; i < t->nodes && given < wanted; i++) {
		if (i == from || t->node[i].port == 0)
			continue;
		unsigned open = wanted < there ? wanted - given : left;
		if (shoal_rng_below(&t->dice, left--) >= open)
			continue;
		shoal_put_u32(out + 6 * (size_t)given, lab_wires_address(i));
		shoal_put_u16(out + 6 * (size_t)given + 4, t->node[i].port);
		given++;
	}
	return given * 6u;
}

static size_t respond(uint8_t *out, const char *status, const uint8_t *body, size_t len)
{
	int n = snprintf((char *)out, HEAD_MAX,
			 "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
			 status, len);
	memcpy(out + n, body, len);
	return (size_t)n + len;
}

static enum lab_tracker_news note(struct lab_tracker *t, unsigned from, struct shoal_bytes query, uint16_t port)
{
	uint64_t left = 1;
	(void)number_of(query, "left", &left);
	if (is_event(query, "stopped")) {
		lab_tracker_forget(t, from);
		return LAB_TRACKER_LEFT;
	}
	t->node[from] = (struct lab_tracker_node){ port, left == 0 };
	return left == 0 || is_event(query, "completed") ? LAB_TRACKER_SEEDS : LAB_TRACKER_HERE;
}

size_t lab_tracker_answer(struct lab_tracker *t, unsigned from, struct shoal_bytes request,
			  uint8_t out[LAB_TRACKER_ANSWER_MAX], enum lab_tracker_news *news)
{
	uint8_t body[6 * PEERS_MAX + 160];
	struct shoal_bytes query;
	uint64_t port, wanted = t->told_max;
	*news = LAB_TRACKER_NONE;
	if (memmem(request.at, request.len, "\r\n\r\n", 4) == NULL && request.len < LAB_TRACKER_REQUEST_MAX)
		return 0;
	if (from >= t->nodes || !query_of(request, &query) || !number_of(query, "port", &port) || port == 0 ||
	    port > UINT16_MAX)
		return respond(out, "400 Bad Request", (const uint8_t *)"no announce\n", 12);
	*news = note(t, from, query, (uint16_t)port);
	uint64_t asked;
	if (number_of(query, "numwant", &asked) && asked < wanted)
		wanted = asked;
	if (*news == LAB_TRACKER_LEFT)
		wanted = 0;
	unsigned seeds = 0, leeches = 0;
	for (unsigned i = 0; i < t->nodes; i++) {
		seeds += t->node[i].port != 0 && t->node[i].seed;
		leeches += t->node[i].port != 0 && !t->node[i].seed;
	}
	uint8_t peers[6 * PEERS_MAX];
	size_t len = draw_peers(t, from, (unsigned)wanted, peers);
	int n = snprintf((char *)body, sizeof body, "d8:completei%ue10:incompletei%ue8:intervali%ue5:peers%zu:", seeds,
			 leeches, LAB_TRACKER_INTERVAL_S, len);
	memcpy(body + n, peers, len);
	body[(size_t)n + len] = 'e';
	return respond(out, "200 OK", body, (size_t)n + len + 1);
}
