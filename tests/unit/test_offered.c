/* test_offered.c - which blocks of a piece have no byte in a file that is missing: against a look at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "proto/base/rng.h"
#include "swarm/core/offered.h"
#include "tests/unit/own_torrent.h"

#define FILES 24u
#define BLOCKS_MAX 64

struct there {
	const struct shoal_metainfo *mi;
	uint32_t files; /* a bit each; of a piece they are turned by its number */
};

static bool is_there(const void *of, uint32_t file, uint32_t piece)
{
	const struct there *t = of;
	return (shoal_metainfo_file_flags(t->mi, file) & SHOAL_FILE_PAD) || (t->files >> (file + piece) % 32 & 1);
}

static void hold_against_every_byte(const struct there *t)
{
	bool block[BLOCKS_MAX];
	for (uint32_t p = 0; p < shoal_metainfo_piece_count(t->mi); p++) {
		uint32_t bytes = shoal_metainfo_piece_bytes(t->mi, p), blocks = (bytes + SHOAL_BLOCK - 1) / SHOAL_BLOCK;
		uint32_t sum = 0, count = shoal_offered_blocks(t->mi, p, is_there, t, block);
		for (uint32_t b = 0; b < blocks; b++) {
			bool all = true;
			for (uint32_t i = b * SHOAL_BLOCK; i < bytes && i < (b + 1) * SHOAL_BLOCK; i++) {
				uint64_t at = (uint64_t)p * shoal_metainfo_piece_size(t->mi) + i;
				all = all && is_there(t, shoal_metainfo_file_at(t->mi, at), p);
			}
			assert_int_equal(block[b], all);
			sum += all;
		}
		assert_int_equal(count, sum);
	}
}

/* Sizes that end on blocks, on pieces and anywhere, and empty files and pads between. */
static void any_layout(void **state)
{
	static const uint64_t round[] = { 0, 1, SHOAL_BLOCK, SHOAL_BLOCK - 1, SHOAL_BLOCK + 1, 4 * SHOAL_BLOCK };
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct shoal_rng rng = shoal_rng_split(seed, 1);
		struct own_torrent own;
		struct own_file file[FILES];
		char name[FILES][16];
		for (uint32_t i = 0; i < FILES; i++) {
			snprintf(name[i], sizeof name[i], "%02u", i);
			file[i] = (struct own_file){ name[i],
						     shoal_rng_below(&rng, 2) ? round[shoal_rng_below(&rng, 6)]
									      : shoal_rng_below(&rng, 50000),
						     false };
			if (i > 0 && shoal_rng_below(&rng, 6) == 0) { /* a pad; none may fill a piece */
				file[i].pad = true;
				file[i].size = 1 + shoal_rng_below(&rng, 300);
			}
		}
		file[0].size += 1;
		own_torrent_make(&own, OWN_V1, 16384u << shoal_rng_below(&rng, 4), "t", file, FILES, false);
		uint32_t some = (uint32_t)shoal_rng_next(&rng);
		struct there t = { own.mi, some | (uint32_t)shoal_rng_next(&rng) }; /* three of four */
		hold_against_every_byte(&t);
		t.files = 0;
		hold_against_every_byte(&t);
		t.files = UINT32_MAX;
		hold_against_every_byte(&t);
		own_torrent_free(&own);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(any_layout) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
