/* tools/state.c - see state.h. */
#include "tools/state.h"

#include <errno.h>
#include <poll.h>

#define WRITE_MS 30000 /* how long a commit may take */

int shoal_state_write(struct shoal_store_sqlite *s)
{
	struct shoal_store store = shoal_store_sqlite_store(s);
	struct shoal_store_done done;
	struct pollfd p = { .fd = shoal_store_sqlite_fd(s), .events = POLLIN };
	int rc = store.ops->commit(store.s, 1);
	while (rc == 0 && store.ops->reap(store.s, &done, 1) == 0) {
		int n = poll(&p, 1, WRITE_MS);
		if (n == 0 || (n < 0 && errno != EINTR))
			rc = SHOAL_ERR_TIMEOUT;
	}
	return rc < 0 ? rc : done.err;
}
