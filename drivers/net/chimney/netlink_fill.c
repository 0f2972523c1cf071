// SPDX-License-Identifier: GPL-2.0
/*
 * TCP chimney offload: control interface, writing messages.
 *
 * Puts devices and connections into replies and notifications, with times in
 * ticks as they are seen outside [TIM-1, BLD-38]. Called by netlink.c, which
 * holds the device or the connection; no lock of its own.
 */

#include <linux/math64.h>
#include <net/tcp.h>

#include "netlink.h"

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

/* Smoothed times: @us is in us times some factor, the result in ticks times
 * the same factor, in 16 bits [TCD-14].
 */
static u32 chim_nl_rtt_to_ticks(u32 us, u32 hz)
{
	u64 ticks = DIV_ROUND_UP_ULL((u64)us * hz, USEC_PER_SEC);

	return min_t(u64, ticks, U16_MAX);
}

/**
 * chim_nl_put_dev() - describe a device
 * @skb: the message
 * @cd: the device
 *
 * Context: process, rtnl_mutex held.
 *
 * Return: 0, or %-EMSGSIZE if the message is full
 */
int chim_nl_put_dev(struct sk_buff *skb, struct chim_dev *cd)
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

	/* The same clock as tcp_clock_ms() [TS-3] */
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

/**
 * chim_nl_put_conn() - describe a connection
 * @s: the message, and for whom
 * @conn: the connection
 * @st: its state
 *
 * Context: process; the sock lock may be owned.
 *
 * Return: 0, or %-EMSGSIZE if the message is full
 */
int chim_nl_put_conn(struct chim_nl_sink *s, struct chim_conn *conn,
		     const struct chim_state *st)
{
	bool ipv6 = st->constant.family == AF_INET6;
	u8 reason = READ_ONCE(conn->reason);
	struct sk_buff *skb = s->skb;
	struct sock *sk = conn->sk;
	uid_t uid;

	uid = from_kuid_munged(s->user_ns, sk_uid(sk));
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

#if IS_ENABLED(CONFIG_CHIMNEY_KUNIT_TEST)
#include "netlink_fill_test.c"
#endif
