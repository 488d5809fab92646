/*
 * swarm/io/disk_threads.h - struct shoal_disk over real files: a queue, K workers, a list of results.
 *
 * Everything here is called from the loop's thread. Jobs go to workers,
 * which hash while the bytes are warm and move them; jobs of one piece are
 * done one after the other in the order submitted, others side by side, and
 * 4 to 16 pieces that need SHA-1 (as the processor has it) go through one
 * worker as lanes: submit as many as are ready. SYNC and FINISH, of half as
 * many as there are workers, go before whatever else waits; of a long FINISH
 * those who are idle do a part. The
 * descriptor of shoal_disk_threads_fd() is readable while reap() has
 * something to give.
 *
 * What the contract of swarm/pieces/disk.h leaves open:
 * - A WRITE that fails may have been hashed and written in part: the piece
 *   begins anew with a fresh hash. Its bytes on disk are nobody's.
 * - Bytes of padding within a WRITE are set to zero in its slots first.
 * - A wrong piece without IF_GOOD has been written; with it, nothing has.
 * - READ of a file for which no stamp is known takes it as it is.
 * - bad_file is UINT32_MAX when an error concerns no single file (a folder, a whole volume).
 * - SYNC: GONE means that a file in list[] is no longer the one that was written to.
 */
#ifndef SHOAL_DISK_THREADS_H
#define SHOAL_DISK_THREADS_H

#include "swarm/pieces/disk.h"
#include "swarm/io/os.h"

#define SHOAL_DISK_JOBS_MAX 4096 /* submitted and not reaped; then BUSY */
#define SHOAL_DISK_WORKERS_MAX 64

struct shoal_disk_threads;

/* `workers` 0: one for each core we may run on. Fewer when the system gives fewer threads. IO, NOMEM.
 * `os` must outlive it. */
SHOAL_MUST int shoal_disk_threads_new(struct shoal_disk_threads **out, const struct shoal_os_ops *os, unsigned workers);
/* Every job must have been reaped, or is dropped unseen: its memory is not touched again. NULL is fine. */
void shoal_disk_threads_free(struct shoal_disk_threads *dt);

/* Before anything is opened: part files lie in `dir`. Without it there are none. NOMEM. */
SHOAL_MUST int shoal_disk_threads_parts(struct shoal_disk_threads *dt, const char *dir);
struct shoal_disk shoal_disk_threads_disk(struct shoal_disk_threads *dt);
/* To wait on for reading; reap() takes its readiness away. */
int shoal_disk_threads_fd(const struct shoal_disk_threads *dt);
/* The descriptor behind a span that has not been given back; -1 when there is none. For sendfile(). */
int shoal_disk_threads_file_fd(const struct shoal_disk_threads *dt, uint32_t file);

unsigned shoal_disk_threads_workers(const struct shoal_disk_threads *dt);

#endif
