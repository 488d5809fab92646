/*
 * swarm/core/swarm.h - one torrent: its pieces, its peers, its claims.
 *
 * Internal to swarm/core. The life of a swarm: metadata (from a magnet),
 * scan (what lies on disk, and which records about it are to be believed),
 * check (hash what exists unclaimed), running, and, when the storage fails,
 * paused until it is well again.
 *
 * The life of a piece: untouched, open (swarm/pieces/landing.h), verified (its bytes are
 * right and written), claimed (they and its record are durable: announced,
 * served, counted). A *barrier* carries a batch of verified pieces to claimed:
 * sync the files, finish those that are whole, commit the records.
 */
#ifndef SHOAL_SWARM_H
#define SHOAL_SWARM_H

#include <shoal/engine.h>
#include "proto/base/bytes.h"
#include "proto/metainfo.h"
#include "swarm/core/adopt.h"
#include "swarm/peers/blame.h"
#include "swarm/peers/choker.h"
#include "swarm/pieces/claims.h"
#include "swarm/core/contacts.h"
#include "swarm/core/finder.h"
#include "swarm/core/evidence.h"
#include "swarm/pieces/landing.h"
#include "swarm/peers/limiter.h"
#include "swarm/pieces/metadata.h"
#include "swarm/core/pace.h"
#include "swarm/core/parted.h"
#include "swarm/core/peer.h"
#include "swarm/pieces/picker.h"
#include "swarm/core/reread.h"
#include "swarm/pieces/roots.h"
#include "swarm/core/select.h"
#include "swarm/core/skeys.h"
#include "swarm/pieces/store.h"
#include "swarm/core/super.h"
#include "swarm/core/webseed.h"

#define SHOAL_SWARM_CHECKS 16		      /* pieces being hashed at a time in a check */
#define SHOAL_SWARM_BARRIER_BYTES (64u << 20) /* verified bytes that start a barrier at once */
#define SHOAL_SWARM_BARRIER_FILES 4096u	      /* files with something new in them that bring the next one forward */
#define SHOAL_SWARM_BARRIER_MIN SHOAL_MS(20)
#define SHOAL_SWARM_BARRIER_MAX SHOAL_S(2)
#define SHOAL_SWARM_RECORD_AGAIN SHOAL_MS(20) /* after the store was at its bound */
#define SHOAL_SWARM_LANE_WAIT SHOAL_MS(4)     /* a whole piece waits at most so long for others to be hashed beside */
/* For so many: half of the widest kernel. A constant, so that a simulated node does the same on every machine. */
#define SHOAL_SWARM_LANES 8
#define SHOAL_SWARM_RETRY_STORAGE SHOAL_S(2)
#define SHOAL_SWARM_FAULTS_MAX 3	     /* storage faults in a row that are tried again */
#define SHOAL_SWARM_FAULT_FORGET SHOAL_S(60) /* a fault that long ago, with a good barrier since, counts no more */
#define SHOAL_SWARM_HASH_REQUESTS 4	     /* hash requests under way */

/* Asking twice in the end game has a budget: one block in 50, and 32 at once. */
#define SHOAL_SWARM_HEDGE_UNIT 50u
#define SHOAL_SWARM_HEDGE_BURST (32 * SHOAL_SWARM_HEDGE_UNIT)

enum shoal_swarm_state {
	SHOAL_SWARM_METADATA, /* only hashes are known */
	SHOAL_SWARM_CHOOSE,   /* the user has yet to say which files are wanted */
	SHOAL_SWARM_SCAN,
	SHOAL_SWARM_BASELINE, /* records that cannot be believed are being withdrawn */
	SHOAL_SWARM_CHECK,
	SHOAL_SWARM_RUN,
	SHOAL_SWARM_PAUSED, /* storage trouble; tried again by itself */
	SHOAL_SWARM_ENDED,  /* an error, or removed; nothing goes on */
};

enum shoal_barrier_state {
	SHOAL_BARRIER_IDLE,
	SHOAL_BARRIER_SYNC,
	SHOAL_BARRIER_FINISH,
	SHOAL_BARRIER_RECORD,
	SHOAL_BARRIER_COMMIT
};

/* What is known about one file on disk: 8 bytes, for there may be a million. */
struct shoal_swarm_file {
	uint32_t left;	       /* pieces of it not verified */
	uint8_t seen;	       /* enum shoal_seen_state */
	bool dirty : 1;	       /* its record is to be written at the next barrier */
	bool record_open : 1;  /* the durable record says it is being written */
	bool whole : 1;	       /* finished: under its final name, all claimed */
	bool record_stale : 1; /* a record was found that must be rewritten before the file is */
	bool foreign : 1;      /* it lay under its final name before us (existing.c), and may not be overwritten */
	bool differs : 1;      /* and bytes in it that are no zeros failed their hash */
	bool too_long : 1;     /* it has more bytes than the torrent says */
	bool begun : 1;	       /* we wrote to it in this life */
	bool brief : 1;	       /* it had some bytes, and fewer, when it was first looked at */
	uint8_t offered : 2; /* what it has of its first (1) and last piece (2) was brought and is not proven (offered.h) */
};
_Static_assert(sizeof(struct shoal_swarm_file) == 8, "what a file costs is a promise");
/* The stamp of a file whose record is not simply right, from the scan to the baseline. */
struct shoal_swarm_stamp {
	uint32_t file;
	struct shoal_stamp stamp;
};

struct shoal_check {
	struct shoal_disk_job job;
	struct shoal_piece_hash hash;
	uint32_t piece;
	size_t charged; /* to the node, with the leaves behind it */
	enum shoal_check_why {
		SHOAL_CHECK_SCAN,
		SHOAL_CHECK_RESYNC,
		SHOAL_CHECK_LEAVES,
		SHOAL_CHECK_BLAME,
		SHOAL_CHECK_LAYER
	} why;
	uint32_t sync_failures; /* of the swarm, when it was submitted */
	uint32_t *source;	/* BLAME of a piece that failed: who sent each block */
	/* LEAVES: who asked */
	uint32_t peer_serial;
	struct shoal_wire_hash_range range;
	struct shoal_swarm *swarm;
};

/* What every turn of the node and every block touches lies together at the front: see struct shoal_peer. */
struct shoal_swarm {
	struct shoal_swarm *next;
	struct shoal_node *node;
	struct shoal_swarm *awake_next, **awake_at; /* of node_swarms.c */
	uint32_t handle;
	enum shoal_swarm_state state;
	enum shoal_barrier_state barrier;
	bool stopping, removing;
	bool recheck; /* SHOAL_OP_VERIFY: CHECKED is said again at the end */
	bool storage_open, read_only;
	bool complete_said;
	bool dial_now, choked_once;
	bool rechoke;
	bool dirty_fill;     /* blocks came free: every peer may have something to ask */
	bool pieces_dirty;   /* blocks landed: runs may be ready for the disk */
	bool slots_held;     /* no slot was free for a block somebody waits for */
	bool held[2];	     /* a limit held a block or a request back */
	bool layers_missing; /* v2 hashes are (hashes.c) */
	uint32_t peer_count;
	struct shoal_peer *peers;
	uint32_t dirty_count; /* of dirty_file */
	unsigned disk_jobs;   /* of this swarm with the disk */
	uint32_t checks_out;
	shoal_us late_at;  /* when it was last looked for what will be late (urgent.h) */
	uint32_t hedges;   /* what is left of the budget for asking twice */
	uint32_t disputes; /* pieces that wait for their leaf hashes or a hint */
	struct shoal_metainfo *mi;
	struct shoal_picker *picker; /* done = verified */
	struct shoal_webseed *webseeds;
	struct shoal_bits claimed;
	struct shoal_bits to_check;
	struct shoal_bits fresh;	/* verified, not in a barrier yet */
	struct shoal_bits withdrawn;	/* no longer claimed; their records still say so */
	shoal_us choke_at, rechoked_at; /* the last round; the last time who is served was decided */
	shoal_us dial_at, tick_at;
	shoal_us retry_at;  /* while paused: when storage is tried again */
	shoal_us lane_wait; /* when a waiting piece stops waiting for lane mates, 0 none waits */
	shoal_us record_at; /* when records are tried again that the store had no room for; 0: there are none */
	shoal_us barrier_at, barrier_took, fresh_since;
	uint64_t fresh_bytes;
	struct shoal_landing landing;
	struct shoal_limiter up_limit, down_limit; /* pace.h */
	uint64_t downloaded, uploaded;
	struct shoal_rate down, up;
	struct shoal_contacts contacts;
	struct shoal_super super;
	struct shoal_reread reread;
	uint32_t storage;
	bool offers_wait; /* offered.h: for the disk */
	struct shoal_select select;

	struct shoal_timer alarm; /* of node_swarms.c: while it sleeps, when it has to be looked at */
	bool joined;
	uint64_t ticket; /* of the ADD */
	unsigned flags;	 /* enum shoal_add_flag */
	size_t mi_charged;
	bool has_v1, has_v2;
	struct shoal_id20 v1, v2_short;
	struct shoal_skey skey[2]; /* of both, in the node's table */
	struct shoal_id32 v2;
	struct shoal_id32 id; /* what records are kept under */
	struct shoal_id20 peer_id;
	char *folder;
	char *name; /* until the metadata is there: of the magnet */
	struct shoal_rng rng;

	/* content */
	struct shoal_blame blame;
	bool suspects_left;	       /* some are gone of whom somebody will be named yet (evidence.h) */
	struct shoal_swarm_file *file; /* one more than there are files: the part file (select.h) */
	size_t charged;		       /* for all of the above */
	uint64_t size, verified_bytes, claimed_bytes; /* of wanted files */
	bool first_piece_said, checked_said, punch_told;

	/* scan and check */
	struct shoal_disk_job scan_job;
	struct shoal_seen *scan_seen;
	struct shoal_swarm_stamp *scan_stamp; /* in the order of files; gone after the baseline */
	uint32_t scan_stamps, scan_stamp_room;
	uint32_t scan_at;
	bool scan_out, part_scanned;
	bool check_later;		     /* pieces exist whose hashes are not known yet */
	struct shoal_own_layers *own_layers; /* layers.c; NULL: not begun, or over */
	bool own_layers_done;
	uint32_t long_files;
	unsigned check_flags;	/* SHOAL_DISK_DROP after a failed sync */
	uint32_t sync_failures; /* in this life */
	int check_error;
	uint32_t check_at;
	uint64_t check_done, check_total;
	shoal_us check_said;

	struct shoal_adopt *adopt; /* NULL: not asked for, or over */
	uint64_t adopted;
	struct shoal_offer *offers; /* pieces of which blocks are being read (offered.h) */
	uint32_t offer_count, offer_last;
	bool torrent_recorded;

	/* barrier */
	struct shoal_bits covered; /* in the barrier under way */
	uint32_t *barrier_file;
	struct shoal_seen *barrier_seen;
	uint32_t barrier_files, barrier_room, finish_count;
	struct shoal_bits withdrawing; /* those of `withdrawn` that the barrier under way records */
	bool barrier_closing;	       /* it records files as no longer being written */
	bool baseline_done;
	bool baseline_put; /* records were, and are committed with it */
	struct shoal_disk_job barrier_job;
	uint32_t *dirty_file;

	/* metadata of a magnet */
	struct shoal_metadata metadata;

	/* peers */
	struct shoal_sums left; /* of those that had no contact when they left */
	struct shoal_choker choker;
	shoal_us shout_at; /* its next LSD announce, 0: it has had none */
	enum shoal_swarm_state paused_from;
	bool pause_said;		    /* and not yet that it goes on */
	unsigned storage_faults;	    /* not yet made good: see shoal_swarm_pause() */
	shoal_us fault_at, barrier_good_at; /* when the last fault was, and the last barrier that recorded something */
	bool withdraw_said;		    /* that bytes went missing; once, until all is there again */

	uint32_t webruns;		 /* ranges under way at all of them */
	struct shoal_announce *announce; /* its trackers; NULL: it has none */
	struct shoal_seek seek;		 /* in the DHT */

	/* v2 hashes */
	uint32_t layer_at; /* next file whose layer may be missing */
	struct shoal_layer_want *layers_wanted;
	struct shoal_roots roots; /* made when a peer names the first */

	struct shoal_parted *parted; /* sent away lately, for others to hear of; NULL: nobody was */

	/* rate limits: pace.h; arrays by enum shoal_way */
	struct shoal_peer *turn[2];    /* whose turn is next, NULL the first one's */
	struct shoal_swarm *pace_next; /* scratch */

	/* counters */
	uint64_t wasted, hash_failures;
	shoal_us flight_state_at; /* of flight_note.c */
	bool flight_done;
};

/* Makes a swarm that knows neither hashes nor metadata yet; `folder` is copied. `flags`: SHOAL_ADD_*. */
SHOAL_MUST int shoal_swarm_new(struct shoal_swarm **out, struct shoal_node *node, struct shoal_bytes folder,
			       unsigned flags, shoal_us now);
/* Its hashes are known, or one more of them: it can be asked for by them. */
void shoal_swarm_index(struct shoal_swarm *s);
void shoal_swarm_free(struct shoal_swarm *s);
/* Metadata is there (from the start, or just now): takes `mi`, opens the storage, begins to scan. `files`: priorities, or
 * none. RANGE, GONE, MALFORMED: see shoal_select_begin(). */
int shoal_swarm_begin(struct shoal_swarm *s, struct shoal_metainfo *mi, struct shoal_bytes files, shoal_us now);
void shoal_swarm_tick(struct shoal_swarm *s, shoal_us now);
shoal_us shoal_swarm_deadline(const struct shoal_swarm *s);
/* Lends a job to the disk; shoal_swarm_job_done() is told when it is back. */
SHOAL_MUST int shoal_swarm_submit(struct shoal_swarm *s, struct shoal_disk_job *job);
void shoal_swarm_job_done(struct shoal_swarm *s, struct shoal_disk_job *job, shoal_us now);
void shoal_swarm_committed(struct shoal_swarm *s, int err, shoal_us now);
void shoal_swarm_fail(struct shoal_swarm *s, int err, const char *what, shoal_us now);
void shoal_swarm_pause(struct shoal_swarm *s, int err, const char *what, shoal_us now);
/* Something was made durable: what it paused for, if for anything, is over. */
void shoal_swarm_well(struct shoal_swarm *s, shoal_us now);
/* Winds down: peers go, what was verified is recorded; stopped() tells when. */
void shoal_swarm_stop(struct shoal_swarm *s, shoal_us now);
bool shoal_swarm_stopped(const struct shoal_swarm *s);
/* Whether the swarm needs nothing more. */
bool shoal_swarm_seeding(const struct shoal_swarm *s);
bool shoal_swarm_running(const struct shoal_swarm *s);
/* An event about this swarm; `ev` has its kind and particulars. */
void shoal_swarm_say(struct shoal_swarm *s, struct shoal_event *ev, shoal_us now);
void shoal_swarm_stats(struct shoal_swarm *s, struct shoal_stats *out, shoal_us now);
void shoal_swarm_warn(struct shoal_swarm *s, const char *text, shoal_us now);

/* from the first look to running: swarm_scan.c */
int shoal_swarm_scan_begin(struct shoal_swarm *s);
void shoal_swarm_scan_done(struct shoal_swarm *s, shoal_us now);
void shoal_swarm_look_tick(struct shoal_swarm *s, shoal_us now);

/* metadata: swarm_metadata.c */
int shoal_swarm_metadata_asked(struct shoal_swarm *s, struct shoal_peer *p, uint32_t index, shoal_us now);
int shoal_swarm_metadata_came(struct shoal_swarm *s, struct shoal_peer *p, const struct shoal_metadata_msg *msg,
			      shoal_us now);
void shoal_swarm_metadata_tick(struct shoal_swarm *s, shoal_us now);

/* turnover.c: it needs nothing and gives only (BEP 21). */
bool shoal_swarm_uploads_only(const struct shoal_swarm *s);

/* claims: swarm_claims.c */
/* What the records say of the files that scan_job has looked at. */
int shoal_swarm_claims_load(struct shoal_swarm *s);
shoal_us shoal_swarm_barrier_due(const struct shoal_swarm *s);
void shoal_swarm_barrier_tick(struct shoal_swarm *s, shoal_us now);
void shoal_swarm_barrier_job(struct shoal_swarm *s, struct shoal_disk_job *job, shoal_us now);
void shoal_swarm_file_dirty(struct shoal_swarm *s, uint32_t file);
/* Writes the record of `file` as it stands into the store's batch; `seen` its stamp. */
int shoal_swarm_record(struct shoal_swarm *s, uint32_t file, const struct shoal_seen *seen, bool open);
int shoal_swarm_baseline(struct shoal_swarm *s, shoal_us now);

/* pieces: swarm_pieces.c */
void shoal_swarm_pieces_tick(struct shoal_swarm *s, shoal_us now);
void shoal_swarm_write_done(struct shoal_swarm *s, struct shoal_open *open, shoal_us now);
void shoal_swarm_verified(struct shoal_swarm *s, uint32_t piece, shoal_us now);
/* Something is missing that was not. */
void shoal_swarm_needs_more(struct shoal_swarm *s, shoal_us now);
void shoal_swarm_unverified(struct shoal_swarm *s, uint32_t piece, shoal_us now);
/* A piece under way is untouched again, and `open` gone. Nobody may be asked for any of it. */
void shoal_swarm_put_back(struct shoal_swarm *s, struct shoal_open *open);
/* Pieces under way that nobody wants any more. */
void shoal_swarm_drop_unwanted(struct shoal_swarm *s, shoal_us now);
/* Memory is short: a piece under way that nobody was asked for, and nobody who serves us has, is begun another time; the
 * one of which least would be lost. false: there is none. */
SHOAL_MUST bool shoal_swarm_make_room(struct shoal_swarm *s, shoal_us now);
/* A piece we claimed turned out not to be there: never served again until it is. */
void shoal_swarm_withdraw(struct shoal_swarm *s, uint32_t piece, shoal_us now);
int shoal_swarm_piece_expect(struct shoal_swarm *s, uint32_t piece, struct shoal_piece_hash *hash);
/* Whether a piece can be verified now (its hash is known). */
bool shoal_swarm_piece_known(const struct shoal_swarm *s, uint32_t piece);
void shoal_swarm_check_tick(struct shoal_swarm *s, shoal_us now);
/* How a piece that lies there is to be read, for it to count when it is right: enum shoal_disk_flag. */
unsigned shoal_swarm_check_flags(const struct shoal_swarm *s, uint32_t piece);
void shoal_swarm_check_done(struct shoal_swarm *s, struct shoal_check *check, shoal_us now);
/* BUSY: the disk is at its bound; or (LEAVES) so much was read for others that somebody else will have to do. NOMEM, RANGE. */
int shoal_swarm_check_piece(struct shoal_swarm *s, uint32_t piece, enum shoal_check_why why, unsigned flags,
			    struct shoal_check **out);
/* What it costs to read a piece, in MiB begun. */
int32_t shoal_swarm_piece_mib(const struct shoal_swarm *s, uint32_t piece);
/* An untouched piece is begun: its slots are promised, and it is `owner`'s. NULL: it cannot be now. (request.c) */
struct shoal_open *shoal_swarm_open_piece(struct shoal_swarm *s, uint32_t piece, uint32_t owner, shoal_us now);

/* files of others: existing.c */
/* What lies there of a piece is neither right nor all zeros. */
void shoal_swarm_existing_differs(struct shoal_swarm *s, uint32_t piece);
/* Everything has been looked at. true: the torrent has ended, because something of somebody's is in the way. */
bool shoal_swarm_existing_judge(struct shoal_swarm *s, shoal_us now);
/* A write would have replaced it. */
void shoal_swarm_existing_refuse(struct shoal_swarm *s, uint32_t file, shoal_us now);

/* hashes.c: BEP 52 */
void shoal_swarm_hash_request(struct shoal_swarm *s, struct shoal_peer *p, const struct shoal_wire_hash_range *range,
			      shoal_us now);
void shoal_swarm_hashes(struct shoal_swarm *s, struct shoal_peer *p, const struct shoal_wire_msg *msg, shoal_us now);
void shoal_swarm_hash_rejected(struct shoal_swarm *s, struct shoal_peer *p, const struct shoal_wire_hash_range *range,
			       shoal_us now);
void shoal_swarm_layers_begin(struct shoal_swarm *s);
/* Other files are wanted now. */
void shoal_swarm_layers_again(struct shoal_swarm *s);
void shoal_swarm_layers_end(struct shoal_swarm *s);
void shoal_swarm_layers_tick(struct shoal_swarm *s, shoal_us now);
void shoal_swarm_hashes_gone(struct shoal_swarm *s, const struct shoal_peer *p);
/* The leaves of a piece are asked for, of `of` if it has them to give, else (or NULL) of somebody. false: of nobody. */
bool shoal_swarm_leaves_wanted(struct shoal_swarm *s, uint32_t piece, struct shoal_peer *of, shoal_us now);
void shoal_swarm_leaves_ready(struct shoal_swarm *s, struct shoal_check *check, shoal_us now);

/* layers.c: those that whole files tell. To be called while a swarm checks; true while there is more to do. */
bool shoal_swarm_own_layers_tick(struct shoal_swarm *s, shoal_us now);
void shoal_swarm_own_layers_back(struct shoal_swarm *s, struct shoal_check *check);
void shoal_swarm_own_layers_end(struct shoal_swarm *s);

#endif
