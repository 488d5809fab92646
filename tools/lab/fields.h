/*
 * tools/lab/fields.h - the fields of a scenario file, as tables: the file's schema, checks, defaults and help.
 */
#ifndef LAB_FIELDS_H
#define LAB_FIELDS_H

#include <stddef.h>
#include "tools/lab/scenario.h"

enum lab_field_type {
	LAB_FIELD_END,
	LAB_FIELD_TEXT,	   /* char * */
	LAB_FIELD_NUMBER,  /* struct lab_number */
	LAB_FIELD_CHOICE,  /* struct lab_choice */
	LAB_FIELD_VARIOUS, /* struct lab_various */
	LAB_FIELD_HAS,	   /* struct lab_number: all, nothing or a share */
	LAB_FIELD_SEEDS,   /* struct lab_seeds */
	LAB_FIELD_TEXTS,   /* struct lab_list */
	LAB_FIELD_MAP,	   /* a struct with a table of its own */
	LAB_FIELD_LIST,	   /* an array of such: pointer, and the count right behind it */
};
struct lab_field {
	const char *key;
	enum lab_field_type type;
	size_t at; /* offset in its struct */
	enum lab_unit unit;
	const char *const *choices;	 /* NULL ends them */
	const char *dflt;		 /* what it means when it is not there; NULL: it must be */
	double least, most;		 /* NUMBER */
	const struct lab_field *entries; /* MAP, LIST */
	size_t entry_size;		 /* LIST */
	unsigned count_max;		 /* LIST, TEXTS */
	const char *help;
};

extern const struct lab_field lab_scenario_fields[];
extern const struct lab_field lab_adversary_fields[];

#endif
