/* SPDX-License-Identifier: MIT */
/* A D-Bus daemon of the test's own, which sd-bus takes for the system bus. */
#ifndef MLSH_TESTS_OS_BUS_H
#define MLSH_TESTS_OS_BUS_H

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "os_unit.h"

struct os_bus {
	pid_t pid;
	char path[96];
};

/* `path` is of its socket. False, and a word about it, when this machine has no D-Bus daemon. */
bool os_bus_start(struct os_bus *b, const char *path);

void os_bus_stop(struct os_bus *b);

#endif
