// SPDX-License-Identifier: GPL-2.0
/*
 * The NIC's connection table: take over, look up, query, update, give back.
 * Called by the host through struct chim_nic_ops and by the receive handler of
 * the device. The table is read under RCU; a connection under its lock.
 */
#include <linux/etherdevice.h>
#include <linux/rhashtable.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/ip6_checksum.h>
#include <net/tcp.h>

#include "nic.h"

static struct kmem_cache *nic_cache __read_mostly;
static struct rhashtable nic_table;

static const struct rhashtable_params nic_table_params = {
	.head_offset = offsetof(struct nic_conn, node),
	.key_offset = offsetof(struct nic_conn, key),
	.key_len = sizeof(struct nic_key),
	.automatic_shrinking = true,
};

/**
 * chim_nic_ask_upload - the NIC cannot go on with a connection
 * @c: connection, lock held
 * @reason: enum chimney_reason, a mandatory one [EVT-5]
 *
 * The connection is neither sent for nor acknowledged from here on; the host
 * is told when the lock is dropped, and terminates it.
 */
void chim_nic_ask_upload(struct nic_conn *c, u8 reason)
{
	if (c->reason)
		return;
	c->reason = reason;
	c->t_rtx = CHIM_IDLE;
	c->t_ack = CHIM_IDLE;
	c->t_sws = CHIM_IDLE;
	c->flags |= NIC_EVENT;
	if (reason == CHIMNEY_REASON_TIMEOUT_EXPIRATION ||
	    reason == CHIMNEY_REASON_ABORT) {
		c->t_ka = CHIM_IDLE;
		c->state = CHIMNEY_TCP_STATE_CLOSED;
	}
}

/**
 * chim_nic_set_state - enter a TCP state and start what belongs to it
 * @c: connection, lock held
 * @state: enum chimney_tcp_state
 */
void chim_nic_set_state(struct nic_conn *c, u8 state)
{
	c->state = state;
	c->flags |= NIC_EVENT;
	switch (state) {
	case CHIMNEY_TCP_STATE_FIN_WAIT2:
		chim_nic_fin_wait2(c, ktime_get());
		break;
	case CHIMNEY_TCP_STATE_TIME_WAIT: /* TWT-1 */
	case CHIMNEY_TCP_STATE_CLOSED: /* LAST_ACK is over */
		chim_nic_ask_upload(c, CHIMNEY_REASON_UPLOAD_REQUESTED);
		break;
	}
}

/**
 * chim_nic_unlock - drop the connection lock; timers and events follow
 * @c: connection, lock held
 * @tell_host: call the host if there is something for it; false if the caller
 *	is the host, which fetches on its own
 */
void chim_nic_unlock(struct nic_conn *c, bool tell_host)
	__releases(&c->lock)
{
	bool tell = tell_host && (c->flags & NIC_EVENT) &&
		    (c->flags & NIC_LIVE);

	chim_nic_arm(c);
	spin_unlock_bh(&c->lock);
	if (tell && !chim_fault_hit(c->key.cd, CHIM_FAULT_LOSE))
		chim_host_ops.indicate(c->host);
}

/**
 * chim_nic_runs - does the NIC still work on a connection?
 * @c: connection, lock held
 *
 * A broken NIC is noticed here: where something is wanted of it [HWF-1].
 *
 * Return: false if it does not, or the host is to take it away.
 */
bool chim_nic_runs(struct nic_conn *c)
{
	if (!(c->flags & NIC_LIVE) || c->reason)
		return false;
	if (!chim_fault_hit(c->key.cd, CHIM_FAULT_DIE))
		return true;
	chim_nic_ask_upload(c, CHIMNEY_REASON_HARDWARE_FAILURE);
	return false;
}

static void nic_purge(struct nic_queue *q)
{
	struct sk_buff *skb;

	while ((skb = nic_queue_pop(q)))
		kfree_skb(skb);
}

static void nic_free(struct nic_conn *c)
{
	nic_purge(&c->txq);
	nic_purge(&c->rxq);
	if (!c->disorder)
		return;
	__skb_queue_purge(&c->disorder->held);
	chim_nic_ooo_purge(c);
	kfree(c->disorder);
	c->disorder = NULL;
}

static void nic_free_rcu(struct rcu_head *head)
{
	kmem_cache_free(nic_cache, container_of(head, struct nic_conn, rcu));
}

static void nic_load(struct nic_conn *c, const struct chim_state *st)
{
	const struct chim_delegated *d = &st->delegated;
	const struct chim_const *k = &st->constant;

	if (k->family == AF_INET6)
		c->flags |= NIC_IPV6;
	c->cflags = k->flags;
	if (k->flags & CHIMNEY_CONST_FLAG_WINDOW_SCALING) { /* TCC-3 */
		c->snd_wscale = k->snd_wscale;
		c->rcv_wscale = k->rcv_wscale;
	}
	c->remote_mss = k->remote_mss;
	c->hash = k->hash;
	c->tsoffset = k->tsoffset;
	c->cached = st->cached;

	c->state = d->state;
	c->dflags = d->flags;
	c->ecn = d->ecn;
	c->dwnd = d->dwnd;
	c->rcv_nxt = d->rcv_nxt;
	c->rcv_adv = d->rcv_nxt + d->rcv_wnd;
	c->rcv_edge = c->rcv_adv;
	c->last_ack = d->rcv_nxt;
	c->snd_una = d->snd_una;
	c->snd_nxt = d->snd_nxt;
	c->snd_max = d->snd_max;
	c->snd_end = d->snd_una;
	c->push_seq = d->snd_una;
	c->flush_seq = d->snd_una;
	c->snd_sml = d->snd_una;
	c->snd_wnd = d->snd_wnd;
	c->max_snd_wnd = max(d->max_snd_wnd, d->snd_wnd);
	c->snd_wl1 = d->snd_wl1;
	c->snd_wl2 = d->snd_una;
	c->cwnd = d->cwnd;
	c->ssthresh = d->ssthresh;
	c->recover = d->in_recovery ? d->recover : d->snd_una;
	c->high_rxt = d->snd_una;
	c->srtt_us = d->srtt_us;
	c->rttvar_us = d->rttvar_us;
	c->dupacks = d->dup_ack_count;
	c->rtx_count = d->rtx_count;
	c->backoff = d->backoff;
	c->probe_round = d->snd_wnd_probe_count;
	c->ka_probes = d->ka_probe_count;
	c->ts_recent = d->ts_recent;
	c->ts_stamp = d->ts_recent_age;
	c->ka_base = d->ka_base;
	c->t_rtx = d->retransmit;
	c->t_ka = d->keepalive;
	c->t_ack = CHIM_IDLE;
	c->t_sws = d->override;
	c->rtx_start = d->total_rt ? ktime_sub_ns(ktime_get(), d->total_rt) :
				     CHIM_IDLE;
	c->last_send = (u32)ktime_to_us(ktime_get());
	if (d->in_recovery)
		c->flags |= NIC_LOSS;
	if (!d->snd_wnd && c->t_rtx != CHIM_IDLE &&
	    c->state != CHIMNEY_TCP_STATE_FIN_WAIT2) /* RTX-10 */
		c->flags |= NIC_PERSIST;
}

static void nic_key_of(struct nic_key *key, struct chim_dev *cd,
		       const struct chim_const *k)
{
	memset(key, 0, sizeof(*key));
	key->cd = cd;
	key->laddr = k->laddr;
	key->raddr = k->raddr;
	key->lport = k->lport;
	key->rport = k->rport;
}

static int nic_initiate(struct chim_dev *cd, struct chim_conn *host,
			const struct chim_const *k, struct nic_conn **nic,
			struct netlink_ext_ack *extack)
{
	struct nic_conn *c = NULL;
	int err;

	if (chim_fault_hit(cd, CHIM_FAULT_DIE)) {
		NL_SET_ERR_MSG_MOD(extack, "the NIC is broken");
		return -EIO;
	}
	if (chim_fault_hit(cd, CHIM_FAULT_REFUSE)) {
		NL_SET_ERR_MSG_MOD(extack, "the NIC refuses");
		return -EBUSY;
	}
	if (!chim_fault_hit(cd, CHIM_FAULT_RUN_OUT))
		c = kmem_cache_zalloc(nic_cache, GFP_KERNEL);
	if (!c) {
		NL_SET_ERR_MSG_MOD(extack, "no memory for the connection");
		return -ENOMEM;
	}
	spin_lock_init(&c->lock);
	nic_key_of(&c->key, cd, k);
	c->host = host;
	c->ip_id = 0x8000 | get_random_u16(); /* SND-14, SEC-9 */
	hrtimer_setup(&c->timer, chim_nic_timer, CLOCK_MONOTONIC,
		      HRTIMER_MODE_ABS_SOFT);
	c->flags = NIC_HOLD;

	err = rhashtable_lookup_insert_fast(&nic_table, &c->node,
					    nic_table_params);
	if (err) {
		kmem_cache_free(nic_cache, c);
		if (err == -EEXIST) {
			NL_SET_ERR_MSG_MOD(extack,
					   "the NIC already runs these addresses");
			return -EADDRINUSE;
		}
		NL_SET_ERR_MSG_MOD(extack,
				   "no memory for the connection table");
		return err;
	}

	chim_dev_rx_wait(cd);
	*nic = c;
	return 0;
}

static void nic_take_held(struct nic_conn *c, struct sk_buff_head *held)
{
	__skb_queue_head_init(held);
	if (c->disorder)
		skb_queue_splice_init(&c->disorder->held, held);
}

static void nic_cancel(struct nic_conn *c, struct sk_buff_head *held)
{
	spin_lock_bh(&c->lock);
	c->flags &= ~NIC_HOLD;
	nic_take_held(c, held);
	nic_free(c);
	spin_unlock_bh(&c->lock);
	rhashtable_remove_fast(&nic_table, &c->node, nic_table_params);
}

/* What came between initiate and start. */
static void nic_process_held(struct nic_conn *c)
{
	struct sk_buff_head held;
	struct sk_buff *skb;

	nic_take_held(c, &held);
	while ((skb = __skb_dequeue(&held)))
		chim_nic_input(c, skb);
}

static void nic_post(struct nic_conn *c, struct sk_buff *skb)
{
	lockdep_assert_held(&c->lock);
	nic_queue_add(&c->txq, skb);
	c->snd_end = TCP_SKB_CB(skb)->end_seq;
}

static void nic_start(struct nic_conn *c, const struct chim_state *st,
		      struct sk_buff_head *sends, struct rb_root *ooo,
		      u32 edge, bool ack_owed)
{
	ktime_t now = ktime_get();
	struct sk_buff *skb;

	spin_lock_bh(&c->lock);
	nic_load(c, st);
	chim_nic_ooo_load(c, ooo);
	while ((skb = __skb_dequeue(sends))) {
		nic_post(c, skb);
		c->push_seq = c->snd_end;
	}
	c->flags &= ~NIC_HOLD;
	c->flags |= NIC_LIVE;
	c->rcv_edge = edge;
	if (c->state == CHIMNEY_TCP_STATE_FIN_WAIT1 ||
	    c->state == CHIMNEY_TCP_STATE_CLOSING ||
	    c->state == CHIMNEY_TCP_STATE_LAST_ACK)
		c->flags |= NIC_FIN_POSTED;
	else if (c->state == CHIMNEY_TCP_STATE_FIN_WAIT2)
		c->snd_end = c->snd_una;
	chim_nic_update_mss(c);
	/* BLD-3: enabled but not running, start measuring when idle. */
	if (c->t_ka == CHIM_IDLE &&
	    (c->cached.flags & CHIMNEY_CACHED_FLAG_KEEP_ALIVE))
		chim_nic_activity(c, now);
	/* Whatever is outstanding has a timer (RFC 2525 2.12). */
	if (!nic_idle(c) && c->t_rtx == CHIM_IDLE) {
		if (c->snd_wnd)
			chim_nic_rtx_start(c, now);
		else
			chim_nic_persist_enter(c, now);
	}
	if (ack_owed)
		chim_nic_send_ack(c);
	chim_nic_output(c, false);
	nic_process_held(c);
	chim_nic_unlock(c, false);
}

static void nic_hold(struct nic_conn *c)
{
	spin_lock_bh(&c->lock);
	c->flags |= NIC_HOLD;
	spin_unlock_bh(&c->lock);
}

static void nic_store(const struct nic_conn *c, struct chim_state *st)
{
	struct chim_delegated *d = &st->delegated;
	struct chim_const *k = &st->constant;
	ktime_t now = ktime_get();
	u32 inq = 0;
	struct sk_buff *skb;

	k->laddr = c->key.laddr;
	k->raddr = c->key.raddr;
	k->lport = c->key.lport;
	k->rport = c->key.rport;
	k->family = c->flags & NIC_IPV6 ? AF_INET6 : AF_INET;
	k->flags = c->cflags;
	k->snd_wscale = c->snd_wscale;
	k->rcv_wscale = c->rcv_wscale;
	k->remote_mss = c->remote_mss;
	k->hash = c->hash;
	k->tsoffset = c->tsoffset;
	st->cached = c->cached;
	st->stats = c->stats;

	d->state = c->state;
	d->flags = c->dflags;
	d->ecn = c->ecn;
	d->dwnd = c->dwnd;
	d->rcv_nxt = c->rcv_nxt;
	d->rcv_wnd = nic_after(c->rcv_adv, c->rcv_nxt) ?
		     c->rcv_adv - c->rcv_nxt : 0;
	d->snd_una = c->snd_una;
	d->snd_nxt = c->snd_nxt;
	d->snd_max = c->snd_max;
	d->snd_wnd = c->snd_wnd;
	d->max_snd_wnd = c->max_snd_wnd;
	d->snd_wl1 = c->snd_wl1;
	d->cwnd = c->cwnd;
	d->ssthresh = c->ssthresh;
	d->in_recovery = !!(c->flags & (NIC_RECOVERY | NIC_LOSS));
	d->recover = c->recover;
	d->srtt_us = c->srtt_us;
	d->rttvar_us = c->rttvar_us;
	d->dup_ack_count = c->dupacks;
	d->rtx_count = c->rtx_count;
	d->backoff = c->backoff;
	d->snd_wnd_probe_count = c->probe_round;
	d->ka_probe_count = c->ka_probes;
	d->ts_recent = c->ts_recent;
	d->ts_recent_age = c->ts_stamp;
	d->ka_base = c->ka_base;
	d->retransmit = c->t_rtx;
	d->override = c->t_sws;
	d->keepalive = c->t_ka;
	d->total_rt = c->rtx_start == CHIM_IDLE ? 0 :
		      ktime_to_ns(ktime_sub(now, c->rtx_start));
	d->send_data = c->snd_end - c->snd_una;
	if (nic_before(c->snd_end, c->snd_una)) /* the FIN is acknowledged */
		d->send_data = 0;
	for (skb = nic_queue_head(&c->rxq); skb;
	     skb = nic_queue_next(&c->rxq, skb))
		inq += skb->len;
	d->buffered_data = inq;
}

static void nic_query(struct nic_conn *c, struct chim_state *st)
{
	spin_lock_bh(&c->lock);
	nic_store(c, st);
	spin_unlock_bh(&c->lock);
}

static void nic_update(struct nic_conn *c, const struct chim_cached *cached,
		       u32 triggers)
{
	struct chim_cached old;

	spin_lock_bh(&c->lock);
	old = c->cached;
	c->cached = *cached;
	c->cached.flags &= CHIM_CACHED_LEVEL;
	chim_nic_ka_update(c, &old, triggers);
	if (old.flags & ~c->cached.flags & CHIM_CACHED_CORK)
		c->push_seq = c->snd_end; /* MSG_MORE ends with it */
	if (triggers & CHIMNEY_CACHED_FLAG_UPDATE_RCV_WND)
		c->flags |= NIC_ACK_DUE; /* TCA-5: the credit that follows */
	if (triggers & CHIMNEY_CACHED_FLAG_MAX_RT_RESTART &&
	    c->rtx_start != CHIM_IDLE)
		c->rtx_start = ktime_get(); /* TotalRT := 0 [RTX-3] */
	if (chim_nic_runs(c))
		chim_nic_output(c, false); /* Nagle or cork may be off now */
	chim_nic_unlock(c, false);
}

static void nic_fetch_locked(struct nic_conn *c, struct chim_indication *ind)
{
	struct sk_buff *skb;

	__skb_queue_head_init(&ind->data);
	while ((skb = nic_queue_pop(&c->rxq)))
		__skb_queue_tail(&ind->data, skb);
	c->rx_mem = 0;
	ind->snd_una = c->snd_una;
	ind->snd_max = c->snd_max;
	ind->cwnd = c->cwnd;
	ind->srtt_us = c->srtt_us;
	ind->cached = c->cached;
	ind->state = c->state;
	ind->reason = c->reason;
	c->flags &= ~NIC_EVENT;
}

static void nic_fetch(struct nic_conn *c, struct chim_indication *ind)
{
	spin_lock_bh(&c->lock);
	nic_fetch_locked(c, ind);
	spin_unlock_bh(&c->lock);
}

static void nic_terminate(struct nic_conn *c, struct chim_state *st,
			  struct chim_indication *ind,
			  struct sk_buff_head *held)
{
	spin_lock_bh(&c->lock);
	/* TRM-6, DAK-2: owed ACKs go out before the connection does. */
	if (chim_nic_runs(c) && c->flags & (NIC_ACK_DELAY | NIC_ACK_NOW))
		chim_nic_send_ack(c);
	c->flags &= ~(NIC_LIVE | NIC_HOLD);
	nic_store(c, st);
	nic_fetch_locked(c, ind);
	nic_take_held(c, held);
	spin_unlock_bh(&c->lock);

	rhashtable_remove_fast(&nic_table, &c->node, nic_table_params);
	hrtimer_cancel(&c->timer);
	/* The clones of send data go now: the host owns the originals. */
	spin_lock_bh(&c->lock);
	nic_free(c);
	spin_unlock_bh(&c->lock);
}

static void nic_release(struct nic_conn *c)
{
	call_rcu(&c->rcu, nic_free_rcu);
}

static void nic_send(struct nic_conn *c, struct sk_buff *skb)
{
	spin_lock_bh(&c->lock);
	nic_post(c, skb);
	if (TCP_SKB_CB(skb)->tcp_flags & TCPHDR_PSH)
		c->push_seq = c->snd_end;
	spin_unlock_bh(&c->lock);
}

static void nic_push(struct nic_conn *c, bool flush)
{
	spin_lock_bh(&c->lock);
	if (flush)
		c->flush_seq = c->snd_end;
	if (chim_nic_runs(c))
		chim_nic_output(c, false);
	chim_nic_unlock(c, false);
}

static void nic_disconnect(struct nic_conn *c)
{
	spin_lock_bh(&c->lock);
	if (!(c->flags & NIC_FIN_POSTED)) {
		c->flags |= NIC_FIN_POSTED;
		c->push_seq = c->snd_end;
		if (c->state == CHIMNEY_TCP_STATE_ESTABLISHED)
			chim_nic_set_state(c, CHIMNEY_TCP_STATE_FIN_WAIT1);
		else if (c->state == CHIMNEY_TCP_STATE_CLOSE_WAIT)
			chim_nic_set_state(c, CHIMNEY_TCP_STATE_LAST_ACK);
	}
	spin_unlock_bh(&c->lock);
}

static void nic_credit(struct nic_conn *c, u32 edge)
{
	spin_lock_bh(&c->lock);
	c->rcv_edge = edge;
	if (chim_nic_runs(c))
		chim_nic_window_changed(c);
	chim_nic_unlock(c, false);
}

static void nic_forward(struct nic_conn *c, struct sk_buff *skb)
{
	chim_count(c->key.cd, CHIM_CNT_FORWARDED);
	/* Where the backlog has merged two, the header is the first one's. */
	tcp_hdr(skb)->ack_seq = htonl(TCP_SKB_CB(skb)->ack_seq);
	spin_lock_bh(&c->lock);
	if (c->flags & NIC_HOLD)
		chim_nic_hold(c, skb);
	else
		chim_nic_input(c, skb);
	chim_nic_unlock(c, false);
}

const struct chim_nic_ops chim_nic_ops = {
	.initiate = nic_initiate,
	.cancel = nic_cancel,
	.start = nic_start,
	.hold = nic_hold,
	.query = nic_query,
	.update = nic_update,
	.terminate = nic_terminate,
	.release = nic_release,
	.send = nic_send,
	.disconnect = nic_disconnect,
	.push = nic_push,
	.credit = nic_credit,
	.fetch = nic_fetch,
	.forward = nic_forward,
};

/* Length of the IP header of a TCP segment the NIC may take, or 0. What has
 * options or is a fragment goes the slow path [FRG-1, OPT-1, BAD-1].
 */
static int nic_parse_ip(struct sk_buff *skb, struct nic_key *key, u32 *len)
{
	const struct ipv6hdr *ip6;
	const struct iphdr *ip;

	if (skb->protocol == htons(ETH_P_IP)) {
		if (!pskb_may_pull(skb, sizeof(*ip) + sizeof(struct tcphdr)))
			return 0;
		ip = ip_hdr(skb);
		if (ip->version != 4 || ip->ihl != 5 ||
		    ip->protocol != IPPROTO_TCP || ip_is_fragment(ip))
			return 0;
		*len = ntohs(ip->tot_len);
		if (*len < sizeof(*ip) + sizeof(struct tcphdr) ||
		    *len > skb->len || ip_fast_csum(ip, ip->ihl))
			return 0;
		ipv6_addr_set_v4mapped(ip->daddr, &key->laddr);
		ipv6_addr_set_v4mapped(ip->saddr, &key->raddr);
		return sizeof(*ip);
	}

	if (!pskb_may_pull(skb, sizeof(*ip6) + sizeof(struct tcphdr)))
		return 0;
	ip6 = ipv6_hdr(skb);
	if (ip6->version != 6 || ip6->nexthdr != IPPROTO_TCP)
		return 0;
	*len = ntohs(ip6->payload_len) + sizeof(*ip6);
	if (*len < sizeof(*ip6) + sizeof(struct tcphdr) || *len > skb->len)
		return 0;
	key->laddr = ip6->daddr;
	key->raddr = ip6->saddr;
	return sizeof(*ip6);
}

static bool nic_checksum_bad(struct sk_buff *skb)
{
	if (skb->protocol == htons(ETH_P_IP)) {
		if (skb_checksum_init(skb, IPPROTO_TCP, inet_compute_pseudo))
			return true;
	} else if (skb_checksum_init(skb, IPPROTO_TCP, ip6_compute_pseudo)) {
		return true;
	}
	return tcp_checksum_complete(skb);
}

/**
 * chim_nic_rx - a frame for this host arrived from the wire
 * @cd: device
 * @skb: frame, not shared; data at the IP header
 *
 * Context: softirq, RCU read side.
 * Return: true if the segment belongs to an offloaded connection and was
 * consumed; false if it goes the slow path, unchanged.
 */
bool chim_nic_rx(struct chim_dev *cd, struct sk_buff *skb)
{
	struct nic_key key = {};
	const struct tcphdr *th;
	struct nic_conn *c;
	int hlen, thlen;
	u32 len;

	hlen = nic_parse_ip(skb, &key, &len);
	if (!hlen)
		return false;
	th = (const struct tcphdr *)(skb->data + hlen);
	thlen = th->doff * 4;
	if (thlen < sizeof(*th) || hlen + thlen > len ||
	    !pskb_may_pull(skb, hlen + thlen))
		return false;
	th = (const struct tcphdr *)(skb->data + hlen);
	key.cd = cd;
	key.lport = th->dest;
	key.rport = th->source;

	c = rhashtable_lookup(&nic_table, &key, nic_table_params);
	if (!c || !(READ_ONCE(c->flags) & (NIC_LIVE | NIC_HOLD)))
		return false;
	if (chim_fault_hit(cd, CHIM_FAULT_STALL))
		goto drop;

	/* Verified outside the lock: it reads every byte. */
	if (pskb_trim_rcsum(skb, len))
		goto drop;
	skb_orphan(skb);
	__skb_pull(skb, hlen);
	skb_postpull_rcsum(skb, skb_network_header(skb), hlen);
	skb_reset_transport_header(skb);
	if (!chim_host_ops.policy_ok(skb))
		goto drop;
	if (nic_checksum_bad(skb)) {
		chim_count(cd, CHIM_CNT_CSUM_ERRORS);
		goto drop;
	}

	spin_lock_bh(&c->lock);
	if (c->flags & NIC_HOLD) {
		chim_nic_hold(c, skb);
		spin_unlock_bh(&c->lock);
		return true;
	}
	if (!(c->flags & NIC_LIVE)) { /* terminate came between [TRM-9] */
		spin_unlock_bh(&c->lock);
		__skb_push(skb, hlen);
		skb_postpush_rcsum(skb, skb->data, hlen);
		return false;
	}
	if (!c->reason && !chim_nic_runs(c))
		kfree_skb(skb);
	else
		chim_nic_input(c, skb);
	chim_nic_unlock(c, true);
	return true;

drop:
	kfree_skb(skb);
	return true;
}

/**
 * chim_nic_init - set up the connection table
 *
 * Return: 0 or a negative error.
 */
int chim_nic_init(void)
{
	int err;

	nic_cache = KMEM_CACHE(nic_conn, 0);
	if (!nic_cache)
		return -ENOMEM;
	err = rhashtable_init(&nic_table, &nic_table_params);
	if (err)
		kmem_cache_destroy(nic_cache);
	return err;
}

/**
 * chim_nic_exit - tear down the empty connection table
 */
void chim_nic_exit(void)
{
	rcu_barrier();
	rhashtable_destroy(&nic_table);
	kmem_cache_destroy(nic_cache);
}

#if IS_ENABLED(CONFIG_CHIMNEY_KUNIT_TEST)
#include "nic_conn_test.c"
#endif
