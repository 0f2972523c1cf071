// SPDX-License-Identifier: GPL-2.0
/*
 * For the timer tests: the program that holds the sockets, the peer, the
 * control interface and a log of all segments in one process, so that nothing
 * has to be waited for and every time is on one clock.
 *
 * usage: ka_tool HOST-NAMESPACE PEER-NAMESPACE
 *
 * Each line on standard input is a command, and each is answered by one line:
 * "ok", words and KEY=VALUE pairs; or "err" and what is wrong. Times are
 * CLOCK_MONOTONIC in microseconds; spans that are waited are milliseconds.
 * Packets are also seen and answered between commands.
 *
 *   open raw|native 4|6 [KEY=VALUE]	connect: n=CONNECTION; to a peer that
 *					is scripted (.9), or to Linux (.2)
 *   peer N [KEY=VALUE]			how the scripted peer behaves:
 *					answer=1, drop= answers, delay= ms,
 *					wnd= bytes
 *   send N FLAGS [KEY=VALUE]		a segment of the peer's: flags SARFPU,
 *					seq= from its SND.NXT or edge= from
 *					the end of our window, ack= from its
 *					RCV.NXT, which it moves, len=;
 *					the answer has its timestamp: tsval=
 *   set|pset N OPTION VALUE		option of our socket, of Linux's
 *   get N OPTION
 *   write|pwrite N BYTES, read N, shut N, close N, reset
 *   offload|update N [KEY=VALUE], terminate N, show N
 *   cycle N COUNT HOST-MS NIC-MS	up and down again
 *   now, run MS
 *   clear N				forget the log
 *   times|last|log N KIND		segments we sent: probe, data, rtx, ...
 *   wait N KIND COUNT MS		until so many are in the log
 *   stamps N				timestamp options since it was opened
 *   dies N MS				until the socket has an error
 *   ntf N				how it left the NIC
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "ka_tool.h"

static const struct {
	const char *name;
	int kind;
} kinds[] = {
	{ "probe", K_PROBE }, { "ack", K_ACK }, { "old", K_OLD },
	{ "data", K_DATA }, { "fin", K_FIN }, { "rtx", K_RTX },
	{ "rst", K_RST }, { "syn", K_SYN },
	{ "seg", K_DATA | K_FIN | K_RTX }, { "any", ~K_SYN },
};

struct conn *conns[MAX_CONNS];
int n_conns;
int host_ns, peer_ns;
static char reply[1 << 16];
static size_t reply_len;

__u64 now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000ULL + ts.tv_nsec / 1000;
}

void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	reply_len += vsnprintf(reply + reply_len, sizeof(reply) - reply_len,
			       fmt, ap);
	va_end(ap);
	if (reply_len >= sizeof(reply))
		reply_len = sizeof(reply) - 1;
}

void err(const char *what)
{
	reply_len = 0;
	say("%s %s", "err", what);
}

void die(const char *what)
{
	printf("err %s: %s\n", what, strerror(errno));
	exit(1);
}

void enter(int ns)
{
	if (setns(ns, CLONE_NEWNET))
		die("setns");
}

/* ---- loop --------------------------------------------------------------- */

static char line[4096];
static size_t line_len;
static bool at_end;

static void take_input(void)
{
	ssize_t n = read(0, line + line_len, sizeof(line) - line_len - 1);

	if (n <= 0)
		at_end = true;
	else
		line_len += n;
}

/* One round of events; waits for one no longer than @until. */
static void poll_once(__u64 until, bool commands)
{
	struct pollfd fds[MAX_CONNS + 3];
	int of[MAX_CONNS + 3], n = 0, i;
	struct timespec ts = {};
	__u64 t;

	fds[n++] = (struct pollfd){ .fd = wire, .events = POLLIN };
	fds[n++] = (struct pollfd){ .fd = nl_events_fd(), .events = POLLIN };
	fds[n++] = (struct pollfd){ .fd = commands ? 0 : -1,
				    .events = POLLIN };
	for (i = 0; i < n_conns; i++) {
		if (!conns[i])
			continue;
		if (conns[i]->answer_at && conns[i]->answer_at < until)
			until = conns[i]->answer_at;
		if (conns[i]->fd < 0 || conns[i]->died || !conns[i]->id)
			continue;
		of[n] = i;
		fds[n++].fd = conns[i]->fd;
		fds[n - 1].events = 0;
	}
	t = now_us();
	if (until > t) {
		ts.tv_sec = (until - t) / 1000000;
		ts.tv_nsec = (until - t) % 1000000 * 1000;
	}
	if (ppoll(fds, n, until == ~0ULL ? NULL : &ts, NULL) < 0 &&
	    errno != EINTR)
		die("poll");
	for (i = 3; i < n; i++) {
		if (!fds[i].revents)
			continue;
		conns[of[i]]->died = now_us();
		conns[of[i]]->died_events = fds[i].revents;
	}
	while (wire_read())
		;
	if (fds[1].revents)
		nl_events_read();
	if (fds[2].revents)
		take_input();
	for (i = 0; i < n_conns; i++)
		if (conns[i] && conns[i]->answer_at &&
		    conns[i]->answer_at <= now_us())
			answer(conns[i]);
}

static void run_until(__u64 until)
{
	do
		poll_once(until, false);
	while (now_us() < until);
}

/* ---- commands ----------------------------------------------------------- */

static struct conn *conn_arg(char **w)
{
	int n = w[1] ? atoi(w[1]) : -1;

	if (n < 0 || n >= n_conns || !conns[n]) {
		err("no such connection");
		return NULL;
	}
	return conns[n];
}

static int kind_arg(const char *name)
{
	size_t i;

	for (i = 0; name && i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strcmp(name, kinds[i].name))
			return kinds[i].kind;
	err("no such kind");
	return 0;
}

static bool key(const char *word, const char *name, long long *value)
{
	size_t n = strlen(name);

	if (strncmp(word, name, n) || word[n] != '=')
		return false;
	*value = strtoll(word + n + 1, NULL, 0);
	return true;
}

static bool peer_keys(struct conn *c, char **w)
{
	long long v;

	for (; *w; w++) {
		if (key(*w, "answer", &v))
			c->answer = v;
		else if (key(*w, "drop", &v))
			c->drop = v;
		else if (key(*w, "delay", &v))
			c->delay = v;
		else if (key(*w, "wnd", &v))
			c->wnd = v;
		else if (key(*w, "ts", &v))
			c->ts = v;
		else if (key(*w, "sack", &v))
			c->sack = v;
		else
			return false;
	}
	return true;
}

static socklen_t sockaddr_of(const struct conn *c, void *a)
{
	struct sockaddr_in6 *a6 = a;
	struct sockaddr_in *a4 = a;

	if (c->family == AF_INET) {
		*a4 = (struct sockaddr_in){ .sin_family = AF_INET,
					    .sin_port = htons(c->pport) };
		inet_pton(AF_INET, address(c, true), &a4->sin_addr);
		return sizeof(*a4);
	}
	*a6 = (struct sockaddr_in6){ .sin6_family = AF_INET6,
				     .sin6_port = htons(c->pport) };
	inet_pton(AF_INET6, address(c, true), &a6->sin6_addr);
	return sizeof(*a6);
}

static int listen_native(struct conn *c)
{
	struct sockaddr_storage a;
	socklen_t len = sockaddr_of(c, &a);
	int fd, one = 1;

	enter(peer_ns);
	fd = socket(c->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, len) || listen(fd, 1))
		die("listen");
	enter(host_ns);
	return fd;
}

static void cmd_open(char **w)
{
	struct pollfd p = { .events = POLLOUT };
	struct sockaddr_storage a;
	__u64 until;
	int listener = -1;
	struct conn *c;
	socklen_t len;

	if (n_conns == MAX_CONNS || !w[1] || !w[2]) {
		err("cannot open");
		return;
	}
	c = calloc(1, sizeof(*c));
	c->log = malloc(LOG_MAX * sizeof(*c->log));
	c->native = !strcmp(w[1], "native");
	c->family = atoi(w[2]) == 6 ? AF_INET6 : AF_INET;
	c->pport = (c->native ? LINUX_PORT : RAW_PORT) + n_conns;
	c->ts = true;
	c->sack = true;
	c->answer = 1;
	c->wnd = 65535;
	c->pfd = -1;
	c->p_nxt = 1000000U * (n_conns + 1);
	c->h_edge = c->p_nxt;
	if (!peer_keys(c, w + 3)) {
		err("no such key");
		return;
	}
	if (c->native)
		listener = listen_native(c);
	conns[n_conns++] = c;
	c->fd = socket(c->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
		       0);
	len = sockaddr_of(c, &a);
	if (connect(c->fd, (struct sockaddr *)&a, len) && errno != EINPROGRESS)
		die("connect");
	p.fd = c->fd;
	until = now_us() + 5000000;
	while (poll(&p, 1, 0) < 1 && now_us() < until)
		poll_once(now_us() + 1000, false);
	if (p.revents != POLLOUT) {
		err("no connection");
		return;
	}
	if (c->native) {
		c->pfd = accept4(listener, NULL, NULL,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);
		close(listener);
		if (c->pfd < 0)
			die("accept");
	}
	poll_once(0, false);
	say(" n=%d hport=%u pport=%u t=%llu", n_conns - 1, c->hport, c->pport,
	    now_us());
}

static void cmd_send(struct conn *c, char **w)
{
	__u32 seq = c->p_nxt, ack = c->native ? c->h_nxt : c->rcv_nxt;
	long long v, len = 0;
	bool moves = true;
	int flags = 0;
	__u64 t;
	char *f;

	for (f = *w ? *w++ : ""; *f; f++)
		flags |= *f == 'S' ? SYN : *f == 'A' ? ACK : *f == 'R' ? RST :
			 *f == 'F' ? FIN : *f == 'P' ? PSH : URG;
	for (; *w; w++) {
		if (key(*w, "seq", &v)) {
			seq = c->p_nxt + v;
			moves = !v;
		} else if (key(*w, "edge", &v)) {
			seq = c->h_edge + v;
			moves = false;
		} else if (key(*w, "ack", &v)) {
			ack += v;
			if (v > 0 && !c->native)
				c->rcv_nxt = ack; /* has it now */
		} else if (key(*w, "len", &v)) {
			len = v;
		} else {
			err("no such key");
			return;
		}
	}
	if (c->native)
		c->ts = c->h_ts;
	t = xmit(c, flags, seq, ack, len, c->wnd, c->h_tsval);
	if (moves && !(flags & (RST | SYN)))
		c->p_nxt += len + !!(flags & FIN);
	say(" t=%llu tsval=%u", t, c->p_tsval);
}

static void cmd_option(char **w, int fd)
{
	static const struct {
		const char *name;
		int level, opt;
	} opts[] = {
		{ "keepalive", SOL_SOCKET, SO_KEEPALIVE },
		{ "rcvbuf", SOL_SOCKET, SO_RCVBUF },
		{ "keepidle", SOL_TCP, TCP_KEEPIDLE },
		{ "keepintvl", SOL_TCP, TCP_KEEPINTVL },
		{ "keepcnt", SOL_TCP, TCP_KEEPCNT },
		{ "user_timeout", SOL_TCP, TCP_USER_TIMEOUT },
		{ "nodelay", SOL_TCP, TCP_NODELAY },
		{ "quickack", SOL_TCP, TCP_QUICKACK },
		{ "mark", SOL_SOCKET, SO_MARK },
	};
	socklen_t len = sizeof(int);
	size_t i;
	int v;

	for (i = 0; i < sizeof(opts) / sizeof(*opts); i++) {
		if (!w[2] || strcmp(w[2], opts[i].name))
			continue;
		if (w[3]) {
			v = atoi(w[3]);
			if (setsockopt(fd, opts[i].level, opts[i].opt, &v,
				       sizeof(v)))
				err(strerror(errno));
		} else {
			if (getsockopt(fd, opts[i].level, opts[i].opt, &v,
				       &len))
				err(strerror(errno));
			else
				say(" v=%d", v);
		}
		say(" t=%llu", now_us());
		return;
	}
	err("no such option");
}

static void cmd_write(int fd, char **w)
{
	static char buf[1 << 20];
	__u64 t = now_us();
	ssize_t n;

	n = send(fd, buf, w[2] ? atoi(w[2]) : 1, MSG_NOSIGNAL);
	if (n < 0)
		err(strerror(errno));
	else
		say(" n=%zd t=%llu", n, t);
}

static void cmd_read(struct conn *c)
{
	static char buf[1 << 20];
	ssize_t n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n < 0)
		say(" n=-1 errno=%s", strerrorname_np(errno));
	else
		say(" n=%zd", n);
}

static void drop_conn(struct conn *c)
{
	struct linger l = { 1, 0 };

	if (c->fd >= 0) {
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
		close(c->fd);
	}
	if (c->pfd >= 0) {
		setsockopt(c->pfd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
		close(c->pfd);
	}
	c->fd = -1;
	c->pfd = -1;
	c->answer = 0;
	free(c->log);
	free(c);
}

static void cmd_reset(void)
{
	int i;

	for (i = 0; i < n_conns; i++) {
		if (conns[i])
			drop_conn(conns[i]);
		conns[i] = NULL;
	}
	while (wire_read())
		;
}

void say_seg(const struct seg *s)
{
	static const char letters[] = "FSRPAUEC";
	int i;

	say(" t=%llu flags=", s->t);
	for (i = 0; i < 8; i++)
		if (s->flags & 1 << i)
			say("%c", letters[i]);
	say(" seq=%d ack=%d len=%u wnd=%u", s->seq, s->ack, s->len, s->wnd);
	if (s->has_ts)
		say(" tsval=%u tsecr=%u", s->tsval, s->tsecr);
	for (i = 0; i < s->n_sack; i++)
		say("%s%d-%d", i ? "," : " sack=", s->sack[i][0],
		    s->sack[i][1]);
}

static void cmd_list(struct conn *c, char **w)
{
	int kind = kind_arg(w[2]);
	const struct seg *last = NULL;
	__u32 i;

	for (i = c->base; kind && i < c->logged; i++) {
		if (!(c->log[i].kind & kind))
			continue;
		last = &c->log[i];
		if (!strcmp(w[0], "times"))
			say(" %llu", last->t);
		else if (!strcmp(w[0], "log"))
			say_seg(last);
	}
	if (!strcmp(w[0], "last") && kind) {
		if (last)
			say_seg(last);
		else
			err("none");
	}
}

static __u32 count(const struct conn *c, int kind, __u64 *t)
{
	__u32 i, n = 0;

	for (i = c->base; i < c->logged; i++)
		if (c->log[i].kind & kind) {
			n++;
			*t = c->log[i].t;
		}
	return n;
}

static void cmd_wait(struct conn *c, char **w)
{
	int kind = kind_arg(w[2]);
	__u64 until, t = 0;
	__u32 want, n;

	if (!kind || !w[3] || !w[4])
		return err("wait N KIND COUNT MS");
	want = atoi(w[3]);
	until = now_us() + strtoull(w[4], NULL, 0) * 1000;
	while ((n = count(c, kind, &t)) < want && now_us() < until)
		poll_once(until, false);
	if (n < want)
		err("waited in vain");
	else
		say(" t=%llu", t);
}

static void cmd_stamps(struct conn *c)
{
	__u32 i, all = 0, with = 0, back = 0, last = 0;

	for (i = 0; i < c->logged; i++) {
		if (c->log[i].kind == K_SYN) /* an offer, may be refused */
			continue;
		all++;
		if (!c->log[i].has_ts)
			continue;
		if (with++ && (__s32)(c->log[i].tsval - last) < 0)
			back++;
		last = c->log[i].tsval;
	}
	say(" all=%u with=%u back=%u", all, with, back);
}

static void cmd_dies(struct conn *c, char **w)
{
	__u64 until = now_us() + strtoull(w[2] ? w[2] : "0", NULL, 0) * 1000;
	socklen_t len = sizeof(int);
	int e = 0;

	while (!c->died && now_us() < until)
		poll_once(until, false);
	if (!c->died)
		return err("lives");
	poll_once(now_us() + 1000, false);
	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &len);
	say(" t=%llu hup=%d err=%d errno=%s", c->died,
	    !!(c->died_events & POLLHUP), !!(c->died_events & POLLERR),
	    e ? strerrorname_np(e) : "0");
}

static void cmd_ntf(struct conn *c)
{
	poll_once(0, false);
	if (!c->ntf.t)
		return err("none");
	say(" t=%llu reason=%s state=%s", c->ntf.t,
	    reason_name(c->ntf.reason),
	    state_name(c->ntf.v[CHIMNEY_A_DELEGATED_STATE]));
}

static void cmd_cycle(struct conn *c, char **w)
{
	int i, n = w[2] ? atoi(w[2]) : 0;
	char *none[1] = {};

	for (i = 0; i < n && w[3] && w[4]; i++) {
		if (!nl_conn(c, CHIMNEY_CMD_CONN_TERMINATE, none))
			return;
		run_until(now_us() + strtoull(w[3], NULL, 0) * 1000);
		if (!nl_conn(c, CHIMNEY_CMD_CONN_OFFLOAD, none))
			return;
		run_until(now_us() + strtoull(w[4], NULL, 0) * 1000);
		reply_len = 2;
	}
	say(" n=%d t=%llu", i, now_us());
}

static void conn_command(struct conn *c, char **w)
{
	if (!strcmp(*w, "peer")) {
		if (!peer_keys(c, w + 2))
			err("no such key");
	} else if (!strcmp(*w, "send")) {
		cmd_send(c, w + 2);
	} else if (!strcmp(*w, "set") || !strcmp(*w, "get")) {
		cmd_option(w, c->fd);
	} else if (!strcmp(*w, "pset")) {
		cmd_option(w, c->pfd);
	} else if (!strcmp(*w, "write")) {
		cmd_write(c->fd, w);
	} else if (!strcmp(*w, "pwrite")) {
		cmd_write(c->pfd, w);
	} else if (!strcmp(*w, "read")) {
		cmd_read(c);
	} else if (!strcmp(*w, "shut")) {
		shutdown(c->fd, SHUT_WR);
		say(" t=%llu", now_us());
	} else if (!strcmp(*w, "close")) {
		close(c->fd);
		c->fd = -1;
	} else if (!strcmp(*w, "offload")) {
		memset(&c->ntf, 0, sizeof(c->ntf));
		nl_conn(c, CHIMNEY_CMD_CONN_OFFLOAD, w + 2);
	} else if (!strcmp(*w, "update")) {
		nl_conn(c, CHIMNEY_CMD_CONN_UPDATE, w + 2);
	} else if (!strcmp(*w, "terminate")) {
		nl_conn(c, CHIMNEY_CMD_CONN_TERMINATE, w + 2);
	} else if (!strcmp(*w, "show")) {
		nl_conn(c, CHIMNEY_CMD_CONN_GET, w + 2);
	} else if (!strcmp(*w, "cycle")) {
		cmd_cycle(c, w);
	} else if (!strcmp(*w, "clear")) {
		c->base = c->logged;
		say(" t=%llu", now_us());
	} else if (!strcmp(*w, "times") || !strcmp(*w, "last") ||
		   !strcmp(*w, "log")) {
		cmd_list(c, w);
	} else if (!strcmp(*w, "wait")) {
		cmd_wait(c, w);
	} else if (!strcmp(*w, "stamps")) {
		cmd_stamps(c);
	} else if (!strcmp(*w, "dies")) {
		cmd_dies(c, w);
	} else if (!strcmp(*w, "ntf")) {
		cmd_ntf(c);
	} else {
		err("no such command");
	}
}

static void command(char *text)
{
	char *w[32] = {}, *save = NULL;
	struct conn *c;
	int n = 0;

	for (text = strtok_r(text, " ", &save); text && n < 31;
	     text = strtok_r(NULL, " ", &save))
		w[n++] = text;
	if (!n)
		return;
	/* What is on the wire comes before what is asked. */
	poll_once(0, false);
	reply_len = 0;
	say("ok");
	if (!strcmp(*w, "open")) {
		cmd_open(w);
	} else if (!strcmp(*w, "reset")) {
		cmd_reset();
	} else if (!strcmp(*w, "now")) {
		say(" t=%llu", now_us());
	} else if (!strcmp(*w, "run")) {
		run_until(now_us() + strtoull(w[1] ? w[1] : "0", NULL, 0) *
				     1000);
		say(" t=%llu", now_us());
	} else {
		c = conn_arg(w);
		if (c)
			conn_command(c, w);
	}
	puts(reply);
	fflush(stdout);
}

static int open_ns(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die(path);
	return fd;
}

int main(int argc, char **argv)
{
	char *end;

	if (argc != 3) {
		fprintf(stderr, "usage: %s HOST-NS PEER-NS\n", argv[0]);
		return 2;
	}
	host_ns = open_ns(argv[1]);
	peer_ns = open_ns(argv[2]);
	wire_open();
	nl_open();
	while (!at_end) {
		poll_once(~0ULL, true);
		line[line_len] = '\0';
		while ((end = strchr(line, '\n'))) {
			*end++ = '\0';
			command(line);
			line_len -= end - line;
			memmove(line, end, line_len + 1);
		}
	}
	return 0;
}
