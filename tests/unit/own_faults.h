/*
 * tests/unit/own_faults.h - an OS table that fails its n-th call, tears its transfers, and counts descriptors.
 */
#ifndef SHOAL_OWN_FAULTS_H
#define SHOAL_OWN_FAULTS_H

#include "swarm/io/os.h"

/* The table. Calls are counted from the last own_faults_arm(). */
extern const struct shoal_os_ops own_faults;

/* The call number `nth` (from 1; 0: none) fails with `os`, and `after` more right after it. */
void own_faults_arm(unsigned nth, int os, unsigned after);
/* Calls of one function alone are counted and failed: its name as in the table, e.g. "fdatasync"; NULL: all. */
void own_faults_only(const char *name);
/* Reads and writes move at most `bytes` at a time, and every third one is interrupted first; 0: whole. */
void own_faults_tear(size_t bytes);
/* openat2 and cachestat are not there (ENOSYS): an old kernel. */
void own_faults_old_kernel(bool old);
/* Calls made since arm(). */
unsigned own_faults_calls(void);
/* Calls of one function since the last own_faults_arm(). */
unsigned own_faults_calls_of(const char *name);
/* Descriptors opened through the table and not closed. */
int own_faults_open(void);
/* Bytes through pwritev since arm(). */
uint64_t own_faults_written(void);

#endif
