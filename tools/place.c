/* tools/place.c - looks at the nearest folder that is there. */
#include "tools/place.h"

#include "swarm/io/os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int refuse(struct shoal_tool *tool, const char *at, int os)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	return shoal_say_fail_as(tool, SHOAL_EXIT_STORAGE, shoal_os_err(os), "%s: %s; -o names another folder",
				 shoal_say_cstr(at, shown), strerror(os));
}

/* `at` loses its last part; false: there is none above it. */
static bool go_up(char *at)
{
	char *slash = strrchr(at, '/');
	if (slash == NULL || at[1] == '\0')
		return false;
	slash[slash == at ? 1 : 0] = '\0';
	return true;
}

static bool holds(const char *folder, struct shoal_bytes name)
{
	char *path;
	struct stat st;
	if (name.len > SHOAL_SAY_TEXT_MAX ||
	    asprintf(&path, "%s/%.*s", folder, (int)name.len, (const char *)name.at) < 0)
		return true; /* who knows */
	bool there = lstat(path, &st) == 0 || errno != ENOENT;
	free(path);
	return there;
}

int shoal_place_check(struct shoal_tool *tool, const char *folder, struct shoal_bytes name)
{
	struct stat st;
	char *at = strdup(folder);
	int code = 0;
	bool there = true;
	if (at == NULL)
		return shoal_say_fail(tool, SHOAL_ERR_NOMEM, "no memory");
	while (stat(at, &st) < 0) {
		there = false;
		if ((errno != ENOENT && errno != ENOTDIR) || !go_up(at)) {
			code = refuse(tool, at, errno);
			free(at);
			return code;
		}
	}
	int os = 0;
	if (!S_ISDIR(st.st_mode))
		os = ENOTDIR;
	else if (faccessat(AT_FDCWD, at, W_OK | X_OK, AT_EACCESS) < 0)
		os = errno;
	bool enters = there && os != ENOTDIR && faccessat(AT_FDCWD, at, X_OK, AT_EACCESS) == 0;
	if (os != 0 && !(enters && (name.len == 0 || holds(at, name))))
		code = refuse(tool, at, os);
	free(at);
	return code;
}
