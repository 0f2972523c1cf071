/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared by the tests of the control interface, "netlink_*": requests, right
 * and wrong, and all that comes back.
 */
#ifndef _NETLINK_LIB_H
#define _NETLINK_LIB_H

#include <libmnl/libmnl.h>

#include "sock_pair.h"

#define NOBODY		65534		/* user and group */
#define NO_VALUE	0xdeadbeef	/* which no test expects */
#define MAX_REPLIES	8

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
 * @n: number of replies, those after MAX_REPLIES not counted
 * @reply: replies
 * @buf: the bytes of @reply
 */
struct answer {
	int err;
	int n;
	struct nlmsghdr *reply[MAX_REPLIES];
	char buf[MAX_REPLIES][NL_ROOM];
};

extern struct answer answer;	/* to the last request */

/* An attribute of the first reply, by its path, and its value */
#define got(...)	find(answer.reply[0], __VA_ARGS__, 0)
#define got_u32(...)	attr_u32(got(__VA_ARGS__))

/* With an e, the attribute that is blamed or NULL, or the type of the one that
 * is missing.
 */
#define REFUSED(nlh, err, text, bad)	\
	EXPECT_TRUE(refused(e, nlh, err, text, bad, 0))
#define MISSES(nlh, err, text, miss)	\
	EXPECT_TRUE(refused(e, nlh, err, text, NULL, miss))

/* In a process of in_child(), where the harness is out of reach */
#define CHILD(cond)	check_child(cond, __LINE__)

int env_setup(struct env *e);
void env_teardown(struct env *e);
int tuple_len(const struct chim_nl_tuple *t);
struct chim_nl_tuple tuple_on_wire(const struct pair *p);

struct nlmsghdr *req(struct env *e, __u8 cmd);
struct nlmsghdr *dump_req(struct env *e, __u8 cmd);
struct nlmsghdr *dev_req(struct env *e, __u8 cmd);
struct nlattr *put(struct nlmsghdr *nlh, __u16 type, const void *data,
		   size_t len);
struct nlattr *put_u32(struct nlmsghdr *nlh, __u16 type, __u32 val);
struct nlattr *put_cached(struct nlmsghdr *nlh, __u16 type, __u32 val);
struct nlattr *put_flags(struct nlmsghdr *nlh, __u32 value, __u32 selector);

int ask(struct env *e, struct nlmsghdr *nlh);
const struct nlattr *find(const struct nlmsghdr *nlh, int type, ...);
__u32 attr_u32(const struct nlattr *attr);

int dev_cmd(struct env *e, __u8 cmd);
int set_param(struct env *e, __u16 type, __u32 val);
__u32 param(struct env *e, __u16 type);
int conn_cmd(struct env *e, __u8 cmd, __u32 id);
__u32 offload(struct env *e, int sk);
int dump(struct env *e, __u8 cmd);

bool dumps_blame(void);
bool refused(struct env *e, struct nlmsghdr *nlh, int err, const char *text,
	     const struct nlattr *bad, __u32 miss);

void check_child(bool ok, int line);
int in_child(struct env *e, void (*fn)(struct env *e), bool nobody);

struct nlmsghdr *event(struct chim_nl *ear, int ms);
__u8 event_cmd(const struct chim_nl *ear, const struct nlmsghdr *nlh);

#endif /* _NETLINK_LIB_H */
