/*
 * tests/unit/own_hex.h - bytes as they stand in a specification.
 */
#ifndef SHOAL_OWN_HEX_H
#define SHOAL_OWN_HEX_H

#include <stddef.h>
#include <stdint.h>

/* Pairs of digits, spaces between them or not. How many bytes that made; the caller has room for them. Asserts that it is hex. */
size_t own_unhex(uint8_t *to, const char *hex);

#endif
