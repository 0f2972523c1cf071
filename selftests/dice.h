/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Numbers that look random and follow from a seed.
 */
#ifndef _DICE_H
#define _DICE_H

#include <linux/types.h>

static inline __u64 mix(__u64 x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static inline __u32 any(__u64 *state)
{
	*state = mix(*state);
	return *state >> 32;
}

#endif /* _DICE_H */
