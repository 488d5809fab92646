/* tools/commands.h - the subcommands: each takes its own argv (argv[0] its name) and returns the exit code. */
#ifndef SHOAL_TOOLS_COMMANDS_H
#define SHOAL_TOOLS_COMMANDS_H

struct shoal_tool;

int shoal_create_main(struct shoal_tool *tool, int argc, char **argv);
int shoal_show_main(struct shoal_tool *tool, int argc, char **argv);
int shoal_magnet_main(struct shoal_tool *tool, int argc, char **argv);
int shoal_verify_main(struct shoal_tool *tool, int argc, char **argv);
int shoal_seed_main(struct shoal_tool *tool, int argc, char **argv);
int shoal_dht_main(struct shoal_tool *tool, int argc, char **argv);
int shoal_get_main(struct shoal_tool *tool, int argc, char **argv);
int shoal_reputation_main(struct shoal_tool *tool, int argc, char **argv);
int shoal_explain_main(struct shoal_tool *tool, int argc, char **argv);
int shoal_lab_main(struct shoal_tool *tool, int argc, char **argv); /* linked with shoal_lab */

#endif
