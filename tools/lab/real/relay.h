/*
 * tools/lab/real/relay.h - the process that carries packets between the nodes' TUN devices, as wires.h decides.
 *
 * It is a child of its own, for it must be there in time; its figures lie in memory that both share. It ends when
 * stopped, and with its parent.
 */
#ifndef LAB_RELAY_H
#define LAB_RELAY_H

#include <sys/types.h>
#include "tools/lab/real/wires.h"

struct lab_relay {
	pid_t pid; /* 0: none */
	int control;
	unsigned nodes;
	_Atomic uint64_t *payload; /* by pair: shared with it */
	size_t payload_size;	   /* bytes */
};

/*
 * `tun`: a descriptor for each node, as lab_space_make() makes them; the relay has copies, the caller keeps its own.
 * Lines begin as `line` says. 0, NOMEM, or IO with errno.
 */
SHOAL_MUST int lab_relay_start(struct lab_relay *r, const int *tun, const struct lab_wire *line, unsigned nodes,
			       bool wide, uint64_t seed);
/* Another line for this node from now on. 0, or IO: the relay is gone. */
SHOAL_MUST int lab_relay_line(struct lab_relay *r, unsigned node, const struct lab_wire *line);
/* Bytes behind TCP and UDP headers that were delivered from one node to another. */
uint64_t lab_relay_payload(const struct lab_relay *r, unsigned from, unsigned to);
/* The figures go with it. A relay that was never started is fine. */
void lab_relay_stop(struct lab_relay *r);

#endif
