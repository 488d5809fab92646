/*
 * proto/mse.h - the handshake of message stream encryption (MSE/PE), both roles, sans-IO.
 *
 *	A to B	Ya, PadA					keys of Diffie-Hellman (dh768.h)
 *	B to A	Yb, PadB
 *	A to B	HASH('req1', S), HASH('req2', SKEY) xor HASH('req3', S),
 *		RC4(VC, methods offered, len(PadC), PadC, len(IA)), RC4(IA)
 *	B to A	RC4(VC, method chosen, len(PadD), PadD), then the payload
 *
 * S is the shared secret, SKEY an info hash, VC eight zeros, IA the first of
 * the initiator's payload, of any length. Pads are up to 512 random bytes, so
 * each side searches for what must follow them, and no further.
 *
 * It hides a stream from who only looks at it; it proves nobody's identity,
 * and who sits in the middle and knows the info hash can read all.
 *
 * Owns no socket and no clock: the owner bounds the time. It reads on until
 * DONE, hands over what was read beyond, and the ciphers; the stream is then
 * the owner's (transport_rc4.h). An accepting one also knows a plain BitTorrent stream by its first 20 bytes.
 */
#ifndef SHOAL_MSE_H
#define SHOAL_MSE_H

#include <shoal/types.h>
#include "proto/base/rng.h"
#include "proto/dh768.h"
#include "proto/rc4.h"

#define SHOAL_MSE_PAD_MAX 512
#define SHOAL_MSE_PAYLOAD_MAX 128 /* of our own as IA: a handshake of BEP 3 has 68 bytes */

/* How the payload goes, once the handshake is over: bits of crypto_provide and crypto_select. */
enum shoal_mse_method { SHOAL_MSE_PLAIN = 1, SHOAL_MSE_RC4 = 2 };

struct shoal_mse_options {
	unsigned methods; /* that we offer, or accept; of two, PLAIN is chosen: it costs nothing */
	bool initiator;
	bool or_plain;			    /* accepting: a stream without MSE will do */
	struct shoal_id20 skey;		    /* initiator: the info hash */
	struct shoal_bytes payload;	    /* initiator: sent as IA, at most PAYLOAD_MAX bytes; copied */
	uint8_t secret[SHOAL_DH768_SECRET]; /* that nobody can guess */
	struct shoal_rng rng;		    /* lengths and bytes of pads */
};

enum shoal_mse_event_kind {
	SHOAL_MSE_AGREE = 1, /* accepting: a key has come, and work is due: answer with shoal_mse_agree(), or end it */
	SHOAL_MSE_SKEY,	     /* accepting: whose `skey_hash` is this? answer with shoal_mse_skey() */
	SHOAL_MSE_PAYLOAD,   /* `bytes` of IA, deciphered */
	SHOAL_MSE_DONE,	     /* `method`; `bytes`: what came beyond, deciphered. Nothing more is told */
	SHOAL_MSE_NONE,	     /* accepting: not MSE; `bytes`: all that came. Nothing more is told */
};
struct shoal_mse_event {
	enum shoal_mse_event_kind kind;
	enum shoal_mse_method method;
	struct shoal_bytes bytes;
	struct shoal_id20 skey_hash; /* shoal_mse_skey_hash() of the info hash */
};

struct shoal_mse;

/* NOMEM; USAGE: too long a payload, no method. */
SHOAL_MUST int shoal_mse_new(struct shoal_mse **out, const struct shoal_mse_options *options);
void shoal_mse_free(struct shoal_mse *m); /* NULL is fine */
size_t shoal_mse_bytes(void);		  /* of heap, each */

/* HASH('req2', SKEY): what an initiator's stream names a torrent by. Make them once, for a table. */
struct shoal_id20 shoal_mse_skey_hash(const struct shoal_id20 *skey);

/* Where the next bytes may land: never empty but when dead, or over. */
struct shoal_space shoal_mse_space(struct shoal_mse *m);
void shoal_mse_filled(struct shoal_mse *m, size_t n);
/* 1: `*ev` is set, its bytes valid until the next call. 0: feed more. < 0: dead: MALFORMED; REFUSED: no common method,
 * or plain where it must not be; GONE: no such torrent. */
SHOAL_MUST int shoal_mse_poll(struct shoal_mse *m, struct shoal_mse_event *ev);
/* Answers AGREE. MALFORMED: their key is none. */
SHOAL_MUST int shoal_mse_agree(struct shoal_mse *m);
/* Answers SKEY; NULL: no torrent of ours. */
void shoal_mse_skey(struct shoal_mse *m, const struct shoal_id20 *skey);

/* What is to be sent as it is, before any payload. */
struct shoal_bytes shoal_mse_output(const struct shoal_mse *m);
void shoal_mse_sent(struct shoal_mse *m, size_t n);

/* After DONE with RC4, once: the ciphers of what comes and of what goes. */
void shoal_mse_ciphers(const struct shoal_mse *m, struct shoal_rc4 *in, struct shoal_rc4 *out);
/* A hash of S, the same on both sides and on no other connection: it binds a proof of identity made inside the stream
 * to this stream. Only where the payload is RC4: behind plain payload anybody could carry on. */
SHOAL_MUST bool shoal_mse_binding(const struct shoal_mse *m, struct shoal_id32 *out);

#endif
