/*
 * tools/lab/real/closed.h - a closed place for real programs: nothing leaves it, and nothing of it stays.
 *
 * The calling process splits in three. The first stays outside, waits, and passes signals on; it is the one the user
 * sees. The second keeps the place: whatever happens to the others, it removes the scratch folder. The third is the
 * first process of a PID namespace of its own, in a network namespace that has no way out, with a /proc of its own: the
 * caller goes on there. When it ends, however it ends, the kernel ends all that it has started; it ends with the second,
 * and the second with the first. Root gets these namespaces as they are, others inside a user namespace.
 *
 * To be called while there is one thread.
 */
#ifndef LAB_CLOSED_H
#define LAB_CLOSED_H

#include <shoal/types.h>

#define LAB_CLOSED_PATH_MAX 1024
#define LAB_CLOSED_WHY_MAX 300

/*
 * `parent`: the folder in which the scratch folder is made. Returns
 *   0    inside: `scratch` is its path; SIGINT, SIGTERM, SIGHUP and SIGCHLD are blocked, for the kernel would not end a
 *        namespace's first process by them: it has to look for them (lab_closed_told());
 *   1    outside, and over: `*code` is what the inside ended with (128 + N after signal N);
 *   < 0  DENIED (no such namespaces are to be had here), NO_SPACE, IO: `why` says more, and nothing is left.
 * `keep`: the scratch folder stays.
 */
SHOAL_MUST int lab_closed_enter(const char *parent, bool keep, char scratch[LAB_CLOSED_PATH_MAX], int *code,
				char why[LAB_CLOSED_WHY_MAX]);
/* Whether somebody has told the inside to end; takes no signal away. */
bool lab_closed_told(void);
/* Removes a folder and all that is in it, without following links. */
void lab_closed_remove(const char *folder);

#endif
