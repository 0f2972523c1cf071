/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the chimney command share: options, the words of the
 * command line, and how the command ends.
 */
#ifndef _CHIMNEY_TOOL_H
#define _CHIMNEY_TOOL_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

struct nlmsghdr;

#ifndef __printf
#define __printf(a, b)	__attribute__((__format__(printf, a, b)))
#endif

#define EXIT_REFUSED	1	/* by the kernel, or nothing fits */
#define EXIT_USAGE	2	/* the command line makes no sense */

/**
 * struct tool - options, and the words not looked at yet
 * @json: write JSON
 * @pretty: indent it
 * @stats: show counters
 * @details: show all there is
 * @words: what is left of the command line, ended by NULL
 * @help: of the object at hand, shown when the command line makes no sense
 */
struct tool {
	bool json;
	bool pretty;
	bool stats;
	bool details;
	char **words;
	const char *help;
};

extern struct tool tool;

/* main.c: say why, and end. */
_Noreturn __printf(1, 2) void usage_error(const char *fmt, ...);
_Noreturn __printf(1, 2) void refuse(const char *fmt, ...);

/* args.c: words of the command line. */
enum word_type {
	WORD_NUMBER,
	WORD_TIME,	/* carried in ticks */
	WORD_MAX_RT,	/* a time, "unlimited" or "default" */
	WORD_LABEL,	/* a number, carried in network order */
	WORD_SWITCH,	/* on or off: a bit of the flags */
	WORD_TRIGGER,	/* stands alone: a bit of the flags */
};

/**
 * struct word - a parameter
 * @word: as people write it
 * @type: what follows
 * @attr: the attribute that carries it
 * @flag: the bit of that attribute
 */
struct word {
	const char *word;
	enum word_type type;
	__u16 attr;
	__u32 flag;
};

#define VALUES_MAX	32

/**
 * struct values - parameters as they were given
 * @v: by attribute; a time in nanoseconds if @is_time
 * @flags: bits of the attribute of switches and triggers
 * @selector: which of them were given
 * @any: something was given
 * @times: a time was given, so hz is needed
 */
struct values {
	struct {
		bool set;
		bool is_time;
		__u64 n;
	} v[VALUES_MAX];
	__u32 flags;
	__u32 selector;
	bool any;
	bool times;
};

bool args_is(const char *word);
const char *args_value(const char *what);
void args_end(void);
__u32 parse_number(const char *what, const char *s);
__u64 parse_time(const char *what, const char *s);
bool args_parameter(const struct word *table, struct values *vals);
void args_put(struct nlmsghdr *nlh, const struct word *table,
	      const struct values *vals, __u32 hz);

/* One per object. */
extern const char dev_help[];
extern const char conn_help[];
extern const char monitor_help[];

void do_dev(void);
void do_conn(void);
void do_monitor(void);

/* dev.c; @key is for JSON inside of an object */
int dev_index(const char *name);
__u32 dev_hz(const char *name);
void dev_print(const struct nlmsghdr *nlh, const char *key);

/* conn.c */
void conn_print(const struct nlmsghdr *nlh, const char *key, bool whole);

#endif /* _CHIMNEY_TOOL_H */
