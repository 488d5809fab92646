/* where.c - see where.h. */
#include "tools/lab/where.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct lab_where {
	yaml_document_t document;
};

int lab_where_open(struct lab_where **out, struct shoal_bytes text, struct lab_fault *fault)
{
	struct lab_where *w = calloc(1, sizeof *w);
	yaml_parser_t parser;
	if (w == NULL)
		return SHOAL_ERR_NOMEM;
	if (!yaml_parser_initialize(&parser)) {
		free(w);
		return SHOAL_ERR_NOMEM;
	}
	yaml_parser_set_input_string(&parser, text.at, text.len);
	if (!yaml_parser_load(&parser, &w->document)) {
		int rc = parser.error == YAML_MEMORY_ERROR ? SHOAL_ERR_NOMEM : SHOAL_ERR_MALFORMED;
		fault->line = (unsigned)parser.problem_mark.line + 1;
		fault->column = (unsigned)parser.problem_mark.column + 1;
		snprintf(fault->what, sizeof fault->what, "not YAML: %s%s%s",
			 parser.problem ? parser.problem : "unreadable", parser.context ? " " : "",
			 parser.context ? parser.context : "");
		yaml_parser_delete(&parser);
		free(w);
		return rc;
	}
	yaml_parser_delete(&parser);
	*out = w;
	return 0;
}

void lab_where_free(struct lab_where *w)
{
	if (w == NULL)
		return;
	yaml_document_delete(&w->document);
	free(w);
}

static bool is_key(const yaml_node_t *node, const char *key, size_t len)
{
	return node->type == YAML_SCALAR_NODE && node->data.scalar.length == len &&
	       memcmp(node->data.scalar.value, key, len) == 0;
}

/* The value (or key) of that name in a mapping, the last one; NULL: none. */
static yaml_node_t *member(yaml_document_t *d, yaml_node_t *map, const char *name, size_t len, bool key)
{
	yaml_node_t *found = NULL;
	if (map->type != YAML_MAPPING_NODE)
		return NULL;
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
		yaml_node_t *k = yaml_document_get_node(d, p->key);
		if (k != NULL && is_key(k, name, len))
			found = key ? k : yaml_document_get_node(d, p->value);
	}
	return found;
}

static yaml_node_t *entry(yaml_document_t *d, yaml_node_t *list, size_t index)
{
	if (list->type != YAML_SEQUENCE_NODE)
		return NULL;
	yaml_node_item_t *item = list->data.sequence.items.start;
	if (index >= (size_t)(list->data.sequence.items.top - item))
		return NULL;
	return yaml_document_get_node(d, item[index]);
}

void lab_where_find(struct lab_where *w, const char *path, bool key, struct lab_fault *fault)
{
	yaml_node_t *at = yaml_document_get_root_node(&w->document), *next = at;
	const char *p = path;
	while (next != NULL && *p) {
		at = next;
		if (*p == '[') {
			char *end;
			next = entry(&w->document, at, strtoul(p + 1, &end, 10));
			p = *end == ']' ? end + 1 : end;
		} else {
			p += *p == '.';
			size_t len = strcspn(p, ".[");
			next = member(&w->document, at, p, len, key && p[len] == 0);
			p += len;
		}
	}
	if (next != NULL)
		at = next;
	fault->line = at != NULL ? (unsigned)at->start_mark.line + 1 : 1;
	fault->column = at != NULL ? (unsigned)at->start_mark.column + 1 : 1;
}
