/*
 * proto/magnet.h - magnet links (BEP 9, 46 btpk, 52 btmh, 53 so=, x.pe).
 */
#ifndef SHOAL_MAGNET_H
#define SHOAL_MAGNET_H

#include <shoal/types.h>

#define SHOAL_MAGNET_BYTES_MAX (64u * 1024)
#define SHOAL_MAGNET_SALT_MAX 64
#define SHOAL_MAGNET_LIST_MAX 64 /* tr, ws, x.pe: each */

struct shoal_magnet {
	bool has_v1, has_v2;
	struct shoal_id20 v1;
	struct shoal_id32 v2;
	char *name; /* percent-decoded, NUL-ended; NULL when absent */
	char *tracker[SHOAL_MAGNET_LIST_MAX];
	char *webseed[SHOAL_MAGNET_LIST_MAX];
	char *peer[SHOAL_MAGNET_LIST_MAX]; /* "host:port" */
	size_t tracker_count, webseed_count, peer_count;
	char *select; /* so=, raw */
	bool has_key; /* BEP 46: xs=urn:btpk: names a signed item of the DHT that says which torrent; perhaps nothing else */
	uint8_t key[32], salt[SHOAL_MAGNET_SALT_MAX]; /* of it */
	size_t salt_len;
};
/* Takes magnet:?..., or a bare info hash: 40 hex or 32 base32 digits (v1), 64 hex (v2), 68 hex (multihash).
 * 0; MALFORMED, TOO_LONG, UNSUPPORTED (no known xt), NOMEM; `what` (>= 160 bytes, may be NULL) says why. */
SHOAL_MUST int shoal_magnet_parse(struct shoal_magnet *out, struct shoal_bytes text, char what[160]);
void shoal_magnet_fini(struct shoal_magnet *m);
/* Writes the link, NUL-ended; returns its length or TOO_LONG. btih first and unescaped, as old engines want it. */
SHOAL_MUST ptrdiff_t shoal_magnet_format(const struct shoal_magnet *m, struct shoal_space out);

#endif
