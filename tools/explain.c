/* tools/explain.c - shoal explain: what a flight record says, in plain words; the summary first, the rest when asked. */
#include "tools/explain.h"

#include "proto/base/bytes.h"
#include "swarm/peers/rep_record.h"
#include "swarm/io/addr.h"
#include "tools/commands.h"
#include "tools/human.h"
#include "tools/options.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_MAX (256u << 20) /* four times what we ever write */
#define ROWS 10
#define WIDTH 100u
#define INDENT 12u
#define KEY_PREFIX "ed25519:"

static const struct shoal_opt_page page = {
	"FILE [--peer ADDR|KEY] [--piece N] [--time A..B]",
	"Reads what get and seed wrote with --record FILE, and says why it went as it did: first in short, then about "
	"a\n"
	"peer (why it was served, why it was banned), a piece (who was asked for it and why, why nobody else,\n"
	"what it waits for), both (why this peer, or why not), or a stretch of time, in seconds since the record\n"
	"began. Every sentence is made from what was recorded when the decision was made.\n"
	"Exit code 1: the record says nothing of that peer, piece or time; 3: FILE is no flight record.",
	"  shoal get holiday.torrent --peer 192.0.2.7:6881 --record holiday.flight\n"
	"  shoal explain holiday.flight\n"
	"  shoal explain holiday.flight --peer 192.0.2.9:6881\n"
	"  shoal explain holiday.flight --peer "
	"ed25519:3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29\n"
	"  shoal explain holiday.flight --piece 17 --peer 192.0.2.9\n"
	"  shoal explain holiday.flight --time 3..4.5 --json",
};

/* ---- shared with the stories --------------------------------------------------------------------- */

bool shoal_explain_is_peer(const struct shoal_explain *e, const struct shoal_explain_peer *p)
{
	size_t len = e->peer != NULL ? strlen(e->peer) : 0;
	if (e->peer == NULL)
		return true;
	if (e->by_key)
		return p->meant;
	if (strcmp(p->name, e->peer) == 0)
		return true;
	/* The host alone, IPv6 with its brackets or without. */
	const char *colon = p->web ? NULL : strrchr(p->name, ':');
	if (colon == NULL)
		return false;
	size_t host = (size_t)(colon - p->name);
	return (host == len && memcmp(p->name, e->peer, len) == 0) ||
	       (p->name[0] == '[' && host == len + 2 && memcmp(p->name + 1, e->peer, len) == 0);
}

shoal_us shoal_explain_since(const struct shoal_explain *e, shoal_us at)
{
	return at > e->book->head.began ? at - e->book->head.began : 0;
}

void shoal_explain_line(const struct shoal_explain *e, const char *label, shoal_us at, const char *words)
{
	char front[32];
	if (label == NULL)
		snprintf(front, sizeof front, "%8.3f s  ", (double)shoal_explain_since(e, at) / 1e6);
	else
		snprintf(front, sizeof front, "  %-*s", (int)INDENT - 2, label);
	if (e->tool->quiet)
		return;
	while (true) {
		size_t len = strlen(words), cut = len;
		/* At the last space that fits; a word too long for a line stays whole. */
		if (len > WIDTH - INDENT) {
			for (cut = WIDTH - INDENT; cut > 0 && words[cut] != ' ';)
				cut--;
			if (cut == 0)
				cut = strcspn(words, " ");
		}
		printf("%-*s%.*s\n", (int)INDENT, front, (int)cut, words);
		if (cut == len)
			return;
		words += cut + 1;
		front[0] = '\0';
	}
}

static const char *name_of(void *to, uint32_t peer, char out[SHOAL_EXPLAIN_NAME_MAX])
{
	const struct shoal_explain *e = ((void **)to)[0];
	const struct shoal_flight *f = ((void **)to)[1];
	const struct shoal_explain_peer *p = shoal_explain_book_peer(e->book, f->torrent, peer);
	if (p != NULL)
		snprintf(out, SHOAL_EXPLAIN_NAME_MAX, "%s", p->name);
	else
		snprintf(out, SHOAL_EXPLAIN_NAME_MAX, "peer %" PRIu32, peer);
	return out;
}

/* The info hash, as its TORRENT record has it; "" when there is none. */
static void hash_of(const struct shoal_explain *e, uint32_t handle, char out[65])
{
	const struct shoal_explain_torrent *t = shoal_explain_book_torrent(e->book, handle);
	size_t n = 0;
	while (t != NULL && n < t->is.text.len && n < 64 && t->is.text.at[n] != ' ') {
		out[n] = (char)t->is.text.at[n];
		n++;
	}
	out[n] = '\0';
}

static void record_json(const struct shoal_explain *e, const struct shoal_flight *f, const char *words)
{
	const struct shoal_flight_shape *shape = shoal_flight_shape(f->kind);
	char hash[65];
	struct shoal_json *j = shoal_say_event(e->tool, shape->name, f->at);
	shoal_json_us(j, "since", shoal_explain_since(e, f->at));
	hash_of(e, f->torrent, hash);
	shoal_json_text(j, "torrent", hash[0] != '\0' ? hash : NULL);
	const struct shoal_explain_peer *p = shoal_explain_book_peer(e->book, f->torrent, f->peer);
	if (p != NULL)
		shoal_json_text(j, "peer", p->name);
	if (f->piece != SHOAL_FLIGHT_NONE)
		shoal_json_u64(j, "piece", f->piece);
	shoal_json_object(j, "terms");
	for (size_t i = 0; shape->term[i] != NULL; i++)
		shoal_json_u64(j, shape->term[i], f->term[i]);
	shoal_json_end(j);
	if (shape->text)
		shoal_json_str(j, "text", f->text);
	shoal_json_text(j, "says", words);
	shoal_say_event_end(e->tool);
}

void shoal_explain_record(const struct shoal_explain *e, const struct shoal_flight *f)
{
	char words[SHOAL_EXPLAIN_WORDS_MAX];
	const void *who[2] = { e, f };
	struct shoal_explain_names names = { name_of, who };
	shoal_explain_words(f, &names, words);
	if (e->tool->json)
		record_json(e, f, words);
	else
		shoal_explain_line(e, NULL, f->at, words);
}

/* ---- in short ------------------------------------------------------------------------------------ */

/* One word for what came of it. */
static const char *verdict(const struct shoal_explain_peer *p)
{
	return p->banned			 ? "banned"
	       : p->standing == SHOAL_REP_PAROLE ? "on parole"
	       : p->blocks > 0			 ? (p->falses > 0 ? "gave, and lied" : "gave")
	       : p->stalls > 0			 ? "stalled"
	       : p->refusals > 0		 ? "refused"
	       : p->asks > 0			 ? "gave nothing"
						 : "was not asked";
}

static int by_weight(const void *a, const void *b)
{
	const struct shoal_explain_peer *x = *(struct shoal_explain_peer *const *)a;
	const struct shoal_explain_peer *y = *(struct shoal_explain_peer *const *)b;
	if (x->banned != y->banned)
		return y->banned - x->banned;
	if (x->blocks != y->blocks)
		return x->blocks < y->blocks ? 1 : -1;
	return x->id < y->id ? -1 : x->id > y->id;
}

/* The whole name, or the first torrent's in short. */
static const char *title(const struct shoal_explain_torrent *t, char out[SHOAL_SAY_TEXT_MAX])
{
	struct shoal_bytes text = t->is.text;
	const uint8_t *space = text.len > 0 ? memchr(text.at, ' ', text.len) : NULL;
	if (space != NULL)
		text = shoal_bytes(space + 1, text.len - (size_t)(space + 1 - text.at));
	return shoal_say_text(text.len > 0 ? text : SHOAL_LIT("a torrent without metadata"), out);
}

static void print_torrent(const struct shoal_explain *e, const struct shoal_explain_torrent *t)
{
	char name[SHOAL_SAY_TEXT_MAX], words[SHOAL_EXPLAIN_WORDS_MAX], pieces[SHOAL_HUMAN_MAX * 2];
	shoal_say(e->tool, "%s: %s; %" PRIu32 " came good, %" PRIu32 " failed, %" PRIu32 " banned", title(t, name),
		  shoal_human_count(shoal_flight_term(&t->is, "pieces"), "piece", "pieces", pieces), t->good, t->bad,
		  t->bans);
	if (t->state.kind != SHOAL_FLIGHT_UNKNOWN)
		shoal_say(e->tool, "  at %.3f s it waited %s", (double)shoal_explain_since(e, t->state.at) / 1e6,
			  shoal_explain_waits(&t->state, words));
}

static void print_reservations(const struct shoal_explain *e)
{
	const struct shoal_explain_book *b = e->book;
	if (b->lost > 0)
		shoal_say(e->tool, "%" PRIu64 " records were lost: more was decided than could be kept", b->lost);
	if (b->full)
		shoal_say(e->tool, "the record is full; what came later is not in it");
	else if (b->cut || !b->closed)
		shoal_say(e->tool, "the record was not ended in order: the last second may be missing");
	if (b->unnamed > 0)
		shoal_say(e->tool, "%" PRIu64 " peers more than are told apart here", b->unnamed);
}

static void summary_text(const struct shoal_explain *e, struct shoal_explain_peer **row)
{
	const struct shoal_explain_book *b = e->book;
	char when[64] = "of virtual time", span[SHOAL_HUMAN_MAX], count[SHOAL_HUMAN_MAX * 2];
	time_t began = (time_t)b->head.unix_s;
	struct tm tm;
	if (b->head.unix_s > 0 && b->head.unix_s < INT32_MAX && localtime_r(&began, &tm) != NULL)
		strftime(when, sizeof when, "from %Y-%m-%d %H:%M:%S on", &tm);
	shoal_say(e->tool, "%s recorded %s: %s", shoal_human_span(shoal_explain_since(e, b->ended), span), when,
		  shoal_human_count(b->count, "record", "records", count));
	for (size_t i = 0; i < b->torrents && i < ROWS; i++)
		print_torrent(e, &b->torrent[i]);
	if (b->torrents > ROWS)
		shoal_say(e->tool, "and %zu torrents more", b->torrents - ROWS);
	if (b->peers > 0)
		shoal_say(e->tool, "\n%-26s %-18s %6s %7s %6s  %s", "peer", "client", "asked", "blocks", "false",
			  "verdict");
	for (size_t i = 0; i < b->peers && i < ROWS; i++) {
		char client[64], name[64];
		shoal_say(e->tool, "%-26s %-18s %6" PRIu32 " %7" PRIu64 " %6" PRIu32 "  %s",
			  shoal_human_fit(row[i]->name, 26, name, sizeof name),
			  shoal_human_fit(row[i]->client, 18, client, sizeof client), row[i]->asks, row[i]->blocks,
			  row[i]->falses, verdict(row[i]));
	}
	if (b->peers > ROWS)
		shoal_say(e->tool, "and %zu others", b->peers - ROWS);
	print_reservations(e);
	shoal_say(e->tool, "\nwhy? ask for more: --peer ADDR, --piece N, both, or --time A..B");
}

static void summary_json(const struct shoal_explain *e, struct shoal_explain_peer **row)
{
	const struct shoal_explain_book *b = e->book;
	char text[SHOAL_SAY_TEXT_MAX], words[SHOAL_EXPLAIN_WORDS_MAX], hash[65];
	struct shoal_json *j = shoal_say_event(e->tool, "explained", b->ended);
	shoal_json_us(j, "seconds", shoal_explain_since(e, b->ended));
	shoal_json_u64(j, "began", b->head.unix_s);
	shoal_json_u64(j, "records", b->count);
	shoal_json_u64(j, "lost", b->lost);
	shoal_json_bool(j, "full", b->full);
	shoal_json_bool(j, "ended", b->closed && !b->cut);
	shoal_json_array(j, "torrents");
	for (size_t i = 0; i < b->torrents; i++) {
		const struct shoal_explain_torrent *t = &b->torrent[i];
		shoal_json_object(j, NULL);
		hash_of(e, t->handle, hash);
		shoal_json_text(j, "torrent", hash);
		shoal_json_text(j, "name", title(t, text));
		shoal_json_u64(j, "pieces", shoal_flight_term(&t->is, "pieces"));
		shoal_json_u64(j, "good", t->good);
		shoal_json_u64(j, "bad", t->bad);
		shoal_json_u64(j, "bans", t->bans);
		shoal_json_text(j, "waits",
				t->state.kind != SHOAL_FLIGHT_UNKNOWN ? shoal_explain_waits(&t->state, words) : NULL);
		shoal_json_end(j);
	}
	shoal_json_end(j);
	shoal_json_array(j, "peers");
	for (size_t i = 0; i < b->peers; i++) {
		shoal_json_object(j, NULL);
		hash_of(e, row[i]->torrent, hash);
		shoal_json_text(j, "torrent", hash);
		shoal_json_text(j, "peer", row[i]->name);
		shoal_json_text(j, "client", row[i]->client);
		if (row[i]->last[SHOAL_FLIGHT_KEY].kind != SHOAL_FLIGHT_UNKNOWN)
			shoal_json_str(j, "key", row[i]->last[SHOAL_FLIGHT_KEY].text);
		shoal_json_u64(j, "asked", row[i]->asks);
		shoal_json_u64(j, "blocks", row[i]->blocks);
		shoal_json_u64(j, "false_blocks", row[i]->falses);
		shoal_json_u64(j, "suspected", row[i]->suspected);
		shoal_json_text(j, "standing", shoal_explain_standing(row[i]->standing));
		shoal_json_text(j, "verdict", verdict(row[i]));
		shoal_json_end(j);
	}
	shoal_json_end(j);
	shoal_say_event_end(e->tool);
}

static int summary(const struct shoal_explain *e)
{
	size_t n = e->book->peers;
	struct shoal_explain_peer **row = malloc((n ? n : 1) * sizeof *row);
	if (row == NULL)
		return shoal_say_fail(e->tool, SHOAL_ERR_NOMEM, "no memory");
	if (n > 0) {
		memcpy(row, e->book->peer, n * sizeof *row);
		qsort(row, n, sizeof *row, by_weight);
	}
	if (e->tool->json)
		summary_json(e, row);
	else
		summary_text(e, row);
	free(row);
	return 0;
}

/* ---- the command ------------------------------------------------------------------------------------- */

static int read_file(struct shoal_tool *tool, const char *path, struct shoal_bytes *out)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	struct stat st;
	size_t len = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	shoal_say_cstr(path, shown);
	if (fd < 0 || fstat(fd, &st) < 0) {
		int os = errno;
		if (fd >= 0)
			close(fd);
		return shoal_say_fail_as(tool, SHOAL_EXIT_STORAGE, SHOAL_ERR_IO, "%s: %s", shown, strerror(os));
	}
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
		close(fd);
		return shoal_say_fail_as(tool, SHOAL_EXIT_INPUT, SHOAL_ERR_MALFORMED, "%s: %s", shown,
					 S_ISREG(st.st_mode) ? "too large for a flight record" : "no flight record");
	}
	uint8_t *at = malloc((size_t)st.st_size + 1);
	while (at != NULL && len < (size_t)st.st_size) {
		ssize_t n = read(fd, at + len, (size_t)st.st_size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) /* it is shorter by now: then that is all of it */
			break;
		len += (size_t)n;
	}
	close(fd);
	if (at == NULL)
		return shoal_say_fail(tool, SHOAL_ERR_NOMEM, "no memory");
	*out = shoal_bytes(at, len);
	return 0;
}

/* 64 hex digits, "ed25519:" before them or not (as `shoal reputation` shows it): whoever has proven it is meant. */
static void mean_key(struct shoal_explain *e)
{
	struct shoal_rep_name who;
	char named[SHOAL_REP_NAME_TEXT];
	if (e->peer == NULL)
		return;
	int n = snprintf(named, sizeof named, "%s%s",
			 strncmp(e->peer, KEY_PREFIX, strlen(KEY_PREFIX)) ? KEY_PREFIX : "", e->peer);
	if (n < 0 || (size_t)n >= sizeof named || shoal_rep_name_parse(shoal_bytes(named, (size_t)n), &who) < 0)
		return;
	e->by_key = true;
	shoal_explain_book_mean(e->book, who.key);
}

static int answer(const struct shoal_explain *e, const char *path)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	size_t told;
	if (e->piece != SHOAL_FLIGHT_NONE)
		told = shoal_explain_piece(e);
	else if (e->timed)
		told = shoal_explain_time(e);
	else if (e->peer != NULL)
		told = shoal_explain_peers(e);
	else
		return summary(e);
	if (told > 0)
		return 0;
	return shoal_say_fail_as(e->tool, SHOAL_EXIT_DATA, SHOAL_ERR_GONE,
				 "%s says nothing of that; without --peer, --piece and --time it says what there is",
				 shoal_say_cstr(path, shown));
}

static int explain(struct shoal_explain *e, const char *path)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	struct shoal_bytes file = { NULL, 0 };
	struct shoal_explain_book book;
	int code = read_file(e->tool, path, &file);
	if (code)
		return code;
	int rc = shoal_explain_book_read(&book, file);
	e->book = &book;
	if (rc == 0)
		mean_key(e);
	shoal_say_cstr(path, shown);
	if (rc == SHOAL_ERR_NOMEM)
		code = shoal_say_fail(e->tool, rc, "no memory");
	else if (rc < 0)
		code = shoal_say_fail_as(e->tool, SHOAL_EXIT_INPUT, rc, "%s: %s", shown,
					 rc == SHOAL_ERR_UNSUPPORTED ? "a flight record of a later version"
								     : "no flight record");
	else
		code = answer(e, path);
	/* What was there before the damage has been told. */
	if (rc == 0 && book.bad_at > 0)
		code = shoal_say_fail_as(e->tool, SHOAL_EXIT_INPUT, SHOAL_ERR_MALFORMED,
					 "%s: damaged: from byte %zu on it is no record", shown, book.bad_at);
	shoal_explain_book_fini(&book);
	free((void *)(uintptr_t)file.at);
	return code;
}

/* "A..B", "A.." or "..B", in seconds. */
static int time_of(struct shoal_explain *e, const char *text)
{
	char from[32] = "";
	const char *dots = strstr(text, "..");
	if (dots == NULL || (size_t)(dots - text) >= sizeof from || (dots == text && dots[2] == '\0'))
		return SHOAL_ERR_MALFORMED;
	memcpy(from, text, (size_t)(dots - text));
	e->timed = true;
	e->to = SHOAL_NEVER;
	int rc = from[0] != '\0' ? shoal_options_seconds(from, &e->from) : 0;
	if (rc == 0 && dots[2] != '\0')
		rc = shoal_options_seconds(dots + 2, &e->to);
	return rc == 0 && e->from > e->to ? SHOAL_ERR_RANGE : rc;
}

int shoal_explain_main(struct shoal_tool *tool, int argc, char **argv)
{
	struct shoal_opt_list args = { 0 };
	struct shoal_explain e = { .tool = tool, .piece = SHOAL_FLIGHT_NONE, .to = SHOAL_NEVER };
	const char *when = NULL;
	/* clang-format off */
	const struct shoal_opt own[] = {
		{ SHOAL_OPT_TEXT, "peer", 'p', &e.peer, "ADDR|KEY", NULL, "about this peer: HOST:PORT, HOST, a web seed's host, or the key it has proven" },
		{ SHOAL_OPT_COUNT, "piece", 0, &e.piece, "N", NULL, "about this piece; with --peer: why that peer, or why not" },
		{ SHOAL_OPT_TEXT, "time", 0, &when, "A..B", NULL, "all that was decided then, in seconds since it began" },
		{ .kind = SHOAL_OPT_END },
	};
	/* clang-format on */
	const struct shoal_opt *const tables[] = { own, NULL };
	int rc = shoal_say_parse(tool, &page, tables, argc, argv, &args), code;
	if (rc != 0)
		code = rc > 0 ? SHOAL_EXIT_GOOD : shoal_exit_of(rc);
	else if (args.count != 1)
		code = shoal_say_fail(tool, SHOAL_ERR_USAGE, "one FILE is needed; see shoal explain --help");
	else if (when != NULL && time_of(&e, when) < 0)
		code = shoal_say_fail(tool, SHOAL_ERR_USAGE, "--time takes A..B, A.. or ..B, in seconds");
	else
		code = explain(&e, args.at[0]);
	shoal_opt_list_fini(&args);
	return code;
}
