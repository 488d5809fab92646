/* swarm/pieces/metadata.c - assemblies of an info dictionary, one for each claimed size. */
#include "swarm/pieces/metadata.h"

#include <stdlib.h>
#include <string.h>
#include "proto/extension.h"
#include "proto/metainfo.h"

void shoal_metadata_init(struct shoal_metadata *m, struct shoal_budget *budget)
{
	*m = (struct shoal_metadata){ .budget = budget };
}

static void blocks_free(struct shoal_metadata *m, struct shoal_metadata_sized *s)
{
	for (uint32_t i = 0; i < s->blocks; i++) {
		if (s->block[i] != NULL)
			shoal_budget_give(m->budget, SHOAL_METADATA_BLOCK);
		free(s->block[i]);
		s->block[i] = NULL;
		s->asked[i] = 0;
	}
	s->here = 0;
}

static void sized_free(struct shoal_metadata *m, struct shoal_metadata_sized *s)
{
	if (s->block != NULL)
		blocks_free(m, s);
	free(s->block);
	free(s->asked);
	free(s->source);
	free(s->before);
	*s = m->sized[--m->count];
}

void shoal_metadata_fini(struct shoal_metadata *m)
{
	while (m->count > 0)
		sized_free(m, &m->sized[m->count - 1]);
	free(m->sized);
	m->sized = NULL;
}

static struct shoal_metadata_sized *find(struct shoal_metadata *m, uint64_t size)
{
	for (unsigned i = 0; i < m->count; i++)
		if (m->sized[i].size == size)
			return &m->sized[i];
	return NULL;
}

/* What `peer` alone said is taken back. */
static void forget_claim(struct shoal_metadata *m, uint32_t peer)
{
	for (unsigned i = m->count; i-- > 0;)
		if (m->sized[i].by == peer)
			sized_free(m, &m->sized[i]);
}

static bool place_for_one_more(struct shoal_metadata *m, shoal_us now)
{
	struct shoal_metadata_sized *still = &m->sized[0];
	if (m->count < SHOAL_METADATA_SIZES)
		return true;
	for (unsigned i = 1; i < m->count; i++)
		if (m->sized[i].moved < still->moved)
			still = &m->sized[i];
	if (still->moved + SHOAL_METADATA_STILL > now)
		return false;
	sized_free(m, still);
	return true;
}

static struct shoal_metadata_sized *find_or_make(struct shoal_metadata *m, uint64_t size, uint32_t peer, shoal_us now)
{
	struct shoal_metadata_sized *s = find(m, size);
	if (s != NULL && s->by != peer)
		s->by = 0;
	if (s != NULL || size == 0 || size > SHOAL_METAINFO_BYTES_MAX)
		return s;
	forget_claim(m, peer);
	if (m->sized == NULL && (m->sized = calloc(SHOAL_METADATA_SIZES, sizeof *m->sized)) == NULL)
		return NULL;
	if (!place_for_one_more(m, now))
		return NULL;
	uint32_t blocks = (uint32_t)((size + SHOAL_METADATA_BLOCK - 1) / SHOAL_METADATA_BLOCK);
	struct shoal_metadata_sized made = {
		.size = size,
		.by = peer,
		.moved = now,
		.blocks = blocks,
		.block = calloc(blocks, sizeof *made.block),
		.asked = calloc(blocks, sizeof *made.asked),
		.source = calloc(blocks, sizeof *made.source),
		.before = calloc(blocks, sizeof *made.before),
	};
	if (made.block == NULL || made.asked == NULL || made.source == NULL || made.before == NULL) {
		free(made.block);
		free(made.asked);
		free(made.source);
		free(made.before);
		return NULL;
	}
	m->sized[m->count] = made;
	return &m->sized[m->count++];
}

/* Where nobody answers in time, time is what is missing: it grows. */
static shoal_us patience(const struct shoal_metadata_sized *s)
{
	uint32_t times = 1 + s->lapses / 8;
	return SHOAL_METADATA_ASK_TIME * (times < 10 ? times : 10);
}

uint32_t shoal_metadata_want(struct shoal_metadata *m, uint64_t size, uint32_t peer, shoal_us now)
{
	struct shoal_metadata_sized *s = find_or_make(m, size, peer, now);
	if (s == NULL)
		return UINT32_MAX;
	if (s->failures > 0) {
		/* One who keeps silent may not keep the others from answering. */
		if (s->only != peer && s->moved + SHOAL_METADATA_STILL <= now)
			s->only = 0;
		if (s->only == 0) {
			s->only = peer;
			s->moved = now;
			blocks_free(m, s); /* what others sent is no part of it */
		}
		if (s->only != peer)
			return UINT32_MAX;
	}
	for (uint32_t i = 0; i < s->blocks; i++) {
		if (s->block[i] == NULL && (s->asked[i] == 0 || s->asked[i] + patience(s) <= now)) {
			s->lapses += s->asked[i] != 0;
			s->before[i] = s->asked[i] != 0 ? s->source[i] : 0;
			s->asked[i] = now;
			s->source[i] = peer;
			return i;
		}
	}
	return UINT32_MAX;
}

int shoal_metadata_block(struct shoal_metadata *m, uint64_t size, uint32_t index, struct shoal_bytes data,
			 uint32_t peer, shoal_us now)
{
	struct shoal_metadata_sized *s = find(m, size);
	/* What was not asked of this very peer could be anybody's poison. */
	if (s == NULL || index >= s->blocks || s->asked[index] == 0 ||
	    (s->source[index] != peer && s->before[index] != peer))
		return SHOAL_ERR_GONE;
	uint64_t begin = (uint64_t)index * SHOAL_METADATA_BLOCK;
	size_t want = size - begin < SHOAL_METADATA_BLOCK ? (size_t)(size - begin) : SHOAL_METADATA_BLOCK;
	if (data.len != want)
		return SHOAL_ERR_MALFORMED;
	if (s->block[index] != NULL)
		return SHOAL_ERR_GONE;
	if (!shoal_budget_take(m->budget, SHOAL_METADATA_BLOCK))
		return SHOAL_ERR_NOMEM;
	s->block[index] = malloc(want);
	if (s->block[index] == NULL) {
		shoal_budget_give(m->budget, SHOAL_METADATA_BLOCK);
		return SHOAL_ERR_NOMEM;
	}
	memcpy(s->block[index], data.at, want);
	s->source[index] = peer;
	s->lapses = 0;
	s->moved = now;
	return ++s->here == s->blocks;
}

void shoal_metadata_gone(struct shoal_metadata *m, uint32_t peer)
{
	forget_claim(m, peer);
	for (unsigned k = 0; k < m->count; k++) {
		struct shoal_metadata_sized *s = &m->sized[k];
		if (s->only == peer)
			s->only = 0;
		for (uint32_t i = 0; i < s->blocks; i++)
			if (s->block[i] == NULL && s->source[i] == peer)
				s->asked[i] = 0;
	}
}

void shoal_metadata_drop(struct shoal_metadata *m, uint64_t size)
{
	struct shoal_metadata_sized *s = find(m, size);
	if (s != NULL)
		sized_free(m, s);
}

void shoal_metadata_refused(struct shoal_metadata *m, uint64_t size, uint32_t index, uint32_t peer)
{
	struct shoal_metadata_sized *s = find(m, size);
	if (s != NULL && index < s->blocks && s->block[index] == NULL && s->source[index] == peer)
		s->asked[index] = 0;
}

uint8_t *shoal_metadata_whole(struct shoal_metadata *m, uint64_t size)
{
	struct shoal_metadata_sized *s = find(m, size);
	uint8_t *whole = s != NULL && s->here == s->blocks ? malloc(size) : NULL;
	if (whole == NULL)
		return NULL;
	for (uint32_t i = 0; i < s->blocks; i++) {
		uint64_t begin = (uint64_t)i * SHOAL_METADATA_BLOCK;
		memcpy(whole + begin, s->block[i],
		       size - begin < SHOAL_METADATA_BLOCK ? (size_t)(size - begin) : SHOAL_METADATA_BLOCK);
	}
	blocks_free(m, s);
	return whole;
}

uint32_t shoal_metadata_wrong(struct shoal_metadata *m, uint64_t size, uint32_t sources[], uint32_t max)
{
	struct shoal_metadata_sized *s = find(m, size);
	uint32_t n = 0;
	if (s == NULL)
		return 0;
	for (uint32_t i = 0; i < s->blocks; i++) {
		uint32_t k = 0;
		while (k < n && sources[k] != s->source[i])
			k++;
		if (k == n && n < max)
			sources[n++] = s->source[i];
	}
	s->failures++;
	s->only = 0;
	blocks_free(m, s);
	return n;
}
