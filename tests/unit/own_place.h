/*
 * tests/unit/own_place.h - a test's own folder, and an OS table without faults to begin with.
 */
#ifndef SHOAL_OWN_PLACE_H
#define SHOAL_OWN_PLACE_H

#include "tests/unit/own_faults.h"
#include "tests/unit/own_torrent.h"

/* The folder, from setup to teardown. */
extern char own_place[256];
int own_place_setup(void **state);
int own_place_teardown(void **state);
/* A test in it, for cmocka's table. */
#define own_place_test(f) cmocka_unit_test_setup_teardown(f, own_place_setup, own_place_teardown)
/* Folder `name` in it goes, with all that is in it. */
void own_place_clear(const char *name);

#endif
