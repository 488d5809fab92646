/* strangers.c - see strangers.h. */
#include "tests/sim/strangers.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "proto/base/digest.h"
#include "proto/compact.h"
#include "proto/extension.h"
#include "proto/merkle.h"
#include "proto/text.h"
#include "proto/wire.h"
#include "swarm/core/carrier.h"
#include "tests/sim/strangers_room.h"
#include "tools/lab/world/must.h"

#define TORRENT_HEAD 320 /* bytes of a torrent without its pieces' hashes, and room to spare */
#define DIAL_TAKES SHOAL_S(1)
#define OWN_PEX 3 /* strangers' number for ut_pex */
#define OWN_PUNCH 9

/* ---- what strangers are told --------------------------------------------------------------------- */

static void forget(struct stranger *s, const struct shoal_addr *addr)
{
	for (size_t i = 0; i < s->known; i++) {
		if (shoal_addr_equal(&s->knows[i], addr)) {
			s->knows[i] = s->knows[--s->known];
			return;
		}
	}
	abort(); /* dropped, and never added */
}

static void on_pex(struct stranger *s, struct shoal_bytes body)
{
	if (shoal_pex_decode(body, &s->pex) < 0)
		abort();
	s->pex_at[s->pex_count++ % 64] = s->w->now;
	for (size_t i = 0; i < s->pex.dropped_count; i++)
		forget(s, &s->pex.dropped[i].addr);
	for (size_t i = 0; i < s->pex.added_count; i++) {
		for (size_t k = 0; k < s->known; k++)
			if (shoal_addr_equal(&s->knows[k], &s->pex.added[i].addr))
				abort(); /* told twice */
		assert(s->known < sizeof s->knows / sizeof *s->knows);
		s->knows[s->known++] = s->pex.added[i].addr;
	}
}

static void on_ext(struct stranger *s, const struct shoal_wire_msg *msg)
{
	struct shoal_ext_handshake *hs = sim_must(malloc(sizeof *hs));
	if (msg->ext == OWN_PUNCH) {
		s->punches++;
		if (shoal_holepunch_decode(msg->body, &s->punch) < 0)
			abort();
	} else if (msg->ext == OWN_PEX) {
		on_pex(s, msg->body);
	} else if (msg->ext == 0 && shoal_ext_handshake_decode(msg->body, hs) == 0) {
		for (size_t i = 0; i < hs->m_count; i++) {
			if (strcmp(hs->m[i].name, "ut_pex") == 0)
				s->pex_id = hs->m[i].id;
			if (strcmp(hs->m[i].name, "ut_holepunch") == 0)
				s->punch_id = hs->m[i].id;
		}
		s->upload_only = hs->upload_only;
	}
	free(hs);
}

static void listen_to(struct stranger *s)
{
	size_t at = 0;
	ptrdiff_t n = 1;
	if (s->w->o.raw)
		return;
	if (!s->greeted) {
		if (s->out_len < SHOAL_WIRE_HANDSHAKE_LEN)
			return;
		s->greeted = true;
		at = SHOAL_WIRE_HANDSHAKE_LEN;
	}
	while (n > 0) {
		struct shoal_wire_msg msg;
		n = shoal_wire_decode(shoal_bytes(s->out + at, s->out_len - at), STRANGERS_OUT_MAX, &msg);
		if (n < 0)
			abort();
		if (n > 0 && msg.id == SHOAL_WIRE_EXTENDED)
			on_ext(s, &msg);
		if (n > 0 && s->w->o.on_message != NULL)
			s->w->o.on_message(s->w->o.to, s, &msg);
		at += (size_t)n;
	}
	memmove(s->out, s->out + at, s->out_len - at);
	s->out_len -= at;
}

/* ---- time ------------------------------------------------------------------------------------------ */

static void settle(struct strangers *w)
{
	struct shoal_event ev;
	shoal_node_reap(w->node, w->now);
	shoal_node_tick(w->node, w->now);
	while (shoal_node_poll(w->node, &ev) > 0) {
		w->torrent = ev.kind == SHOAL_EV_ADDED && ev.err == 0 ? ev.torrent : w->torrent;
		w->warnings += ev.kind == SHOAL_EV_WARNING;
		w->joined += ev.kind == SHOAL_EV_PEER_JOINED;
		if (w->o.on_event != NULL)
			w->o.on_event(w->o.to, &ev);
	}
	for (size_t i = 0; i < w->count; i++)
		listen_to(w->at[i]);
	if (w->budget.used > w->budget.limit)
		abort();
}

static shoal_us next_answer(const struct strangers *w)
{
	shoal_us at = SHOAL_NEVER;
	for (size_t i = 0; i < w->dials && !w->o.hangs; i++)
		if (!w->dial[i].answered)
			at = shoal_min_u64(at, w->dial[i].at + DIAL_TAKES);
	return at;
}

/* Nobody is thrown out for saying nothing. */
static void keep_alive(struct strangers *w)
{
	static const uint8_t nothing[4];
	if (w->kept_alive + SHOAL_S(50) > w->now)
		return;
	w->kept_alive = w->now;
	for (size_t i = 0; i < w->count; i++)
		if (w->at[i]->open && w->at[i]->greeted && !w->at[i]->silent)
			stranger_say(w->at[i], nothing, sizeof nothing);
}

void strangers_run(struct strangers *w, shoal_us time)
{
	shoal_us end = w->now + time;
	settle(w);
	while (w->now < end) {
		shoal_us at = shoal_min_u64(shoal_min_u64(w->wake, next_answer(w)), end);
		if (w->tray.jobs > 0) /* the disk is done with them by then */
			at = shoal_min_u64(at, w->now + SHOAL_MS(1));
		w->now = shoal_max_u64(at, w->now + 1);
		keep_alive(w);
		for (size_t i = 0; i < w->dials && !w->o.hangs; i++) {
			struct strangers_dial *d = &w->dial[i];
			if (d->answered || d->at + DIAL_TAKES > w->now)
				continue;
			d->answered = true;
			shoal_node_dialed(w->node, d->cookie, NULL, SHOAL_ERR_NET, w->now);
		}
		settle(w);
	}
}

/* ---- making ------------------------------------------------------------------------------------------ */

static size_t put(uint8_t *out, const void *at, size_t len)
{
	memcpy(out, at, len);
	return len;
}

static size_t info_v1(const struct strangers *w, uint8_t *out)
{
	size_t hashes = 20 * (size_t)strangers_pieces(w);
	size_t at = (size_t)snprintf((char *)out, TORRENT_HEAD,
				     "d6:lengthi%llue4:name4:none12:piece lengthi%ue6:pieces%zu:",
				     (unsigned long long)strangers_content(w), strangers_piece_size(w), hashes);
	memset(out + at, 'h', hashes);
	return at + hashes;
}

/* Its layer is of zeros: `root`. */
static size_t info_v2(const struct strangers *w, const uint8_t root[32], uint8_t *out)
{
	size_t at = (size_t)snprintf(
		(char *)out, TORRENT_HEAD,
		"d9:file treed4:noned0:d6:lengthi%llue11:pieces root32:", (unsigned long long)strangers_content(w));
	at += put(out + at, root, 32);
	return at + (size_t)snprintf((char *)out + at, TORRENT_HEAD - at,
				     "eee12:meta versioni2e4:name4:none12:piece lengthi%ue", strangers_piece_size(w));
}

/* At `out`, which has room for TORRENT_HEAD and 32 bytes a piece; and the hash it goes by. */
static size_t make_torrent(struct strangers *w, uint8_t *out)
{
	size_t layer = 32 * (size_t)strangers_pieces(w), begin = put(out, "d4:info", 7), at = begin;
	uint8_t digest[32], root[32], *zeros = sim_must(calloc(1, layer));
	if (w->o.v2)
		shoal_merkle_root_of((const shoal_hash32 *)zeros, strangers_pieces(w),
				     shoal_merkle_width(strangers_pieces(w)),
				     shoal_merkle_height(strangers_piece_size(w) / SHOAL_BLOCK), root);
	at += w->o.v2 ? info_v2(w, root, out + at) : info_v1(w, out + at);
	if (w->o.is_private)
		at += put(out + at, "7:privatei1e", 12);
	out[at++] = 'e';
	struct shoal_bytes info = shoal_bytes(out + begin, at - begin);
	if (w->o.v2)
		shoal_sha256(info, digest);
	else
		shoal_sha1(info, digest);
	memcpy(w->hash, digest, sizeof w->hash); /* of v2 the first 20 bytes (BEP 52) */
	if (w->o.v2) {
		at += put(out + at, "12:piece layersd32:", 19);
		at += put(out + at, root, 32);
		at += (size_t)snprintf((char *)out + at, 24, "%zu:", layer);
		at += put(out + at, zeros, layer);
		out[at++] = 'e';
	}
	out[at++] = 'e';
	free(zeros);
	return at;
}

struct strangers *strangers_new(const struct strangers_options *o)
{
	struct strangers *w = sim_must(calloc(1, sizeof *w));
	char text[41];
	w->o = *o;
	assert(!o->v2 || o->torrent); /* a link to it would have all 32 bytes of its hash */
	uint8_t *torrent = sim_must(malloc(TORRENT_HEAD + 32 * (size_t)strangers_pieces(w)));
	w->budget.limit = o->memory ? o->memory : 16u << 20;
	w->rng = shoal_rng_split(11, 14);
	w->now = SHOAL_S(100);
	w->wake = SHOAL_NEVER;
	w->tray = (struct tray){ .work = strangers_disk_work, .to = w, .spans = strangers_piece_size(w) };
	if (shoal_slots_new(&w->slots, &w->budget) < 0)
		abort();
	struct shoal_node_options options = { .world = { o->shouts ? &strangers_world_with_neighbours
							 : o->utp  ? &strangers_world_with_datagrams
								   : &strangers_world,
							 w },
					      .disk = tray_disk(&w->tray),
					      .budget = &w->budget,
					      .slots = w->slots,
					      .rng = shoal_rng_split(7, 7),
					      .port = STRANGER_PORT,
					      .max_peers = o->max_peers,
					      .quiet = o->quiet,
					      .carriers = o->utp ? SHOAL_BY_TCP | SHOAL_BY_UTP : SHOAL_BY_TCP };
	if (shoal_node_new(&w->node, &options, w->now) < 0)
		abort();
	size_t len = make_torrent(w, torrent);
	shoal_hex_encode(shoal_bytes(w->hash, 20), text);
	struct shoal_op add = { .kind = SHOAL_OP_ADD, .folder = { (const uint8_t *)"/f", 2 } };
	if (o->seeds)
		add.flags = SHOAL_ADD_SEED_ONLY;
	if (o->torrent)
		add.data = shoal_bytes(torrent, len);
	else
		add.text = shoal_bytes(text, 40);
	if (shoal_node_do(w->node, &add, w->now) < 0)
		abort();
	free(torrent);
	strangers_run(w, SHOAL_MS(10));
	assert(w->torrent != 0);
	return w;
}

void strangers_free(struct strangers *w)
{
	struct shoal_op stop = { .kind = SHOAL_OP_STOP };
	if (shoal_node_do(w->node, &stop, w->now) < 0)
		abort();
	for (int i = 0; i < 8; i++)
		settle(w);
	assert(shoal_node_idle(w->node));
	shoal_node_free(w->node);
	assert(shoal_slots_out(w->slots) == 0);
	shoal_slots_free(w->slots);
	assert(w->budget.used == 0);
	for (size_t i = 0; i < w->count; i++) {
		assert(!w->at[i]->open);
		free(w->at[i]->out);
		free(w->at[i]);
	}
	free(w->dial);
	free(w);
}

struct shoal_addr strangers_addr(const char *text)
{
	struct shoal_addr a;
	if (shoal_addr_parse(shoal_bytes(text, strlen(text)), &a) < 0)
		abort();
	return a;
}

struct shoal_addr strangers_v4(uint32_t ip, uint16_t port)
{
	struct shoal_addr a = { .port = port, .is_v4 = 1 };
	shoal_put_u32(a.ip, ip);
	return a;
}

struct shoal_addr strangers_far(unsigned i)
{
	return strangers_v4(0x50000001u + (i << 16), (uint16_t)(10000 + i));
}

void strangers_name(struct strangers *w, const struct shoal_addr *addr)
{
	struct shoal_op op = { .kind = SHOAL_OP_PEER, .torrent = w->torrent, .addr = *addr };
	if (shoal_node_do(w->node, &op, w->now) < 0)
		abort();
}

/* ---- strangers ------------------------------------------------------------------------------------------ */

static struct stranger *stranger_new(struct strangers *w, const struct shoal_addr *addr)
{
	struct stranger *s = sim_must(calloc(1, sizeof *s));
	assert(w->count < STRANGERS_MAX);
	w->at[w->count++] = s;
	s->t.ops = &strangers_transport;
	s->w = w;
	s->addr = *addr;
	s->open = true;
	return s;
}

void stranger_say(struct stranger *s, const void *at, size_t len)
{
	s->in = shoal_bytes(at, len);
	while (s->open && s->in.len > 0) {
		size_t before = s->in.len;
		shoal_node_ready(s->w->node, &s->t, SHOAL_WANT_READ, s->w->now);
		settle(s->w);
		if (s->in.len == before)
			break;
	}
	s->in.len = 0;
}

void stranger_wants(struct stranger *s)
{
	stranger_say_msg(s, &(struct shoal_wire_msg){ .id = SHOAL_WIRE_INTERESTED });
}

void stranger_gives(struct stranger *s, unsigned block)
{
	static const uint8_t zeros[SHOAL_BLOCK];
	assert(strangers_piece_size(s->w) == 2 * SHOAL_BLOCK);
	stranger_say_msg(s, &(struct shoal_wire_msg){ .id = SHOAL_WIRE_PIECE,
						      .index = block / 2,
						      .begin = block % 2 * SHOAL_BLOCK,
						      .body = shoal_bytes(zeros, sizeof zeros) });
}

void stranger_say_msg(struct stranger *s, const struct shoal_wire_msg *msg)
{
	size_t room = msg->body.len + 64;
	uint8_t *raw = sim_must(malloc(room));
	ptrdiff_t n = shoal_wire_encode(msg, (struct shoal_space){ raw, room });
	if (n < 0)
		abort();
	stranger_say(s, raw, (size_t)n);
	free(raw);
}

void stranger_say_ext(struct stranger *s, uint8_t id, struct shoal_bytes body)
{
	stranger_say_msg(s, &(struct shoal_wire_msg){ .id = SHOAL_WIRE_EXTENDED, .ext = id, .body = body });
}

static void greet(struct stranger *s, uint16_t port)
{
	struct strangers *w = s->w;
	uint8_t raw[SHOAL_WIRE_HANDSHAKE_LEN], body[256];
	struct shoal_wire_handshake hs = { .can = SHOAL_CAN_EXTENDED | SHOAL_CAN_FAST };
	memcpy(hs.info_hash.b, w->hash, 20);
	for (int i = 0; i < 20; i++)
		hs.peer_id.b[i] = (uint8_t)shoal_rng_next(&w->rng);
	shoal_wire_handshake_encode(&hs, raw);
	stranger_say(s, raw, sizeof raw);
	struct shoal_ext_handshake *ext = sim_must(calloc(1, sizeof *ext));
	memcpy(ext->m[0].name, "ut_pex", 7);
	ext->m[0].id = OWN_PEX;
	ext->m_count = 1;
	ext->port = port;
	ptrdiff_t n = shoal_ext_handshake_encode(ext, (struct shoal_space){ body, sizeof body });
	free(ext);
	if (n < 0)
		abort();
	stranger_say_ext(s, 0, shoal_bytes(body, (size_t)n));
}

struct stranger *stranger_knock(struct strangers *w, const struct shoal_addr *from)
{
	struct stranger *s = stranger_new(w, from);
	shoal_node_accept(w->node, &s->t, from, w->now);
	return s;
}

struct stranger *stranger_come(struct strangers *w, const struct shoal_addr *from, uint16_t port)
{
	struct stranger *s = stranger_knock(w, from);
	if (s->open)
		greet(s, port);
	return s;
}

struct stranger *stranger_answer(struct strangers *w, struct strangers_dial *d)
{
	struct stranger *s = stranger_new(w, &d->to);
	assert(!d->answered);
	d->answered = true;
	shoal_node_dialed(w->node, d->cookie, &s->t, 0, w->now);
	settle(w);
	if (s->open && !w->o.raw)
		greet(s, s->addr.port);
	return s;
}

void stranger_pex(struct stranger *s, const struct shoal_pex *pex)
{
	uint8_t *raw = sim_must(malloc(16384));
	ptrdiff_t n = shoal_pex_encode(pex, (struct shoal_space){ raw, 16384 });
	if (n < 0)
		abort();
	if (s->open)
		stranger_say_ext(s, s->pex_id, shoal_bytes(raw, (size_t)n));
	free(raw);
}

void stranger_punches(struct stranger *s)
{
	static const char body[] = "d1:md12:ut_holepunchi9eee";
	stranger_say_ext(s, 0, shoal_bytes(body, sizeof body - 1));
}

void stranger_punch(struct stranger *s, enum shoal_holepunch_kind kind, const struct shoal_addr *addr)
{
	uint8_t raw[SHOAL_HOLEPUNCH_BYTES];
	struct shoal_holepunch h = { kind, *addr, 0 };
	stranger_say_ext(s, s->punch_id, shoal_bytes(raw, shoal_holepunch_encode(&h, raw)));
}

void stranger_leave(struct stranger *s)
{
	s->t.ops = &strangers_transport_gone;
	shoal_node_ready(s->w->node, &s->t, SHOAL_WANT_READ, s->w->now);
	settle(s->w);
	assert(!s->open);
}

size_t strangers_dials_to(const struct strangers *w, const struct shoal_addr *host, shoal_us since)
{
	size_t n = 0;
	for (size_t i = 0; i < w->dials; i++)
		n += w->dial[i].at >= since && w->dial[i].to.is_v4 == host->is_v4 &&
		     memcmp(w->dial[i].to.ip, host->ip, host->is_v4 ? 4 : 16) == 0;
	return n;
}
