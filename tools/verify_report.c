/* tools/verify_report.c - from verdicts on pieces to sentences about files. */
#include "tools/verify_report.h"

#include "proto/base/bytes.h"
#include "swarm/io/files.h"
#include "tools/human.h"
#include "tools/say.h"

#include <inttypes.h>
#include <stdio.h>

#define RUNS_SHOWN 12 /* ranges of pieces in a line of text; JSON has them all */

static const char *const state_names[] = {
	[SHOAL_VERIFY_GOOD] = "good",
	[SHOAL_VERIFY_MISSING] = "missing",
	[SHOAL_VERIFY_NO_FILE] = "no file",
	[SHOAL_VERIFY_UNREADABLE] = "unreadable",
	[SHOAL_VERIFY_UNFINISHED] = "unfinished",
	[SHOAL_VERIFY_SHORT] = "short",
	[SHOAL_VERIFY_LONG] = "long",
	[SHOAL_VERIFY_DAMAGED] = "damaged",
	[SHOAL_VERIFY_UNCHECKED] = "unchecked",
};

/* The pieces a file lies in: [*first, *last]; false for an empty file. */
static bool pieces_of(const struct shoal_verify *v, const struct shoal_verify_file *f, uint32_t *first, uint32_t *last)
{
	uint64_t offset = shoal_metainfo_file_offset(v->mi, f->id), size = shoal_metainfo_file_size(v->mi, f->id);
	uint32_t ps = shoal_metainfo_piece_size(v->mi);
	if (size == 0)
		return false;
	*first = (uint32_t)(offset / ps);
	*last = (uint32_t)((offset + size - 1) / ps);
	return true;
}

/* The next run of pieces of the file that are not right, from *at on: [*from, *to]; moves *at past it. */
static bool next_run(const struct shoal_verify *v, uint32_t last, uint32_t *at, uint32_t *from, uint32_t *to)
{
	while (*at <= last && v->verdict[*at] == SHOAL_VERIFY_RIGHT)
		(*at)++;
	if (*at > last)
		return false;
	*from = *at;
	while (*at <= last && v->verdict[*at] != SHOAL_VERIFY_RIGHT)
		(*at)++;
	*to = *at - 1;
	return true;
}

/* A run of pieces as bytes of the file: [*begin, *end). */
static void bytes_of(const struct shoal_verify *v, const struct shoal_verify_file *f, uint32_t from, uint32_t to,
		     uint64_t *begin, uint64_t *end)
{
	uint64_t offset = shoal_metainfo_file_offset(v->mi, f->id), size = shoal_metainfo_file_size(v->mi, f->id);
	uint64_t ps = shoal_metainfo_piece_size(v->mi);
	*begin = from * ps > offset ? from * ps - offset : 0;
	*end = shoal_min_u64((to + UINT64_C(1)) * ps - offset, size);
}

/* Whether the file is anything but good, now that its pieces are known. */
static bool settle(const struct shoal_verify *v, struct shoal_verify_file *f)
{
	uint32_t first, last;
	bool wrong = false, unread = false;
	if (f->state != SHOAL_VERIFY_GOOD)
		return true;
	if (!pieces_of(v, f, &first, &last))
		return false;
	for (uint32_t p = first; p <= last; p++) {
		wrong = wrong || v->verdict[p] == SHOAL_VERIFY_WRONG;
		unread = unread || v->verdict[p] == SHOAL_VERIFY_UNREAD;
	}
	if (wrong)
		f->state = SHOAL_VERIFY_DAMAGED;
	else if (unread)
		f->state = SHOAL_VERIFY_UNCHECKED;
	return wrong || unread;
}

static void shown_path(const struct shoal_verify *v, uint32_t file, char out[SHOAL_SAY_TEXT_MAX])
{
	char path[SHOAL_PATH_BYTES_MAX + 1];
	int n = shoal_metainfo_path(v->mi, file, (struct shoal_space){ (uint8_t *)path, sizeof path });
	shoal_say_text(shoal_bytes(path, n > 0 ? (size_t)n : 0), out);
}

/* ", pieces 3, 7-9 (bytes 49152-65535, ...)" for what is not right in a file. */
static void runs_text(const struct shoal_verify *v, const struct shoal_verify_file *f, char *out, size_t size)
{
	uint32_t first, last, from, to, shown = 0;
	char bytes[64 * RUNS_SHOWN] = "";
	size_t n = 0, m = 0;
	out[0] = '\0';
	if (!pieces_of(v, f, &first, &last))
		return;
	for (uint32_t at = first; next_run(v, last, &at, &from, &to); shown++) {
		uint64_t begin, end;
		if (shown >= RUNS_SHOWN)
			continue;
		bytes_of(v, f, from, to, &begin, &end);
		n += (size_t)snprintf(out + n, size - n, from == to ? "%s%" PRIu32 : "%s%" PRIu32 "-%" PRIu32,
				      n ? ", " : ": pieces ", from, to);
		m += (size_t)snprintf(bytes + m, sizeof bytes - m, "%s%" PRIu64 "-%" PRIu64, m ? ", " : "", begin,
				      end - 1);
	}
	if (shown > RUNS_SHOWN)
		snprintf(out + n, size - n, " and %" PRIu32 " more runs", shown - RUNS_SHOWN);
	else if (shown)
		snprintf(out + n, size - n, " (bytes %s)", bytes);
}

static void tell_text(struct shoal_tool *tool, const struct shoal_verify *v, const struct shoal_verify_file *f)
{
	char path[SHOAL_SAY_TEXT_MAX], runs[1536], extra[256] = "", part[SHOAL_FILES_PATH_MAX],
						   shown[SHOAL_SAY_TEXT_MAX];
	uint64_t size = shoal_metainfo_file_size(v->mi, f->id);
	shown_path(v, f->id, path);
	runs_text(v, f, runs, sizeof runs);
	switch ((enum shoal_verify_state)f->state) {
	case SHOAL_VERIFY_MISSING:
		snprintf(extra, sizeof extra, " (%" PRIu64 " bytes)", size);
		runs[0] = '\0'; /* all of its pieces, needless to say */
		break;
	case SHOAL_VERIFY_NO_FILE: snprintf(extra, sizeof extra, " (something else stands there)"); break;
	case SHOAL_VERIFY_UNREADABLE: snprintf(extra, sizeof extra, " (%s)", f->os ? strerror(f->os) : "?"); break;
	case SHOAL_VERIFY_SHORT:
		snprintf(extra, sizeof extra, " (%" PRIu64 " of %" PRIu64 " bytes)", f->disk_size, size);
		break;
	case SHOAL_VERIFY_LONG:
		snprintf(extra, sizeof extra, " (%" PRIu64 " bytes after its end at %" PRIu64 ")", f->disk_size - size,
			 size);
		break;
	case SHOAL_VERIFY_UNCHECKED:
		snprintf(extra, sizeof extra, " (shares a piece with a file that is not there)");
		break;
	default: break;
	}
	shoal_say(tool, "%-10s  %s%s%s", state_names[f->state], path, extra, runs);
	if (f->part && shoal_files_part_path(v->files, v->storage, f->id, part) >= 0)
		shoal_say(tool, "%-10s  lies there as %s (%" PRIu64 " of %" PRIu64 " bytes)", "",
			  shoal_say_cstr(part, shown), f->disk_size, size);
}

static void tell_json(struct shoal_tool *tool, const struct shoal_verify *v, const struct shoal_verify_file *f)
{
	char path[SHOAL_FILES_PATH_MAX];
	uint32_t first, last, from, to;
	uint64_t begin, end;
	struct shoal_json *j = shoal_say_event(tool, "file", 0);
	int n = shoal_metainfo_path(v->mi, f->id, (struct shoal_space){ (uint8_t *)path, sizeof path });
	shoal_json_str(j, "path", shoal_bytes(path, n > 0 ? (size_t)n : 0));
	shoal_json_text(j, "state", state_names[f->state]);
	shoal_json_u64(j, "size", shoal_metainfo_file_size(v->mi, f->id));
	shoal_json_u64(j, "disk_size", f->disk_size);
	if (f->part && shoal_files_part_path(v->files, v->storage, f->id, path) >= 0)
		shoal_json_str(j, "part", shoal_bytes(path, strlen(path)));
	if (f->state == SHOAL_VERIFY_UNREADABLE)
		shoal_json_text(j, "what", f->os ? strerror(f->os) : "?");
	bool some = pieces_of(v, f, &first, &last);
	shoal_json_array(j, "pieces"); /* first and last of each run */
	for (uint32_t at = first; some && next_run(v, last, &at, &from, &to);) {
		shoal_json_array(j, NULL);
		shoal_json_u64(j, NULL, from);
		shoal_json_u64(j, NULL, to);
		shoal_json_end(j);
	}
	shoal_json_end(j);
	shoal_json_array(j, "bytes"); /* first and last byte of each, within the file */
	for (uint32_t at = first; some && next_run(v, last, &at, &from, &to);) {
		bytes_of(v, f, from, to, &begin, &end);
		shoal_json_array(j, NULL);
		shoal_json_u64(j, NULL, begin);
		shoal_json_u64(j, NULL, end - 1);
		shoal_json_end(j);
	}
	shoal_say_event_end(tool);
}

static void tell_sum(struct shoal_tool *tool, const struct shoal_verify *v, uint32_t bad_files, uint32_t bad_pieces)
{
	const struct shoal_metainfo *mi = v->mi;
	char size[SHOAL_HUMAN_MAX], took[SHOAL_HUMAN_MAX], rate[SHOAL_HUMAN_MAX], files[SHOAL_HUMAN_MAX * 2],
		name[SHOAL_SAY_TEXT_MAX];
	uint32_t pieces = shoal_metainfo_piece_count(mi);
	double us = v->took ? (double)v->took : 1;
	if (tool->json) {
		struct shoal_json *j = shoal_say_event(tool, "verified", 0);
		shoal_json_bool(j, "good", bad_files == 0);
		shoal_json_str(j, "name", shoal_metainfo_name(mi));
		shoal_json_u64(j, "files", v->file_count);
		shoal_json_u64(j, "files_good", v->file_count - bad_files);
		shoal_json_u64(j, "pieces", pieces);
		shoal_json_u64(j, "pieces_good", pieces - bad_pieces);
		shoal_json_us(j, "seconds", v->took);
		shoal_say_event_end(tool);
		return;
	}
	shoal_say_text(shoal_metainfo_name(mi), name);
	if (bad_files == 0)
		shoal_say(tool, "%s: good: %s, %s, %" PRIu32 " of %" PRIu32 " pieces (%s, %s)", name,
			  shoal_human_count(v->file_count, "file", "files", files),
			  shoal_human_size(shoal_metainfo_size(mi), size), pieces, pieces,
			  shoal_human_span(v->took, took),
			  shoal_human_rate((uint64_t)((double)shoal_metainfo_size(mi) * 1e6 / us), rate));
	else
		shoal_say(tool, "%s: not good: %" PRIu32 " of %s, %" PRIu32 " of %" PRIu32 " pieces", name, bad_files,
			  shoal_human_count(v->file_count, "file", "files", files), bad_pieces, pieces);
}

int shoal_verify_report(struct shoal_tool *tool, struct shoal_verify *v)
{
	uint32_t bad_files = 0, bad_pieces = 0, missing = 0;
	bool unreadable = false;
	char folder[SHOAL_SAY_TEXT_MAX], name[SHOAL_SAY_TEXT_MAX];
	for (uint32_t i = 0; i < v->file_count; i++) {
		struct shoal_verify_file *f = &v->file[i];
		if (!settle(v, f))
			continue;
		bad_files++;
		missing += f->state == SHOAL_VERIFY_MISSING;
		unreadable = unreadable || f->state == SHOAL_VERIFY_UNREADABLE;
		if (tool->json)
			tell_json(tool, v, f);
		else
			tell_text(tool, v, f);
	}
	for (uint32_t p = 0; p < shoal_metainfo_piece_count(v->mi); p++)
		bad_pieces += v->verdict[p] != SHOAL_VERIFY_RIGHT;
	tell_sum(tool, v, bad_files, bad_pieces);
	if (missing && missing == v->file_count)
		shoal_say_warn(tool, NULL, "nothing of it is in %s; -d names the folder in which %s lies",
			       shoal_say_cstr(v->folder, folder), shoal_say_text(shoal_metainfo_name(v->mi), name));
	if (unreadable)
		return SHOAL_EXIT_STORAGE;
	return bad_files ? SHOAL_EXIT_DATA : SHOAL_EXIT_GOOD;
}
