// SPDX-License-Identifier: GPL-2.0
/*
 * TCP chimney offload: control interface.
 *
 * Owns the generic netlink family "chimney": policies, requests, replies,
 * dumps and notifications, and the conversion between nanoseconds or
 * milliseconds inside the module and ticks outside [TIM-1, BLD-38].
 * Called by genetlink, and by whoever has an event to report.
 * Names follow Documentation/netlink/specs/chimney.yaml.
 *
 * Locks: the dev commands run under rtnl_mutex, taken before the command and
 * released after it; the conn commands hold a reference to the connection and
 * no lock. Requests run in parallel.
 */

#include <linux/in6.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <net/genetlink.h>
#include <net/inet6_hashtables.h>
#include <net/inet_hashtables.h>
#include <net/ipv6.h>
#include <net/tcp.h>

#include "chimney.h"

/* What the hooks around a command resolve and hold in user_ptr[0]. */
#define CHIM_NL_NEED_DEV	BIT(0)	/* struct chim_dev, rtnl_mutex held */
#define CHIM_NL_NEED_CONN	BIT(1)	/* struct chim_conn, reference held */

#define CHIM_NL_MAX_CONNS	BIT(24)
#define CHIM_NL_MAX_RCV_WND	BIT(30)
#define CHIM_NL_MAX_DELACK	500	/* ms, RFC 9293: must be below */

/* Flags that a query shows; the others are one-shot [BLD-42]. */
#define CHIM_NL_LEVEL_FLAGS	(CHIMNEY_CACHED_FLAG_KEEP_ALIVE | \
				 CHIMNEY_CACHED_FLAG_NAGLING)
#define CHIM_NL_TRIGGERS	(CHIMNEY_CACHED_FLAG_KEEP_ALIVE_RESTART | \
				 CHIMNEY_CACHED_FLAG_MAX_RT_RESTART | \
				 CHIMNEY_CACHED_FLAG_UPDATE_RCV_WND)

#define CHIM_NL_REFUSE(extack, attr, msg) do {		\
	struct netlink_ext_ack *_extack = (extack);	\
							\
	NL_SET_ERR_MSG_MOD(_extack, msg);		\
	NL_SET_BAD_ATTR(_extack, attr);			\
} while (0)

static struct genl_family chim_nl_family;
/* The family is registered; notifications go nowhere before and after. */
static bool chim_nl_registered;
/* Changes whenever a connection comes or goes, so that dumps can tell. */
static atomic_t chim_nl_generation = ATOMIC_INIT(1);

/**
 * struct chim_nl_sink - the message being filled, and for whom
 * @skb: the message
 * @user_ns: namespace of the reader's user ids
 * @now: CLOCK_MONOTONIC, the moment to which remaining times refer
 * @hz: ticks per second
 * @secrets: the reader may see sequence numbers and timestamps, with which a
 *	connection could be attacked from elsewhere
 */
struct chim_nl_sink {
	struct sk_buff *skb;
	struct user_namespace *user_ns;
	ktime_t now;
	u32 hz;
	bool secrets;
};

/**
 * struct chim_nl_tuple - addresses that name a connection in a request
 * @local: local address; IPv4 as a mapped address
 * @remote: remote address; IPv4 as a mapped address
 * @lport: local port
 * @rport: remote port
 */
struct chim_nl_tuple {
	struct in6_addr local;
	struct in6_addr remote;
	__be16 lport;
	__be16 rport;
};

/* Ticks */

/**
 * chim_nl_ns_to_ticks() - convert a span of time
 * @ns: nanoseconds
 * @hz: ticks per second
 *
 * Return: ticks, rounded up, at most the largest value that is not special
 */
static u32 chim_nl_ns_to_ticks(u64 ns, u32 hz)
{
	u64 ticks = DIV64_U64_ROUND_UP(ns, NSEC_PER_SEC / hz);

	return min_t(u64, ticks, CHIMNEY_TIMER_IDLE - 1);
}

/**
 * chim_nl_deadline_to_ticks() - convert a deadline to the time that is left
 * @deadline: CLOCK_MONOTONIC or %CHIM_IDLE
 * @now: CLOCK_MONOTONIC
 * @hz: ticks per second
 *
 * Return: ticks left, rounded up, 0 only if the deadline has been reached,
 * %CHIMNEY_TIMER_IDLE if the timer is not running [BLD-38]
 */
static u32 chim_nl_deadline_to_ticks(ktime_t deadline, ktime_t now, u32 hz)
{
	if (deadline == CHIM_IDLE)
		return CHIMNEY_TIMER_IDLE;
	if (deadline <= now)
		return 0;
	return chim_nl_ns_to_ticks(ktime_sub(deadline, now), hz);
}

/**
 * chim_nl_ms_to_ticks() - convert milliseconds
 * @ms: milliseconds
 * @hz: ticks per second, a divisor of 1000
 *
 * Return: ticks, rounded up
 */
static u32 chim_nl_ms_to_ticks(u32 ms, u32 hz)
{
	u32 ms_per_tick = MSEC_PER_SEC / hz;

	return ms / ms_per_tick + !!(ms % ms_per_tick);
}

/**
 * chim_nl_ticks_to_ms() - read an attribute that carries ticks
 * @attr: the attribute
 * @hz: ticks per second, a divisor of 1000
 * @ms: where to put the milliseconds
 * @extack: for the reason of a refusal
 *
 * Return: 0, or %-ERANGE if the time is too long
 */
static int chim_nl_ticks_to_ms(const struct nlattr *attr, u32 hz, u32 *ms,
			       struct netlink_ext_ack *extack)
{
	u64 val = (u64)nla_get_u32(attr) * (MSEC_PER_SEC / hz);

	if (val >= U32_MAX) {
		CHIM_NL_REFUSE(extack, attr, "time is too long");
		return -ERANGE;
	}
	*ms = val;
	return 0;
}

/* Smoothed times: @us is in us times some factor, the result in ticks times
 * the same factor, in 16 bits [TCD-14].
 */
static u32 chim_nl_rtt_to_ticks(u32 us, u32 hz)
{
	u64 ticks = DIV_ROUND_UP_ULL((u64)us * hz, USEC_PER_SEC);

	return min_t(u64, ticks, U16_MAX);
}

/* Policies */

/* No functions check values here: on Linux 6.1 a dump of policies takes their
 * addresses for ranges, and warns.
 */

static struct netlink_range_validation chim_nl_max_conns_range = {
	.min = 1,
	.max = CHIM_NL_MAX_CONNS,
};

static struct netlink_range_validation chim_nl_rcv_wnd_range = {
	.min = 1,
	.max = CHIM_NL_MAX_RCV_WND,
};

static struct netlink_range_validation chim_nl_ka_timeout_range = {
	.min = 1,
	.max = U32_MAX - 1,
};

static struct netlink_range_validation chim_nl_ka_interval_range = {
	.max = U32_MAX - 1,
};

static struct netlink_range_validation chim_nl_flow_label_range = {
	.max = 0xfffff,
};

static const struct nla_policy
chim_nl_dev_policy[CHIMNEY_A_DEV_IFINDEX + 1] = {
	[CHIMNEY_A_DEV_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
};

static const struct nla_policy
chim_nl_dev_set_policy[CHIMNEY_A_DEV_FIN_WAIT2 + 1] = {
	[CHIMNEY_A_DEV_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[CHIMNEY_A_DEV_HZ] = NLA_POLICY_RANGE(NLA_U32, 10, 1000),
	[CHIMNEY_A_DEV_MAX_CONNS] =
		NLA_POLICY_FULL_RANGE(NLA_U32, &chim_nl_max_conns_range),
	[CHIMNEY_A_DEV_ACK_FREQUENCY] = NLA_POLICY_RANGE(NLA_U32, 1, 255),
	[CHIMNEY_A_DEV_DELAYED_ACK] =
		NLA_POLICY_RANGE(NLA_U32, 1, CHIM_NL_MAX_DELACK - 1),
	[CHIMNEY_A_DEV_MAX_RETRANSMISSIONS] =
		NLA_POLICY_RANGE(NLA_U32, 1, 255),
	[CHIMNEY_A_DEV_DUPACK_THRESHOLD] = NLA_POLICY_RANGE(NLA_U32, 1, 255),
	[CHIMNEY_A_DEV_FIN_WAIT2] = { .type = NLA_U32 },
};

static const struct nla_policy
chim_nl_tuple_policy[CHIMNEY_A_CONST_REMOTE_PORT + 1] = {
	[CHIMNEY_A_CONST_FAMILY] =
		NLA_POLICY_RANGE(NLA_U32, AF_INET, AF_INET6),
	[CHIMNEY_A_CONST_LOCAL_ADDRESS] = NLA_POLICY_RANGE(NLA_BINARY, 4, 16),
	[CHIMNEY_A_CONST_REMOTE_ADDRESS] = NLA_POLICY_RANGE(NLA_BINARY, 4, 16),
	[CHIMNEY_A_CONST_LOCAL_PORT] = NLA_POLICY_MIN(NLA_BE16, 1),
	[CHIMNEY_A_CONST_REMOTE_PORT] = NLA_POLICY_MIN(NLA_BE16, 1),
};

static const struct nla_policy
chim_nl_cached_policy[CHIMNEY_A_CACHED_MAX + 1] = {
	[CHIMNEY_A_CACHED_FLAGS] =
		NLA_POLICY_BITFIELD32(CHIM_NL_LEVEL_FLAGS | CHIM_NL_TRIGGERS),
	[CHIMNEY_A_CACHED_INITIAL_RCV_WND] =
		NLA_POLICY_FULL_RANGE(NLA_U32, &chim_nl_rcv_wnd_range),
	[CHIMNEY_A_CACHED_RCV_INDICATION_SIZE] = { .type = NLA_U32 },
	[CHIMNEY_A_CACHED_KA_PROBE_COUNT] = NLA_POLICY_MAX(NLA_U32, 255),
	[CHIMNEY_A_CACHED_KA_TIMEOUT] =
		NLA_POLICY_FULL_RANGE(NLA_U32, &chim_nl_ka_timeout_range),
	[CHIMNEY_A_CACHED_KA_INTERVAL] =
		NLA_POLICY_FULL_RANGE(NLA_U32, &chim_nl_ka_interval_range),
	[CHIMNEY_A_CACHED_MAX_RT] = { .type = NLA_U32 },
	[CHIMNEY_A_CACHED_FLOW_LABEL] =
		NLA_POLICY_FULL_RANGE(NLA_BE32, &chim_nl_flow_label_range),
	[CHIMNEY_A_CACHED_TTL_OR_HOP_LIMIT] =
		NLA_POLICY_RANGE(NLA_U32, 1, 255),
	[CHIMNEY_A_CACHED_TOS_OR_TRAFFIC_CLASS] =
		NLA_POLICY_MAX(NLA_U32, 255),
	[CHIMNEY_A_CACHED_USER_PRIORITY] = NLA_POLICY_MAX(NLA_U32, 7),
};

/* conn-get and conn-terminate */
static const struct nla_policy
chim_nl_conn_policy[CHIMNEY_A_CONN_CONST + 1] = {
	[CHIMNEY_A_CONN_ID] = NLA_POLICY_MIN(NLA_U32, 1),
	[CHIMNEY_A_CONN_CONST] = NLA_POLICY_NESTED(chim_nl_tuple_policy),
};

static const struct nla_policy
chim_nl_conn_offload_policy[CHIMNEY_A_CONN_CACHED + 1] = {
	[CHIMNEY_A_CONN_FD] = { .type = NLA_U32 },
	[CHIMNEY_A_CONN_CONST] = NLA_POLICY_NESTED(chim_nl_tuple_policy),
	[CHIMNEY_A_CONN_CACHED] = NLA_POLICY_NESTED(chim_nl_cached_policy),
};

static const struct nla_policy
chim_nl_conn_update_policy[CHIMNEY_A_CONN_CACHED + 1] = {
	[CHIMNEY_A_CONN_ID] = NLA_POLICY_MIN(NLA_U32, 1),
	[CHIMNEY_A_CONN_CONST] = NLA_POLICY_NESTED(chim_nl_tuple_policy),
	[CHIMNEY_A_CONN_CACHED] = NLA_POLICY_NESTED(chim_nl_cached_policy),
};

/* Reading requests */

static int chim_nl_get_address(const struct nlattr *attr, u32 family,
			       struct in6_addr *addr,
			       struct netlink_ext_ack *extack)
{
	int len = family == AF_INET ? sizeof(struct in_addr) :
				      sizeof(struct in6_addr);

	if (nla_len(attr) != len) {
		CHIM_NL_REFUSE(extack, attr,
			       "length of address does not fit the family");
		return -EINVAL;
	}
	if (family == AF_INET)
		ipv6_addr_set_v4mapped(nla_get_in_addr(attr), addr);
	else
		*addr = nla_get_in6_addr(attr);
	return 0;
}

static int chim_nl_get_tuple(struct nlattr *nest, struct chim_nl_tuple *t,
			     struct netlink_ext_ack *extack)
{
	struct nlattr *tb[ARRAY_SIZE(chim_nl_tuple_policy)];
	struct nlattr *attr;
	u32 family;
	int err, i;

	err = nla_parse_nested(tb, ARRAY_SIZE(tb) - 1, nest,
			       chim_nl_tuple_policy, extack);
	if (err)
		return err;

	for (i = CHIMNEY_A_CONST_FAMILY; i < ARRAY_SIZE(tb); i++) {
		if (!NL_REQ_ATTR_CHECK(extack, nest, tb, i))
			continue;
		NL_SET_ERR_MSG_MOD(extack,
				   "family, both addresses and both ports needed");
		return -EINVAL;
	}

	attr = tb[CHIMNEY_A_CONST_FAMILY];
	family = nla_get_u32(attr);
	if (family != AF_INET && family != AF_INET6) {
		CHIM_NL_REFUSE(extack, attr,
			       "family must be AF_INET or AF_INET6");
		return -ERANGE;
	}
	attr = tb[CHIMNEY_A_CONST_LOCAL_ADDRESS];
	err = chim_nl_get_address(attr, family, &t->local, extack);
	if (err)
		return err;
	attr = tb[CHIMNEY_A_CONST_REMOTE_ADDRESS];
	err = chim_nl_get_address(attr, family, &t->remote, extack);
	if (err)
		return err;
	if (ipv6_addr_v4mapped(&t->local) != ipv6_addr_v4mapped(&t->remote)) {
		CHIM_NL_REFUSE(extack, attr, "addresses of different families");
		return -EINVAL;
	}
	t->lport = nla_get_be16(tb[CHIMNEY_A_CONST_LOCAL_PORT]);
	t->rport = nla_get_be16(tb[CHIMNEY_A_CONST_REMOTE_PORT]);
	return 0;
}

/* Sockets bound to a device are found only by way of that device. */
static struct sock *chim_nl_lookup(struct net *net,
				   const struct chim_nl_tuple *t, int ifindex)
{
	struct inet_hashinfo *hashinfo = net->ipv4.tcp_death_row.hashinfo;

	if (ipv6_addr_v4mapped(&t->local))
		return __inet_lookup_established(net, hashinfo,
						 t->remote.s6_addr32[3],
						 t->rport,
						 t->local.s6_addr32[3],
						 ntohs(t->lport), ifindex, 0);
#if IS_ENABLED(CONFIG_IPV6)
	return __inet6_lookup_established(net, hashinfo, &t->remote, t->rport,
					  &t->local, ntohs(t->lport), ifindex,
					  0);
#else
	return NULL;
#endif
}

/**
 * chim_nl_sock_by_tuple() - find the socket of an established connection
 * @net: network namespace
 * @nest: attribute set const of the request
 * @extack: for the reason of a refusal
 *
 * Return: the socket with a reference, or an error
 */
static struct sock *chim_nl_sock_by_tuple(struct net *net, struct nlattr *nest,
					  struct netlink_ext_ack *extack)
{
	struct sock *found = NULL, *sk;
	struct chim_nl_tuple t = {};
	struct net_device *dev;
	int err;

	err = chim_nl_get_tuple(nest, &t, extack);
	if (err)
		return ERR_PTR(err);

	rcu_read_lock();
	for_each_netdev_rcu(net, dev) {
		sk = chim_nl_lookup(net, &t, dev->ifindex);
		if (!sk)
			continue;
		if (!found) {
			found = sk;
			continue;
		}
		sock_gen_put(sk);
		if (sk != found) {
			err = -ENOTUNIQ;
			break;
		}
	}
	rcu_read_unlock();

	if (err) {
		sock_gen_put(found);
		CHIM_NL_REFUSE(extack, nest,
			       "several connections have these addresses");
		return ERR_PTR(err);
	}
	if (!found) {
		CHIM_NL_REFUSE(extack, nest,
			       "no connection has these addresses");
		return ERR_PTR(-ENOENT);
	}
	if (!sk_fullsock(found)) {
		sock_gen_put(found);
		CHIM_NL_REFUSE(extack, nest, "not an established connection");
		return ERR_PTR(-EINVAL);
	}
	return found;
}

/**
 * chim_nl_sock_by_fd() - find the socket behind a file descriptor
 * @net: network namespace of the caller
 * @attr: attribute fd of the request
 * @extack: for the reason of a refusal
 *
 * Context: in the process that sent the request.
 *
 * Return: the socket with a reference, or an error
 */
static struct sock *chim_nl_sock_by_fd(struct net *net, struct nlattr *attr,
				       struct netlink_ext_ack *extack)
{
	struct socket *sock;
	struct sock *sk;
	int err;

	sock = sockfd_lookup(nla_get_u32(attr), &err);
	if (!sock) {
		CHIM_NL_REFUSE(extack, attr, "fd is not an open socket");
		return ERR_PTR(err);
	}
	sk = sock->sk;
	if ((sk->sk_family != AF_INET && sk->sk_family != AF_INET6) ||
	    !sk_is_tcp(sk)) {
		CHIM_NL_REFUSE(extack, attr, "not a TCP socket");
		err = -EOPNOTSUPP;
	} else if (!net_eq(sock_net(sk), net)) {
		CHIM_NL_REFUSE(extack, attr,
			       "socket belongs to another network namespace");
		err = -EXDEV;
	} else {
		err = 0;
		sock_hold(sk);
	}
	/* The file stays the program's: its close() must be the last one. */
	sockfd_put(sock);
	return err ? ERR_PTR(err) : sk;
}

/**
 * chim_nl_sock_hz() - unit of times in a request that offloads a socket
 * @sk: the socket
 *
 * Return: ticks per second of the device @sk will be handed to; any if there
 * is none, for then the request will be refused
 */
static u32 chim_nl_sock_hz(struct sock *sk)
{
	struct chim_dev *cd = NULL;
	u32 hz = CHIM_DEFAULT_HZ;

	lock_sock(sk);
	if (!((1 << sk->sk_state) & (TCPF_CLOSE | TCPF_LISTEN)))
		cd = chim_path_dev(sk);
	if (cd)
		hz = READ_ONCE(cd->params.hz);
	release_sock(sk);
	return hz;
}

static bool chim_nl_sock_is_ipv4(const struct sock *sk)
{
#if IS_ENABLED(CONFIG_IPV6)
	return sk->sk_family == AF_INET ||
	       ipv6_addr_v4mapped(&sk->sk_v6_daddr);
#else
	return true;
#endif
}

/**
 * chim_nl_get_cached() - read a change of cached state
 * @nest: attribute set cached of the request
 * @sk: socket of the connection
 * @hz: unit of times
 * @upd: where to put the change; zeroed by the caller
 * @extack: for the reason of a refusal
 *
 * Return: 0 or an error
 */
static int chim_nl_get_cached(struct nlattr *nest, const struct sock *sk,
			      u32 hz, struct chim_update *upd,
			      struct netlink_ext_ack *extack)
{
	struct nlattr *tb[CHIMNEY_A_CACHED_MAX + 1];
	struct chim_cached *c = &upd->cached;
	struct nla_bitfield32 flags;
	struct nlattr *attr;
	int err;

	err = nla_parse_nested(tb, CHIMNEY_A_CACHED_MAX, nest,
			       chim_nl_cached_policy, extack);
	if (err)
		return err;

	attr = tb[CHIMNEY_A_CACHED_FLAGS];
	if (attr) {
		flags = nla_get_bitfield32(attr);
		c->flags = flags.value & CHIM_NL_LEVEL_FLAGS;
		upd->triggers = flags.value & CHIM_NL_TRIGGERS;
		if (flags.selector & CHIMNEY_CACHED_FLAG_KEEP_ALIVE)
			upd->set |= CHIM_SET_KEEP_ALIVE;
		if (flags.selector & CHIMNEY_CACHED_FLAG_NAGLING)
			upd->set |= CHIM_SET_NAGLING;
	}
	attr = tb[CHIMNEY_A_CACHED_INITIAL_RCV_WND];
	if (attr) {
		c->initial_rcv_wnd = nla_get_u32(attr);
		upd->set |= CHIM_SET_RCV_WND;
	}
	attr = tb[CHIMNEY_A_CACHED_RCV_INDICATION_SIZE];
	if (attr) {
		c->rcv_indication_size = nla_get_u32(attr);
		upd->set |= CHIM_SET_INDICATION;
	}
	attr = tb[CHIMNEY_A_CACHED_KA_PROBE_COUNT];
	if (attr) {
		c->ka_probe_count = nla_get_u32(attr);
		upd->set |= CHIM_SET_KA_PROBE_COUNT;
	}
	attr = tb[CHIMNEY_A_CACHED_KA_TIMEOUT];
	if (attr) {
		err = chim_nl_ticks_to_ms(attr, hz, &c->ka_timeout, extack);
		if (err)
			return err;
		upd->set |= CHIM_SET_KA_TIMEOUT;
	}
	attr = tb[CHIMNEY_A_CACHED_KA_INTERVAL];
	if (attr) {
		err = chim_nl_ticks_to_ms(attr, hz, &c->ka_interval, extack);
		if (err)
			return err;
		upd->set |= CHIM_SET_KA_INTERVAL;
	}
	attr = tb[CHIMNEY_A_CACHED_MAX_RT];
	if (attr) {
		if (nla_get_u32(attr) == CHIMNEY_MAX_RT_UNLIMITED)
			c->max_rt = CHIM_MAX_RT_UNLIMITED;
		else
			err = chim_nl_ticks_to_ms(attr, hz, &c->max_rt, extack);
		if (err)
			return err;
		upd->set |= CHIM_SET_MAX_RT;
	}
	attr = tb[CHIMNEY_A_CACHED_FLOW_LABEL];
	if (attr) {
		if (chim_nl_sock_is_ipv4(sk)) {
			CHIM_NL_REFUSE(extack, attr,
				       "IPv4 connections have no flow label");
			return -EINVAL;
		}
		c->flow_label = nla_get_be32(attr);
		upd->set |= CHIM_SET_FLOW_LABEL;
	}
	attr = tb[CHIMNEY_A_CACHED_TTL_OR_HOP_LIMIT];
	if (attr) {
		c->ttl = nla_get_u32(attr);
		upd->set |= CHIM_SET_TTL;
	}
	attr = tb[CHIMNEY_A_CACHED_TOS_OR_TRAFFIC_CLASS];
	if (attr) {
		c->tos = nla_get_u32(attr);
		upd->set |= CHIM_SET_TOS;
	}
	attr = tb[CHIMNEY_A_CACHED_USER_PRIORITY];
	if (attr) {
		c->user_priority = nla_get_u32(attr);
		upd->set |= CHIM_SET_PRIORITY;
	}

	if (!upd->set && !upd->triggers) {
		CHIM_NL_REFUSE(extack, nest, "nothing to change");
		return -EINVAL;
	}
	return 0;
}

static struct chim_dev *chim_nl_find_dev(struct genl_info *info)
{
	struct nlattr *attr = info->attrs[CHIMNEY_A_DEV_IFINDEX];
	struct net_device *dev;
	struct chim_dev *cd;

	if (GENL_REQ_ATTR_CHECK(info, CHIMNEY_A_DEV_IFINDEX)) {
		NL_SET_ERR_MSG_MOD(info->extack, "ifindex needed");
		return ERR_PTR(-EINVAL);
	}
	dev = __dev_get_by_index(genl_info_net(info), nla_get_u32(attr));
	if (!dev) {
		CHIM_NL_REFUSE(info->extack, attr, "no such device");
		return ERR_PTR(-ENODEV);
	}
	cd = chim_dev_from(dev);
	if (!cd) {
		CHIM_NL_REFUSE(info->extack, attr, "not a chimney device");
		return ERR_PTR(-EOPNOTSUPP);
	}
	return cd;
}

static struct chim_conn *chim_nl_find_conn(struct genl_info *info)
{
	struct nlattr *nest = info->attrs[CHIMNEY_A_CONN_CONST];
	struct nlattr *attr = info->attrs[CHIMNEY_A_CONN_ID];
	struct net *net = genl_info_net(info);
	struct chim_conn *conn;
	struct sock *sk;

	if (attr && nest) {
		CHIM_NL_REFUSE(info->extack, nest,
			       "give either id or addresses, not both");
		return ERR_PTR(-EINVAL);
	}
	if (attr) {
		conn = chim_host_get_conn(net, nla_get_u32(attr));
		if (conn)
			return conn;
		CHIM_NL_REFUSE(info->extack, attr, "no such connection");
		return ERR_PTR(-ENOENT);
	}
	if (!nest) {
		NL_SET_ERR_ATTR_MISS(info->extack, NULL, CHIMNEY_A_CONN_ID);
		NL_SET_ERR_MSG_MOD(info->extack, "id or addresses needed");
		return ERR_PTR(-EINVAL);
	}

	sk = chim_nl_sock_by_tuple(net, nest, info->extack);
	if (IS_ERR(sk))
		return ERR_CAST(sk);
	conn = chim_host_conn_of(sk);
	sock_put(sk);
	if (!conn) {
		CHIM_NL_REFUSE(info->extack, nest,
			       "connection is not offloaded");
		return ERR_PTR(-ENOENT);
	}
	return conn;
}

/* Writing replies and notifications */

static int chim_nl_put_dev(struct sk_buff *skb, struct chim_dev *cd)
{
	const struct chim_params *p = &cd->params;
	u64 cnt[CHIM_CNT_MAX] = {};

	chim_dev_counters(cd, cnt);

	if (nla_put_u32(skb, CHIMNEY_A_DEV_IFINDEX, cd->dev->ifindex) ||
	    nla_put_string(skb, CHIMNEY_A_DEV_IFNAME, cd->dev->name) ||
	    /* An index means nothing outside its namespace. */
	    (net_eq(dev_net(cd->lower), dev_net(cd->dev)) &&
	     nla_put_u32(skb, CHIMNEY_A_DEV_LOWER_IFINDEX,
			 cd->lower->ifindex)) ||
	    nla_put_u32(skb, CHIMNEY_A_DEV_HZ, p->hz) ||
	    nla_put_u32(skb, CHIMNEY_A_DEV_MAX_CONNS, p->max_conns) ||
	    nla_put_u32(skb, CHIMNEY_A_DEV_CONNS, atomic_read(&cd->conns)) ||
	    nla_put_u32(skb, CHIMNEY_A_DEV_PAUSED, cd->paused) ||
	    nla_put_u32(skb, CHIMNEY_A_DEV_ACK_FREQUENCY, p->ack_frequency) ||
	    nla_put_u32(skb, CHIMNEY_A_DEV_DELAYED_ACK,
			chim_nl_ms_to_ticks(p->delayed_ack, p->hz)) ||
	    nla_put_u32(skb, CHIMNEY_A_DEV_MAX_RETRANSMISSIONS, p->max_rtx) ||
	    nla_put_u32(skb, CHIMNEY_A_DEV_DUPACK_THRESHOLD, p->dupacks) ||
	    nla_put_u32(skb, CHIMNEY_A_DEV_FIN_WAIT2,
			chim_nl_ms_to_ticks(p->fin_wait2, p->hz)) ||
	    nla_put_u32(skb, CHIMNEY_A_DEV_CAP_IPV4, 1) ||
	    nla_put_u32(skb, CHIMNEY_A_DEV_CAP_IPV6,
			IS_ENABLED(CONFIG_IPV6)) ||
	    nla_put_u32(skb, CHIMNEY_A_DEV_CAP_SACK, 1) ||
	    nla_put_u64_64bit(skb, CHIMNEY_A_DEV_OFFLOADS,
			      cnt[CHIM_CNT_OFFLOADS], CHIMNEY_A_DEV_PAD) ||
	    nla_put_u64_64bit(skb, CHIMNEY_A_DEV_UPLOADS,
			      cnt[CHIM_CNT_UPLOADS], CHIMNEY_A_DEV_PAD) ||
	    nla_put_u64_64bit(skb, CHIMNEY_A_DEV_REFUSED,
			      cnt[CHIM_CNT_REFUSED], CHIMNEY_A_DEV_PAD))
		return -EMSGSIZE;
	return 0;
}

static int chim_nl_put_const(const struct chim_nl_sink *s,
			     const struct chim_const *c)
{
	struct nlattr *nest = nla_nest_start(s->skb, CHIMNEY_A_CONN_CONST);
	struct sk_buff *skb = s->skb;
	int err;

	if (!nest)
		return -EMSGSIZE;
	if (c->family == AF_INET)
		err = nla_put_in_addr(skb, CHIMNEY_A_CONST_LOCAL_ADDRESS,
				      c->laddr.s6_addr32[3]) ||
		      nla_put_in_addr(skb, CHIMNEY_A_CONST_REMOTE_ADDRESS,
				      c->raddr.s6_addr32[3]);
	else
		err = nla_put_in6_addr(skb, CHIMNEY_A_CONST_LOCAL_ADDRESS,
				       &c->laddr) ||
		      nla_put_in6_addr(skb, CHIMNEY_A_CONST_REMOTE_ADDRESS,
				       &c->raddr);
	if (err ||
	    nla_put_u32(skb, CHIMNEY_A_CONST_FAMILY, c->family) ||
	    nla_put_be16(skb, CHIMNEY_A_CONST_LOCAL_PORT, c->lport) ||
	    nla_put_be16(skb, CHIMNEY_A_CONST_REMOTE_PORT, c->rport) ||
	    nla_put_u32(skb, CHIMNEY_A_CONST_FLAGS, c->flags) ||
	    nla_put_u32(skb, CHIMNEY_A_CONST_SND_WIND_SCALE, c->snd_wscale) ||
	    nla_put_u32(skb, CHIMNEY_A_CONST_RCV_WIND_SCALE, c->rcv_wscale) ||
	    nla_put_u32(skb, CHIMNEY_A_CONST_REMOTE_MSS, c->remote_mss) ||
	    nla_put_u32(skb, CHIMNEY_A_CONST_HASH_VALUE, c->hash))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int chim_nl_put_cached(const struct chim_nl_sink *s, bool ipv6,
			      const struct chim_cached *c)
{
	struct nlattr *nest = nla_nest_start(s->skb, CHIMNEY_A_CONN_CACHED);
	u32 max_rt = CHIMNEY_MAX_RT_UNLIMITED;
	struct sk_buff *skb = s->skb;

	if (!nest)
		return -EMSGSIZE;
	if (c->max_rt != CHIM_MAX_RT_UNLIMITED)
		max_rt = chim_nl_ms_to_ticks(c->max_rt, s->hz);
	if (nla_put_bitfield32(skb, CHIMNEY_A_CACHED_FLAGS,
			       c->flags & CHIM_NL_LEVEL_FLAGS,
			       CHIM_NL_LEVEL_FLAGS) ||
	    nla_put_u32(skb, CHIMNEY_A_CACHED_INITIAL_RCV_WND,
			c->initial_rcv_wnd) ||
	    nla_put_u32(skb, CHIMNEY_A_CACHED_RCV_INDICATION_SIZE,
			c->rcv_indication_size) ||
	    nla_put_u32(skb, CHIMNEY_A_CACHED_KA_PROBE_COUNT,
			c->ka_probe_count) ||
	    nla_put_u32(skb, CHIMNEY_A_CACHED_KA_TIMEOUT,
			chim_nl_ms_to_ticks(c->ka_timeout, s->hz)) ||
	    nla_put_u32(skb, CHIMNEY_A_CACHED_KA_INTERVAL,
			chim_nl_ms_to_ticks(c->ka_interval, s->hz)) ||
	    nla_put_u32(skb, CHIMNEY_A_CACHED_MAX_RT, max_rt) ||
	    (ipv6 && nla_put_be32(skb, CHIMNEY_A_CACHED_FLOW_LABEL,
				  c->flow_label)) ||
	    nla_put_u32(skb, CHIMNEY_A_CACHED_TTL_OR_HOP_LIMIT, c->ttl) ||
	    nla_put_u32(skb, CHIMNEY_A_CACHED_TOS_OR_TRAFFIC_CLASS, c->tos) ||
	    nla_put_u32(skb, CHIMNEY_A_CACHED_USER_PRIORITY, c->user_priority))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int chim_nl_put_timer(const struct chim_nl_sink *s, int type, int count,
			     u32 val, int delta, ktime_t deadline)
{
	struct nlattr *nest = nla_nest_start(s->skb, type);
	u32 ticks = chim_nl_deadline_to_ticks(deadline, s->now, s->hz);

	if (!nest || nla_put_u32(s->skb, count, val) ||
	    nla_put_u32(s->skb, delta, ticks))
		return -EMSGSIZE;
	nla_nest_end(s->skb, nest);
	return 0;
}

/* What a stranger needs to forge a segment of this connection. */
static int chim_nl_put_secrets(const struct chim_nl_sink *s,
			       const struct chim_const *c,
			       const struct chim_delegated *d)
{
	struct sk_buff *skb = s->skb;
	u32 ts_time = 0;

	/* The same clock as tcp_time_stamp_raw() [TS-3] */
	if (c->flags & CHIMNEY_CONST_FLAG_TIMESTAMP)
		ts_time = div_u64(ktime_to_ns(s->now),
				  NSEC_PER_SEC / TCP_TS_HZ) + c->tsoffset;

	if (nla_put_u32(skb, CHIMNEY_A_DELEGATED_RCV_NXT, d->rcv_nxt) ||
	    nla_put_u32(skb, CHIMNEY_A_DELEGATED_SND_UNA, d->snd_una) ||
	    nla_put_u32(skb, CHIMNEY_A_DELEGATED_SND_NXT, d->snd_nxt) ||
	    nla_put_u32(skb, CHIMNEY_A_DELEGATED_SND_MAX, d->snd_max) ||
	    nla_put_u32(skb, CHIMNEY_A_DELEGATED_SEND_WL1, d->snd_wl1) ||
	    nla_put_u32(skb, CHIMNEY_A_DELEGATED_TS_RECENT, d->ts_recent) ||
	    nla_put_u32(skb, CHIMNEY_A_DELEGATED_TS_TIME, ts_time))
		return -EMSGSIZE;
	return 0;
}

static int chim_nl_put_delegated(const struct chim_nl_sink *s,
				 const struct chim_const *c,
				 const struct chim_delegated *d)
{
	struct nlattr *nest = nla_nest_start(s->skb, CHIMNEY_A_CONN_DELEGATED);
	struct sk_buff *skb = s->skb;
	ktime_t age = 0;

	if (!nest)
		return -EMSGSIZE;
	if (c->flags & CHIMNEY_CONST_FLAG_TIMESTAMP && d->ts_recent_age)
		age = max_t(s64, ktime_sub(s->now, d->ts_recent_age), 0);

	if (nla_put_u32(skb, CHIMNEY_A_DELEGATED_STATE, d->state) ||
	    nla_put_u32(skb, CHIMNEY_A_DELEGATED_FLAGS, d->flags) ||
	    (s->secrets && chim_nl_put_secrets(s, c, d)) ||
	    nla_put_u32(skb, CHIMNEY_A_DELEGATED_RCV_WND, d->rcv_wnd) ||
	    nla_put_u32(skb, CHIMNEY_A_DELEGATED_SND_WND, d->snd_wnd) ||
	    nla_put_u32(skb, CHIMNEY_A_DELEGATED_MAX_SND_WND,
			d->max_snd_wnd) ||
	    nla_put_u32(skb, CHIMNEY_A_DELEGATED_CWND, d->cwnd) ||
	    nla_put_u32(skb, CHIMNEY_A_DELEGATED_SS_THRESH, d->ssthresh) ||
	    nla_put_u32(skb, CHIMNEY_A_DELEGATED_SRTT,
			chim_nl_rtt_to_ticks(d->srtt_us, s->hz)) ||
	    nla_put_u32(skb, CHIMNEY_A_DELEGATED_RTT_VAR,
			chim_nl_rtt_to_ticks(d->rttvar_us, s->hz)) ||
	    nla_put_u32(skb, CHIMNEY_A_DELEGATED_TS_RECENT_AGE,
			chim_nl_ns_to_ticks(age, s->hz)) ||
	    nla_put_u32(skb, CHIMNEY_A_DELEGATED_TOTAL_RT,
			chim_nl_ns_to_ticks(d->total_rt, s->hz)) ||
	    nla_put_u32(skb, CHIMNEY_A_DELEGATED_DUP_ACK_COUNT,
			d->dup_ack_count) ||
	    nla_put_u32(skb, CHIMNEY_A_DELEGATED_SND_WND_PROBE_COUNT,
			d->snd_wnd_probe_count) ||
	    chim_nl_put_timer(s, CHIMNEY_A_DELEGATED_KEEP_ALIVE,
			      CHIMNEY_A_KEEP_ALIVE_PROBE_COUNT,
			      d->ka_probe_count,
			      CHIMNEY_A_KEEP_ALIVE_TIMEOUT_DELTA,
			      d->keepalive) ||
	    chim_nl_put_timer(s, CHIMNEY_A_DELEGATED_RETRANSMIT,
			      CHIMNEY_A_RETRANSMIT_COUNT, d->rtx_count,
			      CHIMNEY_A_RETRANSMIT_TIMEOUT_DELTA,
			      d->retransmit) ||
	    nla_put_u32(skb, CHIMNEY_A_DELEGATED_SEND_BACKLOG_SIZE,
			CHIMNEY_BACKLOG_UNSUPPORTED) ||
	    nla_put_u32(skb, CHIMNEY_A_DELEGATED_RECEIVE_BACKLOG_SIZE,
			CHIMNEY_BACKLOG_UNSUPPORTED) ||
	    nla_put_u32(skb, CHIMNEY_A_DELEGATED_DWND, d->dwnd) ||
	    nla_put_u32(skb, CHIMNEY_A_DELEGATED_SEND_DATA, d->send_data) ||
	    nla_put_u32(skb, CHIMNEY_A_DELEGATED_BUFFERED_DATA,
			d->buffered_data))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int chim_nl_put_stats(const struct chim_nl_sink *s,
			     const struct chim_conn_stats *st)
{
	struct nlattr *nest = nla_nest_start(s->skb, CHIMNEY_A_CONN_STATS);
	struct sk_buff *skb = s->skb;

	if (!nest ||
	    nla_put_u64_64bit(skb, CHIMNEY_A_STATS_SEGS_IN, st->segs_in,
			      CHIMNEY_A_STATS_PAD) ||
	    nla_put_u64_64bit(skb, CHIMNEY_A_STATS_SEGS_OUT, st->segs_out,
			      CHIMNEY_A_STATS_PAD) ||
	    nla_put_u64_64bit(skb, CHIMNEY_A_STATS_BYTES_IN, st->bytes_in,
			      CHIMNEY_A_STATS_PAD) ||
	    nla_put_u64_64bit(skb, CHIMNEY_A_STATS_BYTES_OUT, st->bytes_out,
			      CHIMNEY_A_STATS_PAD) ||
	    nla_put_u64_64bit(skb, CHIMNEY_A_STATS_RETRANS_SEGS,
			      st->retrans_segs, CHIMNEY_A_STATS_PAD))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int chim_nl_put_conn(struct chim_nl_sink *s, struct chim_conn *conn,
			    const struct chim_state *st)
{
	bool ipv6 = st->constant.family == AF_INET6;
	u8 reason = READ_ONCE(conn->reason);
	struct sk_buff *skb = s->skb;
	struct sock *sk = conn->sk;
	uid_t uid;

	uid = from_kuid_munged(s->user_ns, sock_i_uid(sk));
	s->hz = READ_ONCE(conn->cd->params.hz);
	s->now = ktime_get();

	if (nla_put_u32(skb, CHIMNEY_A_CONN_ID, conn->id) ||
	    nla_put_u32(skb, CHIMNEY_A_CONN_IFINDEX, conn->cd->dev->ifindex) ||
	    nla_put_u32(skb, CHIMNEY_A_CONN_HZ, s->hz) ||
	    nla_put_u32(skb, CHIMNEY_A_CONN_PLACE, READ_ONCE(conn->place)) ||
	    (reason && nla_put_u32(skb, CHIMNEY_A_CONN_REASON, reason)) ||
	    nla_put_u32(skb, CHIMNEY_A_CONN_INODE, sock_i_ino(sk)) ||
	    nla_put_u32(skb, CHIMNEY_A_CONN_UID, uid) ||
	    chim_nl_put_const(s, &st->constant) ||
	    chim_nl_put_cached(s, ipv6, &st->cached) ||
	    chim_nl_put_delegated(s, &st->constant, &st->delegated) ||
	    chim_nl_put_stats(s, &st->stats))
		return -EMSGSIZE;
	return 0;
}

/* A reply is allocated before the command acts: what has been done cannot be
 * reported as an error any more.
 */
static struct sk_buff *chim_nl_new_reply(struct genl_info *info, void **hdr)
{
	struct sk_buff *msg;

	msg = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!msg)
		return NULL;
	*hdr = genlmsg_put_reply(msg, info, &chim_nl_family, 0,
				 info->genlhdr->cmd);
	if (*hdr)
		return msg;
	nlmsg_free(msg);
	return NULL;
}

static int chim_nl_reply_conn(struct sk_buff *msg, void *hdr,
			      struct sk_buff *req, struct genl_info *info,
			      struct chim_conn *conn,
			      const struct chim_state *st)
{
	struct chim_nl_sink s = {
		.skb = msg,
		.user_ns = sk_user_ns(NETLINK_CB(req).sk),
		.secrets = netlink_net_capable(req, CAP_NET_ADMIN),
	};
	int err;

	err = chim_nl_put_conn(&s, conn, st);
	if (err) {
		nlmsg_free(msg);
		return err;
	}
	genlmsg_end(msg, hdr);
	return genlmsg_reply(msg, info);
}

/* Device commands */

static int chim_nl_dev_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct chim_dev *cd = info->user_ptr[0];
	struct sk_buff *msg;
	void *hdr;
	int err;

	msg = chim_nl_new_reply(info, &hdr);
	if (!msg)
		return -ENOMEM;
	err = chim_nl_put_dev(msg, cd);
	if (err) {
		nlmsg_free(msg);
		return err;
	}
	genlmsg_end(msg, hdr);
	return genlmsg_reply(msg, info);
}

/* Dumps have no arguments. Not a start callback, whose reasons Linux 6.1 does
 * not pass on.
 */
static int chim_nl_check_dump(struct netlink_callback *cb)
{
	const struct genl_dumpit_info *info = genl_dumpit_info(cb);
	int i;

	for (i = 1; i <= info->op.maxattr; i++) {
		if (!info->attrs[i])
			continue;
		CHIM_NL_REFUSE(cb->extack, info->attrs[i],
			       "a dump takes no attributes");
		return -EINVAL;
	}
	return 0;
}

/* The chimney device with the lowest index above @ifindex */
static struct chim_dev *chim_nl_next_dev(struct net *net, int ifindex)
{
	struct chim_dev *cd, *next = NULL;
	struct net_device *dev;

	for_each_netdev(net, dev) {
		if (dev->ifindex <= ifindex ||
		    (next && dev->ifindex > next->dev->ifindex))
			continue;
		cd = chim_dev_from(dev);
		if (cd)
			next = cd;
	}
	return next;
}

static int chim_nl_dev_get_dumpit(struct sk_buff *skb,
				  struct netlink_callback *cb)
{
	struct net *net = sock_net(skb->sk);
	struct chim_dev *cd;
	void *hdr;
	int err;

	err = chim_nl_check_dump(cb);
	if (err)
		return err;
	rtnl_lock();
	cb->seq = net->dev_base_seq;
	while ((cd = chim_nl_next_dev(net, cb->args[0]))) {
		err = -EMSGSIZE;
		hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid,
				  cb->nlh->nlmsg_seq, &chim_nl_family,
				  NLM_F_MULTI, CHIMNEY_CMD_DEV_GET);
		if (!hdr)
			break;
		err = chim_nl_put_dev(skb, cd);
		if (err) {
			genlmsg_cancel(skb, hdr);
			break;
		}
		genl_dump_check_consistent(cb, hdr);
		genlmsg_end(skb, hdr);
		cb->args[0] = cd->dev->ifindex;
	}
	rtnl_unlock();
	return skb->len ?: err;
}

static int chim_nl_dev_set_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct netlink_ext_ack *extack = info->extack;
	struct chim_dev *cd = info->user_ptr[0];
	struct chim_params p = cd->params;
	struct nlattr **a = info->attrs;
	bool any = false;
	int err, i;

	for (i = CHIMNEY_A_DEV_HZ; i <= CHIMNEY_A_DEV_FIN_WAIT2; i++)
		any |= !!a[i];
	if (!any) {
		NL_SET_ERR_MSG_MOD(extack, "nothing to change");
		return -EINVAL;
	}

	/* Times of the request are in the unit that the request sets. */
	if (a[CHIMNEY_A_DEV_HZ])
		p.hz = nla_get_u32(a[CHIMNEY_A_DEV_HZ]);
	if (p.hz != 10 && p.hz != 100 && p.hz != 1000) {
		CHIM_NL_REFUSE(extack, a[CHIMNEY_A_DEV_HZ],
			       "hz must be 10, 100 or 1000");
		return -ERANGE;
	}
	if (a[CHIMNEY_A_DEV_MAX_CONNS])
		p.max_conns = nla_get_u32(a[CHIMNEY_A_DEV_MAX_CONNS]);
	if (a[CHIMNEY_A_DEV_ACK_FREQUENCY])
		p.ack_frequency = nla_get_u32(a[CHIMNEY_A_DEV_ACK_FREQUENCY]);
	if (a[CHIMNEY_A_DEV_MAX_RETRANSMISSIONS])
		p.max_rtx = nla_get_u32(a[CHIMNEY_A_DEV_MAX_RETRANSMISSIONS]);
	if (a[CHIMNEY_A_DEV_DUPACK_THRESHOLD])
		p.dupacks = nla_get_u32(a[CHIMNEY_A_DEV_DUPACK_THRESHOLD]);
	if (a[CHIMNEY_A_DEV_DELAYED_ACK]) {
		err = chim_nl_ticks_to_ms(a[CHIMNEY_A_DEV_DELAYED_ACK], p.hz,
					  &p.delayed_ack, extack);
		if (err)
			return err;
		if (p.delayed_ack >= CHIM_NL_MAX_DELACK) {
			CHIM_NL_REFUSE(extack, a[CHIMNEY_A_DEV_DELAYED_ACK],
				       "delayed ACK must be below 500 ms");
			return -ERANGE;
		}
	}
	if (a[CHIMNEY_A_DEV_FIN_WAIT2]) {
		err = chim_nl_ticks_to_ms(a[CHIMNEY_A_DEV_FIN_WAIT2], p.hz,
					  &p.fin_wait2, extack);
		if (err)
			return err;
	}

	WRITE_ONCE(cd->params.hz, p.hz);
	WRITE_ONCE(cd->params.max_conns, p.max_conns);
	WRITE_ONCE(cd->params.ack_frequency, p.ack_frequency);
	WRITE_ONCE(cd->params.delayed_ack, p.delayed_ack);
	WRITE_ONCE(cd->params.max_rtx, p.max_rtx);
	WRITE_ONCE(cd->params.dupacks, p.dupacks);
	WRITE_ONCE(cd->params.fin_wait2, p.fin_wait2);
	chim_nl_notify_dev(cd);
	return 0;
}

static int chim_nl_dev_pause_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct chim_dev *cd = info->user_ptr[0];

	WRITE_ONCE(cd->paused, true);
	chim_nl_notify_dev(cd);
	return 0;
}

static int chim_nl_dev_resume_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct chim_dev *cd = info->user_ptr[0];

	WRITE_ONCE(cd->paused, false);
	chim_nl_notify_dev(cd);
	return 0;
}

static int chim_nl_dev_upload_all_doit(struct sk_buff *skb,
				       struct genl_info *info)
{
	struct chim_dev *cd = info->user_ptr[0];

	chim_host_upload_dev(cd, CHIMNEY_REASON_HOST);
	return 0;
}

/* Connection commands */

/* A query of a connection that has left the NIC meanwhile gives nothing. */
static bool chim_nl_state_valid(const struct chim_state *st)
{
	return st->constant.family;
}

static int chim_nl_conn_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct chim_conn *conn = info->user_ptr[0];
	struct chim_state st = {};
	struct sk_buff *msg;
	void *hdr;

	msg = chim_nl_new_reply(info, &hdr);
	if (!msg)
		return -ENOMEM;
	chim_host_query(conn, &st);
	if (!chim_nl_state_valid(&st)) {
		nlmsg_free(msg);
		NL_SET_ERR_MSG_MOD(info->extack, "no such connection");
		return -ENOENT;
	}
	return chim_nl_reply_conn(msg, hdr, skb, info, conn, &st);
}

/* The position in a dump is the id to go on from, so that a connection that
 * is there all the time is listed exactly once, whatever comes and goes.
 */
static int chim_nl_conn_get_dumpit(struct sk_buff *skb,
				   struct netlink_callback *cb)
{
	struct chim_nl_sink s = {
		.skb = skb,
		.user_ns = sk_user_ns(NETLINK_CB(cb->skb).sk),
		.secrets = netlink_net_capable(cb->skb, CAP_NET_ADMIN),
	};
	struct net *net = sock_net(skb->sk);
	struct chim_conn *conn;
	struct chim_state st;
	u32 id = cb->args[0];
	void *hdr;
	int err;

	err = chim_nl_check_dump(cb);
	if (err)
		return err;
	cb->seq = atomic_read(&chim_nl_generation);
	for (; (conn = chim_host_next_conn(net, &id)); id++) {
		chim_host_query(conn, &st);
		if (!chim_nl_state_valid(&st)) {
			chim_host_put_conn(conn);
			continue;
		}
		err = -EMSGSIZE;
		hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid,
				  cb->nlh->nlmsg_seq, &chim_nl_family,
				  NLM_F_MULTI, CHIMNEY_CMD_CONN_GET);
		if (hdr)
			err = chim_nl_put_conn(&s, conn, &st);
		chim_host_put_conn(conn);
		if (err) {
			genlmsg_cancel(skb, hdr);
			break;
		}
		genl_dump_check_consistent(cb, hdr);
		genlmsg_end(skb, hdr);
		cond_resched();
	}
	cb->args[0] = id;
	return skb->len ?: err;
}

static int chim_nl_conn_offload_doit(struct sk_buff *skb,
				     struct genl_info *info)
{
	struct nlattr *cached = info->attrs[CHIMNEY_A_CONN_CACHED];
	struct nlattr *nest = info->attrs[CHIMNEY_A_CONN_CONST];
	struct nlattr *fd = info->attrs[CHIMNEY_A_CONN_FD];
	struct net *net = genl_info_net(info);
	struct chim_update upd = {};
	struct chim_state st = {};
	struct chim_conn *conn;
	struct sk_buff *msg;
	struct sock *sk;
	void *hdr;
	int err;

	if (fd && nest) {
		CHIM_NL_REFUSE(info->extack, nest,
			       "give either fd or addresses, not both");
		return -EINVAL;
	}
	if (!fd && !nest) {
		NL_SET_ERR_ATTR_MISS(info->extack, NULL, CHIMNEY_A_CONN_FD);
		NL_SET_ERR_MSG_MOD(info->extack, "fd or addresses needed");
		return -EINVAL;
	}
	sk = fd ? chim_nl_sock_by_fd(net, fd, info->extack) :
		  chim_nl_sock_by_tuple(net, nest, info->extack);
	if (IS_ERR(sk))
		return PTR_ERR(sk);

	if (cached) {
		err = chim_nl_get_cached(cached, sk, chim_nl_sock_hz(sk), &upd,
					 info->extack);
		if (err)
			goto err_put_sock;
	}
	err = -ENOMEM;
	msg = chim_nl_new_reply(info, &hdr);
	if (!msg)
		goto err_put_sock;
	err = chim_host_offload(sk, &upd, &conn, &st, info->extack);
	if (err)
		goto err_free_msg;

	err = chim_nl_reply_conn(msg, hdr, skb, info, conn, &st);
	chim_host_put_conn(conn);
	sock_put(sk);
	return err;

err_free_msg:
	nlmsg_free(msg);
err_put_sock:
	sock_put(sk);
	return err;
}

static int chim_nl_conn_update_doit(struct sk_buff *skb,
				    struct genl_info *info)
{
	struct nlattr *cached = info->attrs[CHIMNEY_A_CONN_CACHED];
	struct chim_conn *conn = info->user_ptr[0];
	struct chim_update upd = {};
	struct chim_state st = {};
	struct sk_buff *msg;
	void *hdr;
	int err;

	if (GENL_REQ_ATTR_CHECK(info, CHIMNEY_A_CONN_CACHED)) {
		NL_SET_ERR_MSG_MOD(info->extack, "nothing to change");
		return -EINVAL;
	}
	err = chim_nl_get_cached(cached, conn->sk,
				 READ_ONCE(conn->cd->params.hz), &upd,
				 info->extack);
	if (err)
		return err;
	msg = chim_nl_new_reply(info, &hdr);
	if (!msg)
		return -ENOMEM;
	err = chim_host_update(conn, &upd, &st, info->extack);
	if (err) {
		nlmsg_free(msg);
		return err;
	}
	return chim_nl_reply_conn(msg, hdr, skb, info, conn, &st);
}

static int chim_nl_conn_terminate_doit(struct sk_buff *skb,
				       struct genl_info *info)
{
	struct chim_conn *conn = info->user_ptr[0];
	struct chim_state st = {};
	struct sk_buff *msg;
	void *hdr;
	int err;

	msg = chim_nl_new_reply(info, &hdr);
	if (!msg)
		return -ENOMEM;
	err = chim_host_upload(conn, CHIMNEY_REASON_HOST, &st);
	if (err) {
		nlmsg_free(msg);
		NL_SET_ERR_MSG_MOD(info->extack,
				   "connection is not in the NIC any more");
		return err;
	}
	return chim_nl_reply_conn(msg, hdr, skb, info, conn, &st);
}

/* Notifications */

/**
 * chim_nl_notify_conn() - report a hand-over or an update
 * @conn: the connection
 * @cmd: CHIMNEY_CMD_CONN_*_NTF
 * @st: the state that was exchanged
 *
 * Context: process, may sleep; the sock lock may be owned.
 */
void chim_nl_notify_conn(struct chim_conn *conn, u8 cmd,
			 const struct chim_state *st)
{
	struct net *net = sock_net(conn->sk);
	/* The group is for administrators of the namespace. */
	struct chim_nl_sink s = {
		.user_ns = net->user_ns,
		.secrets = true,
	};
	void *hdr;

	if (cmd != CHIMNEY_CMD_CONN_UPDATE_NTF)
		atomic_inc(&chim_nl_generation);
	if (!READ_ONCE(chim_nl_registered) ||
	    !genl_has_listeners(&chim_nl_family, net, 0))
		return;
	s.skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!s.skb)
		return;
	hdr = genlmsg_put(s.skb, 0, 0, &chim_nl_family, 0, cmd);
	if (!hdr || chim_nl_put_conn(&s, conn, st)) {
		nlmsg_free(s.skb);
		return;
	}
	genlmsg_end(s.skb, hdr);
	genlmsg_multicast_netns(&chim_nl_family, net, s.skb, 0, 0, GFP_KERNEL);
}

/**
 * chim_nl_notify_dev() - report that parameters of a device changed
 * @cd: the device
 *
 * Context: process, rtnl_mutex held.
 */
void chim_nl_notify_dev(struct chim_dev *cd)
{
	struct net *net = dev_net(cd->dev);
	struct sk_buff *msg;
	void *hdr;

	if (!READ_ONCE(chim_nl_registered) ||
	    !genl_has_listeners(&chim_nl_family, net, 0))
		return;
	msg = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!msg)
		return;
	hdr = genlmsg_put(msg, 0, 0, &chim_nl_family, 0, CHIMNEY_CMD_DEV_NTF);
	if (!hdr || chim_nl_put_dev(msg, cd)) {
		nlmsg_free(msg);
		return;
	}
	genlmsg_end(msg, hdr);
	genlmsg_multicast_netns(&chim_nl_family, net, msg, 0, 0, GFP_KERNEL);
}

/* The family */

static int chim_nl_pre_doit(const struct genl_ops *ops, struct sk_buff *skb,
			    struct genl_info *info)
{
	void *obj;

	if (ops->internal_flags & CHIM_NL_NEED_DEV) {
		rtnl_lock();
		obj = chim_nl_find_dev(info);
		if (IS_ERR(obj)) {
			rtnl_unlock();
			return PTR_ERR(obj);
		}
		info->user_ptr[0] = obj;
	} else if (ops->internal_flags & CHIM_NL_NEED_CONN) {
		obj = chim_nl_find_conn(info);
		if (IS_ERR(obj))
			return PTR_ERR(obj);
		info->user_ptr[0] = obj;
	}
	return 0;
}

static void chim_nl_post_doit(const struct genl_ops *ops, struct sk_buff *skb,
			      struct genl_info *info)
{
	if (ops->internal_flags & CHIM_NL_NEED_DEV)
		rtnl_unlock();
	else if (ops->internal_flags & CHIM_NL_NEED_CONN)
		chim_host_put_conn(info->user_ptr[0]);
}

static const struct genl_ops chim_nl_ops[] = {
	{
		/* Anyone may read. */
		.cmd = CHIMNEY_CMD_DEV_GET,
		.doit = chim_nl_dev_get_doit,
		.dumpit = chim_nl_dev_get_dumpit,
		.policy = chim_nl_dev_policy,
		.maxattr = CHIMNEY_A_DEV_IFINDEX,
		.internal_flags = CHIM_NL_NEED_DEV,
	},
	{
		.cmd = CHIMNEY_CMD_DEV_SET,
		.doit = chim_nl_dev_set_doit,
		.policy = chim_nl_dev_set_policy,
		.maxattr = CHIMNEY_A_DEV_FIN_WAIT2,
		.internal_flags = CHIM_NL_NEED_DEV,
		.flags = GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd = CHIMNEY_CMD_DEV_PAUSE,
		.doit = chim_nl_dev_pause_doit,
		.policy = chim_nl_dev_policy,
		.maxattr = CHIMNEY_A_DEV_IFINDEX,
		.internal_flags = CHIM_NL_NEED_DEV,
		.flags = GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd = CHIMNEY_CMD_DEV_RESUME,
		.doit = chim_nl_dev_resume_doit,
		.policy = chim_nl_dev_policy,
		.maxattr = CHIMNEY_A_DEV_IFINDEX,
		.internal_flags = CHIM_NL_NEED_DEV,
		.flags = GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd = CHIMNEY_CMD_DEV_UPLOAD_ALL,
		.doit = chim_nl_dev_upload_all_doit,
		.policy = chim_nl_dev_policy,
		.maxattr = CHIMNEY_A_DEV_IFINDEX,
		.internal_flags = CHIM_NL_NEED_DEV,
		.flags = GENL_UNS_ADMIN_PERM,
	},
	{
		/* Anyone may read, but not what it takes to attack. */
		.cmd = CHIMNEY_CMD_CONN_GET,
		.doit = chim_nl_conn_get_doit,
		.dumpit = chim_nl_conn_get_dumpit,
		.policy = chim_nl_conn_policy,
		.maxattr = CHIMNEY_A_CONN_CONST,
		.internal_flags = CHIM_NL_NEED_CONN,
	},
	{
		.cmd = CHIMNEY_CMD_CONN_OFFLOAD,
		.doit = chim_nl_conn_offload_doit,
		.policy = chim_nl_conn_offload_policy,
		.maxattr = CHIMNEY_A_CONN_CACHED,
		.flags = GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd = CHIMNEY_CMD_CONN_UPDATE,
		.doit = chim_nl_conn_update_doit,
		.policy = chim_nl_conn_update_policy,
		.maxattr = CHIMNEY_A_CONN_CACHED,
		.internal_flags = CHIM_NL_NEED_CONN,
		.flags = GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd = CHIMNEY_CMD_CONN_TERMINATE,
		.doit = chim_nl_conn_terminate_doit,
		.policy = chim_nl_conn_policy,
		.maxattr = CHIMNEY_A_CONN_CONST,
		.internal_flags = CHIM_NL_NEED_CONN,
		.flags = GENL_UNS_ADMIN_PERM,
	},
};

static const struct genl_multicast_group chim_nl_mcgrps[] = {
	/* Notifications carry sequence numbers. */
	{ .name = CHIMNEY_MCGRP_EVENTS, .flags = GENL_MCAST_CAP_NET_ADMIN },
};

static struct genl_family chim_nl_family __ro_after_init = {
	.name = CHIMNEY_FAMILY_NAME,
	.version = CHIMNEY_FAMILY_VERSION,
	.module = THIS_MODULE,
	.netnsok = true,
	.parallel_ops = true,
	.pre_doit = chim_nl_pre_doit,
	.post_doit = chim_nl_post_doit,
	.ops = chim_nl_ops,
	.n_ops = ARRAY_SIZE(chim_nl_ops),
	.mcgrps = chim_nl_mcgrps,
	.n_mcgrps = ARRAY_SIZE(chim_nl_mcgrps),
};

/**
 * chim_nl_init() - open the control interface
 *
 * Return: 0 or an error
 */
int __init chim_nl_init(void)
{
	int err;

	err = genl_register_family(&chim_nl_family);
	if (!err)
		WRITE_ONCE(chim_nl_registered, true);
	return err;
}

/**
 * chim_nl_exit() - close the control interface
 *
 * Waits for the requests that are running.
 */
void chim_nl_exit(void)
{
	WRITE_ONCE(chim_nl_registered, false);
	genl_unregister_family(&chim_nl_family);
}
