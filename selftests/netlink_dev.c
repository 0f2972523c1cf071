// SPDX-License-Identifier: GPL-2.0
/*
 * The control interface, devices: every command, every refusal with its error,
 * its words and the attribute it blames, who may do what, namespaces, and
 * notifications. Each test runs in network namespaces of its own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <linux/genetlink.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>

#include "harness.h"
#include "netlink_lib.h"

FIXTURE(dev)
{
	struct env e;
};

FIXTURE_SETUP(dev)
{
	ASSERT_EQ(0, env_setup(&self->e));
}

FIXTURE_TEARDOWN(dev)
{
	env_teardown(&self->e);
}

TEST_F(dev, get)
{
	struct env *e = &self->e;

	ASSERT_EQ(0, dev_cmd(e, CHIMNEY_CMD_DEV_GET));
	ASSERT_EQ(1, answer.n);
	EXPECT_EQ(net_ifindex, got_u32(CHIMNEY_A_DEV_IFINDEX));
	EXPECT_STREQ("chim0", mnl_attr_get_str(got(CHIMNEY_A_DEV_IFNAME)));
	EXPECT_EQ(if_nametoindex("veth0"),
		  got_u32(CHIMNEY_A_DEV_LOWER_IFINDEX));
	EXPECT_EQ(1000, got_u32(CHIMNEY_A_DEV_HZ));
	EXPECT_EQ(65536, got_u32(CHIMNEY_A_DEV_MAX_CONNS));
	EXPECT_EQ(0, got_u32(CHIMNEY_A_DEV_CONNS));
	EXPECT_EQ(0, got_u32(CHIMNEY_A_DEV_PAUSED));
	EXPECT_EQ(2, got_u32(CHIMNEY_A_DEV_ACK_FREQUENCY));
	EXPECT_EQ(40, got_u32(CHIMNEY_A_DEV_DELAYED_ACK));
	EXPECT_EQ(15, got_u32(CHIMNEY_A_DEV_MAX_RETRANSMISSIONS));
	EXPECT_EQ(3, got_u32(CHIMNEY_A_DEV_DUPACK_THRESHOLD));
	EXPECT_EQ(0, got_u32(CHIMNEY_A_DEV_FIN_WAIT2));
	EXPECT_EQ(1, got_u32(CHIMNEY_A_DEV_CAP_IPV4));
	EXPECT_EQ(1, got_u32(CHIMNEY_A_DEV_CAP_IPV6));
	EXPECT_EQ(1, got_u32(CHIMNEY_A_DEV_CAP_SACK));
}

TEST_F(dev, dump)
{
	struct env *e = &self->e;
	int i;

	/* Their indexes do not rise in the order of the list. */
	ASSERT_EQ(0, run("ip -batch - <<END\n"
			 "link add v2 index 200 type veth peer name w2\n"
			 "link add v3 index 300 type veth peer name w3\n"
			 "link add link v2 name chim2 index 902 type chimney\n"
			 "link add link v3 name chim3 index 901 type chimney\n"
			 "END\n"));
	ASSERT_EQ(0, dump(e, CHIMNEY_CMD_DEV_GET));
	ASSERT_EQ(3, answer.n);
	EXPECT_FALSE(e->nl.intr);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(i ? 900 + i : net_ifindex,
			  attr_u32(find(answer.reply[i], CHIMNEY_A_DEV_IFINDEX,
					0)));
}

TEST_F(dev, get_refused)
{
	struct env *e = &self->e;
	struct nlmsghdr *nlh;
	struct nlattr *attr;
	__u16 half = 1;

	MISSES(req(e, CHIMNEY_CMD_DEV_GET), EINVAL, "ifindex needed",
	       CHIMNEY_A_DEV_IFINDEX);

	nlh = req(e, CHIMNEY_CMD_DEV_GET);
	attr = put_u32(nlh, CHIMNEY_A_DEV_IFINDEX, 0);
	REFUSED(nlh, ERANGE, "out of range", attr);

	nlh = req(e, CHIMNEY_CMD_DEV_GET);
	attr = put_u32(nlh, CHIMNEY_A_DEV_IFINDEX, 4711);
	REFUSED(nlh, ENODEV, "no such device", attr);

	nlh = req(e, CHIMNEY_CMD_DEV_GET);
	attr = put_u32(nlh, CHIMNEY_A_DEV_IFINDEX, if_nametoindex("veth0"));
	REFUSED(nlh, EOPNOTSUPP, "not a chimney device", attr);

	nlh = req(e, CHIMNEY_CMD_DEV_GET);
	attr = put(nlh, CHIMNEY_A_DEV_IFINDEX, &half, sizeof(half));
	REFUSED(nlh, EINVAL, "", attr);

	/* Not an attribute of this command, and not an attribute at all */
	nlh = dev_req(e, CHIMNEY_CMD_DEV_GET);
	attr = put_u32(nlh, CHIMNEY_A_DEV_HZ, 100);
	REFUSED(nlh, EINVAL, "", attr);
	nlh = dev_req(e, CHIMNEY_CMD_DEV_GET);
	attr = put_u32(nlh, CHIMNEY_A_DEV_MAX + 1, 100);
	REFUSED(nlh, EINVAL, "", attr);

	nlh = dump_req(e, CHIMNEY_CMD_DEV_GET);
	attr = put_u32(nlh, CHIMNEY_A_DEV_IFINDEX, net_ifindex);
	REFUSED(nlh, EINVAL, "a dump takes no attributes",
		dumps_blame() ? attr : NULL);
}

TEST_F(dev, unknown_commands)
{
	static const __u8 cmds[] = {
		0, CHIMNEY_CMD_DEV_NTF, CHIMNEY_CMD_CONN_OFFLOAD_NTF,
		CHIMNEY_CMD_CONN_UPDATE_NTF, CHIMNEY_CMD_CONN_TERMINATE_NTF,
		CHIMNEY_CMD_MAX + 1, 255
	};
	struct env *e = &self->e;
	struct genlmsghdr *genl;
	struct nlmsghdr *nlh;
	int i;

	for (i = 0; i < ARRAY_SIZE(cmds); i++)
		REFUSED(dev_req(e, cmds[i]), EOPNOTSUPP, "", NULL);
	for (i = CHIMNEY_CMD_DEV_SET; i <= CHIMNEY_CMD_CONN_TERMINATE; i++) {
		if (i == CHIMNEY_CMD_CONN_GET)
			continue;
		REFUSED(dump_req(e, i), EOPNOTSUPP, "", NULL);
	}

	nlh = dev_req(e, CHIMNEY_CMD_DEV_GET);
	genl = mnl_nlmsg_get_payload(nlh);
	genl->reserved = 1;
	REFUSED(nlh, EINVAL, "", NULL);
}

TEST_F(dev, set)
{
	static const struct {
		__u16 type;
		__u32 vals[4];
	} params[] = {
		{ CHIMNEY_A_DEV_MAX_CONNS, { 1, 7, 1 << 24, 1000 } },
		{ CHIMNEY_A_DEV_ACK_FREQUENCY, { 1, 255, 2, 3 } },
		{ CHIMNEY_A_DEV_DELAYED_ACK, { 1, 499, 40, 41 } },
		{ CHIMNEY_A_DEV_MAX_RETRANSMISSIONS, { 1, 255, 15, 7 } },
		{ CHIMNEY_A_DEV_DUPACK_THRESHOLD, { 1, 255, 3, 4 } },
		{ CHIMNEY_A_DEV_FIN_WAIT2, { 1, INT_MAX - 1, 0, 60000 } },
	};
	static const __u32 hz[] = { 10, 100, 1000 };
	struct env *e = &self->e;
	int i, j;

	for (i = 0; i < ARRAY_SIZE(params); i++) {
		for (j = 0; j < ARRAY_SIZE(params[i].vals); j++) {
			EXPECT_EQ(0, set_param(e, params[i].type,
					       params[i].vals[j]));
			EXPECT_EQ(0, answer.n);
			EXPECT_EQ(params[i].vals[j],
				  param(e, params[i].type));
		}
	}
	/* The others were left alone. */
	for (i = 0; i < ARRAY_SIZE(params); i++)
		EXPECT_EQ(params[i].vals[3], param(e, params[i].type));

	for (i = 0; i < ARRAY_SIZE(hz); i++) {
		EXPECT_EQ(0, set_param(e, CHIMNEY_A_DEV_HZ, hz[i]));
		EXPECT_EQ(hz[i], param(e, CHIMNEY_A_DEV_HZ));
	}
}

/* Only the unit changes; what is shown is rounded up. */
TEST_F(dev, hz)
{
	struct env *e = &self->e;
	struct nlmsghdr *nlh;

	ASSERT_EQ(0, set_param(e, CHIMNEY_A_DEV_FIN_WAIT2, 60001));
	ASSERT_EQ(0, set_param(e, CHIMNEY_A_DEV_HZ, 100));
	EXPECT_EQ(4, param(e, CHIMNEY_A_DEV_DELAYED_ACK));
	EXPECT_EQ(6001, param(e, CHIMNEY_A_DEV_FIN_WAIT2));
	ASSERT_EQ(0, set_param(e, CHIMNEY_A_DEV_HZ, 10));
	EXPECT_EQ(1, param(e, CHIMNEY_A_DEV_DELAYED_ACK));
	EXPECT_EQ(601, param(e, CHIMNEY_A_DEV_FIN_WAIT2));
	ASSERT_EQ(0, set_param(e, CHIMNEY_A_DEV_HZ, 1000));
	EXPECT_EQ(40, param(e, CHIMNEY_A_DEV_DELAYED_ACK));
	EXPECT_EQ(60001, param(e, CHIMNEY_A_DEV_FIN_WAIT2));

	/* Times are in the unit given beside them, in any order. */
	nlh = dev_req(e, CHIMNEY_CMD_DEV_SET);
	put_u32(nlh, CHIMNEY_A_DEV_DELAYED_ACK, 4);
	put_u32(nlh, CHIMNEY_A_DEV_HZ, 10);
	put_u32(nlh, CHIMNEY_A_DEV_FIN_WAIT2, 20);
	ASSERT_EQ(0, ask(e, nlh));
	ASSERT_EQ(0, set_param(e, CHIMNEY_A_DEV_HZ, 1000));
	EXPECT_EQ(400, param(e, CHIMNEY_A_DEV_DELAYED_ACK));
	EXPECT_EQ(2000, param(e, CHIMNEY_A_DEV_FIN_WAIT2));
}

TEST_F(dev, set_refused)
{
	static const struct {
		__u16 type;
		__u32 val;
		const char *text;
	} bad[] = {
		{ CHIMNEY_A_DEV_HZ, 0, "out of range" },
		{ CHIMNEY_A_DEV_HZ, 1, "out of range" },
		{ CHIMNEY_A_DEV_HZ, 11, "hz must be 10, 100 or 1000" },
		{ CHIMNEY_A_DEV_HZ, 999, "hz must be 10, 100 or 1000" },
		{ CHIMNEY_A_DEV_HZ, 1001, "out of range" },
		{ CHIMNEY_A_DEV_HZ, 0xffffffff, "out of range" },
		{ CHIMNEY_A_DEV_MAX_CONNS, 0, "out of range" },
		{ CHIMNEY_A_DEV_MAX_CONNS, (1 << 24) + 1, "out of range" },
		{ CHIMNEY_A_DEV_ACK_FREQUENCY, 0, "out of range" },
		{ CHIMNEY_A_DEV_ACK_FREQUENCY, 256, "out of range" },
		{ CHIMNEY_A_DEV_DELAYED_ACK, 0, "out of range" },
		{ CHIMNEY_A_DEV_DELAYED_ACK, 500, "out of range" },
		{ CHIMNEY_A_DEV_MAX_RETRANSMISSIONS, 0, "out of range" },
		{ CHIMNEY_A_DEV_MAX_RETRANSMISSIONS, 256, "out of range" },
		{ CHIMNEY_A_DEV_DUPACK_THRESHOLD, 0, "out of range" },
		{ CHIMNEY_A_DEV_DUPACK_THRESHOLD, 256, "out of range" },
		{ CHIMNEY_A_DEV_FIN_WAIT2, 0xffffffff, "time is too long" },
	};
	struct env *e = &self->e;
	struct nlmsghdr *nlh;
	struct nlattr *attr;
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		nlh = dev_req(e, CHIMNEY_CMD_DEV_SET);
		attr = put_u32(nlh, bad[i].type, bad[i].val);
		REFUSED(nlh, ERANGE, bad[i].text, attr);

		/* With a good one before and another behind it */
		nlh = dev_req(e, CHIMNEY_CMD_DEV_SET);
		if (bad[i].type != CHIMNEY_A_DEV_ACK_FREQUENCY)
			put_u32(nlh, CHIMNEY_A_DEV_ACK_FREQUENCY, 77);
		attr = put_u32(nlh, bad[i].type, bad[i].val);
		if (bad[i].type != CHIMNEY_A_DEV_DUPACK_THRESHOLD)
			put_u32(nlh, CHIMNEY_A_DEV_DUPACK_THRESHOLD, 77);
		REFUSED(nlh, ERANGE, bad[i].text, attr);
	}

	/* In another unit */
	nlh = dev_req(e, CHIMNEY_CMD_DEV_SET);
	attr = put_u32(nlh, CHIMNEY_A_DEV_DELAYED_ACK, 5);
	put_u32(nlh, CHIMNEY_A_DEV_HZ, 10);
	REFUSED(nlh, ERANGE, "delayed ACK must be below 500 ms", attr);
	nlh = dev_req(e, CHIMNEY_CMD_DEV_SET);
	attr = put_u32(nlh, CHIMNEY_A_DEV_FIN_WAIT2, INT_MAX / 100 + 1);
	put_u32(nlh, CHIMNEY_A_DEV_HZ, 10);
	REFUSED(nlh, ERANGE, "time is too long", attr);

	/* All others are good, but the last thing to be looked at is not. */
	for (i = 0; i < 2; i++) {
		nlh = dev_req(e, CHIMNEY_CMD_DEV_SET);
		put_u32(nlh, CHIMNEY_A_DEV_MAX_CONNS, 77);
		put_u32(nlh, CHIMNEY_A_DEV_ACK_FREQUENCY, 77);
		put_u32(nlh, CHIMNEY_A_DEV_MAX_RETRANSMISSIONS, 77);
		put_u32(nlh, CHIMNEY_A_DEV_DUPACK_THRESHOLD, 77);
		put_u32(nlh, CHIMNEY_A_DEV_HZ, 10);
		attr = put_u32(nlh, CHIMNEY_A_DEV_DELAYED_ACK, i ? 3 : 5);
		if (i)
			attr = put_u32(nlh, CHIMNEY_A_DEV_FIN_WAIT2, ~0);
		else
			put_u32(nlh, CHIMNEY_A_DEV_FIN_WAIT2, 77);
		REFUSED(nlh, ERANGE, i ? "time is too long" : "below 500 ms",
			attr);
	}

	REFUSED(dev_req(e, CHIMNEY_CMD_DEV_SET), EINVAL, "nothing to change",
		NULL);

	/* Attributes that cannot be set */
	for (i = CHIMNEY_A_DEV_IFNAME; i <= CHIMNEY_A_DEV_MAX; i++) {
		switch (i) {
		case CHIMNEY_A_DEV_IFNAME:
		case CHIMNEY_A_DEV_LOWER_IFINDEX:
		case CHIMNEY_A_DEV_CONNS:
		case CHIMNEY_A_DEV_PAUSED:
			break;
		default:
			if (i <= CHIMNEY_A_DEV_FIN_WAIT2)
				continue;
		}
		nlh = dev_req(e, CHIMNEY_CMD_DEV_SET);
		put_u32(nlh, CHIMNEY_A_DEV_ACK_FREQUENCY, 77);
		attr = put_u32(nlh, i, 1);
		REFUSED(nlh, EINVAL, "", attr);
	}
}

static const __u8 dev_admin[] = {
	CHIMNEY_CMD_DEV_SET, CHIMNEY_CMD_DEV_PAUSE, CHIMNEY_CMD_DEV_RESUME,
	CHIMNEY_CMD_DEV_UPLOAD_ALL
};

TEST_F(dev, commands_refused)
{
	struct env *e = &self->e;
	struct nlmsghdr *nlh;
	struct nlattr *attr;
	int i;

	for (i = 0; i < ARRAY_SIZE(dev_admin); i++) {
		MISSES(req(e, dev_admin[i]), EINVAL, "ifindex needed",
		       CHIMNEY_A_DEV_IFINDEX);
		nlh = req(e, dev_admin[i]);
		attr = put_u32(nlh, CHIMNEY_A_DEV_IFINDEX, 4711);
		REFUSED(nlh, ENODEV, "no such device", attr);
		nlh = req(e, dev_admin[i]);
		attr = put_u32(nlh, CHIMNEY_A_DEV_IFINDEX,
			       if_nametoindex("veth0"));
		REFUSED(nlh, EOPNOTSUPP, "not a chimney device", attr);
		if (dev_admin[i] == CHIMNEY_CMD_DEV_SET)
			continue;
		nlh = dev_req(e, dev_admin[i]);
		attr = put_u32(nlh, CHIMNEY_A_DEV_HZ, 100);
		REFUSED(nlh, EINVAL, "", attr);
	}
}

TEST_F(dev, pause_and_resume)
{
	struct env *e = &self->e;
	int i;

	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, dev_cmd(e, CHIMNEY_CMD_DEV_PAUSE));
		EXPECT_EQ(1, param(e, CHIMNEY_A_DEV_PAUSED));
	}
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, dev_cmd(e, CHIMNEY_CMD_DEV_RESUME));
		EXPECT_EQ(0, param(e, CHIMNEY_A_DEV_PAUSED));
	}
	EXPECT_EQ(0, dev_cmd(e, CHIMNEY_CMD_DEV_UPLOAD_ALL));
}

static void dev_as_nobody(struct env *e)
{
	struct chim_nl ear;
	int i;

	CHILD(!dev_cmd(e, CHIMNEY_CMD_DEV_GET));
	CHILD(answer.n == 1);
	CHILD(!dump(e, CHIMNEY_CMD_DEV_GET));
	CHILD(answer.n == 1);
	CHILD(!dump(e, CHIMNEY_CMD_CONN_GET));
	CHILD(set_param(e, CHIMNEY_A_DEV_HZ, 100) == -EPERM);
	for (i = 0; i < ARRAY_SIZE(dev_admin); i++)
		CHILD(dev_cmd(e, dev_admin[i]) == -EPERM);
	for (i = CHIMNEY_CMD_CONN_OFFLOAD; i <= CHIMNEY_CMD_CONN_TERMINATE; i++)
		CHILD(conn_cmd(e, i, 1) == -EPERM);
	CHILD(chim_nl_listen(&ear) == -EPERM);
}

TEST_F(dev, unprivileged)
{
	struct env *e = &self->e;

	EXPECT_EQ(0, in_child(e, dev_as_nobody, true));
	EXPECT_EQ(1000, param(e, CHIMNEY_A_DEV_HZ));
	EXPECT_EQ(0, param(e, CHIMNEY_A_DEV_PAUSED));
}

static int offload_with_window(struct env *e, int sk, __u32 wnd)
{
	struct nlmsghdr *nlh = req(e, CHIMNEY_CMD_CONN_OFFLOAD);

	put_u32(nlh, CHIMNEY_A_CONN_FD, sk);
	put_cached(nlh, CHIMNEY_A_CACHED_INITIAL_RCV_WND, wnd);
	return ask(e, nlh);
}

/* How much memory it pins is not its to decide, as with SO_RCVBUFFORCE. The
 * connection is of no device of ours; what comes first is looked at first.
 */
static void wide_window(struct env *e)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int most, ear = socket(AF_INET, SOCK_STREAM, 0);
	int sk = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(at);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHILD(!ioctl(sk, SIOCSIFFLAGS, &lo));
	CHILD(!bind(ear, (void *)&at, len) && !listen(ear, 1));
	CHILD(!getsockname(ear, (void *)&at, &len));
	CHILD(!connect(sk, (void *)&at, len));
	CHILD(!set_int(ear, SOL_SOCKET, SO_RCVBUF, INT_MAX / 2));
	most = get_int(ear, SOL_SOCKET, SO_RCVBUF) / 2;
	CHILD(offload_with_window(e, sk, most + 1) == -EPERM);
	CHILD(!strcmp(e->nl.msg, "chimney: more than net.core.rmem_max"));
	CHILD(offload_with_window(e, sk, most) == -ENETUNREACH);
	close(sk);
	close(ear);
}

/* Root of a user namespace is administrator of its network namespaces only. */
static void dev_in_userns(struct env *e)
{
	struct chim_nl ear;

	CHILD(!unshare(CLONE_NEWUSER));
	CHILD(!chim_nl_open(&e->nl));
	CHILD(!dev_cmd(e, CHIMNEY_CMD_DEV_GET));
	CHILD(dev_cmd(e, CHIMNEY_CMD_DEV_PAUSE) == -EPERM);
	CHILD(chim_nl_listen(&ear) == -EPERM);

	CHILD(!unshare(CLONE_NEWNET));
	CHILD(!chim_nl_open(&e->nl));
	CHILD(dev_cmd(e, CHIMNEY_CMD_DEV_PAUSE) == -ENODEV);
	CHILD(conn_cmd(e, CHIMNEY_CMD_CONN_TERMINATE, 1) == -ENOENT);
	CHILD(!chim_nl_listen(&ear));
	wide_window(e);
}

TEST_F(dev, user_namespace)
{
	EXPECT_EQ(0, in_child(&self->e, dev_in_userns, true));
	EXPECT_EQ(0, param(&self->e, CHIMNEY_A_DEV_PAUSED));
}

TEST_F(dev, network_namespace)
{
	struct chim_nl nl = self->e.nl;
	struct env *e = &self->e;
	int i;

	ASSERT_EQ(0, net_enter(net_peer_ns));
	ASSERT_EQ(0, chim_nl_open(&e->nl));
	EXPECT_EQ(-ENODEV, dev_cmd(e, CHIMNEY_CMD_DEV_GET));
	EXPECT_EQ(-ENODEV, set_param(e, CHIMNEY_A_DEV_HZ, 100));
	for (i = 1; i < ARRAY_SIZE(dev_admin); i++)
		EXPECT_EQ(-ENODEV, dev_cmd(e, dev_admin[i]));
	EXPECT_EQ(0, dump(e, CHIMNEY_CMD_DEV_GET));
	EXPECT_EQ(0, answer.n);
	chim_nl_close(&e->nl);

	/* A device in another namespace than the one below it */
	ASSERT_EQ(0, net_enter(net_host_ns));
	e->nl = nl;
	ASSERT_EQ(0, run("ip link set chim0 netns /proc/%d/fd/%d", getpid(),
			 net_peer_ns));
	EXPECT_EQ(-ENODEV, dev_cmd(e, CHIMNEY_CMD_DEV_GET));
	ASSERT_EQ(0, net_enter(net_peer_ns));
	ASSERT_EQ(0, chim_nl_open(&e->nl));
	net_ifindex = if_nametoindex("chim0");
	EXPECT_EQ(0, dev_cmd(e, CHIMNEY_CMD_DEV_GET));
	EXPECT_EQ(NULL, got(CHIMNEY_A_DEV_LOWER_IFINDEX));
	chim_nl_close(&nl);
}

/* Two connections may differ in nothing but the device they are bound to. */
TEST_F(dev, same_addresses)
{
	static const char *const names[] = { "chim0", "v2" };
	int listener = net_listen(IPV4, true);
	struct sockaddr_storage ss, local;
	struct env *e = &self->e;
	int third, sk[2], i, one = 1;
	struct chim_nl_tuple t;
	struct nlmsghdr *nlh;
	struct nlattr *attr;
	socklen_t len;

	/* Another peer with the same address, behind another device */
	third = net_new();
	ASSERT_LE(0, third);
	ASSERT_EQ(0, run("ip -batch - <<END\n"
			 "link add w2 type veth peer name v2 netns /proc/%d/fd/%d\n"
			 "address add 192.0.2.2/24 dev w2\n"
			 "link set w2 up\n"
			 "END\n", getpid(), net_host_ns));
	len = net_address(IPV4, true, net_port(listener), &ss);
	listener = net_socket(third, AF_INET, SOCK_STREAM, 0);
	ASSERT_EQ(0, bind(listener, (void *)&ss, len));
	ASSERT_EQ(0, listen(listener, 1));
	ASSERT_EQ(0, run("ip -batch - <<END\n"
			 "link set v2 up\n"
			 "address add 192.0.2.1/32 dev v2\n"
			 "route add 192.0.2.2/32 dev v2 metric 9\n"
			 "END\n"));
	net_address(IPV4, false, 40000, &local);
	for (i = 0; i < 2; i++) {
		sk[i] = socket(AF_INET, SOCK_STREAM, 0);
		setsockopt(sk[i], SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		ASSERT_EQ(0, setsockopt(sk[i], SOL_SOCKET, SO_BINDTODEVICE,
					names[i], strlen(names[i]) + 1));
		ASSERT_EQ(0, bind(sk[i], (void *)&local, len));
		ASSERT_EQ(0, connect(sk[i], (void *)&ss, len));
	}
	ASSERT_EQ(0, chim_nl_tuple_of(sk[0], &t));
	nlh = req(e, CHIMNEY_CMD_CONN_OFFLOAD);
	attr = chim_nl_put_tuple(nlh, &t, 0);
	REFUSED(nlh, ENOTUNIQ, "several connections have these addresses",
		attr);
	EXPECT_NE(0, offload(e, sk[0])) TH_LOG("%s", e->nl.msg);
	close(sk[0]);
	close(sk[1]);
}

TEST_F(dev, notifications)
{
	struct chim_nl ear, elsewhere;
	struct env *e = &self->e;
	struct nlmsghdr *nlh;

	ASSERT_EQ(0, chim_nl_listen(&ear));
	ASSERT_EQ(0, net_enter(net_peer_ns));
	ASSERT_EQ(0, chim_nl_listen(&elsewhere));
	ASSERT_EQ(0, net_enter(net_host_ns));

	ASSERT_EQ(0, set_param(e, CHIMNEY_A_DEV_ACK_FREQUENCY, 9));
	nlh = event(&ear, 5000);
	ASSERT_EQ(CHIMNEY_CMD_DEV_NTF, event_cmd(&ear, nlh));
	EXPECT_EQ(9, attr_u32(find(nlh, CHIMNEY_A_DEV_ACK_FREQUENCY, 0)));
	EXPECT_EQ(net_ifindex, attr_u32(find(nlh, CHIMNEY_A_DEV_IFINDEX, 0)));

	ASSERT_EQ(-ERANGE, set_param(e, CHIMNEY_A_DEV_ACK_FREQUENCY, 0));
	ASSERT_EQ(0, dev_cmd(e, CHIMNEY_CMD_DEV_PAUSE));
	nlh = event(&ear, 5000);
	ASSERT_EQ(CHIMNEY_CMD_DEV_NTF, event_cmd(&ear, nlh));
	EXPECT_EQ(1, attr_u32(find(nlh, CHIMNEY_A_DEV_PAUSED, 0)));
	ASSERT_EQ(0, dev_cmd(e, CHIMNEY_CMD_DEV_RESUME));
	nlh = event(&ear, 5000);
	ASSERT_EQ(CHIMNEY_CMD_DEV_NTF, event_cmd(&ear, nlh));
	EXPECT_EQ(0, attr_u32(find(nlh, CHIMNEY_A_DEV_PAUSED, 0)));

	EXPECT_EQ(NULL, event(&ear, 0));
	EXPECT_EQ(NULL, event(&elsewhere, 0));
	chim_nl_close(&ear);
	chim_nl_close(&elsewhere);
}

TEST_HARNESS_MAIN
