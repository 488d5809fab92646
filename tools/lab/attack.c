/* attack.c - see attack.h. */
#include "tools/lab/attack.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "tools/lab/fields.h"

#define CASE "hostile:"
#define CASE_MAX 16

/* Named by the shipped scenarios, and not in the world's table yet. */
static const char *const awaited[] = { "cheater", NULL };

enum sim_adversary_kind lab_attack_kind(const struct lab_adversary *a)
{
	return sim_adversary_named(a->kind);
}

const char *lab_attack_case(const struct lab_adversary *a)
{
	size_t n = sizeof CASE - 1;
	return strncmp(a->kind, CASE, n) == 0 ? a->kind + n : NULL;
}

/* An id of tools/hostile, as far as can be told here: "W06f". */
static bool is_case(const struct lab_adversary *a)
{
	const char *id = lab_attack_case(a);
	size_t len = id != NULL ? strlen(id) : 0;
	if (len == 0 || len > CASE_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)id[i]))
			return false;
	return true;
}

static bool is_awaited(const char *kind)
{
	for (size_t i = 0; awaited[i] != NULL; i++)
		if (strcmp(awaited[i], kind) == 0)
			return true;
	return false;
}

static int value_of(const struct sim_adversary_param *p, const char *text, uint64_t *out)
{
	double v;
	int rc = SHOAL_ERR_MALFORMED;
	switch (p->unit) {
	case SIM_UNIT_COUNT: rc = lab_quantity(text, LAB_COUNT, &v); break;
	case SIM_UNIT_SHARE:
		rc = lab_quantity(text, LAB_SHARE, &v);
		v *= 1e6;
		break;
	case SIM_UNIT_TIME:
		rc = lab_quantity(text, LAB_TIME, &v);
		v *= 1e6;
		break;
	case SIM_UNIT_FLAG:
		v = strcmp(text, "yes") == 0;
		rc = v > 0 || strcmp(text, "no") == 0 ? 0 : SHOAL_ERR_MALFORMED;
		break;
	case SIM_UNIT_WORD:
		for (unsigned i = 0; rc < 0 && p->words[i] != NULL; i++) {
			if (strcmp(p->words[i], text) == 0) {
				v = i;
				rc = 0;
			}
		}
		break;
	}
	if (rc < 0)
		return rc;
	if (!(v >= (double)p->least && v <= (double)p->most))
		return SHOAL_ERR_RANGE;
	*out = (uint64_t)llround(v);
	return 0;
}

static void looks(const struct sim_adversary_param *p, char *to, size_t size)
{
	static const enum lab_unit units[] = {
		[SIM_UNIT_COUNT] = LAB_COUNT, [SIM_UNIT_SHARE] = LAB_SHARE, [SIM_UNIT_TIME] = LAB_TIME
	};
	size_t n = 0;
	if (p->unit == SIM_UNIT_FLAG) {
		snprintf(to, size, "yes or no");
	} else if (p->unit == SIM_UNIT_WORD) {
		to[0] = 0;
		for (unsigned i = 0; p->words[i] != NULL && n < size; i++)
			n += (size_t)snprintf(to + n, size - n, "%s%s", i ? ", " : "one of ", p->words[i]);
	} else {
		double unit = p->unit == SIM_UNIT_COUNT ? 1 : 1e6;
		snprintf(to, size, "%s, from %.10g to %.10g", lab_quantity_looks(units[p->unit]),
			 (double)p->least / unit, (double)p->most / unit);
	}
}

int lab_attack_check(const struct lab_adversary *a, char why[200])
{
	enum sim_adversary_kind kind = lab_attack_kind(a);
	char text[120];
	size_t n;
	if (is_case(a)) {
		for (int i = 1; lab_adversary_fields[i].type != LAB_FIELD_END; i++) {
			if (a->param[i - 1] == NULL)
				continue;
			snprintf(why, 200, "a case of tools/hostile is as it is: it has no '%s'",
				 lab_adversary_fields[i].key);
			return -1 - i;
		}
		return 0;
	}
	if (kind == SIM_HONEST || (kind == SIM_ADVERSARY_KINDS && !is_awaited(a->kind))) {
		n = (size_t)snprintf(why, 200, "'%.40s' is no kind of adversary; there are: ", a->kind);
		for (int k = SIM_HONEST + 1; k < SIM_ADVERSARY_KINDS && n < 200; k++)
			n += (size_t)snprintf(why + n, 200 - n, "%s%s", k > SIM_HONEST + 1 ? ", " : "",
					      sim_adversary_table[k].name);
		if (n < 200)
			snprintf(why + n, 200 - n, ", and hostile:CASE");
		return -1;
	}
	for (int i = 1; kind < SIM_ADVERSARY_KINDS && lab_adversary_fields[i].type != LAB_FIELD_END; i++) {
		const struct lab_field *f = &lab_adversary_fields[i];
		const struct sim_adversary_param *p = sim_adversary_param(kind, f->key);
		uint64_t value;
		if (a->param[i - 1] == NULL)
			continue;
		if (p == NULL) {
			n = (size_t)snprintf(why, 200, "a %s has no '%s'; it has: ", a->kind, f->key);
			for (p = sim_adversary_table[kind].param; p->name != NULL && n < 200; p++)
				n += (size_t)snprintf(why + n, 200 - n, "%s%s",
						      p == sim_adversary_table[kind].param ? "" : ", ", p->name);
			return -1 - i;
		}
		if (value_of(p, a->param[i - 1], &value) < 0) {
			looks(p, text, sizeof text);
			snprintf(why, 200, "'%.40s': expected %s", a->param[i - 1], text);
			return -1 - i;
		}
	}
	return 0;
}

struct sim_adversary_spec lab_attack_spec(const struct lab_adversary *a)
{
	enum sim_adversary_kind kind = lab_attack_kind(a);
	struct sim_adversary_spec spec = sim_adversary_spec(kind);
	for (int i = 1; lab_adversary_fields[i].type != LAB_FIELD_END; i++) {
		const struct sim_adversary_param *p = sim_adversary_param(kind, lab_adversary_fields[i].key);
		if (p != NULL && a->param[i - 1] != NULL)
			(void)!value_of(p, a->param[i - 1], sim_adversary_value(&spec, p));
	}
	return spec;
}
