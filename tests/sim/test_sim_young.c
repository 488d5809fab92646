/*
 * test_sim_young.c - a small DHT that comes up at once: all know one node, and nobody has an id it has earned.
 *
 * Each learns its address and earns its id within seconds; and a value that
 * is changed right then is found changed, by whoever knows that one node alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dht/items.h"
#include "proto/base/bytes.h"
#include "tests/sim/dht_net.h"

static uint32_t nets(uint32_t usual)
{
	return getenv("SHOAL_LONG") != NULL ? 10 * usual : getenv("SHOAL_SHORT") != NULL ? usual / 4 : usual;
}

static uint32_t stranger(struct dht_net *net)
{
	struct shoal_id20 id;
	for (int i = 0; i < 20; i++)
		id.b[i] = (uint8_t)(shoal_rng_next(&net->rng) >> 8);
	return dht_net_join(net, &id);
}

static void come_up(struct dht_net *net, uint64_t seed, uint32_t nodes, shoal_us apart)
{
	dht_net_init(net, seed, 0);
	net->one_router = true;
	net->crypto = &dht_net_crypto;
	while (net->alive < nodes) {
		stranger(net);
		dht_net_run(net, net->now + (net->alive == 1 ? SHOAL_MS(300) : apart));
	}
	dht_net_run(net, net->now + SHOAL_S(18));
}

static unsigned unearned(const struct dht_net *net)
{
	unsigned n = 0;
	for (uint32_t i = 0; i < net->count; i++) {
		struct shoal_dht_facts facts;
		if (net->node[i].dht == NULL)
			continue; /* no address of the open network */
		shoal_dht_facts(net->node[i].dht, &facts);
		n += !shoal_node_id_fits(&facts.id, &net->node[i].addr);
	}
	return n;
}

static void each_earns_its_id(void **state)
{
	static const struct {
		uint32_t nodes, nets;
		shoal_us apart;
	} all[] = {
		{ 12, 200, SHOAL_MS(20) }, { 20, 40, SHOAL_MS(20) }, { 100, 4, SHOAL_MS(5) }, { 300, 4, SHOAL_MS(1) }
	};
	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		unsigned late = 0, of = nets(all[i].nets);
		uint64_t datagrams = 0;
		for (uint64_t seed = 1; seed <= of; seed++) {
			struct dht_net net;
			come_up(&net, seed, all[i].nodes, all[i].apart);
			late += unearned(&net);
			datagrams += net.datagrams;
			dht_net_fini(&net);
		}
		print_message("%u nets of %u: %u without an id of their own, %u datagrams a node\n", of, all[i].nodes,
			      late, (unsigned)(datagrams / of / all[i].nodes));
		assert_int_equal(late, 0);
	}
}

/* The question under way: what came of it. */
struct heard {
	uint32_t node;
	int64_t search, seq; /* seq 0: nothing was found */
	bool over;
	unsigned written;
};

static void hear(struct dht_net *net, uint32_t node, const struct shoal_dht_event *ev)
{
	struct heard *h = net->user;
	if (node != h->node || ev->search != h->search || h->over)
		return;
	if (ev->kind == SHOAL_DHT_ITEM)
		h->seq = ev->seq;
	if (ev->kind != SHOAL_DHT_DONE)
		return;
	h->over = true;
	h->written = ev->written;
}

/* Somebody new asks, and is gone when he has his answer, or stays. */
static struct heard asks(struct dht_net *net, struct shoal_dht_ask what, bool stays)
{
	struct heard h = { .node = stranger(net) };
	shoal_us end = net->now + SHOAL_S(30);
	what.k = shoal_bytes(dht_net_key, sizeof dht_net_key);
	shoal_item_target_of(dht_net_key, shoal_bytes(NULL, 0), &what.target);
	h.search = shoal_dht_search(net->node[h.node].dht, &what, net->now);
	assert_true(h.search > 0);
	net->user = &h;
	net->heard = hear;
	dht_net_flush(net, h.node);
	while (!h.over && net->now < end)
		dht_net_run(net, net->now + SHOAL_MS(10));
	assert_true(h.over);
	net->heard = NULL;
	if (!stays)
		dht_net_kill(net, h.node);
	return h;
}

static void what_is_changed_is_found_changed(void **state)
{
	(void)state;
	for (unsigned who_stays = 0; who_stays < 3; who_stays++) { /* nobody who asked; who wrote; all */
		unsigned stale = 0, reads = 0, copies = 0, writes = 0;
		for (uint64_t seed = 1; seed <= nets(60); seed++) {
			struct dht_net net;
			come_up(&net, seed, 20, SHOAL_MS(20));
			for (int64_t seq = 1; seq <= 4; seq++) {
				struct shoal_dht_ask put = { .what = SHOAL_DHT_PUT,
							     .v = SHOAL_LIT("5:value"),
							     .sig = shoal_bytes(dht_net_sig, sizeof dht_net_sig),
							     .seq = seq };
				copies += asks(&net, put, who_stays > 0).written;
				writes++;
				for (int i = 0; i < 3; i++, reads++)
					stale += asks(&net, (struct shoal_dht_ask){ .what = SHOAL_DHT_GET },
						      who_stays > 1)
							 .seq != seq;
				dht_net_run(&net, net.now + SHOAL_S(2));
			}
			dht_net_fini(&net);
		}
		print_message("%u of %u reads found an older value or none; written to %.2f nodes on the average\n",
			      stale, reads, (double)copies / writes);
		assert_int_equal(stale, 0);
		assert_true(copies * 10 >= writes * 75);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_earns_its_id),
		cmocka_unit_test(what_is_changed_is_found_changed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
