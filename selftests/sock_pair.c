// SPDX-License-Identifier: GPL-2.0
/*
 * Connected sockets over the device; see sock_pair.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "sock_pair.h"

unsigned int net_ifindex;
int net_host_ns, net_peer_ns;

time_t time_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int run(const char *fmt, ...)
{
	char cmd[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	return system(cmd);
}

bool output_has(const char *cmd, const char *text)
{
	FILE *f = popen(cmd, "r");
	bool found = false;
	char line[4096];

	if (!f)
		return false;
	while (fgets(line, sizeof(line), f))
		found |= !!strstr(line, text);
	pclose(f);
	return found;
}

/* Is that the first line? */
bool output_is(const char *cmd, const char *text)
{
	char line[4096] = "";
	FILE *f = popen(cmd, "r");

	if (!f)
		return false;
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	pclose(f);
	return !strcmp(line, text);
}

/* Namespaces */

/**
 * net_new - make a network namespace and enter it
 *
 * Return: a descriptor of it, or -1
 */
int net_new(void)
{
	if (unshare(CLONE_NEWNET))
		return -1;
	return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

/* Addresses of the namespace can be used at once. */
static bool net_no_dad(void)
{
	int fd = open("/proc/sys/net/ipv6/conf/default/accept_dad",
		      O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && write(fd, "0", 1) == 1;

	if (fd >= 0)
		close(fd);
	return good;
}

/**
 * net_renew - replace namespaces, devices and addresses by new ones
 *
 * For a test that changes them or counts what is there; what other processes
 * have stays. Of few commands, because starting one takes time.
 *
 * Return: false if that cannot be done
 */
bool net_renew(void)
{
	net_peer_ns = net_new();
	if (net_peer_ns < 0 || !net_no_dad())
		return false;
	net_host_ns = net_new();
	if (net_host_ns < 0 || !net_no_dad() ||
	    run("ip -batch - <<-END\n"
		"link set lo up\n"
		"link add veth0 type veth peer veth1 netns /proc/%d/fd/%d\n"
		"link set veth0 up\n"
		"link add link veth0 name chim0 type chimney\n"
		"address add 192.0.2.1/24 dev chim0\n"
		"address add 2001:db8::1/64 dev chim0 nodad\n"
		"END", getpid(), net_peer_ns))
		return false;
	if (net_enter(net_peer_ns) ||
	    run("ip -batch - <<-END\n"
		"link set lo up\n"
		"address add 192.0.2.2/24 dev veth1\n"
		"address add 2001:db8::2/64 dev veth1 nodad\n"
		"link set veth1 up\n"
		"END") ||
	    net_enter(net_host_ns) ||
	    run("ip link set chim0 up"))
		return false;
	net_ifindex = if_nametoindex("chim0");
	return net_ifindex &&
	       until(output_has("ip link show dev chim0", "LOWER_UP"));
}

static void __attribute__((constructor)) net_make(void)
{
	if (net_renew())
		return;
	printf("Bail out! no namespaces with a chimney device\n");
	exit(1);
}

/* For the calling thread. */
int net_enter(int ns)
{
	return setns(ns, CLONE_NEWNET);
}

/* What netem does with all that the peer sends; nothing if NULL. */
bool net_peer_netem(const char *how)
{
	int err;

	net_enter(net_peer_ns);
	err = how ? run("tc qdisc add dev veth1 root netem %s", how) :
		    run("tc qdisc delete dev veth1 root");
	return !net_enter(net_host_ns) && !err;
}

int net_socket(int ns, int family, int type, int proto)
{
	int fd;

	if (net_enter(ns))
		return -1;
	fd = socket(family, type | SOCK_CLOEXEC, proto);
	return net_enter(net_host_ns) ? -1 : fd;
}

socklen_t net_address(int kind, bool peer, int port,
		      struct sockaddr_storage *ss)
{
	static const char * const name[][2] = {
		[IPV4] = { "192.0.2.1", "192.0.2.2" },
		[IPV6] = { "2001:db8::1", "2001:db8::2" },
		[MAPPED] = { "::ffff:192.0.2.1", "::ffff:192.0.2.2" },
	};
	struct sockaddr_in6 *in6 = (void *)ss;
	struct sockaddr_in *in = (void *)ss;

	memset(ss, 0, sizeof(*ss));
	if (kind == IPV4) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		inet_pton(AF_INET, name[kind][peer], &in->sin_addr);
		return sizeof(*in);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	inet_pton(AF_INET6, name[kind][peer], &in6->sin6_addr);
	return sizeof(*in6);
}

int net_port(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (getsockname(fd, (void *)&ss, &len))
		return -1;
	/* At the same place in both families. */
	return ntohs(((struct sockaddr_in *)&ss)->sin_port);
}

static int net_family(int kind)
{
	return kind == IPV4 ? AF_INET : AF_INET6;
}

int net_listen(int kind, bool peer)
{
	struct sockaddr_storage ss;
	socklen_t len = net_address(kind, peer, 0, &ss);
	int fd = net_socket(peer ? net_peer_ns : net_host_ns,
			    net_family(kind), SOCK_STREAM, 0);

	if (fd < 0)
		return -1;
	if (bind(fd, (void *)&ss, len) || listen(fd, 8)) {
		close(fd);
		return -1;
	}
	return fd;
}

int net_connect(int kind, bool from_peer, int port)
{
	struct sockaddr_storage ss;
	socklen_t len = net_address(kind, !from_peer, port, &ss);
	int fd = net_socket(from_peer ? net_peer_ns : net_host_ns,
			    net_family(kind), SOCK_STREAM, 0);

	if (fd >= 0 && connect(fd, (void *)&ss, len)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* One of the counters of chim0, -1 if there is none of that name. */
long net_counter(const char *name)
{
	char cmd[64];
	long n = -1;
	FILE *f;

	snprintf(cmd, sizeof(cmd), "ethtool -S chim0 | awk '/ %s:/{print $2}'",
		 name);
	f = popen(cmd, "re");
	if (f && fscanf(f, "%ld", &n) != 1)
		n = -1;
	if (f)
		pclose(f);
	return n;
}

/* Pairs */

/* Linux forgets a half-open connection if it cannot repeat its SYN-ACK; the
 * other end does not learn of it.
 */
static int net_accept(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (poll(&p, 1, DEADLINE * 1000) != 1)
		return -1;
	return accept4(fd, NULL, NULL, SOCK_CLOEXEC);
}

static int pair_make(struct pair *p, int kind, bool accepted)
{
	struct timeval limit = { .tv_sec = DEADLINE };
	int fd = net_listen(kind, !accepted), one, two;

	p->sk = -1;
	p->peer = -1;
	if (fd < 0)
		return -1;
	one = net_connect(kind, accepted, net_port(fd));
	two = one < 0 ? -1 : net_accept(fd);
	close(fd);
	p->sk = accepted ? two : one;
	p->peer = accepted ? one : two;
	if (one < 0 || two < 0)
		return -1;
	/* A peer that waits in vain is a test that fails. */
	setsockopt(p->peer, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(p->peer, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	return chim_nl_tuple_of(p->sk, &p->tuple);
}

/**
 * pair_open - a connection opened by the host
 * @p: what to set up
 * @kind: of both sockets
 */
int pair_open(struct pair *p, int kind)
{
	return pair_make(p, kind, false);
}

/**
 * pair_accept - a connection opened by the peer
 * @p: what to set up
 * @kind: of both sockets
 */
int pair_accept(struct pair *p, int kind)
{
	return pair_make(p, kind, true);
}

void pair_close(struct pair *p)
{
	if (p->sk >= 0)
		close(p->sk);
	if (p->peer >= 0)
		close(p->peer);
	p->sk = -1;
	p->peer = -1;
}

/* Threads; the signals of a test are for its first one. */

static int thread_start(pthread_t *thread, void *(*fn)(void *arg), void *arg)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(thread, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return err;
}

static void *churn_run(void *arg)
{
	unsigned int seed = getpid();
	struct churn *c = arg;

	while (!c->stop) {
		if (!chim_nl_offload(&c->nl, c->tuple, NULL))
			c->moves++;
		usleep(rand_r(&seed) % 1000);
		if (!chim_nl_terminate(&c->nl, c->tuple, NULL))
			c->moves++;
		usleep(rand_r(&seed) % 1000);
	}
	return NULL;
}

int churn_start(struct churn *c, const struct chim_nl_tuple *t)
{
	memset(c, 0, sizeof(*c));
	c->tuple = t;
	if (chim_nl_open(&c->nl))
		return -1;
	return thread_start(&c->thread, churn_run, c);
}

void churn_stop(struct churn *c)
{
	c->stop = true;
	pthread_join(c->thread, NULL);
	chim_nl_close(&c->nl);
}

static void *call_run(void *arg)
{
	struct call *c = arg;

	c->tid = syscall(SYS_gettid);
	errno = 0;
	c->ret = c->fn(c);
	c->err = errno;
	c->done = true;
	return NULL;
}

int call_start(struct call *c, ssize_t (*fn)(struct call *c), int fd,
	       void *buf, size_t len, int flags)
{
	memset(c, 0, sizeof(*c));
	c->fn = fn;
	c->fd = fd;
	c->buf = buf;
	c->len = len;
	c->flags = flags;
	return thread_start(&c->thread, call_run, c);
}

static bool call_in_state(const struct call *c, char state)
{
	char path[64], stat[256] = "";
	const char *s;
	FILE *f;

	if (!c->tid || c->done)
		return false;
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", c->tid);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(stat, sizeof(stat), f))
		stat[0] = '\0';
	fclose(f);
	s = strrchr(stat, ')');
	return s && s[2] == state;
}

/* Is the thread in a call that waits? */
bool call_sleeps(const struct call *c)
{
	return call_in_state(c, 'S');
}

/* Does it wait for a lock, where no signal disturbs? */
bool call_locked_out(const struct call *c)
{
	return call_in_state(c, 'D');
}

/* Does the kernel watch itself? Then everything takes ten times as long. */
bool kernel_watches(void)
{
	return !access("/sys/kernel/debug/failslab", F_OK);
}

ssize_t call_end(struct call *c)
{
	pthread_join(c->thread, NULL);
	errno = c->err;
	return c->ret;
}

ssize_t call_recv(struct call *c)
{
	return recv(c->fd, c->buf, c->len, c->flags);
}

ssize_t call_send(struct call *c)
{
	return send(c->fd, c->buf, c->len, c->flags | MSG_NOSIGNAL);
}

ssize_t call_send_all(struct call *c)
{
	return send_all(c->fd, c->buf, c->len) ? (ssize_t)c->len : -1;
}

/* Data */

static unsigned char fill_byte(size_t at)
{
	return at ^ at >> 8 ^ at >> 16;
}

void fill(void *buf, size_t len, size_t offset)
{
	unsigned char *b = buf;
	size_t i;

	for (i = 0; i < len; i++)
		b[i] = fill_byte(offset + i);
}

bool filled(const void *buf, size_t len, size_t offset)
{
	const unsigned char *b = buf;
	size_t i;

	for (i = 0; i < len; i++)
		if (b[i] != fill_byte(offset + i))
			return false;
	return true;
}

bool send_all(int fd, const void *buf, size_t len)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = send(fd, (const char *)buf + done, len - done,
			 MSG_NOSIGNAL);
		if (n < 0)
			return false;
		done += n;
	}
	return true;
}

bool recv_all(int fd, void *buf, size_t len)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = recv(fd, (char *)buf + done, len - done, 0);
		if (n <= 0)
			return false;
		done += n;
	}
	return true;
}

/* Receives what fill() made. */
bool receives(int fd, size_t len)
{
	char buf[16384];
	size_t at = 0;
	ssize_t n;

	while (at < len) {
		n = recv(fd, buf, sizeof(buf), 0);
		if (n <= 0 || !filled(buf, n, at))
			return false;
		at += n;
	}
	return true;
}

/* Writes until the peer's window is shut and there is no room here. */
ssize_t fill_up(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int waits = 0, calm = 0, was = -1, left;
	ssize_t n, total = 0;
	char data[4096];

	for (;;) {
		fill(data, sizeof(data), total);
		n = send(fd, data, sizeof(data), MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0) {
			total += n;
			waits = 0;
			calm = 0;
			continue;
		}
		if (errno != EAGAIN)
			return total;
		/* All that was sent is acknowledged, or thrown away, and no
		 * more is sent.
		 */
		left = queued(fd, SIOCOUTQ);
		if (left == was && left == queued(fd, SIOCOUTQNSD))
			calm++;
		else
			calm = 0;
		was = left;
		if (calm > 3 || waits > 15)
			return total;
		/* There may be less room than makes poll() tell. */
		poll(&p, 1, 100);
		waits++;
	}
}

/* State */

/* What poll() says right now. */
int events_of(int fd)
{
	struct pollfd p = {
		.fd = fd,
		.events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP,
	};

	return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

int queued(int fd, int request)
{
	int n = -1;

	return ioctl(fd, request, &n) ? -1 : n;
}

int get_int(int fd, int level, int name)
{
	socklen_t len = sizeof(int);
	int value = 0;

	return getsockopt(fd, level, name, &value, &len) ? -1 : value;
}

int set_int(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value));
}

int tcp_state_of(int fd)
{
	struct tcp_info info = {};
	socklen_t len = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) ? -1 :
	       info.tcpi_state;
}

/* State of a connection of the host, -1 if there is none any more. */
int proc_state(int kind, const struct chim_nl_tuple *t)
{
	unsigned int lport, rport, state;
	char line[512];
	int found = -1;
	FILE *f;

	f = fopen(kind == IPV4 ? "/proc/thread-self/net/tcp" :
				 "/proc/thread-self/net/tcp6", "re");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*d: %*[0-9A-F]:%x %*[0-9A-F]:%x %x",
			   &lport, &rport, &state) == 3 &&
		    lport == ntohs(t->lport) && rport == ntohs(t->rport))
			found = state;
	}
	fclose(f);
	return found;
}

/* As "ss -K" does, by an mnl_socket of NETLINK_SOCK_DIAG. */
int sock_destroy(struct mnl_socket *diag, const struct chim_nl_tuple *t)
{
	char buf[1024];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct inet_diag_req_v2 *req;
	int len;

	nlh->nlmsg_type = SOCK_DESTROY;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	req = mnl_nlmsg_put_extra_header(nlh, sizeof(*req));
	req->sdiag_family = t->family;
	req->sdiag_protocol = IPPROTO_TCP;
	req->idiag_states = -1;
	req->id.idiag_sport = t->lport;
	req->id.idiag_dport = t->rport;
	memcpy(req->id.idiag_src, t->local, sizeof(req->id.idiag_src));
	memcpy(req->id.idiag_dst, t->remote, sizeof(req->id.idiag_dst));
	req->id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
	req->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	if (mnl_socket_sendto(diag, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	len = mnl_socket_recvfrom(diag, buf, sizeof(buf));
	if (len < 0)
		return -errno;
	return mnl_cb_run(buf, len, 0, 0, NULL, NULL) < 0 ? -errno : 0;
}

/* Does a byte get from each end to the other? It is another one each time, so
 * that one that comes twice is noticed.
 */
bool echoes(int sk, int peer)
{
	static atomic_uchar last;
	unsigned char c = ++last, got;

	if (send(sk, &c, 1, MSG_NOSIGNAL) != 1 ||
	    recv(peer, &got, 1, MSG_WAITALL) != 1 || got != c)
		return false;
	c = ++last;
	if (send(peer, &c, 1, MSG_NOSIGNAL) != 1 ||
	    !until(events_of(sk) & (POLLIN | POLLHUP))) /* no zero-copy news */
		return false;
	return recv(sk, &got, 1, MSG_DONTWAIT) == 1 && got == c;
}
