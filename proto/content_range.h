/*
 * proto/content_range.h - which bytes an HTTP server says it sends (RFC 9110, 14.4).
 *
 * The one header of HTTP whose value we read ourselves: what a web seed
 * (BEP 19) sends lands where the server says it belongs, so it must say
 * exactly what was asked for.
 */
#ifndef SHOAL_CONTENT_RANGE_H
#define SHOAL_CONTENT_RANGE_H

#include <shoal/types.h>

struct shoal_content_range {
	uint64_t from, to; /* bytes [from, to); to is above from */
	uint64_t total;	   /* of the whole resource; 0: not told ("*") */
};
/*
 * Reads the value of a Content-Range header, e.g. "bytes 0-499/1234": 0;
 * MALFORMED: another unit, no range (a star, as in a 416), numbers that are none, do not fit
 * 63 bits, or contradict each other. Blanks around it are fine, none inside but the one after "bytes".
 */
SHOAL_MUST int shoal_content_range_parse(struct shoal_bytes value, struct shoal_content_range *out);

#endif
