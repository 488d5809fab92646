/*
 * tools/lab/attack.h - the adversaries of a scenario, and those the virtual world has.
 */
#ifndef LAB_ATTACK_H
#define LAB_ATTACK_H

#include "tools/lab/scenario.h"
#include "tools/lab/world/adversary.h"

/*
 * Whether the world's kind of that name has these parameters and takes these values. 0 or more: it is good; else
 * -1 - the number in lab_adversary_fields of what is wrong, and `why`. A kind that the lab is still to get is good.
 */
int lab_attack_check(const struct lab_adversary *a, char why[200]);
/* "hostile:CASE": the case of tools/hostile that real nodes of it play (--real); NULL: it is none of those. */
const char *lab_attack_case(const struct lab_adversary *a);
/* SIM_ADVERSARY_KINDS: the world has none of that kind yet, or never will (a case). */
enum sim_adversary_kind lab_attack_kind(const struct lab_adversary *a);
/* What the world is given of one that was checked. */
struct sim_adversary_spec lab_attack_spec(const struct lab_adversary *a);

#endif
