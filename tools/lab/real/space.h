/*
 * tools/lab/real/space.h - a network namespace for each node, with `lo` and one TUN device whose other end is ours.
 *
 * No way leads out of it but through that device: what it sends is ours to carry, or to drop.
 */
#ifndef LAB_SPACE_H
#define LAB_SPACE_H

#include <shoal/types.h>

#define LAB_SPACE_MTU 1500

struct lab_space {
	int net; /* the namespace */
	int tun; /* packets of its device; wide: behind a struct virtio_net_hdr, and uncut, as large as TCP has them */
};

/*
 * Makes `count` of them, node i at lab_wires_address(i); the caller needs CAP_NET_ADMIN and CAP_SYS_ADMIN, and stays in
 * the namespace it is in. 0; DENIED, IO with `why`. After an error none are left.
 */
SHOAL_MUST int lab_space_make(struct lab_space *space, unsigned count, bool wide, char why[200]);
void lab_space_end(struct lab_space *space, unsigned count);
/* Moves the calling process into it. 0 or IO with errno. */
SHOAL_MUST int lab_space_enter(int net);

#endif
