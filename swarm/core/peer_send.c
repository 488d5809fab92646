/* swarm/core/peer_send.c - what waits for one peer goes out, as far as its transport takes it. */
#include "swarm/core/node_room.h"
#include "swarm/core/turnover.h"

#define PARTS 64

/* Sends the parts; the bytes that went out, or < 0. `*blocked`: the transport takes no more now. */
static ptrdiff_t send_parts(struct shoal_peer *p, const struct shoal_pw_piece_out part[], size_t n, bool *blocked)
{
	struct shoal_bytes mem[PARTS];
	size_t i = 0;
	size_t total = 0;
	*blocked = false;
	while (i < n) {
		size_t k = 0;
		size_t want = 0;
		while (i + k < n && part[i + k].at != NULL) {
			mem[k] = (struct shoal_bytes){ part[i + k].at, part[i + k].len };
			want += mem[k++].len;
		}
		ptrdiff_t sent;
		if (k > 0) {
			sent = p->t->ops->send(p->t, mem, k, i + k < n);
			i += k;
		} else {
			want = part[i].len;
			sent = p->t->ops->send_file(p->t, part[i].file, part[i].offset, want, i + 1 < n);
			i++;
		}
		if (sent < 0)
			return sent;
		total += (size_t)sent;
		if ((size_t)sent < want) {
			*blocked = true;
			break;
		}
	}
	return (ptrdiff_t)total;
}

void shoal_peer_flush(struct shoal_peer *p, shoal_us now)
{
	struct shoal_pw_piece_out part[PARTS];
	bool blocked = false;
	p->out_dirty = false;
	while (!p->closing && !blocked) {
		if (p->mse != NULL && !shoal_peer_mse_flush(p, &blocked, now))
			break;
		/* Under a limit the node deals blocks out in turns; without one each takes what it can send. */
		if (p->wanted_count > 0 && !shoal_pace_limited(p->swarm, SHOAL_UP) &&
		    shoal_pw_queued(p->pw) < SHOAL_PEER_OUT_LOW)
			shoal_peer_serve(p, UINT32_MAX, now);
		size_t n = shoal_pw_output(p->pw, part, PARTS);
		if (n == 0)
			break;
		ptrdiff_t sent = send_parts(p, part, n, &blocked);
		if (sent < 0)
			return shoal_peer_close(p, (int)sent, now);
		if (sent > 0) {
			p->blocked_since = 0;
			void *done[PARTS];
			size_t k = shoal_pw_sent(p->pw, (size_t)sent, done, PARTS, now);
			shoal_peer_sent(p, done, k, true, now);
		}
	}
	if (p->closing)
		return;
	if (!blocked)
		p->blocked_since = 0;
	else if (p->blocked_since == 0)
		p->blocked_since = now;
	int rc = shoal_peer_settle(p);
	if (rc < 0)
		return shoal_peer_close(p, rc, now);
	unsigned want = (shoal_peer_sated(p) ? 0u : SHOAL_WANT_READ) | (blocked ? SHOAL_WANT_WRITE : 0u);
	if (want != p->wants) {
		p->wants = want;
		p->t->ops->want(p->t, want);
	}
}
