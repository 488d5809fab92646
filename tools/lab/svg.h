/*
 * tools/lab/svg.h - a run as a picture: who was complete when, how many copies there were, who served whom.
 */
#ifndef LAB_SVG_H
#define LAB_SVG_H

#include <stdio.h>
#include "tools/lab/result.h"

/* One SVG document; errors stick to `to`. */
void lab_svg_write(const struct lab_result *r, FILE *to);

#endif
