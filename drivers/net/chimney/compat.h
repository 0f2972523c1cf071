/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernels this is built for. Everything else reads
 * as for the newest of them; here older ones learn to be like it. Macros stand
 * in front of functions of the same name, which a stable series may get later.
 *
 * Where a series moved something without a version to tell by, the Makefile
 * looks, and defines CHIM_HAVE_*.
 */
#ifndef _CHIM_COMPAT_H
#define _CHIM_COMPAT_H

#include <linux/hrtimer.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <linux/version.h>
#include <net/genetlink.h>
#include <net/inet6_hashtables.h>
#include <net/inet_connection_sock.h>
#include <net/inet_hashtables.h>
#include <net/rtnetlink.h>
#include <net/tcp.h>

#define CHIM_BEFORE(a, b)	(KERNEL_VERSION(a, b, 0) > LINUX_VERSION_CODE)

#if CHIM_BEFORE(6, 1)
#error "chimney needs Linux 6.1 or newer"
#endif

/* Headers that others were split off into. */
#if !CHIM_BEFORE(6, 10)
#include <linux/skbuff_ref.h>
#endif
#if CHIM_BEFORE(6, 12)
#include <asm/unaligned.h>
#else
#include <linux/unaligned.h>
#endif
#if !CHIM_BEFORE(6, 15)
#include <net/netdev_lock.h>
#endif

#if CHIM_BEFORE(6, 2)
#define genl_split_ops genl_ops
#endif

#if CHIM_BEFORE(6, 6)
#define chim_inet_DEFER_CONNECT(sk)	(inet_sk(sk)->defer_connect)
#define inet_test_bit(nr, sk)		chim_inet_##nr(sk)
/* Both have @attrs. */
#define genl_info_dump(cb)		genl_dumpit_info(cb)
#endif

#if CHIM_BEFORE(6, 7)
#define chim_inet6_AUTOFLOWLABEL(sk)	(inet6_sk(sk)->autoflowlabel)
#define chim_inet6_AUTOFLOWLABEL_SET(sk) (inet6_sk(sk)->autoflowlabel_set)
#define inet6_test_bit(nr, sk)		chim_inet6_##nr(sk)
#define tcp_clock_ms()			tcp_time_stamp_raw()
#endif

/* Timestamps of this connection count microseconds. */
static inline bool chim_usec_ts(const struct tcp_sock *tp)
{
#if CHIM_BEFORE(6, 7)
	return false;
#else
	return tp->tcp_usec_ts;
#endif
}

/* Programs see the receive window. */
static inline void chim_info_rcv_wnd(struct tcp_info *info, u32 wnd)
{
#if !CHIM_BEFORE(6, 2)
	info->tcpi_rcv_wnd = wnd;
#endif
}

/* No lock is needed to transmit. */
static inline void chim_set_lltx(struct net_device *dev)
{
#if CHIM_BEFORE(6, 12)
	dev->features |= NETIF_F_LLTX;
#else
	dev->lltx = true;
#endif
}

#if CHIM_BEFORE(6, 13)
#define hrtimer_setup(t, fn, clock, mode) do {	\
	struct hrtimer *_t = (t);		\
						\
	hrtimer_init(_t, clock, mode);		\
	_t->function = (fn);			\
} while (0)
#endif

#if CHIM_BEFORE(6, 15)
#define tcp_rto_max(sk)			TCP_RTO_MAX

struct rtnl_newlink_params {
	struct net *src_net;
	struct nlattr **tb;
	struct nlattr **data;
};

static inline struct net *
rtnl_newlink_link_net(struct rtnl_newlink_params *p)
{
	return p->src_net;
}

int chim_dev_newlink(struct net_device *dev,
		     struct rtnl_newlink_params *params,
		     struct netlink_ext_ack *extack);

static inline int chim_compat_newlink(struct net *src_net,
				      struct net_device *dev,
				      struct nlattr *tb[],
				      struct nlattr *data[],
				      struct netlink_ext_ack *extack)
{
	struct rtnl_newlink_params params = {
		.src_net = src_net,
		.tb = tb,
		.data = data,
	};

	return chim_dev_newlink(dev, &params, extack);
}
#else
#define chim_compat_newlink		chim_dev_newlink
#endif

#if CHIM_BEFORE(6, 17)
#define sk_uid(sk)			sock_i_uid(sk)
#endif

#if CHIM_BEFORE(6, 18)
#define __inet_lookup_established(net, ...)				\
	__inet_lookup_established(net,					\
				  (net)->ipv4.tcp_death_row.hashinfo,	\
				  __VA_ARGS__)
#define __inet6_lookup_established(net, ...)				\
	__inet6_lookup_established(net,					\
				   (net)->ipv4.tcp_death_row.hashinfo,	\
				   __VA_ARGS__)
#endif

#ifndef TCP_ECN_MODE_ACCECN
#define TCP_ECN_MODE_RFC3168		TCP_ECN_OK
#define tcp_ecn_mode_accecn(tp)		false
#endif

#ifndef CHIM_HAVE_tcp_mstamp_refresh_inline
static inline void tcp_mstamp_refresh_inline(struct tcp_sock *tp)
{
	tp->tcp_clock_cache = tcp_clock_ns();
	tp->tcp_mstamp = div_u64(tp->tcp_clock_cache, NSEC_PER_USEC);
}
#endif

#ifndef CHIM_HAVE_tcp_timeout_expires
#define tcp_timeout_expires(sk)		(inet_csk(sk)->icsk_timeout)
#endif

/* The timer of inet_csk_reset_xmit_timer(). */
static inline struct timer_list *chim_retransmit_timer(struct sock *sk)
{
#ifdef CHIM_HAVE_tcp_timeout_expires
	return &sk->tcp_retransmit_timer;
#else
	return &inet_csk(sk)->icsk_retransmit_timer;
#endif
}

/* The timer of SO_KEEPALIVE. */
static inline struct timer_list *chim_keepalive_timer(struct sock *sk)
{
#ifdef CHIM_HAVE_icsk_keepalive_timer
	return &inet_csk(sk)->icsk_keepalive_timer;
#else
	return &sk->sk_timer;
#endif
}

/* Whether peers may still use a window that was offered before a smaller one:
 * then the largest is remembered.
 */
static inline void chim_set_max_window(struct tcp_sock *tp)
{
#ifdef CHIM_HAVE_rcv_mwnd_seq
	tp->rcv_mwnd_seq = tp->rcv_wup + tp->rcv_wnd;
#endif
}

#endif /* _CHIM_COMPAT_H */
