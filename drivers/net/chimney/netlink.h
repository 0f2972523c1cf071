/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Calls between the files of the control interface (netlink*.c).
 */
#ifndef _CHIM_NETLINK_H
#define _CHIM_NETLINK_H

#include <net/genetlink.h>

#include "chimney.h"

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

/* netlink_parse.c APIs: */
extern const struct nla_policy
chim_nl_dev_policy[CHIMNEY_A_DEV_IFINDEX + 1];
extern const struct nla_policy
chim_nl_dev_set_policy[CHIMNEY_A_DEV_FIN_WAIT2 + 1];
extern const struct nla_policy
chim_nl_conn_policy[CHIMNEY_A_CONN_CONST + 1];
extern const struct nla_policy
chim_nl_conn_offload_policy[CHIMNEY_A_CONN_CACHED + 1];
extern const struct nla_policy
chim_nl_conn_update_policy[CHIMNEY_A_CONN_CACHED + 1];

struct chim_dev *chim_nl_find_dev(struct genl_info *info);
struct chim_conn *chim_nl_find_conn(struct genl_info *info);
struct sock *chim_nl_sock_by_tuple(struct net *net, struct nlattr *nest,
				   struct netlink_ext_ack *extack);
struct sock *chim_nl_sock_by_fd(struct net *net, struct nlattr *attr,
				struct netlink_ext_ack *extack);
u32 chim_nl_sock_hz(struct sock *sk);
int chim_nl_get_cached(const struct sk_buff *skb, struct nlattr *nest,
		       const struct sock *sk, u32 hz, struct chim_update *upd,
		       struct netlink_ext_ack *extack);
int chim_nl_ticks_to_ms(const struct nlattr *attr, u32 hz, u32 *ms,
			struct netlink_ext_ack *extack);

/* netlink_fill.c APIs: */
int chim_nl_put_dev(struct sk_buff *skb, struct chim_dev *cd);
int chim_nl_put_conn(struct chim_nl_sink *s, struct chim_conn *conn,
		     const struct chim_state *st);

#endif /* _CHIM_NETLINK_H */
