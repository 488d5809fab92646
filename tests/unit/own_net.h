/*
 * tests/unit/own_net.h - a network namespace of the test's own, with nothing in it but `lo`.
 */
#ifndef SHOAL_OWN_NET_H
#define SHOAL_OWN_NET_H

/* Moves the process into a fresh network namespace with `lo` up; to be called before any thread starts. Where neither
 * root nor user namespaces allow it, says so loudly and exits 77, which ctest counts as a skip. */
void own_net(void);
/* As that, and gives `lo` the IPv4 address `a.b.c.d` too, so that a test can be several hosts. */
void own_net_address(const char *ip);

#endif
