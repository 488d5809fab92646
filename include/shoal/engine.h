/*
 * shoal/engine.h - a swarm engine as its users see it: operations in, events out.
 *
 * Both are plain values, with nothing in them that could not cross a
 * process border: spans, numbers and ids. An engine is driven by one thread,
 * which calls do_op() and poll(); nothing calls back. Three things implement
 * this: a node over real sockets and files (shoal_engine_native), the same
 * node in a virtual world, and libtorrent in a child process.
 *
 * Not thread-safe: one engine, one thread. Spans in an event are valid until the next call.
 */
#ifndef SHOAL_ENGINE_H
#define SHOAL_ENGINE_H

#include <shoal/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct shoal_engine;

/* ---- what an engine is opened with ------------------------------------------------ */
#define SHOAL_LISTEN_MAX 16
/* The rules it shares by: ours, or those of others, for comparison in the same engine (swarm/core/policy.h). */
enum shoal_rules {
	SHOAL_RULES_FULL,
	SHOAL_RULES_OFF, /* plain BitTorrent, no score */
	SHOAL_RULES_LT,	 /* libtorrent's */
};
/* Whether peers' streams are hidden from who looks at them (MSE; no secrecy to rely on). */
enum shoal_encryption {
	SHOAL_ENCRYPTION_ALLOW, /* either way; plain first */
	SHOAL_ENCRYPTION_OFF,
	SHOAL_ENCRYPTION_REQUIRE, /* all of every stream, or none */
};
/* Whom this node shows the key that it can be recognised by (swarm/peers/README.md): other shoals alone, and of those */
enum shoal_show_key {
	SHOAL_SHOW_KEY_AUTO, /* whom the user named, and who is near: not the open network */
	SHOAL_SHOW_KEY_OFF,
	SHOAL_SHOW_KEY_ON, /* all */
};
/* Parts of ours that can be left out, one by one, to see what each is worth. */
enum shoal_without {
	SHOAL_WITHOUT_FORGIVING = 1,  /* the first false block bans */
	SHOAL_WITHOUT_PRIOR = 2,      /* strangers are met alike, whatever the last ones were */
	SHOAL_WITHOUT_WINDOW = 4,     /* queues are as deep for strangers as for others */
	SHOAL_WITHOUT_REPAIR = 8,     /* a piece that failed is fetched again whole */
	SHOAL_WITHOUT_PURGE = 16,     /* unverified blocks of the banned are kept */
	SHOAL_WITHOUT_HEDGE = 128,    /* the end game asks twice for whatever is late, without a budget */
	SHOAL_WITHOUT_TRIALS = 256,   /* trial slots go by dice alone */
	SHOAL_WITHOUT_ONWARD = 1024,  /* a seed serves all alike, whether they pass anything on or not */
	SHOAL_WITHOUT_HINTS = 2048,   /* nobody is asked which blocks of a piece of v1 are false */
	SHOAL_WITHOUT_VETTING = 4096, /* leaf hashes are asked for once a piece has failed, and not before */
	SHOAL_WITHOUT_VERIFIED = 512, /* what counts in the choker are bytes as they come, right or not */
};
struct shoal_config {
	size_t size;				    /* sizeof *this: lets the struct grow */
	struct shoal_addr listen[SHOAL_LISTEN_MAX]; /* port 0: any free one */
	size_t listen_count;			    /* 0: nobody can connect to us */
	uint64_t memory;			    /* bytes for all that grows with content and peers; 0: 128 MiB */
	uint64_t up, down;			    /* bytes a second, 0: no limit */
	uint32_t max_peers;			    /* connections in all; 0: 500 */
	uint32_t upload_slots;			    /* per torrent; 0: 8 */
	uint32_t threads;			    /* disk and hash workers; 0: one a core */
	uint32_t dscp;	       /* class of what is sent to peers, 0 to 63 (RFC 2474); 0: unmarked */
	const char *state_dir; /* NULL: nothing is remembered */
	const char *agent;     /* client name told to peers; NULL: "shoal VERSION" */
	bool no_pex;	       /* peers tell us of no others, and we tell them of none */
	bool no_lsd;	       /* the local network is not asked, nor told */
	bool no_utp, no_tcp;   /* peers are not reached by it, and do not reach us by it; not both */
	bool no_dht;	       /* no part is taken in the DHT */
	bool dht_read_only;    /* it is only asked, and nobody answered (BEP 43): for who does not stay */
	bool accept_old;       /* libtorrent: strangers are let at a version with known holes */
	enum shoal_rules rules;
	enum shoal_encryption encryption;
	enum shoal_show_key show_key; /* made in `state_dir` when it is first shown; never through a proxy */
	/* "socks5://[user:pass@]host:port" or "http://...": all traffic goes through it, or not at all; names are looked up
	 * there. The local network is left alone, and over HTTP there are no datagrams. NULL: none */
	const char *proxy;
	bool portmap;	  /* the port is mapped at the home router, once there is a torrent that is not private */
	unsigned without; /* enum shoal_without: for experiments */
	bool record;	  /* native: decisions and their terms are told, in FLIGHT events */
};

/* ---- operations ------------------------------------------------------------------ */
enum shoal_op_kind {
	SHOAL_OP_ADD = 1, /* a torrent: `text` (magnet, info hash) or `data` (.torrent), `folder`, `flags` */
	SHOAL_OP_REMOVE,  /* `torrent`: stops it, keeps its data and claims */
	SHOAL_OP_PEER,	  /* `torrent`, `addr` or `text` "host:port": somebody to connect to */
	SHOAL_OP_LIMITS,  /* `up`, `down` payload bytes a second (0: none): of `torrent`, or (0) of all together */
	SHOAL_OP_STATS,	  /* `torrent`: answered by one STATS event */
	SHOAL_OP_PEERS,	  /* `torrent`: answered by a PEER event for each peer, known or gone, then DONE */
	SHOAL_OP_PIECES,  /* `torrent`: answered by a PIECES event */
	SHOAL_OP_READ,	  /* `torrent`, `offset`, `length` (<= 4 MiB) of the stream: answered by DATA */
	SHOAL_OP_VERIFY,  /* `torrent`: hashes every piece again; ends with CHECKED */
	SHOAL_OP_EXT_REGISTER, /* `text`: a BEP 10 message name; `ext` must be unused: its number here (1..255 minus the engine's own) */
	SHOAL_OP_EXT_SEND, /* `torrent`, `peer`, `text`, `data`: to a peer that has the extension too */
	SHOAL_OP_STOP,	   /* finish what is being written, record it, leave; ends with STOPPED */
	SHOAL_OP_WEBSEED, /* `torrent`, `text`: the URL of an HTTP server that has the data (BEP 19), which the user named */
	SHOAL_OP_TRACKER, /* `torrent`, `text` a URL: a tracker the user names; it may lie on this host or in any network */
	/*
	 * Which files are wanted, and how much: `files`, one priority a file (enum shoal_priority) for those from number
	 * `offset` on; answered by DONE, and by COMPLETE once what is wanted is there. Without `files` a question:
	 * answered by FILES, for at most `length` of them (0: as many as one answer takes). BUSY while existing data
	 * is being looked at, GONE before the metadata is there; RANGE.
	 */
	SHOAL_OP_FILES,
	/*
	 * Bytes [offset, offset + length) of the stream are needed `within` microseconds (SHOAL_NEVER: no more): their
	 * pieces come before all others, the soonest first, from several peers. DONE; RANGE: too many at a time.
	 */
	SHOAL_OP_DEADLINE,
	/*
	 * How many have the info hash `data` (20 bytes; the first 20 of a v2 one), as the tracker `text`, a URL, counts them
	 * (BEP 48). No torrent is needed, and nobody is told that we are here. SCRAPED; BUSY: too many at a time.
	 */
	SHOAL_OP_SCRAPE,
	/*
	 * The DHT by hand; REFUSED where it is off. BOOT: `addr` or `text` "host:port" is a node to begin at; answered by
	 * DONE. PING: the same, answered by DHT_NODE and DHT_DONE. FIND (the nodes closest to `data`, an id), PEERS (who has
	 * `data`, an info hash: DHT_PEER), GET (the item at `data`, `text` its salt: DHT_ITEM), PUT (`data`, a bencoded value;
	 * a mutable one has in `key` its key and signature, 32 and 64 bytes, in `text` its salt, and `seq`), STATS (DHT_STATS,
	 * one a family): in both families, and ended by DHT_DONE.
	 */
	SHOAL_OP_DHT_BOOT = 64,
	SHOAL_OP_DHT_PING,
	SHOAL_OP_DHT_FIND,
	SHOAL_OP_DHT_PEERS,
	SHOAL_OP_DHT_GET,
	SHOAL_OP_DHT_PUT,
	SHOAL_OP_DHT_STATS,
};
enum shoal_add_flag {
	SHOAL_ADD_SEQUENTIAL = 1,    /* pieces in order */
	SHOAL_ADD_SEED_ONLY = 2,     /* the data is there: never write; fail when it is not (after a check) */
	SHOAL_ADD_CHECK_ONLY = 4,    /* hash everything, tell, do not join the swarm */
	SHOAL_ADD_FORCE_CHECK = 8,   /* trust no claim: hash everything first */
	SHOAL_ADD_NO_TRACKERS = 256, /* those that the torrent or the link names are left alone */
	SHOAL_ADD_OVERWRITE =
		16, /* files of others that lie under a final name are mended in place; else the torrent ends */
	SHOAL_ADD_DATA_STAYS =
		0x1000, /* `data` stays where it is until the engine is freed: it may be read there, not copied */
	SHOAL_ADD_CHOOSE = 32, /* write nothing before SHOAL_OP_FILES has said which files are wanted */
};
/* How bytes that lie in other files of this machine already become part of a new torrent's. */
enum shoal_adopt_how {
	SHOAL_ADOPT_HOW_AUTO,	 /* shared where the file system can (reflink), else copied */
	SHOAL_ADOPT_HOW_REFLINK, /* shared, or not at all */
	SHOAL_ADOPT_HOW_LINK,	 /* a second name of the same file (hard link), or not at all */
	SHOAL_ADOPT_HOW_COPY,
	SHOAL_ADOPT_HOW_OFF,
};
enum shoal_peer_flag {
	SHOAL_PEER_FROM_LINK = 1, /* PEER: a link or a torrent named it: tried at once, under the caps for strangers */
};
enum shoal_scrape_flag {
	SHOAL_SCRAPE_TRUSTED = 1, /* the user named the tracker: it may lie on this host or in any network */
};
enum shoal_dht_flag {
	SHOAL_DHT_SCRAPE = 1,	/* PEERS: only how many there are (BEP 33): `seeds_milli`, `peers_milli` of DHT_DONE */
	SHOAL_DHT_ANNOUNCE = 2, /* PEERS: and say that we have it */
	SHOAL_DHT_CAS = 4,	/* PUT: only where `cas` is the sequence number of what is there */
	SHOAL_DHT_RENEW = 8,	/* PUT: of what is there already; it need not reach nodes that are slow */
};
/* Of a file: any number from 0 to 7; these have names. 1 to 3 are low, 6 and 7 high. */
enum shoal_priority {
	SHOAL_PRIORITY_SKIP = 0, /* not wanted: never made */
	SHOAL_PRIORITY_LOW = 1,
	SHOAL_PRIORITY_NORMAL = 4, /* at first */
	SHOAL_PRIORITY_HIGH = 7,
};
#define SHOAL_FILES_PER_ANSWER 4096
struct shoal_op {
	enum shoal_op_kind kind;
	uint64_t ticket; /* the caller's: comes back in the answer */
	uint32_t torrent;
	uint32_t peer;
	unsigned flags;
	struct shoal_bytes text, data, folder;
	struct shoal_bytes files; /* priorities; of ADD too, with a .torrent: one for each file, or none */
	struct shoal_addr addr;
	uint64_t offset, length;
	shoal_us within;
	uint64_t up, down;
	uint8_t ext;
	enum shoal_adopt_how adopt; /* ADD */
	struct shoal_bytes
		adopt_from; /* ADD: folders to look in, besides those that records name: absolute paths, NUL between */
	struct shoal_bytes key; /* DHT_PUT */
	int64_t seq, cas;
};

/* ---- events ---------------------------------------------------------------------- */
enum shoal_event_kind {
	SHOAL_EV_LISTENING = 1, /* `addr`: a bound address; one event each, first of all */
	SHOAL_EV_ADDED, /* answers ADD: `torrent` from now on (or err < 0, `text` says why); hashes, name, size when known */
	SHOAL_EV_METADATA, /* the info dictionary has arrived; hashes, name, size */
	SHOAL_EV_CHECK,	   /* progress of a check: `done` of `total` bytes */
	SHOAL_EV_CHECKED, /* existing data has been looked at: `done` of `total` bytes are there; peers can connect from now on */
	SHOAL_EV_FIRST_PIECE, /* the first piece from a peer was verified */
	SHOAL_EV_PIECE,	      /* `index` verified and durable (may be skipped under load) */
	SHOAL_EV_COMPLETE,    /* everything wanted is verified, durable and under its final name; `stats` */
	SHOAL_EV_STATS,
	SHOAL_EV_PEER,	 /* answers PEERS; no `addr`, but a `name`, have a web seed (its host), and together those that
				 have left and never said where they listen */
	SHOAL_EV_PIECES, /* `data`: bitfield of pieces we have, wire order; `copies`: one number a piece */
	SHOAL_EV_FILES,	 /* answers FILES: `files` from number `index` on, `total` in all; paths in `data` */
	SHOAL_EV_DATA,	 /* answers READ: `data`, or err < 0 */
	SHOAL_EV_DONE,	 /* answers an operation that has no other answer; err */
	SHOAL_EV_PEER_JOINED, /* `peer`, `addr`, `text` its client's name */
	SHOAL_EV_PEER_LEFT,   /* `peer`, err: why */
	/* `peer`, `addr`, `index`: the piece it spoiled, `text` the evidence; `done` of the `total` blocks of it that were
	 * looked at were false (0 of 0: nobody counted) */
	SHOAL_EV_PEER_BANNED,
	SHOAL_EV_HASH_FAILED, /* `index` */
	/* A tracker was asked: `text` who (without the secrets of its URL), `index` its tier; err, `name` what it says to
	 * people; `done` peers that were new, `total` seconds until the next time (0: not known yet), `stats.seeds` and
	 * `stats.peers` (leeches) as it counts them, `addr` our address as it sees it (all 0: it does not say) */
	SHOAL_EV_TRACKER,
	SHOAL_EV_PORTMAP, /* the port was mapped at the router by `text`: `addr` is where others reach us; or err < 0 */
	SHOAL_EV_EXT,	  /* `peer`, `text` the extension, `data` the message */
	SHOAL_EV_PAUSED,  /* storage trouble: err, `text`; tries again by itself */
	SHOAL_EV_RESUMED, /* and it was of use: what was verified is recorded again */
	/* Before CHECKED: `done` bytes of `index` files came from folder `text`; `data`: "reflink,copy"; `stats.size`: bytes more, in
	 * pieces whose rest is to be fetched before anybody can tell whether they are right. */
	SHOAL_EV_ADOPTED,
	SHOAL_EV_WARNING, /* `text` */
	SHOAL_EV_ERROR,	  /* `torrent` has ended: err, `text` says what and where */
	SHOAL_EV_STOPPED,
	/* `peer`, `addr`, `index`, `text`: it sent a false block, as honest ones may too; less is asked of it for a while */
	SHOAL_EV_PEER_PAROLE,
	/* `addr`, which the user or his link named, could not be reached at the first try; others follow. err CLOSED: somebody
	 * is there, and no handshake came of it, whoever ended the connection (native) */
	SHOAL_EV_PEER_UNREACHED,
	/* Answers SCRAPE: `text` who, `name` what it says to people, as in TRACKER; `stats.seeds`, `stats.peers` (leeches) and
	 * `index`, downloads that were completed: UINT32_MAX where it does not say. err GONE: it does not know the
	 * torrent; UNSUPPORTED: it cannot be asked this. */
	SHOAL_EV_SCRAPED,
	/* With `record`: `data` is whole records of decisions, of any torrent, in the order of time, in the format of a flight
	 * record (`shoal explain` reads it). */
	SHOAL_EV_FLIGHT,
	SHOAL_EV_DHT_NODE =
		64,	   /* `addr`, `hash_v1` its id; of a PING: `dht.took`, and in `data` its version, 4 bytes */
	SHOAL_EV_DHT_PEER, /* `addr` has the torrent, as strangers say */
	SHOAL_EV_DHT_ITEM, /* `data`, verified; a mutable one has in `name` its key and signature (32, 64), and `dht.seq` */
	SHOAL_EV_DHT_STATS, /* `index` 4 or 6; `hash_v1` our id, `addr` our address as others see it; `dht` */
	SHOAL_EV_DHT_DONE, /* err: TIMEOUT: nobody answered; REFUSED: nobody took it, `dht.code` (BEP 5, 44) says why; `dht` */
};
/* Of a search: how it went. Of STATS: what there is. */
struct shoal_dht_told {
	uint32_t queries, answers; /* STATS: questions that wait for an answer */
	uint32_t hops, written, copies;
	uint32_t nodes, swarms, peers, items; /* STATS */
	uint64_t in, out;		      /* STATS: bytes */
	uint64_t seeds_milli, peers_milli;    /* thousandths */
	int64_t code, seq;
	shoal_us took;
};
struct shoal_stats {
	uint64_t size, done;	       /* bytes wanted (see SHOAL_OP_FILES); of those verified and durable */
	uint64_t verified;	       /* verified, perhaps not durable yet */
	uint64_t downloaded, uploaded; /* payload bytes this session */
	uint64_t adopted;	       /* bytes taken from other files of this machine, and proven */
	uint64_t wasted;	       /* payload that came for nothing: duplicates, bad, dropped */
	uint64_t hash_failures;	       /* pieces */
	uint64_t down_rate, up_rate;   /* bytes a second */
	uint32_t peers, seeds;	       /* connected */
	uint32_t pieces, pieces_done;  /* all there are; claimed */
	uint64_t memory_used, memory_peak;
	bool complete, checking, paused, metadata;
};
/* What a peer has come to be to us, by what it sent (native). */
enum shoal_standing {
	SHOAL_STANDING_NONE, /* nothing is known, or no score is kept */
	SHOAL_STANDING_NEW,
	SHOAL_STANDING_GOOD,
	SHOAL_STANDING_TRUSTED,
	SHOAL_STANDING_PAROLE, /* it has sent a false block, and not enough right ones since */
	SHOAL_STANDING_BANNED,
};
struct shoal_peer_info {
	struct shoal_addr addr;
	uint64_t got, gave;	  /* verified bytes from it; payload bytes to it */
	uint64_t wasted, spoiled; /* bytes from it that were not needed; that failed their hash */
	uint64_t down_rate, up_rate;
	uint32_t false_blocks; /* it sent, by exact blame; ever, in any torrent */
	uint8_t standing;      /* enum shoal_standing */
	uint32_t asked;	       /* blocks asked of it now */
	uint32_t pieces;       /* it has */
	bool connected, seed, banned, incoming, v2, encrypted, utp;
	bool choking_us, choked, interested, interesting;
};
struct shoal_file_info {
	uint64_t size, done;	      /* bytes; verified and durable */
	uint32_t path_at, path_count; /* its path below the folder, as on disk: a stretch of the event's `data` */
	uint8_t priority;
	bool pad; /* padding or a symlink: never made, whatever its priority */
};
struct shoal_event {
	enum shoal_event_kind kind;
	shoal_us t; /* monotonic */
	uint64_t ticket;
	uint32_t torrent;
	uint32_t peer;
	int err;
	uint32_t index;
	uint64_t done, total;
	bool has_v1, has_v2;
	struct shoal_id20 hash_v1;
	struct shoal_id32 hash_v2;
	struct shoal_addr addr;
	struct shoal_bytes text; /* raw bytes of strangers possible: escape before showing */
	struct shoal_bytes name; /* of the torrent, as on disk */
	struct shoal_bytes data;
	const uint32_t *copies;
	size_t copies_count;
	const struct shoal_file_info *files;
	size_t files_count;
	struct shoal_stats stats;
	struct shoal_peer_info info;
	struct shoal_dht_told dht;
};

/* ---- an engine ------------------------------------------------------------------- */
struct shoal_engine_ops {
	const char *name; /* "native" */
	/* 0; NET (cannot bind), DENIED, IO, OWNED, UNSUPPORTED (state of a newer version), NOMEM; `what` (160 bytes) says more. */
	int (*open)(struct shoal_engine **out, const struct shoal_config *config, char what[160]);
	/* 0 when taken (the answer comes as an event), or why not: RANGE, GONE, USAGE, UNSUPPORTED, NOMEM. */
	int (*do_op)(struct shoal_engine *e, const struct shoal_op *op);
	/* 1 and *ev; 0 when nothing happened for `wait_ms` (0: do not wait). Runs the engine meanwhile: call it often. */
	int (*poll)(struct shoal_engine *e, struct shoal_event *ev, int wait_ms);
	/* Makes a poll() that waits return soon; may be called from a signal handler. */
	void (*wake)(struct shoal_engine *e);
	void (*close)(struct shoal_engine *e);
};
struct shoal_engine {
	const struct shoal_engine_ops *ops;
};

SHOAL_API extern const struct shoal_engine_ops shoal_engine_native;

#ifdef __cplusplus
}
#endif
#endif
