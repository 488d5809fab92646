/*
 * tests/unit/own_disk.h - a disk of real workers, and jobs for it with all they need.
 */
#ifndef SHOAL_OWN_DISK_H
#define SHOAL_OWN_DISK_H

#include "swarm/io/disk_threads.h"
#include "tests/unit/own_torrent.h"

#define OWN_TASK_BLOCKS 64 /* a piece has at most */

/* A job with slots and a hash of its own. */
struct own_task {
	struct shoal_disk_job job;
	struct shoal_piece_hash hash;
	uint8_t leaf[OWN_TASK_BLOCKS][32];
	struct shoal_slot slot[OWN_TASK_BLOCKS], *slots[OWN_TASK_BLOCKS];
	uint8_t *room;
};

/* A WRITE has the right bytes in its slots. */
struct own_task *own_task_new(const struct own_torrent *t, enum shoal_disk_op op, unsigned flags, uint32_t storage,
			      uint32_t piece, uint32_t begin, uint32_t len);
void own_task_free(struct own_task *k);

/* Over `os`, in own_place. With exactly so many workers. */
struct shoal_disk_threads *own_disk_threads(const struct shoal_os_ops *os, unsigned workers);
uint32_t own_disk_opened(struct shoal_disk_threads *dt, const struct own_torrent *t, bool read_only);
/* Waits for `want` jobs; the order they came back in is in out[]. A disk that hangs fails the test. */
void own_disk_reap(struct shoal_disk_threads *dt, struct shoal_disk_job *out[], size_t want);
/* One job, from submit() to reap(): its err. */
int own_disk_run(struct shoal_disk_threads *dt, struct shoal_disk_job *job);

#endif
