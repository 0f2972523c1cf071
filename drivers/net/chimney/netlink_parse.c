// SPDX-License-Identifier: GPL-2.0
/*
 * TCP chimney offload: control interface, reading requests.
 *
 * Owns the policies, finds what a request names, device, connection or socket,
 * and turns a change of cached state into the module's units. Called by
 * netlink.c for one request; locks are said with each function.
 */

#include <linux/in6.h>
#include <linux/rtnetlink.h>
#include <net/inet6_hashtables.h>
#include <net/inet_hashtables.h>
#include <net/ipv6.h>
#include <net/tcp.h>

#include "netlink.h"

#define CHIM_NL_MAX_CONNS	BIT(24)
#define CHIM_NL_MAX_RCV_WND	BIT(30)

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

/**
 * chim_nl_ticks_to_ms() - read an attribute that carries ticks
 * @attr: the attribute
 * @hz: ticks per second, a divisor of 1000
 * @ms: where to put the milliseconds
 * @extack: for the reason of a refusal
 *
 * Return: 0, or %-ERANGE if the time is too long
 */
int chim_nl_ticks_to_ms(const struct nlattr *attr, u32 hz, u32 *ms,
			struct netlink_ext_ack *extack)
{
	u64 val = (u64)nla_get_u32(attr) * (MSEC_PER_SEC / hz);

	if (val >= INT_MAX) { /* sockets keep them in an int */
		CHIM_NL_REFUSE(extack, attr, "time is too long");
		return -ERANGE;
	}
	*ms = val;
	return 0;
}

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

const struct nla_policy
chim_nl_dev_policy[CHIMNEY_A_DEV_IFINDEX + 1] = {
	[CHIMNEY_A_DEV_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
};

const struct nla_policy
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
const struct nla_policy
chim_nl_conn_policy[CHIMNEY_A_CONN_CONST + 1] = {
	[CHIMNEY_A_CONN_ID] = NLA_POLICY_MIN(NLA_U32, 1),
	[CHIMNEY_A_CONN_CONST] = NLA_POLICY_NESTED(chim_nl_tuple_policy),
};

const struct nla_policy
chim_nl_conn_offload_policy[CHIMNEY_A_CONN_CACHED + 1] = {
	[CHIMNEY_A_CONN_FD] = { .type = NLA_U32 },
	[CHIMNEY_A_CONN_CONST] = NLA_POLICY_NESTED(chim_nl_tuple_policy),
	[CHIMNEY_A_CONN_CACHED] = NLA_POLICY_NESTED(chim_nl_cached_policy),
};

const struct nla_policy
chim_nl_conn_update_policy[CHIMNEY_A_CONN_CACHED + 1] = {
	[CHIMNEY_A_CONN_ID] = NLA_POLICY_MIN(NLA_U32, 1),
	[CHIMNEY_A_CONN_CONST] = NLA_POLICY_NESTED(chim_nl_tuple_policy),
	[CHIMNEY_A_CONN_CACHED] = NLA_POLICY_NESTED(chim_nl_cached_policy),
};

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
	if (ipv6_addr_v4mapped(&t->local))
		return __inet_lookup_established(net,
						 t->remote.s6_addr32[3],
						 t->rport,
						 t->local.s6_addr32[3],
						 ntohs(t->lport), ifindex, 0);
#if IS_ENABLED(CONFIG_IPV6)
	return __inet6_lookup_established(net, &t->remote, t->rport,
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
 * Context: process.
 *
 * Return: the socket with a reference, or an error
 */
struct sock *chim_nl_sock_by_tuple(struct net *net, struct nlattr *nest,
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
		/* Bound alike it is the same, or has just taken its place. */
		if (sk->sk_bound_dev_if != found->sk_bound_dev_if)
			err = -ENOTUNIQ;
		sock_gen_put(sk);
		if (err)
			break;
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
struct sock *chim_nl_sock_by_fd(struct net *net, struct nlattr *attr,
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
	if (sk->sk_protocol == IPPROTO_MPTCP &&
	    (sk->sk_family == AF_INET || sk->sk_family == AF_INET6)) {
		CHIM_NL_REFUSE(extack, attr, "the socket belongs to MPTCP");
		err = -EOPNOTSUPP;
	} else if ((sk->sk_family != AF_INET && sk->sk_family != AF_INET6) ||
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
 * Context: process; takes the sock lock.
 *
 * Return: ticks per second of the device @sk will be handed to; any if there
 * is none, for then the request will be refused
 */
u32 chim_nl_sock_hz(struct sock *sk)
{
	struct chim_dev *cd = NULL;
	u32 hz = CHIM_DEFAULT_HZ;

	lock_sock(sk);
	rcu_read_lock();
	if (!((1 << sk->sk_state) & (TCPF_CLOSE | TCPF_LISTEN)))
		cd = chim_path_dev(sk);
	if (cd)
		hz = READ_ONCE(cd->params.hz);
	rcu_read_unlock();
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
 * @skb: the request
 * @nest: attribute set cached of the request
 * @sk: socket of the connection
 * @hz: unit of times
 * @upd: where to put the change; zeroed by the caller
 * @extack: for the reason of a refusal
 *
 * Return: 0 or an error
 */
int chim_nl_get_cached(const struct sk_buff *skb, struct nlattr *nest,
		       const struct sock *sk, u32 hz, struct chim_update *upd,
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
		/* As with SO_RCVBUF and SO_RCVBUFFORCE */
		if (c->initial_rcv_wnd > READ_ONCE(sysctl_rmem_max) &&
		    !netlink_capable(skb, CAP_NET_ADMIN)) {
			CHIM_NL_REFUSE(extack, attr,
				       "more than net.core.rmem_max");
			return -EPERM;
		}
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

/**
 * chim_nl_find_dev() - the device a request names
 * @info: the request
 *
 * Context: rtnl_mutex held.
 *
 * Return: the device, valid as long as the mutex is held, or an error
 */
struct chim_dev *chim_nl_find_dev(struct genl_info *info)
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

/**
 * chim_nl_find_conn() - the connection a request names, by id or addresses
 * @info: the request
 *
 * Context: process.
 *
 * Return: the connection with a reference, or an error
 */
struct chim_conn *chim_nl_find_conn(struct genl_info *info)
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
