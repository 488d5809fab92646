/*
 * replay_main.c - runs a fuzz target over its corpus in an ordinary build.
 *
 * Arguments are files and folders (one level, as libFuzzer's corpora are).
 * Each file runs whole, then cut short at up to CUTS places and with one
 * byte turned at each of them: cheap neighbours of the seeds, the same on
 * every machine. A corpus without a file is an error, not a pass.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

#define CUTS 64
#define FILE_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);
size_t LLVMFuzzerMutate(uint8_t *at, size_t len, size_t max);

/* For targets with a mutator of their own; nothing mutates here. */
size_t LLVMFuzzerMutate(uint8_t *at, size_t len, size_t max)
{
	(void)at;
	return len < max ? len : max;
}

static size_t files, runs;

/* An exact-size block, so that one byte over is seen by ASan. */
static void run_copy(const uint8_t *at, size_t len, size_t turn)
{
	uint8_t *copy = malloc(len ? len : 1);
	if (copy == NULL)
		abort();
	if (len)
		memcpy(copy, at, len);
	if (turn < len)
		copy[turn] ^= (uint8_t)(1u << (turn % 8));
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
	runs++;
}

/* The bytes of a file of less than FILE_MAX bytes, or -1. */
static ssize_t slurp(const char *path, uint8_t *at)
{
	FILE *file = fopen(path, "rb");
	if (file == NULL)
		return -1;
	size_t len = fread(at, 1, FILE_MAX, file);
	int bad = ferror(file) || len == FILE_MAX;
	fclose(file);
	return bad ? -1 : (ssize_t)len;
}

static int replay_file(const char *path)
{
	static uint8_t at[FILE_MAX];
	ssize_t got = slurp(path, at);
	if (got < 0) {
		fprintf(stderr, "%s: unreadable, or too large for a seed\n", path);
		return -1;
	}
	size_t len = (size_t)got, step = len / CUTS + 1;
	files++;
	run_copy(at, len, SIZE_MAX);
	for (size_t cut = 0; cut < len; cut += step) {
		run_copy(at, cut, SIZE_MAX);
		run_copy(at, len, cut);
	}
	return 0;
}

static int replay(const char *path)
{
	struct stat st;
	if (stat(path, &st) < 0) {
		perror(path);
		return -1;
	}
	if (!S_ISDIR(st.st_mode))
		return replay_file(path);
	struct dirent **names;
	int count = scandir(path, &names, NULL, alphasort), rc = 0;
	if (count < 0) {
		perror(path);
		return -1;
	}
	for (int i = 0; i < count; i++) {
		char full[4096];
		snprintf(full, sizeof full, "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			rc |= replay_file(full);
		free(names[i]);
	}
	free(names);
	return rc;
}

int main(int argc, char **argv)
{
	int rc = 0;
	for (int i = 1; i < argc; i++)
		rc |= replay(argv[i]);
	printf("replayed %zu seeds in %zu runs\n", files, runs);
	if (files == 0)
		fprintf(stderr, "no seeds: a target needs a corpus\n");
	return rc < 0 || files == 0;
}
