// SPDX-License-Identifier: GPL-2.0
/*
 * Part of "hostile": the list of excuses, and which of them a segment has. What
 * is not excused here is a failure, so that this file is the place to read in
 * what the NIC differs from Linux 6.1, on purpose, and Linux from it since.
 */
#include <netinet/tcp.h>
#include <sys/utsname.h>

#include "hostile_excuse.h"

#define ENDS_MAX	65	/* as many as a case has segments, and one */

const char * const excuse_names[EXCUSES] = {
	[BRA_1] = "BRA-1: RST before RCV.NXT is outside, whatever it carries",
	[BRA_3] = "BRA-3: RST in the window is challenged, and once",
	[BRA_5] = "BRA-5: SYN at RCV.NXT is the end",
	[BRA_6] = "BRA-6: SYN in the window is challenged every 3 s",
	[RST_AT_EDGE] = "RFC 9293: the window's right edge is outside for RST",
	[UNSENT_ACKED] = "RFC 9293: ACK of what was not sent is answered",
	[NO_ACK_BIT] = "RFC 9293: SEG.SEQ is looked at before the ACK bit",
	[OLD_ACK] = "RFC 5961 5.2: an old ACK in reach of MAX.SND.WND is fine",
	[OLD_DATA] = "RFC 9293: wholly old data: nor is its ACK taken",
	[ONE_TICK] = "RFC 7323 5.3 R1: not even one tick back",
	[BEYOND_WINDOW] = "RFC 9293: data beyond the window is cut off",
	[BEYOND_FIN] = "RFC 9293: data behind a FIN is ignored",
	[WINDOW_AHEAD] = "RFC 9293: no window from before SND.WL1",
	[OOW_RATE] = "one ACK for empty segments, or for bad ACKs, in 500 ms",
	[URGENT] = "URG-2: goes up first",
	[SLOW_PATH] = "OPT-1: goes up, and is to be sent again",
	[ODD_OPTION] = "Linux 6.7: no segment with an option of no such length",
	[OLD_ACK_PAWS] = "Linux 6.14: no ACK for an old one that fails PAWS",
	[FAST_PATH] = "Linux takes what it predicted, whatever the ACK",
	[PROBED] = "PST-9: with a byte of data a shut window is probed",
	[ON_DATA] = "the ACK is on data",
};

/* Of the case so far. */
static struct scene scene;
static bool challenged, syn_answered, oow_answered, hole, fin_ahead;
static __u32 ends[ENDS_MAX];
static unsigned int n_ends;

static bool linux_since(unsigned int major, unsigned int minor)
{
	static unsigned int is_major, is_minor;
	struct utsname u;

	if (!is_major && !uname(&u))
		sscanf(u.release, "%u.%u", &is_major, &is_minor);
	return is_major > major || (is_major == major && is_minor >= minor);
}

void excuse_begin(const struct scene *sc)
{
	scene = *sc;
	challenged = false;
	syn_answered = false;
	oow_answered = false;
	hole = scene.start == HOLE;
	fin_ahead = false;
	n_ends = 0;
	if (hole)
		ends[n_ends++] = scene.first + HOLE_END;
}

/* Bytes of header, as the segment says, and all its bytes. */
static int header_of(const struct seg *s, int *total)
{
	int opt = s->n_opt + 12 * ((s->ts && scene.ts) + s->sack);
	int words = 5 + (opt + 3) / 4;

	*total = 4 * words + s->len;
	return ((words + s->doff) & 15) * 4;
}

static bool dropped_by_both(const struct seg *s, const struct flow *f)
{
	int total, hlen = header_of(s, &total);

	return s->bad_sum || s->ip_len || hlen < 20 || hlen > total ||
	       (s->bad_ip_sum && f->family == AF_INET);
}

/* Where something that came, or may have come, out of order ends. */
static bool is_an_end(__u32 seq)
{
	unsigned int i;

	for (i = 0; i < n_ends; i++)
		if (ends[i] == seq)
			return true;
	return false;
}

/* d and seq are the same place */
static int excuse_rst(__s32 d, __s32 end, __s32 wnd, int state, __u32 seq)
{
	int e = NONE;

	if (d == -1 && (state == TCP_CLOSE_WAIT || state == TCP_LAST_ACK ||
			state == TCP_CLOSING))
		return BRA_1 | FATAL | DROPS;
	if (d < 0 && end >= 0)
		return BRA_1;
	if (d == wnd)
		return RST_AT_EDGE;
	if (d <= 0 || d > wnd)
		return NONE;
	if (scene.sack && is_an_end(seq)) /* maybe the last SACK block's */
		return BRA_3 | FATAL | DROPS;
	if (challenged)
		e = BRA_3;
	challenged = true;
	return e;
}

static int excuse_syn(__s32 d, __s32 wnd)
{
	int e = NONE;

	if (!d)
		return BRA_5 | FATAL;
	if (d < 0 || d >= wnd)
		return NONE;
	if (syn_answered)
		e = BRA_6;
	syn_answered = true;
	return e;
}

static int excuse_empty(void)
{
	int e = oow_answered ? OOW_RATE : NONE;

	oow_answered = true;
	return e;
}

static int excuse_paws(__s32 d)
{
	int e = excuse_empty();

	return d < 0 && linux_since(6, 14) ? OLD_ACK_PAWS : e;
}

static __u32 ack_of(const struct seg *s, const struct flow *f)
{
	return (s->from_nxt ? f->snd_nxt : f->snd_una) + s->ack;
}

/* If so, the host takes the timestamp if it predicted the segment, and that
 * depends on what memory it had left.
 */
bool ack_is_old(const struct seg *s, const struct flow *f)
{
	return s->flags & ACK && (__s32)(f->snd_una - ack_of(s, f)) > 0;
}

/* Is its ACK one that is taken, or of long ago and no harm? */
static bool ack_fits(const struct seg *s, const struct flow *f, __u32 isn)
{
	__s32 acked = f->snd_una - isn;
	__s32 back = f->snd_una - ack_of(s, f);

	if ((__s32)(ack_of(s, f) - f->snd_nxt) > 0)
		return false;
	return back <= 0 ||
	       (back <= acked && back <= 1000 && !(s->flags & CWR));
}

static int excuse_ack(const struct seg *s, const struct flow *f, __u32 isn,
		      __u32 len)
{
	__s32 back = f->snd_una - ack_of(s, f);
	int e;

	if (ack_fits(s, f, isn))
		return NONE;
	e = excuse_empty(); /* the same limit holds for challenges */
	if ((__s32)(ack_of(s, f) - f->snd_nxt) > 0)
		return UNSENT_ACKED;
	if (back > 1 << 30 && len && !s->seq && !s->from_edge &&
	    !(s->flags & ~(ACK | PSH)))
		return FAST_PATH | FATAL | DROPS;
	if (back > 1 << 30)
		return e;
	return len || s->flags & CWR ? OLD_ACK | FATAL : OLD_ACK;
}

/* In what may they differ over this one, if its timestamp is not old? */
static int excuse_text(const struct seg *s, const struct flow *f, __u32 isn,
		       int state, __s32 d, __s32 len)
{
	__s32 wnd = f->edge - f->rcv_nxt, end = d + len + !!(s->flags & FIN);
	int e;

	if (d > wnd || end < 0 || (d < 0 && end == d))
		return end == d ? excuse_empty() : NONE;
	if (end == 0 && d < 0)
		return OLD_DATA | FATAL | DROPS;
	e = excuse_ack(s, f, isn, end - d);
	if (s->flags & URG && e != UNSENT_ACKED) /* TRM-11: no holes */
		return hole || e ? URGENT | FATAL : URGENT | LAST;
	if (e)
		return e;
	/* Surely accepted, and unsigned: the next RST is challenged again. */
	if (d <= 0 && !s->n_opt && !s->doff && ack_fits(s, f, isn))
		challenged = false;
	if (fin_ahead && len)
		return BEYOND_FIN | FATAL;
	if (state == TCP_CLOSE_WAIT || state == TCP_CLOSING ||
	    state == TCP_LAST_ACK)
		return d < 0 && end > 0 ? BEYOND_FIN | FATAL : NONE;
	if (d < wnd && d + len > wnd)
		return BEYOND_WINDOW | FATAL;
	hole |= d > 0 && end > d;
	fin_ahead |= d > 0 && s->flags & FIN;
	return scene.start == NO_WINDOW && d > 0 ? WINDOW_AHEAD | FATAL : NONE;
}

/* In what may the two differ over this one? */
int excuse_of(const struct seg *s, const struct flow *f, __u32 isn, int state)
{
	__s32 wnd = f->edge - f->rcv_nxt, d, len, end, total;
	bool old_ts = s->ts && scene.ts && s->tsval < -1;
	int e;

	if (dropped_by_both(s, f))
		return NONE;
	if (s->ip_words && f->family == AF_INET)
		return SLOW_PATH | FATAL | (s->flags & RST ? 0 : DROPS);
	if ((s->n_opt || s->doff) && linux_since(6, 7))
		return ODD_OPTION | FATAL;
	d = s->seq + (s->from_edge ? wnd : 0);
	len = -header_of(s, &total);
	len += total;
	end = d + len + !!(s->flags & FIN);
	if (s->flags & RST)
		return excuse_rst(d, end + !!(s->flags & SYN), wnd, state,
				  f->rcv_nxt + d);
	if (d > 0 && end > d && !(s->flags & SYN) && n_ends < ENDS_MAX)
		ends[n_ends++] = f->rcv_nxt + end;
	if (s->ts && scene.ts && s->tsval == -1)
		return ONE_TICK | FATAL;
	if (!(s->flags & (ACK | SYN))) {
		if (end == d)
			excuse_empty();
		return NO_ACK_BIT;
	}
	if (old_ts && scene.zero_ts)
		return OOW_RATE | FATAL; /* there may be no TS.Recent yet */
	if (old_ts && !s->n_opt)
		return end == d && !(s->flags & SYN) ? excuse_paws(d) : NONE;
	if (s->flags & SYN) {
		e = excuse_syn(d, wnd);
		return e & FATAL && !s->n_opt && !s->doff ? e | DIES : e;
	}
	if (old_ts) /* may be hidden by other options */
		excuse_empty();
	e = excuse_text(s, f, isn, state, d, len);
	return old_ts && !e ? OOW_RATE : e;
}
