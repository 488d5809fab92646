/*
 * bench_world.c - how large a virtual world can be: processor time, memory and alarms of a swarm, or of idle nodes.
 *
 *     bench_world swarm [nodes=1000] [mib=1024] [piece=1024] [links=25] [turn=1000] [format=v1|v2|hybrid] [seed=1]
 *                       [until=SECONDS] [seed_up=100] [up=20] [down=200] [rtt=0] [spread=10000] [queue=100]
 *                       [rules=full|off|lt] [rounds=1|0]
 *     bench_world idle [nodes=10000]
 *
 * swarm: one seed, leeches with lines of so many Mbit/s and `rtt` ms there and back (0: 20 to 200), each told of `links`
 * others (so that it has about twice as many connections), all started within `spread` ms. One JSON line;
 * warm_us_per_block is of what was sent after these, which is what a short run (until) tells of a long one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tools/bench/clock.h"
#include "tools/lab/world/world.h"

#define MIB (1024u * 1024)

static long rss_kib(void)
{
	struct rusage r;
	getrusage(RUSAGE_SELF, &r);
	return r.ru_maxrss;
}

static const char *option(int argc, char **argv, const char *name, const char *standard)
{
	size_t len = strlen(name);
	for (int i = 2; i < argc; i++)
		if (strncmp(argv[i], name, len) == 0 && argv[i][len] == '=')
			return argv[i] + len + 1;
	return standard;
}

static uint64_t number(int argc, char **argv, const char *name, const char *standard)
{
	return strtoull(option(argc, argv, name, standard), NULL, 10);
}

static enum shoal_format format_of(const char *word)
{
	return strcmp(word, "v1") == 0	 ? SHOAL_FORMAT_V1
	       : strcmp(word, "v2") == 0 ? SHOAL_FORMAT_V2
					 : SHOAL_FORMAT_HYBRID;
}

static enum shoal_rules rules_of(const char *word)
{
	return strcmp(word, "off") == 0 ? SHOAL_RULES_OFF : strcmp(word, "lt") == 0 ? SHOAL_RULES_LT : SHOAL_RULES_FULL;
}

static void start(struct sim *sim, void *arg)
{
	(void)sim;
	sim_node_start(arg);
}

static void tell(struct sim *sim, double began)
{
	unsigned done = 0;
	for (unsigned i = 0; i < sim_nodes(sim); i++)
		done += sim_node(sim, i)->complete;
	fprintf(stderr, "%7.1f s: %u of %u complete, %.1f CPU-s, %ld MiB, %llu alarms, %llu MiB\n",
		(double)(sim_now(sim) - SIM_START) / 1e6, done, sim_nodes(sim), bench_cpu() - began, rss_kib() / 1024,
		(unsigned long long)sim_clock(sim)->rung, (unsigned long long)(sim_wire_bytes(sim) >> 20));
}

static int swarm(int argc, char **argv)
{
	unsigned nodes = (unsigned)number(argc, argv, "nodes", "1000"),
		 links = (unsigned)number(argc, argv, "links", "25");
	uint64_t size = number(argc, argv, "mib", "1024") * MIB;
	uint64_t seed = number(argc, argv, "seed", "1");
	const struct sim_file_spec file = { "data", size };
	struct sim_content c;
	double before = bench_cpu();
	sim_content_init(&c,
			 &(struct sim_content_spec){ .seed = 7,
						     .format = format_of(option(argc, argv, "format", "v1")),
						     .piece_size = (uint32_t)number(argc, argv, "piece", "1024") * 1024,
						     .file = &file,
						     .file_count = 1,
						     .single = true });
	double began = bench_cpu();
	struct sim *sim = sim_new(&(struct sim_options){ .seed = seed,
							 .content = &c,
							 .turn = number(argc, argv, "turn", "1000"),
							 .payload = SIM_PAYLOAD_HEADS,
							 .spans = true,
							 .brief = true,
							 .rounds = number(argc, argv, "rounds", "1") > 0,
							 .tcp = &sim_tcp_common });
	struct shoal_rng dice = shoal_rng_split(seed, 99);
	uint64_t seed_up = number(argc, argv, "seed_up", "100") * 125000, up = number(argc, argv, "up", "20") * 125000;
	uint64_t down = number(argc, argv, "down", "200") * 125000, rtt = number(argc, argv, "rtt", "0");
	uint32_t spread = (uint32_t)number(argc, argv, "spread", "10000");
	for (unsigned i = 0; i <= nodes; i++) {
		struct sim_node_options o = { .up = i == 0 ? seed_up : up,
					      .down = down,
					      .queue = SHOAL_MS(number(argc, argv, "queue", "100")),
					      .rules = rules_of(option(argc, argv, "rules", "full")),
					      .max_peers = 2 * links + 10 };
		o.delay = rtt * 250;
		if (rtt == 0)
			o.delay = SHOAL_MS(5)
				  << shoal_rng_below(&dice, 4); /* 5, 10, 20 or 40 ms: 20 to 160 there and back */
		o.delay += rtt == 0 ? shoal_rng_below(&dice, (uint32_t)o.delay / 4) : 0;
		struct sim_node *n = sim_node_new(sim, &o);
		if (i == 0)
			sim_disk_fill(n->disk, SIM_FOLDER, c.mi);
		for (unsigned k = 0; k < links && i > 0; k++)
			sim_node_meet(n, sim_node(sim, shoal_rng_below(&dice, i)));
		if (i == 0)
			sim_node_start(n);
		else
			sim_at(sim, SIM_START + shoal_rng_below(&dice, spread * 1000), start, n);
	}
	sim_run_for(sim, SHOAL_MS((uint64_t)spread + 1000));
	double told = bench_cpu(), warm = told;
	uint64_t warm_bytes = sim_wire_bytes(sim);
	shoal_us until = SIM_START + SHOAL_S(number(argc, argv, "until", "20000"));
	while (!sim_all_complete(sim, NULL) && sim_wrong(sim)[0] == 0 && sim_now(sim) < until) {
		sim_run_for(sim, SHOAL_S(1));
		if (bench_cpu() > told + 10) {
			told = bench_cpu();
			tell(sim, began);
		}
	}
	tell(sim, began);
	double bound = (double)nodes * (double)size / ((double)seed_up + (double)up * nodes);
	bound = bound > (double)size / (double)seed_up ? bound : (double)size / (double)seed_up;
	shoal_us last = 0;
	for (unsigned i = 1; i <= nodes; i++)
		last = sim_node(sim, i)->completed_at > last ? sim_node(sim, i)->completed_at : last;
	sim_node_ask_stats(sim_node(sim, 0));
	printf("{\"nodes\": %u, \"mib\": %llu, \"cpu_s\": %.1f, \"content_s\": %.1f, \"rss_mib\": %ld, \"alarms\": "
	       "%llu, "
	       "\"blocks\": %llu, \"us_per_block\": %.2f, \"last_s\": %.1f, \"bound_s\": %.1f, \"seed_copies\": %.2f, "
	       "\"trace\": \"%016llx\", "
	       "\"warm_us_per_block\": %.2f, \"wrong\": \"%s\"}\n",
	       nodes, (unsigned long long)(size / MIB), bench_cpu() - began, began - before, rss_kib() / 1024,
	       (unsigned long long)sim_clock(sim)->rung, (unsigned long long)(size / 16384 * nodes),
	       (bench_cpu() - began) * 1e6 / (double)(size / 16384 * nodes), (double)(last - SIM_START) / 1e6, bound,
	       (double)sim_node(sim, 0)->stats.uploaded / (double)size, (unsigned long long)sim_trace(sim),
	       (bench_cpu() - warm) * 1e6 / (double)((sim_wire_bytes(sim) - warm_bytes) / 16384 + 1), sim_wrong(sim));
	bool good = sim_wrong(sim)[0] == 0 && sim_all_complete(sim, NULL);
	sim_free(sim);
	sim_content_fini(&c);
	return good ? 0 : 1;
}

static int idle(int argc, char **argv)
{
	unsigned nodes = (unsigned)number(argc, argv, "nodes", "10000");
	const struct sim_file_spec file = { "data", 64 * MIB };
	struct sim_content c;
	sim_content_init(&c, &(struct sim_content_spec){ .seed = 7,
							 .format = SHOAL_FORMAT_V1,
							 .piece_size = MIB,
							 .file = &file,
							 .file_count = 1,
							 .single = true });
	long before = rss_kib();
	double began = bench_cpu();
	struct sim *sim = sim_new(
		&(struct sim_options){ .seed = 1, .content = &c, .payload = SIM_PAYLOAD_HEADS, .turn = 1000 });
	for (unsigned i = 0; i < nodes; i++)
		sim_node_start(sim_node_new(sim, &(struct sim_node_options){ 0 }));
	sim_run_for(sim, SHOAL_S(60));
	printf("{\"idle\": %u, \"kib_each\": %.1f, \"cpu_s_a_minute\": %.2f, \"wrong\": \"%s\"}\n", nodes,
	       (double)(rss_kib() - before) / nodes, bench_cpu() - began, sim_wrong(sim));
	bool good = sim_wrong(sim)[0] == 0;
	sim_free(sim);
	sim_content_fini(&c);
	return good ? 0 : 1;
}

int main(int argc, char **argv)
{
	/* A gigabyte of small things: with pages of 4 KiB a third of the time goes by in looking up where they are. */
	if (getenv("GLIBC_TUNABLES") == NULL && setenv("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1", 1) == 0)
		execv("/proc/self/exe", argv);
	if (argc > 1 && strcmp(argv[1], "swarm") == 0)
		return swarm(argc, argv);
	if (argc > 1 && strcmp(argv[1], "idle") == 0)
		return idle(argc, argv);
	fprintf(stderr, "usage: bench_world swarm|idle [name=value]...\n");
	return 2;
}
