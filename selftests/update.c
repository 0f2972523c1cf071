// SPDX-License-Identifier: GPL-2.0
/*
 * Socket options that a program changes while its connection is offloaded
 * reach the NIC at once: in its cached state, and on the wire.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "sock_pair.h"

enum field {
	TTL,		/* or hop limit */
	TOS,		/* or traffic class */
	FLOW_LABEL,
	DONT_FRAGMENT,
};

FIXTURE(update)
{
	struct pair p;
	struct chim_nl nl;
	int sk;
	int peer;
	int packets;	/* what arrives at the peer */
};

FIXTURE_VARIANT(update)
{
	enum kind kind;
};

FIXTURE_VARIANT_ADD(update, ipv4)
{
	.kind = IPV4,
};

FIXTURE_VARIANT_ADD(update, ipv6)
{
	.kind = IPV6,
};

FIXTURE_VARIANT_ADD(update, mapped)
{
	.kind = MAPPED,
};

FIXTURE_SETUP(update)
{
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(variant->kind == IPV6 ? ETH_P_IPV6 :
							      ETH_P_IP),
	};

	ASSERT_EQ(0, chim_nl_open(&self->nl));
	ASSERT_EQ(0, pair_open(&self->p, variant->kind));
	self->sk = self->p.sk;
	self->peer = self->p.peer;
	self->packets = net_socket(net_peer_ns, AF_PACKET, SOCK_DGRAM, 0);
	ASSERT_LE(0, self->packets);
	ASSERT_EQ(0, bind(self->packets, (void *)&ll, sizeof(ll)));
	ASSERT_EQ(0, chim_nl_offload_fd(&self->nl, self->sk, NULL));
}

FIXTURE_TEARDOWN(update)
{
	close(self->packets);
	pair_close(&self->p);
	chim_nl_close(&self->nl);
}

/* What the NIC has now; -1 if it has not got the connection. */
static long cached(struct _test_data_update *self, int attr)
{
	struct chim_nl_conn c;

	if (chim_nl_get(&self->nl, &self->p.tuple, &c) ||
	    c.conn[CHIMNEY_A_CONN_PLACE] != CHIMNEY_PLACE_NIC)
		return -1;
	return c.cached[attr];
}

/* A field of an IP header. */
static int field_of(const void *buf, bool v6, enum field field)
{
	const struct ip6_hdr *ip6 = buf;
	const struct iphdr *ip = buf;

	switch (field) {
	case TTL:
		return v6 ? ip6->ip6_hlim : ip->ttl;
	case TOS:
		return v6 ? ntohl(ip6->ip6_flow) >> 20 & 255 : ip->tos;
	case FLOW_LABEL:
		return v6 ? ntohl(ip6->ip6_flow) & 0xfffff : -1;
	case DONT_FRAGMENT:
		return v6 ? -1 : !!(ntohs(ip->frag_off) & IP_DF);
	}
	return -1;
}

/* That of the next data segment that arrives at the peer. */
static int on_wire(struct _test_data_update *self, bool v6, enum field field)
{
	unsigned char buf[256], c = 'w';
	const struct ip6_hdr *ip6 = (void *)buf;
	const struct iphdr *ip = (void *)buf;
	struct pollfd p = { .fd = self->packets, .events = POLLIN };
	int n, len, port;

	while (recv(self->packets, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	if (send(self->sk, &c, 1, 0) != 1 || recv(self->peer, &c, 1, 0) != 1)
		return -1;
	while (poll(&p, 1, DEADLINE * 1000) == 1) {
		n = recv(self->packets, buf, sizeof(buf), MSG_TRUNC);
		len = v6 ? sizeof(*ip6) : sizeof(*ip);
		if (n < len + (int)sizeof(struct tcphdr))
			continue;
		if ((v6 ? ip6->ip6_nxt : ip->protocol) != IPPROTO_TCP)
			continue;
		port = ntohs(((struct tcphdr *)(buf + len))->th_dport);
		if (port == net_port(self->peer))
			return field_of(buf, v6, field);
	}
	return -1;
}

/* A value of the only connection, as the command shows it. */
static bool shows(const char *what, const char *value)
{
	char cmd[128], line[32];

	snprintf(cmd, sizeof(cmd), "chimney -j conn show | jq '.[].%s'", what);
	snprintf(line, sizeof(line), "%s\n", value);
	return output_is(cmd, line);
}

#define CACHED(_attr)	cached(self, CHIMNEY_A_CACHED_##_attr)

TEST_F(update, keepalive)
{
	EXPECT_EQ(0, CACHED(FLAGS) & CHIMNEY_CACHED_FLAG_KEEP_ALIVE);
	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_KEEPALIVE, 1));
	EXPECT_EQ(CHIMNEY_CACHED_FLAG_KEEP_ALIVE,
		  CACHED(FLAGS) & CHIMNEY_CACHED_FLAG_KEEP_ALIVE);
	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_KEEPALIVE, 0));
	EXPECT_EQ(0, CACHED(FLAGS) & CHIMNEY_CACHED_FLAG_KEEP_ALIVE);
}

/* A keepalive that is switched on has its timer running. */
TEST_F(update, keepalive_timer)
{
	static const char left[] = "delegated.keepalive.timeout_delta";

	ASSERT_EQ(0, set_int(self->sk, IPPROTO_TCP, TCP_KEEPIDLE, 100));
	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_KEEPALIVE, 1));
	EXPECT_FALSE(shows(left, "-1"));
	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_KEEPALIVE, 0));
	EXPECT_TRUE(shows(left, "-1"));
}

TEST_F(update, keepalive_times)
{
	EXPECT_EQ(7200000, CACHED(KA_TIMEOUT));
	EXPECT_EQ(75000, CACHED(KA_INTERVAL));
	EXPECT_EQ(9, CACHED(KA_PROBE_COUNT));
	ASSERT_EQ(0, set_int(self->sk, IPPROTO_TCP, TCP_KEEPIDLE, 100));
	EXPECT_EQ(100000, CACHED(KA_TIMEOUT));
	ASSERT_EQ(0, set_int(self->sk, IPPROTO_TCP, TCP_KEEPINTVL, 7));
	EXPECT_EQ(7000, CACHED(KA_INTERVAL));
	ASSERT_EQ(0, set_int(self->sk, IPPROTO_TCP, TCP_KEEPCNT, 127));
	EXPECT_EQ(127, CACHED(KA_PROBE_COUNT));
	/* What is refused changes nothing. */
	EXPECT_EQ(-1, set_int(self->sk, IPPROTO_TCP, TCP_KEEPCNT, 128));
	EXPECT_EQ(-1, set_int(self->sk, IPPROTO_TCP, TCP_KEEPIDLE, 0));
	EXPECT_EQ(100000, CACHED(KA_TIMEOUT));
	EXPECT_EQ(7000, CACHED(KA_INTERVAL));
	EXPECT_EQ(127, CACHED(KA_PROBE_COUNT));
}

TEST_F(update, nodelay)
{
	EXPECT_EQ(CHIMNEY_CACHED_FLAG_NAGLING,
		  CACHED(FLAGS) & CHIMNEY_CACHED_FLAG_NAGLING);
	ASSERT_EQ(0, set_int(self->sk, IPPROTO_TCP, TCP_NODELAY, 1));
	EXPECT_EQ(0, CACHED(FLAGS) & CHIMNEY_CACHED_FLAG_NAGLING);
	ASSERT_EQ(0, set_int(self->sk, IPPROTO_TCP, TCP_NODELAY, 0));
	EXPECT_EQ(CHIMNEY_CACHED_FLAG_NAGLING,
		  CACHED(FLAGS) & CHIMNEY_CACHED_FLAG_NAGLING);
}

TEST_F(update, receive_buffer)
{
	long was = CACHED(INITIAL_RCV_WND), now;

	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_RCVBUF, 20000));
	now = CACHED(INITIAL_RCV_WND);
	EXPECT_GT(was, now);
	EXPECT_LE(now, 40000);
	EXPECT_GT(now, 10000);
	ASSERT_EQ(0, set_int(self->sk, IPPROTO_TCP, TCP_WINDOW_CLAMP, 5000));
	EXPECT_EQ(5000, CACHED(INITIAL_RCV_WND));
	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_RCVBUFFORCE, 500000));
	ASSERT_EQ(0, set_int(self->sk, IPPROTO_TCP, TCP_WINDOW_CLAMP,
			     1 << 20));
	EXPECT_GT(CACHED(INITIAL_RCV_WND), was);
	EXPECT_TRUE(echoes(self->sk, self->peer));
}

TEST_F(update, ttl)
{
	bool v6 = variant->kind == IPV6;
	int level = v6 ? IPPROTO_IPV6 : IPPROTO_IP;
	int name = v6 ? IPV6_UNICAST_HOPS : IP_TTL;

	EXPECT_EQ(64, CACHED(TTL_OR_HOP_LIMIT));
	ASSERT_EQ(0, set_int(self->sk, level, name, 33));
	EXPECT_EQ(33, CACHED(TTL_OR_HOP_LIMIT));
	EXPECT_EQ(33, on_wire(self, v6, TTL));
	ASSERT_EQ(0, set_int(self->sk, level, name, -1));
	EXPECT_EQ(64, CACHED(TTL_OR_HOP_LIMIT));
	EXPECT_EQ(64, on_wire(self, v6, TTL));
}

TEST_F(update, tos)
{
	bool v6 = variant->kind == IPV6;
	int level = v6 ? IPPROTO_IPV6 : IPPROTO_IP;
	int name = v6 ? IPV6_TCLASS : IP_TOS;

	EXPECT_EQ(0, CACHED(TOS_OR_TRAFFIC_CLASS));
	ASSERT_EQ(0, set_int(self->sk, level, name, 0x10));
	EXPECT_EQ(0x10, CACHED(TOS_OR_TRAFFIC_CLASS));
	EXPECT_EQ(0x10, on_wire(self, v6, TOS));
	/* The last two bits are not the administrator's either. */
	ASSERT_EQ(0, chim_nl_update(&self->nl, &self->p.tuple,
				    CHIMNEY_A_CACHED_TOS_OR_TRAFFIC_CLASS,
				    0x23));
	EXPECT_EQ(0x20, CACHED(TOS_OR_TRAFFIC_CLASS));
	EXPECT_EQ(0x20, get_int(self->sk, level, name));
	ASSERT_EQ(0, chim_nl_terminate(&self->nl, &self->p.tuple, NULL));
	EXPECT_EQ(0x20, on_wire(self, v6, TOS));
	ASSERT_EQ(0, chim_nl_offload(&self->nl, &self->p.tuple, NULL));
	ASSERT_EQ(0, set_int(self->sk, level, name, 0));
	EXPECT_EQ(0, CACHED(TOS_OR_TRAFFIC_CLASS));
	EXPECT_EQ(0, on_wire(self, v6, TOS));
}

/* The label the host gives on its own stays: the path may depend on it. */
TEST_F(update, flow_label)
{
	int label;

	if (variant->kind != IPV6)
		return;
	label = on_wire(self, true, FLOW_LABEL);
	EXPECT_LT(0, label);
	ASSERT_EQ(0, chim_nl_terminate(&self->nl, &self->p.tuple, NULL));
	EXPECT_EQ(label, on_wire(self, true, FLOW_LABEL));
	ASSERT_EQ(0, chim_nl_offload_fd(&self->nl, self->sk, NULL));
	ASSERT_EQ(0, chim_nl_update(&self->nl, &self->p.tuple,
				    CHIMNEY_A_CACHED_FLOW_LABEL,
				    htonl(0x12345)));
	EXPECT_EQ(0x12345, on_wire(self, true, FLOW_LABEL));
}

/* Nobody is to cut a segment up. */
TEST_F(update, dont_fragment)
{
	if (variant->kind != IPV6)
		EXPECT_EQ(1, on_wire(self, false, DONT_FRAGMENT));
}

/* Options of the family that is not on the wire do not show. */
TEST_F(update, options_of_the_other_family)
{
	bool v6 = variant->kind == IPV6;
	int level = v6 ? IPPROTO_IP : IPPROTO_IPV6;

	set_int(self->sk, level, v6 ? IP_TTL : IPV6_UNICAST_HOPS, 33);
	set_int(self->sk, level, v6 ? IP_TOS : IPV6_TCLASS, 0x20);
	/* The socket may not know them, and then leaves the NIC. */
	if (CACHED(MAX_RT) < 0)
		ASSERT_EQ(0, chim_nl_offload_fd(&self->nl, self->sk, NULL));
	EXPECT_EQ(64, CACHED(TTL_OR_HOP_LIMIT));
	EXPECT_EQ(0, CACHED(TOS_OR_TRAFFIC_CLASS));
	EXPECT_EQ(64, on_wire(self, v6, TTL));
	EXPECT_EQ(0, on_wire(self, v6, TOS));
}

/* Has anything left the lower device in the band of priority 5? */
static bool band_used(void)
{
	return output_is("tc -s class show dev veth0 |\n"
			 "awk '/prio 1:3/ { getline; print ($2 > 0) }'",
			 "1\n");
}

TEST_F(update, priority)
{
	EXPECT_EQ(0, CACHED(USER_PRIORITY));
	ASSERT_EQ(0, run("tc qdisc add dev veth0 root handle 1: prio"));
	EXPECT_TRUE(echoes(self->sk, self->peer));
	EXPECT_FALSE(band_used());
	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_PRIORITY, 5));
	EXPECT_EQ(5, CACHED(USER_PRIORITY));
	EXPECT_TRUE(echoes(self->sk, self->peer));
	EXPECT_TRUE(band_used());
	EXPECT_EQ(0, run("tc qdisc delete dev veth0 root"));
}

TEST_F(update, user_timeout)
{
	EXPECT_EQ(0, CACHED(MAX_RT));
	ASSERT_EQ(0, set_int(self->sk, IPPROTO_TCP, TCP_USER_TIMEOUT, 30000));
	EXPECT_EQ(30000, CACHED(MAX_RT));
	EXPECT_EQ(-1, set_int(self->sk, IPPROTO_TCP, TCP_USER_TIMEOUT, -1));
	EXPECT_EQ(30000, CACHED(MAX_RT));
	ASSERT_EQ(0, set_int(self->sk, IPPROTO_TCP, TCP_USER_TIMEOUT, 0));
	EXPECT_EQ(0, CACHED(MAX_RT));
}

/* A reset option counts while another thread is in a call on the socket. */
TEST_F(update, while_receiving)
{
	struct call c;
	char b;

	ASSERT_EQ(0, call_start(&c, call_recv, self->sk, &b, 1, 0));
	ASSERT_TRUE(until(call_sleeps(&c)));
	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_KEEPALIVE, 1));
	ASSERT_EQ(0, set_int(self->sk, IPPROTO_TCP, TCP_KEEPIDLE, 5000));
	EXPECT_EQ(CHIMNEY_CACHED_FLAG_KEEP_ALIVE,
		  CACHED(FLAGS) & CHIMNEY_CACHED_FLAG_KEEP_ALIVE);
	EXPECT_EQ(5000000, CACHED(KA_TIMEOUT));
	ASSERT_EQ(1, send(self->peer, "a", 1, 0));
	EXPECT_EQ(1, call_end(&c));
}

/* What was set stays set after the upload. */
TEST_F(update, survives_upload)
{
	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_KEEPALIVE, 1));
	ASSERT_EQ(0, set_int(self->sk, IPPROTO_TCP, TCP_KEEPIDLE, 100));
	ASSERT_EQ(0, set_int(self->sk, IPPROTO_TCP, TCP_USER_TIMEOUT, 30000));
	ASSERT_EQ(0, chim_nl_terminate(&self->nl, &self->p.tuple, NULL));
	EXPECT_EQ(1, get_int(self->sk, SOL_SOCKET, SO_KEEPALIVE));
	EXPECT_EQ(100, get_int(self->sk, IPPROTO_TCP, TCP_KEEPIDLE));
	EXPECT_EQ(30000, get_int(self->sk, IPPROTO_TCP, TCP_USER_TIMEOUT));
	EXPECT_TRUE(echoes(self->sk, self->peer));
}

/* As "chimney conn show" tells it. */
TEST_F(update, command)
{
	bool v6 = variant->kind == IPV6;
	int level = v6 ? IPPROTO_IPV6 : IPPROTO_IP;

	EXPECT_TRUE(shows("cached.ka_timeout", "7200000"));
	ASSERT_EQ(0, set_int(self->sk, IPPROTO_TCP, TCP_KEEPIDLE, 100));
	ASSERT_EQ(0, set_int(self->sk, IPPROTO_TCP, TCP_KEEPINTVL, 7));
	ASSERT_EQ(0, set_int(self->sk, IPPROTO_TCP, TCP_KEEPCNT, 3));
	ASSERT_EQ(0, set_int(self->sk, IPPROTO_TCP, TCP_USER_TIMEOUT, 30000));
	ASSERT_EQ(0, set_int(self->sk, level, v6 ? IPV6_UNICAST_HOPS : IP_TTL,
			     33));
	ASSERT_EQ(0, set_int(self->sk, level, v6 ? IPV6_TCLASS : IP_TOS, 16));
	EXPECT_TRUE(shows("cached.ka_timeout", "100000"));
	EXPECT_TRUE(shows("cached.ka_interval", "7000"));
	EXPECT_TRUE(shows("cached.ka_probe_count", "3"));
	EXPECT_TRUE(shows("cached.max_rt", "30000"));
	EXPECT_TRUE(shows("cached.ttl_or_hop_limit", "33"));
	EXPECT_TRUE(shows("cached.tos_or_traffic_class", "16"));
}

TEST_HARNESS_MAIN
