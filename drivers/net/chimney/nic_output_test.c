// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: windows, what may be sent, what is taken as lost.
 * Part of nic_output.c.
 */
#include "nic_test.h"

#define SND(n)	(NIC_TEST_ISS + (n))

struct wnd_case {
	const char *desc;
	u32 cur;	/* on offer */
	u32 want;	/* that the host can take */
	u32 aim;	/* initial_rcv_wnd */
	u8 scale;
	u32 field;
	u32 adv;	/* on offer afterwards */
};

static const struct wnd_case wnd_cases[] = {
	{ "as it was", 5000, 5000, 60000, 0, 5000, 5000 },
	{ "BLD-37 never less", 5000, 0, 60000, 0, 5000, 5000 },
	{ "MUST-39 not by less than a segment", 5000, 5999, 60000, 0,
	  5000, 5000 },
	{ "by a segment", 5000, 6000, 60000, 0, 6000, 6000 },
	{ "by half of a small buffer", 500, 900, 800, 0, 900, 900 },
	{ "by less than half of it", 500, 899, 800, 0, 500, 500 },
	{ "scaled", 0, 8000, 60000, 3, 1000, 8000 },
	{ "scaled, rounded down", 0, 8007, 60000, 3, 1000, 8000 },
	{ "scaled, but never less", 8001, 8001, 60000, 3, 1001, 8008 },
	{ "scaled, but not away", 0, 4096, 4096, 14, 1, 16384 },
	{ "as much as fits the field", 0, 1000000, 60000, 0, 65535, 65535 },
	{ "the same, scaled", 0, 1000000, 60000, 2, 65535, 262140 },
	{ "closed", 0, 0, 60000, 0, 0, 0 },
	{ "the host is behind", 0, -10, 60000, 0, 0, 0 },
};

static void wnd_desc(const struct wnd_case *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(wnd, wnd_cases, wnd_desc);

static void window_on_offer(struct kunit *test)
{
	const struct wnd_case *p = test->param_value;
	struct nic_conn *c = nic_test_conn(test);

	c->rcv_adv = c->rcv_nxt + p->cur;
	c->rcv_edge = c->rcv_nxt + p->want;
	c->rcv_wscale = p->scale;
	c->cached.initial_rcv_wnd = p->aim;
	KUNIT_EXPECT_EQ(test, nic_select_window(c), p->field);
	KUNIT_EXPECT_EQ(test, c->rcv_adv - c->rcv_nxt, p->adv);
}

/* Whatever the buffer does, the right edge moves to the right only. */
static void window_is_never_retracted(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	u32 adv = c->rcv_adv, scale, i;

	for (scale = 0; scale <= 14; scale++) {
		c->rcv_wscale = scale;
		for (i = 0; i < 500; i++) {
			u32 n = i * 2654435761U;

			c->rcv_nxt += min(n % 3000, c->rcv_adv - c->rcv_nxt);
			c->rcv_edge = c->rcv_nxt + (n >> 8) % 60000;
			n = (u32)nic_select_window(c) << scale;
			KUNIT_EXPECT_FALSE(test, nic_before(c->rcv_adv, adv));
			KUNIT_EXPECT_LE(test, n, c->rcv_adv - c->rcv_nxt);
			/* Less only where the field cannot say so much */
			if (n < c->rcv_adv - c->rcv_nxt)
				KUNIT_EXPECT_EQ(test, n,
						(u32)U16_MAX << scale);
			adv = c->rcv_adv;
			if (nic_test_failed(test))
				return;
		}
	}
}

static void sack(struct kunit *test, u32 from, u32 to)
{
	struct nic_disorder *d = chim_nic_disorder(nic_test_conn(test));
	struct nic_range *r;

	KUNIT_ASSERT_NOT_NULL(test, d);
	r = &d->board.r[d->board.n++];
	r->start = SND(from);
	r->end = SND(to);
}

/* RFC 6675 IsLost(): three ranges, or more than two segments, behind it */
static void lost_by_ranges(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	sack(test, 100, 101);
	sack(test, 200, 201);
	KUNIT_EXPECT_FALSE(test, chim_nic_is_lost(c, SND(0)));
	sack(test, 300, 301);
	KUNIT_EXPECT_TRUE(test, chim_nic_is_lost(c, SND(0)));
	KUNIT_EXPECT_TRUE(test, chim_nic_is_lost(c, SND(99)));
	KUNIT_EXPECT_FALSE(test, chim_nic_is_lost(c, SND(101)));
	nic_test_params(test)->dupacks = 4;
	KUNIT_EXPECT_FALSE(test, chim_nic_is_lost(c, SND(0)));
}

static void lost_by_bytes(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	sack(test, 1000, 3000);
	KUNIT_EXPECT_FALSE(test, chim_nic_is_lost(c, SND(0)));
	nic_board(c)->r[0].end++;
	KUNIT_EXPECT_TRUE(test, chim_nic_is_lost(c, SND(0)));
	KUNIT_EXPECT_FALSE(test, chim_nic_is_lost(c, SND(3001)));
}

/* RFC 6675 SetPipe() */
static void pipe_without_sack(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	static const u32 want[] = { 9000, 8000, 7000, 7000, 7000 };
	u32 i;

	c->snd_nxt = SND(9000);
	c->snd_max = SND(9000);
	/* RFC 3042: two more segments for the first two duplicates */
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		c->dupacks = i;
		KUNIT_EXPECT_EQ(test, chim_nic_pipe(c), want[i]);
	}
	c->flags |= NIC_RECOVERY;
	KUNIT_EXPECT_EQ(test, chim_nic_pipe(c), 9000);
	c->flags &= ~NIC_RECOVERY;
	c->snd_nxt = SND(500);
	KUNIT_EXPECT_EQ(test, chim_nic_pipe(c), 0);
}

static void pipe_with_sack(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	c->snd_nxt = SND(9000);
	c->snd_max = SND(9000);
	c->high_rxt = c->snd_una;
	sack(test, 1000, 2000);
	sack(test, 3000, 6000);
	KUNIT_EXPECT_EQ(test, chim_nic_pipe(c), 5000);
	/* In recovery the two holes, lost, do not count, */
	c->flags |= NIC_RECOVERY;
	KUNIT_EXPECT_EQ(test, chim_nic_pipe(c), 3000);
	/* but what was sent again does. */
	c->high_rxt = SND(1000);
	KUNIT_EXPECT_EQ(test, chim_nic_pipe(c), 4000);
	c->high_rxt = SND(2500);
	KUNIT_EXPECT_EQ(test, chim_nic_pipe(c), 4500);
	/* After a timeout only what lies below SND.NXT */
	c->flags = NIC_LIVE | NIC_LOSS;
	c->snd_nxt = SND(4000);
	KUNIT_EXPECT_EQ(test, chim_nic_pipe(c), 2000);
	c->snd_nxt = SND(500);
	KUNIT_EXPECT_EQ(test, chim_nic_pipe(c), 500);
}

static void expect_hole(struct kunit *test, u32 from, u32 to)
{
	struct nic_range r;

	KUNIT_EXPECT_TRUE(test, nic_next_lost(nic_test_conn(test), &r));
	KUNIT_EXPECT_EQ(test, r.start - NIC_TEST_ISS, from);
	KUNIT_EXPECT_EQ(test, r.end - NIC_TEST_ISS, to);
}

static void holes_are_filled_in_order(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct nic_range r;

	KUNIT_EXPECT_FALSE(test, nic_next_lost(c, &r));
	c->snd_max = SND(9000);
	c->high_rxt = c->snd_una;
	sack(test, 1000, 2000);
	sack(test, 3000, 5500);
	expect_hole(test, 0, 1000);
	c->high_rxt = SND(400);
	expect_hole(test, 400, 1000);
	c->high_rxt = SND(1000);
	expect_hole(test, 2000, 3000);
	c->high_rxt = SND(3000);
	KUNIT_EXPECT_FALSE(test, nic_next_lost(c, &r));
}

/* After a timeout what the peer has is skipped. */
static void sacked_is_not_sent_again(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	c->snd_max = SND(9000);
	sack(test, 1000, 2000);
	sack(test, 3000, 5500);
	nic_skip_sacked(c);
	KUNIT_EXPECT_EQ(test, c->snd_nxt, SND(0));
	KUNIT_EXPECT_EQ(test, nic_sacked_limit(c, 9999), 1000);
	KUNIT_EXPECT_EQ(test, nic_sacked_limit(c, 500), 500);
	c->snd_nxt = SND(1000);
	nic_skip_sacked(c);
	KUNIT_EXPECT_EQ(test, c->snd_nxt, SND(2000));
	c->snd_nxt = SND(5499);
	nic_skip_sacked(c);
	KUNIT_EXPECT_EQ(test, c->snd_nxt, SND(5500));
	KUNIT_EXPECT_EQ(test, nic_sacked_limit(c, 9999), 3500);
	c->snd_nxt = SND(9000);
	KUNIT_EXPECT_EQ(test, nic_sacked_limit(c, 9999), 9999);
}

struct small_case {
	const char *desc;
	u8 flags;	/* cached */
	u32 in_flight;
	u32 sml;	/* end of the last small segment */
	u32 len;	/* of the segment, which is all there is */
	u32 more;	/* but for so many bytes */
	u32 pushed;
	bool fin;
	bool want;
};

#define NAGLE	CHIMNEY_CACHED_FLAG_NAGLING

static const struct small_case small_cases[] = {
	{ "nothing in flight", NAGLE, 0, 0, 10, 0, 10, false, true },
	{ "Minshall: full segments in flight", NAGLE, 1000, 0, 10, 0, 10,
	  false, true },
	{ "Nagle: a small one in flight", NAGLE, 100, 100, 10, 0, 10, false,
	  false },
	{ "no Nagle", 0, 100, 100, 10, 0, 10, false, true },
	{ "with the FIN", NAGLE, 100, 100, 10, 0, 10, true, true },
	{ "cork", CHIM_CACHED_CORK, 0, 0, 10, 0, 10, false, false },
	{ "MSG_MORE", NAGLE, 0, 0, 10, 0, 9, false, false },
	{ "window-limited, small", 0, 0, 0, 10, 90, 100, false, false },
	{ "window-limited, half the largest", 0, 0, 0, NIC_TEST_WND / 2, 90,
	  NIC_TEST_WND, false, true },
	{ "window-limited, less than half", 0, 0, 0, NIC_TEST_WND / 2 - 1, 90,
	  NIC_TEST_WND, false, false },
};

static void small_desc(const struct small_case *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(small, small_cases, small_desc);

static void small_segments(struct kunit *test)
{
	const struct small_case *p = test->param_value;
	struct nic_conn *c = nic_test_conn(test);

	c->cached.flags = p->flags;
	c->snd_nxt = SND(p->in_flight);
	c->snd_max = c->snd_nxt;
	c->snd_sml = SND(p->sml);
	c->snd_end = c->snd_nxt + p->len + p->more;
	c->push_seq = c->snd_nxt + p->pushed;
	KUNIT_EXPECT_EQ(test, nic_small_ok(c, c->snd_nxt + p->len, p->fin),
			p->want);
}

static void output_obeys_the_windows(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	nic_test_post(test, 15000);
	c->cwnd = 4000;
	c->last_send = (u32)ktime_to_us(ktime_get());
	chim_nic_output(c, false);
	KUNIT_EXPECT_EQ(test, c->snd_nxt, SND(4000));
	KUNIT_EXPECT_EQ(test, c->stats.segs_out, 4);
	KUNIT_EXPECT_NE(test, c->t_rtx, CHIM_IDLE);
	c->cwnd = 20000;
	c->snd_wnd = 6500;
	chim_nic_output(c, false);
	KUNIT_EXPECT_EQ(test, c->snd_nxt, SND(6000));
	c->snd_wnd = 20000;
	chim_nic_output(c, false);
	KUNIT_EXPECT_EQ(test, c->snd_nxt, SND(15000));
	KUNIT_EXPECT_EQ(test, c->stats.bytes_out, 15000);
	KUNIT_EXPECT_EQ(test, c->stats.retrans_segs, 0);
}

/* A congestion window of less than an MSS, which has grown, stops nothing. */
static void output_always_sends_one(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	nic_test_post(test, 3000);
	c->cwnd = NIC_TEST_MSS / 2;
	chim_nic_output(c, false);
	KUNIT_EXPECT_EQ(test, c->snd_nxt, SND(NIC_TEST_MSS));
	chim_nic_output(c, false);
	KUNIT_EXPECT_EQ(test, c->snd_nxt, SND(NIC_TEST_MSS));
}

/* SND-14: what is cut into segments later is counted from the first on. */
static void ip_id_stays_in_its_half(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	static const struct {
		u16 before, used, after;
	} want[] = {
		{ 0xfff0, 0xfff0, 0x8000 },
		{ 0xfff1, 0x8000, 0x8010 },
		{ 0x8000, 0x8000, 0x8010 },
	};
	struct sk_buff *skb;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(want); i++) {
		skb = nic_alloc(c, 0);
		KUNIT_ASSERT_NOT_NULL(test, skb);
		c->ip_id = want[i].before;
		nic_build_ip(c, skb, 16);
		KUNIT_EXPECT_EQ(test, ntohs(ip_hdr(skb)->id), want[i].used);
		KUNIT_EXPECT_EQ(test, c->ip_id, want[i].after);
		kfree_skb(skb);
	}
}

static struct sk_buff *ip_header(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct sk_buff *skb = nic_alloc(c, 0);

	KUNIT_ASSERT_NOT_NULL(test, skb);
	nic_build_ip(c, skb, 1);
	return skb;
}

static void ip_header_is_as_the_socket_asks(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct sk_buff *skb;

	c->cached.tos = 0x10;
	c->cached.ttl = 63;
	c->cached.flow_label = htonl(0x12345);
	skb = ip_header(test);
	KUNIT_EXPECT_EQ(test, ntohs(ip_hdr(skb)->frag_off), IP_DF); /* SND-13 */
	KUNIT_EXPECT_EQ(test, ip_hdr(skb)->tos, 0x10);
	KUNIT_EXPECT_EQ(test, ip_hdr(skb)->ttl, 63);
	kfree_skb(skb);
	c->flags |= NIC_IPV6;
	skb = ip_header(test);
	KUNIT_EXPECT_EQ(test, ntohl(ip6_flowlabel(ipv6_hdr(skb))), 0x12345);
	KUNIT_EXPECT_EQ(test, ipv6_get_dsfield(ipv6_hdr(skb)), 0x10);
	KUNIT_EXPECT_EQ(test, ipv6_hdr(skb)->hop_limit, 63);
	kfree_skb(skb);
}

/* RFC 5681 4.1 */
static void output_restarts_slowly(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	nic_test_post(test, 15000);
	c->last_send = (u32)ktime_to_us(ktime_get()) - 2000000;
	chim_nic_output(c, false);
	KUNIT_EXPECT_EQ(test, c->cwnd, 10000);
	KUNIT_EXPECT_EQ(test, c->snd_nxt, SND(10000));
}

static void output_sends_the_fin(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	nic_test_post(test, 10);
	c->flags |= NIC_FIN_POSTED;
	chim_nic_output(c, false);
	KUNIT_EXPECT_EQ(test, c->snd_nxt, SND(11));
	KUNIT_EXPECT_EQ(test, c->stats.segs_out, 1);
	KUNIT_EXPECT_EQ(test, c->stats.bytes_out, 10);
}

static struct kunit_case nic_output_cases[] = {
	KUNIT_CASE_PARAM(window_on_offer, wnd_gen_params),
	KUNIT_CASE(window_is_never_retracted),
	KUNIT_CASE(lost_by_ranges),
	KUNIT_CASE(lost_by_bytes),
	KUNIT_CASE(pipe_without_sack),
	KUNIT_CASE(pipe_with_sack),
	KUNIT_CASE(holes_are_filled_in_order),
	KUNIT_CASE(sacked_is_not_sent_again),
	KUNIT_CASE_PARAM(small_segments, small_gen_params),
	KUNIT_CASE(output_obeys_the_windows),
	KUNIT_CASE(output_always_sends_one),
	KUNIT_CASE(ip_id_stays_in_its_half),
	KUNIT_CASE(ip_header_is_as_the_socket_asks),
	KUNIT_CASE(output_restarts_slowly),
	KUNIT_CASE(output_sends_the_fin),
	{}
};

static struct kunit_suite nic_output_suite = {
	.name = "chimney_nic_output",
	.init = nic_test_init,
	.exit = nic_test_exit,
	.test_cases = nic_output_cases,
};

kunit_test_suite(nic_output_suite);
