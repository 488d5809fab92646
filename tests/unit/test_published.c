/* test_published.c - the number of a signed value: what comes next, and that a state remembers it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/base/bytes.h"
#include "tools/dht.h"
#include "tools/published.h"

static void take(uint8_t *v, size_t *len, const char *text)
{
	*len = text != NULL ? strlen(text) : 0;
	if (text != NULL)
		memcpy(v, text, *len);
}

static void one_more_than_the_newest_of_both(void **state)
{
	static const struct {
		const char *why;
		const char *ours;
		int64_t our_seq;
		const char *theirs;
		int64_t their_seq;
		const char *v;
		int64_t want;
	} cases[] = {
		{ "nobody knows of any", NULL, 0, NULL, 0, "a", SHOAL_ERR_GONE },
		{ "the DHT has one", NULL, 0, "a", 1, "b", 2 },
		{ "the DHT has the same", NULL, 0, "a", 1, "a", 1 },
		{ "the DHT has the same under 0", NULL, 0, "a", 0, "a", 0 },
		{ "the DHT has lost ours", "a", 1, NULL, 0, "b", 2 },
		{ "the DHT has lost ours, and it is put again", "a", 7, NULL, 0, "a", 7 },
		{ "the DHT has an older one", "b", 2, "a", 1, "c", 3 },
		{ "the DHT has an older one, which is to come back", "b", 2, "a", 1, "a", 3 },
		{ "the DHT has a newer one, of another machine", "a", 1, "b", 5, "c", 6 },
		{ "and it is the same as this", "a", 1, "b", 5, "b", 5 },
		{ "and we go back to ours", "a", 1, "b", 5, "a", 6 },
		{ "two under one number, ours again", "a", 3, "b", 3, "a", 4 },
		{ "two under one number, theirs again", "a", 3, "b", 3, "b", 4 },
		{ "there is no higher number", "a", INT64_MAX, NULL, 0, "b", SHOAL_ERR_RANGE },
		{ "but the highest is renewed", "a", INT64_MAX, NULL, 0, "a", INT64_MAX },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct shoal_published ours = { .known = cases[i].ours != NULL, .seq = cases[i].our_seq };
		struct shoal_dht_value theirs = { .found = cases[i].theirs != NULL, .seq = cases[i].their_seq };
		take(ours.v, &ours.len, cases[i].ours);
		take(theirs.v, &theirs.len, cases[i].theirs);
		print_message("%s\n", cases[i].why);
		assert_int_equal(shoal_published_next(&ours, &theirs, shoal_bytes(cases[i].v, strlen(cases[i].v))),
				 cases[i].want);
	}
}

/* Deepest first; what is not there is no matter, but nothing else is. */
static void remove_state(const char *folder)
{
	static const char *const files[] = { "shoal.db-wal", "shoal.db-shm", "shoal.db", "locks/store" };
	char path[128];
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, files[i]);
		(void)unlink(path);
	}
	snprintf(path, sizeof path, "%s/locks", folder);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void each_name_has_its_own_number(void **state)
{
	char folder[] = "/tmp/shoal-published-XXXXXX";
	uint8_t key[32] = { 1 }, other[32] = { 2 };
	struct shoal_published p;
	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(shoal_published_recall(folder, key, SHOAL_LIT(""), &p), 0);
	assert_false(p.known || p.key_made);
	assert_int_equal(shoal_published_remember(folder, key, SHOAL_LIT(""), 3, SHOAL_LIT("1:a")), 0);
	assert_int_equal(shoal_published_remember(folder, key, SHOAL_LIT("s"), INT64_MAX, SHOAL_LIT("1:b")), 0);
	assert_int_equal(shoal_published_remember(folder, key, SHOAL_LIT(""), 4, SHOAL_LIT("1:c")), 0);
	assert_int_equal(shoal_published_key_made(folder, other), 0);

	assert_int_equal(shoal_published_recall(folder, key, SHOAL_LIT(""), &p), 0);
	assert_true(p.known && !p.key_made && p.seq == 4);
	assert_true(shoal_bytes_equal(shoal_bytes(p.v, p.len), SHOAL_LIT("1:c")));
	assert_int_equal(shoal_published_recall(folder, key, SHOAL_LIT("s"), &p), 0);
	assert_true(p.known && p.seq == INT64_MAX);
	assert_true(shoal_bytes_equal(shoal_bytes(p.v, p.len), SHOAL_LIT("1:b")));
	assert_int_equal(shoal_published_recall(folder, other, SHOAL_LIT(""), &p), 0);
	assert_true(!p.known && p.key_made);
	remove_state(folder);
}

static void without_a_state_nothing_is_remembered(void **state)
{
	uint8_t key[32] = { 1 };
	struct shoal_published p;
	(void)state;
	assert_int_equal(shoal_published_remember(NULL, key, SHOAL_LIT(""), 3, SHOAL_LIT("1:a")), 0);
	assert_int_equal(shoal_published_key_made(NULL, key), 0);
	assert_int_equal(shoal_published_recall(NULL, key, SHOAL_LIT(""), &p), 0);
	assert_false(p.known || p.key_made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_more_than_the_newest_of_both),
		cmocka_unit_test(each_name_has_its_own_number),
		cmocka_unit_test(without_a_state_nothing_is_remembered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
