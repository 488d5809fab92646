/* test_key_proof.c - the messages, golden and cut; and a proof is good for one stream, one torrent, one way, one time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/bytes.h"
#include "proto/key_proof.h"
#include "swarm/io/keys.h"

static void messages_come_back(void **state)
{
	uint8_t key[32], nonce[32], sig[64], raw[SHOAL_KEY_MSG + 1] = { 0 };
	struct shoal_key_msg out;
	(void)state;
	memset(key, 7, 32);
	memset(nonce, 8, 32);
	memset(sig, 9, 64);
	for (int kind = SHOAL_KEY_HELLO; kind <= SHOAL_KEY_PROOF; kind++) {
		struct shoal_key_msg in = { .kind = (enum shoal_key_kind)kind, .key = key, .nonce = nonce, .sig = sig };
		shoal_key_msg_encode(&in, raw);
		assert_int_equal(raw[0], kind);
		assert_int_equal(raw[1], 1);
		assert_int_equal(shoal_key_msg_decode(shoal_bytes(raw, SHOAL_KEY_MSG), &out), 0);
		assert_int_equal(out.kind, kind);
		if (kind == SHOAL_KEY_HELLO) {
			assert_memory_equal(out.key, key, 32);
			assert_memory_equal(out.nonce, nonce, 32);
		} else {
			assert_memory_equal(out.sig, sig, 64);
		}
		for (size_t cut = 0; cut < SHOAL_KEY_MSG; cut++)
			assert_int_equal(shoal_key_msg_decode(shoal_bytes(raw, cut), &out), SHOAL_ERR_MALFORMED);
		assert_int_equal(shoal_key_msg_decode(shoal_bytes(raw, SHOAL_KEY_MSG + 1), &out), SHOAL_ERR_MALFORMED);
	}
	raw[1] = 2;
	assert_int_equal(shoal_key_msg_decode(shoal_bytes(raw, SHOAL_KEY_MSG), &out), SHOAL_ERR_UNSUPPORTED);
	raw[0] = 3;
	raw[1] = 1;
	assert_int_equal(shoal_key_msg_decode(shoal_bytes(raw, 2), &out), SHOAL_ERR_UNSUPPORTED);
}

/* One connection, as one of its ends sees it. */
struct end {
	struct shoal_key_side ours, theirs;
	struct shoal_id20 hash;
	struct shoal_id32 binding;
	bool bound;
};

static struct shoal_key ann, ben;

static struct end end_of(const struct shoal_key *own, const struct shoal_key *other)
{
	struct end e = { .hash = { { 1 } }, .binding = { { 2 } }, .bound = true };
	memcpy(e.ours.key, own->public, 32);
	memcpy(e.theirs.key, other->public, 32);
	memset(e.ours.nonce, own == &ann ? 10 : 11, 32);
	memset(e.theirs.nonce, other == &ann ? 10 : 11, 32);
	memset(e.ours.peer_id.b, own == &ann ? 20 : 21, 20);
	memset(e.theirs.peer_id.b, other == &ann ? 20 : 21, 20);
	return e;
}

static void signs(const struct end *e, const struct shoal_key *own, uint8_t sig[64])
{
	uint8_t text[SHOAL_KEY_TEXT];
	shoal_key_proof_text(&e->ours, &e->theirs, &e->hash, e->bound ? &e->binding : NULL, text);
	shoal_key_sign(own, shoal_bytes(text, sizeof text), sig);
}

static bool believes(const struct end *e, const uint8_t sig[64])
{
	uint8_t text[SHOAL_KEY_TEXT];
	shoal_key_proof_text(&e->theirs, &e->ours, &e->hash, e->bound ? &e->binding : NULL, text);
	return shoal_key_verify(e->theirs.key, shoal_bytes(text, sizeof text), sig);
}

static int keys(void **state)
{
	uint8_t seed[32] = { 1 };
	(void)state;
	if (shoal_key_from_seed(&ann, seed) < 0)
		return -1;
	seed[0] = 2;
	return shoal_key_from_seed(&ben, seed);
}

static void both_prove_themselves(void **state)
{
	struct end a = end_of(&ann, &ben), b = end_of(&ben, &ann);
	uint8_t sig[64];
	(void)state;
	for (int bound = 0; bound < 2; bound++) {
		a.bound = b.bound = bound;
		signs(&a, &ann, sig);
		assert_true(believes(&b, sig));
		signs(&b, &ben, sig);
		assert_true(believes(&a, sig));
	}
}

/* Ann's proof for Ben, put to use elsewhere. */
static void a_proof_is_good_for_nothing_else(void **state)
{
	struct end a = end_of(&ann, &ben), b, again;
	uint8_t sig[64];
	(void)state;
	signs(&a, &ann, sig);

	b = end_of(&ben, &ann); /* replayed: Ben's nonce is another each time */
	b.ours.nonce[0] ^= 1;
	assert_false(believes(&b, sig));
	b = end_of(&ben, &ann); /* with an older HELLO of Ann's */
	b.theirs.nonce[31] ^= 1;
	assert_false(believes(&b, sig));
	b = end_of(&ben, &ann); /* in another torrent */
	b.hash.b[19] ^= 1;
	assert_false(believes(&b, sig));
	b = end_of(&ben, &ann); /* by one with another peer id */
	b.theirs.peer_id.b[0] ^= 1;
	assert_false(believes(&b, sig));
	b = end_of(&ben, &ann); /* carried on by one in the middle: his two streams have two secrets */
	b.binding.b[0] ^= 1;
	assert_false(believes(&b, sig));
	b = end_of(&ben, &ann); /* or one of them is plain */
	b.bound = false;
	assert_false(believes(&b, sig));
	b = end_of(&ben, &ann); /* in another's name */
	memcpy(b.theirs.key, ben.public, 32);
	assert_false(believes(&b, sig));

	/* Sent back to Ann, by one who claims to be Ann. */
	again = end_of(&ann, &ben);
	memcpy(again.theirs.key, ann.public, 32);
	again.theirs.peer_id = a.theirs.peer_id;
	assert_false(believes(&again, sig));

	/* A bit of it. */
	b = end_of(&ben, &ann);
	for (int bit = 0; bit < 512; bit += 7) {
		sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(believes(&b, sig));
		sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_true(believes(&b, sig));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_come_back),
		cmocka_unit_test(both_prove_themselves),
		cmocka_unit_test(a_proof_is_good_for_nothing_else),
	};
	return cmocka_run_group_tests(tests, keys, NULL);
}
