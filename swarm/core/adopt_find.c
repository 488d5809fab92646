/* swarm/core/adopt_find.c - where bytes that are wanted may lie: records of whole files, and folders that were walked. */
#include <stdlib.h>
#include <string.h>
#include "proto/base/digest.h"
#include "swarm/core/adopt_room.h"
#include "swarm/core/node_room.h"

#define ROWS_MAX 64 /* records of one content that are looked at */
#define KIN_LOOKUPS 64
#define ALIKE_MAX 64 /* found files of one name and size */

/* ---- names --------------------------------------------------------------------------------- */

static struct shoal_bytes last_of(struct shoal_bytes path)
{
	size_t at = path.len;
	while (at > 0 && path.at[at - 1] != '/')
		at--;
	return shoal_bytes(path.at + at, path.len - at);
}

/* How many of their last bytes two paths share: files of one data set that bear one name are told apart by their folders. */
static size_t alike(struct shoal_bytes a, struct shoal_bytes b)
{
	size_t n = 0;
	while (n < a.len && n < b.len && a.at[a.len - 1 - n] == b.at[b.len - 1 - n])
		n++;
	return n;
}

void shoal_adopt_name_key(struct shoal_bytes path, uint64_t size, uint8_t out[16])
{
	uint8_t text[8 + SHOAL_PATH_BYTES_MAX], digest[32];
	struct shoal_bytes name = last_of(path);
	size_t len = name.len < SHOAL_PATH_BYTES_MAX ? name.len : SHOAL_PATH_BYTES_MAX;
	shoal_put_u64(text, size);
	if (len > 0)
		memcpy(text + 8, name.at, len);
	shoal_sha256(shoal_bytes(text, 8 + len), digest);
	memcpy(out, digest, 16);
}

static struct shoal_bytes path_of(const struct shoal_swarm *s, uint32_t file, char room[SHOAL_PATH_BYTES_MAX + 1])
{
	int n = shoal_metainfo_path(s->mi, file, (struct shoal_space){ (uint8_t *)room, SHOAL_PATH_BYTES_MAX + 1 });
	return shoal_bytes(room, n > 0 ? (size_t)n : 0);
}

bool shoal_adopt_by_name(const struct shoal_metainfo *mi, uint32_t file)
{
	return shoal_metainfo_file_root(mi, file) == NULL && shoal_metainfo_file_size(mi, file) >= SHOAL_ADOPT_V1_MIN;
}

int shoal_adopt_record(struct shoal_swarm *s, uint32_t file, struct shoal_bytes key, struct shoal_bytes value)
{
	uint8_t by_name[16 + SHOAL_CLAIM_PLACE_BYTES];
	char room[SHOAL_PATH_BYTES_MAX + 1];
	const struct shoal_store *store = &s->node->store;
	uint64_t size = shoal_metainfo_file_size(s->mi, file);
	shoal_adopt_name_key(path_of(s, file, room), size, by_name);
	memcpy(by_name + 16, key.at, SHOAL_CLAIM_PLACE_BYTES);
	return store->ops->put(store->s, SHOAL_STORE_NAMED, shoal_bytes(by_name, sizeof by_name), value);
}

/* ---- records ----------------------------------------------------------------------------------- */

static int one_is_enough(void *to, struct shoal_bytes key, struct shoal_bytes value)
{
	(void)key, (void)value;
	*(bool *)to = true;
	return 1;
}

bool shoal_adopt_any_record(struct shoal_swarm *s)
{
	const struct shoal_store *store = &s->node->store;
	bool any = false;
	if (store->ops != NULL &&
	    store->ops->scan(store->s, SHOAL_STORE_FILE, shoal_bytes(NULL, 0), one_is_enough, &any) < 0)
		return false;
	return any;
}

/* The place of that name; the last one stands for all that do not fit. false: no memory. */
static bool place_of(struct shoal_adopt *a, struct shoal_bytes folder, uint32_t *out)
{
	for (uint32_t i = 0; i < a->place_count; i++) {
		if (shoal_bytes_equal(folder, shoal_bytes(a->place[i].folder, strlen(a->place[i].folder)))) {
			*out = i;
			return true;
		}
	}
	if (a->place_count == SHOAL_ADOPT_FOLDERS_MAX)
		return false;
	char *copy = strndup((const char *)folder.at, folder.len);
	if (copy == NULL)
		return false;
	*out = a->place_count;
	a->place[a->place_count++] = (struct shoal_adopt_place){ .folder = copy };
	return true;
}

/* Adds a candidate, the likeliest first: the one whose path is most like ours. */
static void add(struct shoal_adopt_work *w, size_t rank[SHOAL_ADOPT_TRIES], uint32_t place, struct shoal_bytes path,
		size_t likeness, enum shoal_adopt_by by)
{
	uint32_t at = w->try_count;
	while (at > 0 && rank[at - 1] < likeness)
		at--;
	if (at == SHOAL_ADOPT_TRIES)
		return;
	char *copy = strndup((const char *)path.at, path.len);
	if (copy == NULL)
		return;
	if (w->try_count == SHOAL_ADOPT_TRIES)
		free(w->try[--w->try_count].path);
	for (uint32_t i = w->try_count; i > at; i--) {
		w->try[i] = w->try[i - 1];
		rank[i] = rank[i - 1];
	}
	w->try[at] = (struct shoal_adopt_try){ place, copy, by, false };
	rank[at] = likeness;
	w->try_count++;
}

/* ---- beside another ------------------------------------------------------------------------------ */

/* A candidate of one file was found: the folders above it, as far as they are not the same. */
static void note_kin(struct shoal_adopt *a, struct shoal_bytes own, const struct shoal_adopt_try *t)
{
	struct shoal_bytes other = shoal_bytes(t->path, strlen(t->path));
	size_t same = alike(own, other);
	/* Back to where a component begins in both. */
	while (same > 0 && ((same < own.len && own.at[own.len - same - 1] != '/') ||
			    (same < other.len && other.at[other.len - same - 1] != '/')))
		same--;
	if (same == 0 || a->kin_count == SHOAL_ADOPT_KIN)
		return; /* it has another name, and tells nothing */
	struct shoal_bytes ours = shoal_bytes(own.at, own.len - same), theirs = shoal_bytes(other.at, other.len - same);
	for (uint32_t i = 0; i < a->kin_count; i++)
		if (a->kin[i].place == t->place && strlen(a->kin[i].ours) == ours.len &&
		    memcmp(a->kin[i].ours, ours.at, ours.len) == 0 && strlen(a->kin[i].theirs) == theirs.len &&
		    memcmp(a->kin[i].theirs, theirs.at, theirs.len) == 0)
			return;
	struct shoal_adopt_kin kin = { t->place, strndup((const char *)ours.at, ours.len),
				       strndup((const char *)theirs.at, theirs.len) };
	if (kin.ours != NULL && kin.theirs != NULL) {
		a->kin[a->kin_count++] = kin;
		return;
	}
	free(kin.ours);
	free(kin.theirs);
}

struct looking {
	struct shoal_swarm *s;
	struct shoal_adopt_work *w;
	struct shoal_bytes own;	  /* our path of the file */
	const uint8_t *own_place; /* as in keys: the record of our own file says nothing new */
	size_t place_at, rank[SHOAL_ADOPT_TRIES];
	uint64_t size;
	unsigned rows;
};

static int on_row(void *to, struct shoal_bytes key, struct shoal_bytes value)
{
	struct looking *l = to;
	struct shoal_claim claim;
	uint32_t place;
	if (++l->rows > ROWS_MAX)
		return 1;
	if (key.len < l->place_at + 16 || memcmp(key.at + l->place_at, l->own_place, 16) == 0 ||
	    shoal_claim_decode(value, &claim) < 0 || claim.path.len == 0 || claim.folder.len == 0 ||
	    (claim.flags & SHOAL_CLAIM_OPEN) || claim.stamp.size < l->size ||
	    memchr(claim.path.at, 0, claim.path.len) != NULL || memchr(claim.folder.at, 0, claim.folder.len) != NULL)
		return 0;
	if (place_of(l->s->adopt, claim.folder, &place))
		add(l->w, l->rank, place, claim.path, alike(claim.path, l->own), SHOAL_ADOPT_BY_NAME);
	return 0;
}

/* Under the path it would have there. */
static void from_kin(struct looking *l)
{
	const struct shoal_adopt *a = l->s->adopt;
	char path[2 * SHOAL_PATH_BYTES_MAX + 1];
	for (uint32_t i = 0; i < a->kin_count; i++) {
		size_t ours = strlen(a->kin[i].ours), theirs = strlen(a->kin[i].theirs);
		if (ours >= l->own.len || memcmp(l->own.at, a->kin[i].ours, ours) != 0 ||
		    theirs + (l->own.len - ours) >= sizeof path)
			continue;
		memcpy(path, a->kin[i].theirs, theirs);
		memcpy(path + theirs, l->own.at + ours, l->own.len - ours);
		add(l->w, l->rank, a->kin[i].place, shoal_bytes(path, theirs + l->own.len - ours), l->own.len - ours,
		    SHOAL_ADOPT_BY_KIN);
	}
}

static void from_records(struct looking *l, const uint8_t key[SHOAL_CLAIM_KEY_LEN])
{
	const struct shoal_store *store = &l->s->node->store;
	const uint8_t *root = shoal_metainfo_file_root(l->s->mi, l->w->file);
	uint8_t name[16];
	int rc = 0;
	l->own_place = key + 32;
	l->place_at = root != NULL ? 32 : 48;
	if (root != NULL) {
		rc = store->ops->scan(store->s, SHOAL_STORE_FILE, shoal_bytes(root, 32), on_row, l);
	} else if (l->size >= SHOAL_ADOPT_V1_MIN) {
		shoal_adopt_name_key(l->own, l->size, name);
		rc = store->ops->scan(store->s, SHOAL_STORE_NAMED, shoal_bytes(name, sizeof name), on_row, l);
	}
	(void)rc; /* what cannot be looked up is fetched */
}

void shoal_adopt_kin(struct shoal_swarm *s)
{
	uint32_t lookups = KIN_LOOKUPS;
	for (uint32_t f = 0; f < s->adopt->files && lookups > 0 && s->adopt->kin_count == 0; f++) {
		struct shoal_adopt_work w = { .file = f };
		if (s->file[f].left > 0 || !shoal_adopt_by_name(s->mi, f))
			continue;
		lookups--;
		shoal_adopt_candidates(s, &w);
		while (w.try_count > 0)
			free(w.try[--w.try_count].path);
	}
}

/* ---- folders that were walked -------------------------------------------------------------------- */

static int want_order(const void *x, const void *y)
{
	const struct shoal_disk_want *a = x, *b = y;
	if (a->size != b->size)
		return a->size < b->size ? -1 : 1;
	return (a->name > b->name) - (a->name < b->name);
}

static int found_order(const void *x, const void *y)
{
	const struct shoal_disk_found *a = x, *b = y;
	if (a->size != b->size)
		return a->size < b->size ? -1 : 1;
	if (a->stranger != b->stranger)
		return a->stranger ? -1 : 1;
	return (a->name > b->name) - (a->name < b->name);
}

void shoal_adopt_want(struct shoal_swarm *s, uint32_t file)
{
	char room[SHOAL_PATH_BYTES_MAX + 1];
	struct shoal_bytes name = last_of(path_of(s, file, room));
	s->adopt->want[s->adopt->want_count++] = (struct shoal_disk_want){
		.size = shoal_metainfo_file_size(s->mi, file), .name = shoal_disk_name((const char *)name.at, name.len)
	};
}

void shoal_adopt_want_sort(struct shoal_adopt *a)
{
	uint32_t n = 0;
	qsort(a->want, a->want_count, sizeof *a->want, want_order);
	for (uint32_t i = 0; i < a->want_count; i++)
		if (n == 0 || want_order(&a->want[n - 1], &a->want[i]) != 0)
			a->want[n++] = a->want[i];
	a->want_count = n;
}

void shoal_adopt_sort(struct shoal_adopt_place *p)
{
	if (p->found_count > 0)
		qsort(p->found, p->found_count, sizeof *p->found, found_order);
}

static void from_place(struct looking *l, uint32_t place, bool stranger)
{
	const struct shoal_adopt_place *p = &l->s->adopt->place[place];
	struct shoal_bytes name = last_of(l->own);
	struct shoal_disk_found key = { .size = l->size,
					.stranger = stranger,
					.name = stranger ? 0 : shoal_disk_name((const char *)name.at, name.len) };
	uint32_t low = 0, high = p->found_count;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (found_order(&p->found[mid], &key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (uint32_t i = low; i < p->found_count && i - low < ALIKE_MAX && p->found[i].size == l->size &&
			       p->found[i].stranger == stranger && (stranger || p->found[i].name == key.name);
	     i++) {
		struct shoal_bytes path = shoal_bytes(p->found[i].path, strlen(p->found[i].path));
		add(l->w, l->rank, place, path, alike(path, l->own),
		    stranger ? SHOAL_ADOPT_BY_SIZE : SHOAL_ADOPT_BY_NAME);
	}
}

void shoal_adopt_candidates(struct shoal_swarm *s, struct shoal_adopt_work *w)
{
	char room[SHOAL_PATH_BYTES_MAX + 1];
	uint8_t key[SHOAL_CLAIM_KEY_LEN];
	struct looking l = { .s = s, .w = w, .own = path_of(s, w->file, room) };
	l.size = shoal_metainfo_file_size(s->mi, w->file);
	shoal_claim_key(s->mi, w->file, shoal_bytes(s->folder, strlen(s->folder)), 0, key);
	if (s->adopt->records)
		from_records(&l, key);
	if (w->try_count > 0 && shoal_metainfo_file_root(s->mi, w->file) != NULL)
		return; /* its root was found: nothing else is as likely */
	for (uint32_t i = 0; i < s->adopt->place_count; i++)
		from_place(&l, i, false);
	for (uint32_t i = 0; i < s->adopt->place_count; i++)
		from_place(&l, i, true);
	if (shoal_metainfo_file_root(s->mi, w->file) != NULL)
		return;
	if (w->try_count > 0)
		note_kin(s->adopt, l.own, &w->try[0]);
	else
		from_kin(&l);
}
