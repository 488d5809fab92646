/*
 * proto/bencode.h - bencoding: a pull parser over a span, and a canonical writer (BEP 3).
 *
 * The parser owns no heap and does not recurse: one token a call, each with
 * its byte offsets, so that a raw span can be hashed as it stands. Strict:
 * no -0, no leading zeros (lengths too), int64 alone, every length checked,
 * keys are strings. Key order is the caller's business: pick() finds a
 * wanted key that comes twice, check() any key that does. Spans in what is
 * read borrow the input.
 *
 * A small dictionary (BEP 10, KRPC, a tracker's reply) is read like this:
 *
 *	struct shoal_ben_field f[] = { { .key = "m" }, { .key = "reqq" } };
 *	ptrdiff_t n = shoal_ben_pick(in, SHOAL_BEN_DEPTH_SMALL, f, 2);
 *	if (n < 0)
 *		return (int)n;			// no dictionary; n bytes were it
 *	if (f[1].v.kind == SHOAL_BEN_INT)	// NONE when the key was not there
 *		reqq = f[1].v.num;
 *	if (f[0].v.kind == SHOAL_BEN_DICT) {	// walk what is inside
 *		struct shoal_ben b = shoal_ben(f[0].v.raw, SHOAL_BEN_DEPTH_SMALL);
 *		struct shoal_ben_value key, id;
 *		int rc = shoal_ben_open(&b, SHOAL_BEN_DICT);
 *		while (rc >= 0 && (rc = shoal_ben_entry(&b, &key, &id)) > 0)
 *			...key.str, id.kind, id.num
 *	}
 */
#ifndef SHOAL_BENCODE_H
#define SHOAL_BENCODE_H

#include <shoal/types.h>

#define SHOAL_BEN_DEPTH_MAX 128u /* nesting the parser and the writer can hold at all */
#define SHOAL_BEN_DEPTH_SMALL 8u /* for messages: DHT, extensions, trackers */

enum shoal_ben_kind {
	SHOAL_BEN_NONE, /* nothing there */
	SHOAL_BEN_INT,
	SHOAL_BEN_STR,
	SHOAL_BEN_LIST, /* as a token: its beginning */
	SHOAL_BEN_DICT,
	SHOAL_BEN_END, /* a token only: of the innermost list or dict */
};

/* A token, or (from value, entry, pick) a whole value. */
struct shoal_ben_value {
	enum shoal_ben_kind kind;
	int64_t num;		/* INT */
	struct shoal_bytes str; /* STR: its bytes, without the length */
	struct shoal_bytes raw; /* all its bytes; a LIST or DICT token: one byte, a value: to its end */
	size_t at;		/* offset of raw in the input */
	bool is_key;		/* a STR in the place of a dictionary's key */
};

struct shoal_ben {
	struct shoal_bytes in;
	size_t pos;	/* bytes read; where an error was met */
	uint32_t depth; /* open lists and dicts */
	uint32_t depth_max;
	bool key_next;				 /* the innermost is a dict and a key (or its end) is due */
	bool done;				 /* one whole value has been read */
	int bad;				 /* the first error; it sticks */
	uint64_t dict[SHOAL_BEN_DEPTH_MAX / 64]; /* bit d-1: level d is a dict */
};

/* A parser over the one value at the front of `in`. depth_max <= SHOAL_BEN_DEPTH_MAX; 0 allows scalars alone. */
struct shoal_ben shoal_ben(struct shoal_bytes in, uint32_t depth_max);
/*
 * The next token. 1: `*out` is set. 0: the value has ended (after `pos` bytes; what
 * follows is the caller's). MALFORMED; TOO_LONG for nesting above depth_max.
 */
SHOAL_MUST int shoal_ben_next(struct shoal_ben *b, struct shoal_ben_value *out);
/* After a LIST or DICT token: passes over the rest, and makes `*v` (that token) the whole value. No-op for others. */
SHOAL_MUST int shoal_ben_skip(struct shoal_ben *b, struct shoal_ben_value *v);
/* The next whole value: 1, or 0 at the end of the list or dict it stands in (which is consumed) or of the input. */
SHOAL_MUST int shoal_ben_item(struct shoal_ben *b, struct shoal_ben_value *v);
/* In a dict: the next key and its whole value: 1, or 0 at its end. */
SHOAL_MUST int shoal_ben_entry(struct shoal_ben *b, struct shoal_ben_value *key, struct shoal_ben_value *v);
/* Takes the beginning of a list or dict; 0, or MALFORMED when something else stands there. */
SHOAL_MUST int shoal_ben_open(struct shoal_ben *b, enum shoal_ben_kind kind);

struct shoal_ben_field {
	const char *key;	  /* set by the caller */
	struct shoal_ben_value v; /* the whole value; kind NONE when absent */
};
/*
 * Reads the dictionary at the front of `in` and fills the fields it names, whatever the
 * order of the keys; other keys are passed over. Returns the bytes the dictionary took;
 * MALFORMED also when a wanted key comes twice, or any key twice in a row. Cost: linear,
 * times `count` for key comparisons; keep the table to a couple of dozen fields.
 * On an error the fields are all NONE.
 */
SHOAL_MUST ptrdiff_t shoal_ben_pick(struct shoal_bytes in, uint32_t depth_max, struct shoal_ben_field *field,
				    size_t count);

/*
 * Whether `in` is exactly one value with no duplicate key in any dictionary, in linear
 * time for any input. Nesting above depth_max is TOO_LONG except inside `deep`, a span
 * of `in` (or empty) that may nest to SHOAL_BEN_DEPTH_MAX. Only unsorted dictionaries
 * cost memory (bounded by about the input's size) and can give NOMEM. `*at` (may be
 * NULL) is the offset of what is wrong. SHOAL_ERR_EXISTS: a duplicate key.
 */
SHOAL_MUST int shoal_ben_check(struct shoal_bytes in, uint32_t depth_max, struct shoal_bytes deep, size_t *at);

/*
 * The writer. Into the caller's span, or into a heap buffer that grows to size_max.
 * Errors stick and show at done(). Keys must come in order, values must follow keys
 * and ends must match: asserted, they are our own promises.
 */
struct shoal_ben_wr {
	uint8_t *at;
	size_t len, room, size_max;
	uint32_t depth;
	bool heap, key_next;
	int err;
	uint64_t dict[SHOAL_BEN_DEPTH_MAX / 64];
	size_t prev_key[SHOAL_BEN_DEPTH_MAX]; /* offset + 1 of the level's last key string; 0: none */
	size_t prev_len[SHOAL_BEN_DEPTH_MAX];
};

void shoal_ben_wr_init(struct shoal_ben_wr *w, struct shoal_space out);
void shoal_ben_wr_init_heap(struct shoal_ben_wr *w, size_t size_max);
void shoal_ben_wr_fini(struct shoal_ben_wr *w); /* frees the heap buffer, if it is still the writer's */
void shoal_ben_wr_dict(struct shoal_ben_wr *w);
void shoal_ben_wr_list(struct shoal_ben_wr *w);
void shoal_ben_wr_end(struct shoal_ben_wr *w);
void shoal_ben_wr_key(struct shoal_ben_wr *w, struct shoal_bytes key);
void shoal_ben_wr_int(struct shoal_ben_wr *w, int64_t num);
void shoal_ben_wr_str(struct shoal_ben_wr *w, struct shoal_bytes str);
/* One value that is bencoded already. */
void shoal_ben_wr_raw(struct shoal_ben_wr *w, struct shoal_bytes raw);
/* The length; TOO_LONG when the span or size_max is too small, NOMEM. All must be ended. */
SHOAL_MUST ptrdiff_t shoal_ben_wr_done(const struct shoal_ben_wr *w);
/* Key and value in one. */
void shoal_ben_wr_pair_int(struct shoal_ben_wr *w, const char *key, int64_t num);
void shoal_ben_wr_pair_str(struct shoal_ben_wr *w, const char *key, struct shoal_bytes str);

#endif
