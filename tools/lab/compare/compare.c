/* compare.c - shoal lab compare: finds torrents, runs each through both engines, tells what differs. */
#include "tools/lab/compare/compare.h"

#include "proto/metainfo.h"
#include "tools/lab/compare/netns.h"
#include "tools/lab/compare/pair.h"
#include "tools/lab/compare/tell.h"
#include "tools/options.h"
#include "tools/progress.h"
#include "tools/signals.h"
#include "tools/source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TORRENTS_MAX 1000000u
#define DEPTH_MAX 32u
#define PATIENCE SHOAL_S(60)

struct compare {
	struct shoal_tool *tool;
	const char *folder, *work;
	int depth, seed;
	bool reasons;
	shoal_us patience;
	struct lab_cmp_place place;
	struct lab_cmp_tally tally;
	struct shoal_progress progress;
	char **torrent; /* heap, each heap */
	size_t count, room;
};

static const struct shoal_opt_page page = {
	"TORRENT|DIR... [-d DIR] [--depth names|content|transfer] [--json]",
	"Puts the same torrents through both engines, this one and libtorrent, and reports every difference:\n"
	"taken or refused, info hashes, names on disk; where the content lies beside the torrent (or in -d DIR), "
	"which\n"
	"pieces of it are right; and where it is whole, a transfer by each from the same seed, in a network that "
	"nothing\n"
	"leaves: what lies there afterwards, bytes on the wire, time, processor time, memory. The engines work on "
	"copies.\n"
	"Most differences are known, and why they are there is said. Exits 0 when all are explained, 1 when one is "
	"not.\n"
	"DIR stands for every .torrent below it.",
	"  shoal lab compare ~/torrents\n"
	"  shoal lab compare holiday.torrent -d Downloads --json | jq .differences\n"
	"  shoal lab compare ~/torrents --depth names     only what the torrents say\n"
	"  shoal lab compare --reasons                    every difference that is known",
};

/* ---- which torrents ------------------------------------------------------------------------------------ */

static int add(struct compare *c, const char *path)
{
	if (c->count == TORRENTS_MAX)
		return SHOAL_ERR_TOO_LONG;
	if (c->count == c->room) {
		size_t room = c->room ? c->room * 2 : 64;
		char **more = realloc(c->torrent, room * sizeof *more);
		if (more == NULL)
			return SHOAL_ERR_NOMEM;
		c->torrent = more;
		c->room = room;
	}
	c->torrent[c->count] = strdup(path);
	if (c->torrent[c->count] == NULL)
		return SHOAL_ERR_NOMEM;
	c->count++;
	return 0;
}

static bool is_torrent(const char *name)
{
	size_t len = strlen(name);
	return len > 8 && strcmp(name + len - 8, ".torrent") == 0;
}

static int in_order(const void *a, const void *b)
{
	return strverscmp(*(const char *const *)a, *(const char *const *)b);
}

/* Links are not followed: a folder may lead anywhere. */
static int add_folder(struct compare *c, const char *folder, unsigned deep)
{
	DIR *dir = opendir(folder);
	int rc = dir == NULL ? SHOAL_ERR_IO : 0;
	for (struct dirent *d; rc == 0 && (d = readdir(dir)) != NULL;) {
		struct stat st;
		char *path = NULL;
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		if (fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (asprintf(&path, "%s/%s", folder, d->d_name) < 0) {
			rc = SHOAL_ERR_NOMEM;
			break;
		}
		if (S_ISREG(st.st_mode) && is_torrent(d->d_name))
			rc = add(c, path);
		else if (S_ISDIR(st.st_mode) && deep < DEPTH_MAX)
			rc = add_folder(c, path, deep + 1);
		free(path);
	}
	if (dir != NULL)
		closedir(dir);
	return rc;
}

static int find(struct compare *c, const struct shoal_opt_list *args)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	for (size_t i = 0; i < args->count; i++) {
		struct stat st;
		size_t first = c->count;
		int rc = stat(args->at[i], &st) < 0 ? SHOAL_ERR_IO
			 : S_ISDIR(st.st_mode)	    ? add_folder(c, args->at[i], 0)
						    : add(c, args->at[i]);
		if (rc < 0)
			return shoal_say_fail_as(c->tool, SHOAL_EXIT_INPUT, rc, "%s: %s",
						 shoal_say_cstr(args->at[i], shown),
						 rc == SHOAL_ERR_IO ? strerror(errno) : shoal_err_name(rc));
		if (c->count == first)
			return shoal_say_fail_as(c->tool, SHOAL_EXIT_INPUT, SHOAL_ERR_GONE, "%s: no torrent in it",
						 shoal_say_cstr(args->at[i], shown));
		qsort(c->torrent + first, c->count - first, sizeof *c->torrent, in_order);
	}
	return 0;
}

/* ---- one after another ----------------------------------------------------------------------------------- */

/* Where the content of a torrent is looked for: in -d, else beside it. Heap. */
static char *folder_of(const struct compare *c, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *beside = c->folder != NULL ? NULL
		       : slash == NULL	 ? strdup(".")
					 : strndup(path, (size_t)(slash - path) + 1);
	char *real = realpath(c->folder != NULL ? c->folder : beside != NULL ? beside : "/nowhere", NULL);
	free(beside);
	return real;
}

static int compare_one(struct compare *c, const char *path)
{
	char shown[SHOAL_SAY_TEXT_MAX], what[LAB_CMP_TEXT_MAX], numbers[64];
	struct lab_cmp_job job = { .depth = (enum lab_cmp_depth)c->depth,
				   .seed_theirs = c->seed == 1,
				   .patience = c->patience };
	struct lab_cmp_pair pair = { 0 };
	shoal_us now = shoal_signals_now();
	int rc = shoal_source_read(path, SHOAL_METAINFO_BYTES_MAX, &job.torrent);
	if (rc < 0)
		return shoal_say_fail_as(c->tool, SHOAL_EXIT_INPUT, rc, "%s: %s", shoal_say_cstr(path, shown),
					 rc == SHOAL_ERR_TOO_LONG ? "longer than a torrent can be" : strerror(errno));
	if (shoal_progress_due(&c->progress, now)) {
		snprintf(numbers, sizeof numbers, "%zu of %zu compared", c->tally.torrents, c->count);
		shoal_progress_row(&c->progress, 0, shoal_say_cstr(path, shown), numbers, NULL);
		shoal_progress_draw(&c->progress, now);
	}
	char *folder = folder_of(c, path);
	job.folder = folder;
	rc = folder != NULL
		     ? lab_cmp_pair_run(&pair, &c->place, &job, what)
		     : shoal_say_fail_as(c->tool, SHOAL_EXIT_INPUT, SHOAL_ERR_IO, "%s: %s",
					 shoal_say_cstr(c->folder != NULL ? c->folder : path, shown), strerror(errno));
	free((void *)(uintptr_t)job.torrent.at);
	if (folder == NULL)
		return rc;
	free(folder);
	if (rc == 0) {
		shoal_progress_clear(&c->progress);
		lab_cmp_tell(c->tool, &c->tally, path, &pair);
	}
	lab_cmp_side_fini(&pair.ours);
	lab_cmp_side_fini(&pair.theirs);
	if (rc < 0 && shoal_signals_came()) /* it may have ended a copy with an error, too */
		return SHOAL_EXIT_INTERRUPTED;
	return rc < 0 ? shoal_say_fail_as(c->tool, SHOAL_EXIT_STORAGE, rc, "%s", what) : 0;
}

static int compare_all(struct compare *c, const struct shoal_opt_list *args)
{
	char what[160], shown[SHOAL_SAY_TEXT_MAX];
	int code = find(c, args), rc;
	if (code != 0)
		return code;
	/* Before any engine is opened: nothing that a torrent names is asked for, not even by mistake. */
	if ((rc = lab_netns_enter(what)) < 0)
		return shoal_say_fail_as(c->tool, SHOAL_EXIT_STORAGE, rc, "%s", what);
	if ((rc = lab_cmp_place_init(&c->place, c->work)) < 0)
		return shoal_say_fail_as(c->tool, SHOAL_EXIT_STORAGE, rc, "a scratch folder cannot be made: %s",
					 rc == SHOAL_ERR_IO ? strerror(errno) : shoal_err_name(rc));
	shoal_signals_catch();
	shoal_say_log(c->tool, SHOAL_LOG_INFO, "working in %s", shoal_say_cstr(c->place.path, shown));
	for (size_t i = 0; code == 0 && i < c->count; i++)
		code = compare_one(c, c->torrent[i]);
	shoal_progress_clear(&c->progress);
	lab_cmp_place_fini(&c->place);
	if (code == 0) {
		lab_cmp_tell_end(c->tool, &c->tally);
		code = c->tally.unexplained > 0 ? SHOAL_EXIT_DATA : SHOAL_EXIT_GOOD;
	}
	return code;
}

int lab_compare_main(struct shoal_tool *tool, int argc, char **argv)
{
	struct compare c = { .tool = tool, .depth = LAB_CMP_TRANSFER, .patience = PATIENCE };
	struct shoal_opt_list args = { 0 };
	/* clang-format off */
	const struct shoal_opt own[] = {
		{ SHOAL_OPT_TEXT, "dir", 'd', &c.folder, "DIR", NULL, "where the content is; default: beside each torrent" },
		{ SHOAL_OPT_CHOICE, "depth", 0, &c.depth, "names|content|transfer", NULL, "how far to go; default: transfer" },
		{ SHOAL_OPT_CHOICE, "seed-by", 0, &c.seed, "native|libtorrent", NULL, "who serves the transfers; default: native" },
		{ SHOAL_OPT_SECONDS, "timeout", 0, &c.patience, "SECONDS", NULL, "for each step of each engine; default: 60" },
		{ SHOAL_OPT_TEXT, "work", 0, &c.work, "DIR", NULL, "copies are made there; default: $TMPDIR or /tmp" },
		{ SHOAL_OPT_FLAG, "reasons", 0, &c.reasons, NULL, NULL, "print every known difference and its reason" },
		{ .kind = SHOAL_OPT_END },
	};
	/* clang-format on */
	const struct shoal_opt *const tables[] = { own, NULL };
	int rc = shoal_say_parse(tool, &page, tables, argc, argv, &args), code;
	shoal_progress_init(&c.progress, tool);
	c.progress.last = tool->tty ? 0 : shoal_signals_now(); /* in a log, only what takes long is worth a line */
	if (rc != 0)
		code = rc > 0 ? SHOAL_EXIT_GOOD : shoal_exit_of(rc);
	else if (c.reasons && args.count == 0)
		code = (lab_cmp_tell_whys(tool), 0);
	else if (args.count == 0)
		code = shoal_say_fail(tool, SHOAL_ERR_USAGE,
				      "a TORRENT or DIR is needed; see shoal lab compare --help");
	else
		code = compare_all(&c, &args);
	for (size_t i = 0; i < c.count; i++)
		free(c.torrent[i]);
	free(c.torrent);
	shoal_opt_list_fini(&args);
	return code;
}
