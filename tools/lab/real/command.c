/* command.c - see command.h. */
#include "tools/lab/real/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "tools/lab/attack.h"

/* Says that it is done as our own engine does. */
#define HOOK "#!/bin/sh\necho '{\"event\": \"complete\"}' >\"$LAB_SAID\"\n"

struct building {
	struct lab_command *c;
	const struct lab_group *g;
	const struct lab_plan_node *n;
	const struct lab_command_place *place;
	bool short_of_memory;
	char entry[16]; /* address of the node at which it enters the DHT; "": there is no DHT */
};

const char *lab_command_program(enum lab_kind kind)
{
	static const char *const program[LAB_KINDS] = { [LAB_KIND_TRANSMISSION] = "transmission-daemon",
							[LAB_KIND_ARIA2] = "aria2c",
							[LAB_KIND_RTORRENT] = "rtorrent" };
	return program[kind];
}

const char *lab_command_package(enum lab_kind kind)
{
	static const char *const package[LAB_KINDS] = { [LAB_KIND_TRANSMISSION] = "transmission-daemon",
							[LAB_KIND_ARIA2] = "aria2",
							[LAB_KIND_RTORRENT] = "rtorrent" };
	return package[kind];
}

__attribute__((format(printf, 2, 3))) static void word(struct building *b, const char *format, ...)
{
	va_list args;
	char *text = NULL;
	va_start(args, format);
	int n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0) {
		b->short_of_memory = true;
		return;
	}
	if (b->c->words == LAB_COMMAND_WORDS_MAX)
		abort(); /* ours: no list below is that long */
	b->c->word[b->c->words++] = text;
}

static void words(struct building *b, const char *const *list)
{
	for (; *list != NULL; list++)
		word(b, "%s", *list);
}

__attribute__((format(printf, 4, 5))) static void file(struct building *b, const char *path, bool program,
						       const char *format, ...)
{
	va_list args;
	struct lab_command_file *f = &b->c->file[b->c->files];
	va_start(args, format);
	int n = vasprintf(&f->text, format, args);
	va_end(args);
	if (n < 0) {
		b->short_of_memory = true;
		return;
	}
	f->path = path;
	f->program = program;
	b->c->files++;
}

static void torrent_copy(struct building *b, const char *path)
{
	b->c->file[b->c->files++] = (struct lab_command_file){ .path = path };
}

/* ---- the kinds --------------------------------------------------------------------------------- */

static void native(struct building *b, const char *host)
{
	static const char *const closed[] = {
		"--no-lsd", "--no-portmap", "--no-utp", "--state", "state", "--json", NULL
	};
	word(b, "%s", b->place->shoal);
	word(b, b->n->seed ? "seed" : "get");
	word(b, "../set.torrent");
	word(b, b->n->seed ? "-d" : "-o");
	word(b, "data");
	if (!b->n->seed)
		word(b, "--seed");
	word(b, "--listen");
	word(b, "%s:%u", host, LAB_PLAN_PORT);
	words(b, closed);
	if (b->entry[0] != 0) {
		word(b, "--dht-node");
		word(b, "%s:%u", b->entry, LAB_PLAN_PORT);
	} else {
		word(b, "--no-dht");
	}
	word(b, "--max-peers");
	word(b, "%.0f", b->g->max_peers.v);
	if (b->n->kind == LAB_KIND_NATIVE) {
		word(b, "--memory");
		word(b, "%.0f", b->g->memory.v);
	} else {
		word(b, "--engine");
		word(b, "libtorrent");
	}
	/* A free rider gives a byte a second: 16 KiB once in four hours. */
	double up = b->n->hostile ? 1 : b->g->limit_up.v;
	if (up > 0) {
		word(b, "--up");
		word(b, "%.0f", up);
	}
	if (b->g->limit_down.v > 0) {
		word(b, "--down");
		word(b, "%.0f", b->g->limit_down.v);
	}
}

static void aria2(struct building *b, const char *host)
{
	static const char *const settings[] = { "--no-conf=true",
						"--enable-dht6=false",
						"--bt-enable-lpd=false",
						"--disable-ipv6=true",
						"--seed-ratio=0",
						"--seed-time=1000000",
						"--console-log-level=warn",
						"--summary-interval=0",
						"--show-console-readout=false",
						"--file-allocation=none",
						"--dir=data",
						"--on-bt-download-complete=./complete",
						NULL };
	word(b, "aria2c");
	words(b, settings);
	word(b, "--enable-dht=%s", b->entry[0] != 0 ? "true" : "false");
	if (b->entry[0] != 0) {
		word(b, "--dht-listen-port=%u", LAB_PLAN_PORT);
		word(b, "--dht-entry-point=%s:%u", b->entry, LAB_PLAN_PORT);
		word(b, "--dht-file-path=dht.dat");
	}
	word(b, "--interface=%s", host);
	word(b, "--listen-port=%u", LAB_PLAN_PORT);
	word(b, "--bt-max-peers=%.0f", b->g->max_peers.v);
	/* A seed hashes what it has, as the others do; then it serves without a word. */
	if (b->n->seed || b->n->has != NULL)
		word(b, "--check-integrity=true");
	if (!b->n->seed)
		word(b, "--allow-overwrite=true");
	word(b, "../set.torrent");
	file(b, "complete", true, HOOK);
}

static void transmission(struct building *b, const char *host)
{
	static const char *const run[] = { "transmission-daemon", "-f", "-g", "config", "-c", "watch", NULL };
	words(b, run);
	file(b, "complete", true, HOOK);
	file(b, "config/settings.json", false,
	     "{\n\"dht-enabled\": %s, \"lpd-enabled\": false, \"pex-enabled\": true, \"utp-enabled\": false,\n"
	     "\"port-forwarding-enabled\": false, \"rpc-enabled\": false, \"encryption\": 1,\n"
	     "\"bind-address-ipv4\": \"%s\", \"bind-address-ipv6\": \"::1\", \"peer-port\": %u,\n"
	     "\"peer-limit-global\": %.0f, \"peer-limit-per-torrent\": %.0f,\n"
	     "\"download-dir\": \"data\", \"preallocation\": 0, \"rename-partial-files\": false,\n"
	     "\"start-added-torrents\": true, \"watch-dir-enabled\": true, \"trash-original-torrent-files\": false,\n"
	     "\"download-queue-enabled\": false, \"seed-queue-enabled\": false, \"ratio-limit-enabled\": false,\n"
	     "\"script-torrent-done-enabled\": true, \"script-torrent-done-filename\": \"./complete\",\n"
	     "\"message-level\": 2\n}\n",
	     b->entry[0] != 0 ? "true" : "false", host, LAB_PLAN_PORT, b->g->max_peers.v, b->g->max_peers.v);
	if (b->entry[0] != 0)
		file(b, "config/dht.bootstrap", false, "%s %u\n", b->entry, LAB_PLAN_PORT);
	torrent_copy(b, "watch/set.torrent");
}

static void rtorrent(struct building *b, const char *host)
{
	static const char *const run[] = { "rtorrent", "-n", "-o", "import=rc", NULL };
	bool dht = b->entry[0] != 0;
	char node[80] = "";
	if (dht)
		snprintf(node, sizeof node, "schedule2 = node,1,0,\"dht.add_node=%s:%u\"\n", b->entry, LAB_PLAN_PORT);
	words(b, run);
	file(b, "complete", true, HOOK);
	file(b, "session/.keep", false, "%s", "");
	file(b, "rc", false,
	     "system.daemon.set = true\nsession.path.set = session\ndirectory.default.set = data\n"
	     "network.port_range.set = %u-%u\nnetwork.port_random.set = no\n"
	     "network.bind_address.set = %s\nnetwork.local_address.set = %s\n"
	     "dht.mode.set = %s\ndht.port.set = %u\nprotocol.pex.set = yes\ntrackers.use_udp.set = no\n"
	     "protocol.encryption.set = allow_incoming\nthrottle.max_peers.normal.set = %.0f\n"
	     "throttle.max_peers.seed.set = %.0f\n"
	     "method.set_key = event.download.finished,lab,\"execute2=./complete\"\n"
	     "schedule2 = lab,0,0,\"load.start=../set.torrent\"\n%s",
	     LAB_PLAN_PORT, LAB_PLAN_PORT, host, host, dht ? "on" : "disable", LAB_PLAN_PORT, b->g->max_peers.v,
	     b->g->max_peers.v, node);
}

/* Anybody's: it learns from its environment (crew.c) what it has to know. */
static void command(struct building *b, const char *host)
{
	(void)host;
	word(b, "/bin/sh");
	word(b, "-c");
	word(b, "%s", b->g->command);
}

/* Its numbers are those of the virtual world's kind: shares in millionths, times in microseconds. */
static void adversary(struct building *b)
{
	struct sim_adversary_spec spec = lab_attack_spec(&b->g->adversary);
	enum sim_adversary_kind kind = lab_attack_kind(&b->g->adversary);
	word(b, "serve");
	word(b, "%s", b->g->adversary.kind);
	for (const struct sim_adversary_param *p = sim_adversary_table[kind].param; p->name != NULL; p++)
		word(b, "%s=%llu", p->name, (unsigned long long)*sim_adversary_value(&spec, p));
}

static void hostile(struct building *b, const char *host)
{
	const char *id = lab_attack_case(&b->g->adversary);
	word(b, "%s", b->place->hostile);
	if (id != NULL) {
		word(b, "play");
		word(b, "%s", id);
	} else {
		adversary(b);
	}
	word(b, "--torrent");
	word(b, "../set.torrent");
	word(b, "--data");
	word(b, "data");
	word(b, "--listen");
	word(b, "%s:%u", host, LAB_PLAN_PORT);
	word(b, "--tracker");
	word(b, "%s", b->place->tracker);
}

int lab_command_make(struct lab_command *c, const struct lab_scenario *s, const struct lab_plan *plan, unsigned i,
		     const struct lab_command_place *place)
{
	static void (*const kinds[LAB_KINDS])(struct building * b, const char *host) = {
		[LAB_KIND_NATIVE] = native,   [LAB_KIND_LIBTORRENT] = native, [LAB_KIND_TRANSMISSION] = transmission,
		[LAB_KIND_COMMAND] = command, [LAB_KIND_ARIA2] = aria2,	      [LAB_KIND_RTORRENT] = rtorrent,
	};
	const struct lab_plan_node *n = &plan->node[i];
	struct building b = { .c = c, .g = &s->nodes[n->group], .n = n, .place = place };
	int entry = s->meet.v == LAB_MEET_DHT ? lab_plan_dht_entry(plan, i) : -1;
	char host[16];
	if (entry >= 0)
		lab_wires_dotted((unsigned)entry, b.entry);
	*c = (struct lab_command){ 0 };
	lab_wires_dotted(i, host);
	if (n->played)
		hostile(&b, host);
	else
		kinds[n->kind](&b, host);
	if (!b.short_of_memory)
		return 0;
	lab_command_free(c);
	return SHOAL_ERR_NOMEM;
}

void lab_command_free(struct lab_command *c)
{
	for (unsigned i = 0; i < c->words; i++)
		free(c->word[i]);
	for (unsigned i = 0; i < c->files; i++)
		free(c->file[i].text);
	*c = (struct lab_command){ 0 };
}
