/*
 * proto/tracker_udp.h - UDP trackers: the packets, and when they go out again (BEP 15, 41).
 *
 * A tracker gives whoever asks a connection id, good for a minute, so that
 * nobody announces in another's name; an answer counts when it carries the
 * transaction id of our question. That it came from where the question went
 * is for the caller to see to. Ids have to be ones that nobody can guess.
 */
#ifndef SHOAL_TRACKER_UDP_H
#define SHOAL_TRACKER_UDP_H

#include "proto/tracker.h"
#include "proto/url.h"

#define SHOAL_TRACKER_UDP_CONNECT_BYTES 16u
#define SHOAL_TRACKER_UDP_ANNOUNCE_BYTES 98u
/* With the longest path and query, in options of 255 bytes. */
#define SHOAL_TRACKER_UDP_ANNOUNCE_MAX \
	(SHOAL_TRACKER_UDP_ANNOUNCE_BYTES + SHOAL_URL_MAX + 2u * (SHOAL_URL_MAX / 255u + 1u))
#define SHOAL_TRACKER_UDP_SCRAPE_MAX 74u /* torrents to a packet */
#define SHOAL_TRACKER_UDP_ID_LIFE SHOAL_S(60)
#define SHOAL_TRACKER_UDP_WAIT SHOAL_S(15) /* for the first answer; twice as long each time after */
#define SHOAL_TRACKER_UDP_SENDS_MAX 9u	   /* the last waits 15 * 2^8 s */

enum shoal_tracker_udp_action {
	SHOAL_TRACKER_UDP_CONNECT,
	SHOAL_TRACKER_UDP_ANNOUNCE,
	SHOAL_TRACKER_UDP_SCRAPE,
	SHOAL_TRACKER_UDP_ERROR,
};

/* ---- packets ------------------------------------------------------------------------ */
void shoal_tracker_udp_connect(uint32_t transaction, uint8_t out[SHOAL_TRACKER_UDP_CONNECT_BYTES]);
/* `url`: its path and query go along (BEP 41). The length; TOO_LONG. */
SHOAL_MUST ptrdiff_t shoal_tracker_udp_announce(uint64_t connection, uint32_t transaction,
						const struct shoal_tracker_ask *ask, const struct shoal_url *url,
						struct shoal_space out);
SHOAL_MUST ptrdiff_t shoal_tracker_udp_scrape(uint64_t connection, uint32_t transaction, const struct shoal_id20 *hash,
					      size_t count, struct shoal_space out);

struct shoal_tracker_udp_head {
	enum shoal_tracker_udp_action action;
	uint32_t transaction;
	uint64_t connection; /* of CONNECT */
};
/* The front of an answer. An ANNOUNCE that is front alone (8 bytes) is an ERROR without words. MALFORMED: too short for
 * its action, or of none that we know. */
SHOAL_MUST int shoal_tracker_udp_head(struct shoal_bytes in, struct shoal_tracker_udp_head *out);
/* An ANNOUNCE or ERROR answer whole; `is_v4` is the packet's own family. Bytes behind the last whole peer are passed
 * over, as BEP 15 wants it. Spans borrow `in`. MALFORMED. */
SHOAL_MUST int shoal_tracker_udp_answer(struct shoal_bytes in, bool is_v4, struct shoal_tracker_answer *out);
/* A SCRAPE answer: how many it has, at most `max`, in the order they were asked for. */
SHOAL_MUST ptrdiff_t shoal_tracker_udp_scraped(struct shoal_bytes in, struct shoal_tracker_counts *out, size_t max);

/* ---- a question on its way ------------------------------------------------------------ */

/* What one endpoint gave us; many questions may use it. */
struct shoal_tracker_udp_id {
	uint64_t connection;
	shoal_us got; /* 0: never */
};
/* All zeros: to be sent now. */
struct shoal_tracker_udp {
	bool sent, connecting; /* which packet is under way */
	uint32_t transaction;
	unsigned sends; /* since something was last heard: n of BEP 15 */
	shoal_us due;
};
enum shoal_tracker_udp_step {
	SHOAL_TRACKER_UDP_DO_WAIT, /* until `due` */
	SHOAL_TRACKER_UDP_DO_CONNECT,
	SHOAL_TRACKER_UDP_DO_ASK,
	SHOAL_TRACKER_UDP_DO_GIVE_UP,
};
/* What is to be done now; it counts as done. `fresh` becomes the transaction id where a new one is needed: a packet that
 * is only sent again keeps its own, so that a late answer still counts. */
enum shoal_tracker_udp_step shoal_tracker_udp_step(struct shoal_tracker_udp *q, const struct shoal_tracker_udp_id *id,
						   uint32_t fresh, unsigned sends_max, shoal_us now);

enum shoal_tracker_udp_heard {
	SHOAL_TRACKER_UDP_NOT_OURS,
	SHOAL_TRACKER_UDP_CONNECTED, /* *id is set: the question goes out next */
	SHOAL_TRACKER_UDP_ANSWERED,  /* an answer to it, or an error */
};
enum shoal_tracker_udp_heard shoal_tracker_udp_heard(struct shoal_tracker_udp *q, struct shoal_tracker_udp_id *id,
						     const struct shoal_tracker_udp_head *head,
						     enum shoal_tracker_udp_action asked, shoal_us now);

#endif
