// SPDX-License-Identifier: GPL-2.0
/*
 * struct tcp_sock to state block and back.
 * Called by host_offload.c and host_sock.c with the sock lock owned or slock
 * held. Restores what the host's timers are computed from, so that the next
 * event happens when it would have happened.
 */
#include <linux/random.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/tcp.h>

#include "host.h"

/* While a connection is offloaded nothing from the wire may be acceptable to
 * the host: its window begins at least this far ahead of what it has received,
 * at a place that nobody can know, and has no size.
 */
#define CHIM_SHIELD	BIT(29)

/* One pair of readings ties jiffies to CLOCK_MONOTONIC for the life of the
 * module. The conversion is exact in both directions for whole jiffies, so
 * that hand-overs back and forth do not drift.
 */
static ktime_t chim_base_ns __ro_after_init;
static u64 chim_base_jiffies __ro_after_init;

static const u8 chim_state_to_wdk[] = {
	[TCP_ESTABLISHED] = CHIMNEY_TCP_STATE_ESTABLISHED,
	[TCP_FIN_WAIT1] = CHIMNEY_TCP_STATE_FIN_WAIT1,
	[TCP_FIN_WAIT2] = CHIMNEY_TCP_STATE_FIN_WAIT2,
	[TCP_CLOSE_WAIT] = CHIMNEY_TCP_STATE_CLOSE_WAIT,
	[TCP_CLOSING] = CHIMNEY_TCP_STATE_CLOSING,
	[TCP_LAST_ACK] = CHIMNEY_TCP_STATE_LAST_ACK,
	[TCP_TIME_WAIT] = CHIMNEY_TCP_STATE_TIME_WAIT,
	[TCP_CLOSE] = CHIMNEY_TCP_STATE_CLOSED,
};

/**
 * chim_state_to_linux - TCP state of the contract to TCP_* of Linux
 * @state: enum chimney_tcp_state
 *
 * Return: TCP_ESTABLISHED etc.; TCP_CLOSE for what a connection cannot be in.
 */
int chim_state_to_linux(u8 state)
{
	int i;

	for (i = 1; i < ARRAY_SIZE(chim_state_to_wdk); i++)
		if (chim_state_to_wdk[i] == state)
			return i;
	return TCP_CLOSE;
}

/**
 * chim_state_init - tie jiffies to the clock
 */
void __init chim_state_init(void)
{
	u64 j = get_jiffies_64();
	int spin;

	/* On an edge, so that the conversion is true to less than a jiffy. */
	for (spin = 0; !time_after64(get_jiffies_64(), j) && spin < 1000;
	     spin++)
		usleep_range(10, 20);
	chim_base_jiffies = get_jiffies_64();
	chim_base_ns = ktime_get();
}

static ktime_t chim_from_jiffies(unsigned long j)
{
	/* Extend to 64 bits around now. */
	u64 now = get_jiffies_64();
	s64 d = (s64)(now - chim_base_jiffies) + (long)(j - (unsigned long)now);

	return ktime_add_ns(chim_base_ns, d * TICK_NSEC);
}

static unsigned long chim_to_jiffies(ktime_t t)
{
	s64 d = ktime_to_ns(ktime_sub(t, chim_base_ns));

	/* Up: never before it is due. */
	d = div_s64(d >= 0 ? d + TICK_NSEC - 1 : d, TICK_NSEC);
	return (unsigned long)(chim_base_jiffies + d);
}

/**
 * chim_state_save_const - fill in the constant state of a socket
 * @sk: connected socket
 * @k: all of it is written
 *
 * Context: process, sock lock owned.
 */
void chim_state_save_const(const struct sock *sk, struct chim_const *k)
{
	const struct inet_sock *inet = inet_sk(sk);
	const struct tcp_sock *tp = tcp_sk(sk);

	memset(k, 0, sizeof(*k));
	k->family = chim_wire_family(sk);
	if (k->family == AF_INET) {
		ipv6_addr_set_v4mapped(inet->inet_saddr, &k->laddr);
		ipv6_addr_set_v4mapped(inet->inet_daddr, &k->raddr);
#if IS_ENABLED(CONFIG_IPV6)
	} else {
		k->laddr = inet6_sk(sk)->saddr;
		k->raddr = sk->sk_v6_daddr;
#endif
	}
	k->lport = inet->inet_sport;
	k->rport = inet->inet_dport;
	if (tp->rx_opt.tstamp_ok)
		k->flags |= CHIMNEY_CONST_FLAG_TIMESTAMP;
	if (tcp_is_sack(tp))
		k->flags |= CHIMNEY_CONST_FLAG_SACK;
	if (tp->rx_opt.wscale_ok)
		k->flags |= CHIMNEY_CONST_FLAG_WINDOW_SCALING;
	k->snd_wscale = tp->rx_opt.snd_wscale;
	k->rcv_wscale = tp->rx_opt.rcv_wscale;
	k->remote_mss = tp->rx_opt.mss_clamp;
	k->hash = sk->sk_txhash;
	k->tsoffset = tp->tsoffset; /* TS-7 */
}

static void chim_save_keepalive(struct sock *sk,
				struct chim_delegated *d)
{
	const struct inet_connection_sock *icsk = inet_csk(sk);
	const struct timer_list *t = chim_keepalive_timer(sk);
	const struct tcp_sock *tp = tcp_sk(sk);
	unsigned long now = jiffies;
	ktime_t due;

	/* As keepalive_time_elapsed(), of one and the same moment. */
	d->ka_base = chim_from_jiffies(now -
				       min((u32)now - icsk->icsk_ack.lrcvtime,
					   (u32)now - tp->rcv_tstamp));
	d->keepalive = CHIM_IDLE;
	if (!sock_flag(sk, SOCK_KEEPOPEN) || !timer_pending(t))
		return;
	d->keepalive = chim_from_jiffies(t->expires);
	if (!tp->packets_out && tcp_write_queue_empty(sk))
		d->ka_probe_count = icsk->icsk_probes_out;
	if (d->ka_probe_count)
		return;
	/* The host's timer is lazy: at its expiry it looks how long the
	 * connection has really been idle, and waits for the rest.
	 */
	due = ktime_add_ns(d->ka_base,
			   (u64)keepalive_time_when(tp) * TICK_NSEC);
	d->keepalive = max(d->keepalive, due);
}

/* The window is closed and its probe not acknowledged: to the host that is a
 * retransmission, whose RTO tells how often it was doubled [PST-7].
 */
static void chim_save_persist(const struct sock *sk, struct chim_delegated *d)
{
	const struct inet_connection_sock *icsk = inet_csk(sk);
	u32 base = max(__tcp_set_rto(tcp_sk(sk)), 1U);
	int doubled = max(fls(icsk->icsk_rto / base), 1) - 1;

	if (icsk->icsk_retransmits)
		d->rtx_count = doubled + 1;
	else
		d->snd_wnd_probe_count = doubled;
}

static void chim_save_retransmit(struct sock *sk, struct chim_delegated *d)
{
	const struct inet_connection_sock *icsk = inet_csk(sk);
	const struct tcp_sock *tp = tcp_sk(sk);

	d->override = CHIM_IDLE;
	d->retransmit = CHIM_IDLE;
	switch (icsk->icsk_pending) {
	case ICSK_TIME_RETRANS:
		d->retransmit = chim_from_jiffies(tcp_timeout_expires(sk));
		break;
	case ICSK_TIME_LOSS_PROBE:
	case ICSK_TIME_REO_TIMEOUT:
		/* Stands in for the RTO, which counts from the last send. */
		if (tcp_rtx_queue_head(sk))
			d->retransmit = ktime_add_ns(ktime_get(),
						     tcp_rto_delta_us(sk) *
						     NSEC_PER_USEC);
		break;
	case ICSK_TIME_PROBE0:
		if (tp->snd_wnd) {
			d->override =
				chim_from_jiffies(tcp_timeout_expires(sk));
			return;
		}
		d->retransmit = chim_from_jiffies(tcp_timeout_expires(sk));
		if (icsk->icsk_probes_out) /* PST-7 */
			d->rtx_count = max_t(u8, icsk->icsk_backoff, 1);
		else
			d->snd_wnd_probe_count = icsk->icsk_backoff;
		return;
	}
	if (!tp->snd_wnd && d->retransmit != CHIM_IDLE)
		chim_save_persist(sk, d);
	else
		d->rtx_count = icsk->icsk_retransmits;
	d->backoff = icsk->icsk_backoff;
	if (icsk->icsk_retransmits && tp->retrans_stamp)
		d->total_rt = (u64)(u32)(tcp_clock_ms() -
					 tp->retrans_stamp) * NSEC_PER_MSEC;
}

/* SND.NXT of the contract: behind what was resent since the timeout. */
static u32 chim_save_snd_nxt(struct sock *sk)
{
	struct sk_buff *skb = tcp_rtx_queue_head(sk);
	u32 nxt = tcp_sk(sk)->snd_una;

	if (inet_csk(sk)->icsk_ca_state != TCP_CA_Loss)
		return tcp_sk(sk)->snd_nxt;
	for (; skb; skb = skb_rb_next(skb)) {
		if (!(TCP_SKB_CB(skb)->sacked & TCPCB_SACKED_RETRANS))
			return nxt;
		nxt = TCP_SKB_CB(skb)->end_seq;
	}
	return tcp_sk(sk)->snd_nxt;
}

static u32 chim_mss(const struct sock *sk)
{
	return max_t(u32, tcp_sk(sk)->mss_cache, 64);
}

/**
 * chim_state_save - fill a state block from a socket
 * @sk: socket that was admitted
 * @st: state block, all of it written but the counters
 *
 * Context: process, sock lock owned.
 */
void chim_state_save(struct sock *sk, struct chim_state *st)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	struct chim_delegated *d = &st->delegated;
	u32 mss = chim_mss(sk);

	memset(st, 0, sizeof(*st));
	chim_state_save_const(sk, &st->constant);
	chim_cached_refresh(sk, &st->cached);

	d->state = chim_state_to_wdk[sk->sk_state];
	d->ecn = tp->ecn_flags;
	d->rcv_nxt = tp->rcv_nxt;
	d->rcv_wnd = tcp_receive_window(tp);
	d->snd_una = tp->snd_una;
	d->snd_max = tp->snd_nxt;
	d->snd_nxt = chim_save_snd_nxt(sk);
	d->snd_wnd = tp->snd_wnd;
	d->max_snd_wnd = tp->max_window;
	d->snd_wl1 = tp->snd_wl1;
	d->cwnd = min_t(u64, (u64)tcp_snd_cwnd(tp) * mss, 1U << 30);
	d->ssthresh = min_t(u64, (u64)tp->snd_ssthresh * mss, INT_MAX);
	d->in_recovery = inet_csk(sk)->icsk_ca_state == TCP_CA_Loss;
	d->recover = tp->high_seq;
	d->srtt_us = tp->srtt_us;
	d->rttvar_us = tp->rttvar_us;
	if (tcp_is_reno(tp))
		d->dup_ack_count = min_t(u32, tp->sacked_out, U8_MAX);
	d->ts_recent = tp->rx_opt.ts_recent;
	d->ts_recent_age = ktime_set(tp->rx_opt.ts_recent_stamp, 0);
	chim_save_keepalive(sk, d);
	chim_save_retransmit(sk, d);
	d->send_data = tp->write_seq - tp->snd_una;
	d->buffered_data = tcp_inq(sk);
}

static void chim_stop_timers(struct sock *sk)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	struct tcp_sock *tp = tcp_sk(sk);

	if (hrtimer_try_to_cancel(&tp->pacing_timer) == 1)
		__sock_put(sk);
	if (hrtimer_try_to_cancel(&tp->compressed_ack_timer) == 1)
		__sock_put(sk);
	/* A handler that runs right now looks without the lock. */
	WRITE_ONCE(icsk->icsk_pending, 0);
	WRITE_ONCE(icsk->icsk_ack.pending, 0);
	sk_stop_timer(sk, chim_retransmit_timer(sk));
	sk_stop_timer(sk, &icsk->icsk_delack_timer);
	sk_stop_timer(sk, chim_keepalive_timer(sk));
}

/**
 * chim_state_shield - make the socket inert while the NIC runs it
 * @sk: socket
 *
 * The host's own TCP code goes on to run for socket calls. With nothing in
 * the peer's window and something in flight it sends nothing and its timers
 * do nothing; with its receive window far ahead it accepts nothing from the
 * wire. The receive window is moved along by chim_state_shield_rcv().
 *
 * Context: process, sock lock owned.
 */
void chim_state_shield(struct sock *sk)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	struct tcp_sock *tp = tcp_sk(sk);
	struct sk_buff *skb;

	chim_stop_timers(sk);
	tp->compressed_ack = 0;
	icsk->icsk_ca_state = TCP_CA_Open;
	icsk->icsk_retransmits = 0;
	icsk->icsk_backoff = 0;
	icsk->icsk_probes_out = 0;
	icsk->icsk_mtup.enabled = 0;
	icsk->icsk_mtup.probe_size = 0;
	skb_rbtree_walk(skb, &sk->tcp_rtx_queue) {
		TCP_SKB_CB(skb)->sacked = 0;
		tcp_skb_pcount_set(skb, 0);
		TCP_SKB_CB(skb)->tcp_gso_size = 0;
	}
	tp->sacked_out = 0;
	tp->lost_out = 0;
	tp->retrans_out = 0;
	tp->packets_out = 1;
	tp->snd_wnd = 0;
	tp->pred_flags = 0;
	tp->tlp_high_seq = 0;
	tp->undo_marker = 0;
	tp->snd_up = tp->snd_una;
	tp->rx_opt.num_sacks = 0;
	tp->rx_opt.dsack = 0;
	tcp_clear_all_retrans_hints(tp);
	tp->highest_sack = NULL;
	chim_state_shield_rcv(sk);
}

/**
 * chim_state_shield_rcv - RCV.NXT moved: move the receive window along
 * @sk: socket
 *
 * Its right edge lies one byte before its left one. A segment without data is
 * on the wrong side of one of them, whatever its number; one with data would
 * have to lie across both. Read as an amount the window is large, so that a
 * program that reads sees no need to announce more.
 */
void chim_state_shield_rcv(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);

	tp->rcv_wup = tp->rcv_nxt + CHIM_SHIELD +
		      get_random_u32() % CHIM_SHIELD;
	tp->rcv_wnd = -1;
	chim_set_max_window(tp);
}

/* Cut skb, which is in the retransmit queue, behind len bytes of payload.
 * The rest becomes a buffer of its own behind it, in no queue.
 */
static struct sk_buff *chim_split(struct sock *sk, struct sk_buff *skb,
				  u32 len)
{
	struct tcp_skb_cb *cb = TCP_SKB_CB(skb), *rcb;
	u32 linear = skb_headlen(skb) > len ? skb_headlen(skb) - len : 0;
	struct sk_buff *rest;
	int delta;

	/* An upload cannot fail: this may wait, in process context. */
	rest = alloc_skb_fclone(MAX_TCP_HEADER + linear,
				GFP_KERNEL | __GFP_NOFAIL);
	skb_reserve(rest, MAX_TCP_HEADER);
	INIT_LIST_HEAD(&rest->tcp_tsorted_anchor);
	rest->ip_summed = CHECKSUM_PARTIAL;
	rcb = TCP_SKB_CB(rest);
	*rcb = *cb;
	delta = skb->truesize;
	/* A copy of it may still be on its way out. */
	if (skb_cloned(skb))
		WARN_ON(pskb_expand_head(skb, 0, 0,
					 GFP_KERNEL | __GFP_NOFAIL));
	skb->truesize = delta;
	rcb->seq = cb->seq + len;
	cb->end_seq = rcb->seq;
	cb->tcp_flags &= ~(TCPHDR_FIN | TCPHDR_PSH);
	cb->eor = 0;
	skb_split(skb, rest, len);
	rest->truesize += rest->data_len;
	skb->truesize -= min_t(u32, rest->data_len,
			       skb->truesize - SKB_TRUESIZE(0));
	__skb_header_release(rest);
	delta = rest->truesize + skb->truesize - delta;
	sk_wmem_queued_add(sk, delta);
	sk_mem_charge(sk, delta);
	return rest;
}

/* Put behind the last of the retransmit queue. */
static void chim_rtx_insert_after(struct sock *sk, struct sk_buff *prev,
				  struct sk_buff *skb)
{
	struct rb_node **p = &sk->tcp_rtx_queue.rb_node, *parent = NULL;

	if (prev) {
		parent = &prev->rbnode;
		p = &parent->rb_right;
		if (*p) {
			parent = *p;
			while (parent->rb_left)
				parent = parent->rb_left;
			p = &parent->rb_left;
		}
	} else {
		while (*p) {
			parent = *p;
			p = &parent->rb_right;
		}
	}
	rb_link_node(&skb->rbnode, parent, p);
	rb_insert_color(&skb->rbnode, &sk->tcp_rtx_queue);
	if (prev)
		list_add(&skb->tcp_tsorted_anchor, &prev->tcp_tsorted_anchor);
	else
		list_add_tail(&skb->tcp_tsorted_anchor,
			      &tcp_sk(sk)->tsorted_sent_queue);
}

/**
 * chim_state_rtx_append - move the send head to the retransmit queue
 * @sk: socket
 * @skb: head of the write queue, has just been posted to the NIC
 *
 * Context: slock held or sock lock owned.
 */
void chim_state_rtx_append(struct sock *sk, struct sk_buff *skb)
{
	__skb_unlink(skb, &sk->sk_write_queue);
	TCP_SKB_CB(skb)->sacked = 0;
	tcp_skb_pcount_set(skb, 0);
	TCP_SKB_CB(skb)->tcp_gso_size = 0;
	list_del_init(&skb->tcp_tsorted_anchor);
	chim_rtx_insert_after(sk, NULL, skb);
}

/* Make a buffer boundary at seq, if seq lies within the retransmit queue. */
static void chim_boundary(struct sock *sk, u32 seq)
{
	struct sk_buff *skb, *rest;

	skb_rbtree_walk(skb, &sk->tcp_rtx_queue) {
		const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);

		if (before(cb->seq, seq) && before(seq, cb->end_seq)) {
			rest = chim_split(sk, skb, seq - cb->seq);
			chim_rtx_insert_after(sk, skb, rest);
			return;
		}
	}
}

/* What was posted but never sent goes back to the write queue [OFS-5]. */
static void chim_unpost(struct sock *sk, u32 snd_max)
{
	struct sk_buff *skb;

	chim_boundary(sk, snd_max);
	while ((skb = skb_rb_last(&sk->tcp_rtx_queue)) &&
	       !before(TCP_SKB_CB(skb)->seq, snd_max)) {
		rb_erase(&skb->rbnode, &sk->tcp_rtx_queue);
		list_del_init(&skb->tcp_tsorted_anchor);
		__skb_queue_head(&sk->sk_write_queue, skb);
	}
}

/* The peer has acknowledged part of the first buffer. The host would have cut
 * that off when the ACK came; if it has to at a retransmission, the segments
 * it counts in flight are never all acknowledged.
 */
static void chim_trim_acked(struct sock *sk)
{
	u32 una = tcp_sk(sk)->snd_una;
	struct sk_buff *skb;

	chim_boundary(sk, una);
	while ((skb = tcp_rtx_queue_head(sk)) &&
	       !after(TCP_SKB_CB(skb)->end_seq, una))
		tcp_rtx_queue_unlink_and_free(skb, sk);
}

/* Count the retransmit queue the way the host does, in segments; mark what
 * is lost and what was resent. Nothing here gives an RTT sample [RT3].
 */
static void chim_count_rtx(struct sock *sk, const struct chim_delegated *d)
{
	bool loss = d->in_recovery, after_rto = before(d->snd_nxt, d->snd_max);
	struct tcp_sock *tp = tcp_sk(sk);
	u32 mss = chim_mss(sk);
	u64 now = tcp_clock_ns();
	struct sk_buff *skb;

	if (loss && after_rto)
		chim_boundary(sk, d->snd_nxt);
	else if (loss && after(d->snd_max, d->snd_una + mss))
		chim_boundary(sk, d->snd_una + mss);

	tp->packets_out = 0;
	skb_rbtree_walk(skb, &sk->tcp_rtx_queue) {
		struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
		u32 segs = 1;

		cb->tcp_gso_size = 0;
		if (skb->len > mss) {
			segs = DIV_ROUND_UP(skb->len, mss);
			cb->tcp_gso_size = mss;
		}
		tcp_skb_pcount_set(skb, segs);
		cb->sacked = TCPCB_REPAIRED;
		skb->skb_mstamp_ns = now;
		tp->packets_out += segs;
		if (!loss)
			continue;
		/* Where recovery began is lost, and has been sent again. */
		if (before(cb->seq, after_rto ? d->snd_nxt : d->snd_una + 1)) {
			cb->sacked |= TCPCB_LOST | TCPCB_SACKED_RETRANS |
				      TCPCB_EVER_RETRANS;
			tp->lost_out += segs;
			tp->retrans_out += segs;
		} else if (after_rto) {
			cb->sacked |= TCPCB_LOST;
			tp->lost_out += segs;
		}
	}
	/* Else the next ACK that acknowledges nothing makes the host forget
	 * when this began, and from then on it counts from its own boot.
	 */
	skb = tcp_rtx_queue_head(sk);
	if (skb && d->rtx_count)
		TCP_SKB_CB(skb)->sacked |= TCPCB_EVER_RETRANS;
	tcp_clear_all_retrans_hints(tp);
	tcp_highest_sack_reset(sk);
}

static void chim_restore_congestion(struct sock *sk,
				    const struct chim_delegated *d)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	struct tcp_sock *tp = tcp_sk(sk);
	u32 mss = chim_mss(sk);
	u8 state = TCP_CA_Open;

	if ((d->in_recovery || d->rtx_count) && tp->packets_out)
		state = before(d->snd_nxt, d->snd_max) || d->rtx_count ?
			TCP_CA_Loss : TCP_CA_Recovery;
	/* What the module knew is of before the offload: CUBIC would count the
	 * time since then as spent without loss (RFC 9438 4.2). It may change
	 * the window and the threshold here.
	 */
	if (icsk->icsk_ca_ops->set_state)
		icsk->icsk_ca_ops->set_state(sk, TCP_CA_Loss);
	tcp_snd_cwnd_set(tp, clamp_t(u32, DIV_ROUND_UP(d->cwnd, mss), 1,
				     tp->snd_cwnd_clamp));
	tp->snd_ssthresh = d->ssthresh >= INT_MAX ? TCP_INFINITE_SSTHRESH :
			   max(d->ssthresh / mss, 2U);
	tp->snd_cwnd_cnt = 0;
	tp->snd_cwnd_stamp = tcp_jiffies32;
	tp->prior_ssthresh = 0;
	tp->high_seq = state == TCP_CA_Open ? d->snd_una : d->snd_max;
	tp->undo_marker = 0;
	tp->undo_retrans = -1;
	tp->frto = 0;
	tp->prr_delivered = 0;
	tp->prr_out = 0;
	tp->prior_cwnd = tcp_snd_cwnd(tp);
	if (icsk->icsk_ca_ops->set_state)
		icsk->icsk_ca_ops->set_state(sk, state);
	icsk->icsk_ca_state = state;

	if (d->srtt_us) {
		tp->srtt_us = d->srtt_us;
		tp->mdev_us = max(d->rttvar_us, 1U);
		tp->rttvar_us = max_t(u32, d->rttvar_us,
				      tcp_rto_min_us(sk));
		tp->mdev_max_us = tp->rttvar_us;
		tp->rtt_seq = d->snd_max;
		icsk->icsk_rto = usecs_to_jiffies((tp->srtt_us >> 3) +
						  tp->rttvar_us);
		icsk->icsk_rto = min_t(u32, icsk->icsk_rto, tcp_rto_max(sk));
	}
}

static unsigned long chim_jiffies_left(ktime_t due)
{
	long left = (long)(chim_to_jiffies(due) - jiffies);

	return max(left, 0L);
}

static void chim_restore_retransmit(struct sock *sk,
				    const struct chim_delegated *d)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	struct tcp_sock *tp = tcp_sk(sk);
	u8 shift = d->backoff;

	if (!d->snd_wnd && d->retransmit != CHIM_IDLE) /* PST-7 */
		shift = d->rtx_count ? d->rtx_count - 1 :
				       d->snd_wnd_probe_count;
	shift = min_t(u8, shift, 12);
	icsk->icsk_retransmits = 0;
	icsk->icsk_backoff = 0;
	icsk->icsk_probes_out = 0;
	icsk->icsk_probes_tstamp = 0;
	tp->retrans_stamp = 0;
	if (d->state == CHIMNEY_TCP_STATE_FIN_WAIT2)
		return;
	if (tp->packets_out) {
		icsk->icsk_retransmits = d->rtx_count;
		icsk->icsk_backoff = d->backoff;
		icsk->icsk_rto = min_t(u64, (u64)icsk->icsk_rto << shift,
				       tcp_rto_max(sk));
		if (d->rtx_count || d->total_rt) /* 0 is none */
			tp->retrans_stamp = (u32)(tcp_clock_ms() -
				div_u64(d->total_rt, NSEC_PER_MSEC)) ? : 1;
		inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS,
					  d->retransmit == CHIM_IDLE ?
					  icsk->icsk_rto :
					  chim_jiffies_left(d->retransmit),
					  tcp_rto_max(sk));
	} else if (!d->snd_wnd && d->retransmit != CHIM_IDLE) { /* PST-7 */
		icsk->icsk_probes_out = d->rtx_count;
		icsk->icsk_backoff = d->rtx_count ? : d->snd_wnd_probe_count;
		if (d->rtx_count)
			icsk->icsk_probes_tstamp = tcp_jiffies32 -
				usecs_to_jiffies(div_u64(d->total_rt,
							 NSEC_PER_USEC));
		inet_csk_reset_xmit_timer(sk, ICSK_TIME_PROBE0,
					  chim_jiffies_left(d->retransmit),
					  tcp_rto_max(sk));
	} else if (tcp_send_head(sk)) {
		/* What waits is not to wait for ever (RFC 2525 2.12). */
		inet_csk_reset_xmit_timer(sk, ICSK_TIME_PROBE0,
					  d->override == CHIM_IDLE ?
					  tcp_probe0_base(sk) :
					  chim_jiffies_left(d->override),
					  tcp_rto_max(sk));
	}
}

/* The host computes from rcv_tstamp and lrcvtime how long the connection has
 * been idle, and starts over if that is too little: set all three [KA-8].
 */
static void chim_restore_keepalive(struct sock *sk,
				   const struct chim_delegated *d)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	struct tcp_sock *tp = tcp_sk(sk);
	unsigned long due, active;

	active = chim_to_jiffies(d->ka_base);
	if (time_after(active, jiffies))
		active = jiffies;
	if (d->keepalive == CHIM_IDLE || !sock_flag(sk, SOCK_KEEPOPEN)) {
		sk_stop_timer(sk, chim_keepalive_timer(sk));
		tp->rcv_tstamp = (u32)active;
		icsk->icsk_ack.lrcvtime = (u32)active;
		return;
	}
	due = chim_to_jiffies(d->keepalive);
	if (time_before(due, jiffies))
		due = jiffies;
	/* With probes out it has been idle for long enough, unless more is
	 * allowed since; what has not passed must not count against
	 * TCP_USER_TIMEOUT [KA13].
	 */
	if (!d->ka_probe_count &&
	    time_after(active, due - keepalive_time_when(tp)))
		active = due - keepalive_time_when(tp);
	tp->rcv_tstamp = (u32)active;
	icsk->icsk_ack.lrcvtime = (u32)active;
	if (d->ka_probe_count && !icsk->icsk_pending)
		icsk->icsk_probes_out = d->ka_probe_count;
	sk_reset_timer(sk, chim_keepalive_timer(sk), due);
}

/**
 * chim_state_restore - make a shielded socket run again from a state block
 * @sk: socket, everything the NIC had received and sent already applied
 * @st: state handed back by the NIC
 * @conn: connection
 *
 * Context: process, sock lock owned. May sleep. Cannot fail.
 */
void chim_state_restore(struct sock *sk, const struct chim_state *st,
			const struct chim_conn *conn)
{
	const struct chim_delegated *d = &st->delegated;
	struct inet_connection_sock *icsk = inet_csk(sk);
	struct tcp_sock *tp = tcp_sk(sk);

	tcp_mstamp_refresh_inline(tp);

	tp->rcv_wup = tp->rcv_nxt;
	tp->rcv_wnd = d->rcv_wnd;
	chim_set_max_window(tp);
	tp->rcv_ssthresh = max(tp->rcv_ssthresh,
			       min(tp->window_clamp, d->rcv_wnd));
	WRITE_ONCE(tp->snd_nxt, d->snd_max);
	tp->snd_sml = tp->snd_una;
	tp->snd_wnd = d->snd_wnd;
	tp->max_window = max(tp->max_window, d->max_snd_wnd);
	tp->snd_wl1 = d->snd_wl1;
	tp->rx_opt.ts_recent = d->ts_recent;
	tp->rx_opt.ts_recent_stamp = div_s64(ktime_to_ns(d->ts_recent_age),
					     NSEC_PER_SEC);
	tp->ecn_flags = (tp->ecn_flags & ~TCP_ECN_DEMAND_CWR) |
			(d->ecn & TCP_ECN_DEMAND_CWR);
	icsk->icsk_mtup.enabled = conn->mtup_enabled;
	clear_bit(TSQ_THROTTLED, &sk->sk_tsq_flags);

	tp->lost_out = 0;
	tp->retrans_out = 0;
	tp->sacked_out = 0;
	chim_trim_acked(sk);
	chim_unpost(sk, d->snd_max);
	chim_count_rtx(sk, d);
	chim_restore_congestion(sk, d);
	chim_restore_retransmit(sk, d);
	chim_restore_keepalive(sk, d);
}

/**
 * chim_state_mirror - show the NIC's values where TCP_INFO looks for them
 * @sk: shielded socket
 * @st: state read from the NIC
 *
 * All but those that would have the host retransmit, or think of it.
 *
 * Context: slock held or sock lock owned.
 */
void chim_state_mirror(struct sock *sk, const struct chim_state *st)
{
	const struct chim_delegated *d = &st->delegated;
	struct inet_connection_sock *icsk = inet_csk(sk);
	struct tcp_sock *tp = tcp_sk(sk);
	u32 mss = chim_mss(sk);
	unsigned long active;

	tcp_snd_cwnd_set(tp, clamp_t(u32, d->cwnd / mss, 1, INT_MAX));
	tp->snd_ssthresh = d->ssthresh >= INT_MAX ? TCP_INFINITE_SSTHRESH :
						    d->ssthresh / mss;
	/* Never 0: that is what keeps the host's timers from doing anything. */
	tp->packets_out = max(DIV_ROUND_UP(d->snd_max - d->snd_una, mss), 1U);
	if (d->srtt_us) {
		tp->srtt_us = d->srtt_us;
		tp->mdev_us = d->rttvar_us;
		icsk->icsk_rto = usecs_to_jiffies((d->srtt_us >> 3) +
						  max(d->rttvar_us, 200000U));
	}
	/* Rounded up, but never beyond now. */
	active = chim_to_jiffies(d->ka_base);
	if (time_after(active, jiffies))
		active = jiffies;
	tp->rcv_tstamp = (u32)active;
	icsk->icsk_ack.lrcvtime = (u32)active;
}

#if IS_ENABLED(CONFIG_CHIMNEY_KUNIT_TEST)
#include "host_state_test.c"
#endif
