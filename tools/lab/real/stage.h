/*
 * tools/lab/real/stage.h - all that stands before the first process starts: content, folders, namespaces, lines.
 *
 *     ROOT/set.torrent   the torrent, the tracker in it
 *     ROOT/set.whole/    the content; seeds have hard links to it; no node can be called so
 *     ROOT/NAME/         a node's folder (command.h)
 */
#ifndef LAB_STAGE_H
#define LAB_STAGE_H

#include "tools/lab/real/command.h"
#include "tools/lab/real/relay.h"
#include "tools/lab/real/space.h"
#include "tools/lab/world/content.h"

#define LAB_STAGE_PATH_MAX 1200
#define LAB_STAGE_WHY_MAX 400

struct lab_stage {
	const struct lab_scenario *s;
	const struct sim_content *content;
	char root[LAB_STAGE_PATH_MAX];
	struct lab_plan plan;
	struct lab_space *space; /* one for each node, and the tracker's behind them */
	unsigned spaces;
	struct lab_relay relay;
	struct lab_wire *line; /* as they are now */
	struct lab_command *command;
	char tracker[48]; /* its URL */
	int door;	  /* the tracker listens there */
};

/*
 * Inside a closed place (closed.h). `place`: its programs; the tracker's URL is filled in. `root` is made.
 * 0; else an enum shoal_err, and `why`: NO_SPACE, DENIED, UNSUPPORTED (a program is not installed), IO, NOMEM.
 * Then, too, it is to be closed.
 */
SHOAL_MUST int lab_stage_open(struct lab_stage *stage, const struct lab_scenario *s, const struct sim_content *content,
			      uint64_t seed, const char *root, struct lab_command_place place,
			      char why[LAB_STAGE_WHY_MAX]);
/* Ends the relay and the namespaces, and removes ROOT unless `keep`. One that was never opened must be zero. */
void lab_stage_close(struct lab_stage *stage, bool keep);

/* Whether PATH has a program of that name. */
bool lab_stage_installed(const char *program);
/* ROOT/NAME or ROOT/NAME/`below`. Returns `out`. */
const char *lab_stage_path(const struct lab_stage *stage, unsigned node, const char *below,
			   char out[LAB_STAGE_PATH_MAX]);
/* The line of a node is as stage->line[node] says from now on. 0 or IO. */
SHOAL_MUST int lab_stage_line(struct lab_stage *stage, unsigned node);
/* Whether the node's data is the content, every byte of it; else `why` says where it is not. */
bool lab_stage_copy_is_true(const struct lab_stage *stage, unsigned node, char why[200]);

#endif
