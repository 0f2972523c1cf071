/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Requests of the control interface, right and wrong, and what becomes of them
 * by the specification.
 */
#ifndef _FUZZ_MSG_H
#define _FUZZ_MSG_H

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>

#include "chimney_nl.h"

#define FUZZ_ROOM	8192	/* bytes, of the longest message */
#define FUZZ_OPS	16
#define FUZZ_RULES	32
#define FUZZ_BODY	(sizeof(struct nlmsghdr) + sizeof(struct genlmsghdr))

enum fuzz_kind {
	KIND_U32,
	KIND_BE16,
	KIND_BE32,
	KIND_BINARY,
	KIND_BITFIELD32,
	KIND_NEST,
};

/* What is wrong with a message; one thing at a time. */
enum fuzz_how {
	FUZZ_VALID,
	FUZZ_MISSING,
	FUZZ_DOUBLED,
	FUZZ_LENGTH,
	FUZZ_RANGE,
	FUZZ_TYPE,
	FUZZ_NESTING,
	FUZZ_TRUNCATED,
	FUZZ_HEADER,
	FUZZ_RANDOM,
	FUZZ_HOWS,
};

/* What the kernel has to do with a message. */
enum fuzz_verdict {
	FUZZ_IGNORE,	/* no request, or none it can see */
	FUZZ_REFUSE,	/* the generic code has to refuse it */
	FUZZ_FORBID,	/* only an administrator may do that */
	FUZZ_REFUSE_WHY,	/* the family has to refuse it, in words */
	FUZZ_MAY,	/* depends on what it names */
};

struct fuzz_rules;

/**
 * struct fuzz_rule - an attribute that a request may carry
 * @type: number
 * @kind: what its value is
 * @min: least value, or length
 * @max: greatest value, or length, or all valid flags
 * @sub: what it may contain
 */
struct fuzz_rule {
	int type;
	enum fuzz_kind kind;
	__u64 min;
	__u64 max;
	struct fuzz_rules *sub;
};

struct fuzz_rules {
	int n;
	struct fuzz_rule rule[FUZZ_RULES];
};

/**
 * struct fuzz_op - a command
 * @cmd: number
 * @flags: GENL_CMD_CAP_*, GENL_UNS_ADMIN_PERM and the like
 * @name: by the specification
 * @top: its attributes
 */
struct fuzz_op {
	int cmd;
	unsigned int flags;
	char name[32];
	struct fuzz_rules top;
};

/* What the kernel takes. */
struct fuzz_table {
	int family;
	int n;
	struct fuzz_op op[FUZZ_OPS];
};

/**
 * struct fuzz_aim - what a message is to name
 * @ifindex: device
 * @id: connection
 * @fd: its socket
 * @tuple: its addresses
 */
struct fuzz_aim {
	__u32 ifindex;
	__u32 id;
	__u32 fd;
	struct chim_nl_tuple tuple;
};

struct fuzz_msg {
	size_t len;	/* bytes to send; the header may say something else */
	union {
		struct nlmsghdr nlh;
		__u8 buf[FUZZ_ROOM];
	};
};

struct fuzz_rng {
	__u64 state;
};

extern const char * const fuzz_names[FUZZ_HOWS];
extern struct fuzz_table fuzz_table;

__u64 fuzz_random(struct fuzz_rng *r);
unsigned int fuzz_below(struct fuzz_rng *r, unsigned int n);
bool fuzz_read_table(const char *command);
const struct fuzz_op *fuzz_find_op(int cmd);
bool fuzz_is_dev(const struct fuzz_op *op);
int fuzz_size(enum fuzz_kind kind);
struct genlmsghdr *fuzz_genl(struct fuzz_msg *m);
void fuzz_make(struct fuzz_msg *m, struct fuzz_rng *r, enum fuzz_how how,
	       const struct fuzz_op *op, const struct fuzz_aim *aim);

/* fuzz_judge.c */
bool fuzz_must_answer(const struct fuzz_msg *m);
enum fuzz_verdict fuzz_judge(const struct fuzz_msg *m, bool admin,
			     __u32 ifindex);
void fuzz_tame(struct fuzz_msg *m);

#endif /* _FUZZ_MSG_H */
