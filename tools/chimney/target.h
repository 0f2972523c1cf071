/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which connection is meant: by id, by addresses, by somebody's descriptor.
 */
#ifndef _CHIMNEY_TARGET_H
#define _CHIMNEY_TARGET_H

#include <stdbool.h>
#include <sys/types.h>

#include <linux/types.h>

struct nlattr;

/**
 * struct endpoint - one end of a connection, or what is known of it
 * @family: AF_INET, AF_INET6; 0 if the address is not given
 * @addr: 4 or 16 bytes
 * @port: network order
 * @has_port: it is given
 */
struct endpoint {
	int family;
	__u8 addr[16];
	__u16 port;
	bool has_port;
};

struct tuple {
	struct endpoint src;
	struct endpoint dst;
};

enum target_kind {
	TARGET_NONE,
	TARGET_ID,
	TARGET_TUPLE,
	TARGET_FD,
};

/**
 * struct target - the connection of a request
 * @kind: which of the others counts
 * @id: of the connection
 * @tuple: addresses, perhaps only some
 * @pid: process that has the socket
 * @fd: its descriptor; after target_take_fd() ours
 */
struct target {
	enum target_kind kind;
	__u32 id;
	struct tuple tuple;
	pid_t pid;
	int fd;
};

void target_parse(struct target *target, bool id_allowed);

/* Make the descriptor ours; read addresses from it. */
void target_take_fd(struct target *target);
void target_to_tuple(struct target *target);

/* Complete the addresses: exactly one socket or connection must fit. */
void target_find_socket(struct target *target);
void target_find_conn(struct target *target);

const char *endpoint_text(const struct endpoint *end);
bool tuple_full(const struct tuple *tuple);
bool tuple_matches(const struct tuple *wanted, const struct tuple *tuple);
bool tuple_of_conn(struct tuple *tuple, const struct nlattr **tb);

#endif /* _CHIMNEY_TARGET_H */
