/*
 * tools/lab/schema.h - a YAML text into a scenario's structs, by the tables of fields.h.
 *
 * libcyaml checks the shape; every scalar arrives as text, which scenario.c gives its meaning.
 */
#ifndef LAB_SCHEMA_H
#define LAB_SCHEMA_H

#include "tools/lab/where.h"

/* 0; MALFORMED: the shape is wrong, `fault` says where and what belongs there; NOMEM. */
SHOAL_MUST int lab_schema_load(struct lab_scenario **out, struct shoal_bytes text, struct lab_where *where,
			       struct lab_fault *fault);
/* Frees what the texts hold; NULL is fine. */
void lab_schema_free(struct lab_scenario *s);

#endif
