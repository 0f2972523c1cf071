/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Connected sockets over the device, one end ours and one a plain peer's, and
 * what tests do with them. Linking this in makes two namespaces before main():
 *
 *	host  chim0 192.0.2.1/24 2001:db8::1/64
 *	        |
 *	      veth0 ------------- veth1  peer 192.0.2.2/24 2001:db8::2/64
 *
 * The process is in the host's; both go when it ends. net_renew() makes others.
 */
#ifndef _SOCK_PAIR_H
#define _SOCK_PAIR_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "chimney_nl.h"

#define DEADLINE	10	/* s, for whatever is bound to happen */

enum kind {
	IPV4,
	IPV6,
	MAPPED,		/* IPv4 on an IPv6 socket */
};

/* until(condition): wait for it; false if it does not come true in time. */
#define until(cond) ({						\
	time_t _end = time_ms() + DEADLINE * 1000;		\
	bool _true;						\
								\
	while (!(_true = (cond)) && time_ms() < _end)		\
		usleep(1000);					\
	_true;							\
})

extern unsigned int net_ifindex;	/* of chim0 */
extern int net_host_ns, net_peer_ns;

struct pair {
	int sk;			/* ours, by way of the device */
	int peer;		/* in the other namespace */
	struct chim_nl_tuple tuple;
};

/* A thread that offloads and uploads a connection over and over. */
struct churn {
	const struct chim_nl_tuple *tuple;
	struct chim_nl nl;
	pthread_t thread;
	atomic_bool stop;
	atomic_uint moves;
};

/* A call in a thread of its own. */
struct call {
	ssize_t (*fn)(struct call *c);
	int fd;
	void *buf;
	size_t len;
	int flags;
	ssize_t ret;
	int err;
	pthread_t thread;
	atomic_int tid;
	atomic_bool done;
};

time_t time_ms(void);
int run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
bool output_is(const char *cmd, const char *text);
bool output_has(const char *cmd, const char *text);

bool kernel_watches(void);

int net_new(void);
bool net_renew(void);
int net_enter(int ns);
bool net_peer_netem(const char *how);
int net_socket(int ns, int family, int type, int proto);
socklen_t net_address(int kind, bool peer, int port,
		      struct sockaddr_storage *ss);
int net_port(int fd);
long net_counter(const char *name);
int net_listen(int kind, bool peer);
int net_connect(int kind, bool from_peer, int port);

int pair_open(struct pair *p, int kind);
int pair_accept(struct pair *p, int kind);
void pair_close(struct pair *p);

int churn_start(struct churn *c, const struct chim_nl_tuple *t);
void churn_stop(struct churn *c);

int call_start(struct call *c, ssize_t (*fn)(struct call *c), int fd,
	       void *buf, size_t len, int flags);
bool call_sleeps(const struct call *c);
bool call_locked_out(const struct call *c);
ssize_t call_end(struct call *c);
ssize_t call_recv(struct call *c);
ssize_t call_send(struct call *c);
ssize_t call_send_all(struct call *c);

void fill(void *buf, size_t len, size_t offset);
bool filled(const void *buf, size_t len, size_t offset);
bool send_all(int fd, const void *buf, size_t len);
bool recv_all(int fd, void *buf, size_t len);
bool receives(int fd, size_t len);
ssize_t fill_up(int fd);
int events_of(int fd);
int queued(int fd, int request);
int get_int(int fd, int level, int name);
int set_int(int fd, int level, int name, int value);
int tcp_state_of(int fd);
int proc_state(int kind, const struct chim_nl_tuple *t);
bool echoes(int sk, int peer);
int sock_destroy(struct mnl_socket *diag, const struct chim_nl_tuple *t);

#endif /* _SOCK_PAIR_H */
