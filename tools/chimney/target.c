// SPDX-License-Identifier: GPL-2.0
/*
 * Which connection is meant.  Words become a target; a target that leaves
 * something open is completed from the list of sockets, or of connections.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/chimney.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>

#include "attrs.h"
#include "nl.h"
#include "target.h"
#include "tool.h"

#define DIAG_ESTABLISHED	(1U << TCP_ESTABLISHED)
/* How many of several matches are listed. */
#define MATCHES_SHOWN		10

static size_t addr_len(int family)
{
	return family == AF_INET ? 4 : 16;
}

/* An IPv4 connection is one, whatever the socket calls it. */
static void endpoint_set(struct endpoint *end, int family, const void *addr,
			 __u16 port)
{
	memset(end, 0, sizeof(*end));
	if (family == AF_INET6 &&
	    IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)addr)) {
		family = AF_INET;
		addr = (const char *)addr + 12;
	}
	end->family = family;
	memcpy(end->addr, addr, addr_len(family));
	end->port = port;
	end->has_port = true;
}

const char *endpoint_text(const struct endpoint *end)
{
	static char buf[INET6_ADDRSTRLEN + sizeof("[]:65535")];
	char addr[INET6_ADDRSTRLEN];

	inet_ntop(end->family, end->addr, addr, sizeof(addr));
	snprintf(buf, sizeof(buf), end->family == AF_INET6 ? "[%s]:%u" :
		 "%s:%u", addr, ntohs(end->port));
	return buf;
}

static __u16 parse_port(const char *what, const char *s)
{
	__u32 port = parse_number(what, s);

	if (!port || port > UINT16_MAX)
		usage_error("%s: \"%s\" is not a port", what, s);
	return htons(port);
}

/* 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1], [2001:db8::1]:80 */
static void endpoint_parse(struct endpoint *end, const char *what)
{
	const char *s = args_value("ADDR"), *port = NULL;
	char addr[INET6_ADDRSTRLEN + 2];
	__u8 bin[16];
	size_t len;

	if (end->family)
		usage_error("\"%s\" is given twice", what);
	if (s[0] == '[') {
		end->family = AF_INET6;
		port = strchr(s++, ']');
		if (!port)
			goto bad;
		len = port++ - s;
		if (*port && *port != ':')
			goto bad;
	} else {
		len = strlen(s);
		end->family = AF_INET;
		port = strchr(s, ':');
		if (port && strchr(port + 1, ':')) {
			end->family = AF_INET6;
			port = NULL;
		} else if (port) {
			len = port - s;
		}
	}
	if (len >= sizeof(addr))
		goto bad;
	memcpy(addr, s, len);
	addr[len] = '\0';
	if (inet_pton(end->family, addr, bin) != 1)
		goto bad;
	endpoint_set(end, end->family, bin, 0);
	end->has_port = port && *port;
	if (end->has_port)
		end->port = parse_port(what, port + 1);
	return;
bad:
	usage_error("%s: \"%s\" is not like 192.0.2.1:80 or [2001:db8::1]:80",
		    what, tool.words[-1]);
}

static bool is_number(const char *s)
{
	return s && *s && s[strspn(s, "0123456789")] == '\0';
}

void target_parse(struct target *target, bool id_allowed)
{
	struct tuple *tuple = &target->tuple;

	if (id_allowed && is_number(*tool.words)) {
		target->kind = TARGET_ID;
		target->id = parse_number("ID", *tool.words++);
		return;
	}
	if (args_is("pid")) {
		target->kind = TARGET_FD;
		target->pid = parse_number("pid", args_value("PID"));
		if (!args_is("fd"))
			usage_error("\"fd FD\" is missing");
		target->fd = parse_number("fd", args_value("FD"));
		return;
	}
	for (;;) {
		if (args_is("src"))
			endpoint_parse(&tuple->src, "src");
		else if (args_is("dst"))
			endpoint_parse(&tuple->dst, "dst");
		else
			break;
		target->kind = TARGET_TUPLE;
	}
	if (!target->kind)
		usage_error(id_allowed ? "ID, src, dst or pid is missing" :
			    "src, dst or pid is missing");
	if (tuple->src.family && tuple->dst.family &&
	    tuple->src.family != tuple->dst.family)
		usage_error("src and dst are of different families");
}

void target_take_fd(struct target *target)
{
	int pidfd, fd;

	pidfd = pidfd_open(target->pid, 0);
	if (pidfd < 0)
		refuse("process %d: %s", target->pid, strerror(errno));
	fd = pidfd_getfd(pidfd, target->fd, 0);
	if (fd < 0)
		refuse("descriptor %d of process %d: %s", target->fd,
		       target->pid, strerror(errno));
	close(pidfd);
	target->fd = fd;
}

static void endpoint_of_sockaddr(struct endpoint *end,
				 const struct sockaddr_storage *ss)
{
	const struct sockaddr_in6 *in6 = (const void *)ss;
	const struct sockaddr_in *in = (const void *)ss;

	if (ss->ss_family == AF_INET)
		endpoint_set(end, AF_INET, &in->sin_addr, in->sin_port);
	else if (ss->ss_family == AF_INET6)
		endpoint_set(end, AF_INET6, &in6->sin6_addr, in6->sin6_port);
	else
		refuse("the descriptor is not of a TCP socket");
}

void target_to_tuple(struct target *target)
{
	struct sockaddr_storage local = {}, remote = {};
	socklen_t len = sizeof(local);

	target_take_fd(target);
	if (getsockname(target->fd, (struct sockaddr *)&local, &len))
		refuse("the descriptor: %s", strerror(errno));
	len = sizeof(remote);
	if (getpeername(target->fd, (struct sockaddr *)&remote, &len))
		refuse("the descriptor: %s", strerror(errno));
	endpoint_of_sockaddr(&target->tuple.src, &local);
	endpoint_of_sockaddr(&target->tuple.dst, &remote);
	target->kind = TARGET_TUPLE;
}

bool tuple_full(const struct tuple *tuple)
{
	return tuple->src.family && tuple->src.has_port &&
	       tuple->dst.family && tuple->dst.has_port;
}

static bool endpoint_matches(const struct endpoint *wanted,
			     const struct endpoint *end)
{
	if (wanted->family &&
	    (wanted->family != end->family ||
	     memcmp(wanted->addr, end->addr, addr_len(end->family))))
		return false;
	return !wanted->has_port || wanted->port == end->port;
}

bool tuple_matches(const struct tuple *wanted, const struct tuple *tuple)
{
	return endpoint_matches(&wanted->src, &tuple->src) &&
	       endpoint_matches(&wanted->dst, &tuple->dst);
}

static bool endpoint_of_attrs(struct endpoint *end, const struct nlattr *addr,
			      const struct nlattr *port)
{
	__u16 p;

	if (!addr || !port || nl_len(port) < sizeof(p))
		return false;
	if (nl_len(addr) != 4 && nl_len(addr) != 16)
		return false;
	memcpy(&p, nl_data(port), sizeof(p));
	endpoint_set(end, nl_len(addr) == 4 ? AF_INET : AF_INET6,
		     nl_data(addr), p);
	return true;
}

/* Addresses of a connection the module told of, if it did. */
bool tuple_of_conn(struct tuple *tuple, const struct nlattr **tb)
{
	const struct nlattr *c[ATTRS_MAX];

	nl_parse_nest(tb[CHIMNEY_A_CONN_CONST], c, attrs_const.max);
	return endpoint_of_attrs(&tuple->src, c[CHIMNEY_A_CONST_LOCAL_ADDRESS],
				 c[CHIMNEY_A_CONST_LOCAL_PORT]) &&
	       endpoint_of_attrs(&tuple->dst, c[CHIMNEY_A_CONST_REMOTE_ADDRESS],
				 c[CHIMNEY_A_CONST_REMOTE_PORT]);
}

/* The search for the one that fits. */
struct search {
	const struct tuple *wanted;
	struct match {
		struct tuple tuple;
		__u32 id;
	} match[MATCHES_SHOWN];
	unsigned int count;
};

static void search_add(struct search *search, const struct tuple *tuple,
		       __u32 id)
{
	if (!tuple_matches(search->wanted, tuple))
		return;
	if (search->count < MATCHES_SHOWN) {
		search->match[search->count].tuple = *tuple;
		search->match[search->count].id = id;
	}
	search->count++;
}

static void search_check(const struct search *search, const char *what)
{
	unsigned int i;

	if (search->count == 1)
		return;
	if (!search->count)
		refuse("no %s fits", what);
	fflush(stdout);
	fprintf(stderr, "chimney: more than one %s fits:\n", what);
	for (i = 0; i < search->count && i < MATCHES_SHOWN; i++) {
		const struct match *match = &search->match[i];

		fputs("  ", stderr);
		if (match->id)
			fprintf(stderr, "%u: ", match->id);
		fprintf(stderr, "%s", endpoint_text(&match->tuple.src));
		fprintf(stderr, " -> %s\n", endpoint_text(&match->tuple.dst));
	}
	if (i < search->count)
		fprintf(stderr, "  and %u more\n", search->count - i);
	exit(EXIT_REFUSED);
}

static void search_diag(const struct inet_diag_msg *msg, void *arg)
{
	struct tuple tuple;

	endpoint_set(&tuple.src, msg->idiag_family, msg->id.idiag_src,
		     msg->id.idiag_sport);
	endpoint_set(&tuple.dst, msg->idiag_family, msg->id.idiag_dst,
		     msg->id.idiag_dport);
	search_add(arg, &tuple, 0);
}

void target_find_socket(struct target *target)
{
	struct search search = { .wanted = &target->tuple };

	nl_diag(AF_INET, DIAG_ESTABLISHED, search_diag, &search);
	nl_diag(AF_INET6, DIAG_ESTABLISHED, search_diag, &search);
	search_check(&search, "established connection");
	target->tuple = search.match[0].tuple;
}

static void search_conn(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *tb[ATTRS_MAX];
	struct tuple tuple;

	nl_parse(nlh, tb, attrs_conn.max);
	if (tuple_of_conn(&tuple, tb))
		search_add(arg, &tuple, nl_u32(tb[CHIMNEY_A_CONN_ID], 0));
}

void target_find_conn(struct target *target)
{
	struct search search = { .wanted = &target->tuple };

	nl_dump(CHIMNEY_CMD_CONN_GET, search_conn, &search);
	search_check(&search, "connection of the device");
	target->kind = TARGET_ID;
	target->id = search.match[0].id;
}
