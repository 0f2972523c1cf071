// SPDX-License-Identifier: GPL-2.0
/*
 * Part of "races": connections and their accounting. Both ends are ours, so
 * that it is known of every byte whether it has to come and which one it is,
 * and of every end whether a thread has given it.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kselftest.h"
#include "races.h"

#define BLOCK_US	20000		/* longest call that waits */
#define ASK_MS		2000
#define BOTH		(1 << OUT | 1 << IN)

struct slot slots[SLOTS];
atomic_uint opened, ended;

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

/**
 * fail - end the run, and tell why
 * @s: the connection it is about, whose story is told as well; or NULL
 * @fmt: what is wrong, as for printf()
 *
 * Needs no lock; what is told of @s may change meanwhile.
 */
void fail(struct slot *s, const char *fmt, ...)
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

/**
 * trace - note what was done to a connection, for fail() to tell
 * @s: connection
 * @what: a string that stays
 * @ret: what came of it, or what it was done with
 *
 * Needs no lock; fail() may come upon a note that is not complete yet.
 */
void trace(struct slot *s, const char *what, int ret)
{
	unsigned int i = s->at++ % TRACE;

	s->trace[i].what = what;
	s->trace[i].ret = ret;
	s->trace[i].ms = time_ms();
}

/* ---- data --------------------------------------------------------------- */

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

/**
 * traffic - send and receive some data one way
 * @a: whose dice are thrown
 * @s: connection, which the caller has locked for reading at least
 * @way: OUT or IN
 *
 * Either call waits for BLOCK_US at most. What comes must be what was sent, and
 * a call may fail for nothing but what a thread has done.
 *
 * Return: 0, or the negative error of the call that receives
 */
int traffic(struct actor *a, struct slot *s, int way)
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

/**
 * half_close - send no more one way
 * @s: connection, which the caller has locked for reading at least
 * @way: OUT or IN; it may be closed already
 */
void half_close(struct slot *s, int way)
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

/* ---- the beginning ------------------------------------------------------ */

/**
 * init_slots - have slots without connections, before there are threads
 */
void init_slots(void)
{
	unsigned int i;

	for (i = 0; i < SLOTS; i++) {
		pthread_rwlock_init(&slots[i].lock, NULL);
		pthread_mutex_init(&slots[i].name_lock, NULL);
		slots[i].p = (struct pair){ .sk = -1, .peer = -1 };
		pthread_mutex_init(&slots[i].way[OUT].tx, NULL);
		pthread_mutex_init(&slots[i].way[OUT].rx, NULL);
		pthread_mutex_init(&slots[i].way[IN].tx, NULL);
		pthread_mutex_init(&slots[i].way[IN].rx, NULL);
	}
}

static void patience(int fd)
{
	struct timeval t = { .tv_usec = BLOCK_US };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
}

/**
 * open_slot - open a connection
 * @a: whose dice are thrown
 * @s: slot that is not open, which the caller has locked for writing
 *
 * It stays as it is if there is no way to the peer at the moment.
 */
void open_slot(struct actor *a, struct slot *s)
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

/* ---- the end ------------------------------------------------------------ */

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
		if (!generation) /* so there is no wire */
			heard = time_ms();
		if (time_ms() > heard + stuck_ms) {
			fail(s, "does not end: %d %d", how[OUT], how[IN]);
			return false;
		}
		poll(p, left, 100);
	}
}

/**
 * end_slot - end a connection, and judge how it comes to its end
 * @a: whose dice are thrown
 * @s: connection that is open, locked for writing while there are other threads
 * @way_out: how to end it; without effect if it was destroyed
 *
 * Waits until both ends have got all they have to get, stuck_ms at most after
 * the last byte of it.
 */
void end_slot(struct actor *a, struct slot *s, enum way_out way_out)
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
