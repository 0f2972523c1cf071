/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KUnit: a connection of the NIC with nobody behind it, for nic_*_test.c.
 *
 * The host's side is blank: it has no route, so that segments are counted and
 * then dropped. Sequence numbers wrap within the first kilobyte.
 */
#ifndef _CHIM_NIC_TEST_H
#define _CHIM_NIC_TEST_H

#include <kunit/test.h>

#include "nic.h"

#define NIC_TEST_ISS	0xfffffd00U	/* first we send */
#define NIC_TEST_IRS	0xfffffe00U	/* first we receive */
#define NIC_TEST_WND	20000U		/* of either side */
#define NIC_TEST_MSS	1000U
#define NIC_TEST_T0	(1000LL * NSEC_PER_SEC)

/**
 * struct nic_test - what a test case has, test->priv
 * @c: connection: established, idle, keepalive 2 h, 1 s, 10 probes
 * @cd: its device
 * @host: a host's handle without a socket to speak of
 * @sk: the socket not to speak of
 * @task: runs the test case
 */
struct nic_test {
	struct nic_conn c;
	struct chim_dev cd;
	struct chim_conn host;
	struct sock sk;
	struct task_struct *task;
};

static inline struct nic_conn *nic_test_conn(struct kunit *test)
{
	return &((struct nic_test *)test->priv)->c;
}

/* The next n buffers are not to be had. */
static inline void nic_test_run_out(struct kunit *test, int n)
{
	struct chim_dev *cd = &((struct nic_test *)test->priv)->cd;

	atomic_set(&cd->faults[CHIM_FAULT_RUN_OUT], n);
}

static inline struct chim_params *nic_test_params(struct kunit *test)
{
	return &((struct nic_test *)test->priv)->cd.params;
}

/* Loops end with the first failure: the kernel's log is not endless. */
static inline bool nic_test_failed(const struct kunit *test)
{
	return test->status == KUNIT_FAILURE;
}

int nic_test_init(struct kunit *test);
void nic_test_exit(struct kunit *test);
u32 nic_test_count(struct kunit *test, enum chim_counter counter);
u8 nic_test_byte(u32 seq);
struct sk_buff *nic_test_skb(struct kunit *test, u32 seq, u32 len);
void nic_test_post(struct kunit *test, u32 len);
void nic_test_flight(struct kunit *test, u32 len);

#endif /* _CHIM_NIC_TEST_H */
