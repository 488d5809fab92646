/* dht_net.c - one heap of datagrams and deadlines. */
#include "tests/sim/dht_net.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"
#include "proto/reach.h"

#define STRIDE 2654435761u /* odd: numbers and addresses, one to one */
#define BACK 244002641u	   /* its inverse, modulo 2^32 */
#define PORT 6881
#define FRIENDS 3 /* places to begin at: as many as there are usual routers */

struct dht_net_packet {
	shoal_us at;
	uint64_t order;
	uint32_t node, from; /* from == node: its deadline */
	uint16_t len;
	uint8_t *data;
};

static bool before(const struct dht_net_packet *a, const struct dht_net_packet *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void heap_push(struct dht_net *net, struct dht_net_packet p)
{
	if (net->heap_count == net->heap_room) {
		net->heap_room = net->heap_room != 0 ? 2 * net->heap_room : 1024;
		net->heap = realloc(net->heap, net->heap_room * sizeof *net->heap);
		assert(net->heap != NULL);
	}
	p.order = ++net->order;
	size_t i = net->heap_count++;
	for (; i > 0 && before(&p, &net->heap[(i - 1) / 2]); i = (i - 1) / 2)
		net->heap[i] = net->heap[(i - 1) / 2];
	net->heap[i] = p;
}

static struct dht_net_packet heap_pop(struct dht_net *net)
{
	struct dht_net_packet top = net->heap[0], last = net->heap[--net->heap_count];
	size_t i = 0;
	for (size_t k; (k = 2 * i + 1) < net->heap_count; i = k) {
		k += k + 1 < net->heap_count && before(&net->heap[k + 1], &net->heap[k]);
		if (before(&last, &net->heap[k]))
			break;
		net->heap[i] = net->heap[k];
	}
	if (net->heap_count > 0)
		net->heap[i] = last;
	return top;
}

static struct shoal_addr addr_of(uint32_t number)
{
	struct shoal_addr a = { .port = PORT, .is_v4 = 1 };
	shoal_put_u32(a.ip, number * STRIDE + 0x01020304u);
	return a;
}

static uint32_t number_of(const struct shoal_addr *a)
{
	return (shoal_get_u32(a->ip) - 0x01020304u) * BACK;
}

static bool verify(void *to, const uint8_t sig[64], struct shoal_bytes text, const uint8_t k[32])
{
	(void)to;
	(void)text;
	return sig[0] == k[0];
}
const struct shoal_dht_crypto dht_net_crypto = { NULL, verify };
const uint8_t dht_net_key[32] = { 5 }, dht_net_sig[64] = { 5 };

void dht_net_init(struct dht_net *net, uint64_t seed, uint32_t loss_ppm)
{
	assert(STRIDE * BACK == 1u);
	*net = (struct dht_net){ .now = SHOAL_S(1000),
				 .rng = shoal_rng_split(seed, 1),
				 .loss_ppm = loss_ppm,
				 .budget = { .limit = (size_t)8 << 30 } };
}

void dht_net_fini(struct dht_net *net)
{
	for (uint32_t i = 0; i < net->count; i++)
		shoal_dht_free(net->node[i].dht);
	for (size_t i = 0; i < net->heap_count; i++)
		free(net->heap[i].data);
	free(net->node);
	free(net->heap);
	assert(net->budget.used == 0);
}

static void random_bytes(struct shoal_rng *rng, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(shoal_rng_next(rng) >> 8);
}

static void send(struct dht_net *net, uint32_t from, const struct shoal_addr *to, struct shoal_bytes data)
{
	uint32_t number = number_of(to);
	net->datagrams++;
	if (shoal_rng_below(&net->rng, 1000000) < net->loss_ppm || number >= net->count || to->port != PORT) {
		net->lost++;
		return;
	}
	struct dht_net_packet p = { .at = net->now + net->node[from].lag + SHOAL_MS(10) +
					  shoal_rng_below(&net->rng, SHOAL_MS(140)),
				    .node = number,
				    .from = from,
				    .len = (uint16_t)data.len,
				    .data = malloc(data.len) };
	assert(p.data != NULL);
	memcpy(p.data, data.at, data.len);
	heap_push(net, p);
}

void dht_net_flush(struct dht_net *net, uint32_t number)
{
	struct dht_net_node *n = &net->node[number];
	struct shoal_addr to;
	struct shoal_bytes data;
	struct shoal_dht_event ev;
	while (shoal_dht_output(n->dht, &to, &data) > 0)
		send(net, number, &to, data);
	while (shoal_dht_poll(n->dht, &ev) > 0)
		if (net->heard != NULL)
			net->heard(net, number, &ev);
	shoal_us at = shoal_dht_deadline(n->dht);
	if (at < n->tick_at) {
		n->tick_at = at;
		heap_push(net, (struct dht_net_packet){
				       .at = at < net->now ? net->now : at, .node = number, .from = number });
	}
}

static uint32_t next_place(struct dht_net *net)
{
	for (;;) {
		if (net->count == net->room) {
			net->room = net->room != 0 ? 2 * net->room : 1024;
			net->node = realloc(net->node, net->room * sizeof *net->node);
			assert(net->node != NULL);
		}
		struct dht_net_node *n = &net->node[net->count];
		*n = (struct dht_net_node){ .addr = addr_of(net->count), .tick_at = SHOAL_NEVER };
		if (shoal_reach_of(&n->addr) == SHOAL_REACH_GLOBAL)
			return net->count;
		net->count++; /* nobody lives there */
	}
}

static uint32_t first_node(const struct dht_net *net)
{
	uint32_t i = 0;
	while (net->node[i].dht == NULL)
		i++;
	return i;
}

static uint32_t join(struct dht_net *net, uint32_t number, const struct shoal_id20 *id)
{
	struct shoal_dht_options o = { .is_v4 = true,
				       .no_proof = net->no_proof,
				       .id = *id,
				       .rng = shoal_rng_split(shoal_rng_u64(&net->rng), number),
				       .budget = &net->budget,
				       .crypto = net->crypto };
	random_bytes(&net->rng, o.secret, sizeof o.secret);
	uint32_t friend[FRIENDS];
	for (int i = 0; i < FRIENDS; i++)
		friend[i] = net->alive == 0 ? number : net->one_router ? first_node(net) : dht_net_random(net);
	struct dht_net_node *n = &net->node[number];
	assert(shoal_dht_new(&n->dht, &o, net->now) == 0);
	n->id = *id;
	net->count = number + 1;
	net->alive++;
	for (int i = 0; i < FRIENDS; i++)
		if (friend[i] != number)
			shoal_dht_add(n->dht, &net->node[friend[i]].addr, true, false, net->now);
	shoal_dht_tick(n->dht, net->now);
	dht_net_flush(net, number);
	return number;
}

uint32_t dht_net_join(struct dht_net *net, const struct shoal_id20 *id)
{
	uint32_t number = next_place(net);
	struct shoal_id20 dice, own;
	random_bytes(&net->rng, dice.b, 20);
	own = id != NULL ? *id : shoal_node_id_make(&net->node[number].addr, &dice);
	return join(net, number, &own);
}

uint32_t dht_net_join_if(struct dht_net *net, bool (*wanted)(const struct shoal_id20 *id, const void *to),
			 const void *to)
{
	for (;;) {
		uint32_t number = next_place(net);
		struct shoal_id20 dice;
		random_bytes(&net->rng, dice.b, 20);
		for (int i = 0; i < 8; i++) {
			dice.b[19] = (uint8_t)i;
			struct shoal_id20 own = shoal_node_id_make(&net->node[number].addr, &dice);
			if (wanted(&own, to))
				return join(net, number, &own);
		}
		net->count = number + 1;
	}
}

void dht_net_kill(struct dht_net *net, uint32_t number)
{
	shoal_dht_free(net->node[number].dht);
	net->node[number].dht = NULL;
	net->alive--;
}

uint32_t dht_net_random(struct dht_net *net)
{
	for (;;) {
		uint32_t i = shoal_rng_below(&net->rng, net->count);
		if (net->node[i].dht != NULL && !net->node[i].liar)
			return i;
	}
}

/* Who asks a liar for peers is told of none, and of eight nodes right at the target that do not exist. */
static bool lie(struct dht_net *net, uint32_t number, const struct shoal_addr *from, struct shoal_bytes data)
{
	struct dht_net_node *n = &net->node[number];
	struct shoal_krpc q;
	uint8_t nodes[8 * SHOAL_KRPC_NODE4], raw[SHOAL_KRPC_OUT_MAX];
	size_t len = 0;
	if (!n->liar || shoal_krpc_decode(data, &q) < 0 || q.kind != SHOAL_KRPC_QUERY ||
	    (q.method != SHOAL_KRPC_GET_PEERS && q.method != SHOAL_KRPC_FIND_NODE))
		return false;
	for (int i = 0; i < 8; i++) {
		struct shoal_krpc_node fake = { .id = q.target };
		random_bytes(&net->rng, fake.id.b + 12, 8);
		fake.addr = addr_of(0x40000000u + (shoal_rng_next(&net->rng) >> 2));
		len += shoal_krpc_node_put(&fake, nodes + len);
	}
	struct shoal_krpc m = { .kind = SHOAL_KRPC_REPLY,
				.tid = q.tid,
				.id = n->id,
				.token = SHOAL_LIT("anything"),
				.nodes = shoal_bytes(nodes, len) };
	ptrdiff_t out = shoal_krpc_encode(&m, (struct shoal_space){ raw, sizeof raw });
	assert(out > 0);
	send(net, number, from, shoal_bytes(raw, (size_t)out));
	return true;
}

void dht_net_run(struct dht_net *net, shoal_us until)
{
	while (net->heap_count > 0 && net->heap[0].at <= until) {
		struct dht_net_packet p = heap_pop(net);
		struct dht_net_node *n = &net->node[p.node];
		net->now = p.at;
		if (n->dht == NULL) {
			free(p.data);
			continue;
		}
		struct shoal_bytes data = shoal_bytes(p.data, p.len);
		if (p.data == NULL) {	       /* its time has come; a datagram it may send to itself as well */
			if (p.at < n->tick_at) /* of a time that was put off */
				continue;
			n->tick_at = SHOAL_NEVER;
			shoal_dht_tick(n->dht, net->now);
		} else if (!lie(net, p.node, &net->node[p.from].addr, data)) {
			(void)shoal_dht_datagram(n->dht, &net->node[p.from].addr, data, net->now);
		}
		free(p.data);
		dht_net_flush(net, p.node);
	}
	net->now = until;
}
