/* disk_place.c - where the bytes of a piece lie: in which files, or in the part file. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include "swarm/pieces/claims.h"
#include "tools/lab/world/disk_room.h"

struct sim_file *sim_disk_file_named(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi,
				     uint32_t file)
{
	char path[SHOAL_PATH_BYTES_MAX + 300];
	int n = snprintf(path, 256, "%s/", folder);
	int rc = shoal_metainfo_path(mi, file, (struct shoal_space){ (uint8_t *)path + n, SHOAL_PATH_BYTES_MAX + 1 });
	assert(n < 256 && rc >= 0);
	(void)rc;
	return sim_medium_file(&d->medium, path, d->o.content->seed, shoal_metainfo_file_offset(mi, file),
			       shoal_metainfo_file_size(mi, file));
}

struct sim_file *sim_disk_file_of(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi,
				  uint32_t file)
{
	if (d->known.mi != mi || d->known.folder != folder) {
		free(d->known.file);
		d->known.file = sim_must(calloc(shoal_metainfo_file_count(mi) + 1u, sizeof(struct sim_file *)));
		d->known.mi = mi;
		d->known.folder = folder;
	}
	if (d->known.file[file] == NULL)
		d->known.file[file] = sim_disk_file_named(d, folder, mi, file);
	return d->known.file[file];
}

/* The part file holds every byte at its place in the stream: what it is sparse of costs nothing here. */
struct sim_file *sim_disk_part_of(struct sim_disk *d, const char *folder, const struct shoal_metainfo *mi)
{
	char path[300];
	int n = snprintf(path, sizeof path, "/parts%s", folder);
	assert(n > 0 && n < (int)sizeof path);
	(void)n;
	return sim_medium_file(&d->medium, path, d->o.content->seed, 0, shoal_metainfo_stream_size(mi));
}

bool sim_disk_part_next(const struct shoal_metainfo *mi, uint32_t piece, uint32_t *at, uint32_t end, struct part *out)
{
	uint64_t base = (uint64_t)piece * shoal_metainfo_piece_size(mi);
	while (*at < end) {
		uint64_t pos = base + *at;
		uint32_t f = shoal_metainfo_file_at(mi, pos);
		uint64_t begin = shoal_metainfo_file_offset(mi, f);
		uint64_t stop = begin + shoal_metainfo_file_size(mi, f);
		if (pos >= stop)
			return false; /* padding to the end of the piece */
		uint32_t len = stop - pos < end - *at ? (uint32_t)(stop - pos) : end - *at;
		*out = (struct part){ .file = f, .offset = pos - begin, .at = *at, .len = len };
		*at += len;
		if (sim_disk_stored(mi, f))
			return true;
	}
	return false;
}

bool sim_disk_part_place(const struct storage *st, uint32_t piece, uint32_t *at, uint32_t end, struct part *out)
{
	uint32_t first, skew;
	if (!sim_disk_part_next(st->mi, piece, at, end, out))
		return false;
	uint8_t ends = st->ends[out->file];
	uint32_t count = ends != 0 ? shoal_claim_pieces(st->mi, out->file, &first, &skew) : 0;
	if (count > 0 && ((piece == first && ends & 1) || (piece == first + count - 1 && ends & 2))) {
		out->file = shoal_metainfo_file_count(st->mi);
		out->offset = (uint64_t)piece * shoal_metainfo_piece_size(st->mi) + out->at;
	}
	return true;
}
