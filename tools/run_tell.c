/* tools/run_tell.c - what happens in a session, as lines for people and as JSON for programs. */
#include "proto/base/bytes.h"
#include "swarm/io/addr.h"
#include "tools/human.h"
#include "tools/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct shoal_json *begin(struct shoal_run *r, const struct shoal_run_torrent *t, const char *event, shoal_us at)
{
	struct shoal_json *j = shoal_say_event(r->tool, event, at);
	shoal_json_text(j, "torrent", t->id);
	return j;
}

static void put_hashes(struct shoal_json *j, const struct shoal_event *ev)
{
	if (ev->has_v1)
		shoal_json_hex(j, "infohash_v1", ev->hash_v1.b, 20);
	else
		shoal_json_null(j, "infohash_v1");
	if (ev->has_v2)
		shoal_json_hex(j, "infohash_v2", ev->hash_v2.b, 32);
	else
		shoal_json_null(j, "infohash_v2");
}

static void put_name_size(struct shoal_json *j, const struct shoal_run_torrent *t, const struct shoal_event *ev)
{
	if (ev->name.len)
		shoal_json_str(j, "name", ev->name);
	else
		shoal_json_null(j, "name");
	if (t->size)
		shoal_json_u64(j, "size", t->size);
	else
		shoal_json_null(j, "size");
}

static void put_addr(struct shoal_json *j, const char *key, const struct shoal_addr *addr)
{
	char text[SHOAL_ADDR_TEXT_MAX];
	shoal_json_text(j, key, shoal_addr_text(addr, text));
}

/* By its address; a web seed by its host. `name` raw. */
static const char *who(const struct shoal_event *ev, char out[SHOAL_SAY_TEXT_MAX])
{
	char text[SHOAL_ADDR_TEXT_MAX];
	if (ev->addr.port == 0 && ev->name.len > 0)
		return shoal_say_text(ev->name, out);
	snprintf(out, SHOAL_SAY_TEXT_MAX, "%s", shoal_addr_text(&ev->addr, text));
	return out;
}

/* The link others can use, our own addresses in it. */
static void make_magnet(struct shoal_run *r, struct shoal_run_torrent *t)
{
	struct shoal_opt_list reach = { 0 };
	if (t->magnet)
		return;
	if (t->source.is_magnet) {
		t->magnet = malloc(SHOAL_MAGNET_BYTES_MAX);
		if (t->magnet &&
		    shoal_magnet_format(t->source.magnet,
					(struct shoal_space){ (uint8_t *)t->magnet, SHOAL_MAGNET_BYTES_MAX }) < 0)
			t->magnet[0] = '\0';
		return;
	}
	if (shoal_net_reach(r->bound, r->bound_count, &reach) == 0)
		t->magnet = shoal_source_magnet(t->source.mi, reach.at, reach.count);
	shoal_net_reach_fini(&reach);
}

static void say_listening(struct shoal_run *r)
{
	char text[SHOAL_ADDR_TEXT_MAX], all[SHOAL_LISTEN_MAX * (SHOAL_ADDR_TEXT_MAX + 2)] = "";
	size_t n = 0;
	for (size_t i = 0; i < r->bound_count; i++)
		n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", i ? ", " : "",
				      shoal_addr_text(&r->bound[i], text));
	if (n)
		shoal_say(r->tool, "listening on %s", all);
}

void shoal_run_tell_started(struct shoal_run *r, struct shoal_run_torrent *t, const struct shoal_event *ev)
{
	char size[SHOAL_HUMAN_MAX], folder[SHOAL_SAY_TEXT_MAX];
	make_magnet(r, t);
	if (r->tool->json) {
		struct shoal_json *j = begin(r, t, "started", ev->t);
		put_hashes(j, ev);
		put_name_size(j, t, ev);
		shoal_json_text(j, "magnet", t->magnet);
		shoal_json_array(j, "listen");
		for (size_t i = 0; i < r->bound_count; i++)
			put_addr(j, NULL, &r->bound[i]);
		shoal_json_end(j);
		shoal_say_event_end(r->tool);
		return;
	}
	shoal_say_cstr(t->folder, folder);
	if (r->seeding) {
		shoal_say(r->tool, "seeding %s (%s) from %s", t->name, shoal_human_size(t->size, size), folder);
		if (t == &r->torrent[0])
			say_listening(r);
		/* Even --quiet prints the link: it is the result. */
		printf("%s\n", t->magnet ? t->magnet : "");
		shoal_say_flush(r->tool);
	} else if (t->source.is_magnet) {
		shoal_say(r->tool, "fetching %s into %s; waiting for its metadata", t->name, folder);
	} else {
		shoal_say(r->tool, "fetching %s (%s) into %s", t->name, shoal_human_size(t->size, size), folder);
	}
}

void shoal_run_tell_metadata(struct shoal_run *r, struct shoal_run_torrent *t, const struct shoal_event *ev)
{
	char size[SHOAL_HUMAN_MAX];
	if (r->tool->json) {
		struct shoal_json *j = begin(r, t, "metadata", ev->t);
		put_hashes(j, ev);
		put_name_size(j, t, ev);
		shoal_say_event_end(r->tool);
		return;
	}
	shoal_say(r->tool, "it is %s (%s)", t->name, shoal_human_size(t->size, size));
}

void shoal_run_tell_checked(struct shoal_run *r, struct shoal_run_torrent *t, const struct shoal_event *ev)
{
	char done[SHOAL_HUMAN_MAX], total[SHOAL_HUMAN_MAX];
	if (r->tool->json) {
		struct shoal_json *j = begin(r, t, "checked", ev->t);
		shoal_json_u64(j, "done", ev->done);
		shoal_json_u64(j, "total", ev->total);
		shoal_say_event_end(r->tool);
		return;
	}
	if (r->seeding || ev->done == 0 || ev->done >= ev->total)
		return;
	shoal_human_size(ev->done, done);
	shoal_human_size(ev->total, total);
	if (strcmp(done, total) != 0)
		shoal_say(r->tool, "%s: %s of %s is here already", t->name, done, total);
	else
		shoal_say(r->tool, "%s: all but %s of %s is here already", t->name,
			  shoal_human_size(ev->total - ev->done, done), total);
}

void shoal_run_tell_adopted(struct shoal_run *r, struct shoal_run_torrent *t, const struct shoal_event *ev)
{
	char size[SHOAL_HUMAN_MAX], files[SHOAL_HUMAN_MAX * 2], from[SHOAL_SAY_TEXT_MAX], wait[SHOAL_HUMAN_MAX];
	bool link = shoal_bytes_equal(ev->data, SHOAL_LIT("link")),
	     copy = shoal_bytes_equal(ev->data, SHOAL_LIT("copy"));
	bool shared = shoal_bytes_equal(ev->data, SHOAL_LIT("reflink"));
	t->adopted += ev->done;
	if (r->tool->json) {
		struct shoal_json *j = begin(r, t, "adopted", ev->t);
		shoal_json_u64(j, "bytes", ev->done);
		shoal_json_u64(j, "files", ev->index);
		shoal_json_u64(j, "waiting", ev->stats.size);
		shoal_json_str(j, "from", ev->text);
		shoal_json_str(j, "how", ev->data);
		shoal_say_event_end(r->tool);
		return;
	}
	shoal_say(r->tool, "%s: adopted %s, %s, from %s (%s)", t->name, shoal_human_size(ev->done, size),
		  shoal_human_count(ev->index, "file", "files", files), shoal_say_text(ev->text, from),
		  shared ? "reflinks"
		  : link ? "hard links"
		  : copy ? "copied"
			 : "reflinks and copies");
	if (ev->stats.size > 0)
		shoal_say(r->tool, "%s: %s more lies in pieces whose rest has changed: known when that is fetched",
			  t->name, shoal_human_size(ev->stats.size, wait));
}

void shoal_run_tell_complete(struct shoal_run *r, struct shoal_run_torrent *t, const struct shoal_event *ev)
{
	char size[SHOAL_HUMAN_MAX], took[SHOAL_HUMAN_MAX], rate[SHOAL_HUMAN_MAX];
	shoal_us us = ev->t > t->began ? ev->t - t->began : 1;
	if (r->tool->json) {
		struct shoal_json *j = begin(r, t, "complete", ev->t);
		shoal_json_us(j, "seconds", us);
		shoal_json_u64(j, "downloaded", ev->stats.downloaded);
		shoal_json_u64(j, "uploaded", ev->stats.uploaded);
		shoal_json_u64(j, "adopted", ev->stats.adopted);
		shoal_json_u64(j, "wasted", ev->stats.wasted);
		shoal_json_u64(j, "hash_failures", ev->stats.hash_failures);
		shoal_say_event_end(r->tool);
		return;
	}
	uint64_t here = t->had + (ev->stats.adopted > t->adopted ? ev->stats.adopted - t->adopted : 0);
	uint64_t fetched = t->size > here ? t->size - here : 0;
	if (fetched == 0)
		shoal_say(r->tool, "%s: complete, all of it was here already", t->name);
	else
		shoal_say(r->tool, "%s: complete, %s fetched in %s (%s)", t->name, shoal_human_size(fetched, size),
			  shoal_human_span(us, took),
			  shoal_human_rate((uint64_t)((double)fetched * 1e6 / (double)us), rate));
}

/* Seconds until it is done at this pace; UINT64_MAX: who knows. */
static uint64_t eta_of(const struct shoal_stats *s)
{
	if (s->complete || s->verified >= s->size)
		return 0;
	return s->down_rate ? (s->size - s->verified) / s->down_rate : UINT64_MAX;
}

/* In whole seconds: it is a guess. */
static const char *eta_text(uint64_t eta, char out[SHOAL_HUMAN_MAX])
{
	if (eta == UINT64_MAX)
		return "?";
	if (eta >= 60)
		return shoal_human_span(SHOAL_S(eta < UINT32_MAX ? eta : UINT32_MAX), out);
	snprintf(out, SHOAL_HUMAN_MAX, "%" PRIu64 " s", eta);
	return out;
}

/* Fields keep their width, so that the line does not dance. `brief`: for a terminal of 40 columns. */
static void row_text(const struct shoal_run *r, const struct shoal_run_torrent *t, char *out, char *brief, size_t size)
{
	const struct shoal_stats *s = &t->stats;
	char down[SHOAL_HUMAN_MAX], up[SHOAL_HUMAN_MAX], left[SHOAL_HUMAN_MAX], sent[SHOAL_HUMAN_MAX],
		peers[SHOAL_HUMAN_MAX * 2];
	unsigned permille = shoal_human_permille(s->verified, s->size);
	shoal_human_count(s->peers, "peer", "peers", peers);
	shoal_human_rate(s->up_rate, up);
	brief[0] = '\0';
	if (s->paused)
		snprintf(out, size, "paused  %s", peers);
	else if (s->checking)
		snprintf(out, size, "checking %3u %%",
			 t->check_total ? shoal_human_permille(t->checked, t->check_total) / 10 : 0);
	else if (!s->metadata && !t->size)
		snprintf(out, size, "waiting for metadata  %s", peers);
	else if (r->seeding || t->complete) {
		snprintf(out, size, "seeding  up %9s  %8s sent  %s", up, shoal_human_size(s->uploaded, sent), peers);
		snprintf(brief, size, "up %9s  %s", up, peers);
	} else {
		shoal_human_rate(s->down_rate, down);
		eta_text(eta_of(s), left);
		snprintf(out, size, "%3u.%u %%  down %9s  up %9s  %s  %5s left", permille / 10, permille % 10, down, up,
			 peers, left);
		snprintf(brief, size, "%3u %%  %9s  %5s left", permille / 10, down, left);
	}
}

void shoal_run_tell_stats(struct shoal_run *r, struct shoal_run_torrent *t, shoal_us tell_at)
{
	const struct shoal_stats *s = &t->stats;
	size_t row = (size_t)(t - r->torrent);
	char text[256], brief[sizeof text];
	if (!t->stats_known)
		return; /* the first answer is still on its way */
	row_text(r, t, text, brief, sizeof text);
	shoal_progress_row(&r->progress, row, t->name, text, brief[0] != '\0' ? brief : NULL);
	if (tell_at == 0 || !t->started)
		return;
	struct shoal_json *j = begin(r, t, "progress", tell_at);
	uint64_t eta = eta_of(s);
	shoal_json_u64(j, "done", s->done);
	shoal_json_u64(j, "total", t->size);
	shoal_json_u64(j, "down", s->down_rate);
	shoal_json_u64(j, "up", s->up_rate);
	shoal_json_u64(j, "peers", s->peers);
	if (eta == UINT64_MAX)
		shoal_json_null(j, "eta");
	else
		shoal_json_u64(j, "eta", eta);
	shoal_say_event_end(r->tool);
}

static void tell_first_piece(struct shoal_run *r, const struct shoal_run_torrent *t, const struct shoal_event *ev)
{
	if (!r->tool->json)
		return;
	begin(r, t, "first_piece", ev->t);
	shoal_say_event_end(r->tool);
}

static void tell_banned(struct shoal_run *r, const struct shoal_run_torrent *t, const struct shoal_event *ev)
{
	char addr[SHOAL_SAY_TEXT_MAX], what[SHOAL_SAY_TEXT_MAX];
	if (r->tool->json) {
		struct shoal_json *j = begin(r, t, "peer_banned", ev->t);
		if (ev->addr.port == 0 && ev->name.len > 0)
			shoal_json_str(j, "addr", ev->name);
		else
			put_addr(j, "addr", &ev->addr);
		shoal_json_u64(j, "piece", ev->index);
		shoal_json_str(j, "what", ev->text);
		shoal_json_u64(j, "false_blocks", ev->done);
		shoal_json_u64(j, "blocks", ev->total);
		shoal_say_event_end(r->tool);
	}
	if (!r->tool->quiet)
		shoal_say_log(r->tool, SHOAL_LOG_WARN, "%s: banned %s: %s", t->name, who(ev, addr),
			      shoal_say_text(ev->text, what));
}

/* A warning that comes from the engine, perhaps with an error number. */
static void tell_warning(struct shoal_run *r, const struct shoal_run_torrent *t, const struct shoal_event *ev,
			 const char *lead)
{
	char what[SHOAL_SAY_TEXT_MAX];
	const char *text = ev->text.len ? shoal_say_text(ev->text, what) : ev->err ? shoal_err_name(ev->err) : "";
	shoal_say_warn(r->tool, t->id, "%s: %s%s%s", t->name, lead, lead[0] && text[0] ? ": " : "", text);
}

static void tell_tracker(struct shoal_run *r, const struct shoal_run_torrent *t, const struct shoal_event *ev)
{
	static const uint8_t nowhere[16];
	char url[SHOAL_SAY_TEXT_MAX], what[SHOAL_SAY_TEXT_MAX];
	shoal_say_text(ev->text, url);
	if (r->tool->json) {
		struct shoal_json *j = begin(r, t, "tracker", ev->t);
		shoal_json_str(j, "url", ev->text);
		shoal_json_u64(j, "tier", ev->index);
		shoal_json_text(j, "error", ev->err < 0 ? shoal_err_name(ev->err) : NULL);
		if (ev->name.len)
			shoal_json_str(j, "what", ev->name);
		shoal_json_u64(j, "peers", ev->done);
		shoal_json_u64(j, "seeds", ev->stats.seeds);
		shoal_json_u64(j, "leeches", ev->stats.peers);
		shoal_json_u64(j, "next", ev->total);
		if (memcmp(ev->addr.ip, nowhere, sizeof nowhere) != 0)
			put_addr(j, "external", &ev->addr);
		shoal_say_event_end(r->tool);
	}
	shoal_say_text(ev->name, what);
	if (ev->err < 0)
		shoal_say_log(r->tool, SHOAL_LOG_INFO, "%s: tracker %s: %s%s%s", t->name, url, shoal_err_name(ev->err),
			      what[0] ? ": " : "", what);
	else
		shoal_say_log(r->tool, SHOAL_LOG_DEBUG, "%s: tracker %s: %" PRIu64 " peers, next in %" PRIu64 " s%s%s",
			      t->name, url, ev->done, ev->total, what[0] ? ": " : "", what);
}

void shoal_run_tell_portmap(struct shoal_run *r, const struct shoal_event *ev)
{
	char by[SHOAL_SAY_TEXT_MAX], addr[SHOAL_ADDR_TEXT_MAX];
	shoal_say_text(ev->text, by);
	if (r->tool->json) {
		struct shoal_json *j = shoal_say_event(r->tool, "portmap", ev->t);
		shoal_json_str(j, "by", ev->text);
		shoal_json_text(j, "error", ev->err < 0 ? shoal_err_name(ev->err) : NULL);
		if (ev->err == 0)
			put_addr(j, "external", &ev->addr);
		shoal_say_event_end(r->tool);
	}
	if (ev->err < 0)
		shoal_say_log(r->tool, SHOAL_LOG_INFO, "no port mapped at a router: %s", shoal_err_name(ev->err));
	else
		shoal_say_log(r->tool, SHOAL_LOG_INFO, "reachable from outside at %s (%s)",
			      shoal_addr_text(&ev->addr, addr), by);
}

void shoal_run_tell_moved(struct shoal_run *r, const struct shoal_run_torrent *t)
{
	char hex[41], folder[SHOAL_SAY_TEXT_MAX];
	shoal_say_hex(r->follow->hash.b, sizeof r->follow->hash.b, hex);
	if (r->tool->json) {
		struct shoal_json *j = shoal_say_event(r->tool, "named", 0);
		shoal_json_text(j, "infohash", hex);
		shoal_json_int(j, "seq", r->follow->seq);
		shoal_json_text(j, "folder", t->folder);
		shoal_say_event_end(r->tool);
		return;
	}
	shoal_say(r->tool, "the name stands for %s now, its number %lld; into %s", hex, (long long)r->follow->seq,
		  shoal_say_cstr(t->folder, folder));
}

void shoal_run_tell_other(struct shoal_run *r, struct shoal_run_torrent *t, const struct shoal_event *ev)
{
	char addr[SHOAL_SAY_TEXT_MAX], text[SHOAL_SAY_TEXT_MAX];
	switch (ev->kind) {
	case SHOAL_EV_FIRST_PIECE: tell_first_piece(r, t, ev); break;
	case SHOAL_EV_PEER_BANNED: tell_banned(r, t, ev); break;
	case SHOAL_EV_PEER_PAROLE:
		shoal_say_log(r->tool, SHOAL_LOG_INFO, "%s: %s is asked for less for a while: it %s", t->name,
			      who(ev, addr), shoal_say_text(ev->text, text));
		break;
	case SHOAL_EV_PEER_UNREACHED:
		shoal_say_warn(
			r->tool, t->id, "%s: %s %s", t->name, shoal_addr_text(&ev->addr, addr),
			ev->err == SHOAL_ERR_CLOSED
				? "is there, and ends the connection without a word: it may not have this torrent"
				: "cannot be reached: is it running, and is this the port it listens on?");
		break;
	case SHOAL_EV_PAUSED: tell_warning(r, t, ev, "paused"); break;
	case SHOAL_EV_RESUMED: tell_warning(r, t, ev, "goes on"); break;
	case SHOAL_EV_WARNING: tell_warning(r, t, ev, ""); break;
	case SHOAL_EV_TRACKER: tell_tracker(r, t, ev); break;
	case SHOAL_EV_HASH_FAILED:
		shoal_say_log(r->tool, SHOAL_LOG_INFO, "%s: piece %" PRIu32 " did not match its hash", t->name,
			      ev->index);
		break;
	case SHOAL_EV_PEER_JOINED:
		shoal_say_log(r->tool, SHOAL_LOG_DEBUG, "%s: connected to %s %s", t->name, who(ev, addr),
			      shoal_say_text(ev->text, text));
		break;
	case SHOAL_EV_PEER_LEFT:
		shoal_say_log(r->tool, SHOAL_LOG_DEBUG, "%s: %s left: %s", t->name, shoal_addr_text(&ev->addr, addr),
			      shoal_err_name(ev->err));
		break;
	case SHOAL_EV_PIECE:
		shoal_say_log(r->tool, SHOAL_LOG_DEBUG, "%s: piece %" PRIu32 " is safe", t->name, ev->index);
		break;
	default: break;
	}
}

/* ---- the end ------------------------------------------------------------------------- */
static void summary_json(struct shoal_run *r, const struct shoal_run_torrent *t)
{
	const struct shoal_stats *s = &t->stats;
	struct shoal_json *j = begin(r, t, "summary", 0);
	shoal_json_u64(j, "downloaded", s->downloaded);
	shoal_json_u64(j, "uploaded", s->uploaded);
	shoal_json_u64(j, "adopted", s->adopted);
	shoal_json_u64(j, "wasted", s->wasted);
	shoal_json_u64(j, "hash_failures", s->hash_failures);
	shoal_json_u64(j, "memory_peak", s->memory_peak);
	shoal_json_array(j, "peers");
	shoal_run_who_json(t, j);
	shoal_say_event_end(r->tool);
}

void shoal_run_tell_stopped(struct shoal_run *r)
{
	char done[SHOAL_HUMAN_MAX], total[SHOAL_HUMAN_MAX];
	for (size_t i = 0; i < r->count; i++) {
		const struct shoal_run_torrent *t = &r->torrent[i];
		if (t->added && !t->over && !t->complete && t->stats.size > 0)
			shoal_say(r->tool, "%s: stopped with %s of %s here; run it again to go on from there", t->name,
				  shoal_human_size(t->stats.done, done), shoal_human_size(t->stats.size, total));
	}
}

void shoal_run_tell_summary(struct shoal_run *r, struct shoal_run_torrent *t)
{
	const struct shoal_stats *s = &t->stats;
	char got[SHOAL_HUMAN_MAX], gave[SHOAL_HUMAN_MAX], wasted[SHOAL_HUMAN_MAX];
	if (!t->added)
		return;
	shoal_run_who_sort(t);
	if (r->tool->json) {
		summary_json(r, t);
		return;
	}
	char adopted[SHOAL_HUMAN_MAX], also[SHOAL_HUMAN_MAX + 16] = "";
	if (s->adopted > 0)
		snprintf(also, sizeof also, "%s adopted, ", shoal_human_size(s->adopted, adopted));
	shoal_say(r->tool, "%s: %s%s received, %s sent, %s wasted, %" PRIu64 " hash failures", t->name, also,
		  shoal_human_size(s->downloaded, got), shoal_human_size(s->uploaded, gave),
		  shoal_human_size(s->wasted, wasted), s->hash_failures);
	shoal_run_who_say(r->tool, t);
}
