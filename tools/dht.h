/*
 * tools/dht.h - questions to the DHT, as `shoal dht` asks them and `shoal get` of a name does.
 */
#ifndef SHOAL_TOOLS_DHT_H
#define SHOAL_TOOLS_DHT_H

#include "proto/magnet.h"
#include "tools/net.h"

#include <shoal/engine.h>

struct shoal_tool;

/* An engine without torrents, and one question at a time. */
struct shoal_dht_session {
	struct shoal_tool *tool;
	const struct shoal_net *net;
	struct shoal_engine *engine;
	uint64_t ticket;
	shoal_us give_up; /* of a question; 0: never */
};

/* 0, or the exit code after saying why. Waits until the names of nodes have been looked up. */
SHOAL_MUST int shoal_dht_session_open(struct shoal_dht_session *s, struct shoal_tool *tool,
				      const struct shoal_net *net);
void shoal_dht_session_close(struct shoal_dht_session *s);
/* Asks, and hands each event of the answer to `on` until the last of them. The err of DHT_DONE; TIMEOUT; CLOSED when a
 * signal came; what do_op() says. */
SHOAL_MUST int shoal_dht_session_ask(struct shoal_dht_session *s, struct shoal_op *op,
				     void (*on)(void *to, const struct shoal_event *ev), void *to);
/* Why nobody answered, as far as can be known here: `out`. */
#define SHOAL_DHT_SILENT_MAX 192
const char *shoal_dht_session_silent(const struct shoal_dht_session *s, char out[SHOAL_DHT_SILENT_MAX]);
/* Until `until`, or a signal (false). */
bool shoal_dht_session_wait(struct shoal_dht_session *s, shoal_us until);

/* A signed value under a key: what the DHT has. */
struct shoal_dht_value {
	bool found;
	int64_t seq;
	uint8_t key[96]; /* public key and signature */
	uint8_t v[1000];
	size_t len;
	uint32_t copies, answers; /* nodes that have it; that answered at all */
};
/* 0 and *out (perhaps not found); as ask(). */
SHOAL_MUST int shoal_dht_session_get(struct shoal_dht_session *s, const uint8_t key[32], struct shoal_bytes salt,
				     struct shoal_dht_value *out);
/* What an event of a get() brings: the newest value of all. */
void shoal_dht_value_take(struct shoal_dht_value *value, const struct shoal_event *ev);
/* Puts the same again, so that it stays for two hours more (BEP 44: anybody may). */
SHOAL_MUST int shoal_dht_session_keep(struct shoal_dht_session *s, struct shoal_bytes salt,
				      const struct shoal_dht_value *value);
/* The torrent that a value names (BEP 46). false: it names none. */
bool shoal_dht_value_torrent(const struct shoal_dht_value *value, struct shoal_id20 *out);

/* BEP 46: what the name in `m` stands for now, under which number, and keeps it alive. 0, or the exit code after saying why. */
SHOAL_MUST int shoal_dht_follow(struct shoal_tool *tool, const struct shoal_net *net, const struct shoal_magnet *m,
				shoal_us timeout, struct shoal_id20 *out, int64_t *seq);

#endif
