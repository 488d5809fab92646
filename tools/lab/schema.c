/* schema.c - see schema.h. */
#include "tools/lab/schema.h"

#include <cyaml/cyaml.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tools/lab/fields.h"

#define FIELDS_MAX 192
#define VALUES_MAX 16
#define DEPTH_MAX 8

/* ---- our tables, as libcyaml wants them ----------------------------------------------- */

struct shapes {
	cyaml_schema_field_t field[FIELDS_MAX];
	cyaml_schema_value_t value[VALUES_MAX];
	unsigned fields, values;
};

static cyaml_schema_value_t text_value(enum cyaml_flag flags)
{
	return (cyaml_schema_value_t){ .type = CYAML_STRING,
				       .flags = (enum cyaml_flag)(flags | CYAML_FLAG_POINTER),
				       .data_size = 1,
				       .string = { .min = 1, .max = LAB_TEXT_MAX } };
}

/* (Rooms are counted by a unit test: FIELDS_MAX holds all tables.) */
static const cyaml_schema_field_t *fields_of(struct shapes *s, const struct lab_field *table)
{
	unsigned count = 0, first = s->fields;
	while (table[count].type != LAB_FIELD_END)
		count++;
	s->fields += count + 1;
	if (s->fields > FIELDS_MAX || s->values + count > VALUES_MAX * 8)
		abort();
	for (unsigned i = 0; i < count; i++) {
		const struct lab_field *f = &table[i];
		cyaml_schema_field_t *to = &s->field[first + i];
		enum cyaml_flag flags = f->dflt != NULL ? CYAML_FLAG_OPTIONAL : CYAML_FLAG_DEFAULT;
		*to = (cyaml_schema_field_t){ .key = f->key, .data_offset = (uint32_t)f->at };
		if (f->type == LAB_FIELD_MAP) {
			to->value = (cyaml_schema_value_t){ .type = CYAML_MAPPING,
							    .flags = flags,
							    .mapping = { .fields = fields_of(s, f->entries) } };
		} else if (f->type == LAB_FIELD_LIST || f->type == LAB_FIELD_TEXTS) {
			if (s->values == VALUES_MAX)
				abort();
			cyaml_schema_value_t *entry = &s->value[s->values++];
			size_t size = f->type == LAB_FIELD_LIST ? f->entry_size : sizeof(char *);
			if (f->type == LAB_FIELD_LIST)
				*entry = (cyaml_schema_value_t){ .type = CYAML_MAPPING,
								 .data_size = (uint32_t)f->entry_size,
								 .mapping = { .fields = fields_of(s, f->entries) } };
			else
				*entry = text_value(CYAML_FLAG_DEFAULT);
			/* The count stands right behind the pointer (fields.h). */
			to->count_offset = (uint32_t)(f->at + sizeof(void *));
			to->count_size = sizeof(unsigned);
			to->value = (cyaml_schema_value_t){
				.type = CYAML_SEQUENCE,
				.flags = (enum cyaml_flag)(flags | CYAML_FLAG_POINTER),
				.data_size = (uint32_t)size,
				.sequence = { .entry = entry, .min = f->dflt == NULL, .max = f->count_max }
			};
		} else {
			to->value = text_value(flags);
		}
	}
	return &s->field[first];
}

/* ---- what libcyaml says, as we say it --------------------------------------------------- */

struct heard {
	char what[300];
	bool trail;		  /* the backtrace has begun: innermost first */
	char step[DEPTH_MAX][40]; /* "nodes", "[2]" */
	unsigned steps;
};

__attribute__((format(printf, 3, 0))) static void hear(cyaml_log_t level, void *to, const char *format, va_list args)
{
	struct heard *h = to;
	char line[400], *quote;
	(void)level;
	vsnprintf(line, sizeof line, format, args);
	line[strcspn(line, "\n")] = 0;
	const char *text = strncmp(line, "Load: ", 6) == 0 ? line + 6 : line;
	if (strncmp(text, "Backtrace", 9) == 0) {
		h->trail = true;
	} else if (!h->trail) {
		if (h->what[0] == 0)
			snprintf(h->what, sizeof h->what, "%.299s", text);
	} else if ((quote = strchr(line, '\'')) != NULL && h->steps < DEPTH_MAX) {
		size_t len = strcspn(quote + 1, "'");
		quote[1 + len] = 0;
		/* Entries are counted from 1, and 0 is a list before its first. */
		if (strstr(line, "sequence entry") != NULL)
			snprintf(h->step[h->steps++], 40, "[%lu]", strtoul(quote + 1, NULL, 10) - 1);
		else
			snprintf(h->step[h->steps++], 40, "%.38s", quote + 1);
	}
}

/* The path of what was heard, without its `drop` innermost steps, and the table that belongs there. */
static const struct lab_field *path_of(const struct heard *h, unsigned drop, char *path, size_t size)
{
	const struct lab_field *table = lab_scenario_fields;
	size_t n = 0;
	path[0] = 0;
	for (unsigned i = h->steps; i-- > drop;) {
		const char *step = h->step[i];
		if (step[0] == '[' && strtoul(step + 1, NULL, 10) > LAB_TEXT_MAX)
			break; /* before the first entry */
		n += (size_t)snprintf(path + n, size - n, "%s%s", n > 0 && step[0] != '[' ? "." : "", step);
		for (const struct lab_field *f = table; step[0] != '[' && f->type != LAB_FIELD_END; f++) {
			if (strcmp(f->key, step) != 0)
				continue;
			if (f->entries != NULL)
				table = f->entries;
			break;
		}
	}
	return table;
}

static void name_fields(const struct lab_field *table, char *to, size_t size)
{
	size_t n = strlen(to);
	for (const struct lab_field *f = table; f->type != LAB_FIELD_END && n < size; f++)
		n += (size_t)snprintf(to + n, size - n, "%s%s", f == table ? "" : ", ", f->key);
}

static const char *after(const char *text, const char *prefix)
{
	size_t n = strlen(prefix);
	return strncmp(text, prefix, n) == 0 ? text + n : NULL;
}

static void tell(const struct heard *h, cyaml_err_t err, struct lab_where *where, struct lab_fault *fault)
{
	char path[400];
	const char *key;
	size_t size = sizeof fault->what;
	const struct lab_field *table = path_of(h, 0, path, sizeof path);
	if ((key = after(h->what, "Unexpected key: ")) != NULL) {
		size_t n = strlen(path);
		snprintf(path + n, sizeof path - n, "%s%.60s", n ? "." : "", key);
		lab_where_find(where, path, true, fault);
		snprintf(fault->what, size, "unknown field '%.60s'; here belong: ", key);
		name_fields(table, fault->what, size);
	} else if ((key = after(h->what, "Missing required mapping field: ")) != NULL) {
		table = path_of(h, 1, path, sizeof path);
		lab_where_find(where, path, false, fault);
		snprintf(fault->what, size, "field '%.60s' is missing", key);
		for (const struct lab_field *f = table; f->type != LAB_FIELD_END; f++)
			if (strcmp(f->key, key) == 0)
				snprintf(fault->what, size, "field '%.60s' is missing: %s", key, f->help);
	} else if ((key = after(h->what, "Mapping field already seen: ")) != NULL) {
		table = path_of(h, 1, path, sizeof path);
		size_t n = strlen(path);
		snprintf(path + n, sizeof path - n, "%s%.60s", n ? "." : "", key);
		lab_where_find(where, path, true, fault);
		snprintf(fault->what, size, "field '%.60s' is there twice", key);
	} else {
		lab_where_find(where, path, false, fault);
		if (err == CYAML_ERR_ALIAS)
			snprintf(fault->what, size, "aliases (*name) have no place here: expected the value itself");
		else if (after(h->what, "Expecting MAPPING") != NULL)
			snprintf(fault->what, size, "expected fields (key: value), found something else");
		else if (after(h->what, "Expecting SEQUENCE") != NULL)
			snprintf(fault->what, size, "expected a list (- one, - another), found something else");
		else if (after(h->what, "Expecting STRING") != NULL)
			snprintf(fault->what, size, "expected a single value, found something else");
		else if (after(h->what, "STRING length < ") != NULL)
			snprintf(fault->what, size, "expected a value, found nothing");
		else if (after(h->what, "STRING length > ") != NULL)
			snprintf(fault->what, size, "expected at most %u characters", LAB_TEXT_MAX);
		else if (after(h->what, "Insufficient entries") != NULL)
			snprintf(fault->what, size, "expected at least one entry");
		else if (after(h->what, "Excessive entries") != NULL)
			snprintf(fault->what, size, "too many entries: %.200s", h->what);
		else
			snprintf(fault->what, size, "%.300s", h->what[0] ? h->what : cyaml_strerror(err));
	}
}

int lab_schema_load(struct lab_scenario **out, struct shoal_bytes text, struct lab_where *where,
		    struct lab_fault *fault)
{
	struct shapes *shapes = calloc(1, sizeof *shapes);
	struct heard heard = { .what = "" };
	if (shapes == NULL)
		return SHOAL_ERR_NOMEM;
	const cyaml_schema_value_t top = { .type = CYAML_MAPPING,
					   .flags = CYAML_FLAG_POINTER,
					   .data_size = sizeof(struct lab_scenario),
					   .mapping = { .fields = fields_of(shapes, lab_scenario_fields) } };
	const cyaml_config_t config = { .log_fn = hear,
					.log_ctx = &heard,
					.mem_fn = cyaml_mem,
					.log_level = CYAML_LOG_ERROR,
					.flags = CYAML_CFG_NO_ALIAS };
	cyaml_data_t *data = NULL;
	int rc = 0;
	cyaml_err_t err = cyaml_load_data(text.at, text.len, &config, &top, &data, NULL);
	if (err == CYAML_ERR_OOM) {
		rc = SHOAL_ERR_NOMEM;
	} else if (err != CYAML_OK) {
		tell(&heard, err, where, fault);
		rc = SHOAL_ERR_MALFORMED;
	} else if (data == NULL) {
		*fault = (struct lab_fault){ .line = 1, .column = 1, .what = "the file is empty: expected a scenario" };
		rc = SHOAL_ERR_MALFORMED;
	} else {
		*out = data;
	}
	free(shapes);
	return rc;
}

static void free_texts(const struct lab_field *table, void *base)
{
	for (const struct lab_field *f = table; f->type != LAB_FIELD_END; f++) {
		char *at = (char *)base + f->at;
		unsigned count;
		void *array;
		switch (f->type) {
		case LAB_FIELD_MAP: free_texts(f->entries, at); break;
		case LAB_FIELD_LIST:
		case LAB_FIELD_TEXTS:
			memcpy(&array, at, sizeof array);
			memcpy(&count, at + sizeof array, sizeof count);
			for (unsigned i = 0; i < count; i++) {
				if (f->type == LAB_FIELD_LIST)
					free_texts(f->entries, (char *)array + i * f->entry_size);
				else
					free(((char **)array)[i]);
			}
			free(array);
			break;
		default: /* each begins with its text */
			memcpy(&array, at, sizeof array);
			free(array);
			break;
		}
	}
}

void lab_schema_free(struct lab_scenario *s)
{
	if (s == NULL)
		return;
	free_texts(lab_scenario_fields, s);
	free(s);
}
