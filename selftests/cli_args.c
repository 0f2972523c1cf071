// SPDX-License-Identifier: GPL-2.0
/*
 * The chimney command without a device: a table of command lines, each with
 * the exit code, the request that is sent, and words of the output.
 *
 * The command's own sources run, main() included, in a process for each line;
 * only the calls that would reach the kernel are answered here.
 */
#include <sys/mman.h>
#include <sys/wait.h>

#define main chimney_main
#include "../tools/chimney/main.c"
#undef main
#include "../tools/chimney/args.c"
#include "../tools/chimney/attrs.c"
#include "../tools/chimney/conn.c"
#include "../tools/chimney/dev.c"
#include "../tools/chimney/json.c"
#include "../tools/chimney/monitor.c"
#include "../tools/chimney/nl.c"
#include "../tools/chimney/target.c"

#include "kselftest.h"

#define FAKE_FAMILY	0x20
#define FAKE_FD		77

#define C(...)	"conn-" __VA_ARGS__
#define CONST(family, local, remote, lport, rport)			\
	"const{family=" family " local-address=" local			\
	" remote-address=" remote " local-port=" lport			\
	" remote-port=" rport "}"
#define TUPLE	CONST("2", "192.0.2.1", "192.0.2.2", "40000", "80")
#define CACHED(...)	" cached{" __VA_ARGS__ "}"
#define UPDATE(...)	C("update id=1" CACHED(__VA_ARGS__))
#define SEL	"src 192.0.2.1:40000 dst 192.0.2.2:80"

static const struct line {
	int exit;
	const char *args;
	const char *request;	/* the last one, if it matters */
	const char *says;	/* part of the output, or of the errors */
} lines[] = {
	/* options and objects */
	{ 2, "", NULL, "Usage: chimney" },
	{ 0, "help", NULL, "OBJECT := { dev | conn | monitor | help }" },
	{ 0, "-h", NULL, "Usage: chimney" },
	{ 0, "--help", NULL, "Usage: chimney" },
	{ 0, "-V", NULL, "chimney " },
	{ 2, "help me", NULL, "unknown word" },
	{ 2, "-z", NULL, "unknown option \"-z\"" },
	{ 2, "--nonsense", NULL, "unknown option" },
	{ 2, "-n", NULL, "lacks its value" },
	{ 2, "-n a/b dev", NULL, "not the name of a network namespace" },
	{ 2, "-n .. dev", NULL, "not the name of a network namespace" },
	{ 1, "-n no-such-name dev", NULL, "No such file" },
	{ 2, "de", NULL, "unknown object" },
	{ 2, "devs", NULL, "unknown object" },
	{ 2, "dev -j", NULL, "unknown command" },
	{ 0, "dev help", NULL, "upload-all DEV" },
	{ 0, "conn help", NULL, "CACHED :=" },
	{ 0, "monitor help", NULL, "chimney monitor" },
	{ 2, "conn help more", NULL, "unknown word" },
	{ 2, "monitor all", NULL, "unknown word" },

	/* devices */
	{ 0, "dev", "dev-get", "lo: hz 1000 max-conns 10 conns 2 paused no\n" },
	{ 0, "dev show", "dev-get", NULL },
	{ 0, "dev show lo", "dev-get ifindex=1", NULL },
	{ 0, "-d dev show lo", NULL, "\n    delayed-ack 40ms" },
	{ 0, "-s dev show lo", NULL, "\n    offloads 5000000000" },
	{ 0, "-j dev show lo", NULL, "[{\"ifindex\":1,\"ifname\":\"lo\"" },
	{ 0, "-j dev", NULL, "\"paused\":false" },
	{ 0, "-jp dev", NULL, "[\n    {\n        \"ifindex\": 1" },
	{ 1, "dev show no-such-dev", NULL, "there is no device" },
	{ 2, "dev show lo lo", NULL, "unknown word" },
	{ 2, "dev sho", NULL, "unknown command" },
	{ 2, "dev lo", NULL, "unknown command" },
	{ 2, "dev set", NULL, "DEV is missing" },
	{ 2, "dev set lo", NULL, "nothing to set" },
	{ 0, "dev set lo hz 100", "dev-set ifindex=1 hz=100", NULL },
	{ 0, "dev set lo hz 100 delayed-ack 40ms",
	  "dev-set ifindex=1 hz=100 delayed-ack=4", NULL },
	{ 0, "dev set lo fin-wait2 60s delayed-ack 0.5s",
	  "dev-set ifindex=1 delayed-ack=500 fin-wait2=60000", NULL },
	{ 0, "dev set lo max-conns 0x10 ack-frequency 010",
	  "dev-set ifindex=1 max-conns=16 ack-frequency=10", NULL },
	{ 0, "dev set lo max-retransmissions 15 dupack-threshold 3",
	  "dev-set ifindex=1 max-retransmissions=15 dupack-threshold=3",
	  NULL },
	{ 2, "dev set lo hz", NULL, "hz is missing" },
	{ 2, "dev set lo hz 100 hz 10", NULL, "given twice" },
	{ 2, "dev set lo hz fast", NULL, "not a number" },
	{ 2, "dev set lo hz -1", NULL, "not a number" },
	{ 2, "dev set lo hz 0 fin-wait2 1s", NULL, "hz must not be 0" },
	{ 2, "dev set lo hz 4294967296", NULL, "not a number" },
	{ 2, "dev set lo delayed-ack 40", NULL, "needs a unit" },
	{ 2, "dev set lo colour red", NULL, "unknown word" },
	{ 1, "dev set no-such-dev hz 10", NULL, "there is no device" },
	{ 0, "dev pause lo", "dev-pause ifindex=1", NULL },
	{ 0, "dev resume lo", "dev-resume ifindex=1", NULL },
	{ 0, "dev upload-all lo", "dev-upload-all ifindex=1", NULL },
	{ 2, "dev pause", NULL, "DEV is missing" },
	{ 2, "dev resume lo lo", NULL, "unknown word" },
	{ 2, "dev upload lo", NULL, "unknown command" },

	/* connections: show */
	{ 0, "conn", C("get"),
	  "1: nic lo 192.0.2.1:40000 -> 192.0.2.2:80 established keepalive" },
	{ 0, "conn show", NULL,
	  " keepalive in 3.2s (probes 2/9) retransmit in 200ms (count 1)\n" },
	{ 0, "conn show", NULL,
	  "3: host lo [2001:db8::1]:40000 -> [2001:db8::2]:443 77 (99) keep" },
	{ 0, "conn show", NULL, ":443 77 (99) keepalive off\n" },
	{ 0, "conn show 1", C("get id=1"), "1: nic" },
	{ 0, "-d conn show 1", NULL, "\n    cached flags keep-alive,nagling" },
	{ 0, "-d conn show 1", NULL, " ka-timeout 7200s" },
	{ 0, "-d conn show 1", NULL, " max-rt unlimited" },
	{ 0, "-d conn show 3", NULL, "timeout-delta idle" },
	{ 0, "-d conn show 3", NULL, "\n    cached flags nagling,0x100" },
	{ 0, "-d conn show 3", NULL, " flow-label 0x12345" },
	{ 0, "-s conn show 1", NULL, "\n    stats segs-in 6000000000" },
	{ 0, "-j conn", NULL,
	  "\"keepalive\":{\"probe_count\":2,\"timeout_delta\":3200}" },
	{ 0, "-j conn", NULL,
	  "\"retransmit\":{\"count\":1,\"timeout_delta\":200}" },
	{ 0, "-j conn", NULL, "\"timeout_delta\":-1" },
	{ 0, "-j conn", NULL, "\"max_rt\":-1" },
	{ 0, "-j conn", NULL, "\"state\":77" },
	{ 0, "-j conn", NULL, "\"flags\":[\"nagling\",256]" },
	{ 0, "-j conn", NULL, "\"flow_label\":74565" },
	{ 0, "-j conn", NULL, "\"local_address\":\"2001:db8::1\"" },
	{ 0, "-j conn show dst 192.0.2.99", NULL, "[]\n" },
	{ 0, "-jp conn show dst 192.0.2.99", NULL, "[]\n" },
	{ 0, "conn show dst 192.0.2.2", NULL, "\n2: nic" },
	{ 0, "conn show dst 192.0.2.2:80 src 192.0.2.1", NULL, "2: nic" },
	{ 0, "conn show src [2001:db8::1]", NULL, "3: host" },
	{ 0, "conn show pid 1 fd 3", C("get"), "1: nic" },
	{ 2, "conn show all", NULL, "ID, src, dst or pid is missing" },
	{ 2, "conn show 1 2", NULL, "unknown word" },
	{ 1, "conn show 99", C("get id=99"),
	  "chimney: no such connection (attribute id)\n" },

	/* connections: which one */
	{ 2, "conn offload", NULL, "src, dst or pid is missing" },
	{ 2, "conn offload 1", NULL, "src, dst or pid is missing" },
	{ 0, "conn offload " SEL, C("offload " TUPLE),
	  "\n    delegated state established" },
	{ 0, "-j conn offload " SEL, NULL, "[{\"id\":1," },
	{ 0, "conn offload src ::ffff:192.0.2.1 dst 192.0.2.2:80",
	  C("offload "
	    CONST("2", "192.0.2.1", "192.0.2.2", "50001", "80")), NULL },
	{ 0, "conn offload dst 2001:db8::9",
	  C("offload "
	    CONST("10", "2001:db8::1", "2001:db8::9", "50002", "22")), NULL },
	{ 1, "conn offload dst 192.0.2.7:22", NULL,
	  "more than one established connection fits:\n"
	  "  192.0.2.1:50003 -> 192.0.2.7:22\n"
	  "  192.0.2.1:50004 -> 192.0.2.7:22\n" },
	{ 1, "conn offload dst 192.0.2.99", NULL, "no established" },
	{ 0, "conn offload pid 1 fd 3", C("offload fd=77"), NULL },
	{ 2, "conn offload pid 1", NULL, "\"fd FD\" is missing" },
	{ 2, "conn offload pid 1 fd", NULL, "FD is missing" },
	{ 2, "conn offload pid x fd 3", NULL, "not a number" },
	{ 2, "conn offload src", NULL, "ADDR is missing" },
	{ 2, "conn offload src 192.0.2", NULL, "is not like" },
	{ 2, "conn offload src 192.0.2.1:", NULL, "not a number" },
	{ 2, "conn offload src 192.0.2.1:0", NULL, "not a port" },
	{ 2, "conn offload src 192.0.2.1:65536", NULL, "not a port" },
	{ 2, "conn offload src [2001:db8::1", NULL, "is not like" },
	{ 2, "conn offload src [2001:db8::1]80", NULL, "is not like" },
	{ 2, "conn offload src [2001:db8::1]:x", NULL, "not a number" },
	{ 2, "conn offload src [192.0.2.1]:80", NULL, "is not like" },
	{ 2, "conn offload src :80", NULL, "is not like" },
	{ 2, "conn offload src 192.0.2.1 src 192.0.2.1", NULL, "twice" },
	{ 2, "conn offload src 192.0.2.1 dst ::1", NULL, "families" },
	{ 2, "conn offload source 192.0.2.1", NULL, "missing" },

	/* connections: cached state */
	{ 0, "conn offload " SEL " keepalive on idle 75s",
	  C("offload " TUPLE) CACHED("flags=1/1 ka-timeout=75000"), NULL },
	{ 0, "conn offload " SEL " interval 500ms probes 9",
	  C("offload " TUPLE) CACHED("ka-probe-count=9 ka-interval=500"),
	  NULL },
	{ 0, "conn offload " SEL " idle 2h dev lo",
	  C("offload " TUPLE) CACHED("ka-timeout=7200000"), NULL },
	/* A device of another hz took it: times are mended. */
	{ 0, "conn offload dst 2001:db8::9 idle 75s",
	  C("update id=3") CACHED("ka-timeout=7500"), "3: host" },
	{ 2, "conn offload " SEL " dev lo dev lo", NULL, "given twice" },
	{ 1, "conn offload " SEL " idle 2h dev no-such-dev", NULL,
	  "there is no device" },
	{ 0, "conn update 1 nagle off rcv-wnd 65536",
	  UPDATE("flags=16/18 initial-rcv-wnd=65536"), NULL },
	{ 0, "conn update 1 ttl 64 tos 0x10 priority 7",
	  UPDATE("ttl-or-hop-limit=64 tos-or-traffic-class=16 user-priority=7"),
	  NULL },
	{ 0, "conn update 1 indication 1000 flowlabel 0x12345",
	  UPDATE("rcv-indication-size=1000 flow-label=0x12345"), NULL },
	{ 0, "conn offload " SEL " rcv-wnd 65536",
	  C("offload " TUPLE) CACHED("initial-rcv-wnd=65536"), NULL },
	{ 0, "conn update 1 keepalive off", UPDATE("flags=0/1"), NULL },
	{ 0, "conn update 1 keepalive-restart max-rt-restart",
	  UPDATE("flags=12/12"), NULL },
	{ 0, "conn update 1 max-rt unlimited", UPDATE("max-rt=4294967295"),
	  NULL },
	{ 0, "conn update 1 max-rt default", UPDATE("max-rt=0"), NULL },
	{ 0, "conn update 1 max-rt 2m", UPDATE("max-rt=120000"), NULL },
	{ 2, "conn update 1 max-rt 0s", NULL, "would mean \"default\"" },
	{ 2, "conn update 1 max-rt never", NULL, "not a time" },
	{ 0, "conn update 3 idle 75s",
	  C("update id=3") CACHED("ka-timeout=7500"), NULL },
	{ 0, "conn update dst 2001:db8::2 idle 5ms",
	  C("update id=3") CACHED("ka-timeout=1"), NULL },
	{ 0, "conn update 3 idle 10.001s",
	  C("update id=3") CACHED("ka-timeout=1001"), NULL },
	{ 0, "conn update " SEL " probes 3",
	  C("update " TUPLE) CACHED("ka-probe-count=3"), NULL },
	{ 0, "conn update pid 1 fd 3 probes 3",
	  C("update " TUPLE) CACHED("ka-probe-count=3"), NULL },
	{ 0, "conn update 1 idle 4294967294ms",
	  UPDATE("ka-timeout=4294967294"), NULL },
	{ 2, "conn update 1 idle 4294967295ms", NULL, "too long" },
	{ 2, "conn update 1 idle 99999999999999999999h", NULL, "too long" },
	{ 2, "conn update 1 idle 75", NULL, "needs a unit: ms, s, m or h" },
	{ 2, "conn update 1 idle 75S", NULL, "not a time" },
	{ 2, "conn update 1 idle -75s", NULL, "not a time" },
	{ 2, "conn update 1 idle 7.s", NULL, "not a time" },
	{ 2, "conn update 1 idle s", NULL, "not a time" },
	{ 2, "conn update 1 idle", NULL, "idle is missing" },
	{ 2, "conn update 1 idle 1s idle 2s", NULL, "given twice" },
	{ 2, "conn update 1 keepalive on keepalive off", NULL, "twice" },
	{ 2, "conn update 1 keepalive maybe", NULL, "neither on nor off" },
	{ 2, "conn update 1 nagle", NULL, "nagle is missing" },
	{ 2, "conn update 1 dev lo", NULL, "unknown word" },
	{ 2, "conn update 1 colour red", NULL, "unknown word" },
	{ 2, "conn update", NULL, "ID, src, dst or pid is missing" },
	{ 0, "conn update 1", C("update id=1 cached{}"), NULL },
	{ 1, "conn update dst 192.0.2.2 probes 1", NULL,
	  "more than one connection of the device fits:\n"
	  "  1: 192.0.2.1:40000 -> 192.0.2.2:80\n"
	  "  2: 192.0.2.1:40001 -> 192.0.2.2:80\n" },
	{ 0, "conn terminate 2", C("terminate id=2"),
	  "2: nic lo 192.0.2.1:40001" },
	{ 0, "conn terminate src 192.0.2.1:40001", C("terminate id=2"), NULL },
	{ 0, "conn terminate " SEL, C("terminate " TUPLE), NULL },
	{ 1, "conn terminate dst 192.0.2.99", NULL, "no connection of" },
	{ 1, "conn terminate 99", NULL, "no such connection (attribute id)" },
	{ 2, "conn terminate 1 idle 1s", NULL, "unknown word" },
	{ 2, "conn terminate", NULL, "missing" },
	{ 2, "conn drop 1", NULL, "unknown command" },
};

/* Without the module. */
static const struct line absent_lines[] = {
	{ 1, "-j dev", NULL, "chimney: the module chimney is not loaded\n" },
	{ 1, "-j monitor", NULL, "the module chimney is not loaded\n" },
	{ 2, "dev shows", NULL, "unknown command" },
};

/* What stands in for the kernel. */

struct fake_conn {
	__u32 id;
	__u32 hz;
	__u32 place;
	const char *local;
	const char *remote;
	__u16 lport;
	__u16 rport;
};

static const struct fake_conn fake_conns[] = {
	{ 1, 1000, CHIMNEY_PLACE_NIC, "192.0.2.1", "192.0.2.2", 40000, 80 },
	{ 2, 1000, CHIMNEY_PLACE_NIC, "192.0.2.1", "192.0.2.2", 40001, 80 },
	{ 3, 100, CHIMNEY_PLACE_HOST, "2001:db8::1", "2001:db8::2", 40000,
	  443 },
};

static const struct fake_conn fake_socks[] = {
	{ .local = "192.0.2.1", .remote = "192.0.2.9", 50000, 22 },
	{ .local = "::ffff:192.0.2.1", .remote = "::ffff:192.0.2.2", 50001,
	  80 },
	{ .local = "2001:db8::1", .remote = "2001:db8::9", 50002, 22 },
	{ .local = "192.0.2.1", .remote = "192.0.2.7", 50003, 22 },
	{ .local = "192.0.2.1", .remote = "192.0.2.7", 50004, 22 },
};

static union {
	struct nlmsghdr nlh;
	char buf[NL_BUFFER];
} fake_request;

static FILE *fake_log;
static bool fake_interrupted;
static bool fake_absent;

static int fake_address(const char *s, void *addr)
{
	int family = strchr(s, ':') ? AF_INET6 : AF_INET;

	inet_pton(family, s, addr);
	return family;
}

static void log_attrs(const struct attr_set *set, const struct nlattr **tb,
		      bool first)
{
	const struct nlattr *inner[ATTRS_MAX];
	unsigned int i;

	for (i = 1; i <= set->max; i++) {
		const __u32 *data;

		if (!tb[i])
			continue;
		data = nl_data(tb[i]);
		fprintf(fake_log, "%s%s", first ? "" : " ", set->attrs[i].name);
		first = false;
		switch (set->attrs[i].type) {
		case ATTR_NEST:
			nl_parse_nest(tb[i], inner, set->attrs[i].nest->max);
			fputs("{", fake_log);
			log_attrs(set->attrs[i].nest, inner, true);
			fputs("}", fake_log);
			break;
		case ATTR_ADDRESS:
			fprintf(fake_log, "=%s", attr_address(tb[i]));
			break;
		case ATTR_PORT:
			fprintf(fake_log, "=%u", attr_port(tb[i]));
			break;
		case ATTR_LABEL:
			fprintf(fake_log, "=0x%x", ntohl(*data));
			break;
		case ATTR_BITFIELD:
			fprintf(fake_log, "=%u/%u", data[0], data[1]);
			break;
		default:
			fprintf(fake_log, "=%u", *data);
		}
	}
}

static void log_request(const struct nlmsghdr *nlh)
{
	static const char *const names[] = {
		[CHIMNEY_CMD_DEV_GET] = "dev-get",
		[CHIMNEY_CMD_DEV_SET] = "dev-set",
		[CHIMNEY_CMD_DEV_PAUSE] = "dev-pause",
		[CHIMNEY_CMD_DEV_RESUME] = "dev-resume",
		[CHIMNEY_CMD_DEV_UPLOAD_ALL] = "dev-upload-all",
		[CHIMNEY_CMD_CONN_GET] = "conn-get",
		[CHIMNEY_CMD_CONN_OFFLOAD] = "conn-offload",
		[CHIMNEY_CMD_CONN_UPDATE] = "conn-update",
		[CHIMNEY_CMD_CONN_TERMINATE] = "conn-terminate",
	};
	const struct attr_set *set = attrs_of(nlh);
	const struct nlattr *tb[ATTRS_MAX];

	rewind(fake_log);
	if (ftruncate(fileno(fake_log), 0))
		exit(99);
	fputs(names[nl_cmd(nlh)], fake_log);
	nl_parse(nlh, tb, set->max);
	log_attrs(set, tb, false);
	fflush(fake_log);
}

static void put_u64(struct nlmsghdr *nlh, __u16 type, __u64 value)
{
	mnl_attr_put_u64(nlh, type, value);
}

static void put_timer(struct nlmsghdr *nlh, __u16 type, __u32 count,
		      __u32 delta)
{
	struct nlattr *nest = nl_nest(nlh, type);

	/* Both kinds have the same numbers. */
	nl_put_u32(nlh, CHIMNEY_A_KEEP_ALIVE_PROBE_COUNT, count);
	nl_put_u32(nlh, CHIMNEY_A_KEEP_ALIVE_TIMEOUT_DELTA, delta);
	nl_nest_end(nlh, nest);
}

static void put_dev(struct nlmsghdr *nlh)
{
	nl_put_u32(nlh, CHIMNEY_A_DEV_IFINDEX, 1);
	nl_put(nlh, CHIMNEY_A_DEV_IFNAME, "lo", 3);
	nl_put_u32(nlh, CHIMNEY_A_DEV_HZ, 1000);
	nl_put_u32(nlh, CHIMNEY_A_DEV_MAX_CONNS, 10);
	nl_put_u32(nlh, CHIMNEY_A_DEV_CONNS, 2);
	nl_put_u32(nlh, CHIMNEY_A_DEV_PAUSED, 0);
	nl_put_u32(nlh, CHIMNEY_A_DEV_DELAYED_ACK, 40);
	put_u64(nlh, CHIMNEY_A_DEV_OFFLOADS, 5000000000ULL);
	/* An attribute of the future. */
	nl_put_u32(nlh, 99, 1);
}

static void put_conn(struct nlmsghdr *nlh, const struct fake_conn *conn)
{
	bool odd = conn->place == CHIMNEY_PLACE_HOST;
	struct nlattr *nest;
	int family, len;
	char addr[16];
	__u16 port;

	nl_put_u32(nlh, CHIMNEY_A_CONN_ID, conn->id);
	nl_put_u32(nlh, CHIMNEY_A_CONN_IFINDEX, 1);
	nl_put_u32(nlh, CHIMNEY_A_CONN_HZ, conn->hz);
	nl_put_u32(nlh, CHIMNEY_A_CONN_PLACE, conn->place);
	if (odd)
		nl_put_u32(nlh, CHIMNEY_A_CONN_REASON, 99);

	nest = nl_nest(nlh, CHIMNEY_A_CONN_CONST);
	family = fake_address(conn->local, addr);
	len = family == AF_INET ? 4 : 16;
	nl_put_u32(nlh, CHIMNEY_A_CONST_FAMILY, family);
	nl_put(nlh, CHIMNEY_A_CONST_LOCAL_ADDRESS, addr, len);
	fake_address(conn->remote, addr);
	nl_put(nlh, CHIMNEY_A_CONST_REMOTE_ADDRESS, addr, len);
	port = htons(conn->lport);
	nl_put(nlh, CHIMNEY_A_CONST_LOCAL_PORT, &port, 2);
	port = htons(conn->rport);
	nl_put(nlh, CHIMNEY_A_CONST_REMOTE_PORT, &port, 2);
	nl_nest_end(nlh, nest);

	nest = nl_nest(nlh, CHIMNEY_A_CONN_CACHED);
	nl_put_bitfield(nlh, CHIMNEY_A_CACHED_FLAGS, odd ? 0x102 : 3, ~0U);
	nl_put_u32(nlh, CHIMNEY_A_CACHED_KA_PROBE_COUNT, 9);
	nl_put_u32(nlh, CHIMNEY_A_CACHED_KA_TIMEOUT, 7200 * conn->hz);
	nl_put_u32(nlh, CHIMNEY_A_CACHED_MAX_RT, CHIMNEY_MAX_RT_UNLIMITED);
	nl_put_u32(nlh, CHIMNEY_A_CACHED_FLOW_LABEL, htonl(0x12345));
	nl_nest_end(nlh, nest);

	nest = nl_nest(nlh, CHIMNEY_A_CONN_DELEGATED);
	nl_put_u32(nlh, CHIMNEY_A_DELEGATED_STATE,
		   odd ? 77 : CHIMNEY_TCP_STATE_ESTABLISHED);
	put_timer(nlh, CHIMNEY_A_DELEGATED_KEEP_ALIVE, odd ? 0 : 2,
		  odd ? CHIMNEY_TIMER_IDLE : 3200);
	put_timer(nlh, CHIMNEY_A_DELEGATED_RETRANSMIT, odd ? 0 : 1,
		  odd ? CHIMNEY_TIMER_IDLE : 200);
	nl_nest_end(nlh, nest);

	nest = nl_nest(nlh, CHIMNEY_A_CONN_STATS);
	put_u64(nlh, CHIMNEY_A_STATS_SEGS_IN, 6000000000ULL);
	nl_nest_end(nlh, nest);
}

/* Start the next message of an answer. */
static struct nlmsghdr *fake_message(char *buf, size_t *len, __u16 type,
				     size_t extra)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf + *len);

	nlh->nlmsg_type = type;
	nlh->nlmsg_seq = fake_request.nlh.nlmsg_seq;
	if (extra)
		mnl_nlmsg_put_extra_header(nlh, extra);
	return nlh;
}

static void fake_end(struct nlmsghdr *nlh, size_t *len)
{
	*len += MNL_ALIGN(nlh->nlmsg_len);
}

static void fake_verdict(char *buf, size_t *len, int err, const char *msg,
			 __u32 offset)
{
	struct nlmsghdr *nlh;
	struct nlmsgerr *e;

	nlh = fake_message(buf, len, NLMSG_ERROR, sizeof(*e));
	nlh->nlmsg_flags = NLM_F_CAPPED;
	e = mnl_nlmsg_get_payload(nlh);
	e->error = -err;
	e->msg = fake_request.nlh;
	if (msg) {
		nlh->nlmsg_flags |= NLM_F_ACK_TLVS;
		mnl_attr_put_strz(nlh, NLMSGERR_ATTR_MSG, msg);
		mnl_attr_put_u32(nlh, NLMSGERR_ATTR_OFFS, offset);
	}
	fake_end(nlh, len);
}

static void fake_done(char *buf, size_t *len)
{
	struct nlmsghdr *nlh = fake_message(buf, len, NLMSG_DONE, sizeof(int));

	fake_end(nlh, len);
}

static void answer_ctrl(char *buf, size_t *len)
{
	struct nlmsghdr *nlh;

	if (fake_absent) {
		fake_verdict(buf, len, ENOENT, NULL, 0);
		return;
	}
	nlh = fake_message(buf, len, GENL_ID_CTRL, sizeof(struct genlmsghdr));
	mnl_attr_put_u16(nlh, CTRL_ATTR_FAMILY_ID, FAKE_FAMILY);
	fake_end(nlh, len);
	fake_verdict(buf, len, 0, NULL, 0);
}

static void answer_diag(char *buf, size_t *len)
{
	struct inet_diag_req_v2 *req;
	struct inet_diag_msg *msg;
	struct nlmsghdr *nlh;
	unsigned int i;
	char addr[16];

	req = mnl_nlmsg_get_payload(&fake_request.nlh);
	for (i = 0; i < ARRAY_SIZE(fake_socks); i++) {
		const struct fake_conn *sock = &fake_socks[i];

		if (fake_address(sock->local, addr) != req->sdiag_family)
			continue;
		nlh = fake_message(buf, len, SOCK_DIAG_BY_FAMILY, sizeof(*msg));
		msg = mnl_nlmsg_get_payload(nlh);
		msg->idiag_family = req->sdiag_family;
		fake_address(sock->local, msg->id.idiag_src);
		fake_address(sock->remote, msg->id.idiag_dst);
		msg->id.idiag_sport = htons(sock->lport);
		msg->id.idiag_dport = htons(sock->rport);
		fake_end(nlh, len);
	}
	fake_done(buf, len);
}

static void answer_conn(char *buf, size_t *len, __u32 id, bool dump)
{
	struct nlmsghdr *nlh;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fake_conns); i++) {
		if (!dump && id && id != fake_conns[i].id)
			continue;
		nlh = fake_message(buf, len, FAKE_FAMILY,
				   sizeof(struct genlmsghdr));
		put_conn(nlh, &fake_conns[i]);
		fake_end(nlh, len);
		if (!dump)
			return;
	}
}

static void answer_chimney(char *buf, size_t *len)
{
	const struct nlmsghdr *req = &fake_request.nlh;
	bool dump = (req->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	const struct nlattr *tb[ATTRS_MAX], *c[ATTRS_MAX];
	struct nlmsghdr *nlh;
	__u32 id;

	log_request(req);
	nl_parse(req, tb, attrs_conn.max);
	if (nl_cmd(req) == CHIMNEY_CMD_DEV_GET) {
		nlh = fake_message(buf, len, FAKE_FAMILY,
				   sizeof(struct genlmsghdr));
		put_dev(nlh);
		/* The first dump is interrupted: it must not be shown. */
		if (dump && !fake_interrupted)
			nlh->nlmsg_flags |= NLM_F_DUMP_INTR;
		fake_interrupted = true;
		fake_end(nlh, len);
	} else if (nl_cmd(req) >= CHIMNEY_CMD_CONN_GET) {
		id = nl_u32(tb[CHIMNEY_A_CONN_ID], 0);
		if (id == 99) {
			fake_verdict(buf, len, ENOENT,
				     "chimney: no such connection",
				     (char *)tb[CHIMNEY_A_CONN_ID] -
				     (char *)req);
			return;
		}
		nl_parse_nest(tb[CHIMNEY_A_CONN_CONST], c, attrs_const.max);
		if (nl_u32(c[CHIMNEY_A_CONST_FAMILY], 0) == AF_INET6)
			id = 3;
		answer_conn(buf, len, id, dump);
	}
	if (dump)
		fake_done(buf, len);
	else
		fake_verdict(buf, len, 0, NULL, 0);
}

/* The calls that would reach the kernel. */

struct mnl_socket *mnl_socket_open2(int bus, int flags)
{
	return (struct mnl_socket *)&fake_request;
}

int mnl_socket_bind(struct mnl_socket *nl, unsigned int groups, pid_t pid)
{
	return 0;
}

int mnl_socket_setsockopt(const struct mnl_socket *nl, int type, void *buf,
			  socklen_t len)
{
	return 0;
}

int mnl_socket_get_fd(const struct mnl_socket *nl)
{
	return -1;
}

int mnl_socket_close(struct mnl_socket *nl)
{
	return 0;
}

ssize_t mnl_socket_sendto(const struct mnl_socket *nl, const void *req,
			  size_t size)
{
	memcpy(&fake_request, req, size);
	return size;
}

ssize_t mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf,
			    size_t size)
{
	size_t len = 0;

	if (!(fake_request.nlh.nlmsg_flags & NLM_F_ACK))
		exit(99);
	switch (fake_request.nlh.nlmsg_type) {
	case GENL_ID_CTRL:
		answer_ctrl(buf, &len);
		break;
	case SOCK_DIAG_BY_FAMILY:
		answer_diag(buf, &len);
		break;
	default:
		answer_chimney(buf, &len);
	}
	return len;
}

int pidfd_open(pid_t pid, unsigned int flags)
{
	return FAKE_FD - 1;
}

int pidfd_getfd(int pidfd, int fd, unsigned int flags)
{
	return FAKE_FD;
}

static int fake_sockaddr(const struct sockaddr *sa, const char *addr,
			 __u16 port)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)sa;

	sin6->sin6_family = AF_INET6;
	sin6->sin6_port = htons(port);
	inet_pton(AF_INET6, addr, &sin6->sin6_addr);
	return 0;
}

int getsockname(int fd, struct sockaddr *__restrict sa,
		socklen_t *__restrict len)
{
	return fake_sockaddr(sa, "::ffff:192.0.2.1", 40000);
}

int getpeername(int fd, struct sockaddr *__restrict sa,
		socklen_t *__restrict len)
{
	return fake_sockaddr(sa, "::ffff:192.0.2.2", 80);
}

/* The table. */

static int run_line(const char *args, int out)
{
	char *words[64] = { "chimney" };
	char *line = strdup(args);
	int status, n = 0;
	char *word;
	pid_t pid;

	pid = fork();
	if (!pid) {
		for (word = strtok(line, " "); word; word = strtok(NULL, " "))
			words[++n] = word;
		dup2(out, STDOUT_FILENO);
		dup2(out, STDERR_FILENO);
		exit(chimney_main(n + 1, words));
	}
	free(line);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static void read_back(int fd, char *buf, size_t size)
{
	ssize_t len = pread(fd, buf, size - 1, 0);

	buf[len > 0 ? len : 0] = '\0';
}

static void show(const char *what, const char *text)
{
	char *copy = strdup(text), *line, *next = copy;

	while ((line = strsep(&next, "\n")))
		if (*line)
			ksft_print_msg("%s: %s\n", what, line);
	free(copy);
}

static void check_line(const struct line *line)
{
	static char output[65536], request[4096];
	int out = memfd_create("output", 0);
	bool ok = true;
	int rc;

	fake_log = fdopen(memfd_create("request", 0), "w+");
	fflush(stdout);
	rc = run_line(line->args, out);
	read_back(out, output, sizeof(output));
	read_back(fileno(fake_log), request, sizeof(request));
	if (rc != line->exit) {
		ksft_print_msg("exit code %d, not %d\n", rc, line->exit);
		ok = false;
	}
	if (line->request && strcmp(line->request, request)) {
		show("wanted request", line->request);
		show("request", request);
		ok = false;
	}
	if (line->says && !strstr(output, line->says)) {
		show("wanted output", line->says);
		ok = false;
	}
	if (!ok)
		show("output", output);
	ksft_test_result(ok, "chimney %s\n", line->args);
	fclose(fake_log);
	close(out);
}

int main(void)
{
	unsigned int i;

	ksft_print_header();
	ksft_set_plan(ARRAY_SIZE(lines) + ARRAY_SIZE(absent_lines));
	for (i = 0; i < ARRAY_SIZE(lines); i++)
		check_line(&lines[i]);
	fake_absent = true;
	for (i = 0; i < ARRAY_SIZE(absent_lines); i++)
		check_line(&absent_lines[i]);
	ksft_finished();
}
