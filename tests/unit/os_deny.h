/* SPDX-License-Identifier: MIT */
/* A kernel that lacks something: a system call that fails from now on, in this process. */
#ifndef MLSH_TESTS_OS_DENY_H
#define MLSH_TESTS_OS_DENY_H

#include <seccomp.h>

#include "unit.h"

/* `call` fails with `code` whenever its argument number `arg` (from 0) is `value`. */
void os_deny(int code, int call, unsigned arg, uint64_t value);

#endif
