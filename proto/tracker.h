/*
 * proto/tracker.h - what a tracker is told and what it says, whichever way they speak (tracker_http.h, tracker_udp.h).
 */
#ifndef SHOAL_TRACKER_H
#define SHOAL_TRACKER_H

#include <shoal/types.h>

#define SHOAL_TRACKER_PEERS_MAX 200u /* of one answer; what is beyond is not looked at */
#define SHOAL_TRACKER_TEXT_MAX 256u  /* bytes of its words to people that we keep */

/* The values are BEP 15's. */
enum shoal_tracker_event {
	SHOAL_TRACKER_NONE,
	SHOAL_TRACKER_COMPLETED,
	SHOAL_TRACKER_STARTED,
	SHOAL_TRACKER_STOPPED,
	SHOAL_TRACKER_PAUSED, /* BEP 21: a partial seed; UDP has no number for it and says NONE */
};

struct shoal_tracker_ask {
	struct shoal_id20 hash, peer_id;
	uint64_t uploaded, downloaded, left; /* bytes */
	enum shoal_tracker_event event;
	uint32_t key; /* the same for both families of one torrent (BEP 7, 15) */
	uint32_t num_want;
	uint16_t port;
	struct shoal_bytes tracker_id; /* as the tracker said the last time; HTTP alone */
};

#define SHOAL_TRACKER_UNKNOWN UINT32_MAX
struct shoal_tracker_counts { /* SHOAL_TRACKER_UNKNOWN: not said */
	uint32_t seeds, leeches, completed;
	uint32_t downloaders; /* BEP 21: leeches that want more */
};

/* Numbers are as the tracker said them, in their range: what is sensible is for the caller to say. */
struct shoal_tracker_answer {
	bool failed;			     /* it says no: `failure` tells people why */
	struct shoal_bytes failure, warning; /* raw bytes of a stranger, cut to SHOAL_TRACKER_TEXT_MAX */
	struct shoal_bytes tracker_id;
	uint32_t interval, min_interval; /* seconds; 0: not said, or nonsense */
	uint32_t retry_minutes;		 /* BEP 31; 0: not said */
	bool retry_never;
	struct shoal_tracker_counts counts;
	bool has_external;
	struct shoal_addr external; /* BEP 24, without a port */
	size_t peer_count;
	struct shoal_addr peer[SHOAL_TRACKER_PEERS_MAX]; /* with a port; otherwise any address at all */
};

#endif
