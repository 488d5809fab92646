/* test_sim_swarm.c - whole swarms of real nodes in virtual time: all complete, and nobody ever says what is not so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/scene.h"

static const enum shoal_format formats[] = { SHOAL_FORMAT_V1, SHOAL_FORMAT_V2, SHOAL_FORMAT_HYBRID };
#define FORMATS (sizeof formats / sizeof *formats)

static void two_nodes_copy(void **state)
{
	(void)state;
	for (size_t f = 0; f < FORMATS; f++) {
		struct sim_content c;
		scene_content(&c, formats[f], 64 * KIB, 2 * MIB, 1 + f);
		struct sim *sim = sim_new(&(struct sim_options){ .seed = 1, .content = &c, .cut_ppm = 100000 });
		scene_seed(sim, (struct sim_node_options){ .up = 0 });
		scene_leeches(sim, (struct sim_node_options){ .up = 0 }, 1, 1, 0);
		scene_start_all(sim);
		print_message("%s\n", scene_format_name(formats[f]));
		scene_complete(sim, SHOAL_S(30));
		sim_free(sim);
		sim_content_fini(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_nodes_copy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
