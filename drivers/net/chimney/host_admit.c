// SPDX-License-Identifier: GPL-2.0
/*
 * Who may be offloaded, and who may stay so.
 * Called by host_offload.c with the sock lock owned and by host_sock.c with
 * slock held.
 */
#include <net/dst.h>
#include <net/ipv6.h>
#include <net/tcp.h>
#include <net/xfrm.h>

#include "host.h"

static bool chim_fast_open(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	return rcu_access_pointer(tp->fastopen_rsk) || tp->fastopen_req ||
	       inet_test_bit(DEFER_CONNECT, sk);
}

/* As NL_SET_ERR_MSG_MOD() does. */
#define WHY(msg)	KBUILD_MODNAME ": " msg

/* What a program can ask for at any time and the NIC does not do. The reason or
 * NULL. Once offloaded it is mostly an option that brings the connection up
 * first; but a call may have begun before, and got the lock after the offload.
 */
static const char *chim_unfit(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	const struct inet_sock *inet = inet_sk(sk);
	const struct ip_options_rcu *opt;

	/* A reader in the kernel, say: it reads without a call. */
	if (sk->sk_user_data)
		return WHY("the socket is in a sockmap or has another user");
#ifdef CONFIG_TCP_MD5SIG
	if (rcu_access_pointer(tp->md5sig_info))
		return WHY("the socket uses TCP MD5 signatures");
#endif
#ifdef CONFIG_TCP_AO
	if (rcu_access_pointer(tp->ao_info))
		return WHY("the socket uses TCP authentication (TCP-AO)");
#endif
#if IS_ENABLED(CONFIG_INET_PSP)
	if (rcu_access_pointer(sk->psp_assoc))
		return WHY("the socket is encrypted by PSP");
#endif
	if (tcp_rto_max(sk) != TCP_RTO_MAX)
		return WHY("the socket limits its retransmission timeout");
	/* A smaller one does no harm: the NIC waits longer. */
	if (tcp_rto_min((struct sock *)sk) > TCP_RTO_MIN)
		return WHY("the socket's retransmission timeout has a minimum");
	if (tp->repair)
		return WHY("the socket is in repair mode");
#ifdef CONFIG_XFRM
	if (rcu_access_pointer(sk->sk_policy[0]) ||
	    rcu_access_pointer(sk->sk_policy[1]))
		return WHY("an IPsec policy applies to the socket");
#endif
	opt = rcu_dereference_protected(inet->inet_opt,
					lockdep_sock_is_held(sk));
	if (opt && opt->opt.optlen) /* emptied ones stay */
		return WHY("the socket sends IP options");
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6 &&
	    rcu_access_pointer(inet6_sk(sk)->opt))
		return WHY("the socket sends IPv6 extension headers");
#endif
	if (rcu_access_pointer(sk->sk_filter))
		return WHY("the socket has a filter");
	if (sk->sk_max_pacing_rate != ~0UL)
		return WHY("the socket limits its pacing rate");
	if (inet->min_ttl)
		return WHY("the socket demands a minimum TTL");
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6 && inet6_sk(sk)->min_hopcount)
		return WHY("the socket demands a minimum hop count");
#endif
	if (sock_flag(sk, SOCK_ZEROCOPY))
		return WHY("the socket uses zero-copy sends");
	if (tp->tcp_tx_delay)
		return WHY("the socket uses TCP_TX_DELAY");
	if (sk->sk_tsflags & SOF_TIMESTAMPING_TX_RECORD_MASK)
		return WHY("the socket asks for transmit timestamps");
	return NULL;
}

/* Is there anything in the way of an offload? The reason or NULL [SEC-3]. */
static const char *chim_obstacle(struct sock *sk)
{
	const struct dst_entry *dst = __sk_dst_get(sk);
	const struct tcp_sock *tp = tcp_sk(sk);
	const char *why;

	if (sk_is_mptcp(sk))
		return WHY("the socket belongs to MPTCP");
	if (inet_csk(sk)->icsk_ulp_ops)
		return WHY("the socket has an upper layer protocol (ULP)");
	if (chim_usec_ts(tp))
		return WHY("the socket's timestamps count microseconds");
	if (tcp_ecn_mode_accecn(tp))
		return WHY("the connection uses accurate ECN");
	if (dst && dst_xfrm(dst))
		return WHY("an IPsec policy applies to the socket");
	if (dst && chim_path_diverts(dst))
		return WHY("the route encapsulates packets");
	if (sk->sk_shutdown & RCV_SHUTDOWN && !sock_flag(sk, SOCK_DONE))
		return WHY("the program has shut down reading");
	if (tp->urg_data || before(tp->snd_una, tp->snd_up))
		return WHY("urgent data is pending");
	why = chim_unfit(sk);
	/* Behind who did so: that says more. */
	if (!why && !chim_sock_known_prot(sk))
		return WHY("the socket's protocol operations were replaced");
	return why;
}

/**
 * chim_admit_revoked - has an offloaded socket become unfit for the NIC?
 * @sk: socket
 *
 * Context: slock held.
 * Return: true if it must be uploaded, then runs natively.
 */
bool chim_admit_revoked(const struct sock *sk)
{
	/* Dead: see chim_sock_is_dead() */
	return chim_unfit(sk) || sock_flag(sk, SOCK_DEAD);
}

/**
 * chim_admit_socket - may this socket be offloaded?
 * @sk: socket
 * @cdp: set to the device its route goes through, also at a refusal; NULL if
 *	there is none
 * @extack: gets the reason of a refusal
 *
 * Context: process, sock lock owned, RCU read side, which keeps @cdp alive.
 * Return: 0, or a negative error with the socket unchanged.
 */
int chim_admit_socket(struct sock *sk, struct chim_dev **cdp,
		      struct netlink_ext_ack *extack)
{
	const int ok = TCPF_ESTABLISHED | TCPF_FIN_WAIT1 | TCPF_FIN_WAIT2 |
		       TCPF_CLOSE_WAIT | TCPF_CLOSING | TCPF_LAST_ACK;
	const char *why;
	struct chim_dev *cd;

	*cdp = NULL;
	if (chim_sock_is_ours(sk)) {
		*cdp = chim_path_dev(sk);
		NL_SET_ERR_MSG_MOD(extack, "already offloaded");
		return -EALREADY;
	}
	if (sk->sk_state == TCP_LISTEN) {
		NL_SET_ERR_MSG_MOD(extack,
				   "a listening socket is never offloaded");
		return -EINVAL;
	}
	if (chim_fast_open(sk)) {
		NL_SET_ERR_MSG_MOD(extack, "TCP fast open is in progress");
		return -EOPNOTSUPP;
	}
	if (!((1 << sk->sk_state) & ok)) { /* TCD-2 */
		NL_SET_ERR_MSG_MOD(extack, "not connected");
		return -ENOTCONN;
	}
	if (!sk->sk_socket || sock_flag(sk, SOCK_DEAD)) {
		NL_SET_ERR_MSG_MOD(extack, "no program holds the socket");
		return -ENOTCONN;
	}
	/* Looks the route up again if need be: before it is asked for IPsec. */
	cd = chim_path_dev(sk);
	*cdp = cd;
	why = chim_obstacle(sk);
	if (why) {
		/* The messages are constant strings of this module. */
		if (extack)
			extack->_msg = why;
		return -EOPNOTSUPP;
	}
	if (!cd) {
		NL_SET_ERR_MSG_MOD(extack,
				   "the route does not go through a chimney device");
		return -ENETUNREACH;
	}
	if (!netif_running(cd->dev) || READ_ONCE(cd->closing)) {
		NL_SET_ERR_MSG_MOD(extack, "the chimney device is down");
		return -ENETDOWN;
	}
	if (READ_ONCE(cd->paused)) {
		NL_SET_ERR_MSG_MOD(extack, "the chimney device is paused");
		return -EBUSY;
	}
	return 0;
}
