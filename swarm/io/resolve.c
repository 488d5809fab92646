/* resolve.c - see resolve.h. */
#include "swarm/io/resolve.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

struct question {
	struct question *next; /* in the list it is in */
	struct shoal_resolve_done answer;
	char host[SHOAL_HOST_MAX];
	uint16_t port;
};

struct list {
	struct question *first, *last;
};

struct shoal_resolve {
	const struct shoal_os_ops *os;
	shoal_resolve_lookup *lookup;
	int fd;

	pthread_mutex_t lock; /* over all that follows */
	pthread_cond_t asked, left;
	struct question question[SHOAL_RESOLVE_WAITING_MAX];
	/* Each question is in one of these, or with the thread that looks it up: nobody else touches it there. */
	struct list unused, waiting, answered;
	unsigned queued; /* waiting */
	unsigned threads;
	unsigned looking; /* of those, within a lookup, without the lock */
	bool over;	  /* free() was called */
	bool alone;	  /* and did not wait for the lookups: whoever leaves last cleans up */
};

static void put(struct list *list, struct question *q)
{
	q->next = NULL;
	*(list->first != NULL ? &list->last->next : &list->first) = q;
	list->last = q;
}

static struct question *take(struct list *list)
{
	struct question *q = list->first;
	if (q != NULL)
		list->first = q->next;
	return q;
}

static void whole_free(struct shoal_resolve *r)
{
	if (r->fd >= 0)
		r->os->close(r->fd);
	pthread_cond_destroy(&r->asked);
	pthread_cond_destroy(&r->left);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static int lookup_err(int gai)
{
	switch (gai) {
	case EAI_MEMORY: return SHOAL_ERR_NOMEM;
	case EAI_NONAME:
#ifdef EAI_NODATA
	case EAI_NODATA:
#endif
	case EAI_FAIL: return SHOAL_ERR_GONE;
	default: return SHOAL_ERR_NET;
	}
}

/* The next of `ai`'s list in the wanted family, NULL at the end. */
static const struct addrinfo *next_of(const struct addrinfo *ai, int family)
{
	while (ai != NULL && ai->ai_family != family)
		ai = ai->ai_next;
	return ai;
}

static int lookup_system(const char *host, struct shoal_addr out[], size_t max, size_t *count)
{
	/* One kind of socket, or each address comes three times. No AI_ADDRCONFIG: it hides loopback. */
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM }, *all = NULL;
	int gai = getaddrinfo(host, NULL, &hints, &all);
	if (gai != 0)
		return lookup_err(gai);
	/* The system's order is its preference (RFC 6724): its first family begins, then they take turns. */
	int first = all->ai_family == AF_INET ? AF_INET : AF_INET6;
	const struct addrinfo *at[2] = { next_of(all, first), next_of(all, first == AF_INET ? AF_INET6 : AF_INET) };
	*count = 0;
	for (unsigned turn = 0; *count < max && (at[0] != NULL || at[1] != NULL); turn ^= 1) {
		const struct addrinfo *ai = at[turn];
		if (ai == NULL)
			continue;
		if (shoal_addr_from_sys(ai->ai_addr, ai->ai_addrlen, &out[*count]))
			(*count)++;
		at[turn] = next_of(ai->ai_next, ai->ai_family);
	}
	freeaddrinfo(all);
	return *count > 0 ? 0 : SHOAL_ERR_GONE;
}

static void answer(const struct shoal_resolve *r, struct question *q)
{
	size_t count = 0;
	int rc = r->lookup(q->host, q->answer.addr, SHOAL_RESOLVE_ADDRS_MAX, &count);
	if (rc == 0 && (count == 0 || count > SHOAL_RESOLVE_ADDRS_MAX))
		rc = SHOAL_ERR_GONE;
	q->answer.err = rc;
	q->answer.count = rc == 0 ? count : 0;
	for (size_t i = 0; i < q->answer.count; i++)
		q->answer.addr[i].port = q->port;
}

static void *run(void *arg)
{
	struct shoal_resolve *r = arg;
	pthread_mutex_lock(&r->lock);
	while (!r->over) {
		struct question *q = take(&r->waiting);
		if (q == NULL) {
			pthread_cond_wait(&r->asked, &r->lock);
			continue;
		}
		r->queued--;
		r->looking++;
		pthread_mutex_unlock(&r->lock);
		answer(r, q);
		pthread_mutex_lock(&r->lock);
		r->looking--;
		if (r->over)
			break;
		put(&r->answered, q);
		uint64_t one = 1;
		ssize_t n = r->os->write(r->fd, &one, sizeof one); /* fails only at a count that has been seen */
		(void)n;
	}
	bool last = --r->threads == 0 && r->alone;
	pthread_cond_signal(&r->left);
	pthread_mutex_unlock(&r->lock);
	if (last)
		whole_free(r);
	return NULL;
}

int shoal_resolve_new(struct shoal_resolve **out, const struct shoal_os_ops *os, shoal_resolve_lookup *lookup)
{
	struct shoal_resolve *r = calloc(1, sizeof *r);
	if (r == NULL)
		return SHOAL_ERR_NOMEM;
	r->os = os;
	r->lookup = lookup != NULL ? lookup : lookup_system;
	pthread_mutex_init(&r->lock, NULL); /* neither can fail with default attributes on Linux */
	pthread_cond_init(&r->asked, NULL);
	pthread_cond_init(&r->left, NULL);
	for (size_t i = 0; i < SHOAL_RESOLVE_WAITING_MAX; i++)
		put(&r->unused, &r->question[i]);
	r->fd = os->eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (r->fd < 0) {
		whole_free(r);
		return SHOAL_ERR_IO;
	}
	*out = r;
	return 0;
}

void shoal_resolve_free(struct shoal_resolve *r)
{
	if (r == NULL)
		return;
	pthread_mutex_lock(&r->lock);
	r->over = true;
	pthread_cond_broadcast(&r->asked);
	while (r->threads > r->looking) /* those that wait for a question leave at once */
		pthread_cond_wait(&r->left, &r->lock);
	bool all_left = r->threads == 0;
	r->alone = !all_left;
	pthread_mutex_unlock(&r->lock);
	if (all_left)
		whole_free(r);
}

/* With the lock held: one more thread, unless one is free for one more question. false: there is none at all. */
static bool staff(struct shoal_resolve *r)
{
	pthread_t thread;
	if (r->threads - r->looking <= r->queued && r->threads < SHOAL_RESOLVE_THREADS_MAX &&
	    r->os->thread_start(&thread, run, r) == 0) {
		r->threads++;
		pthread_detach(thread);
	}
	return r->threads > 0;
}

int shoal_resolve_ask(struct shoal_resolve *r, const char *host, uint16_t port, const struct shoal_resolve_for *asker)
{
	size_t len = strlen(host);
	if (len >= SHOAL_HOST_MAX)
		return SHOAL_ERR_TOO_LONG;
	int rc = SHOAL_ERR_BUSY;
	pthread_mutex_lock(&r->lock);
	if (!staff(r)) {
		rc = SHOAL_ERR_NOMEM;
	} else if (r->unused.first != NULL) {
		struct question *q = take(&r->unused);
		q->answer = (struct shoal_resolve_done){ .asker = *asker };
		memcpy(q->host, host, len + 1);
		q->port = port;
		put(&r->waiting, q);
		r->queued++;
		pthread_cond_signal(&r->asked);
		rc = 0;
	}
	pthread_mutex_unlock(&r->lock);
	return rc;
}

int shoal_resolve_fd(const struct shoal_resolve *r)
{
	return r->fd;
}

int shoal_resolve_reap(struct shoal_resolve *r, struct shoal_resolve_done *out)
{
	pthread_mutex_lock(&r->lock);
	struct question *q = take(&r->answered);
	if (q != NULL) {
		*out = q->answer;
		put(&r->unused, q);
	}
	pthread_mutex_unlock(&r->lock);
	return q != NULL;
}
