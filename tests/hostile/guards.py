"""guards.py - which line of ours stands behind which case: take the guard out, and the case must turn red.

Each row: the cases, then one or more edits (file, text as it stands, text without the guard). Several edits are guards
that stand one behind the other: each alone would still hold. What has no row, and why, is in README.md.
"""

WIRE, PW, PEER, EXT = "proto/wire.c", "proto/peer_wire.c", "swarm/core/peer.c", "swarm/core/peer_ext.c"
IN = "swarm/core/peer_in.c"
UP, REQ, HASHES, META = "swarm/core/upload.c", "swarm/core/request.c", "swarm/core/hashes.c", "swarm/core/metadata.c"
SMETA, PIECES, CROWD, TURN = ("swarm/core/swarm_metadata.c", "swarm/core/swarm_pieces.c", "swarm/core/crowd.c",
                              "swarm/core/turnover.c")
KEYS = "swarm/core/identity.c"
PARSE, V1, BEN, HASH = "proto/metainfo_parse.c", "proto/metainfo_v1.c", "proto/extension.c", "swarm/io/disk_hash.c"

BODY_MAX = (WIRE, "	if (len - fixed > shape->body_max)", "	if (0 && len - fixed > shape->body_max)")
UNASKED = (REQ, "	if (!shoal_patience_charge(&p->unasked,", "	if (0 && !shoal_patience_charge(&p->unasked,")
BAN = ("swarm/core/evidence.c",
       "	if (r->state == SHOAL_REP_BANNED || key_banned)\n		return shoal_swarm_ban(s, source, piece, text, now);",
       "	(void)text;\n	(void)key_banned;")

NEVER_ASKED = (HASHES, "	if (s->mi == NULL || p->hash_asked == 0)\n		return shoal_peer_close(p, SHOAL_ERR_REFUSED, now);",
               "	if (s->mi == NULL || p->hash_asked == 0)\n		return;")
FORGED = (HASHES, "	if (rc == SHOAL_ERR_HASH && !p->closing) {", "	if (rc == SHOAL_ERR_HASH && p->born == 1) {")
PROOF_LENGTH = ("proto/merkle.c", "	if (proof_count != shoal_merkle_height(layer_width) - shoal_merkle_height(span))", "	if (proof_count == 99)")

KRPC, SERVE, SEARCH, ITEMS, QUOTA, DHT = ("dht/krpc.c", "dht/dht_serve.c", "dht/dht_search.c", "dht/items.c", "dht/quota.c",
                                         "dht/dht.c")
MSE, CURL, ASK, GUARD = "proto/mse.c", "swarm/io/http_curl.c", "swarm/core/announce_ask.c", "swarm/core/guard.c"
IN_HERE = ("swarm/io/reachable.c", "	case SHOAL_REACH_LOOPBACK:\n	case SHOAL_REACH_LINK:\n	case SHOAL_REACH_NOWHERE: break;",
           "	case SHOAL_REACH_LOOPBACK:\n	case SHOAL_REACH_LINK:\n	case SHOAL_REACH_NOWHERE: return true;")
TOO_MUCH = (CURL, "	if (f->got > most) {", "	if (f->got == UINT64_MAX) {")
ENDS = (KRPC, "	if (shoal_ben_pick(in, SHOAL_BEN_DEPTH_SMALL, f, FIELDS) != (ptrdiff_t)in.len ||",
        "	if (shoal_ben_pick(in, SHOAL_BEN_DEPTH_SMALL, f, FIELDS) < 0 ||")
SENT = (SERVE, "	if (a.m.kind != 0 && (proved || size_of(&a) <= a.most))", "	if (a.m.kind != 0)")

BITS = (PW, "legal = pw->pieces == 0 || len - 1 == pw->pieces / 8 + (pw->pieces % 8 != 0); break;", "break;")

HINTS = "proto/leaf_hints.c"
DIGESTS = (HINTS, "	if (tells ? digests == 0 || digests % 32 != 0 || digests / 32 > SHOAL_HINT_BLOCKS : digests != 0)",
           "	if (tells && digests > SIZE_MAX / 2)")

GUARDS = [
    # hints of ours
    ("H01b", (HINTS, "	if (in.len < SHOAL_HINT_HEAD)", "	if (in.len < 2)"), DIGESTS),
    ("H01c H01d H01e H01f", DIGESTS),
    # lengths
    ("W01a W01b W01m W01n", (WIRE, "	if (len > len_max || len > 2 + SHOAL_WIRE_EXT_MAX)", "	if (0 && len > len_max)"), BODY_MAX),
    ("W01c W01f W01g W01i W01j W01k", BODY_MAX),
    ("W01d", (WIRE, "	if (len < fixed || len - fixed < shape->body_min)", "	if (len < 1)")),
    ("W01e W01h W01l V02n", (WIRE, "	if (len < fixed || len - fixed < shape->body_min)", "	if (len < 1)"), BODY_MAX),
    ("V02o", (WIRE, "	return (len - fixed) % shape->unit ? SHOAL_ERR_MALFORMED : SHOAL_OK;", "	return SHOAL_OK;"), NEVER_ASKED),
    ("W03a W03b", BITS,
     ("proto/base/bits.c", "	if (wire.len != ((size_t)bits->count + 7) / 8)", "	if (wire.len > ((size_t)bits->count + 7) / 8 + 1)")),
    # terms
    ("W15a W15b W15c", (PW, "	case SHOAL_WIRE_ALLOWED_FAST: legal = pw->fast; break;", "	case SHOAL_WIRE_ALLOWED_FAST: break;")),
    ("W15d", (PW, "	case SHOAL_WIRE_EXTENDED: legal = pw->extended; break;", "")),
    ("W15e", (PW, "	case SHOAL_WIRE_HASH_REJECT: legal = pw->v2; break;", "	case SHOAL_WIRE_HASH_REJECT: break;")),
    # handshakes
    ("W16d W16e", (IN, "	if (s == NULL || (p->swarm", "	if (s == NULL)\n		s = p->node->swarms;\n	if ((p->swarm")),
    ("W16i", (IN, "	if (memcmp(p->id.b, s->peer_id.b, 20) == 0) {", "	if (p->incoming && p->born == 1) {")),
    ("W16j", (IN, "	if (duplicate(p, now))", "	if (0 && duplicate(p, now))")),
    ("W16m", (IN, "		if (q->addr.is_v4 == p->addr.is_v4 && memcmp(q->addr.ip,", "		if (p->born == 1 && memcmp(q->addr.ip,")),
    ("W02a W02b W02c W16a W16b W16c W16f", (PEER, "		if (p->born + SHOAL_PEER_HANDSHAKE_TIME <= now)", "		if (p->born + 9 * SHOAL_PEER_HANDSHAKE_TIME <= now)")),
    ("W02d W02e", (PEER, "(partial != 0 && partial + SHOAL_PEER_PARTIAL_TIME <= now)", "(partial == 1)")),
    # what it has
    ("W03f W03k", (IN, "	if (p->swarm->mi == NULL || msg->id == SHOAL_WIRE_HAVE_NONE)\n		return SHOAL_ERR_MALFORMED;",
                   "	if (p->swarm->mi == NULL || msg->id == SHOAL_WIRE_HAVE_NONE)\n		return 0;")),
    ("W03d", BITS, (IN, "	if (!all && msg->body.len != ((size_t)p->have.count + 7) / 8)\n		return SHOAL_ERR_MALFORMED;", "")),
    ("W04a W04b W04c", (IN, "	if (piece >= p->have.count)\n		return SHOAL_ERR_RANGE;", "	if (piece >= p->have.count)\n		return 0;")),
    ("W04e", (IN, "		if (piece >= SHOAL_PIECES_MAX || p->early", "		if (p->early")),
    ("W04f", (IN, "p->early_have_count == SHOAL_PEER_EARLY_HAVES)\n			return SHOAL_ERR_RANGE;",
              "p->early_have_count == SHOAL_PEER_EARLY_HAVES)\n			return 0;")),
    ("W03h W03i", (IN, "shoal_bits_load(&p->have, shoal_bytes(p->early_bits, p->early_bits_len), true) < 0)\n		return SHOAL_ERR_MALFORMED;",
                   "shoal_bits_load(&p->have, shoal_bytes(p->early_bits, p->early_bits_len), true) < 0)\n		(void)0;")),
    ("W04d", (IN, "		if (p->early_have[i] >= pieces)\n			return SHOAL_ERR_RANGE;", "		if (p->early_have[i] >= pieces)\n			continue;")),
    ("K01a", (KEYS, "	if (a->heard)\n		return SHOAL_ERR_MALFORMED;", "	if (a->heard)\n		return 0;")),
    ("K01b", (KEYS, "	if (!a->heard || a->judged)", "	if (a->judged)")),
    ("K01c", ("proto/key_proof.c", "	if (in.len != SHOAL_KEY_MSG)", "	if (in.len < 3)")),
    ("K01d", (KEYS, "	if (!a->heard || a->judged)", "	if (!a->heard)")),
    ("V54a", (EXT, "	if (body.len != 4)", "	if (body.len < 3)")),
    # extension protocol
    ("M07b M07c M07d M07e M07f M07g", (EXT, "		rc = shoal_ext_handshake_decode(body, hs);", "		(void)!shoal_ext_handshake_decode(body, hs);")),
    ("M08a", (EXT, "++p->ext_handshakes > SHOAL_PEER_EXT_HANDSHAKES ?", "++p->ext_handshakes > 1000000 ?")),
    ("M06d M06e", (EXT, "	int rc = shoal_metadata_decode(body, &msg);\n	if (rc < 0)\n		return rc;",
                   "	int rc = shoal_metadata_decode(body, &msg);\n	if (rc < 0)\n		return 0;")),
    ("M06a M06b M06c", (SMETA, "		if (begin < info.len) {", "		if (begin < info.len + ((uint64_t)1 << 50)) {")),
    ("M07o", (SMETA, "	if (n > 0 && p->ext_metadata != 0)", "	if (n > 0)")),
    # requests
    ("W06d", (UP, " || w->len == 0 || w->len > SHOAL_BLOCK)", " || w->len == 0)")),
    ("W06f W06g W06h", (UP, "	return w->begin <= bytes && w->len <= bytes - w->begin;", "	return bytes > 0;")),
    ("W06i W06j", (UP, "	if (!shoal_bits_get(&s->claimed, w->piece) ||", "	if ("),
     (UP, "		if (!shoal_bits_get(&p->swarm->claimed, w.piece)) {", "		if (p->born == 1) {")),
    ("W06k W06l", (UP, "	if ((p->choked && !shoal_fast_take(p, w.piece, w.len)) || p->wanted_count", "	if (p->wanted_count"),
     (UP, "	return !p->choked || shoal_fast_given(p, piece);", "	return p != NULL || shoal_fast_given(p, piece);")),
    ("W06a W06r", (UP, "		if (++p->bad_requests > SHOAL_PEER_BAD_REQUESTS)", "		if (++p->bad_requests > 1000000)")),
    # too much of it
    ("W05a W14a W14b W20b W15i W15j W06n W15k W19b M07a V54c",
     (PEER, "	if (shoal_patience_charge(&p->talk,", "	if (1 || shoal_patience_charge(&p->talk,")),
    ("W08a W09a W08g W08h", UNASKED),
    ("V02a", (HASHES, "			    shoal_patience_charge(&p->leaves, SHOAL_PATIENCE_LEAVES, SHOAL_PATIENCE_LEAVES_MINUTE,\n						  now) &&\n", "")),
    ("M04a", (SMETA, "	return shoal_patience_charge(&p->metadata_given, most, (uint32_t)most, now);", "	return most > 0 || now == 1;")),
    ("R11a", (PEER, "	if (p->blocked_since != 0 && p->blocked_since + SHOAL_PEER_BLOCKED_TIME <= now)", "	if (p->blocked_since == 1)"),
     ("swarm/io/tcp.c", "	set_int(tcp, fd, IPPROTO_TCP, TCP_USER_TIMEOUT, SHOAL_TCP_UNTAKEN_MS);", "")),
    ("R11c", (CROWD, "	while (bytes > 0 && (n->long_bytes", "	while (n == NULL && (n->long_bytes")),
    ("W18a W18b", (TURN, "	for (struct shoal_peer *p = n->peers; p != NULL; p = p->next) {\n		enum use use = use_of(p, now);",
                   "	for (struct shoal_peer *p = n->peers; p == NULL; p = p->next) {\n		enum use use = use_of(p, now);")),
    ("R01a", ("swarm/io/engine_native.c", "	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur != RLIM_INFINITY)\n		bound =",
              "	if (getrlimit(RLIMIT_NOFILE, &rl) == 1)\n		bound =")),
    # false data
    ("W10b W10d W10f", (HASH, "			if (memcmp(got, hash->want_sha1, sizeof hash->want_sha1) != 0)", "			if (got[0] == got[1] && got[1] == got[2])")),
    ("W10a W10e W10g", (HASH, "			if (memcmp(got, hash->want_root, sizeof got) != 0)", "			if (got[0] == got[1] && got[1] == got[2])")),
    ("W10a W10b W10c W10f W10g W10d W10e", BAN),
    ("V01k", BAN, FORGED),
    ("W12d", ("swarm/core/policy.c", "			return UNPROVEN_TIME;", "			return patience;")),
    # metadata
    ("M02a", (META, "	if (still->moved + SHOAL_METADATA_STILL > now)", "	if (now > 1)")),
    ("M03a", (SMETA, "		if (n == 1)", "		if (n == 0)")),
    ("M03c", (META, "	    (s->source[index] != peer && s->before[index] != peer))", "	    now == 1)")),
    ("M05a", (SMETA, " || p->metadata_lapses > least)", " || (least > 1000000))")),
    ("M06h M06i", (META, "	if (data.len != want)\n		return SHOAL_ERR_MALFORMED;", "	if (data.len != want)\n		return 0;"),
     (BEN, "	return out->data.len > 0 && out->data.len <= SHOAL_METADATA_BLOCK ? SHOAL_OK : SHOAL_ERR_MALFORMED;", "	return SHOAL_OK;")),
    ("M06j", (BEN, "out->data.len <= SHOAL_METADATA_BLOCK ?", "1 ?"),
     (META, "	if (data.len != want)\n		return SHOAL_ERR_MALFORMED;", "	if (data.len != want)\n		return 0;")),
    ("M06k", (EXT, "	int rc = shoal_metadata_decode(body, &msg);\n	if (rc < 0)\n		return rc;",
              "	int rc = shoal_metadata_decode(body, &msg);\n	if (rc < 0)\n		return 0;")),
    ("M03a", (SMETA, "	if (s->has_v1 && memcmp(sha1, s->v1.b, 20) != 0)", "	if (s->has_v1 && sha1[0] == sha1[1] && sha1[1] == sha1[2])"),
     (SMETA, "	if (s->has_v2 && memcmp(sha256, s->v2.b, 32) != 0)", "	if (s->has_v2 && sha256[0] == sha256[1] && sha256[1] == sha256[2])")),
    # hash messages
    ("V01a", NEVER_ASKED),
    ("V01b V01c V01d V01h", FORGED),
    ("V01b V01c V01d", ("proto/merkle.c", "	return memcmp(node, root, 32) == 0 ? 0 : SHOAL_ERR_HASH;", "	return 0;")),
    ("V01i V01j V01g", PROOF_LENGTH),
    ("V01f", (HASHES, "	if (r->index != want->next || r->length != length || count < length)", "	if (r->index != want->next || r->length != length)"),
     PROOF_LENGTH),
    ("V03b", (HASHES, "p->hash_in_vain < found->hash_in_vain ||", "0 ||"), (HASHES, "p->hash_in_vain == found->hash_in_vain &&", "1 &&")),
    ("V02b V02c", (HASHES, "		if (r->base == piece_base(s))", "		if (r->base != 0 || piece_base(s) == 0)")),
    ("V02d", (HASHES, "	if (known == 0 || r->length == 0 || (r", "	if (known == 0 || (r"),
     (HASHES, "	int uncles = r->length >= 2 ?", "	int uncles = r->length == 0 ? 0 : r->length >= 2 ?")),
    ("V02e", (HASHES, "r->length == 0 || (r->length & (r->length - 1)) || r->length > 8192", "r->length == 0 || r->length > 8192"),
     ("proto/merkle.c", "known > width || !is_power(count) ||", "known > width ||")),
    ("V02f", (HASHES, "	    r->index % r->length != 0 || r->index >= width", "	    r->index >= width"),
     ("proto/merkle.c", "	if (index % count != 0 || index > width - count)", "	if (index > width)")),
    ("V02j V02k", (HASHES, " || r->length > per_piece ||\n	    r->index % r->length != 0)", ")"),
     (HASHES, "	return r->index / per_piece < pieces ? first + r->index / per_piece : SHOAL_PIECE_NONE;", "	return pieces > 0 ? first : 0;"),
     (HASHES, "	if (out == NULL || r->length > width) {", "	if (out == NULL) {")),
    # the dictionary's own limits
    ("M10a", (PARSE, "	if (ps->num < SHOAL_PIECE_SIZE_MIN_V1 || ps->num", "	if (ps->num")),
    ("M10d", (V1, "	if (pieces->str.len % 20 != 0)", "	if (pieces->str.len == 1)"), (V1, "	if (pieces->str.len / 20 != want)", "	if (want == 0)")),
    ("P01a", ("proto/metainfo_names.c", "static bool is_safe(struct shoal_bytes raw)\n{\n", "static bool is_safe(struct shoal_bytes raw)\n{\n	if (raw.len > 0)\n		return true;\n")),
    # uTP
    ("U01a", ("proto/utp_wire.h", "(in.at[0] & 0x0f) == 1 &&", "in.at[0] != 'd' &&")),
    ("U02b", ("proto/utp_strangers.c", " || u->resets >= SHOAL_UTP_RESETS_SECOND)", ")")),
    ("U04a", ("proto/utp_strangers.c", "		if (ahead > (uint16_t)(c->nxt - least))", "		if (ahead == 65535)")),
    ("U12a", ("proto/utp_in.c", "	uint16_t ahead = (uint16_t)(h->seq - c->ack);", "	uint32_t ahead = (uint32_t)h->seq - c->ack;")),
    ("U05a", ("proto/utp_out.c", "	if (fresh > (uint16_t)(c->nxt - c->una))", "	if (fresh == 65535)")),
    # trackers and web seeds: where they live
    ("T01a T01c", IN_HERE),
    ("T01b", (ASK, "	return t->trusted || reach == SHOAL_REACH_GLOBAL ||", "	return t != NULL || reach == SHOAL_REACH_GLOBAL ||")),
    ("T03a T03c", (CURL, "	if (f->hops > 0 && !f->local)\n		return false;", ""), IN_HERE),
    ("T03b", (CURL, "	if (++f->hops > SHOAL_HTTP_REDIRECTS_MAX) {", "	if (++f->hops > 1000000) {")),
    ("T04a", ("proto/tracker_http.c", "	if (speaks_for_us(url->query))\n		return SHOAL_ERR_REFUSED;\n	put_base(&w, url, url->path);",
              "	put_base(&w, url, url->path);")),
    # how much, how long, how often
    ("T06a", TOO_MUCH, (ASK, " || need > SHOAL_TRACKER_HTTP_BODY_MAX) {", ") {")),
    ("T06c", (CURL, "	SET(CURLOPT_LOW_SPEED_LIMIT, (long)SHOAL_HTTP_SLOW_BYTES);", "	SET(CURLOPT_LOW_SPEED_LIMIT, 0L);"),
     (ASK, "#define FETCH_TIME SHOAL_S(30)", "#define FETCH_TIME SHOAL_S(300)")),
    ("T08a", ("swarm/core/announce.c", "shoal_max_u64(wait, SHOAL_ANNOUNCE_INTERVAL_MIN)", "shoal_max_u64(wait, 1)")),
    # what they say
    ("T11b", ("proto/compact.c", "	if (in.len % unit != 0)", "	if (in.len < unit)")),
    ("T11c", ("proto/tracker_http.c", "	if (!out->failed && f[INTERVAL].v.kind != SHOAL_BEN_INT &&", "	if (out == NULL && f[INTERVAL].v.kind != SHOAL_BEN_INT &&")),
    ("T12a", ("proto/tracker_udp.c", "	if (!q->sent || head->transaction != q->transaction)", "	if (!q->sent)")),
    ("T12b", (ASK, "way->state != SHOAL_WAY_RUNS || !shoal_addr_equal(&way->addr, from))", "way->state != SHOAL_WAY_RUNS)")),
    ("T12c", ("proto/tracker_udp.c", "	if (!error && (q->connecting || head->action != asked))", "	if (!error && head->action != asked)")),
    ("T13a", ("proto/tracker_udp.c", "	if (r.bad || (action == SHOAL_TRACKER_UDP_ANNOUNCE && in.len < ANSWER_HEAD))", "	if (r.bad)")),
    # victims
    ("T09a", (GUARD, "		if (h != NULL && h->tried[0] != 0) {", "		if (h != NULL && h->tried[0] == 1) {"),
     (GUARD, "		if (n != NULL && n->rest_until > at)", "		if (n != NULL && n->rest_until == 1)"),
     ("swarm/core/contacts.c", " && far(addr) && same_host >= SHOAL_CONTACTS_HOST)", " && far(addr) && same_host == 100000)")),
    ("T09b", (ASK, "	case SHOAL_REACH_GLOBAL: return a->port >= SHOAL_ANNOUNCE_PORT_MIN;", "	case SHOAL_REACH_GLOBAL: return true;"),
     ("swarm/core/contacts.c", "	return addr->port >= PORT_LOW || from < SHOAL_FROM_TRACKER;", "	return true;")),
    ("T10a", (ASK, "	case SHOAL_REACH_PRIVATE: return near;", "	case SHOAL_REACH_PRIVATE: return true;"),
     ("swarm/core/contacts.c", "		if (!(source & SHOAL_FROM_NEAR) && from != SHOAL_FROM_LSD && from != SHOAL_FROM_INCOMING)", "		if (from == 0)")),
    # web seeds
    ("T17a", ("swarm/core/webseed.c", "	if (ws->false_pieces < 2 && !ws->retired) {", "	if (now > 0) {")),
    ("T17b", ("swarm/core/webseed.c", "			if (r->seed != NULL && !r->weak && r->heard + SHOAL_WEBSEED_STALL <= now)", "			if (r->seed != NULL && !r->weak && now == 1)"),
     ("swarm/core/webseed.c", "			if (r->seed == NULL || r->weak)\n				continue;", "			if (r != NULL)\n				continue;")),
    ("T18b T18c", (CURL, "	if (!f->range_told || f->range.from != f->from || f->range.to != f->to)", "	if (f->from > f->to)")),
    ("T18d", TOO_MUCH),
    ("T18e", (CURL, "	if (f->size != 0 && f->range.total != 0 && f->range.total != f->size)", "	if (f->size == 1)")),
    # MSE
    ("E02a", (MSE, "		if (m->pad++ == PAD)", "		if (m->pad++ == 100000)")),
    ("E02b", (MSE, "	if (n > PAD)", "	if (n > 65535)")),
    ("E02c", (MSE, "	if (memcmp(at, zeros, VC) != 0)", "	if (memcmp(zeros, zeros, VC) != 0)")),
    ("E03a", ("proto/dh768.c", "	if (!sound(&base))", "	if (!sound(&base) && theirs == NULL)")),
    ("E04a", ("swarm/core/peer_mse.c", "	return shoal_patience_charge(&n->agreed, SHOAL_NODE_AGREES, 60 * SHOAL_NODE_AGREES, now) &&\n	      ", "	return n != NULL &&\n	      ")),
    ("E04b", ("swarm/core/guard.c", "	if (h->agreed >= SHOAL_GUARD_AGREES)", "	if (h->agreed >= 10000)")),
    ("E05a", ("swarm/core/peer_mse.c", "e != NULL ? &e->hash : NULL);", "e != NULL ? &e->hash : &p->node->swarms->v1);")),
    ("E06a", (MSE, "	if (both == 0)", "	if (both == 99)")),
    ("E06b", (MSE, "	if ((method != SHOAL_MSE_PLAIN && method != SHOAL_MSE_RC4) || !(method & m->methods))", "	if (method == 99)")),
    ("E06c", (MSE, "	if (!m->or_plain)", "	if (m == NULL)")),
    # DHT: messages
    ("D01b", ENDS),
    ("D01c", (KRPC, "!take_str(&f[T], 1, SHOAL_KRPC_TID_MAX, &m.tid)", "!take_str(&f[T], 1, SIZE_MAX, &m.tid)")),
    ("D01d", (KRPC, "	if (!take_str(f, 20, 20, &s))", "	if (!take_str(f, 0, SIZE_MAX, &s))"),
     (KRPC, "	if (!take_id(&f[ID], &m->id, &has_id) || !has_id || !take_want", "	if (!take_id(&f[ID], &m->id, &has_id) || !take_want")),
    ("D01e", ("proto/bencode.c", "	if (b->in.at[b->pos] == '0' && pos - b->pos > 1)", "	if (pos == 0)")),
    ("D01f", ("proto/bencode.c", "	if (b->depth == b->depth_max)", "	if (b->depth == 10000)")),
    ("D01g", (KRPC, "	if (in.len > SHOAL_KRPC_IN_MAX)", "	if (in.len > 65535)")),
    ("D01h", (SERVE, "		code = SHOAL_KRPC_NO_METHOD;", "		code = 0;"),
     (SERVE, "SHOAL_KRPC_SAMPLE && d->o.samples)", "SHOAL_KRPC_SAMPLE)")),
    ("D01i", (SERVE, "	if (needs_target && !q->has_target)", "	if (needs_target && q == NULL)")),
    ("D01j", (KRPC, "	if (!take_int(&f[PORT], 0, UINT16_MAX, &port, &has_port)", "	if (!take_int(&f[PORT], INT64_MIN, INT64_MAX, &port, &has_port)")),
    # DHT: no tool against others
    ("D02a", (SERVE, "		.most = proved ? REPLY_PROVED :", "		.most = raw.len > 0 ? REPLY_PROVED :"), SENT),
    ("D02b", (SERVE, "		if (size_of(a) > a->most && !proved)", "		if (size_of(a) > a->most && a->d == NULL)"), SENT),
    ("D02c", (QUOTA, "	if (bytes > q->answers)", "	if (bytes > (1u << 30))")),
    ("D02d", (QUOTA, "	return drip(&h->due, ticks(now), SHOAL_QUOTA_HOST_RATE, SHOAL_QUOTA_HOST_BURST) &&", "	return")),
    ("D02e", (QUOTA, "	       drip(&net->due, ticks(now), SHOAL_QUOTA_NET_RATE, SHOAL_QUOTA_NET_BURST);", "	       true;")),
    ("D11a", (QUOTA, "	if (h->asks >= SHOAL_QUOTA_UNPROVED)", "	if (h->asks >= 60000)")),
    ("D11a", (SEARCH, "		namer = slot >= 0 ? slot : shoal_lookup_slot_of(&s->lookup, &node);", "		namer = slot;"),
     (SEARCH, "	if (!s->writing && namer >= 0)", "	if (!s->writing)")),
    ("D11b", (DHT, "node->addr.port >= SHOAL_DHT_PORT_MIN &&", "true &&")),
    ("D11c", (DHT, "		return shoal_reach_of(by) == SHOAL_REACH_LOOPBACK;", "		return true;")),
    ("D11d", (SEARCH, "		if (got[i].port == 0 || !shoal_dht_near(by, &got[i]) ||", "		if (got[i].port == 0 ||")),
    # DHT: whom it knows
    ("D04a", ("dht/table.c", "	if (contradicts(t, b, node) || crowded(t, b, &node->addr))", "	if (contradicts(t, b, node))"),
     ("dht/table.c", "		return !crowded(t, b, &node->addr);", "		return true;")),
    ("D04b", ("dht/table.c", "	for (unsigned i = 0; fits && best == SHOAL_TABLE_K", "	for (unsigned i = 0; t_none && best == SHOAL_TABLE_K"),
     ("dht/table.c", "static unsigned weakest(", "static const bool t_none;\nstatic unsigned weakest(")),
    ("D12a", ("dht/vote.c", "	for (at = 0; at < v->count && memcmp(v->voice[at].voter, net, sizeof net) != 0;)", "	for (at = 0; at < v->count;)")),
    ("D15a", (DHT, "	bool ping = !m.read_only && !d->o.read_only && shoal_dht_likely", "	bool ping = !d->o.read_only && shoal_dht_likely")),
    # DHT: tokens and answers
    ("D06a D06b D06c", (SERVE, "	if (!shoal_token_good(a->d->secret, a->to, &q->target, now, q->token))", "	if (now == 1)")),
    ("D06b", ("dht/token.c", "	memcpy(said, who->ip, 16);", "	memset(said, who->is_v4, 16);")),
    ("D06c", ("dht/token.c", "	memcpy(said + 16, what->b, 20);", "	memset(said + 16, what == NULL, 20);")),
    ("D06d", (SERVE, "	if (!shoal_token_good(a->d->secret, a->to, &target, now, q->token))", "	if (now == 1)")),
    ("D07a", (DHT, "		if (d->question[i].tid == number && shoal_addr_equal", "		if ((d->question[i].tid == number || i < 100) && shoal_addr_equal")),
    ("D07b", (DHT, "		if (d->question[i].tid == number && shoal_addr_equal(&d->question[i].node.addr, from))",
              "		if (d->question[i].tid == number && from->port != 0)")),
    # DHT: what others store
    ("D08a", ("dht/peer_store.c", "	if (begun >= SHOAL_STORED_PER_HOST)", "	if (begun >= 100000)")),
    ("D08b", (ITEMS, "	if (kept >= SHOAL_ITEMS_PER_HOST)", "	if (kept >= 100000)")),
    ("D09a", (ITEMS, "	if (put->salt.len > SHOAL_KRPC_SALT_MAX)", "	if (put->salt.len > 100000)")),
    ("D09b", (ITEMS, "	if (put->v.len > SHOAL_KRPC_VALUE_MAX)", "	if (put->v.len > 100000)")),
    ("D09c D09h", (ITEMS, "	return crypto != NULL && len > 0 &&\n", "	return (crypto != NULL && len > 0) ||\n")),
    ("D09d D09e", (ITEMS, "	if (put->seq < old->seq || (put->seq == old->seq && !same))", "	if (old == NULL)")),
    ("D09f", (ITEMS, "	if (put->has_cas && put->cas != old->seq)", "	if (put->has_cas && old == NULL)")),
    ("D09g", (ITEMS, "	if (put->k.len == 0 && (put->sig.len > 0 || put->has_seq || put->salt.len > 0))", "	if (put->k.len == 99)"),
     (ITEMS, "	if (put->k.len > 0 && (put->sig.len != 64 || !put->has_seq || put->seq < 0))", "	if (put->k.len > 0 && put->sig.len != 64)")),
    ("D09i", (SEARCH, "	if (s->has_item && (!s->item_mutable || m->seq <= s->item_seq))", "	if (s->has_item && !s->item_mutable)"),
     ("swarm/core/finder_ask.c", "	if (a->has_item && ev->seq <= a->seq)", "	if (a->has_item && ev->seq < 0)")),
]
