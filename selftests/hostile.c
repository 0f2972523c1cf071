// SPDX-License-Identifier: GPL-2.0
/*
 * Segments nobody should send, from a seed, at offloaded connections:
 *
 *	live	a stranger on the wire injects what must do no harm into
 *		connections between two Linux sockets that carry data both ways
 *	twins	a peer made of such segments talks to a plain and to an
 *		offloaded socket, which must come to the same verdict
 *
 * usage: hostile [-s SEED] [-n SEGMENTS] [-p live|twins]
 *
 * What is found is told with the seed that finds it again.
 */
#include <errno.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/if_packet.h>

#include "hostile.h"
#include "kselftest.h"
#include "sock_pair.h"

/* Seeds of twins that found something once. */
static const __u64 found[] = {
	1,
	0x9672a94b7e9ca9d4,	/* urgent data behind an odd option */
	0xd598537c7edb566d,	/* two RSTs, and a bad ACK between them */
	0x3e7287170016ad24,	/* and a signed segment */
	0x247a8617fcc49495,	/* an old timestamp hidden, an old ACK not */
	0x7ae9305fd2553a99,	/* data with an old ACK, predicted or not */
	0x1b40cbee7093de55,	/* a byte was urgent long before */
	0x1b024fe27e56d069,	/* a clock that gets to 0 */
	0x18ff8afda9a94fd6,	/* an urgent byte at the end */
	0x1d4370dc8a4486fe,	/* a mark on data beyond the window */
};

int wire = -1;
static __u8 macs[2 * ETH_ALEN];

/* To the wire; it takes what comes back itself. */
void wire_open(void)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET };
	struct ifreq ifr = {};
	int fd;

	wire = net_socket(net_peer_ns, AF_PACKET, SOCK_RAW, 0);
	fd = net_socket(net_host_ns, AF_INET, SOCK_DGRAM, 0);
	strcpy(ifr.ifr_name, "chim0");
	if (wire < 0 || ioctl(fd, SIOCGIFHWADDR, &ifr))
		ksft_exit_fail_msg("chim0: %s\n", strerror(errno));
	memcpy(macs, ifr.ifr_hwaddr.sa_data, ETH_ALEN);
	close(fd);
	strcpy(ifr.ifr_name, "veth1");
	if (ioctl(wire, SIOCGIFHWADDR, &ifr))
		ksft_exit_fail_msg("veth1: %s\n", strerror(errno));
	memcpy(macs + ETH_ALEN, ifr.ifr_hwaddr.sa_data, ETH_ALEN);
	ioctl(wire, SIOCGIFINDEX, &ifr);
	a.sll_ifindex = ifr.ifr_ifindex;
	if (bind(wire, (struct sockaddr *)&a, sizeof(a)))
		ksft_exit_fail_msg("veth1: %s\n", strerror(errno));
}

/* The first 12 bytes are filled in here. */
void wire_send(void *frame, size_t len)
{
	memcpy(frame, macs, sizeof(macs));
	if (send(wire, frame, len, 0) < 0 && errno != ENOBUFS)
		ksft_exit_fail_msg("the wire: %s\n", strerror(errno));
}

static void result(bool ok, const char *name)
{
	if (ok)
		ksft_test_result_pass("%s\n", name);
	else
		ksft_test_result_fail("%s\n", name);
}

static void rate(const char *name, unsigned int n, time_t start)
{
	time_t ms = time_ms() - start;

	ksft_print_msg("figure: %s: %u segments in %ld ms, %ld a second\n",
		       name, n, ms, n * 1000L / (ms ? ms : 1));
}

int main(int argc, char **argv)
{
	unsigned int n = kernel_watches() ? 1000 : 4000, sent, i;
	const char *part = "";
	__u64 seed = 1;
	bool ok = true;
	time_t start;
	int opt;

	while ((opt = getopt(argc, argv, "s:n:p:")) != -1) {
		if (opt == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (opt == 'n')
			n = strtoul(optarg, NULL, 0);
		else if (opt == 'p')
			part = optarg;
		else
			return KSFT_FAIL;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	ksft_set_plan(1 + !*part * 3);
	ksft_print_msg("seed %llu, %u segments\n", seed, n);
	wire_open();
	if (strcmp(part, "live")) {
		start = time_ms();
		sent = n;
		result(twins(seed, &sent), "twins come to the same verdict");
		rate("twins", sent, start);
	}
	if (!*part) {
		for (i = 0; i < sizeof(found) / sizeof(*found); i++)
			ok &= twin_case(found[i]);
		result(ok, "what was found once");
		result(shielded(), "the host takes nothing meanwhile");
	}
	if (strcmp(part, "twins")) {
		start = time_ms();
		sent = n;
		result(live(seed, &sent), "connections survive");
		rate("live", sent, start);
	}
	if (ksft_get_fail_cnt())
		ksft_exit_fail();
	ksft_exit_pass();
}
