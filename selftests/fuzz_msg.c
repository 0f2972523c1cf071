// SPDX-License-Identifier: GPL-2.0
/*
 * Requests of the control interface, right and wrong; see fuzz_msg.h.
 *
 * A message is made from the table of what the kernel takes, then one thing in
 * it is broken.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_msg.h"

#define NODES		96
#define NODE_ROOM	256
#define DEEP		60	/* levels; the kernel follows ten */

/**
 * struct node - an attribute of a message; what it contains follows it
 * @rule: what it should be, NULL if it is nothing known
 * @parent: type of the nest around it, 0 if there is none
 * @depth: number of nests around it
 * @type: with flags
 * @len: bytes of @data
 * @says: length to claim, -1 for the true one
 * @data: its value, unless it is a nest
 */
struct node {
	const struct fuzz_rule *rule;
	int parent;
	int depth;
	__u16 type;
	int len;
	int says;
	__u8 data[NODE_ROOM];
};

struct tree {
	int n;
	struct node node[NODES];
};

const char * const fuzz_names[FUZZ_HOWS] = {
	[FUZZ_VALID] = "valid",
	[FUZZ_MISSING] = "missing",
	[FUZZ_DOUBLED] = "doubled",
	[FUZZ_LENGTH] = "length",
	[FUZZ_RANGE] = "range",
	[FUZZ_TYPE] = "type",
	[FUZZ_NESTING] = "nesting",
	[FUZZ_TRUNCATED] = "truncated",
	[FUZZ_HEADER] = "header",
	[FUZZ_RANDOM] = "random",
};

struct fuzz_table fuzz_table;

/* ---- chance ------------------------------------------------------------- */

/* splitmix64: any two seeds give different numbers. */
__u64 fuzz_random(struct fuzz_rng *r)
{
	__u64 z = r->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

unsigned int fuzz_below(struct fuzz_rng *r, unsigned int n)
{
	return fuzz_random(r) % n;
}

static bool one_in(struct fuzz_rng *r, unsigned int n)
{
	return !fuzz_below(r, n);
}

static void fill_random(struct fuzz_rng *r, __u8 *data, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		data[i] = fuzz_random(r);
}

/* ---- the table ---------------------------------------------------------- */

static int kind_of(const char *name)
{
	static const char * const names[] = {
		[KIND_U32] = "u32",
		[KIND_BE16] = "be16",
		[KIND_BE32] = "be32",
		[KIND_BINARY] = "binary",
		[KIND_BITFIELD32] = "bitfield32",
		[KIND_NEST] = "nest",
	};
	int i;

	for (i = 0; i <= KIND_NEST; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

/**
 * fuzz_read_table - read what the kernel takes
 * @command: prints it, see spec.py
 *
 * Return: false if there is something odd in it
 */
bool fuzz_read_table(const char *command)
{
	struct fuzz_rules *at[4] = {};
	struct fuzz_op *op = NULL;
	struct fuzz_rule *rule;
	unsigned int depth;
	char line[128], kind[16];
	bool good = true;
	FILE *f;

	f = popen(command, "re");
	if (!f)
		return false;
	while (good && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "family %d", &fuzz_table.family) == 1)
			continue;
		if (!strncmp(line, "op ", 3)) {
			good = fuzz_table.n < FUZZ_OPS;
			if (!good)
				break;
			op = &fuzz_table.op[fuzz_table.n++];
			at[0] = &op->top;
			good = sscanf(line, "op %d %u %31s", &op->cmd,
				      &op->flags, op->name) == 3;
			continue;
		}
		good = op && sscanf(line, "attr %u", &depth) == 1 &&
		       depth < 3 && at[depth]->n < FUZZ_RULES;
		if (!good)
			break;
		rule = &at[depth]->rule[at[depth]->n++];
		good = sscanf(line, "attr %*u %d %15s %llu %llu", &rule->type,
			      kind, &rule->min, &rule->max) == 4 &&
		       kind_of(kind) >= 0 && rule->type < FUZZ_RULES;
		if (!good)
			break;
		rule->kind = kind_of(kind);
		if (rule->kind == KIND_NEST) {
			rule->sub = calloc(1, sizeof(*rule->sub));
			at[depth + 1] = rule->sub;
			good = rule->sub;
		}
	}
	if (!good)
		printf("# what is %s", line);
	return !pclose(f) && good && fuzz_table.family && fuzz_table.n;
}

const struct fuzz_op *fuzz_find_op(int cmd)
{
	int i;

	for (i = 0; i < fuzz_table.n; i++)
		if (fuzz_table.op[i].cmd == cmd)
			return &fuzz_table.op[i];
	return NULL;
}

/* Is it about a device, not about a connection? */
bool fuzz_is_dev(const struct fuzz_op *op)
{
	return op->cmd <= CHIMNEY_CMD_DEV_NTF;
}

/* ---- valid messages ----------------------------------------------------- */

int fuzz_size(enum fuzz_kind kind)
{
	switch (kind) {
	case KIND_BE16:
		return 2;
	case KIND_BITFIELD32:
		return 8;
	default:
		return 4;
	}
}

static void put_value(struct node *node, __u64 value)
{
	__be16 be16 = htons(value);
	__be32 be32 = htonl(value);
	__u32 u32 = value;

	node->len = fuzz_size(node->rule->kind);
	if (node->rule->kind == KIND_BE16)
		memcpy(node->data, &be16, sizeof(be16));
	else if (node->rule->kind == KIND_BE32)
		memcpy(node->data, &be32, sizeof(be32));
	else
		memcpy(node->data, &u32, sizeof(u32));
}

/* Small numbers are as likely as large ones, and the ends likelier than all. */
static __u64 some_value(struct fuzz_rng *r, const struct fuzz_rule *rule)
{
	__u64 span = rule->max - rule->min;

	switch (fuzz_below(r, 6)) {
	case 0:
		return rule->min;
	case 1:
		return rule->max;
	default:
		return rule->min +
		       (fuzz_random(r) >> fuzz_below(r, 64)) % (span + 1);
	}
}

static void put_flags(struct node *node, struct fuzz_rng *r)
{
	struct nla_bitfield32 bits;

	bits.selector = fuzz_random(r) & node->rule->max;
	bits.value = fuzz_random(r) & bits.selector;
	node->len = sizeof(bits);
	memcpy(node->data, &bits, sizeof(bits));
}

static void put_tuple_member(struct node *node, const struct chim_nl_tuple *t)
{
	int len = t->family == AF_INET ? 4 : 16;

	switch (node->rule->type) {
	case CHIMNEY_A_CONST_FAMILY:
		put_value(node, t->family);
		break;
	case CHIMNEY_A_CONST_LOCAL_ADDRESS:
		node->len = len;
		memcpy(node->data, t->local, len);
		break;
	case CHIMNEY_A_CONST_REMOTE_ADDRESS:
		node->len = len;
		memcpy(node->data, t->remote, len);
		break;
	case CHIMNEY_A_CONST_LOCAL_PORT:
		put_value(node, ntohs(t->lport));
		break;
	case CHIMNEY_A_CONST_REMOTE_PORT:
		put_value(node, ntohs(t->rport));
		break;
	}
}

static void put_valid(struct node *node, struct fuzz_rng *r,
		      const struct fuzz_op *op, const struct fuzz_aim *aim)
{
	static const int hz[] = { 10, 100, 1000 };
	int type = node->rule->type;

	if (node->parent == CHIMNEY_A_CONN_CONST)
		put_tuple_member(node, &aim->tuple);
	else if (node->rule->kind == KIND_BITFIELD32)
		put_flags(node, r);
	else if (fuzz_is_dev(op) && type == CHIMNEY_A_DEV_IFINDEX)
		put_value(node, aim->ifindex);
	else if (fuzz_is_dev(op) && type == CHIMNEY_A_DEV_HZ)
		put_value(node, hz[fuzz_below(r, 3)]);
	else if (!fuzz_is_dev(op) && !node->parent && type == CHIMNEY_A_CONN_ID)
		put_value(node, aim->id);
	else if (!fuzz_is_dev(op) && !node->parent && type == CHIMNEY_A_CONN_FD)
		put_value(node, aim->fd);
	else
		put_value(node, some_value(r, node->rule));
}

static struct node *add(struct tree *t, const struct fuzz_rule *rule,
			int parent, int depth)
{
	struct node *node = &t->node[t->n++];

	memset(node, 0, sizeof(*node));
	node->rule = rule;
	node->parent = parent;
	node->depth = depth;
	node->says = -1;
	node->type = rule->type;
	if (rule->kind == KIND_NEST)
		node->type |= NLA_F_NESTED;
	return node;
}

/* A nest with all that it may contain, or some of it */
static void add_nest(struct tree *t, struct fuzz_rng *r,
		     const struct fuzz_op *op, const struct fuzz_aim *aim,
		     const struct fuzz_rule *rule, bool all)
{
	int sure = fuzz_below(r, rule->sub->n), i;

	add(t, rule, 0, 0);
	for (i = 0; i < rule->sub->n; i++)
		if (all || i == sure || one_in(r, 4))
			put_valid(add(t, &rule->sub->rule[i], rule->type, 1), r,
				  op, aim);
}

static void make_valid(struct tree *t, struct fuzz_rng *r,
		       const struct fuzz_op *op, const struct fuzz_aim *aim)
{
	const struct fuzz_rules *top = &op->top;
	bool by_tuple = one_in(r, 2);
	const struct fuzz_rule *rule;
	int i;

	t->n = 0;
	for (i = 0; i < top->n; i++) {
		rule = &top->rule[i];
		if (fuzz_is_dev(op)) {
			if (rule->type == CHIMNEY_A_DEV_IFINDEX ||
			    one_in(r, 2))
				put_valid(add(t, rule, 0, 0), r, op, aim);
		} else if (rule->type == CHIMNEY_A_CONN_CONST) {
			if (by_tuple)
				add_nest(t, r, op, aim, rule, true);
		} else if (rule->type == CHIMNEY_A_CONN_CACHED) {
			if (op->cmd == CHIMNEY_CMD_CONN_UPDATE || one_in(r, 2))
				add_nest(t, r, op, aim, rule, false);
		} else if (!by_tuple) {
			put_valid(add(t, rule, 0, 0), r, op, aim);
		}
	}
}

/* ---- one thing wrong ---------------------------------------------------- */

/* The first node after @i and what it contains */
static int after(const struct tree *t, int i)
{
	int j = i + 1;

	while (j < t->n && t->node[j].depth > t->node[i].depth)
		j++;
	return j;
}

/* A node, or with @leaf one that is no nest; the nest if there is no other. */
static int pick(const struct tree *t, struct fuzz_rng *r, bool leaf)
{
	int i = fuzz_below(r, t->n);

	while (leaf && i + 1 < t->n && t->node[i].rule->kind == KIND_NEST)
		i++;
	return i;
}

static void break_missing(struct tree *t, struct fuzz_rng *r)
{
	int i = pick(t, r, false), end = after(t, i);

	memmove(&t->node[i], &t->node[end],
		(t->n - end) * sizeof(t->node[0]));
	t->n -= end - i;
}

static void break_doubled(struct tree *t, struct fuzz_rng *r,
			  const struct fuzz_op *op, const struct fuzz_aim *aim)
{
	int i = pick(t, r, false), end = after(t, i), n = end - i, j;

	memmove(&t->node[end], &t->node[i], (t->n - i) * sizeof(t->node[0]));
	t->n += n;
	for (j = end; one_in(r, 2) && j < end + n; j++)
		if (t->node[j].rule->kind != KIND_NEST)
			put_valid(&t->node[j], r, op, aim);
}

static void break_length(struct tree *t, struct fuzz_rng *r)
{
	static const int lengths[] = { 0, 1, 2, 3, 5, 7, 9, 12, 15, 17, 32,
				       NODE_ROOM };
	struct node *node = &t->node[pick(t, r, !one_in(r, 4))];
	int was = node->len;

	if (node->rule->kind == KIND_NEST || one_in(r, 4)) {
		/* The attribute itself claims to be shorter or longer. */
		node->says = one_in(r, 4) ? fuzz_below(r, 0x10000) :
			     fuzz_below(r, was + 12);
		return;
	}
	node->len = lengths[fuzz_below(r, sizeof(lengths) / sizeof(int))];
	if (node->len > was)
		fill_random(r, node->data + was, node->len - was);
}

static void break_range(struct tree *t, struct fuzz_rng *r)
{
	struct node *node = &t->node[pick(t, r, true)];
	const struct fuzz_rule *rule = node->rule;

	switch (rule->kind) {
	case KIND_NEST:
		return;
	case KIND_BINARY:
	case KIND_BITFIELD32:
		fill_random(r, node->data, node->len);
		return;
	default:
		break;
	}
	switch (fuzz_below(r, 6)) {
	case 0:
		put_value(node, rule->min - 1);
		break;
	case 1:
		put_value(node, rule->max + 1);
		break;
	case 2:
		put_value(node, 0);
		break;
	case 3:
		put_value(node, ~0ULL);
		break;
	case 4:
		put_value(node, 1U << fuzz_below(r, 32));
		break;
	default:
		put_value(node, fuzz_random(r));
		break;
	}
}

static void break_type(struct tree *t, struct fuzz_rng *r)
{
	struct node *node = &t->node[pick(t, r, false)];

	switch (fuzz_below(r, 4)) {
	case 0:
		node->type = fuzz_random(r);
		break;
	case 1:
		node->type ^= NLA_F_NET_BYTEORDER;
		break;
	default:
		node->type = (node->type & ~NLA_TYPE_MASK) |
			     fuzz_below(r, FUZZ_RULES);
		break;
	}
}

static void break_nesting(struct tree *t, struct fuzz_rng *r)
{
	int i = pick(t, r, false), end = after(t, i), levels, j;

	if (one_in(r, 3)) {
		t->node[i].type ^= NLA_F_NESTED;
		return;
	}
	/* In another of its kind, which may be no nest, and so on */
	levels = one_in(r, 2) ? 1 : fuzz_below(r, DEEP) + 1;
	memmove(&t->node[i + levels], &t->node[i],
		(t->n - i) * sizeof(t->node[0]));
	t->n += levels;
	for (j = i + levels; j < end + levels; j++)
		t->node[j].depth += levels;
	for (j = i; j < i + levels; j++) {
		t->node[j] = t->node[i + levels];
		t->node[j].depth = t->node[i + levels].depth - levels + j - i;
		if (!one_in(r, 8))
			t->node[j].type |= NLA_F_NESTED;
	}
}

/* ---- bytes -------------------------------------------------------------- */

struct genlmsghdr *fuzz_genl(struct fuzz_msg *m)
{
	return (struct genlmsghdr *)(m->buf + sizeof(struct nlmsghdr));
}

/* Writes a node and what it contains; returns the next one. */
static int put(struct fuzz_msg *m, const struct tree *t, int i)
{
	const struct node *node = &t->node[i];
	int end = after(t, i);
	struct nlattr *attr = (void *)(m->buf + m->len);
	size_t start = m->len, len;

	m->len += NLA_HDRLEN;
	if (end == i + 1) {
		memcpy(m->buf + m->len, node->data, node->len);
		m->len += node->len;
	} else {
		for (i++; i < end;)
			i = put(m, t, i);
	}
	len = m->len - start;
	attr->nla_type = node->type;
	attr->nla_len = node->says < 0 ? len : node->says;
	m->len = start + NLA_ALIGN(len);
	return end;
}

static void header(struct fuzz_msg *m, int cmd)
{
	memset(m->buf, 0, sizeof(m->buf));
	m->nlh.nlmsg_type = fuzz_table.family;
	m->nlh.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	fuzz_genl(m)->cmd = cmd;
	fuzz_genl(m)->version = CHIMNEY_FAMILY_VERSION;
	m->len = FUZZ_BODY;
}

/* Either less is sent than the header says, or the header says less, or both
 * are short; what is too much is a message of its own.
 */
static void break_off(struct fuzz_msg *m, struct fuzz_rng *r)
{
	size_t cut = 1 + fuzz_below(r, m->len - 1);

	switch (fuzz_below(r, 4)) {
	case 0:
		m->nlh.nlmsg_len = cut;
		break;
	case 1:
		m->len = cut;
		break;
	case 2:
		m->nlh.nlmsg_len += 1 + fuzz_below(r, one_in(r, 2) ? 4 : 4096);
		break;
	default:
		m->nlh.nlmsg_len = cut;
		m->len = cut;
		break;
	}
}

static void break_header(struct fuzz_msg *m, struct fuzz_rng *r)
{
	/* No family has these numbers. */
	static const int types[] = { NLMSG_NOOP, NLMSG_ERROR, NLMSG_DONE,
				     NLMSG_OVERRUN, 9, 0x1000, 0x8000, 0xffff };

	switch (fuzz_below(r, 8)) {
	case 0:
		m->nlh.nlmsg_flags |= NLM_F_DUMP;
		break;
	case 1:
		m->nlh.nlmsg_flags |= NLM_F_DUMP;
		m->len = FUZZ_BODY;
		m->nlh.nlmsg_len = m->len;
		break;
	case 2:
		m->nlh.nlmsg_flags = fuzz_random(r);
		break;
	case 3:
		m->nlh.nlmsg_flags ^= 1 << fuzz_below(r, 16);
		break;
	case 4:
		m->nlh.nlmsg_type = types[fuzz_below(r, 8)];
		break;
	case 5:
		fuzz_genl(m)->cmd = fuzz_random(r);
		break;
	case 6:
		fuzz_genl(m)->version = fuzz_random(r);
		break;
	default:
		fuzz_genl(m)->reserved = 1 << fuzz_below(r, 16);
		break;
	}
}

/* Attributes of any type with any content, or no attributes at all, or bytes
 * changed in good ones
 */
static void make_random(struct fuzz_msg *m, struct fuzz_rng *r)
{
	size_t len, i;
	struct nlattr *attr;

	switch (fuzz_below(r, 3)) {
	case 0:
		m->len = FUZZ_BODY;
		fill_random(r, m->buf + m->len, 128);
		for (i = fuzz_below(r, 8); i; i--) {
			attr = (void *)(m->buf + m->len);
			len = fuzz_below(r, 12) * 4;
			fill_random(r, m->buf + m->len, NLA_HDRLEN + len);
			attr->nla_len = NLA_HDRLEN + len - fuzz_below(r, 2);
			if (!one_in(r, 8))
				attr->nla_type &= NLA_F_NESTED | 0xf;
			m->len += NLA_HDRLEN + len;
		}
		break;
	case 1:
		len = fuzz_below(r, one_in(r, 8) ? FUZZ_ROOM - FUZZ_BODY : 64);
		fill_random(r, m->buf + FUZZ_BODY, len);
		m->len = FUZZ_BODY + len;
		break;
	default:
		for (i = 1 + fuzz_below(r, 4); i && m->len > FUZZ_BODY; i--)
			m->buf[FUZZ_BODY + fuzz_below(r, m->len - FUZZ_BODY)] =
				fuzz_random(r);
		break;
	}
	m->nlh.nlmsg_len = m->len;
}

/**
 * fuzz_make - make a message
 * @m: where to put it
 * @r: what it depends on
 * @how: what is wrong with it
 * @op: its command
 * @aim: what it names
 */
void fuzz_make(struct fuzz_msg *m, struct fuzz_rng *r, enum fuzz_how how,
	       const struct fuzz_op *op, const struct fuzz_aim *aim)
{
	struct tree t;
	int i;

	make_valid(&t, r, op, aim);
	switch (how) {
	case FUZZ_MISSING:
		break_missing(&t, r);
		break;
	case FUZZ_DOUBLED:
		break_doubled(&t, r, op, aim);
		break;
	case FUZZ_LENGTH:
		break_length(&t, r);
		break;
	case FUZZ_RANGE:
		break_range(&t, r);
		break;
	case FUZZ_TYPE:
		break_type(&t, r);
		break;
	case FUZZ_NESTING:
		break_nesting(&t, r);
		break;
	default:
		break;
	}

	header(m, op->cmd);
	if (how == FUZZ_VALID && op->flags & GENL_CMD_CAP_DUMP && one_in(r, 4))
		m->nlh.nlmsg_flags |= NLM_F_DUMP;
	else
		for (i = 0; i < t.n;)
			i = put(m, &t, i);
	m->nlh.nlmsg_len = m->len;

	if (how == FUZZ_TRUNCATED)
		break_off(m, r);
	else if (how == FUZZ_HEADER)
		break_header(m, r);
	else if (how == FUZZ_RANDOM)
		make_random(m, r);
}
