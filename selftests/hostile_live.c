// SPDX-License-Identifier: GPL-2.0
/*
 * Part of "hostile": connections between two Linux sockets, the host's in the
 * NIC or moving, carry data both ways while a stranger injects segments that
 * RFC 9293, RFC 5961 and RFC 7323 say must do no harm. Every byte has to come
 * through, no call may fail.
 *
 * What would do harm is told by the programs' own counts: RCV.NXT lies between
 * what the host's program has read and what the peer's has written, SND.UNA
 * between what the peer's has read and what the host's has written.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>

#include "dice.h"
#include "hostile.h"
#include "kselftest.h"
#include "sock_pair.h"

#define PAIRS		6
#define AHEAD		16384	/* bytes on their way; windows are larger */
#define WINDOW		49152	/* sure to be open beyond what was read */

struct side {
	int fd;
	__u64 sent;
	__u64 got;
};

struct stream {
	struct pair p;
	struct side host, peer;
	struct flow f;
	__u32 h_first;
	__u32 ts_val;		/* of the peer, and when */
	time_t ts_when;
	bool moving;
	struct churn churn;
};

static struct stream streams[PAIRS];
static struct chim_nl nl;
static __u64 dice;
static unsigned int again;

enum class {
	RST_OLD, RST_AHEAD, RST_INSIDE,
	SYN_OLD, SYN_AHEAD, SYN_INSIDE,
	ACK_UNSENT, ACK_ANCIENT, STAMP_OLD, NO_ACK,
	BAD_SUM, BAD_LENGTH, BAD_HEADER,
	OLD_OTHER, OVERLAP, DUPLICATE, BEYOND,
	URGENT, PIECES, WITH_OPTIONS, FAR, MARKED, WINDOW_GAME, SIGNED,
	CLASSES,
};

static const char * const names[CLASSES] = {
	"RST before the window", "RST behind the window", "RST inside",
	"SYN before the window", "SYN behind the window", "SYN inside",
	"ACK of what was not sent", "ACK of long ago", "old timestamp",
	"no ACK bit", "bad checksum", "bad IP length", "bad data offset",
	"old data of other content", "overlap, old part of other content",
	"duplicate", "beyond the window", "urgent, not acceptable",
	"IP fragments", "IP options", "far ahead, IP options", "ECN bits",
	"window games", "MD5 signature",
};

static unsigned int counts[CLASSES];

static __u32 below(__u32 n)
{
	return any(&dice) % n;
}

/* Streams */

static bool wrong(const struct stream *s, const char *what)
{
	ksft_print_msg("connection %d: %s (errno %d)\n", (int)(s - streams),
		       what, errno);
	ksft_print_msg("host sent %llu got %llu, peer sent %llu got %llu\n",
		       s->host.sent, s->host.got, s->peer.sent, s->peer.got);
	return false;
}

/* Writes in fours, so that a segment begins at a multiple of four. */
static bool write_some(struct side *from, const struct side *to)
{
	char buf[AHEAD];
	size_t len = 4 * (1 + below(1000));
	ssize_t n;

	if (from->sent - to->got + len > AHEAD)
		return true;
	fill(buf, len, from->sent);
	n = send(from->fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0)
		from->sent += n;
	return n >= 0 || errno == EAGAIN;
}

static bool read_some(struct side *to)
{
	char buf[AHEAD];
	ssize_t n = recv(to->fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN;
	errno = 0;
	if (!n || !filled(buf, n, to->got))
		return false;
	to->got += n;
	return true;
}

static bool pump(struct stream *s, bool writing)
{
	if (writing && (!write_some(&s->host, &s->peer) ||
			!write_some(&s->peer, &s->host)))
		return wrong(s, "cannot write");
	if (!read_some(&s->host))
		return wrong(s, "the host reads what was not written");
	if (!read_some(&s->peer))
		return wrong(s, "the peer reads what was not written");
	return true;
}

static bool complete(struct stream *s)
{
	return s->host.got == s->peer.sent && s->peer.got == s->host.sent;
}

/* One more round; true if there is no need for another. */
static bool settles(struct stream *s, bool *ok)
{
	*ok = pump(s, false);
	return !*ok || complete(s);
}

static bool stream_ends(struct stream *s)
{
	bool ok;

	if (s->moving)
		churn_stop(&s->churn);
	if (!until(settles(s, &ok)))
		return wrong(s, "stuck");
	if (!ok)
		return false;
	if (get_int(s->host.fd, SOL_SOCKET, SO_ERROR) ||
	    get_int(s->peer.fd, SOL_SOCKET, SO_ERROR))
		return wrong(s, "socket error");
	if (tcp_state_of(s->host.fd) != TCP_ESTABLISHED ||
	    tcp_state_of(s->peer.fd) != TCP_ESTABLISHED)
		return wrong(s, "not established any more");
	if (!echoes(s->host.fd, s->peer.fd))
		return wrong(s, "no echo");
	pair_close(&s->p);
	return true;
}

/* Sequence numbers are told when nothing has been sent. */
static bool stream_begins(struct stream *s, int kind)
{
	struct chim_nl_conn c;
	bool v4 = kind != IPV6;

	memset(s, 0, sizeof(*s));
	if (pair_open(&s->p, kind) || !echoes(s->p.sk, s->p.peer) ||
	    chim_nl_offload_fd(&nl, s->p.sk, &c)) {
		ksft_print_msg("no connection: %s\n", nl.msg);
		return false;
	}
	s->host.fd = s->p.sk;
	s->peer.fd = s->p.peer;
	s->f.family = v4 ? AF_INET : AF_INET6;
	memcpy(s->f.host, s->p.tuple.local + (kind == MAPPED ? 12 : 0),
	       v4 ? 4 : 16);
	memcpy(s->f.peer, s->p.tuple.remote + (kind == MAPPED ? 12 : 0),
	       v4 ? 4 : 16);
	s->f.hport = ntohs(s->p.tuple.lport);
	s->f.pport = ntohs(s->p.tuple.rport);
	s->f.first = c.delegated[CHIMNEY_A_DELEGATED_RCV_NXT];
	s->h_first = c.delegated[CHIMNEY_A_DELEGATED_SND_UNA];
	s->f.ts = c.constant[CHIMNEY_A_CONST_FLAGS] &
		  CHIMNEY_CONST_FLAG_TIMESTAMP;
	s->ts_val = c.delegated[CHIMNEY_A_DELEGATED_TS_RECENT];
	s->ts_when = time_ms();
	s->f.tsecr = c.delegated[CHIMNEY_A_DELEGATED_TS_TIME];
	return true;
}

/* The stranger. Numbers of a segment count from the first byte of the peer's
 * stream, and of the host's.
 */

static void aim(struct stream *s)
{
	s->f.rcv_nxt = s->f.first;
	s->f.snd_una = s->h_first;
	s->f.tsval = s->ts_val + (time_ms() - s->ts_when);
}

/* What the peer might well send: a piece of what it has sent, once more. */
static void plan_duplicate(const struct stream *s, struct seg *g)
{
	__u32 n = s->peer.sent - s->host.got;

	g->len = below(1200);
	g->seq = s->peer.sent - (n ? below(n) : 0) - g->len;
	if (g->seq < 0) {
		g->seq = 0;
		g->len = 0;
	}
}

static void plan_other(const struct stream *s, struct seg *g)
{
	g->seq = s->host.got + below(WINDOW);
	g->len = 1 + below(1200);
	g->other = g->len;
}

static void plan_inside(const struct stream *s, struct seg *g)
{
	__u32 from = s->peer.sent + 1, to = s->host.got + WINDOW;

	g->seq = from + below(to - from);
	g->seq |= 1; /* nothing begins there */
}

static void plan_class(const struct stream *s, struct seg *g, enum class c)
{
	static const __u8 md5[18] = { 19, 18 };
	__u32 v;

	switch (c) {
	case RST_OLD:
	case SYN_OLD:
		g->seq = s->host.got - 1 -
			 (below(2) ? below(3) : below(1 << 28));
		g->len = below(3) ? 0 : below(100);
		if (c == SYN_OLD)
			g->len = 0;
		break;
	case RST_AHEAD:
	case SYN_AHEAD:
		g->seq = s->host.got + (16 << 20) + below(1 << 30);
		break;
	case RST_INSIDE:
	case SYN_INSIDE:
		plan_inside(s, g);
		break;
	case ACK_UNSENT:
		plan_other(s, g);
		g->ack = s->host.sent + (1 << 20) + below(1 << 30);
		break;
	case ACK_ANCIENT:
		plan_other(s, g);
		g->ack = s->peer.got - (1 << 30) - below(1 << 29);
		break;
	case STAMP_OLD:
		plan_other(s, g);
		g->ts = true;
		g->tsval = -100000 - below(1 << 30);
		g->flags |= below(2) ? FIN : 0;
		break;
	case NO_ACK:
		plan_other(s, g);
		g->flags = below(256) & ~(ACK | RST | SYN);
		break;
	case BAD_SUM:
		plan_other(s, g);
		g->bad_sum = true;
		g->flags = below(256);
		break;
	case BAD_LENGTH: /* cut off, it may by chance have the right sum */
		plan_duplicate(s, g);
		v = 1 + below(40);
		g->ip_len = below(2) ? v : -v;
		break;
	case BAD_HEADER:
		plan_other(s, g);
		g->len = below(16);
		g->n_opt = 0;
		g->ts = false;
		/* 0 to 4 words, or more than there are */
		g->doff = below(2) ? 5 + below(6) : -1 - below(5);
		break;
	case OLD_OTHER:
		g->len = 1 + below(1200);
		if (g->len > s->host.got)
			g->len = s->host.got;
		g->seq = s->host.got - g->len;
		g->seq -= below(g->seq + 1);
		g->other = g->len;
		break;
	case BEYOND:
		plan_other(s, g);
		g->seq = s->host.got + (16 << 20) + below(1 << 30);
		g->flags |= below(2) ? FIN : 0;
		break;
	case URGENT:
		plan_other(s, g);
		g->flags |= URG;
		g->urg = below(2000);
		if (below(2))
			g->seq = s->host.got + (16 << 20);
		else
			g->ack = s->host.sent + (1 << 20);
		break;
	case PIECES:
		plan_duplicate(s, g);
		g->piece = 8 * (1 + below(40));
		break;
	case WITH_OPTIONS:
		plan_duplicate(s, g);
		g->ip_words = 1 + below(10);
		break;
	case FAR: /* where the host is while the NIC is not */
		plan_other(s, g);
		g->seq += 1 << (28 + below(4));
		g->ip_words = 1 + below(10);
		g->flags = below(256) | ACK;
		if (below(2))
			g->ack = s->host.sent;
		break;
	case MARKED:
		plan_duplicate(s, g);
		g->tos = below(256);
		g->flags |= below(4) << 6;
		break;
	case WINDOW_GAME:
		g->seq = s->peer.sent;
		g->wnd = below(3) ? below(100) : 0;
		break;
	case SIGNED:
		plan_other(s, g);
		memcpy(g->opt, md5, sizeof(md5));
		g->n_opt = sizeof(md5);
		g->ts_last = false;
		break;
	case OVERLAP:
		plan_duplicate(s, g);
		if (g->seq < (__s64)s->host.got)
			g->other = s->host.got - g->seq;
		if (g->other > g->len)
			g->other = g->len;
		break;
	default: /* DUPLICATE */
		plan_duplicate(s, g);
	}
}

static bool plan(struct stream *s, struct seg *g, enum class c)
{
	memset(g, 0, sizeof(*g));
	g->flags = ACK;
	g->wnd = 512;
	g->ack = s->peer.got;
	g->ts = below(16);
	g->no_tsecr = !below(8);
	if (!below(4))
		seg_options(g, &dice);
	if (c == STAMP_OLD && !s->f.ts)
		return false;
	if (c == WINDOW_GAME && below(20))
		return false; /* each of them holds the stream up */
	if (c == FAR && s->f.family == AF_INET6)
		return false;
	if ((c == PIECES || c == WITH_OPTIONS) &&
	    (s->f.family == AF_INET6 || below(4)))
		return false;
	plan_class(s, g, c);
	if (c <= RST_INSIDE)
		g->flags = RST | (below(256) & ~(SYN | RST));
	else if (c <= SYN_INSIDE)
		g->flags = SYN | (below(256) & ~(SYN | RST));
	/* A timestamp that is to be looked at is not to be hidden. */
	if (c == STAMP_OLD) {
		g->n_opt = 0;
		g->ts_last = false;
	}
	return true;
}

static void inject(struct stream *s, unsigned int *left)
{
	unsigned int n = below(50) ? 1 + below(4) : 100; /* a storm */
	enum class c = below(CLASSES);
	struct seg g;

	aim(s);
	if (!plan(s, &g, c))
		return;
	while (n-- && *left) {
		seg_send(&g, &s->f);
		counts[c]++;
		--*left;
	}
}

static bool open_all(void)
{
	static const int kinds[PAIRS] = {
		IPV4, IPV6, IPV4, IPV6, MAPPED, IPV4,
	};
	int i;

	for (i = 0; i < PAIRS; i++) {
		run("sysctl -qw net.ipv4.tcp_timestamps=%d", i != 2);
		run("sysctl -qw net.ipv4.tcp_sack=%d", i != 3);
		if (!stream_begins(&streams[i], kinds[i]))
			return false;
		streams[i].moving = i >= PAIRS / 2;
	}
	for (i = 0; i < PAIRS; i++)
		if (streams[i].moving &&
		    churn_start(&streams[i].churn, &streams[i].p.tuple))
			return false;
	return true;
}

/**
 * live - inject segments into connections that carry data
 * @seed: of the segments
 * @segments: to inject; then: injected
 */
bool live(__u64 seed, unsigned int *segments)
{
	unsigned int most = *segments, left = most, turn = 0;
	struct stream *s;
	bool ok = true;
	int i;

	*segments = 0;
	dice = mix(seed);
	if (chim_nl_open(&nl) || !open_all())
		return false;
	while (ok && left) {
		s = &streams[turn++ % PAIRS];
		ok = pump(s, true);
		if (ok)
			inject(s, &left);
		/* What took the slow path has brought it up. */
		if (!s->moving && turn % 64 < PAIRS)
			again += !chim_nl_offload_fd(&nl, s->host.fd, NULL);
	}
	for (i = 0; i < PAIRS; i++)
		ok &= stream_ends(&streams[i]);
	for (i = 0; i < CLASSES; i++)
		ksft_print_msg("  %6u %s\n", counts[i], names[i]);
	*segments = most - left;
	ksft_print_msg("%u segments, %u times offloaded again, %u moves\n",
		       *segments, again, streams[3].churn.moves +
		       streams[4].churn.moves + streams[5].churn.moves);
	chim_nl_close(&nl);
	return ok;
}
