/* fuzz_choose.c - "GLOB\nPATH": a path fits itself when every byte is escaped; a list of ranges chooses what it names. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/bytes.h"
#include "proto/choose.h"

#define FILES 300u

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static void check_itself(struct shoal_bytes path)
{
	uint8_t text[SHOAL_GLOB_BYTES_MAX];
	struct shoal_glob g;
	size_t n = 0;
	if (path.len == 0 || path.len > sizeof text / 2 - 1 || path.at[0] == '/' || path.at[path.len - 1] == '/')
		return;
	text[n++] = '/';
	for (size_t i = 0; i < path.len; i++) {
		if (path.at[i] != '/')
			text[n++] = '\\';
		text[n++] = path.at[i];
	}
	assert(shoal_glob_init(&g, shoal_bytes(text, n)) == 0);
	assert(shoal_glob_match(&g, path));
	shoal_glob_fini(&g);
}

static void check_list(struct shoal_bytes list)
{
	bool chosen[FILES] = { false }, slowly[FILES] = { false };
	uint32_t first, last, named = 0;
	size_t pos = 0;
	int rc;
	while ((rc = shoal_ranges_next(list, &pos, &first, &last)) > 0)
		for (uint32_t i = first; i <= last && i < FILES; i++)
			slowly[i] = true;
	int64_t got = shoal_ranges_choose(list, chosen, FILES);
	assert(rc < 0 ? got == rc : got >= 0);
	for (uint32_t i = 0; rc == 0 && i < FILES; i++) {
		assert(chosen[i] == slowly[i]);
		named += chosen[i];
	}
	assert(rc < 0 || got == named);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	const uint8_t *line = len ? memchr(at, '\n', len) : NULL;
	size_t cut = line != NULL ? (size_t)(line - at) : len;
	struct shoal_bytes glob = { at, cut };
	struct shoal_bytes path = line != NULL ? shoal_bytes(line + 1, len - cut - 1) : shoal_bytes(at, len);
	struct shoal_glob g;
	if (path.len > 4096)
		path.len = 4096;
	int rc = shoal_glob_init(&g, glob);
	assert(rc == 0 || rc == SHOAL_ERR_MALFORMED || rc == SHOAL_ERR_TOO_LONG);
	bool fits = shoal_glob_match(&g, path);
	assert(shoal_glob_match(&g, path) == fits && !(fits && rc < 0));
	shoal_glob_fini(&g);
	check_itself(path);
	check_list(glob);
	return 0;
}
