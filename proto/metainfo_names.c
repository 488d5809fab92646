/*
 * proto/metainfo_names.c - folders, and names that are safe and unique on disk.
 *
 * A name stays as it is, byte for byte, unless it cannot be or must not be:
 * '/' and NUL inside, "", ".", "..", above 255 bytes, taken already, or a
 * folder as well. Names that can stay claim their place first, folders
 * before files, in the torrent's order; the rest are given names around
 * them. So no made-up name ever pushes an honest one aside, and the same
 * torrent has the same names everywhere.
 *
 * Time stays linear: a made-up name carries the number of its file and of
 * the attempt, so each name in the torrent can stand in the way of two
 * attempts at most.
 */
#include "proto/base/digest.h"
#include "proto/metainfo_impl.h"

#include <stdio.h>
#include <stdlib.h>

#define IS_FOLDER (UINT32_C(1) << 31) /* in an entry's number; files are below */
#define EXT_MAX 16		      /* what follows the last dot and is kept at the end of a made-up name */

/* ---- folders ---------------------------------------------------------------------- */

int mi_folder_add(struct mi_parse *p, uint32_t parent, uint32_t name_at, uint32_t *out)
{
	struct shoal_metainfo *mi = p->mi;
	unsigned depth = parent == MI_NONE ? 0 : mi->folder[parent].depth + 1u;
	if (depth > SHOAL_PATH_DEPTH_MAX)
		return mi_fail_info(p, SHOAL_ERR_TOO_LONG, name_at, "a path of more than %d folders",
				    SHOAL_PATH_DEPTH_MAX);
	if (mi->folder_count == MI_FOLDERS_MAX)
		return mi_fail_info(p, SHOAL_ERR_TOO_LONG, name_at, "more than %u folders", MI_FOLDERS_MAX);
	if (mi->folder_count == p->folder_room) {
		uint32_t room = p->folder_room < 16 ? 16 : p->folder_room + p->folder_room / 2;
		struct mi_folder *more = realloc(mi->folder, room * sizeof *more);
		if (more == NULL)
			return SHOAL_ERR_NOMEM;
		mi->folder = more;
		p->folder_room = room;
	}
	*out = mi->folder_count;
	mi->folder[mi->folder_count++] = (struct mi_folder){ .parent = parent,
							     .name = name_at,
							     .depth = (uint8_t)depth };
	return 0;
}

/* The slot where a folder is, or where it would go. */
static uint64_t *folder_place(const struct mi_parse *p, uint32_t parent, struct shoal_bytes raw, uint64_t hash)
{
	for (size_t s = (size_t)hash & (p->folder_slots - 1);; s = (s + 1) & (p->folder_slots - 1)) {
		uint64_t *slot = &p->folder_slot[s];
		if (*slot == 0)
			return slot;
		if (*slot >> 32 != hash >> 32)
			continue;
		const struct mi_folder *f = &p->mi->folder[(uint32_t)*slot - 1];
		if (f->parent == parent && shoal_bytes_equal(mi_raw_at(p->mi, f->name), raw))
			return slot;
	}
}

static int folder_slots_grow(struct mi_parse *p)
{
	size_t old = p->folder_slots, width = old ? old * 2 : 64;
	uint64_t *before = p->folder_slot;
	uint64_t *slot = calloc(width, sizeof *slot);
	if (slot == NULL)
		return SHOAL_ERR_NOMEM;
	p->folder_slot = slot;
	p->folder_slots = width;
	for (uint32_t i = 1; i < p->mi->folder_count && old > 0; i++) {
		const struct mi_folder *f = &p->mi->folder[i];
		struct shoal_bytes raw = mi_raw_at(p->mi, f->name);
		uint64_t hash = shoal_siphash(p->sip, f->parent, raw);
		*folder_place(p, f->parent, raw, hash) = hash >> 32 << 32 | (i + UINT64_C(1));
	}
	free(before);
	return 0;
}

uint32_t mi_folder_find(const struct mi_parse *p, uint32_t parent, struct shoal_bytes raw)
{
	if (p->folder_slots == 0)
		return MI_NONE;
	uint64_t slot = *folder_place(p, parent, raw, shoal_siphash(p->sip, parent, raw));
	return slot ? (uint32_t)slot - 1 : MI_NONE;
}

int mi_folder_get(struct mi_parse *p, uint32_t parent, uint32_t name_at, uint32_t *out)
{
	int rc;
	if (p->mi->folder_count >= p->folder_slots / 2 && (rc = folder_slots_grow(p)) < 0)
		return rc;
	struct shoal_bytes raw = mi_raw_at(p->mi, name_at);
	uint64_t hash = shoal_siphash(p->sip, parent, raw);
	uint64_t *slot = folder_place(p, parent, raw, hash);
	if (*slot) {
		*out = (uint32_t)*slot - 1;
		return 0;
	}
	if ((rc = mi_folder_add(p, parent, name_at, out)) < 0)
		return rc;
	*slot = hash >> 32 << 32 | (*out + UINT64_C(1));
	return 0;
}

/* ---- safe names ------------------------------------------------------------------- */

static bool is_safe(struct shoal_bytes raw)
{
	if (raw.len == 0 || raw.len > SHOAL_NAME_BYTES_MAX)
		return false;
	if (raw.at[0] == '.' && (raw.len == 1 || (raw.len == 2 && raw.at[1] == '.')))
		return false;
	return memchr(raw.at, '/', raw.len) == NULL && memchr(raw.at, 0, raw.len) == NULL;
}

/* At most `max` bytes of a name without half a UTF-8 character at its end. */
static size_t cut(const uint8_t *at, size_t len, size_t max)
{
	if (len <= max)
		return len;
	size_t n = max;
	while (n > 0 && max - n < 3 && (at[n] & 0xc0) == 0x80)
		n--;
	return (at[n] & 0xc0) == 0x80 ? max : n; /* no UTF-8: cut anywhere */
}

/*
 * A safe name for `raw`: bad bytes become '_'; `tag` (may be "") goes before the
 * extension. A long name gives up the end of its stem and gets a piece of its hash
 * instead, so that long names which differ stay apart.
 */
static size_t make_name(struct shoal_bytes raw, const char *tag, uint8_t out[SHOAL_NAME_BYTES_MAX])
{
	char mark[64];
	size_t ext = 0;
	mark[0] = 0;
	if (raw.len <= 2 && (raw.len == 0 || (raw.at[0] == '.' && raw.at[raw.len - 1] == '.')))
		raw = raw.len < 2 ? SHOAL_LIT("_") : SHOAL_LIT("__");
	if (raw.len > SHOAL_NAME_BYTES_MAX) {
		uint8_t digest[32];
		shoal_sha256(raw, digest);
		snprintf(mark, sizeof mark, "~%02x%02x%02x%02x", digest[0], digest[1], digest[2], digest[3]);
	}
	size_t mark_len = strlen(mark) + strlen(tag);
	if (mark_len > 0)
		for (size_t i = 1; i <= EXT_MAX && i < raw.len; i++)
			if (raw.at[raw.len - i] == '.' && i > 1) {
				ext = i;
				break;
			}
	size_t stem = cut(raw.at, raw.len - ext, SHOAL_NAME_BYTES_MAX - mark_len - ext);
	size_t len = 0;
	memcpy(out, raw.at, stem);
	len += stem;
	memcpy(out + len, mark, strlen(mark));
	len += strlen(mark);
	memcpy(out + len, tag, strlen(tag));
	len += strlen(tag);
	memcpy(out + len, raw.at + raw.len - ext, ext);
	len += ext;
	for (size_t i = 0; i < len; i++)
		if (out[i] == '/' || out[i] == 0)
			out[i] = '_';
	return len;
}

/* ---- who has which name ----------------------------------------------------------- */

struct claims {
	struct mi_parse *p;
	uint64_t *slot; /* hash tag << 32 | entry + 1 */
	size_t slots;
};

static uint32_t *name_of(struct shoal_metainfo *mi, uint32_t entry)
{
	return entry & IS_FOLDER ? &mi->folder[entry & ~IS_FOLDER].name : &mi->file[entry].name;
}

static uint32_t parent_of(const struct shoal_metainfo *mi, uint32_t entry)
{
	return entry & IS_FOLDER ? mi->folder[entry & ~IS_FOLDER].parent : mi_folder_of(&mi->file[entry]);
}

/* true: the entry has the name now. false: another has it. */
static bool claim(struct claims *c, uint32_t entry, struct shoal_bytes name)
{
	struct shoal_metainfo *mi = c->p->mi;
	uint32_t parent = parent_of(mi, entry);
	uint64_t hash = shoal_siphash(c->p->sip, parent, name);
	for (size_t s = (size_t)hash & (c->slots - 1);; s = (s + 1) & (c->slots - 1)) {
		uint64_t there = c->slot[s];
		if (there == 0) {
			c->slot[s] = hash >> 32 << 32 | (entry + UINT64_C(1));
			return true;
		}
		if (there >> 32 != hash >> 32)
			continue;
		uint32_t other = (uint32_t)there - 1;
		if (parent_of(mi, other) == parent && shoal_bytes_equal(mi_disk_name(mi, *name_of(mi, other)), name))
			return false;
	}
}

/* Puts a made-up name on record; the entry's name is then the record. */
static int record(struct mi_parse *p, uint32_t entry, const uint8_t *name, size_t len)
{
	struct shoal_metainfo *mi = p->mi;
	if (p->made_room - mi->made_len < 5 + len) {
		size_t room = p->made_room + p->made_room / 2 + 1024;
		if (room >= MI_MADE)
			return SHOAL_ERR_NOMEM;
		uint8_t *more = realloc(mi->made, room);
		if (more == NULL)
			return SHOAL_ERR_NOMEM;
		mi->made = more;
		p->made_room = room;
	}
	uint32_t *ref = name_of(mi, entry);
	uint8_t *rec = mi->made + mi->made_len;
	shoal_put_u32(rec, *ref);
	rec[4] = (uint8_t)len;
	memcpy(rec + 5, name, len);
	*ref = MI_MADE | (uint32_t)mi->made_len;
	mi->made_len += 5 + len;
	return 0;
}

/* The name that entry gets when it cannot have its own. */
static int rename_entry(struct claims *c, uint32_t entry)
{
	struct shoal_metainfo *mi = c->p->mi;
	struct shoal_bytes raw = mi_raw_at(mi, *name_of(mi, entry));
	uint8_t name[SHOAL_NAME_BYTES_MAX];
	char tag[40];
	tag[0] = 0;
	size_t len = make_name(raw, tag, name);
	for (uint32_t attempt = 0; !claim(c, entry, shoal_bytes(name, len)); attempt++) {
		const char *kind = entry & IS_FOLDER ? "d" : "";
		if (attempt == 0)
			snprintf(tag, sizeof tag, "~%s%x", kind, entry & ~IS_FOLDER);
		else
			snprintf(tag, sizeof tag, "~%s%x~%x", kind, entry & ~IS_FOLDER, attempt);
		len = make_name(raw, tag, name);
	}
	return record(c->p, entry, name, len);
}

/* Entries are visited so: folders that can keep their name, files that can, then the other folders and files. */
static int claim_all(struct claims *c, uint32_t first_folder)
{
	struct shoal_metainfo *mi = c->p->mi;
	uint8_t *waits = calloc(mi->file_count / 8 + mi->folder_count / 8 + 2, 1);
	if (waits == NULL)
		return SHOAL_ERR_NOMEM;
	int rc = 0;
	for (int again = 0; again < 2; again++) {
		uint32_t bit = 0;
		for (uint32_t i = first_folder; i < mi->folder_count && rc >= 0; i++, bit++) {
			struct shoal_bytes raw = mi_raw_at(mi, mi->folder[i].name);
			if (again == 0 && !(is_safe(raw) && claim(c, IS_FOLDER | i, raw)))
				waits[bit / 8] |= (uint8_t)(1u << bit % 8);
			else if (again && waits[bit / 8] >> bit % 8 & 1)
				rc = rename_entry(c, IS_FOLDER | i);
		}
		for (uint32_t i = 0; i < mi->file_count && rc >= 0; i++, bit++) {
			if (mi_flags(&mi->file[i]) & SHOAL_FILE_PAD)
				continue;
			struct shoal_bytes raw = mi_raw_at(mi, mi->file[i].name);
			if (again == 0 && !(is_safe(raw) && claim(c, i, raw)))
				waits[bit / 8] |= (uint8_t)(1u << bit % 8);
			else if (again && waits[bit / 8] >> bit % 8 & 1)
				rc = rename_entry(c, i);
		}
	}
	free(waits);
	return rc;
}

static bool all_safe(const struct shoal_metainfo *mi)
{
	for (uint32_t i = 0; i < mi->folder_count; i++)
		if (!is_safe(mi_raw_at(mi, mi->folder[i].name)))
			return false;
	for (uint32_t i = 0; i < mi->file_count; i++)
		if (!(mi_flags(&mi->file[i]) & SHOAL_FILE_PAD) && !is_safe(mi_raw_at(mi, mi->file[i].name)))
			return false;
	return true;
}

/* Lengths of paths, and the flag on every file whose path is not the torrent's. */
static int measure(struct mi_parse *p)
{
	struct shoal_metainfo *mi = p->mi;
	for (uint32_t i = 0; i < mi->folder_count; i++) {
		struct mi_folder *f = &mi->folder[i];
		size_t len = mi_disk_name(mi, f->name).len;
		f->renamed = f->name & MI_MADE;
		if (f->parent != MI_NONE) {
			len += 1u + mi->folder[f->parent].path_len;
			f->renamed |= mi->folder[f->parent].renamed;
		}
		if (len > SHOAL_PATH_BYTES_MAX)
			return mi_fail(p, SHOAL_ERR_TOO_LONG, 0, "a path of more than %d bytes", SHOAL_PATH_BYTES_MAX);
		f->path_len = (uint16_t)len;
	}
	for (uint32_t i = 0; i < mi->file_count; i++) {
		struct mi_file *f = &mi->file[i];
		if (mi_flags(f) & SHOAL_FILE_PAD)
			continue;
		size_t len = mi_disk_name(mi, f->name).len +
			     (mi->single ? 0u : 1u + mi->folder[mi_folder_of(f)].path_len);
		if (len > SHOAL_PATH_BYTES_MAX)
			return mi_fail(p, SHOAL_ERR_TOO_LONG, 0, "the path of file %u has more than %d bytes", i,
				       SHOAL_PATH_BYTES_MAX);
		if ((f->name & MI_MADE) || (!mi->single && mi->folder[mi_folder_of(f)].renamed))
			mi_add_flags(f, SHOAL_FILE_RENAMED);
	}
	return 0;
}

int mi_names_settle(struct mi_parse *p)
{
	struct shoal_metainfo *mi = p->mi;
	int rc = 0;
	/* A v2 tree that check() has passed cannot name a thing twice; only a plain list can. */
	if (!mi->has_v2 || !all_safe(mi)) {
		size_t entries = (size_t)mi->file_count + mi->folder_count, slots = 64;
		while (slots < entries + entries / 2)
			slots *= 2;
		struct claims c = { p, calloc(slots, sizeof *c.slot), slots };
		if (c.slot == NULL)
			return SHOAL_ERR_NOMEM;
		/* The torrent's own folder is not made for a single file. */
		rc = claim_all(&c, mi->single ? 1 : 0);
		free(c.slot);
	}
	return rc < 0 ? rc : measure(p);
}
