/* test_http_curl.c - fetches over real sockets from a small server of our own: what is delivered, refused, sent, called off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/base/bytes.h"
#include "swarm/io/http_curl.h"
#include "tests/unit/own_net.h"

#define LENGTH 300000u /* of the resource */
#define OUT_THERE "198.41.0.4"

/* ---- the server: a process, and one more for each connection ------------------------------- */

static uint16_t port;
static pid_t server;

static uint8_t byte_at(uint64_t i)
{
	return (uint8_t)(i * 7 + i / 251);
}

static void send_all(int fd, const void *at, size_t len)
{
	for (const char *p = at; len > 0;) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
		if (n <= 0)
			_exit(0);
		p += n;
		len -= (size_t)n;
	}
}

__attribute__((format(printf, 2, 3))) static void head(int fd, const char *format, ...)
{
	char text[1024];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	send_all(fd, text, (size_t)n);
}

static void send_resource(int fd, uint64_t from, uint64_t to)
{
	static uint8_t bytes[LENGTH];
	for (uint64_t i = from; i < to; i++)
		bytes[i - from] = byte_at(i);
	send_all(fd, bytes, to - from);
}

/* "/to?WHERE" */
static bool redirect(const char *path, char *to, size_t room)
{
	size_t n = strcspn(path, " ");
	if (strncmp(path, "/to?", 4) != 0 || n - 4 >= room)
		return false;
	memcpy(to, path + 4, n - 4);
	to[n - 4] = '\0';
	return true;
}

static void answer(int fd, const char *request)
{
	const char *path = strchr(request, ' ') + 1;
	const char *range = strstr(request, "\r\nRange: bytes=");
	char to[512];
	if (strncmp(path, "/data", 5) == 0 && range != NULL) {
		uint64_t from = strtoull(range + 15, NULL, 10), last = strtoull(strchr(range + 15, '-') + 1, NULL, 10);
		head(fd, "HTTP/1.1 206 P\r\nContent-Length: %llu\r\nContent-Range: bytes %llu-%llu/%u\r\n\r\n",
		     (unsigned long long)(last + 1 - from), (unsigned long long)from, (unsigned long long)last, LENGTH);
		send_resource(fd, from, last + 1);
	} else if (strncmp(path, "/data", 5) == 0) {
		head(fd, "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n", LENGTH);
		send_resource(fd, 0, LENGTH);
	} else if (strncmp(path, "/busy", 5) == 0) {
		head(fd, "HTTP/1.1 503 B\r\nContent-Length: 4\r\nRetry-After: 7\r\n\r\nbusy");
	} else if (redirect(path, to, sizeof to)) {
		head(fd, "HTTP/1.1 302 F\r\nContent-Length: 0\r\nLocation: %s\r\nSet-Cookie: a=b\r\n\r\n", to);
	} else if (strncmp(path, "/silent", 7) == 0) {
		pause();
	} else { /* what was asked, as it was asked */
		head(fd, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nSet-Cookie: a=b\r\n\r\n", strlen(request));
		send_all(fd, request, strlen(request));
	}
}

static void serve(int fd)
{
	static char text[8192];
	size_t have = 0;
	alarm(60);
	for (;;) {
		ssize_t n = recv(fd, text + have, sizeof text - 1 - have, 0);
		if (n <= 0)
			_exit(0);
		have += (size_t)n;
		text[have] = '\0';
		if (strstr(text, "\r\n\r\n") == NULL)
			continue;
		answer(fd, text);
		have = 0;
	}
}

static int start_server(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof at;
	(void)state;
	own_net_address(OUT_THERE);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) < 0 || listen(fd, 64) < 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) < 0)
		return -1;
	port = ntohs(at.sin_port);
	server = fork();
	if (server == 0) {
		setpgid(0, 0); /* to be ended together with those it makes */
		signal(SIGCHLD, SIG_IGN);
		for (;;) {
			int peer = accept(fd, NULL, NULL);
			if (peer < 0)
				_exit(0);
			if (fork() == 0)
				serve(peer);
			close(peer);
		}
	}
	close(fd);
	if (server > 0)
		setpgid(server, server); /* whoever of the two comes first */
	return server < 0 ? -1 : 0;
}

static int stop_server(void **state)
{
	(void)state;
	kill(-server, SIGKILL);
	waitpid(server, NULL, 0);
	return 0;
}

/* ---- a user ----------------------------------------------------------------------------------- */

struct user {
	struct shoal_loop *loop;
	struct shoal_http *http;
	uint8_t body[LENGTH + 1];
	uint64_t got, from;
	bool broken; /* bytes came out of order */
	unsigned ended;
	uint64_t last; /* cookie */
	struct shoal_fetched how;
	uint64_t stop_after; /* bytes; 0: never */
};

static void on_data(void *to, uint64_t cookie, uint64_t at, struct shoal_bytes data)
{
	struct user *u = to;
	if (u->got == 0)
		u->from = at;
	u->broken = u->broken || at != u->from + u->got || u->got + data.len > LENGTH;
	if (!u->broken)
		memcpy(u->body + u->got, data.at, data.len);
	u->got += data.len;
	if (u->stop_after > 0 && u->got >= u->stop_after)
		shoal_http_stop(u->http, cookie);
}

static void on_end(void *to, uint64_t cookie, const struct shoal_fetched *how)
{
	struct user *u = to;
	u->ended++;
	u->last = cookie;
	u->how = *how;
}

static struct user *user_new(const char *proxy)
{
	struct user *u = calloc(1, sizeof *u);
	struct shoal_http_options o = { .agent = "shoal/test", .proxy = proxy };
	assert_non_null(u);
	assert_int_equal(shoal_loop_new(&u->loop, &shoal_os_real), 0);
	struct shoal_http_user user = { .to = u, .data = on_data, .end = on_end };
	assert_int_equal(shoal_http_new(&u->http, u->loop, &shoal_os_real, &user, &o), 0);
	return u;
}

static void user_free(struct user *u)
{
	shoal_http_free(u->http);
	shoal_loop_free(u->loop);
	free(u);
}

/* Runs until `ended` fetches have ended, or `ms` have passed. */
static void run(struct user *u, unsigned ended, unsigned ms)
{
	shoal_us end = shoal_os_real.now() + SHOAL_MS((shoal_us)ms);
	while (u->ended < ended && shoal_os_real.now() < end) {
		shoal_us at = shoal_http_deadline(u->http);
		assert_int_equal(shoal_loop_run(u->loop, at < end ? at : end), 0);
		shoal_http_tick(u->http, shoal_loop_now(u->loop));
	}
}

static void ask_for(struct user *u, const char *host, const char *path, struct shoal_fetch f, unsigned ms)
{
	char url[700];
	snprintf(url, sizeof url, "http://%s:%u%s", host, (unsigned)port, path);
	f.url = shoal_bytes(url, strlen(url));
	f.timeout = SHOAL_S(20);
	f.most = f.most ? f.most : LENGTH;
	u->got = u->ended = 0;
	u->broken = false;
	assert_int_equal(shoal_http_fetch(u->http, &f, 5), 0);
	assert_int_equal(u->ended, 0);
	run(u, 1, ms);
	u->body[u->got <= LENGTH ? u->got : LENGTH] = '\0';
}

static void ask(struct user *u, const char *host, const char *path, struct shoal_fetch f)
{
	ask_for(u, host, path, f, 10000);
}

#define TRUSTED .flags = SHOAL_FETCH_TRUSTED

/* ---- what comes -------------------------------------------------------------------------------- */

static void all_of_it_and_parts(void **state)
{
	(void)state;
	static const struct {
		uint64_t from, to, size;
		int err;
	} parts[] = {
		{ 0, 0, 0, 0 },
		{ 0, 0, LENGTH, 0 },
		{ 0, 0, LENGTH + 1, SHOAL_ERR_MALFORMED },
		{ 0, 1, LENGTH, 0 },
		{ 0, LENGTH, LENGTH, 0 },
		{ 1000, 250000, LENGTH, 0 },
		{ LENGTH - 1, LENGTH, LENGTH, 0 },
		{ 1000, 2000, LENGTH - 1, SHOAL_ERR_MALFORMED },
		{ 1000, 2000, 0, 0 },
	};
	struct user *u = user_new(NULL);
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		ask(u, "127.0.0.1", "/data",
		    (struct shoal_fetch){ .from = parts[i].from, .to = parts[i].to, .size = parts[i].size, TRUSTED });
		print_message("[%llu, %llu) %s\n", (unsigned long long)parts[i].from, (unsigned long long)parts[i].to,
			      u->how.what);
		assert_int_equal(u->ended, 1);
		assert_int_equal(u->how.err, parts[i].err);
		assert_false(u->broken);
		if (parts[i].err < 0) {
			assert_int_equal(u->got, 0);
			continue;
		}
		assert_int_equal(u->how.status, parts[i].to ? 206 : 200);
		assert_int_equal(u->how.total, parts[i].to ? LENGTH : 0);
		assert_int_equal(u->how.server.port, port);
		assert_int_equal(u->got, (parts[i].to ? parts[i].to : LENGTH) - parts[i].from);
		for (uint64_t k = 0; k < u->got; k++)
			assert_int_equal(u->body[k], byte_at(parts[i].from + k));
	}
	ask(u, "127.0.0.1", "/data", (struct shoal_fetch){ .most = 1000, TRUSTED });
	assert_int_equal(u->how.err, SHOAL_ERR_TOO_LONG);
	assert_true(u->got <= 1000);
	user_free(u);
}

static void what_is_busy_says_until_when(void **state)
{
	(void)state;
	struct user *u = user_new(NULL);
	for (uint64_t size = 0; size < 2; size++) {
		ask(u, "127.0.0.1", "/busy", (struct shoal_fetch){ .size = size * LENGTH, TRUSTED });
		assert_int_equal(u->how.err, 0);
		assert_int_equal(u->how.status, 503);
		assert_int_equal(u->how.retry_after, 7);
		assert_int_equal(u->got, size ? 0 : 4); /* whoever wants a file wants no page about it */
	}
	user_free(u);
}

static void nothing_is_told_that_is_not_asked_for(void **state)
{
	(void)state;
	struct user *u = user_new(NULL);
	ask(u, "127.0.0.1", "/echo?x=1", (struct shoal_fetch){ TRUSTED });
	ask(u, "127.0.0.1", "/echo?x=1", (struct shoal_fetch){ TRUSTED }); /* once more, with its cookie set */
	char *text = (char *)u->body;
	print_message("%s", text);
	assert_int_equal(u->how.err, 0);
	assert_non_null(strstr(text, "GET /echo?x=1 HTTP/1.1\r\n"));
	assert_non_null(strstr(text, "\r\nUser-Agent: shoal/test\r\n"));
	assert_null(strstr(text, "Cookie"));
	assert_null(strstr(text, "Authorization"));
	assert_null(strstr(text, "Accept-Encoding"));
	assert_null(strstr(text, "Referer"));
	ask(u, "127.0.0.1", "/to?/to?/to?/to?/echo", (struct shoal_fetch){ TRUSTED });
	assert_int_equal(u->how.err, 0);
	u->body[u->got] = '\0';
	assert_null(strstr(text, "Cookie"));
	assert_null(strstr(text, "Referer"));
	ask(u, "127.0.0.1", "/to?/to?/to?/to?/to?/echo", (struct shoal_fetch){ TRUSTED });
	assert_int_equal(u->how.err, SHOAL_ERR_REFUSED);
	user_free(u);
}

/* ---- who is asked --------------------------------------------------------------------------------- */

static void trust_is_not_inherited(void **state)
{
	(void)state;
	struct user *u = user_new(NULL);
	char path[200];
	ask(u, "127.0.0.1", "/echo", (struct shoal_fetch){ .flags = 0 });
	assert_int_equal(u->how.err, SHOAL_ERR_REFUSED);
	ask(u, "127.0.0.1", "/echo", (struct shoal_fetch){ TRUSTED });
	assert_int_equal(u->how.err, 0);
	/* The connection is warm now. */
	ask(u, "127.0.0.1", "/echo", (struct shoal_fetch){ .flags = 0 });
	assert_int_equal(u->how.err, SHOAL_ERR_REFUSED);
	assert_int_equal(u->got, 0);
	/* Out there it may ask, but not be sent back in from there; not even for the user. */
	ask(u, OUT_THERE, "/echo", (struct shoal_fetch){ .flags = 0 });
	assert_int_equal(u->how.err, 0);
	snprintf(path, sizeof path, "/to?http://127.0.0.1:%u/echo", (unsigned)port);
	for (unsigned trusted = 0; trusted < 2; trusted++) {
		ask(u, OUT_THERE, path, (struct shoal_fetch){ .flags = trusted ? SHOAL_FETCH_TRUSTED : 0 });
		assert_int_equal(u->how.err, SHOAL_ERR_REFUSED);
		assert_int_equal(u->got, 0);
	}
	/* From in here to in here, and from in here out: as far as the user is trusted with it. */
	ask(u, "127.0.0.1", path, (struct shoal_fetch){ TRUSTED });
	assert_int_equal(u->how.err, 0);
	snprintf(path, sizeof path, "/to?http://%s:%u/echo", OUT_THERE, (unsigned)port);
	ask(u, "127.0.0.1", path, (struct shoal_fetch){ TRUSTED });
	assert_int_equal(u->how.err, 0);
	/* Out, and back in again over a third. */
	snprintf(path, sizeof path, "/to?http://%s:%u/to?http://127.0.0.1:%u/echo", OUT_THERE, (unsigned)port,
		 (unsigned)port);
	ask(u, "127.0.0.1", path, (struct shoal_fetch){ TRUSTED });
	assert_int_equal(u->how.err, SHOAL_ERR_REFUSED);
	ask(u, "127.0.0.1", "/to?ftp://127.0.0.1/x", (struct shoal_fetch){ TRUSTED });
	assert_int_equal(u->how.err, SHOAL_ERR_REFUSED);
	user_free(u);
}

static void a_proxy_is_the_users_alone(void **state)
{
	(void)state;
	char proxy[64];
	snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", (unsigned)port);
	setenv("http_proxy", proxy, 1); /* the environment's is not asked: nobody answers to that name */
	struct user *u = user_new(NULL);
	ask(u, "tracker.invalid", "/echo", (struct shoal_fetch){ .flags = 0 });
	assert_int_equal(u->how.err, SHOAL_ERR_NET);
	user_free(u);
	unsetenv("http_proxy");
	u = user_new(proxy);
	ask(u, "tracker.invalid", "/echo", (struct shoal_fetch){ .flags = 0 });
	assert_int_equal(u->how.err, 0);
	assert_non_null(strstr((char *)u->body, "GET http://tracker.invalid:"));
	static const char *const inside[] = { "127.0.0.1",   "10.0.0.1", "localhost", "LOCALHOST.",
					      "a.localhost", "x.local",	 "[::1]",     "[fe80::1]" };
	for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
		ask(u, inside[i], "/echo", (struct shoal_fetch){ .flags = 0 });
		assert_int_equal(u->how.err, SHOAL_ERR_REFUSED);
	}
	user_free(u);
}

/* ---- calling off, and how many ----------------------------------------------------------------------- */

static void a_fetch_may_be_called_off_any_time(void **state)
{
	(void)state;
	struct user *u = user_new(NULL);
	struct shoal_fetch f = { .timeout = SHOAL_S(20), .most = LENGTH, TRUSTED };
	char url[100];
	u->stop_after = 1; /* from within its first bytes */
	ask_for(u, "127.0.0.1", "/data", (struct shoal_fetch){ .to = LENGTH, .size = LENGTH, TRUSTED }, 300);
	assert_int_equal(u->ended, 0);
	u->stop_after = 0;
	snprintf(url, sizeof url, "http://127.0.0.1:%u/silent", (unsigned)port);
	f.url = shoal_bytes(url, strlen(url));
	for (unsigned ms = 0; ms < 40; ms += 10) { /* before it began, and after */
		assert_int_equal(shoal_http_fetch(u->http, &f, 9), 0);
		run(u, 1, ms);
		shoal_http_stop(u->http, 9);
		shoal_http_stop(u->http, 9);
		run(u, 1, 20);
		assert_int_equal(u->ended, 0);
	}
	ask(u, "127.0.0.1", "/echo", (struct shoal_fetch){ TRUSTED });
	assert_int_equal(u->how.err, 0);
	f.timeout = SHOAL_MS(200);
	assert_int_equal(shoal_http_fetch(u->http, &f, 10), 0);
	u->ended = 0;
	run(u, 1, 5000);
	assert_int_equal(u->how.err, SHOAL_ERR_TIMEOUT);
	f.timeout = SHOAL_S(20);
	assert_int_equal(shoal_http_fetch(u->http, &f, 11), 0); /* and one is under way when all ends */
	run(u, 2, 50);
	user_free(u);
}

static void there_is_a_bound(void **state)
{
	(void)state;
	struct user *u = user_new(NULL);
	struct shoal_fetch f = { .timeout = SHOAL_S(20), .most = LENGTH, TRUSTED };
	char url[100];
	snprintf(url, sizeof url, "http://127.0.0.1:%u/echo", (unsigned)port);
	f.url = shoal_bytes(url, strlen(url));
	for (uint64_t i = 0; i < SHOAL_HTTP_FETCHES_MAX; i++)
		assert_int_equal(shoal_http_fetch(u->http, &f, 100 + i), 0);
	assert_int_equal(shoal_http_fetch(u->http, &f, 99), SHOAL_ERR_BUSY);
	run(u, SHOAL_HTTP_FETCHES_MAX, 20000);
	assert_int_equal(u->ended, SHOAL_HTTP_FETCHES_MAX); /* four at a time, and all of them in the end */
	assert_int_equal(u->how.err, 0);
	assert_int_equal(shoal_http_deadline(u->http) == 0, 0);
	f.to = f.from = 5;
	assert_int_equal(shoal_http_fetch(u->http, &f, 99), SHOAL_ERR_USAGE);
	f.to = 0;
	assert_int_equal(shoal_http_fetch(u->http, &f, 99), SHOAL_ERR_USAGE);
	user_free(u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_it_and_parts),
		cmocka_unit_test(what_is_busy_says_until_when),
		cmocka_unit_test(nothing_is_told_that_is_not_asked_for),
		cmocka_unit_test(trust_is_not_inherited),
		cmocka_unit_test(a_proxy_is_the_users_alone),
		cmocka_unit_test(a_fetch_may_be_called_off_any_time),
		cmocka_unit_test(there_is_a_bound),
	};
	own_net();
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
