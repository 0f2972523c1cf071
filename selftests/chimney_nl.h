/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The control interface for the C programs of this folder: offload and
 * terminate connections of the calling process.
 */
#ifndef _CHIMNEY_NL_H
#define _CHIMNEY_NL_H

#include <stdint.h>

struct chimney_nl;

/* Opens a netlink socket in the network namespace of the calling thread; NULL
 * with errno set if that fails, ENOENT if the module is not there.
 */
struct chimney_nl *chimney_nl_open(void);
void chimney_nl_close(struct chimney_nl *nl);

/* These return 0 or a negative error; what the kernel said about an error is
 * chimney_nl_error(). A request on one chimney_nl at a time.
 */
int chimney_nl_offload(struct chimney_nl *nl, int fd, uint32_t *id);
int chimney_nl_terminate(struct chimney_nl *nl, uint32_t id);
const char *chimney_nl_error(const struct chimney_nl *nl);

#endif /* _CHIMNEY_NL_H */
