/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The harness, with time for kernels that watch themselves: what is stuck for
 * so long is stuck.
 */
#ifndef _CHIMNEY_HARNESS_H
#define _CHIMNEY_HARNESS_H

#include "kselftest_harness.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	150	/* s */

#endif /* _CHIMNEY_HARNESS_H */
