/* test_keys.c - ed25519 by the vectors of RFC 8032 and BEP 44, and a key's file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "swarm/io/keys.h"
#include "tests/unit/own_hex.h"

static void the_vectors_of_rfc_8032(void **state)
{
	struct shoal_key key;
	uint8_t seed[32], public[32], want[64], sig[64], text = 0x72;
	(void)state;
	assert_int_equal(own_unhex(seed, "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"), 32);
	assert_int_equal(own_unhex(public, "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"), 32);
	assert_int_equal(own_unhex(want, "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
					 "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
			 64);
	assert_int_equal(shoal_key_from_seed(&key, seed), 0);
	assert_memory_equal(key.public, public, 32);
	shoal_key_sign(&key, shoal_bytes(&text, 1), sig);
	assert_memory_equal(sig, want, 64);
	assert_true(shoal_key_verify(public, shoal_bytes(&text, 1), sig));
	text++;
	assert_false(shoal_key_verify(public, shoal_bytes(&text, 1), sig));
	shoal_key_wipe(&key);
	assert_int_equal(key.seed[5], 0);
}

static void the_signatures_of_bep_44(void **state)
{
	static const struct {
		const char *salt, *sig;
	} rows[] = {
		{ "", "305ac8aeb6c9c151fa120f120ea2cfb923564e11552d06a5d856091e5e853cff"
		      "1260d3f39e4999684aa92eb73ffd136e6f4f3ecbfda0ce53a1608ecd7ae21f01" },
		{ "foobar", "6834284b6b24c3204eb2fea824d82f88883a3d95e8b4a21b8c0ded553d17d17d"
			    "df9a8a7104b1258f30bed3787e6cb896fca78c58f8e03b5f18f14951a87d9a08" },
	};
	uint8_t public[32], sig[64], text[SHOAL_ITEM_SIGNED_MAX];
	(void)state;
	assert_int_equal(own_unhex(public, "77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548"), 32);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(own_unhex(sig, rows[i].sig), 64);
		ptrdiff_t n = shoal_item_signed(shoal_bytes(rows[i].salt, strlen(rows[i].salt)), 1,
						SHOAL_LIT("12:Hello World!"), text);
		assert_true(n > 0);
		assert_true(shoal_keys_dht.verify(NULL, sig, shoal_bytes(text, (size_t)n), public));
		sig[63] ^= 0x10;
		assert_false(shoal_keys_dht.verify(NULL, sig, shoal_bytes(text, (size_t)n), public));
	}
}

static void a_key_has_a_file(void **state)
{
	char folder[] = "/tmp/shoal-keys-XXXXXX", path[64];
	struct shoal_key key, again;
	struct stat st;
	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/key", folder);
	assert_int_equal(shoal_key_file(&key, path, false), SHOAL_ERR_GONE);
	assert_int_equal(shoal_key_file(&key, path, true), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(shoal_key_file(&again, path, true), 0);
	assert_memory_equal(&key, &again, sizeof key);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs("no key at all\n", f);
	fclose(f);
	assert_int_equal(shoal_key_file(&again, path, true), SHOAL_ERR_MALFORMED); /* and it is left alone */
	unlink(path);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_vectors_of_rfc_8032),
		cmocka_unit_test(the_signatures_of_bep_44),
		cmocka_unit_test(a_key_has_a_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
