/*
 * tools/lab/unshare.h - namespaces of this process's own: root has them as they are, others inside a user namespace.
 */
#ifndef LAB_UNSHARE_H
#define LAB_UNSHARE_H

#include <shoal/types.h>

/*
 * Moves this process, which has one thread, into new namespaces: `spaces` are CLONE_NEW... of clone(2); into one of
 * PIDs, its next child. Who may not have them as they are is root of a user namespace in them, and its files stay its
 * own. NULL; else what could not be had, with errno.
 */
SHOAL_MUST const char *lab_unshare(int spaces);
/* Brings an interface of this network namespace up; false with errno. */
SHOAL_MUST bool lab_unshare_up(const char *interface);

#endif
