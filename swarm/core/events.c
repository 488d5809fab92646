/* swarm/core/events.c - a bounded queue of events, each with its texts behind it in one block. */
#include "swarm/core/events.h"

#include <stdlib.h>
#include <string.h>
#include "proto/base/bytes.h"

struct shoal_event_item {
	struct shoal_event_item *next;
	size_t bytes, charged;
	struct shoal_event ev;
	uint8_t tail[];
};

static void item_free(struct shoal_events *q, struct shoal_event_item *item)
{
	if (item != NULL && q->budget != NULL)
		shoal_budget_give(q->budget, item->charged);
	free(item);
}

void shoal_events_init(struct shoal_events *q)
{
	*q = (struct shoal_events){ 0 };
	q->tail = &q->head;
}

void shoal_events_fini(struct shoal_events *q)
{
	while (q->head != NULL) {
		struct shoal_event_item *item = q->head;
		q->head = item->next;
		item_free(q, item);
	}
	while (q->reserve != NULL) {
		struct shoal_event_item *item = q->reserve;
		q->reserve = item->next;
		free(item);
	}
	item_free(q, q->lent);
	shoal_events_init(q);
}

int shoal_events_reserve(struct shoal_events *q)
{
	while (q->reserved < SHOAL_EVENTS_RESERVE) {
		struct shoal_event_item *item = malloc(sizeof *item + SHOAL_EVENTS_RESERVE_TEXT);
		if (item == NULL)
			return SHOAL_ERR_NOMEM;
		item->next = q->reserve;
		q->reserve = item;
		q->reserved++;
	}
	return 0;
}

static bool may_be_missed(enum shoal_event_kind kind)
{
	return kind == SHOAL_EV_PIECE || kind == SHOAL_EV_PEER_JOINED || kind == SHOAL_EV_PEER_LEFT ||
	       kind == SHOAL_EV_CHECK || kind == SHOAL_EV_HASH_FAILED || kind == SHOAL_EV_EXT ||
	       kind == SHOAL_EV_TRACKER || kind == SHOAL_EV_FLIGHT || kind == SHOAL_EV_PEER_UNREACHED;
}

static struct shoal_bytes keep(uint8_t **to, struct shoal_bytes from)
{
	struct shoal_bytes kept = { *to, from.len };
	if (from.len)
		memcpy(*to, from.at, from.len);
	*to += from.len;
	return kept;
}

void shoal_events_push(struct shoal_events *q, const struct shoal_event *ev)
{
	size_t copies = ev->copies_count * sizeof *ev->copies;
	size_t files = ev->files_count * sizeof *ev->files;
	size_t room = files + copies + ev->text.len + ev->name.len + ev->data.len;
	if (q->count >= SHOAL_EVENTS_HARD_MAX || (q->count >= SHOAL_EVENTS_SOFT_MAX && may_be_missed(ev->kind))) {
		q->dropped++;
		return;
	}
	size_t bytes = sizeof(struct shoal_event_item) + room, charged = 0;
	if (q->budget != NULL && shoal_budget_take(q->budget, bytes))
		charged = bytes;
	if (q->budget != NULL && charged == 0 && may_be_missed(ev->kind) && q->bytes + bytes > SHOAL_EVENTS_FREE) {
		q->dropped++;
		return;
	}
	struct shoal_event_item *item = malloc(bytes);
	if (item == NULL && charged > 0) {
		shoal_budget_give(q->budget, charged);
		charged = 0;
	}
	struct shoal_event cut = *ev;
	if (item == NULL && q->reserve != NULL && !may_be_missed(ev->kind)) {
		item = q->reserve;
		q->reserve = item->next;
		q->reserved--;
		if (ev->data.len || copies || files)
			cut.err = SHOAL_ERR_NOMEM; /* an answer without what was asked for */
		cut.copies_count = copies = 0;
		cut.files_count = files = 0;
		cut.name = cut.data = (struct shoal_bytes){ NULL, 0 };
		if (cut.text.len > SHOAL_EVENTS_RESERVE_TEXT)
			cut.text.len = SHOAL_EVENTS_RESERVE_TEXT;
	}
	if (item == NULL) {
		q->dropped++;
		return;
	}
	ev = &cut;
	item->next = NULL;
	item->bytes = bytes;
	item->charged = charged;
	q->bytes += bytes;
	item->ev = *ev;
	uint8_t *to = item->tail;
	if (files) { /* first, where the alignment holds */
		memcpy(to, ev->files, files);
		item->ev.files = (const struct shoal_file_info *)(const void *)to;
		to += files;
	}
	if (copies) {
		memcpy(to, ev->copies, copies);
		item->ev.copies = (const uint32_t *)(const void *)to;
		to += copies;
	}
	item->ev.text = keep(&to, ev->text);
	item->ev.name = keep(&to, ev->name);
	item->ev.data = keep(&to, ev->data);
	*q->tail = item;
	q->tail = &item->next;
	q->count++;
}

int shoal_events_poll(struct shoal_events *q, struct shoal_event *ev)
{
	item_free(q, q->lent);
	(void)!shoal_events_reserve(q);
	q->lent = q->head;
	if (q->lent == NULL)
		return 0;
	q->head = q->lent->next;
	if (q->head == NULL)
		q->tail = &q->head;
	q->count--;
	q->bytes -= q->lent->bytes;
	*ev = q->lent->ev;
	return 1;
}
