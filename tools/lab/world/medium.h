/*
 * tools/lab/world/medium.h - files as a crash sees them: what was written, and what of it would survive now.
 *
 * Every page of 16 KiB has a live version (the page cache), a durable one
 * (the platter), and, while a sync is under way, the one being flushed; so
 * has what the folder says of the file: name, size, times. A version that
 * equals the content it should hold is noted as such and takes no memory,
 * and of pages that are all alike, absent or right and durable, nothing is
 * kept but that.
 *
 * With heads alone a page is what its first bytes are: a wrong one is wrong
 * in them. Writes then begin on pages.
 *
 * Knows files by path and nothing of torrents, jobs or time.
 */
#ifndef SIM_MEDIUM_H
#define SIM_MEDIUM_H

#include "proto/base/rng.h"
#include "swarm/pieces/disk.h"

#define SIM_PAGE 16384u
#define SIM_SECTOR 512u /* written whole or not at all */

enum sim_crash {
	SIM_CRASH_KILL,	 /* the process: what it wrote stays in the page cache */
	SIM_CRASH_POWER, /* the machine: what was not synced is there, torn, or not */
};

/* What the folder says. */
struct sim_entry {
	uint8_t state; /* enum shoal_seen_state */
	uint64_t size, ino;
	int64_t mtime_ns, ctime_ns;
};
struct sim_group; /* of pages */
struct sim_file {
	struct sim_file *next;
	char *path;	      /* its final name */
	uint64_t seed, begin; /* the content it should hold, and where in that stream it begins */
	uint64_t size_max;    /* the torrent's */
	struct sim_entry live, flush, durable;
	struct sim_group **group;
	uint32_t pages, head; /* head: bytes of a page that are kept; 0: all */
	bool dirty, flushing;
};
struct sim_medium {
	struct sim_file *file; /* sorted by path */
	struct shoal_rng rng;
	uint64_t next_ino;
	uint64_t used; /* bytes of pages that are there, live */
	uint32_t head; /* of files made known from now on */
};

/* `head`: bytes of each page that are kept; 0: all. */
void sim_medium_init(struct sim_medium *m, struct shoal_rng rng, uint32_t head);
void sim_medium_fini(struct sim_medium *m);
/* The file of that path, made known (not yet existing) when it was not. */
struct sim_file *sim_medium_file(struct sim_medium *m, const char *path, uint64_t seed, uint64_t begin,
				 uint64_t size_max);

/* It is there, whole, right and durable. */
void sim_file_fill(struct sim_medium *m, struct sim_file *f, int64_t now_ns);
/* [offset, offset+len) of the right content is there and durable, under the unfinished name when it was not there. */
void sim_file_fill_range(struct sim_medium *m, struct sim_file *f, uint64_t offset, uint64_t len, int64_t now_ns);
void sim_file_write(struct sim_medium *m, struct sim_file *f, uint64_t offset, const uint8_t *at, size_t len,
		    int64_t now_ns);
/* How many bytes a write would add to `used`. */
uint64_t sim_file_growth(const struct sim_file *f, uint64_t offset, size_t len);
/* false: it is not there, or ends before. With heads alone, what lies behind them is left as it was. */
bool sim_file_read(const struct sim_file *f, uint64_t offset, uint8_t *to, size_t len);
/* Whether these bytes are right; `durable`: would be after a power cut, whatever it tore. */
bool sim_file_right(const struct sim_file *f, uint64_t offset, uint64_t len, bool durable);

/* A sync takes what is dirty now; it ends well, or some of it is lost with nobody to tell (a failed fdatasync). */
void sim_file_sync_begin(struct sim_file *f);
void sim_file_sync_end(struct sim_medium *m, struct sim_file *f, bool good);
/* The final name (made empty when there is nothing), in the cache or durably. */
void sim_file_rename(struct sim_medium *m, struct sim_file *f, bool durable, int64_t now_ns);
/* Forgets cached pages in that range that a failed sync left behind. */
void sim_file_drop(struct sim_file *f, uint64_t offset, uint64_t len);

/* Vandals, durable at once. */
void sim_file_remove(struct sim_medium *m, struct sim_file *f);
void sim_file_truncate(struct sim_medium *m, struct sim_file *f, uint64_t size, int64_t now_ns);
void sim_file_flip(struct sim_medium *m, struct sim_file *f, uint64_t offset); /* rot: no time stamp changes */

void sim_medium_crash(struct sim_medium *m, enum sim_crash kind);

#endif
