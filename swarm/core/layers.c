/*
 * swarm/core/layers.c - piece layers (BEP 52) that nobody has told, made from a file that lies here whole.
 *
 * A v2 torrent may come without them: from a magnet link, or in a file that leaves them out. Its info dictionary still has
 * each file's root, and that is enough to prove a whole file: what its pieces hash to is its layer, if the layer's
 * root is the file's. Then its pieces are verified, all of them; a file of which one byte is wrong waits for peers.
 *
 * One file at a time, while the swarm checks. Internal to swarm/core.
 */
#include <stdlib.h>
#include "proto/merkle.h"
#include "swarm/core/node_room.h"

struct shoal_own_layers {
	uint32_t at; /* the next of the files that have layers */
	/* The file under work; `hash` NULL: none */
	uint32_t file, first, pieces;
	uint32_t asked, back;	/* pieces handed to the disk; returned */
	uint32_t sync_failures; /* the swarm's, when it was begun */
	bool failed;
	shoal_hash32 *hash;
	size_t charged;
};

static void file_end(struct shoal_swarm *s, struct shoal_own_layers *own)
{
	shoal_budget_give(s->node->budget, own->charged);
	free(own->hash);
	own->hash = NULL;
	own->charged = 0;
}

void shoal_swarm_own_layers_end(struct shoal_swarm *s)
{
	if (s->own_layers == NULL)
		return;
	file_end(s, s->own_layers);
	free(s->own_layers);
	s->own_layers = NULL;
}

/* Lies there under its final name, and cannot be checked otherwise. One that is not wanted is left alone. */
static bool worth_it(const struct shoal_swarm *s, uint32_t file, uint32_t first)
{
	return !shoal_metainfo_layer_known(s->mi, file) && !shoal_swarm_piece_known(s, first) &&
	       s->file[file].seen == SHOAL_SEEN_WHOLE && s->file[file].left > 0 &&
	       (s->read_only || shoal_select_priority(&s->select, file) > 0);
}

/* false: there is none. One that there is no memory for is left to peers. */
static bool next_file(struct shoal_swarm *s, struct shoal_own_layers *own)
{
	for (; own->at < shoal_metainfo_layer_count(s->mi); own->at++) {
		uint32_t file = shoal_metainfo_layer_file(s->mi, own->at), first, skew;
		uint32_t pieces = shoal_claim_pieces(s->mi, file, &first, &skew);
		size_t bytes = (size_t)pieces * 32;
		if (!worth_it(s, file, first) || !shoal_node_charge(s->node, bytes))
			continue;
		own->charged = bytes;
		own->hash = malloc(bytes);
		if (own->hash == NULL) {
			file_end(s, own);
			continue;
		}
		own->at++;
		own->file = file;
		own->first = first;
		own->pieces = pieces;
		own->asked = own->back = 0;
		own->sync_failures = s->sync_failures;
		own->failed = false;
		s->check_total += shoal_metainfo_file_size(s->mi, file);
		return true;
	}
	return false;
}

/* All its pieces are hashed. Those of a proven file are not read again, unless from a cache that has lied since. */
static void judge(struct shoal_swarm *s, struct shoal_own_layers *own, shoal_us now)
{
	bool believed = own->sync_failures == s->sync_failures;
	int rc = own->failed
			 ? SHOAL_ERR_HASH
			 : shoal_metainfo_layer_set(s->mi, own->file, shoal_bytes(own->hash, (size_t)own->pieces * 32));
	for (uint32_t i = 0; rc == 0 && i < own->pieces; i++) {
		uint32_t piece = own->first + i;
		shoal_picker_want(s->picker, piece, shoal_select_priority(&s->select, own->file) > 0);
		if (shoal_picker_is_done(s->picker, piece))
			continue;
		if (believed)
			shoal_swarm_verified(s, piece, now);
		else if (shoal_bits_set(&s->to_check, piece))
			s->check_total += shoal_metainfo_piece_bytes(s->mi, piece);
	}
	file_end(s, own);
}

/* The next of its pieces goes to the disk. false: not now. */
static bool ask(struct shoal_swarm *s, struct shoal_own_layers *own)
{
	struct shoal_check *check;
	uint32_t piece = own->first + own->asked;
	bool more = !own->failed && !s->stopping && own->asked < own->pieces && s->checks_out < SHOAL_SWARM_CHECKS &&
		    shoal_swarm_check_piece(s, piece, SHOAL_CHECK_LAYER, shoal_swarm_check_flags(s, piece), &check) ==
			    0;
	own->asked += more;
	return more;
}

bool shoal_swarm_own_layers_tick(struct shoal_swarm *s, shoal_us now)
{
	if (!s->has_v2 || !s->check_later || s->own_layers_done)
		return false;
	if (s->own_layers == NULL && (s->own_layers = calloc(1, sizeof *s->own_layers)) == NULL)
		return false; /* peers will tell */
	struct shoal_own_layers *own = s->own_layers;
	if (own->hash == NULL && (s->stopping || !next_file(s, own))) {
		s->own_layers_done = true;
		shoal_swarm_own_layers_end(s);
		return false;
	}
	while (ask(s, own))
		;
	own->failed = own->failed || s->stopping;
	if (own->back == own->asked && (own->failed || own->asked == own->pieces))
		judge(s, own, now);
	return true;
}

void shoal_swarm_own_layers_back(struct shoal_swarm *s, struct shoal_check *check)
{
	struct shoal_own_layers *own = s->own_layers;
	const struct shoal_piece_hash *hash = &check->hash;
	if (own == NULL || own->hash == NULL || check->piece - own->first >= own->pieces)
		return;
	own->back++;
	if (check->job.err < 0 || check->sync_failures != s->sync_failures)
		own->failed = true;
	else
		shoal_merkle_root((shoal_hash32 *)hash->leaf, (hash->bytes + SHOAL_BLOCK - 1) / SHOAL_BLOCK,
				  hash->width, 0, own->hash[check->piece - own->first]);
}
