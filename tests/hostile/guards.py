"""guards.py - which line of ours stands behind which case: take the guard out, and the case must turn red.

Each row: the cases, then one or more edits (file, text as it stands, text without the guard). Several edits are guards
that stand one behind the other: each alone would still hold. Who comes into no row of GUARDS meets no guard, being
harmless, or more of them than a row can say: for those FAULTS has the mistake that the case would catch.
"""

WIRE, PW, PEER, EXT = "proto/wire.c", "proto/peer_wire.c", "swarm/core/peer.c", "swarm/core/peer_ext.c"
IN = "swarm/core/peer_in.c"
UP, REQ, HASHES, META = "swarm/core/upload.c", "swarm/core/request.c", "swarm/core/hashes.c", "swarm/pieces/metadata.c"
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
MSE, ASK, GUARD = "proto/mse.c", "swarm/core/announce_ask.c", "swarm/peers/guard.c"
HTTP, ANSWER, REACH = "swarm/io/http_fetch.c", "swarm/io/http_answer.c", "swarm/io/http_reach.c"
IN_HERE = ("swarm/io/reachable.c", "	case SHOAL_REACH_LOOPBACK:\n	case SHOAL_REACH_LINK:\n	case SHOAL_REACH_NOWHERE: break;",
           "	case SHOAL_REACH_LOOPBACK:\n	case SHOAL_REACH_LINK:\n	case SHOAL_REACH_NOWHERE: return true;")
TOO_MUCH = (ANSWER, "	if (f->got > most) {", "	if (f->got == UINT64_MAX) {")
ENDS = (KRPC, "	if (shoal_ben_pick(in, SHOAL_BEN_DEPTH_SMALL, f, FIELDS) != (ptrdiff_t)in.len ||",
        "	if (shoal_ben_pick(in, SHOAL_BEN_DEPTH_SMALL, f, FIELDS) < 0 ||")
SENT = (SERVE, "	if (a.m.kind != 0 && (proved || size_of(&a) <= a.most))", "	if (a.m.kind != 0)")

BITS = (PW, "legal = pw->pieces == 0 || len - 1 == pw->pieces / 8 + (pw->pieces % 8 != 0); break;", "break;")

BITS_LOAD = ("proto/base/bits.c", "	if (wire.len != ((size_t)bits->count + 7) / 8)",
             "	if (wire.len > ((size_t)bits->count + 7) / 8 + 1)")
TALK = (PEER, "	if (shoal_patience_charge(&p->talk,", "	if (1 || shoal_patience_charge(&p->talk,")
# What waits to be said has an end.
QUEUE = [("proto/peer_wire_out.c", "	size_t bound = shoal_pw_room(pw);", "	size_t bound = (size_t)1 << 40;"),
         ("proto/peer_wire_out.c", "		if (room > 2 * SHOAL_PW_OUT_MAX)\n			room = 2 * SHOAL_PW_OUT_MAX;\n", "")]
MSE_PAD = ("proto/mse.c", "		if (m->pad++ == PAD)", "		if (m->pad++ == 100000)")
NO_V2 = (PW, "	case SHOAL_WIRE_HASH_REJECT: legal = pw->v2; break;", "	case SHOAL_WIRE_HASH_REJECT: break;")
OWN_ID = (IN, "	if (memcmp(p->id.b, s->peer_id.b, 20) == 0) {", "	if (p->incoming && p->born == 1) {")
ANY_HASH = (IN, "	if (s == NULL || (p->swarm", "	if (s == NULL)\n		s = p->node->swarms;\n	if ((p->swarm")
# Who owes blocks for too long stops others from being asked for them; at the end, two may be asked for one.
OVERDUE = (REQ, "	if (since + patience > now)\n		return;", "	if (now > 0)\n		return;")
DOUBLE = (REQ, "	if ((shoal_picker_untouched(s->picker) > 0 && !s->landing.busy) || p->ask_count >= most)",
          "	if (most < 1000)")
# A block lands only where it was asked for, as long as it was asked for; and what landed is hashed.
PLACE = (REQ, "	if (i == UINT32_MAX)\n		return NULL;\n	struct shoal_ask *ask = shoal_peer_ask(p, i);\n"
              "	struct shoal_open *open = shoal_landing_find(&p->swarm->landing, piece);",
         "	if (p->ask_count == 0)\n		return NULL;\n	struct shoal_ask *ask = shoal_peer_ask(p, i == UINT32_MAX ? 0 : i);\n"
         "	struct shoal_open *open = shoal_landing_find(&p->swarm->landing, ask->piece);")
FITS = (REQ, "	bool fits = open != NULL && shoal_open_block_len(open, ask->block) == len;",
        "	bool fits = open != NULL && shoal_open_block_len(open, ask->block) >= len;")
LANDS = (REQ, "	if (i == UINT32_MAX || (ev->at == NULL && !shoal_peer_ask(p, i)->missed)) {",
         "	if (i == UINT32_MAX && ev->at != NULL && p->ask_count > 0) {\n		i = 0;\n		block = shoal_peer_ask(p, 0)->block;\n	}\n"
         "	if (i == UINT32_MAX || (ev->at == NULL && !shoal_peer_ask(p, i)->missed)) {")
SHA1 = (HASH, "			if (memcmp(got, hash->want_sha1, sizeof hash->want_sha1) != 0)", "			if (got[0] == got[1] && got[1] == got[2])")
ROOT = (HASH, "			if (memcmp(got, hash->want_root, sizeof got) != 0)", "			if (got[0] == got[1] && got[1] == got[2])")
FITS_SHA1 = (SMETA, "	if (s->has_v1 && memcmp(sha1, s->v1.b, 20) != 0)", "	if (s->has_v1 && sha1[0] == sha1[1] && sha1[1] == sha1[2])")
FITS_SHA256 = (SMETA, "	if (s->has_v2 && memcmp(sha256, s->v2.b, 32) != 0)",
               "	if (s->has_v2 && sha256[0] == sha256[1] && sha256[1] == sha256[2])")
BLOCK_SIZE = (META, "	if (data.len != want)\n		return SHOAL_ERR_MALFORMED;", "	if (data.len != want)\n		return 0;")
GOSSIP, PEX, CONTACTS = "swarm/core/gossip.c", "proto/pex.c", "swarm/core/contacts.c"
FIT_FOR = (GOSSIP, "	return who == SHOAL_REACH_GLOBAL || who == to || (who != SHOAL_REACH_LOOPBACK && to != SHOAL_REACH_GLOBAL);",
           "	return to != SHOAL_REACH_NOWHERE;")
STRANGERS_PLACES = (CONTACTS, "		if (!(source & SHOAL_FROM_NEAR) && from >= SHOAL_FROM_TRACKER)", "		if (from == 0)")
ONE_A_MINUTE = (GOSSIP, "	if (p->pex_heard != 0 && p->pex_heard + SHOAL_PEX_LEAST > now)\n		return fault(p);", "")
FIRST_FAULT = (GOSSIP, "	return ++p->pex_faults >= SHOAL_PEX_FAULTS ? SHOAL_ERR_REFUSED : 0;", "	return SHOAL_ERR_REFUSED;")  # of its PEX ends it
MAY_ABORT = (BEN, '#include "proto/bencode.h"', '#include <stdlib.h>\n#include "proto/bencode.h"')
LOW_PORTS = (CONTACTS, "	return addr->port >= PORT_LOW || from < SHOAL_FROM_TRACKER;", "	return true;")
# Attempts at one host, at one network, and the places of one host that are remembered.
ONE_HOST = [(GUARD, "		if (h != NULL && h->tried[0] != 0) {", "		if (h != NULL && h->tried[0] == 1) {"),
            (GUARD, "		if (n != NULL && n->rest_until > at)", "		if (n != NULL && n->rest_until == 1)"),
            (CONTACTS, " && far(addr) && same_host >= SHOAL_CONTACTS_HOST)", " && far(addr) && same_host == 100000)")]

HINTS = "proto/leaf_hints.c"
DIGESTS = (HINTS, "	if (tells ? digests == 0 || digests % 32 != 0 || digests / 32 > SHOAL_HINT_BLOCKS : digests != 0)",
           "	if (tells && digests > SIZE_MAX / 2)")

GUARDS = [
    # hints of ours
    ("H01g", ("swarm/core/hints.c", "	    shoal_patience_charge_many(&p->leaves, shoal_swarm_piece_mib(s, piece), SHOAL_PATIENCE_HINTS,\n				       SHOAL_PATIENCE_HINTS_MINUTE, now) &&\n", "")),
    ("V02q", (HASHES, "	return shoal_patience_charge_many(&p->leaves, 1 + mebibytes, SHOAL_PATIENCE_LEAVES,",
                   "	return shoal_patience_charge_many(&p->leaves, 1, SHOAL_PATIENCE_LEAVES,")),
    ("H01h", TALK, *QUEUE),
    ("H01i", TALK),
    ("H02e", ("swarm/core/evidence_failed.c", "		if (o->state != SHOAL_OPEN_DISPUTED || o->disputed_until > now)",
              "		if (o->state != SHOAL_OPEN_DISPUTED || o->disputed_until > 1)")),
    ("H01b", (HINTS, "	if (in.len < SHOAL_HINT_HEAD)", "	if (in.len < 2)"), DIGESTS),
    ("H01c H01d H01e H01f", DIGESTS),
    # lengths
    ("W01a W01b W01m W01n W16h", (WIRE, "	if (len > len_max || len > 2 + SHOAL_WIRE_EXT_MAX)", "	if (0 && len > len_max)"), BODY_MAX),
    ("W01c W01f W01g W01i W01j W01k W03j", BODY_MAX),
    ("W01d", (WIRE, "	if (len < fixed || len - fixed < shape->body_min)", "	if (len < 1)")),
    ("W01e W01h W01l V02n", (WIRE, "	if (len < fixed || len - fixed < shape->body_min)", "	if (len < 1)"), BODY_MAX),
    ("V02o", (WIRE, "	return (len - fixed) % shape->unit ? SHOAL_ERR_MALFORMED : SHOAL_OK;", "	return SHOAL_OK;"), NEVER_ASKED),
    ("W03a W03b", BITS, BITS_LOAD),
    ("W03c", BITS, BITS_LOAD, (WIRE, '"bitfield", BODY, 0, 1, 1,', '"bitfield", BODY, 0, 1, 0,')),
    ("W03g", BITS, BODY_MAX),
    # terms
    ("W15a W15b W15c", (PW, "	case SHOAL_WIRE_ALLOWED_FAST: legal = pw->fast; break;", "	case SHOAL_WIRE_ALLOWED_FAST: break;")),
    ("W15d", (PW, "	case SHOAL_WIRE_EXTENDED: legal = pw->extended; break;", "")),
    ("W15e", NO_V2),
    ("M11a", NO_V2, NEVER_ASKED),
    # handshakes
    ("W16g", MSE_PAD),
    ("W17a", ANY_HASH),
    ("W17b", OWN_ID),
    ("W16d W16e", ANY_HASH),
    ("W16i", OWN_ID),
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
    ("K01f", (KEYS, "	if (memcmp(a->theirs.key, a->ours.key, SHOAL_KEY_BYTES) == 0)\n		return 0;", "")),
    ("V54a", (EXT, "	if (body.len != 4)", "	if (body.len < 3)")),
    # extension protocol
    ("M07b M07c M07d M07e M07f M07g", (EXT, "		rc = shoal_ext_handshake_decode(body, hs);", "		(void)!shoal_ext_handshake_decode(body, hs);")),
    ("M08a", (EXT, "++p->ext_handshakes > SHOAL_PEER_EXT_HANDSHAKES ?", "++p->ext_handshakes > 1000000 ?")),
    ("M06d M06e", (EXT, "	int rc = shoal_metadata_decode(body, &msg);\n	if (rc < 0)\n		return rc;",
                   "	int rc = shoal_metadata_decode(body, &msg);\n	if (rc < 0)\n		return 0;")),
    ("M06a M06b M06c", (SMETA, "		if (begin < info.len) {", "		if (begin < info.len + ((uint64_t)1 << 50)) {")),
    ("M07o", (SMETA, "	if (n > 0 && p->ext_metadata != 0)", "	if (n > 0)")),
    ("M07k", (BEN, "		if (out->v.len > VERSION_MAX)\n			out->v.len = VERSION_MAX;\n", ""),
     (EXT, "		size_t n = hs->v.len < sizeof p->client - 1 ? hs->v.len : sizeof p->client - 1;", "		size_t n = hs->v.len;")),
    ("M07n", (BEN, "out->m_count < SHOAL_EXT_NAMES_MAX && (rc", "(rc")),
    # requests
    ("W06c", (UP, " || w->len == 0 || w->len > SHOAL_BLOCK)", " || w->len > SHOAL_BLOCK)"),
     ("proto/peer_wire_out.c", "give->len == 0 || ", "")),
    ("W06e", (UP, " || w->len == 0 || w->len > SHOAL_BLOCK)", " || w->len == 0)"),
     (UP, "	return w->begin <= bytes && w->len <= bytes - w->begin;", "	return bytes > 0;")),
    ("W06d", (UP, " || w->len == 0 || w->len > SHOAL_BLOCK)", " || w->len == 0)")),
    ("W06f W06g W06h", (UP, "	return w->begin <= bytes && w->len <= bytes - w->begin;", "	return bytes > 0;")),
    ("W06i W06j", (UP, "	if (!shoal_bits_get(&s->claimed, w->piece) ||", "	if ("),
     (UP, "		if (!shoal_bits_get(&p->swarm->claimed, w.piece)) {", "		if (p->born == 1) {")),
    ("W06k W06l", (UP, "	if ((p->choked && !shoal_fast_take(p, w.piece, w.len)) || p->wanted_count", "	if (p->wanted_count"),
     (UP, "	return !p->choked || shoal_fast_given(p, piece);", "	return p != NULL || shoal_fast_given(p, piece);")),
    ("W06a W06r", (UP, "		if (++p->bad_requests > SHOAL_PEER_BAD_REQUESTS)", "		if (++p->bad_requests > 1000000)")),
    # too much of it
    ("W05a W14a W14b W20b W15i W15j W06n W15k W19b M07a V54c", TALK),
    ("W06o W06q", TALK, *QUEUE),
    ("W08a W09a W08g W08h", UNASKED),
    ("V02a", (HASHES, "			    gives_leaves(p, now) &&\n", "")),
    ("M04a", (SMETA, "	return shoal_patience_charge(&p->metadata_given, most, (uint32_t)most, now);", "	return most > 0 || now == 1;")),
    ("R11a", (PEER, "	if (p->blocked_since != 0 && p->blocked_since + SHOAL_PEER_BLOCKED_TIME <= now)", "	if (p->blocked_since == 1)"),
     ("swarm/io/tcp.c", "	set_int(tcp, fd, IPPROTO_TCP, TCP_USER_TIMEOUT, SHOAL_TCP_UNTAKEN_MS);", "")),
    ("R11b", (PEER, "	if (p->blocked_since != 0)\n		return p->blocked_since + SHOAL_PEER_DEAF_TIME <= now;\n	return !p->choked &&", "	return now == 1 && !p->choked &&"),
     ("swarm/peers/choker.c", "	bool over = v->optimistic || v->gave_turn >= by_onward(r, v, r->turn_bytes) ||\n"
      "		    served >= by_onward(r, v, SHOAL_CHOKER_TURN);", "	bool over = served == 1;")),
    ("U09a", (TURN, "	for (struct shoal_peer *p = n->peers; p != NULL; p = p->next) {\n		enum use use = use_of(p, now);",
              "	for (struct shoal_peer *p = n->peers; p == NULL; p = p->next) {\n		enum use use = use_of(p, now);")),
    ("R11c", (CROWD, "	while (bytes > 0 && (n->long_bytes", "	while (n == NULL && (n->long_bytes")),
    ("W18a W18b", (TURN, "	for (struct shoal_peer *p = n->peers; p != NULL; p = p->next) {\n		enum use use = use_of(p, now);",
                   "	for (struct shoal_peer *p = n->peers; p == NULL; p = p->next) {\n		enum use use = use_of(p, now);")),
    ("R01a", ("swarm/io/engine_native.c", "	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur != RLIM_INFINITY)\n		bound =",
              "	if (getrlimit(RLIMIT_NOFILE, &rl) == 1)\n		bound =")),
    # false data
    ("W10b W10d W10f", SHA1),
    ("W10a W10e W10g", ROOT),
    ("W08b", FITS, SHA1, ROOT),
    ("W08c W08d W08e W08f W11b", PLACE, LANDS, SHA1, ROOT),
    ("V06b V06c", ("swarm/core/evidence_failed.c", "	if (open->hash.torn)", "	if (open->hash.torn && now == 0)")),
    # promises
    ("W12a W12c W13a", OVERDUE, DOUBLE),
    ("W12b W21a", (IN, "	if (!shoal_peer_unask(p, msg->index, msg->begin / SHOAL_BLOCK, false, now))\n		return shoal_peer_idle_talk(p, now);",
                   "	if (now > 0)\n		return shoal_peer_idle_talk(p, now);"), OVERDUE, DOUBLE),
    ("W25a W25b", (PEER, "		shoal_peer_unask_all(p, now);\n		p->hash_asked = 0;", "		p->hash_asked = 0;")),
    # what peers say of others
    ("X03j", ONE_A_MINUTE),
    ("X01a", ONE_A_MINUTE, (GUARD, "	if (h->named >= (local(from) ? SHOAL_GUARD_NAMES_LOCAL : SHOAL_GUARD_NAMES))", "	if (h->named >= 60000)"),
     (GUARD, "++h->failures >= SHOAL_GUARD_LOCAL_FAILURES", "++h->failures == 60000")),
    ("X01b", (GOSSIP, "		if (again || !fit_for(&a->addr, &p->addr))", "		if (!fit_for(&a->addr, &p->addr))"), *ONE_HOST),
    ("X02a", FIT_FOR, STRANGERS_PLACES),
    ("X02b", LOW_PORTS),
    ("X03i", (PEX, "	if (v->str.len / unit > SHOAL_PEX_MOST - *count)", "	if (*count > 1000000)")),
    ("X03g", (PEX, "	if (v->kind != SHOAL_BEN_STR || v->str.len % unit != 0)", "	if (v->kind != SHOAL_BEN_STR)"),
     ("proto/compact.c", "	if (in.len % unit != 0)", "	if (in.len < unit)")),
    ("X03h", (PEX, "	if (rc == 0 && doubled(out))", "	if (rc == 1 && doubled(out))")),
    ("X03k", (PEX, "	if ((size_t)n != in.len || none)", "	if (none)")),
    ("X04a", FIT_FOR, STRANGERS_PLACES),
    ("X04b", LOW_PORTS),
    ("X04c", *ONE_HOST),
    ("X04d", ("swarm/core/punch.c", "	if (err != 0)\n", "	if (err > 99)\n")),
    ("X04e", ("swarm/core/punch.c", "		return SHOAL_ERR_MALFORMED;", "		return 0;")),
    ("X04f", ("swarm/core/punch.c", "	return shoal_peer_idle_talk(p, now); /* each of them", "	return 0; /* each of them"), *QUEUE),
    ("X04h", ("swarm/core/punch.c", "	if (!shoal_patience_charge(&p->introduced,", "	if (now == 0 && !shoal_patience_charge(&p->introduced,")),
    ("X04g", ("swarm/core/punch.c", "	if (p->ext_punch == 0 || !shoal_node_punches(p->node))", "	if (!shoal_node_punches(p->node))")),
    ("W10a W10b W10c W10f W10g W10d W10e", BAN),
    ("V01k", BAN, FORGED),
    ("W12d", ("swarm/core/policy.c", "			return UNPROVEN_TIME;", "			return patience;")),
    # metadata
    ("M02a", (META, "	if (still->moved + SHOAL_METADATA_STILL > now)", "	if (now > 1)")),
    ("M03a", (SMETA, "		if (n == 1)", "		if (n == 0)")),
    ("M03c", (META, "	    (s->source[index] != peer && s->before[index] != peer))", "	    now == 1)")),
    ("M01f", (META, "	struct shoal_metadata_sized made = {", "	uint8_t *all = malloc(size);\n	if (all != NULL)\n		memset(all, 1, size);\n	struct shoal_metadata_sized made = {")),
    ("M01g", (META, " || size > SHOAL_METAINFO_BYTES_MAX)", ")"),
     (META, "	struct shoal_metadata_sized made = {", "	uint8_t *all = malloc(size);\n	if (all != NULL)\n		memset(all, 1, size);\n	struct shoal_metadata_sized made = {")),
    ("M01e", (META, "	if (data.len != want)\n		return SHOAL_ERR_MALFORMED;", ""), FITS_SHA1, FITS_SHA256),
    ("M01i", (META, "	if (!shoal_budget_take(m->budget, SHOAL_METADATA_BLOCK))", "	if (m->budget == NULL)")),
    ("M02b", (META, "	if (m->count < SHOAL_METADATA_SIZES)\n		return true;", "	if (m->count == 0)\n		return true;"),
     (META, "	if (still->moved + SHOAL_METADATA_STILL > now)", "	if (now > 1)")),
    ("M03b", (META, "			s->only = 0;\n		if (s->only == 0) {", "			s->failures++;\n		if (s->only == 0) {")),
    ("M06l", (META, "	if (s == NULL || index >= s->blocks || s->asked[index] == 0 ||\n	    (s->source[index] != peer && s->before[index] != peer))",
              "	if (s == NULL)"), (META, "	if (data.len != want)\n		return SHOAL_ERR_MALFORMED;", "")),
    ("M05a", (SMETA, " || p->metadata_lapses > least)", " || (least > 1000000))")),
    ("M06h M06i", BLOCK_SIZE,
     (BEN, "	return out->data.len > 0 && out->data.len <= SHOAL_METADATA_BLOCK ? SHOAL_OK : SHOAL_ERR_MALFORMED;", "	return SHOAL_OK;")),
    ("M06j", (BEN, "out->data.len <= SHOAL_METADATA_BLOCK ?", "1 ?"), BLOCK_SIZE),
    ("M06k", (EXT, "	int rc = shoal_metadata_decode(body, &msg);\n	if (rc < 0)\n		return rc;",
              "	int rc = shoal_metadata_decode(body, &msg);\n	if (rc < 0)\n		return 0;")),
    ("M03a", FITS_SHA1, FITS_SHA256),
    # hash messages
    ("V01a", NEVER_ASKED),
    ("V01b V01c V01d V01h", FORGED),
    ("V01b V01c V01d", ("proto/merkle.c", "	return memcmp(node, root, 32) == 0 ? 0 : SHOAL_ERR_HASH;", "	return 0;")),
    ("V01i V01j V01g", PROOF_LENGTH),
    ("V01f", (HASHES, "	if (r->index != want->next || r->length != length || count < length)", "	if (r->index != want->next || r->length != length)"),
     PROOF_LENGTH),
    ("V01e", (HASHES, "	if (r->index != want->next || r->length != length || count < length)", "	if (r->index != want->next || r->length != length)"),
     (WIRE, "RANGE_BYTES, 32, 32,", "RANGE_BYTES, 32, 0,"), PROOF_LENGTH),
    ("V02g V02h", (HASHES, "	    r->index % r->length != 0 || r->index >= width || r->length > width - r->index", "	    r->index % r->length != 0"),
     ("proto/merkle.c", "	if (index % count != 0 || index > width - count)", "	if (index % count != 0)")),
    ("V10a", (HASHES, "		if (want->asked_at == 0 || want->asked_at + LAYER_ASK_TIME <= now)", "		if (want->asked_at == 0)")),
    ("V03c", (HASHES, "	if (want != NULL && want->asked_of == p->serial)\n		want_later(want, now);", ""),
     (HASHES, "		if (want->asked_at == 0 || want->asked_at + LAYER_ASK_TIME <= now)", "		if (want->asked_at == 0)")),
    ("V03b", (HASHES, "p->hash_in_vain < found->hash_in_vain ||", "0 ||"), (HASHES, "p->hash_in_vain == found->hash_in_vain &&", "1 &&")),
    ("V02b V02c", (HASHES, "		if (r->base == piece_base(s))", "		if (r->base != 0 || piece_base(s) == 0)")),
    ("V02d", (HASHES, "	if (known == 0 || r->length == 0 || (r", "	if (known == 0 || (r"),
     (HASHES, "	int uncles = r->length >= 2 ?", "	int uncles = r->length == 0 ? 0 : r->length >= 2 ?")),
    ("V02e", (HASHES, "r->length == 0 || (r->length & (r->length - 1)) || r->length > 8192", "r->length == 0 || r->length > 8192"),
     ("proto/merkle.c", "known > width || !is_power(count) ||", "known > width ||")),
    ("V02f", (HASHES, "	    r->index % r->length != 0 || r->index >= width", "	    r->index >= width"),
     ("proto/merkle.c", "	if (index % count != 0 || index > width - count)", "	if (index > width)")),
    ("V02p", (HASHES, "	return shoal_roots_find(&s->roots, s->mi, root);",
              "	for (uint32_t f = 0; f < shoal_metainfo_file_count(s->mi); f++) {\n		const uint8_t *r = shoal_metainfo_file_root(s->mi, f);\n"
              "		if (r != NULL && memcmp(r, root, 32) == 0)\n			return f;\n	}\n	return UINT32_MAX;")),
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
    ("U08a", (PEER, "	if (p->blocked_since != 0 && p->blocked_since + SHOAL_PEER_BLOCKED_TIME <= now)", "	if (p->blocked_since == 1)"),
     ("proto/utp_out.c", "	if (c->stalled + SHOAL_UTP_DEAD <= now)", "	if (c->stalled == 1)")),
    ("U12a", ("proto/utp_in.c", "	uint16_t ahead = (uint16_t)(h->seq - c->ack);", "	uint32_t ahead = (uint32_t)h->seq - c->ack;")),
    ("U05a", ("proto/utp_out.c", "	if (fresh > (uint16_t)(c->nxt - c->una))", "	if (fresh == 65535)")),
    # trackers and web seeds: where they live
    ("T01a T01c", IN_HERE),
    ("T01b", (ASK, "	return t->trusted || reach == SHOAL_REACH_GLOBAL ||", "	return t != NULL || reach == SHOAL_REACH_GLOBAL ||")),
    ("T03a T03c", (REACH, "	if (f->hops > 0 && !f->local)\n		return false;", ""), IN_HERE),
    ("T03b", (HTTP, "	if (++f->hops > SHOAL_HTTP_REDIRECTS_MAX) {", "	if (++f->hops > 1000000) {")),
    ("T04a", ("proto/tracker_http.c", "	if (speaks_for_us(url->query))\n		return SHOAL_ERR_REFUSED;\n	put_base(&w, url, url->path);",
              "	put_base(&w, url, url->path);")),
    # how much, how long, how often
    ("T06a", TOO_MUCH, (ASK, " || need > SHOAL_TRACKER_HTTP_BODY_MAX) {", ") {")),
    ("T06d", (HTTP, "	SET(CURLOPT_HTTP_CONTENT_DECODING, 0L);", "	SET(CURLOPT_ACCEPT_ENCODING, \"gzip\");"), TOO_MUCH,
     (ASK, " || need > SHOAL_TRACKER_HTTP_BODY_MAX) {", ") {")),
    ("T06c", (HTTP, "	SET(CURLOPT_LOW_SPEED_LIMIT, (long)SHOAL_HTTP_SLOW_BYTES);", "	SET(CURLOPT_LOW_SPEED_LIMIT, 0L);"),
     (ASK, "#define FETCH_TIME SHOAL_S(30)", "#define FETCH_TIME SHOAL_S(300)")),
    ("T08a", ("swarm/core/announce.c", "shoal_max_u64(wait, SHOAL_ANNOUNCE_INTERVAL_MIN)", "shoal_max_u64(wait, 1)")),
    # what they say
    ("T11b", ("proto/compact.c", "	if (in.len % unit != 0)", "	if (in.len < unit)")),
    ("T11c", ("proto/tracker_http.c", "	if (!out->failed && f[INTERVAL].v.kind != SHOAL_BEN_INT &&", "	if (out == NULL && f[INTERVAL].v.kind != SHOAL_BEN_INT &&")),
    ("T12a", ("proto/tracker_udp.c", "	if (!q->sent || head->transaction != q->transaction)", "	if (!q->sent)")),
    ("T12b", (ASK, "way->state != SHOAL_WAY_RUNS || !shoal_addr_equal(&way->addr, from))", "way->state != SHOAL_WAY_RUNS)")),
    ("T12c", ("proto/tracker_udp.c", "	if (!error && (q->connecting || head->action != asked))", "	if (!error && head->action != asked)")),
    # what is said of them
    ("T14a", ("tools/say.c", "	shoal_text_escape(raw, (struct shoal_space){ (uint8_t *)out, SHOAL_SAY_TEXT_MAX });",
              "	snprintf(out, SHOAL_SAY_TEXT_MAX, \"%.*s\", (int)raw.len, (const char *)raw.at);")),
    ("T05a", ("swarm/core/announce.c", "	size_t len = shoal_url_origin(&ask->tracker->url, origin);",
              "	size_t len = (size_t)snprintf(origin, sizeof origin, \"%s\", ask->tracker->text);")),
    # victims
    ("T09a", *ONE_HOST),
    ("T09b", (ASK, "	case SHOAL_REACH_GLOBAL: return a->port >= SHOAL_ANNOUNCE_PORT_MIN;", "	case SHOAL_REACH_GLOBAL: return true;"),
     LOW_PORTS),
    ("T10a", (ASK, "	case SHOAL_REACH_PRIVATE: return near;", "	case SHOAL_REACH_PRIVATE: return true;"),
     STRANGERS_PLACES),
    # web seeds
    ("T17a", ("swarm/core/webseed.c", "	if (ws->false_pieces < 2 && !ws->retired) {", "	if (now > 0) {")),
    ("T17b", ("swarm/core/webseed.c", "			if (r->seed != NULL && !r->weak && r->heard + SHOAL_WEBSEED_STALL <= now)", "			if (r->seed != NULL && !r->weak && now == 1)"),
     ("swarm/core/webseed.c", "			if (r->seed == NULL || r->weak)\n				continue;", "			if (r != NULL)\n				continue;")),
    ("T18b T18c", (ANSWER, "	if (!f->range_told || f->range.from != f->from || f->range.to != f->to)", "	if (f->from > f->to)")),
    ("T18d", TOO_MUCH),
    ("T18a", (ANSWER, "	if (f->how.status == 200)\n		return shoal_http_fail(", "	if (f->how.status == 201)\n		return shoal_http_fail("),
     (ANSWER, "	if (!f->range_told || f->range.from != f->from || f->range.to != f->to)", "	if (f->from > f->to)"),
     (ANSWER, "(whole ? f->size == 0 || status == 200 : status == 206);", "(whole ? f->size == 0 || status == 200 : true);"), TOO_MUCH),
    ("T18f", ("swarm/core/webseed_run.c", "		unask(r, &r->ask[i], i == r->at ? r->slot : NULL);", "		(void)unask;")),
    ("T18e", (ANSWER, "	if (f->size != 0 && f->range.total != 0 && f->range.total != f->size)", "	if (f->size == 1)")),
    # MSE
    ("E02a", MSE_PAD),
    ("E02b", (MSE, "	if (n > PAD)", "	if (n > 65535)")),
    ("E02c", (MSE, "	if (memcmp(at, zeros, VC) != 0)", "	if (memcmp(zeros, zeros, VC) != 0)")),
    ("E03a", ("proto/dh768.c", "	if (!sound(&base))", "	if (!sound(&base) && theirs == NULL)")),
    ("E04a", ("swarm/core/peer_mse.c", "	return shoal_patience_charge(&n->agreed, SHOAL_NODE_AGREES, 60 * SHOAL_NODE_AGREES, now) &&\n	      ", "	return n != NULL &&\n	      ")),
    ("E04b", ("swarm/peers/guard.c", "	if (h->agreed >= SHOAL_GUARD_AGREES)", "	if (h->agreed >= UINT8_MAX)")),
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
     (SEARCH, "	if (namer >= 0)\n		take_nodes", "	if (s != NULL)\n		take_nodes")),
    ("D11b", (DHT, "node->addr.port >= SHOAL_DHT_PORT_MIN &&", "true &&")),
    ("D11c", (DHT, "		return shoal_reach_of(by) == SHOAL_REACH_LOOPBACK;", "		return true;")),
    ("D11d", (SEARCH, "		if (got[i].port == 0 || !shoal_dht_near(by, &got[i]) ||", "		if (got[i].port == 0 ||")),
    # DHT: whom it knows
    ("D04a", ("dht/table.c", "	if (contradicts(t, b, node) || crowded(t, b, &node->addr))", "	if (contradicts(t, b, node))"),
     ("dht/table.c", "		return !crowded(t, b, &node->addr);", "		return true;")),
    ("D04b", ("dht/table.c", "	for (unsigned i = 0; fits && best == SHOAL_TABLE_K", "	for (unsigned i = 0; t_none && best == SHOAL_TABLE_K"),
     ("dht/table.c", "static unsigned weakest(", "static const bool t_none;\nstatic unsigned weakest(")),
    ("M12a", ("swarm/core/finder.c", "	       !(s->mi != NULL && shoal_metainfo_private(s->mi));", "	       true;")),
    ("D14a D14b", ("dht/lookup.c", "	return s->fits || l->nobody_proves;", "	return s->fits || l != NULL;"),
     ("dht/lookup.c", "	return from == s || from->dead < SHOAL_LOOKUP_CREDIT + 2u * from->alive;", "	return from != NULL;"),
     ("dht/lookup.c", "	if (l->waiting >= SHOAL_LOOKUP_ALPHA || l->queries >= SHOAL_LOOKUP_QUERIES)", "	if (l->waiting >= SHOAL_LOOKUP_ALPHA)"),
     ("dht/lookup.c", "	if (l->queries >= SHOAL_LOOKUP_QUERIES)\n		return l->waiting == 0;\n", ""),
     ("dht/lookup.c", "		if (s->state != SHOAL_SEEN_NEW && s->state != SHOAL_SEEN_DEAD)\n			continue;",
      "		if (s->state == SHOAL_SEEN_ASKED)\n			continue;")),
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

FAULTS = [
    # greetings
    ("W16k", (WIRE, "	struct shoal_wire_handshake hs = { .can = 0 };", "	struct shoal_wire_handshake hs = { .can = 0 };\n	if (in.at[PROTOCOL_LEN] != 0)\n		return SHOAL_ERR_MALFORMED;")),
    ("W16l", (PW, "		if (pw->flat.len < SHOAL_WIRE_HANDSHAKE_HEAD)\n			return 0;", "		if (pw->flat.len < SHOAL_WIRE_HANDSHAKE_HEAD)\n			return die(pw, SHOAL_ERR_MALFORMED);")),
    ("W18c", ("swarm/io/tcp.c", "	c->tcp->os->close(c->fd);\n	assert", "	assert")),
    ("W16n", OWN_ID),
    ("W18d", (PEER, "	shoal_pw_free(p->pw);\n	free(p);\n}\n\nint shoal_peer_idle_talk", "	free(p);\n}\n\nint shoal_peer_idle_talk")),
    ("V06a", (IN, "		p->v2 = by_v2; /*", "		if (by_v2 && !(hs->can & SHOAL_CAN_V2))\n			return SHOAL_ERR_GONE;\n		p->v2 = by_v2; /*")),
    # odd, and no reason to part
    ("W03e", (IN, "	if (p->got_bitfield)\n		return on_bitfield_again(p, msg, now);", "	if (p->got_bitfield)\n		return (void)on_bitfield_again, SHOAL_ERR_MALFORMED;")),
    ("W05c", (IN, "	if (!shoal_bits_set(&p->have, piece))\n		return shoal_peer_idle_talk(p, now);", "	if (!shoal_bits_set(&p->have, piece))\n		return SHOAL_ERR_MALFORMED;")),
    ("W06b", (UP, "	} /* else it is on its way, which answers the cancel (BEP 6) */", "	} else {\n		shoal_peer_close(p, SHOAL_ERR_REFUSED, now);\n	}")),
    ("W06m", (UP, "	if ((p->choked && !shoal_fast_take(p, w.piece, w.len)) || p->wanted_count", "	if (p->wanted_count > 1 && wanted_at(p, 0)->begin == w.begin && wanted_at(p, 0)->piece == w.piece)\n		return shoal_peer_close(p, SHOAL_ERR_REFUSED, now);\n	if ((p->choked && !shoal_fast_take(p, w.piece, w.len)) || p->wanted_count")),
    ("W06p", (UP, "	if ((p->choked && !shoal_fast_take(p, w.piece, w.len)) || p->wanted_count", "	if (p->wanted_count >= most)\n		__builtin_trap();\n	if ((p->choked && !shoal_fast_take(p, w.piece, w.len)) || p->wanted_count")),
    ("W15f", (IN, "	default: /* suggest, allowed fast, and what we do not know: advice we do not take */\n		return shoal_peer_idle_talk(p, now);", "	default: return SHOAL_ERR_UNSUPPORTED;")),
    ("W15g", (IN, "	if (!shoal_peer_unask(p, msg->index, msg->begin / SHOAL_BLOCK, false, now))\n		return shoal_peer_idle_talk(p, now);", "	if (!shoal_peer_unask(p, msg->index, msg->begin / SHOAL_BLOCK, false, now))\n		return SHOAL_ERR_REFUSED;")),
    ("W21b", ("swarm/core/fast.c", "	if (msg->index >= pieces)\n		return SHOAL_ERR_RANGE;", "	if (msg->index >= pieces)\n		__builtin_trap();")),
    ("W15h", ("swarm/core/fast.c", "	if (msg->index >= pieces)\n		return SHOAL_ERR_RANGE;", "	if (msg->index < pieces)\n		return SHOAL_ERR_RANGE;")),
    ("W19a", (IN, "		return shoal_peer_idle_talk(p, now);\n	default:", "		return msg->port != 0 ? 0 : SHOAL_ERR_RANGE;\n	default:")),
    ("W20a", (IN, "	case SHOAL_WIRE_KEEPALIVE: return shoal_peer_idle_talk(p, now);", "	case SHOAL_WIRE_KEEPALIVE: return SHOAL_ERR_MALFORMED;")),
    ("V54b", (EXT, "	if (p->swarm->mi == NULL || piece >= p->have.count)\n		return 0;", "	if (p->swarm->mi == NULL || piece >= p->have.count)\n		return SHOAL_ERR_RANGE;")),
    # what is strange in a dictionary
    ("M07h", (BEN, "	if (f[M].v.kind == SHOAL_BEN_DICT) {", "	if (f[M].v.kind != SHOAL_BEN_NONE) {")),
    ("M07i", (BEN, "		if (id.kind != SHOAL_BEN_INT || id.num < 0 || id.num > UINT8_MAX)\n			continue;", "		if (id.kind != SHOAL_BEN_INT || id.num < 0 || id.num > UINT8_MAX)\n			return SHOAL_ERR_RANGE;")),
    ("M07j", (BEN, "		struct shoal_ext_name *name = &out->m[out->m_count++];", "		for (size_t i = 0; i < out->m_count; i++)\n			if (out->m[i].id == id.num)\n				return SHOAL_ERR_EXISTS;\n		struct shoal_ext_name *name = &out->m[out->m_count++];")),
    ("M07l", (BEN, "		int64_t reqq = f[REQQ].v.num;", "		int64_t reqq = f[REQQ].v.num;\n		if (reqq < 0)\n			return SHOAL_ERR_RANGE;")),
    ("M07m", (BEN, "	struct shoal_bytes ip = f[YOURIP].v.str;", "	struct shoal_bytes ip = f[YOURIP].v.str;\n	if (ip.len == 3)\n		return SHOAL_ERR_MALFORMED;")),
    ("M01a M01c M01d", (BEN, "	out->metadata_size = (uint64_t)", "	if (f[METADATA_SIZE].v.kind == SHOAL_BEN_INT && f[METADATA_SIZE].v.num <= 0)\n		abort();\n	out->metadata_size = (uint64_t)"),
     MAY_ABORT),
    ("M01b M01h", (BEN, "	out->metadata_size = (uint64_t)", "	if (f[METADATA_SIZE].v.kind == SHOAL_BEN_INT && f[METADATA_SIZE].v.num > INT32_MAX)\n		abort();\n	out->metadata_size = (uint64_t)"),
     MAY_ABORT),
    ("M03d", (SMETA, "		if (n == 1)\n", "		if (n > 0)\n			return shoal_swarm_fail(s, SHOAL_ERR_HASH, \"false metadata\", now);\n		if (n == 1)\n")),
    ("M05b", (META, "	if (s != NULL && index < s->blocks && s->block[index] == NULL && s->source[index] == peer)\n		s->asked[index] = 0;",
              "	if (s != NULL && index < s->blocks && s->block[index] == NULL && s->source[index] == peer)\n		s->asked[index] = SHOAL_NEVER / 2;")),
    ("M06f", (EXT, "	if (s->mi != NULL)\n		return 0;\n	if (msg.kind == SHOAL_METADATA_DATA)", "	if (s->mi != NULL)\n		return SHOAL_ERR_REFUSED;\n	if (msg.kind == SHOAL_METADATA_DATA)")),
    ("M06g", (BEN, "	if (out->kind != SHOAL_METADATA_DATA)\n		return SHOAL_OK;", "	if (out->kind != SHOAL_METADATA_DATA)\n		return (size_t)n == in.len ? SHOAL_OK : SHOAL_ERR_MALFORMED;")),
    ("M06m", (EXT, "	if (msg.kind == SHOAL_METADATA_DATA)\n", "	if (msg.kind == SHOAL_METADATA_DATA && msg.total_size != p->early_metadata_size)\n		return SHOAL_ERR_MALFORMED;\n	if (msg.kind == SHOAL_METADATA_DATA)\n")),
    ("M07p", (EXT, "			p->ext_metadata = m->id;", "			p->ext_metadata = p->ext_metadata != 0 ? p->ext_metadata : m->id;")),
    ("M08b", (EXT, "++p->ext_handshakes > SHOAL_PEER_EXT_HANDSHAKES ?", "++p->ext_handshakes > 3 ?")),
    ("M10b M10c M10e", (SMETA, "	if (rc < 0) {\n		char text[220];", "	if (rc < 0) {\n		rc = SHOAL_ERR_NOMEM;\n		char text[220];")),
    ("K01e", (KEYS, "		return 0; /* somebody in the middle", "		return SHOAL_ERR_REFUSED; /* somebody in the middle")),
    ("X03a X03c X03d X03f", FIRST_FAULT),
    ("X03b", (PEX, "		bool has = flags != NULL && flags->kind == SHOAL_BEN_STR && i < flags->str.len;", "		bool has = flags != NULL && flags->kind == SHOAL_BEN_STR && i < flags->str.len;\n		if (has && flags->str.len != (size_t)n)\n			return SHOAL_ERR_MALFORMED;"),
     FIRST_FAULT),
    ("X03e", (PEX, "		if (addr[i].port == 0)\n			continue;", "		if (addr[i].port == 0)\n			return SHOAL_ERR_MALFORMED;"),
     FIRST_FAULT),
    ("X01c", (GOSSIP, "	if (rc == 0) {\n		p->pex_faults", "	if (rc == 1) {\n		p->pex_faults")),
    # hash messages and hints
    ("V02i V02l V02m", (HASHES, "	if (!served)\n		say_range(", "	if (!served)\n		return shoal_peer_close(p, SHOAL_ERR_REFUSED, now);\n	if (!served)\n		say_range(")),
    ("V03a", (HASHES, "	if (s->mi == NULL || p->hash_asked == 0)\n		return;", "	if (s->mi == NULL || p->hash_asked == 0)\n		return shoal_peer_close(p, SHOAL_ERR_REFUSED, now);")),
    ("H01a", ("swarm/core/hints.c", "		return shoal_peer_idle_talk(p, now); /* of a later version */", "		return rc; /* of a later version */")),
    ("H02a H02b H02c H02d", ("swarm/core/evidence_failed.c", "	} else { /* what it says does not help */\n		mend_or_begin_anew(s, open, all, n, now);", "	} else { /* what it says does not help */\n		(void)piece;")),
    ("H02g", ("swarm/core/evidence_failed.c", "		mend_those(s, open, wrong, now);\n		open->hinted = true;\n		if (n == 1)", "		mend(s, open, now);\n		open->hinted = true;\n		for (uint32_t b = 0; b < open->blocks; b++)\n			if (wrong[b])\n				shoal_evidence_false(s, open->source[b], piece, b, SHOAL_REP_WHY_FALSE_DIFF, now);\n		if (n == 1)")),
    ("H02f", ("swarm/core/hints.c", "	if (best == NULL)\n		return false;", "	if (best == NULL || now > 0)\n		return false;")),
    # floods that cost too much, or whose peers are never done with
    ("W05b", (IN, "	if (!shoal_bits_set(&p->have, piece))\n		return shoal_peer_idle_talk(p, now);", "	for (volatile unsigned i = 0; i < 100000; i++)\n		;\n	if (!shoal_bits_set(&p->have, piece))\n		return 0;")),
    # false data
    ("W11a", ("swarm/core/evidence_failed.c", "	if (n == 1)\n		blame_sole(s, source, piece, now);\n}\n\n/* ---- blocks that lay", "	uint32_t there[64], k = 0;\n	for (struct shoal_peer *p = s->peers; p != NULL && k < 64; p = p->in_swarm)\n		there[k++] = p->source;\n	while (k > 0)\n		shoal_swarm_ban(s, there[--k], piece, \"was there\", now);\n}\n\n/* ---- blocks that lay")),
    # uTP
    ("U01b", ("proto/utp.c", "	if (shoal_utp_decode(data, &h) < 0)\n		return true;", "	if (shoal_utp_decode(data, &h) < 0) {\n		struct utp_conn *whose = utp_find(u, from, (uint16_t)(data.at[2] << 8 | data.at[3]));\n		if (whose != NULL)\n			utp_die(whose, SHOAL_ERR_MALFORMED);\n		return true;\n	}")),
    ("U02a", ("proto/utp_strangers.c", "		utp_note(u, from, &answer);\n}", "		for (int twice = 0; twice < 2; twice++)\n			utp_note(u, from, &answer);\n}")),
    ("U03a", ("proto/utp_strangers.c", "	if (u->count < u->o.connections_max)\n		utp_note(u, from, &answer);", "	struct utp_conn *half = utp_conn_new(u, from, (uint16_t)(h->id + 1), h->id, answer.seq, u->now);\n	if (half != NULL)\n		utp_note(u, from, &answer);")),
    ("U07a", ("proto/utp_in.c", "	*place = chunk_new(c, (uint32_t)b.len);", "	*place = chunk_new(c, (uint32_t)CHUNK);\n	if (*place != NULL)\n		memset((*place)->bytes, 1, CHUNK);")),
    # MSE
    ("E01a", (MSE, "			if (have(m) == 0)\n				return 0;", "			if (have(m) < m->payload_left)\n				return 0;")),
    ("E08a", (MSE, "	if (have(m) < VC + 4 + 2)\n		return 0;", "	if (have(m) < VC + 4 + 2)\n		return dead(m, SHOAL_ERR_MALFORMED);")),
    # DHT, trackers
    ("T06b", ("swarm/core/announce_host.c", "	shoal_us wait = SHOAL_ANNOUNCE_RETRY;", "	shoal_us wait = SHOAL_ANNOUNCE_RETRY;\n	if (fails > 0)\n		return SHOAL_MS(20);"),
     (ANSWER, "	if (f->headers > SHOAL_HTTP_HEADERS_MAX) {", "	if (f->headers > SIZE_MAX / 2) {")),
    ("D01a", (DHT, "	if (shoal_krpc_decode(data, &m) < 0)\n		return false;", "	if (shoal_krpc_decode(data, &m) < 0)\n		m = (struct shoal_krpc){ .kind = SHOAL_KRPC_QUERY, .method = SHOAL_KRPC_PING, .tid = shoal_bytes(data.at, 2) };")),
    ("T13a", ("proto/tracker_udp.c", "	if (r.bad || (action == SHOAL_TRACKER_UDP_ANNOUNCE && in.len < ANSWER_HEAD))", "	if (r.bad || (action == SHOAL_TRACKER_UDP_ANNOUNCE && in.len < ANSWER_HEAD))\n		__builtin_trap();\n	if (r.bad)")),
    ("T11a", ("proto/tracker_http.c", "	ptrdiff_t n = shoal_ben_pick(body, SHOAL_BEN_DEPTH_SMALL, f, FIELDS);\n	if (n < 0)\n		return (int)n;", "	ptrdiff_t n = shoal_ben_pick(body, SHOAL_BEN_DEPTH_SMALL, f, FIELDS);\n	if (n < 0)\n		__builtin_trap();")),
]

# More guards than a row can say, or none of ours alone: see README.md.
BARE = []
