/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Connections that carry data while something is done to them.
 */
#ifndef _FUZZ_FLOW_H
#define _FUZZ_FLOW_H

#include "sock_pair.h"

#define LIVE		6	/* connections with data on them */
#define QUIET_NIC	LIVE	/* one without, in the device */
#define QUIET_HOST	(LIVE + 1)	/* and one that is not */
#define FLOWS		(LIVE + 2)
#define ODD_FDS		6

/**
 * struct flow - a connection
 * @pair: its two ends
 * @id: its id when it was last heard of
 * @way: for each end, what it has sent and the other one received
 * @error: what went wrong, 0 if nothing did
 */
struct flow {
	struct pair pair;
	atomic_uint id;
	struct {
		size_t sent;
		size_t got;
	} way[2];
	int error;
};

extern struct flow flows[FLOWS];
extern int odd_fds[ODD_FDS];	/* no connections of ours */
extern atomic_long pumped;	/* bytes that have arrived */

bool flows_open(void);
bool flows_close(struct chim_nl *nl);
int pump_start(void);
void pump_end(void);

#endif /* _FUZZ_FLOW_H */
