/* disk_adopt.c - bytes that lie in other files of the same disk: looked for, and copied. There are no reflinks and no links here. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "tools/lab/world/disk_room.h"

/* The file of that path below `folder` as far as it is there; NULL: it is not. */
static struct sim_file *look_up(const struct sim_disk *d, const char *folder, const char *path)
{
	size_t len = strlen(folder);
	for (struct sim_file *f = d->medium.file; f != NULL; f = f->next)
		if (strncmp(f->path, folder, len) == 0 && f->path[len] == '/' && strcmp(f->path + len + 1, path) == 0)
			return f->live.state != SHOAL_SEEN_NONE ? f : NULL;
	return NULL;
}

int sim_disk_do_adopt(struct sim_disk *d, struct storage *st, struct shoal_disk_job *job)
{
	struct shoal_disk_adopt *a = job->adopt;
	struct sim_file *from = look_up(d, a->folder, a->path), *to = st->file[job->file];
	uint64_t size = shoal_metainfo_file_size(st->mi, job->file), end = a->offset + a->len;
	uint8_t page[SIM_PAGE] = { 0 };
	a->way = 0;
	a->done = 0;
	a->why = from == NULL || from == to ? ENOENT : 0;
	if (a->why == 0 && (!(a->ways & SHOAL_ADOPT_COPY) || (a->same_size && from->live.size != size)))
		a->why = ENODATA;
	if (a->why != 0)
		return 0;
	end = end < size ? end : size;
	end = end < from->live.size ? end : from->live.size;
	for (uint64_t at = a->offset; at < end;) {
		size_t len = SIM_PAGE - at % SIM_PAGE < end - at ? SIM_PAGE - at % SIM_PAGE : (size_t)(end - at);
		uint64_t growth = sim_file_growth(to, at, len);
		if (d->medium.used > d->room || growth > d->room - d->medium.used)
			return SHOAL_ERR_NO_SPACE;
		if (!sim_file_read(from, at, page, len))
			break;
		st->stamp[job->file] = (struct shoal_stamp){ 0 };
		st->wrote[job->file] = true;
		sim_file_write(&d->medium, to, at, page, len, sim_disk_now_ns(d));
		at += len;
		a->done += len;
	}
	a->way = a->done > 0 ? SHOAL_ADOPT_COPY : 0;
	return 0;
}

static uint32_t name_of(const char *path)
{
	const char *last = strrchr(path, '/');
	last = last != NULL ? last + 1 : path;
	return shoal_disk_name(last, strlen(last));
}

/* Whether a file of that size and name is wanted. Those under other names are not looked for here. */
static bool is_wanted(const struct shoal_disk_find *find, uint64_t size, uint32_t name)
{
	uint32_t i = 0;
	while (i < find->want_count && (find->want[i].size != size || find->want[i].name != name))
		i++;
	return i < find->want_count;
}

int sim_disk_do_find(const struct sim_disk *d, struct shoal_disk_find *find)
{
	size_t len = strlen(find->folder);
	uint32_t room = 0;
	for (const struct sim_file *f = d->medium.file; f != NULL; f = f->next)
		room += strncmp(f->path, find->folder, len) == 0;
	find->found = sim_must(calloc(room + 1, sizeof *find->found));
	find->count = 0;
	find->bytes = 0;
	find->os = 0;
	for (const struct sim_file *f = d->medium.file; f != NULL; f = f->next) {
		if (strncmp(f->path, find->folder, len) != 0 || f->path[len] != '/' ||
		    f->live.state != SHOAL_SEEN_WHOLE || !is_wanted(find, f->live.size, name_of(f->path)))
			continue;
		find->found[find->count++] = (struct shoal_disk_found){ .size = f->live.size,
									.name = name_of(f->path),
									.path = sim_must(strdup(f->path + len + 1)) };
	}
	return 0;
}
