/* test_layers.c - v2 torrents without piece layers: a whole file proves itself by its root, a wrong one does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/bytes.h"
#include "swarm/io/engine_native.h"
#include "swarm/io/os.h"
#include "tests/unit/own_torrent.h"

#define PIECE (64u << 10)
#define BIG 300000u /* five pieces, the last of three blocks */
#define TWO (2 * PIECE)
#define LONE 20000u /* its root is its piece's: no layer */
#define ALL (BIG + TWO + LONE)
#define PATIENCE SHOAL_S(60)

static const struct own_file content[] = { { "a", BIG, false }, { "b", TWO, false }, { "c", LONE, false } };
static const uint32_t size_of[] = { BIG, TWO, LONE };

/* The info dictionary alone, as a magnet's metadata, in a torrent file. */
static struct shoal_space bare_torrent(const struct own_torrent *own)
{
	struct shoal_bytes info = shoal_metainfo_info(own->mi);
	uint8_t *at = malloc(info.len + 8);
	assert_non_null(at);
	memcpy(at, "d4:info", 7);
	memcpy(at + 7, info.at, info.len);
	at[7 + info.len] = 'e';
	return (struct shoal_space){ at, info.len + 8 };
}

/* `cut`: bytes of file `file` that lack at its end; `wrong`: its byte `wrong` is another. Bytes that are found to be right. */
static uint64_t found(unsigned flags, uint32_t file, uint32_t cut, int64_t wrong, uint64_t *pieces)
{
	struct own_torrent own;
	char folder[64], what[160];
	struct shoal_engine *engine;
	struct shoal_config config = {
		.size = sizeof config, .memory = 16u << 20, .threads = 2, .no_dht = true, .no_lsd = true
	};
	own_torrent_make(&own, OWN_V2, PIECE, "t", content, 3, false);
	struct shoal_space torrent = bare_torrent(&own);
	own_folder(folder, sizeof folder);
	for (uint32_t i = 0; i < 3; i++) {
		char path[8];
		uint32_t len = size_of[i] - (i == file ? cut : 0);
		uint8_t *bytes = malloc(size_of[i]);
		assert_non_null(bytes);
		own_bytes(i, 0, bytes, size_of[i]);
		if (i == file && wrong >= 0)
			bytes[wrong] ^= 1;
		snprintf(path, sizeof path, "t/%c", (char)('a' + i));
		own_write(folder, path, bytes, len);
		free(bytes);
	}
	assert_int_equal(shoal_engine_native.open(&engine, &config, what), 0);
	struct shoal_op add = { .kind = SHOAL_OP_ADD,
				.flags = flags,
				.data = { torrent.at, torrent.len },
				.folder = shoal_bytes(folder, strlen(folder)) };
	assert_int_equal(engine->ops->do_op(engine, &add), 0);
	struct shoal_event ev = { 0 };
	shoal_us give_up = shoal_os_real.now() + PATIENCE;
	while (ev.kind != SHOAL_EV_CHECKED) {
		assert_true(shoal_os_real.now() < give_up);
		if (engine->ops->poll(engine, &ev, 20) == 0)
			ev.kind = 0;
		assert_int_not_equal(ev.kind, SHOAL_EV_ERROR);
	}
	uint64_t done = ev.done;
	assert_int_equal(ev.total, ALL);
	struct shoal_op ask = { .kind = SHOAL_OP_STATS, .torrent = ev.torrent };
	assert_int_equal(engine->ops->do_op(engine, &ask), 0);
	while (ev.kind != SHOAL_EV_STATS) {
		assert_true(shoal_os_real.now() < give_up);
		if (engine->ops->poll(engine, &ev, 20) == 0)
			ev.kind = 0;
	}
	*pieces = ev.stats.pieces_done;
	engine->ops->close(engine);
	own_folder_end(folder);
	free(torrent.at);
	own_torrent_free(&own);
	return done;
}

static void whole_files_need_no_layer(void **state)
{
	uint64_t pieces;
	(void)state;
	assert_int_equal(found(SHOAL_ADD_CHECK_ONLY, 3, 0, -1, &pieces), ALL);
	assert_int_equal(pieces, 5 + 2 + 1);
	assert_int_equal(found(SHOAL_ADD_SEED_ONLY, 3, 0, -1, &pieces), ALL);
	assert_int_equal(found(0, 3, 0, -1, &pieces), ALL);
}

/* Bytes that this process has read, of files and what else there is. */
static uint64_t bytes_read(void)
{
	char line[64] = "";
	FILE *f = fopen("/proc/self/io", "r");
	bool read = f != NULL && fgets(line, sizeof line, f) != NULL && strncmp(line, "rchar: ", 7) == 0;
	if (f != NULL)
		fclose(f);
	if (!read)
		skip();
	return strtoull(line + 7, NULL, 10);
}

static void what_is_proved_is_not_read_again(void **state)
{
	uint64_t pieces, before = bytes_read();
	(void)state;
	assert_int_equal(found(SHOAL_ADD_CHECK_ONLY, 3, 0, -1, &pieces), ALL);
	uint64_t read = bytes_read() - before;
	print_message("%llu bytes of %u\n", (unsigned long long)read, ALL);
	assert_in_range(read, ALL, ALL + TWO / 2);
}

/* Which of its pieces it is nobody can tell, so none of them counts. */
static void one_wrong_byte_leaves_its_file_out(void **state)
{
	uint64_t pieces;
	(void)state;
	for (int64_t at = 0; at < BIG; at += BIG - 1) {
		assert_int_equal(found(SHOAL_ADD_CHECK_ONLY, 0, 0, at, &pieces), ALL - BIG);
		assert_int_equal(pieces, 2 + 1);
	}
	assert_int_equal(found(SHOAL_ADD_CHECK_ONLY, 1, 0, PIECE, &pieces), ALL - TWO);
	assert_int_equal(found(SHOAL_ADD_CHECK_ONLY, 2, 0, 5, &pieces), ALL - LONE);
}

static void a_short_file_is_left_out(void **state)
{
	uint64_t pieces;
	(void)state;
	assert_int_equal(found(SHOAL_ADD_CHECK_ONLY, 0, 1, -1, &pieces), ALL - BIG);
	assert_int_equal(found(SHOAL_ADD_CHECK_ONLY, 1, TWO, -1, &pieces), ALL - TWO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_files_need_no_layer),
		cmocka_unit_test(what_is_proved_is_not_read_again),
		cmocka_unit_test(one_wrong_byte_leaves_its_file_out),
		cmocka_unit_test(a_short_file_is_left_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
