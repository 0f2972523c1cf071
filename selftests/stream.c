// SPDX-License-Identifier: GPL-2.0
/*
 * Streams over TCP connections, both ways at once, and checks every byte.
 *
 * Holds both ends of all connections: the host's, in the network namespace it
 * is started in, and the peer's, in the namespace given by -P. Each end sends
 * numbers that follow from its seed and the position; the other end knows them.
 * Meanwhile the host's ends may be offloaded and uploaded at random moments.
 *
 * It ends when all conditions given are met: -b, -t, -c, -u. Then each end
 * sends a last piece, closes its half, and reads to the end. Exit status 0
 * means that every byte arrived once and in order, and that no call failed.
 *
 * Prints "ready" when the connections are there and offloaded if -o says so,
 * and at the end one line of NAME=NUMBER.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "chimney_nl.h"
#include "dice.h"

#define PORT		5001
#define CHUNK		65536
#define PAUSE_MS	150	/* how long a reader lets the writer wait */

enum { HOST, PEER };

/* One end of a connection: what it sends and what it receives. */
struct end {
	int fd;
	bool slow;		/* lets the other end's data pile up */
	bool paused;		/* does not read */
	bool blocked;		/* could not write */
	bool fin;		/* has closed its half */
	bool eof;
	__u64 seed;
	__u64 sent;
	__u64 limit;
	__u64 rcvd;
	__u64 drain;		/* reads up to here before it pauses again */
	__u64 since;		/* when it became blocked, ms */
	__u64 heard;		/* when it last received, ms */
};

struct conn {
	struct end end[2];
	struct chim_nl_tuple name;
	bool in_nic;
};

static struct conn *conns;
static struct pollfd *pfds;
static int n_conns = 1;

static int family = 4;
static const char *peer_ns;
static bool host_listens, offload_first, until_signal, careless;
static int half_close = -1;
static __u64 min_bytes, min_ms, seed = 1, tail_bytes = 65536;
static unsigned int cycles, gap_us = 2000, stall_ms = 30000, sockbuf;
static bool slow_end[2];

static struct chim_nl nl;
static atomic_bool signalled, finishing;
static atomic_uint cycled;
static unsigned long left, refused, unread, unacked, unsent;
static unsigned long recovery, backoff;

/* Bytes pos to pos + len of the stream named by key. */
static void fill(__u64 key, __u64 pos, unsigned char *buf, size_t len)
{
	__u64 word;
	size_t n;

	while (len) {
		word = mix(key + (pos >> 3)) >> 8 * (pos & 7);
		n = 8 - (pos & 7);
		if (n > len)
			n = len;
		memcpy(buf, &word, n);
		buf += n;
		pos += n;
		len -= n;
	}
}

static __u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

static void show(const struct conn *c, int side)
{
	const struct end *e = &c->end[side];
	int inq = 0, outq = 0, unsent = 0;
	struct tcp_info ti = {};
	socklen_t len = sizeof(ti);

	ioctl(e->fd, SIOCINQ, &inq);
	ioctl(e->fd, SIOCOUTQ, &outq);
	ioctl(e->fd, SIOCOUTQNSD, &unsent);
	getsockopt(e->fd, IPPROTO_TCP, TCP_INFO, &ti, &len);
	fprintf(stderr, "  %s%s: sent %llu rcvd %llu%s%s%s%s",
		side == HOST ? "host" : "peer",
		side == HOST && c->in_nic ? " (in the NIC)" : "",
		e->sent, e->rcvd, e->paused ? " paused" : "",
		e->blocked ? " blocked" : "", e->fin ? " fin" : "",
		e->eof ? " eof" : "");
	fprintf(stderr, " inq %d outq %d unsent %d", inq, outq, unsent);
	fprintf(stderr, " state %u ca %u rtx %u probes %u backoff %u rto %u",
		ti.tcpi_state, ti.tcpi_ca_state, ti.tcpi_retransmits,
		ti.tcpi_probes, ti.tcpi_backoff, ti.tcpi_rto);
	fprintf(stderr, " unacked %u cwnd %u wnd %u last rcv %u ack %u ms\n",
		ti.tcpi_unacked, ti.tcpi_snd_cwnd, ti.tcpi_snd_wnd,
		ti.tcpi_last_data_recv, ti.tcpi_last_ack_recv);
}

static noreturn void die(const struct conn *c, int side, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "stream: ");
	if (c)
		fprintf(stderr, "connection %d, %s: ", (int)(c - conns),
			side == HOST ? "host" : "peer");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, " (after %u cycles)\n", cycled);
	if (c) {
		show(c, HOST);
		show(c, PEER);
	}
	_exit(1);
}

/* ---- connections -------------------------------------------------------- */

static void enter(int ns)
{
	if (setns(ns, CLONE_NEWNET))
		die(NULL, 0, "setns: %s", strerror(errno));
}

static socklen_t address(struct sockaddr_storage *ss, int side, int af)
{
	static const char * const v4[] = { "192.0.2.1", "192.0.2.2" };
	static const char * const mapped[] = { "::ffff:192.0.2.1",
					       "::ffff:192.0.2.2" };
	static const char * const v6[] = { "2001:db8::1", "2001:db8::2" };
	struct sockaddr_in6 *s6 = (struct sockaddr_in6 *)ss;
	struct sockaddr_in *s4 = (struct sockaddr_in *)ss;

	memset(ss, 0, sizeof(*ss));
	ss->ss_family = af;
	if (af == AF_INET) {
		s4->sin_port = htons(PORT);
		inet_pton(AF_INET, v4[side], &s4->sin_addr);
		return sizeof(*s4);
	}
	s6->sin6_port = htons(PORT);
	inet_pton(AF_INET6, family == 6 ? v6[side] : mapped[side],
		  &s6->sin6_addr);
	return sizeof(*s6);
}

static int new_socket(int side)
{
	int af = family == 4 || (family == 46 && side == PEER) ? AF_INET :
								 AF_INET6;
	int fd = socket(af, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		die(NULL, 0, "socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (sockbuf) {
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sockbuf,
			   sizeof(sockbuf));
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &sockbuf,
			   sizeof(sockbuf));
	}
	return fd;
}

static int socket_family(int fd)
{
	socklen_t len = sizeof(int);
	int af = 0;

	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &af, &len);
	return af;
}

static int ask_and_accept(int fd, int listener, int server)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int got;

	len = address(&ss, server, socket_family(fd));
	if (connect(fd, (struct sockaddr *)&ss, len))
		die(NULL, 0, "connect: %s", strerror(errno));
	got = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (got < 0)
		die(NULL, 0, "accept: %s", strerror(errno));
	return got;
}

static void connect_all(void)
{
	int server = host_listens ? HOST : PEER, client = !server;
	int ns[2], listener, i, side;
	struct sockaddr_storage ss;
	char path[256];
	socklen_t len;

	snprintf(path, sizeof(path), "/run/netns/%s", peer_ns);
	ns[HOST] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	ns[PEER] = open(path, O_RDONLY | O_CLOEXEC);
	if (ns[HOST] < 0 || ns[PEER] < 0)
		die(NULL, 0, "%s: %s", path, strerror(errno));

	enter(ns[server]);
	listener = new_socket(server);
	len = address(&ss, server, socket_family(listener));
	if (bind(listener, (struct sockaddr *)&ss, len) ||
	    listen(listener, 128))
		die(NULL, 0, "listen: %s", strerror(errno));
	enter(ns[client]);
	for (i = 0; i < n_conns; i++) {
		struct conn *c = &conns[i];

		c->end[client].fd = new_socket(client);
		c->end[server].fd = ask_and_accept(c->end[client].fd,
						   listener, server);
		for (side = HOST; side <= PEER; side++) {
			struct end *e = &c->end[side];

			fcntl(e->fd, F_SETFL, O_NONBLOCK);
			e->seed = mix(mix(seed) + 2 * i + side);
			e->slow = slow_end[side];
			e->limit = half_close == side ? min_bytes : ~0ULL;
			e->heard = now_ms();
			pfds[2 * i + side].fd = e->fd;
		}
	}
	for (i = 0; i < n_conns; i++)
		if (chim_nl_tuple_of(conns[i].end[HOST].fd, &conns[i].name))
			die(&conns[i], HOST, "no addresses");
	close(listener);
	enter(ns[HOST]);
	close(ns[PEER]);
	close(ns[HOST]);
}

/* ---- moves -------------------------------------------------------------- */

/* In what situations connections were moved. */
static void note_situation(int fd)
{
	struct tcp_info ti = {};
	socklen_t len = sizeof(ti);
	int n;

	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &ti, &len);
	recovery += ti.tcpi_ca_state >= TCP_CA_Recovery;
	backoff += ti.tcpi_backoff > 0;
	if (!ioctl(fd, SIOCINQ, &n) && n > 0)
		unread++;
	if (!ioctl(fd, SIOCOUTQ, &n) && n > 0)
		unacked++;
	if (!ioctl(fd, SIOCOUTQNSD, &n) && n > 0)
		unsent++;
}

static void move(struct conn *c)
{
	struct chim_nl_conn state;
	int err;

	note_situation(c->end[HOST].fd);
	if (!c->in_nic) {
		err = chim_nl_offload_fd(&nl, c->end[HOST].fd, &state);
		if (err && !careless)
			die(c, HOST, "offload: %s: %s", strerror(-err),
			    nl.msg);
		refused += !!err;
		c->in_nic = !err;
		return;
	}
	err = chim_nl_terminate(&nl, &c->name, &state);
	if (err == -ENOENT)
		left++;
	else if (err && !careless)
		die(c, HOST, "terminate: %s: %s", strerror(-err), nl.msg);
	c->in_nic = false;
	cycled++;
}

static void *mover(void *unused)
{
	__u64 dice = mix(seed + 77);

	while (!finishing && (until_signal || careless || cycled < cycles)) {
		if (gap_us)
			usleep(any(&dice) % gap_us);
		move(&conns[any(&dice) % n_conns]);
	}
	return NULL;
}

/* ---- data --------------------------------------------------------------- */

static void receive(struct conn *c, int side, __u64 *dice, __u64 now)
{
	static unsigned char got[CHUNK], want[CHUNK];
	struct end *e = &c->end[side], *from = &c->end[!side];
	ssize_t n, i;

	n = recv(e->fd, got, 1 + any(dice) % CHUNK, 0);
	if (n < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return;
		die(c, side, "recv: %s", strerror(errno));
	}
	e->heard = now;
	if (!n) {
		if (!from->fin)
			die(c, side, "end of file, the other end is open");
		if (e->rcvd != from->sent)
			die(c, side, "%llu bytes came, %llu were sent",
			    e->rcvd, from->sent);
		e->eof = true;
		return;
	}
	fill(from->seed, e->rcvd, want, n);
	if (memcmp(got, want, n)) {
		for (i = 0; got[i] == want[i]; i++)
			;
		die(c, side, "byte %llu is %#x, should be %#x",
		    e->rcvd + i, got[i], want[i]);
	}
	e->rcvd += n;
}

static void transmit(struct conn *c, int side, __u64 *dice)
{
	static unsigned char buf[CHUNK];
	struct end *e = &c->end[side];
	__u64 len = 1 + any(dice) % (any(dice) % 4 ? CHUNK : 100);
	ssize_t n;

	if (len > e->limit - e->sent)
		len = e->limit - e->sent;
	if (!len) {
		if (shutdown(e->fd, SHUT_WR))
			die(c, side, "shutdown: %s", strerror(errno));
		e->fin = true;
		return;
	}
	fill(e->seed, e->sent, buf, len);
	n = send(e->fd, buf, len, MSG_NOSIGNAL);
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			die(c, side, "send: %s", strerror(errno));
		n = 0;
	}
	e->sent += n;
}

/* A slow reader waits until the writer cannot go on, and some more. */
static void set_pause(struct end *e, const struct end *from, __u64 now)
{
	bool full = from->blocked && now - from->since >= PAUSE_MS;

	if (finishing || from->fin) {
		e->paused = false;
	} else if (e->paused) {
		e->heard = now;
		if (full) {
			e->paused = false;
			e->drain = from->sent;
		}
	} else if (e->rcvd >= e->drain) {
		e->paused = true;
	}
}

static void check_stall(const struct conn *c, int side, __u64 now)
{
	const struct end *e = &c->end[side];

	if (!e->eof && !e->paused && !c->end[!side].paused &&
	    now > e->heard + stall_ms)
		die(c, side, "nothing came for %u ms", stall_ms);
}

/* Lets every connection do what it can. Returns how many ends are not done. */
static int round_robin(__u64 *dice)
{
	__u64 now = now_ms();
	int open = 0, i, side, timeout = 100;

	for (i = 0; i < n_conns; i++) {
		for (side = HOST; side <= PEER; side++) {
			struct end *e = &conns[i].end[side];
			struct pollfd *p = &pfds[2 * i + side];

			if (e->slow)
				set_pause(e, &conns[i].end[!side], now);
			if (e->paused)
				timeout = 10;
			check_stall(&conns[i], side, now);
			p->events = (e->fin ? 0 : POLLOUT) |
				    (e->eof || e->paused ? 0 : POLLIN);
			p->fd = e->fin && e->eof ? -1 : e->fd;
			open += !(e->fin && e->eof);
		}
	}
	if (!open)
		return 0;
	if (poll(pfds, 2 * n_conns, timeout) < 0 && errno != EINTR)
		die(NULL, 0, "poll: %s", strerror(errno));
	now = now_ms();
	for (i = 0; i < 2 * n_conns; i++) {
		struct conn *c = &conns[i / 2];
		struct end *e = &c->end[i % 2];

		if (pfds[i].fd < 0)
			continue;
		if (pfds[i].revents && pfds[i].events & POLLIN)
			receive(c, i % 2, dice, now);
		if (pfds[i].revents & ~POLLIN && !e->fin)
			transmit(c, i % 2, dice);
		if (pfds[i].revents & POLLOUT || e->fin) {
			e->blocked = false;
		} else if (!e->blocked) {
			e->blocked = true;
			e->since = now;
		}
	}
	return open;
}

static bool enough(__u64 start)
{
	int i, side;

	if (now_ms() - start < min_ms || cycled < cycles ||
	    (until_signal && !signalled))
		return false;
	for (i = 0; i < n_conns; i++)
		for (side = HOST; side <= PEER; side++)
			if (conns[i].end[side].sent < min_bytes ||
			    conns[i].end[side].rcvd < min_bytes)
				return false;
	return true;
}

static void finish(void)
{
	int i, side;

	finishing = true;
	for (i = 0; i < n_conns; i++)
		for (side = HOST; side <= PEER; side++)
			if (!conns[i].end[side].fin)
				conns[i].end[side].limit =
					conns[i].end[side].sent + tail_bytes;
}

static void run(void)
{
	__u64 start = now_ms(), dice = mix(seed + 99), sum = 0;
	bool moves = cycles || careless;
	socklen_t len = sizeof(int);
	pthread_t thread;
	int i, err;

	if (moves && pthread_create(&thread, NULL, mover, NULL))
		die(NULL, 0, "no thread");
	do {
		if (!finishing && enough(start)) {
			finish();
			if (moves)
				pthread_join(thread, NULL);
		}
	} while (round_robin(&dice));

	for (i = 0; i < 2 * n_conns; i++) {
		struct end *e = &conns[i / 2].end[i % 2];

		if (getsockopt(e->fd, SOL_SOCKET, SO_ERROR, &err, &len) || err)
			die(&conns[i / 2], i % 2, "socket error: %s",
			    strerror(err));
		sum += e->rcvd;
		if (close(e->fd))
			die(NULL, 0, "close: %s", strerror(errno));
	}
	printf("cycles=%u left=%lu refused=%lu ", cycled, left, refused);
	printf("unread=%lu unacked=%lu unsent=%lu ", unread, unacked, unsent);
	printf("recovery=%lu backoff=%lu ", recovery, backoff);
	printf("bytes=%llu ms=%llu\n", sum, now_ms() - start);
}

/* ---- command line ------------------------------------------------------- */

static void on_signal(int sig)
{
	signalled = 1;
}

static noreturn void usage(void)
{
	fputs("stream -P NAMESPACE [OPTION]...\n"
	      "  -4 | -6 | -m  IPv4, IPv6, IPv4 on an IPv6 socket\n"
	      "  -l        the host listens\n"
	      "  -n N      connections\n"
	      "  -o        offload them all first\n"
	      "  -b BYTES  at least as many, each way of each connection\n"
	      "  -t MS     at least as long\n"
	      "  -c N      cycles of offload and terminate\n"
	      "  -u        until SIGTERM\n"
	      "  -k        cycle until the end, whatever is refused\n"
	      "  -g US     longest time between moves\n"
	      "  -z h|p    this end reads only when the writer is stuck\n"
	      "  -x h|p    this end closes its half after -b BYTES\n"
	      "  -B BYTES  socket buffers\n"
	      "  -T BYTES  sent last\n"
	      "  -w MS     longest time without progress\n"
	      "  -s SEED\n", stderr);
	exit(2);
}

static int side_of(const char *arg)
{
	if (*arg != 'h' && *arg != 'p')
		usage();
	return *arg == 'h' ? HOST : PEER;
}

static void options(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv,
			     "P:46mln:ob:t:c:ukg:z:x:B:T:w:s:")) != -1) {
		switch (opt) {
		case 'P':
			peer_ns = optarg;
			break;
		case '4':
			family = 4;
			break;
		case '6':
			family = 6;
			break;
		case 'm':
			family = 46;
			break;
		case 'l':
			host_listens = true;
			break;
		case 'n':
			n_conns = atoi(optarg);
			break;
		case 'o':
			offload_first = true;
			break;
		case 'b':
			min_bytes = strtoull(optarg, NULL, 0);
			break;
		case 't':
			min_ms = strtoull(optarg, NULL, 0);
			break;
		case 'c':
			cycles = atoi(optarg);
			break;
		case 'u':
			until_signal = true;
			break;
		case 'k':
			careless = true;
			break;
		case 'g':
			gap_us = atoi(optarg);
			break;
		case 'z':
			slow_end[side_of(optarg)] = true;
			break;
		case 'x':
			half_close = side_of(optarg);
			break;
		case 'B':
			sockbuf = atoi(optarg);
			break;
		case 'T':
			tail_bytes = strtoull(optarg, NULL, 0);
			break;
		case 'w':
			stall_ms = atoi(optarg);
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		default:
			usage();
		}
	}
	if (!peer_ns || optind < argc || n_conns < 1)
		usage();
}

int main(int argc, char **argv)
{
	int i;

	options(argc, argv);
	if (!access("/proc/lockdep", F_OK)) /* a slow kernel */
		stall_ms *= 5;
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGTERM, on_signal);
	conns = calloc(n_conns, sizeof(*conns));
	pfds = calloc(2 * n_conns, sizeof(*pfds));
	if (!conns || !pfds)
		die(NULL, 0, "no memory");
	connect_all();
	if (offload_first || cycles || careless) {
		i = chim_nl_open(&nl);
		if (i)
			die(NULL, 0, "chimney: %s", strerror(-i));
	}
	for (i = 0; offload_first && i < n_conns; i++)
		move(&conns[i]);
	puts("ready");
	run();
	return 0;
}
