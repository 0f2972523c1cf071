/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernels this is built for. Everything else reads
 * as for the newest of them.
 */
#ifndef _CHIM_COMPAT_H
#define _CHIM_COMPAT_H

#include <net/inet_connection_sock.h>

/* The timer that inet_csk_reset_keepalive_timer() sets. */
static inline const struct timer_list *
chim_keepalive_timer(const struct sock *sk)
{
#ifdef CHIM_HAVE_ICSK_KEEPALIVE_TIMER
	return &inet_csk(sk)->icsk_keepalive_timer;
#else
	return &sk->sk_timer; /* Linux 6.1.176 and older */
#endif
}

#endif /* _CHIM_COMPAT_H */
