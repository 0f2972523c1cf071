// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: clocks, and a socket that goes into a state block and comes out of
 * one. Part of host_state.c.
 *
 * The socket is a real one, but not connected. Its lock is owned all the time,
 * so that its timers are set and never handled.
 */
#include <kunit/test.h>
#include <linux/net.h>

#define ISS	0xfffffd00U	/* the send queue crosses the wrap */
#define MSS	1000U
#define SND(n)	(ISS + (n))

static void tie_clocks(void)
{
	/* Tests may run before chim_state_init(), but then it may be done. */
	if (chim_base_jiffies)
		return;
	chim_base_jiffies = get_jiffies_64();
	chim_base_ns = ktime_get();
}

static struct sock *sock_of(struct kunit *test)
{
	return ((struct socket *)test->priv)->sk;
}

static int state_init(struct kunit *test)
{
	struct socket *sock;
	struct tcp_sock *tp;
	struct sock *sk;
	int err;

	tie_clocks();
	err = sock_create_kern(&init_net, AF_INET, SOCK_STREAM, IPPROTO_TCP,
			       &sock);
	if (err)
		return err;
	test->priv = sock;
	sk = sock->sk;
	lock_sock(sk);
	tp = tcp_sk(sk);
	sk->sk_state = TCP_ESTABLISHED;
	tp->mss_cache = MSS;
	tp->write_seq = ISS;
	tp->snd_una = ISS;
	tp->snd_nxt = ISS;
	tp->snd_wnd = 20000;
	tp->srtt_us = 1600000; /* RTX-9: an RTO of 600 ms */
	tp->rttvar_us = 400000;
	inet_csk(sk)->icsk_rto = msecs_to_jiffies(600);
	return 0;
}

static void state_exit(struct kunit *test)
{
	struct socket *sock = test->priv;
	struct sock *sk;

	if (!sock)
		return;
	sk = sock->sk;
	tcp_clear_xmit_timers(sk);
	inet_csk_delete_keepalive_timer(sk);
	sk->sk_state = TCP_CLOSE;
	release_sock(sk);
	sock_release(sock);
}

/* A deadline in jiffies; it may be late by those that have passed since, and by
 * those that a busy machine has yet to count.
 */
static void expect_jiffies(struct kunit *test, unsigned long got,
			   unsigned long want, unsigned long start)
{
	KUNIT_EXPECT_GE(test, (long)(got - want), 0);
	KUNIT_EXPECT_LE(test, (long)(got - want),
			(long)(jiffies - start) + HZ / 2);
}

/* ---- clocks ------------------------------------------------------- */

/* Exact for whole jiffies, far back and far ahead */
static void jiffies_there_and_back(struct kunit *test)
{
	static const long offsets[] = {
		0, 1, -1, 17, -17, HZ, -HZ, 300 * HZ, -300 * HZ,
		7200L * HZ, -7200L * HZ, 24L * 86400 * HZ, -24L * 86400 * HZ,
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		unsigned long j = jiffies + offsets[i];

		KUNIT_EXPECT_EQ_MSG(test, chim_to_jiffies(chim_from_jiffies(j)),
				    j, "%ld", offsets[i]);
	}
}

static void jiffies_are_true(struct kunit *test)
{
	ktime_t now = ktime_get(), t = chim_from_jiffies(jiffies);

	KUNIT_EXPECT_LE(test, abs(ktime_sub(t, now)), NSEC_PER_SEC);
	KUNIT_EXPECT_EQ(test, ktime_sub(chim_from_jiffies(HZ),
					chim_from_jiffies(0)), HZ * TICK_NSEC);
}

/* Never before it is due */
static void jiffies_are_rounded_up(struct kunit *test)
{
	unsigned long j = jiffies + 100;
	ktime_t t = chim_from_jiffies(j);

	KUNIT_EXPECT_EQ(test, chim_to_jiffies(t), j);
	KUNIT_EXPECT_EQ(test, chim_to_jiffies(t + 1), j + 1);
	KUNIT_EXPECT_EQ(test, chim_to_jiffies(t + TICK_NSEC - 1), j + 1);
	KUNIT_EXPECT_EQ(test, chim_to_jiffies(t + TICK_NSEC), j + 1);
	KUNIT_EXPECT_EQ(test, chim_to_jiffies(t - 1), j);
	KUNIT_EXPECT_EQ(test, chim_to_jiffies(t - TICK_NSEC + 1), j);
	KUNIT_EXPECT_EQ(test, chim_to_jiffies(t - TICK_NSEC), j - 1);
}

/* Before the two clocks were tied, too */
static void jiffies_before_the_tie(struct kunit *test)
{
	unsigned long j = (unsigned long)chim_base_jiffies;

	KUNIT_EXPECT_EQ(test, chim_to_jiffies(chim_base_ns), j);
	KUNIT_EXPECT_EQ(test, chim_to_jiffies(chim_base_ns - TICK_NSEC), j - 1);
	KUNIT_EXPECT_EQ(test, chim_to_jiffies(chim_base_ns - TICK_NSEC / 2), j);
	KUNIT_EXPECT_EQ(test, chim_to_jiffies(chim_base_ns + 1), j + 1);
}

static void jiffies_left(struct kunit *test)
{
	unsigned long start = jiffies, left;
	ktime_t now = chim_from_jiffies(start);

	left = chim_jiffies_left(now + 1000 * TICK_NSEC);
	KUNIT_EXPECT_LE(test, left, 1000);
	KUNIT_EXPECT_GE(test, left + jiffies - start, 1000);
	KUNIT_EXPECT_EQ(test, chim_jiffies_left(now - TICK_NSEC), 0);
	KUNIT_EXPECT_EQ(test, chim_jiffies_left(0), 0);
}

/* ---- states ------------------------------------------------------- */

static void states_there_and_back(struct kunit *test)
{
	static const int states[] = {
		TCP_ESTABLISHED, TCP_FIN_WAIT1, TCP_FIN_WAIT2, TCP_CLOSE_WAIT,
		TCP_CLOSING, TCP_LAST_ACK, TCP_TIME_WAIT, TCP_CLOSE,
	};
	u32 i;
	u8 s;

	for (i = 0; i < ARRAY_SIZE(states); i++) {
		s = chim_state_to_wdk[states[i]];
		KUNIT_EXPECT_EQ(test, chim_state_to_linux(s), states[i]);
	}
	KUNIT_EXPECT_EQ(test, chim_state_to_linux(99), TCP_CLOSE);
	KUNIT_EXPECT_EQ(test, chim_state_to_linux(U8_MAX), TCP_CLOSE);
}

/* ---- keepalive ---------------------------------------------------- */

/* Idle since so many jiffies, timer due in so many */
static void ka_setup(struct sock *sk, long idle, long due)
{
	struct tcp_sock *tp = tcp_sk(sk);
	u32 active = tcp_jiffies32 - idle;

	sock_valbool_flag(sk, SOCK_KEEPOPEN, 1);
	tp->keepalive_time = 20 * HZ;
	tp->keepalive_intvl = 5 * HZ;
	tp->keepalive_probes = 3;
	tp->rcv_tstamp = active;
	inet_csk(sk)->icsk_ack.lrcvtime = active;
	inet_csk_reset_keepalive_timer(sk, due);
}

static void ka_is_saved(struct kunit *test)
{
	struct sock *sk = sock_of(test);
	struct chim_delegated d = {};
	unsigned long now;

	ka_setup(sk, 5 * HZ, 16 * HZ);
	now = jiffies;
	chim_save_keepalive(sk, &d);
	KUNIT_EXPECT_EQ(test, d.ka_probe_count, 0);
	KUNIT_EXPECT_EQ(test, d.ka_base,
			chim_from_jiffies(now - (u32)(now -
						      tcp_sk(sk)->rcv_tstamp)));
	KUNIT_EXPECT_EQ(test, d.keepalive,
			chim_from_jiffies(chim_keepalive_timer(sk)->expires));
}

/* 32 bits of jiffies are 49 days at 1000 Hz: half of that is not ahead. */
static void ka_idle_for_weeks(struct kunit *test)
{
	struct sock *sk = sock_of(test);
	struct chim_delegated d = {};

	ka_setup(sk, 3L << 30, 10 * HZ);
	chim_save_keepalive(sk, &d);
	KUNIT_EXPECT_LE(test, d.ka_base, ktime_get() - (3LL << 30) * TICK_NSEC +
			10LL * NSEC_PER_SEC);
	KUNIT_EXPECT_EQ(test, d.keepalive,
			chim_from_jiffies(chim_keepalive_timer(sk)->expires));
	/* Data that long ago, but probes were answered. */
	ka_setup(sk, 3L << 30, 18 * HZ);
	tcp_sk(sk)->rcv_tstamp = tcp_jiffies32 - 1 * HZ;
	chim_save_keepalive(sk, &d);
	KUNIT_EXPECT_EQ(test, d.keepalive, d.ka_base + 20LL * HZ * TICK_NSEC);
	KUNIT_EXPECT_GE(test, d.ka_base, ktime_get() - 10LL * NSEC_PER_SEC);
}

/* The host's timer expires too early if the connection was used meanwhile. */
static void ka_lazy_timer_is_corrected(struct kunit *test)
{
	struct sock *sk = sock_of(test);
	struct chim_delegated d = {};

	ka_setup(sk, 1 * HZ, 3 * HZ);
	chim_save_keepalive(sk, &d);
	KUNIT_EXPECT_EQ(test, d.keepalive,
			d.ka_base + 20LL * HZ * TICK_NSEC);
}

/* KA-4: probes are under way: the timer says when the next one goes. */
static void ka_probes_are_saved(struct kunit *test)
{
	struct sock *sk = sock_of(test);
	struct chim_delegated d = {};

	ka_setup(sk, 1 * HZ, 3 * HZ);
	inet_csk(sk)->icsk_probes_out = 2;
	chim_save_keepalive(sk, &d);
	KUNIT_EXPECT_EQ(test, d.ka_probe_count, 2);
	KUNIT_EXPECT_EQ(test, d.keepalive,
			chim_from_jiffies(chim_keepalive_timer(sk)->expires));
}

/* With something in flight they are window probes, or left over. */
static void ka_probes_need_an_idle_connection(struct kunit *test)
{
	struct sock *sk = sock_of(test);
	struct chim_delegated d = {};

	ka_setup(sk, 1 * HZ, 3 * HZ);
	inet_csk(sk)->icsk_probes_out = 2;
	tcp_sk(sk)->packets_out = 1;
	chim_save_keepalive(sk, &d);
	tcp_sk(sk)->packets_out = 0;
	KUNIT_EXPECT_EQ(test, d.ka_probe_count, 0);
}

/* KA-6, TMR-3 */
static void ka_not_running_is_saved(struct kunit *test)
{
	struct sock *sk = sock_of(test);
	struct chim_delegated d = {};

	chim_save_keepalive(sk, &d);
	KUNIT_EXPECT_EQ(test, d.keepalive, CHIM_IDLE);
	ka_setup(sk, 0, HZ);
	sock_valbool_flag(sk, SOCK_KEEPOPEN, 0);
	chim_save_keepalive(sk, &d);
	KUNIT_EXPECT_EQ(test, d.keepalive, CHIM_IDLE);
	sock_valbool_flag(sk, SOCK_KEEPOPEN, 1);
	inet_csk_delete_keepalive_timer(sk);
	chim_save_keepalive(sk, &d);
	KUNIT_EXPECT_EQ(test, d.keepalive, CHIM_IDLE);
}

struct ka_restore_case {
	const char *desc;
	s64 due;	/* ms from now */
	s64 base;
	u8 probes;
};

static const struct ka_restore_case ka_restores[] = {
	{ "first probe to come", 15000, -5000, 0 },
	{ "just used", 20000, 0, 0 },
	{ "probing", 3000, -22000, 1 },
	{ "probing, the last", 1, -42000, 3 },
	{ "sooner than idle time says: changed meanwhile", 3000, -5000, 0 },
	{ "KA-8 due", 0, -20000, 0 },
	{ "KA-8 long due", -60000, -90000, 2 },
	{ "base ahead of us", 20000, 100, 0 },
};

static void ka_restore_desc(const struct ka_restore_case *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(ka_restore, ka_restores, ka_restore_desc);

static void ka_is_restored(struct kunit *test)
{
	const struct ka_restore_case *p = test->param_value;
	struct sock *sk = sock_of(test);
	const struct timer_list *t = chim_keepalive_timer(sk);
	struct tcp_sock *tp = tcp_sk(sk);
	struct chim_delegated d = {
		.keepalive = ktime_add_ns(ktime_get(),
					  p->due * NSEC_PER_MSEC),
		.ka_base = ktime_add_ns(ktime_get(),
					p->base * NSEC_PER_MSEC),
		.ka_probe_count = p->probes,
	};
	unsigned long due = chim_to_jiffies(d.keepalive), start = jiffies;

	ka_setup(sk, 100, 7200L * HZ);
	chim_restore_keepalive(sk, &d);
	if (time_before(due, start))
		due = start;
	KUNIT_EXPECT_TRUE(test, timer_pending(t));
	expect_jiffies(test, t->expires, due, start);
	KUNIT_EXPECT_EQ(test, inet_csk(sk)->icsk_probes_out, p->probes);
	/* When it expires the host finds the connection idle long enough. */
	KUNIT_EXPECT_FALSE(test, time_after32(tp->rcv_tstamp, (u32)jiffies));
	KUNIT_EXPECT_EQ(test, tp->rcv_tstamp, inet_csk(sk)->icsk_ack.lrcvtime);
	KUNIT_EXPECT_GE(test, (u32)t->expires - tp->rcv_tstamp, 20 * HZ);
}

static void ka_not_running_is_restored(struct kunit *test)
{
	struct sock *sk = sock_of(test);
	struct chim_delegated d = {
		.keepalive = CHIM_IDLE,
		.ka_base = ktime_sub_ms(ktime_get(), 5000),
	};

	ka_setup(sk, 0, HZ);
	chim_restore_keepalive(sk, &d);
	KUNIT_EXPECT_FALSE(test, timer_pending(chim_keepalive_timer(sk)));
	KUNIT_EXPECT_EQ(test, tcp_sk(sk)->rcv_tstamp,
			(u32)chim_to_jiffies(d.ka_base));
	/* The option is off: a deadline from a mitigation is not the host's. */
	d.keepalive = ktime_add_ms(ktime_get(), 1000);
	ka_setup(sk, 0, HZ);
	sock_valbool_flag(sk, SOCK_KEEPOPEN, 0);
	chim_restore_keepalive(sk, &d);
	KUNIT_EXPECT_FALSE(test, timer_pending(chim_keepalive_timer(sk)));
}

/* A hand-over rounds up once; more of them add nothing. */
static void ka_does_not_drift(struct kunit *test)
{
	struct sock *sk = sock_of(test);
	struct chim_delegated d = {
		.keepalive = ktime_add_ms(ktime_get(), 3600000),
		.ka_base = ktime_sub_ms(ktime_get(), 3600000),
	};
	unsigned long start = jiffies;
	ktime_t due = d.keepalive;
	int i;

	ka_setup(sk, 0, HZ);
	tcp_sk(sk)->keepalive_time = 7200L * HZ;
	for (i = 0; i < 1000; i++) {
		chim_restore_keepalive(sk, &d);
		chim_save_keepalive(sk, &d);
	}
	KUNIT_EXPECT_GE(test, d.keepalive, due);
	KUNIT_EXPECT_LE(test, d.keepalive,
			due + (long)(1 + jiffies - start) * TICK_NSEC);
}

/* ---- retransmit and persist --------------------------------------- */

struct rtx_save_case {
	const char *desc;
	u32 snd_wnd;
	u8 pending;
	u8 retransmits;
	u8 backoff;
	u8 probes_out;
	u32 rto_ms;
	bool running;		/* as retransmit timer */
	bool override;
	u8 rtx_count;
	u8 round;
	u8 want_backoff;
};

static const struct rtx_save_case rtx_saves[] = {
	{ "RTX-5 nothing runs", 9, 0, 0, 0, 0, 600, false, false, 0, 0, 0 },
	{ "first RTO", 9, ICSK_TIME_RETRANS, 0, 0, 0, 600,
	  true, false, 0, 0, 0 },
	{ "RTX-4 backed off", 9, ICSK_TIME_RETRANS, 2, 2, 0, 2400,
	  true, false, 2, 0, 2 },
	{ "Karn: backed off, acknowledged", 9, ICSK_TIME_RETRANS, 0, 3, 0, 4800,
	  true, false, 0, 0, 3 },
	{ "held back: override", 9, ICSK_TIME_PROBE0, 0, 0, 0, 600,
	  false, true, 0, 0, 0 },
	{ "PST-7 persist, round 0", 0, ICSK_TIME_PROBE0, 0, 0, 0, 600,
	  true, false, 0, 0, 0 },
	{ "PST-7 persist, round 2", 0, ICSK_TIME_PROBE0, 0, 2, 0, 600,
	  true, false, 0, 2, 0 },
	{ "PST-7 in a round, one probe", 0, ICSK_TIME_PROBE0, 0, 1, 1, 600,
	  true, false, 1, 0, 0 },
	{ "PST-7 in a round, three probes", 0, ICSK_TIME_PROBE0, 0, 3, 3, 600,
	  true, false, 3, 0, 0 },
	{ "PST-7 probe in flight, base RTO", 0, ICSK_TIME_RETRANS, 0, 0, 0, 600,
	  true, false, 0, 0, 0 },
	{ "PST-7 probe in flight, doubled twice", 0, ICSK_TIME_RETRANS, 0, 0, 0,
	  2400, true, false, 0, 2, 0 },
	{ "PST-7 probe resent, doubled once", 0, ICSK_TIME_RETRANS, 1, 1, 0,
	  1200, true, false, 2, 0, 1 },
	{ "PST-7 probe resent, doubled twice", 0, ICSK_TIME_RETRANS, 2, 2, 0,
	  2400, true, false, 3, 0, 2 },
};

static void rtx_save_desc(const struct rtx_save_case *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(rtx_save, rtx_saves, rtx_save_desc);

static void rtx_is_saved(struct kunit *test)
{
	const struct rtx_save_case *p = test->param_value;
	struct sock *sk = sock_of(test);
	struct inet_connection_sock *icsk = inet_csk(sk);
	struct chim_delegated d = {};
	ktime_t due;

	tcp_sk(sk)->snd_wnd = p->snd_wnd;
	icsk->icsk_pending = p->pending;
	icsk->icsk_timeout = jiffies + 3 * HZ;
	icsk->icsk_retransmits = p->retransmits;
	icsk->icsk_backoff = p->backoff;
	icsk->icsk_probes_out = p->probes_out;
	icsk->icsk_rto = msecs_to_jiffies(p->rto_ms);
	due = chim_from_jiffies(icsk->icsk_timeout);
	chim_save_retransmit(sk, &d);
	icsk->icsk_pending = 0;

	KUNIT_EXPECT_EQ(test, d.retransmit, p->running ? due : CHIM_IDLE);
	KUNIT_EXPECT_EQ(test, d.override, p->override ? due : CHIM_IDLE);
	KUNIT_EXPECT_EQ(test, d.rtx_count, p->rtx_count);
	KUNIT_EXPECT_EQ(test, d.snd_wnd_probe_count, p->round);
	KUNIT_EXPECT_EQ(test, d.backoff, p->want_backoff);
}

/* BLD-7 */
static void rtx_total_is_saved(struct kunit *test)
{
	struct sock *sk = sock_of(test);
	struct chim_delegated d = {};

	inet_csk(sk)->icsk_pending = ICSK_TIME_RETRANS;
	tcp_sk(sk)->retrans_stamp = tcp_time_stamp_raw() - 1500;
	chim_save_retransmit(sk, &d);
	KUNIT_EXPECT_EQ(test, d.total_rt, 0);
	inet_csk(sk)->icsk_retransmits = 1;
	chim_save_retransmit(sk, &d);
	inet_csk(sk)->icsk_pending = 0;
	KUNIT_EXPECT_GE(test, d.total_rt, 1500 * NSEC_PER_MSEC);
	KUNIT_EXPECT_LE(test, d.total_rt, 11500 * NSEC_PER_MSEC);
}

struct rtx_restore_case {
	const char *desc;
	u32 snd_wnd;
	u32 packets_out;
	s64 due;		/* ms from now, -1 = not running */
	u8 state;
	u8 rtx_count;
	u8 round;
	u8 backoff;
	u8 pending;
	s64 want;		/* ms from now, if it was not running */
	u8 retransmits;
	u8 want_backoff;
	u8 probes_out;
	u32 rto_ms;
};

#define EST	CHIMNEY_TCP_STATE_ESTABLISHED

static const struct rtx_restore_case rtx_restores[] = {
	{ "RTX-5 nothing runs", 9, 0, -1, EST, 0, 0, 0,
	  0, 0, 0, 0, 0, 600 },
	{ "first RTO", 9, 1, 400, EST, 0, 0, 0,
	  ICSK_TIME_RETRANS, 400, 0, 0, 0, 600 },
	{ "RTX-4 backed off", 9, 1, 1500, EST, 2, 0, 2,
	  ICSK_TIME_RETRANS, 1500, 2, 2, 0, 2400 },
	{ "Karn: backed off, acknowledged", 9, 1, 1500, EST, 0, 0, 3,
	  ICSK_TIME_RETRANS, 1500, 0, 3, 0, 4800 },
	{ "due", 9, 1, 0, EST, 1, 0, 1,
	  ICSK_TIME_RETRANS, 0, 1, 1, 0, 1200 },
	{ "RFC 2525 2.12: in flight, no timer", 9, 1, -1, EST, 0, 0, 0,
	  ICSK_TIME_RETRANS, 600, 0, 0, 0, 600 },
	{ "as far as shifts go", 9, 1, 1500, EST, 255, 0, 255,
	  ICSK_TIME_RETRANS, 1500, 255, 255, 0, 120000 },
	{ "PST-7 persist, round 0", 0, 0, 600, EST, 0, 0, 0,
	  ICSK_TIME_PROBE0, 600, 0, 0, 0, 600 },
	{ "PST-7 persist, round 2", 0, 0, 600, EST, 0, 2, 0,
	  ICSK_TIME_PROBE0, 600, 0, 2, 0, 600 },
	{ "PST-7 in a round, three probes", 0, 0, 600, EST, 3, 1, 0,
	  ICSK_TIME_PROBE0, 600, 0, 3, 3, 600 },
	{ "PST-7 probe in flight, round 2", 0, 1, 600, EST, 0, 2, 0,
	  ICSK_TIME_RETRANS, 600, 0, 0, 0, 2400 },
	{ "PST-7 probe in flight, resent", 0, 1, 600, EST, 3, 0, 2,
	  ICSK_TIME_RETRANS, 600, 3, 2, 0, 2400 },
	{ "RTX-10 FIN_WAIT_2 has its own", 9, 0, 600,
	  CHIMNEY_TCP_STATE_FIN_WAIT2, 3, 2, 2,
	  0, 0, 0, 0, 0, 600 },
};

static void rtx_restore_desc(const struct rtx_restore_case *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(rtx_restore, rtx_restores, rtx_restore_desc);

static void rtx_is_restored(struct kunit *test)
{
	const struct rtx_restore_case *p = test->param_value;
	struct sock *sk = sock_of(test);
	struct inet_connection_sock *icsk = inet_csk(sk);
	struct chim_delegated d = {
		.state = p->state,
		.snd_wnd = p->snd_wnd,
		.rtx_count = p->rtx_count,
		.snd_wnd_probe_count = p->round,
		.backoff = p->backoff,
		.retransmit = p->due < 0 ? CHIM_IDLE :
			      ktime_add_ms(ktime_get(), p->due),
		.override = CHIM_IDLE,
	};
	unsigned long start = jiffies, want = start;

	if (p->due < 0)
		want += msecs_to_jiffies(p->want);
	else if (time_after(chim_to_jiffies(d.retransmit), start))
		want = chim_to_jiffies(d.retransmit);
	icsk->icsk_retransmits = 77;
	icsk->icsk_backoff = 77;
	icsk->icsk_probes_out = 77;
	tcp_sk(sk)->packets_out = p->packets_out;
	chim_restore_retransmit(sk, &d);
	tcp_sk(sk)->packets_out = 0;

	KUNIT_EXPECT_EQ(test, icsk->icsk_pending, p->pending);
	KUNIT_EXPECT_EQ(test, icsk->icsk_retransmits, p->retransmits);
	KUNIT_EXPECT_EQ(test, icsk->icsk_backoff, p->want_backoff);
	KUNIT_EXPECT_EQ(test, icsk->icsk_probes_out, p->probes_out);
	KUNIT_EXPECT_EQ(test, icsk->icsk_rto, msecs_to_jiffies(p->rto_ms));
	if (!p->pending)
		return;
	expect_jiffies(test, icsk->icsk_timeout, want, start);
}

static void rtx_total_is_restored(struct kunit *test)
{
	struct tcp_sock *tp = tcp_sk(sock_of(test));
	struct chim_delegated d = {
		.snd_wnd = 9,
		.rtx_count = 1,
		.total_rt = 1500 * NSEC_PER_MSEC,
		.retransmit = ktime_add_ms(ktime_get(), 5000),
		.override = CHIM_IDLE,
	};
	u32 waited;

	tp->packets_out = 1;
	chim_restore_retransmit(sock_of(test), &d);
	tp->packets_out = 0;
	waited = tcp_time_stamp_raw() - tp->retrans_stamp;
	KUNIT_EXPECT_GE(test, waited, 1500);
	KUNIT_EXPECT_LE(test, waited, 11500);
}

struct cc_case {
	const char *desc;
	u8 in_recovery;
	u32 packets_out;
	u32 nxt;	/* SND.NXT and SND.MAX */
	u32 max;
	u8 rtx_count;
	u32 cwnd;
	u32 ssthresh;
	u8 want;
	u32 want_cwnd;
	u32 want_ssthresh;
};

static const struct cc_case cc_cases[] = {
	{ "open", 0, 1, 9, 9, 0, 10000, 20000, TCP_CA_Open, 10, 20 },
	{ "part of a segment", 0, 1, 9, 9, 0, 10001, 20999, TCP_CA_Open, 11,
	  20 },
	{ "never nothing", 0, 1, 9, 9, 0, 0, 0, TCP_CA_Open, 1, 2 },
	{ "no threshold yet", 0, 1, 9, 9, 0, 10000, INT_MAX, TCP_CA_Open, 10,
	  TCP_INFINITE_SSTHRESH },
	{ "fast recovery", 1, 1, 9, 9, 0, 10000, 20000, TCP_CA_Recovery, 10,
	  20 },
	{ "after a timeout", 1, 1, 5, 9, 1, 1000, 20000, TCP_CA_Loss, 1, 20 },
	{ "after a timeout, all resent", 1, 1, 9, 9, 1, 1000, 20000,
	  TCP_CA_Loss, 1, 20 },
	{ "recovery of nothing", 1, 0, 9, 9, 0, 1000, 20000, TCP_CA_Open, 1,
	  20 },
};

static void cc_desc(const struct cc_case *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(cc, cc_cases, cc_desc);

static void congestion_is_restored(struct kunit *test)
{
	const struct cc_case *p = test->param_value;
	struct sock *sk = sock_of(test);
	struct tcp_sock *tp = tcp_sk(sk);
	struct chim_delegated d = {
		.in_recovery = p->in_recovery,
		.snd_una = SND(0),
		.snd_nxt = SND(p->nxt),
		.snd_max = SND(p->max),
		.rtx_count = p->rtx_count,
		.cwnd = p->cwnd,
		.ssthresh = p->ssthresh,
		.srtt_us = 80000,
		.rttvar_us = 4000,
	};

	tp->packets_out = p->packets_out;
	chim_restore_congestion(sk, &d);
	tp->packets_out = 0;
	KUNIT_EXPECT_EQ(test, (u8)inet_csk(sk)->icsk_ca_state, p->want);
	KUNIT_EXPECT_EQ(test, tcp_snd_cwnd(tp), p->want_cwnd);
	KUNIT_EXPECT_EQ(test, tp->snd_ssthresh, p->want_ssthresh);
	KUNIT_EXPECT_EQ(test, tp->high_seq,
			p->want == TCP_CA_Open ? SND(0) : SND(p->max));
	/* The RTO is the NIC's: 10 ms, and the variance's floor. */
	KUNIT_EXPECT_EQ(test, tp->srtt_us, 80000);
	KUNIT_EXPECT_EQ(test, inet_csk(sk)->icsk_rto, msecs_to_jiffies(210));
	inet_csk(sk)->icsk_ca_state = TCP_CA_Open;
}

static u32 ca_states; /* a decimal digit for each that was told */

static void ca_is_told(struct sock *sk, u8 state)
{
	ca_states = ca_states * 10 + state;
	tcp_sk(sk)->snd_ssthresh = 77;
	tcp_snd_cwnd_set(tcp_sk(sk), 88);
}

static const struct tcp_congestion_ops told = { .set_state = ca_is_told };

/* RFC 9438 4.2: CUBIC's epoch does not go on; what it does to the window then
 * does not count.
 */
static void congestion_begins_anew(struct kunit *test)
{
	struct sock *sk = sock_of(test);
	struct inet_connection_sock *icsk = inet_csk(sk);
	const struct tcp_congestion_ops *ops = icsk->icsk_ca_ops;
	const struct chim_delegated d = {
		.snd_una = SND(0),
		.snd_nxt = SND(0),
		.snd_max = SND(0),
		.cwnd = 10000,
		.ssthresh = 20000,
	};

	ca_states = 9;
	icsk->icsk_ca_ops = &told;
	chim_restore_congestion(sk, &d);
	icsk->icsk_ca_ops = ops;
	KUNIT_EXPECT_EQ(test, ca_states, 900 + 10 * TCP_CA_Loss + TCP_CA_Open);
}

/* ---- the send queue ----------------------------------------------- */

static u8 byte_at(u32 seq)
{
	return seq * 7 + (seq >> 8) * 3;
}

/* len bytes more have been sent. */
static void queue(struct kunit *test, u32 len)
{
	struct sk_buff *skb = alloc_skb_fclone(MAX_TCP_HEADER + len,
					       GFP_KERNEL);
	struct sock *sk = sock_of(test);
	struct tcp_sock *tp = tcp_sk(sk);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_reserve(skb, MAX_TCP_HEADER);
	INIT_LIST_HEAD(&skb->tcp_tsorted_anchor);
	skb->ip_summed = CHECKSUM_PARTIAL;
	for (i = 0; i < len; i++)
		*(u8 *)skb_put(skb, 1) = byte_at(tp->write_seq + i);
	memset(TCP_SKB_CB(skb), 0, sizeof(*TCP_SKB_CB(skb)));
	TCP_SKB_CB(skb)->seq = tp->write_seq;
	TCP_SKB_CB(skb)->end_seq = tp->write_seq + len;
	__skb_header_release(skb);
	sk_wmem_queued_add(sk, skb->truesize);
	sk_mem_charge(sk, skb->truesize);
	__skb_queue_tail(&sk->sk_write_queue, skb);
	chim_state_rtx_append(sk, skb);
	tp->write_seq += len;
	tp->snd_nxt = tp->write_seq;
}

static void expect_buf(struct kunit *test, const struct sk_buff *skb, u32 from,
		       u32 to)
{
	u32 i, wrong = 0;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	KUNIT_EXPECT_EQ(test, TCP_SKB_CB(skb)->seq, SND(from));
	KUNIT_EXPECT_EQ(test, TCP_SKB_CB(skb)->end_seq, SND(to));
	KUNIT_EXPECT_EQ(test, skb->len, to - from);
	for (i = 0; i < skb->len; i++)
		wrong += skb->data[i] != byte_at(SND(from) + i);
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

/* The retransmit queue, buffer by buffer: their ends; 0 is the end of it. */
static void expect_queue(struct kunit *test, u32 from, const u32 *ends)
{
	struct sock *sk = sock_of(test);
	struct sk_buff *skb = tcp_rtx_queue_head(sk), *sent;
	u32 mem = 0;

	sent = list_first_entry(&tcp_sk(sk)->tsorted_sent_queue,
				struct sk_buff, tcp_tsorted_anchor);
	for (; *ends; from = *ends++) {
		expect_buf(test, skb, from, *ends);
		/* The list in order of time goes with it. */
		KUNIT_EXPECT_PTR_EQ(test, skb, sent);
		mem += skb->truesize;
		sent = list_next_entry(sent, tcp_tsorted_anchor);
		skb = skb_rb_next(skb);
	}
	KUNIT_EXPECT_NULL(test, skb);
	skb_queue_walk(&sk->sk_write_queue, skb)
		mem += skb->truesize;
	KUNIT_EXPECT_EQ(test, sk->sk_wmem_queued, mem);
	KUNIT_EXPECT_EQ(test, sk->sk_forward_alloc, -(int)mem);
}

#define QUEUE(...)	((const u32[]) { __VA_ARGS__, 0 })

static void queue_is_cut(struct kunit *test)
{
	struct sock *sk = sock_of(test);

	queue(test, 1000);
	queue(test, 500);
	queue(test, 700);
	expect_queue(test, 0, QUEUE(1000, 1500, 2200));
	chim_boundary(sk, SND(1200));
	expect_queue(test, 0, QUEUE(1000, 1200, 1500, 2200));
	chim_boundary(sk, SND(1)); /* first byte */
	chim_boundary(sk, SND(2199)); /* last byte */
	expect_queue(test, 0, QUEUE(1, 1000, 1200, 1500, 2199, 2200));
	/* Where there is a boundary, and outside, nothing is cut. */
	chim_boundary(sk, SND(0));
	chim_boundary(sk, SND(1000));
	chim_boundary(sk, SND(2200));
	chim_boundary(sk, SND(-5));
	chim_boundary(sk, SND(9000));
	expect_queue(test, 0, QUEUE(1, 1000, 1200, 1500, 2199, 2200));
}

/* OFS-5 */
static void queue_gives_back_what_was_not_sent(struct kunit *test)
{
	struct sock *sk = sock_of(test);
	struct sk_buff *skb;

	queue(test, 1000);
	queue(test, 500);
	queue(test, 700);
	chim_unpost(sk, SND(1200));
	expect_queue(test, 0, QUEUE(1000, 1200));
	skb = skb_peek(&sk->sk_write_queue);
	expect_buf(test, skb, 1200, 1500);
	expect_buf(test, skb_peek_next(skb, &sk->sk_write_queue), 1500, 2200);
	KUNIT_EXPECT_EQ(test, skb_queue_len(&sk->sk_write_queue), 2);
}

static void queue_gives_back_nothing_or_all(struct kunit *test)
{
	struct sock *sk = sock_of(test);

	queue(test, 1000);
	queue(test, 500);
	chim_unpost(sk, SND(1500));
	KUNIT_EXPECT_TRUE(test, skb_queue_empty(&sk->sk_write_queue));
	chim_unpost(sk, SND(0));
	KUNIT_EXPECT_NULL(test, tcp_rtx_queue_head(sk));
	KUNIT_EXPECT_EQ(test, skb_queue_len(&sk->sk_write_queue), 2);
	expect_buf(test, skb_peek(&sk->sk_write_queue), 0, 1000);
	expect_buf(test, skb_peek_tail(&sk->sk_write_queue), 1000, 1500);
}

static void queue_loses_what_is_acknowledged(struct kunit *test)
{
	struct sock *sk = sock_of(test);

	queue(test, 1000);
	queue(test, 500);
	queue(test, 700);
	chim_trim_acked(sk);
	expect_queue(test, 0, QUEUE(1000, 1500, 2200));
	tcp_sk(sk)->snd_una = SND(999);
	chim_trim_acked(sk);
	expect_queue(test, 999, QUEUE(1000, 1500, 2200));
	tcp_sk(sk)->snd_una = SND(1500);
	chim_trim_acked(sk);
	expect_queue(test, 1500, QUEUE(2200));
	tcp_sk(sk)->snd_una = SND(2200);
	chim_trim_acked(sk);
	KUNIT_EXPECT_NULL(test, tcp_rtx_queue_head(sk));
	KUNIT_EXPECT_EQ(test, sk->sk_wmem_queued, 0);
}

struct count_case {
	const char *desc;
	u8 in_recovery;
	u32 nxt;
	u32 out;	/* segments in flight, lost, sent again */
	u32 lost;
	u32 retrans;
};

/* 3500 + 400 + 1000 bytes in flight, segments of 1000 */
static const struct count_case count_cases[] = {
	{ "nothing lost", 0, 4900, 6, 0, 0 },
	{ "fast recovery: the first is lost", 1, 4900, 6, 1, 1 },
	{ "timeout, none resent yet", 1, 0, 6, 6, 0 },
	{ "timeout, one resent", 1, 1000, 6, 6, 1 },
	{ "timeout, resent to a buffer's end", 1, 3500, 6, 6, 4 },
	{ "timeout, resent into a segment", 1, 1500, 6, 6, 2 },
};

static void count_desc(const struct count_case *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(count, count_cases, count_desc);

static void queue_is_counted(struct kunit *test)
{
	const struct count_case *p = test->param_value;
	struct sock *sk = sock_of(test);
	struct tcp_sock *tp = tcp_sk(sk);
	struct chim_delegated d = {
		.in_recovery = p->in_recovery,
		.snd_una = SND(0),
		.snd_nxt = SND(p->nxt),
		.snd_max = SND(4900),
	};
	u32 out, lost, retrans;
	struct sk_buff *skb;

	queue(test, 3500);
	queue(test, 400);
	queue(test, 1000);
	chim_count_rtx(sk, &d);
	out = tp->packets_out;
	lost = tp->lost_out;
	retrans = tp->retrans_out;
	/* What was resent is where the save finds it again. */
	inet_csk(sk)->icsk_ca_state = p->in_recovery && p->nxt != 4900 ?
				      TCP_CA_Loss : TCP_CA_Open;
	KUNIT_EXPECT_EQ(test, chim_save_snd_nxt(sk), SND(p->nxt));
	inet_csk(sk)->icsk_ca_state = TCP_CA_Open;
	/* RT3: their time is not when they were sent. */
	skb_rbtree_walk(skb, &sk->tcp_rtx_queue)
		KUNIT_EXPECT_TRUE(test, TCP_SKB_CB(skb)->sacked &
				  TCPCB_REPAIRED);
	tp->packets_out = 0;
	tp->lost_out = 0;
	tp->retrans_out = 0;
	KUNIT_EXPECT_EQ(test, out, p->out);
	KUNIT_EXPECT_EQ(test, lost, p->lost);
	KUNIT_EXPECT_EQ(test, retrans, p->retrans);
}

/* While the NIC runs a connection the host's timers and segments are inert. */
static void shield_makes_inert(struct kunit *test)
{
	struct sock *sk = sock_of(test);
	struct tcp_sock *tp = tcp_sk(sk);

	queue(test, 3500);
	tp->rcv_nxt = 5000;
	tp->lost_out = 3;
	tp->retrans_out = 2;
	inet_csk(sk)->icsk_retransmits = 2;
	inet_csk(sk)->icsk_mtup.probe_size = 1;
	inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, 10 * HZ, TCP_RTO_MAX);
	ka_setup(sk, 0, 10 * HZ);
	chim_state_shield(sk);
	KUNIT_EXPECT_EQ(test, inet_csk(sk)->icsk_pending, 0);
	KUNIT_EXPECT_FALSE(test,
			   timer_pending(&inet_csk(sk)->icsk_retransmit_timer));
	KUNIT_EXPECT_FALSE(test, timer_pending(chim_keepalive_timer(sk)));
	KUNIT_EXPECT_EQ(test, tp->snd_wnd, 0);
	KUNIT_EXPECT_EQ(test, tp->packets_out, 1);
	KUNIT_EXPECT_EQ(test, tp->lost_out, 0);
	KUNIT_EXPECT_EQ(test, tp->retrans_out, 0);
	KUNIT_EXPECT_EQ(test, inet_csk(sk)->icsk_retransmits, 0);
	KUNIT_EXPECT_FALSE(test, inet_csk(sk)->icsk_mtup.probe_size);
	KUNIT_EXPECT_TRUE(test, after(tp->rcv_wup, tp->rcv_nxt + (1 << 28)));
	tp->packets_out = 0;
}

/* Whatever a restore sets: it must not rely on what a save has left. */
static void spoil(struct sock *sk)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	struct tcp_sock *tp = tcp_sk(sk);
	u32 *values[] = {
		&tp->rcv_wup, &tp->rcv_wnd, &tp->rcv_ssthresh,
		&tp->snd_nxt, &tp->snd_sml, &tp->snd_wnd, &tp->snd_wl1,
		&tp->max_window, &tp->rx_opt.ts_recent,
		&tp->packets_out, &tp->lost_out, &tp->retrans_out,
		&tp->sacked_out,
		&tp->snd_cwnd, &tp->snd_cwnd_cnt, &tp->snd_cwnd_stamp,
		&tp->snd_ssthresh, &tp->prior_cwnd, &tp->prior_ssthresh,
		&tp->high_seq, &tp->undo_marker,
		&tp->prr_delivered, &tp->prr_out,
		&tp->srtt_us, &tp->mdev_us, &tp->mdev_max_us, &tp->rttvar_us,
		&tp->rtt_seq, &tp->retrans_stamp,
		&icsk->icsk_rto, &icsk->icsk_probes_tstamp,
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(values); i++)
		*values[i] = 1;
	tp->rx_opt.ts_recent_stamp = 1;
	tp->ecn_flags ^= TCP_ECN_DEMAND_CWR;
	tp->undo_retrans = 1;
	tp->frto = 1;
	tp->rcv_tstamp = tcp_jiffies32;
	icsk->icsk_ack.lrcvtime = tcp_jiffies32;
	icsk->icsk_ca_state = TCP_CA_CWR;
	icsk->icsk_retransmits = 77;
	icsk->icsk_backoff = 77;
	icsk->icsk_probes_out = 77;
	icsk->icsk_mtup.enabled = 0;
	set_bit(TSQ_THROTTLED, &sk->sk_tsq_flags);
}

/* What a restore sets and a save does not look at; four segments are lost. */
static void expect_restored(struct kunit *test)
{
	struct sock *sk = sock_of(test);
	struct inet_connection_sock *icsk = inet_csk(sk);
	struct tcp_sock *tp = tcp_sk(sk);

	KUNIT_EXPECT_EQ(test, tp->rcv_ssthresh, tp->rcv_wnd);
	KUNIT_EXPECT_EQ(test, tp->snd_sml, tp->snd_una);
	KUNIT_EXPECT_EQ(test, tp->packets_out, 4);
	KUNIT_EXPECT_EQ(test, tp->lost_out, 4);
	KUNIT_EXPECT_EQ(test, tp->retrans_out, 0);
	KUNIT_EXPECT_EQ(test, tp->sacked_out, 0);
	KUNIT_EXPECT_EQ(test, tp->snd_cwnd_cnt, 0);
	KUNIT_EXPECT_NE(test, tp->snd_cwnd_stamp, 1);
	KUNIT_EXPECT_EQ(test, tp->prior_cwnd, tcp_snd_cwnd(tp));
	KUNIT_EXPECT_EQ(test, tp->prior_ssthresh, 0);
	KUNIT_EXPECT_EQ(test, tp->high_seq, tp->snd_nxt);
	KUNIT_EXPECT_EQ(test, tp->undo_marker, 0);
	KUNIT_EXPECT_EQ(test, tp->undo_retrans, -1);
	KUNIT_EXPECT_FALSE(test, tp->frto);
	KUNIT_EXPECT_EQ(test, tp->prr_delivered, 0);
	KUNIT_EXPECT_EQ(test, tp->prr_out, 0);
	KUNIT_EXPECT_EQ(test, tp->mdev_us, tp->rttvar_us);
	KUNIT_EXPECT_EQ(test, tp->mdev_max_us, tp->rttvar_us);
	KUNIT_EXPECT_EQ(test, tp->rtt_seq, tp->snd_nxt);
	KUNIT_EXPECT_EQ(test, tp->rcv_tstamp, icsk->icsk_ack.lrcvtime);
	KUNIT_EXPECT_EQ(test, icsk->icsk_rto, msecs_to_jiffies(2400));
	KUNIT_EXPECT_EQ(test, icsk->icsk_probes_out, 0);
	KUNIT_EXPECT_EQ(test, icsk->icsk_probes_tstamp, 0);
	KUNIT_EXPECT_TRUE(test, icsk->icsk_mtup.enabled);
	KUNIT_EXPECT_FALSE(test, test_bit(TSQ_THROTTLED, &sk->sk_tsq_flags));
}

/* Down and up with nothing in between: the next events are the same. */
static void socket_there_and_back(struct kunit *test)
{
	struct sock *sk = sock_of(test);
	struct inet_connection_sock *icsk = inet_csk(sk);
	struct tcp_sock *tp = tcp_sk(sk);
	u32 sent = tcp_jiffies32 - 3600 * HZ;
	unsigned long start = jiffies;
	struct chim_conn conn = { .mtup_enabled = true };
	struct chim_state a, b;

	queue(test, 3500);
	tp->snd_una = SND(100);
	chim_trim_acked(sk);
	tp->packets_out = 4;
	tp->rcv_nxt = 0xfffffffe;
	tp->rcv_wup = 0xfffffff0;
	tp->rcv_wnd = 30000;
	tp->window_clamp = 60000;
	tp->snd_wl1 = 0xfffffff8;
	tp->max_window = 40000;
	tp->rx_opt.ts_recent = 0x13572468;
	tp->rx_opt.ts_recent_stamp = 1234;
	tp->ecn_flags = TCP_ECN_OK | TCP_ECN_DEMAND_CWR;
	tcp_snd_cwnd_set(tp, 7);
	tp->snd_ssthresh = 9;
	icsk->icsk_ca_state = TCP_CA_Loss;
	icsk->icsk_retransmits = 2;
	icsk->icsk_backoff = 2;
	icsk->icsk_rto = msecs_to_jiffies(2400);
	tp->retrans_stamp = (u32)(tcp_clock_ms() - 5000);
	ka_setup(sk, 5 * HZ, 15 * HZ);
	inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, 2 * HZ, TCP_RTO_MAX);
	tp->lsndtime = sent;

	chim_state_save(sk, &a);
	chim_state_shield(sk);
	spoil(sk);
	chim_state_restore(sk, &a, &conn);
	chim_state_save(sk, &b);
	expect_restored(test);
	tp->packets_out = 0;

	KUNIT_EXPECT_EQ(test, memcmp(&a.constant, &b.constant,
				     sizeof(a.constant)), 0);
	KUNIT_EXPECT_EQ(test, memcmp(&a.cached, &b.cached, sizeof(a.cached)),
			0);
	/* Deadlines do not move but for the jiffies that pass on the way. */
	expect_jiffies(test, chim_to_jiffies(b.delegated.keepalive),
		       chim_to_jiffies(a.delegated.keepalive), start);
	expect_jiffies(test, chim_to_jiffies(b.delegated.retransmit),
		       chim_to_jiffies(a.delegated.retransmit), start);
	KUNIT_EXPECT_GE(test, a.delegated.total_rt, 5000 * NSEC_PER_MSEC);
	KUNIT_EXPECT_GE(test, b.delegated.total_rt, a.delegated.total_rt);
	KUNIT_EXPECT_LT(test, b.delegated.total_rt,
			a.delegated.total_rt + NSEC_PER_SEC);
	b.delegated.total_rt = a.delegated.total_rt;
	b.delegated.keepalive = a.delegated.keepalive;
	b.delegated.retransmit = a.delegated.retransmit;
	/* Of use in recovery only */
	b.delegated.recover = a.delegated.recover;
	KUNIT_EXPECT_EQ(test, memcmp(&a.delegated, &b.delegated,
				     sizeof(a.delegated)), 0);
	KUNIT_EXPECT_EQ(test, b.delegated.snd_una, SND(100));
	KUNIT_EXPECT_EQ(test, b.delegated.snd_max, SND(3500));
	KUNIT_EXPECT_EQ(test, b.delegated.send_data, 3400);
	KUNIT_EXPECT_EQ(test, b.delegated.rcv_wnd, 30000 - 14);
	KUNIT_EXPECT_EQ(test, b.delegated.cwnd, 7000);
	KUNIT_EXPECT_EQ(test, b.delegated.rtx_count, 2);
	KUNIT_EXPECT_EQ(test, b.delegated.backoff, 2);
	KUNIT_EXPECT_EQ(test, b.delegated.ecn,
			TCP_ECN_OK | TCP_ECN_DEMAND_CWR);
	/* RFC 5681 4.1: a connection that was idle has been so. */
	KUNIT_EXPECT_EQ(test, tp->lsndtime, sent);
}

/* RFC 3168 6.1.3: the NIC has seen the peer's CWR. */
static void echo_that_ended_stays_so(struct kunit *test)
{
	struct tcp_sock *tp = tcp_sk(sock_of(test));
	struct chim_conn conn = {};
	struct chim_state st;

	tp->ecn_flags = TCP_ECN_OK | TCP_ECN_DEMAND_CWR;
	chim_state_save(sock_of(test), &st);
	st.delegated.ecn = TCP_ECN_OK;
	chim_state_restore(sock_of(test), &st, &conn);
	KUNIT_EXPECT_EQ(test, tp->ecn_flags, TCP_ECN_OK);
}

/* The NIC has received so many segments of len bytes, which cost much. */
static void receive(struct kunit *test, u32 n, u32 len, u32 room)
{
	struct chim_indication ind = {
		.snd_una = ISS, .snd_max = ISS,
		.state = CHIMNEY_TCP_STATE_ESTABLISHED,
	};
	struct sock *sk = sock_of(test);
	u32 seq = tcp_sk(sk)->rcv_nxt;
	struct chim_conn conn = {};

	__skb_queue_head_init(&ind.data);
	for (; n; n--, seq += len) {
		struct sk_buff *skb = alloc_skb(room, GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, skb);
		skb_reserve(skb, skb_tailroom(skb) - len);
		skb_put_zero(skb, len);
		*skb->data = seq;
		TCP_SKB_CB(skb)->seq = seq;
		TCP_SKB_CB(skb)->end_seq = seq + len;
		TCP_SKB_CB(skb)->tcp_flags = 0;
		TCP_SKB_CB(skb)->has_rxtstamp = 0;
		__skb_queue_tail(&ind.data, skb);
	}
	chim_data_apply(sk, &conn, &ind);
}

/* What was on offer is taken, whatever it costs, also by a buffer that is not
 * to grow.
 */
static void small_segments_fit(struct kunit *test)
{
	struct sock *sk = sock_of(test);
	u32 first = tcp_sk(sk)->rcv_nxt, at, i = 0;
	struct sk_buff *skb;

	sk->sk_userlocks |= SOCK_RCVBUF_LOCK;
	KUNIT_ASSERT_GE(test, tcp_space(sk), 60000);
	receive(test, 600, 100, 100);
	KUNIT_EXPECT_LE(test, atomic_read(&sk->sk_rmem_alloc), sk->sk_rcvbuf);
	skb_queue_walk(&sk->sk_receive_queue, skb) {
		KUNIT_EXPECT_EQ(test, TCP_SKB_CB(skb)->seq, first + 100 * i);
		for (at = 0; at < skb->len; at += 100, i++)
			KUNIT_EXPECT_EQ(test, skb->data[at],
					(u8)(first + 100 * i));
		KUNIT_EXPECT_EQ(test, TCP_SKB_CB(skb)->end_seq,
				first + 100 * i);
	}
	KUNIT_EXPECT_EQ(test, i, 600);
}

static void buffer_grows_with_what_it_takes(struct kunit *test)
{
	struct sock *sk = sock_of(test);

	receive(test, 60, 1000, 8000);
	KUNIT_EXPECT_GT(test, atomic_read(&sk->sk_rmem_alloc), 60 * 8000);
	KUNIT_EXPECT_LE(test, atomic_read(&sk->sk_rmem_alloc), sk->sk_rcvbuf);
}

/* The peer's FIN came while ours had not got to the NIC yet. */
static void both_close_before_the_nic_knows(struct kunit *test)
{
	struct chim_indication ind = {
		.snd_una = ISS, .snd_max = ISS,
		.state = CHIMNEY_TCP_STATE_CLOSE_WAIT,
	};
	struct sk_buff *fin = alloc_skb(0, GFP_KERNEL);
	struct sock *sk = sock_of(test);
	struct chim_conn conn = {};

	KUNIT_ASSERT_NOT_NULL(test, fin);
	TCP_SKB_CB(fin)->seq = tcp_sk(sk)->rcv_nxt;
	TCP_SKB_CB(fin)->end_seq = tcp_sk(sk)->rcv_nxt + 1;
	TCP_SKB_CB(fin)->tcp_flags = TCPHDR_FIN;
	TCP_SKB_CB(fin)->has_rxtstamp = 0;
	__skb_queue_head_init(&ind.data);
	__skb_queue_tail(&ind.data, fin);
	sk->sk_state = TCP_FIN_WAIT1;
	chim_data_apply(sk, &conn, &ind);
	KUNIT_EXPECT_EQ(test, sk->sk_state, TCP_CLOSING);
}

/* Else an RTO is too small for good: the host raises only what grows. */
static void rto_minimum_is_kept(struct kunit *test)
{
	struct chim_delegated d = {
		.srtt_us = 1600000, .rttvar_us = 1000, .cwnd = 10 * MSS,
	};
	struct inet_connection_sock *icsk = inet_csk(sock_of(test));

	icsk->icsk_rto_min = HZ;
	chim_restore_congestion(sock_of(test), &d);
	KUNIT_EXPECT_EQ(test, icsk->icsk_rto, HZ / 5 + HZ);
}

static struct kunit_case host_state_cases[] = {
	KUNIT_CASE(jiffies_there_and_back),
	KUNIT_CASE(jiffies_are_true),
	KUNIT_CASE(jiffies_are_rounded_up),
	KUNIT_CASE(jiffies_before_the_tie),
	KUNIT_CASE(jiffies_left),
	KUNIT_CASE(states_there_and_back),
	KUNIT_CASE(ka_is_saved),
	KUNIT_CASE(ka_idle_for_weeks),
	KUNIT_CASE(ka_lazy_timer_is_corrected),
	KUNIT_CASE(ka_probes_are_saved),
	KUNIT_CASE(ka_probes_need_an_idle_connection),
	KUNIT_CASE(ka_not_running_is_saved),
	KUNIT_CASE_PARAM(ka_is_restored, ka_restore_gen_params),
	KUNIT_CASE(ka_not_running_is_restored),
	KUNIT_CASE(ka_does_not_drift),
	KUNIT_CASE_PARAM(rtx_is_saved, rtx_save_gen_params),
	KUNIT_CASE(rtx_total_is_saved),
	KUNIT_CASE_PARAM(rtx_is_restored, rtx_restore_gen_params),
	KUNIT_CASE(rtx_total_is_restored),
	KUNIT_CASE_PARAM(congestion_is_restored, cc_gen_params),
	KUNIT_CASE(congestion_begins_anew),
	KUNIT_CASE(queue_is_cut),
	KUNIT_CASE(queue_gives_back_what_was_not_sent),
	KUNIT_CASE(queue_gives_back_nothing_or_all),
	KUNIT_CASE(queue_loses_what_is_acknowledged),
	KUNIT_CASE_PARAM(queue_is_counted, count_gen_params),
	KUNIT_CASE(shield_makes_inert),
	KUNIT_CASE(socket_there_and_back),
	KUNIT_CASE(echo_that_ended_stays_so),
	KUNIT_CASE(small_segments_fit),
	KUNIT_CASE(buffer_grows_with_what_it_takes),
	KUNIT_CASE(both_close_before_the_nic_knows),
	KUNIT_CASE(rto_minimum_is_kept),
	{}
};

static struct kunit_suite host_state_suite = {
	.name = "chimney_host_state",
	.init = state_init,
	.exit = state_exit,
	.test_cases = host_state_cases,
};

kunit_test_suite(host_state_suite);
