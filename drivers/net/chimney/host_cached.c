// SPDX-License-Identifier: GPL-2.0
/*
 * Cached state: the socket's options as the NIC knows them.
 * Called by host_offload.c and host_sock.c with the sock lock owned or slock
 * held.
 */
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/tcp.h>

#include "host.h"

static u32 chim_flow_label(const struct sock *sk)
{
#if IS_ENABLED(CONFIG_IPV6)
	struct ipv6_pinfo *np = inet6_sk(sk);
	u32 label;

	if (np->flow_label & IPV6_FLOWLABEL_MASK || !sk->sk_txhash ||
	    !(inet6_test_bit(AUTOFLOWLABEL_SET, sk) ?
	      inet6_test_bit(AUTOFLOWLABEL, sk) :
	      ip6_default_np_autolabel(sock_net(sk))))
		return ntohl(np->flow_label & IPV6_FLOWLABEL_MASK);
	/* As the host labels on its own, so that the path stays the same. */
	label = ntohl((__force __be32)rol32(sk->sk_txhash, 16) &
		      IPV6_FLOWLABEL_MASK);
	if (sock_net(sk)->ipv6.sysctl.flowlabel_state_ranges)
		label |= ntohl(IPV6_FLOWLABEL_STATELESS_FLAG);
	return label;
#else
	return 0;
#endif
}

static void chim_cached_ip(struct sock *sk, struct chim_cached *c)
{
	const struct dst_entry *dst = __sk_dst_get(sk);
	struct inet_sock *inet = inet_sk(sk);

	if (chim_wire_family(sk) == AF_INET) {
		c->tos = inet->tos;
		if (inet->uc_ttl >= 0)
			c->ttl = inet->uc_ttl;
		else if (dst)
			c->ttl = ip4_dst_hoplimit(dst);
#if IS_ENABLED(CONFIG_IPV6)
	} else {
		c->tos = inet6_sk(sk)->tclass;
		if (inet6_sk(sk)->hop_limit >= 0)
			c->ttl = inet6_sk(sk)->hop_limit;
		else if (dst)
			c->ttl = ip6_dst_hoplimit((struct dst_entry *)dst);
		c->flow_label = htonl(chim_flow_label(sk));
#endif
	}
	c->user_priority = sk->sk_priority & 7;
}

/**
 * chim_cached_refresh - bring cached state up to date with the socket [UPD-2]
 * @sk: socket
 * @c: cached state as last given to the NIC, or zeroed
 *
 * A value an administrator gave in finer units than the host keeps stays
 * untouched while the socket's own value is what it was rounded to.
 *
 * Context: slock held or sock lock owned.
 * Return: true if anything changed.
 */
bool chim_cached_refresh(struct sock *sk, struct chim_cached *c)
{
	const struct inet_connection_sock *icsk = inet_csk(sk);
	const struct tcp_sock *tp = tcp_sk(sk);
	struct chim_cached old = *c;
	u32 max_rt;

	c->flags = 0;
	if (sock_flag(sk, SOCK_KEEPOPEN))
		c->flags |= CHIMNEY_CACHED_FLAG_KEEP_ALIVE;
	if (!(tp->nonagle & TCP_NAGLE_OFF))
		c->flags |= CHIMNEY_CACHED_FLAG_NAGLING;
	if (tp->nonagle & TCP_NAGLE_CORK)
		c->flags |= CHIM_CACHED_CORK;
	c->ka_probe_count = keepalive_probes(tp);
	if (msecs_to_jiffies(c->ka_timeout) != keepalive_time_when(tp))
		c->ka_timeout = jiffies_to_msecs(keepalive_time_when(tp));
	if (msecs_to_jiffies(c->ka_interval) != keepalive_intvl_when(tp))
		c->ka_interval = jiffies_to_msecs(keepalive_intvl_when(tp));
	max_rt = icsk->icsk_user_timeout;
	c->max_rt = max_rt >= INT_MAX ? CHIM_MAX_RT_UNLIMITED : max_rt;
	c->initial_rcv_wnd = min_t(u32, tcp_full_space(sk), tp->window_clamp);
	chim_cached_ip(sk, c);
	return memcmp(&old, c, sizeof(old));
}

static void chim_set_rcv_wnd(struct sock *sk, u32 wnd)
{
	int space = min_t(u64, 2ULL * wnd, INT_MAX / 2);

	WRITE_ONCE(sk->sk_rcvbuf, max_t(int, space, SOCK_MIN_RCVBUF));
	sk->sk_userlocks |= SOCK_RCVBUF_LOCK;
	tcp_sk(sk)->window_clamp = wnd;
}

/* The last two bits are congestion control's (RFC 3168 5), as with IP_TOS. */
static u8 chim_tos(u8 old, u8 new)
{
	return (old & INET_ECN_MASK) | (new & ~INET_ECN_MASK);
}

/**
 * chim_cached_to_socket - an administrator changes cached state
 * @sk: socket
 * @upd: what to change
 *
 * The socket's own options follow: they are the host's copy, and what holds
 * after the upload.
 *
 * Context: process, sock lock owned.
 */
void chim_cached_to_socket(struct sock *sk, const struct chim_update *upd)
{
	const struct chim_cached *c = &upd->cached;
	struct tcp_sock *tp = tcp_sk(sk);

	if (upd->set & CHIM_SET_KEEP_ALIVE)
		sock_valbool_flag(sk, SOCK_KEEPOPEN,
				  c->flags & CHIMNEY_CACHED_FLAG_KEEP_ALIVE);
	if (upd->set & CHIM_SET_NAGLING) {
		if (c->flags & CHIMNEY_CACHED_FLAG_NAGLING)
			tp->nonagle &= ~TCP_NAGLE_OFF;
		else
			tp->nonagle |= TCP_NAGLE_OFF;
	}
	if (upd->set & CHIM_SET_KA_PROBE_COUNT)
		WRITE_ONCE(tp->keepalive_probes, c->ka_probe_count ? : 10);
	if (upd->set & CHIM_SET_KA_TIMEOUT)
		WRITE_ONCE(tp->keepalive_time,
			   max(msecs_to_jiffies(c->ka_timeout), 1UL));
	if (upd->set & CHIM_SET_KA_INTERVAL)
		WRITE_ONCE(tp->keepalive_intvl,
			   msecs_to_jiffies(c->ka_interval ? : 1000));
	if (upd->set & CHIM_SET_MAX_RT)
		inet_csk(sk)->icsk_user_timeout =
			min_t(u32, c->max_rt, INT_MAX);
	if (upd->set & CHIM_SET_RCV_WND)
		chim_set_rcv_wnd(sk, c->initial_rcv_wnd);
	if (upd->set & CHIM_SET_PRIORITY)
		sk->sk_priority = c->user_priority;
	if (chim_wire_family(sk) == AF_INET) {
		if (upd->set & CHIM_SET_TTL)
			inet_sk(sk)->uc_ttl = c->ttl;
		if (upd->set & CHIM_SET_TOS)
			inet_sk(sk)->tos =
				chim_tos(inet_sk(sk)->tos, c->tos);
#if IS_ENABLED(CONFIG_IPV6)
	} else {
		if (upd->set & CHIM_SET_TTL)
			inet6_sk(sk)->hop_limit = c->ttl;
		if (upd->set & CHIM_SET_TOS)
			inet6_sk(sk)->tclass =
				chim_tos(inet6_sk(sk)->tclass, c->tos);
		if (upd->set & CHIM_SET_FLOW_LABEL) {
			inet6_sk(sk)->flow_label = c->flow_label;
			__sk_dst_reset(sk); /* routes are chosen by it */
		}
#endif
	}
}

/**
 * chim_cached_overlay - put an administrator's values over cached state
 * @c: cached state
 * @upd: what to change
 */
void chim_cached_overlay(struct chim_cached *c, const struct chim_update *upd)
{
	const struct chim_cached *v = &upd->cached;
	u8 level = 0;

	if (upd->set & CHIM_SET_KEEP_ALIVE)
		level |= CHIMNEY_CACHED_FLAG_KEEP_ALIVE;
	if (upd->set & CHIM_SET_NAGLING)
		level |= CHIMNEY_CACHED_FLAG_NAGLING;
	c->flags = (c->flags & ~level) | (v->flags & level);
	if (upd->set & CHIM_SET_KA_PROBE_COUNT)
		c->ka_probe_count = v->ka_probe_count ? : 10; /* BLD-5 */
	if (upd->set & CHIM_SET_KA_TIMEOUT)
		c->ka_timeout = v->ka_timeout;
	if (upd->set & CHIM_SET_KA_INTERVAL)
		c->ka_interval = v->ka_interval ? : 1000; /* BLD-5 */
	if (upd->set & CHIM_SET_MAX_RT)
		c->max_rt = v->max_rt;
	if (upd->set & CHIM_SET_RCV_WND)
		c->initial_rcv_wnd = v->initial_rcv_wnd;
	if (upd->set & CHIM_SET_INDICATION)
		c->rcv_indication_size = v->rcv_indication_size;
	if (upd->set & CHIM_SET_FLOW_LABEL)
		c->flow_label = v->flow_label;
	if (upd->set & CHIM_SET_TTL)
		c->ttl = v->ttl;
	if (upd->set & CHIM_SET_TOS)
		c->tos = v->tos;
	if (upd->set & CHIM_SET_PRIORITY)
		c->user_priority = v->user_priority;
}
