/* swarm/io/portmap.c - see portmap.h. */
#include "swarm/io/portmap.h"

#include <errno.h>
#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpcommands.h>
#include <miniupnpc/upnperrors.h>
#include <natpmp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include "proto/base/bytes.h"
#include "proto/reach.h"
#include "proto/url.h"
#include "swarm/io/addr.h"

#define ANSWER SHOAL_MS(1500) /* NAT-PMP: of one question */
#define STALE_MAX 4
#define DISCOVER_MS 1500
#define DEVICES_MAX 4 /* of a discovery, tried in turn */
#define AGAIN_MIN SHOAL_S(60)
#define AGAIN_MAX SHOAL_S(3600)
#define PERMANENT_ONLY 725 /* UPnP: the router knows no leases */

enum by { NOBODY, NATPMP, UPNP };

struct shoal_portmap {
	const struct shoal_os_ops *os;
	pthread_t thread;
	int fd;
	uint16_t port;

	/* The thread's. */
	enum by by;
	uint16_t outside_port; /* as mapped */
	struct UPNPUrls urls;  /* UPNP */
	char service[MINIUPNPC_URL_MAXSIZE];

	pthread_mutex_t lock; /* over all that follows */
	pthread_cond_t news;
	bool over, again, ended, orphan;
	bool busy; /* with a router that has mapped nothing yet */
	bool said_is_new;
	struct shoal_portmap_said said;
};

static void whole_free(struct shoal_portmap *p)
{
	if (p->fd >= 0)
		p->os->close(p->fd);
	pthread_cond_destroy(&p->news);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* ---- NAT-PMP (RFC 6886) ---------------------------------------------------------------------- */

static int natpmp_answer(struct shoal_portmap *p, natpmp_t *n, natpmpresp_t *answer)
{
	shoal_us until = p->os->now() + ANSWER;
	for (;;) {
		int rc = readnatpmpresponseorretry(n, answer);
		if (rc != NATPMP_TRYAGAIN)
			return rc == 0 ? 0 : SHOAL_ERR_REFUSED;
		shoal_us now = p->os->now();
		if (now >= until)
			return SHOAL_ERR_TIMEOUT;
		struct timeval tv = { 0, 0 };
		getnatpmprequesttimeout(n, &tv);
		shoal_us wait = shoal_min_u64((shoal_us)tv.tv_sec * 1000000 + (shoal_us)tv.tv_usec, until - now);
		struct pollfd fd = { .fd = n->s, .events = POLLIN };
		poll(&fd, 1, (int)(wait / 1000) + 1);
	}
}

static int natpmp_port(struct shoal_portmap *p, natpmp_t *n, int protocol, uint16_t wanted, uint32_t lease,
		       uint16_t *given)
{
	unsigned type = protocol == NATPMP_PROTOCOL_TCP ? NATPMP_RESPTYPE_TCPPORTMAPPING
							: NATPMP_RESPTYPE_UDPPORTMAPPING;
	natpmpresp_t answer;
	/* What was asked twice may be answered twice, and the library takes the second for the next one's. */
	for (int tries = 0; tries < STALE_MAX; tries++) {
		if (sendnewportmappingrequest(n, protocol, p->port, wanted, lease) < 0)
			return SHOAL_ERR_NET;
		int rc = natpmp_answer(p, n, &answer);
		if (rc < 0)
			return rc;
		if (answer.type == type) {
			*given = answer.pnu.newportmapping.mappedpublicport;
			return 0;
		}
	}
	return SHOAL_ERR_MALFORMED;
}

static int natpmp_map(struct shoal_portmap *p, struct shoal_portmap_said *said)
{
	natpmp_t n;
	natpmpresp_t answer;
	uint16_t udp;
	int rc = initnatpmp(&n, 0, 0);
	if (rc < 0)
		return rc == NATPMP_ERR_CANNOTGETGATEWAY ? SHOAL_ERR_GONE : SHOAL_ERR_NET;
	rc = sendpublicaddressrequest(&n) < 0 ? SHOAL_ERR_NET : natpmp_answer(p, &n, &answer);
	if (rc == 0) {
		said->outside.is_v4 = 1;
		memcpy(said->outside.ip, &answer.pnu.publicaddress.addr, 4);
		rc = natpmp_port(p, &n, NATPMP_PROTOCOL_TCP, p->port, SHOAL_PORTMAP_LEASE, &said->outside.port);
	}
	if (rc == 0) /* the same for datagrams; without it there is no uTP from outside, and that is all */
		(void)!natpmp_port(p, &n, NATPMP_PROTOCOL_UDP, said->outside.port, SHOAL_PORTMAP_LEASE, &udp);
	closenatpmp(&n);
	return rc;
}

static void natpmp_unmap(struct shoal_portmap *p)
{
	natpmp_t n;
	uint16_t none;
	if (initnatpmp(&n, 0, 0) < 0)
		return;
	(void)!natpmp_port(p, &n, NATPMP_PROTOCOL_TCP, 0, 0, &none);
	(void)!natpmp_port(p, &n, NATPMP_PROTOCOL_UDP, 0, 0, &none);
	closenatpmp(&n);
}

/* ---- UPnP ------------------------------------------------------------------------------------------ */

/* A router of ours has an address in our own networks: not this host, nobody far away. */
static bool near(const char *text)
{
	struct shoal_url url;
	if (text == NULL || shoal_url_parse(shoal_bytes(text, strlen(text)), &url) < 0 || !url.is_addr)
		return false;
	enum shoal_reach reach = shoal_reach_of(&url.addr);
	return reach == SHOAL_REACH_PRIVATE || reach == SHOAL_REACH_LINK;
}

static void upnp_forget(struct shoal_portmap *p)
{
	FreeUPNPUrls(&p->urls);
	memset(&p->urls, 0, sizeof p->urls);
}

static int upnp_port(struct shoal_portmap *p, const char *lan, const char *protocol)
{
	char port[8], lease[16];
	snprintf(port, sizeof port, "%u", (unsigned)p->port);
	snprintf(lease, sizeof lease, "%u", SHOAL_PORTMAP_LEASE);
	int rc = UPNP_AddPortMapping(p->urls.controlURL, p->service, port, port, lan, "shoal", protocol, NULL, lease);
	if (rc == PERMANENT_ONLY)
		rc = UPNP_AddPortMapping(p->urls.controlURL, p->service, port, port, lan, "shoal", protocol, NULL, "0");
	return rc == 0 ? 0 : SHOAL_ERR_REFUSED;
}

static int upnp_map_at(struct shoal_portmap *p, const char *description, struct shoal_portmap_said *said)
{
	struct IGDdatas data;
	char lan[64] = "", outside[40] = "";
	memset(&data, 0, sizeof data);
	if (!near(description) || UPNP_GetIGDFromUrl(description, &p->urls, &data, lan, sizeof lan) != 1)
		return SHOAL_ERR_REFUSED;
	snprintf(p->service, sizeof p->service, "%s", data.first.servicetype);
	int rc = near(p->urls.controlURL) ? upnp_port(p, lan, "TCP") : SHOAL_ERR_REFUSED;
	if (rc < 0) {
		upnp_forget(p);
		return rc;
	}
	(void)!upnp_port(p, lan, "UDP");
	if (UPNP_GetExternalIPAddress(p->urls.controlURL, p->service, outside) != 0 ||
	    shoal_addr_host(outside, 0, &said->outside) < 0)
		said->outside = (struct shoal_addr){ .is_v4 = 1 };
	said->outside.port = p->port;
	return 0;
}

static int upnp_map(struct shoal_portmap *p, struct shoal_portmap_said *said)
{
	int found, rc = SHOAL_ERR_REFUSED, tries = 0;
	struct UPNPDev *all = upnpDiscover(DISCOVER_MS, NULL, NULL, UPNP_LOCAL_PORT_ANY, 0, 2, &found);
	for (struct UPNPDev *d = all; d != NULL && rc < 0 && tries < DEVICES_MAX; d = d->pNext, tries++)
		rc = upnp_map_at(p, d->descURL, said);
	freeUPNPDevlist(all);
	return rc;
}

static void upnp_unmap(struct shoal_portmap *p)
{
	char port[8];
	snprintf(port, sizeof port, "%u", (unsigned)p->port);
	UPNP_DeletePortMapping(p->urls.controlURL, p->service, port, "TCP", NULL);
	UPNP_DeletePortMapping(p->urls.controlURL, p->service, port, "UDP", NULL);
}

/* ---- the thread -------------------------------------------------------------------------------------- */

static void forget(struct shoal_portmap *p)
{
	if (p->by == UPNP)
		upnp_forget(p);
	p->by = NOBODY;
}

static struct shoal_portmap_said map(struct shoal_portmap *p)
{
	struct shoal_portmap_said said = { .by = "NAT-PMP" };
	forget(p); /* renewing is mapping the same again */
	said.err = natpmp_map(p, &said);
	if (said.err == 0) {
		p->by = NATPMP;
	} else if (said.err != SHOAL_ERR_GONE) {
		said = (struct shoal_portmap_said){ .by = "UPnP" };
		said.err = upnp_map(p, &said);
		p->by = said.err == 0 ? UPNP : NOBODY;
	}
	return said;
}

static void unmap(struct shoal_portmap *p)
{
	if (p->by == NATPMP)
		natpmp_unmap(p);
	else if (p->by == UPNP)
		upnp_unmap(p);
	forget(p);
}

/* Until `at`, or news. With the lock. */
static void wait_until(struct shoal_portmap *p, shoal_us at)
{
	struct timespec ts = { (time_t)(at / 1000000), (long)(at % 1000000 * 1000) };
	while (!p->over && !p->again && pthread_cond_timedwait(&p->news, &p->lock, &ts) != ETIMEDOUT)
		;
}

static void *run(void *arg)
{
	struct shoal_portmap *p = arg;
	shoal_us again = AGAIN_MIN;
	pthread_mutex_lock(&p->lock);
	while (!p->over) {
		p->again = false;
		p->busy = p->by == NOBODY;
		pthread_mutex_unlock(&p->lock);
		struct shoal_portmap_said said = map(p);
		pthread_mutex_lock(&p->lock);
		p->busy = false;
		p->said = said;
		p->said_is_new = true;
		uint64_t one = 1;
		ssize_t n = p->os->write(p->fd, &one, sizeof one); /* fails only at a count that has been seen */
		(void)n;
		again = said.err == 0 ? AGAIN_MIN : shoal_min_u64(2 * again, AGAIN_MAX);
		wait_until(p, p->os->now() + (said.err == 0 ? SHOAL_S(SHOAL_PORTMAP_LEASE / 2) : again / 2));
	}
	pthread_mutex_unlock(&p->lock);
	unmap(p);
	pthread_mutex_lock(&p->lock);
	p->ended = true;
	bool orphan = p->orphan;
	pthread_cond_broadcast(&p->news);
	pthread_mutex_unlock(&p->lock);
	if (orphan)
		whole_free(p);
	return NULL;
}

int shoal_portmap_new(struct shoal_portmap **out, const struct shoal_os_ops *os, uint16_t port)
{
	struct shoal_portmap *p = calloc(1, sizeof *p);
	if (p == NULL)
		return SHOAL_ERR_NOMEM;
	p->os = os;
	p->port = port;
	pthread_condattr_t attr; /* none of these can fail on Linux */
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->news, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&p->lock, NULL);
	p->fd = os->eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int rc = p->fd < 0 ? SHOAL_ERR_IO : 0;
	if (rc == 0 && os->thread_start(&p->thread, run, p) < 0)
		rc = SHOAL_ERR_NOMEM;
	if (rc < 0) {
		whole_free(p);
		return rc;
	}
	*out = p;
	return 0;
}

void shoal_portmap_free(struct shoal_portmap *p)
{
	if (p == NULL)
		return;
	pthread_t thread = p->thread;
	shoal_us until = p->os->now() + SHOAL_PORTMAP_BYE;
	struct timespec ts = { (time_t)(until / 1000000), (long)(until % 1000000 * 1000) };
	pthread_mutex_lock(&p->lock);
	p->over = true;
	pthread_cond_broadcast(&p->news);
	/* Who is still looking for a router has nothing to take back that is known: it is not waited for. */
	while (!p->ended && !p->busy && pthread_cond_timedwait(&p->news, &p->lock, &ts) != ETIMEDOUT)
		;
	bool ended = p->ended;
	p->orphan = !ended;
	if (!ended)
		pthread_detach(thread); /* before it can know: it frees `p` once it has the lock */
	pthread_mutex_unlock(&p->lock);
	if (!ended)
		return;
	pthread_join(thread, NULL);
	whole_free(p);
}

void shoal_portmap_again(struct shoal_portmap *p)
{
	pthread_mutex_lock(&p->lock);
	p->again = true;
	pthread_cond_broadcast(&p->news);
	pthread_mutex_unlock(&p->lock);
}

int shoal_portmap_fd(const struct shoal_portmap *p)
{
	return p->fd;
}

int shoal_portmap_reap(struct shoal_portmap *p, struct shoal_portmap_said *out)
{
	pthread_mutex_lock(&p->lock);
	bool news = p->said_is_new;
	*out = p->said;
	p->said_is_new = false;
	pthread_mutex_unlock(&p->lock);
	return news;
}
