/* strangers_world.c - the node among strangers: its connections, its disk and its world, all made of bytes. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/bytes.h"
#include "tests/sim/strangers_room.h"
#include "tools/lab/world/must.h"

/* ---- transport ---------------------------------------------------------------------------- */

static ptrdiff_t on_recv(struct shoal_transport *t, const struct shoal_space v[], size_t n)
{
	struct stranger *s = (struct stranger *)t;
	size_t got = 0;
	for (size_t i = 0; i < n && s->in.len > 0; i++) {
		size_t k = v[i].len < s->in.len ? v[i].len : s->in.len;
		memcpy(v[i].at, s->in.at, k);
		s->in = shoal_bytes(s->in.at + k, s->in.len - k);
		got += k;
	}
	return (ptrdiff_t)got;
}

/* `at` NULL: zeros. */
static void take_in(struct stranger *s, const void *at, size_t len)
{
	if (s->fetches) {
		s->fetched += len;
		return;
	}
	if (s->out_len + len > STRANGERS_OUT_MAX)
		abort();
	s->out = sim_must(realloc(s->out, s->out_len + len + 1));
	if (at != NULL)
		memcpy(s->out + s->out_len, at, len);
	else
		memset(s->out + s->out_len, 0, len);
	s->out_len += len;
}

static ptrdiff_t on_send(struct shoal_transport *t, const struct shoal_bytes v[], size_t n, bool more)
{
	size_t sent = 0;
	(void)more;
	for (size_t i = 0; i < n; i++) {
		take_in((struct stranger *)t, v[i].at, v[i].len);
		sent += v[i].len;
	}
	return (ptrdiff_t)sent;
}

static ptrdiff_t on_file(struct shoal_transport *t, uint32_t file, uint64_t offset, size_t len, bool more)
{
	(void)file;
	(void)offset;
	(void)more;
	take_in((struct stranger *)t, NULL, len);
	return (ptrdiff_t)len;
}

static void on_want(struct shoal_transport *t, unsigned what)
{
	(void)t;
	(void)what;
}

static void on_close(struct shoal_transport *t)
{
	((struct stranger *)t)->open = false;
}

const struct shoal_transport_ops strangers_transport = {
	.name = "stranger", .recv = on_recv, .send = on_send, .send_file = on_file, .want = on_want, .close = on_close
};

static ptrdiff_t recv_end(struct shoal_transport *t, const struct shoal_space v[], size_t n)
{
	(void)t;
	(void)v;
	(void)n;
	return SHOAL_ERR_CLOSED;
}

const struct shoal_transport_ops strangers_transport_gone = {
	.name = "gone", .recv = recv_end, .send = on_send, .want = on_want, .close = on_close
};

/* ---- disk: nothing is there, or (seeds) all of it -------------------------------------------------------------------- */

void strangers_disk_work(void *to, struct shoal_disk_job *job)
{
	const struct strangers *w = to;
	bool looks = job->op == SHOAL_DISK_SCAN || (w->o.seeds && job->op == SHOAL_DISK_SYNC);
	for (uint32_t k = 0; looks && k < job->count; k++) {
		job->seen[k] = (struct shoal_seen){ .state = SHOAL_SEEN_NONE };
		if (w->o.seeds && (job->op == SHOAL_DISK_SYNC || job->file + k == 0))
			job->seen[k] = (struct shoal_seen){ .state = SHOAL_SEEN_WHOLE,
							    .stamp = { .ino = 1, .size = strangers_content(w) } };
	}
	if (job->op == SHOAL_DISK_CHECK)
		job->hash->good = w->o.seeds && !w->rots;
}

/* ---- world ----------------------------------------------------------------------------------- */

static void world_secret(void *to, struct shoal_space out)
{
	struct strangers *w = to;
	for (size_t i = 0; i < out.len; i++)
		out.at[i] = (uint8_t)shoal_rng_next(&w->rng);
}
static int world_dial(void *to, const struct shoal_addr *addr, uint64_t cookie)
{
	struct strangers *w = to;
	if (w->dials == w->dial_room) {
		w->dial_room = w->dial_room ? 2 * w->dial_room : 64;
		w->dial = sim_must(realloc(w->dial, w->dial_room * sizeof *w->dial));
	}
	w->dial[w->dials++] = (struct strangers_dial){ *addr, w->now, cookie, false };
	return 0;
}
static int world_datagram(void *to, const struct shoal_addr *addr, struct shoal_bytes data)
{
	struct strangers *w = to;
	(void)data;
	w->datagrams++;
	w->datagram_to = *addr;
	return 0;
}
static void world_wake(void *to, shoal_us at)
{
	((struct strangers *)to)->wake = at;
}
static int64_t world_unix(void *to)
{
	(void)to;
	return 1700000000;
}
static int world_shout(void *to, bool v4, struct shoal_bytes data)
{
	struct strangers *w = to;
	assert(data.len <= sizeof w->shout[v4]);
	memcpy(w->shout[v4], data.at, data.len);
	w->shout_len[v4] = data.len;
	w->shouted += v4;
	return 1;
}
const struct shoal_world_ops strangers_world = {
	.secret = world_secret, .dial = world_dial, .wake_at = world_wake, .unix_s = world_unix
};
const struct shoal_world_ops strangers_world_with_datagrams = { .secret = world_secret,
								.dial = world_dial,
								.wake_at = world_wake,
								.unix_s = world_unix,
								.datagram = world_datagram };
const struct shoal_world_ops strangers_world_with_neighbours = {
	.secret = world_secret, .dial = world_dial, .wake_at = world_wake, .unix_s = world_unix, .shout = world_shout
};
