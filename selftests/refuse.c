// SPDX-License-Identifier: GPL-2.0
/*
 * Sockets that are not offloaded: each is refused for a reason that is named,
 * nothing counts as offloaded, and the socket goes on as a plain one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/in6.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "harness.h"
#include "sock_pair.h"

#ifndef IP_XFRM_POLICY
#define IP_XFRM_POLICY		17
#endif
#ifndef IP_MINTTL
#define IP_MINTTL		21
#endif
/* Of kernels newer than the headers. */
#ifndef TCP_AO_ADD_KEY
#define TCP_AO_ADD_KEY		38
#endif
#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS		44
#endif
#ifndef TCPI_OPT_USEC_TS
#define TCPI_OPT_USEC_TS	64
#endif
#ifndef TCP_ESTABLISHED
#define TCP_ESTABLISHED		1
#define TCP_SYN_SENT		2
#define TCP_SYN_RECV		3
#define TCP_TIME_WAIT		6
#define TCP_CLOSE		7
#endif

FIXTURE(refuse)
{
	struct pair p;
	struct chim_nl nl;
	struct chim_nl_dev before;
	int sk;
	int peer;
};

FIXTURE_VARIANT(refuse)
{
	enum kind kind;
};

FIXTURE_VARIANT_ADD(refuse, ipv4)
{
	.kind = IPV4,
};

FIXTURE_VARIANT_ADD(refuse, ipv6)
{
	.kind = IPV6,
};

FIXTURE_VARIANT_ADD(refuse, mapped)
{
	.kind = MAPPED,
};

FIXTURE_SETUP(refuse)
{
	ASSERT_EQ(0, chim_nl_open(&self->nl));
	ASSERT_EQ(0, pair_open(&self->p, variant->kind));
	self->sk = self->p.sk;
	self->peer = self->p.peer;
	ASSERT_EQ(0, chim_nl_dev(&self->nl, net_ifindex, &self->before));
}

FIXTURE_TEARDOWN(refuse)
{
	pair_close(&self->p);
	chim_nl_close(&self->nl);
}

/* The refusal of a descriptor, or of a name if it is -1. */
static bool refused(struct _test_data_refuse *self, int fd, int err,
		    const char *why)
{
	struct chim_nl_dev now;
	int ret;

	if (fd < 0)
		ret = chim_nl_offload(&self->nl, &self->p.tuple, NULL);
	else
		ret = chim_nl_offload_fd(&self->nl, fd, NULL);
	if (ret != -err || !strstr(self->nl.msg, why)) {
		fprintf(TH_LOG_STREAM, "# got %d \"%s\", wanted %d \"%s\"\n",
			ret, self->nl.msg, -err, why);
		return false;
	}
	if (chim_nl_dev(&self->nl, net_ifindex, &now))
		return false;
	return now.dev[CHIMNEY_A_DEV_CONNS] ==
	       self->before.dev[CHIMNEY_A_DEV_CONNS] &&
	       now.dev[CHIMNEY_A_DEV_OFFLOADS] ==
	       self->before.dev[CHIMNEY_A_DEV_OFFLOADS] &&
	       now.dev[CHIMNEY_A_DEV_UPLOADS] ==
	       self->before.dev[CHIMNEY_A_DEV_UPLOADS];
}

static bool counted(struct _test_data_refuse *self)
{
	struct chim_nl_dev now;

	return !chim_nl_dev(&self->nl, net_ifindex, &now) &&
	       now.dev[CHIMNEY_A_DEV_REFUSED] >
	       self->before.dev[CHIMNEY_A_DEV_REFUSED];
}

/* Once the reason is gone the same socket can be offloaded. */
static bool taken(struct _test_data_refuse *self)
{
	int err = chim_nl_offload_fd(&self->nl, self->sk, NULL);

	if (err)
		fprintf(TH_LOG_STREAM, "# refused: %d \"%s\"\n", err,
			self->nl.msg);
	return !err && echoes(self->sk, self->peer) &&
	       !chim_nl_terminate(&self->nl, &self->p.tuple, NULL);
}

#define EXPECT_REFUSED(_err, _why) do {				\
	EXPECT_TRUE(refused(self, self->sk, _err, _why));	\
	EXPECT_TRUE(refused(self, -1, _err, _why));		\
	EXPECT_TRUE(echoes(self->sk, self->peer));		\
} while (0)

#define EXPECT_TAKEN()	EXPECT_TRUE(taken(self))

/* What is no connection */

TEST_F(refuse, nothing_wrong)
{
	EXPECT_TAKEN();
}

TEST_F(refuse, not_open)
{
	EXPECT_TRUE(refused(self, 12345, EBADF, "not an open socket"));
}

TEST_F(refuse, not_a_socket)
{
	int fd = open("/dev/null", O_RDONLY);

	EXPECT_TRUE(refused(self, fd, ENOTSOCK, "not an open socket"));
}

TEST_F(refuse, other_protocols)
{
	int family = variant->kind == IPV4 ? AF_INET : AF_INET6;
	int fd = net_socket(net_host_ns, family, SOCK_DGRAM, 0);

	ASSERT_LE(0, fd);
	EXPECT_TRUE(refused(self, fd, EOPNOTSUPP, "not a TCP socket"));
	close(fd);
	fd = net_socket(net_host_ns, AF_UNIX, SOCK_STREAM, 0);
	ASSERT_LE(0, fd);
	EXPECT_TRUE(refused(self, fd, EOPNOTSUPP, "not a TCP socket"));
	close(fd);
}

TEST_F(refuse, other_namespace)
{
	EXPECT_TRUE(refused(self, self->peer, EXDEV,
			    "another network namespace"));
	EXPECT_TRUE(echoes(self->sk, self->peer));
}

TEST_F(refuse, listening)
{
	int fd = net_listen(variant->kind, false), sk, peer;

	ASSERT_LE(0, fd);
	EXPECT_TRUE(refused(self, fd, EINVAL, "listening"));
	peer = net_connect(variant->kind, true, net_port(fd));
	ASSERT_LE(0, peer);
	sk = accept(fd, NULL, NULL);
	ASSERT_LE(0, sk);
	EXPECT_TRUE(echoes(sk, peer));
}

TEST_F(refuse, new)
{
	int family = variant->kind == IPV4 ? AF_INET : AF_INET6;
	int fd = net_socket(net_host_ns, family, SOCK_STREAM, 0);
	int listener = net_listen(variant->kind, true), peer;
	struct sockaddr_storage ss;
	socklen_t len;

	ASSERT_LE(0, fd);
	EXPECT_TRUE(refused(self, fd, ENOTCONN, "not connected"));
	len = net_address(variant->kind, true, net_port(listener), &ss);
	ASSERT_EQ(0, connect(fd, (void *)&ss, len));
	peer = accept(listener, NULL, NULL);
	EXPECT_TRUE(echoes(fd, peer));
}

static const char *peer_address(int kind)
{
	return kind == IPV6 ? "2001:db8::2" : "192.0.2.2";
}

/* Segments to the peer get lost, or do not any more. */
static int lose(int kind, bool on)
{
	const char *fmt = on ?
		"ip neigh replace %s dev chim0 lladdr 02:00:00:00:00:99" :
		"ip neigh delete %s dev chim0";

	return run(fmt, peer_address(kind));
}

TEST_F(refuse, connecting)
{
	int family = variant->kind == IPV4 ? AF_INET : AF_INET6;
	int fd = net_socket(net_host_ns, family, SOCK_STREAM | SOCK_NONBLOCK,
			    0);
	int listener = net_listen(variant->kind, true), peer;
	struct sockaddr_storage ss;
	socklen_t len;

	ASSERT_LE(0, fd);
	len = net_address(variant->kind, true, net_port(listener), &ss);
	ASSERT_EQ(0, lose(variant->kind, true));
	ASSERT_EQ(-1, connect(fd, (void *)&ss, len));
	EXPECT_EQ(TCP_SYN_SENT, tcp_state_of(fd));
	EXPECT_TRUE(refused(self, fd, ENOTCONN, "not connected"));
	ASSERT_EQ(0, lose(variant->kind, false));
	ASSERT_TRUE(until(tcp_state_of(fd) == TCP_ESTABLISHED));
	peer = accept(listener, NULL, NULL);
	EXPECT_TRUE(echoes(fd, peer));
}

TEST_F(refuse, closed)
{
	ASSERT_EQ(0, shutdown(self->peer, SHUT_WR));
	ASSERT_EQ(0, shutdown(self->sk, SHUT_WR));
	ASSERT_TRUE(until(tcp_state_of(self->sk) == TCP_CLOSE));
	EXPECT_TRUE(refused(self, self->sk, ENOTCONN, "not connected"));
}

TEST_F(refuse, time_wait)
{
	ASSERT_EQ(0, close(self->sk));
	self->p.sk = -1;
	ASSERT_TRUE(until(events_of(self->peer) & POLLRDHUP));
	ASSERT_EQ(0, close(self->peer));
	self->p.peer = -1;
	ASSERT_TRUE(until(proc_state(variant->kind, &self->p.tuple) ==
			  TCP_TIME_WAIT));
	EXPECT_TRUE(refused(self, -1, EINVAL, "not an established connection"));
}

/* Its program is gone, the connection is not. */
TEST_F(refuse, nobody_holds_it)
{
	char c;

	ASSERT_EQ(0, lose(variant->kind, true)); /* stays in FIN_WAIT_1 */
	ASSERT_EQ(0, close(self->sk));
	self->p.sk = -1;
	EXPECT_TRUE(refused(self, -1, ENOTCONN, "no program holds"));
	ASSERT_EQ(0, lose(variant->kind, false));
	EXPECT_EQ(0, recv(self->peer, &c, 1, 0));
}

TEST_F(refuse, unknown_addresses)
{
	self->p.tuple.rport ^= htons(1);
	EXPECT_TRUE(refused(self, -1, ENOENT,
			    "no connection has these addresses"));
}

TEST_F(refuse, reading_shut_down)
{
	char c = 'r';

	ASSERT_EQ(0, shutdown(self->sk, SHUT_RD));
	EXPECT_TRUE(refused(self, self->sk, EOPNOTSUPP, "shut down reading"));
	ASSERT_EQ(1, send(self->sk, &c, 1, 0));
	EXPECT_EQ(1, recv(self->peer, &c, 1, 0));
}

/* Where it goes */

TEST_F(refuse, other_route)
{
	static const char * const any[] = { "127.0.0.1", "::1",
					    "::ffff:127.0.0.1" };
	int family = variant->kind == IPV4 ? AF_INET : AF_INET6;
	int fd = net_socket(net_host_ns, family, SOCK_STREAM, 0);
	struct sockaddr_storage ss;
	socklen_t len;
	int sk, peer;

	len = net_address(variant->kind, false, 0, &ss);
	inet_pton(family, any[variant->kind], variant->kind == IPV4 ?
		  (void *)&((struct sockaddr_in *)&ss)->sin_addr :
		  (void *)&((struct sockaddr_in6 *)&ss)->sin6_addr);
	ASSERT_EQ(0, bind(fd, (void *)&ss, len));
	ASSERT_EQ(0, listen(fd, 1));
	len = sizeof(ss);
	ASSERT_EQ(0, getsockname(fd, (void *)&ss, &len));
	sk = net_socket(net_host_ns, family, SOCK_STREAM, 0);
	ASSERT_EQ(0, connect(sk, (void *)&ss, len));
	peer = accept(fd, NULL, NULL);
	ASSERT_LE(0, peer);
	EXPECT_TRUE(refused(self, sk, ENETUNREACH, "does not go through"));
	EXPECT_TRUE(echoes(sk, peer));
}

/* The peer has another address, and takes what comes by way of it. */
static int take_detours(bool on)
{
	int err = net_enter(net_peer_ns);

	err |= run("ip address %s 2001:db8::3/128 dev veth1 nodad",
		   on ? "add" : "delete");
	err |= run("sysctl -qw net.ipv6.conf.all.seg6_enabled=%d", on);
	err |= run("sysctl -qw net.ipv6.conf.veth1.seg6_enabled=%d", on);
	return err | net_enter(net_host_ns);
}

TEST_F(refuse, route_encapsulates)
{
	/* Not by way of the peer's own address: on the way there a packet
	 * would take this route again, and again.
	 */
	const char *encap = "encap seg6 mode inline segs 2001:db8::3";

	if (variant->kind != IPV6)
		return;
	ASSERT_EQ(0, run("ip -6 route add 2001:db8::2 %s dev chim0", encap));
	EXPECT_EQ(0, take_detours(true));
	EXPECT_REFUSED(EOPNOTSUPP, "the route encapsulates packets");
	EXPECT_TRUE(counted(self));
	ASSERT_EQ(0, run("ip -6 route delete 2001:db8::2 dev chim0"));
	EXPECT_EQ(0, take_detours(false));
	EXPECT_TAKEN();
}

TEST_F(refuse, route_minimum_timeout)
{
	const char *peer = peer_address(variant->kind);

	ASSERT_EQ(0, run("ip route add %s dev chim0 rto_min 1s", peer));
	EXPECT_REFUSED(EOPNOTSUPP,
		       "the socket's retransmission timeout has a minimum");
	EXPECT_TRUE(counted(self));
	ASSERT_EQ(0, run("ip route delete %s dev chim0", peer));
	EXPECT_TAKEN();
}

TEST_F(refuse, device_full)
{
	struct pair p;
	int i;

	ASSERT_EQ(0, pair_open(&p, variant->kind));
	ASSERT_EQ(0, chim_nl_offload_fd(&self->nl, p.sk, NULL));
	ASSERT_EQ(0, chim_nl_dev(&self->nl, net_ifindex, &self->before));
	EXPECT_EQ(1, self->before.dev[CHIMNEY_A_DEV_CONNS]);
	ASSERT_EQ(0, chim_nl_dev_set(&self->nl, net_ifindex,
				     CHIMNEY_A_DEV_MAX_CONNS, 1));
	for (i = 0; i < 3; i++)
		EXPECT_REFUSED(ENOSPC, "connection limit");
	EXPECT_TRUE(counted(self));
	EXPECT_TRUE(echoes(p.sk, p.peer));
	ASSERT_EQ(0, chim_nl_terminate(&self->nl, &p.tuple, NULL));
	EXPECT_TAKEN();
	ASSERT_EQ(0, chim_nl_dev_set(&self->nl, net_ifindex,
				     CHIMNEY_A_DEV_MAX_CONNS, 65536));
	pair_close(&p);
}

TEST_F(refuse, paused)
{
	ASSERT_EQ(0, chim_nl_dev_do(&self->nl, net_ifindex,
				    CHIMNEY_CMD_DEV_PAUSE));
	EXPECT_REFUSED(EBUSY, "paused");
	EXPECT_TRUE(counted(self));
	ASSERT_EQ(0, chim_nl_dev_do(&self->nl, net_ifindex,
				    CHIMNEY_CMD_DEV_RESUME));
	EXPECT_TAKEN();
}

TEST_F(refuse, device_down)
{
	ASSERT_EQ(0, run("ip link set chim0 down"));
	EXPECT_TRUE(refused(self, self->sk, ENETUNREACH,
			    "does not go through") ||
		    refused(self, self->sk, ENETDOWN, "is down"));
	ASSERT_EQ(0, run("ip link set chim0 up"));
	ASSERT_EQ(0, run("ip address replace 2001:db8::1/64 dev chim0 nodad"));
	EXPECT_TRUE(echoes(self->sk, self->peer));
	EXPECT_TAKEN();
}

TEST_F(refuse, already_offloaded)
{
	ASSERT_EQ(0, chim_nl_offload_fd(&self->nl, self->sk, NULL));
	ASSERT_EQ(0, chim_nl_dev(&self->nl, net_ifindex, &self->before));
	EXPECT_REFUSED(EALREADY, "already offloaded");
	EXPECT_TRUE(counted(self));
}

/* Who else has it */

TEST_F(refuse, upper_layer_protocol)
{
	ASSERT_EQ(0, setsockopt(self->sk, IPPROTO_TCP, TCP_ULP, "tls", 3));
	EXPECT_REFUSED(EOPNOTSUPP, "ULP");
	EXPECT_TRUE(counted(self));
}

static int bpf(int cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

TEST_F(refuse, sockmap)
{
	union bpf_attr attr;
	__u32 key = 0;
	__u64 fd = self->sk;
	int map;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_SOCKMAP;
	attr.key_size = sizeof(key);
	attr.value_size = sizeof(fd);
	attr.max_entries = 1;
	map = bpf(BPF_MAP_CREATE, &attr);
	ASSERT_LE(0, map);
	memset(&attr, 0, sizeof(attr));
	attr.map_fd = map;
	attr.key = (unsigned long)&key;
	attr.value = (unsigned long)&fd;
	ASSERT_EQ(0, bpf(BPF_MAP_UPDATE_ELEM, &attr));
	EXPECT_REFUSED(EOPNOTSUPP, "sockmap");
	EXPECT_TRUE(counted(self));

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = map;
	attr.key = (unsigned long)&key;
	ASSERT_EQ(0, bpf(BPF_MAP_DELETE_ELEM, &attr));
	close(map);
	ASSERT_TRUE(until(!chim_nl_offload_fd(&self->nl, self->sk, NULL)));
	EXPECT_TRUE(echoes(self->sk, self->peer));
}

/* An offloaded one cannot be added. */
TEST_F(refuse, sockmap_afterwards)
{
	union bpf_attr attr;
	__u32 key = 0;
	__u64 fd = self->sk;
	int map;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_SOCKMAP;
	attr.key_size = sizeof(key);
	attr.value_size = sizeof(fd);
	attr.max_entries = 1;
	map = bpf(BPF_MAP_CREATE, &attr);
	ASSERT_LE(0, map);
	ASSERT_EQ(0, chim_nl_offload_fd(&self->nl, self->sk, NULL));
	memset(&attr, 0, sizeof(attr));
	attr.map_fd = map;
	attr.key = (unsigned long)&key;
	attr.value = (unsigned long)&fd;
	EXPECT_EQ(-1, bpf(BPF_MAP_UPDATE_ELEM, &attr));
	EXPECT_TRUE(echoes(self->sk, self->peer));
	close(map);
}

TEST_F(refuse, mptcp)
{
	int family = variant->kind == IPV4 ? AF_INET : AF_INET6;
	struct sockaddr_storage ss;
	socklen_t len;
	int fd, sk, peer;

	fd = net_socket(net_peer_ns, family, SOCK_STREAM, IPPROTO_MPTCP);
	ASSERT_LE(0, fd);
	len = net_address(variant->kind, true, 0, &ss);
	ASSERT_EQ(0, bind(fd, (void *)&ss, len));
	ASSERT_EQ(0, listen(fd, 1));
	len = net_address(variant->kind, true, net_port(fd), &ss);
	sk = net_socket(net_host_ns, family, SOCK_STREAM, IPPROTO_MPTCP);
	ASSERT_LE(0, sk);
	ASSERT_EQ(0, connect(sk, (void *)&ss, len));
	peer = accept(fd, NULL, NULL);
	ASSERT_LE(0, peer);
	ASSERT_EQ(0, chim_nl_tuple_of(sk, &self->p.tuple));
	ASSERT_TRUE(echoes(sk, peer));
	/* The socket, and the connection below it. */
	EXPECT_TRUE(refused(self, sk, EOPNOTSUPP, "MPTCP"));
	EXPECT_TRUE(refused(self, -1, EOPNOTSUPP, "MPTCP"));
	EXPECT_TRUE(echoes(sk, peer));
}

TEST_F(refuse, md5)
{
	struct tcp_md5sig key = { .tcpm_keylen = 3, .tcpm_key = "key" };

	/* For another peer, so that the connection goes on. */
	net_address(variant->kind, false, 0, (void *)&key.tcpm_addr);
	ASSERT_EQ(0, setsockopt(self->sk, IPPROTO_TCP, TCP_MD5SIG, &key,
				sizeof(key)));
	EXPECT_REFUSED(EOPNOTSUPP, "MD5");
	EXPECT_TRUE(counted(self));
}

/* struct tcp_ao_add of linux/tcp.h */
struct ao_key {
	struct sockaddr_storage addr;
	char alg_name[64];
	__s32 ifindex;
	__u32 flags;
	__u16 reserved;
	__u8 prefix;
	__u8 sndid;
	__u8 rcvid;
	__u8 maclen;
	__u8 keyflags;
	__u8 keylen;
	__u8 key[80];
} __attribute__((aligned(8)));

static int set_ao_key(int fd, int kind, bool peer)
{
	struct ao_key key = {
		.alg_name = "hmac(sha1)",
		.sndid = 1,
		.rcvid = 1,
		.keylen = 3,
		.key = "key",
	};

	net_address(kind, peer, 0, &key.addr);
	key.prefix = kind == IPV6 ? 128 : 32;
	return setsockopt(fd, IPPROTO_TCP, TCP_AO_ADD_KEY, &key, sizeof(key));
}

TEST_F(refuse, authentication_option)
{
	int family = variant->kind == IPV4 ? AF_INET : AF_INET6;
	struct sockaddr_storage ss;
	int fd, sk, peer;
	socklen_t len;

	fd = net_listen(variant->kind, true);
	ASSERT_LE(0, fd);
	if (set_ao_key(fd, variant->kind, false)) {
		/* Linux before 6.7, or made without it */
		ASSERT_EQ(ENOPROTOOPT, errno);
		return;
	}
	sk = net_socket(net_host_ns, family, SOCK_STREAM, 0);
	ASSERT_LE(0, sk);
	ASSERT_EQ(0, set_ao_key(sk, variant->kind, true));
	len = net_address(variant->kind, true, net_port(fd), &ss);
	ASSERT_EQ(0, connect(sk, (void *)&ss, len));
	peer = accept(fd, NULL, NULL);
	ASSERT_LE(0, peer);
	EXPECT_TRUE(refused(self, sk, EOPNOTSUPP, "TCP-AO"));
	EXPECT_TRUE(echoes(sk, peer));
}

/* Timestamps in microseconds come by a route, or with a restored socket. */
TEST_F(refuse, microseconds)
{
	struct tcp_info info = {};
	socklen_t len = sizeof(info);
	int now;

	ASSERT_EQ(0, set_int(self->sk, IPPROTO_TCP, TCP_REPAIR, 1));
	now = get_int(self->sk, IPPROTO_TCP, TCP_TIMESTAMP);
	ASSERT_EQ(0, set_int(self->sk, IPPROTO_TCP, TCP_TIMESTAMP, now | 1));
	ASSERT_EQ(0, set_int(self->sk, IPPROTO_TCP, TCP_REPAIR, -1));
	ASSERT_EQ(0, getsockopt(self->sk, IPPROTO_TCP, TCP_INFO, &info, &len));
	if (!(info.tcpi_options & TCPI_OPT_USEC_TS))
		return; /* Linux before 6.7 */
	EXPECT_REFUSED(EOPNOTSUPP, "microseconds");
}

TEST_F(refuse, accurate_ecn)
{
	const char *on = "sysctl -qw net.ipv4.tcp_ecn=3 2> /dev/null";
	const char *off = "sysctl -qw net.ipv4.tcp_ecn=2";
	struct pair p;

	if (run("%s", on))
		return; /* Linux before 7.0 */
	ASSERT_EQ(0, net_enter(net_peer_ns));
	EXPECT_EQ(0, run("%s", on));
	ASSERT_EQ(0, net_enter(net_host_ns));
	EXPECT_EQ(0, pair_open(&p, variant->kind));
	EXPECT_TRUE(refused(self, p.sk, EOPNOTSUPP, "accurate ECN"));
	EXPECT_TRUE(echoes(p.sk, p.peer));
	pair_close(&p);
	EXPECT_EQ(0, run("%s", off));
	ASSERT_EQ(0, net_enter(net_peer_ns));
	EXPECT_EQ(0, run("%s", off));
	ASSERT_EQ(0, net_enter(net_host_ns));
	EXPECT_TAKEN();
}

TEST_F(refuse, retransmission_limit)
{
	if (set_int(self->sk, IPPROTO_TCP, TCP_RTO_MAX_MS, 5000)) {
		ASSERT_EQ(ENOPROTOOPT, errno); /* Linux before 6.15 */
		return;
	}
	EXPECT_REFUSED(EOPNOTSUPP, "retransmission timeout");
	ASSERT_EQ(0, set_int(self->sk, IPPROTO_TCP, TCP_RTO_MAX_MS, 120000));
	EXPECT_TAKEN();
}

TEST_F(refuse, ipsec_policy_of_socket)
{
	bool v6 = variant->kind != IPV4; /* the kind of the socket */
	struct xfrm_userpolicy_info policy = {
		.sel.family = v6 ? AF_INET6 : AF_INET,
		.action = XFRM_POLICY_ALLOW,
		.lft.soft_byte_limit = XFRM_INF,
		.lft.hard_byte_limit = XFRM_INF,
		.lft.soft_packet_limit = XFRM_INF,
		.lft.hard_packet_limit = XFRM_INF,
		.dir = XFRM_POLICY_OUT,
	};

	/* Loads what the option needs. */
	ASSERT_EQ(0, run("ip xfrm policy list"));
	ASSERT_EQ(0, setsockopt(self->sk, v6 ? IPPROTO_IPV6 : IPPROTO_IP,
				v6 ? IPV6_XFRM_POLICY : IP_XFRM_POLICY,
				&policy, sizeof(policy)));
	EXPECT_REFUSED(EOPNOTSUPP, "IPsec policy");
	EXPECT_TRUE(counted(self));
}

/* ESP both ways, on both sides; or none any more. */
static int ipsec(int kind, bool on)
{
	static const char * const name[][2] = {
		{ "192.0.2.1", "192.0.2.2" },
		{ "2001:db8::1", "2001:db8::2" },
	};
	static const char esp[] = "proto esp reqid 7 mode transport";
	static const char enc[] = "enc ecb\\(cipher_null\\) ''";
	static const char auth[] = "auth hmac\\(sha1\\)";
	static const char key[] = "0x00112233445566778899aabbccddeeff00112233";
	const char *host = name[kind == IPV6][0], *peer = name[kind == IPV6][1];
	int side, err = 0;

	if (!on) {
		err = net_enter(net_peer_ns);
		err |= run("ip xfrm policy flush && ip xfrm state flush");
		err |= net_enter(net_host_ns);
		err |= run("ip xfrm policy flush && ip xfrm state flush");
		return err;
	}
	for (side = 0; side < 2; side++) {
		const char *from = side ? peer : host, *to = side ? host : peer;

		err |= net_enter(side ? net_peer_ns : net_host_ns);
		err |= run("ip xfrm state add src %s dst %s spi %d %s %s %s %s",
			   from, to, 256 + side, esp, enc, auth, key);
		err |= run("ip xfrm state add src %s dst %s spi %d %s %s %s %s",
			   to, from, 256 + !side, esp, enc, auth, key);
		err |= run("ip xfrm policy add src %s dst %s %s tmpl %s",
			   from, to, "proto tcp dir out", esp);
	}
	return err | net_enter(net_host_ns);
}

TEST_F(refuse, ipsec_policy_of_route)
{
	ASSERT_EQ(0, ipsec(variant->kind, true));
	EXPECT_REFUSED(EOPNOTSUPP, "IPsec policy");
	EXPECT_TRUE(counted(self));
	ASSERT_EQ(0, ipsec(variant->kind, false));
	EXPECT_TAKEN();
}

static unsigned int retransmitted(int fd)
{
	struct tcp_info info = {};
	socklen_t len = sizeof(info);

	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len);
	return info.tcpi_total_retrans;
}

static int blocked(int kind, const char *dir)
{
	const char *any = kind == IPV6 ? "::/0" : "0.0.0.0/0";

	return run("ip xfrm policy add src %s dst %s dir %s action block",
		   any, any, dir);
}

/* A policy that lets nothing in holds for the NIC as well. */
TEST_F(refuse, ipsec_policy_blocks)
{
	ASSERT_EQ(0, chim_nl_offload_fd(&self->nl, self->sk, NULL));
	ASSERT_EQ(0, blocked(variant->kind, "in"));
	ASSERT_EQ(1, send(self->peer, "a", 1, 0));
	EXPECT_TRUE(until(retransmitted(self->peer) >= 2));
	EXPECT_EQ(0, queued(self->sk, SIOCINQ));
	ASSERT_EQ(0, run("ip xfrm policy flush"));
	EXPECT_TRUE(until(queued(self->sk, SIOCINQ) == 1));
}

/* Nothing leaves in the clear that a policy forbids to. */
TEST_F(refuse, ipsec_policy_forbids)
{
	struct chim_nl_conn c;

	ASSERT_EQ(0, chim_nl_offload_fd(&self->nl, self->sk, NULL));
	ASSERT_EQ(0, blocked(variant->kind, "out"));
	ASSERT_EQ(1, send(self->sk, "a", 1, 0));
	EXPECT_TRUE(until(chim_nl_get(&self->nl, &self->p.tuple, &c)));
	EXPECT_EQ(0, queued(self->peer, SIOCINQ));
	ASSERT_EQ(0, run("ip xfrm policy flush"));
	EXPECT_TRUE(until(queued(self->peer, SIOCINQ) == 1));
}

/* A policy that comes later gets its connection back. */
TEST_F(refuse, ipsec_policy_afterwards)
{
	struct chim_nl_conn c;

	ASSERT_EQ(0, chim_nl_offload_fd(&self->nl, self->sk, NULL));
	ASSERT_EQ(0, ipsec(variant->kind, true));
	EXPECT_TRUE(echoes(self->sk, self->peer));
	EXPECT_TRUE(until(chim_nl_get(&self->nl, &self->p.tuple, &c)));
	EXPECT_TRUE(echoes(self->sk, self->peer));
	ASSERT_EQ(0, ipsec(variant->kind, false));
	EXPECT_TAKEN();
}

TEST_F(refuse, repair)
{
	ASSERT_EQ(0, set_int(self->sk, IPPROTO_TCP, TCP_REPAIR, 1));
	EXPECT_TRUE(refused(self, self->sk, EOPNOTSUPP, "repair"));
	EXPECT_TRUE(refused(self, -1, EOPNOTSUPP, "repair"));
	EXPECT_TRUE(counted(self));
	ASSERT_EQ(0, set_int(self->sk, IPPROTO_TCP, TCP_REPAIR, 0));
	EXPECT_TRUE(echoes(self->sk, self->peer));
	EXPECT_TAKEN();
}

/* A server has the data, its SYN-ACK is not answered yet. */
TEST_F(refuse, fast_open_server)
{
	int family = variant->kind == IPV4 ? AF_INET : AF_INET6;
	struct sockaddr_storage ss;
	socklen_t len;
	int fd, sk, peer;
	char c = 'f';

	ASSERT_EQ(0, run("sysctl -qw net.ipv4.tcp_fastopen=0x207"));
	ASSERT_EQ(0, net_enter(net_peer_ns));
	ASSERT_EQ(0, run("sysctl -qw net.ipv4.tcp_fastopen=0x207"));
	ASSERT_EQ(0, net_enter(net_host_ns));
	fd = net_listen(variant->kind, false);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, set_int(fd, IPPROTO_TCP, TCP_FASTOPEN, 5));
	len = net_address(variant->kind, false, net_port(fd), &ss);
	peer = net_socket(net_peer_ns, family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	ASSERT_EQ(0, lose(variant->kind, true));
	if (sendto(peer, &c, 1, MSG_FASTOPEN, (void *)&ss, len) < 0)
		EXPECT_EQ(EINPROGRESS, errno);
	sk = accept(fd, NULL, NULL);
	ASSERT_LE(0, sk);
	ASSERT_EQ(TCP_SYN_RECV, tcp_state_of(sk));
	EXPECT_TRUE(refused(self, sk, EOPNOTSUPP, "fast open"));
	ASSERT_EQ(0, lose(variant->kind, false));
	ASSERT_EQ(1, recv(sk, &c, 1, 0));
	EXPECT_EQ('f', c);
	ASSERT_TRUE(until(tcp_state_of(sk) == TCP_ESTABLISHED));
	ASSERT_EQ(0, fcntl(peer, F_SETFL, 0));
	EXPECT_TRUE(echoes(sk, peer));
	EXPECT_EQ(0, chim_nl_offload_fd(&self->nl, sk, NULL));
	EXPECT_TRUE(echoes(sk, peer));
}

/* A client connects with its first data. */
TEST_F(refuse, fast_open_client)
{
	int family = variant->kind == IPV4 ? AF_INET : AF_INET6;
	int fd = net_listen(variant->kind, true), sk, peer;
	struct sockaddr_storage ss;
	socklen_t len;
	char c = 'f';

	ASSERT_EQ(0, run("sysctl -qw net.ipv4.tcp_fastopen=0x207"));
	len = net_address(variant->kind, true, net_port(fd), &ss);
	sk = net_socket(net_host_ns, family, SOCK_STREAM, 0);
	ASSERT_EQ(0, set_int(sk, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1));
	ASSERT_EQ(0, connect(sk, (void *)&ss, len));
	EXPECT_TRUE(refused(self, sk, EOPNOTSUPP, "fast open"));
	ASSERT_EQ(1, send(sk, &c, 1, 0));
	peer = accept(fd, NULL, NULL);
	ASSERT_LE(0, peer);
	ASSERT_EQ(1, recv(peer, &c, 1, 0));
	EXPECT_TRUE(echoes(sk, peer));
}

/* What the NIC cannot do */

TEST_F(refuse, filter)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, 0xffffffff);
	struct sock_fprog prog = { .len = 1, .filter = &all };

	ASSERT_EQ(0, setsockopt(self->sk, SOL_SOCKET, SO_ATTACH_FILTER, &prog,
				sizeof(prog)));
	EXPECT_REFUSED(EOPNOTSUPP, "filter");
	EXPECT_TRUE(counted(self));
	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_DETACH_FILTER, 0));
	EXPECT_TAKEN();
}

TEST_F(refuse, zero_copy)
{
	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_ZEROCOPY, 1));
	EXPECT_REFUSED(EOPNOTSUPP, "zero-copy");
	EXPECT_TRUE(counted(self));
	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_ZEROCOPY, 0));
	EXPECT_TAKEN();
}

/* Sent, and still the program's: the peer has not acknowledged it. */
TEST_F(refuse, zero_copy_outstanding)
{
	static char data[20000], back[20000];

	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_ZEROCOPY, 1));
	ASSERT_EQ(0, lose(variant->kind, true));
	ASSERT_EQ(20000, send(self->sk, data, 20000, MSG_ZEROCOPY));
	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_ZEROCOPY, 0));
	EXPECT_TRUE(refused(self, self->sk, EOPNOTSUPP, "zero-copy"));
	ASSERT_EQ(0, lose(variant->kind, false));
	ASSERT_TRUE(recv_all(self->peer, back, 20000));
	EXPECT_TRUE(echoes(self->sk, self->peer));
	EXPECT_TAKEN();
}

TEST_F(refuse, ip_options)
{
	unsigned char nop[4] = { 1, 1, 1, 1 }, pad[8] = { 0, 0, 1, 4 };
	bool v6 = variant->kind == IPV6;
	int level = v6 ? IPPROTO_IPV6 : IPPROTO_IP;
	int name = v6 ? IPV6_DSTOPTS : IP_OPTIONS;

	ASSERT_EQ(0, setsockopt(self->sk, level, name, v6 ? pad : nop,
				v6 ? sizeof(pad) : sizeof(nop)));
	EXPECT_REFUSED(EOPNOTSUPP, v6 ? "IPv6 extension headers" :
					"IP options");
	EXPECT_TRUE(counted(self));
	ASSERT_EQ(0, setsockopt(self->sk, level, name, NULL, 0));
	EXPECT_TAKEN();
}

TEST_F(refuse, urgent_data)
{
	char c;

	ASSERT_EQ(1, send(self->peer, "U", 1, MSG_OOB));
	ASSERT_TRUE(until(events_of(self->sk) & POLLPRI));
	EXPECT_TRUE(refused(self, self->sk, EOPNOTSUPP, "urgent data"));
	EXPECT_TRUE(counted(self));
	ASSERT_EQ(1, recv(self->sk, &c, 1, MSG_OOB));
	EXPECT_TRUE(echoes(self->sk, self->peer));
	EXPECT_TAKEN();
}

TEST_F(refuse, urgent_data_unsent)
{
	char c;

	ASSERT_EQ(0, lose(variant->kind, true));
	ASSERT_EQ(1, send(self->sk, "U", 1, MSG_OOB));
	EXPECT_TRUE(refused(self, self->sk, EOPNOTSUPP, "urgent data"));
	ASSERT_EQ(0, lose(variant->kind, false));
	ASSERT_TRUE(until(events_of(self->peer) & POLLPRI));
	ASSERT_EQ(1, recv(self->peer, &c, 1, MSG_OOB));
	EXPECT_EQ('U', c);
	EXPECT_TRUE(echoes(self->sk, self->peer));
	EXPECT_TAKEN();
}

TEST_F(refuse, send_timestamps)
{
	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_TIMESTAMPING,
			     SOF_TIMESTAMPING_SOFTWARE |
			     SOF_TIMESTAMPING_TX_SOFTWARE));
	EXPECT_REFUSED(EOPNOTSUPP, "transmit timestamps");
	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_TIMESTAMPING, 0));
	EXPECT_TAKEN();
}

TEST_F(refuse, send_delay)
{
	ASSERT_EQ(0, set_int(self->sk, IPPROTO_TCP, TCP_TX_DELAY, 1000));
	EXPECT_REFUSED(EOPNOTSUPP, "TCP_TX_DELAY");
	ASSERT_EQ(0, set_int(self->sk, IPPROTO_TCP, TCP_TX_DELAY, 0));
	EXPECT_TAKEN();
}

TEST_F(refuse, pacing_limit)
{
	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_MAX_PACING_RATE,
			     1 << 20));
	EXPECT_REFUSED(EOPNOTSUPP, "pacing rate");
	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_MAX_PACING_RATE, -1));
	EXPECT_TAKEN();
}

TEST_F(refuse, minimum_ttl)
{
	bool v6 = variant->kind == IPV6;
	int level = v6 ? IPPROTO_IPV6 : IPPROTO_IP;
	int name = v6 ? IPV6_MINHOPCOUNT : IP_MINTTL;

	ASSERT_EQ(0, set_int(self->sk, level, name, 60));
	EXPECT_REFUSED(EOPNOTSUPP, v6 ? "minimum hop count" : "minimum TTL");
	ASSERT_EQ(0, set_int(self->sk, level, name, 0));
	EXPECT_TAKEN();
}

/* The command says it too. */
TEST_F(refuse, command)
{
	char cmd[128];

	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_ZEROCOPY, 1));
	ASSERT_EQ(0, fcntl(self->sk, F_SETFD, 0));
	snprintf(cmd, sizeof(cmd), "chimney conn offload pid %d fd %d 2>&1",
		 getpid(), self->sk);
	EXPECT_TRUE(output_has(cmd, "zero-copy"));
	EXPECT_NE(0, run("chimney conn offload pid %d fd %d 2> /dev/null",
			 getpid(), self->sk));
	EXPECT_TRUE(echoes(self->sk, self->peer));
}

TEST_HARNESS_MAIN
