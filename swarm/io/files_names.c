/* files_names.c - what a file is called while it is not whole. */
#include "swarm/io/files_inner.h"

#include <stdlib.h>
#include <string.h>
#include "proto/base/digest.h"

#define SUFFIX ".part"
#define SUFFIX_LEN (sizeof SUFFIX - 1)
#define HASH_HEX 32 /* of a SHA-256: too many for two names of one torrent to be made to meet */

static uint64_t path_hash(const char *path, size_t len)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a; a false meeting costs one '~' */
	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)path[i]) * UINT64_C(0x100000001b3);
	return h;
}

/* NAME.part, NAME.part~, NAME.part~~ ... */
static bool looks_unfinished(const char *path, size_t len)
{
	while (len && path[len - 1] == '~')
		len--;
	return len >= SUFFIX_LEN && memcmp(path + len - SUFFIX_LEN, SUFFIX, SUFFIX_LEN) == 0;
}

static int order_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

/* Names of the torrent's own that an unfinished name could run into. Most torrents have none. */
static int names_learn(struct storage *st)
{
	char path[SHOAL_FILES_PATH_MAX];
	struct shoal_space space = { (uint8_t *)path, sizeof path };
	uint32_t count = shoal_metainfo_file_count(st->mi);
	size_t room = 0, n = 0;
	uint64_t *taken = NULL;
	for (uint32_t file = 0; file < count; file++) {
		int len = shoal_metainfo_path(st->mi, file, space);
		if (len < 0 || !looks_unfinished(path, (size_t)len))
			continue;
		if (n == room) {
			room = room ? 2 * room : 16; /* at most SHOAL_FILES_MAX, so no overflow */
			uint64_t *more = realloc(taken, room * sizeof *more);
			if (more == NULL) {
				free(taken);
				return SHOAL_ERR_NOMEM;
			}
			taken = more;
		}
		taken[n++] = path_hash(path, (size_t)len);
	}
	if (n)
		qsort(taken, n, sizeof *taken, order_u64);
	st->taken = taken;
	st->taken_count = n;
	st->names_known = true;
	return 0;
}

static bool is_taken(const struct storage *st, const char *path, size_t len)
{
	uint64_t h = path_hash(path, len);
	return st->taken_count && bsearch(&h, st->taken, st->taken_count, sizeof h, order_u64) != NULL;
}

/* The name is too long for a suffix: its beginning, and a hash of the whole in place of its end. */
static int cut_name(const struct storage *st, char *path, size_t dir, size_t len)
{
	size_t keep = SHOAL_NAME_BYTES_MAX - SUFFIX_LEN - HASH_HEX - 1;
	if (keep > len - dir)
		keep = len - dir;
	else /* a UTF-8 name stays one: never cut within a character */
		for (int back = 0; back < 3 && keep > 1 && ((uint8_t)path[dir + keep] & 0xc0) == 0x80; back++)
			keep--;
	struct shoal_sha256 whole;
	shoal_sha256_init(&whole);
	struct shoal_sha256 *ctx[1] = { &whole };
	const uint8_t *at[1] = { (const uint8_t *)path };
	shoal_sha256_advance(ctx, at, 1, len);

	/* Another round only when the torrent holds the name we made: at most as many as it has files. */
	for (uint32_t round = 0; round <= st->taken_count; round++) {
		struct shoal_sha256 one = whole;
		uint8_t tail[4] = { (uint8_t)(round >> 24), (uint8_t)(round >> 16), (uint8_t)(round >> 8),
				    (uint8_t)round };
		uint8_t digest[32];
		ctx[0] = &one;
		at[0] = tail;
		shoal_sha256_advance(ctx, at, 1, sizeof tail);
		shoal_sha256_final(&one, digest);
		char *p = path + dir + keep;
		*p++ = '~';
		for (size_t i = 0; i < HASH_HEX / 2; i++) {
			*p++ = "0123456789abcdef"[digest[i] >> 4];
			*p++ = "0123456789abcdef"[digest[i] & 15];
		}
		memcpy(p, SUFFIX, SUFFIX_LEN + 1);
		p += SUFFIX_LEN;
		if (!is_taken(st, path, (size_t)(p - path)))
			return 0;
	}
	return SHOAL_ERR_EXISTS;
}

int shoal_files_paths(struct storage *st, uint32_t file, char *path, char *part)
{
	int len = shoal_metainfo_path(st->mi, file, (struct shoal_space){ (uint8_t *)path, SHOAL_PATH_BYTES_MAX + 1 });
	if (len < 0)
		return len;
	memcpy(part, path, (size_t)len + 1);
	return shoal_files_part_name(st, part);
}

int shoal_files_part_name(struct storage *st, char *path)
{
	int rc = 0;
	pthread_mutex_lock(&st->setup_lock);
	if (!st->names_known)
		rc = names_learn(st);
	pthread_mutex_unlock(&st->setup_lock); /* once learnt, the names never change */
	if (rc < 0)
		return rc;

	size_t len = strlen(path), dir = shoal_beneath_dir_len(path);
	dir += dir != 0; /* its '/' */
	size_t name = len - dir;
	if (len > SHOAL_PATH_BYTES_MAX || name == 0 || name > SHOAL_NAME_BYTES_MAX)
		return SHOAL_ERR_TOO_LONG;
	if (name + SUFFIX_LEN <= SHOAL_NAME_BYTES_MAX) {
		memcpy(path + len, SUFFIX, SUFFIX_LEN + 1);
		size_t end = len + SUFFIX_LEN;
		while (is_taken(st, path, end) && end - dir < SHOAL_NAME_BYTES_MAX) {
			path[end++] = '~';
			path[end] = '\0';
		}
		if (!is_taken(st, path, end))
			return 0;
		path[len] = '\0';
	}
	return cut_name(st, path, dir, len);
}
