/*
 * swarm/io/disk_work.h - how one job, or a group that is hashed side by side, is done. Knows no queue and no threads.
 *
 * Each worker has one of these for itself. A job is answered in its err, os and bad_file, and in hash->good.
 */
#ifndef SHOAL_DISK_WORK_H
#define SHOAL_DISK_WORK_H

#include "swarm/io/files.h"
#include "swarm/io/zeros.h"

struct shoal_disk_work {
	const struct shoal_os_ops *os;
	struct shoal_files *files;
	struct shoal_files_crew crew; /* for a job that several may have a part in */
	/* Its own; made when first needed. */
	uint8_t *buffer;	/* CHECK: SHOAL_DISK_STAGE blocks */
	uint8_t (*scratch)[32]; /* SHOAL_DISK_LEAVES_MAX */
	struct shoal_zeros zeros;
};

/* WRITE and CHECK: stage by stage, all lanes hashed, then those that are to be written written while they are warm. */
void shoal_disk_work_hashed(struct shoal_disk_work *w, struct shoal_disk_job *const job[], unsigned n);
/* Any other job. */
void shoal_disk_work_one(const struct shoal_disk_work *w, struct shoal_disk_job *job);
void shoal_disk_work_fini(struct shoal_disk_work *w);

#endif
