/*
 * tools/lab/compare/diff.h - where two engines differ over one torrent. Pure: two results in, differences out.
 *
 * Time, processor time and memory always differ and are figures, not differences. Bytes are both: more than
 * LAB_CMP_WIRE_SLACK and a tenth apart is a difference.
 */
#ifndef LAB_COMPARE_DIFF_H
#define LAB_COMPARE_DIFF_H

#include "tools/lab/compare/result.h"

#define LAB_CMP_WIRE_SLACK (64u << 10)
#define LAB_CMP_NO_INDEX UINT32_MAX

enum lab_cmp_kind {
	LAB_CMP_TAKEN,	   /* one takes the torrent and one refuses it */
	LAB_CMP_ENDED,	   /* an engine died, gave up or did not end: a difference whatever the other did */
	LAB_CMP_HASH,	   /* an info hash: index 1 or 2, the version */
	LAB_CMP_NAME,	   /* of the torrent, on disk */
	LAB_CMP_SIZE,	   /* bytes of its files */
	LAB_CMP_PIECES,	   /* how many */
	LAB_CMP_FILES,	   /* how many are stored */
	LAB_CMP_PATH,	   /* where file `index` goes */
	LAB_CMP_FILE_SIZE, /* of file `index` */
	LAB_CMP_STATES, /* which pieces of the content are right: `index` the first, ours and theirs how many each has */
	LAB_CMP_GOT,	/* one fetches it and one does not */
	LAB_CMP_WIRE,	/* bytes on the wire */
	LAB_CMP_LIES,	/* file `index`, as it lies there after the get: missing, of another size or other bytes */
	LAB_CMP_EXTRA,	/* something lies there that is no file of the torrent: `ours` or `theirs` names it */
	LAB_CMP_KINDS,
};

struct lab_cmp_why;
struct lab_cmp_diff {
	enum lab_cmp_kind kind;
	uint32_t index;			 /* a file, a piece, a version, or NO_INDEX */
	struct shoal_bytes ours, theirs; /* text, a path, a hash: borrowed from the pair; empty where numbers say it */
	uint64_t our_number, their_number;
	const struct lab_cmp_why *why; /* why.h; NULL: nobody has explained it */
};

const char *lab_cmp_kind_name(enum lab_cmp_kind kind);

/* Writes at most `max` of them; returns how many there are. */
size_t lab_cmp_diff(const struct lab_cmp_pair *p, struct lab_cmp_diff *out, size_t max);

#endif
