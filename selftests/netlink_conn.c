// SPDX-License-Identifier: GPL-2.0
/*
 * The control interface, connections: every command, who may do what,
 * namespaces, notifications, and dumps while connections come and go. What is
 * refused is in netlink_refuse.c.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <linux/genetlink.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>

#include "netlink_conn.h"

#define cached_u32(a)	got_u32(CHIMNEY_A_CONN_CACHED, CHIMNEY_A_CACHED_##a)

static int update(struct env *e, __u32 id, __u16 type, __u32 val)
{
	struct nlmsghdr *nlh = req(e, CHIMNEY_CMD_CONN_UPDATE);

	put_u32(nlh, CHIMNEY_A_CONN_ID, id);
	put_cached(nlh, type, val);
	return ask(e, nlh);
}

static int update_flags(struct env *e, __u32 id, __u32 value, __u32 selector)
{
	struct nlmsghdr *nlh = req(e, CHIMNEY_CMD_CONN_UPDATE);
	struct nlattr *nest;

	put_u32(nlh, CHIMNEY_A_CONN_ID, id);
	nest = mnl_attr_nest_start(nlh, CHIMNEY_A_CONN_CACHED);
	put_flags(nlh, value, selector);
	mnl_attr_nest_end(nlh, nest);
	return ask(e, nlh);
}

static __u32 cached_flags(void)
{
	const struct nlattr *attr = got(CHIMNEY_A_CONN_CACHED,
					CHIMNEY_A_CACHED_FLAGS);
	struct nla_bitfield32 flags = {};

	if (attr)
		memcpy(&flags, mnl_attr_get_payload(attr), sizeof(flags));
	return flags.selector << 16 | flags.value;
}

static unsigned int inode_of(int sk)
{
	struct stat st;

	return fstat(sk, &st) ? 0 : st.st_ino;
}

/* The reply shows the connection of the fixture. */
static void check_conn(struct __test_metadata *_metadata, struct env *e,
		       __u32 id, __u32 place, int line)
{
	struct chim_nl_tuple t = tuple_on_wire(&e->p);
	const struct nlattr *attr;

	ASSERT_EQ(1, answer.n) TH_LOG("line %d: %s", line, e->nl.msg);
	EXPECT_EQ(id, got_u32(CHIMNEY_A_CONN_ID));
	EXPECT_EQ(net_ifindex, got_u32(CHIMNEY_A_CONN_IFINDEX));
	EXPECT_EQ(place, got_u32(CHIMNEY_A_CONN_PLACE))
		TH_LOG("line %d: wrong place", line);
	EXPECT_EQ(inode_of(e->p.sk), got_u32(CHIMNEY_A_CONN_INODE));
	EXPECT_EQ(0, got_u32(CHIMNEY_A_CONN_UID));
	EXPECT_EQ(t.family, got_u32(CHIMNEY_A_CONN_CONST,
				    CHIMNEY_A_CONST_FAMILY));
	attr = got(CHIMNEY_A_CONN_CONST, CHIMNEY_A_CONST_LOCAL_ADDRESS);
	ASSERT_EQ(tuple_len(&t), mnl_attr_get_payload_len(attr));
	EXPECT_EQ(0, memcmp(t.local, mnl_attr_get_payload(attr),
			    tuple_len(&t)));
	attr = got(CHIMNEY_A_CONN_CONST, CHIMNEY_A_CONST_REMOTE_ADDRESS);
	ASSERT_EQ(tuple_len(&t), mnl_attr_get_payload_len(attr));
	EXPECT_EQ(0, memcmp(t.remote, mnl_attr_get_payload(attr),
			    tuple_len(&t)));
	attr = got(CHIMNEY_A_CONN_CONST, CHIMNEY_A_CONST_LOCAL_PORT);
	EXPECT_EQ(t.lport, mnl_attr_get_u16(attr));
	attr = got(CHIMNEY_A_CONN_CONST, CHIMNEY_A_CONST_REMOTE_PORT);
	EXPECT_EQ(t.rport, mnl_attr_get_u16(attr));
	EXPECT_EQ(CHIMNEY_TCP_STATE_ESTABLISHED,
		  got_u32(CHIMNEY_A_CONN_DELEGATED,
			  CHIMNEY_A_DELEGATED_STATE));
}

#define IS_CONN(id, place)	\
	check_conn(_metadata, e, id, CHIMNEY_PLACE_##place, __LINE__)

TEST_F(conn, by_fd_and_id)
{
	struct env *e = &self->e;
	__u32 id;

	id = offload(e, e->p.sk);
	ASSERT_NE(0, id) TH_LOG("%s", e->nl.msg);
	IS_CONN(id, NIC);
	EXPECT_EQ(NULL, got(CHIMNEY_A_CONN_REASON));
	EXPECT_EQ(1, param(e, CHIMNEY_A_DEV_CONNS));
	EXPECT_TRUE(echoes(e->p.sk, e->p.peer));
	EXPECT_EQ(0, conn_cmd(e, CHIMNEY_CMD_CONN_GET, id));
	IS_CONN(id, NIC);
	EXPECT_EQ(0, update(e, id, CHIMNEY_A_CACHED_KA_TIMEOUT, 5000));
	IS_CONN(id, NIC);
	EXPECT_EQ(5000, cached_u32(KA_TIMEOUT));
	EXPECT_TRUE(echoes(e->p.sk, e->p.peer));
	EXPECT_EQ(0, conn_cmd(e, CHIMNEY_CMD_CONN_TERMINATE, id));
	IS_CONN(id, HOST);
	EXPECT_EQ(CHIMNEY_REASON_HOST, got_u32(CHIMNEY_A_CONN_REASON));
	EXPECT_TRUE(echoes(e->p.sk, e->p.peer));
	EXPECT_EQ(0, param(e, CHIMNEY_A_DEV_CONNS));
	EXPECT_EQ(5, get_int(e->p.sk, IPPROTO_TCP, TCP_KEEPIDLE));
}

TEST_F(conn, by_addresses)
{
	struct env *e = &self->e;
	struct chim_nl_tuple forms[2];
	struct nlmsghdr *nlh;
	struct nlattr *nest;
	__u32 id;
	int i;

	/* As the socket has them, and as they are on the wire */
	forms[0] = e->p.tuple;
	forms[1] = tuple_on_wire(&e->p);
	for (i = 0; i < 2; i++) {
		nlh = req(e, CHIMNEY_CMD_CONN_OFFLOAD);
		chim_nl_put_tuple(nlh, &forms[i], 0);
		ASSERT_EQ(0, ask(e, nlh)) TH_LOG("%s", e->nl.msg);
		id = got_u32(CHIMNEY_A_CONN_ID);
		IS_CONN(id, NIC);

		nlh = req(e, CHIMNEY_CMD_CONN_GET);
		chim_nl_put_tuple(nlh, &forms[i], 0);
		ASSERT_EQ(0, ask(e, nlh)) TH_LOG("%s", e->nl.msg);
		IS_CONN(id, NIC);

		nlh = req(e, CHIMNEY_CMD_CONN_UPDATE);
		nest = mnl_attr_nest_start(nlh, CHIMNEY_A_CONN_CACHED);
		put_u32(nlh, CHIMNEY_A_CACHED_KA_PROBE_COUNT, 3);
		mnl_attr_nest_end(nlh, nest);
		chim_nl_put_tuple(nlh, &forms[i], 0);
		ASSERT_EQ(0, ask(e, nlh)) TH_LOG("%s", e->nl.msg);
		IS_CONN(id, NIC);
		EXPECT_EQ(3, cached_u32(KA_PROBE_COUNT));

		EXPECT_TRUE(echoes(e->p.sk, e->p.peer));
		nlh = req(e, CHIMNEY_CMD_CONN_TERMINATE);
		chim_nl_put_tuple(nlh, &forms[i], 0);
		ASSERT_EQ(0, ask(e, nlh)) TH_LOG("%s", e->nl.msg);
		IS_CONN(id, HOST);
		EXPECT_TRUE(echoes(e->p.sk, e->p.peer));
	}
}

/* A socket bound to a device is found without naming the device. */
TEST_F(conn, bound_to_device)
{
	int family = variant->kind == IPV4 ? AF_INET : AF_INET6;
	int listener = net_listen(variant->kind, true);
	struct env *e = &self->e;
	struct sockaddr_storage ss;
	struct nlmsghdr *nlh;
	socklen_t len;

	pair_close(&e->p);
	len = net_address(variant->kind, true, net_port(listener), &ss);
	e->p.sk = net_socket(net_host_ns, family, SOCK_STREAM, 0);
	ASSERT_EQ(0, setsockopt(e->p.sk, SOL_SOCKET, SO_BINDTODEVICE, "chim0",
				sizeof("chim0")));
	ASSERT_EQ(0, connect(e->p.sk, (void *)&ss, len));
	e->p.peer = accept(listener, NULL, NULL);
	ASSERT_LE(0, e->p.peer);
	ASSERT_EQ(0, chim_nl_tuple_of(e->p.sk, &e->p.tuple));
	nlh = req(e, CHIMNEY_CMD_CONN_OFFLOAD);
	chim_nl_put_tuple(nlh, &e->p.tuple, 0);
	ASSERT_EQ(0, ask(e, nlh)) TH_LOG("%s", e->nl.msg);
	IS_CONN(got_u32(CHIMNEY_A_CONN_ID), NIC);
	EXPECT_TRUE(echoes(e->p.sk, e->p.peer));
}

TEST_F(conn, cached_at_offload)
{
	struct env *e = &self->e;
	struct nlmsghdr *nlh;
	struct nlattr *nest;

	nlh = req(e, CHIMNEY_CMD_CONN_OFFLOAD);
	put_u32(nlh, CHIMNEY_A_CONN_FD, e->p.sk);
	nest = mnl_attr_nest_start(nlh, CHIMNEY_A_CONN_CACHED);
	put_flags(nlh, CHIMNEY_CACHED_FLAG_KEEP_ALIVE |
		  CHIMNEY_CACHED_FLAG_KEEP_ALIVE_RESTART,
		  CHIMNEY_CACHED_FLAG_KEEP_ALIVE |
		  CHIMNEY_CACHED_FLAG_NAGLING |
		  CHIMNEY_CACHED_FLAG_KEEP_ALIVE_RESTART);
	put_u32(nlh, CHIMNEY_A_CACHED_KA_TIMEOUT, 60000);
	put_u32(nlh, CHIMNEY_A_CACHED_KA_INTERVAL, 7000);
	put_u32(nlh, CHIMNEY_A_CACHED_KA_PROBE_COUNT, 4);
	mnl_attr_nest_end(nlh, nest);
	ASSERT_EQ(0, ask(e, nlh)) TH_LOG("%s", e->nl.msg);
	IS_CONN(got_u32(CHIMNEY_A_CONN_ID), NIC);
	EXPECT_EQ(0x30001, cached_flags());
	EXPECT_EQ(60000, cached_u32(KA_TIMEOUT));
	EXPECT_EQ(7000, cached_u32(KA_INTERVAL));
	EXPECT_EQ(4, cached_u32(KA_PROBE_COUNT));
	EXPECT_EQ(1, get_int(e->p.sk, SOL_SOCKET, SO_KEEPALIVE));
	EXPECT_EQ(1, get_int(e->p.sk, IPPROTO_TCP, TCP_NODELAY));
	EXPECT_EQ(60, get_int(e->p.sk, IPPROTO_TCP, TCP_KEEPIDLE));
	EXPECT_EQ(7, get_int(e->p.sk, IPPROTO_TCP, TCP_KEEPINTVL));
	EXPECT_EQ(4, get_int(e->p.sk, IPPROTO_TCP, TCP_KEEPCNT));
}

TEST_F(conn, update_each)
{
	static const struct {
		__u16 type;
		__u32 vals[3];
	} params[] = {
		{ CHIMNEY_A_CACHED_INITIAL_RCV_WND, { 1 << 16, 5000, 99999 } },
		{ CHIMNEY_A_CACHED_RCV_INDICATION_SIZE, { 0, ~0, 512 } },
		{ CHIMNEY_A_CACHED_KA_PROBE_COUNT, { 1, 127, 5 } },
		{ CHIMNEY_A_CACHED_KA_TIMEOUT, { 1, INT_MAX - 1, 9000 } },
		{ CHIMNEY_A_CACHED_KA_INTERVAL, { 1, INT_MAX - 1, 1000 } },
		{ CHIMNEY_A_CACHED_MAX_RT, { 0, 0xffffffff, 60000 } },
		{ CHIMNEY_A_CACHED_TTL_OR_HOP_LIMIT, { 1, 255, 64 } },
		{ CHIMNEY_A_CACHED_TOS_OR_TRAFFIC_CLASS, { 0, 0xfc, 0x10 } },
		{ CHIMNEY_A_CACHED_USER_PRIORITY, { 0, 7, 5 } },
	};
	struct env *e = &self->e;
	__u32 id;
	int i, j;

	id = offload(e, e->p.sk);
	ASSERT_NE(0, id) TH_LOG("%s", e->nl.msg);
	for (i = 0; i < ARRAY_SIZE(params); i++) {
		for (j = 0; j < ARRAY_SIZE(params[i].vals); j++) {
			EXPECT_EQ(0, update(e, id, params[i].type,
					    params[i].vals[j]))
				TH_LOG("attribute %d: %s", params[i].type,
				       e->nl.msg);
			EXPECT_EQ(params[i].vals[j],
				  got_u32(CHIMNEY_A_CONN_CACHED,
					  params[i].type))
				TH_LOG("attribute %d", params[i].type);
		}
	}
	/* The others were left alone, and a query shows the same. */
	EXPECT_EQ(0, conn_cmd(e, CHIMNEY_CMD_CONN_GET, id));
	for (i = 0; i < ARRAY_SIZE(params); i++)
		EXPECT_EQ(params[i].vals[2],
			  got_u32(CHIMNEY_A_CONN_CACHED, params[i].type))
			TH_LOG("attribute %d", params[i].type);

	if (variant->kind != IPV6) {
		EXPECT_EQ(NULL, got(CHIMNEY_A_CONN_CACHED,
				    CHIMNEY_A_CACHED_FLOW_LABEL));
	} else {
		EXPECT_EQ(0, update(e, id, CHIMNEY_A_CACHED_FLOW_LABEL,
				    htonl(0xfffff)));
		EXPECT_EQ(htonl(0xfffff), cached_u32(FLOW_LABEL));
	}
	EXPECT_EQ(0, update(e, id, CHIMNEY_A_CACHED_TTL_OR_HOP_LIMIT, 63));
	EXPECT_TRUE(echoes(e->p.sk, e->p.peer));
}

/* Flags not selected stay; triggers are never shown [BLD-42]. */
TEST_F(conn, flags)
{
	const __u32 triggers = CHIMNEY_CACHED_FLAG_KEEP_ALIVE_RESTART |
			       CHIMNEY_CACHED_FLAG_MAX_RT_RESTART |
			       CHIMNEY_CACHED_FLAG_UPDATE_RCV_WND;
	const __u32 ka = CHIMNEY_CACHED_FLAG_KEEP_ALIVE;
	const __u32 nagle = CHIMNEY_CACHED_FLAG_NAGLING;
	const __u32 shown = (ka | nagle) << 16;
	struct env *e = &self->e;
	__u32 id;

	id = offload(e, e->p.sk);
	ASSERT_NE(0, id) TH_LOG("%s", e->nl.msg);
	EXPECT_EQ(shown | nagle, cached_flags());
	EXPECT_EQ(0, update_flags(e, id, ka, ka));
	EXPECT_EQ(shown | ka | nagle, cached_flags());
	EXPECT_EQ(0, update_flags(e, id, 0, nagle));
	EXPECT_EQ(shown | ka, cached_flags());
	EXPECT_EQ(0, update_flags(e, id, triggers, triggers));
	EXPECT_EQ(shown | ka, cached_flags());
	EXPECT_EQ(0, conn_cmd(e, CHIMNEY_CMD_CONN_GET, id));
	EXPECT_EQ(shown | ka, cached_flags());
	EXPECT_EQ(0, update_flags(e, id, nagle, ka | nagle));
	EXPECT_EQ(shown | nagle, cached_flags());
	EXPECT_EQ(0, get_int(e->p.sk, SOL_SOCKET, SO_KEEPALIVE));
	EXPECT_EQ(0, get_int(e->p.sk, IPPROTO_TCP, TCP_NODELAY));
}

/* Remaining times: never more than the whole, never 0 unless due, all ones if
 * the timer is not running; rounded up in any unit [BLD-38].
 */
TEST_F(conn, ticks)
{
	static const __u32 hz[] = { 1000, 100, 10 };
	struct env *e = &self->e;
	struct nlmsghdr *nlh;
	struct nlattr *nest;
	__u32 id, left;
	int i;

	id = offload(e, e->p.sk);
	ASSERT_NE(0, id) TH_LOG("%s", e->nl.msg);
	EXPECT_EQ(CHIMNEY_TIMER_IDLE,
		  got_u32(CHIMNEY_A_CONN_DELEGATED,
			  CHIMNEY_A_DELEGATED_KEEP_ALIVE,
			  CHIMNEY_A_KEEP_ALIVE_TIMEOUT_DELTA));
	ASSERT_EQ(0, update(e, id, CHIMNEY_A_CACHED_KA_TIMEOUT, 600001));
	ASSERT_EQ(0, update_flags(e, id, CHIMNEY_CACHED_FLAG_KEEP_ALIVE,
				  CHIMNEY_CACHED_FLAG_KEEP_ALIVE));
	for (i = 0; i < ARRAY_SIZE(hz); i++) {
		ASSERT_EQ(0, set_param(e, CHIMNEY_A_DEV_HZ, hz[i]));
		ASSERT_EQ(0, conn_cmd(e, CHIMNEY_CMD_CONN_GET, id));
		EXPECT_EQ(hz[i], got_u32(CHIMNEY_A_CONN_HZ));
		EXPECT_EQ(600 * hz[i] + 1, cached_u32(KA_TIMEOUT));
		left = got_u32(CHIMNEY_A_CONN_DELEGATED,
			       CHIMNEY_A_DELEGATED_KEEP_ALIVE,
			       CHIMNEY_A_KEEP_ALIVE_TIMEOUT_DELTA);
		EXPECT_GE(600 * hz[i] + 1, left);
		EXPECT_LT(570 * hz[i], left);
		EXPECT_EQ(0, got_u32(CHIMNEY_A_CONN_DELEGATED,
				     CHIMNEY_A_DELEGATED_TOTAL_RT));
	}
	/* A request counts in the device's unit, too. */
	ASSERT_EQ(0, update(e, id, CHIMNEY_A_CACHED_KA_TIMEOUT, 75));
	ASSERT_EQ(0, set_param(e, CHIMNEY_A_DEV_HZ, 1000));
	ASSERT_EQ(0, conn_cmd(e, CHIMNEY_CMD_CONN_GET, id));
	EXPECT_EQ(7500, cached_u32(KA_TIMEOUT));
	ASSERT_EQ(0, conn_cmd(e, CHIMNEY_CMD_CONN_TERMINATE, id));
	ASSERT_EQ(0, set_param(e, CHIMNEY_A_DEV_HZ, 10));
	nlh = req(e, CHIMNEY_CMD_CONN_OFFLOAD);
	put_u32(nlh, CHIMNEY_A_CONN_FD, e->p.sk);
	nest = mnl_attr_nest_start(nlh, CHIMNEY_A_CONN_CACHED);
	put_u32(nlh, CHIMNEY_A_CACHED_KA_TIMEOUT, 30);
	mnl_attr_nest_end(nlh, nest);
	ASSERT_EQ(0, ask(e, nlh)) TH_LOG("%s", e->nl.msg);
	EXPECT_EQ(30, cached_u32(KA_TIMEOUT));
	EXPECT_EQ(3, get_int(e->p.sk, IPPROTO_TCP, TCP_KEEPIDLE));
}

/* ---- other callers ------------------------------------------------------ */

static __u32 the_id;

/* Strangers see the connection, but not what they need to attack it. */
static void conn_as_nobody(struct env *e)
{
	static const int secret[] = {
		CHIMNEY_A_DELEGATED_RCV_NXT, CHIMNEY_A_DELEGATED_SND_UNA,
		CHIMNEY_A_DELEGATED_SND_NXT, CHIMNEY_A_DELEGATED_SND_MAX,
		CHIMNEY_A_DELEGATED_SEND_WL1, CHIMNEY_A_DELEGATED_TS_RECENT,
		CHIMNEY_A_DELEGATED_TS_TIME,
	};
	struct nlmsghdr *nlh;
	int i, round;

	for (round = 0; round < 2; round++) {
		if (round)
			CHILD(!dump(e, CHIMNEY_CMD_CONN_GET));
		else
			CHILD(!conn_cmd(e, CHIMNEY_CMD_CONN_GET, the_id));
		CHILD(answer.n == 1);
		CHILD(got_u32(CHIMNEY_A_CONN_ID) == the_id);
		CHILD(got(CHIMNEY_A_CONN_DELEGATED,
			  CHIMNEY_A_DELEGATED_STATE));
		for (i = 0; i < ARRAY_SIZE(secret); i++)
			CHILD(!got(CHIMNEY_A_CONN_DELEGATED, secret[i]));
	}
	CHILD(update(e, the_id, CHIMNEY_A_CACHED_KA_TIMEOUT, 1) == -EPERM);
	CHILD(conn_cmd(e, CHIMNEY_CMD_CONN_TERMINATE, the_id) == -EPERM);
	nlh = req(e, CHIMNEY_CMD_CONN_OFFLOAD);
	put_u32(nlh, CHIMNEY_A_CONN_FD, e->p.sk);
	CHILD(ask(e, nlh) == -EPERM);
}

TEST_F(conn, unprivileged)
{
	struct env *e = &self->e;

	the_id = offload(e, e->p.sk);
	ASSERT_NE(0, the_id) TH_LOG("%s", e->nl.msg);
	EXPECT_EQ(0, in_child(e, conn_as_nobody, true));
	EXPECT_EQ(0, conn_cmd(e, CHIMNEY_CMD_CONN_GET, the_id));
	IS_CONN(the_id, NIC);
	EXPECT_NE(NULL, got(CHIMNEY_A_CONN_DELEGATED,
			    CHIMNEY_A_DELEGATED_SND_NXT));
}

TEST_F(conn, network_namespace)
{
	struct chim_nl nl = self->e.nl;
	struct env *e = &self->e;
	struct nlmsghdr *nlh;
	__u32 id;

	id = offload(e, e->p.sk);
	ASSERT_NE(0, id) TH_LOG("%s", e->nl.msg);
	ASSERT_EQ(0, net_enter(net_peer_ns));
	ASSERT_EQ(0, chim_nl_open(&e->nl));
	EXPECT_EQ(-ENOENT, conn_cmd(e, CHIMNEY_CMD_CONN_GET, id));
	EXPECT_EQ(-ENOENT, update(e, id, CHIMNEY_A_CACHED_KA_TIMEOUT, 1));
	EXPECT_EQ(-ENOENT, conn_cmd(e, CHIMNEY_CMD_CONN_TERMINATE, id));
	nlh = req(e, CHIMNEY_CMD_CONN_TERMINATE);
	chim_nl_put_tuple(nlh, &e->p.tuple, 0);
	EXPECT_EQ(-ENOENT, ask(e, nlh));
	EXPECT_EQ(0, dump(e, CHIMNEY_CMD_CONN_GET));
	EXPECT_EQ(0, answer.n);
	chim_nl_close(&e->nl);
	ASSERT_EQ(0, net_enter(net_host_ns));
	e->nl = nl;
	EXPECT_EQ(0, conn_cmd(e, CHIMNEY_CMD_CONN_GET, id));
	IS_CONN(id, NIC);
}

TEST_F(conn, owner)
{
	struct env *e = &self->e;
	__u32 id;

	ASSERT_EQ(0, fchown(e->p.sk, NOBODY, NOBODY));
	id = offload(e, e->p.sk);
	ASSERT_NE(0, id) TH_LOG("%s", e->nl.msg);
	EXPECT_EQ(NOBODY, got_u32(CHIMNEY_A_CONN_UID));
	EXPECT_EQ(inode_of(e->p.sk), got_u32(CHIMNEY_A_CONN_INODE));
}

TEST_F(conn, notifications)
{
	struct chim_nl ear, elsewhere;
	struct env *e = &self->e;
	struct nlmsghdr *nlh;
	__u32 id;
	int i;

	ASSERT_EQ(0, chim_nl_listen(&ear));
	ASSERT_EQ(0, net_enter(net_peer_ns));
	ASSERT_EQ(0, chim_nl_listen(&elsewhere));
	ASSERT_EQ(0, net_enter(net_host_ns));

	/* By terminate, then by upload-all */
	for (i = 0; i < 2; i++) {
		id = offload(e, e->p.sk);
		ASSERT_NE(0, id) TH_LOG("%s", e->nl.msg);
		nlh = event(&ear, 5000);
		ASSERT_EQ(CHIMNEY_CMD_CONN_OFFLOAD_NTF, event_cmd(&ear, nlh));
		EXPECT_EQ(id, attr_u32(find(nlh, CHIMNEY_A_CONN_ID, 0)));
		EXPECT_NE(NULL, find(nlh, CHIMNEY_A_CONN_DELEGATED,
				     CHIMNEY_A_DELEGATED_SND_NXT, 0));

		ASSERT_EQ(0, update(e, id, CHIMNEY_A_CACHED_KA_TIMEOUT, 5000));
		nlh = event(&ear, 5000);
		ASSERT_EQ(CHIMNEY_CMD_CONN_UPDATE_NTF, event_cmd(&ear, nlh));
		EXPECT_EQ(id, attr_u32(find(nlh, CHIMNEY_A_CONN_ID, 0)));
		EXPECT_EQ(5000, attr_u32(find(nlh, CHIMNEY_A_CONN_CACHED,
					      CHIMNEY_A_CACHED_KA_TIMEOUT,
					      0)));

		ASSERT_EQ(-ERANGE, update(e, id, CHIMNEY_A_CACHED_KA_TIMEOUT,
					  0));
		EXPECT_EQ(0, offload(e, e->p.sk));
		EXPECT_EQ(NULL, event(&ear, 0));

		ASSERT_EQ(0, i ? dev_cmd(e, CHIMNEY_CMD_DEV_UPLOAD_ALL) :
				 conn_cmd(e, CHIMNEY_CMD_CONN_TERMINATE, id));
		nlh = event(&ear, 5000);
		ASSERT_EQ(CHIMNEY_CMD_CONN_TERMINATE_NTF, event_cmd(&ear, nlh));
		EXPECT_EQ(id, attr_u32(find(nlh, CHIMNEY_A_CONN_ID, 0)));
		EXPECT_EQ(CHIMNEY_REASON_HOST,
			  attr_u32(find(nlh, CHIMNEY_A_CONN_REASON, 0)));
		EXPECT_EQ(CHIMNEY_PLACE_HOST,
			  attr_u32(find(nlh, CHIMNEY_A_CONN_PLACE, 0)));
		EXPECT_EQ(-ENOENT, conn_cmd(e, CHIMNEY_CMD_CONN_TERMINATE, id));
		EXPECT_EQ(NULL, event(&ear, 0));
	}
	EXPECT_EQ(NULL, event(&elsewhere, 0));
	chim_nl_close(&ear);
	chim_nl_close(&elsewhere);
}

/* ---- many connections --------------------------------------------------- */

#define MANY		120
#define DUMP_ROOM	32768	/* bytes, of a part */

FIXTURE(many)
{
	struct env e;
	struct pair p[MANY];
	__u32 id[MANY];
};

FIXTURE_SETUP(many)
{
	struct env *e = &self->e;
	int i;

	ASSERT_EQ(0, env_setup(e));
	for (i = 0; i < MANY; i++) {
		ASSERT_EQ(0, pair_open(&self->p[i], IPV4));
		self->id[i] = offload(e, self->p[i].sk);
		ASSERT_NE(0, self->id[i]) TH_LOG("%s", e->nl.msg);
	}
}

FIXTURE_TEARDOWN(many)
{
	int i;

	for (i = 0; i < MANY; i++)
		pair_close(&self->p[i]);
	env_teardown(&self->e);
}

/* The next part of a dump: notes how often each id was seen. Returns 1 if
 * there is more to come, 0 at the end.
 */
static int dump_part(struct chim_nl *nl, unsigned char *seen, size_t n,
		     bool *intr)
{
	char buf[DUMP_ROOM];
	struct nlmsghdr *nlh = (struct nlmsghdr *)buf;
	static __u32 last;
	int len;

	len = mnl_socket_recvfrom(nl->sock, buf, sizeof(buf));
	if (len < 0)
		return -1;
	for (; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
		__u32 id;

		if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
			*intr = true;
		if (nlh->nlmsg_type == NLMSG_DONE) {
			last = 0;
			return 0;
		}
		if (nlh->nlmsg_type != nl->family)
			return -1;
		id = attr_u32(find(nlh, CHIMNEY_A_CONN_ID, 0));
		if (id >= n || id <= last)
			return -1;
		last = id;
		seen[id]++;
	}
	return 1;
}

static int dump_start(struct chim_nl *nl)
{
	char buf[NL_ROOM];
	struct nlmsghdr *nlh;

	nlh = chim_nl_start(nl, buf, nl->family, CHIMNEY_CMD_CONN_GET);
	nlh->nlmsg_flags |= NLM_F_DUMP;
	return mnl_socket_sendto(nl->sock, nlh, nlh->nlmsg_len) < 0;
}

TEST_F(many, dump)
{
	static unsigned char seen[1 << 20];
	struct env *e = &self->e;
	int i, rc, parts = 0;
	bool intr = false;

	ASSERT_EQ(0, dump_start(&e->nl));
	do {
		parts++;
		rc = dump_part(&e->nl, seen, sizeof(seen), &intr);
	} while (rc == 1);
	EXPECT_EQ(0, rc);
	EXPECT_LT(2, parts);
	EXPECT_FALSE(intr);
	for (i = 0; i < MANY; i++)
		EXPECT_EQ(1, seen[self->id[i]]);
}

/* Those that are there all the time are listed once; the dump is marked. */
TEST_F(many, dump_under_churn)
{
	static unsigned char seen[1 << 20];
	struct env *e = &self->e;
	struct chim_nl nl;
	bool gone[MANY] = {};
	bool intr = false;
	int i, rc, n = 0;

	ASSERT_EQ(0, chim_nl_open(&nl));
	ASSERT_EQ(0, dump_start(&nl));
	do {
		rc = dump_part(&nl, seen, sizeof(seen), &intr);
		/* From both ends; some of them come back under new ids. */
		for (i = 0; i < 4 && n < MANY / 2; i++, n++) {
			int victim = n & 1 ? MANY - n : n;

			gone[victim] = true;
			EXPECT_EQ(0, conn_cmd(e, CHIMNEY_CMD_CONN_TERMINATE,
					      self->id[victim]));
			if (n & 2)
				EXPECT_NE(0, offload(e, self->p[victim].sk));
		}
	} while (rc == 1);
	EXPECT_EQ(0, rc);
	EXPECT_TRUE(intr);
	EXPECT_LT(8, n);
	for (i = 0; i < MANY; i++) {
		EXPECT_GE(1, seen[self->id[i]]);
		EXPECT_LE(!gone[i], seen[self->id[i]]);
	}
	chim_nl_close(&nl);

	/* Undisturbed, it is not. */
	intr = false;
	ASSERT_EQ(0, dump_start(&e->nl));
	do {
		rc = dump_part(&e->nl, seen, sizeof(seen), &intr);
	} while (rc == 1);
	EXPECT_EQ(0, rc);
	EXPECT_FALSE(intr);
}

TEST_F(many, upload_all)
{
	struct env *e = &self->e;
	int i;

	EXPECT_EQ(MANY, param(e, CHIMNEY_A_DEV_CONNS));
	EXPECT_EQ(0, dev_cmd(e, CHIMNEY_CMD_DEV_UPLOAD_ALL));
	EXPECT_EQ(0, param(e, CHIMNEY_A_DEV_CONNS));
	EXPECT_EQ(0, dump(e, CHIMNEY_CMD_CONN_GET));
	EXPECT_EQ(0, answer.n);
	for (i = 0; i < MANY; i++)
		EXPECT_TRUE(echoes(self->p[i].sk, self->p[i].peer));
}

TEST_HARNESS_MAIN
