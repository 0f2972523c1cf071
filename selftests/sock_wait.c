// SPDX-License-Identifier: GPL-2.0
/*
 * Limits of buffers and time, and waiting for a socket in a call or by a
 * signal: plain and offloaded sockets must agree.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>

#include "sock_api.h"

static char data[100000], back[100000];

/* Limits of buffers and time */

static ssize_t call_poll_in(struct call *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };

	return poll(&p, 1, DEADLINE * 1000) == 1 ? p.revents : -1;
}

TEST_F(sock, rcvlowat)
{
	struct call c;

	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_RCVLOWAT, 100));
	ASSERT_EQ(99, send(self->peer, data, 99, 0));
	ASSERT_TRUE(until(queued(self->sk, SIOCINQ) == 99));
	EXPECT_EQ(POLLOUT, events_of(self->sk));
	ASSERT_EQ(0, call_start(&c, call_poll_in, self->sk, NULL, 0, 0));
	ASSERT_TRUE(blocks(self, &c));
	ASSERT_EQ(1, send(self->peer, data, 1, 0));
	EXPECT_EQ(POLLIN, call_end(&c));
	ASSERT_EQ(100, recv(self->sk, back, 200, 0));

	ASSERT_EQ(0, call_start(&c, call_recv, self->sk, back, 200, 0));
	ASSERT_TRUE(blocks(self, &c));
	ASSERT_EQ(99, send(self->peer, data, 99, 0));
	ASSERT_TRUE(blocks(self, &c));
	ASSERT_EQ(1, send(self->peer, data, 1, 0));
	EXPECT_EQ(100, call_end(&c));
	EXPECT_STAYED();
}

/* So much that less of a window is left than it takes, with part of it read. */
TEST_F(sock, rcvlowat_as_large_as_the_window)
{
	int half;

	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_RCVBUF,
			     sizeof(back)));
	half = get_int(self->sk, SOL_SOCKET, SO_RCVBUF) / 2;
	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_RCVLOWAT, half));
	ASSERT_EQ(0, set_int(self->peer, SOL_SOCKET, SO_SNDBUFFORCE,
			     4 * sizeof(back)));
	fill_up(self->peer);
	ASSERT_TRUE(until(events_of(self->sk) & POLLIN));
	ASSERT_TRUE(recv_all(self->sk, back, half * 3 / 5));
	EXPECT_TRUE(until(events_of(self->sk) & POLLIN));
	EXPECT_STAYED();
}

/* The time of the last tick, which is what sockets count: on a busy machine it
 * may be long ago.
 */
static time_t tick_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

TEST_F(sock, rcvtimeo)
{
	struct timeval limit = { .tv_usec = 200000 };
	time_t start;

	ASSERT_EQ(0, setsockopt(self->sk, SOL_SOCKET, SO_RCVTIMEO, &limit,
				sizeof(limit)));
	start = tick_ms();
	ASSERT_EQ(-1, recv(self->sk, back, 9, 0));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_GE(tick_ms() - start, 150);
	/* What came until then counts. */
	ASSERT_EQ(4, send(self->peer, "abcd", 4, 0));
	EXPECT_EQ(4, recv(self->sk, back, 9, MSG_WAITALL));
	EXPECT_STAYED();
}

TEST_F(sock, sndtimeo)
{
	struct timeval limit = { .tv_usec = 200000 };
	time_t start;
	ssize_t full;

	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_SNDBUF, 32768));
	full = fill_up(self->sk);
	ASSERT_EQ(0, setsockopt(self->sk, SOL_SOCKET, SO_SNDTIMEO, &limit,
				sizeof(limit)));
	fill(data, 100000, full);
	start = tick_ms();
	ASSERT_EQ(-1, send(self->sk, data, 100000, 0));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_GE(tick_ms() - start, 150);
	EXPECT_TRUE(receives(self->peer, full));
	EXPECT_TRUE(until(events_of(self->sk) & POLLOUT));
	EXPECT_STAYED();
}

TEST_F(sock, send_buffer_full)
{
	ssize_t full;

	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_SNDBUF, 32768));
	full = fill_up(self->sk);
	ASSERT_GT(full, 32768);
	ASSERT_EQ(-1, send(self->sk, data, 1, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_TRUE(moved(self));
	EXPECT_EQ(0, events_of(self->sk));
	EXPECT_TRUE(receives(self->peer, full));
	ASSERT_TRUE(until(events_of(self->sk) == POLLOUT));
	EXPECT_TRUE(echoes(self->sk, self->peer));
	EXPECT_STAYED();
}

static ssize_t call_poll_out(struct call *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLOUT };

	return poll(&p, 1, DEADLINE * 1000) == 1 ? p.revents : -1;
}

TEST_F(sock, poll_waits_for_room)
{
	struct call c;
	ssize_t full;

	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_SNDBUF, 32768));
	full = fill_up(self->sk);
	ASSERT_EQ(0, call_start(&c, call_poll_out, self->sk, NULL, 0, 0));
	ASSERT_TRUE(blocks(self, &c));
	EXPECT_TRUE(receives(self->peer, full));
	EXPECT_EQ(POLLOUT, call_end(&c));
	EXPECT_STAYED();
}

TEST_F(sock, send_waits_for_room)
{
	struct call c;
	ssize_t full;

	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_SNDBUF, 32768));
	full = fill_up(self->sk);
	fill(back, 100000, full);
	ASSERT_EQ(0, call_start(&c, call_send, self->sk, back, 100000, 0));
	ASSERT_TRUE(blocks(self, &c));
	EXPECT_TRUE(receives(self->peer, full + 100000));
	EXPECT_EQ(100000, call_end(&c));
	EXPECT_STAYED();
}

/* A receive buffer that was full opens again. */
TEST_F(sock, receive_buffer_full)
{
	ssize_t full;

	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_RCVBUF, 16384));
	full = fill_up(self->peer);
	ASSERT_GT(full, 8192);
	ASSERT_TRUE(moved(self));
	EXPECT_TRUE(receives(self->sk, full));
	EXPECT_TRUE(echoes(self->sk, self->peer));
	EXPECT_STAYED();
}

/* As somebody who looks at what comes in, and takes his time: the buffers are
 * his as well, and nothing can be added to one.
 */
static int look_on(void)
{
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = if_nametoindex("veth0"),
	};
	int fd = net_socket(net_host_ns, AF_PACKET, SOCK_RAW, 0);

	if (fd < 0 || set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20) ||
	    bind(fd, (void *)&ll, sizeof(ll)))
		return -1;
	return fd;
}

/* Has everything left, or can no more of it, because the window is shut? Then
 * nothing is on its way; asked in this order, nothing was in between either.
 */
static bool left_or_shut(int fd)
{
	int left = queued(fd, SIOCOUTQ), unsent = queued(fd, SIOCOUTQNSD);

	return !unsent || unsent == left;
}

/* Small segments need more of the buffer than of the window. What was on offer
 * is taken all the same.
 */
TEST_F(sock, small_segments_while_nobody_reads)
{
	long dropped = net_counter("rx_no_room");
	int tap = look_on(), total = 0;

	ASSERT_LE(0, dropped);
	ASSERT_LE(0, tap);
	ASSERT_EQ(0, set_int(self->peer, IPPROTO_TCP, TCP_NODELAY, 1));
	/* Less than is on offer at first: then each waits for an ACK. */
	while (total < 600 * 100) {
		fill(data, 100, total);
		ASSERT_EQ(100, send(self->peer, data, 100, 0));
		total += 100;
		if (!until(left_or_shut(self->peer)) ||
		    queued(self->peer, SIOCOUTQNSD))
			break;
	}
	/* The host has offered at least a quarter of its buffer before: more
	 * than twice of what fits into all of it segment by segment.
	 */
	if (variant->mode == OFFLOADED)
		EXPECT_GT(total, 30000);
	EXPECT_TRUE(receives(self->sk, total));
	EXPECT_EQ(dropped, net_counter("rx_no_room"));
	EXPECT_TRUE(echoes(self->sk, self->peer));
	EXPECT_STAYED();
	close(tap);
}

/* What all sockets may have together, in pages: the first network namespace
 * has the say.
 */
static bool socket_memory(const char *limits)
{
	return !run("nsenter -t 1 -n sysctl -qw net.ipv4.tcp_mem='%s'", limits);
}

static bool socket_memory_is(char *limits, size_t len)
{
	FILE *f = popen("nsenter -t 1 -n sysctl -n net.ipv4.tcp_mem", "r");
	bool ok = f && fgets(limits, len, f);

	if (f)
		pclose(f);
	limits[strcspn(limits, "\n")] = 0;
	return ok;
}

/* SEC-8: what there is no memory left for is not acknowledged, and comes again
 * when something has been read.
 */
TEST_F(sock, no_memory_for_sockets)
{
	long dropped = net_counter("rx_no_room");
	char tcp_mem[64] = "";
	int total = 0, i;
	struct pair hog;

	if (variant->mode != OFFLOADED)
		return;
	ASSERT_LE(0, dropped);
	ASSERT_TRUE(socket_memory_is(tcp_mem, sizeof(tcp_mem)));
	/* A processor takes a MiB in advance, which nobody counts. */
	ASSERT_EQ(0, pair_open(&hog, variant->kind));
	ASSERT_EQ(0, set_int(hog.sk, SOL_SOCKET, SO_SNDBUFFORCE, 16 << 20));
	ASSERT_LE(16 << 20, fill_up(hog.sk));
	ASSERT_TRUE(socket_memory("1 1 1"));
	for (i = 0; i < 20 && net_counter("rx_no_room") == dropped; i++) {
		fill(data, 1000, total);
		if (send(self->peer, data, 1000, 0) != 1000)
			break;
		total += 1000;
		until(queued(self->sk, SIOCINQ) == total ||
		      net_counter("rx_no_room") > dropped);
	}
	EXPECT_LT(dropped, net_counter("rx_no_room"));
	ASSERT_TRUE(socket_memory(tcp_mem));
	pair_close(&hog);
	EXPECT_TRUE(receives(self->sk, total));
	EXPECT_TRUE(echoes(self->sk, self->peer));
	EXPECT_STAYED();
}

TEST_F(sock, notsent_lowat)
{
	ssize_t full, more;

	ASSERT_EQ(0, set_int(self->sk, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 8192));
	full = fill_up(self->sk);
	/* Of what the peer has no room for, about as much as was asked for:
	 * no more than the buffer that goes beyond, 64 KiB at most.
	 */
	EXPECT_LE(queued(self->sk, SIOCOUTQNSD), 8192 + 65536);
	EXPECT_EQ(0, events_of(self->sk) & POLLOUT);
	EXPECT_TRUE(receives(self->peer, full));
	ASSERT_TRUE(until(events_of(self->sk) & POLLOUT));
	ASSERT_EQ(0, set_int(self->sk, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 0));
	more = fill_up(self->sk);
	EXPECT_GT(more, full);
	EXPECT_TRUE(receives(self->peer, more));
	EXPECT_STAYED();
}

TEST_F(sock, siocinq)
{
	EXPECT_EQ(0, queued(self->sk, SIOCINQ));
	ASSERT_EQ(100, send(self->peer, data, 100, 0));
	ASSERT_TRUE(until(queued(self->sk, SIOCINQ) == 100));
	ASSERT_TRUE(moved(self));
	ASSERT_EQ(100, send(self->peer, data, 100, 0));
	ASSERT_TRUE(until(queued(self->sk, FIONREAD) == 200));
	ASSERT_EQ(150, recv(self->sk, back, 150, 0));
	EXPECT_EQ(50, queued(self->sk, SIOCINQ));
	/* The end of the stream does not count. */
	ASSERT_EQ(0, shutdown(self->peer, SHUT_WR));
	ASSERT_TRUE(until(events_of(self->sk) & POLLRDHUP));
	EXPECT_EQ(50, queued(self->sk, SIOCINQ));
	ASSERT_EQ(50, recv(self->sk, back, 150, 0));
	EXPECT_EQ(0, queued(self->sk, SIOCINQ));
}

TEST_F(sock, siocoutq)
{
	ssize_t full;

	EXPECT_EQ(0, queued(self->sk, SIOCOUTQ));
	EXPECT_EQ(0, queued(self->sk, SIOCOUTQNSD));
	ASSERT_EQ(100, send(self->sk, data, 100, 0));
	EXPECT_TRUE(until(!queued(self->sk, SIOCOUTQ)));
	ASSERT_TRUE(recv_all(self->peer, back, 100));

	full = fill_up(self->sk);
	EXPECT_TRUE(until(queued(self->sk, SIOCOUTQ) ==
			  full - queued(self->peer, SIOCINQ)));
	/* The peer's window is shut: what is not acknowledged is not sent. */
	EXPECT_GT(queued(self->sk, SIOCOUTQNSD), 0);
	EXPECT_LE(queued(self->sk, SIOCOUTQNSD), queued(self->sk, SIOCOUTQ));
	EXPECT_TRUE(receives(self->peer, full));
	EXPECT_TRUE(until(!queued(self->sk, SIOCOUTQ)));
	EXPECT_EQ(0, queued(self->sk, SIOCOUTQNSD));
	EXPECT_STAYED();
	/* A FIN counts for one. */
	ASSERT_EQ(0, shutdown(self->sk, SHUT_WR));
	EXPECT_TRUE(until(!queued(self->sk, SIOCOUTQ)));
}

/* Waiting */

TEST_F(sock, poll_states)
{
	EXPECT_EQ(POLLOUT, events_of(self->sk));
	ASSERT_EQ(1, send(self->peer, "a", 1, 0));
	EXPECT_TRUE(until(events_of(self->sk) == (POLLIN | POLLOUT)));
	ASSERT_TRUE(moved(self));
	EXPECT_EQ(POLLIN | POLLOUT, events_of(self->sk));
	ASSERT_EQ(1, recv(self->sk, back, 1, 0));
	EXPECT_EQ(POLLOUT, events_of(self->sk));
	ASSERT_EQ(0, shutdown(self->peer, SHUT_WR));
	EXPECT_TRUE(until(events_of(self->sk) ==
			  (POLLIN | POLLOUT | POLLRDHUP)));
	ASSERT_TRUE(moved(self));
	ASSERT_EQ(0, shutdown(self->sk, SHUT_WR));
	EXPECT_EQ(POLLIN | POLLOUT | POLLRDHUP | POLLHUP, events_of(self->sk));
}

TEST_F(sock, poll_waits)
{
	struct call c;

	ASSERT_EQ(0, call_start(&c, call_poll_in, self->sk, NULL, 0, 0));
	ASSERT_TRUE(blocks(self, &c));
	ASSERT_EQ(1, send(self->peer, "a", 1, 0));
	EXPECT_EQ(POLLIN, call_end(&c));
	EXPECT_STAYED();
}

static ssize_t call_poll_rdhup(struct call *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLRDHUP };

	return poll(&p, 1, DEADLINE * 1000) == 1 ? p.revents : -1;
}

TEST_F(sock, poll_waits_for_end)
{
	struct call c;

	ASSERT_EQ(0, call_start(&c, call_poll_rdhup, self->sk, NULL, 0, 0));
	ASSERT_TRUE(blocks(self, &c));
	ASSERT_EQ(1, send(self->peer, "a", 1, 0));
	ASSERT_TRUE(blocks(self, &c));
	ASSERT_EQ(0, shutdown(self->peer, SHUT_WR));
	EXPECT_EQ(POLLRDHUP, call_end(&c));
}

static ssize_t call_select_in(struct call *c)
{
	struct timeval limit = { .tv_sec = DEADLINE };
	fd_set in, out, pri;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&pri);
	FD_SET(c->fd, &in);
	FD_SET(c->fd, &pri);
	if (c->flags)
		FD_SET(c->fd, &out);
	if (select(c->fd + 1, &in, &out, &pri, &limit) < 0)
		return -1;
	return FD_ISSET(c->fd, &in) | FD_ISSET(c->fd, &out) << 1 |
	       FD_ISSET(c->fd, &pri) << 2;
}

TEST_F(sock, select_waits)
{
	struct call c;

	ASSERT_EQ(0, call_start(&c, call_select_in, self->sk, NULL, 0, 1));
	EXPECT_EQ(2, call_end(&c));
	ASSERT_EQ(0, call_start(&c, call_select_in, self->sk, NULL, 0, 0));
	ASSERT_TRUE(blocks(self, &c));
	ASSERT_EQ(1, send(self->peer, "a", 1, 0));
	EXPECT_EQ(1, call_end(&c));
	EXPECT_STAYED();
}

TEST_F(sock, recv_waits)
{
	struct call c;

	ASSERT_EQ(0, call_start(&c, call_recv, self->sk, back, 9, 0));
	ASSERT_TRUE(blocks(self, &c));
	ASSERT_EQ(4, send(self->peer, "abcd", 4, 0));
	EXPECT_EQ(4, call_end(&c));
	EXPECT_STAYED();
}

static int epoll_of(int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.fd = fd };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) ? -1 : ep;
}

/* The events reported within a time, 0 for none. */
static int epoll_get(int ep, int ms)
{
	struct epoll_event ev;

	return epoll_wait(ep, &ev, 1, ms) == 1 ? ev.events : 0;
}

static ssize_t call_epoll(struct call *c)
{
	return epoll_get(c->fd, DEADLINE * 1000);
}

TEST_F(sock, epoll_level)
{
	int ep = epoll_of(self->sk, EPOLLIN | EPOLLRDHUP);
	struct call c;

	ASSERT_LE(0, ep);
	EXPECT_EQ(0, epoll_get(ep, 0));
	ASSERT_EQ(0, call_start(&c, call_epoll, ep, NULL, 0, 0));
	ASSERT_TRUE(blocks(self, &c));
	ASSERT_EQ(2, send(self->peer, "ab", 2, 0));
	EXPECT_EQ(EPOLLIN, call_end(&c));
	ASSERT_TRUE(until(queued(self->sk, SIOCINQ) == 2));
	EXPECT_EQ(EPOLLIN, epoll_get(ep, 0));
	ASSERT_EQ(1, recv(self->sk, back, 1, 0));
	EXPECT_EQ(EPOLLIN, epoll_get(ep, 0));
	ASSERT_EQ(1, recv(self->sk, back, 1, 0));
	EXPECT_EQ(0, epoll_get(ep, 0));
	EXPECT_STAYED();
	ASSERT_EQ(0, shutdown(self->peer, SHUT_WR));
	EXPECT_EQ(EPOLLIN | EPOLLRDHUP, epoll_get(ep, DEADLINE * 1000));
	close(ep);
}

TEST_F(sock, epoll_edge)
{
	int ep = epoll_of(self->sk, EPOLLIN | EPOLLET);
	struct call c;

	ASSERT_LE(0, ep);
	EXPECT_EQ(0, epoll_get(ep, 0));
	ASSERT_EQ(2, send(self->peer, "ab", 2, 0));
	EXPECT_EQ(EPOLLIN, epoll_get(ep, DEADLINE * 1000));
	/* Once for each arrival, even if nothing is read. */
	ASSERT_TRUE(moved(self));
	EXPECT_EQ(0, epoll_get(ep, 0));
	ASSERT_EQ(0, call_start(&c, call_epoll, ep, NULL, 0, 0));
	ASSERT_TRUE(blocks(self, &c));
	ASSERT_EQ(1, send(self->peer, "c", 1, 0));
	EXPECT_EQ(EPOLLIN, call_end(&c));
	ASSERT_EQ(2, recv(self->sk, back, 2, MSG_WAITALL));
	EXPECT_EQ(0, epoll_get(ep, 0));
	EXPECT_STAYED();
	close(ep);
}

TEST_F(sock, epoll_edge_out)
{
	int ep = epoll_of(self->sk, EPOLLOUT | EPOLLET);
	ssize_t full;

	ASSERT_LE(0, ep);
	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_SNDBUF, 32768));
	EXPECT_EQ(EPOLLOUT, epoll_get(ep, 0));
	ASSERT_TRUE(moved(self));
	EXPECT_EQ(0, epoll_get(ep, 0));
	full = fill_up(self->sk);
	while (epoll_get(ep, 0))
		;
	EXPECT_TRUE(receives(self->peer, full));
	EXPECT_EQ(EPOLLOUT, epoll_get(ep, DEADLINE * 1000));
	EXPECT_STAYED();
	close(ep);
}

TEST_F(sock, epoll_oneshot)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLONESHOT };
	int ep = epoll_of(self->sk, EPOLLIN | EPOLLONESHOT);

	ASSERT_LE(0, ep);
	ASSERT_EQ(1, send(self->peer, "a", 1, 0));
	EXPECT_EQ(EPOLLIN, epoll_get(ep, DEADLINE * 1000));
	ASSERT_EQ(1, send(self->peer, "b", 1, 0));
	ASSERT_TRUE(until(queued(self->sk, SIOCINQ) == 2));
	ASSERT_TRUE(moved(self));
	EXPECT_EQ(0, epoll_get(ep, 0));
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_MOD, self->sk, &ev));
	EXPECT_EQ(EPOLLIN, epoll_get(ep, 0));
	EXPECT_EQ(0, epoll_get(ep, 0));
	EXPECT_STAYED();
	close(ep);
}

TEST_F(sock, epoll_edge_end)
{
	int ep = epoll_of(self->sk, EPOLLIN | EPOLLRDHUP | EPOLLET);

	ASSERT_LE(0, ep);
	ASSERT_TRUE(moved(self));
	EXPECT_EQ(0, epoll_get(ep, 0));
	ASSERT_EQ(0, shutdown(self->peer, SHUT_WR));
	EXPECT_EQ(EPOLLIN | EPOLLRDHUP, epoll_get(ep, DEADLINE * 1000));
	ASSERT_TRUE(moved(self));
	/* Linux tells of it twice, and when it takes the FIN from its backlog,
	 * where a kernel with preemption lets the waiter come in between.
	 */
	if (variant->mode == MOVING)
		epoll_get(ep, 0);
	ASSERT_TRUE(moved(self));
	EXPECT_EQ(0, epoll_get(ep, 0));
	close(ep);
}

/* Two waiters with EPOLLEXCLUSIVE: one arrival wakes at least one. */
TEST_F(sock, epoll_exclusive)
{
	int one = epoll_of(self->sk, EPOLLIN | EPOLLEXCLUSIVE);
	int two = epoll_of(self->sk, EPOLLIN | EPOLLEXCLUSIVE);
	struct call a, b;

	ASSERT_LE(0, one);
	ASSERT_LE(0, two);
	ASSERT_EQ(0, call_start(&a, call_epoll, one, NULL, 0, 0));
	ASSERT_EQ(0, call_start(&b, call_epoll, two, NULL, 0, 0));
	ASSERT_TRUE(blocks(self, &a));
	ASSERT_TRUE(blocks(self, &b));
	ASSERT_EQ(1, send(self->peer, "a", 1, 0));
	ASSERT_TRUE(until(a.done || b.done));
	ASSERT_EQ(0, shutdown(self->peer, SHUT_WR));
	EXPECT_EQ(EPOLLIN, call_end(&a) & EPOLLIN);
	EXPECT_EQ(EPOLLIN, call_end(&b) & EPOLLIN);
}

/* Signals */

static void on_signal(int sig)
{
}

static ssize_t call_recv_signals(struct call *c)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	return recv(c->fd, c->buf, c->len, c->flags);
}

TEST_F(sock, interrupted)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct call c;

	ASSERT_EQ(0, sigaction(SIGUSR1, &sa, NULL));
	ASSERT_EQ(0, call_start(&c, call_recv_signals, self->sk, back, 9, 0));
	ASSERT_TRUE(blocks(self, &c));
	ASSERT_EQ(0, pthread_kill(c.thread, SIGUSR1));
	ASSERT_EQ(-1, call_end(&c));
	EXPECT_EQ(EINTR, c.err);

	/* Half of the data is there. */
	ASSERT_EQ(0, call_start(&c, call_recv_signals, self->sk, back, 9,
				MSG_WAITALL));
	ASSERT_EQ(4, send(self->peer, "abcd", 4, 0));
	ASSERT_TRUE(blocks(self, &c));
	ASSERT_TRUE(until(!queued(self->sk, SIOCINQ) && call_sleeps(&c)));
	ASSERT_EQ(0, pthread_kill(c.thread, SIGUSR1));
	EXPECT_EQ(4, call_end(&c));
	EXPECT_STAYED();
}

TEST_F(sock, restarted)
{
	struct sigaction sa = {
		.sa_handler = on_signal,
		.sa_flags = SA_RESTART,
	};
	struct call c;

	ASSERT_EQ(0, sigaction(SIGUSR1, &sa, NULL));
	ASSERT_EQ(0, call_start(&c, call_recv_signals, self->sk, back, 9, 0));
	ASSERT_TRUE(blocks(self, &c));
	ASSERT_EQ(0, pthread_kill(c.thread, SIGUSR1));
	ASSERT_TRUE(blocks(self, &c));
	EXPECT_FALSE(c.done);
	ASSERT_EQ(4, send(self->peer, "abcd", 4, 0));
	EXPECT_EQ(4, call_end(&c));
	EXPECT_STAYED();
}

TEST_F(sock, sigio)
{
	struct timespec limit = { .tv_sec = DEADLINE };
	siginfo_t info = {};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigaddset(&set, SIGRTMIN);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	ASSERT_EQ(0, fcntl(self->sk, F_SETOWN, getpid()));
	ASSERT_EQ(0, fcntl(self->sk, F_SETSIG, SIGRTMIN));
	ASSERT_EQ(0, fcntl(self->sk, F_SETFL, O_ASYNC | O_NONBLOCK));
	ASSERT_TRUE(moved(self));
	ASSERT_EQ(1, send(self->peer, "a", 1, 0));
	do {
		ASSERT_EQ(SIGRTMIN, sigtimedwait(&set, &info, &limit));
	} while (!(info.si_band & POLLIN));
	EXPECT_EQ(self->sk, info.si_fd);
	EXPECT_EQ(1, recv(self->sk, back, 9, 0));
	EXPECT_STAYED();
	ASSERT_EQ(0, shutdown(self->peer, SHUT_WR));
	ASSERT_EQ(SIGRTMIN, sigtimedwait(&set, &info, &limit));
	EXPECT_EQ(0, recv(self->sk, back, 9, 0));
}

TEST_HARNESS_MAIN
