// SPDX-License-Identifier: GPL-2.0
/*
 * The control interface: every command, every refusal with its error, its
 * words and the attribute it blames, who may do what, namespaces, dumps while
 * connections come and go, and notifications. Each test runs in network
 * namespaces of its own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libmnl/libmnl.h>
#include <linux/chimney.h>
#include <linux/genetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "sock_pair.h"

#define NOBODY		65534
#define BUF		32768
#define MAX_REPLIES	8

/* ---- netlink ------------------------------------------------------------ */

/**
 * struct env - what every test finds
 * @nl: connection to the module, in the host's namespace
 * @p: a connection from host to peer, not offloaded yet; or none
 */
struct env {
	struct chim_nl nl;
	struct pair p;
};

/**
 * struct answer - what came back on a request
 * @err: 0 or a negative error
 * @n: number of replies
 * @reply: replies
 * @buf: the bytes of @reply
 */
struct answer {
	int err;
	int n;
	struct nlmsghdr *reply[MAX_REPLIES];
	char buf[MAX_REPLIES][NL_ROOM];
};

static struct answer answer;

/* It lasts while three others are made: what is to be refused is sent after
 * what was there before has been asked for.
 */
static struct nlmsghdr *req(struct env *e, __u8 cmd)
{
	static char bufs[4][NL_ROOM];
	static int next;

	return chim_nl_start(&e->nl, bufs[next++ % 4], e->nl.family, cmd);
}

static struct nlmsghdr *dump_req(struct env *e, __u8 cmd)
{
	struct nlmsghdr *nlh = req(e, cmd);

	nlh->nlmsg_flags |= NLM_F_DUMP;
	return nlh;
}

static struct nlattr *put(struct nlmsghdr *nlh, __u16 type, const void *data,
			  size_t len)
{
	struct nlattr *attr = mnl_nlmsg_get_payload_tail(nlh);

	mnl_attr_put(nlh, type, len, data);
	return attr;
}

static struct nlattr *put_u32(struct nlmsghdr *nlh, __u16 type, __u32 val)
{
	return put(nlh, type, &val, sizeof(val));
}

static struct nlattr *put_flags(struct nlmsghdr *nlh, __u32 value,
				__u32 selector)
{
	struct nla_bitfield32 flags = { value, selector };

	return put(nlh, CHIMNEY_A_CACHED_FLAGS, &flags, sizeof(flags));
}

static int on_reply(const struct nlmsghdr *nlh, void *data)
{
	if (answer.n < MAX_REPLIES) {
		answer.reply[answer.n] = memcpy(answer.buf[answer.n], nlh,
						nlh->nlmsg_len);
		answer.n++;
	}
	return MNL_CB_OK;
}

/* Send a request and wait for the answer: 0 or a negative error. */
static int ask(struct env *e, struct nlmsghdr *nlh)
{
	memset(&answer, 0, sizeof(answer));
	answer.err = chim_nl_ask(&e->nl, nlh, on_reply, NULL);
	return answer.err;
}

/* Find an attribute of a message by its path, which ends with 0. */
static const struct nlattr *find(const struct nlmsghdr *nlh, int type, ...)
{
	const struct nlattr *attr, *found = NULL;
	va_list path;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr)) {
		if (mnl_attr_get_type(attr) == type)
			found = attr;
	}
	va_start(path, type);
	while (found && (type = va_arg(path, int))) {
		const struct nlattr *nest = found;

		found = NULL;
		mnl_attr_for_each_nested(attr, nest) {
			if (mnl_attr_get_type(attr) == type)
				found = attr;
		}
	}
	va_end(path);
	return found;
}

static __u32 attr_u32(const struct nlattr *attr)
{
	/* No test expects this value. */
	return attr ? mnl_attr_get_u32(attr) : 0xdeadbeef;
}

/* The first reply of the last answer */
#define got(...)	find(answer.reply[0], __VA_ARGS__, 0)
#define got_u32(...)	attr_u32(got(__VA_ARGS__))
#define cached_u32(a)	got_u32(CHIMNEY_A_CONN_CACHED, CHIMNEY_A_CACHED_##a)

static int env_setup(struct env *e)
{
	e->p.sk = -1;
	e->p.peer = -1;
	if (!net_renew())
		return -1;
	return chim_nl_open(&e->nl);
}

static void env_teardown(struct env *e)
{
	pair_close(&e->p);
	chim_nl_close(&e->nl);
}

static unsigned int inode_of(int sk)
{
	struct stat st;

	return fstat(sk, &st) ? 0 : st.st_ino;
}

static int tuple_len(const struct chim_nl_tuple *t)
{
	return t->family == AF_INET ? 4 : 16;
}

/* IPv4 on an IPv6 socket is IPv4 on the wire. */
static struct chim_nl_tuple tuple_on_wire(const struct pair *p)
{
	struct chim_nl_tuple t = p->tuple;

	if (t.family == AF_INET6 &&
	    IN6_IS_ADDR_V4MAPPED((struct in6_addr *)t.local)) {
		t.family = AF_INET;
		memmove(t.local, t.local + 12, 4);
		memmove(t.remote, t.remote + 12, 4);
	}
	return t;
}

/* ---- commands ----------------------------------------------------------- */

static int dev_cmd(struct env *e, __u8 cmd)
{
	struct nlmsghdr *nlh = req(e, cmd);

	put_u32(nlh, CHIMNEY_A_DEV_IFINDEX, net_ifindex);
	return ask(e, nlh);
}

static int set_param(struct env *e, __u16 type, __u32 val)
{
	struct nlmsghdr *nlh = req(e, CHIMNEY_CMD_DEV_SET);

	put_u32(nlh, CHIMNEY_A_DEV_IFINDEX, net_ifindex);
	put_u32(nlh, type, val);
	return ask(e, nlh);
}

static __u32 param(struct env *e, __u16 type)
{
	if (dev_cmd(e, CHIMNEY_CMD_DEV_GET) || answer.n != 1)
		return 0xdeadbeef;
	return got_u32(type);
}

static int conn_cmd(struct env *e, __u8 cmd, __u32 id)
{
	struct nlmsghdr *nlh = req(e, cmd);

	put_u32(nlh, CHIMNEY_A_CONN_ID, id);
	return ask(e, nlh);
}

/* Returns the id, or 0. */
static __u32 offload(struct env *e, int sk)
{
	struct nlmsghdr *nlh = req(e, CHIMNEY_CMD_CONN_OFFLOAD);

	put_u32(nlh, CHIMNEY_A_CONN_FD, sk);
	if (ask(e, nlh) || answer.n != 1)
		return 0;
	return got_u32(CHIMNEY_A_CONN_ID);
}

static int update(struct env *e, __u32 id, __u16 type, __u32 val)
{
	struct nlmsghdr *nlh = req(e, CHIMNEY_CMD_CONN_UPDATE);
	struct nlattr *nest;

	put_u32(nlh, CHIMNEY_A_CONN_ID, id);
	nest = mnl_attr_nest_start(nlh, CHIMNEY_A_CONN_CACHED);
	put_u32(nlh, type, val);
	mnl_attr_nest_end(nlh, nest);
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

static int dump(struct env *e, __u8 cmd)
{
	return ask(e, dump_req(e, cmd));
}

/* Everything a command could have changed, in bytes that can be compared. */
static size_t snapshot(struct env *e, char *buf)
{
	static const int opts[][2] = {
		{ SOL_SOCKET, SO_KEEPALIVE },
		{ SOL_SOCKET, SO_PRIORITY },
		{ SOL_SOCKET, SO_RCVBUF },
		{ IPPROTO_TCP, TCP_KEEPIDLE },
		{ IPPROTO_TCP, TCP_KEEPINTVL },
		{ IPPROTO_TCP, TCP_KEEPCNT },
		{ IPPROTO_TCP, TCP_NODELAY },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT },
		{ IPPROTO_IP, IP_TTL },
		{ IPPROTO_IP, IP_TOS },
	};
	const struct nlattr *attr;
	unsigned int i;
	char *p = buf;
	int val;

	dev_cmd(e, CHIMNEY_CMD_DEV_GET);
	for (i = CHIMNEY_A_DEV_HZ; i <= CHIMNEY_A_DEV_UPLOADS; i++) {
		attr = got(i);
		memcpy(p, attr, attr->nla_len);
		p += attr->nla_len;
	}
	dump(e, CHIMNEY_CMD_CONN_GET);
	for (i = 0; i < answer.n; i++) {
		val = attr_u32(find(answer.reply[i], CHIMNEY_A_CONN_ID, 0));
		memcpy(p, &val, sizeof(val));
		p += sizeof(val);
		attr = find(answer.reply[i], CHIMNEY_A_CONN_CACHED, 0);
		memcpy(p, attr, attr->nla_len);
		p += attr->nla_len;
	}
	for (i = 0; e->p.sk >= 0 && i < ARRAY_SIZE(opts); i++) {
		val = get_int(e->p.sk, opts[i][0], opts[i][1]);
		memcpy(p, &val, sizeof(val));
		p += sizeof(val);
	}
	return p - buf;
}

/* Linux before 6.10 has no way to blame an attribute of a dump. */
static bool dumps_blame(void)
{
	unsigned int major = 0, minor = 0;
	struct utsname name;

	uname(&name);
	if (sscanf(name.release, "%u.%u", &major, &minor) != 2)
		return false;
	return major > 6 || (major == 6 && minor >= 10);
}

/* The request must be refused with this error, with words that contain text,
 * blaming bad, if given, or saying that type miss is missing, if given; and
 * must have changed nothing.
 */
static bool refused(struct env *e, struct nlmsghdr *nlh, int err,
		    const char *text, const struct nlattr *bad, __u32 miss)
{
	size_t at = bad ? (char *)bad - (char *)nlh : 0;
	char before[NL_ROOM], after[NL_ROOM];
	bool good;
	size_t len;
	int ret;

	len = snapshot(e, before);
	ret = ask(e, nlh);
	good = ret == -err && strstr(e->nl.msg, text) && e->nl.bad == at &&
	       e->nl.miss == miss && !answer.n;
	if (!good) {
		fprintf(stderr, "# got %d \"%s\", blamed %u, missing %u, ",
			ret, e->nl.msg, e->nl.bad, e->nl.miss);
		fprintf(stderr, "%d replies, wanted %d \"%s\", %zu, %u, 0\n",
			answer.n, -err, text, at, miss);
	}
	if (snapshot(e, after) != len || memcmp(before, after, len)) {
		fprintf(stderr, "# something changed\n");
		good = false;
	}
	return good;
}

#define REFUSED(nlh, err, text, bad)	\
	EXPECT_TRUE(refused(e, nlh, err, text, bad, 0))
#define MISSES(nlh, err, text, miss)	\
	EXPECT_TRUE(refused(e, nlh, err, text, NULL, miss))

/* ---- other callers ------------------------------------------------------ */

/* Runs in a process of its own. */
typedef void (*child_fn)(struct env *e);

static int child_line;

static void check_child(bool ok, int line)
{
	if (!ok && !child_line)
		child_line = line;
}

#define CHILD(cond)	check_child(cond, __LINE__)

/* Returns 0, or the first line that failed. */
static int in_child(struct env *e, child_fn fn, bool nobody)
{
	int pipefd[2], line = -1;
	pid_t pid;

	if (pipe(pipefd))
		return -1;
	fflush(NULL);
	pid = fork();
	if (!pid) {
		if (nobody && (setgroups(0, NULL) ||
			       setresgid(NOBODY, NOBODY, NOBODY) ||
			       setresuid(NOBODY, NOBODY, NOBODY)))
			_exit(1);
		if (chim_nl_open(&e->nl))
			_exit(1);
		fn(e);
		_exit(write(pipefd[1], &child_line, sizeof(child_line)) < 0);
	}
	close(pipefd[1]);
	if (read(pipefd[0], &line, sizeof(line)) != sizeof(line))
		line = -1;
	close(pipefd[0]);
	waitpid(pid, NULL, 0);
	return line;
}

/* ---- devices ------------------------------------------------------------ */

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

static struct nlmsghdr *dev_req(struct env *e, __u8 cmd)
{
	struct nlmsghdr *nlh = req(e, cmd);

	put_u32(nlh, CHIMNEY_A_DEV_IFINDEX, net_ifindex);
	return nlh;
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
		{ CHIMNEY_A_DEV_FIN_WAIT2, { 1, 0xfffffffe, 0, 60000 } },
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
	attr = put_u32(nlh, CHIMNEY_A_DEV_FIN_WAIT2, 42949673);
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

/* ---- notifications ------------------------------------------------------ */

/* The next one, or NULL if there is none within some ms. */
static struct nlmsghdr *event(struct chim_nl *ear, int ms)
{
	struct pollfd pfd = {
		.fd = mnl_socket_get_fd(ear->sock),
		.events = POLLIN,
	};
	static char buf[NL_ROOM];

	if (poll(&pfd, 1, ms) != 1 ||
	    mnl_socket_recvfrom(ear->sock, buf, sizeof(buf)) < 0)
		return NULL;
	return (struct nlmsghdr *)buf;
}

static __u8 event_cmd(struct chim_nl *ear, const struct nlmsghdr *nlh)
{
	const struct genlmsghdr *genl;

	if (!nlh || nlh->nlmsg_type != ear->family || nlh->nlmsg_seq ||
	    nlh->nlmsg_pid)
		return 0;
	genl = mnl_nlmsg_get_payload(nlh);
	return genl->cmd;
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

/* ---- connections -------------------------------------------------------- */

FIXTURE(conn)
{
	struct env e;
};

FIXTURE_VARIANT(conn)
{
	enum kind kind;
};

FIXTURE_VARIANT_ADD(conn, ipv4)
{
	.kind = IPV4,
};

FIXTURE_VARIANT_ADD(conn, ipv6)
{
	.kind = IPV6,
};

FIXTURE_VARIANT_ADD(conn, mapped)
{
	.kind = MAPPED,
};

FIXTURE_SETUP(conn)
{
	struct env *e = &self->e;

	ASSERT_EQ(0, env_setup(e));
	ASSERT_EQ(0, pair_open(&e->p, variant->kind));
	ASSERT_TRUE(echoes(e->p.sk, e->p.peer));
}

FIXTURE_TEARDOWN(conn)
{
	env_teardown(&self->e);
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
		{ CHIMNEY_A_CACHED_KA_TIMEOUT, { 1, 0xfffffffe, 9000 } },
		{ CHIMNEY_A_CACHED_KA_INTERVAL, { 1, 0xfffffffe, 1000 } },
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

/* ---- refusals ----------------------------------------------------------- */

static const __u8 conn_cmds[] = {
	CHIMNEY_CMD_CONN_GET, CHIMNEY_CMD_CONN_UPDATE,
	CHIMNEY_CMD_CONN_TERMINATE, CHIMNEY_CMD_CONN_OFFLOAD
};

/* A request that lacks only the connection */
static struct nlmsghdr *conn_req(struct env *e, __u8 cmd)
{
	struct nlmsghdr *nlh = req(e, cmd);
	struct nlattr *nest;

	if (cmd == CHIMNEY_CMD_CONN_UPDATE) {
		nest = mnl_attr_nest_start(nlh, CHIMNEY_A_CONN_CACHED);
		put_u32(nlh, CHIMNEY_A_CACHED_KA_PROBE_COUNT, 3);
		mnl_attr_nest_end(nlh, nest);
	}
	return nlh;
}

TEST_F(conn, which_refused)
{
	struct env *e = &self->e;
	struct nlattr *attr;
	struct nlmsghdr *nlh;
	__u32 id;
	int i;

	id = offload(e, e->p.sk);
	ASSERT_NE(0, id) TH_LOG("%s", e->nl.msg);
	for (i = 0; i < ARRAY_SIZE(conn_cmds); i++) {
		if (conn_cmds[i] == CHIMNEY_CMD_CONN_OFFLOAD) {
			MISSES(conn_req(e, conn_cmds[i]), EINVAL,
			       "fd or addresses needed", CHIMNEY_A_CONN_FD);
			nlh = conn_req(e, conn_cmds[i]);
			put_u32(nlh, CHIMNEY_A_CONN_FD, e->p.sk);
			attr = chim_nl_put_tuple(nlh, &e->p.tuple, 0);
			REFUSED(nlh, EINVAL, "either fd or addresses", attr);
			nlh = conn_req(e, conn_cmds[i]);
			attr = put_u32(nlh, CHIMNEY_A_CONN_ID, id);
			REFUSED(nlh, EINVAL, "", attr);
			continue;
		}
		MISSES(conn_req(e, conn_cmds[i]), EINVAL,
		       "id or addresses needed", CHIMNEY_A_CONN_ID);
		nlh = conn_req(e, conn_cmds[i]);
		put_u32(nlh, CHIMNEY_A_CONN_ID, id);
		attr = chim_nl_put_tuple(nlh, &e->p.tuple, 0);
		REFUSED(nlh, EINVAL, "either id or addresses", attr);
		nlh = conn_req(e, conn_cmds[i]);
		attr = put_u32(nlh, CHIMNEY_A_CONN_ID, 0);
		REFUSED(nlh, ERANGE, "out of range", attr);
		nlh = conn_req(e, conn_cmds[i]);
		attr = put_u32(nlh, CHIMNEY_A_CONN_ID, 123456);
		REFUSED(nlh, ENOENT, "no such connection", attr);
		nlh = conn_req(e, conn_cmds[i]);
		attr = put_u32(nlh, CHIMNEY_A_CONN_ID, 0xffffffff);
		REFUSED(nlh, ENOENT, "no such connection", attr);
		nlh = conn_req(e, conn_cmds[i]);
		attr = put_u32(nlh, CHIMNEY_A_CONN_FD, e->p.sk);
		REFUSED(nlh, EINVAL, "", attr);
		nlh = conn_req(e, conn_cmds[i]);
		put_u32(nlh, CHIMNEY_A_CONN_ID, id);
		attr = put_u32(nlh, CHIMNEY_A_CONN_PLACE, 1);
		REFUSED(nlh, EINVAL, "", attr);
	}
	nlh = dump_req(e, CHIMNEY_CMD_CONN_GET);
	attr = put_u32(nlh, CHIMNEY_A_CONN_ID, id);
	REFUSED(nlh, EINVAL, "a dump takes no attributes",
		dumps_blame() ? attr : NULL);

	/* Not offloaded any more */
	ASSERT_EQ(0, conn_cmd(e, CHIMNEY_CMD_CONN_TERMINATE, id));
	for (i = 0; i < ARRAY_SIZE(conn_cmds) - 1; i++) {
		nlh = conn_req(e, conn_cmds[i]);
		attr = put_u32(nlh, CHIMNEY_A_CONN_ID, id);
		REFUSED(nlh, ENOENT, "no such connection", attr);
		nlh = conn_req(e, conn_cmds[i]);
		attr = chim_nl_put_tuple(nlh, &e->p.tuple, 0);
		REFUSED(nlh, ENOENT, "connection is not offloaded", attr);
	}
	EXPECT_TRUE(echoes(e->p.sk, e->p.peer));
}

/* To one that the addresses in the nest are not of. */
static struct nlattr *set_family(struct nlattr *nest, __u32 family)
{
	struct nlattr *attr = mnl_attr_get_payload(nest);

	memcpy(mnl_attr_get_payload(attr), &family, sizeof(family));
	return attr;
}

TEST_F(conn, addresses_refused)
{
	struct env *e = &self->e;
	struct chim_nl_tuple t = tuple_on_wire(&e->p), bad;
	struct nlattr *attr, *nest;
	struct nlmsghdr *nlh;
	int i, j;

	for (i = 0; i < ARRAY_SIZE(conn_cmds); i++) {
		for (j = CHIMNEY_A_CONST_FAMILY;
		     j <= CHIMNEY_A_CONST_REMOTE_PORT; j++) {
			nlh = conn_req(e, conn_cmds[i]);
			chim_nl_put_tuple(nlh, &t, j);
			MISSES(nlh, EINVAL,
			       "family, both addresses and both ports needed",
			       j);
		}
	}

	bad = t;
	bad.lport ^= htons(1);
	nlh = req(e, CHIMNEY_CMD_CONN_OFFLOAD);
	attr = chim_nl_put_tuple(nlh, &bad, 0);
	REFUSED(nlh, ENOENT, "no connection has these addresses", attr);
	bad = t;
	bad.remote[3] ^= 1;
	nlh = req(e, CHIMNEY_CMD_CONN_GET);
	attr = chim_nl_put_tuple(nlh, &bad, 0);
	REFUSED(nlh, ENOENT, "no connection has these addresses", attr);

	/* Lengths: 5 and 8 bytes, then those of the other family */
	for (i = 5; i <= 20; i += 3) {
		if (i == tuple_len(&t))
			continue;
		nlh = req(e, CHIMNEY_CMD_CONN_OFFLOAD);
		nest = mnl_attr_nest_start(nlh, CHIMNEY_A_CONN_CONST);
		put_u32(nlh, CHIMNEY_A_CONST_FAMILY, t.family);
		attr = put(nlh, CHIMNEY_A_CONST_LOCAL_ADDRESS, t.local, i);
		put(nlh, CHIMNEY_A_CONST_REMOTE_ADDRESS, t.remote,
		    tuple_len(&t));
		mnl_attr_put_u16(nlh, CHIMNEY_A_CONST_LOCAL_PORT, t.lport);
		mnl_attr_put_u16(nlh, CHIMNEY_A_CONST_REMOTE_PORT, t.rport);
		mnl_attr_nest_end(nlh, nest);
		REFUSED(nlh, i > 16 ? ERANGE : EINVAL,
			i > 16 ? "" : "length of address", attr);
	}
	nlh = req(e, CHIMNEY_CMD_CONN_GET);
	nest = chim_nl_put_tuple(nlh, &t, 0);
	set_family(nest, t.family == AF_INET ? AF_INET6 : AF_INET);
	mnl_attr_for_each_nested(attr, nest) {
		if (mnl_attr_get_type(attr) == CHIMNEY_A_CONST_LOCAL_ADDRESS)
			break;
	}
	REFUSED(nlh, EINVAL, "length of address", attr);

	for (i = 0; i < 4; i++) {
		static const __u32 families[] = { 0, 1, 3, 11 };

		nlh = req(e, CHIMNEY_CMD_CONN_GET);
		nest = chim_nl_put_tuple(nlh, &t, 0);
		attr = set_family(nest, families[i]);
		REFUSED(nlh, ERANGE, i == 2 ? "AF_INET or AF_INET6" :
			"out of range", attr);
	}

	/* Port 0 */
	bad = t;
	bad.rport = 0;
	nlh = req(e, CHIMNEY_CMD_CONN_GET);
	nest = chim_nl_put_tuple(nlh, &bad, 0);
	mnl_attr_for_each_nested(attr, nest) {
		if (mnl_attr_get_type(attr) == CHIMNEY_A_CONST_REMOTE_PORT)
			break;
	}
	REFUSED(nlh, ERANGE, "out of range", attr);

	/* One address is IPv4, the other is not. */
	bad = (struct chim_nl_tuple) { .family = AF_INET6, .lport = htons(1),
				       .rport = htons(1) };
	inet_pton(AF_INET6, "::ffff:192.0.2.1", bad.local);
	inet_pton(AF_INET6, "2001:db8::2", bad.remote);
	nlh = req(e, CHIMNEY_CMD_CONN_GET);
	nest = chim_nl_put_tuple(nlh, &bad, 0);
	mnl_attr_for_each_nested(attr, nest) {
		if (mnl_attr_get_type(attr) == CHIMNEY_A_CONST_REMOTE_ADDRESS)
			break;
	}
	REFUSED(nlh, EINVAL, "different families", attr);

	/* What only replies have */
	nlh = req(e, CHIMNEY_CMD_CONN_GET);
	nest = mnl_attr_nest_start(nlh, CHIMNEY_A_CONN_CONST);
	attr = put_u32(nlh, CHIMNEY_A_CONST_REMOTE_MSS, 1460);
	mnl_attr_nest_end(nlh, nest);
	REFUSED(nlh, EINVAL, "", attr);

	/* Not a nest */
	nlh = req(e, CHIMNEY_CMD_CONN_GET);
	attr = chim_nl_put_tuple(nlh, &t, 0);
	attr->nla_type &= ~NLA_F_NESTED;
	REFUSED(nlh, EINVAL, "", attr);
}

TEST_F(conn, socket_refused)
{
	int family = variant->kind == IPV6 ? AF_INET6 : AF_INET;
	struct env *e = &self->e;
	struct nlmsghdr *nlh;
	struct nlattr *attr;
	struct pair p;
	int fds[6], i;
	char c;
	static const struct {
		int err;
		const char *text;
	} want[] = {
		{ EBADF, "fd is not an open socket" },
		{ ENOTSOCK, "fd is not an open socket" },
		{ EOPNOTSUPP, "not a TCP socket" },
		{ EOPNOTSUPP, "not a TCP socket" },
		{ EXDEV, "another network namespace" },
		{ EXDEV, "another network namespace" },
	};

	fds[0] = -1;
	fds[1] = open("/dev/null", O_RDONLY);
	fds[2] = socket(family, SOCK_DGRAM, 0);
	fds[3] = socket(AF_UNIX, SOCK_STREAM, 0);
	fds[4] = e->p.peer;
	fds[5] = net_listen(variant->kind, true);
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		nlh = req(e, CHIMNEY_CMD_CONN_OFFLOAD);
		attr = put_u32(nlh, CHIMNEY_A_CONN_FD, fds[i]);
		REFUSED(nlh, want[i].err, want[i].text, attr);
	}

	/* Twice */
	ASSERT_NE(0, offload(e, e->p.sk)) TH_LOG("%s", e->nl.msg);
	EXPECT_EQ(0, offload(e, e->p.sk));
	EXPECT_EQ(0, answer.n);
	EXPECT_NE('\0', e->nl.msg[0]);
	EXPECT_EQ(0, dev_cmd(e, CHIMNEY_CMD_DEV_UPLOAD_ALL));

	/* Not connected; listening */
	i = socket(family, SOCK_STREAM, 0);
	EXPECT_EQ(0, offload(e, i));
	EXPECT_NE('\0', e->nl.msg[0]);
	ASSERT_EQ(0, listen(i, 1));
	EXPECT_EQ(0, offload(e, i));
	EXPECT_NE('\0', e->nl.msg[0]);
	close(i);

	/* A connection that does not run over a chimney device */
	ASSERT_EQ(0, net_enter(net_peer_ns));
	chim_nl_close(&e->nl);
	ASSERT_EQ(0, chim_nl_open(&e->nl));
	EXPECT_EQ(0, offload(e, e->p.peer));
	EXPECT_NE('\0', e->nl.msg[0]);
	chim_nl_close(&e->nl);
	ASSERT_EQ(0, net_enter(net_host_ns));
	ASSERT_EQ(0, chim_nl_open(&e->nl));

	/* Paused, full */
	ASSERT_EQ(0, dev_cmd(e, CHIMNEY_CMD_DEV_PAUSE));
	EXPECT_EQ(0, offload(e, e->p.sk));
	EXPECT_NE('\0', e->nl.msg[0]);
	ASSERT_EQ(0, dev_cmd(e, CHIMNEY_CMD_DEV_RESUME));
	ASSERT_EQ(0, set_param(e, CHIMNEY_A_DEV_MAX_CONNS, 1));
	ASSERT_NE(0, offload(e, e->p.sk)) TH_LOG("%s", e->nl.msg);
	ASSERT_EQ(0, pair_open(&p, variant->kind));
	EXPECT_EQ(0, offload(e, p.sk));
	EXPECT_EQ(-ENOSPC, answer.err);
	EXPECT_NE('\0', e->nl.msg[0]);
	EXPECT_TRUE(echoes(p.sk, p.peer));

	/* Past its end: TIME_WAIT */
	shutdown(p.sk, SHUT_WR);
	EXPECT_EQ(0, recv(p.peer, &c, 1, 0));
	close(p.peer);
	EXPECT_EQ(0, recv(p.sk, &c, 1, 0));
	close(p.sk);
	nlh = req(e, CHIMNEY_CMD_CONN_OFFLOAD);
	attr = chim_nl_put_tuple(nlh, &p.tuple, 0);
	REFUSED(nlh, EINVAL, "not an established connection", attr);
}

TEST_F(conn, cached_refused)
{
	static const struct {
		__u16 type;
		__u32 val;
		int err;
		const char *text;
	} bad[] = {
		{ CHIMNEY_A_CACHED_INITIAL_RCV_WND, 0, ERANGE, "range" },
		{ CHIMNEY_A_CACHED_INITIAL_RCV_WND, (1 << 30) + 1, ERANGE,
		  "range" },
		{ CHIMNEY_A_CACHED_KA_PROBE_COUNT, 256, ERANGE, "range" },
		{ CHIMNEY_A_CACHED_KA_TIMEOUT, 0, ERANGE, "range" },
		{ CHIMNEY_A_CACHED_KA_TIMEOUT, 0xffffffff, ERANGE, "range" },
		{ CHIMNEY_A_CACHED_KA_INTERVAL, 0xffffffff, ERANGE, "range" },
		{ CHIMNEY_A_CACHED_TTL_OR_HOP_LIMIT, 0, ERANGE, "range" },
		{ CHIMNEY_A_CACHED_TTL_OR_HOP_LIMIT, 256, ERANGE, "range" },
		{ CHIMNEY_A_CACHED_TOS_OR_TRAFFIC_CLASS, 256, ERANGE,
		  "range" },
		{ CHIMNEY_A_CACHED_USER_PRIORITY, 8, ERANGE, "range" },
		{ CHIMNEY_A_CACHED_FLOW_LABEL, 0, EINVAL, "no flow label" },
		{ CHIMNEY_A_CACHED_MAX + 1, 1, EINVAL, "" },
	};
	static const struct {
		__u32 value;
		__u32 selector;
	} flags[] = {
		{ 0, 1 << 5 }, { 1 << 5, 1 << 5 }, { 1, 0 },
		{ CHIMNEY_CACHED_FLAG_KEEP_ALIVE, CHIMNEY_CACHED_FLAG_NAGLING },
		{ 1u << 31, 1u << 31 },
	};
	struct env *e = &self->e;
	struct nlattr *attr, *nest;
	struct nlmsghdr *nlh;
	__u32 id = 0;
	int i, round;

	/* Of a connection offloaded, then at the offload */
	for (round = 0; round < 2; round++) {
		__u8 cmd = CHIMNEY_CMD_CONN_UPDATE;
		__u16 key = CHIMNEY_A_CONN_ID;
		__u32 val;

		if (!round) {
			id = offload(e, e->p.sk);
			ASSERT_NE(0, id) TH_LOG("%s", e->nl.msg);
			val = id;
		} else {
			ASSERT_EQ(0, conn_cmd(e, CHIMNEY_CMD_CONN_TERMINATE,
					      id));
			cmd = CHIMNEY_CMD_CONN_OFFLOAD;
			key = CHIMNEY_A_CONN_FD;
			val = e->p.sk;
		}
		for (i = 0; i < ARRAY_SIZE(bad); i++) {
			nlh = req(e, cmd);
			put_u32(nlh, key, val);
			nest = mnl_attr_nest_start(nlh, CHIMNEY_A_CONN_CACHED);
			put_u32(nlh, CHIMNEY_A_CACHED_RCV_INDICATION_SIZE, 5);
			attr = put_u32(nlh, bad[i].type, bad[i].val);
			mnl_attr_nest_end(nlh, nest);
			if (bad[i].type == CHIMNEY_A_CACHED_FLOW_LABEL &&
			    variant->kind == IPV6) {
				__u32 big = htonl(0x100000);

				memcpy(mnl_attr_get_payload(attr), &big, 4);
				REFUSED(nlh, ERANGE, "range", attr);
				continue;
			}
			REFUSED(nlh, bad[i].err, bad[i].text, attr);
		}
		for (i = 0; i < ARRAY_SIZE(flags); i++) {
			nlh = req(e, cmd);
			put_u32(nlh, key, val);
			nest = mnl_attr_nest_start(nlh, CHIMNEY_A_CONN_CACHED);
			put_u32(nlh, CHIMNEY_A_CACHED_KA_PROBE_COUNT, 5);
			attr = put_flags(nlh, flags[i].value,
					 flags[i].selector);
			mnl_attr_nest_end(nlh, nest);
			REFUSED(nlh, EINVAL, "", attr);
		}

		/* Nothing to change */
		nlh = req(e, cmd);
		put_u32(nlh, key, val);
		nest = mnl_attr_nest_start(nlh, CHIMNEY_A_CONN_CACHED);
		mnl_attr_nest_end(nlh, nest);
		REFUSED(nlh, EINVAL, "nothing to change", nest);
		nlh = req(e, cmd);
		put_u32(nlh, key, val);
		nest = mnl_attr_nest_start(nlh, CHIMNEY_A_CONN_CACHED);
		put_flags(nlh, 0, 0);
		mnl_attr_nest_end(nlh, nest);
		REFUSED(nlh, EINVAL, "nothing to change", nest);

		/* Too long in another unit */
		ASSERT_EQ(0, set_param(e, CHIMNEY_A_DEV_HZ, 10));
		for (i = CHIMNEY_A_CACHED_KA_TIMEOUT;
		     i <= CHIMNEY_A_CACHED_MAX_RT; i++) {
			nlh = req(e, cmd);
			put_u32(nlh, key, val);
			nest = mnl_attr_nest_start(nlh, CHIMNEY_A_CONN_CACHED);
			attr = put_u32(nlh, i, 42949673);
			mnl_attr_nest_end(nlh, nest);
			REFUSED(nlh, ERANGE, "time is too long", attr);
		}
		ASSERT_EQ(0, set_param(e, CHIMNEY_A_DEV_HZ, 1000));
		EXPECT_TRUE(echoes(e->p.sk, e->p.peer));
	}

	ASSERT_NE(0, id = offload(e, e->p.sk)) TH_LOG("%s", e->nl.msg);
	nlh = req(e, CHIMNEY_CMD_CONN_UPDATE);
	put_u32(nlh, CHIMNEY_A_CONN_ID, id);
	MISSES(nlh, EINVAL, "nothing to change", CHIMNEY_A_CONN_CACHED);
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

#define MANY	120

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
	char buf[BUF];
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
