/* swarm/core/offered.c - see offered.h. */
#include "swarm/core/offered.h"

#include <stdlib.h>
#include <string.h>
#include "swarm/core/hints.h"
#include "swarm/core/node_room.h"

/* Blocks of one open piece, on their way from the disk. It goes by the piece's `offer`: the piece may be closed, or begun
 * anew, while a job is out. */
struct shoal_offer {
	struct shoal_offer *next;
	uint32_t number, piece;
	bool out;
	struct shoal_disk_job job;
	struct shoal_slot *slot[SHOAL_OFFERED_READ];
	uint32_t from, blocks; /* block[] before `from` has been dealt with */
	size_t charged;
	bool block[]; /* to be read */
};

/* ---- what is offered --------------------------------------------------------------------- */

/* The bit of shoal_swarm_file.offered that stands for what a file has of a piece; 0: there is none for a piece between. */
static uint8_t bit_of(const struct shoal_swarm *s, uint32_t file, uint32_t piece)
{
	uint32_t first, skew, n = shoal_claim_pieces(s->mi, file, &first, &skew);
	if (n == 0)
		return 0;
	return piece == first ? 1 : piece == first + n - 1 ? 2 : 0;
}

void shoal_offered_put(struct shoal_swarm *s, uint32_t file, uint32_t piece)
{
	s->file[file].offered |= bit_of(s, file, piece);
}

bool shoal_offered_has(const struct shoal_swarm *s, uint32_t file, uint32_t piece)
{
	if (shoal_metainfo_file_flags(s->mi, file) & SHOAL_FILE_PAD)
		return true;
	return s->file[file].offered != 0 && (s->file[file].offered & bit_of(s, file, piece)) &&
	       !shoal_parts_in(s, file, piece);
}

void shoal_offered_take(struct shoal_swarm *s, uint32_t file, uint32_t piece)
{
	if (s->file[file].offered != 0)
		s->file[file].offered &= (uint8_t)~bit_of(s, file, piece);
}

void shoal_offered_take_all(struct shoal_swarm *s, uint32_t piece)
{
	uint32_t first, last;
	shoal_metainfo_piece_files(s->mi, piece, &first, &last);
	for (uint32_t f = first; f <= last; f++)
		shoal_offered_take(s, f, piece);
}

uint32_t shoal_offered_blocks(const struct shoal_metainfo *mi, uint32_t piece,
			      bool (*here)(const void *of, uint32_t file, uint32_t piece), const void *of, bool *block)
{
	uint32_t bytes = shoal_metainfo_piece_bytes(mi, piece), first, last, count = 0;
	uint32_t blocks = (bytes + SHOAL_BLOCK - 1) / SHOAL_BLOCK;
	uint64_t base = (uint64_t)piece * shoal_metainfo_piece_size(mi);
	memset(block, true, blocks * sizeof *block);
	shoal_metainfo_piece_files(mi, piece, &first, &last);
	for (uint32_t f = first; f <= last; f++) {
		uint64_t from = shoal_metainfo_file_offset(mi, f), to = from + shoal_metainfo_file_size(mi, f);
		from = from > base ? from - base : 0;
		to = to > base ? shoal_min_u64(to - base, bytes) : 0;
		if (from >= to || here(of, f, piece))
			continue;
		for (uint32_t b = (uint32_t)(from / SHOAL_BLOCK); b <= (to - 1) / SHOAL_BLOCK; b++)
			block[b] = false;
	}
	for (uint32_t b = 0; b < blocks; b++)
		count += block[b];
	return count;
}

static bool offered(const void *swarm, uint32_t file, uint32_t piece)
{
	return shoal_offered_has(swarm, file, piece);
}

/* Some file offers something of it. */
static bool any(const struct shoal_swarm *s, uint32_t piece)
{
	uint32_t first, last;
	if (s->has_v2)
		return false;
	shoal_metainfo_piece_files(s->mi, piece, &first, &last);
	for (uint32_t f = first; f <= last; f++)
		if (s->file[f].offered != 0 && shoal_offered_has(s, f, piece))
			return true;
	return false;
}

bool shoal_offered_busy(const struct shoal_swarm *s, uint32_t piece)
{
	return s->offer_count >= SHOAL_OFFERED_MOST && any(s, piece);
}

/* ---- reading it --------------------------------------------------------------------------- */

static void offer_free(struct shoal_swarm *s, struct shoal_offer *offer)
{
	struct shoal_offer **at = &s->offers;
	while (*at != offer)
		at = &(*at)->next;
	*at = offer->next;
	s->offer_count--;
	shoal_budget_give(s->node->budget, offer->charged);
	free(offer);
}

/* The piece it is for; NULL: that is gone, or was begun anew. */
static struct shoal_open *open_of(const struct shoal_swarm *s, const struct shoal_offer *offer)
{
	struct shoal_open *open = shoal_landing_find(&s->landing, offer->piece);
	return open != NULL && open->offer == offer->number ? open : NULL;
}

/* What was not read is for peers. */
static void give_up(struct shoal_swarm *s, struct shoal_offer *offer, struct shoal_open *open)
{
	shoal_offered_take_all(s, offer->piece);
	for (uint32_t b = offer->from; b < offer->blocks; b++)
		if (offer->block[b])
			shoal_open_unask(&s->landing, open, b, false, NULL);
	open->offer = 0;
	s->dirty_fill = true;
}

/* Lends the disk the next run of blocks. false: there is nothing more to be read. */
static bool read_on(struct shoal_swarm *s, struct shoal_offer *offer)
{
	struct shoal_open *open = open_of(s, offer);
	uint32_t n = 0;
	if (open == NULL)
		return false;
	while (offer->from < offer->blocks && !offer->block[offer->from])
		offer->from++;
	if (offer->from == offer->blocks) {
		open->offer = 0;
		return false;
	}
	while (n < SHOAL_OFFERED_READ && offer->from + n < offer->blocks && offer->block[offer->from + n] &&
	       (offer->slot[n] = shoal_open_slot(&s->landing, open)) != NULL)
		n++;
	uint32_t begin = offer->from * SHOAL_BLOCK, end = begin + n * SHOAL_BLOCK;
	offer->job = (struct shoal_disk_job){ .op = SHOAL_DISK_READ,
					      .flags = SHOAL_NODE_JOB_OFFER,
					      .storage = s->storage,
					      .piece = offer->piece,
					      .begin = begin,
					      .len = (end < open->bytes ? end : open->bytes) - begin,
					      .slot = offer->slot,
					      .slot_count = n,
					      .owner = offer };
	int rc = n > 0 ? shoal_swarm_submit(s, &offer->job) : SHOAL_ERR_BUSY;
	offer->out = rc == 0;
	s->offers_wait = s->offers_wait || rc == SHOAL_ERR_BUSY;
	if (rc == 0)
		return true;
	for (uint32_t i = 0; i < n; i++) /* it stays asked, and gets its slot again */
		shoal_open_slot_back(&s->landing, open, offer->slot[i]);
	if (rc == SHOAL_ERR_BUSY)
		return true;
	give_up(s, offer, open);
	return false;
}

void shoal_offered_fill(struct shoal_swarm *s, struct shoal_open *open, shoal_us now)
{
	size_t size = sizeof(struct shoal_offer) + open->blocks * sizeof(bool);
	if (!open->whole || !any(s, open->piece) || !shoal_budget_take(s->node->budget, size))
		return;
	struct shoal_offer *offer = calloc(1, size);
	uint32_t count = offer != NULL ? shoal_offered_blocks(s->mi, open->piece, offered, s, offer->block) : 0;
	/* With nothing missing it was hashed already, and is false: only somebody's word can tell where. */
	bool in_vain = count == open->blocks && !shoal_hints_hoped(s, open->piece, now);
	if (in_vain)
		shoal_offered_take_all(s, open->piece);
	if (count == 0 || in_vain) {
		shoal_budget_give(s->node->budget, size);
		free(offer);
		return;
	}
	offer->charged = size;
	offer->piece = open->piece;
	offer->blocks = open->blocks;
	offer->number = open->offer = ++s->offer_last;
	offer->next = s->offers;
	s->offers = offer;
	s->offer_count++;
	for (uint32_t b = 0; b < open->blocks; b++)
		if (offer->block[b])
			shoal_open_ask(open, b);
	if (!read_on(s, offer))
		offer_free(s, offer);
}

static void landed(struct shoal_swarm *s, struct shoal_open *open, uint32_t block, struct shoal_slot *slot,
		   shoal_us now)
{
	bool shared = open->asked[block] != SHOAL_BLOCK_LANDED && (open->asked[block] > 1 || open->weak > 0);
	if (!shoal_open_landed(&s->landing, open, block, slot, SHOAL_SOURCE_HERE, now))
		shoal_open_slot_back(&s->landing, open, slot); /* a web seed was faster */
	s->pieces_dirty = true;
	for (struct shoal_peer *p = shared ? s->peers : NULL, *next; p != NULL; p = next) {
		next = p->in_swarm;
		shoal_peer_unask(p, open->piece, block, true, now);
	}
	if (shared)
		shoal_webseeds_unask(s, open->piece, block);
}

void shoal_offered_job(struct shoal_swarm *s, struct shoal_disk_job *job, shoal_us now)
{
	struct shoal_offer *offer = job->owner;
	struct shoal_open *open = open_of(s, offer);
	offer->out = false;
	s->dirty_fill = true; /* another piece may be opened */
	for (uint32_t i = 0; i < job->slot_count; i++) {
		uint32_t b = offer->from + i;
		if (open == NULL) {
			shoal_slot_unref(s->node->slots, offer->slot[i]);
		} else if (job->err < 0) {
			shoal_open_slot_back(&s->landing, open, offer->slot[i]);
		} else {
			offer->block[b] = false;
			landed(s, open, b, offer->slot[i], now);
		}
	}
	if (open != NULL && job->err < 0)
		give_up(s, offer, open); /* what it was read from is gone, or ails: writing there will tell */
	if (!read_on(s, offer))
		offer_free(s, offer);
}

void shoal_offered_tick(struct shoal_swarm *s)
{
	if (!s->offers_wait)
		return;
	s->offers_wait = false;
	for (struct shoal_offer *offer = s->offers, *next; offer != NULL; offer = next) {
		next = offer->next;
		if (!offer->out && !read_on(s, offer))
			offer_free(s, offer);
	}
}

void shoal_offered_fini(struct shoal_swarm *s)
{
	while (s->offers != NULL)
		offer_free(s, s->offers);
}
