/*
 * dht/krpc.c - KRPC messages <-> bytes.
 */
#include "dht/krpc.h"

#include <string.h>
#include "proto/base/bytes.h"
#include "proto/bencode.h"
#include "proto/compact.h"

static const char *const names[] = {
	[SHOAL_KRPC_PING] = "ping",
	[SHOAL_KRPC_FIND_NODE] = "find_node",
	[SHOAL_KRPC_GET_PEERS] = "get_peers",
	[SHOAL_KRPC_ANNOUNCE] = "announce_peer",
	[SHOAL_KRPC_GET] = "get",
	[SHOAL_KRPC_PUT] = "put",
	[SHOAL_KRPC_SAMPLE] = "sample_infohashes",
	[SHOAL_KRPC_UNKNOWN] = "?",
};
static const char kinds[] = { [SHOAL_KRPC_QUERY] = 'q', [SHOAL_KRPC_REPLY] = 'r', [SHOAL_KRPC_ERROR] = 'e' };

/* ---- reading ------------------------------------------------------------------------ */

/* A field that is not there is no error: `*out` stays as it is. */
static bool take_str(const struct shoal_ben_field *f, size_t min, size_t max, struct shoal_bytes *out)
{
	if (f->v.kind == SHOAL_BEN_NONE)
		return true;
	if (f->v.kind != SHOAL_BEN_STR || f->v.str.len < min || f->v.str.len > max)
		return false;
	*out = f->v.str;
	return true;
}

static bool take_id(const struct shoal_ben_field *f, struct shoal_id20 *out, bool *has)
{
	struct shoal_bytes s = { NULL, 0 };
	if (!take_str(f, 20, 20, &s))
		return false;
	if (s.len == 20) {
		memcpy(out->b, s.at, 20);
		*has = true;
	}
	return true;
}

static bool take_int(const struct shoal_ben_field *f, int64_t min, int64_t max, int64_t *out, bool *has)
{
	if (f->v.kind == SHOAL_BEN_NONE)
		return true;
	if (f->v.kind != SHOAL_BEN_INT || f->v.num < min || f->v.num > max)
		return false;
	*out = f->v.num;
	*has = true;
	return true;
}

/* Any number but 0 is yes; a flag of another kind is no flag. */
static bool flag(const struct shoal_ben_field *f)
{
	return f->v.kind == SHOAL_BEN_INT && f->v.num != 0;
}

/* One value, as raw bytes. */
static bool take_value(const struct shoal_ben_field *f, struct shoal_bytes *out)
{
	*out = f->v.kind == SHOAL_BEN_NONE ? (struct shoal_bytes){ NULL, 0 } : f->v.raw;
	return true;
}

static bool take_want(const struct shoal_ben_field *f, unsigned *want)
{
	if (f->v.kind == SHOAL_BEN_NONE)
		return true;
	if (f->v.kind != SHOAL_BEN_LIST)
		return false;
	struct shoal_ben b = shoal_ben(f->v.raw, 2);
	struct shoal_ben_value v;
	int rc = shoal_ben_open(&b, SHOAL_BEN_LIST);
	while (rc >= 0 && (rc = shoal_ben_item(&b, &v)) > 0) {
		if (v.kind != SHOAL_BEN_STR)
			continue;
		*want |= shoal_bytes_equal(v.str, SHOAL_LIT("n4")) ? SHOAL_KRPC_WANT4 : 0u;
		*want |= shoal_bytes_equal(v.str, SHOAL_LIT("n6")) ? SHOAL_KRPC_WANT6 : 0u;
	}
	return rc == 0;
}

static bool read_query(struct shoal_bytes a, struct shoal_krpc *m)
{
	enum { CAS, ID, HASH, IMPLIED, K, NO_SEED, PORT, SALT, SCRAPE, SEED, SEQ, SIG, TARGET, TOKEN, V, WANT, FIELDS };
	struct shoal_ben_field f[FIELDS] = {
		[CAS] = { .key = "cas" },
		[ID] = { .key = "id" },
		[HASH] = { .key = "info_hash" },
		[IMPLIED] = { .key = "implied_port" },
		[K] = { .key = "k" },
		[NO_SEED] = { .key = "noseed" },
		[PORT] = { .key = "port" },
		[SALT] = { .key = "salt" },
		[SCRAPE] = { .key = "scrape" },
		[SEED] = { .key = "seed" },
		[SEQ] = { .key = "seq" },
		[SIG] = { .key = "sig" },
		[TARGET] = { .key = "target" },
		[TOKEN] = { .key = "token" },
		[V] = { .key = "v" },
		[WANT] = { .key = "want" },
	};
	if (shoal_ben_pick(a, SHOAL_BEN_DEPTH_SMALL - 1, f, FIELDS) != (ptrdiff_t)a.len)
		return false;
	bool has_id = false, has_port = false;
	int64_t port = 0;
	bool hash = m->method == SHOAL_KRPC_GET_PEERS || m->method == SHOAL_KRPC_ANNOUNCE;
	if (!take_id(&f[ID], &m->id, &has_id) || !has_id || !take_want(&f[WANT], &m->want) ||
	    !take_id(&f[hash ? HASH : TARGET], &m->target, &m->has_target))
		return false;
	/* BEP 51's reason for `target`: an unknown method can be answered with nodes; it may also be a hash. */
	m->scrape = flag(&f[SCRAPE]);
	m->no_seed = flag(&f[NO_SEED]);
	m->seed = flag(&f[SEED]);
	m->implied_port = flag(&f[IMPLIED]);
	if (!take_int(&f[PORT], 0, UINT16_MAX, &port, &has_port) || !take_str(&f[TOKEN], 0, SIZE_MAX, &m->token))
		return false;
	m->port = (uint16_t)port;
	/* Salt and value too long are answered with errors of their own (BEP 44). */
	return take_int(&f[CAS], INT64_MIN, INT64_MAX, &m->cas, &m->has_cas) &&
	       take_int(&f[SEQ], INT64_MIN, INT64_MAX, &m->seq, &m->has_seq) &&
	       take_str(&f[SALT], 0, SIZE_MAX, &m->salt) && take_str(&f[K], 32, 32, &m->k) &&
	       take_str(&f[SIG], 64, 64, &m->sig) && take_value(&f[V], &m->v);
}

static bool read_reply(struct shoal_bytes r, struct shoal_krpc *m)
{
	enum { BFPE, BFSD, ID, INTERVAL, K, NODES, NODES6, NUM, SAMPLES, SEQ, SIG, TOKEN, V, VALUES, FIELDS };
	struct shoal_ben_field f[FIELDS] = {
		[BFPE] = { .key = "BFpe" },
		[BFSD] = { .key = "BFsd" },
		[ID] = { .key = "id" },
		[INTERVAL] = { .key = "interval" },
		[K] = { .key = "k" },
		[NODES] = { .key = "nodes" },
		[NODES6] = { .key = "nodes6" },
		[NUM] = { .key = "num" },
		[SAMPLES] = { .key = "samples" },
		[SEQ] = { .key = "seq" },
		[SIG] = { .key = "sig" },
		[TOKEN] = { .key = "token" },
		[V] = { .key = "v" },
		[VALUES] = { .key = "values" },
	};
	bool has_id = false, has = false;
	if (shoal_ben_pick(r, SHOAL_BEN_DEPTH_SMALL - 1, f, FIELDS) != (ptrdiff_t)r.len ||
	    !take_id(&f[ID], &m->id, &has_id) || !has_id)
		return false;
	if (!take_str(&f[NODES], 0, SIZE_MAX, &m->nodes) || m->nodes.len % SHOAL_KRPC_NODE4 != 0 ||
	    !take_str(&f[NODES6], 0, SIZE_MAX, &m->nodes6) || m->nodes6.len % SHOAL_KRPC_NODE6 != 0)
		return false;
	if (f[VALUES].v.kind == SHOAL_BEN_LIST)
		m->values = f[VALUES].v.raw;
	else if (f[VALUES].v.kind != SHOAL_BEN_NONE)
		return false;
	m->has_samples = f[SAMPLES].v.kind == SHOAL_BEN_STR;
	if (!take_str(&f[SAMPLES], 0, SIZE_MAX, &m->samples) || m->samples.len % 20 != 0 ||
	    !take_int(&f[INTERVAL], 0, INT64_MAX, &m->interval, &has) ||
	    !take_int(&f[NUM], 0, INT64_MAX, &m->num, &has))
		return false;
	return take_str(&f[BFSD], SHOAL_KRPC_BLOOM, SHOAL_KRPC_BLOOM, &m->bloom_seeds) &&
	       take_str(&f[BFPE], SHOAL_KRPC_BLOOM, SHOAL_KRPC_BLOOM, &m->bloom_peers) &&
	       take_str(&f[TOKEN], 0, SIZE_MAX, &m->token) && take_str(&f[K], 32, 32, &m->k) &&
	       take_int(&f[SEQ], INT64_MIN, INT64_MAX, &m->seq, &m->has_seq) && take_str(&f[SIG], 64, 64, &m->sig) &&
	       take_value(&f[V], &m->v);
}

static bool read_error(struct shoal_bytes e, struct shoal_krpc *m)
{
	struct shoal_ben b = shoal_ben(e, SHOAL_BEN_DEPTH_SMALL - 1);
	struct shoal_ben_value v;
	int rc = shoal_ben_open(&b, SHOAL_BEN_LIST);
	for (int i = 0; rc >= 0 && (rc = shoal_ben_item(&b, &v)) > 0; i++) {
		if (i == 0 && v.kind == SHOAL_BEN_INT)
			m->code = v.num;
		else if (i == 1 && v.kind == SHOAL_BEN_STR)
			m->text = v.str;
		else
			return false;
	}
	return rc == 0 && m->code != 0;
}

static enum shoal_krpc_method method_of(struct shoal_bytes name)
{
	for (int i = 0; i < SHOAL_KRPC_UNKNOWN; i++)
		if (shoal_bytes_equal(name, shoal_bytes(names[i], strlen(names[i]))))
			return (enum shoal_krpc_method)i;
	return SHOAL_KRPC_UNKNOWN;
}

int shoal_krpc_decode(struct shoal_bytes in, struct shoal_krpc *out)
{
	enum { A, E, IP, Q, R, RO, T, V, Y, FIELDS };
	struct shoal_ben_field f[FIELDS] = { { .key = "a" }, { .key = "e" }, { .key = "ip" },
					     { .key = "q" }, { .key = "r" }, { .key = "ro" },
					     { .key = "t" }, { .key = "v" }, { .key = "y" } };
	struct shoal_krpc m = { 0 };
	struct shoal_bytes y = { NULL, 0 }, q = { NULL, 0 }, ip = { NULL, 0 };
	if (in.len > SHOAL_KRPC_IN_MAX)
		return SHOAL_ERR_TOO_LONG;
	if (shoal_ben_pick(in, SHOAL_BEN_DEPTH_SMALL, f, FIELDS) != (ptrdiff_t)in.len ||
	    !take_str(&f[T], 1, SHOAL_KRPC_TID_MAX, &m.tid) || m.tid.len == 0 || !take_str(&f[Y], 1, 1, &y) ||
	    y.len == 0)
		return SHOAL_ERR_MALFORMED;
	if (f[V].v.kind == SHOAL_BEN_STR && f[V].v.str.len <= 32) /* of any length out there, and of no weight */
		m.version = f[V].v.str;
	bool good = false;
	switch (y.at[0]) {
	case 'q':
		m.kind = SHOAL_KRPC_QUERY;
		m.read_only = flag(&f[RO]);
		if (f[A].v.kind == SHOAL_BEN_DICT && take_str(&f[Q], 1, 64, &q) && q.len > 0) {
			m.method = method_of(q);
			good = read_query(f[A].v.raw, &m);
		}
		break;
	case 'r':
		m.kind = SHOAL_KRPC_REPLY;
		good = f[R].v.kind == SHOAL_BEN_DICT && read_reply(f[R].v.raw, &m);
		break;
	case 'e':
		m.kind = SHOAL_KRPC_ERROR;
		good = f[E].v.kind == SHOAL_BEN_LIST && read_error(f[E].v.raw, &m);
		break;
	default: break;
	}
	if (!good)
		return SHOAL_ERR_MALFORMED;
	if (m.kind != SHOAL_KRPC_QUERY && take_str(&f[IP], 0, SIZE_MAX, &ip) &&
	    (ip.len == SHOAL_COMPACT4 || ip.len == SHOAL_COMPACT6))
		m.has_ip = shoal_compact_decode(ip, ip.len == SHOAL_COMPACT4, &m.ip, 1) == 1;
	*out = m;
	return 0;
}

/* ---- writing ------------------------------------------------------------------------ */

static void pair(struct shoal_ben_wr *w, const char *key, struct shoal_bytes value)
{
	if (value.len > 0)
		shoal_ben_wr_pair_str(w, key, value);
}

static void raw_pair(struct shoal_ben_wr *w, const char *key, struct shoal_bytes value)
{
	if (value.len == 0)
		return;
	shoal_ben_wr_key(w, shoal_bytes(key, strlen(key)));
	shoal_ben_wr_raw(w, value);
}

static void flag_pair(struct shoal_ben_wr *w, const char *key, bool on)
{
	if (on)
		shoal_ben_wr_pair_int(w, key, 1);
}

static struct shoal_bytes id_bytes(const struct shoal_id20 *id)
{
	return shoal_bytes(id->b, 20);
}

static void write_query(struct shoal_ben_wr *w, const struct shoal_krpc *m)
{
	bool hash = m->method == SHOAL_KRPC_GET_PEERS || m->method == SHOAL_KRPC_ANNOUNCE;
	shoal_ben_wr_key(w, SHOAL_LIT("a"));
	shoal_ben_wr_dict(w);
	if (m->has_cas)
		shoal_ben_wr_pair_int(w, "cas", m->cas);
	pair(w, "id", id_bytes(&m->id));
	flag_pair(w, "implied_port", m->implied_port);
	if (hash && m->has_target)
		pair(w, "info_hash", id_bytes(&m->target));
	pair(w, "k", m->k);
	flag_pair(w, "noseed", m->no_seed);
	if (m->port != 0)
		shoal_ben_wr_pair_int(w, "port", m->port);
	pair(w, "salt", m->salt);
	flag_pair(w, "scrape", m->scrape);
	flag_pair(w, "seed", m->seed);
	if (m->has_seq)
		shoal_ben_wr_pair_int(w, "seq", m->seq);
	pair(w, "sig", m->sig);
	if (!hash && m->has_target)
		pair(w, "target", id_bytes(&m->target));
	pair(w, "token", m->token);
	raw_pair(w, "v", m->v);
	if (m->want != 0) {
		shoal_ben_wr_key(w, SHOAL_LIT("want"));
		shoal_ben_wr_list(w);
		if (m->want & SHOAL_KRPC_WANT4)
			shoal_ben_wr_str(w, SHOAL_LIT("n4"));
		if (m->want & SHOAL_KRPC_WANT6)
			shoal_ben_wr_str(w, SHOAL_LIT("n6"));
		shoal_ben_wr_end(w);
	}
	shoal_ben_wr_end(w);
}

static void write_reply(struct shoal_ben_wr *w, const struct shoal_krpc *m)
{
	shoal_ben_wr_key(w, SHOAL_LIT("r"));
	shoal_ben_wr_dict(w);
	pair(w, "BFpe", m->bloom_peers);
	pair(w, "BFsd", m->bloom_seeds);
	pair(w, "id", id_bytes(&m->id));
	if (m->has_samples)
		shoal_ben_wr_pair_int(w, "interval", m->interval);
	pair(w, "k", m->k);
	pair(w, "nodes", m->nodes);
	pair(w, "nodes6", m->nodes6);
	if (m->has_samples) {
		shoal_ben_wr_pair_int(w, "num", m->num);
		shoal_ben_wr_pair_str(w, "samples", m->samples);
	}
	if (m->has_seq)
		shoal_ben_wr_pair_int(w, "seq", m->seq);
	pair(w, "sig", m->sig);
	pair(w, "token", m->token);
	raw_pair(w, "v", m->v);
	raw_pair(w, "values", m->values);
	shoal_ben_wr_end(w);
}

ptrdiff_t shoal_krpc_encode(const struct shoal_krpc *m, struct shoal_space out)
{
	struct shoal_ben_wr w;
	uint8_t ip[SHOAL_COMPACT6];
	char kind = kinds[m->kind];
	shoal_ben_wr_init(&w, out);
	shoal_ben_wr_dict(&w);
	if (m->kind == SHOAL_KRPC_QUERY) {
		write_query(&w, m);
	} else if (m->kind == SHOAL_KRPC_ERROR) {
		shoal_ben_wr_key(&w, SHOAL_LIT("e"));
		shoal_ben_wr_list(&w);
		shoal_ben_wr_int(&w, m->code);
		shoal_ben_wr_str(&w, m->text);
		shoal_ben_wr_end(&w);
	}
	if (m->kind != SHOAL_KRPC_QUERY && m->has_ip)
		shoal_ben_wr_pair_str(&w, "ip", shoal_bytes(ip, shoal_compact_encode(&m->ip, ip)));
	if (m->kind == SHOAL_KRPC_QUERY)
		shoal_ben_wr_pair_str(&w, "q", shoal_bytes(names[m->method], strlen(names[m->method])));
	else if (m->kind == SHOAL_KRPC_REPLY)
		write_reply(&w, m);
	if (m->kind == SHOAL_KRPC_QUERY)
		flag_pair(&w, "ro", m->read_only);
	shoal_ben_wr_pair_str(&w, "t", m->tid);
	pair(&w, "v", m->version);
	shoal_ben_wr_pair_str(&w, "y", shoal_bytes(&kind, 1));
	shoal_ben_wr_end(&w);
	return shoal_ben_wr_done(&w);
}

/* ---- nodes and values --------------------------------------------------------------- */

bool shoal_krpc_node_at(struct shoal_bytes nodes, bool is_v4, size_t i, struct shoal_krpc_node *out)
{
	size_t unit = is_v4 ? SHOAL_KRPC_NODE4 : SHOAL_KRPC_NODE6;
	if (i >= nodes.len / unit)
		return false;
	const uint8_t *at = nodes.at + i * unit;
	memcpy(out->id.b, at, 20);
	return shoal_compact_decode(shoal_bytes(at + 20, unit - 20), is_v4, &out->addr, 1) == 1;
}

size_t shoal_krpc_node_put(const struct shoal_krpc_node *node, uint8_t out[SHOAL_KRPC_NODE6])
{
	memcpy(out, node->id.b, 20);
	return 20 + shoal_compact_encode(&node->addr, out + 20);
}

size_t shoal_krpc_values(struct shoal_bytes values, struct shoal_addr *out, size_t max)
{
	struct shoal_ben b = shoal_ben(values, SHOAL_BEN_DEPTH_SMALL);
	struct shoal_ben_value v;
	size_t n = 0;
	if (values.len == 0 || shoal_ben_open(&b, SHOAL_BEN_LIST) < 0)
		return 0;
	while (n < max && shoal_ben_item(&b, &v) > 0)
		if (v.kind == SHOAL_BEN_STR && (v.str.len == SHOAL_COMPACT4 || v.str.len == SHOAL_COMPACT6))
			n += shoal_compact_decode(v.str, v.str.len == SHOAL_COMPACT4, &out[n], 1) == 1;
	return n;
}

ptrdiff_t shoal_krpc_values_put(const struct shoal_addr *addr, size_t count, struct shoal_space out)
{
	struct shoal_ben_wr w;
	uint8_t raw[SHOAL_COMPACT6];
	shoal_ben_wr_init(&w, out);
	shoal_ben_wr_list(&w);
	for (size_t i = 0; i < count; i++)
		shoal_ben_wr_str(&w, shoal_bytes(raw, shoal_compact_encode(&addr[i], raw)));
	shoal_ben_wr_end(&w);
	return shoal_ben_wr_done(&w);
}
