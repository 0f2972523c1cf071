// SPDX-License-Identifier: GPL-2.0
/*
 * A call that has begun before the offload meets the socket after it: it has
 * looked up what to call while the socket was a plain one.
 *
 * Who waits for the lock of a socket gets it in the order of asking. It is held
 * by a send whose data is in a page that is not there yet (userfaultfd(2)), or
 * by an upload that is kept from the CPU.
 */
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "harness.h"
#include "sock_pair.h"

FIXTURE(late)
{
	struct pair p;
	struct chim_nl nl;
	struct mnl_socket *diag;
	char *page;		/* two of them, missing */
	int uffd;
};

FIXTURE_VARIANT(late)
{
	enum kind kind;
};

FIXTURE_VARIANT_ADD(late, ipv4)
{
	.kind = IPV4,
};

FIXTURE_VARIANT_ADD(late, ipv6)
{
	.kind = IPV6,
};

FIXTURE_VARIANT_ADD(late, mapped)
{
	.kind = MAPPED,
};

FIXTURE_SETUP(late)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range.len = 2 * getpagesize(),
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	ASSERT_EQ(0, chim_nl_open(&self->nl));
	self->diag = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	ASSERT_NE(NULL, self->diag);
	ASSERT_EQ(0, pair_open(&self->p, variant->kind));
	self->page = mmap(NULL, reg.range.len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->page);
	reg.range.start = (uintptr_t)self->page;
	self->uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	ASSERT_LE(0, self->uffd);
	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_API, &api));
	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_REGISTER, &reg));
}

FIXTURE_TEARDOWN(late)
{
	close(self->uffd);
	munmap(self->page, 2 * getpagesize());
	pair_close(&self->p);
	mnl_socket_close(self->diag);
	chim_nl_close(&self->nl);
}

/* As a system call tells it. */
static ssize_t told(int err)
{
	errno = -err;
	return err ? -1 : 0;
}

static ssize_t call_offload(struct call *c)
{
	struct _test_data_late *self = c->buf;

	return told(chim_nl_offload(&self->nl, &self->p.tuple, NULL));
}

static ssize_t call_destroy(struct call *c)
{
	struct _test_data_late *self = c->buf;

	return told(sock_destroy(self->diag, &self->p.tuple));
}

static bool faulted(int uffd)
{
	struct pollfd p = { .fd = uffd, .events = POLLIN };

	return poll(&p, 1, 0) == 1 && p.revents == POLLIN;
}

/* What waits for it goes on. */
static bool page_comes(struct _test_data_late *self, void *page)
{
	struct uffdio_zeropage zero = {
		.range = {
			.start = (uintptr_t)page,
			.len = getpagesize(),
		},
	};

	return !ioctl(self->uffd, UFFDIO_ZEROPAGE, &zero);
}

/* While the lock is held by a call that waits for the page, the socket is
 * offloaded and something else is done to it, in this order.
 */
static bool down_and(struct _test_data_late *self,
		     ssize_t (*holder)(struct call *c),
		     ssize_t (*fn)(struct call *c), struct call *late)
{
	struct call hold, offload;

	return !call_start(&hold, holder, self->p.sk, self->page, 10,
			   MSG_NOSIGNAL) &&
	       until(faulted(self->uffd)) &&
	       !call_start(&offload, call_offload, 0, self, 0, 0) &&
	       until(call_locked_out(&offload)) &&
	       !call_start(late, fn, self->p.sk, self, 0, 0) &&
	       until(call_locked_out(late)) &&
	       page_comes(self, self->page) &&
	       call_end(&hold) == 10 && !call_end(&offload);
}

static bool down_and_destroyed(struct _test_data_late *self,
			       ssize_t (*holder)(struct call *c))
{
	struct call late;

	return down_and(self, holder, call_destroy, &late) && !call_end(&late);
}

/* The NIC does not keep what has no socket any more. */
static bool gone(struct _test_data_late *self)
{
	struct chim_nl_conn conn;
	struct chim_nl_dev dev;
	char c;

	return until(!chim_nl_dev(&self->nl, net_ifindex, &dev) &&
		     !dev.dev[CHIMNEY_A_DEV_CONNS]) &&
	       chim_nl_get(&self->nl, &self->p.tuple, &conn) == -ENOENT &&
	       tcp_state_of(self->p.sk) == TCP_CLOSE &&
	       recv(self->p.sk, &c, 1, MSG_DONTWAIT) == -1 &&
	       errno == ECONNABORTED;
}

/* "ss -K" */
TEST_F(late, abort)
{
	ASSERT_TRUE(down_and_destroyed(self, call_send));
	EXPECT_TRUE(gone(self));
	ASSERT_TRUE(recv_all(self->p.peer, self->page, 10));
	/* The peer is told without asking. */
	EXPECT_EQ(-1, recv(self->p.peer, self->page, 1, 0));
	EXPECT_EQ(ECONNRESET, errno);
}

/* Nobody else would end it: it has nothing to send and nothing to wait for. */
TEST_F(late, abort_half_closed)
{
	ASSERT_EQ(0, shutdown(self->p.sk, SHUT_WR));
	ASSERT_TRUE(until(tcp_state_of(self->p.sk) == TCP_FIN_WAIT2));
	ASSERT_EQ(10, send(self->p.peer, "0123456789", 10, 0));
	ASSERT_TRUE(until(queued(self->p.sk, SIOCINQ) == 10));
	ASSERT_TRUE(down_and_destroyed(self, call_recv));
	EXPECT_TRUE(gone(self));
}

static ssize_t call_ulp(struct call *c)
{
	return setsockopt(c->fd, SOL_TCP, TCP_ULP, "tls", 3);
}

/* TLS would take the operations of this one for those of all sockets. */
TEST_F(late, upper_layer_protocol)
{
	struct call late;
	char ulp[16];
	socklen_t len = sizeof(ulp);

	ASSERT_TRUE(down_and(self, call_send, call_ulp, &late));
	EXPECT_EQ(-1, call_end(&late));
	EXPECT_EQ(EEXIST, late.err);
	EXPECT_EQ(0, getsockopt(self->p.sk, SOL_TCP, TCP_ULP, ulp, &len));
	EXPECT_EQ(0, len);
	ASSERT_TRUE(recv_all(self->p.peer, ulp, 10));
	EXPECT_TRUE(echoes(self->p.sk, self->p.peer));
	EXPECT_EQ(0, chim_nl_terminate(&self->nl, &self->p.tuple, NULL));
	EXPECT_EQ(0, setsockopt(self->p.sk, SOL_TCP, TCP_ULP, "tls", 3));
}

static ssize_t call_repair(struct call *c)
{
	return set_int(c->fd, SOL_TCP, TCP_REPAIR, 1);
}

/* What the NIC does not do brings the connection up all the same. */
TEST_F(late, repair)
{
	struct chim_nl_conn conn;
	struct call late;
	char buf[10];

	ASSERT_TRUE(down_and(self, call_send, call_repair, &late));
	ASSERT_EQ(0, call_end(&late));
	EXPECT_TRUE(until(chim_nl_get(&self->nl, &self->p.tuple, &conn) ==
			  -ENOENT));
	ASSERT_EQ(0, set_int(self->p.sk, SOL_TCP, TCP_REPAIR,
			     TCP_REPAIR_OFF_NO_WP));
	ASSERT_TRUE(recv_all(self->p.peer, buf, 10));
	EXPECT_TRUE(echoes(self->p.sk, self->p.peer));
}

/* Urgent data is written by a plain call, and while it is, the ACK comes of
 * what was sent before: that is no reason to forget what is urgent.
 */
TEST_F(late, ack_before_urgent_data)
{
	struct call hold, offload, urgent;
	char *page = self->page + getpagesize();
	char buf[20], c = 1;
	long segs;

	ASSERT_TRUE(net_peer_netem("delay 60s"));
	ASSERT_EQ(0, call_start(&hold, call_send, self->p.sk, self->page, 10,
				0));
	ASSERT_TRUE(until(faulted(self->uffd)));
	ASSERT_EQ(0, call_start(&offload, call_offload, 0, self, 0, 0));
	ASSERT_TRUE(until(call_locked_out(&offload)));
	ASSERT_EQ(0, call_start(&urgent, call_send, self->p.sk, page, 1,
				MSG_OOB));
	ASSERT_TRUE(until(call_locked_out(&urgent)));
	ASSERT_TRUE(page_comes(self, self->page));
	ASSERT_EQ(10, call_end(&hold));
	ASSERT_EQ(0, call_end(&offload));
	ASSERT_TRUE(until(faulted(self->uffd)));
	segs = net_counter("rx_segs");
	ASSERT_LE(0, segs);
	ASSERT_TRUE(net_peer_netem(NULL));
	EXPECT_TRUE(until(net_counter("rx_segs") > segs));
	ASSERT_TRUE(page_comes(self, page));
	ASSERT_EQ(1, call_end(&urgent));
	ASSERT_TRUE(recv_all(self->p.peer, buf, 10));
	EXPECT_TRUE(until(recv(self->p.peer, &c, 1, MSG_OOB) == 1));
	EXPECT_EQ(0, c);
	ASSERT_EQ(10, send(self->p.peer, buf, 10, 0));
	EXPECT_TRUE(recv_all(self->p.sk, buf, 10));
}

/* By its number a connection is found without the lock of its socket. */
struct order {
	struct chim_nl nl;
	char buf[NL_ROOM];
	struct nlmsghdr *nlh;
};

static bool order_open(struct order *o, int cmd, const struct chim_nl_conn *c)
{
	if (chim_nl_open(&o->nl))
		return false;
	o->nlh = chim_nl_start(&o->nl, o->buf, o->nl.family, cmd);
	mnl_attr_put_u32(o->nlh, CHIMNEY_A_CONN_ID,
			 c->conn[CHIMNEY_A_CONN_ID]);
	return true;
}

static ssize_t call_order(struct call *c)
{
	struct order *o = c->buf;

	return told(chim_nl_ask(&o->nl, o->nlh, NULL, NULL));
}

/* The connection was found in the NIC, and is not there any more. */
TEST_F(late, update_of_what_has_left)
{
	int v6 = variant->kind == IPV6, level = v6 ? IPPROTO_IPV6 : IPPROTO_IP;
	struct call hold, terminate, update;
	struct chim_nl_conn conn;
	struct order up, change;
	struct nlattr *nest;
	char buf[10];

	ASSERT_EQ(0, chim_nl_offload(&self->nl, &self->p.tuple, &conn));
	ASSERT_TRUE(order_open(&up, CHIMNEY_CMD_CONN_TERMINATE, &conn));
	ASSERT_TRUE(order_open(&change, CHIMNEY_CMD_CONN_UPDATE, &conn));
	nest = mnl_attr_nest_start(change.nlh, CHIMNEY_A_CONN_CACHED);
	mnl_attr_put_u32(change.nlh, CHIMNEY_A_CACHED_TTL_OR_HOP_LIMIT, 33);
	mnl_attr_nest_end(change.nlh, nest);

	ASSERT_EQ(0, call_start(&hold, call_send, self->p.sk, self->page, 10,
				0));
	ASSERT_TRUE(until(faulted(self->uffd)));
	ASSERT_EQ(0, call_start(&terminate, call_order, 0, &up, 0, 0));
	ASSERT_TRUE(until(call_locked_out(&terminate)));
	ASSERT_EQ(0, call_start(&update, call_order, 0, &change, 0, 0));
	ASSERT_TRUE(until(call_locked_out(&update)));
	ASSERT_TRUE(page_comes(self, self->page));
	ASSERT_EQ(10, call_end(&hold));
	EXPECT_EQ(0, call_end(&terminate));
	EXPECT_EQ(-1, call_end(&update));
	EXPECT_EQ(ENOENT, update.err);
	EXPECT_STREQ("chimney: the connection has left the NIC",
		     change.nl.msg);
	EXPECT_EQ(64, get_int(self->p.sk, level,
			      v6 ? IPV6_UNICAST_HOPS : IP_TTL));
	chim_nl_close(&change.nl);
	chim_nl_close(&up.nl);
	ASSERT_TRUE(recv_all(self->p.peer, buf, 10));
	EXPECT_TRUE(echoes(self->p.sk, self->p.peer));
}

/* Of what the NIC does not do; the upload is left to another thread. */
static ssize_t call_zerocopy(struct call *c)
{
	return set_int(c->fd, SOL_SOCKET, SO_ZEROCOPY, 1);
}

/* What it sends goes to the host then: the NIC knows no IP options. */
static int peer_sends_options(const struct pair *p, int kind, bool on)
{
	unsigned char nop[4] = { 1, 1, 1, 1 }, pad[8] = { 0, 0, 1, 4 };

	if (kind == IPV6)
		return setsockopt(p->peer, IPPROTO_IPV6, IPV6_DSTOPTS, pad,
				  on ? sizeof(pad) : 0);
	return setsockopt(p->peer, IPPROTO_IP, IP_OPTIONS, nop,
			  on ? sizeof(nop) : 0);
}

/* Memory of segments that wait for the lock. This does not. */
static __u32 backlog(int fd)
{
	__u32 mem[SK_MEMINFO_VARS] = {};
	socklen_t len = sizeof(mem);

	return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, mem, &len) ? 0 :
	       mem[SK_MEMINFO_BACKLOG];
}

/* A segment that came by way of the host while a call had the lock is the
 * NIC's all the same.
 */
TEST_F(late, forwarded)
{
	struct chim_nl_conn conn;
	struct call hold;
	long forwarded;
	char buf[10];

	ASSERT_EQ(0, chim_nl_offload(&self->nl, &self->p.tuple, NULL));
	forwarded = net_counter("forwarded");
	ASSERT_LE(0, forwarded);
	ASSERT_EQ(0, call_start(&hold, call_send, self->p.sk, self->page, 10,
				0));
	ASSERT_TRUE(until(faulted(self->uffd)));
	ASSERT_EQ(0, peer_sends_options(&self->p, variant->kind, true));
	ASSERT_EQ(10, send(self->p.peer, "0123456789", 10, 0));
	ASSERT_TRUE(until(backlog(self->p.sk)));
	/* Without the lock the host would not take any more of these. */
	ASSERT_EQ(0, peer_sends_options(&self->p, variant->kind, false));
	ASSERT_TRUE(page_comes(self, self->page));
	ASSERT_EQ(10, call_end(&hold));
	EXPECT_LT(forwarded, net_counter("forwarded"));
	ASSERT_TRUE(recv_all(self->p.sk, buf, 10));
	EXPECT_EQ(0, memcmp(buf, "0123456789", 10));
	ASSERT_TRUE(recv_all(self->p.peer, buf, 10));
	EXPECT_TRUE(echoes(self->p.sk, self->p.peer));
	ASSERT_EQ(0, chim_nl_get(&self->nl, &self->p.tuple, &conn));
	EXPECT_EQ(CHIMNEY_PLACE_NIC, conn.conn[CHIMNEY_A_CONN_PLACE]);
}

/* Without them two segments are alike but for what they carry. */
static bool timestamps(bool on)
{
	return !run("sysctl -qw net.ipv4.tcp_timestamps=%d", on);
}

/* To one that is being called the upload has to wait, if it has not come first:
 * then 0, below that what else is wrong.
 */
static int upload_waits(struct _test_data_late *self, int kind,
			struct call *late)
{
	char *page = self->page + getpagesize();
	struct call hold, option;
	struct chim_nl_dev dev;

	pair_close(&self->p);
	if (madvise(self->page, 2 * getpagesize(), MADV_DONTNEED) ||
	    !timestamps(false) || pair_open(&self->p, kind) ||
	    !timestamps(true) ||
	    chim_nl_offload(&self->nl, &self->p.tuple, NULL))
		return -1;
	if (call_start(&hold, call_send, self->p.sk, self->page, 10, 0) ||
	    !until(faulted(self->uffd)) ||
	    call_start(&option, call_zerocopy, self->p.sk, NULL, 0, 0) ||
	    !until(call_locked_out(&option)) ||
	    call_start(late, call_send, self->p.sk, page, 10, 0) ||
	    !until(call_locked_out(late)))
		return -2;
	if (!page_comes(self, self->page) || call_end(&hold) != 10 ||
	    call_end(&option) || !until(faulted(self->uffd)) ||
	    chim_nl_dev(&self->nl, net_ifindex, &dev))
		return -3;
	if (dev.dev[CHIMNEY_A_DEV_CONNS])
		return 1;
	return page_comes(self, page) && call_end(late) == 10 ? 0 : -4;
}

/* Two segments that the backlog makes one of are held back for the host: to it
 * that one is as long as the first, but has the FIN of the second.
 */
TEST_F(late, merged_and_held)
{
	char *page = self->page + getpagesize(), buf[20];
	struct call late;
	__u32 first;
	int rc, i;

	for (i = 0; i < 100; i++) {
		rc = upload_waits(self, variant->kind, &late);
		if (rc)
			break;
	}
	ASSERT_EQ(1, rc);
	ASSERT_EQ(0, peer_sends_options(&self->p, variant->kind, true));
	ASSERT_EQ(10, send(self->p.peer, "0123456789", 10, 0));
	ASSERT_TRUE(until(backlog(self->p.sk)));
	first = backlog(self->p.sk);
	ASSERT_EQ(10, send(self->p.peer, "abcdefghij", 10, MSG_MORE));
	ASSERT_EQ(0, shutdown(self->p.peer, SHUT_WR));
	ASSERT_TRUE(until(backlog(self->p.sk) > first));
	ASSERT_TRUE(page_comes(self, page));
	ASSERT_EQ(10, call_end(&late));
	/* If they are dropped they come again. */
	ASSERT_TRUE(recv_all(self->p.sk, buf, 20));
	EXPECT_EQ(0, memcmp(buf, "0123456789abcdefghij", 20));
	EXPECT_EQ(0, recv(self->p.sk, buf, 1, 0));
	ASSERT_TRUE(recv_all(self->p.peer, buf, 20));
}

/* A call keeps the file open: while one has the lock, no other closes the
 * socket. But an upload by the administrator has no file, and is told of while
 * it has the lock. Here the one who is told comes before it on its CPU, and
 * does not let it go on.
 */
struct halt {
	struct chim_nl nl;	/* of the upload */
	struct chim_nl ear;
	const struct chim_nl_tuple *tuple;
	atomic_bool told;
	atomic_bool over;
};

/* Of this thread and those it makes; false if there is but one. */
static bool choose_cpu(bool first)
{
	cpu_set_t set;
	int i;

	CPU_ZERO(&set);
	for (i = 0; i < CPU_SETSIZE; i++)
		if (first == !i)
			CPU_SET(i, &set);
	return !sched_setaffinity(0, sizeof(set), &set);
}

static ssize_t call_halt(struct call *c)
{
	struct sched_param prio = { .sched_priority = 1 };
	struct pollfd p = { .events = POLLIN };
	struct halt *h = c->buf;
	time_t end;

	p.fd = mnl_socket_get_fd(h->ear.sock);
	if (!choose_cpu(true) || sched_setscheduler(0, SCHED_FIFO, &prio) ||
	    poll(&p, 1, DEADLINE * 1000) != 1)
		return -1;
	h->told = true;
	end = time_ms() + DEADLINE * 1000;
	while (!h->over && time_ms() < end)
		;
	return 0;
}

static ssize_t call_upload(struct call *c)
{
	struct halt *h = c->buf;

	return choose_cpu(true) ? chim_nl_terminate(&h->nl, h->tuple, NULL) :
				  -1;
}

static ssize_t call_close(struct call *c)
{
	return close(c->fd);
}

static bool halt_open(struct halt *h, const struct chim_nl_tuple *t)
{
	memset(h, 0, sizeof(*h));
	h->tuple = t;
	/* Whose queue is getting full has the sender give up the CPU, also on
	 * kernels that do not preempt.
	 */
	return !chim_nl_open(&h->nl) && !chim_nl_listen(&h->ear) &&
	       !set_int(mnl_socket_get_fd(h->ear.sock), SOL_SOCKET, SO_RCVBUF,
			1);
}

/* RFC 2525, 2.17: the peer must hear that its data got lost. */
TEST_F(late, close_with_data_unread)
{
	struct call halt, upload, offload, late;
	struct chim_nl_dev dev;
	struct halt h;
	char c;

	if (!choose_cpu(false))
		SKIP(return, "one CPU");
	ASSERT_EQ(4, send(self->p.peer, "lost", 4, 0));
	ASSERT_TRUE(until(queued(self->p.sk, SIOCINQ) == 4));
	ASSERT_EQ(0, chim_nl_offload(&self->nl, &self->p.tuple, NULL));
	ASSERT_TRUE(halt_open(&h, &self->p.tuple));
	ASSERT_EQ(0, call_start(&halt, call_halt, 0, &h, 0, 0));
	ASSERT_TRUE(until(call_sleeps(&halt)));
	ASSERT_EQ(0, call_start(&upload, call_upload, 0, &h, 0, 0));
	ASSERT_TRUE(until(h.told));
	ASSERT_EQ(0, call_start(&offload, call_offload, 0, self, 0, 0));
	ASSERT_TRUE(until(call_locked_out(&offload)));
	ASSERT_EQ(0, call_start(&late, call_close, self->p.sk, NULL, 0, 0));
	self->p.sk = -1;
	ASSERT_TRUE(until(call_locked_out(&late)));
	h.over = true;
	EXPECT_EQ(0, call_end(&halt));
	EXPECT_EQ(0, call_end(&upload));
	EXPECT_EQ(0, call_end(&offload));
	EXPECT_EQ(0, call_end(&late));
	ASSERT_EQ(-1, recv(self->p.peer, &c, 1, 0));
	EXPECT_EQ(ECONNRESET, errno);
	EXPECT_TRUE(until(!chim_nl_dev(&self->nl, net_ifindex, &dev) &&
			  !dev.dev[CHIMNEY_A_DEV_CONNS]));
	chim_nl_close(&h.nl);
	chim_nl_close(&h.ear);
}

TEST_HARNESS_MAIN
