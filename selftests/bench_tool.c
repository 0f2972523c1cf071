// SPDX-License-Identifier: GPL-2.0
/*
 * The parts of bench.sh that have to be fast or need many connections:
 *
 *   bench_tool serve PORT		echo server
 *   bench_tool idle N MS IDLE [nic]	N connections, MS ms apart, keepalive
 *					after IDLE s; offloaded if "nic";
 *					prints its process id when they idle
 *   bench_tool move N SECONDS		moves a second: by TCP_REPAIR, by the
 *					NIC, by the NIC and many at once
 *   bench_tool slab N			memory of an offloaded connection
 *   bench_tool pong COUNT		round trips of one byte, native and NIC
 *
 * All but the server connect to 192.0.2.2, port 7. Results are words on one
 * line.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <error.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "chimney_nl.h"

#define PEER	"192.0.2.2"
#define PORT	7
#define ROUNDS	5
#define BATCH	32

static struct chim_nl nl;

static void check(bool ok, const char *what)
{
	if (!ok)
		error(1, errno, "%s", what);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;

	return d < 0 ? -1 : d > 0;
}

static double percentile(double *v, size_t n, double p)
{
	qsort(v, n, sizeof(*v), compare);
	return v[(size_t)(p * (n - 1))];
}

static void set(int fd, int level, int opt, int val)
{
	check(!setsockopt(fd, level, opt, &val, sizeof(val)), "setsockopt");
}

static int get(int fd, int opt)
{
	socklen_t len = sizeof(int);
	int val;

	check(!getsockopt(fd, IPPROTO_TCP, opt, &val, &len), "getsockopt");
	return val;
}

/* Connections */

static struct sockaddr_in address(const char *ip, int port)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
	};

	inet_pton(AF_INET, ip, &a.sin_addr);
	return a;
}

static int connect_one(void)
{
	struct sockaddr_in a = address(PEER, PORT);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	check(fd >= 0, "socket");
	set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	check(!connect(fd, (struct sockaddr *)&a, sizeof(a)), "connect");
	return fd;
}

static int *connect_many(int n)
{
	int *fds = calloc(n, sizeof(*fds));
	int i;

	check(fds, "calloc");
	for (i = 0; i < n; i++)
		fds[i] = connect_one();
	return fds;
}

static void offload(int fd)
{
	struct chim_nl_conn conn;
	int err = chim_nl_offload_fd(&nl, fd, &conn);

	if (err)
		error(1, -err, "down: %s", nl.msg);
}

static void terminate(int fd)
{
	struct chim_nl_tuple t;
	struct chim_nl_conn conn;
	int err = chim_nl_tuple_of(fd, &t);

	if (!err)
		err = chim_nl_terminate(&nl, &t, &conn);
	if (err)
		error(1, -err, "up: %s", nl.msg);
}

/* As many requests in one message. */
static void offload_batch(const int *fds, int n)
{
	char buf[BATCH * 64] = {}, *p = buf;
	struct genlmsghdr *genl;
	struct nlmsghdr *nlh;
	int i;

	for (i = 0; i < n; i++) {
		nlh = mnl_nlmsg_put_header(p);
		nlh->nlmsg_type = nl.family;
		nlh->nlmsg_flags = NLM_F_REQUEST;
		nlh->nlmsg_seq = ++nl.seq;
		genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
		genl->cmd = CHIMNEY_CMD_CONN_OFFLOAD;
		mnl_attr_put_u32(nlh, CHIMNEY_A_CONN_FD, fds[i]);
		p += MNL_ALIGN(nlh->nlmsg_len);
	}
	check(mnl_socket_sendto(nl.sock, buf, p - buf) == p - buf, "sendto");
	for (i = 0; i < n; i++) {
		char reply[8192];

		check(mnl_socket_recvfrom(nl.sock, reply, sizeof(reply)) > 0,
		      "recvfrom");
		nlh = (struct nlmsghdr *)reply;
		if (nlh->nlmsg_type == NLMSG_ERROR)
			error(1, 0, "a batch was refused");
	}
}

static void upload_all(void)
{
	int err = chim_nl_dev_do(&nl, if_nametoindex("chim0"),
				 CHIMNEY_CMD_DEV_UPLOAD_ALL);

	if (err)
		error(1, -err, "all up: %s", nl.msg);
}

static void serve(int port)
{
	struct sockaddr_in a = address("0.0.0.0", port);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	struct epoll_event ev = { .events = EPOLLIN };
	int poll = epoll_create1(0);
	char buf[4096];

	set(listener, SOL_SOCKET, SO_REUSEADDR, 1);
	check(!bind(listener, (struct sockaddr *)&a, sizeof(a)), "bind");
	check(!listen(listener, 4096), "listen");
	ev.data.fd = listener;
	check(!epoll_ctl(poll, EPOLL_CTL_ADD, listener, &ev), "epoll_ctl");

	for (;;) {
		int fd;

		if (epoll_wait(poll, &ev, 1, -1) < 1)
			continue;
		fd = ev.data.fd;
		if (fd == listener) {
			fd = accept(listener, NULL, NULL);
			check(fd >= 0, "accept");
			set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
			ev.events = EPOLLIN;
			ev.data.fd = fd;
			check(!epoll_ctl(poll, EPOLL_CTL_ADD, fd, &ev),
			      "epoll_ctl");
		} else {
			ssize_t n = read(fd, buf, sizeof(buf));

			if (n <= 0 || write(fd, buf, n) != n)
				close(fd);
		}
	}
}

static double ping(int fd, int count)
{
	double *t = calloc(count, sizeof(*t)), median;
	char byte = 'x';
	int i;

	check(t, "calloc");
	for (i = 0; i < count; i++) {
		double start = now();

		check(write(fd, &byte, 1) == 1, "write");
		check(read(fd, &byte, 1) == 1, "read");
		t[i] = now() - start;
	}
	median = percentile(t, count, .5);
	free(t);
	return median;
}

static void idle(int n, int ms, int after, bool nic)
{
	const struct timespec gap = {
		.tv_sec = ms / 1000,
		.tv_nsec = ms % 1000 * 1000000L,
	};
	int i;

	for (i = 0; i < n; i++) {
		int fd = connect_one();

		set(fd, IPPROTO_TCP, TCP_KEEPIDLE, after);
		set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
		set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
		if (nic)
			offload(fd);
		ping(fd, 1);
		nanosleep(&gap, NULL);
	}
	printf("%d\n", getpid());
	fflush(stdout);
	pause();
}

/* What libsoccr does to a connection with empty queues: read all there is to
 * know, close the socket, and make a new one of it.
 */
static int repair(int fd)
{
	const int queues[] = { TCP_RECV_QUEUE, TCP_SEND_QUEUE };
	struct sockaddr_in src, dst;
	struct tcp_repair_opt opts[4];
	struct tcp_repair_window wnd;
	struct tcp_info info;
	int mss, timestamp, size, i, n = 0;
	int seq[2];
	socklen_t len;

	set(fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_ON);
	len = sizeof(src);
	check(!getsockname(fd, (struct sockaddr *)&src, &len), "getsockname");
	len = sizeof(dst);
	check(!getpeername(fd, (struct sockaddr *)&dst, &len), "getpeername");
	len = sizeof(info);
	check(!getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), "TCP_INFO");
	check(!ioctl(fd, SIOCOUTQ, &size) && !size, "send queue");
	check(!ioctl(fd, SIOCOUTQNSD, &size) && !size, "unsent data");
	check(!ioctl(fd, SIOCINQ, &size) && !size, "receive queue");
	mss = get(fd, TCP_MAXSEG);
	timestamp = get(fd, TCP_TIMESTAMP);
	len = sizeof(wnd);
	check(!getsockopt(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &wnd, &len),
	      "TCP_REPAIR_WINDOW");
	for (i = 0; i < 2; i++) {
		set(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, queues[i]);
		seq[i] = get(fd, TCP_QUEUE_SEQ);
	}
	close(fd);

	fd = socket(AF_INET, SOCK_STREAM, 0);
	check(fd >= 0, "socket");
	set(fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_ON);
	set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	check(!bind(fd, (struct sockaddr *)&src, sizeof(src)), "bind");
	for (i = 0; i < 2; i++) {
		set(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, queues[i]);
		set(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, seq[i]);
	}
	check(!connect(fd, (struct sockaddr *)&dst, sizeof(dst)), "connect");
	if (info.tcpi_options & TCPI_OPT_SACK)
		opts[n++] = (struct tcp_repair_opt){ 4 /* SACK */, 0 };
	if (info.tcpi_options & TCPI_OPT_WSCALE)
		opts[n++] = (struct tcp_repair_opt){ 3 /* window scale */,
			info.tcpi_snd_wscale | info.tcpi_rcv_wscale << 16 };
	if (info.tcpi_options & TCPI_OPT_TIMESTAMPS)
		opts[n++] = (struct tcp_repair_opt){ 8 /* timestamp */, 0 };
	opts[n++] = (struct tcp_repair_opt){ 2 /* MSS */, mss };
	check(!setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_OPTIONS, opts,
			  n * sizeof(opts[0])), "TCP_REPAIR_OPTIONS");
	if (info.tcpi_options & TCPI_OPT_TIMESTAMPS)
		set(fd, IPPROTO_TCP, TCP_TIMESTAMP, timestamp);
	check(!setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &wnd,
			  sizeof(wnd)),
	      "TCP_REPAIR_WINDOW");
	set(fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_OFF);
	return fd;
}

static int move_some(int method, int *fds, int n, int first)
{
	switch (method) {
	case 0:
		fds[first] = repair(fds[first]);
		return 1;
	case 1:
		offload(fds[first]);
		terminate(fds[first]);
		return 1;
	default:
		if (n > first + BATCH)
			n = first + BATCH;
		offload_batch(fds + first, n - first);
		upload_all();
		return n - first;
	}
}

/* In turn, and the median of several rounds. */
static void move(int n, double seconds)
{
	double rate[3][ROUNDS];
	int *fds = connect_many(n);
	int round, method;

	for (round = 0; round < ROUNDS; round++) {
		for (method = 0; method < 3; method++) {
			double start = now(), end;
			int count = 0;

			do {
				count += move_some(method, fds, n, count % n);
				end = now();
			} while (end < start + seconds);
			rate[method][round] = count / (end - start);
		}
	}
	for (method = 0; method < 3; method++)
		printf("%.0f ", percentile(rate[method], ROUNDS, .5));
	puts("");
}

/* Bytes of all slab caches, in whole pages. */
static double slab_bytes(void)
{
	char line[512];
	double sum = 0;
	FILE *f = fopen("/proc/slabinfo", "r");

	check(f, "/proc/slabinfo");
	while (fgets(line, sizeof(line), f)) {
		unsigned long pages, slabs;

		const char *p = strstr(line, "slabdata");

		if (p && sscanf(line, "%*s%*u%*u%*u%*u%lu", &pages) == 1 &&
		    sscanf(p, "slabdata %*u%lu", &slabs) == 1)
			sum += (double)pages * slabs * getpagesize();
	}
	fclose(f);
	return sum;
}

static void slab(int n)
{
	int *fds = connect_many(n);
	double before = slab_bytes(), after;
	int i;

	for (i = 0; i < n; i++)
		offload(fds[i]);
	after = slab_bytes();
	printf("%.0f\n", (after - before) / n);
}

static void pong(int count)
{
	double native[ROUNDS], nic[ROUNDS];
	int fd = connect_one(), round;

	ping(fd, count);
	for (round = 0; round < ROUNDS; round++) {
		native[round] = ping(fd, count);
		offload(fd);
		nic[round] = ping(fd, count);
		terminate(fd);
	}
	printf("%.1f %.1f\n", percentile(native, ROUNDS, .5) * 1e6,
	       percentile(nic, ROUNDS, .5) * 1e6);
}

int main(int argc, char **argv)
{
	struct rlimit files;
	const char *cmd = argc > 2 ? argv[1] : "";
	int n = argc > 2 ? atoi(argv[2]) : 0;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	if (!strcmp(cmd, "serve"))
		serve(n);
	errno = -chim_nl_open(&nl);
	check(!errno, "open netlink");
	if (!strcmp(cmd, "idle") && argc > 4)
		idle(n, atoi(argv[3]), atoi(argv[4]), argc > 5);
	else if (!strcmp(cmd, "move") && argc > 3)
		move(n, atof(argv[3]));
	else if (!strcmp(cmd, "slab"))
		slab(n);
	else if (!strcmp(cmd, "pong"))
		pong(n);
	else
		error(2, 0, "wrong arguments");
	return 0;
}
