/*
 * swarm/core/adopt.h - bytes that lie in other files of this machine already need not be fetched.
 *
 * When what exists of a torrent has been checked, each file that still
 * lacks pieces is looked for: by its v2 root among the records of whole
 * files (swarm/pieces/claims.h), by name and size where there is no root (v1),
 * in the folders of torrents that BEP 38 calls similar (v1 alone: roots need
 * no hints), and in folders the user named. A candidate is shared, linked or copied into
 * the file's unfinished name, and then hashed like anything that lies
 * there: what is right is claimed through the barrier, what is wrong is
 * fetched. So neither a record nor a stamp is believed, a candidate that changes
 * midway costs nothing, and a crash leaves a `.part` that is looked at again.
 *
 * In v1 files share pieces, and a piece that is not right may lack one of them alone: what was brought of such pieces
 * stays offered (offered.h).
 *
 * A copy goes in runs: one that brings not a single right piece ends its
 * candidate. A file that has a second name (hard link) is never written to:
 * the file layer makes it a file of its own first.
 *
 * Internal to swarm/core. Everything is a phase of SHOAL_SWARM_CHECK.
 */
#ifndef SHOAL_ADOPT_H
#define SHOAL_ADOPT_H

#include <shoal/engine.h>
#include "swarm/pieces/disk.h"

#define SHOAL_ADOPT_FOLDERS_MAX 64	 /* named by the user, or by records: those are told by name, others as one */
#define SHOAL_ADOPT_TRIES 4		 /* candidates of one file */
#define SHOAL_ADOPT_KIN 8		 /* folders in which files are looked for that no record speaks of */
#define SHOAL_ADOPT_BATCH 256		 /* files under work */
#define SHOAL_ADOPT_JOBS 16		 /* with the disk */
#define SHOAL_ADOPT_LOOKUPS 512		 /* records looked for in one turn of the loop */
#define SHOAL_ADOPT_RUN (32u << 20)	 /* bytes copied by one job, and hashed before the next */
#define SHOAL_ADOPT_FIND_MAX (16u << 20) /* bytes for what is found below one named folder */
#define SHOAL_ADOPT_V1_MIN \
	16384u /* smaller files of v1 torrents have no record of their name: they lie beside others */

struct shoal_swarm;
struct shoal_adopt;

/* What ADD asks for: `op->adopt`, `op->adopt_from`. USAGE, NOMEM. */
SHOAL_MUST int shoal_adopt_ask(struct shoal_swarm *s, const struct shoal_op *op);
/* To be called while a swarm checks: goes on. true while there is more to do: the swarm does not run yet. */
SHOAL_MUST bool shoal_adopt_tick(struct shoal_swarm *s, shoal_us now);
/* It has more to do at once. */
bool shoal_adopt_eager(const struct shoal_swarm *s);
void shoal_adopt_job(struct shoal_swarm *s, struct shoal_disk_job *job, shoal_us now);
/* The swarm winds down: no new job. */
void shoal_adopt_stop(struct shoal_swarm *s);
void shoal_adopt_free(struct shoal_swarm *s);

/* Whether a file is looked for by its name: it has no root, and is worth it. */
bool shoal_adopt_by_name(const struct shoal_metainfo *mi, uint32_t file);
/* Such a file, whole, was recorded under `key`: now it can be found. Puts into the store's batch. */
SHOAL_MUST int shoal_adopt_record(struct shoal_swarm *s, uint32_t file, struct shoal_bytes key,
				  struct shoal_bytes value);
/* All of it is there: other torrents may be told that they share files with it (BEP 38). Puts into the store's batch. */
SHOAL_MUST int shoal_adopt_torrent(struct shoal_swarm *s);
/* The first 16 bytes of the key under which a v1 file is found by name and size. */
void shoal_adopt_name_key(struct shoal_bytes path, uint64_t size, uint8_t out[16]);

#endif
