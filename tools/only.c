/* tools/only.c - words of --only against paths and numbers; the listing to choose from. */
#include "tools/only.h"

#include "proto/base/bytes.h"
#include "tools/human.h"
#include "tools/say.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int read_word(struct shoal_tool *tool, struct shoal_only_word *w)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	struct shoal_bytes text = shoal_bytes(w->text, strlen(w->text));
	uint32_t first, last;
	size_t at = 0;
	int rc;
	if (text.len > 1 && text.at[0] == '@') {
		w->number = shoal_bytes(text.at + 1, text.len - 1);
		while ((rc = shoal_ranges_next(w->number, &at, &first, &last)) > 0 && first > 0)
			;
		if (rc != 0)
			return shoal_say_fail(tool, SHOAL_ERR_USAGE,
					      "--only %s: after @ come numbers of files from 1 on, such as @1-3,7",
					      shoal_say_cstr(w->text, shown));
		return 0;
	}
	rc = shoal_glob_init(&w->glob, text);
	if (rc == SHOAL_ERR_NOMEM)
		return shoal_say_fail(tool, rc, "no memory");
	if (rc < 0)
		return shoal_say_fail(tool, SHOAL_ERR_USAGE, "--only %s: no pattern such as '*.mkv' or 'notes/**'",
				      shoal_say_cstr(w->text, shown));
	return 0;
}

int shoal_only_init(struct shoal_only *o, struct shoal_tool *tool, const struct shoal_opt_list *words, bool list)
{
	int code = 0;
	*o = (struct shoal_only){ .list = list };
	if (words->count == 0)
		return 0;
	o->word = calloc(words->count, sizeof *o->word);
	if (o->word == NULL)
		return shoal_say_fail(tool, SHOAL_ERR_NOMEM, "no memory");
	for (; code == 0 && o->count < words->count; o->count++) {
		o->word[o->count].text = words->at[o->count];
		code = read_word(tool, &o->word[o->count]);
	}
	return code;
}

void shoal_only_fini(struct shoal_only *o)
{
	for (size_t i = 0; i < o->count; i++)
		shoal_glob_fini(&o->word[i].glob);
	free(o->word);
	free(o->files);
	*o = (struct shoal_only){ 0 };
}

bool shoal_only_asked(const struct shoal_only *o)
{
	return o->list || o->count > 0;
}

struct shoal_op shoal_only_question(const struct shoal_only *o, uint32_t torrent)
{
	return (struct shoal_op){ .kind = SHOAL_OP_FILES, .torrent = torrent, .offset = o->known };
}

static bool number_fits(struct shoal_bytes list, uint64_t number)
{
	uint32_t first, last;
	size_t at = 0;
	while (shoal_ranges_next(list, &at, &first, &last) > 0)
		if (number >= first && number <= last)
			return true;
	return false;
}

/* A file of a folder may be named with the folder in front, as it is printed, or without. */
static bool word_fits(struct shoal_only_word *w, struct shoal_bytes path, uint64_t number)
{
	if (w->number.len > 0)
		return number_fits(w->number, number);
	const uint8_t *slash = memchr(path.at, '/', path.len);
	if (shoal_glob_match(&w->glob, path))
		return true;
	size_t skip = slash != NULL ? (size_t)(slash - path.at) + 1 : path.len;
	return shoal_glob_match(&w->glob, shoal_bytes(path.at + skip, path.len - skip));
}

static bool choose(struct shoal_only *o, struct shoal_bytes path, uint64_t number)
{
	bool chosen = o->count == 0;
	for (size_t i = 0; i < o->count; i++) { /* all of them: each has to fit something */
		bool fits = word_fits(&o->word[i], path, number);
		o->word[i].fits = o->word[i].fits || fits;
		chosen = chosen || fits;
	}
	return chosen;
}

static void print(struct shoal_tool *tool, const struct shoal_only *o, struct shoal_bytes path, uint64_t number,
		  uint64_t size, bool chosen)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	if (tool->json) {
		struct shoal_json *j = shoal_say_event(tool, "file", 0);
		shoal_json_u64(j, "number", number);
		shoal_json_str(j, "path", path);
		shoal_json_u64(j, "size", size);
		shoal_json_bool(j, "chosen", chosen);
		shoal_say_event_end(tool);
		return;
	}
	printf("%s%7" PRIu64 " %15" PRIu64 "  %s\n",
	       o->count == 0 ? ""
	       : chosen	     ? "* "
			     : "  ",
	       number, size, shoal_say_text(path, shown));
}

static int all_fit(const struct shoal_only *o, struct shoal_tool *tool)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	for (size_t i = 0; i < o->count; i++)
		if (!o->word[i].fits)
			return shoal_say_fail(tool, SHOAL_ERR_USAGE,
					      "--only %s: no file of the torrent fits; --list shows what there is",
					      shoal_say_cstr(o->word[i].text, shown));
	return 0;
}

int shoal_only_answer(struct shoal_only *o, struct shoal_tool *tool, const struct shoal_event *ev,
		      struct shoal_op *answer)
{
	if (ev->err < 0 || ev->index != o->known || ev->total > UINT32_MAX || ev->files_count > ev->total - o->known)
		return -shoal_say_fail(tool, ev->err < 0 ? ev->err : SHOAL_ERR_MALFORMED, "the files cannot be listed");
	if (o->files == NULL) {
		o->total = ev->total;
		o->files = calloc(ev->total + 1, 1);
		if (o->files == NULL)
			return -shoal_say_fail(tool, SHOAL_ERR_NOMEM, "no memory");
	}
	for (size_t i = 0; i < ev->files_count; i++) {
		const struct shoal_file_info *f = &ev->files[i];
		struct shoal_bytes path = shoal_bytes(ev->data.at + f->path_at, f->path_count);
		uint64_t number = ++o->known; /* padding has its number too, as in so= */
		if (f->pad)
			continue;
		bool chosen = choose(o, path, number);
		o->files[number - 1] = chosen ? SHOAL_PRIORITY_NORMAL : SHOAL_PRIORITY_SKIP;
		o->chosen += chosen;
		o->bytes += chosen ? f->size : 0;
		if (o->list)
			print(tool, o, path, number, f->size, chosen);
	}
	if (o->known < o->total && ev->files_count > 0)
		return 1;
	int code = all_fit(o, tool);
	*answer = (struct shoal_op){ .kind = SHOAL_OP_FILES, .torrent = ev->torrent, .files = { o->files, o->total } };
	return -code;
}
