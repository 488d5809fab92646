/*
 * proto/peer_wire_out.c - the half of a peer's stream that goes out.
 *
 * Two queues make one stream: small messages as bytes, blocks as records.
 * A small message goes before blocks of which nothing has gone out: on a slow
 * line those may take a minute, and a request or a cancel that waits for them
 * is as good as lost. Only a choke stays behind the blocks given before it,
 * since to who knows no BEP 6 it says that none will come: these carry the
 * count of small bytes that go before them, so neither queue is ever searched
 * to find what comes next.
 */
#include <assert.h>
#include <stdlib.h>

#include "proto/peer_wire_room.h"

#define SMALL_FIRST 512u	/* bytes of the first allocation */
#define SMALL_KEPT (16u * 1024) /* what an empty queue may keep; a bitfield's room goes back */
#define BLOCKS_FIRST 8u		/* a power of two */
#define BLOCKS_KEPT 128u	/* records an empty queue may keep */

void pw_out_fini(struct pw_out *out)
{
	free(out->small);
	free(out->block);
	memset(out, 0, sizeof *out);
}

size_t pw_out_bytes(const struct pw_out *out)
{
	return out->room + (size_t)out->block_room * sizeof *out->block;
}

static size_t waiting(const struct pw_out *out)
{
	return out->tail - out->head;
}

static struct pw_block_out *block_at(const struct pw_out *out, uint32_t i)
{
	return &out->block[(out->block_first + i) & (out->block_room - 1)];
}

static uint32_t block_size(const struct pw_block_out *b)
{
	return SHOAL_WIRE_PIECE_HEAD + b->give.len;
}

/*
 * Room for `n` more bytes at the tail. The memory may be twice what may wait:
 * then what waits is only moved when more than that has been sent, and a peer
 * who drains us by the byte cannot make us move all of it each time.
 */
static int small_reserve(struct pw_out *out, size_t n)
{
	size_t wait = waiting(out);

	if (out->room - out->tail >= n)
		return SHOAL_OK;
	if (out->head >= wait && out->room - wait >= n) {
		if (wait > 0)
			memcpy(out->small, out->small + out->head, wait);
	} else {
		size_t room = out->room > 0 ? out->room : SMALL_FIRST;
		while (room < 2 * (wait + n))
			room *= 2;
		if (room > 2 * SHOAL_PW_OUT_MAX)
			room = 2 * SHOAL_PW_OUT_MAX;
		uint8_t *small = malloc(room);
		if (small == NULL)
			return SHOAL_ERR_NOMEM;
		if (wait > 0)
			memcpy(small, out->small + out->head, wait);
		free(out->small);
		out->small = small;
		out->room = room;
	}
	out->head = 0;
	out->tail = wait;
	return SHOAL_OK;
}

int shoal_pw_greet(struct shoal_pw *pw, const struct shoal_wire_handshake *hs)
{
	struct pw_out *out = &pw->out;

	if (out->greeted)
		return SHOAL_ERR_USAGE;
	int rc = small_reserve(out, SHOAL_WIRE_HANDSHAKE_LEN);
	if (rc < 0)
		return rc;
	shoal_wire_handshake_encode(hs, out->small + out->tail);
	out->tail += SHOAL_WIRE_HANDSHAKE_LEN;
	out->greeted = true;
	return SHOAL_OK;
}

/* How many of the small bytes that wait go before it. */
static size_t before(const struct pw_out *out, const struct pw_block_out *b)
{
	if (b->gone > 0 || b->mark <= out->sent)
		return 0;
	return b->mark == PW_LETS_PASS ? waiting(out) : (size_t)(b->mark - out->sent);
}

/* What is said from now on stays behind the blocks given so far. Once for each of them. */
static void blocks_let_nothing_pass(struct pw_out *out)
{
	for (uint32_t i = out->block_count; i-- > 0 && block_at(out, i)->mark == PW_LETS_PASS;)
		block_at(out, i)->mark = out->sent + before(out, block_at(out, i));
}

int shoal_pw_say(struct shoal_pw *pw, const struct shoal_wire_msg *msg)
{
	struct pw_out *out = &pw->out;
	size_t bound = shoal_pw_room(pw);
	size_t need = 4 + 1 + sizeof msg->range; /* more than any fields take */

	if (msg->body.len > bound)
		return SHOAL_ERR_TOO_LONG;
	need = need + msg->body.len < bound ? need + msg->body.len : bound;
	int rc = small_reserve(out, need);
	if (rc < 0)
		return rc;
	ptrdiff_t len = shoal_wire_encode(msg, (struct shoal_space){ out->small + out->tail, need });
	if (len < 0)
		return (int)len;
	if (msg->id == SHOAL_WIRE_CHOKE)
		blocks_let_nothing_pass(out);
	out->tail += (size_t)len;
	return SHOAL_OK;
}

/* Doubles the ring of blocks. */
static int blocks_grow(struct pw_out *out)
{
	uint32_t room = out->block_room > 0 ? 2 * out->block_room : BLOCKS_FIRST;
	struct pw_block_out *block = malloc((size_t)room * sizeof *block);
	if (block == NULL)
		return SHOAL_ERR_NOMEM;
	for (uint32_t i = 0; i < out->block_count; i++)
		block[i] = *block_at(out, i);
	free(out->block);
	out->block = block;
	out->block_room = room;
	out->block_first = 0;
	return SHOAL_OK;
}

int shoal_pw_give(struct shoal_pw *pw, const struct shoal_pw_give *give)
{
	struct pw_out *out = &pw->out;

	if (give->token == NULL || give->len == 0 || give->len > SHOAL_WIRE_BLOCK_MAX)
		return SHOAL_ERR_USAGE;
	if (out->block_count == SHOAL_PW_GIVES_MAX)
		return SHOAL_ERR_TOO_LONG;
	if (out->block_count == out->block_room) {
		int rc = blocks_grow(out);
		if (rc < 0)
			return rc;
	}
	struct pw_block_out *b = block_at(out, out->block_count++);
	b->give = *give;
	b->mark = PW_LETS_PASS;
	b->gone = 0;
	shoal_wire_piece_head(b->head, give->piece, give->begin, give->len);
	out->blocks_open++;
	out->block_bytes += block_size(b);
	return SHOAL_OK;
}

static void block_take(struct pw_out *out, uint32_t i)
{
	out->blocks_open--;
	out->block_bytes -= block_size(block_at(out, i));
	for (; i + 1 < out->block_count; i++)
		*block_at(out, i) = *block_at(out, i + 1);
	out->block_count--;
}

bool shoal_pw_take_back(struct shoal_pw *pw, uint32_t piece, uint32_t begin, uint32_t len, void **token)
{
	struct pw_out *out = &pw->out;

	/* The newest first: of a block that was asked for twice, one may be on its way. */
	for (uint32_t i = out->block_count; i-- > 0;) {
		const struct pw_block_out *b = block_at(out, i);
		if (b->give.piece != piece || b->give.begin != begin || b->give.len != len || b->gone > 0)
			continue;
		*token = b->give.token;
		block_take(out, i);
		return true;
	}
	return false;
}

bool shoal_pw_take_back_any(struct shoal_pw *pw, uint32_t piece, struct shoal_pw_give *block)
{
	struct pw_out *out = &pw->out;

	for (uint32_t i = 0; i < out->block_count; i++) {
		const struct pw_block_out *b = block_at(out, i);
		if (b->give.piece != piece || b->gone > 0)
			continue;
		*block = b->give;
		block_take(out, i);
		return true;
	}
	return false;
}

size_t shoal_pw_output(const struct shoal_pw *pw, struct shoal_pw_piece_out v[], size_t max)
{
	const struct pw_out *out = &pw->out;
	size_t n = 0, pos = out->head; /* pos: the next small byte */

	for (uint32_t i = 0; i < out->block_count && n < max; i++) {
		const struct pw_block_out *b = block_at(out, i);
		size_t until = out->head + before(out, b);
		uint32_t gone = b->gone;

		if (until > pos) {
			v[n++] = (struct shoal_pw_piece_out){ .at = out->small + pos, .len = until - pos };
			pos = until;
		}
		if (gone < SHOAL_WIRE_PIECE_HEAD && n < max) {
			v[n++] = (struct shoal_pw_piece_out){ .at = b->head + gone,
							      .len = SHOAL_WIRE_PIECE_HEAD - gone };
			gone = SHOAL_WIRE_PIECE_HEAD;
		}
		if (gone < block_size(b) && n < max) {
			uint32_t skip = gone - SHOAL_WIRE_PIECE_HEAD;
			v[n] = (struct shoal_pw_piece_out){ .len = b->give.len - skip };
			if (b->give.at != NULL) {
				v[n].at = b->give.at + skip;
			} else {
				v[n].token = b->give.token;
				v[n].file = b->give.file;
				v[n].offset = b->give.offset + skip;
			}
			n++;
		}
	}
	if (n < max && out->tail > pos)
		v[n++] = (struct shoal_pw_piece_out){ .at = out->small + pos, .len = out->tail - pos };
	return n;
}

static void small_gone(struct pw_out *out, size_t n)
{
	out->head += n;
	out->sent += n;
	if (out->head < out->tail)
		return;
	out->head = out->tail = 0;
	if (out->room > SMALL_KEPT) {
		free(out->small);
		out->small = NULL;
		out->room = 0;
	}
}

static void *block_pop(struct pw_out *out)
{
	void *token = block_at(out, 0)->give.token;
	out->block_first = (out->block_first + 1) & (out->block_room - 1);
	out->block_count--;
	if (out->block_count == 0 && out->block_room > BLOCKS_KEPT) {
		free(out->block);
		out->block = NULL;
		out->block_first = out->block_room = 0;
	}
	return token;
}

size_t shoal_pw_sent(struct shoal_pw *pw, size_t n, void *done[], size_t max, shoal_us now)
{
	struct pw_out *out = &pw->out;
	size_t returned = 0;

	assert(n <= shoal_pw_queued(pw));
	if (n > 0)
		pw->spoke = now;
	for (uint32_t i = 0; i < out->block_count && n > 0; i++) {
		struct pw_block_out *b = block_at(out, i);
		size_t ahead = before(out, b);
		size_t small = n < ahead ? n : ahead;
		size_t left = block_size(b) - b->gone;

		if (small > 0)
			small_gone(out, small);
		n -= small;
		if (n == 0)
			break;
		size_t bytes = n < left ? n : left;
		b->gone += (uint32_t)bytes;
		out->block_bytes -= bytes;
		n -= bytes;
		if (left > 0 && bytes == left)
			out->blocks_open--;
	}
	if (n > 0)
		small_gone(out, n);
	/* Those that find no room in done[] wait at the front for the next call. */
	while (returned < max && out->block_count > 0 && block_at(out, 0)->gone == block_size(block_at(out, 0)))
		done[returned++] = block_pop(out);
	return returned;
}

size_t shoal_pw_drain(struct shoal_pw *pw, void *done[], size_t max)
{
	struct pw_out *out = &pw->out;
	size_t n = 0;

	while (n < max && out->block_count > 0) {
		const struct pw_block_out *b = block_at(out, 0);
		if (b->gone < block_size(b))
			out->blocks_open--;
		out->block_bytes -= block_size(b) - b->gone;
		done[n++] = block_pop(out);
	}
	return n;
}

size_t shoal_pw_queued(const struct shoal_pw *pw)
{
	return waiting(&pw->out) + (size_t)pw->out.block_bytes;
}

size_t shoal_pw_queued_blocks(const struct shoal_pw *pw)
{
	return pw->out.blocks_open;
}

size_t shoal_pw_room(const struct shoal_pw *pw)
{
	return SHOAL_PW_OUT_MAX - waiting(&pw->out);
}
