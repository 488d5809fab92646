/*
 * proto/metainfo_impl.h - what the metainfo*.c files share, and nobody else sees.
 *
 * Names are not copied: a name is the offset of its bencoded string in the
 * raw info dictionary, or, where the name on disk had to be another, of a
 * record in `made` (then MI_MADE is set): 4 bytes with the offset of the
 * raw name, a length byte, the name.
 */
#ifndef SHOAL_METAINFO_IMPL_H
#define SHOAL_METAINFO_IMPL_H

#include "proto/base/bytes.h"
#include "proto/bencode.h"
#include "proto/metainfo.h"
#include "proto/siphash.h"

#define MI_NONE UINT32_MAX
#define MI_MADE (UINT32_C(1) << 31)
#define MI_BLOCK (16u * 1024) /* a leaf of BEP 52 */

/*
 * 24 bytes each, for there may be a million: numbers of 48 bits in halves (SHOAL_TOTAL_SIZE_MAX is 2^47), the flags
 * above the folder's number. Ask by the functions below.
 */
struct mi_file {
	uint32_t offset_low, size_low; /* offset: in the stream */
	uint16_t offset_high, size_high;
	uint32_t name;
	uint32_t flags_folder; /* enum shoal_file_flag << 24 | folder */
	uint32_t root;	       /* v2: offset of the 32 bytes in info, or MI_NONE. A v1 pad: the first pad of its run */
};
_Static_assert(sizeof(struct mi_file) == 24, "what a file costs is a promise");
#define MI_FOLDERS_MAX (UINT32_C(1) << 24)
struct mi_folder {
	uint32_t parent; /* MI_NONE for folder 0, the torrent's own; always before its children */
	uint32_t name;
	uint16_t path_len; /* bytes of its path on disk */
	uint8_t depth;	   /* folders above it */
	bool renamed;	   /* it, or one above it */
};
struct mi_layer {
	uint32_t file;
	bool owned;	       /* else in layer_arena */
	const uint8_t *hashes; /* NULL: unknown */
};
struct mi_text { /* in `text`, NUL-ended */
	uint32_t at, len, tier;
};
struct mi_texts {
	struct mi_text *item;
	size_t count;
};

struct shoal_metainfo {
	const uint8_t *info;
	size_t info_len;
	uint8_t *info_own; /* the same when it is ours, NULL when it is lent */
	struct shoal_id20 hash_v1;
	struct shoal_id32 hash_v2;
	bool has_v1, has_v2, single, is_private;
	uint32_t piece_size, piece_count;
	uint64_t size, stream;
	uint32_t name_at;   /* the raw name's string in info */
	uint32_t pieces_at; /* the SHA-1s in info */
	struct mi_file *file;
	uint32_t file_count;
	struct mi_folder *folder;
	uint32_t folder_count;
	uint8_t *made;
	size_t made_len;
	struct mi_layer *layer;
	uint32_t layer_count, layers_known;
	uint8_t *layer_arena;
	size_t layer_arena_len, layer_owned; /* bytes */
	/* what stands beside the info dictionary */
	char *text;
	size_t text_len;
	struct mi_texts tracker, webseed, peer, node, similar, collection;
	struct mi_text comment, created_by;
	struct shoal_bytes source; /* in info */
	int64_t created_at;
};

/* A parse under way. */
struct mi_parse {
	struct shoal_metainfo *mi;
	struct shoal_metainfo_fault *why;
	size_t info_at; /* where info stands in the input, for faults */
	bool lent;	/* the input outlives the object */
	uint32_t file_room, folder_room;
	size_t made_room, text_room;
	struct shoal_sipkey sip;
	uint64_t *folder_slot; /* v1: hash tag << 32 | folder + 1, by parent and raw name */
	size_t folder_slots;   /* a power of two, or 0 */
};

/* Fills *why and returns err. `at` is an offset in the input. */
__attribute__((format(printf, 4, 5))) int mi_fail(struct mi_parse *p, int err, size_t at, const char *format, ...);
/* The same with an offset in info. */
#define mi_fail_info(p, err, at, ...) mi_fail(p, err, (p)->info_at + (at), __VA_ARGS__)
/* 0, or MALFORMED when the field is there and is of another kind. `where` ends the sentence. */
SHOAL_MUST int mi_kind(struct mi_parse *p, const struct shoal_ben_field *field, enum shoal_ben_kind kind, size_t base,
		       const char *where);

static inline uint64_t mi_size(const struct mi_file *f)
{
	return (uint64_t)f->size_high << 32 | f->size_low;
}
static inline uint64_t mi_offset(const struct mi_file *f)
{
	return (uint64_t)f->offset_high << 32 | f->offset_low;
}
static inline unsigned mi_flags(const struct mi_file *f)
{
	return f->flags_folder >> 24;
}
static inline uint32_t mi_folder_of(const struct mi_file *f)
{
	return f->flags_folder & (MI_FOLDERS_MAX - 1);
}
/* The parser has checked: a number is below 2^48, a folder's below MI_FOLDERS_MAX. */
static inline void mi_place(struct mi_file *f, uint64_t offset, uint64_t size)
{
	f->offset_low = (uint32_t)offset;
	f->offset_high = (uint16_t)(offset >> 32);
	f->size_low = (uint32_t)size;
	f->size_high = (uint16_t)(size >> 32);
}
static inline void mi_add_flags(struct mi_file *f, unsigned flags)
{
	f->flags_folder |= (uint32_t)flags << 24;
}
/* The bencoded string at `at` of info, which the parser has seen already. */
static inline struct shoal_bytes mi_raw_at(const struct shoal_metainfo *mi, uint32_t at)
{
	size_t len = 0;
	for (; mi->info[at] != ':'; at++)
		len = len * 10 + (size_t)(mi->info[at] - '0');
	return shoal_bytes(mi->info + at + 1, len);
}
static inline struct shoal_bytes mi_raw_name(const struct shoal_metainfo *mi, uint32_t name)
{
	if (name & MI_MADE)
		name = shoal_get_u32(mi->made + (name & ~MI_MADE));
	return mi_raw_at(mi, name);
}
static inline struct shoal_bytes mi_disk_name(const struct shoal_metainfo *mi, uint32_t name)
{
	if (!(name & MI_MADE))
		return mi_raw_at(mi, name);
	const uint8_t *rec = mi->made + (name & ~MI_MADE);
	return shoal_bytes(rec + 5, rec[4]);
}

/* metainfo_names.c */
SHOAL_MUST int mi_folder_add(struct mi_parse *p, uint32_t parent, uint32_t name_at, uint32_t *out);
SHOAL_MUST int mi_folder_get(struct mi_parse *p, uint32_t parent, uint32_t name_at,
			     uint32_t *out);						    /* v1: find or add */
uint32_t mi_folder_find(const struct mi_parse *p, uint32_t parent, struct shoal_bytes raw); /* MI_NONE */
/* Gives every file and folder its name on disk. */
SHOAL_MUST int mi_names_settle(struct mi_parse *p);

/* metainfo_v1.c: the list and the pieces; metainfo_v2.c: the tree, alone or held against the list */
SHOAL_MUST int mi_file_add(struct mi_parse *p, const struct mi_file *file, size_t at);
/* The letters of attr (BEP 47) as flags. */
unsigned mi_attr_flags(const struct shoal_ben_value *attr);
SHOAL_MUST int mi_v1_files(struct mi_parse *p, const struct shoal_ben_value *files,
			   const struct shoal_ben_value *length, const struct shoal_ben_value *attr);
SHOAL_MUST int mi_v1_pieces(struct mi_parse *p, const struct shoal_ben_value *pieces);
SHOAL_MUST int mi_v2_tree(struct mi_parse *p, struct shoal_bytes tree);

/* metainfo_layers.c */
SHOAL_MUST int mi_layers_init(struct mi_parse *p);
SHOAL_MUST int mi_layers_load(struct mi_parse *p, const struct shoal_ben_value *layers);

/* metainfo_outer.c: trackers and the like, and the comment */
enum { MI_OUTER_INFO, MI_OUTER_LAYERS, MI_OUTER_COUNT = 13 };
struct mi_outer_fields { /* of the torrent, found in one pass */
	struct shoal_ben_field f[MI_OUTER_COUNT];
	ptrdiff_t found; /* < 0: it cannot be read, and no field is set */
};
void mi_outer_pick(struct shoal_bytes torrent, struct mi_outer_fields *out);
SHOAL_MUST int mi_outer(struct mi_parse *p, const struct mi_outer_fields *outer);
/* BEP 38, which may stand in the info dictionary, beside it, or in both: then it is merged. */
SHOAL_MUST int mi_hints(struct mi_parse *p, const struct shoal_ben_value *similar,
			const struct shoal_ben_value *collections);

#endif
