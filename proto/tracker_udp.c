/* proto/tracker_udp.c - four packets, and a question's patience. */
#include "proto/tracker_udp.h"

#include "proto/base/bytes.h"
#include "proto/compact.h"

#define PROTOCOL UINT64_C(0x41727101980)
#define OPTION_URL 2
#define OPTION_MAX 255u
#define ANSWER_HEAD 20u /* bytes before the peers */
#define BARE_HEAD 8	/* action and transaction */

/* ---- packets ------------------------------------------------------------------------ */

void shoal_tracker_udp_connect(uint32_t transaction, uint8_t out[SHOAL_TRACKER_UDP_CONNECT_BYTES])
{
	struct shoal_wr w = shoal_wr((struct shoal_space){ out, SHOAL_TRACKER_UDP_CONNECT_BYTES });
	shoal_wr_u64(&w, PROTOCOL);
	shoal_wr_u32(&w, SHOAL_TRACKER_UDP_CONNECT);
	shoal_wr_u32(&w, transaction);
}

/* The path and "?query", one stream of bytes cut into options (BEP 41). */
static void put_url(struct shoal_wr *w, const struct shoal_url *url)
{
	const struct shoal_bytes part[] = { url->path, SHOAL_LIT("?"), url->query };
	size_t parts = url->query.len > 0 ? 3 : 1, left = 0;
	for (size_t i = 0; i < parts; i++)
		left += part[i].len;
	for (size_t i = 0, at = 0; left > 0;) {
		size_t room = left < OPTION_MAX ? left : OPTION_MAX;
		left -= room;
		shoal_wr_u8(w, OPTION_URL);
		shoal_wr_u8(w, (uint8_t)room);
		while (room > 0) {
			size_t n = part[i].len - at < room ? part[i].len - at : room;
			shoal_wr_put(w, shoal_bytes(part[i].at + at, n));
			room -= n;
			at += n;
			if (at == part[i].len) {
				i++;
				at = 0;
			}
		}
	}
}

ptrdiff_t shoal_tracker_udp_announce(uint64_t connection, uint32_t transaction, const struct shoal_tracker_ask *ask,
				     const struct shoal_url *url, struct shoal_space out)
{
	struct shoal_wr w = shoal_wr(out);
	shoal_wr_u64(&w, connection);
	shoal_wr_u32(&w, SHOAL_TRACKER_UDP_ANNOUNCE);
	shoal_wr_u32(&w, transaction);
	shoal_wr_put(&w, shoal_bytes(ask->hash.b, sizeof ask->hash.b));
	shoal_wr_put(&w, shoal_bytes(ask->peer_id.b, sizeof ask->peer_id.b));
	shoal_wr_u64(&w, ask->downloaded);
	shoal_wr_u64(&w, ask->left);
	shoal_wr_u64(&w, ask->uploaded);
	shoal_wr_u32(&w, ask->event == SHOAL_TRACKER_PAUSED ? SHOAL_TRACKER_NONE : ask->event);
	shoal_wr_u32(&w, 0); /* our address: the packet's own */
	shoal_wr_u32(&w, ask->key);
	shoal_wr_u32(&w, ask->num_want);
	shoal_wr_u16(&w, ask->port);
	put_url(&w, url);
	return w.bad ? SHOAL_ERR_TOO_LONG : (ptrdiff_t)w.pos;
}

ptrdiff_t shoal_tracker_udp_scrape(uint64_t connection, uint32_t transaction, const struct shoal_id20 *hash,
				   size_t count, struct shoal_space out)
{
	struct shoal_wr w = shoal_wr(out);
	if (count > SHOAL_TRACKER_UDP_SCRAPE_MAX)
		return SHOAL_ERR_TOO_LONG;
	shoal_wr_u64(&w, connection);
	shoal_wr_u32(&w, SHOAL_TRACKER_UDP_SCRAPE);
	shoal_wr_u32(&w, transaction);
	for (size_t i = 0; i < count; i++)
		shoal_wr_put(&w, shoal_bytes(hash[i].b, sizeof hash[i].b));
	return w.bad ? SHOAL_ERR_TOO_LONG : (ptrdiff_t)w.pos;
}

int shoal_tracker_udp_head(struct shoal_bytes in, struct shoal_tracker_udp_head *out)
{
	struct shoal_rd r = shoal_rd(in);
	uint32_t action = shoal_rd_u32(&r);
	*out = (struct shoal_tracker_udp_head){ .transaction = shoal_rd_u32(&r) };
	if (action > SHOAL_TRACKER_UDP_ERROR)
		return SHOAL_ERR_MALFORMED;
	/* opentracker's way to say no to an announce: the front of an answer, and nothing behind it. */
	if (action == SHOAL_TRACKER_UDP_ANNOUNCE && in.len == BARE_HEAD)
		action = SHOAL_TRACKER_UDP_ERROR;
	out->action = (enum shoal_tracker_udp_action)action;
	if (action == SHOAL_TRACKER_UDP_CONNECT)
		out->connection = shoal_rd_u64(&r);
	if (r.bad || (action == SHOAL_TRACKER_UDP_ANNOUNCE && in.len < ANSWER_HEAD))
		return SHOAL_ERR_MALFORMED;
	return 0;
}

static uint32_t heads(uint32_t said) /* some count in signed numbers, and lie */
{
	return said <= INT32_MAX ? said : SHOAL_TRACKER_UNKNOWN;
}

int shoal_tracker_udp_answer(struct shoal_bytes in, bool is_v4, struct shoal_tracker_answer *out)
{
	struct shoal_tracker_udp_head head;
	int rc = shoal_tracker_udp_head(in, &head);
	const struct shoal_tracker_counts none = { SHOAL_TRACKER_UNKNOWN, SHOAL_TRACKER_UNKNOWN, SHOAL_TRACKER_UNKNOWN,
						   SHOAL_TRACKER_UNKNOWN };
	if (rc < 0)
		return rc;
	*out = (struct shoal_tracker_answer){ .counts = none };
	if (head.action == SHOAL_TRACKER_UDP_ERROR) {
		size_t len = in.len - 8;
		out->failed = true;
		out->failure = shoal_bytes(in.at + 8, len < SHOAL_TRACKER_TEXT_MAX ? len : SHOAL_TRACKER_TEXT_MAX);
		return 0;
	}
	if (head.action != SHOAL_TRACKER_UDP_ANNOUNCE)
		return SHOAL_ERR_MALFORMED;
	uint32_t interval = shoal_get_u32(in.at + 8);
	out->interval = interval <= INT32_MAX ? interval : 0;
	out->counts.leeches = heads(shoal_get_u32(in.at + 12));
	out->counts.seeds = heads(shoal_get_u32(in.at + 16));
	size_t unit = is_v4 ? SHOAL_COMPACT4 : SHOAL_COMPACT6;
	struct shoal_bytes peers = shoal_bytes(in.at + ANSWER_HEAD, (in.len - ANSWER_HEAD) / unit * unit);
	ptrdiff_t n = shoal_compact_decode(peers, is_v4, out->peer, SHOAL_TRACKER_PEERS_MAX);
	for (ptrdiff_t i = 0; i < n; i++) /* without a port there is nobody */
		if (out->peer[i].port != 0)
			out->peer[out->peer_count++] = out->peer[i];
	return 0;
}

ptrdiff_t shoal_tracker_udp_scraped(struct shoal_bytes in, struct shoal_tracker_counts *out, size_t max)
{
	struct shoal_tracker_udp_head head;
	int rc = shoal_tracker_udp_head(in, &head);
	if (rc < 0 || head.action != SHOAL_TRACKER_UDP_SCRAPE)
		return SHOAL_ERR_MALFORMED;
	struct shoal_rd r = shoal_rd(shoal_bytes(in.at + 8, in.len - 8));
	size_t n = 0;
	for (; n < max && shoal_rd_left(&r) >= 12; n++) {
		out[n].seeds = heads(shoal_rd_u32(&r));
		out[n].completed = heads(shoal_rd_u32(&r));
		out[n].leeches = heads(shoal_rd_u32(&r));
		out[n].downloaders = SHOAL_TRACKER_UNKNOWN;
	}
	return (ptrdiff_t)n;
}

/* ---- a question on its way ------------------------------------------------------------ */

enum shoal_tracker_udp_step shoal_tracker_udp_step(struct shoal_tracker_udp *q, const struct shoal_tracker_udp_id *id,
						   uint32_t fresh, unsigned sends_max, shoal_us now)
{
	if (q->sent && now < q->due)
		return SHOAL_TRACKER_UDP_DO_WAIT;
	if (q->sends >= sends_max || q->sends >= SHOAL_TRACKER_UDP_SENDS_MAX)
		return SHOAL_TRACKER_UDP_DO_GIVE_UP;
	bool connect = id->got == 0 || now - id->got >= SHOAL_TRACKER_UDP_ID_LIFE;
	if (!q->sent || connect != q->connecting)
		q->transaction = fresh;
	q->sent = true;
	q->connecting = connect;
	q->due = now + (SHOAL_TRACKER_UDP_WAIT << q->sends++);
	return connect ? SHOAL_TRACKER_UDP_DO_CONNECT : SHOAL_TRACKER_UDP_DO_ASK;
}

enum shoal_tracker_udp_heard shoal_tracker_udp_heard(struct shoal_tracker_udp *q, struct shoal_tracker_udp_id *id,
						     const struct shoal_tracker_udp_head *head,
						     enum shoal_tracker_udp_action asked, shoal_us now)
{
	bool error = head->action == SHOAL_TRACKER_UDP_ERROR;
	if (!q->sent || head->transaction != q->transaction)
		return SHOAL_TRACKER_UDP_NOT_OURS;
	if (q->connecting && head->action == SHOAL_TRACKER_UDP_CONNECT) {
		*id = (struct shoal_tracker_udp_id){ head->connection, now };
		q->sends = 0;
		q->due = now;
		return SHOAL_TRACKER_UDP_CONNECTED;
	}
	if (!error && (q->connecting || head->action != asked))
		return SHOAL_TRACKER_UDP_NOT_OURS;
	if (error) /* it may be the id that it minds */
		id->got = 0;
	return SHOAL_TRACKER_UDP_ANSWERED;
}
