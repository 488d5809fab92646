/*
 * bench_disk.c - what a byte costs on its way to its file: WRITE jobs of 1 MiB pieces, hashed and written.
 *
 *	bench/bench_disk [FOLDER] [MIB] [RUN]
 *
 * FOLDER is /dev/shm by default, MIB (of content) 1024, RUN the blocks in a
 * WRITE (64: whole pieces). `open` is how many pieces are under way at once,
 * as a swarm has them. CPU time is the process's: workers, and the
 * submitting thread. No hash is right (the content is random), which costs the same.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "proto/base/digest.h"
#include "proto/base/rng.h"
#include "swarm/io/disk_threads.h"
#include "tools/bench/clock.h"

#define PIECE (1u << 20)
#define BLOCKS (PIECE / SHOAL_BLOCK)
#define OPEN_MAX 32

struct text {
	char *at;
	size_t len;
};

static void put(struct text *t, const void *at, size_t len)
{
	memcpy(t->at + t->len, at, len);
	t->len += len;
}

/* A torrent of one file and hashes of nothing in particular. */
static struct shoal_metainfo *torrent(bool v2, uint32_t pieces)
{
	struct shoal_metainfo *mi = NULL;
	struct shoal_metainfo_fault why;
	char head[400], root[33];
	struct text t = { malloc((size_t)pieces * 20 + 1000), 0 };
	if (t.at == NULL)
		return NULL;
	memset(root, 'r', 32);
	root[32] = '\0';
	unsigned long long size = (unsigned long long)pieces * PIECE;
	int n;
	if (v2)
		n = snprintf(head, sizeof head,
			     "d4:infod9:file treed5:benchd0:d6:lengthi%llue11:pieces root32:%seee12:meta versioni2e"
			     "4:name5:bench12:piece lengthi%uee",
			     size, root, PIECE);
	else
		n = snprintf(head, sizeof head,
			     "d4:infod6:lengthi%llue4:name5:bench12:piece lengthi%ue6:pieces%llu:", size, PIECE,
			     pieces * 20ull);
	put(&t, head, (size_t)n);
	if (!v2) {
		memset(t.at + t.len, 'h', pieces * (size_t)20);
		t.len += pieces * (size_t)20;
		put(&t, "e", 1);
	}
	put(&t, "e", 1);
	if (shoal_metainfo_parse(&mi, (struct shoal_bytes){ (uint8_t *)t.at, t.len }, &why) < 0)
		fprintf(stderr, "bench_disk: %s\n", why.what);
	free(t.at);
	return mi;
}

struct piece {
	struct shoal_disk_job job;
	struct shoal_piece_hash hash;
	uint8_t leaf[BLOCKS][32];
	struct shoal_slot slot[BLOCKS], *slots[BLOCKS];
};

enum what { V1, V2, HYBRID, WHAT_COUNT };
static const char *const names[] = { "v1", "v2", "hybrid" };

static void piece_begin(struct piece *p, enum what what, uint32_t storage, uint32_t index, uint32_t run, unsigned flags)
{
	memset(&p->hash, 0, sizeof p->hash);
	shoal_sha1_init(&p->hash.sha1);
	p->hash.bytes = PIECE;
	p->hash.has_v1 = what != V2;
	p->hash.has_v2 = what != V1;
	p->hash.width = BLOCKS;
	p->hash.leaf = p->leaf;
	p->job = (struct shoal_disk_job){ .op = SHOAL_DISK_WRITE,
					  .flags = flags,
					  .storage = storage,
					  .piece = index,
					  .slot = p->slots,
					  .slot_count = run,
					  .len = run * SHOAL_BLOCK,
					  .hash = &p->hash,
					  .owner = p };
}

/* One round: every piece of the file once, `open` at a time, in runs of `run` blocks. */
static int round_of(enum what what, const char *folder, uint32_t pieces, unsigned workers, unsigned open, uint32_t run,
		    bool check, struct piece *piece)
{
	struct shoal_disk_threads *dt;
	struct shoal_metainfo *mi = torrent(what == V2, pieces);
	uint32_t storage, next = 0, left = pieces;
	struct shoal_disk_job *out[OPEN_MAX];
	int rc = SHOAL_ERR_NOMEM;
	if (mi == NULL)
		return rc;
	if ((rc = shoal_disk_threads_new(&dt, &shoal_os_real, workers)) < 0) {
		shoal_metainfo_free(mi);
		return rc;
	}
	struct shoal_disk disk = shoal_disk_threads_disk(dt);
	if ((rc = disk.ops->open(disk.d, mi, folder, false, &storage)) < 0)
		goto out;
	double cpu = bench_cpu();
	shoal_us from = shoal_os_real.now();
	for (; next < open && next < pieces; next++) {
		piece_begin(&piece[next], what, storage, next, run, run == BLOCKS ? SHOAL_DISK_LAST : 0);
		if (check)
			piece[next].job.op = SHOAL_DISK_CHECK;
		rc = disk.ops->submit(disk.d, &piece[next].job);
	}
	while (left && rc >= 0) {
		struct pollfd p = { .fd = shoal_disk_threads_fd(dt), .events = POLLIN };
		poll(&p, 1, -1);
		size_t n = disk.ops->reap(disk.d, out, OPEN_MAX);
		for (size_t i = 0; i < n && rc >= 0; i++) {
			struct piece *k = out[i]->owner;
			if ((rc = out[i]->err) < 0)
				break;
			uint32_t end = out[i]->begin + out[i]->len;
			if (end < PIECE && !check) {
				k->job.begin = end;
				k->job.slot = k->slots + end / SHOAL_BLOCK;
				k->job.flags = end + run * SHOAL_BLOCK == PIECE ? SHOAL_DISK_LAST : 0;
			} else {
				left--;
				if (next == pieces)
					continue;
				piece_begin(k, what, storage, next++, run, run == BLOCKS ? SHOAL_DISK_LAST : 0);
				if (check)
					k->job.op = SHOAL_DISK_CHECK;
			}
			rc = disk.ops->submit(disk.d, &k->job);
		}
	}
	double s = (double)(shoal_os_real.now() - from) / 1e6, gib = pieces / 1024.0;
	cpu = bench_cpu() - cpu;
	if (rc >= 0)
		printf("%-7s %-6s %7u %5u %5u  %6.2f GB/s  %6.3f CPU-s/GiB\n", check ? "check" : "write", names[what],
		       workers, open, run, gib * 1.073741824 / s, cpu / gib);
	fflush(stdout);
	if (rc >= 0) /* else jobs may be under way: free() ends them */
		disk.ops->close(disk.d, storage);
out:
	shoal_disk_threads_free(dt);
	shoal_metainfo_free(mi);
	return rc;
}

int main(int argc, char **argv)
{
	char folder[4096];
	const char *base = argc > 1 ? argv[1] : "/dev/shm";
	uint32_t pieces = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1024;
	uint32_t run = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : BLOCKS;
	static const unsigned open[] = { 1, 4, 16 };
	if (pieces == 0 || run == 0 || run > BLOCKS || BLOCKS % run) {
		fprintf(stderr, "usage: bench_disk [FOLDER] [MIB] [RUN: 1 to 64, a power of two]\n");
		return 2;
	}
	snprintf(folder, sizeof folder, "%s/bench-disk-%ld", base, (long)getpid());
	struct piece *piece = calloc(OPEN_MAX, sizeof *piece);
	uint8_t *room = aligned_alloc(4096, (size_t)OPEN_MAX * PIECE);
	if (piece == NULL || room == NULL)
		return 4;
	struct shoal_rng rng = shoal_rng_split(1, 1);
	for (size_t i = 0; i < (size_t)OPEN_MAX * PIECE; i += 8) {
		uint64_t word = shoal_rng_u64(&rng);
		memcpy(room + i, &word, 8);
	}
	for (size_t p = 0; p < OPEN_MAX; p++) {
		for (size_t b = 0; b < BLOCKS; b++) {
			piece[p].slot[b].at = room + p * PIECE + b * SHOAL_BLOCK;
			piece[p].slots[b] = &piece[p].slot[b];
		}
	}
	printf("%s, %u MiB in %s\n%-7s %-6s %7s %5s %5s\n", shoal_digest_kernel(), pieces, folder, "job", "hash",
	       "workers", "open", "run");
	int rc = 0;
	for (int what = V1; what < WHAT_COUNT && rc >= 0; what++) {
		for (unsigned workers = 1; workers <= 2 && rc >= 0; workers++) {
			for (size_t o = 0; o < sizeof open / sizeof *open && rc >= 0; o++) {
				char path[4200];
				rc = round_of((enum what)what, folder, pieces, workers, open[o], run, false, piece);
				if (rc >= 0 && open[o] == 4)
					rc = round_of((enum what)what, folder, pieces, workers, OPEN_MAX, run, true,
						      piece);
				snprintf(path, sizeof path, "%s/bench.part", folder);
				unlink(path);
				rmdir(folder);
			}
		}
	}
	if (rc < 0)
		fprintf(stderr, "bench_disk: %s\n", shoal_err_name(rc));
	free(piece);
	free(room);
	return rc < 0 ? 4 : 0;
}
