/* fuzz_krpc.c - KRPC: what decodes keeps its bounds, and encodes to something that decodes to the same. */
#include <assert.h>
#include <string.h>

#include "dht/krpc.h"
#include "proto/base/bytes.h"

static void same(const struct shoal_krpc *a, const struct shoal_krpc *b)
{
	assert(a->kind == b->kind && a->port == b->port && a->want == b->want && a->code == b->code);
	assert(memcmp(a->id.b, b->id.b, 20) == 0 && a->seq == b->seq && a->cas == b->cas);
	assert(shoal_bytes_equal(a->tid, b->tid) && shoal_bytes_equal(a->token, b->token));
	assert(shoal_bytes_equal(a->nodes, b->nodes) && shoal_bytes_equal(a->nodes6, b->nodes6));
	assert(shoal_bytes_equal(a->v, b->v) && shoal_bytes_equal(a->salt, b->salt) && shoal_bytes_equal(a->k, b->k));
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	static uint8_t raw[2 * SHOAL_KRPC_IN_MAX];
	static struct shoal_addr addr[256];
	struct shoal_krpc m, back;
	struct shoal_krpc_node node;
	if (shoal_krpc_decode(shoal_bytes(at, len), &m) < 0)
		return 0;
	assert(m.tid.len >= 1 && m.tid.len <= SHOAL_KRPC_TID_MAX);
	assert(shoal_krpc_values(m.values, addr, 256) <= 256);
	for (size_t i = 0; shoal_krpc_node_at(m.nodes, true, i, &node); i++)
		assert(node.addr.is_v4 && i < SHOAL_KRPC_IN_MAX);
	for (size_t i = 0; shoal_krpc_node_at(m.nodes6, false, i, &node); i++)
		assert(i < SHOAL_KRPC_IN_MAX);
	if (m.kind == SHOAL_KRPC_QUERY && m.method == SHOAL_KRPC_UNKNOWN)
		return 0;
	ptrdiff_t n = shoal_krpc_encode(&m, (struct shoal_space){ raw, sizeof raw });
	assert(n > 0);
	if ((size_t)n > SHOAL_KRPC_IN_MAX)
		return 0;
	assert(shoal_krpc_decode(shoal_bytes(raw, (size_t)n), &back) == 0);
	same(&m, &back);
	return 0;
}
