/*
 * tools/lab/compare/pair.h - one torrent through both engines: names first, then content that lies there, then a transfer.
 *
 * Engines see copies of the content in the scratch folder, under the names each of them gives. Transfers run in a closed
 * network, a new one for each, so that what crosses it can be counted.
 */
#ifndef LAB_COMPARE_PAIR_H
#define LAB_COMPARE_PAIR_H

#include "tools/lab/compare/place.h"

enum lab_cmp_depth { LAB_CMP_NAMES, LAB_CMP_CONTENT, LAB_CMP_TRANSFER };

struct lab_cmp_job {
	struct shoal_bytes torrent;
	const char *folder; /* where its content may lie; absolute */
	enum lab_cmp_depth depth;
	bool seed_theirs;  /* libtorrent serves, not we */
	shoal_us patience; /* for each step */
};

/* 0 and all of *out, `lab_cmp_side_fini()` its sides; or it cannot go on: CLOSED (a signal came), IO, DENIED, NOMEM, NO_SPACE,
 * UNSUPPORTED (an engine is not there); `what` says more. */
SHOAL_MUST int lab_cmp_pair_run(struct lab_cmp_pair *out, struct lab_cmp_place *place, const struct lab_cmp_job *job,
				char what[LAB_CMP_TEXT_MAX]);

#endif
