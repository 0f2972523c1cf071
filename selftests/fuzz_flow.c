// SPDX-License-Identifier: GPL-2.0
/*
 * Connections that carry data; see fuzz_flow.h. One thread sends and receives
 * at both ends of all of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "fuzz_flow.h"

#define WINDOW	16384	/* bytes on their way at most */
#define CHUNK	4096

struct flow flows[FLOWS];
int odd_fds[ODD_FDS];
atomic_long pumped;

static atomic_bool pump_stop;
static pthread_t pump;

static int end_of(const struct flow *f, int end)
{
	return end ? f->pair.peer : f->pair.sk;
}

/* The two directions carry different bytes. */
static size_t offset_of(int end, size_t at)
{
	return at + end * 77777;
}

static void pump_send(struct flow *f, int end)
{
	char buf[CHUNK];
	ssize_t n;

	fill(buf, sizeof(buf), offset_of(end, f->way[end].sent));
	n = send(end_of(f, end), buf, sizeof(buf), MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0)
		f->way[end].sent += n;
	else if (errno != EAGAIN)
		f->error = errno;
}

static void pump_receive(struct flow *f, int end)
{
	char buf[2 * CHUNK];
	ssize_t n;

	n = recv(end_of(f, end), buf, sizeof(buf), MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		f->error = n ? errno : EPIPE;
		return;
	}
	if (!filled(buf, n, offset_of(!end, f->way[!end].got)))
		f->error = EBADMSG;
	f->way[!end].got += n;
	pumped += n;
}

static bool pump_flow(struct flow *f, struct pollfd *p)
{
	bool busy = false;
	int end;

	for (end = 0; end < 2 && !f->error; end++) {
		if (p[end].revents & POLLOUT)
			pump_send(f, end);
		if (p[end].revents & (POLLIN | POLLERR | POLLHUP))
			pump_receive(f, end);
	}
	for (end = 0; end < 2; end++) {
		size_t left = f->way[end].sent - f->way[end].got;

		p[end].fd = f->error ? -1 : end_of(f, end);
		p[end].events = POLLIN;
		if (!pump_stop && left < WINDOW)
			p[end].events |= POLLOUT;
		busy |= !pump_stop || left;
	}
	return busy && !f->error;
}

/* Keeps data on its way, both ways, until all has arrived or nothing does. */
static void *pump_run(void *arg)
{
	struct pollfd p[2 * LIVE] = {};
	bool busy = true;
	int i, n = 0;

	while (busy && n >= 0) {
		busy = false;
		for (i = 0; i < LIVE; i++)
			busy |= pump_flow(&flows[i], p + 2 * i);
		n = poll(p, 2 * LIVE, DEADLINE * 1000);
		if (!n)
			break;
	}
	return NULL;
}

bool flows_open(void)
{
	int i;

	for (i = 0; i < FLOWS; i++) {
		if (pair_open(&flows[i].pair, i % 3))
			return false;
		/* Nothing that any connection has */
		flows[i].id = INT_MAX - i;
		set_int(flows[i].pair.sk, SOL_TCP, TCP_NODELAY, 1);
	}
	odd_fds[0] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	odd_fds[1] = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	odd_fds[2] = net_listen(IPV4, false);
	odd_fds[3] = flows[0].pair.peer;
	odd_fds[4] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	odd_fds[5] = -1;
	return true;
}

int pump_start(void)
{
	return pthread_create(&pump, NULL, pump_run, NULL);
}

/* Sends no more, and waits until everything has arrived. */
void pump_end(void)
{
	pump_stop = true;
	pthread_join(pump, NULL);
}

/* Uploads and closes them all. */
bool flows_close(struct chim_nl *nl)
{
	struct chim_nl_dev dev;
	bool good = true;
	int i;

	good &= !chim_nl_dev_do(nl, net_ifindex, CHIMNEY_CMD_DEV_UPLOAD_ALL);
	good &= !chim_nl_dev(nl, net_ifindex, &dev);
	if (!good || dev.dev[CHIMNEY_A_DEV_CONNS]) {
		printf("# %llu connections cannot be uploaded\n",
		       dev.dev[CHIMNEY_A_DEV_CONNS]);
		good = false;
	}
	for (i = 0; i < FLOWS; i++) {
		struct flow *f = &flows[i];
		char c;

		if (f->error || f->way[0].sent != f->way[0].got ||
		    f->way[1].sent != f->way[1].got) {
			printf("# connection %d: %s; to the peer %zu of %zu, ",
			       i, strerror(f->error), f->way[0].got,
			       f->way[0].sent);
			printf("back %zu of %zu bytes\n", f->way[1].got,
			       f->way[1].sent);
			good = false;
		} else if (!echoes(f->pair.sk, f->pair.peer)) {
			printf("# connection %d carries nothing any more\n", i);
			good = false;
		} else {
			close(f->pair.sk);
			f->pair.sk = -1;
			if (recv(f->pair.peer, &c, 1, 0)) {
				printf("# connection %d does not end\n", i);
				good = false;
			}
		}
		pair_close(&f->pair);
	}
	for (i = 0; i < 3; i++)
		close(odd_fds[i]);
	close(odd_fds[4]);
	return good;
}
