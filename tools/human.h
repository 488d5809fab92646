/*
 * tools/human.h - numbers and names as people read them, in the width a terminal has.
 */
#ifndef SHOAL_TOOLS_HUMAN_H
#define SHOAL_TOOLS_HUMAN_H

#include <shoal/types.h>

#define SHOAL_HUMAN_MAX 32

/* "0 B", "999 B", "1.5 KiB", "12 MiB", "4.0 GiB": three digits at most. Each returns `out`. */
const char *shoal_human_size(uint64_t bytes, char out[SHOAL_HUMAN_MAX]);
const char *shoal_human_rate(uint64_t bytes_a_second, char out[SHOAL_HUMAN_MAX]);
/* "42 ms", "0.42 s", "12 s", "3 min 05 s", "2 h 04 min", "9 days". */
const char *shoal_human_span(shoal_us us, char out[SHOAL_HUMAN_MAX]);
/* "1 file", "2 files". */
const char *shoal_human_count(uint64_t n, const char *one, const char *many, char out[SHOAL_HUMAN_MAX * 2]);
/* What a node of the DHT says it is (BEP 5: `v`): "LT 1.2", "SH 0.1"; hex where that are no two letters and two numbers,
 * "-" where it says nothing. */
const char *shoal_human_client(struct shoal_bytes v, char out[SHOAL_HUMAN_MAX]);
/* Tenths of a per cent of `total`, never 1000 before all is done. */
unsigned shoal_human_permille(uint64_t done, uint64_t total);

/* Columns that UTF-8 text takes on a terminal; never too few for what is printable. */
size_t shoal_human_columns(const char *text);
/* Copies as much of `text` as fits `columns`, cut in the middle with "..." when it does not. NUL-ended; returns `out`. */
const char *shoal_human_fit(const char *text, size_t columns, char *out, size_t out_size);

#endif
