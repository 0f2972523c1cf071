// SPDX-License-Identifier: GPL-2.0
/*
 * The NIC sends: builds segments over the host's buffers, decides what may go
 * out (windows, Nagle, congestion), retransmits, probes and acknowledges.
 * Called by the other nic_*.c files; everything here lives under the
 * connection lock.
 */
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/ip6_checksum.h>
#include <net/tcp.h>

#include "nic.h"

#define NIC_MAX_HEADER		(LL_MAX_HEADER + sizeof(struct ipv6hdr) + \
				 MAX_TCP_HEADER)

static u32 nic_ip_header_len(const struct nic_conn *c)
{
	return c->flags & NIC_IPV6 ? sizeof(struct ipv6hdr) :
				     sizeof(struct iphdr);
}

static u32 nic_ts_len(const struct nic_conn *c)
{
	return c->cflags & CHIMNEY_CONST_FLAG_TIMESTAMP ?
	       TCPOLEN_TSTAMP_ALIGNED : 0;
}

/**
 * chim_nic_update_mss - take the path MTU into account
 * @c: connection, lock held
 *
 * The MSS leaves room for the options every segment carries (RFC 6691,
 * RFC 2525 2.18). A smaller MTU makes what is in flight and too large due
 * again when its timer expires.
 */
void chim_nic_update_mss(struct nic_conn *c)
{
	u32 hlen = nic_ip_header_len(c) + sizeof(struct tcphdr);
	u32 mtu = chim_host_ops.path_mtu(c->host);
	u32 mss = c->remote_mss;

	if (mtu > hlen)
		mss = min(mss, mtu - hlen);
	mss -= nic_ts_len(c);
	c->mss = max_t(s32, mss, 64);
}

/* Window field of the next segment; moves the right edge on offer. */
static u16 nic_select_window(struct nic_conn *c)
{
	u32 cur = nic_after(c->rcv_adv, c->rcv_nxt) ?
		  c->rcv_adv - c->rcv_nxt : 0;
	u32 want = nic_after(c->rcv_edge, c->rcv_nxt) ?
		   c->rcv_edge - c->rcv_nxt : 0;
	u32 max = (u32)U16_MAX << c->rcv_wscale;
	u32 scaled;

	/* Receiver SWS avoidance, RFC 9293 3.8.6.2.2, MUST-39; and the right
	 * edge is never retracted [BLD-37].
	 */
	if (want < cur ||
	    want - cur < min_t(u32, c->mss, c->cached.initial_rcv_wnd / 2))
		want = cur;
	want = min(want, max);
	scaled = want >> c->rcv_wscale;
	/* Rounded down, some room would be told as none, for ever. */
	if (scaled << c->rcv_wscale < min(cur, max) || (want && !scaled))
		scaled++;
	scaled = min_t(u32, scaled, U16_MAX);
	want = scaled << c->rcv_wscale;
	if (nic_after(c->rcv_nxt + want, c->rcv_adv))
		c->rcv_adv = c->rcv_nxt + want;
	return scaled;
}

static void nic_build_ip(struct nic_conn *c, struct sk_buff *skb, u32 segs)
{
	struct ipv6hdr *ip6;
	struct iphdr *ip;

	if (!(c->flags & NIC_IPV6)) {
		ip = skb_push(skb, sizeof(*ip));
		skb_reset_network_header(skb);
		ip->version = 4;
		ip->ihl = 5;
		ip->tos = c->cached.tos & ~INET_ECN_MASK;
		ip->tot_len = htons(skb->len);
		/* SND-14; of what is segmented later it counts on by itself */
		if (c->ip_id + segs > BIT(16))
			c->ip_id = 0x8000;
		ip->id = htons(c->ip_id);
		c->ip_id = 0x8000 | (c->ip_id + segs);
		ip->frag_off = htons(IP_DF); /* SND-13 */
		ip->ttl = c->cached.ttl;
		ip->protocol = IPPROTO_TCP;
		ip->saddr = c->key.laddr.s6_addr32[3];
		ip->daddr = c->key.raddr.s6_addr32[3];
		ip_send_check(ip);
		skb->protocol = htons(ETH_P_IP);
		return;
	}
	ip6 = skb_push(skb, sizeof(*ip6));
	skb_reset_network_header(skb);
	ip6_flow_hdr(ip6, c->cached.tos & ~INET_ECN_MASK,
		     c->cached.flow_label);
	ip6->payload_len = htons(skb->len - sizeof(*ip6));
	ip6->nexthdr = IPPROTO_TCP;
	ip6->hop_limit = c->cached.ttl;
	ip6->saddr = c->key.laddr;
	ip6->daddr = c->key.raddr;
	skb->protocol = htons(ETH_P_IPV6);
}

static void nic_checksum_partial(struct nic_conn *c, struct sk_buff *skb,
				 struct tcphdr *th)
{
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_transport_header(skb) - skb->head;
	skb->csum_offset = offsetof(struct tcphdr, check);
	if (!(c->flags & NIC_IPV6))
		th->check = ~tcp_v4_check(skb->len,
					  c->key.laddr.s6_addr32[3],
					  c->key.raddr.s6_addr32[3], 0);
	else
		th->check = ~tcp_v6_check(skb->len, &c->key.laddr,
					  &c->key.raddr, 0);
}

/* Headers in front of the payload in skb, and away with it. */
static void nic_xmit_skb(struct nic_conn *c, struct sk_buff *skb, u32 seq,
			 u8 tcp_flags)
{
	bool confirm = c->flags & NIC_CONFIRM;
	struct nic_range r[NIC_SACK_BLOCKS];
	u32 len = skb->len, segs = 1;
	ktime_t now = ktime_get();
	struct tcphdr *th;
	u32 i, n, optlen;
	__be32 *opt;

	/* Without room beside the data the next ACK tells. */
	n = len + 4 + 8 * NIC_SACK_BLOCKS > c->mss && len ? 0 :
	    chim_nic_sack_blocks(c, r, nic_ts_len(c) ? NIC_SACK_BLOCKS - 1 :
						       NIC_SACK_BLOCKS);
	optlen = nic_ts_len(c) + (n ? 4 + 8 * n : 0);

	th = skb_push(skb, sizeof(*th) + optlen);
	skb_reset_transport_header(skb);
	memset(th, 0, sizeof(*th));
	th->source = c->key.lport;
	th->dest = c->key.rport;
	th->seq = htonl(seq);
	th->ack_seq = htonl(c->rcv_nxt);
	tcp_flag_byte(th) = tcp_flags | TCPHDR_ACK |
			    (c->ecn & TCP_ECN_DEMAND_CWR ? TCPHDR_ECE : 0);
	th->doff = (sizeof(*th) + optlen) / 4;
	th->window = htons(nic_select_window(c));

	opt = (__be32 *)(th + 1);
	if (nic_ts_len(c)) { /* in every segment, RFC 7323 3.2 */
		*opt++ = htonl((TCPOPT_NOP << 24) | (TCPOPT_NOP << 16) |
			       (TCPOPT_TIMESTAMP << 8) | TCPOLEN_TIMESTAMP);
		*opt++ = htonl(nic_ts_now(c, now));
		*opt++ = htonl(c->ts_recent);
	}
	if (n) {
		*opt++ = htonl((TCPOPT_NOP << 24) | (TCPOPT_NOP << 16) |
			       (TCPOPT_SACK << 8) |
			       (TCPOLEN_SACK_BASE + 8 * n));
		for (i = 0; i < n; i++) {
			*opt++ = htonl(r[i].start);
			*opt++ = htonl(r[i].end);
		}
	}
	if (len > c->mss) {
		segs = DIV_ROUND_UP(len, c->mss);
		skb_shinfo(skb)->gso_size = c->mss;
		skb_shinfo(skb)->gso_segs = segs;
		skb_shinfo(skb)->gso_type = c->flags & NIC_IPV6 ?
					    SKB_GSO_TCPV6 : SKB_GSO_TCPV4;
	}
	nic_checksum_partial(c, skb, th);
	nic_build_ip(c, skb, segs);
	if (c->hash)
		skb_set_hash(skb, c->hash, PKT_HASH_TYPE_L4);

	/* Every segment acknowledges: what was owed is paid. But data is no
	 * duplicate ACK, and without room for blocks the peer does not learn
	 * of a hole (RFC 5681 4.2).
	 */
	c->last_ack = c->rcv_nxt;
	c->ack_segs = 0;
	c->t_ack = CHIM_IDLE;
	c->flags &= ~(NIC_ACK_DUE | NIC_ACK_DELAY | NIC_CONFIRM);
	if (!len || n || !chim_nic_ooo_any(c))
		c->flags &= ~NIC_ACK_NOW;
	c->stats.segs_out += segs;
	chim_count_add(c->key.cd, CHIM_CNT_TX_SEGS, segs);
	if (chim_fault_hit(c->key.cd, CHIM_FAULT_STALL))
		kfree_skb(skb);
	else
		chim_host_ops.output(c->host, skb, confirm);
}

static struct sk_buff *nic_alloc(struct nic_conn *c, u32 linear)
{
	struct sk_buff *skb = NULL;

	if (!chim_fault_hit(c->key.cd, CHIM_FAULT_RUN_OUT))
		skb = alloc_skb(NIC_MAX_HEADER + linear,
				GFP_ATOMIC | __GFP_NOWARN);
	if (!skb) {
		chim_count(c->key.cd, CHIM_CNT_ALLOC_FAILED);
		return NULL;
	}
	skb_reserve(skb, NIC_MAX_HEADER);
	return skb;
}

/* Sequence number the peer will accept in a segment without data: what was
 * sent as a probe of a closed window lies beyond it.
 */
static u32 nic_acceptable_seq(const struct nic_conn *c)
{
	u32 edge = c->snd_una + c->snd_wnd;

	return nic_before(edge, c->snd_max) ? edge : c->snd_max;
}

/**
 * chim_nic_send_ack - send a pure ACK now
 * @c: connection, lock held
 *
 * If no segment can be built the ACK stays owed and is tried again.
 */
void chim_nic_send_ack(struct nic_conn *c)
{
	struct sk_buff *skb;

	lockdep_assert_held(&c->lock);
	if (c->reason && c->reason != CHIMNEY_REASON_UPLOAD_REQUESTED)
		return;
	skb = nic_alloc(c, 0);
	if (!skb) {
		c->flags |= NIC_ACK_DELAY;
		c->t_ack = ktime_add_ms(ktime_get(), 1);
		return;
	}
	nic_xmit_skb(c, skb, nic_acceptable_seq(c), 0);
}

/**
 * chim_nic_send_keepalive - send a keepalive probe
 * @c: connection, lock held
 *
 * An ACK one below the current sequence number, without data [KA-15, KA-16,
 * RFC 9293 3.8.4].
 *
 * Return: false if there was no memory for it.
 */
bool chim_nic_send_keepalive(struct nic_conn *c)
{
	struct sk_buff *skb = nic_alloc(c, 0);

	if (!skb)
		return false;
	chim_count(c->key.cd, CHIM_CNT_KEEPALIVE_PROBES);
	nic_xmit_skb(c, skb, c->snd_nxt - 1, 0);
	return true;
}

/* Append a reference to bytes [off, off + len) of a buffer's page fragments;
 * returns how many were taken.
 */
static u32 nic_append_frags(struct sk_buff *skb, const struct sk_buff *from,
			    u32 off, u32 len)
{
	struct skb_shared_info *shinfo = skb_shinfo(skb);
	u32 taken = 0;
	int i;

	for (i = 0; i < skb_shinfo(from)->nr_frags && len; i++) {
		const skb_frag_t *f = &skb_shinfo(from)->frags[i];
		u32 size = skb_frag_size(f), n;

		if (off >= size) {
			off -= size;
			continue;
		}
		n = min(size - off, len);
		if (skb_can_coalesce(skb, shinfo->nr_frags, skb_frag_page(f),
				     skb_frag_off(f) + off)) {
			skb_frag_size_add(&shinfo->frags[shinfo->nr_frags - 1],
					  n);
		} else {
			if (shinfo->nr_frags == MAX_SKB_FRAGS)
				break;
			skb_fill_page_desc(skb, shinfo->nr_frags,
					   skb_frag_page(f),
					   skb_frag_off(f) + off, n);
			skb_frag_ref(skb, shinfo->nr_frags - 1);
		}
		taken += n;
		len -= n;
		off = 0;
	}
	skb->len += taken;
	skb->data_len += taken;
	skb->truesize += taken;
	return taken;
}

/* Payload [seq, seq + len) as references to the host's buffers [OFS-6], or as
 * one copied segment if a buffer has linear data. len may come back smaller.
 */
static struct sk_buff *nic_payload(struct nic_conn *c, u32 seq, u32 *len)
{
	struct sk_buff *skb, *p;
	u32 left, got = 0;
	bool copy = false;

	for (p = nic_queue_head(&c->txq); p; p = nic_queue_next(&c->txq, p))
		if (nic_after(TCP_SKB_CB(p)->end_seq, seq))
			break;
	if (WARN_ON_ONCE(!p))
		return NULL;
	if (skb_headlen(p)) {
		copy = true;
		*len = min(*len, c->mss);
	}
	skb = nic_alloc(c, copy ? *len : 0);
	if (!skb)
		return NULL;

	left = *len;
	for (; p; p = nic_queue_next(&c->txq, p)) {
		u32 off = seq + got - TCP_SKB_CB(p)->seq;
		u32 n = min(left, p->len - off);

		if (copy) {
			if (skb_copy_bits(p, off, skb_put(skb, n), n))
				break;
		} else {
			if (skb_headlen(p))
				break;
			n = nic_append_frags(skb, p, off, n);
		}
		got += n;
		left -= n;
		if (!left || n < p->len - off)
			break;
	}
	if (got < *len && got > c->mss) { /* out of fragments: whole segments */
		got -= got % c->mss;
		if (pskb_trim(skb, got)) {
			kfree_skb(skb);
			return NULL;
		}
	}
	*len = got;
	return skb;
}

/* Send [seq, seq + len) and possibly FIN. Returns sequence space sent. */
static u32 nic_send_data(struct nic_conn *c, u32 seq, u32 len, bool fin)
{
	ktime_t now = ktime_get();
	struct sk_buff *skb;
	u32 want = len, end;
	u8 flags = 0;

	skb = len ? nic_payload(c, seq, &len) : nic_alloc(c, 0);
	if (!skb)
		return 0;
	if (want && !len) {
		kfree_skb(skb);
		return 0;
	}
	if (len < want)
		fin = false;
	if (fin)
		flags |= TCPHDR_FIN;
	if (seq + len == c->snd_end && len)
		flags |= TCPHDR_PSH; /* SND-12 */
	end = seq + len + fin;

	if (nic_before(seq, c->snd_max)) {
		u32 segs = DIV_ROUND_UP(max(len, 1U), c->mss);

		c->stats.retrans_segs += segs;
		chim_count_add(c->key.cd, CHIM_CNT_RTX_SEGS, segs);
		/* Karn: no sample from data sent twice (RFC 6298 3). */
		c->flags &= ~NIC_RTT_TIMING;
	} else if (!(c->flags & NIC_RTT_TIMING)) {
		c->flags |= NIC_RTT_TIMING;
		c->rtt_seq = end;
		c->rtt_start = (u32)ktime_to_us(now);
	}
	if (nic_after(end, c->snd_max)) {
		c->stats.bytes_out += min(end - fin - c->snd_max, len);
		c->snd_max = end;
		c->flags |= NIC_EVENT;
	}
	if (len && len % c->mss)
		c->snd_sml = seq + len;
	c->last_send = (u32)ktime_to_us(now);
	if (c->snd_wnd)
		chim_nic_rtx_start(c, now);
	nic_xmit_skb(c, skb, seq, flags);
	return end - seq;
}

/**
 * chim_nic_send_window_probe - probe a closed window
 * @c: connection, lock held
 *
 * One byte at SND.UNA, the first the peer did not acknowledge [PST-9]; it
 * stays due, so SND.NXT does not move. A FIN alone is probed with the FIN.
 *
 * Return: false if there was no memory for it.
 */
bool chim_nic_send_window_probe(struct nic_conn *c)
{
	u32 seq = c->snd_una;
	bool sent;

	if (nic_before(seq, c->snd_end))
		sent = nic_send_data(c, seq, 1, false);
	else if (seq != nic_snd_limit(c))
		sent = nic_send_data(c, seq, 0, true);
	else
		sent = chim_nic_send_keepalive(c);
	if (sent)
		chim_count(c->key.cd, CHIM_CNT_WINDOW_PROBES);
	return sent;
}

/**
 * chim_nic_is_lost - RFC 6675 IsLost()
 * @c: connection, lock held, with a scoreboard
 * @seq: first byte of what is not SACKed
 *
 * Return: whether enough behind @seq was SACKed to take it as lost.
 */
bool chim_nic_is_lost(const struct nic_conn *c, u32 seq)
{
	u32 thresh = READ_ONCE(c->key.cd->params.dupacks);
	const struct nic_scoreboard *b = nic_board(c);
	u32 bytes = 0, ranges = 0, i;

	for (i = 0; i < b->n; i++) {
		if (!nic_after(b->r[i].start, seq))
			continue;
		ranges++;
		bytes += b->r[i].end - b->r[i].start;
	}
	return ranges >= thresh || bytes > (thresh - 1) * c->mss;
}

/**
 * chim_nic_pipe - what is in flight, RFC 6675 SetPipe()
 * @c: connection, lock held
 *
 * Return: bytes.
 */
u32 chim_nic_pipe(const struct nic_conn *c)
{
	const struct nic_scoreboard *b = nic_board(c);
	u32 flight = c->snd_nxt - c->snd_una, seq = c->snd_una, i, extra;

	if (!b || !b->n) {
		/* Limited transmit, RFC 3042, without SACK. */
		if (c->flags & (NIC_RECOVERY | NIC_LOSS))
			return flight;
		extra = min(min_t(u32, c->dupacks, 2) * c->mss, flight);
		return flight - extra;
	}
	for (i = 0; i < b->n; i++) {
		u32 end = b->r[i].start;

		if (nic_after(end, c->snd_nxt))
			break;
		if ((c->flags & NIC_RECOVERY) && chim_nic_is_lost(c, seq)) {
			/* lost: only what was sent again counts */
			u32 from = nic_after(c->high_rxt, seq) ?
				   c->high_rxt : seq;

			if (nic_after(end, from))
				flight -= end - from;
		}
		if (nic_after(b->r[i].end, c->snd_nxt)) {
			flight -= c->snd_nxt - b->r[i].start;
			break;
		}
		flight -= b->r[i].end - b->r[i].start;
		seq = b->r[i].end;
	}
	return flight;
}

/* RFC 6675 NextSeg() rule 1: the next lost range not sent again yet. */
static bool nic_next_lost(const struct nic_conn *c, struct nic_range *hole)
{
	const struct nic_scoreboard *b = nic_board(c);
	u32 seq = c->snd_una, i;

	if (!b)
		return false;
	for (i = 0; i < b->n; i++) {
		hole->start = nic_after(c->high_rxt, seq) ? c->high_rxt : seq;
		hole->end = b->r[i].start;
		if (nic_before(hole->start, hole->end))
			return chim_nic_is_lost(c, seq);
		seq = b->r[i].end;
	}
	return false;
}

/* One segment from seq, not beyond end; FIN if it comes there. */
static u32 nic_resend(struct nic_conn *c, u32 seq, u32 end)
{
	u32 len = min(end - seq, c->mss);
	bool fin = false;

	if (nic_after(seq + len, c->snd_end)) {
		len = nic_before(seq, c->snd_end) ? c->snd_end - seq : 0;
		fin = true;
	}
	return nic_send_data(c, seq, len, fin);
}

/**
 * chim_nic_retransmit_one - send the earliest segment again
 * @c: connection, lock held
 *
 * RFC 6298 (5.4): one segment, whatever the windows (RFC 2525 2.14). After a
 * timeout SND.NXT follows it.
 */
void chim_nic_retransmit_one(struct nic_conn *c)
{
	u32 sent = nic_resend(c, c->snd_una, c->snd_max);

	if (c->snd_nxt == c->snd_una)
		c->snd_nxt += sent;
	if (nic_after(c->snd_una + sent, c->high_rxt))
		c->high_rxt = c->snd_una + sent;
}

/* SACK recovery: fill the holes as far as the congestion window allows. */
static void nic_fill_holes(struct nic_conn *c)
{
	struct nic_range hole;
	u32 sent;

	while (nic_next_lost(c, &hole)) {
		if (chim_nic_pipe(c) + c->mss > c->cwnd)
			return;
		sent = nic_resend(c, hole.start, hole.end);
		if (!sent)
			return;
		c->high_rxt = hole.start + sent;
	}
}

/* After a timeout: do not send again what the peer has. */
static void nic_skip_sacked(struct nic_conn *c)
{
	const struct nic_scoreboard *b = nic_board(c);
	u32 i;

	for (i = 0; b && i < b->n; i++)
		if (!nic_before(c->snd_nxt, b->r[i].start) &&
		    nic_before(c->snd_nxt, b->r[i].end))
			c->snd_nxt = b->r[i].end;
}

/* How far data from SND.NXT on may go because of what was SACKed. */
static u32 nic_sacked_limit(const struct nic_conn *c, u32 len)
{
	const struct nic_scoreboard *b = nic_board(c);
	u32 i;

	if (c->snd_nxt == c->snd_max)
		return len;
	len = min(len, c->snd_max - c->snd_nxt);
	for (i = 0; b && i < b->n; i++)
		if (nic_after(b->r[i].start, c->snd_nxt))
			return min(len, b->r[i].start - c->snd_nxt);
	return len;
}

/* May a segment shorter than an MSS that ends at end go out? */
static bool nic_small_ok(const struct nic_conn *c, u32 end, bool fin)
{
	if (fin || nic_before(c->snd_nxt, c->snd_max))
		return true;
	if (end == c->snd_end) {
		if (!nic_after(end, c->flush_seq))
			return true;
		if (c->cached.flags & CHIM_CACHED_CORK ||
		    nic_before(c->push_seq, end))
			return false;
		/* Nagle as modified by Minshall. */
		return !(c->cached.flags & CHIMNEY_CACHED_FLAG_NAGLING) ||
		       !nic_after(c->snd_sml, c->snd_una);
	}
	/* Window-limited: sender SWS avoidance, RFC 9293 MUST-38, SWS-3. */
	return end - c->snd_nxt >= c->max_snd_wnd / 2;
}

/* Nothing in flight would bring an ACK: something must wake us up. */
static void nic_blocked(struct nic_conn *c)
{
	ktime_t now = ktime_get();

	if (!nic_idle(c))
		return;
	if (!c->snd_wnd) {
		if (!(c->flags & NIC_PERSIST))
			chim_nic_persist_enter(c, now);
	} else if (c->t_sws == CHIM_IDLE) {
		c->t_sws = ktime_add_ns(now, NIC_SWS_NS);
	}
}

/**
 * chim_nic_output - send whatever may be sent
 * @c: connection, lock held
 * @force: the send override timer expired: a short segment may go
 */
void chim_nic_output(struct nic_conn *c, bool force)
{
	u32 pipe, room, wnd, len, sent;
	bool fin, short_seg;

	lockdep_assert_held(&c->lock);
	if (c->reason)
		return;
	if (c->flags & NIC_PERSIST)
		return;
	if (c->snd_nxt == nic_snd_limit(c) && nic_idle(c))
		return;
	chim_nic_update_mss(c);

	/* RFC 5681 4.1: restart window after an idle period. */
	if (nic_idle(c) && !c->rtx_count &&
	    (u32)ktime_to_us(ktime_get()) - c->last_send > chim_nic_rto_us(c))
		c->cwnd = min(c->cwnd, NIC_IW_SEGS * c->mss);

	if (c->flags & NIC_RECOVERY &&
	    c->cflags & CHIMNEY_CONST_FLAG_SACK)
		nic_fill_holes(c);

	for (;;) {
		if (nic_before(c->snd_nxt, c->snd_max))
			nic_skip_sacked(c);
		if (c->snd_nxt == nic_snd_limit(c))
			return;
		len = nic_before(c->snd_nxt, c->snd_end) ?
		      c->snd_end - c->snd_nxt : 0;
		len = nic_sacked_limit(c, min(len, NIC_GSO_BYTES));

		pipe = chim_nic_pipe(c);
		room = c->cwnd > pipe ? c->cwnd - pipe : 0;
		/* It may be less than an MSS that has grown; where nothing is
		 * in flight nothing would ever make it more (RFC 5681).
		 */
		if (!pipe)
			room = max(room, c->mss);
		wnd = nic_after(c->snd_una + c->snd_wnd, c->snd_nxt) ?
		      c->snd_una + c->snd_wnd - c->snd_nxt : 0;
		if (len && (!wnd || room < min(len, c->mss)))
			break;
		len = min3(len, wnd, max(room, c->mss));
		if (len > c->mss && len % c->mss) {
			short_seg = nic_small_ok(c, c->snd_nxt + len, false);
			if (!short_seg || c->snd_nxt + len != c->snd_end)
				len -= len % c->mss;
		}
		fin = c->flags & NIC_FIN_POSTED &&
		      c->snd_nxt + len == c->snd_end && wnd > len;
		if (!len && !fin)
			break;
		if (len < c->mss && !force &&
		    !nic_small_ok(c, c->snd_nxt + len, fin))
			break;
		sent = nic_send_data(c, c->snd_nxt, len, fin);
		if (!sent) { /* no memory: as if lost, but try soon */
			if (c->t_sws == CHIM_IDLE)
				c->t_sws = ktime_add_ms(ktime_get(), 2);
			return;
		}
		c->snd_nxt += sent;
		force = false;
	}
	nic_blocked(c);
}

/**
 * chim_nic_window_changed - the host can take more, or less
 * @c: connection, lock held
 *
 * Tells the peer once the window has opened by two segments and at least
 * doubled (RFC 9293 3.8.6.2.2), or with the ACK that was left to the reader.
 */
void chim_nic_window_changed(struct nic_conn *c)
{
	u32 cur = nic_after(c->rcv_adv, c->rcv_nxt) ?
		  c->rcv_adv - c->rcv_nxt : 0;
	u32 want = nic_after(c->rcv_edge, c->rcv_nxt) ?
		   c->rcv_edge - c->rcv_nxt : 0;

	want = min(want, (u32)U16_MAX << c->rcv_wscale);
	if (c->flags & NIC_ACK_DUE ||
	    (want >= cur + min_t(u32, 2 * c->mss,
				 max(c->cached.initial_rcv_wnd / 2, 1U)) &&
	     want >= 2 * cur))
		chim_nic_send_ack(c);
}

#if IS_ENABLED(CONFIG_CHIMNEY_KUNIT_TEST)
#include "nic_output_test.c"
#endif
