/*
 * swarm/core/hashes.c - BEP 52 hash messages: fetching piece layers and leaves, and serving both.
 *
 * Nothing that comes is believed: a range is proved up to the file's root (layers) or up to the piece's
 * known root (leaves) before it is used, so it does not matter whom we ask.
 */
#include <stdlib.h>
#include <string.h>
#include "proto/base/digest.h"
#include "proto/merkle.h"
#include "swarm/core/node_room.h"
#include "swarm/core/vet.h"

#define LAYER_CHUNK 2048u /* hashes asked for at a time */
#define LAYER_ASK_TIME SHOAL_S(10)
#define UNCLES_MAX 64u /* in one answer: as many as there are layers, and more */

struct shoal_layer_want {
	uint32_t file, known, width; /* hashes it has; the width of its layer */
	uint32_t next;		     /* hashes proved so far */
	uint32_t asked_of;	     /* peer serial, 0 nobody */
	shoal_us asked_at;
	shoal_hash32 *hash; /* NULL: not begun */
};

static uint32_t piece_base(const struct shoal_swarm *s)
{
	return shoal_merkle_height(shoal_metainfo_piece_size(s->mi) / SHOAL_BLOCK);
}

/* ---- fetching layers ------------------------------------------------------------------ */

void shoal_swarm_layers_begin(struct shoal_swarm *s)
{
	s->layers_wanted = calloc(SHOAL_SWARM_HASH_REQUESTS, sizeof *s->layers_wanted);
	s->layers_missing = s->layers_wanted != NULL;
	s->layer_at = 0;
	for (uint32_t p = 0; p < shoal_metainfo_piece_count(s->mi); p++)
		if (!shoal_swarm_piece_known(s, p))
			shoal_picker_want(s->picker, p, false); /* nothing to hold it to, yet */
}

void shoal_swarm_layers_again(struct shoal_swarm *s)
{
	s->layer_at = 0;
	s->layers_missing = s->layers_wanted != NULL && !shoal_metainfo_layers_complete(s->mi);
}

static bool asked_already(const struct shoal_swarm *s, uint32_t file)
{
	for (uint32_t i = 0; i < SHOAL_SWARM_HASH_REQUESTS; i++)
		if (s->layers_wanted[i].hash != NULL && s->layers_wanted[i].file == file)
			return true;
	return false;
}

static bool next_file(struct shoal_swarm *s, struct shoal_layer_want *want)
{
	for (; s->layer_at < shoal_metainfo_layer_count(s->mi); s->layer_at++) {
		uint32_t file = shoal_metainfo_layer_file(s->mi, s->layer_at);
		if (shoal_metainfo_layer_known(s->mi, file) || shoal_select_priority(&s->select, file) == 0 ||
		    asked_already(s, file))
			continue;
		uint32_t known = shoal_metainfo_layer_length(s->mi, file);
		uint32_t width = shoal_merkle_width(known);
		if (!shoal_node_charge(s->node, (size_t)width * 32))
			return false; /* it stays the next one */
		shoal_hash32 *hash = malloc((size_t)width * 32);
		if (hash == NULL) {
			shoal_budget_give(s->node->budget, (size_t)width * 32);
			return false;
		}
		s->layer_at++;
		*want = (struct shoal_layer_want){ .file = file, .known = known, .width = width, .hash = hash };
		return true;
	}
	return false;
}

static void want_end(struct shoal_swarm *s, struct shoal_layer_want *want)
{
	shoal_budget_give(s->node->budget, (size_t)want->width * 32);
	free(want->hash);
	*want = (struct shoal_layer_want){ 0 };
}

void shoal_swarm_layers_end(struct shoal_swarm *s)
{
	for (uint32_t i = 0; s->layers_wanted != NULL && i < SHOAL_SWARM_HASH_REQUESTS; i++)
		if (s->layers_wanted[i].hash != NULL)
			want_end(s, &s->layers_wanted[i]);
	free(s->layers_wanted);
	s->layers_wanted = NULL;
	if (s->roots.place != NULL)
		shoal_budget_give(s->node->budget, shoal_roots_bytes(s->mi));
	shoal_roots_fini(&s->roots);
}

static bool may_ask(const struct shoal_peer *p, uint32_t piece)
{
	return p->v2 && !p->closing && p->hash_asked < SHOAL_SWARM_HASH_REQUESTS &&
	       (piece == SHOAL_PIECE_NONE || shoal_bits_get(&p->have, piece));
}

static struct shoal_peer *somebody(const struct shoal_swarm *s, uint32_t piece, uint32_t not_this)
{
	struct shoal_peer *found = NULL;
	for (struct shoal_peer *p = s->peers; p != NULL; p = p->in_swarm) {
		if (!may_ask(p, piece))
			continue;
		/* Those who have not answered well yet come last, so that no number of them can hide one who does. */
		if (found == NULL || p->hash_in_vain < found->hash_in_vain ||
		    (p->hash_in_vain == found->hash_in_vain &&
		     (found->serial == not_this || p->hash_asked < found->hash_asked)))
			found = p;
	}
	return found;
}

static void ask_layer(struct shoal_swarm *s, struct shoal_layer_want *want, shoal_us now)
{
	struct shoal_peer *p = somebody(s, SHOAL_PIECE_NONE, want->asked_of);
	if (p == NULL)
		return;
	struct shoal_wire_msg msg = { .id = SHOAL_WIRE_HASH_REQUEST };
	memcpy(msg.range.root, shoal_metainfo_file_root(s->mi, want->file), 32);
	msg.range.base = piece_base(s);
	msg.range.index = want->next;
	msg.range.length = want->width < LAYER_CHUNK ? want->width : LAYER_CHUNK;
	/* Proof layers count from base + 1; those within the range itself are left out of the answer. */
	msg.range.proof = want->width > msg.range.length ? shoal_merkle_height(want->width) - 1 : 0;
	want->asked_of = p->serial;
	want->asked_at = now;
	p->hash_asked++;
	p->hash_in_vain++;
	shoal_peer_say(p, &msg, now);
}

static void layer_known(struct shoal_swarm *s, uint32_t file, shoal_us now)
{
	uint32_t first, skew;
	uint32_t pieces = shoal_claim_pieces(s->mi, file, &first, &skew);
	for (uint32_t i = 0; i < pieces; i++) {
		shoal_picker_want(s->picker, first + i, shoal_select_priority(&s->select, file) > 0);
		/* It may be under way, or looked at, already: a hybrid's are told by their v1 hashes, too. */
		if (s->check_later && !shoal_picker_is_taken(s->picker, first + i) &&
		    s->file[file].seen != SHOAL_SEEN_NONE) {
			shoal_picker_open(s->picker, first + i); /* look before fetching */
			shoal_bits_set(&s->to_check, first + i);
		}
	}
	for (struct shoal_peer *p = s->peers, *next; p != NULL; p = next) {
		next = p->in_swarm;
		shoal_peer_interest(p, now);
	}
	s->dirty_fill = true;
}

void shoal_swarm_layers_tick(struct shoal_swarm *s, shoal_us now)
{
	bool any = false;
	if (!s->layers_missing)
		return;
	for (uint32_t i = 0; i < SHOAL_SWARM_HASH_REQUESTS; i++) {
		struct shoal_layer_want *want = &s->layers_wanted[i];
		if (want->hash == NULL && !next_file(s, want))
			continue;
		any = true;
		if (want->asked_at == 0 || want->asked_at + LAYER_ASK_TIME <= now)
			ask_layer(s, want, now);
	}
	s->layers_missing = any || s->layer_at < shoal_metainfo_layer_count(s->mi);
}

/* What it was asked for is asked of somebody else. */
void shoal_swarm_hashes_gone(struct shoal_swarm *s, const struct shoal_peer *p)
{
	for (uint32_t i = 0; s->layers_wanted != NULL && i < SHOAL_SWARM_HASH_REQUESTS; i++)
		if (s->layers_wanted[i].asked_of == p->serial)
			s->layers_wanted[i].asked_at = 0;
}

static struct shoal_layer_want *want_for(struct shoal_swarm *s, const struct shoal_wire_hash_range *r)
{
	for (uint32_t i = 0; s->layers_wanted != NULL && i < SHOAL_SWARM_HASH_REQUESTS; i++) {
		struct shoal_layer_want *want = &s->layers_wanted[i];
		if (want->hash != NULL && memcmp(shoal_metainfo_file_root(s->mi, want->file), r->root, 32) == 0)
			return want;
	}
	return NULL;
}

/* Asked again in a second, of somebody else if there is one. */
static void want_later(struct shoal_layer_want *want, shoal_us now)
{
	want->asked_at = now > LAYER_ASK_TIME ? now - LAYER_ASK_TIME + SHOAL_S(1) : 1;
}

static int take_layer(struct shoal_swarm *s, struct shoal_layer_want *want, const struct shoal_wire_msg *msg,
		      shoal_us now)
{
	const struct shoal_wire_hash_range *r = &msg->range;
	uint32_t length = want->width < LAYER_CHUNK ? want->width : LAYER_CHUNK;
	size_t count = msg->body.len / 32;
	if (r->index != want->next || r->length != length || count < length)
		return SHOAL_ERR_RANGE;
	const shoal_hash32 *hash = (const void *)msg->body.at;
	shoal_hash32 *scratch = malloc((size_t)length * 32);
	if (scratch == NULL) {
		want_later(want, now);
		return SHOAL_ERR_NOMEM;
	}
	int rc = shoal_merkle_prove(shoal_metainfo_file_root(s->mi, want->file), want->width, r->base, r->index, hash,
				    length, hash + length, (uint32_t)(count - length), scratch);
	free(scratch);
	if (rc < 0)
		return rc;
	memcpy(want->hash + r->index, hash, (size_t)length * 32);
	want->next += length;
	want->asked_at = 0;
	if (want->next < want->known)
		return 0;
	uint32_t file = want->file;
	rc = shoal_metainfo_layer_set(s->mi, file, shoal_bytes(want->hash, (size_t)want->known * 32));
	if (rc == SHOAL_ERR_NOMEM) { /* its last part comes once more */
		want->next -= length;
		want_later(want, now);
		return rc;
	}
	want_end(s, want);
	if (rc == 0)
		layer_known(s, file, now);
	return rc;
}

/* ---- fetching leaves, for blame ----------------------------------------------------------- */

/* Where the leaves of a piece stand in its file's tree. false: it has none that are not its root, or none are known. */
static bool leaves_of(const struct shoal_swarm *s, uint32_t piece, struct shoal_wire_hash_range *out)
{
	uint32_t width = 0, first, last, at, skew;
	if (shoal_metainfo_piece_root(s->mi, piece, &width) == NULL || width < 2)
		return false; /* the comparison with the good piece will tell */
	shoal_metainfo_piece_files(s->mi, piece, &first, &last);
	if (shoal_claim_pieces(s->mi, first, &at, &skew) == 0)
		return false;
	*out = (struct shoal_wire_hash_range){ .index = (piece - at) * (shoal_metainfo_piece_size(s->mi) / SHOAL_BLOCK),
					       .length = width };
	memcpy(out->root, shoal_metainfo_file_root(s->mi, first), 32);
	return true;
}

bool shoal_swarm_leaves_wanted(struct shoal_swarm *s, uint32_t piece, struct shoal_peer *of, shoal_us now)
{
	struct shoal_wire_msg msg = { .id = SHOAL_WIRE_HASH_REQUEST };
	struct shoal_peer *p = of != NULL && may_ask(of, piece) ? of : somebody(s, piece, 0);
	if (p == NULL || !leaves_of(s, piece, &msg.range))
		return false;
	p->hash_asked++;
	shoal_peer_say(p, &msg, now);
	return !p->closing;
}

/* No memory for the table: it is as if we did not have the file. */
static uint32_t file_of_root(struct shoal_swarm *s, const uint8_t root[32])
{
	struct shoal_node *n = s->node;
	if (s->roots.place == NULL) {
		uint8_t secret[16];
		size_t bytes = shoal_roots_bytes(s->mi);
		n->world.ops->secret(n->world.w, (struct shoal_space){ secret, sizeof secret });
		if (!shoal_node_charge(n, bytes))
			return UINT32_MAX;
		if (shoal_roots_make(&s->roots, s->mi, shoal_sipkey(secret)) < 0) {
			shoal_budget_give(n->budget, bytes);
			return UINT32_MAX;
		}
	}
	return shoal_roots_find(&s->roots, s->mi, root);
}

/* The piece whose leaves [index, index+length) of `root` are, if they lie in one. */
static uint32_t piece_of_leaves(struct shoal_swarm *s, const struct shoal_wire_hash_range *r)
{
	uint32_t first, skew;
	uint32_t per_piece = shoal_metainfo_piece_size(s->mi) / SHOAL_BLOCK;
	uint32_t file = file_of_root(s, r->root);
	if (file == UINT32_MAX || r->length < 2 || (r->length & (r->length - 1)) || r->length > per_piece ||
	    r->index % r->length != 0)
		return SHOAL_PIECE_NONE;
	uint32_t pieces = shoal_claim_pieces(s->mi, file, &first, &skew);
	return r->index / per_piece < pieces ? first + r->index / per_piece : SHOAL_PIECE_NONE;
}

/* The piece under way whose leaves were asked for by that range, without the table of all files. NULL: none. */
static struct shoal_open *open_of_leaves(struct shoal_swarm *s, const struct shoal_wire_hash_range *r)
{
	struct shoal_wire_hash_range asked;
	for (struct shoal_open *o = s->landing.head; o != NULL; o = o->next)
		if (o->leaves_tries > 0 && o->truth == NULL && leaves_of(s, o->piece, &asked) &&
		    asked.index == r->index && asked.length == r->length && memcmp(asked.root, r->root, 32) == 0)
			return o;
	return NULL;
}

static int take_leaves(struct shoal_swarm *s, const struct shoal_wire_msg *msg, shoal_us now)
{
	uint32_t width = 0;
	struct shoal_open *open = open_of_leaves(s, &msg->range);
	uint32_t piece = open != NULL ? open->piece : piece_of_leaves(s, &msg->range);
	const uint8_t *root = piece != SHOAL_PIECE_NONE ? shoal_metainfo_piece_root(s->mi, piece, &width) : NULL;
	uint8_t got[32];
	if (root == NULL || msg->range.length != width || msg->body.len < (size_t)width * 32)
		return SHOAL_ERR_RANGE;
	shoal_hash32 *leaf = malloc((size_t)width * 32);
	if (leaf == NULL)
		return SHOAL_ERR_NOMEM;
	memcpy(leaf, msg->body.at, (size_t)width * 32);
	shoal_merkle_root(leaf, width, width, 0, got);
	memcpy(leaf, msg->body.at, (size_t)width * 32);
	bool proved = memcmp(got, root, 32) == 0;
	if (proved && open != NULL)
		shoal_vet_leaves(s, open, (const uint8_t(*)[32])leaf, now);
	if (proved && shoal_blame_has(&s->blame, piece))
		shoal_evidence_leaves(s, piece, (const uint8_t(*)[32])leaf, width, now);
	free(leaf);
	return proved ? 0 : SHOAL_ERR_HASH;
}

void shoal_swarm_hashes(struct shoal_swarm *s, struct shoal_peer *p, const struct shoal_wire_msg *msg, shoal_us now)
{
	if (s->mi == NULL || p->hash_asked == 0)
		return shoal_peer_close(p, SHOAL_ERR_REFUSED, now); /* never asked for */
	p->hash_asked--;
	struct shoal_layer_want *want = msg->range.base != 0 || piece_base(s) == 0 ? want_for(s, &msg->range) : NULL;
	int rc = 0; /* a layer that came from another meanwhile is no leaves */
	if (want != NULL)
		rc = take_layer(s, want, msg, now);
	else if (msg->range.base == 0)
		rc = take_leaves(s, msg, now);
	if (want != NULL && rc == 0)
		p->hash_in_vain = 0;
	if (rc == SHOAL_ERR_HASH && !p->closing) {
		struct shoal_event ev = { .kind = SHOAL_EV_PEER_BANNED,
					  .peer = p->serial,
					  .addr = p->addr,
					  .text = SHOAL_LIT("sent hashes that do not lead to the torrent's root") };
		shoal_swarm_say(s, &ev, now);
		shoal_node_ban(s->node, &p->addr, now + SHOAL_NODE_BAN_TIME);
		if (p->contact != NULL)
			shoal_contact_ban(s, p->contact);
		shoal_peer_close(p, rc, now);
	}
}

void shoal_swarm_hash_rejected(struct shoal_swarm *s, struct shoal_peer *p, const struct shoal_wire_hash_range *range,
			       shoal_us now)
{
	if (s->mi == NULL || p->hash_asked == 0)
		return;
	p->hash_asked--;
	struct shoal_layer_want *want = want_for(s, range);
	if (want != NULL && want->asked_of == p->serial)
		want_later(want, now);
	struct shoal_open *open = want == NULL ? open_of_leaves(s, range) : NULL;
	if (open != NULL)
		shoal_vet_refused(open);
}

/* ---- serving ---------------------------------------------------------------------------------- */

/* Whether `p` may have the leaves of one more piece: each is a piece read and hashed. */
static bool gives_leaves(struct shoal_peer *p, shoal_us now)
{
	int32_t mebibytes = (int32_t)(shoal_metainfo_piece_size(p->swarm->mi) >> 20);
	return shoal_patience_charge_many(&p->leaves, 1 + mebibytes, SHOAL_PATIENCE_LEAVES,
					  SHOAL_PATIENCE_LEAVES_MINUTE, now);
}

static void say_range(struct shoal_peer *p, enum shoal_wire_id id, const struct shoal_wire_hash_range *r,
		      struct shoal_bytes body, shoal_us now)
{
	struct shoal_wire_msg msg = { .id = (uint16_t)id, .range = *r, .body = body };
	shoal_peer_say(p, &msg, now);
}

static bool serve_layer(struct shoal_swarm *s, struct shoal_peer *p, const struct shoal_wire_hash_range *r,
			shoal_us now)
{
	uint32_t file = file_of_root(s, r->root);
	struct shoal_bytes layer = file != UINT32_MAX ? shoal_metainfo_layer(s->mi, file) : (struct shoal_bytes){ 0 };
	uint32_t known = (uint32_t)(layer.len / 32);
	uint32_t width = shoal_merkle_width(known);
	if (known == 0 || r->length == 0 || (r->length & (r->length - 1)) || r->length > 8192 ||
	    r->index % r->length != 0 || r->index >= width || r->length > width - r->index || r->proof > UNCLES_MAX)
		return false;
	size_t room = ((size_t)r->length + UNCLES_MAX) * 32;
	shoal_hash32 *out = shoal_peer_has_room(p, room) ? malloc(room) : NULL;
	if (out == NULL)
		return false;
	uint8_t pad[32];
	shoal_merkle_pad(r->base, pad);
	for (uint32_t i = 0; i < r->length; i++)
		memcpy(out[i], r->index + i < known ? layer.at + (size_t)(r->index + i) * 32 : pad, 32);
	const shoal_hash32 *have = (const void *)layer.at;
	int uncles = r->length >= 2 ? shoal_merkle_uncles(have, known, width, r->base, r->index, r->length, r->proof,
							  out + r->length, UNCLES_MAX)
				    : SHOAL_ERR_RANGE;
	if (uncles >= 0)
		say_range(p, SHOAL_WIRE_HASHES, r, shoal_bytes(out, ((size_t)r->length + (size_t)uncles) * 32), now);
	free(out);
	return uncles >= 0;
}

void shoal_swarm_hash_request(struct shoal_swarm *s, struct shoal_peer *p, const struct shoal_wire_hash_range *r,
			      shoal_us now)
{
	bool served = false;
	if (s->mi != NULL && s->has_v2) {
		if (r->base == piece_base(s))
			served = serve_layer(s, p, r, now);
		if (!served && r->base == 0) {
			uint32_t piece = piece_of_leaves(s, r);
			struct shoal_check *check;
			/* Each is a piece read and hashed: nobody needs many. */
			if (piece != SHOAL_PIECE_NONE && shoal_swarm_running(s) && shoal_bits_get(&s->claimed, piece) &&
			    gives_leaves(p, now) &&
			    shoal_swarm_check_piece(s, piece, SHOAL_CHECK_LEAVES, SHOAL_DISK_LEAVES, &check) == 0) {
				check->peer_serial = p->serial;
				check->range = *r;
				served = true;
			}
		}
	}
	if (shoal_peer_idle_talk(p, now) < 0)
		return shoal_peer_close(p, SHOAL_ERR_REFUSED, now);
	if (!served)
		say_range(p, SHOAL_WIRE_HASH_REJECT, r, (struct shoal_bytes){ 0 }, now);
}

void shoal_swarm_leaves_ready(struct shoal_swarm *s, struct shoal_check *check, shoal_us now)
{
	struct shoal_peer *p = shoal_node_peer(s->node, check->peer_serial);
	const struct shoal_wire_hash_range *r = &check->range;
	uint32_t width = 0;
	if (!s->has_v2) /* of v1: somebody wants a hint */
		return shoal_hints_ready(s, check, now);
	if (check->job.err == SHOAL_ERR_GONE || (check->job.err == 0 && !check->hash.good))
		shoal_swarm_withdraw(s, check->piece, now);
	if (p == NULL || p->swarm != s)
		return;
	size_t room = ((size_t)r->length + UNCLES_MAX) * 32;
	if (check->job.err < 0 || !check->hash.good || !shoal_peer_has_room(p, room) ||
	    shoal_metainfo_piece_root(s->mi, check->piece, &width) == NULL)
		return say_range(p, SHOAL_WIRE_HASH_REJECT, r, (struct shoal_bytes){ 0 }, now);
	uint32_t known = (check->hash.bytes + SHOAL_BLOCK - 1) / SHOAL_BLOCK;
	uint32_t per_piece = shoal_metainfo_piece_size(s->mi) / SHOAL_BLOCK;
	uint32_t index = r->index % per_piece;
	shoal_hash32 *out = calloc(1, room);
	if (out == NULL || r->length > width) {
		free(out);
		return say_range(p, SHOAL_WIRE_HASH_REJECT, r, (struct shoal_bytes){ 0 }, now);
	}
	for (uint32_t i = 0; i < r->length && index + i < known; i++)
		memcpy(out[i], check->hash.leaf[index + i], 32);
	/* Uncles within the piece first, then those of the piece among the others of its file. */
	const shoal_hash32 *leaf = (const shoal_hash32 *)check->hash.leaf;
	int uncles = r->length < width ? shoal_merkle_uncles(leaf, known, width, 0, index, r->length, r->proof,
							     out + r->length, 32)
				       : 0;
	uint32_t inner = shoal_merkle_height(width);
	struct shoal_bytes layer = shoal_metainfo_layer(s->mi, file_of_root(s, r->root));
	if (uncles >= 0 && inner > 0 && r->proof > inner - 1 && layer.len > 0) {
		uint32_t pieces = (uint32_t)(layer.len / 32);
		uint32_t piece = r->index / per_piece;
		uint32_t beside = piece ^ 1;
		if (beside < pieces)
			memcpy(out[r->length + (uint32_t)uncles], layer.at + (size_t)beside * 32, 32);
		else
			shoal_merkle_pad(piece_base(s), out[r->length + (uint32_t)uncles]);
		uncles++;
		int more = shoal_merkle_uncles((const void *)layer.at, pieces, shoal_merkle_width(pieces),
					       piece_base(s), piece & ~UINT32_C(1), 2, r->proof - inner,
					       out + r->length + uncles, 32);
		uncles = more < 0 ? more : uncles + more;
	}
	if (uncles < 0)
		say_range(p, SHOAL_WIRE_HASH_REJECT, r, (struct shoal_bytes){ 0 }, now);
	else
		say_range(p, SHOAL_WIRE_HASHES, r, shoal_bytes(out, ((size_t)r->length + (size_t)uncles) * 32), now);
	free(out);
}
