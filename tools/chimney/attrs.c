// SPDX-License-Identifier: GPL-2.0
/*
 * The attribute table, and text and JSON made from it.  Whatever the kernel
 * adds and this table does not know is passed over; a value it does not know
 * is shown as a number.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <linux/chimney.h>
#include <linux/netlink.h>

#include "attrs.h"
#include "json.h"
#include "nl.h"
#include "tool.h"

#define LINE_WIDTH	79
#define LINE_INDENT	4
#define NEST_WIDTH	48

const char *const attrs_places[] = {
	"host", "offloading", "nic", "uploading", NULL,
};

const char *const attrs_states[] = {
	"closed", "listen", "syn-sent", "syn-rcvd", "established", "fin-wait1",
	"fin-wait2", "close-wait", "closing", "last-ack", "time-wait", NULL,
};

const char *const attrs_reasons[] = {
	"host", "hardware-failure", "invalid-state", "received-urgent-data",
	"timeout-expiration", "upload-requested", "abort", "socket-call",
	"close", "route", "device", "slow-path", "disconnect", NULL,
};

static const char *const const_flags[] = {
	"timestamp", "sack", "window-scaling", NULL,
};

static const char *const cached_flags[] = {
	"keep-alive", "nagling", "keep-alive-restart", "max-rt-restart",
	"update-rcv-wnd", NULL,
};

#define ATTR(n, t, ...)	{ .name = n, .type = ATTR_##t, __VA_ARGS__ }
#define ATTR_SET(set)							\
	const struct attr_set attrs_##set = {				\
		.attrs = set##_attrs,					\
		.max = sizeof(set##_attrs) / sizeof(*set##_attrs) - 1,	\
	};								\
	_Static_assert(sizeof(set##_attrs) / sizeof(*set##_attrs) <=	\
		       ATTRS_MAX, "ATTRS_MAX is too small")

static const struct attr dev_attrs[] = {
	[CHIMNEY_A_DEV_IFINDEX] = ATTR("ifindex", IFINDEX,
				       .show = SHOW_NEVER),
	[CHIMNEY_A_DEV_IFNAME] = ATTR("ifname", STRING, .show = SHOW_NEVER),
	[CHIMNEY_A_DEV_LOWER_IFINDEX] = ATTR("lower-ifindex", IFINDEX,
					     .extra = "lower"),
	[CHIMNEY_A_DEV_HZ] = ATTR("hz", U32),
	[CHIMNEY_A_DEV_MAX_CONNS] = ATTR("max-conns", U32),
	[CHIMNEY_A_DEV_CONNS] = ATTR("conns", U32),
	[CHIMNEY_A_DEV_PAUSED] = ATTR("paused", BOOL),
	[CHIMNEY_A_DEV_ACK_FREQUENCY] = ATTR("ack-frequency", U32,
					     .show = SHOW_DETAILS),
	[CHIMNEY_A_DEV_DELAYED_ACK] = ATTR("delayed-ack", TICKS,
					   .show = SHOW_DETAILS),
	[CHIMNEY_A_DEV_MAX_RETRANSMISSIONS] = ATTR("max-retransmissions", U32,
						   .show = SHOW_DETAILS),
	[CHIMNEY_A_DEV_DUPACK_THRESHOLD] = ATTR("dupack-threshold", U32,
						.show = SHOW_DETAILS),
	[CHIMNEY_A_DEV_FIN_WAIT2] = ATTR("fin-wait2", TICKS,
					 .show = SHOW_DETAILS),
	[CHIMNEY_A_DEV_CAP_IPV4] = ATTR("cap-ipv4", BOOL,
					.show = SHOW_DETAILS),
	[CHIMNEY_A_DEV_CAP_IPV6] = ATTR("cap-ipv6", BOOL,
					.show = SHOW_DETAILS),
	[CHIMNEY_A_DEV_CAP_SACK] = ATTR("cap-sack", BOOL,
					.show = SHOW_DETAILS),
	[CHIMNEY_A_DEV_OFFLOADS] = ATTR("offloads", U64, .show = SHOW_STATS),
	[CHIMNEY_A_DEV_UPLOADS] = ATTR("uploads", U64, .show = SHOW_STATS),
	[CHIMNEY_A_DEV_REFUSED] = ATTR("refused", U64, .show = SHOW_STATS),
};

static const struct attr conn_attrs[] = {
	[CHIMNEY_A_CONN_ID] = ATTR("id", U32, .show = SHOW_NEVER),
	[CHIMNEY_A_CONN_FD] = ATTR("fd", NONE),
	[CHIMNEY_A_CONN_IFINDEX] = ATTR("ifindex", IFINDEX,
					.show = SHOW_NEVER,
					.extra = "ifname"),
	[CHIMNEY_A_CONN_HZ] = ATTR("hz", U32, .show = SHOW_DETAILS),
	[CHIMNEY_A_CONN_PLACE] = ATTR("place", ENUM, .show = SHOW_NEVER,
				      .names = attrs_places),
	[CHIMNEY_A_CONN_REASON] = ATTR("reason", ENUM, .show = SHOW_NEVER,
				       .names = attrs_reasons),
	[CHIMNEY_A_CONN_INODE] = ATTR("inode", U32, .show = SHOW_DETAILS),
	[CHIMNEY_A_CONN_UID] = ATTR("uid", U32, .show = SHOW_DETAILS),
	[CHIMNEY_A_CONN_CONST] = ATTR("const", NEST, .show = SHOW_DETAILS,
				      .nest = &attrs_const),
	[CHIMNEY_A_CONN_CACHED] = ATTR("cached", NEST, .show = SHOW_DETAILS,
				       .nest = &attrs_cached),
	[CHIMNEY_A_CONN_DELEGATED] = ATTR("delegated", NEST,
					  .show = SHOW_DETAILS,
					  .nest = &attrs_delegated),
	[CHIMNEY_A_CONN_STATS] = ATTR("stats", NEST, .show = SHOW_STATS,
				      .nest = &attrs_stats),
};

static const struct attr const_attrs[] = {
	[CHIMNEY_A_CONST_FAMILY] = ATTR("family", FAMILY),
	[CHIMNEY_A_CONST_LOCAL_ADDRESS] = ATTR("local-address", ADDRESS),
	[CHIMNEY_A_CONST_REMOTE_ADDRESS] = ATTR("remote-address", ADDRESS),
	[CHIMNEY_A_CONST_LOCAL_PORT] = ATTR("local-port", PORT),
	[CHIMNEY_A_CONST_REMOTE_PORT] = ATTR("remote-port", PORT),
	[CHIMNEY_A_CONST_FLAGS] = ATTR("flags", FLAGS, .names = const_flags),
	[CHIMNEY_A_CONST_SND_WIND_SCALE] = ATTR("snd-wind-scale", U32),
	[CHIMNEY_A_CONST_RCV_WIND_SCALE] = ATTR("rcv-wind-scale", U32),
	[CHIMNEY_A_CONST_REMOTE_MSS] = ATTR("remote-mss", U32),
	[CHIMNEY_A_CONST_HASH_VALUE] = ATTR("hash-value", U32),
};

static const struct attr cached_attrs[] = {
	[CHIMNEY_A_CACHED_FLAGS] = ATTR("flags", BITFIELD,
					.names = cached_flags),
	[CHIMNEY_A_CACHED_INITIAL_RCV_WND] = ATTR("initial-rcv-wnd", U32),
	[CHIMNEY_A_CACHED_RCV_INDICATION_SIZE] = ATTR("rcv-indication-size",
						      U32),
	[CHIMNEY_A_CACHED_KA_PROBE_COUNT] = ATTR("ka-probe-count", U32),
	[CHIMNEY_A_CACHED_KA_TIMEOUT] = ATTR("ka-timeout", TICKS),
	[CHIMNEY_A_CACHED_KA_INTERVAL] = ATTR("ka-interval", TICKS),
	[CHIMNEY_A_CACHED_MAX_RT] = ATTR("max-rt", TICKS,
					 .max_word = "unlimited",
					 .zero_word = "default"),
	[CHIMNEY_A_CACHED_FLOW_LABEL] = ATTR("flow-label", LABEL),
	[CHIMNEY_A_CACHED_TTL_OR_HOP_LIMIT] = ATTR("ttl-or-hop-limit", U32),
	[CHIMNEY_A_CACHED_TOS_OR_TRAFFIC_CLASS] =
		ATTR("tos-or-traffic-class", U32),
	[CHIMNEY_A_CACHED_USER_PRIORITY] = ATTR("user-priority", U32),
};

static const struct attr delegated_attrs[] = {
	[CHIMNEY_A_DELEGATED_STATE] = ATTR("state", ENUM,
					   .names = attrs_states),
	[CHIMNEY_A_DELEGATED_FLAGS] = ATTR("flags", U32),
	[CHIMNEY_A_DELEGATED_RCV_NXT] = ATTR("rcv-nxt", U32),
	[CHIMNEY_A_DELEGATED_RCV_WND] = ATTR("rcv-wnd", U32),
	[CHIMNEY_A_DELEGATED_SND_UNA] = ATTR("snd-una", U32),
	[CHIMNEY_A_DELEGATED_SND_NXT] = ATTR("snd-nxt", U32),
	[CHIMNEY_A_DELEGATED_SND_MAX] = ATTR("snd-max", U32),
	[CHIMNEY_A_DELEGATED_SND_WND] = ATTR("snd-wnd", U32),
	[CHIMNEY_A_DELEGATED_MAX_SND_WND] = ATTR("max-snd-wnd", U32),
	[CHIMNEY_A_DELEGATED_SEND_WL1] = ATTR("send-wl1", U32),
	[CHIMNEY_A_DELEGATED_CWND] = ATTR("cwnd", U32),
	[CHIMNEY_A_DELEGATED_SS_THRESH] = ATTR("ss-thresh", U32),
	[CHIMNEY_A_DELEGATED_SRTT] = ATTR("srtt", TICKS, .scale = 8),
	[CHIMNEY_A_DELEGATED_RTT_VAR] = ATTR("rtt-var", TICKS, .scale = 4),
	[CHIMNEY_A_DELEGATED_TS_RECENT] = ATTR("ts-recent", U32),
	[CHIMNEY_A_DELEGATED_TS_RECENT_AGE] = ATTR("ts-recent-age", TICKS),
	[CHIMNEY_A_DELEGATED_TS_TIME] = ATTR("ts-time", U32),
	[CHIMNEY_A_DELEGATED_TOTAL_RT] = ATTR("total-rt", TICKS),
	[CHIMNEY_A_DELEGATED_DUP_ACK_COUNT] = ATTR("dup-ack-count", U32),
	[CHIMNEY_A_DELEGATED_SND_WND_PROBE_COUNT] =
		ATTR("snd-wnd-probe-count", U32),
	[CHIMNEY_A_DELEGATED_KEEP_ALIVE] = ATTR("keep-alive", NEST,
						.json = "keepalive",
						.nest = &attrs_keep_alive),
	[CHIMNEY_A_DELEGATED_RETRANSMIT] = ATTR("retransmit", NEST,
						.nest = &attrs_retransmit),
	[CHIMNEY_A_DELEGATED_SEND_BACKLOG_SIZE] =
		ATTR("send-backlog-size", U32, .max_word = "unsupported"),
	[CHIMNEY_A_DELEGATED_RECEIVE_BACKLOG_SIZE] =
		ATTR("receive-backlog-size", U32, .max_word = "unsupported"),
	[CHIMNEY_A_DELEGATED_DWND] = ATTR("dwnd", U32),
	[CHIMNEY_A_DELEGATED_SEND_DATA] = ATTR("send-data", U32),
	[CHIMNEY_A_DELEGATED_BUFFERED_DATA] = ATTR("buffered-data", U32),
};

static const struct attr keep_alive_attrs[] = {
	[CHIMNEY_A_KEEP_ALIVE_PROBE_COUNT] = ATTR("probe-count", U32),
	[CHIMNEY_A_KEEP_ALIVE_TIMEOUT_DELTA] = ATTR("timeout-delta", TICKS,
						    .max_word = "idle"),
};

static const struct attr retransmit_attrs[] = {
	[CHIMNEY_A_RETRANSMIT_COUNT] = ATTR("count", U32),
	[CHIMNEY_A_RETRANSMIT_TIMEOUT_DELTA] = ATTR("timeout-delta", TICKS,
						    .max_word = "idle"),
};

static const struct attr stats_attrs[] = {
	[CHIMNEY_A_STATS_SEGS_IN] = ATTR("segs-in", U64),
	[CHIMNEY_A_STATS_SEGS_OUT] = ATTR("segs-out", U64),
	[CHIMNEY_A_STATS_BYTES_IN] = ATTR("bytes-in", U64),
	[CHIMNEY_A_STATS_BYTES_OUT] = ATTR("bytes-out", U64),
	[CHIMNEY_A_STATS_RETRANS_SEGS] = ATTR("retrans-segs", U64),
};

ATTR_SET(dev);
ATTR_SET(conn);
ATTR_SET(const);
ATTR_SET(cached);
ATTR_SET(delegated);
ATTR_SET(keep_alive);
ATTR_SET(retransmit);
ATTR_SET(stats);

static const struct attr_set *attrs_of(const struct nlmsghdr *nlh)
{
	return nl_cmd(nlh) <= CHIMNEY_CMD_DEV_NTF ? &attrs_dev : &attrs_conn;
}

static const char *attrs_find(const struct attr_set *set,
			      const struct nlattr **tb, const char *place)
{
	unsigned int i;

	for (i = 1; i <= set->max; i++) {
		const struct attr_set *nest = set->attrs[i].nest;
		const char *start = (const char *)tb[i];
		const struct nlattr *inner[ATTRS_MAX];

		if (!start || place < start ||
		    place >= start + tb[i]->nla_len)
			continue;
		if (place == start || !nest)
			return set->attrs[i].name;
		nl_parse_nest(tb[i], inner, nest->max);
		return attrs_find(nest, inner, place);
	}
	return NULL;
}

const char *attrs_at(const struct nlmsghdr *nlh, size_t offset)
{
	const struct attr_set *set = attrs_of(nlh);
	const struct nlattr *tb[ATTRS_MAX];

	nl_parse(nlh, tb, set->max);
	return attrs_find(set, tb, (const char *)nlh + offset);
}

/* Attribute @type that is missing in the nest at offset @nest, or outside. */
const char *attrs_in(const struct nlmsghdr *nlh, size_t nest, __u32 type)
{
	const struct attr_set *set = attrs_of(nlh);
	const struct nlattr *tb[ATTRS_MAX];
	unsigned int i;

	nl_parse(nlh, tb, set->max);
	for (i = 1; nest && i <= set->max; i++) {
		if (!set->attrs[i].nest || !tb[i] ||
		    (const char *)tb[i] != (const char *)nlh + nest)
			continue;
		set = set->attrs[i].nest;
		break;
	}
	return type <= set->max ? set->attrs[type].name : NULL;
}

/* The word at place @i, from 0, or NULL. */
static const char *attr_name(const char *const *names, __u32 i)
{
	for (; *names; names++) {
		if (!i--)
			return *names;
	}
	return NULL;
}

const char *attrs_word(const char *const *names, __u32 value)
{
	const char *name = attr_name(names, value - 1);
	static char number[16];

	if (name)
		return name;
	snprintf(number, sizeof(number), "%u", value);
	return number;
}

/* Below a second in milliseconds, as short as it can be said. */
const char *attrs_time(__u32 ticks, __u32 hz, unsigned int scale)
{
	static char buf[32];
	__u64 ms = 0, frac;
	__u64 us;
	int len;

	if (!hz) {
		snprintf(buf, sizeof(buf), "%u ticks", ticks);
		return buf;
	}
	us = (__u64)ticks * 1000000 / hz / (scale ? scale : 1);
	if (us && us < 1000000) {
		ms = us / 1000;
		frac = us % 1000;
	} else {
		ms = us / 1000000;
		frac = us % 1000000 / 1000;
	}
	len = snprintf(buf, sizeof(buf), "%llu.%03u", ms,
		       (unsigned int)frac);
	while (buf[len - 1] == '0')
		len--;
	if (buf[len - 1] == '.')
		len--;
	strcpy(buf + len, us && us < 1000000 ? "ms" : "s");
	return buf;
}

static __u64 attr_u64(const struct nlattr *attr)
{
	__u64 value;

	if (nl_len(attr) < sizeof(value))
		return nl_u32(attr, 0);
	memcpy(&value, nl_data(attr), sizeof(value));
	return value;
}

/* A flag attribute counts as set by its presence. */
static bool attr_bool(const struct nlattr *attr)
{
	return nl_u32(attr, 1);
}

static unsigned int attr_port(const struct nlattr *attr)
{
	__u16 port = 0;

	if (nl_len(attr) >= sizeof(port))
		memcpy(&port, nl_data(attr), sizeof(port));
	return ntohs(port);
}

static const char *attr_address(const struct nlattr *attr)
{
	static char buf[INET6_ADDRSTRLEN];
	int family = nl_len(attr) == 4 ? AF_INET : AF_INET6;

	if ((nl_len(attr) != 4 && nl_len(attr) != 16) ||
	    !inet_ntop(family, nl_data(attr), buf, sizeof(buf)))
		return "?";
	return buf;
}

static const char *attr_family(const struct nlattr *attr, bool json)
{
	static char buf[16];

	switch (nl_u32(attr, 0)) {
	case AF_INET:
		return json ? "inet" : "ipv4";
	case AF_INET6:
		return json ? "inet6" : "ipv6";
	}
	snprintf(buf, sizeof(buf), "%u", nl_u32(attr, 0));
	return buf;
}

static const char *attr_string(const struct nlattr *attr)
{
	static char buf[256];

	snprintf(buf, sizeof(buf), "%.*s", (int)nl_len(attr),
		 (const char *)nl_data(attr));
	return buf;
}

/* What has no word, or none yet, is a number. */
static void json_word(const char *key, const char *word, __u32 value)
{
	if (word)
		json_string(key, word);
	else
		json_unsigned(key, value);
}

static void json_flags(const char *key, const char *const *names,
		       __u32 flags)
{
	unsigned int bit;

	json_open(key, '[');
	for (bit = 0; bit < 32; bit++) {
		if (flags & 1U << bit)
			json_word(NULL, attr_name(names, bit), 1U << bit);
	}
	json_close(']');
}

static const char *json_key(const struct attr *a)
{
	static char key[32];
	char *p;

	snprintf(key, sizeof(key), "%s", a->json ? a->json : a->name);
	while ((p = strchr(key, '-')))
		*p = '_';
	return key;
}

static void json_attr(const struct attr *a, const struct nlattr *attr)
{
	const struct nlattr *inner[ATTRS_MAX];
	const char *key = json_key(a);
	__u32 n = nl_u32(attr, 0);
	char name[IF_NAMESIZE];

	switch (a->type) {
	case ATTR_NONE:
		break;
	case ATTR_U32:
	case ATTR_TICKS:
		if (a->max_word && n == UINT32_MAX)
			json_signed(key, -1);
		else
			json_unsigned(key, n);
		break;
	case ATTR_U64:
		json_unsigned(key, attr_u64(attr));
		break;
	case ATTR_BOOL:
		json_bool(key, attr_bool(attr));
		break;
	case ATTR_STRING:
		json_string(key, attr_string(attr));
		break;
	case ATTR_IFINDEX:
		json_unsigned(key, n);
		if (a->extra && if_indextoname(n, name))
			json_string(a->extra, name);
		break;
	case ATTR_ENUM:
		json_word(key, attr_name(a->names, n - 1), n);
		break;
	case ATTR_FLAGS:
	case ATTR_BITFIELD:
		/* The value comes first in a bit field. */
		json_flags(key, a->names, n);
		break;
	case ATTR_FAMILY:
		json_string(key, attr_family(attr, true));
		break;
	case ATTR_ADDRESS:
		json_string(key, attr_address(attr));
		break;
	case ATTR_PORT:
		json_unsigned(key, attr_port(attr));
		break;
	case ATTR_LABEL:
		json_unsigned(key, ntohl(n));
		break;
	case ATTR_NEST:
		nl_parse_nest(attr, inner, a->nest->max);
		json_open(key, '{');
		attrs_json(a->nest, inner);
		json_close('}');
		break;
	}
}

void attrs_json(const struct attr_set *set, const struct nlattr **tb)
{
	unsigned int i;

	for (i = 1; i <= set->max; i++) {
		if (tb[i] && set->attrs[i].name)
			json_attr(&set->attrs[i], tb[i]);
	}
}

/* Start a new line if @len characters do not fit into this one. */
static void text_room(int *column, int len)
{
	if (*column > LINE_INDENT + 1 && *column + len > LINE_WIDTH)
		*column = printf("\n%*s", LINE_INDENT + 1, "") - 1;
}

static void text_pair(int *column, const char *name, const char *value)
{
	text_room(column, 2 + strlen(name) + strlen(value));
	*column += printf(" %s %s", name, value);
}

/* A nest in a nest is short: two words, two values. It stays together. */
static void text_nest(int *column, const char *name)
{
	text_room(column, NEST_WIDTH);
	*column += printf(" %s", name);
}

static const char *text_flags(const char *const *names, __u32 flags)
{
	static char buf[32 * 24];
	const char *name;
	unsigned int bit;
	size_t len = 0;

	if (!flags)
		return "none";
	for (bit = 0; bit < 32; bit++) {
		if (!(flags & 1U << bit))
			continue;
		if (len)
			buf[len++] = ',';
		name = attr_name(names, bit);
		if (name)
			len += sprintf(buf + len, "%s", name);
		else
			len += sprintf(buf + len, "0x%x", 1U << bit);
	}
	return buf;
}

static const char *text_number(__u64 n)
{
	static char buf[24];

	snprintf(buf, sizeof(buf), "%llu", n);
	return buf;
}

static const char *text_ifindex(__u32 index)
{
	static char name[IF_NAMESIZE];

	return if_indextoname(index, name) ? name : text_number(index);
}

static const char *text_value(const struct attr *a, const struct nlattr *attr,
			      __u32 hz)
{
	__u32 n = nl_u32(attr, 0);
	static char label[16];

	if (a->max_word && n == UINT32_MAX)
		return a->max_word;
	if (a->zero_word && !n)
		return a->zero_word;
	switch (a->type) {
	case ATTR_U32:
		return text_number(n);
	case ATTR_U64:
		return text_number(attr_u64(attr));
	case ATTR_BOOL:
		return attr_bool(attr) ? "yes" : "no";
	case ATTR_STRING:
		return attr_string(attr);
	case ATTR_IFINDEX:
		return text_ifindex(n);
	case ATTR_ENUM:
		return attrs_word(a->names, n);
	case ATTR_FLAGS:
	case ATTR_BITFIELD:
		return text_flags(a->names, n);
	case ATTR_TICKS:
		return attrs_time(n, hz, a->scale);
	case ATTR_FAMILY:
		return attr_family(attr, false);
	case ATTR_ADDRESS:
		return attr_address(attr);
	case ATTR_PORT:
		return text_number(attr_port(attr));
	case ATTR_LABEL:
		snprintf(label, sizeof(label), "0x%05x", ntohl(n));
		return label;
	case ATTR_NONE:
	case ATTR_NEST:
		break;
	}
	return "";
}

static void text_attrs(const struct attr_set *set, const struct nlattr **tb,
		       enum attr_show show, __u32 hz, int *column)
{
	const struct nlattr *inner[ATTRS_MAX];
	unsigned int i;

	for (i = 1; i <= set->max; i++) {
		const struct attr *a = &set->attrs[i];

		if (!tb[i] || a->show != show || a->type == ATTR_NONE ||
		    !a->name)
			continue;
		if (a->type != ATTR_NEST) {
			text_pair(column, a->extra ? a->extra : a->name,
				  text_value(a, tb[i], hz));
			continue;
		}
		nl_parse_nest(tb[i], inner, a->nest->max);
		if (set == &attrs_conn)
			*column = printf("\n%*s%s", LINE_INDENT, "",
					 a->name) - 1;
		else
			text_nest(column, a->name);
		text_attrs(a->nest, inner, SHOW_ALWAYS, hz, column);
	}
}

/* Continue the line at hand. */
void attrs_text(const struct attr_set *set, const struct nlattr **tb,
		enum attr_show show, __u32 hz)
{
	int column = 0;

	text_attrs(set, tb, show, hz, &column);
}

/* On lines of their own. */
void attrs_text_line(const struct attr_set *set, const struct nlattr **tb,
		     enum attr_show show, __u32 hz)
{
	int column;

	column = printf("\n%*s", LINE_INDENT - 1, "") - 1;
	text_attrs(set, tb, show, hz, &column);
}
