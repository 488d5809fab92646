/* test_lab_crew.c - what nodes of a real run say, through their FIFOs: no process is started. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/buffer.h>
#include <event2/event.h>

#include "tools/lab/real/closed.h"
#include "tools/lab/real/crew.h"

#define FLOOD (1u << 20)

struct scene {
	struct lab_plan_node node;
	struct lab_stage stage;
	struct lab_crew crew;
	struct event_base *loop;
	unsigned complete;
	int says;
};

static void on_heard(void *to, unsigned node, const struct lab_heard *what)
{
	struct scene *s = to;
	assert_int_equal(node, 0);
	s->complete += what->kind == LAB_HEARD_COMPLETE;
}

static int set_up(void **state)
{
	struct scene *s = calloc(1, sizeof *s);
	char path[LAB_STAGE_PATH_MAX];
	assert_non_null(s);
	*state = s;
	snprintf(s->node.name, sizeof s->node.name, "one");
	snprintf(s->stage.root, sizeof s->stage.root, "/tmp/shoal-crew-XXXXXX");
	s->stage.plan = (struct lab_plan){ .node = &s->node, .nodes = 1 };
	assert_non_null(mkdtemp(s->stage.root));
	assert_int_equal(mkdir(lab_stage_path(&s->stage, 0, NULL, path), 0755), 0);
	assert_int_equal(mkfifo(lab_stage_path(&s->stage, 0, "said", path), 0644), 0);
	assert_non_null(s->loop = event_base_new());
	assert_int_equal(lab_crew_init(&s->crew, &s->stage, s->loop), 0);
	s->crew.heard = on_heard;
	s->crew.to = s;
	assert_true((s->says = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)) >= 0);
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;
	close(s->says);
	lab_crew_fini(&s->crew);
	event_base_free(s->loop);
	lab_closed_remove(s->stage.root);
	free(s);
	return 0;
}

static void say(const struct scene *s, const char *text)
{
	assert_int_equal(write(s->says, text, strlen(text)), strlen(text));
}

static void turn(const struct scene *s)
{
	event_base_loop(s->loop, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

static void a_line_is_heard_when_it_is_whole(void **state)
{
	struct scene *s = *state;
	say(s, "nonsense\n{\"event\": \"comp");
	turn(s);
	assert_int_equal(s->complete, 0);
	say(s, "lete\"}\n");
	turn(s);
	assert_int_equal(s->complete, 1);
}

/* Who writes without end takes neither the loop nor the memory. */
static void a_flood_is_heard_a_part_at_a_time(void **state)
{
	struct scene *s = *state;
	int left = 0;
	char *flood = malloc(FLOOD);
	assert_non_null(flood);
	memset(flood, 'x', FLOOD);
	assert_true(fcntl(s->says, F_SETPIPE_SZ, (int)FLOOD) >= (int)FLOOD);
	assert_int_equal(write(s->says, flood, FLOOD), FLOOD);
	free(flood);
	turn(s);
	assert_int_equal(ioctl(s->crew.node[0].pipe, FIONREAD, &left), 0);
	assert_true(left >= (int)(FLOOD / 2) && left < (int)FLOOD);
	for (unsigned i = 0; i < 8 && left > 0; i++) {
		turn(s);
		assert_true(evbuffer_get_length(s->crew.node[0].said) <= 2u * LAB_HEAR_LINE_MAX);
		assert_int_equal(ioctl(s->crew.node[0].pipe, FIONREAD, &left), 0);
	}
	assert_int_equal(left, 0);
	say(s, "\n{\"event\": \"complete\"}\n");
	turn(s);
	assert_int_equal(s->complete, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_line_is_heard_when_it_is_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_flood_is_heard_a_part_at_a_time, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
