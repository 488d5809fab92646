/* test_claims.c - records round trip, every cut and every wrong byte count is refused, and trust follows the file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "proto/base/bytes.h"
#include "swarm/pieces/claims.h"
#include "tests/unit/own_torrent.h"

static struct shoal_claim sample(uint8_t bitmap[2])
{
	bitmap[0] = 0xa5;
	bitmap[1] = 0x01;
	return (struct shoal_claim){ .flags = SHOAL_CLAIM_OPEN,
				     .stamp = { .dev = 1, .ino = 2, .size = 3, .mtime_ns = -4, .ctime_ns = 5 },
				     .piece_size = 65536,
				     .skew = 77,
				     .first = 32768,
				     .count = 9,
				     .bitmap = { bitmap, 2 } };
}

/* Each cut in memory that ends with it, for ASan; and one byte more than there are. */
static void no_other_length_is_taken(const uint8_t *raw, size_t len)
{
	struct shoal_claim out;
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *exact = malloc(cut ? cut : 1);
		memcpy(exact, raw, cut);
		assert_int_equal(shoal_claim_decode(shoal_bytes(exact, cut), &out), SHOAL_ERR_MALFORMED);
		free(exact);
	}
	assert_int_equal(shoal_claim_decode(shoal_bytes(raw, len + 1), &out), SHOAL_ERR_MALFORMED);
}

static void a_record_is_read_as_it_was_written(void **state)
{
	(void)state;
	uint8_t bits[2], raw[SHOAL_CLAIM_VALUE_MAX];
	struct shoal_claim out, claim = sample(bits);
	ptrdiff_t len = shoal_claim_encode(&claim, (struct shoal_space){ raw, sizeof raw });
	assert_true(len > 0);
	assert_int_equal(shoal_claim_decode(shoal_bytes(raw, (size_t)len), &out), 0);
	assert_int_equal(out.flags, claim.flags);
	assert_true(shoal_stamp_same(&out.stamp, &claim.stamp));
	assert_int_equal(out.piece_size, 65536);
	assert_int_equal(out.skew, 77);
	assert_int_equal(out.first, 32768);
	assert_int_equal(out.count, 9);
	assert_true(shoal_bytes_equal(out.bitmap, claim.bitmap));
	for (size_t room = 0; room < (size_t)len; room++)
		assert_int_equal(shoal_claim_encode(&claim, (struct shoal_space){ raw, room }), SHOAL_ERR_TOO_LONG);
}

static void a_whole_file_says_where_it_lies(void **state)
{
	(void)state;
	uint8_t bits[2], raw[SHOAL_CLAIM_VALUE_MAX];
	struct shoal_claim out, claim = sample(bits);
	claim.folder = SHOAL_LIT("/home/data");
	claim.path = SHOAL_LIT("set/a file");
	ptrdiff_t len = shoal_claim_encode(&claim, (struct shoal_space){ raw, sizeof raw });
	assert_true(len > 0);
	assert_int_equal(shoal_claim_decode(shoal_bytes(raw, (size_t)len), &out), 0);
	assert_true(shoal_bytes_equal(out.folder, claim.folder));
	assert_true(shoal_bytes_equal(out.path, claim.path));
	assert_true(shoal_bytes_equal(out.bitmap, claim.bitmap));
	no_other_length_is_taken(raw, (size_t)len);

	static const uint8_t longest[SHOAL_PATH_BYTES_MAX + 1], all[SHOAL_CLAIM_CHUNK / 8];
	claim.folder = claim.path = shoal_bytes(longest, SHOAL_PATH_BYTES_MAX);
	claim.count = SHOAL_CLAIM_CHUNK;
	claim.bitmap = shoal_bytes(all, sizeof all);
	assert_true(shoal_claim_encode(&claim, (struct shoal_space){ raw, sizeof raw }) > 0);
	claim.path.len++;
	assert_int_equal(shoal_claim_encode(&claim, (struct shoal_space){ raw, sizeof raw }), SHOAL_ERR_TOO_LONG);
}

static void no_cut_and_no_excess_passes(void **state)
{
	(void)state;
	uint8_t bits[2], raw[256] = { 0 };
	struct shoal_claim out, claim = sample(bits);
	ptrdiff_t len = shoal_claim_encode(&claim, (struct shoal_space){ raw, sizeof raw });
	no_other_length_is_taken(raw, (size_t)len);
	raw[0]++; /* another version */
	assert_int_equal(shoal_claim_decode(shoal_bytes(raw, (size_t)len), &out), SHOAL_ERR_MALFORMED);
	raw[0]--;
	claim.count = SHOAL_CLAIM_CHUNK + 1;
	claim.flags = SHOAL_CLAIM_ALL;
	len = shoal_claim_encode(&claim, (struct shoal_space){ raw, sizeof raw });
	assert_int_equal(shoal_claim_decode(shoal_bytes(raw, (size_t)len), &out), SHOAL_ERR_MALFORMED);
}

static void a_closed_record_is_believed_of_the_very_file_alone(void **state)
{
	(void)state;
	uint8_t bits[2];
	struct shoal_claim claim = sample(bits);
	struct shoal_seen seen = { .stamp = claim.stamp, .state = SHOAL_SEEN_WHOLE };
	claim.flags = 0;
	assert_true(shoal_claim_trusted(&claim, &seen));
	seen.state = SHOAL_SEEN_PART;
	assert_true(shoal_claim_trusted(&claim, &seen));
	for (int i = 0; i < 5; i++) {
		struct shoal_seen other = seen;
		switch (i) {
		case 0: other.stamp.dev++; break;
		case 1: other.stamp.ino++; break;
		case 2: other.stamp.size++; break;
		case 3: other.stamp.mtime_ns++; break;
		case 4: other.stamp.ctime_ns++; break;
		}
		assert_false(shoal_claim_trusted(&claim, &other));
	}
	seen.state = SHOAL_SEEN_NONE;
	assert_false(shoal_claim_trusted(&claim, &seen));
	seen.state = SHOAL_SEEN_OTHER;
	assert_false(shoal_claim_trusted(&claim, &seen));
}

static void an_open_record_is_believed_of_the_same_inode(void **state)
{
	(void)state;
	uint8_t bits[2];
	struct shoal_claim claim = sample(bits);
	struct shoal_seen seen = { .stamp = claim.stamp, .state = SHOAL_SEEN_PART };
	seen.stamp.mtime_ns = seen.stamp.ctime_ns = 999; /* written to until the very end */
	seen.stamp.size += 100;
	assert_true(shoal_claim_trusted(&claim, &seen));
	seen.stamp.ino++;
	assert_false(shoal_claim_trusted(&claim, &seen));
}

static void keys_tell_content_and_place_apart(void **state)
{
	(void)state;
	static const struct own_file files[] = { { "a", 70000, false }, { "b", 70000, false }, { "empty", 0, false } };
	struct own_torrent v1, v2;
	uint8_t key[6][SHOAL_CLAIM_KEY_LEN];
	own_torrent_make(&v1, OWN_V1, 32768, "t", files, 3, false);
	own_torrent_make(&v2, OWN_V2, 32768, "t", files, 3, false);
	shoal_claim_key(v1.mi, 0, SHOAL_LIT("/x"), 0, key[0]);
	shoal_claim_key(v1.mi, 1, SHOAL_LIT("/x"), 0, key[1]);
	shoal_claim_key(v1.mi, 0, SHOAL_LIT("/y"), 0, key[2]);
	shoal_claim_key(v1.mi, 0, SHOAL_LIT("/x"), 1, key[3]);
	shoal_claim_key(v2.mi, 0, SHOAL_LIT("/x"), 0, key[4]);
	shoal_claim_key(v2.mi, 0, SHOAL_LIT("/y"), 0, key[5]);
	for (int i = 0; i < 6; i++)
		for (int k = 0; k < i; k++)
			assert_memory_not_equal(key[i], key[k], SHOAL_CLAIM_KEY_LEN);
	assert_memory_equal(key[4], shoal_metainfo_file_root(v2.mi, 0),
			    32); /* the content comes first: found by root */
	assert_memory_equal(key[4], key[5], 32);
	own_torrent_free(&v1);
	own_torrent_free(&v2);
}

static void pieces_of_a_file(void **state)
{
	(void)state;
	static const struct own_file files[] = {
		{ "a", 40000, false }, { "b", 1, false }, { "c", 70000, false }, { "e", 0, false }
	};
	struct own_torrent t;
	uint32_t first = 9, skew = 9;
	own_torrent_make(&t, OWN_V1, 32768, "t", files, 4, false);
	assert_int_equal(shoal_claim_pieces(t.mi, 0, &first, &skew), 2);
	assert_int_equal(first, 0);
	assert_int_equal(shoal_claim_pieces(t.mi, 1, &first, &skew), 1);
	assert_int_equal(first, 1);
	assert_int_equal(skew, 40000 - 32768);
	assert_int_equal(shoal_claim_pieces(t.mi, 2, &first, &skew), 3); /* bytes 40001 to 110001 */
	assert_int_equal(first, 1);
	assert_int_equal(shoal_claim_pieces(t.mi, 3, &first, &skew), 0);
	own_torrent_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_read_as_it_was_written),
		cmocka_unit_test(a_whole_file_says_where_it_lies),
		cmocka_unit_test(no_cut_and_no_excess_passes),
		cmocka_unit_test(a_closed_record_is_believed_of_the_very_file_alone),
		cmocka_unit_test(an_open_record_is_believed_of_the_same_inode),
		cmocka_unit_test(keys_tell_content_and_place_apart),
		cmocka_unit_test(pieces_of_a_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
