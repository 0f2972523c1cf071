/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The control interface for test programs: a call per command, and what a
 * request is made of for those that no call makes. Calls return 0 or a negative
 * error, and then keep the kernel's words in msg.
 */
#ifndef _CHIMNEY_NL_H
#define _CHIMNEY_NL_H

#include <linux/chimney.h>
#include <linux/types.h>
#include <stdbool.h>

#define NL_ROOM		8192	/* bytes, of the longest message */

struct mnl_socket;
struct nlattr;
struct nlmsghdr;

/**
 * struct chim_nl - a connection to the module, for one thread
 * @sock: its socket
 * @seq: number of the last request
 * @family: the module's type of messages
 * @events: its multicast group
 * @msg: what the kernel said to the last request, "" if nothing
 * @bad: where in it the attribute is that was blamed, in bytes; 0 if none was
 * @miss: type of an attribute that it lacked, 0 if none
 * @intr: it was a dump, marked as one that others interfered with
 */
struct chim_nl {
	struct mnl_socket *sock;
	__u32 seq;
	__u16 family;
	__u32 events;
	char msg[128];
	__u32 bad;
	__u32 miss;
	bool intr;
};

/* Addresses that name a connection, as the host's socket has them. */
struct chim_nl_tuple {
	__u32 family;
	__u8 local[16];
	__u8 remote[16];
	__be16 lport;
	__be16 rport;
};

/* Values are found by attribute; those that were not there are 0. Flags are
 * plain values, what comes in network order is in host order.
 */
struct chim_nl_conn {
	__u64 conn[CHIMNEY_A_CONN_MAX + 1];
	__u64 constant[CHIMNEY_A_CONST_MAX + 1];
	__u64 cached[CHIMNEY_A_CACHED_MAX + 1];
	__u64 delegated[CHIMNEY_A_DELEGATED_MAX + 1];
	__u64 stats[CHIMNEY_A_STATS_MAX + 1];
};

struct chim_nl_dev {
	__u64 dev[CHIMNEY_A_DEV_MAX + 1];
};

int chim_nl_open(struct chim_nl *nl);
int chim_nl_listen(struct chim_nl *nl);
void chim_nl_close(struct chim_nl *nl);
int chim_nl_tuple_of(int fd, struct chim_nl_tuple *t);

struct nlmsghdr *chim_nl_start(struct chim_nl *nl, char *buf, int type,
			       int cmd);
struct nlattr *chim_nl_put_tuple(struct nlmsghdr *nlh,
				 const struct chim_nl_tuple *t, int skip);
int chim_nl_ask(struct chim_nl *nl, const struct nlmsghdr *req,
		int (*on_reply)(const struct nlmsghdr *nlh, void *data),
		void *data);

int chim_nl_offload_fd(struct chim_nl *nl, int fd, struct chim_nl_conn *conn);
int chim_nl_offload(struct chim_nl *nl, const struct chim_nl_tuple *t,
		    struct chim_nl_conn *conn);
int chim_nl_terminate(struct chim_nl *nl, const struct chim_nl_tuple *t,
		      struct chim_nl_conn *conn);
int chim_nl_update(struct chim_nl *nl, const struct chim_nl_tuple *t,
		   int attr, __u32 value);
int chim_nl_get(struct chim_nl *nl, const struct chim_nl_tuple *t,
		struct chim_nl_conn *conn);
int chim_nl_dump(struct chim_nl *nl, unsigned int *conns);

int chim_nl_dev(struct chim_nl *nl, unsigned int ifindex,
		struct chim_nl_dev *dev);
int chim_nl_dev_set(struct chim_nl *nl, unsigned int ifindex, int attr,
		    __u32 value);
int chim_nl_dev_do(struct chim_nl *nl, unsigned int ifindex, int cmd);

#endif /* _CHIMNEY_NL_H */
