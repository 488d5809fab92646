/*
 * swarm/core/peer.h - one connection: what it said, what we asked of it, what it asked of us.
 *
 * Internal to swarm/core. A peer belongs to its node from the first byte and
 * to a swarm once its handshake has named one. It is freed in the node's
 * tick, never in the middle of an event: closing only marks it.
 */
#ifndef SHOAL_PEER_H
#define SHOAL_PEER_H

#include <shoal/engine.h>
#include "proto/base/bits.h"
#include "proto/extension.h"
#include "proto/mse.h"
#include "proto/peer_wire.h"
#include "proto/transport.h"
#include "swarm/core/accounts.h"
#include "swarm/peers/credit.h"
#include "swarm/pieces/disk.h"
#include "swarm/core/fast.h"
#include "swarm/core/flight_note.h"
#include "swarm/peers/flow.h"
#include "swarm/core/gossip.h"
#include "swarm/pieces/landing.h"
#include "swarm/core/owed.h"
#include "swarm/peers/patience.h"
#include "swarm/core/policy.h"
#include "swarm/peers/repute.h"
#include "swarm/core/super.h"

#define SHOAL_PEER_HANDSHAKE_TIME SHOAL_S(10)
#define SHOAL_PEER_IDLE_TIME SHOAL_S(130)   /* nothing heard at all */
#define SHOAL_PEER_PARTIAL_TIME SHOAL_S(60) /* one message that does not end */
#define SHOAL_PEER_BLOCKED_TIME SHOAL_S(60) /* reads nothing of what we have for it */
#define SHOAL_PEER_DEAF_TIME SHOAL_S(5)	    /* the same: its slot goes to others */
#define SHOAL_PEER_MUTE_TIME SHOAL_S(3)	    /* is served, and asks for nothing: the same */
#define SHOAL_PEER_KEEPALIVE SHOAL_S(60)
#define SHOAL_PEER_QUIET SHOAL_S(60)	  /* so long silent, one gives way to another at its address */
#define SHOAL_PEER_AWAY SHOAL_S(15)	  /* so long silent, to one with its id at another address */
#define SHOAL_PEER_REQQ 2000		  /* requests we queue for a peer, and say so; see shoal_peer_sated() */
#define SHOAL_PEER_REQQ_SILENT 250	  /* assumed of one that does not say */
#define SHOAL_PEER_OUT_LOW (256u * 1024)  /* served again when less than this waits to be sent */
#define SHOAL_PEER_OUT_HIGH (768u * 1024) /* and until this much does */
#define SHOAL_PEER_READS 2		  /* disk reads under way for one peer */
#define SHOAL_PEER_READ_BLOCKS 16	  /* blocks of one such read */
#define SHOAL_PEER_LAID_MIN 2		  /* blocks laid out for one read, at the least */
#define SHOAL_PEER_EARLY_HAVES 4096	  /* HAVEs kept while the metadata is unknown */
#define SHOAL_PEER_BAD_REQUESTS 64	  /* requests for what cannot be, before it is too many */
#define SHOAL_PEER_EXT_HANDSHAKES 10
#define SHOAL_PEER_ROOM (48u * 1024) /* there has to be for a newcomer: it will grow, and so may the others */

struct shoal_node;
struct shoal_swarm;
struct shoal_contact;

/* A block we asked for. */
struct shoal_ask {
	uint32_t piece, block;
	shoal_us at;
	struct shoal_slot *slot; /* where it will land, once that had to be known */
	bool weak;		 /* of one that stalls: others are asked for the block as if nobody were */
	bool missed;		 /* its block goes by: there was no memory for it when it began */
};
/* A block asked of us. */
struct shoal_wanted {
	uint32_t piece, begin, len;
};
/* A block on its way out: the token in peer_wire's queue. */
struct shoal_sending {
	struct shoal_sending *next;
	struct shoal_slot *slot; /* its bytes, or NULL: pinned in `file` */
	uint32_t file;
	uint32_t len;
};
struct shoal_read {
	struct shoal_disk_job job;
	struct shoal_slot *slots[SHOAL_PEER_READ_BLOCKS];
	struct shoal_wanted want[SHOAL_PEER_READ_BLOCKS];
	uint32_t count;
	bool orphan; /* its peer is gone: it frees itself */
	struct shoal_peer *peer;
	struct shoal_swarm *swarm;
};

/* What every block and every look at a peer touches lies together at the front, `noted` last of it: a world of thousands of
 * nodes waits for memory more than for anything else. */
struct shoal_peer {
	struct shoal_peer *in_swarm, **in_swarm_at; /* of the swarm */
	struct shoal_node *node;
	struct shoal_swarm *swarm; /* NULL until the handshake */
	struct shoal_pw *pw;
	struct shoal_transport *t;		 /* what `below` is, or RC4 over it */
	struct shoal_mse *mse;			 /* the handshake that hides the stream, until all its words are out */
	struct shoal_peer *stir_next, **stir_at; /* of the node's that are stirred; NULL: it is not */
	int closing;				 /* < 0: why it ends; freed in the next tick */
	unsigned wants;				 /* last told to the transport */
	bool out_dirty;				 /* something may wait to be sent: shoal_peer_stir_out() */
	bool in_dirty;				 /* asks may be refilled: shoal_peer_stir_in() */
	bool known;				 /* its peer id is in */
	bool fast, extended, v2;
	bool have_all, counted, got_bitfield;
	bool one_by_one;	      /* it has lost pieces: the picker counts it piece by piece, full or not */
	bool choking_us, choked;      /* it chokes us; we choke it */
	bool interested, interesting; /* it in us; we in it */
	bool snubbed, optimistic;
	bool bound;	 /* encrypted, and `binding` is of this stream alone (shoal_mse_binding, identity.h) */
	bool foretold;	 /* the wire knows what to expect (shoal_peer_forecast) */
	uint8_t laid;	 /* blocks laid out for the next read: by what the last ones brought */
	bool vetted;	 /* a block of it was held to its leaf hash (vet.h), and was right */
	uint8_t in_vain; /* times in a row that it was asked, and gave nothing */
	uint32_t serial;
	uint32_t source; /* what its blocks are remembered by: one for all connections with one contact */
	uint32_t piece;	 /* the one it is fetching, SHOAL_PIECE_NONE */
	uint32_t needs;	 /* a piece it has and we need: why we are interested */
	uint32_t reqq;
	struct shoal_bits have;
	struct shoal_ask *ask; /* a ring */
	uint32_t ask_head, ask_count, ask_room;
	uint32_t wanted_head, wanted_count, wanted_room;
	struct shoal_wanted *wanted;	   /* a ring: blocks it asked for */
	shoal_us ask_after;		   /* it rejected a request while it served us, or stalls: not before this */
	size_t charged;			   /* to the node, for itself and its buffers (turnover.h) */
	size_t long_bytes;		   /* charged for a message that is not whole yet */
	struct shoal_repute_entry *repute; /* its record, while it is known; NULL: none could be had */
	struct shoal_contact *contact;	   /* the address book's entry, NULL for one that came in and has no port yet */
	struct shoal_repute_entry *known_by;	 /* the record of the key it has proven; NULL: none */
	struct shoal_acquaintance *acquaintance; /* the proof; NULL: no word of it yet (identity.h) */
	struct shoal_transport *below;		 /* what the world made, and speaks of */
	uint32_t *early_have;			 /* HAVEs from before the metadata */
	uint32_t early_have_count, told_room;
	struct shoal_owed owed; /* answers to asks that were taken back */
	shoal_us blocked_since; /* the transport takes nothing since; 0: it does */
	uint64_t gave_turn;
	struct shoal_read *read[SHOAL_PEER_READS];
	struct shoal_rate up;
	struct shoal_flow flow;
	struct shoal_super_peer *super; /* of super-seeding; NULL: it knows what we have */
	struct shoal_flight_peer noted;
	/* what a choke round weighs, of each peer */
	shoal_us born, unchoked_at, choked_at;
	uint64_t got_before, gave_before; /* payload in all, when the last one began */
	shoal_us tried_at;		  /* it was last served on trial */
	shoal_us sated_at;		  /* it was when last looked at; 0 never */
	struct shoal_credit verified;	  /* for bytes from it that are right */
	struct shoal_sums sums;		  /* while it has no contact */
	uint32_t given_alone, passed_on;  /* pieces of super-seeding it was sent; that a third was seen to have then */
	bool takes;			  /* it has wanted something of us */
	struct shoal_fast fasts;	  /* of BEP 6: what goes while one chokes */

	struct shoal_peer *next, *prev; /* of the node */
	bool mse_over;			/* what comes is the wire's */
	struct shoal_id32 binding;
	struct shoal_addr addr;
	uint8_t by;		/* enum shoal_carrier */
	uint8_t place;		/* enum shoal_guard_place: how it is counted in the guard */
	uint8_t proof;		/* right blocks from it, up to SHOAL_GUARD_PROOF; none since it sent a false one */
	bool incoming, greeted; /* it came to us; our handshake went out */
	bool dht;		/* it has a node of the DHT (BEP 5) */
	struct shoal_id20 id;
	unsigned can;

	/* what it has */
	uint8_t *early_bits; /* a bitfield from before the metadata */
	size_t early_bits_len;

	shoal_us useful_at, snubbed_at; /* somebody was interested last; since when it stalls, 0 not */
	uint64_t up_seen;		/* bytes to it at the last look for the useless */

	/* extensions */
	uint8_t ext_metadata, ext_donthave, ext_pex, ext_punch, ext_key, ext_leaves;
	bool pex_said;		/* that we speak it */
	bool said_uploads_only; /* what it was told last of what we want (BEP 21) */
	bool voted;		/* on what our own address is */
	uint8_t pex_faults;
	shoal_us pex_at, pex_heard;	    /* the next is due; the last was listened to */
	struct shoal_told *told;	    /* whom it was told of, by serial */
	uint32_t told_count;		    /* of told_room */
	uint32_t parted_upto[2];	    /* [v4]: cards of the swarm's `parted` it was offered */
	struct shoal_ext_name ext_user[16]; /* messages registered by the user of the engine */
	size_t ext_user_count;
	unsigned ext_handshakes;
	uint16_t listen_port;
	char client[64];
	bool upload_only, ext_said;
	bool said_upload_only;	      /* we told it that we need nothing (BEP 21) */
	uint64_t early_metadata_size; /* of the info dictionary, as it said */
	shoal_us metadata_ask_after, metadata_asked_at;
	unsigned metadata_asked;
	unsigned hash_asked, hash_in_vain; /* under way; since it last answered well */
	uint8_t hints_owed, hints_in_vain; /* the same of hints (hints.h); since one helped */
	shoal_us hint_at;		   /* it was asked for one last; 0 never */
	unsigned metadata_lapses;	   /* asks it let pass since it last answered */

	/* down */
	uint32_t
		doubt; /* pieces that failed with blocks of several peers, of which it was one, and nobody is named yet */
	float suspicion; /* its share of the blame for those */
	struct shoal_lt lt;

	/* up */
	unsigned bad_requests;
	struct shoal_patience talk, unasked, leaves, metadata_given, introduced;
};

/* The connection `t` becomes a peer. `swarm` and `contact` are set when we dialled. NULL when memory is short (and t closed). */
struct shoal_peer *shoal_peer_new(struct shoal_node *node, struct shoal_transport *t, const struct shoal_addr *addr,
				  struct shoal_swarm *swarm, struct shoal_contact *contact, shoal_us now);
/* Marks it for the end; everything it held is given back at once, its memory in the node's tick. */
void shoal_peer_close(struct shoal_peer *p, int why, shoal_us now);
/* Frees a closed one. */
void shoal_peer_free(struct shoal_peer *p);
/* There may be something to ask it for, or to send it: it is looked at in the node's next tick. */
void shoal_peer_stir_in(struct shoal_peer *p);
void shoal_peer_stir_out(struct shoal_peer *p);
/* Takes it off the node's list. */
void shoal_peer_calm(struct shoal_peer *p);
/* Bytes can be read. */
void shoal_peer_readable(struct shoal_peer *p, shoal_us now);
/* Bytes that were read already: as if they came now. */
void shoal_peer_feed(struct shoal_peer *p, struct shoal_bytes in, shoal_us now);
/* Sends what it can, and tells the transport what to wait for. */
void shoal_peer_flush(struct shoal_peer *p, shoal_us now);
/* Time-outs, keep-alives, refilled asks. */
void shoal_peer_tick(struct shoal_peer *p, shoal_us now);

/* The metadata is known now: sizes, bitfields, interest. < 0: what it said before does not fit. */
int shoal_peer_metadata(struct shoal_peer *p, shoal_us now);
/* Says something small; closes the peer when that cannot be. */
void shoal_peer_say(struct shoal_peer *p, const struct shoal_wire_msg *msg, shoal_us now);
void shoal_peer_say_id(struct shoal_peer *p, enum shoal_wire_id id, shoal_us now);
void shoal_peer_say_ext(struct shoal_peer *p, uint8_t ext, struct shoal_bytes body, shoal_us now);
/* Whether an answer that long may be said: the peer lives, and some of what may wait to be said is left to other messages. */
bool shoal_peer_has_room(const struct shoal_peer *p, size_t bytes);
void shoal_peer_say_ext_handshake(struct shoal_peer *p, shoal_us now);
/* Tells it that we have become a partial seed, or are one no more (BEP 21); nothing when it knows. */
void shoal_peer_say_upload_only(struct shoal_peer *p, shoal_us now);
/* An EXTENDED message: < 0 ends the peer. */
int shoal_peer_extended(struct shoal_peer *p, const struct shoal_wire_msg *msg, shoal_us now);
/* Our handshake, for the torrent with that hash. */
void shoal_peer_greet(struct shoal_peer *p, const struct shoal_id20 *hash, shoal_us now);
/* First words after the handshakes. */
void shoal_peer_introduce(struct shoal_peer *p, shoal_us now);
/* It said something that asks for nothing and tells nothing. REFUSED when that is too much of it. */
SHOAL_MUST int shoal_peer_idle_talk(struct shoal_peer *p, shoal_us now);
/* It takes nothing of what it asked for, or is served and asks for nothing. */
bool shoal_peer_deaf(const struct shoal_peer *p, shoal_us now);
bool shoal_peer_is_seed(const struct shoal_peer *p);

/* request.c: asking */
/* Ask number `i`, of ask_count; the oldest is the first. */
static inline struct shoal_ask *shoal_peer_ask(const struct shoal_peer *p, uint32_t i)
{
	return &p->ask[(p->ask_head + i) & (p->ask_room - 1)];
}
/* The number of the ask for that block; UINT32_MAX: there is none. */
uint32_t shoal_peer_ask_for(const struct shoal_peer *p, uint32_t piece, uint32_t block);
/* Asks for as much as is good for now, `most` blocks of it at the most; how many it was. */
uint32_t shoal_peer_fill(struct shoal_peer *p, uint32_t most, shoal_us now);
struct shoal_open;
/* Whether it may take blocks of a piece under way that has some for it (policy.h). */
bool shoal_peer_may_join(const struct shoal_peer *p, const struct shoal_open *open, bool help, shoal_us now);
void shoal_peer_interest(struct shoal_peer *p, shoal_us now);
/* Every block asked of it is nobody's again. */
void shoal_peer_unask_all(struct shoal_peer *p, shoal_us now);
/* One block: it was rejected, or has come from another. true when it had been asked. */
bool shoal_peer_unask(struct shoal_peer *p, uint32_t piece, uint32_t block, bool cancel, shoal_us now);
void shoal_peer_forecast(struct shoal_peer *p);
/* A block is to land that was not forecast: where, or NULL. */
uint8_t *shoal_peer_place(struct shoal_peer *p, uint32_t piece, uint32_t begin, uint32_t len);
void shoal_peer_block(struct shoal_peer *p, const struct shoal_pw_event *ev, shoal_us now);
void shoal_peer_asks_overdue(struct shoal_peer *p, shoal_us now);
/* It stalls no longer. */
void shoal_peer_recovered(struct shoal_peer *p, shoal_us now);
/* It serves us, and refused what it was asked for, or stalls: it is asked again in a second, then in eight; and who
 * refuses, and never gave anything, in eight times as long each time, up to some eight minutes. */
void shoal_peer_in_vain(struct shoal_peer *p, bool refused, shoal_us now);
#define SHOAL_PEER_IN_VAIN_FIRST SHOAL_S(1)

/* peer_mse.c: hiding the stream */
/* Begins the handshake if there is to be one; < 0: it cannot be. Behind the greeting, which goes along. */
SHOAL_MUST int shoal_peer_mse_begin(struct shoal_peer *p);
void shoal_peer_mse_end(struct shoal_peer *p);
/* Bytes can be read. true: those that are left are the wire's. */
bool shoal_peer_mse_readable(struct shoal_peer *p, shoal_us now);
/* Sends what it has to say. true: it is over, and payload may follow. */
bool shoal_peer_mse_flush(struct shoal_peer *p, bool *blocked, shoal_us now);

/* crowd.c: charges what a long message holds that is not whole yet; somebody goes when that is too much. */
void shoal_peer_long_message(struct shoal_peer *p, shoal_us now);

/* upload.c: serving */
/* It asks for all we queue and knows no REJECT (BEP 6): what we passed over it would wait for, as rTorrent does, which
 * does not read `reqq`. So nothing more is read from it until some is served, and the transport holds it back. */
bool shoal_peer_sated(const struct shoal_peer *p);
void shoal_peer_wants(struct shoal_peer *p, const struct shoal_wire_msg *msg, shoal_us now);
void shoal_peer_cancels(struct shoal_peer *p, const struct shoal_wire_msg *msg, shoal_us now);
/* The piece is not ours to give any more: says so, and takes back what has not begun to go. */
void shoal_peer_disown(struct shoal_peer *p, uint32_t piece, shoal_us now);
/* Queues up to `blocks` of what it asked for, while it has room for them and the limit allows; how many it was. */
uint32_t shoal_peer_serve(struct shoal_peer *p, uint32_t blocks, shoal_us now);
void shoal_peer_choke(struct shoal_peer *p, bool choke, shoal_us now);
void shoal_peer_read_done(struct shoal_read *read, shoal_us now);
void shoal_peer_uploads_end(struct shoal_peer *p);
void shoal_peer_sent(struct shoal_peer *p, void *const token[], size_t n, bool went_out, shoal_us now);

#endif
