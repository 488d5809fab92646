/* tools/run.c - drives an engine: adds, listens, asks, stops. */
#include "tools/run.h"

#include "proto/base/bytes.h"
#include "tools/signals.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define STOP_US SHOAL_MS(1800) /* to finish writes and record, once told to stop; then we leave as we are */
#define ASK_US SHOAL_MS(300)   /* the summary's questions may take this long */
#define WAIT_MS_MAX 1000
#define LOOK_MAX 256u	 /* torrents asked at a time how they are */
#define PEERS_MAX 65536u /* in a summary */

char *shoal_run_absolute(const char *path)
{
	char *real = realpath(path, NULL), *cwd, *out = NULL;
	if (real)
		return real;
	if (path[0] == '/')
		return strdup(path);
	cwd = getcwd(NULL, 0);
	if (cwd && asprintf(&out, "%s/%s", cwd, path) < 0)
		out = NULL;
	free(cwd);
	return out;
}

void shoal_run_torrent_fini(struct shoal_run_torrent *t)
{
	shoal_source_fini(&t->source);
	shoal_only_fini(&t->only);
	free(t->folder);
	free(t->adopt_from);
	free(t->magnet);
	free(t->name_own);
	free(t->link);
	free(t->peer);
	*t = (struct shoal_run_torrent){ 0 };
}

void shoal_run_ended(struct shoal_run *r, struct shoal_run_torrent *t, int code)
{
	t->over = true;
	shoal_progress_drop(&r->progress, (size_t)(t - r->torrent));
	if (r->code == 0)
		r->code = code;
}

/* ---- going in ------------------------------------------------------------------------ */
int shoal_run_add(struct shoal_run *r, size_t i)
{
	struct shoal_run_torrent *t = &r->torrent[i];
	struct shoal_op op = { .kind = SHOAL_OP_ADD,
			       .ticket = i + 1,
			       .flags = t->flags | (r->net->no_trackers ? SHOAL_ADD_NO_TRACKERS : 0u),
			       .adopt = t->adopt,
			       .adopt_from = { (const uint8_t *)t->adopt_from, t->adopt_from_len },
			       .folder = shoal_bytes(t->folder, strlen(t->folder)) };
	char shown[SHOAL_SAY_TEXT_MAX];
	if (t->source.is_magnet)
		op.text = shoal_bytes(t->source.arg, strlen(t->source.arg));
	else
		op.data = t->source.torrent; /* kept until the run is over: a million files have 80 MB of it */
	op.flags |= SHOAL_ADD_DATA_STAYS | (shoal_only_asked(&t->only) ? SHOAL_ADD_CHOOSE : 0u);
	int rc = r->ops->do_op(r->engine, &op);
	if (rc < 0)
		shoal_run_ended(r, t,
				shoal_say_fail(r->tool, rc, "%s: cannot be added: %s",
					       shoal_say_cstr(t->source.arg, shown), shoal_err_name(rc)));
	return rc;
}

/* ---- events -------------------------------------------------------------------------- */
static struct shoal_run_torrent *torrent_of(struct shoal_run *r, const struct shoal_event *ev)
{
	if (ev->kind == SHOAL_EV_ADDED)
		return ev->ticket >= 1 && ev->ticket <= r->count ? &r->torrent[ev->ticket - 1] : NULL;
	/* The engine numbers them in the order in which they were added: where none failed, this is the one. */
	for (size_t i = 0, at = ev->torrent - 1; i < r->count; i++, at++) {
		struct shoal_run_torrent *t = &r->torrent[at % r->count];
		if (t->added && t->handle == ev->torrent)
			return t;
	}
	return NULL;
}

static void name_set(struct shoal_run_torrent *t, const char *name)
{
	char *copy = strdup(name);
	if (copy == NULL)
		return; /* the old one will do */
	free(t->name_own);
	t->name = t->name_own = copy;
}

static void learn(struct shoal_run_torrent *t, const struct shoal_event *ev)
{
	if (t->id[0] == '\0' && ev->has_v1)
		shoal_say_hex(ev->hash_v1.b, 20, t->id);
	else if (t->id[0] == '\0' && ev->has_v2)
		shoal_say_hex(ev->hash_v2.b, 32, t->id);
	if (ev->name.len) {
		char name[SHOAL_SAY_TEXT_MAX];
		name_set(t, shoal_say_text(ev->name, name));
	}
	if (t->name[0] == '\0')
		name_set(t, t->id);
	if (ev->total)
		t->size = ev->total;
}

/* The files are known to the engine: which of them are meant? Until it is told, nothing is made. */
static void ask_files(struct shoal_run *r, struct shoal_run_torrent *t)
{
	struct shoal_op ask = shoal_only_question(&t->only, t->handle);
	int rc = shoal_only_asked(&t->only) ? r->ops->do_op(r->engine, &ask) : 0;
	if (rc < 0)
		shoal_run_ended(r, t, shoal_say_fail(r->tool, rc, "%s: its files cannot be listed", t->name));
}

static void on_files(struct shoal_run *r, struct shoal_run_torrent *t, const struct shoal_event *ev)
{
	struct shoal_op answer;
	shoal_progress_clear(&r->progress);
	int rc = shoal_only_answer(&t->only, r->tool, ev, &answer);
	if (rc > 0)
		return ask_files(r, t);
	t->listed = rc < 0 || t->only.list; /* then nothing is fetched that a summary could sum up */
	if (rc < 0)
		return shoal_run_ended(r, t, -rc);
	if (t->only.list) {
		t->over = true;
		return;
	}
	rc = r->ops->do_op(r->engine, &answer);
	if (rc < 0)
		shoal_run_ended(r, t, shoal_say_fail(r->tool, rc, "%s: its files cannot be chosen", t->name));
}

static void on_added(struct shoal_run *r, struct shoal_run_torrent *t, const struct shoal_event *ev)
{
	char arg[SHOAL_SAY_TEXT_MAX], what[SHOAL_SAY_TEXT_MAX];
	if (ev->err < 0) {
		int code = ev->err == SHOAL_ERR_EXISTS ? SHOAL_EXIT_USAGE : shoal_exit_of(ev->err);
		shoal_run_ended(
			r, t,
			shoal_say_fail_as(r->tool, code, ev->err, "%.200s: %s", shoal_say_cstr(t->source.arg, arg),
					  ev->text.len ? shoal_say_text(ev->text, what) : shoal_err_name(ev->err)));
		return;
	}
	t->handle = ev->torrent;
	t->added = true;
	learn(t, ev);
	shoal_run_add_ways(r, t);
	if (!t->source.is_magnet)
		ask_files(r, t);
	/* Without metadata there is nothing to look at first: this is all there is to being started. */
	if (t->source.is_magnet) {
		t->started = true;
		shoal_run_tell_started(r, t, ev);
	}
}

static void on_checked(struct shoal_run *r, struct shoal_run_torrent *t, const struct shoal_event *ev)
{
	learn(t, ev);
	t->had = ev->done;
	shoal_run_tell_checked(r, t, ev);
	if (ev->done < ev->total)
		shoal_run_ways_warn(r, t);
	/* A seed that lacks data is told so by an ERROR next; it does not pass for one that has started. */
	if (!t->started && !(r->seeding && ev->done < ev->total)) {
		t->started = true;
		shoal_run_tell_started(r, t, ev);
	}
}

static void on_error(struct shoal_run *r, struct shoal_run_torrent *t, const struct shoal_event *ev)
{
	char what[SHOAL_SAY_TEXT_MAX], folder[SHOAL_SAY_TEXT_MAX];
	const char *text = ev->text.len ? shoal_say_text(ev->text, what) : shoal_err_name(ev->err);
	/* The commonest mistake: the folder of that name was named, and not the one it lies in. */
	bool elsewhere = r->seeding && ev->err == SHOAL_ERR_HASH && t->had == 0;
	shoal_run_ended(
		r, t,
		elsewhere ? shoal_say_fail(r->tool, ev->err,
					   "%s: %s; nothing of it lies in %s: -d names the folder that does hold %s",
					   t->name, text, shoal_say_cstr(t->folder, folder), t->name)
			  : shoal_say_fail(r->tool, ev->err, "%s: %s", t->name, text));
}

static void keep_peer(struct shoal_run_torrent *t, const struct shoal_event *ev)
{
	char client[SHOAL_SAY_TEXT_MAX];
	if (t->peer_count == t->peer_room) {
		size_t room = t->peer_room ? t->peer_room * 2 : 16;
		void *more = room > PEERS_MAX ? NULL : realloc(t->peer, room * sizeof *t->peer);
		if (more == NULL)
			return; /* the summary is the shorter for it */
		t->peer = more;
		t->peer_room = room;
	}
	struct shoal_run_peer *p = &t->peer[t->peer_count++];
	p->info = ev->info;
	p->info.addr = ev->info.addr.port ? ev->info.addr : ev->addr;
	snprintf(p->client, sizeof p->client, "%.60s", shoal_say_text(ev->text, client));
	snprintf(p->host, sizeof p->host, "%.79s", ev->addr.port == 0 ? shoal_say_text(ev->name, client) : "");
}

static void on_event(struct shoal_run *r, const struct shoal_event *ev, bool *stopped)
{
	struct shoal_run_torrent *t = torrent_of(r, ev);
	char what[SHOAL_SAY_TEXT_MAX];
	switch (ev->kind) {
	case SHOAL_EV_LISTENING:
		if (r->bound_count < SHOAL_LISTEN_MAX)
			r->bound[r->bound_count++] = ev->addr;
		return;
	case SHOAL_EV_STOPPED: *stopped = true; return;
	case SHOAL_EV_FLIGHT: shoal_record_add(r->tool, &r->record, ev->data, ev->t); return;
	case SHOAL_EV_PORTMAP:
		r->alone.unmapped = ev->err < 0;
		shoal_run_tell_portmap(r, ev);
		return;
	case SHOAL_EV_WARNING:
		if (t == NULL) /* of the engine as a whole */
			shoal_say_warn(r->tool, NULL, "%s", shoal_say_text(ev->text, what));
		break;
	default: break;
	}
	if (t == NULL)
		return;
	switch (ev->kind) {
	case SHOAL_EV_ADDED: on_added(r, t, ev); break;
	case SHOAL_EV_METADATA:
		learn(t, ev);
		shoal_run_tell_metadata(r, t, ev);
		ask_files(r, t);
		break;
	case SHOAL_EV_FILES: on_files(r, t, ev); break;
	case SHOAL_EV_CHECK:
		t->checked = ev->done;
		t->check_total = ev->total;
		break;
	case SHOAL_EV_CHECKED: on_checked(r, t, ev); break;
	case SHOAL_EV_ADOPTED: shoal_run_tell_adopted(r, t, ev); break;
	case SHOAL_EV_PAUSED:
		t->pause = ev->err;
		snprintf(t->pause_text, sizeof t->pause_text, "%.*s", (int)sizeof t->pause_text - 1,
			 ev->text.len ? shoal_say_text(ev->text, what) : shoal_err_name(ev->err));
		shoal_run_tell_other(r, t, ev);
		break;
	case SHOAL_EV_RESUMED:
		t->pause = 0;
		shoal_run_tell_other(r, t, ev);
		break;
	case SHOAL_EV_COMPLETE:
		t->pause = 0;
		t->stats = ev->stats;
		t->stats_known = true;
		if (!t->complete && !r->seeding)
			shoal_run_tell_complete(r, t, ev);
		t->complete = true;
		shoal_run_name_complete(r, t);
		break;
	case SHOAL_EV_STATS:
		t->stats = ev->stats;
		t->stats_asked = false;
		t->stats_known = true;
		t->seen_peer = t->seen_peer || ev->stats.peers > 0;
		break;
	case SHOAL_EV_PEER: keep_peer(t, ev); break;
	case SHOAL_EV_DONE:
		if (t->peers_waiting && ev->ticket == t->peers_waiting)
			t->peers_waiting = 0;
		shoal_run_ways_event(r, t, ev);
		break;
	case SHOAL_EV_ERROR: on_error(r, t, ev); break;
	case SHOAL_EV_PEER_JOINED:
		t->seen_peer = true;
		shoal_run_tell_other(r, t, ev);
		break;
	default: shoal_run_tell_other(r, t, ev); break;
	}
}

/* ---- the loop ------------------------------------------------------------------------ */
/* Asks, now and then, how things are; what was answered since is drawn. */
static void look(struct shoal_run *r, shoal_us now)
{
	bool draw = shoal_progress_due(&r->progress, now);
	bool tell = r->tool->json && now - r->told >= SHOAL_S(1);
	if (!draw && !tell)
		return;
	/* Of very many each is asked every few seconds. */
	size_t most = r->count < LOOK_MAX ? r->count : LOOK_MAX;
	for (size_t i = 0; i < most; i++, r->look_at++) {
		struct shoal_run_torrent *t = &r->torrent[r->look_at % r->count];
		struct shoal_op op = { .kind = SHOAL_OP_STATS, .torrent = t->handle };
		if (!t->added || t->over)
			continue;
		shoal_run_tell_stats(r, t, tell ? now : 0);
		t->stats_asked = r->ops->do_op(r->engine, &op) == 0;
	}
	if (tell)
		r->told = now;
	if (draw)
		shoal_progress_draw(&r->progress, now);
}

enum outcome { GO_ON, ALL_DONE, INTERRUPTED, TOO_LATE };

static enum outcome outcome_of(const struct shoal_run *r, shoal_us now)
{
	bool done = true, over = true;
	for (size_t i = 0; i < r->count; i++) {
		done = done && (r->torrent[i].complete || r->torrent[i].over);
		over = over && r->torrent[i].over;
	}
	if (over || (done && !r->stay))
		return ALL_DONE;
	if (shoal_signals_came() || r->tool->broken < 0)
		return INTERRUPTED;
	if (r->timeout && !done && now - r->began >= r->timeout)
		return TOO_LATE;
	return GO_ON;
}

/* How long poll() may sleep: until something is due to be drawn, told or ended. */
static int wait_ms(const struct shoal_run *r, shoal_us now)
{
	shoal_us until = now + (r->progress.tty && !r->progress.off ? SHOAL_PROGRESS_DRAW_US : SHOAL_MS(WAIT_MS_MAX));
	if (r->timeout)
		until = shoal_min_u64(until, shoal_max_u64(r->began + r->timeout, now));
	return (int)((until - now + 999) / 1000);
}

static enum outcome drive(struct shoal_run *r)
{
	struct shoal_event ev;
	bool stopped = false;
	enum outcome out;
	while ((out = outcome_of(r, shoal_signals_now())) == GO_ON) {
		if (r->ops->poll(r->engine, &ev, wait_ms(r, shoal_signals_now())) > 0) {
			on_event(r, &ev, &stopped);
			shoal_run_name_event(r, &ev, shoal_signals_now());
			shoal_run_alone_event(r, &ev, shoal_signals_now());
		}
		look(r, shoal_signals_now());
		shoal_run_name_tick(r, shoal_signals_now());
		shoal_run_alone_tick(r, shoal_signals_now());
	}
	return out;
}

/* Polls until `done` says so or time is up; false: it was. */
static bool drain(struct shoal_run *r, shoal_us until, bool (*done)(const struct shoal_run *r), bool *stopped)
{
	struct shoal_event ev;
	while (!*stopped && !(done && done(r))) {
		shoal_us now = shoal_signals_now();
		if (now >= until)
			return false;
		if (r->ops->poll(r->engine, &ev, (int)((until - now) / 1000 + 1)) > 0)
			on_event(r, &ev, stopped);
	}
	return true;
}

static bool answered(const struct shoal_run *r)
{
	for (size_t i = 0; i < r->count; i++) {
		if (r->torrent[i].peers_waiting || r->torrent[i].stats_asked)
			return false;
	}
	return true;
}

static void ask_for_summary(struct shoal_run *r)
{
	bool stopped = false;
	for (size_t i = 0; i < r->count; i++) {
		struct shoal_run_torrent *t = &r->torrent[i];
		struct shoal_op op = { .kind = SHOAL_OP_STATS, .torrent = t->handle };
		if (!t->added)
			continue;
		t->stats_asked = r->ops->do_op(r->engine, &op) == 0;
		op.kind = SHOAL_OP_PEERS;
		op.ticket = t->peers_waiting = r->count + 1 + i;
		if (r->ops->do_op(r->engine, &op) < 0)
			t->peers_waiting = 0;
	}
	(void)drain(r, shoal_signals_now() + ASK_US, answered, &stopped);
}

/* Finishes what is being written. What does not end in time is left: claims come after facts, so none is false. */
static bool stop(struct shoal_run *r)
{
	struct shoal_op op = { .kind = SHOAL_OP_STOP };
	bool stopped = false;
	if (r->ops->do_op(r->engine, &op) < 0)
		return true;
	return drain(r, shoal_signals_now() + STOP_US, NULL, &stopped);
}

static int too_late(struct shoal_run *r, bool seen)
{
	char why[SHOAL_ALONE_TEXT_MAX];
	for (size_t i = 0; i < r->count; i++) {
		const struct shoal_run_torrent *t = &r->torrent[i];
		if (t->pause < 0 && !t->over)
			return shoal_say_fail_as(r->tool, SHOAL_EXIT_STORAGE, t->pause,
						 "%s: not complete in time: %s; run it again once that is mended",
						 t->name, t->pause_text);
	}
	if (seen)
		return shoal_say_fail_as(r->tool, SHOAL_EXIT_DATA, SHOAL_ERR_TIMEOUT,
					 "not complete in time; run it again to go on where it stopped");
	return shoal_say_fail_as(r->tool, SHOAL_EXIT_NET, SHOAL_ERR_TIMEOUT, "no peer could be reached in time: %s",
				 shoal_run_why_alone(r, why));
}

static int code_of(struct shoal_run *r, enum outcome out)
{
	bool seen = false, complete = true;
	for (size_t i = 0; i < r->count; i++) {
		seen = seen || r->torrent[i].seen_peer;
		complete = complete && r->torrent[i].complete;
	}
	if (r->code)
		return r->code;
	if (r->tool->broken < 0)
		return SHOAL_EXIT_STORAGE; /* it was said on stderr */
	if (out == TOO_LATE)
		return too_late(r, seen);
	if (out != INTERRUPTED || complete)
		return SHOAL_EXIT_GOOD;
	if (!r->seeding)
		shoal_run_tell_stopped(r);
	return SHOAL_EXIT_INTERRUPTED;
}

/* For a single torrent its head names that. */
static int open_record(struct shoal_run *r)
{
	struct shoal_flight_head head = { .unix_s = (uint64_t)time(NULL), .began = r->began };
	const struct shoal_source *s = &r->torrent[0].source;
	r->record.fd = -1;
	if (r->net->record == NULL)
		return 0;
	const struct shoal_id20 *v1 = NULL;
	const struct shoal_id32 *v2 = NULL;
	if (r->count == 1 && s->is_magnet) {
		v1 = s->magnet->has_v1 ? &s->magnet->v1 : NULL;
		v2 = s->magnet->has_v2 ? &s->magnet->v2 : NULL;
	} else if (r->count == 1) {
		v1 = shoal_metainfo_hash_v1(s->mi);
		v2 = shoal_metainfo_hash_v2(s->mi);
	}
	head.hash_len = v1 != NULL ? sizeof v1->b : v2 != NULL ? sizeof v2->b : 0;
	if (head.hash_len > 0)
		memcpy(head.hash, v1 != NULL ? v1->b : v2->b, head.hash_len);
	return shoal_record_open(r->tool, &r->record, r->net->record, &head);
}

int shoal_run(struct shoal_run *r)
{
	r->began = shoal_signals_now();
	if (r->ops == NULL)
		r->ops = shoal_net_engine(r->net);
	shoal_signals_catch();
	int code = shoal_net_open(r->tool, r->net, r->ops, &r->engine);
	if (code)
		return code;
	code = open_record(r); /* now that there will be one: it replaces the last */
	if (code) {
		r->ops->close(r->engine);
		return code;
	}
	shoal_signals_wake(r->engine);
	r->tool->finishes = true; /* what is verified is to be recorded, whoever listens */
	if (geteuid() == 0 && !r->tool->quiet)
		shoal_say_log(r->tool, SHOAL_LOG_WARN, "running as root, which nothing here needs");
	shoal_progress_init(&r->progress, r->tool);
	r->progress.last = r->told = r->began;
	shoal_run_enter_dht(r);
	for (size_t i = 0; i < r->count; i++) {
		r->torrent[i].name = "";
		r->torrent[i].began = r->began;
	}
	for (size_t i = 0; i < r->count; i++)
		(void)shoal_run_add(r, i); /* what cannot be added has ended, and said so */
	enum outcome out = drive(r);
	ask_for_summary(r);
	shoal_progress_clear(&r->progress);
	r->tool->progress = NULL;
	code = code_of(r, out);
	bool clean = stop(r);
	shoal_record_close(&r->record, shoal_signals_now());
	for (size_t i = 0; i < r->count; i++)
		if (!r->torrent[i].listed)
			shoal_run_tell_summary(r, &r->torrent[i]);
	shoal_signals_wake(NULL);
	if (!clean)
		shoal_say_warn(r->tool, NULL,
			       "the disk did not answer in time; what it had not written is fetched again");
	if (r->tool->broken < 0 && code == SHOAL_EXIT_GOOD)
		code = SHOAL_EXIT_STORAGE;
	if (!clean)
		_exit(code);
	r->ops->close(r->engine);
	r->tool->finishes = false;
	return code;
}
