/* test_lt_choice.c - libtorrent takes its time to want other files: until it does, nothing says that it is complete. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "swarm/libtorrent/engine_libtorrent.h"
#include "tests/unit/own_net.h"
#include "tests/unit/own_torrent.h"

#define ROUNDS 300 /* not each meets the moment */
#define SIZE 40000 /* of the torrent */
#define POLLS 1000 /* of up to 100 ms: what anything may take */

static const struct shoal_engine_ops *const ops = &shoal_engine_libtorrent;
static const char torrent[] = "d4:infod6:lengthi40000e4:name1:a12:piece lengthi32768e"
			      "6:pieces40:0123456789012345678901234567890123456789ee";

static struct shoal_bytes of(const char *s)
{
	return (struct shoal_bytes){ (const uint8_t *)s, strlen(s) };
}

static void do_op(struct shoal_engine *e, struct shoal_op op)
{
	assert_int_equal(ops->do_op(e, &op), 0);
}

/* Until it says that. */
static struct shoal_event until(struct shoal_engine *e, enum shoal_event_kind kind)
{
	struct shoal_event ev;
	for (int i = 0; i < POLLS; i++)
		if (ops->poll(e, &ev, 100) > 0 && ev.kind == kind)
			return ev;
	fail_msg("event %d did not come", (int)kind);
	abort();
}

static struct shoal_stats stats(struct shoal_engine *e, uint32_t id)
{
	do_op(e, (struct shoal_op){ .kind = SHOAL_OP_STATS, .torrent = id });
	return until(e, SHOAL_EV_STATS).stats;
}

static void choose(struct shoal_engine *e, uint32_t id, enum shoal_priority how)
{
	uint8_t one = (uint8_t)how;
	do_op(e, (struct shoal_op){ .kind = SHOAL_OP_FILES, .torrent = id, .files = { &one, 1 } });
}

/* Until so much of it is wanted; if that is something, it is not complete by then. Who chooses before the last choice is in force
 * may choose what was in force before it: that looks so at once, and the last comes after. */
static void until_wanted(struct shoal_engine *e, uint32_t id, uint64_t size)
{
	for (int k = 0; k < POLLS; k++) {
		struct shoal_stats s = stats(e, id);
		assert_true(size == 0 || !s.complete);
		if (s.size == size)
			return;
		usleep(10000);
	}
	fail_msg("so much is never wanted: %llu", (unsigned long long)size);
	abort();
}

static void what_is_wanted_from_now_on_is_not_there(void **state)
{
	(void)state;
	char folder[64], what[160];
	struct shoal_engine *e;
	struct shoal_config config = { .size = sizeof config, .no_dht = true, .no_lsd = true };
	own_folder(folder, sizeof folder);
	if (ops->open(&e, &config, what) < 0)
		fail_msg("open: %s", what);
	do_op(e, (struct shoal_op){
			 .kind = SHOAL_OP_ADD, .data = of(torrent), .folder = of(folder), .flags = SHOAL_ADD_CHOOSE });
	struct shoal_event added = until(e, SHOAL_EV_ADDED);
	assert_int_equal(added.err, 0);
	uint32_t id = added.torrent;
	(void)until(e, SHOAL_EV_CHECKED);
	assert_false(stats(e, id).complete); /* nobody has said what is wanted */
	for (int i = 0; i < ROUNDS; i++) {
		choose(e, id, SHOAL_PRIORITY_NORMAL);
		until_wanted(e, id, SIZE);
		choose(e, id, SHOAL_PRIORITY_SKIP);
		until_wanted(e, id, 0);
		assert_true(stats(e, id).complete); /* of nothing, nothing is missing */
	}
	ops->close(e);
	own_folder_end(folder);
}

int main(void)
{
	char path[4096];
	const char *build = getenv("SHOAL_BUILD");
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_is_wanted_from_now_on_is_not_there) };
	snprintf(path, sizeof path, "%s/shoal-lt", build != NULL ? build : ".");
	if (access(path, X_OK) < 0) {
		fprintf(stderr, "SKIPPED, NOT TESTED: built without libtorrent\n");
		return 77;
	}
	setenv("SHOAL_LT", path, 1);
	own_net();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
