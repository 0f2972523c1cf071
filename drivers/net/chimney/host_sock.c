// SPDX-License-Identifier: GPL-2.0
/*
 * The switch: what an offloaded socket does differently from a plain one.
 * Linux's own code goes on to serve every socket call on the socket's own
 * queues; it is cut off from the wire below, and whenever a call lets go of
 * the sock lock, what it queued or read is passed down the chimney.
 * Called by the socket layer and by the NIC's indications; lives under the
 * sock lock (owned) or sk->sk_lock.slock.
 */
#include <linux/bpf.h>
#include <linux/srcu.h>
#include <net/inet_common.h>
#include <net/ipv6.h>
#include <net/tcp.h>
#include <net/transp_v6.h>

#include "host.h"

/* Of each address family's operations there are a few in the kernel that no
 * module can name; copies are made when a socket with new ones comes along.
 */
#define CHIM_AF_OPS_MAX		4

struct chim_af_ops {
	const struct inet_connection_sock_af_ops *orig;
	struct inet_connection_sock_af_ops ours;
};

static struct chim_af_ops chim_af_ops[CHIM_AF_OPS_MAX];
static DEFINE_MUTEX(chim_af_ops_lock); /* additions to chim_af_ops */
static struct proto chim_prot_v4 __read_mostly;
#if IS_ENABLED(CONFIG_IPV6)
static struct proto chim_prot_v6 __read_mostly;
#endif

/* Calls that may sleep with a frame of this module below them. */
DEFINE_STATIC_SRCU(chim_calls);

static struct proto *chim_our_prot(const struct proto *prot)
{
	if (prot == &tcp_prot)
		return &chim_prot_v4;
#if IS_ENABLED(CONFIG_IPV6)
	if (prot == &tcpv6_prot)
		return &chim_prot_v6;
#endif
	return NULL;
}

static struct proto *chim_orig_prot(const struct proto *ours)
{
	return ours == &chim_prot_v4 ? &tcp_prot : &tcpv6_prot;
}

/**
 * chim_sock_known_prot - does the socket run Linux TCP and nothing else?
 * @sk: socket
 *
 * Return: true if so.
 */
bool chim_sock_known_prot(const struct sock *sk)
{
	return chim_our_prot(READ_ONCE(sk->sk_prot));
}

/**
 * chim_sock_is_ours - is the socket offloaded?
 * @sk: socket
 *
 * Return: true if so.
 */
bool chim_sock_is_ours(const struct sock *sk)
{
	const struct proto *prot = READ_ONCE(sk->sk_prot);

#if IS_ENABLED(CONFIG_IPV6)
	if (prot == &chim_prot_v6)
		return true;
#endif
	return prot == &chim_prot_v4;
}

/* Of a plain socket, by what it speaks on the wire. */
static const struct proto *chim_tcp_prot(const struct sock *sk)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (chim_wire_family(sk) == AF_INET6)
		return &tcpv6_prot;
#endif
	return &tcp_prot;
}

/* Something the host wanted to send while it must not: a segment of this
 * connection came another way than by the NIC, and was not accepted. The
 * peer sends it again; by then the host runs the connection [FWD-1].
 *
 * A reset is the host's end of the connection, by a call that began before the
 * offload: the peer is to hear of it. If it is not quite where the NIC has got
 * to the peer asks, and the host answers.
 */
static int chim_queue_xmit(struct sock *sk, struct sk_buff *skb,
			   struct flowi *fl)
{
	struct chim_conn *conn = chim_conn_of(sk);

	if (tcp_hdr(skb)->rst) {
		chim_nic_ops.hold(conn->nic);
		chim_host_request_upload(conn, CHIMNEY_REASON_DISCONNECT);
		return container_of(inet_csk(sk)->icsk_af_ops,
				    struct chim_af_ops,
				    ours)->orig->queue_xmit(sk, skb, fl);
	}
	chim_count(conn->cd, CHIM_CNT_HOST_SWALLOWED);
	chim_host_request_upload(conn, CHIMNEY_REASON_SLOW_PATH);
	kfree_skb(skb);
	/* On its way here it moved the receive window to where it belongs. */
	chim_state_shield_rcv(sk);
	return 0;
}

static struct chim_af_ops *
chim_find_af_ops(const struct inet_connection_sock_af_ops *orig)
{
	int i;

	for (i = 0; i < CHIM_AF_OPS_MAX; i++)
		/* Pairs with the release in chim_sock_prepare(). */
		if (smp_load_acquire(&chim_af_ops[i].orig) == orig)
			return &chim_af_ops[i];
	return NULL;
}

/**
 * chim_sock_prepare - have operations ready for a socket of this kind
 * @sk: socket
 *
 * Context: process, sock lock owned.
 * Return: 0, or -EOPNOTSUPP if there are too many kinds, or somebody else has
 * replaced what the socket does with its backlog.
 */
int chim_sock_prepare(struct sock *sk)
{
	const struct inet_connection_sock_af_ops *orig =
		inet_csk(sk)->icsk_af_ops;
	struct chim_af_ops *a;

	if (sk->sk_backlog_rcv != chim_tcp_prot(sk)->backlog_rcv)
		return -EOPNOTSUPP;
	if (chim_find_af_ops(orig))
		return 0;
	mutex_lock(&chim_af_ops_lock);
	a = chim_find_af_ops(orig);
	if (!a)
		a = chim_find_af_ops(NULL);
	if (a && !a->orig) {
		a->ours = *orig;
		a->ours.queue_xmit = chim_queue_xmit;
		/* Whoever finds orig must find ours complete. */
		smp_store_release(&a->orig, orig);
	}
	mutex_unlock(&chim_af_ops_lock);
	return a ? 0 : -EOPNOTSUPP;
}

/**
 * chim_sock_hear - give a plain socket a segment without data
 * @sk: socket, all that was sent and received applied
 * @tcp_flags: TCPHDR_ACK or TCPHDR_RST
 *
 * It comes as if from the peer and at the right sequence number, so that the
 * host ends the connection in its own way: what it does then it does not let
 * modules do.
 *
 * Context: process, sock lock owned, as for a segment of the backlog.
 */
void chim_sock_hear(struct sock *sk, u8 tcp_flags)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_skb_cb *cb;
	struct sk_buff *skb;
	struct tcphdr *th;

	skb = alloc_skb(sizeof(struct ipv6hdr) + sizeof(*th),
			GFP_KERNEL | __GFP_NOFAIL);
	/* Nobody looks into the network header of what was accepted. */
	skb_reset_network_header(skb);
	skb_put_zero(skb, sizeof(struct ipv6hdr));
	skb_pull(skb, sizeof(struct ipv6hdr));
	skb_reset_transport_header(skb);
	skb->protocol = chim_wire_family(sk) == AF_INET ? htons(ETH_P_IP) :
							  htons(ETH_P_IPV6);
	skb->ip_summed = CHECKSUM_UNNECESSARY;

	th = skb_put_zero(skb, sizeof(*th));
	th->source = inet_sk(sk)->inet_dport;
	th->dest = inet_sk(sk)->inet_sport;
	th->seq = htonl(tp->rcv_nxt);
	th->ack_seq = htonl(tp->snd_una);
	tcp_flag_byte(th) = tcp_flags;
	th->doff = sizeof(*th) / 4;

	cb = TCP_SKB_CB(skb);
	memset(cb, 0, sizeof(*cb));
	cb->seq = tp->rcv_nxt;
	cb->end_seq = tp->rcv_nxt;
	cb->ack_seq = tp->snd_una;
	cb->tcp_flags = tcp_flags;
	sk->sk_backlog_rcv(sk, skb);
}

static void chim_update_cached(struct sock *sk, struct chim_conn *conn,
			       struct chim_cached *c)
{
	u32 before = c->initial_rcv_wnd, triggers = 0;

	if (!chim_cached_refresh(sk, c))
		return;
	if (before != c->initial_rcv_wnd)
		triggers |= CHIMNEY_CACHED_FLAG_UPDATE_RCV_WND; /* TCA-5 */
	chim_nic_ops.update(conn->nic, c, triggers);
}

/* A call may have changed what the NIC knows of the socket, or made it unfit
 * for the NIC. Returns whether it stays there.
 */
static bool chim_settle(struct sock *sk, struct chim_conn *conn,
			struct chim_cached *cached)
{
	if (chim_admit_revoked(sk)) {
		chim_nic_ops.hold(conn->nic);
		chim_host_request_upload(conn, CHIMNEY_REASON_SOCKET_CALL);
		return false;
	}
	/* SO_MARK and IP_TOS make the socket forget its route [BLD-45]. */
	if (!__sk_dst_get(sk) && !chim_path_fits(sk, conn->cd)) {
		chim_host_request_upload(conn, CHIMNEY_REASON_ROUTE);
		return false;
	}
	chim_update_cached(sk, conn, cached);
	return true;
}

/* What the NIC has; false if that is the end of the offload. */
static bool chim_sock_fetch(struct sock *sk, struct chim_conn *conn,
			    struct chim_indication *ind)
{
	chim_nic_ops.fetch(conn->nic, ind);
	chim_data_apply(sk, conn, ind);
	if (ind->reason)
		chim_host_request_upload(conn, ind->reason);
	return !ind->reason;
}

/**
 * chim_sock_sync - pass everything across the chimney, both ways
 * @sk: socket
 * @conn: its connection
 * @call: at the end of a socket call, which may have read or changed something
 *
 * Context: slock held, BH disabled.
 */
void chim_sock_sync(struct sock *sk, struct chim_conn *conn, bool call)
{
	struct chim_indication ind;
	bool push, flush;

	if (conn->place != CHIMNEY_PLACE_NIC)
		return;
	if (chim_sock_is_dead(sk)) {
		/* What comes is for what the host has put in its place. */
		chim_nic_ops.hold(conn->nic);
		chim_host_request_upload(conn, CHIMNEY_REASON_DISCONNECT);
		return;
	}
	if (!chim_sock_fetch(sk, conn, &ind))
		return;
	if (call && !chim_settle(sk, conn, &ind.cached))
		return;
	push = chim_data_post(sk, conn);
	flush = tcp_sk(sk)->nonagle & TCP_NAGLE_PUSH;
	tcp_sk(sk)->nonagle &= ~TCP_NAGLE_PUSH;
	if (push || flush) {
		chim_nic_ops.push(conn->nic, flush);
		if (!chim_sock_fetch(sk, conn, &ind))
			return;
	}
	if (call)
		chim_nic_ops.credit(conn->nic, chim_data_rcv_edge(sk));
}

static void chim_release_cb(struct sock *sk)
{
	struct chim_conn *conn = chim_conn_of(sk);

	tcp_prot.release_cb(sk);
	chim_sock_sync(sk, conn, true);
}

/* A segment waited while the socket was busy [FWD-1a]. */
static int chim_backlog_rcv(struct sock *sk, struct sk_buff *skb)
{
	struct chim_conn *conn = chim_conn_of(sk);

	if (tcp_checksum_complete(skb)) {
		chim_count(conn->cd, CHIM_CNT_CSUM_ERRORS);
		kfree_skb(skb);
		return 0;
	}
	chim_nic_ops.forward(conn->nic, skb);
	return 0;
}

static void chim_upload(struct sock *sk, u8 reason)
{
	lock_sock(sk);
	chim_host_upload_locked(sk, reason);
	release_sock(sk);
}

static void chim_close(struct sock *sk, long timeout)
{
	int idx = srcu_read_lock(&chim_calls);

	/* BLD-46: the host does the disconnect, graceful or not, itself. */
	chim_upload(sk, CHIMNEY_REASON_CLOSE);
	READ_ONCE(sk->sk_prot)->close(sk, timeout);
	srcu_read_unlock(&chim_calls, idx);
}

static void chim_shutdown(struct sock *sk, int how)
{
	int idx = srcu_read_lock(&chim_calls);

	/* Only the host answers data that nobody will read with RST. */
	if (how & RCV_SHUTDOWN && !sock_flag(sk, SOCK_DONE))
		chim_host_upload_locked(sk, CHIMNEY_REASON_SOCKET_CALL);
	tcp_prot.shutdown(sk, how);
	srcu_read_unlock(&chim_calls, idx);
}

static int chim_disconnect(struct sock *sk, int flags)
{
	int idx = srcu_read_lock(&chim_calls), ret;

	chim_host_upload_locked(sk, CHIMNEY_REASON_DISCONNECT);
	ret = READ_ONCE(sk->sk_prot)->disconnect(sk, flags);
	srcu_read_unlock(&chim_calls, idx);
	return ret;
}

static int chim_diag_destroy(struct sock *sk, int err)
{
	int idx = srcu_read_lock(&chim_calls), ret;

	/* A BPF program holds the lock; the upload follows its release. */
	if (!has_current_bpf_ctx())
		chim_upload(sk, CHIMNEY_REASON_DISCONNECT);
	ret = tcp_abort(sk, err);
	srcu_read_unlock(&chim_calls, idx);
	return ret;
}

/* Options that take effect in the host or reach the NIC by update. */
static bool chim_sockopt_known(int level, int optname)
{
	switch (level) {
	case SOL_TCP:
		switch (optname) {
		case TCP_NODELAY:
		case TCP_CORK:
		case TCP_KEEPIDLE:
		case TCP_KEEPINTVL:
		case TCP_KEEPCNT:
		case TCP_USER_TIMEOUT:
		case TCP_NOTSENT_LOWAT:
		case TCP_WINDOW_CLAMP:
		case TCP_INQ:
		case TCP_QUICKACK:
		case TCP_SYNCNT:
		case TCP_LINGER2:
		case TCP_DEFER_ACCEPT:
			return true;
		}
		return false;
	case SOL_IP:
		return optname == IP_TTL || optname == IP_TOS;
	case SOL_IPV6:
		return optname == IPV6_UNICAST_HOPS ||
		       optname == IPV6_TCLASS || optname == IPV6_V6ONLY;
	}
	return false;
}

static int chim_setsockopt(struct sock *sk, int level, int optname,
			   sockptr_t optval, unsigned int optlen)
{
	int idx = srcu_read_lock(&chim_calls), ret;

	if (!chim_sockopt_known(level, optname))
		chim_upload(sk, CHIMNEY_REASON_SOCKET_CALL);
	ret = tcp_prot.setsockopt(sk, level, optname, optval, optlen);
	/* Some options are set without the lock, so without a release. */
	lock_sock(sk);
	release_sock(sk);
	srcu_read_unlock(&chim_calls, idx);
	return ret;
}

static int chim_tcp_info(struct sock *sk, char __user *optval,
			 int __user *optlen)
{
	const struct inet_connection_sock *icsk = inet_csk(sk);
	struct chim_conn *conn;
	struct tcp_info info;
	struct chim_state st;
	u64 retrans;
	bool moved;
	int len;

	if (get_user(len, optlen))
		return -EFAULT;
	if (len < 0)
		return -EINVAL;
	len = min_t(unsigned int, len, sizeof(info));

	do {
		lock_sock(sk);
		conn = chim_sock_is_ours(sk) ? chim_conn_of(sk) : NULL;
		if (conn) {
			refcount_inc(&conn->ref);
			chim_nic_ops.query(conn->nic, &st);
			chim_state_mirror(sk, &st);
		}
		release_sock(sk);
		tcp_get_info(sk, &info);
		/* Moved meanwhile? Then the two do not go together. */
		if (!conn) {
			moved = chim_sock_is_ours(sk);
		} else {
			moved = rcu_access_pointer(icsk->icsk_ulp_data) != conn;
			chim_host_put_conn(conn);
		}
	} while (moved);
	if (conn) {
		info.tcpi_snd_wnd = st.delegated.snd_wnd;
		chim_info_rcv_wnd(&info, st.delegated.rcv_wnd);
		info.tcpi_retransmits = st.delegated.rtx_count;
		info.tcpi_backoff = st.delegated.backoff;
		info.tcpi_probes = st.delegated.ka_probe_count;
		info.tcpi_segs_out += st.stats.segs_out;
		info.tcpi_segs_in += st.stats.segs_in;
		retrans = st.stats.retrans_segs;
		info.tcpi_total_retrans += retrans;
		info.tcpi_data_segs_out += retrans;
		retrans *= info.tcpi_snd_mss;
		info.tcpi_bytes_sent += retrans;
		info.tcpi_bytes_retrans += retrans;
		if (st.delegated.snd_una == st.delegated.snd_max)
			info.tcpi_unacked = 0;
	}
	if (put_user(len, optlen) || copy_to_user(optval, &info, len))
		return -EFAULT;
	return 0;
}

/* A call that began before the offload may set a ULP after it. While there is
 * one, Linux refuses another before it touches the socket.
 */
static const struct tcp_ulp_ops chim_ulp = {
	.name = "chimney",
};

/* The program has none. */
static int chim_no_ulp(int __user *optlen)
{
	int len;

	if (get_user(len, optlen))
		return -EFAULT;
	if (len < 0)
		return -EINVAL;
	return put_user(0, optlen);
}

static int chim_getsockopt(struct sock *sk, int level, int optname,
			   char __user *optval, int __user *optlen)
{
	int idx = srcu_read_lock(&chim_calls), ret;

	if (level == SOL_TCP && optname == TCP_INFO)
		ret = chim_tcp_info(sk, optval, optlen);
	else if (level == SOL_TCP && optname == TCP_ULP &&
		 chim_sock_is_ours(sk))
		ret = chim_no_ulp(optlen);
	else
		ret = tcp_prot.getsockopt(sk, level, optname, optval, optlen);
	srcu_read_unlock(&chim_calls, idx);
	return ret;
}

/* SO_KEEPALIVE: the NIC hears of it when the lock is released. */
static void chim_keepalive(struct sock *sk, int on)
{
}

/**
 * chim_sock_install - throw the switch towards the NIC
 * @sk: socket, shielded
 * @conn: connection the NIC has accepted; a reference passes to the socket
 *
 * Context: process, sock lock owned, chim_sock_prepare() succeeded.
 */
void chim_sock_install(struct sock *sk, struct chim_conn *conn)
{
	struct inet_connection_sock *icsk = inet_csk(sk);

	/* The host may be beyond its limit by the last one it took. */
	chim_data_grow_rcvbuf(sk);
	rcu_assign_pointer(icsk->icsk_ulp_data, conn);
	icsk->icsk_af_ops = &chim_find_af_ops(icsk->icsk_af_ops)->ours;
	icsk->icsk_ulp_ops = &chim_ulp;
	sk->sk_backlog_rcv = chim_backlog_rcv;
	WRITE_ONCE(sk->sk_prot, chim_our_prot(sk->sk_prot));
}

/**
 * chim_sock_restore - throw the switch back to the host
 * @sk: socket, its connection terminated
 *
 * Context: process, sock lock owned.
 */
void chim_sock_restore(struct sock *sk)
{
	struct inet_connection_sock *icsk = inet_csk(sk);

	WRITE_ONCE(sk->sk_prot, chim_orig_prot(sk->sk_prot));
	icsk->icsk_ulp_ops = NULL;
	icsk->icsk_af_ops = container_of(icsk->icsk_af_ops,
					 struct chim_af_ops, ours)->orig;
	sk->sk_backlog_rcv = chim_tcp_prot(sk)->backlog_rcv;
	RCU_INIT_POINTER(icsk->icsk_ulp_data, NULL);
}

static void __init chim_build_prot(struct proto *ours,
				   const struct proto *orig)
{
	*ours = *orig;
	ours->close = chim_close;
	ours->disconnect = chim_disconnect;
	ours->shutdown = chim_shutdown;
	ours->setsockopt = chim_setsockopt;
	ours->getsockopt = chim_getsockopt;
	ours->keepalive = chim_keepalive;
	ours->release_cb = chim_release_cb;
	ours->diag_destroy = chim_diag_destroy;
#ifdef CONFIG_BPF_SYSCALL
	ours->psock_update_sk_prot = NULL; /* sockmap is refused */
#endif
}

/**
 * chim_sock_init - build the operations of offloaded sockets
 *
 * Return: 0.
 */
int __init chim_sock_init(void)
{
	chim_state_init();
	chim_build_prot(&chim_prot_v4, &tcp_prot);
#if IS_ENABLED(CONFIG_IPV6)
	chim_build_prot(&chim_prot_v6, &tcpv6_prot);
#endif
	return 0;
}

/**
 * chim_sock_exit - wait until no call runs in this file any more
 *
 * Every socket has its own operations back by now; a caller may still have
 * fetched one of ours a moment ago.
 */
void chim_sock_exit(void)
{
	synchronize_rcu_tasks();
	synchronize_srcu(&chim_calls);
	synchronize_rcu_tasks();
}
