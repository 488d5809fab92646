/*
 * tools/dht_hand.h - what the files of `shoal dht` see of each other: a command under way, and how it ends.
 */
#ifndef SHOAL_TOOLS_DHT_HAND_H
#define SHOAL_TOOLS_DHT_HAND_H

#include "tools/dht.h"

struct shoal_key;

struct shoal_dht_hand {
	struct shoal_dht_session s;
	struct shoal_tool *tool;
	const char *arg;
	const char *key, *key_file, *salt;
	const char *state; /* the folder; NULL: nothing is remembered */
	bool announce, stay, raw;
	bool first; /* nothing was ever signed under that name, says the user */
	uint32_t cas_number;
	bool has_cas;
	shoal_us every;
	/* what came */
	uint32_t count;
	int64_t refused; /* code of the last refusal; 0: none */
	uint8_t public[32];
	struct shoal_bytes salt_bytes;
	struct shoal_id20 target;
};

/* Says why it did not work, by `rc`. The exit code. */
int shoal_dht_failed(struct shoal_dht_hand *d, int rc);
/* The info hash of what the argument names, a file, a link, or digits. 0, or the exit code after saying why. */
SHOAL_MUST int shoal_dht_hash_of(struct shoal_dht_hand *d, struct shoal_id20 *out);
/* The end of a question, with --json. */
void shoal_dht_tell_done(struct shoal_dht_hand *d, const struct shoal_event *ev);

/* dht_write.c: the two that write. The exit code. */
int shoal_dht_put(struct shoal_dht_hand *d);
int shoal_dht_publish(struct shoal_dht_hand *d);

#endif
