// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: a connection of the NIC with nobody behind it. Called by
 * nic_*_test.c; one thread, so that no lock is taken and none looked for.
 */
#include "nic_test.h"

/**
 * nic_test_init - set up the connection of a test case
 * @test: test case
 *
 * Return: 0 or a negative error.
 */
int nic_test_init(struct kunit *test)
{
	struct nic_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	struct nic_conn *c;

	if (!t)
		return -ENOMEM;
	test->priv = t;
	t->task = current;
	lockdep_off();
	t->cd.counters = alloc_percpu(struct chim_counters);
	if (!t->cd.counters)
		return -ENOMEM;
	t->cd.params = (struct chim_params) {
		.hz = CHIM_DEFAULT_HZ,
		.max_conns = CHIM_DEFAULT_MAX_CONNS,
		.ack_frequency = CHIM_DEFAULT_ACK_FREQUENCY,
		.delayed_ack = CHIM_DEFAULT_DELAYED_ACK,
		.max_rtx = CHIM_DEFAULT_MAX_RTX,
		.dupacks = CHIM_DEFAULT_DUPACKS,
		.fin_wait2 = CHIM_DEFAULT_FIN_WAIT2,
	};
	t->host.place = CHIMNEY_PLACE_HOST;
	t->host.sk = &t->sk;
	t->sk.sk_rcvbuf = 1 << 30;
	t->host.cd = &t->cd;

	c = &t->c;
	c->key.cd = &t->cd;
	c->host = &t->host;
	spin_lock_init(&c->lock);
	hrtimer_init(&c->timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_SOFT);
	c->timer.function = chim_nic_timer;
	c->flags = NIC_LIVE;
	c->state = CHIMNEY_TCP_STATE_ESTABLISHED;
	c->cflags = CHIMNEY_CONST_FLAG_SACK;
	c->remote_mss = NIC_TEST_MSS;
	c->mss = NIC_TEST_MSS;
	c->snd_una = NIC_TEST_ISS;
	c->snd_nxt = NIC_TEST_ISS;
	c->snd_max = NIC_TEST_ISS;
	c->snd_end = NIC_TEST_ISS;
	c->snd_sml = NIC_TEST_ISS;
	c->push_seq = NIC_TEST_ISS;
	c->flush_seq = NIC_TEST_ISS;
	c->snd_wnd = NIC_TEST_WND;
	c->max_snd_wnd = NIC_TEST_WND;
	c->snd_wl1 = NIC_TEST_IRS;
	c->snd_wl2 = NIC_TEST_ISS;
	c->cwnd = NIC_TEST_WND;
	c->ssthresh = NIC_TEST_WND;
	c->rcv_nxt = NIC_TEST_IRS;
	c->rcv_adv = NIC_TEST_IRS + NIC_TEST_WND;
	c->rcv_edge = c->rcv_adv;
	c->last_ack = NIC_TEST_IRS;
	c->cached.flags = CHIMNEY_CACHED_FLAG_KEEP_ALIVE;
	c->cached.ka_probe_count = 10;
	c->cached.ka_timeout = 7200 * MSEC_PER_SEC;
	c->cached.ka_interval = 1 * MSEC_PER_SEC;
	c->cached.initial_rcv_wnd = NIC_TEST_WND;
	c->ka_base = NIC_TEST_T0;
	c->rtx_start = CHIM_IDLE;
	c->t_rtx = CHIM_IDLE;
	c->t_ka = CHIM_IDLE;
	c->t_ack = CHIM_IDLE;
	c->t_sws = CHIM_IDLE;
	return 0;
}

/**
 * nic_test_exit - free what a test case has left
 * @test: test case
 */
void nic_test_exit(struct kunit *test)
{
	struct nic_test *t = test->priv;
	struct sk_buff *skb;

	if (!t)
		return;
	/* Another thread cleans up after one that was given up. */
	if (t->task == current)
		lockdep_on();
	if (!t->cd.counters)
		return;
	hrtimer_cancel(&t->c.timer);
	while ((skb = nic_queue_pop(&t->c.txq)))
		kfree_skb(skb);
	while ((skb = nic_queue_pop(&t->c.rxq)))
		kfree_skb(skb);
	chim_nic_ooo_purge(&t->c);
	if (t->c.disorder)
		__skb_queue_purge(&t->c.disorder->held);
	kfree(t->c.disorder);
	free_percpu(t->cd.counters);
}

/**
 * nic_test_count - read one counter of the device
 * @test: test case
 * @counter: which
 *
 * Return: its value.
 */
u32 nic_test_count(struct kunit *test, enum chim_counter counter)
{
	struct nic_test *t = test->priv;
	u32 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu) {
		const struct chim_counters *p =
			per_cpu_ptr(t->cd.counters, cpu);

		sum += u64_stats_read(&p->v[counter]);
	}
	return sum;
}

/**
 * nic_test_byte - payload that tells where it belongs
 * @seq: sequence number
 *
 * Return: the byte there.
 */
u8 nic_test_byte(u32 seq)
{
	return seq * 7 + (seq >> 8) * 3;
}

/**
 * nic_test_skb - a segment's payload
 * @test: test case
 * @seq: sequence number of its first byte
 * @len: bytes
 *
 * Return: a buffer with TCP_SKB_CB() filled in; never NULL.
 */
struct sk_buff *nic_test_skb(struct kunit *test, u32 seq, u32 len)
{
	struct sk_buff *skb = alloc_skb(len, GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	for (i = 0; i < len; i++)
		*(u8 *)skb_put(skb, 1) = nic_test_byte(seq + i);
	TCP_SKB_CB(skb)->seq = seq;
	TCP_SKB_CB(skb)->end_seq = seq + len;
	return skb;
}

/**
 * nic_test_post - the host has data to send
 * @test: test case
 * @len: bytes
 */
void nic_test_post(struct kunit *test, u32 len)
{
	struct nic_conn *c = nic_test_conn(test);

	nic_queue_add(&c->txq, nic_test_skb(test, c->snd_end, len));
	c->snd_end += len;
	c->push_seq = c->snd_end;
}

/**
 * nic_test_flight - data is posted and has been sent
 * @test: test case
 * @len: bytes
 */
void nic_test_flight(struct kunit *test, u32 len)
{
	struct nic_conn *c = nic_test_conn(test);

	nic_test_post(test, len);
	c->snd_max = c->snd_end;
	c->snd_nxt = c->snd_end;
}
