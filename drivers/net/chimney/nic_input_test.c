// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: sequence numbers, options, acceptability, scoreboard, reassembly,
 * and whole segments. Part of nic_input.c.
 */
#include <linux/prandom.h>

#include "nic_test.h"

#define SEED	20260101

/* Offsets from what we receive and send, across the wrap */
#define RCV(n)	(NIC_TEST_IRS + (n))
#define SND(n)	(NIC_TEST_ISS + (n))

/* ---- sequence numbers --------------------------------------------- */

static void seq_compare(struct kunit *test)
{
	static const u32 bases[] = { 0, 1, 0x7fffffff, 0x80000000, 0x80000001,
				     0xfffffffe, 0xffffffff };
	static const u32 dists[] = { 1, 2, 1000, 0x7ffffffe, 0x7fffffff };
	u32 i, j;

	for (i = 0; i < ARRAY_SIZE(bases); i++) {
		u32 a = bases[i];

		KUNIT_EXPECT_FALSE(test, nic_after(a, a));
		KUNIT_EXPECT_FALSE(test, nic_before(a, a));
		for (j = 0; j < ARRAY_SIZE(dists); j++) {
			u32 b = a + dists[j];

			KUNIT_EXPECT_TRUE_MSG(test, nic_after(b, a),
					      "%x %x", b, a);
			KUNIT_EXPECT_FALSE_MSG(test, nic_after(a, b),
					       "%x %x", a, b);
			KUNIT_EXPECT_TRUE_MSG(test, nic_before(a, b),
					      "%x %x", a, b);
			KUNIT_EXPECT_FALSE_MSG(test, nic_before(b, a),
					       "%x %x", b, a);
		}
	}
}

struct window_case {
	const char *desc;
	u32 wnd;
	s32 from;	/* from RCV.NXT */
	s32 len;
	bool want;
};

static const struct window_case window_cases[] = {
	{ "next byte", 1000, 0, 1, true },
	{ "pure ACK", 1000, 0, 0, true },
	{ "whole window", 1000, 0, 1000, true },
	{ "beyond the window", 1000, 0, 1001, true },
	{ "last byte of the window", 1000, 999, 1, true },
	{ "at the edge", 1000, 1000, 0, true },
	{ "behind the edge", 1000, 1001, 0, false },
	{ "behind the edge, data", 1000, 1001, 10, false },
	{ "wholly old", 1000, -10, 10, false },
	{ "older still", 1000, -11, 10, false },
	{ "old but for a byte", 1000, -10, 11, true },
	{ "keepalive probe", 1000, -1, 0, false },
	{ "keepalive probe with a byte", 1000, -1, 1, false },
	{ "closed: pure ACK", 0, 0, 0, true },
	{ "closed: window probe", 0, 0, 1, true },
	{ "closed: behind", 0, 1, 0, false },
	{ "half the space away", 1000, INT_MIN, 0, false },
};

static void window_desc(const struct window_case *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(window, window_cases, window_desc);

static void window_check(struct kunit *test)
{
	static const u32 bases[] = { 0, 5, 0x7ffffff0, 0xfffffc18, 0xfffffffb };
	const struct window_case *p = test->param_value;
	struct nic_conn *c = nic_test_conn(test);
	struct nic_seg s = {};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(bases); i++) {
		c->rcv_nxt = bases[i];
		c->rcv_adv = c->rcv_nxt + p->wnd;
		s.seq = c->rcv_nxt + p->from;
		s.len = p->len;
		s.end = s.seq + s.len;
		KUNIT_EXPECT_EQ_MSG(test, nic_in_window(c, &s), p->want,
				    "RCV.NXT %x", bases[i]);
	}
}

/* ---- PAWS and rate limits ----------------------------------------- */

struct paws_case {
	const char *desc;
	u32 recent;
	u32 tsval;
	s64 age;	/* s */
	u8 flags;
	bool want;
};

#define DAYS_24	(24 * 86400LL)

static const struct paws_case paws_cases[] = {
	{ "the same", 100, 100, 1, TCPHDR_ACK, true },
	{ "newer", 100, 101, 1, TCPHDR_ACK, true },
	{ "older", 100, 99, 1, TCPHDR_ACK, false },
	{ "older, but RST", 100, 99, 1, TCPHDR_RST, true },
	{ "newer across the wrap", 0xffffffff, 0, 1, TCPHDR_ACK, true },
	{ "older across the wrap", 1, 0xffffffff, 1, TCPHDR_ACK, false },
	{ "older than nothing", 0, 0xffffffff, 1, TCPHDR_ACK, true },
	{ "older, 24 days ago", 100, 99, DAYS_24, TCPHDR_ACK, false },
	{ "older, void", 100, 99, DAYS_24 + 1, TCPHDR_ACK, true },
};

static void paws_desc(const struct paws_case *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(paws, paws_cases, paws_desc);

static void paws_check(struct kunit *test)
{
	const struct paws_case *p = test->param_value;
	struct nic_conn *c = nic_test_conn(test);
	struct nic_seg s = {
		.now = NIC_TEST_T0 + p->age * NSEC_PER_SEC,
		.flags = p->flags,
		.has_ts = true,
		.tsval = p->tsval,
	};

	c->ts_recent = p->recent;
	c->ts_stamp = NIC_TEST_T0;
	KUNIT_EXPECT_EQ(test, nic_paws_ok(c, &s), p->want);
	s.has_ts = false;
	KUNIT_EXPECT_TRUE(test, nic_paws_ok(c, &s));
}

/* RFC 7323 4.3 (2): only from a segment that covers Last.ACK.sent */
static void ts_recent_update(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct nic_seg s = {
		.now = NIC_TEST_T0,
		.has_ts = true,
		.tsval = 105,
		.seq = RCV(1),
	};

	c->ts_recent = 100;
	nic_ts_update(c, &s);
	KUNIT_EXPECT_EQ(test, c->ts_recent, 100);
	s.seq = RCV(0);
	nic_ts_update(c, &s);
	KUNIT_EXPECT_EQ(test, c->ts_recent, 105);
	KUNIT_EXPECT_EQ(test, c->ts_stamp, NIC_TEST_T0);
	s.tsval = 104;
	nic_ts_update(c, &s);
	KUNIT_EXPECT_EQ(test, c->ts_recent, 105);
	s.now += NIC_PAWS_NS + 1;
	nic_ts_update(c, &s);
	KUNIT_EXPECT_EQ(test, c->ts_recent, 104);
}

static void ratelimit(struct kunit *test)
{
	ktime_t t = NIC_TEST_T0;
	u32 last = 0;

	KUNIT_EXPECT_TRUE(test, nic_ratelimit(&last, t, 500));
	KUNIT_EXPECT_FALSE(test, nic_ratelimit(&last, t, 500));
	KUNIT_EXPECT_FALSE(test, nic_ratelimit(&last, ktime_add_ms(t, 499),
					       500));
	KUNIT_EXPECT_TRUE(test, nic_ratelimit(&last, ktime_add_ms(t, 500),
					      500));
	KUNIT_EXPECT_FALSE(test, nic_ratelimit(&last, ktime_add_ms(t, 999),
					       500));
	/* 0 is "never": the clock's 0 must not be stored. */
	last = 0;
	KUNIT_EXPECT_TRUE(test, nic_ratelimit(&last, 0, 500));
	KUNIT_EXPECT_NE(test, last, 0);
	/* Milliseconds wrap after 49 days. */
	last = U32_MAX - 99;
	t = ktime_add_ms(0, 1ULL << 32);
	KUNIT_EXPECT_FALSE(test, nic_ratelimit(&last, ktime_add_ms(t, 399),
					       500));
	KUNIT_EXPECT_TRUE(test, nic_ratelimit(&last, ktime_add_ms(t, 400),
					      500));
}

/* ---- scoreboard --------------------------------------------------- */

static void expect_range(struct kunit *test, const struct nic_scoreboard *b,
			 u32 i, u32 from, u32 to)
{
	KUNIT_EXPECT_LT(test, i, b->n);
	KUNIT_EXPECT_EQ_MSG(test, b->r[i].start - NIC_TEST_ISS, from,
			    "range %u", i);
	KUNIT_EXPECT_EQ_MSG(test, b->r[i].end - NIC_TEST_ISS, to,
			    "range %u", i);
}

struct board_case {
	const char *desc;
	u32 from;
	u32 to;
	bool news;
	u32 n;
	u32 i;		/* range that holds it */
	u32 start;
	u32 end;
};

/* into [100, 200) [300, 400) [500, 600) */
static const struct board_case board_cases[] = {
	{ "before all", 50, 99, true, 4, 0, 50, 99 },
	{ "touches the first from below", 50, 100, true, 3, 0, 50, 200 },
	{ "overlaps the first from below", 50, 150, true, 3, 0, 50, 200 },
	{ "is the first", 100, 200, false, 3, 0, 100, 200 },
	{ "inside the first", 120, 130, false, 3, 0, 100, 200 },
	{ "head of the first", 100, 101, false, 3, 0, 100, 200 },
	{ "tail of the first", 199, 200, false, 3, 0, 100, 200 },
	{ "touches the first from above", 200, 250, true, 3, 0, 100, 250 },
	{ "between", 201, 299, true, 4, 1, 201, 299 },
	{ "touches the second from below", 250, 300, true, 3, 1, 250, 400 },
	{ "fills a gap", 200, 300, true, 2, 0, 100, 400 },
	{ "overlaps both sides of a gap", 150, 350, true, 2, 0, 100, 400 },
	{ "touches two of three", 200, 500, true, 1, 0, 100, 600 },
	{ "covers one", 250, 450, true, 3, 1, 250, 450 },
	{ "covers all", 50, 700, true, 1, 0, 50, 700 },
	{ "covers all exactly", 100, 600, true, 1, 0, 100, 600 },
	{ "one byte longer than all", 100, 601, true, 1, 0, 100, 601 },
	{ "touches the last from above", 600, 601, true, 3, 2, 500, 601 },
	{ "behind all", 601, 602, true, 4, 3, 601, 602 },
};

static void board_desc(const struct board_case *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(board, board_cases, board_desc);

static void board_merges(struct kunit *test)
{
	const struct board_case *p = test->param_value;
	struct nic_scoreboard b = {};

	KUNIT_EXPECT_TRUE(test, nic_board_add(&b, SND(500), SND(600)));
	KUNIT_EXPECT_TRUE(test, nic_board_add(&b, SND(100), SND(200)));
	KUNIT_EXPECT_TRUE(test, nic_board_add(&b, SND(300), SND(400)));
	KUNIT_ASSERT_EQ(test, b.n, 3);
	KUNIT_EXPECT_EQ(test, nic_board_add(&b, SND(p->from), SND(p->to)),
			p->news);
	KUNIT_EXPECT_EQ(test, b.n, p->n);
	expect_range(test, &b, p->i, p->start, p->end);
}

static void board_is_limited(struct kunit *test)
{
	struct nic_scoreboard b = {};
	u32 i;

	for (i = 0; i < NIC_SACK_MAX; i++)
		KUNIT_EXPECT_TRUE(test, nic_board_add(&b, SND(10 * i + 5),
						      SND(10 * i + 8)));
	KUNIT_EXPECT_EQ(test, b.n, NIC_SACK_MAX);
	KUNIT_EXPECT_FALSE(test, nic_board_add(&b, SND(0), SND(3)));
	KUNIT_EXPECT_FALSE(test, nic_board_add(&b, SND(9000), SND(9001)));
	KUNIT_EXPECT_EQ(test, b.n, NIC_SACK_MAX);
	/* What touches a range needs no place. */
	KUNIT_EXPECT_TRUE(test, nic_board_add(&b, SND(0), SND(5)));
	expect_range(test, &b, 0, 0, 8);
	KUNIT_EXPECT_TRUE(test, nic_board_add(&b, SND(8), SND(15)));
	KUNIT_EXPECT_EQ(test, b.n, NIC_SACK_MAX - 1);
	expect_range(test, &b, 0, 0, 18);
	expect_range(test, &b, NIC_SACK_MAX - 2, 10 * (NIC_SACK_MAX - 1) + 5,
		     10 * (NIC_SACK_MAX - 1) + 8);
}

struct trim_case {
	const char *desc;
	u32 una;
	u32 n;
	u32 start;
};

/* [100, 200) [300, 400) */
static const struct trim_case trim_cases[] = {
	{ "below", 99, 2, 100 },
	{ "at the start", 100, 2, 100 },
	{ "into the first", 101, 2, 101 },
	{ "last byte of the first", 199, 2, 199 },
	{ "all of the first", 200, 1, 300 },
	{ "into the gap", 250, 1, 300 },
	{ "into the second", 350, 1, 350 },
	{ "all", 400, 0, 0 },
	{ "more than all", 500, 0, 0 },
};

static void trim_desc(const struct trim_case *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(trim, trim_cases, trim_desc);

static void board_is_trimmed(struct kunit *test)
{
	const struct trim_case *p = test->param_value;
	struct nic_scoreboard b = {};

	nic_board_add(&b, SND(100), SND(200));
	nic_board_add(&b, SND(300), SND(400));
	nic_board_trim(&b, SND(p->una));
	KUNIT_EXPECT_EQ(test, b.n, p->n);
	if (p->n) {
		KUNIT_EXPECT_EQ(test, b.r[0].start, SND(p->start));
		KUNIT_EXPECT_EQ(test, b.r[p->n - 1].end, SND(400));
	}
}

#define CELLS	60	/* so that no more ranges than fit can come up */

/* The board is the runs of ones in a map of bytes. */
static bool board_is_map(const struct nic_scoreboard *b, const u8 *map,
			 u32 base)
{
	u32 i, n = 0, from;

	for (i = 0; i < CELLS; i++) {
		if (!map[i])
			continue;
		for (from = i; i < CELLS && map[i]; i++)
			;
		if (n >= b->n || b->r[n].start != base + from ||
		    b->r[n].end != base + i)
			return false;
		n++;
	}
	return n == b->n;
}

static void board_against_a_map(struct kunit *test)
{
	struct nic_scoreboard b = {};
	u8 map[CELLS] = {};
	struct rnd_state rnd;
	u32 base = -30U, i;

	prandom_seed_state(&rnd, SEED);
	for (i = 0; i < 20000; i++) {
		u32 r = prandom_u32_state(&rnd);
		u32 from = r % CELLS, to, k;
		bool news = false;

		to = from + 1 + (r >> 8) % min(CELLS - from, 9U);
		if (r >> 28 == 0) { /* an ACK */
			nic_board_trim(&b, base + from);
			memset(map, 0, from);
		} else {
			for (k = from; k < to; k++)
				news |= !map[k];
			memset(map + from, 1, to - from);
			if (nic_board_add(&b, base + from, base + to) != news) {
				KUNIT_FAIL(test, "step %u: news", i);
				return;
			}
		}
		if (!board_is_map(&b, map, base)) {
			KUNIT_FAIL(test, "step %u: [%u, %u)", i, from, to);
			return;
		}
		if (r >> 20 == 0) { /* begin anew, elsewhere */
			base = prandom_u32_state(&rnd) % 100 - 50;
			memset(&b, 0, sizeof(b));
			memset(map, 0, sizeof(map));
		}
	}
}

struct sacked_case {
	const char *desc;
	u32 from;
	u32 to;
	bool want;
};

/* SND.UNA is 100, SND.MAX 1100. */
static const struct sacked_case sacked_cases[] = {
	{ "a hole below", 101, 200, true },
	{ "up to all that was sent", 500, 1100, true },
	{ "more than was sent", 500, 1101, false },
	{ "never sent", 1100, 1200, false },
	{ "D-SACK below", 50, 90, false },
	{ "starts below", 99, 200, false },
	{ "contradicts the ACK", 100, 200, false },
	{ "empty", 300, 300, false },
	{ "backwards", 400, 300, false },
	{ "half the space", 100U + INT_MAX, 98, false },
};

static void sacked_desc(const struct sacked_case *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(sacked, sacked_cases, sacked_desc);

static void sacked_takes_only_what_makes_sense(struct kunit *test)
{
	const struct sacked_case *p = test->param_value;
	struct nic_conn *c = nic_test_conn(test);
	struct nic_seg s = { .n_sack = 1 };

	c->snd_una = SND(100);
	c->snd_max = SND(1100);
	s.sack[0].start = SND(p->from);
	s.sack[0].end = SND(p->to);
	KUNIT_EXPECT_EQ(test, nic_sacked(c, &s), p->want);
	KUNIT_EXPECT_EQ(test, nic_board(c) ? nic_board(c)->n : 0, p->want);
	/* The second time it is no news. */
	KUNIT_EXPECT_FALSE(test, nic_sacked(c, &s));
}

/* ---- whole segments ----------------------------------------------- */

/**
 * struct segment - what the peer sends
 * @seq: sequence number
 * @ack: acknowledgment number
 * @wnd: window
 * @len: bytes of payload
 * @flags: TCP flags
 * @tos: of the IP header
 * @optlen: bytes of options, a multiple of 4
 * @opt: options
 */
struct segment {
	u32 seq;
	u32 ack;
	u16 wnd;
	u16 len;
	u8 flags;
	u8 tos;
	u8 optlen;
	const char *opt;
};

static struct sk_buff *build(struct kunit *test, const struct segment *g)
{
	u32 hlen = sizeof(struct tcphdr) + g->optlen, i;
	u32 len = sizeof(struct iphdr) + hlen + g->len;
	struct sk_buff *skb = alloc_skb(len, GFP_KERNEL);
	struct tcphdr *th;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb->protocol = htons(ETH_P_IP);
	skb_reset_network_header(skb);
	skb_put_zero(skb, sizeof(struct iphdr));
	ip_hdr(skb)->tos = g->tos;
	__skb_pull(skb, sizeof(struct iphdr));
	skb_reset_transport_header(skb);
	th = skb_put_zero(skb, hlen);
	th->seq = htonl(g->seq);
	th->ack_seq = htonl(g->ack);
	th->window = htons(g->wnd);
	tcp_flag_byte(th) = g->flags;
	th->doff = hlen / 4;
	memcpy(th + 1, g->opt, g->optlen);
	for (i = 0; i < g->len; i++)
		*(u8 *)skb_put(skb, 1) = nic_test_byte(g->seq + i);
	return skb;
}

static void input(struct kunit *test, const struct segment *g)
{
	chim_nic_input(nic_test_conn(test), build(test, g));
}

/* The next segment of a peer that has received all that was sent */
static struct segment plain(struct kunit *test)
{
	const struct nic_conn *c = nic_test_conn(test);

	return (struct segment) {
		.seq = c->rcv_nxt,
		.ack = c->snd_max,
		.wnd = NIC_TEST_WND,
		.flags = TCPHDR_ACK,
	};
}

static u32 segs_out(struct kunit *test)
{
	return nic_test_conn(test)->stats.segs_out;
}

struct option_case {
	const char *desc;
	u8 cflags;
	u8 optlen;
	const char *opt;
	bool has_ts;
	u32 tsval;
	u32 tsecr;
	u32 n_sack;
	u32 sack0;	/* start of the first block, end of the last one */
	u32 sackn;
};

#define BOTH	(CHIMNEY_CONST_FLAG_TIMESTAMP | CHIMNEY_CONST_FLAG_SACK)

/* Options: 0 end, 1 nothing, 5 SACK, 8 timestamp; SACK blocks from n to
 * 0x100 + n
 */
#define TS_OPT	"\x08\x0a\1\2\3\4\5\6\7\x08"
#define BLOCK5	"\0\0\0\5\0\0\1\5"
#define BLOCK6	"\0\0\0\6\0\0\1\6"
#define BLOCK7	"\0\0\0\7\0\0\1\7"
#define BLOCK8	"\0\0\0\x08\0\0\1\x08"

static const struct option_case option_cases[] = {
	{ "none", BOTH, 0, "" },
	{ "timestamp", BOTH, 12, "\1\1" TS_OPT,
	  true, 0x01020304, 0x05060708 },
	{ "timestamp, padded behind", BOTH, 12, TS_OPT "\0\xff",
	  true, 0x01020304, 0x05060708 },
	{ "timestamp, not negotiated", CHIMNEY_CONST_FLAG_SACK, 12,
	  "\1\1" TS_OPT },
	{ "timestamp of a wrong length", BOTH, 12,
	  "\1\1\x08\x09\1\2\3\4\5\6\7\0" },
	{ "timestamp behind the end", BOTH, 12, "\0\0" TS_OPT },
	{ "timestamp behind an unknown option", BOTH, 16,
	  "\xfe\4\1\2\1\1" TS_OPT, true, 0x01020304, 0x05060708 },
	{ "length 0", BOTH, 12, "\xfe\0" TS_OPT },
	{ "length 1", BOTH, 12, "\xfe\1" TS_OPT },
	{ "length beyond the header", BOTH, 4, "\xfe\5\0\0" },
	{ "no room for a length", BOTH, 4, "\1\1\1\5" },
	{ "timestamp that ends in the data", BOTH, 8, "\x08\x0a\1\2\3\4\5\6" },
	{ "SACK that ends in the data", BOTH, 8, "\5\x0a\0\0\0\5\0\0" },
	{ "one SACK block", BOTH, 12, "\1\1\5\x0a" BLOCK5,
	  .n_sack = 1, .sack0 = 5, .sackn = 0x105 },
	{ "four SACK blocks", BOTH, 36,
	  "\1\1\5\x22" BLOCK5 BLOCK6 BLOCK7 BLOCK8,
	  .n_sack = 4, .sack0 = 5, .sackn = 0x108 },
	{ "four SACK blocks and half of one", BOTH, 40,
	  "\1\1\5\x26" BLOCK5 BLOCK6 BLOCK7 BLOCK8 "\0\0\0\x0a",
	  .n_sack = 4, .sack0 = 5, .sackn = 0x108 },
	{ "four SACK blocks in two options", BOTH, 36,
	  "\5\x0a" BLOCK5 "\5\x1a" BLOCK6 BLOCK7 BLOCK8,
	  .n_sack = 4, .sack0 = 5, .sackn = 0x108 },
	{ "half a SACK block", BOTH, 8, "\1\1\5\6\0\0\0\5" },
	{ "a SACK block and a half", BOTH, 16,
	  "\1\1\5\x0e" BLOCK5 "\0\0\0\6",
	  .n_sack = 1, .sack0 = 5, .sackn = 0x105 },
	{ "SACK, not permitted", CHIMNEY_CONST_FLAG_TIMESTAMP, 12,
	  "\1\1\5\x0a" BLOCK5 },
};

static void option_desc(const struct option_case *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(option, option_cases, option_desc);

static void parse_options(struct kunit *test)
{
	const struct option_case *p = test->param_value;
	struct nic_conn *c = nic_test_conn(test);
	struct segment g = plain(test);
	struct sk_buff *skb;
	struct nic_seg s;

	c->cflags = p->cflags;
	c->snd_wscale = 3;
	g.flags = TCPHDR_ACK | TCPHDR_FIN;
	g.len = 7;
	g.optlen = p->optlen;
	g.opt = p->opt;
	skb = build(test, &g);
	nic_parse(c, skb, &s);
	KUNIT_EXPECT_EQ(test, s.has_ts, p->has_ts);
	KUNIT_EXPECT_EQ(test, s.tsval, p->tsval);
	KUNIT_EXPECT_EQ(test, s.tsecr, p->tsecr);
	KUNIT_EXPECT_EQ(test, s.n_sack, p->n_sack);
	if (p->n_sack) {
		KUNIT_EXPECT_EQ(test, s.sack[0].start, p->sack0);
		KUNIT_EXPECT_EQ(test, s.sack[p->n_sack - 1].end, p->sackn);
	}
	KUNIT_EXPECT_EQ(test, s.seq, g.seq);
	KUNIT_EXPECT_EQ(test, s.ack, g.ack);
	KUNIT_EXPECT_EQ(test, s.wnd, (u32)g.wnd << 3);
	KUNIT_EXPECT_EQ(test, s.len, 7);
	KUNIT_EXPECT_EQ(test, s.end, g.seq + 8); /* the FIN counts */
	kfree_skb(skb);
}

/* RFC 9293 3.8.6.3: one for every second full segment, else a delay */
static void ack_every_second(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct segment g = plain(test);

	g.len = NIC_TEST_MSS;
	input(test, &g);
	KUNIT_EXPECT_EQ(test, segs_out(test), 0);
	KUNIT_EXPECT_NE(test, c->t_ack, CHIM_IDLE);
	g = plain(test);
	g.len = NIC_TEST_MSS;
	input(test, &g);
	KUNIT_EXPECT_EQ(test, segs_out(test), 1);
	KUNIT_EXPECT_EQ(test, c->t_ack, CHIM_IDLE);
	KUNIT_EXPECT_EQ(test, c->rcv_nxt, RCV(2 * NIC_TEST_MSS));
	KUNIT_EXPECT_EQ(test, c->stats.bytes_in, 2 * NIC_TEST_MSS);
}

static void ack_delay_counts_from_the_first(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct segment g = plain(test);
	ktime_t due;

	nic_test_params(test)->ack_frequency = 10;
	g.len = 10;
	input(test, &g);
	due = c->t_ack;
	KUNIT_EXPECT_LE(test, due, ktime_add_ms(ktime_get(), 40));
	g = plain(test);
	g.len = 10;
	input(test, &g);
	KUNIT_EXPECT_EQ(test, c->t_ack, due);
}

/* KA7: a keepalive probe is answered at once, and changes nothing. */
static void keepalive_probe_is_answered(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct segment g = plain(test);

	g.seq--;
	input(test, &g);
	KUNIT_EXPECT_EQ(test, segs_out(test), 1);
	g.len = 1; /* the form of old stacks */
	input(test, &g);
	KUNIT_EXPECT_EQ(test, segs_out(test), 2);
	KUNIT_EXPECT_EQ(test, c->rcv_nxt, RCV(0));
	KUNIT_EXPECT_EQ(test, c->reason, 0);
	KUNIT_EXPECT_EQ(test, c->stats.bytes_in, 0);
	KUNIT_EXPECT_NULL(test, c->disorder);
}

/* RFC 3168 6.1.4, 6.1.3: a mark is echoed until CWR, but only of data that is
 * taken.
 */
static void marks_are_echoed(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct segment g = plain(test);

	c->ecn = TCP_ECN_MODE_RFC3168;
	g.tos = INET_ECN_CE;
	input(test, &g);
	KUNIT_EXPECT_FALSE(test, c->ecn & TCP_ECN_DEMAND_CWR);
	KUNIT_EXPECT_EQ(test, segs_out(test), 0);
	g.len = 10;
	g.seq = c->rcv_adv;
	input(test, &g);
	KUNIT_EXPECT_FALSE(test, c->ecn & TCP_ECN_DEMAND_CWR);
	KUNIT_EXPECT_EQ(test, segs_out(test), 1);
	g.seq = c->rcv_nxt;
	input(test, &g);
	KUNIT_EXPECT_TRUE(test, c->ecn & TCP_ECN_DEMAND_CWR);
	KUNIT_EXPECT_EQ(test, segs_out(test), 2);
	g = plain(test);
	g.tos = INET_ECN_ECT_0;
	g.len = 10;
	input(test, &g);
	KUNIT_EXPECT_TRUE(test, c->ecn & TCP_ECN_DEMAND_CWR);
	g = plain(test);
	g.flags |= TCPHDR_CWR;
	g.len = 10;
	input(test, &g);
	KUNIT_EXPECT_FALSE(test, c->ecn & TCP_ECN_DEMAND_CWR);
}

/* Out of order it is as good. */
static void marks_ahead_are_echoed(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct segment g = plain(test);

	c->ecn = TCP_ECN_MODE_RFC3168;
	g.tos = INET_ECN_CE;
	g.seq += 100;
	g.len = 10;
	input(test, &g);
	KUNIT_EXPECT_TRUE(test, c->ecn & TCP_ECN_DEMAND_CWR);
}

enum attack_outcome {
	IGNORED,
	ANSWERED,
	CHALLENGED,
	ENDED,
};

struct attack_case {
	const char *desc;
	u8 flags;
	s32 seq;	/* from RCV.NXT */
	enum attack_outcome want;
};

static const struct attack_case attack_cases[] = {
	{ "BRA-2 RST, exact", TCPHDR_RST, 0, ENDED },
	{ "BRA-3 RST, next", TCPHDR_RST, 1, CHALLENGED },
	{ "BRA-3 RST, last of the window", TCPHDR_RST, NIC_TEST_WND - 1,
	  CHALLENGED },
	{ "BRA-1 RST, behind the window", TCPHDR_RST, NIC_TEST_WND, IGNORED },
	{ "BRA-1 RST, before the window", TCPHDR_RST, -1, IGNORED },
	{ "BRA-2 RST and SYN", TCPHDR_RST | TCPHDR_SYN, 0, ENDED },
	{ "BRA-5 SYN, exact", TCPHDR_SYN, 0, ENDED },
	{ "BRA-6 SYN, next", TCPHDR_SYN, 1, CHALLENGED },
	{ "BRA-6 SYN, last of the window", TCPHDR_SYN, NIC_TEST_WND - 1,
	  CHALLENGED },
	{ "BRA-4 SYN, behind the window", TCPHDR_SYN, NIC_TEST_WND, ANSWERED },
	{ "BRA-4 SYN, before the window", TCPHDR_SYN, -1, ANSWERED },
	{ "no ACK flag", 0, 0, IGNORED },
};

static void attack_desc(const struct attack_case *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(attack, attack_cases, attack_desc);

static void blind_attack(struct kunit *test)
{
	const struct attack_case *p = test->param_value;
	struct nic_conn *c = nic_test_conn(test);
	struct segment g = plain(test);
	u32 out = p->want == ANSWERED || p->want == CHALLENGED;

	g.flags = p->flags;
	g.seq += p->seq;
	input(test, &g);
	KUNIT_EXPECT_EQ(test, segs_out(test), out);
	KUNIT_EXPECT_EQ(test, nic_test_count(test, CHIM_CNT_CHALLENGE_ACKS),
			p->want == CHALLENGED);
	KUNIT_EXPECT_EQ(test, c->reason,
			p->want == ENDED ? CHIMNEY_REASON_ABORT : 0);
	KUNIT_EXPECT_EQ(test, c->state,
			p->want == ENDED ? CHIMNEY_TCP_STATE_CLOSED :
					   CHIMNEY_TCP_STATE_ESTABLISHED);
	KUNIT_EXPECT_EQ(test, !!(c->flags & NIC_MITIGATE),
			p->want == CHALLENGED); /* BRA-7 */
	KUNIT_EXPECT_EQ(test, c->rcv_nxt, RCV(0));
}

/* BRA-3: once, until an acceptable segment comes */
static void rst_is_challenged_once(struct kunit *test)
{
	struct segment rst = plain(test), g = rst;
	int i;

	rst.flags = TCPHDR_RST;
	rst.seq++;
	for (i = 0; i < 3; i++)
		input(test, &rst);
	KUNIT_EXPECT_EQ(test, segs_out(test), 1);
	input(test, &g);
	KUNIT_EXPECT_EQ(test, segs_out(test), 1);
	input(test, &rst);
	KUNIT_EXPECT_EQ(test, segs_out(test), 2);
}

/* SEC-2, RFC 5961 7: whatever the segment carries */
static void ack_challenges_are_limited(struct kunit *test)
{
	struct segment g = plain(test);
	int i;

	g.ack++;
	g.len = 10;
	for (i = 0; i < 5; i++)
		input(test, &g);
	KUNIT_EXPECT_EQ(test, segs_out(test), 1);
}

/* BRA-6: at most one in three seconds, whatever comes between */
static void syn_is_challenged_rarely(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct segment syn = plain(test), g = syn;

	syn.flags = TCPHDR_SYN;
	syn.seq++;
	input(test, &syn);
	input(test, &g);
	input(test, &syn);
	KUNIT_EXPECT_EQ(test, segs_out(test), 1);
	c->disorder->last_syn -= NIC_SYN_ACK_MS;
	input(test, &syn);
	KUNIT_EXPECT_EQ(test, segs_out(test), 2);
}

struct ack_case {
	const char *desc;
	s64 ack;	/* from SND.UNA; 3000 bytes are in flight */
	bool ok;
	u32 una;
};

static const struct ack_case ack_cases[] = {
	{ "nothing new", 0, true, 0 },
	{ "one byte", 1, true, 1 },
	{ "all", 3000, true, 3000 },
	{ "more than was sent", 3001, false, 0 },
	{ "old", -1, true, 0 },
	{ "as old as a window", -(s64)NIC_TEST_WND, true, 0 },
	{ "older: injected", -(s64)NIC_TEST_WND - 1, false, 0 },
};

static void ack_desc(const struct ack_case *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(ack, ack_cases, ack_desc);

/* RFC 5961 5.2 */
static void ack_range(struct kunit *test)
{
	const struct ack_case *p = test->param_value;
	struct nic_conn *c = nic_test_conn(test);
	struct segment g;

	nic_test_flight(test, 3000);
	g = plain(test);
	g.ack = SND(p->ack);
	g.len = 10;
	input(test, &g);
	KUNIT_EXPECT_EQ(test, c->snd_una, SND(p->una));
	KUNIT_EXPECT_EQ(test, c->rcv_nxt, RCV(p->ok ? 10 : 0));
	KUNIT_EXPECT_EQ(test, nic_test_count(test, CHIM_CNT_CHALLENGE_ACKS),
			!p->ok);
	KUNIT_EXPECT_EQ(test, !c->txq.tail, p->una == 3000);
}

static void urgent_data_goes_to_the_host(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct segment g = plain(test);

	g.flags |= TCPHDR_URG;
	g.len = 5;
	input(test, &g);
	KUNIT_EXPECT_EQ(test, c->reason, CHIMNEY_REASON_RECEIVED_URGENT_DATA);
	KUNIT_EXPECT_EQ(test, c->rcv_nxt, RCV(0));
	KUNIT_ASSERT_NOT_NULL(test, c->disorder);
	KUNIT_EXPECT_EQ(test, skb_queue_len(&c->disorder->held), 1);
	/* And so does what follows, up to a limit. */
	g.flags = TCPHDR_ACK;
	for (g.seq += 5; g.seq != RCV(5 * (NIC_HELD_MAX + 9)); g.seq += 5)
		input(test, &g);
	KUNIT_EXPECT_EQ(test, skb_queue_len(&c->disorder->held), NIC_HELD_MAX);
	KUNIT_EXPECT_EQ(test, segs_out(test), 0);
}

/* PST-1, PST-4, PST-5: the window closes, stays closed, opens. */
static void window_closes_and_opens(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct segment g = plain(test);

	c->srtt_us = 8;
	nic_test_post(test, 100);
	g.wnd = 0;
	input(test, &g);
	KUNIT_EXPECT_TRUE(test, c->flags & NIC_PERSIST);
	KUNIT_EXPECT_NE(test, c->t_rtx, CHIM_IDLE);
	KUNIT_EXPECT_EQ(test, segs_out(test), 0);
	c->rtx_count = 1; /* a probe has gone */
	input(test, &g);
	KUNIT_EXPECT_EQ(test, c->probe_round, 1);
	g.wnd = 1000;
	input(test, &g);
	KUNIT_EXPECT_FALSE(test, c->flags & NIC_PERSIST);
	KUNIT_EXPECT_EQ(test, c->probe_round, 0);
	KUNIT_EXPECT_EQ(test, c->stats.bytes_out, 100);
}

/* RFC 9293 3.10.7.4: an older segment does not change the window. */
static void window_update_needs_a_newer_segment(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct segment g = plain(test);

	g.len = 10;
	g.wnd = 5000;
	input(test, &g);
	KUNIT_EXPECT_EQ(test, c->snd_wnd, 5000);
	g.len = 20; /* overlaps, began earlier */
	c->snd_wl1 = RCV(10);
	g.wnd = 6000;
	input(test, &g);
	KUNIT_EXPECT_EQ(test, c->rcv_nxt, RCV(20));
	KUNIT_EXPECT_EQ(test, c->snd_wnd, 5000);
	KUNIT_EXPECT_EQ(test, c->max_snd_wnd, NIC_TEST_WND);
}

struct dupack_case {
	const char *desc;
	u8 cflags;
	u32 len;
	u8 flags;
	u32 old_wnd;
	bool news;
	s32 ack;
	u32 flight;
	bool want;
};

/* RFC 5681 2, RFC 6675 */
static const struct dupack_case dupack_cases[] = {
	{ "plain", 0, 0, TCPHDR_ACK, NIC_TEST_WND, false, 0, 10, true },
	{ "with data", 0, 1, TCPHDR_ACK, NIC_TEST_WND, false, 0, 10, false },
	{ "with FIN", 0, 0, TCPHDR_ACK | TCPHDR_FIN, NIC_TEST_WND, false, 0,
	  10, false },
	{ "changes the window", 0, 0, TCPHDR_ACK, 1, false, 0, 10, false },
	{ "acknowledges", 0, 0, TCPHDR_ACK, NIC_TEST_WND, false, 1, 10,
	  false },
	{ "nothing in flight", 0, 0, TCPHDR_ACK, NIC_TEST_WND, false, 0, 0,
	  false },
	{ "SACK, news", CHIMNEY_CONST_FLAG_SACK, 1, TCPHDR_ACK, 1, true, 0, 10,
	  true },
	{ "SACK, no news", CHIMNEY_CONST_FLAG_SACK, 0, TCPHDR_ACK,
	  NIC_TEST_WND, false, 0, 10, false },
};

static void dupack_desc(const struct dupack_case *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(dupack, dupack_cases, dupack_desc);

static void dupack_or_not(struct kunit *test)
{
	const struct dupack_case *p = test->param_value;
	struct nic_conn *c = nic_test_conn(test);
	struct nic_seg s = {
		.ack = SND(p->ack),
		.len = p->len,
		.flags = p->flags,
	};

	c->cflags = p->cflags;
	c->snd_max = SND(p->flight);
	KUNIT_EXPECT_EQ(test, nic_is_dupack(c, &s, p->old_wnd, p->news),
			p->want);
}

/* PST-4: answers to window probes tell of no loss. */
static void probe_answers_are_no_duplicates(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct segment g = plain(test);
	int i;

	c->cflags = 0;
	nic_test_post(test, 100);
	g.wnd = 0;
	input(test, &g);
	for (i = 1; i < 9; i++) {
		KUNIT_EXPECT_TRUE(test, chim_nic_send_window_probe(c));
		c->rtx_count = 1;
		input(test, &g);
		KUNIT_EXPECT_EQ(test, c->probe_round, i);
	}
	KUNIT_EXPECT_FALSE(test, c->flags & NIC_RECOVERY);
	KUNIT_EXPECT_EQ(test, segs_out(test), 8);
	KUNIT_EXPECT_EQ(test, c->snd_nxt, SND(0));
	KUNIT_EXPECT_EQ(test, c->cwnd, NIC_TEST_WND);
}

/* RTX-8, RFC 5681 3.2: the third one, not the second */
static void dupacks_start_recovery(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct segment g;
	int i;

	c->cflags = 0;
	nic_test_flight(test, 10000);
	c->flags |= NIC_RTT_TIMING;
	c->rtt_seq = c->snd_max;
	g = plain(test);
	g.ack = c->snd_una;
	for (i = 0; i < 2; i++)
		input(test, &g);
	KUNIT_EXPECT_FALSE(test, c->flags & NIC_RECOVERY);
	KUNIT_EXPECT_EQ(test, c->stats.retrans_segs, 0);
	input(test, &g);
	KUNIT_EXPECT_TRUE(test, c->flags & NIC_RECOVERY);
	KUNIT_EXPECT_EQ(test, c->stats.retrans_segs, 1);
	KUNIT_EXPECT_EQ(test, c->ssthresh, 5000);
	KUNIT_EXPECT_EQ(test, c->cwnd, 5000 + 3 * NIC_TEST_MSS);
	KUNIT_EXPECT_EQ(test, c->recover, SND(10000));
	/* A partial ACK resends the next, a full one ends it. */
	g.ack = SND(4000);
	input(test, &g);
	KUNIT_EXPECT_TRUE(test, c->flags & NIC_RECOVERY);
	KUNIT_EXPECT_EQ(test, c->stats.retrans_segs, 2);
	g.ack = SND(10000);
	input(test, &g);
	KUNIT_EXPECT_FALSE(test, c->flags & NIC_RECOVERY);
	KUNIT_EXPECT_EQ(test, c->cwnd, 5000);
	KUNIT_EXPECT_EQ(test, c->srtt_us, 0); /* Karn */
}

/* The MSS may have grown beyond the congestion window meanwhile. */
static void deflation_ends_at_nothing(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	c->cflags = 0;
	nic_test_flight(test, 5000);
	c->flags |= NIC_RECOVERY;
	c->recover = c->snd_max;
	c->cwnd = NIC_TEST_MSS / 2;
	nic_recovery_acked(c, 700);
	KUNIT_EXPECT_EQ(test, c->cwnd, NIC_TEST_MSS / 2);
}

struct grow_case {
	const char *desc;
	u32 cwnd;
	u32 ssthresh;
	u32 acked;
	u32 flight;
	u32 want;
};

static const struct grow_case grow_cases[] = {
	{ "slow start", 10000, 20000, 2000, 10000, 12000 },
	{ "slow start, L = 4", 10000, 20000, 9000, 10000, 14000 },
	{ "avoidance", 10000, 10000, 1000, 10000, 10100 },
	{ "avoidance, L = 4", 10000, 10000, 9000, 10000, 10400 },
	{ "avoidance, at least a byte", 20000000, 1, 1, 20000000, 20000001 },
	{ "not limited by it", 10000, 20000, 2000, 4999, 10000 },
	{ "just limited by it", 10000, 20000, 2000, 5000, 12000 },
	{ "up to 1 GiB", 1 << 30, U32_MAX, 4000, 1 << 30, 1 << 30 },
};

static void grow_desc(const struct grow_case *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(grow, grow_cases, grow_desc);

static void cwnd_grows(struct kunit *test)
{
	const struct grow_case *p = test->param_value;
	struct nic_conn *c = nic_test_conn(test);

	c->cwnd = p->cwnd;
	c->ssthresh = p->ssthresh;
	nic_grow(c, p->acked, p->flight);
	KUNIT_EXPECT_EQ(test, c->cwnd, p->want);
}

struct fin_case {
	const char *desc;
	u8 state;
	bool fin;	/* the peer's FIN */
	bool ack;	/* of ours */
	u8 want;
	u8 reason;
};

#define S(x)	CHIMNEY_TCP_STATE_##x

static const struct fin_case fin_cases[] = {
	{ "ESTABLISHED, FIN", S(ESTABLISHED), true, false, S(CLOSE_WAIT), 0 },
	{ "FIN_WAIT_1, ACK", S(FIN_WAIT1), false, true, S(FIN_WAIT2), 0 },
	{ "FIN_WAIT_1, FIN", S(FIN_WAIT1), true, false, S(CLOSING), 0 },
	{ "FIN_WAIT_1, both", S(FIN_WAIT1), true, true, S(TIME_WAIT),
	  CHIMNEY_REASON_UPLOAD_REQUESTED },
	{ "FIN_WAIT_2, FIN", S(FIN_WAIT2), true, true, S(TIME_WAIT),
	  CHIMNEY_REASON_UPLOAD_REQUESTED },
	{ "CLOSING, ACK", S(CLOSING), false, true, S(TIME_WAIT),
	  CHIMNEY_REASON_UPLOAD_REQUESTED },
	{ "LAST_ACK, ACK", S(LAST_ACK), false, true, S(CLOSED),
	  CHIMNEY_REASON_UPLOAD_REQUESTED },
	{ "LAST_ACK, old ACK", S(LAST_ACK), false, false, S(LAST_ACK), 0 },
	{ "CLOSE_WAIT, FIN again", S(CLOSE_WAIT), true, false, S(CLOSE_WAIT),
	  0 },
};

static void fin_desc(const struct fin_case *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(fin, fin_cases, fin_desc);

static void fin_changes_the_state(struct kunit *test)
{
	const struct fin_case *p = test->param_value;
	struct nic_conn *c = nic_test_conn(test);
	struct segment g;

	c->state = p->state;
	switch (p->state) {
	case S(FIN_WAIT1):
	case S(CLOSING):
	case S(LAST_ACK):
		c->flags |= NIC_FIN_POSTED;
		c->snd_max = c->snd_end + 1;
		c->snd_nxt = c->snd_max;
		break;
	}
	g = plain(test);
	if (!p->ack)
		g.ack = c->snd_una;
	if (p->fin)
		g.flags |= TCPHDR_FIN;
	input(test, &g);
	KUNIT_EXPECT_EQ(test, c->state, p->want);
	KUNIT_EXPECT_EQ(test, c->reason, p->reason);
}

/* FW2-2, FW2-3: the timer runs though the FIN went as a window probe. */
static void fin_as_a_window_probe(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct segment g;

	nic_test_params(test)->fin_wait2 = 60000;
	c->state = CHIMNEY_TCP_STATE_FIN_WAIT1;
	c->flags |= NIC_FIN_POSTED;
	g = plain(test);
	g.wnd = 0;
	input(test, &g);
	KUNIT_EXPECT_TRUE(test, c->flags & NIC_PERSIST);
	KUNIT_EXPECT_TRUE(test, chim_nic_send_window_probe(c));
	g.ack = c->snd_max;
	input(test, &g);
	KUNIT_EXPECT_EQ(test, c->state, CHIMNEY_TCP_STATE_FIN_WAIT2);
	KUNIT_EXPECT_NE(test, c->t_rtx, CHIM_IDLE);
	g.wnd = 1000;
	input(test, &g);
	KUNIT_EXPECT_NE(test, c->t_rtx, CHIM_IDLE);
}

/* A segment in order behind a hole, its FIN, and what comes behind a FIN,
 * before it or after it
 */
static void fin_waits_for_the_hole(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct segment g = plain(test);

	g.seq = RCV(300);
	g.len = 100;
	input(test, &g);
	g.seq = RCV(100);
	g.flags |= TCPHDR_FIN;
	input(test, &g);
	KUNIT_EXPECT_EQ(test, c->state, CHIMNEY_TCP_STATE_ESTABLISHED);
	KUNIT_EXPECT_EQ(test, segs_out(test), 2);
	g.seq = RCV(0);
	g.flags = TCPHDR_ACK;
	input(test, &g);
	KUNIT_EXPECT_EQ(test, c->state, CHIMNEY_TCP_STATE_CLOSE_WAIT);
	KUNIT_EXPECT_EQ(test, c->rcv_nxt, RCV(201));
	KUNIT_EXPECT_EQ(test, segs_out(test), 3);
	KUNIT_EXPECT_FALSE(test, chim_nic_ooo_any(c)); /* CERT-4 */
	g.seq = RCV(201);
	input(test, &g);
	KUNIT_EXPECT_EQ(test, c->rcv_nxt, RCV(201));
}

/* What lies behind the window is cut off, and a FIN there with it. */
static void window_cuts_a_segment(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct segment g = plain(test);

	c->rcv_adv = RCV(100);
	c->rcv_edge = c->rcv_adv;
	g.len = 101;
	g.flags |= TCPHDR_FIN;
	input(test, &g);
	KUNIT_EXPECT_EQ(test, c->rcv_nxt, RCV(100));
	KUNIT_EXPECT_EQ(test, c->state, CHIMNEY_TCP_STATE_ESTABLISHED);
	KUNIT_EXPECT_EQ(test, c->stats.bytes_in, 100);
	KUNIT_EXPECT_EQ(test, segs_out(test), 1);
}

/* With the window shut nothing is left of one that began before it. */
static void shut_window_leaves_nothing(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct segment g = plain(test);

	c->rcv_adv = c->rcv_nxt;
	c->rcv_edge = c->rcv_nxt;
	g.seq -= 10;
	g.len = 20;
	input(test, &g);
	KUNIT_EXPECT_EQ(test, c->rcv_nxt, RCV(0));
	KUNIT_EXPECT_NULL(test, c->rxq.tail);
	KUNIT_EXPECT_EQ(test, segs_out(test), 1);
}

/* While its socket is busy nobody fetches: what may wait has an end. */
static void waiting_data_is_limited(struct kunit *test)
{
	struct nic_test *t = test->priv;
	struct nic_conn *c = &t->c;
	struct segment g;
	u32 i;

	t->sk.sk_rcvbuf = 4000;
	t->sk.sk_sndbuf = 4000;
	for (i = 0; i < 100; i++) {
		g = plain(test);
		g.len = 100;
		input(test, &g);
	}
	KUNIT_EXPECT_GT(test, c->rx_mem, 4000);
	KUNIT_EXPECT_LT(test, c->rx_mem, 12000);
	KUNIT_EXPECT_EQ(test, c->rcv_nxt, RCV((u32)c->stats.bytes_in));
	KUNIT_EXPECT_EQ(test, nic_test_count(test, CHIM_CNT_RX_NO_ROOM),
			100 - c->stats.bytes_in / 100);

	/* Nor does a mark on what is dropped count. */
	c->ecn = TCP_ECN_MODE_RFC3168;
	g = plain(test);
	g.tos = INET_ECN_CE;
	g.len = 100;
	input(test, &g);
	KUNIT_EXPECT_FALSE(test, c->ecn & TCP_ECN_DEMAND_CWR);
}

/* RFC 5681 4.2: full segments have no room to tell of a hole. */
static void hole_is_told_of_beside_data(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct segment g = plain(test);

	nic_test_post(test, 2 * NIC_TEST_MSS);
	c->last_send = (u32)ktime_to_us(ktime_get());
	g.seq = RCV(100);
	g.len = 100;
	input(test, &g);
	KUNIT_EXPECT_EQ(test, c->snd_nxt, SND(2 * NIC_TEST_MSS));
	KUNIT_EXPECT_EQ(test, segs_out(test), 3);
	KUNIT_EXPECT_FALSE(test, c->flags & NIC_ACK_NOW);
}

/* ---- reassembly --------------------------------------------------- */

#define STREAM	6000	/* bytes, less than a window */

/* Whatever is reported has been received. */
static bool sacks_are_true(const struct nic_conn *c, const u8 *map)
{
	u32 i, seq;

	for (i = 0; c->disorder && i < c->disorder->n_sacks; i++) {
		const struct nic_range *r = &c->disorder->sacks[i];

		if (!nic_after(r->start, c->rcv_nxt) ||
		    !nic_before(r->start, r->end))
			return false;
		for (seq = r->start; seq != r->end; seq++)
			if (!map[seq - NIC_TEST_IRS])
				return false;
	}
	return true;
}

/* Segments of any size, in any order, some several times, are the stream. */
static void reassembly_of_anything(struct kunit *test)
{
	u8 *map = kunit_kzalloc(test, STREAM, GFP_KERNEL);
	struct nic_conn *c = nic_test_conn(test);
	u32 have = 0, wrong = 0, i, seq;
	struct segment g = plain(test);
	struct rnd_state rnd;
	struct sk_buff *skb;

	KUNIT_ASSERT_NOT_NULL(test, map);
	prandom_seed_state(&rnd, SEED);
	for (i = 0; have < STREAM && i < 20000; i++) {
		u32 from = prandom_u32_state(&rnd) % STREAM;

		g.len = 1 + prandom_u32_state(&rnd) % 300;
		g.len = min_t(u32, g.len, STREAM - from);
		g.seq = RCV(from);
		input(test, &g);
		memset(map + from, 1, g.len);
		while (have < STREAM && map[have])
			have++;
		if (c->rcv_nxt != RCV(have)) {
			KUNIT_FAIL(test, "segment %u: RCV.NXT %u, not %u", i,
				   c->rcv_nxt - RCV(0), have);
			return;
		}
		if (!sacks_are_true(c, map)) {
			KUNIT_FAIL(test, "segment %u: SACK blocks", i);
			return;
		}
	}
	KUNIT_EXPECT_EQ(test, have, STREAM);
	seq = RCV(0);
	while ((skb = nic_queue_pop(&c->rxq))) {
		wrong += TCP_SKB_CB(skb)->seq != seq;
		for (i = 0; i < skb->len; i++)
			wrong += skb->data[i] != nic_test_byte(seq++);
		kfree_skb(skb);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_EQ(test, seq, RCV(STREAM));
	KUNIT_EXPECT_EQ(test, c->stats.bytes_in, STREAM);
	KUNIT_EXPECT_FALSE(test, chim_nic_ooo_any(c));
	KUNIT_EXPECT_EQ(test, c->disorder->ooo_segs, 0);
	KUNIT_EXPECT_EQ(test, c->disorder->n_sacks, 0);
}

static struct kunit_case nic_input_cases[] = {
	KUNIT_CASE(seq_compare),
	KUNIT_CASE_PARAM(window_check, window_gen_params),
	KUNIT_CASE_PARAM(paws_check, paws_gen_params),
	KUNIT_CASE(ts_recent_update),
	KUNIT_CASE(ratelimit),
	KUNIT_CASE_PARAM(board_merges, board_gen_params),
	KUNIT_CASE(board_is_limited),
	KUNIT_CASE_PARAM(board_is_trimmed, trim_gen_params),
	KUNIT_CASE(board_against_a_map),
	KUNIT_CASE_PARAM(sacked_takes_only_what_makes_sense,
			 sacked_gen_params),
	KUNIT_CASE_PARAM(parse_options, option_gen_params),
	KUNIT_CASE(ack_every_second),
	KUNIT_CASE(ack_delay_counts_from_the_first),
	KUNIT_CASE(keepalive_probe_is_answered),
	KUNIT_CASE(marks_are_echoed),
	KUNIT_CASE(marks_ahead_are_echoed),
	KUNIT_CASE_PARAM(blind_attack, attack_gen_params),
	KUNIT_CASE(rst_is_challenged_once),
	KUNIT_CASE(ack_challenges_are_limited),
	KUNIT_CASE(syn_is_challenged_rarely),
	KUNIT_CASE_PARAM(ack_range, ack_gen_params),
	KUNIT_CASE(urgent_data_goes_to_the_host),
	KUNIT_CASE(window_closes_and_opens),
	KUNIT_CASE(window_update_needs_a_newer_segment),
	KUNIT_CASE_PARAM(dupack_or_not, dupack_gen_params),
	KUNIT_CASE(probe_answers_are_no_duplicates),
	KUNIT_CASE(dupacks_start_recovery),
	KUNIT_CASE(deflation_ends_at_nothing),
	KUNIT_CASE_PARAM(cwnd_grows, grow_gen_params),
	KUNIT_CASE_PARAM(fin_changes_the_state, fin_gen_params),
	KUNIT_CASE(fin_as_a_window_probe),
	KUNIT_CASE(fin_waits_for_the_hole),
	KUNIT_CASE(window_cuts_a_segment),
	KUNIT_CASE(shut_window_leaves_nothing),
	KUNIT_CASE(waiting_data_is_limited),
	KUNIT_CASE(hole_is_told_of_beside_data),
	KUNIT_CASE(reassembly_of_anything),
	{}
};

static struct kunit_suite nic_input_suite = {
	.name = "chimney_nic_input",
	.init = nic_test_init,
	.exit = nic_test_exit,
	.test_cases = nic_input_cases,
};

kunit_test_suite(nic_input_suite);
