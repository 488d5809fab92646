/*
 * tools/lab/metric.h - the words of must_hold: what a run came to, as single numbers.
 */
#ifndef LAB_METRIC_H
#define LAB_METRIC_H

#include "tools/lab/result.h"

enum lab_show { LAB_SHOW_PLAIN, LAB_SHOW_TIME, LAB_SHOW_SIZE, LAB_SHOW_RATE, LAB_SHOW_SHARE };
struct lab_metric {
	const char *name;
	enum lab_show show;
	/* `group` -1: all honest nodes. NAN: there is no such number. */
	double (*of)(const struct lab_result *r, int group);
	const char *needs; /* of NULL: what the lab would have to have first; both NULL: see below */
	const char *help;
};

/* It takes a second run of the same seed: 1 if nothing differs. */
static inline bool lab_metric_twice(const struct lab_metric *m)
{
	return m->of == NULL && m->needs == NULL;
}
/* Of a run of real processes there is no such number: nobody sees single pieces, or requests, there. */
bool lab_metric_virtual_only(unsigned index);
/* Of a real run, it is what programs say of themselves: our own do. */
enum lab_saying {
	LAB_SAID_BY_NOBODY, /* it is measured, whoever they are */
	LAB_SAID_BY_EACH,   /* each of itself */
	LAB_SAID_BY_ANY,    /* any of others */
};
enum lab_saying lab_metric_saying(unsigned index);
/* By number; NULL behind the last. */
const struct lab_metric *lab_metric_at(unsigned index);
int lab_metric_of(const char *name); /* -1: none */
/* All names, ", " between, cut to fit. */
void lab_metric_names(char *to, size_t size);
double lab_metric_value(unsigned index, const struct lab_result *r, int group);

#endif
