// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libmnl/libmnl.h>
#include <linux/chimney.h>
#include <linux/genetlink.h>

#include "chimney_nl.h"

#define NL_BUFFER	8192

struct chimney_nl {
	struct mnl_socket *sock;
	uint16_t family;
	uint32_t seq;
	uint32_t id;	/* CHIMNEY_A_CONN_ID of the last answer */
	char error[256];
	char buf[NL_BUFFER];
};

static struct nlmsghdr *nl_start(struct chimney_nl *nl, uint16_t type,
				 uint8_t cmd)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(nl->buf);
	struct genlmsghdr *genl;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = ++nl->seq;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = 1;
	return nlh;
}

static int nl_verdict(struct chimney_nl *nl, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;
	size_t skip = sizeof(*err);

	if (!err->error)
		return 0;
	snprintf(nl->error, sizeof(nl->error), "%s", strerror(-err->error));
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		skip += mnl_nlmsg_get_payload_len(&err->msg);
	if (nlh->nlmsg_flags & NLM_F_ACK_TLVS)
		mnl_attr_for_each(attr, nlh, skip)
			if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG)
				snprintf(nl->error, sizeof(nl->error), "%s",
					 mnl_attr_get_str(attr));
	return err->error;
}

/* Send what is in the buffer, return the kernel's verdict. */
static int nl_talk(struct chimney_nl *nl, struct nlmsghdr *req)
{
	const struct nlattr *attr;
	uint32_t seq = nl->seq;
	struct nlmsghdr *nlh;
	int len;

	nl->error[0] = 0;
	if (mnl_socket_sendto(nl->sock, req, req->nlmsg_len) < 0)
		return -errno;
	for (;;) {
		len = mnl_socket_recvfrom(nl->sock, nl->buf, sizeof(nl->buf));
		if (len < 0)
			return -errno;
		nlh = (struct nlmsghdr *)nl->buf;
		for (; mnl_nlmsg_ok(nlh, len);
		     nlh = mnl_nlmsg_next(nlh, &len)) {
			if (nlh->nlmsg_seq != seq)
				continue;
			if (nlh->nlmsg_type == NLMSG_ERROR)
				return nl_verdict(nl, nlh);
			mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr)) {
				uint16_t type = mnl_attr_get_type(attr);

				if (nlh->nlmsg_type == GENL_ID_CTRL &&
				    type == CTRL_ATTR_FAMILY_ID)
					nl->family = mnl_attr_get_u16(attr);
				else if (nlh->nlmsg_type == nl->family &&
					 type == CHIMNEY_A_CONN_ID)
					nl->id = mnl_attr_get_u32(attr);
			}
		}
	}
}

struct chimney_nl *chimney_nl_open(void)
{
	struct chimney_nl *nl = calloc(1, sizeof(*nl));
	struct nlmsghdr *nlh;
	int one = 1, err;

	if (!nl)
		return NULL;
	nl->seq = time(NULL);
	nl->sock = mnl_socket_open(NETLINK_GENERIC);
	if (!nl->sock || mnl_socket_bind(nl->sock, 0, MNL_SOCKET_AUTOPID) < 0) {
		err = errno;
		goto fail;
	}
	mnl_socket_setsockopt(nl->sock, NETLINK_CAP_ACK, &one, sizeof(one));
	mnl_socket_setsockopt(nl->sock, NETLINK_EXT_ACK, &one, sizeof(one));
	nlh = nl_start(nl, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, CHIMNEY_FAMILY_NAME);
	err = -nl_talk(nl, nlh);
	if (!err)
		return nl;
fail:
	chimney_nl_close(nl);
	errno = err;
	return NULL;
}

void chimney_nl_close(struct chimney_nl *nl)
{
	if (nl->sock)
		mnl_socket_close(nl->sock);
	free(nl);
}

int chimney_nl_offload(struct chimney_nl *nl, int fd, uint32_t *id)
{
	struct nlmsghdr *nlh;
	int err;

	nlh = nl_start(nl, nl->family, CHIMNEY_CMD_CONN_OFFLOAD);
	mnl_attr_put_u32(nlh, CHIMNEY_A_CONN_FD, fd);
	err = nl_talk(nl, nlh);
	if (!err)
		*id = nl->id;
	return err;
}

int chimney_nl_terminate(struct chimney_nl *nl, uint32_t id)
{
	struct nlmsghdr *nlh;

	nlh = nl_start(nl, nl->family, CHIMNEY_CMD_CONN_TERMINATE);
	mnl_attr_put_u32(nlh, CHIMNEY_A_CONN_ID, id);
	return nl_talk(nl, nlh);
}

const char *chimney_nl_error(const struct chimney_nl *nl)
{
	return nl->error;
}
