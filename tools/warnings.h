/*
 * tools/warnings.h - what other engines would refuse or mangle of a torrent that we find good.
 */
#ifndef SHOAL_TOOLS_WARNINGS_H
#define SHOAL_TOOLS_WARNINGS_H

#include "proto/metainfo.h"

/* Tells each warning, one sentence of plain ASCII; returns how many. */
size_t shoal_warnings(const struct shoal_metainfo *mi, void (*tell)(void *to, const char *what), void *to);

#endif
