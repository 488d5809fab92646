/*
 * tests/sim/ext_echo.h - the smallest module on shoal/engine.h's extension messages: it greets each peer, and answers.
 *
 * A call ("?" and a text) is answered with the same text ("!"). Knows an
 * engine only by its operations and events, so that it runs over any of them.
 */
#ifndef SIM_EXT_ECHO_H
#define SIM_EXT_ECHO_H

#include <shoal/engine.h>

#define EXT_ECHO_NAME "sh_echo"
#define EXT_ECHO_PEERS 32
#define EXT_ECHO_TEXT_MAX 1024

struct ext_echo {
	int (*do_op)(void *engine, const struct shoal_op *op);
	void *engine;
	char text[EXT_ECHO_TEXT_MAX]; /* what it calls out */
	size_t text_len;
	struct ext_echo_peer {
		uint32_t torrent, peer;
		bool called, answered;
	} peer[EXT_ECHO_PEERS];
	unsigned peers;
	unsigned calls_heard, answers_heard, wrong; /* wrong: an answer to what was never called, or cut, or twice */
};

/* Registers the extension under `number`; what the engine says. */
SHOAL_MUST int ext_echo_init(struct ext_echo *e, uint8_t number, int (*do_op)(void *engine, const struct shoal_op *op),
			     void *engine, struct shoal_bytes text);
/* To be shown every event. */
void ext_echo_event(struct ext_echo *e, const struct shoal_event *ev);
/* Calls out to peers not called yet; those whose handshake is not in are tried the next time. */
void ext_echo_tick(struct ext_echo *e);

#endif
