/* test_engine_native.c - two whole engines in one process exchange a torrent over a loopback of their own. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "proto/base/bytes.h"
#include "swarm/core/contacts.h"
#include "swarm/io/addr.h"
#include "swarm/io/engine_native.h"
#include "tests/unit/own_net.h"
#include "tests/unit/own_torrent.h"

#define SIZE (4u << 20)
#define PATIENCE SHOAL_S(60)
#define KINDS (SHOAL_EV_FLIGHT + 1) /* of events, but for the DHT's */

static const struct shoal_engine_ops *const ops = &shoal_engine_native;

/* One engine, and what it has said so far. */
struct side {
	struct shoal_engine *engine;
	char folder[64], state[64];
	struct shoal_addr at;
	uint32_t torrent;
	unsigned said[KINDS];
	int err[KINDS]; /* of the last of each kind */
	uint64_t ticket[KINDS];
	struct shoal_stats stats;
	char text[200];
};

static struct shoal_config config_on(const char *host)
{
	struct shoal_config config = { .size = sizeof config, .memory = 32u << 20, .threads = 2 };
	if (host != NULL) {
		assert_int_equal(shoal_addr_host(host, 0, &config.listen[0]), 0);
		config.listen_count = 1;
	}
	return config;
}

static void open_side(struct side *s, const char *host, bool remembers)
{
	char what[160];
	struct shoal_config config = config_on(host);
	memset(s, 0, sizeof *s);
	own_folder(s->folder, sizeof s->folder);
	if (remembers) {
		own_folder(s->state, sizeof s->state);
		config.state_dir = s->state;
	}
	if (ops->open(&s->engine, &config, what) < 0)
		fail_msg("open: %s", what);
}

static void close_side(struct side *s)
{
	ops->close(s->engine);
	own_folder_end(s->folder);
	if (s->state[0] != '\0')
		own_folder_end(s->state);
}

/* Fetches one event, if there is any within `wait_ms`. */
static bool step(struct side *s, int wait_ms)
{
	struct shoal_event ev;
	if (ops->poll(s->engine, &ev, wait_ms) == 0)
		return false;
	assert_true(ev.kind >= 1 && ev.kind < KINDS && ev.t != 0);
	s->said[ev.kind]++;
	s->err[ev.kind] = ev.err;
	s->ticket[ev.kind] = ev.ticket;
	if (ev.kind == SHOAL_EV_LISTENING)
		s->at = ev.addr;
	if (ev.kind == SHOAL_EV_ADDED)
		s->torrent = ev.torrent;
	if (ev.kind == SHOAL_EV_STATS || ev.kind == SHOAL_EV_COMPLETE)
		s->stats = ev.stats;
	if (ev.text.len > 0)
		snprintf(s->text, sizeof s->text, "%.*s", (int)ev.text.len, (const char *)ev.text.at);
	if (ev.kind == SHOAL_EV_ERROR || ev.kind == SHOAL_EV_WARNING || (ev.kind == SHOAL_EV_ADDED && ev.err < 0))
		print_message("event %d: %s: %s\n", (int)ev.kind, shoal_err_name(ev.err), s->text);
	return true;
}

/* Runs one or two engines until the first has said `kind` `count` times. */
static void run_until(struct side *s, struct side *other, enum shoal_event_kind kind, unsigned count)
{
	shoal_us give_up = shoal_os_real.now() + PATIENCE;
	while (s->said[kind] < count) {
		if (shoal_os_real.now() > give_up)
			fail_msg("event %d did not come", (int)kind);
		step(s, other == NULL ? 20 : 1);
		while (other != NULL && step(other, 1))
			;
	}
}

static void do_op(struct side *s, struct shoal_op op)
{
	assert_int_equal(ops->do_op(s->engine, &op), 0);
}

static struct shoal_bytes text_of(const char *text)
{
	return shoal_bytes(text, strlen(text));
}

static const struct own_file content[] = { { "content.bin", SIZE, false } };
static struct own_torrent own;
static uint8_t *torrent; /* the .torrent file */
static size_t torrent_len;
static uint8_t *bytes; /* its content */

static int make_content(void **state)
{
	(void)state;
	own_torrent_make(&own, OWN_V1, 64 * 1024, "content.bin", content, 1, true);
	struct shoal_bytes info = shoal_metainfo_info(own.mi);
	torrent = malloc(info.len + 8);
	bytes = malloc(SIZE);
	assert_true(torrent != NULL && bytes != NULL);
	memcpy(torrent, "d4:info", 7);
	memcpy(torrent + 7, info.at, info.len);
	torrent[7 + info.len] = 'e';
	torrent_len = info.len + 8;
	own_bytes(0, 0, bytes, SIZE);
	return 0;
}

static int free_content(void **state)
{
	(void)state;
	own_torrent_free(&own);
	free(torrent);
	free(bytes);
	return 0;
}

static void add(struct side *s, unsigned flags)
{
	do_op(s, (struct shoal_op){ .kind = SHOAL_OP_ADD,
				    .ticket = 7,
				    .flags = flags,
				    .data = { torrent, torrent_len },
				    .folder = text_of(s->folder) });
	run_until(s, NULL, SHOAL_EV_ADDED, 1);
	assert_int_equal(s->err[SHOAL_EV_ADDED], 0);
	assert_int_equal(s->ticket[SHOAL_EV_ADDED], 7);
}

static void seed(struct side *s)
{
	own_write(s->folder, "content.bin", bytes, SIZE);
	add(s, SHOAL_ADD_SEED_ONLY);
	run_until(s, NULL, SHOAL_EV_CHECKED, 1);
}

static void got_it_all(struct side *s)
{
	uint8_t *got = malloc(SIZE);
	assert_non_null(got);
	assert_int_equal(own_read(s->folder, "content.bin", got, SIZE), SIZE);
	assert_memory_equal(got, bytes, SIZE);
	free(got);
	assert_true(s->stats.complete && s->stats.done == SIZE && s->stats.hash_failures == 0);
}

static void two_engines_exchange_a_torrent(void **state)
{
	struct side a, b;
	(void)state;
	open_side(&a, "127.0.0.1", false);
	open_side(&b, NULL, false);
	run_until(&a, NULL, SHOAL_EV_LISTENING, 1);
	assert_true(a.at.port != 0);
	seed(&a);
	add(&b, 0);
	do_op(&b, (struct shoal_op){ .kind = SHOAL_OP_PEER, .torrent = b.torrent, .addr = a.at });
	run_until(&b, &a, SHOAL_EV_COMPLETE, 1);
	got_it_all(&b);
	assert_true(b.stats.downloaded >= SIZE);
	/* An orderly end of one; the other is closed while it is running. */
	do_op(&b, (struct shoal_op){ .kind = SHOAL_OP_STOP, .ticket = 9 });
	run_until(&b, &a, SHOAL_EV_STOPPED, 1);
	assert_int_equal(b.ticket[SHOAL_EV_STOPPED], 9);
	close_side(&b);
	close_side(&a);
}

static void a_second_run_remembers(void **state)
{
	struct side a, b;
	char what[160];
	(void)state;
	open_side(&a, "127.0.0.1", true);
	open_side(&b, "::1", true);
	seed(&a);
	add(&b, 0);
	do_op(&b, (struct shoal_op){ .kind = SHOAL_OP_PEER, .torrent = b.torrent, .addr = a.at });
	run_until(&b, &a, SHOAL_EV_COMPLETE, 1);
	got_it_all(&b);
	ops->close(b.engine);
	/* Nobody to fetch from, and nothing to hash: what is there is known. */
	struct shoal_config config = config_on(NULL);
	config.state_dir = b.state;
	memset(b.said, 0, sizeof b.said);
	if (ops->open(&b.engine, &config, what) < 0)
		fail_msg("open: %s", what);
	add(&b, 0);
	run_until(&b, NULL, SHOAL_EV_COMPLETE, 1);
	got_it_all(&b);
	assert_int_equal(b.stats.downloaded, 0);
	close_side(&b);
	close_side(&a);
}

static void a_torrent_in_a_folder_has_one_owner(void **state)
{
	struct side a, b;
	char what[160], pid[32];
	(void)state;
	open_side(&a, NULL, true);
	seed(&a);
	/* Another engine on the same state, as another process would be. */
	struct shoal_config config = config_on(NULL);
	config.state_dir = a.state;
	memset(&b, 0, sizeof b);
	if (ops->open(&b.engine, &config, what) < 0)
		fail_msg("open: %s", what);
	struct shoal_op op = { .kind = SHOAL_OP_ADD, .data = { torrent, torrent_len }, .folder = text_of(a.folder) };
	do_op(&b, op);
	run_until(&b, NULL, SHOAL_EV_ADDED, 1);
	assert_int_equal(b.err[SHOAL_EV_ADDED], SHOAL_ERR_OWNED);
	snprintf(pid, sizeof pid, "(pid %ld)", (long)getpid());
	assert_non_null(strstr(b.text, pid));
	/* Elsewhere it may have it; and here too, once the first has let go. */
	own_folder(b.folder, sizeof b.folder);
	op.folder = text_of(b.folder);
	do_op(&b, op);
	run_until(&b, NULL, SHOAL_EV_ADDED, 2);
	assert_int_equal(b.err[SHOAL_EV_ADDED], 0);
	do_op(&b, (struct shoal_op){ .kind = SHOAL_OP_REMOVE, .torrent = b.torrent });
	run_until(&b, NULL, SHOAL_EV_DONE, 1);
	do_op(&a, (struct shoal_op){ .kind = SHOAL_OP_REMOVE, .torrent = a.torrent });
	run_until(&a, NULL, SHOAL_EV_DONE, 1);
	op.folder = text_of(a.folder);
	do_op(&b, op);
	run_until(&b, NULL, SHOAL_EV_ADDED, 3);
	assert_int_equal(b.err[SHOAL_EV_ADDED], 0);
	close_side(&b);
	close_side(&a);
}

static void peers_can_be_named(void **state)
{
	struct side a, b;
	char text[SHOAL_ADDR_TEXT_MAX + 20], at[SHOAL_ADDR_TEXT_MAX];
	(void)state;
	open_side(&a, "127.0.0.1", false);
	open_side(&b, NULL, false);
	seed(&a);
	add(&b, 0);
	/* Text that is no address at all; a name that is not there; an address; a name. */
	struct shoal_op op = { .kind = SHOAL_OP_PEER, .torrent = b.torrent, .ticket = 1, .text = text_of("nowhere") };
	assert_int_equal(ops->do_op(b.engine, &op), SHOAL_ERR_USAGE);
	do_op(&b, (struct shoal_op){ .kind = SHOAL_OP_PEER,
				     .torrent = b.torrent,
				     .ticket = 2,
				     .text = text_of("no.such.host.invalid:80") });
	run_until(&b, NULL, SHOAL_EV_DONE, 1);
	assert_true(b.err[SHOAL_EV_DONE] < 0 && b.ticket[SHOAL_EV_DONE] == 2);
	snprintf(text, sizeof text, "%s",
		 shoal_addr_text(&(struct shoal_addr){ .ip = { 127, 0, 0, 1 }, .port = 9, .is_v4 = 1 }, at));
	do_op(&b, (struct shoal_op){ .kind = SHOAL_OP_PEER, .torrent = b.torrent, .ticket = 3, .text = text_of(text) });
	run_until(&b, NULL, SHOAL_EV_DONE, 2);
	assert_true(b.err[SHOAL_EV_DONE] == 0 && b.ticket[SHOAL_EV_DONE] == 3);
	snprintf(text, sizeof text, "localhost:%u", (unsigned)a.at.port);
	do_op(&b, (struct shoal_op){ .kind = SHOAL_OP_PEER, .torrent = b.torrent, .ticket = 4, .text = text_of(text) });
	run_until(&b, &a, SHOAL_EV_COMPLETE, 1);
	assert_true(b.err[SHOAL_EV_DONE] == 0 && b.ticket[SHOAL_EV_DONE] == 4);
	got_it_all(&b);
	/* One port too many of a host, for a link; not for the user. */
	for (unsigned i = 0; i <= SHOAL_CONTACTS_HOST; i++) {
		snprintf(text, sizeof text, "80.1.2.3:%u", 7000 + i);
		op = (struct shoal_op){ .kind = SHOAL_OP_PEER,
					.torrent = b.torrent,
					.flags = SHOAL_PEER_FROM_LINK,
					.text = text_of(text) };
		assert_int_equal(ops->do_op(b.engine, &op), i < SHOAL_CONTACTS_HOST ? SHOAL_OK : SHOAL_ERR_RANGE);
	}
	op.flags = 0;
	do_op(&b, op);
	op = (struct shoal_op){ .kind = SHOAL_OP_PEER, .torrent = 99, .text = text_of("127.0.0.1:80") };
	assert_int_equal(ops->do_op(b.engine, &op), SHOAL_ERR_GONE);
	close_side(&b);
	close_side(&a);
}

static void a_magnet_names_its_peers(void **state)
{
	struct side a, b;
	char link[300], at[SHOAL_ADDR_TEXT_MAX];
	const struct shoal_id20 *v1 = shoal_metainfo_hash_v1(own.mi);
	(void)state;
	open_side(&a, "127.0.0.1", false);
	open_side(&b, NULL, false);
	seed(&a);
	size_t n = (size_t)snprintf(link, sizeof link, "magnet:?xt=urn:btih:");
	for (size_t i = 0; i < sizeof v1->b; i++)
		n += (size_t)snprintf(link + n, sizeof link - n, "%02x", v1->b[i]);
	snprintf(link + n, sizeof link - n, "&x.pe=no.such.host.invalid:1&x.pe=%s", shoal_addr_text(&a.at, at));
	do_op(&b, (struct shoal_op){ .kind = SHOAL_OP_ADD, .text = text_of(link), .folder = text_of(b.folder) });
	run_until(&b, &a, SHOAL_EV_COMPLETE, 1);
	assert_int_equal(b.said[SHOAL_EV_METADATA], 1);
	assert_int_equal(b.said[SHOAL_EV_DONE], 0); /* nobody asked */
	got_it_all(&b);
	close_side(&b);
	close_side(&a);
}

/* Of v1, it may lie within a piece: no file's, and not to be counted as one's. */
static void padding_within_a_piece_is_nobodys(void **state)
{
	static const struct own_file files[] = { { "a", 1000, false }, { "p", 9, true }, { "b", 50000, false } };
	struct own_torrent padded;
	struct side s;
	(void)state;
	own_torrent_make(&padded, OWN_V1, 16384, "t", files, 3, false);
	struct shoal_bytes info = shoal_metainfo_info(padded.mi);
	uint8_t *at = malloc(info.len + 8), *data = malloc(50000);
	assert_true(at != NULL && data != NULL);
	memcpy(at, "d4:info", 7);
	memcpy(at + 7, info.at, info.len);
	at[7 + info.len] = 'e';
	open_side(&s, NULL, false);
	own_bytes(0, 0, data, 1000);
	own_write(s.folder, "t/a", data, 1000);
	own_bytes(1, 0, data, 50000);
	own_write(s.folder, "t/b", data, 50000);
	do_op(&s, (struct shoal_op){ .kind = SHOAL_OP_ADD,
				     .flags = SHOAL_ADD_SEED_ONLY,
				     .data = shoal_bytes(at, info.len + 8),
				     .folder = text_of(s.folder) });
	run_until(&s, NULL, SHOAL_EV_CHECKED, 1);
	do_op(&s, (struct shoal_op){ .kind = SHOAL_OP_STATS, .torrent = s.torrent });
	run_until(&s, NULL, SHOAL_EV_STATS, 1);
	assert_int_equal(s.stats.size, 51000);
	assert_int_equal(s.stats.done, 51000);
	assert_int_equal(s.stats.verified, 51000);
	close_side(&s);
	free(at);
	free(data);
	own_torrent_free(&padded);
}

static void what_cannot_be_opened_says_why(void **state)
{
	struct side a;
	struct shoal_engine *none = NULL;
	char what[160];
	(void)state;
	open_side(&a, "127.0.0.1", false);
	run_until(&a, NULL, SHOAL_EV_LISTENING, 1);
	struct shoal_config config = config_on("127.0.0.1");
	config.listen[0] = a.at;
	assert_int_equal(ops->open(&none, &config, what), SHOAL_ERR_NET);
	assert_non_null(strstr(what, "127.0.0.1:"));
	assert_non_null(strstr(what, strerror(EADDRINUSE)));
	config = config_on("203.0.113.1");
	assert_int_equal(ops->open(&none, &config, what), SHOAL_ERR_NET);
	config = config_on(NULL);
	config.memory = 1 << 20;
	assert_int_equal(ops->open(&none, &config, what), SHOAL_ERR_NOMEM);
	assert_true(what[0] != '\0');
	config = config_on(NULL);
	config.size--;
	assert_int_equal(ops->open(&none, &config, what), SHOAL_ERR_UNSUPPORTED);
	assert_null(none);
	close_side(&a);
}

static int fail_after;
static int failing_socket(int domain, int type, int protocol)
{
	if (fail_after-- > 0)
		return shoal_os_real.socket(domain, type, protocol);
	errno = EMFILE;
	return -1;
}
static int failing_eventfd(unsigned start, int flags)
{
	if (fail_after-- > 0)
		return shoal_os_real.eventfd(start, flags);
	errno = EMFILE;
	return -1;
}

static void a_half_opened_engine_leaves_nothing(void **state)
{
	static struct shoal_os_ops poor;
	struct shoal_config config = config_on("127.0.0.1");
	struct shoal_engine *e = NULL;
	char what[160];
	int failed = 0;
	(void)state;
	for (int kind = 0; kind < 2; kind++) {
		poor = shoal_os_real;
		if (kind == 0)
			poor.socket = failing_socket;
		else
			poor.eventfd = failing_eventfd;
		for (int n = 0; n < 10; n++) {
			fail_after = n;
			if (shoal_engine_native_open(&e, &config, &poor, what) == 0) {
				ops->close(e);
				break;
			}
			assert_true(what[0] != '\0');
			failed++;
		}
	}
	assert_true(failed >= 3); /* a sanitizer sees what was left */
}

static void *wake_soon(void *engine)
{
	usleep(20000);
	ops->wake(engine);
	return NULL;
}

static void a_poll_waits_no_longer_than_it_must(void **state)
{
	struct side a;
	pthread_t thread;
	struct shoal_event ev;
	(void)state;
	open_side(&a, NULL, false);
	shoal_us start = shoal_os_real.now();
	assert_int_equal(ops->poll(a.engine, &ev, 0), 0);
	assert_true(shoal_os_real.now() - start < SHOAL_S(1));
	start = shoal_os_real.now();
	assert_int_equal(ops->poll(a.engine, &ev, 50), 0);
	assert_true(shoal_os_real.now() - start >= SHOAL_MS(50));
	start = shoal_os_real.now();
	assert_int_equal(pthread_create(&thread, NULL, wake_soon, a.engine), 0);
	assert_int_equal(ops->poll(a.engine, &ev, 60000), 0);
	assert_true(shoal_os_real.now() - start < SHOAL_S(20));
	pthread_join(thread, NULL);
	ops->wake(a.engine); /* one that came before the poll counts too */
	assert_int_equal(ops->poll(a.engine, &ev, 60000), 0);
	assert_true(shoal_os_real.now() - start < SHOAL_S(20));
	close_side(&a);
	ops->close(NULL);
}

static void the_signal_mask_is_given_back(void **state)
{
	struct side a, b;
	sigset_t mask;
	(void)state;
	open_side(&a, NULL, false);
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	assert_true(sigismember(&mask, SIGPIPE));
	open_side(&b, NULL, false);
	close_side(&b);
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	assert_true(sigismember(&mask, SIGPIPE)); /* still needed by the first */
	raise(SIGPIPE);
	close_side(&a);
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	assert_false(sigismember(&mask, SIGPIPE)); /* and the one that was pending did not end us */
}

static void opening_is_quick(void **state)
{
	shoal_us best = SHOAL_NEVER;
	(void)state;
	for (int i = 0; i < 5; i++) {
		struct side a;
		shoal_us start = shoal_os_real.now();
		open_side(&a, "127.0.0.1", true);
		shoal_us took = shoal_os_real.now() - start;
		best = took < best ? took : best;
		close_side(&a);
	}
	print_message("open(): %llu us\n", (unsigned long long)best);
	assert_true(best < SHOAL_MS(100)); /* 3 ms are aimed at; sanitizers and busy machines take longer */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_engines_exchange_a_torrent),
		cmocka_unit_test(a_second_run_remembers),
		cmocka_unit_test(a_torrent_in_a_folder_has_one_owner),
		cmocka_unit_test(peers_can_be_named),
		cmocka_unit_test(a_magnet_names_its_peers),
		cmocka_unit_test(padding_within_a_piece_is_nobodys),
		cmocka_unit_test(what_cannot_be_opened_says_why),
		cmocka_unit_test(a_half_opened_engine_leaves_nothing),
		cmocka_unit_test(a_poll_waits_no_longer_than_it_must),
		cmocka_unit_test(the_signal_mask_is_given_back),
		cmocka_unit_test(opening_is_quick),
	};
	own_net();
	return cmocka_run_group_tests(tests, make_content, free_content);
}
