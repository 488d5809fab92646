/*
 * swarm/core/offered.h - bytes that adoption has brought and nothing has proven, as blocks of the pieces they lie in.
 *
 * A piece of v1 may hold dozens of files. Where one of them has changed its hash is another, and says nothing
 * about the rest, though nearly all of it lies here. So what was brought of a file's first and last piece
 * (adopt.h) stays *offered*. When such a piece is opened, its blocks of which no byte is missing are read from our own files
 * into the slots that were promised to them, and the others are asked of peers. Then it is hashed and
 * written like any other: till then nothing of it is claimed.
 *
 * When it is false, what lay here is suspected before anybody who sent the rest: see evidence.h. An offer is made once: a
 * piece that comes out false, or good, takes it back.
 *
 * A piece that does not stay whole in memory gets no blocks from here: when it is false all of it is begun anew. Nor does one
 * that v2 hashes know: no two files share it.
 *
 * Internal to swarm/core.
 */
#ifndef SHOAL_OFFERED_H
#define SHOAL_OFFERED_H

#include <shoal/types.h>
#include "proto/metainfo.h"

#define SHOAL_OFFERED_READ 32u /* blocks read by one job */
#define SHOAL_OFFERED_MOST 16u /* pieces that are read for at a time; more are not opened meanwhile */

struct shoal_disk_job;
struct shoal_open;
struct shoal_swarm;

/* What `file` has of `piece`, the first or the last that holds any of it, lies here and may be right. */
void shoal_offered_put(struct shoal_swarm *s, uint32_t file, uint32_t piece);
/* Whether that is so; pads are always there. */
bool shoal_offered_has(const struct shoal_swarm *s, uint32_t file, uint32_t piece);
/* Of `file`, and of all files that share `piece`, nothing is offered there any more. */
void shoal_offered_take(struct shoal_swarm *s, uint32_t file, uint32_t piece);
void shoal_offered_take_all(struct shoal_swarm *s, uint32_t piece);

/* The blocks of `piece` that have no byte in a file for which here() is false: here[b], and how many they are. Pure. */
uint32_t shoal_offered_blocks(const struct shoal_metainfo *mi, uint32_t piece,
			      bool (*here)(const void *of, uint32_t file, uint32_t piece), const void *of, bool *block);

/* Whether `piece` is to be opened later, when others have been read. */
bool shoal_offered_busy(const struct shoal_swarm *s, uint32_t piece);
/* A piece was opened: what is offered of it is asked of the disk, and of nobody else. */
void shoal_offered_fill(struct shoal_swarm *s, struct shoal_open *open, shoal_us now);
/* A READ is back. */
void shoal_offered_job(struct shoal_swarm *s, struct shoal_disk_job *job, shoal_us now);
/* The disk has room again. */
void shoal_offered_tick(struct shoal_swarm *s);
/* Those that are not with the disk; none is when a swarm ends. */
void shoal_offered_fini(struct shoal_swarm *s);

#endif
