/* tools/reputation.c - shoal reputation: what is remembered of peers, looked at, forgotten, carried elsewhere. */
#include "proto/base/bytes.h"
#include "swarm/core/recall.h"
#include "swarm/peers/rep_text.h"
#include "tools/commands.h"
#include "tools/human.h"
#include "tools/net.h"
#include "tools/options.h"
#include "tools/save.h"
#include "tools/say.h"
#include "tools/source.h"
#include "tools/state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct shoal_opt_page page = {
	"COMMAND [ARGUMENT] [OPTIONS]",
	"What is remembered of peers: who sent how much that was right, and who was banned.\n"
	"  list                everybody, with what is thought of them (--banned: only who is banned)\n"
	"  show WHO            one of them, ADDR:PORT or ed25519:KEY, and why\n"
	"  forget WHO          it is a stranger again; --all: everybody is\n"
	"  export              all of it as text (swarm/peers/rep_text.h), to stdout or -o FILE\n"
	"  import FILE         such text (- is stdin). What is known here already stays as it is; the rest weighs\n"
	"                      a quarter and little at most, and bans are taken with --bans alone, for an hour\n"
	"Works on the state folder. forget and import want it for themselves: while another shoal is at work\n"
	"there they exit 4.",
	"  shoal reputation list --banned\n"
	"  shoal reputation show 192.0.2.7:6881\n"
	"  shoal reputation export -o peers.txt",
};

#define ADDR_COLUMNS 24

struct reputation {
	struct shoal_tool *tool;
	const char *state, *arg, *out;
	bool all, banned_only, bans, force;
	bool in_use; /* others are at work in the state */
	uint32_t now_s;
	struct shoal_store_sqlite *sqlite; /* NULL: there is no state yet */
	struct shoal_store store;
	int err; /* of a walk */
	uint32_t rows, banned, unread;
	int columns; /* of the names in a list */
	char *text;  /* being exported: heap */
	size_t len, room;
};

/* ---- the state --------------------------------------------------------------------------------- */

static int open_store(struct reputation *r, bool exclusive, bool make)
{
	char what[160], shown[SHOAL_SAY_TEXT_MAX], *db = NULL;
	if (asprintf(&db, "%s/shoal.db", r->state) < 0)
		return shoal_say_fail(r->tool, SHOAL_ERR_NOMEM, "no memory");
	bool there = access(db, F_OK) == 0 || errno != ENOENT;
	free(db);
	if (!there && !make)
		return 0; /* to look at nothing nothing is made */
	struct shoal_store_options options = { .os = &shoal_os_real, .state = r->state, .exclusive = exclusive };
	int rc = shoal_store_sqlite_open(&r->sqlite, &options, what);
	if (rc < 0)
		return shoal_say_fail_as(r->tool, SHOAL_EXIT_STORAGE, rc, "%s", shoal_say_cstr(what, shown));
	if (what[0] != '\0')
		shoal_say_warn(r->tool, NULL, "%s", shoal_say_cstr(what, shown));
	r->store = shoal_store_sqlite_store(r->sqlite);
	r->in_use = !shoal_store_sqlite_alone(r->sqlite);
	if (r->in_use)
		shoal_say_log(r->tool, SHOAL_LOG_WARN,
			      "another shoal is at work in this state; what it learned in the last "
			      "half minute is not seen here");
	return 0;
}

/* What was put and dropped becomes durable. */
static int write_out(struct reputation *r)
{
	int rc = shoal_state_write(r->sqlite);
	return rc < 0 ? shoal_say_fail_as(r->tool, SHOAL_EXIT_STORAGE, rc, "cannot write the state: %s",
					  shoal_err_name(rc))
		      : 0;
}

struct found {
	struct shoal_rep_record rec;
	int rc;
};
static void on_value(void *to, struct shoal_bytes value)
{
	struct found *f = to;
	f->rc = shoal_rep_record_decode(value, &f->rec);
}

/* 1: it is known; 0; or < 0. */
static int look_up(struct reputation *r, const struct shoal_rep_name *who, struct shoal_rep_record *out)
{
	uint8_t raw[SHOAL_REP_KEY_MAX];
	struct found f = { .rc = 0 };
	if (r->sqlite == NULL)
		return 0;
	int rc = r->store.ops->get(r->store.s, SHOAL_STORE_PEER, shoal_bytes(raw, shoal_rep_key(who, raw)), on_value,
				   &f);
	if (rc <= 0 || f.rc < 0)
		return rc < 0 ? rc : 0; /* what cannot be read is not known */
	shoal_rep_record_wake(&f.rec, r->now_s);
	*out = f.rec;
	return 1;
}

/* ---- telling ------------------------------------------------------------------------------------- */

static void tell_json(struct shoal_json *j, const struct shoal_rep_name *who, const struct shoal_rep_record *rec)
{
	const struct shoal_rep *rep = &rec->rep;
	char text[SHOAL_REP_NAME_TEXT];
	shoal_rep_name_format(who, text);
	shoal_json_text(j, who->keyed ? "key" : "addr", text);
	shoal_json_text(j, "state", shoal_rep_state_name(rep->state));
	shoal_json_u64(j, "verified", rep->blocks);
	shoal_json_u64(j, "false", rep->false_blocks);
	shoal_json_real(j, "integrity", shoal_rep_mean(rep->right, rep->wrong));
	shoal_json_real(j, "integrity_bound", shoal_rep_integrity(rep));
	shoal_json_real(j, "reliability", shoal_rep_mean(rep->kept, rep->missed));
	shoal_json_real(j, "claims", shoal_rep_mean(rep->true_claim, rep->no_claim));
	shoal_json_u64(j, "window", shoal_rep_window(rep));
	shoal_json_u64(j, "seen", rec->seen_s);
	shoal_json_u64(j, "bans", rep->bans);
	if (rep->state == SHOAL_REP_BANNED)
		shoal_json_u64(j, "banned_until", rep->banned_until_s);
}

/* In whole seconds: no more is remembered. */
static const char *ago(uint32_t now_s, uint32_t at_s, char out[SHOAL_HUMAN_MAX])
{
	uint32_t s = now_s > at_s ? now_s - at_s : 0;
	if (s >= 60)
		return shoal_human_span(SHOAL_S((shoal_us)s), out);
	snprintf(out, SHOAL_HUMAN_MAX, "%" PRIu32 " s", s);
	return out;
}

static void tell_row(struct reputation *r, const struct shoal_rep_name *who, const struct shoal_rep_record *rec)
{
	char text[SHOAL_REP_NAME_TEXT], span[SHOAL_HUMAN_MAX];
	shoal_rep_name_format(who, text);
	shoal_say(r->tool, "%-*s  %-9s  %8" PRIu32 "  %5" PRIu32 "  %9.3f  %s ago", r->columns, text,
		  shoal_rep_state_name(rec->rep.state), rec->rep.blocks, rec->rep.false_blocks,
		  shoal_rep_integrity(&rec->rep), ago(r->now_s, rec->seen_s, span));
}

/* 1: one to show; 0: not; or < 0: it cannot be read. */
static int listed(const struct reputation *r, struct shoal_bytes key, struct shoal_bytes value,
		  struct shoal_rep_name *who, struct shoal_rep_record *rec)
{
	if (shoal_rep_key_name(key, who) < 0 || shoal_rep_record_decode(value, rec) < 0)
		return SHOAL_ERR_MALFORMED;
	shoal_rep_record_wake(rec, r->now_s);
	return (!r->banned_only || rec->rep.state == SHOAL_REP_BANNED) &&
	       !shoal_recall_stale(rec->seen_s, rec->rep.banned_until_s, r->now_s);
}

/* Keys are longer than addresses: the widest that is shown has its column. */
static int on_measured(void *to, struct shoal_bytes key, struct shoal_bytes value)
{
	struct reputation *r = to;
	struct shoal_rep_record rec;
	struct shoal_rep_name who;
	char text[SHOAL_REP_NAME_TEXT];
	if (listed(r, key, value, &who, &rec) <= 0)
		return 0;
	shoal_rep_name_format(&who, text);
	int columns = (int)strlen(text);
	r->columns = columns > r->columns ? columns : r->columns;
	return 0;
}

static int on_listed(void *to, struct shoal_bytes key, struct shoal_bytes value)
{
	struct reputation *r = to;
	struct shoal_rep_record rec;
	struct shoal_rep_name who;
	int rc = listed(r, key, value, &who, &rec);
	r->unread += rc < 0;
	if (rc <= 0)
		return 0;
	bool banned = rec.rep.state == SHOAL_REP_BANNED;
	if (r->rows++ == 0)
		shoal_say(r->tool, "%-*s  %-9s  %8s  %5s  %9s  %s", r->columns, "address", "standing", "verified",
			  "false", "integrity", "heard of");
	r->banned += banned;
	if (r->tool->json) {
		tell_json(shoal_say_event(r->tool, "peer", 0), &who, &rec);
		shoal_say_event_end(r->tool);
	} else {
		tell_row(r, &who, &rec);
	}
	return 0;
}

static int walk(struct reputation *r, int (*row)(void *to, struct shoal_bytes key, struct shoal_bytes value))
{
	if (r->sqlite == NULL)
		return 0;
	int rc = r->store.ops->scan(r->store.s, SHOAL_STORE_PEER, SHOAL_LIT(""), row, r);
	rc = rc < 0 ? rc : r->err;
	if (rc < 0)
		return shoal_say_fail_as(r->tool, SHOAL_EXIT_STORAGE, rc, "cannot read the state: %s",
					 shoal_err_name(rc));
	return 0;
}

static int do_list(struct reputation *r)
{
	r->columns = ADDR_COLUMNS;
	int code = r->tool->json ? 0 : walk(r, on_measured);
	if (code == 0)
		code = walk(r, on_listed);
	if (code != 0)
		return code;
	if (r->unread > 0)
		shoal_say_warn(r->tool, NULL, "%" PRIu32 " records are not readable, or of a newer shoal", r->unread);
	if (r->tool->json) {
		struct shoal_json *j = shoal_say_event(r->tool, "reputation", 0);
		shoal_json_u64(j, "peers", r->rows);
		shoal_json_u64(j, "banned", r->banned);
		shoal_json_bool(j, "in_use", r->in_use);
		shoal_say_event_end(r->tool);
	} else if (r->rows == 0) {
		shoal_say(r->tool, r->banned_only ? "nobody is banned" : "nobody is remembered");
	}
	return 0;
}

/* What a reason says, in words. */
static void say_reason(const struct shoal_rep_reason *w, char out[160])
{
	switch (w->why) {
	case SHOAL_REP_WHY_MET:
		snprintf(out, 160, "first contact; strangers were expected to send %.1f %% false blocks",
			 100 * (double)w->value);
		break;
	case SHOAL_REP_WHY_FALSE_LEAF:
		snprintf(out, 160, "block %u of piece %" PRIu32 " was false: its leaf hash is not the torrent's",
			 w->block, w->piece);
		break;
	case SHOAL_REP_WHY_FALSE_DIFF:
		snprintf(out, 160, "block %u of piece %" PRIu32 " was false: it differs from the good one", w->block,
			 w->piece);
		break;
	case SHOAL_REP_WHY_TWO_FACED:
		snprintf(out, 160, "block %u of piece %" PRIu32 " came in two versions", w->block, w->piece);
		break;
	case SHOAL_REP_WHY_SOLE: snprintf(out, 160, "sent all of piece %" PRIu32 ", which was false", w->piece); break;
	case SHOAL_REP_WHY_SUSPECT:
		snprintf(out, 160, "had a part in piece %" PRIu32 ", which was false: %.0f %% of the blame", w->piece,
			 100 * (double)w->value);
		break;
	case SHOAL_REP_WHY_CLEARED: snprintf(out, 160, "was cleared of piece %" PRIu32, w->piece); break;
	case SHOAL_REP_WHY_OWN_FAULT:
		snprintf(out, 160, "piece %" PRIu32 " failed by our own memory's fault: nothing is held against it",
			 w->piece);
		break;
	case SHOAL_REP_WHY_HASHES: snprintf(out, 160, "sent hashes that do not fit the torrent"); break;
	case SHOAL_REP_WHY_STATE:
		snprintf(out, 160, "became %s; was %s", shoal_rep_state_name(w->state),
			 shoal_rep_state_name((enum shoal_rep_state)w->value));
		break;
	case SHOAL_REP_WHY_TOLD: snprintf(out, 160, "came with an import: somebody else saw it, not we"); break;
	default: snprintf(out, 160, "?"); break;
	}
}

static int name_of(struct reputation *r, struct shoal_rep_name *out)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	if (shoal_rep_name_parse(shoal_bytes(r->arg, strlen(r->arg)), out) < 0)
		return shoal_say_fail(r->tool, SHOAL_ERR_USAGE, "%s is no ADDR:PORT, and no ed25519:KEY",
				      shoal_say_cstr(r->arg, shown));
	return 0;
}

static int unknown(struct reputation *r)
{
	return shoal_say_fail_as(r->tool, SHOAL_EXIT_DATA, SHOAL_ERR_GONE, "%s is not remembered", r->arg);
}

static void show_text(struct reputation *r, const struct shoal_rep_name *who, const struct shoal_rep_record *rec)
{
	const struct shoal_rep *rep = &rec->rep;
	char text[SHOAL_REP_NAME_TEXT], span[SHOAL_HUMAN_MAX], why[160];
	shoal_rep_name_format(who, text);
	shoal_say(r->tool, "%s is %s; last heard of %s ago", text, shoal_rep_state_name(rep->state),
		  ago(r->now_s, rec->seen_s, span));
	if (rep->state == SHOAL_REP_BANNED)
		shoal_say(r->tool, "  banned       for %s yet",
			  shoal_human_span(SHOAL_S((shoal_us)(rep->banned_until_s - r->now_s)), span));
	shoal_say(r->tool, "  integrity    %.3f, at least %.3f: %" PRIu32 " blocks were right, %" PRIu32 " false",
		  shoal_rep_mean(rep->right, rep->wrong), shoal_rep_integrity(rep), rep->blocks, rep->false_blocks);
	shoal_say(r->tool, "  reliability  %.3f", shoal_rep_mean(rep->kept, rep->missed));
	shoal_say(r->tool, "  claims       %.3f", shoal_rep_mean(rep->true_claim, rep->no_claim));
	shoal_say(r->tool, "  would be asked for at most %" PRIu32 " blocks at a time", shoal_rep_window(rep));
	for (unsigned i = 0; i < rep->reasons && i < SHOAL_REP_REASONS; i++) {
		say_reason(&rep->reason[i], why);
		shoal_say(r->tool, "  %s ago: %s", ago(r->now_s, rep->reason[i].at_s, span), why);
	}
}

static int do_show(struct reputation *r)
{
	struct shoal_rep_record rec;
	struct shoal_rep_name who;
	int code = name_of(r, &who);
	if (code != 0)
		return code;
	int rc = look_up(r, &who, &rec);
	if (rc < 0)
		return shoal_say_fail_as(r->tool, SHOAL_EXIT_STORAGE, rc, "cannot read the state: %s",
					 shoal_err_name(rc));
	if (rc == 0)
		return unknown(r);
	if (!r->tool->json) {
		show_text(r, &who, &rec);
		return 0;
	}
	struct shoal_json *j = shoal_say_event(r->tool, "peer", 0);
	tell_json(j, &who, &rec);
	shoal_json_array(j, "reasons");
	for (unsigned i = 0; i < rec.rep.reasons && i < SHOAL_REP_REASONS; i++) {
		char why[160];
		say_reason(&rec.rep.reason[i], why);
		shoal_json_object(j, NULL);
		shoal_json_u64(j, "at", rec.rep.reason[i].at_s);
		shoal_json_text(j, "why", why);
		shoal_json_end(j);
	}
	shoal_json_end(j);
	shoal_say_event_end(r->tool);
	return 0;
}

/* ---- forgetting ------------------------------------------------------------------------------------ */

static int on_dropped(void *to, struct shoal_bytes key, struct shoal_bytes value)
{
	struct reputation *r = to;
	(void)value;
	r->err = r->store.ops->drop(r->store.s, SHOAL_STORE_PEER, key);
	r->rows += r->err == 0;
	return r->err < 0;
}

static void tell_count(struct reputation *r, const char *event, const char *what)
{
	char text[2 * SHOAL_HUMAN_MAX];
	if (r->tool->json) {
		shoal_json_u64(shoal_say_event(r->tool, event, 0), "peers", r->rows);
		shoal_say_event_end(r->tool);
	} else {
		shoal_say(r->tool, "%s %s", shoal_human_count(r->rows, "peer", "peers", text), what);
	}
}

static int do_forget(struct reputation *r)
{
	struct shoal_rep_record rec;
	struct shoal_rep_name who;
	uint8_t key[SHOAL_REP_KEY_MAX];
	if (r->all) {
		int code = walk(r, on_dropped);
		if (code == 0 && r->rows > 0)
			code = write_out(r);
		if (code == 0)
			tell_count(r, "forgotten", "forgotten");
		return code;
	}
	int code = name_of(r, &who);
	if (code != 0)
		return code;
	int rc = look_up(r, &who, &rec);
	if (rc == 0)
		return unknown(r);
	if (rc > 0)
		rc = r->store.ops->drop(r->store.s, SHOAL_STORE_PEER, shoal_bytes(key, shoal_rep_key(&who, key)));
	if (rc < 0)
		return shoal_say_fail_as(r->tool, SHOAL_EXIT_STORAGE, rc, "cannot write the state: %s",
					 shoal_err_name(rc));
	r->rows = 1;
	code = write_out(r);
	if (code == 0)
		tell_count(r, "forgotten", "forgotten");
	return code;
}

/* ---- out and in --------------------------------------------------------------------------------------- */

static bool text_add(struct reputation *r, const char *at, size_t len)
{
	if (r->len + len > r->room) {
		size_t room = 2 * r->room + 64 * SHOAL_REP_TEXT_LINE;
		char *more = realloc(r->text, room);
		if (more == NULL)
			return false;
		r->text = more;
		r->room = room;
	}
	memcpy(r->text + r->len, at, len);
	r->len += len;
	return true;
}

static int on_exported(void *to, struct shoal_bytes key, struct shoal_bytes value)
{
	struct reputation *r = to;
	struct shoal_rep_record rec;
	struct shoal_rep_name who;
	char text[SHOAL_REP_TEXT_LINE];
	if (r->rows == SHOAL_REP_TEXT_PEERS)
		return 1; /* what was put there beyond what is kept */
	if (shoal_rep_key_name(key, &who) < 0 || shoal_rep_record_decode(value, &rec) < 0)
		return 0;
	shoal_rep_record_wake(&rec, r->now_s);
	struct shoal_rep_line line = shoal_rep_text_of(&who, &rec);
	r->rows++;
	r->err = text_add(r, text, shoal_rep_text_line(&line, text)) ? 0 : SHOAL_ERR_NOMEM;
	return r->err < 0;
}

static int do_export(struct reputation *r)
{
	int rc = r->out != NULL ? shoal_save_may(r->out, r->force) : 0;
	if (rc < 0)
		return shoal_save_failed(r->tool, r->out, rc);
	if (!text_add(r, SHOAL_REP_TEXT_HEAD, strlen(SHOAL_REP_TEXT_HEAD)))
		return shoal_say_fail(r->tool, SHOAL_ERR_NOMEM, "no memory");
	int code = walk(r, on_exported);
	if (code != 0)
		return code;
	if (r->out == NULL) {
		fwrite(r->text, 1, r->len, stdout);
		shoal_say_flush(r->tool);
		return 0;
	}
	rc = shoal_save(r->out, shoal_bytes(r->text, r->len), r->force);
	if (rc < 0)
		return shoal_save_failed(r->tool, r->out, rc);
	tell_count(r, "exported", "exported");
	return 0;
}

/* All of it is read before any of it is taken. */
static int import_read(struct reputation *r, struct shoal_bytes text, struct shoal_rep_line *line, size_t *count)
{
	struct shoal_rep_text t;
	char shown[SHOAL_SAY_TEXT_MAX];
	int rc = shoal_rep_text_begin(&t, text);
	*count = 0;
	while (rc == 0 && (rc = shoal_rep_text_next(&t, &line[*count])) > 0) {
		++*count;
		rc = 0;
		if (*count == SHOAL_REP_TEXT_PEERS) {
			struct shoal_rep_line more;
			rc = shoal_rep_text_next(&t, &more);
			break;
		}
	}
	if (rc >= 0)
		return 0;
	shoal_say_cstr(r->arg, shown);
	if (rc == SHOAL_ERR_UNSUPPORTED)
		return shoal_say_fail_as(r->tool, SHOAL_EXIT_INPUT, rc, "%s: a newer shoal wrote it", shown);
	return shoal_say_fail_as(r->tool, SHOAL_EXIT_INPUT, rc, "%s: line %" PRIu32 ": %s", shown, t.line,
				 rc == SHOAL_ERR_TOO_LONG ? "too long, or one too many"
				 : t.line <= 1		  ? "nothing that shoal reputation export writes"
							  : "not as it should be");
}

static int import_take(struct reputation *r, const struct shoal_rep_line *line, size_t count)
{
	uint32_t here = 0;
	int rc = 0;
	for (size_t i = 0; rc >= 0 && i < count; i++) {
		struct shoal_rep_record rec;
		uint8_t key[SHOAL_REP_KEY_MAX], raw[SHOAL_REP_RECORD_MAX];
		rc = look_up(r, &line[i].who, &rec);
		here += rc > 0;
		if (rc != 0)
			continue;
		shoal_rep_text_record(&line[i], r->bans, r->now_s, &rec);
		rc = r->store.ops->put(r->store.s, SHOAL_STORE_PEER, shoal_bytes(key, shoal_rep_key(&line[i].who, key)),
				       shoal_bytes(raw, shoal_rep_record_encode(&rec, raw)));
		r->rows += rc == 0;
	}
	if (rc < 0)
		return shoal_say_fail_as(r->tool, SHOAL_EXIT_STORAGE, rc, "cannot write the state: %s",
					 shoal_err_name(rc));
	int code = r->rows > 0 ? write_out(r) : 0;
	if (code != 0)
		return code;
	if (r->tool->json) {
		struct shoal_json *j = shoal_say_event(r->tool, "imported", 0);
		shoal_json_u64(j, "peers", r->rows);
		shoal_json_u64(j, "known", here);
		shoal_say_event_end(r->tool);
	} else {
		char text[2 * SHOAL_HUMAN_MAX];
		shoal_say(r->tool, "%s imported, %" PRIu32 " known already",
			  shoal_human_count(r->rows, "peer", "peers", text), here);
	}
	return 0;
}

static int do_import(struct reputation *r)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	struct shoal_bytes text = { NULL, 0 };
	size_t count = 0;
	int rc = shoal_source_read(r->arg, SHOAL_REP_TEXT_MAX, &text);
	if (rc < 0)
		return shoal_say_fail_as(r->tool, SHOAL_EXIT_INPUT, rc, "%s: %s", shoal_say_cstr(r->arg, shown),
					 rc == SHOAL_ERR_TOO_LONG ? "too long" : strerror(errno));
	struct shoal_rep_line *line = malloc(SHOAL_REP_TEXT_PEERS * sizeof *line);
	int code = line != NULL ? import_read(r, text, line, &count)
				: shoal_say_fail(r->tool, SHOAL_ERR_NOMEM, "no memory");
	if (code == 0)
		code = open_store(r, true, true); /* not before it is known to be good */
	if (code == 0)
		code = import_take(r, line, count);
	free(line);
	free((void *)(uintptr_t)text.at);
	return code;
}

/* ---- the command ------------------------------------------------------------------------------------------ */

static const struct verb {
	const char *name;
	int (*run)(struct reputation *r);
	bool argument, alone, opens;
} verbs[] = {
	{ "list", do_list, false, false, true },    { "show", do_show, true, false, true },
	{ "forget", do_forget, true, true, true },  { "export", do_export, false, false, true },
	{ "import", do_import, true, true, false }, /* once it has read what there is */
};

static int run(struct reputation *r, const struct shoal_opt_list *args)
{
	const struct verb *v = NULL;
	char shown[SHOAL_SAY_TEXT_MAX];
	for (size_t i = 0; args->count > 0 && i < sizeof verbs / sizeof *verbs; i++)
		if (strcmp(args->at[0], verbs[i].name) == 0)
			v = &verbs[i];
	if (v == NULL)
		return shoal_say_fail(r->tool, SHOAL_ERR_USAGE, "%s%s; see shoal reputation --help",
				      args->count ? "unknown command " : "a command is needed",
				      args->count ? shoal_say_cstr(args->at[0], shown) : "");
	bool wants = v->argument && !(v->run == do_forget && r->all);
	if (args->count != (wants ? 2u : 1u))
		return shoal_say_fail(r->tool, SHOAL_ERR_USAGE, "%s takes %s; see shoal reputation --help", v->name,
				      wants ? "one argument" : "no argument");
	r->arg = wants ? args->at[1] : NULL;
	int code = v->opens ? open_store(r, v->alone, false) : 0;
	if (code == 0)
		code = v->run(r);
	return code;
}

int shoal_reputation_main(struct shoal_tool *tool, int argc, char **argv)
{
	struct reputation r = { .tool = tool, .now_s = (uint32_t)time(NULL) };
	struct shoal_opt_list args = { 0 };
	/* clang-format off */
	const struct shoal_opt own[] = {
		{ SHOAL_OPT_TEXT, "state", 0, &r.state, "DIR", NULL, "what is remembered; default: ~/.local/state/shoal" },
		{ SHOAL_OPT_FLAG, "banned", 0, &r.banned_only, NULL, NULL, "list: only who is banned" },
		{ SHOAL_OPT_FLAG, "all", 0, &r.all, NULL, NULL, "forget: everybody" },
		{ SHOAL_OPT_TEXT, "output", 'o', &r.out, "FILE", NULL, "export: there, not to stdout" },
		{ SHOAL_OPT_FLAG, "force", 0, &r.force, NULL, NULL, "export: replace FILE" },
		{ SHOAL_OPT_FLAG, "bans", 0, &r.bans, NULL, NULL, "import: and ban who is banned there, for an hour at most" },
		{ .kind = SHOAL_OPT_END },
	};
	/* clang-format on */
	const struct shoal_opt *const tables[] = { own, NULL };
	int rc = shoal_say_parse(tool, &page, tables, argc, argv, &args), code;
	char *named = r.state != NULL ? NULL : shoal_net_state_default();
	r.state = r.state != NULL ? r.state : named;
	if (rc != 0)
		code = rc > 0 ? SHOAL_EXIT_GOOD : shoal_exit_of(rc);
	else if (r.state == NULL)
		code = shoal_say_fail(tool, SHOAL_ERR_USAGE, "no home folder; --state DIR names the state");
	else
		code = run(&r, &args);
	shoal_store_sqlite_close(r.sqlite);
	free(r.text);
	free(named);
	shoal_opt_list_fini(&args);
	return code;
}
