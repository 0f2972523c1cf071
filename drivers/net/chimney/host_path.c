// SPDX-License-Identifier: GPL-2.0
/*
 * Route, neighbour and MTU: the host keeps these for offloaded connections
 * and answers the NIC. Called by the NIC through struct chim_host_ops, under
 * its connection lock, and by host_offload.c under the sock lock. The socket's
 * cached route is read under RCU.
 */
#include <net/dst.h>
#include <net/inet_connection_sock.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/lwtunnel.h>
#include <net/neighbour.h>
#include <net/xfrm.h>

#include "chimney.h"

static u32 chim_path_cookie(const struct sock *sk)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6)
		return READ_ONCE(inet6_sk(sk)->dst_cookie);
#endif
	return 0;
}

/**
 * chim_path_dev - the chimney device a socket's route goes through
 * @sk: socket; looks the route up again if the cached one is stale
 *
 * Context: slock held or sock lock owned; RCU read side, which keeps the device
 * alive.
 * Return: the device, or NULL if there is no route or it goes elsewhere.
 */
struct chim_dev *chim_path_dev(struct sock *sk)
{
	struct dst_entry *dst = __sk_dst_check(sk, chim_path_cookie(sk));

	if (!dst) {
		if (inet_csk(sk)->icsk_af_ops->rebuild_header(sk))
			return NULL;
		dst = __sk_dst_get(sk);
	}
	return dst ? chim_dev_from(dst->dev) : NULL;
}

/**
 * chim_path_diverts - does the host not send by a route as it is?
 * @dst: route
 *
 * Return: true if IPsec or an encapsulation takes over what goes out by it.
 */
bool chim_path_diverts(const struct dst_entry *dst)
{
	return dst_xfrm(dst) || lwtunnel_output_redirect(dst->lwtstate) ||
	       lwtunnel_xmit_redirect(dst->lwtstate);
}

/**
 * chim_path_fits - may the NIC go on to run a connection?
 * @sk: socket; looks the route up again if the cached one is stale
 * @cd: the device it runs on
 *
 * Context: slock held or sock lock owned.
 * Return: true if the route still goes through the device, and no other way.
 */
bool chim_path_fits(struct sock *sk, const struct chim_dev *cd)
{
	bool fits;

	rcu_read_lock();
	fits = chim_path_dev(sk) == cd && !chim_path_diverts(__sk_dst_get(sk));
	rcu_read_unlock();
	return fits;
}

/**
 * chim_path_mtu - path MTU of a connection [PTH-3]
 * @conn: connection
 *
 * Context: BH.
 * Return: bytes, 0 if the socket has no route at the moment.
 */
u32 chim_path_mtu(struct chim_conn *conn)
{
	struct dst_entry *dst;
	u32 mtu = 0;

	rcu_read_lock();
	dst = rcu_dereference(conn->sk->sk_dst_cache);
	if (dst)
		mtu = dst_mtu(dst);
	rcu_read_unlock();
	return mtu;
}

/**
 * chim_path_policy_ok - does the host's IPsec policy let a segment in?
 * @skb: segment, network and transport header set
 *
 * The slow path asks the same before it gives a segment to a socket.
 *
 * Context: BH.
 * Return: true if so.
 */
bool chim_path_policy_ok(struct sk_buff *skb)
{
	if (skb->protocol == htons(ETH_P_IP))
		return xfrm4_policy_check(NULL, XFRM_POLICY_IN, skb);
	return xfrm6_policy_check(NULL, XFRM_POLICY_IN, skb);
}

/* May a segment take a route that was replaced, until the socket has a new
 * one? Not if that could bring IPsec with it.
 */
static bool chim_path_stale_ok(const struct net *net)
{
#ifdef CONFIG_XFRM
	return !net->xfrm.policy_count[XFRM_POLICY_OUT] &&
	       READ_ONCE(net->xfrm.policy_default[XFRM_POLICY_OUT]) ==
	       XFRM_USERPOLICY_ACCEPT;
#else
	return true;
#endif
}

/**
 * chim_path_output - put the link header on an IP datagram and send it
 * @conn: connection
 * @skb: datagram, taken
 * @confirm: the neighbour has proved to be reachable [NUD-2]
 *
 * A stale route is repaired by the worker; until then the old one serves as
 * long as it leads out of the device.
 *
 * Context: BH, NIC connection lock held.
 */
void chim_path_output(struct chim_conn *conn, struct sk_buff *skb,
		      bool confirm)
{
	struct sock *sk = conn->sk;
	struct neighbour *neigh;
	struct dst_entry *dst;
	const void *daddr;
	bool stale;

	rcu_read_lock();
	dst = rcu_dereference(sk->sk_dst_cache);
	stale = !dst || (dst->obsolete &&
			 !dst->ops->check(dst, chim_path_cookie(sk)));
	if (stale || chim_path_diverts(dst))
		chim_host_request_upload(conn, CHIMNEY_REASON_ROUTE);
	if (!dst || chim_path_diverts(dst) || dst->dev != conn->cd->dev ||
	    (stale && !chim_path_stale_ok(sock_net(sk))))
		goto drop;

	daddr = skb->protocol == htons(ETH_P_IP) ?
		(const void *)&ip_hdr(skb)->daddr :
		(const void *)&ipv6_hdr(skb)->daddr;
	neigh = dst_neigh_lookup(dst, daddr);
	if (!neigh)
		goto drop;
	if (confirm)
		neigh_confirm(neigh);
	skb->dev = dst->dev;
	skb->priority = READ_ONCE(sk->sk_priority);
	skb->mark = READ_ONCE(sk->sk_mark);
	skb_dst_set_noref(skb, dst);
	neigh_output(neigh, skb, false);
	neigh_release(neigh);
	rcu_read_unlock();
	return;
drop:
	rcu_read_unlock();
	kfree_skb(skb);
}
