// SPDX-License-Identifier: GPL-2.0
/*
 * Move a live socket down the chimney and up again, all or nothing.
 * Called by the control interface, the device, the worker and the socket
 * calls; a move happens in process context with the sock lock owned.
 *
 * Lifetime: the table holds one reference from offload to upload; requests,
 * work and indications hold theirs for as long as they run. A connection in
 * the table is alive in the NIC or on its way there or back; its socket is
 * alive on exactly one side at any time the sock lock is free.
 */
#include <linux/xarray.h>
#include <net/ip.h>
#include <net/tcp.h>

#include "host.h"

static DEFINE_XARRAY_ALLOC1(chim_conns); /* id -> connection; RCU readers */
static u32 chim_next_id;
static struct kmem_cache *chim_conn_cache __read_mostly;

static void chim_upload_work(struct work_struct *work);

static void chim_free_rcu(struct rcu_head *head)
{
	kmem_cache_free(chim_conn_cache,
			container_of(head, struct chim_conn, rcu));
}

/**
 * chim_host_put_conn - drop a reference
 * @conn: connection
 */
void chim_host_put_conn(struct chim_conn *conn)
{
	if (!refcount_dec_and_test(&conn->ref))
		return;
	sock_put(conn->sk);
	netdev_put(conn->cd->dev, &conn->dev_tracker);
	call_rcu(&conn->rcu, chim_free_rcu);
}

/* Take a reference to what may be on its way out, unless it is too late or of
 * another namespace. Without one its device may be gone.
 */
static bool chim_conn_hold(struct chim_conn *conn, const struct net *net)
{
	if (!refcount_inc_not_zero(&conn->ref))
		return false;
	if (!net || net_eq(dev_net(conn->cd->dev), net))
		return true;
	chim_host_put_conn(conn);
	return false;
}

/**
 * chim_host_next_conn - walk the connections of a namespace
 * @net: namespace, NULL for all
 * @id: in: lowest id wanted; out: id of what was found
 *
 * Return: connection with a reference, or NULL at the end.
 */
struct chim_conn *chim_host_next_conn(struct net *net, u32 *id)
{
	struct chim_conn *conn;
	unsigned long index;

	rcu_read_lock();
	xa_for_each_start(&chim_conns, index, conn, *id) {
		if (!chim_conn_hold(conn, net))
			continue;
		*id = index;
		rcu_read_unlock();
		return conn;
	}
	rcu_read_unlock();
	return NULL;
}

/**
 * chim_host_get_conn - look a connection up by its id
 * @net: namespace
 * @id: id
 *
 * Return: connection with a reference, or NULL.
 */
struct chim_conn *chim_host_get_conn(struct net *net, u32 id)
{
	struct chim_conn *conn;

	rcu_read_lock();
	conn = xa_load(&chim_conns, id);
	if (conn && !chim_conn_hold(conn, net))
		conn = NULL;
	rcu_read_unlock();
	return conn;
}

/**
 * chim_host_conn_of - the connection of a socket
 * @sk: socket
 *
 * Return: connection with a reference, or NULL if it is not offloaded.
 */
struct chim_conn *chim_host_conn_of(struct sock *sk)
{
	struct chim_conn *conn = NULL;

	lock_sock(sk);
	if (chim_sock_is_ours(sk)) {
		conn = chim_conn_of(sk);
		refcount_inc(&conn->ref);
	}
	release_sock(sk);
	return conn;
}

/**
 * chim_host_request_upload - have the worker upload a connection
 * @conn: connection
 * @reason: enum chimney_reason
 *
 * Context: any.
 */
void chim_host_request_upload(struct chim_conn *conn, u8 reason)
{
	u32 old = READ_ONCE(conn->reason);

	if (conn->place != CHIMNEY_PLACE_NIC)
		return;
	do {
		if (old && old != CHIMNEY_REASON_ROUTE)
			break;
	} while (!try_cmpxchg(&conn->reason, &old, reason));
	if (!refcount_inc_not_zero(&conn->ref))
		return;
	if (!queue_work(chim_wq, &conn->upload_work))
		chim_host_put_conn(conn);
}

/* Clones of everything the host has sent and not yet got acknowledged. */
static int chim_collect_sends(struct sock *sk, struct sk_buff_head *sends,
			      struct netlink_ext_ack *extack)
{
	struct sk_buff *skb, *clone;

	skb_rbtree_walk(skb, &sk->tcp_rtx_queue) {
		if (!skb->len)
			continue; /* the FIN alone */
		if (chim_data_is_special(skb)) {
			NL_SET_ERR_MSG_MOD(extack,
					   "zero-copy data or a send timestamp is outstanding");
			return -EOPNOTSUPP;
		}
		clone = chim_data_clone(skb, GFP_KERNEL);
		if (!clone) {
			NL_SET_ERR_MSG_MOD(extack,
					   "no memory for the send data");
			return -ENOMEM;
		}
		__skb_queue_tail(sends, clone);
	}
	return 0;
}

static void chim_unreserve(struct chim_conn *conn)
{
	xa_erase(&chim_conns, conn->id);
	atomic_dec(&conn->cd->conns);
}

static int chim_reserve(struct chim_dev *cd, struct chim_conn *conn,
			struct netlink_ext_ack *extack)
{
	int err;

	if (atomic_inc_return(&cd->conns) > READ_ONCE(cd->params.max_conns)) {
		atomic_dec(&cd->conns);
		NL_SET_ERR_MSG_MOD(extack,
				   "the device's connection limit is reached");
		return -ENOSPC;
	}
	err = xa_alloc_cyclic(&chim_conns, &conn->id, conn, xa_limit_31b,
			      &chim_next_id, GFP_KERNEL);
	if (err < 0) {
		NL_SET_ERR_MSG_MOD(extack,
				   "no memory for the connection table");
		atomic_dec(&cd->conns);
		return err;
	}
	/* The device uploads what it finds in the table after it has set
	 * closing: either it finds us, or we find it set.
	 */
	smp_mb();
	if (READ_ONCE(cd->closing)) {
		NL_SET_ERR_MSG_MOD(extack, "the chimney device is down");
		chim_unreserve(conn);
		return -ENETDOWN;
	}
	return 0;
}

/* The backlog has put another one behind it, data and FIN, but its length is
 * still its own. skb->data at the IP header.
 */
static bool chim_is_merged(const struct sk_buff *skb)
{
	if (skb->protocol == htons(ETH_P_IP))
		return skb->len > ntohs(ip_hdr(skb)->tot_len);
	return skb->len > ntohs(ipv6_hdr(skb)->payload_len) +
			  sizeof(struct ipv6hdr);
}

/* Segments the NIC held back take the slow path now [URG-2]. Of two in one the
 * second would be cut off and its FIN believed; nobody has acknowledged them.
 */
static void chim_pass_up(struct chim_dev *cd, struct sk_buff_head *held)
{
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(held))) {
		u32 len = skb->data - skb_network_header(skb);

		__skb_push(skb, len);
		skb_postpush_rcsum(skb, skb->data, len);
		if (chim_is_merged(skb)) {
			kfree_skb(skb);
			continue;
		}
		skb->dev = cd->dev;
		netif_rx(skb);
	}
}

static void chim_cancel(struct chim_conn *conn)
{
	struct sk_buff_head held;

	chim_nic_ops.cancel(conn->nic, &held);
	chim_pass_up(conn->cd, &held);
	chim_nic_ops.release(conn->nic);
}

/* From now on segments wait in the NIC; those before them are the host's to
 * process, which may be the end of the connection.
 */
static int chim_initiate(struct sock *sk, struct chim_conn *conn,
			 struct netlink_ext_ack *extack)
{
	struct chim_const k;
	struct chim_dev *cd;
	int err;

	chim_state_save_const(sk, &k);
	err = chim_nic_ops.initiate(conn->cd, conn, &k, &conn->nic, extack);
	if (err || !sk_flush_backlog(sk))
		return err;
	rcu_read_lock();
	err = chim_admit_socket(sk, &cd, extack);
	rcu_read_unlock();
	if (!err && cd == conn->cd)
		return 0;
	if (!err) {
		NL_SET_ERR_MSG_MOD(extack, "the route has just changed");
		err = -EAGAIN;
	}
	chim_cancel(conn);
	return err;
}

/* Everything that can fail comes before the commit; then nothing can. */
static int chim_move_down(struct sock *sk, struct chim_conn *conn,
			  const struct chim_update *upd,
			  struct chim_state *st,
			  struct netlink_ext_ack *extack)
{
	const int fin_sent = TCPF_FIN_WAIT1 | TCPF_FIN_WAIT2 | TCPF_CLOSING |
			     TCPF_LAST_ACK;
	struct tcp_sock *tp = tcp_sk(sk);
	struct sk_buff_head sends;
	bool ack_owed;
	int err;

	err = chim_sock_prepare(sk);
	if (err) {
		NL_SET_ERR_MSG_MOD(extack,
				   "the socket's operations were replaced");
		return err;
	}
	err = chim_initiate(sk, conn, extack);
	if (err)
		return err;
	__skb_queue_head_init(&sends);
	err = chim_collect_sends(sk, &sends, extack);
	if (err) {
		__skb_queue_purge(&sends);
		chim_cancel(conn);
		return err;
	}

	/* Commit. */
	chim_state_save(sk, st);
	if (upd)
		chim_cached_overlay(&st->cached, upd);
	conn->posted_seq = tp->snd_nxt;
	/* Queued behind data not sent yet, the FIN is still to be posted. */
	conn->fin_posted = (1 << sk->sk_state) & fin_sent &&
			   !tcp_send_head(sk);
	if (!conn->fin_posted && (1 << sk->sk_state) & fin_sent)
		st->delegated.state = sock_flag(sk, SOCK_DONE) ?
				      CHIMNEY_TCP_STATE_CLOSE_WAIT :
				      CHIMNEY_TCP_STATE_ESTABLISHED;
	tp->ooo_last_skb = NULL; /* the queue is the NIC's now [BLD-34] */
	/* OFF-13; the host delays also what would report a hole. */
	ack_owed = inet_csk_ack_scheduled(sk) || tp->compressed_ack;
	conn->mtup_enabled = inet_csk(sk)->icsk_mtup.enabled;
	chim_state_shield(sk);
	if (upd)
		chim_cached_to_socket(sk, upd);
	chim_sock_install(sk, conn);
	conn->place = CHIMNEY_PLACE_NIC;
	chim_nic_ops.start(conn->nic, st, &sends, &tp->out_of_order_queue,
			   chim_data_rcv_edge(sk), ack_owed);
	return 0;
}

/**
 * chim_host_offload - move a live socket down the chimney
 * @sk: socket; the caller holds a reference
 * @upd: cached state to change on the way, or NULL
 * @connp: set to the connection, with a reference for the caller
 * @st: set to the state that was handed over
 * @extack: gets the reason of a refusal
 *
 * Context: process.
 * Return: 0, or a negative error: nothing was changed and the socket is a
 * healthy plain one [OFF-12].
 */
int chim_host_offload(struct sock *sk, const struct chim_update *upd,
		      struct chim_conn **connp, struct chim_state *st,
		      struct netlink_ext_ack *extack)
{
	struct chim_dev *cd = NULL;
	struct chim_conn *conn;
	int err;

	conn = kmem_cache_zalloc(chim_conn_cache, GFP_KERNEL);
	if (!conn)
		return -ENOMEM;
	conn->place = CHIMNEY_PLACE_OFFLOADING;
	refcount_set(&conn->ref, 1);
	INIT_WORK(&conn->upload_work, chim_upload_work);

	lock_sock(sk);
	rcu_read_lock(); /* until the device is held */
	err = chim_admit_socket(sk, &cd, extack);
	if (err) {
		if (cd)
			chim_count(cd, CHIM_CNT_REFUSED);
		rcu_read_unlock();
		release_sock(sk);
		kmem_cache_free(chim_conn_cache, conn);
		return err;
	}

	/* Complete before it can be found in the table. */
	sock_hold(sk);
	conn->sk = sk;
	conn->cd = cd;
	netdev_hold(cd->dev, &conn->dev_tracker, GFP_ATOMIC);
	rcu_read_unlock();
	err = chim_reserve(cd, conn, extack);
	if (err)
		goto err_put;
	err = chim_move_down(sk, conn, upd, st, extack);
	if (err)
		goto err_unreserve;

	refcount_inc(&conn->ref); /* the table's, beside the caller's */
	chim_count(cd, CHIM_CNT_OFFLOADS);
	/* Under the lock, so that no upload is told of before. */
	chim_nl_notify_conn(conn, CHIMNEY_CMD_CONN_OFFLOAD_NTF, st);
	release_sock(sk);
	*connp = conn;
	return 0;

err_unreserve:
	chim_unreserve(conn);
err_put:
	chim_count(cd, CHIM_CNT_REFUSED);
	release_sock(sk);
	chim_host_put_conn(conn);
	return err;
}

/* Have release_sock() send what waits: it does so for a socket that was
 * throttled.
 */
static void chim_kick(struct sock *sk)
{
	if (!test_and_set_bit(TCP_TSQ_DEFERRED, &sk->sk_tsq_flags))
		sock_hold(sk);
}

/* What ended the connection happens to the host as well. */
static void chim_finish(struct sock *sk, const struct chim_state *st,
			u8 reason)
{
	switch (st->delegated.state) {
	case CHIMNEY_TCP_STATE_TIME_WAIT: /* TWT-1 */
		/* All is acknowledged; that it is comes last. */
		inet_sk_set_state(sk, TCP_CLOSING);
		chim_sock_hear(sk, TCPHDR_ACK);
		break;
	case CHIMNEY_TCP_STATE_FIN_WAIT2:
		/* Closed by the program: not for ever. */
		if (!sock_flag(sk, SOCK_DEAD))
			break;
		inet_sk_set_state(sk, TCP_FIN_WAIT1);
		chim_sock_hear(sk, TCPHDR_ACK);
		break;
	case CHIMNEY_TCP_STATE_CLOSED:
		if (reason == CHIMNEY_REASON_ABORT)
			chim_sock_hear(sk, TCPHDR_RST);
		else if (reason != CHIMNEY_REASON_TIMEOUT_EXPIRATION)
			chim_sock_hear(sk, TCPHDR_ACK); /* of LAST_ACK's FIN */
		break;
	}
}

/* Bring the connection up. The sock lock is owned; on return the socket is
 * the host's. A timeout that ended the connection is left to the caller.
 */
static void chim_move_up(struct sock *sk, struct chim_conn *conn, u8 reason,
			 struct chim_state *st)
{
	bool dead = chim_sock_is_dead(sk);
	struct chim_indication ind;
	struct sk_buff_head held;

	conn->place = CHIMNEY_PLACE_UPLOADING;
	chim_nic_ops.terminate(conn->nic, st, &ind, &held);
	if (ind.reason)
		reason = ind.reason;
	if (dead) {
		__skb_queue_purge(&ind.data);
	} else {
		/* Who waits gets to look when all of it is done, as after a
		 * softirq: the end of the stream wakes him twice.
		 */
		local_bh_disable();
		chim_data_apply(sk, conn, &ind);
		local_bh_enable();
		chim_data_add_stats(sk, &st->stats);
		chim_state_restore(sk, st, conn);
	}
	chim_sock_restore(sk);
	chim_nic_ops.release(conn->nic);
	conn->nic = NULL;
	conn->place = CHIMNEY_PLACE_HOST;
	conn->reason = reason;
	if (!dead) {
		chim_finish(sk, st, reason);
		if (st->delegated.state != CHIMNEY_TCP_STATE_CLOSED)
			chim_kick(sk);
	}
	chim_unreserve(conn);
	chim_count(conn->cd, CHIM_CNT_UPLOADS);
	chim_pass_up(conn->cd, &held);
	chim_nl_notify_conn(conn, CHIMNEY_CMD_CONN_TERMINATE_NTF, st);
	chim_host_put_conn(conn); /* the table's */
}

/* The error to abort with if the connection did not survive the NIC, or 0:
 * nobody answered [KA-10, BLD-4], or the hardware has failed and what it knew
 * cannot be trusted [HWF-1, TRM-15].
 */
static int chim_died(const struct chim_conn *conn,
		     const struct chim_state *st)
{
	if (conn->reason == CHIMNEY_REASON_HARDWARE_FAILURE)
		return -ECONNABORTED;
	if (conn->reason == CHIMNEY_REASON_TIMEOUT_EXPIRATION &&
	    st->delegated.state == CHIMNEY_TCP_STATE_CLOSED)
		return -(READ_ONCE(conn->sk->sk_err_soft) ? : ETIMEDOUT);
	return 0;
}

/**
 * chim_host_upload_locked - upload in the middle of a socket call
 * @sk: socket; nothing happens if it is not offloaded
 * @reason: enum chimney_reason
 *
 * Context: process, sock lock owned; let go of for a moment if the connection
 * is found to have timed out.
 */
void chim_host_upload_locked(struct sock *sk, u8 reason)
{
	struct chim_state st;
	struct chim_conn *conn;
	int err;

	if (!chim_sock_is_ours(sk))
		return;
	conn = chim_conn_of(sk);
	refcount_inc(&conn->ref);
	chim_move_up(sk, conn, reason, &st);
	err = chim_died(conn, &st);
	if (err) {
		release_sock(sk);
		tcp_abort(sk, -err);
		lock_sock(sk);
	}
	chim_host_put_conn(conn);
}

/**
 * chim_host_upload - bring a connection up
 * @conn: connection, the caller holds a reference
 * @reason: enum chimney_reason, unless the NIC has one of its own
 * @st: set to the state that was handed back
 *
 * Context: process.
 * Return: 0, or -ENOENT if it is no longer in the NIC.
 */
int chim_host_upload(struct chim_conn *conn, u8 reason, struct chim_state *st)
{
	struct sock *sk = conn->sk;
	int err;

	lock_sock(sk);
	if (conn->place != CHIMNEY_PLACE_NIC) {
		release_sock(sk);
		return -ENOENT;
	}
	chim_move_up(sk, conn, reason, st);
	err = chim_died(conn, st);
	release_sock(sk);
	if (err) /* RST to the peer, the error to the program */
		tcp_abort(sk, -err);
	return 0;
}

/* Looked up again, is the route as good as before? Else BLD-45. */
static bool chim_route_renewed(struct chim_conn *conn)
{
	bool fits;

	lock_sock(conn->sk);
	fits = conn->place == CHIMNEY_PLACE_NIC &&
	       chim_path_fits(conn->sk, conn->cd);
	release_sock(conn->sk);
	return fits;
}

static void chim_upload_work(struct work_struct *work)
{
	struct chim_conn *conn = container_of(work, struct chim_conn,
					      upload_work);
	struct chim_state st;
	u32 reason;

	/* Taken before the route is renewed: who still met the old one asks
	 * again and finds the question answered, or a new one.
	 */
	reason = cmpxchg(&conn->reason, CHIMNEY_REASON_ROUTE, 0);
	if (reason == CHIMNEY_REASON_ROUTE && chim_route_renewed(conn))
		reason = 0;
	if (reason)
		chim_host_upload(conn, reason, &st);
	chim_host_put_conn(conn);
}

/**
 * chim_host_upload_dev - bring up every connection of a device
 * @cd: device
 * @reason: enum chimney_reason
 *
 * Context: process.
 */
void chim_host_upload_dev(struct chim_dev *cd, u8 reason)
{
	struct chim_conn *conn;
	struct chim_state st;
	u32 id = 0;

	smp_mb(); /* pairs with chim_reserve() */
	while ((conn = chim_host_next_conn(NULL, &id))) {
		if (conn->cd == cd)
			chim_host_upload(conn, reason, &st);
		chim_host_put_conn(conn);
		id++;
		cond_resched();
	}
}

/**
 * chim_host_update - an administrator changes cached state
 * @conn: connection, the caller holds a reference
 * @upd: what to change
 * @st: set to the state after the change
 * @extack: gets the reason of a refusal
 *
 * Context: process.
 * Return: 0, or -ENOENT if the connection is not in the NIC.
 */
int chim_host_update(struct chim_conn *conn, const struct chim_update *upd,
		     struct chim_state *st, struct netlink_ext_ack *extack)
{
	struct sock *sk = conn->sk;

	lock_sock(sk);
	if (conn->place != CHIMNEY_PLACE_NIC) {
		release_sock(sk);
		NL_SET_ERR_MSG_MOD(extack, "the connection has left the NIC");
		return -ENOENT;
	}
	chim_cached_to_socket(sk, upd);
	chim_nic_ops.query(conn->nic, st);
	chim_cached_overlay(&st->cached, upd);
	chim_nic_ops.update(conn->nic, &st->cached, upd->triggers);
	chim_nic_ops.query(conn->nic, st);
	release_sock(sk);
	chim_nl_notify_conn(conn, CHIMNEY_CMD_CONN_UPDATE_NTF, st);
	return 0;
}

/**
 * chim_host_query - read the state of a connection
 * @conn: connection, the caller holds a reference
 * @st: set to its state; zeroed if it has left the NIC
 *
 * Context: process.
 */
void chim_host_query(struct chim_conn *conn, struct chim_state *st)
{
	struct sock *sk = conn->sk;

	memset(st, 0, sizeof(*st));
	lock_sock(sk);
	if (conn->place == CHIMNEY_PLACE_NIC) {
		chim_nic_ops.query(conn->nic, st);
		st->delegated.send_data = tcp_sk(sk)->write_seq -
					  st->delegated.snd_una;
		st->delegated.buffered_data += tcp_inq(sk);
	}
	release_sock(sk);
}

/* NIC -> host: struct chim_host_ops.indicate */
static void chim_indicate(struct chim_conn *conn)
{
	struct sock *sk;

	if (!refcount_inc_not_zero(&conn->ref))
		return;
	sk = conn->sk;
	bh_lock_sock(sk);
	/* If a call owns the socket it fetches when it lets go. */
	if (!sock_owned_by_user(sk) && conn->place == CHIMNEY_PLACE_NIC)
		chim_sock_sync(sk, conn, false);
	bh_unlock_sock(sk);
	chim_host_put_conn(conn);
}

/* NIC -> host: struct chim_host_ops.rcv_room */
static bool chim_rcv_room(struct chim_conn *conn, u32 waiting)
{
	const struct sock *sk = conn->sk;
	u32 used = atomic_read(&sk->sk_rmem_alloc);
	u32 buf = READ_ONCE(sk->sk_rcvbuf);

	/* Nothing more on credit before what was taken so is read [SEC-8]. */
	if (used && READ_ONCE(sk->sk_forward_alloc) < 0)
		return false;
	/* While a call owns the socket it is as with the host's backlog. */
	return used <= buf && waiting <= buf + READ_ONCE(sk->sk_sndbuf);
}

const struct chim_host_ops chim_host_ops = {
	.indicate = chim_indicate,
	.output = chim_path_output,
	.path_mtu = chim_path_mtu,
	.policy_ok = chim_path_policy_ok,
	.rcv_room = chim_rcv_room,
};

/**
 * chim_host_init - set up the host side
 *
 * Return: 0 or a negative error.
 */
int chim_host_init(void)
{
	chim_conn_cache = KMEM_CACHE(chim_conn, 0);
	return chim_conn_cache ? 0 : -ENOMEM;
}

/**
 * chim_host_exit - every connection is up by now: wait for the last work
 */
void chim_host_exit(void)
{
	WARN_ON(!xa_empty(&chim_conns));
	flush_workqueue(chim_wq);
	xa_destroy(&chim_conns);
	rcu_barrier();
	kmem_cache_destroy(chim_conn_cache);
}
