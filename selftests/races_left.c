// SPDX-License-Identifier: GPL-2.0
/*
 * Part of "races": what is left behind, in the NIC and in memory, when all
 * connections have ended.
 */
#include <stdio.h>
#include <stdlib.h>

#include "kselftest.h"
#include "races.h"

static const char * const caches[] = {
	"chim_conn", "nic_conn", "TCP", "TCPv6",
};

#define CACHES	ARRAY_SIZE(caches)

static long was[CACHES], was_pages;

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

static bool few_objects(void)
{
	unsigned int i;

	/* Others may share a cache; TIME_WAIT is none of these. */
	for (i = 0; i < CACHES; i++)
		if (objects_of(caches[i]) > was[i] + 10)
			return false;
	return true;
}

/**
 * left_before - note what there is before the run
 */
void left_before(void)
{
	unsigned int i;
	long orphans;

	was_pages = tcp_pages(&orphans);
	for (i = 0; i < CACHES; i++)
		was[i] = objects_of(caches[i]);
}

/**
 * nothing_left - is there no more than left_before() has noted?
 *
 * Waits for that, and says how much there is.
 *
 * Return: if so
 */
bool nothing_left(void)
{
	long room = 256 * sysconf(_SC_NPROCESSORS_ONLN);
	long orphans = -1;
	bool good = until(few_objects() &&
			  tcp_pages(&orphans) <= was_pages + room);
	unsigned int i;

	for (i = 0; i < CACHES; i++)
		ksft_print_msg("%s: %ld objects, %ld before\n", caches[i],
			       objects_of(caches[i]), was[i]);
	ksft_print_msg("orphans: %ld\n", orphans);
	ksft_print_msg("TCP: %ld pages, %ld before\n", tcp_pages(&orphans),
		       was_pages);
	return good;
}

/**
 * nic_empty - has the NIC let go of everything?
 * @nl: connection to the module
 *
 * Says what its counters are.
 *
 * Return: it is empty, and by its counters all that went down has come up again
 */
bool nic_empty(struct chim_nl *nl)
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
