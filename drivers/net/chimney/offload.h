/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The chimney contract: the only way across between host and NIC.
 *
 * The host (host_*.c) is Linux TCP plus our shim; it owns sockets, routes and
 * neighbours. The NIC (nic_*.c) is the offload target; it owns the TCP engine
 * of every connection handed to it. Neither side reads the other's structs:
 * the host knows a &struct nic_conn only as a pointer, the NIC knows a
 * &struct chim_conn only as a pointer, and a real NIC could stand behind
 * &struct chim_nic_ops.
 *
 * Three classes of state cross [CLS-1..5]. Constant state never changes.
 * Cached state is owned by the host and reaches the NIC only by update.
 * Delegated state is owned by the NIC from start until
 * terminate returns it.
 *
 * Time: deadlines cross as absolute CLOCK_MONOTONIC nanoseconds, so that a
 * thousand hand-overs add no error. %CHIM_IDLE means the timer is not running;
 * a deadline in the past means it fires at once [TMR-3]. Ticks exist only at
 * the netlink edge.
 *
 * Lock order, outermost first:
 *   rtnl_mutex > sock lock (owned) > sk->sk_lock.slock > NIC connection lock
 * The NIC never calls a host callback with its connection lock held, except
 * @output, @path_mtu and @rcv_room, which take no locks of the host.
 */
#ifndef _CHIM_OFFLOAD_H
#define _CHIM_OFFLOAD_H

#include <linux/in6.h>
#include <linux/ktime.h>
#include <linux/rbtree.h>
#include <linux/skbuff.h>
#include <linux/types.h>
#include <uapi/linux/chimney.h>

struct chim_conn;
struct chim_dev;
struct netlink_ext_ack;
struct nic_conn;

/* A deadline that is not set: the timer is not running. */
#define CHIM_IDLE	KTIME_MAX

/* Cached flag known to host and NIC only: TCP_CORK is in force. */
#define CHIM_CACHED_CORK	BIT(7)
/* The level flags of cached state; the others are one-shot [BLD-42]. */
#define CHIM_CACHED_LEVEL	(CHIMNEY_CACHED_FLAG_KEEP_ALIVE | \
				 CHIMNEY_CACHED_FLAG_NAGLING | \
				 CHIM_CACHED_CORK)

/* Longest time to retransmit one segment: no limit [TCA-11]. */
#define CHIM_MAX_RT_UNLIMITED	U32_MAX

/**
 * struct chim_const - constant state [TCC-1..7]
 * @laddr: local address; IPv4 as a mapped address
 * @raddr: remote address; IPv4 as a mapped address
 * @lport: local port, network order
 * @rport: remote port, network order
 * @family: AF_INET or AF_INET6, as on the wire
 * @flags: bit set of enum chimney_const_flag
 * @snd_wscale: shift of windows the peer advertises, 0..14
 * @rcv_wscale: shift of windows we advertise, 0..14
 * @remote_mss: MSS the peer announced, bytes
 * @hash: hash for transmit queue selection
 * @tsoffset: added to CLOCK_MONOTONIC in ms to make the timestamp option's
 *	value; kept over every hand-over so that timestamps never step [TS-3]
 */
struct chim_const {
	struct in6_addr laddr;
	struct in6_addr raddr;
	__be16 lport;
	__be16 rport;
	u8 family;
	u8 flags;
	u8 snd_wscale;
	u8 rcv_wscale;
	u16 remote_mss;
	u32 hash;
	u32 tsoffset;
};

/**
 * struct chim_cached - cached state [TCA-1..15]
 * @flags: level flags, CHIM_CACHED_LEVEL
 * @ka_probe_count: unanswered probes that kill; 0 stands for 10 [BLD-5]
 * @ttl: IPv4 TTL or IPv6 hop limit
 * @tos: IPv4 TOS or IPv6 traffic class
 * @user_priority: 802.1p priority, 0..7
 * @ka_timeout: idle time before the first keepalive probe, ms
 * @ka_interval: time after an unanswered probe, ms; 0 stands for 1 s [BLD-5]
 * @max_rt: longest time to retransmit one segment, ms; 0 = by count,
 *	%CHIM_MAX_RT_UNLIMITED = for ever
 * @initial_rcv_wnd: receive window to aim for, bytes
 * @rcv_indication_size: hint only, bytes, 0 = as much as possible
 * @flow_label: IPv6 flow label, network order
 */
struct chim_cached {
	u8 flags;
	u8 ka_probe_count;
	u8 ttl;
	u8 tos;
	u8 user_priority;
	u32 ka_timeout;
	u32 ka_interval;
	u32 max_rt;
	u32 initial_rcv_wnd;
	u32 rcv_indication_size;
	__be32 flow_label;
};

/**
 * struct chim_delegated - delegated state [TCD-1..31]
 * @state: enum chimney_tcp_state
 * @flags: reserved for the host, preserved [TCD-3]
 * @ecn: ECN flags of the host, preserved; TCP_ECN_DEMAND_CWR is maintained
 * @dup_ack_count: duplicate ACKs counted for @snd_una
 * @snd_wnd_probe_count: round of window probes [TCD-21]
 * @ka_probe_count: keepalive probes sent and not answered
 * @rtx_count: retransmissions, or window probes of this round [TCD-24]
 * @backoff: number of doublings in force on the RTO; differs from @rtx_count
 *	after an ACK that gave no RTT sample (Karn)
 * @in_recovery: in loss recovery up to @recover
 * @rcv_nxt: RCV.NXT
 * @rcv_wnd: receive window on offer, bytes
 * @snd_una: SND.UNA
 * @snd_nxt: next to send; below @snd_max what lies between is due again
 * @snd_max: highest sequence number ever sent
 * @snd_wnd: window the peer offers, bytes
 * @max_snd_wnd: largest window the peer ever offered, bytes
 * @snd_wl1: SND.WL1
 * @cwnd: congestion window, bytes
 * @ssthresh: slow start threshold, bytes
 * @recover: recovery point when @in_recovery
 * @srtt_us: smoothed RTT in us, times 8; 0 = no sample yet
 * @rttvar_us: RTT variation in us, times 4
 * @ts_recent: TS.Recent
 * @ts_recent_age: when it was received, ns
 * @dwnd: reserved, carried unchanged [BLD-10]
 * @total_rt: time spent so far on the segment at @snd_una, ns; 0 = none
 * @keepalive: when the keepalive timer expires, ns
 * @ka_base: when the connection was last active, ns
 * @retransmit: when the retransmit, persist or FIN_WAIT_2 timer expires, ns
 * @override: when data goes out that a cork or the peer's small window holds
 *	back, ns
 * @send_data: bytes from SND.UNA that the NIC holds
 * @buffered_data: bytes below RCV.NXT that the NIC holds
 */
struct chim_delegated {
	u8 state;
	u8 ecn;
	u8 dup_ack_count;
	u8 snd_wnd_probe_count;
	u8 ka_probe_count;
	u8 rtx_count;
	u8 backoff;
	u8 in_recovery;
	u16 flags;
	u32 rcv_nxt;
	u32 rcv_wnd;
	u32 snd_una;
	u32 snd_nxt;
	u32 snd_max;
	u32 snd_wnd;
	u32 max_snd_wnd;
	u32 snd_wl1;
	u32 cwnd;
	u32 ssthresh;
	u32 recover;
	u32 srtt_us;
	u32 rttvar_us;
	u32 ts_recent;
	u32 dwnd;
	ktime_t ts_recent_age;
	u64 total_rt;
	ktime_t keepalive;
	ktime_t ka_base;
	ktime_t retransmit;
	ktime_t override;
	u32 send_data;
	u32 buffered_data;
};

/**
 * struct chim_conn_stats - what the NIC did for one connection
 * @segs_in: segments received
 * @segs_out: segments sent, retransmissions included
 * @retrans_segs: segments retransmitted
 * @bytes_in: payload bytes accepted
 * @bytes_out: payload bytes sent for the first time
 */
struct chim_conn_stats {
	u32 segs_in;
	u32 segs_out;
	u32 retrans_segs;
	u64 bytes_in;
	u64 bytes_out;
};

/**
 * struct chim_state - the state block of one connection
 * @constant: constant state
 * @cached: cached state
 * @delegated: delegated state
 * @stats: counters, filled by query and terminate
 */
struct chim_state {
	struct chim_const constant;
	struct chim_cached cached;
	struct chim_delegated delegated;
	struct chim_conn_stats stats;
};

/**
 * struct chim_indication - what the NIC has for the host
 * @data: in-order segments, TCP_SKB_CB() filled in, payload only; a segment
 *	with TCPHDR_FIN ends the stream [EVT-1]
 * @snd_una: everything below is sent and acknowledged [SND-6]
 * @snd_max: everything below has been sent
 * @cwnd: congestion window, bytes; for the host's send buffer
 * @srtt_us: smoothed RTT in us, times 8; for the host's receive buffer
 * @cached: cached state as the NIC has it, for the host to compare
 * @state: enum chimney_tcp_state
 * @reason: enum chimney_reason if the NIC asks for the upload, else 0
 */
struct chim_indication {
	struct sk_buff_head data;
	u32 snd_una;
	u32 snd_max;
	u32 cwnd;
	u32 srtt_us;
	struct chim_cached cached;
	u8 state;
	u8 reason;
};

/**
 * struct chim_nic_ops - calls of the host into the NIC
 *
 * @initiate: prepare to take a connection over; all that can fail [OFF-7].
 *	Locking: process, sock lock owned. May sleep. On success *nic names the
 *	connection, every segment passed up before is with the host, and those
 *	that come from now on wait in the NIC for @start or @cancel: none is
 *	between the two when the host saves its state. On failure the extack
 *	names the reason: %-ENOMEM, %-EADDRINUSE the tuple is already
 *	offloaded [OFF-12].
 * @cancel: the host has changed its mind after @initiate; moves the segments
 *	that came meanwhile to @held. No further call is legal but @release.
 *	Locking: process, sock lock owned.
 * @start: take the connection over and run it [OFF-2]. @sends holds the data
 *	from SND.UNA on, one clone per host buffer, TCP_SKB_CB()->seq and
 *	end_seq set; @ooo holds segments received out of order; the NIC takes
 *	both. @edge as for @credit.
 *	Locking: process, sock lock owned. Cannot fail.
 * @hold: process no more segments; they wait for @terminate, which follows
 *	soon: the host needs to see what comes from now on. Locking: as @send.
 * @query: read cached and delegated state, counters [QRY-1].
 *	Locking: any, BH-safe.
 * @update: replace the cached state; one-shot triggers in @triggers [UPD-1].
 *	Locking: process or BH; atomic with respect to packets [UPD-7].
 * @terminate: give the connection back [TRM-6]. Sends owed ACKs, stops the
 *	timers, fills @st, moves what the host has not fetched to @ind and
 *	segments held back for the host (urgent data, exact SYN) to @held.
 *	After it returned the NIC neither sends nor calls back; segments from
 *	the wire are passed up [TRM-9].
 *	Locking: process, sock lock owned. May sleep. Cannot fail: it needs no
 *	memory. No further call is legal but @release.
 * @release: free what @terminate left. Locking: process.
 * @send: more data to send; takes the clone [SND-1, SND-2].
 *	Locking: BH, slock held. Never refuses.
 * @disconnect: end of the send half: FIN after all data [DSC-6].
 *	Locking: as @send. Repeated calls have no effect.
 * @push: what was posted may go out now; if @flush all of it, held neither by
 *	Nagle nor by a cork. Locking: as @send.
 * @credit: a call of the program has ended, and the host can take data up to
 *	sequence number @edge.
 *	Locking: as @send.
 * @fetch: move everything the NIC has for the host to @ind.
 *	Locking: as @send. @ind->data is initialised by the callee.
 * @forward: a segment of this connection that reached the host [FWD-1..5];
 *	takes the skb, whose data starts at the TCP header and which has been
 *	verified by the host, with TCP_SKB_CB() filled in. Locking: as @send.
 */
struct chim_nic_ops {
	int (*initiate)(struct chim_dev *cd, struct chim_conn *host,
			const struct chim_const *k, struct nic_conn **nic,
			struct netlink_ext_ack *extack);
	void (*cancel)(struct nic_conn *nic, struct sk_buff_head *held);
	void (*start)(struct nic_conn *nic, const struct chim_state *st,
		      struct sk_buff_head *sends, struct rb_root *ooo,
		      u32 edge, bool ack_owed);
	void (*hold)(struct nic_conn *nic);
	void (*query)(struct nic_conn *nic, struct chim_state *st);
	void (*update)(struct nic_conn *nic, const struct chim_cached *cached,
		       u32 triggers);
	void (*terminate)(struct nic_conn *nic, struct chim_state *st,
			  struct chim_indication *ind,
			  struct sk_buff_head *held);
	void (*release)(struct nic_conn *nic);
	void (*send)(struct nic_conn *nic, struct sk_buff *skb);
	void (*disconnect)(struct nic_conn *nic);
	void (*push)(struct nic_conn *nic, bool flush);
	void (*credit)(struct nic_conn *nic, u32 edge);
	void (*fetch)(struct nic_conn *nic, struct chim_indication *ind);
	void (*forward)(struct nic_conn *nic, struct sk_buff *skb);
};

/**
 * struct chim_host_ops - calls of the NIC into the host
 *
 * @indicate: there is something to fetch, or an upload is asked for.
 *	Locking: BH, no NIC lock held. May call back into @fetch, @send, ...
 *	before it returns. May be called any number of times.
 * @output: send an IP datagram: the host finds neighbour and link header.
 *	Locking: BH, NIC connection lock held. Takes the skb in any case.
 *	@confirm: forward progress proved the neighbour reachable [NUD-2].
 * @path_mtu: path MTU in bytes, 0 if there is no route [PTH-3].
 *	Locking: as @output.
 * @policy_ok: whether the host's IPsec policy lets a segment in; network and
 *	transport header are set, data is at the latter.
 *	Locking: BH, no lock of the NIC held.
 * @rcv_room: whether the host's receive buffer can take more data than the
 *	bytes of memory that wait for it already [SEC-8].
 *	Locking: as @output.
 */
struct chim_host_ops {
	void (*indicate)(struct chim_conn *host);
	void (*output)(struct chim_conn *host, struct sk_buff *skb,
		       bool confirm);
	u32 (*path_mtu)(struct chim_conn *host);
	bool (*policy_ok)(struct sk_buff *skb);
	bool (*rcv_room)(struct chim_conn *host, u32 waiting);
};

extern const struct chim_nic_ops chim_nic_ops;
extern const struct chim_host_ops chim_host_ops;

#endif /* _CHIM_OFFLOAD_H */
