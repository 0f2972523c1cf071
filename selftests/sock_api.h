/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fixture of the programs that compare the socket interface of plain and
 * offloaded sockets: the same test with the same expectations runs on a socket
 * that
 *	plain: goes through the device and is never offloaded,
 *	offloaded: is in the NIC before the test begins,
 *	moving: is offloaded and uploaded all the time by another thread.
 */
#ifndef _SOCK_API_H
#define _SOCK_API_H

#include "harness.h"
#include "sock_pair.h"

enum mode {
	PLAIN,
	OFFLOADED,
	MOVING,
};

FIXTURE(sock)
{
	struct pair p;
	struct chim_nl nl;
	struct churn churn;
	bool churning;
	int sk;
	int peer;
};

static inline int hand_over(struct _test_data_sock *self)
{
	int err = chim_nl_offload_fd(&self->nl, self->sk, NULL);

	if (err)
		fprintf(TH_LOG_STREAM, "# refused: %s\n", self->nl.msg);
	return err;
}

FIXTURE_VARIANT(sock)
{
	enum kind kind;
	enum mode mode;
};

FIXTURE_VARIANT_ADD(sock, ipv4_plain)
{
	.kind = IPV4,
	.mode = PLAIN,
};

FIXTURE_VARIANT_ADD(sock, ipv4_offloaded)
{
	.kind = IPV4,
	.mode = OFFLOADED,
};

FIXTURE_VARIANT_ADD(sock, ipv4_moving)
{
	.kind = IPV4,
	.mode = MOVING,
};

FIXTURE_VARIANT_ADD(sock, ipv6_plain)
{
	.kind = IPV6,
	.mode = PLAIN,
};

FIXTURE_VARIANT_ADD(sock, ipv6_offloaded)
{
	.kind = IPV6,
	.mode = OFFLOADED,
};

FIXTURE_VARIANT_ADD(sock, ipv6_moving)
{
	.kind = IPV6,
	.mode = MOVING,
};

FIXTURE_VARIANT_ADD(sock, mapped_plain)
{
	.kind = MAPPED,
	.mode = PLAIN,
};

FIXTURE_VARIANT_ADD(sock, mapped_offloaded)
{
	.kind = MAPPED,
	.mode = OFFLOADED,
};

FIXTURE_VARIANT_ADD(sock, mapped_moving)
{
	.kind = MAPPED,
	.mode = MOVING,
};

FIXTURE_SETUP(sock)
{
	ASSERT_EQ(0, chim_nl_open(&self->nl));
	ASSERT_EQ(0, pair_open(&self->p, variant->kind));
	self->sk = self->p.sk;
	self->peer = self->p.peer;
	if (variant->mode == OFFLOADED)
		ASSERT_EQ(0, hand_over(self));
	if (variant->mode == MOVING) {
		ASSERT_EQ(0, churn_start(&self->churn, &self->p.tuple));
		self->churning = true;
	}
}

FIXTURE_TEARDOWN(sock)
{
	if (self->churning)
		churn_stop(&self->churn);
	chim_nl_close(&self->nl);
	pair_close(&self->p);
}

static inline bool in_nic(struct _test_data_sock *self)
{
	struct chim_nl_conn c;

	return !chim_nl_get(&self->nl, &self->p.tuple, &c) &&
	       c.conn[CHIMNEY_A_CONN_PLACE] == CHIMNEY_PLACE_NIC;
}

/* A moving socket goes down and up before the next step. */
static inline bool moved(struct _test_data_sock *self)
{
	unsigned int moves = self->churn.moves;

	return !self->churning || until(self->churn.moves - moves >= 3);
}

/* The call sleeps, and while it does a moving socket goes down and up. */
static inline bool blocks(struct _test_data_sock *self, const struct call *c)
{
	return until(call_sleeps(c)) && moved(self) && until(call_sleeps(c));
}

/* What the test did so far is no reason to leave the NIC. */
#define EXPECT_STAYED() do {				\
	if (variant->mode == OFFLOADED)			\
		EXPECT_TRUE(in_nic(self));		\
} while (0)

/* What the test did, the NIC cannot do. */
#define EXPECT_UPLOADED() do {				\
	if (variant->mode == OFFLOADED)			\
		EXPECT_TRUE(until(!in_nic(self)));	\
} while (0)

/* Into the NIC again, if that is where the socket has been. */
#define OFFLOAD_AGAIN() do {				\
	if (variant->mode == OFFLOADED && !in_nic(self))\
		EXPECT_EQ(0, hand_over(self));		\
} while (0)

#endif /* _SOCK_API_H */
