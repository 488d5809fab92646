/* swarm/core/blame.c - digests of failed pieces, compared once the truth is known. */
#include "swarm/core/blame.h"

#include <stdlib.h>
#include <string.h>

struct shoal_blame_piece {
	struct shoal_blame_piece *next;
	uint32_t piece, blocks;
	uint32_t *source;
	uint8_t (*digest)[32];
};

int shoal_blame_failed(struct shoal_blame *b, uint32_t piece, const uint8_t (*digest)[32], const uint32_t *source,
		       uint32_t n)
{
	if (n > SHOAL_BLAME_BLOCKS)
		return SHOAL_ERR_TOO_LONG;
	if (b->count >= SHOAL_BLAME_PIECES) { /* the list is newest first: drop its end */
		struct shoal_blame_piece **last = &b->head;
		while ((*last)->next != NULL)
			last = &(*last)->next;
		free(*last);
		*last = NULL;
		b->count--;
	}
	struct shoal_blame_piece *p = malloc(sizeof *p + (size_t)n * (sizeof *source + sizeof *digest));
	if (p == NULL)
		return SHOAL_ERR_NOMEM;
	p->piece = piece;
	p->blocks = n;
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
			if (p->source[i] == source[i] && memcmp(p->digest[i], digest[i], sizeof digest[i]) != 0) {
				guilty(to, source[i], i);
				found++;
			}
		}
	}
	return found;
}

bool shoal_blame_has(const struct shoal_blame *b, uint32_t piece)
{
	for (const struct shoal_blame_piece *p = b->head; p != NULL; p = p->next)
		if (p->piece == piece)
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
			if (memcmp(p->digest[i], truth[i], sizeof truth[i]) != 0) {
				guilty(to, p->source[i], i);
				found++;
			}
		}
		*at = p->next;
		b->count--;
		free(p);
	}
	return found;
}

void shoal_blame_fini(struct shoal_blame *b)
{
	while (b->head != NULL) {
		struct shoal_blame_piece *p = b->head;
		b->head = p->next;
		free(p);
	}
	b->count = 0;
}
