// SPDX-License-Identifier: GPL-2.0
/*
 * Socket options, names and state: plain and offloaded sockets must agree.
 * Where a plain socket's answer is not known beforehand it is asked: a twin
 * of the same kind gets the same calls.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/in6.h>
#include <linux/kcm.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "sock_api.h"

#ifndef IP_MINTTL
#define IP_MINTTL		21
#endif
#ifndef IP_PROTOCOL
#define IP_PROTOCOL		52
#endif
#ifndef IP_TRANSPARENT
#define IP_TRANSPARENT		19
#endif
#define TCP_ESTABLISHED_STATE	1

static char data[65536], back[65536];

/* What a call said. */
struct answer {
	int ret;
	int err;
	socklen_t len;
	unsigned char value[256];
};

static void get_option(int fd, int level, int name, struct answer *a)
{
	memset(a, 0, sizeof(*a));
	a->len = sizeof(a->value);
	a->ret = getsockopt(fd, level, name, a->value, &a->len);
	a->err = a->ret ? errno : 0;
}

static void set_option(int fd, int level, int name, int value,
		       struct answer *a)
{
	memset(a, 0, sizeof(*a));
	a->ret = set_int(fd, level, name, value);
	a->err = a->ret ? errno : 0;
}

static void log_answer(const char *whose, int level, int name,
		       const struct answer *a)
{
	fprintf(TH_LOG_STREAM, "# %s: level %d option %d: %d errno %d ",
		whose, level, name, a->ret, a->err);
	fprintf(TH_LOG_STREAM, "length %u value %d\n", a->len,
		*(const int *)a->value);
}

/* Is the value one's own, or does it change with time? */
static bool private(int level, int name)
{
	switch (level) {
	case SOL_SOCKET:
		return name == SO_COOKIE || name == SO_INCOMING_CPU ||
		       name == SO_INCOMING_NAPI_ID || name == SO_PEERNAME ||
		       name == SO_MEMINFO;
	case IPPROTO_TCP:
		return name == TCP_INFO || name == TCP_CC_INFO ||
		       name == TCP_TIMESTAMP || name == TCP_ZEROCOPY_RECEIVE;
	case IPPROTO_IP:
		return name == IP_PROTOCOL; /* gives the port */
	}
	return false;
}

TEST_F(sock, get_all)
{
	static const struct {
		int level;
		int last;
	} range[] = {
		{ SOL_SOCKET, 80 },
		{ IPPROTO_TCP, 45 },
		{ IPPROTO_IP, 63 },
		{ IPPROTO_IPV6, 63 },
		{ 9999, 1 },
	};
	struct answer plain, ours;
	struct pair twin;
	int i, name;

	ASSERT_EQ(0, pair_open(&twin, variant->kind));
	for (i = 0; i < ARRAY_SIZE(range); i++) {
		for (name = 0; name <= range[i].last; name++) {
			if (private(range[i].level, name))
				continue;
			get_option(twin.sk, range[i].level, name, &plain);
			get_option(self->sk, range[i].level, name, &ours);
			EXPECT_EQ(0, memcmp(&plain, &ours, sizeof(ours))) {
				log_answer("plain", range[i].level, name,
					   &plain);
				log_answer("ours", range[i].level, name,
					   &ours);
			}
		}
	}
	EXPECT_STAYED();
	pair_close(&twin);
}

enum where {
	STAYS,		/* takes effect in the NIC, or has none there */
	LEAVES,		/* uploads first */
};

static const struct option {
	int level, name, value;
	enum where where;
} options[] = {
	{ SOL_SOCKET, SO_KEEPALIVE, 1, STAYS },
	{ SOL_SOCKET, SO_KEEPALIVE, 0, STAYS },
	{ SOL_SOCKET, SO_REUSEADDR, 1, STAYS },
	{ SOL_SOCKET, SO_REUSEPORT, 1, STAYS },
	{ SOL_SOCKET, SO_BROADCAST, 1, STAYS },
	{ SOL_SOCKET, SO_DEBUG, 1, STAYS },
	{ SOL_SOCKET, SO_OOBINLINE, 1, STAYS },
	{ SOL_SOCKET, SO_PRIORITY, 3, STAYS },
	{ SOL_SOCKET, SO_SNDBUF, 50000, STAYS },
	{ SOL_SOCKET, SO_RCVBUF, 60000, STAYS },
	{ SOL_SOCKET, SO_RCVBUF, 1, STAYS },
	{ SOL_SOCKET, SO_SNDBUFFORCE, 500000, STAYS },
	{ SOL_SOCKET, SO_RCVBUFFORCE, 600000, STAYS },
	{ SOL_SOCKET, SO_RCVLOWAT, 1, STAYS },
	{ SOL_SOCKET, SO_TIMESTAMP, 1, STAYS },
	{ SOL_SOCKET, SO_TIMESTAMP, 0, STAYS },
	{ SOL_SOCKET, SO_MARK, 7, STAYS },
	{ SOL_SOCKET, SO_MARK, 0, STAYS },
	{ SOL_SOCKET, SO_BUSY_POLL, 0, STAYS },
	{ SOL_SOCKET, SO_RXQ_OVFL, 1, STAYS },
	{ SOL_SOCKET, SO_SELECT_ERR_QUEUE, 1, STAYS },
	{ SOL_SOCKET, SO_PEEK_OFF, 0, STAYS },
	{ SOL_SOCKET, SO_LINGER, 1, STAYS },
	{ SOL_SOCKET, SO_TYPE, 1, STAYS },
	{ SOL_SOCKET, SO_ERROR, 1, STAYS },
	{ SOL_SOCKET, 9999, 1, STAYS },
	{ SOL_SOCKET, SO_MAX_PACING_RATE, 10000000, LEAVES },
	{ SOL_SOCKET, SO_MAX_PACING_RATE, -1, LEAVES },
	{ IPPROTO_TCP, TCP_NODELAY, 1, STAYS },
	{ IPPROTO_TCP, TCP_NODELAY, 0, STAYS },
	{ IPPROTO_TCP, TCP_CORK, 1, STAYS },
	{ IPPROTO_TCP, TCP_CORK, 0, STAYS },
	{ IPPROTO_TCP, TCP_KEEPIDLE, 100, STAYS },
	{ IPPROTO_TCP, TCP_KEEPIDLE, 0, STAYS },
	{ IPPROTO_TCP, TCP_KEEPIDLE, 32768, STAYS },
	{ IPPROTO_TCP, TCP_KEEPINTVL, 10, STAYS },
	{ IPPROTO_TCP, TCP_KEEPINTVL, -1, STAYS },
	{ IPPROTO_TCP, TCP_KEEPCNT, 5, STAYS },
	{ IPPROTO_TCP, TCP_KEEPCNT, 128, STAYS },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT, 30000, STAYS },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT, -1, STAYS },
	{ IPPROTO_TCP, TCP_SYNCNT, 3, STAYS },
	{ IPPROTO_TCP, TCP_LINGER2, 30, STAYS },
	{ IPPROTO_TCP, TCP_LINGER2, -1, STAYS },
	{ IPPROTO_TCP, TCP_DEFER_ACCEPT, 3, STAYS },
	{ IPPROTO_TCP, TCP_WINDOW_CLAMP, 100000, STAYS },
	{ IPPROTO_TCP, TCP_WINDOW_CLAMP, 0, STAYS },
	{ IPPROTO_TCP, TCP_QUICKACK, 1, STAYS },
	{ IPPROTO_TCP, TCP_QUICKACK, 0, STAYS },
	{ IPPROTO_TCP, TCP_NOTSENT_LOWAT, 20000, STAYS },
	{ IPPROTO_TCP, TCP_INQ, 1, STAYS },
	{ IPPROTO_TCP, TCP_INQ, 2, STAYS },
	{ IPPROTO_TCP, TCP_MAXSEG, 1000, LEAVES },
	{ IPPROTO_TCP, TCP_MAXSEG, 1, LEAVES },
	{ IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, 1, LEAVES },
	{ IPPROTO_TCP, TCP_FASTOPEN, 1, LEAVES },
	{ IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1, LEAVES },
	{ IPPROTO_TCP, TCP_SAVE_SYN, 1, LEAVES },
	{ IPPROTO_TCP, TCP_INFO, 1, LEAVES },
	{ IPPROTO_TCP, TCP_REPAIR, 1, LEAVES },
	{ IPPROTO_TCP, TCP_REPAIR, 0, LEAVES },
	{ IPPROTO_TCP, 9999, 1, LEAVES },
	{ IPPROTO_IP, IP_TTL, 33, STAYS },
	{ IPPROTO_IP, IP_TTL, 256, STAYS },
	{ IPPROTO_IP, IP_TTL, -1, STAYS },
	{ IPPROTO_IP, IP_TOS, 0x10, STAYS },
	{ IPPROTO_IP, IP_TOS, 0, STAYS },
	{ IPPROTO_IP, IP_MTU_DISCOVER, 0, LEAVES },
	{ IPPROTO_IP, IP_RECVERR, 1, LEAVES },
	{ IPPROTO_IP, IP_RECVERR, 0, LEAVES },
	{ IPPROTO_IP, IP_PKTINFO, 1, LEAVES },
	{ IPPROTO_IP, IP_FREEBIND, 1, LEAVES },
	{ IPPROTO_IP, IP_TRANSPARENT, 1, LEAVES },
	{ IPPROTO_IP, IP_MTU, 1, LEAVES },
	{ IPPROTO_IP, 9999, 1, LEAVES },
	{ IPPROTO_IPV6, IPV6_UNICAST_HOPS, 44, STAYS },
	{ IPPROTO_IPV6, IPV6_UNICAST_HOPS, -1, STAYS },
	{ IPPROTO_IPV6, IPV6_UNICAST_HOPS, 256, STAYS },
	{ IPPROTO_IPV6, IPV6_TCLASS, 0x20, STAYS },
	{ IPPROTO_IPV6, IPV6_TCLASS, 0, STAYS },
	{ IPPROTO_IPV6, IPV6_V6ONLY, 1, STAYS },
	{ IPPROTO_IPV6, IPV6_MTU_DISCOVER, 0, LEAVES },
	{ IPPROTO_IPV6, IPV6_RECVERR, 1, LEAVES },
	{ IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, 0, LEAVES },
	{ IPPROTO_IPV6, IPV6_DONTFRAG, 1, LEAVES },
	{ IPPROTO_IPV6, IPV6_FLOWINFO_SEND, 1, LEAVES },
	{ IPPROTO_IPV6, 9999, 1, LEAVES },
	{ 9999, 1, 1, LEAVES },
};

TEST_F(sock, set_all)
{
	struct answer plain, ours;
	const struct option *o;
	struct pair twin;

	ASSERT_EQ(0, pair_open(&twin, variant->kind));
	for (o = options; o < options + ARRAY_SIZE(options); o++) {
		set_option(twin.sk, o->level, o->name, o->value, &plain);
		set_option(self->sk, o->level, o->name, o->value, &ours);
		EXPECT_EQ(plain.ret, ours.ret);
		EXPECT_EQ(plain.err, ours.err);
		get_option(twin.sk, o->level, o->name, &plain);
		get_option(self->sk, o->level, o->name, &ours);
		if (!private(o->level, o->name))
			EXPECT_EQ(0, memcmp(&plain, &ours, sizeof(ours)));
		if (o->where == STAYS)
			EXPECT_STAYED();
		else
			EXPECT_UPLOADED();
		/* Neither sends nor receives as long as it lasts. */
		if (o->level != IPPROTO_TCP || o->name != TCP_REPAIR ||
		    !o->value) {
			EXPECT_TRUE(echoes(twin.sk, twin.peer));
			EXPECT_TRUE(echoes(self->sk, self->peer));
		}
		if (o->where == LEAVES && o->value != 10000000 &&
		    (o->name != TCP_REPAIR || !o->value))
			OFFLOAD_AGAIN();
		ASSERT_TRUE(_metadata->passed) {
			log_answer("plain", o->level, o->name, &plain);
			log_answer("ours", o->level, o->name, &ours);
		}
	}
	pair_close(&twin);
}

TEST_F(sock, option_of_bad_size)
{
	socklen_t len = 1;
	char c = 1;

	EXPECT_EQ(-1, setsockopt(self->sk, IPPROTO_TCP, TCP_NODELAY, &c, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, setsockopt(self->sk, IPPROTO_TCP, TCP_NODELAY,
				 (void *)8, 4));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(0, getsockopt(self->sk, IPPROTO_TCP, TCP_INFO, &c, &len));
	EXPECT_EQ(1, len);
	EXPECT_EQ(TCP_ESTABLISHED_STATE, c);
	len = -1;
	EXPECT_EQ(-1, getsockopt(self->sk, IPPROTO_TCP, TCP_INFO, &c, &len));
	EXPECT_EQ(EINVAL, errno);
	len = 100;
	EXPECT_EQ(-1, getsockopt(self->sk, IPPROTO_TCP, TCP_INFO, (void *)8,
				 &len));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, getsockopt(self->sk, IPPROTO_TCP, TCP_INFO, &c,
				 (void *)8));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_TRUE(echoes(self->sk, self->peer));
}

TEST_F(sock, congestion_control)
{
	char name[16] = {};
	socklen_t len = sizeof(name);

	ASSERT_EQ(0, setsockopt(self->sk, IPPROTO_TCP, TCP_CONGESTION, "reno",
				4));
	EXPECT_UPLOADED();
	OFFLOAD_AGAIN();
	ASSERT_EQ(0, getsockopt(self->sk, IPPROTO_TCP, TCP_CONGESTION, name,
				&len));
	EXPECT_STREQ("reno", name);
	ASSERT_EQ(-1, setsockopt(self->sk, IPPROTO_TCP, TCP_CONGESTION, "none",
				 4));
	EXPECT_EQ(ENOENT, errno);
	EXPECT_TRUE(echoes(self->sk, self->peer));
}

TEST_F(sock, upper_layer_protocol)
{
	char name[16] = {};
	socklen_t len = sizeof(name);
	int err;

	/* A call that began before an offload is refused: see sock_late. */
	do {
		err = setsockopt(self->sk, IPPROTO_TCP, TCP_ULP, "tls", 3);
	} while (err && self->churning && errno == EEXIST);
	ASSERT_EQ(0, err);
	EXPECT_UPLOADED();
	ASSERT_EQ(0, getsockopt(self->sk, IPPROTO_TCP, TCP_ULP, name, &len));
	EXPECT_STREQ("tls", name);
	EXPECT_TRUE(echoes(self->sk, self->peer));
}

#define MESSAGE		64

/* A socket that has the kernel cut what another receives into messages */
static int multiplexer(int sk)
{
	const struct bpf_insn length[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = MESSAGE },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr load = {
		.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insns = (uintptr_t)length,
		.insn_cnt = 2,
		.license = (uintptr_t)"GPL",
	};
	struct timeval limit = { .tv_sec = DEADLINE };
	struct kcm_attach attach = { .fd = sk };
	int kcm, err;

	kcm = socket(AF_KCM, SOCK_SEQPACKET | SOCK_CLOEXEC, KCMPROTO_CONNECTED);
	if (kcm < 0)
		return -1;
	attach.bpf_fd = syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));
	err = ioctl(kcm, SIOCKCMATTACH, &attach);
	close(attach.bpf_fd);
	if (!err && !setsockopt(kcm, SOL_SOCKET, SO_RCVTIMEO, &limit,
				sizeof(limit)))
		return kcm;
	close(kcm);
	return -1;
}

/* It reads as data comes, without a call on the socket. */
TEST_F(sock, kernel_multiplexer)
{
	int kcm = multiplexer(self->sk);
	size_t at;

	ASSERT_LE(0, kcm);
	EXPECT_UPLOADED();
	/* More than a window */
	for (at = 0; at < 4096 * MESSAGE; at += MESSAGE) {
		fill(data, MESSAGE, at);
		ASSERT_EQ(MESSAGE, send(self->peer, data, MESSAGE, 0));
		ASSERT_EQ(MESSAGE, recv(kcm, back, MESSAGE, 0));
		ASSERT_TRUE(filled(back, MESSAGE, at));
	}
	close(kcm);
	EXPECT_TRUE(echoes(self->sk, self->peer));
}

TEST_F(sock, md5_key)
{
	struct tcp_md5sig key = { .tcpm_keylen = 3, .tcpm_key = "key" };

	/* For another peer. */
	net_address(variant->kind, false, 0, (void *)&key.tcpm_addr);
	ASSERT_EQ(0, setsockopt(self->sk, IPPROTO_TCP, TCP_MD5SIG, &key,
				sizeof(key)));
	EXPECT_UPLOADED();
	EXPECT_TRUE(echoes(self->sk, self->peer));
}

TEST_F(sock, filter)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, 0xffffffff);
	struct sock_fprog prog = { .len = 1, .filter = &all };

	ASSERT_EQ(0, setsockopt(self->sk, SOL_SOCKET, SO_ATTACH_FILTER, &prog,
				sizeof(prog)));
	EXPECT_UPLOADED();
	EXPECT_TRUE(echoes(self->sk, self->peer));
	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_DETACH_FILTER, 0));
	OFFLOAD_AGAIN();
	EXPECT_TRUE(echoes(self->sk, self->peer));
}

TEST_F(sock, filter_drops)
{
	struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog prog = { .len = 1, .filter = &none };

	ASSERT_EQ(0, setsockopt(self->sk, SOL_SOCKET, SO_ATTACH_FILTER, &prog,
				sizeof(prog)));
	EXPECT_UPLOADED();
	ASSERT_EQ(1, send(self->peer, "a", 1, 0));
	ASSERT_TRUE(until(queued(self->peer, SIOCOUTQ) == 1));
	EXPECT_EQ(0, queued(self->sk, SIOCINQ));
	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_DETACH_FILTER, 0));
	/* The peer sends it again. */
	EXPECT_TRUE(until(queued(self->sk, SIOCINQ) == 1));
}

TEST_F(sock, bound_to_device)
{
	char name[16] = {};
	socklen_t len = sizeof(name);

	ASSERT_EQ(0, setsockopt(self->sk, SOL_SOCKET, SO_BINDTODEVICE, "chim0",
				5));
	ASSERT_EQ(0, getsockopt(self->sk, SOL_SOCKET, SO_BINDTODEVICE, name,
				&len));
	EXPECT_STREQ("chim0", name);
	EXPECT_TRUE(echoes(self->sk, self->peer));
}

TEST_F(sock, ip_options)
{
	static const unsigned char nop[4] = { 1, 1, 1, 1 };
	int level = variant->kind == IPV6 ? IPPROTO_IPV6 : IPPROTO_IP;
	unsigned char dst[8] = { 0, 0, 1, 4 };

	if (level == IPPROTO_IP) {
		ASSERT_EQ(0, setsockopt(self->sk, level, IP_OPTIONS, nop,
					sizeof(nop)));
	} else {
		ASSERT_EQ(0, setsockopt(self->sk, level, IPV6_DSTOPTS, dst,
					sizeof(dst)));
	}
	EXPECT_UPLOADED();
	EXPECT_TRUE(echoes(self->sk, self->peer));
}

TEST_F(sock, minimum_ttl)
{
	if (variant->kind == IPV6) {
		ASSERT_EQ(0, set_int(self->sk, IPPROTO_IPV6,
				     IPV6_MINHOPCOUNT, 60));
	} else {
		ASSERT_EQ(0, set_int(self->sk, IPPROTO_IP, IP_MINTTL, 60));
	}
	EXPECT_UPLOADED();
	EXPECT_TRUE(echoes(self->sk, self->peer));
}

/* State */

static void info_of(int fd, struct tcp_info *info)
{
	socklen_t len = sizeof(*info);

	memset(info, 0, sizeof(*info));
	getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &len);
}

/* A call that began before an offload may see what the host shows itself while
 * the NIC has the connection: no window to send into. Returns how much there
 * is; newer kernels have more than struct tcp_info.
 */
static socklen_t info_shown(struct _test_data_sock *self, void *buf,
			    socklen_t size)
{
	const struct tcp_info *info = buf;
	socklen_t len;

	do {
		memset(buf, 0, size);
		len = size;
		if (getsockopt(self->sk, IPPROTO_TCP, TCP_INFO, buf, &len))
			return 0;
	} while (self->churning && !info->tcpi_snd_wnd);
	return len;
}

TEST_F(sock, info)
{
	struct tcp_info ours, plain;
	struct pair twin;
	int i;

	ASSERT_EQ(0, pair_open(&twin, variant->kind));
	fill(data, sizeof(data), 0);
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(1000, send(twin.sk, data, 1000, 0));
		ASSERT_EQ(1000, send(self->sk, data, 1000, 0));
		ASSERT_TRUE(recv_all(twin.peer, back, 1000));
		ASSERT_TRUE(recv_all(self->peer, back, 1000));
		ASSERT_TRUE(echoes(twin.sk, twin.peer));
		ASSERT_TRUE(echoes(self->sk, self->peer));
	}
	ASSERT_TRUE(moved(self));
	ASSERT_TRUE(until(!queued(self->sk, SIOCOUTQ)));
	ASSERT_TRUE(until(!queued(twin.sk, SIOCOUTQ)));
	info_of(twin.sk, &plain);
	ASSERT_NE(0, info_shown(self, &ours, sizeof(ours)));

	EXPECT_EQ(TCP_ESTABLISHED_STATE, ours.tcpi_state);
	EXPECT_EQ(plain.tcpi_options, ours.tcpi_options);
	EXPECT_TRUE(plain.tcpi_snd_wscale == ours.tcpi_snd_wscale);
	EXPECT_TRUE(plain.tcpi_rcv_wscale == ours.tcpi_rcv_wscale);
	EXPECT_EQ(plain.tcpi_snd_mss, ours.tcpi_snd_mss);
	EXPECT_EQ(plain.tcpi_advmss, ours.tcpi_advmss);
	EXPECT_EQ(plain.tcpi_pmtu, ours.tcpi_pmtu);
	/* The SYN counts as acknowledged. */
	EXPECT_EQ(20 * 1001 + 1, ours.tcpi_bytes_acked);
	EXPECT_EQ(plain.tcpi_bytes_acked, ours.tcpi_bytes_acked);
	EXPECT_EQ(20, ours.tcpi_bytes_received);
	EXPECT_EQ(20 * 1001, ours.tcpi_bytes_sent - ours.tcpi_bytes_retrans);
	EXPECT_EQ(0, ours.tcpi_unacked);
	EXPECT_EQ(0, ours.tcpi_notsent_bytes);
	EXPECT_EQ(0, ours.tcpi_retransmits);
	EXPECT_EQ(0, ours.tcpi_backoff);
	EXPECT_EQ(0, ours.tcpi_probes);
	EXPECT_EQ(0, ours.tcpi_ca_state);
	EXPECT_NE(0, ours.tcpi_rtt);
	EXPECT_LT(ours.tcpi_rtt, 5000000);
	EXPECT_NE(0, ours.tcpi_rttvar);
	EXPECT_GE(ours.tcpi_rto, 200000);
	EXPECT_GE(ours.tcpi_snd_cwnd, 1);
	EXPECT_GT(ours.tcpi_rcv_space, 0);
	EXPECT_LT(ours.tcpi_last_data_sent, DEADLINE * 1000);
	EXPECT_LT(ours.tcpi_last_data_recv, DEADLINE * 1000);
	EXPECT_LT(ours.tcpi_last_ack_recv, DEADLINE * 1000);
	EXPECT_GE(ours.tcpi_segs_out, 20);
	EXPECT_GE(ours.tcpi_segs_in, 20);
	EXPECT_GE(ours.tcpi_data_segs_out, 20);
	EXPECT_GE(ours.tcpi_data_segs_in, 20);
	EXPECT_NE(0, ours.tcpi_snd_wnd);
	EXPECT_EQ(TCP_ESTABLISHED_STATE, plain.tcpi_state);
	EXPECT_STAYED();
	pair_close(&twin);
}

/* Counters never run backwards. */
TEST_F(sock, info_grows)
{
	struct tcp_info was, now;
	int i;

	info_of(self->sk, &was);
	for (i = 0; i < 50; i++) {
		ASSERT_TRUE(echoes(self->sk, self->peer));
		info_of(self->sk, &now);
		EXPECT_GE(now.tcpi_segs_out, was.tcpi_segs_out);
		EXPECT_GE(now.tcpi_segs_in, was.tcpi_segs_in);
		EXPECT_GE(now.tcpi_data_segs_out, was.tcpi_data_segs_out);
		EXPECT_GE(now.tcpi_data_segs_in, was.tcpi_data_segs_in);
		EXPECT_GE(now.tcpi_bytes_acked, was.tcpi_bytes_acked);
		EXPECT_GE(now.tcpi_bytes_sent, was.tcpi_bytes_sent);
		EXPECT_GT(now.tcpi_bytes_received, was.tcpi_bytes_received);
		EXPECT_GE(now.tcpi_total_retrans, was.tcpi_total_retrans);
		was = now;
	}
	EXPECT_STAYED();
}

TEST_F(sock, info_of_unsent)
{
	struct tcp_info info;
	ssize_t full;

	full = fill_up(self->sk);
	info_of(self->sk, &info);
	EXPECT_NE(0, info.tcpi_notsent_bytes);
	EXPECT_EQ(info.tcpi_notsent_bytes, queued(self->sk, SIOCOUTQNSD));
	EXPECT_TRUE(receives(self->peer, full));
}

/* What the NIC has sent was sent just now, not when the host last did. */
TEST_F(sock, info_of_last_send)
{
	struct tcp_info info;
	time_t start;
	char c = 's';

	ASSERT_TRUE(until(info_shown(self, &info, sizeof(info)) &&
			  info.tcpi_last_data_sent >= 500));
	start = time_ms();
	ASSERT_EQ(1, send(self->sk, &c, 1, 0));
	ASSERT_TRUE(until(!queued(self->sk, SIOCOUTQ)));
	ASSERT_NE(0, info_shown(self, &info, sizeof(info)));
	/* Half the pause for a clock that lags behind. */
	EXPECT_LT(info.tcpi_last_data_sent, time_ms() - start + 250);
	EXPECT_STAYED();
}

/* Linux from 6.2 on tells the window on offer, after that of the peer. */
TEST_F(sock, info_of_window)
{
	const size_t at = offsetof(struct tcp_info, tcpi_snd_wnd) +
			  sizeof(__u32);
	char info[sizeof(struct tcp_info) + 64] __attribute__((aligned(8)));
	__u32 wnd;

	ASSERT_TRUE(echoes(self->sk, self->peer));
	if (info_shown(self, info, sizeof(info)) < at + sizeof(wnd))
		return;
	memcpy(&wnd, info + at, sizeof(wnd));
	EXPECT_NE(0, wnd);
	EXPECT_LT(wnd, 1U << 30);
	EXPECT_STAYED();
}

TEST_F(sock, names)
{
	struct sockaddr_storage expect, ss;
	socklen_t elen, len = sizeof(ss);

	elen = net_address(variant->kind, false, net_port(self->sk), &expect);
	ASSERT_EQ(0, getsockname(self->sk, (void *)&ss, &len));
	EXPECT_EQ(elen, len);
	EXPECT_EQ(0, memcmp(&expect, &ss, len));
	ASSERT_TRUE(moved(self));
	elen = net_address(variant->kind, true, net_port(self->peer), &expect);
	len = sizeof(ss);
	ASSERT_EQ(0, getpeername(self->sk, (void *)&ss, &len));
	EXPECT_EQ(elen, len);
	EXPECT_EQ(0, memcmp(&expect, &ss, len));
	EXPECT_STAYED();
}

TEST_F(sock, identity)
{
	__u64 was = 0, now = 1;
	socklen_t len = sizeof(was);
	struct stat st1, st2;

	ASSERT_EQ(0, getsockopt(self->sk, SOL_SOCKET, SO_COOKIE, &was, &len));
	ASSERT_EQ(0, fstat(self->sk, &st1));
	if (variant->mode == OFFLOADED)
		ASSERT_EQ(0, chim_nl_terminate(&self->nl, &self->p.tuple,
					       NULL));
	ASSERT_TRUE(moved(self));
	ASSERT_EQ(0, getsockopt(self->sk, SOL_SOCKET, SO_COOKIE, &now, &len));
	ASSERT_EQ(0, fstat(self->sk, &st2));
	EXPECT_EQ(was, now);
	EXPECT_EQ(st1.st_ino, st2.st_ino);
	EXPECT_EQ(SOCK_STREAM, get_int(self->sk, SOL_SOCKET, SO_TYPE));
	EXPECT_EQ(IPPROTO_TCP, get_int(self->sk, SOL_SOCKET, SO_PROTOCOL));
	EXPECT_EQ(0, get_int(self->sk, SOL_SOCKET, SO_ACCEPTCONN));
	EXPECT_EQ(0, get_int(self->sk, SOL_SOCKET, SO_ERROR));
}

/* As the tools that read sock_diag and /proc see it. */
TEST_F(sock, listed)
{
	char cmd[128], word[64];

	snprintf(cmd, sizeof(cmd), "ss -Htnie sport = :%d",
		 net_port(self->sk));
	EXPECT_TRUE(output_has(cmd, "ESTAB"));
	snprintf(word, sizeof(word), ":%d", net_port(self->peer));
	EXPECT_TRUE(output_has(cmd, word));
	EXPECT_TRUE(output_has(cmd, "cwnd:"));
	ASSERT_TRUE(moved(self));
	EXPECT_EQ(TCP_ESTABLISHED_STATE,
		  proc_state(variant->kind, &self->p.tuple));
	EXPECT_STAYED();
	ASSERT_EQ(0, shutdown(self->peer, SHUT_WR));
	ASSERT_TRUE(until(tcp_state_of(self->sk) == 8));
	EXPECT_TRUE(output_has(cmd, "CLOSE-WAIT"));
	EXPECT_STAYED();
}

TEST_F(sock, tcp_calls_of_listeners)
{
	struct sockaddr_storage ss;
	socklen_t len = net_address(variant->kind, false, 0, &ss);

	EXPECT_EQ(-1, listen(self->sk, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, accept(self->sk, NULL, NULL));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, bind(self->sk, (void *)&ss, len));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, connect(self->sk, (void *)&ss, len));
	EXPECT_EQ(EISCONN, errno);
	EXPECT_TRUE(echoes(self->sk, self->peer));
	EXPECT_STAYED();
}

/* A connection that the host has accepted. */
TEST_F(sock, accepted)
{
	struct pair p;

	ASSERT_EQ(0, pair_accept(&p, variant->kind));
	if (variant->mode != PLAIN)
		ASSERT_EQ(0, chim_nl_offload_fd(&self->nl, p.sk, NULL)) {
			TH_LOG("offload: %s", self->nl.msg);
		}
	EXPECT_TRUE(echoes(p.sk, p.peer));
	if (variant->mode == MOVING)
		EXPECT_EQ(0, chim_nl_terminate(&self->nl, &p.tuple, NULL));
	EXPECT_TRUE(echoes(p.sk, p.peer));
	fill(data, 50000, 0);
	ASSERT_TRUE(send_all(p.sk, data, 50000));
	EXPECT_TRUE(receives(p.peer, 50000));
	ASSERT_TRUE(send_all(p.peer, data, 50000));
	EXPECT_TRUE(receives(p.sk, 50000));
	pair_close(&p);
}

TEST_HARNESS_MAIN
