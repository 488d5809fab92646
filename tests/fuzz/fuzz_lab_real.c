/* fuzz_lab_real.c - any bytes are a request to the lab's tracker, a line that a program says, and a packet. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tools/lab/real/hear.h"
#include "tools/lab/real/tracker.h"
#include "tools/lab/real/wires.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static void ask(struct shoal_bytes in)
{
	struct lab_tracker t;
	uint8_t *out = malloc(LAB_TRACKER_ANSWER_MAX);
	enum lab_tracker_news news;
	if (out == NULL || lab_tracker_init(&t, 5, 3, 1) < 0)
		abort();
	for (unsigned i = 0; i < 5; i++)
		t.node[i].port = (uint16_t)(i * 1000);
	for (unsigned from = 0; from < 6; from++) {
		size_t n = lab_tracker_answer(&t, from, in, out, &news);
		assert(n <= LAB_TRACKER_ANSWER_MAX && (n > 0 || in.len < LAB_TRACKER_REQUEST_MAX));
	}
	lab_tracker_fini(&t);
	free(out);
}

static void carry(struct shoal_bytes in)
{
	struct lab_wires *w = lab_wires_new(3, 1500, 1);
	if (w == NULL)
		abort();
	for (unsigned from = 0; from < 3; from++) {
		struct lab_packet *p = lab_wires_room(w);
		if (p == NULL)
			abort();
		p->len = in.len < lab_wires_mtu(w) ? in.len : lab_wires_mtu(w);
		if (p->len > 0)
			memcpy(p->bytes, in.at, p->len);
		(void)lab_wires_send(w, from, p, from);
	}
	for (struct lab_packet *p; (p = lab_wires_take(w, UINT64_MAX)) != NULL;) {
		assert(p->to < 3 && p->to != p->from);
		lab_wires_done(w, p);
	}
	lab_wires_free(w);
	assert(lab_packet_payload(in) <= in.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *raw, size_t len)
{
	struct lab_heard heard;
	uint8_t *copy = malloc(len ? len : 1); /* as long as it is, and no longer */
	if (copy == NULL)
		return 0;
	if (len)
		memcpy(copy, raw, len);
	const struct shoal_bytes in = { copy, len };
	lab_hear(in, &heard);
	assert(memchr(heard.what, 0, sizeof heard.what) != NULL);
	ask(in);
	carry(in);
	free(copy);
	return 0;
}
