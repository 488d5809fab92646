/*
 * tools/signals.h - SIGINT, SIGTERM and SIGHUP: the first asks a command to end, a second ends it at once. A SIGHUP that is
 * ignored when we begin stays so.
 */
#ifndef SHOAL_TOOLS_SIGNALS_H
#define SHOAL_TOOLS_SIGNALS_H

#include <shoal/engine.h>

/* From now on. */
void shoal_signals_heed(void);
/* And a peer, or the reader of our output, that goes away is an error to see, not to die of. */
void shoal_signals_catch(void);
/* The engine whose poll() a signal ends; NULL: none any more. */
void shoal_signals_wake(struct shoal_engine *engine);
bool shoal_signals_came(void);
/* Monotonic, as an engine's events have it. */
shoal_us shoal_signals_now(void);

#endif
