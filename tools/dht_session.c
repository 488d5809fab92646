/* tools/dht_session.c - an engine that takes part in the DHT and asks it things. */
#include "tools/dht.h"

#include "dht/items.h"
#include "proto/base/bytes.h"
#include "proto/bencode.h"
#include "swarm/io/reachable.h"
#include "tools/alone.h"
#include "tools/say.h"
#include "tools/signals.h"

#include <stdio.h>
#include <string.h>

#define NAMES_US SHOAL_S(10) /* for looking up the names of nodes */
#define WAIT_MS 500

bool shoal_dht_session_wait(struct shoal_dht_session *s, shoal_us until)
{
	struct shoal_event ev;
	while (!shoal_signals_came()) {
		shoal_us now = shoal_signals_now();
		if (now >= until)
			return true;
		shoal_us left = (until - now) / 1000 + 1;
		(void)s->engine->ops->poll(s->engine, &ev, left < WAIT_MS ? (int)left : WAIT_MS);
	}
	return false;
}

int shoal_dht_session_open(struct shoal_dht_session *s, struct shoal_tool *tool, const struct shoal_net *net)
{
	*s = (struct shoal_dht_session){ .tool = tool, .net = net, .ticket = 1 };
	if (net->no_dht)
		return shoal_say_fail(tool, SHOAL_ERR_USAGE, "--no-dht leaves nothing to ask");
	if (!shoal_net_dht(net))
		return shoal_say_fail_as(tool, SHOAL_EXIT_REFUSED, SHOAL_ERR_REFUSED,
					 "the DHT cannot be asked through an HTTP proxy, which carries no datagrams; "
					 "socks5:// does");
	shoal_signals_catch();
	int code = shoal_net_open(tool, net, &shoal_engine_native, &s->engine);
	if (code)
		return code;
	shoal_signals_wake(s->engine);
	size_t named = shoal_net_enter_dht(tool, net, s->engine);
	shoal_us give_up = shoal_signals_now() + NAMES_US;
	while (named > 0 && shoal_signals_now() < give_up && !shoal_signals_came()) {
		struct shoal_event ev;
		if (s->engine->ops->poll(s->engine, &ev, WAIT_MS) == 0 || ev.kind != SHOAL_EV_DONE)
			continue;
		named--;
		if (ev.err < 0)
			shoal_say_warn(tool, NULL, "a DHT node's name could not be looked up: %s",
				       shoal_err_name(ev.err));
	}
	return 0;
}

void shoal_dht_session_close(struct shoal_dht_session *s)
{
	if (s->engine == NULL)
		return;
	shoal_signals_wake(NULL);
	s->engine->ops->close(s->engine);
	s->engine = NULL;
}

int shoal_dht_session_ask(struct shoal_dht_session *s, struct shoal_op *op,
			  void (*on)(void *to, const struct shoal_event *ev), void *to)
{
	struct shoal_event ev;
	op->ticket = ++s->ticket;
	int rc = s->engine->ops->do_op(s->engine, op);
	shoal_us give_up = s->give_up != 0 ? shoal_signals_now() + s->give_up : SHOAL_NEVER;
	while (rc == 0) {
		if (shoal_signals_came())
			return SHOAL_ERR_CLOSED;
		if (shoal_signals_now() >= give_up)
			return SHOAL_ERR_TIMEOUT;
		if (s->engine->ops->poll(s->engine, &ev, WAIT_MS) == 0 || ev.ticket != op->ticket)
			continue;
		if (on != NULL)
			on(to, &ev);
		if (ev.kind == SHOAL_EV_DHT_DONE || ev.kind == SHOAL_EV_DONE)
			return ev.err;
	}
	return rc;
}

const char *shoal_dht_session_silent(const struct shoal_dht_session *s, char out[SHOAL_DHT_SILENT_MAX])
{
	char why[SHOAL_ALONE_TEXT_MAX];
	struct shoal_alone a = { .route = shoal_reachable_out(), .proxy = s->net->proxy != NULL, .dht = true };
	if (s->net->dht_node.count > 0)
		snprintf(out, SHOAL_DHT_SILENT_MAX, "no node that --dht-node names answers, nor any of the last time");
	else
		snprintf(out, SHOAL_DHT_SILENT_MAX, "%.120s (--dht-node HOST:PORT names one to begin at)",
			 shoal_alone_text(&a, why));
	return out;
}

void shoal_dht_value_take(struct shoal_dht_value *value, const struct shoal_event *ev)
{
	if (ev->kind == SHOAL_EV_DHT_DONE) {
		value->copies = ev->dht.copies;
		value->answers = ev->dht.answers;
	}
	if (ev->kind != SHOAL_EV_DHT_ITEM || ev->name.len != sizeof value->key || ev->data.len > sizeof value->v ||
	    (value->found && ev->dht.seq <= value->seq))
		return;
	value->found = true;
	value->seq = ev->dht.seq;
	memcpy(value->key, ev->name.at, sizeof value->key);
	memcpy(value->v, ev->data.at, ev->data.len);
	value->len = ev->data.len;
}

static void on_value(void *to, const struct shoal_event *ev)
{
	shoal_dht_value_take(to, ev);
}

int shoal_dht_session_get(struct shoal_dht_session *s, const uint8_t key[32], struct shoal_bytes salt,
			  struct shoal_dht_value *out)
{
	struct shoal_id20 target;
	shoal_item_target_of(key, salt, &target);
	struct shoal_op op = { .kind = SHOAL_OP_DHT_GET, .data = shoal_bytes(target.b, 20), .text = salt };
	*out = (struct shoal_dht_value){ .found = false };
	return shoal_dht_session_ask(s, &op, on_value, out);
}

int shoal_dht_session_keep(struct shoal_dht_session *s, struct shoal_bytes salt, const struct shoal_dht_value *value)
{
	struct shoal_op op = { .kind = SHOAL_OP_DHT_PUT,
			       .data = shoal_bytes(value->v, value->len),
			       .text = salt,
			       .key = shoal_bytes(value->key, sizeof value->key),
			       .seq = value->seq,
			       .flags = SHOAL_DHT_RENEW };
	return shoal_dht_session_ask(s, &op, NULL, NULL);
}

bool shoal_dht_value_torrent(const struct shoal_dht_value *value, struct shoal_id20 *out)
{
	struct shoal_ben_field f[] = { { .key = "ih" } };
	struct shoal_bytes v = shoal_bytes(value->v, value->len);
	if (shoal_ben_pick(v, SHOAL_BEN_DEPTH_SMALL, f, 1) != (ptrdiff_t)v.len || f[0].v.kind != SHOAL_BEN_STR ||
	    f[0].v.str.len != sizeof out->b)
		return false;
	memcpy(out->b, f[0].v.str.at, sizeof out->b);
	return true;
}

int shoal_dht_follow(struct shoal_tool *tool, const struct shoal_net *net, const struct shoal_magnet *m,
		     shoal_us timeout, struct shoal_id20 *out, int64_t *seq)
{
	struct shoal_dht_session s;
	struct shoal_dht_value value;
	struct shoal_bytes salt = shoal_bytes(m->salt, m->salt_len);
	char silent[SHOAL_DHT_SILENT_MAX];
	int code = shoal_dht_session_open(&s, tool, net);
	if (code)
		return code;
	s.give_up = timeout;
	int rc = shoal_dht_session_get(&s, m->key, salt, &value);
	if (rc == SHOAL_ERR_CLOSED)
		code = SHOAL_EXIT_INTERRUPTED;
	else if (rc < 0)
		code = shoal_say_fail_as(tool, SHOAL_EXIT_NET, rc, "%s", shoal_dht_session_silent(&s, silent));
	else if (!value.found)
		code = shoal_say_fail_as(tool, SHOAL_EXIT_DATA, SHOAL_ERR_GONE, "nothing is published under this name");
	else if (!shoal_dht_value_torrent(&value, out))
		code = shoal_say_fail(tool, SHOAL_ERR_MALFORMED,
				      "what is published under this name is no torrent (BEP 46)");
	else if (*seq = value.seq, shoal_dht_session_keep(&s, salt, &value) < 0)
		shoal_say_log(tool, SHOAL_LOG_INFO, "the name could not be renewed in the DHT");
	shoal_dht_session_close(&s);
	return code;
}
