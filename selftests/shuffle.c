// SPDX-License-Identifier: GPL-2.0
/*
 * Moves connections of other programs: offloads whatever is connected in the
 * network namespace it is started in, and uploads it again, until it is killed.
 * A connection that ends in between is nobody's fault, so that what is refused
 * is not said.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chimney_nl.h"

#define MOST		256	/* connections */
#define GAP_US		20000	/* between rounds, at most twice that */
#define ESTABLISHED	1

static struct chim_nl_tuple found[MOST];
static int n_found;

/* An address as /proc/net/tcp shows it: 32-bit words of host order, in hex. */
static bool address(const char *hex, __u8 *bytes, int words)
{
	unsigned int word;
	int i;

	for (i = 0; i < words; i++) {
		if (sscanf(hex + 8 * i, "%8x", &word) != 1)
			return false;
		memcpy(bytes + 4 * i, &word, 4);
	}
	return true;
}

static void look(const char *file, int family)
{
	int words = family == AF_INET ? 1 : 4;
	unsigned int lport, rport, state;
	char local[33], remote[33];
	struct chim_nl_tuple *t;
	char line[512];
	FILE *f;

	f = fopen(file, "r");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f) && n_found < MOST) {
		if (sscanf(line, " %*d: %32[0-9A-F]:%x %32[0-9A-F]:%x %x",
			   local, &lport, remote, &rport, &state) != 5 ||
		    state != ESTABLISHED)
			continue;
		t = &found[n_found];
		memset(t, 0, sizeof(*t));
		t->family = family;
		t->lport = htons(lport);
		t->rport = htons(rport);
		if (address(local, t->local, words) &&
		    address(remote, t->remote, words))
			n_found++;
	}
	fclose(f);
}

int main(void)
{
	struct chim_nl_conn state;
	struct chim_nl nl;
	int i;

	if (chim_nl_open(&nl))
		return 1;
	for (;;) {
		n_found = 0;
		look("/proc/net/tcp", AF_INET);
		look("/proc/net/tcp6", AF_INET6);
		for (i = 0; i < n_found; i++)
			chim_nl_offload(&nl, &found[i], &state);
		usleep(random() % GAP_US);
		for (i = 0; i < n_found; i++)
			if (random() % 4)
				chim_nl_terminate(&nl, &found[i], &state);
		usleep(random() % GAP_US);
	}
}
