/* tools/get.c - shoal get: a torrent, a magnet link or a bare info hash, until all of it is verified and durable. */
#include "tools/commands.h"
#include "tools/dht.h"
#include "tools/place.h"
#include "tools/run.h"
#include "tools/say.h"
#include "tools/signals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct shoal_opt_page page = {
	"TORRENT|MAGNET|INFOHASH [-o DIR] [--only GLOB]... [OPTIONS]",
	"Fetches everything a torrent names into DIR, from all its peers and web seeds at once. What is there already\n"
	"is checked and kept. Ends when every byte is verified and safe on the disk; stopped before\n"
	"that, it goes on from there the next time. Exits 0 when complete, 1 when not complete at the\n"
	"--timeout, 4 when the storage is why, 5 when no peer was reachable until then,\n"
	"130 when interrupted.\n"
	"With --seed a name (btpk) is followed: when it moves, the new version goes into DIR/version-N, takes over "
	"the\n"
	"files that have not changed, and the one before is given to others until it is complete.\n"
	"--only takes what a .gitignore does: '*.mkv' at any depth, 'notes/' a whole folder,\n"
	"'a/**/b?.txt' from the torrent's top. Files not chosen are never made; later, without\n"
	"--only, the rest is fetched.",
	"  shoal get holiday.torrent --peer 192.0.2.7:6881\n"
	"  shoal get 'magnet:?xt=urn:btih:...&x.pe=192.0.2.7:6881' -o Downloads --seed\n"
	"  shoal get holiday.torrent -o Downloads --down 2M --json\n"
	"  shoal get 'magnet:?xs=urn:btpk:...'   whatever the name stands for now (shoal dht publish)\n"
	"  shoal get holiday.torrent --only '*.jpg' --only @3",
};

/* The folders of --adopt-from as an operation carries them: absolute, NUL between. */
static int adopt_from(struct shoal_run *r, const struct shoal_opt_list *from)
{
	struct shoal_run_torrent *t = &r->torrent[0];
	char shown[SHOAL_SAY_TEXT_MAX];
	for (size_t i = 0; i < from->count; i++) {
		char *real = realpath(from->at[i], NULL);
		if (real == NULL)
			return shoal_say_fail_as(r->tool, SHOAL_EXIT_USAGE, SHOAL_ERR_USAGE, "--adopt-from %s: %s",
						 shoal_say_cstr(from->at[i], shown), strerror(errno));
		size_t len = strlen(real) + 1;
		char *more = realloc(t->adopt_from, t->adopt_from_len + len);
		if (more != NULL) {
			memcpy(more + t->adopt_from_len, real, len);
			t->adopt_from = more;
			t->adopt_from_len += len;
		}
		free(real);
		if (more == NULL)
			return shoal_say_fail(r->tool, SHOAL_ERR_NOMEM, "no memory");
	}
	return 0;
}

/* A name (BEP 46) becomes the link of the torrent it stands for now. `f`: who looks whether it moves. */
static int follow(struct shoal_run *r, struct shoal_run_torrent *t, struct shoal_follow *f)
{
	struct shoal_magnet *m = t->source.magnet;
	char hex[41];
	if (!t->source.is_magnet || !m->has_key || m->has_v1 || m->has_v2)
		return 0;
	int code = shoal_dht_follow(r->tool, r->net, m, r->timeout, &f->hash, &f->seq);
	if (code)
		return code;
	shoal_say(r->tool, "the name stands for %s, its number %lld", shoal_say_hex(f->hash.b, sizeof f->hash.b, hex),
		  (long long)f->seq);
	f->link = t->source.arg;
	if (r->stay) {
		shoal_follow_begin(f, m, shoal_signals_now());
		r->follow = f;
	}
	if (shoal_run_link(t, &f->hash) < 0)
		return shoal_say_fail(r->tool, SHOAL_ERR_NOMEM, "no memory");
	return 0;
}

static int get(struct shoal_run *r, const char *arg, const char *folder, const struct shoal_opt_list *from,
	       const struct shoal_opt_list *only, bool list, struct shoal_follow *f)
{
	struct shoal_run_torrent *t = &r->torrent[0];
	int code = shoal_source_open(r->tool, &t->source, arg, true);
	if (code == 0)
		code = adopt_from(r, from);
	if (code == 0)
		code = shoal_only_init(&t->only, r->tool, only, list);
	if (code)
		return code;
	t->folder = shoal_run_absolute(folder);
	if (t->folder == NULL)
		return shoal_say_fail(r->tool, SHOAL_ERR_NOMEM, "no memory");
	if (!list)
		code = shoal_place_check(r->tool, t->folder,
					 t->source.mi != NULL ? shoal_metainfo_name(t->source.mi)
							      : (struct shoal_bytes){ NULL, 0 });
	if (code == 0)
		code = follow(r, t, f); /* asks the DHT: what is wrong here has been said by then */
	if (code)
		return code;
	char *first = strdup(t->folder); /* the torrent's own goes when its successor is here */
	if (first == NULL)
		return shoal_say_fail(r->tool, SHOAL_ERR_NOMEM, "no memory");
	f->folder = first;
	r->only = only;
	code = shoal_run(r);
	free(first);
	return code;
}

int shoal_get_main(struct shoal_tool *tool, int argc, char **argv)
{
	struct shoal_net net = { 0 };
	struct shoal_run_torrent *torrent = calloc(2, sizeof *torrent); /* a name's next version, too */
	struct shoal_follow name = { 0 };
	struct shoal_run r = { .tool = tool, .net = &net, .torrent = torrent, .count = 1 };
	struct shoal_opt_list args = { 0 }, from = { 0 }, tracker = { 0 }, only = { 0 };
	struct shoal_opt wire[SHOAL_NET_OPTIONS_MAX];
	const char *folder = ".";
	bool sequential = false, overwrite = false, list = false;
	int adopt = SHOAL_ADOPT_HOW_AUTO;
	/* clang-format off */
	const struct shoal_opt own[] = {
		{ SHOAL_OPT_TEXT, "output", 'o', &folder, "DIR", NULL, "where to; default: this folder" },
		{ SHOAL_OPT_LIST, "only", 0, &only, "GLOB", NULL, "these files alone, or @1-3,7 by number; more than once" },
		{ SHOAL_OPT_FLAG, "list", 0, &list, NULL, NULL, "print the files with their numbers, and fetch nothing" },
		{ SHOAL_OPT_FLAG, "sequential", 0, &sequential, NULL, NULL, "pieces in order, from the first to the last" },
		{ SHOAL_OPT_CHOICE, "adopt", 0, &adopt, "auto|reflink|link|copy|off", NULL, "take files that lie in other torrents' folders; default: auto" },
		{ SHOAL_OPT_LIST, "adopt-from", 0, &from, "DIR", NULL, "and those of this folder; more than once" },
		{ SHOAL_OPT_FLAG, "overwrite", 0, &overwrite, NULL, NULL, "replace what differs in files that are not ours" },
		{ SHOAL_OPT_LIST, "tracker", 't', &tracker, "URL", NULL, "ask this one too, wherever it lies; more than once" },
		{ SHOAL_OPT_LIST, "webseed", 'w', &r.webseed, "URL", NULL, "a server that has the data by HTTP; more than once" },
		{ SHOAL_OPT_FLAG, "seed", 0, &r.stay, NULL, NULL, "go on giving when complete; a name is followed where it goes" },
		{ SHOAL_OPT_SECONDS, "every", 0, &name.every, "SECONDS", NULL, "--seed: look so often whether the name has moved; default: 300" },
		{ SHOAL_OPT_SECONDS, "timeout", 0, &r.timeout, "SECONDS", NULL, "give up then; what was fetched stays" },
		{ SHOAL_OPT_TEXT, "record", 0, &net.record, "FILE", NULL, "write down what is decided and why; shoal explain reads it" },
		{ SHOAL_OPT_COUNT, "threads", 0, &net.threads, "N", NULL, "that hash and write; default: one a core" },
		{ .kind = SHOAL_OPT_END },
	};
	/* clang-format on */
	const struct shoal_opt *const tables[] = { own, wire, NULL };
	if (torrent == NULL)
		return shoal_say_fail(tool, SHOAL_ERR_NOMEM, "no memory");
	shoal_net_rows(&net, wire);
	int rc = shoal_say_parse(tool, &page, tables, argc, argv, &args), code;
	torrent->flags = (sequential ? SHOAL_ADD_SEQUENTIAL : 0u) | (overwrite ? SHOAL_ADD_OVERWRITE : 0u);
	r.tracker = &tracker;
	torrent->adopt = (enum shoal_adopt_how)adopt;
	if (rc != 0)
		code = rc > 0 ? SHOAL_EXIT_GOOD : shoal_exit_of(rc);
	else if (args.count != 1)
		code = shoal_say_fail(tool, SHOAL_ERR_USAGE,
				      "one TORRENT, MAGNET or INFOHASH is needed; see shoal get --help");
	else
		code = get(&r, args.at[0], folder, &from, &only, list, &name);
	for (size_t i = 0; torrent != NULL && i < 2; i++)
		shoal_run_torrent_fini(&torrent[i]);
	free(torrent);
	shoal_net_fini(&net);
	shoal_opt_list_fini(&from);
	shoal_opt_list_fini(&tracker);
	shoal_opt_list_fini(&r.webseed);
	shoal_opt_list_fini(&only);
	shoal_opt_list_fini(&args);
	return code;
}
