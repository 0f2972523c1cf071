// SPDX-License-Identifier: GPL-2.0
/*
 * The words of the command line: numbers, times, and the parameters that
 * "dev set" and cached state have in common.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <linux/chimney.h>

#include "nl.h"
#include "tool.h"

#define NSEC_PER_SEC	1000000000ULL

/* Is @word next? If so, step over it. */
bool args_is(const char *word)
{
	if (!*tool.words || strcmp(*tool.words, word))
		return false;
	tool.words++;
	return true;
}

/* The next word, which must be there. */
const char *args_value(const char *what)
{
	if (!*tool.words)
		usage_error("%s is missing", what);
	return *tool.words++;
}

/* Nothing may be left. */
void args_end(void)
{
	if (*tool.words)
		usage_error("unknown word \"%s\"", *tool.words);
}

/* Decimal, or hexadecimal with 0x; a leading zero does not mean octal. */
__u32 parse_number(const char *what, const char *s)
{
	bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(s, &end, hex ? 16 : 10);
	if (!isdigit((unsigned char)*s) || *end || errno || n > UINT32_MAX)
		usage_error("%s: \"%s\" is not a number from 0 to %u", what, s,
			    UINT32_MAX);
	return n;
}

/* A number with an optional fraction, and ms, s, m or h; to nanoseconds. */
__u64 parse_time(const char *what, const char *s)
{
	static const struct {
		const char *unit;
		__u64 ns;
	} units[] = {
		{ "ms", NSEC_PER_SEC / 1000 },
		{ "s", NSEC_PER_SEC },
		{ "m", 60 * NSEC_PER_SEC },
		{ "h", 3600 * NSEC_PER_SEC },
	};
	__u64 whole, frac = 0, scale = 1;
	unsigned int i;
	char *end;

	errno = 0;
	whole = strtoull(s, &end, 10);
	if (!isdigit((unsigned char)*s))
		goto bad;
	if (*end == '.') {
		if (!isdigit((unsigned char)*++end))
			goto bad;
		for (; isdigit((unsigned char)*end); end++) {
			if (scale == 1000000)
				goto bad;
			frac = 10 * frac + *end - '0';
			scale *= 10;
		}
	}
	if (!*end)
		usage_error("%s: time \"%s\" needs a unit: ms, s, m or h", what,
			    s);
	for (i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (strcmp(end, units[i].unit))
			continue;
		if (errno || whole > UINT64_MAX / 2 / units[i].ns)
			usage_error("%s: time \"%s\" is too long", what, s);
		/* Upwards: what is asked for is the least to wait. */
		return whole * units[i].ns +
		       (frac * units[i].ns + scale - 1) / scale;
	}
bad:
	usage_error("%s: \"%s\" is not a time such as 7200s, 500ms, 2h", what,
		    s);
}

static __u32 time_to_ticks(const char *what, __u64 ns, __u32 hz)
{
	__u64 ticks = ns / NSEC_PER_SEC;

	/* The largest value means "no limit" or "not running". */
	if (ticks >= UINT32_MAX)
		goto bad;
	ticks *= hz;
	ticks += (ns % NSEC_PER_SEC * hz + NSEC_PER_SEC - 1) / NSEC_PER_SEC;
	if (ticks < UINT32_MAX)
		return ticks;
bad:
	usage_error("%s: the time is too long for %u ticks a second", what, hz);
}

static void args_flag(const struct word *w, struct values *vals)
{
	bool on = true;

	if (vals->selector & w->flag)
		usage_error("\"%s\" is given twice", w->word);
	if (w->type == WORD_SWITCH) {
		const char *s = args_value(w->word);

		on = !strcmp(s, "on");
		if (!on && strcmp(s, "off"))
			usage_error("%s: \"%s\" is neither on nor off", w->word,
				    s);
	}
	vals->selector |= w->flag;
	if (on)
		vals->flags |= w->flag;
}

static void args_number(const struct word *w, struct values *vals)
{
	const char *s = args_value(w->word);

	if (vals->v[w->attr].set)
		usage_error("\"%s\" is given twice", w->word);
	vals->v[w->attr].set = true;
	if (w->type == WORD_NUMBER || w->type == WORD_LABEL) {
		vals->v[w->attr].n = parse_number(w->word, s);
		return;
	}
	if (w->type == WORD_MAX_RT && !strcmp(s, "unlimited")) {
		vals->v[w->attr].n = CHIMNEY_MAX_RT_UNLIMITED;
		return;
	}
	if (w->type == WORD_MAX_RT && !strcmp(s, "default"))
		return;
	vals->v[w->attr].n = parse_time(w->word, s);
	vals->v[w->attr].is_time = true;
	if (w->type == WORD_MAX_RT && !vals->v[w->attr].n)
		usage_error("%s: 0 would mean \"default\"", w->word);
	vals->times = true;
}

/* Is a parameter of @table next? If so, take it and what belongs to it. */
bool args_parameter(const struct word *table, struct values *vals)
{
	const struct word *w;

	for (w = table; w->word; w++) {
		if (!args_is(w->word))
			continue;
		if (w->type == WORD_SWITCH || w->type == WORD_TRIGGER)
			args_flag(w, vals);
		else
			args_number(w, vals);
		vals->any = true;
		return true;
	}
	return false;
}

/* Put parameters into a request; flags go to the attribute of the switches. */
void args_put(struct nlmsghdr *nlh, const struct word *table,
	      const struct values *vals, __u32 hz)
{
	const struct word *w;
	bool flags = false;

	for (w = table; w->word; w++) {
		__u32 n = vals->v[w->attr].n;

		if (w->type == WORD_SWITCH || w->type == WORD_TRIGGER) {
			if (vals->selector && !flags)
				nl_put_bitfield(nlh, w->attr, vals->flags,
						vals->selector);
			flags = true;
			continue;
		}
		if (!vals->v[w->attr].set)
			continue;
		if (vals->v[w->attr].is_time)
			n = time_to_ticks(w->word, vals->v[w->attr].n, hz);
		if (w->type == WORD_LABEL)
			n = htonl(n);
		nl_put_u32(nlh, w->attr, n);
	}
}
