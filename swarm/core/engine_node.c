/* swarm/core/engine_node.c - the operations of shoal/engine.h over a node; still without I/O. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/choose.h"
#include "proto/compact.h"
#include "proto/magnet.h"
#include "swarm/core/evidence.h"
#include "swarm/core/node_room.h"

void shoal_node_job_done(struct shoal_node *n, struct shoal_disk_job *job, shoal_us now)
{
	if (job->op == SHOAL_DISK_READ && job->flags & SHOAL_NODE_JOB_DATA)
		return shoal_node_data_done(n, job, now);
	shoal_swarm_job_done((struct shoal_swarm *)(uintptr_t)job->cookie, job, now);
}

static void say(struct shoal_node *n, struct shoal_event *ev, shoal_us now)
{
	ev->t = now;
	shoal_events_push(&n->events, ev);
}

static void refused(struct shoal_node *n, const struct shoal_op *op, int err, const char *what, shoal_us now)
{
	struct shoal_event ev = {
		.kind = SHOAL_EV_ADDED, .ticket = op->ticket, .err = err, .text = shoal_bytes(what, strlen(what))
	};
	say(n, &ev, now);
}

/* ---- add --------------------------------------------------------------------------------- */

static char *copy_text(struct shoal_bytes text)
{
	char *copy = malloc(text.len + 1);
	if (copy != NULL) {
		if (text.len)
			memcpy(copy, text.at, text.len);
		copy[text.len] = 0;
	}
	return copy;
}

static void added(struct shoal_swarm *s, const struct shoal_op *op, shoal_us now)
{
	struct shoal_event ev = { .kind = SHOAL_EV_ADDED, .ticket = op->ticket };
	shoal_swarm_say(s, &ev, now);
}

static bool known_already(struct shoal_node *n, const struct shoal_id20 *v1, const struct shoal_id32 *v2)
{
	bool by_v2;
	struct shoal_id20 v2_short;
	if (v2 != NULL)
		memcpy(v2_short.b, v2->b, 20);
	return (v1 != NULL && shoal_node_swarm(n, v1, &by_v2) != NULL) ||
	       (v2 != NULL && shoal_node_swarm(n, &v2_short, &by_v2) != NULL);
}

static int add_torrent(struct shoal_node *n, const struct shoal_op *op, shoal_us now)
{
	struct shoal_metainfo *mi = NULL;
	struct shoal_metainfo_fault why = { 0 };
	struct shoal_swarm *s = NULL;
	int rc = op->flags & SHOAL_ADD_DATA_STAYS ? shoal_metainfo_parse_lent(&mi, op->data, &why)
						  : shoal_metainfo_parse(&mi, op->data, &why);
	if (rc < 0) {
		refused(n, op, rc, why.what, now);
		return 0;
	}
	if (known_already(n, shoal_metainfo_hash_v1(mi), shoal_metainfo_hash_v2(mi))) {
		shoal_metainfo_free(mi);
		refused(n, op, SHOAL_ERR_EXISTS, "this torrent is here already", now);
		return 0;
	}
	rc = shoal_swarm_new(&s, n, op->folder, op->flags, now);
	if (rc == 0)
		rc = shoal_adopt_ask(s, op);
	if (rc == 0)
		rc = shoal_swarm_begin(s, mi, op->files, now);
	if (rc == 0)
		rc = shoal_node_join(n, s);
	if (rc < 0) {
		refused(n, op, rc,
			rc == SHOAL_ERR_NOMEM	? "needs more memory than --memory allows"
			: rc == SHOAL_ERR_RANGE ? "the priorities are not those of its files"
						: "the folder cannot be used",
			now);
		if (s == NULL || s->mi == NULL)
			shoal_metainfo_free(mi);
		shoal_swarm_free(s);
		return 0;
	}
	if (!(op->flags & SHOAL_ADD_NO_TRACKERS))
		shoal_announce_torrent(s);
	added(s, op, now);
	return 0;
}

static bool so_good(const char *text)
{
	struct shoal_bytes list = shoal_bytes(text, strlen(text));
	uint32_t first, last;
	size_t at = 0;
	int rc;
	while ((rc = shoal_ranges_next(list, &at, &first, &last)) > 0)
		;
	return rc == 0;
}

static int add_magnet(struct shoal_node *n, const struct shoal_op *op, shoal_us now)
{
	struct shoal_magnet m;
	char why[160] = "";
	struct shoal_swarm *s = NULL;
	int rc = shoal_magnet_parse(&m, op->text, why);
	if (rc < 0) {
		refused(n, op, rc, why, now);
		return 0;
	}
	if (!m.has_v1 && !m.has_v2) { /* what a name stands for is looked up first (SHOAL_OP_DHT_GET) */
		refused(n, op, SHOAL_ERR_UNSUPPORTED, "the link names no torrent (xt=urn:btih: or urn:btmh:1220)", now);
		shoal_magnet_fini(&m);
		return 0;
	}
	if (m.select != NULL && !so_good(m.select)) {
		refused(n, op, SHOAL_ERR_MALFORMED, "the link's so= is no list of files, such as 0,2,4-6", now);
		shoal_magnet_fini(&m);
		return 0;
	}
	if (known_already(n, m.has_v1 ? &m.v1 : NULL, m.has_v2 ? &m.v2 : NULL))
		refused(n, op, SHOAL_ERR_EXISTS, "this torrent is here already", now);
	else if ((rc = shoal_swarm_new(&s, n, op->folder, op->flags, now)) < 0)
		refused(n, op, rc, "no memory", now);
	if (s != NULL && ((rc = shoal_adopt_ask(s, op)) < 0 || (rc = shoal_node_join(n, s)) < 0)) {
		refused(n, op, rc, rc == SHOAL_ERR_NOMEM ? "no memory" : "the folders to adopt from cannot be used",
			now);
		shoal_swarm_free(s);
		s = NULL;
	}
	if (s != NULL) {
		s->state = SHOAL_SWARM_METADATA;
		s->has_v1 = m.has_v1;
		s->has_v2 = m.has_v2;
		s->v1 = m.v1;
		s->v2 = m.v2;
		memcpy(s->v2_short.b, m.v2.b, 20);
		shoal_swarm_index(s);
		for (size_t i = 0; i < m.webseed_count; i++) {
			int bad = shoal_webseed_add(s, shoal_bytes(m.webseed[i], strlen(m.webseed[i])), false);
			(void)bad; /* a stranger's link may name anything */
		}
		s->select.so = m.select != NULL ? copy_text(shoal_bytes(m.select, strlen(m.select))) : NULL;
		s->name = m.name != NULL ? copy_text(shoal_bytes(m.name, strlen(m.name))) : NULL;
		if (!(op->flags & SHOAL_ADD_NO_TRACKERS))
			shoal_announce_magnet(s, &m);
		shoal_announce_begin(s, now);
		added(s, op, now);
	}
	shoal_magnet_fini(&m);
	return 0;
}

/* ---- questions ------------------------------------------------------------------------------ */

static int say_pieces(struct shoal_swarm *s, const struct shoal_op *op, shoal_us now)
{
	uint32_t pieces = s->mi != NULL ? shoal_metainfo_piece_count(s->mi) : 0;
	uint8_t *bits = calloc((size_t)pieces / 8 + 1, 1);
	uint32_t *copies = calloc((size_t)pieces + 1, sizeof *copies);
	if (bits != NULL && copies != NULL) {
		struct shoal_event ev = {
			.kind = SHOAL_EV_PIECES, .ticket = op->ticket, .copies = copies, .copies_count = pieces
		};
		ev.data = shoal_bytes(bits, ((size_t)pieces + 7) / 8);
		if (shoal_swarm_running(s) && pieces > 0)
			shoal_bits_store(&s->claimed, (struct shoal_space){ bits, ((size_t)pieces + 7) / 8 });
		for (uint32_t i = 0; i < pieces; i++)
			copies[i] = shoal_picker_copies(s->picker, i);
		shoal_swarm_say(s, &ev, now);
	}
	int rc = bits != NULL && copies != NULL ? 0 : SHOAL_ERR_NOMEM;
	free(bits);
	free(copies);
	return rc;
}

/* ---- reading a range ---------------------------------------------------------------------------- */

#define DATA_MAX (4u << 20)

struct shoal_data_read { /* answers READ: one piece at a time, gathered */
	struct shoal_disk_job job;
	struct shoal_swarm *s;
	uint64_t ticket, offset;
	uint32_t length, have;
	uint8_t *out;
	struct shoal_slot *slot[SHOAL_PEER_READ_BLOCKS];
	uint32_t slots, skip, take;
};

static void data_end(struct shoal_data_read *d, int err, shoal_us now)
{
	struct shoal_event ev = { .kind = SHOAL_EV_DATA, .ticket = d->ticket, .err = err, .done = d->offset };
	if (err == 0)
		ev.data = shoal_bytes(d->out, d->length);
	shoal_swarm_say(d->s, &ev, now);
	free(d->out);
	free(d);
}

static void data_next(struct shoal_node *n, struct shoal_data_read *d, shoal_us now)
{
	while (d->have < d->length) {
		uint64_t at = d->offset + d->have;
		uint32_t size = shoal_metainfo_piece_size(d->s->mi);
		uint32_t piece = (uint32_t)(at / size);
		uint32_t in = (uint32_t)(at % size);
		uint32_t bytes = shoal_metainfo_piece_bytes(d->s->mi, piece);
		if (in >= bytes) { /* padding reads as zeros */
			uint32_t zeros = size - in < d->length - d->have ? size - in : d->length - d->have;
			memset(d->out + d->have, 0, zeros);
			d->have += zeros;
			continue;
		}
		if (!shoal_bits_get(&d->s->claimed, piece))
			return data_end(d, SHOAL_ERR_GONE, now);
		uint32_t begin = in / SHOAL_BLOCK * SHOAL_BLOCK;
		uint32_t want = d->length - d->have + (in - begin);
		uint32_t most = SHOAL_PEER_READ_BLOCKS * SHOAL_BLOCK;
		uint32_t len = bytes - begin < want ? bytes - begin : want;
		len = len < most ? len : most;
		d->slots = (len + SHOAL_BLOCK - 1) / SHOAL_BLOCK;
		d->skip = in - begin;
		d->take = len - d->skip;
		if (shoal_slots_reserve(n->slots, d->slots) < 0)
			return data_end(d, SHOAL_ERR_BUSY, now);
		for (uint32_t i = 0; i < d->slots; i++)
			d->slot[i] = shoal_slot_get(n->slots);
		d->job = (struct shoal_disk_job){ .op = SHOAL_DISK_READ,
						  .flags = SHOAL_NODE_JOB_DATA,
						  .storage = d->s->storage,
						  .piece = piece,
						  .begin = begin,
						  .len = len,
						  .slot = d->slot,
						  .slot_count = d->slots,
						  .owner = d };
		if (shoal_swarm_submit(d->s, &d->job) == 0)
			return;
		for (uint32_t i = 0; i < d->slots; i++)
			shoal_slot_unref(n->slots, d->slot[i]);
		return data_end(d, SHOAL_ERR_BUSY, now);
	}
	data_end(d, 0, now);
}

void shoal_node_data_done(struct shoal_node *n, struct shoal_disk_job *job, shoal_us now)
{
	struct shoal_data_read *d = job->owner;
	uint32_t skip = d->skip;
	d->s->disk_jobs--;
	for (uint32_t i = 0; i < d->slots; i++) {
		uint32_t in_slot = job->len - i * SHOAL_BLOCK < SHOAL_BLOCK ? job->len - i * SHOAL_BLOCK : SHOAL_BLOCK;
		if (job->err == 0 && skip < in_slot) {
			memcpy(d->out + d->have, d->slot[i]->at + skip,
			       shoal_slots_real(n->slots, skip, in_slot - skip));
			d->have += in_slot - skip;
			skip = 0;
		} else {
			skip -= skip < in_slot ? skip : in_slot;
		}
		shoal_slot_unref(n->slots, d->slot[i]);
	}
	if (job->err < 0) {
		if (job->err == SHOAL_ERR_GONE)
			shoal_swarm_withdraw(d->s, job->piece, now);
		return data_end(d, job->err, now);
	}
	data_next(n, d, now);
}

static int read_range(struct shoal_node *n, struct shoal_swarm *s, const struct shoal_op *op, shoal_us now)
{
	uint64_t end;
	if (s->mi == NULL || !shoal_swarm_running(s) || op->length == 0 || op->length > DATA_MAX ||
	    !shoal_add_u64(op->offset, op->length, &end) || end > shoal_metainfo_stream_size(s->mi))
		return SHOAL_ERR_RANGE;
	struct shoal_data_read *d = calloc(1, sizeof *d);
	uint8_t *out = malloc(op->length + SHOAL_BLOCK);
	if (d == NULL || out == NULL) {
		free(d);
		free(out);
		return SHOAL_ERR_NOMEM;
	}
	d->s = s;
	d->ticket = op->ticket;
	d->offset = op->offset;
	d->length = (uint32_t)op->length;
	d->out = out;
	data_next(n, d, now);
	return 0;
}

/* ---- extensions ----------------------------------------------------------------------------------- */

static int ext_register(struct shoal_node *n, const struct shoal_op *op, shoal_us now)
{
	bool taken = op->ext == 0 || op->ext == SHOAL_EXT_PEX || op->ext == SHOAL_EXT_METADATA ||
		     op->ext == SHOAL_EXT_DONTHAVE || op->ext == SHOAL_EXT_PUNCH || op->ext == SHOAL_EXT_KEY ||
		     op->ext == SHOAL_EXT_LEAVES;
	if (op->text.len == 0 || op->text.len >= SHOAL_EXT_NAME_BYTES || memchr(op->text.at, 0, op->text.len) != NULL)
		return SHOAL_ERR_USAGE;
	for (size_t i = 0; i < n->ext_count; i++)
		taken = taken || n->ext[i].id == op->ext;
	if (taken)
		return SHOAL_ERR_EXISTS;
	if (n->ext_count == SHOAL_EXT_USER_MAX)
		return SHOAL_ERR_RANGE;
	struct shoal_ext_name *m = &n->ext[n->ext_count++];
	*m = (struct shoal_ext_name){ .id = op->ext };
	memcpy(m->name, op->text.at, op->text.len);
	for (struct shoal_peer *p = n->peers; p != NULL; p = p->next)
		if (!p->closing && p->ext_said)
			shoal_peer_say_ext_handshake(p, now);
	return 0;
}

static int ext_send(struct shoal_node *n, const struct shoal_op *op, shoal_us now)
{
	struct shoal_peer *p = shoal_node_peer(n, op->peer);
	if (p == NULL || p->swarm == NULL || p->swarm->handle != op->torrent)
		return SHOAL_ERR_GONE;
	for (size_t i = 0; i < p->ext_user_count; i++) {
		const struct shoal_ext_name *m = &p->ext_user[i];
		if (shoal_bytes_equal(op->text, shoal_bytes(m->name, strlen(m->name))) && m->id != 0) {
			shoal_peer_say_ext(p, m->id, op->data, now);
			return 0;
		}
	}
	return SHOAL_ERR_UNSUPPORTED;
}

/* ---- the switch -------------------------------------------------------------------------------------- */

static int verify(struct shoal_swarm *s)
{
	if (!shoal_swarm_running(s) || s->mi == NULL)
		return SHOAL_ERR_BUSY;
	s->check_done = 0;
	s->check_total = s->claimed_bytes;
	s->checked_said = false;
	s->recheck = true;
	shoal_bits_copy(&s->to_check, &s->claimed);
	return 0;
}

/* A user who names a peer that an earlier day's record keeps away would wait for nothing, and not know why. */
static void say_banned(struct shoal_node *n, struct shoal_swarm *s, const struct shoal_addr *addr, shoal_us now)
{
	char text[160], at[SHOAL_ADDR_TEXT];
	const struct shoal_repute_entry *e = shoal_repute_find(&n->repute, addr);
	uint32_t now_s = shoal_node_seconds(n, now);
	if (!n->policy->scores || e == NULL || e->rep.state != SHOAL_REP_BANNED || e->rep.banned_until_s <= now_s)
		return;
	shoal_addr_format(addr, at);
	int len = snprintf(
		text, sizeof text,
		"%s is banned for %u min yet: it sent false blocks (its record tells which, and can be forgotten)", at,
		(e->rep.banned_until_s - now_s + 59) / 60);
	struct shoal_event ev = { .kind = SHOAL_EV_WARNING, .text = shoal_bytes(text, (size_t)len) };
	shoal_swarm_say(s, &ev, now);
}

int shoal_node_do(struct shoal_node *n, const struct shoal_op *op, shoal_us now)
{
	struct shoal_swarm *s = shoal_node_handle(n, op->torrent);
	struct shoal_event ev = { .ticket = op->ticket };
	int rc;
	n->now = now;
	switch (op->kind) {
	case SHOAL_OP_ADD:
		if (n->stopping)
			return SHOAL_ERR_REFUSED;
		return op->data.len > 0 ? add_torrent(n, op, now) : add_magnet(n, op, now);
	case SHOAL_OP_LIMITS:
		if (op->torrent != 0 && s == NULL)
			return SHOAL_ERR_GONE;
		shoal_limiter_rate(s != NULL ? &s->up_limit : &n->up, op->up, now);
		shoal_limiter_rate(s != NULL ? &s->down_limit : &n->down, op->down, now);
		for (struct shoal_peer *p = n->peers; p != NULL; p = p->next) {
			shoal_peer_stir_in(p); /* what an old limit held back is looked at anew */
			shoal_peer_stir_out(p);
		}
		ev.kind = SHOAL_EV_DONE;
		say(n, &ev, now);
		return 0;
	case SHOAL_OP_EXT_REGISTER: return ext_register(n, op, now);
	case SHOAL_OP_EXT_SEND: return ext_send(n, op, now);
	case SHOAL_OP_DHT_BOOT:
	case SHOAL_OP_DHT_PING:
	case SHOAL_OP_DHT_FIND:
	case SHOAL_OP_DHT_PEERS:
	case SHOAL_OP_DHT_GET:
	case SHOAL_OP_DHT_PUT:
	case SHOAL_OP_DHT_STATS: return shoal_finder_do(n, op, now);
	case SHOAL_OP_SCRAPE: return shoal_announcer_scrape(n, op, now);
	case SHOAL_OP_STOP:
		n->stopping = true;
		n->stop_ticket = op->ticket;
		if (shoal_finder_save(n) && n->store.ops->commit(n->store.s, 0) == 0)
			n->commits_out++;
		shoal_recall_stop(n, now);
		for (s = n->swarms; s != NULL; s = s->next) {
			shoal_node_wake(s);
			shoal_swarm_stop(s, now);
		}
		for (struct shoal_peer *p = n->peers; p != NULL; p = p->next)
			shoal_peer_close(p, SHOAL_ERR_CLOSED, now);
		return 0;
	default: break;
	}
	if (s == NULL)
		return SHOAL_ERR_GONE;
	if (op->kind != SHOAL_OP_STATS && op->kind != SHOAL_OP_PEERS && op->kind != SHOAL_OP_PIECES)
		shoal_node_wake(s);
	switch (op->kind) {
	case SHOAL_OP_REMOVE:
		s->removing = true;
		s->ticket = op->ticket;
		shoal_swarm_stop(s, now);
		return 0;
	case SHOAL_OP_PEER:
		if (!(op->flags & SHOAL_PEER_FROM_LINK))
			say_banned(n, s, &op->addr, now);
		return shoal_swarm_contact(s, &op->addr,
					   op->flags & SHOAL_PEER_FROM_LINK ? SHOAL_FROM_LINK : SHOAL_FROM_USER,
					   now) != NULL
			       ? 0
			       : SHOAL_ERR_RANGE;
	case SHOAL_OP_WEBSEED: rc = shoal_webseed_add(s, op->text, true); return rc == SHOAL_ERR_EXISTS ? 0 : rc;
	case SHOAL_OP_TRACKER: return shoal_announce_user(s, op->text, now);
	case SHOAL_OP_STATS:
		ev.kind = SHOAL_EV_STATS;
		shoal_swarm_stats(s, &ev.stats, now);
		shoal_swarm_say(s, &ev, now);
		return 0;
	case SHOAL_OP_PEERS: shoal_accounts_say(s, op->ticket, now); return 0;
	case SHOAL_OP_FILES: return op->files.len > 0 ? shoal_select_files(s, op, now) : shoal_select_tell(s, op, now);
	case SHOAL_OP_DEADLINE: return shoal_select_deadline(s, op, now);
	case SHOAL_OP_PIECES: return say_pieces(s, op, now);
	case SHOAL_OP_READ: return read_range(n, s, op, now);
	case SHOAL_OP_VERIFY: rc = verify(s); return rc;
	default: return SHOAL_ERR_UNSUPPORTED;
	}
}
