// SPDX-License-Identifier: GPL-2.0
/*
 * A segment arrived: RFC 9293 3.10.7.4 with the checks of RFC 5961 and
 * RFC 7323, acknowledgements, loss recovery, reassembly.
 * Called by chim_nic_rx() and by the host's forward call; everything here
 * lives under the connection lock.
 */
#include <net/inet_ecn.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "nic.h"

/**
 * struct nic_seg - what the header of a segment says
 * @now: time of arrival
 * @seq: SEG.SEQ
 * @end: behind the last of data, SYN and FIN
 * @ack: SEG.ACK
 * @wnd: SEG.WND, scaled
 * @len: bytes of payload
 * @flags: TCP flags
 * @has_ts: timestamp option present and negotiated
 * @tsval: its value
 * @tsecr: its echo
 * @md5: carries a TCP MD5 signature, which no connection here has a key for
 * @n_sack: SACK blocks present and negotiated
 * @sack: the blocks
 */
struct nic_seg {
	ktime_t now;
	u32 seq;
	u32 end;
	u32 ack;
	u32 wnd;
	u32 len;
	u8 flags;
	bool has_ts;
	u32 tsval;
	u32 tsecr;
	bool md5;
	u32 n_sack;
	struct nic_range sack[4];
};

static void nic_parse_sack(struct nic_seg *s, const u8 *p, u32 len)
{
	for (; len >= 8 && s->n_sack < ARRAY_SIZE(s->sack); len -= 8, p += 8) {
		s->sack[s->n_sack].start = get_unaligned_be32(p);
		s->sack[s->n_sack].end = get_unaligned_be32(p + 4);
		s->n_sack++;
	}
}

static void nic_parse(const struct nic_conn *c, struct sk_buff *skb,
		      struct nic_seg *s)
{
	const struct tcphdr *th = tcp_hdr(skb);
	u32 hlen = th->doff * 4, left = hlen - sizeof(*th);
	const u8 *p = (const u8 *)(th + 1);

	memset(s, 0, sizeof(*s));
	s->now = ktime_get();
	s->flags = tcp_flag_byte(th);
	s->seq = ntohl(th->seq);
	s->ack = ntohl(th->ack_seq);
	s->wnd = (u32)ntohs(th->window) << c->snd_wscale;
	s->len = skb->len - hlen;
	s->end = s->seq + s->len + th->syn + th->fin;

	while (left) {
		u8 op = *p, oplen;

		if (op == TCPOPT_EOL)
			break;
		if (op == TCPOPT_NOP) {
			p++;
			left--;
			continue;
		}
		if (left < 2)
			break;
		oplen = p[1];
		if (oplen < 2 || oplen > left)
			break;
		if (op == TCPOPT_TIMESTAMP && oplen == TCPOLEN_TIMESTAMP &&
		    c->cflags & CHIMNEY_CONST_FLAG_TIMESTAMP) {
			s->has_ts = true;
			s->tsval = get_unaligned_be32(p + 2);
			s->tsecr = get_unaligned_be32(p + 6);
		} else if (op == TCPOPT_SACK &&
			   c->cflags & CHIMNEY_CONST_FLAG_SACK) {
			nic_parse_sack(s, p + 2, oplen - 2);
		} else if (op == TCPOPT_MD5SIG && oplen == TCPOLEN_MD5SIG) {
			s->md5 = true;
		}
		p += oplen;
		left -= oplen;
	}
}

/* Is the timestamp no older than TS.Recent? That is void after 24 days, and
 * where a peer sent its SYN with 0, as some do, until it says more.
 */
static bool nic_ts_fresh(const struct nic_conn *c, const struct nic_seg *s)
{
	return (s32)(s->tsval - c->ts_recent) >= 0 || !c->ts_recent ||
	       ktime_to_ns(ktime_sub(s->now, c->ts_stamp)) > NIC_PAWS_NS;
}

/* PAWS, RFC 7323 5.3 R1. */
static bool nic_paws_ok(const struct nic_conn *c, const struct nic_seg *s)
{
	return !s->has_ts || s->flags & TCPHDR_RST || nic_ts_fresh(c, s);
}

/* RFC 9293 3.10.7.4 first check. The window is what we last offered. */
static bool nic_in_window(const struct nic_conn *c, const struct nic_seg *s)
{
	u32 wnd = nic_after(c->rcv_adv, c->rcv_nxt) ?
		  c->rcv_adv - c->rcv_nxt : 0;

	if (nic_before(s->end, c->rcv_nxt))
		return false;
	if (s->end == c->rcv_nxt && s->end != s->seq)
		return false; /* wholly old */
	return !nic_after(s->seq, c->rcv_nxt + wnd);
}

/* At most one answer in ms milliseconds; *last is 0 before the first. */
static bool nic_ratelimit(u32 *last, ktime_t now, u32 ms)
{
	u32 t = max_t(u32, ktime_to_ms(now), 1);

	if (*last && t - *last < ms)
		return false;
	*last = t;
	return true;
}

/* Answer something unacceptable, but do not feed an ACK loop. */
static void nic_ack_unacceptable(struct nic_conn *c, const struct nic_seg *s)
{
	/* A single byte is a probe; nothing is allocated for idle ones. */
	if (s->len > 1 && nic_before(s->seq, c->rcv_nxt) &&
	    !nic_after(s->end, c->rcv_nxt))
		chim_nic_dsack(c, s->seq, s->end);
	/* A keepalive probe is answered at once [KA7]. */
	if (s->len || s->flags & (TCPHDR_SYN | TCPHDR_FIN) ||
	    nic_ratelimit(&c->last_oow, s->now, NIC_OOW_ACK_MS))
		c->flags |= NIC_ACK_NOW;
}

/* Per connection, never a shared budget [SEC-2]. */
static void nic_challenge(struct nic_conn *c, const struct nic_seg *s)
{
	chim_count(c->key.cd, CHIM_CNT_CHALLENGE_ACKS);
	c->flags |= NIC_ACK_NOW;
	chim_nic_mitigate(c, s->now);
}

/**
 * chim_nic_hold - keep a segment that is not to be processed now
 * @c: connection, lock held
 * @skb: segment, data at the TCP header; taken
 */
void chim_nic_hold(struct nic_conn *c, struct sk_buff *skb)
{
	struct nic_disorder *d = chim_nic_disorder(c);

	if (!d || skb_queue_len(&d->held) >= NIC_HELD_MAX)
		kfree_skb(skb);
	else
		__skb_queue_tail(&d->held, skb);
}

/* RST: BRA-1..3, RFC 5961 3.2. */
static void nic_rst(struct nic_conn *c, const struct nic_seg *s)
{
	if (s->seq == c->rcv_nxt) {
		chim_nic_ask_upload(c, CHIMNEY_REASON_ABORT);
		return;
	}
	if (nic_before(s->seq, c->rcv_nxt) ||
	    !nic_before(s->seq, c->rcv_adv) || c->flags & NIC_CHALLENGED)
		return;
	c->flags |= NIC_CHALLENGED;
	nic_challenge(c, s);
}

/* SYN: BRA-4..6. */
static void nic_syn(struct nic_conn *c, const struct nic_seg *s)
{
	struct nic_disorder *d;

	if (s->seq == c->rcv_nxt) { /* BRA-5, SYN-1 */
		chim_nic_ask_upload(c, CHIMNEY_REASON_ABORT);
		return;
	}
	if (nic_before(s->seq, c->rcv_nxt) ||
	    !nic_before(s->seq, c->rcv_adv)) {
		c->flags |= NIC_ACK_NOW;
		return;
	}
	d = chim_nic_disorder(c);
	if (d && nic_ratelimit(&d->last_syn, s->now, NIC_SYN_ACK_MS))
		nic_challenge(c, s);
}

static void nic_ts_update(struct nic_conn *c, const struct nic_seg *s)
{
	/* RFC 7323 4.3 (2) */
	if (s->has_ts && !nic_after(s->seq, c->last_ack) &&
	    nic_ts_fresh(c, s)) {
		c->ts_recent = s->tsval;
		c->ts_stamp = s->now;
	}
}

/* Enter one SACKed range into the scoreboard. */
static bool nic_board_add(struct nic_scoreboard *b, u32 start, u32 end)
{
	u32 i, j;

	for (i = 0; i < b->n && nic_before(b->r[i].end, start); i++)
		;
	for (j = i; j < b->n && !nic_after(b->r[j].start, end); j++)
		;
	if (i < j) { /* touches ranges i..j-1 */
		if (i + 1 == j && !nic_after(b->r[i].start, start) &&
		    !nic_before(b->r[i].end, end))
			return false;
		if (nic_before(b->r[i].start, start))
			start = b->r[i].start;
		if (nic_after(b->r[j - 1].end, end))
			end = b->r[j - 1].end;
	} else if (b->n == NIC_SACK_MAX) {
		return false; /* forgotten: at worst it is sent again */
	}
	memmove(&b->r[i + 1], &b->r[j], (b->n - j) * sizeof(b->r[0]));
	b->n += i + 1 - j;
	b->r[i].start = start;
	b->r[i].end = end;
	return true;
}

/* Drop what a cumulative ACK covers. */
static void nic_board_trim(struct nic_scoreboard *b, u32 una)
{
	u32 i;

	for (i = 0; i < b->n && !nic_after(b->r[i].end, una); i++)
		;
	if (i) {
		b->n -= i;
		memmove(&b->r[0], &b->r[i], b->n * sizeof(b->r[0]));
	}
	if (b->n && nic_before(b->r[0].start, una))
		b->r[0].start = una;
}

/* Returns whether something new was SACKed. Blocks are taken as distances from
 * SND.UNA: both ends of one that is half a circle long would seem to be in
 * order wherever they are.
 */
static bool nic_sacked(struct nic_conn *c, const struct nic_seg *s)
{
	u32 flight = c->snd_max - c->snd_una;
	bool news = false;
	u32 i;

	for (i = 0; i < s->n_sack; i++) {
		u32 start = s->sack[i].start - c->snd_una;
		u32 end = s->sack[i].end - c->snd_una;

		if (start >= end || end > flight)
			continue; /* D-SACK or nonsense */
		if (!start)
			continue; /* would contradict the ACK: reneging */
		if (chim_nic_disorder(c))
			news |= nic_board_add(nic_board(c), s->sack[i].start,
					      s->sack[i].end);
	}
	return news;
}

static void nic_free_acked(struct nic_conn *c)
{
	struct sk_buff *skb;

	while ((skb = nic_queue_head(&c->txq)) &&
	       !nic_after(TCP_SKB_CB(skb)->end_seq, c->snd_una))
		consume_skb(nic_queue_pop(&c->txq));
}

static void nic_enter_recovery(struct nic_conn *c)
{
	u32 flight = c->snd_max - c->snd_una;

	chim_nic_update_mss(c);
	c->flags |= NIC_RECOVERY;
	c->recover = c->snd_max;
	c->high_rxt = c->snd_una;
	/* CERT-2, RFC 5681 3.2 */
	c->ssthresh = max(min(flight, c->max_snd_wnd) / 2, 2 * c->mss);
	c->cwnd = c->ssthresh;
	if (!(c->cflags & CHIMNEY_CONST_FLAG_SACK))
		c->cwnd += 3 * c->mss;
	chim_nic_retransmit_one(c);
}

static void nic_dupack(struct nic_conn *c)
{
	u32 thresh = READ_ONCE(c->key.cd->params.dupacks);

	if (c->dupacks < U8_MAX)
		c->dupacks++;
	if (c->flags & NIC_RECOVERY) {
		if (!(c->cflags & CHIMNEY_CONST_FLAG_SACK))
			c->cwnd += c->mss; /* inflation, RFC 6582 */
		return;
	}
	/* After a timeout what comes are echoes of the resent (RFC 6582 4). */
	if (c->flags & NIC_LOSS)
		return;
	if (c->dupacks >= thresh ||
	    (nic_board(c) && nic_board(c)->n &&
	     chim_nic_is_lost(c, c->snd_una)))
		nic_enter_recovery(c);
}

/* Grow the congestion window for acked bytes: CERT-2, ABC with L = 4. */
static void nic_grow(struct nic_conn *c, u32 acked, u32 flight)
{
	/* Only if the window was what limited us (RFC 7661). */
	if (2 * flight < c->cwnd)
		return;
	if (c->cwnd < c->ssthresh)
		c->cwnd += min(acked, 4 * c->mss);
	else
		c->cwnd += max_t(u32, div_u64((u64)c->mss *
					      min(4 * c->mss, acked),
					      c->cwnd), 1);
	c->cwnd = min(c->cwnd, 1U << 30);
}

static void nic_recovery_acked(struct nic_conn *c, u32 acked)
{
	if (!nic_before(c->snd_una, c->recover)) {
		/* Deflate, RFC 6582 3.2 (full ACK). */
		c->flags &= ~NIC_RECOVERY;
		c->cwnd = c->ssthresh;
		c->dupacks = 0;
		return;
	}
	if (nic_after(c->snd_una, c->high_rxt))
		c->high_rxt = c->snd_una;
	if (c->cflags & CHIMNEY_CONST_FLAG_SACK)
		return;
	chim_nic_retransmit_one(c); /* partial ACK */
	c->cwnd -= min(acked, c->cwnd - min(c->cwnd, c->mss));
	if (acked >= c->mss)
		c->cwnd += c->mss;
}

static void nic_rtt(struct nic_conn *c, const struct nic_seg *s)
{
	if (c->flags & NIC_RTT_TIMING && !nic_before(s->ack, c->rtt_seq)) {
		c->flags &= ~NIC_RTT_TIMING;
		chim_nic_rtt_sample(c, (u32)ktime_to_us(s->now) -
				       c->rtt_start);
	} else if (s->has_ts && s->tsecr &&
		   (c->backoff || !c->srtt_us ||
		    c->flags & (NIC_RECOVERY | NIC_LOSS))) {
		/* Where no segment is timed the echo tells, in ms; also for
		 * what the host stamped: it is one clock [TS-4].
		 */
		u32 ms = nic_ts_now(c, s->now) - s->tsecr;

		if (ms < 30 * MSEC_PER_SEC)
			chim_nic_rtt_sample(c, max(ms, 1U) * USEC_PER_MSEC);
	}
}

/* The peer acknowledged our FIN. */
static void nic_fin_acked(struct nic_conn *c)
{
	switch (c->state) {
	case CHIMNEY_TCP_STATE_FIN_WAIT1:
		/* The FIN may have been a window probe. */
		c->flags &= ~NIC_PERSIST;
		c->probe_round = 0;
		c->t_rtx = CHIM_IDLE;
		chim_nic_set_state(c, CHIMNEY_TCP_STATE_FIN_WAIT2);
		break;
	case CHIMNEY_TCP_STATE_CLOSING:
		chim_nic_set_state(c, CHIMNEY_TCP_STATE_TIME_WAIT);
		break;
	case CHIMNEY_TCP_STATE_LAST_ACK:
		chim_nic_set_state(c, CHIMNEY_TCP_STATE_CLOSED);
		break;
	}
}

static void nic_acked(struct nic_conn *c, const struct nic_seg *s)
{
	u32 acked = s->ack - c->snd_una;
	u32 flight = c->snd_nxt - c->snd_una;

	c->snd_una = s->ack;
	if (nic_before(c->snd_nxt, c->snd_una))
		c->snd_nxt = c->snd_una;
	if (nic_before(c->snd_sml, c->snd_una))
		c->snd_sml = c->snd_una;
	if (nic_before(c->flush_seq, c->snd_una))
		c->flush_seq = c->snd_una;
	c->flags |= NIC_EVENT | NIC_CONFIRM;
	nic_rtt(c, s);
	nic_free_acked(c);
	if (nic_board(c))
		nic_board_trim(nic_board(c), c->snd_una);

	if (c->flags & NIC_RECOVERY) {
		nic_recovery_acked(c, acked);
	} else {
		c->dupacks = 0;
		nic_grow(c, acked, flight);
	}
	if (c->flags & NIC_LOSS && !nic_before(c->snd_una, c->recover))
		c->flags &= ~NIC_LOSS;
	if (!(c->flags & NIC_PERSIST))
		chim_nic_rtx_restart(c, s->now);

	if (c->flags & NIC_FIN_POSTED && c->snd_una == c->snd_end + 1)
		nic_fin_acked(c);
}

/* SND.WND, RFC 9293 3.10.7.4 fifth check; persist mode comes and goes. */
static void nic_window(struct nic_conn *c, const struct nic_seg *s)
{
	if (nic_before(c->snd_wl1, s->seq) ||
	    (c->snd_wl1 == s->seq && (!nic_after(c->snd_wl2, s->ack)))) {
		c->snd_wnd = s->wnd;
		c->snd_wl1 = s->seq;
		c->snd_wl2 = s->ack;
		c->max_snd_wnd = max(c->max_snd_wnd, s->wnd);
	}
	if (c->snd_wnd) {
		if (c->flags & NIC_PERSIST) { /* PST-5 */
			c->flags &= ~NIC_PERSIST;
			c->probe_round = 0;
			/* What the window held back was lost with it. */
			c->snd_nxt = c->snd_una;
			chim_nic_rtx_restart(c, s->now);
		}
		return;
	}
	if (c->state == CHIMNEY_TCP_STATE_FIN_WAIT2)
		return;
	if (c->snd_una == nic_snd_limit(c)) { /* nothing to send */
		if (c->flags & NIC_PERSIST) {
			c->flags &= ~NIC_PERSIST;
			chim_nic_rtx_restart(c, s->now);
		}
	} else if (c->flags & NIC_PERSIST) {
		chim_nic_persist_acked(c, s->now); /* PST-4 */
	} else {
		chim_nic_persist_enter(c, s->now); /* PST-1 */
	}
}

/* RFC 5681 2: what makes an ACK a duplicate. */
static bool nic_is_dupack(const struct nic_conn *c, const struct nic_seg *s,
			  u32 old_wnd, bool news)
{
	if (s->ack != c->snd_una || nic_idle(c))
		return false;
	if (c->flags & NIC_PERSIST)
		return false; /* answers a window probe */
	if (c->cflags & CHIMNEY_CONST_FLAG_SACK)
		return news; /* RFC 6675: one that SACKs something new */
	return !s->len && !(s->flags & TCPHDR_FIN) && c->snd_wnd == old_wnd;
}

static void nic_ack(struct nic_conn *c, const struct nic_seg *s)
{
	u32 old_wnd = c->snd_wnd;
	bool news;

	if (nic_after(s->ack, c->snd_una))
		nic_acked(c, s);
	if (c->reason)
		return;
	news = s->n_sack && nic_sacked(c, s);
	if (!nic_before(s->ack, c->snd_una))
		nic_window(c, s);
	if (nic_is_dupack(c, s, old_wnd, news))
		nic_dupack(c);
}

/* Append to the in-order queue. The caller has cut it to start at RCV.NXT. */
static void nic_accept(struct nic_conn *c, struct sk_buff *skb)
{
	c->rcv_nxt = TCP_SKB_CB(skb)->end_seq;
	c->stats.bytes_in += skb->len;
	c->rx_mem += skb->truesize;
	nic_queue_add(&c->rxq, skb);
	c->flags |= NIC_EVENT;
}

static void nic_fin_received(struct nic_conn *c)
{
	c->flags |= NIC_ACK_NOW;
	chim_nic_ooo_purge(c); /* CERT-4 */
	switch (c->state) {
	case CHIMNEY_TCP_STATE_ESTABLISHED:
		chim_nic_set_state(c, CHIMNEY_TCP_STATE_CLOSE_WAIT);
		break;
	case CHIMNEY_TCP_STATE_FIN_WAIT1:
		chim_nic_set_state(c, CHIMNEY_TCP_STATE_CLOSING);
		break;
	case CHIMNEY_TCP_STATE_FIN_WAIT2:
		c->t_rtx = CHIM_IDLE;
		chim_nic_set_state(c, CHIMNEY_TCP_STATE_TIME_WAIT);
		break;
	}
}

/* Move what has become in-order. Returns whether it ended with a FIN. */
static bool nic_drain_ooo(struct nic_conn *c)
{
	struct sk_buff *skb;

	while ((skb = chim_nic_ooo_next(c))) {
		nic_accept(c, skb);
		if (TCP_SKB_CB(skb)->tcp_flags & TCPHDR_FIN)
			return true;
	}
	return false;
}

/* RFC 9293 3.8.6.3: an ACK at the latest for the second full segment. */
static void nic_owe_ack(struct nic_conn *c, const struct nic_seg *s)
{
	u32 delay = READ_ONCE(c->key.cd->params.delayed_ack);
	u32 segs = DIV_ROUND_UP(s->len, c->mss);

	c->ack_segs = min_t(u32, c->ack_segs + segs, U8_MAX);
	if (c->ack_segs >= READ_ONCE(c->key.cd->params.ack_frequency)) {
		if (segs < NIC_BULK_SEGS) {
			c->flags |= NIC_ACK_NOW;
			return;
		}
		/* The ACK of bulk data, and what it sets off, is left to the
		 * CPU of the program that is about to read it.
		 */
		c->flags |= NIC_ACK_DUE;
	}
	if (!(c->flags & NIC_ACK_DELAY)) {
		c->flags |= NIC_ACK_DELAY;
		c->t_ack = ktime_add_ms(s->now, delay);
	}
}

/* After its FIN nothing the peer may send is data. */
static bool nic_peer_is_done(const struct nic_conn *c)
{
	return c->state == CHIMNEY_TCP_STATE_CLOSE_WAIT ||
	       c->state == CHIMNEY_TCP_STATE_CLOSING ||
	       c->state == CHIMNEY_TCP_STATE_LAST_ACK ||
	       c->state == CHIMNEY_TCP_STATE_TIME_WAIT;
}

/* Has a router marked it? */
static bool nic_is_marked(const struct nic_conn *c, const struct sk_buff *skb)
{
	if (!(c->ecn & TCP_ECN_MODE_RFC3168))
		return false;
	return INET_ECN_is_ce(skb->protocol == htons(ETH_P_IP) ?
			      ip_hdr(skb)->tos :
			      ipv6_get_dsfield(ipv6_hdr(skb)));
}

/* Payload and FIN of an acceptable segment. Takes the skb. */
static void nic_data(struct nic_conn *c, struct nic_seg *s,
		     struct sk_buff *skb)
{
	struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	bool had_hole, fin;

	if (s->seq == s->end || nic_peer_is_done(c)) {
		kfree_skb(skb);
		return;
	}
	/* Beyond the window: keep what fits, the rest comes again. */
	if (nic_after(s->seq + s->len, c->rcv_adv)) {
		u32 keep = nic_after(c->rcv_adv, s->seq) ?
			   c->rcv_adv - s->seq : 0;

		c->flags |= NIC_ACK_NOW;
		if (!keep || !nic_after(s->seq + keep, c->rcv_nxt) ||
		    pskb_trim(skb, keep)) {
			kfree_skb(skb);
			return;
		}
		s->len = keep;
		s->end = s->seq + keep;
		cb->end_seq = s->end;
		cb->tcp_flags &= ~TCPHDR_FIN;
	}
	if (s->len && !chim_host_ops.rcv_room(c->host, c->rx_mem)) {
		chim_count(c->key.cd, CHIM_CNT_RX_NO_ROOM);
		c->flags |= NIC_ACK_NOW | NIC_EVENT;
		kfree_skb(skb);
		return;
	}
	/* RFC 3168 6.1.3, of data that is taken: anybody could send others. */
	if (s->len && nic_is_marked(c, skb)) {
		c->ecn |= TCP_ECN_DEMAND_CWR;
		c->flags |= NIC_ACK_NOW;
	}
	if (nic_after(s->seq, c->rcv_nxt)) {
		c->flags |= NIC_ACK_NOW; /* RFC 5681 4.2 */
		chim_nic_ooo_add(c, skb);
		return;
	}
	if (nic_before(s->seq, c->rcv_nxt)) {
		c->flags |= NIC_ACK_NOW;
		chim_nic_dsack(c, s->seq, c->rcv_nxt);
		if (!chim_nic_trim_head(skb, c->rcv_nxt - s->seq)) {
			kfree_skb(skb);
			return;
		}
	}
	had_hole = chim_nic_ooo_any(c);
	nic_accept(c, skb);
	fin = cb->tcp_flags & TCPHDR_FIN;
	if (!fin && had_hole)
		fin = nic_drain_ooo(c);
	if (fin)
		nic_fin_received(c);
	else if (had_hole)
		c->flags |= NIC_ACK_NOW; /* RFC 5681 4.2 */
	else
		nic_owe_ack(c, s);
}

/* The checks before ESTABLISHED processing. Returns whether to go on. */
static bool nic_acceptable(struct nic_conn *c, const struct nic_seg *s)
{
	/* Signed sockets are not offloaded; the host drops it as well. */
	if (s->md5)
		return false;
	if (!nic_paws_ok(c, s)) {
		chim_count(c->key.cd, CHIM_CNT_PAWS_DROPS);
		nic_ack_unacceptable(c, s);
		return false;
	}
	if (s->flags & TCPHDR_RST) {
		nic_rst(c, s);
		return false;
	}
	if (s->flags & TCPHDR_SYN) {
		nic_syn(c, s);
		return false;
	}
	if (!nic_in_window(c, s)) {
		nic_ack_unacceptable(c, s);
		return false;
	}
	if (!(s->flags & TCPHDR_ACK))
		return false;
	/* RFC 5961 5.2; what is older still is an attack or very late. */
	if (nic_after(s->ack, c->snd_max) ||
	    nic_before(s->ack, c->snd_una - c->max_snd_wnd)) {
		chim_count(c->key.cd, CHIM_CNT_CHALLENGE_ACKS);
		/* Whatever it carries: few of them are honest [SEC-2]. */
		if (nic_ratelimit(&c->last_oow, s->now, NIC_OOW_ACK_MS))
			c->flags |= NIC_ACK_NOW;
		return false;
	}
	return true;
}

/**
 * chim_nic_input - process one segment
 * @c: connection, live, lock held
 * @skb: segment, data at the TCP header, network header set, checksum
 *	verified; taken
 */
void chim_nic_input(struct nic_conn *c, struct sk_buff *skb)
{
	u32 hlen = tcp_hdr(skb)->doff * 4;
	struct tcp_skb_cb *cb;
	struct nic_seg s;

	lockdep_assert_held(&c->lock);
	nic_parse(c, skb, &s);
	c->stats.segs_in += max_t(u16, skb_shinfo(skb)->gso_segs, 1);
	chim_count_add(c->key.cd, CHIM_CNT_RX_SEGS,
		       max_t(u16, skb_shinfo(skb)->gso_segs, 1));

	if (c->reason) { /* the host is about to take over [URG-2, TRM-18] */
		if (c->state != CHIMNEY_TCP_STATE_CLOSED)
			chim_nic_hold(c, skb);
		else
			kfree_skb(skb);
		return;
	}
	if (!nic_acceptable(c, &s))
		goto drop;
	if (s.flags & TCPHDR_URG) { /* URG-1, URG-2 */
		chim_nic_ask_upload(c, CHIMNEY_REASON_RECEIVED_URGENT_DATA);
		chim_nic_hold(c, skb);
		return;
	}

	nic_ts_update(c, &s);
	chim_nic_activity(c, s.now);
	if (s.flags & TCPHDR_CWR)
		c->ecn &= ~TCP_ECN_DEMAND_CWR;
	nic_ack(c, &s);
	if (c->reason && c->state == CHIMNEY_TCP_STATE_CLOSED)
		goto drop;

	cb = TCP_SKB_CB(skb);
	memset(cb, 0, sizeof(*cb));
	cb->seq = s.seq;
	cb->end_seq = s.end;
	cb->ack_seq = s.ack;
	cb->tcp_flags = s.flags;
	skb_clear_delivery_time(skb);
	cb->has_rxtstamp = skb->tstamp || skb_hwtstamps(skb)->hwtstamp;
	__skb_pull(skb, hlen);
	skb->dev = NULL;
	skb_dst_drop(skb);
	nf_reset_ct(skb);
	skb_ext_reset(skb);
	nic_data(c, &s, skb);

	chim_nic_output(c, false);
	goto ack;
drop:
	kfree_skb(skb);
ack:
	if (c->flags & NIC_ACK_NOW)
		chim_nic_send_ack(c);
}

#if IS_ENABLED(CONFIG_CHIMNEY_KUNIT_TEST)
#include "nic_input_test.c"
#endif
