// SPDX-License-Identifier: GPL-2.0
/*
 * Part of "races": what happens around the connections. Links go down and up,
 * and worlds end, each time after so many offloads again; the module is taken
 * out and put back. A world is a process with namespaces and live connections
 * of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kselftest.h"
#include "races.h"

atomic_uint generation = 1;

static atomic_uint links_done, modules_done, modules_refused;
static atomic_uint worlds_done, worlds_refused;

static bool offloads_since(unsigned int since, unsigned int n)
{
	while (!stop && offloads - since < n)
		usleep(1000);
	return !stop;
}

/* ---- links -------------------------------------------------------------- */

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

/**
 * links_run - a thread that sets links down and up
 * @arg: unused
 *
 * The device and the one below it in turn.
 *
 * Return: NULL
 */
void *links_run(void *arg)
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

/* ---- the module --------------------------------------------------------- */

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

/**
 * modules_run - a thread that takes the module out and puts it back
 * @arg: unused
 *
 * It does when a world has just ended and its namespaces go, so that this goes
 * on as well. Users of the module come and go; that it is busy is no error.
 *
 * Return: NULL, at once if there is no module to put back
 */
void *modules_run(void *arg)
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

/**
 * module_goes - does the module go now that nobody uses it?
 *
 * Its caches go with it. When the threads have come to their end: generation
 * stays the same, so that none would learn of it.
 *
 * Return: it has gone, and is back
 */
bool module_goes(void)
{
	if (!until(module_remove()))
		return false;
	if (!access("/sys/module/chimney", F_OK))
		return false;
	return module_insert();
}

/* ---- worlds ------------------------------------------------------------- */

/**
 * worlds_run - a thread that has worlds come and end
 * @arg: unused
 *
 * Return: NULL
 */
void *worlds_run(void *arg)
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
	end = time_ms() + stuck_ms;
	while (if_nametoindex("veth0") && time_ms() < end)
		usleep(1000);
	if (if_nametoindex("veth0"))
		return 5;
	for (i = 0; i < ARRAY_SIZE(p); i++)
		if (tcp_state_of(p[i].sk) != TCP_ESTABLISHED)
			return 6;
	return 0;
}

/**
 * world - open connections, to have them end with this process
 *
 * Return: exit status: 0, 1 without the module, whose device takes the
 * addresses with it, or what else went wrong
 */
int world(void)
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

/* ---- all of them -------------------------------------------------------- */

/**
 * world_happened - has everything in this file happened?
 *
 * Return: if so, on both links
 */
bool world_happened(void)
{
	return links_done > 1 && worlds_done && (!module || modules_done);
}

/**
 * world_tell - say how often each of it happened
 */
void world_tell(void)
{
	tell("link down and up", links_done, 0);
	tell("namespaces ended", worlds_done, worlds_refused);
	tell("module removed", modules_done, modules_refused);
}
