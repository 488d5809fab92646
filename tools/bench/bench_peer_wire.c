/*
 * bench_peer_wire.c - what one peer's stream costs: bytes per second of CPU, from a socket that is memory.
 *
 * The "socket" copies into the spans as readv() would; that copy alone is
 * measured too, so that the machine's own share can be told apart. Blocks
 * come with the right forecast, with a HAVE between every few, and with no
 * forecast. No result depends on a clock but the figures printed.
 *
 *	bench_peer_wire [MILLISECONDS for each line, 500]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/peer_wire.h"
#include "tools/bench/clock.h"

#define BLOCKS 512u /* of one round of the stream; its places are as many, so that caches behave as they would */
#define FRAME (SHOAL_WIRE_PIECE_HEAD + SHOAL_WIRE_BLOCK_MAX)

static void *must(void *at)
{
	if (at == NULL) {
		fprintf(stderr, "bench_peer_wire: out of memory\n");
		exit(1);
	}
	return at;
}

struct bench {
	uint8_t *stream, *places, *bounce;
	size_t len;
	size_t read_max; /* bytes the socket gives at once */
	bool forecast;
	uint64_t bytes, events, blocks, reads, foreseen;
	uint32_t next; /* the block expected next */
};

static void greet(struct shoal_pw *pw, uint8_t *bounce)
{
	struct shoal_wire_handshake hs = { .can = SHOAL_CAN_FAST };
	uint8_t raw[SHOAL_WIRE_HANDSHAKE_LEN];
	struct shoal_space v[SHOAL_PW_SPANS];
	struct shoal_pw_event ev;

	shoal_wire_handshake_encode(&hs, raw);
	shoal_pw_space(pw, v, SHOAL_PW_SPANS);
	memcpy(v[0].at, raw, sizeof raw);
	shoal_pw_filled(pw, sizeof raw, bounce, 1);
	while (shoal_pw_poll(pw, &ev) > 0)
		;
	shoal_pw_terms(pw, 0, true, true, true);
}

static uint8_t *place_of(struct bench *b, uint32_t i)
{
	return b->places + (size_t)(i % BLOCKS) * SHOAL_WIRE_BLOCK_MAX;
}

static void expect(struct bench *b, struct shoal_pw *pw)
{
	struct shoal_pw_expect want[SHOAL_PW_FORECAST];
	for (uint32_t i = 0; i < SHOAL_PW_FORECAST; i++) {
		uint32_t n = (b->next + i) % BLOCKS;
		want[i] = (struct shoal_pw_expect){ n, 0, SHOAL_WIRE_BLOCK_MAX, place_of(b, n) };
	}
	shoal_pw_forecast(pw, want, SHOAL_PW_FORECAST);
}

static void run(struct bench *b, double seconds)
{
	struct shoal_pw *pw;
	struct shoal_pw_event ev;
	struct shoal_space v[SHOAL_PW_SPANS];
	size_t at = 0;
	int rc = 0;

	if (shoal_pw_new(&pw, 1) < 0)
		must(NULL);
	greet(pw, b->bounce);
	for (double end = bench_cpu() + seconds; bench_cpu() < end;) {
		for (int i = 0; i < 64 && rc == 0; i++) {
			if (b->forecast)
				expect(b, pw);
			size_t n = shoal_pw_space(pw, v, SHOAL_PW_SPANS), took = 0;
			for (size_t s = 0; s < n && took < b->read_max; s++) {
				size_t part = v[s].len;
				if (part > b->read_max - took)
					part = b->read_max - took;
				if (part > b->len - at)
					part = b->len - at;
				memcpy(v[s].at, b->stream + at, part);
				took += part;
				at += part;
				if (at == b->len) {
					at = 0;
					break;
				}
			}
			b->bytes += took;
			b->reads++;
			shoal_pw_filled(pw, took, b->bounce, 1);
			while ((rc = shoal_pw_poll(pw, &ev)) > 0) {
				b->events++;
				if (ev.kind == SHOAL_PW_BLOCK_BEGIN)
					shoal_pw_land(pw, place_of(b, ev.msg.index));
				if (ev.kind != SHOAL_PW_BLOCK)
					continue;
				b->blocks++;
				b->foreseen += ev.forecast;
				b->next = (ev.msg.index + 1) % BLOCKS;
			}
		}
		if (rc < 0) {
			fprintf(stderr, "bench_peer_wire: the stream died: %d\n", rc);
			exit(1);
		}
	}
	shoal_pw_free(pw);
}

/* `every` blocks there is a HAVE; 0: never. */
static void write_blocks(struct bench *b, uint32_t every)
{
	static const uint8_t have[] = { 0, 0, 0, 5, 4, 0, 0, 0, 7 };
	b->len = 0;
	for (uint32_t i = 0; i < BLOCKS; i++) {
		if (every && i % every == 0) {
			memcpy(b->stream + b->len, have, sizeof have);
			b->len += sizeof have;
		}
		shoal_wire_piece_head(b->stream + b->len, i, 0, SHOAL_WIRE_BLOCK_MAX);
		memset(b->stream + b->len + SHOAL_WIRE_PIECE_HEAD, (int)i, SHOAL_WIRE_BLOCK_MAX);
		b->len += FRAME;
	}
}

static void blocks(const char *what, struct bench b, uint32_t every, bool forecast, size_t read_max, double seconds)
{
	write_blocks(&b, every);
	b.forecast = forecast;
	b.read_max = read_max;
	double from = bench_cpu();
	run(&b, seconds);
	double took = bench_cpu() - from;
	printf("%-44s %7.2f GB/s  %6.1f ns a block  %5.1f blocks a read  %5.1f %% foreseen\n", what,
	       (double)b.bytes / took / 1e9, took / (double)b.blocks * 1e9, (double)b.blocks / (double)b.reads,
	       100.0 * (double)b.foreseen / (double)b.blocks);
}

/* The socket's copy alone, in the same strides: what is left is ours. */
static void copy_alone(struct bench b, double seconds)
{
	uint64_t bytes = 0, count = 0;
	double from = bench_cpu(), took;
	write_blocks(&b, 0);
	do {
		for (uint32_t i = 0; i < BLOCKS; i++) {
			memcpy(place_of(&b, i), b.stream + (size_t)i * FRAME + SHOAL_WIRE_PIECE_HEAD,
			       SHOAL_WIRE_BLOCK_MAX);
			bytes += FRAME;
			count++;
		}
		took = bench_cpu() - from;
	} while (took < seconds);
	printf("%-44s %7.2f GB/s  %6.1f ns a block\n", "the copy alone", (double)bytes / took / 1e9,
	       took / (double)count * 1e9);
}

static void haves(struct bench b, double seconds)
{
	b.len = 0;
	for (uint32_t i = 0; i < 100000; i++) {
		shoal_put_u32(b.stream + b.len, 5);
		b.stream[b.len + 4] = SHOAL_WIRE_HAVE;
		shoal_put_u32(b.stream + b.len + 5, i);
		b.len += 9;
	}
	b.read_max = SIZE_MAX;
	double from = bench_cpu();
	run(&b, seconds);
	double took = bench_cpu() - from;
	printf("%-44s %7.2f M messages/s\n", "HAVEs in", (double)b.events / took / 1e6);
}

static void out(double seconds)
{
	struct shoal_pw *pw;
	struct shoal_pw_piece_out v[32];
	void *done[64];
	static uint8_t block[SHOAL_WIRE_BLOCK_MAX];
	uint64_t count = 0, said = 0;

	if (shoal_pw_new(&pw, 1) < 0)
		must(NULL);
	double from = bench_cpu(), took;
	do {
		for (int round = 0; round < 256; round++) {
			const struct shoal_pw_give give = { .piece = 1, .len = sizeof block, .token = pw, .at = block };
			for (int i = 0; i < 8; i++)
				count += shoal_pw_give(pw, &give) == 0;
			size_t n = shoal_pw_output(pw, v, 32), bytes = 0;
			for (size_t i = 0; i < n; i++)
				bytes += v[i].len;
			shoal_pw_sent(pw, bytes, done, 64, 1);
		}
		took = bench_cpu() - from;
	} while (took < seconds);
	printf("%-44s %7.2f GB/s  %6.1f ns a block\n", "blocks out (queue and parts, nothing copied)",
	       (double)count * FRAME / took / 1e9, took / (double)count * 1e9);

	from = bench_cpu();
	do {
		for (int round = 0; round < 256; round++) {
			const struct shoal_wire_msg request = { .id = SHOAL_WIRE_REQUEST, .len = SHOAL_WIRE_BLOCK_MAX };
			for (int i = 0; i < 32; i++)
				said += shoal_pw_say(pw, &request) == 0;
			size_t n = shoal_pw_output(pw, v, 32), bytes = 0;
			for (size_t i = 0; i < n; i++)
				bytes += v[i].len;
			shoal_pw_sent(pw, bytes, done, 64, 1);
		}
		took = bench_cpu() - from;
	} while (took < seconds);
	printf("%-44s %7.2f M messages/s\n", "REQUESTs out", (double)said / took / 1e6);
	shoal_pw_free(pw);
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? strtod(argv[1], NULL) / 1000 : 0.5;
	struct bench b = {
		.stream = must(malloc((size_t)BLOCKS * (FRAME + 16))),
		.places = must(calloc(BLOCKS, SHOAL_WIRE_BLOCK_MAX)),
		.bounce = must(malloc(SHOAL_PW_BOUNCE)),
	};

	copy_alone(b, seconds);
	blocks("forecast", b, 0, true, SIZE_MAX, seconds);
	blocks("forecast, reads of 64 KiB", b, 0, true, 65536, seconds);
	blocks("forecast, reads of 9000 bytes", b, 0, true, 9000, seconds);
	blocks("forecast, a HAVE every 64 blocks", b, 64, true, SIZE_MAX, seconds);
	blocks("forecast, a HAVE every 8 blocks", b, 8, true, SIZE_MAX, seconds);
	blocks("forecast, a HAVE before each block", b, 1, true, SIZE_MAX, seconds);
	blocks("no forecast", b, 0, false, SIZE_MAX, seconds);
	haves(b, seconds);
	out(seconds);
	free(b.stream);
	free(b.places);
	free(b.bounce);
	return 0;
}
