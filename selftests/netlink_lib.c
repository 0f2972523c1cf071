// SPDX-License-Identifier: GPL-2.0
/*
 * The control interface as its tests see it; see netlink_lib.h.
 */
#include <errno.h>
#include <grp.h>
#include <linux/genetlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "netlink_lib.h"

struct answer answer;

/**
 * env_setup - make namespaces of its own for a test, and connect to the module
 * @e: what to set up; it has no connection then
 *
 * Return: 0, or something else if that cannot be done
 */
int env_setup(struct env *e)
{
	e->p.sk = -1;
	e->p.peer = -1;
	if (!net_renew())
		return -1;
	return chim_nl_open(&e->nl);
}

/**
 * env_teardown - close what is open
 * @e: what env_setup() set up
 */
void env_teardown(struct env *e)
{
	pair_close(&e->p);
	chim_nl_close(&e->nl);
}

/**
 * tuple_len - length of an address
 * @t: addresses of a connection
 *
 * Return: bytes
 */
int tuple_len(const struct chim_nl_tuple *t)
{
	return t->family == AF_INET ? 4 : 16;
}

/**
 * tuple_on_wire - the addresses of a connection as the peer has them
 * @p: connection
 *
 * IPv4 on an IPv6 socket is IPv4 on the wire.
 *
 * Return: its addresses, the host's first
 */
struct chim_nl_tuple tuple_on_wire(const struct pair *p)
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

/* ---- requests ----------------------------------------------------------- */

/**
 * req - begin a request
 * @e: what the test has
 * @cmd: CHIMNEY_CMD_*, or none of them
 *
 * It lasts while three others are made: what is to be refused is sent after
 * what was there before has been asked for.
 *
 * Return: the request, to which attributes may be added
 */
struct nlmsghdr *req(struct env *e, __u8 cmd)
{
	static char bufs[4][NL_ROOM];
	static int next;

	return chim_nl_start(&e->nl, bufs[next++ % 4], e->nl.family, cmd);
}

/**
 * dump_req - begin a request that lists everything
 * @e: what the test has
 * @cmd: CHIMNEY_CMD_*
 *
 * Return: the request
 */
struct nlmsghdr *dump_req(struct env *e, __u8 cmd)
{
	struct nlmsghdr *nlh = req(e, cmd);

	nlh->nlmsg_flags |= NLM_F_DUMP;
	return nlh;
}

/**
 * dev_req - begin a request about chim0
 * @e: what the test has
 * @cmd: CHIMNEY_CMD_*, or none of them
 *
 * Return: the request, to which attributes may be added
 */
struct nlmsghdr *dev_req(struct env *e, __u8 cmd)
{
	struct nlmsghdr *nlh = req(e, cmd);

	put_u32(nlh, CHIMNEY_A_DEV_IFINDEX, net_ifindex);
	return nlh;
}

/**
 * put - add an attribute to a request
 * @nlh: request
 * @type: of the attribute
 * @data: its value
 * @len: length of that, bytes
 *
 * Return: the attribute, for who has to know where it is
 */
struct nlattr *put(struct nlmsghdr *nlh, __u16 type, const void *data,
		   size_t len)
{
	struct nlattr *attr = mnl_nlmsg_get_payload_tail(nlh);

	mnl_attr_put(nlh, type, len, data);
	return attr;
}

/**
 * put_u32 - add an attribute of 32 bits to a request
 * @nlh: request
 * @type: of the attribute
 * @val: its value
 *
 * Return: the attribute
 */
struct nlattr *put_u32(struct nlmsghdr *nlh, __u16 type, __u32 val)
{
	return put(nlh, type, &val, sizeof(val));
}

/**
 * put_cached - add a change of one cached value
 * @nlh: request
 * @type: CHIMNEY_A_CACHED_*, of 32 bits
 * @val: its value
 *
 * Return: the attribute in the nest
 */
struct nlattr *put_cached(struct nlmsghdr *nlh, __u16 type, __u32 val)
{
	struct nlattr *nest, *attr;

	nest = mnl_attr_nest_start(nlh, CHIMNEY_A_CONN_CACHED);
	attr = put_u32(nlh, type, val);
	mnl_attr_nest_end(nlh, nest);
	return attr;
}

/**
 * put_flags - add flags to the nest of cached values in a request
 * @nlh: request
 * @value: which are to be set, CHIMNEY_CACHED_FLAG_*
 * @selector: which are to be changed
 *
 * Return: the attribute
 */
struct nlattr *put_flags(struct nlmsghdr *nlh, __u32 value, __u32 selector)
{
	struct nla_bitfield32 flags = { value, selector };

	return put(nlh, CHIMNEY_A_CACHED_FLAGS, &flags, sizeof(flags));
}

/* ---- answers ------------------------------------------------------------ */

static int on_reply(const struct nlmsghdr *nlh, void *data)
{
	if (answer.n < MAX_REPLIES) {
		answer.reply[answer.n] = memcpy(answer.buf[answer.n], nlh,
						nlh->nlmsg_len);
		answer.n++;
	}
	return MNL_CB_OK;
}

/**
 * ask - send a request and wait for the answer
 * @e: what the test has
 * @nlh: request
 *
 * The replies are in answer then, and the kernel's words in @e.
 *
 * Return: 0 or a negative error
 */
int ask(struct env *e, struct nlmsghdr *nlh)
{
	memset(&answer, 0, sizeof(answer));
	answer.err = chim_nl_ask(&e->nl, nlh, on_reply, NULL);
	return answer.err;
}

/**
 * find - find an attribute of a message
 * @nlh: message
 * @type: of the attribute, or of the nest that it is in
 *
 * Where it is in a nest, the types on the way to it follow, and its own; the
 * last one is followed by 0.
 *
 * Return: the attribute, or NULL if it is not there
 */
const struct nlattr *find(const struct nlmsghdr *nlh, int type, ...)
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

/**
 * attr_u32 - value of an attribute of 32 bits
 * @attr: attribute, or NULL
 *
 * Return: the value, or one that no test expects
 */
__u32 attr_u32(const struct nlattr *attr)
{
	return attr ? mnl_attr_get_u32(attr) : NO_VALUE;
}

/* ---- commands ----------------------------------------------------------- */

/**
 * dev_cmd - a command about chim0 that takes nothing else
 * @e: what the test has
 * @cmd: CHIMNEY_CMD_DEV_*
 *
 * Return: 0 or a negative error
 */
int dev_cmd(struct env *e, __u8 cmd)
{
	return ask(e, dev_req(e, cmd));
}

/**
 * set_param - set a parameter of chim0
 * @e: what the test has
 * @type: CHIMNEY_A_DEV_*
 * @val: its value; times are in ticks
 *
 * Return: 0 or a negative error
 */
int set_param(struct env *e, __u16 type, __u32 val)
{
	struct nlmsghdr *nlh = dev_req(e, CHIMNEY_CMD_DEV_SET);

	put_u32(nlh, type, val);
	return ask(e, nlh);
}

/**
 * param - get a parameter of chim0
 * @e: what the test has
 * @type: CHIMNEY_A_DEV_*
 *
 * Return: its value, times in ticks; or one that no test expects
 */
__u32 param(struct env *e, __u16 type)
{
	if (dev_cmd(e, CHIMNEY_CMD_DEV_GET) || answer.n != 1)
		return NO_VALUE;
	return got_u32(type);
}

/**
 * conn_cmd - a command that takes nothing but a connection
 * @e: what the test has
 * @cmd: CHIMNEY_CMD_CONN_*
 * @id: of the connection
 *
 * Return: 0 or a negative error
 */
int conn_cmd(struct env *e, __u8 cmd, __u32 id)
{
	struct nlmsghdr *nlh = req(e, cmd);

	put_u32(nlh, CHIMNEY_A_CONN_ID, id);
	return ask(e, nlh);
}

/**
 * offload - hand a socket to the NIC
 * @e: what the test has
 * @sk: socket
 *
 * Return: id of the connection, or 0 if it was refused
 */
__u32 offload(struct env *e, int sk)
{
	struct nlmsghdr *nlh = req(e, CHIMNEY_CMD_CONN_OFFLOAD);

	put_u32(nlh, CHIMNEY_A_CONN_FD, sk);
	if (ask(e, nlh) || answer.n != 1)
		return 0;
	return got_u32(CHIMNEY_A_CONN_ID);
}

/**
 * dump - list all devices or connections
 * @e: what the test has
 * @cmd: CHIMNEY_CMD_DEV_GET or CHIMNEY_CMD_CONN_GET
 *
 * Return: 0 or a negative error
 */
int dump(struct env *e, __u8 cmd)
{
	return ask(e, dump_req(e, cmd));
}

/* ---- refusals ----------------------------------------------------------- */

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
	for (i = 0; e->p.sk >= 0 && i < MNL_ARRAY_SIZE(opts); i++) {
		val = get_int(e->p.sk, opts[i][0], opts[i][1]);
		memcpy(p, &val, sizeof(val));
		p += sizeof(val);
	}
	return p - buf;
}

/**
 * dumps_blame - can an attribute of a dump be blamed?
 *
 * Linux before 6.10 has no way to do it.
 *
 * Return: true if so
 */
bool dumps_blame(void)
{
	unsigned int major = 0, minor = 0;
	struct utsname name;

	uname(&name);
	if (sscanf(name.release, "%u.%u", &major, &minor) != 2)
		return false;
	return major > 6 || (major == 6 && minor >= 10);
}

/**
 * refused - is a request refused as it should be, and changes nothing?
 * @e: what the test has
 * @nlh: request
 * @err: positive errno
 * @text: what the kernel's words contain
 * @bad: attribute of @nlh that is blamed, or NULL for none
 * @miss: type of the attribute that is said to be missing, 0 for none
 *
 * Return: true if so; otherwise it has printed what is wrong
 */
bool refused(struct env *e, struct nlmsghdr *nlh, int err, const char *text,
	     const struct nlattr *bad, __u32 miss)
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

/* ---- other callers ------------------------------------------------------ */

static int child_line;

/**
 * check_child - note a failure in the process of in_child(); see CHILD()
 * @ok: what should be true
 * @line: where it is found out
 */
void check_child(bool ok, int line)
{
	if (!ok && !child_line)
		child_line = line;
}

/**
 * in_child - have something done by a process of its own
 * @e: what the test has; in the process @e->nl is another one
 * @fn: what it does, with CHILD() for what should be true
 * @nobody: it is not root
 *
 * Return: 0, the first line that failed, or -1 if it did not get to the end
 */
int in_child(struct env *e, void (*fn)(struct env *e), bool nobody)
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

/* ---- notifications ------------------------------------------------------ */

/**
 * event - the next notification
 * @ear: where they are sent, from chim_nl_listen()
 * @ms: how long to wait for it, ms
 *
 * Return: the message, until the next call; NULL if there is none in time
 */
struct nlmsghdr *event(struct chim_nl *ear, int ms)
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

/**
 * event_cmd - what a notification is about
 * @ear: where it came
 * @nlh: message, or NULL
 *
 * Return: CHIMNEY_CMD_*_NTF, or 0 if it is no notification of the module
 */
__u8 event_cmd(const struct chim_nl *ear, const struct nlmsghdr *nlh)
{
	const struct genlmsghdr *genl;

	if (!nlh || nlh->nlmsg_type != ear->family || nlh->nlmsg_seq ||
	    nlh->nlmsg_pid)
		return 0;
	genl = mnl_nlmsg_get_payload(nlh);
	return genl->cmd;
}
