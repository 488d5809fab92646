/* test_dht_session.c - what the answers to one question for a name come to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base/bytes.h"
#include "tools/dht.h"

static void take(struct shoal_dht_value *value, int64_t seq, const char *v)
{
	static const uint8_t key[96];
	struct shoal_event ev = { .kind = SHOAL_EV_DHT_ITEM,
				  .name = { key, sizeof key },
				  .data = shoal_bytes(v, strlen(v)),
				  .dht.seq = seq };
	shoal_dht_value_take(value, &ev);
}

static bool holds(const struct shoal_dht_value *value, int64_t seq, const char *v)
{
	return value->found && value->seq == seq &&
	       shoal_bytes_equal(shoal_bytes(value->v, value->len), shoal_bytes(v, strlen(v)));
}

/* In whatever order the nodes answer. */
static void the_newest_is_kept(void **state)
{
	struct shoal_dht_value value = { .seq = 9 }; /* of the question before: `found` says that it is over */
	(void)state;
	take(&value, 2, "3:two");
	assert_true(holds(&value, 2, "3:two"));
	take(&value, 1, "3:one");
	assert_true(holds(&value, 2, "3:two"));
	take(&value, 3, "5:three");
	assert_true(holds(&value, 3, "5:three"));
}

static void what_is_not_signed_or_too_long_is_none(void **state)
{
	static uint8_t room[sizeof((struct shoal_dht_value *)0)->v + 1];
	struct shoal_dht_value value = { .found = false };
	struct shoal_event ev = { .kind = SHOAL_EV_DHT_ITEM, .data = { room, 10 } };
	(void)state;
	shoal_dht_value_take(&value, &ev);
	ev.name = shoal_bytes(room, 96);
	ev.data.len = sizeof room;
	shoal_dht_value_take(&value, &ev);
	assert_false(value.found);
	ev.data.len--;
	shoal_dht_value_take(&value, &ev);
	assert_true(value.found);
}

static void a_name_stands_for_a_torrent_or_for_none(void **state)
{
	struct shoal_dht_value value = { .found = false };
	struct shoal_id20 hash;
	(void)state;
	take(&value, 1, "d2:ih20:abcdefghijabcdefghije");
	assert_true(shoal_dht_value_torrent(&value, &hash));
	assert_memory_equal(hash.b, "abcdefghijabcdefghij", 20);
	take(&value, 2, "d2:ih19:abcdefghijabcdefghie");
	assert_false(shoal_dht_value_torrent(&value, &hash));
	take(&value, 3, "d2:ih20:abcdefghijabcdefghijex");
	assert_false(shoal_dht_value_torrent(&value, &hash));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_newest_is_kept),
		cmocka_unit_test(what_is_not_signed_or_too_long_is_none),
		cmocka_unit_test(a_name_stands_for_a_torrent_or_for_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
