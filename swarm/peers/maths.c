/* swarm/peers/maths.c - range reduction by exponent bits, then a short series. */
#include "swarm/peers/maths.h"

#include <stdint.h>
#include <string.h>

#define LN2 0.69314718055994530942
#define SQRT2 1.41421356237309504880
#define EXPONENT_BIAS 1023
#define FRACTION_BITS 52

static double power_of_two(int n)
{
	uint64_t bits = (uint64_t)(n + EXPONENT_BIAS) << FRACTION_BITS;
	double x;
	memcpy(&x, &bits, sizeof x);
	return x;
}

double shoal_ln(double x)
{
	uint64_t bits;
	memcpy(&bits, &x, sizeof bits);
	int n = (int)(bits >> FRACTION_BITS & 0x7ff) - EXPONENT_BIAS;
	double m = x / power_of_two(n);
	if (m > SQRT2) {
		m /= 2;
		n++;
	}
	/* ln m = 2 atanh z, |z| < 0.172 */
	double z = (m - 1) / (m + 1), z2 = z * z, term = z, sum = z;
	for (int k = 3; k <= 17; k += 2) {
		term *= z2;
		sum += term / k;
	}
	return 2 * sum + n * LN2;
}

double shoal_exp2(double x)
{
	if (x < -1000)
		return 0;
	if (x > 1000)
		x = 1000;
	int n = (int)x;
	double f = (x - n) * LN2, term = 1, sum = 1;
	for (int k = 1; k <= 18; k++) { /* |f| < 0.7 */
		term *= f / k;
		sum += term;
	}
	return sum * power_of_two(n);
}

double shoal_pow(double base, double exponent)
{
	return base > 0 ? shoal_exp2(exponent * shoal_ln(base) / LN2) : 0;
}

double shoal_sqrt(double x)
{
	if (x <= 0)
		return 0;
	uint64_t bits;
	memcpy(&bits, &x, sizeof bits);
	int n = (int)(bits >> FRACTION_BITS & 0x7ff) - EXPONENT_BIAS;
	double y = power_of_two(n / 2);
	for (int i = 0; i < 6; i++) /* Newton: from within a factor of two, six steps are enough */
		y = (y + x / y) / 2;
	return y;
}
