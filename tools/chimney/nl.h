/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Netlink, and all that is known of libmnl.  What goes wrong is reported and
 * ends the command; a callback therefore only ever sees complete answers.
 */
#ifndef _CHIMNEY_NL_H
#define _CHIMNEY_NL_H

#include <stddef.h>

#include <linux/types.h>

struct inet_diag_msg;
struct nlattr;
struct nlmsghdr;

typedef void (*nl_cb)(const struct nlmsghdr *nlh, void *arg);
typedef void (*nl_diag_cb)(const struct inet_diag_msg *msg, void *arg);

/* Talk to the module. There is one request at a time. */
void nl_open(void);
struct nlmsghdr *nl_new(__u8 cmd);
void nl_do(struct nlmsghdr *nlh, nl_cb cb, void *arg);
void nl_dump(__u8 cmd, nl_cb cb, void *arg);
_Noreturn void nl_listen(nl_cb cb, void *arg);

/* TCP sockets of @family in the states of the bit set @states. */
void nl_diag(int family, __u32 states, nl_diag_cb cb, void *arg);

/* Build a request. */
void nl_put(struct nlmsghdr *nlh, __u16 type, const void *data, size_t len);
void nl_put_u32(struct nlmsghdr *nlh, __u16 type, __u32 value);
void nl_put_bitfield(struct nlmsghdr *nlh, __u16 type, __u32 value,
		     __u32 selector);
struct nlattr *nl_nest(struct nlmsghdr *nlh, __u16 type);
void nl_nest_end(struct nlmsghdr *nlh, struct nlattr *nest);

/* Read a message. Unknown attributes are passed over. */
__u8 nl_cmd(const struct nlmsghdr *nlh);
void nl_parse(const struct nlmsghdr *nlh, const struct nlattr **tb,
	      unsigned int max);
void nl_parse_nest(const struct nlattr *nest, const struct nlattr **tb,
		   unsigned int max);
const void *nl_data(const struct nlattr *attr);
size_t nl_len(const struct nlattr *attr);
__u32 nl_u32(const struct nlattr *attr, __u32 absent);

#endif /* _CHIMNEY_NL_H */
