/*
 * fuzz_session.c - a whole peer session against a real node: half a torrent (or a magnet) and a stranger.
 *
 *	byte 0	1: the node has a magnet only; 2: no handshake is put in front; 4: the stranger is a v2 peer
 *	then	orders: a length byte n, a byte of time (units of 250 ms), and n bytes that arrive at once
 *
 * The content is zeros, so that a fuzzer can send good blocks. Whatever arrives: no crash, the budget holds, no
 * block of a piece that is not claimed goes out, and in the end everything is given back.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/digest.h"
#include "proto/wire.h"
#include "swarm/core/node.h"
#include "tests/tray.h"

#define PIECES 4u
#define PIECE (32u * 1024)
#define MEMORY (4u << 20)

struct scene {
	struct shoal_transport t; /* first: it is what the node holds */
	bool open;
	struct shoal_bytes in; /* what has arrived and was not read */
	uint8_t head[5];       /* the start of the message that is being sent */
	size_t out_at, out_left, greeting;
	struct tray tray;
	uint8_t have; /* bit i: piece i is right on disk */
};

/* ---- transport -------------------------------------------------------------------------- */

static ptrdiff_t on_recv(struct shoal_transport *t, const struct shoal_space v[], size_t n)
{
	struct scene *s = (struct scene *)t;
	size_t got = 0;
	for (size_t i = 0; i < n && s->in.len > 0; i++) {
		size_t k = v[i].len < s->in.len ? v[i].len : s->in.len;
		if (k > 0)
			memcpy(v[i].at, s->in.at, k);
		s->in.at += k;
		s->in.len -= k;
		got += k;
	}
	return (ptrdiff_t)got;
}

/* Follows what goes out: a block must be of a piece that the node has. */
static void on_byte(struct scene *s, uint8_t b)
{
	if (s->greeting > 0) {
		s->greeting--;
		return;
	}
	if (s->out_left > 0) {
		if (s->out_at < 9 && s->head[4] == SHOAL_WIRE_PIECE && s->out_at >= 5)
			assert(s->out_at == 8 ? (b < PIECES && (s->have >> b & 1)) : b == 0);
		s->out_at++;
		s->out_left--;
		if (s->out_left == 0)
			s->out_at = 0;
		return;
	}
	s->head[s->out_at++] = b;
	size_t len = s->out_at >= 4 ? shoal_get_u32(s->head) : 1;
	if (s->out_at == 4 && len == 0)
		s->out_at = 0;
	if (s->out_at == 5) {
		s->out_left = len - 1;
		if (s->out_left == 0)
			s->out_at = 0;
	}
}

static ptrdiff_t on_send(struct shoal_transport *t, const struct shoal_bytes v[], size_t n, bool more)
{
	struct scene *s = (struct scene *)t;
	size_t sent = 0;
	(void)more;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < v[i].len; k++)
			on_byte(s, v[i].at[k]);
		sent += v[i].len;
	}
	return (ptrdiff_t)sent;
}

static void on_want(struct shoal_transport *t, unsigned what)
{
	(void)t;
	(void)what;
}

static void on_close(struct shoal_transport *t)
{
	((struct scene *)t)->open = false;
}

static const struct shoal_transport_ops transport = {
	.name = "fuzz", .recv = on_recv, .send = on_send, .want = on_want, .close = on_close
};

/* ---- disk --------------------------------------------------------------------------------- */

static void work(void *to, struct shoal_disk_job *job)
{
	struct scene *s = to;
	bool zeros = true;
	switch (job->op) {
	case SHOAL_DISK_WRITE:
		for (uint32_t i = 0; i < job->slot_count; i++)
			for (uint32_t k = 0; k < job->slot[i]->len; k++)
				zeros = zeros && job->slot[i]->at[k] == 0;
		job->hash->good = zeros;
		if (zeros)
			s->have |= (uint8_t)(1u << job->piece);
		break;
	case SHOAL_DISK_CHECK: job->hash->good = s->have >> job->piece & 1; break;
	case SHOAL_DISK_READ:
		for (uint32_t i = 0; i < job->slot_count; i++)
			memset(job->slot[i]->at, 0, SHOAL_BLOCK);
		break;
	default:
		for (uint32_t i = 0; i < job->count; i++)
			job->seen[i] = (struct shoal_seen){ .state = SHOAL_SEEN_PART,
							    .stamp = { .dev = 1, .ino = 1, .size = PIECES * PIECE } };
		break;
	}
}

/* ---- world ----------------------------------------------------------------------------------- */

static void world_secret(void *w, struct shoal_space out)
{
	(void)w;
	memset(out.at, 'x', out.len);
}

static int world_dial(void *w, const struct shoal_addr *to, uint64_t cookie)
{
	(void)w;
	(void)to;
	(void)cookie;
	return SHOAL_ERR_NET;
}

static void world_wake(void *w, shoal_us at)
{
	(void)w;
	(void)at;
}

static int64_t world_unix(void *w)
{
	(void)w;
	return 0;
}

static const struct shoal_world_ops world = {
	.secret = world_secret, .dial = world_dial, .wake_at = world_wake, .unix_s = world_unix
};

/* ---- the run ------------------------------------------------------------------------------------ */

/* The info dictionary of PIECES pieces of zeros. */
static size_t make_info(uint8_t *out)
{
	static const char head[] = "d6:lengthi131072e4:name4:fuzz12:piece lengthi32768e6:pieces80:";
	static const uint8_t zeros[PIECE];
	uint8_t sha1[20];
	size_t at = sizeof head - 1;
	memcpy(out, head, at);
	shoal_sha1((struct shoal_bytes){ zeros, sizeof zeros }, sha1);
	for (uint32_t i = 0; i < PIECES; i++, at += 20)
		memcpy(out + at, sha1, 20);
	out[at++] = 'e';
	return at;
}

static void settle(struct shoal_node *n, shoal_us now)
{
	struct shoal_event ev;
	for (int i = 0; i < 8; i++) {
		shoal_node_reap(n, now);
		shoal_node_tick(n, now);
		while (shoal_node_poll(n, &ev) > 0)
			;
	}
}

static void arrive(struct scene *s, struct shoal_node *n, struct shoal_bytes what, shoal_us now)
{
	s->in = what;
	while (s->open && s->in.len > 0) {
		size_t before = s->in.len;
		shoal_node_ready(n, &s->t, SHOAL_WANT_READ, now);
		settle(n, now);
		if (s->in.len == before)
			break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct scene *s = calloc(1, sizeof *s);
	struct shoal_budget budget = { .limit = MEMORY };
	struct shoal_slots *slots = NULL;
	struct shoal_node *n = NULL;
	shoal_us now = SHOAL_S(1);
	uint8_t mode = len > 0 ? at[0] : 0;
	assert(s != NULL);
	s->tray.work = work;
	s->tray.to = s;
	assert(shoal_slots_new(&slots, &budget) == 0);
	struct shoal_node_options options = { .world = { &world, s },
					      .disk = tray_disk(&s->tray),
					      .budget = &budget,
					      .slots = slots,
					      .rng = shoal_rng_split(1, 1) };
	assert(shoal_node_new(&n, &options, now) == 0);

	uint8_t torrent[256] = "d4:info";
	uint8_t hash[20];
	size_t info = make_info(torrent + 7);
	torrent[7 + info] = 'e';
	shoal_sha1((struct shoal_bytes){ torrent + 7, info }, hash);
	char text[41];
	for (int i = 0; i < 20; i++) {
		text[2 * i] = "0123456789abcdef"[hash[i] >> 4];
		text[2 * i + 1] = "0123456789abcdef"[hash[i] & 15];
	}
	struct shoal_op add = { .kind = SHOAL_OP_ADD, .folder = { (const uint8_t *)"/f", 2 } };
	if (mode & 1)
		add.text = (struct shoal_bytes){ (const uint8_t *)text, 40 };
	else
		add.data = (struct shoal_bytes){ torrent, info + 8 };
	s->have = 3;
	assert(shoal_node_do(n, &add, now) == 0);
	settle(n, now);

	const struct shoal_addr from = { .ip = { 10, 0, 0, 1 }, .port = 4000, .is_v4 = 1 };
	s->t.ops = &transport;
	s->open = true;
	s->greeting = SHOAL_WIRE_HANDSHAKE_LEN;
	shoal_node_accept(n, &s->t, &from, now);
	if (!(mode & 2)) {
		uint8_t greeting[SHOAL_WIRE_HANDSHAKE_LEN];
		struct shoal_wire_handshake hs = { .can = SHOAL_CAN_EXTENDED | SHOAL_CAN_FAST |
							  (mode & 4 ? SHOAL_CAN_V2 : 0u) };
		memcpy(hs.info_hash.b, hash, 20);
		memset(hs.peer_id.b, 'p', 20);
		shoal_wire_handshake_encode(&hs, greeting);
		arrive(s, n, (struct shoal_bytes){ greeting, sizeof greeting }, now);
	}
	for (size_t i = 1; i + 2 <= len && s->open;) {
		size_t k = at[i] < len - i - 2 ? at[i] : len - i - 2;
		now += SHOAL_MS(250) * at[i + 1];
		uint8_t *exact = malloc(k ? k : 1); /* so that one byte too many is seen */
		assert(exact != NULL);
		memcpy(exact, at + i + 2, k);
		arrive(s, n, (struct shoal_bytes){ exact, k }, now);
		settle(n, now);
		free(exact);
		s->in.len = 0;
		assert(budget.used <= budget.limit);
		i += 2 + k;
	}
	struct shoal_op stop = { .kind = SHOAL_OP_STOP };
	assert(shoal_node_do(n, &stop, now) == 0);
	settle(n, now);
	assert(!s->open && shoal_node_idle(n));
	shoal_node_free(n);
	assert(shoal_slots_out(slots) == 0);
	shoal_slots_free(slots);
	assert(budget.used == 0);
	free(s);
	return 0;
}
