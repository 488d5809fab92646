/*
 * bench_picker - what a HAVE and a pick cost.
 *
 *     bench/bench_picker [--pieces N] [--peers N]
 *
 * Peers of different fullness and a seed take turns picking until nothing
 * is left, each pick opening and finishing its piece; beside it, HAVEs come
 * in at random. Prints nanoseconds, one JSON object per line, and the share
 * of a core the picks take at 100,000 blocks a second with 16 blocks a piece.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/bits.h"
#include "proto/base/rng.h"
#include "swarm/pieces/picker.h"
#include "tools/bench/clock.h"

#define PEERS_MAX 500u

static void die(const char *what)
{
	fprintf(stderr, "bench_picker: %s\n", what);
	exit(1);
}

static struct shoal_picker *picker_of(uint32_t pieces)
{
	struct shoal_picker *p;
	if (shoal_picker_new(&p, pieces, shoal_rng_split(1, 1)) < 0)
		die("no memory, or too many pieces");
	return p;
}

static void bits_of(struct shoal_bits *bits, uint32_t pieces, uint32_t percent, struct shoal_rng *rng)
{
	if (shoal_bits_init(bits, pieces) < 0)
		die("no memory");
	for (uint32_t i = 0; i < pieces; i++)
		if (shoal_rng_below(rng, 100) < percent)
			shoal_bits_set(bits, i);
}

/* HAVEs of random pieces by `peers` peers until each has everything. */
static void bench_have(uint32_t pieces, uint32_t peers)
{
	struct shoal_picker *p = picker_of(pieces);
	struct shoal_rng rng = shoal_rng_split(2, 2);
	uint32_t *order = calloc(pieces, sizeof *order);
	if (order == NULL)
		die("no memory");
	for (uint32_t i = 0; i < pieces; i++)
		order[i] = i;
	double took = 0;
	for (uint32_t peer = 0; peer < peers; peer++) {
		for (uint32_t i = pieces; i > 1; i--) {
			uint32_t j = shoal_rng_below(&rng, i), swap = order[i - 1];
			order[i - 1] = order[j];
			order[j] = swap;
		}
		double start = bench_now_ns();
		for (uint32_t i = 0; i < pieces; i++)
			shoal_picker_peer_has(p, order[i]);
		took += bench_now_ns() - start;
	}
	printf("{\"what\":\"have\",\"pieces\":%" PRIu32 ",\"peers\":%" PRIu32 ",\"ns\":%.2f}\n", pieces, peers,
	       took / pieces / peers);
	free(order);
	shoal_picker_free(p);
}

/* All peers pick in turn until no peer has anything left for us. */
static void bench_drain(const char *what, uint32_t pieces, uint32_t peers, uint32_t percent, bool seed,
			enum shoal_pick_order order)
{
	struct shoal_picker *p = picker_of(pieces);
	struct shoal_rng rng = shoal_rng_split(3, 3);
	struct shoal_bits *have = calloc(peers, sizeof *have);
	if (have == NULL)
		die("no memory");
	double start = bench_now_ns();
	double join = 0;
	for (uint32_t i = 0; i < peers; i++) {
		/* fullness from half of `percent` to one and a half of it */
		uint32_t fullness = seed && i == 0 ? 100 : percent / 2 + percent * i / peers;
		bits_of(&have[i], pieces, fullness, &rng);
		start = bench_now_ns();
		shoal_picker_peer_joined(p, &have[i]);
		join += bench_now_ns() - start;
	}
	uint64_t picks = 0, empty = 0;
	double worst = 0, spent = 0;
	for (bool any = true; any;) {
		any = false;
		for (uint32_t i = 0; i < peers; i++) {
			start = bench_now_ns();
			uint32_t piece = shoal_picker_pick(p, &have[i], order);
			double took = bench_now_ns() - start;
			spent += took;
			worst = took > worst ? took : worst;
			picks++;
			if (piece == SHOAL_PIECE_NONE) {
				empty++;
				continue;
			}
			any = true;
			start = bench_now_ns();
			shoal_picker_open(p, piece);
			shoal_picker_done(p, piece);
			spent += bench_now_ns() - start;
		}
	}
	uint64_t got = picks - empty;
	printf("{\"what\":\"%s\",\"pieces\":%" PRIu32 ",\"peers\":%" PRIu32 ",\"picks\":%" PRIu64 ",\"empty\":%" PRIu64
	       ",\"ns_per_pick\":%.0f,\"ns_per_piece\":%.0f,\"worst_us\":%.1f,\"join_us\":%.1f"
	       ",\"core_percent\":%.3f}\n",
	       what, pieces, peers, picks, empty, spent / (double)picks, got ? spent / (double)got : 0, worst / 1e3,
	       join / peers / 1e3, got ? spent / (double)got * (100000.0 / 16) / 1e9 * 100 : 0);
	for (uint32_t i = 0; i < peers; i++)
		shoal_bits_fini(&have[i]);
	free(have);
	shoal_picker_free(p);
}

int main(int argc, char **argv)
{
	uint32_t pieces = 65536, peers = 50;
	for (int i = 1; i < argc; i += 2) {
		uint32_t *to = strcmp(argv[i], "--pieces") == 0	 ? &pieces
			       : strcmp(argv[i], "--peers") == 0 ? &peers
								 : NULL;
		if (to == NULL || i + 1 == argc)
			die("usage: bench_picker [--pieces N] [--peers N]");
		*to = (uint32_t)strtoul(argv[i + 1], NULL, 10);
	}
	if (pieces == 0 || peers == 0 || peers > PEERS_MAX)
		die("pieces > 0, and 1 to 500 peers");
	printf("{\"what\":\"bytes\",\"pieces\":%" PRIu32 ",\"bytes\":%zu,\"per_piece\":%.2f}\n", pieces,
	       shoal_picker_bytes(pieces), (double)shoal_picker_bytes(pieces) / pieces);
	bench_have(pieces, peers);
	bench_drain("one seed", pieces, 1, 0, true, SHOAL_PICK_RAREST);
	bench_drain("half-full peers", pieces, peers, 50, false, SHOAL_PICK_RAREST);
	bench_drain("sparse peers and a seed", pieces, peers, 10, true, SHOAL_PICK_RAREST);
	bench_drain("in order", pieces, peers, 50, true, SHOAL_PICK_IN_ORDER);
	return 0;
}
