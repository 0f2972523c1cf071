/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared by the files of "races": a few connections, and the threads that do
 * things to them.
 */
#ifndef _RACES_H
#define _RACES_H

#include <stdlib.h>

#include "sock_pair.h"

#define SLOTS		6
#define CHUNK		8192
#define TRACE		40

enum { OUT, IN };		/* ways: from our end, to our end */

/**
 * enum way_out - how a connection is ended
 * @IN_ORDER: both halves are closed
 * @RESET: by one end
 * @CLOSED: one end is; the other may have been sent more
 * @SHUT_DOWN: our end is, both ways; likewise
 * @WAYS_OUT: number of those that a thread has the choice of
 * @DESTROYED: SOCK_DESTROY has ended it already
 */
enum way_out {
	IN_ORDER,
	RESET,
	CLOSED,
	SHUT_DOWN,
	WAYS_OUT,
	DESTROYED = WAYS_OUT,
};

/**
 * struct way - what one end has sent, and what the other has got of it
 * @tx: held to send, and to close this half
 * @rx: held to receive
 * @base: names the bytes: offset of the first one for fill()
 * @sent: bytes that calls have taken
 * @rcvd: bytes that calls have returned
 * @fin: no more will be sent
 */
struct way {
	pthread_mutex_t tx, rx;
	size_t base;
	atomic_size_t sent, rcvd;
	atomic_bool fin;
};

/**
 * struct slot - one of the connections, and those that come after it
 * @lock: read to use its sockets, written to end and to open it
 * @name_lock: protects @name, which is used without @lock
 * @name: its addresses, or those of the last one
 * @p: its sockets
 * @way: its data, OUT and IN
 * @open: there is a connection
 * @destroyed: by a thread that holds no more than a read lock
 * @opened: connections so far
 * @at: entries that @trace has had so far
 * @trace: what was done to it last, a ring
 * @trace.what: the name of that
 * @trace.ret: what came of it, or what it was done with
 * @trace.ms: when, by time_ms()
 */
struct slot {
	pthread_rwlock_t lock;
	pthread_mutex_t name_lock;
	struct chim_nl_tuple name;
	struct pair p;
	struct way way[2];
	atomic_bool open;
	atomic_bool destroyed;
	atomic_uint opened;
	atomic_uint at;
	struct {
		const char *what;
		int ret;
		long ms;
	} trace[TRACE];
};

/**
 * struct actor - a thread that does things to connections
 * @thread: it
 * @seed: state of its dice
 * @nl: its connection to the module, for nl_ready() to renew
 * @generation: of the module that @nl talks to, 0 if to none
 * @diag: its socket for SOCK_DESTROY
 * @doing: name of what it is at, for others to tell where it hangs
 * @opened: that of its slot, before it began
 *
 * Nobody else uses one while it runs, but for @doing.
 */
struct actor {
	pthread_t thread;
	unsigned int seed;
	struct chim_nl nl;
	unsigned int generation;
	struct mnl_socket *diag;
	atomic_uintptr_t doing;
	unsigned int opened;
};

/**
 * any - throw dice
 * @a: whose
 * @n: how many sides they have
 *
 * Return: 0 to @n - 1
 */
static inline unsigned int any(struct actor *a, unsigned int n)
{
	return rand_r(&a->seed) % n;
}

/**
 * one_of - is an error one of those that are expected?
 * @err: negative error
 * @list: positive errors, 0 behind the last one
 *
 * Return: if so
 */
static inline bool one_of(int err, const int *list)
{
	for (; *list; list++)
		if (err == -*list)
			return true;
	return false;
}

/* races.c: the run */
extern unsigned int seed;
extern const char *module;		/* its file; NULL: it has to stay */
extern long stuck_ms;			/* nothing may take that long */
extern atomic_bool stop;		/* threads come to their end */
extern atomic_bool failed;

void tell(const char *name, unsigned int done, unsigned int refused);

/* races_slot.c: connections and their accounting */
extern struct slot slots[SLOTS];
extern atomic_uint opened, ended;	/* connections */

void fail(struct slot *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void trace(struct slot *s, const char *what, int ret);
int traffic(struct actor *a, struct slot *s, int way);
void half_close(struct slot *s, int way);
void init_slots(void);
void open_slot(struct actor *a, struct slot *s);
void end_slot(struct actor *a, struct slot *s, enum way_out way_out);

/* races_ops.c: what is done to them */
extern atomic_uint offloads;

bool nl_ready(struct actor *a);
void *actor_run(void *arg);
bool ops_happened(void);
void ops_tell(void);

/* races_world.c: what happens around them */
extern atomic_uint generation;		/* 0: no module at the moment */

void *links_run(void *arg);
void *modules_run(void *arg);
bool module_goes(void);
void *worlds_run(void *arg);
int world(void);
bool world_happened(void);
void world_tell(void);

/* races_left.c: what is left behind */
void left_before(void);
bool nothing_left(void);
bool nic_empty(struct chim_nl *nl);

#endif /* _RACES_H */
