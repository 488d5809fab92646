/* proto/base/err.c - the name of each error number. */
#include <shoal/types.h>

const char *shoal_err_name(int err)
{
	static const char *const names[] = {
		"ok",
		"no memory",
		"malformed",
		"too long",
		"no space left",
		"busy",
		"i/o error",
		"wrong hash",
		"gone",
		"unsupported",
		"out of range",
		"permission denied",
		"exists",
		"refused",
		"timed out",
		"closed",
		"wrong usage",
		"network error",
		"owned by another process",
	};
	if (err > 0 || err <= -(int)(sizeof names / sizeof *names))
		return "unknown error";
	return names[-err];
}
