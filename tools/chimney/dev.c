// SPDX-License-Identifier: GPL-2.0
/*
 * chimney dev: devices and their parameters.
 */
#include <net/if.h>
#include <stdio.h>

#include <linux/chimney.h>

#include "attrs.h"
#include "json.h"
#include "nl.h"
#include "tool.h"

const char dev_help[] =
	"Usage: chimney dev [ show [ DEV ] ]\n"
	"       chimney dev set DEV [ hz N ] [ max-conns N ] [ ack-frequency N ]\n"
	"               [ delayed-ack T ] [ max-retransmissions N ]\n"
	"               [ dupack-threshold N ] [ fin-wait2 T ]\n"
	"       chimney dev pause DEV\n"
	"       chimney dev resume DEV\n"
	"       chimney dev upload-all DEV\n"
	"       chimney dev help\n"
	"       T := a number and ms, s, m or h\n";

static const struct word dev_words[] = {
	{ "hz", WORD_NUMBER, CHIMNEY_A_DEV_HZ, 0 },
	{ "max-conns", WORD_NUMBER, CHIMNEY_A_DEV_MAX_CONNS, 0 },
	{ "ack-frequency", WORD_NUMBER, CHIMNEY_A_DEV_ACK_FREQUENCY, 0 },
	{ "delayed-ack", WORD_TIME, CHIMNEY_A_DEV_DELAYED_ACK, 0 },
	{ "max-retransmissions", WORD_NUMBER,
	  CHIMNEY_A_DEV_MAX_RETRANSMISSIONS, 0 },
	{ "dupack-threshold", WORD_NUMBER, CHIMNEY_A_DEV_DUPACK_THRESHOLD, 0 },
	{ "fin-wait2", WORD_TIME, CHIMNEY_A_DEV_FIN_WAIT2, 0 },
	{ }
};

int dev_index(const char *name)
{
	unsigned int index = if_nametoindex(name);

	if (!index)
		refuse("there is no device \"%s\"", name);
	return index;
}

void dev_print(const struct nlmsghdr *nlh, const char *key)
{
	const struct nlattr *tb[ATTRS_MAX];
	__u32 hz;

	nl_parse(nlh, tb, attrs_dev.max);
	if (tool.json) {
		json_open(key, '{');
		attrs_json(&attrs_dev, tb);
		json_close('}');
		return;
	}
	hz = nl_u32(tb[CHIMNEY_A_DEV_HZ], 0);
	if (tb[CHIMNEY_A_DEV_IFNAME])
		printf("%.*s:", (int)nl_len(tb[CHIMNEY_A_DEV_IFNAME]),
		       (const char *)nl_data(tb[CHIMNEY_A_DEV_IFNAME]));
	else
		printf("%u:", nl_u32(tb[CHIMNEY_A_DEV_IFINDEX], 0));
	attrs_text(&attrs_dev, tb, SHOW_ALWAYS, hz);
	if (tool.details)
		attrs_text_line(&attrs_dev, tb, SHOW_DETAILS, hz);
	if (tool.stats)
		attrs_text_line(&attrs_dev, tb, SHOW_STATS, hz);
	putchar('\n');
}

static void dev_found(const struct nlmsghdr *nlh, void *arg)
{
	(void)arg;
	json_list();
	dev_print(nlh, NULL);
}

static void dev_show(void)
{
	const char *name = *tool.words ? *tool.words++ : NULL;
	struct nlmsghdr *nlh;
	int index = 0;

	args_end();
	if (name)
		index = dev_index(name);
	nl_open();
	if (name) {
		nlh = nl_new(CHIMNEY_CMD_DEV_GET);
		nl_put_u32(nlh, CHIMNEY_A_DEV_IFINDEX, index);
		nl_do(nlh, dev_found, NULL);
	} else {
		nl_dump(CHIMNEY_CMD_DEV_GET, dev_found, NULL);
	}
	json_list_end();
}

struct dev_hz {
	unsigned int count;
	__u32 hz;
	bool differ;
};

static void dev_hz_found(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *tb[ATTRS_MAX];
	struct dev_hz *found = arg;
	__u32 hz;

	nl_parse(nlh, tb, attrs_dev.max);
	hz = nl_u32(tb[CHIMNEY_A_DEV_HZ], 0);
	if (found->count++ && hz != found->hz)
		found->differ = true;
	found->hz = hz;
}

/* Ticks a second of device @name, or of all devices if it is NULL. */
__u32 dev_hz(const char *name)
{
	struct dev_hz found = {};
	struct nlmsghdr *nlh;

	if (name) {
		nlh = nl_new(CHIMNEY_CMD_DEV_GET);
		nl_put_u32(nlh, CHIMNEY_A_DEV_IFINDEX, dev_index(name));
		nl_do(nlh, dev_hz_found, &found);
	} else {
		nl_dump(CHIMNEY_CMD_DEV_GET, dev_hz_found, &found);
	}
	if (!found.count || !found.hz)
		refuse("there is no chimney device");
	if (found.differ)
		refuse("devices differ in hz: say \"dev DEV\" to give times");
	return found.hz;
}

static void dev_set(void)
{
	const char *name = args_value("DEV");
	struct values vals = {};
	struct nlmsghdr *nlh;
	__u32 hz = 0;
	int index;

	while (args_parameter(dev_words, &vals))
		;
	args_end();
	if (!vals.any)
		usage_error("nothing to set");
	index = dev_index(name);
	nl_open();
	if (vals.v[CHIMNEY_A_DEV_HZ].set)
		hz = vals.v[CHIMNEY_A_DEV_HZ].n;
	else if (vals.times)
		hz = dev_hz(name);
	if (vals.times && !hz)
		usage_error("hz must not be 0");
	nlh = nl_new(CHIMNEY_CMD_DEV_SET);
	nl_put_u32(nlh, CHIMNEY_A_DEV_IFINDEX, index);
	args_put(nlh, dev_words, &vals, hz);
	nl_do(nlh, NULL, NULL);
}

static void dev_simple(__u8 cmd)
{
	const char *name = args_value("DEV");
	struct nlmsghdr *nlh;
	int index;

	args_end();
	index = dev_index(name);
	nl_open();
	nlh = nl_new(cmd);
	nl_put_u32(nlh, CHIMNEY_A_DEV_IFINDEX, index);
	nl_do(nlh, NULL, NULL);
}

void do_dev(void)
{
	if (!*tool.words || args_is("show"))
		dev_show();
	else if (args_is("set"))
		dev_set();
	else if (args_is("pause"))
		dev_simple(CHIMNEY_CMD_DEV_PAUSE);
	else if (args_is("resume"))
		dev_simple(CHIMNEY_CMD_DEV_RESUME);
	else if (args_is("upload-all"))
		dev_simple(CHIMNEY_CMD_DEV_UPLOAD_ALL);
	else
		usage_error("unknown command \"%s\"", *tool.words);
}
