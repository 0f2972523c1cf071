// SPDX-License-Identifier: GPL-2.0
/*
 * Sending, receiving and waiting: plain and offloaded sockets must agree.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/uio.h>

#include "sock_api.h"

#define BULK	(256 << 10)

static char data[BULK], back[BULK];

/* Sends and receives */

TEST_F(sock, read_write)
{
	static const int len[] = { 1, 2, 100, 1447, 1448, 1449, 5000, 16384 };
	int i;

	for (i = 0; i < ARRAY_SIZE(len); i++) {
		fill(data, len[i], i);
		ASSERT_EQ(len[i], write(self->sk, data, len[i]));
		ASSERT_TRUE(recv_all(self->peer, back, len[i]));
		ASSERT_TRUE(filled(back, len[i], i));
		ASSERT_TRUE(send_all(self->peer, data, len[i]));
		ASSERT_TRUE(until(queued(self->sk, SIOCINQ) == len[i]));
		ASSERT_EQ(len[i], read(self->sk, back, sizeof(back)));
		ASSERT_TRUE(filled(back, len[i], i));
	}
	EXPECT_STAYED();
}

TEST_F(sock, readv_writev)
{
	struct iovec out[] = {
		{ data, 1 }, { data + 1, 0 }, { data + 1, 999 },
		{ data + 1000, 4000 },
	};
	struct iovec in[] = { { back, 3000 }, { back + 3000, 3000 } };

	fill(data, 5000, 0);
	ASSERT_EQ(5000, writev(self->sk, out, ARRAY_SIZE(out)));
	ASSERT_TRUE(recv_all(self->peer, back, 5000));
	ASSERT_TRUE(filled(back, 5000, 0));
	memset(back, 0, sizeof(back));
	ASSERT_EQ(5000, writev(self->peer, out, ARRAY_SIZE(out)));
	ASSERT_TRUE(until(queued(self->sk, SIOCINQ) == 5000));
	ASSERT_EQ(5000, readv(self->sk, in, ARRAY_SIZE(in)));
	ASSERT_TRUE(filled(back, 5000, 0));
	EXPECT_STAYED();
}

TEST_F(sock, send_recv)
{
	fill(data, 3000, 7);
	ASSERT_EQ(3000, send(self->sk, data, 3000, 0));
	ASSERT_EQ(3000, recv(self->peer, back, 3000, MSG_WAITALL));
	ASSERT_TRUE(filled(back, 3000, 7));
	ASSERT_EQ(3000, send(self->peer, data, 3000, 0));
	ASSERT_TRUE(until(queued(self->sk, SIOCINQ) == 3000));
	ASSERT_EQ(1000, recv(self->sk, back, 1000, 0));
	ASSERT_EQ(2000, recv(self->sk, back + 1000, 5000, 0));
	ASSERT_TRUE(filled(back, 3000, 7));
	EXPECT_STAYED();
}

/* The address is ignored, and none is returned. */
TEST_F(sock, sendto_recvfrom)
{
	struct sockaddr_storage ss;
	socklen_t len = net_address(variant->kind, true, 9, &ss);

	ASSERT_EQ(4, sendto(self->sk, "word", 4, 0, (void *)&ss, len));
	ASSERT_TRUE(recv_all(self->peer, back, 4));
	ASSERT_EQ(4, send(self->peer, back, 4, 0));
	len = sizeof(ss);
	ASSERT_EQ(4, recvfrom(self->sk, back, 4, MSG_WAITALL, (void *)&ss,
			      &len));
	EXPECT_EQ(0, len);
	EXPECT_EQ(0, memcmp(back, "word", 4));
	EXPECT_STAYED();
}

TEST_F(sock, sendmsg_recvmsg)
{
	struct iovec out[] = { { data, 100 }, { data + 100, 2900 } };
	struct iovec in[] = { { back, 2900 }, { back + 2900, 100 } };
	struct msghdr mo = { .msg_iov = out, .msg_iovlen = 2 };
	struct msghdr mi = { .msg_iov = in, .msg_iovlen = 2 };

	fill(data, 3000, 0);
	ASSERT_EQ(3000, sendmsg(self->sk, &mo, 0));
	ASSERT_TRUE(recv_all(self->peer, back, 3000));
	ASSERT_EQ(3000, sendmsg(self->peer, &mo, 0));
	memset(back, 0, sizeof(back));
	ASSERT_EQ(3000, recvmsg(self->sk, &mi, MSG_WAITALL));
	ASSERT_TRUE(filled(back, 3000, 0));
	EXPECT_EQ(0, mi.msg_flags & (MSG_TRUNC | MSG_CTRUNC | MSG_OOB));
	EXPECT_STAYED();
}

TEST_F(sock, sendmmsg_recvmmsg)
{
	struct iovec iov[8];
	struct mmsghdr m[8] = {};
	int i;

	fill(data, 8000, 0);
	for (i = 0; i < 8; i++) {
		iov[i] = (struct iovec){ data + i * 1000, 1000 };
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	ASSERT_EQ(8, sendmmsg(self->sk, m, 8, 0));
	for (i = 0; i < 8; i++)
		EXPECT_EQ(1000, m[i].msg_len);
	ASSERT_TRUE(recv_all(self->peer, back, 8000));
	ASSERT_TRUE(filled(back, 8000, 0));

	ASSERT_TRUE(send_all(self->peer, data, 8000));
	ASSERT_TRUE(until(queued(self->sk, SIOCINQ) == 8000));
	memset(back, 0, 8000);
	for (i = 0; i < 8; i++)
		iov[i].iov_base = back + i * 1000;
	ASSERT_EQ(8, recvmmsg(self->sk, m, 8, MSG_DONTWAIT, NULL));
	ASSERT_TRUE(filled(back, 8000, 0));
	ASSERT_EQ(-1, recvmmsg(self->sk, m, 8, MSG_DONTWAIT, NULL));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_STAYED();
}

TEST_F(sock, nothing)
{
	ASSERT_EQ(0, send(self->sk, data, 0, 0));
	ASSERT_EQ(0, write(self->sk, data, 0));
	/* Without data this waits for some. */
	ASSERT_EQ(-1, recv(self->sk, back, 0, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(1, send(self->peer, "a", 1, 0));
	ASSERT_TRUE(until(queued(self->sk, SIOCINQ) == 1));
	ASSERT_EQ(0, recv(self->sk, back, 0, 0));
	ASSERT_EQ(1, recv(self->sk, back, 1, 0));
	EXPECT_TRUE(echoes(self->sk, self->peer));
	EXPECT_STAYED();
}

TEST_F(sock, bad_address)
{
	ASSERT_EQ(-1, send(self->sk, (void *)8, 100, 0));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(3, send(self->peer, "abc", 3, 0));
	ASSERT_TRUE(until(queued(self->sk, SIOCINQ) == 3));
	ASSERT_EQ(-1, recv(self->sk, (void *)8, 3, 0));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(3, recv(self->sk, back, 3, 0));
	EXPECT_EQ(0, memcmp(back, "abc", 3));
	EXPECT_TRUE(echoes(self->sk, self->peer));
	EXPECT_STAYED();
}

/* The start of the data is sent, the rest of it cannot be read. */
TEST_F(sock, bad_address_later)
{
	char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ssize_t n;

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, munmap(map + 4096, 4096));
	fill(map, 4096, 0);
	n = send(self->sk, map, 8192, 0);
	if (n < 0) {
		EXPECT_EQ(EFAULT, errno);
	} else {
		ASSERT_LE(n, 4096);
		ASSERT_TRUE(recv_all(self->peer, back, n));
		EXPECT_TRUE(filled(back, n, 0));
	}
	EXPECT_TRUE(echoes(self->sk, self->peer));
	EXPECT_STAYED();
}

TEST_F(sock, bulk_out)
{
	struct call c;

	fill(data, BULK, 0);
	ASSERT_EQ(0, call_start(&c, call_send_all, self->sk, data, BULK, 0));
	EXPECT_TRUE(receives(self->peer, BULK));
	EXPECT_EQ(BULK, call_end(&c));
	EXPECT_STAYED();
}

TEST_F(sock, bulk_in)
{
	struct call c;

	fill(data, BULK, 0);
	ASSERT_EQ(0, call_start(&c, call_send_all, self->peer, data, BULK, 0));
	EXPECT_TRUE(receives(self->sk, BULK));
	EXPECT_EQ(BULK, call_end(&c));
	EXPECT_STAYED();
}

static ssize_t call_receives(struct call *c)
{
	size_t at = 0;
	ssize_t n;

	while (at < c->len) {
		n = recv(c->fd, (char *)c->buf + at, c->len - at, 0);
		if (n <= 0)
			return -1;
		at += n;
	}
	return at;
}

TEST_F(sock, bulk_both)
{
	struct call out, in, peer_out;

	fill(data, BULK, 0);
	ASSERT_EQ(0, call_start(&out, call_send_all, self->sk, data, BULK, 0));
	ASSERT_EQ(0, call_start(&peer_out, call_send_all, self->peer, data,
				BULK, 0));
	ASSERT_EQ(0, call_start(&in, call_receives, self->sk, back, BULK, 0));
	EXPECT_TRUE(receives(self->peer, BULK));
	EXPECT_EQ(BULK, call_end(&out));
	EXPECT_EQ(BULK, call_end(&peer_out));
	EXPECT_EQ(BULK, call_end(&in));
	EXPECT_TRUE(filled(back, BULK, 0));
	EXPECT_STAYED();
}

/* Flags */

TEST_F(sock, peek)
{
	ASSERT_EQ(6, send(self->peer, "abcdef", 6, 0));
	ASSERT_EQ(6, recv(self->sk, back, 6, MSG_PEEK | MSG_WAITALL));
	EXPECT_EQ(0, memcmp(back, "abcdef", 6));
	ASSERT_EQ(3, recv(self->sk, back, 3, MSG_PEEK));
	ASSERT_TRUE(moved(self));
	ASSERT_EQ(6, recv(self->sk, back, 100, MSG_PEEK));
	ASSERT_EQ(2, recv(self->sk, back, 2, 0));
	ASSERT_EQ(4, recv(self->sk, back, 100, MSG_PEEK));
	EXPECT_EQ(0, memcmp(back, "cdef", 4));
	ASSERT_EQ(4, recv(self->sk, back, 100, 0));
	ASSERT_EQ(-1, recv(self->sk, back, 100, MSG_PEEK | MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_STAYED();
}

TEST_F(sock, peek_waits)
{
	struct call c;

	ASSERT_EQ(0, call_start(&c, call_recv, self->sk, back, 9, MSG_PEEK));
	ASSERT_TRUE(blocks(self, &c));
	ASSERT_EQ(4, send(self->peer, "peek", 4, 0));
	ASSERT_EQ(4, call_end(&c));
	ASSERT_EQ(4, recv(self->sk, back, 9, 0));
	EXPECT_STAYED();
}

TEST_F(sock, waitall)
{
	struct call c;

	fill(data, 100, 0);
	ASSERT_EQ(0, call_start(&c, call_recv, self->sk, back, 100,
				MSG_WAITALL));
	ASSERT_TRUE(blocks(self, &c));
	ASSERT_EQ(40, send(self->peer, data, 40, 0));
	ASSERT_TRUE(until(!queued(self->sk, SIOCINQ)));
	ASSERT_TRUE(blocks(self, &c));
	EXPECT_FALSE(c.done);
	ASSERT_EQ(60, send(self->peer, data + 40, 60, 0));
	ASSERT_EQ(100, call_end(&c));
	EXPECT_TRUE(filled(back, 100, 0));
	EXPECT_STAYED();
}

TEST_F(sock, waitall_ends)
{
	struct call c;

	ASSERT_EQ(0, call_start(&c, call_recv, self->sk, back, 100,
				MSG_WAITALL));
	ASSERT_EQ(40, send(self->peer, data, 40, 0));
	ASSERT_TRUE(blocks(self, &c));
	ASSERT_EQ(0, shutdown(self->peer, SHUT_WR));
	EXPECT_EQ(40, call_end(&c));
}

TEST_F(sock, waitall_large)
{
	struct call c;

	fill(data, BULK, 0);
	ASSERT_EQ(0, call_start(&c, call_recv, self->sk, back, BULK,
				MSG_WAITALL));
	ASSERT_TRUE(blocks(self, &c));
	ASSERT_TRUE(send_all(self->peer, data, BULK));
	ASSERT_EQ(BULK, call_end(&c));
	EXPECT_TRUE(filled(back, BULK, 0));
	EXPECT_STAYED();
}

/* On TCP, MSG_TRUNC throws the data away. */
TEST_F(sock, trunc)
{
	fill(data, 5000, 0);
	ASSERT_TRUE(send_all(self->peer, data, 5000));
	ASSERT_TRUE(until(queued(self->sk, SIOCINQ) == 5000));
	ASSERT_EQ(3000, recv(self->sk, NULL, 3000, MSG_TRUNC));
	ASSERT_EQ(2000, recv(self->sk, back, 5000, 0));
	EXPECT_TRUE(filled(back, 2000, 3000));
	EXPECT_STAYED();
}

TEST_F(sock, dontwait)
{
	ASSERT_EQ(-1, recv(self->sk, back, 9, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(4, send(self->sk, "abcd", 4, MSG_DONTWAIT));
	ASSERT_TRUE(recv_all(self->peer, back, 4));
	ASSERT_EQ(4, send(self->peer, back, 4, 0));
	ASSERT_TRUE(until(recv(self->sk, back, 9, MSG_DONTWAIT) == 4));
	EXPECT_STAYED();
}

TEST_F(sock, nonblocking)
{
	int on = 1;

	ASSERT_EQ(0, fcntl(self->sk, F_SETFL, O_NONBLOCK));
	ASSERT_EQ(-1, recv(self->sk, back, 9, 0));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_TRUE(moved(self));
	ASSERT_EQ(O_NONBLOCK, fcntl(self->sk, F_GETFL) & O_NONBLOCK);
	ASSERT_EQ(0, fcntl(self->sk, F_SETFL, 0));
	ASSERT_EQ(0, ioctl(self->sk, FIONBIO, &on));
	ASSERT_EQ(-1, read(self->sk, back, 9));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_TRUE(echoes(self->sk, self->peer));
	EXPECT_STAYED();
}

TEST_F(sock, more)
{
	ASSERT_EQ(2, send(self->sk, "ab", 2, MSG_MORE));
	ASSERT_TRUE(moved(self));
	ASSERT_EQ(2, send(self->sk, "cd", 2, MSG_MORE));
	ASSERT_EQ(2, send(self->sk, "ef", 2, 0));
	ASSERT_TRUE(recv_all(self->peer, back, 6));
	EXPECT_EQ(0, memcmp(back, "abcdef", 6));
	EXPECT_STAYED();
}

/* Data that was announced and does not come is not waited for long. */
TEST_F(sock, more_alone)
{
	ASSERT_EQ(2, send(self->sk, "ab", 2, MSG_MORE));
	ASSERT_TRUE(recv_all(self->peer, back, 2));
	EXPECT_STAYED();
}

TEST_F(sock, more_then_shutdown)
{
	ASSERT_EQ(2, send(self->sk, "ab", 2, MSG_MORE));
	ASSERT_EQ(0, shutdown(self->sk, SHUT_WR));
	ASSERT_TRUE(recv_all(self->peer, back, 2));
	EXPECT_EQ(0, recv(self->peer, back, 1, 0));
}

TEST_F(sock, cork)
{
	int i;

	ASSERT_EQ(0, set_int(self->sk, IPPROTO_TCP, TCP_CORK, 1));
	fill(data, 6000, 0);
	for (i = 0; i < 60; i++)
		ASSERT_EQ(100, write(self->sk, data + i * 100, 100));
	ASSERT_TRUE(moved(self));
	EXPECT_EQ(1, get_int(self->sk, IPPROTO_TCP, TCP_CORK));
	ASSERT_EQ(0, set_int(self->sk, IPPROTO_TCP, TCP_CORK, 0));
	ASSERT_TRUE(recv_all(self->peer, back, 6000));
	EXPECT_TRUE(filled(back, 6000, 0));
	EXPECT_STAYED();
}

TEST_F(sock, cork_alone)
{
	ASSERT_EQ(0, set_int(self->sk, IPPROTO_TCP, TCP_CORK, 1));
	ASSERT_EQ(2, send(self->sk, "ab", 2, 0));
	ASSERT_TRUE(recv_all(self->peer, back, 2));
	EXPECT_STAYED();
}

TEST_F(sock, nodelay)
{
	int i;

	ASSERT_EQ(0, set_int(self->sk, IPPROTO_TCP, TCP_NODELAY, 1));
	for (i = 0; i < 100; i++)
		ASSERT_EQ(1, send(self->sk, &i, 1, 0));
	ASSERT_TRUE(recv_all(self->peer, back, 100));
	for (i = 0; i < 100; i++)
		ASSERT_EQ(i, back[i]);
	EXPECT_STAYED();
}

/* What is held back goes as soon as an option says so, and not only when it
 * would go anyway, 200 ms after it was written. A slow machine gets several
 * attempts: once it must be fast.
 */
static bool flushes(struct _test_data_sock *self, int cork, int flags,
		    int name, int value)
{
	time_t start;
	int i;

	for (i = 0; i < 5; i++) {
		/* Nothing is to wait for what went before. */
		if (!until(!queued(self->sk, SIOCOUTQ)) ||
		    set_int(self->sk, IPPROTO_TCP, TCP_NODELAY, 0) ||
		    set_int(self->sk, IPPROTO_TCP, TCP_CORK, cork))
			return false;
		start = time_ms();
		if (send(self->sk, "ab", 2, flags) != 2 ||
		    set_int(self->sk, IPPROTO_TCP, name, value) ||
		    !recv_all(self->peer, back, 2) || memcmp(back, "ab", 2))
			return false;
		if (time_ms() - start < 150)
			return true;
	}
	return false;
}

TEST_F(sock, nodelay_overrides_cork)
{
	EXPECT_TRUE(flushes(self, 1, 0, TCP_NODELAY, 1));
	EXPECT_STAYED();
}

TEST_F(sock, nodelay_overrides_more)
{
	EXPECT_TRUE(flushes(self, 0, MSG_MORE, TCP_NODELAY, 1));
	EXPECT_STAYED();
}

TEST_F(sock, uncork_overrides_more)
{
	EXPECT_TRUE(flushes(self, 1, MSG_MORE, TCP_CORK, 0));
	EXPECT_STAYED();
}

/* Urgent data: uploads first. */

TEST_F(sock, oob_send)
{
	ASSERT_EQ(3, send(self->sk, "abU", 3, MSG_OOB));
	ASSERT_TRUE(until(events_of(self->peer) & POLLPRI));
	ASSERT_EQ(1, recv(self->peer, back, 9, MSG_OOB));
	EXPECT_EQ('U', back[0]);
	ASSERT_EQ(2, recv(self->peer, back, 9, 0));
	EXPECT_EQ(0, memcmp(back, "ab", 2));
	EXPECT_UPLOADED();
	EXPECT_TRUE(echoes(self->sk, self->peer));
}

TEST_F(sock, oob_send_behind_data)
{
	fill(data, 5000, 0);
	ASSERT_EQ(5000, send(self->sk, data, 5000, 0));
	ASSERT_EQ(1, send(self->sk, "U", 1, MSG_OOB));
	ASSERT_EQ(5000, send(self->sk, data, 5000, 0));
	ASSERT_TRUE(until(events_of(self->peer) & POLLPRI));
	ASSERT_TRUE(recv_all(self->peer, back, 5000));
	EXPECT_TRUE(filled(back, 5000, 0));
	ASSERT_EQ(1, recv(self->peer, back, 9, MSG_OOB));
	EXPECT_EQ('U', back[0]);
	ASSERT_TRUE(recv_all(self->peer, back, 5000));
	EXPECT_TRUE(filled(back, 5000, 0));
	EXPECT_UPLOADED();
}

TEST_F(sock, oob_receive)
{
	ASSERT_EQ(3, send(self->peer, "abU", 3, MSG_OOB));
	ASSERT_EQ(2, send(self->peer, "cd", 2, 0));
	ASSERT_TRUE(until(events_of(self->sk) & POLLPRI));
	ASSERT_TRUE(until(queued(self->sk, SIOCINQ) >= 2));
	ASSERT_EQ(0, sockatmark(self->sk));
	ASSERT_EQ(1, recv(self->sk, back, 9, MSG_OOB));
	EXPECT_EQ('U', back[0]);
	ASSERT_EQ(-1, recv(self->sk, back, 9, MSG_OOB));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(2, recv(self->sk, back, 9, 0));
	EXPECT_EQ(0, memcmp(back, "ab", 2));
	ASSERT_EQ(1, sockatmark(self->sk));
	ASSERT_EQ(2, recv(self->sk, back, 2, MSG_WAITALL));
	EXPECT_EQ(0, memcmp(back, "cd", 2));
	EXPECT_UPLOADED();
	EXPECT_TRUE(echoes(self->sk, self->peer));
}

TEST_F(sock, oob_receive_inline)
{
	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_OOBINLINE, 1));
	ASSERT_EQ(3, send(self->peer, "abU", 3, MSG_OOB));
	ASSERT_TRUE(until(queued(self->sk, SIOCINQ) >= 2));
	ASSERT_TRUE(until(events_of(self->sk) & POLLPRI));
	ASSERT_EQ(2, recv(self->sk, back, 9, 0));
	ASSERT_EQ(1, sockatmark(self->sk));
	ASSERT_EQ(1, recv(self->sk, back, 9, 0));
	EXPECT_EQ('U', back[0]);
	EXPECT_UPLOADED();
}

TEST_F(sock, oob_signal)
{
	struct timespec limit = { .tv_sec = DEADLINE };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGURG);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	ASSERT_EQ(0, fcntl(self->sk, F_SETOWN, getpid()));
	ASSERT_EQ(1, send(self->peer, "U", 1, MSG_OOB));
	ASSERT_EQ(SIGURG, sigtimedwait(&set, NULL, &limit));
	ASSERT_EQ(1, recv(self->sk, back, 1, MSG_OOB));
	EXPECT_UPLOADED();
}

TEST_F(sock, oob_none)
{
	ASSERT_EQ(-1, recv(self->sk, back, 9, MSG_OOB));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, sockatmark(self->sk));
	EXPECT_TRUE(echoes(self->sk, self->peer));
}

/* Zero-copy sends and send timestamps: upload first. */

static int error_queue(int fd, struct sock_extended_err *ee,
		       struct timespec *ts)
{
	char control[512] __attribute__((aligned(8)));
	struct msghdr m = {
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;

	if (recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		return -1;
	for (c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level == SOL_SOCKET &&
		    c->cmsg_type == SCM_TIMESTAMPING && ts)
			memcpy(ts, CMSG_DATA(c), sizeof(*ts));
		if ((c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR) ||
		    (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_RECVERR))
			memcpy(ee, CMSG_DATA(c), sizeof(*ee));
	}
	return 0;
}

TEST_F(sock, error_queue_empty)
{
	struct sock_extended_err ee;

	ASSERT_EQ(-1, error_queue(self->sk, &ee, NULL));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_STAYED();
}

TEST_F(sock, zerocopy)
{
	struct sock_extended_err ee = {};

	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_ZEROCOPY, 1));
	fill(data, 20000, 0);
	ASSERT_EQ(20000, send(self->sk, data, 20000, MSG_ZEROCOPY));
	ASSERT_TRUE(recv_all(self->peer, back, 20000));
	EXPECT_TRUE(filled(back, 20000, 0));
	ASSERT_TRUE(until(!error_queue(self->sk, &ee, NULL)));
	EXPECT_EQ(SO_EE_ORIGIN_ZEROCOPY, ee.ee_origin);
	EXPECT_EQ(0, ee.ee_info);
	EXPECT_EQ(0, ee.ee_data);
	EXPECT_UPLOADED();
	EXPECT_TRUE(echoes(self->sk, self->peer));
}

/* Without SO_ZEROCOPY the flag is ignored. */
TEST_F(sock, zerocopy_not_enabled)
{
	struct sock_extended_err ee;

	ASSERT_EQ(4, send(self->sk, "abcd", 4, MSG_ZEROCOPY));
	ASSERT_TRUE(recv_all(self->peer, back, 4));
	ASSERT_EQ(-1, error_queue(self->sk, &ee, NULL));
	EXPECT_STAYED();
}

TEST_F(sock, send_timestamp)
{
	struct sock_extended_err ee = {};
	struct timespec ts = {};

	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_TIMESTAMPING,
			     SOF_TIMESTAMPING_SOFTWARE |
			     SOF_TIMESTAMPING_TX_ACK));
	ASSERT_EQ(4, send(self->sk, "abcd", 4, 0));
	ASSERT_TRUE(recv_all(self->peer, back, 4));
	ASSERT_TRUE(until(!error_queue(self->sk, &ee, &ts)));
	EXPECT_EQ(SO_EE_ORIGIN_TIMESTAMPING, ee.ee_origin);
	EXPECT_EQ(SCM_TSTAMP_ACK, ee.ee_info);
	EXPECT_NE(0, ts.tv_sec);
	EXPECT_UPLOADED();
}

/* Asked for with the data. */
TEST_F(sock, send_timestamp_control)
{
	char control[CMSG_SPACE(sizeof(__u32))]
		__attribute__((aligned(8))) = {};
	struct iovec iov = { "abcd", 4 };
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	__u32 flags = SOF_TIMESTAMPING_TX_ACK;
	struct sock_extended_err ee = {};

	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_TIMESTAMPING,
			     SOF_TIMESTAMPING_SOFTWARE));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SO_TIMESTAMPING;
	c->cmsg_len = CMSG_LEN(sizeof(flags));
	memcpy(CMSG_DATA(c), &flags, sizeof(flags));
	ASSERT_EQ(4, sendmsg(self->sk, &m, 0));
	ASSERT_TRUE(recv_all(self->peer, back, 4));
	ASSERT_TRUE(until(!error_queue(self->sk, &ee, NULL)));
	EXPECT_EQ(SO_EE_ORIGIN_TIMESTAMPING, ee.ee_origin);
	EXPECT_EQ(SCM_TSTAMP_ACK, ee.ee_info);
	EXPECT_UPLOADED();
}

/* Control messages */

static int control_of(int fd, int flags, int level, int type, void *value,
		      size_t len)
{
	char control[256] __attribute__((aligned(8)));
	struct iovec iov = { back, 10 };
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	int n;

	n = recvmsg(fd, &m, flags);
	if (n < 0)
		return -1;
	for (c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level != level || c->cmsg_type != type)
			continue;
		memcpy(value, CMSG_DATA(c), len);
		return n;
	}
	return 0;
}

TEST_F(sock, receive_timestamp)
{
	struct timeval tv = {}, now;
	bool found = false;
	time_t end = time_ms() + DEADLINE * 1000;

	/* Time stamping in the kernel starts some time after the call. */
	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_TIMESTAMP, 1));
	while (!found && time_ms() < end) {
		ASSERT_EQ(10, send(self->peer, data, 10, 0));
		ASSERT_TRUE(until(queued(self->sk, SIOCINQ) == 10));
		found = control_of(self->sk, 0, SOL_SOCKET, SCM_TIMESTAMP, &tv,
				   sizeof(tv)) == 10;
	}
	ASSERT_TRUE(found);
	gettimeofday(&now, NULL);
	EXPECT_LE(now.tv_sec - tv.tv_sec, DEADLINE);
	EXPECT_GE(now.tv_sec - tv.tv_sec, 0);
	EXPECT_STAYED();
}

TEST_F(sock, receive_timestamping)
{
	struct timespec ts[3] = {};
	time_t end = time_ms() + DEADLINE * 1000;

	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_TIMESTAMPING,
			     SOF_TIMESTAMPING_SOFTWARE |
			     SOF_TIMESTAMPING_RX_SOFTWARE));
	while (!ts[0].tv_sec && time_ms() < end) {
		ASSERT_EQ(10, send(self->peer, data, 10, 0));
		ASSERT_TRUE(until(queued(self->sk, SIOCINQ) == 10));
		ASSERT_NE(-1, control_of(self->sk, 0, SOL_SOCKET,
					 SCM_TIMESTAMPING, ts, sizeof(ts)));
	}
	EXPECT_NE(0, ts[0].tv_sec);
	EXPECT_STAYED();
}

TEST_F(sock, inq_control)
{
	int left = -1;

	ASSERT_EQ(0, set_int(self->sk, IPPROTO_TCP, TCP_INQ, 1));
	ASSERT_EQ(100, send(self->peer, data, 100, 0));
	ASSERT_TRUE(until(queued(self->sk, SIOCINQ) == 100));
	ASSERT_EQ(10, control_of(self->sk, 0, IPPROTO_TCP, TCP_CM_INQ, &left,
				 sizeof(left)));
	EXPECT_EQ(90, left);
	ASSERT_EQ(90, recv(self->sk, back, 100, 0));
	ASSERT_EQ(10, send(self->peer, data, 10, 0));
	ASSERT_EQ(10, control_of(self->sk, MSG_WAITALL, IPPROTO_TCP,
				 TCP_CM_INQ, &left, sizeof(left)));
	EXPECT_EQ(0, left);
	EXPECT_STAYED();
}

/* Pages */

TEST_F(sock, splice_from_socket)
{
	int p[2], n, done = 0;

	ASSERT_EQ(0, pipe(p));
	fill(data, 20000, 0);
	ASSERT_TRUE(send_all(self->peer, data, 20000));
	while (done < 20000) {
		n = splice(self->sk, NULL, p[1], NULL, 20000 - done,
			   SPLICE_F_MOVE);
		ASSERT_GT(n, 0);
		ASSERT_EQ(n, read(p[0], back + done, n));
		done += n;
	}
	EXPECT_TRUE(filled(back, 20000, 0));
	ASSERT_EQ(0, fcntl(self->sk, F_SETFL, O_NONBLOCK));
	ASSERT_EQ(-1, splice(self->sk, NULL, p[1], NULL, 1, 0));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(0, fcntl(self->sk, F_SETFL, 0));
	EXPECT_STAYED();
	ASSERT_EQ(0, shutdown(self->peer, SHUT_WR));
	EXPECT_EQ(0, splice(self->sk, NULL, p[1], NULL, 1, 0));
}

static ssize_t call_splice(struct call *c)
{
	return splice(c->fd, NULL, c->flags, NULL, c->len, 0);
}

TEST_F(sock, splice_waits)
{
	struct call c;
	int p[2];

	ASSERT_EQ(0, pipe(p));
	ASSERT_EQ(0, call_start(&c, call_splice, self->sk, NULL, 100, p[1]));
	ASSERT_TRUE(blocks(self, &c));
	ASSERT_EQ(4, send(self->peer, "abcd", 4, 0));
	EXPECT_EQ(4, call_end(&c));
	EXPECT_STAYED();
}

TEST_F(sock, splice_to_socket)
{
	int p[2], n, done = 0;

	ASSERT_EQ(0, pipe(p));
	fill(data, 20000, 0);
	ASSERT_EQ(20000, write(p[1], data, 20000));
	while (done < 20000) {
		n = splice(p[0], NULL, self->sk, NULL, 20000 - done,
			   done < 9000 ? SPLICE_F_MORE : 0);
		ASSERT_GT(n, 0);
		done += n;
	}
	ASSERT_TRUE(recv_all(self->peer, back, 20000));
	EXPECT_TRUE(filled(back, 20000, 0));
	EXPECT_STAYED();
}

static ssize_t call_sendfile(struct call *c)
{
	size_t done = 0;
	ssize_t n;

	while (done < c->len) {
		n = sendfile(c->fd, c->flags, NULL, c->len - done);
		if (n <= 0)
			return -1;
		done += n;
	}
	return done;
}

TEST_F(sock, sendfile)
{
	int fd = memfd_create("data", MFD_CLOEXEC);
	struct call c;

	ASSERT_LE(0, fd);
	fill(data, BULK, 0);
	ASSERT_EQ(BULK, write(fd, data, BULK));
	ASSERT_EQ(0, lseek(fd, 0, SEEK_SET));
	ASSERT_EQ(0, call_start(&c, call_sendfile, self->sk, NULL, BULK, fd));
	EXPECT_TRUE(receives(self->peer, BULK));
	EXPECT_EQ(BULK, call_end(&c));
	EXPECT_STAYED();
	close(fd);
}

TEST_HARNESS_MAIN
