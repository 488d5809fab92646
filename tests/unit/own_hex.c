/* own_hex.c - see own_hex.h. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/own_hex.h"

size_t own_unhex(uint8_t *to, const char *hex)
{
	static const char digits[] = "0123456789abcdef";
	size_t nibbles = 0;
	for (; *hex != '\0'; hex++) {
		if (*hex == ' ')
			continue;
		const char *digit = strchr(digits, tolower((unsigned char)*hex));
		assert_non_null(digit);
		uint8_t *byte = &to[nibbles / 2];
		*byte = (uint8_t)((nibbles % 2 ? *byte << 4 : 0) | (digit - digits));
		nibbles++;
	}
	assert_int_equal(nibbles % 2, 0);
	return nibbles / 2;
}
