/*
 * tools/exit.h - what the program's end tells a script. A contract: see the README.
 */
#ifndef SHOAL_TOOLS_EXIT_H
#define SHOAL_TOOLS_EXIT_H

enum shoal_exit {
	SHOAL_EXIT_GOOD = 0,
	SHOAL_EXIT_DATA = 1, /* data missing, damaged, or not complete in time */
	SHOAL_EXIT_USAGE = 2,
	SHOAL_EXIT_INPUT = 3,	/* a bad torrent, magnet or file */
	SHOAL_EXIT_STORAGE = 4, /* no space, no permission, I/O error, owned by another process */
	SHOAL_EXIT_NET = 5,	/* cannot bind; no peer was ever reachable in time */
	SHOAL_EXIT_REFUSED = 6, /* policy */
	SHOAL_EXIT_INTERRUPTED = 130,
};

/* The exit code an enum shoal_err ends in, where nothing closer is known. */
int shoal_exit_of(int err);

#endif
