/*
 * tests/fault/life_room.h - what the files of a life share. Internal.
 *
 * life.c lives it; life_check.c holds the records that a life finds against the disk, and against what was told.
 */
#ifndef FAULT_LIFE_ROOM_H
#define FAULT_LIFE_ROOM_H

#include "swarm/core/node.h"
#include "swarm/io/disk_threads.h"
#include "swarm/io/store_sqlite.h"
#include "tests/fault/life.h"
#include "tests/fault/source.h"

#define LIFE_JOBS_MAX 4096

struct life {
	struct model *m;
	const struct life_torrent *t;
	const struct shoal_metainfo *mi;
	struct life_options o;
	struct shoal_rng rng;
	shoal_us now;

	struct shoal_budget budget;
	struct shoal_slots *slots;
	struct shoal_disk_threads *dt;
	struct shoal_disk disk; /* the real one */
	struct shoal_store_sqlite *sqlite;
	struct shoal_store store; /* the real one */
	unsigned commits;	  /* under way */
	struct shoal_store_done done[SHOAL_STORE_COMMITS_MAX];
	unsigned dones;
	struct shoal_node *node;
	struct source source;
	bool connected;
	uint32_t torrent;

	/* workers 0: jobs wait here and go one at a time */
	struct shoal_disk_job *queue[LIFE_JOBS_MAX], *back[LIFE_JOBS_MAX];
	unsigned queued, backs;

	/* what was said, and when: places in the disk's log */
	size_t *said, *unsaid; /* by piece; SIZE_MAX: not */
	size_t complete_at, born;
	bool *had; /* pieces told before this life began: not to be asked for */
	bool ended, checked, complete, stopped;
	uint32_t claimed;
	unsigned faults, quiet, pauses;
	char words[320];
};

/* Every record as the engine would read it, and the disk as another process would find it. `told` may be NULL. Adds pieces
 * that were told and will be hashed again to *rehashed. Gives the faults. */
unsigned life_check_disk(struct life *l, const struct life_told *told, uint64_t *rehashed);
/* The pieces the node says it has, once it has looked at its records; they are noted as had. Gives the faults. */
unsigned life_check_claims(struct life *l, const struct life_told *told);

#endif
