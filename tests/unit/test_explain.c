/* test_explain.c - each term of each record shows in its sentence; a made-up record is tallied, damaged, cut and told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/base/rng.h"
#include "swarm/peers/choker.h"
#include "swarm/peers/reputation.h"
#include "tools/explain_book.h"

static const char *name_of(void *to, uint32_t peer, char out[SHOAL_EXPLAIN_NAME_MAX])
{
	(void)to;
	snprintf(out, SHOAL_EXPLAIN_NAME_MAX, "peer-%u", peer);
	return out;
}
static const struct shoal_explain_names names = { name_of, NULL };

static void says(const struct shoal_flight *f, const char *what)
{
	char words[SHOAL_EXPLAIN_WORDS_MAX];
	shoal_explain_words(f, &names, words);
	if (strstr(words, what) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", words, what);
}

/* ---- every term counts ---------------------------------------------------------------------------- */

/* Small numbers, which choose among words, and those that are shown as they are. */
static uint64_t any_value(struct shoal_rng *rng)
{
	static const uint64_t large[] = { 1000, 40000, 250000, 990000, 5000000, 70000000 };
	uint32_t n = shoal_rng_below(rng, 36); /* every second one is 0: that is what opens most doors */
	return n < 18 ? 0 : n < 30 ? n - 18 : large[n - 30];
}

/* Whether some record of that kind is told otherwise once term `i` alone is another. */
static bool term_counts(enum shoal_flight_kind kind, size_t i)
{
	struct shoal_rng rng = shoal_rng_split(kind, i);
	for (unsigned trial = 0; trial < 3000; trial++) {
		char before[SHOAL_EXPLAIN_WORDS_MAX], after[SHOAL_EXPLAIN_WORDS_MAX];
		struct shoal_flight f = { .kind = kind, .torrent = 1, .peer = 2, .piece = 3 };
		for (size_t k = 0; k < SHOAL_FLIGHT_TERMS; k++)
			f.term[k] = any_value(&rng);
		shoal_explain_words(&f, &names, before);
		f.term[i] = any_value(&rng);
		shoal_explain_words(&f, &names, after);
		assert_true(strlen(before) < SHOAL_EXPLAIN_WORDS_MAX - 1); /* none is cut */
		if (strcmp(before, after) != 0)
			return true;
	}
	return false;
}

static void each_term_shows_in_the_sentence(void **state)
{
	(void)state;
	for (unsigned kind = 1; kind < SHOAL_FLIGHT_KINDS; kind++) {
		const struct shoal_flight_shape *shape = shoal_flight_shape((enum shoal_flight_kind)kind);
		for (size_t i = 0; shape->term[i] != NULL; i++)
			if (!term_counts((enum shoal_flight_kind)kind, i))
				fail_msg("%s: whatever \"%s\" is, the sentence is the same", shape->name,
					 shape->term[i]);
	}
}

/* The text of a kind that has one is told too, and escaped. */
static void texts_show_and_do_no_harm(void **state)
{
	(void)state;
	for (unsigned kind = 1; kind < SHOAL_FLIGHT_KINDS; kind++) {
		struct shoal_flight f = { .kind = (enum shoal_flight_kind)kind, .peer = 2 };
		if (!shoal_flight_shape(f.kind)->text)
			continue;
		f.text = shoal_bytes("bad\x1b[2Jname", 11);
		says(&f, "name");
		says(&f, "\\x1b");
	}
}

/* ---- what is said --------------------------------------------------------------------------------- */

static struct shoal_flight ask(void)
{
	struct shoal_flight f = { .kind = SHOAL_FLIGHT_ASK, .peer = 2, .piece = 17 };
	f.term[0] = SHOAL_FLIGHT_HOW_RAREST;
	f.term[1] = 1; /* copies */
	f.term[2] = 8; /* window */
	f.term[3] = SHOAL_FLIGHT_LIMIT_TRUST;
	f.term[4] = 8; /* what we would lose to it */
	f.term[8] = 912300;
	return f;
}

static void answers_follow_the_terms(void **state)
{
	(void)state;
	struct shoal_flight f = ask();
	says(&f, "piece 17 is asked of peer-2: the rarest it has (1 copy among the peers");
	says(&f, "no more than we are willing to lose to it (8)");
	says(&f, "integrity at least 0.9123");
	f.term[3] = SHOAL_FLIGHT_LIMIT_REQQ;
	says(&f, "all that it queues");
	f.term[3] = SHOAL_FLIGHT_LIMIT_VET;
	says(&f, "until one of it is known to be right");

	f = (struct shoal_flight){ .kind = SHOAL_FLIGHT_SERVE, .peer = 9 };
	f.term[1] = SHOAL_CHOKE_OUTBID;
	f.term[2] = 10 << 10;
	f.term[3] = 90 << 10;
	f.term[8] = 3;
	f.term[9] = 8;
	says(&f, "peer-9 is not served: it gives us 10 KiB/s, and the least of those who earn a place 90 KiB/s");
	says(&f, "3 peers wait for 8 slots");
	f.term[0] = 1;
	f.term[1] = SHOAL_CHOKE_EARNED;
	says(&f, "peer-9 is served: it gives us 10 KiB/s");

	f = (struct shoal_flight){ .kind = SHOAL_FLIGHT_FALSE, .peer = 4, .piece = 5 };
	f.term[0] = 3;
	f.term[1] = SHOAL_REP_WHY_FALSE_LEAF;
	f.term[2] = SHOAL_REP_GOOD;
	f.term[3] = SHOAL_REP_PAROLE;
	f.term[6] = 1000;
	f.term[7] = 1;
	f.term[8] = 30;
	says(&f, "peer-4 sent a false block 3 of piece 5: its leaf hash is not the one in the torrent");
	says(&f, "1 false of 31");
	says(&f, "stands at 1.00 of 1.9");
	says(&f, "it was in good standing and is on parole");
	f.term[8] = SHOAL_REP_PROVEN; /* from then on it takes one more */
	says(&f, "stands at 1.00 of 2.9");
}

static void what_a_torrent_waits_for(void **state)
{
	char words[SHOAL_EXPLAIN_WORDS_MAX];
	struct shoal_flight f = { .kind = SHOAL_FLIGHT_STATE };
	(void)state;
	assert_string_equal(shoal_explain_waits(&f, words), "for nothing");
	f.term[0] = 4; /* left */
	assert_string_equal(shoal_explain_waits(&f, words), "for peers: nobody is connected");
	f.term[3] = 2; /* peers */
	f.term[2] = 4; /* nobody has */
	assert_string_equal(shoal_explain_waits(&f, words),
			    "for somebody who has what is missing; 4 of them nobody who is here has");
	f.term[2] = 0;
	f.term[9] = 2; /* wanted from */
	assert_string_equal(shoal_explain_waits(&f, words),
			    "for somebody to serve us: all 2 who have what we need choke us");
	f.term[4] = 1; /* serving us */
	assert_string_equal(shoal_explain_waits(&f, words), "for blocks that were asked for and do not come");
	f.term[10] = 1 << 20;
	assert_string_equal(shoal_explain_waits(&f, words), "for blocks that are under way, at 1.0 MiB/s");
	f.term[8] = 1; /* limit */
	assert_string_equal(shoal_explain_waits(&f, words), "for the download limit (--down)");
}

/* ---- the book ---------------------------------------------------------------------------------------- */

struct tape {
	uint8_t at[8192];
	size_t len;
};

static void put(struct tape *t, struct shoal_flight f)
{
	f.torrent = f.torrent ? f.torrent : 1;
	ptrdiff_t n = shoal_flight_encode(&f, (struct shoal_space){ t->at + t->len, sizeof t->at - t->len });
	assert_true(n > 0);
	t->len += (size_t)n;
}

static void make(struct tape *t)
{
	struct shoal_flight_head head = { .unix_s = 1700000000, .began = SHOAL_S(100) };
	shoal_flight_head_encode(&head, t->at);
	t->len = SHOAL_FLIGHT_HEAD;
	put(t, (struct shoal_flight){ .kind = SHOAL_FLIGHT_TORRENT,
				      .at = SHOAL_S(100),
				      .piece = SHOAL_FLIGHT_NONE,
				      .term = { 10, 32768, 1 },
				      .text = SHOAL_LIT("abcd name") });
	put(t, (struct shoal_flight){ .kind = SHOAL_FLIGHT_PEER,
				      .at = SHOAL_S(101),
				      .peer = 2,
				      .piece = SHOAL_FLIGHT_NONE,
				      .term = { 1, 0, 0x0a000002, 6881 } });
	put(t, (struct shoal_flight){ .kind = SHOAL_FLIGHT_ASK, .at = SHOAL_S(102), .peer = 2, .piece = 4 });
	put(t, (struct shoal_flight){
		       .kind = SHOAL_FLIGHT_PART, .at = SHOAL_S(103), .peer = 2, .piece = 4, .term = { 2, 2 } });
	put(t, (struct shoal_flight){ .kind = SHOAL_FLIGHT_GOOD, .at = SHOAL_S(103), .piece = 4 });
	put(t, (struct shoal_flight){
		       .kind = SHOAL_FLIGHT_FALSE, .at = SHOAL_S(104), .peer = 2, .piece = 5, .term = { 0 } });
	put(t, (struct shoal_flight){ .kind = SHOAL_FLIGHT_BAN,
				      .at = SHOAL_S(104),
				      .peer = 2,
				      .piece = 5,
				      .text = SHOAL_LIT("it lied") });
	put(t, (struct shoal_flight){ .kind = SHOAL_FLIGHT_LOST, .at = SHOAL_S(105), .term = { 7 } });
	put(t, (struct shoal_flight){ .kind = SHOAL_FLIGHT_END, .at = SHOAL_S(106) });
}

static void a_book_tallies(void **state)
{
	static struct tape t;
	struct shoal_explain_book b;
	(void)state;
	make(&t);
	assert_int_equal(shoal_explain_book_read(&b, shoal_bytes(t.at, t.len)), 0);
	assert_int_equal(b.peers, 1);
	assert_int_equal(b.torrents, 1);
	assert_int_equal(b.lost, 7);
	assert_true(b.closed && !b.cut && !b.full && b.bad_at == 0);
	assert_int_equal(b.ended, SHOAL_S(106));
	const struct shoal_explain_peer *p = shoal_explain_book_peer(&b, 1, 2);
	assert_non_null(p);
	assert_string_equal(p->name, "10.0.0.2:6881");
	assert_int_equal(p->asks, 1);
	assert_int_equal(p->blocks, 2);
	assert_int_equal(p->falses, 1);
	assert_true(p->banned);
	assert_int_equal(p->standing, SHOAL_REP_BANNED);
	assert_null(shoal_explain_book_peer(&b, 1, 3));
	assert_null(shoal_explain_book_peer(&b, 2, 2));
	assert_int_equal(shoal_explain_book_torrent(&b, 1)->bans, 1);
	shoal_explain_book_fini(&b);
}

/* Whoever has proven a key is found by it, at each of its addresses; what is no key is nobody's. */
static void a_key_has_several_addresses(void **state)
{
	static const char ours[] = "11111111111111111111111111111111111111111111111111111111111111ff",
			  theirs[] = "22222222222222222222222222222222222222222222222222222222222222ff";
	static const struct {
		uint32_t peer;
		const char *key;
	} proven[] = {
		{ 2, ours }, { 3, theirs }, { 4, ours }, { 4, ours }, { 4, theirs }, { 5, "no key" }, { 6, "" }
	};
	static struct tape t;
	struct shoal_explain_book b;
	uint8_t key[SHOAL_KEY_BYTES];
	(void)state;
	make(&t);
	for (size_t i = 0; i < sizeof proven / sizeof *proven; i++)
		put(&t, (struct shoal_flight){ .kind = SHOAL_FLIGHT_KEY,
					       .at = SHOAL_S(107),
					       .peer = proven[i].peer,
					       .piece = SHOAL_FLIGHT_NONE,
					       .text = shoal_bytes(proven[i].key, strlen(proven[i].key)) });
	assert_int_equal(shoal_explain_book_read(&b, shoal_bytes(t.at, t.len)), 0);
	assert_int_equal(b.keys, 4);
	memset(key, 0x11, sizeof key);
	assert_int_equal(shoal_explain_book_mean(&b, key), 0);
	key[SHOAL_KEY_BYTES - 1] = 0xff;
	assert_int_equal(shoal_explain_book_mean(&b, key), 2);
	for (uint32_t peer = 2; peer <= 6; peer++)
		assert_int_equal(shoal_explain_book_peer(&b, 1, peer)->meant, peer == 2 || peer == 4);
	shoal_explain_book_fini(&b);
}

/* However it is cut, what is whole is read; a record that is none ends it where it stands. */
static void a_book_of_a_part(void **state)
{
	static struct tape t;
	struct shoal_explain_book b;
	(void)state;
	make(&t);
	for (size_t len = 0; len <= t.len; len++) {
		int rc = shoal_explain_book_read(&b, shoal_bytes(t.at, len));
		assert_int_equal(rc, len < SHOAL_FLIGHT_HEAD ? SHOAL_ERR_MALFORMED : 0);
		assert_int_equal(b.bad_at, 0);
		assert_true(len == t.len || !b.closed);
		shoal_explain_book_fini(&b);
	}
	size_t bad = SHOAL_FLIGHT_HEAD + t.at[SHOAL_FLIGHT_HEAD + 1] + 2u;
	memset(t.at + bad + 2, 0xff, 12); /* the second record: numbers without end */
	assert_int_equal(shoal_explain_book_read(&b, shoal_bytes(t.at, t.len)), 0);
	assert_int_equal(b.bad_at, bad);
	assert_int_equal(b.count, 1);
	shoal_explain_book_fini(&b);
}

/* A node that was started again: its peers have the same numbers, and are others. */
static void a_second_life_is_told_apart(void **state)
{
	static struct tape t;
	struct shoal_explain_book b;
	struct shoal_flight f;
	size_t at = 0, second = 0;
	(void)state;
	make(&t);
	put(&t, (struct shoal_flight){ .kind = SHOAL_FLIGHT_TORRENT, .at = SHOAL_S(110), .text = SHOAL_LIT("ab x") });
	put(&t, (struct shoal_flight){
			.kind = SHOAL_FLIGHT_PEER, .at = SHOAL_S(111), .peer = 2, .term = { 1, 0, 0x0a000009, 6881 } });
	put(&t, (struct shoal_flight){ .kind = SHOAL_FLIGHT_BACK, .at = SHOAL_S(112), .peer = 2 });
	assert_int_equal(shoal_explain_book_read(&b, shoal_bytes(t.at, t.len)), 0);
	assert_int_equal(b.peers, 2);
	assert_int_equal(b.torrents, 2);
	assert_string_equal(b.peer[0]->name, "10.0.0.2:6881");
	assert_true(b.peer[0]->banned);
	assert_string_equal(b.peer[1]->name, "10.0.0.9:6881");
	assert_false(b.peer[1]->banned);
	while (shoal_explain_book_next(&b, &at, &f) > 0)
		if (f.peer != 0)
			second += shoal_explain_book_peer(&b, f.torrent, f.peer) == b.peer[1];
	assert_int_equal(second, 2);
	shoal_explain_book_fini(&b);
}

/* More peers than are told apart: counted, and nothing more. */
static void a_book_is_bounded(void **state)
{
	size_t room = SHOAL_FLIGHT_HEAD + (SHOAL_EXPLAIN_PEERS_MAX + 100) * 64;
	struct shoal_explain_book b;
	uint8_t *at = malloc(room);
	size_t len = SHOAL_FLIGHT_HEAD;
	(void)state;
	assert_non_null(at);
	shoal_flight_head_encode(&(struct shoal_flight_head){ .unix_s = 1 }, at);
	for (uint32_t i = 1; i <= SHOAL_EXPLAIN_PEERS_MAX + 100; i++) {
		struct shoal_flight f = { .kind = SHOAL_FLIGHT_PEER, .peer = i * 7919, .torrent = 1 + i % 3 };
		ptrdiff_t n = shoal_flight_encode(&f, (struct shoal_space){ at + len, room - len });
		assert_true(n > 0);
		len += (size_t)n;
	}
	assert_int_equal(shoal_explain_book_read(&b, shoal_bytes(at, len)), 0);
	assert_int_equal(b.peers, SHOAL_EXPLAIN_PEERS_MAX);
	assert_int_equal(b.unnamed, 100);
	shoal_explain_book_fini(&b);
	free(at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_term_shows_in_the_sentence),
		cmocka_unit_test(texts_show_and_do_no_harm),
		cmocka_unit_test(answers_follow_the_terms),
		cmocka_unit_test(what_a_torrent_waits_for),
		cmocka_unit_test(a_book_tallies),
		cmocka_unit_test(a_key_has_several_addresses),
		cmocka_unit_test(a_book_of_a_part),
		cmocka_unit_test(a_second_life_is_told_apart),
		cmocka_unit_test(a_book_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
