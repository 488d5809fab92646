/* keys.c - see keys.h. */
#include "swarm/io/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "proto/base/bytes.h"
#include "proto/text.h"

int shoal_key_from_seed(struct shoal_key *key, const uint8_t seed[32])
{
	uint8_t secret[crypto_sign_SECRETKEYBYTES];
	if (sodium_init() < 0)
		return SHOAL_ERR_UNSUPPORTED;
	memmove(key->seed, seed, sizeof key->seed);
	crypto_sign_seed_keypair(key->public, secret, key->seed);
	sodium_memzero(secret, sizeof secret);
	return 0;
}

int shoal_key_random(struct shoal_key *key)
{
	uint8_t seed[32];
	if (sodium_init() < 0)
		return SHOAL_ERR_UNSUPPORTED;
	randombytes_buf(seed, sizeof seed);
	int rc = shoal_key_from_seed(key, seed);
	sodium_memzero(seed, sizeof seed);
	return rc;
}

void shoal_key_sign(const struct shoal_key *key, struct shoal_bytes text, uint8_t sig[64])
{
	uint8_t public[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES];
	crypto_sign_seed_keypair(public, secret, key->seed);
	crypto_sign_detached(sig, NULL, text.at, text.len, secret);
	sodium_memzero(secret, sizeof secret);
}

bool shoal_key_verify(const uint8_t public[32], struct shoal_bytes text, const uint8_t sig[64])
{
	return sodium_init() >= 0 && crypto_sign_verify_detached(sig, text.at, text.len, public) == 0;
}

void shoal_key_wipe(struct shoal_key *key)
{
	sodium_memzero(key, sizeof *key);
}

static bool verify(void *to, const uint8_t sig[64], struct shoal_bytes text, const uint8_t key[32])
{
	(void)to;
	return shoal_key_verify(key, text, sig);
}

const struct shoal_dht_crypto shoal_keys_dht = { NULL, verify };

/* ---- files ----------------------------------------------------------------------------- */

static int os_error(void)
{
	return errno == ENOENT ? SHOAL_ERR_GONE : errno == EACCES || errno == EPERM ? SHOAL_ERR_DENIED : SHOAL_ERR_IO;
}

/* Whole under its name, or not there: whoever dies in between, or comes second, leaves no half of a key. */
static int make_file(const struct shoal_key *key, const char *path)
{
	char text[2 * 32 + 2], temporary[PATH_MAX];
	int rc = 0, n = snprintf(temporary, sizeof temporary, "%s.new-%ld", path, (long)getpid());
	if (n < 0 || (size_t)n >= sizeof temporary)
		return SHOAL_ERR_TOO_LONG;
	(void)unlink(temporary); /* of one with our number, who died */
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return os_error();
	shoal_hex_encode(shoal_bytes(key->seed, sizeof key->seed), text);
	text[64] = '\n';
	if (write(fd, text, 65) != 65 || fsync(fd) < 0)
		rc = SHOAL_ERR_IO;
	if (close(fd) < 0)
		rc = SHOAL_ERR_IO;
	if (rc == 0 && link(temporary, path) < 0)
		rc = errno == EEXIST ? SHOAL_ERR_EXISTS : os_error();
	unlink(temporary);
	sodium_memzero(text, sizeof text);
	return rc;
}

int shoal_key_file(struct shoal_key *key, const char *path, bool make)
{
	char text[80];
	uint8_t seed[32];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		if (errno != ENOENT || !make)
			return os_error();
		int rc = shoal_key_random(key);
		if (rc == 0)
			rc = make_file(key, path);
		if (rc != SHOAL_ERR_EXISTS)
			return rc;
		fd = open(path, O_RDONLY | O_CLOEXEC); /* another was faster, and his is the one */
		if (fd < 0)
			return os_error();
	}
	ssize_t n = read(fd, text, sizeof text);
	close(fd);
	if (n < 0)
		return os_error();
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	int rc = shoal_hex_decode(shoal_bytes(text, (size_t)n), (struct shoal_space){ seed, sizeof seed });
	if (rc == 0)
		rc = shoal_key_from_seed(key, seed);
	sodium_memzero(seed, sizeof seed);
	sodium_memzero(text, sizeof text);
	return rc;
}
