/* own_tcp.h - a TCP stream that does not end and shares a line's way out from side 0: Reno, or CUBIC as Linux has it. */
#ifndef OWN_TCP_H
#define OWN_TCP_H

#include "tests/unit/own_utp.h"

#define TCP_PACKET 1500u /* bytes on the line */
#define TCP_RING 8192u	 /* packets under way, at the most */

struct own_tcp {
	bool cubic, on;
	bool blind;		  /* its slow start ends at a loss alone, as Reno's does, not by HyStart */
	double window, threshold; /* packets */
	double most;		  /* the window that CUBIC climbs back to ... */
	double back;		  /* ... so many seconds after ... */
	shoal_us epoch;		  /* ... this; 0: it has not begun */
	struct {
		shoal_us sent, due; /* its ack's time; of a lost one, that of the next, which tells of it */
		bool lost;
	} way[TCP_RING];
	uint64_t first, next;	 /* [first, next) are under way */
	uint64_t recover, round; /* one cut for what was sent before; a round trip ends when it is acknowledged */
	shoal_us rtt_least, round_least;
	uint64_t delivered, lost; /* bytes; packets */
	unsigned cuts;
};

void own_tcp_open(struct own_tcp *t, bool cubic);
/* To be called at each of the line's turns. */
void own_tcp_turn(struct own_tcp *t, struct line *l);

#endif
