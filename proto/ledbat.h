/*
 * proto/ledbat.h - how much may be under way: a window steered by one-way delay (RFC 6817, LEDBAT++).
 *
 * Knows delays, acks and losses; nothing of packets. What fills a queue of
 * the path to more than TARGET gives way, in proportion to the window, so
 * that TCP on the same line gets nearly all of it. Below the target the
 * window grows by GAIN bytes a round trip, as every uTP does (BEP 29); but by
 * a twelfth of that once there is a queue at all, for who starts into one that TCP
 * keeps filled takes it for empty, and would be twice as greedy as TCP is.
 *
 * What delay does not show, its fall does: TCP keeps a queue, is cut when it overflows, and climbs again. A queue that is shorter
 * by FELL although we took nothing out of it is such a cut, and we take ours with it. Slow start, when it has filled the line,
 * goes back to what filled it, half, and finds the rest by a quarter a round trip.
 *
 * A loss while the queue is all but empty is noise of the line, not a sign of
 * crowding: it costs 30 %, as it costs CUBIC; else half.
 *
 * Delays are differences of two clocks that nobody set: 32 bits of microseconds
 * that mean something only against their own least value, the base, which is
 * that of the last BASE_MINUTES and follows clocks that drift.
 */
#ifndef SHOAL_LEDBAT_H
#define SHOAL_LEDBAT_H

#include <shoal/types.h>

#define SHOAL_LEDBAT_TARGET SHOAL_MS(40)    /* queueing that is put up with; others take 100 */
#define SHOAL_LEDBAT_GAIN 3000u		    /* bytes a round trip, while there is no queue ... */
#define SHOAL_LEDBAT_FULL SHOAL_MS(5)	    /* ... for one of so much says that the line is full, and then ... */
#define SHOAL_LEDBAT_GAIN_FULL 250u	    /* ... what we gain we take from others */
#define SHOAL_LEDBAT_START_END SHOAL_MS(10) /* of queueing end slow start */
#define SHOAL_LEDBAT_FELL SHOAL_MS(15)	    /* so much less queueing at once, and not by us: another was cut */
#define SHOAL_LEDBAT_ROUND SHOAL_MS(100)    /* at least: shorter ones are the scheduler's */
#define SHOAL_LEDBAT_BASE_MINUTES 13
#define SHOAL_LEDBAT_RECENT 3u		    /* samples, at least */
#define SHOAL_LEDBAT_MAX (2u << 20)	    /* bytes */
#define SHOAL_LEDBAT_DRIFT_MAX SHOAL_MS(10) /* a base that moves by more at once was a change of route, not of clocks */

struct shoal_ledbat {
	uint64_t window;    /* bytes */
	uint64_t fraction;  /* of a byte, 1/65536 */
	uint64_t threshold; /* slow start ends here */
	uint32_t mss;
	/* delays from us to them, as they tell */
	uint32_t base[SHOAL_LEDBAT_BASE_MINUTES];
	uint32_t base_least; /* of them: each ack asks */
	unsigned base_at, base_count;
	/* The least of the last samples, an eighth of a window of them, and of as many before: what is under way at once comes
	 * early and late where packets overtake each other (RFC 6817's filter). */
	uint32_t recent[2];
	unsigned recent_count; /* the last ones */
	uint64_t recent_bytes; /* that have come since the last ones began */
	shoal_us minute;       /* when base[base_at] began */
	uint32_t their_base;   /* from them to us */
	bool has_theirs;
	bool slow_start;
	bool creeps;	   /* out of slow start: by a quarter a round trip, up to what the line holds ... */
	uint64_t creep_at; /* ... once so many bytes have come, which were sent before */
	/* rounds of a round trip, for who else is in the queue */
	struct shoal_ledbat_round {
		uint32_t least, most; /* delay */
		unsigned samples;
		uint64_t flight; /* bytes under way, at the most */
	} round[3];		 /* this one, the one before, the one before that */
	shoal_us round_end;
};

/* `mss`: bytes of a full packet. */
void shoal_ledbat_init(struct shoal_ledbat *l, uint32_t mss, shoal_us now);
/* They say how long our packets take. */
void shoal_ledbat_sample(struct shoal_ledbat *l, uint32_t delay, shoal_us now);
/* How long theirs take: tells how the clocks drift. */
void shoal_ledbat_theirs(struct shoal_ledbat *l, uint32_t delay);
/* The queueing our packets meet, as far as is known; never more than `rtt`, which no delay can exceed. */
shoal_us shoal_ledbat_queue(const struct shoal_ledbat *l, shoal_us rtt);
/* `bytes` arrived, of `in_flight` that were under way before. `rtt`: twice the smoothed round trip, which hardly one exceeds. */
void shoal_ledbat_acked(struct shoal_ledbat *l, uint64_t bytes, uint64_t in_flight, shoal_us rtt, shoal_us now);
/* Packets of one round trip were lost. */
void shoal_ledbat_lost(struct shoal_ledbat *l, shoal_us rtt);
/* Nothing came back for a whole time-out. */
void shoal_ledbat_timeout(struct shoal_ledbat *l);

/* The window before it was cut, for when it turns out that nothing was lost. */
struct shoal_ledbat_mark {
	uint64_t window, threshold;
	bool slow_start, creeps;
};
struct shoal_ledbat_mark shoal_ledbat_mark(const struct shoal_ledbat *l);
void shoal_ledbat_undo(struct shoal_ledbat *l, const struct shoal_ledbat_mark *mark);

#endif
