/* tools/create.c - shoal create: a torrent of a file or folder, written where it was asked for. */
#include "tools/commands.h"
#include "tools/human.h"
#include "tools/make.h"
#include "tools/save.h"
#include "tools/say.h"
#include "tools/source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct shoal_opt_page page = {
	"PATH [-o FILE.torrent] [OPTIONS]",
	"Reads a file or a whole folder once, hashes it with every core and writes a torrent\n"
	"of it. The same names and bytes give the same info hash on every machine. What a\n"
	"torrent cannot carry (symlinks, devices, empty folders, modes) is named and left out.\n"
	"What other engines would refuse, mangle or waste is warned of by the name of a lint, before a\n"
	"byte is read; --deny LINT makes of such a warning exit code 6, --allow LINT silences it.",
	"  shoal create holiday/                          writes holiday.torrent\n"
	"  shoal create data.bin -o - --format v1 | ssh host 'cat > data.torrent'\n"
	"  shoal create set/ --tracker https://tracker.example/announce --private",
};

static const char *const format_names[] = {
	[SHOAL_FORMAT_HYBRID] = "hybrid",
	[SHOAL_FORMAT_V2] = "v2",
	[SHOAL_FORMAT_V1] = "v1",
};

static void tell_left_out(struct shoal_json *j, const struct shoal_make *m)
{
	shoal_json_object(j, "left_out");
	shoal_json_u64(j, "symlinks", m->dropped[SHOAL_TREE_SYMLINK]);
	shoal_json_u64(j, "special", m->dropped[SHOAL_TREE_SPECIAL]);
	shoal_json_u64(j, "empty_folders", m->dropped[SHOAL_TREE_EMPTY]);
	shoal_json_u64(j, "excluded", m->skipped);
	shoal_json_end(j);
}

/* --dry-run: what would be made. */
static void tell_plan(struct shoal_tool *tool, const struct shoal_make *m, const char *out)
{
	const struct shoal_author_sums *s = &m->sums;
	uint64_t pieces = m->format == SHOAL_FORMAT_V1 ? s->pieces_v1 : s->pieces;
	uint64_t padding = m->format == SHOAL_FORMAT_HYBRID ? s->padding : 0;
	uint64_t info = s->info_of[m->format], torrent = s->torrent_of[m->format];
	char shown[SHOAL_SAY_TEXT_MAX], size[SHOAL_HUMAN_MAX], piece[SHOAL_HUMAN_MAX], pad[SHOAL_HUMAN_MAX],
		all[SHOAL_HUMAN_MAX], meta[SHOAL_HUMAN_MAX], files[SHOAL_HUMAN_MAX * 2], count[SHOAL_HUMAN_MAX * 2];
	if (tool->json) {
		struct shoal_json *j = shoal_say_event(tool, "planned", 0);
		shoal_json_text(j, "file", out);
		shoal_json_u64(j, "size", s->total);
		shoal_json_u64(j, "files", m->file_count);
		shoal_json_text(j, "format", format_names[m->format]);
		shoal_json_u64(j, "pieces", pieces);
		shoal_json_u64(j, "piece_size", m->piece_size);
		shoal_json_u64(j, "padding", padding);
		shoal_json_u64(j, "metadata_size", info);
		shoal_json_u64(j, "torrent_size", torrent);
		tell_left_out(j, m);
		shoal_say_event_end(tool);
		return;
	}
	shoal_say(tool, "%s would be: %s in %s, %s of %s, %s", shoal_say_cstr(out, shown),
		  shoal_human_size(s->total, size), shoal_human_count(m->file_count, "file", "files", files),
		  shoal_human_count(pieces, "piece", "pieces", count), shoal_human_size(m->piece_size, piece),
		  format_names[m->format]);
	shoal_say(tool, "  padding  %s", shoal_human_size(padding, pad));
	shoal_say(tool, "  .torrent %s, of it %s of info dictionary", shoal_human_size(torrent, all),
		  shoal_human_size(info, meta));
}

static void tell_json(struct shoal_tool *tool, const struct shoal_make *m, const char *out, const char *magnet)
{
	const struct shoal_metainfo *mi = m->mi;
	struct shoal_json *j = shoal_say_event(tool, "created", 0);
	shoal_json_text(j, "file", out);
	shoal_json_str(j, "name", shoal_metainfo_name_raw(mi));
	shoal_json_u64(j, "size", shoal_metainfo_size(mi));
	shoal_json_u64(j, "files", m->file_count);
	shoal_json_text(j, "format", format_names[m->format]);
	shoal_json_u64(j, "pieces", shoal_metainfo_piece_count(mi));
	shoal_json_u64(j, "piece_size", shoal_metainfo_piece_size(mi));
	if (shoal_metainfo_v1(mi))
		shoal_json_hex(j, "infohash_v1", shoal_metainfo_hash_v1(mi)->b, 20);
	if (shoal_metainfo_v2(mi))
		shoal_json_hex(j, "infohash_v2", shoal_metainfo_hash_v2(mi)->b, 32);
	shoal_json_text(j, "magnet", magnet);
	shoal_json_us(j, "seconds", m->hash_us);
	tell_left_out(j, m);
	shoal_say_event_end(tool);
}
static void tell_text(struct shoal_tool *tool, const struct shoal_make *m, const char *out, const char *magnet)
{
	const struct shoal_metainfo *mi = m->mi;
	char shown[SHOAL_SAY_TEXT_MAX], hex[65], size[SHOAL_HUMAN_MAX], piece[SHOAL_HUMAN_MAX], took[SHOAL_HUMAN_MAX],
		rate[SHOAL_HUMAN_MAX], files[SHOAL_HUMAN_MAX * 2], pieces[SHOAL_HUMAN_MAX * 2];
	shoal_us us = m->hash_us ? m->hash_us : 1;
	shoal_say(tool, "%s: %s in %s, %s of %s, %s", shoal_say_cstr(out, shown),
		  shoal_human_size(shoal_metainfo_size(mi), size),
		  shoal_human_count(m->file_count, "file", "files", files),
		  shoal_human_count(shoal_metainfo_piece_count(mi), "piece", "pieces", pieces),
		  shoal_human_size(shoal_metainfo_piece_size(mi), piece), format_names[m->format]);
	if (shoal_metainfo_v1(mi))
		shoal_say(tool, "  v1      %s", shoal_say_hex(shoal_metainfo_hash_v1(mi)->b, 20, hex));
	if (shoal_metainfo_v2(mi))
		shoal_say(tool, "  v2      %s", shoal_say_hex(shoal_metainfo_hash_v2(mi)->b, 32, hex));
	shoal_say(tool, "  magnet  %s", magnet);
	shoal_say(tool, "  hashed in %s, %s", shoal_human_span(us, took),
		  shoal_human_rate((uint64_t)((double)shoal_metainfo_size(mi) * 1e6 / (double)us), rate));
}

static int finish(struct shoal_tool *tool, struct shoal_make *m, const char *out, bool force)
{
	if (strcmp(out, "-") == 0) {
		fwrite(m->torrent.at, 1, m->torrent.len, stdout);
		shoal_say_flush(tool);
		return 0;
	}
	int rc = shoal_save(out, m->torrent, force);
	if (rc < 0)
		return shoal_save_failed(tool, out, rc);
	char *magnet = shoal_source_magnet(m->mi, NULL, 0);
	if (tool->json)
		tell_json(tool, m, out, magnet);
	else
		tell_text(tool, m, out, magnet ? magnet : "(too long)");
	free(magnet);
	return 0;
}

/* Where it goes by default: NAME.torrent here. Known before the hashing, so that a clash is told at once. */
static char *default_name(const char *path)
{
	char *real = realpath(path, NULL), *out = NULL;
	if (real) {
		const char *slash = strrchr(real, '/');
		if (asprintf(&out, "%s.torrent", slash[1] ? slash + 1 : "root") < 0)
			out = NULL;
	}
	free(real);
	return out;
}

static int create(struct shoal_tool *tool, const struct shoal_make_options *o, const char *path, const char *out,
		  bool force)
{
	struct shoal_make m;
	char *named = out ? NULL : default_name(path);
	int code, rc;
	if (out == NULL)
		out = named ? named : "torrent"; /* no such path: shoal_make() says so */
	if (!o->dry_run && strcmp(out, "-") == 0 && (tool->json || isatty(STDOUT_FILENO)))
		code = shoal_say_fail(tool, SHOAL_ERR_USAGE, "-o - writes the torrent to stdout: %s",
				      tool->json ? "not with --json" : "that is a terminal");
	else if (o->dry_run) {
		code = shoal_make(tool, &m, o, path);
		if (code == 0)
			tell_plan(tool, &m, out);
		shoal_make_fini(&m);
	} else if (strcmp(out, "-") != 0 && (rc = shoal_save_may(out, force)) < 0)
		code = shoal_save_failed(tool, out, rc);
	else {
		code = shoal_make(tool, &m, o, path);
		if (code == 0)
			code = finish(tool, &m, out, force);
		shoal_make_fini(&m);
	}
	free(named);
	return code;
}

int shoal_create_main(struct shoal_tool *tool, int argc, char **argv)
{
	struct shoal_make_options o = { .format = SHOAL_MAKE_AUTO };
	struct shoal_opt_list args = { 0 };
	struct shoal_opt made[SHOAL_MAKE_OPTIONS_MAX];
	const char *out = NULL;
	bool force = false;
	/* clang-format off */
	const struct shoal_opt own[] = {
		{ SHOAL_OPT_TEXT, "output", 'o', &out, "FILE", NULL, "where to; - is stdout; default: NAME.torrent here" },
		{ SHOAL_OPT_FLAG, "force", 'f', &force, NULL, NULL, "replace a file that is there" },
		{ SHOAL_OPT_FLAG, "dry-run", 'n', &o.dry_run, NULL, NULL, "read no file, write none: say what would be made" },
		{ .kind = SHOAL_OPT_END },
	};
	/* clang-format on */
	const struct shoal_opt *const tables[] = { own, made, NULL };
	shoal_make_rows(&o, made);
	int rc = shoal_say_parse(tool, &page, tables, argc, argv, &args), code;
	if (rc != 0)
		code = rc > 0 ? SHOAL_EXIT_GOOD : shoal_exit_of(rc);
	else if (args.count != 1)
		code = shoal_say_fail(tool, SHOAL_ERR_USAGE, "one PATH is needed; see shoal create --help");
	else
		code = create(tool, &o, args.at[0], out, force);
	shoal_opt_list_fini(&args);
	shoal_make_options_fini(&o);
	return code;
}
