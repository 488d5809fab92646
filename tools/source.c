/* tools/source.c - torrents from files, magnets from words. */
#include "tools/source.h"

#include "proto/base/bytes.h"
#include "tools/say.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_STEP (64u * 1024)

static int err_of_errno(void)
{
	switch (errno) {
	case ENOENT:
	case ENOTDIR: return SHOAL_ERR_GONE;
	case EACCES:
	case EPERM: return SHOAL_ERR_DENIED;
	case ENOMEM: return SHOAL_ERR_NOMEM;
	default: return SHOAL_ERR_IO;
	}
}

/* Reads to the end, growing as needed: what is read may be a pipe. */
static int read_all(int fd, size_t first, size_t max, struct shoal_bytes *out)
{
	size_t room = first + 1, len = 0;
	uint8_t *at = malloc(room);
	for (;;) {
		if (at == NULL)
			return SHOAL_ERR_NOMEM;
		if (len == room) {
			uint8_t *more = realloc(at, room *= 2);
			if (more == NULL)
				free(at);
			at = more;
			continue;
		}
		ssize_t n = read(fd, at + len, room - len);
		if (n < 0 && errno == EINTR)
			continue;
		len += n > 0 ? (size_t)n : 0;
		if (n < 0 || len > max) {
			int rc = n < 0 ? err_of_errno() : SHOAL_ERR_TOO_LONG;
			free(at);
			return rc;
		}
		if (n == 0)
			break;
	}
	*out = shoal_bytes(at, len);
	return 0;
}

int shoal_source_read(const char *path, size_t max, struct shoal_bytes *out)
{
	struct stat st;
	bool is_stdin = strcmp(path, "-") == 0;
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), rc;
	*out = (struct shoal_bytes){ NULL, 0 };
	if (fd < 0)
		return err_of_errno();
	if (fstat(fd, &st) < 0)
		rc = err_of_errno();
	else if (!is_stdin && !S_ISREG(st.st_mode))
		rc = SHOAL_ERR_UNSUPPORTED;
	else if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > max)
		rc = SHOAL_ERR_TOO_LONG;
	else
		rc = read_all(fd, S_ISREG(st.st_mode) ? (size_t)st.st_size : READ_STEP, max, out);
	if (!is_stdin) {
		int os = errno;
		close(fd);
		errno = os;
	}
	return rc;
}

/* 40 hex or 32 base32 digits (v1), 64 hex (v2), 68 hex (multihash). */
static bool looks_like_hash(const char *arg)
{
	size_t len = strlen(arg), hex = 0, base32 = 0;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)arg[i];
		hex += isxdigit(c) != 0;
		base32 += isalpha(c) || (c >= '2' && c <= '7');
	}
	return (hex == len && (len == 40 || len == 64 || len == 68)) || (base32 == len && len == 32);
}

bool shoal_source_is_magnet(const char *arg)
{
	if (strncasecmp(arg, "magnet:", 7) == 0)
		return true;
	return looks_like_hash(arg) && access(arg, F_OK) != 0;
}

static int open_magnet(struct shoal_tool *tool, struct shoal_source *s)
{
	char what[160] = "", shown[SHOAL_SAY_TEXT_MAX];
	s->magnet = malloc(sizeof *s->magnet);
	if (s->magnet == NULL)
		return shoal_say_fail(tool, SHOAL_ERR_NOMEM, "no memory");
	int rc = shoal_magnet_parse(s->magnet, shoal_bytes(s->arg, strlen(s->arg)), what);
	if (rc < 0)
		return shoal_say_fail_as(tool, SHOAL_EXIT_INPUT, rc, "%.80s: %s; check that the whole link was copied",
					 shoal_say_cstr(s->arg, shown), what[0] ? what : shoal_err_name(rc));
	s->is_magnet = true;
	return 0;
}

static int cannot_read(struct shoal_tool *tool, const char *arg, int rc)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	shoal_say_cstr(arg, shown);
	switch (rc) {
	case SHOAL_ERR_GONE:
		return shoal_say_fail_as(
			tool, SHOAL_EXIT_INPUT, rc,
			strstr(arg, "://") == NULL
				? "%s: no such file"
				: "%s: no such file; a URL is not fetched from: save the .torrent first",
			shown);
	case SHOAL_ERR_UNSUPPORTED:
		return shoal_say_fail_as(
			tool, SHOAL_EXIT_INPUT, rc,
			"%s: not a torrent, but a folder or device; shoal create makes one of a folder", shown);
	case SHOAL_ERR_TOO_LONG:
		return shoal_say_fail_as(tool, SHOAL_EXIT_INPUT, rc, "%s: larger than a torrent may be (%u MiB)", shown,
					 SHOAL_METAINFO_BYTES_MAX >> 20);
	default:
		return shoal_say_fail_as(tool, SHOAL_EXIT_STORAGE, rc, "%s: cannot be read: %s", shown,
					 rc == SHOAL_ERR_NOMEM ? "no memory" : strerror(errno));
	}
}

int shoal_source_open(struct shoal_tool *tool, struct shoal_source *s, const char *arg, bool magnets)
{
	struct shoal_metainfo_fault why = { 0 };
	char shown[SHOAL_SAY_TEXT_MAX];
	*s = (struct shoal_source){ .arg = arg };
	if (shoal_source_is_magnet(arg)) {
		if (magnets)
			return open_magnet(tool, s);
		return shoal_say_fail(tool, SHOAL_ERR_USAGE, "a torrent file is needed here, not a magnet link");
	}
	int rc = shoal_source_read(arg, SHOAL_METAINFO_BYTES_MAX, &s->torrent);
	if (rc < 0)
		return cannot_read(tool, arg, rc);
	rc = shoal_metainfo_parse_lent(&s->mi, s->torrent, &why);
	if (rc == SHOAL_ERR_NOMEM)
		return shoal_say_fail(tool, rc, "%s: no memory for it", shoal_say_cstr(arg, shown));
	if (rc < 0)
		return shoal_say_fail_as(tool, SHOAL_EXIT_INPUT, rc,
					 "%s: %s (at byte %zu); ask its author for a good one",
					 shoal_say_cstr(arg, shown), why.what, why.at);
	return 0;
}

/* A file whose first bytes could be a torrent's. */
static bool begins_like_one(const char *path)
{
	char begin[2] = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return false;
	ssize_t n = pread(fd, begin, sizeof begin, 0);
	close(fd);
	return n == sizeof begin && begin[0] == 'd' && isdigit((unsigned char)begin[1]);
}

int shoal_source_try(struct shoal_tool *tool, struct shoal_source *s, const char *path, bool *torrent)
{
	size_t len = strlen(path);
	struct stat st;
	*s = (struct shoal_source){ .arg = path };
	*torrent = false;
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	if (len > 8 && strcmp(path + len - 8, ".torrent") == 0) {
		*torrent = true;
		return shoal_source_open(tool, s, path, false);
	}
	/* Under another name only what reads as one to its end is taken for one. */
	*torrent = begins_like_one(path) && shoal_source_read(path, SHOAL_METAINFO_BYTES_MAX, &s->torrent) == 0 &&
		   shoal_metainfo_parse_lent(&s->mi, s->torrent, NULL) == 0;
	if (!*torrent)
		shoal_source_fini(s);
	return 0;
}

void shoal_source_fini(struct shoal_source *s)
{
	shoal_metainfo_free(s->mi);
	free((void *)(uintptr_t)s->torrent.at);
	if (s->is_magnet)
		shoal_magnet_fini(s->magnet);
	free(s->magnet);
	*s = (struct shoal_source){ 0 };
}

/* A heap copy with an end; NULL: no memory. */
static char *text_of(struct shoal_bytes b)
{
	char *copy = malloc(b.len + 1);
	if (copy != NULL) {
		if (b.len > 0)
			memcpy(copy, b.at, b.len);
		copy[b.len] = '\0';
	}
	return copy;
}

static bool list_add(char **list, size_t *count, struct shoal_bytes text)
{
	if (*count == SHOAL_MAGNET_LIST_MAX)
		return true; /* the first ones will do: a link is not a library */
	char *copy = text_of(text);
	if (copy == NULL)
		return false;
	list[(*count)++] = copy;
	return true;
}

char *shoal_source_magnet(const struct shoal_metainfo *mi, const char *const peer[], size_t peer_count)
{
	struct shoal_magnet m = { 0 };
	char text[SHOAL_MAGNET_BYTES_MAX]; /* a heap would be left with a hole for each of ten thousand */
	bool good = true;
	m.has_v1 = shoal_metainfo_v1(mi);
	m.has_v2 = shoal_metainfo_v2(mi);
	if (m.has_v1)
		m.v1 = *shoal_metainfo_hash_v1(mi);
	if (m.has_v2)
		m.v2 = *shoal_metainfo_hash_v2(mi);
	m.name = text_of(shoal_metainfo_name_raw(mi));
	good = good && m.name != NULL;
	for (size_t i = 0; good && i < shoal_metainfo_tracker_count(mi); i++) {
		unsigned tier;
		good = list_add(m.tracker, &m.tracker_count, shoal_metainfo_tracker(mi, i, &tier));
	}
	for (size_t i = 0; good && i < shoal_metainfo_webseed_count(mi); i++)
		good = list_add(m.webseed, &m.webseed_count, shoal_metainfo_webseed(mi, i));
	for (size_t i = 0; good && i < peer_count; i++)
		good = list_add(m.peer, &m.peer_count, shoal_bytes(peer[i], strlen(peer[i])));
	for (size_t i = 0; good && i < shoal_metainfo_peer_count(mi); i++)
		good = list_add(m.peer, &m.peer_count, shoal_metainfo_peer(mi, i));
	if (good)
		good = shoal_magnet_format(&m, (struct shoal_space){ (uint8_t *)text, SHOAL_MAGNET_BYTES_MAX }) >= 0;
	shoal_magnet_fini(&m);
	return good ? strdup(text) : NULL;
}
