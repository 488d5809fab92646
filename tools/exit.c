/* tools/exit.c - from an error of the library to the exit code of the program. */
#include "tools/exit.h"

#include <shoal/types.h>

int shoal_exit_of(int err)
{
	if (err >= 0)
		return SHOAL_EXIT_GOOD;
	switch ((enum shoal_err)err) {
	case SHOAL_ERR_HASH:
	case SHOAL_ERR_TIMEOUT:
	case SHOAL_ERR_CLOSED: return SHOAL_EXIT_DATA;
	case SHOAL_ERR_USAGE: return SHOAL_EXIT_USAGE;
	case SHOAL_ERR_MALFORMED:
	case SHOAL_ERR_TOO_LONG:
	case SHOAL_ERR_RANGE:
	case SHOAL_ERR_UNSUPPORTED: return SHOAL_EXIT_INPUT;
	case SHOAL_ERR_NET: return SHOAL_EXIT_NET;
	case SHOAL_ERR_REFUSED: return SHOAL_EXIT_REFUSED;
	default: /* GONE too: a file that went away under us is the storage's doing */ return SHOAL_EXIT_STORAGE;
	}
}
