/* test_sim_fast.c - BEP 6: what one who is not served is given all the same, and what that counts for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "swarm/core/node_room.h"
#include "tests/sim/strangers.h"

#define MANY 24u /* more than there are slots */

struct heard {
	struct stranger *allowed; /* the first that was told of a piece it may have, choked as it is */
	uint32_t piece;
	unsigned blocks;
};

static void hear(void *to, struct stranger *s, const struct shoal_wire_msg *msg)
{
	struct heard *h = to;
	if (msg->id == SHOAL_WIRE_ALLOWED_FAST && h->allowed == NULL) {
		h->allowed = s;
		h->piece = msg->index;
	}
	h->blocks += msg->id == SHOAL_WIRE_PIECE;
}

/* They are no measure of what those who are served get: the one on trial would be let have more for them. */
static void its_blocks_are_no_regulars(void **state)
{
	struct heard h = { .blocks = 0 };
	(void)state;
	struct strangers *w = strangers_new(
		&(struct strangers_options){ .torrent = true, .seeds = true, .on_message = hear, .to = &h });
	strangers_run(w, SHOAL_S(8));
	for (unsigned i = 0; i < MANY; i++) {
		struct shoal_addr addr = strangers_far(i);
		stranger_wants(stranger_come(w, &addr, 0));
	}
	strangers_run(w, SHOAL_S(11));
	assert_non_null(h.allowed);
	const struct shoal_choker *c = &shoal_node_handle(w->node, w->torrent)->choker;
	uint64_t line = c->line_bytes, regular = c->regular_bytes;
	stranger_say_msg(h.allowed,
			 &(struct shoal_wire_msg){ .id = SHOAL_WIRE_REQUEST, .index = h.piece, .len = SHOAL_BLOCK });
	strangers_run(w, SHOAL_MS(100));
	assert_int_equal(h.blocks, 1);
	assert_int_equal(c->line_bytes - line, SHOAL_BLOCK);
	assert_int_equal(c->regular_bytes - regular, 0);
	strangers_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_blocks_are_no_regulars),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
