// SPDX-License-Identifier: GPL-2.0
/*
 * Netlink: sockets, requests and dumps, what the kernel says when it refuses.
 *
 * Requests always ask to be acknowledged, and an answer is handed on only
 * when it is complete: a dump that was interrupted is asked for again.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/chimney.h>
#include <linux/genetlink.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>

#include "attrs.h"
#include "nl.h"
#include "tool.h"

#define NL_BUFFER	32768
#define NL_DUMP_TRIES	8
#define NL_PREFIX	"chimney: "
#define NL_EVENT_ROOM	(4 << 20)

/* Messages of one answer, each at an aligned place. */
struct nl_answer {
	char *buf;
	size_t len;
	size_t size;
};

static struct mnl_socket *nl_sock;
static __u16 nl_family;
static __u32 nl_group;
static __u32 nl_seq;

static struct mnl_socket *nl_connect(int bus)
{
	struct mnl_socket *sock;
	int one = 1;

	sock = mnl_socket_open2(bus, SOCK_CLOEXEC);
	if (!sock || mnl_socket_bind(sock, 0, MNL_SOCKET_AUTOPID) < 0)
		refuse("netlink socket: %s", strerror(errno));
	/* Kernels without them do with less. */
	mnl_socket_setsockopt(sock, NETLINK_CAP_ACK, &one, sizeof(one));
	mnl_socket_setsockopt(sock, NETLINK_EXT_ACK, &one, sizeof(one));
	mnl_socket_setsockopt(sock, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	return sock;
}

static struct nlmsghdr *nl_start(__u16 type, __u16 flags, size_t extra)
{
	static char buf[NL_BUFFER];
	struct nlmsghdr *nlh;

	nlh = mnl_nlmsg_put_header(buf);
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	nlh->nlmsg_seq = ++nl_seq;
	mnl_nlmsg_put_extra_header(nlh, extra);
	return nlh;
}

static struct nlmsghdr *nl_start_genl(__u16 type, __u8 cmd,
				      __u8 version, __u16 flags)
{
	struct nlmsghdr *nlh;
	struct genlmsghdr *genl;

	nlh = nl_start(type, flags, sizeof(*genl));
	genl = mnl_nlmsg_get_payload(nlh);
	genl->cmd = cmd;
	genl->version = version;
	return nlh;
}

struct nlmsghdr *nl_new(__u8 cmd)
{
	return nl_start_genl(nl_family, cmd, CHIMNEY_FAMILY_VERSION, 0);
}

/* What the kernel has to say, in words. */
static void nl_extack(const struct nlmsghdr *req, const struct nlmsghdr *nlh,
		      size_t skip, int err)
{
	const struct nlattr *tb[NLMSGERR_ATTR_MAX + 1] = {};
	const char *msg = NULL, *name = NULL;
	const struct nlattr *attr;
	bool missing = false;

	if (nlh->nlmsg_flags & NLM_F_ACK_TLVS &&
	    mnl_nlmsg_get_payload_len(nlh) > MNL_ALIGN(skip)) {
		mnl_attr_for_each(attr, nlh, skip) {
			if (mnl_attr_get_type(attr) <= NLMSGERR_ATTR_MAX)
				tb[mnl_attr_get_type(attr)] = attr;
		}
	}
	if (tb[NLMSGERR_ATTR_MSG])
		msg = mnl_attr_get_str(tb[NLMSGERR_ATTR_MSG]);
	/* The module puts its name before what it says; so do we. */
	if (msg && !strncmp(msg, NL_PREFIX, strlen(NL_PREFIX)))
		msg += strlen(NL_PREFIX);
	if (req->nlmsg_type == nl_family && tb[NLMSGERR_ATTR_OFFS]) {
		name = attrs_at(req, nl_u32(tb[NLMSGERR_ATTR_OFFS], 0));
	} else if (req->nlmsg_type == nl_family &&
		   tb[NLMSGERR_ATTR_MISS_TYPE]) {
		missing = true;
		name = attrs_in(req, nl_u32(tb[NLMSGERR_ATTR_MISS_NEST], 0),
				nl_u32(tb[NLMSGERR_ATTR_MISS_TYPE], 0));
	}
	if (!err) {
		if (msg)
			fprintf(stderr, "chimney: warning: %s\n", msg);
		return;
	}
	if (!msg)
		msg = strerror(err);
	if (name)
		refuse("%s (%sattribute %s)", msg, missing ? "missing " : "",
		       name);
	refuse("%s", msg);
}

/* The end of an answer: refused or not. Returns the error if @quiet is it. */
static int nl_verdict(const struct nlmsghdr *req, const struct nlmsghdr *nlh,
		      int quiet)
{
	const struct nlmsgerr *msg = mnl_nlmsg_get_payload(nlh);
	size_t len = mnl_nlmsg_get_payload_len(nlh);
	size_t skip = sizeof(int);
	int err = 0;

	if (len >= sizeof(int))
		err = -msg->error;
	if (err && err == quiet)
		return err;
	if (nlh->nlmsg_type == NLMSG_ERROR) {
		skip = sizeof(*msg);
		if (len < skip)
			refuse("the kernel's answer is too short");
		if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
			skip += mnl_nlmsg_get_payload_len(&msg->msg);
	}
	nl_extack(req, nlh, skip, err);
	return 0;
}

static void nl_keep(struct nl_answer *answer, const struct nlmsghdr *nlh)
{
	size_t len = MNL_ALIGN(nlh->nlmsg_len);

	if (answer->len + len > answer->size) {
		answer->size = 2 * answer->size + NL_BUFFER + len;
		answer->buf = realloc(answer->buf, answer->size);
		if (!answer->buf)
			refuse("%s", strerror(ENOMEM));
	}
	memcpy(answer->buf + answer->len, nlh, nlh->nlmsg_len);
	answer->len += len;
}

/* Returns true when the answer is at its end. */
static bool nl_take(const struct nlmsghdr *req, const char *buf, int len,
		    struct nl_answer *answer, bool *interrupted, int *err)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)buf;

	for (; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
		if (nlh->nlmsg_seq != req->nlmsg_seq)
			continue;
		if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
			*interrupted = true;
		switch (nlh->nlmsg_type) {
		case NLMSG_NOOP:
			break;
		case NLMSG_ERROR:
		case NLMSG_DONE:
			*err = nl_verdict(req, nlh, *err);
			return true;
		default:
			nl_keep(answer, nlh);
		}
	}
	return false;
}

/*
 * Send a request, collect the answer, hand it on. An error is reported and
 * ends the command, unless it is the one of @quiet: that is returned.
 */
static int nl_exchange(struct mnl_socket *sock, struct nlmsghdr *req,
		       int quiet, nl_cb cb, void *arg)
{
	static char buf[NL_BUFFER];
	struct nl_answer answer = {};
	bool interrupted, done;
	int tries = 0, err;
	size_t pos;
	ssize_t len;

again:
	answer.len = 0;
	interrupted = false;
	done = false;
	err = quiet;
	req->nlmsg_seq = ++nl_seq;
	if (mnl_socket_sendto(sock, req, req->nlmsg_len) < 0)
		refuse("netlink: %s", strerror(errno));
	while (!done) {
		len = mnl_socket_recvfrom(sock, buf, sizeof(buf));
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			refuse("netlink: %s", strerror(errno));
		done = nl_take(req, buf, len, &answer, &interrupted, &err);
	}
	if (err)
		goto out;
	if (interrupted && ++tries < NL_DUMP_TRIES)
		goto again;
	if (interrupted)
		fputs("chimney: warning: the list changed while it was read\n",
		      stderr);
	for (pos = 0; cb && pos < answer.len;) {
		const struct nlmsghdr *nlh = (void *)(answer.buf + pos);

		pos += MNL_ALIGN(nlh->nlmsg_len);
		cb(nlh, arg);
	}
out:
	free(answer.buf);
	return err;
}

void nl_do(struct nlmsghdr *nlh, nl_cb cb, void *arg)
{
	nl_exchange(nl_sock, nlh, 0, cb, arg);
}

void nl_dump(__u8 cmd, nl_cb cb, void *arg)
{
	struct nlmsghdr *nlh = nl_new(cmd);

	nlh->nlmsg_flags |= NLM_F_DUMP;
	nl_exchange(nl_sock, nlh, 0, cb, arg);
}

static void nl_found_family(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *tb[CTRL_ATTR_MAX + 1];
	const struct nlattr *group;

	(void)arg;
	nl_parse(nlh, tb, CTRL_ATTR_MAX);
	if (tb[CTRL_ATTR_FAMILY_ID])
		nl_family = mnl_attr_get_u16(tb[CTRL_ATTR_FAMILY_ID]);
	if (!tb[CTRL_ATTR_MCAST_GROUPS])
		return;
	mnl_attr_for_each_nested(group, tb[CTRL_ATTR_MCAST_GROUPS]) {
		const struct nlattr *g[CTRL_ATTR_MCAST_GRP_MAX + 1];

		nl_parse_nest(group, g, CTRL_ATTR_MCAST_GRP_MAX);
		if (g[CTRL_ATTR_MCAST_GRP_NAME] &&
		    !strcmp(mnl_attr_get_str(g[CTRL_ATTR_MCAST_GRP_NAME]),
			    CHIMNEY_MCGRP_EVENTS))
			nl_group = nl_u32(g[CTRL_ATTR_MCAST_GRP_ID], 0);
	}
}

void nl_open(void)
{
	struct nlmsghdr *nlh;
	int err;

	nl_sock = nl_connect(NETLINK_GENERIC);
	nlh = nl_start_genl(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, 0);
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, CHIMNEY_FAMILY_NAME);
	err = nl_exchange(nl_sock, nlh, ENOENT, nl_found_family, NULL);
	if (err || !nl_family)
		refuse("the module chimney is not loaded");
}

void nl_listen(nl_cb cb, void *arg)
{
	static char buf[NL_BUFFER];
	int room = NL_EVENT_ROOM;
	struct mnl_socket *sock;
	struct nlmsghdr *nlh;
	ssize_t ret;
	int len;

	sock = nl_connect(NETLINK_GENERIC);
	setsockopt(mnl_socket_get_fd(sock), SOL_SOCKET, SO_RCVBUF, &room,
		   sizeof(room));
	if (!nl_group || mnl_socket_setsockopt(sock, NETLINK_ADD_MEMBERSHIP,
					       &nl_group, sizeof(nl_group)))
		refuse("cannot listen to events: %s",
		       nl_group ? strerror(errno) : "there are none");
	for (;;) {
		ret = mnl_socket_recvfrom(sock, buf, sizeof(buf));
		if (ret < 0 && errno == ENOBUFS)
			fputs("chimney: warning: events were lost\n", stderr);
		else if (ret < 0 && errno != EINTR)
			refuse("netlink: %s", strerror(errno));
		if (ret <= 0)
			continue;
		len = ret;
		for (nlh = (void *)buf; mnl_nlmsg_ok(nlh, len);
		     nlh = mnl_nlmsg_next(nlh, &len)) {
			if (nlh->nlmsg_type == nl_family)
				cb(nlh, arg);
		}
	}
}

struct nl_diag_arg {
	nl_diag_cb cb;
	void *arg;
};

static void nl_diag_one(const struct nlmsghdr *nlh, void *arg)
{
	struct nl_diag_arg *diag = arg;

	if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(struct inet_diag_msg))
		diag->cb(mnl_nlmsg_get_payload(nlh), diag->arg);
}

void nl_diag(int family, __u32 states, nl_diag_cb cb, void *arg)
{
	struct nl_diag_arg diag = { .cb = cb, .arg = arg };
	struct inet_diag_req_v2 *req;
	struct mnl_socket *sock;
	struct nlmsghdr *nlh;

	sock = nl_connect(NETLINK_SOCK_DIAG);
	nlh = nl_start(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, sizeof(*req));
	req = mnl_nlmsg_get_payload(nlh);
	req->sdiag_family = family;
	req->sdiag_protocol = IPPROTO_TCP;
	req->idiag_states = states;
	if (nl_exchange(sock, nlh, ENOENT, nl_diag_one, &diag))
		refuse("cannot list sockets: the module tcp_diag is missing");
	mnl_socket_close(sock);
}

void nl_put(struct nlmsghdr *nlh, __u16 type, const void *data, size_t len)
{
	mnl_attr_put(nlh, type, len, data);
}

void nl_put_u32(struct nlmsghdr *nlh, __u16 type, __u32 value)
{
	mnl_attr_put_u32(nlh, type, value);
}

void nl_put_bitfield(struct nlmsghdr *nlh, __u16 type, __u32 value,
		     __u32 selector)
{
	struct nla_bitfield32 bits = { .value = value, .selector = selector };

	mnl_attr_put(nlh, type, sizeof(bits), &bits);
}

struct nlattr *nl_nest(struct nlmsghdr *nlh, __u16 type)
{
	return mnl_attr_nest_start(nlh, type);
}

void nl_nest_end(struct nlmsghdr *nlh, struct nlattr *nest)
{
	mnl_attr_nest_end(nlh, nest);
}

__u8 nl_cmd(const struct nlmsghdr *nlh)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);

	return genl->cmd;
}

void nl_parse(const struct nlmsghdr *nlh, const struct nlattr **tb,
	      unsigned int max)
{
	const struct nlattr *attr;

	memset(tb, 0, (max + 1) * sizeof(*tb));
	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr)) {
		if (mnl_attr_get_type(attr) <= max)
			tb[mnl_attr_get_type(attr)] = attr;
	}
}

void nl_parse_nest(const struct nlattr *nest, const struct nlattr **tb,
		   unsigned int max)
{
	const struct nlattr *attr;

	memset(tb, 0, (max + 1) * sizeof(*tb));
	if (!nest)
		return;
	mnl_attr_for_each_nested(attr, nest) {
		if (mnl_attr_get_type(attr) <= max)
			tb[mnl_attr_get_type(attr)] = attr;
	}
}

const void *nl_data(const struct nlattr *attr)
{
	return mnl_attr_get_payload(attr);
}

size_t nl_len(const struct nlattr *attr)
{
	return mnl_attr_get_payload_len(attr);
}

/* A u32, or @absent without the attribute. */
__u32 nl_u32(const struct nlattr *attr, __u32 absent)
{
	if (!attr || mnl_attr_get_payload_len(attr) < sizeof(__u32))
		return absent;
	return mnl_attr_get_u32(attr);
}
