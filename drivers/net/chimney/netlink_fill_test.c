// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: times as they are seen outside, in ticks.
 * Part of netlink_fill.c.
 */
#include <kunit/test.h>

#define T0	(1000LL * NSEC_PER_SEC)

struct ticks_case {
	u32 hz;
	s64 ns;		/* left until the deadline */
	u32 want;
};

/* BLD-38, TMR-3: up, 0 only if due; what is too long is cut. */
static const struct ticks_case ticks_cases[] = {
	{ 1000, 0, 0 },
	{ 1000, -1, 0 },
	{ 1000, -T0, 0 },
	{ 1000, 1, 1 },
	{ 1000, 999999, 1 },
	{ 1000, 1000000, 1 },
	{ 1000, 1000001, 2 },
	{ 1000, 7200 * NSEC_PER_SEC, 7200000 },
	{ 1000, 7200 * NSEC_PER_SEC - 1, 7200000 },
	{ 1000, 7200 * NSEC_PER_SEC + 1, 7200001 },
	{ 100, 1, 1 },
	{ 100, 9999999, 1 },
	{ 100, 10000000, 1 },
	{ 100, 10000001, 2 },
	{ 10, 1, 1 },
	{ 10, 100000000, 1 },
	{ 10, 100000001, 2 },
	{ 1000, (U32_MAX - 2LL) * NSEC_PER_MSEC, U32_MAX - 2 },
	{ 1000, (U32_MAX - 1LL) * NSEC_PER_MSEC, U32_MAX - 1 },
	{ 1000, (U32_MAX + 0LL) * NSEC_PER_MSEC, U32_MAX - 1 },
	{ 1000, (U32_MAX + 5LL) * NSEC_PER_MSEC, U32_MAX - 1 },
	{ 10, CHIM_IDLE - T0 - 1, U32_MAX - 1 },
};

static void ticks_desc(const struct ticks_case *p, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%lld ns at %u Hz", p->ns, p->hz);
}

KUNIT_ARRAY_PARAM(ticks, ticks_cases, ticks_desc);

static void deadline_in_ticks(struct kunit *test)
{
	const struct ticks_case *p = test->param_value;

	KUNIT_EXPECT_EQ(test, chim_nl_deadline_to_ticks(T0 + p->ns, T0, p->hz),
			p->want);
}

/* -1: not running. No deadline that is set may look like that. */
static void deadline_not_running(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, CHIMNEY_TIMER_IDLE, U32_MAX);
	KUNIT_EXPECT_EQ(test, chim_nl_deadline_to_ticks(CHIM_IDLE, T0, 1000),
			CHIMNEY_TIMER_IDLE);
	KUNIT_EXPECT_EQ(test, chim_nl_deadline_to_ticks(CHIM_IDLE, T0, 10),
			CHIMNEY_TIMER_IDLE);
	KUNIT_EXPECT_NE(test, chim_nl_deadline_to_ticks(CHIM_IDLE - 1, T0,
							1000),
			CHIMNEY_TIMER_IDLE);
}

static void span_in_ticks(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, chim_nl_ns_to_ticks(0, 1000), 0);
	KUNIT_EXPECT_EQ(test, chim_nl_ns_to_ticks(1, 1000), 1);
	KUNIT_EXPECT_EQ(test, chim_nl_ns_to_ticks(U64_MAX / 2, 1000),
			U32_MAX - 1);
}

struct ms_case {
	u32 hz;
	u32 ms;
	u32 want;
};

static const struct ms_case ms_cases[] = {
	{ 1000, 0, 0 },		{ 1000, 1, 1 },		{ 1000, 40, 40 },
	{ 100, 0, 0 },		{ 100, 1, 1 },		{ 100, 10, 1 },
	{ 100, 11, 2 },		{ 100, 40, 4 },
	{ 10, 0, 0 },		{ 10, 1, 1 },		{ 10, 99, 1 },
	{ 10, 100, 1 },		{ 10, 101, 2 },
	{ 1000, U32_MAX, U32_MAX },
	{ 100, U32_MAX, U32_MAX / 10 + 1 },
	{ 10, U32_MAX, U32_MAX / 100 + 1 },
};

static void ms_desc(const struct ms_case *p, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u ms at %u Hz", p->ms, p->hz);
}

KUNIT_ARRAY_PARAM(ms, ms_cases, ms_desc);

static void ms_in_ticks(struct kunit *test)
{
	const struct ms_case *p = test->param_value;

	KUNIT_EXPECT_EQ(test, chim_nl_ms_to_ticks(p->ms, p->hz), p->want);
}

static int read_ticks(u32 ticks, u32 hz, u32 *ms)
{
	struct {
		struct nlattr a;
		u32 v;
	} attr = { { .nla_len = sizeof(attr) }, ticks };
	struct netlink_ext_ack extack = {};

	return chim_nl_ticks_to_ms(&attr.a, hz, ms, &extack);
}

/* What a user sets is what a user reads. */
static void ticks_there_and_back(struct kunit *test)
{
	static const u32 hz[] = { 10, 100, 1000 };
	u32 i, ticks, ms;

	for (i = 0; i < ARRAY_SIZE(hz); i++)
		for (ticks = 0; ticks < 20000000; ticks += 1 + ticks / 3) {
			KUNIT_EXPECT_EQ(test, read_ticks(ticks, hz[i], &ms), 0);
			KUNIT_EXPECT_EQ(test, ms, ticks * (1000 / hz[i]));
			KUNIT_EXPECT_EQ(test, chim_nl_ms_to_ticks(ms, hz[i]),
					ticks);
			if (test->status == KUNIT_FAILURE)
				return;
		}
}

/* Sockets take INT_MAX ms for no limit, or for less than nothing if it is more;
 * and nothing may wrap to something short.
 */
static void ticks_too_many(struct kunit *test)
{
	u32 ms = 17;

	KUNIT_EXPECT_EQ(test, read_ticks(INT_MAX - 1, 1000, &ms), 0);
	KUNIT_EXPECT_EQ(test, ms, INT_MAX - 1);
	ms = 17;
	KUNIT_EXPECT_EQ(test, read_ticks(INT_MAX, 1000, &ms), -ERANGE);
	KUNIT_EXPECT_EQ(test, read_ticks(U32_MAX, 1000, &ms), -ERANGE);
	KUNIT_EXPECT_EQ(test, read_ticks(U32_MAX - 1, 100, &ms), -ERANGE);
	KUNIT_EXPECT_EQ(test, read_ticks(INT_MAX / 10 + 1, 100, &ms), -ERANGE);
	KUNIT_EXPECT_EQ(test, read_ticks(INT_MAX / 100 + 1, 10, &ms), -ERANGE);
	KUNIT_EXPECT_EQ(test, read_ticks(U32_MAX / 10 + 1, 100, &ms), -ERANGE);
	KUNIT_EXPECT_EQ(test, read_ticks(U32_MAX / 100 + 1, 10, &ms), -ERANGE);
	KUNIT_EXPECT_EQ(test, ms, 17);
	KUNIT_EXPECT_EQ(test, read_ticks(INT_MAX / 100, 10, &ms), 0);
	KUNIT_EXPECT_EQ(test, ms, INT_MAX / 100 * 100);
}

/* TCD-14: 16 bits that saturate */
static void rtt_in_ticks(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, chim_nl_rtt_to_ticks(0, 1000), 0);
	KUNIT_EXPECT_EQ(test, chim_nl_rtt_to_ticks(1, 1000), 1);
	KUNIT_EXPECT_EQ(test, chim_nl_rtt_to_ticks(1600000, 1000), 1600);
	KUNIT_EXPECT_EQ(test, chim_nl_rtt_to_ticks(1600001, 1000), 1601);
	KUNIT_EXPECT_EQ(test, chim_nl_rtt_to_ticks(1600000, 10), 16);
	KUNIT_EXPECT_EQ(test, chim_nl_rtt_to_ticks(65535000, 1000), 65535);
	KUNIT_EXPECT_EQ(test, chim_nl_rtt_to_ticks(65535001, 1000), 65535);
	KUNIT_EXPECT_EQ(test, chim_nl_rtt_to_ticks(U32_MAX, 1000), 65535);
}

static struct kunit_case ticks_suite_cases[] = {
	KUNIT_CASE_PARAM(deadline_in_ticks, ticks_gen_params),
	KUNIT_CASE(deadline_not_running),
	KUNIT_CASE(span_in_ticks),
	KUNIT_CASE_PARAM(ms_in_ticks, ms_gen_params),
	KUNIT_CASE(ticks_there_and_back),
	KUNIT_CASE(ticks_too_many),
	KUNIT_CASE(rtt_in_ticks),
	{}
};

static struct kunit_suite ticks_suite = {
	.name = "chimney_ticks",
	.test_cases = ticks_suite_cases,
};

kunit_test_suite(ticks_suite);
