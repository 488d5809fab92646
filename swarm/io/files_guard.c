/* files_guard.c - what keeps a write from replacing what is not ours. */
#include "swarm/io/files_inner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"

#define LOOK (16u * 1024) /* at a time; on the stack of a worker */

bool shoal_files_blank(const uint8_t *at, size_t len)
{
	return len == 0 || (at[0] == 0 && memcmp(at, at + 1, len - 1) == 0);
}

void shoal_files_guard(struct shoal_files *files, uint32_t storage, uint32_t file)
{
	struct storage *st = shoal_files_storage(files, storage);
	if (st == NULL || file >= shoal_metainfo_file_count(st->mi))
		return;
	pthread_mutex_lock(&files->lock);
	st->flag[file] |= FLAG_GUARDED;
	pthread_mutex_unlock(&files->lock);
}

/* Whether `old` may give way to what v[] holds from `skip` on: no byte of it is lost that is not zero. */
static bool may_replace(const uint8_t *old, size_t n, const struct iovec *v, int count, size_t skip)
{
	bool loses = false;
	for (size_t done = 0; !loses && done < n && count > 0; v++, count--) {
		if (skip >= v->iov_len) {
			skip -= v->iov_len;
			continue;
		}
		size_t here = v->iov_len - skip < n - done ? v->iov_len - skip : n - done;
		const uint8_t *now = (const uint8_t *)v->iov_base + skip;
		if (memcmp(old + done, now, here) != 0)
			for (size_t i = 0; i < here && !loses; i++)
				loses = old[done + i] != 0 && old[done + i] != now[i];
		done += here;
		skip = 0;
	}
	return !loses;
}

int shoal_files_guarded(struct shoal_files *files, const struct entry *e, const struct iovec *v, int n, size_t skip,
			const struct segment *seg, struct shoal_files_fault *fault)
{
	uint8_t old[LOOK];
	pthread_mutex_lock(&files->lock);
	bool guarded = e->storage->flag[e->file] & FLAG_GUARDED;
	pthread_mutex_unlock(&files->lock);
	for (size_t done = 0; guarded && done < seg->len;) {
		struct iovec to = { old, seg->len - done < LOOK ? seg->len - done : LOOK };
		ssize_t got = files->os->preadv(e->fd, &to, 1, (off_t)(seg->offset + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return shoal_files_fail(fault, errno, e->file);
		if (got == 0)
			break; /* the file ends: nothing is replaced from here on */
		if (!may_replace(old, (size_t)got, v, n, skip + done)) {
			*fault = (struct shoal_files_fault){ EEXIST, e->file };
			return SHOAL_ERR_REFUSED;
		}
		done += (size_t)got;
	}
	return 0;
}
