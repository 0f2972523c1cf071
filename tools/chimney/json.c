// SPDX-License-Identifier: GPL-2.0
/*
 * A JSON writer.  It streams, and what it has to write is flat and known, so
 * these lines do instead of a library.
 */
#include <stdio.h>

#include "json.h"
#include "tool.h"

static int json_depth;
static bool json_first = true;

static void json_newline(void)
{
	if (tool.pretty)
		printf("\n%*s", 4 * json_depth, "");
}

static void json_quote(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else if ((unsigned char)*s < 0x20)
			printf("\\u%04x", *s);
		else
			putchar(*s);
	}
	putchar('"');
}

/* What comes before every value: comma, place on the page, key. */
static void json_item(const char *key)
{
	if (!json_first)
		putchar(',');
	if (json_depth)
		json_newline();
	json_first = false;
	if (key) {
		json_quote(key);
		fputs(tool.pretty ? ": " : ":", stdout);
	}
}

void json_open(const char *key, char bracket)
{
	json_item(key);
	putchar(bracket);
	json_depth++;
	json_first = true;
}

void json_close(char bracket)
{
	json_depth--;
	if (!json_first)
		json_newline();
	putchar(bracket);
	json_first = false;
	if (!json_depth) {
		putchar('\n');
		json_first = true;
	}
}

/*
 * The list starts with its first item, not before: when the kernel refuses,
 * nothing has been written.
 */
void json_list(void)
{
	if (tool.json && !json_depth)
		json_open(NULL, '[');
}

void json_list_end(void)
{
	json_list();
	if (tool.json)
		json_close(']');
}

void json_string(const char *key, const char *value)
{
	json_item(key);
	json_quote(value);
}

void json_unsigned(const char *key, __u64 value)
{
	json_item(key);
	printf("%llu", value);
}

void json_signed(const char *key, __s64 value)
{
	json_item(key);
	printf("%lld", value);
}

void json_bool(const char *key, bool value)
{
	json_item(key);
	fputs(value ? "true" : "false", stdout);
}
