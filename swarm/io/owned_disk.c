/* owned_disk.c - see owned_disk.h. */
#include "swarm/io/owned_disk.h"

#include <stdlib.h>
#include <string.h>
#include "swarm/io/owner.h"

struct shoal_owned_disk {
	const struct shoal_os_ops *os;
	struct shoal_disk below;
	struct shoal_owner *owner; /* by storage; `room` of them */
	uint32_t room;
	long pid;
	char state[];
};

/* The metainfo's own identity: its v2 hash, else its v1 hash with zeros behind it. */
static struct shoal_id32 id_of(const struct shoal_metainfo *mi)
{
	struct shoal_id32 id = { { 0 } };
	if (shoal_metainfo_hash_v2(mi) != NULL)
		id = *shoal_metainfo_hash_v2(mi);
	else if (shoal_metainfo_hash_v1(mi) != NULL)
		memcpy(id.b, shoal_metainfo_hash_v1(mi)->b, 20);
	return id;
}

/* Storages are small numbers, used again. */
static int owner_room(struct shoal_owned_disk *od, uint32_t storage)
{
	if (storage < od->room)
		return 0;
	size_t room = (size_t)storage + 1 + storage / 2 + 7;
	struct shoal_owner *more = realloc(od->owner, room * sizeof *more);
	if (more == NULL || room > UINT32_MAX) {
		od->owner = more != NULL ? more : od->owner;
		return SHOAL_ERR_NOMEM;
	}
	for (size_t i = od->room; i < room; i++)
		more[i] = (struct shoal_owner){ .os = od->os, .fd = -1 };
	od->owner = more;
	od->room = (uint32_t)room;
	return 0;
}

static int owned_open(void *d, const struct shoal_metainfo *mi, const char *folder, bool read_only, uint32_t *storage)
{
	struct shoal_owned_disk *od = d;
	struct shoal_owner owner = { .os = od->os, .fd = -1 };
	struct shoal_id32 id = id_of(mi);
	int rc = shoal_owner_take(&owner, od->os, od->state, &id, folder, &od->pid);
	if (rc < 0)
		return rc;
	if ((rc = od->below.ops->open(od->below.d, mi, folder, read_only, storage)) < 0)
		goto out;
	if ((rc = owner_room(od, *storage)) < 0) {
		od->below.ops->close(od->below.d, *storage);
		goto out;
	}
	od->owner[*storage] = owner;
	return 0;
out:
	shoal_owner_drop(&owner);
	return rc;
}

static void owned_close(void *d, uint32_t storage)
{
	struct shoal_owned_disk *od = d;
	od->below.ops->close(od->below.d, storage);
	if (storage < od->room)
		shoal_owner_drop(&od->owner[storage]);
}

static int pass_submit(void *d, struct shoal_disk_job *job)
{
	const struct shoal_disk *below = &((struct shoal_owned_disk *)d)->below;
	return below->ops->submit(below->d, job);
}

static size_t pass_reap(void *d, struct shoal_disk_job *out[], size_t max)
{
	const struct shoal_disk *below = &((struct shoal_owned_disk *)d)->below;
	return below->ops->reap(below->d, out, max);
}

static int pass_span(void *d, uint32_t storage, uint32_t piece, uint32_t begin, uint32_t len,
		     struct shoal_disk_span *span)
{
	const struct shoal_disk *below = &((struct shoal_owned_disk *)d)->below;
	return below->ops->span(below->d, storage, piece, begin, len, span);
}

static void pass_unspan(void *d, uint32_t file)
{
	const struct shoal_disk *below = &((struct shoal_owned_disk *)d)->below;
	below->ops->unspan(below->d, file);
}

static void pass_stamp(void *d, uint32_t storage, uint32_t file, const struct shoal_stamp *stamp)
{
	const struct shoal_disk *below = &((struct shoal_owned_disk *)d)->below;
	below->ops->stamp(below->d, storage, file, stamp);
}

static int pass_part(void *d, uint32_t storage, uint32_t file, unsigned end, bool in)
{
	const struct shoal_disk *below = &((struct shoal_owned_disk *)d)->below;
	if (below->ops->part == NULL)
		return SHOAL_ERR_UNSUPPORTED;
	return below->ops->part(below->d, storage, file, end, in);
}

static void pass_guard(void *d, uint32_t storage, uint32_t file)
{
	const struct shoal_disk *below = &((struct shoal_owned_disk *)d)->below;
	if (below->ops->guard != NULL)
		below->ops->guard(below->d, storage, file);
}

static uint64_t pass_room(void *d, uint32_t storage)
{
	const struct shoal_disk *below = &((struct shoal_owned_disk *)d)->below;
	return below->ops->room(below->d, storage);
}

static const struct shoal_disk_ops owned_ops = {
	.open = owned_open,
	.close = owned_close,
	.submit = pass_submit,
	.reap = pass_reap,
	.span = pass_span,
	.unspan = pass_unspan,
	.stamp = pass_stamp,
	.guard = pass_guard,
	.part = pass_part,
	.room = pass_room,
};

int shoal_owned_disk_new(struct shoal_owned_disk **out, const struct shoal_os_ops *os, const char *state,
			 struct shoal_disk below)
{
	size_t len = strlen(state) + 1;
	struct shoal_owned_disk *od = calloc(1, sizeof *od + len);
	if (od == NULL)
		return SHOAL_ERR_NOMEM;
	od->os = os;
	od->below = below;
	memcpy(od->state, state, len);
	*out = od;
	return 0;
}

void shoal_owned_disk_free(struct shoal_owned_disk *od)
{
	if (od == NULL)
		return;
	for (uint32_t i = 0; i < od->room; i++)
		shoal_owner_drop(&od->owner[i]);
	free(od->owner);
	free(od);
}

struct shoal_disk shoal_owned_disk_disk(struct shoal_owned_disk *od)
{
	return (struct shoal_disk){ &owned_ops, od };
}

long shoal_owned_disk_pid(const struct shoal_owned_disk *od)
{
	return od->pid;
}
