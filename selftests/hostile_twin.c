// SPDX-License-Identifier: GPL-2.0
/*
 * Part of "hostile": two sockets of the host, one plain and one offloaded, get
 * the same segments from a peer that exists on the wire only, and must come to
 * the same verdict: state, error, end of file, bytes for the program, RCV.NXT,
 * SND.UNA, and whether there was an answer.
 *
 * A case is a connection in some state and up to a few dozen segments; all of
 * it follows from the seed of the case.  Where the two may differ, and why, is
 * in the list of excuses; everything else is a failure.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/if_packet.h>

#include "dice.h"
#include "hostile_excuse.h"
#include "inet_sum.h"
#include "kselftest.h"
#include "sock_pair.h"

#define PEER_IP		"192.0.2.9"
#define PEER_IP6	"2001:db8::9"
#define SEGS_MAX	64
#define MARK		500	/* segments between words of progress */
#define BAD_MAX		8	/* cases that fail, then it is enough */
#define CLAMP		32768	/* of the host's window */
#define PROBE_MAX	1000	/* bytes into a window that was shut */
#define CE		3	/* ECN bits of a datagram */

enum { PLAIN, NIC };

static const char * const start_names[STARTS] = {
	"established", "unacked", "hole", "no window", "marked", "close-wait",
	"fin-wait1", "fin-wait2", "closing", "last-ack",
};

struct twin {
	int fd;
	struct flow f;
	__u32 isn;
	__u8 wscale;
	unsigned int sent;	/* by its program, FIN included */
	/* since the last segment */
	unsigned int acks;
	unsigned int rsts;
	unsigned int data;
	bool ece;		/* on the last of them */
	__u32 echo;		/* TSecr of the last of them */
	/* of its program */
	__u8 got[1 << 17];
	size_t n_got;
	bool eof;
	int err;
};

struct verdict {
	bool acked;
	bool reset;
	bool ece;
	bool eof;
	int err;
	int state;
	int unacked;
	__u32 rcv_nxt;
	__u32 echo;
	size_t n_got;
};

static struct twin twin[2];
static struct chim_nl nl;
static int ear = -1;		/* what the host sends */
static __u16 pings, ponged;
static unsigned int excused[EXCUSES], starts[STARTS], cases, again;

/* The case that runs. */
static __u64 dice;
static struct scene scene;
static __u8 peer_wscale;
static __u32 clock_ms;
static struct seg segs[SEGS_MAX];
static int n_segs;
static bool same_ts;		/* the two have the same TS.Recent */
static bool shifted;		/* bytes may not be at their place */
static unsigned int urgent;	/* bytes that may not be in the stream */
static bool hard;		/* what differs is no timer's doing */
static char why[512];

/* Wire */

static void ear_open(void)
{
	struct sockaddr_ll a = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
	};
	int one = 1, room = 8 << 20;

	net_enter(net_peer_ns);
	a.sll_ifindex = if_nametoindex("veth1");
	ear = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	if (ear < 0 || bind(ear, (struct sockaddr *)&a, sizeof(a)) ||
	    setsockopt(ear, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one,
		       sizeof(one)))
		ksft_exit_fail_msg("veth1: %s\n", strerror(errno));
	setsockopt(ear, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	net_enter(net_host_ns);
}

static __u32 get32(const __u8 *p)
{
	return (__u32)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static void hear_options(struct twin *t, const __u8 *p, int left, bool syn)
{
	for (; left > 1 && *p; left -= p[1], p += p[1]) {
		while (left > 1 && *p == 1) {
			p++;
			left--;
		}
		if (left < 2 || p[1] < 2 || p[1] > left)
			return;
		if (*p == 8) {
			t->f.tsecr = get32(p + 2);
			t->echo = get32(p + 6);
		}
		if (*p == 3 && syn)
			t->wscale = p[2];
	}
}

static void hear(struct twin *t, const __u8 *tcp, __u32 len)
{
	__u32 seq = get32(tcp + 4), ack = get32(tcp + 8), hlen, wnd, end;
	__u8 flags = tcp[13];

	hlen = tcp[12] / 16 * 4;
	hear_options(t, tcp + 20, hlen - 20, flags & SYN);
	end = seq + len - hlen + !!(flags & SYN) + !!(flags & FIN);
	if (flags & SYN) {
		t->f.hport = tcp[0] << 8 | tcp[1];
		t->isn = seq;
		t->f.snd_una = end;
		t->f.snd_nxt = end;
		return;
	}
	if (flags & RST) {
		t->rsts++;
		return;
	}
	if (len > hlen || flags & FIN)
		t->data++;
	else
		t->acks++;
	t->ece = flags & ECE;
	wnd = (tcp[14] << 8 | tcp[15]) << t->wscale;
	t->f.rcv_nxt = ack;
	t->f.edge = ack + wnd;
	if ((__s32)(end - t->f.snd_nxt) > 0)
		t->f.snd_nxt = end;
}

static bool listen_once(void)
{
	static __u8 f[FRAME_MAX];
	ssize_t n = recv(ear, f, sizeof(f), MSG_DONTWAIT);
	const __u8 *ip = f + ETH_HLEN, *tcp;
	__u32 len;
	int i;

	if (n < 0)
		return false;
	if (n < ETH_HLEN + 28)
		return true;
	if (f[12] == 8 && ip[9] == IPPROTO_ICMP) {
		if (ip[20] == 0)
			ponged = ip[26] << 8 | ip[27];
		return true;
	}
	if (f[12] == 8 && ip[9] == IPPROTO_TCP) {
		tcp = ip + 20;
		len = (ip[2] << 8 | ip[3]) - 20;
	} else if (f[12] == 0x86 && ip[6] == IPPROTO_TCP) {
		tcp = ip + 40;
		len = ip[4] << 8 | ip[5];
	} else {
		return true;
	}
	for (i = PLAIN; i <= NIC; i++) {
		struct twin *t = &twin[i];
		__u16 hport = tcp[0] << 8 | tcp[1];

		if ((tcp[2] << 8 | tcp[3]) == t->f.pport &&
		    (!t->f.hport || t->f.hport == hport))
			hear(t, tcp, len);
	}
	return true;
}

/* A ping comes back behind the answers to what was sent before. */
static void barrier(void)
{
	struct pollfd p = { .fd = ear, .events = POLLIN };
	__u8 f[ETH_HLEN + 28], *ip, *icmp;
	__u8 src[4], dst[4];
	__u16 sum;

	inet_pton(AF_INET, PEER_IP, src);
	inet_pton(AF_INET, "192.0.2.1", dst);
	ip = f + frame_start(f, AF_INET);
	icmp = ip + put_ip4(ip, src, dst, IPPROTO_ICMP, 8);
	memset(icmp, 0, 8);
	icmp[0] = 8;
	pings++;
	icmp[6] = pings >> 8;
	icmp[7] = pings;
	sum = fold(sum16(icmp, 8, 0));
	icmp[2] = sum >> 8;
	icmp[3] = sum;
	wire_send(f, sizeof(f));
	while (ponged != pings)
		if (!listen_once() && poll(&p, 1, DEADLINE * 1000) <= 0)
			ksft_exit_fail_msg("no echo from the host\n");
	while (listen_once())
		;
}

/* Programs */

static void program_reads(struct twin *t)
{
	ssize_t n;

	while (!t->eof && !t->err && t->n_got < sizeof(t->got)) {
		n = recv(t->fd, t->got + t->n_got, sizeof(t->got) - t->n_got,
			 MSG_DONTWAIT);
		if (n < 0) {
			if (errno != EAGAIN)
				t->err = errno;
			return;
		}
		t->n_got += n;
		t->eof = !n;
	}
}

static void program_sends(struct twin *t, size_t len)
{
	__u8 buf[8192] = {};

	if (send(t->fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		t->sent += len;
}

static void program_ends(struct twin *t)
{
	if (!shutdown(t->fd, SHUT_WR))
		t->sent++;
}

static void see(struct twin *t, struct verdict *v)
{
	program_reads(t);
	v->acked |= t->acks > 0;
	v->reset |= t->rsts > 0;
	v->ece = t->ece;
	v->eof = t->eof;
	v->err = t->err;
	v->n_got = t->n_got;
	v->state = tcp_state_of(t->fd);
	v->unacked = v->state == TCP_CLOSE ? 0 : queued(t->fd, SIOCOUTQ);
	v->rcv_nxt = t->f.rcv_nxt - t->f.first;
	v->echo = t->echo;
	t->f.snd_una = t->isn + 1 + t->sent - v->unacked;
}

static bool told(const char *what, long plain, long nic)
{
	if (plain != nic)
		snprintf(why + strlen(why), sizeof(why) - strlen(why),
			 "%s%s: plain %ld, NIC %ld", *why ? "; " : "", what,
			 plain, nic);
	return plain == nic;
}

/* Do the two agree? Whether there was an answer counts if answers is set. */
static bool agree(struct verdict *v, bool answers)
{
	bool same = true;

	see(&twin[PLAIN], &v[PLAIN]);
	see(&twin[NIC], &v[NIC]);
	why[0] = '\0';
	same &= told("state", v[0].state, v[1].state);
	same &= told("errno", v[0].err, v[1].err);
	same &= told("end of file", v[0].eof, v[1].eof);
	same &= told("bytes", v[0].n_got, v[1].n_got);
	same &= told("not acknowledged", v[0].unacked, v[1].unacked);
	if (same && memcmp(twin[0].got, twin[1].got, v[0].n_got)) {
		strcpy(why, "the bytes differ");
		same = false;
	}
	hard = !same && scene.start != NO_WINDOW; /* a probe is acknowledged */
	same &= told("RST", v[0].reset, v[1].reset);
	if (answers)
		same &= told("ACK", v[0].acked, v[1].acked);
	if (v[0].acked && v[1].acked) {
		same &= told("RCV.NXT", v[0].rcv_nxt, v[1].rcv_nxt);
		if (same_ts)
			same &= told("TSecr", v[0].echo, v[1].echo);
		if (answers)
			same &= told("ECE", v[0].ece, v[1].ece);
	}
	return same;
}

/* At once, or a little later. */
static bool agree_soon(bool answers)
{
	struct verdict v[2] = {};
	time_t end = time_ms() + DEADLINE * 1000;
	struct pollfd p = { .fd = ear, .events = POLLIN };

	while (!agree(v, answers)) {
		if (time_ms() > end)
			return false;
		poll(&p, 1, 1);
		barrier();
	}
	return true;
}

/* A case */

static __u32 one_of(const __u32 *v, int n)
{
	return v[any(&dice) % n];
}

#define ONE_OF(...) ({							\
	static const __u32 _v[] = { __VA_ARGS__ };			\
	one_of(_v, sizeof(_v) / sizeof(*_v));				\
})

static bool chance(__u32 n)
{
	return any(&dice) % n == 0;
}

static void plan_numbers(struct seg *s)
{
	switch (any(&dice) % 8) {
	case 0:
		s->seq = ONE_OF(1, 2, 3, 100, 700, 1000, 1000, 1100, 1460,
				2920, 5000);
		break;
	case 1:
		s->seq = -ONE_OF(1, 2, 3, 100, 1460, 3000, 100000);
		break;
	case 2:
		s->from_edge = true;
		s->seq = ONE_OF(-1, 0, 1, -2, -100, -1460, 1460, 100000);
		break;
	case 3:
		if (chance(2))
			s->seq = ONE_OF(1 << 29, 1 << 30, 0x7fffffff,
					0x80000000, 0xc0000000);
	}
	switch (any(&dice) % 8) {
	case 0:
		s->ack = -ONE_OF(1, 10, 1000, 65536, 1000000, 0x7fff0000);
		break;
	case 1:
		s->from_nxt = true;
		s->ack = ONE_OF(1, 2, 100, 65536, 1 << 30, 0x7fff0000);
		break;
	case 2:
		s->ack = ONE_OF(1, 10, 1460, 3000);
		break;
	case 3:
	case 4:
		s->from_nxt = true;
	}
}

static void plan_flags(struct seg *s)
{
	s->flags = ACK;
	switch (any(&dice) % 16) {
	case 0:
		s->flags = RST | (any(&dice) & ACK);
		break;
	case 1:
		s->flags = SYN | (any(&dice) & ACK);
		break;
	case 2:
		s->flags |= FIN;
		break;
	case 3:
		s->flags = any(&dice);
		break;
	case 4:
		s->flags |= PSH | ECE | CWR;
		break;
	case 5:
		s->flags = any(&dice) & (FIN | PSH);
		break;
	case 6:
		if (chance(4))
			s->flags |= URG;
	}
	/* What ends a case is not to end most of them. */
	if (s->flags & (RST | SYN | FIN) && !s->seq && !chance(6))
		s->seq = ONE_OF(1, 50, -1, -50);
	if (s->flags & URG || chance(32))
		s->urg = ONE_OF(0, 1, 5, 1000, 65535);
}

static void plan(struct seg *s)
{
	memset(s, 0, sizeof(*s));
	plan_numbers(s);
	plan_flags(s);
	s->len = chance(2) ? 0 : ONE_OF(1, 2, 10, 100, 700, 1000, 1300,
					1300);
	s->other = chance(3) ? s->len : 0;
	s->wnd = chance(8) ? ONE_OF(0, 1, 100, 65535) : 8192;
	s->tos = chance(16) ? any(&dice) : 0;
	/* Linux looks at the mark of a FIN alone only out of order. */
	if (s->flags & FIN && !s->len)
		s->tos = 0;
	s->ts = !chance(16);
	if (chance(8))
		s->tsval = chance(24) ? -1 :
			   (__s32)ONE_OF(1, 3, 100, -100000, -0x40000000);
	s->no_tsecr = chance(16);
	if (chance(6)) {
		seg_options(s, &dice);
	} else if (chance(6)) {
		s->sack = true;
		s->sack_start = ONE_OF(0, 1, 100, 1300, 4000, -1000,
				       0x7fffffff, 0x7ffff000, 0x80000000);
		s->sack_end = ONE_OF(0, 1, 100, 2600, 4000, 4001, -1, -1000,
				     0x7fffffff, 0x80000000);
	}
	if (chance(48))
		s->doff = ONE_OF(1, 2, 5, 8, -1, -2, -4, -6);
	if (s->doff) { /* as data the host's numbers would differ */
		s->ts = false;
		s->sack = false;
	}
	if (chance(64)) {
		s->ip_words = 1 + any(&dice) % 10;
		if (chance(2)) /* where the host is while the NIC is not */
			s->seq = (1 << 29) + any(&dice) % (1 << 29);
	}
	s->bad_sum = chance(48);
	s->bad_ip_sum = chance(64);
	if (chance(64))
		s->ip_len = ONE_OF(-1, -8, -40, 1, 4, 1000);
}

static void seg_to(struct twin *t, __u8 flags, __s32 seq, __s32 ack,
		   __u16 len, __u16 wnd)
{
	struct seg s = {
		.flags = flags, .seq = seq, .ack = ack, .len = len,
		.wnd = wnd, .ts = true, .tos = scene.start == MARKED ? CE : 0,
	};

	seg_send(&s, &t->f);
	barrier();
}

/* The peer's answer to a SYN. */
static void answer(struct twin *t)
{
	struct seg s = {
		.flags = SYN | ACK | (scene.start == MARKED ? ECE : 0),
		.wnd = 8192, .ts = true,
		.n_opt = 4, .opt = { 2, 4, MSS >> 8, MSS & 255 },
	};

	if (scene.sack) {
		memcpy(s.opt + s.n_opt, "\1\1\4\2", 4);
		s.n_opt += 4;
	}
	memcpy(s.opt + s.n_opt, "\1\3\3", 3);
	s.opt[s.n_opt + 3] = peer_wscale;
	s.n_opt += 4;
	t->f.rcv_nxt--;
	seg_send(&s, &t->f);
	t->f.rcv_nxt++;
	barrier();
}

static bool connect_twin(struct twin *t, int family)
{
	static __u16 port;
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	bool v4 = family == AF_INET;
	int one = 1, room = 1 << 20;

	memset(t, 0, sizeof(*t));
	t->f.family = family;
	t->f.first = scene.first;
	t->f.rcv_nxt = scene.first;
	t->f.ts = scene.ts;
	t->f.tsval = clock_ms;
	t->f.pport = 1024 + port++ % 60000;
	in.sin_port = htons(t->f.pport);
	in6.sin6_port = in.sin_port;
	inet_pton(family, v4 ? PEER_IP : PEER_IP6, t->f.peer);
	inet_pton(family, v4 ? "192.0.2.1" : "2001:db8::1", t->f.host);
	memcpy(&in.sin_addr, t->f.peer, 4);
	memcpy(&in6.sin6_addr, t->f.peer, 16);
	t->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(t->fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	set_int(t->fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, CLAMP);
	set_int(t->fd, IPPROTO_TCP, TCP_NODELAY, one);
	if (!connect(t->fd, v4 ? (void *)&in : (void *)&in6,
		     v4 ? sizeof(in) : sizeof(in6)) || errno != EINPROGRESS)
		return false;
	barrier();
	answer(t);
	return tcp_state_of(t->fd) == TCP_ESTABLISHED;
}

static void begin(struct twin *t)
{
	switch (scene.start) {
	case UNACKED:
		program_sends(t, 4000);
		break;
	case HOLE:
		seg_to(t, ACK, HOLE_END - 500, 0, 500, 8192);
		break;
	case MARKED:
		seg_to(t, ACK, 0, 0, 100, 8192);
		break;
	case NO_WINDOW:
		seg_to(t, ACK, 0, 0, 0, 0);
		program_sends(t, 4000);
		break;
	case CLOSE_WAIT:
		seg_to(t, ACK | FIN, 0, 0, 100, 8192);
		break;
	case FIN_WAIT1:
	case CLOSING:
		program_ends(t);
		if (scene.start == CLOSING)
			seg_to(t, ACK | FIN, 0, 0, 100, 8192);
		break;
	case FIN_WAIT2:
		program_ends(t);
		barrier();
		seg_to(t, ACK, 0, 1, 0, 8192);
		break;
	case LAST_ACK:
		seg_to(t, ACK | FIN, 0, 0, 100, 8192);
		program_ends(t);
		break;
	default:
		break;
	}
	barrier();
}

static bool hand_over(void)
{
	why[0] = '\0';
	if (!chim_nl_offload_fd(&nl, twin[NIC].fd, NULL))
		return true;
	snprintf(why, sizeof(why), "refused: %s", nl.msg);
	return false;
}

/* A byte below RCV.NXT: the answer tells that. */
static const struct seg garbage = {
	.flags = ACK, .seq = -1, .len = 1, .wnd = 8192, .ts = true,
};

static __u32 has_sent(const struct twin *t)
{
	return t->f.snd_nxt - t->isn;
}

/* What came behind a hole gets to the program, if it was taken. */
static void fill_hole(const struct twin *t)
{
	struct seg s = {
		.flags = ACK, .len = 1300, .wnd = 8192, .ts = true,
	};
	struct flow f = t->f;

	for (; s.seq < (__s32)(f.edge - f.rcv_nxt); s.seq += s.len)
		seg_send(&s, &f);
	barrier();
}

/* What is acknowledged the program gets, and at its place. */
static bool whole(const struct twin *t, const struct verdict *v)
{
	size_t i, n = v->n_got + v->eof;
	__u8 b;

	for (i = 0; !shifted && !urgent && i < v->n_got; i++) {
		fill(&b, 1, i);
		if (t->got[i] != b && t->got[i] != (b ^ 0xa5))
			return told("byte", i, t->got[i]);
	}
	return (v->rcv_nxt >= n && v->rcv_nxt - n <= urgent) ||
	       told("acknowledged", n, v->rcv_nxt);
}

static bool answered(const struct twin *t)
{
	barrier();
	return t->acks || t->data || t->rsts ||
	       tcp_state_of(t->fd) == TCP_CLOSE;
}

/* The two went different ways: was the NIC's one that is open to it? */
static bool sound(const struct verdict *was, int e)
{
	struct twin *t = &twin[NIC];
	struct verdict v = {};
	bool same = true;

	why[0] = '\0';
	t->f.tsval = clock_ms;
	if ((e & EXCUSE) == BEYOND_WINDOW)
		fill_hole(t);
	t->acks = 0;
	t->rsts = 0;
	t->data = 0;
	seg_send(&garbage, &t->f);
	if (!until(answered(t))) {
		strcpy(why, "nobody answers for the NIC's");
		return false;
	}
	see(t, &v);
	hard = true;
	if (e & DIES)
		return told("state", TCP_CLOSE, v.state);
	if (e & DROPS) {
		same &= told("state", was->state, v.state);
		same &= told("errno", was->err, v.err);
		same &= told("end of file", was->eof, v.eof);
		same &= told("bytes", was->n_got, v.n_got);
		same &= told("not acknowledged", was->unacked, v.unacked);
	}
	if (v.state != TCP_CLOSE)
		same &= whole(t, &v);
	return same;
}

/* On a slow machine a shut window has been probed, with a byte or with what a
 * window of a few bytes, scaled, takes. To one what acknowledges it is an ACK.
 */
static int excuse_probe(int e)
{
	__s32 more = has_sent(&twin[NIC]) - has_sent(&twin[PLAIN]);

	return scene.start == NO_WINDOW && more && more > -PROBE_MAX &&
	       more < PROBE_MAX ? PROBED | FATAL : e;
}

static bool step(const struct seg *s)
{
	int state = tcp_state_of(twin[PLAIN].fd);
	int e = excuse_of(s, &twin[PLAIN].f, twin[PLAIN].isn, state), i;
	struct verdict was = {};
	bool answers;

	e = excuse_probe(e);
	same_ts &= !ack_is_old(s, &twin[PLAIN].f);
	shifted |= s->doff;
	/* Each marks one at most, now or later. */
	urgent += !!(s->flags & URG);
	if (e & FATAL)
		see(&twin[NIC], &was);
	clock_ms += any(&dice) % 3;
	/* Linux takes it for no timestamp at all, also later. */
	if (s->ts && !(clock_ms + s->tsval))
		clock_ms++;
	for (i = PLAIN; i <= NIC; i++) {
		twin[i].f.tsval = clock_ms;
		twin[i].acks = 0;
		twin[i].rsts = 0;
		twin[i].data = 0;
		seg_send(s, &twin[i].f);
	}
	if (s->ts && s->tsval > 0)
		clock_ms += s->tsval;
	barrier();
	if (e & (FATAL | LAST)) {
		excused[e & EXCUSE]++;
		n_segs = -n_segs;
		return e & FATAL ? sound(&was, e) : agree_soon(false);
	}
	answers = !e;
	if (twin[0].data || twin[1].data) {
		answers = false;
		e = ON_DATA;
	}
	if (!agree_soon(answers))
		return false;
	excused[e] += e && (!twin[0].acks != !twin[1].acks);
	return true;
}

static bool last_words(void)
{
	int i;

	for (i = PLAIN; i <= NIC; i++) {
		twin[i].f.tsval = clock_ms;
		if (tcp_state_of(twin[i].fd) != TCP_CLOSE)
			seg_send(&garbage, &twin[i].f);
	}
	barrier();
	same_ts = false; /* as with any wholly old data */
	if (!agree_soon(false))
		return false;
	return tcp_state_of(twin[0].fd) == TCP_CLOSE ||
	       told("RCV.NXT", twin[0].f.rcv_nxt - twin[0].f.first,
		    twin[1].f.rcv_nxt - twin[1].f.first);
}

static void set_up(__u64 seed)
{
	dice = mix(~seed); /* not the seeds of the next cases */
	n_segs = 0;
	scene.start = any(&dice) % STARTS;
	scene.ts = !chance(3);
	scene.sack = !chance(3);
	peer_wscale = ONE_OF(0, 3, 7, 14);
	clock_ms = ONE_OF(0, 1, 1000, 0x7ffffff0, 0xfffffff0, 0x12345678);
	scene.zero_ts = !clock_ms;
	same_ts = scene.ts;
	shifted = false;
	urgent = 0;
	hard = false;
	starts[scene.start]++;
	cases++;
}

static void tear_down(void)
{
	struct linger now = { .l_onoff = 1 };
	int i;

	for (i = PLAIN; i <= NIC; i++) {
		if (twin[i].fd <= 0)
			continue;
		setsockopt(twin[i].fd, SOL_SOCKET, SO_LINGER, &now,
			   sizeof(now));
		close(twin[i].fd);
		twin[i].fd = 0;
	}
	barrier();
}

static bool run_case(__u64 seed)
{
	int family, n, i;
	bool ok, late;

	set_up(seed);
	family = chance(3) ? AF_INET6 : AF_INET;
	scene.first = ONE_OF(1000, 0x7ffffc00, 0xfffff800, 0x89abcdef);
	excuse_begin(&scene);
	late = chance(2);
	n = 1 + any(&dice) % SEGS_MAX;
	why[0] = '\0';
	ok = connect_twin(&twin[PLAIN], family) &&
	     connect_twin(&twin[NIC], family);
	if (!ok)
		strcpy(why, "no connection");
	ok = ok && (late || hand_over());
	/* Some begin with a timestamp of 0, which says nothing. */
	if (!clock_ms)
		clock_ms = 0x90000000;
	for (i = PLAIN; ok && i <= NIC; i++) {
		twin[i].f.tsval = clock_ms;
		begin(&twin[i]);
	}
	ok = ok && (!late || hand_over()) && agree_soon(false);
	while (ok && n-- && tcp_state_of(twin[PLAIN].fd) != TCP_CLOSE) {
		plan(&segs[n_segs++]);
		ok = step(&segs[n_segs - 1]);
		if (n_segs < 0)
			break;
	}
	if (ok && n_segs >= 0)
		ok = last_words();
	n_segs = n_segs < 0 ? -n_segs : n_segs;
	tear_down();
	return ok;
}

/**
 * twin_case - one case
 * @seed: of it
 *
 * Segments are sent in moments in which no timer should fire; if one did on a
 * busy machine, so that there is an answer more or less, the same once more
 * will tell.
 */
bool twin_case(__u64 seed)
{
	int i;

	if (run_case(seed))
		return true;
	if (!hard) {
		again++;
		ksft_print_msg("once more, case %#llx: %s\n", seed, why);
		if (run_case(seed))
			return true;
	}
	ksft_print_msg("case %#llx, %s, IPv%d%s%s, after:\n", seed,
		       start_names[scene.start],
		       twin[0].f.family == AF_INET ? 4 : 6,
		       scene.ts ? ", timestamps" : "",
		       scene.sack ? ", SACK" : "");
	for (i = 0; i < n_segs; i++) {
		ksft_print_msg("  ");
		seg_print(stdout, &segs[i]);
	}
	ksft_print_msg("%s\n", why);
	return false;
}

static bool prepare(void)
{
	char mac[18] = "";
	FILE *f;

	if (ear >= 0)
		return true;
	if (chim_nl_open(&nl))
		return false;
	ear_open();
	net_enter(net_peer_ns);
	f = popen("ip -j link show dev veth1 | jq -r '.[0].address'", "r");
	if (!f || fscanf(f, "%17s", mac) != 1)
		return false;
	pclose(f);
	net_enter(net_host_ns);
	/* Every segment is answered that is to be, and at once. */
	return !run("sysctl -qw net.ipv4.tcp_challenge_ack_limit=2147483647") &&
	       !run("sysctl -qw net.ipv4.tcp_invalid_ratelimit=0") &&
	       !run("sysctl -qw net.ipv4.tcp_early_retrans=0") &&
	       !run("sysctl -qw net.ipv4.tcp_ecn=1") &&
	       !run("ip route add " PEER_IP " dev chim0 quickack 1") &&
	       !run("ip -6 route add " PEER_IP6 " dev chim0 quickack 1") &&
	       !run("ip neigh add " PEER_IP " lladdr %s dev chim0", mac) &&
	       !run("ip neigh add " PEER_IP6 " lladdr %s dev chim0", mac) &&
	       !chim_nl_dev_set(&nl, net_ifindex,
				CHIMNEY_A_DEV_ACK_FREQUENCY, 1);
}

/**
 * shielded - nothing that comes by the slow path reaches an offloaded socket
 *
 * The NIC leaves segments with IP options to the host. An ACK far ahead, where
 * the host's receive window might be meanwhile, is not taken, nor is one from
 * anywhere else; nor what comes when the host has just answered data, before
 * the connection is up: what is sent together arrives in one softirq.
 */
bool shielded(void)
{
	struct seg s = { .flags = ACK, .ack = 10, .wnd = 8192, .ip_words = 1 };
	int i, left = 4000;
	bool ok;

	dice = 1;
	memset(&scene, 0, sizeof(scene));
	scene.first = 1000;
	clock_ms = 1;
	ok = prepare() && connect_twin(&twin[NIC], AF_INET);
	ok &= net_peer_netem("slot 5ms 5ms");
	if (ok)
		program_sends(&twin[NIC], left);
	for (i = 0; ok && i < 64 && left == 4000; i++) {
		barrier();
		/* It goes up each time. */
		ok = until(hand_over());
		s.seq = any(&dice);
		if (i % 4 == 1)
			s.seq = (1 << 29) + (__u32)s.seq % (1 << 29);
		else if (i % 4 == 2)
			s.seq = (1 << 29) + 1000;
		s.len = i % 8 < 4 ? 1300 : 0;
		seg_send(&s, &twin[NIC].f);
		s.seq = (1 << 20) + (__u32)any(&dice) % (1 << 28);
		s.len = 0;
		seg_send(&s, &twin[NIC].f);
		barrier();
		left = queued(twin[NIC].fd, SIOCOUTQ);
	}
	if (!ok || left != 4000)
		ksft_print_msg("segment %d: %d not acknowledged; %s\n", i,
			       left, why);
	net_peer_netem(NULL);
	tear_down();
	return ok && left == 4000;
}

/**
 * twins - cases from a seed until so many segments were sent
 * @seed: of the first; what follows is made from it
 * @segments: to each of the two; then: sent
 */
bool twins(__u64 seed, unsigned int *segments)
{
	unsigned int most = *segments, bad = 0, next = 0;
	int i;

	*segments = 0;
	if (!prepare()) {
		ksft_print_msg("the wire cannot be set up\n");
		return false;
	}
	for (; bad < BAD_MAX && *segments < most; seed = mix(seed)) {
		/* For the case that no more is said. */
		if (*segments >= next) {
			ksft_print_msg("after %u segments: case %#llx\n",
				       *segments, seed);
			next += MARK;
		}
		bad += !twin_case(seed);
		*segments += n_segs;
	}
	ksft_print_msg("%u cases, %u of them twice\n", cases, again);
	for (i = 0; i < STARTS; i++)
		ksft_print_msg("  %5u %s\n", starts[i], start_names[i]);
	for (i = 1; i < EXCUSES; i++)
		ksft_print_msg("  %5u excused: %s\n", excused[i],
			       excuse_names[i]);
	return !bad;
}
