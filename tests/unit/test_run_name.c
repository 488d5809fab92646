/* test_run_name.c - a name that moves: what was said of its first version goes for each, and two versions share two places. */
#include "tools/run.h"

#include "proto/base/bytes.h"
#include "tools/say.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NAME "magnet:?xs=urn:btpk:abababababababababababababababababababababababababababababababab"
#define LIKE "/some/where\0/else/where" /* folders, NUL after each */

/* What was added last. */
static struct {
	unsigned count, flags;
	enum shoal_adopt_how adopt;
	char from[64], folder[64];
	size_t from_len;
} added;

static int fake_do(struct shoal_engine *e, const struct shoal_op *op)
{
	(void)e;
	if (op->kind != SHOAL_OP_ADD)
		return 0;
	added.count++;
	added.flags = op->flags;
	added.adopt = op->adopt;
	added.from_len = op->adopt_from.len;
	assert_true(op->adopt_from.len <= sizeof added.from);
	if (op->adopt_from.len > 0)
		memcpy(added.from, op->adopt_from.at, op->adopt_from.len);
	snprintf(added.folder, sizeof added.folder, "%.*s", (int)op->folder.len, (const char *)op->folder.at);
	return 0;
}

static const struct shoal_engine_ops fake_ops = { .name = "fake", .do_op = fake_do };

/* The DHT says what the name stands for now. */
static void moves(struct shoal_run *r, int64_t seq)
{
	uint8_t key[96] = { 0xab };
	char v[64];
	struct shoal_event item = { .kind = SHOAL_EV_DHT_ITEM, .ticket = SHOAL_FOLLOW_TICKET },
			   done = { .kind = SHOAL_EV_DHT_DONE, .ticket = SHOAL_FOLLOW_TICKET };
	snprintf(v, sizeof v, "d2:ih20:%020llde", (long long)seq);
	item.name = shoal_bytes(key, sizeof key);
	item.data = shoal_bytes(v, strlen(v));
	item.dht.seq = seq;
	r->follow->asked = true;
	r->follow->value.found = false;
	shoal_run_name_event(r, &item, SHOAL_S(1));
	shoal_run_name_event(r, &done, SHOAL_S(1));
}

static void what_was_said_of_the_first_goes_for_each(void **state)
{
	struct shoal_tool tool = { .command = "test", .quiet = true };
	struct shoal_net net = { 0 };
	struct shoal_engine engine = { &fake_ops };
	struct shoal_follow f = { .link = NAME, .folder = "/first", .seq = 1 };
	struct shoal_run_torrent t[2] = { { .name = "",
					    .folder = strdup("/first"),
					    .flags = SHOAL_ADD_OVERWRITE,
					    .adopt = SHOAL_ADOPT_HOW_LINK,
					    .adopt_from = malloc(sizeof LIKE),
					    .adopt_from_len = sizeof LIKE } };
	struct shoal_run r = { .tool = &tool,
			       .ops = &fake_ops,
			       .net = &net,
			       .torrent = t,
			       .count = 1,
			       .stay = true,
			       .follow = &f,
			       .engine = &engine };
	(void)state;
	assert_non_null(t[0].adopt_from);
	memcpy(t[0].adopt_from, LIKE, sizeof LIKE);
	shoal_progress_init(&r.progress, &tool);
	/* The second beside the first; the third, while that is not complete, in its place; the fourth, when it is, in the other. */
	for (int64_t seq = 2; seq < 5; seq++) {
		char want[64];
		t[r.newest].complete = seq == 4;
		shoal_run_name_complete(&r, &t[r.newest]);
		moves(&r, seq);
		snprintf(want, sizeof want, "/first/version-%d", (int)seq);
		assert_int_equal(added.count, seq - 1);
		assert_string_equal(added.folder, want);
		assert_true(added.flags & SHOAL_ADD_OVERWRITE);
		assert_int_equal(added.adopt, SHOAL_ADOPT_HOW_LINK);
		assert_int_equal(added.from_len, sizeof LIKE);
		assert_memory_equal(added.from, LIKE, sizeof LIKE);
	}
	assert_int_equal(r.code, 0);
	for (size_t i = 0; i < 2; i++)
		shoal_run_torrent_fini(&t[i]);
	shoal_say_fini(&tool);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_was_said_of_the_first_goes_for_each) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
