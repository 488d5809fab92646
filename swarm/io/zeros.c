/* zeros.c - SEEK_DATA, and what zeros hash to. */
#include "swarm/io/zeros.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "proto/base/bytes.h"
#include "proto/base/digest.h"
#include "proto/base/slots.h"

#define WORTH_ASKING 4096 /* bytes: less than a page cannot stay a hole */

int shoal_zeros_know(struct shoal_zeros *z, uint32_t bytes)
{
	struct shoal_sha1 sha1, *ctx = &sha1;
	if (z->bytes == bytes)
		return 0;
	uint8_t *zero = calloc(1, SHOAL_BLOCK);
	if (zero == NULL)
		return SHOAL_ERR_NOMEM;
	const uint8_t *at = zero;
	shoal_sha1_init(&sha1);
	for (uint32_t done = 0; done < bytes; done += SHOAL_BLOCK)
		shoal_sha1_advance(&ctx, &at, 1, SHOAL_BLOCK);
	shoal_sha1_final(&sha1, z->sha1);
	/* All the nodes of a layer are equal: one hash a layer makes the root. */
	uint8_t pair[64];
	shoal_sha256(shoal_bytes(zero, SHOAL_BLOCK), z->root);
	for (uint32_t width = bytes / SHOAL_BLOCK; width > 1; width /= 2) {
		memcpy(pair, z->root, 32);
		memcpy(pair + 32, z->root, 32);
		shoal_sha256(shoal_bytes(pair, sizeof pair), z->root);
	}
	z->bytes = bytes;
	free(zero);
	return 0;
}

/* Where the next data at or after `at` begins: UINT64_MAX when there is none; `at` when nobody can tell. */
static uint64_t data_after(const struct shoal_os_ops *os, int fd, uint64_t at)
{
	if (os->lseek == NULL)
		return at;
	off_t data = os->lseek(fd, (off_t)at, SEEK_DATA);
	if (data < 0)
		return errno == ENXIO ? UINT64_MAX : at;
	return (uint64_t)data;
}

bool shoal_zeros_hole(const struct shoal_os_ops *os, int fd, uint64_t at, uint64_t len)
{
	struct stat st;
	uint64_t data = data_after(os, fd, at);
	if (data == UINT64_MAX) /* a hole to the end, wherever that is */
		return os->fstat(fd, &st) == 0 && at + len <= (uint64_t)st.st_size;
	return data >= at + len;
}

static bool all_zero(const struct iovec *v, int n)
{
	for (int i = 0; i < n; i++) {
		const uint8_t *at = v[i].iov_base;
		size_t len = v[i].iov_len;
		if (len > 0 && (at[0] != 0 || memcmp(at, at + 1, len - 1) != 0))
			return false;
	}
	return true;
}

ssize_t shoal_zeros_write(const struct shoal_os_ops *os, int fd, const struct iovec *v, int n, uint64_t at)
{
	size_t len = 0;
	for (int i = 0; i < n; i++)
		len += v[i].iov_len;
	if (os->lseek == NULL || len < WORTH_ASKING || !all_zero(v, n))
		return 0;
	uint64_t data = data_after(os, fd, at);
	if (data < at + len)
		return 0;
	if (data == UINT64_MAX && !shoal_zeros_hole(os, fd, at, len)) {
		uint8_t zero = 0;
		struct iovec last = { &zero, 1 };
		ssize_t got = os->pwritev(fd, &last, 1, (off_t)(at + len - 1));
		if (got <= 0)
			return got;
	}
	return (ssize_t)len;
}
