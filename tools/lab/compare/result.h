/*
 * tools/lab/compare/result.h - what one engine made of one torrent, and how that crosses from the process it ran in.
 *
 * A look is what an engine says of a torrent (taken or refused, hashes, names) and of content that lies there (piece
 * states); a get is how it fetched it. Each job runs in a process of its own, since an engine may die of a
 * torrent; what it found is written as bytes, and read here like anything that may be cut off anywhere.
 *
 * No I/O but stdio's buffers. Paths are raw bytes, as the engine gives them.
 */
#ifndef LAB_COMPARE_RESULT_H
#define LAB_COMPARE_RESULT_H

#include <shoal/engine.h>

#include <stdio.h>

#define LAB_CMP_TEXT_MAX 200
#define LAB_CMP_FILES_MAX 4000000u
#define LAB_CMP_NAMES_MAX (UINT64_C(1) << 30) /* bytes of all paths of a torrent */
#define LAB_CMP_PIECES_MAX (1u << 22)

enum lab_cmp_end {
	LAB_CMP_NOT_RUN, /* there was no reason to */
	LAB_CMP_GOOD,
	LAB_CMP_REFUSED, /* the torrent is not taken: err, text */
	LAB_CMP_FAILED,	 /* it was taken, and given up later: err, text */
	LAB_CMP_SLOW,	 /* it was not done in time, and was ended */
	LAB_CMP_DIED,	 /* its process ended by itself: text */
	LAB_CMP_UNABLE,	 /* the engine could not be opened at all: err, text */
	LAB_CMP_ENDS,
};

/* What a job took, its engine's whole process (or processes) counted. */
struct lab_cmp_cost {
	shoal_us took; /* from the torrent's being added to its being checked, or complete */
	shoal_us cpu;  /* of the whole process, its start and end too */
	uint64_t rss;  /* bytes, the peak of the largest process */
};

/* Names one behind the other; who keeps one has its place and length. */
struct lab_cmp_names {
	uint8_t *at; /* heap */
	size_t len, room;
};

/* A file that is stored: neither padding nor a symlink. Spans of `names`. */
struct lab_cmp_file {
	uint64_t size;
	size_t path_at, path_len; /* below the folder, as on disk */
	size_t raw_at, raw_len;	  /* as the torrent has it, components joined by '/'; where the engine tells (ours) */
};

struct lab_cmp_look {
	enum lab_cmp_end end;
	int err;
	char text[LAB_CMP_TEXT_MAX]; /* raw: may hold a stranger's bytes */
	bool has_v1, has_v2;
	struct shoal_id20 v1;
	struct shoal_id32 v2;
	uint64_t size; /* bytes of its files */
	uint32_t pieces;
	struct lab_cmp_file *file;
	uint32_t file_count;
	struct lab_cmp_names names; /* the torrent's name, then all paths */
	size_t name_len;
	uint8_t *have; /* heap: a bit a piece, as on the wire; NULL: there was nothing to look at */
	struct lab_cmp_cost cost;
};

struct lab_cmp_get {
	enum lab_cmp_end end;
	int err;
	char text[LAB_CMP_TEXT_MAX];
	uint64_t payload, wasted, hash_failures; /* bytes, bytes, pieces */
	uint64_t wire;				 /* bytes that crossed the interface, headers and both directions */
	struct lab_cmp_cost cost;
};

/* What lies in a folder after a get: all but folders. */
struct lab_cmp_thing {
	size_t path_at, path_len; /* below the folder; of `names` */
	uint64_t size;
	char kind;	    /* 'f' a regular file, 'l' a symlink, '?' something else */
	bool wanted;	    /* it has the path of a file of the torrent: lab_cmp_mark() */
	uint8_t digest[32]; /* SHA-256 of a regular file */
};
struct lab_cmp_disk {
	struct lab_cmp_thing *thing; /* heap, in the order of their paths' bytes */
	size_t count, room;
	struct lab_cmp_names names;
};

/* All of one engine, for one torrent. */
struct lab_cmp_side {
	struct lab_cmp_look look;
	struct lab_cmp_get get;
	struct lab_cmp_disk disk;
};
struct lab_cmp_pair {
	struct lab_cmp_side ours, theirs;
	uint64_t torrent; /* bytes of the .torrent */
};

static inline struct shoal_bytes lab_cmp_name(const struct lab_cmp_look *l)
{
	return (struct shoal_bytes){ l->names.at, l->name_len };
}
static inline struct shoal_bytes lab_cmp_path(const struct lab_cmp_look *l, uint32_t i)
{
	return (struct shoal_bytes){ l->names.at + l->file[i].path_at, l->file[i].path_len };
}
static inline struct shoal_bytes lab_cmp_raw(const struct lab_cmp_look *l, uint32_t i)
{
	return (struct shoal_bytes){ l->names.at + l->file[i].raw_at, l->file[i].raw_len };
}
static inline struct shoal_bytes lab_cmp_thing_path(const struct lab_cmp_disk *d, const struct lab_cmp_thing *t)
{
	return (struct shoal_bytes){ d->names.at + t->path_at, t->path_len };
}
static inline bool lab_cmp_has(const struct lab_cmp_look *l, uint32_t piece)
{
	return l->have[piece / 8] >> (7 - piece % 8) & 1;
}
/* Whether content was looked at, and every piece of it is right. */
bool lab_cmp_whole(const struct lab_cmp_look *l);

/* Puts `len` bytes behind the names; *at is where. NOMEM, TOO_LONG. */
SHOAL_MUST int lab_cmp_keep(struct lab_cmp_names *n, struct shoal_bytes text, size_t *at);
void lab_cmp_look_fini(struct lab_cmp_look *l);
void lab_cmp_side_fini(struct lab_cmp_side *s);
/* Once both the names and the disk are known. */
void lab_cmp_mark(struct lab_cmp_side *s);
/* The thing of that path; NULL: there is none. */
struct lab_cmp_thing *lab_cmp_find(const struct lab_cmp_disk *d, struct shoal_bytes path);

/* Writes errors to the stream alone: look at ferror(). Costs are not written: who waits for the process measures them,
 * but for `took`. */
void lab_cmp_look_write(const struct lab_cmp_look *l, FILE *to);
void lab_cmp_get_write(const struct lab_cmp_get *g, FILE *to);
/* 0, MALFORMED, NOMEM: then *l is empty. What is read borrows nothing. */
SHOAL_MUST int lab_cmp_look_read(struct lab_cmp_look *l, struct shoal_bytes in);
SHOAL_MUST int lab_cmp_get_read(struct lab_cmp_get *g, struct shoal_bytes in);

#endif
