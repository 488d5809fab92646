/* watch.c - see watch.h. */
#include "tools/lab/world/watch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/fetch.h"
#include "proto/wire.h"
#include "tools/lab/world/must.h"

#define MESSAGE_MAX (2u << 20)
#define EXT_DONTHAVE 7 /* the number our nodes give lt_donthave */

struct sim_watch {
	bool shaken;
	bool good;		     /* the block that is being sent, so far */
	struct shoal_bits announced; /* on this connection */
	size_t len;		     /* kept, of a message that is not whole */
	struct sim_talk talk;
	uint8_t *at;
	size_t room;
	unsigned can;		/* of its handshake */
	struct sim_watch *back; /* the other direction */
};

void sim_witness_init(struct sim_witness *w, const struct sim_content *content, struct sim_disk *disk,
		      const char *folder, bool honest)
{
	*w = (struct sim_witness){ .content = content, .disk = disk, .folder = folder, .honest = honest };
	uint32_t pieces = shoal_metainfo_piece_count(content->mi);
	if (shoal_bits_init(&w->promised, pieces) < 0 || shoal_bits_init(&w->owed, pieces) < 0)
		abort();
}

void sim_witness_fini(struct sim_witness *w)
{
	shoal_bits_fini(&w->promised);
	shoal_bits_fini(&w->owed);
}

void sim_witness_reborn(struct sim_witness *w)
{
	shoal_bits_copy(&w->owed, &w->promised);
}

void sim_witness_forgive(struct sim_witness *w, uint32_t piece)
{
	shoal_bits_clear(&w->promised, piece);
	shoal_bits_clear(&w->owed, piece);
}

struct sim_watch *sim_watch_new(struct sim_node *who, struct sim_node *to, struct sim_watch *back)
{
	struct sim_watch *watch = sim_must(calloc(1, sizeof *watch));
	watch->back = back;
	if (back != NULL)
		back->back = watch;
	sim_talk_begin(&watch->talk, who, to, back != NULL ? &back->talk : NULL);
	watch->talk.announced = &watch->announced;
	return watch;
}

void sim_watch_foresee(const struct sim_watch *watch, bool deep)
{
	if (watch == NULL)
		return;
	if (!deep)
		return shoal_fetch(watch, sizeof *watch);
	if (watch->len > 0)
		shoal_fetch(watch->at, 64);
	if (watch->talk.events > 0)
		shoal_fetch((const char *)watch->talk.event + 24 * watch->talk.event_head, 64);
}

void sim_watch_took(struct sim_watch *watch, size_t n)
{
	sim_talk_took(&watch->talk, n);
}

void sim_watch_free(struct sim_watch *watch)
{
	if (watch == NULL)
		return;
	if (watch->back != NULL)
		watch->back->back = NULL;
	sim_talk_end(&watch->talk);
	shoal_bits_fini(&watch->announced);
	free(watch->at);
	free(watch);
}

__attribute__((format(printf, 2, 3))) static void breach(struct sim_witness *w, const char *format, ...)
{
	va_list args;
	if (w->wrong[0] != 0 || !w->honest)
		return;
	va_start(args, format);
	vsnprintf(w->wrong, sizeof w->wrong, format, args);
	va_end(args);
}

static void announces(struct sim_watch *watch, struct sim_witness *w, uint32_t piece)
{
	if (piece >= w->promised.count)
		return breach(w, "announced piece %u of %u", piece, w->promised.count);
	shoal_bits_set(&watch->announced, piece);
	if (w->brief && shoal_bits_get(&w->promised, piece))
		return;
	if (w->honest && !sim_disk_piece_right(w->disk, w->folder, w->content->mi, piece, true))
		breach(w, "announced piece %u, which would not survive a power cut%s", piece,
		       sim_disk_piece_right(w->disk, w->folder, w->content->mi, piece, false)
			       ? ""
			       : " and is not even there");
	shoal_bits_set(&w->promised, piece);
}

/* Some bytes of a block. */
static void sends(struct sim_watch *watch, struct sim_witness *w, const struct sim_heard *h)
{
	const struct shoal_metainfo *mi = w->content->mi;
	uint32_t bytes = h->piece < w->promised.count ? shoal_metainfo_piece_bytes(mi, h->piece) : 0;
	uint64_t pos = (uint64_t)h->piece * shoal_metainfo_piece_size(mi) + h->begin + h->off;
	if (h->off == 0) {
		w->blocks++;
		watch->good = true;
		if (bytes == 0 || !shoal_bits_get(&watch->announced, h->piece))
			breach(w, "sent a block of piece %u, which it had not announced", h->piece);
		if (h->begin > bytes || h->block > bytes - h->begin)
			breach(w, "sent bytes past the end of piece %u", h->piece);
	}
	/* (Past the end lies padding, which is no content: that it is zeros is the hashes' business.) */
	if (h->kept.len > 0 && h->begin + h->off < bytes) {
		size_t len = bytes - h->begin - h->off < h->kept.len ? bytes - h->begin - h->off : h->kept.len;
		watch->good = watch->good && sim_content_is(w->content->seed, pos, h->kept.at, len);
	}
	if (w->honest && !watch->good)
		breach(w, "sent false bytes of piece %u", h->piece);
	if (w->on_block != NULL && h->off + h->len == h->block)
		w->on_block(w, h->piece, h->begin, h->block, watch->good);
}

static void on_message(struct sim_watch *watch, struct sim_witness *w, const struct shoal_wire_msg *msg)
{
	uint32_t pieces = w->promised.count;
	struct shoal_bits bits;
	switch (msg->id) {
	case SHOAL_WIRE_HAVE: return announces(watch, w, msg->index);
	case SHOAL_WIRE_HAVE_ALL:
		for (uint32_t i = 0; i < pieces; i++)
			announces(watch, w, i);
		return;
	case SHOAL_WIRE_BITFIELD:
		if (shoal_bits_init(&bits, pieces) < 0)
			abort();
		if (shoal_bits_load(&bits, msg->body, false) < 0)
			breach(w, "sent a bitfield of %zu bytes for %u pieces", msg->body.len, pieces);
		for (uint32_t i = shoal_bits_next(&bits, 0); i < pieces; i = shoal_bits_next(&bits, i + 1))
			announces(watch, w, i);
		shoal_bits_fini(&bits);
		return;
	case SHOAL_WIRE_REQUEST:
		w->requests++;
		/* (One queued on a slow connection may go out after the piece came from elsewhere.) */
		if (shoal_bits_get(&watch->announced, msg->index) || shoal_bits_get(&w->owed, msg->index))
			breach(w, "asked for piece %u, which it had announced itself", msg->index);
		return;
	case SHOAL_WIRE_EXTENDED:
		if (msg->ext == EXT_DONTHAVE && msg->body.len == 4) {
			shoal_bits_clear(&watch->announced, shoal_get_u32(msg->body.at));
			sim_witness_forgive(w, shoal_get_u32(msg->body.at));
			w->took_back++;
		}
		return;
	default: return;
	}
}

static void shakes(struct sim_watch *watch, const uint8_t *at)
{
	struct shoal_wire_handshake hs;
	watch->shaken = true;
	if (shoal_wire_handshake_decode(shoal_bytes(at, SHOAL_WIRE_HANDSHAKE_LEN), &hs) == 0)
		watch->can = hs.can;
	if (watch->back != NULL)
		watch->talk.fast = watch->back->talk.fast = watch->can & watch->back->can & SHOAL_CAN_FAST;
}

/* All that is whole of the talk, which ends where the stream does by now, is looked at: how much that was. */
static size_t listen(struct sim_watch *watch, struct sim_witness *w, struct shoal_bytes talk)
{
	size_t used = 0;
	if (!watch->shaken) {
		if (talk.len < SHOAL_WIRE_HANDSHAKE_LEN)
			return 0;
		shakes(watch, talk.at);
		used = SHOAL_WIRE_HANDSHAKE_LEN;
	}
	while (used < talk.len) {
		struct shoal_wire_msg msg;
		ptrdiff_t n = shoal_wire_decode(shoal_bytes(talk.at + used, talk.len - used), MESSAGE_MAX, &msg);
		if (n < 0) {
			breach(w, "sent bytes that are no message (%s)", shoal_err_name((int)n));
			return talk.len; /* what is no message is not kept */
		}
		if (n == 0)
			break;
		on_message(watch, w, &msg);
		used += (size_t)n;
		sim_talk_said(&watch->talk, &msg, watch->talk.said - (talk.len - used));
	}
	return used;
}

/* What is not whole yet is kept until the rest of it comes. */
static void keep(struct sim_watch *watch, struct shoal_bytes rest)
{
	if (watch->len + rest.len > watch->room) {
		watch->room = 2 * (watch->len + rest.len);
		watch->at = sim_must(realloc(watch->at, watch->room));
	}
	if (rest.len > 0)
		memcpy(watch->at + watch->len, rest.at, rest.len);
	watch->len += rest.len;
}

static void hear_talk(struct sim_watch *watch, struct sim_witness *w, const struct sim_heard *heard)
{
	bool to_block = heard->len > 0 && heard->off == 0; /* the block's own head is all that is left */
	watch->talk.said += heard->talk.len;
	if (watch->len == 0) { /* as nearly always: it is read where it lies */
		size_t used = listen(watch, w, heard->talk);
		if (!to_block)
			keep(watch, shoal_bytes(heard->talk.at + used, heard->talk.len - used));
		return;
	}
	keep(watch, heard->talk);
	size_t used = listen(watch, w, shoal_bytes(watch->at, watch->len));
	memmove(watch->at, watch->at + used, watch->len - used);
	watch->len = to_block ? 0 : watch->len - used;
}

bool sim_watch_heard(struct sim_watch *watch, struct sim_witness *w, const struct sim_heard *heard)
{
	if (watch->announced.word == NULL && shoal_bits_init(&watch->announced, w->promised.count) < 0)
		abort();
	hear_talk(watch, w, heard);
	if (heard->len == 0)
		return true;
	watch->talk.said += heard->len;
	if (heard->off + heard->len == heard->block)
		sim_talk_said(&watch->talk,
			      &(struct shoal_wire_msg){ .id = SHOAL_WIRE_PIECE,
							.index = heard->piece,
							.begin = heard->begin,
							.len = heard->block },
			      watch->talk.said);
	sends(watch, w, heard);
	return watch->good;
}
