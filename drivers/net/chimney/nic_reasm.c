// SPDX-License-Identifier: GPL-2.0
/*
 * Segments out of order: kept by sequence number until what is missing has
 * come, and reported to the peer by SACK (RFC 2018) and D-SACK (RFC 2883).
 * Called by the other nic_*.c files; everything here lives under the
 * connection lock.
 */
#include <net/tcp.h>

#include "nic.h"

/**
 * chim_nic_disorder - have the part that an orderly connection does without
 * @c: connection, lock held
 *
 * Return: it, or NULL if there is no memory: then a segment out of order is
 * as good as lost, and a SACK unheard.
 */
struct nic_disorder *chim_nic_disorder(struct nic_conn *c)
{
	if (c->disorder)
		return c->disorder;
	if (!chim_fault_hit(c->key.cd, CHIM_FAULT_RUN_OUT))
		c->disorder = kzalloc(sizeof(*c->disorder),
				      GFP_ATOMIC | __GFP_NOWARN);
	if (c->disorder)
		__skb_queue_head_init(&c->disorder->held);
	else
		chim_count(c->key.cd, CHIM_CNT_ALLOC_FAILED);
	return c->disorder;
}

/* Is there a gap between the two? */
static bool nic_apart(const struct nic_range *a, u32 start, u32 end)
{
	return nic_after(start, a->end) || nic_after(a->start, end);
}

/* Report a range first, together with what it touches. */
static void nic_sack_front(struct nic_disorder *d, u32 start, u32 end)
{
	struct nic_range *r = d->sacks;
	u32 i, n = 0;

	for (i = 0; i < d->n_sacks; i++) {
		if (nic_apart(&r[i], start, end)) {
			r[n++] = r[i];
			continue;
		}
		if (nic_before(r[i].start, start))
			start = r[i].start;
		if (nic_after(r[i].end, end))
			end = r[i].end;
	}
	n = min_t(u32, n, NIC_SACK_BLOCKS - 1);
	memmove(&r[1], &r[0], n * sizeof(*r));
	r[0].start = start;
	r[0].end = end;
	d->n_sacks = n + 1;
}

/* RCV.NXT has moved: forget the blocks below. */
static void nic_sack_trim(struct nic_disorder *d, u32 rcv_nxt)
{
	u32 i, n = 0;

	for (i = 0; i < d->n_sacks; i++)
		if (nic_after(d->sacks[i].start, rcv_nxt))
			d->sacks[n++] = d->sacks[i];
	d->n_sacks = n;
}

/**
 * chim_nic_ooo_any - is something kept out of order?
 * @c: connection, lock held
 *
 * Return: true if so.
 */
bool chim_nic_ooo_any(const struct nic_conn *c)
{
	return c->disorder && !RB_EMPTY_ROOT(&c->disorder->ooo);
}

static void nic_ooo_count(struct nic_disorder *d, const struct sk_buff *skb)
{
	d->ooo_segs++;
	d->ooo_mem += skb->truesize;
}

static void nic_ooo_erase(struct nic_disorder *d, struct sk_buff *skb)
{
	rb_erase(&skb->rbnode, &d->ooo);
	d->ooo_segs--;
	d->ooo_mem -= skb->truesize;
}

static void nic_purge_tree(struct rb_root *root)
{
	struct rb_node *p;

	while ((p = rb_first(root))) {
		rb_erase(p, root);
		kfree_skb(rb_to_skb(p));
	}
}

/**
 * chim_nic_ooo_load - take over what the host had received out of order
 * @c: connection, lock held
 * @ooo: the host's queue; emptied [BLD-34]
 */
void chim_nic_ooo_load(struct nic_conn *c, struct rb_root *ooo)
{
	struct nic_disorder *d;
	struct rb_node *p;

	if (RB_EMPTY_ROOT(ooo))
		return;
	d = chim_nic_disorder(c);
	if (!d) {
		nic_purge_tree(ooo);
		return;
	}
	d->ooo = *ooo;
	*ooo = RB_ROOT;
	for (p = rb_first(&d->ooo); p; p = rb_next(p)) {
		struct sk_buff *skb = rb_to_skb(p);

		skb_orphan(skb);
		nic_ooo_count(d, skb);
		nic_sack_front(d, TCP_SKB_CB(skb)->seq,
			       TCP_SKB_CB(skb)->end_seq);
	}
}

/**
 * chim_nic_ooo_purge - drop everything received out of order
 * @c: connection, lock held
 */
void chim_nic_ooo_purge(struct nic_conn *c)
{
	if (!c->disorder)
		return;
	nic_purge_tree(&c->disorder->ooo);
	c->disorder->ooo_segs = 0;
	c->disorder->ooo_mem = 0;
	c->disorder->n_sacks = 0;
}

/* Forget what follows a segment and has nothing that it does not have. */
static void nic_drop_covered(struct nic_conn *c, struct sk_buff *skb)
{
	struct nic_disorder *d = c->disorder;
	const struct tcp_skb_cb *cb;
	struct rb_node *p;

	while ((p = rb_next(&skb->rbnode))) {
		cb = TCP_SKB_CB(rb_to_skb(p));
		if (nic_after(cb->end_seq, TCP_SKB_CB(skb)->end_seq))
			return;
		chim_nic_dsack(c, cb->seq, cb->end_seq);
		nic_ooo_erase(d, rb_to_skb(p));
		kfree_skb(rb_to_skb(p));
	}
}

/**
 * chim_nic_ooo_add - keep a segment that came out of order
 * @c: connection, lock held
 * @skb: payload, TCP_SKB_CB() filled in, starts behind RCV.NXT; taken
 *
 * Of two segments the one that covers the other stays; other overlaps are cut
 * when their turn has come. Where contents differ the program gets what the
 * host would have given it.
 */
void chim_nic_ooo_add(struct nic_conn *c, struct sk_buff *skb)
{
	const struct tcp_skb_cb *new = TCP_SKB_CB(skb);
	struct nic_disorder *d = chim_nic_disorder(c);
	struct rb_node **p, *parent = NULL;

	chim_count(c->key.cd, CHIM_CNT_OOO_SEGS);
	if (!d || d->ooo_segs >= NIC_OOO_MAX ||
	    !chim_host_ops.rcv_room(c->host,
				    c->rx_mem + d->ooo_mem + skb->truesize))
		goto drop;
	p = &d->ooo.rb_node;
	while (*p) {
		const struct tcp_skb_cb *cb;

		parent = *p;
		cb = TCP_SKB_CB(rb_to_skb(parent));
		if (!nic_before(new->seq, cb->seq) &&
		    !nic_after(new->end_seq, cb->end_seq)) {
			chim_nic_dsack(c, new->seq, new->end_seq);
			nic_sack_front(d, cb->seq, cb->end_seq);
			goto drop;
		}
		p = nic_after(new->seq, cb->seq) ? &parent->rb_right :
						   &parent->rb_left;
	}
	rb_link_node(&skb->rbnode, parent, p);
	rb_insert_color(&skb->rbnode, &d->ooo);
	nic_ooo_count(d, skb);
	nic_sack_front(d, new->seq, new->end_seq);
	nic_drop_covered(c, skb);
	return;
drop:
	kfree_skb(skb);
}

/**
 * chim_nic_trim_head - cut off the first bytes of a segment
 * @skb: payload, TCP_SKB_CB() filled in
 * @n: bytes
 *
 * Return: false if there is no memory for it.
 */
bool chim_nic_trim_head(struct sk_buff *skb, u32 n)
{
	if (n && !pskb_pull(skb, n))
		return false;
	TCP_SKB_CB(skb)->seq += n;
	return true;
}

/**
 * chim_nic_ooo_next - the segment whose turn has come
 * @c: connection, lock held
 *
 * Return: a segment that starts at RCV.NXT, for the caller to accept, or
 * NULL.
 */
struct sk_buff *chim_nic_ooo_next(struct nic_conn *c)
{
	struct nic_disorder *d = c->disorder;
	struct sk_buff *skb;
	struct rb_node *p;

	while ((p = rb_first(&d->ooo))) {
		skb = rb_to_skb(p);
		if (nic_after(TCP_SKB_CB(skb)->seq, c->rcv_nxt))
			break;
		nic_ooo_erase(d, skb);
		RB_CLEAR_NODE(&skb->rbnode);
		skb->next = NULL; /* the node shared their place */
		skb->prev = NULL;
		skb->dev = NULL;
		if (nic_after(TCP_SKB_CB(skb)->end_seq, c->rcv_nxt) &&
		    chim_nic_trim_head(skb, c->rcv_nxt - TCP_SKB_CB(skb)->seq))
			return skb;
		kfree_skb(skb);
	}
	nic_sack_trim(d, c->rcv_nxt);
	return NULL;
}

/**
 * chim_nic_dsack - something has come twice
 * @c: connection, lock held
 * @start: its first byte
 * @end: first byte behind it
 *
 * The next segment tells the peer (RFC 2883 4).
 */
void chim_nic_dsack(struct nic_conn *c, u32 start, u32 end)
{
	struct nic_disorder *d;

	if (!(c->cflags & CHIMNEY_CONST_FLAG_SACK))
		return;
	d = chim_nic_disorder(c);
	if (d) {
		d->dsack.start = start;
		d->dsack.end = end;
	}
}

/**
 * chim_nic_sack_blocks - blocks for the next segment
 * @c: connection, lock held
 * @r: filled in
 * @max: blocks that fit
 *
 * Return: how many there are: a duplicate first, then the most recent ones.
 */
u32 chim_nic_sack_blocks(struct nic_conn *c, struct nic_range *r, u32 max)
{
	struct nic_disorder *d = c->disorder;
	u32 i, n = 0;

	if (!d || !(c->cflags & CHIMNEY_CONST_FLAG_SACK))
		return 0;
	if (d->dsack.start != d->dsack.end) {
		r[n++] = d->dsack;
		d->dsack.start = d->dsack.end;
	}
	for (i = 0; i < d->n_sacks && n < max; i++)
		r[n++] = d->sacks[i];
	return n;
}

#if IS_ENABLED(CONFIG_CHIMNEY_KUNIT_TEST)
#include "nic_reasm_test.c"
#endif
