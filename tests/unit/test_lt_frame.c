/* test_lt_frame.c - what crosses to the child that runs libtorrent: round trips, every cut, lengths that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "swarm/libtorrent/frame.h"
#include "swarm/libtorrent/stream.h"

static struct shoal_bytes of(const char *s)
{
	return (struct shoal_bytes){ (const uint8_t *)s, strlen(s) };
}

static void assert_text(struct shoal_bytes got, const char *want)
{
	assert_int_equal(got.len, strlen(want));
	assert_memory_equal(got.at, want, got.len);
}

struct buffer {
	uint8_t *at;
	size_t len, room;
};

static struct shoal_bytes write_one(struct buffer *b, enum shoal_lt_kind kind, const union shoal_lt_body *body)
{
	b->len = 0;
	assert_int_equal(shoal_lt_frame_write(&b->at, &b->len, &b->room, kind, body), 0);
	return (struct shoal_bytes){ b->at, b->len };
}

static const union shoal_lt_body config = {
	.start.config = { .size = sizeof(struct shoal_config),
			  .listen = { { .ip = { 127, 1, 2, 3 }, .port = 6881, .is_v4 = 1 }, { .port = 65535 } },
			  .listen_count = 2,
			  .memory = UINT64_MAX,
			  .up = 1,
			  .down = 1u << 31,
			  .max_peers = 7,
			  .state_dir = "/var/x",
			  .no_lsd = true,
			  .accept_old = true }
};

static union shoal_lt_body sample_op(void)
{
	return (union shoal_lt_body){ .op = { .kind = SHOAL_OP_ADD,
					      .ticket = UINT64_MAX - 1,
					      .torrent = 3,
					      .flags = SHOAL_ADD_CHOOSE,
					      .text = of("magnet:?"),
					      .data = of("d4:infodee"),
					      .folder = of("/x"),
					      .files = of("\1\4\7"),
					      .addr = { .ip = { 1, 2, 3, 4 }, .port = 80, .is_v4 = 1 },
					      .within = SHOAL_NEVER,
					      .ext = 9,
					      .adopt = SHOAL_ADOPT_HOW_COPY,
					      .adopt_from = of("/y") } };
}

static const uint32_t copies[] = { 1, 0, UINT32_MAX };
static const struct shoal_file_info files[] = { { .size = 5, .done = 4, .path_at = 0, .path_count = 3, .priority = 7 },
						{ .path_at = 3, .path_count = 0, .pad = true } };
static union shoal_lt_body sample_event(void)
{
	return (union shoal_lt_body){ .event = { .kind = SHOAL_EV_FILES,
						 .t = 5,
						 .err = SHOAL_ERR_HASH,
						 .has_v2 = true,
						 .hash_v2 = { { 1, 2, 3 } },
						 .text = of("te\x1bxt"),
						 .data = of("a/b"),
						 .copies = copies,
						 .copies_count = 3,
						 .files = files,
						 .files_count = 2,
						 .stats = { .size = 9, .paused = true, .hash_failures = 2 },
						 .info = { .got = 11, .seed = true } } };
}

static void what_is_written_is_what_is_read(void **state)
{
	struct buffer b = { 0 };
	union shoal_lt_body in, got;
	struct shoal_lt_read kept;
	(void)state;
	assert_int_equal(shoal_lt_frame_read(write_one(&b, SHOAL_LT_OPEN, &config), &got, &kept), SHOAL_LT_OPEN);
	assert_int_equal(got.start.config.listen_count, 2);
	assert_memory_equal(got.start.config.listen, config.start.config.listen, 2 * sizeof(struct shoal_addr));
	assert_true(got.start.config.memory == UINT64_MAX && got.start.config.down == 1u << 31);
	assert_string_equal(got.start.config.state_dir, "/var/x");
	assert_null(got.start.config.agent);
	assert_true(got.start.config.no_lsd && got.start.config.accept_old && !got.start.config.no_pex);
	shoal_lt_read_fini(&kept);

	in = sample_op();
	assert_int_equal(shoal_lt_frame_read(write_one(&b, SHOAL_LT_OP, &in), &got, &kept), SHOAL_LT_OP);
	assert_text(got.op.text, "magnet:?");
	assert_text(got.op.data, "d4:infodee");
	assert_text(got.op.files, "\1\4\7");
	assert_text(got.op.adopt_from, "/y");
	assert_true(got.op.ticket == UINT64_MAX - 1 && got.op.within == SHOAL_NEVER && got.op.ext == 9);
	assert_int_equal(got.op.adopt, SHOAL_ADOPT_HOW_COPY);
	shoal_lt_read_fini(&kept);

	in = sample_event();
	assert_int_equal(shoal_lt_frame_read(write_one(&b, SHOAL_LT_EVENT, &in), &got, &kept), SHOAL_LT_EVENT);
	assert_text(got.event.text, "te\x1bxt");
	assert_int_equal(got.event.err, SHOAL_ERR_HASH);
	assert_memory_equal(got.event.copies, copies, sizeof copies);
	assert_int_equal(got.event.files_count, 2);
	assert_true(got.event.files[0].size == 5 && got.event.files[0].priority == 7 && got.event.files[1].pad);
	assert_true(got.event.stats.paused && got.event.stats.hash_failures == 2 && got.event.info.seed);
	shoal_lt_read_fini(&kept);
	free(b.at);
}

/* A frame that ends early, or late, or whose inner lengths say more than there is, is no frame. */
static void every_cut_is_refused(void **state)
{
	struct buffer b = { 0 };
	union shoal_lt_body samples[] = { config, sample_op(), sample_event() }, got;
	const enum shoal_lt_kind kinds[] = { SHOAL_LT_OPEN, SHOAL_LT_OP, SHOAL_LT_EVENT };
	struct shoal_lt_read kept;
	(void)state;
	for (unsigned k = 0; k < 3; k++) {
		struct shoal_bytes whole = write_one(&b, kinds[k], &samples[k]);
		for (size_t cut = 0; cut < whole.len; cut++) {
			assert_int_equal(shoal_lt_frame_read((struct shoal_bytes){ whole.at, cut }, &got, &kept),
					 SHOAL_ERR_MALFORMED);
			shoal_lt_read_fini(&kept);
		}
		/* The same with a head that agrees: then the fields do not. */
		for (size_t cut = SHOAL_LT_FRAME_HEAD; cut < whole.len; cut++) {
			uint8_t *copy = malloc(cut);
			assert_non_null(copy);
			memcpy(copy, whole.at, cut);
			copy[0] = (uint8_t)(cut - 4);
			copy[1] = (uint8_t)((cut - 4) >> 8);
			assert_true(shoal_lt_frame_read((struct shoal_bytes){ copy, cut }, &got, &kept) < 0);
			shoal_lt_read_fini(&kept);
			free(copy);
		}
	}
	free(b.at);
}

static void heads_that_lie(void **state)
{
	const struct {
		uint8_t head[5];
		ptrdiff_t want;
	} cases[] = {
		{ { 1, 0, 0, 0, SHOAL_LT_OP }, 5 },
		{ { 0, 0, 0, 0, SHOAL_LT_OP }, SHOAL_ERR_MALFORMED },
		{ { 1, 0, 0, 0, 0 }, SHOAL_ERR_MALFORMED },
		{ { 1, 0, 0, 0, SHOAL_LT_EVENT + 1 }, SHOAL_ERR_MALFORMED },
		{ { 0xff, 0xff, 0xff, 0xff, SHOAL_LT_OP }, SHOAL_ERR_TOO_LONG },
		{ { 0xfd, 0xff, 0xff, 0x01, SHOAL_LT_OP }, SHOAL_ERR_TOO_LONG },
		{ { 0xfc, 0xff, 0xff, 0x01, SHOAL_LT_OP }, 32 << 20 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(shoal_lt_frame_length((struct shoal_bytes){ cases[i].head, 5 }, SHOAL_LT_ANSWER_MAX),
				 cases[i].want);
	assert_int_equal(shoal_lt_frame_length((struct shoal_bytes){ cases[0].head, 4 }, SHOAL_LT_ANSWER_MAX), 0);
}

/* A path of a file outside of the text that came with it would be read out of bounds by whoever shows it. */
static void paths_lie_in_their_text(void **state)
{
	struct buffer b = { 0 };
	union shoal_lt_body in = sample_event(), got;
	struct shoal_file_info far = { .path_at = 2, .path_count = UINT32_MAX };
	struct shoal_lt_read kept;
	(void)state;
	in.event.files = &far;
	in.event.files_count = 1;
	assert_int_equal(shoal_lt_frame_write(&b.at, &b.len, &b.room, SHOAL_LT_EVENT, &in), SHOAL_ERR_MALFORMED);
	far.path_count = 1;
	struct shoal_bytes whole = write_one(&b, SHOAL_LT_EVENT, &in);
	uint8_t *at = memmem(whole.at, whole.len, "\2\0\0\0\1\0\0\0", 8);
	assert_non_null(at);
	at[4] = 2; /* one byte beyond */
	assert_int_equal(shoal_lt_frame_read(whole, &got, &kept), SHOAL_ERR_MALFORMED);
	shoal_lt_read_fini(&kept);
	free(b.at);
}

static void a_stream_torn_anywhere_means_the_same(void **state)
{
	struct buffer b = { 0 };
	union shoal_lt_body in = sample_event(), got;
	struct shoal_lt_read kept;
	struct shoal_bytes frame;
	(void)state;
	struct shoal_bytes whole = write_one(&b, SHOAL_LT_EVENT, &in);
	for (size_t cut = 0; cut <= whole.len; cut += 7) {
		int pair[2];
		struct shoal_lt_stream s;
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		shoal_lt_stream_init(&s, pair[0], SHOAL_LT_ANSWER_MAX);
		assert_int_equal(write(pair[1], whole.at, cut), (ssize_t)cut);
		assert_int_equal(shoal_lt_stream_next(&s, &frame), cut == whole.len ? (ptrdiff_t)cut : 0);
		if (cut < whole.len) {
			assert_int_equal(write(pair[1], whole.at + cut, whole.len - cut), (ssize_t)(whole.len - cut));
			assert_int_equal(shoal_lt_stream_next(&s, &frame), (ptrdiff_t)whole.len);
		}
		assert_int_equal(shoal_lt_frame_read(frame, &got, &kept), SHOAL_LT_EVENT);
		shoal_lt_read_fini(&kept);
		close(pair[1]);
		assert_int_equal(shoal_lt_stream_next(&s, &frame), SHOAL_ERR_CLOSED);
		shoal_lt_stream_fini(&s);
	}
	free(b.at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_what_is_read),
		cmocka_unit_test(every_cut_is_refused),
		cmocka_unit_test(heads_that_lie),
		cmocka_unit_test(paths_lie_in_their_text),
		cmocka_unit_test(a_stream_torn_anywhere_means_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
