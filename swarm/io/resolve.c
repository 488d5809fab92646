#include "swarm/io/resolve.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

struct question {
	struct shoal_resolve_done answer;
	char host[SHOAL_HOST_MAX];
	uint16_t port;
};

struct shoal_resolve {
	const struct shoal_os_ops *os;
	shoal_resolve_lookup *lookup;
	pthread_t thread;
	bool started; /* the loop thread's */
	int fd;

	pthread_mutex_t lock; /* over all that follows */
	pthread_cond_t asked;
	/* A ring. [reaped, answered) waits for reap(), [answered, questions) for the thread; they only count up. */
	struct question ring[SHOAL_RESOLVE_WAITING_MAX];
	unsigned reaped, answered, questions;
	bool looking; /* a lookup is under way, without the lock */
	bool over;    /* free() was called */
};

static void whole_free(struct shoal_resolve *r)
{
	if (r->fd >= 0)
		r->os->close(r->fd);
	pthread_cond_destroy(&r->asked);
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
		if (r->answered == r->questions) {
			pthread_cond_wait(&r->asked, &r->lock);
			continue;
		}
		/* In place: nobody else touches a question until it counts as answered. */
		struct question *q = &r->ring[r->answered % SHOAL_RESOLVE_WAITING_MAX];
		r->looking = true;
		pthread_mutex_unlock(&r->lock);
		answer(r, q);
		pthread_mutex_lock(&r->lock);
		r->looking = false;
		if (r->over) { /* free() did not wait for us: the rest is ours */
			pthread_mutex_unlock(&r->lock);
			whole_free(r);
			return NULL;
		}
		r->answered++;
		uint64_t one = 1;
		ssize_t n = r->os->write(r->fd, &one, sizeof one); /* fails only at a count that has been seen */
		(void)n;
	}
	pthread_mutex_unlock(&r->lock);
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
	pthread_t thread = r->thread;
	bool started = r->started;
	pthread_mutex_lock(&r->lock);
	r->over = true;
	bool looking = r->looking;
	pthread_cond_signal(&r->asked);
	if (looking)
		pthread_detach(thread); /* before it can know: it frees `r` once it has the lock */
	pthread_mutex_unlock(&r->lock);
	if (looking)
		return;
	if (started)
		pthread_join(thread, NULL);
	whole_free(r);
}

int shoal_resolve_ask(struct shoal_resolve *r, const char *host, uint16_t port, const struct shoal_resolve_for *asker)
{
	size_t len = strlen(host);
	if (len >= SHOAL_HOST_MAX)
		return SHOAL_ERR_TOO_LONG;
	if (!r->started) {
		if (r->os->thread_start(&r->thread, run, r) < 0)
			return SHOAL_ERR_NOMEM;
		r->started = true;
	}
	int rc = SHOAL_ERR_BUSY;
	pthread_mutex_lock(&r->lock);
	if (r->questions - r->reaped < SHOAL_RESOLVE_WAITING_MAX) {
		struct question *q = &r->ring[r->questions % SHOAL_RESOLVE_WAITING_MAX];
		q->answer = (struct shoal_resolve_done){ .asker = *asker };
		memcpy(q->host, host, len + 1);
		q->port = port;
		r->questions++;
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
	int rc = 0;
	pthread_mutex_lock(&r->lock);
	if (r->reaped != r->answered) {
		*out = r->ring[r->reaped % SHOAL_RESOLVE_WAITING_MAX].answer;
		r->reaped++;
		rc = 1;
	}
	pthread_mutex_unlock(&r->lock);
	return rc;
}
