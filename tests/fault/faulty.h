/*
 * tests/fault/faulty.h - the whole table of OS calls but `close` and the clocks, any one of which can be made to fail.
 */
#ifndef FAULT_FAULTY_H
#define FAULT_FAULTY_H

#include "swarm/io/os.h"

/* Entries that can fail, by name; NULL past the end. */
const char *faulty_name(unsigned entry);
/* Whether it moves bytes through a descriptor, so that EINTR and EAGAIN are no failures; is about sockets. */
bool faulty_moves(unsigned entry);
bool faulty_is_net(unsigned entry);

/* A table of its own for each party, 0 or 1; static. */
const struct shoal_os_ops *faulty_table(unsigned party);
/* Of the party's calls of `entry` from now on, number `nth` (from 1) fails with `os`; 0: none does. Counts from zero. */
void faulty_arm(unsigned party, unsigned entry, unsigned nth, int os);
unsigned faulty_calls(unsigned party, unsigned entry);
bool faulty_happened(unsigned party);

#endif
