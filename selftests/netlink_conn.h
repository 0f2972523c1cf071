/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fixture of the programs that test the control interface of connections: a
 * connection that is not offloaded yet, in network namespaces of its own.
 */
#ifndef _NETLINK_CONN_H
#define _NETLINK_CONN_H

#include "harness.h"
#include "netlink_lib.h"

FIXTURE(conn)
{
	struct env e;
};

FIXTURE_VARIANT(conn)
{
	enum kind kind;
};

FIXTURE_VARIANT_ADD(conn, ipv4)
{
	.kind = IPV4,
};

FIXTURE_VARIANT_ADD(conn, ipv6)
{
	.kind = IPV6,
};

FIXTURE_VARIANT_ADD(conn, mapped)
{
	.kind = MAPPED,
};

FIXTURE_SETUP(conn)
{
	struct env *e = &self->e;

	ASSERT_EQ(0, env_setup(e));
	ASSERT_EQ(0, pair_open(&e->p, variant->kind));
	ASSERT_TRUE(echoes(e->p.sk, e->p.peer));
}

FIXTURE_TEARDOWN(conn)
{
	env_teardown(&self->e);
}

#endif /* _NETLINK_CONN_H */
