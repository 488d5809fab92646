/* test_sim_bait.c - super-seeding to strangers who choose their words: no more is shown to one than is remembered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "swarm/core/super.h"
#include "tests/sim/strangers.h"

#define PIECES 2000u

/* What one of them was told of, was sent, and has asked for. */
struct leech {
	struct stranger *s, *other; /* what it has, the other has a moment later */
	uint32_t told[PIECES], told_count, asked;
	uint32_t has[PIECES], got, announced;
	bool served, other_served, greedy;
};

static void say_have(struct stranger *s, uint32_t piece)
{
	stranger_say_msg(s, &(struct shoal_wire_msg){ .id = SHOAL_WIRE_HAVE, .index = piece });
}

static void ask_part(struct stranger *s, uint32_t piece, uint32_t len)
{
	stranger_say_msg(s, &(struct shoal_wire_msg){ .id = SHOAL_WIRE_REQUEST, .index = piece, .len = len });
}

static void ask(struct stranger *s, uint32_t piece)
{
	ask_part(s, piece, 1024);
}

static void hear(void *to, struct stranger *s, const struct shoal_wire_msg *msg)
{
	struct leech *l = to;
	if (s != l->s)
		return;
	l->served = msg->id == SHOAL_WIRE_UNCHOKE || (l->served && msg->id != SHOAL_WIRE_CHOKE);
	if (msg->id == SHOAL_WIRE_HAVE && l->told_count < PIECES)
		l->told[l->told_count++] = msg->index;
	if (msg->id == SHOAL_WIRE_PIECE && l->got < PIECES)
		l->has[l->got++] = msg->index;
}

static void hear_both(void *to, struct stranger *s, const struct shoal_wire_msg *msg)
{
	struct leech *l = to;
	if (s == l->other && msg->id == SHOAL_WIRE_UNCHOKE)
		l->other_served = true;
	hear(to, s, msg);
}

static void step(struct strangers *w, struct leech *l)
{
	uint32_t told = l->told_count;
	for (; l->greedy && l->served && l->asked < told; l->asked++)
		ask(l->s, l->told[l->asked]);
	for (; l->announced < l->got; l->announced++) {
		say_have(l->s, l->has[l->announced]);
		say_have(l->other, l->has[l->announced]);
	}
	strangers_run(w, SHOAL_MS(5));
	assert_in_range(l->told_count - l->got, 0,
			SHOAL_SUPER_SHOWN_MAX + 1); /* one that is out already may be among them */
}

/* A seed, and two that fetch: l->other, who is told everything, and l->s, who comes second. */
static struct strangers *two_come(struct leech *l, unsigned pieces,
				  void (*on_message)(void *to, struct stranger *s, const struct shoal_wire_msg *msg))
{
	struct strangers *w = strangers_new(&(struct strangers_options){
		.torrent = true, .seeds = true, .small_pieces = pieces, .on_message = on_message, .to = l });
	strangers_run(w, SHOAL_S(8));
	struct shoal_addr at = strangers_addr("80.1.2.3:6000"), other = strangers_addr("81.1.2.3:6000");
	l->other = stranger_come(w, &other, other.port); /* alone as yet: told everything */
	l->s = stranger_come(w, &at, at.port);
	return w;
}

/*
 * It is fast, and its pieces are small: as many are shown to it as may be. Then it wants nothing for a moment, as one does
 * whose last word was sent before these came. It has had its first bait long since; that is no reason for one more.
 */
static void no_bait_is_shown_where_there_is_no_room(void **state)
{
	static struct leech l;
	(void)state;
	l = (struct leech){ .greedy = true };
	struct strangers *w = two_come(&l, PIECES, hear);
	for (unsigned i = 0; i < 400 && l.told_count == 0; i++)
		step(w, &l);
	assert_int_equal(l.told_count, 1);
	stranger_wants(l.s);
	for (unsigned i = 0; i < 3000 && l.got < 600; i++)
		step(w, &l);
	assert_true(l.got >= 600);
	l.greedy = false;
	for (unsigned i = 0; i < 20; i++)
		step(w, &l);
	assert_true(l.told_count - l.got >= SHOAL_SUPER_SHOWN_MAX); /* or this shows nothing */
	for (unsigned round = 0; round < 8; round++) {
		stranger_say(l.s, "\0\0\0\1\3", 5); /* not interested */
		for (unsigned i = 0; i < 60; i++)
			step(w, &l);
		stranger_wants(l.s);
		for (unsigned i = 0; i < 4; i++)
			step(w, &l);
	}
	assert_true(l.s->open);
	strangers_free(w);
}

/* It is served before it was shown anything, asks for as many pieces of its own choice as may be shown to one, and wants
 * nothing more: it was given no bait yet, and there is no room for one. */
static void none_is_shown_to_who_chose_too_much(void **state)
{
	static struct leech l;
	(void)state;
	l = (struct leech){ 0 };
	struct strangers *w = two_come(&l, PIECES, hear);
	stranger_wants(l.s);
	for (unsigned i = 0; i < 90 && !l.served; i++)
		strangers_run(w, SHOAL_MS(5));
	assert_true(l.served);
	assert_int_equal(l.told_count, 0); /* or this shows nothing */
	for (uint32_t piece = 0; piece < SHOAL_SUPER_SHOWN_MAX; piece++)
		ask_part(l.s, piece * 7, 16);
	stranger_say(l.s, "\0\0\0\1\3", 5); /* not interested */
	strangers_run(w, SHOAL_S(2));
	assert_int_equal(l.told_count, 0);
	assert_true(l.s->open);
	strangers_free(w);
}

/* One that knows of everything chooses a piece, takes half of it, and wants nothing more. It is shown to the other in time,
 * like any: not when all has come to a halt for want of it. */
static void what_one_chose_and_left_is_shown_to_another(void **state)
{
	enum { ALL = 48, CHOSEN = 7 };
	static struct leech l;
	(void)state;
	l = (struct leech){ 0 };
	struct strangers *w = two_come(&l, ALL, hear_both);
	strangers_run(w, SHOAL_MS(100));
	assert_int_equal(l.told_count, 0);
	stranger_wants(l.other);
	for (unsigned i = 0; i < 100 && !l.other_served; i++)
		strangers_run(w, SHOAL_MS(100));
	assert_true(l.other_served);
	ask_part(l.other, CHOSEN, 512);
	strangers_run(w, SHOAL_MS(100));
	stranger_say(l.other, "\0\0\0\1\3", 5); /* not interested */
	shoal_us last = 0, chosen = 0;
	for (unsigned second = 0; second < 120 && l.told_count < ALL; second++) {
		uint32_t told = l.told_count;
		if (second == 2)
			stranger_wants(l.s);
		if (l.served && l.asked < told)
			ask(l.s, l.told[l.asked++]);
		strangers_run(w, SHOAL_MS(200));
		for (; l.announced < l.got; l.announced++) {
			say_have(l.s, l.has[l.announced]);
			say_have(l.other, l.has[l.announced]);
		}
		strangers_run(w, SHOAL_MS(800));
		for (uint32_t i = told; i < l.told_count; i++)
			*(l.told[i] == CHOSEN ? &chosen : &last) = w->now;
	}
	assert_int_equal(l.told_count, ALL);
	print_message("it was told of the last of the others at %.1f s, and of that one at %.1f s\n",
		      (double)last / 1e6, (double)chosen / 1e6);
	assert_true(chosen < last + SHOAL_S(4));
	strangers_free(w);
}

/* One comes that says it has all, and that it wants something: both cannot be, and neither is believed. */
static void who_has_all_and_wants_something_ends_nothing(void **state)
{
	static struct leech l;
	(void)state;
	l = (struct leech){ 0 };
	struct strangers *w = two_come(&l, PIECES, hear);
	struct shoal_addr from = strangers_addr("82.1.2.3:6000");
	struct stranger *liar = stranger_come(w, &from, from.port);
	stranger_say_msg(liar, &(struct shoal_wire_msg){ .id = SHOAL_WIRE_HAVE_ALL });
	stranger_wants(liar);
	strangers_run(w, SHOAL_S(2)); /* sooner than it, or l.s, is told everything for want of a word */
	assert_true(liar->open && l.s->open);
	assert_in_range(l.told_count, 1, SHOAL_SUPER_SHOWN_MAX);
	strangers_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_bait_is_shown_where_there_is_no_room),
		cmocka_unit_test(none_is_shown_to_who_chose_too_much),
		cmocka_unit_test(what_one_chose_and_left_is_shown_to_another),
		cmocka_unit_test(who_has_all_and_wants_something_ends_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
