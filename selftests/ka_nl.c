// SPDX-License-Identifier: GPL-2.0
/*
 * ka_tool's requests to the control interface, with all there is in the
 * answers, and its notifications.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/chimney.h>
#include <linux/genetlink.h>

#include "ka_tool.h"

static struct mnl_socket *nl, *nl_events;
static __u16 nl_family;
static __u32 nl_group, nl_seq;

struct nl_reply {
	__u64 conn[CHIMNEY_A_CONN_MAX + 1];
	__u64 cached[CHIMNEY_A_CACHED_MAX + 1];
	__u64 delegated[CHIMNEY_A_DELEGATED_MAX + 1];
	__u64 ka[CHIMNEY_A_KEEP_ALIVE_MAX + 1];
	__u64 rtx[CHIMNEY_A_RETRANSMIT_MAX + 1];
	__u64 stats[CHIMNEY_A_STATS_MAX + 1];
};

static __u64 attr_value(const struct nlattr *a)
{
	switch (mnl_attr_get_payload_len(a)) {
	case 1:
		return mnl_attr_get_u8(a);
	case 2:
		return mnl_attr_get_u16(a);
	case 4:
		return mnl_attr_get_u32(a);
	case 8:
		return mnl_attr_get_u64(a); /* of a bit field, the value */
	}
	return 0;
}

static void nest_values(const struct nlattr *nest, __u64 *v, int max)
{
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, nest)
		if (mnl_attr_get_type(a) <= max)
			v[mnl_attr_get_type(a)] = attr_value(a);
}

static void delegated_values(const struct nlattr *nest, struct nl_reply *r)
{
	const struct nlattr *a;

	nest_values(nest, r->delegated, CHIMNEY_A_DELEGATED_MAX);
	mnl_attr_for_each_nested(a, nest) {
		if (mnl_attr_get_type(a) == CHIMNEY_A_DELEGATED_KEEP_ALIVE)
			nest_values(a, r->ka, CHIMNEY_A_KEEP_ALIVE_MAX);
		if (mnl_attr_get_type(a) == CHIMNEY_A_DELEGATED_RETRANSMIT)
			nest_values(a, r->rtx, CHIMNEY_A_RETRANSMIT_MAX);
	}
}

static int reply_values(const struct nlmsghdr *nlh, void *arg)
{
	struct nl_reply *r = arg;
	const struct nlattr *a;

	memset(r, 0, sizeof(*r));
	mnl_attr_for_each(a, nlh, sizeof(struct genlmsghdr)) {
		switch (mnl_attr_get_type(a)) {
		case CHIMNEY_A_CONN_CACHED:
			nest_values(a, r->cached, CHIMNEY_A_CACHED_MAX);
			r->cached[CHIMNEY_A_CACHED_FLAGS] &= 0xffffffff;
			break;
		case CHIMNEY_A_CONN_DELEGATED:
			delegated_values(a, r);
			break;
		case CHIMNEY_A_CONN_STATS:
			nest_values(a, r->stats, CHIMNEY_A_STATS_MAX);
			break;
		default:
			if (mnl_attr_get_type(a) <= CHIMNEY_A_CONN_MAX)
				r->conn[mnl_attr_get_type(a)] = attr_value(a);
		}
	}
	return MNL_CB_OK;
}

static char nl_buf[32768];

static struct nlmsghdr *nl_new(__u16 family, __u8 cmd)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(nl_buf);
	struct genlmsghdr *g;

	nlh->nlmsg_type = family;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = ++nl_seq;
	g = mnl_nlmsg_put_extra_header(nlh, sizeof(*g));
	g->cmd = cmd;
	g->version = 1;
	return nlh;
}

/* Returns whether the kernel agreed; if not, its words are the reply. */
static bool nl_do(struct nlmsghdr *nlh, mnl_cb_t cb, void *arg)
{
	char buf[32768], text[256];
	const struct nlattr *a;
	struct nlmsgerr *e;
	ssize_t n;
	int ret;

	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		die("netlink");
	do {
		n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (n < 0)
			die("netlink");
		ret = mnl_cb_run(buf, n, nl_seq, 0, cb, arg);
	} while (ret > 0);
	if (!ret)
		return true;
	snprintf(text, sizeof(text), "%s", strerror(errno));
	nlh = (struct nlmsghdr *)buf;
	e = mnl_nlmsg_get_payload(nlh);
	if (nlh->nlmsg_type == NLMSG_ERROR && nlh->nlmsg_flags & 0x200)
		mnl_attr_for_each(a, nlh, sizeof(*e))
			if (mnl_attr_get_type(a) == 1)
				snprintf(text, sizeof(text), "%s",
					 mnl_attr_get_str(a));
	err(text);
	return false;
}

static int family_reply(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *a, *g, *v;

	mnl_attr_for_each(a, nlh, sizeof(struct genlmsghdr)) {
		if (mnl_attr_get_type(a) == CTRL_ATTR_FAMILY_ID)
			nl_family = mnl_attr_get_u16(a);
		if (mnl_attr_get_type(a) != CTRL_ATTR_MCAST_GROUPS)
			continue;
		mnl_attr_for_each_nested(g, a)
			mnl_attr_for_each_nested(v, g)
				if (mnl_attr_get_type(v) ==
				    CTRL_ATTR_MCAST_GRP_ID)
					nl_group = mnl_attr_get_u32(v);
	}
	return MNL_CB_OK;
}

static struct mnl_socket *nl_connect(void)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	int one = 1;

	if (!s || mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0)
		die("netlink");
	mnl_socket_setsockopt(s, NETLINK_EXT_ACK, &one, sizeof(one));
	mnl_socket_setsockopt(s, NETLINK_CAP_ACK, &one, sizeof(one));
	return s;
}

int nl_events_fd(void)
{
	return mnl_socket_get_fd(nl_events);
}

void nl_open(void)
{
	struct nlmsghdr *nlh;

	nl = nl_connect();
	nlh = nl_new(GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, CHIMNEY_FAMILY_NAME);
	if (!nl_do(nlh, family_reply, NULL))
		die("no chimney");
	nl_events = nl_connect();
	if (mnl_socket_setsockopt(nl_events, NETLINK_ADD_MEMBERSHIP, &nl_group,
				  sizeof(nl_group)))
		die("events");
}

void nl_events_read(void)
{
	struct nl_reply r;
	struct genlmsghdr *g;
	struct nlmsghdr *nlh;
	char buf[32768];
	ssize_t got;
	int i, n;

	got = recv(mnl_socket_get_fd(nl_events), buf, sizeof(buf),
		   MSG_DONTWAIT);
	for (n = got, nlh = (struct nlmsghdr *)buf; mnl_nlmsg_ok(nlh, n);
	     nlh = mnl_nlmsg_next(nlh, &n)) {
		if (nlh->nlmsg_type != nl_family)
			continue;
		g = mnl_nlmsg_get_payload(nlh);
		if (g->cmd != CHIMNEY_CMD_CONN_TERMINATE_NTF)
			continue;
		reply_values(nlh, &r);
		for (i = 0; i < n_conns; i++) {
			if (!conns[i] ||
			    conns[i]->id != r.conn[CHIMNEY_A_CONN_ID])
				continue;
			conns[i]->ntf.t = now_us();
			conns[i]->ntf.reason = r.conn[CHIMNEY_A_CONN_REASON];
			memcpy(conns[i]->ntf.v, r.delegated,
			       sizeof(r.delegated));
		}
	}
}

const char *reason_name(int reason)
{
	static const char *const names[] = {
		"none", "host", "hardware-failure", "invalid-state",
		"received-urgent-data", "timeout-expiration",
		"upload-requested", "abort", "socket-call", "close", "route",
		"device", "slow-path", "disconnect",
	};

	return reason < (int)(sizeof(names) / sizeof(*names)) ?
	       names[reason] : "?";
}

const char *state_name(int state)
{
	static const char *const names[] = {
		"none", "closed", "listen", "syn-sent", "syn-rcvd",
		"established", "fin-wait1", "fin-wait2", "close-wait",
		"closing", "last-ack", "time-wait",
	};

	return state < (int)(sizeof(names) / sizeof(*names)) ?
	       names[state] : "?";
}

static long long signed32(__u64 v)
{
	return v == 0xffffffff ? -1 : (long long)v;
}

static void say_reply(const struct nl_reply *r)
{
	const __u64 *d = r->delegated, *k = r->cached;

#define D(name, attr) \
	say(" " name "=%llu", d[CHIMNEY_A_DELEGATED_##attr])
#define K(name, attr) \
	say(" " name "=%lld", signed32(k[CHIMNEY_A_CACHED_##attr]))
	say(" id=%u", (unsigned int)r->conn[CHIMNEY_A_CONN_ID]);
	say(" hz=%u", (unsigned int)r->conn[CHIMNEY_A_CONN_HZ]);
	say(" reason=%s", reason_name(r->conn[CHIMNEY_A_CONN_REASON]));
	say(" state=%s", state_name(d[CHIMNEY_A_DELEGATED_STATE]));
	say(" ka_on=%d", !!(k[CHIMNEY_A_CACHED_FLAGS] &
			    CHIMNEY_CACHED_FLAG_KEEP_ALIVE));
	say(" ka_count=%u",
	    (unsigned int)r->ka[CHIMNEY_A_KEEP_ALIVE_PROBE_COUNT]);
	say(" ka_left=%lld",
	    signed32(r->ka[CHIMNEY_A_KEEP_ALIVE_TIMEOUT_DELTA]));
	say(" rtx_count=%u", (unsigned int)r->rtx[CHIMNEY_A_RETRANSMIT_COUNT]);
	say(" rtx_left=%lld",
	    signed32(r->rtx[CHIMNEY_A_RETRANSMIT_TIMEOUT_DELTA]));
	K("idle", KA_TIMEOUT);
	K("interval", KA_INTERVAL);
	K("probes", KA_PROBE_COUNT);
	K("max_rt", MAX_RT);
	D("total_rt", TOTAL_RT);
	D("round", SND_WND_PROBE_COUNT);
	D("srtt", SRTT);
	D("rttvar", RTT_VAR);
	D("snd_wnd", SND_WND);
	D("snd_una", SND_UNA);
	D("snd_nxt", SND_NXT);
	D("snd_max", SND_MAX);
	D("rcv_nxt", RCV_NXT);
	D("dup", DUP_ACK_COUNT);
	D("cwnd", CWND);
	D("ts_time", TS_TIME);
#undef D
#undef K
}

/* Requests about a connection; @words change cached state. Returns whether the
 * kernel agreed; the reply is written.
 */
bool nl_conn(struct conn *c, __u8 cmd, char **words)
{
	static const struct {
		const char *key;
		int attr;
	} keys[] = {
		{ "idle", CHIMNEY_A_CACHED_KA_TIMEOUT },
		{ "interval", CHIMNEY_A_CACHED_KA_INTERVAL },
		{ "probes", CHIMNEY_A_CACHED_KA_PROBE_COUNT },
		{ "max_rt", CHIMNEY_A_CACHED_MAX_RT },
	};
	struct { __u32 value, selector; } flags = { 0, 0 };
	struct nlmsghdr *nlh = nl_new(nl_family, cmd);
	struct nlattr *nest = NULL;
	struct nl_reply r = {};
	__u64 t0, t1;
	size_t i;

	if (cmd == CHIMNEY_CMD_CONN_OFFLOAD)
		mnl_attr_put_u32(nlh, CHIMNEY_A_CONN_FD, c->fd);
	else
		mnl_attr_put_u32(nlh, CHIMNEY_A_CONN_ID, c->id);
	if (*words || cmd == CHIMNEY_CMD_CONN_UPDATE)
		nest = mnl_attr_nest_start(nlh, CHIMNEY_A_CONN_CACHED);
	for (; *words; words++) {
		char *value = strchr(*words, '=');
		__u32 bit = 0;

		if (!value) {
			err("KEY=VALUE wanted");
			return false;
		}
		*value++ = '\0';
		if (!strcmp(*words, "keepalive"))
			bit = CHIMNEY_CACHED_FLAG_KEEP_ALIVE;
		else if (!strcmp(*words, "restart"))
			bit = CHIMNEY_CACHED_FLAG_KEEP_ALIVE_RESTART;
		else if (!strcmp(*words, "max_rt_restart"))
			bit = CHIMNEY_CACHED_FLAG_MAX_RT_RESTART;
		if (bit) {
			flags.selector |= bit;
			flags.value |= atoi(value) ? bit : 0;
			continue;
		}
		for (i = 0; i < sizeof(keys) / sizeof(*keys); i++)
			if (!strcmp(*words, keys[i].key))
				break;
		if (i == sizeof(keys) / sizeof(*keys)) {
			err("no such cached value");
			return false;
		}
		mnl_attr_put_u32(nlh, keys[i].attr, strtoll(value, NULL, 0));
	}
	if (flags.selector)
		mnl_attr_put(nlh, CHIMNEY_A_CACHED_FLAGS, sizeof(flags),
			     &flags);
	if (nest)
		mnl_attr_nest_end(nlh, nest);
	t0 = now_us();
	if (!nl_do(nlh, reply_values, &r))
		return false;
	t1 = now_us();
	if (r.conn[CHIMNEY_A_CONN_ID])
		c->id = r.conn[CHIMNEY_A_CONN_ID];
	say(" t0=%llu t1=%llu", t0,
	    t1);
	say_reply(&r);
	return true;
}
