// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: the state block goes into the NIC and comes out again.
 * Part of nic_conn.c.
 */
#include "nic_test.h"

/* Every member differs from every other, and from what zeroed memory is. */
static void fill(struct chim_state *st)
{
	struct chim_delegated *d = &st->delegated;
	struct chim_const *k = &st->constant;
	ktime_t now = ktime_get();

	memset(st, 0, sizeof(*st));
	ipv6_addr_set_v4mapped(htonl(0xc0000201), &k->laddr);
	ipv6_addr_set_v4mapped(htonl(0xc0000202), &k->raddr);
	k->lport = htons(1234);
	k->rport = htons(4321);
	k->family = AF_INET;
	k->flags = CHIMNEY_CONST_FLAG_TIMESTAMP | CHIMNEY_CONST_FLAG_SACK |
		   CHIMNEY_CONST_FLAG_WINDOW_SCALING;
	k->snd_wscale = 7;
	k->rcv_wscale = 9;
	k->remote_mss = 1441;
	k->hash = 0x12345678;
	k->tsoffset = 0x9abcdef0;

	st->cached.flags = CHIMNEY_CACHED_FLAG_KEEP_ALIVE;
	st->cached.ka_probe_count = 5;
	st->cached.ttl = 63;
	st->cached.tos = 0x10;
	st->cached.user_priority = 3;
	st->cached.ka_timeout = 20001;
	st->cached.ka_interval = 5003;
	st->cached.max_rt = 30011;
	st->cached.initial_rcv_wnd = 65537;
	st->cached.rcv_indication_size = 99;
	st->cached.flow_label = htonl(0x12345);

	d->state = CHIMNEY_TCP_STATE_CLOSE_WAIT;
	d->ecn = TCP_ECN_OK;
	d->dup_ack_count = 2;
	d->snd_wnd_probe_count = 6;
	d->ka_probe_count = 4;
	d->rtx_count = 3;
	d->backoff = 8;
	d->in_recovery = 1;
	d->flags = 0xa5;
	d->rcv_nxt = 0xfffffff0;
	d->rcv_wnd = 0x1000;
	d->snd_una = 0xffffff00;
	d->snd_nxt = 0x00000100;
	d->snd_max = 0x00000800;
	d->snd_wnd = 0x3000;
	d->max_snd_wnd = 0x4000;
	d->snd_wl1 = 0xffffffe0;
	d->cwnd = 14411;
	d->ssthresh = 28823;
	d->recover = 0x00000700;
	d->srtt_us = 1600000;
	d->rttvar_us = 400000;
	d->ts_recent = 0x13572468;
	d->ts_recent_age = ktime_sub_ms(now, 9000);
	d->dwnd = 77;
	d->total_rt = 1500 * NSEC_PER_MSEC;
	d->keepalive = ktime_add_ms(now, 11000);
	d->ka_base = ktime_sub_ms(now, 12000);
	d->retransmit = ktime_add_ms(now, 13000);
	d->override = ktime_add_ms(now, 14000);
}

static void key_of_test(struct kunit *test, const struct chim_const *k)
{
	struct nic_test *t = test->priv;

	nic_key_of(&t->c.key, &t->cd, k);
}

static void state_there_and_back(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct chim_state in, out = {};
	const struct chim_delegated *a = &in.delegated, *b = &out.delegated;
	ktime_t before, after;

	fill(&in);
	key_of_test(test, &in.constant);
	before = ktime_get();
	nic_load(c, &in);
	nic_store(c, &out);
	after = ktime_get();

	KUNIT_EXPECT_EQ(test, memcmp(&in.constant, &out.constant,
				     sizeof(in.constant)), 0);
	KUNIT_EXPECT_EQ(test, memcmp(&in.cached, &out.cached,
				     sizeof(in.cached)), 0);
	KUNIT_EXPECT_EQ(test, b->state, a->state);
	KUNIT_EXPECT_EQ(test, b->ecn, a->ecn);
	KUNIT_EXPECT_EQ(test, b->dup_ack_count, a->dup_ack_count);
	KUNIT_EXPECT_EQ(test, b->snd_wnd_probe_count, a->snd_wnd_probe_count);
	KUNIT_EXPECT_EQ(test, b->ka_probe_count, a->ka_probe_count);
	KUNIT_EXPECT_EQ(test, b->rtx_count, a->rtx_count);
	KUNIT_EXPECT_EQ(test, b->backoff, a->backoff);
	KUNIT_EXPECT_EQ(test, b->in_recovery, a->in_recovery);
	KUNIT_EXPECT_EQ(test, b->flags, a->flags); /* TCD-3 */
	KUNIT_EXPECT_EQ(test, b->rcv_nxt, a->rcv_nxt);
	KUNIT_EXPECT_EQ(test, b->rcv_wnd, a->rcv_wnd);
	KUNIT_EXPECT_EQ(test, b->snd_una, a->snd_una);
	KUNIT_EXPECT_EQ(test, b->snd_nxt, a->snd_nxt);
	KUNIT_EXPECT_EQ(test, b->snd_max, a->snd_max);
	KUNIT_EXPECT_EQ(test, b->snd_wnd, a->snd_wnd);
	KUNIT_EXPECT_EQ(test, b->max_snd_wnd, a->max_snd_wnd);
	KUNIT_EXPECT_EQ(test, b->snd_wl1, a->snd_wl1);
	KUNIT_EXPECT_EQ(test, b->cwnd, a->cwnd);
	KUNIT_EXPECT_EQ(test, b->ssthresh, a->ssthresh);
	KUNIT_EXPECT_EQ(test, b->recover, a->recover);
	KUNIT_EXPECT_EQ(test, b->srtt_us, a->srtt_us);
	KUNIT_EXPECT_EQ(test, b->rttvar_us, a->rttvar_us);
	KUNIT_EXPECT_EQ(test, b->ts_recent, a->ts_recent);
	KUNIT_EXPECT_EQ(test, b->ts_recent_age, a->ts_recent_age);
	KUNIT_EXPECT_EQ(test, b->dwnd, a->dwnd); /* BLD-10 */
	KUNIT_EXPECT_EQ(test, b->keepalive, a->keepalive); /* KA-5, KA-8 */
	KUNIT_EXPECT_EQ(test, b->ka_base, a->ka_base);
	KUNIT_EXPECT_EQ(test, b->retransmit, a->retransmit); /* RTX-4 */
	KUNIT_EXPECT_EQ(test, b->override, a->override);
	/* The only one that goes on counting */
	KUNIT_EXPECT_GE(test, b->total_rt, a->total_rt);
	KUNIT_EXPECT_LE(test, b->total_rt, a->total_rt +
			ktime_to_ns(ktime_sub(after, before)));
}

/* A thousand hand-overs add nothing to a deadline. */
static void state_does_not_drift(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct chim_state st, was;
	int i;

	fill(&st);
	was = st;
	key_of_test(test, &st.constant);
	for (i = 0; i < 1000; i++) {
		nic_load(c, &st);
		nic_store(c, &st);
	}
	KUNIT_EXPECT_EQ(test, st.delegated.keepalive, was.delegated.keepalive);
	KUNIT_EXPECT_EQ(test, st.delegated.retransmit,
			was.delegated.retransmit);
	KUNIT_EXPECT_EQ(test, st.delegated.ka_base, was.delegated.ka_base);
	KUNIT_EXPECT_EQ(test, st.delegated.ts_recent_age,
			was.delegated.ts_recent_age);
}

/* TMR-3: not running stays so, due stays due. */
static void state_of_timers(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct chim_state st;

	fill(&st);
	st.delegated.keepalive = CHIM_IDLE;
	st.delegated.retransmit = CHIM_IDLE;
	st.delegated.override = CHIM_IDLE;
	st.delegated.total_rt = 0;
	nic_load(c, &st);
	nic_store(c, &st);
	KUNIT_EXPECT_EQ(test, st.delegated.keepalive, CHIM_IDLE);
	KUNIT_EXPECT_EQ(test, st.delegated.retransmit, CHIM_IDLE);
	KUNIT_EXPECT_EQ(test, st.delegated.override, CHIM_IDLE);
	KUNIT_EXPECT_EQ(test, st.delegated.total_rt, 0); /* BLD-7 */

	st.delegated.keepalive = 1;
	nic_load(c, &st);
	nic_store(c, &st);
	KUNIT_EXPECT_EQ(test, st.delegated.keepalive, 1);
}

/* TCC-3: scales count only if they were negotiated. */
static void state_without_scaling(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct chim_state st;

	fill(&st);
	st.constant.flags = 0;
	nic_load(c, &st);
	KUNIT_EXPECT_EQ(test, c->snd_wscale, 0);
	KUNIT_EXPECT_EQ(test, c->rcv_wscale, 0);
}

struct persist_case {
	const char *desc;
	u32 snd_wnd;
	bool running;
	u8 state;
	bool want;
};

static const struct persist_case persist_cases[] = {
	{ "RTX-10 window open: retransmit", 1, true,
	  CHIMNEY_TCP_STATE_ESTABLISHED, false },
	{ "RTX-10 window closed: persist", 0, true,
	  CHIMNEY_TCP_STATE_ESTABLISHED, true },
	{ "RTX-10 window closed, FIN sent", 0, true,
	  CHIMNEY_TCP_STATE_FIN_WAIT1, true },
	{ "RTX-10 FIN_WAIT_2 has its own", 0, true,
	  CHIMNEY_TCP_STATE_FIN_WAIT2, false },
	{ "window closed, nothing runs", 0, false,
	  CHIMNEY_TCP_STATE_ESTABLISHED, false },
};

static void persist_desc(const struct persist_case *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(persist, persist_cases, persist_desc);

static void state_says_which_timer_it_is(struct kunit *test)
{
	const struct persist_case *p = test->param_value;
	struct nic_conn *c = nic_test_conn(test);
	struct chim_state st;

	fill(&st);
	st.delegated.snd_wnd = p->snd_wnd;
	st.delegated.state = p->state;
	if (!p->running)
		st.delegated.retransmit = CHIM_IDLE;
	nic_load(c, &st);
	KUNIT_EXPECT_EQ(test, !!(c->flags & NIC_PERSIST), p->want);
}

/* KA-10, UPL: what ends a connection closes it, what does not leaves it. */
static void upload_closes_only_what_has_ended(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	c->t_ka = NIC_TEST_T0;
	c->t_rtx = NIC_TEST_T0;
	c->t_ack = NIC_TEST_T0;
	c->t_sws = NIC_TEST_T0;
	chim_nic_ask_upload(c, CHIMNEY_REASON_RECEIVED_URGENT_DATA);
	KUNIT_EXPECT_EQ(test, c->state, CHIMNEY_TCP_STATE_ESTABLISHED);
	KUNIT_EXPECT_EQ(test, c->t_ka, NIC_TEST_T0);
	KUNIT_EXPECT_EQ(test, c->t_rtx, CHIM_IDLE);
	KUNIT_EXPECT_EQ(test, c->t_ack, CHIM_IDLE);
	KUNIT_EXPECT_EQ(test, c->t_sws, CHIM_IDLE);
	/* The first reason stands. */
	chim_nic_ask_upload(c, CHIMNEY_REASON_ABORT);
	KUNIT_EXPECT_EQ(test, c->reason, CHIMNEY_REASON_RECEIVED_URGENT_DATA);
	KUNIT_EXPECT_EQ(test, c->state, CHIMNEY_TCP_STATE_ESTABLISHED);

	c->reason = 0;
	chim_nic_ask_upload(c, CHIMNEY_REASON_ABORT);
	KUNIT_EXPECT_EQ(test, c->state, CHIMNEY_TCP_STATE_CLOSED);
	KUNIT_EXPECT_EQ(test, c->t_ka, CHIM_IDLE);
}

/* A segment as the host passes it on, data at its TCP header */
static struct sk_buff *segment(struct kunit *test, u32 ack, u32 len)
{
	struct tcphdr *th;
	struct sk_buff *skb;

	skb = alloc_skb(sizeof(struct iphdr) + sizeof(*th) + len, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb->protocol = htons(ETH_P_IP);
	skb_reset_network_header(skb);
	skb_put_zero(skb, sizeof(struct iphdr));
	__skb_pull(skb, sizeof(struct iphdr));
	skb_reset_transport_header(skb);
	th = skb_put_zero(skb, sizeof(*th) + len);
	th->seq = htonl(NIC_TEST_IRS);
	th->ack_seq = htonl(ack);
	th->window = htons(NIC_TEST_WND);
	th->ack = 1;
	th->doff = sizeof(*th) / 4;
	return skb;
}

/* The connection is handed over as it stands, with what was posted. */
static void start(struct kunit *test, bool ack_owed)
{
	struct nic_conn *c = nic_test_conn(test);
	struct rb_root ooo = RB_ROOT;
	struct sk_buff_head sends;
	struct chim_state st = {};
	struct sk_buff *skb;

	nic_store(c, &st);
	key_of_test(test, &st.constant);
	__skb_queue_head_init(&sends);
	while ((skb = nic_queue_pop(&c->txq)))
		__skb_queue_tail(&sends, skb);
	c->flags = NIC_HOLD;
	nic_start(c, &st, &sends, &ooo, NIC_TEST_IRS + NIC_TEST_WND, ack_owed);
}

/* OFL: what came between initiate and start is the first that is seen. */
static void start_takes_what_was_held(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	chim_nic_hold(c, segment(test, NIC_TEST_ISS, 10));
	KUNIT_EXPECT_EQ(test, c->rcv_nxt, NIC_TEST_IRS);
	start(test, false);
	KUNIT_EXPECT_EQ(test, c->rcv_nxt, NIC_TEST_IRS + 10);
	KUNIT_EXPECT_NOT_NULL(test, c->rxq.tail);
}

static void start_pays_the_ack_owed(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	start(test, false);
	KUNIT_EXPECT_EQ(test, c->stats.segs_out, 0);
	start(test, true);
	KUNIT_EXPECT_EQ(test, c->stats.segs_out, 1);
}

/* RFC 2525 2.12: also what the host had no timer for */
static void start_times_what_is_in_flight(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	nic_test_flight(test, 1000);
	start(test, false);
	KUNIT_EXPECT_FALSE(test, c->flags & NIC_PERSIST);
	KUNIT_EXPECT_NE(test, c->t_rtx, CHIM_IDLE);
	c->t_rtx = CHIM_IDLE;
	c->snd_wnd = 0;
	start(test, false);
	KUNIT_EXPECT_TRUE(test, c->flags & NIC_PERSIST);
	KUNIT_EXPECT_NE(test, c->t_rtx, CHIM_IDLE);
	KUNIT_EXPECT_EQ(test, c->stats.segs_out, 0);
}

static void terminate_returns_what_is_held(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct sk_buff *skb = segment(test, NIC_TEST_ISS, 10);
	/* Tests may run before chim_nic_init(). */
	bool no_table = !rcu_access_pointer(nic_table.tbl);
	struct chim_indication ind;
	struct chim_state st = {};
	struct sk_buff_head held;

	chim_nic_hold(c, skb);
	if (no_table)
		KUNIT_ASSERT_EQ(test, rhashtable_init(&nic_table,
						      &nic_table_params), 0);
	nic_terminate(c, &st, &ind, &held);
	if (no_table)
		rhashtable_destroy(&nic_table);
	KUNIT_EXPECT_EQ(test, skb_queue_len(&held), 1);
	KUNIT_EXPECT_PTR_EQ(test, skb_peek(&held), skb);
	__skb_queue_purge(&held);
}

/* FRG-1: what may be cut is taken, what was cut is not. */
static void fragments_go_the_slow_path(struct kunit *test)
{
	struct sk_buff *skb = segment(test, NIC_TEST_ISS, 0);
	static const struct {
		u16 frag_off;
		int want;
	} cases[] = {
		{ 0, sizeof(struct iphdr) },
		{ IP_DF, sizeof(struct iphdr) },
		{ IP_MF, 0 },
		{ 185, 0 },
		{ IP_MF | 185, 0 },
	};
	struct nic_key key;
	struct iphdr *ip;
	u32 len, i;

	__skb_push(skb, sizeof(*ip));
	ip = ip_hdr(skb);
	ip->version = 4;
	ip->ihl = 5;
	ip->protocol = IPPROTO_TCP;
	ip->tot_len = htons(skb->len);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		ip->frag_off = htons(cases[i].frag_off);
		ip_send_check(ip);
		KUNIT_EXPECT_EQ_MSG(test, nic_parse_ip(skb, &key, &len),
				    cases[i].want, "%x", cases[i].frag_off);
	}
	kfree_skb(skb);
}

/* TCA-5: told of, though it has not doubled */
static void update_announces_the_window(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct chim_cached cached = c->cached;

	c->rcv_adv = c->rcv_nxt + 10000;
	cached.initial_rcv_wnd = 14000;
	nic_update(c, &cached, 0);
	nic_credit(c, c->rcv_nxt + 14000);
	KUNIT_EXPECT_EQ(test, c->stats.segs_out, 0);
	nic_update(c, &cached, CHIMNEY_CACHED_FLAG_UPDATE_RCV_WND);
	nic_credit(c, c->rcv_nxt + 14000);
	KUNIT_EXPECT_EQ(test, c->stats.segs_out, 1);
	KUNIT_EXPECT_EQ(test, c->rcv_adv - c->rcv_nxt, 14000);
}

/* What is to go out at once is held by nothing, also if it was posted before;
 * what comes after it is.
 */
static void flush_overrides_the_cork(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	c->cached.flags |= CHIM_CACHED_CORK | CHIMNEY_CACHED_FLAG_NAGLING;
	nic_test_post(test, 10);
	nic_push(c, false);
	KUNIT_EXPECT_EQ(test, c->snd_nxt, NIC_TEST_ISS);
	nic_push(c, true);
	KUNIT_EXPECT_EQ(test, c->snd_nxt, NIC_TEST_ISS + 10);
	nic_test_post(test, 10);
	nic_push(c, false);
	KUNIT_EXPECT_EQ(test, c->snd_nxt, NIC_TEST_ISS + 10);
}

/* MSG_MORE under a cork ends with the cork. */
static void uncork_ends_more(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct chim_cached cached = c->cached;

	c->cached.flags |= CHIM_CACHED_CORK;
	nic_test_post(test, 10);
	c->push_seq = c->snd_una;
	nic_push(c, false);
	KUNIT_EXPECT_EQ(test, c->snd_nxt, NIC_TEST_ISS);
	nic_update(c, &cached, 0);
	KUNIT_EXPECT_EQ(test, c->snd_nxt, NIC_TEST_ISS + 10);
}

/* In the backlog a later ACK is merged into an earlier one, whose header does
 * not say so.
 */
static void forward_takes_the_merged_ack(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct sk_buff *skb = segment(test, NIC_TEST_ISS + 1000, 0);

	nic_test_flight(test, 3000);
	TCP_SKB_CB(skb)->ack_seq = NIC_TEST_ISS + 2000;
	nic_forward(c, skb);
	KUNIT_EXPECT_EQ(test, c->snd_una, NIC_TEST_ISS + 2000);
}

static struct kunit_case nic_conn_cases[] = {
	KUNIT_CASE(state_there_and_back),
	KUNIT_CASE(state_does_not_drift),
	KUNIT_CASE(state_of_timers),
	KUNIT_CASE(state_without_scaling),
	KUNIT_CASE_PARAM(state_says_which_timer_it_is, persist_gen_params),
	KUNIT_CASE(upload_closes_only_what_has_ended),
	KUNIT_CASE(start_takes_what_was_held),
	KUNIT_CASE(start_pays_the_ack_owed),
	KUNIT_CASE(start_times_what_is_in_flight),
	KUNIT_CASE(terminate_returns_what_is_held),
	KUNIT_CASE(fragments_go_the_slow_path),
	KUNIT_CASE(update_announces_the_window),
	KUNIT_CASE(flush_overrides_the_cork),
	KUNIT_CASE(uncork_ends_more),
	KUNIT_CASE(forward_takes_the_merged_ack),
	{}
};

static struct kunit_suite nic_conn_suite = {
	.name = "chimney_nic_conn",
	.init = nic_test_init,
	.exit = nic_test_exit,
	.test_cases = nic_conn_cases,
};

kunit_test_suite(nic_conn_suite);
