/* netns.c - see netns.h. */
#include "tools/lab/compare/netns.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tools/lab/unshare.h"

/* The kernel's own list of this namespace: its interfaces are counted, and what `lo` has sent. */
static int read_list(unsigned *others, uint64_t *sent)
{
	char line[512];
	FILE *list = fopen("/proc/self/net/dev", "re");
	if (list == NULL)
		return SHOAL_ERR_IO;
	*others = 0;
	*sent = 0;
	for (int i = 0; fgets(line, sizeof line, list) != NULL; i++) {
		char *name = line + strspn(line, " "), *colon = strchr(name, ':');
		if (i < 2 || colon == NULL) /* two lines of headings */
			continue;
		*colon = '\0';
		if (strcmp(name, "lo") != 0) {
			(*others)++;
			continue;
		}
		/* Eight columns of what came in, then bytes sent. */
		char *at = colon + 1;
		for (int k = 0; k < 8; k++) {
			at += strspn(at, " ");
			at += strcspn(at, " ");
		}
		*sent = strtoull(at, NULL, 10);
	}
	fclose(list);
	return 0;
}

int lab_netns_enter(char what[160])
{
	unsigned others = 1;
	uint64_t sent;
	if (lab_unshare(CLONE_NEWNET) != NULL) {
		snprintf(what, 160, "no network namespace can be made here (neither root nor user namespaces): %s",
			 strerror(errno));
		return SHOAL_ERR_DENIED;
	}
	if (read_list(&others, &sent) < 0 || others > 0) {
		snprintf(what, 160, "the namespace is not closed: it has other interfaces than lo");
		return SHOAL_ERR_IO;
	}
	if (!lab_unshare_up("lo")) {
		snprintf(what, 160, "lo cannot be brought up: %s", strerror(errno));
		return SHOAL_ERR_IO;
	}
	return 0;
}

uint64_t lab_netns_bytes(void)
{
	unsigned others;
	uint64_t sent = 0;
	return read_list(&others, &sent) < 0 ? 0 : sent;
}
