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

static int disk_open(void *d, const struct shoal_metainfo *mi, const char *folder, bool read_only, uint32_t *storage)
{
	(void)d;
	(void)mi;
	(void)folder;
	(void)read_only;
	*storage = 0;
	return 0;
}
static void disk_close(void *d, uint32_t storage)
{
	(void)d;
	(void)storage;
}
static int disk_submit(void *d, struct shoal_disk_job *job)
{
	struct strangers *w = d;
	if (w->jobs == sizeof w->job / sizeof *w->job)
		return SHOAL_ERR_BUSY;
	w->job[w->jobs++] = job;
	return 0;
}
static size_t disk_reap(void *d, struct shoal_disk_job *out[], size_t max)
{
	struct strangers *w = d;
	size_t n = w->stuck ? 0 : w->jobs < max ? w->jobs : max;
	for (size_t i = 0; i < n; i++) {
		out[i] = w->job[i];
		out[i]->err = 0;
		bool looks = out[i]->op == SHOAL_DISK_SCAN || (w->o.seeds && out[i]->op == SHOAL_DISK_SYNC);
		for (uint32_t k = 0; looks && k < out[i]->count; k++) {
			out[i]->seen[k] = (struct shoal_seen){ .state = SHOAL_SEEN_NONE };
			if (w->o.seeds && (out[i]->op == SHOAL_DISK_SYNC || out[i]->file + k == 0))
				out[i]->seen[k] = (struct shoal_seen){
					.state = SHOAL_SEEN_WHOLE, .stamp = { .ino = 1, .size = strangers_content(w) }
				};
		}
		if (out[i]->op == SHOAL_DISK_CHECK)
			out[i]->hash->good = w->o.seeds && !w->rots;
	}
	w->jobs -= n;
	memmove(w->job, w->job + n, w->jobs * sizeof *w->job);
	return n;
}
static int disk_span(void *d, uint32_t storage, uint32_t piece, uint32_t begin, uint32_t len,
		     struct shoal_disk_span *span)
{
	struct strangers *w = d;
	(void)storage;
	(void)len;
	*span = (struct shoal_disk_span){ 0, (uint64_t)piece * strangers_piece_size(w) + begin };
	return 1;
}
static void disk_unspan(void *d, uint32_t file)
{
	(void)d;
	(void)file;
}
static void disk_stamp(void *d, uint32_t storage, uint32_t file, const struct shoal_stamp *stamp)
{
	(void)d;
	(void)storage;
	(void)file;
	(void)stamp;
}
static uint64_t disk_room(void *d, uint32_t storage)
{
	(void)d;
	(void)storage;
	return UINT64_MAX;
}
const struct shoal_disk_ops strangers_disk = { .open = disk_open,
					       .close = disk_close,
					       .submit = disk_submit,
					       .reap = disk_reap,
					       .span = disk_span,
					       .unspan = disk_unspan,
					       .stamp = disk_stamp,
					       .room = disk_room };

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
