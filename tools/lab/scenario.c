/* scenario.c - see scenario.h: what the texts of a scenario mean, and whether they fit together. */
#include "tools/lab/scenario.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tools/lab/attack.h"
#include "tools/lab/fields.h"
#include "tools/lab/hold.h"
#include "tools/lab/schema.h"

/* What is being read. */
struct reading {
	struct lab_scenario *s;
	struct lab_where *where;
	struct lab_fault *fault;
};

/* `what` is wrong with the value at `path`. */
__attribute__((format(printf, 3, 4))) static int wrong(struct reading *r, const char *path, const char *format, ...)
{
	va_list args;
	lab_where_find(r->where, path, false, r->fault);
	va_start(args, format);
	vsnprintf(r->fault->what, sizeof r->fault->what, format, args);
	va_end(args);
	return SHOAL_ERR_MALFORMED;
}

/* ---- from text to value ---------------------------------------------------------------- */

static int read_number(struct reading *r, const struct lab_field *f, struct lab_number *n, const char *path)
{
	const char *text = n->text != NULL ? n->text : f->dflt;
	if (lab_quantity(text, f->unit, &n->v) < 0)
		return wrong(r, path, "'%.60s' is not %s", text, lab_quantity_looks(f->unit));
	if (n->v < f->least)
		return wrong(r, path, "'%.60s' is too small: expected at least %.10g", text, f->least);
	if (n->v > f->most)
		return wrong(r, path, "'%.60s' is too big: expected at most %.10g", text, f->most);
	return 0;
}

static int read_choice(struct reading *r, const struct lab_field *f, struct lab_choice *c, const char *path)
{
	const char *text = c->text != NULL ? c->text : f->dflt;
	char all[160] = "";
	size_t n = 0;
	for (int i = 0; f->choices[i] != NULL; i++) {
		if (strcmp(f->choices[i], text) == 0) {
			c->v = i;
			return 0;
		}
		n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", i ? ", " : "", f->choices[i]);
	}
	return c->text == NULL ? 0 : wrong(r, path, "'%.60s' is none of %s", text, all);
}

static int read_has(struct reading *r, const struct lab_field *f, struct lab_number *n, const char *path)
{
	const char *text = n->text != NULL ? n->text : f->dflt;
	if (strncmp(text, "first ", 6) == 0)
		text += 6;
	if (strcmp(text, "all") == 0)
		n->v = 1;
	else if (strcmp(text, "nothing") == 0)
		n->v = 0;
	else if (lab_quantity(text, LAB_SHARE, &n->v) < 0 || n->v > 1)
		return wrong(r, path, "'%.60s' is none of all, nothing, or a share such as 30%% or first 30%%", text);
	return 0;
}

static int read_seeds(struct reading *r, const struct lab_field *f, struct lab_seeds *seeds, const char *path)
{
	if (lab_seeds_parse(seeds->text != NULL ? seeds->text : f->dflt, &seeds->from, &seeds->to) < 0)
		return wrong(r, path, "'%.60s' is no seed and no range of at most %u seeds (1..20)", seeds->text,
			     LAB_SEEDS_MAX);
	return 0;
}

static int read_fields(struct reading *r, const struct lab_field *table, void *base, const char *path)
{
	char why[160], here[200];
	int rc = 0;
	for (const struct lab_field *f = table; rc == 0 && f->type != LAB_FIELD_END; f++) {
		char *at = (char *)base + f->at;
		snprintf(here, sizeof here, "%s%s%s", path, path[0] ? "." : "", f->key);
		switch (f->type) {
		case LAB_FIELD_NUMBER:
			if (((struct lab_number *)(void *)at)->text != NULL || f->dflt != NULL)
				rc = read_number(r, f, (void *)at, here);
			break;
		case LAB_FIELD_CHOICE:
			if (((struct lab_choice *)(void *)at)->text != NULL || f->dflt != NULL)
				rc = read_choice(r, f, (void *)at, here);
			break;
		case LAB_FIELD_HAS: rc = read_has(r, f, (void *)at, here); break;
		case LAB_FIELD_SEEDS: rc = read_seeds(r, f, (void *)at, here); break;
		case LAB_FIELD_VARIOUS: {
			struct lab_various *v = (void *)at;
			const char *text = v->text != NULL ? v->text : f->dflt;
			if (lab_spread_parse(&v->v, text, f->unit, why) < 0)
				rc = wrong(r, here, "'%.60s': %s", text, why);
			break;
		}
		case LAB_FIELD_MAP: rc = read_fields(r, f->entries, at, here); break;
		case LAB_FIELD_LIST: {
			void *array;
			unsigned count;
			memcpy(&array, at, sizeof array);
			memcpy(&count, at + sizeof array, sizeof count);
			for (unsigned i = 0; rc == 0 && i < count; i++) {
				snprintf(here, sizeof here, "%s%s%s[%u]", path, path[0] ? "." : "", f->key, i);
				rc = read_fields(r, f->entries, (char *)array + i * f->entry_size, here);
			}
			break;
		}
		case LAB_FIELD_TEXT:
		case LAB_FIELD_TEXTS:
		case LAB_FIELD_END: break;
		}
	}
	return rc;
}

int lab_seeds_parse(const char *text, uint64_t *from, uint64_t *to)
{
	char *end;
	if (!isdigit((unsigned char)text[0]) || strlen(text) > 30)
		return SHOAL_ERR_MALFORMED;
	*from = *to = strtoull(text, &end, 10);
	if (strncmp(end, "..", 2) == 0 && isdigit((unsigned char)end[2]))
		*to = strtoull(end + 2, &end, 10);
	return *end != 0 || *to < *from || *to - *from >= LAB_SEEDS_MAX ? SHOAL_ERR_MALFORMED : 0;
}

int lab_policy_of(const char *name)
{
	for (int i = 0; i < LAB_POLICIES; i++)
		if (strcmp(name, lab_policy_name((enum lab_policy)i)) == 0)
			return i;
	return -1;
}

/* ---- settings --------------------------------------------------------------------------- */

static const struct lab_field *field_named(const struct lab_field *table, const char *key, size_t len)
{
	for (const struct lab_field *f = table; f->type != LAB_FIELD_END; f++)
		if (strlen(f->key) == len && memcmp(f->key, key, len) == 0)
			return f;
	return NULL;
}

/* "GROUP.FIELD = VALUE", "content.size = VALUE", "policy = VALUE": before anything is read. */
static int set_field(struct lab_scenario *s, const char *setting, struct lab_fault *fault)
{
	const struct lab_field *table = lab_scenario_fields, *f = NULL;
	char *base = (char *)s;
	const char *equals = strchr(setting, '=');
	size_t end = equals != NULL ? (size_t)(equals - setting) : 0;
	while (end > 0 && setting[end - 1] == ' ')
		end--;
	if (end == 0) {
		snprintf(fault->what, sizeof fault->what, "'%.80s' is no setting: expected FIELD = VALUE", setting);
		return SHOAL_ERR_MALFORMED;
	}
	for (size_t at = 0; at < end;) {
		size_t len = 0;
		while (at + len < end && setting[at + len] != '.')
			len++;
		int group = at == 0 ? lab_scenario_group(s, setting, len) : -1;
		if (group >= 0) {
			f = field_named(table, "nodes", 5);
			base = (char *)&s->nodes[group];
		} else {
			f = field_named(table, setting + at, len);
			if (f == NULL)
				break;
			base += f->at;
		}
		table = f->entries;
		at += len + 1;
		if (at < end && table == NULL)
			f = NULL;
		if (f == NULL || (at < end && f->type == LAB_FIELD_LIST && group < 0)) {
			f = NULL;
			break;
		}
	}
	if (f == NULL || f->type == LAB_FIELD_LIST || f->type == LAB_FIELD_MAP || f->type == LAB_FIELD_TEXTS) {
		snprintf(fault->what, sizeof fault->what,
			 "'%.*s' cannot be set: expected GROUP.FIELD, content.FIELD or a field of the scenario",
			 (int)(end < 80 ? end : 80), setting);
		return SHOAL_ERR_MALFORMED;
	}
	const char *value = equals + 1 + strspn(equals + 1, " ");
	char *text = strdup(value), *old;
	if (text == NULL)
		return SHOAL_ERR_NOMEM;
	memcpy(&old, base, sizeof old);
	free(old);
	memcpy(base, &text, sizeof text);
	return 0;
}

/* ---- what fits together ------------------------------------------------------------------- */

int lab_scenario_group(const struct lab_scenario *s, const char *name, size_t len)
{
	for (unsigned i = 0; i < s->nodes_count; i++)
		if (s->nodes[i].name != NULL && strlen(s->nodes[i].name) == len &&
		    memcmp(s->nodes[i].name, name, len) == 0)
			return (int)i;
	return -1;
}

unsigned lab_scenario_nodes(const struct lab_scenario *s)
{
	double count = 0;
	for (unsigned i = 0; i < s->nodes_count; i++)
		count += s->nodes[i].count.v;
	return (unsigned)count;
}

const struct lab_variant *lab_scenario_variant(const struct lab_scenario *s, const char *name)
{
	for (unsigned i = 0; i < s->runs_count; i++)
		if (strcmp(s->runs[i].name, name) == 0)
			return &s->runs[i];
	return NULL;
}

static bool is_word(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
	return n > 0 && n <= 40 && text[n] == 0 && !isdigit((unsigned char)text[0]);
}

/* "GROUP", "GROUP[3]", "3 of GROUP", "20% of GROUP" */
static int read_who(struct reading *r, const char *text, struct lab_who *who, const char *path)
{
	const char *of = strstr(text, " of "), *name = of != NULL ? of + 4 : text;
	size_t len = strcspn(name, "[");
	char amount[40];
	int group = lab_scenario_group(r->s, name, len);
	*who = (struct lab_who){ 0 };
	if (group < 0)
		return wrong(r, path,
			     "'%.60s' names no group: expected GROUP, GROUP[INDEX], 3 of GROUP or 20%% of GROUP", text);
	who->group = (unsigned)group;
	if (name[len] == '[') {
		char *end;
		who->one = true;
		who->index = (unsigned)strtoul(name + len + 1, &end, 10);
		if (of != NULL || end == name + len + 1 || strcmp(end, "]") != 0 ||
		    who->index >= r->s->nodes[group].count.v)
			return wrong(r, path, "'%.60s': expected a number from 0 to %.0f in the brackets", text,
				     r->s->nodes[group].count.v - 1);
	}
	if (of != NULL) {
		double v;
		snprintf(amount, sizeof amount, "%.*s", (int)(of - text), text);
		who->some = true;
		if (lab_quantity(amount, LAB_COUNT, &v) == 0)
			who->count = (unsigned)v;
		else if (lab_quantity(amount, LAB_SHARE, &who->share) < 0 || who->share > 1)
			return wrong(r, path, "'%.60s': expected a number or a share before 'of'", text);
	}
	return 0;
}

static int read_event(struct reading *r, struct lab_event *e, unsigned i)
{
	char path[60];
	snprintf(path, sizeof path, "events[%u].at", i);
	e->at_share = strchr(e->at.text, '%') != NULL;
	if (lab_quantity(e->at.text, e->at_share ? LAB_SHARE : LAB_TIME, &e->at.v) < 0 || !isfinite(e->at.v) ||
	    (e->at_share && e->at.v > 1))
		return wrong(r, path, "'%.60s' is neither a time (90s) nor a share (50%%)", e->at.text);
	snprintf(path, sizeof path, "events[%u].who", i);
	return read_who(r, e->who_text, &e->who, path);
}

static int read_adversary(struct reading *r, unsigned group)
{
	const struct lab_adversary *a = &r->s->nodes[group].adversary;
	char path[80], why[200];
	if (a->kind == NULL)
		return 0;
	int at = lab_attack_check(a, why);
	if (at >= 0)
		return 0;
	snprintf(path, sizeof path, "nodes[%u].adversary.%s", group, lab_adversary_fields[-1 - at].key);
	return wrong(r, path, "%s", why);
}

static int read_groups(struct reading *r)
{
	struct lab_scenario *s = r->s;
	char path[60];
	double count = 0;
	for (unsigned i = 0; i < s->nodes_count; i++) {
		snprintf(path, sizeof path, "nodes[%u].name", i);
		if (!is_word(s->nodes[i].name))
			return wrong(r, path, "'%.60s' is no name: expected a letter, then letters, digits, - and _",
				     s->nodes[i].name);
		if (lab_scenario_group(s, s->nodes[i].name, strlen(s->nodes[i].name)) != (int)i)
			return wrong(r, path, "two groups are called '%.60s'", s->nodes[i].name);
		if (field_named(lab_scenario_fields, s->nodes[i].name, strlen(s->nodes[i].name)) != NULL)
			return wrong(r, path, "'%.60s' is a field's name and cannot be a group's", s->nodes[i].name);
		count += s->nodes[i].count.v;
		s->nodes[i].has_first = s->nodes[i].has.text != NULL && strncmp(s->nodes[i].has.text, "first ", 6) == 0;
		snprintf(path, sizeof path, "nodes[%u].%s", i, s->nodes[i].command != NULL ? "command" : "kind");
		if ((s->nodes[i].kind.v == LAB_KIND_COMMAND) != (s->nodes[i].command != NULL))
			return wrong(r, path, "'kind: command' and a 'command' go together");
		int rc = read_adversary(r, i);
		if (rc < 0)
			return rc;
	}
	if (count < 1 || count > LAB_NODES_MAX)
		return wrong(r, "nodes", "%.0f nodes: expected 1 to %u", count, LAB_NODES_MAX);
	for (unsigned i = 0; i < s->links_count; i++) {
		const char *end[2] = { s->links[i].from, s->links[i].to };
		for (int k = 0; k < 2; k++) {
			snprintf(path, sizeof path, "links[%u].%s", i, k ? "to" : "from");
			if (lab_scenario_group(s, end[k], strlen(end[k])) < 0)
				return wrong(r, path, "'%.60s' names no group", end[k]);
		}
	}
	return 0;
}

/* "hedge, repair" */
static int read_without(struct reading *r)
{
	struct lab_scenario *s = r->s;
	const char *at = s->without != NULL ? s->without : "";
	char known[160];
	for (size_t len; *(at += strspn(at, " ,")) != 0; at += len) {
		len = strcspn(at, " ,");
		unsigned bit = lab_without_of(at, len);
		if (bit == 0) {
			lab_without_names(known, sizeof known);
			return wrong(r, "without", "'%.*s' is no part of it: expected some of %s",
				     (int)(len < 40 ? len : 40), at, known);
		}
		s->leaves_out |= bit;
	}
	return 0;
}

static int read_content(struct reading *r)
{
	const struct lab_content *c = &r->s->content;
	uint64_t piece = (uint64_t)c->piece.v;
	if ((piece & (piece - 1)) != 0)
		return wrong(r, "content.piece", "'%.60s' is no power of two", c->piece.text);
	if (c->size.v / c->piece.v > 1 << 20)
		return wrong(r, "content.piece", "%.0f pieces: expected at most %u", ceil(c->size.v / c->piece.v),
			     1u << 20);
	return 0;
}

static int read_holds(struct reading *r)
{
	struct lab_scenario *s = r->s;
	char path[60], why[200];
	s->holds = calloc(s->must_hold.count + 1, sizeof *s->holds);
	if (s->holds == NULL)
		return SHOAL_ERR_NOMEM;
	for (unsigned i = 0; i < s->must_hold.count; i++) {
		snprintf(path, sizeof path, "must_hold[%u]", i);
		if (lab_hold_parse(&s->holds[i], s->must_hold.at[i], s, why) < 0)
			return wrong(r, path, "'%.80s': %s", s->must_hold.at[i], why);
	}
	return 0;
}

/* A spread's values, but for the shape of one. */
static void divide(struct lab_spread *s, double by)
{
	for (unsigned i = 0; i < s->count && !(s->kind == LAB_SPREAD_LOGNORMAL && i > 0); i++)
		s->value[i] /= by;
}

static void scale_down(struct lab_scenario *s, double by)
{
	s->content.size.v = ceil(s->content.size.v / by);
	s->content.piece.v = fmax(s->content.piece.v / by, 16384);
	for (unsigned i = 0; i < s->nodes_count; i++) {
		struct lab_group *g = &s->nodes[i];
		divide(&g->up.v, by);
		divide(&g->down.v, by);
		g->limit_up.v /= by;
		g->limit_down.v /= by;
		g->disk.rate.v /= by;
		g->disk.room.v = g->disk.room.text != NULL ? g->disk.room.v / by : g->disk.room.v;
	}
	for (unsigned i = 0; i < s->links_count; i++)
		s->links[i].rate.v /= by;
	for (unsigned i = 0; i < s->events_count; i++) {
		struct lab_event *e = &s->events[i];
		e->rate.v /= by;
		e->up.v /= by;
		e->down.v /= by;
		e->room.v /= by;
	}
}

static int read_all(struct reading *r)
{
	struct lab_scenario *s = r->s;
	char path[60];
	int rc = read_fields(r, lab_scenario_fields, s, "");
	if (rc == 0 && !is_word(s->name))
		rc = wrong(r, "name", "'%.60s' is no name: expected a letter, then letters, digits, - and _", s->name);
	for (unsigned i = 0; rc == 0 && i < s->runs_count; i++) {
		snprintf(path, sizeof path, "runs[%u].name", i);
		if (!is_word(s->runs[i].name) || lab_policy_of(s->runs[i].name) >= 0 ||
		    lab_scenario_variant(s, s->runs[i].name) != &s->runs[i])
			rc = wrong(r, path, "'%.60s' is no name of its own, or a policy's", s->runs[i].name);
	}
	if (rc == 0)
		rc = read_without(r);
	if (rc == 0)
		rc = read_content(r);
	if (rc == 0 && log2(s->scale.v) != floor(log2(s->scale.v)))
		rc = wrong(r, "scale", "'%.60s' is no power of two: pieces would not be", s->scale.text);
	if (rc == 0)
		scale_down(s, s->scale.v);
	if (rc == 0)
		rc = read_groups(r);
	for (unsigned i = 0; rc == 0 && i < s->events_count; i++)
		rc = read_event(r, &s->events[i], i);
	return rc == 0 ? read_holds(r) : rc;
}

static int read_set(struct lab_scenario **out, struct shoal_bytes text, const char *const *set, size_t set_count,
		    struct lab_where *where, struct lab_fault *fault)
{
	struct lab_scenario *s = NULL;
	int rc = lab_schema_load(&s, text, where, fault);
	for (size_t i = 0; rc == 0 && i < set_count; i++)
		rc = set_field(s, set[i], fault);
	if (rc == 0)
		rc = read_all(&(struct reading){ s, where, fault });
	if (rc < 0)
		lab_scenario_free(s);
	else
		*out = s;
	return rc;
}

/* The settings in the file: each by itself must give a scenario too. */
static int try_settings(struct reading *r, struct shoal_bytes text, const struct lab_list *set, const char *path)
{
	struct lab_scenario *other = NULL;
	struct lab_fault why = { 0 };
	char here[80];
	for (unsigned i = 0; i < set->count; i++) {
		int rc = read_set(&other, text, (const char *const *)&set->at[i], 1, r->where, &why);
		if (rc == SHOAL_ERR_NOMEM)
			return rc;
		if (rc < 0) {
			snprintf(here, sizeof here, "%s[%u]", path, i);
			return wrong(r, here, "%.380s", why.what);
		}
		lab_scenario_free(other);
		other = NULL;
	}
	return 0;
}

int lab_scenario_parse(struct lab_scenario **out, struct shoal_bytes text, const char *const *set, size_t set_count,
		       struct lab_fault *fault)
{
	struct lab_where *where = NULL;
	struct lab_scenario *s = NULL;
	char path[60];
	*fault = (struct lab_fault){ 0 };
	if (text.len > LAB_FILE_MAX) {
		snprintf(fault->what, sizeof fault->what, "more than %u KiB: no scenario is that long",
			 LAB_FILE_MAX >> 10);
		return SHOAL_ERR_MALFORMED;
	}
	int rc = lab_where_open(&where, text, fault);
	if (rc == 0)
		rc = read_set(&s, text, set, set_count, where, fault);
	if (rc == 0 && set_count == 0) {
		struct reading r = { s, where, fault };
		rc = try_settings(&r, text, &s->quick.set, "quick.set");
		for (unsigned i = 0; rc == 0 && i < s->runs_count; i++) {
			snprintf(path, sizeof path, "runs[%u].set", i);
			rc = try_settings(&r, text, &s->runs[i].set, path);
			if (rc < 0)
				break;
			snprintf(path, sizeof path, "runs[%u].quick", i);
			rc = try_settings(&r, text, &s->runs[i].quick, path);
		}
	}
	if (rc == 0)
		*out = s;
	else
		lab_scenario_free(s);
	lab_where_free(where);
	return rc;
}

void lab_scenario_free(struct lab_scenario *s)
{
	if (s == NULL)
		return;
	free(s->holds);
	lab_schema_free(s);
}
