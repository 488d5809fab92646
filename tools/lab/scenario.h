/*
 * tools/lab/scenario.h - a test swarm as a file describes it: who is there, what happens, what must hold.
 *
 * A scenario is YAML; tools/lab/README.md tells it from the reader's side. One table of fields (fields.c)
 * is the file's schema, its checks, its defaults and `shoal lab example --fields`. Nothing here knows of the
 * virtual world: the same description serves for real processes (tools/lab/real).
 *
 * A wrong file is told of with line, column and what was expected there.
 */
#ifndef LAB_SCENARIO_H
#define LAB_SCENARIO_H

#include <shoal/types.h>
#include "proto/author.h"
#include "tools/lab/quantity.h"

#define LAB_TEXT_MAX 4000
#define LAB_FILE_MAX (256u << 10) /* bytes of a scenario */
#define LAB_GROUPS_MAX 32
#define LAB_EVENTS_MAX 256
#define LAB_HOLDS_MAX 64
#define LAB_RUNS_MAX 32
#define LAB_SETS_MAX 32
#define LAB_NODES_MAX 20000 /* of one scenario */
#define LAB_SEEDS_MAX 100000
#define LAB_PARAMS_MAX 20 /* of adversaries */

/* A scalar of the file: what stands there, and what it means. Without text it has the field's default. */
struct lab_number {
	char *text;
	double v;
};
struct lab_choice {
	char *text;
	int v;
};
struct lab_various {
	char *text;
	struct lab_spread v;
};
struct lab_seeds {
	char *text;
	uint64_t from, to;
};
struct lab_list {
	char **at;
	unsigned count;
};

enum lab_policy { LAB_POLICY_OFF, LAB_POLICY_LT, LAB_POLICY_FULL, LAB_POLICIES };
/* What runs a node: this engine, or (of real processes alone) another. */
enum lab_kind {
	LAB_KIND_NATIVE,
	LAB_KIND_LIBTORRENT,
	LAB_KIND_TRANSMISSION,
	LAB_KIND_ARIA2,
	LAB_KIND_RTORRENT,
	LAB_KIND_COMMAND, /* whatever `command` starts */
	LAB_KINDS
};
enum lab_tcp { LAB_TCP_COMMON, LAB_TCP_IDEAL };
enum lab_meet { LAB_MEET_TRACKER, LAB_MEET_DHT };
enum lab_nat { LAB_NAT_NONE, LAB_NAT_CONE, LAB_NAT_ADDRESS, LAB_NAT_SYMMETRIC };
enum lab_event_kind {
	LAB_EVENT_START,
	LAB_EVENT_STOP,
	LAB_EVENT_CRASH,
	LAB_EVENT_PAUSE,
	LAB_EVENT_CUT,
	LAB_EVENT_SPLIT,
	LAB_EVENT_HEAL,
	LAB_EVENT_RESET,
	LAB_EVENT_LINE,
	LAB_EVENT_SLOW_DISK,
	LAB_EVENT_FULL_DISK,
	LAB_EVENT_ROT,
};
enum lab_crash { LAB_CRASH_KILL, LAB_CRASH_POWER };

struct lab_content {
	struct lab_number size, piece, files;
	struct lab_choice format; /* enum shoal_format */
};
struct lab_disk {
	struct lab_number rate, room, flips;
	struct lab_various latency;
};
/*
 * A peer that means no good, or only itself: `kind` and those of the parameters its kind has, as texts
 * (tools/lab/attack.h knows what they mean).
 */
struct lab_adversary {
	char *kind;
	char *param[LAB_PARAMS_MAX]; /* as lab_adversary_fields has them, behind `kind` */
};
struct lab_group {
	char *name;
	struct lab_number count;
	char *command;		/* of LAB_KIND_COMMAND */
	struct lab_choice kind; /* enum lab_kind */
	struct lab_number has;	/* share of the content that it starts with: drawn, or */
	bool has_first;		/* from its beginning */
	struct lab_various up, down, rtt, jitter;
	struct lab_number loss, reorder, queue;
	struct lab_choice nat;	/* enum lab_nat */
	char *behind;		/* NULL: an address of its own */
	struct lab_choice keys; /* 1: it shows other shoals a key */
	struct lab_number play, lead;
	struct lab_various join, leave, life;
	struct lab_number memory, max_peers, slots, limit_up, limit_down;
	struct lab_choice policy; /* enum lab_policy; without text: the scenario's */
	struct lab_disk disk;
	struct lab_adversary adversary; /* .kind NULL: honest */
};
/* Between two groups; both named may be the same. */
struct lab_link {
	char *from, *to;
	struct lab_various rtt, jitter;
	struct lab_number loss, rate;
};
/* Some nodes of a group: "leeches", "leeches[3]", "3 of leeches", "20% of leeches". */
struct lab_who {
	unsigned group;
	bool one;  /* node number `index` of it */
	bool some; /* `count` of them, or (0) the share `share`, drawn */
	unsigned index, count;
	double share;
};
struct lab_event {
	struct lab_choice kind; /* enum lab_event_kind */
	struct lab_number at;	/* a time, or when the honest have that share of what they want */
	bool at_share;
	struct lab_number every, times, lasts;
	char *who_text;
	struct lab_who who;
	struct lab_choice how; /* enum lab_crash */
	struct lab_number rate, up, down, room, pieces;
};
/* Another run to compare with: the scenario with some fields set otherwise. */
struct lab_variant {
	char *name;
	struct lab_list set, quick; /* quick: on top of set, in the small form */
};
struct lab_quick {
	struct lab_seeds seeds;
	struct lab_list set;
	struct lab_number slack; /* by how much a limit may be missed */
};
struct lab_hold;
struct lab_scenario {
	char *name, *summary, *about;
	struct lab_list needs;
	struct lab_seeds seeds;
	struct lab_choice policy;
	char *without;	     /* "hedge, repair", or NULL */
	unsigned leaves_out; /* enum shoal_without, of what it names */
	struct lab_number limit, peers, scale;
	struct lab_choice tcp;	/* enum lab_tcp */
	struct lab_choice meet; /* enum lab_meet */
	struct lab_content content;
	struct lab_group *nodes;
	unsigned nodes_count;
	struct lab_link *links;
	unsigned links_count;
	struct lab_event *events;
	unsigned events_count;
	struct lab_variant *runs;
	unsigned runs_count;
	struct lab_list must_hold;
	struct lab_hold *holds; /* parsed, one for each line of must_hold */
	struct lab_quick quick;
};

/* What is wrong, and where: line and column from 1; line 0: nowhere in the file. */
struct lab_fault {
	unsigned line, column;
	char what[400];
};

/*
 * Reads a scenario from its text, after setting some fields ("leeches.count = 40") otherwise. The text of a setting is
 * kept by nobody. 0, MALFORMED (`fault` says what and where), NOMEM. shoal_lab_scenario_free(NULL) is fine.
 */
SHOAL_MUST int lab_scenario_parse(struct lab_scenario **out, struct shoal_bytes text, const char *const *set,
				  size_t set_count, struct lab_fault *fault);
void lab_scenario_free(struct lab_scenario *s);
unsigned lab_scenario_nodes(const struct lab_scenario *s);
/* The group of that name, or -1. */
int lab_scenario_group(const struct lab_scenario *s, const char *name, size_t len);
const struct lab_variant *lab_scenario_variant(const struct lab_scenario *s, const char *name);
const char *lab_policy_name(enum lab_policy policy);
/* The bit of enum shoal_without that is called so; 0: none. */
unsigned lab_without_of(const char *name, size_t len);
/* "forgiving, prior, ..." */
void lab_without_names(char *out, size_t size);
/* "7" or "1..20": 0, or MALFORMED, also when there are more than LAB_SEEDS_MAX. */
SHOAL_MUST int lab_seeds_parse(const char *text, uint64_t *from, uint64_t *to);
/* -1: there is none of that name. */
int lab_policy_of(const char *name);
const char *lab_event_name(enum lab_event_kind kind);
const char *lab_kind_name(enum lab_kind kind);

#endif
