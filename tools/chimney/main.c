// SPDX-License-Identifier: GPL-2.0
/*
 * chimney: control TCP connections that a chimney device runs.
 *
 * Options, the table of objects, and the ways to end.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

#ifndef TOOL_VERSION
#define TOOL_VERSION	"unknown"
#endif

#define NETNS_DIR	"/run/netns"

static const char main_help[] =
	"Usage: chimney [ OPTIONS ] OBJECT [ COMMAND ]\n"
	"       OBJECT := { dev | conn | monitor | help }\n"
	"       OPTIONS := { -j[son] | -p[retty] | -s[tatistics] | -d[etails] |\n"
	"                    -n[etns] NETNS | -V[ersion] | -h[elp] }\n";

static const struct object {
	const char *word;
	void (*run)(void);
	const char *help;
} objects[] = {
	{ "dev", do_dev, dev_help },
	{ "conn", do_conn, conn_help },
	{ "monitor", do_monitor, monitor_help },
};

struct tool tool = { .help = main_help };

void usage_error(const char *fmt, ...)
{
	va_list args;

	fputs("chimney: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\n%s", tool.help);
	exit(EXIT_USAGE);
}

void refuse(const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fputs("chimney: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(EXIT_REFUSED);
}

static void enter_netns(const char *name)
{
	char path[4096];
	int fd;

	if (!*name || strchr(name, '/') || !strcmp(name, ".") ||
	    !strcmp(name, ".."))
		usage_error("\"%s\" is not the name of a network namespace",
			    name);
	snprintf(path, sizeof(path), "%s/%s", NETNS_DIR, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		refuse("network namespace \"%s\": %s", name, strerror(errno));
	close(fd);
}

static const char *parse_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "pretty", no_argument, NULL, 'p' },
		{ "statistics", no_argument, NULL, 's' },
		{ "details", no_argument, NULL, 'd' },
		{ "netns", required_argument, NULL, 'n' },
		{ "Version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	const char *netns = NULL;
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, "+:jpsdn:Vh", options, NULL)) !=
	       -1) {
		switch (opt) {
		case 'j':
			tool.json = true;
			break;
		case 'p':
			tool.pretty = true;
			break;
		case 's':
			tool.stats = true;
			break;
		case 'd':
			tool.details = true;
			break;
		case 'n':
			netns = optarg;
			break;
		case 'V':
			printf("chimney %s\n", TOOL_VERSION);
			exit(EXIT_SUCCESS);
		case 'h':
			fputs(main_help, stdout);
			exit(EXIT_SUCCESS);
		case ':':
			usage_error("option \"%s\" lacks its value",
				    argv[optind - 1]);
		default:
			usage_error("unknown option \"%s\"",
				    argv[optind - 1]);
		}
	}
	tool.words = argv + optind;
	return netns;
}

int main(int argc, char **argv)
{
	const char *netns;
	unsigned int i;

	netns = parse_options(argc, argv);
	if (!*tool.words)
		usage_error("what object?");
	if (args_is("help")) {
		args_end();
		fputs(main_help, stdout);
		return EXIT_SUCCESS;
	}
	for (i = 0; i < sizeof(objects) / sizeof(*objects); i++) {
		if (!args_is(objects[i].word))
			continue;
		tool.help = objects[i].help;
		if (args_is("help")) {
			args_end();
			fputs(tool.help, stdout);
			return EXIT_SUCCESS;
		}
		if (netns)
			enter_netns(netns);
		objects[i].run();
		if (fflush(stdout) || ferror(stdout))
			refuse("output: %s", strerror(errno));
		return EXIT_SUCCESS;
	}
	usage_error("unknown object \"%s\"", *tool.words);
}
