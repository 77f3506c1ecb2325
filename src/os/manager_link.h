/* SPDX-License-Identifier: MIT */
/* What carries the words of manager.c to the service manager; each system has its own. */
#ifndef MLSH_OS_MANAGER_LINK_H
#define MLSH_OS_MANAGER_LINK_H

#include "os/host.h"

struct manager_link;

/*
 * Connects to the manager that the environment names, if it names one (*ret is NULL otherwise).
 * `ret_watchdog_ns`: how often the manager wants to hear from this process at least; 0 for never.
 */
int manager_link_open(struct host *h, struct err *err, struct manager_link **ret,
		      uint64_t *ret_watchdog_ns) MUST_CHECK;
/* Sends lines "NAME=value". Does not wait: -EAGAIN if the manager is behind, other -errno. */
int manager_link_send(struct manager_link *l, const char *lines) MUST_CHECK;
void manager_link_close(struct manager_link *l); /* NULL allowed */
/* Microseconds of the clock that the manager compares with. */
uint64_t manager_link_clock_us(const struct manager_link *l);

#endif
