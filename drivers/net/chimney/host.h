/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Calls between the files of the host side (host_*.c).
 */
#ifndef _CHIM_HOST_H
#define _CHIM_HOST_H

#include <linux/ip.h>
#include <net/inet_connection_sock.h>

#include "chimney.h"

/* host_offload.c APIs: */
void chim_host_upload_locked(struct sock *sk, u8 reason);

/* host_sock.c APIs: */
bool chim_sock_known_prot(const struct sock *sk);
bool chim_sock_is_ours(const struct sock *sk);
int chim_sock_prepare(struct sock *sk);
void chim_sock_install(struct sock *sk, struct chim_conn *conn);
void chim_sock_restore(struct sock *sk);
void chim_sock_sync(struct sock *sk, struct chim_conn *conn, bool call);
void chim_sock_hear(struct sock *sk, u8 tcp_flags);

/* host_data.c APIs: */
bool chim_data_is_special(const struct sk_buff *skb);
struct sk_buff *chim_data_clone(struct sk_buff *skb, gfp_t gfp);
bool chim_data_post(struct sock *sk, struct chim_conn *conn);
void chim_data_grow_rcvbuf(struct sock *sk);
void chim_data_apply(struct sock *sk, struct chim_conn *conn,
		     struct chim_indication *ind);
void chim_data_add_stats(struct sock *sk, const struct chim_conn_stats *stats);
u32 chim_data_rcv_edge(const struct sock *sk);

/* host_state.c APIs: */
void chim_state_init(void);
int chim_state_to_linux(u8 state);
void chim_state_save_const(const struct sock *sk, struct chim_const *k);
void chim_state_save(struct sock *sk, struct chim_state *st);
void chim_state_restore(struct sock *sk, const struct chim_state *st,
			const struct chim_conn *conn);
void chim_state_shield(struct sock *sk);
void chim_state_shield_rcv(struct sock *sk);
void chim_state_rtx_append(struct sock *sk, struct sk_buff *skb);
void chim_state_mirror(struct sock *sk, const struct chim_state *st);

/* host_admit.c APIs: */
int chim_admit_socket(struct sock *sk, struct chim_dev **cdp,
		      struct netlink_ext_ack *extack);
bool chim_admit_revoked(const struct sock *sk);

/* host_cached.c APIs: */
bool chim_cached_refresh(struct sock *sk, struct chim_cached *c);
void chim_cached_to_socket(struct sock *sk, const struct chim_update *upd);
void chim_cached_overlay(struct chim_cached *c, const struct chim_update *upd);

/* Has the host ended the connection of an offloaded socket? Aborting and the
 * last close do not ask for the lock before they look for the function to call,
 * so that they may come upon a socket that is in the NIC by then, and end it as
 * if it were not.
 */
static inline bool chim_sock_is_dead(const struct sock *sk)
{
	return sk->sk_state == TCP_CLOSE;
}

/* The connection of an offloaded socket, which set it and clears it under the
 * lock that the caller holds. Others who come later for a socket take
 * sk_user_data without asking.
 */
static inline struct chim_conn *chim_conn_of(const struct sock *sk)
{
	return rcu_dereference_protected(inet_csk(sk)->icsk_ulp_data, true);
}

/* Address family on the wire; an IPv6 socket may speak IPv4. */
static inline u8 chim_wire_family(const struct sock *sk)
{
	return inet_csk(sk)->icsk_af_ops->net_header_len ==
	       sizeof(struct iphdr) ? AF_INET : AF_INET6;
}

#endif /* _CHIM_HOST_H */
