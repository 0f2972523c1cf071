// SPDX-License-Identifier: GPL-2.0
/*
 * The NIC's timers: retransmit, persist, FIN_WAIT_2, keepalive, delayed ACK
 * and send override, all deadlines of one hrtimer per connection.
 * Called by the other nic_*.c files and by the hrtimer; everything here lives
 * under the connection lock.
 */
#include "nic.h"

static ktime_t nic_after_us(ktime_t t, u64 us)
{
	return ktime_add_ns(t, us * NSEC_PER_USEC);
}

static ktime_t nic_after_ms(ktime_t t, u32 ms)
{
	return ktime_add_ns(t, (u64)ms * NSEC_PER_MSEC);
}

/* RTO << shift, capped; shift may be any count of timeouts. */
static u64 nic_backed_off_us(const struct nic_conn *c, u32 shift)
{
	u64 rto = (u64)chim_nic_rto_us(c) << min(shift, 16U);

	return min_t(u64, rto, NIC_RTO_MAX_US);
}

static u32 nic_ka_count(const struct nic_conn *c)
{
	return c->cached.ka_probe_count ? : NIC_KA_PROBES;
}

static u32 nic_ka_interval(const struct nic_conn *c)
{
	return c->cached.ka_interval ? : NIC_KA_INTERVAL_MS;
}

static bool nic_ka_enabled(const struct nic_conn *c)
{
	return c->cached.flags & CHIMNEY_CACHED_FLAG_KEEP_ALIVE;
}

static bool nic_max_rt_over(const struct nic_conn *c, ktime_t since,
			    ktime_t now)
{
	return ktime_ms_delta(now, since) >= c->cached.max_rt;
}

/**
 * chim_nic_rto_us - retransmission timeout without back-off
 * @c: connection, lock held
 *
 * RFC 6298 (2.1)-(2.5) with the variance term no smaller than 200 ms, as the
 * host computes it, so that a hand-over does not change the RTO [RTX-6].
 *
 * Return: microseconds.
 */
u32 chim_nic_rto_us(const struct nic_conn *c)
{
	u32 rto;

	if (!c->srtt_us)
		return NIC_RTO_INIT_US;
	rto = (c->srtt_us >> 3) + max(c->rttvar_us, NIC_RTO_MIN_US);
	return min(rto, NIC_RTO_MAX_US);
}

/**
 * chim_nic_rtt_sample - feed one RTT measurement
 * @c: connection, lock held
 * @rtt_us: measured on data that was not retransmitted, or by timestamps
 *
 * RFC 6298 (2.2), (2.3). A sample ends the back-off (Karn; RFC 9293 MUST-19).
 */
void chim_nic_rtt_sample(struct nic_conn *c, u32 rtt_us)
{
	s32 err;

	rtt_us = clamp_t(u32, rtt_us, 1, 30 * USEC_PER_SEC); /* CERT-1 */
	if (!c->srtt_us) {
		c->srtt_us = rtt_us << 3;
		c->rttvar_us = rtt_us << 1;
	} else {
		err = (s32)(rtt_us - (c->srtt_us >> 3));
		c->srtt_us = max_t(s32, c->srtt_us + err, 8);
		err = abs(err);
		c->rttvar_us += err - (c->rttvar_us >> 2);
	}
	c->backoff = 0;
}

/**
 * chim_nic_arm - make the hrtimer fire at the next deadline
 * @c: connection, lock held
 *
 * A timer that would fire too early is left alone: its handler finds nothing
 * due and arms itself again. That saves a restart for most segments.
 */
void chim_nic_arm(struct nic_conn *c)
{
	ktime_t next = CHIM_IDLE;

	lockdep_assert_held(&c->lock);
	if (!(c->flags & NIC_LIVE))
		return;
	/* Once the host is asked to take it away nothing is done when it is
	 * due, and what is due would have the timer fire for ever.
	 */
	if (!c->reason)
		next = min3(c->t_rtx, c->t_ka, min(c->t_ack, c->t_sws));
	if (c->flags & NIC_EVENT)
		next = min(next, ktime_add_ns(ktime_get(), NIC_TELL_NS));
	if (next == CHIM_IDLE)
		return;
	if (hrtimer_is_queued(&c->timer) &&
	    hrtimer_get_expires(&c->timer) <= next)
		return;
	hrtimer_start(&c->timer, next, HRTIMER_MODE_ABS_SOFT);
}

/**
 * chim_nic_rtx_start - start the retransmit timer if it does not run
 * @c: connection, lock held
 * @now: current time
 *
 * RFC 6298 (5.1).
 */
void chim_nic_rtx_start(struct nic_conn *c, ktime_t now)
{
	if (c->t_rtx == CHIM_IDLE)
		c->t_rtx = nic_after_us(now, nic_backed_off_us(c, c->backoff));
}

/**
 * chim_nic_rtx_restart - an ACK moved SND.UNA: restart or stop the timer
 * @c: connection, lock held
 * @now: current time
 *
 * RFC 6298 (5.2), (5.3); Count and TotalRT begin anew [RTX-7].
 */
void chim_nic_rtx_restart(struct nic_conn *c, ktime_t now)
{
	c->rtx_count = 0;
	c->rtx_start = CHIM_IDLE;
	c->t_rtx = CHIM_IDLE;
	if (!nic_idle(c))
		chim_nic_rtx_start(c, now);
}

/**
 * chim_nic_persist_enter - the peer closed its window
 * @c: connection, lock held
 * @now: current time
 *
 * Start of round 0 [PST-1].
 */
void chim_nic_persist_enter(struct nic_conn *c, ktime_t now)
{
	c->flags = (c->flags & ~NIC_RECOVERY) | NIC_PERSIST;
	c->dupacks = 0;
	c->probe_round = 0;
	c->rtx_count = 0;
	c->rtx_start = CHIM_IDLE;
	c->t_rtx = nic_after_us(now, nic_backed_off_us(c, 0));
}

/**
 * chim_nic_persist_acked - a window probe was answered: still closed
 * @c: connection, lock held
 * @now: current time
 *
 * The next round waits twice as long [PST-4]. Rounds are unlimited, so that
 * the connection stays open while the peer answers (RFC 9293 MUST-37).
 */
void chim_nic_persist_acked(struct nic_conn *c, ktime_t now)
{
	if (!c->rtx_count)
		return;
	if (c->probe_round < U8_MAX)
		c->probe_round++;
	c->rtx_count = 0;
	c->rtx_start = CHIM_IDLE;
	c->t_rtx = nic_after_us(now, nic_backed_off_us(c, c->probe_round));
}

/**
 * chim_nic_fin_wait2 - start or restart the FIN_WAIT_2 timer
 * @c: connection in FIN_WAIT_2, lock held
 * @now: current time
 *
 * FW2-1, FW2-2. Without a period configured there is no timer: a program
 * that holds a half-closed socket may wait as long as it likes, as on Linux.
 */
void chim_nic_fin_wait2(struct nic_conn *c, ktime_t now)
{
	u32 ms = READ_ONCE(c->key.cd->params.fin_wait2);

	c->t_rtx = ms ? nic_after_ms(now, ms) : CHIM_IDLE;
}

/**
 * chim_nic_activity - an acceptable segment arrived
 * @c: connection, lock held
 * @now: current time
 *
 * KA-9, BRA-10, FW2-2.
 */
void chim_nic_activity(struct nic_conn *c, ktime_t now)
{
	c->ka_base = now;
	c->ka_probes = 0;
	c->flags &= ~(NIC_CHALLENGED | NIC_MITIGATE);
	c->t_ka = nic_ka_enabled(c) ? nic_after_ms(now, c->cached.ka_timeout) :
				      CHIM_IDLE;
	if (c->state == CHIMNEY_TCP_STATE_FIN_WAIT2 && c->t_rtx != CHIM_IDLE)
		chim_nic_fin_wait2(c, now);
}

/**
 * chim_nic_mitigate - a challenge ACK was sent: find out soon who is there
 * @c: connection, lock held
 * @now: current time
 *
 * A keepalive expiry is due within five minutes, option on or off [BRA-7].
 */
void chim_nic_mitigate(struct nic_conn *c, ktime_t now)
{
	ktime_t soon = ktime_add_ns(now, NIC_MITIGATE_NS);

	if (c->t_ka <= soon)
		return;
	c->t_ka = soon;
	c->flags |= NIC_MITIGATE;
}

/**
 * chim_nic_ka_update - cached state changed: adapt the keepalive timer
 * @c: connection, lock held, new cached state in place
 * @old: cached state before
 * @triggers: one-shot flags
 *
 * KA-11..13, BLD-1, BLD-2: RESTART measures the idle time afresh and sends
 * nothing; values changed without a trigger count from the next expiry on,
 * but for the idle time, which counts from the last activity, as Linux does.
 */
void chim_nic_ka_update(struct nic_conn *c, const struct chim_cached *old,
			u32 triggers)
{
	const u32 either = CHIMNEY_CACHED_FLAG_KEEP_ALIVE_RESTART |
			   CHIMNEY_CACHED_FLAG_MAX_RT_RESTART;
	bool time_changed = old->ka_timeout != c->cached.ka_timeout ||
			    old->ka_interval != c->cached.ka_interval;
	bool mitigates = c->flags & NIC_MITIGATE;
	ktime_t latest = mitigates ? c->t_ka : CHIM_IDLE; /* BRA-7 */
	ktime_t now = ktime_get();

	if ((triggers & either) &&
	    old->ka_probe_count != c->cached.ka_probe_count)
		c->ka_probes = 0;
	if (triggers & CHIMNEY_CACHED_FLAG_KEEP_ALIVE_RESTART) {
		c->ka_probes = 0;
		c->ka_base = now;
	}

	if (!nic_ka_enabled(c)) {
		if (!mitigates) {
			c->t_ka = CHIM_IDLE;
			c->ka_probes = 0;
		}
		return;
	}
	if (c->t_ka == CHIM_IDLE ||
	    (mitigates && !(old->flags & CHIMNEY_CACHED_FLAG_KEEP_ALIVE)) ||
	    (triggers & CHIMNEY_CACHED_FLAG_KEEP_ALIVE_RESTART)) {
		c->t_ka = nic_after_ms(now, c->cached.ka_timeout);
		if (!mitigates)
			c->ka_probes = 0;
	} else if ((triggers & either) && time_changed) {
		c->t_ka = nic_after_ms(now, c->ka_probes ?
				       nic_ka_interval(c) :
				       c->cached.ka_timeout);
	} else if (!c->ka_probes &&
		   old->ka_timeout != c->cached.ka_timeout) {
		c->t_ka = nic_after_ms(c->ka_base, c->cached.ka_timeout);
	}
	c->t_ka = min(c->t_ka, latest);
}

static void nic_ka_expired(struct nic_conn *c, ktime_t now)
{
	ktime_t due = c->t_ka;
	bool dead;

	/* Data outstanding: the retransmit timer finds out [KA3, MUST-26]. */
	if (!nic_idle(c) || c->snd_nxt != nic_snd_limit(c)) {
		c->t_ka = nic_after_ms(now, max(c->cached.ka_timeout,
						nic_ka_interval(c)));
		return;
	}

	/* TCP_USER_TIMEOUT, when set, decides instead of the count [KA13]. */
	if (c->cached.max_rt && c->cached.max_rt != CHIM_MAX_RT_UNLIMITED)
		dead = c->ka_probes && nic_max_rt_over(c, c->ka_base, now);
	else
		dead = c->ka_probes >= nic_ka_count(c);
	if (dead) {
		chim_nic_ask_upload(c, CHIMNEY_REASON_TIMEOUT_EXPIRATION);
		return;
	}

	if (!chim_nic_send_keepalive(c)) { /* nobody was asked [MUST-29] */
		c->t_ka = nic_after_ms(now, NIC_AGAIN_MS);
		return;
	}
	if (c->ka_probes < U8_MAX)
		c->ka_probes++;
	/* From the time it was due, so that lateness does not add up. */
	c->t_ka = nic_after_ms(due, nic_ka_interval(c));
	if (c->t_ka <= now)
		c->t_ka = nic_after_ms(now, nic_ka_interval(c));
}

/* Give up on the segment at SND.UNA? [RTX-1, RTX-2] */
static bool nic_rtx_exhausted(struct nic_conn *c, ktime_t now)
{
	if (c->cached.max_rt == CHIM_MAX_RT_UNLIMITED)
		return false;
	if (c->cached.max_rt)
		return c->rtx_start != CHIM_IDLE &&
		       nic_max_rt_over(c, c->rtx_start, now);
	return c->rtx_count >= READ_ONCE(c->key.cd->params.max_rtx);
}

/* Next timeout, but not later than the time limit on the segment. */
static void nic_rtx_next(struct nic_conn *c, ktime_t now, u64 us)
{
	c->t_rtx = nic_after_us(now, us);
	if (c->cached.max_rt && c->cached.max_rt != CHIM_MAX_RT_UNLIMITED)
		c->t_rtx = min(c->t_rtx, nic_after_ms(c->rtx_start,
						      c->cached.max_rt));
}

static void nic_persist_expired(struct nic_conn *c, ktime_t now)
{
	if (nic_rtx_exhausted(c, now)) {
		chim_nic_ask_upload(c, CHIMNEY_REASON_TIMEOUT_EXPIRATION);
		return;
	}
	if (c->rtx_start == CHIM_IDLE)
		c->rtx_start = now;
	if (!chim_nic_send_window_probe(c)) {
		nic_rtx_next(c, now, NIC_AGAIN_MS * USEC_PER_MSEC);
		return;
	}
	nic_rtx_next(c, now, nic_backed_off_us(c, c->rtx_count)); /* PST-2, 3 */
	if (c->rtx_count < U8_MAX)
		c->rtx_count++;
}

static void nic_rtx_expired(struct nic_conn *c, ktime_t now)
{
	u64 waited = nic_backed_off_us(c, c->backoff);

	if (c->state == CHIMNEY_TCP_STATE_FIN_WAIT2) {
		c->t_rtx = CHIM_IDLE;
		chim_nic_ask_upload(c, CHIMNEY_REASON_TIMEOUT_EXPIRATION);
		return;
	}
	if (c->flags & NIC_PERSIST) {
		nic_persist_expired(c, now);
		return;
	}
	if (nic_idle(c)) {
		c->t_rtx = CHIM_IDLE;
		return;
	}

	chim_count(c->key.cd, CHIM_CNT_RTO);
	if (c->rtx_start == CHIM_IDLE) /* BLD-7 */
		c->rtx_start = ktime_sub_ns(c->t_rtx, waited * NSEC_PER_USEC);
	if (nic_rtx_exhausted(c, now)) {
		chim_nic_ask_upload(c, CHIMNEY_REASON_TIMEOUT_EXPIRATION);
		return;
	}

	/* It may have been too large for the path [PTH-3]. */
	chim_nic_update_mss(c);
	if (!c->rtx_count) /* RFC 5681 (4), once per loss of a segment */
		c->ssthresh = max((c->snd_max - c->snd_una) / 2, 2 * c->mss);
	c->cwnd = c->mss;
	c->recover = c->snd_max;
	c->flags = (c->flags & ~(NIC_RECOVERY | NIC_RTT_TIMING)) | NIC_LOSS;
	c->dupacks = 0;
	if (nic_board(c))
		nic_board(c)->n = 0; /* the peer may have reneged, RFC 2018 */
	if (c->rtx_count < U8_MAX)
		c->rtx_count++;
	if (c->backoff < U8_MAX)
		c->backoff++;
	nic_rtx_next(c, now, nic_backed_off_us(c, c->backoff));
	c->snd_nxt = c->snd_una;
	chim_nic_retransmit_one(c);
}

/**
 * chim_nic_timer - the hrtimer of a connection fired
 * @t: timer
 *
 * Context: softirq.
 * Return: HRTIMER_NORESTART; it is started again as needed.
 */
enum hrtimer_restart chim_nic_timer(struct hrtimer *t)
{
	struct nic_conn *c = container_of(t, struct nic_conn, timer);
	ktime_t now;

	rcu_read_lock();
	spin_lock_bh(&c->lock);
	now = ktime_get();
	if (!chim_nic_runs(c))
		goto out;
	if (c->t_ack <= now)
		chim_nic_send_ack(c);
	if (c->t_sws <= now) {
		c->t_sws = CHIM_IDLE;
		chim_nic_output(c, true);
	}
	if (c->t_rtx <= now)
		nic_rtx_expired(c, now);
	if (!c->reason && c->t_ka <= now)
		nic_ka_expired(c, now);
out:
	chim_nic_unlock(c, true);
	rcu_read_unlock();
	return HRTIMER_NORESTART;
}

#if IS_ENABLED(CONFIG_CHIMNEY_KUNIT_TEST)
#include "nic_timer_test.c"
#endif
