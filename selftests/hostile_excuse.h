/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Part of "hostile": where a plain and an offloaded socket may come to
 * different verdicts over a segment, and why.
 */
#ifndef _HOSTILE_EXCUSE_H
#define _HOSTILE_EXCUSE_H

#include "hostile.h"

/* Situations the segments find. */
enum start {
	ESTABLISHED,
	UNACKED,	/* the host has data in flight */
	HOLE,		/* something came out of order */
	NO_WINDOW,	/* the peer's is shut, data waits */
	MARKED,		/* by a router, and not yet confirmed */
	CLOSE_WAIT,
	FIN_WAIT1,
	FIN_WAIT2,
	CLOSING,
	LAST_ACK,
	STARTS,
};

/* Where the two may differ. */
enum excuse {
	NONE,
	BRA_1,
	BRA_3,
	BRA_5,
	BRA_6,
	RST_AT_EDGE,
	UNSENT_ACKED,
	NO_ACK_BIT,
	OLD_ACK,
	OLD_DATA,
	ONE_TICK,
	BEYOND_WINDOW,
	BEYOND_FIN,
	WINDOW_AHEAD,
	OOW_RATE,
	URGENT,
	SLOW_PATH,
	ODD_OPTION,
	OLD_ACK_PAWS,
	FAST_PATH,
	PROBED,
	ON_DATA,
	EXCUSES,
};

#define HOLE_END	1500	/* of what came behind it, in the stream */

#define EXCUSE	0x0ff
#define FATAL	0x100	/* the two may go different ways */
#define LAST	0x200	/* all that can be compared is where they end */
#define DROPS	0x400	/* FATAL, and the NIC is to drop it */
#define DIES	0x800	/* FATAL, and the NIC is to end the connection */

/* What a case is like. */
struct scene {
	enum start start;
	bool ts;
	bool zero_ts;		/* in the SYN */
	bool sack;
	__u32 first;		/* of the peer's bytes */
};

extern const char * const excuse_names[EXCUSES];

void excuse_begin(const struct scene *scene);
int excuse_of(const struct seg *s, const struct flow *f, __u32 isn, int state);
bool ack_is_old(const struct seg *s, const struct flow *f);

#endif /* _HOSTILE_EXCUSE_H */
