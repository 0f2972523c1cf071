// SPDX-License-Identifier: GPL-2.0
/*
 * What the peer sees when the program that owns a connection is killed.
 *
 * usage: orphan NAMESPACE idle|unsent|unread [offload]
 *
 * A child process in the host's namespace, the one this is started in, holds
 * one end; this process, in the peer's NAMESPACE, holds the other and kills it.
 * Prints how the stream ended, and fails if data was wrong.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "chimney_nl.h"

#define PORT	5002

static noreturn void die(const char *what)
{
	fprintf(stderr, "orphan: %s: %s\n", what, strerror(errno));
	exit(1);
}

static unsigned char byte_at(unsigned long pos)
{
	return pos * 31 + (pos >> 8);
}

static ssize_t send_some(int fd, unsigned long pos)
{
	unsigned char buf[1000];
	size_t i;

	for (i = 0; i < sizeof(buf); i++)
		buf[i] = byte_at(pos + i);
	return send(fd, buf, sizeof(buf), MSG_NOSIGNAL);
}

/* The owner: connects, has done to it what is asked for, and waits for its
 * end. It tells through the pipe how much it has sent.
 */
static noreturn void owner(const struct sockaddr_in *sin, const char *how,
			   int offload, int pipe)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), err;
	struct chim_nl_conn state;
	unsigned long sent = 0;
	struct chim_nl nl;
	ssize_t n;

	if (connect(fd, (const struct sockaddr *)sin, sizeof(*sin)))
		die("connect");
	if (offload) {
		err = chim_nl_open(&nl);
		if (!err)
			err = chim_nl_offload_fd(&nl, fd, &state);
		if (err) {
			errno = -err;
			die("offload");
		}
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (!strcmp(how, "unsent")) {
		while ((n = send_some(fd, sent)) > 0)
			sent += n;
		if (errno != EAGAIN)
			die("send");
	} else if (!strcmp(how, "unread")) {
		struct timespec tick = { .tv_nsec = 1000000 };
		char b;

		while (recv(fd, &b, 1, MSG_PEEK) != 1)
			nanosleep(&tick, NULL);
	}
	if (write(pipe, &sent, sizeof(sent)) != sizeof(sent))
		die("write");
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	unsigned long sent, rcvd = 0;
	unsigned char buf[4096];
	int fds[2], ns, fd, size;
	pid_t child;
	ssize_t n, i;

	if (argc < 3 || argc > 4)
		return 2;
	snprintf((char *)buf, sizeof(buf), "/run/netns/%s", argv[1]);
	ns = open((char *)buf, O_RDONLY);
	if (ns < 0 || pipe(fds))
		die(argv[1]);
	sin.sin_port = htons(PORT);
	inet_pton(AF_INET, "192.0.2.2", &sin.sin_addr);

	/* The listener lives in the peer's namespace, the child does not. */
	child = fork();
	if (!child) {
		char go;

		if (read(fds[0], &go, 1) != 1)
			die("read");
		owner(&sin, argv[2], argc > 3, fds[1]);
	}
	if (setns(ns, CLONE_NEWNET))
		die("setns");
	fd = socket(AF_INET, SOCK_STREAM, 0);
	size = 1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &size, sizeof(size));
	size = 8192;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) || listen(fd, 1))
		die("listen");
	if (write(fds[1], "", 1) != 1)
		die("write");
	fd = accept(fd, NULL, NULL);
	if (fd < 0)
		die("accept");
	if (!strcmp(argv[2], "unread") && write(fd, "unread", 6) != 6)
		die("write");
	if (read(fds[0], &sent, sizeof(sent)) != sizeof(sent))
		die("read");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (i = 0; i < n; i++, rcvd++) {
			if (buf[i] != byte_at(rcvd)) {
				errno = EBADMSG;
				die("data");
			}
		}
	}
	printf("%s, %s\n", n ? strerrorname_np(errno) : "end of file",
	       rcvd == sent ? "all data" : "data lost");
	return 0;
}
