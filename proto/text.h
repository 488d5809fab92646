/*
 * proto/text.h - text codes: what strangers named, made safe to print; percent, hex, base32.
 */
#ifndef SHOAL_TEXT_H
#define SHOAL_TEXT_H

#include <shoal/types.h>

/*
 * For terminals and logs. Valid UTF-8 stays; what could move a cursor, hide or reverse text
 * becomes \xNN for each of its bytes: C0, DEL, C1, bytes that are no UTF-8 (overlong forms and
 * surrogates too), line and paragraph separators, bidi and other invisible controls (zero width
 * ones, U+FEFF, tags). A backslash becomes \\, so that the text can be read back in one way.
 * Always NUL-ended; what does not fit is cut between characters and ends in "..." when there is
 * room for that. Returns the length that all of it would have; so cut when >= out.len.
 */
size_t shoal_text_escape(struct shoal_bytes in, struct shoal_space out);

/* The characters that stand for themselves in a URL's path or query: RFC 3986 unreserved; others become %NN.
 * `keep` (may be "") are further bytes to leave alone, e.g. "/". NUL-ended. The length, or TOO_LONG. */
SHOAL_MUST ptrdiff_t shoal_percent_encode(struct shoal_bytes in, const char *keep, struct shoal_space out);
/* Decodes %NN (and '+' as a blank, when asked to). A '%' without two hex digits stays a '%'. In place is fine:
 * out may be in. Not NUL-ended. The length, or TOO_LONG. */
SHOAL_MUST ptrdiff_t shoal_percent_decode(struct shoal_bytes in, bool plus, struct shoal_space out);

/* 0..15, or -1 when it is no hex digit. */
int shoal_hex_digit(uint8_t c);
/* Lower-case digits, NUL-ended: 2 * in.len + 1 bytes are written. */
void shoal_hex_encode(struct shoal_bytes in, char *out);
/* Exactly 2 * out.len digits of either case, or MALFORMED. */
SHOAL_MUST int shoal_hex_decode(struct shoal_bytes in, struct shoal_space out);

/* RFC 4648 base32 without padding, either case: exactly as many digits as out.len bytes need, spare bits zero. */
SHOAL_MUST int shoal_base32_decode(struct shoal_bytes in, struct shoal_space out);

/* The length (1..4) of the valid UTF-8 character at the front of `in` and its code point; 0 when there is none. */
size_t shoal_utf8_next(struct shoal_bytes in, uint32_t *code);

#endif
