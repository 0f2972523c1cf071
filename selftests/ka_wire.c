// SPDX-License-Identifier: GPL-2.0
/*
 * ka_tool's end of the wire: a log of every segment of its connections, taken
 * where the peer's device is, and a peer that does what it is told.
 */
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include <linux/if_packet.h>

#include "inet_sum.h"
#include "ka_tool.h"

#define FRAME	65600

int wire = -1;
static int wire_ifindex;
static __u8 wire_mac[6];
static __s64 real_offset;

static const char *const addresses[2][3] = {
	{ "192.0.2.1", "192.0.2.2", "192.0.2.9" },
	{ "2001:db8::1", "2001:db8::2", "2001:db8::9" },
};

const char *address(const struct conn *c, bool peer)
{
	const char *const *a = addresses[c->family == AF_INET6];

	return peer ? a[c->native ? 1 : 2] : a[0];
}

/* IP header for a segment of @len bytes; returns its size. */
static size_t put_ip(const struct conn *c, __u8 *p, size_t len,
		     __u32 *pseudo)
{
	__u16 n;

	if (c->family == AF_INET) {
		memset(p, 0, 20);
		p[0] = 0x45;
		n = htons(20 + len);
		memcpy(p + 2, &n, 2);
		p[6] = 0x40;
		p[8] = 64;
		p[9] = IPPROTO_TCP;
		inet_pton(AF_INET, address(c, true), p + 12);
		inet_pton(AF_INET, address(c, false), p + 16);
		n = htons(fold(sum16(p, 20, 0)));
		memcpy(p + 10, &n, 2);
		*pseudo = sum16(p + 12, 8, IPPROTO_TCP + len);
		return 20;
	}
	memset(p, 0, 8);
	p[0] = 0x60;
	n = htons(len);
	memcpy(p + 4, &n, 2);
	p[6] = IPPROTO_TCP;
	p[7] = 64;
	inet_pton(AF_INET6, address(c, true), p + 8);
	inet_pton(AF_INET6, address(c, false), p + 24);
	*pseudo = sum16(p + 8, 32, IPPROTO_TCP + len);
	return 40;
}

static size_t put_options(struct conn *c, __u8 *p, int flags,
			  __u32 tsecr)
{
	__u32 v;
	size_t n = 0;

	if (flags & SYN && !(flags & ~(SYN | ACK))) {
		static const __u8 mss[] = { 2, 4, 1460 >> 8, 1460 & 255 };
		static const __u8 wscale[] = { 1, 3, 3, 0 };
		static const __u8 sack[] = { 1, 1, 4, 2 };

		memcpy(p + n, mss, 4);
		n += 4;
		memcpy(p + n, wscale, 4);
		n += 4;
		if (c->sack) {
			memcpy(p + n, sack, 4);
			n += 4;
		}
	}
	if (c->ts) {
		static const __u8 ts[] = { 1, 1, 8, 10 };

		memcpy(p + n, ts, 4);
		c->p_tsval = now_us() / 1000;
		v = htonl(c->p_tsval);
		memcpy(p + n + 4, &v, 4);
		v = htonl(tsecr);
		memcpy(p + n + 8, &v, 4);
		n += 12;
	}
	return n;
}

/* A segment from the peer. Returns when it was sent. */
__u64 xmit(struct conn *c, int flags, __u32 seq, __u32 ack, __u32 len,
	   __u32 wnd, __u32 tsecr)
{
	static __u8 f[FRAME];
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET, .sll_ifindex = wire_ifindex,
	};
	__u16 type = htons(c->family == AF_INET ? ETHERTYPE_IP :
						     ETHERTYPE_IPV6);
	size_t iphl = c->family == AF_INET ? 20 : 40, opt, n;
	struct tcphdr th = {};
	__u32 pseudo;
	__u64 t;
	__u8 *p;

	memcpy(f, c->hmac, 6);
	memcpy(f + 6, wire_mac, 6);
	memcpy(f + 12, &type, 2);
	p = f + 14 + iphl;
	opt = put_options(c, p + sizeof(th), flags, tsecr);
	memset(p + sizeof(th) + opt, 'p', len);
	th.source = htons(c->pport);
	th.dest = htons(c->hport);
	th.seq = htonl(seq);
	th.ack_seq = flags & ACK ? htonl(ack) : 0;
	th.th_flags = flags;
	th.th_off = (sizeof(th) + opt) / 4;
	th.window = htons(wnd > 65535 ? 65535 : wnd);
	memcpy(p, &th, sizeof(th));
	n = sizeof(th) + opt + len;
	put_ip(c, f + 14, n, &pseudo);
	th.check = htons(fold(sum16(p, n, pseudo)));
	memcpy(p, &th, sizeof(th));

	t = now_us();
	if (sendto(wire, f, 14 + iphl + n, 0, (struct sockaddr *)&to,
		   sizeof(to)) < 0)
		die("sendto");
	return t;
}

void answer(struct conn *c)
{
	c->answer_at = 0;
	if (c->drop) {
		c->drop--;
		return;
	}
	xmit(c, ACK, c->p_nxt, c->rcv_nxt, 0, c->wnd, c->answer_tsecr);
}

static int kind_of(int flags, __s32 seq, __u32 len)
{
	if (flags & RST)
		return K_RST;
	if (flags & SYN)
		return K_SYN;
	if (len || flags & FIN)
		return seq < 0 ? K_RTX : len ? K_DATA : K_FIN;
	return seq == -1 ? K_PROBE : seq < 0 ? K_OLD : K_ACK;
}

static void parse_block(const struct conn *c, const __u8 *p, __s32 block[2])
{
	__u32 v[2];

	memcpy(v, p, sizeof(v));
	block[0] = ntohl(v[0]) - c->p_nxt;
	block[1] = ntohl(v[1]) - c->p_nxt;
}

static void parse_options(struct conn *c, const __u8 *p, size_t left,
			  struct seg *s)
{
	__u32 v;
	int i;

	while (left) {
		if (*p < 2) {
			p++;
			left--;
			continue;
		}
		if (left < 2 || p[1] < 2 || p[1] > left)
			return;
		if (*p == 8 && p[1] == 10) {
			s->has_ts = true;
			memcpy(&v, p + 2, 4);
			s->tsval = ntohl(v);
			memcpy(&v, p + 6, 4);
			s->tsecr = ntohl(v);
		} else if (*p == 3 && s->flags & SYN) {
			c->h_wscale = p[2];
		} else if (*p == 5) {
			for (i = 0; i < 4 && 10 + 8 * i <= p[1]; i++)
				parse_block(c, p + 2 + 8 * i, s->sack[i]);
			s->n_sack = i;
		}
		left -= p[1];
		p += p[1];
	}
}

/* The scripted peer gets a segment. */
static void peer_input(struct conn *c, const struct seg *s, __u32 seq)
{
	__u32 end = seq + s->len + !!(s->flags & FIN);
	bool wanted = s->len || s->flags & FIN ||
		      (__s32)(seq - c->rcv_nxt) < 0;

	if (s->flags & SYN) {
		c->rcv_nxt = seq + 1;
		xmit(c, SYN | ACK, c->p_nxt - 1, c->rcv_nxt, 0, c->wnd,
		     s->tsval);
		return;
	}
	if (!c->answer || s->flags & RST)
		return;
	if (seq == c->rcv_nxt && c->wnd && !c->drop)
		c->rcv_nxt = end;
	if (!wanted || c->answer_at)
		return;
	c->answer_tsecr = s->tsval;
	if (c->delay)
		c->answer_at = s->t + c->delay * 1000ULL;
	else
		answer(c);
}

static void host_segment(struct conn *c, const struct tcphdr *th,
			 const __u8 *mac, __u32 len, __u64 t)
{
	__u32 seq = ntohl(th->seq), end;
	struct seg *s;

	if (c->logged == LOG_MAX)
		die("log is full");
	s = &c->log[c->logged++];
	memset(s, 0, sizeof(*s));
	memcpy(c->hmac, mac, 6);
	s->t = t;
	s->flags = th->th_flags;
	s->len = len - th->th_off * 4;
	parse_options(c, (const __u8 *)(th + 1),
		      th->th_off * 4 - sizeof(*th), s);
	if (s->flags & SYN)
		c->h_nxt = seq;
	s->seq = seq - c->h_nxt;
	s->ack = ntohl(th->ack_seq) - c->p_nxt;
	s->kind = kind_of(s->flags, s->seq, s->len);
	s->wnd = ntohs(th->window) << (s->flags & SYN ? 0 : c->h_wscale);
	c->h_tsval = s->tsval;
	if (s->flags & SYN)
		c->h_ts = s->has_ts;
	if (s->flags & ACK &&
	    (__s32)(ntohl(th->ack_seq) + s->wnd - c->h_edge) > 0)
		c->h_edge = ntohl(th->ack_seq) + s->wnd;
	end = seq + s->len + !!(s->flags & SYN) + !!(s->flags & FIN);
	if (!(s->flags & RST) && (__s32)(end - c->h_nxt) > 0)
		c->h_nxt = end;
	if (!c->native)
		peer_input(c, s, seq);
}

static void peer_segment(struct conn *c, const struct tcphdr *th, __u32 len)
{
	__u32 end = ntohl(th->seq) + len - th->th_off * 4;

	if (th->th_flags & RST)
		return;
	if (th->th_flags & SYN) {
		c->p_nxt = ntohl(th->seq) + 1;
		c->h_edge = c->p_nxt;
		return;
	}
	end += !!(th->th_flags & FIN);
	if ((__s32)(end - c->p_nxt) > 0)
		c->p_nxt = end;
}

static struct conn *conn_by_ports(int family, __u16 h, __u16 p)
{
	int i;

	for (i = 0; i < n_conns; i++)
		if (conns[i] && conns[i]->family == family &&
		    conns[i]->pport == p &&
		    (!conns[i]->hport || conns[i]->hport == h)) {
			conns[i]->hport = h;
			return conns[i];
		}
	return NULL;
}

static bool ours(__u16 port)
{
	return (port >= RAW_PORT && port < RAW_PORT + MAX_CONNS) ||
	       (port >= LINUX_PORT && port < LINUX_PORT + MAX_CONNS);
}

static void frame(const __u8 *f, size_t size, __u64 t)
{
	__u32 type = f[12] << 8 | f[13], hl, len;
	const struct tcphdr *th;
	struct conn *c;

	if (type == ETHERTYPE_IP && size >= 34 && f[23] == IPPROTO_TCP) {
		hl = (f[14] & 15) * 4;
		len = (f[16] << 8 | f[17]) - hl;
	} else if (type == ETHERTYPE_IPV6 && size >= 54 &&
		   f[20] == IPPROTO_TCP) {
		hl = 40;
		len = f[18] << 8 | f[19];
	} else {
		return;
	}
	th = (const struct tcphdr *)(f + 14 + hl);
	if (size < 14 + hl + sizeof(*th) || size < 14 + hl + len)
		return;
	type = type == ETHERTYPE_IP ? AF_INET : AF_INET6;
	if (ours(ntohs(th->dest))) {
		c = conn_by_ports(type, ntohs(th->source), ntohs(th->dest));
		if (c)
			host_segment(c, th, f + 6, len, t);
	} else if (ours(ntohs(th->source))) {
		c = conn_by_ports(type, ntohs(th->dest), ntohs(th->source));
		if (c)
			peer_segment(c, th, len);
	}
}

bool wire_read(void)
{
	static __u8 f[FRAME + 2];
	char control[256];
	struct iovec iov = { f + 2, FRAME };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	__u64 t = now_us();
	struct cmsghdr *cm;
	struct timespec ts;
	ssize_t n;

	n = recvmsg(wire, &m, MSG_DONTWAIT);
	if (n < 0)
		return false;
	for (cm = CMSG_FIRSTHDR(&m); cm; cm = CMSG_NXTHDR(&m, cm)) {
		if (cm->cmsg_level != SOL_SOCKET ||
		    cm->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&ts, CMSG_DATA(cm), sizeof(ts));
		t = (ts.tv_sec * 1000000000LL + ts.tv_nsec - real_offset) /
		    1000;
	}
	if (n >= 14)
		frame(f + 2, n, t);
	return true;
}

void wire_open(void)
{
	struct sockaddr_ll a = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
	};
	struct timespec mono, real;
	struct ifreq ifr = {};
	int one = 1, room = 8 << 20;

	enter(peer_ns);
	wire = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	if (wire < 0)
		die("packet socket");
	wire_ifindex = if_nametoindex("veth1");
	a.sll_ifindex = wire_ifindex;
	strcpy(ifr.ifr_name, "veth1");
	if (ioctl(wire, SIOCGIFHWADDR, &ifr) ||
	    bind(wire, (struct sockaddr *)&a, sizeof(a)))
		die("veth1");
	memcpy(wire_mac, ifr.ifr_hwaddr.sa_data, 6);
	setsockopt(wire, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one));
	setsockopt(wire, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_REALTIME, &real);
	real_offset = (real.tv_sec - mono.tv_sec) * 1000000000LL +
		      real.tv_nsec - mono.tv_nsec;
	enter(host_ns);
}
