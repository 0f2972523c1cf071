// SPDX-License-Identifier: GPL-2.0
/*
 * chimney conn: show connections, move them, change their cached state.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/chimney.h>
#include <linux/netlink.h>

#include "attrs.h"
#include "json.h"
#include "nl.h"
#include "target.h"
#include "tool.h"

const char conn_help[] =
	"Usage: chimney conn [ show [ ID | SEL ] ]\n"
	"       chimney conn offload SEL [ CACHED ] [ dev DEV ]\n"
	"       chimney conn update { ID | SEL } [ CACHED ]\n"
	"       chimney conn terminate { ID | SEL }\n"
	"       chimney conn help\n"
	"       SEL := { [ src ADDR[:PORT] ] [ dst ADDR[:PORT] ] |\n"
	"                pid PID fd FD }\n"
	"       CACHED := [ keepalive { on | off } ] [ idle T ] [ interval T ]\n"
	"                 [ probes N ] [ keepalive-restart ]\n"
	"                 [ max-rt { T | unlimited | default } ]\n"
	"                 [ max-rt-restart ] [ nagle { on | off } ] [ ttl N ]\n"
	"                 [ tos N ] [ priority N ] [ flowlabel N ]\n"
	"                 [ rcv-wnd N ] [ indication N ]\n"
	"       T := a number and ms, s, m or h\n";

#define W(word, type, attr) \
	{ word, WORD_##type, CHIMNEY_A_CACHED_##attr, 0 }
#define F(word, type, flag) \
	{ word, WORD_##type, CHIMNEY_A_CACHED_FLAGS, \
	  CHIMNEY_CACHED_FLAG_##flag }

static const struct word cached_words[] = {
	F("keepalive", SWITCH, KEEP_ALIVE),
	F("nagle", SWITCH, NAGLING),
	F("keepalive-restart", TRIGGER, KEEP_ALIVE_RESTART),
	F("max-rt-restart", TRIGGER, MAX_RT_RESTART),
	W("idle", TIME, KA_TIMEOUT),
	W("interval", TIME, KA_INTERVAL),
	W("probes", NUMBER, KA_PROBE_COUNT),
	W("max-rt", MAX_RT, MAX_RT),
	W("ttl", NUMBER, TTL_OR_HOP_LIMIT),
	W("tos", NUMBER, TOS_OR_TRAFFIC_CLASS),
	W("priority", NUMBER, USER_PRIORITY),
	W("flowlabel", LABEL, FLOW_LABEL),
	W("rcv-wnd", NUMBER, INITIAL_RCV_WND),
	W("indication", NUMBER, RCV_INDICATION_SIZE),
	{ }
};

#undef W
#undef F

static void conn_keepalive(const struct nlattr **delegated,
			   const struct nlattr **cached, __u32 hz)
{
	const struct nlattr *ka[ATTRS_MAX];
	__u32 delta, flags, probes;

	if (!delegated[CHIMNEY_A_DELEGATED_KEEP_ALIVE])
		return;
	nl_parse_nest(delegated[CHIMNEY_A_DELEGATED_KEEP_ALIVE], ka,
		      attrs_keep_alive.max);
	flags = nl_u32(cached[CHIMNEY_A_CACHED_FLAGS], 0);
	probes = nl_u32(cached[CHIMNEY_A_CACHED_KA_PROBE_COUNT], 0);
	delta = nl_u32(ka[CHIMNEY_A_KEEP_ALIVE_TIMEOUT_DELTA],
		       CHIMNEY_TIMER_IDLE);
	if (delta == CHIMNEY_TIMER_IDLE) {
		printf(" keepalive %s",
		       flags & CHIMNEY_CACHED_FLAG_KEEP_ALIVE ? "idle" : "off");
		return;
	}
	if (delta)
		printf(" keepalive in %s", attrs_time(delta, hz, 1));
	else
		printf(" keepalive due");
	printf(" (probes %u/%u)",
	       nl_u32(ka[CHIMNEY_A_KEEP_ALIVE_PROBE_COUNT], 0), probes);
}

static void conn_retransmit(const struct nlattr **delegated, __u32 hz)
{
	const struct nlattr *rt[ATTRS_MAX];
	const char *timer = "retransmit";
	__u32 delta;

	if (!delegated[CHIMNEY_A_DELEGATED_RETRANSMIT])
		return;
	nl_parse_nest(delegated[CHIMNEY_A_DELEGATED_RETRANSMIT], rt,
		      attrs_retransmit.max);
	delta = nl_u32(rt[CHIMNEY_A_RETRANSMIT_TIMEOUT_DELTA],
		       CHIMNEY_TIMER_IDLE);
	if (delta == CHIMNEY_TIMER_IDLE)
		return;
	/* One timer, three uses. */
	if (nl_u32(delegated[CHIMNEY_A_DELEGATED_STATE], 0) ==
	    CHIMNEY_TCP_STATE_FIN_WAIT2)
		timer = "fin-wait2";
	else if (!nl_u32(delegated[CHIMNEY_A_DELEGATED_SND_WND], 1))
		timer = "persist";
	if (delta)
		printf(" %s in %s", timer, attrs_time(delta, hz, 1));
	else
		printf(" %s due", timer);
	printf(" (count %u)", nl_u32(rt[CHIMNEY_A_RETRANSMIT_COUNT], 0));
}

static void conn_line(const struct nlattr **tb, __u32 hz)
{
	const struct nlattr *delegated[ATTRS_MAX];
	const struct nlattr *cached[ATTRS_MAX];
	char name[IF_NAMESIZE];
	__u32 state, reason;
	struct tuple tuple;

	nl_parse_nest(tb[CHIMNEY_A_CONN_CACHED], cached, attrs_cached.max);
	nl_parse_nest(tb[CHIMNEY_A_CONN_DELEGATED], delegated,
		      attrs_delegated.max);
	printf("%u:", nl_u32(tb[CHIMNEY_A_CONN_ID], 0));
	if (tb[CHIMNEY_A_CONN_PLACE])
		printf(" %s", attrs_word(attrs_places,
					 nl_u32(tb[CHIMNEY_A_CONN_PLACE], 0)));
	if (if_indextoname(nl_u32(tb[CHIMNEY_A_CONN_IFINDEX], 0), name))
		printf(" %s", name);
	if (tuple_of_conn(&tuple, tb)) {
		printf(" %s", endpoint_text(&tuple.src));
		printf(" -> %s", endpoint_text(&tuple.dst));
	}
	state = nl_u32(delegated[CHIMNEY_A_DELEGATED_STATE], 0);
	if (state)
		printf(" %s", attrs_word(attrs_states, state));
	reason = nl_u32(tb[CHIMNEY_A_CONN_REASON], 0);
	if (reason)
		printf(" (%s)", attrs_word(attrs_reasons, reason));
	conn_keepalive(delegated, cached, hz);
	conn_retransmit(delegated, hz);
}

/* One connection; in text all of its state if @whole. */
void conn_print(const struct nlmsghdr *nlh, const char *key, bool whole)
{
	const struct nlattr *tb[ATTRS_MAX];
	__u32 hz;

	nl_parse(nlh, tb, attrs_conn.max);
	if (tool.json) {
		json_open(key, '{');
		attrs_json(&attrs_conn, tb);
		json_close('}');
		return;
	}
	hz = nl_u32(tb[CHIMNEY_A_CONN_HZ], 0);
	conn_line(tb, hz);
	if (whole || tool.details)
		attrs_text_line(&attrs_conn, tb, SHOW_DETAILS, hz);
	if (tool.stats)
		attrs_text(&attrs_conn, tb, SHOW_STATS, hz);
	putchar('\n');
}

/* Address a request to a connection. */
static void conn_put_target(struct nlmsghdr *nlh, const struct target *target)
{
	const struct tuple *t = &target->tuple;
	size_t len = t->src.family == AF_INET ? 4 : 16;
	struct nlattr *nest;

	if (target->kind == TARGET_FD) {
		nl_put_u32(nlh, CHIMNEY_A_CONN_FD, target->fd);
		return;
	}
	if (target->kind == TARGET_ID) {
		nl_put_u32(nlh, CHIMNEY_A_CONN_ID, target->id);
		return;
	}
	nest = nl_nest(nlh, CHIMNEY_A_CONN_CONST);
	nl_put_u32(nlh, CHIMNEY_A_CONST_FAMILY, t->src.family);
	nl_put(nlh, CHIMNEY_A_CONST_LOCAL_ADDRESS, t->src.addr, len);
	nl_put(nlh, CHIMNEY_A_CONST_REMOTE_ADDRESS, t->dst.addr, len);
	nl_put(nlh, CHIMNEY_A_CONST_LOCAL_PORT, &t->src.port, 2);
	nl_put(nlh, CHIMNEY_A_CONST_REMOTE_PORT, &t->dst.port, 2);
	nl_nest_end(nlh, nest);
}

static void conn_found(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *tb[ATTRS_MAX];
	const struct target *target = arg;
	struct tuple tuple;

	nl_parse(nlh, tb, attrs_conn.max);
	if (target->kind == TARGET_TUPLE &&
	    (!tuple_of_conn(&tuple, tb) ||
	     !tuple_matches(&target->tuple, &tuple)))
		return;
	json_list();
	conn_print(nlh, NULL, false);
}

static void conn_show(void)
{
	struct target target = {};
	struct nlmsghdr *nlh;

	if (*tool.words)
		target_parse(&target, true);
	args_end();
	nl_open();
	if (target.kind == TARGET_FD)
		target_to_tuple(&target);
	if (target.kind == TARGET_ID) {
		nlh = nl_new(CHIMNEY_CMD_CONN_GET);
		conn_put_target(nlh, &target);
		nl_do(nlh, conn_found, &target);
	} else {
		nl_dump(CHIMNEY_CMD_CONN_GET, conn_found, &target);
	}
	json_list_end();
}

struct conn_reply {
	struct nlmsghdr *nlh;
	__u32 id;
	__u32 hz;
};

static void conn_keep_reply(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *tb[ATTRS_MAX];
	struct conn_reply *reply = arg;

	free(reply->nlh);
	reply->nlh = malloc(nlh->nlmsg_len);
	if (!reply->nlh)
		refuse("%s", strerror(ENOMEM));
	memcpy(reply->nlh, nlh, nlh->nlmsg_len);
	nl_parse(nlh, tb, attrs_conn.max);
	reply->id = nl_u32(tb[CHIMNEY_A_CONN_ID], 0);
	reply->hz = nl_u32(tb[CHIMNEY_A_CONN_HZ], 0);
}

/* The state that was exchanged. */
static void conn_print_reply(struct conn_reply *reply)
{
	if (reply->nlh) {
		json_list();
		conn_print(reply->nlh, NULL, true);
	}
	json_list_end();
	free(reply->nlh);
}

static void conn_request(__u8 cmd, const struct target *target,
			 const struct values *cached, __u32 hz,
			 struct conn_reply *reply)
{
	struct nlmsghdr *nlh = nl_new(cmd);
	struct nlattr *nest;

	conn_put_target(nlh, target);
	if (cached && (cached->any || cmd == CHIMNEY_CMD_CONN_UPDATE)) {
		nest = nl_nest(nlh, CHIMNEY_A_CONN_CACHED);
		args_put(nlh, cached_words, cached, hz);
		nl_nest_end(nlh, nest);
	}
	nl_do(nlh, conn_keep_reply, reply);
}

static void conn_offload(void)
{
	struct conn_reply reply = {};
	struct target target = {};
	struct values cached = {};
	const char *dev = NULL;
	__u32 hz = 0;

	target_parse(&target, false);
	for (;;) {
		if (args_parameter(cached_words, &cached))
			continue;
		if (!args_is("dev"))
			break;
		if (dev)
			usage_error("\"dev\" is given twice");
		dev = args_value("DEV");
	}
	args_end();
	if (target.kind == TARGET_FD)
		target_take_fd(&target);
	nl_open();
	if (target.kind == TARGET_TUPLE && !tuple_full(&target.tuple))
		target_find_socket(&target);
	if (cached.times)
		hz = dev_hz(dev);
	conn_request(CHIMNEY_CMD_CONN_OFFLOAD, &target, &cached, hz, &reply);
	/* It went to another device than was thought: times were wrong. */
	if (cached.times && reply.nlh && reply.hz && reply.hz != hz) {
		target.kind = TARGET_ID;
		target.id = reply.id;
		conn_request(CHIMNEY_CMD_CONN_UPDATE, &target, &cached,
			     reply.hz, &reply);
	}
	conn_print_reply(&reply);
}

/* Of update and terminate: which connection, of what hz. */
static __u32 conn_resolve(struct target *target, bool need_hz)
{
	struct conn_reply reply = {};
	__u32 hz;

	if (target->kind == TARGET_FD)
		target_to_tuple(target);
	if (target->kind == TARGET_TUPLE && !tuple_full(&target->tuple))
		target_find_conn(target);
	if (!need_hz)
		return 0;
	conn_request(CHIMNEY_CMD_CONN_GET, target, NULL, 0, &reply);
	hz = reply.hz;
	free(reply.nlh);
	if (!hz)
		refuse("the connection's hz is not known");
	return hz;
}

static void conn_update(void)
{
	struct conn_reply reply = {};
	struct target target = {};
	struct values cached = {};
	__u32 hz;

	target_parse(&target, true);
	while (args_parameter(cached_words, &cached))
		;
	args_end();
	/* A new window is a trigger as well: the peer is to be told. */
	if (cached.v[CHIMNEY_A_CACHED_INITIAL_RCV_WND].set) {
		cached.flags |= CHIMNEY_CACHED_FLAG_UPDATE_RCV_WND;
		cached.selector |= CHIMNEY_CACHED_FLAG_UPDATE_RCV_WND;
	}
	nl_open();
	hz = conn_resolve(&target, cached.times);
	conn_request(CHIMNEY_CMD_CONN_UPDATE, &target, &cached, hz, &reply);
	conn_print_reply(&reply);
}

static void conn_terminate(void)
{
	struct conn_reply reply = {};
	struct target target = {};

	target_parse(&target, true);
	args_end();
	nl_open();
	conn_resolve(&target, false);
	conn_request(CHIMNEY_CMD_CONN_TERMINATE, &target, NULL, 0, &reply);
	conn_print_reply(&reply);
}

void do_conn(void)
{
	if (!*tool.words || args_is("show"))
		conn_show();
	else if (args_is("offload"))
		conn_offload();
	else if (args_is("update"))
		conn_update();
	else if (args_is("terminate"))
		conn_terminate();
	else
		usage_error("unknown command \"%s\"", *tool.words);
}
