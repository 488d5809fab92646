/* test_lsd.c - BEP 14 datagrams as others send them, hostile ones, every cut, and there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/lsd.h"

#define FIRST "BT-SEARCH * HTTP/1.1\r\n"
#define HOST4 "Host: 239.192.152.143:6771\r\n"
#define HASH_A "Infohash: 0123456789abcdef0123456789ABCDEF01234567\r\n"
#define HASH_B "Infohash: ffffffffffffffffffffffffffffffffffffffff\r\n"

static const struct {
	const char *why, *in;
	int want;
	unsigned port, hashes;
	const char *cookie;
} cases[] = {
	{ "as libtorrent sends it", FIRST HOST4 "Port: 6881\r\n" HASH_A "cookie: deadbeef\r\n\r\n\r\n", 0, 6881, 1,
	  "deadbeef" },
	{ "two of them, no cookie", FIRST HOST4 "Port: 1\r\n" HASH_A HASH_B "\r\n\r\n", 0, 1, 2, "" },
	{ "any case, any blanks",
	  FIRST "HOST:x\r\nPORT: \t65535 \r\nINFOHASH:0123456789abcdef0123456789abcdef01234567\r\n\r\n", 0, 65535, 1,
	  "" },
	{ "no blank line", FIRST "Port: 80\r\n" HASH_A, 0, 80, 1, "" },
	{ "a header we do not know", FIRST "Port: 80\r\nX-More: : :\r\n" HASH_A "\r\n", 0, 80, 1, "" },
	{ "what follows the end is nobody's", FIRST "Port: 80\r\n" HASH_A "\r\n" HASH_B "?", 0, 80, 1, "" },
	{ "nothing", "", SHOAL_ERR_MALFORMED, 0, 0, "" },
	{ "another verb", "M-SEARCH * HTTP/1.1\r\nPort: 80\r\n" HASH_A "\r\n", SHOAL_ERR_MALFORMED, 0, 0, "" },
	{ "no port", FIRST HASH_A "\r\n", SHOAL_ERR_MALFORMED, 0, 0, "" },
	{ "port 0", FIRST "Port: 0\r\n" HASH_A "\r\n", SHOAL_ERR_MALFORMED, 0, 0, "" },
	{ "port 65536", FIRST "Port: 65536\r\n" HASH_A "\r\n", SHOAL_ERR_MALFORMED, 0, 0, "" },
	{ "port 100000", FIRST "Port: 100000\r\n" HASH_A "\r\n", SHOAL_ERR_MALFORMED, 0, 0, "" },
	{ "a negative port", FIRST "Port: -1\r\n" HASH_A "\r\n", SHOAL_ERR_MALFORMED, 0, 0, "" },
	{ "two ports", FIRST "Port: 80\r\nPort: 81\r\n" HASH_A "\r\n", SHOAL_ERR_MALFORMED, 0, 0, "" },
	{ "no hash", FIRST "Port: 80\r\n\r\n", SHOAL_ERR_MALFORMED, 0, 0, "" },
	{ "39 digits", FIRST "Port: 80\r\nInfohash: 0123456789abcdef0123456789abcdef0123456\r\n\r\n",
	  SHOAL_ERR_MALFORMED, 0, 0, "" },
	{ "a digit that is none", FIRST "Port: 80\r\nInfohash: g123456789abcdef0123456789abcdef01234567\r\n\r\n",
	  SHOAL_ERR_MALFORMED, 0, 0, "" },
	{ "a line without a colon", FIRST "Port 80\r\n" HASH_A "\r\n", SHOAL_ERR_MALFORMED, 0, 0, "" },
	{ "a line without a name", FIRST ": 80\r\n" HASH_A "\r\n", SHOAL_ERR_MALFORMED, 0, 0, "" },
	{ "half a line at the end", FIRST "Port: 80\r\n" HASH_A "Inf", SHOAL_ERR_MALFORMED, 0, 0, "" },
	{ "no CR", "BT-SEARCH * HTTP/1.1\nPort: 80\n\n", SHOAL_ERR_MALFORMED, 0, 0, "" },
};

static void decode_gives_what_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct shoal_lsd lsd;
		print_message("%s\n", cases[i].why);
		assert_int_equal(shoal_lsd_decode(shoal_bytes(cases[i].in, strlen(cases[i].in)), &lsd), cases[i].want);
		if (cases[i].want < 0)
			continue;
		assert_int_equal(lsd.port, cases[i].port);
		assert_int_equal(lsd.count, cases[i].hashes);
		assert_true(shoal_bytes_equal(lsd.cookie, shoal_bytes(cases[i].cookie, strlen(cases[i].cookie))));
		assert_int_equal(lsd.hash[0].b[0], 0x01);
		assert_int_equal(lsd.hash[0].b[15], 0xef);
	}
}

static void too_much_is_too_long(void **state)
{
	char text[4096] = FIRST "Port: 80\r\n";
	size_t head = strlen(text);
	struct shoal_lsd lsd;
	(void)state;
	for (size_t n = 1; n <= SHOAL_LSD_HASHES + 1; n++) {
		memcpy(text + strlen(text), HASH_A, sizeof HASH_A);
		assert_int_equal(shoal_lsd_decode(shoal_bytes(text, strlen(text)), &lsd),
				 n <= SHOAL_LSD_HASHES ? 0 : SHOAL_ERR_TOO_LONG);
	}
	memset(text + head, 'x', SHOAL_LSD_BYTES);
	assert_int_equal(shoal_lsd_decode(shoal_bytes(text, SHOAL_LSD_BYTES + 1), &lsd), SHOAL_ERR_TOO_LONG);
	assert_int_equal(shoal_lsd_decode(shoal_bytes(text, SHOAL_LSD_BYTES), &lsd), SHOAL_ERR_MALFORMED);
}

static void what_is_written_is_read(void **state)
{
	uint8_t raw[SHOAL_LSD_BYTES];
	struct shoal_lsd lsd = { .port = 6881, .cookie = SHOAL_LIT("0123456789abcdef") }, back;
	(void)state;
	for (size_t n = 1; n <= SHOAL_LSD_HASHES; n++) {
		lsd.hash[n - 1].b[19] = (uint8_t)n;
		lsd.count = n;
		for (int v4 = 0; v4 < 2; v4++) {
			ptrdiff_t len = shoal_lsd_encode(&lsd, v4, (struct shoal_space){ raw, sizeof raw });
			assert_true(len > 0); /* as many as may be fit */
			assert_int_equal(shoal_lsd_decode(shoal_bytes(raw, (size_t)len), &back), 0);
			assert_int_equal(back.count, n);
			assert_int_equal(back.port, 6881);
			assert_memory_equal(back.hash, lsd.hash, n * sizeof *lsd.hash);
			assert_true(shoal_bytes_equal(back.cookie, lsd.cookie));
		}
	}
	static const char want[] = FIRST HOST4 "Port: 6881\r\nInfohash: 0000000000000000000000000000000000000001\r\n"
					       "cookie: 0123456789abcdef\r\n\r\n\r\n";
	lsd.count = 1;
	assert_int_equal(shoal_lsd_encode(&lsd, true, (struct shoal_space){ raw, sizeof raw }), sizeof want - 1);
	assert_memory_equal(raw, want, sizeof want - 1);
	assert_int_equal(shoal_lsd_encode(&lsd, true, (struct shoal_space){ raw, sizeof want - 2 }),
			 SHOAL_ERR_TOO_LONG);
	for (size_t cut = 0; cut < sizeof want - 1; cut++) /* never a fault; whole only with all its lines */
		if (shoal_lsd_decode(shoal_bytes(want, cut), &back) == 0)
			assert_int_equal(back.count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decode_gives_what_the_table_says),
		cmocka_unit_test(too_much_is_too_long),
		cmocka_unit_test(what_is_written_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
