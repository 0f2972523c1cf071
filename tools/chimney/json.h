/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A JSON writer on standard output.  Keys are NULL inside of arrays and at
 * the top.
 */
#ifndef _CHIMNEY_JSON_H
#define _CHIMNEY_JSON_H

#include <stdbool.h>

#include <linux/types.h>

/* A list that is the answer: call once for each item; and when all are out. */
void json_list(void);
void json_list_end(void);

void json_open(const char *key, char bracket);
void json_close(char bracket);
void json_string(const char *key, const char *value);
void json_unsigned(const char *key, __u64 value);
void json_signed(const char *key, __s64 value);
void json_bool(const char *key, bool value);

#endif /* _CHIMNEY_JSON_H */
