/*
 * tests/tray.h - a disk that is a tray: the jobs of a node that is alone with a test lie there until the node asks
 * what is done, and go back to it then, done as the test says.
 *
 * For unit/, sim/ and fuzz/, which are linked to different rooms: so all of it is here.
 */
#ifndef TESTS_TRAY_H
#define TESTS_TRAY_H

#include <assert.h>
#include <string.h>

#include "swarm/pieces/disk.h"

#define TRAY_JOBS 64 /* with so many it is busy */

struct tray {
	void (*work)(void *to, struct shoal_disk_job *job); /* does one; its err is 0. NULL: no file is there */
	void *to;
	uint32_t spans; /* bytes of a piece: blocks are sent straight from the one file there is; 0: they are read */
	bool stuck;	/* nothing comes back */
	struct shoal_disk_job *job[TRAY_JOBS];
	size_t jobs;
};

static inline int tray_open(void *d, const struct shoal_metainfo *mi, const char *folder, bool read_only,
			    uint32_t *storage)
{
	(void)d, (void)mi, (void)folder, (void)read_only;
	*storage = 0;
	return 0;
}

static inline void tray_close(void *to, uint32_t storage)
{
	const struct tray *d = to;
	(void)storage;
	assert(d->jobs == 0); /* or the node has forgotten some */
}

static inline int tray_submit(void *to, struct shoal_disk_job *job)
{
	struct tray *d = to;
	if (d->jobs == TRAY_JOBS)
		return SHOAL_ERR_BUSY;
	d->job[d->jobs++] = job;
	return 0;
}

static inline void tray_nothing_is_there(struct shoal_disk_job *job)
{
	for (uint32_t k = 0; job->op == SHOAL_DISK_SCAN && k < job->count; k++)
		job->seen[k] = (struct shoal_seen){ .state = SHOAL_SEEN_NONE };
}

static inline size_t tray_reap(void *to, struct shoal_disk_job *out[], size_t max)
{
	struct tray *d = to;
	size_t n = d->stuck ? 0 : d->jobs < max ? d->jobs : max;
	for (size_t i = 0; i < n; i++) {
		out[i] = d->job[i];
		out[i]->err = 0;
		if (d->work != NULL)
			d->work(d->to, out[i]);
		else
			tray_nothing_is_there(out[i]);
	}
	d->jobs -= n;
	memmove(d->job, d->job + n, d->jobs * sizeof(struct shoal_disk_job *));
	return n;
}

static inline int tray_span(void *to, uint32_t storage, uint32_t piece, uint32_t begin, uint32_t len,
			    struct shoal_disk_span *span)
{
	const struct tray *d = to;
	(void)storage, (void)len;
	*span = (struct shoal_disk_span){ 0, (uint64_t)piece * d->spans + begin };
	return 1;
}

static inline void tray_unspan(void *d, uint32_t file)
{
	(void)d, (void)file;
}

static inline void tray_stamp(void *d, uint32_t storage, uint32_t file, const struct shoal_stamp *stamp)
{
	(void)d, (void)storage, (void)file, (void)stamp;
}

static inline uint64_t tray_room(void *d, uint32_t storage)
{
	(void)d, (void)storage;
	return UINT64_MAX;
}

static inline struct shoal_disk tray_disk(struct tray *d)
{
	static const struct shoal_disk_ops reads = { .open = tray_open,
						     .close = tray_close,
						     .submit = tray_submit,
						     .reap = tray_reap,
						     .stamp = tray_stamp,
						     .room = tray_room };
	static const struct shoal_disk_ops spans = { .open = tray_open,
						     .close = tray_close,
						     .submit = tray_submit,
						     .reap = tray_reap,
						     .span = tray_span,
						     .unspan = tray_unspan,
						     .stamp = tray_stamp,
						     .room = tray_room };
	return (struct shoal_disk){ d->spans > 0 ? &spans : &reads, d };
}

#endif
