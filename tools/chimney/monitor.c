// SPDX-License-Identifier: GPL-2.0
/*
 * chimney monitor: what happens, one line for each event.
 */
#include <stdio.h>

#include <linux/chimney.h>

#include "json.h"
#include "nl.h"
#include "tool.h"

const char monitor_help[] =
	"Usage: chimney monitor\n"
	"       chimney monitor help\n";

static const char *monitor_event(__u8 cmd)
{
	switch (cmd) {
	case CHIMNEY_CMD_DEV_NTF:
		return "dev";
	case CHIMNEY_CMD_CONN_OFFLOAD_NTF:
		return "offload";
	case CHIMNEY_CMD_CONN_UPDATE_NTF:
		return "update";
	case CHIMNEY_CMD_CONN_TERMINATE_NTF:
		return "terminate";
	}
	return NULL;
}

static void monitor_print(const struct nlmsghdr *nlh, void *arg)
{
	const char *event = monitor_event(nl_cmd(nlh));
	bool dev = nl_cmd(nlh) == CHIMNEY_CMD_DEV_NTF;

	(void)arg;
	if (!event)
		return;
	if (tool.json) {
		json_open(NULL, '{');
		json_string("event", event);
	} else {
		printf("%s ", event);
	}
	if (dev)
		dev_print(nlh, "dev");
	else
		conn_print(nlh, "conn", false);
	if (tool.json)
		json_close('}');
	if (fflush(stdout))
		refuse("output: cannot write");
}

void do_monitor(void)
{
	args_end();
	nl_open();
	nl_listen(monitor_print, NULL);
}
