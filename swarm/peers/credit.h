/*
 * swarm/peers/credit.h - what a peer has given us of late, with a memory that is long against a piece.
 *
 * A rate over two seconds (flow.h) says how fast blocks come. What is verified comes by whole pieces: of eight who share
 * our line each may take ten seconds and more for one, and by such a rate most of them look, most of the time, as if
 * they gave nothing. Here a byte counts half as much every 20 s, so that who is served hangs on who gives, not on who
 * finished a piece last.
 *
 * Pure: no clock, no heap, no libm (maths.h).
 */
#ifndef SHOAL_CREDIT_H
#define SHOAL_CREDIT_H

#include <shoal/types.h>

#define SHOAL_CREDIT_HALF SHOAL_S(20)

/* All zero: nothing yet. */
struct shoal_credit {
	double bytes; /* as of `at` */
	shoal_us at;
};

/* `now` does not go back. More than 10^18 bytes count as that many. */
void shoal_credit_add(struct shoal_credit *c, uint64_t bytes, shoal_us now);
/* Bytes a second: of one who has given at a steady rate for minutes, that rate. */
uint64_t shoal_credit_rate(const struct shoal_credit *c, shoal_us now);

#endif
