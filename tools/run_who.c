/* tools/run_who.c - who did what: a table of peers at the end of a session. */
#include "swarm/io/addr.h"
#include "tools/human.h"
#include "tools/run.h"

#include <inttypes.h>
#include <stdlib.h>

#define ROWS 10
#define CLIENT_COLUMNS 24

static const char *const standings[] = {
	[SHOAL_STANDING_NONE] = "-",	      [SHOAL_STANDING_NEW] = "new",	     [SHOAL_STANDING_GOOD] = "good",
	[SHOAL_STANDING_TRUSTED] = "trusted", [SHOAL_STANDING_PAROLE] = "on parole", [SHOAL_STANDING_BANNED] = "banned",
};

static const char *standing_name(const struct shoal_peer_info *p)
{
	return p->standing < sizeof standings / sizeof *standings ? standings[p->standing] : "-";
}

const char *shoal_run_verdict(const struct shoal_peer_info *p)
{
	if (p->banned || p->standing == SHOAL_STANDING_BANNED)
		return "banned";
	if (p->false_blocks > 0 || p->spoiled > 0)
		return "lied";
	if (p->got == 0 && p->gave == 0)
		return p->wasted > 0 ? "wasted" : "idle";
	/* What is not a quarter of the other way is none to speak of. */
	if (p->got / 4 > p->gave)
		return "gave";
	return p->gave / 4 > p->got ? "took" : "traded";
}

static bool lied(const struct shoal_peer_info *p)
{
	return p->banned || p->standing >= SHOAL_STANDING_PAROLE || p->false_blocks > 0 || p->spoiled > 0;
}

static int in_order(const void *a, const void *b)
{
	const struct shoal_peer_info *x = &((const struct shoal_run_peer *)a)->info;
	const struct shoal_peer_info *y = &((const struct shoal_run_peer *)b)->info;
	if (lied(x) != lied(y))
		return lied(y) - lied(x);
	uint64_t p = x->got + x->gave, q = y->got + y->gave;
	return (p < q) - (p > q);
}

void shoal_run_who_sort(struct shoal_run_torrent *t)
{
	if (t->peer_count > 0)
		qsort(t->peer, t->peer_count, sizeof *t->peer, in_order);
}

static void say_row(struct shoal_tool *tool, const struct shoal_run_peer *p)
{
	char got[SHOAL_HUMAN_MAX], gave[SHOAL_HUMAN_MAX], wasted[SHOAL_HUMAN_MAX], addr[SHOAL_ADDR_TEXT_MAX];
	char client[sizeof p->client];
	shoal_say(tool, "  %-24s  %8s  %8s  %8s  %5" PRIu32 "  %-9s  %-7s  %s",
		  p->host[0] != '\0' ? p->host : shoal_addr_text(&p->info.addr, addr),
		  shoal_human_size(p->info.got, got), shoal_human_size(p->info.gave, gave),
		  shoal_human_size(p->info.wasted, wasted), p->info.false_blocks, standing_name(&p->info),
		  shoal_run_verdict(&p->info), shoal_human_fit(p->client, CLIENT_COLUMNS, client, sizeof client));
}

void shoal_run_who_say(struct shoal_tool *tool, const struct shoal_run_torrent *t)
{
	size_t rows = 0;
	for (size_t i = 0; i < t->peer_count; i++) {
		const struct shoal_run_peer *p = &t->peer[i];
		if (p->info.got + p->info.gave + p->info.wasted == 0 && !lied(&p->info))
			continue;
		if (rows == 0)
			shoal_say(tool, "  %-24s  %8s  %8s  %8s  %5s  %-9s  %-7s  %s", "peer", "received", "sent",
				  "wasted", "false", "standing", "it", "client");
		if (rows++ < ROWS)
			say_row(tool, p);
	}
	if (rows > ROWS)
		shoal_say(tool, "  and %zu others", rows - ROWS);
}

void shoal_run_who_json(const struct shoal_run_torrent *t, struct shoal_json *j)
{
	char addr[SHOAL_ADDR_TEXT_MAX];
	for (size_t i = 0; i < t->peer_count; i++) {
		const struct shoal_run_peer *p = &t->peer[i];
		shoal_json_object(j, NULL);
		shoal_json_text(j, "addr", p->host[0] != '\0' ? p->host : shoal_addr_text(&p->info.addr, addr));
		shoal_json_text(j, "client", p->client);
		shoal_json_u64(j, "got", p->info.got);
		shoal_json_u64(j, "gave", p->info.gave);
		shoal_json_u64(j, "wasted", p->info.wasted);
		shoal_json_u64(j, "spoiled", p->info.spoiled);
		shoal_json_u64(j, "false_blocks", p->info.false_blocks);
		shoal_json_text(j, "standing", standing_name(&p->info));
		shoal_json_text(j, "verdict", shoal_run_verdict(&p->info));
		shoal_json_bool(j, "banned", p->info.banned);
		shoal_json_end(j);
	}
}
