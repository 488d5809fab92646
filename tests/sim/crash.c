/* crash.c - see crash.h. */
#include "tests/sim/crash.h"

static void on_job(void *to, const struct shoal_disk_job *job)
{
	struct sim_node *n = to;
	/* For its leaves somebody may ask at any time. */
	if (job->op == SHOAL_DISK_CHECK && !(job->flags & SHOAL_DISK_LEAVES) &&
	    shoal_bits_get(&n->witness.owed, job->piece))
		sim_breach(n->sim, n, "hashed piece %u again, which it had announced before the crash", job->piece);
}

void crash_watch(struct sim_node *n)
{
	sim_disk_watch(n->disk, on_job, n);
}

bool crash_looked(struct sim *sim, void *node)
{
	const struct sim_node *n = node;
	(void)sim;
	return n->checked || n->failed;
}

void crash_check(struct sim_node *n)
{
	struct sim *sim = n->sim;
	const struct shoal_metainfo *mi = n->witness.content->mi;
	if (!sim_run(sim, crash_looked, n, SHOAL_S(60)) || n->failed) {
		sim_breach(sim, n, "did not come up: %s", n->text);
		return;
	}
	sim_node_ask_pieces(n);
	for (uint32_t p = 0; p < shoal_metainfo_piece_count(mi); p++) {
		if (shoal_bits_get(&n->witness.owed, p) && !shoal_bits_get(&n->have, p))
			sim_breach(sim, n, "announced piece %u before the crash, and has lost it", p);
		if (shoal_bits_get(&n->have, p) && !sim_disk_piece_right(n->disk, SIM_FOLDER, mi, p, true))
			sim_breach(sim, n, "claims piece %u after the crash, which is not there", p);
	}
}
