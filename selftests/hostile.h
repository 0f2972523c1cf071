/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared by the files of "hostile": segments as they are thought up, relative
 * to a connection, and as they go out.
 */
#ifndef _HOSTILE_H
#define _HOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>

#include <linux/types.h>

#define FIN	0x01
#define SYN	0x02
#define RST	0x04
#define PSH	0x08
#define ACK	0x10
#define URG	0x20
#define ECE	0x40
#define CWR	0x80

#define MSS		1460
#define FRAME_MAX	65600
#define OPT_MAX		40

/* Where a connection stands, from the side of the wire: the host is the one
 * under test, the peer its other end. Numbers are absolute.
 */
struct flow {
	int family;
	__u8 host[16];
	__u8 peer[16];
	__u16 hport;
	__u16 pport;
	__u32 first;		/* of the peer's bytes */
	__u32 rcv_nxt;		/* the host's */
	__u32 edge;		/* of its window */
	__u32 snd_una;
	__u32 snd_nxt;
	bool ts;
	__u32 tsval;		/* the peer's clock */
	__u32 tsecr;		/* what the host sent last */
};

/* A segment to the host, relative to its flow. */
struct seg {
	bool from_edge;		/* seq is, else from rcv_nxt */
	bool from_nxt;		/* ack is from snd_nxt, else from snd_una */
	bool ts;
	bool ts_last;		/* behind the other options */
	bool bad_sum;
	bool bad_ip_sum;
	bool sack;		/* one block, from snd_una */
	__s32 seq;
	__s32 ack;
	__s32 tsval;
	__s32 sack_start;
	__s32 sack_end;
	bool no_tsecr;
	__u8 flags;
	__u8 tos;
	__u8 n_opt;
	__u8 ip_words;		/* of IP options, IPv4 */
	__s8 doff;		/* too much, in words */
	__s16 ip_len;		/* too much */
	__u16 len;
	__u16 other;		/* bytes that are not the stream's */
	__u16 wnd;
	__u16 urg;
	__u16 piece;		/* payload of an IP fragment, 0: not cut */
	__u8 opt[OPT_MAX];
};

/* hostile.c */
extern int wire;

void wire_open(void);
void wire_send(void *frame, size_t len);

/* hostile_seg.c */
void seg_send(const struct seg *s, const struct flow *f);
void seg_print(FILE *out, const struct seg *s);
void seg_options(struct seg *s, __u64 *dice);
size_t frame_start(__u8 *frame, int family);
size_t put_ip4(__u8 *ip, const __u8 *src, const __u8 *dst, int proto,
	       size_t len);

/* hostile_twin.c, hostile_live.c: segments of the seed; false with a word to
 * it if something was wrong.
 */
bool twins(__u64 seed, unsigned int *segments);
bool twin_case(__u64 seed);
bool shielded(void);
bool live(__u64 seed, unsigned int *segments);

#endif /* _HOSTILE_H */
