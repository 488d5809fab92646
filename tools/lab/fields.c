/* fields.c - see fields.h. */
#include "tools/lab/fields.h"

#include <math.h>
#include <shoal/engine.h>
#include <stdio.h>
#include <string.h>

#define ENDLESS INFINITY

static const char *const formats[] = { "hybrid", "v2", "v1", NULL }; /* as enum shoal_format */
static const char *const policies[] = { "off", "lt", "full", NULL };
static const char *const tcps[] = { "common", "ideal", NULL };
static const char *const meets[] = { "tracker", "dht", NULL };
static const char *const nats[] = { "none", "cone", "address", "symmetric", NULL };
static const char *const no_yes[] = { "no", "yes", NULL };
static const char *const programs[] = { "native", "libtorrent", "transmission", "aria2", "rtorrent", "command", NULL };
static const char *const kinds[] = { "start", "stop", "crash",	   "pause",	"cut", "split", "heal",
				     "reset", "line", "slow_disk", "full_disk", "rot", NULL };
static const char *const crashes[] = { "kill", "power", NULL };

/* Parts of the policy `full` that can be left out. */
static const struct {
	const char *name;
	enum shoal_without bit;
} parts[] = {
	{ "forgiving", SHOAL_WITHOUT_FORGIVING }, { "prior", SHOAL_WITHOUT_PRIOR },
	{ "window", SHOAL_WITHOUT_WINDOW },	  { "repair", SHOAL_WITHOUT_REPAIR },
	{ "purge", SHOAL_WITHOUT_PURGE },	  { "hedge", SHOAL_WITHOUT_HEDGE },
	{ "trials", SHOAL_WITHOUT_TRIALS },	  { "verified", SHOAL_WITHOUT_VERIFIED },
	{ "onward", SHOAL_WITHOUT_ONWARD },	  { "hints", SHOAL_WITHOUT_HINTS },
	{ "vetting", SHOAL_WITHOUT_VETTING },
};

unsigned lab_without_of(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (strlen(parts[i].name) == len && memcmp(parts[i].name, name, len) == 0)
			return parts[i].bit;
	return 0;
}

void lab_without_names(char *out, size_t size)
{
	size_t n = 0;
	for (size_t i = 0; i < sizeof parts / sizeof *parts && n < size; i++)
		n += (size_t)snprintf(out + n, size - n, "%s%s", i > 0 ? ", " : "", parts[i].name);
}

const char *lab_policy_name(enum lab_policy policy)
{
	return policies[policy];
}

const char *lab_kind_name(enum lab_kind kind)
{
	return programs[kind];
}

const char *lab_event_name(enum lab_event_kind kind)
{
	return kinds[kind];
}

/* One row each, as in struct lab_field. */
#define TEXT(k, s, m, d, h)                                                                         \
	{                                                                                           \
		.key = k, .type = LAB_FIELD_TEXT, .at = offsetof(struct s, m), .dflt = d, .help = h \
	}
#define NUM(k, s, m, u, lo, hi, d, h)                                                                                \
	{                                                                                                            \
		.key = k, .type = LAB_FIELD_NUMBER, .at = offsetof(struct s, m), .unit = u, .least = lo, .most = hi, \
		.dflt = d, .help = h                                                                                 \
	}
#define VAR(k, s, m, u, d, h)                                                                                     \
	{                                                                                                         \
		.key = k, .type = LAB_FIELD_VARIOUS, .at = offsetof(struct s, m), .unit = u, .dflt = d, .help = h \
	}
#define ONE_OF(k, s, m, c, d, h)                                                                                    \
	{                                                                                                           \
		.key = k, .type = LAB_FIELD_CHOICE, .at = offsetof(struct s, m), .choices = c, .dflt = d, .help = h \
	}
#define TEXTS(k, s, m, max, h)                                                                                \
	{                                                                                                     \
		.key = k, .type = LAB_FIELD_TEXTS, .at = offsetof(struct s, m), .dflt = "", .count_max = max, \
		.help = h                                                                                     \
	}
#define PARAM(i, k, h)                                                                                        \
	{                                                                                                     \
		.key = k, .type = LAB_FIELD_TEXT, .at = offsetof(struct lab_adversary, param[i]), .dflt = "", \
		.help = h                                                                                     \
	}
#define MAP(k, s, m, e, d, h)                                                                                    \
	{                                                                                                        \
		.key = k, .type = LAB_FIELD_MAP, .at = offsetof(struct s, m), .entries = e, .dflt = d, .help = h \
	}
#define LIST(k, s, m, e, max, d, h)                                                              \
	{                                                                                        \
		.key = k, .type = LAB_FIELD_LIST, .at = offsetof(struct s, m), .entries = e,     \
		.entry_size = sizeof *((struct s *)0)->m, .count_max = max, .dflt = d, .help = h \
	}
#define END                           \
	{                             \
		.type = LAB_FIELD_END \
	}

/* clang-format off */
static const struct lab_field content_fields[] = {
	NUM("size", lab_content, size, LAB_SIZE, 1, 0x1p40, NULL, "bytes in all"),
	NUM("piece", lab_content, piece, LAB_SIZE, 16384, 64 << 20, "256K", "piece size, a power of two"),
	ONE_OF("format", lab_content, format, formats, "v2", "v1: blame is by piece; v2: by block of 16 KiB"),
	NUM("files", lab_content, files, LAB_COUNT, 1, 10000, "1", "how many, of equal size"),
	END
};

static const struct lab_field disk_fields[] = {
	VAR("latency", lab_disk, latency, LAB_TIME, "uniform(100us, 500us)", "of each job"),
	NUM("rate", lab_disk, rate, LAB_RATE, 0, ENDLESS, "none", "bytes a second"),
	NUM("room", lab_disk, room, LAB_SIZE, 0, ENDLESS, "1T", "of the volume"),
	NUM("flips", lab_disk, flips, LAB_SHARE, 0, 1, "0", "share of blocks that turn a bit on the way from the disk"),
	END
};

const struct lab_field lab_adversary_fields[] = {
	TEXT("kind", lab_adversary, kind, NULL, "what it is: shoal lab example --adversaries names them, and what each takes; or hostile:CASE (--real)"),
	PARAM(0, "rate", "share of what it serves that is bad"),
	PARAM(1, "burst", "bad blocks in a row"),
	PARAM(2, "last", "yes: only the last block of a piece"),
	PARAM(3, "quick", "blocks served well first"),
	PARAM(4, "slow_from", "then one after so long ..."),
	PARAM(5, "slow_until", "... to so long"),
	PARAM(6, "answer", "to a request"),
	PARAM(7, "view", "nodes it dials by itself"),
	PARAM(8, "good", "blocks served well before each burst"),
	PARAM(9, "bad", "blocks of each burst"),
	PARAM(10, "hosts", "dead addresses in each message"),
	PARAM(11, "every", "one such message so often"),
	PARAM(12, "after", "from a ban to its new identity"),
	PARAM(13, "life", "of an identity that is not banned"),
	PARAM(14, "same_net", "yes: its next identity is of the same /24"),
	PARAM(15, "keep", "share of the content that it really keeps"),
	PARAM(16, "target", "the node a relay stands in front of, by number"),
	PARAM(17, "identities", "nodes that share one machine"),
	PARAM(18, "claims", "share of the content that it says it has"),
	END
};

static const struct lab_field group_fields[] = {
	TEXT("name", lab_group, name, NULL, "for must_hold, events, and what is printed"),
	NUM("count", lab_group, count, LAB_COUNT, 0, LAB_NODES_MAX, "1", "nodes"),
	{ .key = "has", .type = LAB_FIELD_HAS, .at = offsetof(struct lab_group, has), .dflt = "nothing",
	  .help = "of the content at the start: all, nothing, a share (30%, drawn), or the first 30%" },
	ONE_OF("kind", lab_group, kind, programs, "native", "what runs them; other programs than this one need --real"),
	TEXT("command", lab_group, command, "", "kind: command: a line for sh that starts one (README: test your own client)"),
	VAR("up", lab_group, up, LAB_RATE, "none", "what its line can send"),
	VAR("down", lab_group, down, LAB_RATE, "none", "what its line can receive"),
	VAR("rtt", lab_group, rtt, LAB_TIME, "20ms", "to one of its own group; to another: the mean of both"),
	VAR("jitter", lab_group, jitter, LAB_TIME, "0", "each packet is up to that much later"),
	NUM("loss", lab_group, loss, LAB_SHARE, 0, 1, "0", "packets lost on its line"),
	NUM("reorder", lab_group, reorder, LAB_SHARE, 0, 1, "0",
	    "packets on its line that come up to 10 ms too late, and are overtaken (--real)"),
	NUM("queue", lab_group, queue, LAB_TIME, 0, ENDLESS, "0", "of its line: what waits longer is dropped (0: endless)"),
	ONE_OF("nat", lab_group, nat, nats, "none", "who can connect to it"),
	TEXT("behind", lab_group, behind, "", "a word: nodes of all groups with that word share one address (not ports)"),
	ONE_OF("keys", lab_group, keys, no_yes, "no", "yes: it shows other shoals a key to be known by"),
	NUM("play", lab_group, play, LAB_SHARE, 0, 10, "0", "it plays what comes, in order, at this share of what the honest that begin with all can send"),
	NUM("lead", lab_group, lead, LAB_TIME, 0, 3600, "5s", "of play: it begins so long after it joined"),
	VAR("join", lab_group, join, LAB_TIME, "0", "when it starts"),
	VAR("leave", lab_group, leave, LAB_TIME, "never", "so long after it has all"),
	VAR("life", lab_group, life, LAB_TIME, "never", "gives up when it has not all by then"),
	NUM("memory", lab_group, memory, LAB_SIZE, 1 << 20, ENDLESS, "16M", "its budget"),
	NUM("max_peers", lab_group, max_peers, LAB_COUNT, 1, 10000, "50", "connections"),
	NUM("slots", lab_group, slots, LAB_COUNT, 0, 1000, "0", "peers served at a time (0: the engine's own rule)"),
	NUM("limit_up", lab_group, limit_up, LAB_RATE, 0, ENDLESS, "none", "what it is told to keep to (--up)"),
	NUM("limit_down", lab_group, limit_down, LAB_RATE, 0, ENDLESS, "none", "and (--down)"),
	ONE_OF("policy", lab_group, policy, policies, "", "of this group; else the scenario's"),
	MAP("disk", lab_group, disk, disk_fields, "", "its disk"),
	MAP("adversary", lab_group, adversary, lab_adversary_fields, "", "these nodes mean no good"),
	END
};

static const struct lab_field link_fields[] = {
	TEXT("from", lab_link, from, NULL, "a group"),
	TEXT("to", lab_link, to, NULL, "a group"),
	VAR("rtt", lab_link, rtt, LAB_TIME, "20ms", "round trip"),
	VAR("jitter", lab_link, jitter, LAB_TIME, "0", "each packet is up to that much later"),
	NUM("loss", lab_link, loss, LAB_SHARE, 0, 1, "0", "packets lost"),
	NUM("rate", lab_link, rate, LAB_RATE, 0, ENDLESS, "none", "of the link, shared by all that pass it"),
	END
};

static const struct lab_field event_fields[] = {
	{ .key = "at", .type = LAB_FIELD_TEXT, .at = offsetof(struct lab_event, at.text), .dflt = NULL,
	  .help = "a time, or a share of what the honest nodes want (50%)" },
	ONE_OF("kind", lab_event, kind, kinds, NULL,
	       "start; stop (in order); crash; pause; cut (its line); split (they reach each other alone); heal; reset;"
	       " line (other rates); slow_disk; full_disk; rot"),
	TEXT("who", lab_event, who_text, NULL, "GROUP, GROUP[INDEX], 3 of GROUP, 20% of GROUP"),
	NUM("for", lab_event, lasts, LAB_TIME, 0, ENDLESS, "never", "then it is undone"),
	NUM("every", lab_event, every, LAB_TIME, 0.001, ENDLESS, "never", "and again, so often"),
	NUM("times", lab_event, times, LAB_COUNT, 1, 1e6, "1", "in all, with every"),
	ONE_OF("how", lab_event, how, crashes, "kill", "crash: the process, or the machine's power"),
	NUM("rate", lab_event, rate, LAB_RATE, 0, ENDLESS, "none", "slow_disk: bytes a second"),
	NUM("up", lab_event, up, LAB_RATE, 0, ENDLESS, "none", "line: what it can send from now on"),
	NUM("down", lab_event, down, LAB_RATE, 0, ENDLESS, "none", "line: what it can receive"),
	NUM("room", lab_event, room, LAB_SIZE, 0, ENDLESS, "0", "full_disk: bytes of the volume"),
	NUM("pieces", lab_event, pieces, LAB_COUNT, 1, 1e6, "1", "rot: how many, drawn among those it has"),
	END
};

static const struct lab_field variant_fields[] = {
	TEXT("name", lab_variant, name, NULL, "as must_hold refers to it: tmax(NAME)"),
	TEXTS("set", lab_variant, set, LAB_SETS_MAX, "fields that are otherwise: \"leeches.count = 40\""),
	TEXTS("quick", lab_variant, quick, LAB_SETS_MAX, "and in the small form on top of that: \"leeches.count = 16\""),
	END
};

static const struct lab_field quick_fields[] = {
	{ .key = "seeds", .type = LAB_FIELD_SEEDS, .at = offsetof(struct lab_quick, seeds), .dflt = "1..1",
	  .help = "of a quick check" },
	TEXTS("set", lab_quick, set, LAB_SETS_MAX, "fields that are smaller then"),
	NUM("slack", lab_quick, slack, LAB_SHARE, 0, 1, "0", "by which a limit may be missed"),
	END
};

const struct lab_field lab_scenario_fields[] = {
	TEXT("name", lab_scenario, name, NULL, "a word"),
	TEXT("summary", lab_scenario, summary, NULL, "one line"),
	TEXT("about", lab_scenario, about, "", "more of it"),
	TEXTS("needs", lab_scenario, needs, 16, "mechanisms it shows that the lab must have"),
	{ .key = "seeds", .type = LAB_FIELD_SEEDS, .at = offsetof(struct lab_scenario, seeds), .dflt = "1..3",
	  .help = "of `lab check`" },
	ONE_OF("policy", lab_scenario, policy, policies, "full", "how nodes choose: plain BitTorrent, libtorrent's rules, shoal's"),
	TEXT("without", lab_scenario, without, "", "parts of shoal's that are left out, to see what each is worth: forgiving (of one false"
	     " block), prior, window, repair, purge, hedge, trials, verified, onward, hints"),
	NUM("limit", lab_scenario, limit, LAB_TIME, 0, 1e8, "2h", "virtual time after which it is over"),
	NUM("peers", lab_scenario, peers, LAB_COUNT, 0, 1000, "50", "others that a node is told of when it joins, drawn"),
	NUM("scale", lab_scenario, scale, LAB_COUNT, 1, 1024, "1", "content, pieces and all rates are divided by it: the same times, fewer bytes"),
	ONE_OF("tcp", lab_scenario, tcp, tcps, "common", "of all streams: headers and a congestion window, or neither"),
	ONE_OF("meet", lab_scenario, meet, meets, "tracker", "how nodes hear of others: from a tracker, or in a DHT that is theirs alone (--real)"),
	MAP("content", lab_scenario, content, content_fields, NULL, "what is shared"),
	LIST("nodes", lab_scenario, nodes, group_fields, LAB_GROUPS_MAX, NULL, "groups of nodes"),
	LIST("links", lab_scenario, links, link_fields, LAB_GROUPS_MAX, "", "where the way between two groups differs"),
	LIST("events", lab_scenario, events, event_fields, LAB_EVENTS_MAX, "", "what happens over time"),
	LIST("runs", lab_scenario, runs, variant_fields, LAB_RUNS_MAX, "", "other runs to compare with"),
	TEXTS("must_hold", lab_scenario, must_hold, LAB_HOLDS_MAX, "what must be true of the results"),
	MAP("quick", lab_scenario, quick, quick_fields, "", "the small form, for `lab check --quick`"),
	END
};
/* clang-format on */
