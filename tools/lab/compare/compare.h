/*
 * tools/lab/compare/compare.h - shoal lab compare: the same torrents through both engines.
 */
#ifndef LAB_COMPARE_H
#define LAB_COMPARE_H

#include "tools/say.h"

/* Returns the exit code. */
int lab_compare_main(struct shoal_tool *tool, int argc, char **argv);

#endif
