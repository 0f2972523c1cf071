// SPDX-License-Identifier: GPL-2.0
/*
 * The control interface, connections: every refusal with its error, its words
 * and the attribute it blames. Which sockets are refused is in refuse.c.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "netlink_conn.h"

static const __u8 conn_cmds[] = {
	CHIMNEY_CMD_CONN_GET, CHIMNEY_CMD_CONN_UPDATE,
	CHIMNEY_CMD_CONN_TERMINATE, CHIMNEY_CMD_CONN_OFFLOAD
};

/* A request that lacks only the connection */
static struct nlmsghdr *conn_req(struct env *e, __u8 cmd)
{
	struct nlmsghdr *nlh = req(e, cmd);
	struct nlattr *nest;

	if (cmd == CHIMNEY_CMD_CONN_UPDATE) {
		nest = mnl_attr_nest_start(nlh, CHIMNEY_A_CONN_CACHED);
		put_u32(nlh, CHIMNEY_A_CACHED_KA_PROBE_COUNT, 3);
		mnl_attr_nest_end(nlh, nest);
	}
	return nlh;
}

TEST_F(conn, which_refused)
{
	struct env *e = &self->e;
	struct nlattr *attr;
	struct nlmsghdr *nlh;
	__u32 id;
	int i;

	id = offload(e, e->p.sk);
	ASSERT_NE(0, id) TH_LOG("%s", e->nl.msg);
	for (i = 0; i < ARRAY_SIZE(conn_cmds); i++) {
		if (conn_cmds[i] == CHIMNEY_CMD_CONN_OFFLOAD) {
			MISSES(conn_req(e, conn_cmds[i]), EINVAL,
			       "fd or addresses needed", CHIMNEY_A_CONN_FD);
			nlh = conn_req(e, conn_cmds[i]);
			put_u32(nlh, CHIMNEY_A_CONN_FD, e->p.sk);
			attr = chim_nl_put_tuple(nlh, &e->p.tuple, 0);
			REFUSED(nlh, EINVAL, "either fd or addresses", attr);
			nlh = conn_req(e, conn_cmds[i]);
			attr = put_u32(nlh, CHIMNEY_A_CONN_ID, id);
			REFUSED(nlh, EINVAL, "", attr);
			continue;
		}
		MISSES(conn_req(e, conn_cmds[i]), EINVAL,
		       "id or addresses needed", CHIMNEY_A_CONN_ID);
		nlh = conn_req(e, conn_cmds[i]);
		put_u32(nlh, CHIMNEY_A_CONN_ID, id);
		attr = chim_nl_put_tuple(nlh, &e->p.tuple, 0);
		REFUSED(nlh, EINVAL, "either id or addresses", attr);
		nlh = conn_req(e, conn_cmds[i]);
		attr = put_u32(nlh, CHIMNEY_A_CONN_ID, 0);
		REFUSED(nlh, ERANGE, "out of range", attr);
		nlh = conn_req(e, conn_cmds[i]);
		attr = put_u32(nlh, CHIMNEY_A_CONN_ID, 123456);
		REFUSED(nlh, ENOENT, "no such connection", attr);
		nlh = conn_req(e, conn_cmds[i]);
		attr = put_u32(nlh, CHIMNEY_A_CONN_ID, 0xffffffff);
		REFUSED(nlh, ENOENT, "no such connection", attr);
		nlh = conn_req(e, conn_cmds[i]);
		attr = put_u32(nlh, CHIMNEY_A_CONN_FD, e->p.sk);
		REFUSED(nlh, EINVAL, "", attr);
		nlh = conn_req(e, conn_cmds[i]);
		put_u32(nlh, CHIMNEY_A_CONN_ID, id);
		attr = put_u32(nlh, CHIMNEY_A_CONN_PLACE, 1);
		REFUSED(nlh, EINVAL, "", attr);
	}
	nlh = dump_req(e, CHIMNEY_CMD_CONN_GET);
	attr = put_u32(nlh, CHIMNEY_A_CONN_ID, id);
	REFUSED(nlh, EINVAL, "a dump takes no attributes",
		dumps_blame() ? attr : NULL);

	/* Not offloaded any more */
	ASSERT_EQ(0, conn_cmd(e, CHIMNEY_CMD_CONN_TERMINATE, id));
	for (i = 0; i < ARRAY_SIZE(conn_cmds) - 1; i++) {
		nlh = conn_req(e, conn_cmds[i]);
		attr = put_u32(nlh, CHIMNEY_A_CONN_ID, id);
		REFUSED(nlh, ENOENT, "no such connection", attr);
		nlh = conn_req(e, conn_cmds[i]);
		attr = chim_nl_put_tuple(nlh, &e->p.tuple, 0);
		REFUSED(nlh, ENOENT, "connection is not offloaded", attr);
	}
	EXPECT_TRUE(echoes(e->p.sk, e->p.peer));
}

/* To one that the addresses in the nest are not of. */
static struct nlattr *set_family(struct nlattr *nest, __u32 family)
{
	struct nlattr *attr = mnl_attr_get_payload(nest);

	memcpy(mnl_attr_get_payload(attr), &family, sizeof(family));
	return attr;
}

static struct nlattr *in_nest(struct nlattr *nest, int type)
{
	struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest)
		if (mnl_attr_get_type(attr) == type)
			return attr;
	return NULL;
}

TEST_F(conn, addresses_refused)
{
	struct env *e = &self->e;
	struct chim_nl_tuple t = tuple_on_wire(&e->p), bad;
	struct nlattr *attr, *nest;
	struct nlmsghdr *nlh;
	int i, j;

	for (i = 0; i < ARRAY_SIZE(conn_cmds); i++) {
		for (j = CHIMNEY_A_CONST_FAMILY;
		     j <= CHIMNEY_A_CONST_REMOTE_PORT; j++) {
			nlh = conn_req(e, conn_cmds[i]);
			chim_nl_put_tuple(nlh, &t, j);
			MISSES(nlh, EINVAL,
			       "family, both addresses and both ports needed",
			       j);
		}
	}

	bad = t;
	bad.lport ^= htons(1);
	nlh = req(e, CHIMNEY_CMD_CONN_OFFLOAD);
	attr = chim_nl_put_tuple(nlh, &bad, 0);
	REFUSED(nlh, ENOENT, "no connection has these addresses", attr);
	bad = t;
	bad.remote[3] ^= 1;
	nlh = req(e, CHIMNEY_CMD_CONN_GET);
	attr = chim_nl_put_tuple(nlh, &bad, 0);
	REFUSED(nlh, ENOENT, "no connection has these addresses", attr);

	/* Lengths: 5 and 8 bytes, then those of the other family */
	for (i = 5; i <= 20; i += 3) {
		if (i == tuple_len(&t))
			continue;
		nlh = req(e, CHIMNEY_CMD_CONN_OFFLOAD);
		nest = mnl_attr_nest_start(nlh, CHIMNEY_A_CONN_CONST);
		put_u32(nlh, CHIMNEY_A_CONST_FAMILY, t.family);
		attr = put(nlh, CHIMNEY_A_CONST_LOCAL_ADDRESS, t.local, i);
		put(nlh, CHIMNEY_A_CONST_REMOTE_ADDRESS, t.remote,
		    tuple_len(&t));
		mnl_attr_put_u16(nlh, CHIMNEY_A_CONST_LOCAL_PORT, t.lport);
		mnl_attr_put_u16(nlh, CHIMNEY_A_CONST_REMOTE_PORT, t.rport);
		mnl_attr_nest_end(nlh, nest);
		REFUSED(nlh, i > 16 ? ERANGE : EINVAL,
			i > 16 ? "" : "length of address", attr);
	}
	nlh = req(e, CHIMNEY_CMD_CONN_GET);
	nest = chim_nl_put_tuple(nlh, &t, 0);
	set_family(nest, t.family == AF_INET ? AF_INET6 : AF_INET);
	attr = in_nest(nest, CHIMNEY_A_CONST_LOCAL_ADDRESS);
	REFUSED(nlh, EINVAL, "length of address", attr);

	for (i = 0; i < 4; i++) {
		static const __u32 families[] = { 0, 1, 3, 11 };

		nlh = req(e, CHIMNEY_CMD_CONN_GET);
		nest = chim_nl_put_tuple(nlh, &t, 0);
		attr = set_family(nest, families[i]);
		REFUSED(nlh, ERANGE, i == 2 ? "AF_INET or AF_INET6" :
			"out of range", attr);
	}

	/* Port 0 */
	bad = t;
	bad.rport = 0;
	nlh = req(e, CHIMNEY_CMD_CONN_GET);
	nest = chim_nl_put_tuple(nlh, &bad, 0);
	attr = in_nest(nest, CHIMNEY_A_CONST_REMOTE_PORT);
	REFUSED(nlh, ERANGE, "out of range", attr);

	/* One address is IPv4, the other is not. */
	bad = (struct chim_nl_tuple) { .family = AF_INET6, .lport = htons(1),
				       .rport = htons(1) };
	inet_pton(AF_INET6, "::ffff:192.0.2.1", bad.local);
	inet_pton(AF_INET6, "2001:db8::2", bad.remote);
	nlh = req(e, CHIMNEY_CMD_CONN_GET);
	nest = chim_nl_put_tuple(nlh, &bad, 0);
	attr = in_nest(nest, CHIMNEY_A_CONST_REMOTE_ADDRESS);
	REFUSED(nlh, EINVAL, "different families", attr);

	/* What only replies have */
	nlh = req(e, CHIMNEY_CMD_CONN_GET);
	nest = mnl_attr_nest_start(nlh, CHIMNEY_A_CONN_CONST);
	attr = put_u32(nlh, CHIMNEY_A_CONST_REMOTE_MSS, 1460);
	mnl_attr_nest_end(nlh, nest);
	REFUSED(nlh, EINVAL, "", attr);

	/* Not a nest */
	nlh = req(e, CHIMNEY_CMD_CONN_GET);
	attr = chim_nl_put_tuple(nlh, &t, 0);
	attr->nla_type &= ~NLA_F_NESTED;
	REFUSED(nlh, EINVAL, "", attr);
}

TEST_F(conn, socket_refused)
{
	int family = variant->kind == IPV6 ? AF_INET6 : AF_INET;
	struct env *e = &self->e;
	struct nlmsghdr *nlh;
	struct nlattr *attr;
	struct pair p;
	int fds[6], i;
	char c;
	static const struct {
		int err;
		const char *text;
	} want[] = {
		{ EBADF, "fd is not an open socket" },
		{ ENOTSOCK, "fd is not an open socket" },
		{ EOPNOTSUPP, "not a TCP socket" },
		{ EOPNOTSUPP, "not a TCP socket" },
		{ EXDEV, "another network namespace" },
		{ EXDEV, "another network namespace" },
	};

	fds[0] = -1;
	fds[1] = open("/dev/null", O_RDONLY);
	fds[2] = socket(family, SOCK_DGRAM, 0);
	fds[3] = socket(AF_UNIX, SOCK_STREAM, 0);
	fds[4] = e->p.peer;
	fds[5] = net_listen(variant->kind, true);
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		nlh = req(e, CHIMNEY_CMD_CONN_OFFLOAD);
		attr = put_u32(nlh, CHIMNEY_A_CONN_FD, fds[i]);
		REFUSED(nlh, want[i].err, want[i].text, attr);
	}

	/* Twice */
	ASSERT_NE(0, offload(e, e->p.sk)) TH_LOG("%s", e->nl.msg);
	EXPECT_EQ(0, offload(e, e->p.sk));
	EXPECT_EQ(0, answer.n);
	EXPECT_NE('\0', e->nl.msg[0]);
	EXPECT_EQ(0, dev_cmd(e, CHIMNEY_CMD_DEV_UPLOAD_ALL));

	/* Not connected; listening */
	i = socket(family, SOCK_STREAM, 0);
	EXPECT_EQ(0, offload(e, i));
	EXPECT_NE('\0', e->nl.msg[0]);
	ASSERT_EQ(0, listen(i, 1));
	EXPECT_EQ(0, offload(e, i));
	EXPECT_NE('\0', e->nl.msg[0]);
	close(i);

	/* A connection that does not run over a chimney device */
	ASSERT_EQ(0, net_enter(net_peer_ns));
	chim_nl_close(&e->nl);
	ASSERT_EQ(0, chim_nl_open(&e->nl));
	EXPECT_EQ(0, offload(e, e->p.peer));
	EXPECT_NE('\0', e->nl.msg[0]);
	chim_nl_close(&e->nl);
	ASSERT_EQ(0, net_enter(net_host_ns));
	ASSERT_EQ(0, chim_nl_open(&e->nl));

	/* Paused, full */
	ASSERT_EQ(0, dev_cmd(e, CHIMNEY_CMD_DEV_PAUSE));
	EXPECT_EQ(0, offload(e, e->p.sk));
	EXPECT_NE('\0', e->nl.msg[0]);
	ASSERT_EQ(0, dev_cmd(e, CHIMNEY_CMD_DEV_RESUME));
	ASSERT_EQ(0, set_param(e, CHIMNEY_A_DEV_MAX_CONNS, 1));
	ASSERT_NE(0, offload(e, e->p.sk)) TH_LOG("%s", e->nl.msg);
	ASSERT_EQ(0, pair_open(&p, variant->kind));
	EXPECT_EQ(0, offload(e, p.sk));
	EXPECT_EQ(-ENOSPC, answer.err);
	EXPECT_NE('\0', e->nl.msg[0]);
	EXPECT_TRUE(echoes(p.sk, p.peer));

	/* Past its end: TIME_WAIT */
	shutdown(p.sk, SHUT_WR);
	EXPECT_EQ(0, recv(p.peer, &c, 1, 0));
	close(p.peer);
	EXPECT_EQ(0, recv(p.sk, &c, 1, 0));
	close(p.sk);
	nlh = req(e, CHIMNEY_CMD_CONN_OFFLOAD);
	attr = chim_nl_put_tuple(nlh, &p.tuple, 0);
	REFUSED(nlh, EINVAL, "not an established connection", attr);
}

TEST_F(conn, cached_refused)
{
	static const struct {
		__u16 type;
		__u32 val;
		int err;
		const char *text;
	} bad[] = {
		{ CHIMNEY_A_CACHED_INITIAL_RCV_WND, 0, ERANGE, "range" },
		{ CHIMNEY_A_CACHED_INITIAL_RCV_WND, (1 << 30) + 1, ERANGE,
		  "range" },
		{ CHIMNEY_A_CACHED_KA_PROBE_COUNT, 256, ERANGE, "range" },
		{ CHIMNEY_A_CACHED_KA_TIMEOUT, 0, ERANGE, "range" },
		{ CHIMNEY_A_CACHED_KA_TIMEOUT, 0xffffffff, ERANGE, "range" },
		{ CHIMNEY_A_CACHED_KA_INTERVAL, 0xffffffff, ERANGE, "range" },
		{ CHIMNEY_A_CACHED_TTL_OR_HOP_LIMIT, 0, ERANGE, "range" },
		{ CHIMNEY_A_CACHED_TTL_OR_HOP_LIMIT, 256, ERANGE, "range" },
		{ CHIMNEY_A_CACHED_TOS_OR_TRAFFIC_CLASS, 256, ERANGE,
		  "range" },
		{ CHIMNEY_A_CACHED_USER_PRIORITY, 8, ERANGE, "range" },
		{ CHIMNEY_A_CACHED_FLOW_LABEL, 0, EINVAL, "no flow label" },
		{ CHIMNEY_A_CACHED_MAX + 1, 1, EINVAL, "" },
	};
	static const struct {
		__u32 hz;
		__u16 type;
		__u32 ticks;
	} times[] = {
		{ 1000, CHIMNEY_A_CACHED_KA_TIMEOUT, INT_MAX },
		{ 1000, CHIMNEY_A_CACHED_KA_INTERVAL, INT_MAX },
		{ 1000, CHIMNEY_A_CACHED_MAX_RT, INT_MAX },
		{ 10, CHIMNEY_A_CACHED_KA_TIMEOUT, INT_MAX / 100 + 1 },
		{ 10, CHIMNEY_A_CACHED_KA_INTERVAL, 42949673 },
		{ 10, CHIMNEY_A_CACHED_MAX_RT, 42949673 },
	};
	static const struct {
		__u32 value;
		__u32 selector;
	} flags[] = {
		{ 0, 1 << 5 }, { 1 << 5, 1 << 5 }, { 1, 0 },
		{ CHIMNEY_CACHED_FLAG_KEEP_ALIVE, CHIMNEY_CACHED_FLAG_NAGLING },
		{ 1u << 31, 1u << 31 },
	};
	struct env *e = &self->e;
	struct nlattr *attr, *nest;
	struct nlmsghdr *nlh;
	__u32 id = 0;
	int i, round;

	/* Of a connection offloaded, then at the offload */
	for (round = 0; round < 2; round++) {
		__u8 cmd = CHIMNEY_CMD_CONN_UPDATE;
		__u16 key = CHIMNEY_A_CONN_ID;
		__u32 val;

		if (!round) {
			id = offload(e, e->p.sk);
			ASSERT_NE(0, id) TH_LOG("%s", e->nl.msg);
			val = id;
		} else {
			ASSERT_EQ(0, conn_cmd(e, CHIMNEY_CMD_CONN_TERMINATE,
					      id));
			cmd = CHIMNEY_CMD_CONN_OFFLOAD;
			key = CHIMNEY_A_CONN_FD;
			val = e->p.sk;
		}
		for (i = 0; i < ARRAY_SIZE(bad); i++) {
			nlh = req(e, cmd);
			put_u32(nlh, key, val);
			nest = mnl_attr_nest_start(nlh, CHIMNEY_A_CONN_CACHED);
			put_u32(nlh, CHIMNEY_A_CACHED_RCV_INDICATION_SIZE, 5);
			attr = put_u32(nlh, bad[i].type, bad[i].val);
			mnl_attr_nest_end(nlh, nest);
			if (bad[i].type == CHIMNEY_A_CACHED_FLOW_LABEL &&
			    variant->kind == IPV6) {
				__u32 big = htonl(0x100000);

				memcpy(mnl_attr_get_payload(attr), &big, 4);
				REFUSED(nlh, ERANGE, "range", attr);
				continue;
			}
			REFUSED(nlh, bad[i].err, bad[i].text, attr);
		}
		for (i = 0; i < ARRAY_SIZE(flags); i++) {
			nlh = req(e, cmd);
			put_u32(nlh, key, val);
			nest = mnl_attr_nest_start(nlh, CHIMNEY_A_CONN_CACHED);
			put_u32(nlh, CHIMNEY_A_CACHED_KA_PROBE_COUNT, 5);
			attr = put_flags(nlh, flags[i].value,
					 flags[i].selector);
			mnl_attr_nest_end(nlh, nest);
			REFUSED(nlh, EINVAL, "", attr);
		}

		/* Nothing to change */
		nlh = req(e, cmd);
		put_u32(nlh, key, val);
		nest = mnl_attr_nest_start(nlh, CHIMNEY_A_CONN_CACHED);
		mnl_attr_nest_end(nlh, nest);
		REFUSED(nlh, EINVAL, "nothing to change", nest);
		nlh = req(e, cmd);
		put_u32(nlh, key, val);
		nest = mnl_attr_nest_start(nlh, CHIMNEY_A_CONN_CACHED);
		put_flags(nlh, 0, 0);
		mnl_attr_nest_end(nlh, nest);
		REFUSED(nlh, EINVAL, "nothing to change", nest);

		/* Longer than a socket can keep, in each unit */
		for (i = 0; i < ARRAY_SIZE(times); i++) {
			ASSERT_EQ(0, set_param(e, CHIMNEY_A_DEV_HZ,
					       times[i].hz));
			nlh = req(e, cmd);
			put_u32(nlh, key, val);
			attr = put_cached(nlh, times[i].type, times[i].ticks);
			REFUSED(nlh, ERANGE, "time is too long", attr);
		}
		ASSERT_EQ(0, set_param(e, CHIMNEY_A_DEV_HZ, 1000));
		EXPECT_TRUE(echoes(e->p.sk, e->p.peer));
	}

	ASSERT_NE(0, id = offload(e, e->p.sk)) TH_LOG("%s", e->nl.msg);
	nlh = req(e, CHIMNEY_CMD_CONN_UPDATE);
	put_u32(nlh, CHIMNEY_A_CONN_ID, id);
	MISSES(nlh, EINVAL, "nothing to change", CHIMNEY_A_CONN_CACHED);
}

TEST_HARNESS_MAIN
