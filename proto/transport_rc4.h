/*
 * proto/transport_rc4.h - a stream through RC4, both ways, over any other (after proto/mse.h).
 *
 * What comes is deciphered where it has landed. What goes is enciphered into a
 * few KiB of stack and sent from there; what the stream below does not take is
 * taken back, by running the cipher backwards, so nothing waits here and no
 * call means anything else than it does below. There is no send_file.
 */
#ifndef SHOAL_TRANSPORT_RC4_H
#define SHOAL_TRANSPORT_RC4_H

#include "proto/rc4.h"
#include "proto/transport.h"

/* Takes `below` over on success: closing the new one closes both. The world goes on telling `below` what is ready, so
 * node_peer stays there. NOMEM. */
SHOAL_MUST int shoal_transport_rc4_new(struct shoal_transport **out, struct shoal_transport *below,
				       const struct shoal_rc4 *in, const struct shoal_rc4 *out_cipher);
size_t shoal_transport_rc4_bytes(void); /* of heap, each */

#endif
