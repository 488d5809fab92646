/*
 * swarm/libtorrent/frame.h - shoal/engine.h as bytes: what crosses between us and the child that runs libtorrent.
 *
 * A frame is a length (u32, little-endian, of what follows), a kind and a body. One list of fields a struct serves both
 * ways, so what is written is what is read. The other side is not trusted: a length is checked before
 * anything is kept, and a frame that does not fit its fields to the byte is an error. Spans of what was read borrow
 * the frame.
 *
 * Both sides are the same build, so nothing here is versioned but by the hello.
 */
#ifndef SHOAL_LT_FRAME_H
#define SHOAL_LT_FRAME_H

#include <shoal/engine.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SHOAL_LT_FRAME_HEAD 5u
#define SHOAL_LT_FRAME_MAX (160u << 20) /* to the child: a .torrent of 128 MiB, and what goes with it */
#define SHOAL_LT_ANSWER_MAX (32u << 20) /* from the child: pieces and copies of the largest torrent */
#define SHOAL_LT_TEXT_MAX 160u

enum shoal_lt_kind {
	SHOAL_LT_OPEN = 1, /* to the child, first and once: struct shoal_lt_start */
	SHOAL_LT_OPENED,   /* its answer: struct shoal_lt_hello */
	SHOAL_LT_OP,	   /* struct shoal_op */
	SHOAL_LT_EVENT,	   /* struct shoal_event */
};
struct shoal_lt_start {
	struct shoal_config config;
};
struct shoal_lt_hello {
	int err; /* of open() */
	struct shoal_bytes what, version;
};
union shoal_lt_body {
	struct shoal_lt_start start;
	struct shoal_lt_hello hello;
	struct shoal_op op;
	struct shoal_event event;
};

/* The frame's whole length; 0: the head is not all there yet; TOO_LONG, MALFORMED (an unknown kind). */
SHOAL_MUST ptrdiff_t shoal_lt_frame_length(struct shoal_bytes in, size_t most);

/* Appends a frame to *at (heap, *len of *room bytes used). 0; NOMEM, TOO_LONG: nothing was appended. */
SHOAL_MUST int shoal_lt_frame_write(uint8_t **at, size_t *len, size_t *room, enum shoal_lt_kind kind,
				    const union shoal_lt_body *body);

/*
 * Reads a whole frame. Texts of a config are NUL-terminated copies in `strings`, the tables of an event aligned copies
 * in `tables`, both heap and the caller's to free, whatever came of it; all else borrows `frame`. The kind; MALFORMED, NOMEM.
 */
struct shoal_lt_read {
	char *strings[2];
	uint32_t *copies;
	struct shoal_file_info *files;
};
SHOAL_MUST int shoal_lt_frame_read(struct shoal_bytes frame, union shoal_lt_body *body, struct shoal_lt_read *kept);
void shoal_lt_read_fini(struct shoal_lt_read *kept);

#ifdef __cplusplus
}
#endif
#endif
