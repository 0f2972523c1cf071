// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: segments out of order, and what is reported of them.
 * Part of nic_reasm.c.
 */
#include "nic_test.h"

/* Offsets count from RCV.NXT, across the wrap. */
#define AT(n)	(NIC_TEST_IRS + (n))

static struct nic_disorder *disorder(struct kunit *test)
{
	struct nic_disorder *d = chim_nic_disorder(nic_test_conn(test));

	KUNIT_ASSERT_NOT_NULL(test, d);
	return d;
}

static void add(struct kunit *test, u32 from, u32 to)
{
	chim_nic_ooo_add(nic_test_conn(test),
			 nic_test_skb(test, AT(from), to - from));
}

static void expect_block(struct kunit *test, u32 i, u32 from, u32 to)
{
	const struct nic_disorder *d = disorder(test);

	KUNIT_EXPECT_EQ_MSG(test, d->sacks[i].start - NIC_TEST_IRS, from,
			    "block %u", i);
	KUNIT_EXPECT_EQ_MSG(test, d->sacks[i].end - NIC_TEST_IRS, to,
			    "block %u", i);
}

/* The next segment in order is [from, to), and holds what belongs there. */
static void expect_next(struct kunit *test, u32 from, u32 to)
{
	struct nic_conn *c = nic_test_conn(test);
	struct sk_buff *skb = chim_nic_ooo_next(c);
	u32 i, wrong = 0;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	KUNIT_EXPECT_EQ(test, TCP_SKB_CB(skb)->seq - NIC_TEST_IRS, from);
	KUNIT_EXPECT_EQ(test, TCP_SKB_CB(skb)->end_seq - NIC_TEST_IRS, to);
	KUNIT_EXPECT_EQ(test, skb->len, to - from);
	for (i = 0; i < skb->len; i++)
		wrong += skb->data[i] != nic_test_byte(AT(from) + i);
	KUNIT_EXPECT_EQ(test, wrong, 0);
	c->rcv_nxt = TCP_SKB_CB(skb)->end_seq;
	kfree_skb(skb);
}

static void expect_no_next(struct kunit *test)
{
	struct sk_buff *skb = chim_nic_ooo_next(nic_test_conn(test));

	KUNIT_EXPECT_NULL(test, skb);
	kfree_skb(skb);
}

struct apart_case {
	const char *desc;
	u32 start;
	u32 end;
	bool want;
};

/* beside [100, 200) */
static const struct apart_case apart_cases[] = {
	{ "below, with a gap", 50, 99, true },
	{ "below, adjacent", 50, 100, false },
	{ "below, overlapping", 50, 101, false },
	{ "inside", 120, 130, false },
	{ "the same", 100, 200, false },
	{ "around", 50, 300, false },
	{ "above, overlapping", 199, 300, false },
	{ "above, adjacent", 200, 300, false },
	{ "above, with a gap", 201, 300, true },
};

static void apart_desc(const struct apart_case *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(apart, apart_cases, apart_desc);

static void apart_means_a_gap(struct kunit *test)
{
	const struct apart_case *p = test->param_value;
	u32 base;

	/* The wrap at every place */
	for (base = -310U; base != 10U && !nic_test_failed(test); base++) {
		struct nic_range r = { base + 100, base + 200 };

		KUNIT_EXPECT_EQ_MSG(test,
				    nic_apart(&r, base + p->start,
					      base + p->end),
				    p->want, "base %u", base);
	}
}

/* RFC 2018 4: the block that holds the latest segment comes first. */
static void blocks_latest_first(struct kunit *test)
{
	struct nic_disorder *d = disorder(test);

	add(test, 100, 200);
	add(test, 500, 600);
	add(test, 300, 400);
	KUNIT_EXPECT_EQ(test, d->n_sacks, 3);
	expect_block(test, 0, 300, 400);
	expect_block(test, 1, 500, 600);
	expect_block(test, 2, 100, 200);
}

static void blocks_merge(struct kunit *test)
{
	struct nic_disorder *d = disorder(test);

	add(test, 100, 200);
	add(test, 500, 600);
	add(test, 300, 400);
	add(test, 200, 300); /* adjacent on both sides */
	KUNIT_EXPECT_EQ(test, d->n_sacks, 2);
	expect_block(test, 0, 100, 400);
	expect_block(test, 1, 500, 600);
	add(test, 350, 550); /* overlapping on both sides */
	KUNIT_EXPECT_EQ(test, d->n_sacks, 1);
	expect_block(test, 0, 100, 600);
}

static void blocks_one_byte_gap_stays(struct kunit *test)
{
	struct nic_disorder *d = disorder(test);

	add(test, 100, 200);
	add(test, 201, 300);
	KUNIT_EXPECT_EQ(test, d->n_sacks, 2);
	add(test, 200, 201);
	KUNIT_EXPECT_EQ(test, d->n_sacks, 1);
	expect_block(test, 0, 100, 300);
}

static void blocks_oldest_is_forgotten(struct kunit *test)
{
	struct nic_disorder *d = disorder(test);
	u32 i;

	for (i = 1; i <= NIC_SACK_BLOCKS + 2; i++)
		add(test, 100 * i, 100 * i + 50);
	KUNIT_EXPECT_EQ(test, d->n_sacks, NIC_SACK_BLOCKS);
	for (i = 0; i < NIC_SACK_BLOCKS; i++)
		expect_block(test, i, 100 * (NIC_SACK_BLOCKS + 2 - i),
			     100 * (NIC_SACK_BLOCKS + 2 - i) + 50);
	KUNIT_EXPECT_EQ(test, d->ooo_segs, NIC_SACK_BLOCKS + 2);
}

static void blocks_below_are_trimmed(struct kunit *test)
{
	struct nic_disorder *d = disorder(test);

	add(test, 100, 200);
	add(test, 300, 400);
	add(test, 500, 600);
	nic_sack_trim(d, AT(300));
	KUNIT_EXPECT_EQ(test, d->n_sacks, 1);
	expect_block(test, 0, 500, 600);
	nic_sack_trim(d, AT(499));
	KUNIT_EXPECT_EQ(test, d->n_sacks, 1);
	nic_sack_trim(d, AT(600));
	KUNIT_EXPECT_EQ(test, d->n_sacks, 0);
}

static void queue_returns_them_in_order(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	add(test, 500, 900);
	add(test, 100, 200);
	add(test, 200, 500);
	KUNIT_EXPECT_TRUE(test, chim_nic_ooo_any(c));
	expect_no_next(test);
	c->rcv_nxt = AT(100);
	expect_next(test, 100, 200);
	expect_next(test, 200, 500);
	KUNIT_EXPECT_TRUE(test, chim_nic_ooo_any(c));
	expect_next(test, 500, 900);
	expect_no_next(test);
	KUNIT_EXPECT_FALSE(test, chim_nic_ooo_any(c));
	KUNIT_EXPECT_EQ(test, disorder(test)->ooo_segs, 0);
	KUNIT_EXPECT_EQ(test, disorder(test)->n_sacks, 0);
}

static void queue_cuts_overlaps(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	add(test, 100, 300);
	add(test, 250, 400);
	add(test, 260, 500);
	c->rcv_nxt = AT(150);
	expect_next(test, 150, 300);
	expect_next(test, 300, 400);
	expect_next(test, 400, 500);
	expect_no_next(test);
}

static void queue_drops_what_is_old(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);

	add(test, 100, 200);
	add(test, 150, 250);
	add(test, 300, 400);
	c->rcv_nxt = AT(250);
	expect_no_next(test);
	KUNIT_EXPECT_EQ(test, disorder(test)->ooo_segs, 1);
	c->rcv_nxt = AT(400);
	expect_no_next(test);
	KUNIT_EXPECT_FALSE(test, chim_nic_ooo_any(c));
}

/* What is told to be there twice: the new one, the old one that it covers, or
 * neither of them.
 */
enum again { NEW, OLD, NONE };

struct again_case {
	const char *desc;
	u32 from;
	u32 to;
	enum again twice;
};

/* after [100, 300) */
static const struct again_case again_cases[] = {
	{ "the same", 100, 300, NEW },
	{ "its head", 100, 200, NEW },
	{ "its tail", 200, 300, NEW },
	{ "its middle", 150, 200, NEW },
	{ "one byte more", 100, 301, OLD },
	{ "one byte earlier", 99, 300, OLD },
	{ "the byte before", 99, 100, NONE },
	{ "the byte behind", 300, 301, NONE },
};

static void again_desc(const struct again_case *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(again, again_cases, again_desc);

/* Of two that cover one another the larger stays; what came twice is reported
 * (RFC 2883).
 */
static void queue_reports_duplicates(struct kunit *test)
{
	const struct again_case *p = test->param_value;
	struct nic_disorder *d = disorder(test);

	add(test, 100, 300);
	add(test, 500, 600);
	add(test, p->from, p->to);
	KUNIT_EXPECT_EQ(test, d->ooo_segs, p->twice == NONE ? 3 : 2);
	if (p->twice == NONE) {
		KUNIT_EXPECT_EQ(test, d->dsack.start, d->dsack.end);
	} else {
		KUNIT_EXPECT_EQ(test, d->dsack.start,
				AT(p->twice == NEW ? p->from : 100));
		KUNIT_EXPECT_EQ(test, d->dsack.end,
				AT(p->twice == NEW ? p->to : 300));
	}
	expect_block(test, 0, min(p->from, 100U), max(p->to, 300U));
}

/* SEC-8: also few but large ones have an end, and what is gone is free. */
static void memory_is_limited(struct kunit *test)
{
	struct nic_test *t = test->priv;
	struct nic_disorder *d = disorder(test);
	u32 i, had, room = 40000;

	t->sk.sk_rcvbuf = room;
	for (i = 1; i <= 100; i++)
		add(test, 1000 + i, 5000 + i);
	had = d->ooo_mem;
	KUNIT_EXPECT_GT(test, d->ooo_segs, 2);
	KUNIT_EXPECT_GT(test, had, room / 2);
	KUNIT_EXPECT_LE(test, had, room);
	/* Other data that waits takes its share. */
	t->c.rx_mem = room;
	add(test, 20000, 20001);
	KUNIT_EXPECT_EQ(test, d->ooo_mem, had);
	t->c.rx_mem = 0;

	add(test, 1000, 9000); /* covers them all, if there is room */
	KUNIT_EXPECT_EQ(test, d->ooo_mem, had);
	t->sk.sk_rcvbuf = 2 * room;
	add(test, 1000, 9000);
	KUNIT_EXPECT_EQ(test, d->ooo_segs, 1);
	KUNIT_EXPECT_GE(test, d->ooo_mem, 8000);
	KUNIT_EXPECT_LT(test, d->ooo_mem, had);
	t->c.rcv_nxt = AT(1000);
	expect_next(test, 1000, 9000);
	KUNIT_EXPECT_EQ(test, d->ooo_mem, 0);
	add(test, 9100, 9200);
	KUNIT_EXPECT_GT(test, d->ooo_mem, 0);
	chim_nic_ooo_purge(&t->c);
	KUNIT_EXPECT_EQ(test, d->ooo_mem, 0);
}

static void queue_is_limited(struct kunit *test)
{
	struct nic_disorder *d = disorder(test);
	u32 i;

	for (i = 1; i <= NIC_OOO_MAX + 10; i++)
		add(test, 2 * i, 2 * i + 1);
	KUNIT_EXPECT_EQ(test, d->ooo_segs, NIC_OOO_MAX);
	KUNIT_EXPECT_EQ(test, nic_test_count(test, CHIM_CNT_OOO_SEGS),
			NIC_OOO_MAX + 10);
	/* Nothing is reported that was dropped. */
	expect_block(test, 0, 2 * NIC_OOO_MAX, 2 * NIC_OOO_MAX + 1);
	chim_nic_ooo_purge(nic_test_conn(test));
	KUNIT_EXPECT_EQ(test, d->ooo_segs, 0);
	KUNIT_EXPECT_EQ(test, d->n_sacks, 0);
	KUNIT_EXPECT_FALSE(test, chim_nic_ooo_any(nic_test_conn(test)));
}

/* BLD-34: what the host had received out of order */
static void queue_is_taken_over(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	static const u32 from[] = { 300, 100, 200, 600 };
	struct rb_root ooo = RB_ROOT;
	u32 i;

	chim_nic_ooo_load(c, &ooo);
	KUNIT_EXPECT_NULL(test, c->disorder);

	for (i = 0; i < ARRAY_SIZE(from); i++) {
		struct sk_buff *skb = nic_test_skb(test, AT(from[i]), 100);
		struct rb_node **p = &ooo.rb_node, *parent = NULL;

		while (*p) {
			parent = *p;
			p = nic_before(TCP_SKB_CB(skb)->seq,
				       TCP_SKB_CB(rb_to_skb(parent))->seq) ?
				&parent->rb_left : &parent->rb_right;
		}
		rb_link_node(&skb->rbnode, parent, p);
		rb_insert_color(&skb->rbnode, &ooo);
	}
	chim_nic_ooo_load(c, &ooo);
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&ooo));
	KUNIT_EXPECT_EQ(test, disorder(test)->ooo_segs, 4);
	KUNIT_EXPECT_EQ(test, disorder(test)->n_sacks, 2);
	expect_block(test, 0, 600, 700);
	expect_block(test, 1, 100, 400);
	c->rcv_nxt = AT(100);
	expect_next(test, 100, 200);
	expect_next(test, 200, 300);
	expect_next(test, 300, 400);
	expect_no_next(test);
}

static void head_is_trimmed(struct kunit *test)
{
	struct sk_buff *skb = nic_test_skb(test, AT(0), 600);

	KUNIT_EXPECT_TRUE(test, chim_nic_trim_head(skb, 0));
	KUNIT_EXPECT_EQ(test, skb->len, 600);
	KUNIT_EXPECT_TRUE(test, chim_nic_trim_head(skb, 599));
	KUNIT_EXPECT_EQ(test, skb->len, 1);
	KUNIT_EXPECT_EQ(test, TCP_SKB_CB(skb)->seq, AT(599));
	KUNIT_EXPECT_EQ(test, skb->data[0], nic_test_byte(AT(599)));
	kfree_skb(skb);
}

/* A duplicate comes first, and once; then as many as fit. */
static void sack_blocks_for_a_segment(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct nic_range r[NIC_SACK_BLOCKS];
	u32 i;

	KUNIT_EXPECT_EQ(test, chim_nic_sack_blocks(c, r, 4), 0);
	for (i = 1; i <= NIC_SACK_BLOCKS; i++)
		add(test, 100 * i, 100 * i + 50);
	chim_nic_dsack(c, AT(10), AT(20));
	KUNIT_EXPECT_EQ(test, chim_nic_sack_blocks(c, r, 3), 3);
	KUNIT_EXPECT_EQ(test, r[0].start, AT(10));
	KUNIT_EXPECT_EQ(test, r[0].end, AT(20));
	KUNIT_EXPECT_EQ(test, r[1].start, AT(400));
	KUNIT_EXPECT_EQ(test, r[2].start, AT(300));
	KUNIT_EXPECT_EQ(test, chim_nic_sack_blocks(c, r, 3), 3);
	KUNIT_EXPECT_EQ(test, r[0].start, AT(400));
	KUNIT_EXPECT_EQ(test, chim_nic_sack_blocks(c, r, 4), 4);
	KUNIT_EXPECT_EQ(test, r[3].start, AT(100));
}

static void sack_blocks_only_if_permitted(struct kunit *test)
{
	struct nic_conn *c = nic_test_conn(test);
	struct nic_range r[NIC_SACK_BLOCKS];

	c->cflags = 0;
	chim_nic_dsack(c, AT(10), AT(20));
	KUNIT_EXPECT_NULL(test, c->disorder);
	add(test, 100, 200);
	KUNIT_EXPECT_EQ(test, chim_nic_sack_blocks(c, r, 4), 0);
}

static struct kunit_case nic_reasm_cases[] = {
	KUNIT_CASE_PARAM(apart_means_a_gap, apart_gen_params),
	KUNIT_CASE(blocks_latest_first),
	KUNIT_CASE(blocks_merge),
	KUNIT_CASE(blocks_one_byte_gap_stays),
	KUNIT_CASE(blocks_oldest_is_forgotten),
	KUNIT_CASE(blocks_below_are_trimmed),
	KUNIT_CASE(queue_returns_them_in_order),
	KUNIT_CASE(queue_cuts_overlaps),
	KUNIT_CASE(queue_drops_what_is_old),
	KUNIT_CASE_PARAM(queue_reports_duplicates, again_gen_params),
	KUNIT_CASE(memory_is_limited),
	KUNIT_CASE(queue_is_limited),
	KUNIT_CASE(queue_is_taken_over),
	KUNIT_CASE(head_is_trimmed),
	KUNIT_CASE(sack_blocks_for_a_segment),
	KUNIT_CASE(sack_blocks_only_if_permitted),
	{}
};

static struct kunit_suite nic_reasm_suite = {
	.name = "chimney_nic_reasm",
	.init = nic_test_init,
	.exit = nic_test_exit,
	.test_cases = nic_reasm_cases,
};

kunit_test_suite(nic_reasm_suite);
