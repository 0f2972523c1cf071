// SPDX-License-Identifier: GPL-2.0
/*
 * Everything at once: threads offload, terminate, update, read, write, change,
 * end and reopen the same few connections while their links go down and up,
 * namespaces with live connections end, and the module is taken out and put
 * back. Every connection is accounted for: its bytes are right up to its end,
 * and its end is the one a thread has given it.
 *
 * usage: races [-m MODULE] [-s SEED] [-t SECONDS]
 *
 * Without a module that can be put back it is not taken out.
 */
#include <libmnl/libmnl.h>
#include <stdio.h>
#include <stdlib.h>

#include "kselftest.h"
#include "races.h"

#define ACTORS		6
#define WORLDS		2

unsigned int seed;
const char *module;
long stuck_ms = 60000;
atomic_bool stop, failed;

static struct actor actors[ACTORS];
static unsigned int seconds = 10;

static bool all_happened(void)
{
	return world_happened() && ops_happened();
}

/**
 * tell - say how often something was done
 * @name: what
 * @done: times it was
 * @refused: times it could not be, and may
 */
void tell(const char *name, unsigned int done, unsigned int refused)
{
	ksft_print_msg("%s: %u, refused %u\n", name, done, refused);
}

static void tell_all(void)
{
	ops_tell();
	world_tell();
	ksft_print_msg("figure: %u connections opened, %u ended, %u offloads\n",
		       opened, ended, offloads);
}

/* A thread that does not come back is stuck in a call. */
static void join(pthread_t thread, const char *what)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += 2 * stuck_ms / 1000;
	if (!pthread_timedjoin_np(thread, NULL, &ts))
		return;
	ksft_print_msg("FAILED: a thread hangs in: %s\n", what);
	ksft_test_result_fail("every connection is accounted for\n");
	fflush(stdout);
	/* Whose it is, and those of a world's namespaces */
	run("for p in $(pidof races); do\n"
	    "	echo \"process $p\"; cat /proc/$p/task/*/stack\n"
	    "	nsenter -t $p -n sh -c 'ip address; ss -tanoiem'\n"
	    "	nsenter -t $p -n chimney -d -s conn show\n"
	    "done 2>&1 | sed 's/^/# /'");
	ksft_exit_fail_msg("no use in going on\n");
}

static void setup(void)
{
	unsigned int i;

	/* A host's IPv6 addresses are to be there again after the link. */
	run("sysctl -qw net.ipv6.conf.all.keep_addr_on_down=1");
	init_slots();
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
	unsigned int i;

	for (i = 0; i < ACTORS; i++)
		pthread_create(&actors[i].thread, NULL, actor_run, &actors[i]);
	pthread_create(&links, NULL, links_run, NULL);
	pthread_create(&modules, NULL, modules_run, NULL);
	for (i = 0; i < WORLDS; i++)
		pthread_create(&worlds[i], NULL, worlds_run, NULL);
	/* Longer on a machine that has not got round to something yet. */
	while (!stop && (time_ms() < end || !all_happened()) &&
	       time_ms() < end + 2 * stuck_ms)
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
	bool in_world = false;
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
	if (kernel_watches())
		stuck_ms *= 5;
	if (in_world)
		return world();

	ksft_print_header();
	ksft_set_plan(4 + !!module);
	ksft_print_msg("seed %u, %u seconds, %ld processors\n", seed, seconds,
		       sysconf(_SC_NPROCESSORS_ONLN));
	left_before();
	setup();
	run_all();
	tell_all();
	ksft_test_result(!failed && opened && opened == ended,
			 "every connection is accounted for\n");
	ksft_test_result(all_happened(), "everything has happened\n");
	ksft_test_result(nl_ready(&actors[0]) &&
			 until(nic_empty(&actors[0].nl)),
			 "the NIC is empty and its counters agree\n");
	ksft_test_result(nothing_left(), "nothing is left behind\n");
	if (module)
		ksft_test_result(module_goes(), "the module can go\n");
	if (ksft_get_fail_cnt())
		return ksft_exit_fail();
	return ksft_exit_pass();
}
