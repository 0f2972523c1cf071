// SPDX-License-Identifier: GPL-2.0
/*
 * How connections end, who may hold them, and what errors say: plain and
 * offloaded sockets must agree.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "sock_api.h"

#define LARGE	(256 << 10)

static char data[LARGE], back[LARGE];

/* The peer resets the connection. */
static int reset(int *fd)
{
	struct linger now = { .l_onoff = 1 };
	int err;

	err = setsockopt(*fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	err |= close(*fd);
	*fd = -1;
	return err;
}

/* Gives up the test's own socket; whoever holds it too keeps it. */
static int drop(int *fd)
{
	int err = close(*fd);

	*fd = -1;
	return err;
}

/* Shutdown */

TEST_F(sock, half_close)
{
	ASSERT_EQ(3, send(self->sk, "abc", 3, 0));
	ASSERT_EQ(0, shutdown(self->sk, SHUT_WR));
	ASSERT_TRUE(recv_all(self->peer, back, 3));
	ASSERT_EQ(0, recv(self->peer, back, 1, 0));
	ASSERT_TRUE(until(tcp_state_of(self->sk) == TCP_FIN_WAIT2));
	ASSERT_TRUE(moved(self));
	/* The other half goes on. */
	fill(data, LARGE, 0);
	ASSERT_TRUE(send_all(self->peer, data, 5000));
	ASSERT_EQ(5000, recv(self->sk, back, 5000, MSG_WAITALL));
	EXPECT_TRUE(filled(back, 5000, 0));
	EXPECT_EQ(0, shutdown(self->sk, SHUT_WR));
	EXPECT_EQ(-1, send(self->sk, "d", 1, MSG_NOSIGNAL));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_EQ(POLLOUT, events_of(self->sk));
	EXPECT_STAYED();
	ASSERT_EQ(0, shutdown(self->peer, SHUT_WR));
	EXPECT_EQ(0, recv(self->sk, back, 1, 0));
}

TEST_F(sock, half_close_with_much_unsent)
{
	ssize_t full = fill_up(self->sk);

	ASSERT_EQ(0, shutdown(self->sk, SHUT_WR));
	ASSERT_TRUE(moved(self));
	EXPECT_TRUE(receives(self->peer, full));
	EXPECT_EQ(0, recv(self->peer, back, 1, 0));
	ASSERT_EQ(4, send(self->peer, "more", 4, 0));
	EXPECT_EQ(4, recv(self->sk, back, 4, MSG_WAITALL));
	EXPECT_STAYED();
}

TEST_F(sock, half_closed_by_peer)
{
	ASSERT_EQ(3, send(self->peer, "abc", 3, 0));
	ASSERT_EQ(0, shutdown(self->peer, SHUT_WR));
	ASSERT_TRUE(until(events_of(self->sk) ==
			  (POLLIN | POLLOUT | POLLRDHUP)));
	ASSERT_TRUE(moved(self));
	ASSERT_EQ(3, recv(self->sk, back, 9, MSG_WAITALL));
	ASSERT_EQ(0, recv(self->sk, back, 9, 0));
	ASSERT_EQ(0, recv(self->sk, back, 9, MSG_DONTWAIT));
	EXPECT_EQ(TCP_CLOSE_WAIT, tcp_state_of(self->sk));
	/* The other half goes on. */
	fill(data, 5000, 0);
	ASSERT_EQ(5000, send(self->sk, data, 5000, 0));
	ASSERT_TRUE(recv_all(self->peer, back, 5000));
	EXPECT_TRUE(filled(back, 5000, 0));
	EXPECT_STAYED();
	ASSERT_EQ(0, shutdown(self->sk, SHUT_WR));
	EXPECT_EQ(0, recv(self->peer, back, 1, 0));
	EXPECT_TRUE(until(tcp_state_of(self->sk) == TCP_CLOSE));
	EXPECT_EQ(0, get_int(self->sk, SOL_SOCKET, SO_ERROR));
}

TEST_F(sock, shutdown_read)
{
	struct call c;

	ASSERT_EQ(0, call_start(&c, call_recv, self->sk, back, 9, 0));
	ASSERT_TRUE(blocks(self, &c));
	ASSERT_EQ(0, shutdown(self->sk, SHUT_RD));
	EXPECT_EQ(0, call_end(&c));
	EXPECT_EQ(POLLIN | POLLOUT | POLLRDHUP, events_of(self->sk));
	EXPECT_EQ(0, recv(self->sk, back, 9, 0));
	ASSERT_EQ(3, send(self->sk, "abc", 3, 0));
	EXPECT_TRUE(recv_all(self->peer, back, 3));
}

/* Steps of both sides: r w b our shutdown of reading, writing and both, W the
 * peer's of writing, D and d data from and to the peer.
 */
struct outcome {
	int shutdown[8], state[8];
	int events, recv, recv_errno, send, send_errno;
	int peer_events, peer_recv, peer_errno;
};

/* Is nothing under way? A FIN can be acknowledged a moment before that changes
 * the state, so what is queued does not tell.
 */
static bool settled(int sk, int peer)
{
	int one = tcp_state_of(sk), two = tcp_state_of(peer);

	if (one == TCP_CLOSE && two == TCP_CLOSE)
		return true;
	return ((one == TCP_ESTABLISHED && two == TCP_ESTABLISHED) ||
		(one == TCP_FIN_WAIT2 && two == TCP_CLOSE_WAIT) ||
		(one == TCP_CLOSE_WAIT && two == TCP_FIN_WAIT2)) &&
	       !queued(sk, SIOCOUTQ) && !queued(peer, SIOCOUTQ);
}

/* Each step has its effect, the same as on the twin, before the next. */
static void take_steps(const char *steps, int sk, int peer,
		       const struct outcome *twin, struct outcome *o)
{
	static const char names[] = "rwb";
	int i;

	memset(o, 0, sizeof(*o));
	for (i = 0; steps[i]; i++) {
		switch (steps[i]) {
		case 'W':
			o->shutdown[i] = shutdown(peer, SHUT_WR);
			break;
		case 'D':
			send(peer, "data", 4, MSG_NOSIGNAL);
			break;
		case 'd':
			send(sk, "data", 4, MSG_NOSIGNAL);
			break;
		default:
			o->shutdown[i] = shutdown(sk, strchr(names, steps[i]) -
						      names);
			if (o->shutdown[i])
				o->shutdown[i] = errno;
		}
		(void)until(settled(sk, peer) &&
			    (!twin || tcp_state_of(sk) == twin->state[i]));
		o->state[i] = tcp_state_of(sk);
	}
}

static void outcome_of(int sk, int peer, struct outcome *o)
{
	struct pollfd p = { .fd = peer, .events = POLLIN };
	char c;

	o->events = events_of(sk);
	o->peer_events = events_of(peer);
	o->recv = recv(sk, &c, 1, MSG_DONTWAIT);
	o->recv_errno = o->recv < 0 ? errno : 0;
	o->send = send(sk, &c, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	o->send_errno = o->send < 0 ? errno : 0;
	poll(&p, 1, 300);
	o->peer_recv = recv(peer, &c, 1, MSG_DONTWAIT);
	o->peer_errno = o->peer_recv < 0 ? errno : 0;
}

TEST_F(sock, shutdown_in_all_orders)
{
	static const char * const orders[] = {
		"r", "w", "b", "rw", "wr", "rr", "ww", "bb", "W", "Wr", "Ww",
		"Wb", "rW", "wW", "bW", "D", "Dr", "Dw", "Db", "rD", "wD",
		"bD", "DW", "DWr", "DWw", "DWb", "rDW", "wDW", "wWr", "Wwr",
		"rwW", "wrW", "WrDw", "rwD", "wrD", "dw", "dWw", "dbD", "dDb",
		"rDwW", "wDrW", "DwWr",
	};
	struct outcome plain, ours;
	struct pair twin;
	int i;

	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		ASSERT_EQ(0, pair_open(&twin, variant->kind));
		take_steps(orders[i], twin.sk, twin.peer, NULL, &plain);
		take_steps(orders[i], self->sk, self->peer, &plain, &ours);
		(void)until(events_of(self->sk) == events_of(twin.sk) &&
			    events_of(self->peer) == events_of(twin.peer));
		outcome_of(twin.sk, twin.peer, &plain);
		outcome_of(self->sk, self->peer, &ours);
		EXPECT_EQ(0, memcmp(plain.shutdown, ours.shutdown,
				    sizeof(ours.shutdown)));
		EXPECT_EQ(plain.events, ours.events);
		EXPECT_EQ(0, memcmp(plain.state, ours.state,
				    sizeof(ours.state)));
		EXPECT_EQ(plain.recv, ours.recv);
		EXPECT_EQ(plain.recv_errno, ours.recv_errno);
		EXPECT_EQ(plain.send, ours.send);
		EXPECT_EQ(plain.send_errno, ours.send_errno);
		EXPECT_EQ(plain.peer_events, ours.peer_events);
		EXPECT_EQ(plain.peer_recv, ours.peer_recv);
		EXPECT_EQ(plain.peer_errno, ours.peer_errno);
		ASSERT_TRUE(_metadata->passed) {
			TH_LOG("after steps %s", orders[i]);
		}
		pair_close(&twin);
		/* The next one. */
		if (self->churning)
			churn_stop(&self->churn);
		self->churning = false;
		pair_close(&self->p);
		ASSERT_EQ(0, pair_open(&self->p, variant->kind));
		self->sk = self->p.sk;
		self->peer = self->p.peer;
		if (variant->mode == OFFLOADED)
			ASSERT_EQ(0, hand_over(self));
		if (variant->mode == MOVING) {
			ASSERT_EQ(0, churn_start(&self->churn,
						 &self->p.tuple));
			self->churning = true;
		}
	}
}

TEST_F(sock, both_close_at_once)
{
	ASSERT_EQ(0, shutdown(self->sk, SHUT_WR));
	ASSERT_EQ(0, shutdown(self->peer, SHUT_WR));
	EXPECT_EQ(0, recv(self->peer, back, 1, 0));
	EXPECT_EQ(0, recv(self->sk, back, 1, 0));
	EXPECT_TRUE(until(tcp_state_of(self->sk) == TCP_CLOSE));
	EXPECT_EQ(0, get_int(self->sk, SOL_SOCKET, SO_ERROR));
}

/* Close */

TEST_F(sock, close_sends_all)
{
	fill(data, 50000, 0);
	ASSERT_EQ(50000, send(self->sk, data, 50000, 0));
	ASSERT_EQ(0, drop(&self->p.sk));
	ASSERT_TRUE(recv_all(self->peer, back, 50000));
	EXPECT_TRUE(filled(back, 50000, 0));
	EXPECT_EQ(0, recv(self->peer, back, 1, 0));
	/* Nobody is there any more: the next data is answered by a reset. */
	ASSERT_EQ(1, send(self->peer, "a", 1, 0));
	EXPECT_TRUE(until(events_of(self->peer) & POLLHUP));
}

/* RFC 2525, 2.17: the peer must hear that its data got lost. */
TEST_F(sock, close_with_data_unread)
{
	ASSERT_EQ(4, send(self->peer, "lost", 4, 0));
	ASSERT_TRUE(until(queued(self->sk, SIOCINQ) == 4));
	ASSERT_EQ(0, drop(&self->p.sk));
	ASSERT_EQ(-1, recv(self->peer, back, 9, 0));
	EXPECT_EQ(ECONNRESET, errno);
}

TEST_F(sock, close_after_peer)
{
	ASSERT_EQ(0, shutdown(self->peer, SHUT_WR));
	ASSERT_EQ(0, recv(self->sk, back, 1, 0));
	ASSERT_TRUE(moved(self));
	ASSERT_EQ(0, drop(&self->p.sk));
	EXPECT_EQ(0, recv(self->peer, back, 1, 0));
	EXPECT_TRUE(until(proc_state(variant->kind, &self->p.tuple) == -1));
}

TEST_F(sock, close_leaves_time_wait)
{
	ASSERT_EQ(0, drop(&self->p.sk));
	ASSERT_EQ(0, recv(self->peer, back, 1, 0));
	ASSERT_EQ(0, drop(&self->p.peer));
	EXPECT_TRUE(until(proc_state(variant->kind, &self->p.tuple) ==
			  TCP_TIME_WAIT));
}

/* Closed while the other half is still open: the peer may go on. */
TEST_F(sock, close_after_shutdown)
{
	ASSERT_EQ(0, shutdown(self->sk, SHUT_WR));
	ASSERT_EQ(0, recv(self->peer, back, 1, 0));
	ASSERT_TRUE(until(tcp_state_of(self->sk) == TCP_FIN_WAIT2));
	ASSERT_TRUE(moved(self));
	ASSERT_EQ(0, drop(&self->p.sk));
	ASSERT_EQ(0, drop(&self->p.peer));
	EXPECT_TRUE(until(proc_state(variant->kind, &self->p.tuple) ==
			  TCP_TIME_WAIT));
}

TEST_F(sock, linger_zero)
{
	ASSERT_EQ(4, send(self->sk, "lost", 4, 0));
	ASSERT_EQ(0, reset(&self->p.sk));
	EXPECT_TRUE(until(events_of(self->peer) & POLLERR));
	EXPECT_EQ(ECONNRESET, get_int(self->peer, SOL_SOCKET, SO_ERROR));
}

static ssize_t call_close(struct call *c)
{
	return close(c->fd);
}

TEST_F(sock, linger_waits)
{
	struct linger l = { .l_onoff = 1, .l_linger = 60 };
	struct call c;
	ssize_t full;

	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_SNDBUF, 32768));
	ASSERT_EQ(0, setsockopt(self->sk, SOL_SOCKET, SO_LINGER, &l,
				sizeof(l)));
	full = fill_up(self->sk);
	ASSERT_EQ(0, call_start(&c, call_close, self->sk, NULL, 0, 0));
	self->p.sk = -1;
	ASSERT_TRUE(until(call_sleeps(&c)));
	EXPECT_TRUE(receives(self->peer, full));
	EXPECT_EQ(0, recv(self->peer, back, 1, 0));
	EXPECT_EQ(0, call_end(&c));
}

TEST_F(sock, linger_ends)
{
	struct linger l = { .l_onoff = 1, .l_linger = 1 };
	time_t start;
	ssize_t full;

	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_SNDBUF, 32768));
	ASSERT_EQ(0, setsockopt(self->sk, SOL_SOCKET, SO_LINGER, &l,
				sizeof(l)));
	full = fill_up(self->sk);
	start = time_ms();
	ASSERT_EQ(0, drop(&self->p.sk));
	EXPECT_GE(time_ms() - start, 950);
	/* The kernel goes on to send what it took. */
	EXPECT_TRUE(receives(self->peer, full));
	EXPECT_EQ(0, recv(self->peer, back, 1, 0));
}

/* Close in one thread leaves a call of another alone. */
TEST_F(sock, close_while_receiving)
{
	struct call c;

	ASSERT_EQ(0, call_start(&c, call_recv, self->sk, back, 4, 0));
	ASSERT_TRUE(blocks(self, &c));
	ASSERT_EQ(0, drop(&self->p.sk));
	ASSERT_TRUE(blocks(self, &c));
	ASSERT_EQ(4, send(self->peer, "abcd", 4, 0));
	EXPECT_EQ(4, call_end(&c));
	EXPECT_EQ(0, recv(self->peer, back, 1, 0));
}

/* Errors */

TEST_F(sock, reset_while_receiving)
{
	struct call c;

	ASSERT_EQ(0, call_start(&c, call_recv, self->sk, back, 9, 0));
	ASSERT_TRUE(blocks(self, &c));
	ASSERT_EQ(0, reset(&self->p.peer));
	ASSERT_EQ(-1, call_end(&c));
	EXPECT_EQ(ECONNRESET, errno);
	EXPECT_EQ(0, get_int(self->sk, SOL_SOCKET, SO_ERROR));
	EXPECT_EQ(0, recv(self->sk, back, 9, 0));
	EXPECT_EQ(TCP_CLOSE, tcp_state_of(self->sk));
}

TEST_F(sock, reset_while_sending)
{
	struct call c;

	ASSERT_EQ(0, set_int(self->sk, SOL_SOCKET, SO_SNDBUF, 32768));
	fill_up(self->sk);
	ASSERT_EQ(0, call_start(&c, call_send, self->sk, data, 100000, 0));
	ASSERT_TRUE(blocks(self, &c));
	ASSERT_EQ(0, reset(&self->p.peer));
	/* There was room for some of it; then the next call is told. */
	if (call_end(&c) > 0)
		EXPECT_EQ(-1, send(self->sk, "a", 1, MSG_NOSIGNAL));
	EXPECT_EQ(ECONNRESET, errno);
	ASSERT_EQ(-1, send(self->sk, "a", 1, MSG_NOSIGNAL));
	EXPECT_EQ(EPIPE, errno);
}

static ssize_t call_poll(struct call *c)
{
	struct pollfd p = { .fd = c->fd };

	return poll(&p, 1, DEADLINE * 1000) == 1 ? p.revents : -1;
}

TEST_F(sock, reset_while_polling)
{
	struct call c;

	ASSERT_EQ(0, call_start(&c, call_poll, self->sk, NULL, 0, 0));
	ASSERT_TRUE(blocks(self, &c));
	ASSERT_EQ(0, reset(&self->p.peer));
	EXPECT_EQ(POLLERR | POLLHUP, call_end(&c));
	EXPECT_EQ(POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP,
		  events_of(self->sk));
	EXPECT_EQ(ECONNRESET, get_int(self->sk, SOL_SOCKET, SO_ERROR));
	EXPECT_EQ(0, get_int(self->sk, SOL_SOCKET, SO_ERROR));
	EXPECT_EQ(POLLIN | POLLOUT | POLLHUP | POLLRDHUP,
		  events_of(self->sk));
}

TEST_F(sock, reset_then_send)
{
	ASSERT_EQ(0, reset(&self->p.peer));
	ASSERT_TRUE(until(events_of(self->sk) & POLLERR));
	ASSERT_EQ(-1, send(self->sk, "a", 1, MSG_NOSIGNAL));
	EXPECT_EQ(ECONNRESET, errno);
	ASSERT_EQ(-1, send(self->sk, "a", 1, MSG_NOSIGNAL));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_EQ(0, recv(self->sk, back, 1, 0));
}

/* What came before the reset is still there. */
TEST_F(sock, reset_behind_data)
{
	ASSERT_EQ(4, send(self->peer, "abcd", 4, 0));
	ASSERT_TRUE(until(queued(self->sk, SIOCINQ) == 4));
	ASSERT_EQ(0, reset(&self->p.peer));
	ASSERT_TRUE(until(events_of(self->sk) & POLLERR));
	ASSERT_EQ(4, recv(self->sk, back, 9, 0));
	ASSERT_EQ(-1, recv(self->sk, back, 9, 0));
	EXPECT_EQ(ECONNRESET, errno);
	EXPECT_EQ(0, recv(self->sk, back, 9, 0));
}

TEST_F(sock, reset_in_close_wait)
{
	ASSERT_EQ(0, shutdown(self->peer, SHUT_WR));
	ASSERT_TRUE(until(tcp_state_of(self->sk) == TCP_CLOSE_WAIT));
	ASSERT_TRUE(moved(self));
	ASSERT_EQ(0, reset(&self->p.peer));
	ASSERT_TRUE(until(events_of(self->sk) & POLLERR));
	EXPECT_EQ(EPIPE, get_int(self->sk, SOL_SOCKET, SO_ERROR));
	EXPECT_EQ(0, recv(self->sk, back, 1, 0));
}

TEST_F(sock, reset_after_shutdown)
{
	ASSERT_EQ(0, shutdown(self->sk, SHUT_WR));
	ASSERT_TRUE(until(tcp_state_of(self->sk) == TCP_FIN_WAIT2));
	ASSERT_TRUE(moved(self));
	ASSERT_EQ(0, reset(&self->p.peer));
	ASSERT_TRUE(until(events_of(self->sk) & POLLERR));
	EXPECT_EQ(-1, recv(self->sk, back, 1, 0));
	EXPECT_EQ(ECONNRESET, errno);
}

static atomic_int pipe_signals;

static void on_pipe(int sig)
{
	pipe_signals++;
}

TEST_F(sock, sigpipe)
{
	struct sigaction sa = { .sa_handler = on_pipe };

	ASSERT_EQ(0, sigaction(SIGPIPE, &sa, NULL));
	ASSERT_EQ(0, shutdown(self->sk, SHUT_WR));
	ASSERT_EQ(-1, write(self->sk, "a", 1));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_EQ(1, pipe_signals);
	ASSERT_EQ(-1, send(self->sk, "a", 1, MSG_NOSIGNAL));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_EQ(1, pipe_signals);
}

TEST_F(sock, sigpipe_after_reset)
{
	struct sigaction sa = { .sa_handler = on_pipe };

	ASSERT_EQ(0, sigaction(SIGPIPE, &sa, NULL));
	ASSERT_EQ(0, reset(&self->p.peer));
	ASSERT_TRUE(until(events_of(self->sk) & POLLERR));
	ASSERT_EQ(-1, send(self->sk, "a", 1, 0));
	EXPECT_EQ(ECONNRESET, errno);
	EXPECT_EQ(0, pipe_signals);
	ASSERT_EQ(-1, send(self->sk, "a", 1, 0));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_EQ(1, pipe_signals);
}

TEST_F(sock, killed_by_administrator)
{
	struct call c;

	ASSERT_EQ(0, call_start(&c, call_recv, self->sk, back, 9, 0));
	ASSERT_TRUE(blocks(self, &c));
	ASSERT_EQ(0, run("ss -Kt sport = :%d > /dev/null",
			 net_port(self->sk)));
	ASSERT_EQ(-1, call_end(&c));
	EXPECT_EQ(ECONNABORTED, errno);
	EXPECT_EQ(-1, recv(self->peer, back, 1, 0));
	EXPECT_EQ(ECONNRESET, errno);
}

/* Leaves the connection, then makes another one. */
TEST_F(sock, disconnect)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int fd, peer;

	ASSERT_EQ(0, connect(self->sk, &none, sizeof(none)));
	ASSERT_EQ(-1, getpeername(self->sk, (void *)&ss, &len));
	EXPECT_EQ(ENOTCONN, errno);
	EXPECT_EQ(TCP_CLOSE, tcp_state_of(self->sk));
	ASSERT_EQ(-1, recv(self->peer, back, 1, 0));
	EXPECT_EQ(ECONNRESET, errno);

	fd = net_listen(variant->kind, true);
	ASSERT_LE(0, fd);
	len = net_address(variant->kind, true, net_port(fd), &ss);
	ASSERT_EQ(0, connect(self->sk, (void *)&ss, len));
	peer = accept(fd, NULL, NULL);
	ASSERT_LE(0, peer);
	EXPECT_TRUE(echoes(self->sk, peer));
	if (variant->mode == OFFLOADED) {
		EXPECT_EQ(0, hand_over(self));
		EXPECT_TRUE(echoes(self->sk, peer));
	}
	close(peer);
	close(fd);
}

/* Holders */

TEST_F(sock, duplicate)
{
	int fd = dup(self->sk);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, drop(&self->p.sk));
	ASSERT_TRUE(moved(self));
	EXPECT_TRUE(echoes(fd, self->peer));
	EXPECT_STAYED();
	close(fd);
	EXPECT_EQ(0, recv(self->peer, back, 1, 0));
}

/* Runs in a child, which holds nothing but the socket and serves as echo. */
static void serve(struct pair *p)
{
	char buf[64];
	ssize_t n;

	close(p->peer);
	while ((n = recv(p->sk, buf, sizeof(buf), 0)) > 0)
		if (send(p->sk, buf, n, 0) != n)
			_exit(2);
	_exit(n ? 1 : 0);
}

static bool served(int peer)
{
	char buf[4];

	return send(peer, "echo", 4, 0) == 4 && recv_all(peer, buf, 4) &&
	       !memcmp(buf, "echo", 4);
}

TEST_F(sock, forked)
{
	int status, i;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		serve(&self->p);
	ASSERT_EQ(0, drop(&self->p.sk));
	for (i = 0; i < 20; i++)
		ASSERT_TRUE(served(self->peer));
	EXPECT_STAYED();
	ASSERT_EQ(0, shutdown(self->peer, SHUT_WR));
	EXPECT_EQ(0, recv(self->peer, back, 1, 0));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(sock, shared_after_fork)
{
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(self->p.peer);
		_exit(send(self->sk, "child", 5, 0) != 5);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_TRUE(recv_all(self->peer, back, 5));
	EXPECT_EQ(0, memcmp(back, "child", 5));
	/* Its end is not the connection's. */
	EXPECT_TRUE(echoes(self->sk, self->peer));
	EXPECT_STAYED();
}

TEST_F(sock, owner_exits)
{
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(send(self->sk, "last", 4, 0) != 4);
	ASSERT_EQ(0, drop(&self->p.sk));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	ASSERT_TRUE(recv_all(self->peer, back, 4));
	EXPECT_EQ(0, recv(self->peer, back, 1, 0));
}

TEST_F(sock, owner_killed)
{
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		serve(&self->p);
	ASSERT_EQ(0, drop(&self->p.sk));
	ASSERT_TRUE(served(self->peer));
	ASSERT_TRUE(moved(self));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_EQ(0, recv(self->peer, back, 1, 0));
}

TEST_F(sock, owner_executes)
{
	pid_t pid;

	ASSERT_EQ(0, fcntl(self->sk, F_SETFD, 0));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		dup2(self->sk, STDOUT_FILENO);
		close(self->sk);
		execlp("echo", "echo", "-n", "word", NULL);
		_exit(1);
	}
	ASSERT_EQ(0, drop(&self->p.sk));
	ASSERT_TRUE(recv_all(self->peer, back, 4));
	EXPECT_EQ(0, memcmp(back, "word", 4));
	EXPECT_EQ(0, recv(self->peer, back, 1, 0));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
}

/* Passes a descriptor, or takes one if fd is -1. */
static int pass(int unix_fd, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = {};
	struct iovec iov = { back, 1 };
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	if (fd < 0) {
		if (recvmsg(unix_fd, &m, 0) != 1)
			return -1;
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
		return fd;
	}
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(unix_fd, &m, 0) == 1 ? fd : -1;
}

TEST_F(sock, passed_to_another_process)
{
	int u[2], status;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, u));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(self->p.sk);
		self->p.sk = pass(u[0], -1);
		serve(&self->p);
	}
	ASSERT_LE(0, pass(u[1], self->sk));
	ASSERT_EQ(0, drop(&self->p.sk));
	ASSERT_TRUE(served(self->peer));
	ASSERT_TRUE(moved(self));
	ASSERT_TRUE(served(self->peer));
	EXPECT_STAYED();
	ASSERT_EQ(0, shutdown(self->peer, SHUT_WR));
	EXPECT_EQ(0, recv(self->peer, back, 1, 0));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* In flight in a queue nobody reads, the socket still lives. */
TEST_F(sock, passed_and_never_taken)
{
	int u[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, u));
	ASSERT_LE(0, pass(u[1], self->sk));
	ASSERT_EQ(0, drop(&self->p.sk));
	ASSERT_TRUE(moved(self));
	EXPECT_EQ(-1, recv(self->peer, back, 1, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	close(u[0]);
	close(u[1]);
	EXPECT_EQ(0, recv(self->peer, back, 1, 0));
}

TEST_HARNESS_MAIN
