/*
 * tools/lab/file.h - where scenarios come from: a file, a folder of them, or those that are shipped, by name.
 */
#ifndef LAB_FILE_H
#define LAB_FILE_H

#include "tools/lab/scenario.h"

/* Names of files, sorted; each is the list's own. */
struct lab_files {
	char **at;
	size_t count;
};

/*
 * Adds what `arg` names: a file; every .yaml of a folder; or the shipped scenario of that name ("S1-clean", or "S1" when
 * it is the only one). 0; GONE: there is no such thing; IO; NOMEM.
 */
SHOAL_MUST int lab_files_add(struct lab_files *files, const char *arg);
/* All that are shipped: those installed with the program, else those of the tree it was built from. */
SHOAL_MUST int lab_files_shipped(struct lab_files *files);
void lab_files_fini(struct lab_files *files);
/* The file's bytes (the caller's, heap). 0; TOO_LONG, IO (errno), NOMEM. */
SHOAL_MUST int lab_file_read(const char *path, struct shoal_space *out);

#endif
