/* SPDX-License-Identifier: MIT */
/*
 * What the tests of os/linux share: a loop that fails instead of hanging, and a network namespace
 * of their own (each test is its own process) where root can have one.
 */
#ifndef MLSH_TESTS_OS_UNIT_H
#define MLSH_TESTS_OS_UNIT_H

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "os/loop.h"
#include "unit.h"

struct host *os_unit_host(void);

/* Runs the loop until a callback stops it; fails after minutes: a hang, not a loaded machine. */
void os_unit_run(struct host *h, const char *waiting_for);

void os_unit_stop(void *ctx);

/* Runs the loop for some time. */
void os_unit_run_for(struct host *h, uint64_t ns);

void os_unit_skip(const char *why);

/*
 * A fresh, empty network and private mounts for this process. False, and a word about it, when not
 * root.
 */
bool os_unit_namespace(void);

/* A command of iproute2 or the like; false when it fails or is not there. */
bool os_unit_command(const char *command);

#endif
