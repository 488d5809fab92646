/*
 * tools/state.h - records of the state folder, for commands that keep some of their own there.
 */
#ifndef SHOAL_TOOLS_STATE_H
#define SHOAL_TOOLS_STATE_H

#include "swarm/io/store_sqlite.h"

/* Commits what was put and dropped, and waits until it is durable. TIMEOUT after half a minute; what the store says.
 * No other commit may be under way. */
SHOAL_MUST int shoal_state_write(struct shoal_store_sqlite *s);

#endif
