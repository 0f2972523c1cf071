/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The internet checksum, for programs that make their own packets.
 */
#ifndef _INET_SUM_H
#define _INET_SUM_H

#include <stddef.h>

#include <linux/types.h>

static inline __u32 sum16(const void *data, size_t len, __u32 sum)
{
	const __u8 *p = data;

	for (; len > 1; len -= 2, p += 2)
		sum += p[0] << 8 | p[1];
	if (len)
		sum += *p << 8;
	return sum;
}

static inline __u16 fold(__u32 sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

#endif /* _INET_SUM_H */
