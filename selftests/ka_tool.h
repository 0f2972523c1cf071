/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared by the files of ka_tool: connections, and what is known of them.
 */
#ifndef _KA_TOOL_H
#define _KA_TOOL_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/chimney.h>
#include <linux/types.h>

#define MAX_CONNS	250
#define LOG_MAX		65536
#define RAW_PORT	7000
#define LINUX_PORT	6000

#define FIN	0x01
#define SYN	0x02
#define RST	0x04
#define PSH	0x08
#define ACK	0x10
#define URG	0x20

enum kind {
	K_PROBE = 1,	/* empty, one below the next to send */
	K_ACK = 2,	/* empty, next to send */
	K_OLD = 4,	/* empty, older */
	K_DATA = 8,
	K_FIN = 16,
	K_RTX = 32,	/* data or FIN sent before */
	K_RST = 64,
	K_SYN = 128,
};

/* Of a segment; sequence numbers are relative to what was sent before. */
struct seg {
	__u64 t;
	int kind;
	int flags;
	__s32 seq;
	__s32 ack;
	__u32 len;
	__u32 wnd;
	bool has_ts;
	__u32 tsval;
	__u32 tsecr;
	int n_sack;
	__s32 sack[4][2];	/* relative to what the peer has sent */
};

struct ntf {
	__u64 t;
	__u64 v[CHIMNEY_A_DELEGATED_MAX + 1];
	int reason;
};

struct conn {
	int fd;
	int pfd;
	int family;
	bool native;
	__u16 hport;
	__u16 pport;
	__u32 id;
	/* on the wire: h is the side under test, p its peer */
	__u8 hmac[6];
	__u32 h_nxt;
	__u32 h_edge;
	__u32 h_tsval;
	__u8 h_wscale;
	bool h_ts;
	__u32 p_nxt;
	__u32 p_tsval;
	/* scripted peer */
	bool ts;
	bool sack;
	__u32 rcv_nxt;
	int answer;
	int drop;
	__u32 delay;
	__u32 wnd;
	__u64 answer_at;
	__u32 answer_tsecr;
	/* results */
	struct seg *log;
	__u32 logged;
	__u32 base;
	__u64 died;
	int died_events;
	struct ntf ntf;
};

/* ka_tool.c */
extern struct conn *conns[MAX_CONNS];
extern int n_conns;
extern int host_ns, peer_ns;

__u64 now_us(void);
void __attribute__((format(printf, 1, 2))) say(const char *fmt, ...);
void err(const char *what);
void __attribute__((noreturn)) die(const char *what);
void enter(int ns);

/* ka_wire.c: the log, and the peer that is scripted */
extern int wire;

const char *address(const struct conn *c, bool peer);
__u64 xmit(struct conn *c, int flags, __u32 seq, __u32 ack, __u32 len,
	   __u32 wnd, __u32 tsecr);
void answer(struct conn *c);
bool wire_read(void);
void wire_open(void);

/* ka_nl.c: the control interface */
int nl_events_fd(void);
void nl_open(void);
void nl_events_read(void);
bool nl_conn(struct conn *c, __u8 cmd, char **words);
const char *reason_name(int reason);
const char *state_name(int state);

#endif /* _KA_TOOL_H */
