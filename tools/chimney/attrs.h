/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The attributes of the family in one table, from which text, JSON and the
 * names in error messages are made.
 */
#ifndef _CHIMNEY_ATTRS_H
#define _CHIMNEY_ATTRS_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

struct nlattr;
struct nlmsghdr;

enum attr_type {
	ATTR_NONE,	/* not for people: padding, file descriptors */
	ATTR_U32,
	ATTR_U64,
	ATTR_BOOL,
	ATTR_STRING,
	ATTR_IFINDEX,
	ATTR_ENUM,
	ATTR_FLAGS,	/* u32 */
	ATTR_BITFIELD,	/* struct nla_bitfield32 */
	ATTR_TICKS,
	ATTR_FAMILY,
	ATTR_ADDRESS,
	ATTR_PORT,
	ATTR_LABEL,
	ATTR_NEST,
};

/* In text: where an attribute shows up. JSON has all of them. */
enum attr_show {
	SHOW_ALWAYS,
	SHOW_DETAILS,	/* with -d */
	SHOW_STATS,	/* with -s */
	SHOW_NEVER,	/* said in other words */
};

/**
 * struct attr - one attribute
 * @name: as in the protocol's specification
 * @type: how to read it
 * @show: where it shows up
 * @json: key, if it is not @name with "_" for "-"
 * @extra: ATTR_IFINDEX: key of the name that belongs to it
 * @names: ATTR_ENUM, from 1: words; flags, from bit 0: words
 * @nest: ATTR_NEST: what is inside
 * @max_word: the word for the largest value, a -1 in JSON
 * @zero_word: the word for 0 in text
 * @scale: ATTR_TICKS: parts of a tick the value counts
 */
struct attr {
	const char *name;
	enum attr_type type;
	enum attr_show show;
	const char *json;
	const char *extra;
	const char *const *names;
	const struct attr_set *nest;
	const char *max_word;
	const char *zero_word;
	unsigned int scale;
};

struct attr_set {
	const struct attr *attrs;
	unsigned int max;
};

#define ATTRS_MAX	32

extern const struct attr_set attrs_dev;
extern const struct attr_set attrs_conn;
extern const struct attr_set attrs_const;
extern const struct attr_set attrs_cached;
extern const struct attr_set attrs_delegated;
extern const struct attr_set attrs_keep_alive;
extern const struct attr_set attrs_retransmit;
extern const struct attr_set attrs_stats;

/* The name of attribute number @type, or of the one at a place in @nlh. */
const char *attrs_at(const struct nlmsghdr *nlh, size_t offset);
const char *attrs_in(const struct nlmsghdr *nlh, size_t nest, __u32 type);

/* An enum's word, or its number. */
const char *attrs_word(const char *const *names, __u32 value);
extern const char *const attrs_places[];
extern const char *const attrs_states[];
extern const char *const attrs_reasons[];

/* "1.5ms", "7200s" */
const char *attrs_time(__u32 ticks, __u32 hz, unsigned int scale);

void attrs_json(const struct attr_set *set, const struct nlattr **tb);

/*
 * Text: " name value ..." of what is to be shown at @show, wrapped; nests of
 * that kind on lines of their own.
 */
void attrs_text(const struct attr_set *set, const struct nlattr **tb,
		enum attr_show show, __u32 hz);
void attrs_text_line(const struct attr_set *set, const struct nlattr **tb,
		     enum attr_show show, __u32 hz);

#endif /* _CHIMNEY_ATTRS_H */
