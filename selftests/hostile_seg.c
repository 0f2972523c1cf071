// SPDX-License-Identifier: GPL-2.0
/*
 * Segments of "hostile": built for the wire, and put into words.
 */
#include <net/ethernet.h>
#include <netinet/in.h>
#include <string.h>

#include "dice.h"
#include "hostile.h"
#include "inet_sum.h"
#include "sock_pair.h"

static void put16(__u8 *p, __u16 v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static void put32(__u8 *p, __u32 v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

/* IPv4 header without options for len bytes behind it; returns its size. */
size_t put_ip4(__u8 *ip, const __u8 *src, const __u8 *dst, int proto,
	       size_t len)
{
	memset(ip, 0, 20);
	ip[0] = 0x45;
	put16(ip + 2, 20 + len);
	ip[8] = 64;
	ip[9] = proto;
	memcpy(ip + 12, src, 4);
	memcpy(ip + 16, dst, 4);
	put16(ip + 10, fold(sum16(ip, 20, 0)));
	return 20;
}

static size_t put_ip6(__u8 *ip, const struct flow *f, __u8 tos, size_t len)
{
	memset(ip, 0, 8);
	ip[0] = 0x60 | tos >> 4;
	ip[1] = tos << 4;
	put16(ip + 4, len);
	ip[6] = IPPROTO_TCP;
	ip[7] = 64;
	memcpy(ip + 8, f->peer, 16);
	memcpy(ip + 24, f->host, 16);
	return 40;
}

/* The header of a datagram whose payload lies behind, with what is wrong. */
static size_t put_ip(__u8 *ip, const struct seg *s, const struct flow *f,
		     size_t len)
{
	if (f->family == AF_INET6) {
		put_ip6(ip, f, s->tos, len + s->ip_len);
		return 40;
	}
	put_ip4(ip, f->peer, f->host, IPPROTO_TCP, len);
	if (s->ip_words)
		memset(ip + 20, 1, 4 * s->ip_words); /* NOP */
	ip[0] += s->ip_words;
	ip[1] = s->tos;
	put16(ip + 2, 20 + 4 * s->ip_words + len + s->ip_len);
	if (!s->piece)
		ip[6] = 0x40;
	put16(ip + 10, 0);
	put16(ip + 10, fold(sum16(ip, 20 + 4 * s->ip_words, 0)) ^
		       s->bad_ip_sum);
	return 20 + 4 * s->ip_words;
}

static size_t put_stamp(__u8 *p, const struct seg *s, const struct flow *f)
{
	memcpy(p, "\1\1\10\12", 4);
	put32(p + 4, f->tsval + s->tsval);
	put32(p + 8, s->no_tsecr ? 0 : f->tsecr);
	return 12;
}

static size_t put_options(__u8 *p, const struct seg *s, const struct flow *f)
{
	bool ts = s->ts && f->ts;
	size_t n = 0;

	if (ts && !s->ts_last)
		n += put_stamp(p, s, f);
	if (s->sack) {
		memcpy(p + n, "\1\1\5\12", 4);
		put32(p + n + 4, f->snd_una + s->sack_start);
		put32(p + n + 8, f->snd_una + s->sack_end);
		n += 12;
	}
	memcpy(p + n, s->opt, s->n_opt);
	n += s->n_opt;
	while (n % 4)
		p[n++] = 1;
	if (ts && s->ts_last)
		n += put_stamp(p + n, s, f);
	return n;
}

static void put_tcp(__u8 *tcp, const struct seg *s, const struct flow *f,
		    size_t hlen)
{
	__u32 seq = (s->from_edge ? f->edge : f->rcv_nxt) + s->seq, i;
	__u32 ack = (s->from_nxt ? f->snd_nxt : f->snd_una) + s->ack;
	int alen = f->family == AF_INET ? 4 : 16;
	size_t len = hlen + s->len;
	__u32 sum;

	memset(tcp, 0, 20);
	put16(tcp, f->pport);
	put16(tcp + 2, f->hport);
	put32(tcp + 4, seq);
	put32(tcp + 8, ack);
	tcp[12] = (hlen / 4 + s->doff) << 4;
	tcp[13] = s->flags;
	put16(tcp + 14, s->wnd);
	put16(tcp + 18, s->urg);
	fill(tcp + hlen, s->len, seq - f->first);
	for (i = 0; i < s->other; i++)
		tcp[hlen + i] ^= 0xa5;
	sum = sum16(f->peer, alen, IPPROTO_TCP + len);
	sum = sum16(f->host, alen, sum);
	put16(tcp + 16, fold(sum16(tcp, len, sum)) ^ s->bad_sum);
}

/* What the wire needs in front of an IP header; the addresses come later. */
size_t frame_start(__u8 *frame, int family)
{
	put16(frame + 12, family == AF_INET ? ETHERTYPE_IP : ETHERTYPE_IPV6);
	return ETH_HLEN;
}

static void send_pieces(__u8 *frame, const struct seg *s,
			const struct flow *f, const __u8 *tcp, size_t len)
{
	static __u16 id;
	size_t at, n;
	__u8 *ip;

	id++;
	for (at = 0; at < len; at += n) {
		ip = frame + frame_start(frame, f->family);
		n = len - at < s->piece ? len - at : s->piece;
		memcpy(ip + put_ip(ip, s, f, n), tcp + at, n);
		put16(ip + 4, id);
		put16(ip + 6, at / 8 | (at + n < len ? 0x2000 : 0));
		put16(ip + 10, 0);
		put16(ip + 10, fold(sum16(ip, 20 + 4 * s->ip_words, 0)));
		wire_send(frame, ip - frame + 20 + 4 * s->ip_words + n);
	}
}

void seg_send(const struct seg *s, const struct flow *f)
{
	static __u8 frame[FRAME_MAX], piece[FRAME_MAX];
	size_t n = frame_start(frame, f->family), hlen, iphl;
	__u8 *ip = frame + n, *tcp;

	iphl = f->family == AF_INET ? 20 + 4 * s->ip_words : 40;
	tcp = ip + iphl;
	hlen = 20 + put_options(tcp + 20, s, f);
	put_tcp(tcp, s, f, hlen);
	if (s->piece && f->family == AF_INET) {
		send_pieces(piece, s, f, tcp, hlen + s->len);
		return;
	}
	put_ip(ip, s, f, hlen + s->len);
	wire_send(frame, n + iphl + hlen + s->len);
}

/* Options that have no business there, some of them malformed. */
void seg_options(struct seg *s, __u64 *dice)
{
	static const __u8 md5[18] = { 19, 18, 'm', 'd', '5' };
	static const __u8 lengths[] = { 0, 1, 200, 255 };
	__u32 room = OPT_MAX - 12, i, n;
	__u8 *o = s->opt;

	s->ts_last = any(dice) % 4 == 0;
	switch (any(dice) % 10) {
	case 0: /* MSS */
		memcpy(o, "\2\4\0\100", 4);
		s->n_opt = 4;
		break;
	case 1: /* window scale */
		memcpy(o, "\3\3\16", 3);
		s->n_opt = 3;
		break;
	case 2: /* unknown */
		o[0] = 254;
		o[1] = 2 + any(dice) % 10;
		s->n_opt = o[1];
		break;
	case 3: /* no length, too short, too long */
		o[0] = 5 + any(dice) % 4;
		o[1] = lengths[any(dice) % 4];
		s->n_opt = 2 + any(dice) % 8;
		break;
	case 4: /* nothing but NOP, or the end and something behind it */
		memset(o, any(dice) % 2, room);
		s->n_opt = 4 * (1 + any(dice) % (room / 4));
		break;
	case 5: /* SACK of any content; timestamps of a wrong length */
		n = any(dice) % (room - 2);
		o[0] = any(dice) % 2 ? 5 : 8;
		n += o[0] == 8 && n == 8;
		o[1] = 2 + n;
		for (i = 0; i < n; i++)
			o[2 + i] = any(dice);
		s->n_opt = 2 + n;
		break;
	case 6:
		memcpy(o, md5, sizeof(md5));
		s->n_opt = sizeof(md5);
		break;
	case 7: /* SACK permitted, as in a SYN */
		memcpy(o, "\4\2", 2);
		s->n_opt = 2;
		break;
	case 8: /* the last byte is a kind without a length */
		memset(o, 1, 4);
		o[3] = 8;
		s->n_opt = 4;
		s->ts_last = false;
		break;
	default:
		n = any(dice) % room;
		for (i = 0; i < n; i++)
			o[i] = any(dice) | 1; /* no timestamps */
		s->n_opt = n;
	}
}

void seg_print(FILE *out, const struct seg *s)
{
	static const char letters[] = "FSRPAUEC";
	int i;

	fprintf(out, "seq=%s%+d ack=%s%+d flags=", s->from_edge ? "edge" :
		"nxt", s->seq, s->from_nxt ? "nxt" : "una", s->ack);
	for (i = 0; i < 8; i++)
		if (s->flags & 1 << i)
			fputc(letters[i], out);
	fprintf(out, " len=%u%s wnd=%u", s->len, s->other ? "!" : "", s->wnd);
	if (s->ts)
		fprintf(out, " ts%+d%s", s->tsval, s->no_tsecr ? "/0" : "");
	if (s->sack)
		fprintf(out, " sack=una%+d:%+d", s->sack_start, s->sack_end);
	if (s->urg)
		fprintf(out, " urg=%u", s->urg);
	if (s->tos)
		fprintf(out, " tos=%u", s->tos);
	if (s->doff)
		fprintf(out, " doff%+d", s->doff);
	if (s->ip_len)
		fprintf(out, " ip-len%+d", s->ip_len);
	if (s->bad_sum || s->bad_ip_sum)
		fprintf(out, " bad-sum=%s%s", s->bad_sum ? "tcp" : "",
			s->bad_ip_sum ? "ip" : "");
	if (s->ip_words)
		fprintf(out, " ip-options=%u", s->ip_words);
	if (s->piece)
		fprintf(out, " pieces=%u", s->piece);
	for (i = 0; i < s->n_opt; i++)
		fprintf(out, "%s%02x", i ? "" : " options=", s->opt[i]);
	if (s->n_opt && s->ts_last)
		fprintf(out, " before ts");
	fputc('\n', out);
}
