/* files_search.c - walks a folder for files of wanted sizes, holding one descriptor for each level it is below. */
#include "swarm/io/files_inner.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 64
#define ENTRIES_MAX 8000000u /* looked at, in all: a walk ends */

struct search {
	const struct shoal_os_ops *os;
	struct shoal_disk_find *find;
	DIR *level[DEPTH_MAX];
	size_t len[DEPTH_MAX]; /* of the path, up to that level */
	unsigned depth;
	uint32_t room, entries;
	char path[SHOAL_PATH_BYTES_MAX + 1];
};

/* The first of that size, or NULL. */
static struct shoal_disk_want *want_of(const struct shoal_disk_find *f, uint64_t size)
{
	uint32_t low = 0, high = f->want_count;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (f->want[mid].size < size)
			low = mid + 1;
		else
			high = mid;
	}
	return low < f->want_count && f->want[low].size == size ? &f->want[low] : NULL;
}

static bool wanted(struct shoal_disk_find *f, uint64_t size, uint32_t name, bool *stranger)
{
	*stranger = false;
	struct shoal_disk_want *w = want_of(f, size), *first = w;
	for (; w != NULL && w < f->want + f->want_count && w->size == size && w->name <= name; w++)
		if (w->name == name)
			return true;
	*stranger = true;
	return first != NULL && first->strangers++ < SHOAL_FIND_STRANGERS;
}

/* 0, 1 when there is no more room, NOMEM. */
static int keep(struct search *s, uint64_t size, uint32_t name, bool stranger)
{
	struct shoal_disk_find *f = s->find;
	size_t len = strlen(s->path) + 1, bytes = len + sizeof *f->found;
	if (f->bytes + bytes > f->most) {
		f->more = true;
		return 1;
	}
	if (f->count == s->room) {
		uint32_t room = s->room ? 2 * s->room : 64; /* f->most is far below what could overflow it */
		struct shoal_disk_found *more = realloc(f->found, room * sizeof *more);
		if (more == NULL)
			return SHOAL_ERR_NOMEM;
		f->found = more;
		s->room = room;
	}
	char *path = strdup(s->path);
	if (path == NULL)
		return SHOAL_ERR_NOMEM;
	f->found[f->count++] = (struct shoal_disk_found){ size, name, stranger, path };
	f->bytes += bytes;
	return 0;
}

static void go_down(struct search *s, int dir, const char *name, size_t len)
{
	if (s->depth == DEPTH_MAX)
		return;
	int fd = s->os->openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	if (d == NULL) {
		if (fd >= 0)
			s->os->close(fd);
		return;
	}
	s->level[s->depth] = d;
	s->len[s->depth++] = len;
}

static int look(struct search *s, DIR *d, const struct dirent *entry)
{
	size_t at = s->len[s->depth - 1], n = strlen(entry->d_name);
	struct stat st;
	if (at + (at > 0) + n > SHOAL_PATH_BYTES_MAX || strcmp(entry->d_name, ".") == 0 ||
	    strcmp(entry->d_name, "..") == 0)
		return 0;
	if (s->os->fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (at > 0)
		s->path[at++] = '/';
	memcpy(s->path + at, entry->d_name, n + 1);
	if (S_ISDIR(st.st_mode)) {
		go_down(s, dirfd(d), entry->d_name, at + n);
		return 0;
	}
	uint32_t name = shoal_disk_name(entry->d_name, n);
	bool stranger;
	if (!S_ISREG(st.st_mode) || st.st_size == 0 || !wanted(s->find, (uint64_t)st.st_size, name, &stranger))
		return 0;
	return keep(s, (uint64_t)st.st_size, name, stranger);
}

int shoal_files_search(const struct shoal_os_ops *os, struct shoal_disk_find *find)
{
	int rc = 0;
	struct search *s = calloc(1, sizeof *s);
	if (s == NULL)
		return SHOAL_ERR_NOMEM;
	s->os = os;
	s->find = find;
	find->os = 0;
	errno = 0;
	go_down(s, AT_FDCWD, find->folder, 0);
	if (s->depth == 0)
		find->os = errno ? errno : ENOENT;
	while (s->depth > 0 && rc == 0 && !atomic_load(&find->stop)) {
		DIR *d = s->level[s->depth - 1];
		const struct dirent *entry = ++s->entries <= ENTRIES_MAX ? readdir(d) : NULL;
		if (entry != NULL) {
			rc = look(s, d, entry);
		} else {
			closedir(d);
			s->depth--;
		}
	}
	while (s->depth > 0)
		closedir(s->level[--s->depth]);
	free(s);
	return rc < 0 ? rc : 0;
}
