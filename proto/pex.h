/*
 * proto/pex.h - ut_pex messages (BEP 11): bytes <-> who was met and who has gone.
 *
 * Both families in one list. How often, how many and whom to believe is the
 * caller's policy; here is only what a message may not be.
 */
#ifndef SHOAL_PEX_H
#define SHOAL_PEX_H

#include <shoal/types.h>

/* Entries of each list we read, both families: BEP 11 allows 50 but for the first message, libtorrent sends 100. */
#define SHOAL_PEX_MOST 200
#define SHOAL_PEX_BYTES 4096 /* room for any message of 50 and 50 */

enum shoal_pex_flag {
	SHOAL_PEX_ENCRYPTS = 0x01,
	SHOAL_PEX_SEED = 0x02, /* or uploads only */
	SHOAL_PEX_UTP = 0x04,
	SHOAL_PEX_HOLEPUNCH = 0x08,
	SHOAL_PEX_REACHABLE = 0x10, /* the sender has connected to it */
};
#define SHOAL_PEX_FLAGS 0x1fu /* others are reserved: masked in, never sent */

struct shoal_pex_peer {
	struct shoal_addr addr;
	uint8_t flags; /* enum shoal_pex_flag; of those added */
};
struct shoal_pex {
	struct shoal_pex_peer added[SHOAL_PEX_MOST], dropped[SHOAL_PEX_MOST];
	size_t added_count, dropped_count;
};

/*
 * MALFORMED: no dictionary, none of the lists, a list that does not come out even, an address twice in one list or in
 * both. TOO_LONG: a list of more than SHOAL_PEX_MOST. Missing flags are 0, port 0 is passed over.
 */
SHOAL_MUST int shoal_pex_decode(struct shoal_bytes in, struct shoal_pex *out);
/* Length, or TOO_LONG. The lists stand as given: the caller keeps them free of doubles. */
SHOAL_MUST ptrdiff_t shoal_pex_encode(const struct shoal_pex *pex, struct shoal_space out);

#endif
