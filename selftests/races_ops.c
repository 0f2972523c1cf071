// SPDX-License-Identifier: GPL-2.0
/*
 * Part of "races": what is done to connections, how often, and by threads that
 * know nothing of each other. An operation may be refused for what another
 * thread has done, and for nothing else.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>

#include "kselftest.h"
#include "races.h"

/* How much of a slot an operation needs. */
enum need {
	NAME,		/* its addresses */
	SHARED,		/* its sockets */
	ALONE,
};

/* What is done, by a function that returns 0, or a negative error if that was
 * refused.
 */
struct op {
	const char *name;
	int (*fn)(struct actor *a, struct slot *s);
	enum need need;
	unsigned int weight;
	atomic_uint done, refused;
};

atomic_uint offloads;

/* ---- the control interface ---------------------------------------------- */

/**
 * nl_ready - connect a thread to the module that is loaded at the moment
 * @a: thread, the caller
 *
 * Return: is it connected? Even then the module may go at any time.
 */
bool nl_ready(struct actor *a)
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
				       2 * stuck_ms + any(a, 1000)));
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

/* ---- sockets ------------------------------------------------------------ */

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
			  any(a, 2) ? 2 * stuck_ms + any(a, 1000) : 0);
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

/* ---- the choice of them ------------------------------------------------- */

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

/**
 * actor_run - a thread that does one thing after another until the run stops
 * @arg: its struct actor
 *
 * Return: NULL
 */
void *actor_run(void *arg)
{
	struct actor *a = arg;

	while (!stop) {
		act(a);
		a->doing = (uintptr_t)"nothing";
	}
	return NULL;
}

/**
 * ops_happened - has every operation been done at least once?
 *
 * Return: if so
 */
bool ops_happened(void)
{
	bool all = true;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		all &= !!ops[i].done;
	return all;
}

/**
 * ops_tell - say how often each operation was done
 */
void ops_tell(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		tell(ops[i].name, ops[i].done, ops[i].refused);
}
