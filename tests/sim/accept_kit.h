/* SPDX-License-Identifier: MIT */
/* The operator of a restored server says to go on without an admin, for all of its clusters. */
#ifndef MLSH_TESTS_ACCEPT_KIT_H
#define MLSH_TESTS_ACCEPT_KIT_H

#include <check.h>
#include <stdio.h>

#include "signal/accept.h"

/* How many of its clusters waited? `h` has the clock. */
unsigned server_accept_any(struct host *h, const char *db_path);

/* Fails unless one waited. */
void server_accept(struct host *h, const char *db_path);

#endif
