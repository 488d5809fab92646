/*
 * swarm/core/adopt_room.h - what adopt.c (the doing) and adopt_find.c (the candidates) share. Internal.
 */
#ifndef SHOAL_ADOPT_ROOM_H
#define SHOAL_ADOPT_ROOM_H

#include "swarm/core/adopt.h"
#include "swarm/core/swarm.h"

/* A folder that candidates lie in. */
struct shoal_adopt_place {
	char *folder;
	bool named;			/* by the user, or by a hint: it is walked */
	bool hinted;			/* if it is gone, that is nobody's mistake */
	struct shoal_disk_found *found; /* below it; sorted by size and name */
	uint32_t found_count;
	uint64_t bytes;	  /* adopted from it */
	uint64_t waiting; /* brought, in pieces that lack others (offered.h); put down to one folder */
	uint32_t files;
	unsigned ways; /* enum shoal_adopt_way */
};

struct shoal_adopt_try {
	uint32_t place;
	char *path; /* below it; heap */
	enum shoal_adopt_by { SHOAL_ADOPT_BY_NAME, SHOAL_ADOPT_BY_KIN, SHOAL_ADOPT_BY_SIZE } by;
	bool of_use;
};

/* Where one file of the torrent was found others of it may lie: `ours` before the path they share, here, is `theirs` there. */
struct shoal_adopt_kin {
	uint32_t place;
	char *ours, *theirs; /* heap; whole components and a '/', or nothing */
};

/* A file under work. */
struct shoal_adopt_work {
	struct shoal_adopt *owner;
	uint32_t file, first, pieces, skew; /* as shoal_claim_pieces() has them */
	struct shoal_adopt_try try[SHOAL_ADOPT_TRIES];
	uint32_t try_at, try_count;
	enum {
		SHOAL_ADOPT_FREE,
		SHOAL_ADOPT_NEXT,   /* the candidate try_at is to be tried */
		SHOAL_ADOPT_OUT,    /* a job is with the disk */
		SHOAL_ADOPT_HASHED, /* a run was brought; when nothing is left to be checked, its hashes are known */
		SHOAL_ADOPT_AGAIN,  /* its next run */
	} state;
	bool blind;		     /* its hashes are not known yet (a v2 magnet) */
	bool there;		     /* something lies under the file's name: it can be copied into, no more */
	uint32_t run_first, run_end; /* pieces of the file */
	uint64_t was, gained;	     /* verified bytes: of the run before, and from this candidate */
	unsigned way;
	bool offers; /* some of what this candidate brought is offered */
	struct shoal_disk_adopt ask;
	struct shoal_disk_job job;
};

struct shoal_adopt {
	unsigned ways; /* allowed */
	bool begun, records, finding;
	bool over;						 /* trouble at our end: no more is begun */
	struct shoal_adopt_place place[SHOAL_ADOPT_FOLDERS_MAX]; /* first those that were named */
	uint32_t place_count, find_at;
	struct shoal_adopt_kin kin[SHOAL_ADOPT_KIN];
	uint32_t kin_count;
	bool second;		      /* those for which nothing was found are looked for once more, beside what was */
	struct shoal_disk_want *want; /* sizes and names, for FIND */
	uint32_t want_count;
	struct shoal_disk_find find;
	struct shoal_disk_job find_job;
	struct shoal_adopt_work *work;		       /* SHOAL_ADOPT_BATCH of them */
	uint32_t works, jobs, file_at, files, without; /* without: a candidate, of those looked for */
	uint64_t verified;			       /* bytes of the torrent, when it began */
	size_t charged;
};

/* adopt_hints.c: adds the folders of torrents that may share files */
void shoal_adopt_hints(struct shoal_swarm *s);

/* adopt_find.c */
bool shoal_adopt_any_record(struct shoal_swarm *s);
void shoal_adopt_candidates(struct shoal_swarm *s, struct shoal_adopt_work *w);
/* None of the files that were looked for shows where others lie: those may that are whole. */
void shoal_adopt_kin(struct shoal_swarm *s);
void shoal_adopt_want(struct shoal_swarm *s, uint32_t file);
void shoal_adopt_want_sort(struct shoal_adopt *a);
void shoal_adopt_sort(struct shoal_adopt_place *p);

#endif
