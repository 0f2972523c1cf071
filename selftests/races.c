// SPDX-License-Identifier: GPL-2.0
/*
 * Everything at once: threads offload, terminate, update, read, write, change,
 * end and reopen the same few connections while their links go down and up,
 * namespaces with live connections end, and the module is taken out and put
 * back. Every connection is accounted for: its bytes are right up to its end,
 * and its end is the one a thread has given it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <libmnl/libmnl.h>

#include "kselftest.h"
#include "sock_pair.h"

#define SLOTS		6
#define ACTORS		6
#define WORLDS		2
#define CHUNK		8192
#define BLOCK_US	20000		/* longest call that waits */
#define STUCK_MS	60000		/* nothing may take that long */
#define ASK_MS		2000
#define TRACE		40

/* What one end has sent, and what the other has got of it. */
struct way {
	pthread_mutex_t tx, rx;
	size_t base;		/* names the bytes */
	atomic_size_t sent, rcvd;
	atomic_bool fin;	/* no more will be sent */
};

enum { OUT, IN };		/* ways: from our end, to our end */

#define BOTH		(1 << OUT | 1 << IN)

/* One of the connections, and those that come after it. */
struct slot {
	pthread_rwlock_t lock;	/* written to end and to open it */
	pthread_mutex_t name_lock;
	struct chim_nl_tuple name; /* under name_lock */
	struct pair p;
	struct way way[2];
	atomic_bool open;
	atomic_bool destroyed;	/* by a thread that holds no more than a read
				 * lock
				 */
	atomic_uint opened;
	atomic_uint at;
	struct {
		const char *what;
		int ret;
		long ms;
	} trace[TRACE];
};

/* How a connection is ended. */
enum way_out {
	IN_ORDER,	/* both halves are closed */
	RESET,
	CLOSED,		/* one end; the other may have been sent more */
	SHUT_DOWN,	/* our end, both ways; likewise */
	WAYS_OUT,	/* that a thread has the choice of */
	DESTROYED = WAYS_OUT,	/* SOCK_DESTROY has ended it already */
};

struct actor {
	pthread_t thread;
	unsigned int seed;
	struct chim_nl nl;
	unsigned int generation; /* of the module that nl talks to */
	struct mnl_socket *diag;
	atomic_uintptr_t doing;	/* its name */
	unsigned int opened;	/* of its slot, before it began */
};

/* How much of a slot an operation needs. */
enum need {
	NAME,		/* its addresses */
	SHARED,		/* its sockets */
	ALONE,
};

struct op {
	const char *name;
	int (*fn)(struct actor *a, struct slot *s);
	enum need need;
	unsigned int weight;
	atomic_uint done, refused;
};

static struct slot slots[SLOTS];
static struct actor actors[ACTORS];
static unsigned int seed, seconds = 10;
static const char *module;

static atomic_bool stop, failed;
static atomic_uint generation = 1;	/* 0: no module at the moment */
static atomic_uint offloads, opened, ended;
static atomic_uint links_done, modules_done, modules_refused;
static atomic_uint worlds_done, worlds_refused;
static pthread_mutex_t print_lock = PTHREAD_MUTEX_INITIALIZER;

static void tell_socket(int fd)
{
	struct tcp_info i = {};
	socklen_t len = sizeof(i);

	if (getsockopt(fd, SOL_TCP, TCP_INFO, &i, &len))
		return;
	ksft_print_msg("  state %u, %u unacked, %u retransmits, %u probes\n",
		       i.tcpi_state, i.tcpi_unacked, i.tcpi_retransmits,
		       i.tcpi_probes);
	ksft_print_msg("  RTO %u us, sent %u ms ago, heard %u ms ago\n",
		       i.tcpi_rto, i.tcpi_last_data_sent, i.tcpi_last_ack_recv);
}

static void __attribute__((format(printf, 2, 3)))
fail(struct slot *s, const char *fmt, ...)
{
	unsigned int i, at;
	va_list ap;
	char msg[256];

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	failed = true;
	stop = true;
	pthread_mutex_lock(&print_lock);
	ksft_print_msg("FAILED: %s\n", msg);
	if (s) {
		ksft_print_msg("connection %ld, the %u.\n", s - slots,
			       s->opened);
		for (i = OUT; i <= IN; i++)
			ksft_print_msg("  way %u: %zu of %zu%s\n", i,
				       s->way[i].rcvd, s->way[i].sent,
				       s->way[i].fin ? ", all" : "");
		tell_socket(s->p.sk);
		tell_socket(s->p.peer);
		at = s->at;
		for (i = at; i < at + TRACE; i++)
			if (s->trace[i % TRACE].what)
				ksft_print_msg("  %ld %s: %d\n",
					       s->trace[i % TRACE].ms,
					       s->trace[i % TRACE].what,
					       s->trace[i % TRACE].ret);
	}
	fflush(stdout);
	pthread_mutex_unlock(&print_lock);
}

static void trace(struct slot *s, const char *what, int ret)
{
	unsigned int i = s->at++ % TRACE;

	s->trace[i].what = what;
	s->trace[i].ret = ret;
	s->trace[i].ms = time_ms();
}

static unsigned int any(struct actor *a, unsigned int n)
{
	return rand_r(&a->seed) % n;
}

static bool one_of(int err, const int *list)
{
	for (; *list; list++)
		if (err == -*list)
			return true;
	return false;
}

/* Sockets */

static int fd_of(const struct slot *s, int way)
{
	return way == OUT ? s->p.sk : s->p.peer;
}

static int sends(struct slot *s, int way, size_t len, int flags)
{
	struct way *w = &s->way[way];
	char buf[CHUNK];
	ssize_t n;
	int err = 0;

	if (pthread_mutex_trylock(&w->tx))
		return -EBUSY;
	if (w->fin) {
		pthread_mutex_unlock(&w->tx);
		return -EPIPE;
	}
	fill(buf, len, w->base + w->sent);
	n = send(fd_of(s, way), buf, len, flags | MSG_NOSIGNAL);
	if (n < 0)
		err = -errno;
	else
		w->sent += n;
	pthread_mutex_unlock(&w->tx);
	return err;
}

/* 1 at the end of the stream. */
static int receives_some(struct slot *s, int way, size_t len, int flags)
{
	struct way *w = &s->way[way];
	char buf[CHUNK];
	int err = 0;
	ssize_t n;

	if (pthread_mutex_trylock(&w->rx))
		return -EBUSY;
	n = recv(fd_of(s, !way), buf, len, flags);
	if (n < 0) {
		err = -errno;
	} else if (n) {
		if (!filled(buf, n, w->base + w->rcvd))
			fail(s, "wrong bytes in %zd behind %zu, way %d", n,
			     w->rcvd, way);
		w->rcvd += n;
	} else {
		err = 1;
		if (s->destroyed && (!w->fin || w->rcvd != w->sent))
			err = -ECONNRESET; /* another call was told */
		else if (!w->fin)
			fail(s, "end of file, way %d, not sent", way);
		else if (w->rcvd != w->sent)
			fail(s, "end of file, way %d, after %zu of %zu bytes",
			     way, w->rcvd, w->sent);
	}
	pthread_mutex_unlock(&w->rx);
	return err;
}

/* What a call on a connection may say that lives, or was destroyed. */
static void explain(struct slot *s, const char *what, int err)
{
	if (err >= 0 || err == -EAGAIN || err == -EBUSY || s->destroyed)
		return;
	if (err == -EPIPE && (s->way[OUT].fin || s->way[IN].fin))
		return;
	fail(s, "%s: %s", what, strerror(-err));
}

static void half_close(struct slot *s, int way)
{
	struct way *w = &s->way[way];

	pthread_mutex_lock(&w->tx);
	if (!w->fin) {
		w->fin = true;
		if (shutdown(fd_of(s, way), SHUT_WR) && !s->destroyed)
			fail(s, "shutdown: %s", strerror(errno));
	}
	pthread_mutex_unlock(&w->tx);
}

/* Closes one end at once; the peer of it may see data, then end or reset. */
static void end_closed(struct slot *s, int way, bool abort)
{
	struct linger now = { .l_onoff = 1 };
	int *fd = way == OUT ? &s->p.sk : &s->p.peer;

	if (abort)
		setsockopt(*fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	s->way[way].fin = true;
	close(*fd);
	*fd = -1;
}

/* Reads what there is. */
static int drain(struct slot *s, int way, long *heard)
{
	size_t was = s->way[way].rcvd;
	int err;

	do {
		err = receives_some(s, way, CHUNK, MSG_DONTWAIT);
	} while (!err && !failed);
	if (s->way[way].rcvd != was)
		*heard = time_ms();
	return err;
}

/* The reset that says that nobody is there may be lost; the answer to the next
 * keepalive probe says it again.
 */
static void ask_often(int fd)
{
	set_int(fd, SOL_TCP, TCP_KEEPIDLE, 1);
	set_int(fd, SOL_TCP, TCP_KEEPINTVL, 1);
	set_int(fd, SOL_TCP, TCP_KEEPCNT, 127);
	set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
}

/* Waits until the ends that read these ways have come to their end, and says
 * how: 1, or an error. An update by name may still put the probes off.
 */
static bool outlive(struct slot *s, unsigned int ways, int how[2])
{
	long heard = time_ms(), asked = 0;
	struct pollfd p[2];
	int way, left;
	bool ask;

	for (way = OUT; way <= IN; way++)
		how[way] = ways & 1 << way ? -EAGAIN : 0;
	for (;;) {
		left = 0;
		ask = time_ms() > asked + ASK_MS;
		if (ask)
			asked = time_ms();
		for (way = OUT; way <= IN; way++) {
			if (ask && how[way] == -EAGAIN)
				ask_often(fd_of(s, !way));
			if (how[way] == -EAGAIN)
				how[way] = drain(s, way, &heard);
			p[left].fd = fd_of(s, !way);
			p[left].events = POLLIN;
			left += how[way] == -EAGAIN;
		}
		if (!left || failed)
			return !left;
		if (time_ms() > heard + STUCK_MS) {
			fail(s, "does not end: %d %d", how[OUT], how[IN]);
			return false;
		}
		poll(p, left, 100);
	}
}

static void patience(int fd)
{
	struct timeval t = { .tv_usec = BLOCK_US };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
}

static void open_slot(struct actor *a, struct slot *s)
{
	int (*make)(struct pair *p, int kind);
	int way;

	make = any(a, 2) ? pair_open : pair_accept;
	if (make(&s->p, any(a, 3))) { /* its link may be down */
		pair_close(&s->p);
		return;
	}
	patience(s->p.sk);
	patience(s->p.peer);
	for (way = OUT; way <= IN; way++) {
		s->way[way].base = rand_r(&a->seed);
		s->way[way].sent = 0;
		s->way[way].rcvd = 0;
		s->way[way].fin = false;
	}
	pthread_mutex_lock(&s->name_lock);
	s->name = s->p.tuple;
	pthread_mutex_unlock(&s->name_lock);
	s->destroyed = false;
	s->open = true;
	s->opened++;
	opened++;
	trace(s, "open", ntohs(s->name.lport));
}

static void end_slot(struct actor *a, struct slot *s, enum way_out way_out)
{
	static const int reset[] = { ECONNRESET, EPIPE, 0 };
	static const int destroyed[] = { ECONNABORTED, ECONNRESET, EPIPE, 0 };
	int how[2], way = any(a, 2);
	bool good = true;

	if (s->destroyed)
		way_out = DESTROYED;
	trace(s, "end", way_out * 10 + way);
	switch (way_out) {
	case IN_ORDER:
		half_close(s, way);
		half_close(s, !way);
		good = outlive(s, BOTH, how) && how[OUT] == 1 && how[IN] == 1;
		break;
	case RESET:
	case CLOSED: /* end of file, or reset for what was not read */
		end_closed(s, way, way_out == RESET);
		good = outlive(s, 1 << way, how) &&
		       (how[way] == 1 || one_of(how[way], reset));
		break;
	case SHUT_DOWN: /* likewise */
		half_close(s, IN);
		half_close(s, OUT);
		if (shutdown(s->p.sk, SHUT_RDWR) && errno != ENOTCONN)
			fail(s, "shutdown: %s", strerror(errno));
		good = outlive(s, 1 << OUT, how) &&
		       (how[OUT] == 1 || one_of(how[OUT], reset));
		break;
	case DESTROYED:
		good = outlive(s, BOTH, how) &&
		       (how[IN] == 1 || one_of(how[IN], destroyed)) &&
		       (how[OUT] == 1 || one_of(how[OUT], reset));
		break;
	}
	if (!good && !failed)
		fail(s, "ended by %u, way %d: %d %d", way_out, way, how[OUT],
		     how[IN]);
	pair_close(&s->p);
	s->open = false;
	ended++;
}

/* Operations; they return 0, or a negative error if they were refused. */

static bool nl_ready(struct actor *a)
{
	unsigned int now = generation;

	if (a->generation == now && a->nl.sock)
		return true;
	chim_nl_close(&a->nl);
	a->generation = now;
	if (!chim_nl_open(&a->nl))
		return true;
	a->generation = 0;
	return false;
}

static struct chim_nl_tuple name_of(struct slot *s)
{
	struct chim_nl_tuple t;

	pthread_mutex_lock(&s->name_lock);
	t = s->name;
	pthread_mutex_unlock(&s->name_lock);
	return t;
}

/* Has no thread ended the connection since its operation began? */
static bool lives(const struct actor *a, const struct slot *s)
{
	return s->open && !s->destroyed && s->opened == a->opened &&
	       !s->way[OUT].fin && !s->way[IN].fin;
}

/* Refused because a thread is ending the connection, or has? */
static bool ending(const struct actor *a, const struct slot *s)
{
	return !lives(a, s) &&
	       (strstr(a->nl.msg, "not an established connection") ||
		strstr(a->nl.msg, "the program has shut down reading"));
}

static int admitted(struct actor *a, struct slot *s, int err)
{
	/* Or the module, the device or the connection has just gone, is not
	 * there yet, or is in the NIC already; or others are.
	 */
	static const int fine[] = { ENOENT, EALREADY, ENOTCONN, EBUSY,
				    ENETDOWN, ENETUNREACH, EAGAIN, ENOSPC, 0 };

	if (!err)
		offloads++;
	else if (strstr(a->nl.msg, "no connection has these addresses") ?
		 lives(a, s) : !one_of(err, fine) && !ending(a, s))
		fail(s, "offload: %s: %s", strerror(-err), a->nl.msg);
	return err;
}

static int op_offload(struct actor *a, struct slot *s)
{
	struct chim_nl_tuple t = name_of(s);

	if (!nl_ready(a))
		return -ENOENT;
	return admitted(a, s, chim_nl_offload(&a->nl, &t, NULL));
}

static int op_offload_fd(struct actor *a, struct slot *s)
{
	if (!nl_ready(a))
		return -ENOENT;
	return admitted(a, s, chim_nl_offload_fd(&a->nl, s->p.sk, NULL));
}

/* Of a connection, a device or a module that may not be there. */
static int if_there(struct actor *a, struct slot *s, const char *what, int err)
{
	/* The last for a dump while the module goes. */
	static const int fine[] = { ENOENT, ENODEV, EPROTONOSUPPORT, 0 };

	if (err && !one_of(err, fine) && !ending(a, s))
		fail(s, "%s: %s: %s", what, strerror(-err), a->nl.msg);
	return err;
}

static int op_terminate(struct actor *a, struct slot *s)
{
	struct chim_nl_tuple t = name_of(s);

	if (!nl_ready(a))
		return -ENOENT;
	return if_there(a, s, "terminate", chim_nl_terminate(&a->nl, &t, NULL));
}

static int op_update(struct actor *a, struct slot *s)
{
	static const int attr[] = {
		CHIMNEY_A_CACHED_KA_TIMEOUT,
		CHIMNEY_A_CACHED_KA_INTERVAL,
		CHIMNEY_A_CACHED_MAX_RT,
	};
	struct chim_nl_tuple t = name_of(s);
	int i = any(a, 3);

	if (!nl_ready(a))
		return -ENOENT;
	trace(s, "attribute", attr[i]);
	return if_there(a, s, "update",
			chim_nl_update(&a->nl, &t, attr[i],
				       2 * STUCK_MS + any(a, 1000)));
}

static int op_get(struct actor *a, struct slot *s)
{
	struct chim_nl_tuple t = name_of(s);

	if (!nl_ready(a))
		return -ENOENT;
	return if_there(a, s, "get", chim_nl_get(&a->nl, &t, NULL));
}

static int op_dump(struct actor *a, struct slot *s)
{
	unsigned int n;

	if (!nl_ready(a))
		return -ENOENT;
	return if_there(a, s, "dump", chim_nl_dump(&a->nl, &n));
}

static int dev_do(struct actor *a, struct slot *s, const char *what, int cmd)
{
	if (!nl_ready(a))
		return -ENOENT;
	return if_there(a, s, what, chim_nl_dev_do(&a->nl, net_ifindex, cmd));
}

static int op_pause(struct actor *a, struct slot *s)
{
	int err = dev_do(a, s, "pause", CHIMNEY_CMD_DEV_PAUSE);

	dev_do(a, s, "resume", CHIMNEY_CMD_DEV_RESUME);
	return err;
}

static int op_upload_all(struct actor *a, struct slot *s)
{
	return dev_do(a, s, "upload-all", CHIMNEY_CMD_DEV_UPLOAD_ALL);
}

static int op_dev_set(struct actor *a, struct slot *s)
{
	static const struct {
		int attr;
		unsigned int value;
	} set[] = {
		{ CHIMNEY_A_DEV_HZ, 10 },
		{ CHIMNEY_A_DEV_HZ, 1000 },
		{ CHIMNEY_A_DEV_MAX_CONNS, SLOTS / 2 },
		{ CHIMNEY_A_DEV_MAX_CONNS, 65536 },
	};
	int i = any(a, ARRAY_SIZE(set));

	if (!nl_ready(a))
		return -ENOENT;
	return if_there(a, s, "dev set",
			chim_nl_dev_set(&a->nl, net_ifindex, set[i].attr,
					set[i].value));
}

static int traffic(struct actor *a, struct slot *s, int way)
{
	static const int flags[] = { 0, MSG_DONTWAIT, MSG_DONTWAIT,
				     MSG_DONTWAIT | MSG_MORE };
	size_t len = 1 + any(a, any(a, 3) ? CHUNK : 100);
	int err = sends(s, way, len, flags[any(a, 4)]);

	explain(s, "send", err);
	err = receives_some(s, way, 1 + any(a, CHUNK), any(a, 4) ?
			    MSG_DONTWAIT : 0);
	explain(s, "recv", err);
	return err < 0 ? err : 0;
}

static int op_send(struct actor *a, struct slot *s)
{
	return traffic(a, s, OUT);
}

static int op_receive(struct actor *a, struct slot *s)
{
	return traffic(a, s, IN);
}

static int set_option(struct slot *s, int level, int name, int value)
{
	int err = set_int(s->p.sk, level, name, value) ? -errno : 0;

	trace(s, "value", value);
	if (err && !s->destroyed)
		fail(s, "option %d of %d: %s", name, level, strerror(-err));
	return err;
}

static int op_keepalive(struct actor *a, struct slot *s)
{
	if (any(a, 2))
		return set_option(s, SOL_SOCKET, SO_KEEPALIVE, any(a, 2));
	/* Often enough to be due, not enough to give up. */
	return set_option(s, SOL_TCP, TCP_KEEPIDLE, 1 + any(a, 3)) ? :
	       set_option(s, SOL_TCP, TCP_KEEPINTVL, 1 + any(a, 3)) ? :
	       set_option(s, SOL_TCP, TCP_KEEPCNT, 100 + any(a, 20));
}

static int op_tos(struct actor *a, struct slot *s)
{
	return s->p.tuple.family == AF_INET ?
	       set_option(s, SOL_IP, IP_TOS, any(a, 64) << 2) :
	       set_option(s, SOL_IPV6, IPV6_TCLASS, any(a, 64) << 2);
}

static int op_mark(struct actor *a, struct slot *s)
{
	return set_option(s, SOL_SOCKET, SO_MARK, any(a, 1000));
}

static int op_rcvbuf(struct actor *a, struct slot *s)
{
	return set_option(s, SOL_SOCKET, SO_RCVBUF, 4096 << any(a, 6));
}

static int op_sndbuf(struct actor *a, struct slot *s)
{
	return set_option(s, SOL_SOCKET, SO_SNDBUF, 4096 << any(a, 6));
}

static int op_user_timeout(struct actor *a, struct slot *s)
{
	return set_option(s, SOL_TCP, TCP_USER_TIMEOUT,
		      any(a, 2) ? 2 * STUCK_MS + any(a, 1000) : 0);
}

static int op_nodelay(struct actor *a, struct slot *s)
{
	return set_option(s, SOL_TCP, any(a, 2) ? TCP_NODELAY : TCP_CORK,
		      any(a, 2));
}

/* One the NIC does not know: the connection comes up first. */
static int op_unknown(struct actor *a, struct slot *s)
{
	return set_option(s, SOL_TCP, TCP_THIN_LINEAR_TIMEOUTS, any(a, 2));
}

static int op_look(struct actor *a, struct slot *s)
{
	int state = tcp_state_of(s->p.sk);

	if (state < 0 || queued(s->p.sk, SIOCOUTQ) < 0 ||
	    queued(s->p.sk, SIOCINQ) < 0 || events_of(s->p.sk) < 0)
		fail(s, "cannot be looked at: %s", strerror(errno));
	if (state == TCP_CLOSE && !s->destroyed &&
	    !(s->way[OUT].fin && s->way[IN].fin))
		fail(s, "is closed");
	return 0;
}

static int op_half_close(struct actor *a, struct slot *s)
{
	half_close(s, any(a, 2));
	return 0;
}

static int op_destroy(struct actor *a, struct slot *s)
{
	int err;

	if (atomic_exchange(&s->destroyed, true))
		return -EALREADY;
	err = sock_destroy(a->diag, &s->p.tuple);
	/* Both halves closed, it may have come to its end already. */
	if (err && !(s->way[OUT].fin && s->way[IN].fin))
		fail(s, "destroy: %s", strerror(-err));
	return err;
}

static int op_end(struct actor *a, struct slot *s)
{
	end_slot(a, s, any(a, WAYS_OUT));
	return 0;
}

#define OP(what, call, needs, often) \
	{ .name = what, .fn = call, .need = needs, .weight = often }

static struct op ops[] = {
	OP("offload", op_offload, NAME, 12),
	OP("offload by descriptor", op_offload_fd, SHARED, 12),
	OP("terminate", op_terminate, NAME, 8),
	OP("update", op_update, NAME, 4),
	OP("get", op_get, NAME, 3),
	OP("dump", op_dump, NAME, 2),
	OP("pause and resume", op_pause, NAME, 1),
	OP("upload all", op_upload_all, NAME, 1),
	OP("device parameter", op_dev_set, NAME, 1),
	OP("send", op_send, SHARED, 25),
	OP("receive", op_receive, SHARED, 25),
	OP("SO_KEEPALIVE", op_keepalive, SHARED, 3),
	OP("IP_TOS", op_tos, SHARED, 3),
	OP("SO_MARK", op_mark, SHARED, 3),
	OP("SO_RCVBUF", op_rcvbuf, SHARED, 2),
	OP("SO_SNDBUF", op_sndbuf, SHARED, 2),
	OP("TCP_USER_TIMEOUT", op_user_timeout, SHARED, 2),
	OP("TCP_NODELAY", op_nodelay, SHARED, 2),
	OP("unknown option", op_unknown, SHARED, 1),
	OP("TCP_INFO", op_look, SHARED, 4),
	OP("half-close", op_half_close, SHARED, 1),
	OP("SOCK_DESTROY", op_destroy, SHARED, 1),
	OP("end and open", op_end, ALONE, 3),
};

static struct op *pick(struct actor *a)
{
	unsigned int i, sum = 0, n;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		sum += ops[i].weight;
	n = any(a, sum);
	for (i = 0; n >= ops[i].weight; i++)
		n -= ops[i].weight;
	return &ops[i];
}

static bool lock_slot(struct slot *s, enum need need)
{
	return need == SHARED ? !pthread_rwlock_tryrdlock(&s->lock) :
	       need == ALONE ? !pthread_rwlock_trywrlock(&s->lock) : true;
}

static void act(struct actor *a)
{
	struct slot *s = &slots[any(a, SLOTS)];
	struct op *op = pick(a);
	int err;

	a->opened = s->opened;
	/* Closed, or destroyed: that comes first. */
	if (!s->opened || ((!s->open || s->destroyed) && op->need != NAME)) {
		if (pthread_rwlock_trywrlock(&s->lock))
			return;
		a->doing = (uintptr_t)"open";
		if (s->open && s->destroyed)
			end_slot(a, s, IN_ORDER);
		if (!s->open)
			open_slot(a, s);
		pthread_rwlock_unlock(&s->lock);
		return;
	}
	if (!lock_slot(s, op->need))
		return;
	if (op->need == NAME || s->open) {
		a->doing = (uintptr_t)op->name;
		err = op->fn(a, s);
		if (op->need != ALONE && (op->need == SHARED || !err))
			trace(s, op->name, err);
		if (err)
			op->refused++;
		else
			op->done++;
	}
	if (op->need != NAME)
		pthread_rwlock_unlock(&s->lock);
}

static void *actor_run(void *arg)
{
	struct actor *a = arg;

	while (!stop) {
		act(a);
		a->doing = (uintptr_t)"nothing";
	}
	return NULL;
}

/* What happens to the world: after so many offloads again. */

static bool offloads_since(unsigned int since, unsigned int n)
{
	while (!stop && offloads - since < n)
		usleep(1000);
	return !stop;
}

static int link_set(const char *name, bool up)
{
	struct ifreq r = {};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;

	strcpy(r.ifr_name, name);
	err = ioctl(fd, SIOCGIFFLAGS, &r);
	if (!err) {
		r.ifr_flags = (r.ifr_flags & ~IFF_UP) | (up ? IFF_UP : 0);
		err = ioctl(fd, SIOCSIFFLAGS, &r);
	}
	close(fd);
	return err;
}

static void *links_run(void *arg)
{
	static const char * const name[] = { "chim0", "veth0" };
	int i = 0;

	while (offloads_since(offloads, 30)) {
		links_done += !link_set(name[i], false);
		link_set(name[i], true);
		i = !i;
	}
	return NULL;
}

static bool module_insert(void)
{
	int fd = open(module, O_RDONLY | O_CLOEXEC), err;

	err = syscall(SYS_finit_module, fd, "", 0);
	close(fd);
	if (err || run("ip -batch - <<-END\n"
		       "link add link veth0 name chim0 type chimney\n"
		       "address add 192.0.2.1/24 dev chim0\n"
		       "address add 2001:db8::1/64 dev chim0 nodad\n"
		       "link set chim0 up\n"
		       "END"))
		return false;
	net_ifindex = if_nametoindex("chim0");
	return true;
}

static bool module_remove(void)
{
	return !syscall(SYS_delete_module, "chimney", O_NONBLOCK);
}

static bool worlds_since(unsigned int since)
{
	while (!stop && worlds_done == since)
		usleep(1000);
	return !stop;
}

/* When a world has just ended and its namespaces go, so that this goes on as
 * well. Users of the module come and go; that it is busy is no error.
 */
static void *modules_run(void *arg)
{
	unsigned int next = 2;

	while (module && worlds_since(worlds_done)) {
		if (!module_remove()) {
			modules_refused++;
			if (errno != EAGAIN && errno != EBUSY)
				fail(NULL, "rmmod: %s", strerror(errno));
			continue;
		}
		generation = 0;
		if (!module_insert())
			fail(NULL, "the module cannot be loaded again");
		generation = next++;
		modules_done++;
	}
	return NULL;
}

/* A process with namespaces and live connections of its own ends. */
static void *worlds_run(void *arg)
{
	static atomic_uint next;
	unsigned int n;
	int status;

	while (offloads_since(offloads, 20)) {
		n = seed + next++;
		status = run("/proc/%d/exe -W -s %u > /dev/null 2>&1",
			     getpid(), n);
		if (WIFEXITED(status) && !WEXITSTATUS(status))
			worlds_done++;
		else if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
			worlds_refused++; /* the module was not there */
		else
			fail(NULL, "world %u ended with %#x", n, status);
	}
	return NULL;
}

/* In the process that ends. 0, or what went wrong */
static int world_run(struct actor *a)
{
	struct linger now = { .l_onoff = 1 };
	char data[CHUNK], back[CHUNK];
	struct pair p[3];
	unsigned int i;
	time_t end;

	fill(data, CHUNK, 0);
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		if (pair_open(&p[i], i))
			return 2;
		chim_nl_offload_fd(&a->nl, p[i].sk, NULL);
		if (!send_all(p[i].sk, data, CHUNK) ||
		    !recv_all(p[i].peer, back, CHUNK) ||
		    !filled(back, CHUNK, 0))
			return 3;
		if (!i && any(a, 2) && fill_up(p[i].sk) < CHUNK)
			return 4;
	}
	if (any(a, 2))
		return 0;
	/* The peers go first, and the wire with their namespace; what they
	 * said last is lost.
	 */
	net_enter(net_peer_ns);
	link_set("veth1", false);
	net_enter(net_host_ns);
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		setsockopt(p[i].peer, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		close(p[i].peer);
	}
	close(net_peer_ns);
	end = time_ms() + STUCK_MS;
	while (if_nametoindex("veth0") && time_ms() < end)
		usleep(1000);
	if (if_nametoindex("veth0"))
		return 5;
	for (i = 0; i < ARRAY_SIZE(p); i++)
		if (tcp_state_of(p[i].sk) != TCP_ESTABLISHED)
			return 6;
	return 0;
}

/* 1 without the module: its device takes the addresses with it. */
static int world(void)
{
	struct actor a = { .seed = seed };
	int err;

	/* Nobody answers those who come last. */
	if (run("sysctl -qw net.ipv4.tcp_syn_retries=2") ||
	    run("sysctl -qw net.ipv4.tcp_orphan_retries=1") ||
	    chim_nl_open(&a.nl))
		return 1;
	err = world_run(&a);
	return err && if_nametoindex("veth0") && !if_nametoindex("chim0") ?
	       1 : err;
}

/* What is left behind */

static const char * const caches[] = {
	"chim_conn", "nic_conn", "TCP", "TCPv6",
};

#define CACHES	ARRAY_SIZE(caches)

static long objects_of(const char *cache)
{
	char path[96], line[64] = "0";
	FILE *f;

	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", cache);
	f = fopen(path, "we");
	if (!f)
		return 0;
	fputs("1", f);
	fclose(f);
	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/objects", cache);
	f = fopen(path, "re");
	if (!f || !fgets(line, sizeof(line), f))
		return -1;
	fclose(f);
	return atol(line);
}

/* Of all namespaces; a CPU may keep 256 pages of TCP's memory aside. */
static long tcp_pages(long *orphans)
{
	FILE *f = fopen("/proc/net/sockstat", "re");
	char line[256];
	long n = -1;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "TCP: %*s %*s %*s %ld %*s %*s %*s %*s %*s %ld",
			   orphans, &n) == 2)
			break;
	if (f)
		fclose(f);
	return n;
}

static bool few_objects(const long was[])
{
	unsigned int i;

	/* Others may share a cache; TIME_WAIT is none of these. */
	for (i = 0; i < CACHES; i++)
		if (objects_of(caches[i]) > was[i] + 10)
			return false;
	return true;
}

static bool nothing_left(const long was[], long pages)
{
	long room = 256 * sysconf(_SC_NPROCESSORS_ONLN);
	long orphans = -1;
	bool good = until(few_objects(was) &&
			  tcp_pages(&orphans) <= pages + room);
	unsigned int i;

	for (i = 0; i < CACHES; i++)
		ksft_print_msg("%s: %ld objects, %ld before\n", caches[i],
			       objects_of(caches[i]), was[i]);
	ksft_print_msg("orphans: %ld\n", orphans);
	ksft_print_msg("TCP: %ld pages, %ld before\n", tcp_pages(&orphans),
		       pages);
	return good;
}

static bool nic_empty(struct chim_nl *nl)
{
	struct chim_nl_dev d = {};
	unsigned int conns = 0;

	if (chim_nl_dev(nl, net_ifindex, &d) || chim_nl_dump(nl, &conns))
		return false;
	ksft_print_msg("offloads %llu, uploads %llu, refused %llu, left %llu\n",
		       d.dev[CHIMNEY_A_DEV_OFFLOADS],
		       d.dev[CHIMNEY_A_DEV_UPLOADS],
		       d.dev[CHIMNEY_A_DEV_REFUSED],
		       d.dev[CHIMNEY_A_DEV_CONNS]);
	return !conns && !d.dev[CHIMNEY_A_DEV_CONNS] &&
	       d.dev[CHIMNEY_A_DEV_OFFLOADS] == d.dev[CHIMNEY_A_DEV_UPLOADS];
}

/* The module goes, and its caches with it. */
static bool module_goes(void)
{
	if (!until(module_remove()))
		return false;
	if (!access("/sys/module/chimney", F_OK))
		return false;
	return module_insert();
}

static bool all_happened(void)
{
	bool all = links_done > 1 && worlds_done && (!module || modules_done);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		all &= !!ops[i].done;
	return all;
}

static void tell(const char *name, unsigned int done, unsigned int refused)
{
	ksft_print_msg("%s: %u, refused %u\n", name, done, refused);
}

static void tell_all(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		tell(ops[i].name, ops[i].done, ops[i].refused);
	tell("link down and up", links_done, 0);
	tell("namespaces ended", worlds_done, worlds_refused);
	tell("module removed", modules_done, modules_refused);
	ksft_print_msg("figure: %u connections opened, %u ended, %u offloads\n",
		       opened, ended, offloads);
}

/* The run */

/* A thread that does not come back is stuck in a call. */
static void join(pthread_t thread, const char *what)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += 2 * STUCK_MS / 1000;
	if (!pthread_timedjoin_np(thread, NULL, &ts))
		return;
	ksft_print_msg("FAILED: a thread hangs in: %s\n", what);
	ksft_test_result_fail("every connection is accounted for\n");
	fflush(stdout);
	/* Whose it is, and those of a world's namespaces */
	run("for p in $(pidof races); do\n"
	    "	echo \"process $p\"; cat /proc/$p/task/*/stack\n"
	    "	nsenter -t $p -n sh -c 'ip address; ss -tanoiem'\n"
	    "	nsenter -t $p -n tools/chimney/chimney -d -s conn show\n"
	    "done 2>&1 | sed 's/^/# /'");
	ksft_exit_fail_msg("no use in going on\n");
}

static void setup(void)
{
	unsigned int i;

	/* A host's IPv6 addresses are to be there again after the link. */
	run("sysctl -qw net.ipv6.conf.all.keep_addr_on_down=1");
	for (i = 0; i < SLOTS; i++) {
		pthread_rwlock_init(&slots[i].lock, NULL);
		pthread_mutex_init(&slots[i].name_lock, NULL);
		slots[i].p = (struct pair){ .sk = -1, .peer = -1 };
		pthread_mutex_init(&slots[i].way[OUT].tx, NULL);
		pthread_mutex_init(&slots[i].way[OUT].rx, NULL);
		pthread_mutex_init(&slots[i].way[IN].tx, NULL);
		pthread_mutex_init(&slots[i].way[IN].rx, NULL);
	}
	for (i = 0; i < ACTORS; i++) {
		actors[i].seed = seed + i;
		actors[i].diag = mnl_socket_open2(NETLINK_SOCK_DIAG,
						  SOCK_CLOEXEC);
		if (!actors[i].diag || mnl_socket_bind(actors[i].diag, 0, 0))
			ksft_exit_fail_msg("no socket for inet_diag\n");
	}
}

static void run_all(void)
{
	pthread_t links, modules, worlds[WORLDS];
	time_t end = time_ms() + seconds * 1000;
	int patience = kernel_watches() ? 8 : 2;
	unsigned int i;

	for (i = 0; i < ACTORS; i++)
		pthread_create(&actors[i].thread, NULL, actor_run, &actors[i]);
	pthread_create(&links, NULL, links_run, NULL);
	pthread_create(&modules, NULL, modules_run, NULL);
	for (i = 0; i < WORLDS; i++)
		pthread_create(&worlds[i], NULL, worlds_run, NULL);
	/* Longer on a machine that has not got round to something yet. */
	while (!stop && (time_ms() < end || !all_happened()) &&
	       time_ms() < end + patience * STUCK_MS)
		usleep(10000);
	stop = true;
	join(links, "link");
	join(modules, "module");
	for (i = 0; i < WORLDS; i++)
		join(worlds[i], "world");
	for (i = 0; i < ACTORS; i++)
		join(actors[i].thread, (const char *)actors[i].doing);
	for (i = 0; i < SLOTS; i++)
		if (slots[i].open)
			end_slot(&actors[0], &slots[i], IN_ORDER);
}

int main(int argc, char **argv)
{
	long was[CACHES], orphans, pages = tcp_pages(&orphans);
	bool in_world = false;
	unsigned int i;
	int opt;

	seed = time_ms();
	while ((opt = getopt(argc, argv, "m:s:t:W")) != -1) {
		switch (opt) {
		case 'm':
			module = optarg;
			break;
		case 's':
			seed = strtoul(optarg, NULL, 0);
			break;
		case 't':
			seconds = atoi(optarg);
			break;
		case 'W':
			in_world = true;
			break;
		default:
			fputs("races [-m MODULE] [-s SEED] [-t SECONDS]\n",
			      stderr);
			return 2;
		}
	}
	if (in_world)
		return world();

	ksft_print_header();
	ksft_set_plan(4 + !!module);
	ksft_print_msg("seed %u, %u seconds, %ld processors\n", seed, seconds,
		       sysconf(_SC_NPROCESSORS_ONLN));
	for (i = 0; i < CACHES; i++)
		was[i] = objects_of(caches[i]);
	setup();
	run_all();
	tell_all();
	ksft_test_result(!failed && opened && opened == ended,
			 "every connection is accounted for\n");
	ksft_test_result(all_happened(), "everything has happened\n");
	ksft_test_result(nl_ready(&actors[0]) &&
			 until(nic_empty(&actors[0].nl)),
			 "the NIC is empty and its counters agree\n");
	ksft_test_result(nothing_left(was, pages), "nothing is left behind\n");
	if (module)
		ksft_test_result(module_goes(), "the module can go\n");
	if (ksft_get_fail_cnt())
		return ksft_exit_fail();
	return ksft_exit_pass();
}
