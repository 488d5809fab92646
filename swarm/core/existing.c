/*
 * swarm/core/existing.c - files that lie under a final name and that no record of ours speaks of are somebody's.
 *
 * What is right in them is adopted, what is missing or zero is filled in, and so a
 * download of another program goes on where it stopped. But bytes that differ may
 * be all there is of something: unless the user says so, they are never replaced. A file of which
 * no piece is right is refused at once; the rest is guarded in the file layer, where
 * each write is held against what it would replace.
 */
#include <stdio.h>
#include <string.h>
#include "swarm/core/node_room.h"

static bool is_foreign(const struct shoal_swarm *s, uint32_t file)
{
	return s->file[file].foreign && !s->read_only;
}

void shoal_swarm_existing_differs(struct shoal_swarm *s, uint32_t piece)
{
	uint32_t first, last;
	shoal_metainfo_piece_files(s->mi, piece, &first, &last);
	for (uint32_t f = first; f <= last; f++)
		if (shoal_parts_in(s, f, piece) || s->file[f].seen == SHOAL_SEEN_PART)
			return; /* what is unfinished may be what is wrong: nothing is known of the others */
	for (uint32_t f = first; f <= last; f++)
		s->file[f].differs = true;
}

static void refuse(struct shoal_swarm *s, uint32_t file, uint32_t count, shoal_us now)
{
	char text[SHOAL_PATH_BYTES_MAX + 200], path[SHOAL_PATH_BYTES_MAX + 1], more[48] = "";
	int n = shoal_metainfo_path(s->mi, file, (struct shoal_space){ (uint8_t *)path, sizeof path });
	if (count > 1)
		snprintf(more, sizeof more, " (and %u files more)", count - 1);
	snprintf(text, sizeof text,
		 "%s%s was there before and holds other bytes; move it away, or let --overwrite replace what differs",
		 n >= 0 ? path : "a file", more);
	shoal_swarm_fail(s, SHOAL_ERR_REFUSED, text, now);
}

void shoal_swarm_existing_refuse(struct shoal_swarm *s, uint32_t file, shoal_us now)
{
	refuse(s, file < shoal_metainfo_file_count(s->mi) ? file : 0, 1, now);
}

bool shoal_swarm_existing_judge(struct shoal_swarm *s, shoal_us now)
{
	const struct shoal_disk *disk = &s->node->disk;
	uint32_t count = 0, which = 0;
	for (uint32_t f = 0; f < shoal_metainfo_file_count(s->mi); f++) {
		uint32_t first, skew;
		if (!is_foreign(s, f) || s->file[f].left == 0)
			continue;
		bool wanted = shoal_select_priority(&s->select, f) > 0;
		uint32_t pieces = shoal_claim_pieces(s->mi, f, &first, &skew);
		/* One too short to tell is taken for another file: written on, it would have changed all the same. */
		if (wanted && (s->file[f].differs || s->file[f].brief) && s->file[f].left == pieces && count++ == 0)
			which = f;
		if (disk->ops->guard != NULL)
			disk->ops->guard(disk->d, s->storage, f);
		if (!wanted) /* what its neighbours need of it lies elsewhere */
			(void)!shoal_parts_hide(s, f);
	}
	if (count > 0)
		refuse(s, which, count, now);
	return count > 0;
}
