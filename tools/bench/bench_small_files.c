/*
 * bench_small_files.c - what a file system takes for many small files, whoever writes them: the floor of `compare files`.
 *
 *	bench/bench_small_files [FOLDER] [FILES]
 *
 * FOLDER is /dev/shm by default, FILES 50000: of 1 byte to 64 KiB, small ones more often, 500 to a folder. Nothing but
 * the system calls, one thread, three ways:
 *
 *	plain	create, write, close under the final name: what an engine does that promises nothing
 *	ours	the same beneath the folder (openat2) under an unfinished name, and a look at what was made; synced;
 *		then the final name, never replacing anything, and a look; synced
 *	read	open beneath, look, read, close: a seed's part
 *
 * Each step's time and CPU. What the kernel's own threads spend on writing back is in the time alone.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "proto/base/rng.h"
#include "tools/bench/clock.h"

#define SIZE_MAX_BYTES 65536u
#define PER_FOLDER 500u
#define PATH_BYTES 64
#define NOREPLACE 1u /* RENAME_NOREPLACE */

struct set {
	int root;
	uint32_t count;
	uint32_t *size;
	uint8_t *bytes;
};

struct step {
	double wall, cpu;
};

static struct step begin(void)
{
	return (struct step){ bench_now(), bench_cpu() };
}

static void end(const char *what, struct step from)
{
	printf("  %-28s %7.3f s  %6.3f CPU-s\n", what, bench_now() - from.wall, bench_cpu() - from.cpu);
}

static _Noreturn void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void name_of(uint32_t i, const char *suffix, char path[PATH_BYTES])
{
	snprintf(path, PATH_BYTES, "%05u/%07u%s", i / PER_FOLDER, i, suffix);
}

static int beneath(const struct set *s, const char *path, int flags)
{
	struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC),
				.mode = flags & O_CREAT ? 0666 : 0,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
	return (int)syscall(SYS_openat2, s->root, path, &how, sizeof how);
}

static void make(const struct set *s, bool ours)
{
	char path[PATH_BYTES];
	struct stat st;
	struct step from = begin();
	for (uint32_t i = 0; i < s->count; i++) {
		if (i % PER_FOLDER == 0) {
			name_of(i, "", path);
			*strchr(path, '/') = '\0';
			if (mkdirat(s->root, path, 0777) < 0)
				fail(path);
		}
		name_of(i, ours ? ".part" : "", path);
		int fd = ours ? beneath(s, path, O_RDWR | O_CREAT | O_EXCL)
			      : openat(s->root, path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
		if (fd < 0 || (ours && fstat(fd, &st) < 0) ||
		    pwrite(fd, s->bytes, s->size[i], 0) != (ssize_t)s->size[i])
			fail(path);
		close(fd);
	}
	end("create, write, close", from);
}

static void sync_all(const struct set *s)
{
	struct step from = begin();
	if (syncfs(s->root) < 0)
		fail("syncfs");
	end("sync", from);
}

static void finish(const struct set *s)
{
	char part[PATH_BYTES], path[PATH_BYTES];
	struct stat st;
	struct step from = begin();
	for (uint32_t i = 0; i < s->count; i++) {
		name_of(i, ".part", part);
		name_of(i, "", path);
		if (renameat2(s->root, part, s->root, path, NOREPLACE) < 0 ||
		    fstatat(s->root, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
			fail(path);
	}
	end("final name, look", from);
}

static void read_all(const struct set *s)
{
	char path[PATH_BYTES];
	struct stat st;
	struct step from = begin();
	for (uint32_t i = 0; i < s->count; i++) {
		name_of(i, "", path);
		int fd = beneath(s, path, O_RDONLY);
		if (fd < 0 || fstat(fd, &st) < 0 || pread(fd, s->bytes, s->size[i], 0) != (ssize_t)s->size[i])
			fail(path);
		close(fd);
	}
	end("open, look, read, close", from);
}

static void clean(const struct set *s)
{
	char path[PATH_BYTES];
	for (uint32_t i = 0; i < s->count; i++) {
		name_of(i, "", path);
		unlinkat(s->root, path, 0);
		if ((i + 1) % PER_FOLDER == 0 || i + 1 == s->count) {
			*strchr(path, '/') = '\0';
			unlinkat(s->root, path, AT_REMOVEDIR);
		}
	}
}

static void in_folder(struct set *s, const char *folder, const char *kind)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/small-files-%ld-%s", folder, (long)getpid(), kind);
	if (mkdir(path, 0777) < 0 || (s->root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		fail(path);
	bool ours = strcmp(kind, "ours") == 0;
	printf("%s\n", kind);
	make(s, ours);
	sync_all(s);
	if (ours) {
		finish(s);
		sync_all(s);
		printf("read\n");
		read_all(s);
	}
	clean(s);
	close(s->root);
	rmdir(path);
}

int main(int argc, char **argv)
{
	const char *folder = argc > 1 ? argv[1] : "/dev/shm";
	long count = argc > 2 ? strtol(argv[2], NULL, 10) : 50000;
	if (count < 1 || count > 10000000) {
		fprintf(stderr, "usage: bench_small_files [FOLDER] [FILES]\n");
		return 2;
	}
	struct set s = { .root = -1,
			 .count = (uint32_t)count,
			 .size = malloc((size_t)count * sizeof *s.size),
			 .bytes = malloc(SIZE_MAX_BYTES) };
	if (s.size == NULL || s.bytes == NULL)
		return 1;
	struct shoal_rng rng = shoal_rng_split((uint64_t)count, 0);
	uint64_t total = 0;
	for (uint32_t i = 0; i < s.count; i++) {
		uint32_t most = 1u << shoal_rng_below(&rng, 17); /* each order of magnitude as often as the other */
		s.size[i] = 1 + shoal_rng_below(&rng, most);
		total += s.size[i];
	}
	memset(s.bytes, 'b', SIZE_MAX_BYTES);
	printf("%u files, %.0f MiB in %s, one thread\n", s.count, (double)total / (1 << 20), folder);
	in_folder(&s, folder, "plain");
	in_folder(&s, folder, "ours");
	free(s.size);
	free(s.bytes);
	return 0;
}
