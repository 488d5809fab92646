/* ext_echo.c - see ext_echo.h. */
#include "tests/sim/ext_echo.h"

#include <string.h>
#include "proto/base/bytes.h"

int ext_echo_init(struct ext_echo *e, uint8_t number, int (*do_op)(void *engine, const struct shoal_op *op),
		  void *engine, struct shoal_bytes text)
{
	struct shoal_op op = { .kind = SHOAL_OP_EXT_REGISTER, .text = SHOAL_LIT(EXT_ECHO_NAME), .ext = number };
	*e = (struct ext_echo){ .do_op = do_op, .engine = engine };
	if (text.len > sizeof e->text)
		return SHOAL_ERR_TOO_LONG;
	memcpy(e->text, text.at, text.len);
	e->text_len = text.len;
	return do_op(engine, &op);
}

static int send_to(struct ext_echo *e, uint32_t torrent, uint32_t peer, char kind, struct shoal_bytes text)
{
	uint8_t body[1 + EXT_ECHO_TEXT_MAX];
	struct shoal_op op = { .kind = SHOAL_OP_EXT_SEND,
			       .torrent = torrent,
			       .peer = peer,
			       .text = SHOAL_LIT(EXT_ECHO_NAME),
			       .data = { body, 1 + text.len } };
	if (text.len > EXT_ECHO_TEXT_MAX)
		return SHOAL_ERR_TOO_LONG;
	body[0] = (uint8_t)kind;
	if (text.len)
		memcpy(body + 1, text.at, text.len);
	return e->do_op(e->engine, &op);
}

static struct ext_echo_peer *find(struct ext_echo *e, uint32_t peer)
{
	for (unsigned i = 0; i < e->peers; i++)
		if (e->peer[i].peer == peer)
			return &e->peer[i];
	return NULL;
}

static void heard(struct ext_echo *e, const struct shoal_event *ev)
{
	struct shoal_bytes text = { ev->data.at + 1, ev->data.len - 1 };
	struct ext_echo_peer *p = find(e, ev->peer);
	if (ev->data.at[0] == '?') {
		e->calls_heard++;
		(void)send_to(e, ev->torrent, ev->peer, '!', text); /* it may be gone again */
		return;
	}
	if (p == NULL || !p->called || p->answered || !shoal_bytes_equal(text, shoal_bytes(e->text, e->text_len))) {
		e->wrong++;
		return;
	}
	p->answered = true;
	e->answers_heard++;
}

void ext_echo_event(struct ext_echo *e, const struct shoal_event *ev)
{
	struct ext_echo_peer *p = find(e, ev->peer);
	switch (ev->kind) {
	case SHOAL_EV_PEER_JOINED:
		if (p == NULL && e->peers < EXT_ECHO_PEERS)
			e->peer[e->peers++] = (struct ext_echo_peer){ .torrent = ev->torrent, .peer = ev->peer };
		break;
	case SHOAL_EV_PEER_LEFT:
		if (p != NULL)
			*p = e->peer[--e->peers];
		break;
	case SHOAL_EV_EXT:
		if (shoal_bytes_equal(ev->text, SHOAL_LIT(EXT_ECHO_NAME)) && ev->data.len > 0)
			heard(e, ev);
		break;
	default: break;
	}
}

void ext_echo_tick(struct ext_echo *e)
{
	for (unsigned i = 0; i < e->peers; i++) {
		struct ext_echo_peer *p = &e->peer[i];
		if (!p->called && send_to(e, p->torrent, p->peer, '?', shoal_bytes(e->text, e->text_len)) == 0)
			p->called = true;
	}
}
