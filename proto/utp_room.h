/*
 * proto/utp_room.h - what the files of uTP see of each other. Internal.
 *
 *	utp.c		all connections: who a datagram is for, events, timers
 *	utp_strangers.c	datagrams without a connection: cookies, resets
 *	utp_out.c	one connection's sending half: queue, windows, acks, time-outs
 *	utp_loss.c	what of it is lost, what only late
 *	utp_in.c	its receiving half: order, selective acks, window
 */
#ifndef SHOAL_UTP_ROOM_H
#define SHOAL_UTP_ROOM_H

#include "proto/base/heap.h"
#include "proto/ledbat.h"
#include "proto/utp.h"
#include "proto/utp_wire.h"

/* Packets that wait for their ack lie one behind another as they go out, headers included, so that a row of them is sent
 * with no copy. A page goes when all its packets have been acknowledged. */
struct utp_page {
	uint32_t used, room; /* bytes */
	uint32_t live;	     /* packets */
	uint8_t bytes[];
};
struct utp_packet {
	struct utp_page *page;
	shoal_us sent;
	uint32_t at;  /* in its page */
	uint16_t len; /* of the payload */
	uint8_t type; /* DATA or FIN */
	uint8_t tries;
	bool acked, lost;
	bool probe;	 /* wider than the path is known to be */
	uint8_t cut;	 /* of the window, that it was lost for; 0: none */
	uint32_t waited; /* from the sending before the last to the last, microseconds */
};
/* Bytes that came in: in order in `in`, or alone while one before them is missing. */
struct utp_chunk {
	struct utp_chunk *next;
	uint32_t at, len, room; /* unread bytes are bytes[at, len) */
	uint8_t bytes[];
};

enum utp_state {
	UTP_SYN_SENT,
	UTP_OPEN,
	UTP_DEAD, /* `err` says why; only its user keeps it */
};
enum utp_tell { UTP_TELL_NOTHING, UTP_TELL_ACCEPTED, UTP_TELL_DIALED };

struct utp_link { /* of a list through connections */
	struct utp_conn *next, *prev;
	bool in;
};
struct utp_list {
	struct utp_conn *first, *last;
};

struct utp_losses {
	uint16_t top;		     /* behind the last packet that was acknowledged */
	uint16_t recover;	     /* what was lost before it belongs to the window that was cut already */
	shoal_us newest, newest_rtt; /* when the packet sent last of those that arrived was sent; its round trip */
	shoal_us least[2];	     /* round trip: of this minute, of the one before */
	shoal_us answered;	     /* when the packet was sent that the ack at hand answers; 0: it does not tell */
	uint32_t back; /* a round trip less the delay that its ack told of: their clock, and the way back */
	bool has_back;
	shoal_us minute;
	shoal_us late;	  /* by so much packets come behind what was sent after them; 0: in order, as far as is known */
	uint16_t round;	  /* a round trip is over when it is acknowledged */
	shoal_us look_at; /* what has been overtaken is lost then; 0: nothing has */
	/* The last cut, which is undone when nothing that it was for had been lost. */
	struct shoal_ledbat_mark before;
	uint32_t charged; /* packets, of which that is not known yet */
	uint8_t cut;
	bool may_undo;
};

struct utp_conn {
	struct shoal_transport t; /* first: the user's pointer is ours */
	struct shoal_utp *u;
	struct utp_conn *next_in_bucket;
	struct utp_link out, told; /* has something to send; has something to tell */
	struct shoal_timer timer;
	struct shoal_addr addr;
	uint16_t recv_id, send_id;
	enum utp_state state;
	enum utp_tell tell;
	int err;
	uint64_t cookie;
	unsigned wants;
	bool user_gone;		      /* closed: it lingers until what it has is acknowledged */
	bool told_now;		      /* of its readiness, in this round */
	shoal_us closed_at, acked_at; /* by its user; when anything was acknowledged last */

	/* sending: [una, nxt) is under way, [nxt, end) waits */
	struct utp_packet *packet; /* a ring of `packet_room`, a power of two, by seq */
	uint32_t packet_room;
	uint16_t una, nxt, end;
	uint16_t dup_acks;
	struct utp_page *page; /* the last packet's */
	uint32_t queued;       /* payload bytes not acknowledged, sent or not */
	uint32_t pipe;	       /* of those, bytes of packets believed under way */
	uint32_t outstanding;  /* bytes sent, not acknowledged: lost ones too */
	uint32_t lost_count;
	uint32_t their_window;
	bool fin_queued, spoke; /* its user has closed it; it has sent data, ever */
	shoal_us starved_until; /* no memory: it is looked at again then; 0: there was */
	bool force;		/* one packet goes whatever the windows say */
	bool tail_probed;
	struct shoal_ledbat ledbat;
	struct utp_losses loss;
	shoal_us srtt, rttvar, rto;
	unsigned timeouts; /* in a row; SYNs sent while dialling */
	shoal_us progress; /* the last ack that told something, or the first send of a flight */
	shoal_us stalled;  /* the first time-out since something was acknowledged; 0: none */
	shoal_us sent_at;  /* anything at all */
	uint64_t tokens;   /* bytes that pacing lets go now */
	shoal_us paced_at;
	shoal_us pace_until;		  /* held back by pacing till then; 0: not */
	uint32_t mtu, mtu_top, mtu_tried; /* works; may work, nothing more does; under way or lost, 0: none yet */
	shoal_us mtu_at;		  /* when probing ended */
	bool probing;

	/* receiving */
	uint16_t ack; /* all up to it are here */
	uint16_t fin; /* the last packet there will be */
	bool has_fin, eof, ack_due;
	bool ack_now;	       /* it does not wait for others */
	uint32_t ack_owed;     /* packets since the last */
	shoal_us acked_out_at; /* which was then */
	shoal_us short_until;  /* memory was refused */
	struct utp_chunk *in, *in_last, *in_spare;
	uint32_t in_bytes, early_bytes, early_count;
	uint16_t early_far;	  /* the furthest early packet, from `ack` */
	struct utp_chunk **early; /* EARLY_MAX of them, by seq; NULL while nothing is missing */
	uint32_t reply_delay;	  /* what we tell of how long theirs take */
};

struct utp_note { /* a datagram without a connection */
	struct shoal_addr to;
	uint8_t bytes[SHOAL_UTP_HEAD];
};

struct shoal_utp {
	struct shoal_utp_options o;
	struct shoal_heap timers;
	struct utp_conn **bucket;
	uint32_t buckets, count;
	struct utp_conn *last; /* that a datagram was for: the next is likely for it too */
	struct utp_list out, told, again;
	struct utp_note note[SHOAL_UTP_NOTES_MAX];
	uint32_t note_head, note_count;
	struct utp_page *spare; /* one empty page, charged */
	shoal_us now, hold_until;
	shoal_us resets_since;
	uint32_t resets;
	struct shoal_utp_stats stats;
	/* The train under way. */
	struct utp_conn *train;
	uint16_t train_seq, train_count; /* packets; 0: an ack or a note */
	bool train_note;
	uint8_t head[SHOAL_UTP_HEAD + 2 + SHOAL_UTP_SACK_MAX];
};

#define UTP_OF(timer_at) ((struct utp_conn *)(void *)((char *)(timer_at)-offsetof(struct utp_conn, timer)))

/* utp.c */
void utp_want_out(struct utp_conn *c);	 /* it may have something to send */
void utp_look_ready(struct utp_conn *c); /* it may have something to tell */
void utp_die(struct utp_conn *c, int err);
void utp_set_timer(struct utp_conn *c);
bool utp_take(struct shoal_utp *u, size_t bytes);
void utp_give(struct shoal_utp *u, size_t bytes);
/* The header all packets of `c` have. */
struct shoal_utp_head utp_head(const struct utp_conn *c, enum shoal_utp_type type, uint16_t seq);

struct utp_conn *utp_find(struct shoal_utp *u, const struct shoal_addr *addr, uint16_t recv_id);
/* In the state of a dial; NULL: no memory. */
struct utp_conn *utp_conn_new(struct shoal_utp *u, const struct shoal_addr *addr, uint16_t recv_id, uint16_t send_id,
			      uint16_t seq, shoal_us now);

/* utp_strangers.c */
/* To be sent without a connection, if there is room for it. */
void utp_note(struct shoal_utp *u, const struct shoal_addr *to, const struct shoal_utp_head *h);
/* A SYN: answered, and nothing is kept of it. */
void utp_greet(struct shoal_utp *u, const struct shoal_addr *from, const struct shoal_utp_head *h);
/* The first data of one we have greeted: it becomes a connection. NULL: it is none. */
struct utp_conn *utp_admit(struct shoal_utp *u, const struct shoal_addr *from, const struct shoal_utp_head *h);
/* It speaks of a connection we do not have: never answered with more than it was, nor often. */
void utp_refuse(struct shoal_utp *u, const struct shoal_addr *from, const struct shoal_utp_head *h);
/* A RESET. */
void utp_reset(struct shoal_utp *u, const struct shoal_addr *from, const struct shoal_utp_head *h);

static inline struct utp_packet *utp_packet_at(const struct utp_conn *c, uint16_t seq)
{
	return &c->packet[seq & (c->packet_room - 1)];
}

static inline size_t utp_packet_bytes(const struct utp_packet *p)
{
	return SHOAL_UTP_HEAD + (size_t)p->len;
}

/* It goes once more, whatever that says of the line. */
static inline void utp_send_again(struct utp_conn *c, struct utp_packet *p)
{
	p->lost = true;
	c->lost_count++;
	c->pipe -= p->len;
}

/* utp_out.c */
SHOAL_MUST int utp_out_init(struct utp_conn *c, uint16_t seq, shoal_us now);
void utp_out_fini(struct utp_conn *c);
size_t utp_out_room(const struct utp_conn *c);
ptrdiff_t utp_out_send(struct utp_conn *c, const struct shoal_bytes v[], size_t n);
void utp_out_fin(struct utp_conn *c);
/* All that was given to it has been acknowledged, FIN included. */
bool utp_out_done(const struct utp_conn *c);
/* false: it acknowledges what was never sent. */
SHOAL_MUST bool utp_out_acked(struct utp_conn *c, const struct shoal_utp_head *h, shoal_us now);
void utp_out_timer(struct utp_conn *c, shoal_us now);
shoal_us utp_out_deadline(const struct utp_conn *c);
/* The next train of data, if one may go. */
bool utp_out_train(struct utp_conn *c, struct shoal_utp_train *train, shoal_us now);
void utp_out_sent(struct utp_conn *c, uint16_t seq, uint16_t count, int rc);
/* A datagram of `size` bytes that asked for the path's width arrived, or was lost for it. */
void utp_out_probed(struct utp_conn *c, uint32_t size, bool good);

/* utp_loss.c */
void utp_loss_init(struct utp_conn *c, uint16_t seq, shoal_us now);
void utp_loss_measured(struct utp_conn *c, shoal_us rtt, uint32_t delay, shoal_us now);
/* An ack has come that tells of this delay, 0: of none; what it acknowledges follows. */
void utp_loss_heard(struct utp_conn *c, uint32_t delay, shoal_us now);
/* `seq` is being acknowledged for the first time. */
void utp_loss_acked(struct utp_conn *c, uint16_t seq, shoal_us now);
/* All that an ack has to say has been heard: what is lost by it? */
void utp_loss_look(struct utp_conn *c, shoal_us now);
void utp_loss_one(struct utp_conn *c, uint16_t seq);
/* Nothing has come for long: all under way is. */
void utp_loss_all(struct utp_conn *c);

/* utp_in.c */
SHOAL_MUST int utp_in_init(struct utp_conn *c);
void utp_in_fini(struct utp_conn *c);
void utp_in_packet(struct utp_conn *c, const struct shoal_utp_head *h);
ptrdiff_t utp_in_recv(struct utp_conn *c, const struct shoal_space v[], size_t n);
void utp_in_drop(struct utp_conn *c);		  /* nobody reads any more */
uint32_t utp_in_window(const struct utp_conn *c); /* bytes there is room for */
uint32_t utp_in_tell(const struct utp_conn *c);	  /* and how many they are told of */
/* An ack has gone out, alone or with data. */
void utp_in_told(struct utp_conn *c, shoal_us now);
/* When the one that is due goes: it waits for more packets where they come fast. */
shoal_us utp_in_ack_at(const struct utp_conn *c);
/* The selective ack there is to send; its length, 0: nothing is missing. */
size_t utp_in_sack(const struct utp_conn *c, uint8_t sack[SHOAL_UTP_SACK_MAX]);

#endif
