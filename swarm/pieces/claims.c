/* swarm/pieces/claims.c - records of verified pieces: keys, bytes, and trust. */
#include "swarm/pieces/claims.h"

#include <string.h>
#include "proto/base/bytes.h"
#include "proto/base/digest.h"

#define CLAIM_VERSION 1
#define CLAIM_VERSION_PLACE 2 /* folder and path follow */

static void feed(struct shoal_sha256 *sha, struct shoal_bytes in)
{
	struct shoal_sha256 *ctx[1] = { sha };
	const uint8_t *at[1] = { in.at };
	if (in.len)
		shoal_sha256_advance(ctx, at, 1, in.len);
}

/*
 * What a file without a v2 root is: the torrent and its number in it. The number stands last and as it is, so that the
 * records of a torrent lie side by side in the store, and ten thousands of small files fill its pages one after the other.
 */
static void v1_content(const struct shoal_metainfo *mi, uint32_t file, uint8_t out[32])
{
	struct shoal_sha256 sha;
	shoal_sha256_init(&sha);
	feed(&sha, SHOAL_LIT("shoal files of a v1 torrent"));
	if (shoal_metainfo_hash_v1(mi) != NULL)
		feed(&sha, shoal_bytes(shoal_metainfo_hash_v1(mi)->b, 20));
	shoal_sha256_final(&sha, out);
	shoal_put_u32(out + 28, file);
}

void shoal_claim_key(const struct shoal_metainfo *mi, uint32_t file, struct shoal_bytes folder, uint32_t chunk,
		     uint8_t out[SHOAL_CLAIM_KEY_LEN])
{
	const uint8_t *root = shoal_metainfo_file_root(mi, file);
	if (root != NULL)
		memcpy(out, root, 32);
	else
		v1_content(mi, file, out);

	char path[SHOAL_PATH_BYTES_MAX + 1];
	int len = shoal_metainfo_path(mi, file, (struct shoal_space){ (uint8_t *)path, sizeof path });
	struct shoal_sha256 sha;
	uint8_t place[32];
	shoal_sha256_init(&sha);
	feed(&sha, folder);
	feed(&sha, SHOAL_LIT("/"));
	feed(&sha, shoal_bytes(path, len > 0 ? (size_t)len : 0));
	shoal_sha256_final(&sha, place);
	memcpy(out + 32, place, 16);
	shoal_put_u32(out + 48, chunk);
}

ptrdiff_t shoal_claim_encode(const struct shoal_claim *claim, struct shoal_space out)
{
	struct shoal_wr w = shoal_wr(out);
	bool place = claim->path.len > 0;
	if (claim->folder.len > SHOAL_PATH_BYTES_MAX || claim->path.len > SHOAL_PATH_BYTES_MAX)
		return SHOAL_ERR_TOO_LONG;
	shoal_wr_u8(&w, place ? CLAIM_VERSION_PLACE : CLAIM_VERSION);
	shoal_wr_u8(&w, (uint8_t)claim->flags);
	shoal_wr_u64(&w, claim->stamp.dev);
	shoal_wr_u64(&w, claim->stamp.ino);
	shoal_wr_u64(&w, claim->stamp.size);
	shoal_wr_u64(&w, (uint64_t)claim->stamp.mtime_ns);
	shoal_wr_u64(&w, (uint64_t)claim->stamp.ctime_ns);
	shoal_wr_u32(&w, claim->piece_size);
	shoal_wr_u32(&w, claim->skew);
	shoal_wr_u32(&w, claim->first);
	shoal_wr_u32(&w, claim->count);
	if (!(claim->flags & SHOAL_CLAIM_ALL))
		shoal_wr_put(&w, claim->bitmap);
	if (place) {
		shoal_wr_u16(&w, (uint16_t)claim->folder.len);
		shoal_wr_put(&w, claim->folder);
		shoal_wr_u16(&w, (uint16_t)claim->path.len);
		shoal_wr_put(&w, claim->path);
	}
	return w.bad ? SHOAL_ERR_TOO_LONG : (ptrdiff_t)w.pos;
}

int shoal_claim_decode(struct shoal_bytes in, struct shoal_claim *out)
{
	struct shoal_rd r = shoal_rd(in);
	struct shoal_claim c = { 0 };
	uint8_t version = shoal_rd_u8(&r);
	c.flags = shoal_rd_u8(&r);
	c.stamp.dev = shoal_rd_u64(&r);
	c.stamp.ino = shoal_rd_u64(&r);
	c.stamp.size = shoal_rd_u64(&r);
	c.stamp.mtime_ns = (int64_t)shoal_rd_u64(&r);
	c.stamp.ctime_ns = (int64_t)shoal_rd_u64(&r);
	c.piece_size = shoal_rd_u32(&r);
	c.skew = shoal_rd_u32(&r);
	c.first = shoal_rd_u32(&r);
	c.count = shoal_rd_u32(&r);
	if (r.bad || (version != CLAIM_VERSION && version != CLAIM_VERSION_PLACE) || c.count > SHOAL_CLAIM_CHUNK)
		return SHOAL_ERR_MALFORMED;
	if (!(c.flags & SHOAL_CLAIM_ALL))
		c.bitmap = shoal_rd_take(&r, ((size_t)c.count + 7) / 8);
	if (version == CLAIM_VERSION_PLACE) {
		c.folder = shoal_rd_take(&r, shoal_rd_u16(&r));
		c.path = shoal_rd_take(&r, shoal_rd_u16(&r));
		if (c.path.len == 0 || c.path.len > SHOAL_PATH_BYTES_MAX || c.folder.len > SHOAL_PATH_BYTES_MAX)
			return SHOAL_ERR_MALFORMED;
	}
	if (r.bad || shoal_rd_left(&r) != 0)
		return SHOAL_ERR_MALFORMED;
	*out = c;
	return 0;
}

bool shoal_stamp_same(const struct shoal_stamp *a, const struct shoal_stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime_ns == b->mtime_ns &&
	       a->ctime_ns == b->ctime_ns;
}

bool shoal_claim_trusted(const struct shoal_claim *claim, const struct shoal_seen *seen)
{
	if (seen->state != SHOAL_SEEN_PART && seen->state != SHOAL_SEEN_WHOLE)
		return false;
	/* We were writing it: what the last sync covered is as it was. Its size was looked at after that sync, with
	 * later writes in it, and may be less after a power cut; pieces past the end are not believed anyway. */
	if (claim->flags & SHOAL_CLAIM_OPEN)
		return claim->stamp.dev == seen->stamp.dev && claim->stamp.ino == seen->stamp.ino;
	return shoal_stamp_same(&claim->stamp, &seen->stamp);
}

uint32_t shoal_claim_pieces(const struct shoal_metainfo *mi, uint32_t file, uint32_t *first, uint32_t *skew)
{
	uint64_t size = shoal_metainfo_file_size(mi, file);
	uint64_t offset = shoal_metainfo_file_offset(mi, file);
	uint32_t piece_size = shoal_metainfo_piece_size(mi);
	if (size == 0 || piece_size == 0 ||
	    (shoal_metainfo_file_flags(mi, file) & (SHOAL_FILE_PAD | SHOAL_FILE_SYMLINK)))
		return 0;
	*first = (uint32_t)(offset / piece_size);
	*skew = (uint32_t)(offset % piece_size);
	return (uint32_t)((offset + size - 1) / piece_size) - *first + 1;
}
