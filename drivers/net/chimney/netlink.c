// SPDX-License-Identifier: GPL-2.0
/*
 * TCP chimney offload: control interface.
 *
 * Owns the generic netlink family "chimney": requests, replies, dumps and
 * notifications. Called by genetlink, and by whoever has an event to report.
 * netlink_parse.c reads requests, netlink_fill.c writes messages. Names follow
 * Documentation/netlink/specs/chimney.yaml.
 *
 * Locks: the dev commands run under rtnl_mutex, taken before the command and
 * released after it; the conn commands hold a reference to the connection and
 * no lock. Requests run in parallel.
 */

#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <net/genetlink.h>
#include <net/sock.h>

#include "netlink.h"

/* What the hooks around a command resolve and hold in user_ptr[0]. */
#define CHIM_NL_NEED_DEV	BIT(0)	/* struct chim_dev, rtnl_mutex held */
#define CHIM_NL_NEED_CONN	BIT(1)	/* struct chim_conn, reference held */

static struct genl_family chim_nl_family;
/* The family is registered; notifications go nowhere before and after. */
static bool chim_nl_registered;
/* Changes whenever a connection comes or goes, so that dumps can tell. */
static atomic_t chim_nl_generation = ATOMIC_INIT(1);

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
	unsigned int i, max = genl_dumpit_info(cb)->op.maxattr;
	struct nlattr **attrs = genl_info_dump(cb)->attrs;

	for (i = 1; i <= max; i++) {
		if (!attrs[i])
			continue;
		CHIM_NL_REFUSE(cb->extack, attrs[i],
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
		err = chim_nl_get_cached(skb, cached, sk, chim_nl_sock_hz(sk),
					 &upd, info->extack);
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
	err = chim_nl_get_cached(skb, cached, conn->sk,
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

static int chim_nl_pre_doit(const struct genl_split_ops *ops,
			    struct sk_buff *skb, struct genl_info *info)
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

static void chim_nl_post_doit(const struct genl_split_ops *ops,
			      struct sk_buff *skb, struct genl_info *info)
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
