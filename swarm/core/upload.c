/* swarm/core/upload.c - serving one peer: its requests, our reads, the blocks on their way out. */
#include <stdlib.h>
#include <string.h>
#include "swarm/core/node_room.h"
#include "swarm/core/turnover.h"

#define WANTED_ROOM_START 64u

static struct shoal_wanted *wanted_at(const struct shoal_peer *p, uint32_t i)
{
	return &p->wanted[(p->wanted_head + i) & (p->wanted_room - 1)];
}

static bool wanted_push(struct shoal_peer *p, struct shoal_wanted w)
{
	if (p->wanted_count == p->wanted_room) {
		uint32_t room = p->wanted_room ? p->wanted_room * 2 : WANTED_ROOM_START;
		struct shoal_wanted *ring = shoal_peer_grow(p, room * sizeof *ring) ? malloc(room * sizeof *ring)
										    : NULL;
		if (ring == NULL)
			return false;
		for (uint32_t i = 0; i < p->wanted_count; i++)
			ring[i] = *wanted_at(p, i);
		free(p->wanted);
		p->wanted = ring;
		p->wanted_room = room;
		p->wanted_head = 0;
	}
	p->wanted_count++;
	*wanted_at(p, p->wanted_count - 1) = w;
	return true;
}

static void wanted_drop(struct shoal_peer *p, uint32_t i)
{
	if (i == 0) {
		p->wanted_head = (p->wanted_head + 1) & (p->wanted_room - 1);
		p->wanted_count--;
		return;
	}
	for (; i + 1 < p->wanted_count; i++)
		*wanted_at(p, i) = *wanted_at(p, i + 1);
	p->wanted_count--;
}

static void reject(struct shoal_peer *p, const struct shoal_wanted *w, shoal_us now)
{
	struct shoal_wire_msg msg = { .id = SHOAL_WIRE_REJECT, .index = w->piece, .begin = w->begin, .len = w->len };
	if (p->fast)
		shoal_peer_say(p, &msg, now);
}

/* Whether a request is for bytes that exist and that we have claimed. Padding at a piece's end may be asked for by
 * peers that know no BEP 47; it is served as zeros, never read. */
static bool servable(const struct shoal_peer *p, const struct shoal_wanted *w)
{
	const struct shoal_swarm *s = p->swarm;
	if (!shoal_bits_get(&s->claimed, w->piece) || w->len == 0 || w->len > SHOAL_BLOCK)
		return false;
	/* libtorrent asks for whole blocks at the end of a v2 file, too. */
	uint32_t bytes = s->has_v2 ? shoal_metainfo_piece_size(s->mi)
				   : shoal_metainfo_piece_bytes(s->mi, w->piece) +
					     shoal_metainfo_piece_pad(s->mi, w->piece);
	return w->begin <= bytes && w->len <= bytes - w->begin;
}

/* Served now, or of the few pieces the choked get too (BEP 6). */
static bool may_have(const struct shoal_peer *p, uint32_t piece)
{
	return !p->choked || shoal_fast_given(p, piece);
}

bool shoal_peer_sated(const struct shoal_peer *p)
{
	return !p->fast && p->wanted_count >= SHOAL_PEER_REQQ;
}

void shoal_peer_wants(struct shoal_peer *p, const struct shoal_wire_msg *msg, shoal_us now)
{
	struct shoal_wanted w = { msg->index, msg->begin, msg->len };
	/* What one read brought is taken, where it cannot be refused. */
	uint32_t most = p->fast ? SHOAL_PEER_REQQ : SHOAL_PEER_REQQ + SHOAL_PW_BUF / 17;
	if (p->swarm->mi == NULL || !servable(p, &w)) {
		reject(p, &w, now);
		if (++p->bad_requests > SHOAL_PEER_BAD_REQUESTS)
			shoal_peer_close(p, SHOAL_ERR_REFUSED, now);
		return;
	}
	/* Asking without being served: it may not have seen our choke yet. */
	if ((p->choked && !shoal_fast_take(p, w.piece, w.len)) || p->wanted_count >= most || !wanted_push(p, w)) {
		if (shoal_peer_idle_talk(p, now) < 0)
			return shoal_peer_close(p, SHOAL_ERR_REFUSED, now);
		return reject(p, &w, now);
	}
	shoal_super_asked(p, w.piece, now);
	shoal_peer_stir_out(p);
}

void shoal_peer_cancels(struct shoal_peer *p, const struct shoal_wire_msg *msg, shoal_us now)
{
	if (shoal_peer_idle_talk(p, now) < 0)
		return shoal_peer_close(p, SHOAL_ERR_REFUSED, now);
	struct shoal_wanted w = { msg->index, msg->begin, msg->len };
	for (uint32_t i = p->wanted_count; i-- > 0;) {
		const struct shoal_wanted *q = wanted_at(p, i);
		if (q->piece == w.piece && q->begin == w.begin && q->len == w.len) {
			wanted_drop(p, i);
			return reject(p, &w, now);
		}
	}
	void *token;
	if (shoal_pw_take_back(p->pw, w.piece, w.begin, w.len, &token)) {
		shoal_peer_sent(p, &token, 1, false, now);
		reject(p, &w, now);
	} /* else it is on its way, which answers the cancel (BEP 6) */
}

void shoal_peer_disown(struct shoal_peer *p, uint32_t piece, shoal_us now)
{
	struct shoal_pw_give block;
	uint8_t body[4];
	shoal_put_u32(body, piece);
	if (p->ext_donthave != 0)
		shoal_peer_say_ext(p, p->ext_donthave, shoal_bytes(body, 4), now);
	/* What waits among its requests is refused when its turn comes. These had theirs: what we say passes them, so that
	 * they would follow the word that they are gone, some of them out of a file that is another by now. */
	while (shoal_pw_take_back_any(p->pw, piece, &block)) {
		struct shoal_wanted w = { block.piece, block.begin, block.len };
		shoal_peer_sent(p, &block.token, 1, false, now);
		reject(p, &w, now);
	}
}

void shoal_peer_choke(struct shoal_peer *p, bool choke, shoal_us now)
{
	if (p->choked == choke)
		return;
	p->choked = choke;
	shoal_super_woke(p);
	shoal_peer_say_id(p, choke ? SHOAL_WIRE_CHOKE : SHOAL_WIRE_UNCHOKE, now);
	if (!choke) {
		p->unchoked_at = now;
		p->gave_turn = 0;
		return;
	}
	p->choked_at = now;
	for (uint32_t n = p->wanted_count; n > 0 && !p->closing; n--) {
		struct shoal_wanted w = *wanted_at(p, 0);
		wanted_drop(p, 0);
		if (!shoal_fast_given(p, w.piece) || !wanted_push(p, w))
			reject(p, &w, now);
	}
}

/* ---- blocks on their way out ----------------------------------------------------------- */

static void sending_free(struct shoal_node *n, struct shoal_sending *out)
{
	if (out->slot != NULL)
		shoal_slot_unref(n->slots, out->slot);
	else if (out->file != UINT32_MAX)
		n->disk.ops->unspan(n->disk.d, out->file);
	free(out);
}

void shoal_peer_sent(struct shoal_peer *p, void *const token[], size_t n, bool went_out, shoal_us now)
{
	for (size_t i = 0; i < n; i++) {
		struct shoal_sending *out = token[i];
		if (went_out) {
			p->gave_turn += out->len;
			shoal_choker_gave(&p->swarm->choker, !p->choked && !p->optimistic, out->len);
			p->swarm->uploaded += out->len;
			shoal_rate_add(&p->up, out->len, now);
			shoal_rate_add(&p->swarm->up, out->len, now);
			shoal_sums_of(p)->gave += out->len;
		}
		sending_free(p->node, out);
	}
}

void shoal_peer_uploads_end(struct shoal_peer *p)
{
	void *token[32];
	size_t n;
	while ((n = shoal_pw_drain(p->pw, token, 32)) > 0)
		for (size_t i = 0; i < n; i++)
			sending_free(p->node, token[i]);
	p->wanted_count = 0;
	for (unsigned i = 0; i < SHOAL_PEER_READS; i++) {
		if (p->read[i] != NULL) { /* the disk still has it: it frees itself when it is back */
			p->read[i]->orphan = true;
			p->read[i]->peer = NULL;
			p->read[i] = NULL;
		}
	}
}

static bool give(struct shoal_peer *p, const struct shoal_wanted *w, const struct shoal_pw_give *how,
		 struct shoal_sending made)
{
	struct shoal_sending *out = malloc(sizeof *out);
	struct shoal_pw_give block = *how;
	if (out == NULL)
		return false;
	*out = made;
	out->len = w->len;
	block.piece = w->piece;
	block.begin = w->begin;
	block.len = w->len;
	block.token = out;
	if (shoal_pw_give(p->pw, &block) < 0) {
		free(out);
		return false;
	}
	return true;
}

/* Straight from the file: 1 given, 0 it must be read, < 0 the piece is not what it was. */
static int give_span(struct shoal_peer *p, const struct shoal_wanted *w)
{
	const struct shoal_disk *disk = &p->node->disk;
	struct shoal_disk_span span;
	if (disk->ops->span == NULL || p->t->ops->send_file == NULL)
		return 0;
	int rc = disk->ops->span(disk->d, p->swarm->storage, w->piece, w->begin, w->len, &span);
	if (rc <= 0)
		return rc;
	struct shoal_pw_give how = { .file = span.file, .offset = span.offset };
	if (!give(p, w, &how, (struct shoal_sending){ .file = span.file })) {
		disk->ops->unspan(disk->d, span.file);
		return 0;
	}
	shoal_pace_took(p->swarm, SHOAL_UP, w->len);
	shoal_super_gave(p, w->piece, w->len, p->node->now);
	return 1;
}

/* ---- reads --------------------------------------------------------------------------------- */

/* The next requests that one read can answer: neighbours in one piece. Returns how many. */
static uint32_t neighbours(const struct shoal_peer *p)
{
	uint32_t n = 1;
	const struct shoal_wanted *first = wanted_at(p, 0);
	if (first->begin % SHOAL_BLOCK != 0)
		return 1;
	while (n < SHOAL_PEER_READ_BLOCKS && n < p->wanted_count) {
		const struct shoal_wanted *w = wanted_at(p, n);
		const struct shoal_wanted *before = wanted_at(p, n - 1);
		if (w->piece != first->piece || w->begin != first->begin + n * SHOAL_BLOCK ||
		    before->len != SHOAL_BLOCK)
			break;
		n++;
	}
	return n;
}

static void read_free(struct shoal_node *n, struct shoal_read *read)
{
	for (uint32_t i = 0; i < read->count; i++)
		shoal_slot_unref(n->slots, read->slots[i]);
	free(read);
}

/* A read for the first requests, `most` of them at most: how many it took, 0 not now. */
static uint32_t start_read(struct shoal_peer *p, uint32_t most, shoal_us now)
{
	struct shoal_node *n = p->node;
	unsigned at = 0;
	while (at < SHOAL_PEER_READS && p->read[at] != NULL)
		at++;
	uint32_t count = neighbours(p);
	if (at == SHOAL_PEER_READS)
		return 0;
	if (count > most)
		count = most;
	while (count > 0 && shoal_slots_reserve(n->slots, count) < 0)
		count /= 2; /* what memory there is */
	if (count == 0) {
		p->swarm->slots_held = true;
		return 0;
	}
	struct shoal_read *read = calloc(1, sizeof *read);
	if (read == NULL) {
		shoal_slots_unreserve(n->slots, count);
		return 0;
	}
	uint32_t len = 0;
	for (uint32_t i = 0; i < count; i++) {
		read->want[i] = *wanted_at(p, 0);
		read->slots[i] = shoal_slot_get(n->slots);
		len += read->want[i].len;
		wanted_drop(p, 0);
	}
	uint32_t bytes = shoal_metainfo_piece_bytes(p->swarm->mi, read->want[0].piece);
	uint32_t begin = read->want[0].begin;
	if (begin + len > bytes) /* what lies past the piece's own bytes is padding: zeros, added when it comes back */
		len = begin < bytes ? bytes - begin : 0;
	read->count = count;
	read->peer = p;
	read->job = (struct shoal_disk_job){ .op = SHOAL_DISK_READ,
					     .storage = p->swarm->storage,
					     .piece = read->want[0].piece,
					     .begin = begin,
					     .len = len,
					     .slot = read->slots,
					     .slot_count = (len + SHOAL_BLOCK - 1) / SHOAL_BLOCK,
					     .owner = read };
	read->swarm = p->swarm;
	if (len > 0 && shoal_swarm_submit(p->swarm, &read->job) < 0) {
		for (uint32_t i = count; i-- > 0;) { /* back to the front of the queue, in their order */
			p->wanted_head = (p->wanted_head - 1) & (p->wanted_room - 1);
			p->wanted_count++;
			*wanted_at(p, 0) = read->want[i];
		}
		read_free(n, read);
		return 0;
	}
	p->read[at] = read;
	shoal_super_gave(p, read->want[0].piece, count * read->want[0].len, now);
	shoal_pace_took(p->swarm, SHOAL_UP, (uint64_t)count * read->want[0].len);
	if (len == 0)
		shoal_peer_read_done(read, now);
	return count;
}

void shoal_peer_read_done(struct shoal_read *read, shoal_us now)
{
	struct shoal_peer *p = read->peer;
	if (read->orphan) {
		read_free(read->swarm->node, read);
		return;
	}
	for (unsigned i = 0; i < SHOAL_PEER_READS; i++)
		if (p->read[i] == read)
			p->read[i] = NULL;
	uint32_t have = read->job.len;
	bool good = read->job.err == 0 &&
		    shoal_bits_get(&read->swarm->claimed, read->want[0].piece); /* not withdrawn since */
	for (uint32_t i = 0; i < read->count; i++) {
		const struct shoal_wanted *w = &read->want[i];
		struct shoal_slot *slot = read->slots[i];
		uint32_t real = have < w->len ? have : w->len;
		have -= real;
		memset(slot->at + real, 0, shoal_slots_real(p->node->slots, real, w->len - real));
		struct shoal_pw_give how = { .at = slot->at };
		if (!good || !may_have(p, w->piece) ||
		    !give(p, w, &how, (struct shoal_sending){ .slot = slot, .file = UINT32_MAX }))
			reject(p, w, now);
		else
			read->slots[i] = NULL; /* with the wire now */
		if (p->closing)
			break;
	}
	if (read->job.err < 0) /* whatever it is, it would be so for the next who asks */
		shoal_swarm_withdraw(read->swarm, read->job.piece, now);
	if (!p->closing)
		shoal_peer_stir_out(p);
	read_free(p->node, read);
}

/* On trial, and has had its part of the line. (Under a limit all take turns, and nobody gets more than that.) */
static bool held_back(const struct shoal_peer *p)
{
	struct shoal_swarm *s = p->swarm;
	return p->optimistic && shoal_node_uses(p->node, SHOAL_WITHOUT_TRIALS) && !shoal_pace_limited(s, SHOAL_UP) &&
	       shoal_choker_sated(&s->choker, p->gave_turn + shoal_pw_queued(p->pw),
				  2 * (uint64_t)shoal_metainfo_piece_size(s->mi));
}

uint32_t shoal_peer_serve(struct shoal_peer *p, uint32_t blocks, shoal_us now)
{
	uint32_t served = 0;
	while (served < blocks && p->wanted_count > 0 && !p->closing && shoal_pw_queued(p->pw) < SHOAL_PEER_OUT_HIGH &&
	       !held_back(p)) {
		struct shoal_wanted w = *wanted_at(p, 0);
		if (!shoal_pace_allows(p->swarm, SHOAL_UP, now))
			break;
		if (!shoal_bits_get(&p->swarm->claimed, w.piece)) { /* withdrawn since it was asked for */
			wanted_drop(p, 0);
			reject(p, &w, now);
			continue;
		}
		bool padded = w.begin + w.len > shoal_metainfo_piece_bytes(p->swarm->mi, w.piece);
		int rc = padded ? 0 : give_span(p, &w);
		if (rc > 0) {
			wanted_drop(p, 0);
			served++;
		} else if (rc < 0) {
			shoal_swarm_withdraw(p->swarm, w.piece, now);
		} else {
			uint32_t n = start_read(p, blocks - served, now);
			if (n == 0)
				break;
			served += n;
		}
	}
	return served;
}
