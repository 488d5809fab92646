/* door.c - see door.h. */
#include "tools/lab/real/door.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <stdlib.h>
#include "proto/base/bytes.h"
#include "tools/lab/real/wires.h"

#define PATIENCE_S 20 /* with a connection; a line may be slow, or cut */

struct lab_caller {
	struct lab_caller *next, **at; /* `at`: what points to it */
	struct lab_door *door;
	struct bufferevent *stream;
	unsigned node;
	bool answered;
};

static void end(struct lab_caller *c)
{
	*c->at = c->next;
	if (c->next != NULL)
		c->next->at = c->at;
	bufferevent_free(c->stream);
	free(c);
}

static void on_read(struct bufferevent *stream, void *arg)
{
	struct lab_caller *c = arg;
	struct lab_door *door = c->door;
	struct evbuffer *in = bufferevent_get_input(stream);
	uint8_t out[LAB_TRACKER_ANSWER_MAX];
	enum lab_tracker_news news;
	size_t len = evbuffer_get_length(in);
	const uint8_t *at = evbuffer_pullup(in, -1);
	size_t n = at != NULL && !c->answered
			   ? lab_tracker_answer(door->tracker, c->node, shoal_bytes(at, len), out, &news)
			   : 0;
	if (n == 0)
		return;
	c->answered = true;
	evbuffer_drain(in, len);
	bufferevent_disable(stream, EV_READ);
	if (bufferevent_write(stream, out, n) < 0)
		return end(c);
	if (news != LAB_TRACKER_NONE)
		door->news(door->to, c->node, news);
}

static void on_written(struct bufferevent *stream, void *arg)
{
	struct lab_caller *c = arg;
	(void)stream;
	if (c->answered)
		end(c);
}

static void on_end(struct bufferevent *stream, short what, void *arg)
{
	(void)stream;
	(void)what;
	end(arg);
}

static void on_caller(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from, int len, void *arg)
{
	struct lab_door *door = arg;
	const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)from;
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	(void)listener;
	(void)len;
	struct lab_caller *c = calloc(1, sizeof *c);
	if (c == NULL || (c->stream = bufferevent_socket_new(door->loop, fd, BEV_OPT_CLOSE_ON_FREE)) == NULL) {
		evutil_closesocket(fd);
		free(c);
		return;
	}
	c->door = door;
	c->node = lab_wires_node(ntohl(in->sin_addr.s_addr));
	c->next = door->callers;
	c->at = &door->callers;
	if (c->next != NULL)
		c->next->at = &c->next;
	door->callers = c;
	bufferevent_setwatermark(c->stream, EV_READ, 0, LAB_TRACKER_REQUEST_MAX);
	bufferevent_setcb(c->stream, on_read, on_written, on_end, c);
	bufferevent_set_timeouts(c->stream, &patience, &patience);
	bufferevent_enable(c->stream, EV_READ | EV_WRITE);
}

int lab_door_open(struct lab_door *door, struct event_base *loop, int socket, struct lab_tracker *tracker)
{
	*door = (struct lab_door){ .tracker = tracker, .loop = loop };
	door->listener = evconnlistener_new(loop, on_caller, door, LEV_OPT_CLOSE_ON_EXEC, 0, socket);
	return door->listener != NULL ? 0 : SHOAL_ERR_NOMEM;
}

void lab_door_close(struct lab_door *door)
{
	while (door->callers != NULL)
		end(door->callers);
	if (door->listener != NULL)
		evconnlistener_free(door->listener);
	*door = (struct lab_door){ 0 };
}
