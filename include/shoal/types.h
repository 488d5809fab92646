/*
 * shoal/types.h - the values every part of shoal speaks in.
 *
 * Spans never own memory. Times are monotonic microseconds unless a name
 * says otherwise. Results are >= 0 when good (a count where there is one)
 * and a negative enum shoal_err when not; text for people is made at the
 * edge, from the number.
 */
#ifndef SHOAL_TYPES_H
#define SHOAL_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define SHOAL_MUST __attribute__((warn_unused_result))
#define SHOAL_API __attribute__((visibility("default")))
#else
#define SHOAL_MUST
#define SHOAL_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Borrowed bytes: to read, and to write. `at` may be NULL when len is 0. */
struct shoal_bytes {
	const uint8_t *at;
	size_t len;
};
struct shoal_space {
	uint8_t *at;
	size_t len;
};

/* Monotonic microseconds. 0 is "never happened"; SHOAL_NEVER "will not". */
typedef uint64_t shoal_us;
#define SHOAL_NEVER UINT64_MAX
#define SHOAL_MS(n) ((shoal_us)(n)*1000)
#define SHOAL_S(n) ((shoal_us)(n)*1000000)

/* An info hash of v1, or the first 20 bytes of a v2 one (BEP 52); a peer id. */
struct shoal_id20 {
	uint8_t b[20];
};
/* A SHA-256: a v2 info hash, a file's root, a key. */
struct shoal_id32 {
	uint8_t b[32];
};

/* An IP endpoint. IPv4 lies in the first 4 bytes of ip; port in host order. */
struct shoal_addr {
	uint8_t ip[16];
	uint16_t port;
	uint8_t is_v4;
};

enum shoal_err {
	SHOAL_OK = 0,
	SHOAL_ERR_NOMEM = -1,	    /* an allocation failed, or the memory budget is spent */
	SHOAL_ERR_MALFORMED = -2,   /* the bytes do not follow their format */
	SHOAL_ERR_TOO_LONG = -3,    /* longer than a named limit allows */
	SHOAL_ERR_NO_SPACE = -4,    /* the disk is full, or a quota is */
	SHOAL_ERR_BUSY = -5,	    /* at a queue's bound: come back later */
	SHOAL_ERR_IO = -6,	    /* the storage failed (EIO and kin) */
	SHOAL_ERR_HASH = -7,	    /* the bytes are not the ones that were promised */
	SHOAL_ERR_GONE = -8,	    /* what was asked for is not there (any more) */
	SHOAL_ERR_UNSUPPORTED = -9, /* understood, and not built */
	SHOAL_ERR_RANGE = -10,	    /* a number or an index outside what is allowed */
	SHOAL_ERR_DENIED = -11,	    /* no permission */
	SHOAL_ERR_EXISTS = -12,	    /* there already */
	SHOAL_ERR_REFUSED = -13,    /* policy says no */
	SHOAL_ERR_TIMEOUT = -14,    /* took too long */
	SHOAL_ERR_CLOSED = -15,	    /* the other side ended it */
	SHOAL_ERR_USAGE = -16,	    /* the caller broke the contract, or the user mistyped */
	SHOAL_ERR_NET = -17,	    /* the network failed (cannot bind, no route) */
	SHOAL_ERR_OWNED = -18,	    /* another process holds it */
};

/* A short lower-case name of `err`, e.g. "malformed"; never NULL. */
SHOAL_API const char *shoal_err_name(int err);

#ifdef __cplusplus
}
#endif
#endif
