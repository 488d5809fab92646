/*
 * tools/bench/bench_digest.c - how fast each digest kernel is, by lanes, against OpenSSL EVP.
 *
 *     bench_digest [MiB per run]
 *
 * Every run hashes the same bytes in 16 KiB steps from scattered buffers,
 * as a disk worker does; a figure is the median of five runs, in CPU time.
 * Runs of the rivals alternate, so that a busy machine slows both alike.
 */
#include "proto/base/bytes.h"
#include "proto/base/digest.h"
#include "tools/bench/clock.h"

#include <openssl/evp.h>

#include <stdio.h>
#include <stdlib.h>

enum {
	STEP = 16 * 1024, /* bytes a lane moves by in one call */
	BUFFERS = 64,	  /* 1 MiB in all: warm, in L2, as it is just after a read */
	RUNS = 5,
	LANES_SEEN = 16,
	MIB_DEFAULT = 128,
	MIB_MAX = 65536,
};

struct bench {
	uint8_t *buffer[BUFFERS];
	uint8_t (*digest)[32];
	size_t steps; /* of STEP bytes in a run of the rival's */
	size_t calls; /* of `lanes` steps each, in ours */
	unsigned lanes;
};

static void evp(struct bench *b, const EVP_MD *md)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char out[EVP_MAX_MD_SIZE];
	bool good = ctx != NULL && EVP_DigestInit_ex(ctx, md, NULL) == 1;
	for (size_t i = 0; good && i < b->steps; i++)
		good = EVP_DigestUpdate(ctx, b->buffer[i % BUFFERS], STEP) == 1;
	if (!good || EVP_DigestFinal_ex(ctx, out, NULL) != 1) {
		fprintf(stderr, "bench_digest: OpenSSL failed\n");
		exit(1);
	}
	EVP_MD_CTX_free(ctx);
}

static void evp_sha1(struct bench *b)
{
	evp(b, EVP_sha1());
}

static void evp_sha256(struct bench *b)
{
	evp(b, EVP_sha256());
}

/* The buffers of one call lie apart, and come round in turn. */
static void pick(const struct bench *b, const uint8_t *at[LANES_SEEN], size_t call)
{
	for (unsigned i = 0; i < b->lanes; i++)
		at[i] = b->buffer[(call * b->lanes + i) * 7 % BUFFERS];
}

static void sha1(struct bench *b)
{
	struct shoal_sha1 ctx[LANES_SEEN], *to[LANES_SEEN];
	const uint8_t *at[LANES_SEEN];
	for (unsigned i = 0; i < b->lanes; i++)
		shoal_sha1_init(to[i] = &ctx[i]);
	for (size_t call = 0; call < b->calls; call++) {
		pick(b, at, call);
		shoal_sha1_advance(to, at, b->lanes, STEP);
	}
	for (unsigned i = 0; i < b->lanes; i++)
		shoal_sha1_final(to[i], b->digest[i]);
}

static void sha256(struct bench *b)
{
	struct shoal_sha256 ctx[LANES_SEEN], *to[LANES_SEEN];
	const uint8_t *at[LANES_SEEN];
	for (unsigned i = 0; i < b->lanes; i++)
		shoal_sha256_init(to[i] = &ctx[i]);
	for (size_t call = 0; call < b->calls; call++) {
		pick(b, at, call);
		shoal_sha256_advance(to, at, b->lanes, STEP);
	}
	for (unsigned i = 0; i < b->lanes; i++)
		shoal_sha256_final(to[i], b->digest[i]);
}

static void leaves(struct bench *b)
{
	const uint8_t *at[LANES_SEEN];
	for (size_t call = 0; call < b->calls; call++) {
		pick(b, at, call);
		shoal_sha256_many(at, b->lanes, STEP, b->digest);
	}
}

/* STEP bytes are STEP / 64 pairs. */
static void pairs(struct bench *b)
{
	for (size_t i = 0; i < b->steps; i++)
		shoal_sha256_pairs((const void *)b->buffer[i % BUFFERS], STEP / 64, b->digest);
}

struct entry {
	const char *what, *kernel;
	void (*run)(struct bench *);
	void (*rival)(struct bench *);
	unsigned lanes;
};

static int order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* In this thread's own time: a neighbour on the core does not count. */
static double timed(struct bench *b, void (*run)(struct bench *))
{
	double start = bench_seconds(CLOCK_THREAD_CPUTIME_ID);
	run(b);
	return bench_seconds(CLOCK_THREAD_CPUTIME_ID) - start;
}

static void measure(struct bench *b, const struct entry *e)
{
	double ours[RUNS], theirs[RUNS], bytes;
	if (shoal_digest_use(e->kernel) < 0)
		return;
	b->lanes = e->lanes;
	b->calls = b->steps / e->lanes;
	e->run(b); /* touch everything once */
	for (int i = 0; i < RUNS; i++) {
		ours[i] = timed(b, e->run);
		theirs[i] = timed(b, e->rival);
	}
	qsort(ours, RUNS, sizeof *ours, order);
	qsort(theirs, RUNS, sizeof *theirs, order);
	bytes = (double)(b->calls * e->lanes) * STEP;
	printf("%-11s %-14s %2u  %7.0f MB/s   EVP %7.0f MB/s   x %.2f\n", e->kernel, e->what, e->lanes,
	       bytes / ours[RUNS / 2] * 1e-6, (double)b->steps * STEP / theirs[RUNS / 2] * 1e-6,
	       bytes / ours[RUNS / 2] / ((double)b->steps * STEP / theirs[RUNS / 2]));
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static const char *const kernels[] = { "avx512", "sha-ni", "avx512-bare", "avx2", "openssl" };
	char *end = NULL;
	unsigned long mib = argc > 1 ? strtoul(argv[1], &end, 10) : MIB_DEFAULT;
	struct bench b = { .steps = (size_t)mib * (1024 * 1024 / STEP) };
	uint8_t *bytes = NULL;
	int rc = 1;

	if (argc > 2 || (end && *end) || mib < 1 || mib > MIB_MAX) {
		fprintf(stderr, "usage: bench_digest [MiB per run, 1 to %d]\n", MIB_MAX);
		return 2;
	}
	bytes = aligned_alloc(4096, (size_t)BUFFERS * STEP);
	b.digest = malloc(STEP / 64 * sizeof *b.digest);
	if (bytes == NULL || b.digest == NULL)
		goto out;
	for (size_t i = 0; i < (size_t)BUFFERS * STEP; i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 13);
	for (size_t i = 0; i < BUFFERS; i++)
		b.buffer[i] = bytes + i * STEP;

	printf("best here: %s; %lu MiB per run, median of %d\n", shoal_digest_kernel(), mib, RUNS);
	for (size_t k = 0; k < sizeof kernels / sizeof *kernels; k++) {
		for (unsigned lanes = 1; lanes <= LANES_SEEN; lanes++) {
			measure(&b, &(struct entry){ "sha1", kernels[k], sha1, evp_sha1, lanes });
			measure(&b, &(struct entry){ "sha256", kernels[k], sha256, evp_sha256, lanes });
		}
		measure(&b, &(struct entry){ "sha256 leaves", kernels[k], leaves, evp_sha256, LANES_SEEN });
		measure(&b, &(struct entry){ "sha256 pairs", kernels[k], pairs, evp_sha256, 1 });
	}
	rc = 0;
out:
	if (rc)
		fprintf(stderr, "bench_digest: out of memory\n");
	free(b.digest);
	free(bytes);
	return rc;
}
