/* calendar.c - see calendar.h. */
#include "tools/lab/real/calendar.h"

#include <math.h>
#include <stdlib.h>

struct lab_task *lab_calendar_add(struct lab_calendar *c, double at, enum lab_task_kind kind, unsigned node)
{
	struct lab_task *task = calloc(1, sizeof *task), **place = &c->first;
	if (task == NULL)
		return NULL;
	*task = (struct lab_task){ .at = at, .kind = kind, .node = node };
	while (*place != NULL && (*place)->at <= at)
		place = &(*place)->next;
	task->next = *place;
	*place = task;
	return task;
}

double lab_calendar_next(const struct lab_calendar *c)
{
	return c->first != NULL ? c->first->at : INFINITY;
}

struct lab_task *lab_calendar_take(struct lab_calendar *c, double now)
{
	struct lab_task *task = c->first;
	if (task == NULL || task->at > now)
		return NULL;
	c->first = task->next;
	task->next = NULL;
	return task;
}

void lab_task_free(struct lab_task *task)
{
	free(task->who);
	free(task);
}

void lab_calendar_fini(struct lab_calendar *c)
{
	while (c->first != NULL)
		lab_task_free(lab_calendar_take(c, INFINITY));
}
