/* tools/explain_words.c - one sentence for each kind of record. */
#include "tools/explain_words.h"

#include "proto/base/bytes.h"
#include "swarm/peers/choker.h"
#include "swarm/pieces/landing.h"
#include "swarm/peers/reputation.h"
#include "swarm/io/addr.h"
#include "tools/human.h"
#include "tools/say.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A sentence that is growing. */
struct words {
	char *out;
	size_t len;
	const struct shoal_explain_names *names;
	const struct shoal_flight *f;
};

static void add(struct words *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct words *w, const char *fmt, ...)
{
	va_list args;
	size_t room = SHOAL_EXPLAIN_WORDS_MAX - w->len;
	va_start(args, fmt);
	int n = vsnprintf(w->out + w->len, room, fmt, args);
	va_end(args);
	if (n > 0)
		w->len += (size_t)n < room ? (size_t)n : room - 1;
}

static uint64_t term(const struct words *w, const char *name)
{
	return shoal_flight_term(w->f, name);
}

static void add_peer(struct words *w, uint32_t peer)
{
	char name[SHOAL_EXPLAIN_NAME_MAX];
	add(w, "%s", w->names->of(w->names->to, peer, name));
}

static void add_span(struct words *w, const char *name)
{
	char text[SHOAL_HUMAN_MAX];
	add(w, "%s", shoal_human_span(term(w, name), text));
}

static void add_rate(struct words *w, const char *name)
{
	char text[SHOAL_HUMAN_MAX];
	add(w, "%s", shoal_human_rate(term(w, name), text));
}

static void add_size(struct words *w, const char *name)
{
	char text[SHOAL_HUMAN_MAX];
	add(w, "%s", shoal_human_size(term(w, name), text));
}

/* Parts in a million as "0.9132". */
static void add_share(struct words *w, const char *name)
{
	add(w, "%.4f", (double)term(w, name) / 1e6);
}

static void add_count(struct words *w, const char *name, const char *one, const char *many)
{
	char text[SHOAL_HUMAN_MAX * 2];
	add(w, "%s", shoal_human_count(term(w, name), one, many, text));
}

static void add_text(struct words *w)
{
	char text[SHOAL_SAY_TEXT_MAX];
	add(w, "%s", shoal_say_text(w->f->text, text));
}

const char *shoal_explain_standing(uint64_t standing)
{
	if (standing == SHOAL_REP_NEW)
		return "new to us";
	if (standing == SHOAL_REP_GOOD)
		return "in good standing";
	return standing <= SHOAL_REP_BANNED ? shoal_rep_state_name((enum shoal_rep_state)standing)
					    : "of no known standing";
}

struct shoal_addr shoal_explain_addr(const struct shoal_flight *peer)
{
	struct shoal_addr addr = { .port = (uint16_t)shoal_flight_term(peer, "port") };
	addr.is_v4 = shoal_flight_term(peer, "v4") != 0;
	if (addr.is_v4) {
		shoal_put_u32(addr.ip, (uint32_t)shoal_flight_term(peer, "ip_low"));
	} else {
		shoal_put_u64(addr.ip, shoal_flight_term(peer, "ip_high"));
		shoal_put_u64(addr.ip + 8, shoal_flight_term(peer, "ip_low"));
	}
	return addr;
}

/* ---- who ---------------------------------------------------------------------------------------- */

static void torrent(struct words *w)
{
	add_text(w);
	add(w, ": ");
	add_count(w, "pieces", "piece", "pieces");
	add(w, " of ");
	add_size(w, "piece_bytes");
	add(w, term(w, "v2") ? ", with hashes for every block (v2)" : ", v1: only whole pieces have hashes");
}

static void peer(struct words *w)
{
	char text[SHOAL_ADDR_TEXT_MAX];
	struct shoal_addr addr = shoal_explain_addr(w->f);
	add(w, "%s is here (%s), ", shoal_addr_text(&addr, text),
	    term(w, "incoming") ? "it came to us" : "we dialled it");
	add(w, "%s: integrity at least ", shoal_explain_standing(term(w, "standing")));
	add_share(w, "integrity_ppm");
	if (term(w, "blocks") + term(w, "false_blocks") > 0)
		add(w, " from %" PRIu64 " blocks of which %" PRIu64 " were false",
		    term(w, "blocks") + term(w, "false_blocks"), term(w, "false_blocks"));
	else
		add(w, ", as nobody has seen a block of it yet");
	add(w, "; of strangers a share of ");
	add_share(w, "strangers_false_ppm");
	add(w, " is expected to be false");
}

static void stance(struct words *w)
{
	bool wants = term(w, "we_want"), chokes = term(w, "chokes_us");
	add_peer(w, w->f->peer);
	add(w, " has ");
	add_count(w, "pieces", "piece", "pieces");
	add(w, wants ? ", among them some we need" : ", none of which we need");
	add(w, chokes ? "; it serves us nothing (it chokes us)" : "; it serves us");
	add(w, term(w, "it_wants") ? "; it wants something of ours" : "; it wants nothing of ours");
}

static void left(struct words *w)
{
	add_peer(w, w->f->peer);
	add(w, " is gone (%s); it gave us ", shoal_err_name(-(int)(term(w, "err") < 1000 ? term(w, "err") : 0)));
	add_size(w, "got");
	add(w, " that was right, and got ");
	add_size(w, "gave");
}

/* ---- asking ---------------------------------------------------------------------------------------- */

static void how(struct words *w)
{
	switch (term(w, "how")) {
	case SHOAL_FLIGHT_HOW_FIRST: add(w, "drawn at random, since we had hardly any piece yet"); break;
	case SHOAL_FLIGHT_HOW_RAREST: add(w, "the rarest it has"); break;
	case SHOAL_FLIGHT_HOW_IN_ORDER: add(w, "the next in order"); break;
	case SHOAL_FLIGHT_HOW_URGENT: add(w, "it has a deadline"); break;
	case SHOAL_FLIGHT_HOW_ALLOWED: add(w, "it gives this one though it chokes us"); break;
	case SHOAL_FLIGHT_HOW_JOINED: add(w, "others had begun it, and it could help"); break;
	case SHOAL_FLIGHT_HOW_REPAIR: add(w, "it had failed its hash, and was fetched again"); break;
	default: add(w, "chosen by a hint"); break;
	}
	add(w, " (");
	add_count(w, "copies", "copy", "copies");
	add(w, " among the peers; %" PRIu64 " more to begin)", term(w, "untouched"));
}

static void depth(struct words *w)
{
	add(w, "; up to ");
	add_count(w, "window", "block", "blocks");
	add(w, " at a time (%" PRIu64 " under way), ", term(w, "asked"));
	switch (term(w, "limit")) {
	case SHOAL_FLIGHT_LIMIT_LINE:
		if (term(w, "rate") == 0) {
			add(w, "a first guess, as its speed is not known");
			break;
		}
		add(w, "what its line takes (");
		add_rate(w, "rate");
		add(w, ", ");
		add_span(w, "delay_us");
		add(w, ")");
		break;
	case SHOAL_FLIGHT_LIMIT_TRUST:
		add(w, "no more than we are willing to lose to it (%" PRIu64 ")", term(w, "trust_window"));
		break;
	case SHOAL_FLIGHT_LIMIT_REQQ: add(w, "all that it queues"); break;
	case SHOAL_FLIGHT_LIMIT_STALL: add(w, "as it stalls"); break;
	case SHOAL_FLIGHT_LIMIT_VET: add(w, "until one of it is known to be right"); break;
	case SHOAL_FLIGHT_LIMIT_CLAIMS: add(w, "as it gave nothing when it was last asked"); break;
	default: add(w, "as it chokes us"); break;
	}
}

static void ask(struct words *w)
{
	add(w, "piece %" PRIu32 " is asked of ", w->f->piece);
	add_peer(w, w->f->peer);
	add(w, ": ");
	how(w);
	depth(w);
	add(w, "; it is %s, integrity at least ", shoal_explain_standing(term(w, "standing")));
	add_share(w, "integrity_ppm");
	add(w, ", reliability at least ");
	add_share(w, "reliability_ppm");
}

static void not_asked(struct words *w)
{
	add(w, "not of ");
	add_peer(w, w->f->peer);
	add(w, " (%s): ", shoal_explain_standing(term(w, "standing")));
	switch (term(w, "why")) {
	case SHOAL_FLIGHT_NOT_CHOKES: add(w, "it chokes us"); break;
	case SHOAL_FLIGHT_NOT_STALLS: add(w, "it stalls"); break;
	case SHOAL_FLIGHT_NOT_FULL:
		add(w, "all it may be asked for at a time was under way (%" PRIu64 " of %" PRIu64 " blocks)",
		    term(w, "asked"), term(w, "window"));
		break;
	case SHOAL_FLIGHT_NOT_LIED:
		add(w, "all that it had sent was false, and others were asked first for a while");
		break;
	case SHOAL_FLIGHT_NOT_RESTING: add(w, "it had refused a block a moment before"); break;
	case SHOAL_FLIGHT_NOT_TURN:
		add(w, "it had room too (%" PRIu64 " of %" PRIu64 " blocks under way), and the other's turn came first",
		    term(w, "asked"), term(w, "window"));
		break;
	default: add(w, "it has not got that piece"); break;
	}
}

static void twice(struct words *w)
{
	add(w, "block %" PRIu64 " of piece %" PRIu32 " is asked of ", term(w, "block"), w->f->piece);
	add_peer(w, w->f->peer);
	add(w, " as well: ");
	add_peer(w, (uint32_t)term(w, "other"));
	add(w, " was asked ");
	add_span(w, "waited_us");
	add(w, term(w, "other_stalls") ? " before, and stalls" : " before, and has not sent it");
}

static void idle(struct words *w)
{
	static const struct {
		const char *name, *text;
	} held[] = {
		{ "doubt", "wait for others, who are less suspected of having spoilt them" },
		{ "strangers", "have enough strangers at work on them" },
		{ "alone", "are filled by one alone, to see whether that one lies" },
		{ "owned", "are filled by one who is fast enough" },
	};
	const char *between = ": ";
	add(w, "nothing to ask ");
	add_peer(w, w->f->peer);
	add(w, " for");
	if (term(w, "busy")) {
		add(w, ": memory or disk is behind, so no new piece is begun");
		between = "; ";
	}
	if (!term(w, "needs")) {
		add(w, "%sit has nothing we need", between);
		return;
	}
	if (term(w, "open") > 0) {
		add(w, "%sof ", between);
		add_count(w, "open", "piece under way", "pieces under way");
		add(w, " that it has");
		between = ", ";
	} else if (!term(w, "busy")) {
		add(w, "%sall it has that we need is asked for already", between);
		between = "; ";
	}
	for (size_t i = 0; i < sizeof held / sizeof *held; i++) {
		if (term(w, held[i].name) == 0)
			continue;
		add(w, "%s%" PRIu64 " %s", between, term(w, held[i].name), held[i].text);
		between = ", ";
	}
	if (term(w, "doubts") > 0)
		add(w, "; it had a part in %" PRIu64 " that failed", term(w, "doubts"));
}

static void stall(struct words *w)
{
	add_peer(w, w->f->peer);
	add(w, " stalls: no block for ");
	add_span(w, "waited_us");
	add(w, ", and ");
	add_span(w, "patience_us");
	add(w, " is as long as it may take; the ");
	add_count(w, "owed", "block it owes is", "blocks it owes are");
	add(w, " free for others; reliability at least ");
	add_share(w, "reliability_ppm");
}

static void refused(struct words *w)
{
	add_peer(w, w->f->peer);
	add(w, " refused a block of piece %" PRIu32 ", though it said it has it; its claims are true with at least ",
	    w->f->piece);
	add_share(w, "claims_ppm");
	add(w, term(w, "believed") ? ", and count" : ", and count no more for what is rare");
}

/* ---- serving ------------------------------------------------------------------------------------------ */

static void add_line(struct words *w)
{
	add(w, "; ");
	add_count(w, "waiting", "peer waits", "peers wait");
	add(w, " for ");
	add_count(w, "slots", "slot", "slots");
}

static void serve(struct words *w)
{
	static const char *const served[] = { " is not served: ", " is served: ", " is served on trial: " };
	add_peer(w, w->f->peer);
	add(w, "%s", served[term(w, "served") < 3 ? term(w, "served") : 0]);
	switch (term(w, "why")) {
	case SHOAL_CHOKE_ALL: add(w, "there is room for all who want something"); break;
	case SHOAL_CHOKE_EARNED:
		add(w, "it gives us ");
		add_rate(w, "got");
		add(w, ", and the least of those who earn a place ");
		add_rate(w, "bar");
		break;
	case SHOAL_CHOKE_TURN:
		if (!term(w, "seeding")) {
			add(w, "a place that nobody earns goes round, and it is its turn");
			break;
		}
		add(w, "it is its turn, for ");
		add_size(w, "turn_bytes");
		add(w, " or a minute; ");
		add_rate(w, "gave");
		add(w, " so far");
		break;
	case SHOAL_CHOKE_TRIAL:
		add(w, "to see what it gives (");
		add_size(w, "got_ever");
		add(w, " so far, for ");
		add_size(w, "gave_ever");
		add(w, ")");
		break;
	case SHOAL_CHOKE_UNWANTED: add(w, "it wants nothing of ours, or takes nothing of what it asked for"); break;
	case SHOAL_CHOKE_SEED: add(w, "it has everything"); break;
	case SHOAL_CHOKE_OUTBID:
		add(w, "it gives us ");
		add_rate(w, "got");
		if (term(w, "bar") > 0) {
			add(w, ", and the least of those who earn a place ");
			add_rate(w, "bar");
		} else {
			add(w, ", nobody earns a place, and it is not its turn");
		}
		add_line(w);
		break;
	case SHOAL_CHOKE_SNUBBED: add(w, "it owes us blocks for long"); break;
	case SHOAL_CHOKE_WAITS:
	case SHOAL_CHOKE_OVER:
		add(w, term(w, "why") == SHOAL_CHOKE_OVER ? "its turn is over" : "it waits for its turn");
		add_line(w);
		if (term(w, "onward_1024") < SHOAL_CHOKER_ONWARD)
			add(w, "; it passes on %" PRIu64 " %% of what it gets, so its turns are rarer",
			    term(w, "onward_1024") * 100 / SHOAL_CHOKER_ONWARD);
		break;
	default: add(w, "the rules in use do not say why"); break;
	}
}

/* ---- verdicts ------------------------------------------------------------------------------------------ */

static void part(struct words *w)
{
	add_peer(w, w->f->peer);
	add(w, " sent %" PRIu64 " of the %" PRIu64 " blocks of piece %" PRIu32 ", and they are right",
	    term(w, "blocks"), term(w, "of"), w->f->piece);
}

static void good(struct words *w)
{
	add(w, "piece %" PRIu32 " came good, ", w->f->piece);
	add_span(w, "took_us");
	add(w, " after it was begun, from ");
	add_count(w, "senders", "sender", "senders");
	if (term(w, "attempts") > 0) {
		add(w, "; it had failed ");
		add_count(w, "attempts", "time", "times");
	}
}

static void bad(struct words *w)
{
	add(w, "piece %" PRIu32 " failed its hash; ", w->f->piece);
	if (term(w, "senders") == 0)
		add(w, "more had sent it than are told apart");
	else
		add_count(w, "senders", "peer had sent it", "peers had sent it");
	if (term(w, "attempts") > 0) {
		add(w, "; it had failed ");
		add_count(w, "attempts", "time before", "times before");
	}
}

static void suspect(struct words *w)
{
	add_peer(w, w->f->peer);
	add(w, " sent %" PRIu64 " of the %" PRIu64 " blocks, and a share of ", term(w, "blocks"), term(w, "of"));
	add_share(w, "expect_ppm");
	add(w, " of its blocks was expected to be false: that it was one of those who spoilt the piece has the "
	       "probability ");
	add_share(w, "share_ppm");
	add(w, "; that steers, and bans nobody; integrity at least ");
	add_share(w, "integrity_ppm");
}

static const char *blame_text(uint64_t why)
{
	switch (why) {
	case SHOAL_REP_WHY_FALSE_LEAF: return "its leaf hash is not the one in the torrent";
	case SHOAL_REP_WHY_FALSE_DIFF: return "it differs from the one that came good";
	case SHOAL_REP_WHY_TWO_FACED: return "it had sent another one for the same place";
	case SHOAL_REP_WHY_SOLE: return "it had sent all of the piece, which is false";
	default: return "a hash says so";
	}
}

static void falsified(struct words *w)
{
	uint64_t before = term(w, "standing_before"), after = term(w, "standing");
	add_peer(w, w->f->peer);
	if (term(w, "why") == SHOAL_REP_WHY_SOLE) /* which block it was, nobody knows */
		add(w, " sent piece %" PRIu32 " falsely: ", w->f->piece);
	else
		add(w, " sent a false block %" PRIu64 " of piece %" PRIu32 ": ", term(w, "block"), w->f->piece);
	add(w, "%s; ", blame_text(term(w, "why")));
	add(w, "that makes %" PRIu64 " false of %" PRIu64 "; integrity at least ", term(w, "false_blocks"),
	    term(w, "false_blocks") + term(w, "blocks"));
	add_share(w, "integrity_before_ppm");
	add(w, " before, ");
	add_share(w, "integrity_ppm");
	add(w, " now; the test for a ban stands at %.2f of %.1f", (double)term(w, "cusum_milli") / 1000,
	    shoal_rep_ban_from(term(w, "blocks")));
	if (before != after)
		add(w, "; it was %s and is %s", shoal_explain_standing(before), shoal_explain_standing(after));
	else
		add(w, "; it stays %s", shoal_explain_standing(after));
}

static void cleared(struct words *w)
{
	add_peer(w, w->f->peer);
	add(w, " is suspected no more: it is known who spoilt piece %" PRIu32 "; blame of ", w->f->piece);
	add_share(w, "share_ppm");
	add(w, " is taken back");
}

static void ban(struct words *w)
{
	add_peer(w, w->f->peer);
	add(w, " is banned for ");
	add_span(w, "for_us");
	add(w, ": ");
	add_text(w);
	if (term(w, "cusum_milli") > 0)
		add(w,
		    "; the test for a ban came to %.2f (from %.1f on), after %" PRIu64 " right blocks and %" PRIu64
		    " false",
		    (double)term(w, "cusum_milli") / 1000, shoal_rep_ban_from(term(w, "blocks")), term(w, "blocks"),
		    term(w, "false_blocks"));
}

/* ---- waiting --------------------------------------------------------------------------------------------- */

static void wait_fetching(struct words *w)
{
	uint32_t holder = (uint32_t)term(w, "holder");
	add_count(w, "missing", "block is", "blocks are");
	add(w, " missing");
	if (holder != 0) {
		add(w, "; ");
		add_peer(w, holder);
		add(w, " was asked for one of them ");
		add_span(w, "holder_us");
		add(w, term(w, "holder_stalls") ? " ago, and stalls" : " ago");
		return;
	}
	if (term(w, "unasked") > 0)
		add(w, ", %" PRIu64 " of them asked of nobody", term(w, "unasked"));
	if (term(w, "holders") == 0)
		add(w, "; nobody who is here has it");
	else if (term(w, "choking") == term(w, "holders"))
		add(w, "; all %" PRIu64 " who have it choke us", term(w, "holders"));
	else
		add(w, "; of %" PRIu64 " who have it %" PRIu64 " choke us, and the others have no room",
		    term(w, "holders"), term(w, "choking"));
}

static void waits(struct words *w)
{
	add(w, "piece %" PRIu32 " is under way for ", w->f->piece);
	add_span(w, "age_us");
	add(w, ": ");
	switch (term(w, "state")) {
	case SHOAL_OPEN_READY: add(w, "all of it is here, and waits for the disk"); break;
	case SHOAL_OPEN_HASHING: add(w, "all of it is with the disk"); break;
	case SHOAL_OPEN_DISPUTED: add(w, "it failed, and the hashes of its blocks are waited for"); break;
	default: wait_fetching(w); break;
	}
}

static void state(struct words *w)
{
	char text[SHOAL_EXPLAIN_WORDS_MAX];
	if (term(w, "left") == 0) {
		add(w, "nothing is missing");
	} else {
		add_count(w, "left", "piece is", "pieces are");
		add(w, " missing, %" PRIu64 " not begun; waiting %s", term(w, "untouched"),
		    shoal_explain_waits(w->f, text));
	}
	add(w, " (");
	add_count(w, "peers", "peer", "peers");
	add(w, ", %" PRIu64 " serve us, %" PRIu64 " stall)", term(w, "serving_us"), term(w, "stalled"));
}

const char *shoal_explain_waits(const struct shoal_flight *f, char out[SHOAL_EXPLAIN_WORDS_MAX])
{
	struct words w = { .out = out, .f = f };
	uint64_t missing = term(&w, "nobody_has"), wanted = term(&w, "wanted_from"), serving = term(&w, "serving_us");
	out[0] = '\0';
	if (term(&w, "left") == 0)
		add(&w, "for nothing");
	else if (term(&w, "peers") == 0 && term(&w, "down") == 0)
		add(&w, "for peers: nobody is connected");
	else if (term(&w, "memory"))
		add(&w, "for memory, which holds what is under way (--memory)");
	else if (term(&w, "backlog"))
		add(&w, "for the disk, which is behind");
	else if (term(&w, "limit"))
		add(&w, "for the download limit (--down)");
	else if (wanted == 0 && term(&w, "down") == 0)
		add(&w, "for somebody who has what is missing");
	else if (serving == 0 && term(&w, "down") == 0)
		add(&w, "for somebody to serve us: all %" PRIu64 " who have what we need choke us", wanted);
	else if (term(&w, "down") == 0)
		add(&w, "for blocks that were asked for and do not come");
	else {
		add(&w, "for blocks that are under way, at ");
		add_rate(&w, "down");
	}
	if (missing > 0)
		add(&w, "; %" PRIu64 " of them nobody who is here has", missing);
	return out;
}

/* ---- all ------------------------------------------------------------------------------------------------ */

static void client(struct words *w)
{
	add_peer(w, w->f->peer);
	add(w, " calls itself ");
	add_text(w);
}

static void key(struct words *w)
{
	add_peer(w, w->f->peer);
	add(w, " has proven the key ");
	add_text(w);
	add(w,
	    term(w, "bound")
		    ? " in an encrypted stream: what is known of the key counts, wherever it connects from"
		    : " in a plain stream, where one in the middle may have carried the proof on: what is known of the "
		      "address decides, and nothing bad is noted under the key");
	add(w, "; the key is %s", shoal_explain_standing(term(w, "standing")));
	if (term(w, "blocks") + term(w, "false_blocks") > 0)
		add(w, ", %" PRIu64 " false of %" PRIu64 " blocks", term(w, "false_blocks"),
		    term(w, "blocks") + term(w, "false_blocks"));
}

static void webseed(struct words *w)
{
	add(w, "the web seed ");
	add_text(w);
	add(w, " is a source");
}

static void back(struct words *w)
{
	add_peer(w, w->f->peer);
	add(w, " delivers again");
}

static void own(struct words *w)
{
	add(w,
	    "piece %" PRIu32
	    " was false and, hashed again, is right: this machine's memory erred, and nobody is blamed",
	    w->f->piece);
}

static void lost(struct words *w)
{
	add_count(w, "records", "record was", "records were");
	add(w, " lost here: more was decided than could be kept");
}

static void end(struct words *w)
{
	add(w, "%s",
	    term(w, "why") == SHOAL_FLIGHT_END_FULL ? "the record is full and ends here; the transfer went on"
						    : "the record ends");
}

static void (*const telling[SHOAL_FLIGHT_KINDS])(struct words *w) = {
	[SHOAL_FLIGHT_TORRENT] = torrent, [SHOAL_FLIGHT_PEER] = peer,	    [SHOAL_FLIGHT_CLIENT] = client,
	[SHOAL_FLIGHT_WEBSEED] = webseed, [SHOAL_FLIGHT_LEFT] = left,	    [SHOAL_FLIGHT_STANCE] = stance,
	[SHOAL_FLIGHT_ASK] = ask,	  [SHOAL_FLIGHT_NOT] = not_asked,   [SHOAL_FLIGHT_TWICE] = twice,
	[SHOAL_FLIGHT_IDLE] = idle,	  [SHOAL_FLIGHT_STALL] = stall,	    [SHOAL_FLIGHT_BACK] = back,
	[SHOAL_FLIGHT_REFUSED] = refused, [SHOAL_FLIGHT_SERVE] = serve,	    [SHOAL_FLIGHT_PART] = part,
	[SHOAL_FLIGHT_GOOD] = good,	  [SHOAL_FLIGHT_BAD] = bad,	    [SHOAL_FLIGHT_SUSPECT] = suspect,
	[SHOAL_FLIGHT_FALSE] = falsified, [SHOAL_FLIGHT_CLEARED] = cleared, [SHOAL_FLIGHT_BAN] = ban,
	[SHOAL_FLIGHT_OWN] = own,	  [SHOAL_FLIGHT_WAIT] = waits,	    [SHOAL_FLIGHT_STATE] = state,
	[SHOAL_FLIGHT_LOST] = lost,	  [SHOAL_FLIGHT_END] = end,	    [SHOAL_FLIGHT_KEY] = key,
};

const char *shoal_explain_words(const struct shoal_flight *f, const struct shoal_explain_names *names,
				char out[SHOAL_EXPLAIN_WORDS_MAX])
{
	struct words w = { .out = out, .names = names, .f = f };
	out[0] = '\0';
	if (telling[f->kind] != NULL)
		telling[f->kind](&w);
	else
		add(&w, "something a later version has recorded");
	return out;
}
