// SPDX-License-Identifier: GPL-2.0
/*
 * What must become of a request, by the specification; see fuzz_msg.h. It is
 * found out from the bytes alone, so that it does not matter how they came
 * about.
 */
#include <arpa/inet.h>
#include <string.h>

#include "fuzz_msg.h"

#define ADMIN_FLAGS	(GENL_ADMIN_PERM | GENL_UNS_ADMIN_PERM)
#define TRIGGERS	(CHIMNEY_CACHED_FLAG_KEEP_ALIVE_RESTART | \
			 CHIMNEY_CACHED_FLAG_MAX_RT_RESTART | \
			 CHIMNEY_CACHED_FLAG_UPDATE_RCV_WND)

static const struct fuzz_rule *find_rule(const struct fuzz_rules *rules,
					 int type)
{
	int i;

	for (i = 0; i < rules->n; i++)
		if (rules->rule[i].type == type)
			return &rules->rule[i];
	return NULL;
}

/* Walks over attributes as the kernel does. */
static const struct nlattr *next_attr(const __u8 **p, int *len)
{
	const struct nlattr *attr = (const void *)*p;
	int step;

	if (*len < NLA_HDRLEN || attr->nla_len < NLA_HDRLEN ||
	    attr->nla_len > *len)
		return NULL;
	step = NLA_ALIGN(attr->nla_len);
	*p += step;
	*len -= step;
	return attr;
}

static const __u8 *data_of(const struct nlattr *attr)
{
	return (const __u8 *)attr + NLA_HDRLEN;
}

static int len_of(const struct nlattr *attr)
{
	return attr->nla_len - NLA_HDRLEN;
}

static __u32 u32_of(const struct nlattr *attr)
{
	return *(const __u32 *)data_of(attr);
}

static bool fits(const struct fuzz_rules *rules, const __u8 *p, int len,
		 const struct nlattr **tb);

static bool value_fits(const struct fuzz_rule *rule, const struct nlattr *attr)
{
	const struct nla_bitfield32 *bits = (const void *)data_of(attr);
	bool nest = rule->kind == KIND_NEST;
	int len = len_of(attr);
	__u64 value;

	if (nest != !!(attr->nla_type & NLA_F_NESTED))
		return false;
	if (nest)
		return !len || fits(rule->sub, data_of(attr), len, NULL);
	if (rule->kind == KIND_BINARY)
		return len >= rule->min && len <= rule->max;
	if (len != fuzz_size(rule->kind))
		return false;
	if (rule->kind == KIND_BITFIELD32)
		return !(bits->selector & ~rule->max) &&
		       !(bits->value & ~bits->selector);
	value = len == 2 ? ntohs(*(const __be16 *)data_of(attr)) : u32_of(attr);
	if (rule->kind == KIND_BE32)
		value = ntohl(value);
	return value >= rule->min && value <= rule->max;
}

/* Does the policy take that? In @tb the last of each type. */
static bool fits(const struct fuzz_rules *rules, const __u8 *p, int len,
		 const struct nlattr **tb)
{
	const struct fuzz_rule *rule;
	const struct nlattr *attr;

	if (tb)
		memset(tb, 0, FUZZ_RULES * sizeof(*tb));
	while ((attr = next_attr(&p, &len))) {
		rule = find_rule(rules, attr->nla_type & NLA_TYPE_MASK);
		if (!rule || !value_fits(rule, attr))
			return false;
		if (tb)
			tb[rule->type] = attr;
	}
	return len <= 0;
}

static bool dev_may(const struct fuzz_op *op, const struct nlattr **tb,
		    __u32 ifindex)
{
	const struct nlattr *hz = tb[CHIMNEY_A_DEV_HZ];
	bool any = false;
	int i;

	if (!tb[CHIMNEY_A_DEV_IFINDEX] ||
	    u32_of(tb[CHIMNEY_A_DEV_IFINDEX]) != ifindex)
		return false;
	if (op->cmd != CHIMNEY_CMD_DEV_SET)
		return true;
	for (i = CHIMNEY_A_DEV_HZ; i < FUZZ_RULES; i++)
		any |= !!tb[i];
	return any && (!hz || u32_of(hz) == 10 || u32_of(hz) == 100 ||
		       u32_of(hz) == 1000);
}

static bool tuple_may(const struct fuzz_rules *rules,
		      const struct nlattr *nest)
{
	const struct nlattr *tb[FUZZ_RULES];
	int i, len;

	fits(rules, data_of(nest), len_of(nest), tb);
	for (i = 0; i < rules->n; i++)
		if (!tb[rules->rule[i].type])
			return false;
	switch (u32_of(tb[CHIMNEY_A_CONST_FAMILY])) {
	case AF_INET:
		len = 4;
		break;
	case AF_INET6:
		len = 16;
		break;
	default:
		return false;
	}
	return len_of(tb[CHIMNEY_A_CONST_LOCAL_ADDRESS]) == len &&
	       len_of(tb[CHIMNEY_A_CONST_REMOTE_ADDRESS]) == len;
}

static bool cached_may(const struct fuzz_rules *rules,
		       const struct nlattr *nest)
{
	const struct nla_bitfield32 *flags;
	const struct nlattr *tb[FUZZ_RULES];
	bool any = false;
	int i;

	fits(rules, data_of(nest), len_of(nest), tb);
	for (i = CHIMNEY_A_CACHED_FLAGS + 1; i < FUZZ_RULES; i++)
		any |= !!tb[i];
	if (any || !tb[CHIMNEY_A_CACHED_FLAGS])
		return any;
	flags = (const void *)data_of(tb[CHIMNEY_A_CACHED_FLAGS]);
	return flags->selector & ~TRIGGERS || flags->value & TRIGGERS;
}

static bool conn_may(const struct fuzz_op *op, const struct nlattr **tb)
{
	const struct nlattr *nest = tb[CHIMNEY_A_CONN_CONST];
	const struct nlattr *cached = tb[CHIMNEY_A_CONN_CACHED];

	if (!(tb[CHIMNEY_A_CONN_ID] || tb[CHIMNEY_A_CONN_FD]) == !nest)
		return false;
	if (nest && !tuple_may(find_rule(&op->top, CHIMNEY_A_CONN_CONST)->sub,
			       nest))
		return false;
	if (!cached)
		return op->cmd != CHIMNEY_CMD_CONN_UPDATE;
	return cached_may(find_rule(&op->top, CHIMNEY_A_CONN_CACHED)->sub,
			  cached);
}

static bool is_dump(const struct fuzz_msg *m)
{
	return (m->nlh.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
}

static bool is_whole(const struct fuzz_msg *m)
{
	return m->len >= sizeof(m->nlh) && m->nlh.nlmsg_len <= m->len &&
	       m->nlh.nlmsg_len >= sizeof(m->nlh);
}

/* Is there an answer whatever becomes of the message? */
bool fuzz_must_answer(const struct fuzz_msg *m)
{
	return is_whole(m) && (m->nlh.nlmsg_flags & NLM_F_ACK ||
			       (is_dump(m) &&
				m->nlh.nlmsg_flags & NLM_F_REQUEST &&
				m->nlh.nlmsg_type >= NLMSG_MIN_TYPE));
}

/**
 * fuzz_judge - what must become of a message
 * @m: the message
 * @admin: the sender is an administrator
 * @ifindex: the only device there is
 */
enum fuzz_verdict fuzz_judge(const struct fuzz_msg *m, bool admin,
			     __u32 ifindex)
{
	const struct genlmsghdr *genl = fuzz_genl((struct fuzz_msg *)m);
	const struct nlattr *tb[FUZZ_RULES];
	const struct fuzz_op *op;
	__u16 flags = m->nlh.nlmsg_flags;
	int len = m->nlh.nlmsg_len - FUZZ_BODY;

	if (!is_whole(m) || !(flags & NLM_F_REQUEST) ||
	    m->nlh.nlmsg_type < NLMSG_MIN_TYPE)
		return FUZZ_IGNORE;
	if (is_dump(m))
		flags &= ~NLM_F_DUMP;
	if (m->nlh.nlmsg_type != fuzz_table.family || len < 0 ||
	    genl->reserved ||
	    flags & ~(NLM_F_REQUEST | NLM_F_ACK | NLM_F_ECHO))
		return FUZZ_REFUSE;
	op = fuzz_find_op(genl->cmd);
	if (!op)
		return FUZZ_REFUSE;
	/* Kernels do not agree on whether to look for the right first. */
	if (is_dump(m) && !(op->flags & GENL_CMD_CAP_DUMP))
		return FUZZ_REFUSE;
	if (!admin && op->flags & ADMIN_FLAGS)
		return FUZZ_FORBID;
	if (is_dump(m))
		return len ? FUZZ_REFUSE_WHY : FUZZ_MAY;
	if (!fits(&op->top, m->buf + FUZZ_BODY, len, tb))
		return FUZZ_REFUSE_WHY;
	if (fuzz_is_dev(op) ? !dev_may(op, tb, ifindex) : !conn_may(op, tb))
		return FUZZ_REFUSE_WHY;
	return FUZZ_MAY;
}

/* ---- what may be asked of connections that have to live ----------------- */

/* Bits that a time or count must have, lest a peer that is slow to answer, on
 * a slow machine, be given up rightly
 */
static __u32 floor_of(bool dev, int type)
{
	if (dev)
		return type == CHIMNEY_A_DEV_MAX_RETRANSMISSIONS ? 0xf :
		       type == CHIMNEY_A_DEV_MAX_CONNS ? 0x40 : 0;
	switch (type) {
	case CHIMNEY_A_CACHED_INITIAL_RCV_WND:
		return 0x1000;
	case CHIMNEY_A_CACHED_KA_PROBE_COUNT:
		return 0x10;
	case CHIMNEY_A_CACHED_KA_TIMEOUT:
		return 0x10;
	case CHIMNEY_A_CACHED_KA_INTERVAL:
		return 0x400;
	case CHIMNEY_A_CACHED_MAX_RT:
		return 0x8000;
	default:
		return 0;
	}
}

static void tame(const struct fuzz_rules *rules, const __u8 *p, int len,
		 bool dev)
{
	const struct fuzz_rule *rule;
	const struct nlattr *attr;
	__u32 *value;

	while ((attr = next_attr(&p, &len))) {
		rule = find_rule(rules, attr->nla_type & NLA_TYPE_MASK);
		if (!rule || rule->kind != KIND_U32 || len_of(attr) != 4)
			continue;
		value = (__u32 *)data_of(attr);
		if (*value && *value < floor_of(dev, rule->type))
			*value |= floor_of(dev, rule->type);
	}
}

/**
 * fuzz_tame - take out of a message what would kill a connection rightly
 * @m: the message
 */
void fuzz_tame(struct fuzz_msg *m)
{
	const struct fuzz_rule *cached;
	const struct nlattr *attr;
	const struct fuzz_op *op;
	const __u8 *p = m->buf + FUZZ_BODY;
	int len = (int)m->len - (int)FUZZ_BODY;

	if (len < 0)
		return;
	op = fuzz_find_op(fuzz_genl(m)->cmd);
	if (!op)
		return;
	if (fuzz_is_dev(op)) {
		tame(&op->top, p, len, true);
		return;
	}
	cached = find_rule(&op->top, CHIMNEY_A_CONN_CACHED);
	while (cached && (attr = next_attr(&p, &len)))
		if ((attr->nla_type & NLA_TYPE_MASK) == cached->type)
			tame(cached->sub, data_of(attr), len_of(attr), false);
}
