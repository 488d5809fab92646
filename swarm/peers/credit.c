/* swarm/peers/credit.c - an exponential memory. */
#include "swarm/peers/credit.h"

#include "swarm/peers/maths.h"

#define BYTES_MAX 1e18
#define LN2 0.69314718055994530942

static double faded(const struct shoal_credit *c, shoal_us now)
{
	return now > c->at ? c->bytes * shoal_exp2(-(double)(now - c->at) / (double)SHOAL_CREDIT_HALF) : c->bytes;
}

void shoal_credit_add(struct shoal_credit *c, uint64_t bytes, shoal_us now)
{
	double sum = faded(c, now) + (double)bytes;
	c->bytes = sum < BYTES_MAX ? sum : BYTES_MAX;
	c->at = now > c->at ? now : c->at;
}

/* A steady rate r comes to r * half / ln 2 bytes. */
uint64_t shoal_credit_rate(const struct shoal_credit *c, shoal_us now)
{
	return (uint64_t)(faded(c, now) * LN2 / ((double)SHOAL_CREDIT_HALF / SHOAL_S(1)));
}
