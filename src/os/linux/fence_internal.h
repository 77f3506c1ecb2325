/* SPDX-License-Identifier: MIT */
/* The fence of a kernel that knows no owned tables (before 5.12), for tests on one that does. */
#ifndef MLSH_OS_LINUX_FENCE_INTERNAL_H
#define MLSH_OS_LINUX_FENCE_INTERNAL_H

#include "os/fence.h"

struct fence *fence_new_unowned(struct host *h, const char *device, loop_fn changed, void *ctx);

#endif
