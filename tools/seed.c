/* tools/seed.c - shoal seed: gives what is there, making a torrent of it first where there is none. */
#include "tools/commands.h"
#include "tools/make.h"
#include "tools/run.h"
#include "tools/save.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct shoal_opt_page page = {
	"PATH|TORRENT... [-d DIR] [OPTIONS]",
	"Shares files, folders and torrents until it is stopped. For a PATH without a torrent one is made first\n"
	"(and kept nowhere, unless -o names a file); its magnet link is printed, with the addresses\n"
	"of this host in it. The data of a TORRENT is looked for below DIR and checked first: what is not\n"
	"whole is not seeded, shoal verify tells why.",
	"  shoal seed holiday/\n"
	"  shoal seed holiday.torrent other.torrent -d Downloads --up 5M\n"
	"  shoal seed set/ -o set.torrent --listen 192.0.2.7:6881",
};

struct seeding {
	struct shoal_run run;
	struct shoal_make_options make;
	const char *folder, *out;
	bool force;
};

/* The folder in which the content lies of a torrent that was made of `path`; heap. That is where `path` itself lies, but for a
 * folder of one file: v2 alone has the file in its place. */
static char *folder_of(const struct shoal_metainfo *mi, const char *path)
{
	struct stat st;
	char *real = realpath(path, NULL);
	if (real == NULL || (shoal_metainfo_single(mi) && stat(real, &st) == 0 && S_ISDIR(st.st_mode)))
		return real;
	char *slash = strrchr(real, '/');
	slash[slash == real ? 1 : 0] = '\0';
	return real;
}

/* -o, before anything is hashed: what could not be kept is known now. */
static int may_save(const struct seeding *s)
{
	if (s->out == NULL)
		return 0;
	if (strcmp(s->out, "-") == 0)
		return shoal_say_fail(s->run.tool, SHOAL_ERR_USAGE,
				      "-o wants a file: stdout is for the magnet link; shoal create -o - writes there");
	int rc = shoal_save_may(s->out, s->force);
	return rc < 0 ? shoal_save_failed(s->run.tool, s->out, rc) : 0;
}

static int make_one(struct seeding *s, struct shoal_run_torrent *t, const char *path)
{
	struct shoal_make m;
	char shown[SHOAL_SAY_TEXT_MAX];
	int code = may_save(s);
	if (code)
		return code;
	code = shoal_make(s->run.tool, &m, &s->make, path);
	int rc = code == 0 && s->out ? shoal_save(s->out, m.torrent, s->force) : 0;
	if (rc < 0)
		code = shoal_save_failed(s->run.tool, s->out, rc);
	if (code == 0) {
		/* The torrent changes hands; what else the making needed is given back before the seeding begins. */
		t->source = (struct shoal_source){ .arg = path, .mi = m.mi, .torrent = m.torrent };
		m.mi = NULL;
		m.torrent = (struct shoal_bytes){ NULL, 0 };
		t->folder = folder_of(t->source.mi, path);
		if (t->folder == NULL)
			code = shoal_say_fail(s->run.tool, shoal_os_err(errno), "%s: %s", shoal_say_cstr(path, shown),
					      strerror(errno));
	}
	shoal_make_fini(&m);
	return code;
}

static int take(struct seeding *s, struct shoal_run_torrent *t, const char *arg)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	t->flags = SHOAL_ADD_SEED_ONLY;
	if (shoal_source_is_magnet(arg))
		return shoal_say_fail(s->run.tool, SHOAL_ERR_USAGE,
				      "a magnet link cannot be seeded: shoal get it, with --seed");
	bool torrent;
	int code = shoal_source_try(s->run.tool, &t->source, arg, &torrent);
	if (code)
		return code;
	if (!torrent)
		return make_one(s, t, arg);
	if (s->out)
		return shoal_say_fail(s->run.tool, SHOAL_ERR_USAGE,
				      "-o keeps a torrent that is made of a PATH, and %s is one already",
				      shoal_say_cstr(arg, shown));
	t->folder = shoal_run_absolute(s->folder);
	return t->folder ? 0 : shoal_say_fail(s->run.tool, SHOAL_ERR_NOMEM, "no memory");
}

static int seed(struct seeding *s, const struct shoal_opt_list *args)
{
	int code = 0;
	if (s->out && args->count > 1)
		return shoal_say_fail(s->run.tool, SHOAL_ERR_USAGE, "-o names one torrent: give one PATH");
	s->run.torrent = calloc(args->count, sizeof *s->run.torrent);
	if (s->run.torrent == NULL)
		return shoal_say_fail(s->run.tool, SHOAL_ERR_NOMEM, "no memory");
	s->run.count = args->count;
	for (size_t i = 0; code == 0 && i < args->count; i++)
		code = take(s, &s->run.torrent[i], args->at[i]);
	if (code == 0)
		code = shoal_run(&s->run);
	for (size_t i = 0; i < s->run.count; i++)
		shoal_run_torrent_fini(&s->run.torrent[i]);
	free(s->run.torrent);
	return code;
}

int shoal_seed_main(struct shoal_tool *tool, int argc, char **argv)
{
	struct shoal_net net = { 0 };
	struct seeding s = { .run = { .tool = tool, .net = &net, .seeding = true, .stay = true },
			     .make = { .format = SHOAL_MAKE_AUTO },
			     .folder = "." };
	struct shoal_opt_list args = { 0 };
	struct shoal_opt made[SHOAL_MAKE_OPTIONS_MAX], wire[SHOAL_NET_OPTIONS_MAX];
	/* clang-format off */
	const struct shoal_opt own[] = {
		{ SHOAL_OPT_TEXT, "dir", 'd', &s.folder, "DIR", NULL, "where the data of torrents lies; default: this folder" },
		{ SHOAL_OPT_TEXT, "output", 'o', &s.out, "FILE", NULL, "keep the torrent that is made" },
		{ SHOAL_OPT_TEXT, "record", 0, &net.record, "FILE", NULL, "write down what is decided and why; shoal explain reads it" },
		{ SHOAL_OPT_FLAG, "force", 'f', &s.force, NULL, NULL, "replace FILE when it is there" },
		{ .kind = SHOAL_OPT_END },
	};
	/* clang-format on */
	const struct shoal_opt *const tables[] = { own, wire, made, NULL };
	shoal_make_rows(&s.make, made);
	shoal_net_rows(&net, wire);
	int rc = shoal_say_parse(tool, &page, tables, argc, argv, &args), code;
	net.threads = s.make.threads;
	s.run.tracker = &s.make.tracker; /* those of torrents that are there already, too */
	if (rc != 0)
		code = rc > 0 ? SHOAL_EXIT_GOOD : shoal_exit_of(rc);
	else if (args.count == 0)
		code = shoal_say_fail(tool, SHOAL_ERR_USAGE, "a PATH or TORRENT is needed; see shoal seed --help");
	else
		code = seed(&s, &args);
	shoal_make_options_fini(&s.make);
	shoal_net_fini(&net);
	shoal_opt_list_fini(&args);
	return code;
}
