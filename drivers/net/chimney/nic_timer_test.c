// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: RTO, back-off, persist and keepalive, at times of our choosing.
 * Part of nic_timer.c.
 */
#include "nic_test.h"

/* Milliseconds from T0 to a deadline. */
static s64 after_t0(ktime_t t)
{
	return t == CHIM_IDLE ? -1 : ktime_ms_delta(t, NIC_TEST_T0);
}

static ktime_t t0_plus(s64 ms)
{
	return NIC_TEST_T0 + ms * NSEC_PER_MSEC;
}

/* RTO of exactly half a second */
static void rto_500(struct nic_conn *c)
{
	c->srtt_us = 300000 << 3;
	c->rttvar_us = 200000;
}

/* ---- RTO ---------------------------------------------------------- */

struct rto_case {
	const char *desc;
	u32 srtt_us;
	u32 rttvar_us;
	u32 want;
};

static const struct rto_case rto_cases[] = {
	{ "no sample yet: RFC 6298 (2.1)", 0, 0, 1000000 },
	{ "no sample, but a variance", 0, 7000000, 1000000 },
	{ "worked example RTX-9", 1600000, 400000, 600000 },
	{ "variance below its floor", 80000, 4000, 210000 },
	{ "variance at its floor", 80000, 200000, 210000 },
	{ "variance above its floor", 80000, 200001, 210001 },
	{ "smallest sample", 8, 2, 200001 },
	{ "just below the cap", 800000000, 19999999, 119999999 },
	{ "at the cap", 800000000, 20000000, 120000000 },
	{ "above the cap", 800000000, 20000001, 120000000 },
};

static void rto_desc(const struct rto_case *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(rto, rto_cases, rto_desc);

static void rto_is_as_the_host_computes_it(struct kunit *test)
{
	const struct rto_case *p = test->param_value;
	struct nic_conn *c = nic_test_conn(test);

	c->srtt_us = p->srtt_us;
	c->rttvar_us = p->rttvar_us;
	KUNIT_EXPECT_EQ(test, chim_nic_rto_us(c), p->want);
}

/* RFC 6298 (2.2): SRTT = R, RTTVAR = R / 2 */
static void rtt_first_sample(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	chim_nic_rtt_sample(c, 100000);
	KUNIT_EXPECT_EQ(test, c->srtt_us, 100000 * 8);
	KUNIT_EXPECT_EQ(test, c->rttvar_us, 50000 * 4);
}

/* RFC 6298 (2.3), alpha = 1/8, beta = 1/4 */
static void rtt_next_sample(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	c->srtt_us = 100000 * 8;
	c->rttvar_us = 40000 * 4;
	chim_nic_rtt_sample(c, 180000); /* slower */
	KUNIT_EXPECT_EQ(test, c->srtt_us / 8, 110000);
	KUNIT_EXPECT_EQ(test, c->rttvar_us / 4, 50000);
	chim_nic_rtt_sample(c, 30000); /* faster */
	KUNIT_EXPECT_EQ(test, c->srtt_us / 8, 100000);
	KUNIT_EXPECT_EQ(test, c->rttvar_us / 4, 57500);
}

static void rtt_settles(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	int i;

	chim_nic_rtt_sample(c, 3000000);
	for (i = 0; i < 200; i++)
		chim_nic_rtt_sample(c, 20000);
	KUNIT_EXPECT_GE(test, c->srtt_us / 8, 20000);
	KUNIT_EXPECT_LE(test, c->srtt_us / 8, 20001);
	KUNIT_EXPECT_LE(test, c->rttvar_us / 4, 10);
	KUNIT_EXPECT_LE(test, chim_nic_rto_us(c), 220001);
}

static void rtt_of_nonsense_is_clamped(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	chim_nic_rtt_sample(c, 0);
	KUNIT_EXPECT_EQ(test, c->srtt_us, 8);
	c->srtt_us = 0;
	chim_nic_rtt_sample(c, U32_MAX);
	KUNIT_EXPECT_EQ(test, c->srtt_us / 8, 30 * USEC_PER_SEC);
	chim_nic_rtt_sample(c, 0);
	KUNIT_EXPECT_GE(test, c->srtt_us, 8);
}

/* Karn: only a sample ends the back-off. */
static void rtt_sample_ends_backoff(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	c->backoff = 5;
	chim_nic_rtx_restart(c, NIC_TEST_T0);
	KUNIT_EXPECT_EQ(test, c->backoff, 5);
	chim_nic_rtt_sample(c, 1000);
	KUNIT_EXPECT_EQ(test, c->backoff, 0);
}

static void backoff_doubles_up_to_the_cap(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	u64 want = 500000;
	u32 shift;

	rto_500(c);
	for (shift = 0; shift <= U8_MAX && !nic_test_failed(test); shift++) {
		KUNIT_EXPECT_EQ_MSG(test, nic_backed_off_us(c, shift),
				    min_t(u64, want, 120000000),
				    "shift %u", shift);
		if (want < 120000000)
			want *= 2;
	}
}

/* The smallest RTO shifted as far as shifts go, too, is at the cap. */
static void backoff_of_a_small_rto(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	c->srtt_us = 8;
	KUNIT_EXPECT_EQ(test, nic_backed_off_us(c, 9), 200001ULL << 9);
	KUNIT_EXPECT_EQ(test, nic_backed_off_us(c, 10), 120000000);
	KUNIT_EXPECT_EQ(test, nic_backed_off_us(c, U8_MAX), 120000000);
	KUNIT_EXPECT_EQ(test, nic_backed_off_us(c, U32_MAX), 120000000);
}

/* ---- retransmit timer --------------------------------------------- */

static void rtx_start_leaves_a_running_timer(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	rto_500(c);
	chim_nic_rtx_start(c, NIC_TEST_T0);
	KUNIT_EXPECT_EQ(test, after_t0(c->t_rtx), 500);
	chim_nic_rtx_start(c, t0_plus(100));
	KUNIT_EXPECT_EQ(test, after_t0(c->t_rtx), 500);
}

static void rtx_start_goes_on_backed_off(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	rto_500(c);
	c->backoff = 3;
	chim_nic_rtx_start(c, NIC_TEST_T0);
	KUNIT_EXPECT_EQ(test, after_t0(c->t_rtx), 4000);
}

/* RTX-7 */
static void rtx_restart_counts_anew(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	rto_500(c);
	nic_test_flight(test, 100);
	c->rtx_count = 4;
	c->rtx_start = NIC_TEST_T0;
	c->t_rtx = t0_plus(9999);
	chim_nic_rtx_restart(c, t0_plus(70));
	KUNIT_EXPECT_EQ(test, c->rtx_count, 0);
	KUNIT_EXPECT_EQ(test, c->rtx_start, CHIM_IDLE);
	KUNIT_EXPECT_EQ(test, after_t0(c->t_rtx), 570);
}

static void rtx_restart_stops_when_all_is_acked(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	c->t_rtx = t0_plus(1);
	chim_nic_rtx_restart(c, NIC_TEST_T0);
	KUNIT_EXPECT_EQ(test, c->t_rtx, CHIM_IDLE);
}

/* RTX-1: fifteen times, doubling up to two minutes; then the host is asked. */
static void rtx_schedule(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	s64 gap = 500, due = 500;
	u32 i;

	rto_500(c);
	nic_test_flight(test, 4500);
	chim_nic_rtx_start(c, NIC_TEST_T0);
	for (i = 0; i < CHIM_DEFAULT_MAX_RTX && !nic_test_failed(test); i++) {
		KUNIT_EXPECT_EQ_MSG(test, after_t0(c->t_rtx), due, "no. %u", i);
		nic_rtx_expired(c, c->t_rtx);
		KUNIT_EXPECT_EQ(test, c->rtx_count, i + 1);
		KUNIT_EXPECT_EQ(test, c->reason, 0);
		gap = min(2 * gap, 120000LL);
		due += gap;
	}
	KUNIT_EXPECT_EQ(test, c->stats.retrans_segs, CHIM_DEFAULT_MAX_RTX);
	KUNIT_EXPECT_EQ(test, after_t0(c->rtx_start), 0); /* BLD-7 */
	KUNIT_EXPECT_EQ(test, after_t0(c->t_rtx), due);
	nic_rtx_expired(c, c->t_rtx);
	KUNIT_EXPECT_EQ(test, c->reason, CHIMNEY_REASON_TIMEOUT_EXPIRATION);
	KUNIT_EXPECT_EQ(test, c->state, CHIMNEY_TCP_STATE_CLOSED);
	KUNIT_EXPECT_EQ(test, c->t_rtx, CHIM_IDLE);
	KUNIT_EXPECT_EQ(test, c->stats.retrans_segs, CHIM_DEFAULT_MAX_RTX);
}

/* RTX-4, RTX-9: taken over with Count 2 and 1500 ms left */
static void rtx_goes_on_where_the_host_stopped(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	c->srtt_us = 1600000;
	c->rttvar_us = 400000;
	nic_test_flight(test, 100);
	c->rtx_count = 2;
	c->backoff = 2;
	c->t_rtx = t0_plus(1500);
	nic_rtx_expired(c, c->t_rtx);
	KUNIT_EXPECT_EQ(test, c->rtx_count, 3);
	KUNIT_EXPECT_EQ(test, c->stats.retrans_segs, 1);
	KUNIT_EXPECT_EQ(test, after_t0(c->t_rtx), 1500 + (600 << 3));
}

/* RFC 5681 (4), and only the first timeout of a segment halves. */
static void rtx_collapses_the_window_once(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	nic_test_flight(test, 9000);
	c->flags |= NIC_RECOVERY | NIC_RTT_TIMING;
	c->dupacks = 2;
	chim_nic_rtx_start(c, NIC_TEST_T0);
	nic_rtx_expired(c, c->t_rtx);
	KUNIT_EXPECT_EQ(test, c->ssthresh, 4500);
	KUNIT_EXPECT_EQ(test, c->cwnd, NIC_TEST_MSS);
	KUNIT_EXPECT_EQ(test, c->dupacks, 0);
	KUNIT_EXPECT_EQ(test, c->recover, c->snd_max);
	KUNIT_EXPECT_EQ(test, c->snd_nxt, c->snd_una + NIC_TEST_MSS);
	KUNIT_EXPECT_EQ(test, c->flags & (NIC_RECOVERY | NIC_RTT_TIMING |
					  NIC_LOSS), NIC_LOSS);
	c->ssthresh = 3333;
	nic_rtx_expired(c, c->t_rtx);
	KUNIT_EXPECT_EQ(test, c->ssthresh, 3333);
	KUNIT_EXPECT_EQ(test, c->snd_nxt, c->snd_una + NIC_TEST_MSS);
}

static void rtx_ssthresh_has_a_floor(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	nic_test_flight(test, 300);
	chim_nic_rtx_start(c, NIC_TEST_T0);
	nic_rtx_expired(c, c->t_rtx);
	KUNIT_EXPECT_EQ(test, c->ssthresh, 2 * NIC_TEST_MSS);
}

/* RFC 2018: the peer may have forgotten what it SACKed. */
static void rtx_forgets_the_scoreboard(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	nic_test_flight(test, 3000);
	KUNIT_ASSERT_NOT_NULL(test, chim_nic_disorder(c));
	nic_board(c)->n = 1;
	nic_board(c)->r[0].start = c->snd_una + 1000;
	nic_board(c)->r[0].end = c->snd_una + 2000;
	chim_nic_rtx_start(c, NIC_TEST_T0);
	nic_rtx_expired(c, c->t_rtx);
	KUNIT_EXPECT_EQ(test, nic_board(c)->n, 0);
}

/* RTX-2: the time limit ends it on the millisecond, whatever the count. */
static void rtx_max_rt(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	static const s64 due[] = { 500, 1500, 3500, 4200 };
	u32 i;

	rto_500(c);
	c->cached.max_rt = 4200;
	nic_test_params(test)->max_rtx = 1;
	nic_test_flight(test, 100);
	chim_nic_rtx_start(c, NIC_TEST_T0);
	for (i = 0; i < ARRAY_SIZE(due); i++) {
		KUNIT_EXPECT_EQ(test, c->reason, 0);
		KUNIT_EXPECT_EQ(test, after_t0(c->t_rtx), due[i]);
		nic_rtx_expired(c, c->t_rtx);
	}
	KUNIT_EXPECT_EQ(test, c->reason, CHIMNEY_REASON_TIMEOUT_EXPIRATION);
	KUNIT_EXPECT_EQ(test, c->stats.retrans_segs, 3);
}

static void rtx_max_rt_unlimited(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	u32 i;

	c->cached.max_rt = CHIM_MAX_RT_UNLIMITED;
	nic_test_flight(test, 100);
	chim_nic_rtx_start(c, NIC_TEST_T0);
	for (i = 0; i < 600; i++)
		nic_rtx_expired(c, c->t_rtx);
	KUNIT_EXPECT_EQ(test, c->reason, 0);
	KUNIT_EXPECT_EQ(test, c->rtx_count, U8_MAX);
	KUNIT_EXPECT_EQ(test, c->backoff, U8_MAX);
	KUNIT_EXPECT_EQ(test, c->stats.retrans_segs, 600);
	/* Nor does it end after the 49 days that its value would be. */
	nic_rtx_expired(c, t0_plus(2LL * CHIM_MAX_RT_UNLIMITED));
	KUNIT_EXPECT_EQ(test, c->reason, 0);
	KUNIT_EXPECT_EQ(test, after_t0(c->t_rtx),
			2LL * CHIM_MAX_RT_UNLIMITED + 120000);
}

/* PTH-3: what was too large for the path is not sent as large again. */
static void rtx_learns_what_fits(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	nic_test_flight(test, 3000);
	c->remote_mss = 600;
	c->t_rtx = NIC_TEST_T0;
	nic_rtx_expired(c, c->t_rtx);
	KUNIT_EXPECT_EQ(test, c->mss, 600);
	KUNIT_EXPECT_EQ(test, c->snd_nxt - c->snd_una, 600);
	KUNIT_EXPECT_EQ(test, c->cwnd, 600);
}

static void rtx_without_flight_stops(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	c->t_rtx = NIC_TEST_T0;
	nic_rtx_expired(c, NIC_TEST_T0);
	KUNIT_EXPECT_EQ(test, c->t_rtx, CHIM_IDLE);
	KUNIT_EXPECT_EQ(test, c->stats.segs_out, 0);
}

static void rtx_of_a_fin(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	c->state = CHIMNEY_TCP_STATE_FIN_WAIT1;
	c->flags |= NIC_FIN_POSTED;
	c->snd_max = c->snd_end + 1;
	c->snd_nxt = c->snd_max;
	chim_nic_rtx_start(c, NIC_TEST_T0);
	nic_rtx_expired(c, c->t_rtx);
	KUNIT_EXPECT_EQ(test, c->stats.retrans_segs, 1);
	KUNIT_EXPECT_EQ(test, c->snd_nxt, c->snd_max);
}

/* ---- FIN_WAIT_2 --------------------------------------------------- */

static void fin_wait2_is_off_by_default(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	c->t_rtx = NIC_TEST_T0;
	chim_nic_fin_wait2(c, NIC_TEST_T0);
	KUNIT_EXPECT_EQ(test, c->t_rtx, CHIM_IDLE);
}

/* FW2-1, FW2-2 */
static void fin_wait2_restarts_and_expires(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	nic_test_params(test)->fin_wait2 = 120000;
	c->state = CHIMNEY_TCP_STATE_FIN_WAIT2;
	chim_nic_fin_wait2(c, NIC_TEST_T0);
	KUNIT_EXPECT_EQ(test, after_t0(c->t_rtx), 120000);
	chim_nic_activity(c, t0_plus(500));
	KUNIT_EXPECT_EQ(test, after_t0(c->t_rtx), 120500);
	nic_rtx_expired(c, c->t_rtx);
	KUNIT_EXPECT_EQ(test, c->reason, CHIMNEY_REASON_TIMEOUT_EXPIRATION);
	KUNIT_EXPECT_EQ(test, c->t_rtx, CHIM_IDLE);
}

static void fin_wait2_not_running_stays_so(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	nic_test_params(test)->fin_wait2 = 120000;
	c->state = CHIMNEY_TCP_STATE_FIN_WAIT2;
	chim_nic_activity(c, NIC_TEST_T0);
	KUNIT_EXPECT_EQ(test, c->t_rtx, CHIM_IDLE);
}

/* ---- persist ------------------------------------------------------ */

static void persist_begin(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	rto_500(c);
	c->snd_wnd = 0;
	nic_test_post(test, 100);
	chim_nic_persist_enter(c, NIC_TEST_T0);
}

static void persist_expires(struct kunit *test, s64 due, u32 probes)
{
	struct nic_conn *c = nic_test_conn(test);

	KUNIT_EXPECT_EQ(test, after_t0(c->t_rtx), due);
	nic_rtx_expired(c, c->t_rtx);
	KUNIT_EXPECT_EQ(test, nic_test_count(test, CHIM_CNT_WINDOW_PROBES),
			probes);
}

/* The worked example PST-8, which goes through PST-1 to PST-4 */
static void persist_schedule(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	persist_begin(test);
	persist_expires(test, 500, 1);
	persist_expires(test, 1000, 2);
	persist_expires(test, 2000, 3);
	KUNIT_EXPECT_EQ(test, after_t0(c->t_rtx), 4000);
	KUNIT_EXPECT_EQ(test, c->rtx_count, 3);

	chim_nic_persist_acked(c, t0_plus(2100));
	KUNIT_EXPECT_EQ(test, c->probe_round, 1);
	KUNIT_EXPECT_EQ(test, c->rtx_count, 0);
	KUNIT_EXPECT_EQ(test, c->rtx_start, CHIM_IDLE);
	persist_expires(test, 3100, 4);
	persist_expires(test, 3600, 5);
	persist_expires(test, 4600, 6);
	KUNIT_EXPECT_EQ(test, c->reason, 0);
}

/* PST-9: one byte, the first that is not acknowledged; it stays due. */
static void persist_probe_is_one_byte(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	persist_begin(test);
	nic_rtx_expired(c, c->t_rtx);
	KUNIT_EXPECT_EQ(test, c->snd_max, c->snd_una + 1);
	KUNIT_EXPECT_EQ(test, c->snd_nxt, c->snd_una);
	KUNIT_EXPECT_EQ(test, c->stats.bytes_out, 1);
	KUNIT_EXPECT_TRUE(test, c->flags & NIC_RTT_TIMING);
	nic_rtx_expired(c, c->t_rtx);
	KUNIT_EXPECT_EQ(test, c->snd_max, c->snd_una + 1);
	KUNIT_EXPECT_EQ(test, c->stats.bytes_out, 1);
	KUNIT_EXPECT_FALSE(test, c->flags & NIC_RTT_TIMING); /* Karn */
}

/* An ACK before any probe of the round answers nothing. */
static void persist_unasked_ack_is_no_answer(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	persist_begin(test);
	chim_nic_persist_acked(c, t0_plus(100));
	KUNIT_EXPECT_EQ(test, c->probe_round, 0);
	KUNIT_EXPECT_EQ(test, after_t0(c->t_rtx), 500);
}

/* PST-6: probes in one round are limited, */
static void persist_unanswered_gives_up(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	u32 i;

	persist_begin(test);
	for (i = 0; i < CHIM_DEFAULT_MAX_RTX; i++)
		nic_rtx_expired(c, c->t_rtx);
	KUNIT_EXPECT_EQ(test, c->reason, 0);
	nic_rtx_expired(c, c->t_rtx);
	KUNIT_EXPECT_EQ(test, c->reason, CHIMNEY_REASON_TIMEOUT_EXPIRATION);
	KUNIT_EXPECT_EQ(test, nic_test_count(test, CHIM_CNT_WINDOW_PROBES),
			CHIM_DEFAULT_MAX_RTX);
}

/* rounds are not (RFC 9293 MUST-37). */
static void persist_answered_never_gives_up(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	ktime_t now;
	u32 i;

	persist_begin(test);
	for (i = 0; i < 600; i++) {
		now = c->t_rtx;
		nic_rtx_expired(c, now);
		chim_nic_persist_acked(c, now);
	}
	KUNIT_EXPECT_EQ(test, c->reason, 0);
	KUNIT_EXPECT_EQ(test, c->probe_round, U8_MAX);
	KUNIT_EXPECT_EQ(test, ktime_ms_delta(c->t_rtx, now), 120000);
}

/* PST-6 counts probes: one that there was no memory for is none. */
static void persist_without_memory(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	persist_begin(test);
	nic_test_run_out(test, 1);
	persist_expires(test, 500, 0);
	KUNIT_EXPECT_EQ(test, c->rtx_count, 0);
	persist_expires(test, 1000, 1);
	KUNIT_EXPECT_EQ(test, c->rtx_count, 1);
	KUNIT_EXPECT_EQ(test, after_t0(c->t_rtx), 1500);
}

/* It has its own schedule. */
static void persist_ends_recovery(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	c->flags |= NIC_RECOVERY;
	c->dupacks = 2;
	persist_begin(test);
	KUNIT_EXPECT_FALSE(test, c->flags & NIC_RECOVERY);
	KUNIT_EXPECT_EQ(test, c->dupacks, 0);
}

/* With a time limit it is the time since the first probe of the round. */
static void persist_max_rt(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	c->cached.max_rt = 2000;
	persist_begin(test);
	persist_expires(test, 500, 1);
	persist_expires(test, 1000, 2);
	persist_expires(test, 2000, 3);
	persist_expires(test, 2500, 3);
	KUNIT_EXPECT_EQ(test, c->reason, CHIMNEY_REASON_TIMEOUT_EXPIRATION);
}

/* ---- keepalive ---------------------------------------------------- */

static u32 ka_sent(struct kunit *test)
{
	return nic_test_count(test, CHIM_CNT_KEEPALIVE_PROBES);
}

struct ka_schedule_case {
	const char *desc;
	u32 timeout;		/* cached state */
	u32 interval;
	u32 count;
	u32 max_rt;
	u32 inherited;		/* probes sent by the host */
	s64 left;		/* ms to the next expiry */
	u32 probes;		/* that we send */
	s64 last;		/* when the last one goes */
	s64 dead;
};

static const struct ka_schedule_case ka_schedules[] = {
	{ "KA-14 from the start", 7200000, 1000, 10, 0,
	  0, 7200000, 10, 7209000, 7210000 },
	{ "KA-14 handed over", 7200000, 1000, 10, 0,
	  3, 400, 7, 6400, 7400 },
	{ "KA-7 due at once", 7200000, 1000, 10, 0,
	  0, 0, 10, 9000, 10000 },
	{ "KA-4 all probes sent by the host", 7200000, 1000, 10, 0,
	  10, 400, 0, 0, 400 },
	{ "KA-4 more than all", 7200000, 1000, 3, 0,
	  10, 400, 0, 0, 400 },
	{ "KA-3 a single probe", 20000, 5000, 1, 0,
	  0, 20000, 1, 20000, 25000 },
	{ "BLD-5 count 0", 20000, 5000, 0, 0,
	  0, 20000, 10, 65000, 70000 },
	{ "BLD-5 interval 0", 20000, 0, 3, 0,
	  0, 20000, 3, 22000, 23000 },
	{ "largest count", 20000, 1, 255, 0,
	  0, 20000, 255, 20254, 20255 },
	{ "long times", U32_MAX - 1, U32_MAX - 1, 2, 0,
	  0, U32_MAX - 1, 2, 2LL * (U32_MAX - 1), 3LL * (U32_MAX - 1) },
	{ "KA13 the time limit cuts off", 20000, 5000, 10, 30000,
	  0, 20000, 2, 25000, 30000 },
	{ "KA13 the time limit goes on", 20000, 5000, 1, 40000,
	  0, 20000, 4, 35000, 40000 },
	{ "KA13 limit below idle time: one probe", 20000, 5000, 10, 1000,
	  0, 20000, 1, 20000, 25000 },
	{ "KA13 no limit: the count decides", 20000, 5000, 3,
	  CHIM_MAX_RT_UNLIMITED,
	  0, 20000, 3, 30000, 35000 },
};

static void ka_schedule_desc(const struct ka_schedule_case *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(ka_schedule, ka_schedules, ka_schedule_desc);

static void ka_probes_until_dead(struct kunit *test)
{
	const struct ka_schedule_case *p = test->param_value;
	u32 gap = p->interval ? : 1000, i;
	struct nic_conn *c = nic_test_conn(test);

	c->cached.ka_timeout = p->timeout;
	c->cached.ka_interval = p->interval;
	c->cached.ka_probe_count = p->count;
	c->cached.max_rt = p->max_rt;
	chim_nic_activity(c, NIC_TEST_T0);
	c->ka_probes = p->inherited;
	c->t_ka = t0_plus(p->left);
	for (i = 0; i < p->probes && !nic_test_failed(test); i++) {
		KUNIT_EXPECT_EQ_MSG(test, after_t0(c->t_ka),
				    p->left + (s64)i * gap, "no. %u", i);
		if (i + 1 == p->probes)
			KUNIT_EXPECT_EQ(test, after_t0(c->t_ka), p->last);
		nic_ka_expired(c, c->t_ka);
		KUNIT_EXPECT_EQ(test, c->reason, 0);
		KUNIT_EXPECT_EQ(test, c->ka_probes, p->inherited + i + 1);
		KUNIT_EXPECT_EQ(test, ka_sent(test), i + 1);
	}
	/* KA-10: no segment goes with it. */
	KUNIT_EXPECT_EQ(test, after_t0(c->t_ka), p->dead);
	nic_ka_expired(c, c->t_ka);
	KUNIT_EXPECT_EQ(test, c->reason, CHIMNEY_REASON_TIMEOUT_EXPIRATION);
	KUNIT_EXPECT_EQ(test, c->state, CHIMNEY_TCP_STATE_CLOSED);
	KUNIT_EXPECT_EQ(test, c->t_ka, CHIM_IDLE);
	KUNIT_EXPECT_EQ(test, c->stats.segs_out, p->probes);
}

/* KA-9, KA-2 */
static void ka_activity_starts_over(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	c->ka_probes = 4;
	c->t_ka = t0_plus(10);
	c->flags |= NIC_CHALLENGED;
	chim_nic_activity(c, t0_plus(5));
	KUNIT_EXPECT_EQ(test, c->ka_probes, 0);
	KUNIT_EXPECT_EQ(test, after_t0(c->ka_base), 5);
	KUNIT_EXPECT_EQ(test, after_t0(c->t_ka), 7200005);
	KUNIT_EXPECT_FALSE(test, c->flags & NIC_CHALLENGED);
}

/* KA-1 */
static void ka_activity_without_the_option(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	c->cached.flags = 0;
	chim_nic_activity(c, NIC_TEST_T0);
	KUNIT_EXPECT_EQ(test, c->t_ka, CHIM_IDLE);
	KUNIT_EXPECT_EQ(test, c->ka_base, NIC_TEST_T0);
}

/* Probes go by when they were due: an interrupt that comes late delays one. */
static void ka_lateness_does_not_add_up(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	u32 i;

	chim_nic_activity(c, NIC_TEST_T0);
	for (i = 0; i < 9; i++)
		nic_ka_expired(c, c->t_ka + 700 * NSEC_PER_MSEC);
	KUNIT_EXPECT_EQ(test, after_t0(c->t_ka), 7209000);
}

/* But two probes never go at once (RFC 2525 2.11). */
static void ka_very_late(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	chim_nic_activity(c, NIC_TEST_T0);
	nic_ka_expired(c, t0_plus(7200000 + 1000));
	KUNIT_EXPECT_EQ(test, after_t0(c->t_ka), 7200000 + 2000);
	nic_ka_expired(c, t0_plus(7300000));
	KUNIT_EXPECT_EQ(test, after_t0(c->t_ka), 7301000);
	KUNIT_EXPECT_EQ(test, c->ka_probes, 2);
}

/* MUST-29: a probe that there was no memory for was not left unanswered. */
static void ka_without_memory(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	c->cached.ka_probe_count = 1;
	chim_nic_activity(c, NIC_TEST_T0);
	nic_test_run_out(test, 1);
	nic_ka_expired(c, c->t_ka);
	KUNIT_EXPECT_EQ(test, ka_sent(test), 0);
	KUNIT_EXPECT_EQ(test, c->ka_probes, 0);
	KUNIT_EXPECT_EQ(test, after_t0(c->t_ka), 7200500);
	nic_ka_expired(c, c->t_ka);
	KUNIT_EXPECT_EQ(test, c->reason, 0);
	KUNIT_EXPECT_EQ(test, ka_sent(test), 1);
	KUNIT_EXPECT_EQ(test, c->ka_probes, 1);
	KUNIT_EXPECT_EQ(test, after_t0(c->t_ka), 7201500);
}

/* MUST-26: not while data is outstanding or waits to be sent */
static void ka_waits_for_sent_data(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	nic_test_flight(test, 10);
	c->ka_probes = 10;
	c->t_ka = t0_plus(100);
	nic_ka_expired(c, c->t_ka);
	KUNIT_EXPECT_EQ(test, ka_sent(test), 0);
	KUNIT_EXPECT_EQ(test, c->reason, 0);
	KUNIT_EXPECT_EQ(test, after_t0(c->t_ka), 7200100);
}

static void ka_waits_for_unsent_data(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	nic_test_post(test, 10);
	c->cached.ka_timeout = 50;
	c->t_ka = NIC_TEST_T0;
	nic_ka_expired(c, c->t_ka);
	KUNIT_EXPECT_EQ(test, ka_sent(test), 0);
	KUNIT_EXPECT_EQ(test, after_t0(c->t_ka), 1000);
}

enum ka_due {
	KA_OFF,
	KA_AS_IT_WAS,
	KA_FROM_NOW,
	KA_FROM_BASE,
};

#define KA_ON	CHIMNEY_CACHED_FLAG_KEEP_ALIVE
#define KA_RST	CHIMNEY_CACHED_FLAG_KEEP_ALIVE_RESTART
#define RT_RST	CHIMNEY_CACHED_FLAG_MAX_RT_RESTART

struct ka_update_case {
	const char *desc;
	struct {
		u32 timeout;
		u32 interval;
		u8 count;
		u8 flags;
	} old, new;
	u32 triggers;
	u8 probes;
	enum ka_due due;
	u32 ms;
	u8 probes_after;
};

static const struct ka_update_case ka_updates[] = {
	{ "KA-12 on", { 20000, 5000, 3, 0 }, { 20000, 5000, 3, KA_ON },
	  0, 0, KA_FROM_NOW, 20000, 0 },
	{ "KA-12 off", { 20000, 5000, 3, KA_ON }, { 20000, 5000, 3, 0 },
	  0, 0, KA_OFF, 0, 0 },
	{ "KA-12 off while probing", { 20000, 5000, 3, KA_ON },
	  { 20000, 5000, 3, 0 }, 0, 2, KA_OFF, 0, 0 },
	{ "KA-1 off stays off", { 20000, 5000, 3, 0 }, { 30000, 6000, 4, 0 },
	  RT_RST, 0, KA_OFF, 0, 0 },
	{ "nothing changed", { 20000, 5000, 3, KA_ON },
	  { 20000, 5000, 3, KA_ON }, 0, 0, KA_AS_IT_WAS, 0, 0 },
	{ "nothing changed while probing", { 20000, 5000, 3, KA_ON },
	  { 20000, 5000, 3, KA_ON }, 0, 2, KA_AS_IT_WAS, 0, 2 },
	{ "KA-11 restart", { 20000, 5000, 3, KA_ON },
	  { 20000, 5000, 3, KA_ON }, KA_RST, 0, KA_FROM_NOW, 20000, 0 },
	{ "KA-11 restart while probing", { 20000, 5000, 3, KA_ON },
	  { 20000, 5000, 3, KA_ON }, KA_RST, 2, KA_FROM_NOW, 20000, 0 },
	{ "KA-11 restart with a new time", { 20000, 5000, 3, KA_ON },
	  { 30000, 6000, 3, KA_ON }, KA_RST, 2, KA_FROM_NOW, 30000, 0 },
	{ "KA-11 restart while off", { 20000, 5000, 3, 0 },
	  { 20000, 5000, 3, 0 }, KA_RST, 0, KA_OFF, 0, 0 },
	{ "BLD-2 MaxRT trigger alone", { 20000, 5000, 3, KA_ON },
	  { 20000, 5000, 3, KA_ON }, RT_RST, 0, KA_AS_IT_WAS, 0, 0 },
	{ "BLD-2 MaxRT trigger alone, probing", { 20000, 5000, 3, KA_ON },
	  { 20000, 5000, 3, KA_ON }, RT_RST, 2, KA_AS_IT_WAS, 0, 2 },
	{ "KA-13 new count, trigger", { 20000, 5000, 3, KA_ON },
	  { 20000, 5000, 4, KA_ON }, RT_RST, 2, KA_AS_IT_WAS, 0, 0 },
	{ "BLD-2 new count, no trigger", { 20000, 5000, 3, KA_ON },
	  { 20000, 5000, 4, KA_ON }, 0, 2, KA_AS_IT_WAS, 0, 2 },
	{ "KA-13 new timeout, trigger", { 20000, 5000, 3, KA_ON },
	  { 30000, 5000, 3, KA_ON }, RT_RST, 0, KA_FROM_NOW, 30000, 0 },
	{ "KA-13 new timeout, trigger, probing", { 20000, 5000, 3, KA_ON },
	  { 30000, 5000, 3, KA_ON }, RT_RST, 2, KA_FROM_NOW, 5000, 2 },
	{ "KA-13 new interval, trigger", { 20000, 5000, 3, KA_ON },
	  { 20000, 6000, 3, KA_ON }, RT_RST, 0, KA_FROM_NOW, 20000, 0 },
	{ "KA-13 new interval, trigger, probing", { 20000, 5000, 3, KA_ON },
	  { 20000, 6000, 3, KA_ON }, RT_RST, 2, KA_FROM_NOW, 6000, 2 },
	{ "KA-13 interval 0, trigger, probing", { 20000, 5000, 3, KA_ON },
	  { 20000, 0, 3, KA_ON }, RT_RST, 2, KA_FROM_NOW, 1000, 2 },
	{ "KA-13 new count and interval", { 20000, 5000, 3, KA_ON },
	  { 20000, 6000, 4, KA_ON }, RT_RST, 2, KA_FROM_NOW, 20000, 0 },
	{ "new timeout, no trigger: from activity", { 20000, 5000, 3, KA_ON },
	  { 30000, 5000, 3, KA_ON }, 0, 0, KA_FROM_BASE, 30000, 0 },
	{ "BLD-2 new timeout while probing", { 20000, 5000, 3, KA_ON },
	  { 30000, 5000, 3, KA_ON }, 0, 2, KA_AS_IT_WAS, 0, 2 },
	{ "BLD-2 new interval, no trigger", { 20000, 5000, 3, KA_ON },
	  { 20000, 6000, 3, KA_ON }, 0, 0, KA_AS_IT_WAS, 0, 0 },
	{ "BLD-2 new interval while probing", { 20000, 5000, 3, KA_ON },
	  { 20000, 6000, 3, KA_ON }, 0, 2, KA_AS_IT_WAS, 0, 2 },
};

static void ka_update_desc(const struct ka_update_case *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(ka_update, ka_updates, ka_update_desc);

static void ka_update(struct kunit *test)
{
	const struct ka_update_case *p = test->param_value;
	struct nic_conn *c = nic_test_conn(test);
	ktime_t before = ktime_get(), after, was;
	struct chim_cached old;

	c->cached.ka_timeout = p->old.timeout;
	c->cached.ka_interval = p->old.interval;
	c->cached.ka_probe_count = p->old.count;
	c->cached.flags = p->old.flags;
	chim_nic_activity(c, ktime_sub_ms(before, 7000));
	if (p->probes) {
		c->ka_probes = p->probes;
		c->t_ka = ktime_add_ms(before, 3000);
	}
	was = c->t_ka;

	old = c->cached;
	c->cached.ka_timeout = p->new.timeout;
	c->cached.ka_interval = p->new.interval;
	c->cached.ka_probe_count = p->new.count;
	c->cached.flags = p->new.flags;
	chim_nic_ka_update(c, &old, p->triggers);
	after = ktime_get();

	KUNIT_EXPECT_EQ(test, c->ka_probes, p->probes_after);
	KUNIT_EXPECT_EQ(test, c->stats.segs_out, 0); /* BLD-1 */
	switch (p->due) {
	case KA_OFF:
		KUNIT_EXPECT_EQ(test, c->t_ka, CHIM_IDLE);
		break;
	case KA_AS_IT_WAS:
		KUNIT_EXPECT_EQ(test, c->t_ka, was);
		break;
	case KA_FROM_NOW:
		KUNIT_EXPECT_GE(test, c->t_ka, ktime_add_ms(before, p->ms));
		KUNIT_EXPECT_LE(test, c->t_ka, ktime_add_ms(after, p->ms));
		break;
	case KA_FROM_BASE:
		KUNIT_EXPECT_EQ(test, c->t_ka,
				ktime_add_ms(before, p->ms - 7000));
		break;
	}
	if (p->triggers & KA_RST)
		KUNIT_EXPECT_GE(test, c->ka_base, before);
	else
		KUNIT_EXPECT_EQ(test, c->ka_base, ktime_sub_ms(before, 7000));
}

/* BLD-2: without a trigger a new interval counts from the next expiry on. */
static void ka_new_interval_counts_next_time(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct chim_cached old = c->cached;
	ktime_t due;

	chim_nic_activity(c, NIC_TEST_T0);
	nic_ka_expired(c, c->t_ka);
	due = c->t_ka;
	c->cached.ka_interval = 9000;
	chim_nic_ka_update(c, &old, 0);
	KUNIT_EXPECT_EQ(test, c->t_ka, due);
	nic_ka_expired(c, due);
	KUNIT_EXPECT_EQ(test, c->t_ka, ktime_add_ms(due, 9000));
}

/* ---- mitigation of blind attacks ---------------------------------- */

struct mitigate_case {
	const char *desc;
	s64 left;	/* ms, -1 = not running */
	s64 want;
	bool marked;
};

static const struct mitigate_case mitigate_cases[] = {
	{ "BRA-7 not running", -1, 300000, true },
	{ "BRA-7 more than five minutes", 300001, 300000, true },
	{ "BRA-7 five minutes", 300000, 300000, false },
	{ "BRA-7 less", 299999, 299999, false },
	{ "BRA-7 due", 0, 0, false },
};

static void mitigate_desc(const struct mitigate_case *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(mitigate, mitigate_cases, mitigate_desc);

static void mitigate_within_five_minutes(struct kunit *test)
{
	const struct mitigate_case *p = test->param_value;
	struct nic_conn *c = nic_test_conn(test);

	if (p->left >= 0)
		c->t_ka = t0_plus(p->left);
	chim_nic_mitigate(c, NIC_TEST_T0);
	KUNIT_EXPECT_EQ(test, after_t0(c->t_ka), p->want);
	KUNIT_EXPECT_EQ(test, !!(c->flags & NIC_MITIGATE), p->marked);
}

/* BRA-8, BRA-11: with the option off, and defaults for what is zero */
static void mitigate_probes_until_dead(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	u32 i;

	c->cached.flags = 0;
	c->cached.ka_probe_count = 0;
	c->cached.ka_interval = 0;
	chim_nic_mitigate(c, NIC_TEST_T0);
	for (i = 0; i < 10; i++) {
		KUNIT_EXPECT_EQ(test, after_t0(c->t_ka), 300000 + 1000 * i);
		nic_ka_expired(c, c->t_ka);
		KUNIT_EXPECT_EQ(test, c->reason, 0);
	}
	nic_ka_expired(c, c->t_ka);
	KUNIT_EXPECT_EQ(test, c->reason, CHIMNEY_REASON_TIMEOUT_EXPIRATION);
	KUNIT_EXPECT_EQ(test, ka_sent(test), 10);
}

/* BRA-10 */
static void mitigate_ends_with_activity(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	c->cached.flags = 0;
	chim_nic_mitigate(c, NIC_TEST_T0);
	chim_nic_activity(c, t0_plus(1));
	KUNIT_EXPECT_EQ(test, c->t_ka, CHIM_IDLE);
	KUNIT_EXPECT_FALSE(test, c->flags & NIC_MITIGATE);

	c->cached.flags = KA_ON;
	chim_nic_mitigate(c, t0_plus(2));
	chim_nic_activity(c, t0_plus(3));
	KUNIT_EXPECT_EQ(test, after_t0(c->t_ka), 7200003);
}

/* The option off does not end it. */
static void mitigate_outlives_an_update(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct chim_cached old;

	chim_nic_mitigate(c, NIC_TEST_T0);
	nic_ka_expired(c, c->t_ka);
	old = c->cached;
	c->cached.flags = 0;
	chim_nic_ka_update(c, &old, 0);
	KUNIT_EXPECT_EQ(test, after_t0(c->t_ka), 301000);
	KUNIT_EXPECT_EQ(test, c->ka_probes, 1);
}

/* BRA-7: no change of the values puts it off. */
static void mitigate_is_not_put_off(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct chim_cached old = c->cached;

	chim_nic_activity(c, NIC_TEST_T0);
	chim_nic_mitigate(c, NIC_TEST_T0);
	c->cached.ka_timeout = 7300 * MSEC_PER_SEC;
	chim_nic_ka_update(c, &old, 0);
	KUNIT_EXPECT_EQ(test, after_t0(c->t_ka), 300000);
	chim_nic_ka_update(c, &old, CHIMNEY_CACHED_FLAG_KEEP_ALIVE_RESTART);
	KUNIT_EXPECT_EQ(test, after_t0(c->t_ka), 300000);
}

/* KA-12: nor does it put off what is due before. */
static void mitigate_puts_nothing_off(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct chim_cached old;
	ktime_t start;

	c->cached.flags = 0;
	start = ktime_get();
	chim_nic_mitigate(c, start);
	old = c->cached;
	c->cached.flags = KA_ON;
	c->cached.ka_timeout = 20 * MSEC_PER_SEC;
	chim_nic_ka_update(c, &old, 0);
	KUNIT_EXPECT_GE(test, c->t_ka, start + 20 * NSEC_PER_SEC);
	KUNIT_EXPECT_LE(test, c->t_ka, ktime_get() + 20 * NSEC_PER_SEC);
}

/* ---- the hrtimer -------------------------------------------------- */

/* Far enough ahead not to fire during a test */
static ktime_t in_hours(u32 n)
{
	return ktime_add_ms(NIC_TEST_T0 + ktime_get(), n * 3600 * MSEC_PER_SEC);
}

static void arm_for_the_earliest(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	ktime_t *t[] = { &c->t_rtx, &c->t_ka, &c->t_ack, &c->t_sws };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		*t[i] = in_hours(9 - i);
		chim_nic_arm(c);
		KUNIT_EXPECT_TRUE(test, hrtimer_is_queued(&c->timer));
		KUNIT_EXPECT_EQ_MSG(test, hrtimer_get_expires(&c->timer),
				    *t[i], "timer %u", i);
	}
}

/* One that fires too early finds out by itself. */
static void arm_leaves_an_earlier_one(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	ktime_t early = in_hours(2);

	c->t_ka = early;
	chim_nic_arm(c);
	c->t_ka = in_hours(3);
	chim_nic_arm(c);
	KUNIT_EXPECT_EQ(test, hrtimer_get_expires(&c->timer), early);
}

static void arm_nothing(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	chim_nic_arm(c);
	KUNIT_EXPECT_FALSE(test, hrtimer_is_queued(&c->timer));
	c->t_ka = in_hours(1);
	c->flags &= ~NIC_LIVE;
	chim_nic_arm(c);
	KUNIT_EXPECT_FALSE(test, hrtimer_is_queued(&c->timer));
}

/* What is due waits for the host, which is told again in a second. */
static void arm_not_for_what_goes_up(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	ktime_t before = ktime_get(), due = ktime_sub_ms(before, 5);

	c->t_ka = due;
	chim_nic_ask_upload(c, CHIMNEY_REASON_RECEIVED_URGENT_DATA);
	chim_nic_arm(c);
	KUNIT_EXPECT_TRUE(test, hrtimer_is_queued(&c->timer));
	KUNIT_EXPECT_GE(test, hrtimer_get_expires(&c->timer),
			before + NIC_TELL_NS);
	KUNIT_EXPECT_EQ(test, c->t_ka, due);
	hrtimer_cancel(&c->timer);
	c->flags &= ~NIC_EVENT;
	chim_nic_arm(c);
	KUNIT_EXPECT_FALSE(test, hrtimer_is_queued(&c->timer));
}

/* The handler does what is due, and only that, and arms for the rest. */
static void timer_does_what_is_due(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	c->t_ack = ktime_get();
	c->flags |= NIC_ACK_DELAY;
	c->t_ka = in_hours(1);
	chim_nic_timer(&c->timer);
	KUNIT_EXPECT_EQ(test, c->stats.segs_out, 1);
	KUNIT_EXPECT_EQ(test, ka_sent(test), 0);
	KUNIT_EXPECT_EQ(test, c->t_ack, CHIM_IDLE);
	KUNIT_EXPECT_EQ(test, hrtimer_get_expires(&c->timer), c->t_ka);

	hrtimer_cancel(&c->timer);
	c->t_ka = ktime_get();
	chim_nic_timer(&c->timer);
	KUNIT_EXPECT_EQ(test, ka_sent(test), 1);
	KUNIT_EXPECT_EQ(test, c->stats.segs_out, 2);
}

static void timer_after_the_end_does_nothing(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	c->t_ka = 0;
	c->t_ack = 0;
	c->reason = CHIMNEY_REASON_UPLOAD_REQUESTED;
	c->flags &= ~NIC_LIVE;
	chim_nic_timer(&c->timer);
	KUNIT_EXPECT_EQ(test, c->stats.segs_out, 0);
	KUNIT_EXPECT_FALSE(test, hrtimer_is_queued(&c->timer));
}

/* What a cork or the peer's small window held back goes out. */
static void timer_override_sends(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	c->cached.flags |= CHIM_CACHED_CORK;
	nic_test_post(test, 10);
	chim_nic_output(c, false);
	KUNIT_EXPECT_EQ(test, c->stats.segs_out, 0);
	KUNIT_EXPECT_NE(test, c->t_sws, CHIM_IDLE);
	c->t_sws = ktime_get();
	chim_nic_timer(&c->timer);
	KUNIT_EXPECT_EQ(test, c->stats.segs_out, 1);
	KUNIT_EXPECT_EQ(test, c->t_sws, CHIM_IDLE);
	KUNIT_EXPECT_NE(test, c->t_rtx, CHIM_IDLE);
}

static struct kunit_case nic_timer_cases[] = {
	KUNIT_CASE_PARAM(rto_is_as_the_host_computes_it, rto_gen_params),
	KUNIT_CASE(rtt_first_sample),
	KUNIT_CASE(rtt_next_sample),
	KUNIT_CASE(rtt_settles),
	KUNIT_CASE(rtt_of_nonsense_is_clamped),
	KUNIT_CASE(rtt_sample_ends_backoff),
	KUNIT_CASE(backoff_doubles_up_to_the_cap),
	KUNIT_CASE(backoff_of_a_small_rto),
	KUNIT_CASE(rtx_start_leaves_a_running_timer),
	KUNIT_CASE(rtx_start_goes_on_backed_off),
	KUNIT_CASE(rtx_restart_counts_anew),
	KUNIT_CASE(rtx_restart_stops_when_all_is_acked),
	KUNIT_CASE(rtx_schedule),
	KUNIT_CASE(rtx_goes_on_where_the_host_stopped),
	KUNIT_CASE(rtx_collapses_the_window_once),
	KUNIT_CASE(rtx_ssthresh_has_a_floor),
	KUNIT_CASE(rtx_forgets_the_scoreboard),
	KUNIT_CASE(rtx_max_rt),
	KUNIT_CASE(rtx_max_rt_unlimited),
	KUNIT_CASE(rtx_learns_what_fits),
	KUNIT_CASE(rtx_without_flight_stops),
	KUNIT_CASE(rtx_of_a_fin),
	KUNIT_CASE(fin_wait2_is_off_by_default),
	KUNIT_CASE(fin_wait2_restarts_and_expires),
	KUNIT_CASE(fin_wait2_not_running_stays_so),
	KUNIT_CASE(persist_schedule),
	KUNIT_CASE(persist_probe_is_one_byte),
	KUNIT_CASE(persist_unasked_ack_is_no_answer),
	KUNIT_CASE(persist_unanswered_gives_up),
	KUNIT_CASE(persist_answered_never_gives_up),
	KUNIT_CASE(persist_without_memory),
	KUNIT_CASE(persist_ends_recovery),
	KUNIT_CASE(persist_max_rt),
	KUNIT_CASE_PARAM(ka_probes_until_dead, ka_schedule_gen_params),
	KUNIT_CASE(ka_activity_starts_over),
	KUNIT_CASE(ka_activity_without_the_option),
	KUNIT_CASE(ka_lateness_does_not_add_up),
	KUNIT_CASE(ka_very_late),
	KUNIT_CASE(ka_without_memory),
	KUNIT_CASE(ka_waits_for_sent_data),
	KUNIT_CASE(ka_waits_for_unsent_data),
	KUNIT_CASE_PARAM(ka_update, ka_update_gen_params),
	KUNIT_CASE(ka_new_interval_counts_next_time),
	KUNIT_CASE_PARAM(mitigate_within_five_minutes, mitigate_gen_params),
	KUNIT_CASE(mitigate_probes_until_dead),
	KUNIT_CASE(mitigate_ends_with_activity),
	KUNIT_CASE(mitigate_outlives_an_update),
	KUNIT_CASE(mitigate_is_not_put_off),
	KUNIT_CASE(mitigate_puts_nothing_off),
	KUNIT_CASE(arm_for_the_earliest),
	KUNIT_CASE(arm_leaves_an_earlier_one),
	KUNIT_CASE(arm_nothing),
	KUNIT_CASE(arm_not_for_what_goes_up),
	KUNIT_CASE(timer_does_what_is_due),
	KUNIT_CASE(timer_after_the_end_does_nothing),
	KUNIT_CASE(timer_override_sends),
	{}
};

static struct kunit_suite nic_timer_suite = {
	.name = "chimney_nic_timer",
	.init = nic_test_init,
	.exit = nic_test_exit,
	.test_cases = nic_timer_cases,
};

kunit_test_suite(nic_timer_suite);
