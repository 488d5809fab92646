/*
 * swarm/peers/maths.h - logarithm, power and root that come out the same on every machine.
 *
 * libm's differ in the last bit between machines, and a decision that hangs on it would make a virtual world come out
 * differently. These use additions, multiplications and divisions alone, which IEEE 754 fixes (the tree is
 * compiled with -ffp-contract=off). Right to 1e-12 relative.
 */
#ifndef SHOAL_MATHS_H
#define SHOAL_MATHS_H

/* Natural logarithm of a normal x > 0. */
double shoal_ln(double x);
/* 2 to the x; 0 below -1000, and no more than 2^1000. */
double shoal_exp2(double x);
/* base to the `exponent`, base > 0 (0 gives 0). */
double shoal_pow(double base, double exponent);
/* Of x >= 0. */
double shoal_sqrt(double x);

#endif
