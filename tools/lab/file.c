/* file.c - see file.h. */
#include "tools/lab/file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_ROOM 4096

static int add(struct lab_files *files, const char *path)
{
	char *copy = strdup(path);
	char **more = realloc(files->at, (files->count + 1) * sizeof *more);
	if (more != NULL)
		files->at = more;
	if (copy == NULL || more == NULL) {
		free(copy);
		return SHOAL_ERR_NOMEM;
	}
	files->at[files->count++] = copy;
	return 0;
}

/* S2 before S10: numbers in names count as numbers. */
static int in_order(const void *a, const void *b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;
	return strverscmp(x, y);
}

static bool is_scenario(const char *name)
{
	size_t len = strlen(name);
	return len > 5 && strcmp(name + len - 5, ".yaml") == 0 && name[0] != '.';
}

/* Those in the folder that are called `prefix...` (NULL: all). */
static int add_folder(struct lab_files *files, const char *folder, const char *prefix)
{
	char path[PATH_ROOM];
	size_t first = files->count, n = prefix != NULL ? strlen(prefix) : 0;
	int rc = 0;
	DIR *dir = opendir(folder);
	if (dir == NULL)
		return errno == ENOENT ? SHOAL_ERR_GONE : SHOAL_ERR_IO;
	for (struct dirent *d; rc == 0 && (d = readdir(dir)) != NULL;) {
		/* "S1" is S1-clean, and not S10-slow-seed. */
		if (!is_scenario(d->d_name) || strncmp(d->d_name, prefix != NULL ? prefix : "", n) != 0 ||
		    (n > 0 && isalnum((unsigned char)d->d_name[n])))
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, d->d_name);
		rc = add(files, path);
	}
	closedir(dir);
	qsort(files->at + first, files->count - first, sizeof *files->at, in_order);
	return rc == 0 && files->count == first ? SHOAL_ERR_GONE : rc;
}

static const char *shipped_folder(void)
{
	return access(SHOAL_SCENARIOS_INSTALLED, R_OK | X_OK) == 0 ? SHOAL_SCENARIOS_INSTALLED : SHOAL_SCENARIOS_TREE;
}

int lab_files_shipped(struct lab_files *files)
{
	return add_folder(files, shipped_folder(), NULL);
}

int lab_files_add(struct lab_files *files, const char *arg)
{
	struct stat st;
	if (stat(arg, &st) == 0)
		return S_ISDIR(st.st_mode) ? add_folder(files, arg, NULL) : add(files, arg);
	if (errno != ENOENT || strchr(arg, '/') != NULL || arg[0] == 0)
		return errno == ENOENT ? SHOAL_ERR_GONE : SHOAL_ERR_IO;
	size_t first = files->count;
	int rc = add_folder(files, shipped_folder(), arg);
	if (rc < 0 || files->count == first + 1)
		return rc;
	while (files->count > first) /* the name of several is the name of none */
		free(files->at[--files->count]);
	return SHOAL_ERR_GONE;
}

void lab_files_fini(struct lab_files *files)
{
	for (size_t i = 0; i < files->count; i++)
		free(files->at[i]);
	free(files->at);
	*files = (struct lab_files){ 0 };
}

int lab_file_read(const char *path, struct shoal_space *out)
{
	FILE *file = fopen(path, "rb");
	if (file == NULL)
		return SHOAL_ERR_IO;
	uint8_t *at = malloc(LAB_FILE_MAX + 1);
	int rc = at == NULL ? SHOAL_ERR_NOMEM : 0;
	size_t len = rc == 0 ? fread(at, 1, LAB_FILE_MAX + 1, file) : 0;
	if (rc == 0 && ferror(file))
		rc = SHOAL_ERR_IO;
	else if (rc == 0 && len > LAB_FILE_MAX)
		rc = SHOAL_ERR_TOO_LONG;
	fclose(file);
	if (rc < 0)
		free(at);
	else
		*out = (struct shoal_space){ at, len };
	return rc;
}
