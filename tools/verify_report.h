/*
 * tools/verify_report.h - what a check has found, and telling it: file by file, piece by piece.
 */
#ifndef SHOAL_TOOLS_VERIFY_REPORT_H
#define SHOAL_TOOLS_VERIFY_REPORT_H

#include "proto/merkle.h"
#include "proto/metainfo.h"
#include "swarm/io/beneath.h"

struct shoal_files;
struct shoal_hasher_file;
struct shoal_tool;

enum shoal_verify_state { /* the first that fits */
			  SHOAL_VERIFY_GOOD,
			  SHOAL_VERIFY_MISSING,
			  SHOAL_VERIFY_NO_FILE, /* a symlink, folder or device stands there */
			  SHOAL_VERIFY_UNREADABLE,
			  SHOAL_VERIFY_UNFINISHED, /* it lies under its unfinished name */
			  SHOAL_VERIFY_SHORT,
			  SHOAL_VERIFY_LONG, /* bytes after its end; what is before them is judged as damaged or not */
			  SHOAL_VERIFY_DAMAGED,
			  SHOAL_VERIFY_UNCHECKED, /* v1: shares a piece with a file that could not be read */
};
enum shoal_verify_verdict { SHOAL_VERIFY_UNREAD, SHOAL_VERIFY_RIGHT, SHOAL_VERIFY_WRONG };

struct shoal_verify_file {
	uint32_t id; /* in the metainfo */
	uint8_t state;
	bool part;
	int os; /* errno of what could not be read */
	uint64_t disk_size;
	int64_t mtime_ns;
};
struct shoal_verify {
	struct shoal_metainfo *mi;
	const char *folder;
	struct shoal_beneath beneath;
	struct shoal_files *files; /* knows the unfinished names */
	uint32_t storage;
	struct shoal_verify_file *file;
	uint32_t file_count; /* those that ought to be on the disk */
	struct shoal_hasher_file *hash;
	uint32_t hash_count;
	uint8_t *verdict;   /* enum shoal_verify_verdict, one a piece */
	shoal_hash32 *root; /* by piece, where a layer is unknown */
	shoal_us took;
};

/* Tells all of it; returns the exit code. */
int shoal_verify_report(struct shoal_tool *tool, struct shoal_verify *v);

#endif
