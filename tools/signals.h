/*
 * tools/signals.h - SIGINT, SIGTERM and SIGHUP: the first asks a command to end, a second ends it at once.
 */
#ifndef SHOAL_TOOLS_SIGNALS_H
#define SHOAL_TOOLS_SIGNALS_H

#include <shoal/engine.h>

void shoal_signals_catch(void);
/* The engine whose poll() a signal ends; NULL: none any more. */
void shoal_signals_wake(struct shoal_engine *engine);
bool shoal_signals_came(void);
/* Monotonic, as an engine's events have it. */
shoal_us shoal_signals_now(void);

#endif
