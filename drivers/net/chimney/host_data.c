// SPDX-License-Identifier: GPL-2.0
/*
 * What passes the chimney: data the program has written goes down, data the NIC
 * has received goes up, and what the peer has acknowledged is forgotten; the
 * socket's own queues stay what they are.
 * Called by host_sock.c and host_offload.c with the sock lock owned or slock
 * held.
 */
#include <net/tcp.h>

#include "host.h"

/* Bytes of a buffer that small segments are copied to: with what it costs they
 * fill a page.
 */
#define CHIM_SPACIOUS		SKB_WITH_OVERHEAD(4096)

/**
 * chim_data_is_special - does somebody wait to hear what became of a buffer?
 * @skb: buffer of the write or retransmit queue
 *
 * Return: true if its sender wants to know when its pages are free again, or
 * when it was sent or acknowledged: only the host can tell.
 */
bool chim_data_is_special(const struct sk_buff *skb)
{
	return skb_zcopy((struct sk_buff *)skb) ||
	       skb_shinfo(skb)->tx_flags & SKBTX_ANY_TSTAMP ||
	       TCP_SKB_CB(skb)->txstamp_ack;
}

/**
 * chim_data_clone - the NIC's reference to a buffer of send data
 * @skb: buffer of the write or retransmit queue
 * @gfp: allocation flags
 *
 * Return: the clone, its TCP_SKB_CB() covering payload only; NULL if there is
 * no memory.
 */
struct sk_buff *chim_data_clone(struct sk_buff *skb, gfp_t gfp)
{
	struct sk_buff *clone;

	tcp_skb_tsorted_save(skb) {
		clone = skb_clone(skb, gfp);
	} tcp_skb_tsorted_restore(skb);
	if (clone)
		TCP_SKB_CB(clone)->end_seq = TCP_SKB_CB(clone)->seq +
					     clone->len;
	return clone;
}

/* Leave a short last buffer with the host so that later writes are added to
 * it, where the NIC could not send it now anyway: the rule of Nagle in
 * Minshall's form, or a cork with more already waiting in the NIC.
 */
static bool chim_keep_tail(const struct sock *sk, const struct chim_conn *conn,
			   const struct sk_buff *skb)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);

	if (!skb_queue_is_last(&sk->sk_write_queue, skb) ||
	    skb->len >= tp->mss_cache || cb->tcp_flags & TCPHDR_FIN)
		return false;
	if (tp->nonagle & TCP_NAGLE_PUSH)
		return false;
	if (tp->nonagle & TCP_NAGLE_CORK || !(cb->tcp_flags & TCPHDR_PSH))
		return conn->posted_seq != tp->snd_nxt;
	return !(tp->nonagle & TCP_NAGLE_OFF) &&
	       after(tp->snd_sml, tp->snd_una);
}

/**
 * chim_data_post - post what the program has written, and its FIN
 * @sk: socket
 * @conn: its connection
 *
 * What only the host can send makes it ask for the connection.
 *
 * Context: slock held, BH disabled.
 * Return: true if the NIC got anything: it wants a push.
 */
bool chim_data_post(struct sock *sk, struct chim_conn *conn)
{
	const int fin_states = TCPF_FIN_WAIT1 | TCPF_CLOSING | TCPF_LAST_ACK;
	struct tcp_sock *tp = tcp_sk(sk);
	struct sk_buff *skb, *clone;
	bool posted = false;
	u8 reason = 0;

	while ((skb = tcp_send_head(sk))) {
		struct tcp_skb_cb *cb = TCP_SKB_CB(skb);

		if (cb->end_seq == cb->seq) /* a writer sleeps over it */
			break;
		if (chim_data_is_special(skb) || cb->tcp_flags & TCPHDR_URG ||
		    after(tp->snd_up, tp->snd_una)) { /* SND-5 */
			reason = CHIMNEY_REASON_SOCKET_CALL;
			break;
		}
		if (chim_keep_tail(sk, conn, skb))
			break;
		if (skb->len) {
			clone = chim_data_clone(skb, GFP_ATOMIC);
			if (!clone) {
				reason = CHIMNEY_REASON_UPLOAD_REQUESTED;
				break;
			}
			if (skb->len < tp->mss_cache ||
			    skb->len % tp->mss_cache)
				tp->snd_sml = cb->seq + skb->len;
			chim_nic_ops.send(conn->nic, clone);
		}
		conn->posted_seq = cb->end_seq;
		chim_state_rtx_append(sk, skb);
		posted = true;
	}
	if (reason)
		chim_host_request_upload(conn, reason);
	if (!conn->fin_posted && (1 << sk->sk_state) & fin_states &&
	    !tcp_send_head(sk)) {
		conn->fin_posted = true;
		conn->posted_seq = tp->write_seq;
		chim_nic_ops.disconnect(conn->nic); /* DSC-6 */
		posted = true;
	}
	return posted;
}

/* A small segment costs many times what it carries; yet what was on offer is to
 * be taken. Once that fills the buffer the host would copy the queue together;
 * here it begins to copy before: later ones fit behind this one.
 */
static struct sk_buff *chim_spacious(const struct sock *sk,
				     struct sk_buff *skb)
{
	struct sk_buff *copy;

	if (!skb->len || skb->len > CHIM_SPACIOUS / 4 ||
	    TCP_SKB_CB(skb)->has_rxtstamp ||
	    atomic_read(&sk->sk_rmem_alloc) < sk->sk_rcvbuf / 4)
		return skb;
	copy = alloc_skb(CHIM_SPACIOUS, GFP_ATOMIC | __GFP_NOWARN);
	if (!copy)
		return skb;
	skb_copy_bits(skb, 0, skb_put(copy, skb->len), skb->len);
	memcpy(copy->cb, skb->cb, sizeof(copy->cb));
	consume_skb(skb);
	return copy;
}

/**
 * chim_data_grow_rcvbuf - make room for what is received already
 * @sk: socket
 *
 * As long as nobody has said how much there is to be: the host does the same
 * for what it must take.
 *
 * Context: slock held or sock lock owned.
 */
void chim_data_grow_rcvbuf(struct sock *sk)
{
	int used = atomic_read(&sk->sk_rmem_alloc);
	int most = READ_ONCE(sock_net(sk)->ipv4.sysctl_tcp_rmem[2]);

	if (used > sk->sk_rcvbuf && sk->sk_rcvbuf < most &&
	    !(sk->sk_userlocks & SOCK_RCVBUF_LOCK) &&
	    !tcp_under_memory_pressure(sk))
		WRITE_ONCE(sk->sk_rcvbuf, min(used, most));
}

/* It is acknowledged, so it is taken, come what may: what there is no room for
 * is owed until it is read, and is asked for again.
 */
static void chim_ask_room(struct sock *sk, int size)
{
	size -= sk->sk_forward_alloc;
	if (size > 0)
		__sk_mem_schedule(sk, size, SK_MEM_RECV);
}

static void chim_queue_data(struct sock *sk, struct sk_buff *skb)
{
	struct sk_buff *tail = skb_peek_tail(&sk->sk_receive_queue);
	struct tcp_sock *tp = tcp_sk(sk);
	bool stolen;
	int delta;

	tp->bytes_received += TCP_SKB_CB(skb)->end_seq - tp->rcv_nxt;
	if (skb->len)
		tp->data_segs_in += max_t(u16, 1, skb_shinfo(skb)->gso_segs);
	WRITE_ONCE(tp->rcv_nxt, TCP_SKB_CB(skb)->end_seq);
	chim_ask_room(sk, skb->truesize);
	if (tail && TCP_SKB_CB(tail)->end_seq == TCP_SKB_CB(skb)->seq &&
	    !TCP_SKB_CB(skb)->has_rxtstamp && skb->len &&
	    skb_try_coalesce(tail, skb, &stolen, &delta)) {
		atomic_add(delta, &sk->sk_rmem_alloc);
		sk_mem_charge(sk, delta);
		TCP_SKB_CB(tail)->end_seq = TCP_SKB_CB(skb)->end_seq;
		TCP_SKB_CB(tail)->tcp_flags |= TCP_SKB_CB(skb)->tcp_flags;
		kfree_skb_partial(skb, stolen);
		return;
	}
	skb = chim_spacious(sk, skb);
	chim_ask_room(sk, skb->truesize);
	skb_set_owner_r(skb, sk);
	__skb_queue_tail(&sk->sk_receive_queue, skb);
}

/* The peer will send no more [EVT-1]. */
static void chim_peer_fin(struct sock *sk, const struct chim_conn *conn)
{
	WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown | RCV_SHUTDOWN);
	sock_set_flag(sk, SOCK_DONE);
	if (sk->sk_state == TCP_ESTABLISHED)
		inet_sk_set_state(sk, TCP_CLOSE_WAIT);
	else if (sk->sk_state == TCP_FIN_WAIT1 && !conn->fin_posted)
		inet_sk_set_state(sk, TCP_CLOSING);
	if (sock_flag(sk, SOCK_DEAD))
		return;
	sk->sk_state_change(sk);
	if (sk->sk_shutdown == SHUTDOWN_MASK)
		sk_wake_async(sk, SOCK_WAKE_WAITD, POLL_HUP);
	else
		sk_wake_async(sk, SOCK_WAKE_WAITD, POLL_IN);
}

static void chim_receive(struct sock *sk, const struct chim_conn *conn,
			 struct sk_buff_head *data)
{
	bool news = false, fin = false;
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(data))) {
		fin |= TCP_SKB_CB(skb)->tcp_flags & TCPHDR_FIN;
		chim_queue_data(sk, skb);
		news = true;
	}
	if (!news)
		return;
	chim_data_grow_rcvbuf(sk);
	/* The reader measures its speed by it. */
	tcp_mstamp_refresh_inline(tcp_sk(sk));
	chim_state_shield_rcv(sk);
	if (fin)
		chim_peer_fin(sk, conn);
	if (!sock_flag(sk, SOCK_DEAD) &&
	    (tcp_epollin_ready(sk, sk->sk_rcvlowat) ||
	     sock_flag(sk, SOCK_DONE)))
		sk->sk_data_ready(sk);
}

/* Room to send in proportion to the congestion window, as the host does. */
static void chim_expand_sndbuf(struct sock *sk, u32 cwnd)
{
	int want;

	if (sk->sk_userlocks & SOCK_SNDBUF_LOCK)
		return;
	want = min_t(u64, 4ULL * cwnd,
		     READ_ONCE(sock_net(sk)->ipv4.sysctl_tcp_wmem[2]));
	if (sk->sk_sndbuf < want)
		WRITE_ONCE(sk->sk_sndbuf, want);
}

/* Count what was sent for the first time; the FIN is no data. */
static void chim_count_sent(struct sock *sk, const struct chim_conn *conn,
			    u32 snd_max)
{
	struct tcp_sock *tp = tcp_sk(sk);
	u32 len = snd_max - tp->snd_nxt;

	/* Short of memory, the host adds its FIN to what has been sent. */
	WRITE_ONCE(tp->snd_nxt, snd_max);
	if ((s32)len <= 0)
		return;
	tp->lsndtime = tcp_jiffies32;
	if (conn->fin_posted && snd_max == tp->write_seq)
		len--;
	tp->bytes_sent += len;
	tp->data_segs_out += DIV_ROUND_UP(len, tp->mss_cache);
}

/* Sends are complete up to una: sent and acknowledged [SND-6]. */
static void chim_complete_sends(struct sock *sk, u32 una, u32 cwnd)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct sk_buff *skb;

	if (!after(una, tp->snd_una))
		return;
	tp->bytes_acked += una - tp->snd_una;
	tp->delivered += DIV_ROUND_UP(una - tp->snd_una, tp->mss_cache);
	WRITE_ONCE(tp->snd_una, una);
	/* As tcp_ack() does: the peer can be reached. */
	WRITE_ONCE(sk->sk_err_soft, 0);
	if (!after(tp->snd_up, una)) /* else urgent data is to be sent */
		tp->snd_up = una;
	if (before(tp->snd_sml, una))
		tp->snd_sml = una;
	while ((skb = tcp_rtx_queue_head(sk)) &&
	       !after(TCP_SKB_CB(skb)->end_seq, una))
		tcp_rtx_queue_unlink_and_free(skb, sk);
	if (sk->sk_socket && test_bit(SOCK_NOSPACE, &sk->sk_socket->flags)) {
		chim_expand_sndbuf(sk, cwnd);
		sk->sk_write_space(sk);
	}
}

/**
 * chim_data_apply - do to the socket what the NIC did to the connection
 * @sk: socket
 * @conn: its connection
 * @ind: from fetch or terminate; its data is taken
 *
 * Context: slock held or sock lock owned, BH disabled.
 */
void chim_data_apply(struct sock *sk, struct chim_conn *conn,
		     struct chim_indication *ind)
{
	struct tcp_sock *tp = tcp_sk(sk);
	int state;

	if (ind->srtt_us && !tp->rcv_rtt_est.rtt_us)
		tp->rcv_rtt_est.rtt_us = ind->srtt_us;
	chim_receive(sk, conn, &ind->data);
	chim_count_sent(sk, conn, ind->snd_max);
	chim_complete_sends(sk, ind->snd_una, ind->cwnd);

	/* The NIC owns the state, but for a FIN it has not been given yet. */
	state = chim_state_to_linux(ind->state);
	if (!conn->fin_posted || state == sk->sk_state)
		return;
	if (state == TCP_CLOSING || state == TCP_LAST_ACK) {
		inet_sk_set_state(sk, state);
	} else if (state == TCP_FIN_WAIT2) {
		inet_sk_set_state(sk, state);
		WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown | SEND_SHUTDOWN);
		if (!sock_flag(sk, SOCK_DEAD))
			sk->sk_state_change(sk);
	}
}

/**
 * chim_data_add_stats - count what the NIC did and the host has not seen
 * @sk: socket
 * @stats: counters of its connection, returned by terminate
 *
 * Context: sock lock owned.
 */
void chim_data_add_stats(struct sock *sk, const struct chim_conn_stats *stats)
{
	struct tcp_sock *tp = tcp_sk(sk);
	u64 again = (u64)stats->retrans_segs * tp->mss_cache;

	tp->segs_in += stats->segs_in;
	tp->segs_out += stats->segs_out;
	tp->total_retrans += stats->retrans_segs;
	tp->data_segs_out += stats->retrans_segs;
	tp->bytes_sent += again;
	tp->bytes_retrans += again;
}

/**
 * chim_data_rcv_edge - how far the socket can take data
 * @sk: socket
 *
 * Return: sequence number of the right edge.
 */
u32 chim_data_rcv_edge(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	u32 edge = tp->rcv_nxt + clamp_t(int, tcp_space(sk), 0,
					 tp->window_clamp);
	u32 low = tp->copied_seq + READ_ONCE(sk->sk_rcvlowat);

	/* poll() waits for so much, and under the shield does not see that the
	 * window shuts before; less than a segment may not be on offer.
	 */
	if (after(low, tp->rcv_nxt)) {
		low += tp->advmss + (1 << tp->rx_opt.rcv_wscale);
		if (after(low, edge))
			edge = low;
	}
	return edge;
}
