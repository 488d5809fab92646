/*
 * tests/unit/own_place.h - a test's own folder, and an OS table without faults to begin with.
 */
#ifndef SHOAL_OWN_PLACE_H
#define SHOAL_OWN_PLACE_H

#include "tests/unit/own_faults.h"
#include "tests/unit/own_torrent.h"

/* The folder, from setup to teardown. */
extern char own_place[256];
/* For cmocka. */
int own_place_setup(void **state);
int own_place_teardown(void **state);
/* Folder `name` in it goes, with all that is in it. */
void own_place_clear(const char *name);

#endif
