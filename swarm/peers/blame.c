/* swarm/peers/blame.c - digests of failed pieces, compared once the truth is known. */
#include "swarm/peers/blame.h"

#include <stdlib.h>
#include <string.h>

struct shoal_blame_piece {
	struct shoal_blame_piece *next;
	uint32_t piece, blocks;
	bool counted; /* one of its false blocks has been */
	uint32_t *source;
	uint8_t (*digest)[32];
};

static size_t cost_of(uint32_t blocks)
{
	return sizeof(struct shoal_blame_piece) + (size_t)blocks * (sizeof(uint32_t) + 32);
}

static void piece_free(struct shoal_blame *b, struct shoal_blame_piece *p)
{
	if (b->budget != NULL)
		shoal_budget_give(b->budget, cost_of(p->blocks));
	b->count--;
	free(p);
}

/* The list is newest first: its end. */
static void forget_oldest(struct shoal_blame *b)
{
	struct shoal_blame_piece **last = &b->head;
	while ((*last)->next != NULL)
		last = &(*last)->next;
	piece_free(b, *last);
	*last = NULL;
}

int shoal_blame_failed(struct shoal_blame *b, uint32_t piece, const uint8_t (*digest)[32], const uint32_t *source,
		       uint32_t n)
{
	if (n > SHOAL_BLAME_BLOCKS)
		return SHOAL_ERR_TOO_LONG;
	while (b->count >= SHOAL_BLAME_PIECES)
		forget_oldest(b);
	while (b->budget != NULL && !shoal_budget_take(b->budget, cost_of(n))) {
		if (b->count == 0)
			return SHOAL_ERR_NOMEM;
		forget_oldest(b);
	}
	struct shoal_blame_piece *p = malloc(cost_of(n));
	if (p == NULL) {
		if (b->budget != NULL)
			shoal_budget_give(b->budget, cost_of(n));
		return SHOAL_ERR_NOMEM;
	}
	p->piece = piece;
	p->blocks = n;
	p->counted = false;
	p->source = (uint32_t *)(void *)(p + 1);
	p->digest = (uint8_t(*)[32])(void *)(p->source + n);
	memcpy(p->source, source, n * sizeof *source);
	memcpy(p->digest, digest, n * sizeof *digest);
	p->next = b->head;
	b->head = p;
	b->count++;
	return 0;
}

uint32_t shoal_blame_contradicted(const struct shoal_blame *b, uint32_t piece, const uint8_t (*digest)[32],
				  const uint32_t *source, uint32_t n,
				  void (*guilty)(void *to, uint32_t source, uint32_t block), void *to)
{
	uint32_t found = 0;
	for (const struct shoal_blame_piece *p = b->head; p != NULL; p = p->next) {
		for (uint32_t i = 0; p->piece == piece && i < p->blocks && i < n; i++) {
			if (source[i] != SHOAL_BLAME_NOBODY && p->source[i] == source[i] &&
			    memcmp(p->digest[i], digest[i], sizeof digest[i]) != 0) {
				guilty(to, source[i], i);
				found++;
			}
		}
	}
	return found;
}

void shoal_blame_rename(struct shoal_blame *b, uint32_t from, uint32_t to)
{
	for (struct shoal_blame_piece *p = b->head; p != NULL; p = p->next)
		for (uint32_t i = 0; i < p->blocks; i++)
			if (p->source[i] == from)
				p->source[i] = to;
}

bool shoal_blame_has(const struct shoal_blame *b, uint32_t piece)
{
	for (const struct shoal_blame_piece *p = b->head; p != NULL; p = p->next)
		if (p->piece == piece)
			return true;
	return false;
}

void shoal_blame_counted(struct shoal_blame *b, uint32_t piece)
{
	for (struct shoal_blame_piece *p = b->head; p != NULL; p = p->next) {
		if (p->piece == piece) {
			p->counted = true;
			return;
		}
	}
}

/* An older attempt had the very same block of the same sender: it will be named for that one. */
static bool had_before(const struct shoal_blame_piece *p, uint32_t block)
{
	for (const struct shoal_blame_piece *q = p->next; q != NULL; q = q->next)
		if (q->piece == p->piece && block < q->blocks && q->source[block] == p->source[block] &&
		    memcmp(q->digest[block], p->digest[block], sizeof p->digest[block]) == 0)
			return true;
	return false;
}

uint32_t shoal_blame_settle(struct shoal_blame *b, uint32_t piece, const uint8_t (*truth)[32], uint32_t n,
			    void (*guilty)(void *to, uint32_t source, uint32_t block), void *to)
{
	uint32_t found = 0;
	for (struct shoal_blame_piece **at = &b->head; *at != NULL;) {
		struct shoal_blame_piece *p = *at;
		if (p->piece != piece) {
			at = &p->next;
			continue;
		}
		for (uint32_t i = 0; i < p->blocks && i < n; i++) {
			if (p->source[i] == SHOAL_BLAME_NOBODY ||
			    memcmp(p->digest[i], truth[i], sizeof truth[i]) == 0 || had_before(p, i))
				continue;
			found++;
			if (!p->counted)
				guilty(to, p->source[i], i);
			p->counted = false;
		}
		*at = p->next;
		piece_free(b, p);
	}
	return found;
}

void shoal_blame_fini(struct shoal_blame *b)
{
	while (b->head != NULL) {
		struct shoal_blame_piece *p = b->head;
		b->head = p->next;
		piece_free(b, p);
	}
}
