/*
 * swarm/libtorrent/sandbox.h - what the child that runs libtorrent gives up before it reads a stranger's byte.
 *
 * No new privileges, no core dumps, no look into it by others; by seccomp no
 * exec, no other process's memory, no namespaces, mounts, modules, keys or
 * io_uring; by Landlock, where the kernel has it, no file is run and no device, socket or link made. It keeps the network and the
 * user's files: a client needs both. Whatever the kernel lacks is left out, and said.
 */
#ifndef SHOAL_LT_SANDBOX_H
#define SHOAL_LT_SANDBOX_H

enum shoal_lt_shut { SHOAL_LT_SHUT_CALLS = 1, SHOAL_LT_SHUT_FILES = 2 };

/* Call before there are threads: they inherit it. What took hold, of enum shoal_lt_shut. */
unsigned shoal_lt_sandbox(void);

#endif
