// SPDX-License-Identifier: GPL-2.0
/*
 * The control interface for test programs, on libmnl.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>

#include "chimney_nl.h"

/* Where the values of one nest go, and which are of an unusual type. */
struct values {
	__u64 *val;
	int max;
	int bits;
	int be32;
};

static int on_value(const struct nlattr *attr, void *data)
{
	const struct values *v = data;
	int type = mnl_attr_get_type(attr);
	struct nla_bitfield32 bits;

	if (type > v->max)
		return MNL_CB_OK;
	switch (mnl_attr_get_payload_len(attr)) {
	case sizeof(__u16):
		v->val[type] = ntohs(mnl_attr_get_u16(attr));
		break;
	case sizeof(__u32):
		v->val[type] = mnl_attr_get_u32(attr);
		if (type == v->be32)
			v->val[type] = ntohl(mnl_attr_get_u32(attr));
		break;
	case sizeof(__u64):
		v->val[type] = mnl_attr_get_u64(attr);
		if (type != v->bits)
			break;
		memcpy(&bits, mnl_attr_get_payload(attr), sizeof(bits));
		v->val[type] = bits.value;
		break;
	}
	return MNL_CB_OK;
}

static int on_conn_attr(const struct nlattr *attr, void *data)
{
	struct chim_nl_conn *c = data;
	struct values v;

	switch (mnl_attr_get_type(attr)) {
	case CHIMNEY_A_CONN_CONST:
		v = (struct values){ .val = c->constant,
				     .max = CHIMNEY_A_CONST_MAX };
		break;
	case CHIMNEY_A_CONN_CACHED:
		v = (struct values){ c->cached, CHIMNEY_A_CACHED_MAX,
				     CHIMNEY_A_CACHED_FLAGS,
				     CHIMNEY_A_CACHED_FLOW_LABEL };
		break;
	case CHIMNEY_A_CONN_DELEGATED:
		v = (struct values){ .val = c->delegated,
				     .max = CHIMNEY_A_DELEGATED_MAX };
		break;
	case CHIMNEY_A_CONN_STATS:
		v = (struct values){ .val = c->stats,
				     .max = CHIMNEY_A_STATS_MAX };
		break;
	default:
		v = (struct values){ .val = c->conn,
				     .max = CHIMNEY_A_CONN_MAX };
		return on_value(attr, &v);
	}
	return mnl_attr_parse_nested(attr, on_value, &v);
}

static int on_conn(const struct nlmsghdr *nlh, void *data)
{
	if (!data)
		return MNL_CB_OK;
	memset(data, 0, sizeof(struct chim_nl_conn));
	return mnl_attr_parse(nlh, sizeof(struct genlmsghdr), on_conn_attr,
			      data);
}

static int on_listed(const struct nlmsghdr *nlh, void *data)
{
	++*(unsigned int *)data;
	return MNL_CB_OK;
}

static int on_dev(const struct nlmsghdr *nlh, void *data)
{
	struct chim_nl_dev *dev = data;
	struct values v;

	if (!dev)
		return MNL_CB_OK;
	memset(dev, 0, sizeof(*dev));
	v = (struct values){ .val = dev->dev, .max = CHIMNEY_A_DEV_MAX };
	return mnl_attr_parse(nlh, sizeof(struct genlmsghdr), on_value, &v);
}

static int on_group_attr(const struct nlattr *attr, void *data)
{
	struct chim_nl *nl = data;

	if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_ID)
		nl->events = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

/* There is one group only. */
static int on_group(const struct nlattr *attr, void *data)
{
	return mnl_attr_parse_nested(attr, on_group_attr, data);
}

static int on_family_attr(const struct nlattr *attr, void *data)
{
	struct chim_nl *nl = data;

	switch (mnl_attr_get_type(attr)) {
	case CTRL_ATTR_FAMILY_ID:
		nl->family = mnl_attr_get_u16(attr);
		break;
	case CTRL_ATTR_MCAST_GROUPS:
		return mnl_attr_parse_nested(attr, on_group, data);
	}
	return MNL_CB_OK;
}

static int on_family(const struct nlmsghdr *nlh, void *data)
{
	return mnl_attr_parse(nlh, sizeof(struct genlmsghdr), on_family_attr,
			      data);
}

static int on_ext_ack(const struct nlattr *attr, void *data)
{
	struct chim_nl *nl = data;

	switch (mnl_attr_get_type(attr)) {
	case NLMSGERR_ATTR_MSG:
		snprintf(nl->msg, sizeof(nl->msg), "%s",
			 mnl_attr_get_str(attr));
		break;
	case NLMSGERR_ATTR_OFFS:
		nl->bad = mnl_attr_get_u32(attr);
		break;
	case NLMSGERR_ATTR_MISS_TYPE:
		nl->miss = mnl_attr_get_u32(attr);
		break;
	}
	return MNL_CB_OK;
}

static int verdict(struct chim_nl *nl, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);
	unsigned int skip = sizeof(*err);

	if (nlh->nlmsg_type == NLMSG_DONE)
		skip = sizeof(err->error);
	else if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		skip += mnl_nlmsg_get_payload_len(&err->msg);
	if (nlh->nlmsg_flags & NLM_F_ACK_TLVS)
		mnl_attr_parse(nlh, skip, on_ext_ack, nl);
	return err->error;
}

/**
 * chim_nl_start - begin a request
 * @nl: connection to the module
 * @buf: NL_ROOM bytes to make it in
 * @type: whose command it is, @nl's family in most cases
 * @cmd: the command
 *
 * Return: the request, to which attributes may be added
 */
struct nlmsghdr *chim_nl_start(struct chim_nl *nl, char *buf, int type,
			       int cmd)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *genl;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = ++nl->seq;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = CHIMNEY_FAMILY_VERSION;
	return nlh;
}

/**
 * chim_nl_ask - send a request, and read up to its acknowledgment
 * @nl: connection to the module
 * @req: request, from chim_nl_start()
 * @on_reply: called for each reply, if not NULL
 * @data: passed to it
 *
 * A dump is read to its end.
 *
 * Return: 0 or a negative error
 */
int chim_nl_ask(struct chim_nl *nl, const struct nlmsghdr *req,
		int (*on_reply)(const struct nlmsghdr *nlh, void *data),
		void *data)
{
	char buf[NL_ROOM];
	struct nlmsghdr *nlh;
	int len;

	nl->msg[0] = '\0';
	nl->bad = 0;
	nl->miss = 0;
	nl->intr = false;
	if (mnl_socket_sendto(nl->sock, req, req->nlmsg_len) < 0)
		return -errno;
	for (;;) {
		len = mnl_socket_recvfrom(nl->sock, buf, sizeof(buf));
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return -errno;
		for (nlh = (void *)buf; mnl_nlmsg_ok(nlh, len);
		     nlh = mnl_nlmsg_next(nlh, &len)) {
			if (nlh->nlmsg_seq != req->nlmsg_seq)
				continue;
			if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
				nl->intr = true;
			if (nlh->nlmsg_type == NLMSG_ERROR ||
			    nlh->nlmsg_type == NLMSG_DONE)
				return verdict(nl, nlh);
			if (on_reply)
				on_reply(nlh, data);
		}
	}
}

/**
 * chim_nl_open - connect to the module, in the namespace of the caller
 * @nl: what to set up
 */
int chim_nl_open(struct chim_nl *nl)
{
	char buf[NL_ROOM];
	struct nlmsghdr *nlh;
	int one = 1, err;

	memset(nl, 0, sizeof(*nl));
	nl->sock = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!nl->sock)
		return -errno;
	if (mnl_socket_bind(nl->sock, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	mnl_socket_setsockopt(nl->sock, NETLINK_CAP_ACK, &one, sizeof(one));
	mnl_socket_setsockopt(nl->sock, NETLINK_EXT_ACK, &one, sizeof(one));

	nlh = chim_nl_start(nl, buf, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, CHIMNEY_FAMILY_NAME);
	err = chim_nl_ask(nl, nlh, on_family, nl);
	if (err)
		chim_nl_close(nl);
	return err;
}

/**
 * chim_nl_listen - connect to the module, to have notifications sent
 * @nl: what to set up; for nothing else
 */
int chim_nl_listen(struct chim_nl *nl)
{
	int err = chim_nl_open(nl);

	if (err)
		return err;
	if (mnl_socket_setsockopt(nl->sock, NETLINK_ADD_MEMBERSHIP,
				  &nl->events, sizeof(nl->events)) < 0) {
		err = -errno;
		chim_nl_close(nl);
	}
	return err;
}

void chim_nl_close(struct chim_nl *nl)
{
	if (nl->sock)
		mnl_socket_close(nl->sock);
	nl->sock = NULL;
}

static void tuple_end(const struct sockaddr_storage *ss, __u8 *addr,
		      __be16 *port)
{
	const struct sockaddr_in6 *in6 = (const void *)ss;
	const struct sockaddr_in *in = (const void *)ss;

	if (ss->ss_family == AF_INET) {
		memcpy(addr, &in->sin_addr, sizeof(in->sin_addr));
		*port = in->sin_port;
	} else {
		memcpy(addr, &in6->sin6_addr, sizeof(in6->sin6_addr));
		*port = in6->sin6_port;
	}
}

/**
 * chim_nl_tuple_of - the addresses of a connected socket
 * @fd: socket
 * @t: set to them
 */
int chim_nl_tuple_of(int fd, struct chim_nl_tuple *t)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	memset(t, 0, sizeof(*t));
	if (getsockname(fd, (void *)&ss, &len))
		return -errno;
	t->family = ss.ss_family;
	tuple_end(&ss, t->local, &t->lport);
	len = sizeof(ss);
	if (getpeername(fd, (void *)&ss, &len))
		return -errno;
	tuple_end(&ss, t->remote, &t->rport);
	return 0;
}

/**
 * chim_nl_put_tuple - name a connection in a request by its addresses
 * @nlh: request
 * @t: addresses
 * @skip: CHIMNEY_A_CONST_* that is left out, or 0
 *
 * Return: the nest that was added
 */
struct nlattr *chim_nl_put_tuple(struct nlmsghdr *nlh,
				 const struct chim_nl_tuple *t, int skip)
{
	int len = t->family == AF_INET ? 4 : 16;
	struct nlattr *nest;

	nest = mnl_attr_nest_start(nlh, CHIMNEY_A_CONN_CONST);
	if (skip != CHIMNEY_A_CONST_FAMILY)
		mnl_attr_put_u32(nlh, CHIMNEY_A_CONST_FAMILY, t->family);
	if (skip != CHIMNEY_A_CONST_LOCAL_ADDRESS)
		mnl_attr_put(nlh, CHIMNEY_A_CONST_LOCAL_ADDRESS, len, t->local);
	if (skip != CHIMNEY_A_CONST_REMOTE_ADDRESS)
		mnl_attr_put(nlh, CHIMNEY_A_CONST_REMOTE_ADDRESS, len,
			     t->remote);
	if (skip != CHIMNEY_A_CONST_LOCAL_PORT)
		mnl_attr_put_u16(nlh, CHIMNEY_A_CONST_LOCAL_PORT, t->lport);
	if (skip != CHIMNEY_A_CONST_REMOTE_PORT)
		mnl_attr_put_u16(nlh, CHIMNEY_A_CONST_REMOTE_PORT, t->rport);
	mnl_attr_nest_end(nlh, nest);
	return nest;
}

/**
 * chim_nl_offload_fd - hand a socket of this process to the NIC
 * @nl: connection to the module
 * @fd: socket
 * @conn: set to what was handed over, or NULL
 */
int chim_nl_offload_fd(struct chim_nl *nl, int fd, struct chim_nl_conn *conn)
{
	char buf[NL_ROOM];
	struct nlmsghdr *nlh;

	nlh = chim_nl_start(nl, buf, nl->family, CHIMNEY_CMD_CONN_OFFLOAD);
	mnl_attr_put_u32(nlh, CHIMNEY_A_CONN_FD, fd);
	return chim_nl_ask(nl, nlh, on_conn, conn);
}

static int by_tuple(struct chim_nl *nl, int cmd, const struct chim_nl_tuple *t,
		    struct chim_nl_conn *conn)
{
	char buf[NL_ROOM];
	struct nlmsghdr *nlh;

	nlh = chim_nl_start(nl, buf, nl->family, cmd);
	chim_nl_put_tuple(nlh, t, 0);
	return chim_nl_ask(nl, nlh, on_conn, conn);
}

int chim_nl_offload(struct chim_nl *nl, const struct chim_nl_tuple *t,
		    struct chim_nl_conn *conn)
{
	return by_tuple(nl, CHIMNEY_CMD_CONN_OFFLOAD, t, conn);
}

int chim_nl_terminate(struct chim_nl *nl, const struct chim_nl_tuple *t,
		      struct chim_nl_conn *conn)
{
	return by_tuple(nl, CHIMNEY_CMD_CONN_TERMINATE, t, conn);
}

int chim_nl_get(struct chim_nl *nl, const struct chim_nl_tuple *t,
		struct chim_nl_conn *conn)
{
	return by_tuple(nl, CHIMNEY_CMD_CONN_GET, t, conn);
}

/**
 * chim_nl_update - change one of the cached values of a connection
 * @nl: connection to the module
 * @t: which
 * @attr: CHIMNEY_A_CACHED_*, of 32 bits
 * @value: what to set it to
 */
int chim_nl_update(struct chim_nl *nl, const struct chim_nl_tuple *t,
		   int attr, __u32 value)
{
	char buf[NL_ROOM];
	struct nlmsghdr *nlh;
	struct nlattr *nest;

	nlh = chim_nl_start(nl, buf, nl->family, CHIMNEY_CMD_CONN_UPDATE);
	chim_nl_put_tuple(nlh, t, 0);
	nest = mnl_attr_nest_start(nlh, CHIMNEY_A_CONN_CACHED);
	mnl_attr_put_u32(nlh, attr, value);
	mnl_attr_nest_end(nlh, nest);
	return chim_nl_ask(nl, nlh, on_conn, NULL);
}

/**
 * chim_nl_dump - list all connections
 * @nl: connection to the module
 * @conns: set to how many there are
 */
int chim_nl_dump(struct chim_nl *nl, unsigned int *conns)
{
	char buf[NL_ROOM];
	struct nlmsghdr *nlh;

	*conns = 0;
	nlh = chim_nl_start(nl, buf, nl->family, CHIMNEY_CMD_CONN_GET);
	nlh->nlmsg_flags |= NLM_F_DUMP;
	return chim_nl_ask(nl, nlh, on_listed, conns);
}

int chim_nl_dev(struct chim_nl *nl, unsigned int ifindex,
		struct chim_nl_dev *dev)
{
	char buf[NL_ROOM];
	struct nlmsghdr *nlh;

	nlh = chim_nl_start(nl, buf, nl->family, CHIMNEY_CMD_DEV_GET);
	mnl_attr_put_u32(nlh, CHIMNEY_A_DEV_IFINDEX, ifindex);
	return chim_nl_ask(nl, nlh, on_dev, dev);
}

/**
 * chim_nl_dev_set - change one parameter of a device
 * @nl: connection to the module
 * @ifindex: device
 * @attr: CHIMNEY_A_DEV_*
 * @value: what to set it to
 */
int chim_nl_dev_set(struct chim_nl *nl, unsigned int ifindex, int attr,
		    __u32 value)
{
	char buf[NL_ROOM];
	struct nlmsghdr *nlh;

	nlh = chim_nl_start(nl, buf, nl->family, CHIMNEY_CMD_DEV_SET);
	mnl_attr_put_u32(nlh, CHIMNEY_A_DEV_IFINDEX, ifindex);
	mnl_attr_put_u32(nlh, attr, value);
	return chim_nl_ask(nl, nlh, on_dev, NULL);
}

/**
 * chim_nl_dev_do - a command that takes nothing but the device
 * @nl: connection to the module
 * @ifindex: device
 * @cmd: CHIMNEY_CMD_DEV_PAUSE, ..._RESUME or ..._UPLOAD_ALL
 */
int chim_nl_dev_do(struct chim_nl *nl, unsigned int ifindex, int cmd)
{
	char buf[NL_ROOM];
	struct nlmsghdr *nlh;

	nlh = chim_nl_start(nl, buf, nl->family, cmd);
	mnl_attr_put_u32(nlh, CHIMNEY_A_DEV_IFINDEX, ifindex);
	return chim_nl_ask(nl, nlh, on_dev, NULL);
}
