/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The NIC's private types: one offloaded connection and the calls between the
 * files of its TCP engine. host_*.c must not include this file.
 */
#ifndef _CHIM_NIC_H
#define _CHIM_NIC_H

#include <linux/hrtimer.h>
#include <linux/rhashtable-types.h>
#include <net/tcp.h>

#include "chimney.h"

/* RFC 6298 says 1 s; as Linux */
#define NIC_RTO_MIN_US		200000U
#define NIC_RTO_MAX_US		120000000U	/* RFC 6298 (2.5) */
#define NIC_RTO_INIT_US		1000000U	/* RFC 6298 (2.1) */
/* 0.1..1 s, RFC 9293 */
#define NIC_SWS_NS		(200 * NSEC_PER_MSEC)
/* 24 days, RFC 7323 5.5 */
#define NIC_PAWS_NS		(24LL * 86400 * NSEC_PER_SEC)
#define NIC_OOW_ACK_MS		500		/* ACK loop guard */
/* BRA-6 */
#define NIC_SYN_ACK_MS		3000
/* BRA-7 */
#define NIC_MITIGATE_NS		(300 * NSEC_PER_SEC)
#define NIC_IW_SEGS		10		/* restart window, RFC 6928 */
#define NIC_TELL_NS		NSEC_PER_SEC	/* until it tells again */
/* until a probe there was no memory for is tried again; as Linux */
#define NIC_AGAIN_MS		500
#define NIC_KA_PROBES		10		/* BLD-5 */
#define NIC_KA_INTERVAL_MS	1000		/* BLD-5 */
#define NIC_HELD_MAX		64		/* held back, SEC-8 */
#define NIC_OOO_MAX		1024		/* out of order, SEC-8 */
#define NIC_SACK_MAX		32		/* ranges of the scoreboard */
#define NIC_SACK_BLOCKS		4		/* that fit into a segment */
#define NIC_GSO_BYTES		65000U
/* received in one piece: bulk data */
#define NIC_BULK_SEGS		16

/**
 * struct nic_key - what a segment is matched by [SEC-10]
 * @cd: device it came in on
 * @laddr: our address, IPv4 as a mapped address
 * @raddr: the peer's address
 * @lport: our port, network order
 * @rport: the peer's port, network order
 */
struct nic_key {
	struct chim_dev *cd;
	struct in6_addr laddr;
	struct in6_addr raddr;
	__be16 lport;
	__be16 rport;
} __packed __aligned(4);

/**
 * struct nic_range - a range of sequence space
 * @start: first byte
 * @end: first byte behind it
 */
struct nic_range {
	u32 start;
	u32 end;
};

/**
 * struct nic_scoreboard - what the peer has SACKed, RFC 6675
 * @n: ranges in use
 * @r: sorted, disjoint and not adjacent, all between SND.UNA and SND.MAX
 */
struct nic_scoreboard {
	u32 n;
	struct nic_range r[NIC_SACK_MAX];
};

/**
 * struct nic_disorder - what a connection needs once segments are lost, out
 * of order or held back
 * @board: what the peer has SACKed
 * @ooo: segments received out of order, by sequence number; may overlap
 * @ooo_segs: segments in @ooo
 * @ooo_mem: their memory, bytes
 * @n_sacks: blocks in @sacks
 * @sacks: blocks of @ooo to report, the one that changed last comes first
 *	(RFC 2018 4); those that do not fit are forgotten
 * @dsack: received twice, to be reported once (RFC 2883); empty if none
 * @last_syn: when a SYN was last answered, ms, or 0
 * @held: segments held back, for the host or until start
 */
struct nic_disorder {
	struct nic_scoreboard board;
	struct rb_root ooo;
	u32 ooo_segs;
	u32 ooo_mem;
	u32 n_sacks;
	struct nic_range sacks[NIC_SACK_BLOCKS];
	struct nic_range dsack;
	u32 last_syn;
	struct sk_buff_head held;
};

/**
 * struct nic_queue - buffers in order; half the size of a list head
 * @tail: the last one, whose next is the first; NULL if there is none
 */
struct nic_queue {
	struct sk_buff *tail;
};

/* Bits of nic_conn.flags. */
#define NIC_LIVE		BIT(0)	/* segments are processed */
#define NIC_FIN_POSTED		BIT(1)	/* the host has closed its half */
#define NIC_RTT_TIMING		BIT(2)	/* rtt_seq and rtt_start are valid */
#define NIC_RECOVERY		BIT(3)	/* fast recovery up to recover */
#define NIC_PERSIST		BIT(4)	/* t_rtx is persist or in-round timer */
#define NIC_ACK_NOW		BIT(5)	/* an ACK is owed at once */
#define NIC_ACK_DELAY		BIT(6)	/* an ACK is owed by t_ack */
#define NIC_CONFIRM		BIT(7)	/* forward progress since last output */
#define NIC_CHALLENGED		BIT(8)	/* BRA-3: challenge ACK was sent */
#define NIC_MITIGATE		BIT(9)	/* BRA-7: t_ka runs for that */
#define NIC_EVENT		BIT(10)	/* told until the host has fetched */
#define NIC_LOSS		BIT(11)	/* after an RTO, up to recover */
#define NIC_HOLD		BIT(12)	/* segments wait */
#define NIC_ACK_DUE		BIT(13)	/* an ACK is left to the reader */
#define NIC_IPV6		BIT(14)	/* else IPv4, on the wire */

/**
 * struct nic_conn - one offloaded connection
 *
 * All members are under @lock but those that never change after initiate
 * (@key, @host, @c, @ip_id seed) and the hash linkage. Sequence variables have
 * their names from RFC 9293.
 *
 * @node: linkage in the connection table
 * @key: see there
 * @hash: transmit queue hash
 * @host: the host's handle, opaque
 * @lock: see above
 * @flags: NIC_*
 * @state: enum chimney_tcp_state
 * @reason: enum chimney_reason once the host was asked to upload, else 0
 * @dupacks: duplicate ACKs for @snd_una
 * @rtx_count: retransmissions by timeout of the segment at @snd_una
 * @backoff: doublings in force on the RTO
 * @probe_round: persist round
 * @ka_probes: unanswered keepalive probes
 * @ack_segs: full segments not yet acknowledged
 * @ecn: ECN flags of the host; TCP_ECN_DEMAND_CWR: echo ECE until CWR, RFC 3168
 * @cflags: const flags
 * @snd_wscale: window shift of the peer
 * @rcv_wscale: our window shift
 * @remote_mss: MSS of the peer
 * @ip_id: next IPv4 identification, 0x8000..0xffff [SND-14]
 * @dflags: reserved flags of the delegated state
 * @tsoffset: timestamp clock offset, ms
 * @snd_una: SND.UNA
 * @snd_nxt: next to send
 * @snd_max: highest sent
 * @snd_end: end of the data posted by the host; FIN comes here
 * @snd_wnd: peer's window
 * @max_snd_wnd: largest ever
 * @snd_wl1: SND.WL1
 * @snd_wl2: SND.WL2
 * @snd_sml: end of the last segment smaller than an MSS (Minshall)
 * @push_seq: data below is pushed, not held by MSG_MORE
 * @flush_seq: data below goes out, held by neither Nagle nor a cork
 * @cwnd: congestion window, bytes
 * @ssthresh: slow start threshold, bytes
 * @recover: recovery point
 * @high_rxt: highest byte retransmitted in this recovery
 * @srtt_us: smoothed RTT times 8; 0 = none
 * @rttvar_us: variation times 4
 * @rtt_seq: end of the segment being timed
 * @rtt_start: when it was sent, us
 * @mss: effective MSS, bytes of payload without SACK blocks
 * @rcv_nxt: RCV.NXT
 * @rcv_adv: right edge on offer
 * @rcv_edge: right edge the host can take
 * @ts_recent: TS.Recent
 * @last_ack: ACK number last sent, Last.ACK.sent of RFC 7323
 * @cached: cached state
 * @stats: counters
 * @ts_stamp: when @ts_recent was received, ns
 * @rtx_start: when the segment at @snd_una was first sent, if it timed out
 * @dwnd: reserved
 * @last_send: when data was last sent, us
 * @last_oow: when a pure out-of-window segment was last answered, ms, or 0
 * @ka_base: when the peer was last heard
 * @t_rtx: retransmit, persist or FIN_WAIT_2 deadline
 * @t_ka: keepalive deadline
 * @t_ack: delayed ACK deadline
 * @t_sws: send override deadline
 * @timer: fires at the earliest of these or before
 * @disorder: allocated when first needed
 * @rx_mem: bytes of memory in @rxq
 * @rxq: in-order segments for the host
 * @txq: clones of the host's buffers, from SND.UNA on
 * @rcu: for lookups that find a connection on its way out; it has no queues
 */
struct nic_conn {
	struct rhash_head node;
	struct nic_key key;
	u32 hash;
	struct chim_conn *host;
	spinlock_t lock; /* see above */
	u16 flags;
	u8 state;
	u8 reason;
	u8 dupacks;
	u8 rtx_count;
	u8 backoff;
	u8 probe_round;
	u8 ka_probes;
	u8 ack_segs;
	u8 ecn;
	u8 cflags;
	u8 snd_wscale;
	u8 rcv_wscale;
	u16 remote_mss;
	u16 ip_id;
	u16 dflags;
	u32 tsoffset;
	u32 snd_una;
	u32 snd_nxt;
	u32 snd_max;
	u32 snd_end;
	u32 snd_wnd;
	u32 max_snd_wnd;
	u32 snd_wl1;
	u32 snd_wl2;
	u32 snd_sml;
	u32 push_seq;
	u32 flush_seq;
	u32 cwnd;
	u32 ssthresh;
	u32 recover;
	u32 high_rxt;
	u32 srtt_us;
	u32 rttvar_us;
	u32 rtt_seq;
	u32 rtt_start;
	u32 mss;
	u32 rcv_nxt;
	u32 rcv_adv;
	u32 rcv_edge;
	u32 ts_recent;
	u32 last_ack;
	u32 dwnd;
	u32 last_send;
	u32 last_oow;
	struct chim_cached cached;
	struct chim_conn_stats stats;
	ktime_t ts_stamp;
	ktime_t rtx_start;
	ktime_t ka_base;
	ktime_t t_rtx;
	ktime_t t_ka;
	ktime_t t_ack;
	ktime_t t_sws;
	struct hrtimer timer;
	struct nic_disorder *disorder;
	u32 rx_mem;
	union {
		struct {
			struct nic_queue rxq;
			struct nic_queue txq;
		};
		struct rcu_head rcu;
	};
};

static inline bool nic_after(u32 a, u32 b)
{
	return (s32)(a - b) > 0;
}

static inline bool nic_before(u32 a, u32 b)
{
	return (s32)(a - b) < 0;
}

/* The peer has acknowledged everything that was ever sent. */
static inline bool nic_idle(const struct nic_conn *c)
{
	return c->snd_una == c->snd_max;
}

/* First sequence number behind all data and the FIN. */
static inline u32 nic_snd_limit(const struct nic_conn *c)
{
	return c->snd_end + !!(c->flags & NIC_FIN_POSTED);
}

static inline struct sk_buff *nic_queue_head(const struct nic_queue *q)
{
	return q->tail ? q->tail->next : NULL;
}

static inline struct sk_buff *nic_queue_next(const struct nic_queue *q,
					     const struct sk_buff *skb)
{
	return skb == q->tail ? NULL : skb->next;
}

static inline void nic_queue_add(struct nic_queue *q, struct sk_buff *skb)
{
	skb->prev = NULL;
	skb->next = q->tail ? q->tail->next : skb;
	if (q->tail)
		q->tail->next = skb;
	q->tail = skb;
}

static inline struct sk_buff *nic_queue_pop(struct nic_queue *q)
{
	struct sk_buff *skb = nic_queue_head(q);

	if (!skb)
		return NULL;
	if (skb == q->tail)
		q->tail = NULL;
	else
		q->tail->next = skb->next;
	skb_mark_not_on_list(skb);
	return skb;
}

static inline struct nic_scoreboard *nic_board(const struct nic_conn *c)
{
	return c->disorder ? &c->disorder->board : NULL;
}

/* The value of the timestamp clock [TS-2]. */
static inline u32 nic_ts_now(const struct nic_conn *c, ktime_t now)
{
	return (u32)ktime_to_ms(now) + c->tsoffset;
}

/* nic_conn.c APIs: */
void chim_nic_ask_upload(struct nic_conn *c, u8 reason);
void chim_nic_set_state(struct nic_conn *c, u8 state);
bool chim_nic_runs(struct nic_conn *c);
void chim_nic_unlock(struct nic_conn *c, bool tell_host)
	__releases(&c->lock);

/* nic_input.c APIs: */
void chim_nic_hold(struct nic_conn *c, struct sk_buff *skb);
void chim_nic_input(struct nic_conn *c, struct sk_buff *skb);

/* nic_reasm.c APIs: */
struct nic_disorder *chim_nic_disorder(struct nic_conn *c);
void chim_nic_ooo_load(struct nic_conn *c, struct rb_root *ooo);
void chim_nic_ooo_purge(struct nic_conn *c);
void chim_nic_ooo_add(struct nic_conn *c, struct sk_buff *skb);
struct sk_buff *chim_nic_ooo_next(struct nic_conn *c);
bool chim_nic_ooo_any(const struct nic_conn *c);
bool chim_nic_trim_head(struct sk_buff *skb, u32 n);
void chim_nic_dsack(struct nic_conn *c, u32 start, u32 end);
u32 chim_nic_sack_blocks(struct nic_conn *c, struct nic_range *r, u32 max);

/* nic_output.c APIs: */
void chim_nic_update_mss(struct nic_conn *c);
u32 chim_nic_pipe(const struct nic_conn *c);
void chim_nic_output(struct nic_conn *c, bool force);
void chim_nic_send_ack(struct nic_conn *c);
bool chim_nic_send_keepalive(struct nic_conn *c);
bool chim_nic_send_window_probe(struct nic_conn *c);
void chim_nic_retransmit_one(struct nic_conn *c);
void chim_nic_window_changed(struct nic_conn *c);
bool chim_nic_is_lost(const struct nic_conn *c, u32 seq);

/* nic_timer.c APIs: */
u32 chim_nic_rto_us(const struct nic_conn *c);
void chim_nic_rtt_sample(struct nic_conn *c, u32 rtt_us);
void chim_nic_arm(struct nic_conn *c);
void chim_nic_rtx_start(struct nic_conn *c, ktime_t now);
void chim_nic_rtx_restart(struct nic_conn *c, ktime_t now);
void chim_nic_persist_enter(struct nic_conn *c, ktime_t now);
void chim_nic_persist_acked(struct nic_conn *c, ktime_t now);
void chim_nic_activity(struct nic_conn *c, ktime_t now);
void chim_nic_mitigate(struct nic_conn *c, ktime_t now);
void chim_nic_ka_update(struct nic_conn *c, const struct chim_cached *old,
			u32 triggers);
void chim_nic_fin_wait2(struct nic_conn *c, ktime_t now);
enum hrtimer_restart chim_nic_timer(struct hrtimer *t);

#endif /* _CHIM_NIC_H */
