/* own_place.c - see own_place.h. */
#include "tests/unit/own_place.h"

#include <stdio.h>

char own_place[256];

int own_place_setup(void **state)
{
	(void)state;
	own_faults_arm(0, 0, 0);
	own_faults_only(NULL);
	own_faults_tear(0);
	own_faults_old_kernel(false);
	own_folder(own_place, sizeof own_place);
	return 0;
}

int own_place_teardown(void **state)
{
	(void)state;
	own_folder_end(own_place);
	return 0;
}

void own_place_clear(const char *name)
{
	char path[sizeof own_place + 64];
	snprintf(path, sizeof path, "%s/%s", own_place, name);
	own_folder_end(path);
}
