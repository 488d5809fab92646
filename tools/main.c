/* tools/main.c - the program: a table of subcommands. */
#include "tools/commands.h"
#include "tools/say.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

static const struct command {
	const char *name;
	int (*run)(struct shoal_tool *tool, int argc, char **argv); /* NULL: not built yet */
	const char *about;
} commands[] = {
	{ "create", shoal_create_main, "make a torrent of a file or folder" },
	{ "show", shoal_show_main, "what a torrent or magnet link says" },
	{ "magnet", shoal_magnet_main, "the magnet link of a torrent" },
	{ "verify", shoal_verify_main, "check every piece of what is on disk" },
	{ "seed", shoal_seed_main, "share files, folders and torrents" },
	{ "get", shoal_get_main, "fetch a torrent, magnet link or info hash" },
	{ "lab", shoal_lab_main, "test swarms under virtual time" },
	{ "dht", shoal_dht_main, "the DHT by hand" },
	{ "reputation", shoal_reputation_main, "what is remembered of peers" },
	{ "node", NULL, "the daemon" },
	{ "explain", shoal_explain_main, "why it went as it did: reads what --record wrote" },
};

static void usage(FILE *to)
{
	fputs("usage: shoal COMMAND [OPTIONS]\n\ncommands:\n", to);
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		if (commands[i].run)
			fprintf(to, "  %-10s  %s\n", commands[i].name, commands[i].about);
	}
	fputs("\nshoal COMMAND --help tells more of each; shoal --version names this program.\n"
	      "\nexamples:\n"
	      "  shoal seed holiday/                      share a folder; prints its magnet link\n"
	      "  shoal get 'magnet:?xt=...' -o Downloads  fetch it\n"
	      "  shoal create holiday/ && shoal show holiday.torrent\n"
	      "\nexit codes: 0 good; 1 data missing, damaged or late; 2 wrong usage; 3 bad torrent, magnet or file;\n"
	      "4 local storage; 5 network; 6 refused by policy; 130 interrupted\n",
	      to);
}

/* The allocator's own habits must not eat the memory budget: few arenas, and what is freed goes back. */
static void keep_memory_small(void)
{
	mallopt(M_ARENA_MAX, 2);
	mallopt(M_TRIM_THRESHOLD, 1 << 20);
	mallopt(M_MMAP_THRESHOLD, 256 * 1024);
}

static int run(struct shoal_tool *tool, int argc, char **argv)
{
	char shown[SHOAL_SAY_TEXT_MAX];
	if (argc < 2) {
		usage(stderr);
		return SHOAL_EXIT_USAGE;
	}
	const char *name = argv[1];
	if (strcmp(name, "help") == 0 && argc > 2) { /* help COMMAND: COMMAND --help */
		static char help[] = "--help";
		name = argv[1] = argv[2];
		argv[2] = help;
		argc = 3;
	}
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
		usage(stdout);
		return SHOAL_EXIT_GOOD;
	}
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
		puts("shoal " SHOAL_VERSION);
		return SHOAL_EXIT_GOOD;
	}
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		if (strcmp(name, commands[i].name) != 0)
			continue;
		if (commands[i].run == NULL)
			return shoal_say_fail(tool, SHOAL_ERR_USAGE, "%s is not built yet", name);
		tool->command = commands[i].name;
		return commands[i].run(tool, argc - 1, argv + 1);
	}
	return shoal_say_fail(tool, SHOAL_ERR_USAGE, "unknown %s %s; see shoal --help",
			      name[0] == '-' ? "option" : "command", shoal_say_cstr(name, shown));
}

int main(int argc, char **argv)
{
	struct shoal_tool tool = { .log = SHOAL_LOG_WARN };
	keep_memory_small();
	int code = run(&tool, argc, argv);
	shoal_say_fini(&tool);
	shoal_say_flush(&tool);
	return code;
}
