// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation fails once: the first of an operation, then the second, and
 * so on, until the operation gets by without. Each time it does what it should
 * or refuses; the connection lives on exactly one side, with every byte, and
 * nothing is left behind.
 *
 * For a kernel with CONFIG_FAULT_INJECTION; see its documentation of fail-nth.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <libmnl/libmnl.h>

#include "harness.h"
#include "sock_pair.h"

#define SYS		"/sys/kernel/"
#define DEBUG		"debug/"
#define MAX_SITES	500
#define MAX_SOFTIRQ	60
#define LARGE		1400		/* dropped while the wire is bad */
#define SMALL		100		/* not dropped */
#define SHORT		"match u16 0 0xfc00 at 2 action pass"
#define LOST		"match ip tos 0x08 0xff action drop"
#define MUCH		40000
#define LIMIT		1200		/* s for a test */

struct state {
	struct pair p;
	struct chim_nl nl;	/* of the operation */
	struct chim_nl look;	/* of who looks what became of it */
	struct mnl_socket *route;
	size_t sent[2], rcvd[2];
	int nth;		/* the file */
	const char *step;	/* of the test */
	bool bad, keeping;	/* the wire */
};

/* Sites: times that a fault was injected. Refused: of these, those that made
 * the operation fail. Left: those after which the NIC had no connection.
 */
struct tally {
	int sites, refused, left;
};

static char data[MUCH];

static bool put(const char *dir, const char *name, const char *value)
{
	char path[128];
	bool good;
	int fd;

	snprintf(path, sizeof(path), SYS "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	good = write(fd, value, strlen(value)) == (ssize_t)strlen(value);
	close(fd);
	return good;
}

static long number_in(const char *path)
{
	FILE *f = fopen(path, "re");
	char line[64] = "-1";

	if (f && !fgets(line, sizeof(line), f))
		line[0] = '\0';
	if (f)
		fclose(f);
	return atol(line);
}

/* The n-th possible fault of this thread is one; 0 for none. */
static bool nth_set(struct state *s, int n)
{
	char buf[16];
	int len = snprintf(buf, sizeof(buf), "%d", n);

	return pwrite(s->nth, buf, len, 0) == len;
}

/* What is to fail. How many pages an operation takes depends on what is left in
 * the slabs, and would shift the numbers of all that is behind: they are walked
 * through apart, and every other allocation has the same number each time.
 */
enum { OBJECTS, PAGES, KINDS };

static bool faults_in(int kind)
{
	/* No slab has the mark that the filter looks for. */
	return put(DEBUG "failslab", "cache-filter",
		   kind == PAGES ? "1" : "0") &&
	       put(DEBUG "fail_page_alloc", "min-order",
		   kind == PAGES ? "0" : "30");
}

/* Was it? Reading is a chance for a fault as well, so that one that was left
 * over shows as an error.
 */
static bool nth_was(struct state *s)
{
	char buf[16] = "";
	bool was = pread(s->nth, buf, sizeof(buf) - 1, 0) > 0 && !atoi(buf);

	if (!nth_set(s, 0))
		nth_set(s, 0);
	return was;
}

/* The wire drops what is large and of a type of service: what is outstanding
 * stays so. Where it comes out, because TCP takes notice of what is dropped
 * where it goes in.
 */
static int dropping(const char *dev)
{
	return run("printf '%%s dev %s %%s\\n' %s %s %s | tc -batch -", dev,
		   "'qdisc add' clsact",
		   "'filter add' 'ingress pref 1 protocol ip u32 " SHORT "'",
		   "'filter add' 'ingress pref 2 protocol ip u32 " LOST "'");
}

static int wire_droppable(void)
{
	int err = dropping("veth0");

	net_enter(net_peer_ns);
	err |= dropping("veth1");
	net_enter(net_host_ns);
	return err;
}

static int wire_sound(void)
{
	int err = run("tc qdisc delete dev veth0 clsact");

	net_enter(net_peer_ns);
	err |= run("tc qdisc delete dev veth1 clsact");
	net_enter(net_host_ns);
	return err;
}

/* For every fault once: a command would take most of the time. */
static int wire_bad(struct state *s, bool bad)
{
	int tos = bad ? IPTOS_THROUGHPUT : 0;

	s->bad = bad;
	return set_int(s->p.sk, SOL_IP, IP_TOS, tos) |
	       set_int(s->p.peer, SOL_IP, IP_TOS, tos);
}

/* The wire keeps what is sent, and with it the clones that are: the next one of
 * the same data takes memory.
 */
static int wire_keeping(struct state *s, bool on)
{
	s->keeping = on;
	if (!on)
		return run("tc qdisc delete dev veth0 root");
	return run("tc qdisc add dev veth0 root netem delay 60s");
}

/* Streams of bytes; 0 is from our end, 1 from the peer's. */

static ssize_t say(struct state *s, int from, size_t len)
{
	int fd = from ? s->p.peer : s->p.sk;
	ssize_t n;

	fill(data, len, s->sent[from]);
	n = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0)
		s->sent[from] += n;
	return n;
}

static bool hear(struct state *s, int from)
{
	int fd = from ? s->p.sk : s->p.peer;
	char back[4096];
	ssize_t n;

	while (s->rcvd[from] < s->sent[from]) {
		n = recv(fd, back, sizeof(back), 0);
		if (n <= 0 || !filled(back, n, s->rcvd[from]))
			return false;
		s->rcvd[from] += n;
	}
	return true;
}

static bool talks(struct state *s)
{
	return until(say(s, 0, 3000) > 0) && until(say(s, 1, 3000) > 0) &&
	       hear(s, 0) && hear(s, 1);
}

/* Has the NIC got it? -1 as long as those who should know do not agree. */
static int in_nic(struct state *s)
{
	struct chim_nl_conn c;
	struct chim_nl_dev d;
	unsigned int listed;
	int err;

	err = chim_nl_get(&s->look, &s->p.tuple, &c);
	if ((err && err != -ENOENT) || chim_nl_dump(&s->look, &listed) ||
	    chim_nl_dev(&s->look, net_ifindex, &d))
		return -1;
	if (!err && c.conn[CHIMNEY_A_CONN_PLACE] != CHIMNEY_PLACE_NIC)
		return -1;
	if (listed != !err || d.dev[CHIMNEY_A_DEV_CONNS] != !err ||
	    d.dev[CHIMNEY_A_DEV_OFFLOADS] - d.dev[CHIMNEY_A_DEV_UPLOADS] !=
	    !err)
		return -1;
	return !err;
}

static bool nothing_left(void)
{
	put("slab/nic_conn", "shrink", "1");
	put("slab/chim_conn", "shrink", "1");
	return !number_in(SYS "slab/nic_conn/objects") &&
	       !number_in(SYS "slab/chim_conn/objects");
}

static bool state_set_up(struct state *s)
{
	static const char * const kind[] = {
		DEBUG "failslab",
		DEBUG "fail_page_alloc",
	};
	unsigned int i;

	/* No fault for want of a page, and none is told of: there would be
	 * too many.
	 */
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		return false;
	for (i = 0; i < ARRAY_SIZE(kind); i++)
		if (!put(kind[i], "verbose", "0") ||
		    !put(kind[i], "ignore-gfp-wait", "0"))
			return false;
	put(DEBUG "fail_usercopy", "verbose", "0");
	put(DEBUG "fail_futex", "verbose", "0");
	s->nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	s->route = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	s->p.sk = -1;
	s->p.peer = -1;
	return s->nth >= 0 && s->route && !chim_nl_open(&s->look) &&
	       !wire_droppable() && faults_in(OBJECTS);
}

static bool state_torn_down(struct state *s)
{
	if (s->bad)
		wire_bad(s, false);
	if (s->keeping)
		wire_keeping(s, false);
	pair_close(&s->p);
	chim_nl_close(&s->look);
	mnl_socket_close(s->route);
	close(s->nth);
	return !wire_sound() && until(nothing_left());
}

/* What to do, and what has to be there before. */
struct op {
	const char *name;
	int (*fn)(struct state *s);
	bool offloaded;		/* before */
	bool busy;		/* data is outstanding, missing, not sent */
	bool kept;		/* what is outstanding is on the wire */
	bool unread;		/* data is there to be read */
	bool ends;		/* the connection */
	bool heard;		/* somebody listens to notifications */
};

static bool prepare(struct state *s, const struct op *op)
{
	struct timeval limit = { .tv_sec = DEADLINE };
	struct tcp_info info = {};
	socklen_t len = sizeof(info);

	s->step = "before";
	memset(s->sent, 0, sizeof(s->sent));
	memset(s->rcvd, 0, sizeof(s->rcvd));
	if (chim_nl_open(&s->nl) || pair_open(&s->p, IPV4))
		return false;
	setsockopt(s->p.sk, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	set_int(s->p.sk, SOL_TCP, TCP_NODELAY, 1);
	set_int(s->p.peer, SOL_TCP, TCP_NODELAY, 1);
	/* Not full: a refusal for that would look like one for the fault. */
	if (op->busy &&
	    (set_int(s->p.sk, SOL_SOCKET, SO_SNDBUFFORCE, 10 * MUCH) ||
	     wire_bad(s, true) || say(s, 1, LARGE) != LARGE ||
	     say(s, 1, SMALL) != SMALL || say(s, 0, MUCH) <= 0 ||
	     !until(!getsockopt(s->p.peer, SOL_TCP, TCP_INFO, &info, &len) &&
		    info.tcpi_sacked)))
		return false;
	if (op->kept && (wire_keeping(s, true) || say(s, 0, SMALL) != SMALL))
		return false;
	if (op->offloaded && chim_nl_offload(&s->nl, &s->p.tuple, NULL))
		return false;
	if (op->unread &&
	    (say(s, 1, 3000) != 3000 || !until(queued(s->p.sk, SIOCINQ) >=
					       3000)))
		return false;
	return true;
}

/* What became of it. */
static bool settle(struct state *s, const struct op *op, struct tally *t,
		   int err)
{
	s->step = "after";
	if (op->busy && wire_bad(s, false))
		return false;
	if (op->kept && wire_keeping(s, false))
		return false;
	if (op->ends && !err) {
		pair_close(&s->p);
	} else {
		if (!until(in_nic(s) >= 0))
			return false;
		t->left += op->offloaded && !in_nic(s);
		if (!talks(s) || !until(in_nic(s) >= 0))
			return false;
	}
	chim_nl_close(&s->nl);
	pair_close(&s->p);
	return true;
}

static void tell(const struct op *op, const struct tally *t)
{
	/* The harness does not flush what a test prints. */
	fprintf(stderr, "# figure: %s: %d sites, %d refused, %d left the NIC\n",
		op->name, t->sites, t->refused, t->left);
}

/* Returns the number of the fault at which something was wrong, or 0. */
static int walk_kind(struct state *s, const struct op *op, struct tally *t,
		     int *err)
{
	bool injected;
	int n;

	for (n = 1; n <= MAX_SITES; n++) {
		if (!prepare(s, op) || !nth_set(s, n))
			break;
		s->step = "meanwhile";
		*err = op->fn(s);
		injected = nth_was(s);
		t->sites += injected;
		t->refused += injected && *err;
		if (!settle(s, op, t, *err))
			break;
		if (!injected)
			return *err ? n : 0;
	}
	return n;
}

static bool walk(struct state *s, const struct op *op)
{
	struct chim_nl ear = {};
	struct tally t = {};
	int kind, n = 0, err = 0;

	if (op->heard && chim_nl_listen(&ear))
		return false;
	for (kind = OBJECTS; kind < KINDS && !n; kind++) {
		if (!faults_in(kind))
			return false;
		n = walk_kind(s, op, &t, &err);
	}
	chim_nl_close(&ear);
	tell(op, &t);
	if (n)
		fprintf(stderr, "# %s: fault %d%s, %s, result %d\n", op->name,
			n, kind > PAGES ? " for a page" : "", s->step, err);
	return !n && t.sites;
}

static int do_offload(struct state *s)
{
	return chim_nl_offload(&s->nl, &s->p.tuple, NULL);
}

static int do_offload_fd(struct state *s)
{
	return chim_nl_offload_fd(&s->nl, s->p.sk, NULL);
}

static int do_terminate(struct state *s)
{
	return chim_nl_terminate(&s->nl, &s->p.tuple, NULL);
}

static int do_update(struct state *s)
{
	return chim_nl_update(&s->nl, &s->p.tuple,
			      CHIMNEY_A_CACHED_KA_TIMEOUT, 5000);
}

static int do_get(struct state *s)
{
	return chim_nl_get(&s->nl, &s->p.tuple, NULL);
}

static int do_dump(struct state *s)
{
	unsigned int n;
	int err = chim_nl_dump(&s->nl, &n);

	return err ? err : n != 1;
}

static int do_dev_get(struct state *s)
{
	struct chim_nl_dev d;

	return chim_nl_dev(&s->nl, net_ifindex, &d);
}

static int do_dev_set(struct state *s)
{
	return chim_nl_dev_set(&s->nl, net_ifindex, CHIMNEY_A_DEV_HZ, 1000);
}

static int do_upload_all(struct state *s)
{
	return chim_nl_dev_do(&s->nl, net_ifindex, CHIMNEY_CMD_DEV_UPLOAD_ALL);
}

static int do_send(struct state *s)
{
	return say(s, 0, 3000) < 0 ? -errno : 0;
}

static int do_recv(struct state *s)
{
	char back[3000];
	ssize_t n = recv(s->p.sk, back, sizeof(back), MSG_DONTWAIT);

	if (n < 0)
		return -errno;
	if (!filled(back, n, s->rcvd[1]))
		return -EBADMSG;
	s->rcvd[1] += n;
	return 0;
}

static int do_known(struct state *s)
{
	return set_int(s->p.sk, SOL_TCP, TCP_KEEPIDLE, 100) ? -errno : 0;
}

static int do_unknown(struct state *s)
{
	return set_int(s->p.sk, SOL_TCP, TCP_THIN_LINEAR_TIMEOUTS, 1) ?
	       -errno : 0;
}

static int do_info(struct state *s)
{
	return tcp_state_of(s->p.sk) < 0 ? -errno : 0;
}

static int do_close(struct state *s)
{
	int err = close(s->p.sk);

	s->p.sk = -1;
	return err;
}

FIXTURE(nth)
{
	struct state s;
};

FIXTURE_VARIANT(nth)
{
	struct op op;
};

FIXTURE_SETUP(nth)
{
	ASSERT_TRUE(state_set_up(&self->s));
}

FIXTURE_TEARDOWN(nth)
{
	EXPECT_TRUE(state_torn_down(&self->s));
}

FIXTURE_VARIANT_ADD(nth, offload)
{
	.op = { .name = "offload", .fn = do_offload },
};

FIXTURE_VARIANT_ADD(nth, offload_by_descriptor)
{
	.op = { .name = "offload by descriptor", .fn = do_offload_fd },
};

FIXTURE_VARIANT_ADD(nth, offload_busy)
{
	.op = { .name = "offload busy", .fn = do_offload,
		.busy = true },
};

FIXTURE_VARIANT_ADD(nth, offload_kept)
{
	.op = { .name = "offload kept", .fn = do_offload,
		.kept = true },
};

FIXTURE_VARIANT_ADD(nth, offload_notified)
{
	.op = { .name = "offload notified", .fn = do_offload,
		.heard = true },
};

FIXTURE_VARIANT_ADD(nth, terminate)
{
	.op = { .name = "terminate", .fn = do_terminate,
		.offloaded = true },
};

FIXTURE_VARIANT_ADD(nth, terminate_busy)
{
	.op = { .name = "terminate busy", .fn = do_terminate,
		.offloaded = true, .busy = true },
};

FIXTURE_VARIANT_ADD(nth, terminate_notified)
{
	.op = { .name = "terminate notified", .fn = do_terminate,
		.offloaded = true, .heard = true },
};

FIXTURE_VARIANT_ADD(nth, update)
{
	.op = { .name = "update", .fn = do_update,
		.offloaded = true },
};

FIXTURE_VARIANT_ADD(nth, update_notified)
{
	.op = { .name = "update notified", .fn = do_update,
		.offloaded = true, .heard = true },
};

FIXTURE_VARIANT_ADD(nth, get)
{
	.op = { .name = "get", .fn = do_get,
		.offloaded = true },
};

FIXTURE_VARIANT_ADD(nth, dump)
{
	.op = { .name = "dump", .fn = do_dump,
		.offloaded = true },
};

FIXTURE_VARIANT_ADD(nth, dev_get)
{
	.op = { .name = "dev get", .fn = do_dev_get,
		.offloaded = true },
};

FIXTURE_VARIANT_ADD(nth, dev_set)
{
	.op = { .name = "dev set", .fn = do_dev_set,
		.offloaded = true },
};

FIXTURE_VARIANT_ADD(nth, dev_set_notified)
{
	.op = { .name = "dev set notified", .fn = do_dev_set,
		.offloaded = true, .heard = true },
};

FIXTURE_VARIANT_ADD(nth, upload_all)
{
	.op = { .name = "upload all", .fn = do_upload_all,
		.offloaded = true },
};

FIXTURE_VARIANT_ADD(nth, send)
{
	.op = { .name = "send", .fn = do_send,
		.offloaded = true },
};

FIXTURE_VARIANT_ADD(nth, send_busy)
{
	.op = { .name = "send busy", .fn = do_send,
		.offloaded = true, .busy = true },
};

FIXTURE_VARIANT_ADD(nth, receive)
{
	.op = { .name = "receive", .fn = do_recv,
		.offloaded = true, .unread = true },
};

FIXTURE_VARIANT_ADD(nth, option)
{
	.op = { .name = "option", .fn = do_known,
		.offloaded = true },
};

FIXTURE_VARIANT_ADD(nth, option_unknown)
{
	.op = { .name = "option unknown", .fn = do_unknown,
		.offloaded = true },
};

FIXTURE_VARIANT_ADD(nth, tcp_info)
{
	.op = { .name = "tcp info", .fn = do_info,
		.offloaded = true },
};

FIXTURE_VARIANT_ADD(nth, close)
{
	.op = { .name = "close", .fn = do_close,
		.offloaded = true, .ends = true },
};

TEST_F_TIMEOUT(nth, every_fault, LIMIT)
{
	EXPECT_TRUE(walk(&self->s, &variant->op));
}

/* What comes from the wire is processed in softirq, where faults are counted
 * for all of the machine: every n-th one, once.
 */
static int do_both_ways(struct state *s)
{
	return talks(s) ? 0 : -EIO;
}

static bool faults_every(int n)
{
	char buf[16];

	snprintf(buf, sizeof(buf), "%d", n);
	return put(DEBUG "failslab", "ignore-gfp-wait", "1") &&
	       put(DEBUG "failslab", "interval", buf) &&
	       put(DEBUG "failslab", "times", "1") &&
	       put(DEBUG "failslab", "probability", "100");
}

static bool faults_end(void)
{
	bool hit = number_in(SYS DEBUG "failslab/times") == 0;

	return put(DEBUG "failslab", "probability", "0") && hit;
}

static int walk_softirq(struct state *s, const struct op *op)
{
	struct tally t = {};
	int n, err = 0;

	for (n = 1; n <= MAX_SOFTIRQ; n++) {
		if (!prepare(s, op) || !faults_every(n))
			break;
		s->step = "meanwhile";
		err = op->fn(s);
		t.sites += faults_end();
		if (err || !settle(s, op, &t, err))
			break;
	}
	faults_end();
	tell(op, &t);
	if (n > MAX_SOFTIRQ && t.sites)
		return 0;
	fprintf(stderr, "# %s: fault %d, %s, result %d\n", op->name, n,
		s->step, err);
	return n;
}

/* All at once, at the latest when the fault has been. */
static bool says(struct state *s, int from, ssize_t len)
{
	return until(say(s, from, len) == len);
}

/* The first segment out of order while the connection is in the NIC. */
static int do_out_of_order(struct state *s)
{
	int err = 0;

	if (wire_bad(s, true) || !says(s, 1, LARGE) || !says(s, 1, SMALL) ||
	    !says(s, 0, LARGE) || !says(s, 0, SMALL))
		err = -EIO;
	return wire_bad(s, false) || err || !talks(s) ? -EIO : 0;
}

FIXTURE(softirq)
{
	struct state s;
};

FIXTURE_VARIANT(softirq)
{
	struct op op;
};

FIXTURE_SETUP(softirq)
{
	ASSERT_TRUE(state_set_up(&self->s));
}

FIXTURE_TEARDOWN(softirq)
{
	EXPECT_TRUE(state_torn_down(&self->s));
}

FIXTURE_VARIANT_ADD(softirq, both_ways)
{
	.op = { .name = "both ways", .fn = do_both_ways,
		.offloaded = true },
};

FIXTURE_VARIANT_ADD(softirq, out_of_order)
{
	.op = { .name = "out of order", .fn = do_out_of_order,
		.offloaded = true },
};

TEST_F_TIMEOUT(softirq, faults, LIMIT)
{
	EXPECT_EQ(0, walk_softirq(&self->s, &variant->op));
}

/* Devices */

static int link_ask(struct state *s, struct nlmsghdr *nlh)
{
	char buf[8192];
	int len;

	if (mnl_socket_sendto(s->route, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	len = mnl_socket_recvfrom(s->route, buf, sizeof(buf));
	if (len < 0)
		return -errno;
	return mnl_cb_run(buf, len, 0, 0, NULL, NULL) < 0 ? -errno : 0;
}

static int do_newlink(struct state *s)
{
	char buf[1024];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nlattr *nest;

	nlh->nlmsg_type = RTM_NEWLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE |
			   NLM_F_EXCL;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, "chim1");
	mnl_attr_put_u32(nlh, IFLA_LINK, if_nametoindex("veth2"));
	nest = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_str(nlh, IFLA_INFO_KIND, "chimney");
	mnl_attr_nest_end(nlh, nest);
	return link_ask(s, nlh);
}

/* Is the device there exactly if the kernel says so? Of the acknowledgment
 * there may have been no memory.
 */
static bool device_as_told(int err)
{
	if (if_nametoindex("chim1"))
		return !run("ip link delete chim1");
	return err;
}

FIXTURE(device)
{
	struct state s;
};

FIXTURE_SETUP(device)
{
	ASSERT_TRUE(state_set_up(&self->s));
	ASSERT_EQ(0, run("ip link add veth2 type veth peer name veth3"));
}

FIXTURE_TEARDOWN(device)
{
	EXPECT_EQ(0, run("ip link delete veth2"));
	EXPECT_TRUE(state_torn_down(&self->s));
}

TEST_F_TIMEOUT(device, created, LIMIT)
{
	static const struct op op = { .name = "device created" };
	struct state *s = &self->s;
	struct tally t = {};
	int kind, n, err = 0;
	bool injected;

	for (kind = OBJECTS; kind < KINDS; kind++) {
		ASSERT_TRUE(faults_in(kind));
		injected = true;
		for (n = 1; n <= MAX_SITES && injected; n++) {
			ASSERT_TRUE(nth_set(s, n));
			err = do_newlink(s);
			injected = nth_was(s);
			t.sites += injected;
			t.refused += injected && err;
			ASSERT_TRUE(device_as_told(err));
			/* What was not read is forgotten. */
			mnl_socket_close(s->route);
			s->route = mnl_socket_open2(NETLINK_ROUTE,
						    SOCK_CLOEXEC);
			ASSERT_NE(NULL, s->route);
		}
		EXPECT_FALSE(injected);
		EXPECT_EQ(0, err);
	}
	tell(&op, &t);
	EXPECT_LT(0, t.sites);
}

TEST_HARNESS_MAIN
