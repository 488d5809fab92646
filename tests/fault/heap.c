/* heap.c - see heap.h. The names __wrap_* and __real_* are the linker's. */
#include "tests/fault/heap.h"

#include <malloc.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *at, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
int __real_posix_memalign(void **out, size_t align, size_t size);
void __real_free(void *at);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *at, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
int __wrap_posix_memalign(void **out, size_t align, size_t size);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);
void __wrap_free(void *at);

static atomic_ulong calls, first, last;
static atomic_long live;

void heap_arm(unsigned long nth, unsigned long more)
{
	first = last = 0;
	calls = 0;
	last = nth ? nth + more : 0;
	first = nth;
}
unsigned long heap_calls(void)
{
	return calls;
}
bool heap_fired(void)
{
	return first != 0 && calls >= first;
}
long heap_live(void)
{
	return live;
}

static bool fails(void)
{
	unsigned long k = atomic_fetch_add(&calls, 1) + 1;
	return first != 0 && k >= first && k <= last;
}

/* Which blocks are ours: what the C library allocates (realpath, asprintf) is freed here too, and not counted. */
#define BLOCKS (1u << 17)
static void *block[BLOCKS]; /* open addressing; GONE where one was */
#define GONE ((void *)1)
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static size_t place(const void *at)
{
	return (size_t)(((uintptr_t)at >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 40) % BLOCKS;
}

static void *took(void *at)
{
	if (at == NULL)
		return NULL;
	pthread_mutex_lock(&lock);
	size_t i = place(at);
	for (size_t n = 0; block[i] != NULL && block[i] != GONE; i = (i + 1) % BLOCKS)
		if (++n == BLOCKS)
			abort();
	block[i] = at;
	live++;
	pthread_mutex_unlock(&lock);
	return at;
}

static void gave(void *at)
{
	pthread_mutex_lock(&lock);
	for (size_t i = place(at), n = 0; block[i] != NULL && n < BLOCKS; i = (i + 1) % BLOCKS, n++) {
		if (block[i] != at)
			continue;
		block[i] = GONE;
		live--;
		break;
	}
	pthread_mutex_unlock(&lock);
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : took(__real_malloc(size));
}
void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : took(__real_calloc(n, size));
}
void *__wrap_realloc(void *at, size_t size)
{
	if (fails())
		return NULL;
	if (at != NULL)
		gave(at); /* before somebody else can be given the same place */
	void *out = __real_realloc(at, size);
	took(out != NULL ? out : at);
	return out;
}
void *__wrap_aligned_alloc(size_t align, size_t size)
{
	return fails() ? NULL : took(__real_aligned_alloc(align, size));
}
int __wrap_posix_memalign(void **out, size_t align, size_t size)
{
	if (fails())
		return 12; /* ENOMEM */
	int rc = __real_posix_memalign(out, align, size);
	if (rc == 0)
		took(*out);
	return rc;
}
char *__wrap_strndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *out = __wrap_malloc(len + 1);
	if (out != NULL) {
		memcpy(out, s, len);
		out[len] = '\0';
	}
	return out;
}
char *__wrap_strdup(const char *s)
{
	return __wrap_strndup(s, strlen(s));
}
void __wrap_free(void *at)
{
	if (at != NULL)
		gave(at);
	__real_free(at);
}

/* ---- SQLite's ---------------------------------------------------------------------------- */

static atomic_bool sqlite_counts;

void heap_sqlite_counts(bool counts)
{
	sqlite_counts = counts;
}
static void *q_malloc(int size)
{
	return sqlite_counts && fails() ? NULL : __real_malloc((size_t)size);
}
static void q_free(void *at)
{
	__real_free(at);
}
static void *q_realloc(void *at, int size)
{
	return sqlite_counts && fails() ? NULL : __real_realloc(at, (size_t)size);
}
static int q_size(void *at)
{
	return at != NULL ? (int)malloc_usable_size(at) : 0;
}
static int q_round(int size)
{
	return (size + 7) & ~7;
}
static int q_init(void *data)
{
	(void)data;
	return SQLITE_OK;
}
static void q_shutdown(void *data)
{
	(void)data;
}

void heap_sqlite(void)
{
	static const sqlite3_mem_methods methods = { q_malloc, q_free, q_realloc,  q_size,
						     q_round,  q_init, q_shutdown, NULL };
	if (sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) != SQLITE_OK || sqlite3_initialize() != SQLITE_OK)
		abort();
}
